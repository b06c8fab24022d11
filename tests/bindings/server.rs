//! A small server that speaks one revision, in its usual binding, and keeps a record of what
//! it is asked. It is written from the specification, and knows nothing of the client.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use mcp_http::{Binding, Revision};
use serde_json::{Value, json};

use crate::pipe::Pipe;

#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) revision: Revision,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The stream of each session on which the server says what belongs to no call.
    sessions: BTreeMap<String, Option<Pipe>>,
    made: usize,
    asked: Vec<String>,
    /// Answers that nobody gets: those of `slow`, by the id of the request.
    slow: BTreeMap<String, Pipe>,
    /// Calls that wait for an answer of the client.
    waiting: BTreeMap<String, (Value, Pipe)>,
    cancelled: usize,
    /// Where `subscriptions/listen` is answered.
    listening: Option<(Value, Pipe)>,
}

impl Server {
    pub(crate) fn new(revision: Revision) -> Self {
        Self {
            revision,
            state: Arc::default(),
        }
    }

    fn binding(&self) -> Binding {
        self.revision.usual_binding()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// What it was asked since the last time.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().asked)
    }

    /// Whether it is at work on a call that takes long.
    pub(crate) fn has_slow(&self) -> bool {
        !self.lock().slow.is_empty()
    }

    /// Calls that it was told to give up.
    pub(crate) fn cancelled(&self) -> usize {
        let state = self.lock();
        let left = state.slow.values().filter(|pipe| pipe.is_left()).count();
        match self.binding() {
            Binding::Stateless => left,
            _ => state.cancelled,
        }
    }

    /// Sessions that are open, or else streams that somebody reads.
    pub(crate) fn open(&self) -> usize {
        let state = self.lock();
        let streams: Vec<&Pipe> = match self.binding() {
            Binding::Session => return state.sessions.len(),
            Binding::HttpSse => state.sessions.values().flatten().collect(),
            _ => state.listening.iter().map(|(_, pipe)| pipe).collect(),
        };
        streams.iter().filter(|pipe| !pipe.is_left()).count()
    }

    /// All sessions are forgotten. Nothing says so until somebody asks.
    pub(crate) fn forget(&self) {
        self.lock().sessions.clear();
    }

    /// What is answered, and where the body comes from.
    pub(crate) fn answer(&self, request: &Request<Bytes>) -> Response<Pipe> {
        let message: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let method = message["method"].as_str().unwrap_or("answer").to_owned();
        let http = request.method();
        let asked = match *http {
            Method::POST => format!("POST `{method}`"),
            _ => http.to_string(),
        };
        self.lock().asked.push(asked);
        match self.binding() {
            Binding::HttpSse => self.http_sse(request, &method, message),
            Binding::Session => self.session(request, &method, message),
            _ => self.stateless(request, &method, message),
        }
    }

    fn http_sse(&self, request: &Request<Bytes>, method: &str, message: Value) -> Response<Pipe> {
        let path = request.uri().path();
        let mut state = self.lock();
        match (request.method(), path) {
            (&Method::GET, "/mcp") => {
                state.made += 1;
                let id = format!("s{}", state.made);
                let pipe = Pipe::default();
                pipe.write(format!("event: endpoint\ndata: /messages?session={id}\n\n"));
                state.sessions.insert(id, Some(pipe.clone()));
                stream(pipe)
            }
            (&Method::POST, "/messages") => {
                let id = request
                    .uri()
                    .query()
                    .and_then(|query| query.strip_prefix("session="));
                let Some(Some(pipe)) = id.and_then(|id| state.sessions.get(id)).cloned() else {
                    return status(404);
                };
                drop(state);
                self.handle(method, message, &pipe, &pipe);
                status(202)
            }
            _ => status(405),
        }
    }

    fn session(&self, request: &Request<Bytes>, method: &str, message: Value) -> Response<Pipe> {
        let mut state = self.lock();
        if method == "initialize" {
            state.made += 1;
            let id = format!("s{}", state.made);
            state.sessions.insert(id.clone(), None);
            drop(state);
            let pipe = Pipe::default();
            self.handle(method, message, &pipe, &pipe);
            pipe.end();
            let mut response = stream(pipe);
            response
                .headers_mut()
                .insert("mcp-session-id", id.parse().unwrap());
            return response;
        }
        let Some(id) = header(request.headers(), "mcp-session-id") else {
            return status(400);
        };
        if !state.sessions.contains_key(id) {
            return status(404);
        }
        match *request.method() {
            Method::DELETE => {
                state.sessions.remove(id);
                status(200)
            }
            Method::GET => {
                let pipe = Pipe::default();
                state.sessions.insert(id.to_owned(), Some(pipe.clone()));
                stream(pipe)
            }
            _ if message.get("id").is_none() || method == "answer" => {
                let listening = state.sessions[id].clone().unwrap_or_default();
                drop(state);
                self.handle(method, message, &Pipe::default(), &listening);
                status(202)
            }
            _ => {
                let listening = state.sessions[id].clone().unwrap_or_default();
                drop(state);
                let pipe = Pipe::default();
                self.handle(method, message, &pipe, &listening);
                stream(pipe)
            }
        }
    }

