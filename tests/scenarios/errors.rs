//! Section 11: one test per variant, named for it: what it says, whether it was executed, what to do.

use http::StatusCode;
use mcp_http::{
    CallOptions, Clock, Config, Delivery, Error, Failure, FailureKind, LimitExceeded, LimitKind,
    Lost, Mistake, Peer, Phase, Reason, RedirectHint, Refused, Remedy, Resend, Revision, RpcError,
    Subject,
};
use serde_json::json;

use crate::world::{ENDPOINT, Sent, World, config, limits, log, refused_connection, reset, secs};

/// What an error says of itself.
#[track_caller]
pub(crate) fn says(error: &Error, delivery: Delivery, remedy: Remedy, sentence: &str) {
    assert_eq!(error.delivery(), delivery);
    assert_eq!(error.remedy(), remedy);
    assert_eq!(error.to_string(), sentence);
    // What `main` prints that returns it, bare or in a box.
    assert_eq!(format!("{error:?}"), sentence);
    let boxed: Box<dyn std::error::Error> = error.clone().into();
    assert_eq!(format!("{boxed:?}"), sentence);
}

/// The error of a `tools/call` in session `s1` that the server answered like this.
#[track_caller]
fn failed(server: impl FnOnce(&mut World, &Sent)) -> Error {
    failed_in(World::ready(), server)
}

#[track_caller]
fn failed_in(mut w: World, server: impl FnOnce(&mut World, &Sent)) -> Error {
    let call = w.call("tools/call");
    let sent = w.take("tools/call");
    server(&mut w, &sent);
    let error = w.error(call);
    assert_eq!(error.method(), Some("tools/call"));
    error
}

/// The error of a connection whose `initialize` was answered like this.
#[track_caller]
fn handshake_failed(server: impl FnOnce(&mut World, &Sent)) -> Error {
    let mut w = World::new(config().pin(Revision::V2025_11_25));
    w.connect();
    let sent = w.take("initialize");
    server(&mut w, &sent);
    let error = w.error_of(Subject::Connection);
    assert_eq!(error.method(), Some("initialize"));
    error
}

#[track_caller]
pub(crate) fn mistake(error: &Error) -> (&'static str, Option<Phase>, Mistake) {
    assert_eq!(
        (error.delivery(), error.remedy()),
        (Delivery::NotSent, Remedy::Correct)
    );
    let Reason::Misuse(misuse) = error.reason() else {
        panic!("{error}")
    };
    (misuse.call(), misuse.phase(), misuse.mistake().clone())
}

pub(crate) const VERIFY: &str =
    "the server may have executed it; find out whether it took effect before calling again";

#[test]
fn reason_cancelled() {
    let mut w = World::ready();
    let call = w.call("tools/call");
    w.cancel(call);
    let error = w.error(call);
    assert_eq!(*error.reason(), Reason::Cancelled);
    says(
        &error,
        Delivery::Unknown,
        Remedy::Verify,
        "`tools/call` failed: it was cancelled; the server may have executed it; find out whether it took effect before calling again",
    );
}

#[test]
fn reason_closed() {
    let mut w = World::initializing();
    let call = w.call("tools/call");
    w.close();
    let error = w.error(call);
    assert_eq!(*error.reason(), Reason::Closed);
    says(
        &error,
        Delivery::NotSent,
        Remedy::Reconnect,
        "`tools/call` failed: the connection was closed; it did not reach the server; make a new connection",
    );
}

#[test]
fn reason_transport_broken() {
    let error = failed(|w, sent| w.fail(sent, reset()));
    let Reason::Transport(failure) = error.reason() else {
        panic!("{error}")
    };
    assert_eq!(
        (failure.kind(), failure.message()),
        (FailureKind::Broken, "connection reset by peer")
    );
    says(
        &error,
        Delivery::Unknown,
        Remedy::Verify,
        &format!("`tools/call` failed: the connection broke: connection reset by peer; {VERIFY}"),
    );
}

#[test]
fn reason_transport_not_sent() {
    let error = failed(|w, sent| w.fail(sent, refused_connection()));
    let Reason::Transport(failure) = error.reason() else {
        panic!("{error}")
    };
    assert_eq!(failure.kind(), FailureKind::NotSent);
    says(
        &error,
        Delivery::NotSent,
        Remedy::Retry,
        "`tools/call` failed: no connection could be made: connection refused; it did not reach the server; call again",
    );
}

