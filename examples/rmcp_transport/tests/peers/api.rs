//! rmcp's own API, against rmcp's server, with sessions and without.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt;
use mcp_http::{Config, Revision};
use rmcp::ServiceError;
use rmcp::model::{CallToolRequest, ClientRequest};
use rmcp::service::PeerRequestOptions;
use serde_json::json;

use crate::server::Server;
use crate::{Ada, Running, pinned, said, serve, soon, tool, until, work};

async fn served() -> (Server, Running, Ada) {
    let (server, application) = (Server::start().await, Ada::default());
    let running = serve(pinned(&server.url()), application.clone()).await;
    (server, running, application)
}

/// The same without sessions.
async fn stateless() -> (Server, Running, Ada) {
    let (server, application) = (Server::start().await, Ada::default());
    let config = Config::new(&server.url()).unwrap();
    let running = serve(config.pin(Revision::V2026_07_28), application.clone()).await;
    (server, running, application)
}

#[tokio::test]
async fn tools_are_listed_and_called_and_close_ends_the_session() {
    let (server, mut client, _) = served().await;
    let names: Vec<_> = soon(client.list_all_tools()).await.unwrap();
    assert_eq!(names.len(), 2);
    let result = soon(client.call_tool(work("a", 0, 0))).await.unwrap();
    assert_eq!(said(&result), "done a");
    assert_eq!(server.sessions().await, 1);
    soon(client.close()).await.unwrap();
    assert_eq!((server.sessions().await, server.count().deletes), (0, 1));
    let late = soon(client.call_tool(work("b", 0, 0))).await.unwrap_err();
    assert!(matches!(late, ServiceError::TransportClosed), "{late}");
}

#[tokio::test]
async fn they_are_so_without_sessions() {
    let (server, mut client, _) = stateless().await;
    assert_eq!(soon(client.list_all_tools()).await.unwrap().len(), 2);
    let result = soon(client.call_tool(work("a", 0, 0))).await.unwrap();
    assert_eq!(said(&result), "done a");
    soon(client.close()).await.unwrap();
    let count = server.count();
    assert_eq!((count.initialize, count.gets, count.deletes), (0, 0, 0));
}

#[tokio::test]
async fn an_error_of_the_server_comes_as_it_is() {
    let (_server, client, _) = served().await;
    let error = soon(client.call_tool(tool("none", &json!({})))).await;
    let Err(ServiceError::McpError(error)) = error else {
        panic!("{error:?}");
    };
    assert_eq!(error.code.0, -32602);
    assert_eq!(error.message, "there is no tool none");
    assert_eq!(error.data, None);
}

async fn progress_reaches_its_subscriber((_server, client, application): (Server, Running, Ada)) {
    let call = ClientRequest::CallToolRequest(CallToolRequest::new(work("p", 100, 5)));
    let options = PeerRequestOptions::no_options();
    let handle = client
        .send_cancellable_request(call, options)
        .await
        .unwrap();
    let token = handle.progress_token.clone();
    let subscriber = application.progress.subscribe(token).await;
    soon(handle.await_response()).await.unwrap();
    let steps = soon(subscriber.take(5).collect::<Vec<_>>()).await;
    let steps: Vec<_> = steps.iter().map(|it| it.progress).collect();
    assert_eq!(steps, [1.0, 2.0, 3.0, 4.0, 5.0]);
}

#[tokio::test]
async fn progress_comes_with_rmcp_s_own_token() {
    progress_reaches_its_subscriber(served().await).await;
}

#[tokio::test]
async fn it_does_so_without_sessions() {
    progress_reaches_its_subscriber(stateless().await).await;
}

#[tokio::test]
async fn progress_keeps_a_call_of_rmcp_s_alive() {
    let (_server, client, _) = served().await;
    let call = ClientRequest::CallToolRequest(CallToolRequest::new(work("p", 1500, 15)));
    let options = PeerRequestOptions::with_timeout(Duration::from_millis(700));
    let options = options.reset_timeout_on_progress();
    let handle = client
        .send_cancellable_request(call, options)
        .await
        .unwrap();
    soon(handle.await_response()).await.unwrap();
}

async fn a_cancelled_call_ends_at_the_server((server, client, _): (Server, Running, Ada)) {
    let call = ClientRequest::CallToolRequest(CallToolRequest::new(work("long", 20_000, 0)));
    let options = PeerRequestOptions::no_options();
    let handle = client
        .send_cancellable_request(call, options)
        .await
        .unwrap();
    until("running", || server.executions().contains_key("long")).await;
    soon(handle.cancel(Some("enough".to_owned())))
        .await
        .unwrap();
    until("cancelled", || {
        server.cancellations().get("long") == Some(&1)
    })
    .await;
    // The client goes on.
    soon(client.call_tool(work("next", 0, 0))).await.unwrap();
}

#[tokio::test]
async fn a_call_is_cancelled() {
    a_cancelled_call_ends_at_the_server(served().await).await;
}

#[tokio::test]
async fn a_call_is_cancelled_without_sessions() {
    a_cancelled_call_ends_at_the_server(stateless().await).await;
}

#[tokio::test]
async fn a_call_that_takes_too_long_for_rmcp_is_cancelled() {
    let (server, client, _) = served().await;
    let call = ClientRequest::CallToolRequest(CallToolRequest::new(work("slow", 20_000, 0)));
    let options = PeerRequestOptions::with_timeout(Duration::from_millis(300));
    let handle = client
        .send_cancellable_request(call, options)
        .await
        .unwrap();
    let error = soon(handle.await_response()).await.unwrap_err();
    assert!(matches!(error, ServiceError::Timeout { .. }), "{error}");
    until("cancelled", || {
        server.cancellations().get("slow") == Some(&1)
    })
    .await;
}

#[tokio::test]
async fn an_elicitation_is_answered() {
    let (_server, client, application) = served().await;
    let result = soon(client.call_tool(tool("ask", &json!({}))))
        .await
        .unwrap();
    assert_eq!(said(&result), "hello Ada");
    assert_eq!(application.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_elicitation_is_answered_in_a_round() {
    let (_server, client, application) = stateless().await;
    let result = soon(client.call_tool(tool("ask", &json!({}))))
        .await
        .unwrap();
    assert!(said(&result).starts_with("hello Ada"), "{result:?}");
    assert_eq!(application.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_question_of_a_cancelled_call_is_withdrawn() {
    let (server, mut application) = (Server::start().await, Ada::default());
    application.thinks = true;
    let client = serve(pinned(&server.url()), application.clone()).await;
    let call = ClientRequest::CallToolRequest(CallToolRequest::new(tool("ask", &json!({}))));
    let options = PeerRequestOptions::no_options();
    let handle = client
        .send_cancellable_request(call, options)
        .await
        .unwrap();
    until("asked", || application.asked.load(Ordering::SeqCst) == 1).await;
    soon(handle.cancel(None)).await.unwrap();
    until("forgot", || application.forgot.load(Ordering::SeqCst) == 1).await;
    soon(client.call_tool(work("next", 0, 0))).await.unwrap();
}

#[tokio::test]
async fn a_notification_is_sent() {
    let (server, client, _) = served().await;
    let before = server.count().posts;
    soon(client.notify_roots_list_changed()).await.unwrap();
    assert_eq!(server.count().posts, before + 1);
}
