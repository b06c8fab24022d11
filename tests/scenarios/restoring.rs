//! Section 5 with streams: what becomes of them when the session is lost, and what is asked for
//! anew in the next.

use mcp_http::{
    CallId, CallOptions, Delivery, Error, Event, LossCause, Lost, Mistake, Phase, Reason, Recovery,
    Refused,
};
use serde_json::{Value, json};

use crate::world::{
    Sent, World, initialized, limits, log, request, reset, result, rpc_error, secs,
};

fn ask_for(w: &mut World, method: &str, params: Value) -> CallId {
    let call = w
        .connection
        .call(method, &params, CallOptions::new(), w.now)
        .unwrap();
    w.drive();
    call
}

/// Asks for something that is to be restored; it is granted.
fn granted(w: &mut World, method: &str, params: Value) {
    let call = ask_for(w, method, params);
    w.succeed(method);
    w.reply(call);
}

fn subscribed(w: &mut World, uri: &str) {
    granted(w, "resources/subscribe", json!({ "uri": uri }));
}

fn lose(w: &mut World) -> CallId {
    let call = w.call("tools/call");
    w.answer_all("tools/call", 404);
    call
}

/// What was asked for anew: the method and what of.
fn restored(w: &World) -> Vec<(String, String)> {
    let of = |sent: &Sent| {
        let params = &sent.json()["params"];
        let what = params["uri"].as_str().or(params["level"].as_str());
        (sent.method(), what.unwrap_or_default().to_owned())
    };
    let wanted = |sent: &&Sent| {
        matches!(
            sent.method().as_str(),
            "resources/subscribe" | "logging/setLevel"
        )
    };
    w.open.iter().filter(wanted).map(of).collect()
}

fn pair(method: &str, of: &str) -> (String, String) {
    (method.to_owned(), of.to_owned())
}

#[track_caller]
fn not_restored(w: &mut World) -> (&'static str, Value, Error) {
    let at = w
        .events
        .iter()
        .position(|event| matches!(event, Event::NotRestored { .. }));
    let Some(Event::NotRestored {
        method,
        params,
        error,
    }) = at.map(|at| w.events.remove(at))
    else {
        panic!("all was restored: {:?}", w.events);
    };
    (method, params.deserialize().unwrap(), error)
}

#[test]
fn a_log_level_that_is_refused_for_its_credential_is_asked_for_with_another() {
    let mut w = World::ready_with(|c| c.authorize(true));
    granted(&mut w, "logging/setLevel", json!({ "level": "error" }));
    lose(&mut w);
    w.recover("s2");
    let refused = w.take("logging/setLevel");
    w.answer(&refused, 401)
        .header("www-authenticate", "Bearer realm=\"a\"")
        .empty();
    w.authorize("Bearer new");
    let again = w.take("logging/setLevel");
    assert_eq!(again.credential(), Some("Bearer new"));
    assert_eq!(again.json()["params"]["level"], "error");
}

#[test]
fn subscriptions_and_the_log_level_before_what_is_sent_again() {
    let mut w = World::ready_with(|c| c.listen(true));
    w.reopen();
    subscribed(&mut w, "b:");
    subscribed(&mut w, "a:");
    granted(&mut w, "logging/setLevel", json!({ "level": "info" }));
    granted(&mut w, "logging/setLevel", json!({ "level": "error" }));
    let call = lose(&mut w);
    w.recover("s2");
    assert_eq!(
        w.open_methods(),
        [
            "logging/setLevel",
            "resources/subscribe",
            "resources/subscribe",
            "tools/call",
            "GET"
        ]
    );
    let expected = [
        pair("logging/setLevel", "error"),
        pair("resources/subscribe", "a:"),
        pair("resources/subscribe", "b:"),
    ];
    assert_eq!(restored(&w), expected);
    assert!(w.open.iter().all(|sent| sent.session() == Some("s2")));
    w.events.clear();
    for method in [
        "logging/setLevel",
        "resources/subscribe",
        "resources/subscribe",
    ] {
        w.succeed(method);
    }
    assert!(w.events.is_empty(), "nothing to tell: {:?}", w.events);
    w.succeed("tools/call");
    w.reply(call);
}

