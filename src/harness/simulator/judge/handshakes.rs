//! Laws 3 and 4: one handshake at a time, only when there is a reason, within the budget.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::asked::{Asked, Kind};
use super::super::part::{Mark, Part};
use super::super::rule::Rule;
use super::super::wire::Wire;
use super::{Judge, Ledger, is, never_sent};
use crate::Time;

/// What is known of the handshakes of a client.
#[derive(Debug, Default)]
pub(super) struct Handshakes {
    under_way: Option<UnderWay>,
    /// Whether there is a session, or an era that needs none.
    pub(super) established: bool,
    /// Whether everything is said on one stream.
    on_channel: bool,
    /// Its session, if that has an id.
    pub(super) session: Option<u32>,
    /// That of the address which its stream named.
    address: Option<u32>,
    /// The wires that gave the client a reason to think that it is lost.
    pub(super) doubts: BTreeSet<u32>,
    /// Whether a call was refused for an error of its own, which is no such reason.
    own_error: bool,
    /// The requests that count, of each kind, and when they left.
    attempts: [Vec<(Time, u32)>; 3],
    /// When the last one failed, if that never reached the server.
    unreached: Option<Time>,
}

#[derive(Clone, Copy, Debug)]
struct UnderWay {
    wire: u32,
    kind: Kind,
    sent: Time,
    concluded: bool,
}

impl UnderWay {
    /// `clock`: how long a head is waited for.
    fn is_awaited(&self, clock: Option<Duration>, now: Time) -> bool {
        !self.concluded && clock.is_none_or(|clock| now < self.sent + clock)
    }
}

impl Handshakes {
    pub(super) fn aborted(&mut self, wire: u32) {
        if let Some(one) = self.under_way.as_mut().filter(|one| one.wire == wire) {
            one.concluded = true;
        }
    }

    /// Whether it is over with all that waits for a reply on the channel.
    pub(super) fn has_lost_channel(&self) -> bool {
        self.on_channel && !self.doubts.is_empty()
    }

    /// Whether a request belongs to what may be lost: where each stands on its own, nothing may.
    fn is_in_session(&self, asked: &Asked) -> bool {
        asked.belongs() && (asked.session, asked.channel) == (self.session, self.address)
    }

    /// Whether a GET now is one for a channel.
    pub(super) fn opens_channel(&self) -> bool {
        !self.established || self.on_channel
    }
}

fn place(kind: Kind) -> usize {
    match kind {
        Kind::Discover => 0,
        Kind::Initialize => 1,
        _ => 2,
    }
}

impl Ledger {
    /// How many requests of a kind left within the budget's window.
    fn attempts(&self, place: usize, now: Time) -> usize {
        let window = self.setup.budget.window;
        let attempts = self.handshakes.attempts[place].iter();
        attempts.filter(|(at, _)| now < *at + window).count()
    }

    /// How many of a kind may.
    fn most_attempts(&self, now: Time) -> usize {
        let budget = self.setup.budget;
        let credentials = self.credentials.iter();
        let renewed = credentials.filter(|at| now < **at + budget.window).count();
        // Where it is found out how the server is reached, one request may be the last of
        // the handshake before.
        budget.handshakes + renewed + usize::from(!self.straight)
    }

    /// Whether the budget has no handshake left, for certain.
    pub(super) fn is_spent(&self, now: Time) -> bool {
        (0..self.handshakes.attempts.len())
            .any(|place| self.attempts(place, now) >= self.most_attempts(now))
    }
}

impl Judge {
    /// A request of a handshake is over.
    pub(in super::super) fn concludes(&mut self, client: usize, wire: u32) {
        self.ledgers[client].handshakes.aborted(wire);
    }

