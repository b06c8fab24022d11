//! Section 6: the listening stream.

use std::time::Duration;

use mcp_http::{Event, Listening, Lost, Phase, Reason, Refused, Subject};
use serde_json::json;

use crate::world::{
    Sent, World, config, event_with_id, log, millis, refused_connection, reset, result, rpc_error,
    secs,
};

fn status(w: &World) -> Listening {
    w.connection.status().listening
}

/// The time from now to the GET that follows.
#[track_caller]
fn delay(w: &mut World) -> (Duration, Sent) {
    let from = w.now;
    let get = w.wait_for("GET");
    (get.at.since(from), get)
}

/// Section 6: polling takes exactly the delay that was told. Another credential is no reason
/// to come sooner.
#[test]
fn a_told_delay_is_not_cut_short_by_another_credential() {
    let ways: [fn(&mut World); 2] = [
        |w| w.authorize("Bearer new"),
        |w| w.set_credential(Some("Bearer new")),
    ];
    for renew in ways {
        let (mut w, get) = World::listening();
        w.chunk(&get, "retry: 60000\n\n");
        w.end(&get);
        let start = w.now;
        w.advance(secs(1));
        renew(&mut w);
        let again = w.wait_for("GET");
        assert_eq!(again.at.since(start), secs(60));
    }
}

#[test]
fn it_is_not_offered_and_that_is_said_once() {
    for status in [400, 404, 405, 501, 204] {
        let mut w = World::ready_with(|_| config().listen(true));
        let get = w.take("GET");
        w.answer(&get, status).empty();
        let error = w.not_offered();
        assert!(error.to_string().contains("no listening stream"), "{error}");
        assert_eq!(w.connection.status().listening, Listening::NotOffered);
        if w.has("ping") {
            let ping = w.take("ping");
            w.answer(&ping, 200).result(json!({}));
        }
        w.advance(secs(3600));
        assert_eq!((w.count("GET"), w.phase()), (1, Phase::Ready), "{status}");
    }
}

#[test]
fn degraded_then_restored() {
    let (mut w, get) = World::listening();
    w.chunk(&get, event_with_id("9", &log("x")));
    w.fail(&get, reset());
    assert!(matches!(
        w.events.last(),
        Some(Event::StreamDegraded { .. })
    ));
    let get = w.wait_for("GET");
    assert_eq!(get.cursor(), Some("9"));
    w.answer(&get, 200).stream(&[]);
    assert_eq!(w.events.last(), Some(&Event::StreamRestored));
}

#[test]
fn a_budget_of_five_then_every_five_minutes() {
    let (mut w, get) = World::listening();
    w.fail(&get, reset());
    for _ in 0..4 {
        let get = w.wait_for("GET");
        w.answer(&get, 503).empty();
    }
    let degraded = w.now;
    let get = w.wait_for("GET");
    assert_eq!(get.at.since(degraded), secs(300));
    let told = w
        .events
        .iter()
        .filter(|event| matches!(event, Event::StreamDegraded { .. }));
    assert_eq!(told.count(), 1);
}

#[test]
fn a_404_on_a_living_session_costs_no_session() {
    let (mut w, get) = World::listening();
    w.fail(&get, reset());
    let get = w.wait_for("GET");
    w.answer(&get, 404).empty();
    let ping = w.take("ping");
    w.answer(&ping, 200).result(json!({}));
    assert_eq!((w.phase(), w.reinitialized()), (Phase::Ready, 0));
}

#[test]
fn a_new_session_gets_a_new_one() {
    let (mut w, get) = World::listening();
    w.chunk(&get, event_with_id("9", &log("x")));
    let _ = w.call("tools/call");
    w.answer_all("tools/call", 404);
    assert!(w.aborted.contains(&get.exchange));
    w.recover("b");
    let get = w.take("GET");
    assert_eq!((get.session(), get.cursor()), (Some("b"), None));
}

