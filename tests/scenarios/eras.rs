//! Finding out how a server is reached: newest shape first, and no false downgrade.

use http::{HeaderMap, StatusCode};
use mcp_http::{
    Binding, CallOptions, Clock, Config, Contact, Delivery, Error, LossCause, Peer, Phase, Reason,
    Refused, Remedy, Revision, Subject,
};
use serde_json::{Value, json};

use crate::world::{
    Sent, World, config, initialized, millis, refused_connection, reset, result, rpc_error, secs,
};

const MODERN: &str = "2026-07-28";

fn discovery(versions: &[&str]) -> Value {
    json!({
        "resultType": "complete", "supportedVersions": versions,
        "capabilities": { "tools": {} }, "serverInfo": { "name": "s", "version": "1" },
    })
}

fn unsupported(id: u64, versions: &[&str]) -> Value {
    json!({
        "jsonrpc": "2.0", "id": id,
        "error": { "code": -32022, "message": "no", "data": { "supported": versions, "requested": MODERN } },
    })
}

/// A call is made at a server of which nothing is known.
fn searching() -> (World, mcp_http::CallId, Sent) {
    let mut w = World::searching();
    let call = w.call("tools/call");
    let discover = w.take("server/discover");
    (w, call, discover)
}

fn steps(error: &Error) -> Vec<(Contact, Option<u16>)> {
    let steps = error.search().steps().iter();
    steps
        .map(|step| {
            let failure = step.failure.as_ref();
            let status = failure.and_then(Error::status);
            (step.contact, status.map(|status| status.as_u16()))
        })
        .collect()
}

#[test]
fn a_modern_server_is_found_at_once() {
    let (mut w, call, discover) = searching();
    assert_eq!(discover.header("mcp-protocol-version"), Some(MODERN));
    assert_eq!(w.phase(), Phase::Discovering);
    w.answer(&discover, 200).result(discovery(&[MODERN]));
    let status = w.connection.status();
    assert_eq!(status.binding, Some(Binding::Stateless));
    assert_eq!(status.revision, Some(Revision::V2026_07_28));
    assert_eq!(
        status.search.to_string(),
        "`server/discover`: as it should be"
    );
    let sent = w.take("tools/call");
    w.answer(&sent, 200)
        .result(json!({ "resultType": "complete" }));
    assert_eq!(w.result(call), json!({ "resultType": "complete" }));
}

#[test]
fn who_names_a_modern_revision_is_asked_once_more_with_it() {
    let (mut w, call, discover) = searching();
    w.answer(&discover, 400)
        .json(&unsupported(discover.rpc_id(), &["2099-01-01", MODERN]));
    let again = w.take("server/discover");
    w.answer(&again, 200).result(discovery(&[MODERN]));
    let sent = w.take("tools/call");
    w.answer(&sent, 200)
        .result(json!({ "resultType": "complete" }));
    w.result(call);
    assert_eq!(w.count("initialize"), 0);
}

#[test]
fn a_modern_server_that_does_not_know_discover_is_spoken_to_all_the_same() {
    let (mut w, call, discover) = searching();
    w.answer(&discover, 404).error(-32601, "no such method");
    assert_eq!(w.connection.status().binding, Some(Binding::Stateless));
    let ready = w.ready_event();
    assert_eq!(ready.capabilities.as_str(), "{}");
    // What it can do is not known: nothing is held back.
    let sent = w.take("tools/call");
    w.answer(&sent, 200)
        .result(json!({ "resultType": "complete" }));
    w.result(call);
}

/// What a server without 2026-07-28 may answer to `server/discover`.
type Reaction = fn(&mut World, &Sent);

