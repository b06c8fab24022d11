//! A server, as inventive as servers and proxies are.

mod answers;
mod any;
mod channel;
mod eras;
mod stateless;
mod streams;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use bytes::Bytes;
use http::StatusCode;
use http::header::HeaderMap;
use serde_json::{Value, json};

use self::answers::{
    answer, elsewhere, error, event, header, json_answer, reply, stream, with_header, with_type,
};
use self::streams::Live;
use super::operation::Source;
use super::secrets::MARK;
use super::setup::Setup;
use crate::Binding;

/// An answer that is about to come.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) name: &'static str,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.status.as_u16())?;
        for (name, value) in &self.headers {
            write!(f, " {name}: {value:?}")?;
        }
        write!(f, " {:?}", String::from_utf8_lossy(&self.body))
    }
}

/// What was asked of the server in one request.
#[derive(Clone, Debug, Default)]
pub(super) enum Request {
    Call {
        token: Option<String>,
    },
    #[default]
    Control,
    Discover,
    Initialize,
    Listen,
    /// The GET for the event stream of an HTTP+SSE server.
    Open,
    Ping,
    /// A call's stream is to go on.
    Resume,
    /// `subscriptions/listen`.
    Subscribe,
    /// `tools/list`, asked by the machine itself.
    Tools,
}

