//! The asynchronous adapter: any runtime, any HTTP stack, any timer.
//!
//! [`Client`] is a handle: cheap to clone, it makes calls. [`Driver`] is a future
//! that moves the bytes; nothing happens unless somebody polls it, by spawning it
//! or beside the calls. This is hyper's way, and for the same reason: the adapter
//! spawns nothing, so it needs no runtime.
//!
//! What it asks for is a [`tower_service::Service`] that takes an `http::Request`
//! and gives an `http::Response` with an [`http_body::Body`], and a [`Timer`]. The
//! adapter decides nothing: no status, no header, no retry is looked at here. The
//! service must follow no redirects and limit no concurrency: that is the
//! machine's to decide.
//!
//! With the feature `tokio`, [`Client::connect`] brings all of it ready made.
//!
//! ```
//! use std::convert::Infallible;
//! use std::future::Future;
//! use std::pin::Pin;
//! use std::task::{Context, Poll};
//!
//! use mcp_http::asynchronous::{Client, Timer};
//! use mcp_http::{Config, Time};
//!
//! // An HTTP stack of your own …
//! #[derive(Clone)]
//! struct Http;
//! # struct Nothing;
//! # impl http_body::Body for Nothing {
//! #     type Data = bytes::Bytes;
//! #     type Error = Infallible;
//! #     fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>)
//! #         -> Poll<Option<Result<http_body::Frame<bytes::Bytes>, Infallible>>> {
//! #         Poll::Ready(None)
//! #     }
//! # }
//!
//! impl tower_service::Service<http::Request<bytes::Bytes>> for Http {
//!     type Response = http::Response<Nothing>;
//!     type Error = Infallible;
//!     type Future = std::future::Ready<Result<Self::Response, Infallible>>;
//! #   fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
//! #       Poll::Ready(Ok(()))
//! #   }
//! #   fn call(&mut self, _: http::Request<bytes::Bytes>) -> Self::Future {
//! #       std::future::ready(Ok(http::Response::new(Nothing)))
//! #   }
//!     // …
//! }
//!
//! // … and a timer.
//! struct Clock;
//!
//! impl Timer for Clock {
//!     type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;
//! #   fn now(&self) -> Time { Time::ZERO }
//! #   fn sleep_until(&self, _: Time) -> Self::Sleep { Box::pin(std::future::pending()) }
//!     // …
//! }
//!
//! let config = Config::new("http://127.0.0.1:8000/mcp")?;
//! let (client, driver) = Client::new::<_, _, bytes::Bytes, _>(config, Http, Clock);
//! // Spawn `driver`, then: client.call("tools/list", ()).await?
//! # drop((client, driver));
//! # Ok::<(), mcp_http::Error>(())
//! ```

mod credentials;
mod driver;
mod exchange;

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream::Stream;
use http::{Request, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tower_service::Service;

pub use self::credentials::{Credentials, NoCredentials};
pub use self::driver::Driver;
use crate::adapter::{Shared, Watcher};
use crate::error::{Error, Failure, RpcError};
use crate::{
    CallId, CallOptions, Config, Event, RawJson, Status, Subject, SubscriptionFilter, Ticket, Time,
};

/// Tells the time and waits.
pub trait Timer: Send + Sync + 'static {
    /// Ends when the time has come.
    type Sleep: Future<Output = ()>;

    /// What a monotonic clock shows, since an origin that stays the same.
    fn now(&self) -> Time;

    /// A future that ends at this time; at once if it has passed.
    fn sleep_until(&self, at: Time) -> Self::Sleep;
}

/// A handle to a connection: makes calls, from any task, any number at once.
///
/// Cloning is cheap. When the last handle is dropped, and no call made by one is
/// pending, the connection closes as by [`close`](Self::close).
#[derive(Clone)]
pub struct Client {
    handle: Arc<Handle>,
}

/// Counts the handles: when the last one goes, the connection closes.
struct Handle {
    shared: Arc<Shared>,
}

