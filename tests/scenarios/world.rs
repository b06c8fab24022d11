//! A scripted server, a clock and an application: one line puts a test into any state.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, StatusCode};
use mcp_http::{
    Ask, Authorize, Binding, CallId, CallOptions, Config, Connection, Error, Event, ExchangeId,
    Failure, Limits, Message, Phase, RawJson, Ready, Recovery, Reply, Revision, RpcError, Subject,
    Ticket, Time, Transmit,
};
use serde_json::{Value, json};

use crate::record::{self, Asked};

pub(crate) const ENDPOINT: &str = "https://example.com/mcp";

/// What goes on around one connection.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) connection: Connection,
    pub(crate) now: Time,
    /// Every request that ever left.
    pub(crate) sent: Vec<Sent>,
    /// Those that the story has not taken yet.
    pub(crate) open: Vec<Sent>,
    /// Exchanges that the connection aborted.
    pub(crate) aborted: Vec<ExchangeId>,
    /// Events that the story has not taken yet.
    pub(crate) events: Vec<Event>,
    /// Whether the application reads its events.
    pub(crate) reading: bool,
    ends: BTreeMap<CallId, usize>,
    asked: Asked,
    /// How often the adapter looked: no story is that long.
    looks: usize,
}

/// A request that left.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) exchange: ExchangeId,
    pub(crate) request: Request<Bytes>,
    pub(crate) at: Time,
}

impl Sent {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(self.request.body()).unwrap_or(Value::Null)
    }

    /// The JSON-RPC method; `GET` and `DELETE` for these, `answer` for a response.
    pub(crate) fn method(&self) -> String {
        if self.request.method() != Method::POST {
            return self.request.method().to_string();
        }
        self.json()["method"]
            .as_str()
            .unwrap_or("answer")
            .to_owned()
    }

    pub(crate) fn rpc_id(&self) -> u64 {
        self.json()["id"]
            .as_u64()
            .expect("a request has a number for an id")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.request
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap())
    }

    pub(crate) fn cursor(&self) -> Option<&str> {
        self.header("last-event-id")
    }

    pub(crate) fn credential(&self) -> Option<&str> {
        self.header("authorization")
    }

    pub(crate) fn session(&self) -> Option<&str> {
        self.header("mcp-session-id")
    }
}

pub(crate) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Without the listening stream, which has stories of its own, and with a server that is
/// known to have sessions: how that is found out is told in `eras`.
pub(crate) fn config() -> Config {
    Config::new(ENDPOINT)
        .unwrap()
        .capabilities(&announced())
        .unwrap()
        .listen(false)
        .remember(Binding::Session)
}

fn announced() -> Value {
    json!({ "elicitation": {}, "roots": {}, "sampling": {} })
}

/// The default limits but for these.
pub(crate) fn limits(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits);
    limits
}

pub(crate) fn server_capabilities() -> Value {
    json!({
        "completions": {}, "logging": {}, "prompts": {},
        "resources": { "subscribe": true }, "tools": {},
    })
}

/// A result of `initialize`.
pub(crate) fn initialized(revision: &str) -> Value {
    json!({
        "protocolVersion": revision,
        "capabilities": server_capabilities(),
        "serverInfo": { "name": "scripted", "version": "1" },
    })
}

/// Params of a call.
pub(crate) fn echo() -> Value {
    json!({ "name": "echo" })
}

pub(crate) fn result(id: impl Into<Value>, result: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id.into(), "result": result })
}

pub(crate) fn rpc_error(id: impl Into<Value>, code: i64, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id.into(), "error": { "code": code, "message": message } })
}

pub(crate) fn notification(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "method": method, "params": params })
}

pub(crate) fn request(id: impl Into<Value>, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id.into(), "method": method, "params": params })
}

/// A message of the server that can be told from others.
pub(crate) fn log(text: &str) -> Value {
    notification(
        "notifications/message",
        json!({ "level": "info", "data": text }),
    )
}

