//! A connection, and the least that drives it: no network, no clock.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use mcp_http::{
    CallOptions, Config, Connection, Event, ExchangeId, Limits, Message, Revision, Time, Transmit,
};
use serde_json::{Value, json};

/// More than any case wants: what is measured is what things cost, not what is refused.
const ROOM: usize = 1 << 30;

/// One client that is at work with its server.
pub struct Driver {
    connection: Connection,
    now: Time,
    json: HeaderMap,
    stream: HeaderMap,
    params: Value,
}

impl Driver {
    /// A connection after its handshake, without a listening stream.
    pub fn ready(revision: Revision) -> Self {
        let mut limits = Limits::default();
        limits.open_calls = ROOM;
        limits.unread = ROOM;
        limits.unread_bytes = ROOM;
        let config = Config::new("https://example.com/mcp").expect("an endpoint");
        Self::with(config.limits(limits), revision)
    }

    /// The same with the default limits.
    pub fn usual(revision: Revision) -> Self {
        let config = Config::new("https://example.com/mcp").expect("an endpoint");
        Self::with(config, revision)
    }

    fn with(config: Config, revision: Revision) -> Self {
        let config = config.pin(revision).listen(false);
        let head = |kind| {
            HeaderMap::from_iter([(http::header::CONTENT_TYPE, HeaderValue::from_static(kind))])
        };
        let mut driver = Self {
            connection: Connection::new(config),
            now: Time::ZERO,
            json: head("application/json"),
            stream: head("text/event-stream"),
            params: json!({ "name": "echo", "arguments": { "text": "What does a call cost?" } }),
        };
        driver.shake_hands(revision);
        driver
    }

    fn shake_hands(&mut self, revision: Revision) {
        self.connection.connect(self.now).expect("it is open");
        while let Some(transmit) = self.connection.poll_transmit(self.now) {
            let Transmit::Send { exchange, request } = transmit else {
                continue;
            };
            let message: Value = serde_json::from_slice(request.body()).expect("JSON");
            let capabilities = json!({ "tools": {} });
            let result = match message["method"].as_str() {
                Some("initialize") => json!({
                    "protocolVersion": revision.as_str(), "capabilities": capabilities,
                    "serverInfo": { "name": "bench", "version": "1" },
                }),
                Some("server/discover") => json!({
                    "resultType": "complete", "supportedVersions": [revision.as_str()],
                    "capabilities": capabilities,
                }),
                _ => {
                    self.accept(exchange);
                    continue;
                }
            };
            let body = json!({ "jsonrpc": "2.0", "id": message["id"], "result": result });
            let mut head = self.json.clone();
            let session = HeaderValue::from_static("0123456789abcdef0123456789abcdef");
            head.insert("mcp-session-id", session);
            self.head(exchange, StatusCode::OK, &head);
            self.body(exchange, body.to_string().into());
            self.end(exchange);
        }
        while self.connection.poll_event().is_some() {}
        assert_eq!(self.connection.status().generation, 1, "there is a session");
    }

    /// Makes a call and takes its request.
    pub fn call(&mut self) -> ExchangeId {
        self.now = self.now + Duration::from_millis(1);
        let options = CallOptions::new();
        let call = self
            .connection
            .call("tools/call", &self.params, options, self.now);
        call.expect("a call can be made");
        self.sent()
    }

    /// The exchange of the one request that is to be sent.
    fn sent(&mut self) -> ExchangeId {
        let Some(Transmit::Send { exchange, .. }) = self.connection.poll_transmit(self.now) else {
            panic!("nothing is to be sent");
        };
        assert!(self.connection.poll_transmit(self.now).is_none());
        exchange
    }

    /// The number of the next call's request.
    pub fn next_number(&mut self) -> usize {
        let now = self.now;
        let mut twin = self.connection.clone();
        let call = twin.call("tools/call", &self.params, CallOptions::new(), now);
        call.expect("a call can be made");
        let Some(Transmit::Send { request, .. }) = twin.poll_transmit(now) else {
            panic!("nothing is to be sent");
        };
        let message: Value = serde_json::from_slice(request.body()).expect("JSON");
        let id = message["id"].as_u64().expect("an id");
        usize::try_from(id).expect("a small id")
    }

    /// Answers a call with a JSON body, and takes the reply.
    pub fn answer(&mut self, exchange: ExchangeId, body: Bytes) {
        let json = std::mem::take(&mut self.json);
        self.head(exchange, StatusCode::OK, &json);
        self.json = json;
        self.body(exchange, body);
        self.end(exchange);
        let event = self.connection.poll_event();
        assert!(matches!(event, Some(Event::Reply { .. })));
        assert!(self.connection.poll_event().is_none());
        assert!(self.connection.poll_transmit(self.now).is_none());
        std::hint::black_box(self.connection.poll_timeout());
    }

    /// Answers a call with the head of an event stream.
    pub fn open_stream(&mut self, exchange: ExchangeId) {
        let stream = std::mem::take(&mut self.stream);
        self.head(exchange, StatusCode::OK, &stream);
        self.stream = stream;
    }

    /// Some bytes of a stream. The driver looks what there is to do.
    pub fn chunk(&mut self, exchange: ExchangeId, chunk: Bytes) {
        self.body(exchange, chunk);
        assert!(self.connection.poll_transmit(self.now).is_none());
        std::hint::black_box(self.connection.poll_timeout());
    }

    /// Takes one message.
    pub fn message(&mut self) -> Message {
        let Some(Event::Message(message)) = self.connection.poll_event() else {
            panic!("no message waits");
        };
        message
    }

    pub fn has_event(&mut self) -> bool {
        self.connection.poll_event().is_some()
    }

    /// The oldest call's time is up: it fails, and the server is told.
    pub fn time_out(&mut self) {
        let failed = self.wait();
        assert!(matches!(failed, Some(Event::Fail { .. })));
    }

    /// Lets time go on to where something is to be done, and does it. The event that comes of it.
    pub fn wait(&mut self) -> Option<Event> {
        let due = self.connection.poll_timeout().expect("a clock runs");
        self.now = self.now.max(due);
        self.connection.handle_timeout(self.now);
        let event = self.connection.poll_event();
        while let Some(transmit) = self.connection.poll_transmit(self.now) {
            if let Transmit::Send { exchange, .. } = transmit {
                self.accept(exchange);
            }
        }
        event
    }

    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The connection alone.
    pub fn into_connection(self) -> Connection {
        self.connection
    }

    fn accept(&mut self, exchange: ExchangeId) {
        self.head(exchange, StatusCode::ACCEPTED, &HeaderMap::new());
        self.end(exchange);
    }

    fn head(&mut self, exchange: ExchangeId, status: StatusCode, head: &HeaderMap) {
        let told = self
            .connection
            .handle_head(exchange, status, head, self.now);
        told.expect("a head");
    }

    fn body(&mut self, exchange: ExchangeId, chunk: Bytes) {
        let told = self.connection.handle_body(exchange, chunk, self.now);
        told.expect("a body");
    }

    fn end(&mut self, exchange: ExchangeId) {
        let told = self.connection.handle_end(exchange, self.now);
        told.expect("an end");
    }
}
