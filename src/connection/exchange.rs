//! Exchanges: one HTTP request and its answer each, from the head to the end.

use std::time::Duration;

use http::{StatusCode, Uri};

use super::Connection;
use super::answer::Answering;
use super::cancel::Cancelling;
use super::events::Source;
use super::feed::Feed;
use super::notice::Notice;
use super::reading::Body;
use super::restoring::Restore;
use super::suspicion::Finding;
use super::timers::Timer;
use crate::error::{Answer, Clock, Delivery, Error, LimitExceeded, LimitKind};
use crate::wire::binding::Binding;
use crate::wire::headers::SessionId;
use crate::wire::response::{Carried, Refusal};
use crate::{CallId, ExchangeId, Revision, Time};

/// An exchange that is under way. Its number is the id of the JSON-RPC request
/// that it carries, if it carries one.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    pub(super) purpose: Purpose,
    /// The session it belongs to; 0 without one.
    pub(super) generation: u64,
    pub(super) rules: Rules,
    /// The credential with which it was built.
    pub(super) credential: u64,
    /// Whether it carries that session's id, or goes to its address.
    carries_id: bool,
    /// Whether the server has named another address since.
    pub(super) is_overtaken: bool,
    pub(super) target: Uri,
    pub(super) reading: Reading,
    /// Bytes that it holds in buffers.
    held: usize,
    /// When its clock of silence started.
    pub(super) heard: Time,
    /// Whether a ping is to find out about it, and nothing came since.
    pub(super) doubted: bool,
}

/// By whose rules an answer is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) binding: Binding,
    pub(super) revision: Revision,
}

impl Exchange {
    /// Something came.
    pub(super) fn heard(&mut self, now: Time) {
        self.heard = now;
        self.doubted = false;
    }

    /// Bytes that it holds in buffers.
    pub(super) fn holds(&self) -> usize {
        match &self.reading {
            Reading::Head | Reading::Accepted { .. } | Reading::Ignored(_) => 0,
            Reading::Whole(_, body) => body.len(),
            Reading::Stream(feed) => feed.buffered(),
        }
    }

    /// Brings the sum of all buffers up to date with what it holds.
    pub(super) fn account(&mut self, all: &mut usize) {
        let held = self.holds();
        let before = std::mem::replace(&mut self.held, held);
        *all = all.saturating_sub(before).saturating_add(held);
    }

    /// Whether its head may bring the id of a session, which is to be ended then.
    pub(super) fn may_bring_id(&self) -> bool {
        let is_to_come = matches!(self.reading, Reading::Head);
        is_to_come && !self.rules.binding.answers_on_one_stream()
    }
}

/// What an exchange is for.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    /// An `initialize` that was given up: a session that it opens is ended.
    Abandoned,
    /// An answer to a question of the server.
    Answer(Answering),
    Call(CallId),
    Cancel(Cancelling),
    /// A call that ended for the application while it was under way.
    Cancelled,
    /// The GET for the event stream of an HTTP+SSE server.
    Channel,
    Delete,
    /// `server/discover`.
    Discover,
    /// Nothing any more: what still comes is dropped.
    Finished,
    /// `initialize`, and the session id that the head of its answer brought.
    Initialize(Option<SessionId>),
    /// `notifications/initialized`.
    Initialized,
    /// The GET that opens the listening stream.
    Listen,
    Notification(Notice),
    Ping,
    /// `tools/list`, because a server said that headers and body differ.
    Refresh,
    Restore(Box<Restore>),
    /// The GET that takes up a call's stream.
    Resume(CallId),
    /// `subscriptions/listen`, whose answer is the listening stream where each request
    /// stands on its own.
    Subscribe,
}

impl Purpose {
    pub(super) fn is_control(&self) -> bool {
        match self {
            Self::Answer(_)
            | Self::Cancel(_)
            | Self::Delete
            | Self::Notification(_)
            | Self::Ping
            | Self::Refresh
            | Self::Restore(_) => true,
            Self::Abandoned
            | Self::Call(_)
            | Self::Cancelled
            | Self::Channel
            | Self::Discover
            | Self::Finished
            | Self::Initialize(_)
            | Self::Initialized
            | Self::Listen
            | Self::Resume(_)
            | Self::Subscribe => false,
        }
    }

