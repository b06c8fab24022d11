//! What a hostile or a broken server can do to a client's memory and time (law 8), and
//! what it cannot.

use mcp_http::{
    CallId, Delivery, Event, LimitKind, Limits, Phase, Reason, Recovery, Refused, Remedy, Subject,
};
use serde_json::{Value, json};

use crate::world::{
    Sent, World, config, initialized, limits, log, millis, refused_connection, request, result,
    rpc_error, secs, server_capabilities,
};

/// A call at the only revision with batches, under way.
fn batching(change: impl FnOnce(&mut Limits)) -> (World, CallId, Sent) {
    let config = config().limits(limits(change));
    let mut w = World::new(config.pin(mcp_http::Revision::V2025_03_26));
    let call = w.call("tools/call");
    let sent = w.take("initialize");
    w.answer(&sent, 200)
        .header("mcp-session-id", "s1")
        .result(initialized("2025-03-26"));
    w.accept("notifications/initialized");
    let sent = w.take("tools/call");
    (w, call, sent)
}

fn unreadable(w: &World) -> usize {
    let stream = |event: &&Event| {
        matches!(
            event,
            Event::Fail {
                subject: Subject::Stream(_),
                ..
            }
        )
    };
    w.events.iter().filter(stream).count()
}

#[test]
fn batches_do_not_nest() {
    let (mut w, call, sent) = batching(|_| {});
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let reply = result(sent.rpc_id(), json!({ "ok": true }));
    w.answer(&sent, 200)
        .typed("application/json", format!("[{deep},{reply}]"));
    assert_eq!(w.result(call), json!({ "ok": true }));
    assert_eq!(unreadable(&w), 1, "the array inside is one bad element");
}

#[test]
fn a_batch_has_as_many_messages_as_the_limit_says_and_no_more() {
    for (messages, fits) in [(4, true), (5, false)] {
        for stream in [false, true] {
            let (mut w, call, sent) = batching(|limits| limits.batch = 4);
            let mut batch = vec![log("x"); messages - 1];
            batch.push(result(sent.rpc_id(), json!({})));
            let batch = Value::from(batch);
            if stream {
                w.answer(&sent, 200).stream(&[batch]);
            } else {
                w.answer(&sent, 200).json(&batch);
            }
            if fits {
                w.reply(call);
            } else {
                let error = w.error(call);
                assert_eq!(error.delivery(), Delivery::Unknown);
                assert!(
                    matches!(error.reason(), Reason::Limit(limit) if limit.kind == LimitKind::Batch),
                    "{error}"
                );
            }
        }
    }
}

#[test]
fn the_reply_of_another_call_in_a_batch_is_not_lost() {
    let (mut w, call, sent) = batching(|_| {});
    let other = w.call("tools/list");
    let beside = w.take("tools/list");
    let batch = json!([
        result(sent.rpc_id(), json!({ "of": "a" })),
        result(beside.rpc_id(), json!({ "of": "b" })),
    ]);
    w.answer(&sent, 200).json(&batch);
    assert_eq!(w.result(call), json!({ "of": "a" }));
    assert_eq!(w.result(other), json!({ "of": "b" }));
}

#[test]
fn the_id_of_an_ask_is_kept_up_to_1_kib() {
    for (length, kept) in [(1022, true), (1023, false)] {
        let (mut w, _, sent) = World::under_way();
        let ask = request("i".repeat(length), "elicitation/create", json!({}));
        w.answer(&sent, 200).stream(&[ask]);
        let asked = w.events.iter().any(|event| matches!(event, Event::Ask(_)));
        assert_eq!(
            (asked, unreadable(&w)),
            (kept, usize::from(!kept)),
            "{length}"
        );
    }
}

#[test]
fn the_result_of_initialize_has_a_limit() {
    let size = initialized("2025-11-25").to_string().len();
    for (limit, fits) in [(size, true), (size - 1, false)] {
        let mut w = World::new(config().limits(limits(|limits| limits.initialize = limit)));
        let call = w.call("tools/call");
        w.accept_initialize("s1");
        if fits {
            assert_eq!(w.phase(), Phase::Confirming);
        } else {
            let error = w.error(call);
            assert!(
                matches!(error.reason(), Reason::Limit(limit) if limit.kind == LimitKind::Initialize),
                "{error}"
            );
            assert!(w.has("DELETE"), "the session that it opened is ended");
        }
    }
}

#[test]
fn an_error_that_nobody_reads_counts_as_buffered() {
    let mut w = World::ready();
    w.reading = false;
    w.call("tools/call");
    let sent = w.take("tools/call");
    let long = "x".repeat(100_000);
    w.answer(&sent, 200).json(&rpc_error(99_999, -1, &long));
    assert!(w.connection.status().buffered >= 100_000);
}

