//! Errors for the person who reads them at 3 a.m.: what happened, whether the
//! call was executed, what to do.

mod misuse;
mod reason;
mod remedy;
mod rpc;

use std::fmt;
use std::time::Duration;

use http::StatusCode;

pub use misuse::{Mistake, Misuse};
pub use reason::{
    Clock, Failure, FailureKind, LimitExceeded, LimitKind, Lost, Peer, Reason, RedirectHint,
    Refused,
};
pub use remedy::{Delivery, Remedy};
pub use rpc::RpcError;

use crate::wire::headers;
use crate::{Challenge, Search};

/// Why something failed: a call, a notification, an answer, the connection.
///
/// Who is to blame comes first ([`Error::reason`]); every error also says
/// whether the server may have executed the call ([`Error::delivery`]) and what
/// to do next ([`Error::remedy`]). `Display` gives all three as one sentence, and so
/// does `Debug`, for that is what a `main` that returns the error prints:
///
/// ```
/// use mcp_http::{CallOptions, Config, Connection, Time};
///
/// let mut connection = Connection::new(Config::new("http://127.0.0.1:8000/mcp")?);
/// connection.close(Time::ZERO);
/// let error = connection
///     .call("tools/list", &(), CallOptions::new(), Time::ZERO)
///     .unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "`call` was misused: the connection is closed (it is Closed); \
///      nothing was sent; calling again unchanged will not help",
/// );
/// # Ok::<(), mcp_http::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Error {
    inner: Box<Inner>,
}

#[derive(Clone, PartialEq)]
struct Inner {
    reason: Reason,
    delivery: Delivery,
    method: Option<String>,
    scope: Scope,
    answer: Answer,
    search: Search,
}

/// What it is that failed.
#[derive(Clone, Copy, PartialEq)]
enum Scope {
    /// The handshake; what fails with this only waited for it.
    Handshake,
    /// The listening stream. Nothing else fails with it.
    Listening,
    /// One message. What it came on goes on.
    Message,
    /// What the error is about.
    Whole,
}

/// What is kept of the answer that an error came with.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: Option<StatusCode>,
    pub(crate) rpc: Option<RpcError>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) excerpt: Option<String>,
    pub(crate) challenges: Vec<Challenge>,
}

impl Error {
    pub(crate) fn new(reason: impl Into<Reason>, delivery: Delivery) -> Self {
        let inner = Inner {
            reason: reason.into(),
            delivery,
            method: None,
            scope: Scope::Whole,
            answer: Answer::default(),
            search: Search::default(),
        };
        Self {
            inner: Box::new(inner),
        }
    }

    pub(crate) fn misuse(misuse: Misuse) -> Self {
        Self::new(misuse, Delivery::NotSent)
    }

    /// A call that the server answered with a JSON-RPC error, as an error.
    ///
    /// For adapters whose calls return a `Result`: to the machine such an answer
    /// is a reply like any other. The delivery is `Unknown`, for only the error
    /// itself can say how far the server got.
    #[must_use]
    pub fn from_rpc(rpc: RpcError, status: StatusCode) -> Self {
        Self::new(Refused::Rpc, Delivery::Unknown).with_answer(Answer {
            status: Some(status),
            rpc: Some(rpc),
            ..Answer::default()
        })
    }

    /// An answer of another shape than the caller expected, as an error: for
    /// adapters that deserialize replies.
    #[must_use]
    pub fn unexpected_shape(why: &serde_json::Error) -> Self {
        let why = without_values(&why.to_string(), why.line(), why.column());
        Self::new(Peer::Shape { why }, Delivery::Unknown)
    }

    pub(crate) fn with_answer(mut self, answer: Answer) -> Self {
        self.inner.answer = answer;
        self
    }

    /// What was asked to find out how the server is reached.
    pub(crate) fn with_search(mut self, search: Search) -> Self {
        self.inner.search = search;
        self
    }

    pub(crate) fn with_retry_after(mut self, after: Option<Duration>) -> Self {
        self.inner.answer.retry_after = after;
        self
    }