    fn stateless(&self, request: &Request<Bytes>, method: &str, message: Value) -> Response<Pipe> {
        let version = header(request.headers(), "mcp-protocol-version");
        if request.method() != Method::POST {
            return status(405);
        }
        if version != Some(self.revision.as_str()) {
            return status(400);
        }
        let pipe = Pipe::default();
        let listening = self.lock().listening.clone();
        let listening = listening.map(|(_, pipe)| pipe).unwrap_or_default();
        self.handle(method, message, &pipe, &listening);
        stream(pipe)
    }

    /// Does what a message asks for. `reply` is where the answer goes, `listening` where that
    /// goes which belongs to no call.
    fn handle(&self, method: &str, message: Value, reply: &Pipe, listening: &Pipe) {
        let id = message["id"].clone();
        let one_stream = self.binding() == Binding::HttpSse;
        let done = |result: Value| {
            say(
                reply,
                &json!({ "jsonrpc": "2.0", "id": id, "result": result }),
            );
            if !one_stream {
                reply.end();
            }
        };
        let capabilities = json!({ "tools": { "listChanged": true } });
        let info = json!({ "name": "small", "version": "1" });
        match (method, message["params"]["name"].as_str()) {
            ("initialize", _) => done(json!({
                "protocolVersion": self.revision.as_str(),
                "capabilities": capabilities,
                "serverInfo": info,
            })),
            ("server/discover", _) => done(json!({
                "resultType": "complete",
                "supportedVersions": [self.revision.as_str()],
                "capabilities": capabilities,
                "serverInfo": info,
            })),
            ("subscriptions/listen", _) => {
                let filter = message["params"]["notifications"].clone();
                let params = json!({ "notifications": filter });
                say(
                    reply,
                    &notification("notifications/subscriptions/acknowledged", params),
                );
                self.lock().listening = Some((id, reply.clone()));
            }
            ("tools/call", Some("progress")) => {
                let token = &message["params"]["_meta"]["progressToken"];
                for progress in 1..=2 {
                    let params =
                        json!({ "progressToken": token, "progress": progress, "total": 2 });
                    say(reply, &notification("notifications/progress", params));
                }
                done(self.text("progressed"));
            }
            ("tools/call", Some("ask")) => self.ask(&message, reply, done),
            ("tools/call", Some("change")) => {
                let changed = "notifications/tools/list_changed";
                say(listening, &notification(changed, json!({})));
                done(self.text("changed"));
            }
            ("tools/call", Some("slow")) => {
                self.lock().slow.insert(id.to_string(), reply.clone());
            }
            ("tools/call", _) => done(self.text("echoed")),
            ("notifications/cancelled", _) => {
                let request = message["params"]["requestId"].to_string();
                let mut state = self.lock();
                state.cancelled += usize::from(state.slow.contains_key(&request));
            }
            ("answer", _) => {
                let asked = self
                    .lock()
                    .waiting
                    .remove(message["id"].as_str().unwrap_or(""));
                if let Some((id, pipe)) = asked {
                    let roots = message["result"]["roots"].as_array().map_or(0, Vec::len);
                    let result = self.text(&format!("{roots} roots"));
                    say(
                        &pipe,
                        &json!({ "jsonrpc": "2.0", "id": id, "result": result }),
                    );
                    if !one_stream {
                        pipe.end();
                    }
                }
            }
            _ if !id.is_null() => done(json!({})),
            _ => {}
        }
    }

    /// Asks the client for its roots before it answers.
    fn ask(&self, message: &Value, reply: &Pipe, done: impl Fn(Value)) {
        if self.binding() == Binding::Stateless {
            let answers = &message["params"]["inputResponses"];
            return done(match answers["r"]["roots"].as_array() {
                Some(roots) => self.text(&format!("{} roots", roots.len())),
                None => json!({
                    "resultType": "input_required",
                    "inputRequests": { "r": { "method": "roots/list", "params": {} } },
                    "requestState": "kept",
                }),
            });
        }
        let question = json!({ "jsonrpc": "2.0", "id": "q", "method": "roots/list" });
        let waits = (message["id"].clone(), reply.clone());
        self.lock().waiting.insert("q".to_owned(), waits);
        say(reply, &question);
    }

    fn text(&self, text: &str) -> Value {
        let mut result = json!({ "content": [{ "type": "text", "text": text }] });
        if self.binding() == Binding::Stateless {
            result["resultType"] = "complete".into();
        }
        result
    }
}

fn say(pipe: &Pipe, message: &Value) {
    pipe.write(format!("data: {message}\n\n"));
}

fn notification(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "method": method, "params": params })
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn status(status: u16) -> Response<Pipe> {
    let pipe = Pipe::default();
    pipe.end();
    let mut response = Response::new(pipe);
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

fn stream(pipe: Pipe) -> Response<Pipe> {
    let mut response = Response::new(pipe);
    let kind = "text/event-stream".parse().unwrap();
    response.headers_mut().insert("content-type", kind);
    response
}
