//! Waiting on a thread for what wakes tasks elsewhere.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::engine::Turn;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Wakes this thread when it waits.
pub(super) fn waker() -> Waker {
    Waker::from(Arc::new(Unpark(thread::current())))
}

/// Blocks this thread until there is something.
pub(super) fn wait<T>(engine: &dyn Turn, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
    loop {
        if let Some(ready) = wait_within(engine, Duration::MAX, &mut poll) {
            return ready;
        }
    }
}

/// Blocks this thread until there is something, or the time is over. While no thread
/// watches the clock, this one does.
pub(super) fn wait_within<T>(
    engine: &dyn Turn,
    time: Duration,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Option<T> {
    let began = Instant::now();
    let waker = waker();
    loop {
        if let Poll::Ready(ready) = poll(&mut Context::from_waker(&waker)) {
            return Some(ready);
        }
        let left = time
            .checked_sub(began.elapsed())
            .filter(|left| !left.is_zero())?;
        match engine.unwatched() {
            Some(Duration::ZERO) => engine.turn(),
            Some(due) => thread::park_timeout(left.min(due)),
            None => thread::park_timeout(left),
        }
    }
}
