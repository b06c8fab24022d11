use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use mcp_http::{Binding, Failure, Revision};
use serde_json::{Value, json};

use super::super::check::{Finding, Seen, Verdict, findings};
use super::super::exchange::{End, Exchange};
use super::super::step::{NO_REVISION, Step};

use Verdict::{Breaks, CannotTell, Keeps, NotApplicable, Note};

/// An exchange with nothing but a status.
fn bare(status: u16) -> Exchange {
    let message = json!({ "jsonrpc": "2.0", "id": "a", "method": "m" });
    let mut exchange = Exchange::new(Request::new(Bytes::from(message.to_string())));
    exchange.head = Some((StatusCode::from_u16(status).unwrap(), HeaderMap::new()));
    exchange.end = End::Whole;
    exchange
}

fn with(mut exchange: Exchange, name: &'static str, value: &'static str) -> Exchange {
    let (_, headers) = exchange.head.as_mut().unwrap();
    headers.insert(name, HeaderValue::from_static(value));
    exchange
}

fn text(status: u16, media: &'static str, body: &str) -> Exchange {
    let mut exchange = with(bare(status), header::CONTENT_TYPE.as_str(), media);
    exchange.body = body.as_bytes().to_vec();
    exchange
}

fn json_body(status: u16, body: &Value) -> Exchange {
    text(status, "application/json", &body.to_string())
}

fn result(result: &Value) -> Exchange {
    json_body(
        200,
        &json!({ "jsonrpc": "2.0", "id": "a", "result": result }),
    )
}

fn error(status: u16, code: i64) -> Exchange {
    let error = json!({ "code": code, "message": "no" });
    json_body(
        status,
        &json!({ "jsonrpc": "2.0", "id": null, "error": error }),
    )
}

fn stream(body: &str) -> Exchange {
    let mut exchange = text(200, "Text/Event-Stream; charset=utf-8", body);
    exchange.end = End::Left;
    exchange
}

fn unanswered() -> Exchange {
    let mut exchange = bare(200);
    exchange.head = None;
    exchange.end = End::Failed(Failure::broken("reset"));
    exchange
}

const REPLY: &str = "data: {\"jsonrpc\":\"2.0\",\"id\":\"a\",\"result\":{}}\n\n";

/// A server with sessions that does all right, and of which this is said besides.
fn session(steps: Vec<(Step, Exchange)>) -> Seen {
    let usual = [
        (Step::Delete, bare(200)),
        (Step::Get, stream("")),
        (Step::Ping, result(&json!({}))),
    ];
    Seen {
        binding: Binding::Session,
        revision: Revision::V2025_11_25,
        answers: usual.into_iter().chain(steps).collect(),
        has_session_revisions: true,
    }
}

fn stateless(step: Step, exchange: Exchange) -> Seen {
    Seen {
        binding: Binding::Stateless,
        revision: Revision::V2026_07_28,
        answers: [(step, exchange)].into(),
        has_session_revisions: false,
    }
}

fn finding(seen: &Seen, name: &str) -> Finding {
    let mut all = findings(seen).into_iter();
    all.find(|finding| finding.name == name).unwrap()
}

fn judged(name: &str, step: Step, cases: Vec<(Exchange, Verdict, &str)>) {
    for (exchange, verdict, said) in cases {
        let finding = finding(&session(vec![(step, exchange)]), name);
        assert_eq!(finding.verdict, verdict, "{finding:?}");
        assert!(finding.text.contains(said), "{finding:?}");
    }
}

fn judged_stateless(name: &str, step: Step, cases: Vec<(Exchange, Verdict, &str)>) {
    for (exchange, verdict, said) in cases {
        let finding = finding(&stateless(step, exchange), name);
        assert_eq!(finding.verdict, verdict, "{finding:?}");
        assert!(finding.text.contains(said), "{finding:?}");
    }
}

#[test]
fn a_notification_is_answered_with_202_and_nothing() {
    judged(
        "accepted notification",
        Step::Initialized,
        vec![
            (bare(202), Keeps, "202"),
            (bare(200), Breaks, "200 instead of 202"),
            (text(202, "text/plain", "Accepted"), Breaks, "with a body"),
        ],
    );
}

