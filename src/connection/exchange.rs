//! Exchanges: one HTTP request and its answer each, from the head to the end.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, Uri};

use super::Connection;
use super::control::Notice;
use super::stream::{End, Stream};
use super::timers::Timer;
use crate::error::{
    Answer, Clock, Delivery, Error, Failure, FailureKind, LimitExceeded, LimitKind, Mistake, Peer,
    RpcError,
};
use crate::event::Reply;
use crate::wire::headers::{self, SessionId};
use crate::wire::jsonrpc::{self, Id, Message};
use crate::wire::response::{self, Carried, Head, Refusal, Verdict};
use crate::{CallId, ExchangeId, RawJson, Ticket};

/// An exchange that is under way. Its number is the id of the JSON-RPC request
/// that it carries, if it carries one.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    pub(super) purpose: Purpose,
    /// The session it belongs to; 0 without one.
    pub(super) generation: u64,
    /// Whether it carries that session's id.
    carries_id: bool,
    pub(super) target: Uri,
    pub(super) reading: Reading,
    /// Bytes that it holds in buffers.
    held: usize,
}

/// What an exchange is for.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    /// An `initialize` that was given up: a session that it opens is ended.
    Abandoned,
    /// An answer to a question of the server; without a ticket the machine's own.
    Answer(Option<Ticket>),
    Call(CallId),
    /// `notifications/cancelled` for the request of this exchange.
    Cancel(ExchangeId),
    /// A call that ended for the application while it was under way.
    Cancelled,
    Delete,
    /// Nothing any more: what still comes is dropped.
    Finished,
    /// `initialize`, and the session id that the head of its answer brought.
    Initialize(Option<SessionId>),
    /// `notifications/initialized`.
    Initialized,
    Notification(Notice),
    Ping,
}

impl Purpose {
    pub(super) fn is_control(&self) -> bool {
        match self {
            Self::Answer(_)
            | Self::Cancel(_)
            | Self::Delete
            | Self::Notification(_)
            | Self::Ping => true,
            Self::Abandoned
            | Self::Call(_)
            | Self::Cancelled
            | Self::Finished
            | Self::Initialize(_)
            | Self::Initialized => false,
        }
    }

    /// Whether it carries a JSON-RPC request, which a reply has to answer.
    fn is_request(&self) -> bool {
        matches!(self, Self::Call(_) | Self::Initialize(_) | Self::Ping)
    }
}

/// How far the answer has come.
#[derive(Clone, Debug)]
pub(super) enum Reading {
    /// Its head has not.
    Head,
    /// A body that means something only as a whole.
    Whole(Whole, Body),
    Stream(Box<Stream>),
    /// It means nothing any more; so many bytes of it were dropped.
    Ignored(usize),
}

/// What kind of body is gathered.
#[derive(Clone, Debug)]
pub(super) enum Whole {
    Json(StatusCode),
    Refusal(Box<Refusal>),
    /// Of this type, or of none.
    Typed(StatusCode, Option<String>),
}

/// A body as it comes in: one chunk is kept as it is, more are joined.
#[derive(Clone, Debug, Default)]
pub(super) struct Body {
    first: Bytes,
    joined: BytesMut,
}

impl Body {
    fn len(&self) -> usize {
        self.first.len().max(self.joined.len())
    }

    fn push(&mut self, chunk: Bytes) {
        if self.len() == 0 {
            self.first = chunk;
        } else {
            if self.joined.is_empty() {
                self.joined
                    .extend_from_slice(&std::mem::take(&mut self.first));
            }
            self.joined.extend_from_slice(&chunk);
        }
    }

    fn finish(self) -> Bytes {
        if self.joined.is_empty() {
            self.first
        } else {
            self.joined.freeze()
        }
    }
}

impl Connection {
    fn carried(&self, exchange: &Exchange) -> Carried {
        match exchange.carries_id {
            false => Carried::Nothing,
            true if self.is_current(exchange.generation) => Carried::Current,
            true => Carried::Older,
        }
    }

