//! What goes wrong in the field: one test per row of that list that is about sessions, calls and
//! streams.
//!
//! Rows about eras are tested in `eras`, those about HTTP+SSE in `http_sse`, those about
//! authorisation in `authorize`, and rows about adapters with the adapters.

use std::time::Duration;

use mcp_http::{
    CallOptions, Clock, Delivery, Listening, LossCause, Lost, Peer, Phase, Reason, Refused, Remedy,
    Subject,
};
use serde_json::{Value, json};

use crate::world::{
    Sent, World, config, initialized, log, millis, request, reset, result, rpc_error, secs,
};

#[test]
fn sessions_wrong_url_404_is_no_expired_session() {
    let mut w = World::searching();
    let calls = [w.call("tools/call"), w.call("tools/list"), w.call("ping")];
    for asked in ["server/discover", "initialize", "GET"] {
        let sent = w.take(asked);
        w.answer(&sent, 404)
            .typed("text/html", "<h1>Not Found</h1>");
    }
    for call in calls {
        let error = w.error(call);
        assert_eq!(*error.reason(), Refused::NotFound.into());
        assert_eq!(
            (error.delivery(), error.remedy()),
            (Delivery::NotSent, Remedy::Correct)
        );
        assert!(
            error.to_string().contains("this is no expired session"),
            "{error}"
        );
    }
    w.advance(secs(3600));
    assert_eq!(w.sent.len(), 3, "one error, no traffic");
}

#[test]
fn sessions_initialized_or_first_call_answered_404_or_400_for_ever() {
    for (method, status) in [
        ("notifications/initialized", 404),
        ("notifications/initialized", 400),
        ("tools/call", 404),
        ("tools/call", 400),
    ] {
        let mut w = World::idle();
        let call = w.call("tools/call");
        for _ in 0..100 {
            w.advance(millis(300));
            w.answer_all(method, status);
            w.answer_all("ping", status);
            if w.has("initialize") {
                w.accept_initialize("s");
            }
            if method == "tools/call" && w.has("notifications/initialized") {
                w.accept("notifications/initialized");
            }
        }
        assert_eq!(
            w.count("initialize"),
            3,
            "{method} {status}: budget, then silence"
        );
        let error = w.error(call);
        let unrecoverable = matches!(
            error.reason(),
            Reason::Lost(Lost::SessionUnrecoverable { in_turns: true, .. })
        );
        assert!(unrecoverable, "{method} {status}: {error}");
    }
}

#[test]
fn sessions_one_503_during_a_handshake_does_not_fix_the_id_at_none() {
    let mut w = World::recovering();
    let sent = w.wait_for("initialize");
    w.answer(&sent, 503).empty();
    let call = w.call("tools/call");
    w.recover("s3");
    assert_eq!(w.open[0].session(), Some("s3"));
    w.answer_all("tools/call", 404);
    assert_eq!(w.reinitialized(), 2, "and this one can be lost again");
    w.advance(secs(600));
    assert!(w.ended(call));
}

#[test]
fn sessions_six_calls_get_404_at_slightly_different_times() {
    let mut w = World::ready();
    let calls: Vec<_> = (0..6).map(|_| w.call("tools/call")).collect();
    let refused: Vec<_> = (0..6).map(|_| w.take("tools/call")).collect();
    for (turn, sent) in refused.iter().enumerate() {
        w.answer(sent, 404).empty();
        w.advance(millis(400));
        if turn == 3 {
            w.establish("s2");
        }
    }
    for call in calls {
        w.succeed("tools/call");
        w.reply(call);
    }
    assert_eq!(
        (w.count("initialize"), w.count("DELETE")),
        (2, 0),
        "one handshake, six replies"
    );
    assert!(
        w.sent
            .iter()
            .filter(|s| s.method() == "tools/call")
            .all(|s| s.session().is_some())
    );
}

