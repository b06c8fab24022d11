//! Each limit is exact: kept at N, refused or held back at N + 1.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use mcp_http::{
    CallId, CallOptions, Delivery, Error, Event, LimitExceeded, LimitKind, Limits, Reason, Retries,
};
use serde_json::json;

use crate::world::{
    Sent, World, echo, log, millis, notification, request, reset, result, rpc_error, secs,
};

fn exceeded(error: &Error) -> LimitKind {
    match error.reason() {
        Reason::Limit(LimitExceeded { kind, .. }) => *kind,
        reason => panic!("no limit: {reason:?}"),
    }
}

fn streaming(mut w: World) -> (World, CallId, Sent) {
    let (call, sent) = w.stream("tools/call");
    (w, call, sent)
}

#[test]
fn defaults_are_the_documented_ones() {
    let limits = Limits::default();
    assert_eq!((limits.open_calls, limits.control_exchanges), (1024, 64));
    assert_eq!((limits.unread, limits.unread_bytes), (256, 1 << 20));
    assert_eq!((limits.line, limits.event), (16 << 20, 16 << 20));
    assert_eq!((limits.json_body, limits.error_body), (64 << 20, 64 << 10));
    assert_eq!((limits.subscriptions, limits.buffers), (1024, 256 << 20));
}

#[test]
fn open_calls() {
    let mut w = World::limited(|limits| limits.open_calls = 3);
    let one_more = |w: &mut World| w.connection.call("x", &(), CallOptions::new(), w.now);
    for _ in 0..3 {
        one_more(&mut w).unwrap();
    }
    let error = one_more(&mut w).unwrap_err();
    assert_eq!(
        (exceeded(&error), error.delivery()),
        (LimitKind::OpenCalls, Delivery::NotSent)
    );
    w.reading = false;
    w.drive();
    let sent = w.take("x");
    w.answer(&sent, 200).result(json!({}));
    one_more(&mut w).expect_err("its end was not read");
    w.read();
    one_more(&mut w).unwrap();
}

#[test]
fn open_notifications() {
    let mut w = World::limited(|limits| limits.open_notifications = 2);
    w.notify("notifications/x");
    w.notify("notifications/x");
    let one_more = |w: &mut World| w.connection.notify("notifications/y", &(), w.now);
    assert_eq!(
        exceeded(&one_more(&mut w).unwrap_err()),
        LimitKind::OpenNotifications
    );
    w.reading = false;
    w.accept("notifications/x");
    one_more(&mut w).expect_err("its end was not read");
    w.read();
    one_more(&mut w).unwrap();
}

#[test]
fn open_notifications_are_not_what_came_of_answers() {
    let (mut w, _, sent) = streaming(World::limited(|limits| limits.open_notifications = 1));
    w.event(&sent, &request("q", "roots/list", json!({})));
    let ticket = w.ask().ticket;
    w.reading = false;
    w.reply_to(ticket);
    w.accept("answer");
    w.notify("notifications/x");
}

#[test]
fn open_notifications_under_suspicion_count() {
    let mut w = World::limited(|limits| limits.open_notifications = 1);
    w.notify("notifications/x");
    w.answer_all("notifications/x", 400);
    w.connection
        .notify("notifications/y", &(), w.now)
        .unwrap_err();
}

#[test]
fn control_exchanges_wait_their_turn() {
    let mut w = World::limited(|limits| limits.control_exchanges = 2);
    for _ in 0..3 {
        w.notify("notifications/x");
    }
    assert_eq!(w.open.len(), 2);
    w.call("tools/call");
    assert!(w.has("tools/call"), "calls have no window");
    w.accept("notifications/x");
    assert_eq!(w.count("notifications/x"), 3);
}

#[test]
fn calls_have_no_window() {
    let mut w = World::ready();
    for _ in 0..1024 {
        w.connection
            .call("tools/call", &echo(), CallOptions::new(), w.now)
            .unwrap();
    }
    w.drive();
    assert_eq!(w.open.len(), 1024);
    let one_more = w
        .connection
        .call("tools/call", &echo(), CallOptions::new(), w.now);
    assert_eq!(exceeded(&one_more.unwrap_err()), LimitKind::OpenCalls);
}

