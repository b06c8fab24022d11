//! What happens while something waits for another credential: time passes, sessions are lost,
//! calls are cancelled, streams break.

use mcp_http::{
    CallOptions, Clock, Delivery, Event, Phase, Reason, Recovery, Remedy, Resend, Subject,
    Withdrawal,
};
use serde_json::json;

use super::kinds::{accept, every_kind};
use super::{NEW, asking, ready, ready_with, unauthorised};
use crate::world::{
    Sent, World, initialized, millis, refused_connection, request, reset, result, secs,
};

// Clocks.

#[test]
fn the_clock_of_a_call_that_waits_stands_still() {
    let mut w = ready();
    let limited = || CallOptions::new().time_out(secs(10));
    let call = w.call_with("tools/call", limited());
    let sent = w.take("tools/call");
    let other = w.call_with("tools/call", limited());
    let open = w.take("tools/call");
    w.advance(secs(4));
    w.deny(&sent);
    w.advance(secs(3600));
    assert_eq!(
        *w.error(other).reason(),
        Reason::Timeout(Clock::Call(secs(10)))
    );
    w.answer_all("notifications/cancelled", 202);
    drop(open);
    assert!(!w.ended(call));
    assert_eq!(w.connection.poll_timeout(), None);
    w.authorize(NEW);
    w.advance(millis(5999));
    assert!(!w.ended(call));
    w.advance(millis(1));
    assert_eq!(
        *w.error(call).reason(),
        Reason::Timeout(Clock::Call(secs(10)))
    );
}

#[test]
fn a_header_that_is_set_ends_the_pause_when_the_time_is_known() {
    let mut w = ready();
    let call = w.call_with("tools/call", CallOptions::new().time_out(secs(10)));
    w.deny_next("tools/call");
    w.authorization();
    // An hour passes, and nobody tells the machine.
    w.now = w.now + secs(3600);
    w.set_credential(Some(NEW));
    w.renewed("tools/call");
    w.advance(millis(9999));
    assert!(!w.ended(call));
    w.advance(millis(1));
    w.error(call);
}

#[test]
fn so_do_those_of_calls_that_wait_for_a_handshake_that_waits() {
    for method in ["initialize", "notifications/initialized"] {
        let mut w = World::new(asking());
        let limited = || CallOptions::new().time_out(secs(10));
        let call = w.call_with("tools/call", limited());
        w.advance(secs(4));
        if method != "initialize" {
            w.accept_initialize("s1");
        }
        w.deny_next(method);
        w.authorization();
        w.advance(secs(3600));
        let later = w.call_with("tools/list", limited());
        w.advance(secs(3600));
        assert!(!w.ended(call) && !w.ended(later), "{method}");
        assert!(w.open.is_empty());
        w.authorize(NEW);
        w.advance(millis(5999));
        assert!(!w.ended(call), "{method}");
        w.advance(millis(1));
        w.error(call);
        w.advance(millis(3999));
        assert!(!w.ended(later), "{method}");
        w.advance(millis(1));
        w.error(later);
    }
}

#[test]
fn and_of_those_that_wait_for_a_ping_that_waits() {
    let mut w = ready();
    let call = w.call_with("tools/call", CallOptions::new().time_out(secs(10)));
    let sent = w.take("tools/call");
    w.answer(&sent, 400).empty();
    w.deny_next("ping");
    w.authorization();
    w.advance(secs(3600));
    assert!(!w.ended(call));
    w.authorize(NEW);
    let ping = w.renewed("ping");
    w.answer(&ping, 404).empty();
    w.recover("s2");
    w.succeed("tools/call");
    w.reply(call);
}

#[test]
fn a_call_that_waits_for_no_ping_has_its_clock() {
    let mut w = ready();
    w.call("tools/call");
    let sent = w.take("tools/call");
    w.answer(&sent, 400).empty();
    w.deny_next("ping");
    let other = w.call_with("tools/list", CallOptions::new().time_out(secs(10)));
    w.take("tools/list");
    w.advance(secs(10));
    w.error(other);
}

#[test]
fn the_clock_runs_on_when_the_doubt_is_settled_without_the_ping_that_waits() {
    let mut w = ready();
    let doubtful = w.call_with("tools/call", CallOptions::new().time_out(secs(10)));
    let sent = w.take("tools/call");
    let (_, other) = w.begin("tools/list");
    w.answer(&sent, 400).empty();
    w.deny_next("ping");
    w.advance(secs(60));
    w.answer(&other, 404).empty();
    w.recover("s2");
    w.take("tools/call");
    w.advance(secs(10));
    w.error(doubtful);
    assert_eq!(w.connection.status().buffered, 0);
    w.authorize(NEW);
    assert!(!w.has("ping"), "nobody waits for that any more");
}