/// A message as an event of a stream.
pub(crate) fn event(message: &Value) -> String {
    format!("data: {message}\n\n")
}

/// A message as an event with an id.
pub(crate) fn event_with_id(id: &str, message: &Value) -> String {
    format!("id: {id}\ndata: {message}\n\n")
}

pub(crate) fn refused_connection() -> Failure {
    Failure::not_sent("connection refused")
}

pub(crate) fn reset() -> Failure {
    Failure::broken("connection reset by peer")
}

/// # States
impl World {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            connection: Connection::new(config),
            now: Time::from_secs(1000),
            sent: Vec::new(),
            open: Vec::new(),
            aborted: Vec::new(),
            events: Vec::new(),
            reading: true,
            ends: BTreeMap::new(),
            asked: Asked::default(),
            looks: 0,
        }
    }

    /// Nothing is known of the server.
    pub(crate) fn searching() -> Self {
        let config = Config::new(ENDPOINT).unwrap().listen(false);
        Self::new(config.capabilities(&announced()).unwrap())
    }

    /// An HTTP+SSE server has named the address for messages `/messages?session=s1`, and
    /// the handshake is over: the event stream, and a session of this revision on it.
    pub(crate) fn on_channel(revision: &str) -> (Self, Sent) {
        let mut w = Self::new(config().remember(Binding::HttpSse));
        w.connect();
        let get = w.open_channel("s1", revision);
        w.events.clear();
        (w, get)
    }

    pub(crate) fn idle() -> Self {
        Self::new(config())
    }

    /// `initialize` is due, after the delay that follows a first lost session.
    pub(crate) fn due() -> Self {
        Self::recovering()
    }

    /// `initialize` is under way for a call, which is the first.
    pub(crate) fn initializing() -> Self {
        let mut w = Self::idle();
        w.connect();
        w
    }

    /// `notifications/initialized` is under way in session `s1`.
    pub(crate) fn confirming() -> Self {
        let mut w = Self::initializing();
        w.accept_initialize("s1");
        w
    }

    /// In session `s1`, of the newest revision, at a server that has everything.
    pub(crate) fn ready() -> Self {
        Self::ready_with(|config| config)
    }

    pub(crate) fn ready_with(change: impl FnOnce(Config) -> Config) -> Self {
        let mut w = Self::new(change(config()));
        w.connect();
        w.establish("s1");
        w.events.clear();
        w
    }

    /// In session `s1`, within the default limits but for these.
    pub(crate) fn limited(change: impl FnOnce(&mut Limits)) -> Self {
        Self::ready_with(|config| config.limits(limits(change)))
    }

    /// A call is under way in session `s1`.
    pub(crate) fn under_way() -> (Self, CallId, Sent) {
        let mut w = Self::ready();
        let (call, sent) = w.begin("tools/call");
        (w, call, sent)
    }

    /// The same, and its answer is a stream with nothing in it yet.
    pub(crate) fn streaming() -> (Self, CallId, Sent) {
        let mut w = Self::ready();
        let (call, sent) = w.stream("tools/call");
        (w, call, sent)
    }

    /// A call's answer is a stream whose first event has the id `p` and no message.
    pub(crate) fn primed() -> (Self, CallId, Sent) {
        Self::ready().and_primed(CallOptions::new())
    }

    pub(crate) fn and_primed(mut self, options: CallOptions) -> (Self, CallId, Sent) {
        let call = self.call_with("tools/call", options);
        let sent = self.take("tools/call");
        self.answer(&sent, 200).stream(&[]);
        self.chunk(&sent, "id: p\ndata:\n\n");
        (self, call, sent)
    }

    /// A primed stream broke off, and its GET is under way.
    pub(crate) fn resuming() -> (Self, CallId, Sent) {
        let (mut w, call, sent) = Self::primed();
        w.fail(&sent, reset());
        let get = w.wait_for("GET");
        (w, call, get)
    }

    /// In session `s1`, and the listening stream is asked for.
    pub(crate) fn opening() -> (Self, Sent) {
        let mut w = Self::ready_with(|config| config.listen(true));
        let get = w.take("GET");
        (w, get)
    }

    /// In session `s1`, and the listening stream is open.
    pub(crate) fn listening() -> (Self, Sent) {
        let (mut w, get) = Self::opening();
        w.answer(&get, 200).stream(&[]);
        (w, get)
    }

    /// In a session without an id.
    pub(crate) fn ready_without_id() -> Self {
        let mut w = Self::initializing();
        let revision = initialized("2025-11-25");
        let initialize = w.take("initialize");
        w.answer(&initialize, 200).result(revision);
        w.accept("notifications/initialized");
        w.events.clear();
        w
    }

    /// In session `s1` of this revision.
    pub(crate) fn ready_at(revision: &str) -> Self {
        let mut w = Self::initializing();
        let initialize = w.take("initialize");
        w.answer(&initialize, 200)
            .header("mcp-session-id", "s1")
            .result(initialized(revision));
        w.accept("notifications/initialized");
        w.events.clear();
        w
    }

    /// Session `s1` was lost by a 404 to the call `lost`; a new one is due.
    pub(crate) fn recovering() -> Self {
        Self::recovering_with(|config| config)
    }

    pub(crate) fn recovering_with(change: impl FnOnce(Config) -> Config) -> Self {
        let mut w = Self::ready_with(change);
        w.call("tools/call");
        w.answer_all("tools/call", 404);
        w
    }

    /// Session `s1` was lost and `s2` made; the refused call waits for `resume`.
    pub(crate) fn held() -> Self {
        let mut w = Self::recovering_with(|config| config.recovery(Recovery::Hold));
        w.advance(secs(2));
        w.establish("s2");
        w
    }

    /// Session `s1` was lost, and the application has to say `reinitialize`.
    pub(crate) fn lost_manual() -> Self {
        Self::recovering_with(|config| config.recovery(Recovery::Manual))
    }

    /// The DELETE of session `s1` is under way.
    pub(crate) fn closing() -> Self {
        let mut w = Self::ready();
        w.close();
        w
    }

    pub(crate) fn closed() -> Self {
        let mut w = Self::closing();
        w.answer_all("DELETE", 200);
        w
    }

    /// Three handshakes failed within three seconds or so: the budget is spent.
    pub(crate) fn spent() -> Self {
        let mut w = Self::idle();
        for _ in 0..3 {
            w.connect();
            w.advance(secs(3));
            w.answer_all("initialize", 503);
        }
        w.events.clear();
        w
    }

    fn asked_for(revision: Revision) -> Self {
        let mut w = Self::new(config().pin(revision));
        w.connect();
        w
    }

    fn opening_channel() -> Self {
        let mut w = Self::new(config().remember(Binding::HttpSse));
        w.connect();
        w
    }

    /// One world in each phase.
    pub(crate) fn in_every_phase() -> Vec<(Phase, Self)> {
        let worlds = vec![
            (Phase::Idle, Self::idle()),
            (Phase::Due, Self::due()),
            (Phase::Discovering, Self::asked_for(Revision::V2026_07_28)),
            (Phase::Opening, Self::opening_channel()),
            (Phase::Initializing, Self::initializing()),
            (Phase::Confirming, Self::confirming()),
            (Phase::Ready, Self::ready()),
            (Phase::Held, Self::held()),
            (Phase::Lost, Self::lost_manual()),
            (Phase::Closing, Self::closing()),
            (Phase::Closed, Self::closed()),
        ];
        for (phase, w) in &worlds {
            assert_eq!(w.phase(), *phase, "the builder of the phase");
        }
        worlds
    }

    pub(crate) fn phase(&self) -> Phase {
        self.connection.status().phase
    }
}

