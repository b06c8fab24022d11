//! Section 8: the ends that a call can meet between two exchanges of its stream.

use mcp_http::{CallId, CallOptions, Clock, Delivery, Phase, Reason};
use serde_json::json;

use crate::world::{Sent, World, log, request, reset, result, secs};

/// A call whose stream broke off: its delay runs, its GET is due, under way, or answered.
fn every_resuming_state() -> Vec<(&'static str, World, CallId, Sent)> {
    let mut rows = Vec::new();
    let (mut w, call, sent) = World::primed();
    w.fail(&sent, reset());
    rows.push(("its delay runs", w.clone(), call, sent.clone()));
    w.wait_for("GET");
    rows.push(("its GET is under way", w.clone(), call, sent.clone()));
    let (mut w, call, sent) = World::primed();
    w.fail(&sent, reset());
    let get = w.wait_for("GET");
    w.answer(&get, 503).head();
    rows.push(("its GET is being refused", w, call, sent));
    let (mut w, call, sent) = World::primed();
    w.fail(&sent, reset());
    w.reopen();
    rows.push(("it is resumed", w, call, sent));
    rows
}

#[track_caller]
fn told_of(w: &mut World, sent: &Sent, name: &str) {
    let cancelled = w.take("notifications/cancelled");
    let id = &cancelled.json()["params"]["requestId"];
    assert_eq!(*id, sent.rpc_id(), "{name}: the request, not the GET");
    assert_eq!(cancelled.session(), Some("s1"), "{name}");
    w.answer(&cancelled, 202).empty();
}

#[test]
fn cancelled_at_any_point_the_server_is_told_of_the_request() {
    for (name, mut w, call, sent) in every_resuming_state() {
        w.cancel(call);
        let error = w.error(call);
        assert_eq!(
            (error.reason(), error.delivery()),
            (&Reason::Cancelled, Delivery::Unknown),
            "{name}"
        );
        told_of(&mut w, &sent, name);
        w.advance(secs(3600));
        let get_was_open = usize::from(name != "its delay runs");
        assert_eq!(w.aborted.len(), get_was_open, "{name}");
        assert_eq!(w.count("GET"), get_was_open, "{name}: none follows");
        assert_eq!(w.connection.status().exchanges, 0, "{name}");
    }
}

#[test]
fn timed_out_at_any_point_the_server_is_told_of_the_request() {
    let rows = [("its GET is under way", false), ("it is resumed", true)];
    for (name, answered) in rows {
        let options = CallOptions::new().time_out(secs(60));
        let (mut w, call, sent) = World::ready().and_primed(options);
        w.fail(&sent, reset());
        let get = w.wait_for("GET");
        if answered {
            w.answer(&get, 200).stream(&[]);
        }
        w.advance(secs(60));
        let error = w.error(call);
        let reason = Clock::Call(secs(60)).into();
        assert_eq!(
            (error.reason(), error.delivery()),
            (&reason, Delivery::Unknown),
            "{name}"
        );
        told_of(&mut w, &sent, name);
        assert_eq!(w.aborted, [get.exchange], "{name}");
    }
}

#[test]
fn closed_at_any_point_it_ends_once() {
    for (name, mut w, call, _) in every_resuming_state() {
        w.close();
        let error = w.error(call);
        assert_eq!(
            (error.reason(), error.delivery()),
            (&Reason::Closed, Delivery::Unknown),
            "{name}"
        );
        w.answer_all("DELETE", 200);
        let before = w.sent.len();
        w.advance(secs(3600));
        assert_eq!((w.sent.len(), w.phase()), (before, Phase::Closed), "{name}");
        assert_eq!(w.count("notifications/cancelled"), 0, "{name}");
    }
}

#[test]
fn cancelled_with_its_end_behind_a_full_queue_the_server_is_told() {
    let (mut w, call, sent) = World::primed();
    w.reading = false;
    for n in 0..300 {
        w.event_with_id(&sent, &n.to_string(), &log("x"));
    }
    w.fail(&sent, reset());
    w.cancel(call);
    w.read();
    told_of(&mut w, &sent, "it could have been resumed");
    w.advance(secs(60));
    assert_eq!(w.count("GET"), 0);
}

#[test]
fn cancelled_what_the_get_brings_late_is_dropped() {
    let (mut w, call, get) = World::resuming();
    w.cancel(call);
    w.events.clear();
    w.answer(&get, 200)
        .stream(&[log("late"), request(1, "ping", json!({}))]);
    w.end(&get);
    assert!(w.events.is_empty() && !w.has("answer"), "{:?}", w.events);
}

#[test]
fn a_question_of_a_cut_call_stops_its_clock_over_the_break() {
    let (mut w, call, sent) = World::primed();
    w.event_with_id(&sent, "1", &request(1, "elicitation/create", json!({})));
    let ticket = w.ask().ticket;
    w.fail(&sent, reset());
    w.reopen();
    for _ in 0..5 {
        w.advance(secs(3600));
    }
    assert!(!w.ended(call));
    w.reply_to(ticket);
    assert!(w.has("answer"));
    w.cancel(call);
    assert!(w.ended(call));
}

#[test]
fn a_session_lost_while_a_call_streams_leaves_nothing_to_tell_of() {
    let (mut w, call, sent) = World::primed();
    w.call("tools/list");
    w.answer_all("tools/list", 404);
    w.recover("s2");
    w.cancel(call);
    assert_eq!(w.count("notifications/cancelled"), 0);
    assert_eq!(w.aborted, [sent.exchange]);
}

#[test]
fn nothing_is_left_behind_when_a_resumed_call_ends() {
    let (mut w, call, sent) = World::ready().and_primed(CallOptions::new().no_time_out());
    w.fail(&sent, reset());
    let get = w.reopen();
    w.event(&get, &result(sent.rpc_id(), json!({})));
    w.reply(call);
    w.end(&get);
    assert_eq!(w.connection.poll_timeout(), None);
    let status = w.connection.status();
    assert_eq!(
        (status.exchanges, status.open_calls, status.buffered),
        (0, 0, 0)
    );
}
