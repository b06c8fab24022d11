//! Answers and messages, made.

use http::StatusCode;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::super::secrets::MARK;
use super::Answer;

pub(super) fn reply(id: u64, n: u64) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "result": { "r": n, "s": format!("{MARK}result") } })
}

pub(super) fn error(id: Value, code: i64) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": format!("{MARK}message"), "data": format!("{MARK}data") } })
}

pub(super) fn event(message: &Value) -> String {
    format!("event: message\ndata: {message}\n\n")
}

pub(super) fn answer(name: &'static str, status: u16, body: &str) -> Answer {
    let status = StatusCode::from_u16(status).expect("a status");
    Answer {
        name,
        status,
        headers: HeaderMap::new(),
        body: body.as_bytes().to_vec(),
    }
}

pub(super) fn json_answer(name: &'static str, status: u16, body: &Value) -> Answer {
    with_header(
        answer(name, status, &body.to_string()),
        "content-type",
        "application/json",
    )
}

pub(super) fn stream(name: &'static str, text: String) -> Answer {
    with_header(
        answer(name, 200, &text),
        "content-type",
        "text/event-stream",
    )
}

pub(super) fn with_type(name: &'static str, kind: &str, body: &str) -> Answer {
    with_header(answer(name, 200, body), "content-type", kind)
}

pub(super) fn with_header(mut answer: Answer, name: &'static str, value: &str) -> Answer {
    header(&mut answer, name, value);
    answer
}

pub(super) fn header(answer: &mut Answer, name: &'static str, value: &str) {
    let value = HeaderValue::from_bytes(value.as_bytes()).expect("a value");
    answer.headers.insert(HeaderName::from_static(name), value);
}

/// Who has nothing to do with the server: another host, or another port of the same.
pub(super) fn elsewhere(n: u64) -> &'static str {
    if n % 2 == 0 {
        "elsewhere.example"
    } else {
        "example.com:8443"
    }
}