#[test]
fn it_is_asked_for_after_the_handshake() {
    let mut w = World::new(config().listen(true));
    w.connect();
    assert_eq!((w.count("GET"), status(&w)), (0, Listening::Off));
    w.accept_initialize("s1");
    assert_eq!(w.count("GET"), 0, "not before the session is confirmed");
    w.accept("notifications/initialized");
    let get = w.take("GET");
    assert_eq!(get.session(), Some("s1"));
    assert_eq!(get.header("mcp-protocol-version"), Some("2025-11-25"));
    assert_eq!(get.header("accept"), Some("text/event-stream"));
    assert_eq!(get.cursor(), None);
    assert_eq!(status(&w), Listening::Opening);
}

#[test]
fn off_by_configuration_it_is_not_asked_for() {
    let mut w = World::ready();
    w.advance(secs(3600));
    w.connection.network_changed(w.now);
    w.drive();
    assert_eq!((w.count("GET"), status(&w)), (0, Listening::Off));
}

#[test]
fn without_a_session_id_it_is_asked_for_too() {
    let mut w = World::new(config().listen(true));
    w.connect();
    let sent = w.take("initialize");
    w.answer(&sent, 200)
        .result(crate::world::initialized("2025-11-25"));
    w.accept("notifications/initialized");
    let get = w.take("GET");
    assert_eq!(get.session(), None);
    w.answer(&get, 404).empty();
    assert_eq!(status(&w), Listening::NotOffered);
    assert!(w.open.is_empty(), "no session can be in doubt");
}

#[test]
fn another_type_is_not_offered() {
    let answers: [fn(&mut World, &Sent); 6] = [
        |w, get| w.answer(get, 200).typed("text/plain", "hello"),
        |w, get| w.answer(get, 200).typed("text/html", "<h1>hello</h1>"),
        |w, get| w.answer(get, 200).json(&json!({})),
        |w, get| w.answer(get, 200).empty(),
        |w, get| w.answer(get, 202).empty(),
        |w, get| {
            w.answer(get, 405)
                .json(&rpc_error(json!(null), -32000, "Method not allowed."))
        },
    ];
    for answer in answers {
        let (mut w, get) = World::opening();
        answer(&mut w, &get);
        let error = w.not_offered();
        assert_eq!(*error.reason(), Lost::NotOffered.into());
        assert_eq!(w.ups_and_downs(), (0, 0));
        w.advance(secs(3600));
        assert_eq!((w.count("GET"), status(&w)), (1, Listening::NotOffered));
    }
}

#[test]
fn not_offered_in_one_session_it_is_asked_for_in_the_next() {
    let (mut w, get) = World::opening();
    w.answer(&get, 405).empty();
    w.call("tools/call");
    w.answer_all("tools/call", 404);
    assert_eq!(status(&w), Listening::Off);
    w.recover("s2");
    w.reopen();
    assert_eq!(status(&w), Listening::Open);
}

#[test]
fn the_network_changes_nothing_about_what_is_not_offered() {
    let (mut w, get) = World::opening();
    w.answer(&get, 405).empty();
    w.connection.network_changed(w.now);
    w.drive();
    assert_eq!(w.count("GET"), 1);
}

#[test]
fn any_other_first_answer_degrades_it_only() {
    let rows = [
        (401, Refused::Unauthorized),
        (403, Refused::Forbidden),
        (408, Refused::TooManyRequests),
        (409, Refused::Status),
        (429, Refused::TooManyRequests),
        (500, Refused::Unavailable),
        (503, Refused::Unavailable),
    ];
    for (refused, reason) in rows {
        let (mut w, get) = World::opening();
        let call = w.call("tools/call");
        w.answer(&get, refused).empty();
        assert_eq!(*w.degraded().reason(), reason.into(), "{refused}");
        assert_eq!(status(&w), Listening::Degraded);
        assert!(w.events.is_empty(), "{refused}: {:?}", w.events);
        w.succeed("tools/call");
        w.reply(call);
        w.reopen();
        assert_eq!((w.ups_and_downs(), status(&w)), ((0, 1), Listening::Open));
        assert_eq!(
            (w.count("initialize"), w.count("ping")),
            (1, 0),
            "{refused}"
        );
    }
}

