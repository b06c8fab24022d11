//! rmcp's client over this transport, against rmcp's own server, and against a scripted one
//! for what that never does.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "tests"
)]

#[allow(dead_code, reason = "the demo uses more of it")]
#[path = "../../../demo/http_sse.rs"]
mod http_sse;
#[path = "../../../../tests/support/script.rs"]
mod script;
#[path = "../../../demo/server.rs"]
mod server;

mod api;
mod asking;
mod beginning;
mod hanging;
mod recovery;
mod subscribing;

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use example_rmcp_transport::HttpTransport;
use mcp_http::{Config, Event, Revision};
use rmcp::handler::client::progress::ProgressDispatcher;
use rmcp::model::{
    CallToolRequestParams, ClientCapabilities, ClientConfig, ElicitRequestParams, ElicitResult,
    ElicitationAction, Implementation, ProgressNotificationParam,
};
use rmcp::service::{NotificationContext, RequestContext, RunningService};
use rmcp::{ClientHandler, ErrorData, RoleClient, ServiceExt};
use serde_json::{Value, json};
use tokio::time::timeout;

/// An application of rmcp's: it is named Ada, and counts what it is told.
#[derive(Clone, Debug, Default)]
struct Ada {
    progress: ProgressDispatcher,
    seen: Arc<Mutex<Vec<f64>>>,
    tools_changed: Arc<AtomicUsize>,
    asked: Arc<AtomicUsize>,
    /// Thinks until it is told that no answer is wanted any more.
    thinks: bool,
    forgot: Arc<AtomicUsize>,
}

impl ClientHandler for Ada {
    fn get_info(&self) -> ClientConfig {
        let capabilities = ClientCapabilities::builder().enable_elicitation().build();
        let name = Implementation::new("ada", "1").with_title("Ada's agent");
        ClientConfig::new(capabilities, name)
    }

    async fn create_elicitation(
        &self,
        question: ElicitRequestParams,
        context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        assert!(matches!(
            question,
            ElicitRequestParams::FormElicitationParams { .. }
        ));
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.thinks {
            context.ct.cancelled().await;
            self.forgot.fetch_add(1, Ordering::SeqCst);
        }
        let name = json!({ "name": "Ada" });
        Ok(ElicitResult::new(ElicitationAction::Accept).with_content(name))
    }

    async fn on_progress(
        &self,
        progress: ProgressNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.seen.lock().unwrap().push(progress.progress);
        self.progress.handle_notification(progress).await;
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.tools_changed.fetch_add(1, Ordering::SeqCst);
    }
}

type Running = RunningService<RoleClient, Ada>;

fn pinned(url: &str) -> Config {
    Config::new(url).unwrap().pin(Revision::V2025_11_25)
}

async fn serve(config: Config, application: Ada) -> Running {
    let transport = HttpTransport::new(config);
    soon(application.serve(transport)).await.unwrap()
}

/// Generations that were lost and made, in their order.
#[derive(Clone, Default)]
struct Story(Arc<Mutex<Vec<String>>>);

impl Story {
    fn of(&self, config: Config) -> HttpTransport {
        let story = self.0.clone();
        HttpTransport::new(config).observe(move |event| match event {
            Event::Ready(it) => story
                .lock()
                .unwrap()
                .push(format!("ready {}", it.generation)),
            Event::Reinitialize { generation, .. } => {
                story.lock().unwrap().push(format!("lost {generation}"));
            }
            _ => {}
        })
    }

    fn told(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

fn work(key: &str, ms: u64, steps: u64) -> CallToolRequestParams {
    tool("work", &json!({ "key": key, "ms": ms, "steps": steps }))
}

fn tool(name: &str, arguments: &Value) -> CallToolRequestParams {
    let arguments = arguments.as_object().unwrap().clone();
    CallToolRequestParams::new(name.to_owned()).with_arguments(arguments)
}

fn said(result: &rmcp::model::CallToolResult) -> String {
    serde_json::to_value(result).unwrap()["content"][0]["text"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// What would never come shall fail the test instead.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    let ended = timeout(Duration::from_secs(20), what).await;
    ended.expect("it comes to an end")
}

/// Waits for what happens elsewhere.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}