impl Request {
    fn token(&self) -> Option<&str> {
        match self {
            Self::Call { token } => token.as_deref(),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Asked {
    request: Request,
    session: Option<String>,
    cursor: Option<String>,
    redirected: bool,
    to_address: bool,
}

/// The server: what it was asked, and counters that make all it says unique.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    binding: Binding,
    requests: BTreeMap<u64, Asked>,
    /// The sessions that it has forgotten.
    forgotten: BTreeSet<String>,
    /// The revision that it prefers.
    revision: &'static str,
    /// Whether it gives everybody who resumes what he missed, and nothing else.
    honest: bool,
    /// Whether it has a listening stream.
    offers: bool,
    /// The events of each stream, with their ids.
    store: BTreeMap<String, Vec<String>>,
    live: BTreeMap<u64, Live>,
    /// What is to be read of a call's stream before its reply.
    owed: BTreeMap<u64, Vec<u64>>,
    sessions: u64,
    said: u64,
    /// The kind of answer that it gave last, and likes to give again: refusals come
    /// in rows.
    mood: Option<usize>,
    /// The event stream of an HTTP+SSE server, and what it has to say there.
    channel: Option<u64>,
    to_say: VecDeque<String>,
    /// Whether it said that it speaks older revisions, so that it has sessions now.
    steps_back: bool,
    /// Streams that have asked, and wait to be answered before they reply.
    asking: BTreeSet<u64>,
}

impl Peer {
    pub(super) fn new(setup: &Setup, revision: &'static str, offers: bool) -> Self {
        Self {
            binding: setup.binding,
            requests: BTreeMap::new(),
            revision,
            honest: setup.honest,
            offers,
            store: BTreeMap::new(),
            live: BTreeMap::new(),
            owed: BTreeMap::new(),
            sessions: 0,
            said: 0,
            mood: None,
            forgotten: BTreeSet::new(),
            channel: None,
            to_say: VecDeque::new(),
            steps_back: false,
            asking: BTreeSet::new(),
        }
    }

    pub(super) fn asked(&mut self, exchange: u64, request: Request, sent: &http::Request<Bytes>) {
        let header = |name| {
            let value = sent.headers().get(name);
            value
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        let session = header("mcp-session-id");
        let cursor = header("last-event-id");
        let redirected = sent.uri().path() == "/mcp2";
        let to_address = sent.uri().path().starts_with("/messages");
        self.requests.insert(
            exchange,
            Asked {
                request,
                session,
                cursor,
                redirected,
                to_address,
            },
        );
    }

    fn next(&mut self) -> u64 {
        self.said += 1;
        self.said
    }

    pub(super) fn answer(&mut self, source: &mut Source<'_>, exchange: u64) -> Answer {
        let asked = self.requests.get(&exchange).cloned();
        let Asked {
            request,
            session,
            cursor,
            redirected,
            to_address,
        } = asked.unwrap_or_default();
        let unknown = session
            .as_ref()
            .is_some_and(|id| self.forgotten.contains(id));
        if unknown && source.chance(160) {
            return answer("not found", 404, "");
        }
        if redirected && source.chance(170) {
            return with_header(answer("redirect", 307, ""), "location", "/mcp2");
        }
        if matches!(request, Request::Listen | Request::Resume) {
            return self.take_up(source, exchange, &request, cursor.as_deref());
        }
        // Without a session there is nothing to see.
        let moody = self.mood.is_some()
            && source.chance(match request {
                Request::Discover | Request::Initialize | Request::Open => 40,
                _ => 100,
            });
        let good = !moody
            && source.chance(match request {
                Request::Call { .. } => 110,
                Request::Subscribe | Request::Tools => 0,
                Request::Control | Request::Ping => 180,
                Request::Initialize => 210,
                Request::Discover | Request::Listen | Request::Open | Request::Resume => 0,
            });
        let scripts = matches!(request, Request::Call { .. })
            && source.chance(if self.honest { 170 } else { 60 });
        let mut answer = match &request {
            request if moody => self.any(source, exchange, request, self.mood),
            Request::Discover if self.stands_alone() && source.chance(220) => {
                self.discovered(source, exchange)
            }
            Request::Initialize
                if self.stands_alone() && !self.steps_back && source.chance(200) =>
            {
                self.not_initialized(source, exchange)
            }
            Request::Open if self.has_channel() && source.chance(240) => {
                self.channel(source, exchange)
            }
            request if to_address && source.chance(200) => self.posted(source, exchange, request),
            Request::Initialize if self.has_channel() && !to_address && source.chance(220) => {
                answer("not found", *source.pick(&[404, 405, 404, 400]), "")
            }
            Request::Discover if source.chance(230) => self.not_discovered(source, exchange),
            Request::Call { .. } if self.stands_alone() && source.chance(80) => {
                self.no_reply_yet(source, exchange)
            }
            Request::Subscribe if source.chance(220) => self.subscribed(source, exchange),
            Request::Tools if source.chance(200) => self.tools(source, exchange),
            Request::Open if source.chance(230) => self.opened(source, exchange),
            Request::Initialize if !good && source.chance(110) => {
                self.turned_away(source, exchange)
            }
            Request::Initialize if good || source.chance(96) => {
                self.initialize(source, exchange, good)
            }
            request if scripts && !moody => self.script(source, exchange, request),
            Request::Control if good => answer("accepted", 202, ""),
            Request::Call { .. } | Request::Ping if good => {
                json_answer("reply", 200, &reply(exchange, self.next()))
            }
            request => self.any(source, exchange, request, None),
        };
        // Where the address may name the session, that to which it moved may.
        if to_address && answer.status == StatusCode::MOVED_PERMANENTLY {
            header(
                &mut answer,
                "location",
                &format!("/messages/{MARK}address/"),
            );
        }
        if answer.status == StatusCode::NOT_FOUND {
            self.forgotten.extend(session);
        }
        // A session id that comes with anything but `initialize` means nothing.
        if !matches!(request, Request::Initialize) && source.chance(12) {
            header(
                &mut answer,
                "mcp-session-id",
                &format!("{MARK}intruder-{}", self.next()),
            );
        }
        answer
    }

    fn initialize(&mut self, source: &mut Source<'_>, exchange: u64, good: bool) -> Answer {
        let choice = if good {
            source.byte() / 64
        } else {
            4 + source.byte() / 32
        };
        let mut revision = self.revision;
        if !good && source.chance(64) {
            revision = "2024-10-07";
        }
        let mut result = json!({
            "protocolVersion": revision,
            "capabilities": self.capabilities(),
            "serverInfo": { "name": format!("{MARK}server"), "version": "1" },
        });
        self.sessions += 1;
        let session = format!("{MARK}session-{}", self.sessions);
        if choice == 5 {
            result = json!({ "protocolVersion": revision });
        }
        let result = json!({ "jsonrpc": "2.0", "id": exchange, "result": result });
        let error = error(json!(exchange), -32603);
        let (mut made, session) = match choice {
            0..=2 => (json_answer("initialize", 200, &result), Some(session)),
            3 | 7 => {
                let mut text =
                    event(&json!({"jsonrpc": "2.0", "id": self.next(), "method": "ping"}));
                if source.chance(96) {
                    text.push_str(&event(&self.notification()));
                }
                if choice == 7 && source.chance(96) {
                    text.push_str(&event(&error));
                } else if choice == 3 || source.chance(96) {
                    text.push_str(&event(&result));
                }
                (stream("initialize by stream", text), Some(session))
            }
            4 => (json_answer("initialize, no id", 200, &result), None),
            5 => (
                json_answer("initialize, no capabilities", 200, &result),
                Some(session),
            ),
            6 => (
                json_answer("initialize, bad id", 200, &result),
                Some(format!("{MARK}not visible\u{e9}")),
            ),
            8 => (json_answer("initialize, error", 200, &error), Some(session)),
            9 => (json_answer("initialize, error", 400, &error), None),
            _ => (json_answer("initialize", 200, &result), Some(session)),
        };
        if let Some(session) = session {
            header(&mut made, "mcp-session-id", &session);
        }
        made
    }

    /// Some sessions offer neither subscriptions nor logging.
    fn capabilities(&self) -> Value {
        let mut capabilities = json!({ "tools": {}, "n": self.sessions / 2, "experimental": { (format!("{MARK}can")): {} } });
        if self.sessions % 5 != 3 {
            capabilities["logging"] = json!({});
            capabilities["resources"] = json!({ "subscribe": true });
        }
        capabilities
    }

    fn notification(&mut self) -> Value {
        json!({"jsonrpc": "2.0", "method": "notifications/message", "params": { "m": self.next(), "s": format!("{MARK}notice") }})
    }

    /// A stream that asks, and has the reply for later.
    fn asking(&mut self, id: u64) -> Answer {
        self.asking.insert(id);
        let ask = json!({
            "jsonrpc": "2.0", "id": self.next(), "method": "elicitation/create",
            "params": { "m": self.next(), "s": format!("{MARK}question") },
        });
        stream("stream that asks", event(&ask))
    }

    /// What a stream has for later.
    pub(super) fn later(&mut self, id: u64) -> Option<Bytes> {
        if self.asking.remove(&id) {
            return Some(Bytes::from(event(&reply(id, self.next()))));
        }
        if let Some(said) = self.says(id) {
            return Some(said);
        }
        if self.listens(id) {
            return Some(Bytes::from(self.list_changed(id)));
        }
        self.goes_on(id)
    }
}