#[test]
fn what_is_refused_later_was_offered_once() {
    for refused in [204, 400, 404, 405, 501] {
        let (mut w, get) = World::listening();
        w.event_with_id(&get, "1", &log("x"));
        w.fail(&get, reset());
        let get = w.wait_for("GET");
        w.answer(&get, refused).empty();
        w.answer_all("ping", 200);
        assert_eq!(status(&w), Listening::Degraded, "{refused}");
        let get = w.reopen();
        assert_eq!(status(&w), Listening::Open, "{refused}");
        // It may be the cursor that was refused.
        let expected = (refused == 501).then_some("1");
        assert_eq!(get.cursor(), expected, "{refused}");
        assert_eq!(w.ups_and_downs(), (1, 1), "{refused}");
    }
}

#[test]
fn every_kind_of_failure_degrades_it_once() {
    let failures: [fn(&mut World, &Sent); 3] = [
        |w, get| w.fail(get, reset()),
        |w, get| w.end(get),
        |w, get| w.chunk(get, vec![b'x'; (16 << 20) + 1]),
    ];
    for fail in failures {
        let (mut w, mut get) = World::listening();
        for _ in 0..4 {
            fail(&mut w, &get);
            get = w.reopen();
        }
        assert_eq!(w.ups_and_downs(), (4, 4));
        let (mut w, get) = World::listening();
        fail(&mut w, &get);
        for _ in 0..3 {
            let get = w.wait_for("GET");
            w.fail(&get, refused_connection());
        }
        assert_eq!(w.ups_and_downs(), (1, 0), "said once until it is restored");
    }
}

#[test]
fn polling_degrades_nothing() {
    let (mut w, get) = World::listening();
    w.chunk(&get, "retry: 3000\n\n");
    let mut last = get;
    for _ in 0..50 {
        w.end(&last);
        assert_eq!(status(&w), Listening::Opening);
        let (waited, get) = delay(&mut w);
        assert_eq!(waited, secs(3));
        w.answer(&get, 200).stream(&[]);
        last = get;
    }
    assert_eq!((w.ups_and_downs(), status(&w)), ((0, 0), Listening::Open));
}

#[test]
fn polling_with_retry_0_that_brings_nothing_slows_down() {
    let (mut w, get) = World::listening();
    w.chunk(&get, "retry: 0\n\n");
    let mut last = get;
    let mut delays = Vec::new();
    for _ in 0..5 {
        w.end(&last);
        let (waited, get) = delay(&mut w);
        delays.push(waited.as_millis());
        w.answer(&get, 200).stream(&[]);
        last = get;
    }
    assert_eq!(delays, [100, 100, 1000, 1000, 1000]);
}

#[test]
fn what_is_beyond_the_ceiling_is_not_waited_for() {
    for told in ["300001", "99999999999", "99999999999999999999999"] {
        let (mut w, get) = World::listening();
        w.chunk(&get, format!("retry: {told}\n\n"));
        w.end(&get);
        assert_eq!(
            (w.ups_and_downs(), status(&w)),
            ((1, 0), Listening::Degraded)
        );
        assert_eq!(delay(&mut w).0, secs(300), "{told}");
    }
    let (mut w, get) = World::listening();
    w.chunk(&get, "retry: 300000\n\n");
    w.end(&get);
    assert_eq!(w.ups_and_downs(), (0, 0));
    assert_eq!(delay(&mut w).0, secs(300));
}

#[test]
fn retry_after_is_obeyed_within_its_bounds() {
    let rows = [("0", millis(100)), ("20", secs(20)), ("86400", secs(300))];
    for refused in [429, 503] {
        for (after, waits) in rows {
            let (mut w, get) = World::opening();
            w.answer(&get, refused).header("retry-after", after).empty();
            assert_eq!(delay(&mut w).0, waits, "{refused} {after}");
        }
    }
}

#[test]
fn every_5_min_for_as_long_as_it_takes() {
    let (mut w, get) = World::listening();
    w.fail(&get, reset());
    let mut gets = Vec::new();
    while gets.len() < 20 {
        let get = w.wait_for("GET");
        gets.push(get.at);
        w.answer(&get, 503).empty();
    }
    assert!(
        gets[3].since(gets[0]) < secs(30),
        "four tries first: {gets:?}"
    );
    for pair in gets[3..].windows(2) {
        assert_eq!(pair[1].since(pair[0]), secs(300));
    }
    w.reopen();
    assert_eq!((w.ups_and_downs(), status(&w)), ((1, 1), Listening::Open));
}

