//! Where each request stands on its own (2026-07-28): discovery, what requests carry, what
//! answers mean, what one era has and another has not.

use mcp_http::{
    Binding, CallOptions, Config, Delivery, Event, LimitKind, Mistake, Peer, Phase, RawJson,
    Reason, Refused, Resend, Revision, Subject,
};
use serde_json::{Value, json};

use crate::world::{
    Sent, World, config, log, notification, raw, refused_connection, request, reset, result,
    rpc_error, secs, server_capabilities,
};

pub(crate) const DATE: &str = "2026-07-28";

/// A result of `server/discover`.
pub(crate) fn discovered(versions: &[&str]) -> Value {
    json!({
        "resultType": "complete",
        "supportedVersions": versions,
        "capabilities": server_capabilities(),
        "_meta": { "io.modelcontextprotocol/serverInfo": { "name": "scripted", "version": "2" } },
        "instructions": "Be kind.",
        "ttlMs": 0,
        "cacheScope": "private",
    })
}

/// # States
impl World {
    /// `server/discover` is under way.
    pub(crate) fn discovering() -> Self {
        let mut w = Self::new(config().pin(Revision::V2026_07_28));
        w.connect();
        w
    }

    /// At a server of 2026-07-28 that has everything.
    pub(crate) fn stateless() -> Self {
        Self::stateless_with(|config| config)
    }

    pub(crate) fn stateless_with(change: impl FnOnce(Config) -> Config) -> Self {
        let mut w = Self::new(change(config().pin(Revision::V2026_07_28)));
        w.connect();
        w.discover();
        w.events.clear();
        w
    }

    #[track_caller]
    pub(crate) fn discover(&mut self) {
        let sent = self.take("server/discover");
        self.answer(&sent, 200).result(discovered(&[DATE]));
    }

    /// A call with these params, which leaves at once.
    #[track_caller]
    pub(crate) fn begin_with(&mut self, method: &str, params: &Value) -> (mcp_http::CallId, Sent) {
        let options = CallOptions::new();
        let call = self.connection.call(method, params, options, self.now);
        self.drive();
        (call.unwrap(), self.take(method))
    }
}

fn meta(sent: &Sent) -> Value {
    sent.json()["params"]["_meta"].clone()
}

/// An error with data, as the protocol's own errors have it.
pub(crate) fn error_with(id: u64, code: i64, data: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": "no", "data": data } })
}

pub(crate) fn unsupported(id: u64, supported: &[&str]) -> Value {
    error_with(
        id,
        -32022,
        json!({ "supported": supported, "requested": DATE }),
    )
}

#[track_caller]
fn is_misuse(reason: &Reason, mistake: &Mistake) {
    let Reason::Misuse(misuse) = reason else {
        panic!("{reason:?} is no misuse");
    };
    assert_eq!(misuse.mistake(), mistake);
}

// Discovery.

#[test]
fn discovery_comes_first_and_says_what_the_server_is() {
    let mut w = World::new(config().pin(Revision::V2026_07_28));
    let call = w.call("tools/call");
    assert_eq!(w.open_methods(), ["server/discover"]);
    assert_eq!(w.phase(), Phase::Discovering);
    let sent = w.take("server/discover");
    assert_eq!(sent.header("mcp-method"), Some("server/discover"));
    assert_eq!(sent.header("mcp-protocol-version"), Some(DATE));
    assert_eq!(sent.session(), None);
    w.answer(&sent, 200)
        .header("mcp-session-id", "ignored")
        .result(discovered(&["2025-11-25", DATE]));
    let ready = w.ready_event();
    assert_eq!(
        (ready.generation, ready.revision),
        (1, Revision::V2026_07_28)
    );
    let info: Value = ready.server_info().unwrap().deserialize().unwrap();
    assert_eq!(info["name"], "scripted");
    assert_eq!(ready.instructions().as_deref(), Some("Be kind."));
    assert_eq!(w.connection.status().binding, Some(Binding::Stateless));
    assert!(!w.connection.status().has_session_id);
    w.succeed("tools/call");
    w.reply(call);
    assert_eq!(
        w.sent_since(0),
        ["server/discover", "tools/call"],
        "no handshake besides"
    );
}

