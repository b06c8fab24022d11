//! Section 6: streams of calls that break off before the reply, and are resumed.

use mcp_http::{CallOptions, Delivery, Lost, Phase, Reason, Refused};
use serde_json::json;

use crate::world::{Sent, World, event_with_id, log, reset, result, rpc_error, secs};

#[test]
fn a_broken_stream_goes_on_with_get() {
    let (mut w, call, sent) = World::primed();
    let id = sent.rpc_id();
    w.chunk(&sent, event_with_id("1", &log("one")));
    w.fail(&sent, reset());
    let get = w.wait_for("GET");
    assert_eq!(get.cursor(), Some("1"));
    assert_eq!(get.session(), Some("s1"));
    assert_eq!(get.header("mcp-protocol-version"), Some("2025-11-25"));
    assert_eq!(get.header("accept"), Some("text/event-stream"));
    w.answer(&get, 200).stream(&[]);
    w.chunk(&get, event_with_id("2", &log("two")));
    w.chunk(
        &get,
        event_with_id("3", &result(id, json!({ "done": true }))),
    );
    assert_eq!(w.logs(), ["one", "two"]);
    assert_eq!(w.result(call), json!({ "done": true }));
    w.end(&get);
    w.advance(secs(600));
    assert_eq!(w.count("GET"), 1);
}

#[test]
fn a_cursor_survives_a_break_that_brought_nothing() {
    let (mut w, _, sent) = World::primed();
    w.chunk(&sent, event_with_id("7", &log("one")));
    w.fail(&sent, reset());
    for _ in 0..3 {
        let get = w.wait_for("GET");
        assert_eq!(get.cursor(), Some("7"));
        w.answer(&get, 200).stream(&[]);
        w.fail(&get, reset());
    }
}

#[test]
fn a_refused_resume_ends_the_call() {
    for status in [204, 400, 404, 405, 409] {
        let (mut w, call, sent) = World::primed();
        w.fail(&sent, reset());
        let get = w.wait_for("GET");
        w.answer(&get, status).empty();
        let error = w.error(call);
        assert_eq!(*error.reason(), Lost::NotResumed.into(), "{status}");
        assert_eq!(error.delivery(), Delivery::Unknown);
        assert_eq!(w.count("ping"), usize::from(status == 404));
        assert_eq!(w.phase(), Phase::Ready);
    }
}

#[test]
fn what_waits_unread_is_not_given_twice() {
    let (mut w, call, sent) = World::primed();
    let id = sent.rpc_id();
    w.reading = false;
    for n in ["1", "2", "3"] {
        w.chunk(&sent, event_with_id(n, &log(n)));
    }
    w.fail(&sent, reset());
    let get = w.wait_for("GET");
    assert_eq!(get.cursor(), Some("p"), "nothing was polled since");
    w.answer(&get, 200).stream(&[]);
    for n in ["1", "2", "3", "4"] {
        w.chunk(&get, event_with_id(n, &log(n)));
    }
    w.event(&get, &result(id, json!({})));
    w.read();
    assert_eq!(w.logs(), ["1", "2", "3", "4"]);
    assert_eq!(w.result(call), json!({}));
}

/// Many servers put a JSON-RPC error into every refusal, `id` null.
#[test]
fn a_resume_answered_with_something_else_ends_the_call() {
    let refusals: [fn(&mut World, &Sent); 7] = [
        |w, get| w.answer(get, 202).empty(),
        |w, get| w.answer(get, 200).empty(),
        |w, get| w.answer(get, 200).json(&result(2, json!({}))),
        |w, get| w.answer(get, 200).typed("text/html", "<h1>Log in</h1>"),
        |w, get| {
            w.answer(get, 400)
                .json(&rpc_error(2, -32602, "no such event"))
        },
        |w, get| w.answer(get, 405).header("allow", "POST").empty(),
        |w, get| w.answer(get, 501).empty(),
    ];
    for (number, refuse) in refusals.into_iter().enumerate() {
        let (mut w, call, get) = World::resuming();
        refuse(&mut w, &get);
        if number == 6 {
            // A failure of the server: tried again.
            assert!(!w.ended(call));
            continue;
        }
        let error = w.error(call);
        assert_eq!(*error.reason(), Lost::NotResumed.into(), "{number}");
        assert_eq!(error.delivery(), Delivery::Unknown, "{number}");
        assert_eq!(error.method(), Some("tools/call"), "{number}");
        w.advance(secs(600));
        assert_eq!((w.count("GET"), w.phase()), (1, Phase::Ready), "{number}");
    }
}

#[test]
fn a_resume_that_is_not_allowed_says_so() {
    for (status, reason) in [(401, Refused::Unauthorized), (403, Refused::Forbidden)] {
        let (mut w, call, get) = World::resuming();
        let bearer = "Bearer error=\"insufficient_scope\"";
        w.answer(&get, status)
            .header("www-authenticate", bearer)
            .empty();
        let error = w.error(call);
        assert_eq!(*error.reason(), reason.into());
        assert_eq!(
            (error.delivery(), error.challenges().len()),
            (Delivery::Unknown, 1)
        );
    }
}

