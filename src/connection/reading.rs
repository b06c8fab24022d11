//! Reading an answer: from the head to the end of the body.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};

use super::Connection;
use super::events::Source;
use super::exchange::{Purpose, Reading, Rules, Whole, answered};
use super::feed::{End, Feed, elements};
use super::stream::Ending;
use super::timers::Timer;
use crate::error::{Answer, Delivery, Error, Failure, FailureKind, LimitKind, Lost, Mistake, Peer};
use crate::wire::headers;
use crate::wire::jsonrpc::{self, BadBatch, Id, Message};
use crate::wire::response::{self, Carried, Head, Refusal, Verdict};
use crate::{ExchangeId, RawJson};

/// A body as it comes in: one chunk is kept as it is, more are joined.
#[derive(Clone, Debug, Default)]
pub(super) struct Body {
    first: Bytes,
    joined: BytesMut,
}

impl Body {
    pub(super) fn len(&self) -> usize {
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
            Reading::Head => exchange.heard(self.now),
            Reading::Ignored(_) => return Ok(()),
            Reading::Accepted { over: true, .. } => return Ok(()),
            Reading::Stream(ref stream) if stream.has_ended() => return Ok(()),
            Reading::Accepted { .. } | Reading::Whole(..) | Reading::Stream(_) => {
                return Err(Mistake::HeadTwice);
            }
        }
        let on_one_stream = exchange.rules.binding.answers_on_one_stream();
        match &mut exchange.purpose {
            Purpose::Abandoned => {
                let opens = status.is_success() && !on_one_stream;
                if let (true, Ok(Some(session))) = (opens, headers::session_id(head)) {
                    self.say_farewell(session, None);
                }
                self.abort(id);
            }
            Purpose::Delete => {
                self.finish(id);
            }
            purpose if status.is_success() && !purpose.is_request() && !purpose.is_get() => {
                if let Some(purpose) = self.finish(id) {
                    self.control_accepted(&purpose);
                }
            }
            purpose if on_one_stream && status.is_success() && purpose.is_request() => {
                self.request_accepted(id);
            }
            purpose => {
                if let (Purpose::Initialize(provisional), true) = (purpose, status.is_success()) {
                    match headers::session_id(head) {
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
        let rules = exchange.rules;
        let is_get = exchange.purpose.is_get();
        if is_get && status.is_success() {
            return if response::is_stream(status, head) {
                self.open_stream(id, status);
            } else {
                let refusal = Refusal::new((&exchange.target, false), status, head);
                self.no_stream(id, carried, refusal);
            };
        }
        let whole = match response::head(status, head) {
            Head::Empty => {
                let error =
                    Error::new(Peer::NoReply, Delivery::Unknown).with_answer(answered(status));
                if let Some(purpose) = self.finish(id) {
                    self.exchange_failed(purpose, error);
                }
                return;
            }
            Head::Stream => return self.open_stream(id, status),
            Head::Json => Whole::Json(status),
            Head::Typed(name) => Whole::Typed(status, name),
            Head::Refusal => {
                // An address that the server named may be the session's.
                let is_secret = !is_get && rules.binding.answers_on_one_stream();
                let refusal = Refusal::new((&exchange.target, is_secret), status, head);
                if refusal.is_loss(carried) && !is_get {
                    if let Some(purpose) = self.finish(id) {
                        self.refused(id, purpose, (carried, rules), refusal, &[]);
                    }
                    return;
                }
                Whole::Refusal(Box::new(refusal))
            }
        };
        // A stream may take its time; a body that says why there is none has no reason to.
        let is_bounded = matches!(exchange.purpose, Purpose::Subscribe)
            || matches!(whole, Whole::Refusal(_) | Whole::Typed(..));
        if is_bounded {
            let clock = self.config.common.clocks.head;
            self.timers.set_within(Timer::Exchange(id), self.now, clock);
        }
        self.read(id, Reading::Whole(whole, Body::default()));
    }

    fn open_stream(&mut self, id: ExchangeId, status: StatusCode) {
        let Some(exchange) = self.exchanges.get(&id) else {
            return;
        };
        if matches!(exchange.purpose, Purpose::Channel) {
            return self.open_channel(id, status);
        }
        let source = exchange.purpose.source();
        if source == Some(Source::Listening) {
            self.listening_opened(id);
        }
        let now = self.now;
        let stream = source.and_then(|source| self.stream_of(source));
        let known = stream.map(|stream| stream.opens(now));
        if known.is_some() {
            self.watch(id);
        }
        let feed = Feed::new(
            status,
            &self.config.common.limits,
            known.unwrap_or_default(),
        );
        self.read(id, Reading::Stream(Box::new(feed)));
        // Of a stream that is resumed its place is known.
        self.keep_to_buffers(id);
    }

    /// A GET was answered by a success that is no event stream.
    fn no_stream(&mut self, id: ExchangeId, carried: Carried, refusal: Refusal) {
        if let Some(exchange) = self.drop_exchange(id) {
            let reason = match exchange.purpose {
                Purpose::Channel => Peer::NoEndpoint.into(),
                _ => Lost::NotOffered.into(),
            };
            let verdict = Verdict::Fail {
                reason,
                delivery: Delivery::Unknown,
            };
            let generation = exchange.generation;
            self.get_refused(exchange.purpose, generation, carried, verdict, refusal);
        }
    }

    pub(super) fn read(&mut self, id: ExchangeId, reading: Reading) {
        if let Some(exchange) = self.exchanges.get_mut(&id) {
            exchange.reading = reading;
            exchange.account(&mut self.held);
        }
    }

    pub(super) fn on_body(&mut self, id: ExchangeId, mut chunk: Bytes) -> Result<(), Mistake> {
        let limits = self.config.common.limits;
        let Some(exchange) = self.exchanges.get_mut(&id) else {
            return Ok(());
        };
        if !matches!(exchange.reading, Reading::Head) {
            exchange.heard(self.now);
        }
        match &mut exchange.reading {
            Reading::Head => return Err(Mistake::BodyBeforeHead),
            Reading::Accepted { over, dropped } => {
                *dropped = dropped.saturating_add(chunk.len());
                // It says no more than that it was accepted, and is not to say so for ever.
                if *dropped > limits.error_body && !std::mem::replace(over, true) {
                    self.aborts.push_back(id);
                }
            }
            Reading::Ignored(bytes) => {
                *bytes = bytes.saturating_add(chunk.len());
                if *bytes > limits.error_body {
                    self.abort(id);
                }
            }
            Reading::Stream(stream) if stream.has_ended() => return Ok(()),
            Reading::Stream(stream) => {
                stream.feed(chunk);
                exchange.account(&mut self.held);
                // What is given out is no longer this exchange's, and could not be
                // taken back with it.
                if self.buffered() <= limits.buffers {
                    self.pump(id);
                }
            }
            Reading::Whole(Whole::Json(_), body) => {
                if body.len().saturating_add(chunk.len()) > limits.json_body {
                    self.exceed(id, LimitKind::JsonBody, limits.json_body);
                } else {
                    body.push(chunk);
                    exchange.account(&mut self.held);
                }
            }
            Reading::Whole(Whole::Refusal(_) | Whole::Typed(..), body) => {
                let room = limits.error_body.saturating_sub(body.len());
                let whole = chunk.len() <= room;
                chunk.truncate(room);
                body.push(chunk);
                exchange.account(&mut self.held);
                if !whole {
                    self.conclude(id);
                    self.aborts.push_back(id);
                }
            }
        }
        self.keep_to_buffers(id);
        Ok(())
    }

    /// An exchange whose bytes go beyond the limit of all buffers fails.
    fn keep_to_buffers(&mut self, id: ExchangeId) {
        let limit = self.config.common.limits.buffers;
        if self.buffered() > limit {
            self.exceed(id, LimitKind::Buffers, limit);
        }
    }

    pub(super) fn on_end(&mut self, id: ExchangeId) -> Result<(), Mistake> {
        let Some(exchange) = self.exchanges.get_mut(&id) else {
            return Ok(());
        };
        match &mut exchange.reading {
            Reading::Head => return Err(Mistake::BodyBeforeHead),
            Reading::Accepted { over, .. } => *over = true,
            Reading::Ignored(_) => drop(self.end_exchange(id)),
            Reading::Stream(stream) if stream.has_ended() => {}
            Reading::Stream(stream) => {
                stream.end(End::Clean);
                self.feed_ends(id);
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
            // The request was taken all the same.
            Reading::Accepted { over, .. } => *over = true,
            Reading::Ignored(_) => drop(self.end_exchange(id)),
            Reading::Stream(stream) if stream.has_ended() => {}
            Reading::Stream(stream) => {
                stream.end(End::Broken(Error::new(failure, Delivery::Unknown)));
                self.feed_ends(id);
            }
            Reading::Whole(Whole::Refusal(_) | Whole::Typed(_, Some(_)), _) => self.conclude(id),
            Reading::Head | Reading::Whole(Whole::Json(_) | Whole::Typed(_, None), _) => {
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
                        Purpose::Listen | Purpose::Resume(_) | Purpose::Subscribe => {
                            let error = error.with_delivery(Delivery::Unknown);
                            self.stream_cut(exchange, Ending::Failed(None), None, error);
                        }
                        purpose => self.exchange_failed(purpose, error),
                    }
                }
            }
        }
    }

    /// A body is whole, or as much of it as is wanted.
    pub(super) fn conclude(&mut self, id: ExchangeId) {
        let Some(exchange) = self.exchanges.get_mut(&id) else {
            return;
        };
        let reading = std::mem::replace(&mut exchange.reading, Reading::Ignored(0));
        let Reading::Whole(whole, body) = reading else {
            return;
        };
        let body = body.finish();
        let rules = exchange.rules;
        if let (Whole::Json(status), true) = (&whole, jsonrpc::is_array(&body)) {
            if rules.revision.receives_batches() {
                let limit = self.config.common.limits.batch;
                match elements(&body, id.number(), limit) {
                    Ok(batch) => {
                        let feed = Feed::of_batch(*status, &body, batch);
                        self.read(id, Reading::Stream(Box::new(feed)));
                        return self.pump(id);
                    }
                    Err(BadBatch::TooLong) => return self.exceed(id, LimitKind::Batch, limit),
                    Err(BadBatch::NoJson) => {}
                }
            }
        }
        let Some(exchange) = self.end_exchange(id) else {
            return;
        };
        let carried = self.carried(&exchange);
        let sending = self.sending(&exchange);
        let generation = exchange.generation;
        let purpose = exchange.purpose;
        match whole {
            Whole::Refusal(refusal) if self.is_for_credential(&refusal) => {
                self.unauthorised(id, purpose, sending, *refusal, &body);
            }
            Whole::Json(status) => self.json_answer(id, purpose, (status, rules), &body),
            Whole::Refusal(mut refusal) if purpose.is_get() => {
                let verdict = refusal.verdict_of_get(&body);
                self.get_refused(purpose, generation, carried, verdict, *refusal);
            }
            Whole::Refusal(refusal) => {
                self.refused(id, purpose, (carried, rules), *refusal, &body);
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

    fn json_answer(
        &mut self,
        id: ExchangeId,
        purpose: Purpose,
        (status, rules): (StatusCode, Rules),
        body: &Bytes,
    ) {
        let mut answer = answered(status);
        let reason = match jsonrpc::parse(body) {
            Ok(Message::Response {
                id: Id::Number(number),
                outcome,
            }) if number == id.number() => {
                let outcome = outcome.map(|result| RawJson::keep(body, result, body.len()));
                return self.completed(purpose, outcome, (status, rules));
            }
            Ok(Message::Response { outcome, .. }) => {
                answer.rpc = outcome.err();
                Peer::WrongReply
            }
            Ok(Message::Request { .. } | Message::Notification { .. }) => Peer::WrongReply,
            Err(_) if jsonrpc::is_array(body) => Peer::Batch(rules.revision),
            Err(_) if body.is_empty() => Peer::NoReply,
            Err(why) => Peer::Message(why),
        };
        let error = Error::new(reason, Delivery::Unknown).with_answer(answer);
        self.exchange_failed(purpose, error);
    }
}