#[test]
fn server_info_and_instructions_are_found_in_a_session_too() {
    let mut w = World::initializing();
    let sent = w.take("initialize");
    let mut answer = crate::world::initialized("2025-11-25");
    answer["instructions"] = json!("Read on.");
    w.answer(&sent, 200)
        .header("mcp-session-id", "s1")
        .result(answer);
    w.accept("notifications/initialized");
    let ready = w.ready_event();
    let info: Value = ready.server_info().unwrap().deserialize().unwrap();
    assert_eq!(info["name"], "scripted");
    assert_eq!(ready.instructions().as_deref(), Some("Read on."));
}

#[test]
fn a_server_without_a_revision_in_common_is_an_error_that_lists_both_sides() {
    let mut w = World::discovering();
    let call = w.call("tools/call");
    let sent = w.take("server/discover");
    w.answer(&sent, 200)
        .result(discovered(&["2025-11-25", "2099-01-01"]));
    let error = w.error(call);
    assert_eq!(error.delivery(), Delivery::NotSent);
    let text = error.to_string();
    for part in ["2025-11-25, 2099-01-01", DATE] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(w.phase(), Phase::Idle);
}

#[test]
fn discovery_refused_for_its_version_goes_out_once_more_with_one_in_common() {
    for status in [400, 200] {
        let mut w = World::discovering();
        let call = w.call("tools/call");
        let first = w.take("server/discover");
        let error = unsupported(first.rpc_id(), &["2025-11-25", DATE]);
        w.answer(&first, status).json(&error);
        let again = w.take("server/discover");
        assert_eq!(again.at, first.at, "at once");
        assert_ne!(again.rpc_id(), first.rpc_id());
        let error = unsupported(again.rpc_id(), &[DATE]);
        w.answer(&again, status).json(&error);
        assert!(!w.has("server/discover"), "once, {status}");
        let error = w.error(call);
        assert!(matches!(
            error.reason(),
            Reason::Peer(Peer::Revision { .. })
        ));
        assert_eq!(error.rpc_error().unwrap().code, -32022);
    }
}

#[test]
fn discovery_refused_for_its_version_with_nothing_in_common_fails() {
    for data in [
        json!({ "supported": ["2025-11-25"], "requested": DATE }),
        json!({ "supported": "2025-11-25" }),
        json!([]),
        Value::Null,
    ] {
        let mut w = World::discovering();
        let call = w.call("tools/call");
        let sent = w.take("server/discover");
        w.answer(&sent, 400)
            .json(&error_with(sent.rpc_id(), -32022, data));
        let error = w.error(call);
        assert!(matches!(
            error.reason(),
            Reason::Peer(Peer::Revision { .. })
        ));
        assert!(error.to_string().contains(DATE), "{error}");
    }
}

#[test]
fn an_answer_that_is_no_discovery_fails_it() {
    let mut input = discovered(&[DATE]);
    input["resultType"] = json!("input_required");
    input["requestState"] = json!("s");
    let mut odd = discovered(&[DATE]);
    odd["resultType"] = json!("odd");
    for (answer, what) in [
        (json!({}), "supported versions"),
        (json!({ "supportedVersions": [DATE] }), "capabilities"),
        (
            json!({ "supportedVersions": 1, "capabilities": {} }),
            "supported versions",
        ),
        (input, "input"),
        (odd, "odd"),
    ] {
        let mut w = World::discovering();
        let call = w.call("tools/call");
        let sent = w.take("server/discover");
        w.answer(&sent, 200).result(answer);
        let error = w.error(call);
        assert!(matches!(error.reason(), Reason::Peer(_)), "{error}");
        assert!(error.to_string().contains(what), "{error}");
        assert_eq!(error.delivery(), Delivery::NotSent);
    }
}

