//! A server under test, called directly: no port, no socket, no waiting. Whatever is a
//! `tower_service::Service` will do; here it is the service of the official Rust SDK
//! (`rmcp`), and an axum `Router` is one as well.
//!
//! `cargo run --features tokio --example in_process`

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use mcp_http::asynchronous::Client;
use mcp_http::tokio::Clock;
use mcp_http::{CallOptions, Config, Revision};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ServerCapabilities,
    ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Value, json};

// In a test it is `#[tokio::test(start_paused = true)]`. tokio's clock, which client and
// server go by, then jumps ahead whenever all that is left to do is to wait.
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn Error>> {
    let sessions = Arc::new(LocalSessionManager::default());
    let server = StreamableHttpService::new(
        || Ok(Server),
        Arc::clone(&sessions),
        // These comments in its streams go by the system's clock.
        StreamableHttpServerConfig::default().with_sse_keep_alive(None),
    );
    // A listening stream would find out by itself that its session is gone, and make a new
    // one, again and again; this is about calls.
    let config = Config::new("http://localhost/mcp")?.listen(false);
    // The server speaks 2026-07-28 too, which has no sessions to lose.
    let config = config.pin(Revision::V2025_11_25);
    let (client, driver) = Client::new::<_, _, Full<Bytes>, _>(config, server, Clock::new());
    tokio::spawn(driver);
    let mut events = client.events();
    let told = tokio::spawn(async move {
        while let Some(event) = events.next().await {
            println!("{event:?}");
        }
    });

    let greet = |whom| json!({ "name": "greet", "arguments": { "whom": whom } });
    let reply: Value = client.call_as("tools/call", greet("Ada")).await?;
    println!("{reply}");

    // rmcp ends a session that was idle for five minutes …
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let reply: Value = client.call_as("tools/call", greet("Grace")).await?;
    println!("{reply}");

    // … and a server that is restarted knows none.
    sessions.sessions.write().await.clear();
    let reply: Value = client.call_as("tools/call", greet("Edith")).await?;
    println!("{reply}");

    let options = CallOptions::new().time_out(Duration::from_secs(60));
    let slow = client.call_with("tools/call", json!({ "name": "nap" }), options);
    println!("{:?}", slow.await.map_err(|error| error.to_string()));

    client.close().await;
    println!("sessions left: {}", sessions.sessions.read().await.len());
    told.await?;
    Ok(())
}

/// The server under test.
struct Server;

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        let text = match &*request.name {
            "greet" => {
                let whom = arguments.get("whom").and_then(Value::as_str);
                format!("hello {}", whom.unwrap_or("you"))
            }
            "nap" => {
                tokio::time::sleep(Duration::from_secs(3600)).await;
                "good morning".to_owned()
            }
            _ => return Err(ErrorData::invalid_params("there is no such tool", None)),
        };
        let content = vec![ContentBlock::text(text)];
        Ok(CallToolResponse::Complete(CallToolResult::success(content)))
    }
}