#[test]
fn a_server_with_sessions_is_found_second() {
    let reactions: [(&str, Reaction); 12] = [
        ("400 and nothing", |w, s| w.answer(s, 400).empty()),
        ("400 and an error", |w, s| {
            w.answer(s, 400).error(-32000, "no session id");
        }),
        ("404", |w, s| w.answer(s, 404).empty()),
        ("405", |w, s| w.answer(s, 405).empty()),
        ("406", |w, s| w.answer(s, 406).empty()),
        ("422 and a sentence", |w, s| {
            w.answer(s, 422).body("expected initialize");
        }),
        ("200 and -32601", |w, s| {
            w.answer(s, 200).error(-32601, "no such method");
        }),
        ("200 and a stream with -32601", |w, s| {
            let error = rpc_error(s.rpc_id(), -32601, "no");
            w.answer(s, 200).stream(&[error]);
        }),
        ("200 and an odd result", |w, s| {
            w.answer(s, 200).result(json!({}))
        }),
        ("200 and another id", |w, s| {
            w.answer(s, 200).json(&result(999_999, json!({})));
        }),
        ("202", |w, s| w.answer(s, 202).empty()),
        ("revisions with sessions only", |w, s| {
            w.answer(s, 200)
                .result(discovery(&["2025-11-25", "2025-06-18"]));
        }),
    ];
    for (name, react) in reactions {
        let (mut w, call, discover) = searching();
        react(&mut w, &discover);
        let initialize = w.take("initialize");
        assert_eq!(initialize.json()["params"]["protocolVersion"], "2025-11-25");
        for header in ["mcp-session-id", "mcp-protocol-version", "mcp-method"] {
            assert_eq!(initialize.header(header), None, "{name}");
        }
        w.open.push(initialize);
        w.establish("s1");
        assert_eq!(
            w.connection.status().binding,
            Some(Binding::Session),
            "{name}"
        );
        w.succeed("tools/call");
        w.result(call);
        let search = w.connection.status().search;
        let contacts: Vec<_> = search.steps().iter().map(|step| step.contact).collect();
        assert_eq!(contacts, [Contact::Discover, Contact::Initialize], "{name}");
        assert!(search.steps()[0].failure.is_some(), "{name}: {search}");
        assert!(search.steps()[1].failure.is_none(), "{name}: {search}");
    }
}

#[test]
fn who_names_older_revisions_alone_is_not_asked_for_a_newer_one_again() {
    let (mut w, _, discover) = searching();
    w.answer(&discover, 400)
        .json(&unsupported(discover.rpc_id(), &["2025-06-18"]));
    w.establish("s1");
    assert_eq!(w.count("server/discover"), 1);
    assert_eq!(w.connection.status().binding, Some(Binding::Session));
}

#[test]
fn nothing_in_common_is_an_error_that_lists_both_sides() {
    let reactions: [Reaction; 2] = [
        |w, s| w.answer(s, 200).result(discovery(&["2099-01-01"])),
        |w, s| {
            let refusal = unsupported(s.rpc_id(), &["2099-01-01"]);
            w.answer(s, 400).json(&refusal);
        },
    ];
    for react in reactions {
        let (mut w, call, discover) = searching();
        react(&mut w, &discover);
        let error = w.error(call);
        let Reason::Peer(Peer::Revision { server, offered }) = error.reason() else {
            panic!("{error}");
        };
        assert_eq!(
            (server.as_str(), *offered),
            ("2099-01-01", Revision::V2026_07_28)
        );
        w.advance(secs(60));
        assert_eq!(w.sent.len(), 1, "nobody else is asked");
    }
}

/// 401, 403, 429, 5xx, HTML and broken connections are what they are.
#[test]
fn no_false_downgrade() {
    let reactions: [(&str, Reaction); 13] = [
        ("401", |w, s| w.answer(s, 401).empty()),
        ("403", |w, s| w.answer(s, 403).empty()),
        ("407", |w, s| w.answer(s, 407).empty()),
        ("429 for long", |w, s| {
            w.answer(s, 429).header("retry-after", "3600").empty();
        }),
        ("500", |w, s| w.answer(s, 500).empty()),
        ("503 and -32601", |w, s| {
            w.answer(s, 503).error(-32601, "no")
        }),
        ("HTML", |w, s| {
            w.answer(s, 200).typed("text/html", "<p>log in")
        }),
        ("a redirect elsewhere", |w, s| {
            w.answer(s, 302).header("location", "/login").empty();
        }),
        ("broken", |w, s| w.fail(s, reset())),
        ("not sent", |w, s| w.fail(s, refused_connection())),
        ("-32020", |w, s| w.answer(s, 400).error(-32020, "headers")),
        ("-32021", |w, s| {
            w.answer(s, 400).error(-32021, "capability")
        }),
        ("another type", |w, s| {
            w.answer(s, 200).typed("text/plain", "ok")
        }),
    ];
    for (name, react) in reactions {
        let (mut w, call, discover) = searching();
        react(&mut w, &discover);
        let error = w.error(call);
        assert_eq!(error.search().steps().len(), 1, "{name}: {error}");
        w.advance(secs(60));
        assert_eq!(w.sent_since(0), ["server/discover"], "{name}");
        // A later call finds out anew.
        w.call("tools/call");
        assert_eq!(w.sent_since(1), ["server/discover"], "{name}");
    }
}

