//! Laws 3, 4 and 10: one handshake at a time, within a budget, if there is something that it is for,
//! and not before the server wants it.

use std::time::Duration;

use super::super::exchange::Open;
use super::super::letter::Act;
use super::super::rule::Rule;
use super::super::setting::{self, Setting};
use super::super::wire::{self, Carries};
use super::{REDIRECTS, Seen};
use crate::{Clocks, ExchangeId, Phase, Time};

#[derive(Clone, Debug, Default)]
pub(super) struct Handshakes {
    /// Whether how the server is reached is to be found.
    searches: bool,
    /// Those that left and count, with their times.
    sent: Vec<(ExchangeId, Carries, Time)>,
    /// The last that left.
    last: Option<ExchangeId>,
    /// Whether there is something that one could be for: what was asked of the machine since it
    /// last gave up, or a session that died.
    wanted: bool,
    /// Whether nothing was done about a session, when everything was read last.
    idle: bool,
    /// Before this none is to leave: the server said so.
    put_off: Option<Time>,
    /// The server asks to wait longer than anybody does.
    hopeless: bool,
    /// When the last one failed, if that never reached the server.
    unreached: Option<Time>,
    /// How many of those that are to come are old ones that are sent on.
    sent_on: usize,
    /// How often the last was sent elsewhere.
    redirects: usize,
}

impl Handshakes {
    pub(super) fn new(setting: &Setting) -> Self {
        Self {
            searches: setting.pinned.is_none(),
            ..Self::default()
        }
    }

    /// There is something that one could be for.
    pub(super) fn wanted(&mut self) {
        self.wanted = true;
    }

    /// The application wants it, and at once.
    pub(super) fn asked(&mut self) {
        self.wanted = true;
        self.put_off = None;
        self.hopeless = false;
    }

    /// Whether the server can be reached may be another matter now.
    pub(super) fn hurried(&mut self) {
        self.unreached = None;
    }

    /// Something came of one. `alone`: nothing else happened since all was read.
    pub(super) fn came(&mut self, from: ExchangeId, act: Act, now: Time, alone: bool) {
        // What answers one that was given up changes nothing.
        let is_last = self.last == Some(from);
        let counts = alone && !self.idle && is_last;
        match act {
            Act::Busy | Act::Later if counts => {
                self.put_off = Some(now + Duration::from_secs(wire::SOON));
            }
            Act::BusyForLong => self.hopeless = counts,
            Act::NotSent => {
                self.unreached = counts.then_some(now);
                self.sent.retain(|(id, ..)| *id != from);
            }
            _ => {}
        }
        if is_last {
            self.sent_on += usize::from(act.sends_on());
            self.redirects = match act {
                Act::Redirect => self.redirects + 1,
                _ => 0,
            };
        }
    }

    /// Whether the budget has none left.
    pub(super) fn are_spent(&self, now: Time) -> bool {
        let budget = setting::budget();
        let counts = |at: &Time| now.since(*at) < budget.window;
        let counted = || self.sent.iter().filter(|(.., at)| counts(at));
        let alike = |one: &Carries| counted().filter(|(_, it, _)| it == one).count();
        counted().any(|(_, it, _)| alike(it) >= budget.handshakes)
    }

    /// Law 3: whether there is no other beside one that leaves now.
    pub(super) fn are_one(now: Time, others: &[Open]) -> Seen {
        // One that has had its time is given up.
        let clocks = Clocks::default();
        let patience = |other: &Open| match other.carries {
            Carries::Discover => clocks.probe,
            _ => clocks.head,
        };
        let is_answered = |other: &Open| other.replied || other.opens_channel() && other.streams;
        let waits =
            |other: &Open| !is_answered(other) && Some(now.since(other.at)) < patience(other);
        let mut handshakes = others.iter().filter(|other| other.is_handshake());
        if handshakes.any(waits) {
            return Err(Rule::HandshakeBeside.broken());
        }
        Ok(())
    }

    /// One leaves.
    pub(super) fn leaves(&mut self, open: &Open, now: Time) -> Seen {
        if !self.wanted {
            return Err(Rule::HandshakeForDead.broken());
        }
        let floor = setting::retries().floor;
        let too_soon = self.unreached.take().is_some_and(|at| now < at + floor);
        if self.put_off.take().is_some_and(|until| now < until) || too_soon {
            return Err(Rule::HandshakeHasty.broken());
        }
        self.last = Some(open.id);
        if self.sent_on > 0 {
            if self.redirects > REDIRECTS {
                return Err(Rule::HandshakeSentOnTooOften.broken_by(self.redirects));
            }
            // It is still the same.
            self.sent_on -= 1;
            return Ok(());
        }
        self.redirects = 0;
        let budget = setting::budget();
        self.sent.retain(|(.., at)| now.since(*at) < budget.window);
        self.sent.push((open.id, open.carries, now));
        // A search may ask the same way twice.
        let most = budget.handshakes * if self.searches { 2 } else { 1 };
        let alike = self.sent.iter().filter(|(_, it, _)| *it == open.carries);
        if alike.count() > most {
            let what = format!("{:?}, {most} in {:?}", open.carries, budget.window);
            return Err(Rule::HandshakeTooOften.broken_by(what));
        }
        Ok(())
    }

    /// There is a session.
    pub(super) fn made(&mut self) {
        self.put_off = None;
        self.sent_on = 0;
    }

    /// Everything was read. `waits`: for what is still to be sent again.
    pub(super) fn at_rest(&mut self, phase: Phase, waits: bool, now: Time) -> Seen {
        let floor = setting::retries().floor;
        self.unreached = self.unreached.filter(|at| now < *at + floor);
        let rests = matches!(phase, Phase::Idle | Phase::Closing | Phase::Closed);
        if std::mem::take(&mut self.hopeless) && !rests {
            return Err(Rule::HandshakeBeyondCeiling.broken());
        }
        if self.redirects > REDIRECTS {
            // Nobody followed: what comes next is another one.
            self.redirects = 0;
            self.sent_on = self.sent_on.saturating_sub(1);
        }
        let gave_up = phase == Phase::Idle && !self.idle;
        self.idle = phase == Phase::Idle;
        if rests {
            // What is to come is another one.
            self.sent_on = 0;
        }
        if gave_up {
            (self.wanted, self.put_off) = (waits, None);
        }
        Ok(())
    }
}