#[test]
fn reason_transport_escapes_what_the_adapter_says() {
    let failure = Failure::broken("bad\u{1b}[31m\nnews");
    assert_eq!(failure.message(), "bad\\u{1b}[31m\\nnews");
}

#[test]
fn clock_call() {
    let mut w = World::ready();
    let call = w.call_with("tools/call", CallOptions::new().time_out(secs(2)));
    w.advance(secs(2));
    let error = w.error(call);
    assert_eq!(*error.reason(), Clock::Call(secs(2)).into());
    says(
        &error,
        Delivery::Unknown,
        Remedy::Verify,
        &format!("`tools/call` failed: no reply came within 2.0 s; {VERIFY}"),
    );
}

#[test]
fn clock_head() {
    let error = handshake_failed(|w, _| w.advance(secs(30)));
    assert_eq!(*error.reason(), Clock::Head(secs(30)).into());
    says(
        &error,
        Delivery::Unknown,
        Remedy::Verify,
        &format!("`initialize` failed: no answer came within 30.0 s; {VERIFY}"),
    );
}

#[test]
fn clock_silence() {
    let error = failed(|w, sent| {
        w.answer(sent, 200).stream(&[]);
        w.chunk(sent, ": keep-alive\n\n");
        w.advance(secs(300));
    });
    assert_eq!(*error.reason(), Clock::Silence(secs(300)).into());
    says(
        &error,
        Delivery::Unknown,
        Remedy::Verify,
        &format!(
            "`tools/call` failed: nothing came for 300.0 s, and nobody seems to be there; {VERIFY}"
        ),
    );
}

#[track_caller]
fn exceeds(error: &Error, kind: LimitKind, value: usize, delivery: Delivery, what: &str) {
    assert_eq!(*error.reason(), LimitExceeded { kind, value }.into());
    let method = error.method().unwrap();
    let remedy = match (kind, delivery) {
        (LimitKind::OpenCalls | LimitKind::OpenNotifications, _) => Remedy::Retry,
        (LimitKind::Buffers, _) => Remedy::Verify,
        _ => Remedy::Correct,
    };
    let sentence = format!(
        "`{method}` failed: the limit of {value} {what} was exceeded; {delivery}; {remedy}"
    );
    says(error, delivery, remedy, &sentence);
}

#[test]
fn limit_buffers() {
    let error = failed_in(World::limited(|limits| limits.buffers = 1000), |w, sent| {
        w.answer(sent, 200)
            .header("content-type", "application/json")
            .head();
        w.chunk(sent, vec![b' '; 1001]);
    });
    exceeds(
        &error,
        LimitKind::Buffers,
        1000,
        Delivery::Unknown,
        "bytes in all buffers together",
    );
}

#[test]
fn limit_event() {
    let error = failed_in(World::limited(|limits| limits.event = 10), |w, sent| {
        w.answer(sent, 200).stream(&[log("x")]);
    });
    exceeds(
        &error,
        LimitKind::Event,
        10,
        Delivery::Unknown,
        "bytes in one event of a stream",
    );
}

#[test]
fn limit_json_body() {
    let mut w = World::new(config().limits(limits(|limits| limits.json_body = 10)));
    w.connect();
    let sent = w.take("initialize");
    w.answer(&sent, 200)
        .header("content-type", "application/json")
        .head();
    w.chunk(&sent, "12345678901");
    let error = w.error_of(Subject::Connection);
    exceeds(
        &error,
        LimitKind::JsonBody,
        10,
        Delivery::Unknown,
        "bytes in a JSON body",
    );
}

#[test]
fn limit_line() {
    let error = failed_in(World::limited(|limits| limits.line = 10), |w, sent| {
        w.answer(sent, 200).stream(&[log("x")]);
    });
    exceeds(
        &error,
        LimitKind::Line,
        10,
        Delivery::Unknown,
        "bytes in one line of a stream",
    );
}

#[test]
fn limit_open_calls() {
    let mut w = World::limited(|limits| limits.open_calls = 1);
    w.call("tools/call");
    let error = w
        .connection
        .call("tools/list", &(), CallOptions::new(), w.now)
        .unwrap_err();
    exceeds(
        &error,
        LimitKind::OpenCalls,
        1,
        Delivery::NotSent,
        "open calls",
    );
}

