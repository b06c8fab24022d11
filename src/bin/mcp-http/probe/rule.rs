//! What the specification says, in our own words, and where.

use mcp_http::Revision;
use serde::Serialize;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Rule {
    pub(crate) page: &'static str,
    pub(crate) section: &'static str,
    pub(crate) force: Force,
    pub(crate) sentence: &'static str,
    /// The first revision that says it.
    pub(crate) since: Revision,
}

/// What RFC 2119 makes of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Force {
    May,
    Must,
    Should,
}

impl Force {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::May => "MAY",
            Self::Must => "MUST",
            Self::Should => "SHOULD",
        }
    }
}

impl Rule {
    /// The revision that is quoted where this one is spoken.
    pub(crate) fn revision(&self, spoken: Revision) -> Revision {
        spoken.max(self.since)
    }
}

const fn transports(
    section: &'static str,
    force: Force,
    sentence: &'static str,
    since: Revision,
) -> Rule {
    Rule {
        page: "basic/transports",
        section,
        force,
        sentence,
        since,
    }
}

const fn streamable(section: &'static str, force: Force, sentence: &'static str) -> Rule {
    Rule {
        page: "basic/transports/streamable-http",
        section,
        force,
        sentence,
        since: Revision::V2026_07_28,
    }
}

const SESSIONS: &str = "Session Management";
const OLDER: &str = "Earlier Streamable HTTP Revisions";
const VALIDATION: &str = "Server Validation";
const FIRST: Revision = Revision::V2025_03_26;

pub(crate) const ACCEPTED: Rule = transports(
    "Sending Messages to the Server",
    Force::Must,
    "a notification that is accepted is answered with 202 and no body",
    FIRST,
);
pub(crate) const ENDED_SESSION: Rule = transports(
    SESSIONS,
    Force::Must,
    "once a session has ended, every request with its id is answered with 404",
    FIRST,
);
pub(crate) const ENDPOINT: Rule = transports(
    "HTTP with SSE",
    Force::Must,
    "the stream begins with an `endpoint` event that says where to POST",
    Revision::V2024_11_05,
);
/// It says nothing of addresses that name no session; what is odd is a note.
pub(crate) const ADDRESS: Rule = transports(
    "HTTP with SSE",
    Force::Must,
    "messages of the client go by POST to the address that the `endpoint` event names",
    Revision::V2024_11_05,
);
pub(crate) const LISTENING: Rule = transports(
    "Listening for Messages from the Server",
    Force::Must,
    "a GET is answered with an event stream, or with 405 where none is offered",
    FIRST,
);
pub(crate) const NEGOTIATION: Rule = Rule {
    page: "basic/lifecycle",
    section: "Version Negotiation",
    force: Force::Must,
    sentence: "a revision that the server does not support is answered with one that it does",
    since: Revision::V2024_11_05,
};
/// The later revisions say which status, too.
pub(crate) const ORIGIN: Rule = transports(
    "Security Warning",
    Force::Must,
    "the Origin of every connection is validated, against DNS rebinding",
    Revision::V2024_11_05,
);
pub(crate) const ORIGIN_403: Rule = transports(
    "Security Warning",
    Force::Must,
    "a request whose Origin is not valid is answered with 403",
    Revision::V2025_11_25,
);
pub(crate) const PING: Rule = Rule {
    page: "basic/utilities/ping",
    section: "Behavior Requirements",
    force: Force::Must,
    sentence: "a ping is answered promptly with an empty result",
    since: Revision::V2024_11_05,
};
pub(crate) const PRIMING: Rule = transports(
    "Sending Messages to the Server",
    Force::Should,
    "a stream begins with an event that has an id and no data, to resume from",
    Revision::V2025_11_25,
);
pub(crate) const RESUMING: Rule = transports(
    "Resumability and Redelivery",
    Force::May,
    "what followed the event named by `Last-Event-ID` is sent again",
    FIRST,
);
pub(crate) const SESSION: Rule = transports(
    SESSIONS,
    Force::May,
    "the answer to `initialize` gives the session an id",
    FIRST,
);
pub(crate) const SESSION_DELETE: Rule = transports(
    SESSIONS,
    Force::May,
    "a client ends its session with DELETE, unless the server answers 405",
    FIRST,
);
pub(crate) const SESSION_MISSING: Rule = transports(
    SESSIONS,
    Force::Should,
    "a server that requires session ids answers a request without one with 400",
    FIRST,
);
pub(crate) const VERSION: Rule = transports(
    "Protocol Version Header",
    Force::Must,
    "an `MCP-Protocol-Version` that is invalid or not supported is answered with 400",
    Revision::V2025_06_18,
);

pub(crate) const BUFFERING: Rule = streamable(
    "Receiving Messages",
    Force::Should,
    "an event stream has the header `X-Accel-Buffering: no`, so that no proxy holds it back",
);
pub(crate) const DISCOVER: Rule = Rule {
    page: "server/discover",
    section: "DiscoverResult",
    force: Force::Should,
    sentence: "the result of `server/discover`, which is a MUST, names the server",
    since: Revision::V2026_07_28,
};
pub(crate) const HEADERS: Rule = streamable(
    VALIDATION,
    Force::Must,
    "headers that do not match the message are refused with 400 and the error -32020",
);
pub(crate) const HEADERS_MISSING: Rule = streamable(
    VALIDATION,
    Force::Must,
    "a request without a required header is refused with 400 and the error -32020",
);
pub(crate) const OLDER_METHODS: Rule = streamable(
    OLDER,
    Force::Should,
    "a server without sessions answers GET and DELETE with 405",
);
pub(crate) const OLDER_SESSIONS: Rule = streamable(
    OLDER,
    Force::Should,
    "an `Mcp-Session-Id` is ignored, and none is given",
);
pub(crate) const ORIGIN_STATELESS: Rule = streamable(
    "Security & Endpoint",
    Force::Must,
    "a request whose Origin is not valid is answered with 403",
);
pub(crate) const SUBSCRIPTIONS: Rule = Rule {
    page: "basic/patterns/subscriptions",
    section: "Acknowledgment",
    force: Force::Must,
    sentence: "the stream of `subscriptions/listen` begins with its acknowledgment",
    since: Revision::V2026_07_28,
};
pub(crate) const UNKNOWN_METHOD: Rule = streamable(
    "Protocol Version Header",
    Force::Must,
    "a method that the server does not have is answered with 404 and the error -32601",
);
pub(crate) const UNSUPPORTED: Rule = streamable(
    "Protocol Version Header",
    Force::Must,
    "an unknown revision is refused with 400 and the error -32022, which lists known ones",
);
