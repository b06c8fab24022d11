//! What is to happen at which time.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use super::room::Room;
use crate::{CallId, ExchangeId, Time};

/// The reason for which a connection wants to be woken.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Timer {
    /// Closing has taken all its time.
    Closing,
    /// The handshake's delay is over.
    Handshake,
    /// A call's whole time is over.
    Call(CallId),
    /// A call's delay before it is sent again is over.
    Delay(CallId),
    /// An exchange's clock runs out, or it has lingered long enough.
    Exchange(ExchangeId),
    /// A change of the network that followed another at once is heeded.
    Network,
    /// The listening stream's delay is over.
    Listen,
    /// Nothing may have come on an exchange for too long.
    Silence(ExchangeId),
}

impl Timer {
    /// Of which kind it is, and whose.
    fn place(self) -> (usize, u64) {
        match self {
            Self::Closing => (0, 0),
            Self::Handshake => (0, 1),
            Self::Network => (0, 2),
            Self::Listen => (0, 3),
            Self::Call(id) => (1, id.number()),
            Self::Delay(id) => (2, id.number()),
            Self::Exchange(id) => (3, id.number()),
            Self::Silence(id) => (4, id.number()),
        }
    }
}

/// One moment for each timer that is set, in order.
#[derive(Clone, Default)]
pub(super) struct Timers {
    /// By kind: most calls have no timer but their own, and that is soon found out.
    at: [BTreeMap<u64, Time>; 5],
    queue: BTreeSet<(Time, Timer)>,
}

impl Room for Timers {
    fn shrink_to_fit(&mut self) {
        let Self { at, queue } = self;
        for kind in at {
            kind.shrink_to_fit();
        }
        queue.shrink_to_fit();
    }
}

impl Timers {
    pub(super) fn set(&mut self, timer: Timer, at: Time) {
        let (kind, number) = timer.place();
        let kind = self.at.get_mut(kind);
        if let Some(before) = kind.and_then(|kind| kind.insert(number, at)) {
            self.queue.remove(&(before, timer));
        }
        self.queue.insert((at, timer));
    }

    #[cfg(feature = "harness")]
    pub(super) fn weights(&self) -> super::weights::Weights {
        let Self { at, queue } = self;
        let kinds = [
            "timers.own",
            "timers.call",
            "timers.delay",
            "timers.exchange",
            "timers.silence",
        ];
        let at = kinds.into_iter().zip(at.iter().map(BTreeMap::len));
        at.chain([("timers.queue", queue.len())]).collect()
    }

    /// Sets a timer, or clears it where its clock is switched off.
    pub(super) fn set_within(&mut self, timer: Timer, now: Time, clock: Option<Duration>) {
        match clock {
            Some(clock) => self.set(timer, now + clock),
            None => drop(self.clear(timer)),
        }
    }

    pub(super) fn clear(&mut self, timer: Timer) -> Option<Time> {
        let (kind, number) = timer.place();
        let at = self.at.get_mut(kind)?.remove(&number)?;
        self.queue.remove(&(at, timer));
        Some(at)
    }

    pub(super) fn due(&self, timer: Timer) -> Option<Time> {
        let (kind, number) = timer.place();
        self.at.get(kind)?.get(&number).copied()
    }

    pub(super) fn next(&self) -> Option<Time> {
        self.queue.first().map(|(at, _)| *at)
    }

    pub(super) fn pop_due(&mut self, now: Time) -> Option<Timer> {
        let (_, timer) = self.queue.first().copied().filter(|(at, _)| *at <= now)?;
        self.clear(timer);
        Some(timer)
    }
}

impl fmt::Debug for Timers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(&self.queue).finish()
    }
}
