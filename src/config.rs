//! How a connection is set up, and every number it keeps to.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use serde::Serialize;

use crate::breakage::Breakage;
use crate::error::{Error, Mistake, Misuse};
use crate::wire::headers;
use crate::{Binding, RawJson, Retries, Revision};

/// How a [`Connection`](crate::Connection) is set up. Everything but the
/// endpoint has a default.
///
/// ```
/// use mcp_http::{Config, Recovery, Revision};
///
/// let config = Config::new("https://example.com/mcp")?
///     .client("my-agent", "1.2.0")
///     .capabilities(&serde_json::json!({ "elicitation": {} }))?
///     .header("x-tenant", "blue")?
///     .pin(Revision::V2025_06_18)
///     .recovery(Recovery::Automatic)
///     .seed(7);
/// # Ok::<(), mcp_http::Error>(())
/// ```
#[derive(Clone)]
pub struct Config {
    pub(crate) endpoint: Uri,
    pub(crate) common: Common,
    pub(crate) headers: HeaderMap,
    pub(crate) pinned: Option<Revision>,
    pub(crate) remembered: Option<Binding>,
    pub(crate) recovery: Recovery,
    pub(crate) listen: bool,
    pub(crate) authorize: bool,
    pub(crate) seed: u64,
    #[cfg(feature = "harness")]
    pub(crate) broken: Option<Breakage>,
}

impl Config {
    /// A connection to the MCP endpoint at this URL, `http` or `https`.
    ///
    /// # Errors
    /// [`Mistake::Endpoint`] if the URL cannot be an endpoint; one with a user or
    /// password in it is refused, for credentials belong into headers.
    pub fn new(endpoint: &str) -> Result<Self, Error> {
        let endpoint = headers::check_endpoint(endpoint)
            .map_err(|why| misuse("Config::new", Mistake::Endpoint(why.to_string())))?;
        Ok(Self {
            endpoint,
            common: Common::default(),
            headers: HeaderMap::new(),
            pinned: None,
            remembered: None,
            recovery: Recovery::Automatic,
            listen: true,
            authorize: false,
            seed: 0,
            #[cfg(feature = "harness")]
            broken: None,
        })
    }

    /// Name and version that `initialize` tells the server (lifecycle:
    /// initialization, `clientInfo`). Default: this crate's own.
    #[must_use]
    pub fn client(mut self, name: &str, version: &str) -> Self {
        if let Ok(info) = RawJson::new(&ClientInfo { name, version }) {
            self.common.own().client_info = info;
        }
        self
    }

    /// All that `clientInfo` says, in place of [`client`](Self::client): name and version,
    /// and what some revisions have besides, such as `title` and `websiteUrl`. It goes out
    /// as it is given.
    ///
    /// # Errors
    /// [`Mistake::Params`] if this is no JSON object.
    pub fn client_info<T: Serialize + ?Sized>(mut self, info: &T) -> Result<Self, Error> {
        self.common.own().client_info = object("Config::client_info", info)?;
        Ok(self)
    }

    /// The client capabilities that are announced (lifecycle: capability
    /// negotiation). Asks for what is not announced never reach the application:
    /// in a session the machine answers them with `-32601`. Default: none.
    ///
    /// 2026-07-28 sends them with every request, and an ask for what is not announced ends
    /// its call there (patterns: multi round-trip requests). It deprecates `roots` and
    /// `sampling` (deprecated features), and has `extensions` (versioning: extension
    /// negotiation): if any is announced, results of types that the core protocol does not
    /// know are passed on.
    ///
    /// # Errors
    /// [`Mistake::Params`] if this is no JSON object.
    pub fn capabilities<T: Serialize + ?Sized>(mut self, capabilities: &T) -> Result<Self, Error> {
        self.common.own().capabilities = object("Config::capabilities", capabilities)?;
        Ok(self)
    }