#[test]
fn a_busy_server_is_asked_again_and_for_the_same() {
    let (mut w, call, discover) = searching();
    w.answer(&discover, 429).header("retry-after", "2").empty();
    let again = w.wait_for("server/discover");
    assert!(again.at.since(discover.at) >= secs(2));
    w.answer(&again, 404).empty();
    w.establish("s1");
    w.succeed("tools/call");
    w.result(call);
}

#[test]
fn a_probe_that_nobody_answers_leads_to_initialize_and_its_late_answer_nowhere() {
    let (mut w, call, discover) = searching();
    w.advance(millis(9_900));
    assert!(!w.has("initialize"));
    w.advance(millis(100));
    w.accept_initialize("s1");
    // It comes now, and says that the server is a modern one.
    w.answer(&discover, 200).result(discovery(&[MODERN]));
    w.accept("notifications/initialized");
    assert_eq!(w.connection.status().binding, Some(Binding::Session));
    w.succeed("tools/call");
    w.result(call);
    let search = w.connection.status().search;
    let probe = search.steps()[0].failure.clone().unwrap();
    assert_eq!(*probe.reason(), Clock::Probe(secs(10)).into());
    assert!(w.aborted.contains(&discover.exchange));
}

#[test]
fn a_modern_server_that_was_silent_first_is_found_when_it_refuses_initialize() {
    for code in [-32020, -32021, -32022] {
        let (mut w, call, _) = searching();
        w.advance(secs(10));
        let initialize = w.take("initialize");
        w.answer(&initialize, 400).error(code, "modern only");
        let again = w.take("server/discover");
        w.answer(&again, 200).result(discovery(&[MODERN]));
        let sent = w.take("tools/call");
        w.answer(&sent, 200)
            .result(json!({ "resultType": "complete" }));
        w.result(call);
    }
}

#[test]
fn a_server_that_says_both_is_not_asked_for_ever() {
    let (mut w, call, discover) = searching();
    w.answer(&discover, 404).empty();
    let initialize = w.take("initialize");
    w.answer(&initialize, 400).error(-32022, "modern only");
    let again = w.take("server/discover");
    w.answer(&again, 404).empty();
    let error = w.error(call);
    assert_eq!(
        steps(&error),
        [
            (Contact::Discover, Some(404)),
            (Contact::Initialize, Some(400)),
            (Contact::Discover, Some(404)),
        ]
    );
    w.advance(secs(60));
    assert_eq!(w.sent.len(), 3);
}

#[test]
fn an_http_sse_server_is_found_last() {
    for status in [400, 404, 405] {
        let (mut w, call, discover) = searching();
        w.answer(&discover, status).empty();
        let initialize = w.take("initialize");
        w.answer(&initialize, status).empty();
        assert_eq!(w.phase(), Phase::Opening);
        let get = w.open_channel("s1", "2024-11-05");
        assert_eq!(get.header("accept"), Some("text/event-stream"));
        assert_eq!(get.header("mcp-session-id"), None);
        let status = w.connection.status();
        assert_eq!(status.binding, Some(Binding::HttpSse));
        assert_eq!(status.revision, Some(Revision::V2024_11_05));
        let contacts: Vec<_> = status.search.steps().iter().map(|it| it.contact).collect();
        assert_eq!(
            contacts,
            [
                Contact::Discover,
                Contact::Initialize,
                Contact::EventStream,
                Contact::Initialize,
            ]
        );
        w.reply_on(&get, "tools/call", json!({ "ok": true }));
        w.result(call);
    }
}

