//! Section 11 for what only 2026-07-28 has: one test per variant, named for it.

use mcp_http::{
    CallId, CallOptions, Delivery, Error, Event, LimitKind, Mistake, Peer, Phase, Reason, Refused,
    Remedy, Revision, RpcError, Subject,
};
use serde_json::{Value, json};

use crate::errors::{VERIFY, mistake, says};
use crate::world::{Sent, World, limits, request};

const GIVE_UP: &str = "the server may have executed it; nothing the caller does will help";

/// The error of a `tools/call` that the server answered like this.
#[track_caller]
fn failed(mut w: World, server: impl FnOnce(&mut World, &Sent)) -> Error {
    let (call, sent) = w.begin("tools/call");
    server(&mut w, &sent);
    w.error(call)
}

fn asking(requests: &Value) -> Value {
    json!({ "resultType": "input_required", "inputRequests": requests })
}

#[test]
fn peer_discover() {
    let mut w = World::discovering();
    let sent = w.take("server/discover");
    w.answer(&sent, 200).result(json!({}));
    says(
        &w.error_of(Subject::Connection),
        Delivery::Unknown,
        Remedy::GiveUp,
        &format!(
            "`server/discover` failed: the server's answer to `server/discover` is no valid result: it names no supported versions; {GIVE_UP}"
        ),
    );
}

#[test]
fn peer_input_required() {
    let error = failed(World::stateless(), |w, sent| {
        w.answer(sent, 200).result(asking(&json!({})));
    });
    says(
        &error,
        Delivery::Unknown,
        Remedy::GiveUp,
        &format!(
            "`tools/call` failed: the server asks for input in a way that cannot be followed: it asks nothing and has no state (HTTP 200 OK); {GIVE_UP}"
        ),
    );
}

#[test]
fn peer_request() {
    let mut w = World::stateless();
    let (call, sent) = w.stream("tools/call");
    w.event(&sent, &request(1, "ping", json!({})));
    let error = w.error_of(Subject::Stream(Some(call)));
    assert_eq!(*error.reason(), Peer::Request.into());
    assert_eq!(
        error.to_string(),
        "one message on the stream of `tools/call` was dropped: the server sent a request, which this revision does not allow; the stream goes on"
    );
}

#[test]
fn peer_result_type() {
    let error = failed(World::stateless(), |w, sent| {
        w.answer(sent, 200).result(json!({ "resultType": "odd" }));
    });
    says(
        &error,
        Delivery::Unknown,
        Remedy::GiveUp,
        &format!(
            "`tools/call` failed: the server sent a result of the unknown type `odd` (HTTP 200 OK); {GIVE_UP}"
        ),
    );
}

#[test]
fn peer_revision_of_a_call() {
    let error = failed(World::stateless(), |w, sent| {
        let error = crate::stateless::unsupported(sent.rpc_id(), &["2025-11-25"]);
        w.answer(sent, 400).json(&error);
    });
    says(
        &error,
        Delivery::Rejected,
        Remedy::GiveUp,
        "`tools/call` failed: the server speaks revision `2025-11-25`, and 2026-07-28 was asked for (HTTP 400 Bad Request) (JSON-RPC error -32022: no); the server did not execute it; nothing the caller does will help",
    );
}

#[test]
fn peer_tool_schema() {
    let mut w = World::stateless();
    let (call, sent) = w.begin_with("tools/list", &json!({}));
    let schema = json!({ "type": "object", "properties": {
        "a": { "type": "string", "x-mcp-header": "" } } });
    let tools = json!([{ "name": "t\u{1b}", "inputSchema": schema }]);
    w.answer(&sent, 200).result(json!({ "tools": tools }));
    w.reply(call);
    let shown = w.events.iter().find_map(|event| match event {
        Event::ToolRejected(rejected) => Some(format!("{rejected:?}")),
        _ => None,
    });
    assert_eq!(
        shown.unwrap(),
        "RejectedTool(2 bytes: the server lists a tool that cannot be called: its property `a` has an empty header name)"
    );
}

#[test]
fn refused_unanswered() {
    let mut w = World::stateless();
    let (call, sent) = w.begin("tools/call");
    let roots = json!({ "r": { "method": "roots/list" } });
    w.answer(&sent, 200).result(asking(&roots));
    let ticket = w.ask().ticket;
    let no = Err::<&Value, _>(RpcError::new(-1, "no"));
    w.connection.answer(ticket, no, w.now).unwrap();
    w.drive();
    let error = w.error(call);
    assert_eq!(*error.reason(), Refused::Unanswered.into());
    says(
        &error,
        Delivery::Unknown,
        Remedy::Verify,
        &format!(
            "`tools/call` failed: what the server asked for was refused by the application; {VERIFY}"
        ),
    );
}

