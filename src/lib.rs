//! mcp-http

#![cfg_attr(
    not(test),
    deny(
        clippy::disallowed_macros,
        clippy::disallowed_methods,
        clippy::disallowed_types
    )
)]

#[cfg(feature = "asynchronous")]
pub mod asynchronous;
mod config;
mod connection;
mod error;
mod event;
mod id;
mod raw;
mod time;
#[cfg(feature = "tokio")]
pub mod tokio;
mod transmit;
mod wire;

pub use wire::sse;

pub use config::{Budget, CallOptions, Clocks, Config, Limits, Recovery, Resend};
pub use connection::{Connection, Phase, Status};
pub use error::{
    Clock, Delivery, Error, Failure, FailureKind, LimitExceeded, LimitKind, Lost, Mistake, Misuse,
    Peer, Reason, RedirectHint, Refused, Remedy, RpcError,
};
pub use event::{Ask, Changed, Event, LossCause, Message, Ready, Reply, Subject, Withdrawal};
pub use id::{CallId, ExchangeId, NotificationId, Ticket};
pub use raw::RawJson;
pub use time::Time;
pub use transmit::Transmit;
pub use wire::challenge::Challenge;
pub use wire::revision::Revision;
