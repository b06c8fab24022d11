//! Section 7: asks and notifications, in the form of sessions.

use mcp_http::{
    Ask, CallId, CallOptions, Delivery, Event, Lost, Mistake, Reason, RpcError, Subject, Withdrawal,
};
use serde_json::{Value, json};

use crate::world::{Sent, World, log, notification, raw, request, reset, result, secs};

/// A call whose stream asked this, with the id `q`.
fn asked(method: &str) -> (World, CallId, Sent) {
    asked_as("q", method)
}

fn asked_as(id: impl Into<Value>, method: &str) -> (World, CallId, Sent) {
    let mut w = World::ready();
    let call = w.call("tools/call");
    let sent = w.take("tools/call");
    w.answer(&sent, 200)
        .stream(&[request(id, method, json!({ "question": 7 }))]);
    (w, call, sent)
}

fn withdrawn(w: &World) -> Vec<Withdrawal> {
    let events = w.events.iter();
    let causes = events.filter_map(|event| match event {
        Event::AskWithdrawn { cause, .. } => Some(*cause),
        _ => None,
    });
    causes.collect()
}

#[test]
fn an_ask_comes_with_its_call_method_and_params() {
    for method in ["elicitation/create", "sampling/createMessage", "roots/list"] {
        let (mut w, call, _) = asked(method);
        let Ask {
            method: told,
            params,
            call: of,
            ..
        } = w.ask();
        assert_eq!((told.as_str(), of), (method, Some(call)));
        assert_eq!(params.unwrap().as_str(), r#"{"question":7}"#);
    }
}

#[test]
fn an_answer_is_posted_with_the_servers_id_to_the_letter() {
    let ids = [
        r#""q""#,
        "7",
        "-3",
        "1.50",
        "1e2",
        r#""caf\u00e9 \"x\"""#,
        "12345678901234567890123",
    ];
    for id in ids {
        let mut w = World::ready();
        w.call("tools/call");
        let sent = w.take("tools/call");
        w.answer(&sent, 200).stream(&[]);
        let ask = format!(r#"data: {{"jsonrpc":"2.0","id":{id},"method":"roots/list"}}"#);
        w.chunk(&sent, format!("{ask}\n\n"));
        let ticket = w.ask().ticket;
        w.reply_to(ticket);
        let answer = w.take("answer");
        let body = std::str::from_utf8(answer.request.body())
            .unwrap()
            .to_owned();
        let expected =
            format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"action":"accept","roots":[]}}}}"#);
        assert_eq!(body, expected);
        assert_eq!(answer.session(), Some("s1"), "{id}");
        w.answer(&answer, 202).empty();
        assert!(w.accepted(Subject::Answer(ticket)), "{id}");
    }
}

#[test]
fn an_ask_can_be_answered_with_an_error() {
    let (mut w, ..) = asked("elicitation/create");
    let ticket = w.ask().ticket;
    let mut error = RpcError::new(-1, "User rejected");
    error.data = Some(raw(&json!([1])));
    w.connection
        .answer(ticket, Err::<&(), _>(error), w.now)
        .unwrap();
    w.drive();
    let error = json!({ "code": -1, "message": "User rejected", "data": [1] });
    assert_eq!(
        w.take("answer").json(),
        json!({ "jsonrpc": "2.0", "id": "q", "error": error })
    );
}

#[test]
fn an_ask_is_answered_once() {
    let (mut w, ..) = asked("elicitation/create");
    let ticket = w.ask().ticket;
    w.reply_to(ticket);
    let error = w
        .connection
        .answer(ticket, Ok(&json!({})), w.now)
        .unwrap_err();
    let Reason::Misuse(misuse) = error.reason() else {
        panic!("{error}")
    };
    assert_eq!(misuse.mistake(), &Mistake::TicketNotOpen);
    w.drive();
    assert_eq!(w.count("answer"), 1);
}