// The handshake.

#[test]
fn an_answer_that_waits_while_the_session_is_made_lives_and_dies_with_it() {
    for lost in [false, true] {
        answered_early(lost);
    }
}

fn answered_early(lost: bool) {
    let mut w = World::new(asking());
    w.connect();
    let initialize = w.take("initialize");
    w.answer(&initialize, 200)
        .header("mcp-session-id", "s1")
        .stream(&[request(5, "ping", json!({}))]);
    w.deny_next("answer");
    w.event(
        &initialize,
        &result(initialize.rpc_id(), initialized("2025-11-25")),
    );
    w.accept("notifications/initialized");
    if lost {
        let (_, sent) = w.begin("tools/call");
        w.answer(&sent, 404).empty();
        w.recover("s2");
    }
    w.authorize(NEW);
    let answer = w.has("answer").then(|| w.renewed("answer"));
    let session = answer.as_ref().and_then(Sent::session);
    assert_eq!(session, (!lost).then_some("s1"));
}

#[test]
fn a_handshake_that_is_sent_again_is_the_same_one() {
    let mut w = World::new(asking());
    w.connect();
    // Three in a minute are all that the budget has.
    for round in 0..3 {
        let first = w.wait_for("initialize");
        w.deny(&first);
        w.authorization();
        w.advance(secs(5));
        w.authorize(&format!("Bearer {round}"));
        let again = w.take("initialize");
        assert_eq!(again.at, w.now, "no distance is kept");
        assert_ne!(again.rpc_id(), first.rpc_id());
        assert_eq!(again.session(), None);
        assert_eq!(again.header("mcp-protocol-version"), None);
        accept(&mut w, "initialize", &again);
        w.accept("notifications/initialized");
        w.ready_event();
        if round < 2 {
            w.notify("notifications/x");
            w.answer_all("notifications/x", 404);
        }
    }
    assert_eq!(w.count("initialize"), 6);
    w.notify("notifications/y");
    w.answer_all("notifications/y", 404);
    w.advance(secs(1));
    assert_eq!(w.count("initialize"), 6, "the fourth has to wait");
}

#[test]
fn a_handshake_whose_session_is_lost_while_it_waits_waits_no_more() {
    let mut w = World::new(asking());
    let limited = CallOptions::new().time_out(secs(15));
    let call = w.call_with("tools/call", limited);
    let initialize = w.take("initialize");
    w.answer(&initialize, 200)
        .header("mcp-session-id", "s1")
        .stream(&[request("q", "ping", json!({}))]);
    let answer = w.take("answer");
    let done = result(initialize.rpc_id(), initialized("2025-11-25"));
    w.event(&initialize, &done);
    w.deny_next("notifications/initialized");
    w.authorization();
    // The answer is on its way still, and on into the new session.
    w.answer(&answer, 307).header("location", "/mcp/").empty();
    w.advance(secs(20));
    w.answer_all("answer", 404);
    assert_eq!(w.reinitialized(), 1);
    // The clock runs on, for it is another handshake that it waits for.
    w.advance(secs(14));
    assert!(!w.ended(call));
    w.advance(secs(1));
    w.error(call);
    w.authorize(NEW);
    assert_eq!(w.count("notifications/initialized"), 1);
    w.establish("s2");
}

#[test]
fn calls_made_while_the_handshake_waits_share_its_fate() {
    for authorised in [true, false] {
        let mut w = World::new(asking());
        let first = w.call("tools/call");
        w.deny_next("initialize");
        assert_eq!(w.authorization().method.as_deref(), Some("initialize"));
        assert_eq!(w.phase(), Phase::Initializing);
        let second = w.call("tools/list");
        if authorised {
            w.authorize(NEW);
            w.establish("s1");
            w.succeed("tools/call");
            w.succeed("tools/list");
            w.reply(first);
            w.reply(second);
        } else {
            w.refuse_authorization();
            for call in [first, second] {
                let error = w.error(call);
                assert_eq!(error.remedy(), Remedy::Authorise);
                assert_eq!(error.delivery(), Delivery::NotSent);
                assert_eq!(error.challenges().len(), 2);
            }
            assert_eq!(w.error_of(Subject::Connection).remedy(), Remedy::Authorise);
            // The next one asks again.
            w.call("tools/call");
            w.wait_for("initialize");
        }
    }
}