#[test]
fn only_a_missing_initialize_leads_to_the_event_stream() {
    for status in [401, 403, 406, 409, 410, 422, 429, 500, 503] {
        let (mut w, _, discover) = searching();
        w.answer(&discover, 404).empty();
        let initialize = w.take("initialize");
        w.answer(&initialize, status)
            .header("retry-after", "3600")
            .empty();
        w.error_of(Subject::Connection);
        assert_eq!(w.count("GET"), 0, "{status}");
    }
}

#[test]
fn where_nothing_is_found_the_error_says_all_that_was_asked() {
    let (mut w, call, discover) = searching();
    w.answer(&discover, 404).empty();
    let initialize = w.take("initialize");
    w.answer(&initialize, 405).body("POST is not for here");
    let get = w.take("GET");
    w.answer(&get, 400).empty();
    let error = w.error(call);
    assert_eq!(error.status().map(|it| it.as_u16()), Some(405), "the first");
    assert_eq!(
        steps(&error),
        [
            (Contact::Discover, Some(404)),
            (Contact::Initialize, Some(405)),
            (Contact::EventStream, Some(400)),
        ]
    );
    assert_eq!(
        error.to_string(),
        "`tools/call` failed because no session could be made: the server refused the request \
         (HTTP 405 Method Not Allowed) (it says \"POST is not for here\") (asked in turn: \
         `server/discover`: HTTP 404 Not Found, `initialize`: HTTP 405 Method Not Allowed, \
         `GET`: HTTP 400 Bad Request); it did not reach the server; calling again unchanged \
         will not help"
    );
    assert_eq!(w.connection.status().search, *error.search());
}

#[test]
fn what_refuses_the_event_stream_for_its_credential_says_so() {
    let (mut w, call, discover) = searching();
    w.answer(&discover, 404).empty();
    let initialize = w.take("initialize");
    w.answer(&initialize, 405).empty();
    let get = w.take("GET");
    w.answer(&get, 401)
        .header("www-authenticate", "Bearer realm=\"old\"")
        .empty();
    let error = w.error(call);
    assert_eq!(*error.reason(), Refused::Unauthorized.into());
    assert_eq!(error.remedy(), Remedy::Authorise);
    assert_eq!(error.challenges().len(), 1);
}

#[test]
fn a_revision_that_is_refused_is_offered_once_more_in_another() {
    let rows: [(u16, &[&str], Option<&str>); 5] = [
        (200, &["2025-03-26", "2024-11-05"], Some("2025-03-26")),
        (400, &["2024-11-05"], Some("2024-11-05")),
        (200, &["2099-01-01"], None),
        (200, &["2025-11-25"], None),
        (200, &[], None),
    ];
    for (status, supported, offered) in rows {
        let mut w = World::idle();
        let call = w.call("tools/call");
        let sent = w.take("initialize");
        let data = json!({ "supported": supported, "requested": "2025-11-25" });
        let error =
            json!({ "code": -32602, "message": "Unsupported protocol version", "data": data });
        w.answer(&sent, status)
            .json(&json!({ "jsonrpc": "2.0", "id": sent.rpc_id(), "error": error }));
        let Some(offered) = offered else {
            if w.has("initialize") {
                panic!("{supported:?}");
            }
            assert_eq!(w.error(call).rpc_error().unwrap().code, -32602);
            continue;
        };
        let again = w.take("initialize");
        assert_eq!(again.json()["params"]["protocolVersion"], offered);
        w.answer(&again, 200).result(initialized(offered));
        w.accept("notifications/initialized");
        w.succeed("tools/call");
        w.result(call);
    }
}

#[test]
fn a_server_that_names_another_revision_each_time_is_asked_twice() {
    let mut w = World::idle();
    let call = w.call("tools/call");
    for supported in ["2025-06-18", "2025-03-26"] {
        let sent = w.take("initialize");
        let data = json!({ "supported": [supported] });
        let error = json!({ "code": -32602, "message": "no", "data": data });
        w.answer(&sent, 200)
            .json(&json!({ "jsonrpc": "2.0", "id": sent.rpc_id(), "error": error }));
    }
    w.error(call);
    w.advance(secs(60));
    assert_eq!(w.sent.len(), 2);
}