#[test]
fn limit_open_notifications() {
    let mut w = World::limited(|limits| limits.open_notifications = 1);
    w.notify("notifications/x");
    let error = w
        .connection
        .notify("notifications/y", &(), w.now)
        .unwrap_err();
    exceeds(
        &error,
        LimitKind::OpenNotifications,
        1,
        Delivery::NotSent,
        "open notifications",
    );
}

#[test]
fn limit_subscriptions() {
    let mut w = World::limited(|limits| limits.subscriptions = 0);
    let params = json!({ "uri": "a:" });
    let error = w
        .connection
        .call("resources/subscribe", &params, CallOptions::new(), w.now)
        .unwrap_err();
    exceeds(
        &error,
        LimitKind::Subscriptions,
        0,
        Delivery::NotSent,
        "resource subscriptions",
    );
}

#[test]
fn lost_each_session() {
    let mut w = World::ready();
    let call = w.call("tools/call");
    for session in ["s2", "s3", "s4"] {
        w.advance(secs(40));
        w.answer_all("tools/call", 404);
        w.recover(session);
    }
    w.answer_all("tools/call", 404);
    let error = w.error(call);
    assert_eq!(*error.reason(), Lost::EachSession { sessions: 4 }.into());
    says(
        &error,
        Delivery::Rejected,
        Remedy::Retry,
        "`tools/call` failed: the server ended each of the 4 sessions in which it was sent; the server did not execute it; call again",
    );
}

#[test]
fn lost_not_offered() {
    let (mut w, get) = World::opening();
    w.answer(&get, 405).empty();
    let error = w.not_offered();
    assert_eq!(*error.reason(), Lost::NotOffered.into());
    assert_eq!(error.status(), Some(StatusCode::METHOD_NOT_ALLOWED));
    says(
        &error,
        Delivery::Rejected,
        Remedy::GiveUp,
        "the server offers no listening stream (HTTP 405 Method Not Allowed)",
    );
}

#[test]
fn lost_not_resumed() {
    let (mut w, call, get) = World::resuming();
    w.answer(&get, 409).body("busy");
    let error = w.error(call);
    assert_eq!(*error.reason(), Lost::NotResumed.into());
    assert_eq!(
        (error.status(), error.excerpt()),
        (Some(StatusCode::CONFLICT), Some("busy"))
    );
    says(
        &error,
        Delivery::Unknown,
        Remedy::Verify,
        &format!(
            "`tools/call` failed: the stream broke off before the reply, and the server does not resume it (HTTP 409 Conflict) (it says \"busy\"); {VERIFY}"
        ),
    );
}

#[test]
fn of_the_listening_stream() {
    let (mut w, get) = World::listening();
    w.fail(&get, reset());
    let error = w.degraded();
    assert_eq!(error.method(), None);
    assert_eq!(
        error.to_string(),
        "the listening stream failed: the connection broke: connection reset by peer; it is opened anew by and by"
    );
    let (mut w, get) = World::listening();
    w.end(&get);
    assert_eq!(
        w.degraded().to_string(),
        "the server ended the listening stream; it is opened anew by and by"
    );
}

#[test]
fn lost_session() {
    let mut w = World::ready();
    let call = w.call_with("tools/call", CallOptions::new().resend(Resend::Never));
    w.answer_all("tools/call", 404);
    let error = w.error(call);
    assert_eq!(*error.reason(), Lost::Session.into());
    says(
        &error,
        Delivery::Rejected,
        Remedy::Retry,
        "`tools/call` failed: the server ended the session; the server did not execute it; call again",
    );
}

#[test]
fn lost_session_unrecoverable() {
    let mut w = World::spent();
    let call = w.call("tools/call");
    let error = w.error(call);
    let after = error.retry_after().unwrap();
    let sentence = format!(
        "`tools/call` failed because no session could be made: no session could be kept in 3 handshakes, the last cause was: the server failed; it did not reach the server; call again in {:.1} s",
        after.as_secs_f64(),
    );
    says(
        &error,
        Delivery::NotSent,
        Remedy::RetryAfter(after),
        &sentence,
    );
}

#[test]
fn lost_stream() {
    let error = failed(|w, sent| {
        w.answer(sent, 200).stream(&[]);
        w.end(sent);
    });
    assert_eq!(*error.reason(), Lost::Stream.into());
    says(
        &error,
        Delivery::Unknown,
        Remedy::Verify,
        &format!("`tools/call` failed: the server ended the stream before its reply; {VERIFY}"),
    );
}