#[test]
fn open_asks_hold_the_stream_back() {
    let (mut w, _, sent) = streaming(World::limited(|limits| limits.open_asks = 2));
    for id in 1..=2 {
        w.event(&sent, &request(id, "roots/list", json!({})));
    }
    assert!(w.connection.wants_read(sent.exchange));
    w.event(&sent, &request(3, "roots/list", json!({})));
    assert!(!w.connection.wants_read(sent.exchange));
    let ticket = w.ask().ticket;
    w.reply_to(ticket);
    assert!(w.connection.wants_read(sent.exchange));
}

/// A server that refuses each answer with a suspicious 400, and leaves the ping that is to find
/// out about that unanswered.
#[test]
fn open_asks_count_answers_in_doubt() {
    for method in ["ping", "roots/list"] {
        let (mut w, _, sent) = streaming(World::limited(|limits| limits.open_asks = 4));
        for id in 1..=6 {
            w.event(&sent, &request(id, method, json!({})));
            if w.events.iter().any(|event| matches!(event, Event::Ask(_))) {
                let ticket = w.ask().ticket;
                w.reply_to(ticket);
            }
            w.answer_all("answer", 400);
        }
        assert_eq!(w.count("answer"), 4, "{method}");
        assert!(!w.connection.wants_read(sent.exchange));
        w.succeed("ping");
        assert!(w.connection.wants_read(sent.exchange));
        assert!(w.has("answer") || w.ask().method == method, "it goes on");
    }
}

#[test]
fn refusals_in_doubt_count_with_all_buffers() {
    let mut w = World::ready();
    let call = w.call("tools/call");
    let cancelled = w.call("tools/call");
    w.notify("notifications/x");
    for sent in std::mem::take(&mut w.open) {
        let error = rpc_error(json!(null), -32000, &"x".repeat(10_000));
        w.answer(&sent, 400).json(&error);
    }
    assert!(w.connection.status().buffered > 30_000);
    w.cancel(cancelled);
    assert!(w.connection.status().buffered < 30_000);
    w.succeed("ping");
    w.rpc_error(call);
    assert_eq!(w.connection.status().buffered, 0);
}

/// Nobody waits for what becomes of a cancellation: it is not kept for what a ping finds out.
#[test]
fn cancellations_that_are_refused_are_not_kept() {
    let mut w = World::ready();
    for _ in 0..3 {
        let (call, sent) = w.begin("tools/call");
        w.cancel(call);
        let cancel = w.take("notifications/cancelled");
        w.answer(&cancel, 400).body("x".repeat(10_000));
        assert!(w.aborted.contains(&sent.exchange));
    }
    assert_eq!(w.connection.status().buffered, 0);
    assert_eq!(w.count("ping"), 1, "the session is in doubt");
}

/// What all who wait are told is no longer than the body of a refusal that is read.
#[test]
fn error_body_bounds_the_error_of_a_handshake() {
    for (length, whole) in [(1000, true), (1_000_000, false)] {
        let mut w = World::initializing();
        w.reading = false;
        let calls: Vec<_> = (0..100).map(|_| w.call("tools/call")).collect();
        let sent = w.take("initialize");
        let error = rpc_error(sent.rpc_id(), -32000, &"x".repeat(length));
        w.answer(&sent, 200).json(&error);
        let held = w.connection.status().buffered;
        assert!(held <= 101 * 1024, "{held}");
        w.read();
        for call in calls {
            let error = w.error(call);
            let rpc = error.rpc_error().unwrap();
            assert_eq!(rpc.code, -32000);
            assert_eq!(rpc.message.len() == length, whole);
        }
    }
}

#[test]
fn open_asks_hold_pings_back_that_cannot_be_answered_yet() {
    let mut w = World::limited(|limits| {
        limits.open_asks = 2;
        limits.control_exchanges = 1;
    });
    w.notify("notifications/x");
    let (mut w, _, sent) = streaming(w);
    for id in 1..=50 {
        w.event(&sent, &request(id, "ping", json!({})));
    }
    assert!(!w.connection.wants_read(sent.exchange));
    w.accept("notifications/x");
    for _ in 1..=50 {
        w.accept("answer");
    }
    assert!(w.connection.wants_read(sent.exchange));
}

#[test]
fn unread_by_count() {
    let (mut w, _, sent) = streaming(World::limited(|limits| limits.unread = 3));
    w.reading = false;
    for _ in 0..3 {
        w.event(&sent, &log("x"));
    }
    assert!(w.connection.wants_read(sent.exchange));
    w.event(&sent, &log("x"));
    assert!(!w.connection.wants_read(sent.exchange));
}

