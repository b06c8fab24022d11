//! HTTP+SSE servers (2024-11-05): one event stream for all that they say, and an address
//! that they name there for all that is said to them.

use http::{HeaderMap, StatusCode};
use mcp_http::{
    Binding, CallOptions, Clock, Contact, Delivery, Event, Listening, LossCause, Lost, Peer, Phase,
    Reason, Recovery, Refused, Resend, Revision, Subject, SubscriptionFilter,
};
use serde_json::{Value, json};

use crate::world::{
    Sent, World, config, echo, event, initialized, limits, log, millis, notification,
    refused_connection, request, reset, result, rpc_error, secs,
};

const OLD: &str = "2024-11-05";

fn ready() -> (World, Sent) {
    World::on_channel(OLD)
}

/// A call that the server has taken.
fn accepted(w: &mut World, options: CallOptions) -> (mcp_http::CallId, Sent) {
    let call = w.call_with("tools/call", options);
    let sent = w.take("tools/call");
    w.answer(&sent, 202).body("Accepted");
    (call, sent)
}

fn uri(sent: &Sent) -> String {
    sent.request.uri().to_string()
}

fn opening() -> World {
    let mut w = World::new(config().remember(Binding::HttpSse));
    w.connect();
    w
}

#[test]
fn everything_is_said_to_the_address_and_heard_on_the_stream() {
    let mut w = opening();
    assert_eq!(w.phase(), Phase::Opening);
    let get = w.name_address("/messages?session=s1");
    assert_eq!(uri(&get), "https://example.com/mcp");
    let initialize = w.reply_on(&get, "initialize", initialized(OLD));
    let confirmed = w.take("notifications/initialized");
    for sent in [&initialize, &confirmed] {
        assert_eq!(uri(sent), "https://example.com/messages?session=s1");
        for header in ["mcp-session-id", "mcp-protocol-version", "last-event-id"] {
            assert_eq!(sent.header(header), None);
        }
    }
    assert_eq!(w.phase(), Phase::Confirming);
    w.answer(&confirmed, 202).empty();
    let ready = w.ready_event();
    assert_eq!(
        (ready.binding, ready.revision),
        (Binding::HttpSse, Revision::V2024_11_05)
    );
    assert!(!w.connection.status().has_session_id);

    let call = w.call("tools/call");
    w.reply_on(&get, "tools/call", json!({ "ok": 1 }));
    assert_eq!(w.result(call), json!({ "ok": 1 }));
    assert_eq!(w.connection.status().exchanges, 1, "the stream alone");
    assert_eq!(w.count("GET"), 1);
}

#[test]
fn any_2xx_means_wait() {
    for (status, body) in [(200, "ok"), (201, ""), (202, "Accepted"), (204, "")] {
        let (mut w, get) = ready();
        let call = w.call("tools/call");
        let sent = w.take("tools/call");
        w.answer(&sent, status).typed("text/html", body);
        assert!(!w.ended(call), "{status}");
        w.event(&get, &result(sent.rpc_id(), json!({})));
        w.result(call);
    }
}

#[test]
fn a_reply_may_come_before_its_request_is_accepted_or_while_it_is() {
    let (mut w, get) = ready();
    let (call, sent) = w.begin("tools/call");
    w.event(&get, &result(sent.rpc_id(), json!({ "early": true })));
    assert_eq!(w.result(call), json!({ "early": true }));
    w.answer(&sent, 202).empty();

    let (call, sent) = w.begin("tools/call");
    w.answer(&sent, 202).head();
    w.event(&get, &result(sent.rpc_id(), json!({})));
    w.result(call);
    w.end(&sent);
    assert_eq!(w.connection.status().exchanges, 1);
    assert!(w.aborted.is_empty());
}

#[test]
fn an_accepted_request_whose_answer_breaks_off_is_accepted_all_the_same() {
    let (mut w, get) = ready();
    let (call, sent) = w.begin("tools/call");
    w.answer(&sent, 202).head();
    w.fail(&sent, reset());
    assert!(!w.ended(call));
    // What is reported of it after its end means nothing.
    w.answer(&sent, 500).empty();
    assert!(!w.ended(call));
    w.event(&get, &result(sent.rpc_id(), json!({})));
    w.result(call);
}

#[test]
fn an_acceptance_that_has_no_end_is_not_read_for_ever() {
    let (mut w, get) = ready();
    let (call, sent) = w.begin("tools/call");
    w.answer(&sent, 202).head();
    let kilobyte = [b'x'; 1024];
    for _ in 0..64 {
        w.chunk(&sent, kilobyte.to_vec());
    }
    assert!(w.aborted.is_empty());
    for _ in 0..2 {
        w.chunk(&sent, kilobyte.to_vec());
        assert_eq!(w.aborted, [sent.exchange]);
    }
    w.end(&sent);
    w.event(&get, &result(sent.rpc_id(), json!({})));
    w.result(call);
    assert_eq!(w.connection.status().exchanges, 1);
}

#[test]
fn replies_go_to_their_calls_in_any_order() {
    let (mut w, get) = ready();
    let calls: Vec<_> = (0..3)
        .map(|_| accepted(&mut w, CallOptions::new()))
        .collect();
    for (call, sent) in calls.iter().rev() {
        let error = rpc_error(sent.rpc_id(), -32000, "no");
        w.event(&get, &error);
        assert_eq!(w.rpc_error(*call).code, -32000);
    }
}