const GIVE_UP: &str = "the server may have executed it; nothing the caller does will help";

#[track_caller]
fn peer(error: &Error, reason: Peer, middle: &str) {
    assert_eq!(*error.reason(), reason.into());
    let method = error.method().unwrap();
    says(
        error,
        Delivery::Unknown,
        Remedy::GiveUp,
        &format!("`{method}` failed: {middle}; {GIVE_UP}"),
    );
}

#[test]
fn peer_batch() {
    let error = failed(|w, sent| w.answer(sent, 200).json(&json!([])));
    let words =
        "the server answered with an array, which revision 2025-11-25 does not allow (HTTP 200 OK)";
    peer(&error, Peer::Batch(Revision::V2025_11_25), words);
}

#[test]
fn peer_content_type() {
    let error = failed(|w, sent| w.answer(sent, 200).typed("text/html", "<h1>Hi</h1>"));
    assert_eq!(error.excerpt(), Some("<h1>Hi</h1>"));
    let words = "the server answered with the content type `text/html`, which is no MCP answer (HTTP 200 OK) (it says \"<h1>Hi</h1>\")";
    peer(&error, Peer::ContentType("text/html".into()), words);
    let error = failed(|w, sent| w.answer(sent, 200).body("Hi"));
    let words = "the server answered with the content type `none`, which is no MCP answer (HTTP 200 OK) (it says \"Hi\")";
    peer(&error, Peer::ContentType("none".into()), words);
}

#[test]
fn peer_initialize() {
    let error = handshake_failed(|w, sent| w.answer(sent, 200).result(json!({})));
    let why = "it names no protocol version";
    let words = format!("the server's answer to `initialize` is no valid result: {why}");
    peer(&error, Peer::Initialize(why.into()), &words);
}

#[test]
fn peer_message() {
    let error = failed(|w, sent| w.answer(sent, 200).typed("application/json", "{"));
    let words = "the server sent a message that cannot be read: it is no JSON (HTTP 200 OK)";
    peer(&error, Peer::Message("it is no JSON"), words);
}

#[test]
fn peer_no_reply() {
    let error = failed(|w, sent| w.answer(sent, 202).empty());
    assert_eq!(error.status(), Some(StatusCode::ACCEPTED));
    let words = "the server accepted the request but sent no reply to it (HTTP 202 Accepted)";
    peer(&error, Peer::NoReply, words);
}

#[test]
fn peer_odd() {
    let error = failed(|w, sent| w.answer(sent, 304).empty());
    let words = "the server answered with a status that answers no request (HTTP 304 Not Modified)";
    peer(&error, Peer::Odd, words);
}

#[test]
fn peer_revision() {
    let result = json!({ "protocolVersion": "1999-01-01\n", "capabilities": {} });
    let error = handshake_failed(|w, sent| w.answer(sent, 200).result(result));
    let reason = Peer::Revision {
        server: "1999-01-01\\n".into(),
        offered: Revision::V2025_11_25,
    };
    let words = "the server speaks revision `1999-01-01\\n`, and 2025-11-25 was asked for";
    peer(&error, reason, words);
}

#[test]
fn peer_session_id() {
    let error = handshake_failed(|w, sent| {
        w.answer(sent, 200).header("mcp-session-id", "a b").head();
    });
    let words = "the server gave a session id that is not 1 to 1024 visible ASCII characters";
    peer(&error, Peer::SessionId, words);
}

#[test]
fn peer_shape() {
    let why = serde_json::from_str::<u8>("\"x\"").unwrap_err();
    let error = Error::unexpected_shape(&why);
    assert_eq!(
        (error.delivery(), error.remedy()),
        (Delivery::Unknown, Remedy::GiveUp)
    );
    let said = error.to_string();
    assert!(
        said.contains("the reply has another shape than expected: expected u8 at line 1 column 3"),
        "{said}"
    );
    let why = serde_json::from_str::<RpcError>("{}").unwrap_err();
    let said = Error::unexpected_shape(&why).to_string();
    assert!(said.contains("missing field `code`"), "{said}");
}

