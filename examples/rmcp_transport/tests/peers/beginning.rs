//! rmcp's handshake, in each of its lifecycles, answered from ours.

use std::time::Duration;

use mcp_http::{Binding, Clocks, Config, Revision};
use rmcp::model::ProtocolVersion;
use rmcp::service::{ClientInitializeError, ClientLifecycleMode, ClientServiceExt};
use rmcp::transport::DynamicTransportError;
use rmcp::{RoleClient, ServiceExt};
use serde_json::{Value, json};

use crate::http_sse;
use crate::script::{Act, STREAM, Script, reply, usual};
use crate::server::Server;
use crate::{Ada, HttpTransport, Story, pinned, said, serve, soon, tool, work};

fn auto() -> ClientLifecycleMode {
    ClientLifecycleMode::Auto {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
        legacy_version: None,
    }
}

fn discover() -> ClientLifecycleMode {
    ClientLifecycleMode::Discover {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
    }
}

fn config(url: &str) -> Config {
    Config::new(url).unwrap()
}

/// What rmcp believes that it speaks.
fn spoken(client: &crate::Running) -> ProtocolVersion {
    client.peer_info().unwrap().protocol_version.clone()
}

#[tokio::test]
async fn initialize_and_initialized_go_out_once_and_say_who_rmcp_is() {
    let script = Script::start(usual).await;
    let client = serve(config(&script.url()), Ada::default()).await;
    assert_eq!(spoken(&client), ProtocolVersion::V_2025_11_25);
    let info = client.peer_info().unwrap();
    assert_eq!(info.server_info.as_ref().unwrap().name, "script");
    let methods = ["server/discover", "initialize", "notifications/initialized"];
    assert_eq!(methods.map(|method| script.arrived(method)), [0, 1, 1]);
    let arrived = script.arrived.lock().unwrap();
    let initialize = arrived
        .iter()
        .find(|it| it.calls() == "initialize")
        .unwrap();
    let params = &initialize.message["params"];
    assert_eq!(
        params["clientInfo"],
        json!({ "name": "ada", "title": "Ada's agent", "version": "1" })
    );
    assert_eq!(params["capabilities"], json!({ "elicitation": {} }));
}

#[tokio::test]
async fn a_server_of_both_kinds_is_met_as_rmcp_would_meet_it() {
    let server = Server::start().await;
    let client = serve(config(&server.url()), Ada::default()).await;
    assert_eq!(spoken(&client), ProtocolVersion::V_2025_11_25);
    assert_eq!(server.count().initialize, 1);
    let transport = HttpTransport::new(config(&server.url()));
    let client = soon(Ada::default().serve_with_lifecycle(transport, auto()))
        .await
        .unwrap();
    assert_eq!(spoken(&client), ProtocolVersion::V_2026_07_28);
    assert_eq!(server.count().initialize, 1);
    let answer = soon(client.call_tool(tool("ask", &json!({}))))
        .await
        .unwrap();
    assert!(said(&answer).starts_with("hello Ada"));
}

#[tokio::test]
async fn initialize_is_answered_for_a_server_that_has_none() {
    let server = Server::start().await;
    let config = config(&server.url()).pin(Revision::V2026_07_28);
    let client = serve(config, Ada::default()).await;
    assert_eq!(spoken(&client), ProtocolVersion::V_2026_07_28);
    soon(client.call_tool(work("a", 0, 0))).await.unwrap();
    assert_eq!(server.count().initialize, 0);
}

#[tokio::test]
async fn rmcp_s_probe_of_a_server_with_sessions_costs_one_handshake() {
    let (server, story) = (Server::start().await, Story::default());
    server.speak_up_to(ProtocolVersion::V_2025_06_18);
    let transport = story.of(config(&server.url()));
    let client = soon(Ada::default().serve_with_lifecycle(transport, auto()))
        .await
        .unwrap();
    assert_eq!(spoken(&client), ProtocolVersion::V_2025_06_18);
    soon(client.call_tool(work("a", 0, 0))).await.unwrap();
    assert_eq!(server.count().initialize, 1);
    assert_eq!(story.told(), ["ready 1"]);
}

/// rmcp waits 10 s for its probe, and begins anew.
#[tokio::test]
async fn rmcp_that_gives_up_its_probe_gets_the_answer_that_it_waits_for() {
    let script = Script::start(|arrived| match arrived.calls() {
        "server/discover" => Act::Hang(String::new()),
        _ => usual(arrived),
    })
    .await;
    let mut clocks = Clocks::default();
    clocks.probe = Some(Duration::from_secs(11));
    let transport = HttpTransport::new(config(&script.url()).clocks(clocks));
    let client = soon(Ada::default().serve_with_lifecycle(transport, auto()));
    assert_eq!(
        spoken(&client.await.unwrap()),
        ProtocolVersion::V_2025_11_25
    );
    assert_eq!(script.arrived("initialize"), 1);
}

