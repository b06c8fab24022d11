//! Section 5: losing the session, and getting it back.

use std::time::Duration;

use mcp_http::{
    CallId, CallOptions, Changed, Delivery, Error, Event, LossCause, Lost, Phase, Reason, Recovery,
    Refused, Remedy, Resend, Revision, Subject,
};
use serde_json::{Value, json};

use crate::world::{
    World, initialized, log, millis, refused_connection, reset, result, rpc_error, secs,
};

fn reinitialize(w: &World) -> Vec<(u64, LossCause)> {
    let events = w.events.iter();
    let losses = events.filter_map(|event| match event {
        Event::Reinitialize { generation, cause } => Some((*generation, *cause)),
        _ => None,
    });
    losses.collect()
}

#[track_caller]
fn unrecoverable(error: &Error) -> (usize, Option<Error>, bool) {
    match error.reason() {
        Reason::Lost(Lost::SessionUnrecoverable {
            attempts,
            cause,
            in_turns,
        }) => (*attempts, cause.as_deref().cloned(), *in_turns),
        reason => panic!("not unrecoverable: {reason:?}"),
    }
}

/// A world with a call under suspicion, whose ping is taken.
fn suspecting() -> (World, CallId, crate::world::Sent) {
    let (mut w, call, sent) = World::under_way();
    w.answer(&sent, 400)
        .error(-32000, "No valid session ID provided");
    let ping = w.take("ping");
    (w, call, ping)
}

#[test]
fn loss_is_told_once_and_ready_says_what_changed() {
    let mut w = World::ready();
    for _ in 0..3 {
        w.call("tools/call");
    }
    w.answer_all("tools/call", 404);
    assert_eq!(reinitialize(&w), [(1, LossCause::NotFound)]);
    let sent = w.wait_for("initialize");
    let other = json!({ "protocolVersion": "2025-06-18", "capabilities": { "tools": {} } });
    w.answer(&sent, 200)
        .header("mcp-session-id", "s2")
        .result(other);
    w.accept("notifications/initialized");
    let ready = w.ready_event();
    assert_eq!(
        (ready.generation, ready.revision),
        (2, Revision::V2025_06_18)
    );
    let mut changed = Changed::default();
    (changed.revision, changed.capabilities) = (true, true);
    assert_eq!(ready.changed, changed);
}

#[test]
fn ready_says_when_nothing_changed() {
    let mut w = World::recovering();
    w.recover("s2");
    assert_eq!(w.ready_event().changed, Changed::default());
}

#[test]
fn refused_calls_go_out_again_in_their_old_order() {
    let mut w = World::ready();
    let names = ["tools/list", "tools/call", "prompts/list", "resources/list"];
    for name in names {
        w.call(name);
    }
    for name in ["resources/list", "tools/list", "prompts/list", "tools/call"] {
        w.answer_all(name, 404);
    }
    w.recover("s2");
    assert_eq!(w.open_methods(), names);
    assert!(w.open.iter().all(|sent| sent.session() == Some("s2")));
}

#[test]
fn calls_made_meanwhile_wait_and_go_out_after_the_refused_ones() {
    let mut w = World::recovering();
    let later = w.call("tools/list");
    assert!(!w.has("tools/list"));
    w.recover("s2");
    assert_eq!(w.open_methods(), ["tools/call", "tools/list"]);
    w.succeed("tools/list");
    w.reply(later);
}

#[test]
fn calls_streaming_on_the_old_session_stay_untouched() {
    let mut w = World::ready();
    let streaming = w.call("tools/list");
    let stream = w.take("tools/list");
    w.answer(&stream, 200).stream(&[log("one")]);
    w.call("tools/call");
    w.answer_all("tools/call", 404);
    w.recover("s2");
    w.event(&stream, &log("two"));
    w.event(&stream, &result(stream.rpc_id(), json!({ "ok": true })));
    assert_eq!(w.logs(), ["one", "two"]);
    assert_eq!(w.result(streaming)["ok"], true);
    assert_eq!(w.count("tools/list"), 1);
}