#[test]
fn references_are_resolved_and_stay_at_home() {
    for (reference, resolved) in [
        ("/messages?s=1", "https://example.com/messages?s=1"),
        ("messages", "https://example.com/messages"),
        ("?s=1", "https://example.com/mcp?s=1"),
        ("./a/../b", "https://example.com/b"),
        ("//example.com/m", "https://example.com/m"),
        ("https://example.com:443/m", "https://example.com:443/m"),
    ] {
        let mut w = opening();
        w.name_address(reference);
        assert_eq!(uri(&w.take("initialize")), resolved, "{reference}");
    }
    for reference in [
        "http://example.com/messages",
        "https://example.com:8443/messages",
        "https://evil.example/messages",
        "//evil.example/messages",
        "https://user:pass@example.com/messages",
        "file:///etc/passwd",
        "",
        "%00\u{0}?key=7",
        "https://user:pass@example.com/%00\u{0}#key=7",
    ] {
        let mut w = World::new(
            config()
                .pin(Revision::V2024_11_05)
                .header("authorization", "Bearer secret")
                .unwrap()
                .remember(Binding::HttpSse),
        );
        let call = w.call("tools/call");
        w.name_address(reference);
        // What an older server refuses in turn.
        w.answer_all("initialize", 405);
        let error = w.error(call);
        let step = &error.search().steps()[0];
        let why = step.failure.as_ref().unwrap();
        assert!(
            matches!(why.reason(), Reason::Peer(Peer::Endpoint(_))),
            "law 11: {reference}: {error}"
        );
        assert!(!error.to_string().contains("pass@"), "{error}");
        assert!(!format!("{:?}", error.search()).contains("key=7"), "law 9");
        w.advance(secs(60));
        assert!(
            w.sent
                .iter()
                .all(|sent| uri(sent) == "https://example.com/mcp"),
            "law 11: {reference}"
        );
    }
}

#[test]
fn the_stream_may_begin_with_comments_but_with_nothing_else() {
    let mut w = opening();
    let get = w.take("GET");
    w.answer(&get, 200).stream(&[]);
    w.chunk(&get, ": hello\n\nevent: ping\ndata: 2026\n\n");
    w.chunk(&get, "event: endp");
    w.chunk(&get, "oint\r\ndata: /messages\r\n\r\n");
    w.take("initialize");

    let mut w = World::new(
        config()
            .pin(Revision::V2024_11_05)
            .remember(Binding::HttpSse),
    );
    let call = w.call("ping");
    let get = w.take("GET");
    w.answer(&get, 200)
        .stream(&[log("a stream of another kind")]);
    assert!(w.aborted.contains(&get.exchange));
    w.answer_all("initialize", 405);
    let error = w.error(call);
    let why = error.search().steps()[0].failure.clone().unwrap();
    assert_eq!(*why.reason(), Peer::NoEndpoint.into());
}

#[test]
fn what_is_no_event_stream_is_no_http_sse_server() {
    for (status, kind) in [(200, "text/html"), (200, "application/json"), (204, "")] {
        let mut w = World::new(
            config()
                .pin(Revision::V2024_11_05)
                .remember(Binding::HttpSse),
        );
        let call = w.call("ping");
        let get = w.take("GET");
        w.answer(&get, status).header("content-type", kind).head();
        w.answer_all("initialize", 405);
        let error = w.error(call);
        let why = error.search().steps()[0].failure.clone().unwrap();
        assert_eq!(*why.reason(), Peer::NoEndpoint.into(), "{status} {kind}");
    }
}

#[test]
fn an_address_that_never_comes_is_waited_for_by_the_head_clock() {
    let mut w = World::new(config().remember(Binding::HttpSse));
    let call = w.call("ping");
    let get = w.take("GET");
    w.answer(&get, 200).stream(&[]);
    w.advance(millis(29_900));
    assert!(!w.ended(call));
    w.chunk(&get, ": still here\n\n");
    w.advance(millis(100));
    assert_eq!(*w.error(call).reason(), Clock::Head(secs(30)).into());
    assert!(w.aborted.contains(&get.exchange));
    assert_eq!(w.sent.len(), 1, "no downgrade, and no upgrade either");
}

#[test]
fn a_later_address_takes_the_place_of_the_first() {
    let (mut w, get) = ready();
    w.chunk(&get, "event: endpoint\ndata: /other?session=s1\n\n");
    let call = w.call("tools/call");
    let sent = w.reply_on(&get, "tools/call", json!({}));
    assert_eq!(uri(&sent), "https://example.com/other?session=s1");
    w.result(call);
    // One on another origin does not, and loses nothing else.
    w.chunk(&get, "event: endpoint\ndata: https://evil.example/m\n\n");
    let error = w.error_of(Subject::Stream(None));
    assert!(matches!(error.reason(), Reason::Peer(Peer::Endpoint(_))));
    let call = w.call("tools/call");
    let sent = w.reply_on(&get, "tools/call", json!({}));
    assert_eq!(uri(&sent), "https://example.com/other?session=s1");
    w.result(call);
}

