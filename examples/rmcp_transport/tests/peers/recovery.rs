//! Sessions that are lost.

use std::time::Duration;

use mcp_http::asynchronous::Client;
use mcp_http::{Authorize, CallOptions, Config};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::{ServiceError, ServiceExt};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::script::{Act, Script, usual};
use crate::server::{Server, Then};
use crate::{Ada, HttpTransport, Running, Story, pinned, said, serve, soon, until, work};

#[tokio::test]
async fn a_hundred_calls_outlive_their_session_by_one_handshake() {
    let (server, story) = (Server::start().await, Story::default());
    let transport = story.of(pinned(&server.url()));
    let client = soon(Ada::default().serve(transport)).await.unwrap();
    assert_eq!(server.count().initialize, 1);
    server.gate(100, Then::Forget);
    let mut calls = JoinSet::new();
    for number in 0..100 {
        let peer = client.peer().clone();
        let key = number.to_string();
        calls.spawn(async move {
            let result = peer.call_tool(work(&key, 0, 0)).await.unwrap();
            assert_eq!(said(&result), format!("done {key}"));
        });
    }
    soon(calls.join_all()).await;
    assert_eq!(server.count().initialize, 2, "one for each session");
    assert_eq!(server.executions().len(), 100);
    assert!(server.executions().values().all(|times| *times == 1));
    assert_eq!(story.told(), ["ready 1", "lost 1", "ready 2"]);
}

/// Calls that are executed in a session whose server forgets it: how each ends, if it does
/// within this time.
async fn forgotten(client: &Running, server: &Server, time: Duration) -> Vec<Option<ServiceError>> {
    let begin = |number: u32| {
        let peer = client.peer().clone();
        let call = async move { peer.call_tool(work(&number.to_string(), 60_000, 0)).await };
        tokio::spawn(call)
    };
    let calls: Vec<_> = (0..20).map(begin).collect();
    until("executed", || server.executions().len() == 20).await;
    server.forget().await;
    let deadline = Instant::now() + time;
    let mut ends = Vec::new();
    for call in calls {
        let end = timeout_at(deadline, call).await.ok();
        ends.push(end.map(|end| end.unwrap().unwrap_err()));
    }
    ends
}

#[tokio::test]
async fn calls_that_may_have_been_executed_end_and_say_so() {
    let server = Server::start().await;
    let client = serve(pinned(&server.url()), Ada::default()).await;
    for end in forgotten(&client, &server, Duration::from_secs(20)).await {
        let Some(ServiceError::McpError(error)) = end else {
            panic!("{end:?}");
        };
        assert_eq!(error.data.unwrap()["delivery"], "unknown");
    }
    soon(client.call_tool(work("next", 0, 0))).await.unwrap();
    assert_eq!(server.count().initialize, 2);
    assert_eq!(server.executions().len(), 21);
}

#[tokio::test]
async fn over_rmcp_s_transport_they_are_waited_for() {
    let server = Server::start().await;
    let transport = StreamableHttpClientTransport::from_uri(server.url());
    let client = soon(Ada::default().serve(transport)).await.unwrap();
    let ends = forgotten(&client, &server, Duration::from_secs(3)).await;
    assert!(
        ends.iter().all(Option::is_none),
        "rmcp has mended that: {ends:?}"
    );
}

/// A server that makes a session of everything and keeps none.
async fn forgetful() -> Script {
    Script::start(|arrived| match arrived.calls() {
        "tools/call" => {
            Act::Answer("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned())
        }
        _ => usual(arrived),
    })
    .await
}

#[tokio::test]
async fn a_server_that_keeps_no_session_does_not_make_a_storm() {
    let script = forgetful().await;
    let client = serve(pinned(&script.url()), Ada::default()).await;
    let mut deliveries = Vec::new();
    for number in 0..10 {
        let end = soon(client.call_tool(work(&number.to_string(), 0, 0))).await;
        let Err(ServiceError::McpError(error)) = end else {
            panic!("{end:?}");
        };
        assert!(
            error.message.contains("no session could be kept"),
            "{error}"
        );
        let data = error.data.unwrap();
        assert!(data["retryAfterMs"].as_u64() > Some(0), "{data}");
        deliveries.push(data["delivery"].clone());
    }
    assert_eq!(deliveries[..3], ["rejected", "not sent", "not sent"]);
    assert_eq!(script.arrived("initialize"), 3);
}

#[tokio::test]
async fn over_rmcp_s_transport_it_does() {
    let script = forgetful().await;
    let transport = StreamableHttpClientTransport::from_uri(script.url());
    let client = soon(Ada::default().serve(transport)).await.unwrap();
    for number in 0..10 {
        soon(client.call_tool(work(&number.to_string(), 0, 0)))
            .await
            .unwrap_err();
    }
    let handshakes = script.arrived("initialize");
    assert!(handshakes > 10, "rmcp has mended that: {handshakes}");
}

#[tokio::test]
async fn a_server_that_was_restarted_is_met_again() {
    let server = Server::start().await;
    let transport = HttpTransport::new(pinned(&server.url()));
    let patience = CallOptions::new().wait_for_server(Duration::from_secs(20));
    let transport = transport.options(move |method, params| {
        assert_eq!((method, &params["name"]), ("tools/call", &"work".into()));
        patience.clone()
    });
    let client = soon(Ada::default().serve(transport)).await.unwrap();
    soon(client.call_tool(work("a", 0, 0))).await.unwrap();
    server.stop().await;
    let call = {
        let peer = client.peer().clone();
        tokio::spawn(async move { peer.call_tool(work("b", 0, 0)).await })
    };
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.start_again_on_same_port().await;
    assert_eq!(said(&soon(call).await.unwrap().unwrap()), "done b");
}

#[tokio::test]
async fn a_server_that_is_away_ends_the_call_with_what_to_do() {
    let server = Server::start().await;
    let client = serve(Config::new(&server.url()).unwrap(), Ada::default()).await;
    server.stop().await;
    let error = soon(client.call_tool(work("a", 0, 0))).await.unwrap_err();
    let ServiceError::McpError(error) = error else {
        panic!("{error}");
    };
    assert!(
        error.message.contains("did not reach the server"),
        "{error}"
    );
    let data = error.data.unwrap();
    assert_eq!(data["delivery"], "not sent");
    assert_eq!(data["remedy"], "call again");
}

#[tokio::test]
async fn a_token_that_expires_is_replaced() {
    let server = Server::start().await;
    server.require("old");
    let config = pinned(&server.url()).bearer("old").unwrap();
    let transport = HttpTransport::over(config, |config| {
        let source = |_: Authorize| async { Some("Bearer new".to_owned()) };
        Client::spawn_with_credentials(config, source)
    });
    let client = soon(Ada::default().serve(transport)).await.unwrap();
    server.require("new");
    let result = soon(client.call_tool(work("a", 0, 0))).await.unwrap();
    assert_eq!(said(&result), "done a");
}

#[tokio::test]
async fn without_another_token_the_call_ends() {
    for authorize in [false, true] {
        let server = Server::start().await;
        let config = pinned(&server.url()).authorize(authorize);
        let client = serve(config, Ada::default()).await;
        server.require("new");
        let end = soon(client.call_tool(work("a", 0, 0))).await;
        let Err(ServiceError::McpError(error)) = end else {
            panic!("{end:?}");
        };
        let data = error.data.unwrap();
        assert_eq!(
            (&data["status"], &data["delivery"]),
            (&401.into(), &"rejected".into())
        );
    }
}
