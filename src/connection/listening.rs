//! The listening stream: what the server has to say between calls (transports:
//! listening for messages from the server). It is in nobody's way.

use std::sync::LazyLock;

use bytes::Bytes;
use http::{Request, StatusCode, Uri};

use super::Connection;
use super::events::Source;
use super::exchange::Purpose;
use super::rare::Blank;
use super::route::Route;
use super::stream::{Ending, Stream};
use super::timers::Timer;
use crate::error::{Delivery, Error, Lost, Reason, Refused};
use crate::wire::binding::Binding;
use crate::wire::response::{Carried, Refusal, Verdict};
use crate::{Event, ExchangeId, Time};

/// How the listening stream is doing.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Listening {
    /// It failed, and is tried again.
    Degraded,
    /// The server ended it in good order (2026-07-28, patterns: subscriptions). Say
    /// [`listen`](crate::Connection::listen) again to hear more.
    Ended,
    /// The server does not offer it in this session.
    NotOffered,
    /// There is none: no session yet, it was [configured off](crate::Config::listen), or
    /// the application wants to hear about nothing.
    #[default]
    Off,
    /// Messages of the server come on it.
    Open,
    /// The server has not answered yet, or closed it and asked to come back.
    Opening,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Listener {
    pub(super) stream: Stream,
    state: State,
    route: Route,
    /// Whether the server offered it in this generation.
    offered: bool,
    degraded: bool,
    /// Whether a credential was asked for on its behalf since it was open last.
    pub(super) asked: bool,
    /// Until when it rests that the server ended in good order.
    rests: Time,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum State {
    /// To be opened.
    Due,
    /// The server has said all that it wanted to.
    Ended,
    NotOffered,
    #[default]
    Off,
    /// In this exchange, whose head has come.
    Open(ExchangeId),
    /// In this exchange, whose head may take for ever.
    Opening(ExchangeId),
    /// Refused for its credential; waits for another one.
    Refused,
    /// To be opened after a delay.
    Waiting,
}

impl Blank for Listener {
    fn blank() -> &'static Self {
        static BLANK: LazyLock<Listener> = LazyLock::new(Listener::default);
        &BLANK
    }

    fn is_blank(&self) -> bool {
        self == Self::blank()
    }
}

impl Listener {
    pub(super) fn is_due(&self) -> bool {
        self.state == State::Due
    }

    pub(super) fn status(&self) -> Listening {
        match self.state {
            State::Ended => Listening::Ended,
            State::NotOffered => Listening::NotOffered,
            State::Off => Listening::Off,
            State::Open(_) => Listening::Open,
            State::Due | State::Opening(_) | State::Refused | State::Waiting => {
                if self.degraded {
                    Listening::Degraded
                } else {
                    Listening::Opening
                }
            }
        }
    }

    pub(super) fn wait_for_authorization(&mut self) {
        self.state = State::Refused;
    }

    pub(super) fn sent(&mut self, exchange: ExchangeId) {
        self.state = State::Opening(exchange);
    }

    /// Whether the server offered it in this generation.
    pub(super) fn is_offered(&self) -> bool {
        self.offered
    }

    /// The server says that it will tell.
    pub(super) fn is_acknowledged(&mut self) {
        self.offered = true;
    }

    #[cfg(feature = "harness")]
    pub(super) fn weights(&self) -> super::weights::Weights {
        let Self {
            stream,
            state: _,
            route: _,
            offered: _,
            degraded: _,
            asked: _,
            rests: _,
        } = self;
        stream.weights()
    }

    /// Where a redirect leads, this once.
    pub(super) fn take_target(&mut self) -> Option<Uri> {
        let target = self.route.target().cloned();
        self.route.restart();
        target
    }
}

impl Connection {
    /// The handshake is over: the listening stream is to be opened, if there is
    /// something to hear on it.
    pub(super) fn begin_listening(&mut self) {
        *self.listening = Listener {
            state: if self.wants_to_listen() {
                State::Due
            } else {
                State::Off
            },
            degraded: self.listening.degraded,
            asked: self.listening.asked,
            ..Listener::default()
        };
    }

    fn wants_to_listen(&self) -> bool {
        let filtered = !self.restoring.filter().is_empty();
        match self.binding() {
            // Everything comes on the one stream that there is.
            Binding::HttpSse => false,
            Binding::Session => self.config.listen || filtered,
            Binding::Stateless => filtered,
        }
    }

