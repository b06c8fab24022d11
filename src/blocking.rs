//! The blocking adapter: threads instead of a runtime.
//!
//! [`Client`] makes calls that block their own thread only. It is `Clone`, `Send` and
//! `Sync`: any number of threads call at once and share one session, one recovery and
//! one handshake.
//!
//! # Threads
//!
//! An exchange that is under way has a thread, `mcp-http-exchange`; at most as many
//! as [`Limits::open_calls`](crate::Limits::open_calls) twice (those that were
//! cancelled linger) and [`Limits::control_exchanges`](crate::Limits::control_exchanges)
//! together, and two more: the handshake's and the listening stream's. While anything
//! has a clock, one thread, `mcp-http-timer`, watches it. Both kinds serve whatever
//! comes next and end after a second without work: an idle connection has no thread,
//! unless a listening stream is open ([`Config::listen`], and the server offers it):
//! then one reads it, and the timer watches over its silence, or over the delay after
//! which it is opened again. [`Client::close`] joins them all.
//!
//! [`Http`] adds a third kind, `mcp-http-resolve`, at most 4 that look up names; and a
//! source of credentials that is asked has one, `mcp-http-authorize`. `close` does not
//! wait for those, for nothing can interrupt them.
//!
//! Where no thread can be started, an exchange that needs one fails as
//! [`NotSent`](crate::Delivery::NotSent), and those who wait for something watch the
//! clock themselves.
//!
//! # Other HTTP stacks
//!
//! [`Client::connect`] and [`Client::spawn`] come with [`Http`], which is ureq with
//! rustls. Anything else that can send a request, give its answer's head and a reader,
//! and be aborted from another thread, is a [`Transport`]: see [`Client::new`].
//!
//! ```no_run
//! use mcp_http::blocking::Client;
//!
//! let client = Client::connect("http://127.0.0.1:8000/mcp")?;
//! println!("{}", client.call("tools/list", ())?.as_str());
//! client.close();
//! # Ok::<(), mcp_http::Error>(())
//! ```

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "an adapter does what the machine must not: it has threads and a clock"
)]

mod engine;
mod park;
mod transport;
mod ureq;

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use self::engine::{Engine, Source, Turn};
use self::park::{wait, wait_within};
pub use self::transport::{Abort, Hook, Transport};
pub use self::ureq::{Body, Http};
use crate::adapter::{Shared, State, Watcher};
use crate::error::{Error, RpcError};
use crate::{
    Authorize, CallId, CallOptions, Config, Event, RawJson, Status, Subject, SubscriptionFilter,
    Ticket, Time,
};

/// A handle to a connection: makes calls, from any thread, any number at once.
///
/// Cloning is cheap. When the last handle is dropped, and no [`Call`] made by one is
/// left, the connection closes as by [`close`](Self::close), without waiting for it.
#[derive(Clone)]
pub struct Client {
    handle: Arc<Handle>,
}

struct Handle {
    shared: Arc<Shared>,
    engine: Arc<dyn Turn>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close();
        self.engine.turn();
    }
}

impl Client {
    /// Connects to the MCP endpoint at this URL and waits until a session is
    /// established.
    ///
    /// # Errors
    /// If the URL cannot be an endpoint, and why the handshake failed.
    pub fn connect(url: &str) -> Result<Self, Error> {
        let client = Self::spawn(Config::new(url)?);
        client.ready()?;
        Ok(client)
    }

    /// A client with this configuration, over [`Http`]. Nothing is sent before the
    /// first call or [`ready`](Self::ready). A seed that was left at 0 is replaced by
    /// a random one.
    #[must_use]
    pub fn spawn(config: Config) -> Self {
        Self::new(config, Http::new())
    }

    /// A client over this transport. A seed that was left at 0 is replaced by a random
    /// one.
    pub fn new<T: Transport>(config: Config, transport: T) -> Self {
        Self::over(config, transport, None)
    }

    /// As [`spawn`](Self::spawn), with a source of credentials: see
    /// [`with_credentials`](Self::with_credentials).
    ///
    /// ```no_run
    /// use mcp_http::blocking::Client;
    /// use mcp_http::{Authorize, Config};
    ///
    /// # fn log_in(_: Authorize) -> Option<String> { None }
    /// let config = Config::new("https://example.com/mcp")?.bearer("the token of yesterday")?;
    /// let client = Client::spawn_with_credentials(config, |asked: Authorize| {
    ///     Some(format!("Bearer {}", log_in(asked)?))
    /// });
    /// println!("{}", client.call("tools/list", ())?.as_str());
    /// # Ok::<(), mcp_http::Error>(())
    /// ```
    #[must_use]
    pub fn spawn_with_credentials(
        config: Config,
        credentials: impl Fn(Authorize) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        Self::with_credentials(config, Http::new(), credentials)
    }