#[test]
fn unread_by_bytes() {
    let message = notification("n", json!({ "x": 1 }));
    let size = "n".len() + r#"{"x":1}"#.len();
    for (room, fits) in [(2 * size, true), (2 * size - 1, false)] {
        let (mut w, _, sent) = streaming(World::limited(|limits| limits.unread_bytes = room));
        w.reading = false;
        w.event(&sent, &message);
        w.event(&sent, &message);
        assert_eq!(w.connection.wants_read(sent.exchange), fits, "{room}");
    }
}

/// An event of so many bytes of data, with and without its field name.
fn sized(data: usize) -> String {
    let mut text = log("").to_string();
    let blanks = data - text.len();
    text.insert_str(1, &" ".repeat(blanks));
    format!("data: {text}\n\n")
}

/// A message of 500 bytes, at a limit that it just keeps and at one that it does not.
fn at_its_limit(kind: LimitKind, least: usize, set: fn(&mut Limits, usize)) {
    for (limit, kept) in [(least, true), (least - 1, false)] {
        let (mut w, call, sent) = streaming(World::limited(|limits| set(limits, limit)));
        w.chunk(&sent, sized(500));
        assert_eq!(
            (w.messages().len(), w.ended(call)),
            (usize::from(kept), !kept),
            "{limit}"
        );
        if !kept {
            assert_eq!(exceeded(&w.error(call)), kind);
        }
    }
}

#[test]
fn line() {
    let field = "data: ".len();
    at_its_limit(LimitKind::Line, field + 500, |limits, line| {
        limits.line = line
    });
}

#[test]
fn event() {
    at_its_limit(LimitKind::Event, 500, |limits, event| limits.event = event);
}

#[test]
fn json_body() {
    for (over, kept) in [(0, true), (1, false)] {
        let mut w = World::limited(|limits| limits.json_body = 2000);
        let call = w.call("tools/call");
        let sent = w.take("tools/call");
        let mut body = result(sent.rpc_id(), json!({})).to_string();
        body.push_str(&" ".repeat(2000 + over - body.len()));
        w.answer(&sent, 200)
            .header("content-type", "application/json")
            .head();
        for chunk in body.as_bytes().chunks(333) {
            w.chunk(&sent, chunk.to_vec());
        }
        if kept {
            w.end(&sent);
            w.reply(call);
        } else {
            assert_eq!(exceeded(&w.error(call)), LimitKind::JsonBody);
            assert_eq!(w.aborted, [sent.exchange]);
        }
    }
}

#[test]
fn error_body_is_read_no_further() {
    for (over, done) in [(0, false), (1, true)] {
        let (mut w, call, sent) = World::under_way();
        w.answer(&sent, 500).head();
        w.chunk(&sent, vec![b'x'; (64 << 10) + over]);
        assert_eq!(w.ended(call), done, "{over}");
        assert_eq!(w.aborted.contains(&sent.exchange), done, "{over}");
    }
}

#[test]
fn error_body_an_own_error_of_just_this_size_is_read() {
    let mut w = World::ready_without_id();
    let call = w.call("tools/call");
    let sent = w.take("tools/call");
    let mut body = crate::world::rpc_error(sent.rpc_id(), -1, "own").to_string();
    body.push_str(&" ".repeat((64 << 10) - body.len()));
    w.answer(&sent, 500).body(body);
    assert_eq!(w.rpc_error(call).code, -1);
}

#[test]
fn what_nobody_waits_for_is_read_no_further_than_an_error_body() {
    let mut w = World::ready();
    w.notify("notifications/x");
    let sent = w.take("notifications/x");
    w.answer(&sent, 200).head();
    w.chunk(&sent, vec![b'x'; 64 << 10]);
    assert!(w.aborted.is_empty());
    w.chunk(&sent, "x");
    assert_eq!(w.aborted, [sent.exchange]);
}

