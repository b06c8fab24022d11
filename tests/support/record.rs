//! The messages that leave, written down for `.ci/schemas`: a file of JSON lines for each process, in the
//! folder that `MCP_HTTP_RECORD` names. Without that variable nothing happens.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{LazyLock, Mutex};

use bytes::Bytes;
use http::Request;
use mcp_http::Revision;
use serde_json::{Value, json};

/// What a message has that is no answer.
const METHOD: &str = "\"method\"";

static RECORD: LazyLock<Option<Mutex<Record>>> = LazyLock::new(|| {
    let folder = std::env::var_os("MCP_HTTP_RECORD")?;
    let name = format!("{}.jsonl", std::process::id());
    Some(Mutex::new(Record {
        file: File::create_new(Path::new(&folder).join(name)).expect("a folder to record into"),
        seen: BTreeSet::new(),
    }))
});

struct Record {
    file: File,
    seen: BTreeSet<String>,
}

/// The server's questions by their ids: an answer says no more than the id.
#[derive(Clone, Default)]
pub(crate) struct Asked(BTreeMap<String, Value>);

impl Asked {
    /// Looks for questions in what the server says, a JSON body or whole events.
    pub(crate) fn hear(&mut self, said: &[u8]) {
        let Some(said) = RECORD.as_ref().and_then(|_| std::str::from_utf8(said).ok()) else {
            return;
        };
        for line in said.lines().filter(|line| line.contains(METHOD)) {
            let line = line.strip_prefix("data:").unwrap_or(line);
            let message: Value = serde_json::from_str(line).unwrap_or_default();
            if let (Some(id), Some(method)) = (message.get("id"), message.get("method")) {
                self.0.insert(id.to_string(), method.clone());
            }
        }
    }

    /// The question that this answers.
    fn of(&self, body: &str) -> Option<&Value> {
        if body.contains(METHOD) {
            return None;
        }
        let answer: Value = serde_json::from_str(body).ok()?;
        self.0.get(&answer.get("id")?.to_string())
    }
}

/// Writes a message down that leaves while this revision is spoken, unless one like it was.
pub(crate) fn record(request: &Request<Bytes>, revision: Option<Revision>, asked: &Asked) {
    let Some(record) = RECORD.as_ref().filter(|_| !request.body().is_empty()) else {
        return;
    };
    let body = String::from_utf8_lossy(request.body());
    let mut headers = BTreeMap::<&str, Vec<_>>::new();
    for (name, value) in request.headers() {
        let value = match name.as_str() {
            // That it is there is enough.
            "mcp-session-id" => "".into(),
            name if name.starts_with("mcp-") => String::from_utf8_lossy(value.as_bytes()),
            "accept" | "content-type" => String::from_utf8_lossy(value.as_bytes()),
            _ => continue,
        };
        headers.entry(name.as_str()).or_default().push(value);
    }
    let asked = asked.of(&body);
    let kind = format!(
        "{revision:?} {headers:?} {asked:?} {}",
        without_numbers(&body)
    );
    let mut record = record.lock().expect("nobody panics in here");
    if record.seen.insert(kind) {
        let line = json!({
            "revision": revision.map(Revision::as_str),
            "headers": headers,
            "asked": asked,
            "body": body,
        });
        writeln!(record.file, "{line}").expect("room for a record");
    }
}

/// The message but for the digits outside of its strings: one of each kind is enough.
fn without_numbers(message: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    let mut is_kept = |char: &char| {
        in_string ^= *char == '"' && !escaped;
        escaped = *char == '\\' && !escaped;
        in_string || !char.is_ascii_digit()
    };
    message.chars().filter(|char| is_kept(char)).collect()
}
