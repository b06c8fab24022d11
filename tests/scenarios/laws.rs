//! The laws of the design, each with a test that would fail without it.
//!
//! What the laws say of reconnects, resumes, rounds for input, listening streams and legacy
//! `endpoint` events belongs to other issues and is not here yet. Laws 2 and 10 are checked
//! besides in every story, by [`World`].

use std::collections::BTreeSet;

use http::{HeaderMap, StatusCode};
use mcp_http::{
    CallOptions, Connection, Delivery, Event, Lost, Phase, Reason, Recovery, Resend, Time,
};
use serde_json::json;

use crate::world::{
    World, config, log, millis, refused_connection, request, reset, result, rpc_error, secs,
};

/// A story with a bit of everything, as text: what was sent, told and waited for.
fn story(seed: u64) -> String {
    let mut w = World::new(config().seed(seed));
    w.call_with(
        "tools/call",
        CallOptions::new().progress().wait_for_server(secs(60)),
    );
    let sent = w.take("initialize");
    w.fail(&sent, refused_connection());
    w.recover("s1");
    w.answer_all("tools/call", 429);
    w.wait_for("tools/call");
    w.call("tools/list");
    w.answer_all("tools/list", 404);
    w.recover("s2");
    w.close();
    let sent = w
        .sent
        .iter()
        .map(|sent| format!("{:?} {:?}", sent.at, sent.request));
    let events = w.events.iter().map(|event| format!("{event:?}"));
    let bodies = w
        .sent
        .iter()
        .map(|sent| format!("{:?}", sent.request.body()));
    sent.chain(events).chain(bodies).collect()
}

#[test]
fn law_1_the_same_inputs_give_the_same_actions_byte_for_byte() {
    assert_eq!(story(1), story(1));
    assert_ne!(story(1), story(2), "but for the jitter, which has a seed");
}

#[test]
fn law_1_a_clone_does_what_its_original_does() {
    for (phase, w) in World::in_every_phase() {
        let (mut one, mut two) = (w.clone(), w);
        for w in [&mut one, &mut two] {
            w.advance(secs(700));
            w.close();
            w.advance(secs(100));
        }
        assert_eq!(
            format!("{:?}", one.events),
            format!("{:?}", two.events),
            "{phase:?}"
        );
        assert_eq!(one.sent_since(0), two.sent_since(0), "{phase:?}");
    }
}

#[test]
fn law_1_nothing_happens_unless_it_is_asked_to() {
    let mut connection = Connection::new(config());
    assert!(
        connection
            .poll_transmit(Time::from_secs(9_999_999))
            .is_none()
    );
    assert!(connection.poll_event().is_none());
    assert_eq!(connection.poll_timeout(), None);
}

#[test]
fn law_2_every_call_ends_exactly_once() {
    // A reply, then each kind of second end. `World` fails on a second one.
    let (mut w, call, sent) = World::under_way();
    w.answer(&sent, 200)
        .stream(&[result(sent.rpc_id(), json!({}))]);
    w.event(&sent, &rpc_error(sent.rpc_id(), -1, "again"));
    w.fail(&sent, reset());
    w.cancel(call);
    w.close();
    w.advance(secs(2000));
    w.reply(call);
    assert_eq!(w.connection.status().open_calls, 0);
}

#[test]
fn law_2_whatever_the_server_never_does_every_call_ends() {
    for silent_from in [
        "initialize",
        "notifications/initialized",
        "tools/call",
        "ping",
    ] {
        let mut w = World::idle();
        let call = w.call("tools/call");
        for _ in 0..10 {
            if w.has(silent_from) {
                break;
            }
            match w.open[0].method().as_str() {
                "initialize" => w.accept_initialize("s1"),
                "tools/call" => w.answer_all("tools/call", 400),
                method => w.accept(method),
            }
        }
        w.advance(secs(600));
        assert!(w.ended(call), "silent from {silent_from} on");
    }
}