#[test]
fn a_call_refused_once_and_then_failed_by_the_handshake_says_rejected() {
    let mut w = World::recovering();
    let fresh = w.call("tools/list");
    let sent = w.wait_for("initialize");
    w.answer(&sent, 503).empty();
    let refused = w.events.iter().find_map(|event| match event {
        Event::Fail {
            subject: Subject::Call(call),
            ..
        } if *call != fresh => Some(*call),
        _ => None,
    });
    assert_eq!(w.error(refused.unwrap()).delivery(), Delivery::Rejected);
    assert_eq!(w.error(fresh).delivery(), Delivery::NotSent);
}

#[test]
fn a_late_404_to_a_notification_brings_no_new_session() {
    let mut w = World::ready();
    let late = w.notify("notifications/x");
    let sent = w.take("notifications/x");
    w.call("tools/call");
    w.answer_all("tools/call", 404);
    let initialize = w.wait_for("initialize");
    w.answer(&initialize, 503).empty();
    assert_eq!(w.phase(), Phase::Idle);
    w.answer(&sent, 404).empty();
    w.advance(secs(60));
    assert_eq!((w.phase(), w.count("initialize")), (Phase::Idle, 2));
    let error = w.error_of(Subject::Notification(late));
    assert_eq!(
        (error.reason(), error.delivery()),
        (&Lost::Session.into(), Delivery::Rejected)
    );
}

#[test]
fn suspicion_is_settled_by_one_ping_that_carries_the_session() {
    let mut w = World::ready();
    for _ in 0..4 {
        w.call("tools/call");
    }
    w.answer_all("tools/call", 400);
    assert_eq!(w.open_methods(), ["ping"]);
    assert_eq!(w.open[0].session(), Some("s1"));
}

#[test]
fn suspicion_unfounded_by_any_answer_to_the_ping() {
    for status in [200, 400, 500] {
        let (mut w, call, ping) = suspecting();
        match status {
            200 => w.answer(&ping, 200).result(json!({})),
            400 => w.answer(&ping, 400).error(-32601, "no ping here"),
            _ => w.answer(&ping, status).error(-32603, "internal"),
        }
        assert_eq!(
            w.rpc_error(call).code,
            -32000,
            "{status}: the own error is the reply"
        );
        assert_eq!(
            (w.phase(), w.reinitialized()),
            (Phase::Ready, 0),
            "{status}"
        );
    }
}

#[test]
fn suspicion_unfounded_fails_a_call_without_an_own_error() {
    let (mut w, call, sent) = World::under_way();
    w.answer(&sent, 400).body("bad thing");
    let ping = w.take("ping");
    w.answer(&ping, 200).error(-32601, "no ping here");
    let error = w.error(call);
    assert_eq!(
        (error.reason(), error.delivery()),
        (&Refused::Status.into(), Delivery::Rejected)
    );
    assert_eq!(
        (error.status().unwrap().as_u16(), error.excerpt()),
        (400, Some("bad thing"))
    );
}

#[test]
fn suspicion_confirmed_by_404_or_the_same_kind_of_400() {
    for (status, cause) in [(404, LossCause::NotFound), (400, LossCause::BadRequest)] {
        let (mut w, call, ping) = suspecting();
        w.answer(&ping, status)
            .error(-32000, "No valid session ID provided");
        assert_eq!(reinitialize(&w), [(1, cause)], "{status}");
        w.recover("s2");
        w.succeed("tools/call");
        w.reply(call);
    }
}

#[test]
fn suspicion_confirmed_by_the_same_kind_of_400_without_a_body() {
    let mut w = World::ready();
    let call = w.call("tools/call");
    w.answer_all("tools/call", 400);
    w.answer_all("ping", 400);
    w.recover("s2");
    w.succeed("tools/call");
    w.reply(call);
}

#[test]
fn suspicion_remembers_so_many_codes_and_no_more() {
    let refusal = |code: i64| {
        let error = json!({ "code": code, "message": "refused" });
        json!({ "jsonrpc": "2.0", "id": null, "error": error })
    };
    for (code, lost) in [(64, true), (65, false)] {
        let mut w = World::ready();
        for code in 1..=65 {
            w.call("tools/call");
            let sent = w.take("tools/call");
            w.answer(&sent, 400).json(&refusal(code));
        }
        let ping = w.take("ping");
        w.answer(&ping, 400).json(&refusal(code));
        assert_eq!(!reinitialize(&w).is_empty(), lost, "{code}");
    }
}

