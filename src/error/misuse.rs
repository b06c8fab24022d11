//! Mistakes of the caller.

use thiserror::Error;

use crate::{Phase, Revision};

/// A mistake of the caller: what was called, in which phase the connection was,
/// and what is wrong with that. Nothing was changed or sent.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("`{call}` was misused: {mistake}{}", phase.map(|phase| format!(" (it is {phase:?})")).unwrap_or_default())]
pub struct Misuse {
    call: &'static str,
    phase: Option<Phase>,
    mistake: Mistake,
}

impl Misuse {
    pub(crate) fn new(call: &'static str, phase: Option<Phase>, mistake: Mistake) -> Self {
        Self {
            call,
            phase,
            mistake,
        }
    }

    /// The method of this crate that was called.
    #[must_use]
    pub fn call(&self) -> &'static str {
        self.call
    }

    /// The phase of the connection at that moment, if one existed.
    #[must_use]
    pub fn phase(&self) -> Option<Phase> {
        self.phase
    }

    /// What was wrong.
    #[must_use]
    pub fn mistake(&self) -> &Mistake {
        &self.mistake
    }
}

/// What a caller can do wrong.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum Mistake {
    /// An argument that cannot go into the header into which its tool's schema wants it
    /// (2026-07-28, transports/streamable-http: custom headers from tool parameters); the
    /// text says why.
    #[error("{0}")]
    Argument(String),
    /// Body or end of an answer whose head was not reported.
    #[error("the answer's head was not reported yet")]
    BodyBeforeHead,
    /// The server did not announce the capability that the method needs
    /// (lifecycle: capability negotiation).
    #[error("the server did not announce the capability `{0}`")]
    CapabilityMissing(&'static str),
    /// The connection was closed.
    #[error("the connection is closed")]
    Closed,
    /// The URL cannot be an MCP endpoint; the text says why.
    #[error("{0}")]
    Endpoint(String),
    /// The id was given by another connection, or by none.
    #[error("the id belongs to another connection")]
    ForeignId,
    /// A header that is not well formed.
    #[error("the header `{0}` is not well formed")]
    Header(String),
    /// A second head for one exchange.
    #[error("the answer's head was reported already")]
    HeadTwice,
    /// A method name that cannot be in a header, where it has to be (2026-07-28,
    /// transports/streamable-http: standard request headers).
    #[error("the method `{0}` cannot be sent in a header")]
    Method(String),
    /// The revision that is spoken has no such method (2026-07-28, changelog, and the
    /// revisions before).
    #[error("revision {revision} has no method `{method}`")]
    NotInRevision {
        /// The method.
        method: String,
        /// The revision.
        revision: Revision,
    },
    /// Nothing waits to be resumed or re-initialized, or for a credential.
    #[error("nothing waits for it")]
    NothingHeld,
    /// The header belongs to HTTP or to the protocol.
    #[error("the header `{0}` belongs to the protocol")]
    OwnedHeader(String),
    /// A member of `_meta` that the protocol writes itself (2026-07-28, basic: `_meta`).
    #[error("the member `{0}` of `_meta` belongs to the protocol")]
    OwnedMeta(&'static str),
    /// The machine sends this method itself.
    #[error("the method `{0}` belongs to the protocol")]
    OwnedMethod(String),
    /// Params that are no JSON object, or cannot be serialized; the text says why.
    #[error("the params {0}")]
    Params(String),
    /// A progress token that another open call uses (progress: tokens are unique
    /// across active requests).
    #[error("the progress token is in use")]
    ProgressToken,
    /// The ask was answered or withdrawn.
    #[error("the ask is not open: it was answered or withdrawn")]
    TicketNotOpen,
    /// The result of an answer that is no JSON object, or cannot be serialized; the text
    /// says why.
    #[error("the value {0}")]
    Value(String),
}