    /// Files an exchange that is about to leave.
    pub(super) fn start_exchange(&mut self, purpose: Purpose, target: Uri) -> ExchangeId {
        self.last_exchange = self.last_exchange.saturating_add(1);
        let id = ExchangeId::new(self.tag, self.last_exchange);
        let clock = match &purpose {
            Purpose::Call(_) => None,
            Purpose::Delete => Some(self.config.clocks.delete),
            _ => Some(self.config.clocks.head),
        };
        if let Some(clock) = clock {
            self.timers.set(Timer::Exchange(id), self.now + clock);
        }
        if purpose.is_control() {
            self.control_exchanges = self.control_exchanges.saturating_add(1);
        }
        let in_session = self.phase.has_session();
        self.exchanges.insert(
            id,
            Exchange {
                purpose,
                generation: if in_session {
                    self.session.generation
                } else {
                    0
                },
                carries_id: in_session && self.session.id.is_some(),
                target,
                reading: Reading::Head,
                held: 0,
            },
        );
        id
    }

    /// Takes an exchange out: it is over.
    pub(super) fn end_exchange(&mut self, id: ExchangeId) -> Option<Exchange> {
        let exchange = self.exchanges.remove(&id)?;
        self.timers.clear(Timer::Exchange(id));
        self.stalled.remove(&id);
        self.held = self.held.saturating_sub(exchange.held);
        if exchange.purpose.is_control() {
            self.control_exchanges = self.control_exchanges.saturating_sub(1);
        }
        Some(exchange)
    }

    /// Has the adapter end an exchange, if it is still under way.
    pub(super) fn abort(&mut self, id: ExchangeId) {
        if self.end_exchange(id).is_some() {
            self.aborts.push_back(id);
        }
    }

    /// What an exchange was for is done: the rest of its answer is read so that
    /// its connection can be used again, within bounds.
    pub(super) fn finish(&mut self, id: ExchangeId) -> Option<Purpose> {
        let exchange = self.exchanges.get_mut(&id)?;
        let purpose = std::mem::replace(&mut exchange.purpose, Purpose::Finished);
        exchange.reading = Reading::Ignored(0);
        self.held = self.held.saturating_sub(std::mem::take(&mut exchange.held));
        self.stalled.remove(&id);
        if purpose.is_control() {
            self.control_exchanges = self.control_exchanges.saturating_sub(1);
        }
        self.linger(id);
        Some(purpose)
    }

    /// Gives an exchange a little more time, together with a bounded number of others.
    pub(super) fn linger(&mut self, id: ExchangeId) {
        self.timers
            .set(Timer::Exchange(id), self.now + self.config.clocks.linger);
        self.lingering.push_back(id);
        if self.lingering.len() > self.config.limits.open_calls {
            self.lingering.retain(|id| self.exchanges.contains_key(id));
        }
        if self.lingering.len() > self.config.limits.open_calls {
            if let Some(oldest) = self.lingering.pop_front() {
                self.abort(oldest);
            }
        }
    }

    pub(super) fn on_head(
        &mut self,
        id: ExchangeId,
        status: StatusCode,
        head: &HeaderMap,
    ) -> Result<(), Mistake> {
        let Some(exchange) = self.exchanges.get_mut(&id) else {
            return Ok(());
        };
        match exchange.reading {
            Reading::Head => {}
            Reading::Ignored(_) => return Ok(()),
            Reading::Stream(ref stream) if stream.has_ended() => return Ok(()),
            Reading::Whole(..) | Reading::Stream(_) => return Err(Mistake::HeadTwice),
        }
        let session = headers::session_id(head);
        match &mut exchange.purpose {
            Purpose::Abandoned => {
                if let (true, Ok(Some(session))) = (status.is_success(), session) {
                    self.say_farewell(session, None);
                }
                self.abort(id);
            }
            Purpose::Delete => {
                self.finish(id);
            }
            purpose if status.is_success() && !purpose.is_request() => {
                if let Some(purpose) = self.finish(id) {
                    self.control_accepted(&purpose);
                }
            }
            purpose => {
                if let (Purpose::Initialize(provisional), true) = (purpose, status.is_success()) {
                    match session {
                        Ok(session) => *provisional = session,
                        Err(_) => {
                            self.abort(id);
                            self.handshake_failed(Error::new(Peer::SessionId, Delivery::Unknown));
                            return Ok(());
                        }
                    }
                }
                self.on_answer(id, status, head);
            }
        }
        Ok(())
    }

