//! Doubt about a session or a connection: one ping settles it.

use std::collections::BTreeSet;

use http::{StatusCode, Uri};

use super::Connection;
use super::call::State;
use super::exchange::Purpose;
use super::route::Route;
use crate::error::{Delivery, Error};
use crate::event::LossCause;
use crate::wire::response::{Refusal, Verdict};
use crate::{CallId, ExchangeId};

/// More codes than a server has for a session that is gone.
const CODES: usize = 64;

/// What a ping found out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Finding {
    /// The server answered; the session lives, as far as can be told.
    Alive,
    Lost,
    /// The server did not answer.
    Nothing,
}

/// What is in doubt until a ping settles it.
#[derive(Clone, Debug, Default)]
pub(super) struct Suspicion {
    /// The codes of the errors that suspicious 400s carried, at most [`CODES`].
    pub(super) codes: BTreeSet<Option<i64>>,
    /// Exchanges on which nothing came for long.
    pub(super) silent: BTreeSet<ExchangeId>,
    pub(super) ping: Option<ExchangeId>,
    /// Where redirects of the ping lead.
    pub(super) route: Route,
    pub(super) calls: BTreeSet<CallId>,
    pub(super) control: Vec<(Purpose, Error)>,
    /// Bytes of the refusals of these.
    pub(super) bytes: usize,
}

impl Suspicion {
    /// A suspicious 400 carried this code.
    pub(super) fn add(&mut self, code: Option<i64>) {
        if self.codes.len() < CODES {
            self.codes.insert(code);
        }
    }
}

impl Connection {
    /// Something is in doubt: one ping is to settle it.
    pub(super) fn suspect(&mut self) -> &mut Suspicion {
        self.suspicion.get_or_insert_default()
    }

    /// How many messages of control traffic of this kind are in doubt.
    pub(super) fn in_doubt(&self, fits: fn(&Purpose) -> bool) -> usize {
        let doubts = self.suspicion.iter().flat_map(|it| &it.control);
        doubts.filter(|(purpose, _)| fits(purpose)).count()
    }

    /// A GET was answered as if the session were gone. For a GET the specification
    /// says that it is; but servers and proxies that answer 404 to every GET would
    /// then cost session after session.
    pub(super) fn doubt(&mut self, refusal: &Refusal) {
        let suspicion = self.suspect();
        if refusal.answer.status == Some(StatusCode::BAD_REQUEST) {
            suspicion.add(refusal.code());
        }
    }

    pub(super) fn suspend(&mut self, id: CallId, refusal: Refusal) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.delivery = call.delivery.max(Delivery::Rejected);
            call.state = State::Suspended(Box::new(refusal));
        }
        self.account_call(id);
        self.stand_still_if_waiting(id);
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
        // Answers that were in doubt make room for other questions.
        self.room = true;
        let lost = finding == Finding::Lost;
        self.unpark_ping(&suspicion.calls);
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
        self.settle_silence(suspicion.silent, finding);
    }
}
