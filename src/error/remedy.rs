//! What an error says besides its reason: whether it was executed, and what to do.

use std::fmt;
use std::time::Duration;

/// Whether the server may have executed a call that failed.
///
/// The order is that of doubt: what holds for a call is the worst of its sendings.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Delivery {
    /// It never reached the server.
    NotSent,
    /// The server refused it unread: certainly not executed.
    Rejected,
    /// It may have been executed, in part or whole.
    Unknown,
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSent => "it did not reach the server",
            Self::Rejected => "the server did not execute it",
            Self::Unknown => "the server may have executed it",
        })
    }
}

/// What to do about an error.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Remedy {
    /// Get a credential that the challenge asks for, then call again.
    Authorise,
    /// The same request will fail again: correct it, or the configuration.
    Correct,
    /// Nothing that the caller does will help.
    GiveUp,
    /// Make a new connection: this one is closed.
    Reconnect,
    /// Call again; nothing was executed.
    Retry,
    /// Call again when this time has passed.
    RetryAfter(Duration),
    /// It may have been executed: find out whether it was before calling again.
    Verify,
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authorise => f.write_str("get a valid credential and call again"),
            Self::Correct => f.write_str("calling again unchanged will not help"),
            Self::GiveUp => f.write_str("nothing the caller does will help"),
            Self::Reconnect => f.write_str("make a new connection"),
            Self::Retry => f.write_str("call again"),
            Self::RetryAfter(after) => write!(f, "call again in {:.1} s", after.as_secs_f64()),
            Self::Verify => f.write_str("find out whether it took effect before calling again"),
        }
    }
}