/// # The application
impl World {
    pub(crate) fn connect(&mut self) {
        self.connection.connect(self.now).unwrap();
        self.drive();
    }

    pub(crate) fn call(&mut self, method: &str) -> CallId {
        self.call_with(method, CallOptions::new())
    }

    pub(crate) fn call_with(&mut self, method: &str, options: CallOptions) -> CallId {
        let params = match method {
            "completion/complete" => json!({
                "ref": { "type": "ref/prompt", "name": "echo" },
                "argument": { "name": "a", "value": "" },
            }),
            "resources/read" | "resources/subscribe" => json!({ "uri": "echo:" }),
            _ => echo(),
        };
        let call = self
            .connection
            .call(method, &params, options, self.now)
            .unwrap();
        self.drive();
        call
    }

    /// A call that leaves at once, as the server sees it.
    #[track_caller]
    pub(crate) fn begin(&mut self, method: &str) -> (CallId, Sent) {
        let call = self.call(method);
        (call, self.take(method))
    }

    /// The same, and its answer is a stream with nothing in it yet.
    #[track_caller]
    pub(crate) fn stream(&mut self, method: &str) -> (CallId, Sent) {
        let (call, sent) = self.begin(method);
        self.answer(&sent, 200).stream(&[]);
        (call, sent)
    }