#[test]
fn a_result_that_is_no_object_leaves_the_ask_open() {
    let (mut w, ..) = asked("elicitation/create");
    let ticket = w.ask().ticket;
    for bad in [json!(null), json!(1), json!([])] {
        let error = w.connection.answer(ticket, Ok(&bad), w.now).unwrap_err();
        assert!(
            matches!(error.reason(), Reason::Misuse(m) if matches!(m.mistake(), Mistake::Value(_)))
        );
    }
    w.reply_to(ticket);
    assert!(w.has("answer"));
}

#[test]
fn ping_is_answered_by_the_machine() {
    let (mut w, ..) = asked_as(5, "ping");
    assert!(w.events.is_empty());
    assert_eq!(w.take("answer").json(), result(5, json!({})));
}

#[test]
fn ping_is_answered_while_nobody_reads_the_notifications() {
    let mut w = World::ready();
    w.call("tools/call");
    w.call("tools/list");
    let (noisy, quiet) = (w.take("tools/call"), w.take("tools/list"));
    w.reading = false;
    w.answer(&noisy, 200).stream(&vec![log("noise"); 256]);
    w.answer(&quiet, 200)
        .stream(&[request(1, "ping", json!({}))]);
    assert!(w.has("answer"));
}

#[test]
fn a_method_that_was_not_announced_gets_32601() {
    let mut w = World::new(
        mcp_http::Config::new(crate::world::ENDPOINT)
            .unwrap()
            .listen(false)
            .remember(mcp_http::Binding::Session),
    );
    w.connect();
    w.establish("s1");
    w.events.clear();
    w.call("tools/call");
    let sent = w.take("tools/call");
    let methods = [
        "elicitation/create",
        "sampling/createMessage",
        "roots/list",
        "no/such",
    ];
    let asks: Vec<_> = methods
        .iter()
        .map(|method| request("q", method, json!({})))
        .collect();
    w.answer(&sent, 200).stream(&asks);
    for method in methods {
        let answer = w.take("answer").json();
        assert_eq!(
            (&answer["id"], &answer["error"]["code"]),
            (&json!("q"), &json!(-32601)),
            "{method}"
        );
    }
    assert!(w.events.is_empty());
}

#[test]
fn what_was_announced_may_be_asked() {
    for (method, capability) in [
        ("elicitation/create", "elicitation"),
        ("roots/list", "roots"),
        ("sampling/createMessage", "sampling"),
        ("tasks/cancel", "tasks"),
        ("tasks/get", "tasks"),
        ("tasks/list", "tasks"),
        ("tasks/result", "tasks"),
    ] {
        let mut w = World::ready_with(|c| c.capabilities(&json!({ capability: {} })).unwrap());
        let (_, asking) = w.stream("tools/call");
        w.event(&asking, &request(1, method, json!({})));
        assert_eq!(w.ask().method, method);
    }
}

#[test]
fn an_ask_with_an_impossible_id_is_reported_not_asked() {
    for id in [json!(null), json!({}), json!([1]), json!(true)] {
        let (mut w, call, _) = asked_as(id.clone(), "roots/list");
        w.error_of(Subject::Stream(Some(call)));
        assert!(w.events.is_empty() && w.open.is_empty(), "{id}");
    }
}

#[test]
fn withdrawn_when_the_server_cancels_it() {
    let (mut w, _, sent) = asked("elicitation/create");
    let ticket = w.ask().ticket;
    let cancelled = |id: Value| notification("notifications/cancelled", json!({ "requestId": id }));
    w.event(&sent, &cancelled(json!("another")));
    assert!(w.events.is_empty());
    w.event(&sent, &cancelled(json!("q")));
    assert_eq!(
        w.events,
        [Event::AskWithdrawn {
            ticket,
            cause: Withdrawal::Cancelled
        }]
    );
    assert!(w.connection.answer(ticket, Ok(&json!({})), w.now).is_err());
}