#[test]
fn a_redirected_handshake_that_waits_begins_at_the_endpoint_again() {
    let mut w = World::new(asking());
    w.connect();
    for _ in 0..3 {
        let sent = w.take("initialize");
        w.answer(&sent, 307).header("location", "/mcp/").empty();
    }
    w.deny_next("initialize");
    w.authorization();
    w.authorize(NEW);
    for at in 0..4 {
        let sent = w.renewed("initialize");
        let path = if at == 0 { "/mcp" } else { "/mcp/" };
        assert_eq!(sent.request.uri().path(), path);
        if at < 3 {
            w.answer(&sent, 307).header("location", "/mcp/").empty();
        } else {
            accept(&mut w, "initialize", &sent);
        }
    }
    w.accept("notifications/initialized");
}

#[test]
fn a_server_that_cannot_be_reached_any_more_costs_the_handshake() {
    let mut w = World::new(asking());
    let call = w.call("tools/call");
    w.deny_next("initialize");
    w.authorize(NEW);
    let again = w.renewed("initialize");
    w.fail(&again, refused_connection());
    assert_eq!(w.error(call).delivery(), Delivery::NotSent);
    let call = w.call("tools/call");
    assert_eq!(w.error(call).delivery(), Delivery::NotSent, "so soon");
    w.advance(millis(100));
    for _ in 0..2 {
        w.call("tools/call");
        w.advance(secs(3));
        w.answer_all("initialize", 503);
    }
    let call = w.call("tools/call");
    assert!(
        w.error(call).retry_after().is_some(),
        "the first one counts"
    );
}

#[test]
fn who_waits_for_a_server_that_wanted_a_credential_and_is_gone_tries_at_no_pace_of_its() {
    let mut w = World::new(asking());
    let patient = CallOptions::new().wait_for_server(secs(60));
    let call = w.call_with("tools/call", patient);
    w.deny_next("initialize");
    w.authorize(NEW);
    let again = w.renewed("initialize");
    w.fail(&again, refused_connection());
    w.advance(millis(99));
    assert!(!w.has("initialize") && !w.ended(call));
    let sent = w.wait_for("initialize");
    accept(&mut w, "initialize", &sent);
    w.accept("notifications/initialized");
    assert!(w.has("tools/call"));
}

// Sessions.

#[test]
fn calls_and_notifications_that_wait_go_on_in_the_next_session() {
    let mut w = ready();
    let call = w.denied("tools/call");
    let note = w.notify("notifications/x");
    w.deny_next("notifications/x");
    w.authorization();
    let (other, sent) = w.begin("tools/list");
    w.answer(&sent, 404).empty();
    w.recover("s2");
    w.ready_event();
    w.succeed("tools/list");
    w.reply(other);
    assert!(w.open.is_empty(), "they wait on: {:?}", w.open_methods());
    w.authorize(NEW);
    let again = w.renewed("tools/call");
    assert_eq!(again.session(), Some("s2"));
    w.answer(&again, 200).result(json!({}));
    w.reply(call);
    let again = w.renewed("notifications/x");
    assert_eq!(again.session(), Some("s2"));
    w.answer(&again, 202).empty();
    assert!(w.accepted(Subject::Notification(note)));
}

#[test]
fn a_handshake_joins_those_who_wait() {
    let mut w = ready();
    let call = w.denied("tools/call");
    w.authorization();
    let (other, sent) = w.begin("tools/list");
    w.answer(&sent, 404).empty();
    let initialize = w.wait_for("initialize");
    w.deny(&initialize);
    assert!(!w.asks_for_credential(), "it was asked already");
    w.authorize(NEW);
    w.establish("s2");
    w.succeed("tools/call");
    w.succeed("tools/list");
    w.reply(call);
    w.reply(other);
}

#[test]
fn what_waits_is_held_if_its_session_is_to_be_restored_first() {
    let mut w = ready_with(asking().recovery(mcp_http::Recovery::Hold));
    let call = w.denied("tools/call");
    w.authorization();
    let (_, sent) = w.begin("tools/list");
    w.answer(&sent, 404).empty();
    w.recover("s2");
    assert_eq!(w.phase(), Phase::Held);
    w.authorize(NEW);
    assert!(w.open.is_empty(), "{:?}", w.open_methods());
    w.connection.resume(w.now).unwrap();
    w.drive();
    w.succeed("tools/call");
    w.reply(call);
}