#[test]
fn redirects_of_a_get_are_followed_on_the_same_origin() {
    for status in [307, 308] {
        let (mut w, call, get) = World::resuming();
        w.answer(&get, status).header("location", "/mcp/").empty();
        let get = w.wait_for("GET");
        assert_eq!(get.request.uri().path(), "/mcp/");
        assert_eq!((get.session(), get.cursor()), (Some("s1"), Some("p")));
        w.answer(&get, 200).stream(&[]);
        assert!(!w.ended(call));
    }
    for (status, to) in [(307, "https://evil.com/"), (302, "/mcp/"), (303, "/mcp/")] {
        let (mut w, call, get) = World::resuming();
        w.answer(&get, status).header("location", to).empty();
        assert_eq!(w.error(call).delivery(), Delivery::Unknown);
        assert!(w.open.is_empty(), "{to}");
    }
}

#[test]
fn redirects_in_a_circle_end() {
    let (mut w, call, mut get) = World::resuming();
    while !w.ended(call) {
        w.answer(&get, 307).header("location", "/mcp").empty();
        if !w.ended(call) {
            get = w.wait_for("GET");
        }
    }
    let error = w.error(call);
    assert!(
        matches!(error.reason(), Reason::Refused(Refused::Redirected { .. })),
        "{error}"
    );
    assert_eq!((error.delivery(), w.count("GET")), (Delivery::Unknown, 4));
}

/// One redirect for each GET: the endpoint without its slash, say.
#[test]
fn the_get_has_the_headers_of_the_call_and_of_this_moment() {
    let options = CallOptions::new().header("x-own", "mine").unwrap();
    let base = World::ready_with(|c| c.header("authorization", "Bearer old").unwrap());
    let (mut w, _, sent) = base.and_primed(options);
    w.connection
        .set_header("authorization", Some("Bearer new"))
        .unwrap();
    w.fail(&sent, reset());
    let get = w.wait_for("GET");
    assert_eq!(get.header("x-own"), Some("mine"));
    assert_eq!(get.header("authorization"), Some("Bearer new"));
    assert_eq!(get.header("content-type"), None);
    assert!(get.request.body().is_empty());
    assert!(get.request.headers()["last-event-id"].is_sensitive());
}

#[test]
fn the_reply_may_come_on_any_stream_while_a_call_is_cut() {
    let (w, one, first) = World::primed();
    let (mut w, two, second) = w.and_primed(CallOptions::new());
    w.fail(&first, reset());
    w.event(&second, &result(first.rpc_id(), json!({ "of": 1 })));
    assert_eq!(w.result(one)["of"], 1);
    w.advance(secs(60));
    assert_eq!(w.count("GET"), 0, "it is finished");
    w.event(&second, &result(second.rpc_id(), json!({ "of": 2 })));
    assert_eq!(w.result(two)["of"], 2);
}

#[test]
fn the_reply_may_come_on_another_stream_while_the_get_is_under_way() {
    let (w, call, get) = World::resuming();
    let (mut w, _, other) = w.and_primed(CallOptions::new());
    let id = w
        .sent
        .iter()
        .find(|sent| sent.method() == "tools/call")
        .unwrap()
        .rpc_id();
    w.event(&other, &result(id, json!({ "ok": 1 })));
    assert_eq!(w.result(call)["ok"], 1);
    w.answer(&get, 200)
        .stream(&[result(id, json!({ "ok": 2 })), log("late")]);
    assert!(w.events.is_empty(), "{:?}", w.events);
    w.advance(secs(5));
    assert_eq!(w.aborted, [get.exchange]);
}

#[test]
fn a_reply_is_not_delivered_twice() {
    let (mut w, call, sent) = World::primed();
    w.event_with_id(&sent, "1", &result(sent.rpc_id(), json!({})));
    w.fail(&sent, reset());
    w.reply(call);
    w.advance(secs(600));
    assert_eq!(
        w.count("GET"),
        0,
        "a stream that has its reply is never resumed"
    );
}

#[test]
fn an_error_reply_is_one_too() {
    let (mut w, call, get) = World::resuming();
    let id = w
        .sent
        .iter()
        .find(|sent| sent.method() == "tools/call")
        .unwrap()
        .rpc_id();
    w.answer(&get, 200).stream(&[rpc_error(id, -32602, "no")]);
    assert_eq!(w.rpc_error(call).code, -32602);
}

#[test]
fn a_session_without_an_id_resumes_too() {
    let (mut w, call, sent) = World::ready_without_id().and_primed(CallOptions::new());
    w.fail(&sent, reset());
    let get = w.wait_for("GET");
    assert_eq!((get.session(), get.cursor()), (None, Some("p")));
    w.answer(&get, 404).empty();
    assert_eq!(*w.error(call).reason(), Lost::NotResumed.into());
    assert!(!w.has("ping"), "no session can be in doubt");
}

#[test]
fn every_session_revision_resumes_by_get() {
    for revision in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let (mut w, call, sent) = World::ready_at(revision).and_primed(CallOptions::new());
        w.fail(&sent, reset());
        let get = w.reopen();
        w.chunk(&get, event_with_id("1", &result(sent.rpc_id(), json!({}))));
        w.reply(call);
    }
}