    pub(crate) fn notify(&mut self, method: &str) -> mcp_http::NotificationId {
        let id = self.connection.notify(method, &(), self.now).unwrap();
        self.drive();
        id
    }

    pub(crate) fn cancel(&mut self, call: CallId) {
        self.connection.cancel(call, self.now).unwrap();
        self.drive();
    }

    pub(crate) fn reply_to(&mut self, ticket: Ticket) {
        // Fits a question for roots too.
        let accepted = json!({ "action": "accept", "roots": [] });
        self.connection
            .answer(ticket, Ok(&accepted), self.now)
            .unwrap();
        self.drive();
    }

    pub(crate) fn authorize(&mut self, credential: &str) {
        self.connection.authorize(credential, self.now).unwrap();
        self.drive();
    }

    pub(crate) fn refuse_authorization(&mut self) {
        self.connection.refuse_authorization(self.now).unwrap();
        self.drive();
    }

    pub(crate) fn set_credential(&mut self, credential: Option<&str>) {
        self.connection
            .set_header("authorization", credential)
            .unwrap();
        self.drive();
    }

    pub(crate) fn close(&mut self) {
        self.connection.close(self.now);
        self.drive();
    }
}

/// # The adapter
impl World {
    /// Takes what both outlets have.
    pub(crate) fn drive(&mut self) {
        self.looks += 1;
        assert!(self.looks < 10_000_000, "this story does not end");
        loop {
            let before = (self.sent.len(), self.events.len());
            self.transmit();
            if self.reading {
                self.read();
            }
            if before == (self.sent.len(), self.events.len()) {
                break;
            }
        }
        let due = self.connection.poll_timeout();
        assert!(
            due.is_none_or(|due| due >= self.now) || !self.reading,
            "law 10: {due:?} is past"
        );
        #[cfg(feature = "harness")]
        self.holds_no_more_than_it_may();
    }

    /// Law 8. In long and in crowded stories it is enough to look now and then.
    #[cfg(feature = "harness")]
    fn holds_no_more_than_it_may(&self) {
        let crowd = self.connection.status().exchanges;
        if self.looks % (2 + crowd + self.looks / 50) == 0 {
            let excess = mcp_http::harness::excess(&self.connection);
            excess.unwrap_or_else(|what| panic!("law 8: {what}"));
        }
    }

    fn transmit(&mut self) {
        for turn in 0.. {
            assert!(turn < 10_000, "it sends for ever");
            let Some(transmit) = self.connection.poll_transmit(self.now) else {
                break;
            };
            match transmit {
                Transmit::Send { exchange, request } => {
                    record::record(&request, self.connection.status().revision, &self.asked);
                    let sent = Sent {
                        exchange,
                        request,
                        at: self.now,
                    };
                    self.sent.push(sent.clone());
                    self.open.push(sent);
                }
                Transmit::Abort { exchange } => {
                    self.aborted.push(exchange);
                    self.open.retain(|sent| sent.exchange != exchange);
                }
                _ => panic!("unknown transmit"),
            }
        }
    }