    /// Names the method of the call, unless the error names one already.
    pub(crate) fn for_method(mut self, method: &str) -> Self {
        self.inner.method.get_or_insert_with(|| method.to_owned());
        self
    }

    /// The failure of a handshake, as it strikes what waited for it.
    pub(crate) fn in_handshake(mut self) -> Self {
        self.inner.scope = Scope::Handshake;
        self.inner.method = None;
        self
    }

    /// What many wait for tells each of them: of a JSON-RPC error that is longer than this,
    /// the data go and an excerpt of the message stays.
    pub(crate) fn for_many(mut self, longest: usize) -> Self {
        if let Some(rpc) = self
            .inner
            .answer
            .rpc
            .as_mut()
            .filter(|rpc| rpc.bytes() > longest)
        {
            rpc.message = headers::excerpt(rpc.message.as_bytes());
            rpc.data = None;
        }
        self
    }

    /// The listening stream, which no call depends on.
    pub(crate) fn of_listening(mut self) -> Self {
        self.inner.scope = Scope::Listening;
        self
    }

    /// One message that could not be used, and nothing else.
    pub(crate) fn of_one_message(mut self) -> Self {
        self.inner.scope = Scope::Message;
        self
    }

    pub(crate) fn with_delivery(mut self, delivery: Delivery) -> Self {
        self.inner.delivery = delivery;
        self
    }

    /// Says what holds for the whole call: the worst of all its sendings.
    pub(crate) fn at_least(mut self, delivery: Delivery) -> Self {
        self.inner.delivery = self.inner.delivery.max(delivery);
        self
    }

    /// What went wrong, blame first.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        &self.inner.reason
    }

    /// Whether the server may have executed what failed.
    #[must_use]
    pub fn delivery(&self) -> Delivery {
        self.inner.delivery
    }

    /// What to do next.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        let again = match (self.retry_after(), self.delivery()) {
            (Some(after), _) => Remedy::RetryAfter(after),
            (None, Delivery::NotSent | Delivery::Rejected) => Remedy::Retry,
            (None, Delivery::Unknown) => Remedy::Verify,
        };
        match &self.inner.reason {
            Reason::Misuse(_) => Remedy::Correct,
            Reason::Limit(limit) => match limit.kind {
                LimitKind::Buffers | LimitKind::OpenCalls | LimitKind::OpenNotifications => again,
                LimitKind::Batch
                | LimitKind::Event
                | LimitKind::Initialize
                | LimitKind::JsonBody
                | LimitKind::Line
                | LimitKind::OpenAsks
                | LimitKind::Rounds
                | LimitKind::Subscriptions
                | LimitKind::ToolHeaders => Remedy::Correct,
            },
            Reason::Peer(_) => Remedy::GiveUp,
            Reason::Refused(refused) => match refused {
                Refused::Unauthorized => Remedy::Authorise,
                Refused::Forbidden if !self.challenges().is_empty() => Remedy::Authorise,
                Refused::NotFound if !self.is_of_handshake() => again,
                Refused::Forbidden
                | Refused::NotFound
                | Refused::Redirected { .. }
                | Refused::Rpc
                | Refused::Status => Remedy::Correct,
                Refused::TooManyRequests | Refused::Unanswered | Refused::Unavailable => again,
            },
            Reason::Lost(Lost::NotOffered) => Remedy::GiveUp,
            Reason::Cancelled | Reason::Lost(_) | Reason::Transport(_) | Reason::Timeout(_) => {
                again
            }
            Reason::Closed => Remedy::Reconnect,
        }
    }

    fn is_of_handshake(&self) -> bool {
        self.inner.scope == Scope::Handshake
            || matches!(
                self.method(),
                Some("GET" | "initialize" | "server/discover")
            )
    }

    /// The method of the call that failed.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        self.inner.method.as_deref()
    }

    /// The HTTP status of the answer, if there was one.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.inner.answer.status
    }

    /// The JSON-RPC error of the answer, if it carried one.
    #[must_use]
    pub fn rpc_error(&self) -> Option<&RpcError> {
        self.inner.answer.rpc.as_ref()
    }

    /// How long to wait before trying again, if the server or a budget says so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.inner.answer.retry_after
    }

    /// At most 1 KiB of the answer's body, control characters escaped.
    #[must_use]
    pub fn excerpt(&self) -> Option<&str> {
        self.inner.answer.excerpt.as_deref()
    }

    /// What was asked to find out how the server is reached, and how it answered: for the
    /// failure of a handshake, and for what waited for it. Empty for everything else.
    #[must_use]
    pub fn search(&self) -> &Search {
        &self.inner.search
    }

    /// What went wrong, in a few words.
    pub(crate) fn brief(&self) -> String {
        let Answer { status, rpc, .. } = &self.inner.answer;
        match (status, rpc) {
            (Some(status), Some(rpc)) => format!("HTTP {status}, error {}", rpc.code),
            (Some(status), None) if !status.is_success() => format!("HTTP {status}"),
            _ => self.inner.reason.to_string(),
        }
    }

    /// The challenges of a 401 or 403 (RFC 9110, section 11.6.1).
    #[must_use]
    pub fn challenges(&self) -> &[Challenge] {
        &self.inner.answer.challenges
    }
}

