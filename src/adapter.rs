//! What all adapters share: the machine, and who waits for what. It moves no bytes.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::error::{Delivery, Error, Failure, Lost, Reason, RpcError};
use crate::{Config, Connection, Event, ExchangeId, Phase, RawJson, Subject, Time};

pub(crate) struct Shared {
    state: Mutex<State>,
    clock: Box<dyn Fn() -> Time + Send + Sync>,
}

pub(crate) struct State {
    pub(crate) connection: Connection,
    /// Those who wait for the end of something that they began.
    slots: BTreeMap<Subject, Slot>,
    /// Those who wait for the session, or for its end.
    watchers: Vec<Waker>,
    /// Those who wait for events.
    listeners: Vec<Waker>,
    /// Exchanges that wait until the machine wants to read on.
    paused: BTreeMap<ExchangeId, Waker>,
    /// The phase that the watchers know of.
    phase: Phase,
    driver: Option<Waker>,
    /// Whether the machine was told something since the driver last asked it.
    pub(crate) dirty: bool,
    /// Whether the driver is gone.
    gone: bool,
    /// How many handles read events.
    pub(crate) readers: usize,
}

/// What was waited for: a call's result, or `null` for what is only accepted.
type Outcome = Result<RawJson, Error>;

struct Slot {
    method: Option<String>,
    outcome: Option<Outcome>,
    waker: Option<Waker>,
}

impl Shared {
    pub(crate) fn new(config: Config, clock: Box<dyn Fn() -> Time + Send + Sync>) -> Self {
        let state = State {
            connection: Connection::new(config),
            slots: BTreeMap::new(),
            watchers: Vec::new(),
            listeners: Vec::new(),
            paused: BTreeMap::new(),
            phase: Phase::Idle,
            driver: None,
            dirty: false,
            gone: false,
            readers: 0,
        };
        Self {
            state: Mutex::new(state),
            clock,
        }
    }

    /// The state. A panic elsewhere does not make it invalid: the machine's own
    /// methods leave it whole.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
        debug_assert!(reported.is_ok(), "{reported:?}");
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

impl State {
    #[cfg(feature = "asynchronous")]
    pub(crate) fn set_driver(&mut self, cx: &Context<'_>) {
        self.driver = Some(cx.waker().clone());
    }

    pub(crate) fn wake_driver(&mut self) {
        self.dirty = true;
        if let Some(driver) = self.driver.take() {
            driver.wake();
        }
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

    pub(crate) fn poll_ready(&mut self, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        match self.connection.status().phase {
            Phase::Ready | Phase::Held => Poll::Ready(Ok(())),
            Phase::Idle => {
                let cause = self.connection.handshake_error();
                Poll::Ready(Err(cause.unwrap_or_else(closed)))
            }
            Phase::Closing | Phase::Closed => Poll::Ready(Err(closed())),
            // Nothing happens until the application says `reinitialize`.
            Phase::Lost => Poll::Ready(Err(Error::new(Lost::Session, Delivery::NotSent))),
            _ => self.watch(cx),
        }
    }

    pub(crate) fn poll_closed(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.gone || self.connection.is_closed() {
            return Poll::Ready(());
        }
        self.watch(cx)
    }

    fn watch<T>(&mut self, cx: &Context<'_>) -> Poll<T> {
        keep(&mut self.watchers, cx);
        Poll::Pending
    }

    /// The next event that is nobody's end.
    pub(crate) fn poll_unread(&mut self, cx: &Context<'_>) -> Poll<Option<Event>> {
        if let Some(event) = self
            .connection
            .poll_event_where(|event| end_of(event).is_none())
        {
            self.wake_driver();
            return Poll::Ready(Some(event));
        }
        if self.gone || self.connection.is_closed() {
            return Poll::Ready(None);
        }
        keep(&mut self.listeners, cx);
        Poll::Pending
    }

    /// Hands out what the machine has to say.
    pub(crate) fn settle(&mut self, now: Time) {
        let mut unread = false;
        let mut end = |event: &Event| {
            let end = end_of(event).is_some();
            unread |= !end;
            end
        };
        while let Some(event) = self.connection.poll_event_where(&mut end) {
            let Some(subject) = end_of(&event) else {
                continue;
            };
            let Some(slot) = self.slots.get_mut(&subject) else {
                continue;
            };
            slot.outcome = outcome_of(event, slot.method.as_deref());
            if let Some(waker) = slot.waker.take() {
                waker.wake();
            }
        }
        if unread && self.readers == 0 {
            while let Some(event) = self.connection.poll_event_where(|e| end_of(e).is_none()) {
                self.decline(&event, now);
            }
        }
        if unread || self.connection.is_closed() {
            wake_all(&mut self.listeners);
        }
        let phase = self.connection.status().phase;
        if std::mem::replace(&mut self.phase, phase) != phase {
            wake_all(&mut self.watchers);
        }
        let connection = &self.connection;
        self.paused.retain(|id, waker| {
            let wants = connection.wants_read(*id);
            if wants {
                waker.wake_by_ref();
            }
            !wants
        });
    }

    /// Nobody waits any more to read on from this exchange.
    pub(crate) fn unpause(&mut self, id: ExchangeId) {
        self.paused.remove(&id);
    }

    /// Nobody is there to be asked.
    fn decline(&mut self, event: &Event, now: Time) {
        if let Event::Ask(ask) = event {
            // The ask was open a moment ago, and nothing came between.
            let _ =
                self.connection
                    .answer::<()>(ask.ticket, Err(RpcError::method_not_found()), now);
            self.dirty = true;
        }
    }

    /// The driver goes: nothing will make progress any more.
    #[cfg(feature = "asynchronous")]
    pub(crate) fn driver_gone(&mut self, now: Time) {
        self.connection.close(now);
        self.gone = true;
        self.settle(now);
        wake_all(&mut self.listeners);
        wake_all(&mut self.watchers);
    }
}

pub(crate) fn closed() -> Error {
    Error::new(Reason::Closed, Delivery::NotSent)
}

fn keep(wakers: &mut Vec<Waker>, cx: &Context<'_>) {
    if !wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
        wakers.push(cx.waker().clone());
    }
}

fn wake_all(wakers: &mut Vec<Waker>) {
    for waker in wakers.drain(..) {
        waker.wake();
    }
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
        Event::Accepted { .. } => Some(Ok(RawJson::null())),
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
pub(crate) fn random_seed() -> u64 {
    use std::hash::BuildHasher;
    std::hash::RandomState::new().hash_one(0)
}

#[cfg(test)]
pub(crate) mod tests;