#[test]
fn what_a_former_address_refuses_goes_to_the_later_one() {
    for (status, location) in [(404, ""), (307, "/relay?session=s1")] {
        let (mut w, get) = ready();
        let (call, sent) = w.begin("tools/call");
        w.chunk(&get, "event: endpoint\ndata: /other?session=s1\n\n");
        w.answer(&sent, status).header("location", location).empty();
        assert!(w.losses().is_empty(), "the session lives");
        let sent = w.reply_on(&get, "tools/call", json!({}));
        assert_eq!(uri(&sent), "https://example.com/other?session=s1");
        w.result(call);
        // The same once more is no other.
        let (_, sent) = w.begin("tools/call");
        w.chunk(&get, "event: endpoint\ndata: /other?session=s1\n\n");
        w.answer(&sent, 404).empty();
        assert_eq!(w.losses(), [LossCause::NotFound]);
    }
}

#[test]
fn where_a_former_address_redirected_to_nothing_is_sent() {
    let (mut w, get) = ready();
    let (call, sent) = w.begin("tools/call");
    let location = http::HeaderValue::from_static("/relay?session=s1");
    let location = HeaderMap::from_iter([(http::header::LOCATION, location)]);
    let moved = StatusCode::TEMPORARY_REDIRECT;
    // Nothing is polled before the address is replaced.
    w.connection
        .handle_head(sent.exchange, moved, &location, w.now)
        .unwrap();
    w.connection.handle_end(sent.exchange, w.now).unwrap();
    w.chunk(&get, "event: endpoint\ndata: /other?session=s1\n\n");
    let sent = w.reply_on(&get, "tools/call", json!({}));
    assert_eq!(uri(&sent), "https://example.com/other?session=s1");
    w.result(call);
}

#[test]
fn nothing_hangs_that_a_former_address_refuses() {
    for status in [404, 307] {
        let other = "event: endpoint\ndata: /other?session=s1\n\n";
        let mut w = opening();
        let get = w.name_address("/messages?session=s1");
        w.reply_on(&get, "initialize", initialized(OLD));
        let confirmed = w.take("notifications/initialized");
        w.chunk(&get, other);
        w.answer(&confirmed, status)
            .header("location", "/relay")
            .empty();
        assert_eq!(w.losses(), [LossCause::NotFound]);
        w.wait_for("GET");

        let (mut w, get) = ready();
        let filter = SubscriptionFilter::new().resource("echo:");
        w.connection.listen(filter, w.now).unwrap();
        w.notify("notifications/roots/list_changed");
        w.drive();
        let subscribe = w.take("resources/subscribe");
        let notice = w.take("notifications/roots/list_changed");
        w.chunk(&get, other);
        w.answer(&subscribe, status)
            .header("location", "/relay")
            .empty();
        let told = |event: &Event| matches!(event, Event::NotRestored { .. });
        assert!(w.events.iter().any(told), "{status}");
        w.answer(&notice, status)
            .header("location", "/relay")
            .empty();
        let again = w.take("notifications/roots/list_changed");
        assert_eq!(uri(&again), "https://example.com/other?session=s1");
        assert!(w.losses().is_empty());
    }
}

#[test]
fn redirects_of_the_stream_are_followed_at_home_and_references_start_there() {
    let mut w = opening();
    let get = w.take("GET");
    w.answer(&get, 307).header("location", "/v1/sse").empty();
    let get = w.take("GET");
    assert_eq!(uri(&get), "https://example.com/v1/sse");
    w.answer(&get, 200).stream(&[]);
    w.chunk(&get, "event: endpoint\ndata: messages\n\n");
    assert_eq!(
        uri(&w.take("initialize")),
        "https://example.com/v1/messages"
    );

    let mut w = opening();
    let get = w.take("GET");
    w.answer(&get, 307)
        .header("location", "https://evil.example/sse")
        .empty();
    let error = w.error_of(Subject::Connection);
    assert!(matches!(
        error.reason(),
        Reason::Refused(Refused::Redirected { .. })
    ));
}

#[test]
fn a_later_revision_is_negotiated_over_it() {
    for revision in ["2025-03-26", "2025-06-18", "2025-11-25"] {
        let (mut w, get) = World::on_channel(revision);
        let status = w.connection.status();
        assert_eq!(status.binding, Some(Binding::HttpSse));
        assert_eq!(status.revision.unwrap().as_str(), revision);
        let call = w.call("tools/call");
        let sent = w.reply_on(&get, "tools/call", json!({}));
        let header = (revision >= "2025-06-18").then_some(revision);
        assert_eq!(sent.header("mcp-protocol-version"), header);
        w.result(call);
    }
}

#[test]
fn batches_are_taken_apart_where_the_revision_has_them() {
    let (mut w, get) = World::on_channel("2025-03-26");
    let (call, sent) = accepted(&mut w, CallOptions::new());
    let batch = json!([log("one"), result(sent.rpc_id(), json!({})), log("two")]);
    w.event(&get, &batch);
    w.result(call);
    assert_eq!(w.logs(), ["one", "two"]);
}

#[test]
fn a_batch_may_follow_the_reply_that_agrees_on_batches() {
    for together in [false, true] {
        let mut w = opening();
        let get = w.name_address("/messages");
        let initialize = w.take("initialize");
        w.answer(&initialize, 202).empty();
        let reply = event(&result(initialize.rpc_id(), initialized("2025-03-26")));
        let batch = event(&json!([log("one"), log("two")]));
        if together {
            w.chunk(&get, reply + &batch);
        } else {
            w.chunk(&get, reply);
            w.chunk(&get, batch);
        }
        assert_eq!(w.logs(), ["one", "two"], "together: {together}");
    }
}

