//! What an answer is made of, on its way to a client.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::FailureKind;

/// A piece of an answer.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Head(Head),
    /// Some of the body, and what it says once it is there to the end.
    Text(Bytes, Option<Mark>),
    End,
    Fail(FailureKind),
}

/// What somebody who knows all says about a piece of an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mark {
    /// A question in place of a reply to this call.
    Asks { key: usize },
    /// The reply to the JSON-RPC request of this id, of this call.
    Reply { key: usize, rpc: u64 },
    /// A valid result of `initialize`, and the session with it.
    Established { session: Option<u32> },
    /// A valid result of `server/discover`.
    Discovered,
    /// The address of this session.
    Named { session: u32 },
    /// An error in answer to something else than a call.
    Refused,
    /// The same, which names the revisions that the server speaks.
    Unsupported,
    /// A message of the server.
    Message,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Type {
    None,
    Html,
    Json,
    Stream,
    Text,
}

/// The head of an answer.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) kind: Type,
    pub(super) session: Option<u32>,
    pub(super) extra: Option<(HeaderName, String)>,
}

impl Head {
    pub(super) fn new(status: u16, kind: Type) -> Self {
        Self {
            status,
            kind,
            session: None,
            extra: None,
        }
    }

    pub(super) fn challenge(status: u16, challenge: &str) -> Self {
        Self {
            extra: Some((WWW_AUTHENTICATE, challenge.to_owned())),
            ..Self::new(status, Type::None)
        }
    }

    pub(super) fn location(status: u16, to: String) -> Self {
        Self {
            extra: Some((LOCATION, to)),
            ..Self::new(status, Type::None)
        }
    }

    pub(super) fn retry_after(mut self, seconds: u64) -> Self {
        self.extra = Some((RETRY_AFTER, seconds.to_string()));
        self
    }

    /// How long the server wants to be left alone.
    pub(super) fn told_to_wait(&self) -> Option<Duration> {
        let (_, value) = self
            .extra
            .as_ref()
            .filter(|(name, _)| *name == RETRY_AFTER)?;
        value.parse().ok().map(Duration::from_secs)
    }

    /// Whether it promises what can be an answer to a request.
    pub(super) fn is_promising(&self) -> bool {
        self.status == 200 && matches!(self.kind, Type::Json | Type::Stream)
    }

    pub(super) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).expect("a status")
    }

    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let kind = match self.kind {
            Type::None => None,
            Type::Html => Some("text/html"),
            Type::Json => Some("application/json"),
            Type::Stream => Some("text/event-stream"),
            Type::Text => Some("text/plain"),
        };
        match kind {
            Some(kind) => drop(headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind))),
            None => drop(headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"))),
        }
        if let Some(session) = self.session {
            let id = HeaderValue::from_str(&format!("s-{session}")).expect("a value");
            headers.insert(HeaderName::from_static("mcp-session-id"), id);
        }
        if let Some((name, value)) = &self.extra {
            let value = HeaderValue::from_str(value).expect("a value");
            headers.insert(name.clone(), value);
        }
        headers
    }
}

/// A message as an event, with an id if there is one.
pub(super) fn event(id: Option<&str>, message: &str) -> String {
    match id {
        Some(id) => format!("id: {id}\ndata: {message}\n\n"),
        None => format!("data: {message}\n\n"),
    }
}

pub(super) fn error(id: u64, code: i32) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":"no"}}}}"#)
}

pub(super) fn result(id: u64, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

pub(super) fn unsupported(id: u64, revision: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32022,"message":"no","data":{{"supported":["{revision}"]}}}}}}"#
    )
}