    /// Reads all events.
    pub(crate) fn read(&mut self) {
        while let Some(event) = self.connection.poll_event() {
            let ended = match &event {
                Event::Reply { call, .. } => Some(*call),
                Event::Fail {
                    subject: Subject::Call(call),
                    ..
                } => Some(*call),
                _ => None,
            };
            if let Some(call) = ended {
                let ends = self.ends.entry(call).or_default();
                *ends += 1;
                assert_eq!(*ends, 1, "law 2: {call:?} ended twice: {event:?}");
            }
            let about = match &event {
                Event::Message(message) => message.call,
                Event::Ask(ask) => ask.call,
                _ => None,
            };
            let over = about.is_some_and(|call| self.ends.contains_key(&call));
            assert!(!over, "law 2: {event:?} after the end of its call");
            self.events.push(event);
        }
    }

    /// Lets time pass, waking the connection whenever it wants to be.
    pub(crate) fn advance(&mut self, time: Duration) {
        // What gives its room back in a pause goes on all the same.
        self.connection.shrink_to_fit();
        let end = self.now + time;
        for turn in 0.. {
            assert!(turn < 10_000, "it wakes for ever");
            match self.connection.poll_timeout() {
                Some(due) if due <= end => {
                    self.now = self.now.max(due);
                    self.connection.handle_timeout(self.now);
                    self.drive();
                }
                _ => break,
            }
        }
        self.now = end;
        self.connection.handle_timeout(self.now);
        self.drive();
    }

    /// How long until it wants to be woken; wakes it then.
    pub(crate) fn wake(&mut self) -> Duration {
        let due = self.connection.poll_timeout().expect("a time-out is set");
        let waited = due.since(self.now);
        self.advance(waited);
        waited
    }

    /// Lets time pass until a request of this method leaves, and takes it.
    pub(crate) fn wait_for(&mut self, method: &str) -> Sent {
        for _ in 0..100 {
            if self.open.iter().any(|sent| sent.method() == method) {
                return self.take(method);
            }
            self.wake();
        }
        panic!("no `{method}` came; open: {:?}", self.open_methods());
    }

    pub(crate) fn open_methods(&self) -> Vec<String> {
        self.open.iter().map(Sent::method).collect()
    }

    /// The methods of all that was sent from this index of `sent` on.
    pub(crate) fn sent_since(&self, from: usize) -> Vec<String> {
        self.sent[from..].iter().map(Sent::method).collect()
    }

    /// How many requests of this method ever left.
    pub(crate) fn count(&self, method: &str) -> usize {
        self.sent
            .iter()
            .filter(|sent| sent.method() == method)
            .count()
    }

    /// Takes the oldest unanswered request of this method.
    #[track_caller]
    pub(crate) fn take(&mut self, method: &str) -> Sent {
        let at = self.open.iter().position(|sent| sent.method() == method);
        let Some(at) = at else {
            panic!(
                "no `{method}` is open, but {:?}; {:?}",
                self.open_methods(),
                self.events
            );
        };
        self.open.remove(at)
    }

    pub(crate) fn has(&self, method: &str) -> bool {
        self.open.iter().any(|sent| sent.method() == method)
    }

    pub(crate) fn chunk(&mut self, sent: &Sent, chunk: impl Into<Bytes>) {
        let chunk = chunk.into();
        self.asked.hear(&chunk);
        self.connection
            .handle_body(sent.exchange, chunk, self.now)
            .unwrap();
        self.drive();
    }

    /// One more event of an answer that is a stream.
    pub(crate) fn event(&mut self, sent: &Sent, message: &Value) {
        self.chunk(sent, event(message));
    }

