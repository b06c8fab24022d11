//! Section 3: the handshake.

use http::Method;
use mcp_http::{
    CallOptions, Clock, Delivery, Event, Lost, Peer, Phase, Reason, Refused, Revision, Subject,
};
use serde_json::{Value, json};

use crate::world::{
    World, config, initialized, limits, log, millis, refused_connection, request, reset, result,
    rpc_error, secs,
};

#[test]
fn initialize_carries_no_session_id_and_no_version_header() {
    let mut w = World::initializing();
    let sent = w.take("initialize");
    assert_eq!(sent.request.method(), Method::POST);
    assert_eq!(
        (sent.session(), sent.header("mcp-protocol-version")),
        (None, None)
    );
    assert_eq!(sent.header("content-type"), Some("application/json"));
    assert_eq!(
        sent.header("accept"),
        Some("application/json, text/event-stream")
    );
    let params = &sent.json()["params"];
    assert_eq!(params["protocolVersion"], "2025-11-25");
    assert_eq!(params["clientInfo"]["name"], "mcp-http");
    assert!(params["capabilities"]["sampling"].is_object());
}

#[test]
fn the_second_initialize_carries_nothing_of_the_lost_session_either() {
    let mut w = World::recovering();
    let sent = w.wait_for("initialize");
    assert_eq!(
        (sent.session(), sent.header("mcp-protocol-version")),
        (None, None)
    );
}

#[test]
fn all_that_the_application_says_of_the_client_goes_out_each_time() {
    let info = json!({ "name": "agent", "title": "An agent", "version": "7", "icons": [] });
    let mut w = World::recovering_with(|config| config.client_info(&info).unwrap());
    assert_eq!(
        w.wait_for("initialize").json()["params"]["clientInfo"],
        info
    );
}

#[test]
fn initialized_goes_next_and_carries_id_and_negotiated_version() {
    let mut w = World::initializing();
    let initialize = w.take("initialize");
    w.answer(&initialize, 200)
        .header("mcp-session-id", "s1")
        .result(initialized("2025-06-18"));
    let sent = w.take("notifications/initialized");
    assert_eq!(sent.session(), Some("s1"));
    assert_eq!(sent.header("mcp-protocol-version"), Some("2025-06-18"));
}

#[test]
fn revisions_before_2025_06_18_have_no_version_header() {
    for revision in ["2024-11-05", "2025-03-26"] {
        let mut w = World::ready_at(revision);
        w.call("tools/call");
        let sent = w.take("tools/call");
        assert_eq!(sent.header("mcp-protocol-version"), None, "{revision}");
        assert_eq!(sent.session(), Some("s1"), "{revision}");
    }
}

#[test]
fn nothing_else_leaves_before_initialized_is_accepted() {
    let mut w = World::confirming();
    w.call("tools/call");
    w.notify("notifications/roots/list_changed");
    assert_eq!(w.open_methods(), ["notifications/initialized"]);
    w.accept("notifications/initialized");
    assert_eq!(
        w.open_methods(),
        ["notifications/roots/list_changed", "tools/call"]
    );
}

#[test]
fn the_first_call_causes_the_handshake_and_others_share_it() {
    let mut w = World::idle();
    assert!(w.sent.is_empty());
    let calls: Vec<_> = (0..5).map(|_| w.call("tools/call")).collect();
    assert_eq!(w.open_methods(), ["initialize"]);
    w.establish("s1");
    for call in calls {
        w.succeed("tools/call");
        w.reply(call);
    }
    assert_eq!(w.count("initialize"), 1);
}

#[test]
fn ready_tells_what_was_negotiated() {
    let mut w = World::confirming();
    assert!(w.events.is_empty());
    w.accept("notifications/initialized");
    let ready = w.ready_event();
    assert_eq!(
        (ready.generation, ready.revision),
        (1, Revision::V2025_11_25)
    );
    let capabilities: Value = ready.capabilities.deserialize().unwrap();
    assert_eq!(capabilities["resources"]["subscribe"], true);
    let whole: Value = ready.result.deserialize().unwrap();
    assert_eq!(whole["serverInfo"]["name"], "scripted");
    assert_eq!(ready.changed, mcp_http::Changed::default());
}