#[test]
fn suspicion_inconclusive_is_no_loss() {
    type Settle = fn(&mut World, &crate::world::Sent);
    let rows: [(&str, Settle); 9] = [
        ("another 400", |w, ping| {
            w.answer(ping, 400).error(-32001, "other")
        }),
        ("401", |w, ping| w.answer(ping, 401).empty()),
        ("405", |w, ping| w.answer(ping, 405).empty()),
        ("429", |w, ping| {
            w.answer(ping, 429).header("retry-after", "1").empty()
        }),
        ("503", |w, ping| w.answer(ping, 503).empty()),
        ("202", |w, ping| w.answer(ping, 202).empty()),
        ("broken", |w, ping| w.fail(ping, reset())),
        ("unreachable", |w, ping| w.fail(ping, refused_connection())),
        ("silence", |w, _| w.advance(secs(30))),
    ];
    for (name, settle) in rows {
        let (mut w, call, ping) = suspecting();
        settle(&mut w, &ping);
        assert_eq!(w.rpc_error(call).code, -32000, "{name}");
        assert_eq!((w.reinitialized(), w.phase()), (0, Phase::Ready), "{name}");
        assert_eq!(w.count("ping"), 1, "{name}");
    }
}

#[test]
fn suspicion_ends_when_a_404_comes_from_elsewhere() {
    let mut w = World::ready();
    let (doubtful, other) = (w.call("tools/call"), w.call("tools/list"));
    w.answer_all("tools/call", 400);
    let ping = w.take("ping");
    w.answer_all("tools/list", 404);
    assert!(w.aborted.contains(&ping.exchange));
    w.recover("s2");
    assert_eq!(w.open_methods(), ["tools/call", "tools/list"]);
    w.succeed("tools/call");
    w.succeed("tools/list");
    w.reply(doubtful);
    w.reply(other);
}

#[test]
fn suspicion_does_not_hold_up_other_calls() {
    let (mut w, ..) = suspecting();
    let other = w.call("tools/list");
    w.succeed("tools/list");
    w.reply(other);
}

#[test]
fn suspicion_of_a_notification_is_settled_likewise() {
    let mut w = World::ready();
    let living = w.notify("notifications/x");
    w.answer_all("notifications/x", 400);
    let ping = w.take("ping");
    w.answer(&ping, 200).result(json!({}));
    let error = w.error_of(Subject::Notification(living));
    assert_eq!(*error.reason(), Refused::Status.into());
    let lost = w.notify("notifications/y");
    w.answer_all("notifications/y", 400);
    w.answer_all("ping", 404);
    w.recover("s2");
    w.accept("notifications/y");
    assert!(w.accepted(Subject::Notification(lost)));
}

#[test]
fn a_400_of_an_older_session_is_sent_again_in_the_current_one() {
    let mut w = World::ready();
    w.call("tools/list");
    let call = w.call("tools/call");
    let late = w.take("tools/call");
    w.answer_all("tools/list", 404);
    w.recover("s2");
    w.answer(&late, 400)
        .json(&rpc_error(Value::Null, -32000, "bad session"));
    assert_eq!(w.take("tools/call").session(), Some("s2"));
    assert!(!w.ended(call) && !w.has("ping"));
}

#[test]
fn without_a_session_id_nothing_is_ever_lost() {
    for status in [400, 404] {
        let mut w = World::ready_without_id();
        let call = w.call("tools/call");
        w.answer_all("tools/call", status);
        assert!(w.ended(call) && w.open.is_empty(), "{status}");
        assert_eq!(
            (w.phase(), w.reinitialized()),
            (Phase::Ready, 0),
            "{status}"
        );
    }
}

#[test]
fn resend_never_fails_with_its_session_but_waits_for_the_first() {
    let never = CallOptions::new().resend(Resend::Never);
    let mut w = World::idle();
    let call = w.call_with("tools/call", never);
    w.establish("s1");
    w.answer_all("tools/call", 404);
    let error = w.error(call);
    assert_eq!(
        (error.reason(), error.delivery()),
        (&Lost::Session.into(), Delivery::Rejected)
    );
    assert_eq!(error.remedy(), Remedy::Retry);
    w.recover("s2");
    assert!(w.open.is_empty());
}

#[test]
fn hold_keeps_refused_calls_until_resume_and_lets_new_ones_pass() {
    let mut w = World::held();
    assert!(w.open.is_empty());
    let restore = w.call("resources/subscribe");
    w.succeed("resources/subscribe");
    w.reply(restore);
    w.advance(secs(60));
    assert!(w.open.is_empty(), "still held");
    w.connection.resume(w.now).unwrap();
    w.drive();
    assert_eq!(w.phase(), Phase::Ready);
    assert_eq!(w.take("tools/call").session(), Some("s2"));
}

