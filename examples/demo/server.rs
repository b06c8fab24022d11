//! A real MCP server in this process: the official Rust SDK (`rmcp`) with its own session
//! manager, on a free loopback port, behind a thin layer that counts what arrives and can
//! refuse it, ask it for a token, hold it back or be away altogether.
//!
//! What a client gets to see is answered by `rmcp`. The layer itself answers only while
//! [`Server::refuse`] is on, and to a wrong token while [`Server::require`] wants another;
//! it changes nothing that passes through it.

// Shared by the demo and the tests, neither of which uses all of it; and a server that
// cannot start has nobody to return an error to.
#![allow(dead_code, clippy::expect_used)]

use std::{
    borrow::Cow,
    collections::BTreeMap,
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
pub(crate) use rmcp::model::ProtocolVersion;
pub(crate) use rmcp::transport::streamable_http_server::StreamableHttpServerConfig;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ClientResult, ContentBlock,
        ElicitRequest, ElicitRequestParams, ElicitationAction, ElicitationSchema, Implementation,
        InputRequest, InputRequests, InputRequiredResult, JsonObject, ListToolsResult,
        PaginatedRequestParams, ProgressNotificationParam, ServerCapabilities, ServerConfig,
        ServerRequest, SubscriptionFilter, Tool,
    },
    service::{RequestContext, SubscriptionContext},
    transport::streamable_http_server::{
        StreamableHttpService,
        session::local::{LocalSessionHandle, LocalSessionManager},
    },
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::{oneshot, watch},
    task::{JoinHandle, JoinSet},
};

const BACKLOG: u32 = 1024;

/// A running server. Dropping it ends it.
pub(crate) struct Server {
    address: SocketAddr,
    config: StreamableHttpServerConfig,
    shared: Arc<Shared>,
    life: tokio::sync::Mutex<Life>,
}

/// HTTP requests that arrived, whatever came of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Those POSTs whose JSON-RPC method is `initialize`.
    pub(crate) initialize: u64,
    pub(crate) posts: u64,
    pub(crate) gets: u64,
    pub(crate) deletes: u64,
}

/// What happens when a [gate](Server::gate) is full, before it opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Pass,
    /// All sessions are forgotten.
    Forget,
    /// From then on this token is [required](Server::require).
    Require(&'static str),
}

impl Server {
    /// A server with `rmcp`'s defaults: sessions, and an event stream for every answer.
    pub(crate) async fn start() -> Self {
        Self::start_with(StreamableHttpServerConfig::default()).await
    }

    /// A server with another configuration, such as
    /// `StreamableHttpServerConfig::default().with_legacy_session_mode(false).with_json_response(true)`.
    pub(crate) async fn start_with(config: StreamableHttpServerConfig) -> Self {
        let socket = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let address = socket
            .local_addr()
            .expect("a bound socket knows its address");
        let shared = Arc::new(Shared::default());
        let life = Life::begin(socket, &config, &shared);
        Self {
            address,
            config,
            shared,
            life: tokio::sync::Mutex::new(life),
        }
    }

    /// `http://127.0.0.1:PORT/mcp`, the same for as long as this value lives.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What has arrived since the start or the last [`reset_counts`](Self::reset_counts).
    pub(crate) fn count(&self) -> Counts {
        *lock(&self.shared.counts)
    }

    pub(crate) fn reset_counts(&self) {
        *lock(&self.shared.counts) = Counts::default();
    }

    /// How often the tool `work` began to run, by the key that it was given.
    pub(crate) fn executions(&self) -> BTreeMap<String, u32> {
        lock(&self.shared.executions).clone()
    }

    /// How often a running `work` was told to stop, by the key that it was given.
    pub(crate) fn cancellations(&self) -> BTreeMap<String, u32> {
        lock(&self.shared.cancellations).clone()
    }

    /// Tells those who want to hear of it, by `subscriptions/listen`, that the tools changed.
    pub(crate) fn tools_changed(&self) {
        self.shared.told.send_modify(|told| told.changes += 1);
    }

    /// Ends all `subscriptions/listen` in good order.
    pub(crate) fn end_subscriptions(&self) {
        self.shared.told.send_modify(|told| told.ends += 1);
    }

    /// How many `subscriptions/listen` there are at this moment.
    pub(crate) fn subscriptions(&self) -> usize {
        self.shared.told.receiver_count()
    }