#[test]
fn the_answer_may_be_a_stream_with_other_messages_first() {
    let mut w = World::initializing();
    let sent = w.take("initialize");
    let reply = result(sent.rpc_id(), initialized("2025-11-25"));
    w.answer(&sent, 200)
        .header("mcp-session-id", "s1")
        .stream(&[log("hello"), reply]);
    assert_eq!(w.logs(), ["hello"]);
    w.accept("notifications/initialized");
    assert_eq!(w.phase(), Phase::Ready);
}

#[test]
fn a_ping_inside_that_stream_is_answered_without_an_id_too() {
    let mut w = World::initializing();
    let sent = w.take("initialize");
    w.answer(&sent, 200)
        .stream(&[request(1, "ping", json!({}))]);
    let pong = w.take("answer");
    assert_eq!((pong.json(), pong.session()), (result(1, json!({})), None));
}

#[test]
fn a_ping_answer_that_is_refused_harms_no_handshake() {
    for status in [400, 404, 500] {
        let mut w = World::initializing();
        let sent = w.take("initialize");
        let ping = request(1, "ping", json!({}));
        w.answer(&sent, 200)
            .header("mcp-session-id", "s1")
            .stream(&[ping]);
        w.answer_all("answer", status);
        w.event(&sent, &result(sent.rpc_id(), initialized("2025-11-25")));
        w.accept("notifications/initialized");
        assert_eq!(
            (w.phase(), w.reinitialized()),
            (Phase::Ready, 0),
            "{status}"
        );
    }
}

#[test]
fn a_provisional_id_dies_with_its_handshake() {
    let mut w = World::initializing();
    let sent = w.take("initialize");
    // The application polls the network only after the handshake has failed.
    let head = |w: &mut World| {
        w.answer(&sent, 200)
            .header("mcp-session-id", "s1")
            .stream(&[]);
    };
    head(&mut w);
    let ping = crate::world::event(&request(1, "ping", json!({})));
    w.connection
        .handle_body(sent.exchange, ping.into(), w.now)
        .unwrap();
    w.fail(&sent, reset());
    assert_eq!(w.open_methods(), ["DELETE"]);
    assert_eq!(w.take("DELETE").session(), Some("s1"));
}

#[test]
fn an_ask_inside_that_stream_gets_32601() {
    let mut w = World::initializing();
    let sent = w.take("initialize");
    w.answer(&sent, 200)
        .stream(&[request(1, "sampling/createMessage", json!({}))]);
    assert_eq!(w.take("answer").json()["error"]["code"], -32601);
}

#[test]
fn a_session_id_is_1_to_1024_visible_ascii_characters() {
    let longest = "x".repeat(1024);
    let too_long = "x".repeat(1025);
    let rows = [
        ("!", true),
        ("~", true),
        (&longest, true),
        ("", false),
        (&too_long, false),
    ];
    for (id, good) in rows.into_iter().chain([("a b", false), ("\u{e9}", false)]) {
        let mut w = World::initializing();
        w.accept_initialize(id);
        assert_eq!(w.phase() == Phase::Confirming, good, "{id:?}");
        if !good {
            let error = w.error_of(Subject::Connection);
            assert_eq!(*error.reason(), Peer::SessionId.into(), "{id:?}");
        }
    }
}

#[test]
fn an_id_of_a_refusal_does_not_count() {
    let mut w = World::initializing();
    let sent = w.take("initialize");
    w.answer(&sent, 503).header("mcp-session-id", "s1").empty();
    w.error_of(Subject::Connection);
    assert!(!w.has("DELETE") && !w.connection.status().has_session_id);
}

