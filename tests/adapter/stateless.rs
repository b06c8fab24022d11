//! Where each request stands on its own (2026-07-28): against rmcp's server, and a scripted
//! one for what that never does.

use std::future::Future;
use std::time::Duration;

use mcp_http::asynchronous::{Client, Events};
use mcp_http::{
    Authorize, Binding, CallOptions, Clock, Config, Delivery, Event, Listening, Mistake, Reason,
    Refused, Revision, SubscriptionFilter, Ticket,
};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::script::{Act, Arrived, Script, reply, usual};
use crate::server::Server;
use crate::until;

fn config(url: &str) -> Config {
    let config = Config::new(url).unwrap().pin(Revision::V2026_07_28);
    config.capabilities(&json!({ "elicitation": {} })).unwrap()
}

async fn served() -> (Server, Client) {
    let server = Server::start().await;
    let client = Client::spawn(config(&server.url()));
    (server, client)
}

fn work(key: &str, ms: u64, steps: u64) -> Value {
    json!({ "name": "work", "arguments": { "key": key, "ms": ms, "steps": steps } })
}

fn ask() -> Value {
    json!({ "name": "ask", "arguments": {} })
}

fn ada() -> Value {
    json!({ "action": "accept", "content": { "name": "Ada" } })
}

/// What would never come shall fail the test instead.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    let ended = timeout(Duration::from_secs(20), what).await;
    ended.expect("it comes to an end")
}

/// The next event of which this makes something.
async fn next<T>(events: &mut Events, mut of: impl FnMut(Event) -> Option<T>) -> T {
    soon(async {
        loop {
            if let Some(it) = of(events.next().await.expect("there are more")) {
                return it;
            }
        }
    })
    .await
}

async fn next_ask(events: &mut Events) -> Ticket {
    next(events, |event| match event {
        Event::Ask(ask) => {
            assert_eq!(ask.method, "elicitation/create");
            assert!(ask.call.is_some());
            Some(ask.ticket)
        }
        _ => None,
    })
    .await
}

async fn next_is(events: &mut Events, what: &Event) {
    next(events, |event| (event == *what).then_some(())).await;
}

async fn next_granted(events: &mut Events) -> SubscriptionFilter {
    next(events, |event| match event {
        Event::Listening { granted } => Some(granted),
        _ => None,
    })
    .await
}

#[tokio::test]
async fn calls_are_answered_without_a_session_and_close_has_nothing_to_end() {
    let (server, client) = served().await;
    let tools: Value = client.call_as("tools/list", ()).await.unwrap();
    assert_eq!(tools["tools"].as_array().map(Vec::len), Some(2), "{tools}");
    let done = client.call("tools/call", work("x", 0, 0)).await.unwrap();
    assert!(done.as_str().contains("done x"), "{done:?}");
    let status = client.status();
    assert_eq!(status.binding, Some(Binding::Stateless));
    assert_eq!(status.revision, Some(Revision::V2026_07_28));
    assert!(!status.has_session_id);
    client.close().await;
    let counts = server.count();
    assert_eq!(
        (counts.posts, counts.initialize, counts.gets, counts.deletes),
        (3, 0, 0, 0)
    );
    let error = client.call("tools/list", ()).await.unwrap_err();
    assert_eq!(error.delivery(), Delivery::NotSent);
}

#[tokio::test]
async fn progress_comes_on_the_answer_s_stream_in_its_order() {
    let (_server, client) = served().await;
    let mut events = client.events();
    let options = CallOptions::new().progress();
    let call = client.call_with("tools/call", work("p", 50, 5), options);
    let id = call.id();
    soon(call).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 5 {
        let step = next(&mut events, |event| match event {
            Event::Message(message) => Some(message),
            _ => None,
        });
        let step = step.await;
        assert_eq!(step.method, "notifications/progress");
        assert_eq!(step.call, id);
        let params: Value = step.params.unwrap().deserialize().unwrap();
        seen.push(params["progress"].as_f64().unwrap());
    }
    assert_eq!(seen, [1.0, 2.0, 3.0, 4.0, 5.0]);
}

#[tokio::test]
async fn an_elicitation_is_answered_in_a_round() {
    let (server, client) = served().await;
    let mut events = client.events();
    let call = client.call("tools/call", ask());
    let ticket = next_ask(&mut events).await;
    client.answer(ticket, Ok(ada())).await.unwrap();
    let said = soon(call).await.unwrap();
    let server_name = server.address();
    let expected = format!("hello Ada, asked by {server_name}, answered by {server_name}");
    assert!(said.as_str().contains(&expected), "{said:?}");
    let again = client.answer(ticket, Ok(ada()));
    let again = again.await.unwrap_err();
    assert!(
        matches!(again.reason(), Reason::Misuse(m) if *m.mistake() == Mistake::TicketNotOpen),
        "{again}"
    );
}