    /// How many sessions `rmcp` knows at this moment.
    pub(crate) async fn sessions(&self) -> usize {
        match &*self.life.lock().await {
            Life::Up { sessions, .. } => sessions.sessions.read().await.len(),
            Life::Down { .. } => 0,
        }
    }

    /// Empties `rmcp`'s session manager: from now on it answers 404 to every id it has given
    /// out. Streams of the old sessions end; what their tools still do reaches nobody.
    pub(crate) async fn forget(&self) {
        if let Life::Up { sessions, .. } = &*self.life.lock().await {
            forget(sessions).await;
        }
    }

    /// As [`forget`](Self::forget), but streams that are open now live on to their end. Only
    /// new requests get the 404.
    pub(crate) async fn forget_ids(&self) {
        if let Life::Up { sessions, .. } = &*self.life.lock().await {
            let handles = take(sessions).await;
            lock(&self.shared.kept).extend(handles);
        }
    }

    /// Holds back the next `n` POSTs of `tools/call`, before `rmcp` sees any of them, until
    /// all `n` have arrived; does `then`; and lets them pass. Replaces an earlier gate, which
    /// opens. `gate(0, Then::Pass)` only opens.
    pub(crate) fn gate(&self, n: usize, then: Then) {
        *lock(&self.shared.gate) = (n > 0).then(|| Gate {
            missing: n,
            then,
            open: watch::channel(()).0,
        });
    }

    /// From now on every request has to carry this bearer token.
    pub(crate) fn require(&self, token: &'static str) {
        *lock(&self.shared.token) = Some(token);
    }

    /// From now on it speaks this revision and older ones alone.
    pub(crate) fn speak_up_to(&self, newest: ProtocolVersion) {
        *lock(&self.shared.newest) = Some(newest);
    }

    /// While on, every request is answered as by something that is no MCP endpoint.
    pub(crate) fn refuse(&self, on: bool) {
        self.shared.refuse.store(on, Ordering::SeqCst);
    }

    /// As if the process had been killed: connections are cut, new ones refused, sessions and
    /// running tools gone. The port stays reserved. Does nothing if stopped already.
    pub(crate) async fn stop(&self) {
        let mut life = self.life.lock().await;
        if let Life::Up { .. } = &*life {
            let up = std::mem::replace(&mut *life, Life::Down { reserved: None });
            up.end(&self.shared).await;
            // Bound but not listening: connecting is refused, and nobody else gets the port.
            *life = Life::Down {
                reserved: Some(bind(self.address)),
            };
        }
    }

    /// Comes back after [`stop`](Self::stop) with no sessions; counts and executions are kept.
    /// Does nothing if running already.
    pub(crate) async fn start_again_on_same_port(&self) {
        let mut life = self.life.lock().await;
        if let Life::Down { reserved } = &mut *life {
            let socket = reserved.take().unwrap_or_else(|| bind(self.address));
            *life = Life::begin(socket, &self.config, &self.shared);
        }
    }
}

/// What outlives a stop.
#[derive(Default)]
struct Shared {
    counts: Mutex<Counts>,
    executions: Mutex<BTreeMap<String, u32>>,
    cancellations: Mutex<BTreeMap<String, u32>>,
    gate: Mutex<Option<Gate>>,
    refuse: AtomicBool,
    token: Mutex<Option<&'static str>>,
    newest: Mutex<Option<ProtocolVersion>>,
    kept: Mutex<Vec<LocalSessionHandle>>,
    told: watch::Sender<Told>,
}

/// What those who listen were told so far.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    changes: u64,
    ends: u64,
}

/// Opens when it is dropped.
struct Gate {
    missing: usize,
    then: Then,
    open: watch::Sender<()>,
}

enum Life {
    Up {
        sessions: Arc<LocalSessionManager>,
        // Its `cancellation_token` is this life's end.
        config: StreamableHttpServerConfig,
        quit: oneshot::Sender<()>,
        task: JoinHandle<()>,
    },
    Down {
        reserved: Option<TcpSocket>,
    },
}