    /// Whether it carries a JSON-RPC request, which a reply has to answer.
    pub(super) fn is_request(&self) -> bool {
        matches!(
            self,
            Self::Call(_)
                | Self::Discover
                | Self::Initialize(_)
                | Self::Ping
                | Self::Refresh
                | Self::Restore(_)
                | Self::Subscribe
        )
    }

    /// Whether it asks for a stream with GET.
    pub(super) fn is_get(&self) -> bool {
        matches!(self, Self::Channel | Self::Listen | Self::Resume(_))
    }

    /// The logical stream that its answer is a part of.
    pub(super) fn source(&self) -> Option<Source> {
        match self {
            Self::Call(call) | Self::Resume(call) => Some(Source::Call(*call)),
            Self::Channel | Self::Listen | Self::Subscribe => Some(Source::Listening),
            _ => None,
        }
    }
}

/// How far the answer has come.
#[derive(Clone, Debug)]
pub(super) enum Reading {
    /// Its head has not.
    Head,
    /// The server has taken the request, and replies on the one stream that there is for
    /// that. Whether the exchange itself is over, and how many bytes of it were dropped.
    Accepted {
        over: bool,
        dropped: usize,
    },
    /// A body that means something only as a whole.
    Whole(Whole, Body),
    Stream(Box<Feed>),
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

impl Connection {
    pub(super) fn carried(&self, exchange: &Exchange) -> Carried {
        let is_current = self.is_current(exchange.generation);
        match (exchange.carries_id, exchange.rules.binding) {
            (false, _) => Carried::Nothing,
            (true, Binding::HttpSse) if is_current && !exchange.is_overtaken => {
                Carried::CurrentAddress
            }
            (true, Binding::HttpSse) => Carried::OlderAddress,
            (true, _) if is_current => Carried::Current,
            (true, _) => Carried::Older,
        }
    }

    /// Files an exchange that is about to leave.
    pub(super) fn start_exchange(&mut self, purpose: Purpose, target: Uri) -> ExchangeId {
        self.last_exchange = self.last_exchange.saturating_add(1);
        let id = ExchangeId::new(self.tag, self.last_exchange);
        let searches = self.config.pinned.is_none();
        let clock = match &purpose {
            Purpose::Discover if searches => self.config.common.clocks.probe,
            Purpose::Call(_) | Purpose::Listen | Purpose::Resume(_) | Purpose::Subscribe => None,
            Purpose::Delete => Some(self.config.common.clocks.delete),
            _ => self.config.common.clocks.head,
        };
        if let Some(clock) = clock {
            self.timers.set(Timer::Exchange(id), self.now + clock);
        }
        if purpose.is_control() {
            self.control_exchanges = self.control_exchanges.saturating_add(1);
            self.restoring.began(&purpose);
        }
        if matches!(purpose, Purpose::Channel) {
            self.channel.sent(id);
        }
        let in_session = self.phase.has_session();
        let rules = self.rules();
        let by_address = rules.binding.answers_on_one_stream();
        let exchange = Exchange {
            purpose,
            generation: if in_session {
                self.session.generation
            } else {
                0
            },
            rules,
            credential: self.authorization.version,
            carries_id: in_session && (by_address || self.session.id.is_some()),
            is_overtaken: false,
            target,
            reading: Reading::Head,
            held: 0,
            heard: self.now,
            doubted: false,
        };
        self.exchanges.insert(id, exchange);
        id
    }

    /// The rules of this moment.
    pub(super) fn rules(&self) -> Rules {
        if self.phase.has_session() {
            let (binding, revision) = (self.binding(), self.revision_spoken());
            return Rules { binding, revision };
        }
        Rules {
            binding: self.binding_tried(),
            revision: self.revision_offered(),
        }
    }

    /// Takes an exchange out: it is over.
    pub(super) fn end_exchange(&mut self, id: ExchangeId) -> Option<Box<Exchange>> {
        let exchange = self.exchanges.remove(&id)?;
        self.timers.clear(Timer::Exchange(id));
        self.timers.clear(Timer::Silence(id));
        self.stalled.remove(&id);
        let lingers = |id: &ExchangeId| self.exchanges.contains_key(id);
        while self.lingering.front().is_some_and(|id| !lingers(id)) {
            self.lingering.pop_front();
        }
        self.held = self.held.saturating_sub(exchange.held);
        if exchange.purpose.is_control() {
            self.control_exchanges = self.control_exchanges.saturating_sub(1);
            self.restoring.ended(&exchange.purpose);
        }
        Some(exchange)
    }