impl Handle {
    fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Client {
    /// A connection over this service and timer. Nothing is sent before the first
    /// call. Poll or spawn the [`Driver`]: without it no call makes progress.
    ///
    /// The service's error has to say whether anything can have reached the server:
    /// see [`Failure`]. A seed that was left at 0 is replaced by a random one.
    pub fn new<S, T, B, R>(config: Config, service: S, timer: T) -> (Self, Driver<S, T, B, R>)
    where
        S: Service<Request<B>, Response = Response<R>> + Clone,
        S::Error: Into<Failure>,
        B: From<Bytes>,
        T: Timer,
    {
        Self::over(config, service, timer, None)
    }

    /// As [`new`](Self::new), with a source of credentials: it answers each
    /// [`Event::Authorize`], which those who read [events](Self::events) do not see. That
    /// it answers is what [`Config::authorize`] is set to.
    pub fn with_credentials<S, T, B, R, C>(
        config: Config,
        service: S,
        timer: T,
        credentials: C,
    ) -> (Self, Driver<S, T, B, R, C>)
    where
        S: Service<Request<B>, Response = Response<R>> + Clone,
        S::Error: Into<Failure>,
        B: From<Bytes>,
        T: Timer,
        C: Credentials,
    {
        Self::over(config.authorize(true), service, timer, Some(credentials))
    }

    fn over<S, T, B, R, C>(
        config: Config,
        service: S,
        timer: T,
        credentials: Option<C>,
    ) -> (Self, Driver<S, T, B, R, C>)
    where
        S: Service<Request<B>, Response = Response<R>> + Clone,
        T: Timer,
        C: Credentials,
    {
        let timer = Arc::new(timer);
        let clock = Arc::clone(&timer);
        let shared = Arc::new(Shared::new(config, Box::new(move || clock.now())));
        if credentials.is_some() {
            shared.lock().has_source();
        }
        let client = Self {
            handle: Arc::new(Handle::new(Arc::clone(&shared))),
        };
        (client, Driver::new(shared, service, timer, credentials))
    }

    /// Calls a method of the server. The call begins at once; dropping the future
    /// cancels it as its revision demands.
    ///
    /// Params are whatever serializes to a JSON object, or `()`.
    ///
    /// ```
    /// # use mcp_http::asynchronous::Client;
    /// # async fn example(client: Client) -> Result<(), mcp_http::Error> {
    /// let tools = client.call("tools/list", serde_json::json!({})).await?;
    /// println!("{}", tools.as_str());
    /// # Ok(())
    /// # }
    /// ```
    pub fn call<P: Serialize>(&self, method: &str, params: P) -> Call {
        self.call_with(method, params, CallOptions::new())
    }

    /// [`call`](Self::call), with time-outs, headers and the like.
    pub fn call_with<P: Serialize>(&self, method: &str, params: P, options: CallOptions) -> Call {
        let shared = Arc::clone(self.handle.shared());
        let now = shared.now();
        let mut state = shared.lock();
        let begun = state.connection.call(method, &params, options, now);
        let (id, refused) = match begun {
            Ok(id) => {
                state.expect(Subject::Call(id), Some(method));
                (Some(id), None)
            }
            Err(error) => (None, Some(error)),
        };
        state.wake_driver();
        drop(state);
        Call {
            client: self.clone(),
            id,
            refused,
        }
    }

    /// [`call`](Self::call), with the result read into a type of the caller's.
    ///
    /// # Errors
    /// The call's, and [`Peer::Shape`](crate::Peer::Shape) if the result has
    /// another shape.
    pub async fn call_as<T: DeserializeOwned>(
        &self,
        method: &str,
        params: impl Serialize,
    ) -> Result<T, Error> {
        let result = self.call(method, params).await?;
        result
            .deserialize()
            .map_err(|error| Error::unexpected_shape(&error).for_method(method))
    }

    /// Sends a notification, and waits until the server has accepted it.
    ///
    /// # Errors
    /// Why it was not accepted.
    pub async fn notify(&self, method: &str, params: impl Serialize) -> Result<(), Error> {
        let shared = self.handle.shared();
        let subject = {
            let now = shared.now();
            let mut state = shared.lock();
            let id = state.connection.notify(method, &params, now)?;
            state.expect(Subject::Notification(id), None);
            state.wake_driver();
            Subject::Notification(id)
        };
        self.outcome(subject).await.map(|_| ())
    }

    /// Answers an [`Ask`](crate::Ask), and waits until the server has accepted the
    /// answer.
    ///
    /// # Errors
    /// As [`Connection::answer`](crate::Connection::answer), and why the answer was
    /// not accepted.
    pub async fn answer<R: Serialize>(
        &self,
        ticket: Ticket,
        outcome: Result<R, RpcError>,
    ) -> Result<(), Error> {
        let shared = self.handle.shared();
        {
            let now = shared.now();
            let mut state = shared.lock();
            state.answer(ticket, &outcome, now)?;
            state.wake_driver();
        }
        self.outcome(Subject::Answer(ticket)).await.map(|_| ())
    }

    /// Cancels a call whose future lives on: it ends with
    /// [`Reason::Cancelled`](crate::Reason::Cancelled).
    ///
    /// # Errors
    /// If the id is another connection's.
    pub fn cancel(&self, call: CallId) -> Result<(), Error> {
        let shared = self.handle.shared();
        let now = shared.now();
        let mut state = shared.lock();
        let cancelled = state.connection.cancel(call, now);
        state.wake_driver();
        cancelled
    }

    /// Waits until a session is established, and begins a handshake if none is.
    ///
    /// # Errors
    /// Why the handshake failed. With [`Recovery::Manual`](crate::Recovery::Manual),
    /// [`Lost::Session`](crate::Lost::Session) at once while a lost session is not
    /// replaced: then [`reinitialize`](Self::reinitialize) helps, calling again does not.
    pub async fn ready(&self) -> Result<(), Error> {
        let shared = self.handle.shared();
        {
            let now = shared.now();
            let mut state = shared.lock();
            state.connection.connect(now)?;
            state.wake_driver();
        }
        let watcher = Watcher::new(shared);
        std::future::poll_fn(|cx| watcher.poll_ready(cx)).await
    }

    /// Closes the connection: each open call ends, and the session is ended with a
    /// DELETE. Waits until that is done or its time is over.
    pub async fn close(&self) {
        let shared = self.handle.shared();
        shared.close();
        let watcher = Watcher::new(shared);
        std::future::poll_fn(|cx| watcher.poll_closed(cx)).await;
    }

    /// With [`Recovery::Hold`](crate::Recovery::Hold): sends the calls that were
    /// refused with the lost session.
    ///
    /// # Errors
    /// If nothing is held.
    pub fn resume(&self) -> Result<(), Error> {
        self.command(crate::Connection::resume)
    }

    /// With [`Recovery::Manual`](crate::Recovery::Manual): makes a new session.
    ///
    /// # Errors
    /// If no session was lost.
    pub fn reinitialize(&self) -> Result<(), Error> {
        self.command(crate::Connection::reinitialize)
    }

    /// Says what to hear about between calls, for this session and all that follow: see
    /// [`Connection::listen`](crate::Connection::listen). What comes of it is read from
    /// [`events`](Self::events).
    ///
    /// # Errors
    /// As [`Connection::listen`](crate::Connection::listen).
    pub fn listen(&self, filter: SubscriptionFilter) -> Result<(), Error> {
        self.command(|connection, now| connection.listen(filter, now))
    }

    /// Sets a header that every request carries from now on; `None` removes it.
    ///
    /// # Errors
    /// As [`Connection::set_header`](crate::Connection::set_header).
    pub fn set_header(&self, name: &str, value: Option<&str>) -> Result<(), Error> {
        self.command(|connection, _| connection.set_header(name, value))
    }

    /// Gives the credential: the value of the `Authorization` header from now on. What
    /// waits for it is sent once more.
    ///
    /// # Errors
    /// As [`Connection::authorize`](crate::Connection::authorize).
    pub fn authorize(&self, credential: &str) -> Result<(), Error> {
        self.command(|connection, now| connection.authorize(credential, now))
    }

    /// Says that there is no other credential: what waits for one fails.
    ///
    /// # Errors
    /// If nothing waits for one.
    pub fn refuse_authorization(&self) -> Result<(), Error> {
        self.command(crate::Connection::refuse_authorization)
    }

    /// Says that the network changed: see
    /// [`Connection::network_changed`](crate::Connection::network_changed).
    pub fn network_changed(&self) {
        // It cannot fail; `command` is shaped for those that can.
        let _ = self.command(|connection, now| {
            connection.network_changed(now);
            Ok(())
        });
    }

    /// What the connection is doing.
    #[must_use]
    pub fn status(&self) -> Status {
        self.handle.shared().lock().connection.status()
    }

    /// What the application should know besides the ends of its calls: messages,
    /// asks, lost and new sessions. As long as no such handle exists, these are
    /// dropped, and asks are declined. Of several handles each gets a part.
    ///
    /// While it exists it has to be read: a server's stream is not read on when
    /// [`Limits::unread`](crate::Limits::unread) messages wait.
    ///
    /// Keep one until all asks are answered: when the last one is dropped, those that
    /// were read but not [answered](Self::answer) are declined too, for the server, and
    /// the clock of the call that it asks for, would wait for ever.
    ///
    /// With [`Config::authorize`] and without a source of credentials, an
    /// [`Event::Authorize`] comes here too, to be answered with
    /// [`authorize`](Self::authorize) or
    /// [`refuse_authorization`](Self::refuse_authorization); where nobody reads it is
    /// refused.
    ///
    /// A call's end does not wait for its messages to be read: they may be read here
    /// after its future has ended.
    #[must_use]
    pub fn events(&self) -> Events {
        Events::new(Arc::clone(self.handle.shared()))
    }

    fn command(
        &self,
        command: impl FnOnce(&mut crate::Connection, Time) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let shared = self.handle.shared();
        let now = shared.now();
        let mut state = shared.lock();
        let done = command(&mut state.connection, now);
        state.wake_driver();
        done
    }

    async fn outcome(&self, subject: Subject) -> Result<RawJson, Error> {
        let shared = self.handle.shared();
        let forget = Forget { shared, subject };
        let outcome = std::future::poll_fn(|cx| shared.lock().poll_outcome(subject, cx)).await;
        drop(forget);
        outcome
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client").field(&self.status()).finish()
    }
}

/// Nobody waits any more for the end of a notification or an answer.
struct Forget<'a> {
    shared: &'a Shared,
    subject: Subject,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.shared.lock().forget(self.subject);
    }
}