#[test]
fn hold_does_not_hold_the_first_session() {
    let mut w = World::ready_with(|c| c.recovery(Recovery::Hold));
    assert_eq!(w.phase(), Phase::Ready);
    w.call("tools/call");
    assert!(w.has("tools/call"));
}

#[test]
fn hold_holds_what_a_late_404_refuses_too() {
    let mut w = World::ready_with(|c| c.recovery(Recovery::Hold));
    w.call("tools/call");
    w.call("tools/list");
    w.answer_all("tools/call", 404);
    w.recover("s2");
    w.answer_all("tools/list", 404);
    assert!(w.open.is_empty());
    w.connection.resume(w.now).unwrap();
    w.drive();
    assert_eq!(w.open_methods(), ["tools/call", "tools/list"]);
}

#[test]
fn hold_holds_what_was_released_and_not_sent_before_another_loss() {
    let mut w = World::held();
    w.call("tools/list");
    w.connection.resume(w.now).unwrap();
    w.answer_all("tools/list", 404);
    w.recover("s3");
    assert_eq!(w.phase(), Phase::Held);
    assert_eq!(w.open_methods(), ["tools/list"], "it restores");
    w.connection.resume(w.now).unwrap();
    w.drive();
    assert_eq!(w.open_methods(), ["tools/list", "tools/call"]);
}

#[test]
fn hold_lets_what_restores_be_put_off() {
    let mut w = World::held();
    let restore = w.call("resources/subscribe");
    let sent = w.take("resources/subscribe");
    w.answer(&sent, 429).header("retry-after", "2").empty();
    assert!(w.open.is_empty());
    w.advance(secs(2));
    w.succeed("resources/subscribe");
    w.reply(restore);
    assert_eq!(w.phase(), Phase::Held);
}

#[test]
fn what_comes_on_another_stream_answers_no_initialize() {
    let (mut w, _, old) = World::streaming();
    w.call("tools/list");
    w.answer_all("tools/list", 404);
    let sent = w.wait_for("initialize");
    w.open.push(sent.clone());
    w.event(&old, &result(sent.rpc_id(), initialized("2025-11-25")));
    assert_eq!(w.phase(), Phase::Initializing);
    w.establish("s2");
    assert_eq!(w.phase(), Phase::Ready);
}

#[test]
fn hold_survives_a_second_loss() {
    let mut w = World::held();
    w.call("resources/subscribe");
    w.answer_all("resources/subscribe", 404);
    w.recover("s3");
    assert_eq!(w.phase(), Phase::Held);
    assert_eq!(w.open_methods(), ["resources/subscribe"], "it restores");
    w.connection.resume(w.now).unwrap();
    w.drive();
    assert_eq!(w.open_methods(), ["resources/subscribe", "tools/call"]);
}

#[test]
fn manual_does_nothing_until_told() {
    let mut w = World::lost_manual();
    assert_eq!(reinitialize(&w), [(1, LossCause::NotFound)]);
    let meanwhile = w.call("tools/list");
    w.connect();
    w.advance(secs(300));
    assert!(w.open.is_empty() && !w.ended(meanwhile));
    w.connection.reinitialize(w.now).unwrap();
    w.drive();
    w.establish("s2");
    assert_eq!(w.open_methods(), ["tools/call", "tools/list"]);
}

#[test]
fn manual_calls_still_have_their_clock() {
    let mut w = World::lost_manual();
    let call = w.call_with("tools/list", CallOptions::new().time_out(secs(5)));
    w.advance(secs(5));
    assert_eq!(w.error(call).delivery(), Delivery::NotSent);
}

/// When each `initialize` left, counted from the first.
fn handshakes(w: &World) -> Vec<Duration> {
    let all = w.sent.iter().filter(|sent| sent.method() == "initialize");
    let times: Vec<_> = all.map(|sent| sent.at).collect();
    times.iter().map(|at| at.since(times[0])).collect()
}