#[test]
fn sessions_a_call_that_is_fine_survives_its_neighbours_404() {
    let mut w = World::ready();
    let (fine, _) = (w.call("tools/list"), w.call("tools/call"));
    let sent = w.take("tools/list");
    w.answer_all("tools/call", 404);
    w.recover("s2");
    assert!(!w.ended(fine) && !w.aborted.contains(&sent.exchange));
    w.answer(&sent, 200).result(json!({ "ok": true }));
    assert_eq!(w.result(fine)["ok"], true);
}

#[test]
fn sessions_400_invalid_params_on_a_live_session_reaches_the_caller() {
    let (mut w, call, sent) = World::under_way();
    w.answer(&sent, 400).error(-32602, "Invalid params: name");
    let error = w.rpc_error(call);
    assert_eq!(
        (error.code, error.message.as_str()),
        (-32602, "Invalid params: name")
    );
    assert_eq!(
        (w.reinitialized(), w.sent_since(2)),
        (0, vec!["tools/call".to_owned()])
    );
}

#[test]
fn sessions_a_dead_session_answered_400_is_found_out_by_ping() {
    let mut w = World::ready();
    let call = w.call("tools/call");
    for method in ["tools/call", "ping"] {
        let sent = w.take(method);
        w.answer(&sent, 400)
            .error(-32000, "Bad Request: No valid session ID provided");
    }
    let lost = mcp_http::Event::Reinitialize {
        generation: 1,
        cause: LossCause::BadRequest,
    };
    assert!(w.events.contains(&lost));
    w.recover("s2");
    w.succeed("tools/call");
    w.reply(call);
}

#[test]
fn sessions_404_is_recovered_without_a_restart() {
    let mut w = World::ready();
    for session in ["s2", "s3", "s4", "s5"] {
        w.advance(secs(40));
        let call = w.call("tools/call");
        w.answer_all("tools/call", 404);
        w.recover(session);
        w.succeed("tools/call");
        w.reply(call);
    }
}

#[test]
fn sessions_a_404_of_a_proxy_that_hits_the_reinitialize_too_is_not_for_good() {
    let mut w = World::recovering();
    let sent = w.wait_for("initialize");
    w.answer(&sent, 404).empty();
    assert_eq!(
        *w.error_of(Subject::Connection).reason(),
        Refused::NotFound.into()
    );
    let later = w.call("tools/call");
    w.recover("s2");
    w.succeed("tools/call");
    w.reply(later);
}

#[test]
fn sessions_three_calls_share_a_budget_over_time() {
    let mut w = World::idle();
    for _ in 0..10 {
        w.call("tools/call");
        w.advance(secs(3));
        w.answer_all("initialize", 503);
    }
    assert_eq!(w.count("initialize"), 3);
}

#[test]
fn sessions_calls_streaming_on_the_old_session_end_as_unknown() {
    for recovered in [false, true] {
        for failure in [None, Some(reset())] {
            let mut w = World::ready();
            let (old, stream) = w.stream("tools/list");
            w.event(&stream, &log("x"));
            w.call("tools/call");
            w.answer_all("tools/call", 404);
            if recovered {
                w.recover("s2");
            }
            match failure.clone() {
                None => w.end(&stream),
                Some(failure) => w.fail(&stream, failure),
            }
            let error = w.error(old);
            let reason = failure.map_or(Reason::Lost(Lost::Stream), Reason::Transport);
            assert_eq!(
                (error.reason(), error.delivery()),
                (&reason, Delivery::Unknown),
                "recovered: {recovered}"
            );
            assert_eq!(w.count("tools/list"), 1);
        }
    }
}

#[test]
fn sessions_a_404_after_close_does_not_bring_it_back_to_life() {
    let mut w = World::ready();
    w.call("tools/call");
    let sent = w.take("tools/call");
    w.close();
    w.answer(&sent, 404).empty();
    w.answer_all("DELETE", 200);
    w.advance(secs(100));
    assert_eq!((w.phase(), w.count("initialize")), (Phase::Closed, 1));
}