impl Life {
    fn begin(socket: TcpSocket, config: &StreamableHttpServerConfig, shared: &Arc<Shared>) -> Self {
        let listener = socket
            .listen(BACKLOG)
            .expect("listening on a port that was reserved");
        // Each life ends by a token of its own: a cancelled one cannot be used again.
        let config = config.clone().with_cancellation_token(Default::default());
        let mut sessions = LocalSessionManager::default();
        sessions.session_config.sse_retry = config.sse_retry;
        let sessions = Arc::new(sessions);
        let address = listener.local_addr();
        let tools = Tools {
            shared: shared.clone(),
            config: config.clone(),
            name: address.expect("it is bound").to_string(),
        };
        let layer = Layer {
            shared: shared.clone(),
            sessions: sessions.clone(),
            rmcp: StreamableHttpService::new(
                move || Ok(tools.clone()),
                sessions.clone(),
                config.clone(),
            ),
        };
        let (quit, quitting) = oneshot::channel();
        let task = tokio::spawn(serve(listener, layer, quitting));
        Self::Up {
            sessions,
            config,
            quit,
            task,
        }
    }

    async fn end(self, shared: &Shared) {
        if let Self::Up {
            sessions,
            config,
            quit,
            task,
        } = self
        {
            drop(quit);
            // Only after this are the listener and all connections closed.
            let _ = task.await;
            config.cancellation_token.cancel();
            forget(&sessions).await;
            lock(&shared.kept).clear();
            // HTTP/2 requests may still be held here; nothing is left that they could reach.
            lock(&shared.gate).take();
        }
    }
}

async fn serve(listener: TcpListener, layer: Layer, mut quitting: oneshot::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut quitting => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                // A connection that died in the queue is no reason to stop.
                let Ok((stream, _)) = accepted else { continue };
                let _ = stream.set_nodelay(true);
                let layer = layer.clone();
                connections.spawn(async move {
                    let service = service_fn(move |request| layer.clone().answer(request));
                    // Fails if the client goes away, which is the client's business.
                    let _ = auto::Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        }
    }
    drop(listener);
    connections.shutdown().await;
}

/// What stands between the socket and `rmcp`.
#[derive(Clone)]
struct Layer {
    shared: Arc<Shared>,
    sessions: Arc<LocalSessionManager>,
    rmcp: StreamableHttpService<Tools, LocalSessionManager>,
}

impl Layer {
    async fn answer(
        self,
        request: Request<Incoming>,
    ) -> Result<Response<BoxBody<Bytes, Infallible>>, hyper::Error> {
        self.count(|counts| match *request.method() {
            Method::POST => counts.posts += 1,
            Method::GET => counts.gets += 1,
            Method::DELETE => counts.deletes += 1,
            _ => {}
        });
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let method = (head.method == Method::POST)
            .then(|| json_rpc_method(&body))
            .flatten();
        if method.as_deref() == Some("initialize") {
            self.count(|counts| counts.initialize += 1);
        }
        if self.shared.refuse.load(Ordering::SeqCst) {
            // Calls that are made at once are all made by then.
            tokio::time::sleep(Duration::from_millis(300)).await;
            return Ok(not_an_endpoint());
        }
        if method.as_deref() == Some("tools/call") {
            self.pass_gate().await;
        }
        let token = *lock(&self.shared.token);
        if token.is_some_and(|token| !carries(&head.headers, token)) {
            return Ok(unauthorized());
        }
        let request = Request::from_parts(head, Full::new(body));
        Ok(self.rmcp.handle(request).await)
    }

    fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut lock(&self.shared.counts));
    }

    async fn pass_gate(&self) {
        let (mut closed, full) = {
            let mut slot = lock(&self.shared.gate);
            let Some(gate) = slot.as_mut() else { return };
            gate.missing -= 1;
            let closed = gate.open.subscribe();
            let full = if gate.missing == 0 { slot.take() } else { None };
            (closed, full)
        };
        match full {
            Some(gate) => {
                match gate.then {
                    Then::Pass => {}
                    Then::Forget => forget(&self.sessions).await,
                    Then::Require(token) => *lock(&self.shared.token) = Some(token),
                }
                drop(gate);
            }
            None => while closed.changed().await.is_ok() {},
        }
    }
}

pub(crate) fn json_rpc_method(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Message {
        method: String,
    }
    serde_json::from_slice::<Message>(body)
        .ok()
        .map(|message| message.method)
}

fn carries(headers: &HeaderMap, token: &str) -> bool {
    let credential = headers.get(header::AUTHORIZATION);
    credential.is_some_and(|value| value == &format!("Bearer {token}"))
}