#[test]
fn what_is_remembered_is_asked_first() {
    for (binding, first) in [
        (Binding::HttpSse, "GET"),
        (Binding::Session, "initialize"),
        (Binding::Stateless, "server/discover"),
    ] {
        let mut w = World::new(config().remember(binding));
        w.connect();
        assert_eq!(w.sent_since(0), [first]);
    }
}

#[test]
fn what_is_remembered_and_no_longer_so_is_found_anew() {
    let mut w = World::new(config().remember(Binding::HttpSse));
    let call = w.call("tools/call");
    let get = w.take("GET");
    w.answer(&get, 405).empty();
    let discover = w.take("server/discover");
    w.answer(&discover, 400).empty();
    w.establish("s1");
    w.succeed("tools/call");
    w.result(call);
    assert_eq!(w.connection.status().binding, Some(Binding::Session));

    let mut w = World::new(config().remember(Binding::Session));
    let call = w.call("tools/call");
    let initialize = w.take("initialize");
    w.answer(&initialize, 404).empty();
    let discover = w.take("server/discover");
    w.answer(&discover, 200).result(discovery(&[MODERN]));
    let sent = w.take("tools/call");
    w.answer(&sent, 200)
        .result(json!({ "resultType": "complete" }));
    w.result(call);
}

#[test]
fn a_memory_that_only_fails_is_given_up() {
    // It says nothing of the server, and yet it must not be asked like this for ever.
    let mut w = World::new(config().remember(Binding::Session));
    let call = w.call("tools/call");
    let initialize = w.take("initialize");
    w.answer(&initialize, 200).error(-32601, "no");
    w.error(call);
    w.advance(secs(2));
    let call = w.call("tools/call");
    let discover = w.take("server/discover");
    w.answer(&discover, 200).result(discovery(&[MODERN]));
    let sent = w.take("tools/call");
    w.answer(&sent, 200)
        .result(json!({ "resultType": "complete" }));
    w.result(call);

    let mut w = World::new(config().remember(Binding::HttpSse));
    let call = w.call("tools/call");
    w.take("GET");
    w.advance(secs(31));
    w.error(call);
    w.advance(secs(2));
    w.call("tools/call");
    w.take("server/discover");

    // A server that cannot be reached says nothing at all.
    let mut w = World::new(config().remember(Binding::Session));
    let call = w.call("tools/call");
    let initialize = w.take("initialize");
    w.fail(&initialize, refused_connection());
    w.error(call);
    w.advance(secs(2));
    w.call("tools/call");
    w.take("initialize");
}

#[test]
fn what_was_found_is_asked_first_after_a_loss_and_is_not_doubted_for_a_404() {
    let mut w = World::searching();
    w.call("tools/call");
    let discover = w.take("server/discover");
    w.answer(&discover, 404).empty();
    w.establish("s1");
    w.answer_all("tools/call", 404);
    let initialize = w.wait_for("initialize");
    assert_eq!(w.count("server/discover"), 1);
    // A proxy answers while the server restarts.
    w.answer(&initialize, 404).empty();
    w.error_of(Subject::Connection);
    w.advance(secs(5));
    assert_eq!((w.count("server/discover"), w.count("GET")), (1, 0));
    w.call("tools/call");
    w.recover("s2");
    assert_eq!(w.connection.status().binding, Some(Binding::Session));
    assert_eq!(w.count("server/discover"), 1);
}

#[test]
fn a_server_that_lost_its_sessions_for_good_is_found_anew() {
    let mut w = World::ready();
    let call = w.call("tools/call");
    w.answer_all("tools/call", 404);
    let initialize = w.wait_for("initialize");
    w.answer(&initialize, 400).error(-32022, "modern only");
    let discover = w.take("server/discover");
    w.answer(&discover, 200).result(discovery(&[MODERN]));
    let ready = w.ready_event();
    assert!(ready.changed.revision);
    assert_eq!(ready.binding, Binding::Stateless);
    let sent = w.take("tools/call");
    assert_eq!(sent.header("mcp-session-id"), None);
    w.answer(&sent, 200)
        .result(json!({ "resultType": "complete" }));
    w.result(call);
}