#[test]
fn sessions_delete_that_hangs_or_is_refused_is_best_effort() {
    for status in [None, Some(404), Some(405), Some(500)] {
        let mut w = World::ready();
        let call = w.call("tools/call");
        w.close();
        assert!(w.ended(call), "at once");
        match status {
            None => w.advance(secs(30)),
            Some(status) => w.answer_all("DELETE", status),
        }
        assert!(w.connection.is_closed(), "{status:?}");
        assert_eq!(w.count("DELETE"), 1, "{status:?}");
    }
}

#[test]
fn sessions_a_late_reply_to_an_abandoned_handshake_is_deleted_not_mixed() {
    let mut w = World::initializing();
    let late = w.take("initialize");
    w.advance(secs(30));
    let call = w.call("tools/call");
    w.advance(millis(1500));
    let sent = w.take("initialize");
    w.answer(&late, 200)
        .header("mcp-session-id", "old")
        .result(initialized("2025-06-18"));
    assert_eq!(w.take("DELETE").session(), Some("old"));
    w.answer(&sent, 200)
        .header("mcp-session-id", "new")
        .result(initialized("2025-11-25"));
    w.accept("notifications/initialized");
    assert_eq!(w.ready_event().revision.as_str(), "2025-11-25");
    assert_eq!(w.open[0].session(), Some("new"));
    assert!(!w.ended(call));
}

#[test]
fn sessions_two_replicas_without_stickiness_are_named() {
    let mut w = World::ready();
    let mut errors = Vec::new();
    for turn in 0..6 {
        let call = w.call("tools/call");
        w.answer_all("tools/call", 404);
        w.advance(secs(3));
        if w.has("initialize") {
            w.establish(&format!("replica-{turn}"));
            w.succeed("tools/call");
            w.reply(call);
        } else {
            errors.push(w.error(call));
        }
    }
    assert_eq!(w.count("initialize"), 3);
    assert!(
        errors[0]
            .to_string()
            .contains("load balancer without sticky sessions")
    );
}

#[test]
fn sessions_headers_of_the_recovery_have_the_callers_credentials() {
    let mut w = World::recovering_with(|c| c.header("authorization", "Bearer t").unwrap());
    w.recover("s2");
    let all = &w.sent;
    assert!(
        all.iter()
            .all(|sent| sent.header("authorization") == Some("Bearer t"))
    );
}

/// A call whose answer is told by `answer` has ended at once, as `Unknown`.
#[track_caller]
fn hangs_not(answer: impl FnOnce(&mut World, &Sent), reason: impl Into<Reason>) {
    let (mut w, call, sent) = World::under_way();
    answer(&mut w, &sent);
    let error = w.error(call);
    assert_eq!(
        (error.reason(), error.delivery()),
        (&reason.into(), Delivery::Unknown)
    );
}

#[test]
fn hanging_an_event_stream_ends_without_the_reply() {
    hangs_not(
        |w, sent| {
            w.answer(sent, 200).stream(&[log("x")]);
            w.end(sent);
        },
        Lost::Stream,
    );
}

#[test]
fn hanging_202_204_or_nothing_in_answer_to_a_request() {
    hangs_not(|w, sent| w.answer(sent, 202).head(), Peer::NoReply);
    hangs_not(|w, sent| w.answer(sent, 204).head(), Peer::NoReply);
    hangs_not(|w, sent| w.answer(sent, 200).empty(), Peer::NoReply);
}

#[test]
fn hanging_200_with_another_id_a_notification_an_array_no_json() {
    hangs_not(
        |w, sent| w.answer(sent, 200).json(&result(99, json!({}))),
        Peer::WrongReply,
    );
    hangs_not(
        |w, sent| w.answer(sent, 200).json(&log("x")),
        Peer::WrongReply,
    );
    let batch = Peer::Batch(mcp_http::Revision::V2025_11_25);
    hangs_not(|w, sent| w.answer(sent, 200).json(&json!([])), batch);
    let words = Peer::Message("it is no JSON");
    hangs_not(
        |w, sent| w.answer(sent, 200).typed("application/json", "oops"),
        words,
    );
}

