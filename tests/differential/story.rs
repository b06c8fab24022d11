//! What came of a scene, as text without what is chance: ports, and the words of an HTTP
//! stack for a failure of the network.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use mcp_http::{CallId, Error, Event, RawJson, Reason, Refused, Remedy, Subject};
use serde_json::Value;

use crate::play::Log;
use crate::script::Arrived;

#[derive(Debug)]
pub(crate) struct Story {
    address: String,
    at_once: bool,
    calls: BTreeMap<CallId, &'static str>,
    /// What the server saw.
    requests: Vec<String>,
    events: Vec<String>,
    /// What the application's commands came to, and then its answers.
    ends: Vec<String>,
}

impl Story {
    pub(crate) fn new(address: SocketAddr, at_once: bool) -> Self {
        Self {
            address: address.to_string(),
            at_once,
            calls: BTreeMap::new(),
            requests: Vec::new(),
            events: Vec::new(),
            ends: Vec::new(),
        }
    }

    pub(crate) fn began(&mut self, name: &'static str, id: CallId) {
        self.calls.insert(id, name);
    }

    pub(crate) fn did(&mut self, what: &str, outcome: &Result<(), Error>) {
        let outcome = match outcome {
            Ok(()) => "done".to_owned(),
            Err(error) => self.error(error),
        };
        self.ends.push(format!("{what}: {outcome}"));
    }

    pub(crate) fn ended(&mut self, call: &str, outcome: &Result<RawJson, Error>) {
        let outcome = match outcome {
            Ok(result) => result.as_str().to_owned(),
            Err(error) => self.error(error),
        };
        self.ends.push(format!("{call}: {outcome}"));
    }

    pub(crate) fn read(&mut self, log: &Log) {
        let events = log.events.lock().unwrap();
        self.events = events.iter().map(|event| self.event(event)).collect();
        for (ticket, outcome) in &*log.answered.lock().unwrap() {
            self.did(&format!("answer to ask {ticket}"), outcome);
        }
    }

    pub(crate) fn seen(&mut self, arrived: &[Arrived]) {
        self.requests = arrived.iter().map(|one| self.request(one)).collect();
        if self.at_once {
            self.requests.sort();
        }
    }

    fn request(&self, arrived: &Arrived) -> String {
        let mut line = format!("{} {}", arrived.method, arrived.target);
        if let Value::Object(message) = &arrived.message {
            let id = message.get("id").map(|id| match self.at_once {
                true => " #".to_owned(),
                false => format!(" #{id}"),
            });
            let calls = match message.get("method") {
                Some(_) => arrived.calls(),
                None => "(answer)",
            };
            line.push_str(&format!(" {calls}{}", id.unwrap_or_default()));
            for (name, value) in message {
                match name.as_str() {
                    "id" | "method" => {}
                    "jsonrpc" if value == "2.0" => {}
                    "params" => {
                        let params = unusual(value, arrived);
                        line.push_str(&params.map(|it| format!(" {it}")).unwrap_or_default());
                    }
                    name => line.push_str(&format!(" {name} {value}")),
                }
            }
        }
        let mut headers = arrived.headers.clone();
        headers.sort();
        // What HTTP asks for and adapters add.
        headers.retain(|(name, _)| !["content-length", "host"].contains(&name.as_str()));
        if arrived.method == "POST" {
            // So has every message: only what deviates is told.
            for (name, value) in [
                ("accept", "application/json, text/event-stream"),
                ("content-type", "application/json"),
            ] {
                take_usual(&mut headers, name, value);
            }
            if is_alone(arrived) {
                take_usual(&mut headers, "mcp-method", arrived.calls());
                if let Some(name) = arrived.message["params"]["name"].as_str() {
                    take_usual(&mut headers, "mcp-name", name);
                }
            }
        }
        let mut bound = Vec::new();
        for (name, value) in headers {
            match name.as_str() {
                "mcp-session-id" | "mcp-protocol-version" => bound.insert(0, value),
                name => line.push_str(&format!(" | {name}: {value}")),
            }
        }
        if !bound.is_empty() {
            line.push_str(&format!(" [{}]", bound.join(" ")));
        }
        line.replace(&self.address, "SERVER")
    }