#[test]
fn peer_wrong_reply() {
    let error = failed(|w, sent| {
        w.answer(sent, 200)
            .json(&crate::world::result(77, json!({})))
    });
    let words = "the server's answer is not the reply to this request (HTTP 200 OK)";
    peer(&error, Peer::WrongReply, words);
}

#[test]
fn refused_forbidden() {
    let error = failed(|w, sent| w.answer(sent, 403).empty());
    assert_eq!(
        (error.reason(), error.status()),
        (&Refused::Forbidden.into(), Some(StatusCode::FORBIDDEN))
    );
    says(
        &error,
        Delivery::Rejected,
        Remedy::Correct,
        "`tools/call` failed: the server does not allow it (HTTP 403 Forbidden); the server did not execute it; calling again unchanged will not help",
    );
}

#[test]
fn refused_not_found() {
    let error = handshake_failed(|w, sent| {
        w.answer(sent, 404).body("no such page");
        w.answer_all("GET", 405);
    });
    assert_eq!(
        (error.reason(), error.status()),
        (&Refused::NotFound.into(), Some(StatusCode::NOT_FOUND))
    );
    assert_eq!(error.excerpt(), Some("no such page"));
    says(
        &error,
        Delivery::Rejected,
        Remedy::Correct,
        "`initialize` failed: the server answered 404 although no session id was sent: this is no expired session, the address is probably not that of an MCP server (check the endpoint's URL) (HTTP 404 Not Found) (it says \"no such page\") (asked in turn: `initialize`: HTTP 404 Not Found, `GET`: HTTP 405 Method Not Allowed); the server did not execute it; calling again unchanged will not help",
    );
}

#[test]
fn refused_redirected() {
    let error = failed(|w, sent| w.answer(sent, 301).header("location", "/mcp/").empty());
    let hint = Some(RedirectHint::OnlyTheSlash);
    assert_eq!(
        *error.reason(),
        Refused::Redirected {
            to: format!("{ENDPOINT}/"),
            hint
        }
        .into()
    );
    says(
        &error,
        Delivery::Rejected,
        Remedy::Correct,
        "`tools/call` failed: the server redirects to `https://example.com/mcp/`, which differs only in the trailing slash: use that address (HTTP 301 Moved Permanently); the server did not execute it; calling again unchanged will not help",
    );
}

#[test]
fn refused_rpc() {
    let error =
        handshake_failed(|w, sent| w.answer(sent, 200).error(-32602, "unsupported version"));
    assert_eq!(*error.reason(), Refused::Rpc.into());
    assert_eq!(
        error.rpc_error(),
        Some(&RpcError::new(-32602, "unsupported version"))
    );
    says(
        &error,
        Delivery::Rejected,
        Remedy::Correct,
        "`initialize` failed: the server answered with an error (HTTP 200 OK) (JSON-RPC error -32602: unsupported version); the server did not execute it; calling again unchanged will not help",
    );
    let error = Error::from_rpc(RpcError::new(-1, "no"), StatusCode::OK);
    assert_eq!(
        (error.delivery(), error.status()),
        (Delivery::Unknown, Some(StatusCode::OK))
    );
}

#[test]
fn refused_status() {
    let error = failed(|w, sent| w.answer(sent, 413).empty());
    assert_eq!(*error.reason(), Refused::Status.into());
    says(
        &error,
        Delivery::Rejected,
        Remedy::Correct,
        "`tools/call` failed: the server refused the request (HTTP 413 Payload Too Large); the server did not execute it; calling again unchanged will not help",
    );
}

#[test]
fn refused_too_many_requests() {
    let error = failed(|w, sent| w.answer(sent, 429).header("retry-after", "900").empty());
    assert_eq!(
        (error.reason(), error.retry_after()),
        (&Refused::TooManyRequests.into(), Some(secs(900)))
    );
    says(
        &error,
        Delivery::Rejected,
        Remedy::RetryAfter(secs(900)),
        "`tools/call` failed: the server does not take it now (HTTP 429 Too Many Requests); the server did not execute it; call again in 900.0 s",
    );
}

#[test]
fn refused_unauthorized() {
    let error = failed(|w, sent| {
        w.answer(sent, 401)
            .header("www-authenticate", "Bearer")
            .empty()
    });
    assert_eq!(*error.reason(), Refused::Unauthorized.into());
    assert!(error.challenges()[0].is("bearer"));
    says(
        &error,
        Delivery::Rejected,
        Remedy::Authorise,
        "`tools/call` failed: the server asks for a valid credential (HTTP 401 Unauthorized); the server did not execute it; get a valid credential and call again",
    );
}

