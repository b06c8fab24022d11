//! Law 8 where no error names the limit: what is not done twice, not kept alive, not piled up.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use mcp_http::CallOptions;
use serde_json::{Value, json};

use crate::world::{Sent, World, event, log, notification, request, reset, result};

/// Progress of a call that has ended is dropped as soon as somebody looks at it. So this one,
/// which waits for more room than there is, tells whether it is looked at with each event.
#[test]
fn what_waits_for_room_is_not_read_again_with_each_event_polled() {
    let mut w = World::limited(|limits| limits.unread_bytes = 10_000);
    let call = w.call_with("tools/call", CallOptions::new().progress());
    let asked = w.take("tools/call");
    let token = asked.json()["params"]["_meta"]["progressToken"].clone();
    let (_, other) = w.stream("tools/list");
    w.reading = false;
    for _ in 0..100 {
        w.event(&other, &log("x"));
    }
    let progress = json!({ "progressToken": token, "progress": 1, "message": "x".repeat(20_000) });
    w.event(&other, &notification("notifications/progress", progress));
    w.answer(&asked, 200).result(json!({}));
    for unread in (0..100).rev() {
        let message = |event: &mcp_http::Event| matches!(event, mcp_http::Event::Message(_));
        w.connection.poll_event_where(message).expect("a message");
        assert_eq!(w.connection.wants_read(other.exchange), unread == 0);
    }
    w.reading = true;
    w.drive();
    w.reply(call);
    assert!(
        w.events.is_empty(),
        "what came late is dropped: {:?}",
        w.events
    );
}

/// The same for a question: nobody asks it any more when its session is gone.
#[test]
fn what_waits_for_room_for_a_question_is_not_read_again_either() {
    let mut w = World::limited(|limits| {
        limits.open_asks = 1;
        limits.control_exchanges = 1;
    });
    w.notify("notifications/x");
    let (_, asking) = w.stream("tools/list");
    w.event(&asking, &request(1, "roots/list", json!({})));
    let ticket = w.ask().ticket;
    w.reply_to(ticket);
    w.event(&asking, &request(2, "roots/list", json!({})));
    w.call("tools/call");
    w.answer_all("tools/call", 404);
    assert_eq!(w.reinitialized(), 1, "an event was polled");
    assert!(!w.connection.wants_read(asking.exchange));
    w.accept("notifications/x");
    assert!(w.connection.wants_read(asking.exchange));
}

