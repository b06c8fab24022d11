//! Sessions: what is known of the current one, and how it is lost.

use super::Connection;
use super::control::Farewell;
use super::exchange::Purpose;
use super::offer::Offer;
use super::phase::{Input, Phase};
use super::suspicion::Finding;
use crate::breakage::Breakage;
use crate::error::{Delivery, Error, Lost};
use crate::event::{LossCause, Withdrawal};
use crate::wire::binding::Binding;
use crate::wire::headers::SessionId;
use crate::wire::meta::Stamp;
use crate::{Event, RawJson, Recovery, Revision};

/// The current session, or the last one; or what is known of a server that has none.
#[derive(Clone, Debug, Default)]
pub(super) struct Session {
    /// Counts the sessions; 0 before the first.
    pub(super) generation: u64,
    pub(super) binding: Option<Binding>,
    /// None once it is lost, and if the server gave none.
    pub(super) id: Option<SessionId>,
    pub(super) revision: Option<Revision>,
    pub(super) capabilities: Option<RawJson>,
    /// What calls need of them.
    pub(super) offer: Option<Offer>,
    /// The whole result of `initialize` or `server/discover`.
    pub(super) result: Option<RawJson>,
    /// What every request carries where each stands on its own.
    pub(super) stamp: Option<Stamp>,
}

impl Phase {
    /// Whether requests of this phase belong to a session.
    pub(super) fn has_session(self) -> bool {
        match self {
            Self::Confirming | Self::Ready | Self::Held => true,
            Self::Idle
            | Self::Due
            | Self::Discovering
            | Self::Initializing
            | Self::Opening
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
        let is_last = generation == self.session.generation;
        self.phase.has_session() && (is_last || self.config.is_broken(Breakage::SecondHandshake))
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
        if !self.config.is_broken(Breakage::DeadId) {
            self.session.id = None;
        }
        self.events.push(Event::Reinitialize { generation, cause });
        self.withdraw_asks(Withdrawal::SessionLost, |ask| ask.is_of(generation));
        self.stop_listening();
        self.drop_restorations();
        self.fail_cut_calls();
        self.lose_channel(generation);
        self.replace_session(match self.config.recovery {
            Recovery::Automatic | Recovery::Hold => Input::Gone,
            Recovery::Manual => Input::GoneManual,
        });
        self.settle(Finding::Lost);
        self.drop_refresh();
        self.drop_initialized();
        self.parked_lost_session(generation);
    }

    /// The `notifications/initialized` of a session that is gone: what is answered
    /// to it must not touch the handshake that comes next.
    fn drop_initialized(&mut self) {
        self.initialized_due = false;
        self.unpark_handshake();
        let stale = self
            .exchanges
            .iter()
            .find(|(_, exchange)| matches!(exchange.purpose, Purpose::Initialized));
        if let Some(id) = stale.map(|(id, _)| id) {
            self.abort(id);
        }
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
