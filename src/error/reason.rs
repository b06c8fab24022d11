//! What can go wrong, sorted by who is to blame.

use std::time::Duration;

use thiserror::Error;

use super::{Error as McpError, Misuse};
use crate::Revision;

/// Who is to blame, and for what.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// The application cancelled it.
    #[error("it was cancelled")]
    Cancelled,
    /// The connection was closed by the application.
    #[error("the connection was closed")]
    Closed,
    /// A limit was reached.
    #[error(transparent)]
    Limit(#[from] LimitExceeded),
    /// The session or the stream that carried it is gone.
    #[error(transparent)]
    Lost(#[from] Lost),
    /// The caller made a mistake.
    #[error(transparent)]
    Misuse(#[from] Misuse),
    /// The server broke a rule of the protocol.
    #[error(transparent)]
    Peer(#[from] Peer),
    /// The server said no.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A clock ran out.
    #[error(transparent)]
    Timeout(#[from] Clock),
    /// The adapter reported a failure of the network.
    #[error(transparent)]
    Transport(#[from] Failure),
}

/// A failure of the network, as the adapter reports it to
/// [`Connection::handle_failure`](crate::Connection::handle_failure).
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{}: {message}", match kind { FailureKind::NotSent => "no connection could be made", FailureKind::Broken => "the connection broke" })]
pub struct Failure {
    kind: FailureKind,
    message: String,
}

/// Whether anything can have reached the server.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum FailureKind {
    /// Something may have reached it.
    Broken,
    /// Certainly nothing did: the connection was refused, the name not found,
    /// TLS not agreed on, the time to connect ran out.
    NotSent,
}

impl Failure {
    /// A failure before anything can have reached the server. If in doubt, it is
    /// [`broken`](Self::broken): calls are sent again on the strength of this.
    #[must_use]
    pub fn not_sent(message: impl AsRef<str>) -> Self {
        Self::new(FailureKind::NotSent, message.as_ref())
    }

    /// A failure after something may have reached the server.
    #[must_use]
    pub fn broken(message: impl AsRef<str>) -> Self {
        Self::new(FailureKind::Broken, message.as_ref())
    }

    fn new(kind: FailureKind, message: &str) -> Self {
        Self {
            kind,
            message: crate::wire::headers::excerpt(message.as_bytes()),
        }
    }

    /// Whether anything can have reached the server.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    /// What the adapter said.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// A limit of [`Limits`](crate::Limits) that was exceeded.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("the limit of {value} {} was exceeded", kind.of_what())]
pub struct LimitExceeded {
    /// Which limit.
    pub kind: LimitKind,
    /// Its value.
    pub value: usize,
}

/// Which limit. Each is a field of [`Limits`](crate::Limits).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum LimitKind {
    /// [`Limits::batch`](crate::Limits::batch).
    Batch,
    /// [`Limits::buffers`](crate::Limits::buffers).
    Buffers,
    /// [`Limits::event`](crate::Limits::event).
    Event,
    /// [`Limits::initialize`](crate::Limits::initialize).
    Initialize,
    /// [`Limits::json_body`](crate::Limits::json_body).
    JsonBody,
    /// [`Limits::line`](crate::Limits::line).
    Line,
    /// [`Limits::open_asks`](crate::Limits::open_asks): an answer of the server asks more than fits.
    OpenAsks,
    /// [`Limits::open_calls`](crate::Limits::open_calls).
    OpenCalls,
    /// [`Limits::open_notifications`](crate::Limits::open_notifications).
    OpenNotifications,
    /// [`Limits::rounds`](crate::Limits::rounds).
    Rounds,
    /// [`Limits::subscriptions`](crate::Limits::subscriptions).
    Subscriptions,
    /// [`Limits::tool_headers`](crate::Limits::tool_headers).
    ToolHeaders,
}

impl LimitKind {
    fn of_what(self) -> &'static str {
        match self {
            Self::Batch => "messages in a batch",
            Self::Buffers => "bytes in all buffers together",
            Self::Event => "bytes in one event of a stream",
            Self::Initialize => "bytes in the result of `initialize`",
            Self::JsonBody => "bytes in a JSON body",
            Self::Line => "bytes in one line of a stream",
            Self::OpenAsks => "questions in one answer",
            Self::OpenCalls => "open calls",
            Self::OpenNotifications => "open notifications",
            Self::Rounds => "rounds of questions for one call",
            Self::Subscriptions => "resource subscriptions",
            Self::ToolHeaders => "bytes in what is remembered of tools' headers",
        }
    }
}

/// What was lost.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum Lost {
    /// Every session in which the call was sent ended under it, as often as
    /// [`Budget::resends`](crate::Budget) allows: the call may be what ends them.
    #[error("the server ended each of the {sessions} sessions in which it was sent")]
    EachSession {
        /// How many.
        sessions: usize,
    },
    /// The session is gone, and what failed must not or cannot be sent again:
    /// an answer to a question of that session, or a call with `Resend::Never`.
    #[error("the server ended the session")]
    Session,
    /// Sessions were lost and could not be made anew within the budget.
    #[error("no session could be kept in {attempts} handshakes{}{}", if *in_turns { " (sessions were made and then unknown in turns: are there several servers behind a load balancer without sticky sessions?)" } else { "" }, cause.as_ref().map(|cause| format!(", the last cause was: {}", cause.reason())).unwrap_or_default())]
    SessionUnrecoverable {
        /// Handshakes in the window.
        attempts: usize,
        /// Why the last of them failed; absent if it succeeded and the session died.
        cause: Option<Box<McpError>>,
        /// Whether sessions were established and lost alternately.
        in_turns: bool,
    },
    /// The listening stream: the server answers its GET without an event stream.
    #[error("the server offers no listening stream")]
    NotOffered,
    /// The stream broke off before the reply, and the server refused to go on with it.
    #[error("the stream broke off before the reply, and the server does not resume it")]
    NotResumed,
    /// The stream ended before the reply and cannot be resumed.
    #[error("the server ended the stream before its reply")]
    Stream,
}

/// The rule that the server broke.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum Peer {
    /// An array in a revision without batches (2025-06-18, changelog).
    #[error("the server answered with an array, which revision {} does not allow", .0)]
    Batch(Revision),
    /// A type other than JSON or an event stream (transports: sending messages).
    #[error("the server answered with the content type `{0}`, which is no MCP answer")]
    ContentType(String),
    /// A result of `server/discover` without what it must have; the text says what
    /// (2026-07-28, server/discover).
    #[error("the server's answer to `server/discover` is no valid result: {0}")]
    Discover(String),
    /// The address for messages that an HTTP+SSE server names is not on the endpoint's
    /// origin, where alone credentials may go, or cannot be read; the text shows its host
    /// (2024-11-05, transports: HTTP with SSE).
    #[error(
        "the server names an address for messages that is not on its own origin or cannot be read: `{0}`"
    )]
    Endpoint(String),
    /// A result of `initialize` without what it must have; the text says what
    /// (lifecycle: initialization).
    #[error("the server's answer to `initialize` is no valid result: {0}")]
    Initialize(String),
    /// An `input_required` result that cannot be acted on; the text says why
    /// (2026-07-28, patterns: multi round-trip requests).
    #[error("the server asks for input in a way that cannot be followed: {0}")]
    InputRequired(&'static str),
    /// A message that is no JSON, or no JSON-RPC.
    #[error("the server sent a message that cannot be read: {0}")]
    Message(&'static str),
    /// What answers the GET of an HTTP+SSE server is no event stream, or one that does not
    /// begin with an `endpoint` event (2024-11-05, transports: HTTP with SSE).
    #[error("the server gives no event stream that begins with an `endpoint` event")]
    NoEndpoint,
    /// An answer that accepts, where a reply was due (transports: a request is
    /// answered by JSON or an event stream).
    #[error("the server accepted the request but sent no reply to it")]
    NoReply,
    /// A status that no answer to a POST has.
    #[error("the server answered with a status that answers no request")]
    Odd,
    /// A request of the server where every question comes as a result (2026-07-28,
    /// transports/streamable-http: receiving messages). It is not answered.
    #[error("the server sent a request, which this revision does not allow")]
    Request,
    /// A result of a type that neither the core protocol nor an extension that was
    /// announced knows (2026-07-28, basic: ResultType). `...` if it is no name of at most 64
    /// letters, digits, `-`, `.`, `_` and `/`.
    #[error("the server sent a result of the unknown type `{0}`")]
    ResultType(String),
    /// A revision that was not offered, or none in common (lifecycle: version
    /// negotiation; 2026-07-28, versioning: protocol version negotiation).
    #[error("the server speaks revision `{server}`, and {} was asked for", .offered)]
    Revision {
        /// What the server named, shortened and escaped.
        server: String,
        /// What was offered.
        offered: Revision,
    },
    /// A session id that is not 1 to 1024 visible ASCII characters
    /// (transports: session management).
    #[error("the server gave a session id that is not 1 to 1024 visible ASCII characters")]
    SessionId,
    /// A reply of another shape than the caller asked for.
    #[error("the reply has another shape than expected: {why}")]
    Shape {
        /// What the deserializer said.
        why: String,
    },
    /// A tool whose schema wants headers in a way that breaks the rules (2026-07-28,
    /// server/tools: x-mcp-header); the text says which.
    #[error("the server lists a tool that cannot be called: {0}")]
    ToolSchema(String),
    /// A JSON answer that is not the reply to the request.
    #[error("the server's answer is not the reply to this request")]
    WrongReply,
}

/// How the server said no.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum Refused {
    /// 403: the credential does not suffice, or the origin is not allowed.
    #[error("the server does not allow it")]
    Forbidden,
    /// 404 to a request without a session id.
    #[error("the server answered 404 although no session id was sent: this is no expired session")]
    NotFound,
    /// A redirect that is not followed: a method change, another origin, from
    /// https to http, or too many in a row.
    #[error("the server redirects to `{to}`{}", match hint { Some(RedirectHint::OnlyTheSlash) => ", which differs only in the trailing slash: use that address", Some(RedirectHint::OnlyTheScheme) => ", which differs only in the scheme: use that address", Some(RedirectHint::SchemeAndSlash) => ", which differs only in the scheme and the trailing slash: use that address with the scheme that the server is meant to be reached by", None => ", which was not followed" })]
    Redirected {
        /// Where to, shortened and escaped. Not its path where that may name the session: for
        /// what was sent to an address that an HTTP+SSE server had named.
        to: String,
        /// What alone differs.
        hint: Option<RedirectHint>,
    },
    /// A JSON-RPC error: see [`Error::rpc_error`](McpError::rpc_error).
    #[error("the server answered with an error")]
    Rpc,
    /// Another status: see [`Error::status`](McpError::status).
    #[error("the server refused the request")]
    Status,
    /// 408 or 429: see [`Error::retry_after`](McpError::retry_after).
    #[error("the server does not take it now")]
    TooManyRequests,
    /// 401: see [`Error::challenges`](McpError::challenges).
    #[error("the server asks for a valid credential")]
    Unauthorized,
    /// The application answered a question of the server with an error, which an answer
    /// cannot carry in 2026-07-28 (patterns: multi round-trip requests).
    #[error("what the server asked for was refused by the application")]
    Unanswered,
    /// 5xx.
    #[error("the server failed")]
    Unavailable,
}

/// What alone differs between the endpoint and the place a redirect names.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum RedirectHint {
    /// `http` and `https`.
    OnlyTheScheme,
    /// The slash at the path's end.
    OnlyTheSlash,
    /// Both: what servers behind a proxy that ends TLS answer to a missing slash.
    SchemeAndSlash,
}

/// Which clock ran out, and at what.
#[derive(Clone, Copy, Debug, Eq, Error, Hash, PartialEq)]
#[non_exhaustive]
pub enum Clock {
    /// [`Clocks::call`](crate::Clocks::call) or the call's own time.
    #[error("no reply came within {:.1} s", .0.as_secs_f64())]
    Call(Duration),
    /// [`Clocks::head`](crate::Clocks::head).
    #[error("no answer came within {:.1} s", .0.as_secs_f64())]
    Head(Duration),
    /// [`Clocks::probe`](crate::Clocks::probe).
    #[error("no answer came within {:.1} s", .0.as_secs_f64())]
    Probe(Duration),
    /// [`Clocks::silence`](crate::Clocks::silence).
    #[error("nothing came for {:.1} s, and nobody seems to be there", .0.as_secs_f64())]
    Silence(Duration),
}