#[test]
fn restored_after_5_min_it_has_to_live_before_it_is_forgiven() {
    for (lived, waits) in [(secs(5) - millis(1), true), (secs(5), false)] {
        let (mut w, get) = World::listening();
        w.fail(&get, reset());
        for _ in 0..4 {
            let get = w.wait_for("GET");
            w.answer(&get, 503).empty();
        }
        let get = w.reopen();
        w.advance(lived);
        w.fail(&get, reset());
        let (waited, _) = delay(&mut w);
        assert_eq!(waited == secs(300), waits, "{waited:?}");
    }
}

#[test]
fn a_gateway_that_answers_504_after_a_minute_spends_the_budget() {
    let (mut w, mut get) = World::opening();
    for _ in 0..4 {
        w.advance(secs(60));
        w.answer(&get, 504).empty();
        get = w.wait_for("GET");
    }
    w.advance(secs(60));
    w.answer(&get, 504).empty();
    assert_eq!(delay(&mut w).0, secs(300));
}

#[test]
fn its_head_may_take_for_ever_and_is_in_nobodys_way() {
    let (mut w, get) = World::opening();
    for _ in 0..20 {
        let call = w.call("tools/call");
        w.succeed("tools/call");
        w.reply(call);
        let id = w.notify("notifications/x");
        w.accept("notifications/x");
        assert!(w.accepted(Subject::Notification(id)));
        w.advance(secs(3600));
    }
    assert_eq!((w.count("GET"), status(&w)), (1, Listening::Opening));
    w.answer(&get, 200).stream(&[log("at last")]);
    assert_eq!(
        (w.logs().as_slice(), w.ups_and_downs()),
        (&["at last".to_owned()][..], (0, 0))
    );
}

#[test]
fn silence_on_it_means_nothing() {
    let (mut w, get) = World::listening();
    w.event_with_id(&get, "1", &log("x"));
    w.advance(secs(86_400));
    assert_eq!(
        (w.count("GET"), w.count("ping"), w.ups_and_downs()),
        (1, 0, (0, 0))
    );
    w.event_with_id(&get, "2", &log("y"));
    assert_eq!(w.logs(), ["x", "y"]);
}

#[test]
fn calls_leave_before_it() {
    let mut w = World::new(config().listen(true));
    w.call("tools/call");
    w.establish("s1");
    assert_eq!(w.open_methods(), ["tools/call", "GET"]);
}

#[test]
fn its_end_ends_no_call_and_no_session() {
    let (mut w, get) = World::listening();
    let (call, sent) = w.stream("tools/call");
    for failure in [reset(), refused_connection()] {
        w.fail(&get, failure);
    }
    w.event(&sent, &result(sent.rpc_id(), json!({})));
    w.reply(call);
    assert_eq!((w.count("initialize"), w.reinitialized()), (1, 0));
}

#[test]
fn redirects_on_the_same_origin_are_followed() {
    for moved in [307, 308] {
        let (mut w, get) = World::opening();
        w.answer(&get, moved).header("location", "/mcp/").empty();
        let get = w.wait_for("GET");
        assert_eq!(
            (get.request.uri().path(), get.session()),
            ("/mcp/", Some("s1"))
        );
        w.answer(&get, 200).stream(&[]);
        w.event_with_id(&get, "1", &log("x"));
        w.fail(&get, reset());
        let get = w.wait_for("GET");
        assert_eq!(
            (get.request.uri().path(), get.cursor()),
            ("/mcp", Some("1"))
        );
    }
}