#[test]
fn again_and_again() {
    let mut w = World::ready();
    subscribed(&mut w, "a:");
    for session in ["s2", "s3", "s4"] {
        w.advance(secs(60));
        lose(&mut w);
        w.recover(session);
        assert_eq!(
            restored(&w),
            [pair("resources/subscribe", "a:")],
            "{session}"
        );
        w.succeed("resources/subscribe");
        w.succeed("tools/call");
    }
}

#[test]
fn what_was_not_granted_is_not_asked_for() {
    let mut w = World::ready();
    let call = ask_for(&mut w, "resources/subscribe", json!({ "uri": "a:" }));
    let sent = w.take("resources/subscribe");
    w.answer(&sent, 200).error(-32002, "no such resource");
    w.rpc_error(call);
    ask_for(&mut w, "resources/subscribe", json!({ "uri": "b:" }));
    w.answer_all("resources/subscribe", 500);
    lose(&mut w);
    w.recover("s2");
    assert_eq!(w.open_methods(), ["tools/call"]);
}

#[test]
fn what_was_unsubscribed_from_is_not_asked_for() {
    let mut w = World::ready();
    subscribed(&mut w, "a:");
    subscribed(&mut w, "b:");
    granted(&mut w, "resources/unsubscribe", json!({ "uri": "a:" }));
    lose(&mut w);
    w.recover("s2");
    assert_eq!(restored(&w), [pair("resources/subscribe", "b:")]);
}

#[test]
fn what_was_subscribed_to_twice_is_asked_for_once() {
    let mut w = World::ready();
    subscribed(&mut w, "a:");
    granted(
        &mut w,
        "resources/subscribe",
        json!({ "uri": "a:", "_meta": { "k": 1 } }),
    );
    lose(&mut w);
    w.recover("s2");
    assert_eq!(restored(&w), [pair("resources/subscribe", "a:")]);
}

#[test]
fn without_a_lost_session_nothing_is_asked_for() {
    let mut w = World::ready();
    subscribed(&mut w, "a:");
    w.advance(secs(3600));
    assert_eq!(w.count("resources/subscribe"), 1);
}

#[test]
fn a_capability_that_is_gone_is_told_and_nothing_is_sent() {
    let mut w = World::ready();
    subscribed(&mut w, "a:");
    granted(&mut w, "logging/setLevel", json!({ "level": "error" }));
    lose(&mut w);
    let init = w.wait_for("initialize");
    let mut poor = initialized("2025-11-25");
    poor["capabilities"] = json!({ "resources": {}, "tools": {} });
    w.answer(&init, 200)
        .header("mcp-session-id", "s2")
        .result(poor);
    w.accept("notifications/initialized");
    assert_eq!(w.open_methods(), ["tools/call"]);
    let rows = [
        ("logging/setLevel", json!({ "level": "error" }), "logging"),
        (
            "resources/subscribe",
            json!({ "uri": "a:" }),
            "resources.subscribe",
        ),
    ];
    for (method, params, capability) in rows {
        let (told, of, error) = not_restored(&mut w);
        assert_eq!((told, of), (method, params));
        assert_eq!(
            (error.delivery(), error.method()),
            (Delivery::NotSent, Some(method))
        );
        let Reason::Misuse(misuse) = error.reason() else {
            panic!("{error}")
        };
        assert_eq!(*misuse.mistake(), Mistake::CapabilityMissing(capability));
    }
    // The next server may have it again.
    w.advance(secs(60));
    w.answer_all("tools/call", 404);
    w.recover("s3");
    assert_eq!(restored(&w).len(), 2);
}

