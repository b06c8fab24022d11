//! Section 4: the answer to a POST that carries a request. One test per row and sub-case.

use mcp_http::{
    CallOptions, Delivery, Error, Lost, Peer, Reason, RedirectHint, Refused, Remedy, Resend,
};
use serde_json::{Value, json};

use crate::world::{
    World, log, millis, refused_connection, request, reset, result, rpc_error, secs,
};

/// A call in session `s1`, answered with this status and body, has failed.
#[track_caller]
fn failed(status: u16, content_type: &str, body: &str) -> Error {
    let (mut w, call, sent) = World::under_way();
    w.answer(&sent, status).typed(content_type, body.to_owned());
    w.error(call)
}

#[track_caller]
fn is(error: &Error, reason: impl Into<Reason>, delivery: Delivery) {
    assert_eq!(
        (error.reason(), error.delivery()),
        (&reason.into(), delivery)
    );
    assert_eq!(error.method(), Some("tools/call"));
}

#[test]
fn row_200_json_with_the_right_id_is_the_reply() {
    let (mut w, call, sent) = World::under_way();
    w.answer(&sent, 200).result(json!({ "content": [1, 2.50] }));
    let reply = w.reply(call);
    assert_eq!(reply.status, 200);
    assert_eq!(reply.outcome.unwrap().as_str(), r#"{"content":[1,2.5]}"#);
}

#[test]
fn row_any_other_2xx_says_so_with_its_reply() {
    let (mut w, call, sent) = World::under_way();
    let reply = result(sent.rpc_id(), json!({}));
    w.answer(&sent, 201).stream(&[reply]);
    assert_eq!(w.reply(call).status, 201);
}

#[test]
fn row_200_json_error_with_the_right_id_is_the_reply() {
    let (mut w, call, sent) = World::under_way();
    w.answer(&sent, 200).error(-32602, "no such tool");
    let reply = w.reply(call);
    assert_eq!(
        (reply.status.as_u16(), reply.outcome.unwrap_err().code),
        (200, -32602)
    );
}

#[test]
fn row_200_json_anything_else_fails_as_unknown() {
    let unreadable = |why| Reason::from(Peer::Message(why));
    let rows: [(&str, String, Reason); 10] = [
        (
            "wrong id",
            result(99, json!({})).to_string(),
            Peer::WrongReply.into(),
        ),
        (
            "string id",
            result("3", json!({})).to_string(),
            Peer::WrongReply.into(),
        ),
        (
            "null id",
            rpc_error(Value::Null, -32600, "?").to_string(),
            Peer::WrongReply.into(),
        ),
        (
            "request",
            request(1, "ping", json!({})).to_string(),
            Peer::WrongReply.into(),
        ),
        (
            "notification",
            log("x").to_string(),
            Peer::WrongReply.into(),
        ),
        ("no JSON", "<html>".into(), unreadable("it is no JSON")),
        (
            "no JSON-RPC",
            "{}".into(),
            unreadable("it is no JSON-RPC message"),
        ),
        (
            "a number",
            "7".into(),
            unreadable("it is no JSON-RPC message"),
        ),
        ("nothing", String::new(), Peer::NoReply.into()),
        (
            "array",
            "[]".into(),
            Peer::Batch(mcp_http::Revision::V2025_11_25).into(),
        ),
    ];
    for (name, body, reason) in rows {
        let error = failed(200, "application/json", &body);
        assert_eq!(
            (error.reason(), error.delivery()),
            (&reason, Delivery::Unknown),
            "{name}"
        );
        assert_eq!(
            error.status().map(|status| status.as_u16()),
            Some(200),
            "{name}"
        );
    }
}

#[test]
fn row_200_json_is_told_from_what_is_none_however_it_is_written() {
    let answered = |body: &str| {
        let (mut w, call, sent) = World::under_way();
        let body = body.replace("ID", &sent.rpc_id().to_string());
        w.answer(&sent, 200).typed("application/json", body);
        (w, call)
    };
    for reply in [
        " { \"result\" : 7 ,\t\"id\"\r:\nID } ",
        r#"{"\u0069d":ID,"re\u0073ult":7}"#,
        r#"{"\ud800":{"\udfff":[null]},"id":ID,"result":7,"error":null,"x":1,"x":2}"#,
    ] {
        let (mut w, call) = answered(reply);
        assert_eq!(w.result(call), 7, "{reply}");
    }
    let (none, another) = ("it is no JSON", "it is no JSON-RPC message");
    for (body, why) in [
        (r#"{"id":ID,"result":7}x"#, none),
        (r#"{"id":ID,"result":7,}"#, none),
        (r#"{"id":ID,"id":ID,"result":7"#, none),
        (r#"{"id":ID,"result":"\x"}"#, none),
        (r#"7 {"id":ID,"result":7}"#, none),
        (r#"{"id":ID,"id":ID,"result":7}"#, another),
        (r#"{"id":ID,"result":7,"r\u0065sult":7}"#, another),
        (r#""a text""#, another),
    ] {
        let (mut w, call) = answered(body);
        let error = w.error(call);
        assert_eq!(*error.reason(), Peer::Message(why).into(), "{body}");
    }
}

#[test]
fn row_200_json_an_array_that_looks_like_a_struct_is_no_reply() {
    // The members of an envelope in their order, as a positional decoder would take them.
    let (mut w, call, sent) = World::under_way();
    w.answer(&sent, 200)
        .json(&json!([sent.rpc_id(), null, null, { "ok": true }, null]));
    is(
        &w.error(call),
        Peer::Batch(mcp_http::Revision::V2025_11_25),
        Delivery::Unknown,
    );
}

#[test]
fn row_200_json_array_in_2025_03_26_is_taken_element_by_element() {
    let mut w = World::ready_at("2025-03-26");
    let call = w.call("tools/call");
    let sent = w.take("tools/call");
    let reply = result(sent.rpc_id(), json!({ "ok": true }));
    w.answer(&sent, 200)
        .json(&json!([log("before"), { "bad": 1 }, reply, log("after")]));
    assert_eq!(w.logs(), ["before", "after"]);
    assert_eq!(w.result(call)["ok"], true);
    let unreadable = w.error_of(mcp_http::Subject::Stream(Some(call)));
    assert_eq!(
        *unreadable.reason(),
        Peer::Message("it is no JSON-RPC message").into()
    );
}

#[test]
fn row_200_json_array_without_the_reply_fails() {
    let mut w = World::ready_at("2025-03-26");
    let call = w.call("tools/call");
    let sent = w.take("tools/call");
    w.answer(&sent, 200).json(&json!([log("only this")]));
    is(&w.error(call), Peer::WrongReply, Delivery::Unknown);
    assert_eq!(w.logs(), ["only this"]);
}

#[test]
fn row_200_event_stream_carries_the_reply() {
    let (mut w, call, sent) = World::under_way();
    let reply = result(sent.rpc_id(), json!({ "ok": true }));
    w.answer(&sent, 200).stream(&[log("working"), reply]);
    assert_eq!(w.logs(), ["working"]);
    assert_eq!(w.result(call)["ok"], true);
}

#[test]
fn row_202_204_and_200_without_content_fail_at_once() {
    for (name, status, length) in [
        ("202", 202, None),
        ("204", 204, None),
        ("200", 200, Some("0")),
    ] {
        let (mut w, call, sent) = World::under_way();
        let mut answer = w
            .answer(&sent, status)
            .header("content-type", "application/json");
        if let Some(length) = length {
            answer = answer.header("content-length", length);
        }
        // The head alone: nobody waits for an end that may never come.
        answer.head();
        let error = w.error(call);
        assert_eq!(*error.reason(), Peer::NoReply.into(), "{name}");
        assert_eq!(error.delivery(), Delivery::Unknown, "{name}");
    }
}

#[test]
fn row_other_content_type_names_it_and_keeps_an_excerpt() {
    let error = failed(
        200,
        "text/html; charset=utf-8",
        "<title>Sign in\u{7}</title>",
    );
    is(
        &error,
        Peer::ContentType("text/html".into()),
        Delivery::Unknown,
    );
    assert_eq!(error.excerpt(), Some("<title>Sign in\\u{7}</title>"));
}

#[test]
fn row_other_content_type_does_not_wait_for_a_body_without_end() {
    let (mut w, call, sent) = World::under_way();
    w.answer(&sent, 200)
        .header("content-type", "text/plain")
        .head();
    w.chunk(&sent, "hello");
    assert!(!w.ended(call));
    w.advance(secs(30));
    assert_eq!(w.error(call).excerpt(), Some("hello"));
    assert_eq!(w.aborted, [sent.exchange]);
}

/// A call answered with a redirect to this place has failed.
#[track_caller]
fn redirected(status: u16, to: &str) -> Error {
    let (mut w, call, sent) = World::under_way();
    w.answer(&sent, status).header("location", to).empty();
    assert!(
        w.open.is_empty(),
        "nothing more is sent: {:?}",
        w.open_methods()
    );
    w.error(call)
}

#[test]
fn row_301_302_fail_and_say_where_to() {
    let rows = [
        (
            "elsewhere",
            "https://other.org/mcp",
            "https://other.org/mcp",
            None,
        ),
        (
            "slash",
            "/mcp/",
            "https://example.com/mcp/",
            Some(RedirectHint::OnlyTheSlash),
        ),
        (
            "scheme",
            "http://example.com/mcp",
            "http://example.com/mcp",
            Some(RedirectHint::OnlyTheScheme),
        ),
        (
            "both",
            "http://example.com/mcp/",
            "http://example.com/mcp/",
            Some(RedirectHint::SchemeAndSlash),
        ),
        (
            "at home",
            "/sign-in?token=marked",
            "https://example.com/sign-in?...",
            None,
        ),
    ];
    for (name, location, to, hint) in rows {
        for status in [301, 302] {
            let error = redirected(status, location);
            let reason = Refused::Redirected {
                to: to.into(),
                hint,
            };
            assert_eq!(*error.reason(), reason.into(), "{name} {status}");
            assert_eq!(error.delivery(), Delivery::Rejected, "{name} {status}");
            assert_eq!(error.remedy(), Remedy::Correct, "{name} {status}");
        }
    }
}

#[test]
fn row_303_fails_as_unknown() {
    let error = redirected(303, "https://example.com/done");
    let to = "https://example.com/done".to_owned();
    is(
        &error,
        Refused::Redirected { to, hint: None },
        Delivery::Unknown,
    );
}

#[test]
fn row_307_308_are_followed_on_the_same_origin_with_all_headers() {
    for status in [307, 308] {
        let mut w = World::ready_with(|c| c.header("authorization", "Bearer t").unwrap());
        let call = w.call("tools/call");
        let first = w.take("tools/call");
        w.answer(&first, status)
            .header("location", "/v2/mcp")
            .empty();
        let second = w.take("tools/call");
        assert_eq!(
            second.request.uri(),
            "https://example.com/v2/mcp",
            "{status}"
        );
        assert_eq!(second.session(), Some("s1"), "{status}");
        assert_eq!(second.header("authorization"), Some("Bearer t"), "{status}");
        assert_eq!(second.json()["params"], first.json()["params"], "{status}");
        assert!(
            second.rpc_id() > first.rpc_id(),
            "{status}: ids are never used twice"
        );
        w.answer(&second, 200).result(json!({ "ok": status }));
        assert_eq!(w.result(call)["ok"], status, "{status}");
    }
}

#[test]
fn row_307_is_followed_three_times_at_most() {
    let mut w = World::ready();
    let call = w.call("tools/call");
    for _ in 0..3 {
        let sent = w.take("tools/call");
        w.answer(&sent, 307).header("location", "/loop").empty();
    }
    let fourth = w.take("tools/call");
    assert!(!w.ended(call));
    w.answer(&fourth, 307).header("location", "/loop").empty();
    let to = "https://example.com/loop".to_owned();
    is(
        &w.error(call),
        Refused::Redirected { to, hint: None },
        Delivery::Rejected,
    );
    assert_eq!(w.count("tools/call"), 4);
}

#[test]
fn row_307_is_not_followed_elsewhere() {
    let rows = [
        "https://other.org/mcp",
        "https://example.com:8443/mcp",
        "http://example.com/mcp",
    ];
    for to in rows {
        let error = redirected(307, to);
        assert!(
            matches!(error.reason(), Reason::Refused(Refused::Redirected { .. })),
            "{to}"
        );
        assert_eq!(error.delivery(), Delivery::Rejected, "{to}");
    }
}

#[test]
fn row_307_without_a_location_fails() {
    let mut w = World::ready();
    let call = w.call("tools/call");
    w.answer_all("tools/call", 307);
    is(
        &w.error(call),
        Refused::Redirected {
            to: String::new(),
            hint: None,
        },
        Delivery::Rejected,
    );
}

#[test]
fn row_401_is_refused_with_its_challenges_whatever_the_body() {
    let (mut w, call, sent) = World::under_way();
    let challenge = r#"Bearer realm="x", scope="a b", Basic realm="y, z""#;
    w.answer(&sent, 401)
        .header("www-authenticate", challenge)
        .error(-32001, "who?");
    let error = w.error(call);
    is(&error, Refused::Unauthorized, Delivery::Rejected);
    assert_eq!(error.remedy(), Remedy::Authorise);
    assert_eq!(error.challenges().len(), 2);
    assert_eq!(error.challenges()[0].scope(), Some("a b"));
    assert_eq!(error.challenges()[1].realm(), Some("y, z"));
}

#[test]
fn row_403_with_a_challenge_is_refused_whatever_the_body() {
    let (mut w, call, sent) = World::under_way();
    let challenge = r#"Bearer error="insufficient_scope""#;
    w.answer(&sent, 403)
        .header("www-authenticate", challenge)
        .error(-32001, "no");
    let error = w.error(call);
    is(&error, Refused::Forbidden, Delivery::Rejected);
    assert_eq!(error.challenges()[0].error(), Some("insufficient_scope"));
}

#[test]
fn row_408_429_are_sent_again_after_retry_after() {
    for status in [408, 429] {
        let (mut w, call, sent) = World::under_way();
        w.answer(&sent, status).header("retry-after", "7").empty();
        assert!(w.open.is_empty(), "{status}");
        assert_eq!(w.wake(), secs(7), "{status}");
        let again = w.take("tools/call");
        assert!(again.rpc_id() > sent.rpc_id(), "{status}");
        w.answer(&again, 200).result(json!({ "ok": true }));
        assert_eq!(w.result(call)["ok"], true, "{status}");
    }
}

#[test]
fn row_429_takes_a_date_less_the_answers_own_date() {
    let (mut w, _, sent) = World::under_way();
    w.answer(&sent, 429)
        .header("date", "Sun, 06 Nov 2044 08:49:30 GMT")
        .header("retry-after", "Sun, 06 Nov 2044 08:49:42 GMT")
        .empty();
    assert_eq!(w.wake(), secs(12));
    assert!(w.has("tools/call"));
}

#[test]
fn row_429_without_retry_after_takes_the_growing_delay() {
    let mut w = World::ready();
    w.call("tools/call");
    w.answer_all("tools/call", 429);
    let first = w.wake();
    assert!(millis(100) <= first && first <= secs(1), "{first:?}");
    w.answer_all("tools/call", 429);
    let second = w.wake();
    assert!(millis(100) <= second && second <= secs(2), "{second:?}");
}

#[test]
fn row_429_is_sent_again_twice_at_most() {
    let mut w = World::ready();
    let call = w.call("tools/call");
    for _ in 0..3 {
        let sent = w.wait_for("tools/call");
        w.answer(&sent, 429).header("retry-after", "1").empty();
    }
    let error = w.error(call);
    is(&error, Refused::TooManyRequests, Delivery::Rejected);
    assert_eq!(error.retry_after(), Some(secs(1)));
    assert_eq!(error.remedy(), Remedy::RetryAfter(secs(1)));
    assert_eq!(w.count("tools/call"), 3);
}

#[test]
fn row_429_waits_five_minutes_but_no_second_more() {
    for (after, waits) in [
        ("300", true),
        ("301", false),
        ("99999999999999999999", false),
    ] {
        let (mut w, call, sent) = World::under_way();
        w.answer(&sent, 429).header("retry-after", after).empty();
        assert_eq!(!w.ended(call), waits, "{after}");
    }
}

#[test]
fn row_429_is_not_sent_again_if_that_does_not_fit_the_calls_time() {
    for (time, waits) in [(secs(11), true), (secs(10), false)] {
        let mut w = World::ready();
        let call = w.call_with("tools/call", CallOptions::new().time_out(time));
        let sent = w.take("tools/call");
        w.answer(&sent, 429).header("retry-after", "10").empty();
        assert_eq!(!w.ended(call), waits, "{time:?}");
    }
}

#[test]
fn row_429_with_an_own_error_is_still_sent_again() {
    let (mut w, call, sent) = World::under_way();
    w.answer(&sent, 429)
        .header("retry-after", "1")
        .error(-32000, "slow down");
    assert!(!w.ended(call));
    let again = w.wait_for("tools/call");
    w.answer(&again, 200).result(json!({}));
    w.reply(call);
}

#[test]
fn row_no_session_id_other_non_2xx_with_an_own_error_is_the_reply() {
    for status in [400, 403, 404, 405, 413, 422, 500, 503] {
        let mut w = World::ready_without_id();
        let call = w.call("tools/call");
        let sent = w.take("tools/call");
        w.answer(&sent, status).error(-32001, "own");
        let reply = w.reply(call);
        assert_eq!(reply.status.as_u16(), status);
        assert_eq!(reply.outcome.unwrap_err().code, -32001, "{status}");
    }
}

#[test]
fn row_own_error_has_this_id_null_none_or_one_of_no_open_call() {
    let ids = [json!(null), json!("server-error"), json!(4711), json!(1.5)];
    for id in ids {
        let mut w = World::ready_without_id();
        let call = w.call("tools/call");
        let sent = w.take("tools/call");
        w.answer(&sent, 400)
            .json(&rpc_error(id.clone(), -32001, "own"));
        assert_eq!(w.rpc_error(call).code, -32001, "{id}");
    }
    let mut w = World::ready_without_id();
    let call = w.call("tools/call");
    let sent = w.take("tools/call");
    let absent = json!({ "jsonrpc": "2.0", "error": { "code": -32001, "message": "own" } });
    w.answer(&sent, 400).json(&absent);
    assert_eq!(w.rpc_error(call).code, -32001, "absent");
}

#[test]
fn row_an_array_that_looks_like_an_error_is_no_own_error() {
    // The members of an error in their order, as a positional decoder would take them.
    let mut w = World::ready_without_id();
    let call = w.call("tools/call");
    let sent = w.take("tools/call");
    let positional =
        json!({ "jsonrpc": "2.0", "id": sent.rpc_id(), "error": [-32001, "own", null] });
    w.answer(&sent, 400).json(&positional);
    is(&w.error(call), Refused::Status, Delivery::Rejected);
}

#[test]
fn row_an_error_of_another_open_call_is_no_own_error() {
    let mut w = World::ready_without_id();
    let (first, other) = (w.call("tools/call"), w.call("tools/list"));
    let (sent, neighbour) = (w.take("tools/call"), w.take("tools/list"));
    w.answer(&sent, 400)
        .json(&rpc_error(neighbour.rpc_id(), -32001, "not yours"));
    is(&w.error(first), Refused::Status, Delivery::Rejected);
    w.answer(&neighbour, 200).result(json!({ "ok": true }));
    assert_eq!(w.result(other)["ok"], true);
}

#[test]
fn row_session_id_400_with_an_own_error_outside_the_server_codes_is_the_reply() {
    for code in [-32602, -32700, -32603, -31999, -32020, 1] {
        let (mut w, call, sent) = World::under_way();
        w.answer(&sent, 400).error(code, "invalid params");
        let reply = w.reply(call);
        assert_eq!(reply.status, 400, "{code}");
        assert_eq!(reply.outcome.unwrap_err().code, code);
        assert_eq!(w.count("ping"), 0, "{code}");
    }
}

#[test]
fn row_session_id_any_other_400_is_suspicion() {
    let own = |code| Some((Some(()), code));
    let rows = [
        ("no body", None),
        ("-32000", own(-32000)),
        ("-32019", own(-32019)),
        ("null id", Some((None, -32602))),
    ];
    for (name, error) in rows {
        let (mut w, call, sent) = World::under_way();
        match error {
            None => w.answer(&sent, 400).empty(),
            Some((Some(()), code)) => w.answer(&sent, 400).error(code, "bad session"),
            Some((None, code)) => w
                .answer(&sent, 400)
                .json(&rpc_error(Value::Null, code, "bad")),
        }
        assert!(!w.ended(call), "{name}");
        assert_eq!(w.open_methods(), ["ping"], "{name}");
    }
}

#[test]
fn row_404_of_the_current_session_is_loss_and_the_call_goes_out_again() {
    let (mut w, call, sent) = World::under_way();
    w.answer(&sent, 404).error(-32001, "session not found");
    assert_eq!(w.reinitialized(), 1);
    w.recover("s2");
    let again = w.take("tools/call");
    assert_eq!(again.session(), Some("s2"));
    assert!(again.rpc_id() > sent.rpc_id());
    w.answer(&again, 200).result(json!({ "ok": true }));
    assert_eq!(w.result(call)["ok"], true);
}

#[test]
fn row_404_of_the_current_session_is_loss_at_its_head() {
    let (mut w, _, sent) = World::under_way();
    w.answer(&sent, 404).head();
    assert_eq!(w.reinitialized(), 1, "the body may never come");
}

#[test]
fn row_404_of_an_older_session_is_sent_again_in_the_current_one() {
    let mut w = World::ready();
    let (first, second) = (w.call("tools/call"), w.call("tools/call"));
    let (one, two) = (w.take("tools/call"), w.take("tools/call"));
    w.answer(&one, 404).empty();
    w.recover("s2");
    w.succeed("tools/call");
    w.answer(&two, 404).empty();
    let again = w.take("tools/call");
    assert_eq!(again.session(), Some("s2"));
    w.answer(&again, 200).result(json!({}));
    w.reply(first);
    w.reply(second);
    assert_eq!((w.count("initialize"), w.reinitialized()), (2, 1));
}

#[test]
fn row_404_without_session_id_is_not_found_and_nothing_more_is_sent() {
    let mut w = World::ready_without_id();
    let call = w.call("tools/call");
    w.answer_all("tools/call", 404);
    let error = w.error(call);
    is(&error, Refused::NotFound, Delivery::Rejected);
    assert!(error.to_string().contains("no expired session"), "{error}");
    w.advance(secs(120));
    assert!(w.open.is_empty() && w.count("initialize") == 1);
    let later = w.call("tools/call");
    w.succeed("tools/call");
    w.reply(later);
}

#[test]
fn row_other_4xx_own_error_is_the_reply_else_it_fails() {
    for status in [402, 403, 405, 406, 409, 413, 415, 418, 422] {
        let mut w = World::ready();
        let (with, without) = (w.call("tools/call"), w.call("tools/call"));
        let sent = w.take("tools/call");
        w.answer(&sent, status).error(-32001, "own");
        assert_eq!(w.reply(with).status.as_u16(), status);
        let sent = w.take("tools/call");
        w.answer(&sent, status).body("plain words");
        let error = w.error(without);
        let reason = if status == 403 {
            Refused::Forbidden
        } else {
            Refused::Status
        };
        is(&error, reason, Delivery::Rejected);
        assert_eq!(error.excerpt(), Some("plain words"), "{status}");
    }
}

#[test]
fn row_5xx_with_an_own_error_is_the_reply_even_if_idempotent() {
    let mut w = World::ready();
    let call = w.call_with("tools/call", CallOptions::new().idempotent());
    let sent = w.take("tools/call");
    w.answer(&sent, 500).error(-32603, "internal");
    let reply = w.reply(call);
    assert_eq!(
        (reply.status.as_u16(), reply.outcome.unwrap_err().code),
        (500, -32603)
    );
}

#[test]
fn row_5xx_fails_with_retry_after_and_is_not_sent_again() {
    let (mut w, call, sent) = World::under_way();
    w.answer(&sent, 503)
        .header("retry-after", "20")
        .body("maintenance");
    let error = w.error(call);
    is(&error, Refused::Unavailable, Delivery::Unknown);
    assert_eq!(error.retry_after(), Some(secs(20)));
    assert_eq!(error.excerpt(), Some("maintenance"));
    w.advance(secs(60));
    assert_eq!(w.count("tools/call"), 1);
}

#[test]
fn row_5xx_idempotent_is_sent_again_twice_at_most() {
    let mut w = World::ready();
    let call = w.call_with("tools/call", CallOptions::new().idempotent());
    for _ in 0..3 {
        let sent = w.wait_for("tools/call");
        w.answer(&sent, 502).empty();
    }
    is(&w.error(call), Refused::Unavailable, Delivery::Unknown);
    assert_eq!(w.count("tools/call"), 3);
}

#[test]
fn row_failed_before_anything_was_sent_fails_as_not_sent() {
    let mut w = World::ready();
    let call = w.call_with("tools/call", CallOptions::new().idempotent());
    let sent = w.take("tools/call");
    w.fail(&sent, refused_connection());
    let error = w.error(call);
    is(&error, refused_connection(), Delivery::NotSent);
    assert_eq!(error.remedy(), Remedy::Retry);
    w.advance(secs(60));
    assert_eq!(
        w.count("tools/call"),
        1,
        "waiting for the server is off by default"
    );
}

#[test]
fn row_failed_before_anything_was_sent_is_tried_again_for_as_long_as_asked() {
    let mut w = World::ready();
    let patient = CallOptions::new().wait_for_server(secs(20));
    let call = w.call_with("tools/call", patient);
    let began = w.now;
    let mut tries = 0;
    while !w.ended(call) {
        let sent = w.wait_for("tools/call");
        w.fail(&sent, refused_connection());
        tries += 1;
    }
    assert_eq!(w.now.since(began), secs(20));
    assert!((5..60).contains(&tries), "{tries} tries");
    is(&w.error(call), refused_connection(), Delivery::NotSent);
}

#[test]
fn row_failed_before_anything_was_sent_then_it_comes_back() {
    let mut w = World::ready();
    let call = w.call_with("tools/call", CallOptions::new().wait_for_server(secs(60)));
    let sent = w.take("tools/call");
    w.fail(&sent, refused_connection());
    let again = w.wait_for("tools/call");
    w.answer(&again, 200).result(json!({ "ok": true }));
    assert_eq!(w.result(call)["ok"], true);
}

#[test]
fn row_broken_later_fails_as_unknown() {
    for head in [false, true] {
        let (mut w, call, sent) = World::under_way();
        if head {
            w.answer(&sent, 200)
                .header("content-type", "application/json")
                .head();
            w.chunk(&sent, "{\"json");
        }
        w.fail(&sent, reset());
        is(&w.error(call), reset(), Delivery::Unknown);
        assert_eq!(w.count("tools/call"), 1, "head: {head}");
    }
}

#[test]
fn row_broken_later_whatever_the_adapter_says_after_a_head() {
    let (mut w, call, sent) = World::under_way();
    w.answer(&sent, 200)
        .header("content-type", "application/json")
        .head();
    w.fail(&sent, refused_connection());
    assert_eq!(w.error(call).delivery(), Delivery::Unknown);
}

#[test]
fn row_broken_later_idempotent_is_sent_again_twice_at_most() {
    let mut w = World::ready();
    let call = w.call_with("tools/call", CallOptions::new().idempotent());
    for _ in 0..3 {
        let sent = w.wait_for("tools/call");
        w.fail(&sent, reset());
    }
    is(&w.error(call), reset(), Delivery::Unknown);
    assert_eq!(w.count("tools/call"), 3);
}

#[test]
fn row_stream_end_before_the_reply_fails_at_once_even_if_idempotent() {
    let mut w = World::ready();
    let call = w.call_with("tools/call", CallOptions::new().idempotent());
    let sent = w.take("tools/call");
    w.answer(&sent, 200).stream(&[log("working")]);
    w.end(&sent);
    is(&w.error(call), Lost::Stream, Delivery::Unknown);
    w.advance(secs(60));
    assert_eq!(w.count("tools/call"), 1);
}

#[test]
fn resend_never_is_never_sent_again() {
    let never = || CallOptions::new().resend(Resend::Never).idempotent();
    for status in [404, 408, 429, 503] {
        let mut w = World::ready();
        let call = w.call_with("tools/call", never());
        w.answer_all("tools/call", status);
        assert!(w.ended(call), "{status}");
        w.advance(secs(60));
        assert_eq!(w.count("tools/call"), 1, "{status}");
    }
}

#[test]
fn an_error_body_cut_off_still_says_what_came() {
    let (mut w, call, sent) = World::under_way();
    w.answer(&sent, 422).head();
    w.chunk(&sent, "half a sen");
    w.fail(&sent, reset());
    let error = w.error(call);
    is(&error, Refused::Status, Delivery::Rejected);
    assert_eq!(error.excerpt(), Some("half a sen"));
}

#[test]
fn a_status_that_answers_no_request_is_odd() {
    for status in [300, 304, 399, 600] {
        let mut w = World::ready();
        let call = w.call("tools/call");
        w.answer_all("tools/call", status);
        is(&w.error(call), Peer::Odd, Delivery::Unknown);
    }
}

#[test]
fn a_notification_is_accepted_by_any_2xx_whatever_its_body() {
    for (status, content_type) in [
        (200, "text/html"),
        (202, ""),
        (204, ""),
        (200, "application/json"),
    ] {
        let mut w = World::ready();
        let id = w.notify("notifications/roots/list_changed");
        let sent = w.take("notifications/roots/list_changed");
        w.answer(&sent, status).typed(content_type, "anything");
        assert!(
            w.accepted(mcp_http::Subject::Notification(id)),
            "{status} {content_type}"
        );
    }
}

#[test]
fn a_notification_that_fails_loses_nothing_else() {
    let mut w = World::ready();
    let id = w.notify("notifications/roots/list_changed");
    w.answer_all("notifications/roots/list_changed", 500);
    let error = w.error_of(mcp_http::Subject::Notification(id));
    assert_eq!(*error.reason(), Refused::Unavailable.into());
    let call = w.call("tools/call");
    w.succeed("tools/call");
    w.reply(call);
    assert_eq!(w.count("initialize"), 1);
}

#[test]
fn a_notification_is_sent_again_once_after_its_session_was_lost() {
    let mut w = World::ready();
    let id = w.notify("notifications/roots/list_changed");
    w.answer_all("notifications/roots/list_changed", 404);
    w.recover("s2");
    let again = w.take("notifications/roots/list_changed");
    assert_eq!(again.session(), Some("s2"));
    w.answer(&again, 404).empty();
    let error = w.error_of(mcp_http::Subject::Notification(id));
    assert_eq!(
        (error.reason(), error.delivery()),
        (&Lost::Session.into(), Delivery::Rejected)
    );
    w.recover("s3");
    assert_eq!(w.count("notifications/roots/list_changed"), 2);
}

#[test]
fn a_refused_notification_that_finds_no_other_session_was_rejected() {
    let mut w = World::ready();
    let refused = w.notify("notifications/a");
    w.answer_all("notifications/a", 404);
    let unsent = w.notify("notifications/b");
    let sent = w.wait_for("initialize");
    w.answer(&sent, 500).empty();
    let mut delivery = |note| w.error_of(mcp_http::Subject::Notification(note)).delivery();
    assert_eq!(delivery(refused), Delivery::Rejected);
    assert_eq!(delivery(unsent), Delivery::NotSent);
}

#[test]
fn refused_notifications_keep_their_order() {
    let mut w = World::ready();
    let names = ["notifications/a", "notifications/b", "notifications/c"];
    for name in names {
        w.notify(name);
    }
    for name in names {
        w.answer_all(name, 404);
    }
    w.recover("s2");
    assert_eq!(w.open_methods(), names);
}

#[test]
fn a_notification_follows_a_redirect_at_home() {
    let mut w = World::ready();
    let id = w.notify("notifications/x");
    let sent = w.take("notifications/x");
    w.answer(&sent, 307).header("location", "/mcp/").empty();
    let again = w.take("notifications/x");
    assert_eq!(again.request.uri().path(), "/mcp/");
    w.answer(&again, 202).empty();
    assert!(w.accepted(mcp_http::Subject::Notification(id)));
}

#[test]
fn what_else_the_answer_to_a_call_says_about_the_session_is_ignored() {
    let (mut w, call, sent) = World::under_way();
    w.answer(&sent, 200)
        .header("mcp-session-id", "other")
        .result(json!({}));
    w.reply(call);
    w.call("tools/call");
    assert_eq!(w.take("tools/call").session(), Some("s1"));
}