#[test]
fn a_call_whose_sessions_die_under_it_does_not_wait_for_ever() {
    let mut w = ready();
    let call = w.denied("tools/call");
    w.authorization();
    // Lost under it once, whatever happens to later ones.
    for session in ["s2", "s3"] {
        w.notify("notifications/x");
        w.answer_all("notifications/x", 404);
        w.recover(session);
        w.accept("notifications/x");
    }
    assert!(!w.ended(call));
    w.authorize(NEW);
    assert_eq!(w.renewed("tools/call").session(), Some("s3"));
}

#[test]
fn what_belongs_to_a_session_dies_with_it_while_it_waits() {
    for (kind, begin) in every_kind() {
        let belongs = [
            "answer",
            "listen",
            "notifications/cancelled",
            "resources/subscribe",
            "resume",
        ];
        if !belongs.contains(&kind) {
            continue;
        }
        let (mut w, sent) = begin();
        w.deny(&sent);
        w.authorization();
        let session = sent.session().unwrap().to_owned();
        w.notify("notifications/y");
        w.answer_all("notifications/y", 404);
        w.recover("s9");
        w.accept("notifications/y");
        let before = w.sent.len();
        w.authorize(NEW);
        for sent in &w.sent[before..] {
            assert_ne!(sent.session(), Some(&*session), "law 6, {kind}");
            assert_ne!(sent.method(), "answer", "{kind}");
            assert_ne!(sent.method(), "notifications/cancelled", "{kind}");
            assert_eq!(sent.cursor(), None, "{kind}");
        }
    }
}

#[test]
fn an_answer_that_waits_dies_with_its_session_and_says_so() {
    let mut w = ready();
    let (_, sent) = w.begin("tools/call");
    w.answer(&sent, 200)
        .stream(&[request("q", "roots/list", json!({}))]);
    let ticket = w.ask().ticket;
    w.reply_to(ticket);
    w.deny_next("answer");
    w.authorization();
    w.notify("notifications/y");
    w.answer_all("notifications/y", 404);
    let error = w.error_of(Subject::Answer(ticket));
    assert_eq!(error.delivery(), Delivery::Rejected);
    let withdrawn = |event: &Event| {
        matches!(
            event,
            Event::AskWithdrawn {
                cause: Withdrawal::SessionLost,
                ..
            }
        )
    };
    assert!(!w.events.iter().any(withdrawn), "it was answered");
}

#[test]
fn a_refusal_that_comes_late_from_an_old_session_asks_nothing_for_it() {
    let mut w = ready();
    let (call, late) = w.begin("tools/call");
    let (_, sent) = w.begin("tools/list");
    w.answer(&sent, 404).empty();
    w.recover("s2");
    w.deny(&late);
    w.authorization();
    w.authorize(NEW);
    let again = w.renewed("tools/call");
    assert_eq!(again.session(), Some("s2"));
    w.answer(&again, 200).result(json!({}));
    w.reply(call);
}

// Cancelling.

#[test]
fn a_call_that_waits_can_be_cancelled_and_the_server_is_told_nothing() {
    let mut w = ready();
    let call = w.denied("tools/call");
    w.authorization();
    let before = w.sent.len();
    w.cancel(call);
    let error = w.error(call);
    assert_eq!(*error.reason(), Reason::Cancelled);
    assert_eq!(error.delivery(), Delivery::Rejected);
    w.authorize(NEW);
    assert_eq!(w.sent.len(), before, "nothing waited any more");
}

#[test]
fn a_call_whose_stream_waits_is_cancelled_at_the_server_too() {
    let (mut w, call, sent) = ready().and_primed(CallOptions::new());
    w.fail(&sent, reset());
    let get = w.wait_for("GET");
    w.deny(&get);
    w.authorization();
    w.cancel(call);
    assert_eq!(w.error(call).delivery(), Delivery::Unknown);
    assert!(w.has("notifications/cancelled"));
    w.authorize(NEW);
    assert!(!w.has("GET"));
}