#[test]
fn a_restoration_that_fails_is_told_and_ends_nothing_else() {
    type Fail = fn(&mut World, &Sent);
    let rows: [(&str, Fail, Delivery); 8] = [
        (
            "error",
            |w, sent| w.answer(sent, 200).error(-32002, "gone"),
            Delivery::Rejected,
        ),
        (
            "422",
            |w, sent| w.answer(sent, 422).empty(),
            Delivery::Rejected,
        ),
        (
            "429",
            |w, sent| w.answer(sent, 429).empty(),
            Delivery::Rejected,
        ),
        (
            "500",
            |w, sent| w.answer(sent, 500).empty(),
            Delivery::Unknown,
        ),
        (
            "202",
            |w, sent| w.answer(sent, 202).empty(),
            Delivery::Unknown,
        ),
        ("reset", |w, sent| w.fail(sent, reset()), Delivery::Unknown),
        ("silence", |w, _| w.advance(secs(30)), Delivery::Unknown),
        (
            "a stream without the reply",
            |w, sent| {
                w.answer(sent, 200).stream(&[log("x")]);
                w.chunk(sent, "id: 1\ndata:\n\n");
                w.end(sent);
            },
            Delivery::Unknown,
        ),
    ];
    for (name, fail, delivery) in rows {
        let mut w = World::ready();
        subscribed(&mut w, "a:");
        let call = lose(&mut w);
        w.recover("s2");
        let sent = w.take("resources/subscribe");
        fail(&mut w, &sent);
        let (method, params, error) = not_restored(&mut w);
        assert_eq!(
            (method, params),
            ("resources/subscribe", json!({ "uri": "a:" })),
            "{name}"
        );
        assert_eq!(
            (error.delivery(), error.method()),
            (delivery, Some(method)),
            "{name}"
        );
        w.succeed("tools/call");
        w.reply(call);
        w.advance(secs(3600));
        assert_eq!(
            (w.count("GET"), w.count("resources/subscribe")),
            (0, 2),
            "{name}"
        );
        assert_eq!((w.phase(), w.reinitialized()), (Phase::Ready, 1), "{name}");
    }
}

#[test]
fn a_restoration_answered_on_a_stream_is_one() {
    let mut w = World::ready();
    subscribed(&mut w, "a:");
    lose(&mut w);
    w.recover("s2");
    w.events.clear();
    let sent = w.take("resources/subscribe");
    let reply = result(sent.rpc_id(), json!({}));
    w.answer(&sent, 200).stream(&[reply]);
    assert!(w.events.is_empty(), "{:?}", w.events);
}

#[test]
fn lost_again_while_it_is_restored_all_is_asked_for_again() {
    for answered in [0, 1] {
        let mut w = World::ready();
        subscribed(&mut w, "a:");
        subscribed(&mut w, "b:");
        lose(&mut w);
        w.recover("s2");
        for _ in 0..answered {
            w.succeed("resources/subscribe");
        }
        w.answer_all("resources/subscribe", 404);
        assert_eq!(w.reinitialized(), 2);
        w.recover("s3");
        assert_eq!(restored(&w).len(), 2, "answered: {answered}");
        let told = w
            .events
            .iter()
            .any(|event| matches!(event, Event::NotRestored { .. }));
        assert!(!told, "it is under way again");
    }
}

#[test]
fn a_suspicious_400_to_a_restoration_is_settled_by_ping() {
    for lost in [false, true] {
        let mut w = World::ready();
        subscribed(&mut w, "a:");
        lose(&mut w);
        w.recover("s2");
        w.answer_all("resources/subscribe", 400);
        if lost {
            w.answer_all("ping", 404);
            w.recover("s3");
            assert_eq!(restored(&w).len(), 1);
        } else {
            w.succeed("ping");
            let (_, _, error) = not_restored(&mut w);
            assert_eq!(*error.reason(), Refused::Status.into());
        }
    }
}

#[test]
fn redirected_it_is_followed() {
    let mut w = World::ready();
    subscribed(&mut w, "a:");
    lose(&mut w);
    w.recover("s2");
    let sent = w.take("resources/subscribe");
    w.answer(&sent, 307).header("location", "/mcp/").empty();
    let sent = w.take("resources/subscribe");
    assert_eq!(
        (sent.request.uri().path(), sent.session()),
        ("/mcp/", Some("s2"))
    );
    w.answer(&sent, 307)
        .header("location", "https://evil.com/")
        .empty();
    let (_, _, error) = not_restored(&mut w);
    assert!(matches!(
        error.reason(),
        Reason::Refused(Refused::Redirected { .. })
    ));
}

#[test]
fn changed_while_it_is_due_it_is_asked_for_as_it_is_now() {
    // No room for control traffic, so that the restoration waits.
    let mut w = World::ready_with(|c| c.limits(limits(|limits| limits.control_exchanges = 1)));
    subscribed(&mut w, "a:");
    subscribed(&mut w, "b:");
    granted(&mut w, "logging/setLevel", json!({ "level": "error" }));
    lose(&mut w);
    w.recover("s2");
    assert_eq!(restored(&w), [pair("logging/setLevel", "error")]);
    granted(&mut w, "resources/unsubscribe", json!({ "uri": "b:" }));
    w.succeed("logging/setLevel");
    assert_eq!(restored(&w), [pair("resources/subscribe", "a:")]);
    w.succeed("resources/subscribe");
    assert_eq!(restored(&w), []);
}