#[test]
fn hanging_4xx_with_an_error_whose_id_is_null_or_absent_is_the_reply() {
    let absent = json!({ "jsonrpc": "2.0", "error": { "code": -32001, "message": "x" } });
    for body in [rpc_error(Value::Null, -32001, "x"), absent] {
        let mut w = World::ready();
        let call = w.call("tools/call");
        let sent = w.take("tools/call");
        w.answer(&sent, 422).json(&body);
        assert_eq!(w.rpc_error(call).code, -32001);
    }
}

#[test]
fn hanging_data_that_is_no_json_while_the_stream_stays_open() {
    let rows = [
        "{",
        "{oops",
        "<html>",
        "{}",
        "7",
        "[]",
        "\"x\"",
        r#"{"jsonrpc":"2.0","id":null,"result":{}}"#,
    ];
    for data in rows {
        let (mut w, call, sent) = World::streaming();
        w.chunk(&sent, format!("data: {data}\n\n"));
        let error = w.error_of(Subject::Stream(Some(call)));
        assert!(
            matches!(error.reason(), Reason::Peer(Peer::Message(_))),
            "{data}"
        );
        assert_eq!(error.method(), Some("tools/call"), "{data}");
        assert!(w.events.is_empty(), "{data}: once");
        w.event(&sent, &result(sent.rpc_id(), json!({})));
        w.reply(call);
    }
}

#[test]
fn hanging_server_asks_ping_inside_the_stream_of_initialize() {
    let mut w = World::initializing();
    let sent = w.take("initialize");
    let ping = request("srv-1", "ping", json!({}));
    w.answer(&sent, 200)
        .header("mcp-session-id", "s1")
        .stream(&[ping]);
    let pong = w.take("answer");
    assert_eq!(
        (pong.json(), pong.session()),
        (result("srv-1", json!({})), Some("s1"))
    );
    assert_eq!(pong.header("mcp-protocol-version"), None);
    assert!(!w.connection.status().has_session_id, "it is provisional");
    w.answer(&pong, 202).empty();
    w.event(&sent, &result(sent.rpc_id(), initialized("2025-11-25")));
    w.accept("notifications/initialized");
    assert_eq!(w.phase(), Phase::Ready);
}

#[test]
fn hanging_a_chunked_empty_200_for_a_notification_is_accepted() {
    let mut w = World::confirming();
    let sent = w.take("notifications/initialized");
    w.answer(&sent, 200)
        .header("transfer-encoding", "chunked")
        .empty();
    assert_eq!(w.phase(), Phase::Ready);
}

#[test]
fn hanging_16_posts_starve_nobody() {
    let mut w = World::ready();
    for _ in 0..16 {
        w.call("tools/call");
    }
    let hanging: Vec<_> = (0..16).map(|_| w.take("tools/call")).collect();
    w.answer(&hanging[0], 200)
        .stream(&[request(1, "ping", json!({}))]);
    let other = w.call("tools/list");
    w.notify("notifications/x");
    assert_eq!(
        w.open_methods(),
        ["answer", "tools/list", "notifications/x"]
    );
    w.succeed("tools/list");
    w.reply(other);
}

#[test]
fn sessions_a_get_answered_404_does_not_rebuild_a_healthy_session() {
    let (mut w, get) = World::opening();
    w.answer(&get, 404).empty();
    let (mut w, call, sent) = w.and_primed(CallOptions::new());
    w.fail(&sent, reset());
    gets_for(&mut w, secs(3600), |w, get| w.answer(get, 404).empty());
    assert!(w.ended(call));
    assert_eq!((w.count("initialize"), w.phase()), (1, Phase::Ready));
    assert!(w.count("ping") <= 2, "{} pings", w.count("ping"));
}

#[test]
fn hanging_an_event_stream_with_ids_ends_without_the_reply_and_is_resumed() {
    let (mut w, call, sent) = World::primed();
    w.end(&sent);
    let get = w.reopen();
    w.event(&get, &result(sent.rpc_id(), json!({ "ok": true })));
    assert_eq!(w.result(call)["ok"], true);
}

