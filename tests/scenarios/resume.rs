//! Section 6: streams of calls that break off before the reply, and are resumed.

use mcp_http::{CallId, Delivery, Lost, Phase};
use serde_json::json;

use crate::world::{Sent, World, config, event_with_id, log, millis, reset, result, secs};

/// A call on a stream with an event id, and nothing read yet.
pub(crate) fn primed() -> (World, CallId, Sent) {
    let mut w = World::ready_with(|_| config());
    let call = w.call("tools/call");
    let sent = w.take("tools/call");
    w.answer(&sent, 200).stream(&[]);
    w.chunk(&sent, "id: p\ndata:\n\n");
    (w, call, sent)
}

#[test]
fn a_broken_stream_goes_on_with_get() {
    let (mut w, call, sent) = primed();
    let id = sent.rpc_id();
    w.chunk(&sent, event_with_id("1", &log("one")));
    w.fail(&sent, reset());
    let get = w.wait_for("GET");
    assert_eq!(get.cursor(), Some("1"));
    assert_eq!(get.session(), Some("s1"));
    assert_eq!(get.header("mcp-protocol-version"), Some("2025-11-25"));
    assert_eq!(get.header("accept"), Some("text/event-stream"));
    w.answer(&get, 200).stream(&[]);
    w.chunk(&get, event_with_id("2", &log("two")));
    w.chunk(
        &get,
        event_with_id("3", &result(id, json!({ "done": true }))),
    );
    assert_eq!(w.logs(), ["one", "two"]);
    assert_eq!(w.result(call), json!({ "done": true }));
    w.end(&get);
    w.advance(secs(600));
    assert_eq!(w.count("GET"), 1);
}

#[test]
fn a_cursor_survives_a_break_that_brought_nothing() {
    let (mut w, _, sent) = primed();
    w.chunk(&sent, event_with_id("7", &log("one")));
    w.fail(&sent, reset());
    for _ in 0..3 {
        let get = w.wait_for("GET");
        assert_eq!(get.cursor(), Some("7"));
        w.answer(&get, 200).stream(&[]);
        w.fail(&get, reset());
    }
}

#[test]
fn five_failures_in_a_row_end_it() {
    let (mut w, call, sent) = primed();
    w.fail(&sent, reset());
    for _ in 0..4 {
        let get = w.wait_for("GET");
        w.answer(&get, 200).stream(&[]);
        w.fail(&get, reset());
    }
    let error = w.error(call);
    assert_eq!(error.delivery(), Delivery::Unknown);
    assert_eq!(w.count("GET"), 4);
    assert_eq!(w.phase(), Phase::Ready);
}

#[test]
fn polling_takes_the_told_delay_and_costs_no_budget() {
    let (mut w, call, sent) = primed();
    let id = sent.rpc_id();
    w.chunk(&sent, "retry: 300\n\n");
    let mut last = sent;
    for turn in 0..20 {
        let ended = w.now;
        w.end(&last);
        last = w.wait_for("GET");
        assert_eq!(last.at.since(ended), millis(300));
        w.answer(&last, 200).stream(&[]);
        w.chunk(&last, event_with_id(&turn.to_string(), &log("x")));
    }
    w.event(&last, &result(id, json!({})));
    assert_eq!(w.result(call), json!({}));
}

#[test]
fn polling_that_brings_nothing_slows_down() {
    let (mut w, _, sent) = primed();
    w.chunk(&sent, "retry: 0\n\n");
    let mut last = sent;
    let mut delays = Vec::new();
    for _ in 0..6 {
        let ended = w.now;
        w.end(&last);
        last = w.wait_for("GET");
        delays.push(last.at.since(ended).as_millis());
        w.answer(&last, 200).stream(&[]);
    }
    assert_eq!(delays, [100, 100, 1000, 1000, 1000, 1000]);
}

#[test]
fn a_refused_resume_ends_the_call() {
    for status in [204, 400, 404, 405, 409] {
        let (mut w, call, sent) = primed();
        w.fail(&sent, reset());
        let get = w.wait_for("GET");
        w.answer(&get, status).empty();
        let error = w.error(call);
        assert_eq!(*error.reason(), Lost::NotResumed.into(), "{status}");
        assert_eq!(error.delivery(), Delivery::Unknown);
        assert_eq!(w.count("ping"), usize::from(status == 404));
        assert_eq!(w.phase(), Phase::Ready);
    }
}

#[test]
fn what_waits_unread_is_not_given_twice() {
    let (mut w, call, sent) = primed();
    let id = sent.rpc_id();
    w.reading = false;
    for n in ["1", "2", "3"] {
        w.chunk(&sent, event_with_id(n, &log(n)));
    }
    w.fail(&sent, reset());
    let get = w.wait_for("GET");
    assert_eq!(get.cursor(), Some("p"), "nothing was polled since");
    w.answer(&get, 200).stream(&[]);
    for n in ["1", "2", "3", "4"] {
        w.chunk(&get, event_with_id(n, &log(n)));
    }
    w.event(&get, &result(id, json!({})));
    w.read();
    assert_eq!(w.logs(), ["1", "2", "3", "4"]);
    assert_eq!(w.result(call), json!({}));
}