    /// How the stream is doing on which the server says what belongs to no call.
    pub(super) fn listening_status(&self) -> Listening {
        match self.binding() {
            Binding::HttpSse if self.phase.is_open() => Listening::Open,
            Binding::HttpSse => Listening::Off,
            Binding::Session | Binding::Stateless => self.listening.status(),
        }
    }

    /// The application wants to hear about other things: `anew`, if the server has to be
    /// told so by opening the stream once more.
    pub(super) fn listen_to(&mut self, anew: bool) {
        if !self.wants_to_listen() {
            return self.stop_listening();
        }
        if anew {
            // What asks for other things may be redirected as the first was.
            self.listening.route = Route::default();
        }
        match self.listening.state {
            State::Open(exchange) | State::Opening(exchange) if anew => {
                self.abort(exchange);
                self.listening.state = State::Due;
            }
            State::Ended if self.now < self.listening.rests => {
                self.listening.state = State::Waiting;
                self.timers.set(Timer::Listen, self.listening.rests);
            }
            State::Ended | State::Off => self.listening.state = State::Due,
            State::NotOffered if anew => self.listening.state = State::Due,
            State::Waiting if anew => self.hurry_listening(),
            // It is opened by and by.
            State::Due
            | State::NotOffered
            | State::Open(_)
            | State::Opening(_)
            | State::Refused
            | State::Waiting => {}
        }
    }

    /// What it was left alone for is no more: it is opened soon, unless the server asked
    /// for time.
    pub(super) fn hurry_listening(&mut self) {
        let soon = self.now + self.config.common.retries.floor;
        let told = self.listening.stream.until.unwrap_or_default();
        let due = self.timers.due(Timer::Listen);
        let hurried = soon.max(told);
        let waits = self.listening.state == State::Waiting && self.listening.stream.backs_off();
        if waits && due.is_some_and(|due| hurried < due) {
            self.timers.set(Timer::Listen, hurried);
        }
    }

    /// The server has said all that it wanted to. However often that is, it sets no pace.
    pub(super) fn listening_ended(&mut self) {
        let now = self.now;
        let numbers = (&mut self.jitter, &self.config.common.retries);
        let ended = Ending::Failed(None);
        let delay = self.listening.stream.next_delay(ended, numbers, now);
        self.listening.rests = now + delay.unwrap_or(self.config.common.retries.pause);
        self.listening.state = State::Ended;
        self.events.push(Event::StreamEnded);
    }

    /// Opened again at once, with another credential.
    pub(super) fn listen_once_more(&mut self) {
        self.listening.asked = true;
        self.listening.route.again();
        self.listening.state = State::Due;
    }

    /// The session is gone, or nobody listens any more.
    pub(super) fn stop_listening(&mut self) {
        self.timers.clear(Timer::Listen);
        self.unpark_listening();
        if let State::Open(exchange) | State::Opening(exchange) = self.listening.state {
            self.abort(exchange);
        }
        *self.listening = Listener {
            degraded: self.listening.degraded,
            asked: self.listening.asked,
            ..Listener::default()
        };
    }

    pub(super) fn build_listen(&mut self) -> (Purpose, Request<Bytes>) {
        if let Some(stream) = self.stream_of(Source::Listening) {
            stream.begins();
        }
        let target = self.listening.take_target();
        let cursor = self.listening.stream.resumes_from();
        let envelope = self.envelope(target.as_ref(), None, self.session.id.as_ref());
        (Purpose::Listen, envelope.get(cursor))
    }

    pub(super) fn listening_opened(&mut self, exchange: ExchangeId) {
        self.listening.state = State::Open(exchange);
        let resumes = self.binding().resumes();
        let again = self.listening.offered;
        // Elsewhere it is offered once it is acknowledged.
        self.listening.offered |= resumes;
        self.listening.asked = false;
        self.listening.route = Route::default();
        if std::mem::take(&mut self.listening.degraded) {
            self.events.push(Event::StreamRestored);
        }
        if again && !resumes {
            // What was said meanwhile is lost.
            self.events.push(Event::Gap { missed: None });
        }
    }