/// What a deserializer complains of, without the values that it found (law 9).
fn without_values(why: &str, line: usize, column: usize) -> String {
    let place = format!("at line {line} column {column}");
    match why.rsplit_once(", expected ") {
        _ if why.starts_with("missing field ") => why.to_owned(),
        Some((_, expected)) => format!("expected {expected}"),
        None => format!("it does not fit {place}"),
    }
}

impl std::error::Error for Error {}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            reason,
            delivery,
            method,
            scope,
            answer,
            search,
        } = &*self.inner;
        match (reason, method) {
            (Reason::Misuse(misuse), None) => {
                return write!(f, "{misuse}; nothing was sent; {}", self.remedy());
            }
            (_, Some(method)) if *scope == Scope::Message => {
                return write!(
                    f,
                    "one message on the stream of `{method}` was dropped: {reason}; the stream goes on"
                );
            }
            (_, None) if *scope == Scope::Message => {
                return write!(
                    f,
                    "one message was dropped: {reason}; the connection goes on"
                );
            }
            _ => {}
        }
        match (scope, reason, method) {
            (Scope::Listening, Reason::Lost(Lost::NotOffered), _) => write!(f, "{reason}")?,
            (Scope::Listening, Reason::Lost(Lost::Stream), _) => {
                f.write_str("the server ended the listening stream")?;
            }
            (Scope::Listening, ..) => write!(f, "the listening stream failed: {reason}")?,
            (Scope::Handshake, _, Some(method)) => {
                write!(
                    f,
                    "`{method}` failed because no session could be made: {reason}"
                )?;
            }
            (_, _, Some(method)) => write!(f, "`{method}` failed: {reason}")?,
            (_, _, None) => write!(f, "the connection failed: {reason}")?,
        }
        if *reason == Reason::Refused(Refused::NotFound) && self.is_of_handshake() {
            f.write_str(
                ", the address is probably not that of an MCP server (check the endpoint's URL)",
            )?;
        }
        if let Some(status) = answer.status {
            write!(f, " (HTTP {status})")?;
        }
        match (&answer.rpc, &answer.excerpt) {
            (Some(rpc), _) => write!(f, " ({rpc})")?,
            (None, Some(excerpt)) if !excerpt.is_empty() => write!(f, " (it says \"{excerpt}\")")?,
            _ => {}
        }
        if search.steps().len() > 1 {
            write!(f, " (asked in turn: {search})")?;
        }
        match (scope, reason) {
            (Scope::Listening, Reason::Lost(Lost::NotOffered)) => Ok(()),
            (Scope::Listening, _) => f.write_str("; it is opened anew by and by"),
            _ => write!(f, "; {delivery}; {}", self.remedy()),
        }
    }
}
