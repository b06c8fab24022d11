//! How fast a stream may go on: when its next exchange may leave (behaviour, section 6).

use std::time::Duration;

use super::exchange::{Exchange, Outcome, Over};
use crate::{Limits, Time};

pub(super) const FLOOR: Duration = Duration::from_millis(100);
pub(super) const CEILING: Duration = Duration::from_secs(300);
const FAILURES: u32 = 5;
const LIVED: Duration = Duration::from_secs(5);
const BARREN: u32 = 3;
const SLOW: Duration = Duration::from_secs(1);

/// How fast a stream may go on.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    /// At least and at most so many in a row.
    failures: (u32, u32),
    barren: u32,
    /// When exchanges ended that brought nothing, and whether that is known for sure.
    idle: Vec<(Time, bool)>,
    /// For how many exchanges it is not known for sure which messages are new.
    unsure: u32,
    /// Whether it has slowed down: certainly, perhaps.
    slow: (bool, bool),
    told: Option<Duration>,
    /// What the server said about the time when it refused the last exchange.
    after: Option<Duration>,
    polling: bool,
    redirects: u32,
    /// The last answer was a redirect that is to be followed.
    follows: bool,
    /// When the last redirect is followed, at the earliest and at the latest.
    redirected: Option<(Time, Time)>,
    /// One of them may have been taken for dead before it ended.
    loose: bool,
    /// When the network changed, which forgives even that its failures were spent.
    forgiven: Time,
    /// When the delay was forgiven, and whether it was for sure.
    hurries: Option<(Time, bool)>,
    /// How long it lived since its last failure, at least and at most.
    lived: (Duration, Duration),
    /// When the last exchange ended, at the earliest and at the latest.
    ended: (Time, Time),
}

impl Pace {
    /// The delay: at least and at most this.
    pub(super) fn delay(&self) -> (Duration, Duration) {
        if self.loose {
            return (FLOOR, CEILING);
        }
        let growing = 1_u64 << self.failures.1.saturating_sub(1).min(5);
        let told = if self.polling {
            self.told
        } else {
            self.after.or(self.told)
        };
        let least = if self.slow.0 { SLOW } else { FLOOR };
        let most = if self.slow.1 { SLOW } else { FLOOR };
        match told {
            Some(told) => (told.max(least), told.max(most)),
            None => (least, Duration::from_secs(growing.min(30))),
        }
    }

    /// Whether no exchange follows soon: certainly, perhaps.
    pub(super) fn gives_up(&self) -> (bool, bool) {
        if self.loose {
            return (false, true);
        }
        if self.follows || self.hurries.is_some_and(|(_, sure)| sure) {
            return (false, false);
        }
        let far = self.delay().0 > CEILING;
        let spent = |failures| failures >= FAILURES && !self.polling;
        (far || spent(self.failures.0), far || spent(self.failures.1))
    }

    /// The next exchange is due between these.
    pub(super) fn due(&self) -> (Time, Time) {
        let (least, most) = self.delay();
        let due = match self.redirected.filter(|_| self.follows) {
            Some((_, latest)) if self.loose => (self.ended.0 + least, latest),
            Some(due) => due,
            None => (self.ended.0 + least, self.ended.1 + most),
        };
        let due = (due.0, due.1.max(self.forgiven));
        match self.hurries {
            Some((at, true)) => (at, at),
            Some((at, false)) => (due.0.min(at), due.1),
            None => due,
        }
    }

    pub(super) fn ended(&self) -> (Time, Time) {
        self.ended
    }

    pub(super) fn is_loose(&self) -> bool {
        self.loose
    }

    pub(super) fn is_polling(&self) -> bool {
        self.polling
    }

    pub(super) fn follows(&self) -> bool {
        self.follows
    }

    /// The network changed: the failures are forgiven.
    pub(super) fn forgive(&mut self) {
        self.failures = (0, 0);
    }

    /// It is asked for where it was at first: redirects are counted anew.
    pub(super) fn start_over(&mut self) {
        self.redirects = 0;
    }

    /// The failures are forgiven while a delay runs: nobody waits for that after a failure,
    /// unless the server asked.
    pub(super) fn hurry(&mut self, at: Time) {
        let asked = self.after.is_some_and(|after| after <= CEILING);
        let unclear = self.loose || self.follows;
        if unclear || !self.polling && !asked {
            self.hurries.get_or_insert((at, !unclear));
        }
        self.forgiven = at;
        self.forgive();
    }

    /// One more exchange has ended. `loose`: when is not known for sure.
    pub(super) fn ended_one(&mut self, exchange: &Exchange, limits: &Limits, loose: bool) {
        self.loose |= exchange.silent.is_some() && exchange.over != Some(Over::Silent);
        let (_, told) = exchange.found(limits);
        self.told = told.or(self.told);
        let opened = exchange.opened();
        self.ended = exchange.ended();
        let lived = |end: Time| opened.map_or(Duration::ZERO, |opened| end.since(opened));
        self.lived.0 += if loose {
            Duration::ZERO
        } else {
            lived(self.ended.0)
        };
        self.lived.1 += if loose { LIVED } else { lived(self.ended.1) };
        if exchange.outcome == Outcome::Redirected && self.redirects < 3 {
            self.redirects += 1;
            self.follows = true;
            let (early, late) = (self.ended.0 + FLOOR, self.ended.1 + FLOOR);
            let next = self.redirected.map_or((early, late), |(first, last)| {
                (early.max(first + SLOW), late.max(last + SLOW))
            });
            self.redirected = Some(next);
            return;
        }
        self.follows = false;
        self.redirects = 0;
        if self.lived.1 >= LIVED {
            self.failures.0 = 0;
        }
        if self.lived.0 >= LIVED {
            self.failures.1 = 0;
        }
        self.unsure = match !loose && exchange.known.len() < 2 {
            true => self.unsure.saturating_sub(1),
            false => BARREN,
        };
        self.count_barren(exchange.brought_a_message(limits));
        let clean = exchange.outcome == Outcome::Cut { clean: true };
        self.after = match exchange.outcome {
            Outcome::Later(after) => after,
            _ => None,
        };
        self.polling = clean && self.told.is_some();
        if !self.polling {
            self.failures = (self.failures.0 + 1, self.failures.1 + 1);
            self.lived = (Duration::ZERO, Duration::ZERO);
        }
    }

    /// Too many that bring nothing, in a row or within as many slow delays, slow it down.
    fn count_barren(&mut self, brought: bool) {
        let (now, sure) = (self.ended.1, self.unsure == 0 && !self.loose);
        self.barren = if brought { 0 } else { self.barren + 1 };
        if !brought || !sure {
            self.idle.push((now, sure && !brought));
        }
        self.idle.retain(|(at, _)| now.since(*at) < SLOW * BARREN);
        let all = self.idle.len();
        let certain = self.idle.iter().filter(|(_, sure)| *sure).count();
        let many = |count: usize| count >= BARREN as usize;
        self.slow = (
            sure && !brought && (self.barren >= BARREN || many(certain)),
            !(sure && brought) && (!sure || self.barren >= BARREN || many(all)),
        );
    }
}
