//! Laws 3, 6 and 12: one session at a time, no dead id, and each session ended.

use std::collections::{BTreeMap, BTreeSet};

use super::super::exchange::Open;
use super::super::letter::Act;
use super::super::rule::Rule;
use super::super::setting::Setting;
use super::super::wire::Carries;
use super::Seen;
use super::handshakes::Handshakes;
use crate::{ExchangeId, LossCause, Phase, Recovery, Time};

#[derive(Clone, Debug, Default)]
pub(super) struct Sessions {
    handshakes: Handshakes,
    recovery: Recovery,
    /// Sessions whose DELETE left.
    deleted: BTreeSet<String>,
    /// Whether a session, or what stands for one, is known to the application.
    ready: bool,
    /// The ids that answers to `initialize` brought, and the addresses that streams named, of
    /// sessions that are not lost.
    given: BTreeSet<String>,
    /// The ids that only the head of an answer to `initialize` brought, and whose answer that is.
    borrowed: BTreeMap<String, ExchangeId>,
    /// The session, or the address, of the last request.
    current: Option<String>,
    /// What of it since then is a reason to give that up.
    refused: Vec<LossCause>,
    /// Whether it is asked on an HTTP+SSE server's stream for a sign of life.
    pinged: bool,
    /// Whether the application restores its state, since a loss.
    pub(super) restoring: bool,
    /// Whether calls that were refused wait until the application says so.
    pub(super) held: bool,
    /// Whether the next handshake waits for that.
    pub(super) untold: bool,
}

impl Sessions {
    pub(super) fn new(setting: &Setting) -> Self {
        Self {
            handshakes: Handshakes::new(setting),
            recovery: setting.recovery,
            ..Self::default()
        }
    }

    pub(super) fn given(&mut self, session: &str) {
        self.given.insert(session.to_owned());
    }

    /// The head of an answer to `initialize` brought an id.
    pub(super) fn borrowed(&mut self, session: &str, from: ExchangeId) {
        self.borrowed.insert(session.to_owned(), from);
    }

    /// The result of `initialize` came: the id that was borrowed counts.
    pub(super) fn confirmed(&mut self, from: ExchangeId) {
        let mut borrowed = self.borrowed.iter();
        let found = borrowed.find(|(_, other)| **other == from);
        if let Some(id) = found.map(|(id, _)| id.clone()) {
            self.borrowed.remove(&id);
            self.given.insert(id);
        }
    }

    pub(super) fn resumed(&mut self) {
        (self.held, self.restoring) = (false, false);
    }

    pub(super) fn reinitialized(&mut self) {
        self.untold = false;
        self.asked();
    }

    /// Something is asked of the machine for which it may need a session.
    pub(super) fn asked(&mut self) {
        self.handshakes.asked();
    }

    /// The network changed, or there is another credential.
    pub(super) fn hurried(&mut self) {
        self.handshakes.hurried();
        self.asked();
    }

    /// What is given up may be sent again, and need a session.
    pub(super) fn aborted(&mut self) {
        self.handshakes.wanted();
    }

    /// Whether the budget has no handshake left.
    pub(super) fn is_spent(&self, now: Time) -> bool {
        self.handshakes.are_spent(now)
    }

    /// `alone`: nothing else happened since all was read.
    pub(super) fn came(&mut self, open: &Open, act: Act, now: Time, alone: bool) {
        if open.is_handshake() {
            self.handshakes.came(open.id, act, now, alone);
        }
        // What is to be sent again may need a session; but not if a dead one refused it, and
        // nothing else happened.
        if !act.refuses_session() || !alone {
            self.handshakes.wanted();
        }
        // What is sent on says nothing of its address.
        let is_current = open.session.is_none() || open.session == self.current;
        let reason = reason(open.carries, act).filter(|_| is_current);
        // Where each request stands on its own there is nothing else that could be lost.
        let is_reason =
            |cause: &LossCause| self.current.is_some() != (*cause == LossCause::Unsupported);
        self.refused.extend(reason.filter(is_reason));
    }