#[test]
fn a_call_whose_stream_waits_gets_its_reply_on_another_one_and_its_doubt_is_told() {
    let (mut w, call, sent) = ready().and_primed(CallOptions::new());
    w.fail(&sent, reset());
    let get = w.wait_for("GET");
    w.deny(&get);
    w.authorization();
    let mut replied = w.clone();
    let (_, other) = replied.stream("tools/list");
    replied.event(&other, &result(sent.rpc_id(), json!({ "late": true })));
    assert_eq!(replied.result(call), json!({ "late": true }));
    replied.authorize(NEW);
    assert!(!replied.has("GET"));

    w.refuse_authorization();
    let error = w.error(call);
    unauthorised(&error);
    assert_eq!(
        error.delivery(),
        Delivery::Unknown,
        "its POST may have been executed"
    );
}

// The listening stream, and pings.

#[test]
fn a_listening_stream_that_is_always_refused_asks_once() {
    let mut w = ready_with(asking().listen(true));
    w.deny_next("GET");
    w.authorization();
    w.authorize(NEW);
    for _ in 0..20 {
        let get = w.wait_for("GET");
        w.deny(&get);
    }
    assert!(!w.asks_for_credential());
    assert_eq!(w.ups_and_downs(), (1, 0));
    // Once it was open, it may ask again.
    let get = w.reopen();
    w.fail(&get, reset());
    let get = w.wait_for("GET");
    w.deny(&get);
    w.authorization();
}

#[test]
fn a_listening_stream_that_is_sent_once_more_may_be_redirected_as_before() {
    let mut w = ready_with(asking().listen(true));
    for turn in 0..2 {
        for _ in 0..3 {
            let get = w.wait_for("GET");
            w.answer(&get, 307).header("location", "/mcp/").empty();
        }
        let get = w.wait_for("GET");
        if turn == 0 {
            w.deny(&get);
            w.authorize(NEW);
        } else {
            w.answer(&get, 200).stream(&[]);
        }
    }
    assert_eq!(w.ups_and_downs(), (0, 0));
}

#[test]
fn a_new_session_does_not_make_a_listening_stream_that_is_always_refused_ask_again() {
    let mut w = ready_with(asking().listen(true));
    w.deny_next("GET");
    w.authorization();
    w.authorize(NEW);
    w.deny_next("GET");
    let (call, sent) = w.begin("tools/call");
    w.answer(&sent, 404).empty();
    w.recover("s2");
    w.deny_next("GET");
    assert!(!w.asks_for_credential());
    w.succeed("tools/call");
    w.reply(call);
}

#[test]
fn what_the_machine_sends_of_itself_does_not_ask_again_for_what_was_declined() {
    let mut w = ready_with(asking().listen(true));
    w.deny_next("GET");
    w.authorization();
    w.refuse_authorization();
    let get = w.wait_for("GET");
    w.deny(&get);
    let (call, sent) = w.begin("tools/call");
    w.answer(&sent, 400).empty();
    w.deny_next("ping");
    w.error(call);
    assert!(!w.asks_for_credential());
    // A call does.
    w.denied("tools/call");
    w.authorization();
}

#[test]
fn a_ping_that_waits_shows_that_somebody_is_there() {
    let mut w = ready();
    let (call, sent) = w.stream("tools/call");
    w.advance(secs(300));
    w.deny_next("ping");
    w.authorization();
    assert!(!w.aborted.contains(&sent.exchange));
    w.event(&sent, &result(sent.rpc_id(), json!({})));
    w.reply(call);
    w.authorize(NEW);
    w.succeed("ping");
}

#[test]
fn a_change_of_the_network_opens_nothing_that_waits_for_a_credential() {
    let mut w = ready_with(asking().listen(true));
    w.deny_next("GET");
    w.authorization();
    let before = w.sent.len();
    w.connection.network_changed(w.now);
    w.advance(secs(3600));
    assert_eq!(w.sent.len(), before);
}

#[test]
fn what_is_restored_and_was_given_up_meanwhile_is_not_asked_for() {
    let subscribe = every_kind()
        .into_iter()
        .find(|(kind, _)| *kind == "resources/subscribe");
    let (mut w, sent) = subscribe.unwrap().1();
    w.deny(&sent);
    w.authorization();
    w.connection
        .call(
            "resources/unsubscribe",
            &json!({ "uri": "x" }),
            CallOptions::new(),
            w.now,
        )
        .unwrap();
    w.drive();
    w.succeed("resources/unsubscribe");
    w.authorize(NEW);
    assert!(!w.has("resources/subscribe"));
}