#[test]
fn a_ping_has_an_empty_result() {
    judged(
        "ping",
        Step::Ping,
        vec![
            (result(&json!({})), Keeps, "200"),
            (stream(REPLY), Keeps, "200 text/event-stream"),
            (result(&json!({ "pong": true })), Note, "not empty"),
            (
                error(200, -32601),
                Breaks,
                "error -32601 instead of a result",
            ),
            (unanswered(), CannotTell, "the connection broke: reset"),
        ],
    );
}

#[test]
fn an_unknown_revision_is_answered_with_a_known_one() {
    judged(
        "unknown revision",
        Step::OtherRevision,
        vec![
            (
                result(&json!({ "protocolVersion": "2025-06-18" })),
                Keeps,
                "with 2025-06-18",
            ),
            (
                result(&json!({ "protocolVersion": NO_REVISION })),
                Breaks,
                "agrees",
            ),
            (error(400, -32602), Note, "error -32602"),
            (bare(500), Breaks, "500"),
        ],
    );
}

#[test]
fn an_unknown_revision_in_the_header_is_400() {
    judged(
        "revision in the header",
        Step::OtherVersion,
        vec![
            (bare(400), Keeps, ""),
            (result(&json!({})), Breaks, "instead of 400"),
            (bare(503), CannotTell, "503"),
        ],
    );
    let mut older = session(vec![(Step::OtherVersion, result(&json!({})))]);
    older.revision = Revision::V2025_03_26;
    let named = |finding: &Finding| finding.name == "revision in the header";
    assert!(!findings(&older).iter().any(named));
}

#[test]
fn a_foreign_origin_is_403_and_was_any_refusal_before() {
    judged(
        "foreign Origin",
        Step::ForeignOrigin,
        vec![
            (bare(403), Keeps, "403"),
            (bare(400), Breaks, "400 instead of 403"),
            (result(&json!({})), Breaks, "as if it were the server's own"),
        ],
    );
    for (exchange, verdict) in [
        (bare(400), Keeps),
        (bare(200), Breaks),
        (bare(500), CannotTell),
    ] {
        let mut older = session(vec![(Step::ForeignOrigin, exchange)]);
        older.revision = Revision::V2025_06_18;
        assert_eq!(finding(&older, "foreign Origin").verdict, verdict);
    }
    judged_stateless(
        "foreign Origin",
        Step::ForeignOrigin,
        vec![(bare(403), Keeps, ""), (bare(200), Breaks, "")],
    );
}

#[test]
fn a_get_opens_a_stream_or_is_405() {
    judged(
        "listening stream",
        Step::Get,
        vec![
            (stream(""), Keeps, "it is offered"),
            (bare(405), Keeps, "it is not offered"),
            (bare(404), Breaks, "while it lives"),
            (
                text(200, "text/html", "<p>"),
                Breaks,
                "text/html instead of a stream",
            ),
            (bare(503), CannotTell, ""),
            (unanswered(), CannotTell, ""),
        ],
    );
}

#[test]
fn a_stream_begins_with_an_id() {
    judged(
        "stream begins",
        Step::Ping,
        vec![
            (stream(&format!("id: 1\ndata:\n\n{REPLY}")), Keeps, ""),
            (stream(&format!("id: 1\n{REPLY}")), Note, "with data too"),
            (stream(REPLY), Note, "without an id"),
            (result(&json!({})), NotApplicable, "without a stream"),
        ],
    );
}

#[test]
fn to_resume_is_to_send_again_what_followed() {
    let resumed = |answer: Exchange| {
        let ping = stream(&format!("id: 1\ndata:\n\nid: 2\n{REPLY}"));
        finding(
            &session(vec![(Step::Ping, ping), (Step::Resume, answer)]),
            "resuming",
        )
    };
    assert_eq!(resumed(stream(REPLY)).verdict, Keeps);
    let silent = resumed(stream(""));
    assert_eq!(silent.verdict, Note);
    assert!(silent.text.contains("not sent again"), "{silent:?}");
    assert_eq!(resumed(bare(400)).verdict, Note);

    let only_the_reply = vec![
        (Step::Ping, stream(&format!("id: 2\n{REPLY}"))),
        (Step::Resume, stream("")),
    ];
    let nothing = finding(&session(only_the_reply), "resuming");
    assert_eq!(nothing.verdict, Keeps, "{nothing:?}");
    let without = finding(&session(vec![]), "resuming");
    assert_eq!(without.verdict, NotApplicable);
    judged(
        "unknown event id",
        Step::ResumeUnknown,
        vec![
            (stream(""), Keeps, "200"),
            (bare(400), Keeps, "refused: 400"),
            (bare(404), Note, "the session is gone"),
            (bare(500), Note, "500"),
        ],
    );
}