#[test]
fn progress_and_messages_come_on_the_stream() {
    let (mut w, get) = ready();
    let (call, sent) = accepted(&mut w, CallOptions::new().progress());
    let token = sent.json()["params"]["_meta"]["progressToken"].clone();
    let params = json!({ "progressToken": token, "progress": 1 });
    w.event(&get, &notification("notifications/progress", params));
    w.event(&get, &log("to all"));
    let messages = w.messages();
    let calls: Vec<_> = messages.iter().map(|message| message.call).collect();
    assert_eq!(calls, [Some(call), None]);
    w.event(&get, &result(sent.rpc_id(), json!({})));
    w.result(call);
}

#[test]
fn the_server_asks_and_is_answered_at_the_address() {
    let (mut w, get) = ready();
    w.event(&get, &request("q-1", "ping", json!({})));
    let pong = w.take("answer");
    assert_eq!(uri(&pong), "https://example.com/messages?session=s1");
    assert_eq!(pong.json(), result("q-1", json!({})));
    w.answer(&pong, 202).empty();

    w.event(&get, &request(7, "roots/list", json!({})));
    let ask = w.ask();
    assert_eq!((ask.method.as_str(), ask.call), ("roots/list", None));
    w.reply_to(ask.ticket);
    let answer = w.take("answer");
    assert_eq!(answer.json()["id"], 7);
    w.answer(&answer, 202).empty();
    assert!(w.accepted(Subject::Answer(ask.ticket)));

    w.event(&get, &request(8, "roots/list", json!({})));
    let ask = w.ask();
    let cancelled = json!({ "requestId": 8, "reason": "never mind" });
    w.event(&get, &notification("notifications/cancelled", cancelled));
    assert!(
        w.connection
            .answer(ask.ticket, Ok(&json!({})), w.now)
            .is_err()
    );
}

#[test]
fn a_ping_before_the_session_is_answered() {
    let mut w = opening();
    let get = w.name_address("/messages");
    w.event(&get, &request(1, "ping", json!({})));
    let pong = w.take("answer");
    assert_eq!(uri(&pong), "https://example.com/messages");
    w.answer(&pong, 202).empty();
    w.reply_on(&get, "initialize", initialized(OLD));
    w.accept("notifications/initialized");
    assert_eq!(w.phase(), Phase::Ready);
}

#[test]
fn cancelling_is_a_notification_and_what_comes_late_is_dropped() {
    let (mut w, get) = ready();
    for accept in [false, true] {
        let (call, sent) = w.begin("tools/call");
        if accept {
            w.answer(&sent, 202).empty();
        }
        w.cancel(call);
        assert_eq!(*w.error(call).reason(), Reason::Cancelled);
        let cancel = w.take("notifications/cancelled");
        assert_eq!(uri(&cancel), "https://example.com/messages?session=s1");
        assert_eq!(cancel.json()["params"]["requestId"], sent.rpc_id());
        w.answer(&cancel, 202).empty();
        w.event(&get, &result(sent.rpc_id(), json!({})));
        assert_eq!(w.aborted.contains(&sent.exchange), !accept);
    }
    assert_eq!(w.connection.status().exchanges, 1);
    assert_eq!(w.phase(), Phase::Ready);
}

#[test]
fn a_call_that_takes_too_long_ends_and_is_cancelled() {
    let (mut w, _get) = ready();
    let (call, _) = accepted(&mut w, CallOptions::new().time_out(secs(5)));
    w.advance(secs(5));
    assert_eq!(*w.error(call).reason(), Clock::Call(secs(5)).into());
    w.take("notifications/cancelled");
}

#[test]
fn refusals_are_read_as_elsewhere_without_a_session() {
    let (mut w, _get) = ready();
    let (call, sent) = w.begin("tools/call");
    w.answer(&sent, 400).error(-32602, "no such tool");
    assert_eq!(w.rpc_error(call).code, -32602);

    let (call, sent) = w.begin("tools/call");
    w.answer(&sent, 400).body("Invalid session ID");
    let error = w.error(call);
    assert_eq!(*error.reason(), Refused::Status.into());
    assert_eq!(error.delivery(), Delivery::Rejected);

    let (call, sent) = w.begin("tools/call");
    w.answer(&sent, 503).empty();
    assert_eq!(w.error(call).delivery(), Delivery::Unknown);

    let (call, sent) = w.begin("tools/call");
    w.fail(&sent, refused_connection());
    assert_eq!(w.error(call).delivery(), Delivery::NotSent);

    let (call, sent) = w.begin("tools/call");
    w.fail(&sent, reset());
    assert_eq!(w.error(call).delivery(), Delivery::Unknown);
    assert_eq!((w.count("ping"), w.phase()), (0, Phase::Ready));
}

#[test]
fn a_404_at_the_address_is_a_lost_session() {
    let (mut w, get) = ready();
    let (waiting, _) = accepted(&mut w, CallOptions::new());
    let calls = [w.call("tools/call"), w.call("tools/list"), w.call("ping")];
    let refused = w.take("tools/call");
    w.answer(&refused, 404).body("Could not find session");
    // The stream is not waited for, nor what was to come on it.
    assert!(w.aborted.contains(&get.exchange));
    let error = w.error(waiting);
    assert_eq!(
        (error.reason(), error.delivery()),
        (&Lost::Stream.into(), Delivery::Unknown)
    );
    // Their own 404s come a little later, and cause nothing more.
    w.answer_all("tools/list", 404);
    w.answer_all("ping", 404);
    assert_eq!(w.losses(), [LossCause::NotFound]);
    let get = w.wait_for("GET");
    w.open.push(get);
    let get = w.open_channel("s2", OLD);
    assert_eq!(w.ready_event().generation, 2);
    for (call, method) in calls.into_iter().zip(["tools/call", "tools/list", "ping"]) {
        let sent = w.reply_on(&get, method, json!({}));
        assert_eq!(
            uri(&sent),
            "https://example.com/messages?session=s2",
            "law 6"
        );
        w.result(call);
    }
    assert_eq!(w.count("initialize"), 2, "law 3");
}