#[test]
fn hanging_a_resumed_stream_without_ids_is_bounded() {
    let (mut w, call, sent) = World::primed();
    w.fail(&sent, reset());
    let gets = gets_for(&mut w, secs(600), |w, get| {
        w.answer(get, 200).stream(&[log("no id")]);
        w.end(get);
    });
    assert_eq!(
        (w.error(call).delivery(), gets.len()),
        (Delivery::Unknown, 4)
    );
}

#[test]
fn hanging_a_resume_answered_404_ends_the_call_and_ping_decides_about_the_session() {
    for (answer, lost) in [(200, false), (404, true)] {
        let (mut w, call, get) = World::resuming();
        w.answer(&get, 404).empty();
        assert_eq!(*w.error(call).reason(), Lost::NotResumed.into());
        let ping = w.take("ping");
        match answer {
            200 => w.answer(&ping, 200).result(json!({})),
            _ => w.answer(&ping, 404).empty(),
        }
        assert_eq!(w.reinitialized(), usize::from(lost));
    }
}

#[test]
fn hanging_half_open_after_sleep_or_a_network_change() {
    // Found out by the silence clock, and at once by whoever says that the network changed.
    for told in [false, true] {
        let (mut w, call, _) = World::streaming();
        if told {
            w.connection.network_changed(w.now);
            w.drive();
        } else {
            w.advance(secs(300));
        }
        let ping = w.take("ping");
        w.fail(&ping, reset());
        let error = w.error(call);
        assert!(
            matches!(error.reason(), Reason::Timeout(Clock::Silence(_))),
            "{error}"
        );
        assert_eq!(error.delivery(), Delivery::Unknown);
    }
}

#[test]
fn hanging_a_get_whose_head_never_comes_is_never_in_the_way() {
    let (mut w, _) = World::opening();
    for _ in 0..100 {
        let call = w.call("tools/call");
        w.succeed("tools/call");
        w.reply(call);
        w.advance(secs(60));
    }
    w.close();
    w.answer_all("DELETE", 200);
    assert!(w.connection.is_closed());
}

/// Lets a server answer each GET so for this long. Gives the moments of the GETs.
fn gets_for(
    w: &mut World,
    time: Duration,
    mut answer: impl FnMut(&mut World, &Sent),
) -> Vec<mcp_http::Time> {
    let (end, before) = (w.now + time, w.sent.len());
    loop {
        assert!(w.sent.len() - before < 10_000, "a storm");
        w.answer_all("ping", 200);
        while w.has("GET") {
            let get = w.take("GET");
            answer(w, &get);
        }
        match w.connection.poll_timeout() {
            Some(due) if due <= end => w.advance(due.since(w.now)),
            _ => break,
        }
    }
    let gets = w.sent[before..]
        .iter()
        .filter(|sent| sent.method() == "GET");
    gets.map(|sent| sent.at).collect()
}

/// How many GETs there were at most in any 3 s.
fn most_in_3_s(gets: &[mcp_http::Time]) -> usize {
    let within = |from: usize| {
        gets[from..]
            .iter()
            .take_while(move |at| at.since(gets[from]) <= secs(3))
    };
    (0..gets.len())
        .map(|from| within(from).count())
        .max()
        .unwrap_or_default()
}

#[test]
fn storms_retry_0_and_close_has_a_floor() {
    let close: fn(&mut World, &Sent) = |w, get| {
        w.answer(get, 200).stream(&[]);
        w.chunk(get, "retry: 0\n\n");
        w.end(get);
    };
    let (mut w, get) = World::opening();
    close(&mut w, &get);
    let gets = gets_for(&mut w, secs(600), close);
    assert!(most_in_3_s(&gets) <= 6, "{} in 3 s", most_in_3_s(&gets));
    assert!(gets.len() > 500, "polling goes on: {}", gets.len());
    let (mut w, call, sent) = World::primed();
    w.chunk(&sent, "retry: 0\n\n");
    w.end(&sent);
    let gets = gets_for(&mut w, secs(599), close);
    assert!(most_in_3_s(&gets) <= 6, "{} in 3 s", most_in_3_s(&gets));
    assert!(!w.ended(call));
}

