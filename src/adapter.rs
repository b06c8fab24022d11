//! What all adapters share: the machine, and who waits for what. It moves no bytes.

mod credentials;
mod readers;
mod wakers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use self::credentials::Asking;
use self::wakers::{Locked, Places};
use crate::error::{Delivery, Error, Failure, Lost, Reason};
use crate::{Config, Connection, Event, ExchangeId, Phase, RawJson, Subject, Ticket, Time};

pub(crate) struct Shared {
    state: Mutex<State>,
    clock: Box<dyn Fn() -> Time + Send + Sync>,
}

pub(crate) struct State {
    pub(crate) connection: Connection,
    /// Those who wait for the end of something that they began.
    slots: BTreeMap<Subject, Slot>,
    /// Those who wait for the session, or for its end.
    watchers: Places,
    /// Those who read events.
    readers: Places,
    /// Asks that were read and not answered yet.
    asked: BTreeSet<Ticket>,
    /// As many asks as the machine leaves open.
    most_asked: usize,
    /// Who gives credentials.
    asking: Asking,
    /// Exchanges that wait until the machine wants to read on.
    paused: BTreeMap<ExchangeId, Waker>,
    /// The phase that the watchers know of.
    phase: Phase,
    driver: Option<Waker>,
    /// Those who are woken as soon as the state is unlocked.
    woken: Vec<Waker>,
    /// Whether the machine was told something since the driver last asked it.
    pub(crate) dirty: bool,
    /// Whether the driver is gone.
    gone: bool,
}

/// What was waited for: a call's result, or `null` for what is only accepted.
type Outcome = Result<RawJson, Error>;

struct Slot {
    method: Option<String>,
    outcome: Option<Outcome>,
    waker: Option<Waker>,
}

impl Shared {
    pub(crate) fn new(mut config: Config, clock: Box<dyn Fn() -> Time + Send + Sync>) -> Self {
        if config.seed == 0 {
            config.seed = random_seed();
        }
        let most_asked = config.common.limits.open_asks;
        let state = State {
            connection: Connection::new(config),
            slots: BTreeMap::new(),
            watchers: Places::default(),
            readers: Places::default(),
            asked: BTreeSet::new(),
            most_asked,
            asking: Asking::default(),
            paused: BTreeMap::new(),
            phase: Phase::Idle,
            driver: None,
            woken: Vec::new(),
            dirty: false,
            gone: false,
        };
        Self {
            state: Mutex::new(state),
            clock,
        }
    }

    /// The state. A panic elsewhere does not make it invalid: the machine's own
    /// methods leave it whole.
    pub(crate) fn lock(&self) -> Locked<'_> {
        Locked::new(self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn now(&self) -> Time {
        (self.clock)()
    }

    /// Tells the machine something of an exchange. Adapters make no mistakes in that:
    /// ids are the machine's own and the order is HTTP's.
    pub(crate) fn report(&self, report: impl FnOnce(&mut Connection, Time) -> Result<(), Error>) {
        let now = self.now();
        let mut state = self.lock();
        let reported = report(&mut state.connection, now);
        debug_assert!(reported.is_ok(), "reports are made in order");
        state.dirty = true;
    }

    pub(crate) fn failed(&self, id: ExchangeId, failure: Failure) {
        self.report(|connection, now| connection.handle_failure(id, failure, now));
    }

    /// Whether to read on; if not, somebody is woken when it may be so.
    pub(crate) fn wants_read(&self, id: ExchangeId, cx: &Context<'_>) -> bool {
        let mut state = self.lock();
        let wants = state.connection.wants_read(id);
        if !wants {
            state.paused.insert(id, cx.waker().clone());
        }
        wants
    }

    pub(crate) fn close(&self) {
        let now = self.now();
        let mut state = self.lock();
        state.connection.close(now);
        state.wake_driver();
    }
}

/// Somebody who watches the connection, until this is dropped.
pub(crate) struct Watcher<'a> {
    shared: &'a Shared,
    place: u64,
}

impl<'a> Watcher<'a> {
    pub(crate) fn new(shared: &'a Shared) -> Self {
        let place = shared.lock().watchers.enter();
        Self { shared, place }
    }

    pub(crate) fn poll_ready(&self, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        self.shared.lock().poll_ready(self.place, cx)
    }

    pub(crate) fn poll_closed(&self, cx: &Context<'_>) -> Poll<()> {
        self.shared.lock().poll_closed(self.place, cx)
    }
}

impl Drop for Watcher<'_> {
    fn drop(&mut self) {
        self.shared.lock().watchers.leave(self.place);
    }
}

impl State {
    #[cfg(feature = "asynchronous")]
    pub(crate) fn set_driver(&mut self, cx: &Context<'_>) {
        self.driver = Some(cx.waker().clone());
    }

    pub(crate) fn wake_driver(&mut self) {
        self.dirty = true;
        self.woken.extend(self.driver.take());
    }