    /// The same, with an id.
    pub(crate) fn event_with_id(&mut self, sent: &Sent, id: &str, message: &Value) {
        self.chunk(sent, event_with_id(id, message));
    }

    /// Waits for the next GET, and answers it with a stream that has nothing in it yet.
    #[track_caller]
    pub(crate) fn reopen(&mut self) -> Sent {
        let get = self.wait_for("GET");
        self.answer(&get, 200).stream(&[]);
        get
    }

    pub(crate) fn end(&mut self, sent: &Sent) {
        self.connection.handle_end(sent.exchange, self.now).unwrap();
        self.drive();
    }

    pub(crate) fn fail(&mut self, sent: &Sent, failure: Failure) {
        self.connection
            .handle_failure(sent.exchange, failure, self.now)
            .unwrap();
        self.drive();
    }
}

/// # The server
impl World {
    pub(crate) fn answer(&mut self, sent: &Sent, status: u16) -> Answer<'_> {
        let status = StatusCode::from_u16(status).unwrap();
        Answer {
            sent: sent.clone(),
            status,
            headers: HeaderMap::new(),
            world: self,
        }
    }

    /// Answers the oldest request of this method with a result.
    #[track_caller]
    pub(crate) fn succeed(&mut self, method: &str) {
        let sent = self.take(method);
        self.answer(&sent, 200).result(json!({ "ok": true }));
    }

    /// Accepts the oldest notification or answer of this method.
    #[track_caller]
    pub(crate) fn accept(&mut self, method: &str) {
        let sent = self.take(method);
        self.answer(&sent, 202).empty();
    }

    /// Answers every open request of this method with a status and no body.
    pub(crate) fn answer_all(&mut self, method: &str, status: u16) {
        let all: Vec<Sent> = self
            .open
            .iter()
            .filter(|sent| sent.method() == method)
            .cloned()
            .collect();
        self.open.retain(|sent| sent.method() != method);
        for sent in all {
            self.answer(&sent, status).empty();
        }
    }

    /// Accepts `initialize`; the session gets this id.
    #[track_caller]
    pub(crate) fn accept_initialize(&mut self, session: &str) {
        let initialize = self.take("initialize");
        let answer = self
            .answer(&initialize, 200)
            .header("mcp-session-id", session);
        answer.result(initialized("2025-11-25"));
    }

    /// The event stream of an HTTP+SSE server, which names this reference for messages.
    #[track_caller]
    pub(crate) fn name_address(&mut self, reference: &str) -> Sent {
        let get = self.take("GET");
        self.answer(&get, 200).stream(&[]);
        self.chunk(&get, format!("event: endpoint\ndata: {reference}\n\n"));
        get
    }

    /// An HTTP+SSE server accepts the handshake in this revision. Gives its event stream.
    #[track_caller]
    pub(crate) fn open_channel(&mut self, session: &str, revision: &str) -> Sent {
        let get = self.name_address(&format!("/messages?session={session}"));
        self.reply_on(&get, "initialize", initialized(revision));
        self.accept("notifications/initialized");
        get
    }

    /// Accepts the oldest request of this method, and replies on a stream of its own.
    #[track_caller]
    pub(crate) fn reply_on(&mut self, stream: &Sent, method: &str, with: Value) -> Sent {
        let sent = self.take(method);
        self.answer(&sent, 202).body("Accepted");
        self.event(stream, &result(sent.rpc_id(), with));
        sent
    }

    /// Accepts both steps of the handshake.
    #[track_caller]
    pub(crate) fn establish(&mut self, session: &str) {
        self.accept_initialize(session);
        self.accept("notifications/initialized");
    }

    /// Waits for the handshake that is due, and accepts it.
    pub(crate) fn recover(&mut self, session: &str) {
        let initialize = self.wait_for("initialize");
        self.open.push(initialize);
        self.establish(session);
    }
}

/// # What the application was told
impl World {
    pub(crate) fn ended(&self, call: CallId) -> bool {
        self.ends.contains_key(&call)
    }