    fn on_answer(&mut self, id: ExchangeId, status: StatusCode, head: &HeaderMap) {
        let Some(exchange) = self.exchanges.get(&id) else {
            return;
        };
        let carried = self.carried(exchange);
        let whole = match response::head(status, head) {
            Head::Empty => {
                let error =
                    Error::new(Peer::NoReply, Delivery::Unknown).with_answer(answered(status));
                if let Some(purpose) = self.finish(id) {
                    self.exchange_failed(purpose, error);
                }
                return;
            }
            Head::Stream => {
                let stream = Stream::new(status, &self.config.limits);
                self.read(id, Reading::Stream(Box::new(stream)));
                return;
            }
            Head::Json => Whole::Json(status),
            Head::Typed(name) => Whole::Typed(status, name),
            Head::Refusal => {
                let refusal = Refusal::new(&exchange.target, status, head);
                if refusal.is_loss(carried) {
                    if let Some(purpose) = self.finish(id) {
                        self.refused(id, purpose, carried, refusal, &[]);
                    }
                    return;
                }
                Whole::Refusal(Box::new(refusal))
            }
        };
        if matches!(whole, Whole::Refusal(_) | Whole::Typed(..)) {
            self.timers
                .set(Timer::Exchange(id), self.now + self.config.clocks.head);
        }
        self.read(id, Reading::Whole(whole, Body::default()));
    }

    pub(super) fn read(&mut self, id: ExchangeId, reading: Reading) {
        if let Some(exchange) = self.exchanges.get_mut(&id) {
            exchange.reading = reading;
        }
    }

    pub(super) fn on_body(&mut self, id: ExchangeId, mut chunk: Bytes) -> Result<(), Mistake> {
        let limits = self.config.limits;
        let Some(exchange) = self.exchanges.get_mut(&id) else {
            return Ok(());
        };
        match &mut exchange.reading {
            Reading::Head if matches!(exchange.purpose, Purpose::Cancelled | Purpose::Finished) => {
            }
            Reading::Head => return Err(Mistake::BodyBeforeHead),
            Reading::Ignored(bytes) => {
                *bytes = bytes.saturating_add(chunk.len());
                if *bytes > limits.error_body {
                    self.abort(id);
                }
            }
            Reading::Stream(stream) if stream.has_ended() => return Ok(()),
            Reading::Stream(stream) => {
                stream.feed(chunk);
                self.pump(id);
            }
            Reading::Whole(Whole::Json(_), body) => {
                if body.len().saturating_add(chunk.len()) > limits.json_body {
                    self.exceed(id, LimitKind::JsonBody, limits.json_body);
                } else {
                    body.push(chunk);
                }
            }
            Reading::Whole(Whole::Refusal(_) | Whole::Typed(..), body) => {
                let room = limits.error_body.saturating_sub(body.len());
                let whole = chunk.len() <= room;
                chunk.truncate(room);
                body.push(chunk);
                if !whole {
                    self.conclude(id);
                    self.aborts.push_back(id);
                }
            }
        }
        self.account(id);
        if self.held.saturating_add(self.events.bytes()) > limits.buffers {
            self.exceed(id, LimitKind::Buffers, limits.buffers);
        }
        Ok(())
    }

    /// Brings the sum of all buffers up to date.
    pub(super) fn account(&mut self, id: ExchangeId) {
        let Some(exchange) = self.exchanges.get_mut(&id) else {
            return;
        };
        let held = match &exchange.reading {
            Reading::Head | Reading::Ignored(_) => 0,
            Reading::Whole(_, body) => body.len(),
            Reading::Stream(stream) => stream.buffered(),
        };
        let before = std::mem::replace(&mut exchange.held, held);
        self.held = self.held.saturating_sub(before).saturating_add(held);
    }

    pub(super) fn exceed(&mut self, id: ExchangeId, kind: LimitKind, value: usize) {
        if let Some(exchange) = self.end_exchange(id) {
            self.aborts.push_back(id);
            let error = Error::new(LimitExceeded { kind, value }, Delivery::Unknown);
            self.exchange_failed(exchange.purpose, error);
        }
    }

