//! The listening stream: what the server has to say between calls (transports:
//! listening for messages from the server). It is in nobody's way.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};

use super::Connection;
use super::events::Source;
use super::exchange::Purpose;
use super::jitter::FLOOR;
use super::route::Route;
use super::stream::{Ending, Stream};
use super::timers::Timer;
use crate::error::{Delivery, Error, Lost, Reason, Refused};
use crate::wire::response::{Carried, Refusal, Verdict};
use crate::{Event, ExchangeId};

/// How long a stream that its budget could not keep is left alone.
const DEGRADED: Duration = Duration::from_secs(300);

/// How the listening stream is doing.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Listening {
    /// It failed, and is tried again.
    Degraded,
    /// The server does not offer it in this session.
    NotOffered,
    /// There is none: no session yet, or it was
    /// [configured off](crate::Config::listen).
    #[default]
    Off,
    /// Messages of the server come on it.
    Open,
    /// The server has not answered yet, or closed it and asked to come back.
    Opening,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Listener {
    pub(super) stream: Stream,
    state: State,
    route: Route,
    /// Whether the server offered it in this generation.
    offered: bool,
    degraded: bool,
    /// Whether a credential was asked for on its behalf since it was open last.
    pub(super) asked: bool,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum State {
    /// To be opened.
    Due,
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

impl Listener {
    pub(super) fn is_due(&self) -> bool {
        self.state == State::Due
    }

    pub(super) fn status(&self) -> Listening {
        match self.state {
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
}

impl Connection {
    /// A session is ready: its listening stream is to be opened.
    pub(super) fn listen(&mut self) {
        self.listening = Listener {
            state: if self.config.listen {
                State::Due
            } else {
                State::Off
            },
            degraded: self.listening.degraded,
            asked: self.listening.asked,
            ..Listener::default()
        };
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
        self.listening = Listener {
            degraded: self.listening.degraded,
            asked: self.listening.asked,
            ..Listener::default()
        };
    }

    pub(super) fn build_listen(&mut self) -> (Purpose, Request<Bytes>) {
        if let Some(stream) = self.stream_of(Source::Listening) {
            stream.begins();
        }
        let target = self.listening.route.target().cloned();
        self.listening.route.restart();
        let cursor = self.listening.stream.resumes_from();
        let envelope = self.envelope(target.as_ref(), None, self.session.id.as_ref());
        (Purpose::Listen, envelope.get(cursor))
    }

    pub(super) fn listening_opened(&mut self, exchange: ExchangeId) {
        self.listening.state = State::Open(exchange);
        self.listening.offered = true;
        self.listening.asked = false;
        if std::mem::take(&mut self.listening.degraded) {
            self.events.push(Event::StreamRestored);
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
            self.listening.state = State::NotOffered;
            self.listening.degraded = false;
            let error = failed(Lost::NotOffered.into());
            let error = error.of_listening();
            self.events.push(Event::StreamNotOffered { error });
        } else {
            if matches!(status.as_u16(), 200..=299 | 400 | 404 | 405 | 409) {
                // What it was resumed from may be what the server does not know.
                self.listening.stream.forget_cursor();
            }
            match verdict {
                Verdict::Follow(to) if self.listening.route.follow(to.clone()) => {
                    self.listening.state = State::Waiting;
                    self.timers.set(Timer::Listen, self.now + FLOOR);
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

    /// An exchange of the stream is over: another one follows.
    pub(super) fn listening_cut(&mut self, ending: Ending, error: Error) {
        let now = self.now;
        let answered = self.listening.stream.is_open();
        let delay = self
            .listening
            .stream
            .next_delay(ending, &mut self.jitter, now);
        let polling = ending == Ending::Clean && self.listening.stream.told.is_some();
        let degraded = delay.is_none() || !polling;
        if degraded && !std::mem::replace(&mut self.listening.degraded, true) {
            let error = error.of_listening();
            self.events.push(Event::StreamDegraded { error });
        }
        if delay.is_none() && answered {
            // The server takes up nothing from there.
            self.listening.stream.forget_cursor();
        }
        self.listening.route = Route::default();
        self.listening.state = State::Waiting;
        let delay = delay.unwrap_or(DEGRADED);
        self.timers.set(Timer::Listen, now + delay);
    }

    pub(super) fn listening_due(&mut self) {
        if self.listening.state == State::Waiting {
            self.listening.state = State::Due;
        }
    }

    /// The network changed: what was open may hang half-open, what waits need not.
    pub(super) fn listen_anew(&mut self) {
        match self.listening.state {
            State::Open(exchange) | State::Opening(exchange) => {
                self.abort(exchange);
                self.listening.state = State::Due;
            }
            // A delay that the server asked for is not forgiven.
            State::Waiting if self.listening.stream.forgive() => {
                self.timers.clear(Timer::Listen);
                self.listening.state = State::Due;
            }
            State::Due | State::NotOffered | State::Off | State::Refused | State::Waiting => {}
        }
        self.listening.route = Route::default();
    }
}
