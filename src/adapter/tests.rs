//! What the adapters' own tests share: a server that answers at once, and a look at what is kept
//! for those who wait.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use serde_json::{Value, json};

use super::State;

impl State {
    /// How much is kept for those who wait: for an end, to read on, for the session, for events.
    pub(crate) fn waited_for(&self) -> usize {
        self.slots.len() + self.paused.len() + self.watchers.waiting() + self.readers.waiting()
    }
}

/// What a healthy server answers to a request.
pub(crate) fn answer(request: &Request<Bytes>) -> (StatusCode, HeaderMap, Bytes) {
    let message: Value = serde_json::from_slice(request.body()).unwrap_or_default();
    let mut headers = HeaderMap::new();
    if message.get("id").is_none() {
        return (StatusCode::ACCEPTED, headers, Bytes::new());
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("mcp-session-id", HeaderValue::from_static("s1"));
    let result = match message["method"].as_str() {
        Some("initialize") => {
            json!({ "protocolVersion": "2025-11-25", "capabilities": { "tools": {} } })
        }
        _ => json!({}),
    };
    let reply = json!({ "jsonrpc": "2.0", "id": message["id"], "result": result });
    (StatusCode::OK, headers, reply.to_string().into())
}
