//! Each limit is exact: kept at N, refused or held back at N + 1.

use mcp_http::{
    CallId, CallOptions, Delivery, Error, Event, LimitExceeded, LimitKind, Limits, Reason,
};
use serde_json::json;

use crate::world::{Sent, World, echo, log, notification, request, reset, result, secs};

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
    let Some(Event::Gap { missed }) = w.connection.poll_event() else {
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
