//! Two things at a time: what happens to one while another is under way.

use std::time::Duration;

use mcp_http::{
    CallOptions, Clocks, Delivery, Event, Limits, Lost, Phase, Reason, Recovery, Refused, Remedy,
    Resend, Retries, Subject,
};
use serde_json::json;

use crate::world::{
    World, config, initialized, log, millis, notification, refused_connection, request, reset,
    result, secs,
};

/// Section 4: `wait_for_server(duration)`: tried again until that is over.
#[test]
fn patience_of_a_late_comer_is_its_own() {
    // Before and after somebody might try again.
    for after in [millis(50), millis(150)] {
        let mut w = World::idle();
        w.call_with("tools/call", CallOptions::new().wait_for_server(secs(600)));
        for _ in 0..8 {
            let sent = w.wait_for("initialize");
            w.fail(&sent, refused_connection());
        }
        // Now the delays are long. Somebody comes who waits for 200 ms and no longer.
        w.advance(after);
        let due = w.connection.poll_timeout().unwrap().since(w.now);
        assert!(due > secs(2), "{due:?}");
        let patient = CallOptions::new().wait_for_server(millis(200));
        let late = w.call_with("tools/call", patient);
        w.advance(secs(1));
        let tried = w.has("initialize");
        assert!(
            w.ended(late) || tried,
            "still waiting 800 ms after its patience ended (handshake due in {due:?})"
        );
    }
}

/// Section 4, row 307/308: at most 3 for each POST. `initialize` and
/// `notifications/initialized` are two.
#[test]
fn two_hops_to_the_endpoint_are_not_too_many() {
    let mut w = World::initializing();
    for method in ["initialize", "notifications/initialized"] {
        let sent = w.take(method);
        w.answer(&sent, 307).header("location", "/mcp/").empty();
        let sent = w.take(method);
        w.answer(&sent, 308).header("location", "/v2/mcp/").empty();
        if method == "initialize" {
            w.accept_initialize("s1");
        } else {
            w.accept(method);
        }
    }
    assert_eq!(w.phase(), Phase::Ready, "{:?}", w.events);
}

/// The same with one hop and a server that answers 429 twice.
#[test]
fn one_hop_and_two_429_are_not_too_many() {
    let mut w = World::initializing();
    for turn in 0..3 {
        let sent = w.wait_for("initialize");
        w.answer(&sent, 307).header("location", "/mcp/").empty();
        if turn < 2 {
            let sent = w.take("initialize");
            w.answer(&sent, 429).empty();
        }
    }
    w.accept_initialize("s1");
    let sent = w.take("notifications/initialized");
    w.answer(&sent, 307).header("location", "/mcp/").empty();
    w.accept("notifications/initialized");
    assert_eq!(w.phase(), Phase::Ready, "{:?}", w.events);
}

/// Section 5: calls still streaming on the old generation stay untouched: also when
/// the new session speaks a revision without batches.
#[test]
fn a_stream_keeps_the_revision_of_its_session() {
    let mut w = World::ready_at("2025-03-26");
    let streaming = w.call("tools/call");
    let old = w.take("tools/call");
    w.answer(&old, 200).stream(&[]);
    w.call("tools/list");
    w.answer_all("tools/list", 404);
    w.recover("s2"); // 2025-11-25
    let reply = result(old.rpc_id(), json!({ "ok": true }));
    w.event(&old, &json!([log("a"), reply]));
    assert!(w.ended(streaming), "{:?}", w.events);
    assert_eq!(w.result(streaming)["ok"], true);
}

#[test]
fn a_json_body_keeps_the_revision_of_its_session() {
    let mut w = World::ready_at("2025-03-26");
    let slow = w.call("tools/call");
    let old = w.take("tools/call");
    w.call("tools/list");
    w.answer_all("tools/list", 404);
    w.recover("s2"); // 2025-11-25
    let reply = result(old.rpc_id(), json!({ "ok": true }));
    w.answer(&old, 200).json(&json!([reply]));
    assert_eq!(w.result(slow)["ok"], true);
}

