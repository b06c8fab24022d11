//! Laws 4 and 10: no storms, and no pace that a server sets.

use std::time::Duration;

use super::super::asked::{Asked, Kind};
use super::super::part::{Mark, Part};
use super::super::rule::Rule;
use super::super::wire::Wire;
use super::{Judge, ends};
use crate::Time;

/// In so much time so many requests may leave, besides what calls need.
const WINDOW: Duration = Duration::from_secs(10);
const MOST: usize = 120;
/// For each call that is open.
const EACH: usize = 12;

/// A stream that may take several exchanges.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Name {
    Call(usize),
    Listening,
}

impl Name {
    pub(super) fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Call { key } | Kind::Resume { key, .. } => Some(Self::Call(key)),
            Kind::Get | Kind::ResumeListening { .. } | Kind::Subscribe => Some(Self::Listening),
            _ => None,
        }
    }
}

/// How the exchanges of a stream follow each other.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    ended: Option<Time>,
    bore: bool,
    /// When those that brought nothing began.
    barren: Vec<Time>,
    /// How many failed in a row, when the last did, and how long they lived since then.
    failures: u32,
    failed: Time,
    lived: Duration,
    /// When the one that is under way was answered.
    opened: Option<Time>,
}

/// Exchanges of a stream that bring nothing, in a window.
const BARREN: usize = 16;
/// What lives as long as this may be forgiven its failures: a client may see it live longer.
const LIVED: Duration = Duration::from_secs(4);

impl Pace {
    pub(super) fn hurried(&mut self) {
        self.ended = None;
        self.barren.clear();
        self.failures = 0;
    }

    /// An exchange is over.
    fn ends(&mut self, failed: bool, now: Time) {
        if self.ended.replace(now).is_some() {
            return;
        }
        self.lived += self
            .opened
            .take()
            .map_or(Duration::ZERO, |at| now.since(at));
        if self.lived >= LIVED {
            self.failures = 0;
        }
        if failed {
            self.failures += 1;
            (self.failed, self.lived) = (now, Duration::ZERO);
        }
    }
}

impl Judge {
    pub(super) fn stream_taken_up(&mut self, client: usize, name: Name, asked: &Asked, now: Time) {
        let ledger = &mut self.ledgers[client];
        let retries = ledger.setup.retries;
        let floor = retries.floor;
        let pace = ledger.paces.entry(name).or_default();
        let lag = Duration::from_millis(ledger.setup.lag);
        let hurries = now <= ledger.hurries + lag;
        let ended = pace.ended.take();
        let early = ended.is_some_and(|ended| !hurries && now < ended + floor);
        if !std::mem::take(&mut pace.bore) {
            pace.barren.push(now);
        }
        pace.barren.retain(|at| now < *at + WINDOW);
        let barren = pace.barren.len();
        let failures = pace.failures;
        // That of a call is not asked for again at all.
        let rests = name != Name::Listening || now < pace.failed + retries.pause;
        if failures >= retries.failures && rests && !hurries {
            self.breach(Rule::Spent, || {
                format!(
                    "client {client}: {:?} although it failed {failures} times",
                    asked.kind
                )
            });
        }
        if early {
            self.breach(Rule::Hasty, || {
                format!(
                    "client {client}: {:?} sooner than the floor allows",
                    asked.kind
                )
            });
        }
        if barren > BARREN {
            self.breach(Rule::Barren, || {
                format!(
                    "client {client}: {:?} for the {barren}th time for nothing",
                    asked.kind
                )
            });
        }
    }

    pub(super) fn pace_heard(&mut self, wire: &Wire, part: &Part, mark: Option<Mark>, now: Time) {
        let Some(name) = Name::of(wire.asked.kind) else {
            return;
        };
        // Else it is the call that was refused or broke; for 401 see below.
        let streams = matches!(wire.status, 200..=299 | 401);
        if matches!(wire.asked.kind, Kind::Call { .. }) && !streams {
            return;
        }
        let ledger = &mut self.ledgers[wire.client];
        let lag = Duration::from_millis(ledger.setup.lag);
        let forgiven = now <= ledger.hurries + lag;
        let pace = ledger.paces.entry(name).or_default();
        pace.bore |= mark.is_some();
        let over = match part {
            // With another credential it may leave again at once.
            Part::Head(head) if head.status == 401 => return pace.hurried(),
            Part::Head(head) => !head.is_promising(),
            part => ends(part),
        };
        if let Part::Head(_) = part {
            pace.opened = (!over).then_some(now);
        }
        if over && wire.status != 401 {
            let failed = match part {
                Part::Head(head) => !matches!(head.status, 300..=399 | 403),
                part => matches!(part, Part::Fail(_)),
            };
            pace.ends(failed && !forgiven, now);
        }
    }

    pub(super) fn is_no_storm(&mut self, client: usize, asked: &Asked, now: Time) {
        let ledger = &mut self.ledgers[client];
        ledger.recent.push_back(now);
        while ledger.recent.front().is_some_and(|at| *at + WINDOW < now) {
            ledger.recent.pop_front();
        }
        let (count, most) = (ledger.recent.len(), MOST + EACH * ledger.open_calls);
        if count > most {
            self.breach(Rule::Storm, || {
                format!(
                    "client {client}: {count} requests in {WINDOW:?}, the last {:?}",
                    asked.kind
                )
            });
        }
    }
}