#[test]
fn what_nobody_answers_after_the_loss_does_not_wait_for_ever() {
    let (mut w, get) = ready();
    let (slow, sent) = w.begin("tools/call");
    w.end(&get);
    assert_eq!(w.losses(), [LossCause::StreamEnded]);
    assert!(!w.ended(slow), "it may yet be refused");
    w.advance(secs(30));
    assert_eq!(w.error(slow).delivery(), Delivery::Unknown);
    assert!(w.aborted.contains(&sent.exchange));

    // A clock that runs already is not started anew.
    let (mut w, get) = ready();
    w.notify("notifications/x");
    let sent = w.take("notifications/x");
    w.advance(secs(20));
    w.end(&get);
    w.advance(secs(10) - millis(1));
    assert!(!w.aborted.contains(&sent.exchange));
    w.advance(millis(1));
    assert!(w.aborted.contains(&sent.exchange));

    let (mut w, get) = ready();
    let (late, sent) = w.begin("tools/call");
    w.end(&get);
    w.answer(&sent, 202).empty();
    assert_eq!(w.error(late).delivery(), Delivery::Unknown);

    let (mut w, get) = ready();
    let again = w.call_with("tools/call", CallOptions::new().idempotent());
    w.take("tools/call");
    w.end(&get);
    is_answered_in_a_new_session(&mut w, again);
}

/// A stream is asked for in place of the one that ended, and the call is made again on it.
fn is_answered_in_a_new_session(w: &mut World, call: mcp_http::CallId) {
    let get = w.wait_for("GET");
    assert_eq!(get.cursor(), None, "never resumed");
    w.open.push(get);
    let get = w.open_channel("s2", OLD);
    let sent = w.wait_for("tools/call");
    w.answer(&sent, 202).empty();
    w.event(&get, &result(sent.rpc_id(), json!({})));
    w.result(call);
}

#[test]
fn the_end_of_the_stream_is_the_loss_of_all_that_waits_on_it() {
    for broken in [false, true] {
        let (mut w, get) = ready();
        let (call, _) = accepted(&mut w, CallOptions::new());
        let (again, _) = accepted(&mut w, CallOptions::new().idempotent());
        let never = CallOptions::new().idempotent().resend(Resend::Never);
        let (never, _) = accepted(&mut w, never);
        match broken {
            true => w.fail(&get, reset()),
            false => w.end(&get),
        }
        for call in [call, never] {
            assert_eq!(w.error(call).delivery(), Delivery::Unknown);
        }
        assert_eq!(w.losses(), [LossCause::StreamEnded]);
        is_answered_in_a_new_session(&mut w, again);
        assert_eq!(w.count("tools/call"), 4);
    }
}

#[test]
fn ids_of_events_are_no_cursor() {
    let (mut w, get) = ready();
    let message = event(&log("with an id"));
    w.chunk(&get, format!("id: 7\n{message}"));
    w.end(&get);
    let again = w.wait_for("GET");
    assert_eq!(again.cursor(), None);
}

#[test]
fn a_stream_that_ends_at_once_each_time_costs_no_more_than_the_budget() {
    let mut w = opening();
    for _ in 0..1000 {
        if w.has("GET") {
            let get = w.open_channel("s", OLD);
            w.end(&get);
        }
        w.advance(millis(50));
    }
    assert_eq!((w.count("GET"), w.count("initialize")), (3, 3), "law 4");
    let call = w.call("tools/call");
    let error = w.error(call);
    assert!(error.retry_after().is_some(), "{error}");
}

#[test]
fn a_stream_for_which_the_budget_leaves_no_handshake_is_given_up() {
    let mut w = World::idle();
    for _ in 0..2 {
        w.connect();
        w.answer_all("initialize", 503);
        w.advance(secs(3));
    }
    w.connect();
    for asked in ["initialize", "server/discover"] {
        w.answer_all(asked, 405);
    }
    // With another `initialize` there would be four.
    let get = w.name_address("/messages");
    assert!(w.aborted.contains(&get.exchange));
    w.error_of(Subject::Connection);
    w.advance(secs(60));
    w.connect();
    let initialize = w.take("initialize");
    assert_eq!(uri(&initialize), "https://example.com/mcp", "law 6");
}

#[test]
fn a_server_that_cannot_be_reached_any_more_is_not_stormed() {
    let mut w = opening();
    let get = w.open_channel("s1", OLD);
    w.end(&get);
    let again = w.wait_for("GET");
    w.fail(&again, refused_connection());
    w.advance(secs(600));
    assert_eq!(w.count("GET"), 2, "nobody wants it");
    w.call("tools/call");
    w.take("GET");
}

