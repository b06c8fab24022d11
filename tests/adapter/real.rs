//! Against rmcp's server.

use std::time::Duration;

use mcp_http::asynchronous::Client;
use mcp_http::{
    Binding, CallOptions, Config, Delivery, Event, LossCause, Mistake, Reason, Revision, RpcError,
};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::server::{ProtocolVersion, Server, StreamableHttpServerConfig, Then};
use crate::until;

fn config(server: &Server) -> Config {
    Config::new(&server.url())
        .unwrap()
        .pin(Revision::V2025_11_25)
}

fn work(key: &str, ms: u64, steps: u64) -> Value {
    json!({ "name": "work", "arguments": { "key": key, "ms": ms, "steps": steps } })
}

/// A server, and a client of it.
async fn served() -> (Server, Client) {
    let server = Server::start().await;
    let client = Client::spawn(config(&server));
    (server, client)
}

/// The same, and the application can be asked.
async fn askable() -> (Server, Client) {
    let server = Server::start().await;
    let capabilities = json!({ "elicitation": {} });
    let client = Client::spawn(config(&server).capabilities(&capabilities).unwrap());
    (server, client)
}

/// The tool that asks for a name ends, and was told none.
async fn is_told_no_name(client: &Client) {
    let call = client.call("tools/call", json!({ "name": "ask", "arguments": {} }));
    let outcome = timeout(Duration::from_secs(5), call)
        .await
        .expect("it ends");
    assert!(!format!("{:?}", outcome.map(|r| r.as_str().to_owned())).contains("hello"));
}

#[tokio::test]
async fn a_call_is_answered_and_close_ends_the_session() {
    let server = Server::start().await;
    server.speak_up_to(ProtocolVersion::V_2025_11_25);
    let client = Client::connect(&server.url()).await.unwrap();
    assert_eq!(client.status().binding, Some(Binding::Session));
    let tools: Value = client.call_as("tools/list", ()).await.unwrap();
    assert!(
        tools["tools"]
            .as_array()
            .is_some_and(|tools| tools.len() == 2),
        "{tools}"
    );
    assert_eq!(server.sessions().await, 1);
    client.close().await;
    assert_eq!(server.count().deletes, 1);
    assert_eq!(server.sessions().await, 0);
    assert!(client.call("tools/list", ()).await.is_err());
}

#[tokio::test]
async fn every_revision_of_the_session_binding_is_negotiated() {
    let server = Server::start().await;
    for revision in [
        Revision::V2025_03_26,
        Revision::V2025_06_18,
        Revision::V2025_11_25,
    ] {
        let client = Client::spawn(Config::new(&server.url()).unwrap().pin(revision));
        client.ready().await.unwrap();
        assert_eq!(client.status().revision, Some(revision));
        client
            .call("tools/call", work(revision.as_str(), 0, 0))
            .await
            .unwrap();
        client.close().await;
    }
}

#[tokio::test]
async fn a_hundred_calls_outlive_their_session_and_none_runs_twice() {
    let (server, client) = served().await;
    let mut events = client.events();
    client.ready().await.unwrap();
    server.gate(100, Then::Forget);
    let mut calls = JoinSet::new();
    for number in 0..100 {
        calls.spawn(client.call("tools/call", work(&number.to_string(), 0, 0)));
    }
    for outcome in calls.join_all().await {
        outcome.unwrap();
    }
    assert_eq!(server.count().initialize, 2);
    assert_eq!(server.executions().len(), 100);
    assert!(server.executions().values().all(|times| *times == 1));
    // The GET of the session that is lost may be answered first.
    let mut told = Vec::new();
    while told.len() < 3 {
        match events.next().await.unwrap() {
            Event::StreamNotOffered { .. } => {}
            event => told.push(event),
        }
    }
    assert!(matches!(&told[0], Event::Ready(ready) if ready.generation == 1));
    assert!(matches!(
        told[1],
        Event::Reinitialize {
            generation: 1,
            cause: LossCause::NotFound
        }
    ));
    assert!(matches!(&told[2], Event::Ready(ready) if ready.generation == 2));
}

#[tokio::test]
async fn progress_comes_in_order_before_the_reply() {
    let (_server, client) = served().await;
    let mut events = client.events();
    let call = client.call_with(
        "tools/call",
        work("p", 200, 5),
        CallOptions::new().progress(),
    );
    let id = call.id();
    call.await.unwrap();
    let mut seen = Vec::new();
    while let Ok(Some(event)) = timeout(Duration::from_millis(300), events.next()).await {
        if let Event::Message(message) = event {
            assert_eq!(message.method, "notifications/progress");
            assert_eq!(message.call, id);
            let params: Value = message.params.unwrap().deserialize().unwrap();
            seen.push(params["progress"].as_f64().unwrap());
        }
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.is_sorted(), "{seen:?}");
}

#[tokio::test]
async fn an_elicitation_is_answered() {
    let (_server, client) = askable().await;
    let mut events = client.events();
    let asked = {
        let client = client.clone();
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                if let Event::Ask(ask) = event {
                    assert_eq!(ask.method, "elicitation/create");
                    assert!(ask.call.is_some());
                    let answer = json!({ "action": "accept", "content": { "name": "Ada" } });
                    client.answer(ask.ticket, Ok(answer)).await.unwrap();
                    let again = client.answer(ask.ticket, Ok(json!({}))).await.unwrap_err();
                    assert!(
                        matches!(again.reason(), Reason::Misuse(m) if *m.mistake() == Mistake::TicketNotOpen)
                    );
                    return;
                }
            }
            panic!("nothing was asked");
        })
    };
    let result = client
        .call("tools/call", json!({ "name": "ask", "arguments": {} }))
        .await;
    assert!(result.unwrap().as_str().contains("hello Ada"));
    asked.await.unwrap();
}