#[test]
fn a_log_level_that_another_replaced_meanwhile_is_not_asked_for() {
    let mut w = ready();
    for level in ["info", "error"] {
        let params = json!({ "level": level });
        let (call, sent) = w.begin_with("logging/setLevel", &params);
        w.answer(&sent, 200).result(json!({}));
        w.result(call);
        if level == "info" {
            let (_, sent) = w.begin("tools/call");
            w.answer(&sent, 404).empty();
            w.recover("s2");
            w.deny_next("logging/setLevel");
        }
    }
    w.authorize(NEW);
    assert!(!w.has("logging/setLevel"));
}

#[test]
fn what_a_call_was_granted_meanwhile_is_not_said_to_be_lost() {
    let subscribe = every_kind()
        .into_iter()
        .find(|(kind, _)| *kind == "resources/subscribe");
    let (mut w, sent) = subscribe.unwrap().1();
    w.deny(&sent);
    let (call, again) = w.begin_with("resources/subscribe", &json!({ "uri": "x" }));
    w.answer(&again, 200).result(json!({}));
    w.result(call);
    w.refuse_authorization();
    let lost = |event: &Event| matches!(event, Event::NotRestored { .. });
    assert!(!w.events.iter().any(lost), "{:?}", w.events);
}

/// It was refused once: that it never reached the server would not be true any more.
#[test]
fn a_call_that_goes_again_with_the_credential_of_now_was_rejected_before() {
    let mut w = ready();
    let (call, sent) = w.begin("tools/call");
    w.set_credential(Some(NEW));
    w.deny(&sent);
    let again = w.renewed("tools/call");
    w.fail(&again, refused_connection());
    assert_eq!(w.error(call).delivery(), Delivery::Rejected);
}

#[test]
fn a_stream_of_a_session_that_is_gone_asks_for_no_credential() {
    let (mut w, call, sent) = ready().and_primed(CallOptions::new());
    w.fail(&sent, reset());
    let get = w.wait_for("GET");
    let (_, other) = w.begin("tools/call");
    w.answer(&other, 404).empty();
    w.deny(&get);
    let error = w.error(call);
    unauthorised(&error);
    assert_eq!(error.delivery(), Delivery::Unknown);
    assert!(!w.asks_for_credential());
}

/// Its stream is taken up, which sends nothing again.
#[test]
fn the_stream_of_a_call_that_must_not_be_sent_again_waits_too() {
    let never = CallOptions::new().resend(Resend::Never);
    let (mut w, call, sent) = ready().and_primed(never);
    w.fail(&sent, reset());
    let get = w.wait_for("GET");
    w.deny(&get);
    w.authorization();
    w.authorize(NEW);
    let get = w.renewed("GET");
    w.answer(&get, 200)
        .stream(&[result(sent.rpc_id(), json!({}))]);
    w.reply(call);
}

#[test]
fn a_listening_stream_for_which_there_was_no_other_credential_asks_once() {
    let mut w = ready_with(asking().listen(true));
    w.deny_next("GET");
    w.authorization();
    w.refuse_authorization();
    w.authorize(NEW);
    let get = w.wait_for("GET");
    w.deny(&get);
    assert!(!w.asks_for_credential());
}

#[test]
fn a_call_that_joins_a_ping_that_waits_stands_still() {
    let mut w = ready();
    let (first, sent) = w.begin("tools/call");
    let (second, late) = w.begin("tools/call");
    w.answer(&sent, 400).empty();
    w.deny_next("ping");
    w.answer(&late, 400).empty();
    w.advance(secs(3600));
    assert!(!w.ended(first) && !w.ended(second), "{:?}", w.events);
    w.authorize(NEW);
    w.succeed("ping");
    w.error(first);
    w.error(second);
}

#[test]
fn what_is_refused_late_by_a_session_that_is_gone_was_lost_with_it() {
    let mut w = ready_with(asking().recovery(Recovery::Hold));
    let (_, lost) = w.begin("tools/call");
    let (_, late) = w.begin("tools/call");
    w.answer(&lost, 404).empty();
    w.recover("s2");
    w.deny(&late);
    w.authorize(NEW);
    assert!(
        !w.has("tools/call"),
        "they wait for the state to be restored"
    );
    w.connection.resume(w.now).unwrap();
    w.drive();
    assert_eq!(w.open_methods(), ["tools/call", "tools/call"]);
    // A notification is sent again once.
    let mut w = ready();
    let id = w.notify("notifications/x");
    w.answer_all("notifications/x", 404);
    w.recover("s2");
    let notice = w.take("notifications/x");
    let (_, sent) = w.begin("tools/call");
    w.answer(&sent, 404).empty();
    w.deny(&notice);
    w.error_of(Subject::Notification(id));
}