    /// The GET was answered with anything but an event stream.
    pub(super) fn listening_refused(
        &mut self,
        verdict: Verdict,
        refusal: Refusal,
        carried: Carried,
    ) {
        let answer = refusal.answer.clone();
        let status = answer.status.unwrap_or_default();
        let failed =
            |reason: Reason| Error::new(reason, Delivery::Rejected).with_answer(answer.clone());
        let absent = matches!(status.as_u16(), 200..=299 | 400 | 404 | 405 | 501);
        if absent && !self.listening.offered {
            self.not_offered(failed(Lost::NotOffered.into()));
        } else {
            if matches!(status.as_u16(), 200..=299 | 400 | 404 | 405 | 409) {
                // What it was resumed from may be what the server does not know.
                self.listening.stream.forget_cursor();
            }
            match verdict {
                Verdict::Follow(to) if self.listening.route.follow(to.clone()) => {
                    self.listening.state = State::Waiting;
                    let retries = &self.config.common.retries;
                    let next = self.listening.stream.follows(retries, self.now);
                    self.timers.set(Timer::Listen, next);
                }
                Verdict::Follow(_) => {
                    let error = failed(refusal.redirected().into());
                    self.listening_cut(Ending::Failed(None), error);
                }
                Verdict::Again { reason, .. } => {
                    self.listening_cut(Ending::Failed(answer.retry_after), failed(reason));
                }
                Verdict::Fail { reason, .. } => {
                    // Whether it carried a session is for the doubt below to weigh.
                    let reason = match reason {
                        Reason::Refused(Refused::NotFound) => Refused::Status.into(),
                        reason => reason,
                    };
                    self.listening_cut(Ending::Failed(None), failed(reason));
                }
                Verdict::Lost | Verdict::Older | Verdict::Reply { .. } | Verdict::Suspect => {
                    self.listening_cut(Ending::Failed(None), failed(Refused::Status.into()));
                }
            }
        }
        // Without an answer that can be trusted: servers and proxies answer 404 to
        // every GET.
        let doubtful = status == StatusCode::NOT_FOUND
            || status == StatusCode::BAD_REQUEST && self.listening.offered;
        if doubtful && carried == Carried::Current {
            self.doubt(&refusal);
        }
    }

    pub(super) fn not_offered(&mut self, error: Error) {
        self.listening.state = State::NotOffered;
        self.listening.degraded = false;
        let error = error.of_listening();
        self.events.push(Event::StreamNotOffered { error });
    }

    /// An exchange of the stream is over: another one follows.
    pub(super) fn listening_cut(&mut self, ending: Ending, error: Error) {
        let now = self.now;
        let ending = match ending {
            // Without its reply it has ended too early.
            Ending::Clean if !self.binding().resumes() => Ending::Failed(None),
            ending => ending,
        };
        let delay = self.listening.stream.next_delay(
            ending,
            (&mut self.jitter, &self.config.common.retries),
            now,
        );
        let polling = ending == Ending::Clean && self.listening.stream.told.is_some();
        let degraded = delay.is_none() || !polling;
        if degraded && !std::mem::replace(&mut self.listening.degraded, true) {
            let error = error.of_listening();
            self.events.push(Event::StreamDegraded { error });
        }
        self.listening.route = Route::default();
        self.listening.state = State::Waiting;
        let delay = delay.unwrap_or(self.config.common.retries.pause);
        self.timers.set(Timer::Listen, now + delay);
    }

    pub(super) fn listening_due(&mut self) {
        if self.listening.state == State::Waiting {
            self.listening.state = State::Due;
        }
    }

    /// The network changed: what was open may hang half-open, what waits need not.
    pub(super) fn listen_anew(&mut self) {
        let hurries = self.listening.stream.forgive();
        match self.listening.state {
            State::Open(exchange) | State::Opening(exchange)
                if exchange.number() <= self.changed =>
            {
                self.abort(exchange);
                self.listening.state = State::Due;
            }
            // A delay that the server asked for is not forgiven.
            State::Waiting if hurries => {
                self.timers.clear(Timer::Listen);
                self.listening.state = State::Due;
            }
            State::Waiting => {
                // Nor is it left alone for longer.
                if let Some(until) = self.listening.stream.until {
                    self.timers.set(Timer::Listen, until.max(self.now));
                }
            }
            State::Due
            | State::Ended
            | State::NotOffered
            | State::Off
            | State::Open(_)
            | State::Opening(_)
            | State::Refused => {}
        }
        self.listening.route = Route::default();
    }
}
