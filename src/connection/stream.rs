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
use crate::wire::jsonrpc::{self, BadBatch, Id, Message, ProgressToken};
use crate::wire::sse::{Decoder, EventType, Item, LimitExceeded, Limits};
use crate::{CallId, Event, ExchangeId, RawJson, Subject};

/// The messages of one answer, in the order in which they came.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    pub(super) status: StatusCode,
    /// Messages that are apart already: the elements of a batch, or one that
    /// found no room.
    apart: VecDeque<Bytes>,
    apart_bytes: usize,
    /// What the first of them waits for.
    need: Need,
    /// The largest chunk that came: as much as a slice may keep alive.
    largest: usize,
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

/// The room that a message takes.
#[derive(Clone, Copy, Debug, Default)]
struct Need {
    bytes: Option<usize>,
    ask: bool,
}

/// What became of a message.
enum Dispatched {
    Done,
    /// There is no room for it: it waits.
    NoRoom(Need),
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
            apart_bytes: 0,
            need: Need::default(),
            largest: 0,
            decoder: Some(decoder),
            end: None,
        }
    }

    /// A batch that came as a JSON body (2025-03-26, transports: sending messages).
    pub(super) fn of_batch(status: StatusCode, body: &Bytes, batch: VecDeque<Bytes>) -> Self {
        Self {
            status,
            apart_bytes: batch.iter().map(Bytes::len).sum(),
            apart: batch,
            need: Need::default(),
            largest: body.len(),
            decoder: None,
            end: Some(End::Clean),
        }
    }

    pub(super) fn feed(&mut self, chunk: Bytes) {
        self.largest = self.largest.max(chunk.len());
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
        let decoding = self.decoder.as_ref().map_or(0, Decoder::buffered);
        decoding.saturating_add(self.apart_bytes)
    }

    fn next(&mut self) -> Option<Next> {
        self.need = Need::default();
        if let Some(text) = self.apart.pop_front() {
            self.apart_bytes = self.apart_bytes.saturating_sub(text.len());
            return Some(Next::Apart(text));
        }
        loop {
            match self.decoder.as_mut()?.next()? {
                Ok(Item::Event(event)) => {
                    if matches!(event.kind, EventType::Message) && !event.data.is_empty() {
                        return Some(Next::Data(event.data.into_bytes()));
                    }
                }
                Ok(_) => {}
                Err(exceeded) => return Some(Next::Exceeded(exceeded)),
            }
        }
    }

    fn put_apart(&mut self, batch: VecDeque<Bytes>) {
        let bytes: usize = batch.iter().map(Bytes::len).sum();
        self.apart_bytes = self.apart_bytes.saturating_add(bytes);
        self.apart.extend(batch);
    }

    fn put_back(&mut self, text: Bytes, need: Need) {
        self.apart_bytes = self.apart_bytes.saturating_add(text.len());
        self.apart.push_front(text);
        self.need = need;
    }
}

/// What a stream has next.
enum Next {
    /// A message that stood apart: it is no batch again, for those do not nest.
    Apart(Bytes),
    /// What one event carries.
    Data(Bytes),
    Exceeded(LimitExceeded),
}

/// The elements of a batch. Replies come last, and that to `own` after all others:
/// with its reply an exchange is over, and the rest is not to go down with it.
pub(super) fn elements(body: &Bytes, own: u64, limit: usize) -> Result<VecDeque<Bytes>, BadBatch> {
    let batch = jsonrpc::batch(body, limit)?.into_iter();
    let rank = |text: &Bytes| match jsonrpc::parse(text) {
        Ok(Message::Response { id, .. }) if id == Id::Number(own) => 2,
        Ok(Message::Response { .. }) => 1,
        _ => 0,
    };
    let elements = batch.map(|element| body.slice_ref(element.get().as_bytes()));
    let mut ranked: Vec<(u8, Bytes)> = elements.map(|text| (rank(&text), text)).collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    Ok(ranked.into_iter().map(|(_, text)| text).collect())
}

