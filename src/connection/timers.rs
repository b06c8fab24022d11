//! What is to happen at which time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

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

/// One moment for each timer that is set, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers {
    at: BTreeMap<Timer, Time>,
    queue: BTreeSet<(Time, Timer)>,
}

impl Timers {
    pub(super) fn set(&mut self, timer: Timer, at: Time) {
        if let Some(before) = self.at.insert(timer, at) {
            self.queue.remove(&(before, timer));
        }
        self.queue.insert((at, timer));
    }

    /// Sets a timer, or clears it where its clock is switched off.
    pub(super) fn set_within(&mut self, timer: Timer, now: Time, clock: Option<Duration>) {
        match clock {
            Some(clock) => self.set(timer, now + clock),
            None => drop(self.clear(timer)),
        }
    }

    pub(super) fn clear(&mut self, timer: Timer) -> Option<Time> {
        let at = self.at.remove(&timer)?;
        self.queue.remove(&(at, timer));
        Some(at)
    }

    pub(super) fn due(&self, timer: Timer) -> Option<Time> {
        self.at.get(&timer).copied()
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