#[test]
fn budget_the_first_at_once_then_after_1_and_2_seconds_with_jitter() {
    for seed in 0..50 {
        let mut w = World::new(crate::world::config().seed(seed));
        for _ in 0..3 {
            w.connect();
            let sent = w.wait_for("initialize");
            w.answer(&sent, 503).empty();
        }
        let at = handshakes(&w);
        let (second, third) = (at[1], at[2] - at[1]);
        assert!(
            secs(1) <= second && second <= millis(1250),
            "seed {seed}: {second:?}"
        );
        assert!(
            secs(2) <= third && third <= millis(2500),
            "seed {seed}: {third:?}"
        );
    }
}

#[test]
fn budget_jitter_differs_with_the_seed_and_is_the_same_for_one() {
    let second = |seed| {
        let mut w = World::new(crate::world::config().seed(seed));
        w.connect();
        w.answer_all("initialize", 503);
        w.connect();
        w.wake()
    };
    assert_eq!(second(1), second(1));
    assert!((0..10).any(|seed| second(seed) != second(99)));
}

#[test]
fn budget_spent_fails_all_that_waits_and_says_when_to_come_back() {
    let mut w = World::spent();
    let first = w.sent[0].at;
    let call = w.call("tools/call");
    let error = w.error(call);
    let (attempts, cause, in_turns) = unrecoverable(&error);
    assert_eq!(
        (attempts, in_turns, error.delivery()),
        (3, false, Delivery::NotSent)
    );
    assert_eq!(*cause.unwrap().reason(), Refused::Unavailable.into());
    let left = (first + secs(60)).since(w.now);
    assert_eq!(
        (error.retry_after(), error.remedy()),
        (Some(left), Remedy::RetryAfter(left))
    );
    assert!(w.open.is_empty());
}

#[test]
fn budget_cool_down_ends_when_the_oldest_leaves_the_window() {
    let mut w = World::spent();
    let call = w.call("tools/call");
    let left = w.error(call).retry_after().unwrap();
    w.advance(left - millis(1));
    let early = w.call("tools/call");
    assert_eq!(w.error(early).retry_after(), Some(millis(1)));
    w.advance(millis(1));
    let later = w.call("tools/call");
    assert!(w.has("initialize"));
    w.establish("s1");
    w.succeed("tools/call");
    w.reply(later);
}

#[test]
fn budget_is_silent_during_the_cool_down() {
    let mut w = World::spent();
    let before = w.sent.len();
    for _ in 0..50 {
        w.call("tools/call");
        w.advance(millis(500));
    }
    assert_eq!(w.sent.len(), before);
    let told = |event: &Event| {
        matches!(
            event,
            Event::Fail {
                subject: Subject::Connection,
                ..
            }
        )
    };
    assert!(!w.events.iter().any(told), "not again for each call");
}

#[test]
fn budget_spent_is_told_once_after_a_loss_and_for_connect() {
    let mut w = World::ready();
    for id in ["s2", "s3"] {
        w.call("tools/call");
        w.answer_all("tools/call", 404);
        w.recover(id);
    }
    w.events.clear();
    w.answer_all("tools/call", 404);
    let error = w.error_of(Subject::Connection);
    assert!(unrecoverable(&error).2, "in turns");
    w.connect();
    unrecoverable(&w.error_of(Subject::Connection));
}

#[test]
fn budget_spent_after_one_session_was_lost_says_nothing_of_turns() {
    let mut w = World::ready();
    w.call("tools/call");
    w.answer_all("tools/call", 404);
    for _ in 0..2 {
        w.call("tools/call");
        let initialize = w.wait_for("initialize");
        w.answer(&initialize, 503).empty();
    }
    let call = w.call("tools/call");
    let error = w.error(call);
    let (attempts, _, in_turns) = unrecoverable(&error);
    assert_eq!((attempts, in_turns), (3, false), "{error}");
}

#[test]
fn budget_counts_successful_handshakes_that_die_at_once() {
    let mut w = World::ready();
    let call = w.call("tools/call");
    for id in ["s2", "s3"] {
        w.answer_all("tools/call", 404);
        w.recover(id);
    }
    w.answer_all("tools/call", 404);
    let error = w.error(call);
    let (attempts, cause, in_turns) = unrecoverable(&error);
    assert_eq!((attempts, cause, in_turns), (3, None, true));
    assert_eq!(error.delivery(), Delivery::Rejected);
    assert!(error.to_string().contains("sticky sessions"), "{error}");
    w.advance(secs(30));
    assert_eq!((w.count("initialize"), w.open.len()), (3, 0));
}