#[test]
fn discovery_keeps_to_the_budget_of_handshakes() {
    let mut w = World::new(config().pin(Revision::V2026_07_28));
    for _ in 0..3 {
        w.connect();
        w.advance(secs(3));
        w.answer_all("server/discover", 503);
    }
    let call = w.call("tools/call");
    assert!(w.error(call).retry_after().is_some());
    w.advance(secs(30));
    assert_eq!(w.count("server/discover"), 3);
}

#[test]
fn discovery_in_another_revision_counts_as_well() {
    let mut w = World::discovering();
    let call = w.call("tools/call");
    for _ in 0..2 {
        let sent = w.wait_for("server/discover");
        w.answer(&sent, 429).header("retry-after", "1").empty();
    }
    let third = w.wait_for("server/discover");
    w.answer(&third, 400)
        .json(&unsupported(third.rpc_id(), &[DATE]));
    let error = w.error(call);
    assert!(error.retry_after().is_some(), "{error}");
    w.advance(secs(40));
    assert_eq!(w.count("server/discover"), 3);
}

#[test]
fn discovery_that_nobody_answers_fails_by_the_head_clock() {
    let mut w = World::discovering();
    let call = w.call("tools/call");
    let sent = w.take("server/discover");
    w.advance(secs(30));
    let error = w.error(call);
    assert!(matches!(error.reason(), Reason::Timeout(_)), "{error}");
    assert!(w.aborted.contains(&sent.exchange));
    assert_eq!(w.phase(), Phase::Idle);
}

#[test]
fn a_server_that_cannot_be_reached_costs_no_budget() {
    let mut w = World::new(config().pin(Revision::V2026_07_28));
    for _ in 0..5 {
        let call = w.call("tools/call");
        let sent = w.take("server/discover");
        w.fail(&sent, refused_connection());
        assert_eq!(w.error(call).delivery(), Delivery::NotSent);
        w.advance(secs(1));
    }
}

#[test]
fn a_redirected_discovery_is_followed() {
    let mut w = World::discovering();
    let sent = w.take("server/discover");
    w.answer(&sent, 307)
        .header("location", "https://example.com/mcp/")
        .empty();
    let again = w.take("server/discover");
    assert_eq!(again.request.uri().path(), "/mcp/");
    w.answer(&again, 200).result(discovered(&[DATE]));
    assert_eq!(w.phase(), Phase::Ready);
}

// What requests carry.

#[test]
fn every_request_says_who_asks_in_what_revision_and_what_the_client_can_do() {
    let mut w = World::stateless_with(|config| config.client("agent", "7"));
    let params =
        json!({ "name": "echo", "_meta": { "progressToken": "t", "traceparent": "00-1" } });
    let (_, sent) = w.begin_with("tools/call", &params);
    assert_eq!(
        meta(&sent),
        json!({
            "progressToken": "t",
            "traceparent": "00-1",
            "io.modelcontextprotocol/protocolVersion": DATE,
            "io.modelcontextprotocol/clientInfo": { "name": "agent", "version": "7" },
            "io.modelcontextprotocol/clientCapabilities":
                { "elicitation": {}, "roots": {}, "sampling": {} },
        })
    );
    assert_eq!(sent.header("mcp-protocol-version"), Some(DATE));
    assert_eq!(sent.header("mcp-method"), Some("tools/call"));
    assert_eq!(sent.session(), None);
    assert_eq!(
        sent.header("accept"),
        Some("application/json, text/event-stream")
    );
    let (_, sent) = w.begin_with("x/y", &Value::Null);
    assert_eq!(meta(&sent)["io.modelcontextprotocol/protocolVersion"], DATE);
}

#[test]
fn all_that_the_application_says_of_the_client_goes_out_with_each_request() {
    let info = json!({ "name": "agent", "title": "An agent", "version": "7" });
    let mut w = World::stateless_with(|config| config.client_info(&info).unwrap());
    let (_, sent) = w.begin_with("x/y", &Value::Null);
    assert_eq!(meta(&sent)["io.modelcontextprotocol/clientInfo"], info);
}