#[test]
fn buffers_of_all_exchanges_together() {
    let mut w = World::limited(|limits| limits.buffers = 10_000);
    let (first, second) = (w.call("tools/call"), w.call("tools/list"));
    let (one, two) = (w.take("tools/call"), w.take("tools/list"));
    for sent in [&one, &two] {
        w.answer(sent, 200)
            .header("content-type", "application/json")
            .head();
        w.chunk(sent, vec![b' '; 5_000]);
    }
    assert_eq!(w.connection.status().buffered, 10_000);
    assert!(!w.ended(first) && !w.ended(second));
    w.chunk(&two, " ");
    assert_eq!(exceeded(&w.error(second)), LimitKind::Buffers);
    assert!(!w.ended(first), "the other goes on");
    assert_eq!(w.connection.status().buffered, 5_000);
}

/// It is not another exchange that fails for it.
#[test]
fn buffers_count_the_place_of_a_stream_that_is_resumed() {
    let mut w = World::limited(|limits| limits.buffers = 10_000);
    let (resumed, sent) = w.stream("tools/call");
    w.event_with_id(&sent, &"x".repeat(500), &log("one"));
    w.fail(&sent, reset());
    let get = w.wait_for("GET");
    let other = w.call("tools/list");
    let sent = w.take("tools/list");
    w.answer(&sent, 200)
        .header("content-type", "application/json")
        .head();
    w.chunk(&sent, vec![b' '; 9_800]);
    w.answer(&get, 200).stream(&[]);
    assert_eq!(exceeded(&w.error(resumed)), LimitKind::Buffers);
    assert_eq!(w.connection.status().buffered, 9_800);
    w.chunk(&sent, " ");
    assert!(!w.ended(other), "the other goes on");
}

#[test]
fn buffers_count_what_is_not_read() {
    let (mut w, call, sent) = streaming(World::limited(|limits| {
        limits.buffers = 10_000;
        limits.unread = 1;
    }));
    w.reading = false;
    while w.connection.status().buffered <= 9_900 {
        w.event(&sent, &log("noise"));
    }
    w.event(&sent, &log(&"x".repeat(500)));
    w.reading = true;
    w.drive();
    assert_eq!(exceeded(&w.error(call)), LimitKind::Buffers);
    assert_eq!(w.connection.status().buffered, 0);
}

#[test]
fn session_events_that_nobody_reads_give_way_and_leave_a_gap() {
    let mut w = World::ready();
    w.reading = false;
    for _ in 0..300 {
        w.advance(secs(40));
        let call = w
            .connection
            .call("x", &(), CallOptions::new(), w.now)
            .unwrap();
        w.drive();
        w.answer_all("x", 404);
        w.connection.cancel(call, w.now).unwrap();
        w.advance(secs(3));
        w.establish("s");
        let is_end = |event: &Event| matches!(event, Event::Fail { .. });
        w.connection
            .poll_event_where(is_end)
            .expect("the call's end");
    }
    let Some(Event::Gap {
        missed: Some(missed),
    }) = w.connection.poll_event()
    else {
        panic!("no gap")
    };
    assert_eq!(missed, 600 - 256, "a loss and a new session each");
}

fn subscribe(w: &mut World, uri: &str) -> Result<CallId, Error> {
    let params = json!({ "uri": uri });
    let options = CallOptions::new();
    let call = w
        .connection
        .call("resources/subscribe", &params, options, w.now);
    w.drive();
    call
}

#[test]
fn subscriptions() {
    let mut w = World::limited(|limits| limits.subscriptions = 2);
    for uri in ["a:", "b:"] {
        subscribe(&mut w, uri).unwrap();
        w.succeed("resources/subscribe");
    }
    let error = subscribe(&mut w, "c:").unwrap_err();
    assert_eq!(
        (exceeded(&error), error.delivery(), error.method()),
        (
            LimitKind::Subscriptions,
            Delivery::NotSent,
            Some("resources/subscribe")
        )
    );
    subscribe(&mut w, "b:").expect("it is one of the two");
    w.succeed("resources/subscribe");
    let params = json!({ "uri": "a:" });
    let options = CallOptions::new();
    w.connection
        .call("resources/unsubscribe", &params, options, w.now)
        .unwrap();
    w.drive();
    subscribe(&mut w, "c:").expect_err("it is not granted yet");
    w.succeed("resources/unsubscribe");
    subscribe(&mut w, "c:").unwrap();
}

#[test]
fn subscriptions_that_are_not_granted_yet_count() {
    let mut w = World::limited(|limits| limits.subscriptions = 2);
    subscribe(&mut w, "a:").unwrap();
    subscribe(&mut w, "b:").unwrap();
    subscribe(&mut w, "b:").expect("it is one of the two");
    subscribe(&mut w, "c:").unwrap_err();
    w.answer_all("resources/subscribe", 422);
    subscribe(&mut w, "c:").expect("none was granted");
}