#[tokio::test]
async fn an_ask_that_nobody_reads_is_declined_and_hangs_nobody() {
    let (_server, client) = askable().await;
    is_told_no_name(&client).await;
}

#[tokio::test]
async fn dropping_a_call_cancels_it_on_the_server() {
    let (server, client) = served().await;
    client.ready().await.unwrap();
    let call = client.call("tools/call", work("dropped", 20_000, 0));
    tokio::pin!(call);
    while server.executions().get("dropped") != Some(&1) {
        let moment = Duration::from_millis(20);
        assert!(timeout(moment, &mut call).await.is_err());
    }
    call.set(client.call("ping", ()));
    until("cancelled", || {
        server.cancellations().get("dropped") == Some(&1)
    })
    .await;
    call.await.unwrap();
    assert_eq!(client.status().open_calls, 0);
}

#[tokio::test]
async fn cancelling_by_id_ends_the_future_at_once() {
    let (_server, client) = served().await;
    client.ready().await.unwrap();
    let call = client.call("tools/call", work("long", 20_000, 0));
    let id = call.id().unwrap();
    sleep(Duration::from_millis(100)).await;
    client.cancel(id).unwrap();
    let error = timeout(Duration::from_secs(1), call)
        .await
        .expect("at once")
        .unwrap_err();
    assert_eq!(error.reason(), &Reason::Cancelled);
    assert_eq!(error.delivery(), Delivery::Unknown);
}

#[tokio::test]
async fn dropping_the_last_handle_ends_the_session() {
    let (server, client) = served().await;
    let mut events = client.events();
    client.ready().await.unwrap();
    let call = client.call("tools/call", work("pending", 100, 0));
    drop(client);
    call.await
        .expect("a pending call keeps the connection open");
    until("DELETE", || server.count().deletes == 1).await;
    while timeout(Duration::from_secs(5), events.next())
        .await
        .expect("it ends")
        .is_some()
    {}
}

#[tokio::test]
async fn an_error_of_the_server_is_the_outcome() {
    let (_server, client) = served().await;
    let error = client.call("no/such/method", ()).await.unwrap_err();
    assert_eq!(error.rpc_error().map(|rpc| rpc.code), Some(-32601));
    assert_eq!(error.method(), Some("no/such/method"));
    let shape = client.call_as::<u32>("tools/list", ()).await.unwrap_err();
    assert!(shape.to_string().contains("another shape"), "{shape}");
}

#[tokio::test]
async fn a_notification_is_accepted() {
    let (server, client) = served().await;
    client
        .notify("notifications/roots/list_changed", ())
        .await
        .unwrap();
    assert_eq!(server.count().posts, 3);
    assert!(
        client
            .notify("notifications/initialized", ())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_server_without_sessions_is_spoken_to() {
    let json_server = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true);
    let server = Server::start_with(json_server).await;
    let client = Client::spawn(config(&server));
    client.call("tools/call", work("json", 0, 0)).await.unwrap();
    assert!(!client.status().has_session_id);
    client.close().await;
    assert_eq!(server.count().deletes, 0);
}

#[tokio::test]
async fn a_server_that_is_away_is_waited_for_by_those_who_want_to() {
    let (server, client) = served().await;
    client.ready().await.unwrap();
    server.stop().await;
    let error = client
        .call("tools/call", work("no", 0, 0))
        .await
        .unwrap_err();
    assert_eq!(error.delivery(), Delivery::NotSent);
    assert!(matches!(error.reason(), Reason::Transport(_)));
    let patience = CallOptions::new().wait_for_server(Duration::from_secs(20));
    let patient = tokio::spawn(client.call_with("tools/call", work("yes", 0, 0), patience));
    sleep(Duration::from_millis(700)).await;
    server.start_again_on_same_port().await;
    patient.await.unwrap().unwrap();
    assert_eq!(server.executions().get("yes"), Some(&1));
    assert_eq!(server.executions().get("no"), None);
}

#[tokio::test]
async fn a_wrong_address_is_told_apart_from_a_lost_session() {
    let server = Server::start().await;
    server.refuse(true);
    let error = Client::connect(&server.url()).await.unwrap_err();
    assert!(
        error.to_string().contains("this is no expired session"),
        "{error}"
    );
    let count = server.count();
    assert_eq!((count.posts, count.gets), (2, 1), "each way once");
}

#[tokio::test]
async fn a_custom_answer_reaches_the_server_as_an_error() {
    let (_server, client) = askable().await;
    let mut events = client.events();
    let answerer = client.clone();
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            if let Event::Ask(ask) = event {
                let refusal = RpcError::new(-1, "not today");
                answerer
                    .answer::<()>(ask.ticket, Err(refusal))
                    .await
                    .unwrap();
            }
        }
    });
    is_told_no_name(&client).await;
}

#[tokio::test]
async fn asks_are_declined_again_when_nobody_reads_events_any_more() {
    let (_server, client) = askable().await;
    drop(client.events());
    is_told_no_name(&client).await;
}

#[tokio::test]
async fn the_driver_ends_when_the_connection_is_closed() {
    let server = Server::start().await;
    let (client, driver) = Client::over_hyper(config(&server));
    let driver = tokio::spawn(driver);
    client.ready().await.unwrap();
    client.close().await;
    timeout(Duration::from_secs(5), driver)
        .await
        .expect("it ends")
        .unwrap();
}
