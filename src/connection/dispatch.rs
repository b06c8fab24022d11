//! What the messages of a stream mean.

use bytes::Bytes;
use http::StatusCode;

use super::Connection;
use super::answer::Origin;
use super::ask::Asker;
use super::events::Source;
use super::exchange::{Purpose, Reading};
use super::feed::Need;
use crate::error::{Delivery, Error, Peer, RpcError};
use crate::event::{Message as MessageEvent, Withdrawal};
use crate::wire::jsonrpc::{self, Id, Message, ProgressToken};
use crate::{CallId, Event, ExchangeId, RawJson, Subject};

/// What became of a message.
pub(super) enum Dispatched {
    Done,
    /// There is no room for it: it waits.
    NoRoom(Need),
}

impl Connection {
    pub(super) fn dispatch(
        &mut self,
        id: ExchangeId,
        text: &Bytes,
        pinned: usize,
        repeated: bool,
    ) -> Dispatched {
        let source = self.source(id);
        let call = match source {
            Some(Source::Call(call)) => Some(call),
            Some(Source::Listening) | None => None,
        };
        match jsonrpc::parse(text) {
            Ok(Message::Response {
                id: Id::Number(number),
                outcome,
            }) => {
                let outcome = outcome.map(|result| RawJson::keep(text, result, pinned));
                self.response(id, number, outcome);
                Dispatched::Done
            }
            _ if repeated => Dispatched::Done,
            Ok(Message::Response { .. }) => {
                let why = "it replies to no request of ours";
                self.unreadable(source, Peer::Message(why))
            }
            Ok(Message::Notification { method, params }) => match &*method {
                "notifications/cancelled" if self.is_subscription(id) => {
                    self.subscription_cancelled(id, params);
                    Dispatched::Done
                }
                "notifications/subscriptions/acknowledged" if self.is_subscription(id) => {
                    match self.acknowledged(params) {
                        Ok(()) => Dispatched::Done,
                        Err(why) => self.unreadable(source, why),
                    }
                }
                "notifications/cancelled" => {
                    let request = params.and_then(jsonrpc::cancelled_request);
                    let asked_in = self.exchanges.get(&id).map(|exchange| exchange.generation);
                    self.withdraw_asks(Withdrawal::Cancelled, |ask| {
                        request.is_some_and(|id| ask.has_id(id))
                            && asked_in.is_some_and(|session| ask.is_of(session))
                    });
                    Dispatched::Done
                }
                "notifications/progress" => {
                    let token = params.and_then(ProgressToken::of_notification);
                    // What comes late, for a call that has ended, is dropped.
                    match token.and_then(|token| self.tokens.get(&token).copied()) {
                        Some(call) => {
                            let params = params.map(|params| RawJson::keep(text, params, pinned));
                            self.extend_clock(call);
                            self.message(&method, params, Some(call), source)
                        }
                        None => Dispatched::Done,
                    }
                }
                _ => {
                    let params = params.map(|params| RawJson::keep(text, params, pinned));
                    self.message(&method, params, call, source)
                }
            },
            Ok(Message::Request { .. }) if !self.answers_requests(id) => {
                self.unreadable(source, Peer::Request)
            }
            Ok(Message::Request {
                id: request,
                method,
                params,
            }) => {
                let params = params.map(|params| RawJson::keep(text, params, pinned));
                self.question(id, request, &method, params, call)
            }
            Err(why) => self.unreadable(source, Peer::Message(why)),
        }
    }

    /// Whether what the server asks on this exchange can be answered.
    fn answers_requests(&self, id: ExchangeId) -> bool {
        let exchange = self.exchanges.get(&id);
        exchange.is_some_and(|exchange| !exchange.rules.binding.stands_alone())
    }

    /// A response, on whatever stream it came: the id says which request it answers.
    /// But `initialize` is answered on its own alone, whose head brings the session id,
    /// unless there is one stream for all.
    fn response(&mut self, stream: ExchangeId, number: u64, outcome: Result<RawJson, RpcError>) {
        if let Some(call) = self.cut.get(&number).copied() {
            return self.late_reply(call, outcome);
        }
        let id = ExchangeId::new(self.tag, number);
        let Some(exchange) = self.exchanges.get(&id) else {
            return;
        };
        let rules = exchange.rules;
        let status = match &exchange.reading {
            Reading::Stream(stream) => stream.status,
            _ => StatusCode::OK,
        };
        let expected = match exchange.purpose {
            Purpose::Call(_)
            | Purpose::Ping
            | Purpose::Refresh
            | Purpose::Restore(_)
            | Purpose::Subscribe => true,
            Purpose::Initialize(_) if rules.binding.answers_on_one_stream() => true,
            Purpose::Discover | Purpose::Initialize(_) => stream == id,
            _ => false,
        };
        if expected {
            if let Some(purpose) = self.finish_or_close(id) {
                self.completed(purpose, outcome, (status, rules));
            }
        }
    }

