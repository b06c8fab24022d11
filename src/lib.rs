//! The client side of the Model Context Protocol over HTTP, as a pure (sans-IO)
//! state machine.
//!
//! [`Connection`] is the machine. It takes commands of the application and reports
//! of what came over the network, and gives what to send and what the application
//! should know. It owns no socket, clock, thread or random source, so the same
//! inputs always give the same actions. Around it stand thin modules that do I/O and
//! decide nothing: [`asynchronous`](https://docs.rs/mcp-http/latest/mcp_http/asynchronous/)
//! (any runtime), [`tokio`](https://docs.rs/mcp-http/latest/mcp_http/tokio/) (that
//! one ready made) and
//! [`blocking`](https://docs.rs/mcp-http/latest/mcp_http/blocking/) (threads).
//!
//! # Scope
//!
//! The client's side of all five revisions, in all three shapes that the protocol has had
//! over HTTP: HTTP+SSE (2024-11-05: `basic/transports`), streamable HTTP with sessions
//! (2025-03-26, 2025-06-18 and 2025-11-25: `basic/transports`, `basic/lifecycle`,
//! `basic/utilities`), and without (2026-07-28: `basic/transports/streamable-http`,
//! `basic/versioning`, `basic/patterns`).
//!
//! - the handshake, lazily with the first call or by [`Connection::connect`]
//! - sessions: lost by 404, made anew within a [`Budget`], refused calls sent again
//! - calls answered by JSON or by event streams, which are resumed when they break
//!   off, where the revision resumes; progress, cancelling, time-outs
//! - what the application wants to hear about between calls ([`Connection::listen`]):
//!   subscriptions and log level are carried over into a new session
//! - the server's questions ([`Event::Ask`]), answered with a [`Ticket`]
//! - refused credentials ([`Event::Authorize`], where
//!   [asked for](Config::authorize)): the application gives another one, and what was
//!   refused is sent once more (`basic/authorization`; where credentials come from, OAuth
//!   and all, is the application's)
//! - every failure as a typed [`Error`]: blame, [`Delivery`], [`Remedy`]
//! - the event stream decoder on its own: [`sse`]
//!
//! # One API
//!
//! An application need not know which shape a server has: the same commands bring the
//! same events. What goes over the wire differs. In one play of one application, with
//! either adapter, against a server of each revision:
//!
#![doc = include_str!("revisions.md")]
//!
//! A test plays it, and writes this table. What it does not show:
//!
//! - In a session each request has the session's id; in 2026-07-28 it says who asks and what
//!   it is about, in `_meta` and in headers, and arguments that a tool's schema marks are in
//!   headers too.
//! - HTTP+SSE servers say everything on the one stream that a GET opens, and are asked at the
//!   address that they name there. If the stream ends, so does the session.
//! - A call's stream that breaks off is resumed in a session where the server gave ids;
//!   elsewhere it is lost, and [idempotent](CallOptions::idempotent) calls are made again.
//! - `logging/setLevel` is a request, but in 2026-07-28 remembered, and told with each request.
//!
//! How a server is reached is found out in the first handshake, newest shape first
//! ([`Config::pin`] leaves that out, [`Config::remember`] begins where the last time ended).
//! Whoever wants to know asks [`Status::binding`], and [`Status::search`](Status) for what
//! was asked and how it was answered.
//!
//! # How to drive it
//!
//! ```text
//!  application                 Connection                         network
//!  ───────────                 ──────────                         ───────
//!  call, notify, answer,  ──▶  commands
//!  cancel, close …
//!  replies, messages,     ◀──  poll_event      poll_transmit  ──▶  send, abort
//!  asks, failures              handle_head, handle_body,      ◀──  what came of it
//!                              handle_end, handle_failure
//!                              handle_timeout, poll_timeout   ◀─▶  a clock
//! ```
//!
//! ```
//! use http::{HeaderMap, StatusCode};
//! use mcp_http::{CallOptions, Config, Connection, Delivery, Event, Time, Transmit};
//!
//! let mut connection = Connection::new(Config::new("http://localhost/mcp")?);
//! let now = Time::ZERO;
//! let call = connection.call("tools/list", &(), CallOptions::new(), now)?;
//!
//! // The first call causes the handshake. Here the address turns out to be wrong: it is
//! // asked in each of the shapes that the protocol has had, and answers none.
//! let mut asked = 0;
//! while let Some(Transmit::Send { exchange, request }) = connection.poll_transmit(now) {
//!     assert!(!request.headers().contains_key("mcp-session-id"));
//!     connection.handle_head(exchange, StatusCode::NOT_FOUND, &HeaderMap::new(), now)?;
//!     connection.handle_end(exchange, now)?;
//!     asked += 1;
//! }
//! assert_eq!(asked, 3);
//!
//! let failed = std::iter::from_fn(|| connection.poll_event())
//!     .find_map(|event| match event {
//!         Event::Fail { subject: mcp_http::Subject::Call(id), error } if id == call => Some(error),
//!         _ => None,
//!     })
//!     .expect("every call ends");
//! assert_eq!(failed.delivery(), Delivery::NotSent);
//! assert!(failed.to_string().contains("this is no expired session"));
//! # Ok::<(), mcp_http::Error>(())
//! ```
//!
//! # Phases
//!
//! What moves a connection from phase to phase: a row for each input, a column for
//! each [`Phase`], `-` where nothing changes.
//!
//! ```text
#![doc = include_str!("connection/phase_table.txt")]
//! ```
//!
//! The same as a graph, for mermaid:
//!
//! ```text
#![doc = include_str!("connection/phase_graph.mmd")]
//! ```
//!
//! # How it is proven
//!
//! [What is claimed, what checks it, what is not claimed](guide::trust), and how to run it all.
//!
//! # Features
//!
//! The core has none. `asynchronous` adds the adapter without a runtime, `tokio` the
//! one that is ready made, `blocking` the one with threads; `cli` builds the command
//! `mcp-http`. Features add API; they never change behaviour.

