//! A server made with an old release of the official Rust SDK: `interop-rmcp-0-8 MODE`, which is
//! `sse` for HTTP+SSE, `sessions`, or `stateless`. Prints the address it listens on.

use std::convert::Infallible;
use std::env;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rmcp_0_8::model::{
    CallToolRequestParam, CallToolResult, Content, CreateElicitationRequestParam,
    ElicitationSchema, Implementation, InitializeResult, JsonObject, ListToolsResult,
    PaginatedRequestParam, ProgressNotificationParam, ProtocolVersion, ServerCapabilities, Tool,
};
use rmcp_0_8::service::RequestContext;
use rmcp_0_8::transport::sse_server::{SseServer, SseServerConfig};
use rmcp_0_8::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp_0_8::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService,
};
use rmcp_0_8::{ErrorData, RoleServer, ServerHandler};
use serde_json::json;
use tokio::net::TcpListener;
use tower_service::Service;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mode = env::args().nth(1).unwrap_or_default();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let tools = Tools(Arc::new(Seen::default()));
    match &*mode {
        "sse" => {
            let (server, router) = SseServer::new(SseServerConfig {
                bind: address,
                sse_path: "/sse".into(),
                post_path: "/message".into(),
                ct: Default::default(),
                sse_keep_alive: None,
            });
            server.with_service(move || tools.clone());
            say(address, "/sse");
            serve(listener, router).await
        }
        "sessions" | "stateless" => {
            let config = StreamableHttpServerConfig {
                stateful_mode: mode == "sessions",
                ..StreamableHttpServerConfig::default()
            };
            let manager = Arc::new(LocalSessionManager::default());
            let rmcp = StreamableHttpService::new(move || Ok(tools.clone()), manager, config);
            say(address, "/mcp");
            serve(listener, rmcp).await
        }
        _ => Err("usage: interop-rmcp-0-8 sse|sessions|stateless".into()),
    }
}

#[expect(clippy::print_stdout, reason = "that is how its address is known")]
fn say(address: SocketAddr, path: &str) {
    println!("http://{address}{path}");
}

async fn serve<S, B>(listener: TcpListener, rmcp: S) -> Result<(), Box<dyn Error>>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    loop {
        let (stream, _) = listener.accept().await?;
        let rmcp = rmcp.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| rmcp.clone().call(request));
            // Fails if the client goes away, which is the client's business.
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

#[derive(Default)]
struct Seen {
    begun: AtomicU64,
    cancelled: AtomicU64,
}

#[derive(Clone)]
struct Tools(Arc<Seen>);

impl ServerHandler for Tools {
    fn get_info(&self) -> InitializeResult {
        InitializeResult {
            protocol_version: ProtocolVersion::V_2025_06_18,
            capabilities: ServerCapabilities::builder()
                .enable_tools()
                .enable_tool_list_changed()
                .build(),
            server_info: Implementation {
                name: "rmcp".into(),
                version: "1.0.0".into(),
                ..Implementation::default()
            },
            instructions: None,
        }
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParam>,
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
        request: CallToolRequestParam,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        let text = match &*request.name {
            "add" => add(request.arguments.as_ref()),
            "ask" => ask(&context).await?,
            "change" => {
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    // Nobody may be there any more.
                    let _ = context.peer.notify_tool_list_changed().await;
                });
                "soon".to_owned()
            }
            "count" => count(&context).await,
            "fail" => return Ok(CallToolResult::error(vec![Content::text("It failed.")])),
            "seen" => {
                let begun = self.0.begun.load(Ordering::SeqCst);
                let cancelled = self.0.cancelled.load(Ordering::SeqCst);
                format!("begun {begun} cancelled {cancelled}")
            }
            "wait" => {
                self.0.begun.fetch_add(1, Ordering::SeqCst);
                tokio::select! {
                    () = context.ct.cancelled() => {
                        self.0.cancelled.fetch_add(1, Ordering::SeqCst);
                    }
                    () = tokio::time::sleep(Duration::from_secs(20)) => {}
                }
                "waited".to_owned()
            }
            _ => return Err(ErrorData::invalid_params("there is no such tool", None)),
        };
        Ok(CallToolResult::success(vec![Content::text(text)]))
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
            let progress = ProgressNotificationParam {
                progress_token: token,
                progress: step,
                total: None,
                message: None,
            };
            // Nobody may be listening any more.
            let _ = context.peer.notify_progress(progress).await;
        }
    }
    "3".to_owned()
}

async fn ask(context: &RequestContext<RoleServer>) -> Result<String, ErrorData> {
    let internal = |why: String| ErrorData::internal_error(why, None);
    let requested_schema = ElicitationSchema::builder()
        .required_string("name")
        .build()
        .map_err(|error| internal(error.to_string()))?;
    let question = CreateElicitationRequestParam {
        message: "What is your name?".into(),
        requested_schema,
    };
    let answer = context.peer.create_elicitation(question).await;
    let answer = answer.map_err(|error| internal(error.to_string()))?;
    Ok(json!(answer).to_string())
}