#[test]
fn progress_asked_for_by_option_joins_the_protocols_own() {
    let mut w = World::stateless();
    let call = w.call_with("tools/call", CallOptions::new().progress());
    let sent = w.take("tools/call");
    let token = meta(&sent)["progressToken"].clone();
    w.answer(&sent, 200).stream(&[notification(
        "notifications/progress",
        json!({ "progressToken": token, "progress": 1 }),
    )]);
    assert_eq!(w.messages()[0].call, Some(call));
}

#[test]
fn the_protocols_own_members_of_meta_are_misuse_in_every_era() {
    for mut w in [World::ready(), World::stateless(), World::idle()] {
        for owned in [
            "protocolVersion",
            "clientInfo",
            "clientCapabilities",
            "logLevel",
        ] {
            let name = format!("io.modelcontextprotocol/{owned}");
            let params = json!({ "_meta": { name: "x" } });
            let before = w.visible();
            let error = w
                .connection
                .call("tools/call", &params, CallOptions::new(), w.now)
                .unwrap_err();
            assert!(error.to_string().contains(owned), "{error}");
            assert_eq!(w.visible(), before);
        }
        let params = json!({ "_meta": [] });
        let call = w
            .connection
            .call("tools/call", &params, CallOptions::new(), w.now);
        assert!(call.is_err());
    }
}

#[test]
fn a_method_that_no_header_can_name_is_misuse_before_anything_is_sent() {
    let mut w = World::stateless();
    let call = w.call("caf\u{e9}/\n");
    is_misuse(
        w.error(call).reason(),
        &Mistake::Method("caf\u{e9}/\\n".to_owned()),
    );
    assert!(w.open.is_empty());
}

#[test]
fn the_log_level_travels_with_each_request() {
    let mut w = World::stateless();
    let (_, before) = w.begin("tools/call");
    let key = "io.modelcontextprotocol/logLevel";
    assert_eq!(meta(&before).get(key), None);
    let sent = w.sent.len();
    let level = json!({ "level": "warning" });
    let set = w
        .connection
        .call("logging/setLevel", &level, CallOptions::new(), w.now)
        .unwrap();
    w.drive();
    assert_eq!(w.result(set), json!({}), "as in a session");
    assert_eq!(w.sent_since(sent), [""; 0], "no request of its own");
    let (_, after) = w.begin("tools/call");
    assert_eq!(meta(&after)[key], "warning");
}

#[test]
fn a_log_level_that_is_none_is_misuse() {
    let mut w = World::stateless();
    for params in [json!({ "level": "loud" }), json!({ "level": 1 }), json!({})] {
        let call = w
            .connection
            .call("logging/setLevel", &params, CallOptions::new(), w.now)
            .unwrap();
        w.drive();
        let error = w.error(call);
        assert!(matches!(error.reason(), Reason::Misuse(_)), "{error}");
        assert_eq!(error.delivery(), Delivery::NotSent);
    }
}

// What one era has and another has not.

#[test]
fn what_the_revision_has_not_is_an_error_before_anything_is_sent() {
    for method in [
        "ping",
        "resources/subscribe",
        "resources/unsubscribe",
        "tasks/list",
    ] {
        let mut w = World::stateless();
        let call = w.call(method);
        let revision = Revision::V2026_07_28;
        let method = method.to_owned();
        is_misuse(
            w.error(call).reason(),
            &Mistake::NotInRevision { method, revision },
        );
        assert!(w.open.is_empty());
    }
    let mut w = World::ready();
    let call = w.call("server/discover");
    let method = "server/discover".to_owned();
    let revision = Revision::V2025_11_25;
    is_misuse(
        w.error(call).reason(),
        &Mistake::NotInRevision { method, revision },
    );
}

