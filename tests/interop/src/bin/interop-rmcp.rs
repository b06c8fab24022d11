//! A server made with the official Rust SDK: `interop-rmcp MODE`. It speaks every revision;
//! the mode says what becomes of those that have sessions. `sessions`: they have them.
//! `stateless`: they have not. `answers`: they have not, and calls are answered by JSON where
//! that is possible. Prints the address it listens on.

use std::convert::Infallible;
use std::env;
use std::error::Error;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::combinators::BoxBody;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientResult, ContentBlock,
    ElicitRequest, ElicitRequestParams, ElicitationSchema, Implementation, InputRequest,
    InputRequests, InputRequiredResult, JsonObject, ListToolsResult, PaginatedRequestParams,
    ProgressNotificationParam, ServerCapabilities, ServerConfig, ServerRequest, SubscriptionFilter,
    Tool,
};
use rmcp::service::{RequestContext, SubscriptionContext};
use rmcp::transport::streamable_http_server::session::SessionManager;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mode = env::args().nth(1);
    let config = StreamableHttpServerConfig::default();
    match mode.as_deref() {
        Some("sessions") => serve(LocalSessionManager::default(), config).await,
        Some("stateless") => {
            let config = config.with_legacy_session_mode(false);
            serve(NeverSessionManager::default(), config).await
        }
        Some("answers") => {
            let config = config.with_legacy_session_mode(false);
            serve(
                NeverSessionManager::default(),
                config.with_json_response(true),
            )
            .await
        }
        _ => Err("usage: interop-rmcp sessions|stateless|answers".into()),
    }
}

#[expect(clippy::print_stdout, reason = "that is how its address is known")]
async fn serve<M: SessionManager>(
    manager: M,
    config: StreamableHttpServerConfig,
) -> Result<(), Box<dyn Error>> {
    let tools = Tools(Arc::new(Seen::default()));
    let rmcp = StreamableHttpService::new(move || Ok(tools.clone()), Arc::new(manager), config);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("http://{}/mcp", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let rmcp = rmcp.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let rmcp = rmcp.clone();
                async move { answer(&rmcp, request).await }
            });
            // Fails if the client goes away, which is the client's business.
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer<M: SessionManager>(
    rmcp: &StreamableHttpService<Tools, M>,
    request: http::Request<Incoming>,
) -> Result<Response<BoxBody<Bytes, Infallible>>, Infallible> {
    Ok(rmcp.handle(request).await)
}

#[derive(Default)]
struct Seen {
    begun: AtomicU64,
    cancelled: AtomicU64,
    changes: watch::Sender<u64>,
}

#[derive(Clone)]
struct Tools(Arc<Seen>);

impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_tool_list_changed()
            .build();
        ServerConfig::new(capabilities).with_server_info(Implementation::new("rmcp", "1.0.0"))
    }

    fn accepted_subscription_filter(
        &self,
        asked: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(asked.clone())
    }

    async fn listen(&self, subscription: SubscriptionContext) -> Result<(), ErrorData> {
        let mut changes = self.0.changes.subscribe();
        loop {
            tokio::select! {
                () = subscription.cancelled() => return Ok(()),
                _ = changes.changed() => {}
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
        let mut schema = JsonObject::new();
        schema.insert("type".into(), "object".into());
        let names = ["add", "ask", "change", "count", "fail", "seen", "wait"];
        let tools = names.map(|name| Tool::new(name, "See its name.", schema.clone()));
        Ok(ListToolsResult::with_all_items(tools.into()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let text = match &*request.name {
            "add" => add(request.arguments.as_ref()),
            "ask" if is_stateless(&context) => return ask_in_rounds(&request),
            "ask" => ask(&context).await?,
            "change" => {
                self.change(context);
                "soon".to_owned()
            }
            "count" => count(&context).await,
            "fail" => {
                let text = vec![ContentBlock::text("It failed.")];
                return Ok(CallToolResult::error(text).into());
            }
            "seen" => {
                let begun = self.0.begun.load(Ordering::SeqCst);
                let cancelled = self.0.cancelled.load(Ordering::SeqCst);
                format!("begun {begun} cancelled {cancelled}")
            }
            "wait" => self.wait(&context).await,
            _ => return Err(ErrorData::invalid_params("there is no such tool", None)),
        };
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into())
    }
}

impl Tools {
    async fn wait(&self, context: &RequestContext<RoleServer>) -> String {
        self.0.begun.fetch_add(1, Ordering::SeqCst);
        tokio::select! {
            () = context.ct.cancelled() => {
                self.0.cancelled.fetch_add(1, Ordering::SeqCst);
            }
            () = tokio::time::sleep(Duration::from_secs(20)) => {}
        }
        "waited".to_owned()
    }

    fn change(&self, context: RequestContext<RoleServer>) {
        let seen = Arc::clone(&self.0);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(300)).await;
            seen.changes.send_modify(|changes| *changes += 1);
            // Nobody may be there any more.
            let _ = context.peer.notify_tool_list_changed().await;
        });
    }
}

fn add(arguments: Option<&JsonObject>) -> String {
    let number = |name| arguments?.get(name)?.as_i64();
    let sum = number("a").unwrap_or_default() + number("b").unwrap_or_default();
    sum.to_string()
}

async fn count(context: &RequestContext<RoleServer>) -> String {
    for step in [1.0, 2.0, 3.0] {
        if let Some(token) = context.meta.get_progress_token() {
            let progress = ProgressNotificationParam::new(token, step);
            // Nobody may be listening any more.
            let _ = context.peer.notify_progress(progress).await;
        }
    }
    "3".to_owned()
}

fn is_stateless(context: &RequestContext<RoleServer>) -> bool {
    let version = context.protocol_version();
    version.is_some_and(|version| !version.has_initialize())
}

async fn ask(context: &RequestContext<RoleServer>) -> Result<String, ErrorData> {
    let question = ServerRequest::ElicitRequest(ElicitRequest::new(question()?));
    let answer = context.peer.send_request(question).await;
    match answer.map_err(|error| internal(&error))? {
        ClientResult::ElicitResult(answer) => Ok(json!(answer).to_string()),
        _ => Err(internal(&"it was answered with something else")),
    }
}

/// Asks by its answer, and is called again with what was asked for.
fn ask_in_rounds(request: &CallToolRequestParams) -> Result<CallToolResponse, ErrorData> {
    let answers = request.input_responses.as_ref();
    if let Some(answer) = answers.and_then(|answers| answers.get("name")) {
        let text = json!(answer).to_string();
        return Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into());
    }
    let question = InputRequest::Elicitation(ElicitRequest::new(question()?));
    let asked = InputRequests::from([("name".to_owned(), question)]);
    Ok(InputRequiredResult::new(Some(asked), Some("asked".to_owned())).into())
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