#[test]
fn whatever_nobody_reads_counts_as_buffered() {
    let long = "x".repeat(100_000);
    let mut w = World::initializing();
    w.reading = false;
    let sent = w.take("initialize");
    let mut said = initialized("2025-11-25");
    said["capabilities"]["experimental"] = json!({ "x": { "long": long } });
    w.answer(&sent, 200).result(said);
    w.accept("notifications/initialized");
    let unread = |w: &World| w.connection.status().buffered / 100_000;
    assert_eq!(unread(&w), 2, "the result, and the capabilities in it");
    let (_, sent) = w.stream("tools/list");
    w.event(&sent, &request(1, "roots/list", json!({ "long": long })));
    assert_eq!(unread(&w), 3, "a question");
    let (_, sent) = w.stream("tools/call");
    w.event(&sent, &result(sent.rpc_id(), json!({ "long": long })));
    assert_eq!(unread(&w), 4, "a reply");
    w.reading = true;
    w.read();
    assert_eq!(unread(&w), 0);
}

#[test]
fn no_server_sends_anybody_away_for_centuries() {
    let (mut w, call, sent) = World::under_way();
    w.answer(&sent, 429)
        .header("retry-after", "18446744073709551615")
        .empty();
    let error = w.error(call);
    assert_eq!(error.remedy(), Remedy::RetryAfter(secs(86_400)));
}

#[test]
fn hold_lets_calls_pass_that_restore_before_the_new_session_is_ready() {
    let mut w = World::recovering_with(|config| config.recovery(Recovery::Hold));
    let restore = w.call("resources/subscribe");
    w.recover("s2");
    assert_eq!(w.phase(), Phase::Held);
    w.succeed("resources/subscribe");
    w.reply(restore);
    let now = w.now;
    w.connection.resume(now).unwrap();
}

#[test]
fn a_late_404_of_an_old_session_makes_no_handshake_after_a_failed_one() {
    let mut w = World::ready();
    let first = w.call("tools/call");
    let late = w.call("tools/list");
    let gone = w.take("tools/call");
    let held = w.take("tools/list");
    w.answer(&gone, 404).empty();
    let sent = w.wait_for("initialize");
    w.answer(&sent, 503).empty();
    assert_eq!(w.error(first).delivery(), Delivery::Rejected);
    let handshakes = w.count("initialize");
    w.answer(&held, 404).empty();
    let error = w.error(late);
    assert_eq!(error.reason(), &Refused::Unavailable.into(), "{error}");
    assert_eq!(error.delivery(), Delivery::Rejected);
    w.advance(secs(100));
    assert_eq!(w.count("initialize"), handshakes);
}

#[test]
fn a_spent_budget_is_what_the_handshake_error_says() {
    let mut w = World::spent();
    w.connect();
    let error = w
        .connection
        .handshake_error()
        .expect("no session could be made");
    assert!(
        error.to_string().contains("no session could be kept"),
        "{error}"
    );
    let wait = error.retry_after().expect("it says when to come back");
    w.advance(wait);
    w.connect();
    w.establish("s1");
    let error = w.connection.handshake_error();
    assert_eq!(error, None, "there is a session");
}

#[test]
fn what_changed_is_told_against_the_session_that_was_seen_last() {
    let mut w = World::ready();
    let call = w.call("tools/call");
    w.answer_all("tools/call", 404);
    // A session of another revision that dies before it is ready …
    for last in [false, true] {
        let sent = w.wait_for("initialize");
        let mut other = initialized("2025-06-18");
        other["capabilities"] = server_capabilities();
        w.answer(&sent, 200)
            .header("mcp-session-id", "s2")
            .result(other);
        let sent = w.take("notifications/initialized");
        w.answer(&sent, if last { 202 } else { 404 }).empty();
    }
    // … does not hide that the next one is of another revision, too.
    let ready = w.ready_event();
    assert!(ready.changed.revision);
    assert!(!ready.changed.capabilities);
    w.cancel(call);
}

#[test]
fn no_retry_after_undercuts_the_time_between_handshakes() {
    let mut w = World::initializing();
    let sent = w.take("initialize");
    w.answer(&sent, 429).header("retry-after", "0").empty();
    w.advance(millis(900));
    assert_eq!(w.count("initialize"), 1);
    w.advance(millis(500));
    assert_eq!(w.count("initialize"), 2);
}

#[test]
fn a_handshake_that_was_redirected_first_counts_although_it_then_reached_nobody() {
    let mut w = World::new(config());
    for _ in 0..3 {
        w.connect();
        let sent = w.wait_for("initialize");
        w.answer(&sent, 307)
            .header("location", "/elsewhere")
            .empty();
        let sent = w.take("initialize");
        w.fail(&sent, refused_connection());
        w.advance(secs(1));
    }
    let call = w.call("tools/call");
    let error = w.error(call);
    assert!(
        error
            .to_string()
            .contains("no session could be kept in 3 handshakes"),
        "{error}"
    );
}

#[test]
fn an_answer_makes_room_although_nobody_reads_events() {
    let mut w = World::limited(|limits| limits.open_asks = 1);
    let (_, sent) = w.begin("tools/call");
    let ask = |id: &str| request(id, "elicitation/create", json!({}));
    w.answer(&sent, 200).stream(&[ask("a"), ask("b")]);
    let ticket = w.ask().ticket;
    assert!(!w.connection.wants_read(sent.exchange));
    w.reading = false;
    w.reply_to(ticket);
    assert!(w.connection.wants_read(sent.exchange));
}
