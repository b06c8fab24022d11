//! What requests say, and what is answered.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use super::letter::Act;

pub(super) const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");

/// What an exchange carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Carries {
    Answer,
    /// Which one.
    Call(usize),
    Cancelled,
    Delete,
    Discover,
    Get,
    Initialize,
    Initialized,
    Ping,
    /// A call's stream is taken up again.
    Resume,
    Other,
}

impl Carries {
    pub(super) fn of(request: &Request<Bytes>, message: &Value) -> Self {
        if request.method() == Method::DELETE {
            return Self::Delete;
        }
        if request.method() == Method::GET {
            let resumes = request.headers().contains_key("last-event-id");
            return if resumes { Self::Resume } else { Self::Get };
        }
        let number = &message["params"]["arguments"]["n"];
        match message["method"].as_str() {
            None => Self::Answer,
            Some("initialize") => Self::Initialize,
            Some("notifications/cancelled") => Self::Cancelled,
            Some("notifications/initialized") => Self::Initialized,
            Some("ping") => Self::Ping,
            Some("server/discover") => Self::Discover,
            Some("prompts/get") => match number.as_str().and_then(|text| text.parse().ok()) {
                Some(call) => Self::Call(call),
                None => Self::Other,
            },
            Some(_) => Self::Other,
        }
    }

    /// Whether it makes the connection ready to be used.
    pub(super) fn is_handshake(self) -> bool {
        matches!(self, Self::Discover | Self::Initialize)
    }

    pub(super) fn has_reply(self) -> bool {
        matches!(
            self,
            Self::Call(_) | Self::Discover | Self::Initialize | Self::Ping | Self::Other
        )
    }
}

/// The result of what has one.
pub(super) fn result(carries: Carries, revision: &str) -> Value {
    let server = json!({ "name": "server", "version": "1" });
    match carries {
        Carries::Initialize => json!({
            "protocolVersion": revision, "capabilities": { "prompts": {} }, "serverInfo": server,
        }),
        Carries::Discover => json!({
            "resultType": "complete", "supportedVersions": ["2026-07-28"],
            "capabilities": { "prompts": {} }, "ttlMs": 0, "cacheScope": "private",
        }),
        _ => json!({ "resultType": "complete", "messages": [] }),
    }
}

/// A result that requires input.
pub(super) fn required() -> Value {
    json!({
        "resultType": "input_required",
        "inputRequests": { "k": question() },
        "requestState": "s",
    })
}

/// What a server asks.
pub(super) fn question() -> Value {
    let params =
        json!({ "message": "?", "requestedSchema": { "type": "object", "properties": {} } });
    json!({ "method": "elicitation/create", "params": params })
}

/// Status, type and body of an answer that is over with its head, but for good ones.
pub(super) fn refusal(act: Act, id: &Value) -> (StatusCode, Option<&'static str>, String) {
    let error = json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32001, "message": "no" } });
    match act {
        Act::Accepted => (StatusCode::ACCEPTED, None, String::new()),
        Act::BadRequest => (StatusCode::BAD_REQUEST, None, String::new()),
        Act::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, None, String::new()),
        Act::NotFoundError => (
            StatusCode::NOT_FOUND,
            Some("application/json"),
            error.to_string(),
        ),
        Act::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, None, String::new()),
        _ => (StatusCode::NOT_FOUND, None, String::new()),
    }
}

pub(super) fn headers(media: Option<&'static str>, session: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some(media) = media {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    }
    if let Some(session) = session {
        headers.insert(
            SESSION_ID,
            HeaderValue::from_str(session).expect("a header"),
        );
    }
    headers
}