#[test]
fn a_notification_that_the_revision_has_not_fails_unsent() {
    let mut w = World::stateless();
    let id = w.notify("notifications/roots/list_changed");
    let error = w.error_of(Subject::Notification(id));
    assert!(matches!(error.reason(), Reason::Misuse(_)), "{error}");
    assert!(w.open.is_empty());
    let id = w.notify("notifications/x");
    let sent = w.take("notifications/x");
    assert_eq!(sent.header("mcp-method"), Some("notifications/x"));
    assert_eq!(sent.header("mcp-protocol-version"), Some(DATE));
    w.answer(&sent, 202).empty();
    assert!(w.accepted(Subject::Notification(id)));
}

#[test]
fn a_capability_that_was_not_announced_is_an_error_before_anything_is_sent() {
    let mut w = World::discovering();
    let sent = w.take("server/discover");
    let mut answer = discovered(&[DATE]);
    answer["capabilities"] = json!({ "extensions": { "io.modelcontextprotocol/tasks": {} } });
    w.answer(&sent, 200).result(answer);
    let call = w.call("tools/call");
    is_misuse(w.error(call).reason(), &Mistake::CapabilityMissing("tools"));
    let level = w.call("logging/setLevel");
    is_misuse(
        w.error(level).reason(),
        &Mistake::CapabilityMissing("logging"),
    );
    w.begin("tasks/get");
    let mut w = World::stateless();
    let call = w.call("tasks/get");
    is_misuse(
        w.error(call).reason(),
        &Mistake::CapabilityMissing("io.modelcontextprotocol/tasks"),
    );
}

#[test]
fn the_application_listens_by_a_command_in_every_era() {
    for mut w in [World::ready(), World::stateless()] {
        let error = w
            .connection
            .call("subscriptions/listen", &(), CallOptions::new(), w.now)
            .unwrap_err();
        is_misuse(
            error.reason(),
            &Mistake::OwnedMethod("subscriptions/listen".to_owned()),
        );
    }
}

// What answers mean.

#[test]
fn a_reply_comes_as_json_or_at_the_end_of_a_stream() {
    let mut w = World::stateless();
    let (call, sent) = w.begin("tools/call");
    let answer = json!({ "resultType": "complete", "content": [] });
    w.answer(&sent, 200).result(answer.clone());
    assert_eq!(w.result(call), answer);
    let (call, sent) = w.begin("tools/call");
    w.answer(&sent, 200)
        .stream(&[log("a"), result(sent.rpc_id(), answer.clone())]);
    assert_eq!(w.logs(), ["a"]);
    assert_eq!(w.result(call), answer);
}

#[test]
fn a_result_without_a_type_is_complete_and_one_of_an_unknown_type_is_not() {
    let mut w = World::stateless();
    let (call, sent) = w.begin("tools/call");
    w.answer(&sent, 200).result(json!({ "ok": 1 }));
    w.reply(call);
    let (call, sent) = w.begin("tools/call");
    w.answer(&sent, 200).result(json!({ "resultType": "task" }));
    let error = w.error(call);
    assert_eq!(*error.reason(), Peer::ResultType("task".to_owned()).into());
    assert_eq!(error.delivery(), Delivery::Unknown);
}

#[test]
fn results_of_other_types_may_be_an_extensions_that_was_announced() {
    let announced = json!({ "extensions": { "io.modelcontextprotocol/tasks": {} } });
    let mut w = World::stateless_with(|config| config.capabilities(&announced).unwrap());
    let (call, sent) = w.begin("tools/call");
    let answer = json!({ "resultType": "task", "task": {} });
    w.answer(&sent, 200).result(answer.clone());
    assert_eq!(w.result(call), answer);
}

#[test]
fn a_404_with_method_not_found_is_the_reply_and_one_without_is_no_expired_session() {
    let mut w = World::stateless();
    let (call, sent) = w.begin("x/y");
    w.answer(&sent, 404).error(-32601, "Method not found");
    let reply = w.reply(call);
    assert_eq!(reply.outcome.unwrap_err().code, -32601);
    assert_eq!(reply.status, 404);
    let (call, sent) = w.begin("tools/call");
    w.answer(&sent, 404).empty();
    let error = w.error(call);
    assert_eq!(*error.reason(), Refused::NotFound.into());
    assert_eq!(error.delivery(), Delivery::Rejected);
    let (call, _) = w.begin("tools/call");
    assert!(!w.ended(call), "a later call may work");
    assert_eq!((w.count("server/discover"), w.reinitialized()), (1, 0));
}