    fn event(&self, event: &Event) -> String {
        match event {
            Event::Ask(ask) => format!(
                "ask {}{}: {}{}",
                ask.ticket.number(),
                self.of(ask.call),
                ask.method,
                json(&ask.params)
            ),
            Event::AskWithdrawn { ticket, cause } => {
                format!("ask {} withdrawn: {cause:?}", ticket.number())
            }
            Event::Authorize(asked) => {
                let mut line = format!("authorize: {}", asked.status);
                if let Some(method) = &asked.method {
                    line.push_str(&format!(" to {method}"));
                }
                for challenge in &asked.challenges {
                    line.push_str(&format!("; {challenge:?}"));
                }
                line
            }
            Event::Fail { subject, error } => {
                let subject = match subject {
                    Subject::Connection => "connection".to_owned(),
                    Subject::Stream(call) => format!("stream{}", self.of(*call)),
                    other => format!("{other:?}"),
                };
                format!("{subject} failed: {}", self.error(error))
            }
            Event::Gap {
                missed: Some(missed),
            } => format!("a gap of {missed}"),
            Event::Gap { missed: None } => "a gap".to_owned(),
            Event::Listening { granted } => {
                format!("it will hear about {}", serde_json::json!(granted))
            }
            Event::Message(message) => format!(
                "message{}: {}{}",
                self.of(message.call),
                message.method,
                json(&message.params)
            ),
            Event::Ready(ready) => {
                let (generation, revision) = (ready.generation, ready.revision);
                let capabilities = ready.capabilities.as_str();
                let mut line = format!("session {generation}: {revision} {capabilities}");
                if ready.changed.revision {
                    line.push_str(", another revision");
                }
                if ready.changed.capabilities {
                    line.push_str(", other capabilities");
                }
                line
            }
            Event::Reinitialize { generation, cause } => {
                format!("session {generation} lost: {cause:?}")
            }
            Event::StreamDegraded { error } => {
                format!("the listening stream failed: {}", self.error(error))
            }
            Event::StreamEnded => "the listening stream has ended".to_owned(),
            Event::StreamNotOffered { error } => {
                format!("no listening stream: {}", self.error(error))
            }
            Event::StreamRestored => "the listening stream is open again".to_owned(),
            Event::ToolRejected(tool) => format!("without the tool {:?}: {}", tool.name, tool.why),
            other => format!("{other:?}"),
        }
    }

    fn of(&self, call: Option<CallId>) -> String {
        match call.map(|call| self.calls.get(&call)) {
            Some(name) => format!(" of {}", name.unwrap_or(&"a call without a name")),
            None => String::new(),
        }
    }

    fn error(&self, error: &Error) -> String {
        let (delivery, remedy) = (error.delivery(), error.remedy());
        let mut text = match (error.reason(), error.rpc_error(), error.status()) {
            // To the machine this is a reply, which has no sentence.
            (Reason::Refused(Refused::Rpc), Some(rpc), Some(status)) => {
                let (code, message) = (rpc.code, &rpc.message);
                let data = json(&rpc.data);
                format!("error {code} {message:?}{data} (HTTP {status}); {delivery}; {remedy}")
            }
            (reason, _, _) => format!("{}: {error}", kind(reason)),
        };
        if let Reason::Transport(failure) = error.reason() {
            text = text.replacen(failure.message(), "…", 1);
        }
        if let Remedy::RetryAfter(after) = remedy {
            let told = format!("{:.1} s", after.as_secs_f64());
            // A budget has been running for some time, and who knows how long.
            let tens = format!("about {:.0} s", (after.as_secs_f64() / 10.0).round() * 10.0);
            text = text.replace(&told, &tens);
        }
        for challenge in error.challenges() {
            text.push_str(&format!("; {challenge:?}"));
        }
        text.replace(&self.address, "SERVER")
    }
}

/// Whether a request stands on its own.
fn is_alone(arrived: &Arrived) -> bool {
    let revision = "mcp-protocol-version";
    let mut headers = arrived.headers.iter();
    headers.any(|(name, value)| name == revision && value.as_str() >= "2026")
}

/// Takes a header out that every message has, or says that it is missing.
fn take_usual(headers: &mut Vec<(String, String)>, name: &str, value: &str) {
    let usual = (name.to_owned(), value.to_owned());
    match headers.iter().position(|header| *header == usual) {
        Some(at) => drop(headers.remove(at)),
        None => headers.push((name.to_owned(), "MISSING".to_owned())),
    }
}

/// Params without what every request says that stands on its own: who asks, and in which
/// revision.
fn unusual(params: &Value, arrived: &Arrived) -> Option<Value> {
    let mut params = params.clone();
    if !is_alone(arrived) {
        return Some(params);
    }
    let client = serde_json::json!({ "name": "differential", "version": "1" });
    let Some(meta) = params.get_mut("_meta").and_then(Value::as_object_mut) else {
        return Some(serde_json::json!({ "_meta": "MISSING", "params": params }));
    };
    for (key, value) in [
        ("clientCapabilities", serde_json::json!({})),
        ("clientInfo", client),
        ("protocolVersion", "2026-07-28".into()),
    ] {
        let key = format!("io.modelcontextprotocol/{key}");
        match meta.get(&key) {
            Some(said) if *said == value => drop(meta.remove(&key)),
            Some(_) => {}
            None => drop(meta.insert(key, "MISSING".into())),
        }
    }
    if meta.is_empty() {
        params.as_object_mut()?.remove("_meta");
    }
    Some(params).filter(|params| *params != serde_json::json!({}))
}

fn json(json: &Option<RawJson>) -> String {
    let text = json.as_ref().map(|json| format!(" {}", json.as_str()));
    text.unwrap_or_default()
}

/// Who is to blame, and for what.
fn kind(reason: &Reason) -> String {
    let text = format!("{reason:?}");
    let mut words = text.split(|c: char| !c.is_alphabetic());
    let (blame, what) = (words.next(), words.next());
    let what = what.filter(|what| !what.is_empty() && Some(*what) != blame);
    blame.into_iter().chain(what).collect::<Vec<_>>().join(": ")
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (title, lines) in [
            ("the server sees", &self.requests),
            ("the application reads", &self.events),
            ("and what it did ends", &self.ends),
        ] {
            if !lines.is_empty() {
                writeln!(f, "{title}")?;
            }
            for line in lines {
                writeln!(f, "    {line}")?;
            }
        }
        Ok(())
    }
}