#[test]
fn law_3_any_number_of_404s_of_one_generation_cause_one_session() {
    let mut w = World::ready();
    let calls: Vec<_> = (0..100).map(|_| w.call("tools/call")).collect();
    let refused: Vec<_> = (0..100).map(|_| w.take("tools/call")).collect();
    // Before, during and after the handshake.
    for (number, sent) in refused.iter().enumerate() {
        w.answer(sent, 404).empty();
        match number {
            20 => w.advance(secs(2)),
            40 => w.accept_initialize("s2"),
            60 => w.accept("notifications/initialized"),
            _ => {}
        }
    }
    for call in calls {
        w.succeed("tools/call");
        w.reply(call);
    }
    assert_eq!((w.count("initialize"), w.reinitialized()), (2, 1));
}

#[test]
fn law_3_a_404_of_an_older_generation_causes_none() {
    let mut w = World::ready();
    w.call("tools/call");
    w.call("tools/call");
    let (one, two) = (w.take("tools/call"), w.take("tools/call"));
    w.answer(&one, 404).empty();
    w.recover("s2");
    w.answer(&two, 404).empty();
    assert_eq!((w.phase(), w.reinitialized()), (Phase::Ready, 1));
    assert_eq!(w.open_methods(), ["tools/call", "tools/call"]);
}

#[test]
fn law_3_one_handshake_at_a_time() {
    let mut w = World::initializing();
    for _ in 0..10 {
        w.connect();
        w.call("tools/call");
        w.connection.network_changed(w.now);
        w.advance(secs(2));
    }
    assert_eq!(w.count("initialize"), 1);
}

#[test]
fn law_4_handshakes_stay_within_their_budget_in_any_window() {
    // The server forgets every session at once, and the application never stops calling.
    for accept in [true, false] {
        let mut w = World::idle();
        let end = w.now + secs(600);
        while w.now < end {
            w.call("tools/call");
            w.advance(millis(200));
            if accept && w.has("initialize") {
                w.establish("s");
            }
            w.answer_all("initialize", 503);
            w.answer_all("tools/call", 404);
        }
        let handshakes = w.sent.iter().filter(|sent| sent.method() == "initialize");
        let at: Vec<_> = handshakes.map(|sent| sent.at).collect();
        assert!((24..=33).contains(&at.len()), "{} handshakes", at.len());
        for four in at.windows(4) {
            assert!(
                four[3].since(four[0]) >= secs(60),
                "accept: {accept}, {four:?}"
            );
        }
    }
}

#[test]
fn law_4_redirects_resends_and_retries_of_a_call_are_bounded() {
    type Refuse = fn(&mut World);
    let rows: [(&str, Refuse, usize); 4] = [
        (
            "redirects",
            |w| {
                let sent = w.take("tools/call");
                w.answer(&sent, 307).header("location", "/loop").empty();
            },
            4,
        ),
        ("429", |w| w.answer_all("tools/call", 429), 3),
        ("502", |w| w.answer_all("tools/call", 502), 3),
        (
            "resets",
            |w| {
                let sent = w.take("tools/call");
                w.fail(&sent, reset());
            },
            3,
        ),
    ];
    for (name, refuse, sendings) in rows {
        let mut w = World::ready();
        let call = w.call_with("tools/call", CallOptions::new().idempotent());
        while !w.ended(call) {
            assert!(w.count("tools/call") <= sendings, "{name}");
            if !w.has("tools/call") {
                w.wake();
            }
            refuse(&mut w);
        }
        assert_eq!(w.count("tools/call"), sendings, "{name}");
    }
}

#[test]
fn law_4_a_spent_budget_is_silent_and_a_new_call_may_try_afterwards() {
    let mut w = World::spent();
    let before = w.sent.len();
    let call = w.call("tools/call");
    let error = w.error(call);
    assert!(matches!(
        error.reason(),
        Reason::Lost(Lost::SessionUnrecoverable { .. })
    ));
    w.advance(error.retry_after().unwrap());
    assert_eq!(w.sent.len(), before, "silent");
    w.call("tools/call");
    assert!(w.has("initialize"));
}

