//! The threads: one for each exchange that is under way, one for the clock.

mod exchange;

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use http::Request;

use self::exchange::CHUNK;
use super::transport::{Abort, Transport};
use crate::adapter::Shared;
use crate::error::Failure;
use crate::{Authorize, ExchangeId, Time, Transmit};

/// How long a thread waits for more work before it ends.
const IDLE: Duration = Duration::from_secs(1);

/// What a handle needs of the engine, whatever its transport.
pub(super) trait Turn: Send + Sync {
    /// Does what the machine wants now.
    fn turn(&self);

    /// How long until the machine is to be woken, if no thread is there to do it.
    fn unwatched(&self) -> Option<Duration>;

    /// Ends the threads, and waits until they have ended.
    fn join(&self);
}

/// Where credentials come from.
pub(super) type Source = Arc<dyn Fn(Authorize) -> Option<String> + Send + Sync>;

pub(super) struct Engine<T> {
    shared: Arc<Shared>,
    transport: T,
    source: Option<Source>,
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
    /// Threads that do jobs, and those of them that wait for one.
    workers: usize,
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
    pub(super) fn new(shared: Arc<Shared>, transport: T, source: Option<Source>) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            shared,
            transport,
            source,
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

    /// Gives this to a thread, or to the next that has nothing else to do. If there is none,
    /// and none can be started, it fails.
    fn begin(&self, job: Job) -> bool {
        let mut threads = self.threads();
        let id = job.id;
        threads.jobs.push_back(job);
        if threads.idle >= threads.jobs.len() {
            self.work.notify_one();
        } else if self.spawn(&mut threads, "mcp-http-exchange", Self::work) {
            threads.workers += 1;
        } else if threads.workers == 0 {
            threads.jobs.pop_back();
            threads.aborts.remove(&id);
            drop(threads);
            let failure = Failure::not_sent("no thread could be started");
            self.shared.failed(id, failure);
            return false;
        }
        true
    }

    /// Asks the source for a credential, on a thread that nobody waits for: a person may
    /// be asked in turn. False if there is no such thread; then there is no credential.
    fn ask(&self, number: u64, question: Authorize) -> bool {
        let engine = Weak::clone(&self.this);
        let answer = move |source: Source| {
            // Without the credential, what waits for it ends; with the panic, nothing would.
            let credential = catch_unwind(AssertUnwindSafe(|| source(question)));
            if let Some(engine) = engine.upgrade() {
                engine.answered(number, credential.unwrap_or_default());
                engine.turn();
            }
        };
        let asked = self.source.clone().is_some_and(|source| {
            let thread = thread::Builder::new().name("mcp-http-authorize".to_owned());
            thread.spawn(move || answer(source)).is_ok()
        });
        if !asked {
            self.answered(number, None);
        }
        asked
    }

    fn answered(&self, number: u64, credential: Option<String>) {
        let now = self.shared.now();
        let mut state = self.shared.lock();
        state.answer_question(number, credential.as_deref(), now);
    }

    /// The life of a thread that does exchanges.
    fn work(&self) {
        // Zeroed once, not for each.
        let mut chunk = vec![0; CHUNK];
        let mut threads = self.threads();
        loop {
            if let Some(job) = threads.jobs.pop_front() {
                drop(threads);
                let id = job.id;
                let ran = catch_unwind(AssertUnwindSafe(|| self.exchange(job, &mut chunk)));
                if ran.is_err() {
                    let failure = Failure::broken("the transport panicked");
                    self.shared.failed(id, failure);
                    self.turn();
                }
                // Of an exchange that was aborted it may have begun to wait since.
                self.shared.lock().unpause(id);
                threads = self.threads();
                threads.aborts.remove(&id);
                continue;
            }
            if threads.ending {
                break;
            }
            threads.idle += 1;
            let (woken, waited) = self
                .work
                .wait_timeout(threads, IDLE)
                .unwrap_or_else(PoisonError::into_inner);
            threads = woken;
            threads.idle = threads.idle.saturating_sub(1);
            if waited.timed_out() && threads.jobs.is_empty() {
                break;
            }
        }
        threads.workers = threads.workers.saturating_sub(1);
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

    /// Has somebody wake the machine at this time; false if nobody is there to do it. The
    /// machine is locked meanwhile, so that no older word of another turn takes the place
    /// of this one.
    fn wake_at(&self, at: Option<Time>) -> bool {
        let mut threads = self.threads();
        let sooner_or_never = match (at, threads.wake) {
            (Some(at), Some(before)) => at < before,
            (at, before) => at.is_some() != before.is_some(),
        };
        threads.wake = at;
        if at.is_some() && !threads.has_timer && !threads.ending {
            threads.has_timer = self.spawn(&mut threads, "mcp-http-timer", Self::watch);
        } else if sooner_or_never {
            self.clock.notify_one();
        }
        at.is_none() || threads.has_timer
    }

    /// Does what the machine wants; false if something of that failed at once.
    fn go_round(&self) -> bool {
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
        if !self.wake_at(state.connection.poll_timeout()) {
            // They see then that it is theirs to do.
            state.wake_all();
        }
        let question = state.question();
        drop(state);

        for abort in aborted {
            abort.abort();
        }
        let mut begun = question.is_none_or(|(number, question)| self.ask(number, question));
        for job in jobs {
            begun &= self.begin(job);
        }
        begun
    }
}

impl<T: Transport> Turn for Engine<T> {
    fn turn(&self) {
        while !self.go_round() {}
    }

    fn unwatched(&self) -> Option<Duration> {
        let now = self.shared.now();
        let threads = self.threads();
        let at = threads.wake.filter(|_| !threads.has_timer)?;
        Some(at.since(now))
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