    #[track_caller]
    pub(crate) fn reply(&mut self, call: CallId) -> Reply {
        self.told("no reply", |event| match event {
            Event::Reply { call: of, reply } if *of == call => Some(reply.clone()),
            _ => None,
        })
    }

    /// The result of a call, as JSON.
    #[track_caller]
    pub(crate) fn result(&mut self, call: CallId) -> Value {
        let outcome = self.reply(call).outcome;
        outcome.expect("a result").deserialize().unwrap()
    }

    /// The JSON-RPC error that was a call's reply.
    #[track_caller]
    pub(crate) fn rpc_error(&mut self, call: CallId) -> RpcError {
        self.reply(call).outcome.expect_err("a JSON-RPC error")
    }

    #[track_caller]
    pub(crate) fn error(&mut self, call: CallId) -> Error {
        self.error_of(Subject::Call(call))
    }

    #[track_caller]
    pub(crate) fn error_of(&mut self, of: Subject) -> Error {
        self.told("no failure", |event| match event {
            Event::Fail { subject, error } if *subject == of => Some(error.clone()),
            _ => None,
        })
    }

    /// Why the server offers no listening stream.
    #[track_caller]
    pub(crate) fn not_offered(&mut self) -> Error {
        self.told(
            "the listening stream was not refused",
            |event| match event {
                Event::StreamNotOffered { error } => Some(error.clone()),
                _ => None,
            },
        )
    }

    #[track_caller]
    pub(crate) fn ready_event(&mut self) -> Ready {
        self.told("no session", |event| match event {
            Event::Ready(ready) => Some(ready.clone()),
            _ => None,
        })
    }

    #[track_caller]
    pub(crate) fn ask(&mut self) -> Ask {
        self.told("no question", |event| match event {
            Event::Ask(ask) => Some(ask.clone()),
            _ => None,
        })
    }

    /// The one question for a credential that was asked.
    #[track_caller]
    pub(crate) fn authorization(&mut self) -> Authorize {
        let asked = self.told("nobody was asked", |event| match event {
            Event::Authorize(asked) => Some(asked.clone()),
            _ => None,
        });
        assert!(
            !self.asks_for_credential(),
            "it was asked once: {:?}",
            self.events
        );
        asked
    }

    /// Whether a question for a credential was not taken yet.
    pub(crate) fn asks_for_credential(&self) -> bool {
        let asked = |event: &Event| matches!(event, Event::Authorize(_));
        self.events.iter().any(asked)
    }

    /// Takes all messages of the server.
    pub(crate) fn messages(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        self.events.retain(|event| match event {
            Event::Message(message) => {
                messages.push(message.clone());
                false
            }
            _ => true,
        });
        messages
    }

    /// The texts of all logs of the server.
    pub(crate) fn logs(&mut self) -> Vec<String> {
        let text = |message: Message| -> Option<String> {
            let params: Value = message.params?.deserialize().unwrap();
            Some(params["data"].as_str()?.to_owned())
        };
        self.messages().into_iter().filter_map(text).collect()
    }

    pub(crate) fn reinitialized(&self) -> usize {
        self.events
            .iter()
            .filter(|event| matches!(event, Event::Reinitialize { .. }))
            .count()
    }

    /// Why sessions were lost, in turn.
    pub(crate) fn losses(&self) -> Vec<mcp_http::LossCause> {
        let cause = |event: &Event| match event {
            Event::Reinitialize { cause, .. } => Some(*cause),
            _ => None,
        };
        self.events.iter().filter_map(cause).collect()
    }

    /// How often the listening stream was degraded and restored.
    pub(crate) fn ups_and_downs(&self) -> (usize, usize) {
        let count = |wanted: fn(&Event) -> bool| self.events.iter().filter(|e| wanted(e)).count();
        (
            count(|event| matches!(event, Event::StreamDegraded { .. })),
            count(|event| matches!(event, Event::StreamRestored)),
        )
    }