/// The other way round: a session of 2025-11-25 sends an array, which counts as one
/// because the next session speaks 2025-03-26.
#[test]
fn no_batch_because_another_session_allows_it() {
    let mut w = World::ready();
    let slow = w.call("tools/call");
    let old = w.take("tools/call");
    w.call("tools/list");
    w.answer_all("tools/list", 404);
    let init = w.wait_for("initialize");
    w.answer(&init, 200)
        .header("mcp-session-id", "s2")
        .result(initialized("2025-03-26"));
    w.accept("notifications/initialized");
    let reply = result(old.rpc_id(), json!({ "ok": true }));
    w.answer(&old, 200).json(&json!([reply]));
    w.error(slow);
}

/// Law 5: what is said of the delivery is true.
#[test]
fn a_missing_capability_tells_the_truth_about_an_earlier_sending() {
    let mut w = World::ready();
    let call = w.call_with("tools/call", CallOptions::new().idempotent());
    w.call("prompts/list");
    let sent = w.take("tools/call");
    w.answer_all("prompts/list", 404);
    w.fail(&sent, reset());
    let init = w.wait_for("initialize");
    let mut poor = initialized("2025-11-25");
    poor["capabilities"] = json!({ "prompts": {} });
    w.answer(&init, 200)
        .header("mcp-session-id", "s2")
        .result(poor);
    w.accept("notifications/initialized");
    w.advance(secs(40));
    let error = w.error(call);
    assert_eq!(error.delivery(), Delivery::Unknown);
    let text = error.to_string();
    assert!(!text.contains("nothing was sent"), "{text}");
}

/// Params with `"progressToken": null` (an `Option` that is `None`) ask for no
/// progress.
#[test]
fn a_null_progress_token_is_none() {
    let mut w = World::ready();
    let params = json!({ "name": "echo", "_meta": { "progressToken": null } });
    w.connection
        .call("tools/call", &params, CallOptions::new(), w.now)
        .unwrap();
    w.connection
        .call("tools/call", &params, CallOptions::new(), w.now)
        .unwrap();
}
#[test]
fn when_to_come_back_is_as_of_now() {
    let mut w = World::ready();
    let late = w.call("tools/list");
    let late_sent = w.take("tools/list");
    w.call("tools/call");
    w.answer_all("tools/call", 404);
    for session in ["s2", "s3"] {
        w.recover(session);
        w.answer_all("tools/call", 404);
    }
    assert_eq!(w.phase(), Phase::Idle, "{:?}", w.events);
    w.advance(secs(70));
    // The cool-down is over.
    w.answer(&late_sent, 404).empty();
    let error = w.error(late);
    assert!(
        error.retry_after().is_none_or(|said| said < secs(1)),
        "{error}"
    );
}

/// Law 12, whatever has no turn.
#[test]
fn close_ends_whatever_the_limits() {
    let mut limits = Limits::default();
    limits.control_exchanges = 0;
    let mut w = World::ready_with(|c| c.limits(limits));
    w.close();
    w.advance(secs(3600));
    assert!(
        w.connection.is_closed(),
        "{:?} {:?}",
        w.phase(),
        w.connection.poll_timeout()
    );
}

/// Law 12: the DELETE is tried once, within a deadline.
#[test]
fn the_delete_does_not_leave_after_its_deadline() {
    let mut w = World::ready();
    w.connection.close(w.now);
    w.now = w.now + secs(31);
    w.connection.handle_timeout(w.now);
    w.drive();
    assert!(!w.has("DELETE"), "left 31 s after close");
}

/// Section 4, `NotFound`: "a later call may work": in a session without an id that
/// worked until now the URL is certainly right.
#[test]
fn not_found_in_a_working_session_blames_not_the_url() {
    let mut w = World::ready_without_id();
    let call = w.call("tools/call");
    w.answer_all("tools/call", 404);
    let error = w.error(call);
    assert_eq!(*error.reason(), Refused::NotFound.into());
    let text = error.to_string();
    assert_ne!(error.remedy(), Remedy::Correct, "{text}");
}