#[tokio::test]
async fn rmcp_that_wants_no_sessions_is_told_that_there_are_some() {
    let server = Server::start().await;
    server.speak_up_to(ProtocolVersion::V_2025_11_25);
    let transport = HttpTransport::new(config(&server.url()));
    let outcome = soon(Ada::default().serve_with_lifecycle(transport, discover())).await;
    let Err(ClientInitializeError::JsonRpcError(error)) = outcome else {
        panic!("{outcome:?}");
    };
    assert!(error.message.contains("speaks 2025-11-25"), "{error}");
}

#[tokio::test]
async fn a_handshake_that_fails_says_why_at_once() {
    let script = Script::start(|_| {
        let challenge = "www-authenticate: Bearer scope=\"work\"";
        Act::Answer(format!(
            "HTTP/1.1 401 Unauthorized\r\n{challenge}\r\ncontent-length: 0\r\n\r\n"
        ))
    })
    .await;
    for lifecycle in [ClientLifecycleMode::Initialize, auto(), discover()] {
        let transport = HttpTransport::new(config(&script.url()));
        let outcome = soon(Ada::default().serve_with_lifecycle(transport, lifecycle)).await;
        let Err(ClientInitializeError::TransportError { error, .. }) = outcome else {
            panic!("{outcome:?}");
        };
        let error = DynamicTransportError::downcast::<HttpTransport, RoleClient>(error).unwrap();
        assert_eq!(error.status().map(|status| status.as_u16()), Some(401));
        assert_eq!(error.challenges().len(), 1);
    }
    assert_eq!(
        script.arrived("initialize"),
        1,
        "nobody asks for something older"
    );
}

/// The server asks this with the id 1, and is answered like that.
async fn is_answered(script: &Script, result: &Value) {
    let _client = serve(config(&script.url()), Ada::default()).await;
    crate::until("an answer", || {
        let arrived = script.arrived.lock().unwrap();
        let mut answers = arrived.iter().filter(|it| it.calls().is_empty());
        answers.any(|it| it.message["id"] == 1 && it.message["result"] == *result)
    })
    .await;
}

#[tokio::test]
async fn a_ping_before_the_handshake_is_over_is_answered() {
    let script = Script::start(|arrived| match (arrived.calls(), usual(arrived)) {
        ("initialize", Act::Answer(whole)) => {
            let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
            let (_, reply) = whole.split_once("\r\n\r\n").unwrap();
            let head = STREAM.replace("\r\n\r\n", "\r\nmcp-session-id: s1\r\n\r\n");
            Act::Close(format!("{head}data: {ping}\n\ndata: {reply}\n\n"))
        }
        (_, usual) => usual,
    })
    .await;
    is_answered(&script, &json!({})).await;
}

#[tokio::test]
async fn a_question_right_after_the_handshake_is_answered() {
    let script = Script::start(|arrived| match arrived.method.as_str() {
        "GET" => {
            let question = json!({
                "jsonrpc": "2.0", "id": 1, "method": "elicitation/create",
                "params": { "message": "Who?", "requestedSchema":
                    { "type": "object", "properties": { "name": { "type": "string" } } } },
            });
            Act::Hang(format!("{STREAM}data: {question}\n\n"))
        }
        _ => usual(arrived),
    })
    .await;
    let ada = json!({ "action": "accept", "content": { "name": "Ada" } });
    is_answered(&script, &ada).await;
}

#[tokio::test]
async fn a_server_that_rmcp_does_not_greet_is_met_with_the_first_call() {
    let script = Script::start(|arrived| match arrived.calls() {
        "tools/list" => Act::Answer(reply(arrived, &json!({ "tools": [] }))),
        _ => usual(arrived),
    })
    .await;
    let transport = HttpTransport::new(pinned(&script.url()));
    let client = rmcp::service::serve_directly(Ada::default(), transport, None);
    assert_eq!(soon(client.list_all_tools()).await.unwrap(), []);
    assert_eq!(script.arrived("initialize"), 1);
}

#[tokio::test]
async fn an_old_server_is_found_where_it_is() {
    let server = Server::start().await;
    server.speak_up_to(ProtocolVersion::V_2024_11_05);
    let story = Story::default();
    let transport = story.of(config(&server.url()).remember(Binding::Stateless));
    let client = soon(Ada::default().serve(transport)).await.unwrap();
    assert_eq!(spoken(&client), ProtocolVersion::V_2024_11_05);
}

/// rmcp itself no longer speaks it.
#[tokio::test]
async fn a_server_of_http_sse_is_spoken_to() {
    let server = http_sse::Server::start().await;
    let client = serve(config(&server.url()), Ada::default()).await;
    assert_eq!(spoken(&client), ProtocolVersion::V_2024_11_05);
    let result = soon(client.call_tool(work("a", 0, 0))).await.unwrap();
    assert_eq!(said(&result), "done a");
    soon(client.cancel()).await.unwrap();
    crate::until("no stream", || server.sessions() == 0).await;
}