#[test]
fn open_asks_of_the_listening_stream_count_with_those_of_calls() {
    let w = World::ready_with(|c| {
        c.listen(true)
            .limits(crate::world::limits(|limits| limits.open_asks = 2))
    });
    let (mut w, _, sent) = streaming(w);
    let get = w.reopen();
    w.event(&get, &request(1, "roots/list", json!({})));
    w.event(&sent, &request(2, "roots/list", json!({})));
    w.event(&sent, &request(3, "roots/list", json!({})));
    assert!(!w.connection.wants_read(sent.exchange));
    let ticket = w.ask().ticket;
    w.reply_to(ticket);
    w.accept("answer");
    assert!(w.connection.wants_read(sent.exchange));
}

#[test]
fn line_and_event_of_a_resumed_and_of_the_listening_stream() {
    for over in [0, 1] {
        let field = "data: ".len();
        let limits = crate::world::limits(|limits| limits.line = field + 500 - over);
        let w = World::ready_with(|c| c.listen(true).limits(limits));
        let (mut w, call, sent) = w.and_primed(CallOptions::new());
        let listening = w.reopen();
        w.chunk(&listening, sized(500));
        let degraded = w
            .events
            .iter()
            .filter(|event| matches!(event, Event::StreamDegraded { .. }));
        assert_eq!((degraded.count(), w.messages().len()), (over, 1 - over));
        w.fail(&sent, reset());
        let get = std::iter::from_fn(|| Some(w.wait_for("GET")))
            .find(|get| get.cursor() == Some("p"))
            .unwrap();
        w.answer(&get, 200).stream(&[]);
        w.chunk(&get, sized(500));
        assert_eq!((w.ended(call), w.messages().len()), (over == 1, 1 - over));
        if over == 1 {
            assert_eq!(exceeded(&w.error(call)), LimitKind::Line);
            assert!(w.aborted.contains(&get.exchange));
        }
    }
}

#[test]
fn buffers_of_the_listening_stream_are_its_own_concern() {
    let w = World::ready_with(|c| {
        c.listen(true)
            .limits(crate::world::limits(|limits| limits.buffers = 10_000))
    });
    let (mut w, call, sent) = streaming(w);
    let get = w.reopen();
    w.chunk(&get, vec![b'x'; 10_000]);
    assert_eq!(w.connection.status().buffered, 10_000);
    w.chunk(&get, "x");
    let error = w.degraded();
    assert_eq!(exceeded(&error), LimitKind::Buffers);
    assert_eq!(w.connection.status().buffered, 0);
    w.event(&sent, &result(sent.rpc_id(), json!({})));
    w.reply(call);
}