    /// A header that every request carries. Values are treated as secrets.
    ///
    /// # Errors
    /// [`Mistake::Header`] if it is not well formed (CR, LF and NUL cannot be in
    /// it), [`Mistake::OwnedHeader`] if it belongs to HTTP or the protocol.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, Error> {
        add_header("Config::header", &mut self.headers, name, value)?;
        Ok(self)
    }

    /// Speaks this revision and no other. Default: the newest one that the server speaks,
    /// which is found out: it is asked for 2026-07-28 by `server/discover`; a server that
    /// does not know that is offered 2025-11-25 by `initialize`, and may name an older
    /// one; one that does not take `initialize` by POST may be an HTTP+SSE server, which a
    /// GET finds out. A server that is ill, refuses the credential or cannot be reached is
    /// asked for nothing older: the handshake fails with what it said, and with all that
    /// was [asked](crate::Error::search).
    ///
    /// One pinned revision leaves out what cannot find it.
    #[must_use]
    pub fn pin(mut self, revision: Revision) -> Self {
        self.pinned = Some(revision);
        self
    }

    /// How the server was reached the last time, by its [`Status`](crate::Status): it is
    /// asked like this first. What is remembered and turns out to be wrong is found out anew
    /// (2026-07-28, versioning: backward compatibility): at once if the answer says that the
    /// server is another, else by the next call, for until it has worked once a memory is not
    /// kept over a refusal. Default: nothing.
    ///
    /// ```
    /// use mcp_http::{Binding, Config};
    ///
    /// let stored = "session";
    /// let mut config = Config::new("https://example.com/mcp")?;
    /// if let Some(binding) = Binding::from_name(stored) {
    ///     config = config.remember(binding);
    /// }
    /// # Ok::<(), mcp_http::Error>(())
    /// ```
    #[must_use]
    pub fn remember(mut self, binding: Binding) -> Self {
        self.remembered = Some(binding);
        self
    }

    /// What happens when a session is lost. Default: [`Recovery::Automatic`].
    #[must_use]
    pub fn recovery(mut self, recovery: Recovery) -> Self {
        self.recovery = recovery;
        self
    }

    /// Whether to open the listening stream, on which servers say what belongs to no
    /// call (transports: listening for messages from the server). Default: yes; a
    /// server that does not offer it is asked once in each session.
    ///
    /// Without sessions (2026-07-28) nothing comes that was not asked for by
    /// [`Connection::listen`](crate::Connection::listen), which opens the stream in any
    /// revision, whatever is said here.
    #[must_use]
    pub fn listen(mut self, listen: bool) -> Self {
        self.listen = listen;
        self
    }

    /// The token that every request carries as its credential: `Authorization: Bearer`
    /// and this (basic/authorization: access token usage). Takes the place of one that
    /// was set before.
    ///
    /// # Errors
    /// As [`header`](Self::header).
    pub fn bearer(mut self, token: &str) -> Result<Self, Error> {
        let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| {
            let mistake = Mistake::Header(AUTHORIZATION.to_string());
            misuse("Config::bearer", mistake)
        })?;
        value.set_sensitive(true);
        self.headers.insert(AUTHORIZATION, value);
        Ok(self)
    }

    /// Whether the application answers [`Event::Authorize`](crate::Event::Authorize): what
    /// the server refuses for its credential waits for another one, and is sent once more
    /// with it (basic/authorization: error handling; scope challenge handling).
    ///
    /// Default: no. Then a 401 or 403 is the end of what was refused, for an application
    /// that does not know of the event would wait for ever. So it is in any case of a call
    /// that brought an `Authorization` header [of its own](CallOptions::header), which is
    /// not the connection's to replace, and of one that must not be
    /// [sent again](Resend::Never).
    #[must_use]
    pub fn authorize(mut self, authorize: bool) -> Self {
        self.authorize = authorize;
        self
    }

    /// The seed of the jitter, and of the tag that tells this connection's ids
    /// from another's: give each connection one of its own. Secrets are never
    /// made of it. Default: 0.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Replaces the clocks.
    #[must_use]
    pub fn clocks(mut self, clocks: Clocks) -> Self {
        self.common.own().clocks = clocks;
        self
    }

    /// Replaces the limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.common.own().limits = limits;
        self
    }

    /// Replaces the budget of handshakes.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.common.own().budget = budget;
        self
    }

    /// Replaces the numbers by which streams, and what was refused for now, are tried
    /// again. Those that would let a server set the pace are raised to the least that does
    /// not: see [`Retries`].
    #[must_use]
    pub fn retries(mut self, retries: Retries) -> Self {
        self.common.own().retries = retries.bounded();
        self
    }
}

impl Config {
    /// Breaks the machine, for those who look for faults.
    #[cfg(feature = "harness")]
    pub(crate) fn broken(mut self, how: Breakage) -> Self {
        self.broken = Some(how);
        self
    }

    /// Whether the machine is broken like this; never outside of the harness.
    pub(crate) fn is_broken(&self, how: Breakage) -> bool {
        #[cfg(feature = "harness")]
        let broken = self.broken;
        #[cfg(not(feature = "harness"))]
        let broken = None;
        broken == Some(how)
    }
}

