//! The messages of a client that knows by heart what it has to say: 2025-11-25, with a session.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

pub(crate) const REVISION: &str = "2025-11-25";

/// What a call is told: a text, and for how long the server is to work on it.
pub fn arguments(ms: Option<u64>) -> Value {
    json!({ "text": "What does a call cost?", "ms": ms })
}

/// The params of a call of the tool.
pub fn params(arguments: &Value) -> Value {
    json!({ "name": "echo", "arguments": arguments })
}

#[derive(Serialize)]
struct Request<'a> {
    jsonrpc: &'a str,
    id: u64,
    method: &'a str,
    params: &'a Value,
}

pub(crate) fn request(id: u64, method: &str, params: &Value) -> Vec<u8> {
    let request = Request {
        jsonrpc: "2.0",
        id,
        method,
        params,
    };
    serde_json::to_vec(&request).expect("it is JSON")
}

pub(crate) fn initialize() -> Value {
    json!({
        "protocolVersion": REVISION, "capabilities": {},
        "clientInfo": { "name": "bench", "version": "1" },
    })
}

/// The result of a reply, checked to be that of this request; nothing is built of it.
pub(crate) fn result(id: u64, reply: &[u8]) -> Box<RawValue> {
    #[derive(Deserialize)]
    struct Reply<'a> {
        id: u64,
        #[serde(borrow)]
        result: &'a RawValue,
    }
    let reply: Reply<'_> = serde_json::from_slice(reply).expect("a reply");
    assert_eq!(reply.id, id);
    reply.result.to_owned()
}