#[test]
fn a_json_rpc_error_fails_the_handshake_and_ends_its_session() {
    let mut w = World::initializing();
    let sent = w.take("initialize");
    w.answer(&sent, 200)
        .header("mcp-session-id", "s1")
        .error(-32602, "unsupported");
    let error = w.error_of(Subject::Connection);
    assert_eq!(*error.reason(), Refused::Rpc.into());
    assert_eq!(error.rpc_error().unwrap().code, -32602);
    assert_eq!(w.take("DELETE").session(), Some("s1"));
}

#[test]
fn a_revision_that_we_do_not_speak_fails_and_ends_the_session() {
    for (server, pinned) in [
        ("1999-01-01", None),
        ("2025-03-26", Some(Revision::V2025_06_18)),
    ] {
        let config = pinned.map_or(config(), |pinned| config().pin(pinned));
        let mut w = World::new(config);
        let call = w.call("tools/call");
        let sent = w.take("initialize");
        let offered = pinned.unwrap_or(Revision::V2025_11_25);
        assert_eq!(sent.json()["params"]["protocolVersion"], offered.as_str());
        w.answer(&sent, 200)
            .header("mcp-session-id", "s1")
            .result(initialized(server));
        let reason = Peer::Revision {
            server: server.to_owned(),
            offered,
        };
        assert_eq!(*w.error(call).reason(), reason.into());
        let delete = w.take("DELETE");
        assert_eq!(
            (delete.session(), delete.header("mcp-protocol-version")),
            (Some("s1"), None)
        );
    }
}

#[test]
fn a_result_without_what_it_must_have_fails() {
    let rows = [
        ("no version", json!({ "capabilities": {} })),
        (
            "odd version",
            json!({ "protocolVersion": 7, "capabilities": {} }),
        ),
        (
            "no capabilities",
            json!({ "protocolVersion": "2025-11-25" }),
        ),
        (
            "odd capabilities",
            json!({ "protocolVersion": "2025-11-25", "capabilities": [] }),
        ),
        ("no object", json!("2025-11-25")),
    ];
    for (name, value) in rows {
        let mut w = World::initializing();
        let sent = w.take("initialize");
        w.answer(&sent, 200)
            .header("mcp-session-id", "s1")
            .result(value);
        let error = w.error_of(Subject::Connection);
        let broken = matches!(error.reason(), Reason::Peer(Peer::Initialize(_)));
        assert!(broken, "{name}: {error}");
        assert!(w.has("DELETE"), "{name}: its session is ended");
    }
}

#[test]
fn initialized_is_accepted_by_any_2xx_whatever_its_body() {
    for (status, content_type) in [
        (200, "text/html"),
        (202, ""),
        (204, ""),
        (299, "application/json"),
    ] {
        let mut w = World::confirming();
        let sent = w.take("notifications/initialized");
        w.answer(&sent, status).typed(content_type, "{}");
        assert_eq!(w.phase(), Phase::Ready, "{status} {content_type}");
    }
}

#[test]
fn initialized_answered_400_or_404_is_a_lost_session() {
    for status in [400, 404] {
        let mut w = World::confirming();
        let call = w.call("tools/call");
        w.answer_all("notifications/initialized", status);
        assert_eq!((w.reinitialized(), w.phase()), (1, Phase::Due), "{status}");
        assert!(!w.has("DELETE"), "{status}: nothing carries the dead id");
        w.recover("s2");
        w.succeed("tools/call");
        w.reply(call);
    }
}

#[test]
fn initialized_answered_otherwise_fails_the_handshake_and_ends_the_session() {
    for status in [401, 403, 405, 409, 429, 500, 503] {
        let mut w = World::confirming();
        let call = w.call("tools/call");
        w.answer_all("notifications/initialized", status);
        let error = w.error(call);
        assert_eq!(error.delivery(), Delivery::NotSent, "{status}");
        assert_eq!(error.status().unwrap().as_u16(), status);
        assert_eq!(w.take("DELETE").session(), Some("s1"), "{status}");
        assert_eq!(w.phase(), Phase::Idle, "{status}");
    }
}

