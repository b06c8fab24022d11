//! Sessions: what is known of the current one, how it is lost, and how doubt about
//! it is settled.

use std::collections::BTreeSet;

use http::{StatusCode, Uri};

use super::Connection;
use super::call::State;
use super::control::{Farewell, Finding, Suspicion};
use super::exchange::Purpose;
use super::phase::{Input, Phase};
use super::route::Route;
use crate::error::{Delivery, Error, Lost};
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
        self.stop_listening();
        self.restoring.due.clear();
        self.fail_cut_calls();
        self.replace_session(match self.config.recovery {
            Recovery::Automatic | Recovery::Hold => Input::Gone,
            Recovery::Manual => Input::GoneManual,
        });
        self.settle(Finding::Lost);
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

    /// Something is in doubt: one ping is to settle it.
    pub(super) fn suspect(&mut self) -> &mut Suspicion {
        self.suspicion.get_or_insert_with(|| Suspicion {
            codes: BTreeSet::new(),
            silent: Vec::new(),
            ping: None,
            route: Route::default(),
            calls: Vec::new(),
            control: Vec::new(),
        })
    }

    /// A GET was answered as if the session were gone. For a GET the specification
    /// says that it is; but servers and proxies that answer 404 to every GET would
    /// then cost session after session.
    pub(super) fn doubt(&mut self, refusal: &Refusal) {
        let bad_request = refusal.answer.status == Some(StatusCode::BAD_REQUEST);
        let code = bad_request.then(|| refusal.code());
        self.suspect().codes.extend(code);
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
        let known = |code| {
            let suspicion = self.suspicion.as_ref();
            suspicion.is_some_and(|suspicion| suspicion.codes.contains(&code))
        };
        match verdict {
            Verdict::Lost => self.lose_session(LossCause::NotFound),
            Verdict::Suspect if known(refusal.code()) => {
                self.lose_session(LossCause::BadRequest);
            }
            Verdict::Follow(to) if self.redirect_ping(to) => {}
            Verdict::Again { .. }
            | Verdict::Fail { .. }
            | Verdict::Follow(_)
            | Verdict::Older
            | Verdict::Reply { .. }
            | Verdict::Suspect => self.settle(Finding::Alive),
        }
    }

    /// Pings again where a redirect leads.
    fn redirect_ping(&mut self, to: &Uri) -> bool {
        self.suspicion.as_mut().is_some_and(|suspicion| {
            let follows = suspicion.route.follow(to.clone());
            if follows {
                suspicion.ping = None;
            }
            follows
        })
    }

    /// The doubt is over. What waited for that goes on in the session's successor,
    /// or takes the refusal for its own.
    pub(super) fn settle(&mut self, finding: Finding) {
        let Some(suspicion) = self.suspicion.take() else {
            return;
        };
        let lost = finding == Finding::Lost;
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
        self.settle_silence(suspicion.silent, finding != Finding::Nothing);
    }

    /// Ends a session that nobody needs any more.
    pub(super) fn say_farewell(&mut self, session: SessionId, revision: Option<Revision>) {
        self.farewells.push_back(Farewell { session, revision });
    }

    /// The error of calls for which no session could be made within the budget.
    pub(super) fn unrecoverable(&self, until: crate::Time) -> Error {
        let lost = Lost::SessionUnrecoverable {
            attempts: self.handshake.attempts.len(),
            cause: self.handshake.last_cause.clone().map(Box::new),
            in_turns: self.handshake.attempts.died_in_turns(),
        };
        Error::new(lost, Delivery::NotSent).with_retry_after(Some(until.since(self.now)))
    }
}