    /// The error of the last `StreamDegraded`.
    #[track_caller]
    pub(crate) fn degraded(&mut self) -> Error {
        self.told("no degraded stream", |event| match event {
            Event::StreamDegraded { error } => Some(error.clone()),
            _ => None,
        })
    }

    pub(crate) fn accepted(&self, of: Subject) -> bool {
        self.events.contains(&Event::Accepted { subject: of })
    }

    /// Takes the first event that is wanted.
    #[track_caller]
    fn told<T>(&mut self, else_what: &str, wanted: impl Fn(&Event) -> Option<T>) -> T {
        let mut events = self.events.iter().enumerate();
        let Some((at, found)) = events.find_map(|(at, event)| Some((at, wanted(event)?))) else {
            panic!("{else_what}, but {:?}", self.events);
        };
        self.events.remove(at);
        found
    }

    /// All that a command can change and a caller can see.
    pub(crate) fn visible(&self) -> String {
        let mut copy = self.connection.clone();
        let mut seen = format!("{:?} {:?}", copy.status(), copy.poll_timeout());
        while let Some(transmit) = copy.poll_transmit(self.now) {
            seen += &format!("{transmit:?}");
        }
        while let Some(event) = copy.poll_event() {
            seen += &format!("{event:?}");
        }
        seen
    }
}

/// The answer to one request, as it is put together.
pub(crate) struct Answer<'a> {
    sent: Sent,
    status: StatusCode,
    headers: HeaderMap,
    world: &'a mut World,
}

impl Answer<'_> {
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).unwrap();
        self.headers.append(HeaderName::from_static(name), value);
        self
    }

    /// The head alone; the body follows, or never does.
    pub(crate) fn head(self) {
        let Self {
            sent,
            status,
            headers,
            world,
        } = self;
        world
            .connection
            .handle_head(sent.exchange, status, &headers, world.now)
            .unwrap();
        world.drive();
    }

    /// No body.
    pub(crate) fn empty(self) {
        self.body("");
    }

    /// This body, of no type.
    pub(crate) fn body(self, body: impl Into<Bytes>) {
        let Self {
            sent,
            status,
            headers,
            world,
        } = self;
        world
            .connection
            .handle_head(sent.exchange, status, &headers, world.now)
            .unwrap();
        let body = body.into();
        world.asked.hear(&body);
        if !body.is_empty() {
            world
                .connection
                .handle_body(sent.exchange, body, world.now)
                .unwrap();
        }
        world
            .connection
            .handle_end(sent.exchange, world.now)
            .unwrap();
        world.drive();
    }

    pub(crate) fn typed(self, content_type: &str, body: impl Into<Bytes>) {
        self.header("content-type", content_type).body(body);
    }

    pub(crate) fn json(self, body: &Value) {
        self.typed("application/json", body.to_string());
    }

    /// A JSON-RPC result with the request's own id.
    pub(crate) fn result(self, value: Value) {
        let id = self.sent.rpc_id();
        self.json(&result(id, value));
    }

    /// A JSON-RPC error with the request's own id.
    pub(crate) fn error(self, code: i64, message: &str) {
        let id = self.sent.rpc_id();
        self.json(&rpc_error(id, code, message));
    }

    /// An event stream with these messages, which stays open.
    pub(crate) fn stream(self, messages: &[Value]) {
        let sent = self.sent.clone();
        let Self {
            headers,
            status,
            world,
            ..
        } = self;
        world.answer_head(&sent, status, headers);
        for message in messages {
            world.event(&sent, message);
        }
    }
}

impl World {
    fn answer_head(&mut self, sent: &Sent, status: StatusCode, mut headers: HeaderMap) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        self.connection
            .handle_head(sent.exchange, status, &headers, self.now)
            .unwrap();
        self.drive();
    }
}

/// Raw JSON of a value.
pub(crate) fn raw(value: &Value) -> RawJson {
    RawJson::new(value).unwrap()
}