#[test]
fn initialized_broken_or_unanswered_fails_the_handshake() {
    for silent in [false, true] {
        let mut w = World::confirming();
        let sent = w.take("notifications/initialized");
        if silent {
            w.advance(secs(30));
        } else {
            w.fail(&sent, reset());
        }
        let error = w.error_of(Subject::Connection);
        let reason = if silent {
            Clock::Head(secs(30)).into()
        } else {
            Reason::from(reset())
        };
        assert_eq!(*error.reason(), reason);
        assert_eq!(error.method(), Some("notifications/initialized"));
        assert!(w.has("DELETE") && w.phase() == Phase::Idle);
    }
}

#[test]
fn initialized_follows_a_redirect_as_initialize_does() {
    let mut w = World::initializing();
    let sent = w.take("initialize");
    w.answer(&sent, 307).header("location", "/mcp/").empty();
    assert_eq!(w.open[0].request.uri().path(), "/mcp/");
    w.accept_initialize("s1");
    let sent = w.take("notifications/initialized");
    assert_eq!(sent.request.uri().path(), "/mcp", "a redirect counts once");
    w.answer(&sent, 307).header("location", "/mcp/").empty();
    assert_eq!(w.open[0].request.uri().path(), "/mcp/");
    w.accept("notifications/initialized");
    assert_eq!(w.phase(), Phase::Ready);
}

#[test]
fn initialize_is_redirected_three_times_at_most() {
    let mut w = World::initializing();
    for _ in 0..4 {
        let sent = w.take("initialize");
        w.answer(&sent, 308).header("location", "/loop").empty();
    }
    let error = w.error_of(Subject::Connection);
    assert!(
        matches!(error.reason(), Reason::Refused(Refused::Redirected { .. })),
        "{error}"
    );
    assert_eq!(w.count("initialize"), 4);
}

#[test]
fn a_redirected_initialize_counts_once_against_the_budget() {
    let mut w = World::initializing();
    for turn in 0..3 {
        if turn > 0 {
            w.connect();
        }
        let sent = w.wait_for("initialize");
        w.answer(&sent, 307).header("location", "/mcp/").empty();
        w.answer_all("initialize", 503);
    }
    assert_eq!(w.count("initialize"), 6);
    let call = w.call("tools/call");
    let error = w.error(call);
    let spent = Reason::Lost(Lost::SessionUnrecoverable {
        attempts: 3,
        cause: Some(Box::new(w.events.iter().rev().find_map(failure).unwrap())),
        in_turns: false,
    });
    assert_eq!(*error.reason(), spent);
}

fn failure(event: &Event) -> Option<mcp_http::Error> {
    match event {
        Event::Fail {
            subject: Subject::Connection,
            error,
        } => Some(error.clone()),
        _ => None,
    }
}

#[test]
fn initialize_sent_again_after_429_and_a_redirect_counts_anew() {
    let mut w = World::initializing();
    let sent = w.take("initialize");
    w.answer(&sent, 307).header("location", "/mcp/").empty();
    let sent = w.take("initialize");
    w.answer(&sent, 429).header("retry-after", "2").empty();
    let sent = w.wait_for("initialize");
    assert_eq!(sent.request.uri().path(), "/mcp");
    w.answer(&sent, 503).empty();
    w.connect();
    w.advance(secs(5));
    w.answer_all("initialize", 503);
    let call = w.call("tools/call");
    assert!(matches!(
        w.error(call).reason(),
        Reason::Lost(Lost::SessionUnrecoverable { .. })
    ));
}

#[test]
fn initialize_answered_429_waits_and_tries_again_twice_at_most() {
    let mut w = World::initializing();
    let call = w.call("tools/call");
    for _ in 0..3 {
        let sent = w.wait_for("initialize");
        assert!(!w.ended(call));
        w.answer(&sent, 429).header("retry-after", "4").empty();
    }
    let error = w.error(call);
    assert_eq!(*error.reason(), Refused::TooManyRequests.into());
    assert_eq!(
        (error.retry_after(), error.delivery()),
        (Some(secs(4)), Delivery::NotSent)
    );
    assert_eq!(w.count("initialize"), 3);
}