/// Bytes that tell whether somebody still holds them.
struct Lent {
    bytes: Vec<u8>,
    _alive: Arc<()>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

fn lent(text: impl Into<Vec<u8>>) -> (Bytes, Weak<()>) {
    let alive = Arc::new(());
    let held = Arc::downgrade(&alive);
    let lent = Lent {
        bytes: text.into(),
        _alive: alive,
    };
    (Bytes::from_owner(lent), held)
}

const LONG: usize = 1 << 20;

fn comment() -> String {
    format!(":{}\n", "x".repeat(LONG))
}

/// What is counted is what is held, even if it came in the company of much more.
#[test]
fn buffers_count_what_is_kept_alive() {
    let mut w = World::ready();
    let (_, sent) = w.stream("tools/call");
    for event in ["data: x\n", "id: x\n", "event: x\n", "data: x\nid: x\n"] {
        let (chunk, held) = lent(comment() + event);
        w.chunk(&sent, chunk);
        assert_eq!(held.strong_count(), 0, "{event}");
    }
    // Most of the chunk: it may stay where it is.
    let (chunk, held) = lent(format!("data: {}\n", "x".repeat(LONG)));
    w.chunk(&sent, "\n");
    w.chunk(&sent, chunk);
    assert_eq!(held.strong_count(), 1);
    assert!(w.connection.status().buffered >= LONG);
}

#[test]
fn buffers_count_what_is_kept_alive_by_what_finds_no_room() {
    let one = crate::world::event_with_id("1", &log("x"));
    let batch = json!([log("x"), log("y")]).to_string();
    let batch = format!("data: {batch}\n\n");
    for waits in [one.clone(), one.repeat(3), batch.clone(), one + &batch] {
        let mut w = World::ready_at("2025-03-26");
        let (_, sent) = w.stream("tools/call");
        w.reading = false;
        while w.connection.wants_read(sent.exchange) {
            w.event(&sent, &log("x"));
        }
        let (chunk, held) = lent(comment() + &waits);
        w.chunk(&sent, chunk);
        // It has found out what is in the chunk when there was room for one more.
        w.connection.poll_event().unwrap();
        assert_eq!(held.strong_count(), 0, "{waits}");
        assert!(w.connection.status().buffered < LONG);
        w.reading = true;
        w.drive();
        let expected = 256 + waits.matches("jsonrpc").count();
        assert!(w.logs().len() >= expected, "nothing is lost: {waits}");
    }
}

#[test]
fn retries_are_the_documented_ones() {
    let retries = Retries::default();
    assert_eq!((retries.floor, retries.ceiling), (millis(100), secs(300)));
    assert_eq!((retries.first, retries.longest), (secs(1), secs(30)));
    assert_eq!((retries.failures, retries.resends), (5, 2));
    assert_eq!((retries.lived, retries.pause), (secs(5), secs(300)));
    assert_eq!((retries.barren, retries.slow), (3, secs(1)));
}

#[test]
fn retries_are_as_they_are_configured() {
    let mut retries = Retries::default();
    retries.floor = millis(200);
    retries.ceiling = secs(20);
    retries.first = millis(200);
    retries.longest = millis(400);
    retries.failures = 2;
    retries.resends = 1;
    retries.pause = secs(60);
    retries.barren = 1;
    retries.slow = secs(2);
    let world = || World::ready_with(|c| c.retries(retries).listen(true));
    let delay = |w: &mut World| {
        let from = w.now;
        let get = w.wait_for("GET");
        (get.at.since(from), get)
    };
    // The first barren exchange slows it down; two failures are all.
    let mut w = world();
    let get = w.reopen();
    w.fail(&get, reset());
    let (waited, get) = delay(&mut w);
    assert_eq!(waited, secs(2));
    w.fail(&get, reset());
    assert_eq!(delay(&mut w).0, secs(60));
    // The floor, and the ceiling.
    for (told, waits) in [("0", 200), ("20000", 20_000), ("20001", 60_000)] {
        let mut w = world();
        let get = w.reopen();
        w.event(&get, &log("x"));
        w.chunk(&get, format!("retry: {told}\n\n"));
        w.end(&get);
        assert_eq!(delay(&mut w).0, millis(waits), "{told}");
    }
    // Sent again once, after the delay of a first failure.
    let mut w = world();
    let call = w.call("tools/call");
    w.answer_all("tools/call", 429);
    assert_eq!(w.wake(), millis(200));
    w.answer_all("tools/call", 429);
    w.error(call);
}

/// No number makes a storm.
#[test]
fn retries_of_nothing_are_raised() {
    let mut retries = Retries::default();
    for time in [
        &mut retries.floor,
        &mut retries.ceiling,
        &mut retries.first,
        &mut retries.longest,
        &mut retries.lived,
        &mut retries.slow,
        &mut retries.pause,
    ] {
        *time = secs(0);
    }
    (retries.failures, retries.barren) = (0, 0);
    let mut w = World::ready_with(|c| c.retries(retries).listen(true));
    let mut get = w.reopen();
    w.chunk(&get, "retry: 0\n\n");
    for _ in 0..100 {
        let from = w.now;
        w.end(&get);
        get = w.reopen();
        assert!(get.at.since(from) >= millis(1));
    }
}

#[test]
fn errors_told_about_the_connection_count_with_all_buffers() {
    let mut w = World::ready();
    w.reading = false;
    let filter = mcp_http::SubscriptionFilter::new()
        .resource("1")
        .resource("2");
    w.listen_to(filter);
    for told in 1..=2 {
        let sent = w.take("resources/subscribe");
        let error = json!({ "code": -1, "message": "no", "data": "x".repeat(100_000) });
        let body = json!({ "jsonrpc": "2.0", "id": sent.rpc_id(), "error": error });
        w.answer(&sent, 200).json(&body);
        assert!(w.connection.status().buffered > told * 100_000);
    }
}
