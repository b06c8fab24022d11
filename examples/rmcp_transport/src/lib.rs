//! rmcp's client over this crate: the same code, one line changed.
//!
//! ```text
//! - let transport = StreamableHttpClientTransport::from_uri(url);
//! + let transport = HttpTransport::new(Config::new(url)?);
//!   let client = application.serve(transport).await?;
//! ```
//!
//! [`HttpTransport`] is an [`rmcp::transport::Transport`]. rmcp says its messages and hears
//! the server's, as over any transport. What happens on the way (sessions, streams, retries,
//! revisions) is the machine's. So a lost session is one handshake, whatever is in flight; a
//! call that cannot be answered ends, with a JSON-RPC error whose message says what happened,
//! whether it was executed and what to do, and whose data says it to programs: `delivery`
//! (`not sent`, `rejected`, `unknown`), `remedy`, `status`, `retryAfterMs`. Errors of the
//! server come as they are.
//!
//! # How the two meet
//!
//! - **The handshake.** The machine makes it, once, and with each new session. rmcp's
//!   `initialize` or `server/discover` is not sent: it sets up the connection, with rmcp's
//!   client info and capabilities, waits for it, and is answered from
//!   [`Ready`](mcp_http::Ready). rmcp's `notifications/initialized` is not sent either.
//!   If the handshake fails, rmcp's `serve` fails with this crate's
//!   [`Error`](mcp_http::Error) inside: `DynamicTransportError::downcast` gives it.
//! - **Lifecycles.** With rmcp's `Initialize`, which `serve` uses, the search for the server
//!   begins with sessions; with `Discover` and `Auto` it begins with 2026-07-28. It goes on
//!   from there until the server is found, and rmcp is told which revision is spoken. For
//!   `Auto` that is one handshake; `Discover` fails if there are sessions.
//! - **Ids.** rmcp's are known here alone. A call that is sent again has a new one each time.
//! - **Progress** tokens are rmcp's own; the machine lets them pass.
//! - **Cancelling.** rmcp's `notifications/cancelled` cancels the call as its revision
//!   demands.
//! - **Questions** of the server (elicitation, sampling, roots) are requests to rmcp's
//!   handler in every revision, also where they come in rounds. If one is withdrawn, rmcp is
//!   told.
//! - **Subscriptions** (`Peer::listen`), any number, share the machine's one filter. They
//!   work in sessions too, and outlive them.
//!
//! # What does not fit
//!
//! - rmcp keeps what it learnt of the server in its first handshake (`Peer::peer_info`) and
//!   what it caches; it has no word for a new session. Whoever needs to know looks at
//!   [`Event::Ready`](mcp_http::Event::Ready) and
//!   [`Event::Reinitialize`](mcp_http::Event::Reinitialize) with [`HttpTransport::observe`].
//!   So it is with gaps, degraded streams and tools that were taken out of a list.
//! - rmcp has no options for a call beyond time: [`HttpTransport::options`] chooses them by
//!   method and params. Its time-outs hold beside those of the machine
//!   ([`Clocks`](mcp_http::Clocks), 10 min for a call).
//! - The revision that rmcp names in `initialize` is not looked at, nor is its `_meta`:
//!   [`Config::pin`](mcp_http::Config::pin) says what to speak. What
//!   [`Config::remember`](mcp_http::Config::remember) said is replaced where rmcp begins
//!   with `initialize`.
//! - rmcp's flow of authorization looks for errors of its own transport
//!   (`ClientInitializeError::auth_challenge`) and finds none. The challenges are in this
//!   crate's error; for a token that expires there is
//!   [`Client::spawn_with_credentials`](mcp_http::asynchronous::Client::spawn_with_credentials),
//!   given to [`HttpTransport::over`].
//! - [`Recovery::Hold`](mcp_http::Recovery::Hold) and
//!   [`Manual`](mcp_http::Recovery::Manual) wait for a word that rmcp does not say. It takes a
//!   clone of the [`Client`](mcp_http::asynchronous::Client), kept by what is given to
//!   [`HttpTransport::over`].
//! - 2026-07-28 has no `ping`, no `resources/subscribe` and no roots that change: those of
//!   rmcp's calls end with an error. Rounds are made here, so that `call_tool_once` never
//!   sees an `input_required`. And rmcp does not tell its handler there that a question is
//!   withdrawn; an answer that comes too late is dropped.
//! - A log level in the `_meta` of one request is refused: `set_level` says it for all, in
//!   every revision.
//! - The reason that rmcp gives for cancelling is not passed on.
//! - A subscription whose server ends the stream is over for all of them, as the stream is
//!   one. What a subscription was granted is what the first session granted.

mod link;
mod message;
mod opening;
mod subscriptions;
mod transport;

pub use transport::HttpTransport;
