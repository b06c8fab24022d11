//! What the server says between calls.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mcp_http::{Config, Revision};
use rmcp::model::{ServerNotification, SubscriptionFilter};
use rmcp::service::SubscriptionEnd;
use serde_json::json;

use crate::script::{Act, STREAM, Script, reply, usual};
use crate::server::Server;
use crate::{Ada, Running, pinned, serve, soon, until, work};

fn tools() -> SubscriptionFilter {
    SubscriptionFilter::builder().tools_list_changed().build()
}

async fn stateless(server: &Server, application: Ada) -> Running {
    let config = Config::new(&server.url()).unwrap();
    serve(config.pin(Revision::V2026_07_28), application).await
}

#[tokio::test]
async fn subscriptions_are_told_what_they_are_about_and_that_it_is_over() {
    let (server, application) = (Server::start().await, Ada::default());
    let client = stateless(&server, application.clone()).await;
    let mut one = soon(client.listen(tools())).await.unwrap();
    assert_eq!(*one.acknowledged(), tools());
    let mut two = soon(client.listen(tools())).await.unwrap();
    let mut other = soon(client.listen(SubscriptionFilter::new()))
        .await
        .unwrap();
    until("one stream for all", || server.subscriptions() == 1).await;
    server.tools_changed();
    for subscription in [&mut one, &mut two] {
        let told = soon(subscription.next()).await.unwrap();
        assert!(matches!(
            told,
            Some(ServerNotification::ToolListChangedNotification(_))
        ));
    }
    assert_eq!(application.tools_changed.load(Ordering::SeqCst), 0);
    soon(two.cancel()).await.unwrap();
    server.tools_changed();
    assert!(soon(one.next()).await.unwrap().is_some());
    server.end_subscriptions();
    for subscription in [&mut one, &mut other] {
        assert!(soon(subscription.next()).await.unwrap().is_none());
        assert!(matches!(
            subscription.end(),
            Some(SubscriptionEnd::Graceful(_))
        ));
    }
    soon(client.call_tool(work("a", 0, 0))).await.unwrap();
}

#[tokio::test]
async fn the_last_subscription_that_is_dropped_ends_the_stream() {
    let server = Server::start().await;
    let client = stateless(&server, Ada::default()).await;
    let one = soon(client.listen(tools())).await.unwrap();
    assert_eq!(server.subscriptions(), 1);
    drop(one);
    until("no stream", || server.subscriptions() == 0).await;
}

/// A server that says on each session's listening stream that its tools changed, and forgets
/// its first session when its tools are listed.
async fn script() -> Script {
    let (sessions, lists) = (AtomicUsize::new(0), AtomicUsize::new(0));
    Script::start(move |arrived| match arrived.calls() {
        "initialize" => {
            let session = sessions.fetch_add(1, Ordering::SeqCst);
            let result = json!({
                "protocolVersion": "2025-11-25",
                "capabilities": { "tools": { "listChanged": true } },
                "serverInfo": { "name": "script", "version": "1" },
            });
            let answer = reply(arrived, &result);
            Act::Answer(answer.replace("-id: s1", &format!("-id: s{session}")))
        }
        "tools/list" if lists.fetch_add(1, Ordering::SeqCst) == 0 => {
            Act::Answer("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned())
        }
        "tools/list" => Act::Answer(reply(arrived, &json!({ "tools": [] }))),
        "" if arrived.method == "GET" => {
            let changed = json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" });
            let later = tokio::time::sleep(Duration::from_millis(300));
            let rest = Act::Hang(format!("data: {changed}\n\n"));
            Act::Wait(STREAM.to_owned(), Box::pin(later), Box::new(rest))
        }
        _ => usual(arrived),
    })
    .await
}

#[tokio::test]
async fn in_a_session_notifications_reach_the_handler() {
    let (script, application) = (script().await, Ada::default());
    let _client = serve(pinned(&script.url()), application.clone()).await;
    let told = || application.tools_changed.load(Ordering::SeqCst);
    until("told", || told() == 1).await;
}

#[tokio::test]
async fn in_sessions_too_rmcp_can_subscribe_and_once_for_all_of_them() {
    let (script, application) = (script().await, Ada::default());
    let client = serve(pinned(&script.url()), application.clone()).await;
    let mut one = soon(client.listen(tools())).await.unwrap();
    assert!(soon(one.next()).await.unwrap().is_some());
    assert_eq!(soon(client.list_all_tools()).await.unwrap(), []);
    assert_eq!(script.arrived("initialize"), 2);
    assert!(soon(one.next()).await.unwrap().is_some());
    assert_eq!(application.tools_changed.load(Ordering::SeqCst), 0);
}