#[tokio::test]
async fn an_elicitation_that_nobody_reads_fails_its_call_and_hangs_nobody() {
    let (server, client) = served().await;
    let error = soon(client.call("tools/call", ask())).await.unwrap_err();
    assert_eq!(error.reason(), &Reason::Refused(Refused::Unanswered));
    assert_eq!(server.count().posts, 2, "the call is not sent again");
    soon(client.call("tools/list", ())).await.unwrap();
}

/// The revision, for a scripted server.
fn discovered(arrived: &Arrived) -> Act {
    let result = json!({
        "resultType": "complete",
        "supportedVersions": ["2026-07-28"],
        "capabilities": { "tools": {} },
    });
    Act::Answer(reply(arrived, &result))
}

/// A server that asks twice in one answer.
async fn asking_twice() -> Script {
    Script::start(|arrived| match arrived.calls() {
        "server/discover" => discovered(arrived),
        "tools/call" if arrived.message["params"].get("inputResponses").is_none() => {
            let params = json!({ "message": "?", "requestedSchema": {} });
            let question = json!({ "method": "elicitation/create", "params": params });
            let result = json!({
                "resultType": "input_required",
                "inputRequests": { "one": question, "two": question },
            });
            Act::Answer(reply(arrived, &result))
        }
        "tools/call" => {
            let responses = &arrived.message["params"]["inputResponses"];
            Act::Answer(reply(arrived, &json!({ "told": responses })))
        }
        _ => usual(arrived),
    })
    .await
}

#[tokio::test]
async fn who_awaits_each_answer_before_the_next_is_not_kept_waiting() {
    let script = asking_twice().await;
    let client = Client::spawn(config(&script.url()));
    let mut events = client.events();
    let call = client.call("tools/call", json!({ "name": "x" }));
    for number in [1, 2] {
        let ticket = next_ask(&mut events).await;
        let answer = json!({ "action": "accept", "content": { "number": number } });
        soon(client.answer(ticket, Ok(answer))).await.unwrap();
    }
    let result: Value = soon(call).await.unwrap().deserialize().unwrap();
    assert_eq!(result["told"]["one"]["content"]["number"], 1);
    assert_eq!(result["told"]["two"]["content"]["number"], 2);
    assert_eq!(script.arrived("tools/call"), 2);
}

#[tokio::test]
async fn dropping_a_call_closes_its_answer_and_the_server_notices() {
    let (server, client) = served().await;
    let call = client.call("tools/call", work("dropped", 60_000, 0));
    until("it runs", || server.executions().get("dropped") == Some(&1)).await;
    drop(call);
    until("cancelled", || {
        server.cancellations().get("dropped") == Some(&1)
    })
    .await;
    assert_eq!(server.count().posts, 2, "nothing is said besides");
    soon(client.call("tools/list", ())).await.unwrap();
    assert_eq!(client.status().open_calls, 0);
}

#[tokio::test]
async fn a_call_that_streams_and_takes_too_long_closes_its_answer() {
    let (server, client) = served().await;
    let limit = Duration::from_millis(500);
    let options = CallOptions::new().progress().time_out(limit);
    let call = client.call_with("tools/call", work("slow", 60_000, 600), options);
    let error = soon(call).await.unwrap_err();
    assert_eq!(error.reason(), &Reason::Timeout(Clock::Call(limit)));
    assert_eq!(error.delivery(), Delivery::Unknown);
    until("cancelled", || {
        server.cancellations().get("slow") == Some(&1)
    })
    .await;
}

#[tokio::test]
async fn changes_are_heard_of_until_the_server_has_no_more_to_say() {
    let (server, client) = served().await;
    let mut events = client.events();
    let filter = SubscriptionFilter::new().tools_list_changed();
    client.listen(filter.clone().resource("file:///a")).unwrap();
    assert_eq!(
        next_granted(&mut events).await,
        filter,
        "it has no resources"
    );
    until("it listens", || server.subscriptions() == 1).await;
    assert_eq!(client.status().listening, Listening::Open);
    server.tools_changed();
    let message = next(&mut events, |event| match event {
        Event::Message(message) => Some(message),
        _ => None,
    });
    let message = message.await;
    assert_eq!(message.method, "notifications/tools/list_changed");
    assert_eq!(message.call, None);
    soon(client.call("tools/list", ())).await.unwrap();
    server.end_subscriptions();
    next_is(&mut events, &Event::StreamEnded).await;
    assert_eq!(client.status().listening, Listening::Ended);
    client.listen(filter.clone()).unwrap();
    assert_eq!(next_granted(&mut events).await, filter);
}