#[test]
fn a_missing_client_capability_is_the_reply() {
    let mut w = World::stateless();
    let (call, sent) = w.begin("tools/call");
    let data = json!({ "requiredCapabilities": { "sampling": { "tools": {} } } });
    w.answer(&sent, 400)
        .json(&error_with(sent.rpc_id(), -32021, data));
    assert_eq!(w.rpc_error(call).code, -32021);
}

#[test]
fn a_call_refused_for_its_version_goes_out_once_more_with_one_in_common() {
    for status in [400, 200] {
        let mut w = World::stateless();
        let (call, first) = w.begin("tools/call");
        let error = unsupported(first.rpc_id(), &[DATE]);
        w.answer(&first, status).json(&error);
        let again = w.take("tools/call");
        assert_ne!(again.rpc_id(), first.rpc_id());
        let error = unsupported(again.rpc_id(), &[DATE]);
        w.answer(&again, status).json(&error);
        assert_eq!(w.rpc_error(call).code, -32022, "once");
        assert!(w.open.is_empty());
    }
}

#[test]
fn a_call_refused_for_its_version_with_nothing_in_common_fails_unexecuted() {
    let mut w = World::stateless();
    let (call, sent) = w.begin("tools/call");
    w.answer(&sent, 400)
        .json(&unsupported(sent.rpc_id(), &["2025-11-25", "2025-06-18"]));
    let error = w.error(call);
    assert!(
        error.to_string().contains("2025-11-25, 2025-06-18"),
        "{error}"
    );
    assert!(error.to_string().contains(DATE), "{error}");
    assert_eq!(error.delivery(), Delivery::Rejected);
}

#[test]
fn a_call_that_must_not_be_sent_again_is_not_renegotiated() {
    let mut w = World::stateless();
    let call = w.call_with("tools/call", CallOptions::new().resend(Resend::Never));
    let sent = w.take("tools/call");
    w.answer(&sent, 400)
        .json(&unsupported(sent.rpc_id(), &[DATE]));
    assert_eq!(w.rpc_error(call).code, -32022);
}

#[test]
fn a_session_id_that_comes_is_ignored() {
    let mut w = World::stateless();
    let (_, sent) = w.begin("tools/call");
    w.answer(&sent, 200)
        .header("mcp-session-id", "s1")
        .result(json!({}));
    let (_, sent) = w.begin("tools/call");
    assert_eq!(sent.session(), None);
    w.close();
    assert!(!w.has("DELETE"));
    assert_eq!(w.phase(), Phase::Closed);
}

// Streams that break off, cancelling, time.

#[test]
fn a_broken_stream_is_never_resumed() {
    for clean in [true, false] {
        let mut w = World::stateless();
        let (call, sent) = w.stream("tools/call");
        w.event_with_id(&sent, "1", &log("a"));
        w.chunk(&sent, "retry: 100\n\n");
        if clean {
            w.end(&sent);
        } else {
            w.fail(&sent, reset());
        }
        let error = w.error(call);
        assert_eq!(error.delivery(), Delivery::Unknown);
        w.advance(secs(100));
        assert_eq!(w.count("GET"), 0);
        assert_eq!(w.count("tools/call"), 1);
    }
}

#[test]
fn an_idempotent_call_whose_stream_breaks_is_issued_again_under_a_new_id() {
    for clean in [true, false] {
        let mut w = World::stateless();
        let call = w.call_with("tools/call", CallOptions::new().idempotent());
        let mut ids = Vec::new();
        for _ in 0..3 {
            let sent = w.wait_for("tools/call");
            ids.push(sent.rpc_id());
            w.answer(&sent, 200).stream(&[log("a")]);
            if clean {
                w.end(&sent);
            } else {
                w.fail(&sent, reset());
            }
        }
        ids.dedup();
        assert_eq!(ids.len(), 3);
        let error = w.error(call);
        assert_eq!(error.delivery(), Delivery::Unknown, "at most twice");
        assert_eq!(w.count("GET"), 0);
    }
}

