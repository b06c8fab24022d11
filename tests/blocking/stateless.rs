//! Where each request stands on its own (2026-07-28): against rmcp's server, and one in
//! this process for what that never does.

use std::thread;
use std::time::Duration;

use mcp_http::blocking::{Client, Events};
use mcp_http::{
    Binding, CallOptions, Clock, Config, Delivery, Event, Listening, Reason, Refused, Revision,
    SubscriptionFilter, Ticket,
};
use serde_json::{Value, json};

use crate::own::{self, Own, soon};
use crate::{Served, work};

fn config(url: &str) -> Config {
    let config = Config::new(url).unwrap().pin(Revision::V2026_07_28);
    config.capabilities(&json!({ "elicitation": {} })).unwrap()
}

fn served() -> (Served, Client) {
    let served = Served::start();
    let client = Client::spawn(config(&served.server.url()));
    (served, client)
}

fn ask() -> Value {
    json!({ "name": "ask", "arguments": {} })
}

/// Waits for what happens at the server.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("never: {what}");
}

/// The next event of which this makes something.
fn next<T>(events: &mut Events, mut of: impl FnMut(Event) -> Option<T>) -> T {
    loop {
        let event = events.next_within(Duration::from_secs(20));
        if let Some(it) = of(event.expect("there are more")) {
            return it;
        }
    }
}

fn next_ask(events: &mut Events) -> Ticket {
    next(events, |event| match event {
        Event::Ask(ask) => {
            assert_eq!(ask.method, "elicitation/create");
            assert!(ask.call.is_some());
            Some(ask.ticket)
        }
        _ => None,
    })
}

fn next_granted(events: &mut Events) -> SubscriptionFilter {
    next(events, |event| match event {
        Event::Listening { granted } => Some(granted),
        _ => None,
    })
}

#[test]
fn calls_are_answered_without_a_session_and_close_has_nothing_to_end() {
    let (served, client) = served();
    let tools: Value = client.call_as("tools/list", ()).unwrap();
    assert_eq!(tools["tools"].as_array().map(Vec::len), Some(2), "{tools}");
    let done = client.call("tools/call", work("x", 0, 0)).unwrap();
    assert!(done.as_str().contains("done x"), "{done:?}");
    let status = client.status();
    assert_eq!(status.binding, Some(Binding::Stateless));
    assert!(!status.has_session_id);
    client.close();
    let counts = served.server.count();
    assert_eq!(
        (counts.posts, counts.initialize, counts.gets, counts.deletes),
        (3, 0, 0, 0)
    );
    let error = client.call("tools/list", ()).unwrap_err();
    assert_eq!(error.delivery(), Delivery::NotSent);
}

#[test]
fn progress_comes_on_the_answer_s_stream_in_its_order() {
    let (_served, client) = served();
    let mut events = client.events();
    let options = CallOptions::new().progress();
    let call = client
        .start("tools/call", work("p", 50, 5), options)
        .unwrap();
    let id = call.id();
    soon(|| call.wait()).unwrap();
    let mut seen = Vec::new();
    while seen.len() < 5 {
        let step = next(&mut events, |event| match event {
            Event::Message(message) => Some(message),
            _ => None,
        });
        assert_eq!(step.method, "notifications/progress");
        assert_eq!(step.call, id);
        let params: Value = step.params.unwrap().deserialize().unwrap();
        seen.push(params["progress"].as_f64().unwrap());
    }
    assert_eq!(seen, [1.0, 2.0, 3.0, 4.0, 5.0]);
}

#[test]
fn an_elicitation_is_answered_in_a_round() {
    let (_served, client) = served();
    let mut events = client.events();
    let call = client.start("tools/call", ask(), CallOptions::new());
    let ticket = next_ask(&mut events);
    let answer = json!({ "action": "accept", "content": { "name": "Ada" } });
    client.answer(ticket, Ok(answer)).unwrap();
    let said = soon(|| call?.wait()).unwrap();
    assert!(said.as_str().contains("hello Ada"), "{said:?}");
}

#[test]
fn an_elicitation_that_nobody_reads_fails_its_call_and_hangs_nobody() {
    let (served, client) = served();
    let caller = client.clone();
    let error = soon(move || caller.call("tools/call", ask())).unwrap_err();
    assert_eq!(error.reason(), &Reason::Refused(Refused::Unanswered));
    assert_eq!(served.server.count().posts, 2, "the call is not sent again");
    client.call("tools/list", ()).unwrap();
}

/// A server that asks twice in one answer.
fn asking_twice() -> Client {
    let act = |_: &_, message: &Value, _: &_| {
        let params = &message["params"];
        let result = match message["method"].as_str() {
            Some("server/discover") => json!({
                "resultType": "complete",
                "supportedVersions": ["2026-07-28"],
                "capabilities": { "tools": {} },
            }),
            _ if params.get("inputResponses").is_none() => {
                let params = json!({ "message": "?", "requestedSchema": {} });
                let question = json!({ "method": "elicitation/create", "params": params });
                let questions = json!({ "one": question, "two": question });
                json!({ "resultType": "input_required", "inputRequests": questions })
            }
            _ => json!({ "told": params["inputResponses"] }),
        };
        own::result(message, &result)
    };
    Client::new(config("http://localhost/mcp"), Own(Box::new(act)))
}

