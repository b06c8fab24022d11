//! rmcp's client over this transport: lists a server's tools, or calls one.
//!
//! `cargo run -p example-rmcp-transport -- URL [TOOL [ARGUMENTS]]`, as in
//! `cargo run -p example-rmcp-transport -- http://127.0.0.1:8000/mcp work '{"key": "a"}'`.
//!
//! All of it is rmcp's own API, but for the line that makes the transport. What happens to
//! the connection is told on stderr.

#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "the result is what it is run for"
)]

use std::error::Error;
use std::process::ExitCode;

use example_rmcp_transport::HttpTransport;
use mcp_http::{Config, Event};
use rmcp::model::{
    CallToolRequestParams, ClientCapabilities, ClientConfig, ElicitRequestParams, ElicitResult,
    ElicitationAction, ElicitationCapability, Implementation, JsonObject,
    ProgressNotificationParam,
};
use rmcp::service::{NotificationContext, RequestContext};
use rmcp::{ClientHandler, ErrorData, RoleClient, ServiceExt};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments
        .next()
        .ok_or("usage: example-rmcp-transport URL [TOOL [ARGUMENTS]]")?;
    let transport = HttpTransport::new(Config::new(&url)?).observe(tell);
    let client = Person.serve(transport).await?;
    match arguments.next() {
        None => {
            for tool in client.list_all_tools().await? {
                println!("{}", tool.name);
            }
        }
        Some(tool) => {
            let mut call = CallToolRequestParams::new(tool);
            if let Some(text) = arguments.next() {
                call = call.with_arguments(serde_json::from_str::<JsonObject>(&text)?);
            }
            let result = client.call_tool(call).await?;
            println!("{}", serde_json::to_string(&result)?);
        }
    }
    client.cancel().await?;
    Ok(())
}

fn tell(event: &Event) {
    match event {
        Event::Ready(ready) => eprintln!("generation {} is ready", ready.generation),
        Event::Reinitialize { generation, .. } => eprintln!("generation {generation} is lost"),
        Event::Fail { error, .. } | Event::StreamDegraded { error } => eprintln!("{error}"),
        _ => {}
    }
}

/// Who sits at the terminal.
struct Person;

impl ClientHandler for Person {
    fn get_info(&self) -> ClientConfig {
        let mut capabilities = ClientCapabilities::default();
        capabilities.elicitation = Some(ElicitationCapability::default());
        let name = Implementation::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
        ClientConfig::new(capabilities, name)
    }

    async fn create_elicitation(
        &self,
        question: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let ElicitRequestParams::FormElicitationParams { message, .. } = question else {
            return Ok(ElicitResult::new(ElicitationAction::Decline));
        };
        eprintln!("{message} (JSON, or nothing to decline)");
        let line = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).map(|_| line)
        });
        let line = line.await.ok().and_then(Result::ok).unwrap_or_default();
        Ok(match serde_json::from_str(&line) {
            Ok(content) => ElicitResult::new(ElicitationAction::Accept).with_content(content),
            Err(_) => ElicitResult::new(ElicitationAction::Decline),
        })
    }

    async fn on_progress(
        &self,
        progress: ProgressNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        eprintln!("progress {}", progress.progress);
    }
}
