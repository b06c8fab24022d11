//! rmcp's client, over reqwest as it comes.

use rmcp::model::CallToolRequestParams;
use rmcp::service::RunningService;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::{RoleClient, ServiceExt};
use serde_json::Value;

pub struct Rmcp(RunningService<RoleClient, ()>);

impl Rmcp {
    pub async fn connect(url: &str) -> Self {
        let transport = StreamableHttpClientTransport::from_uri(url.to_owned());
        Self(().serve(transport).await.expect("a session"))
    }

    /// Calls the tool. Whether it was answered.
    pub async fn call(&self, arguments: &Value) -> bool {
        let mut call = CallToolRequestParams::new("echo");
        if let Some(arguments) = arguments.as_object() {
            call = call.with_arguments(arguments.clone());
        }
        self.0.call_tool(call).await.is_ok()
    }
}