#![cfg_attr(
    not(test),
    deny(
        clippy::disallowed_macros,
        clippy::disallowed_methods,
        clippy::disallowed_types
    )
)]

#[cfg(any(feature = "asynchronous", feature = "blocking"))]
mod adapter;
#[cfg(feature = "asynchronous")]
pub mod asynchronous;
#[cfg(feature = "blocking")]
pub mod blocking;
mod breakage;
mod config;
mod connection;
mod error;
mod event;
mod filter;
pub mod guide;
#[cfg(feature = "harness")]
#[doc(hidden)]
pub mod harness;
mod id;
mod raw;
mod retries;
mod search;
mod time;
#[cfg(any(feature = "blocking", feature = "tokio"))]
mod tls;
#[cfg(feature = "tokio")]
pub mod tokio;
mod transmit;
mod wire;

pub use wire::sse;

pub use config::{Budget, CallOptions, Clocks, Config, Limits, Recovery, Resend};
pub use connection::{Connection, Listening, Phase, Status};
pub use error::{
    Clock, Delivery, Error, Failure, FailureKind, LimitExceeded, LimitKind, Lost, Mistake, Misuse,
    Peer, Reason, RedirectHint, Refused, Remedy, RpcError,
};
pub use event::{
    Ask, Authorize, Changed, Event, LossCause, Message, Ready, RejectedTool, Reply, Subject,
    Withdrawal,
};
pub use filter::SubscriptionFilter;
pub use id::{CallId, ExchangeId, NotificationId, Ticket};
pub use raw::RawJson;
pub use retries::Retries;
pub use search::{Contact, Search, Step};
pub use time::Time;
pub use transmit::Transmit;
pub use wire::binding::Binding;
pub use wire::challenge::Challenge;
pub use wire::revision::Revision;

/// The programs of the README, compiled.
#[cfg(all(doctest, feature = "blocking", feature = "tokio"))]
#[doc = include_str!("../README.md")]
pub struct ReadmeDoctests;