/// `Hold`: the calls by which the application restores its state pass; else `resume`
/// would wait for them, and they for it.
#[test]
fn hold_does_not_hold_the_call_that_restores() {
    let mut w = World::held();
    let restore = w.call("resources/subscribe");
    w.answer_all("resources/subscribe", 404);
    w.recover("s3");
    assert_eq!(w.phase(), Phase::Held);
    w.advance(secs(60));
    assert!(
        w.has("resources/subscribe") || w.ended(restore),
        "{:?}",
        w.open_methods()
    );
}

/// A session that died before it was ready is none whose state could be restored.
#[test]
fn hold_does_not_hold_when_no_session_was_ever_ready() {
    let mut w = World::new(config().recovery(Recovery::Hold));
    w.connect();
    w.accept_initialize("s1");
    w.answer_all("notifications/initialized", 404);
    w.recover("s2");
    assert_eq!(w.phase(), Phase::Ready);
}

/// Clocks of no time at all.
#[test]
fn clocks_of_zero_end() {
    let mut clocks = Clocks::default();
    clocks.head = Some(Duration::ZERO);
    clocks.delete = Duration::ZERO;
    clocks.linger = Duration::ZERO;
    let mut w = World::new(config().clocks(clocks));
    w.connect();
    w.advance(secs(1));
    w.close();
    w.advance(secs(1));
    assert!(w.connection.is_closed());
}

/// `resend(Never)` with a suspicious 400 that turns out a loss.
#[test]
fn resend_never_and_a_suspicion() {
    let mut w = World::ready();
    let call = w.call_with("tools/call", CallOptions::new().resend(Resend::Never));
    w.answer_all("tools/call", 400);
    w.answer_all("ping", 404);
    let error = w.error(call);
    assert_eq!(*error.reason(), Reason::Lost(Lost::Session));
    assert_eq!(error.delivery(), Delivery::Rejected);
}

/// Two asks in the same server id in two generations; cancelled by an old stream.
#[test]
fn an_old_stream_cancels_no_ask_of_the_new_session() {
    let mut w = World::ready();
    let _old_call = w.call("tools/call");
    let old = w.take("tools/call");
    w.answer(&old, 200).stream(&[]);
    w.call("tools/list");
    w.answer_all("tools/list", 404);
    w.recover("s2");
    let _new_call = w.call("prompts/get");
    let new = w.take("prompts/get");
    w.answer(&new, 200)
        .stream(&[request(1, "elicitation/create", json!({}))]);
    let ask = w.ask();
    w.events.clear();
    // The old session's server gives up a question of its own with that id.
    w.event(
        &old,
        &notification("notifications/cancelled", json!({ "requestId": 1 })),
    );
    let withdrawn = w
        .events
        .iter()
        .any(|e| matches!(e, Event::AskWithdrawn { .. }));
    assert!(
        !withdrawn,
        "{:?} was withdrawn by another session's stream",
        ask.ticket
    );
}

/// A 404 from an older session while the current one is only suspected.
#[test]
fn idempotent_and_broken_in_session_two() {
    let mut w = World::ready();
    let call = w.call_with("tools/call", CallOptions::new().idempotent());
    let sent = w.take("tools/call");
    w.fail(&sent, reset());
    let sent = w.wait_for("tools/call");
    w.answer(&sent, 404).empty();
    w.recover("s2");
    let sent = w.take("tools/call");
    w.fail(&sent, reset());
    let sent = w.wait_for("tools/call");
    w.fail(&sent, reset());
    assert_eq!(w.error(call).delivery(), Delivery::Unknown);
}

/// `network_changed` during a Retry-After of `initialize`.
#[test]
fn network_changed_does_not_overrule_retry_after() {
    let mut w = World::initializing();
    let sent = w.take("initialize");
    w.answer(&sent, 429).header("retry-after", "100").empty();
    w.connection.network_changed(w.now);
    w.drive();
    w.call("tools/call");
    w.advance(secs(50));
    assert!(!w.has("initialize"));
    w.advance(secs(51));
    assert!(w.has("initialize"));
}

