//! What the connection told meanwhile.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mcp_http::Event;

#[derive(Default)]
pub(crate) struct Heard {
    events: Mutex<Vec<Event>>,
    more: Condvar,
}

impl Heard {
    pub(crate) fn note(&self, event: Event) {
        self.lock().push(event);
        self.more.notify_all();
    }

    /// How many there were so far.
    pub(crate) fn so_far(&self) -> usize {
        self.lock().len()
    }

    /// How many there were that are like this, leaving out the first ones.
    pub(crate) fn count(&self, since: usize, is_it: impl Fn(&Event) -> bool) -> usize {
        let events = self.lock();
        events
            .iter()
            .skip(since)
            .filter(|event| is_it(event))
            .count()
    }

    /// Waits until there was one like this after the first ones, and says whether there was.
    pub(crate) fn wait(
        &self,
        since: usize,
        patience: Duration,
        is_it: impl Fn(&Event) -> bool,
    ) -> bool {
        let end = Instant::now() + patience;
        let mut events = self.lock();
        loop {
            if events.iter().skip(since).any(&is_it) {
                return true;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.more.wait_timeout(events, left);
            events = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
