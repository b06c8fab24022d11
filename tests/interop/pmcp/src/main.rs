//! A server made with `pmcp`: 2025-11-25, with sessions. Prints the address it listens on.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use pmcp::server::streamable_http_server::{StreamableHttpServer, StreamableHttpServerConfig};
use pmcp::types::capabilities::ServerCapabilities;
use pmcp::types::elicitation::ElicitRequestParams;
use pmcp::types::mrtr::{InputRequest, MrtrSignal};
use pmcp::types::notifications::ServerNotification;
use pmcp::{RequestHandlerExtra, Server, SimpleTool};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let seen = Arc::new(Seen::default());
    let mut server = Server::builder()
        .name("pmcp")
        .version("1.0.0")
        .capabilities(ServerCapabilities::tools_only());
    for name in ["add", "ask", "change", "count", "fail", "seen", "wait"] {
        let seen = Arc::clone(&seen);
        let tool = SimpleTool::new(name, move |arguments, extra| {
            let seen = Arc::clone(&seen);
            Box::pin(async move { answer(name, &seen, &arguments, &extra).await })
                as std::pin::Pin<Box<dyn Future<Output = _> + Send>>
        });
        server = server.tool(name, tool);
    }
    let server = Arc::new(server.build()?);
    let _ = seen.server.set(Arc::clone(&server));
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    // With streams it puts replies on whatever stream the client has opened: see faults.md.
    let config = StreamableHttpServerConfig {
        enable_json_response: true,
        ..StreamableHttpServerConfig::default()
    };
    let (address, running) = StreamableHttpServer::with_config_concurrent(anywhere, server, config)
        .start()
        .await?;
    say(&format!("http://{address}/"));
    Ok(running.await?)
}

#[expect(clippy::print_stdout, reason = "that is how its address is known")]
fn say(address: &str) {
    println!("{address}");
}

/// How many calls of `wait` were begun, and cancelled; and who tells of changes.
#[derive(Default)]
struct Seen {
    begun: AtomicU64,
    cancelled: AtomicU64,
    server: OnceLock<Arc<Server>>,
}

async fn answer(
    name: &str,
    seen: &Arc<Seen>,
    arguments: &Value,
    extra: &RequestHandlerExtra,
) -> pmcp::Result<Value> {
    let text = match name {
        "add" => {
            let number = |name| arguments.get(name).and_then(Value::as_i64);
            let sum = number("a").unwrap_or_default() + number("b").unwrap_or_default();
            sum.to_string()
        }
        "ask" => ask(extra).await?,
        "change" => {
            let seen = Arc::clone(seen);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(300)).await;
                if let Some(server) = seen.server.get() {
                    let change = ServerNotification::ToolsChanged;
                    server.send_notification(change).await;
                }
            });
            "soon".to_owned()
        }
        "count" => {
            for step in [1.0, 2.0, 3.0] {
                extra.report_progress(step, None, None).await?;
                // It tells of ten steps in a second at most; and elsewhere than it answers: see
                // faults.md.
                tokio::time::sleep(Duration::from_millis(150)).await;
            }
            "3".to_owned()
        }
        "fail" => return Err(pmcp::Error::validation("It failed.")),
        "seen" => {
            let begun = seen.begun.load(Ordering::SeqCst);
            let cancelled = seen.cancelled.load(Ordering::SeqCst);
            // Blanks, for what it is put in is quotes.
            format!(" begun {begun} cancelled {cancelled} ")
        }
        _ => {
            seen.begun.fetch_add(1, Ordering::SeqCst);
            tokio::select! {
                () = extra.cancelled() => {
                    seen.cancelled.fetch_add(1, Ordering::SeqCst);
                }
                () = tokio::time::sleep(Duration::from_secs(20)) => {}
            }
            "waited".to_owned()
        }
    };
    Ok(json!(text))
}

/// In a session by a request; else by the result, to be called again with what was asked for.
async fn ask(extra: &RequestHandlerExtra) -> pmcp::Result<String> {
    if let Some(peer) = extra.peer() {
        return Ok(json!(peer.elicit(question()).await?).to_string());
    }
    if let Some(answers) = extra.input_responses() {
        return Ok(format!("{answers:?}"));
    }
    let asked = InputRequest::Elicitation(Box::new(question()));
    let signal = MrtrSignal {
        input_requests: [("name".to_owned(), asked)].into(),
        continuation: json!("asked"),
    };
    let entry = signal.into_meta_entry();
    let entry = entry.map_err(|error| pmcp::Error::internal(error.to_string()))?;
    extra.set_result_meta([entry].into_iter().collect());
    Ok(String::new())
}

fn question() -> ElicitRequestParams {
    ElicitRequestParams::Form {
        message: "What is your name?".to_owned(),
        requested_schema: json!({
            "type": "object",
            "properties": { "name": { "type": "string" } },
            "required": ["name"],
        }),
    }
}