/// Retry-After of a handshake and a call whose time does not reach that far: "if that
/// fits the call's time; else fails, saying when to come back".
#[test]
fn a_call_that_waits_for_a_handshakes_retry_after_is_told_when_to_come_back() {
    let mut w = World::idle();
    let call = w.call_with("tools/call", CallOptions::new().time_out(secs(10)));
    let sent = w.take("initialize");
    w.answer(&sent, 429).header("retry-after", "100").empty();
    w.advance(secs(11));
    let error = w.error(call);
    assert!(error.retry_after().is_some(), "{error}");
}

/// Section 11: `Display` says what happened. One bad message on a stream is neither the
/// call's failure nor the connection's: both go on.
#[test]
fn a_bad_message_is_not_called_the_calls_failure() {
    let mut w = World::ready();
    let call = w.call("tools/call");
    let sent = w.take("tools/call");
    w.answer(&sent, 200).stream(&[]);
    w.chunk(&sent, "data: {no json\n\n");
    assert!(!w.ended(call));
    let text = w.error_of(Subject::Stream(Some(call))).to_string();
    assert!(!text.starts_with("`tools/call` failed"), "{text}");
}

#[test]
fn a_bad_message_is_not_called_the_connections_failure() {
    let mut w = World::initializing();
    let sent = w.take("initialize");
    w.answer(&sent, 200)
        .header("mcp-session-id", "s1")
        .stream(&[]);
    w.chunk(&sent, "data: {no json\n\n");
    let text = w.error_of(Subject::Stream(None)).to_string();
    assert!(!text.starts_with("the connection failed"), "{text}");
}

/// Row "broken later": a 200 of no type that breaks is a broken connection, not "no reply".
#[test]
fn a_break_after_a_head_without_a_type_is_a_break() {
    let mut w = World::ready();
    let call = w.call_with("tools/call", CallOptions::new().idempotent());
    let sent = w.take("tools/call");
    w.answer(&sent, 200).head();
    w.fail(&sent, reset());
    if w.ended(call) {
        panic!("{}", w.error(call));
    }
}

/// `wait_for_server` once more: the delay of a call that was under way ends in a phase
/// where others wait long.
#[test]
fn patience_ends_while_a_handshake_is_far_off() {
    let mut w = World::initializing();
    w.call_with("tools/list", CallOptions::new().wait_for_server(secs(600)));
    for _ in 0..8 {
        let sent = w.wait_for("initialize");
        w.fail(&sent, refused_connection());
    }
    let failed = w.now;
    let due = w.connection.poll_timeout().unwrap().since(failed);
    let one = w.call_with("tools/call", CallOptions::new().wait_for_server(millis(50)));
    assert!(due > secs(1));
    let last = w.wait_for("initialize");
    assert_eq!(last.at.since(failed), millis(100));
    w.fail(&last, refused_connection());
    assert_eq!(w.error(one).delivery(), Delivery::NotSent);
}

/// `Retries::floor`: whose patience ends within it is no reason to try again sooner, whether
/// it is still there or not.
#[test]
fn the_last_chance_of_a_call_keeps_to_the_floor() {
    for cancelled in [false, true] {
        let mut w = World::idle();
        let call = w.call_with("tools/call", CallOptions::new().wait_for_server(millis(50)));
        let sent = w.take("initialize");
        w.fail(&sent, refused_connection());
        if cancelled {
            w.cancel(call);
        }
        w.advance(millis(99));
        assert!(!w.has("initialize"));
        w.advance(millis(1));
        assert!(cancelled || w.has("initialize"));
    }
}

/// Whoever else comes within the floor neither takes that chance away nor puts it off.
#[test]
fn the_last_chance_of_a_call_is_its_own() {
    for patience in [None, Some(secs(600))] {
        let mut w = World::idle();
        let call = w.call_with("tools/call", CallOptions::new().wait_for_server(millis(50)));
        let sent = w.take("initialize");
        w.fail(&sent, refused_connection());
        let failed = w.now;
        w.advance(millis(70));
        let options = CallOptions::new();
        let options = patience
            .iter()
            .fold(options, |it, long| it.wait_for_server(*long));
        let other = w.call_with("tools/list", options);
        assert_eq!(w.ended(other), patience.is_none());
        assert!(!w.ended(call));
        let last = w.wait_for("initialize");
        assert_eq!(last.at.since(failed), millis(100));
        w.fail(&last, refused_connection());
        assert!(w.ended(call));
        assert_eq!(w.ended(other), patience.is_none());
    }
}

