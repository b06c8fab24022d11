//! A real MCP server of 2024-11-05 in this process: the last release of the official Rust SDK
//! that has one of HTTP+SSE (`rmcp` 0.8.5), with the demo's tool `work`.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rmcp_0_8::model::{
    CallToolRequestParam, CallToolResult, Content, Implementation, InitializeResult,
    ListToolsResult, PaginatedRequestParam, ProgressNotificationParam, ProtocolVersion,
    ServerCapabilities, Tool,
};
use rmcp_0_8::service::RequestContext;
use rmcp_0_8::transport::sse_server::{SseServer, SseServerConfig};
use rmcp_0_8::{ErrorData, RoleServer, ServerHandler};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;
use tower_service::Service;

use crate::server::{Counts, Work, json_rpc_method, lock};

/// A running server. Dropping it ends it.
pub(crate) struct Server {
    address: SocketAddr,
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

/// What it saw of its clients.
#[derive(Default)]
struct Seen {
    counts: Mutex<Counts>,
    executions: Mutex<BTreeMap<String, u32>>,
    cancellations: Mutex<BTreeMap<String, u32>>,
    sessions: AtomicUsize,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let any = (Ipv4Addr::LOCALHOST, 0);
        let listener = TcpListener::bind(any)
            .await
            .expect("a loopback port is free");
        let address = listener.local_addr().expect("it is bound");
        let seen = Arc::<Seen>::default();
        let (server, router) = SseServer::new(SseServerConfig {
            bind: address,
            sse_path: "/sse".into(),
            post_path: "/message".into(),
            ct: Default::default(),
            sse_keep_alive: None,
        });
        let tools = Arc::clone(&seen);
        server.with_service(move || Tools::new(&tools));
        let counter = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (router, seen) = (router.clone(), Arc::clone(&counter));
                connections.spawn(async move {
                    let service =
                        service_fn(move |request| pass_on(router.clone(), seen.clone(), request));
                    let _ = auto::Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self {
            address,
            seen,
            task,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/sse", self.address)
    }

    /// What has arrived since the start.
    pub(crate) fn count(&self) -> Counts {
        *lock(&self.seen.counts)
    }

    /// How often the tool `work` began to run, by the key that it was given.
    pub(crate) fn executions(&self) -> BTreeMap<String, u32> {
        lock(&self.seen.executions).clone()
    }

    /// How often a running `work` was told to stop, by the key that it was given.
    pub(crate) fn cancellations(&self) -> BTreeMap<String, u32> {
        lock(&self.seen.cancellations).clone()
    }

    /// How many event streams it serves at this moment.
    pub(crate) fn sessions(&self) -> usize {
        self.seen.sessions.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// To `rmcp`.
async fn pass_on<S>(
    mut rmcp: S,
    seen: Arc<Seen>,
    request: Request<Incoming>,
) -> Result<S::Response, hyper::Error>
where
    S: Service<Request<Full<Bytes>>, Error = Infallible>,
{
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    seen.count(&head.method, &body);
    let Ok(response) = rmcp.call(Request::from_parts(head, Full::new(body))).await;
    Ok(response)
}

impl Seen {
    fn count(&self, method: &Method, body: &[u8]) {
        let mut counts = lock(&self.counts);
        match *method {
            Method::POST => counts.posts += 1,
            Method::GET => counts.gets += 1,
            Method::DELETE => counts.deletes += 1,
            _ => {}
        }
        let is_initialize = json_rpc_method(body).as_deref() == Some("initialize");
        counts.initialize += u64::from(is_initialize);
    }
}

/// The tools of one session, as `rmcp` calls them.
struct Tools {
    seen: Arc<Seen>,
}

impl Tools {
    fn new(seen: &Arc<Seen>) -> Self {
        let seen = Arc::clone(seen);
        seen.sessions.fetch_add(1, Ordering::SeqCst);
        Self { seen }
    }
}

impl Drop for Tools {
    fn drop(&mut self) {
        self.seen.sessions.fetch_sub(1, Ordering::SeqCst);
    }
}

impl ServerHandler for Tools {
    fn get_info(&self) -> InitializeResult {
        InitializeResult {
            protocol_version: ProtocolVersion::V_2024_11_05,
            capabilities: ServerCapabilities::builder().enable_tools().build(),
            server_info: Implementation {
                name: "demo-server".into(),
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
        let work = Tool::new("work", Work::DESCRIPTION, Work::schema());
        Ok(ListToolsResult::with_all_items(vec![work]))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParam,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        let invalid = |why: String| ErrorData::invalid_params(why, None);
        if request.name != "work" {
            return Err(invalid(format!("there is no tool {}", request.name)));
        }
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        let work: Work =
            serde_json::from_value(arguments).map_err(|error| invalid(error.to_string()))?;
        let key = work.key.clone();
        *lock(&self.seen.executions).entry(key.clone()).or_default() += 1;
        tokio::select! {
            () = labour(work, &context) => {
                Ok(CallToolResult::success(vec![Content::text(format!("done {key}"))]))
            }
            () = context.ct.cancelled() => {
                *lock(&self.seen.cancellations).entry(key).or_default() += 1;
                Err(ErrorData::internal_error("cancelled", None))
            }
        }
    }
}

async fn labour(work: Work, context: &RequestContext<RoleServer>) {
    let token = context.meta.get_progress_token();
    let total = Duration::from_millis(work.ms);
    let pause = total / work.steps.max(1);
    for step in 1..=work.steps {
        sleep(pause).await;
        if let Some(token) = &token {
            let progress = ProgressNotificationParam {
                progress_token: token.clone(),
                progress: f64::from(step),
                total: Some(f64::from(work.steps)),
                message: None,
            };
            // Nobody may be listening any more; the work goes on.
            let _ = context.peer.notify_progress(progress).await;
        }
    }
    sleep(total.saturating_sub(pause * work.steps)).await;
    sleep(Duration::from_millis(work.rest)).await;
}