#[test]
fn a_failed_handshake_fails_all_that_waits_and_leaves_nothing_behind() {
    let mut w = World::initializing();
    let (call, notice) = (w.call("tools/call"), w.notify("notifications/x"));
    let sent = w.take("initialize");
    w.answer(&sent, 503).header("retry-after", "9").body("down");
    let error = w.error(call);
    assert_eq!(*error.reason(), Refused::Unavailable.into());
    assert_eq!(
        (error.delivery(), error.method()),
        (Delivery::NotSent, Some("tools/call"))
    );
    assert_eq!(
        (error.retry_after(), error.excerpt()),
        (Some(secs(9)), Some("down"))
    );
    let error = w.error_of(Subject::Notification(notice));
    assert_eq!(
        (error.delivery(), error.method()),
        (Delivery::NotSent, Some("notifications/x"))
    );
    assert_eq!(w.error_of(Subject::Connection).method(), Some("initialize"));
    assert_eq!(
        (w.phase(), w.connection.poll_timeout()),
        (Phase::Idle, None)
    );
    w.advance(secs(600));
    assert_eq!(w.count("initialize"), 1, "it does not try again by itself");
}

#[test]
fn the_next_attempt_starts_clean() {
    let mut w = World::initializing();
    w.answer_all("initialize", 503);
    let call = w.call("tools/call");
    w.recover("s9");
    assert_eq!(w.open[0].session(), Some("s9"));
    w.succeed("tools/call");
    w.reply(call);
}

#[test]
fn only_an_error_that_is_about_its_params_is_about_the_revision() {
    let rows = [
        (200, -32602, 2),
        (200, -32603, 1),
        (400, -32602, 2),
        (400, -32603, 1),
    ];
    for (status, code, offers) in rows {
        let mut w = World::initializing();
        let sent = w.take("initialize");
        let data = json!({ "supported": ["2025-06-18"] });
        let mut error = rpc_error(sent.rpc_id(), code, "no");
        error["error"]["data"] = data;
        w.answer(&sent, status).json(&error);
        w.advance(secs(5));
        assert_eq!(w.count("initialize"), offers, "{status}, {code}");
    }
}

#[test]
fn a_delete_that_nobody_answers_is_given_up() {
    let mut w = World::initializing();
    let late = w.take("initialize");
    w.advance(secs(30));
    w.connect();
    w.advance(secs(2));
    w.establish("s2");
    w.answer(&late, 200).header("mcp-session-id", "late").head();
    let delete = w.take("DELETE");
    w.aborted.clear();
    w.advance(secs(60));
    assert_eq!(w.aborted, [delete.exchange]);
    assert_eq!(w.count("DELETE"), 1, "once");
}

#[test]
fn one_given_up_that_answers_late_is_ended_with_a_delete() {
    let mut w = World::initializing();
    let sent = w.take("initialize");
    w.advance(secs(30));
    let error = w.error_of(Subject::Connection);
    assert_eq!(*error.reason(), Clock::Head(secs(30)).into());
    let call = w.call("tools/call");
    w.advance(secs(2));
    w.establish("s2");
    w.answer(&sent, 200).header("mcp-session-id", "late").head();
    assert_eq!(w.take("DELETE").session(), Some("late"));
    assert!(w.aborted.contains(&sent.exchange));
    assert_eq!(w.take("tools/call").session(), Some("s2"));
    assert!(!w.ended(call));
}

#[test]
fn one_given_up_that_is_refused_late_made_no_session() {
    let mut w = World::initializing();
    let sent = w.take("initialize");
    w.advance(secs(30));
    w.answer(&sent, 500)
        .header("mcp-session-id", "late")
        .empty();
    assert!(!w.has("DELETE"));
}