    /// As [`new`](Self::new), with a source of credentials: it answers each
    /// [`Event::Authorize`], which those who read [events](Self::events) do not see. That
    /// it answers is what [`Config::authorize`] is set to.
    ///
    /// It gives the value of the `Authorization` header of all that is sent from then on,
    /// or nothing: then what was refused fails. A value that no header can have counts as
    /// nothing, and so does a panic. It runs on a thread of its own and may take its time,
    /// and call the client. What it gives is dropped if it is not waited for any more: the
    /// connection was closed, or a credential was given by
    /// [`authorize`](Self::authorize) or [`set_header`](Self::set_header).
    pub fn with_credentials<T: Transport>(
        config: Config,
        transport: T,
        credentials: impl Fn(Authorize) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        Self::over(
            config.authorize(true),
            transport,
            Some(Arc::new(credentials)),
        )
    }

    fn over<T: Transport>(config: Config, transport: T, source: Option<Source>) -> Self {
        let origin = std::time::Instant::now();
        let clock = Box::new(move || Time::new(origin.elapsed()));
        let shared = Arc::new(Shared::new(config, clock));
        if source.is_some() {
            shared.lock().has_source();
        }
        let engine = Engine::new(Arc::clone(&shared), transport, source);
        Self {
            handle: Arc::new(Handle { shared, engine }),
        }
    }

    /// Calls a method of the server and waits for the end.
    ///
    /// Params are whatever serializes to a JSON object, or `()`.
    ///
    /// # Errors
    /// Why the call failed; an error that the server replied with, too.
    pub fn call<P: Serialize>(&self, method: &str, params: P) -> Result<RawJson, Error> {
        self.call_with(method, params, CallOptions::new())
    }