#[test]
fn with_hold_it_is_restored_before_the_application_says_resume() {
    let mut w = World::ready_with(|c| c.recovery(Recovery::Hold).listen(true));
    w.reopen();
    subscribed(&mut w, "a:");
    lose(&mut w);
    w.recover("s2");
    assert_eq!(
        (w.phase(), w.open_methods()),
        (
            Phase::Held,
            vec!["resources/subscribe".to_owned(), "GET".to_owned()]
        )
    );
    w.succeed("resources/subscribe");
    w.connection.resume(w.now).unwrap();
    w.drive();
    assert_eq!(w.open_methods(), ["GET", "tools/call"]);
}

#[test]
fn with_manual_nothing_is_asked_for_until_the_application_says_so() {
    let mut w = World::ready_with(|c| c.recovery(Recovery::Manual).listen(true));
    let get = w.reopen();
    subscribed(&mut w, "a:");
    lose(&mut w);
    assert_eq!(w.aborted, [get.exchange]);
    w.advance(secs(400));
    assert!(w.open.is_empty(), "{:?}", w.open_methods());
    w.connection.reinitialize(w.now).unwrap();
    w.drive();
    w.recover("s2");
    assert_eq!(restored(&w), [pair("resources/subscribe", "a:")]);
    assert!(w.has("GET"));
}

#[test]
fn a_level_that_a_session_that_is_gone_grants_again_is_asked_for_once() {
    let mut w = World::ready();
    granted(&mut w, "logging/setLevel", json!({ "level": "error" }));
    let call = ask_for(&mut w, "logging/setLevel", json!({ "level": "error" }));
    let sent = w.take("logging/setLevel");
    w.answer(&sent, 200).stream(&[]);
    lose(&mut w);
    w.recover("s2");
    assert_eq!(restored(&w), [pair("logging/setLevel", "error")]);
    w.succeed("logging/setLevel");
    w.event(&sent, &result(sent.rpc_id(), json!({})));
    w.reply(call);
    assert_eq!(restored(&w), []);
}

#[test]
fn granted_by_a_session_that_is_gone_it_is_asked_for_in_the_new_one() {
    for recovered in [false, true] {
        let mut w = World::ready();
        let call = ask_for(&mut w, "resources/subscribe", json!({ "uri": "a:" }));
        let sent = w.take("resources/subscribe");
        w.answer(&sent, 200).stream(&[]);
        lose(&mut w);
        if recovered {
            w.recover("s2");
            w.succeed("tools/call");
        }
        w.event(&sent, &result(sent.rpc_id(), json!({})));
        w.reply(call);
        if !recovered {
            w.recover("s2");
        }
        assert_eq!(
            restored(&w),
            [pair("resources/subscribe", "a:")],
            "recovered: {recovered}"
        );
    }
}

// The streams of calls.

/// A resumable call in each state that its stream can be in, with the GET if there is one.
fn streaming_states() -> Vec<(&'static str, World, CallId, Sent)> {
    let mut rows = Vec::new();
    let (w, call, sent) = World::primed();
    rows.push(("it streams", w, call, sent));
    let (mut w, call, sent) = World::primed();
    w.fail(&sent, reset());
    rows.push(("its delay runs", w, call, sent));
    let (w, call, get) = World::resuming();
    rows.push(("its GET is under way", w, call, get));
    let (mut w, call, get) = World::resuming();
    w.answer(&get, 200).stream(&[]);
    rows.push(("it is resumed", w, call, get));
    rows
}

#[test]
fn cut_with_its_session_a_call_ends_as_unknown() {
    for recovered in [false, true] {
        for (name, mut w, call, open) in streaming_states() {
            w.call("tools/list");
            w.answer_all("tools/list", 404);
            assert_eq!(w.ended(call), name == "its delay runs", "{name}");
            if recovered {
                w.recover("s2");
            }
            let gets = w.count("GET");
            if !w.ended(call) {
                w.fail(&open, reset());
            }
            let error = w.error(call);
            assert_eq!(error.delivery(), Delivery::Unknown, "{name}");
            assert!(matches!(
                error.reason(),
                Reason::Lost(Lost::Session) | Reason::Transport(_)
            ));
            w.advance(secs(3600));
            assert_eq!(
                w.count("GET"),
                gets,
                "{name}: nothing is resumed with a dead id"
            );
        }
    }
}

