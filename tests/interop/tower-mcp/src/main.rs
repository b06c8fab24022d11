//! A server made with `tower-mcp`: 2026-07-28, and 2025-11-25 with sessions. Prints the address
//! it listens on.

use std::collections::BTreeMap;
use std::error::Error;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tower_mcp::protocol::{InputRequest, InputRequiredResult, RequestOutcome};
use tower_mcp::{
    CallToolResult, ElicitFormParams, ElicitFormSchema, ElicitMode, ElicitRequestParams,
    HttpTransport, McpRouter, NotificationSender, RequestContext, ServerNotification, Tool,
    ToolBuilder, notification_channel,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (changes, told) = notification_channel(16);
    let seen = Arc::new(Seen {
        begun: AtomicU64::new(0),
        cancelled: AtomicU64::new(0),
        changes: changes.clone(),
    });
    let names = ["add", "ask", "change", "count", "fail", "seen", "wait"];
    let router = McpRouter::new()
        .with_notification_sender(changes)
        .server_info("tower-mcp", "1.0.0")
        .tools_list_changed(true)
        .tools(names.map(|name| tool(name, &seen)));
    let router = HttpTransport::with_notifications(router, told)
        .with_sampling()
        .into_router_at("/mcp");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    say(&format!("http://{}/mcp", listener.local_addr()?));
    Ok(axum::serve(listener, router).await?)
}

#[expect(clippy::print_stdout, reason = "that is how its address is known")]
fn say(address: &str) {
    println!("{address}");
}

/// How many calls of `wait` were begun, and cancelled.
struct Seen {
    begun: AtomicU64,
    cancelled: AtomicU64,
    /// To everybody who listens.
    changes: NotificationSender,
}

type Numbers = BTreeMap<String, f64>;

fn tool(name: &'static str, seen: &Arc<Seen>) -> Tool {
    let seen = Arc::clone(seen);
    ToolBuilder::new(name)
        .mrtr_handler(move |context: RequestContext, numbers: Numbers| {
            let seen = Arc::clone(&seen);
            async move { answer(name, &seen, context, &numbers).await }
        })
        .build()
}

async fn answer(
    name: &str,
    seen: &Arc<Seen>,
    context: RequestContext,
    numbers: &Numbers,
) -> tower_mcp::Result<RequestOutcome<CallToolResult>> {
    let text = match name {
        "add" => numbers.values().sum::<f64>().to_string(),
        "ask" if context.can_elicit() => {
            let answer = context.elicit_form(question()).await?;
            format!("{:?}", answer.content)
        }
        "ask" => match context.input_responses() {
            Some(answers) => serde_json::to_string(answers).unwrap_or_default(),
            None => {
                let question = InputRequest::Elicit(ElicitRequestParams::Form(question()));
                let mut asked = InputRequiredResult::new().with_request_state("asked");
                asked.input_requests = Some([("name".to_owned(), question)].into());
                return Ok(RequestOutcome::InputRequired(asked));
            }
        },
        "change" => {
            let changes = seen.changes.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(300)).await;
                let _ = changes.send(ServerNotification::ToolsListChanged).await;
            });
            "soon".to_owned()
        }
        "count" => {
            for step in [1.0, 2.0, 3.0] {
                context.report_progress(step, None, None).await;
            }
            // In a session they go another way than the answer, which would overtake them.
            tokio::time::sleep(Duration::from_millis(200)).await;
            "3".to_owned()
        }
        "fail" => {
            return Ok(RequestOutcome::Complete(CallToolResult::error(
                "It failed.",
            )));
        }
        "seen" => {
            let begun = seen.begun.load(Ordering::SeqCst);
            let cancelled = seen.cancelled.load(Ordering::SeqCst);
            format!("begun {begun} cancelled {cancelled}")
        }
        _ => {
            seen.begun.fetch_add(1, Ordering::SeqCst);
            // A call whose client is gone is dropped; its token lives on.
            let (token, seen) = (context.cancellation_token(), Arc::clone(seen));
            tokio::spawn(async move {
                token.cancelled().await;
                seen.cancelled.fetch_add(1, Ordering::SeqCst);
            });
            tokio::select! {
                () = context.cancelled() => {}
                () = tokio::time::sleep(Duration::from_secs(20)) => {}
            }
            "waited".to_owned()
        }
    };
    Ok(RequestOutcome::Complete(CallToolResult::text(text)))
}

fn question() -> ElicitFormParams {
    ElicitFormParams {
        mode: Some(ElicitMode::Form),
        message: "What is your name?".to_owned(),
        requested_schema: ElicitFormSchema::new().string_field("name", None, true),
        meta: None,
    }
}