#[test]
fn law_5_sent_again_only_if_certainly_not_executed_or_idempotent() {
    let plain = CallOptions::new;
    let rows = [
        ("404", 404, plain(), true),
        ("429", 429, plain(), true),
        ("500", 500, plain(), false),
        ("500 idempotent", 500, plain().idempotent(), true),
        ("200 without content", 204, plain(), false),
        (
            "200 without content, idempotent",
            204,
            plain().idempotent(),
            false,
        ),
        ("404 forbidden", 404, plain().resend(Resend::Never), false),
        ("429 forbidden", 429, plain().resend(Resend::Never), false),
        (
            "500 forbidden",
            500,
            plain().idempotent().resend(Resend::Never),
            false,
        ),
    ];
    for (name, status, options, again) in rows {
        let mut w = World::ready();
        w.call_with("tools/call", options);
        w.answer_all("tools/call", status);
        w.advance(secs(3));
        if w.has("initialize") {
            w.establish("s2");
        }
        assert_eq!(w.count("tools/call"), 1 + usize::from(again), "{name}");
    }
}

#[test]
fn law_5_the_delivery_is_the_worst_of_all_sendings() {
    let mut w = World::ready();
    let call = w.call_with("tools/call", CallOptions::new().idempotent());
    let sent = w.take("tools/call");
    w.fail(&sent, reset());
    let again = w.wait_for("tools/call");
    w.fail(&again, refused_connection());
    assert_eq!(
        w.error(call).delivery(),
        Delivery::Unknown,
        "the first may have been executed"
    );
}

#[test]
fn law_5_the_application_can_restore_its_state_first() {
    let mut w = World::held();
    w.call("resources/subscribe");
    assert_eq!(w.open_methods(), ["resources/subscribe"]);
    w.connection.resume(w.now).unwrap();
    w.drive();
    assert_eq!(w.open_methods(), ["resources/subscribe", "tools/call"]);
}

#[test]
fn law_6_nothing_carries_the_id_of_a_lost_session() {
    for recovery in [Recovery::Automatic, Recovery::Hold, Recovery::Manual] {
        let mut w = World::ready_with(|c| c.recovery(recovery));
        let streaming = w.call("tools/list");
        let stream = w.take("tools/list");
        w.answer(&stream, 200).stream(&[log("x")]);
        w.call("tools/call");
        let before = w.sent.len();
        w.answer_all("tools/call", 404);
        w.event(&stream, &request(1, "ping", json!({})));
        w.event(&stream, &request(2, "roots/list", json!({})));
        w.notify("notifications/x");
        w.call("prompts/list");
        w.cancel(streaming);
        w.advance(secs(10));
        w.close();
        w.advance(secs(100));
        let dead = w.sent[before..]
            .iter()
            .filter(|sent| sent.session() == Some("s1"));
        assert_eq!(dead.count(), 0, "{recovery:?}");
    }
}

#[test]
fn law_6_what_was_queued_before_the_loss_does_not_leave_with_it() {
    let mut w = World::ready();
    w.call("tools/list");
    let stream = w.take("tools/list");
    w.answer(&stream, 200)
        .stream(&[request(1, "roots/list", json!({}))]);
    let ticket = w.ask().ticket;
    w.call("tools/call");
    let lost = w.take("tools/call");
    w.connection.answer(ticket, Ok(&json!({})), w.now).unwrap();
    w.connection.notify("notifications/x", &(), w.now).unwrap();
    w.connection
        .call("prompts/list", &(), CallOptions::new(), w.now)
        .unwrap();
    let before = w.sent.len();
    let none = HeaderMap::new();
    w.connection
        .handle_head(lost.exchange, StatusCode::NOT_FOUND, &none, w.now)
        .unwrap();
    w.drive();
    w.recover("s2");
    assert!(
        w.sent[before..]
            .iter()
            .all(|sent| sent.session() != Some("s1"))
    );
    assert_eq!(
        w.open_methods(),
        ["notifications/x", "tools/call", "prompts/list"]
    );
}

