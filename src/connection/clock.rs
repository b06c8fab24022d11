//! The clock of a whole call (lifecycle: timeouts).

use std::time::Duration;

use super::Connection;
use super::call::State;
use super::timers::Timer;
use crate::error::Clock;
use crate::{CallId, Time};

/// The clock of a whole call, which stands still while a person is asked.
#[derive(Clone, Debug)]
pub(super) struct CallClock {
    pub(super) limit: Option<Duration>,
    /// Progress starts it anew, up to this moment.
    pub(super) longest: Option<Time>,
    pub(super) asks: u32,
    /// What is left, while it stands still, and since when it does.
    pub(super) left: Option<(Duration, Time)>,
    /// Since when people are waited for, whether it is limited or not.
    pub(super) stopped: Option<Time>,
}

impl Connection {
    pub(super) fn call_timed_out(&mut self, id: CallId) {
        if let Some(limit) = self.calls.get(&id).and_then(|call| call.clock.limit) {
            self.give_up(id, Clock::Call(limit).into());
        }
    }

    /// An ask opened on behalf of the call.
    pub(super) fn pause_clock(&mut self, id: CallId) {
        let now = self.now;
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.clock.asks = call.clock.asks.saturating_add(1);
        call.clock.stopped.get_or_insert(now);
        if let Some(end) = self.timers.clear(Timer::Call(id)) {
            call.clock.left = Some((end.since(now), now));
        }
    }

    /// An ask on behalf of the call was answered or withdrawn.
    pub(super) fn resume_clock(&mut self, id: CallId) {
        let now = self.now;
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.clock.asks = call.clock.asks.saturating_sub(1);
        if call.clock.asks > 0 {
            return;
        }
        let stopped = call.clock.stopped.take();
        let paused = stopped.map_or(Duration::ZERO, |since| now.since(since));
        call.patience = call.patience.map(|patience| patience + paused);
        if let Some((left, since)) = call.clock.left.take() {
            let paused = now.since(since);
            call.clock.longest = call.clock.longest.map(|longest| longest + paused);
            self.timers.set(Timer::Call(id), now + left);
        }
        if let State::Sent(exchange) = call.state {
            self.hear(exchange);
        }
    }

    /// Progress was made: where that counts, the clock starts anew (lifecycle:
    /// timeouts).
    pub(super) fn extend_clock(&mut self, id: CallId) {
        let now = self.now;
        let Some(clock) = self.calls.get_mut(&id).map(|call| &mut call.clock) else {
            return;
        };
        let (Some(limit), Some(longest)) = (clock.limit, clock.longest) else {
            return;
        };
        if let Some((left, since)) = &mut clock.left {
            *left = limit.min(longest.since(*since)).max(*left);
        } else if let Some(due) = self.timers.due(Timer::Call(id)) {
            let anew = (now + limit).min(longest).max(due);
            self.timers.set(Timer::Call(id), anew);
        }
    }
}
