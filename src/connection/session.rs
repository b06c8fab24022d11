//! Sessions: what is known of the current one, how it is lost, and how doubt about
//! it is settled.

use super::Connection;
use super::call::State;
use super::control::{Farewell, Prompt, Suspicion};
use super::exchange::{Purpose, Reading};
use super::phase::{Input, Phase};
use super::timers::Timer;
use crate::error::{Delivery, Error, Lost, Reason};
use crate::event::{LossCause, Withdrawal};
use crate::wire::headers::SessionId;
use crate::wire::response::{Refusal, Verdict};
use crate::{CallId, Event, RawJson, Recovery, Revision};

/// The current session, or the last one.
#[derive(Clone, Debug, Default)]
pub(super) struct Session {
    /// Counts the sessions; 0 before the first.
    pub(super) generation: u64,
    /// None once it is lost, and if the server gave none.
    pub(super) id: Option<SessionId>,
    pub(super) revision: Option<Revision>,
    pub(super) capabilities: Option<RawJson>,
    /// The whole result of `initialize`.
    pub(super) initialize: Option<RawJson>,
}

impl Phase {
    /// Whether requests of this phase belong to a session.
    pub(super) fn has_session(self) -> bool {
        match self {
            Self::Confirming | Self::Ready | Self::Held => true,
            Self::Idle
            | Self::Due
            | Self::Initializing
            | Self::Lost
            | Self::Closing
            | Self::Closed => false,
        }
    }

    /// Whether calls go out in this phase.
    pub(super) fn is_open(self) -> bool {
        matches!(self, Self::Ready | Self::Held)
    }
}

impl Connection {
    /// Whether this generation's session lives, as far as is known.
    pub(super) fn is_current(&self, generation: u64) -> bool {
        self.phase.has_session() && generation == self.session.generation
    }

    /// The revision whose rules hold: negotiated, or else asked for.
    pub(super) fn revision_spoken(&self) -> Revision {
        self.session
            .revision
            .unwrap_or_else(|| self.revision_offered())
    }

    /// The current session is gone (transports: session management). Everything
    /// that carries its id is forgotten; calls that still stream on it stay.
    pub(super) fn lose_session(&mut self, cause: LossCause) {
        if !self.phase.has_session() {
            return;
        }
        let generation = self.session.generation;
        self.session.id = None;
        self.events.push(Event::Reinitialize { generation, cause });
        self.withdraw_asks(Withdrawal::SessionLost, |ask| ask.generation == generation);
        self.replace_session(match self.config.recovery {
            Recovery::Automatic | Recovery::Hold => Input::Gone,
            Recovery::Manual => Input::GoneManual,
        });
        self.settle(true);
        self.drop_initialized();
    }

    /// The `notifications/initialized` of a session that is gone: what is answered
    /// to it must not touch the handshake that comes next.
    fn drop_initialized(&mut self) {
        self.initialized_due = false;
        let stale = self
            .exchanges
            .iter()
            .find(|(_, exchange)| matches!(exchange.purpose, Purpose::Initialized));
        if let Some(id) = stale.map(|(id, _)| *id) {
            self.abort(id);
        }
    }

    /// A 400 made the session doubtful: one ping is to settle it.
    pub(super) fn suspect(&mut self, code: Option<i64>) -> &mut Suspicion {
        self.suspicion.get_or_insert_with(|| Suspicion {
            code,
            ping: None,
            calls: Vec::new(),
            control: Vec::new(),
        })
    }

