//! Calls: what becomes of each (laws 2 and 5), and when it may leave.

mod outcome;

use std::time::Duration;

use super::super::asked::{Asked, Kind};
use super::super::part::{Head, Mark, Part};
use super::super::rule::Rule;
use super::super::wire::Wire;
use super::{Judge, ends, never_sent};
use crate::{Delivery, Time};

/// What the application asked for.
#[derive(Clone, Debug)]
pub(in super::super) struct Terms {
    pub(in super::super) idempotent: bool,
    pub(in super::super) never: bool,
    pub(in super::super) whole: Option<Duration>,
    /// How far progress may extend that.
    pub(in super::super) longest: Option<Duration>,
}

/// A call, and what really became of it.
#[derive(Debug)]
pub(super) struct Deed {
    client: usize,
    made: Time,
    terms: Terms,
    /// How long people had been asked when it was made.
    paused: Duration,
    /// Somebody has read it.
    arrived: bool,
    executed: u32,
    /// A proxy refused it although the server executed it.
    lied: bool,
    posts: u32,
    redirected: u32,
    /// How often the server asked before it replied, by a result.
    rounds: u32,
    /// How often something went wrong with an exchange of its own.
    troubles: u32,
    channels_lost: u32,
    /// The JSON-RPC request that left last.
    rpc: u64,
    /// Its reply is in the hands of the client.
    answered: bool,
    /// A refusal is, that may be its reply.
    refused: bool,
    /// It was made so that the application restores its state.
    restores: bool,
    /// It was refused with its session, and has not left since.
    homeless: bool,
    /// Before this it is not to leave again: the server said so.
    put_off: Time,
    /// The server asks to wait longer than anybody does.
    hopeless: bool,
    pub(super) end: Option<End>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum End {
    Failed(Delivery),
    Replied,
}

impl Deed {
    /// Something went wrong with an exchange of its own.
    pub(super) fn disturbed(&mut self) {
        self.troubles += 1;
    }
}

impl Judge {
    pub(in super::super) fn called(&mut self, client: usize, terms: Terms, now: Time) {
        let ledger = &mut self.ledgers[client];
        ledger.open_calls += 1;
        self.deeds.push(Deed {
            client,
            made: now,
            terms,
            paused: ledger.pauses.so_far(now),
            arrived: false,
            executed: 0,
            lied: false,
            posts: 0,
            redirected: 0,
            rounds: 0,
            troubles: 0,
            channels_lost: ledger.channels_lost,
            rpc: 0,
            answered: false,
            refused: false,
            restores: ledger.restoring,
            homeless: false,
            put_off: Time::ZERO,
            hopeless: false,
            end: None,
        });
    }

    /// A request that carries it has reached somebody.
    pub(in super::super) fn arrived(&mut self, key: usize) {
        self.deeds[key].arrived = true;
    }

    /// Whether it was executed before.
    pub(in super::super) fn executed(&mut self, key: usize) -> bool {
        let deed = &mut self.deeds[key];
        deed.executed += 1;
        let (times, lied) = (deed.executed, deed.lied);
        if times > 1 && !deed.terms.idempotent && !lied {
            self.breach(Rule::Doubled, || {
                format!("call {key} is executed {times} times")
            });
        }
        times > 1
    }

    /// A proxy says that it was refused, and nobody can know better.
    pub(in super::super) fn lied(&mut self, key: usize) {
        self.deeds[key].lied = true;
    }

    pub(in super::super) fn has_ended(&self, key: usize) -> bool {
        self.deeds[key].end.is_some()
    }

    /// Whether it was executed, but failed for the application.
    pub(in super::super) fn is_unheard(&self, key: usize) -> bool {
        let deed = &self.deeds[key];
        deed.executed > 0 && deed.end != Some(End::Replied)
    }

    pub(in super::super) fn is_replied(&self, key: usize) -> bool {
        self.deeds[key].end == Some(End::Replied)
    }

    pub(in super::super) fn is_sent(&self, key: usize) -> bool {
        self.deeds[key].rpc > 0
    }

    pub(in super::super) fn calls(&self) -> usize {
        self.deeds.len()
    }