/// A call under way. Dropping it cancels the call.
#[must_use = "a call that is dropped is cancelled"]
pub struct Call {
    client: Client,
    /// None once it has ended.
    id: Option<CallId>,
    /// Why it never began.
    refused: Option<Error>,
}

impl Call {
    /// Names the call in [events](Client::events); none if it never began or has
    /// ended.
    #[must_use]
    pub fn id(&self) -> Option<CallId> {
        self.id
    }
}

impl Future for Call {
    type Output = Result<RawJson, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(error) = self.refused.take() {
            return Poll::Ready(Err(error));
        }
        let Some(id) = self.id else {
            return Poll::Pending;
        };
        let polled = self
            .client
            .handle
            .shared()
            .lock()
            .poll_outcome(Subject::Call(id), cx);
        polled.map(|outcome| {
            self.id = None;
            outcome
        })
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            // The id is this connection's own, so this cannot fail.
            let _ = self.client.cancel(id);
            self.client.handle.shared().lock().forget(Subject::Call(id));
        }
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Call").field(&self.id).finish()
    }
}

/// A stream of [`Event`]s: all but the ends of calls, notifications and answers,
/// which come where they were made.
///
/// It ends when the connection is closed. It does not keep the connection open. When events come
/// faster than they are read it lets other tasks of its thread have a turn, each 32 events.
pub struct Events {
    shared: Arc<Shared>,
    place: u64,
    /// How many events were given out since others had a turn.
    given: u8,
}

/// Where the transport runs on another thread there can always be one more: a task that reads them
/// would never let go.
const TURN: u8 = 32;

impl Events {
    fn new(shared: Arc<Shared>) -> Self {
        let place = shared.lock().enter_reader();
        Self {
            shared,
            place,
            given: 0,
        }
    }

    /// The next event; none when the connection is closed.
    pub async fn next(&mut self) -> Option<Event> {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &Context<'_>) -> Poll<Option<Event>> {
        if self.given == TURN {
            self.given = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let polled = self.shared.lock().poll_unread(self.place, cx);
        self.given = if polled.is_ready() { self.given + 1 } else { 0 };
        polled
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.get_mut().poll(cx)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let now = self.shared.now();
        self.shared.lock().leave_reader(self.place, now);
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}

impl From<Infallible> for Failure {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// Claims nothing: something may have reached the server. The error's words become part of this
/// crate's errors: for one that names the URL, which may have a key in it, make the
/// [`Failure`] yourself.
impl From<Box<dyn std::error::Error + Send + Sync>> for Failure {
    fn from(error: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self::broken(error.to_string())
    }
}

#[cfg(test)]
mod tests;
