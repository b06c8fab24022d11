//! Streams that carry an answer: messages one by one, held back when there is no
//! room for them.

use std::collections::VecDeque;

use bytes::Bytes;
use http::StatusCode;

use super::Connection;
use super::control::Origin;
use super::exchange::{Purpose, Reading};
use crate::error::{Delivery, Error, Failure, LimitKind, Lost, Peer, RpcError};
use crate::event::{Message as MessageEvent, Withdrawal};
use crate::wire::jsonrpc::{self, Id, Message, ProgressToken};
use crate::wire::sse::{Decoder, EventType, Item, LimitExceeded, Limits};
use crate::{CallId, Event, ExchangeId, RawJson, Subject};

/// The messages of one answer, in the order in which they came.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    pub(super) status: StatusCode,
    /// Messages that are apart already: the elements of a batch, or one that
    /// found no room.
    apart: VecDeque<Bytes>,
    /// Absent for a batch in a JSON body.
    decoder: Option<Decoder>,
    end: Option<End>,
}

/// How a stream ended.
#[derive(Clone, Debug)]
pub(super) enum End {
    Broken(Failure),
    Clean,
}

/// What became of a message.
enum Dispatched {
    Done,
    /// There is no room for it: it waits.
    NoRoom,
}

impl Stream {
    pub(super) fn new(status: StatusCode, limits: &crate::Limits) -> Self {
        let decoder = Decoder::new(Limits {
            line: limits.line,
            event: limits.event,
        });
        Self {
            status,
            apart: VecDeque::new(),
            decoder: Some(decoder),
            end: None,
        }
    }

    /// A batch that came as a JSON body (2025-03-26, transports: sending messages).
    pub(super) fn of_batch(status: StatusCode, body: &Bytes) -> Result<Self, &'static str> {
        Ok(Self {
            status,
            apart: elements(body)?,
            decoder: None,
            end: Some(End::Clean),
        })
    }

    pub(super) fn feed(&mut self, chunk: Bytes) {
        if let Some(decoder) = &mut self.decoder {
            decoder.feed(chunk);
        }
    }

    /// Whether its end was reported: what is reported after that means nothing.
    pub(super) fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    pub(super) fn end(&mut self, end: End) {
        self.end.get_or_insert(end);
    }

    pub(super) fn buffered(&self) -> usize {
        let apart: usize = self.apart.iter().map(Bytes::len).sum();
        self.decoder
            .as_ref()
            .map_or(0, Decoder::buffered)
            .saturating_add(apart)
    }

    fn next(&mut self) -> Option<Result<Bytes, LimitExceeded>> {
        if let Some(text) = self.apart.pop_front() {
            return Some(Ok(text));
        }
        loop {
            match self.decoder.as_mut()?.next()? {
                Ok(Item::Event(event)) => {
                    if matches!(event.kind, EventType::Message) && !event.data.is_empty() {
                        return Some(Ok(event.data.into_bytes()));
                    }
                }
                Ok(_) => {}
                Err(exceeded) => return Some(Err(exceeded)),
            }
        }
    }
}

/// The elements of a batch. The replies come last, for with its reply an exchange is
/// over, and the other elements are not to go down with it.
fn elements(body: &Bytes) -> Result<VecDeque<Bytes>, &'static str> {
    let batch = jsonrpc::batch(body)?.into_iter();
    let elements = batch.map(|element| body.slice_ref(element.get().as_bytes()));
    let is_reply = |text: &Bytes| matches!(jsonrpc::parse(text), Ok(Message::Response { .. }));
    let (replies, others): (Vec<_>, Vec<_>) = elements.partition(is_reply);
    Ok(others.into_iter().chain(replies).collect())
}

impl Connection {
    /// Gives out the messages of a stream for as long as there is room.
    pub(super) fn pump(&mut self, id: ExchangeId) {
        let batches = self.revision_spoken().receives_batches();
        self.stalled.remove(&id);
        loop {
            let Some(exchange) = self.exchanges.get_mut(&id) else {
                return;
            };
            let Reading::Stream(stream) = &mut exchange.reading else {
                return;
            };
            match stream.next() {
                Some(Ok(text)) => {
                    if batches && jsonrpc::is_array(&text) {
                        if let Ok(elements) = elements(&text) {
                            stream.apart.extend(elements);
                            continue;
                        }
                    }
                    if let Dispatched::NoRoom = self.dispatch(id, &text) {
                        self.put_back(id, text);
                        break;
                    }
                }
                Some(Err(exceeded)) => {
                    let (kind, value) = match exceeded {
                        LimitExceeded::Event { limit } => (LimitKind::Event, limit),
                        LimitExceeded::Line { limit } => (LimitKind::Line, limit),
                    };
                    return self.exceed(id, kind, value);
                }
                None => {
                    if let Some(end) = stream.end.take() {
                        self.stream_ended(id, end);
                    }
                    break;
                }
            }
        }
        self.account(id);
    }

    fn put_back(&mut self, id: ExchangeId, text: Bytes) {
        if let Some(exchange) = self.exchanges.get_mut(&id) {
            if let Reading::Stream(stream) = &mut exchange.reading {
                stream.apart.push_front(text);
                self.stalled.insert(id);
            }
        }
    }

    /// Goes on with the streams that found no room.
    pub(super) fn pump_stalled(&mut self) {
        for id in self.stalled.clone() {
            self.pump(id);
        }
    }