/// So it is of a call whose session is lost before it comes.
#[test]
fn the_last_chance_of_a_call_may_be_a_handshake() {
    let mut retries = Retries::default();
    retries.floor = secs(5);
    let mut w = World::ready_with(|config| config.retries(retries));
    let call = w.call_with("tools/call", CallOptions::new().wait_for_server(secs(1)));
    let sent = w.take("tools/call");
    w.fail(&sent, refused_connection());
    w.call("tools/list");
    w.answer_all("tools/list", 404);
    let sent = w.wait_for("initialize");
    w.fail(&sent, refused_connection());
    let failed = w.now;
    let last = w.wait_for("initialize");
    assert_eq!(last.at.since(failed), secs(5));
    w.fail(&last, refused_connection());
    assert!(w.ended(call));
}

/// So it is of a call that waits for `resume`, while the session is lost again.
#[test]
fn the_last_chance_of_a_held_call_is_its_own_too() {
    let mut w = World::ready_with(|config| config.recovery(Recovery::Hold));
    let call = w.call_with("tools/call", CallOptions::new().wait_for_server(secs(40)));
    let began = w.now;
    w.answer_all("tools/call", 404);
    w.advance(secs(2));
    w.establish("s2");
    w.call("tools/list");
    w.answer_all("tools/list", 404);
    while !w.ended(call) {
        let sent = w.wait_for("initialize");
        w.fail(&sent, refused_connection());
    }
    assert!(w.now.since(began) >= secs(40));
    assert!(w.now.since(began) <= secs(40) + millis(100));
}

/// The same of a call that was on its way itself.
#[test]
fn a_call_that_did_not_leave_keeps_to_the_floor_with_its_last_chance() {
    let mut w = World::ready();
    let call = w.call_with("tools/call", CallOptions::new().wait_for_server(millis(50)));
    let sent = w.take("tools/call");
    w.fail(&sent, refused_connection());
    let failed = w.now;
    let last = w.wait_for("tools/call");
    assert_eq!(last.at.since(failed), millis(100));
    w.fail(&last, refused_connection());
    assert_eq!(w.error(call).delivery(), Delivery::NotSent);
}

/// The 100 ms in which nobody tries: a call that waits in a delay of its own.
#[test]
fn an_expired_call_in_the_hundred_milliseconds() {
    let mut w = World::ready();
    let call = w.call_with("tools/call", CallOptions::new().wait_for_server(secs(5)));
    let sent = w.take("tools/call");
    w.fail(&sent, refused_connection());
    w.call("tools/list");
    w.answer_all("tools/list", 404);
    for _ in 0..40 {
        if w.ended(call) {
            break;
        }
        w.wake();
        while w.has("initialize") {
            let sent = w.take("initialize");
            w.fail(&sent, refused_connection());
        }
    }
    let lasted = w.now.since(mcp_http::Time::from_secs(1000));
    assert!(lasted <= secs(5) + millis(200), "{lasted:?}");
}

#[test]
fn cancelled_exchanges_that_linger_are_bounded() {
    let mut limits = Limits::default();
    limits.open_calls = 8;
    let mut w = World::ready_with(|c| c.limits(limits));
    for _ in 0..40 {
        let call = w.call("tools/call");
        w.cancel(call);
        w.answer_all("notifications/cancelled", 500);
        assert!(
            w.connection.status().exchanges <= 20,
            "{:?}",
            w.connection.status()
        );
    }
    for _ in 0..40 {
        w.call("tools/call");
        let sent = w.take("tools/call");
        let reply = result(sent.rpc_id(), json!({}));
        w.answer(&sent, 200).stream(&[reply]);
        assert!(
            w.connection.status().exchanges <= 20,
            "{:?}",
            w.connection.status()
        );
    }
}