#[test]
fn law_6_an_id_comes_only_from_a_successful_initialize_result() {
    let mut w = World::initializing();
    let sent = w.take("initialize");
    w.answer(&sent, 200)
        .header("mcp-session-id", "borrowed")
        .stream(&[log("x")]);
    assert!(!w.connection.status().has_session_id);
    w.fail(&sent, reset());
    w.answer_all("DELETE", 200);
    w.call("tools/call");
    w.recover("s1");
    w.answer_all("tools/call", 404);
    assert!(
        w.sent
            .iter()
            .all(|s| s.session() != Some("borrowed") || s.method() == "DELETE")
    );
}

#[test]
fn law_7_one_failed_exchange_ends_what_it_carried_and_nothing_else() {
    let mut w = World::ready();
    let mut others = Vec::new();
    for method in ["tools/list", "prompts/list"] {
        others.push(w.call(method));
    }
    let stream = w.take("tools/list");
    w.answer(&stream, 200).stream(&[log("x")]);
    for status in [0, 202, 403, 418, 500] {
        let call = w.call("tools/call");
        let sent = w.take("tools/call");
        match status {
            0 => w.fail(&sent, reset()),
            status => w.answer(&sent, status).empty(),
        }
        assert!(w.ended(call), "{status}");
    }
    w.event(&stream, &result(stream.rpc_id(), json!({})));
    w.succeed("prompts/list");
    for call in others {
        w.reply(call);
    }
    assert_eq!((w.count("initialize"), w.reinitialized()), (1, 0));
}

#[test]
fn law_8_everything_the_server_can_fill_is_bounded() {
    // See `limits` for each limit to the letter.
    let mut w = World::limited(|limits| limits.buffers = 1 << 20);
    w.reading = false;
    let mut open = Vec::new();
    for _ in 0..20 {
        w.call("tools/call");
        let sent = w.take("tools/call");
        w.answer(&sent, 200).stream(&[]);
        open.push(sent);
    }
    for turn in 0..200 {
        for sent in &open {
            w.chunk(sent, format!("data: {turn} {}", "x".repeat(1000)));
            let status = w.connection.status();
            assert!(status.buffered <= (1 << 20), "{}", status.buffered);
        }
    }
}

#[test]
fn law_8_deep_nesting_is_no_danger() {
    let (mut w, call, sent) = World::under_way();
    let deep = "[".repeat(500_000) + &"]".repeat(500_000);
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":{},"result":{deep}}}"#,
        sent.rpc_id()
    );
    w.answer(&sent, 200).typed("application/json", body);
    assert!(w.ended(call));
}

// Law 9: see `secrets`.

#[test]
fn law_10_what_the_peer_says_about_time_has_a_floor_and_a_ceiling() {
    let rows = [
        ("0", Some(millis(100))),
        ("300", Some(secs(300))),
        ("301", None),
    ];
    for (after, waits) in rows {
        let (mut w, call, sent) = World::under_way();
        w.answer(&sent, 429).header("retry-after", after).empty();
        let waited = if w.ended(call) { None } else { Some(w.wake()) };
        assert_eq!(waited, waits, "{after}");
    }
}

#[test]
fn law_10_poll_timeout_is_never_in_the_past_once_handled() {
    for (phase, mut w) in World::in_every_phase() {
        for step in [0, 1, 50, 999, 30_000, 700_000] {
            w.now = w.now + millis(step);
            w.connection.handle_timeout(w.now);
            let due = w.connection.poll_timeout();
            assert!(
                due.is_none_or(|due| due >= w.now),
                "{phase:?} {step}: {due:?}"
            );
            w.drive();
        }
    }
}

#[test]
fn law_10_poll_timeout_is_due_now_while_something_waits_because_of_it() {
    let mut w = World::recovering();
    w.now = w.connection.poll_timeout().unwrap();
    w.connection.handle_timeout(w.now);
    assert_eq!(
        w.connection.poll_timeout(),
        Some(w.now),
        "`initialize` waits to be polled"
    );
    w.drive();
    assert!(w.connection.poll_timeout().unwrap() > w.now);
}