    /// A request leaves.
    pub(super) fn sent(&mut self, open: &Open, now: Time, others: &[Open]) -> Seen {
        let carries = open.carries;
        if carries == Carries::Delete {
            let session = open.session.clone().unwrap_or_default();
            if !self.deleted.insert(session) {
                return Err(Rule::SecondDelete.broken());
            }
        }
        let mut name = open.session.iter();
        if name.any(|name| !self.may_carry(name, open, others)) {
            return Err(Rule::DeadId.broken_by(format!("{carries:?}")));
        }
        if open.is_handshake() {
            // Whatever session was borrowed or had before, there is none now.
            self.refused.clear();
            self.current = None;
            self.handshake(open, now, others)
        } else {
            if matches!(carries, Carries::Call(_)) && !self.ready {
                return Err(Rule::CallEarly.broken());
            }
            if carries != Carries::Delete && open.session.is_some() {
                self.current.clone_from(&open.session);
            }
            Ok(())
        }
    }

    /// Law 6: an id that is only borrowed is for the answers to what is asked meanwhile, and
    /// for the end of a session that came to nothing.
    fn may_carry(&self, name: &str, open: &Open, others: &[Open]) -> bool {
        let borrowed = self.borrowed.get(name);
        let is_asked = |from| others.iter().any(|other| other.id == from);
        match open.carries {
            Carries::Delete if borrowed.is_some() => true,
            Carries::Answer if borrowed.is_some_and(|from| is_asked(*from)) => true,
            Carries::Delete => self.given.contains(name),
            _ => self.given.contains(name) && !self.deleted.contains(name),
        }
    }

    fn handshake(&mut self, open: &Open, now: Time, others: &[Open]) -> Seen {
        Handshakes::are_one(now, others)?;
        if self.ready {
            return Err(Rule::HandshakeNeedless.broken());
        }
        if self.untold {
            return Err(Rule::HandshakeUnasked.broken());
        }
        self.handshakes.leaves(open, now)
    }

    /// The stream is over by which the session lives.
    pub(super) fn channel_ended(&mut self) {
        self.refused.push(LossCause::StreamEnded);
    }

    /// A sign of life is asked for on that, or came.
    pub(super) fn pinged(&mut self, waits: bool) {
        self.pinged = waits;
    }

    /// The application is told that the session is gone.
    pub(super) fn lost(&mut self, cause: LossCause) -> Seen {
        let silent = std::mem::take(&mut self.pinged) && cause == LossCause::StreamEnded;
        let refused = std::mem::take(&mut self.refused).contains(&cause);
        if !refused && !silent {
            return Err(Rule::SessionGivenUp.broken());
        }
        self.ready = false;
        self.handshakes.wanted();
        self.untold = self.recovery == Recovery::Manual;
        self.restoring = self.recovery == Recovery::Hold;
        if let Some(lost) = self.current.take() {
            self.given.remove(&lost);
        }
        Ok(())
    }

    /// The application is told that there is a session.
    pub(super) fn made(&mut self, generation: u64) -> Seen {
        if self.ready {
            return Err(Rule::SecondSession.broken());
        }
        self.ready = true;
        self.handshakes.made();
        self.held = self.recovery == Recovery::Hold && generation > 1;
        Ok(())
    }

    /// Everything was read. `waits`: for what is still to be sent again.
    pub(super) fn at_rest(&mut self, phase: Phase, waits: bool, now: Time) -> Seen {
        // What led to nothing by now leads to nothing.
        self.refused.clear();
        self.handshakes.at_rest(phase, waits, now)
    }

    /// It is closed, and nothing is under way any more: each session was ended that had not died.
    pub(super) fn closed(&self) -> Seen {
        // An address is no session's id.
        let mut sessions = self.given.iter().filter(|id| !id.starts_with('/'));
        match sessions.find(|id| !self.deleted.contains(*id)) {
            Some(id) => Err(Rule::SessionLeft.broken_by(id)),
            None => Ok(()),
        }
    }
}

/// Why what came of a request of a session means that this is gone.
fn reason(carries: Carries, act: Act) -> Option<LossCause> {
    match (carries, act) {
        // These are settled by a ping.
        (Carries::Delete | Carries::Get | Carries::Resume(_), _) => None,
        (_, Act::NotFound | Act::NotFoundError) => Some(LossCause::NotFound),
        (_, Act::Unsupported) => Some(LossCause::Unsupported),
        (Carries::Initialized | Carries::Ping, Act::BadRequest) => Some(LossCause::BadRequest),
        _ => None,
    }
}
