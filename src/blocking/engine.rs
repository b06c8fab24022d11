//! The threads: one for each exchange that is under way, one for the clock.

use std::collections::{BTreeMap, VecDeque};
use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use http::Request;

use super::park;
use super::transport::{Abort, Transport};
use crate::adapter::Shared;
use crate::error::Failure;
use crate::{ExchangeId, Time, Transmit};

/// How long a thread waits for more work before it ends.
const IDLE: Duration = Duration::from_secs(1);
/// How much is read at a time.
const CHUNK: usize = 16 << 10;

/// What a handle needs of the engine, whatever its transport.
pub(super) trait Turn: Send + Sync {
    /// Does what the machine wants now.
    fn turn(&self);

    /// Ends the threads, and waits until they have ended.
    fn join(&self);
}

pub(super) struct Engine<T> {
    shared: Arc<Shared>,
    transport: T,
    threads: Mutex<Threads>,
    /// There is work, or it is time to end.
    work: Condvar,
    /// The time to wake at is another, or it is time to end.
    clock: Condvar,
    this: Weak<Self>,
}

#[derive(Default)]
struct Threads {
    jobs: VecDeque<Job>,
    aborts: BTreeMap<ExchangeId, Abort>,
    /// Threads that wait for a job.
    idle: usize,
    /// When to wake the machine.
    wake: Option<Time>,
    has_timer: bool,
    ending: bool,
    handles: Vec<JoinHandle<()>>,
}

struct Job {
    id: ExchangeId,
    request: Request<Bytes>,
    abort: Abort,
}

