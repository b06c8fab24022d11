//! Law 6: no dead id, and none that was never given.

use super::super::asked::{Asked, Kind};
use super::super::part::{Mark, Part, Type};
use super::super::rule::Rule;
use super::super::wire::Wire;
use super::{Judge, ends};

/// A session id that a client has seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Given {
    /// It came with a successful result, when this was the last wire.
    successful: Option<u32>,
    /// `notifications/initialized` was accepted.
    pub(super) confirmed: bool,
    /// A newer handshake has begun.
    pub(super) superseded: bool,
    /// A POST with it was answered 404.
    lost: bool,
    farewells: u32,
}

impl Judge {
    /// What goes to an address goes to the one that the living stream named.
    pub(super) fn has_a_living_address(&mut self, client: usize, asked: &Asked) {
        let named = self.ledgers[client].address;
        if asked.channel.is_some() && asked.channel != named {
            self.breach(Rule::DeadAddress, || {
                let (kind, to) = (asked.kind, asked.channel);
                format!("client {client}: {kind:?} goes to address {to:?}, and not to {named:?}")
            });
        }
    }

    pub(super) fn carries_a_living_id(&mut self, client: usize, asked: &Asked) {
        let Some(id) = asked.session else { return };
        let kind = asked.kind;
        let Some(given) = self.ledgers[client].sessions.get_mut(&id) else {
            return self.breach(Rule::StrangeId, || {
                format!("client {client}: {kind:?} carries session {id}, which nobody gave")
            });
        };
        given.farewells += u32::from(kind == Kind::Delete);
        let Given {
            successful,
            confirmed,
            superseded,
            lost,
            farewells,
        } = *given;
        let dead = match kind {
            Kind::Delete => lost || confirmed && superseded,
            // It may borrow the id before the result is there.
            Kind::Answer { .. } => lost || superseded,
            _ => lost || superseded || successful.is_none(),
        };
        if dead {
            let (rule, how) = match (superseded, lost) {
                (true, _) => (Rule::SupersededId, "superseded"),
                (false, true) => (Rule::LostId, "lost"),
                (false, false) => (Rule::UnconfirmedId, "unconfirmed"),
            };
            self.breach(rule, || {
                format!("client {client}: {kind:?} carries the {how} session {id}")
            });
        }
        if farewells > 1 {
            self.breach(Rule::SessionEndedTwice, || {
                format!("client {client}: session {id} is ended twice")
            });
        }
    }

    /// After all was closed.
    pub(super) fn sessions_are_over(&mut self) {
        for client in 0..self.ledgers.len() {
            let ledger = &self.ledgers[client];
            let handshakes = &ledger.handshakes;
            let lives = handshakes.established && handshakes.doubts.is_empty();
            let Some(id) = handshakes.session.filter(|_| lives) else {
                continue;
            };
            let left = ledger.sessions.get(&id).is_some_and(|given| {
                given.confirmed && !given.superseded && !given.lost && given.farewells == 0
            });
            if left {
                self.breach(Rule::SessionLeft, || {
                    format!("client {client}: session {id} is not ended")
                });
            }
        }
    }

    pub(super) fn session_heard(
        &mut self,
        number: u32,
        wire: &mut Wire,
        part: &Part,
        mark: Option<Mark>,
    ) {
        let ledger = &mut self.ledgers[wire.client];
        let asked = &wire.asked;
        match part {
            Part::Head(head) => {
                wire.status = head.status;
                wire.json = head.kind == Type::Json;
                if let Some(id) = head.session.filter(|_| asked.kind == Kind::Initialize) {
                    ledger.sessions.entry(id).or_default();
                }
            }
            part if ends(part) && wire.status == 404 && !asked.kind.is_get() => {
                let over = |key: usize| self.deeds[key].end.is_some();
                let says_nothing = match asked.kind {
                    Kind::Delete => true,
                    // What comes late is dropped.
                    Kind::Call { key } => over(key),
                    _ => false,
                };
                if let Some(given) = asked.session.and_then(|id| ledger.sessions.get_mut(&id)) {
                    // What borrowed the id may have come too early for the server.
                    let borrowed = given.successful.is_none_or(|last| number <= last);
                    given.lost |= !borrowed && !says_nothing;
                }
            }
            _ => {}
        }
        if let Some(Mark::Established { session: Some(id) }) = mark {
            let given = ledger.sessions.entry(id).or_default();
            given.successful = Some(ledger.last);
        }
    }
}