    /// The stream ended without the reply that it was there for.
    fn stream_ended(&mut self, id: ExchangeId, end: End) {
        let Some(exchange) = self.exchanges.get(&id) else {
            return;
        };
        let batch =
            matches!(&exchange.reading, Reading::Stream(stream) if stream.decoder.is_none());
        let error = match end {
            End::Broken(failure) => Error::new(failure, Delivery::Unknown),
            End::Clean if batch => Error::new(Peer::WrongReply, Delivery::Unknown),
            End::Clean => Error::new(Lost::Stream, Delivery::Unknown),
        };
        if let Some(exchange) = self.end_exchange(id) {
            self.exchange_failed(exchange.purpose, error);
        }
    }

    fn dispatch(&mut self, id: ExchangeId, text: &Bytes) -> Dispatched {
        let call = match self.exchanges.get(&id).map(|exchange| &exchange.purpose) {
            Some(Purpose::Call(call)) => Some(*call),
            _ => None,
        };
        match jsonrpc::parse(text) {
            Ok(Message::Response {
                id: Id::Number(number),
                outcome,
            }) => {
                let outcome = outcome.map(|result| RawJson::keep(text, result));
                self.response(id, number, outcome);
                Dispatched::Done
            }
            Ok(Message::Response { .. }) => {
                self.unreadable(call, "it replies to no request of ours")
            }
            Ok(Message::Notification { method, params }) => match &*method {
                "notifications/cancelled" => {
                    let request = params.and_then(jsonrpc::cancelled_request);
                    self.withdraw_asks(Withdrawal::Cancelled, |ask| Some(&*ask.id) == request);
                    Dispatched::Done
                }
                "notifications/progress" => {
                    let token = params.and_then(ProgressToken::of_notification);
                    // What comes late, for a call that has ended, is dropped.
                    match token.and_then(|token| self.tokens.get(&token).copied()) {
                        Some(call) => self.message(&method, params, text, Some(call)),
                        None => Dispatched::Done,
                    }
                }
                _ => self.message(&method, params, text, call),
            },
            Ok(Message::Request {
                id: request,
                method,
                params,
            }) => {
                let params = params.map(|params| RawJson::keep(text, params));
                self.question(id, request.get(), &method, params, call)
            }
            Err(why) => self.unreadable(call, why),
        }
    }

    /// A response, on whatever stream it came: the id says which request it answers.
    /// But `initialize` is answered on its own alone, whose head brings the session id.
    fn response(&mut self, stream: ExchangeId, number: u64, outcome: Result<RawJson, RpcError>) {
        let id = ExchangeId::new(self.tag, number);
        let Some(exchange) = self.exchanges.get(&id) else {
            return;
        };
        let status = match &exchange.reading {
            Reading::Stream(stream) => stream.status,
            _ => StatusCode::OK,
        };
        let expected = match exchange.purpose {
            Purpose::Call(_) | Purpose::Ping => true,
            Purpose::Initialize(_) => stream == id,
            _ => false,
        };
        if expected {
            if let Some(purpose) = self.finish_or_close(id) {
                self.completed(purpose, outcome, status);
            }
        }
    }

    /// A stream that has its reply is finished.
    fn finish_or_close(&mut self, id: ExchangeId) -> Option<Purpose> {
        let over = match &self.exchanges.get(&id)?.reading {
            Reading::Stream(stream) => stream.end.is_some(),
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
        params: Option<&serde_json::value::RawValue>,
        text: &Bytes,
        call: Option<CallId>,
    ) -> Dispatched {
        let bytes = method
            .len()
            .saturating_add(params.map_or(0, |params| params.get().len()));
        if !self.events.has_room(bytes, &self.config.limits) {
            return Dispatched::NoRoom;
        }
        let params = params.map(|params| RawJson::keep(text, params));
        let message = MessageEvent {
            method: method.to_owned(),
            params,
            call,
        };
        self.events.push(Event::Message(message));
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
            _ => Origin::Session(generation),
        };
        let initializing = matches!(origin, Origin::Handshake(_));
        if !initializing && !self.is_current(generation) {
            // No answer could reach the session that asks.
            return Dispatched::Done;
        }
        if !self.has_room_for_ask() {
            return Dispatched::NoRoom;
        }
        if method == "ping" {
            let nothing = RawJson::new(&serde_json::Map::new());
            let outcome = nothing.map_err(|_| RpcError::method_not_found());
            self.answer_itself(id, outcome, origin);
        } else if self.is_announced(method) && !initializing {
            let bytes = method
                .len()
                .saturating_add(params.as_ref().map_or(0, RawJson::len));
            if !self.events.has_room(bytes, &self.config.limits) {
                return Dispatched::NoRoom;
            }
            self.open_ask(id, method, params, call, generation);
        } else {
            self.answer_itself(id, Err(RpcError::method_not_found()), origin);
        }
        Dispatched::Done
    }

    /// A message that cannot be used: said once, and nothing else is lost.
    fn unreadable(&mut self, call: Option<CallId>, why: &'static str) -> Dispatched {
        if !self.events.has_room(0, &self.config.limits) {
            return Dispatched::NoRoom;
        }
        let mut error = Error::new(Peer::Message(why), Delivery::Unknown);
        if let Some(call) = call.and_then(|call| self.calls.get(&call)) {
            error = error.for_method(&call.method);
        }
        self.events.push(Event::Fail {
            subject: Subject::Stream(call),
            error,
        });
        Dispatched::Done
    }
}