#[test]
fn what_is_sent_again_begins_at_the_endpoint() {
    let mut w = World::ready();
    w.call("tools/call");
    let sent = w.take("tools/call");
    w.answer(&sent, 307)
        .header("location", "/elsewhere")
        .empty();
    let sent = w.take("tools/call");
    assert_eq!(sent.request.uri().path(), "/elsewhere");
    w.answer(&sent, 429).header("retry-after", "1").empty();
    assert_eq!(w.wait_for("tools/call").request.uri().path(), "/mcp");
}

/// Law 2.
#[test]
fn nothing_about_a_cancelled_call_is_said_afterwards() {
    let mut w = World::ready();
    w.reading = false;
    let call = w.call("tools/call");
    let sent = w.take("tools/call");
    w.answer(&sent, 200).stream(&[]);
    w.chunk(&sent, "data: {no json\n\n");
    w.cancel(call);
    w.reading = true;
    w.drive();
    assert_eq!(w.events.len(), 1, "{:?}", w.events);
}

#[test]
fn close_ends_the_session_of_a_handshake_whose_head_has_come() {
    let mut w = World::initializing();
    let sent = w.take("initialize");
    w.answer(&sent, 200)
        .header("mcp-session-id", "s1")
        .stream(&[]);
    w.close();
    assert_eq!(w.take("DELETE").session(), Some("s1"));
}

#[test]
fn the_network_does_not_shorten_what_the_server_asked_for() {
    let mut w = World::ready();
    w.call_with("tools/call", CallOptions::new().wait_for_server(secs(600)));
    let sent = w.take("tools/call");
    w.fail(&sent, refused_connection());
    let sent = w.wait_for("tools/call");
    w.answer(&sent, 429).header("retry-after", "100").empty();
    w.connection.network_changed(w.now);
    w.advance(secs(90));
    assert!(!w.has("tools/call"));
}

/// Law 10.
#[test]
fn a_needless_look_at_the_clock_wakes_nobody() {
    let mut w = World::ready();
    let params = json!({});
    let options = CallOptions::new();
    w.connection
        .call("tools/call", &params, options, w.now)
        .unwrap();
    let due = w.connection.poll_timeout();
    assert!(due > Some(w.now));
    w.connection.handle_timeout(w.now);
    assert_eq!(w.connection.poll_timeout(), due);
}

/// Law 10.
#[test]
fn what_a_timer_brings_about_wakes_until_it_is_told() {
    let mut w = World::ready();
    w.reading = false;
    w.call_with("tools/call", CallOptions::new().time_out(secs(1)));
    while w.connection.poll_event().is_some() {}
    w.now = w.now + secs(1);
    w.connection.handle_timeout(w.now);
    while w.connection.poll_transmit(w.now).is_some() {}
    assert_eq!(w.connection.poll_timeout(), Some(w.now));
    while w.connection.poll_event().is_some() {}
    assert_ne!(w.connection.poll_timeout(), Some(w.now));
}

/// Law 10.
#[test]
fn what_was_polled_does_not_wake_later() {
    let mut w = World::ready();
    w.reading = false;
    w.call_with("tools/call", CallOptions::new().time_out(secs(1)));
    w.now = w.now + secs(1);
    w.connection.handle_timeout(w.now);
    while w.connection.poll_transmit(w.now).is_some() {}
    while w
        .connection
        .poll_event_where(|e| matches!(e, mcp_http::Event::Fail { .. }))
        .is_some()
    {}
    w.connection.notify("notifications/x", &(), w.now).unwrap();
    assert_ne!(w.connection.poll_timeout(), Some(w.now));
}

/// Section 8: the server is told of a call that still lingers, however many were given
/// up before.
#[test]
fn cancellations_of_what_is_over_take_no_room() {
    let mut limits = Limits::default();
    limits.open_calls = 2;
    limits.control_exchanges = 1;
    let mut w = World::ready_with(|c| c.limits(limits));
    w.notify("notifications/x");
    let hanging = w.take("notifications/x");
    for _ in 0..4 {
        let call = w.call("tools/call");
        w.cancel(call);
    }
    w.answer(&hanging, 202).empty();
    let mut told = 0;
    while w.has("notifications/cancelled") {
        w.answer_all("notifications/cancelled", 202);
        told += 1;
    }
    assert!(told > 0, "{:?}", w.open_methods());
}