#[test]
fn what_was_asked_for_is_asked_for_anew() {
    let (mut w, get) = ready();
    let level = w
        .connection
        .call(
            "logging/setLevel",
            &json!({ "level": "error" }),
            CallOptions::new(),
            w.now,
        )
        .unwrap();
    w.drive();
    w.reply_on(&get, "logging/setLevel", json!({}));
    w.result(level);
    let filter = SubscriptionFilter::new().resource("echo:");
    w.connection.listen(filter, w.now).unwrap();
    w.drive();
    w.reply_on(&get, "resources/subscribe", json!({}));
    assert!(
        w.events
            .iter()
            .any(|event| matches!(event, Event::Listening { .. }))
    );
    w.end(&get);
    let get = w.wait_for("GET");
    w.open.push(get);
    let get = w.open_channel("s2", OLD);
    w.reply_on(&get, "logging/setLevel", json!({}));
    w.reply_on(&get, "resources/subscribe", json!({}));
    assert_eq!(w.count("GET"), 2, "it is the listening stream too");
    assert_eq!(w.connection.status().listening, Listening::Open);
}

#[test]
fn recovery_is_the_applications_to_choose_here_too() {
    let mut w = World::new(
        config()
            .remember(Binding::HttpSse)
            .recovery(Recovery::Manual),
    );
    w.connect();
    let get = w.open_channel("s1", OLD);
    w.end(&get);
    w.advance(secs(60));
    assert_eq!((w.phase(), w.count("GET")), (Phase::Lost, 1));
    w.connection.reinitialize(w.now).unwrap();
    w.drive();
    w.wait_for("GET");

    let mut w = World::new(config().remember(Binding::HttpSse).recovery(Recovery::Hold));
    w.connect();
    w.open_channel("s1", OLD);
    let call = w.call("tools/call");
    w.answer_all("tools/call", 404);
    let get = w.wait_for("GET");
    w.open.push(get);
    let get = w.open_channel("s2", OLD);
    assert_eq!(w.phase(), Phase::Held);
    assert!(!w.has("tools/call"));
    w.connection.resume(w.now).unwrap();
    w.drive();
    w.reply_on(&get, "tools/call", json!({}));
    w.result(call);
}

#[test]
fn what_was_lost_with_its_session_waits_for_its_state_to_be_restored() {
    let mut w = World::new(config().remember(Binding::HttpSse).recovery(Recovery::Hold));
    w.connect();
    let get = w.open_channel("s1", OLD);
    let (taken, _) = accepted(&mut w, CallOptions::new().idempotent());
    let late = w.call_with("tools/list", CallOptions::new().idempotent());
    let sent = w.take("tools/list");
    w.end(&get);
    w.fail(&sent, reset());
    let get = w.wait_for("GET");
    w.open.push(get);
    let get = w.open_channel("s2", OLD);
    w.advance(secs(10));
    assert_eq!(w.phase(), Phase::Held);
    assert!(w.open.is_empty(), "{:?}", w.open_methods());
    w.connection.resume(w.now).unwrap();
    w.drive();
    w.reply_on(&get, "tools/call", json!({}));
    w.result(taken);
    w.reply_on(&get, "tools/list", json!({}));
    w.result(late);
}

#[test]
fn the_stream_ends_in_the_middle_of_the_handshake() {
    // Before the address.
    let mut w = opening();
    let get = w.take("GET");
    w.answer(&get, 200).stream(&[]);
    w.end(&get);
    w.error_of(Subject::Connection);
    assert_eq!(w.phase(), Phase::Idle);
    // Before `initialize` leaves.
    let mut w = opening();
    let get = w.take("GET");
    w.answer(&get, 200).stream(&[]);
    let address = "event: endpoint\ndata: /messages\n\n";
    w.connection
        .handle_body(get.exchange, address.into(), w.now)
        .unwrap();
    w.connection.handle_end(get.exchange, w.now).unwrap();
    w.drive();
    let error = w.error_of(Subject::Connection);
    let [opened, ended] = error.search().steps() else {
        panic!("{:?}", error.search());
    };
    assert_eq!(
        (opened.contact, &opened.failure),
        (Contact::EventStream, &None)
    );
    assert_eq!(ended.contact, Contact::Initialize);
    assert!(ended.failure.is_some() && !w.has("initialize"));
    // Before `initialize` is answered.
    let mut w = opening();
    let get = w.name_address("/messages");
    let initialize = w.take("initialize");
    w.answer(&initialize, 202).empty();
    w.end(&get);
    w.error_of(Subject::Connection);
    assert_eq!(w.connection.status().exchanges, 0);
    // Before the handshake is confirmed: lost, and made anew.
    let mut w = opening();
    let get = w.name_address("/messages");
    w.reply_on(&get, "initialize", initialized(OLD));
    w.end(&get);
    assert_eq!(w.losses(), [LossCause::StreamEnded]);
    w.wait_for("GET");
}

#[test]
fn an_initialize_that_is_refused_or_never_answered_fails_the_handshake() {
    let mut w = opening();
    let get = w.name_address("/messages");
    let initialize = w.take("initialize");
    w.answer(&initialize, 202).empty();
    w.advance(secs(30));
    let error = w.error_of(Subject::Connection);
    assert_eq!(*error.reason(), Clock::Head(secs(30)).into());
    assert!(w.aborted.contains(&get.exchange));
    assert!(!w.aborted.contains(&initialize.exchange), "it is over");

    let mut w = opening();
    let get = w.name_address("/messages");
    let initialize = w.take("initialize");
    w.answer(&initialize, 404).empty();
    w.error_of(Subject::Connection);
    assert!(w.aborted.contains(&get.exchange));
    w.advance(secs(60));
    assert_eq!(w.sent_since(0), ["GET", "initialize"], "found is found");

    let mut w = opening();
    let get = w.name_address("/messages");
    let initialize = w.take("initialize");
    w.answer(&initialize, 202).empty();
    let why = rpc_error(initialize.rpc_id(), -32603, "not today");
    w.event(&get, &why);
    let error = w.error_of(Subject::Connection);
    assert_eq!(error.rpc_error().unwrap().code, -32603);
}