/// What most connections of an application have in common: shared by all whose configuration
/// is a copy of one, and at no cost where it is the default.
#[derive(Clone, Default)]
pub(crate) struct Common(Option<Arc<Settings>>);

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) client_info: RawJson,
    pub(crate) capabilities: RawJson,
    pub(crate) clocks: Clocks,
    pub(crate) limits: Limits,
    pub(crate) budget: Budget,
    pub(crate) retries: Retries,
}

static DEFAULT: Settings = Settings {
    client_info: RawJson::fixed(concat!(
        r#"{"name":""#,
        env!("CARGO_PKG_NAME"),
        r#"","version":""#,
        env!("CARGO_PKG_VERSION"),
        r#""}"#
    )),
    capabilities: RawJson::fixed("{}"),
    clocks: Clocks::DEFAULT,
    limits: Limits::DEFAULT,
    budget: Budget::DEFAULT,
    retries: Retries::DEFAULT,
};

impl Common {
    /// To be changed, for this configuration alone.
    fn own(&mut self) -> &mut Settings {
        Arc::make_mut(self.0.get_or_insert_with(|| Arc::new(DEFAULT.clone())))
    }
}

impl Deref for Common {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        self.0.as_deref().unwrap_or(&DEFAULT)
    }
}

/// Without the endpoint's query, where some servers want their keys (law 9).
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("endpoint", &headers::shown(&self.endpoint))
            .field("client_info", &self.common.client_info)
            .field("capabilities", &self.common.capabilities)
            .field("headers", &self.headers)
            .field("pinned", &self.pinned)
            .field("remembered", &self.remembered)
            .field("recovery", &self.recovery)
            .field("listen", &self.listen)
            .field("authorize", &self.authorize)
            .field("seed", &self.seed)
            .field("clocks", &self.common.clocks)
            .field("limits", &self.common.limits)
            .field("budget", &self.common.budget)
            .field("retries", &self.common.retries)
            .finish()
    }
}

#[derive(Serialize)]
struct ClientInfo<'a> {
    name: &'a str,
    version: &'a str,
}

fn misuse(call: &'static str, mistake: Mistake) -> Error {
    Error::misuse(Misuse::new(call, None, mistake))
}

fn object<T: Serialize + ?Sized>(call: &'static str, value: &T) -> Result<RawJson, Error> {
    crate::wire::jsonrpc::object(value)
        .map_err(|why| misuse(call, Mistake::Params(why)))?
        .ok_or_else(|| misuse(call, Mistake::Params("must be a JSON object".to_owned())))
}

fn add_header(
    call: &'static str,
    headers: &mut HeaderMap,
    name: &str,
    value: &str,
) -> Result<(), Error> {
    let bad = || misuse(call, Mistake::Header(headers::good_part(name)));
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
    let mut value = HeaderValue::from_str(value).map_err(|_| bad())?;
    if headers::owned(&name) {
        return Err(misuse(call, Mistake::OwnedHeader(name.to_string())));
    }
    value.set_sensitive(true);
    headers.append(name, value);
    Ok(())
}

/// What happens when a session is lost.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Recovery {
    /// A new session is made and the refused calls are sent again in it.
    #[default]
    Automatic,
    /// A new session is made; after `Ready` the refused calls, and idempotent ones that
    /// were lost with the old one, wait until the application has restored its own state
    /// (its own new calls pass) and says
    /// [`resume`](crate::Connection::resume).
    Hold,
    /// Nothing happens but the event `Reinitialize`, until the application says
    /// [`reinitialize`](crate::Connection::reinitialize).
    Manual,
}

/// Clocks. `None` switches one off; then nothing else may end the wait.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Clocks {
    /// How long the answer to a handshake, a ping, a notification or an answer
    /// may take, and the body of a refusal once its head is there. Calls have no
    /// such clock: JSON servers send the head when the tool is done. Default: 30 s.
    pub head: Option<Duration>,
    /// How long the answer to the `server/discover` may take by which it is found out
    /// whether the server speaks 2026-07-28. Without one by then it is asked for an older
    /// revision. Where 2026-07-28 is [pinned](Config::pin), [`head`](Self::head) holds
    /// instead. Default: 10 s.
    pub probe: Option<Duration>,
    /// How long a call may take as a whole, not counting the time during which
    /// a person is asked. Default: 10 min.
    pub call: Option<Duration>,
    /// How long a call may take as a whole if it makes progress: each progress
    /// notification starts [`call`](Self::call) anew, up to this (lifecycle:
    /// timeouts). Default: off, progress does not extend a call's time.
    pub progress: Option<Duration>,
    /// How long nothing may come on a call's event stream. If the server has shown that it
    /// keeps the stream alive (comments, ids), the connection is then taken for dead;
    /// else a ping decides. Stands still while a person is asked, and while nobody reads.
    /// The listening stream is taken for dead likewise, if comments have come on it and
    /// stop; else its silence means nothing. That of HTTP+SSE, with which the session ends,
    /// is not: there a ping decides. Without this clock nobody is pinged, not
    /// even when the [network changed](crate::Connection::network_changed). Default: 5 min.
    pub silence: Option<Duration>,
    /// How long the DELETE of `close` may take. Closing always ends. Default: 30 s.
    pub delete: Duration,
    /// How long a cancelled call's exchange stays open for the server to take
    /// notice, and a finished stream for the server to end it. Default: 5 s.
    pub linger: Duration,
}