    pub(super) fn handshake_sent(&mut self, wire: u32, client: usize, asked: &Asked, now: Time) {
        let ledger = &mut self.ledgers[client];
        let clock = ledger.setup.clocks.head;
        let one = ledger.handshakes.under_way.replace(UnderWay {
            wire,
            kind: asked.kind,
            sent: now,
            concluded: false,
        });
        let twice = one.filter(|one| one.is_awaited(clock, now));
        if asked.moved > 0 {
            return;
        }
        let handshakes = &mut ledger.handshakes;
        let needless = handshakes.established && handshakes.doubts.is_empty();
        let needless = needless.then_some(match std::mem::take(&mut handshakes.own_error) {
            true => Rule::NeedlessForError,
            false => Rule::Needless,
        });
        handshakes.established = false;
        handshakes.doubts.clear();
        handshakes.attempts[place(asked.kind)].push((now, wire));
        let count = ledger.attempts(place(asked.kind), now);
        let most = ledger.most_attempts(now);
        let budget = ledger.setup.budget;
        let lag = Duration::from_millis(ledger.setup.lag);
        // What the application did may be heeded later.
        let unforgiven = |at: &Time| ledger.hurries + lag < *at;
        let unreached = ledger.handshakes.unreached.take().filter(unforgiven);
        let floor = ledger.setup.retries.floor;
        let early = unreached.filter(|at| now < *at + floor);
        if asked.kind == Kind::Initialize {
            for given in ledger.sessions.values_mut() {
                given.superseded = true;
            }
        }
        if let Some(one) = twice {
            self.breach(Rule::SecondHandshake, || {
                format!(
                    "client {client}: {:?} while {:?} is under way",
                    asked.kind, one.kind
                )
            });
        }
        if let Some(rule) = needless {
            self.breach(rule, || {
                format!(
                    "client {client}: {:?} although its session lives",
                    asked.kind
                )
            });
        }
        if let Some(at) = early {
            self.breach(Rule::HastyHandshake, || {
                let waited = now.since(at);
                format!(
                    "client {client}: {:?} {waited:?} after one that reached nobody",
                    asked.kind
                )
            });
        }
        if count > most {
            self.breach(Rule::Handshakes, || {
                format!(
                    "client {client}: {:?} for the {count}th time within {:?}",
                    asked.kind, budget.window
                )
            });
        }
    }

    pub(super) fn handshake_heard(
        &mut self,
        number: u32,
        wire: &Wire,
        part: &Part,
        mark: Option<Mark>,
        now: Time,
    ) {
        let ledger = &mut self.ledgers[wire.client];
        let clock = ledger.setup.clocks.head;
        let handshakes = &mut ledger.handshakes;
        let current = handshakes.under_way.filter(|one| one.wire == number);
        if let Some(one) = current {
            let enough = match part {
                Part::Head(head) => !head.is_promising() || one.kind == Kind::Get,
                Part::Text(..) => mark.is_some(),
                Part::End | Part::Fail(_) => true,
            };
            if enough {
                handshakes.aborted(number);
            }
            if never_sent(part) {
                // What fails late changes nothing.
                let counts = one.is_awaited(clock, now);
                handshakes.unreached = counts.then_some(now);
                for attempts in &mut handshakes.attempts {
                    attempts.retain(|(_, wire)| *wire != number);
                }
            }
            if is(mark, |mark| mark == Mark::Discovered) {
                handshakes.established = true;
                handshakes.on_channel = false;
                (handshakes.session, handshakes.address) = (None, None);
                // There is nothing to restore.
                ledger.restoring = false;
            }
        }
        if ledger.channel == Some(number)
            && is(mark, |mark| {
                matches!(
                    mark,
                    Mark::Established { .. } | Mark::Refused | Mark::Unsupported
                )
            })
        {
            if let Some(one) = handshakes.under_way {
                handshakes.aborted(one.wire);
            }
        }
        let asked = &wire.asked;
        match part {
            Part::Head(head) if asked.kind == Kind::Initialized => {
                let accepted = (200..300).contains(&head.status);
                let confirmed = accepted && ledger.closed.is_none();
                if confirmed && !handshakes.established {
                    handshakes.established = true;
                    handshakes.on_channel = asked.channel.is_some();
                    handshakes.doubts.clear();
                    handshakes.session = asked.session;
                    handshakes.address = asked.channel;
                    ledger.paces.remove(&super::Name::Listening);
                    if let Some(given) = asked.session.and_then(|id| ledger.sessions.get_mut(&id)) {
                        given.confirmed = true;
                    }
                }
            }
            Part::Head(head) if !asked.kind.is_get() && handshakes.is_in_session(asked) => {
                // Others that are refused so are settled by a ping.
                let refused = head.status == 404 || head.status == 400 && asked.kind == Kind::Ping;
                if refused {
                    handshakes.doubts.insert(number);
                }
            }
            // It is the call that was refused, not its session.
            Part::Text(..)
                if wire.status == 400 && is(mark, |it| matches!(it, Mark::Reply { .. })) =>
            {
                handshakes.own_error |= handshakes.is_in_session(asked);
            }
            // Where each request stands on its own, only this shows that all has changed.
            Part::Text(..) | Part::End if mark == Some(Mark::Unsupported) && !asked.belongs() => {
                handshakes.doubts.insert(number);
            }
            Part::End | Part::Fail(_) if ledger.channel == Some(number) => {
                handshakes.doubts.insert(number);
            }
            _ => {}
        }
    }
}