#[test]
fn budget_window_slides() {
    let mut w = World::ready();
    for turn in 0..10 {
        w.advance(secs(30));
        let call = w.call("tools/call");
        w.answer_all("tools/call", 404);
        w.recover(&format!("t{turn}"));
        w.succeed("tools/call");
        w.reply(call);
    }
    assert_eq!(w.count("initialize"), 11);
}

#[test]
fn budget_unreachable_handshakes_do_not_count() {
    let mut w = World::idle();
    for _ in 0..20 {
        let call = w.call("tools/call");
        let sent = w.take("initialize");
        w.fail(&sent, refused_connection());
        assert_eq!(w.error(call).delivery(), Delivery::NotSent);
        w.advance(millis(100));
    }
    w.call("tools/call");
    w.establish("s1");
}

#[test]
fn within_100_ms_of_an_unreachable_server_calls_fail_without_trying() {
    let mut w = World::initializing();
    let sent = w.take("initialize");
    w.fail(&sent, refused_connection());
    w.advance(millis(99));
    let (call, notice) = (w.call("tools/call"), w.notify("notifications/x"));
    let error = w.error(call);
    assert_eq!(
        (error.reason(), error.delivery()),
        (&refused_connection().into(), Delivery::NotSent)
    );
    assert_eq!(
        w.error_of(Subject::Notification(notice)).delivery(),
        Delivery::NotSent
    );
    assert_eq!(w.count("initialize"), 1);
    w.advance(millis(1));
    w.call("tools/call");
    assert_eq!(w.count("initialize"), 2);
}

#[test]
fn a_loss_while_the_server_is_away_fails_as_rejected_and_recovers_later() {
    let mut w = World::recovering();
    let sent = w.wait_for("initialize");
    w.fail(&sent, refused_connection());
    assert_eq!(w.connection.status().open_calls, 0);
    w.advance(secs(5));
    let later = w.call("tools/list");
    w.establish("s2");
    w.succeed("tools/list");
    w.reply(later);
}

#[test]
fn wait_for_server_waits_through_the_handshake_too() {
    let mut w = World::idle();
    let patient = w.call_with("tools/call", CallOptions::new().wait_for_server(secs(30)));
    let hurried = w.call("tools/call");
    let sent = w.take("initialize");
    w.fail(&sent, refused_connection());
    assert!(w.ended(hurried) && !w.ended(patient));
    for _ in 0..3 {
        let sent = w.wait_for("initialize");
        w.fail(&sent, refused_connection());
    }
    w.recover("s1");
    w.succeed("tools/call");
    w.reply(patient);
}

#[test]
fn wait_for_server_ends_when_it_is_over() {
    let mut w = World::idle();
    let began = w.now;
    let call = w.call_with("tools/call", CallOptions::new().wait_for_server(secs(10)));
    while !w.ended(call) {
        let sent = w.wait_for("initialize");
        w.fail(&sent, refused_connection());
    }
    assert_eq!(w.now.since(began), secs(10));
    assert_eq!(w.error(call).delivery(), Delivery::NotSent);
}

#[test]
fn wait_for_server_does_not_slow_the_hurried_down() {
    let mut w = World::idle();
    w.call_with("tools/call", CallOptions::new().wait_for_server(secs(300)));
    for _ in 0..8 {
        let sent = w.wait_for("initialize");
        w.fail(&sent, refused_connection());
    }
    w.advance(millis(100));
    let before = w.count("initialize");
    w.call("tools/list");
    assert_eq!(w.count("initialize"), before + 1);
}

#[test]
fn a_method_of_an_extension_may_have_a_long_name() {
    let mut w = World::ready();
    let method = format!("com.example/{}", "x".repeat(200));
    w.connection
        .call(&method, &(), CallOptions::new(), w.now)
        .unwrap();
    w.drive();
    assert_eq!(w.take(&method).json()["method"], method);
}

#[test]
fn who_comes_while_somebody_hurries_does_not_hurry_on_what_the_server_put_off() {
    let mut w = World::idle();
    let began = w.now;
    w.call_with("tools/call", CallOptions::new().wait_for_server(millis(50)));
    let sent = w.take("initialize");
    w.fail(&sent, refused_connection());
    let sent = w.wait_for("initialize");
    assert_eq!(sent.at.since(began), millis(100));
    w.answer(&sent, 429).header("retry-after", "10").empty();
    w.advance(millis(30));
    w.call_with("tools/list", CallOptions::new().wait_for_server(secs(60)));
    let sent = w.wait_for("initialize");
    assert_eq!(sent.at.since(began), secs(10) + millis(100));
}