#[test]
fn law_10_old_news_that_nobody_reads_do_not_wake() {
    let mut w = World::ready();
    let call = w.call("tools/call");
    w.reading = false;
    w.answer_all("tools/call", 429);
    w.connection.notify("notifications/x", &(), w.now).unwrap();
    w.drive();
    w.accept("notifications/x");
    assert!(!w.ended(call));
    w.wake();
    assert!(w.has("tools/call"));
    assert!(
        w.connection.poll_timeout().is_none_or(|due| due > w.now),
        "it would spin"
    );
}

#[test]
fn law_11_credentials_leave_for_their_origin_only() {
    let elsewhere = [
        "https://evil.com/mcp",
        "http://example.com/mcp",
        "https://example.com:444/mcp",
        "//evil.com/mcp",
        "https://example.com.evil.com/mcp",
        "https://example.com@evil.com/mcp",
    ];
    for to in elsewhere {
        let mut w = World::ready_with(|c| c.header("authorization", "Bearer t").unwrap());
        let call = w.call("tools/call");
        let sent = w.take("tools/call");
        w.answer(&sent, 308).header("location", to).empty();
        assert!(w.ended(call) && w.open.is_empty(), "{to}");
        let mut w = World::new(config().header("authorization", "Bearer t").unwrap());
        w.connect();
        let sent = w.take("initialize");
        w.answer(&sent, 308).header("location", to).empty();
        assert_eq!((w.phase(), w.open.len()), (Phase::Idle, 0), "{to}");
    }
}

#[test]
fn law_12_closed_is_closed_whatever_arrives_late() {
    for (phase, mut w) in World::in_every_phase() {
        let open = w.open.clone();
        w.close();
        w.answer_all("DELETE", 404);
        let before = w.sent.len();
        for sent in &open {
            let none = HeaderMap::new();
            w.connection
                .handle_head(sent.exchange, StatusCode::NOT_FOUND, &none, w.now)
                .unwrap();
            w.connection
                .handle_failure(sent.exchange, reset(), w.now)
                .unwrap();
            w.drive();
        }
        w.connection.network_changed(w.now);
        w.connection.close(w.now);
        w.advance(secs(1000));
        assert_eq!(
            w.sent.len(),
            before,
            "{phase:?}: {:?}",
            w.sent_since(before)
        );
        assert!(w.connection.is_closed(), "{phase:?}");
    }
}

#[test]
fn law_12_each_open_call_ends_once_and_the_session_is_ended_once() {
    let mut w = World::ready();
    let calls: Vec<_> = (0..5).map(|_| w.call("tools/call")).collect();
    let stream = w.take("tools/call");
    w.answer(&stream, 200).stream(&[log("x")]);
    w.close();
    w.close();
    for call in calls {
        assert_eq!(*w.error(call).reason(), Reason::Closed);
    }
    assert_eq!(w.open_methods(), ["DELETE"]);
    w.advance(secs(30));
    assert_eq!((w.count("DELETE"), w.phase()), (1, Phase::Closed));
    let ends = |event: &Event| matches!(event, Event::Fail { .. } | Event::Reply { .. });
    assert!(!w.events.iter().any(ends));
}

#[test]
fn law_12_a_handshake_under_way_is_ended_when_it_answers() {
    let mut w = World::initializing();
    let sent = w.take("initialize");
    w.close();
    assert_eq!(w.phase(), Phase::Closing);
    w.answer(&sent, 200).header("mcp-session-id", "late").head();
    assert_eq!(w.take("DELETE").session(), Some("late"));
    w.advance(secs(30));
    assert!(w.connection.is_closed());
}

#[test]
fn ids_are_never_used_twice() {
    let mut w = World::ready();
    for _ in 0..3 {
        w.call("tools/call");
        w.answer_all("tools/call", 429);
        w.wait_for("tools/call");
    }
    w.call("tools/call");
    w.answer_all("tools/call", 404);
    w.recover("s2");
    let requests = w
        .sent
        .iter()
        .filter(|sent| sent.json()["method"].is_string());
    let ids: Vec<_> = requests
        .filter_map(|sent| sent.json()["id"].as_u64())
        .collect();
    assert_eq!(
        ids.iter().collect::<BTreeSet<_>>().len(),
        ids.len(),
        "{ids:?}"
    );
}