#[test]
fn refused_unavailable() {
    let error = failed(|w, sent| w.answer(sent, 500).empty());
    assert_eq!(*error.reason(), Refused::Unavailable.into());
    says(
        &error,
        Delivery::Unknown,
        Remedy::Verify,
        &format!(
            "`tools/call` failed: the server failed (HTTP 500 Internal Server Error); {VERIFY}"
        ),
    );
}

#[test]
fn mistake_body_before_head() {
    let mut w = World::initializing();
    let sent = w.take("initialize");
    let error = w
        .connection
        .handle_body(sent.exchange, "x".into(), w.now)
        .unwrap_err();
    let expected = (
        "handle_body",
        Some(Phase::Initializing),
        Mistake::BodyBeforeHead,
    );
    assert_eq!(mistake(&error), expected);
    assert_eq!(
        error.to_string(),
        "`handle_body` was misused: the answer's head was not reported yet (it is Initializing); nothing was sent; calling again unchanged will not help"
    );
    let error = w.connection.handle_end(sent.exchange, w.now).unwrap_err();
    assert_eq!(mistake(&error).2, Mistake::BodyBeforeHead);
}

#[test]
fn mistake_capability_missing() {
    let mut w = World::ready();
    let call = w.call("tasks/list");
    let error = w.error(call);
    assert_eq!(
        mistake(&error),
        (
            "call",
            Some(Phase::Ready),
            Mistake::CapabilityMissing("tasks")
        )
    );
}

#[test]
fn mistake_closed() {
    let mut w = World::closed();
    let error = w.connection.connect(w.now).unwrap_err();
    assert_eq!(
        mistake(&error),
        ("connect", Some(Phase::Closed), Mistake::Closed)
    );
}

#[test]
fn mistake_endpoint() {
    for url in [
        "",
        "mcp",
        "ftp://x/",
        "http://",
        "http://u:p@x/",
        "http://x:0/",
        "http://x y/",
    ] {
        let error = Config::new(url).unwrap_err();
        let (call, phase, mistake) = mistake(&error);
        assert_eq!((call, phase), ("Config::new", None), "{url}");
        assert!(matches!(mistake, Mistake::Endpoint(_)), "{url}: {mistake}");
        assert!(!error.to_string().contains("u:p"), "{error}");
    }
}

#[test]
fn mistake_foreign_id() {
    let mut other = World::new(config().seed(1));
    let call = other.call("tools/call");
    let mut w = World::ready();
    let error = w.connection.cancel(call, w.now).unwrap_err();
    assert_eq!(
        mistake(&error),
        ("cancel", Some(Phase::Ready), Mistake::ForeignId)
    );
}

#[test]
fn mistake_head_twice() {
    let (mut w, _, sent) = World::under_way();
    w.answer(&sent, 200).stream(&[]);
    let none = http::HeaderMap::new();
    let error = w
        .connection
        .handle_head(sent.exchange, StatusCode::OK, &none, w.now)
        .unwrap_err();
    assert_eq!(
        mistake(&error),
        ("handle_head", Some(Phase::Ready), Mistake::HeadTwice)
    );
}

#[test]
fn mistake_header() {
    for (name, value) in [
        ("x y", "1"),
        ("x", "a\r\nb: c"),
        ("x", "\0"),
        ("", "1"),
        ("x", "\n"),
    ] {
        let error = config().header(name, value).unwrap_err();
        let shown = name.split(' ').next().unwrap_or_default();
        assert_eq!(
            mistake(&error).2,
            Mistake::Header(shown.to_owned()),
            "{name:?}"
        );
        let error = CallOptions::new().header(name, value).unwrap_err();
        assert_eq!(mistake(&error).0, "CallOptions::header", "{name:?}");
        let error = World::ready()
            .connection
            .set_header(name, Some(value))
            .unwrap_err();
        assert_eq!(mistake(&error).0, "set_header", "{name:?}");
    }
}

#[test]
fn mistake_nothing_held() {
    let mut w = World::ready();
    let error = w.connection.resume(w.now).unwrap_err();
    assert_eq!(
        mistake(&error),
        ("resume", Some(Phase::Ready), Mistake::NothingHeld)
    );
    let error = w.connection.reinitialize(w.now).unwrap_err();
    assert_eq!(mistake(&error).0, "reinitialize");
}

