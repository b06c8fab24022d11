//! An exchange as far as the transport knows it: who may call it off, what has left.

use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use ::ureq::Error;

use crate::blocking::transport::Abort;

/// The longest time to connect: a clock cannot show every time that a caller can think of.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// A request that is being sent, and then its response.
pub(super) struct Exchange {
    pub(super) abort: Abort,
    /// Until when a connection has to be made.
    deadline: Instant,
    /// Whether any byte of the request was handed to the system.
    sent: AtomicBool,
}

impl Exchange {
    pub(super) fn new(abort: &Abort, limit: Duration) -> Self {
        Self {
            abort: abort.clone(),
            deadline: Instant::now() + limit.min(LONGEST),
            sent: AtomicBool::new(false),
        }
    }

    /// What is left of the time to connect.
    pub(super) fn left(&self) -> io::Result<Duration> {
        match self.deadline.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(late()),
            left => Ok(left),
        }
    }

    /// An error if it was called off.
    pub(super) fn goes_on(&self) -> io::Result<()> {
        if self.abort.is_aborted() {
            return Err(io::Error::other("it was aborted"));
        }
        Ok(())
    }

    pub(super) fn note_sent(&self) {
        self.sent.store(true, Ordering::Relaxed);
    }

    pub(super) fn was_sent(&self) -> bool {
        self.sent.load(Ordering::Relaxed)
    }
}

pub(super) fn late() -> io::Error {
    io::Error::new(ErrorKind::TimedOut, "the time to connect is over")
}

/// The requests that are being sent, by thread. ureq runs all of a request on the
/// thread that asks for it, but has no place for more than the request itself, and
/// whoever makes a connection, or finds an idle one, has to know whose abort ends it.
#[derive(Default)]
pub(super) struct Exchanges(Mutex<Vec<(ThreadId, Arc<Exchange>)>>);

impl Exchanges {
    /// While this thread does something.
    pub(super) fn during<T>(&self, exchange: &Arc<Exchange>, run: impl FnOnce() -> T) -> T {
        struct Leave<'a>(&'a Exchanges, ThreadId);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                self.0.lock().retain(|(thread, _)| *thread != self.1);
            }
        }
        let thread = thread::current().id();
        self.lock().push((thread, Arc::clone(exchange)));
        let _leave = Leave(self, thread);
        run()
    }

    pub(super) fn current(&self) -> Result<Arc<Exchange>, Error> {
        let current = thread::current().id();
        self.lock()
            .iter()
            .find(|(thread, _)| *thread == current)
            .map(|(_, exchange)| Arc::clone(exchange))
            .ok_or(Error::ConnectionFailed)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(ThreadId, Arc<Exchange>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