#[test]
fn a_stream_that_outlives_its_session_ends_by_the_rules_under_which_it_began() {
    let mut w = World::ready();
    let old = w.call_with("tools/call", CallOptions::new().idempotent());
    let stream = w.take("tools/call");
    w.answer(&stream, 200).stream(&[]);
    let call = w.call("tools/call");
    w.answer_all("tools/call", 404);
    let initialize = w.wait_for("initialize");
    w.answer(&initialize, 400).error(-32022, "modern only");
    let discover = w.take("server/discover");
    w.answer(&discover, 200).result(discovery(&[MODERN]));
    w.succeed("tools/call");
    w.result(call);
    w.end(&stream);
    assert_eq!(w.error(old).delivery(), Delivery::Unknown);
}

/// A call whose headers do not suit the server waits for the list of tools; another one
/// shows that the server speaks sessions alone by now.
#[test]
fn a_call_that_waits_for_the_list_of_tools_goes_on_where_there_is_none_to_wait_for() {
    for late in [false, true] {
        let (mut w, first, discover) = searching();
        w.answer(&discover, 200).result(discovery(&[MODERN]));
        let second = w.call("tools/call");
        let mismatched = w.take("tools/call");
        let other = w.take("tools/call");
        let refusal = rpc_error(mismatched.rpc_id(), -32020, "headers");
        if !late {
            w.answer(&mismatched, 400).json(&refusal);
            w.take("tools/list");
        }
        w.answer(&other, 400)
            .json(&unsupported(other.rpc_id(), &["2025-06-18"]));
        if late {
            w.answer(&mismatched, 400).json(&refusal);
        }
        let discover = w.wait_for("server/discover");
        w.answer(&discover, 400)
            .json(&unsupported(discover.rpc_id(), &["2025-06-18"]));
        w.establish("s1");
        for call in [first, second] {
            w.succeed("tools/call");
            w.result(call);
        }
    }
}

#[test]
fn a_late_refusal_of_the_revision_ends_no_session_that_came_since() {
    let (mut w, first, discover) = searching();
    w.answer(&discover, 200).result(discovery(&[MODERN]));
    let second = w.call("tools/call");
    let refuse = |w: &mut World, sent: &Sent| {
        let refusal = unsupported(sent.rpc_id(), &["2025-06-18"]);
        w.answer(sent, 400).json(&refusal);
    };
    let [early, late] = [w.take("tools/call"), w.take("tools/call")];
    refuse(&mut w, &early);
    let discover = w.wait_for("server/discover");
    refuse(&mut w, &discover);
    w.establish("s1");
    w.succeed("tools/call");
    w.result(first);

    refuse(&mut w, &late);
    assert_eq!(w.losses(), [LossCause::Unsupported], "once");
    w.succeed("tools/call");
    w.result(second);
    assert_eq!(w.count("initialize"), 1);
}

#[test]
fn a_server_that_went_back_to_sessions_is_found_anew() {
    let (mut w, first, discover) = searching();
    w.answer(&discover, 200).result(discovery(&[MODERN]));
    let second = w.call("tools/call");
    for _ in 0..2 {
        let sent = w.take("tools/call");
        let refusal = unsupported(sent.rpc_id(), &["2025-06-18"]);
        w.answer(&sent, 400).json(&refusal);
    }
    assert_eq!(w.losses(), [LossCause::Unsupported]);
    let discover = w.wait_for("server/discover");
    w.answer(&discover, 400)
        .json(&unsupported(discover.rpc_id(), &["2025-06-18"]));
    w.establish("s1");
    for call in [first, second] {
        w.succeed("tools/call");
        w.result(call);
    }
    assert_eq!(w.count("initialize"), 1);
}

#[test]
fn a_pinned_revision_is_not_looked_for_elsewhere() {
    let mut w = World::new(config().pin(Revision::V2026_07_28));
    let call = w.call("tools/call");
    let discover = w.take("server/discover");
    w.answer(&discover, 405).empty();
    w.error(call);
    w.advance(secs(60));
    assert_eq!(w.sent.len(), 1);

    for revision in [Revision::V2024_11_05, Revision::V2025_06_18] {
        let mut w = World::new(config().pin(revision));
        let call = w.call("tools/call");
        let initialize = w.take("initialize");
        assert_eq!(
            initialize.json()["params"]["protocolVersion"],
            revision.as_str()
        );
        w.answer(&initialize, 405).empty();
        let get = w.open_channel("s1", revision.as_str());
        w.reply_on(&get, "tools/call", json!({}));
        w.result(call);
        assert_eq!(w.count("server/discover"), 0);
    }
}