#[test]
fn untouched_by_the_loss_a_call_may_still_be_answered() {
    for (name, mut w, call, open) in streaming_states() {
        if name == "its delay runs" {
            continue;
        }
        let id = w
            .sent
            .iter()
            .find(|sent| sent.method() == "tools/call")
            .unwrap()
            .rpc_id();
        w.call("tools/list");
        w.answer_all("tools/list", 404);
        w.recover("s2");
        if name == "its GET is under way" {
            w.answer(&open, 200).stream(&[]);
        }
        w.event(&open, &log("still here"));
        w.event(&open, &result(id, json!({})));
        assert_eq!(w.logs(), ["still here"], "{name}");
        w.reply(call);
    }
}

#[test]
fn what_the_get_of_a_lost_session_is_answered_ends_the_call() {
    for status in [307, 404, 429, 503] {
        let (mut w, call, get) = World::resuming();
        w.call("tools/list");
        w.answer_all("tools/list", 404);
        w.recover("s2");
        w.answer(&get, status).header("location", "/mcp/").empty();
        assert_eq!(w.error(call).delivery(), Delivery::Unknown, "{status}");
        w.advance(secs(3600));
        assert_eq!((w.count("GET"), w.count("ping")), (1, 0), "{status}");
        assert_eq!(w.reinitialized(), 1, "{status}");
    }
}

#[test]
fn a_404_to_any_number_of_gets_is_one_ping() {
    for lost in [false, true] {
        let mut w = World::ready_with(|c| c.listen(true));
        let listening = w.take("GET");
        w.answer(&listening, 200).stream(&[]);
        let mut cut = vec![listening];
        for _ in 0..5 {
            let (next, _, sent) = w.and_primed(CallOptions::new());
            (w, _) = (next, cut.push(sent));
        }
        for sent in &cut {
            w.fail(sent, reset());
        }
        w.advance(secs(1));
        let gets: Vec<_> = (0..6).map(|_| w.take("GET")).collect();
        for get in gets {
            w.answer(&get, 404).empty();
        }
        assert_eq!(w.count("ping"), 1);
        if lost {
            w.answer_all("ping", 404);
            w.recover("s2");
        } else {
            w.succeed("ping");
        }
        assert_eq!(
            (w.reinitialized(), w.phase()),
            (usize::from(lost), Phase::Ready)
        );
        assert_eq!(w.count("initialize"), 1 + usize::from(lost));
    }
}

#[test]
fn a_404_to_a_get_of_an_older_session_asks_nobody() {
    let (mut w, call, get) = World::resuming();
    w.call("tools/list");
    w.answer_all("tools/list", 404);
    w.recover("s2");
    w.answer(&get, 404).empty();
    assert!(w.ended(call));
    assert_eq!((w.count("ping"), w.reinitialized()), (0, 1));
}

#[test]
fn with_hold_a_call_that_was_cut_is_not_held() {
    let w = World::ready_with(|c| c.recovery(Recovery::Hold));
    let (mut w, call, sent) = w.and_primed(CallOptions::new());
    w.fail(&sent, reset());
    lose(&mut w);
    assert_eq!(*w.error(call).reason(), Lost::Session.into());
}

#[test]
fn in_a_held_session_streams_are_resumed() {
    let (mut w, call, sent) = World::held().and_primed(CallOptions::new());
    w.fail(&sent, reset());
    let get = w.reopen();
    assert_eq!(get.session(), Some("s2"));
    w.event(&get, &result(sent.rpc_id(), json!({})));
    w.reply(call);
    assert_eq!(w.phase(), Phase::Held);
}