#[test]
fn cancelling_closes_the_answer_and_says_nothing_else() {
    for streamed in [true, false] {
        let mut w = World::stateless();
        let (call, sent) = w.begin("tools/call");
        if streamed {
            w.answer(&sent, 200).stream(&[log("a")]);
            w.event_with_id(&sent, "1", &log("b"));
        }
        w.cancel(call);
        assert_eq!(*w.error(call).reason(), Reason::Cancelled);
        assert_eq!(w.aborted, [sent.exchange], "at once");
        w.advance(secs(100));
        assert_eq!(w.count("notifications/cancelled"), 0);
    }
}

#[test]
fn a_call_that_takes_too_long_closes_its_answer() {
    let mut w = World::stateless();
    let call = w.call_with("tools/call", CallOptions::new().time_out(secs(5)));
    let sent = w.take("tools/call");
    w.advance(secs(5));
    assert!(matches!(w.error(call).reason(), Reason::Timeout(_)));
    assert_eq!(w.aborted, [sent.exchange]);
    assert_eq!(w.count("notifications/cancelled"), 0);
}

#[test]
fn silence_ends_a_stream_that_was_kept_alive_and_leaves_others_alone() {
    let mut w = World::stateless();
    let options = || CallOptions::new().no_time_out();
    let alive = w.call_with("tools/call", options());
    let sent = w.take("tools/call");
    w.answer(&sent, 200).stream(&[]);
    w.chunk(&sent, ": keep-alive\n\n");
    let quiet = w.call_with("tools/call", options());
    let other = w.take("tools/call");
    w.answer(&other, 200).stream(&[log("a")]);
    w.advance(secs(3600));
    assert!(matches!(w.error(alive).reason(), Reason::Timeout(_)));
    assert!(!w.ended(quiet), "no ping could tell");
    assert_eq!(w.count("ping"), 0);
    w.connection.network_changed(w.now);
    w.drive();
    assert_eq!(w.count("ping"), 0);
    assert!(!w.ended(quiet));
}

#[test]
fn a_request_of_the_server_breaks_the_protocol_and_is_never_answered() {
    let mut w = World::stateless();
    let (call, sent) = w.stream("tools/call");
    for method in ["ping", "elicitation/create", "x"] {
        w.event(&sent, &request(1, method, json!({})));
        let error = w.error_of(Subject::Stream(Some(call)));
        assert_eq!(*error.reason(), Peer::Request.into());
    }
    assert!(w.open.is_empty() && !w.ended(call));
    w.event(&sent, &result(sent.rpc_id(), json!({ "ok": true })));
    w.reply(call);
}

#[test]
fn five_xx_and_429_are_what_they_are_in_every_era() {
    let mut w = World::stateless();
    let (call, sent) = w.begin("tools/call");
    w.answer(&sent, 503).header("retry-after", "7").empty();
    let error = w.error(call);
    assert_eq!(
        (error.delivery(), error.retry_after()),
        (Delivery::Unknown, Some(secs(7)))
    );
    let (call, sent) = w.begin("tools/call");
    w.answer(&sent, 429).header("retry-after", "1").empty();
    let again = w.wait_for("tools/call");
    assert_eq!(again.at.since(sent.at), secs(1));
    w.answer(&again, 200).result(json!({}));
    w.reply(call);
}

#[test]
fn closing_ends_all_at_once() {
    let mut w = World::stateless();
    let (call, sent) = w.begin("tools/call");
    w.close();
    assert_eq!(*w.error(call).reason(), Reason::Closed);
    assert_eq!(w.aborted, [sent.exchange]);
    assert!(w.connection.is_closed());
    assert!(w.open.is_empty());
}

