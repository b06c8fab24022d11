//! What the machine wants the application to know.

use std::fmt;

use http::StatusCode;

use crate::error::{Error, Reason, RpcError};
use crate::wire::jsonrpc::Members;
use crate::{
    Binding, CallId, Challenge, NotificationId, RawJson, Revision, SubscriptionFilter, Ticket,
};

/// What the machine wants the application to know: taken from
/// [`Connection::poll_event`](crate::Connection::poll_event).
///
/// `Debug` never shows the contents of messages.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The server accepted a notification or an answer. Nothing more will come of it.
    Accepted {
        /// What was accepted.
        subject: Subject,
    },
    /// The server asks the application (elicitation, sampling, roots). Answer with
    /// [`Connection::answer`](crate::Connection::answer), once.
    ///
    /// 2026-07-28 deprecates sampling and roots, and the `includeContext` of sampling but
    /// for `none` (changelog: deprecated); of an elicitation by URL no notification tells
    /// the end there, but the call's next round.
    Ask(Ask),
    /// An ask needs no answer any more; its ticket is void.
    AskWithdrawn {
        /// Which ask.
        ticket: Ticket,
        /// Why.
        cause: Withdrawal,
    },
    /// The server asks for another credential. Answer with
    /// [`Connection::authorize`](crate::Connection::authorize) or
    /// [`Connection::refuse_authorization`](crate::Connection::refuse_authorization):
    /// what was refused waits for that. Comes only with
    /// [`Config::authorize`](crate::Config::authorize), and once until it is answered,
    /// whatever else is refused meanwhile.
    Authorize(Authorize),
    /// Something failed. For a call this is its end.
    Fail {
        /// What failed.
        subject: Subject,
        /// Why, whether the server executed it, and what to do.
        error: Error,
    },
    /// Something was missed. Two of these do not come in a row while anything else is unread:
    /// who reads too slowly hears some of what is said all the same.
    Gap {
        /// How many events gave way to later ones because nobody read them; absent for
        /// what the server may have said while the listening stream was broken off, where
        /// streams cannot be taken up again (2026-07-28).
        missed: Option<u64>,
    },
    /// What the application will hear about: the part of what it asked for by
    /// [`listen`](crate::Connection::listen) that the server agrees to tell
    /// (2026-07-28, patterns: subscriptions). Said for each filter once the server has
    /// answered, and anew for each new session or stream.
    Listening {
        /// That part.
        granted: SubscriptionFilter,
    },
    /// A notification of the server. Log messages come in 2026-07-28 only on the streams of
    /// calls that were made after `logging/setLevel`, and are deprecated there
    /// (server/utilities/logging).
    Message(Message),
    /// Something that the application asked for, once for all sessions, could not be had
    /// in this one: a resource subscription or the log level.
    NotRestored {
        /// `resources/subscribe`, `resources/unsubscribe` or `logging/setLevel`.
        method: &'static str,
        /// What was asked for.
        params: RawJson,
        /// Why it could not be had.
        error: Error,
    },
    /// A session is established, or none is needed: calls go out.
    Ready(Ready),
    /// The session is gone. Unless recovery is manual, a new one is on its way.
    Reinitialize {
        /// The generation that ended.
        generation: u64,
        /// How that became known.
        cause: LossCause,
    },
    /// The reply to a call: its end.
    Reply {
        /// Which call.
        call: CallId,
        /// What the server replied.
        reply: Reply,
    },
    /// The listening stream failed. It is tried again, by and by every 5 min; messages
    /// of the server may be lost meanwhile.
    StreamDegraded {
        /// Why.
        error: Error,
    },
    /// The server ended the listening stream in good order: it has no more to say
    /// (2026-07-28, patterns: subscriptions). Say [`listen`](crate::Connection::listen)
    /// again to hear more.
    StreamEnded,
    /// The server offers no listening stream in this session, which is its right: what
    /// it has to say comes with the answers to calls. Said once; in 2026-07-28 each
    /// [`listen`](crate::Connection::listen) asks again.
    StreamNotOffered {
        /// How it said so.
        error: Error,
    },
    /// The listening stream is open again.
    StreamRestored,
    /// A tool was taken out of the result of a `tools/list`, as the protocol demands: what
    /// its schema says of headers breaks the rules (2026-07-28, server/tools:
    /// x-mcp-header). The other tools are in the result.
    ToolRejected(RejectedTool),
}

/// A tool that was taken out of a list.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct RejectedTool {
    /// Its name, as the server wrote it, up to 1 KiB of it; empty if it has none.
    pub name: String,
    /// Why: [`Peer::ToolSchema`](crate::Peer::ToolSchema).
    pub why: Reason,
}

impl fmt::Debug for RejectedTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RejectedTool({} bytes: {})", self.name.len(), self.why)
    }
}

/// A question of the server.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Ask {
    /// What to answer with.
    pub ticket: Ticket,
    /// `elicitation/create`, `sampling/createMessage`, `roots/list` …
    pub method: String,
    /// The question.
    pub params: Option<RawJson>,
    /// The call on behalf of which the server asks, where that is known. Its
    /// clock stands still until the ask is answered or withdrawn.
    pub call: Option<CallId>,
}