fn unauthorized() -> Response<BoxBody<Bytes, Infallible>> {
    let mut response = Response::new(Full::default().boxed());
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    response.headers_mut().insert(
        header::WWW_AUTHENTICATE,
        header::HeaderValue::from_static(r#"Bearer error="invalid_token", scope="work""#),
    );
    response
}

fn not_an_endpoint() -> Response<BoxBody<Bytes, Infallible>> {
    let mut response = Response::new(Full::from("not an MCP endpoint").boxed());
    *response.status_mut() = StatusCode::NOT_FOUND;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("text/plain"),
    );
    response
}

fn bind(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("the system gives a TCP socket");
    // Unix: the port may be taken again while old connections linger in TIME_WAIT.
    socket
        .set_reuseaddr(cfg!(unix))
        .expect("a new socket takes options");
    socket.bind(address).expect("the loopback port is free");
    socket
}

async fn take(sessions: &LocalSessionManager) -> Vec<LocalSessionHandle> {
    // All at once: no request finds some of them gone and others not.
    std::mem::take(&mut *sessions.sessions.write().await)
        .into_values()
        .collect()
}

async fn forget(sessions: &LocalSessionManager) {
    for session in take(sessions).await {
        // Not awaited: a session whose client does not read may take long to notice.
        tokio::spawn(async move {
            let _ = session.close().await;
        });
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The tools, as `rmcp` calls them.
#[derive(Clone)]
struct Tools {
    shared: Arc<Shared>,
    config: StreamableHttpServerConfig,
    /// Which of several servers it is.
    name: String,
}

/// What the tool `work` is called with.
#[derive(Deserialize)]
pub(crate) struct Work {
    pub(crate) key: String,
    #[serde(default)]
    pub(crate) ms: u64,
    #[serde(default)]
    pub(crate) steps: u32,
    #[serde(default)]
    pub(crate) rest: u64,
}

impl Work {
    pub(crate) const DESCRIPTION: &str = "Takes ms milliseconds, reports progress in steps, rests as long as it is told, answers `done <key>`.";

    pub(crate) fn schema() -> JsonObject {
        object(json!({
            "type": "object",
            "properties": {
                "key": { "type": "string", "description": "names this execution" },
                "ms": { "type": "integer", "minimum": 0, "default": 0 },
                "steps": { "type": "integer", "minimum": 0, "default": 0 },
                "rest": { "type": "integer", "minimum": 0, "default": 0 },
            },
            "required": ["key"],
        }))
    }
}

#[derive(Deserialize)]
struct Answer {
    action: String,
    content: Option<Person>,
}

#[derive(Deserialize)]
struct Person {
    name: String,
}

impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        let tools = ServerCapabilities::builder().enable_tools();
        ServerConfig::new(tools.enable_tool_list_changed().build())
            .with_server_info(Implementation::new("demo-server", "1.0.0"))
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(match &*lock(&self.shared.newest) {
            Some(newest) => ProtocolVersion::known_up_to(newest),
            None => ProtocolVersion::KNOWN_VERSIONS,
        })
    }

    fn accepted_subscription_filter(
        &self,
        asked: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(asked.clone())
    }

    async fn listen(&self, subscription: SubscriptionContext) -> Result<(), ErrorData> {
        let mut told = self.shared.told.subscribe();
        let before = *told.borrow();
        loop {
            tokio::select! {
                () = subscription.cancelled() => return Ok(()),
                () = self.config.cancellation_token.cancelled() => return Ok(()),
                _ = told.changed() => {}
            }
            if told.borrow_and_update().ends > before.ends {
                return Ok(());
            }
            // Nobody may be there any more.
            let _ = subscription.sink().notify_tool_list_changed().await;
        }
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let ask = json!({ "type": "object", "properties": {} });
        Ok(ListToolsResult::with_all_items(vec![
            Tool::new("work", Work::DESCRIPTION, Work::schema()),
            Tool::new(
                "ask",
                "Asks the user for a name and answers `hello <name>`; without sessions, with the \
                 addresses of the server that asked and of the one that answers.",
                object(ask),
            ),
        ]))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        match &*request.name {
            "work" => {
                let work = parse(Value::Object(request.arguments.unwrap_or_default()))?;
                self.work(work, context).await
            }
            "ask" if is_stateless(&context) => return self.ask_in_rounds(&request),
            "ask" => ask(context).await,
            other => Err(ErrorData::invalid_params(
                format!("there is no tool {other}"),
                None,
            )),
        }
        .map(CallToolResponse::Complete)
    }
}