#[test]
fn withdrawn_when_its_call_ends() {
    let (mut w, call, sent) = asked("elicitation/create");
    w.ask();
    w.event(&sent, &result(sent.rpc_id(), json!({})));
    assert_eq!(withdrawn(&w), [Withdrawal::CallEnded]);
    w.reply(call);
}

#[test]
fn withdrawn_when_its_session_is_lost() {
    let (mut w, call, _) = asked("elicitation/create");
    w.ask();
    w.call("tools/list");
    w.answer_all("tools/list", 404);
    assert_eq!(withdrawn(&w), [Withdrawal::SessionLost]);
    assert!(!w.ended(call), "its call may still stream");
}

#[test]
fn withdrawn_on_close() {
    let (mut w, ..) = asked("elicitation/create");
    w.ask();
    w.close();
    assert_eq!(withdrawn(&w).len(), 1);
}

#[test]
fn an_ask_that_nobody_saw_just_disappears() {
    let (mut w, _, sent) = asked("ping");
    w.reading = false;
    w.event(&sent, &request("q2", "roots/list", json!({})));
    let cancelled = notification("notifications/cancelled", json!({ "requestId": "q2" }));
    w.event(&sent, &cancelled);
    w.reading = true;
    w.drive();
    assert!(w.events.is_empty(), "{:?}", w.events);
}

#[test]
fn an_answer_dies_with_its_session() {
    for (status, ping) in [(404, None), (400, Some(404))] {
        let (mut w, ..) = asked("elicitation/create");
        let ticket = w.ask().ticket;
        w.reply_to(ticket);
        w.answer_all("answer", status);
        if let Some(ping) = ping {
            w.answer_all("ping", ping);
        }
        let error = w.error_of(Subject::Answer(ticket));
        assert_eq!(
            (error.reason(), error.delivery()),
            (&Lost::Session.into(), Delivery::Rejected)
        );
        w.recover("s2");
        assert_eq!(w.count("answer"), 1, "{status}: never in another session");
    }
}

#[test]
fn an_answer_that_had_not_left_dies_with_its_session_too() {
    let (mut w, ..) = asked("elicitation/create");
    let ticket = w.ask().ticket;
    w.call("tools/list");
    let lost = w.take("tools/list");
    w.connection.answer(ticket, Ok(&json!({})), w.now).unwrap();
    w.answer(&lost, 404).empty();
    let error = w.error_of(Subject::Answer(ticket));
    assert_eq!(
        (error.reason(), error.delivery()),
        (&Lost::Session.into(), Delivery::NotSent)
    );
    assert_eq!(w.count("answer"), 0);
}

#[test]
fn an_answer_that_had_not_left_fails_on_close() {
    let (mut w, ..) = asked("elicitation/create");
    let ticket = w.ask().ticket;
    w.connection.answer(ticket, Ok(&json!({})), w.now).unwrap();
    w.close();
    let error = w.error_of(Subject::Answer(ticket));
    assert_eq!(
        (error.reason(), error.delivery()),
        (&Reason::Closed, Delivery::NotSent)
    );
    assert_eq!(w.count("answer"), 0);
}

#[test]
fn an_answer_refused_otherwise_is_reported_and_loses_nothing_else() {
    let (mut w, call, sent) = asked("elicitation/create");
    let ticket = w.ask().ticket;
    w.reply_to(ticket);
    w.answer_all("answer", 500);
    assert_eq!(
        w.error_of(Subject::Answer(ticket))
            .status()
            .unwrap()
            .as_u16(),
        500
    );
    w.event(&sent, &result(sent.rpc_id(), json!({})));
    w.reply(call);
}

#[test]
fn a_dead_session_asks_nobody() {
    let mut w = World::ready();
    let call = w.call("tools/list");
    let stream = w.take("tools/list");
    w.answer(&stream, 200).stream(&[]);
    w.call("tools/call");
    w.answer_all("tools/call", 404);
    w.event(&stream, &request(1, "roots/list", json!({})));
    w.recover("s2");
    w.open.clear();
    w.event(&stream, &request(2, "roots/list", json!({})));
    w.event(&stream, &request(3, "ping", json!({})));
    assert!(!w.events.iter().any(|event| matches!(event, Event::Ask(_))));
    assert!(
        w.open.is_empty() && !w.ended(call),
        "nothing of it reaches the new session"
    );
}