#[test]
fn a_search_counts_once_against_the_budget_and_what_it_asks_twice_again() {
    let mut w = World::searching();
    for _ in 0..3 {
        w.connect();
        w.advance(secs(3));
        for asked in ["server/discover", "initialize", "GET"] {
            w.answer_all(asked, 404);
        }
    }
    assert_eq!(w.sent.len(), 9);
    let call = w.call("tools/call");
    let error = w.error(call);
    assert!(error.retry_after().is_some(), "{error}");
    w.advance(secs(30));
    assert_eq!(w.sent.len(), 9, "silence");
}

#[test]
fn what_a_search_asks_last_and_does_not_reach_the_server_counts_no_less_for_that() {
    let mut w = World::searching();
    for _ in 0..3 {
        w.connect();
        w.advance(secs(3));
        w.answer_all("server/discover", 404);
        let initialize = w.take("initialize");
        w.fail(&initialize, refused_connection());
        w.advance(secs(1));
    }
    assert_eq!(w.sent.len(), 6);
    let call = w.call("tools/call");
    let error = w.error(call);
    assert!(error.retry_after().is_some(), "{error}");
    assert_eq!(w.sent.len(), 6, "the server was asked three times");
}

#[test]
fn calls_made_meanwhile_wait_and_those_cancelled_leave() {
    let (mut w, first, discover) = searching();
    let second = w.call("tools/list");
    let third = w.call("ping");
    w.cancel(first);
    assert_eq!(*w.error(first).reason(), Reason::Cancelled);
    w.answer(&discover, 405).empty();
    w.cancel(third);
    assert_eq!(w.error(third).delivery(), Delivery::NotSent);
    w.establish("s1");
    assert_eq!(w.open_methods(), ["tools/list"]);
    w.succeed("tools/list");
    w.result(second);
}

#[test]
fn a_call_made_meanwhile_does_not_begin_the_search_anew() {
    let mut w = World::idle();
    w.call_with("tools/call", CallOptions::new().wait_for_server(secs(60)));
    let initialize = w.take("initialize");
    w.fail(&initialize, refused_connection());
    let initialize = w.wait_for("initialize");
    let (exchange, nothing) = (initialize.exchange, HeaderMap::new());
    w.connection
        .handle_head(exchange, StatusCode::METHOD_NOT_ALLOWED, &nothing, w.now)
        .unwrap();
    w.connection.handle_end(exchange, w.now).unwrap();
    w.call("tools/list");
    w.take("server/discover");
    assert_eq!(w.count("initialize"), 2);
}

#[test]
fn closing_ends_the_search() {
    let (mut w, call, _) = searching();
    w.close();
    assert_eq!(*w.error(call).reason(), Reason::Closed);
    assert!(w.connection.is_closed());

    let (mut w, _, discover) = searching();
    w.answer(&discover, 405).empty();
    w.answer_all("initialize", 405);
    w.close();
    assert!(w.connection.is_closed());
    w.advance(secs(60));
    assert_eq!(w.sent.len(), 3);
}

#[test]
fn a_search_waits_for_a_credential_and_goes_on() {
    let mut w = World::new(Config::new(crate::world::ENDPOINT).unwrap().authorize(true));
    let call = w.call("ping");
    let discover = w.take("server/discover");
    w.answer(&discover, 401).empty();
    w.authorize("Bearer new");
    let again = w.take("server/discover");
    assert_eq!(again.credential(), Some("Bearer new"));
    w.answer(&again, 405).empty();
    let initialize = w.take("initialize");
    w.answer(&initialize, 405).empty();
    let get = w.take("GET");
    w.answer(&get, 401).empty();
    w.authorize("Bearer newer");
    let again = w.take("GET");
    assert_eq!(again.credential(), Some("Bearer newer"));
    w.open.push(again);
    let get = w.open_channel("s1", "2024-11-05");
    w.reply_on(&get, "ping", json!({}));
    w.result(call);
}