/// The server refused a message for its credential: with 401, or with 403 and a `Bearer`
/// challenge of `insufficient_scope` (basic/authorization: error handling; scope
/// challenge handling).
///
/// Where a credential comes from is said by the challenges (RFC 9728; basic/authorization:
/// authorization server discovery; scope selection strategy). They are the server's
/// words: follow them with the care due to any peer.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Authorize {
    /// The challenges of the refusal. None if there were none (a 401 must have one, and
    /// servers forget it). What is refused while this waits to be answered may have had
    /// others.
    pub challenges: Vec<Challenge>,
    /// The JSON-RPC method of what was refused; none for a listening stream or an answer.
    pub method: Option<String>,
    /// 401 or 403.
    pub status: StatusCode,
}

/// Of the challenges the schemes alone.
impl fmt::Debug for Authorize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schemes: Vec<_> = self.challenges.iter().map(Challenge::scheme).collect();
        let method = self.method.as_deref().map(known);
        write!(f, "Authorize({}, {schemes:?}, {method:?})", self.status)
    }
}

/// A notification of the server.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Message {
    /// `notifications/message`, `notifications/progress` …
    pub method: String,
    /// Its content.
    pub params: Option<RawJson>,
    /// The call it belongs to: for progress the one with its token, else the one
    /// on whose stream it came.
    pub call: Option<CallId>,
}

impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Ask({:?}, {}, {:?}, {:?})",
            self.ticket,
            known(&self.method),
            self.params,
            self.call
        )
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Message({}, {:?}, {:?})",
            known(&self.method),
            self.params,
            self.call
        )
    }
}

/// A method name as far as it can be shown.
fn known(method: &str) -> String {
    crate::wire::headers::excerpt(method.as_bytes())
}

/// What an event is about.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Subject {
    /// An answer to an ask.
    Answer(Ticket),
    /// A call.
    Call(CallId),
    /// The connection: a handshake that failed.
    Connection,
    /// A notification of the application.
    Notification(NotificationId),
    /// A single message on a stream that could not be read. The stream goes on,
    /// and so does the call that it carries.
    Stream(Option<CallId>),
}

/// The server's reply to a call.
///
/// Results are given out as they came: `ttlMs` and `cacheScope` of 2026-07-28 (server/utilities:
/// caching) are for the application to heed, for the machine keeps no replies. A resource that
/// was not found is the error `-32602` in that revision and `-32002` before.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Reply {
    /// The result, or the JSON-RPC error.
    pub outcome: Result<RawJson, RpcError>,
    /// The status of the answer that brought it.
    pub status: StatusCode,
}

impl Reply {
    /// How much it holds in memory.
    pub(crate) fn bytes(&self) -> usize {
        match &self.outcome {
            Ok(result) => result.len(),
            Err(error) => error.bytes(),
        }
    }
}

/// A session that was established (lifecycle: initialization), or a server that needs
/// none and said what it can do (2026-07-28, server/discover).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Ready {
    /// Counts the handshakes that succeeded, those too whose sessions died before they
    /// were ready.
    pub generation: u64,
    /// How the server is reached.
    pub binding: Binding,
    /// The revision that was negotiated.
    pub revision: Revision,
    /// The server's capabilities; empty for a server without sessions that does not tell
    /// them.
    pub capabilities: RawJson,
    /// The whole result of `initialize` or `server/discover`: server info and
    /// instructions too.
    pub result: RawJson,
    /// What differs from the session of the `Ready` before; nothing in the first one.
    pub changed: Changed,
}

impl Ready {
    /// What the server calls itself: an object with `name` and `version`. In 2026-07-28
    /// servers may leave it out, and it is for display alone (basic: `_meta`).
    #[must_use]
    pub fn server_info(&self) -> Option<RawJson> {
        let members = Members::of(self.result.as_str());
        let info = members.get("serverInfo").or_else(|| {
            let meta = Members::of(members.get("_meta")?.get());
            meta.get("io.modelcontextprotocol/serverInfo")
        });
        Some(self.result.part(info?))
    }

    /// How to use the server, in words for a language model, if it says so.
    #[must_use]
    pub fn instructions(&self) -> Option<String> {
        let members = Members::of(self.result.as_str());
        serde_json::from_str(members.get("instructions")?.get()).ok()
    }
}

/// What differs between two sessions.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Changed {
    /// The revision.
    pub revision: bool,
    /// The server's capabilities.
    pub capabilities: bool,
}

/// How it became known that a session is gone.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum LossCause {
    /// 400 to `notifications/initialized`, or to another request of the session
    /// and then to a ping alike: some servers answer so for unknown sessions.
    BadRequest,
    /// 404 to a POST that carried the session's id (transports: session management), or
    /// that went to the address which an HTTP+SSE server named.
    NotFound,
    /// The event stream of an HTTP+SSE server ended, or broke off (2024-11-05,
    /// transports: HTTP with SSE).
    StreamEnded,
    /// A server without sessions no longer speaks the revision, but older ones
    /// (2026-07-28, versioning: protocol version negotiation).
    Unsupported,
}

/// Why an ask needs no answer any more.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Withdrawal {
    /// The call it belongs to ended.
    CallEnded,
    /// The server cancelled it (utilities: cancellation).
    Cancelled,
    /// The connection was closed.
    Closed,
    /// The session in which it was asked is gone.
    SessionLost,
}