#[test]
fn redirects_elsewhere_degrade_it() {
    let rows = [
        (307, "https://evil.com/mcp"),
        (308, "http://example.com/mcp"),
        (301, "/mcp/"),
        (302, "/mcp/"),
        (303, "/mcp/"),
        (307, ""),
    ];
    for (moved, to) in rows {
        let mut w = World::new(config().listen(true).header("authorization", "t").unwrap());
        w.connect();
        w.establish("s1");
        let get = w.take("GET");
        w.answer(&get, moved).header("location", to).empty();
        assert!(w.open.is_empty(), "{moved} {to}");
        let error = w.degraded();
        let redirected = matches!(error.reason(), Reason::Refused(Refused::Redirected { .. }));
        assert!(redirected || to.is_empty(), "{moved} {to}: {error}");
        w.advance(secs(3600));
        let all = w.sent.iter().map(|sent| sent.request.uri().to_string());
        assert!(all.into_iter().all(|uri| uri == crate::world::ENDPOINT));
    }
}

#[test]
fn redirects_in_a_circle_cost_its_budget() {
    let (mut w, mut get) = World::opening();
    let mut gets = 1;
    while w.now.since(get.at) < secs(60) {
        w.answer(&get, 307).header("location", "/mcp").empty();
        if !w.has("GET") && w.connection.poll_timeout().unwrap().since(w.now) > secs(60) {
            break;
        }
        get = w.wait_for("GET");
        gets += 1;
        assert!(gets <= 100, "it goes round for ever");
    }
    assert_eq!(gets, 5 * 4, "five tries of four hops");
}

#[test]
fn redirects_of_each_try_are_counted_apart() {
    let (mut w, get) = World::opening();
    w.answer(&get, 307).header("location", "/mcp/").empty();
    for _ in 0..8 {
        let get = w.wait_for("GET");
        assert_eq!(get.request.uri().path(), "/mcp/");
        w.answer(&get, 503).empty();
        let get = w.wait_for("GET");
        w.answer(&get, 307).header("location", "/mcp/").empty();
    }
    w.wait_for("GET");
}

#[test]
fn a_404_of_a_dead_session_is_found_out() {
    for offered in [false, true] {
        let (mut w, get) = World::opening();
        if offered {
            w.answer(&get, 200).stream(&[]);
            w.fail(&get, reset());
            let get = w.wait_for("GET");
            w.answer(&get, 404).empty();
        } else {
            w.answer(&get, 404).empty();
        }
        w.answer_all("ping", 404);
        assert_eq!(w.reinitialized(), 1, "offered: {offered}");
        w.recover("s2");
        assert_eq!(w.reopen().session(), Some("s2"));
    }
}

#[test]
fn a_404_to_the_get_and_a_ping_that_fails_cost_nothing() {
    for answer in [0, 202, 400, 500] {
        let (mut w, get) = World::opening();
        w.answer(&get, 404).empty();
        let ping = w.take("ping");
        match answer {
            0 => w.fail(&ping, reset()),
            answer => w.answer(&ping, answer).empty(),
        }
        assert_eq!(
            (w.phase(), w.reinitialized()),
            (Phase::Ready, 0),
            "{answer}"
        );
        w.advance(secs(600));
        assert_eq!((w.count("ping"), w.count("initialize")), (1, 1), "{answer}");
    }
}

#[test]
fn a_400_to_a_get_that_was_offered_is_settled_by_ping() {
    let (mut w, get) = World::listening();
    w.fail(&get, reset());
    let get = w.wait_for("GET");
    w.answer(&get, 400).empty();
    assert_eq!(w.count("ping"), 1);
    w.answer_all("ping", 404);
    assert_eq!(w.reinitialized(), 1);
}

#[test]
fn a_new_session_forgets_what_the_old_stream_was_told() {
    let (mut w, get) = World::listening();
    w.chunk(&get, "retry: 60000\nid: 5\ndata:\n\n");
    w.call("tools/call");
    w.answer_all("tools/call", 404);
    assert_eq!(w.aborted, [get.exchange]);
    w.event(&get, &log("late"));
    assert!(w.messages().is_empty());
    w.recover("s2");
    let get = w.reopen();
    assert_eq!(get.cursor(), None);
    w.fail(&get, reset());
    assert!(delay(&mut w).0 <= secs(1));
}