impl Tools {
    /// Asks by its answer, and is called again with what was asked for: here, or at
    /// another server.
    fn ask_in_rounds(
        &self,
        request: &CallToolRequestParams,
    ) -> Result<CallToolResponse, ErrorData> {
        let answers = request.input_responses.as_ref();
        let Some(answer) = answers.and_then(|answers| answers.get("name")) else {
            let question = InputRequest::Elicitation(ElicitRequest::new(question()?));
            let asked = InputRequests::from([("name".to_owned(), question)]);
            return Ok(InputRequiredResult::new(Some(asked), Some(self.name.clone())).into());
        };
        let Answer { action, content } = parse(answer.clone())?;
        let text = match (&*action, content) {
            ("accept", Some(Person { name })) => {
                let asked = request.request_state.as_deref().unwrap_or_default();
                format!("hello {name}, asked by {asked}, answered by {}", self.name)
            }
            _ => "declined".to_owned(),
        };
        Ok(say(text).into())
    }

    async fn work(
        &self,
        Work {
            key,
            ms,
            steps,
            rest,
        }: Work,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        if self.config.cancellation_token.is_cancelled() {
            return Err(ErrorData::internal_error("the server was stopped", None));
        }
        // At the beginning, so that an execution whose answer is lost counts too.
        *lock(&self.shared.executions)
            .entry(key.clone())
            .or_default() += 1;
        let cancelled = context.ct.clone();
        tokio::select! {
            () = labour(ms, steps, rest, &context) => Ok(say(format!("done {key}"))),
            () = cancelled.cancelled() => {
                *lock(&self.shared.cancellations).entry(key).or_default() += 1;
                Err(ErrorData::internal_error("cancelled", None))
            }
            () = self.config.cancellation_token.cancelled() => {
                Err(ErrorData::internal_error("the server was stopped", None))
            }
        }
    }
}

async fn labour(ms: u64, steps: u32, rest: u64, context: &RequestContext<RoleServer>) {
    let token = context.meta.get_progress_token();
    let total = Duration::from_millis(ms);
    let pause = total / steps.max(1);
    for step in 1..=steps {
        tokio::time::sleep(pause).await;
        if let Some(token) = &token {
            let progress = ProgressNotificationParam::new(token.clone(), f64::from(step))
                .with_total(f64::from(steps));
            // Nobody may be listening any more; the work goes on.
            let _ = context.peer.notify_progress(progress).await;
        }
    }
    tokio::time::sleep(total.saturating_sub(pause * steps)).await;
    tokio::time::sleep(Duration::from_millis(rest)).await;
}

async fn ask(context: RequestContext<RoleServer>) -> Result<CallToolResult, ErrorData> {
    if context
        .client_capabilities()
        .is_none_or(|capabilities| capabilities.elicitation.is_none())
    {
        let text = "the client did not announce elicitation";
        return Ok(CallToolResult::error(vec![ContentBlock::text(text)]));
    }
    let question = ServerRequest::ElicitRequest(ElicitRequest::new(question()?));
    let answer = context
        .peer
        .send_request(question)
        .await
        .map_err(|error| internal(&error))?;
    match answer {
        ClientResult::ElicitResult(answer) if answer.action == ElicitationAction::Accept => {
            let person: Person = parse(answer.content.unwrap_or_default())?;
            Ok(say(format!("hello {}", person.name)))
        }
        ClientResult::ElicitResult(_) => Ok(say("declined")),
        _ => Err(internal(&"the client answered with something else")),
    }
}

fn is_stateless(context: &RequestContext<RoleServer>) -> bool {
    let version = context.protocol_version();
    version.is_some_and(|version| !version.has_initialize())
}

fn question() -> Result<ElicitRequestParams, ErrorData> {
    Ok(ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: "What is your name?".into(),
        requested_schema: ElicitationSchema::builder()
            .required_string("name")
            .build()
            .map_err(|error| internal(&error))?,
    })
}

fn internal(error: &dyn std::fmt::Display) -> ErrorData {
    ErrorData::internal_error(error.to_string(), None)
}

fn say(text: impl Into<String>) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text)])
}

fn object(value: Value) -> JsonObject {
    match value {
        Value::Object(object) => object,
        _ => JsonObject::new(),
    }
}

fn parse<T: DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    serde_json::from_value(value)
        .map_err(|error| ErrorData::invalid_params(error.to_string(), None))
}