#[test]
fn a_request_without_a_session_is_400_where_sessions_are_required() {
    for (name, step) in [
        ("no session id", Step::PingWithoutSession),
        ("no session id, GET", Step::GetWithoutSession),
    ] {
        judged(
            name,
            step,
            vec![
                (bare(400), Keeps, "400"),
                (result(&json!({})), Keeps, "does not require"),
                (bare(404), Note, "404 instead of 400"),
                (unanswered(), CannotTell, ""),
            ],
        );
    }
    judged(
        "no session id, GET",
        Step::GetWithoutSession,
        vec![(
            stream("event: endpoint\ndata: /messages\n\n"),
            Keeps,
            "HTTP+SSE",
        )],
    );
}

#[test]
fn a_session_that_is_gone_is_404() {
    for (name, step) in [
        ("unknown session", Step::PingUnknownSession),
        ("unknown session, GET", Step::GetUnknownSession),
        ("ended session", Step::PingEnded),
    ] {
        judged(
            name,
            step,
            vec![
                (
                    error(404, -32001),
                    Keeps,
                    "404 application/json, error -32001",
                ),
                (error(400, -32000), Breaks, "keep the dead session"),
                (bare(401), Breaks, "another credential"),
                (bare(500), Breaks, "keep the dead session"),
                (result(&json!({})), Breaks, "nobody notices"),
                (bare(429), CannotTell, "429"),
            ],
        );
    }
    judged(
        "ended session, DELETE",
        Step::DeleteAgain,
        vec![
            (bare(404), Keeps, ""),
            (bare(200), Breaks, "200 instead of 404"),
        ],
    );
}

#[test]
fn where_ping_fails_its_variations_say_nothing() {
    let fails = (Step::Ping, error(404, -32001));
    let seen = session(vec![fails, (Step::PingUnknownSession, bare(404))]);
    assert_eq!(finding(&seen, "unknown session").verdict, CannotTell);
}

#[test]
fn where_no_stream_is_offered_a_get_says_nothing_of_sessions() {
    let seen = session(vec![
        (Step::Get, bare(405)),
        (Step::GetUnknownSession, bare(405)),
    ]);
    assert_eq!(
        finding(&seen, "unknown session, GET").verdict,
        NotApplicable
    );
}

#[test]
fn a_delete_that_is_not_taken_is_405() {
    judged(
        "DELETE",
        Step::Delete,
        vec![
            (bare(204), Keeps, "204"),
            (bare(405), Keeps, "cannot end sessions"),
            (bare(404), Note, "as if the session were unknown"),
            (bare(501), Note, "501 instead of 405"),
        ],
    );
    let refused = vec![
        (Step::Delete, bare(405)),
        (Step::PingEnded, result(&json!({}))),
    ];
    assert_eq!(
        finding(&session(refused), "ended session").verdict,
        NotApplicable
    );
}

#[test]
fn a_server_without_sessions_is_not_asked_for_them() {
    let seen = session(vec![(Step::Handshake, bare(200))]);
    let sessions = finding(&seen, "sessions");
    assert_eq!(
        (sessions.verdict, sessions.text.as_str()),
        (Keeps, "no sessions are used")
    );
    let unknown = finding(&seen, "unknown session");
    assert_eq!(unknown.verdict, NotApplicable);
    let with_id = with(bare(200), "mcp-session-id", "s3cr3t");
    let used = finding(&session(vec![(Step::Handshake, with_id)]), "sessions");
    assert_eq!(used.text, "sessions are used");
}