#[test]
fn a_half_open_stream_is_found_out_by_a_ping() {
    // Without comments: a ping decides, which nobody answers.
    let (mut w, get) = ready();
    let (call, _) = accepted(&mut w, CallOptions::new().no_time_out());
    w.advance(secs(300));
    let ping = w.take("ping");
    w.answer(&ping, 202).empty();
    w.advance(secs(30));
    assert!(w.aborted.contains(&get.exchange));
    assert_eq!(w.error(call).delivery(), Delivery::Unknown);
    assert_eq!(w.losses(), [LossCause::StreamEnded]);
    // It is answered: all is well.
    let (mut w, get) = ready();
    let (call, _) = accepted(&mut w, CallOptions::new().no_time_out());
    w.advance(secs(300));
    w.reply_on(&get, "ping", json!({}));
    w.advance(secs(299));
    assert!(!w.ended(call) && w.open.is_empty());
    // One comment, and no more: a ping decides, though nothing is waited for.
    let (mut w, get) = ready();
    w.chunk(&get, ": connected\n\n");
    w.advance(secs(300));
    w.reply_on(&get, "ping", json!({}));
    w.advance(secs(300));
    let ping = w.take("ping");
    w.answer(&ping, 202).empty();
    assert!(w.losses().is_empty());
    w.advance(secs(30));
    assert!(w.aborted.contains(&get.exchange));
    assert_eq!(w.losses(), [LossCause::StreamEnded]);
    // Without either, and with nothing to wait for, silence means nothing.
    let (mut w, _get) = ready();
    w.advance(secs(86_400));
    assert!(w.open.is_empty() && w.losses().is_empty());
}

#[test]
fn a_change_of_the_network_is_found_out_by_one_ping() {
    let (mut w, get) = ready();
    let (call, _) = accepted(&mut w, CallOptions::new());
    w.connection.network_changed(w.now);
    w.drive();
    let ping = w.take("ping");
    w.fail(&ping, reset());
    assert!(w.aborted.contains(&get.exchange));
    assert_eq!(w.error(call).delivery(), Delivery::Unknown);
    w.wait_for("GET");
}

#[test]
fn a_flood_on_the_stream_does_not_hold_up_replies() {
    let mut w = World::new(
        config()
            .remember(Binding::HttpSse)
            .limits(limits(|limits| limits.unread = 4)),
    );
    w.connect();
    let get = w.open_channel("s1", OLD);
    w.events.clear();
    let (call, sent) = accepted(&mut w, CallOptions::new());
    w.reading = false;
    for turn in 0..100 {
        w.event(&get, &log(&turn.to_string()));
        assert!(w.connection.wants_read(get.exchange));
    }
    w.event(&get, &result(sent.rpc_id(), json!({})));
    w.reading = true;
    w.read();
    w.result(call);
    let missed = w.events.iter().find_map(|event| match event {
        Event::Gap { missed } => *missed,
        _ => None,
    });
    assert_eq!(missed, Some(96));
    assert_eq!(w.logs(), ["96", "97", "98", "99"], "the oldest give way");
}

#[test]
fn closing_ends_the_stream_and_deletes_nothing() {
    let (mut w, get) = ready();
    let (call, sent) = accepted(&mut w, CallOptions::new());
    w.close();
    assert_eq!(*w.error(call).reason(), Reason::Closed);
    assert!(w.connection.is_closed());
    assert_eq!(w.aborted, [get.exchange], "{sent:?} is over");
    assert_eq!(w.count("DELETE"), 0);
    w.advance(secs(60));
    assert!(w.open.is_empty());
}

#[test]
fn an_initialize_that_was_given_up_brings_nothing_to_be_ended() {
    let mut w = opening();
    w.name_address("/messages");
    let initialize = w.take("initialize");
    w.close();
    assert!(w.aborted.contains(&initialize.exchange));
    assert!(w.connection.is_closed(), "nothing is waited for");

    let mut w = opening();
    w.name_address("/messages");
    let initialize = w.take("initialize");
    w.advance(secs(30));
    assert!(w.aborted.contains(&initialize.exchange));
    w.answer(&initialize, 202)
        .header("mcp-session-id", "late")
        .empty();
    w.advance(secs(60));
    assert_eq!(w.count("DELETE"), 0);
}