impl<T: Transport> Engine<T> {
    pub(super) fn new(shared: Arc<Shared>, transport: T) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            shared,
            transport,
            threads: Mutex::default(),
            work: Condvar::new(),
            clock: Condvar::new(),
            this: Weak::clone(this),
        })
    }

    fn threads(&self) -> MutexGuard<'_, Threads> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A thread of its own for this.
    fn spawn(
        &self,
        threads: &mut Threads,
        name: &str,
        run: impl FnOnce(&Self) + Send + 'static,
    ) -> bool {
        let Some(this) = self.this.upgrade() else {
            return false;
        };
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || run(&this));
        threads.handles.retain(|handle| !handle.is_finished());
        match thread {
            Ok(handle) => {
                threads.handles.push(handle);
                true
            }
            Err(_) => false,
        }
    }

    fn begin(&self, job: Job) {
        let mut threads = self.threads();
        let id = job.id;
        threads.jobs.push_back(job);
        if threads.idle >= threads.jobs.len() {
            self.work.notify_one();
        } else if !self.spawn(&mut threads, "mcp-http-exchange", Self::work)
            && threads.handles.is_empty()
        {
            threads.jobs.pop_back();
            threads.aborts.remove(&id);
            drop(threads);
            self.shared
                .failed(id, Failure::not_sent("no thread could be started"));
        }
    }

    /// The life of a thread that does exchanges.
    fn work(&self) {
        let mut threads = self.threads();
        loop {
            if let Some(job) = threads.jobs.pop_front() {
                drop(threads);
                let id = job.id;
                self.exchange(job);
                // Of an exchange that was aborted it may have begun to wait since.
                self.shared.lock().unpause(id);
                threads = self.threads();
                threads.aborts.remove(&id);
                continue;
            }
            if threads.ending {
                return;
            }
            threads.idle += 1;
            let (woken, waited) = self
                .work
                .wait_timeout(threads, IDLE)
                .unwrap_or_else(PoisonError::into_inner);
            threads = woken;
            threads.idle = threads.idle.saturating_sub(1);
            if waited.timed_out() && threads.jobs.is_empty() {
                return;
            }
        }
    }

    /// One exchange, from the request to the last byte of its answer.
    fn exchange(&self, job: Job) {
        let Job { id, request, abort } = job;
        let response = match self.transport.send(request, &abort) {
            Ok(response) => response,
            Err(failure) => {
                self.shared.failed(id, failure);
                return self.turn();
            }
        };
        let (head, mut body) = response.into_parts();
        self.shared
            .report(|connection, now| connection.handle_head(id, head.status, &head.headers, now));
        self.turn();
        let mut chunk = vec![0; CHUNK];
        let waker = park::waker();
        let _hook = abort.on_abort(move || waker.wake());
        loop {
            park::wait(
                |cx| match abort.is_aborted() || self.shared.wants_read(id, cx) {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                },
            );
            if abort.is_aborted() {
                return;
            }
            let read = body.read(&mut chunk);
            let ended = match read {
                Ok(0) => {
                    self.shared
                        .report(|connection, now| connection.handle_end(id, now));
                    true
                }
                Ok(length) => {
                    let bytes = Bytes::copy_from_slice(chunk.get(..length).unwrap_or_default());
                    self.shared
                        .report(|connection, now| connection.handle_body(id, bytes, now));
                    false
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => false,
                Err(error) => {
                    self.shared.failed(id, Failure::broken(error.to_string()));
                    true
                }
            };
            self.turn();
            if ended {
                return;
            }
        }
    }

    /// The life of the thread that watches the clock.
    fn watch(&self) {
        let mut threads = self.threads();
        loop {
            let now = self.shared.now();
            if threads.ending {
                break;
            }
            let left = match threads.wake {
                Some(at) if at <= now => {
                    drop(threads);
                    self.turn();
                    threads = self.threads();
                    continue;
                }
                Some(at) => at.since(now),
                None => IDLE,
            };
            let (woken, waited) = self
                .clock
                .wait_timeout(threads, left)
                .unwrap_or_else(PoisonError::into_inner);
            threads = woken;
            if waited.timed_out() && threads.wake.is_none() {
                break;
            }
        }
        threads.has_timer = false;
    }

    /// Has somebody wake the machine at this time. The machine is locked meanwhile, so
    /// that no older word of another turn takes the place of this one.
    fn wake_at(&self, at: Option<Time>) {
        let mut threads = self.threads();
        let sooner = match (at, threads.wake) {
            (Some(at), Some(before)) => at < before,
            (at, before) => at.is_some() && before.is_none(),
        };
        threads.wake = at;
        if at.is_some() && !threads.has_timer && !threads.ending {
            threads.has_timer = self.spawn(&mut threads, "mcp-http-timer", Self::watch);
        } else if sooner {
            self.clock.notify_one();
        }
    }
}

impl<T: Transport> Turn for Engine<T> {
    fn turn(&self) {
        let mut jobs = Vec::new();
        let mut aborted = Vec::new();
        let now = self.shared.now();
        let mut state = self.shared.lock();
        if state.connection.poll_timeout().is_some_and(|at| at <= now) {
            state.connection.handle_timeout(now);
        }
        state.settle(now);
        while let Some(transmit) = state.connection.poll_transmit(now) {
            match transmit {
                // While the machine is locked, so that no other turn can want to abort
                // what this one has not noted yet.
                Transmit::Send {
                    exchange: id,
                    request,
                } => {
                    let abort = Abort::new();
                    self.threads().aborts.insert(id, abort.clone());
                    jobs.push(Job { id, request, abort });
                }
                Transmit::Abort { exchange } => {
                    aborted.extend(self.threads().aborts.remove(&exchange));
                }
            }
        }
        state.settle(now);
        self.wake_at(state.connection.poll_timeout());
        drop(state);

        for abort in aborted {
            abort.abort();
        }
        for job in jobs {
            self.begin(job);
        }
    }

    fn join(&self) {
        let mut threads = self.threads();
        threads.ending = true;
        let handles = std::mem::take(&mut threads.handles);
        drop(threads);
        self.work.notify_all();
        self.clock.notify_all();
        for handle in handles {
            if handle.thread().id() != thread::current().id() {
                // A panic of that thread was reported where it happened.
                let _ = handle.join();
            }
        }
    }
}

#[cfg(test)]
mod tests;