    pub(super) fn call_sent(&mut self, client: usize, key: usize, asked: &Asked, now: Time) {
        let ledger = &self.ledgers[client];
        let established = ledger.handshakes.established;
        let restoring = ledger.restoring;
        let retries = &ledger.setup.retries;
        // Once, once more for another revision, and for each other reason that there is.
        let credentials = ledger.credentials.len() as u32;
        let again = ledger.setup.budget.resends as u32 + credentials + 1;
        let resends = retries.resends;
        let deed = &mut self.deeds[key];
        // Each round may fail as often as the first.
        let rounds = 1 + deed.rounds;
        let most = match deed.terms.never {
            true => rounds,
            false => rounds * (1 + resends) + again,
        };
        deed.rpc = asked.rpc;
        deed.answered = false;
        match asked.moved {
            0 => deed.posts += 1,
            _ => deed.redirected += 1,
        }
        let (posts, redirected) = (deed.posts, deed.redirected);
        let (hopeless, early) = (deed.hopeless, now < deed.put_off);
        let held = std::mem::take(&mut deed.homeless) && restoring;
        let doubled = deed.executed > 0 && !deed.terms.idempotent && !deed.lied;
        if let Some(end) = deed.end {
            self.breach(Rule::EndedLeaves, || {
                format!("call {key} leaves although it ended: {end:?}")
            });
        }
        if doubled {
            self.breach(Rule::ExecutedLeaves, || {
                format!("call {key} leaves again, and was executed")
            });
        }
        if held {
            self.breach(Rule::HeldLeaves, || {
                format!("call {key} leaves, and its session's state is not restored")
            });
        }
        if hopeless {
            self.breach(Rule::BeyondCeiling, || {
                format!("call {key} leaves, and was put off beyond the ceiling")
            });
        }
        if early {
            self.breach(Rule::Sooner, || {
                format!("call {key} leaves sooner than it was told")
            });
        }
        if !established {
            self.breach(Rule::Early, || {
                format!("call {key} leaves before there is a session")
            });
        }
        if posts > most {
            self.breach(Rule::TooOften, || {
                format!("call {key} leaves for the {posts}th time")
            });
        }
        if redirected > 3 * posts {
            self.breach(Rule::Redirects, || {
                format!("call {key} follows {redirected} redirects in {posts} times")
            });
        }
    }

    /// A call is put off: not for longer than the ceiling, and not for less.
    fn put_off(&mut self, wire: &Wire, head: &Head, now: Time) {
        let Kind::Call { key } = wire.asked.kind else {
            return;
        };
        let refused = matches!(head.status, 408 | 429 | 500..=599);
        if let Some(after) = head.told_to_wait().filter(|_| refused) {
            let ceiling = self.ledgers[wire.client].setup.retries.ceiling;
            let deed = &mut self.deeds[key];
            deed.hopeless = after > ceiling;
            deed.put_off = now + after;
        }
    }

    pub(super) fn call_heard(&mut self, wire: &Wire, part: &Part, mark: Option<Mark>, now: Time) {
        if let Part::Head(head) = part {
            self.put_off(wire, head, now);
        }
        // Where everything is said on the channel, nothing else is listened to.
        let aside = wire.asked.channel.is_some() && matches!(wire.asked.kind, Kind::Call { .. });
        let refused = aside && wire.status >= 400;
        if let Some(Mark::Reply { key, rpc }) = mark.filter(|_| !aside || refused) {
            let deed = &mut self.deeds[key];
            deed.answered |= deed.rpc == rpc && deed.client == wire.client;
        }
        if let Some(Mark::Asks { key }) = mark {
            self.deeds[key].rounds += 1;
        }
        let Some(key) = wire.asked.kind.key() else {
            return;
        };
        let deed = &mut self.deeds[key];
        if let (Part::Head(head), Kind::Call { .. }) = (part, wire.asked.kind) {
            let lost = match (wire.asked.session, wire.asked.channel) {
                (Some(_), _) => matches!(head.status, 400 | 404),
                (None, Some(_)) => head.status == 404,
                (None, None) => false,
            };
            deed.homeless = lost && !deed.restores;
        }
        // A refusal without an id is its own.
        deed.refused |= matches!(mark, Some(Mark::Refused | Mark::Unsupported));
        // The end of a refusal is not waited for at any price.
        deed.refused |= matches!(part, Part::Text(..)) && wire.status >= 400;
        if never_sent(part) && matches!(wire.asked.kind, Kind::Call { .. }) {
            // As often as there is patience for it.
            deed.posts = deed.posts.saturating_sub(1);
        }
        if matches!(part, Part::Head(head) if !head.is_promising() && !aside) {
            deed.disturbed();
        }
        let accepted = aside && (200..300).contains(&wire.status);
        if ends(part) && mark.is_none() && !accepted {
            deed.disturbed();
            if aside {
                // What comes on the channel in spite of that is not waited for.
                deed.rpc = 0;
            }
        }
    }
}