#[test]
fn with_the_budget_spent_nothing_is_asked_for_until_it_is_over() {
    let mut w = World::ready_with(|c| c.listen(true));
    w.reopen();
    subscribed(&mut w, "a:");
    lose(&mut w);
    for _ in 0..2 {
        let init = w.wait_for("initialize");
        w.answer(&init, 503).empty();
        if w.phase() == Phase::Idle {
            w.call("tools/list");
        }
    }
    let before = w.sent.len();
    let call = w.call("tools/list");
    let error = w.error(call);
    let spent = matches!(
        error.reason(),
        Reason::Lost(Lost::SessionUnrecoverable { .. })
    );
    assert!(spent, "{error}");
    let after = error.retry_after().unwrap();
    w.advance(after);
    assert_eq!(w.sent.len(), before, "silent: {:?}", w.sent_since(before));
    w.call("tools/list");
    w.establish("s9");
    assert_eq!(restored(&w), [pair("resources/subscribe", "a:")]);
    w.reopen();
}

#[test]
fn a_ping_asked_on_the_stream_of_a_lost_session_is_not_answered() {
    for (name, mut w, _, open) in streaming_states() {
        if matches!(name, "its delay runs" | "its GET is under way") {
            continue;
        }
        lose(&mut w);
        w.recover("s2");
        w.event(&open, &request(1, "ping", json!({})));
        w.event(&open, &request(2, "roots/list", json!({})));
        assert!(!w.has("answer"), "{name}");
        assert!(
            !w.events.iter().any(|event| matches!(event, Event::Ask(_))),
            "{name}"
        );
    }
}

#[test]
fn the_cause_of_a_loss_that_a_get_showed_is_the_pings() {
    let (mut w, _, get) = World::resuming();
    w.answer(&get, 404)
        .json(&rpc_error(json!(null), -32001, "Session not found"));
    w.answer_all("ping", 404);
    let cause = LossCause::NotFound;
    assert!(w.events.contains(&Event::Reinitialize {
        generation: 1,
        cause
    }));
}

#[test]
fn what_a_lost_session_never_answered_holds_up_nothing_in_the_next() {
    let mut w = World::ready();
    for n in 0..16 {
        subscribed(&mut w, &format!("x:{n:02}"));
    }
    lose(&mut w);
    w.recover("s2");
    assert_eq!(restored(&w).len(), 16);
    w.answer_all("tools/call", 404);
    let from = w.sent.len();
    w.recover("s3");
    let since = w.sent_since(from);
    let again = since.iter().filter(|it| *it == "resources/subscribe");
    assert_eq!(again.count(), 16, "{since:?}");
}

#[test]
fn what_a_lost_session_refuses_late_says_nothing_of_the_next() {
    let mut w = World::ready();
    subscribed(&mut w, "x:1");
    lose(&mut w);
    w.recover("s2");
    let old = w.take("resources/subscribe");
    w.answer_all("tools/call", 404);
    assert!(w.aborted.contains(&old.exchange));
    w.recover("s3");
    w.answer(&old, 503).empty();
    w.succeed("resources/subscribe");
    let told = |event: &Event| matches!(event, Event::NotRestored { .. });
    assert!(!w.events.iter().any(told), "{:?}", w.events);
}

/// A resource of the old session is given up on a stream that outlives it.
#[test]
fn what_was_unsubscribed_from_on_a_dead_sessions_stream_is_given_up_in_the_new_one() {
    let mut w = World::ready();
    subscribed(&mut w, "x:1");
    ask_for(&mut w, "resources/unsubscribe", json!({ "uri": "x:1" }));
    let given_up = w.take("resources/unsubscribe");
    w.answer(&given_up, 200).stream(&[]);
    lose(&mut w);
    w.recover("s2");
    w.succeed("resources/subscribe");
    w.event(&given_up, &result(given_up.rpc_id(), json!({})));
    assert!(w.has("resources/unsubscribe"), "{:?}", w.open_methods());
}

/// More than are on their way at a time; fewer still where control traffic is bounded.
#[test]
fn what_was_refused_does_not_overtake_what_is_restored() {
    for (recovery, at_once) in [
        (Recovery::Automatic, 64),
        (Recovery::Automatic, 1),
        (Recovery::Hold, 64),
    ] {
        let mut w = World::ready_with(|c| {
            let limits = limits(|l| l.control_exchanges = at_once);
            c.recovery(recovery).limits(limits)
        });
        for n in 0..40 {
            subscribed(&mut w, &format!("x:{n:02}"));
        }
        let call = lose(&mut w);
        let from = w.sent.len();
        w.recover("s2");
        if recovery == Recovery::Hold {
            w.connection.resume(w.now).unwrap();
            w.drive();
        }
        // Others go on.
        let (other, sent) = w.begin("tools/list");
        w.answer(&sent, 200).result(json!({}));
        w.reply(other);
        while w.has("resources/subscribe") {
            w.succeed("resources/subscribe");
        }
        let since = w.sent_since(from);
        assert_eq!(since.last().unwrap(), "tools/call", "{since:?}");
        w.succeed("tools/call");
        w.reply(call);
    }
}