/// A limit that the server's answer exceeds.
#[track_caller]
fn exceeded(w: World, result: Value, kind: LimitKind, sentence: &str) {
    let error = failed(w, |w, sent| w.answer(sent, 200).result(result));
    let Reason::Limit(limit) = error.reason() else {
        panic!("{error}");
    };
    assert_eq!(limit.kind, kind);
    assert!(error.to_string().contains(sentence), "{error}");
    assert_eq!(
        (error.delivery(), error.remedy()),
        (Delivery::Unknown, Remedy::Correct)
    );
}

#[test]
fn limit_open_asks() {
    let w = World::stateless_with(|config| config.limits(limits(|limits| limits.open_asks = 1)));
    let two = json!({ "a": { "method": "roots/list" }, "b": { "method": "roots/list" } });
    exceeded(
        w,
        asking(&two),
        LimitKind::OpenAsks,
        "the limit of 1 questions in one answer was exceeded",
    );
}

#[test]
fn limit_rounds() {
    let w = World::stateless_with(|config| config.limits(limits(|limits| limits.rounds = 0)));
    let one = json!({ "a": { "method": "roots/list" } });
    exceeded(
        w,
        asking(&one),
        LimitKind::Rounds,
        "the limit of 0 rounds of questions for one call was exceeded",
    );
}

#[test]
fn limit_tool_headers() {
    let limits = limits(|limits| limits.tool_headers = 1);
    let mut w = World::stateless_with(|config| config.limits(limits));
    let (call, sent) = w.begin_with("tools/list", &json!({}));
    let schema = json!({ "type": "object", "properties": {
        "a": { "type": "string", "x-mcp-header": "A" } } });
    let tools = json!([{ "name": "t", "inputSchema": schema }]);
    w.answer(&sent, 200).result(json!({ "tools": tools }));
    let error = w.error(call);
    let sentence = "the limit of 1 bytes in what is remembered of tools' headers was exceeded";
    assert!(error.to_string().contains(sentence), "{error}");
}

/// A call that is wrong in a way that shows only when it is to leave.
#[track_caller]
fn is_wrong(w: &mut World, method: &str, params: &Value) -> Error {
    let options = CallOptions::new();
    let call: CallId = w.connection.call(method, params, options, w.now).unwrap();
    w.drive();
    assert!(w.open.is_empty(), "nothing is sent");
    w.error(call)
}

#[test]
fn mistake_argument() {
    let mut w = World::stateless();
    let (call, sent) = w.begin_with("tools/list", &json!({}));
    let schema = json!({ "type": "object", "properties": {
        "a": { "type": "integer", "x-mcp-header": "A" } } });
    let tools = json!([{ "name": "t", "inputSchema": schema }]);
    w.answer(&sent, 200).result(json!({ "tools": tools }));
    w.reply(call);
    let params = json!({ "name": "t", "arguments": { "a": 1.5 } });
    let error = is_wrong(&mut w, "tools/call", &params);
    let why = "the argument `a` cannot be mirrored into the header `mcp-param-a`: it is a fraction, and only integers can be mirrored";
    assert_eq!(
        mistake(&error),
        (
            "call",
            Some(Phase::Ready),
            Mistake::Argument(why.to_owned())
        )
    );
}

#[test]
fn mistake_method() {
    let mut w = World::stateless();
    let error = is_wrong(&mut w, "\u{e9}", &json!({}));
    assert_eq!(
        mistake(&error),
        (
            "call",
            Some(Phase::Ready),
            Mistake::Method("\u{e9}".to_owned())
        )
    );
}

#[test]
fn mistake_not_in_revision() {
    let mut w = World::stateless();
    let error = is_wrong(&mut w, "ping", &json!({}));
    let (method, revision) = ("ping".to_owned(), Revision::V2026_07_28);
    assert_eq!(
        mistake(&error),
        (
            "call",
            Some(Phase::Ready),
            Mistake::NotInRevision { method, revision }
        )
    );
    assert!(
        error
            .to_string()
            .contains("revision 2026-07-28 has no method `ping`")
    );
}

#[test]
fn mistake_owned_meta() {
    let mut w = World::stateless();
    let name = "io.modelcontextprotocol/logLevel";
    let params = json!({ "_meta": { name: "info" } });
    let options = CallOptions::new();
    let error = w.connection.call("x", &params, options, w.now).unwrap_err();
    assert_eq!(
        mistake(&error),
        ("call", Some(Phase::Ready), Mistake::OwnedMeta(name))
    );
}