    /// Takes an exchange out, and has the adapter end it, if it is still under way.
    pub(super) fn drop_exchange(&mut self, id: ExchangeId) -> Option<Box<Exchange>> {
        let exchange = self.end_exchange(id)?;
        if !matches!(exchange.reading, Reading::Accepted { over: true, .. }) {
            self.aborts.push_back(id);
        }
        Some(exchange)
    }

    /// Has the adapter end an exchange, if it is still under way.
    pub(super) fn abort(&mut self, id: ExchangeId) {
        drop(self.drop_exchange(id));
    }

    /// What an exchange was for is done: the rest of its answer is read so that
    /// its connection can be used again, within bounds.
    pub(super) fn finish(&mut self, id: ExchangeId) -> Option<Purpose> {
        let exchange = self.exchanges.get_mut(&id)?;
        let purpose = std::mem::replace(&mut exchange.purpose, Purpose::Finished);
        exchange.reading = Reading::Ignored(0);
        self.held = self.held.saturating_sub(std::mem::take(&mut exchange.held));
        self.stalled.remove(&id);
        self.timers.clear(Timer::Silence(id));
        if purpose.is_control() {
            self.control_exchanges = self.control_exchanges.saturating_sub(1);
            self.restoring.ended(&purpose);
        }
        self.linger(id);
        Some(purpose)
    }

    /// Gives an exchange a little more time, together with a bounded number of others.
    pub(super) fn linger(&mut self, id: ExchangeId) {
        self.timers.set(
            Timer::Exchange(id),
            self.now + self.config.common.clocks.linger,
        );
        self.lingering.push_back(id);
        if self.lingering.len() > self.config.common.limits.open_calls {
            self.lingering.retain(|id| self.exchanges.contains_key(id));
        }
        if self.lingering.len() > self.config.common.limits.open_calls {
            if let Some(oldest) = self.lingering.pop_front() {
                self.abort(oldest);
            }
        }
    }

    /// Brings the sum of all buffers up to date.
    pub(super) fn account(&mut self, id: ExchangeId) {
        if let Some(exchange) = self.exchanges.get_mut(&id) {
            exchange.account(&mut self.held);
        }
    }

    pub(super) fn exceed(&mut self, id: ExchangeId, kind: LimitKind, value: usize) {
        if let Some(exchange) = self.drop_exchange(id) {
            let error = Error::new(LimitExceeded { kind, value }, Delivery::Unknown);
            self.exchange_failed(exchange.purpose, error);
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
            // Somebody is there, although the reply does not come through.
            (Purpose::Ping, Reading::Stream(_) | Reading::Whole(..)) => {
                self.settle(Finding::Alive);
            }
            (Purpose::Initialize(_), Reading::Head) if exchange.may_bring_id() => {
                exchange.purpose = Purpose::Abandoned;
                let clock = self.config.common.clocks.head;
                self.timers.set_within(Timer::Exchange(id), self.now, clock);
                self.handshake_failed(head_timeout(clock));
            }
            (Purpose::Discover, _) if self.config.pinned.is_none() => {
                self.abort(id);
                let clock = Clock::Probe(self.config.common.clocks.probe.unwrap_or_default());
                self.handshake_failed(Error::new(clock, Delivery::Unknown));
            }
            // Its session is gone, and with it the stream on which its answer would come.
            (Purpose::Call(call), Reading::Head) => {
                let call = *call;
                self.abort(id);
                self.broken(call, head_timeout(self.config.common.clocks.head));
            }
            _ => {
                if let Some(exchange) = self.drop_exchange(id) {
                    let error = head_timeout(self.config.common.clocks.head);
                    self.exchange_failed(exchange.purpose, error);
                }
            }
        }
    }
}

fn head_timeout(clock: Option<Duration>) -> Error {
    Error::new(Clock::Head(clock.unwrap_or_default()), Delivery::Unknown)
}

pub(super) fn answered(status: StatusCode) -> Answer {
    Answer {
        status: Some(status),
        ..Answer::default()
    }
}