#[test]
fn the_calls_clock_stands_still_while_somebody_is_asked() {
    let mut w = World::ready();
    let call = w.call_with("tools/call", CallOptions::new().time_out(secs(10)));
    let sent = w.take("tools/call");
    w.advance(secs(4));
    let asks = [
        request(1, "roots/list", json!({})),
        request(2, "roots/list", json!({})),
    ];
    w.answer(&sent, 200).stream(&asks);
    let (one, two) = (w.ask().ticket, w.ask().ticket);
    w.advance(secs(3600));
    w.reply_to(one);
    w.accept("answer");
    w.advance(secs(3600));
    assert!(!w.ended(call), "the second still waits");
    w.reply_to(two);
    w.accept("answer");
    w.advance(secs(6) - crate::world::millis(1));
    assert!(!w.ended(call));
    w.advance(crate::world::millis(1));
    assert!(w.ended(call));
}

#[test]
fn the_calls_clock_goes_on_when_the_ask_is_withdrawn() {
    let mut w = World::ready();
    let call = w.call_with("tools/call", CallOptions::new().time_out(secs(10)));
    let sent = w.take("tools/call");
    w.answer(&sent, 200)
        .stream(&[request(1, "roots/list", json!({}))]);
    w.advance(secs(100));
    w.event(
        &sent,
        &notification("notifications/cancelled", json!({ "requestId": 1 })),
    );
    w.advance(secs(10));
    assert!(w.ended(call));
}

#[test]
fn an_ask_of_a_call_that_breaks_off_is_withdrawn() {
    let (mut w, call, sent) = asked("elicitation/create");
    w.ask();
    w.fail(&sent, reset());
    assert_eq!(withdrawn(&w), [Withdrawal::CallEnded]);
    assert_eq!(w.error(call).delivery(), Delivery::Unknown);
}

#[test]
fn a_call_that_needs_a_missing_capability_fails_before_anything_is_sent() {
    let rows = [
        ("tools/list", "tools"),
        ("prompts/get", "prompts"),
        ("resources/read", "resources"),
        ("resources/subscribe", "resources"),
        ("logging/setLevel", "logging"),
        ("completion/complete", "completions"),
    ];
    for (method, capability) in rows {
        let mut w = World::initializing();
        let call = w.call(method);
        let sent = w.take("initialize");
        let bare = json!({ "protocolVersion": "2025-11-25", "capabilities": {} });
        w.answer(&sent, 200).result(bare);
        w.accept("notifications/initialized");
        let error = w.error(call);
        let Reason::Misuse(misuse) = error.reason() else {
            panic!("{method}: {error}")
        };
        assert_eq!(
            misuse.mistake(),
            &Mistake::CapabilityMissing(capability),
            "{method}"
        );
        assert!(
            w.open.is_empty() && error.delivery() == Delivery::NotSent,
            "{method}"
        );
    }
}

#[test]
fn completions_need_no_capability_in_2024_11_05() {
    for (revision, sent) in [("2024-11-05", 1), ("2025-03-26", 0)] {
        let mut w = World::initializing();
        let initialize = w.take("initialize");
        let bare = json!({ "protocolVersion": revision, "capabilities": {} });
        w.answer(&initialize, 200).result(bare);
        w.accept("notifications/initialized");
        w.call("completion/complete");
        assert_eq!(w.count("completion/complete"), sent, "{revision}");
    }
}

#[test]
fn a_method_that_needs_no_capability_is_always_sent() {
    let mut w = World::ready();
    w.call("ping");
    w.call("vendor/special");
    assert_eq!(w.open_methods(), ["ping", "vendor/special"]);
}