impl Connection {
    /// Gives out the messages of a stream for as long as there is room.
    pub(super) fn pump(&mut self, id: ExchangeId) {
        let batches = self.revision_spoken().receives_batches();
        let limit = self.config.limits.batch;
        self.stalled.remove(&id);
        loop {
            let Some(exchange) = self.exchanges.get_mut(&id) else {
                return;
            };
            let Reading::Stream(stream) = &mut exchange.reading else {
                return;
            };
            let text = match stream.next() {
                Some(Next::Apart(text)) => text,
                Some(Next::Data(text)) if batches && jsonrpc::is_array(&text) => {
                    match elements(&text, id.number(), limit) {
                        Ok(batch) => {
                            stream.put_apart(batch);
                            continue;
                        }
                        Err(BadBatch::NoJson) => text,
                        Err(BadBatch::TooLong) => return self.exceed(id, LimitKind::Batch, limit),
                    }
                }
                Some(Next::Data(text)) => text,
                Some(Next::Exceeded(exceeded)) => {
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
            };
            let pinned = stream.largest.max(text.len());
            if let Dispatched::NoRoom(need) = self.dispatch(id, &text, pinned) {
                self.put_back(id, text, need);
                break;
            }
        }
        self.account(id);
    }

    fn put_back(&mut self, id: ExchangeId, text: Bytes, need: Need) {
        if let Some(exchange) = self.exchanges.get_mut(&id) {
            if let Reading::Stream(stream) = &mut exchange.reading {
                stream.put_back(text, need);
                self.stalled.insert(id);
            }
        }
    }

    /// Whether what a stream waits for is there.
    fn has_room_for(&self, id: ExchangeId) -> bool {
        let reading = self.exchanges.get(&id).map(|exchange| &exchange.reading);
        let Some(Reading::Stream(stream)) = reading else {
            return true;
        };
        let Need { bytes, ask } = stream.need;
        let limits = &self.config.limits;
        bytes.is_none_or(|bytes| self.events.has_room(bytes, limits))
            && (!ask || self.has_room_for_ask())
    }

    /// Goes on with the streams that found no room.
    pub(super) fn pump_stalled(&mut self) {
        for id in self.stalled.clone() {
            if self.has_room_for(id) {
                self.pump(id);
            }
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

    fn dispatch(&mut self, id: ExchangeId, text: &Bytes, pinned: usize) -> Dispatched {
        let call = match self.exchanges.get(&id).map(|exchange| &exchange.purpose) {
            Some(Purpose::Call(call)) => Some(*call),
            _ => None,
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
                        Some(call) => {
                            let params = params.map(|params| RawJson::keep(text, params, pinned));
                            self.message(&method, params, Some(call))
                        }
                        None => Dispatched::Done,
                    }
                }
                _ => {
                    let params = params.map(|params| RawJson::keep(text, params, pinned));
                    self.message(&method, params, call)
                }
            },
            Ok(Message::Request {
                id: request,
                method,
                params,
            }) => {
                let params = params.map(|params| RawJson::keep(text, params, pinned));
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
        params: Option<RawJson>,
        call: Option<CallId>,
    ) -> Dispatched {
        let bytes = method
            .len()
            .saturating_add(params.as_ref().map_or(0, RawJson::len));
        if !self.events.has_room(bytes, &self.config.limits) {
            return Dispatched::NoRoom(Need {
                bytes: Some(bytes),
                ask: false,
            });
        }
        let method = method.to_owned();
        self.events.push(Event::Message(MessageEvent {
            method,
            params,
            call,
        }));
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
            if !self.events.has_room(bytes, &self.config.limits) {
                return Dispatched::NoRoom(Need {
                    bytes: Some(bytes),
                    ask: true,
                });
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
            return Dispatched::NoRoom(Need {
                bytes: Some(0),
                ask: false,
            });
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