#[test]
fn degraded_in_one_session_it_is_restored_in_the_next() {
    let (mut w, get) = World::listening();
    w.fail(&get, reset());
    w.call("tools/call");
    w.answer_all("tools/call", 404);
    w.recover("s2");
    assert_eq!(w.ups_and_downs(), (1, 0));
    w.reopen();
    assert_eq!(w.ups_and_downs(), (1, 1));
}

#[test]
fn the_network_changed_and_it_is_opened_anew() {
    let (mut w, get) = World::listening();
    w.chunk(&get, event_with_id("1", &log("x")));
    w.connection.network_changed(w.now);
    w.drive();
    assert_eq!(w.aborted, [get.exchange]);
    let get = w.take("GET");
    assert_eq!(get.cursor(), Some("1"));
    w.answer(&get, 200).stream(&[]);
    assert_eq!(w.ups_and_downs(), (0, 0));
}

/// One that follows within the floor is heeded when that is over, another one at once.
#[test]
fn the_network_changed_again() {
    for (after, at_once) in [(millis(99), false), (millis(100), true)] {
        let (mut w, _) = World::listening();
        w.connection.network_changed(w.now);
        w.drive();
        let get = w.take("GET");
        w.answer(&get, 200).stream(&[]);
        w.advance(after);
        w.connection.network_changed(w.now);
        w.drive();
        assert_eq!(w.has("GET"), at_once, "{after:?}");
        w.advance(millis(1));
        assert!(w.has("GET"), "{after:?}");
    }
}

#[test]
fn the_network_changed_and_the_budget_is_forgiven() {
    let (mut w, get) = World::listening();
    w.fail(&get, reset());
    for _ in 0..4 {
        let get = w.wait_for("GET");
        w.fail(&get, refused_connection());
    }
    assert!(!w.has("GET"));
    w.connection.network_changed(w.now);
    w.drive();
    let get = w.take("GET");
    w.fail(&get, refused_connection());
    assert!(delay(&mut w).0 <= secs(1), "the first of five");
}

#[test]
fn the_network_changed_while_the_head_is_awaited() {
    let (mut w, get) = World::opening();
    w.connection.network_changed(w.now);
    w.drive();
    assert_eq!(
        (w.aborted.as_slice(), w.has("GET")),
        (&[get.exchange][..], true)
    );
}

#[test]
fn the_network_changed_and_failures_are_forgiven_while_it_is_under_way() {
    let (mut w, get) = World::listening();
    w.fail(&get, reset());
    for _ in 0..3 {
        let get = w.wait_for("GET");
        w.fail(&get, refused_connection());
    }
    // The fifth failure in a row would be the last for five minutes.
    w.wait_for("GET");
    w.connection.network_changed(w.now);
    w.drive();
    let get = w.take("GET");
    w.fail(&get, refused_connection());
    assert!(delay(&mut w).0 <= secs(1), "the first of five");
}

#[test]
fn the_network_changed_and_what_the_server_asked_for_is_left_of_a_spent_budget() {
    let (mut w, get) = World::listening();
    w.fail(&get, reset());
    for _ in 0..3 {
        let get = w.wait_for("GET");
        w.fail(&get, refused_connection());
    }
    let get = w.wait_for("GET");
    w.answer(&get, 503).header("retry-after", "20").empty();
    w.connection.network_changed(w.now);
    w.drive();
    assert!(!w.has("GET"));
    assert_eq!(delay(&mut w).0, secs(20));
}

#[test]
fn closed_it_is_aborted_before_the_session_is_ended() {
    for opened in [false, true] {
        let (mut w, get) = World::opening();
        if opened {
            w.answer(&get, 200).stream(&[]);
        }
        w.close();
        assert_eq!(
            (w.aborted.as_slice(), status(&w)),
            (&[get.exchange][..], Listening::Off)
        );
        w.answer_all("DELETE", 200);
        w.event(&get, &log("late"));
        w.end(&get);
        w.advance(secs(3600));
        assert_eq!((w.count("GET"), w.messages().len()), (1, 0));
    }
}

#[test]
fn closed_while_its_delay_runs_it_does_not_come_back() {
    let (mut w, get) = World::listening();
    w.fail(&get, reset());
    w.close();
    w.answer_all("DELETE", 200);
    w.advance(secs(3600));
    assert_eq!((w.count("GET"), w.connection.poll_timeout()), (1, None));
}

