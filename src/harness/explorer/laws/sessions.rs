//! Laws 3, 4, 6, 10 and 12: one handshake at a time, within a budget and when it may be, no dead id,
//! and each session ended.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::exchange::Open;
use super::super::letter::Act;
use super::super::rule::Rule;
use super::super::setting::{self, Setting};
use super::super::wire::{self, Carries};
use super::Seen;
use crate::{Clocks, ExchangeId, Phase, Recovery, Time};

#[derive(Clone, Debug, Default)]
pub(super) struct Sessions {
    /// Whether how the server is reached is to be found.
    searches: bool,
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
    /// Whether the session was refused since it is ready.
    refused: bool,
    handshakes: Vec<(ExchangeId, Time)>,
    /// The last of them.
    last: Option<ExchangeId>,
    /// Whether there is something that a handshake could be for: what was asked of the machine
    /// since it last gave up, or a session that died.
    wanted: bool,
    /// Whether nothing was done about a session, when everything was read last.
    idle: bool,
    /// Before this no handshake is to leave: the server said so.
    put_off: Option<Time>,
    /// The server asks to wait with a handshake longer than anybody does.
    hopeless: bool,
    /// How many of those that are to come are old ones that are sent on.
    sent_on: usize,
    /// Whether calls that were refused wait until the application says so.
    pub(super) held: bool,
    /// Whether the next handshake waits for that.
    pub(super) untold: bool,
}

impl Sessions {
    pub(super) fn new(setting: &Setting) -> Self {
        Self {
            searches: setting.pinned.is_none(),
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
        self.held = false;
    }

    pub(super) fn reinitialized(&mut self) {
        self.untold = false;
        self.asked();
    }

    /// Something is asked of the machine for which it may need a session.
    pub(super) fn asked(&mut self) {
        self.wanted = true;
        self.put_off = None;
        self.hopeless = false;
    }

    /// What is given up may be sent again, and need a session.
    pub(super) fn aborted(&mut self) {
        self.wanted = true;
    }

    /// Whether the budget has no handshake left.
    pub(super) fn is_spent(&self, now: Time) -> bool {
        let budget = setting::budget();
        let within = |at: &Time| now.since(*at) < budget.window;
        let left = self.handshakes.iter().filter(|(_, at)| within(at));
        left.count() >= budget.handshakes
    }

    /// `alone`: nothing else happened since all was read.
    pub(super) fn came(&mut self, open: &Open, act: Act, now: Time, alone: bool) {
        if open.carries.is_handshake() {
            // What answers one that was given up changes nothing.
            let counts = alone && !self.idle && self.last == Some(open.id);
            match act {
                Act::Busy | Act::Later if counts => {
                    self.put_off = Some(now + Duration::from_secs(wire::SOON));
                }
                Act::BusyForLong => self.hopeless = counts,
                _ => {}
            }
            if act == Act::NotSent {
                self.handshakes.retain(|(id, _)| *id != open.id);
            }
            self.sent_on += usize::from(act.sends_on());
        }
        // What is to be sent again may need a session; but not if a dead one refused it.
        self.wanted |= !act.refuses_session();
        let current = open.session.is_some() && open.session == self.current;
        self.refused |= act.refuses_session() && current;
    }

    /// A request leaves, with the address that it goes to if that is not the endpoint's.
    pub(super) fn sent(
        &mut self,
        open: &Open,
        address: Option<&str>,
        now: Time,
        others: &[Open],
    ) -> Seen {
        let carries = open.carries;
        if carries == Carries::Delete {
            let session = open.session.clone().unwrap_or_default();
            if !self.deleted.insert(session) {
                return Err(Rule::SecondDelete.broken());
            }
        }
        let name = open.session.clone().or(address.map(str::to_owned));
        if name
            .as_ref()
            .is_some_and(|name| !self.may_carry(name, open, others))
        {
            return Err(Rule::DeadId.broken_by(format!("{carries:?}")));
        }
        if carries.is_handshake() {
            self.handshake(open.id, now, others)
        } else {
            if carries != Carries::Delete && name.is_some() {
                self.current = name;
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
            _ => self.given.contains(name),
        }
    }

    /// Laws 3 and 4.
    fn handshake(&mut self, id: ExchangeId, now: Time, others: &[Open]) -> Seen {
        // One that has had its time is given up.
        let clocks = Clocks::default();
        let patience = |other: &Open| match other.carries {
            Carries::Discover => clocks.probe,
            _ => clocks.head,
        };
        let waits = |other: &Open| !other.replied && Some(now.since(other.at)) < patience(other);
        if others
            .iter()
            .any(|other| other.carries.is_handshake() && waits(other))
        {
            return Err(Rule::HandshakeBeside.broken());
        }
        if self.ready {
            return Err(Rule::HandshakeNeedless.broken());
        }
        if self.untold {
            return Err(Rule::HandshakeUnasked.broken());
        }
        if !self.wanted {
            return Err(Rule::HandshakeForDead.broken());
        }
        if self.put_off.take().is_some_and(|until| now < until) {
            return Err(Rule::HandshakeHasty.broken());
        }
        self.last = Some(id);
        if self.sent_on > 0 {
            // It is still the same.
            self.sent_on -= 1;
            return Ok(());
        }
        let budget = setting::budget();
        self.handshakes
            .retain(|(_, at)| now.since(*at) < budget.window);
        self.handshakes.push((id, now));
        // A search asks by `server/discover` first, by `initialize`, and by that again.
        let most = budget.handshakes * if self.searches { 3 } else { 1 };
        if self.handshakes.len() > most {
            let most = format!("{most} in {:?}", budget.window);
            return Err(Rule::HandshakeTooOften.broken_by(most));
        }
        Ok(())
    }

    /// The application is told that the session is gone.
    pub(super) fn lost(&mut self) -> Seen {
        // An address is no session's id.
        let current = self.current.as_ref();
        if current.is_some_and(|id| !id.starts_with('/')) && !self.refused {
            return Err(Rule::SessionGivenUp.broken());
        }
        (self.ready, self.refused, self.wanted) = (false, false, true);
        self.untold = self.recovery == Recovery::Manual;
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
        self.put_off = None;
        self.sent_on = 0;
        self.held = self.recovery == Recovery::Hold && generation > 1;
        Ok(())
    }

    /// Everything was read. `waits`: for what is still to be sent again.
    pub(super) fn at_rest(&mut self, phase: Phase, waits: bool) -> Seen {
        let rests = matches!(phase, Phase::Idle | Phase::Closing | Phase::Closed);
        if std::mem::take(&mut self.hopeless) && !rests {
            return Err(Rule::HandshakeBeyondCeiling.broken());
        }
        let gave_up = phase == Phase::Idle && !self.idle;
        self.idle = phase == Phase::Idle;
        if gave_up {
            (self.wanted, self.put_off) = (waits, None);
        }
        Ok(())
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