#[test]
fn each_refusal_without_sessions_has_its_status_and_its_error() {
    for (name, step) in [
        ("revision that differs", Step::VersionMismatch),
        ("method that differs", Step::MethodMismatch),
        ("no method header", Step::MethodMissing),
    ] {
        judged_stateless(
            name,
            step,
            vec![
                (error(400, -32020), Keeps, "error -32020"),
                (error(400, -32600), Breaks, "instead of the error -32020"),
                (error(200, -32020), Breaks, "instead of 400"),
                (result(&json!({})), Breaks, "instead of 400"),
            ],
        );
    }
    judged_stateless(
        "unknown method",
        Step::UnknownMethod,
        vec![
            (error(404, -32601), Keeps, ""),
            (error(200, -32601), Breaks, "instead of 404"),
            (bare(404), Breaks, "instead of the error -32601"),
        ],
    );
    let listing = json!({ "error": { "code": -32022, "data": { "supported": ["2026-07-28"] } } });
    judged_stateless(
        "unknown revision",
        Step::OtherVersion,
        vec![
            (json_body(400, &listing), Keeps, ""),
            (error(400, -32022), Breaks, "without a list"),
            (result(&json!({})), Breaks, "instead of 400"),
        ],
    );
}

#[test]
fn a_discovery_names_the_server() {
    let info = json!({ "_meta": { "io.modelcontextprotocol/serverInfo": { "name": "x" } } });
    judged_stateless(
        "discovery",
        Step::Handshake,
        vec![
            (result(&info), Keeps, "200"),
            (result(&json!({})), Note, "does not say its name"),
        ],
    );
}

#[test]
fn a_session_id_is_ignored_without_sessions() {
    judged_stateless(
        "session id",
        Step::SessionIgnored,
        vec![
            (result(&json!({})), Keeps, "ignored"),
            (
                with(result(&json!({})), "mcp-session-id", "new"),
                Note,
                "has one",
            ),
            (bare(404), Note, "refused: 404"),
            (unanswered(), CannotTell, ""),
        ],
    );
}

#[test]
fn a_subscription_begins_with_its_acknowledgment() {
    let acknowledged =
        "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\"}\n\n";
    judged_stateless(
        "listening stream",
        Step::Subscribe,
        vec![
            (stream(acknowledged), Keeps, "it is offered"),
            (stream(""), Breaks, "and then nothing"),
            (stream(REPLY), Breaks, "something else"),
            (error(404, -32601), NotApplicable, "not offered"),
            (bare(500), Note, "500"),
        ],
    );
    judged_stateless(
        "buffering of streams",
        Step::Subscribe,
        vec![
            (with(stream(""), "x-accel-buffering", "no"), Keeps, ""),
            (stream(""), Note, ""),
            (bare(404), NotApplicable, ""),
        ],
    );
}

#[test]
fn get_and_delete_are_405_where_nothing_older_is_spoken() {
    for (name, step) in [("GET", Step::Get), ("DELETE", Step::DeleteAgain)] {
        judged_stateless(
            name,
            step,
            vec![
                (bare(405), Keeps, "405"),
                (bare(404), Note, "404 instead of 405"),
            ],
        );
        let mut both = stateless(step, bare(404));
        both.has_session_revisions = true;
        assert_eq!(finding(&both, name).verdict, NotApplicable);
    }
}

#[test]
fn an_address_that_names_no_session_is_answered_404_or_noted() {
    let seen = session(vec![]);
    for (status, taken, not_taken) in [
        (202, Keeps, Note),
        (404, Breaks, Keeps),
        (400, Breaks, Note),
        (500, Breaks, Note),
        (503, CannotTell, Note),
    ] {
        let exchange = bare(status);
        assert_eq!(super::taken(&exchange, &seen).0, taken, "{status}");
        assert_eq!(super::not_taken(&exchange, &seen).0, not_taken, "{status}");
    }
}

#[test]
fn the_stream_of_http_sse_begins_with_its_endpoint() {
    for (body, verdict) in [("event: endpoint\ndata: /m\n\n", Keeps), (REPLY, Breaks)] {
        assert_eq!(super::endpoint(&stream(body), &session(vec![])).0, verdict);
    }
}
