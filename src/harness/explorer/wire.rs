//! What requests say, and what is answered.

use bytes::Bytes;
use http::header::{
    CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use super::letter::Act;

pub(super) const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
/// Where redirects lead.
pub(super) const MOVED: &str = "/moved";
/// Who has nothing to do with the server.
pub(super) const AWAY: &str = "https://elsewhere.example";
/// Nor has who listens at another port of the same host.
pub(super) const NEXT_DOOR: &str = "https://example.com:8443/mcp";
/// Which call the result is of.
pub(super) const REPLIES_TO: &str = "n";
/// For so many seconds a server asks that can be waited for.
pub(super) const SOON: u64 = 2;
/// And so long that it cannot, although a call has more time.
pub(super) const LONG: u64 = 400;

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
    /// A notification of the application.
    Note,
    Ping,
    /// The stream of this call is taken up again.
    Resume(usize),
    /// What the application wants to hear about.
    Subscribe,
    Other,
}

impl Carries {
    pub(super) fn of(request: &Request<Bytes>, message: &Value) -> Self {
        if request.method() == Method::DELETE {
            return Self::Delete;
        }
        if request.method() == Method::GET {
            let call = last_event(request).and_then(|(_, call)| call);
            return call.map_or(Self::Get, Self::Resume);
        }
        let number = &message["params"]["arguments"]["n"];
        match message["method"].as_str() {
            None => Self::Answer,
            Some("initialize") => Self::Initialize,
            Some("notifications/cancelled") => Self::Cancelled,
            Some("notifications/initialized") => Self::Initialized,
            Some("ping") => Self::Ping,
            Some("server/discover") => Self::Discover,
            Some("subscriptions/listen") => Self::Subscribe,
            Some(method) if method.starts_with("notifications/") => Self::Note,
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
            Self::Call(_)
                | Self::Discover
                | Self::Initialize
                | Self::Ping
                | Self::Resume(_)
                | Self::Subscribe
                | Self::Other
        )
    }

    /// The call that it is about.
    pub(super) fn call(self) -> Option<usize> {
        match self {
            Self::Call(call) | Self::Resume(call) => Some(call),
            _ => None,
        }
    }
}

/// The id of an event, which says whose stream it is of. All are of one length.
pub(super) fn event_id(number: u32, carries: Carries) -> String {
    match carries.call() {
        Some(call) => format!("{number:05}.{call}"),
        None => format!("{number:05}"),
    }
}

/// Where it goes to if that is an address that a stream named.
pub(super) fn address(request: &Request<Bytes>) -> Option<&str> {
    let path = request.uri().path_and_query()?.as_str();
    Some(path).filter(|path| !["/mcp", MOVED].contains(path))
}

/// From which event a stream is to be taken up again, and the call whose it is.
pub(super) fn last_event(request: &Request<Bytes>) -> Option<(u32, Option<usize>)> {
    let id = request.headers().get("last-event-id")?.to_str().ok()?;
    let (number, call) = id.split_once('.').unwrap_or((id, ""));
    Some((number.parse().ok()?, call.parse().ok()))
}

/// The result of what has one.
pub(super) fn result(carries: Carries, revision: &str) -> Value {
    let server = json!({ "name": "server", "version": "1" });
    match carries {
        Carries::Initialize => json!({
            "protocolVersion": revision, "capabilities": { "prompts": { "listChanged": true } }, "serverInfo": server,
        }),
        Carries::Discover => json!({
            "resultType": "complete", "supportedVersions": ["2026-07-28"],
            "capabilities": { "prompts": { "listChanged": true } }, "ttlMs": 0, "cacheScope": "private",
        }),
        _ => json!({ "resultType": "complete", "messages": [], (REPLIES_TO): carries.call() }),
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

/// What a server tells.
pub(super) fn told() -> Value {
    json!({ "jsonrpc": "2.0", "method": "notifications/prompts/list_changed" })
}

pub(super) fn progress(token: &Value) -> Value {
    let params = json!({ "progressToken": token, "progress": 1 });
    json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": params })
}

/// What the stream begins with on which a server tells what it was asked to.
pub(super) fn acknowledgement(rpc: &Value) -> Value {
    let params = json!({
        "notifications": { "promptsListChanged": true },
        "_meta": { "io.modelcontextprotocol/subscriptionId": rpc },
    });
    let method = "notifications/subscriptions/acknowledged";
    json!({ "jsonrpc": "2.0", "method": method, "params": params })
}

/// An answer that is over with its head, but for good ones.
pub(super) fn refusal(act: Act, id: &Value) -> (StatusCode, HeaderMap, String) {
    let mut headers = HeaderMap::new();
    let mut body = String::new();
    let mut says = |name: HeaderName, value: &str| {
        headers.insert(name, HeaderValue::from_str(value).expect("a value"));
    };
    let status = match act {
        Act::Accepted => StatusCode::ACCEPTED,
        Act::BadRequest => StatusCode::BAD_REQUEST,
        Act::Busy | Act::BusyForLong | Act::Later => {
            let seconds = if act == Act::BusyForLong { LONG } else { SOON };
            says(RETRY_AFTER, &seconds.to_string());
            match act {
                Act::Later => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::TOO_MANY_REQUESTS,
            }
        }
        Act::Forbidden => {
            says(
                WWW_AUTHENTICATE,
                "Bearer error=\"insufficient_scope\", scope=\"a\"",
            );
            StatusCode::FORBIDDEN
        }
        Act::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Act::Moved => {
            says(LOCATION, &format!("https://example.com{MOVED}"));
            StatusCode::FOUND
        }
        Act::NotFoundError => {
            let error = json!({ "code": -32001, "message": "no" });
            says(CONTENT_TYPE, "application/json");
            body = json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string();
            StatusCode::NOT_FOUND
        }
        Act::Unsupported => {
            let data = json!({ "supported": ["2025-11-25"] });
            let error = json!({ "code": -32022, "message": "no", "data": data });
            says(CONTENT_TYPE, "application/json");
            body = json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string();
            StatusCode::BAD_REQUEST
        }
        Act::Redirect => {
            says(LOCATION, MOVED);
            StatusCode::TEMPORARY_REDIRECT
        }
        Act::RedirectAway => {
            says(LOCATION, NEXT_DOOR);
            StatusCode::TEMPORARY_REDIRECT
        }
        Act::Unauthorized => {
            says(WWW_AUTHENTICATE, "Bearer realm=\"a\"");
            says(CONTENT_TYPE, "text/plain");
            body.push_str("who are you?");
            StatusCode::UNAUTHORIZED
        }
        Act::UnauthorizedBare => StatusCode::UNAUTHORIZED,
        Act::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::NOT_FOUND,
    };
    (status, headers, body)
}

/// The head of a good answer.
pub(super) fn good(media: &'static str) -> (StatusCode, HeaderMap) {
    let media = HeaderValue::from_static(media);
    (
        StatusCode::OK,
        HeaderMap::from_iter([(CONTENT_TYPE, media)]),
    )
}