#[test]
fn network_changed_forgives_the_delays() {
    let mut w = World::ready();
    w.call_with("tools/call", CallOptions::new().wait_for_server(secs(60)));
    let sent = w.take("tools/call");
    w.fail(&sent, refused_connection());
    assert!(w.open.is_empty());
    w.connection.network_changed(w.now);
    w.connection.handle_timeout(w.now);
    w.drive();
    assert!(w.has("tools/call"));
}

#[test]
fn capabilities_are_those_of_the_session_of_the_moment() {
    let mut w = World::recovering();
    let sent = w.wait_for("initialize");
    let bare = json!({ "protocolVersion": "2025-11-25", "capabilities": { "prompts": {} } });
    w.answer(&sent, 200)
        .header("mcp-session-id", "s2")
        .result(bare);
    w.accept("notifications/initialized");
    assert!(w.open.is_empty(), "the refused tools/call is not sent");
    assert_eq!(w.connection.status().open_calls, 0);
}

#[test]
fn delete_ends_the_session_on_close() {
    let mut w = World::closing();
    let sent = w.take("DELETE");
    assert_eq!(sent.session(), Some("s1"));
    assert_eq!(sent.header("mcp-protocol-version"), Some("2025-11-25"));
    assert!(sent.request.body().is_empty());
    w.answer(&sent, 405).empty();
    assert!(w.connection.is_closed());
}

#[test]
fn delays_begin_anew_after_a_success() {
    for seed in 0..30 {
        let mut w = World::new(crate::world::config().seed(seed));
        let patient = || CallOptions::new().wait_for_server(secs(3600)).no_time_out();
        w.call_with("tools/call", patient());
        for _ in 0..7 {
            let sent = w.wait_for("initialize");
            w.fail(&sent, refused_connection());
        }
        w.recover("s1");
        w.advance(secs(100));
        w.answer_all("tools/call", 404);
        let sent = w.wait_for("initialize");
        w.fail(&sent, refused_connection());
        let failed = w.now;
        let again = w.wait_for("initialize").at.since(failed);
        assert!(again <= secs(1), "seed {seed}: {again:?}");
    }
}

#[test]
fn close_fails_what_waits_for_a_session() {
    let mut w = World::initializing();
    let notice = w.notify("notifications/x");
    w.close();
    let error = w.error_of(Subject::Notification(notice));
    assert_eq!(
        (error.reason(), error.delivery()),
        (&Reason::Closed, Delivery::NotSent)
    );
}

#[test]
fn close_fails_what_is_under_suspicion() {
    let mut w = World::ready();
    let notice = w.notify("notifications/x");
    w.answer_all("notifications/x", 400);
    w.close();
    let error = w.error_of(Subject::Notification(notice));
    assert_eq!(
        (error.reason(), error.delivery()),
        (&Reason::Closed, Delivery::Rejected)
    );
}

#[test]
fn close_withdraws_an_ask_that_belongs_to_no_call() {
    let (mut w, _, ping) = suspecting();
    let ask = crate::world::request(1, "roots/list", json!({}));
    w.answer(&ping, 200).stream(&[ask]);
    let ticket = w.ask().ticket;
    w.close();
    let cause = mcp_http::Withdrawal::Closed;
    assert!(w.events.contains(&Event::AskWithdrawn { ticket, cause }));
}

#[test]
fn law_4_a_call_that_costs_four_sessions_is_not_sent_again() {
    let mut w = World::ready();
    let (poison, other) = (w.call("tools/call"), w.call("prompts/list"));
    w.drive();
    for session in ["b", "c", "d"] {
        w.answer_all("tools/call", 404);
        w.recover(session);
        w.advance(secs(60));
    }
    w.answer_all("tools/call", 404);
    let error = w.error(poison);
    assert_eq!(*error.reason(), Lost::EachSession { sessions: 4 }.into());
    assert_eq!(error.delivery(), Delivery::Rejected);
    assert_eq!(w.count("tools/call"), 4);
    assert!(!w.ended(other), "its neighbour goes on");
}