/// Bytes that an adapter lends.
struct Lent {
    bytes: Vec<u8>,
    _here: Arc<()>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// A chunk, and what is gone when nobody keeps the chunk any more.
fn lend(text: &str) -> (Bytes, Weak<()>) {
    let here = Arc::new(());
    let gone = Arc::downgrade(&here);
    let bytes = text.as_bytes().to_vec();
    (Bytes::from_owner(Lent { bytes, _here: here }), gone)
}

/// How a payload may come in a chunk, which holds as many blanks besides.
type Wrap = fn(&Sent, Value, &str) -> String;

const WRAPS: [(&str, &str, Wrap); 6] = [
    ("a body", "application/json", |sent, payload, blanks| {
        result(sent.rpc_id(), payload).to_string() + blanks
    }),
    ("a batch", "application/json", |sent, payload, blanks| {
        format!("{blanks}[{}]", result(sent.rpc_id(), payload))
    }),
    ("a reply", "text/event-stream", |sent, payload, blanks| {
        format!(":{blanks}\n{}", event(&result(sent.rpc_id(), payload)))
    }),
    ("a message", "text/event-stream", |_, payload, blanks| {
        format!(":{blanks}\n{}", event(&notification("n", payload)))
    }),
    ("a question", "text/event-stream", |_, payload, blanks| {
        let question = request(1, "roots/list", payload);
        format!(":{blanks}\n{}", event(&question))
    }),
    (
        "progress",
        "text/event-stream",
        |sent, mut payload, blanks| {
            payload["progressToken"] = sent.json()["params"]["_meta"]["progressToken"].clone();
            let progress = notification("notifications/progress", payload);
            format!(":{blanks}\n{}", event(&progress))
        },
    ),
];

/// Has the payload come in a chunk of its own; gives the text that the application got, as the
/// event that keeps it, and the chunk.
fn received(wrap: Wrap, content_type: &str, payload: usize, blanks: usize) -> Received {
    let mut w = World::ready_at("2025-03-26");
    w.call_with("tools/call", CallOptions::new().progress());
    let sent = w.take("tools/call");
    let payload = json!({ "x": "y".repeat(payload) });
    let (chunk, kept) = lend(&wrap(&sent, payload, &" ".repeat(blanks)));
    let place = chunk.as_ptr_range();
    w.answer(&sent, 200)
        .header("content-type", content_type)
        .head();
    w.chunk(&sent, chunk);
    w.end(&sent);
    let event = w.events.remove(0);
    let text = match &event {
        mcp_http::Event::Ask(ask) => ask.params.as_ref(),
        mcp_http::Event::Message(message) => message.params.as_ref(),
        mcp_http::Event::Reply { reply, .. } => reply.outcome.as_ref().ok(),
        _ => None,
    };
    let text = text
        .unwrap_or_else(|| panic!("no payload: {event:?}"))
        .as_str();
    assert!(text.contains("yyy"));
    let lies_in_it = place.contains(&text.as_ptr());
    Received {
        event,
        kept,
        lies_in_it,
    }
}

struct Received {
    event: mcp_http::Event,
    kept: Weak<()>,
    lies_in_it: bool,
}

#[test]
fn a_small_payload_keeps_no_large_chunk_alive() {
    for (name, content_type, wrap) in WRAPS {
        let Received { event, kept, .. } = received(wrap, content_type, 1_000, 1 << 20);
        assert!(kept.upgrade().is_none(), "{name}");
        drop(event);
    }
}

#[test]
fn a_payload_that_fills_its_chunk_is_not_copied() {
    for (name, content_type, wrap) in WRAPS {
        let came = received(wrap, content_type, 1 << 20, 1_000);
        assert!(came.lies_in_it && came.kept.upgrade().is_some(), "{name}");
        drop(came.event);
        assert!(
            came.kept.upgrade().is_none(),
            "{name}: nobody else keeps it"
        );
    }
}

/// Calls, and gives the call up at once, which the server is told and does not answer.
fn given_up(w: &mut World) -> Sent {
    let (call, sent) = w.begin("tools/call");
    w.cancel(call);
    sent
}

#[test]
fn cancelled_exchanges_linger_no_more_than_calls_may_be_open() {
    let mut w = World::limited(|limits| limits.open_calls = 2);
    let first = given_up(&mut w);
    given_up(&mut w);
    assert!(w.aborted.is_empty());
    given_up(&mut w);
    assert_eq!(w.aborted, [first.exchange], "the oldest gives way");
}

#[test]
fn a_cancelled_exchange_that_is_over_lingers_no_more() {
    let mut w = World::limited(|limits| limits.open_calls = 3);
    let first = given_up(&mut w);
    w.take("notifications/cancelled");
    let second = given_up(&mut w);
    w.accept("notifications/cancelled");
    for _ in 0..2 {
        given_up(&mut w);
    }
    assert_eq!(w.aborted, [second.exchange], "the first may stay");
    given_up(&mut w);
    assert_eq!(w.aborted, [second.exchange, first.exchange]);
}

/// The same while its stream is broken, where the server may have gone on with it.
fn broken_and_given_up(w: &mut World) -> Sent {
    let (call, sent) = w.stream("tools/call");
    w.event_with_id(&sent, "1", &log("x"));
    w.fail(&sent, reset());
    w.cancel(call);
    sent
}

#[test]
fn cancellations_that_cannot_leave_take_no_more_room_than_calls_may_be_open() {
    for give_up in [given_up, broken_and_given_up] {
        let mut w = World::limited(|limits| {
            limits.open_calls = 2;
            limits.open_asks = 3;
            limits.control_exchanges = 1;
        });
        w.notify("notifications/x");
        let (_, asking) = w.stream("tools/list");
        for _ in 0..10 {
            give_up(&mut w);
        }
        assert_eq!(w.count("notifications/cancelled"), 0, "nothing can leave");
        w.event(&asking, &request(1, "roots/list", json!({})));
        assert_eq!(w.ask().method, "roots/list");
    }
}

#[test]
fn room_given_back_is_all_that_shrinking_changes() {
    let mut w = World::limited(|limits| limits.open_calls = 2);
    let call = w.call("tools/call");
    let sent = w.take("tools/call");
    w.call("tools/list");
    let due = w.connection.poll_timeout();
    w.connection.shrink_to_fit();
    assert_eq!(w.connection.poll_timeout(), due, "its clocks run on");
    w.take("tools/list");
    w.answer(&sent, 200).result(json!({ "ok": true }));
    w.connection.shrink_to_fit();
    assert_eq!(w.result(call)["ok"], true);
}