    pub(super) fn on_end(&mut self, id: ExchangeId) -> Result<(), Mistake> {
        let Some(exchange) = self.exchanges.get_mut(&id) else {
            return Ok(());
        };
        match &mut exchange.reading {
            Reading::Head => return Err(Mistake::BodyBeforeHead),
            Reading::Ignored(_) => drop(self.end_exchange(id)),
            Reading::Stream(stream) => {
                stream.end(End::Clean);
                self.pump(id);
            }
            Reading::Whole(..) => self.conclude(id),
        }
        Ok(())
    }

    pub(super) fn on_failure(&mut self, id: ExchangeId, failure: Failure) {
        let Some(exchange) = self.exchanges.get_mut(&id) else {
            return;
        };
        match &mut exchange.reading {
            Reading::Ignored(_) => drop(self.end_exchange(id)),
            Reading::Stream(stream) => {
                stream.end(End::Broken(failure));
                self.pump(id);
            }
            Reading::Whole(Whole::Refusal(_) | Whole::Typed(..), _) => self.conclude(id),
            Reading::Head | Reading::Whole(Whole::Json(_), _) => {
                if let Some(exchange) = self.end_exchange(id) {
                    let unsent = failure.kind() == FailureKind::NotSent
                        && matches!(exchange.reading, Reading::Head);
                    let delivery = if unsent {
                        Delivery::NotSent
                    } else {
                        Delivery::Unknown
                    };
                    let error = Error::new(failure, delivery);
                    match exchange.purpose {
                        Purpose::Call(call) if unsent => self.unreached(call, error),
                        Purpose::Call(call) => self.broken(call, error),
                        purpose => self.exchange_failed(purpose, error),
                    }
                }
            }
        }
    }

    /// A body is whole, or as much of it as is wanted.
    fn conclude(&mut self, id: ExchangeId) {
        let Some(exchange) = self.exchanges.get_mut(&id) else {
            return;
        };
        let reading = std::mem::replace(&mut exchange.reading, Reading::Ignored(0));
        let Reading::Whole(whole, body) = reading else {
            return;
        };
        let body = body.finish();
        if let (Whole::Json(status), true) = (&whole, jsonrpc::is_array(&body)) {
            if self.revision_spoken().receives_batches() {
                if let Ok(batch) = Stream::of_batch(*status, &body) {
                    self.read(id, Reading::Stream(Box::new(batch)));
                    return self.pump(id);
                }
            }
        }
        let Some(exchange) = self.end_exchange(id) else {
            return;
        };
        let carried = self.carried(&exchange);
        let purpose = exchange.purpose;
        match whole {
            Whole::Json(status) => self.json_answer(id, purpose, status, &body),
            Whole::Refusal(refusal) => {
                self.refused(id, purpose, carried, *refusal, &body);
            }
            Whole::Typed(status, name) => {
                let reason = match name {
                    None if body.is_empty() => Peer::NoReply,
                    name => Peer::ContentType(name.unwrap_or_else(|| "none".to_owned())),
                };
                let excerpt = Some(headers::excerpt(&body));
                let answer = Answer {
                    excerpt,
                    ..answered(status)
                };
                let error = Error::new(reason, Delivery::Unknown).with_answer(answer);
                self.exchange_failed(purpose, error);
            }
        }
    }

    fn json_answer(&mut self, id: ExchangeId, purpose: Purpose, status: StatusCode, body: &Bytes) {
        let mut answer = answered(status);
        let reason = match jsonrpc::parse(body) {
            Ok(Message::Response {
                id: Id::Number(number),
                outcome,
            }) if number == id.number() => {
                let outcome = outcome.map(|result| RawJson::keep(body, result));
                return self.completed(purpose, outcome, status);
            }
            Ok(Message::Response { outcome, .. }) => {
                answer.rpc = outcome.err();
                Peer::WrongReply
            }
            Ok(Message::Request { .. } | Message::Notification { .. }) => Peer::WrongReply,
            Err(_) if jsonrpc::is_array(body) => Peer::Batch(self.revision_spoken()),
            Err(_) if body.is_empty() => Peer::NoReply,
            Err(why) => Peer::Message(why),
        };
        let error = Error::new(reason, Delivery::Unknown).with_answer(answer);
        self.exchange_failed(purpose, error);
    }