#[test]
fn what_is_never_restored_holds_what_was_refused_up_for_no_longer_than_its_clock() {
    let mut w = World::ready();
    for n in 0..17 {
        subscribed(&mut w, &format!("x:{n:02}"));
    }
    lose(&mut w);
    w.recover("s2");
    assert!(!w.has("tools/call"));
    w.advance(secs(30));
    assert!(w.has("tools/call"), "{:?}", w.open_methods());
}

/// No session refused it: nothing that it builds on is gone.
#[test]
fn what_is_asked_for_between_two_sessions_does_not_wait_for_what_is_restored() {
    let mut w = World::ready();
    for n in 0..17 {
        subscribed(&mut w, &format!("x:{n:02}"));
    }
    let refused = lose(&mut w);
    let between = w.call("tools/list");
    w.recover("s2");
    assert!(!w.has("tools/call"), "{:?}", w.open_methods());
    w.succeed("tools/list");
    w.reply(between);
    while w.has("resources/subscribe") {
        w.succeed("resources/subscribe");
    }
    w.succeed("tools/call");
    w.reply(refused);
}

#[test]
fn lost_again_what_waits_behind_what_is_restored_is_not_lost() {
    let mut w = World::ready();
    for n in 0..17 {
        subscribed(&mut w, &format!("x:{n:02}"));
    }
    let call = lose(&mut w);
    w.recover("s2");
    w.answer_all("resources/subscribe", 404);
    w.recover("s3");
    while w.has("resources/subscribe") {
        w.succeed("resources/subscribe");
    }
    w.succeed("tools/call");
    w.reply(call);
}

/// The server went over to 2026-07-28, which has neither of these requests.
fn stands_alone_now(w: &mut World) {
    let initialize = w.wait_for("initialize");
    w.answer(&initialize, 400).error(-32022, "modern only");
    let discover = w.take("server/discover");
    let discovery = json!({
        "resultType": "complete", "supportedVersions": ["2026-07-28"],
        "capabilities": { "tools": {}, "logging": {} },
    });
    w.answer(&discover, 200).result(discovery);
    w.ready_event();
}

#[test]
fn where_no_request_subscribes_nothing_is_subscribed_to_anew() {
    let mut w = World::ready_with(|c| c.listen(false));
    subscribed(&mut w, "a:");
    lose(&mut w);
    w.recover("s2");
    w.answer_all("tools/call", 404);
    stands_alone_now(&mut w);
    w.open.clear();
    w.events.clear();
    let call = ask_for(&mut w, "resources/unsubscribe", json!({ "uri": "a:" }));
    let no_method = |error: &Error| match error.reason() {
        Reason::Misuse(misuse) => matches!(misuse.mistake(), Mistake::NotInRevision { .. }),
        _ => false,
    };
    let error = w.error(call);
    assert!(no_method(&error), "{error}");
    assert_eq!(restored(&w), []);
    let (method, params, error) = not_restored(&mut w);
    assert_eq!(
        (method, params),
        ("resources/subscribe", json!({ "uri": "a:" }))
    );
    assert!(no_method(&error), "{error}");
}

#[test]
fn a_level_that_is_granted_late_travels_with_each_request() {
    let mut w = World::ready_with(|c| c.listen(false));
    ask_for(&mut w, "logging/setLevel", json!({ "level": "info" }));
    let level = w.take("logging/setLevel");
    lose(&mut w);
    stands_alone_now(&mut w);
    w.answer(&level, 200).result(json!({}));
    assert_eq!(restored(&w), []);
    w.call("tools/call");
    let sent = w.open.last().unwrap().json();
    let level = &sent["params"]["_meta"]["io.modelcontextprotocol/logLevel"];
    assert_eq!(*level, "info");
}