#[test]
fn mistake_owned_header() {
    for name in [
        "Mcp-Session-Id",
        "MCP-Protocol-Version",
        "accept",
        "content-type",
        "host",
        "last-event-id",
    ] {
        let error = config().header(name, "x").unwrap_err();
        assert_eq!(
            mistake(&error).2,
            Mistake::OwnedHeader(name.to_lowercase()),
            "{name}"
        );
        assert!(CallOptions::new().header(name, "x").is_err(), "{name}");
        assert!(
            World::ready().connection.set_header(name, None).is_err(),
            "{name}"
        );
    }
}

#[test]
fn mistake_owned_method() {
    let mut w = World::ready();
    let error = w
        .connection
        .call("initialize", &(), CallOptions::new(), w.now)
        .unwrap_err();
    assert_eq!(mistake(&error).2, Mistake::OwnedMethod("initialize".into()));
    for method in ["notifications/initialized", "notifications/cancelled"] {
        let error = w.connection.notify(method, &(), w.now).unwrap_err();
        assert_eq!(mistake(&error).2, Mistake::OwnedMethod(method.into()));
    }
}

#[test]
fn mistake_params() {
    let mut w = World::ready();
    for params in [json!(1), json!([1]), json!("x"), json!(true)] {
        let error = w
            .connection
            .call("tools/call", &params, CallOptions::new(), w.now)
            .unwrap_err();
        assert_eq!(
            mistake(&error).2,
            Mistake::Params("must be a JSON object".into()),
            "{params}"
        );
        assert!(
            w.connection
                .notify("notifications/x", &params, w.now)
                .is_err(),
            "{params}"
        );
    }
    assert!(config().capabilities(&json!(null)).is_err());
    assert!(config().client_info(&json!("agent")).is_err());
}

#[test]
fn mistake_progress_token() {
    let mut w = World::ready();
    let params = json!({ "name": "x", "_meta": { "progressToken": 5 } });
    w.connection
        .call("tools/call", &params, CallOptions::new(), w.now)
        .unwrap();
    let error = w
        .connection
        .call("tools/call", &params, CallOptions::new(), w.now)
        .unwrap_err();
    assert_eq!(mistake(&error).2, Mistake::ProgressToken);
}

/// A world where the server has asked something, and the ticket.
fn asked() -> (World, mcp_http::Ticket) {
    let (mut w, _, sent) = World::under_way();
    w.answer(&sent, 200)
        .stream(&[crate::world::request(1, "roots/list", json!({}))]);
    let ticket = w.ask().ticket;
    (w, ticket)
}

#[test]
fn mistake_ticket_not_open() {
    let (mut w, ticket) = asked();
    w.reply_to(ticket);
    let error = w
        .connection
        .answer(ticket, Ok(&json!({})), w.now)
        .unwrap_err();
    assert_eq!(
        mistake(&error),
        ("answer", Some(Phase::Ready), Mistake::TicketNotOpen)
    );
}

#[test]
fn mistake_value() {
    let (mut w, ticket) = asked();
    let error = w
        .connection
        .answer(ticket, Ok(&json!(3)), w.now)
        .unwrap_err();
    assert_eq!(
        mistake(&error).2,
        Mistake::Value("must be a JSON object".into())
    );
}

#[test]
fn errors_can_be_cloned_compared_and_sent() {
    fn is<T: Clone + PartialEq + Send + Sync + std::error::Error + 'static>(_: &T) {}
    let error = Config::new("x").unwrap_err();
    is(&error);
    assert_eq!(error.clone(), error);
    assert_eq!(std::mem::size_of::<Error>(), std::mem::size_of::<usize>());
}

#[test]
fn an_excerpt_is_at_most_1_kib_with_control_characters_escaped() {
    let body = format!("\u{1b}[2J{}", "\u{e9}".repeat(2000));
    let error = failed(|w, sent| w.answer(sent, 422).body(body));
    let excerpt = error.excerpt().unwrap();
    assert!(
        excerpt.starts_with("\\u{1b}[2J\u{e9}") && excerpt.len() <= 1024,
        "{}",
        excerpt.len()
    );
    assert!(excerpt.len() > 1000);
}