    /// [`call`](Self::call), with time-outs, headers and the like.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn call_with<P: Serialize>(
        &self,
        method: &str,
        params: P,
        options: CallOptions,
    ) -> Result<RawJson, Error> {
        self.start(method, params, options)?.wait()
    }

    /// [`call`](Self::call), with the result read into a type of the caller's.
    ///
    /// # Errors
    /// The call's, and [`Peer::Shape`](crate::Peer::Shape) if the result has another
    /// shape.
    pub fn call_as<T: DeserializeOwned>(
        &self,
        method: &str,
        params: impl Serialize,
    ) -> Result<T, Error> {
        let result = self.call(method, params)?;
        result
            .deserialize()
            .map_err(|error| Error::unexpected_shape(&error).for_method(method))
    }

    /// Begins a call and does not wait for its end: for whoever wants its id, to
    /// match progress with it or to cancel it from another thread.
    ///
    /// # Errors
    /// As [`Connection::call`](crate::Connection::call).
    pub fn start<P: Serialize>(
        &self,
        method: &str,
        params: P,
        options: CallOptions,
    ) -> Result<Call, Error> {
        let id = self.command(|state, now| {
            let id = state.connection.call(method, &params, options, now)?;
            state.expect(Subject::Call(id), Some(method));
            Ok(id)
        })?;
        Ok(Call {
            client: self.clone(),
            id: Some(id),
        })
    }

    /// Sends a notification, and waits until the server has accepted it.
    ///
    /// # Errors
    /// Why it was not accepted.
    pub fn notify(&self, method: &str, params: impl Serialize) -> Result<(), Error> {
        let subject = self.command(|state, now| {
            let id = state.connection.notify(method, &params, now)?;
            state.expect(Subject::Notification(id), None);
            Ok(Subject::Notification(id))
        })?;
        self.outcome(subject).map(drop)
    }

    /// Answers an [`Ask`](crate::Ask), and waits until the server has accepted the
    /// answer.
    ///
    /// # Errors
    /// As [`Connection::answer`](crate::Connection::answer), and why the answer was not accepted.
    pub fn answer<R: Serialize>(
        &self,
        ticket: Ticket,
        outcome: Result<R, RpcError>,
    ) -> Result<(), Error> {
        self.command(|state, now| state.answer(ticket, &outcome, now))?;
        self.outcome(Subject::Answer(ticket)).map(drop)
    }

    /// Cancels a call that another thread waits for: it ends with
    /// [`Reason::Cancelled`](crate::Reason::Cancelled).
    ///
    /// # Errors
    /// If the id is another connection's.
    pub fn cancel(&self, call: CallId) -> Result<(), Error> {
        self.command(|state, now| state.connection.cancel(call, now))
    }

    /// Waits until a session is established, and begins a handshake if none is.
    ///
    /// # Errors
    /// Why the handshake failed. With [`Recovery::Manual`](crate::Recovery::Manual),
    /// [`Lost::Session`](crate::Lost::Session) at once while a lost session is not
    /// replaced: then [`reinitialize`](Self::reinitialize) helps, calling again does not.
    pub fn ready(&self) -> Result<(), Error> {
        self.command(|state, now| state.connection.connect(now))?;
        let watcher = Watcher::new(self.shared());
        self.wait(|cx| watcher.poll_ready(cx))
    }

    /// Closes the connection: each open call ends, and the session is ended with a
    /// DELETE. Waits until that is done or its time is over, and joins all threads.
    pub fn close(&self) {
        self.shared().close();
        self.handle.engine.turn();
        let watcher = Watcher::new(self.shared());
        self.wait(|cx| watcher.poll_closed(cx));
        self.handle.engine.join();
    }

    /// With [`Recovery::Hold`](crate::Recovery::Hold): sends the calls that were
    /// refused with the lost session.
    ///
    /// # Errors
    /// If nothing is held.
    pub fn resume(&self) -> Result<(), Error> {
        self.command(|state, now| state.connection.resume(now))
    }

    /// With [`Recovery::Manual`](crate::Recovery::Manual): makes a new session.
    ///
    /// # Errors
    /// If no session was lost.
    pub fn reinitialize(&self) -> Result<(), Error> {
        self.command(|state, now| state.connection.reinitialize(now))
    }

    /// Says what to hear about between calls, for this session and all that follow: see
    /// [`Connection::listen`](crate::Connection::listen). What comes of it is read from
    /// [`events`](Self::events).
    ///
    /// # Errors
    /// As [`Connection::listen`](crate::Connection::listen).
    pub fn listen(&self, filter: SubscriptionFilter) -> Result<(), Error> {
        self.command(|state, now| state.connection.listen(filter, now))
    }

    /// Sets a header that every request carries from now on; `None` removes it.
    ///
    /// # Errors
    /// As [`Connection::set_header`](crate::Connection::set_header).
    pub fn set_header(&self, name: &str, value: Option<&str>) -> Result<(), Error> {
        self.command(|state, _| state.connection.set_header(name, value))
    }

    /// Gives the credential: the value of the `Authorization` header from now on. What
    /// waits for it is sent once more.
    ///
    /// # Errors
    /// As [`Connection::authorize`](crate::Connection::authorize).
    pub fn authorize(&self, credential: &str) -> Result<(), Error> {
        self.command(|state, now| state.connection.authorize(credential, now))
    }

    /// Says that there is no other credential: what waits for one fails.
    ///
    /// # Errors
    /// If nothing waits for one.
    pub fn refuse_authorization(&self) -> Result<(), Error> {
        self.command(|state, now| state.connection.refuse_authorization(now))
    }

    /// Says that the network changed: see
    /// [`Connection::network_changed`](crate::Connection::network_changed).
    pub fn network_changed(&self) {
        // It cannot fail; `command` is shaped for those that can.
        let _ = self.command(|state, now| {
            state.connection.network_changed(now);
            Ok(())
        });
    }

    /// What the connection is doing.
    #[must_use]
    pub fn status(&self) -> Status {
        self.shared().lock().connection.status()
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
    /// after [`wait`](Call::wait) gave the reply.
    #[must_use]
    pub fn events(&self) -> Events {
        let place = self.shared().lock().enter_reader();
        Events {
            place,
            shared: Arc::clone(self.shared()),
            engine: Arc::clone(&self.handle.engine),
        }
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    /// Gives the machine a command, and then does what it wants.
    fn command<R>(
        &self,
        command: impl FnOnce(&mut State, Time) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let now = self.shared().now();
        let done = command(&mut self.shared().lock(), now);
        self.handle.engine.turn();
        done
    }

    fn outcome(&self, subject: Subject) -> Result<RawJson, Error> {
        self.wait(|cx| self.shared().lock().poll_outcome(subject, cx))
    }

    fn wait<R>(&self, poll: impl FnMut(&mut Context<'_>) -> Poll<R>) -> R {
        wait(&*self.handle.engine, poll)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client").field(&self.status()).finish()
    }
}

/// A call under way. Dropping it cancels the call.
#[must_use = "a call that is dropped is cancelled"]
pub struct Call {
    client: Client,
    /// None once it has ended.
    id: Option<CallId>,
}

impl Call {
    /// Names the call in [events](Client::events), and for [`Client::cancel`].
    #[must_use]
    pub fn id(&self) -> Option<CallId> {
        self.id
    }

    /// Waits for the end of the call.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub fn wait(mut self) -> Result<RawJson, Error> {
        let Some(id) = self.id.take() else {
            return Err(crate::adapter::closed());
        };
        self.client.outcome(Subject::Call(id))
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            // The id is this connection's own, so this cannot fail.
            let _ = self.client.command(|state, now| {
                state.forget(Subject::Call(id));
                state.connection.cancel(id, now)
            });
        }
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Call").field(&self.id).finish()
    }
}

/// [`Event`]s as they come: all but the ends of calls, notifications and answers,
/// which come where they were made.
///
/// As an iterator it blocks for the next one, and ends when the connection is closed.
/// It does not keep the connection open.
pub struct Events {
    place: u64,
    shared: Arc<Shared>,
    engine: Arc<dyn Turn>,
}

impl Events {
    /// The next event if one comes within this time; none otherwise, or when the
    /// connection is closed.
    pub fn next_within(&mut self, time: Duration) -> Option<Event> {
        let poll = |cx: &mut Context<'_>| self.shared.lock().poll_unread(self.place, cx);
        let event = wait_within(&*self.engine, time, poll).flatten();
        self.engine.turn();
        event
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let poll = |cx: &mut Context<'_>| self.shared.lock().poll_unread(self.place, cx);
        let event = wait(&*self.engine, poll);
        // Somebody may read on, now that there is room.
        self.engine.turn();
        event
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let now = self.shared.now();
        self.shared.lock().leave_reader(self.place, now);
        self.engine.turn();
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}