    /// A stream that has its reply is finished.
    pub(super) fn finish_or_close(&mut self, id: ExchangeId) -> Option<Purpose> {
        let over = match &self.exchanges.get(&id)?.reading {
            Reading::Stream(feed) => feed.has_ended(),
            Reading::Accepted { over, .. } => *over,
            _ => false,
        };
        if over {
            self.end_exchange(id).map(|exchange| exchange.purpose)
        } else {
            self.finish(id)
        }
    }

    fn message(
        &mut self,
        method: &str,
        params: Option<RawJson>,
        call: Option<CallId>,
        source: Option<Source>,
    ) -> Dispatched {
        let bytes = method
            .len()
            .saturating_add(params.as_ref().map_or(0, RawJson::len));
        let method = method.to_owned();
        let message = Event::Message(MessageEvent {
            method,
            params,
            call,
        });
        self.tell_unasked(message, bytes, source)
    }

    /// Queues what the server sent unasked. The oldest of the listening stream give way to
    /// it. If that is not enough, the stream of a call waits; what others' replies travel on
    /// stands still for nobody.
    fn tell_unasked(&mut self, event: Event, bytes: usize, source: Option<Source>) -> Dispatched {
        let limits = &self.config.common.limits;
        self.events.give_way(bytes, limits);
        if !self.events.has_room(bytes, limits) {
            if !matches!(source, Some(Source::Call(_))) {
                self.events.miss();
                return Dispatched::Done;
            }
            return Dispatched::NoRoom(Need {
                bytes: Some(bytes),
                ask: false,
            });
        }
        self.events.push_from(event, source);
        Dispatched::Done
    }

    fn question(
        &mut self,
        stream: ExchangeId,
        id: &str,
        method: &str,
        params: Option<RawJson>,
        call: Option<CallId>,
    ) -> Dispatched {
        let Some(exchange) = self.exchanges.get(&stream) else {
            return Dispatched::Done;
        };
        let generation = exchange.generation;
        let origin = match &exchange.purpose {
            Purpose::Initialize(provisional) => Origin::Handshake(provisional.clone()),
            Purpose::Channel if !self.phase.has_session() => Origin::Handshake(None),
            _ => Origin::Session(generation),
        };
        let initializing = matches!(origin, Origin::Handshake(_));
        if !initializing && !self.is_current(generation) {
            // No answer could reach the session that asks.
            return Dispatched::Done;
        }
        let source = exchange.purpose.source();
        let waits = matches!(source, Some(Source::Call(_)));
        if !self.has_room_for_ask() {
            if !waits {
                // Not even an answer has room.
                self.events.miss();
                return Dispatched::Done;
            }
            return Dispatched::NoRoom(Need {
                bytes: None,
                ask: true,
            });
        }
        if method == "ping" {
            let nothing = RawJson::new(&serde_json::Map::new());
            let outcome = nothing.map_err(|_| RpcError::method_not_found());
            self.answer_itself(id, outcome, origin);
        } else if self.is_announced(method) && !initializing {
            let bytes = method
                .len()
                .saturating_add(params.as_ref().map_or(0, RawJson::len));
            let limits = &self.config.common.limits;
            self.events.give_way(bytes, limits);
            if !self.events.has_room(bytes, limits) {
                if waits {
                    return Dispatched::NoRoom(Need {
                        bytes: Some(bytes),
                        ask: true,
                    });
                }
                let busy = RpcError::new(-32603, "too many questions wait to be read");
                self.answer_itself(id, Err(busy), origin);
                return Dispatched::Done;
            }
            let id = id.to_owned();
            let asker = Asker::Request { id, generation };
            self.open_ask(asker, (method, params, call), source);
        } else {
            self.answer_itself(id, Err(RpcError::method_not_found()), origin);
        }
        Dispatched::Done
    }

    /// A message that cannot be used: said once, and nothing else is lost.
    pub(super) fn unreadable(&mut self, source: Option<Source>, why: Peer) -> Dispatched {
        let call = match source {
            Some(Source::Call(call)) => Some(call),
            Some(Source::Listening) | None => None,
        };
        let mut error = Error::new(why, Delivery::Unknown);
        if let Some(call) = call.and_then(|call| self.calls.get(&call)) {
            error = error.for_method(&call.method);
        }
        error = error.of_one_message();
        let event = Event::Fail {
            subject: Subject::Stream(call),
            error,
        };
        self.tell_unasked(event, 0, source)
    }
}
