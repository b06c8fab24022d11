//! A server that redirects the slash, to every kind of message (section 4, 307 and 308).

use mcp_http::{Delivery, Event, LossCause, Phase, Reason, Refused, Subject, Transmit};
use serde_json::{Value, json};

use crate::world::{Sent, World, config, request, result, secs};

const SLASH: &str = "/mcp/";

/// Answers the oldest request of this method with a redirect, and gives what follows.
fn follow(w: &mut World, method: &str) -> Sent {
    let sent = w.take(method);
    w.answer(&sent, 307).header("location", SLASH).empty();
    let next = w.take(method);
    assert_eq!(next.request.uri().path(), SLASH, "{method}");
    assert_eq!(next.session(), sent.session(), "{method}");
    assert_eq!(next.request.method(), sent.request.method(), "{method}");
    next
}

#[test]
fn a_server_behind_a_slash_is_spoken_to_in_every_way() {
    let mut w = World::new(config());
    let call = w.call("tools/call");
    let initialize = follow(&mut w, "initialize");
    w.open.push(initialize);
    w.accept_initialize("s1");
    let initialized = follow(&mut w, "notifications/initialized");
    w.answer(&initialized, 202).empty();

    let sent = follow(&mut w, "tools/call");
    w.answer(&sent, 200)
        .stream(&[request("q", "elicitation/create", json!({}))]);
    let ticket = w.ask().ticket;
    w.reply_to(ticket);
    let answer = follow(&mut w, "answer");
    assert_eq!(answer.json()["id"], "q");
    w.answer(&answer, 202).empty();
    assert!(w.accepted(Subject::Answer(ticket)));

    w.event(&sent, &result(sent.rpc_id(), json!({ "ok": true })));
    assert_eq!(w.result(call), json!({ "ok": true }));
}

#[test]
fn a_redirected_request_has_an_id_of_its_own() {
    let mut w = World::ready();
    let call = w.call("tools/call");
    let first = w.take("tools/call");
    w.answer(&first, 308).header("location", SLASH).empty();
    let second = w.take("tools/call");
    assert_ne!(first.rpc_id(), second.rpc_id());
    w.answer(&second, 200).result(json!({}));
    w.reply(call);
}

#[test]
fn a_cancellation_follows_too() {
    let (mut w, call, sent) = World::under_way();
    w.cancel(call);
    let told = follow(&mut w, "notifications/cancelled");
    assert_eq!(told.json()["params"]["requestId"], sent.rpc_id());
    w.answer(&told, 202).empty();
    assert!(w.aborted.contains(&sent.exchange));
}

#[test]
fn a_ping_that_settles_a_doubt_follows_and_finds_the_session_dead() {
    let (mut w, call, sent) = World::under_way();
    w.answer(&sent, 400).body("who are you");
    let ping = follow(&mut w, "ping");
    w.answer(&ping, 404).empty();
    w.recover("s2");
    w.succeed("tools/call");
    w.reply(call);
}

#[test]
fn no_message_is_redirected_more_than_three_times() {
    let mut w = World::ready();
    let call = w.call("tools/call");
    let note = w.notify("notifications/x");
    for method in ["tools/call", "notifications/x"] {
        for _ in 0..3 {
            let next = follow(&mut w, method);
            w.open.push(next);
        }
        let last = w.take(method);
        w.answer(&last, 307).header("location", SLASH).empty();
    }
    for error in [w.error(call), w.error_of(Subject::Notification(note))] {
        assert_eq!(error.delivery(), Delivery::Rejected);
        assert!(
            matches!(error.reason(), Reason::Refused(Refused::Redirected { .. })),
            "{error}"
        );
    }
}

#[test]
fn initialized_refused_with_400_is_a_loss_that_says_so() {
    let mut w = World::confirming();
    let sent = w.take("notifications/initialized");
    w.answer(&sent, 400).empty();
    let cause = LossCause::BadRequest;
    assert!(w.events.contains(&Event::Reinitialize {
        generation: 1,
        cause
    }));
    assert_eq!(w.phase(), Phase::Due);
}

#[test]
fn closing_takes_no_longer_than_its_delete_may_even_during_a_handshake() {
    let mut w = World::initializing();
    w.close();
    assert_eq!(w.phase(), Phase::Closing);
    w.advance(secs(29));
    // The late answer brings a session, whose DELETE is never answered.
    w.accept_initialize("late");
    assert!(w.has("DELETE"));
    w.advance(secs(2));
    assert!(w.connection.is_closed());
    let now = w.now;
    assert!(!matches!(
        w.connection.poll_transmit(now),
        Some(Transmit::Send { .. })
    ));
}

#[test]
fn a_token_of_the_application_never_stands_in_the_machines_way() {
    let mut w = World::ready();
    let token = |number: u64| json!({ "name": "x", "_meta": { "progressToken": number } });
    let plain = mcp_http::CallOptions::new();
    let now = w.now;
    // The application takes the numbers that the machine would take next.
    for number in 1..5 {
        w.connection
            .call("tools/call", &token(number), plain.clone(), now)
            .unwrap();
    }
    w.connection
        .call("tools/call", &json!({ "name": "x" }), plain.progress(), now)
        .unwrap();
    w.drive();
    let sent: Vec<Value> = w
        .open
        .iter()
        .map(|sent| sent.json()["params"]["_meta"]["progressToken"].clone())
        .collect();
    assert_eq!(sent, [json!(1), json!(2), json!(3), json!(4), json!(5)]);
    w.connection
        .call(
            "tools/call",
            &json!({}),
            mcp_http::CallOptions::new().progress(),
            now,
        )
        .unwrap();
}