    /// A request got its reply.
    pub(super) fn completed(
        &mut self,
        purpose: Purpose,
        outcome: Result<RawJson, RpcError>,
        status: StatusCode,
    ) {
        match purpose {
            Purpose::Call(call) => self.reply(call, Reply { outcome, status }),
            Purpose::Initialize(session) => self.initialize_answered(session, outcome, status),
            Purpose::Ping => self.settle(false),
            Purpose::Abandoned
            | Purpose::Answer(_)
            | Purpose::Cancel(_)
            | Purpose::Cancelled
            | Purpose::Delete
            | Purpose::Finished
            | Purpose::Initialized
            | Purpose::Notification(_) => {}
        }
    }

    /// An exchange came to an end that is no answer.
    pub(super) fn exchange_failed(&mut self, purpose: Purpose, error: Error) {
        match purpose {
            Purpose::Call(call) => self.fail_call(call, error),
            Purpose::Initialize(session) => {
                if let Some(session) = session {
                    self.say_farewell(session, None);
                }
                self.handshake_failed(error);
            }
            purpose => self.control_failed(&purpose, error),
        }
    }

    fn refused(
        &mut self,
        id: ExchangeId,
        purpose: Purpose,
        carried: Carried,
        mut refusal: Refusal,
        body: &[u8],
    ) {
        let request = purpose.is_request().then(|| id.number());
        let is_open = |number| {
            let other = self.exchanges.get(&ExchangeId::new(self.tag, number));
            other.is_some_and(|other| other.purpose.is_request())
        };
        let verdict = refusal.verdict(body, carried, request, is_open);
        match purpose {
            Purpose::Call(call) => self.call_refused(call, verdict, refusal),
            Purpose::Initialize(_) => self.initialize_refused(verdict, refusal),
            Purpose::Ping => self.ping_refused(&verdict, &refusal),
            purpose => self.control_refused(purpose, verdict, refusal),
        }
    }

    fn call_refused(&mut self, call: CallId, verdict: Verdict, refusal: Refusal) {
        match verdict {
            Verdict::Again { reason, delivery } => {
                self.refuse_for_now(call, reason, delivery, refusal.answer);
            }
            Verdict::Fail { reason, delivery } => {
                self.fail_call(
                    call,
                    Error::new(reason, delivery).with_answer(refusal.answer),
                );
            }
            Verdict::Follow(to) => self.follow(call, to, &refusal),
            Verdict::Lost => {
                self.lose_session(crate::LossCause::NotFound);
                self.send_again(call);
            }
            Verdict::Older => self.send_again(call),
            Verdict::Reply { error, .. } => {
                let status = refusal.answer.status.unwrap_or_default();
                self.reply(
                    call,
                    Reply {
                        outcome: Err(error),
                        status,
                    },
                );
            }
            Verdict::Suspect => {
                self.suspect(refusal.code()).calls.push(call);
                self.suspend(call, refusal);
            }
        }
    }

    /// An exchange's clock ran out.
    pub(super) fn exchange_timed_out(&mut self, id: ExchangeId) {
        let Some(exchange) = self.exchanges.get_mut(&id) else {
            return;
        };
        match (&exchange.purpose, &exchange.reading) {
            (Purpose::Cancelled | Purpose::Finished | Purpose::Abandoned | Purpose::Delete, _) => {
                self.abort(id);
            }
            (_, Reading::Whole(Whole::Refusal(_) | Whole::Typed(..), _)) => {
                self.conclude(id);
                self.aborts.push_back(id);
            }
            (Purpose::Initialize(_), Reading::Head) => {
                exchange.purpose = Purpose::Abandoned;
                self.timers
                    .set(Timer::Exchange(id), self.now + self.config.clocks.head);
                self.handshake_failed(head_timeout(self.config.clocks.head));
            }
            _ => {
                if let Some(exchange) = self.end_exchange(id) {
                    self.aborts.push_back(id);
                    let error = head_timeout(self.config.clocks.head);
                    self.exchange_failed(exchange.purpose, error);
                }
            }
        }
    }
}

fn head_timeout(clock: std::time::Duration) -> Error {
    Error::new(Clock::Head(clock), Delivery::Unknown)
}

pub(super) fn answered(status: StatusCode) -> Answer {
    Answer {
        status: Some(status),
        ..Answer::default()
    }
}
