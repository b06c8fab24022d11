//! What a request asks, read from its bytes as a server reads them.

use bytes::Bytes;
use http::{Method, Request};

/// What a request is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// An answer to an ask.
    Answer {
        ask: u32,
    },
    Call {
        key: usize,
    },
    Cancelled {
        request: u64,
    },
    Delete,
    Discover,
    /// A GET without a cursor: the listening stream, or the channel of HTTP+SSE.
    Get,
    Initialize,
    Initialized,
    Notification,
    /// Another request, such as one for what a session is asked for anew.
    Other,
    Ping,
    /// A GET that goes on with the stream of a call after this event.
    Resume {
        key: usize,
        work: u32,
        after: u32,
    },
    /// A GET that goes on with a listening stream.
    ResumeListening {
        session: u32,
        after: u32,
    },
    Subscribe,
}

impl Kind {
    /// Whether it is a JSON-RPC request.
    pub(super) fn is_request(self) -> bool {
        matches!(
            self,
            Self::Call { .. }
                | Self::Discover
                | Self::Initialize
                | Self::Other
                | Self::Ping
                | Self::Subscribe
        )
    }

    pub(super) fn is_get(self) -> bool {
        matches!(
            self,
            Self::Get | Self::Resume { .. } | Self::ResumeListening { .. }
        )
    }

    /// The call that it carries, or whose stream it takes up.
    pub(super) fn key(self) -> Option<usize> {
        match self {
            Self::Call { key } | Self::Resume { key, .. } => Some(key),
            _ => None,
        }
    }
}

/// A request, as a server reads it.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) kind: Kind,
    /// The id of its JSON-RPC request.
    pub(super) rpc: u64,
    pub(super) session: Option<u32>,
    /// The session that an address of HTTP+SSE names.
    pub(super) channel: Option<u32>,
    /// The number of its credential.
    pub(super) token: Option<u32>,
    /// How many redirects led here.
    pub(super) moved: usize,
    /// Whether it goes to the endpoint's own origin.
    pub(super) at_home: bool,
    pub(super) path: String,
    pub(super) body: Bytes,
}

pub(super) const HOST: &str = "mcp.example";
pub(super) const MOVED: &str = "-moved";

impl Asked {
    /// # Errors
    /// If no server could read it.
    pub(super) fn read(request: &Request<Bytes>) -> Result<Self, String> {
        let header = |name: &str| {
            let value = request.headers().get(name)?;
            value.to_str().ok()
        };
        let uri = request.uri();
        let path = uri.path_and_query().map_or("", |path| path.as_str());
        let body = request.body().clone();
        let text = std::str::from_utf8(&body).map_err(|_| "a body that is no text")?;
        let cursor = header("last-event-id");
        let kind = match *request.method() {
            Method::GET => match cursor {
                None => Kind::Get,
                Some(cursor) => resumes(cursor).ok_or("an event id that no server gave")?,
            },
            Method::DELETE => Kind::Delete,
            Method::POST => of_post(text).ok_or("a message that cannot be read")?,
            _ => return Err(format!("the method {}", request.method())),
        };
        let session = match header("mcp-session-id") {
            None => None,
            Some(id) => Some(number_after(id, "s-").ok_or("a session id that no server gave")?),
        };
        Ok(Self {
            kind,
            rpc: number_after(text, "\"id\":").unwrap_or_default(),
            session,
            channel: number_after(path, "session="),
            token: header("authorization").and_then(|value| number_after(value, "Bearer t")),
            moved: path.matches(MOVED).count(),
            at_home: uri.scheme_str() == Some("http")
                && uri.authority().is_some_and(|it| it == HOST),
            path: path.to_owned(),
            body: body.clone(),
        })
    }

    /// Whether it belongs to a session.
    pub(super) fn belongs(&self) -> bool {
        self.session.is_some() || self.channel.is_some()
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_default()
    }

    /// The token of its progress, as it was written.
    pub(super) fn progress(&self) -> Option<&str> {
        let rest = after(self.text(), "\"progressToken\":")?;
        let end = rest.find([',', '}'])?;
        Some(&rest[..end])
    }
}

fn of_post(text: &str) -> Option<Kind> {
    let Some(rest) = after(text, "\"method\":\"") else {
        let ask = number_after(text, "\"id\":")?;
        return Some(Kind::Answer { ask });
    };
    let method = &rest[..rest.find('"')?];
    Some(match method {
        "initialize" => Kind::Initialize,
        "notifications/cancelled" => Kind::Cancelled {
            request: number_after(text, "\"requestId\":")?,
        },
        "notifications/initialized" => Kind::Initialized,
        "ping" => Kind::Ping,
        "server/discover" => Kind::Discover,
        "subscriptions/listen" => Kind::Subscribe,
        "tools/call" => Kind::Call {
            key: number_after(text, "\"key\":")?,
        },
        method if method.starts_with("notifications/") => Kind::Notification,
        _ => Kind::Other,
    })
}

/// An event id: `k` and the key, the work and the event's number, or `l` and the session.
fn resumes(cursor: &str) -> Option<Kind> {
    let (first, rest) = cursor.split_at_checked(1)?;
    let mut numbers = rest.split('.').map(str::parse::<u32>);
    let mut next = || numbers.next()?.ok();
    match first {
        "k" => Some(Kind::Resume {
            key: next()? as usize,
            work: next()?,
            after: next()?,
        }),
        "l" => Some(Kind::ResumeListening {
            session: next()?,
            after: next()?,
        }),
        _ => None,
    }
}

fn after<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    let at = memchr::memmem::find(text.as_bytes(), mark.as_bytes())?;
    text.get(at + mark.len()..)
}

fn number_after<T: std::str::FromStr>(text: &str, mark: &str) -> Option<T> {
    let rest = after(text, mark)?;
    let end = rest.find(|char: char| !char.is_ascii_digit());
    rest[..end.unwrap_or(rest.len())].parse().ok()
}