    pub(super) fn suspend(&mut self, id: CallId, refusal: Refusal) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.delivery = call.delivery.max(Delivery::Rejected);
            call.state = State::Suspended(Box::new(refusal));
        }
    }

    /// What the refusal of the ping means: 404, or a 400 of the same kind, and the
    /// session is lost; everything else, and it is taken to live.
    pub(super) fn ping_refused(&mut self, verdict: &Verdict, refusal: &Refusal) {
        let suspected = self.suspicion.as_ref().and_then(|suspicion| suspicion.code);
        match verdict {
            Verdict::Lost => self.lose_session(LossCause::PingRefused),
            Verdict::Suspect if refusal.code() == suspected => {
                self.lose_session(LossCause::PingRefused);
            }
            Verdict::Again { .. }
            | Verdict::Fail { .. }
            | Verdict::Follow(_)
            | Verdict::Older
            | Verdict::Reply { .. }
            | Verdict::Suspect => self.settle(false),
        }
    }

    /// The doubt is over. What waited for that goes on in the session's successor,
    /// or takes the refusal for its own.
    pub(super) fn settle(&mut self, lost: bool) {
        let Some(suspicion) = self.suspicion.take() else {
            return;
        };
        if let Some(ping) = suspicion.ping {
            if matches!(self.exchanges.get(&ping), Some(ping) if matches!(ping.purpose, Purpose::Ping))
            {
                self.abort(ping);
            }
        }
        for call in suspicion.calls {
            self.settle_call(call, lost);
        }
        for (purpose, error) in suspicion.control {
            if lost {
                self.control_lost(purpose);
            } else {
                self.control_failed(&purpose, error);
            }
        }
    }

    /// Ends a session that nobody needs any more.
    pub(super) fn say_farewell(&mut self, session: SessionId, revision: Option<Revision>) {
        self.farewells.push_back(Farewell { session, revision });
    }

    /// The application closes: every call ends, everything under way is dropped,
    /// and the session is ended.
    pub(super) fn shut(&mut self) {
        let error = Error::new(Reason::Closed, Delivery::NotSent);
        self.timers.clear(Timer::Handshake);
        for id in self.calls.keys().copied().collect::<Vec<_>>() {
            self.shut_call(id);
        }
        self.fail_notices(&error);
        self.withdraw_asks(Withdrawal::Closed, |_| true);
        for (purpose, _) in self
            .suspicion
            .take()
            .map(|doubt| doubt.control)
            .unwrap_or_default()
        {
            self.control_failed(&purpose, error.clone().with_delivery(Delivery::Rejected));
        }
        for prompt in std::mem::take(&mut self.answers) {
            if let Prompt::Answer { ticket, .. } = prompt {
                self.control_failed(&Purpose::Answer(ticket), error.clone());
            }
        }
        self.drop_exchanges();
        if let Some(session) = self.session.id.take() {
            self.say_farewell(session, self.session.revision);
        }
    }

    fn shut_call(&mut self, id: CallId) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        let delivery = match call.state {
            State::Sent(_) => Delivery::Unknown,
            State::Waiting | State::Delayed | State::Held | State::Suspended(_) => {
                Delivery::NotSent
            }
        };
        self.events.forget(id);
        self.fail_call(id, Error::new(Reason::Closed, delivery));
    }

    /// Aborts all that is under way, but for what ends sessions.
    fn drop_exchanges(&mut self) {
        for id in self.exchanges.keys().copied().collect::<Vec<_>>() {
            let Some(exchange) = self.exchanges.get_mut(&id) else {
                continue;
            };
            match &exchange.purpose {
                Purpose::Delete | Purpose::Abandoned => {}
                Purpose::Initialize(None) if matches!(exchange.reading, Reading::Head) => {
                    exchange.purpose = Purpose::Abandoned;
                    let end = self.now + self.config.clocks.delete;
                    self.timers.set(Timer::Exchange(id), end);
                }
                Purpose::Initialize(Some(session)) => {
                    let session = session.clone();
                    self.say_farewell(session, None);
                    self.abort(id);
                }
                Purpose::Notification(_) | Purpose::Answer(Some(_)) => {
                    let purpose = exchange.purpose.clone();
                    let error = Error::new(Reason::Closed, Delivery::Unknown);
                    self.abort(id);
                    self.control_failed(&purpose, error);
                }
                Purpose::Answer(None)
                | Purpose::Call(_)
                | Purpose::Cancel(_)
                | Purpose::Cancelled
                | Purpose::Finished
                | Purpose::Initialize(None)
                | Purpose::Initialized
                | Purpose::Ping => self.abort(id),
            }
        }
    }

    /// Closing is over when no session is left to end.
    pub(super) fn check_closed(&mut self) {
        let ending = |purpose: &Purpose| matches!(purpose, Purpose::Delete | Purpose::Abandoned);
        let over = self.phase == Phase::Closing
            && self.farewells.is_empty()
            && !self
                .exchanges
                .values()
                .any(|exchange| ending(&exchange.purpose));
        if over {
            for id in self.exchanges.keys().copied().collect::<Vec<_>>() {
                self.abort(id);
            }
            self.step(Input::Ended);
        }
    }

    /// The error of calls for which no session could be made within the budget.
    pub(super) fn unrecoverable(&self, until: crate::Time) -> Error {
        let lost = Lost::SessionUnrecoverable {
            attempts: self.handshake.attempts.len(),
            cause: self.handshake.last_cause.clone().map(Box::new),
            in_turns: self.handshake.died_in_turns(),
        };
        Error::new(lost, Delivery::NotSent).with_retry_after(Some(until.since(self.now)))
    }
}
