//! Answers over which rmcp's own transport hangs, or loses what they say. Each is given to
//! both.

use std::sync::atomic::Ordering;
use std::time::Duration;

use rmcp::model::{CallToolResult, GetPromptRequestParams};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::{ErrorData, ServiceError, ServiceExt};
use serde_json::json;
use tokio::time::timeout;

use crate::script::{Act, Arrived, STREAM, Script, accepted, json, usual};
use crate::{Ada, HttpTransport, pinned, said, serve, soon, until, work};

/// How long rmcp's transport is given.
const PATIENCE: Duration = Duration::from_secs(2);

type Outcome = Result<CallToolResult, ServiceError>;

/// A server that answers the call of a tool like this, and everything else well.
async fn script(call: impl Fn(&Arrived) -> Act + Send + Sync + 'static) -> Script {
    Script::start(move |arrived| match arrived.calls() {
        "tools/call" => call(arrived),
        "tools/list" => Act::Answer(json(
            &json!({ "jsonrpc": "2.0", "id": arrived.message["id"], "result": { "tools": [] } }),
        )),
        _ if arrived.method == "POST" => usual(arrived),
        _ => Act::Answer("HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n".to_owned()),
    })
    .await
}

/// How the call ends over this transport, which afterwards is as good as before.
async fn now(script: &Script) -> Outcome {
    let client = serve(pinned(&script.url()), Ada::default()).await;
    let ended = soon(client.call_tool(work("a", 0, 0))).await;
    assert_eq!(soon(client.list_all_tools()).await.unwrap(), []);
    ended
}

async fn error(script: &Script) -> ErrorData {
    match now(script).await {
        Err(ServiceError::McpError(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// How it ends over rmcp's; none if it does not.
async fn before(script: &Script) -> Option<Outcome> {
    let transport = StreamableHttpClientTransport::from_uri(script.url());
    let client = soon(Ada::default().serve(transport)).await.unwrap();
    let call = client.call_tool(work("a", 0, 0));
    timeout(PATIENCE, call).await.ok()
}

fn hangs(outcome: Option<Outcome>) {
    assert!(outcome.is_none(), "rmcp has mended that: {outcome:?}");
}

#[tokio::test]
async fn a_202_to_a_request() {
    let script = script(|_| Act::Answer(accepted())).await;
    let error = error(&script).await;
    assert_eq!(
        error.message,
        "`tools/call` failed: the server accepted the request but sent no reply to it \
         (HTTP 202 Accepted); the server may have executed it; nothing the caller does will help"
    );
    assert_eq!(error.data.unwrap()["delivery"], "unknown");
    hangs(before(&script).await);
}

#[tokio::test]
async fn a_reply_to_another_request() {
    let script = script(|_| {
        let reply = json!({ "jsonrpc": "2.0", "id": 4711, "result": { "content": [] } });
        Act::Answer(json(&reply))
    })
    .await;
    let error = error(&script).await;
    assert_eq!(
        error.message,
        "`tools/call` failed: the server's answer is not the reply to this request \
         (HTTP 200 OK); the server may have executed it; nothing the caller does will help"
    );
    assert_eq!(error.data.unwrap()["delivery"], "unknown");
    hangs(before(&script).await);
}

#[tokio::test]
async fn an_error_without_an_id() {
    let script = script(|_| {
        let error = json!({ "code": -32600, "message": "the arguments are too long" });
        let body = json!({ "jsonrpc": "2.0", "id": null, "error": error });
        Act::Answer(json(&body).replace("200 OK", "400 Bad Request"))
    })
    .await;
    let error = error(&script).await;
    assert_eq!(error.code.0, -32600);
    assert_eq!(error.message, "the arguments are too long");
    hangs(before(&script).await);
}

#[tokio::test]
async fn an_event_stream_with_an_unknown_field() {
    let script = script(|arrived| {
        let result = json!({ "content": [{ "type": "text", "text": "done" }] });
        let id = &arrived.message["id"];
        let reply = json!({ "jsonrpc": "2.0", "id": id, "result": result });
        Act::Close(format!("{STREAM}traceparent: 00-1\ndata: {reply}\n\n"))
    })
    .await;
    assert_eq!(said(&now(&script).await.unwrap()), "done");
    // Not only this call: all of the connection is over.
    let outcome = before(&script).await;
    assert!(
        matches!(outcome, None | Some(Err(ServiceError::TransportClosed))),
        "rmcp has mended that: {outcome:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_notifications_keeps_no_reply_back() {
    let changed = json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" });
    let flood = format!("data: {changed}\n\n").repeat(100);
    let script = Script::start(move |arrived| match arrived.method.as_str() {
        "GET" => Act::Flood(STREAM.to_owned(), flood.clone()),
        _ => usual(arrived),
    })
    .await;
    // It comes faster than it is told.
    let transport = HttpTransport::new(pinned(&script.url()));
    let transport = transport.observe(|_| std::thread::sleep(Duration::from_millis(1)));
    let application = Ada::default();
    let client = soon(application.clone().serve(transport)).await.unwrap();
    until("a flood", || {
        script.written.load(Ordering::SeqCst) > 1 << 20
    })
    .await;
    for _ in 0..3 {
        let prompt = client.get_prompt(GetPromptRequestParams::new("p"));
        soon(prompt).await.unwrap_err();
    }
    // rmcp has its handler hear them in tasks of their own.
    until("heard", || {
        application.tools_changed.load(Ordering::SeqCst) > 0
    })
    .await;
}