    /// Somebody will wait for the end of this.
    pub(crate) fn expect(&mut self, subject: Subject, method: Option<&str>) {
        let method = method.map(str::to_owned);
        self.slots.insert(
            subject,
            Slot {
                method,
                outcome: None,
                waker: None,
            },
        );
    }

    pub(crate) fn forget(&mut self, subject: Subject) {
        self.slots.remove(&subject);
    }

    pub(crate) fn poll_outcome(&mut self, subject: Subject, cx: &Context<'_>) -> Poll<Outcome> {
        let Some(slot) = self.slots.get_mut(&subject) else {
            return Poll::Pending;
        };
        match slot.outcome.take() {
            Some(outcome) => {
                self.slots.remove(&subject);
                Poll::Ready(outcome)
            }
            None => {
                slot.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn poll_ready(&mut self, place: u64, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        match self.connection.phase() {
            Phase::Ready | Phase::Held => Poll::Ready(Ok(())),
            Phase::Idle => {
                let cause = self.connection.handshake_error();
                Poll::Ready(Err(cause.unwrap_or_else(closed)))
            }
            Phase::Closing | Phase::Closed => Poll::Ready(Err(closed())),
            // Nothing happens until the application says `reinitialize`.
            Phase::Lost => Poll::Ready(Err(Error::new(Lost::Session, Delivery::NotSent))),
            _ => {
                self.watchers.wait(place, cx);
                Poll::Pending
            }
        }
    }

    fn poll_closed(&mut self, place: u64, cx: &Context<'_>) -> Poll<()> {
        if self.gone || self.connection.is_closed() {
            return Poll::Ready(());
        }
        self.watchers.wait(place, cx);
        Poll::Pending
    }

    /// Hands out what the machine has to say.
    pub(crate) fn settle(&mut self, now: Time) {
        let nobody_reads = self.readers.is_empty();
        let mut unread = false;
        loop {
            let asking = &self.asking;
            let wanted = |event: &Event| {
                let ours = end_of(event).is_some() || asking.takes(event);
                unread |= !ours;
                ours || nobody_reads
            };
            let Some(event) = self.connection.poll_event_where(wanted) else {
                break;
            };
            match &event {
                Event::Ask(ask) => self.decline(ask.ticket, now),
                Event::Authorize(question) => self.asked(question, now),
                _ => {}
            }
            let Some(slot) = end_of(&event).and_then(|subject| self.slots.get_mut(&subject)) else {
                continue;
            };
            slot.outcome = outcome_of(event, slot.method.as_deref());
            self.woken.extend(slot.waker.take());
        }
        if unread || self.connection.is_closed() {
            self.woken.extend(self.readers.take());
        }
        let phase = self.connection.phase();
        if std::mem::replace(&mut self.phase, phase) != phase {
            self.woken.extend(self.watchers.take());
        }
        let connection = &self.connection;
        self.paused.retain(|id, waker| {
            let wants = connection.wants_read(*id);
            if wants {
                self.woken.push(waker.clone());
            }
            !wants
        });
    }

    /// Wakes all who wait for what only time may bring.
    pub(crate) fn wake_all(&mut self) {
        for slot in self.slots.values_mut() {
            self.woken.extend(slot.waker.take());
        }
        self.woken.extend(self.readers.take());
        self.woken.extend(self.watchers.take());
    }

    /// Nobody waits any more to read on from this exchange.
    pub(crate) fn unpause(&mut self, id: ExchangeId) {
        self.paused.remove(&id);
    }

    /// The driver goes: nothing will make progress any more.
    #[cfg(feature = "asynchronous")]
    pub(crate) fn driver_gone(&mut self, now: Time) {
        self.connection.close(now);
        self.gone = true;
        self.settle(now);
        self.wake_all();
    }
}

pub(crate) fn closed() -> Error {
    Error::new(Reason::Closed, Delivery::NotSent)
}

/// What an event is the end of, if of anything that somebody waits for.
fn end_of(event: &Event) -> Option<Subject> {
    match event {
        Event::Reply { call, .. } => Some(Subject::Call(*call)),
        Event::Accepted { subject } => Some(*subject),
        Event::Fail { subject, .. } => match subject {
            Subject::Answer(_) | Subject::Call(_) | Subject::Notification(_) => Some(*subject),
            Subject::Connection | Subject::Stream(_) => None,
        },
        _ => None,
    }
}

fn outcome_of(event: Event, method: Option<&str>) -> Option<Outcome> {
    match event {
        Event::Reply { reply, .. } => Some(match reply.outcome {
            Ok(result) => Ok(result),
            Err(rpc) => {
                Err(Error::from_rpc(rpc, reply.status).for_method(method.unwrap_or_default()))
            }
        }),
        Event::Accepted { .. } => Some(Ok(RawJson::fixed("null"))),
        Event::Fail { error, .. } => Some(Err(error)),
        _ => None,
    }
}

/// A seed that differs from process to process and from call to call.
#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "an adapter supplies the seed, which the machine must not make itself"
)]
fn random_seed() -> u64 {
    use std::hash::BuildHasher;
    std::hash::RandomState::new().hash_one(0)
}

#[cfg(test)]
pub(crate) mod tests;