#[test]
fn one_given_up_is_not_waited_for_for_ever() {
    let mut w = World::initializing();
    let sent = w.take("initialize");
    w.advance(secs(59));
    assert!(w.aborted.is_empty());
    w.advance(secs(2));
    assert_eq!(w.aborted, [sent.exchange]);
}

#[test]
fn a_stream_that_ends_before_the_result_fails_the_handshake() {
    let mut w = World::initializing();
    let sent = w.take("initialize");
    w.answer(&sent, 200)
        .header("mcp-session-id", "s1")
        .stream(&[log("x")]);
    w.end(&sent);
    assert_eq!(
        *w.error_of(Subject::Connection).reason(),
        Lost::Stream.into()
    );
    assert_eq!(w.take("DELETE").session(), Some("s1"));
}

#[test]
fn a_stream_that_never_brings_the_result_ends_with_the_head_clock() {
    let mut w = World::initializing();
    let sent = w.take("initialize");
    w.answer(&sent, 200)
        .header("mcp-session-id", "s1")
        .stream(&[log("x")]);
    w.advance(secs(30));
    assert_eq!(
        *w.error_of(Subject::Connection).reason(),
        Clock::Head(secs(30)).into()
    );
    assert_eq!(w.aborted, [sent.exchange]);
    assert_eq!(w.take("DELETE").session(), Some("s1"));
}

#[test]
fn an_answer_that_is_no_answer_fails_the_handshake() {
    let rows: [(&str, u16, &str, &str, Reason); 4] = [
        ("202", 202, "", "", Peer::NoReply.into()),
        (
            "html",
            200,
            "text/html",
            "<p>",
            Peer::ContentType("text/html".into()).into(),
        ),
        (
            "no JSON",
            200,
            "application/json",
            "{",
            Peer::Message("it is no JSON").into(),
        ),
        ("403", 403, "", "", Refused::Forbidden.into()),
    ];
    for (name, status, content_type, body, reason) in rows {
        let mut w = World::initializing();
        let sent = w.take("initialize");
        w.answer(&sent, status).typed(content_type, body);
        assert_eq!(*w.error_of(Subject::Connection).reason(), reason, "{name}");
        w.advance(secs(120));
        assert_eq!(w.sent.len(), 1, "{name}: nothing more is sent");
    }
}

#[test]
fn an_error_of_another_id_is_no_reply_to_initialize() {
    let mut w = World::initializing();
    let sent = w.take("initialize");
    w.answer(&sent, 422)
        .json(&rpc_error(Value::Null, -32600, "bad request"));
    let error = w.error_of(Subject::Connection);
    assert_eq!(
        *error.reason(),
        Refused::Rpc.into(),
        "an own error for want of another"
    );
    assert_eq!(error.rpc_error().unwrap().code, -32600);
}

#[test]
fn headers_are_built_for_each_sending() {
    let mut w = World::ready_with(|c| c.header("authorization", "Bearer old").unwrap());
    let call = w.call("tools/call");
    w.connection
        .set_header("authorization", Some("Bearer new"))
        .unwrap();
    w.answer_all("tools/call", 404);
    let sent = w.wait_for("initialize");
    assert_eq!(sent.header("authorization"), Some("Bearer new"));
    w.open.push(sent);
    w.establish("s2");
    assert_eq!(w.open[0].header("authorization"), Some("Bearer new"));
    assert!(!w.ended(call));
}

#[test]
fn a_calls_own_headers_take_the_place_of_the_connections() {
    let mut w = World::ready_with(|c| c.header("x-tenant", "blue").unwrap());
    let own = CallOptions::new().header("x-tenant", "red").unwrap();
    w.call_with("tools/call", own);
    w.call("tools/list");
    assert_eq!(w.take("tools/call").header("x-tenant"), Some("red"));
    assert_eq!(w.take("tools/list").header("x-tenant"), Some("blue"));
}

#[test]
fn connecting_twice_makes_one_handshake() {
    let mut w = World::initializing();
    w.connect();
    w.establish("s1");
    w.connect();
    w.advance(secs(60));
    assert_eq!(w.sent.len(), 2);
}