#[test]
fn storms_retry_99999999999_has_a_ceiling() {
    let told = "retry: 99999999999\n\n";
    let (mut w, get) = World::listening();
    w.chunk(&get, told);
    w.end(&get);
    let gets = gets_for(&mut w, secs(3600), |w, get| {
        w.answer(get, 200).stream(&[]);
        w.chunk(get, told);
        w.end(get);
    });
    assert_eq!(gets.len(), 12, "every 5 min");
    let (mut w, call, sent) = World::primed();
    w.chunk(&sent, told);
    w.end(&sent);
    assert_eq!(w.error(call).delivery(), Delivery::Unknown);
}

#[test]
fn storms_a_stream_reset_right_after_its_head_grows() {
    let (mut w, get) = World::listening();
    w.fail(&get, reset());
    let gets = gets_for(&mut w, secs(86_400), |w, get| {
        w.answer(get, 200).stream(&[]);
        w.fail(get, reset());
    });
    assert!(most_in_3_s(&gets) <= 4, "{} in 3 s", most_in_3_s(&gets));
    assert!(gets.len() <= 4 + 288, "{} in a day", gets.len());
}

#[test]
fn storms_200_then_end_for_hours_does_not_reset_the_count() {
    let (mut w, get) = World::listening();
    w.end(&get);
    let gets = gets_for(&mut w, secs(11 * 3600), |w, get| {
        w.answer(get, 200).stream(&[log("hello")]);
        w.end(get);
    });
    assert!(gets.len() <= 4 + 132, "{}", gets.len());
    let (mut w, call, sent) = World::primed();
    w.end(&sent);
    let gets = gets_for(&mut w, secs(500), |w, get| {
        w.answer(get, 200).stream(&[]);
        w.event_with_id(get, "1", &log("hello"));
        w.end(get);
    });
    assert_eq!((gets.len(), w.ended(call)), (4, true));
}

#[test]
fn storms_polling_with_a_close_every_few_seconds_is_not_given_up() {
    let (mut w, call, sent) = World::ready().and_primed(CallOptions::new().time_out(secs(14_403)));
    w.chunk(&sent, "retry: 2000\n\n");
    w.end(&sent);
    let mut number = 0;
    let gets = gets_for(&mut w, secs(14_400), |w, get| {
        number += 1;
        w.answer(get, 200).stream(&[]);
        w.event_with_id(get, &number.to_string(), &log("working"));
        w.end(get);
        w.events.clear();
    });
    assert_eq!(gets.len(), 7_200, "one per told delay");
    assert!(!w.ended(call));
}

#[test]
fn storms_a_listening_get_answered_200_text_plain_is_not_asked_again() {
    let (mut w, get) = World::opening();
    w.answer(&get, 200).typed("text/plain", "OK");
    let gets = gets_for(&mut w, secs(11 * 3600), |_, _| {});
    assert_eq!(
        (gets.len(), w.connection.status().listening),
        (0, Listening::NotOffered)
    );
}

#[test]
fn storms_a_second_get_while_the_server_still_holds_the_first() {
    for refused in [400, 409] {
        let (mut w, get) = World::listening();
        let call = w.call("tools/call");
        w.fail(&get, reset());
        let gets = gets_for(&mut w, secs(60), |w, get| w.answer(get, refused).empty());
        assert!(gets.len() <= 4, "{refused}");
        assert_eq!(w.connection.status().listening, Listening::Degraded);
        assert_eq!(
            (w.reinitialized(), w.phase()),
            (0, Phase::Ready),
            "{refused}"
        );
        w.succeed("tools/call");
        w.reply(call);
        w.reopen();
        assert_eq!(w.connection.status().listening, Listening::Open);
    }
}

#[test]
fn storms_a_failed_get_ends_neither_call_nor_session() {
    for refused in [0, 403, 418, 500] {
        let mut w = World::new(config().listen(true));
        w.connect();
        w.establish("s1");
        let get = w.take("GET");
        let call = w.call("tools/call");
        match refused {
            0 => w.fail(&get, reset()),
            refused => w.answer(&get, refused).empty(),
        }
        assert_eq!((w.reinitialized(), w.ended(call)), (0, false), "{refused}");
        w.succeed("tools/call");
        w.reply(call);
    }
}

