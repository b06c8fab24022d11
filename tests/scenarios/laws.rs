//! The laws of the design, each with a test that would fail without it.
//!
//! What they say of rounds for input is tested in `rounds`, of `endpoint` events in `http_sse`, of
//! credentials in `authorize`. Laws 2 and 10 are checked besides in every story, by [`World`]. Law 4
//! for streams: see `field` for storms, one by one.

use std::collections::BTreeSet;

use http::{HeaderMap, StatusCode};
use mcp_http::{
    CallOptions, Connection, Delivery, Event, Lost, Phase, Reason, Recovery, Resend, Time,
};
use serde_json::json;

use crate::world::{
    Sent, World, config, log, millis, refused_connection, request, reset, result, rpc_error, secs,
};

/// A story with a bit of everything, as text: what was sent, told and waited for.
fn story(seed: u64) -> String {
    let mut w = World::new(config().seed(seed).listen(true));
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
    let listening = w.reopen();
    w.fail(&listening, reset());
    let (mut w, _, sent) = w.and_primed(CallOptions::new());
    w.fail(&sent, reset());
    w.wait_for("GET");
    w.wait_for("GET");
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

/// A call and the listening stream broke off: both wait.
fn cut() -> World {
    let w = World::ready_with(|c| c.listen(true));
    let (mut w, _, sent) = w.and_primed(CallOptions::new());
    let get = w.reopen();
    w.event_with_id(&get, "l", &log("x"));
    w.fail(&get, reset());
    w.fail(&sent, reset());
    w
}

#[test]
fn law_1_a_clone_of_cut_streams_does_what_its_original_does() {
    let (mut one, mut two) = (cut(), cut());
    let mut three = two.clone();
    for w in [&mut one, &mut two, &mut three] {
        w.advance(secs(3));
        w.close();
    }
    let told = |w: &World| format!("{:?} {:?}", w.events, w.sent.last().map(|sent| sent.at));
    assert_eq!(told(&one), told(&two));
    assert_eq!(told(&one), told(&three));
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
fn law_2_however_often_the_reply_comes_the_call_ends_once() {
    let (w, call, sent) = World::primed();
    let (mut w, _, other) = w.and_primed(CallOptions::new());
    let reply = result(sent.rpc_id(), json!({}));
    w.fail(&sent, reset());
    let get = w.reopen();
    for stream in [&other, &get, &get, &other] {
        w.event(stream, &reply);
    }
    w.end(&get);
    w.cancel(call);
    w.advance(secs(3600));
    w.reply(call);
}

#[test]
fn law_2_whatever_happens_to_its_stream_a_call_ends() {
    for silent_from in 0..4 {
        let (mut w, call, sent) = World::primed();
        if silent_from > 0 {
            w.fail(&sent, reset());
        }
        if silent_from > 1 {
            let get = w.reopen();
            if silent_from > 2 {
                w.chunk(&get, "retry: 300000\n\n");
                w.end(&get);
            }
        }
        w.advance(secs(600));
        assert!(w.ended(call), "{silent_from}");
    }
}

#[test]
fn law_3_404s_to_gets_cause_one_session_at_most() {
    let mut w = cut();
    for _ in 0..3 {
        w.advance(secs(2));
        w.answer_all("GET", 404);
    }
    w.answer_all("ping", 404);
    w.answer_all("GET", 404);
    w.recover("s2");
    assert_eq!((w.count("initialize"), w.reinitialized()), (2, 1));
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

/// What a server does with every GET, and how many it may get in any 3 s.
type EveryGet = (&'static str, fn(&mut World, &Sent), usize);

const EVERY_GET: [EveryGet; 14] = [
    (
        "200, end",
        |w, get| {
            w.answer(get, 200).stream(&[]);
            w.end(get);
        },
        4,
    ),
    (
        "200, reset",
        |w, get| {
            w.answer(get, 200).stream(&[]);
            w.fail(get, reset());
        },
        4,
    ),
    (
        "a message, end",
        |w, get| {
            w.answer(get, 200).stream(&[log("x")]);
            w.end(get);
        },
        4,
    ),
    (
        "retry 0, end",
        |w, get| {
            w.answer(get, 200).stream(&[]);
            w.chunk(get, "retry: 0\n\n");
            w.end(get);
        },
        6,
    ),
    (
        "retry 0, an id, end",
        |w, get| {
            w.answer(get, 200).stream(&[]);
            w.chunk(get, "retry: 0\nid: 1\ndata:\n\n");
            w.end(get);
        },
        6,
    ),
    (
        "retry 0, the same event, end",
        |w, get| {
            w.answer(get, 200).stream(&[]);
            w.chunk(get, "retry: 0\n\n");
            w.event_with_id(get, "1", &log("x"));
            w.end(get);
        },
        6,
    ),
    (
        "retry 0, reset",
        |w, get| {
            w.answer(get, 200).stream(&[]);
            w.chunk(get, "retry: 0\n\n");
            w.fail(get, reset());
        },
        6,
    ),
    (
        "retry 0, a message each, end",
        |w, get| {
            w.answer(get, 200).stream(&[log("x")]);
            w.chunk(get, "retry: 0\n\n");
            w.end(get);
        },
        31,
    ),
    ("refused", |w, get| w.fail(get, refused_connection()), 4),
    ("reset", |w, get| w.fail(get, reset()), 4),
    ("404", |w, get| w.answer(get, 404).empty(), 4),
    ("409", |w, get| w.answer(get, 409).empty(), 4),
    (
        "429 Retry-After 0",
        |w, get| w.answer(get, 429).header("retry-after", "0").empty(),
        6,
    ),
    (
        "307",
        |w, get| w.answer(get, 307).header("location", "/mcp").empty(),
        16,
    ),
];

#[test]
fn law_4_whatever_the_server_does_gets_stay_within_their_budget() {
    for (name, every, most) in EVERY_GET {
        let mut w = cut();
        let end = w.now + secs(1800);
        loop {
            assert!(w.sent.len() < 50_000, "a storm");
            w.answer_all("ping", 200);
            while w.has("GET") {
                let get = w.take("GET");
                every(&mut w, &get);
            }
            match w.connection.poll_timeout() {
                Some(due) if due < end => w.advance(due.since(w.now)),
                _ => break,
            }
        }
        // Two streams, each with its budget.
        for cursor in [None, Some("p")] {
            let gets = w.sent.iter().filter(|sent| sent.method() == "GET");
            let gets: Vec<_> = gets
                .filter(|get| (get.cursor() == Some("p")) == cursor.is_some())
                .map(|get| get.at)
                .collect();
            for (from, at) in gets.iter().enumerate() {
                let within = gets[from..].iter().take_while(|to| to.since(*at) < secs(3));
                let count = within.count();
                assert!(count <= 2 * most, "{name}: {count} in 3 s");
            }
        }
        assert_eq!(w.count("initialize"), 1, "{name}");
        assert!(w.count("ping") <= 16, "{name}: {} pings", w.count("ping"));
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
fn law_6_no_stream_is_resumed_with_the_id_or_the_cursor_of_a_lost_session() {
    for recovery in [Recovery::Automatic, Recovery::Hold, Recovery::Manual] {
        let w = World::ready_with(|c| c.recovery(recovery).listen(true));
        let (w, _, one) = w.and_primed(CallOptions::new());
        let (w, _, two) = w.and_primed(CallOptions::new());
        let (mut w, _, _) = w.and_primed(CallOptions::new());
        let listening = w.reopen();
        w.event_with_id(&listening, "l", &log("x"));
        w.fail(&listening, reset());
        w.fail(&one, reset());
        w.advance(secs(1));
        // One GET is under way, one delay runs, one stream goes on.
        w.fail(&two, reset());
        w.call("tools/list");
        let before = w.sent.len();
        w.answer_all("tools/list", 404);
        let gets: Vec<_> = w.open.clone();
        for get in gets.iter().filter(|sent| sent.method() == "GET") {
            w.answer(get, 307).header("location", "/mcp/").empty();
        }
        w.connection.network_changed(w.now);
        w.advance(secs(10));
        if w.has("initialize") {
            w.establish("s2");
        }
        w.advance(secs(1000));
        let since = &w.sent[before..];
        assert!(
            since.iter().all(|sent| sent.session() != Some("s1")),
            "{recovery:?}"
        );
        assert!(
            since.iter().all(|sent| sent.cursor().is_none()),
            "{recovery:?}"
        );
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
fn law_7_a_stream_that_breaks_ends_no_other() {
    let w = World::ready_with(|c| c.listen(true));
    let (w, one, broken) = w.and_primed(CallOptions::new());
    let (mut w, two, other) = w.and_primed(CallOptions::new());
    let get = w.reopen();
    w.chunk(&broken, vec![b'x'; (16 << 20) + 1]);
    assert!(w.ended(one) && !w.ended(two));
    w.chunk(&get, vec![b'x'; (16 << 20) + 1]);
    w.event(&other, &log("goes on"));
    assert_eq!(w.logs(), ["goes on"]);
    w.fail(&other, reset());
    let mut gets = [w.wait_for("GET"), w.wait_for("GET")];
    gets.sort_by_key(|get| get.cursor().is_none());
    w.answer(&gets[0], 404).empty();
    assert!(w.ended(two));
    w.succeed("ping");
    w.answer(&gets[1], 200).stream(&[log("listening")]);
    assert_eq!(w.logs(), ["listening"]);
    assert_eq!((w.phase(), w.count("initialize")), (Phase::Ready, 1));
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
fn law_10_retry_has_a_floor_and_a_ceiling() {
    for (told, waits) in [
        ("0", millis(100)),
        ("300000", secs(300)),
        ("999999999", secs(300)),
    ] {
        let (mut w, get) = World::listening();
        w.chunk(&get, format!("retry: {told}\n\n"));
        w.end(&get);
        assert_eq!(w.wake(), waits, "{told}");
        assert!(w.has("GET"));
    }
}

#[test]
fn law_10_poll_timeout_is_due_now_while_a_get_waits_to_be_polled() {
    let mut w = cut();
    let due = w.connection.poll_timeout().unwrap();
    w.connection.handle_timeout(due);
    assert_eq!(w.connection.poll_timeout(), Some(due));
    w.now = due;
    w.drive();
    assert!(w.connection.poll_timeout().unwrap() > due);
}

#[test]
fn law_10_poll_timeout_of_streams_is_never_in_the_past_once_handled() {
    let mut worlds = vec![cut()];
    for opened in [false, true] {
        let mut w = cut();
        w.advance(secs(2));
        if opened {
            w.reopen();
            w.reopen();
        }
        worlds.push(w);
    }
    for mut w in worlds {
        for step in [0, 1, 50, 999, 30_000, 299_999, 1, 700_000] {
            w.now = w.now + millis(step);
            w.connection.handle_timeout(w.now);
            let due = w.connection.poll_timeout();
            assert!(due.is_none_or(|due| due >= w.now), "{step}: {due:?}");
            w.drive();
        }
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
fn law_12_no_stream_comes_back_to_life() {
    for wait in [0, 2] {
        let mut w = cut();
        w.advance(secs(wait));
        let gets: Vec<_> = w.open.clone();
        w.close();
        w.answer_all("DELETE", 404);
        let before = w.sent.len();
        for get in &gets {
            w.answer(get, 404).head();
            w.fail(get, reset());
        }
        w.connection.network_changed(w.now);
        w.advance(secs(86_400));
        assert_eq!((w.sent.len(), w.phase()), (before, Phase::Closed));
        assert_eq!(w.connection.poll_timeout(), None);
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