impl Clocks {
    pub(crate) const DEFAULT: Self = Self {
        head: Some(Duration::from_secs(30)),
        probe: Some(Duration::from_secs(10)),
        call: Some(Duration::from_secs(600)),
        progress: None,
        silence: Some(Duration::from_secs(300)),
        delete: Duration::from_secs(30),
        linger: Duration::from_secs(5),
    };
}

impl Default for Clocks {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Limits: each is exact at its value and refused one above, with an error that
/// names it, or holds back what comes until there is room.
///
/// What is as long as no honest server makes it is bounded too, but fixed: of an error body
/// 1 KiB is kept as an excerpt; a session id has 1 KiB at most, an event id that is resumed
/// from 4 KiB, a `Location` 8 KiB, a request id of the server 1 KiB; challenges are read up
/// to 16 KiB of headers. Of 2026-07-28: a list of tools that is read anew has 100 pages, a
/// call 1024 headers made of its arguments, a server 100 revisions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// Calls that have not ended for the application, their ends polled.
    /// Default: 1024, far above what one client asks of one server.
    pub open_calls: usize,
    /// Notifications of the application that were neither accepted nor failed,
    /// these ends polled. Default: 1024.
    pub open_notifications: usize,
    /// Exchanges of control traffic (notifications, answers, cancellations,
    /// pings, DELETEs, what is restored) at a time; more wait their turn. Default: 64.
    pub control_exchanges: usize,
    /// Asks that the application has not answered, and answers that wait to leave, or for
    /// what a ping finds out about their refusal; at this number streams are not read on, and
    /// a call whose answer asks more than fits (2026-07-28) fails. Default: 256.
    pub open_asks: usize,
    /// Rounds of one call: how often the server may ask for input before it answers
    /// (2026-07-28, patterns: multi round-trip requests). Default: 10, more than a person
    /// would put up with.
    pub rounds: usize,
    /// Resources subscribed to, which are remembered for the next session.
    /// Default: 1024.
    pub subscriptions: usize,
    /// Bytes in what is remembered of tools: which arguments go into which headers
    /// (2026-07-28, server/tools: x-mcp-header). Default: 1 MiB, some thousand tools.
    pub tool_headers: usize,
    /// Unread notifications and asks; at this number the streams of calls are not read
    /// on. The listening stream is: what came on that gives way, the oldest first, to all
    /// that comes, see [`Event::Gap`](crate::Event::Gap).
    /// Default: 256, an ample burst.
    pub unread: usize,
    /// Bytes in unread notifications and asks; a larger one is let in alone.
    /// Default: 1 MiB.
    pub unread_bytes: usize,
    /// Bytes of one line of an event stream. Default: 16 MiB, room for an image
    /// in Base64.
    pub line: usize,
    /// Bytes of one event's data. Default: 16 MiB.
    pub event: usize,
    /// Bytes of a JSON body. Default: 64 MiB.
    pub json_body: usize,
    /// Bytes of an error body that are read; what is beyond is not waited for.
    /// Default: 64 KiB.
    pub error_body: usize,
    /// Messages in one batch (2025-03-26). Default: 1024.
    pub batch: usize,
    /// Bytes of the result of `initialize`, which is kept as long as the session.
    /// Default: 1 MiB.
    pub initialize: usize,
    /// Bytes in all buffers of the connection together. The exchange whose bytes would
    /// go beyond it fails; the others go on. What `Ready` says of a session counts from
    /// when it is told, and may go beyond by twice [`initialize`](Self::initialize).
    /// Default: 256 MiB.
    pub buffers: usize,
}