#[tokio::test]
async fn nobody_is_listened_to_once_nothing_is_wanted() {
    let (server, client) = served().await;
    client
        .listen(SubscriptionFilter::new().tools_list_changed())
        .unwrap();
    until("it listens", || server.subscriptions() == 1).await;
    client.listen(SubscriptionFilter::new()).unwrap();
    until("it listens no more", || server.subscriptions() == 0).await;
    assert_eq!(client.status().listening, Listening::Off);
    soon(client.call("tools/list", ())).await.unwrap();
}

#[tokio::test]
async fn a_server_that_comes_back_is_listened_to_again_and_what_was_missed_is_said() {
    let (server, client) = served().await;
    let mut events = client.events();
    let filter = SubscriptionFilter::new().tools_list_changed();
    client.listen(filter.clone()).unwrap();
    assert_eq!(next_granted(&mut events).await, filter);
    server.stop().await;
    next(&mut events, |event| {
        matches!(event, Event::StreamDegraded { .. }).then_some(())
    })
    .await;
    server.start_again_on_same_port().await;
    next_is(&mut events, &Event::StreamRestored).await;
    next_is(&mut events, &Event::Gap { missed: None }).await;
    assert_eq!(next_granted(&mut events).await, filter);
    until("it listens", || server.subscriptions() == 1).await;
    server.tools_changed();
    next(&mut events, |event| {
        matches!(event, Event::Message(_)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_server_that_was_away_needs_no_new_handshake() {
    let (server, client) = served().await;
    client.ready().await.unwrap();
    server.stop().await;
    let error = client.call("tools/call", work("no", 0, 0)).await;
    let error = error.unwrap_err();
    assert_eq!(error.delivery(), Delivery::NotSent);
    let patience = CallOptions::new().wait_for_server(Duration::from_secs(20));
    let patient = client.call_with("tools/call", work("yes", 0, 0), patience);
    server.start_again_on_same_port().await;
    soon(patient).await.unwrap();
    assert_eq!(server.executions().get("yes"), Some(&1));
    assert_eq!(server.executions().get("no"), None);
    assert_eq!(server.count().posts, 2, "the discovery and the call");
}

#[tokio::test]
async fn an_error_with_a_404_is_the_server_s_reply() {
    let (_server, client) = served().await;
    let error = client.call("no/such/method", ()).await.unwrap_err();
    assert_eq!(error.rpc_error().map(|rpc| rpc.code), Some(-32601));
    assert_eq!(error.status().map(|status| status.as_u16()), Some(404));
    client.call("tools/list", ()).await.unwrap();
}

#[tokio::test]
async fn what_the_revision_has_not_is_an_error_before_anything_is_sent() {
    let (server, client) = served().await;
    let error = client.call("ping", ()).await.unwrap_err();
    assert!(matches!(error.reason(), Reason::Misuse(_)), "{error}");
    assert_eq!(error.delivery(), Delivery::NotSent);
    assert_eq!(server.count().posts, 1, "the discovery");
}

#[tokio::test]
async fn closing_ends_calls_and_the_listening_stream() {
    let (server, client) = served().await;
    client
        .listen(SubscriptionFilter::new().tools_list_changed())
        .unwrap();
    until("it listens", || server.subscriptions() == 1).await;
    let call = client.call("tools/call", work("open", 60_000, 0));
    until("it runs", || server.executions().get("open") == Some(&1)).await;
    soon(client.close()).await;
    let error = soon(call).await.unwrap_err();
    assert_eq!(error.reason(), &Reason::Closed);
    until("both are over", || {
        server.cancellations().get("open") == Some(&1) && server.subscriptions() == 0
    })
    .await;
    assert_eq!(server.count().deletes, 0);
}

#[tokio::test]
async fn a_credential_is_asked_for_once_for_discovery_and_calls_alike() {
    let server = Server::start().await;
    server.require("right");
    let config = config(&server.url()).bearer("wrong").unwrap();
    let client = Client::spawn_with_credentials(config, |asked: Authorize| async move {
        assert_eq!(asked.method.as_deref(), Some("server/discover"));
        Some("Bearer right".to_owned())
    });
    let call = client.call("tools/call", work("x", 0, 0));
    soon(call).await.unwrap();
    assert_eq!(server.executions().get("x"), Some(&1));
    assert_eq!(server.count().posts, 3, "the discovery twice, and the call");
}