#[test]
fn storms_one_reset_post_ends_nothing_else() {
    let mut w = World::ready();
    let (hit, other) = (w.call("tools/call"), w.call("tools/list"));
    let sent = w.take("tools/call");
    w.fail(&sent, reset());
    assert!(w.ended(hit) && w.phase() == Phase::Ready);
    w.succeed("tools/list");
    w.reply(other);
}

#[test]
fn storms_a_bad_line_or_bad_json_does_not_end_the_session() {
    let (mut w, call, sent) = World::streaming();
    w.chunk(&sent, b"\xff\xfe nonsense\nfoo\n:\ndata: \xff\n\n".to_vec());
    w.event(&sent, &result(sent.rpc_id(), json!({})));
    w.reply(call);
    assert_eq!(w.reinitialized(), 0);
}

#[test]
fn streams_a_cursor_is_kept_over_a_second_break() {
    let (mut w, _, sent) = World::primed();
    w.event_with_id(&sent, "17", &log("x"));
    w.fail(&sent, reset());
    let get = w.reopen();
    w.fail(&get, reset());
    assert_eq!(w.wait_for("GET").cursor(), Some("17"));
}

#[test]
fn streams_an_empty_id_clears_and_a_type_does_not_stick() {
    let (mut w, call, sent) = World::primed();
    w.chunk(&sent, "event: other\ndata: {}\n\n");
    w.event_with_id(&sent, "1", &log("a message again"));
    assert_eq!(w.logs(), ["a message again"]);
    w.chunk(&sent, "id:\ndata:\n\n");
    w.fail(&sent, reset());
    assert!(w.ended(call), "no cursor, no resume");
    assert_eq!(w.count("GET"), 0);
}

#[test]
fn streams_retry_unknown_fields_bom_and_types_kill_nothing() {
    let (mut w, call, sent) = World::streaming();
    w.chunk(
        &sent,
        "\u{feff}retry: 99999999999999999999\nretry: x\nfoo: bar\nid\n\n",
    );
    w.chunk(&sent, "event: other\ndata: {\"not\":\"for us\"}\n\n");
    w.event(&sent, &result(sent.rpc_id(), json!({})));
    w.reply(call);
    assert!(w.events.is_empty(), "{:?}", w.events);
}

#[test]
fn streams_do_not_stand_still_after_256_keep_alive_comments() {
    let (mut w, call, sent) = World::streaming();
    for comment in [":\n\n", ": keep-alive\n\n"].iter().cycle().take(2000) {
        w.chunk(&sent, *comment);
    }
    assert!(w.connection.wants_read(sent.exchange));
    w.event(&sent, &result(sent.rpc_id(), json!({})));
    w.reply(call);
}

#[test]
fn streams_a_200_mb_error_body_is_not_read_into_memory() {
    let (mut w, call, sent) = World::under_way();
    w.answer(&sent, 500).head();
    for _ in 0..200 {
        if !w.connection.wants_read(sent.exchange) {
            break;
        }
        w.chunk(&sent, vec![b'x'; 1 << 20]);
        assert!(w.connection.status().buffered <= 64 << 10);
    }
    assert!(w.ended(call) && w.aborted == [sent.exchange]);
}

#[test]
fn streams_a_400_mb_body_is_not_read_into_memory() {
    let (mut w, call, sent) = World::under_way();
    w.answer(&sent, 200)
        .header("content-type", "application/json")
        .head();
    let chunk = bytes::Bytes::from(vec![b' '; 8 << 20]);
    for _ in 0..50 {
        w.chunk(&sent, chunk.clone());
    }
    assert!(matches!(w.error(call).reason(), Reason::Limit(_)));
    assert_eq!(
        (w.aborted.as_slice(), w.connection.status().buffered),
        (&[sent.exchange][..], 0)
    );
}