#[test]
fn what_a_server_writes_twice_is_no_reason_to_panic() {
    let mut w = World::stateless();
    let (call, sent) = w.begin("tools/call");
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":{},"result":{{"resultType":"complete","resultType":"x"}}}}"#,
        sent.rpc_id()
    );
    w.answer(&sent, 200).typed("application/json", body);
    assert!(matches!(w.error(call).reason(), Reason::Peer(_)));
}

#[test]
fn the_result_of_discovery_is_bounded() {
    let limit = 400;
    let limits = crate::world::limits(|limits| limits.initialize = limit);
    let mut w = World::new(config().pin(Revision::V2026_07_28).limits(limits));
    let call = w.call("tools/call");
    let sent = w.take("server/discover");
    let mut answer = discovered(&[DATE]);
    answer["instructions"] = json!("x".repeat(limit));
    w.answer(&sent, 200).result(answer);
    let error = w.error(call);
    let Reason::Limit(exceeded) = error.reason() else {
        panic!("{error}");
    };
    assert_eq!(exceeded.kind, LimitKind::Initialize);
    // Thousands of revisions are cut short.
    let mut w = World::discovering();
    let call = w.call("tools/call");
    let sent = w.take("server/discover");
    let many = vec!["2001-01-01"; 10_000];
    w.answer(&sent, 200).result(discovered(&many));
    assert!(w.error(call).to_string().len() < 2000);
}

#[test]
fn a_wrong_reply_fails_as_in_every_era() {
    let mut w = World::stateless();
    let (call, sent) = w.begin("tools/call");
    w.answer(&sent, 200).json(&result(9999, json!({})));
    assert_eq!(*w.error(call).reason(), Peer::WrongReply.into());
    let (call, sent) = w.begin("tools/call");
    w.answer(&sent, 400)
        .json(&rpc_error(Value::Null, -32600, "bad"));
    assert_eq!(w.rpc_error(call).code, -32600);
    let (call, sent) = w.begin("tools/call");
    w.answer(&sent, 202).empty();
    assert_eq!(*w.error(call).reason(), Peer::NoReply.into());
    let _ = sent;
}

#[test]
fn params_go_out_to_the_letter() {
    let mut w = World::stateless();
    let params = RawJson::from_text(r#"{"name":"n","arguments":{"x":1.0e2,"y":[ 1 ]}}"#).unwrap();
    w.connection
        .call("tools/call", &params, CallOptions::new(), w.now)
        .unwrap();
    w.drive();
    let sent = w.take("tools/call");
    let body = std::str::from_utf8(sent.request.body()).unwrap();
    assert!(
        body.contains(r#""arguments":{"x":1.0e2,"y":[ 1 ]}"#),
        "{body}"
    );
    let _ = raw(&json!({}));
    assert!(
        !w.events
            .iter()
            .any(|event| matches!(event, Event::Fail { .. }))
    );
}

#[test]
fn names_that_are_no_text_travel_to_the_letter() {
    let given = r#"{"name":"n","\ud800":1,"_meta":{"\udfff":2,"a\u0062":3}}"#;
    for (mut w, options) in [
        (World::stateless(), CallOptions::new()),
        (World::stateless(), CallOptions::new().progress()),
        (World::ready(), CallOptions::new().progress()),
    ] {
        let given = RawJson::from_text(given).unwrap();
        let call = w
            .connection
            .call("tools/call", &given, options, w.now)
            .unwrap();
        w.drive();
        // The scripted server cannot read such a request, and so does not know its method.
        let sent = w.take("answer");
        let body = std::str::from_utf8(sent.request.body()).unwrap();
        for part in [r#""name":"n","\ud800":1"#, r#""\udfff":2,"a\u0062":3"#] {
            assert!(body.contains(part), "{body}");
        }
        let result = r#"{"\ud800":1}"#;
        let id = body.split(r#""id":"#).nth(1).unwrap();
        let id = id.split(',').next().unwrap();
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
        w.answer(&sent, 200).typed("application/json", body);
        assert_eq!(w.reply(call).outcome.unwrap().as_str(), result);
    }
}