#[test]
fn a_refused_credential_waits_for_another_one() {
    let mut w = World::new(config().remember(Binding::HttpSse).authorize(true));
    w.connect();
    let get = w.open_channel("s1", OLD);
    w.events.clear();
    let (call, sent) = w.begin("tools/call");
    w.answer(&sent, 401).empty();
    w.authorization();
    w.authorize("Bearer new");
    let sent = w.reply_on(&get, "tools/call", json!({}));
    assert_eq!(sent.credential(), Some("Bearer new"));
    w.result(call);
    // The stream ends while `initialize` waits for one.
    w.end(&get);
    let get = w.wait_for("GET");
    w.open.push(get);
    let get = w.name_address("/messages");
    let initialize = w.take("initialize");
    w.answer(&initialize, 401).empty();
    let call = w.call("tools/call");
    w.end(&get);
    w.error(call);
    // Whoever calls now waits for nobody: its clock runs.
    let call = w.call_with("tools/call", CallOptions::new().time_out(secs(2)));
    w.advance(secs(2));
    assert_eq!(*w.error(call).reason(), Clock::Call(secs(2)).into());
    let asked = w.count("initialize");
    w.authorize("Bearer newer");
    w.advance(secs(60));
    assert_eq!(w.count("initialize"), asked);
}

#[test]
fn a_session_id_means_nothing_here() {
    let mut w = opening();
    let get = w.name_address("/messages");
    let initialize = w.take("initialize");
    w.answer(&initialize, 202)
        .header("mcp-session-id", "not this time")
        .empty();
    w.event(&get, &result(initialize.rpc_id(), initialized(OLD)));
    let confirmed = w.take("notifications/initialized");
    assert_eq!(confirmed.session(), None);
    w.answer(&confirmed, 202).empty();
    assert!(!w.connection.status().has_session_id);
    w.close();
    assert_eq!(w.count("DELETE"), 0);
}

#[test]
fn a_late_answer_to_initialize_opens_no_session_to_be_ended() {
    let mut w = opening();
    w.name_address("/messages");
    let initialize = w.take("initialize");
    w.advance(secs(30));
    assert_eq!(w.phase(), Phase::Idle);
    let (late, sent) = (w.answer(&initialize, 202), initialize.exchange);
    late.header("mcp-session-id", "s1").empty();
    assert_eq!(w.count("DELETE"), 0);
    assert!(w.aborted.contains(&sent));
}

#[test]
fn a_message_that_cannot_be_read_is_said_and_loses_nothing_else() {
    let (mut w, get) = ready();
    let (call, sent) = accepted(&mut w, CallOptions::new());
    w.chunk(&get, "data: {no json\n\n");
    let error = w.error_of(Subject::Stream(None));
    assert!(matches!(error.reason(), Reason::Peer(Peer::Message(_))));
    w.event(&get, &result(Value::Null, json!({})));
    w.event(&get, &result(sent.rpc_id(), json!({})));
    w.result(call);
}

#[test]
fn a_notification_is_accepted_or_lost_like_a_call() {
    let (mut w, _get) = ready();
    let note = w.notify("notifications/roots/list_changed");
    w.accept("notifications/roots/list_changed");
    assert!(w.accepted(Subject::Notification(note)));
    let note = w.notify("notifications/roots/list_changed");
    w.answer_all("notifications/roots/list_changed", 404);
    assert_eq!(w.losses(), [LossCause::NotFound]);
    let get = w.wait_for("GET");
    w.open.push(get);
    w.open_channel("s2", OLD);
    w.accept("notifications/roots/list_changed");
    assert!(w.accepted(Subject::Notification(note)));
}

#[test]
fn every_cut_of_the_stream_is_read_alike() {
    let id = {
        let (mut w, _) = ready();
        let (_, sent) = w.begin("tools/call");
        sent.rpc_id()
    };
    let text = format!(
        ": hi\n\nevent: endpoint\ndata: /m\n\n{}{}",
        event(&log("x")),
        event(&result(id, json!({})))
    );
    for cut in 0..=text.len() {
        let (mut w, get) = ready();
        let (call, sent) = accepted(&mut w, CallOptions::new());
        assert_eq!(sent.rpc_id(), id);
        let (before, after) = text.split_at(cut);
        w.chunk(&get, before.to_owned());
        w.chunk(&get, after.to_owned());
        w.result(call);
        assert_eq!(w.logs(), ["x"], "cut at {cut}");
        w.connection
            .call("tools/call", &echo(), CallOptions::new(), w.now)
            .unwrap();
        w.drive();
        assert_eq!(uri(&w.take("tools/call")), "https://example.com/m");
    }
}

/// The address of a session is its id: what it leads to is not asked in the next one.
#[test]
fn where_the_address_of_a_lost_session_redirects_to_nothing_is_sent() {
    let address = "https://example.com/messages?session=s2";
    for redirected_first in [false, true] {
        let (mut w, get) = ready();
        let call = w.call("tools/call");
        w.notify("notifications/roots/list_changed");
        let methods = ["tools/call", "notifications/roots/list_changed"];
        for sent in methods.map(|method| w.take(method)) {
            if !redirected_first {
                w.end(&get);
            }
            let location = HeaderMap::from_iter([(
                http::header::LOCATION,
                "/relay?session=s1".parse().unwrap(),
            )]);
            let moved = StatusCode::TEMPORARY_REDIRECT;
            // Nothing is polled before the stream ends.
            let connection = &mut w.connection;
            connection
                .handle_head(sent.exchange, moved, &location, w.now)
                .unwrap();
            connection.handle_end(sent.exchange, w.now).unwrap();
        }
        w.end(&get);
        let again = w.wait_for("GET");
        w.open.push(again);
        let get = w.open_channel("s2", OLD);
        let sent = w.reply_on(&get, "tools/call", json!({}));
        assert_eq!(uri(&sent), address, "law 6");
        w.result(call);
        let sent = w.take("notifications/roots/list_changed");
        assert_eq!(uri(&sent), address, "law 6");
    }
}