#[test]
fn streams_a_tool_of_a_json_mode_server_may_take_minutes_for_its_head() {
    let (mut w, call, sent) = World::under_way();
    w.advance(secs(599));
    w.answer(&sent, 200).result(json!({ "ok": true }));
    assert_eq!(w.result(call)["ok"], true);
}

#[test]
fn streams_after_a_cancellation_are_aborted() {
    let (mut w, call, sent) = World::under_way();
    w.answer(&sent, 200).stream(&[log("x")]);
    w.cancel(call);
    w.accept("notifications/cancelled");
    assert_eq!(w.aborted, [sent.exchange]);
}

#[test]
fn headers_the_version_is_the_negotiated_one_on_delete_too() {
    let mut w = World::ready_at("2025-06-18");
    w.call("tools/call");
    w.close();
    for method in ["tools/call", "DELETE"] {
        let sent = w.sent.iter().find(|sent| sent.method() == method).unwrap();
        assert_eq!(
            sent.header("mcp-protocol-version"),
            Some("2025-06-18"),
            "{method}"
        );
    }
}

#[test]
fn headers_content_type_has_no_case() {
    for name in [
        "Application/JSON",
        "application/json; charset=utf-8",
        "APPLICATION/JSON ;x=y",
    ] {
        let (mut w, call, sent) = World::under_way();
        let body = result(sent.rpc_id(), json!({ "ok": true })).to_string();
        w.answer(&sent, 200).typed(name, body);
        assert_eq!(w.result(call)["ok"], true, "{name}");
    }
}

#[test]
fn headers_a_redirect_loses_neither_the_session_nor_the_token() {
    let mut w = World::ready_with(|c| c.header("authorization", "Bearer t").unwrap());
    w.call("tools/call");
    let sent = w.take("tools/call");
    w.answer(&sent, 307).header("location", "/mcp/").empty();
    let followed = w.take("tools/call");
    assert_eq!(followed.request.uri().path(), "/mcp/");
    assert_eq!(
        (followed.session(), followed.header("authorization")),
        (Some("s1"), Some("Bearer t"))
    );
}

#[test]
fn retries_a_tool_does_not_run_twice() {
    let (mut w, call, sent) = World::under_way();
    w.answer(&sent, 200).stream(&[log("half done")]);
    w.fail(&sent, reset());
    assert_eq!(w.error(call).remedy(), Remedy::Verify);
    w.advance(secs(600));
    assert_eq!(w.count("tools/call"), 1);
}

#[test]
fn retries_send_the_renewed_token() {
    let mut w = World::ready_with(|c| c.header("authorization", "Bearer old").unwrap());
    w.call("tools/call");
    let sent = w.take("tools/call");
    w.answer(&sent, 429).header("retry-after", "1").empty();
    w.connection
        .set_header("authorization", Some("Bearer new"))
        .unwrap();
    assert_eq!(
        w.wait_for("tools/call").header("authorization"),
        Some("Bearer new")
    );
}

#[test]
fn retries_a_401_is_not_hidden_by_its_json_rpc_body() {
    let (mut w, call, sent) = World::under_way();
    w.answer(&sent, 401).error(-32001, "Unauthorized");
    let error = w.error(call);
    assert_eq!(*error.reason(), Refused::Unauthorized.into());
    assert_eq!(error.rpc_error().unwrap().code, -32001);
}

#[test]
fn streams_without_sessions_are_never_resumed_whatever_ids_they_have() {
    let mut w = World::stateless();
    let (call, sent) = w.stream("tools/call");
    w.event_with_id(&sent, "1", &log("a"));
    w.fail(&sent, reset());
    assert_eq!(w.error(call).delivery(), Delivery::Unknown);
    w.advance(secs(3600));
    assert_eq!(w.count("GET"), 0);
}

#[test]
fn headers_a_name_that_is_not_ascii_is_encoded() {
    let mut w = World::stateless();
    let params = json!({ "name": "wetter-in-k\u{f6}ln" });
    let (_, sent) = w.begin_with("tools/call", &params);
    let encoded = "=?base64?d2V0dGVyLWluLWvDtmxu?=";
    assert_eq!(sent.header("mcp-name"), Some(encoded));
}
