//! Section 8: progress may extend the time of a call.

use mcp_http::{CallId, CallOptions, Clock, Clocks};
use serde_json::{Value, json};

use crate::world::{Sent, World, log, millis, notification, request, secs};

fn progress(token: &Value) -> Value {
    notification(
        "notifications/progress",
        json!({ "progressToken": token, "progress": 1 }),
    )
}

/// A call of 10 s that progress extends up to 60 s, on a stream, and its token.
fn extended() -> (World, CallId, Sent, Value) {
    let options = CallOptions::new()
        .time_out(secs(10))
        .extended_by_progress(secs(60));
    extended_in(World::ready(), options)
}

fn extended_in(mut w: World, options: CallOptions) -> (World, CallId, Sent, Value) {
    let call = w.call_with("tools/call", options);
    let sent = w.take("tools/call");
    let token = sent.json()["params"]["_meta"]["progressToken"].clone();
    w.answer(&sent, 200).stream(&[]);
    (w, call, sent, token)
}

#[test]
fn progress_extends_a_calls_time_up_to_the_longest() {
    let (mut w, call, sent, token) = extended();
    for _ in 0..6 {
        w.advance(secs(10) - millis(1));
        w.event(&sent, &progress(&token));
    }
    w.advance(millis(5));
    assert!(!w.ended(call));
    w.advance(millis(1));
    let error = w.error(call);
    assert_eq!(*error.reason(), Clock::Call(secs(10)).into());
    assert_eq!(w.now.since(mcp_http::Time::from_secs(1000)), secs(60));
}

#[test]
fn progress_that_stops_ends_it() {
    let (mut w, call, sent, token) = extended();
    w.advance(secs(5));
    w.event(&sent, &progress(&token));
    w.advance(secs(10) - millis(1));
    assert!(!w.ended(call));
    w.advance(millis(1));
    assert!(w.ended(call));
}

#[test]
fn progress_of_others_and_other_messages_extend_nothing() {
    let (mut w, call, sent, _) = extended();
    w.advance(secs(9));
    w.event(&sent, &log("x"));
    w.event(&sent, &progress(&json!("another")));
    w.advance(secs(1));
    assert!(w.ended(call));
}

#[test]
fn progress_extends_nothing_unless_it_is_asked_to() {
    let options = CallOptions::new().time_out(secs(10)).progress();
    let (mut w, call, sent, token) = extended_in(World::ready(), options);
    w.advance(secs(9));
    w.event(&sent, &progress(&token));
    w.advance(secs(1));
    assert!(w.ended(call));
}

#[test]
fn progress_extends_every_call_by_configuration() {
    let mut clocks = Clocks::default();
    clocks.call = Some(secs(10));
    clocks.progress = Some(secs(15));
    let w = World::ready_with(|c| c.clocks(clocks));
    let (mut w, call, sent, token) = extended_in(w, CallOptions::new().progress());
    w.advance(secs(9));
    w.event(&sent, &progress(&token));
    w.advance(secs(6) - millis(1));
    assert!(!w.ended(call));
    w.advance(millis(1));
    assert!(w.ended(call));
}

#[test]
fn a_longest_time_that_is_shorter_shortens_nothing() {
    let options = CallOptions::new()
        .time_out(secs(10))
        .extended_by_progress(secs(1));
    let (mut w, call, sent, token) = extended_in(World::ready(), options);
    w.advance(secs(5));
    w.event(&sent, &progress(&token));
    w.advance(secs(5) - millis(1));
    assert!(!w.ended(call));
    w.advance(millis(1));
    assert!(w.ended(call));
}

#[test]
fn the_longest_time_counts_no_human_pauses() {
    let (mut w, call, sent, token) = extended();
    w.event(&sent, &request(1, "elicitation/create", json!({})));
    let ticket = w.ask().ticket;
    w.advance(secs(3600));
    w.reply_to(ticket);
    w.accept("answer");
    for _ in 0..6 {
        w.advance(secs(10) - millis(1));
        w.event(&sent, &progress(&token));
        assert!(!w.ended(call));
    }
    w.advance(millis(5));
    assert!(!w.ended(call));
    w.advance(millis(1));
    assert!(w.ended(call));
}

#[test]
fn progress_while_a_person_is_asked_counts_afterwards() {
    let (mut w, call, sent, token) = extended();
    w.advance(secs(9));
    w.event(&sent, &request(1, "elicitation/create", json!({})));
    let ticket = w.ask().ticket;
    w.event(&sent, &progress(&token));
    w.advance(secs(100));
    w.reply_to(ticket);
    w.accept("answer");
    w.advance(secs(10) - millis(1));
    assert!(!w.ended(call));
    w.advance(millis(1));
    assert!(w.ended(call));
}

#[test]
fn progress_on_a_resumed_stream_extends_too_but_not_when_it_is_repeated() {
    let (mut w, call, sent, token) = extended();
    w.chunk(&sent, "retry: 100\n\n");
    w.event_with_id(&sent, "1", &progress(&token));
    w.advance(secs(5));
    w.end(&sent);
    let get = w.reopen();
    w.advance(secs(4));
    w.event_with_id(&get, "1", &progress(&token));
    w.advance(millis(900));
    assert!(w.ended(call), "10 s after the only progress");
    let (mut w, call, sent, token) = extended();
    w.chunk(&sent, "retry: 100\nid: p\ndata:\n\n");
    w.end(&sent);
    let get = w.reopen();
    w.advance(secs(9));
    w.event_with_id(&get, "1", &progress(&token));
    w.advance(secs(9));
    assert!(!w.ended(call));
}
