//! The future that moves the bytes.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::{AbortHandle, Abortable};
use futures_util::stream::{FuturesUnordered, Stream};
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::Timer;
use super::credentials::{Credentials, NoCredentials};
use super::exchange::Exchange;
use crate::adapter::Shared;
use crate::error::Failure;
use crate::{ExchangeId, Time, Transmit};

/// How many rounds are made before others get their turn.
const ROUNDS: usize = 32;

type Exchanges<S, B, R> =
    FuturesUnordered<Abortable<Exchange<S, B, <S as Service<Request<B>>>::Future, R>>>;

/// The future that moves the bytes of a connection: spawn it, or poll it beside
/// the calls. It ends when the connection is closed; dropping it earlier drops the
/// sockets, and every open call ends with [`Reason::Closed`](crate::Reason::Closed).
/// It also polls what its source of credentials answers, if it has one.
#[must_use = "nothing happens unless the driver is polled"]
pub struct Driver<S, T, B, R, C = NoCredentials>
where
    S: Service<Request<B>>,
    T: Timer,
    C: Credentials,
{
    shared: Arc<Shared>,
    service: S,
    timer: Arc<T>,
    /// When the machine wants to be woken, as it said last.
    wakes: Option<Time>,
    sleep: Option<(Time, Pin<Box<T::Sleep>>)>,
    exchanges: Exchanges<S, B, R>,
    aborts: BTreeMap<ExchangeId, AbortHandle>,
    credentials: Option<Box<C>>,
    /// What the source of credentials was asked, by its number, and the answer to come.
    asking: Option<(u64, Pin<Box<C::Answer>>)>,
}

impl<S, T, B, R, C> Driver<S, T, B, R, C>
where
    S: Service<Request<B>>,
    T: Timer,
    C: Credentials,
{
    pub(super) fn new(
        shared: Arc<Shared>,
        service: S,
        timer: Arc<T>,
        credentials: Option<C>,
    ) -> Self {
        Self {
            shared,
            service,
            timer,
            wakes: None,
            sleep: None,
            exchanges: FuturesUnordered::new(),
            aborts: BTreeMap::new(),
            credentials: credentials.map(Box::new),
            asking: None,
        }
    }
}

impl<S, T, B, R, C> Driver<S, T, B, R, C>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<Failure>,
    B: From<Bytes>,
    R: Body,
    R::Error: fmt::Display,
    T: Timer,
    C: Credentials,
{
    /// Whether the machine was told anything since it was asked. If not, whoever tells it wakes
    /// this driver.
    fn is_told(&self, cx: &Context<'_>) -> bool {
        let mut state = self.shared.lock();
        state.set_driver(cx);
        state.dirty
    }

    /// Asks the machine for all that it has, and when it wants to be woken. Whether it is closed.
    fn ask(&mut self) -> bool {
        let now = self.timer.now();
        let mut state = self.shared.lock();
        state.dirty = false;
        if state.connection.poll_timeout().is_some_and(|at| at <= now) {
            state.connection.handle_timeout(now);
        }
        state.settle(now);
        // Mostly there is one: it needs no list.
        let first = state.connection.poll_transmit(now);
        let others: Vec<_> = match first {
            Some(_) => std::iter::from_fn(|| state.connection.poll_transmit(now)).collect(),
            None => Vec::new(),
        };
        // What could not be sent has ended.
        if state.connection.has_event() {
            state.settle(now);
        }
        self.wakes = state.connection.poll_timeout();
        let closed = state.connection.is_closed();
        let question = state.question();
        let moot = match &self.asking {
            Some((number, _)) if !state.still_asks(*number) => self.asking.take(),
            _ => None,
        };
        // The service, a source of credentials, and who is woken by an abort may ask the
        // client.
        drop(state);
        drop(moot);
        if let (Some((number, question)), Some(credentials)) = (question, &mut self.credentials) {
            self.asking = Some((number, Box::pin(credentials.ask(question))));
        }
        for transmit in first.into_iter().chain(others) {
            self.transmit(transmit);
        }
        closed
    }

    fn transmit(&mut self, transmit: Transmit) {
        match transmit {
            Transmit::Send { exchange, request } => {
                let (abort, registration) = AbortHandle::new_pair();
                self.aborts.insert(exchange, abort);
                let service = self.service.clone();
                let task = Exchange::new(exchange, request, service, Arc::clone(&self.shared));
                self.exchanges.push(Abortable::new(task, registration));
            }
            Transmit::Abort { exchange } => {
                self.shared.lock().unpause(exchange);
                if let Some(abort) = self.aborts.remove(&exchange) {
                    abort.abort();
                }
            }
        }
    }

    /// Moves bytes until none can be moved.
    fn move_bytes(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(Some(done)) = Pin::new(&mut self.exchanges).poll_next(cx) {
            // What was aborted is out of the map already.
            if let Ok(exchange) = done {
                self.aborts.remove(&exchange);
            }
        }
    }

    /// Tells the machine what the source of credentials has answered.
    fn move_credentials(&mut self, cx: &mut Context<'_>) {
        let Some((number, answer)) = &mut self.asking else {
            return;
        };
        let Poll::Ready(credential) = answer.as_mut().poll(cx) else {
            return;
        };
        let number = *number;
        self.asking = None;
        let now = self.timer.now();
        let mut state = self.shared.lock();
        state.answer_question(number, credential.as_deref(), now);
    }

    /// Whether the time has come, or may have.
    fn wait(&mut self, cx: &mut Context<'_>) -> bool {
        if let Some(at) = self.wakes {
            // To wake too early once costs less than to sleep anew for each call.
            if self.sleep.as_ref().is_none_or(|(until, _)| *until > at) {
                self.sleep = Some((at, Box::pin(self.timer.sleep_until(at))));
            }
        }
        let over = match &mut self.sleep {
            Some((_, sleep)) => sleep.as_mut().poll(cx).is_ready(),
            None => false,
        };
        if over {
            self.sleep = None;
        }
        over
    }
}

impl<S, T, B, R, C> Future for Driver<S, T, B, R, C>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Unpin,
    S::Error: Into<Failure>,
    B: From<Bytes>,
    R: Body,
    R::Error: fmt::Display,
    T: Timer,
    C: Credentials,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        for _ in 0..ROUNDS {
            this.move_credentials(cx);
            this.move_bytes(cx);
            if !this.is_told(cx) && !this.wait(cx) {
                return Poll::Pending;
            }
            if this.ask() {
                return Poll::Ready(());
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S, T, B, R, C> Drop for Driver<S, T, B, R, C>
where
    S: Service<Request<B>>,
    T: Timer,
    C: Credentials,
{
    fn drop(&mut self) {
        let now = self.timer.now();
        self.shared.lock().driver_gone(now);
    }
}

impl<S, T, B, R, C> fmt::Debug for Driver<S, T, B, R, C>
where
    S: Service<Request<B>>,
    T: Timer,
    C: Credentials,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Driver({} exchanges)", self.aborts.len())
    }
}