#[test]
fn its_errors_say_what_happened() {
    let (mut w, get) = World::opening();
    w.answer(&get, 405).empty();
    let text = w.not_offered().to_string();
    assert!(!text.contains("the connection failed"), "{text}");
    let (mut w, get) = World::listening();
    w.fail(&get, reset());
    let get = w.wait_for("GET");
    let text = w.degraded().to_string();
    assert!(text.contains("connection reset by peer"), "{text}");
    assert!(!text.contains("the connection failed"), "{text}");
    w.answer(&get, 200).stream(&[]);
    w.fail(&get, reset());
    w.degraded();
    let get = w.reopen();
    w.events.clear();
    w.end(&get);
    let text = w.degraded().to_string();
    assert!(
        !text.contains("before its reply"),
        "nothing is replied to: {text}"
    );
}

#[test]
fn its_404_is_not_said_to_have_carried_no_session() {
    let (mut w, get) = World::listening();
    w.advance(secs(6));
    w.chunk(&get, "retry: 1000\n\n");
    w.end(&get);
    let get = w.wait_for("GET");
    w.answer(&get, 404).empty();
    let text = w.degraded().to_string();
    assert!(!text.contains("no session id was sent"), "{text}");
    assert!(text.contains("404"), "{text}");
}

#[test]
fn what_is_not_waited_for_is_taken_up_where_it_was() {
    let (mut w, get) = World::listening();
    w.event_with_id(&get, "9", &log("x"));
    w.chunk(&get, "retry: 600000\n\n");
    w.end(&get);
    assert_eq!(w.wait_for("GET").cursor(), Some("9"));
}

#[test]
fn a_proxy_that_cuts_it_off_five_times_does_not_forget_where_it_was() {
    let (mut w, mut get) = World::listening();
    w.event_with_id(&get, "9", &log("x"));
    for cut in 0..6 {
        w.fail(&get, reset());
        get = w.wait_for("GET");
        assert_eq!(get.cursor(), Some("9"), "{cut}");
        w.answer(&get, 200).stream(&[]);
    }
}

#[test]
fn the_network_changed_and_nothing_is_waited_for_that_was_before() {
    let (mut w, get) = World::listening();
    w.fail(&get, reset());
    w.connection.network_changed(w.now);
    w.drive();
    assert!(w.has("GET"));
    assert_eq!(w.connection.poll_timeout(), None, "there is no reason");
    // Where the old network redirected to need not be there on this one.
    let (mut w, get) = World::opening();
    w.answer(&get, 307).header("location", "/mcp/").empty();
    w.connection.network_changed(w.now);
    let get = w.wait_for("GET");
    assert_eq!(get.request.uri().path(), "/mcp");
}

#[test]
fn the_network_changed_and_no_delay_after_a_failure_is_waited_for() {
    for retry in [None, Some(1_000), Some(60_000), Some(600_000)] {
        for failures in [1, 5] {
            let (mut w, get) = World::listening();
            if let Some(retry) = retry {
                w.chunk(&get, format!("retry: {retry}\n\n"));
            }
            w.fail(&get, reset());
            for _ in 1..failures {
                let get = w.wait_for("GET");
                w.fail(&get, refused_connection());
            }
            w.connection.network_changed(w.now);
            w.drive();
            assert!(w.has("GET"), "{retry:?}, after {failures}");
        }
    }
}

#[test]
fn the_network_changed_and_what_the_server_asked_for_is_waited_for() {
    let refuses = |w: &mut World, get: &Sent| {
        w.answer(get, 503).header("retry-after", "60").empty();
    };
    let polls = |w: &mut World, get: &Sent| {
        w.answer(get, 200).stream(&[]);
        w.chunk(get, "retry: 60000\n\n");
        w.end(get);
    };
    for asks in [refuses, polls] {
        let (mut w, get) = World::opening();
        asks(&mut w, &get);
        w.connection.network_changed(w.now);
        w.drive();
        assert_eq!(delay(&mut w).0, secs(60));
    }
}