#[test]
fn an_unreachable_server_fails_who_waits_as_not_sent() {
    let mut w = World::initializing();
    let call = w.call("tools/call");
    let sent = w.take("initialize");
    w.fail(&sent, refused_connection());
    let error = w.error(call);
    assert_eq!(
        (error.reason(), error.delivery()),
        (&refused_connection().into(), Delivery::NotSent)
    );
    w.advance(millis(100));
    w.call("tools/call");
    assert!(w.has("initialize"), "a later call tries again at once");
}

#[test]
fn a_handshake_whose_end_did_not_leave_has_reached_the_server_and_counts() {
    let mut w = World::idle();
    for session in ["s1", "s2", "s3"] {
        w.connect();
        w.advance(secs(3));
        w.accept_initialize(session);
        let sent = w.take("notifications/initialized");
        w.fail(&sent, refused_connection());
    }
    let call = w.call("tools/call");
    assert!(w.error(call).retry_after().is_some(), "the budget is spent");
}

#[test]
fn initialize_answered_429_waits_five_minutes_but_no_second_more() {
    for (after, waits) in [("300", true), ("301", false)] {
        let mut w = World::initializing();
        let sent = w.take("initialize");
        w.answer(&sent, 429).header("retry-after", after).empty();
        assert_eq!(w.phase() == Phase::Due, waits, "{after}");
    }
}

/// `initialize` was answered by a stream with a ping and the result in one chunk, so that the
/// ping is answered in the session already.
fn pinged_and_accepted(mut w: World) -> World {
    w.connect();
    let sent = w.take("initialize");
    w.answer(&sent, 200)
        .header("mcp-session-id", "s1")
        .stream(&[]);
    let pings = [request(1, "ping", json!({})), request(2, "ping", json!({}))];
    let reply = result(sent.rpc_id(), initialized("2025-11-25"));
    let chunk: String = pings
        .iter()
        .chain([&reply])
        .map(crate::world::event)
        .collect();
    w.chunk(&sent, chunk);
    w
}

#[test]
fn such_a_ping_is_answered_after_initialized_in_the_session() {
    let mut w = pinged_and_accepted(World::idle());
    assert_eq!(
        w.open_methods(),
        ["notifications/initialized", "answer", "answer"]
    );
    for id in [1, 2] {
        let pong = w.take("answer");
        assert_eq!(pong.json(), result(id, json!({})));
        assert_eq!(pong.session(), Some("s1"));
        assert_eq!(pong.header("mcp-protocol-version"), Some("2025-11-25"));
        w.answer(&pong, 202).empty();
    }
    assert_eq!(w.phase(), Phase::Confirming, "a pong confirms nothing");
    w.accept("notifications/initialized");
    assert_eq!((w.phase(), w.reinitialized()), (Phase::Ready, 0));
}

#[test]
fn a_session_lost_by_such_a_ping_takes_its_initialized_with_it() {
    let mut w = pinged_and_accepted(World::idle());
    let stale = w.take("notifications/initialized");
    w.answer_all("answer", 404);
    assert_eq!((w.phase(), w.reinitialized()), (Phase::Due, 1));
    assert!(w.aborted.contains(&stale.exchange));
    let initialize = w.wait_for("initialize");
    w.open.push(initialize);
    w.accept_initialize("s2");
    w.answer(&stale, 202).empty();
    assert_eq!(
        w.phase(),
        Phase::Confirming,
        "that was not for this session"
    );
}

#[test]
fn such_a_ping_is_not_answered_in_the_next_session() {
    let one = limits(|limits| limits.control_exchanges = 1);
    let mut w = pinged_and_accepted(World::new(config().limits(one)));
    assert_eq!(w.open_methods(), ["notifications/initialized", "answer"]);
    w.answer_all("notifications/initialized", 404);
    w.accept("answer");
    assert!(
        !w.has("answer"),
        "the second one waited, and its session is gone"
    );
}