#[test]
fn who_waits_for_each_answer_before_the_next_is_not_kept_waiting() {
    let client = asking_twice();
    let mut events = client.events();
    let call = client.start("tools/call", json!({ "name": "x" }), CallOptions::new());
    for number in [1, 2] {
        let ticket = next_ask(&mut events);
        let answer = json!({ "action": "accept", "content": { "number": number } });
        let client = client.clone();
        soon(move || client.answer(ticket, Ok(answer))).unwrap();
    }
    let result = soon(|| call?.wait()).unwrap();
    let result: Value = result.deserialize().unwrap();
    assert_eq!(result["told"]["one"]["content"]["number"], 1);
    assert_eq!(result["told"]["two"]["content"]["number"], 2);
}

#[test]
fn cancelling_closes_the_answer_and_the_server_notices() {
    let (served, client) = served();
    for steps in [0, 600] {
        let key = format!("with {steps} steps");
        let options = CallOptions::new().progress();
        let work = work(&key, 60_000, steps);
        let call = client.start("tools/call", work, options).unwrap();
        until("it runs", || served.server.executions().contains_key(&key));
        client.cancel(call.id().unwrap()).unwrap();
        let error = soon(|| call.wait()).unwrap_err();
        assert_eq!(error.reason(), &Reason::Cancelled);
        until("cancelled", || {
            served.server.cancellations().contains_key(&key)
        });
    }
    assert_eq!(served.server.count().posts, 3, "nothing is said besides");
    client.call("tools/list", ()).unwrap();
    assert_eq!(client.status().open_calls, 0);
}

#[test]
fn a_call_that_takes_too_long_closes_its_answer() {
    let (served, client) = served();
    let limit = Duration::from_millis(500);
    let options = CallOptions::new().time_out(limit);
    let error = client.call_with("tools/call", work("slow", 60_000, 0), options);
    let error = error.unwrap_err();
    assert_eq!(error.reason(), &Reason::Timeout(Clock::Call(limit)));
    assert_eq!(error.delivery(), Delivery::Unknown);
    until("cancelled", || {
        served.server.cancellations().contains_key("slow")
    });
}

#[test]
fn changes_are_heard_of_until_the_server_has_no_more_to_say() {
    let (served, client) = served();
    let mut events = client.events();
    let filter = SubscriptionFilter::new().tools_list_changed();
    client.listen(filter.clone().resource("file:///a")).unwrap();
    assert_eq!(next_granted(&mut events), filter, "it has no resources");
    until("it listens", || served.server.subscriptions() == 1);
    served.server.tools_changed();
    let message = next(&mut events, |event| match event {
        Event::Message(message) => Some(message),
        _ => None,
    });
    assert_eq!(message.method, "notifications/tools/list_changed");
    client.call("tools/list", ()).unwrap();
    served.server.end_subscriptions();
    next(&mut events, |event| {
        (event == Event::StreamEnded).then_some(())
    });
    assert_eq!(client.status().listening, Listening::Ended);
    client.listen(filter.clone()).unwrap();
    assert_eq!(next_granted(&mut events), filter);
    until("it listens", || served.server.subscriptions() == 1);
    client.listen(SubscriptionFilter::new()).unwrap();
    until("it listens no more", || served.server.subscriptions() == 0);
    assert_eq!(client.status().listening, Listening::Off);
}

#[test]
fn a_server_that_comes_back_is_listened_to_again_and_needs_no_handshake() {
    let (served, client) = served();
    let mut events = client.events();
    let filter = SubscriptionFilter::new().tools_list_changed();
    client.listen(filter.clone()).unwrap();
    assert_eq!(next_granted(&mut events), filter);
    served.runtime.block_on(served.server.stop());
    next(&mut events, |event| {
        matches!(event, Event::StreamDegraded { .. }).then_some(())
    });
    let error = client.call("tools/call", work("no", 0, 0)).unwrap_err();
    assert_eq!(error.delivery(), Delivery::NotSent);
    let patience = CallOptions::new().wait_for_server(Duration::from_secs(20));
    let patient = client.start("tools/call", work("yes", 0, 0), patience);
    let again = served.server.start_again_on_same_port();
    served.runtime.block_on(again);
    soon(|| patient?.wait()).unwrap();
    next(&mut events, |event| {
        (event == Event::StreamRestored).then_some(())
    });
    next(&mut events, |event| {
        (event == Event::Gap { missed: None }).then_some(())
    });
    assert_eq!(next_granted(&mut events), filter);
    assert_eq!(served.server.executions().get("yes"), Some(&1));
    assert_eq!(served.server.executions().get("no"), None);
    assert_eq!(served.server.count().initialize, 0);
}

#[test]
fn an_error_with_a_404_is_the_server_s_reply_and_ping_is_a_mistake() {
    let (served, client) = served();
    let error = client.call("no/such/method", ()).unwrap_err();
    assert_eq!(error.rpc_error().map(|rpc| rpc.code), Some(-32601));
    assert_eq!(error.status().map(|status| status.as_u16()), Some(404));
    let error = client.call("ping", ()).unwrap_err();
    assert!(matches!(error.reason(), Reason::Misuse(_)), "{error}");
    assert_eq!(served.server.count().posts, 2);
}

#[test]
fn closing_ends_calls_and_the_listening_stream() {
    let (served, client) = served();
    client
        .listen(SubscriptionFilter::new().tools_list_changed())
        .unwrap();
    until("it listens", || served.server.subscriptions() == 1);
    let call = client
        .start("tools/call", work("open", 60_000, 0), CallOptions::new())
        .unwrap();
    until("it runs", || {
        served.server.executions().contains_key("open")
    });
    let closer = client.clone();
    soon(move || closer.close());
    let error = soon(|| call.wait()).unwrap_err();
    assert_eq!(error.reason(), &Reason::Closed);
    until("both are over", || {
        served.server.cancellations().contains_key("open") && served.server.subscriptions() == 0
    });
    assert_eq!(served.server.count().deletes, 0);
}