impl Limits {
    pub(crate) const DEFAULT: Self = Self {
        open_calls: 1024,
        open_notifications: 1024,
        control_exchanges: 64,
        open_asks: 256,
        rounds: 10,
        subscriptions: 1024,
        tool_headers: 1 << 20,
        unread: 256,
        unread_bytes: 1 << 20,
        line: 16 << 20,
        event: 16 << 20,
        json_body: 64 << 20,
        error_body: 64 << 10,
        batch: 1024,
        initialize: 1 << 20,
        buffers: 256 << 20,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// How many handshakes a connection may make, so that no server makes it storm.
///
/// Every `initialize` that left counts, the first and the failed ones too, but
/// not one that certainly never reached the server (for [`Retries::floor`] after one of
/// those, what wants a session fails like it, unless it
/// [waits](CallOptions::wait_for_server)), and not the same one sent on by a redirect (at
/// most three times). What is asked before it to find out how the server is reached counts
/// with it: once for each handshake, and each time that the same is asked again. Once the
/// budget is spent all that waits fails with
/// [`Lost::SessionUnrecoverable`](crate::Lost), until the oldest handshake has left the
/// window.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Budget {
    /// Handshakes in any window. Default: 3.
    pub handshakes: usize,
    /// The window. Default: 60 s.
    pub window: Duration,
    /// Least time from one handshake to the next in a window; it doubles with
    /// each further one. Default: 1 s.
    pub delay: Duration,
    /// How often one call is sent again because its session was lost under it: a call
    /// that costs every server its sessions is not to go on for ever. Default: 3.
    pub resends: usize,
}

impl Budget {
    pub(crate) const DEFAULT: Self = Self {
        handshakes: 3,
        window: Duration::from_secs(60),
        delay: Duration::from_secs(1),
        resends: 3,
    };
}

impl Default for Budget {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What one call asks for beyond method and params.
///
/// ```
/// use mcp_http::CallOptions;
/// use std::time::Duration;
///
/// let options = CallOptions::new()
///     .time_out(Duration::from_secs(20))
///     .idempotent()
///     .progress();
/// ```
#[derive(Clone, Debug, Default)]
pub struct CallOptions {
    pub(crate) time_out: Option<Option<Duration>>,
    pub(crate) headers: HeaderMap,
    pub(crate) idempotent: bool,
    pub(crate) resend: Resend,
    pub(crate) patience: Option<Duration>,
    pub(crate) progress: bool,
    pub(crate) longest: Option<Duration>,
}

impl CallOptions {
    /// The defaults of the connection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How long the call may take as a whole, instead of
    /// [`Clocks::call`]. Pauses for asks do not count.
    #[must_use]
    pub fn time_out(mut self, time: Duration) -> Self {
        self.time_out = Some(Some(time));
        self
    }

    /// Lets the call take for ever.
    #[must_use]
    pub fn no_time_out(mut self) -> Self {
        self.time_out = Some(None);
        self
    }

    /// Progress extends the call's time, up to this as a whole: see
    /// [`Clocks::progress`]. Asks for progress, too.
    #[must_use]
    pub fn extended_by_progress(mut self, longest: Duration) -> Self {
        self.progress = true;
        self.longest = Some(longest);
        self
    }

    /// A header for the requests of this call alone. It takes the place of the
    /// connection's header of that name.
    ///
    /// # Errors
    /// As [`Config::header`].
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, Error> {
        add_header("CallOptions::header", &mut self.headers, name, value)?;
        Ok(self)
    }

    /// Declares that executing the call twice does no harm: it may then be sent
    /// again (at most twice) when the server failed or the connection broke; but in a session
    /// not when its event stream did, which is resumed if it can be.
    #[must_use]
    pub fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// Whether the call may be sent again when the server certainly did not
    /// execute it. Default: [`Resend::Allowed`].
    #[must_use]
    pub fn resend(mut self, resend: Resend) -> Self {
        self.resend = resend;
        self
    }

    /// Tries again, with growing delay, for this long when the server cannot be
    /// reached at all. Default: off, the call fails at once. A try that is under
    /// way when that is over is the last; else there is one more then, though not sooner
    /// than [`Retries::floor`](crate::Retries::floor) after the one before.
    #[must_use]
    pub fn wait_for_server(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// Asks the server for progress: the machine puts a progress token of its own
    /// into `_meta` (utilities: progress). Notifications with that token come as
    /// [`Event::Message`](crate::Event::Message) with this call's id.
    #[must_use]
    pub fn progress(mut self) -> Self {
        self.progress = true;
        self
    }
}

/// Whether a call may be sent again.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Resend {
    /// When the server certainly did not execute it, or when it is
    /// [idempotent](CallOptions::idempotent).
    #[default]
    Allowed,
    /// Never once it has reached the server. Redirects are followed nevertheless, for
    /// they are how it gets there, and a server that cannot be reached is tried again
    /// for those who [wait for it](CallOptions::wait_for_server). A server that asks for
    /// input gets the call again with the answers (2026-07-28, patterns: multi round-trip
    /// requests).
    Never,
}
