//! Tools where each request stands on its own: names and arguments in headers, lists with
//! tools that break the rules, a server that says that headers and body differ.

use mcp_http::{
    CallId, CallOptions, Delivery, Event, LimitKind, Mistake, Peer, Reason, RejectedTool, Resend,
};
use serde_json::{Value, json};

use crate::stateless::error_with;
use crate::world::{Sent, World, limits, secs};

const LIST: &str = "tools/list";

fn sql(header: &str) -> Value {
    json!({
        "name": "sql",
        "inputSchema": {
            "type": "object",
            "properties": {
                "region": { "type": "string", "x-mcp-header": header },
                "limit": { "type": "integer", "x-mcp-header": "Limit" },
                "query": { "type": "string" },
            },
        },
    })
}

fn list(tools: &[Value], next: Option<&str>) -> Value {
    let mut list = json!({ "resultType": "complete", "tools": tools });
    if let Some(next) = next {
        list["nextCursor"] = json!(next);
    }
    list
}

/// A server whose tool `sql` mirrors two of its arguments, and the client knows it.
fn learned() -> World {
    let mut w = World::stateless();
    learn(&mut w, &[sql("Region")]);
    w
}

fn learn(w: &mut World, tools: &[Value]) -> Value {
    let (call, sent) = w.begin_with(LIST, &json!({}));
    w.answer(&sent, 200).result(list(tools, None));
    w.result(call)
}

fn call(w: &mut World, arguments: &Value) -> (CallId, Sent) {
    w.begin_with(
        "tools/call",
        &json!({ "name": "sql", "arguments": arguments }),
    )
}

fn mismatch(w: &mut World, sent: &Sent) {
    let error = error_with(sent.rpc_id(), -32020, json!(null));
    w.answer(sent, 400).json(&error);
}

#[test]
fn what_a_request_is_about_is_in_its_headers() {
    let mut w = World::stateless();
    for (method, params, name) in [
        ("tools/call", json!({ "name": "echo" }), Some("echo")),
        ("prompts/get", json!({ "name": "p q" }), Some("p q")),
        (
            "resources/read",
            json!({ "uri": "file:///a" }),
            Some("file:///a"),
        ),
        (
            "tools/call",
            json!({ "name": "caf\u{e9}" }),
            Some("=?base64?Y2Fmw6k=?="),
        ),
        (
            "tools/call",
            json!({ "name": " x" }),
            Some("=?base64?IHg=?="),
        ),
        ("tools/list", json!({ "name": "echo" }), None),
        ("x/y", json!({ "name": "echo", "uri": "u" }), None),
    ] {
        let (_, sent) = w.begin_with(method, &params);
        assert_eq!(sent.header("mcp-method"), Some(method));
        assert_eq!(sent.header("mcp-name"), name, "{method} {params}");
    }
}

#[test]
fn a_session_has_none_of_these_headers() {
    let mut w = World::ready();
    let (_, sent) = w.begin("tools/call");
    for header in ["mcp-method", "mcp-name"] {
        assert_eq!(sent.header(header), None);
    }
    let tools = [sql("Region"), sql("")];
    let (call, sent) = w.begin_with(LIST, &json!({}));
    w.answer(&sent, 200).result(list(&tools, None));
    assert_eq!(
        w.result(call)["tools"],
        json!(tools),
        "as the server sent it"
    );
    let (_, sent) = self::call(&mut w, &json!({ "region": "eu" }));
    assert_eq!(sent.header("mcp-param-region"), None);
}

#[test]
fn arguments_go_into_the_headers_that_the_list_said() {
    let mut w = learned();
    let (_, sent) = call(
        &mut w,
        &json!({ "region": "eu", "limit": 42, "query": "x" }),
    );
    assert_eq!(sent.header("mcp-param-region"), Some("eu"));
    assert_eq!(sent.header("mcp-param-limit"), Some("42"));
    let (_, sent) = call(&mut w, &json!({ "region": null }));
    assert_eq!(sent.header("mcp-param-region"), None);
    assert_eq!(sent.header("mcp-param-limit"), None);
    let (_, sent) = call(&mut w, &json!({ "region": "\u{4e16}\n" }));
    assert_eq!(sent.header("mcp-param-region"), Some("=?base64?5LiWCg==?="));
    // Another list takes the place of this one.
    learn(
        &mut w,
        &[json!({ "name": "sql", "inputSchema": { "type": "object" } })],
    );
    let (_, sent) = call(&mut w, &json!({ "region": "eu" }));
    assert_eq!(sent.header("mcp-param-region"), None);
}

#[test]
fn from_what_is_no_list_nothing_is_learned() {
    let mut w = World::stateless();
    let (other, sent) = w.begin_with("prompts/list", &json!({}));
    w.answer(&sent, 200).result(list(&[sql("Region")], None));
    w.result(other);
    let (_, sent) = call(&mut w, &json!({ "region": "eu" }));
    assert_eq!(sent.header("mcp-param-region"), None);
}

#[test]
fn every_page_is_learned_from() {
    let mut w = World::stateless();
    let (first, sent) = w.begin_with(LIST, &json!({}));
    let other = json!({ "name": "other", "inputSchema": { "type": "object" } });
    w.answer(&sent, 200)
        .result(list(&[sql("Region")], Some("p2")));
    w.result(first);
    let (second, sent) = w.begin_with(LIST, &json!({ "cursor": "p2" }));
    w.answer(&sent, 200).result(list(&[other], None));
    w.result(second);
    let (_, sent) = call(&mut w, &json!({ "region": "eu" }));
    assert_eq!(sent.header("mcp-param-region"), Some("eu"));
}

#[test]
fn an_argument_that_no_header_can_hold_is_misuse_before_anything_is_sent() {
    let mut w = learned();
    for arguments in [
        json!({ "limit": 9_007_199_254_740_993_u64 }),
        json!({ "limit": 1.5 }),
        json!({ "region": ["eu"] }),
        json!({ "region": {} }),
    ] {
        let params = json!({ "name": "sql", "arguments": arguments });
        let call = w
            .connection
            .call("tools/call", &params, CallOptions::new(), w.now);
        w.drive();
        let error = w.error(call.unwrap());
        let Reason::Misuse(misuse) = error.reason() else {
            panic!("{error}");
        };
        assert!(matches!(misuse.mistake(), Mistake::Argument(_)), "{error}");
        assert_eq!(error.delivery(), Delivery::NotSent);
        assert!(w.open.is_empty());
    }
    let (_, sent) = call(&mut w, &json!({ "limit": 9_007_199_254_740_991_u64 }));
    assert_eq!(sent.header("mcp-param-limit"), Some("9007199254740991"));
}

#[test]
fn tools_that_break_the_rules_are_taken_out_with_a_reason() {
    let mut w = World::stateless();
    let (good, bad) = (sql("Region"), sql(""));
    let odd = json!({ "name": "odd", "inputSchema": { "type": "object", "properties": {
        "a": { "type": "number", "x-mcp-header": "A" } } } });
    let result = learn(&mut w, &[bad, good.clone(), odd]);
    assert_eq!(result["tools"], json!([good]));
    assert_eq!(result["resultType"], "complete");
    let rejected: Vec<RejectedTool> = w
        .events
        .iter()
        .filter_map(|event| match event {
            Event::ToolRejected(rejected) => Some(rejected.clone()),
            _ => None,
        })
        .collect();
    let names: Vec<&str> = rejected
        .iter()
        .map(|rejected| rejected.name.as_str())
        .collect();
    assert_eq!(names, ["sql", "odd"]);
    for RejectedTool { why, .. } in rejected {
        assert!(matches!(why, Reason::Peer(Peer::ToolSchema(_))), "{why}");
    }
}

#[test]
fn a_result_that_is_no_list_is_left_to_the_application() {
    let mut w = World::stateless();
    for odd in [
        json!({}),
        json!({ "tools": 7 }),
        json!({ "tools": [1, "x", null, {}] }),
    ] {
        let (call, sent) = w.begin_with(LIST, &json!({}));
        w.answer(&sent, 200).result(odd.clone());
        assert_eq!(w.result(call), odd);
    }
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut w =
        World::stateless_with(|config| config.limits(limits(|limits| limits.tool_headers = 100)));
    let (call, sent) = w.begin_with(LIST, &json!({}));
    w.answer(&sent, 200)
        .result(list(&[sql(&"R".repeat(200))], None));
    let error = w.error(call);
    assert!(
        matches!(error.reason(), Reason::Limit(exceeded) if exceeded.kind == LimitKind::ToolHeaders),
        "{error}"
    );
}

#[test]
fn what_is_remembered_may_take_all_of_its_room() {
    let with_room =
        |room| World::stateless_with(|c| c.limits(limits(|limits| limits.tool_headers = room)));
    let least = |tools: &[Value]| {
        let fits = |room: &usize| {
            let mut w = with_room(*room);
            let (_, sent) = w.begin_with(LIST, &json!({}));
            w.answer(&sent, 200).result(list(tools, None));
            matches!(w.events.last(), Some(Event::Reply { .. }))
        };
        (1..1000).find(fits).unwrap()
    };
    let (one, both) = (least(&[tool("a")]), least(&[tool("a"), tool("b")]));
    assert_eq!(both, 2 * one);
    let mut w = with_room(both);
    learn(&mut w, &[tool("a")]);
    let (call, sent) = w.begin_with(LIST, &json!({}));
    w.answer(&sent, 200).result(list(&[tool("b")], Some("2")));
    w.result(call);
    assert!(mirrors(&mut w, "a") && mirrors(&mut w, "b"));
}

#[test]
fn headers_that_differ_are_repaired_once_with_every_page_of_the_list() {
    let mut w = World::stateless();
    let arguments = json!({ "region": "eu" });
    let (call, first) = call(&mut w, &arguments);
    assert_eq!(first.header("mcp-param-region"), None);
    mismatch(&mut w, &first);
    assert!(!w.ended(call));
    let page = w.take(LIST);
    assert_eq!(page.json()["params"].get("cursor"), None);
    assert_eq!(page.header("mcp-method"), Some(LIST));
    let other = json!({ "name": "other", "inputSchema": { "type": "object" } });
    w.answer(&page, 200).result(list(&[other], Some("\u{e9}2")));
    assert!(!w.has("tools/call"), "there is more");
    let page = w.take(LIST);
    assert_eq!(page.json()["params"]["cursor"], "\u{e9}2");
    w.answer(&page, 200).result(list(&[sql("Region")], None));
    let again = w.take("tools/call");
    assert_eq!(again.header("mcp-param-region"), Some("eu"));
    assert_ne!(again.rpc_id(), first.rpc_id());
    mismatch(&mut w, &again);
    assert_eq!(w.rpc_error(call).code, -32020, "once");
    assert!(w.open.is_empty());
}

#[test]
fn any_number_of_calls_share_one_list() {
    let mut w = World::stateless();
    let calls: Vec<_> = (0..5)
        .map(|_| call(&mut w, &json!({ "region": "eu" })))
        .collect();
    for (_, sent) in &calls {
        mismatch(&mut w, sent);
    }
    assert_eq!(w.count(LIST), 1);
    let page = w.take(LIST);
    w.answer(&page, 200).result(list(&[sql("Region")], None));
    for (call, _) in calls {
        let again = w.take("tools/call");
        assert_eq!(again.header("mcp-param-region"), Some("eu"));
        w.answer(&again, 200).result(json!({}));
        w.reply(call);
    }
}

#[test]
fn a_list_that_cannot_be_had_lets_the_refusal_stand() {
    let ways: [fn(&mut World, &Sent); 6] = [
        |w, page| w.answer(page, 503).empty(),
        |w, page| w.answer(page, 200).error(-32603, "no"),
        |w, page| w.answer(page, 200).result(json!({ "tools": 1 })),
        |w, page| {
            w.answer(page, 200)
                .result(json!({ "resultType": "input_required", "requestState": "s" }))
        },
        |w, page| w.fail(page, crate::world::reset()),
        |w, _| w.advance(secs(30)),
    ];
    for fail in ways {
        let mut w = World::stateless();
        let (call, sent) = call(&mut w, &json!({ "region": "eu" }));
        mismatch(&mut w, &sent);
        let page = w.take(LIST);
        fail(&mut w, &page);
        assert_eq!(w.rpc_error(call).code, -32020);
        assert!(w.open.is_empty());
    }
}

#[test]
fn a_list_without_end_is_given_up() {
    let mut w = World::stateless();
    let (call, sent) = call(&mut w, &json!({}));
    mismatch(&mut w, &sent);
    for page in 0..100 {
        let sent = w.take(LIST);
        w.answer(&sent, 200)
            .result(list(&[], Some(&page.to_string())));
    }
    assert!(!w.has(LIST));
    w.take("tools/call");
    assert!(!w.ended(call));
    // And a cursor that does not move is the end.
    let mut w = World::stateless();
    let (_, sent) = self::call(&mut w, &json!({}));
    mismatch(&mut w, &sent);
    for _ in 0..2 {
        let sent = w.take(LIST);
        w.answer(&sent, 200).result(list(&[], Some("same")));
    }
    assert!(!w.has(LIST));
}

#[test]
fn only_calls_of_tools_that_may_be_sent_again_are_repaired() {
    let mut w = World::stateless();
    let (call, sent) = w.begin("prompts/get");
    mismatch(&mut w, &sent);
    assert_eq!(w.rpc_error(call).code, -32020);
    let call = w.call_with("tools/call", CallOptions::new().resend(Resend::Never));
    let sent = w.take("tools/call");
    mismatch(&mut w, &sent);
    assert_eq!(w.rpc_error(call).code, -32020);
    assert!(w.open.is_empty());
}

#[test]
fn a_call_that_waits_for_the_list_can_be_cancelled_and_closed() {
    let mut w = World::stateless();
    let (call, sent) = call(&mut w, &json!({}));
    mismatch(&mut w, &sent);
    w.cancel(call);
    let error = w.error(call);
    assert_eq!(
        (error.reason(), error.delivery()),
        (&Reason::Cancelled, Delivery::Rejected)
    );
    let page = w.take(LIST);
    w.answer(&page, 200).result(list(&[], None));
    assert!(!w.has("tools/call"));
    let (call, sent) = self::call(&mut w, &json!({}));
    mismatch(&mut w, &sent);
    w.close();
    assert_eq!(w.error(call).delivery(), Delivery::Rejected);
    assert!(w.connection.is_closed());
}

#[test]
fn a_redirected_list_is_followed() {
    let mut w = World::stateless();
    let (_, sent) = call(&mut w, &json!({}));
    mismatch(&mut w, &sent);
    for _ in 0..3 {
        let page = w.take(LIST);
        w.answer(&page, 307).header("location", "/mcp/").empty();
    }
    let page = w.take(LIST);
    assert_eq!(page.request.uri().path(), "/mcp/");
    w.answer(&page, 200).result(list(&[], None));
    w.take("tools/call");
}

#[test]
fn arguments_and_names_are_shown_by_no_debug() {
    let mut w = learned();
    let (_, sent) = call(&mut w, &json!({ "region": "secret" }));
    assert_eq!(sent.header("mcp-param-region"), Some("secret"));
    let shown = format!("{:?}", sent.request.headers());
    assert!(
        !shown.contains("secret") && !shown.contains("sql"),
        "{shown}"
    );
}

/// A tool with one mirrored argument, which costs a known number of bytes.
fn tool(name: &str) -> Value {
    json!({ "name": name, "inputSchema": { "type": "object", "properties": {
        "a": { "type": "string", "x-mcp-header": "A" },
    } } })
}

fn deny(w: &mut World, sent: &Sent) {
    w.answer(sent, 401)
        .header("www-authenticate", "Bearer")
        .empty();
}

fn guarded() -> World {
    World::stateless_with(|config| config.authorize(true).bearer("old").unwrap())
}

/// Whether a call of this tool has the header of its argument.
fn mirrors(w: &mut World, name: &str) -> bool {
    let params = json!({ "name": name, "arguments": { "a": "x", "region": "x" } });
    let (call, sent) = w.begin_with("tools/call", &params);
    let mirrors = sent.header("mcp-param-a").is_some();
    w.answer(&sent, 200).result(json!({}));
    w.result(call);
    mirrors
}

#[test]
fn tools_that_are_gone_are_forgotten_and_their_bytes_given_back() {
    let mut w = World::stateless_with(|c| c.limits(limits(|limits| limits.tool_headers = 200)));
    for n in 0..40 {
        learn(&mut w, &[tool(&format!("t{n}"))]);
    }
    assert!(mirrors(&mut w, "t39"));
    assert!(!mirrors(&mut w, "t38"));
    // A tool that is rejected, or comes again, gives its bytes back too.
    for _ in 0..40 {
        learn(&mut w, &[tool("t39")]);
        let mut bad = tool("t39");
        bad["inputSchema"]["properties"]["a"]["x-mcp-header"] = json!("a b");
        learn(&mut w, &[bad]);
        assert!(!mirrors(&mut w, "t39"));
    }
    learn(&mut w, &[tool("t1")]);
    assert!(mirrors(&mut w, "t1"));
}

#[test]
fn a_list_of_many_pages_forgets_with_its_last_one() {
    let mut w = World::stateless();
    learn(&mut w, &[tool("old"), tool("b")]);
    let (call, sent) = w.begin_with(LIST, &json!({}));
    w.answer(&sent, 200).result(list(&[tool("a")], Some("2")));
    w.result(call);
    assert!(mirrors(&mut w, "old"), "the list is not whole yet");
    // A page of another list says nothing about this one.
    let (call, sent) = w.begin_with(LIST, &json!({ "cursor": "9" }));
    w.answer(&sent, 200).result(list(&[], None));
    w.result(call);
    assert!(mirrors(&mut w, "old"));
    let (call, sent) = w.begin_with(LIST, &json!({ "cursor": "2" }));
    w.answer(&sent, 200).result(list(&[tool("b")], None));
    w.result(call);
    assert!(mirrors(&mut w, "a") && mirrors(&mut w, "b"));
    assert!(!mirrors(&mut w, "old"));
    assert_eq!(w.connection.status().buffered, 0);
}

#[test]
fn a_list_that_fits_takes_the_room_of_the_one_before() {
    let mut w = World::stateless_with(|c| c.limits(limits(|limits| limits.tool_headers = 200)));
    learn(&mut w, &[tool("old")]);
    for page in 0..40 {
        let cursor = match page {
            0 => json!({}),
            page => json!({ "cursor": page.to_string() }),
        };
        let (id, sent) = w.begin_with(LIST, &cursor);
        let next = (page + 1).to_string();
        let tools = [tool(if page < 2 { "a" } else { "a2" })];
        w.answer(&sent, 200)
            .result(list(&tools[..usize::from(page != 1)], Some(&next)));
        w.result(id);
        if page == 0 {
            assert!(mirrors(&mut w, "a"));
        }
    }
    assert!(mirrors(&mut w, "a2"), "a tool on every page counts once");
}

#[test]
fn a_tool_whose_arguments_go_into_headers_no_more_is_known_at_once() {
    let mut w = learned();
    let plain = json!({ "name": "sql", "inputSchema": { "type": "object" } });
    let (id, sent) = w.begin_with(LIST, &json!({ "cursor": "9" }));
    w.answer(&sent, 200).result(list(&[plain], None));
    w.result(id);
    let (_, sent) = call(&mut w, &json!({ "region": "eu" }));
    assert_eq!(sent.header("mcp-param-region"), None);
}

#[test]
fn a_rejected_tool_is_forgotten_at_once() {
    let mut w = learned();
    let mut bad = sql("Region");
    bad["inputSchema"]["properties"]["region"]["x-mcp-header"] = json!("a b");
    let (id, sent) = w.begin_with(LIST, &json!({ "cursor": "9" }));
    w.answer(&sent, 200).result(list(&[bad], None));
    w.result(id);
    let (_, sent) = call(&mut w, &json!({ "region": "eu" }));
    assert_eq!(sent.header("mcp-param-region"), None);
}

#[test]
fn a_call_that_joins_a_list_that_waits_for_a_credential_stands_still() {
    let mut w = guarded();
    let (a, first) = w.begin("tools/call");
    let (b, second) = w.begin("tools/call");
    mismatch(&mut w, &first);
    let page = w.take(LIST);
    deny(&mut w, &page);
    mismatch(&mut w, &second);
    w.advance(secs(3600));
    assert!(!w.ended(a) && !w.ended(b), "{:?}", w.events);
    w.authorize("Bearer new");
    w.take(LIST);
    w.advance(secs(3600));
    assert!(w.ended(a) && w.ended(b), "their clocks go on");
}

#[test]
fn refused_calls_and_cursors_count_with_all_buffers() {
    let mut w = World::stateless_with(|c| c.limits(limits(|limits| limits.buffers = 1 << 20)));
    let refuse = |w: &mut World| {
        let (call, sent) = w.begin("tools/call");
        let error = error_with(sent.rpc_id(), -32020, json!("x".repeat(600_000)));
        w.answer(&sent, 200).json(&error);
        call
    };
    let first = refuse(&mut w);
    assert!(w.connection.status().buffered > 600_000);
    let second = refuse(&mut w);
    let error = w.error(second);
    assert!(
        matches!(error.reason(), Reason::Limit(exceeded) if exceeded.kind == LimitKind::Buffers),
        "{error}"
    );
    let page = w.take(LIST);
    let before = w.connection.status().buffered;
    w.answer(&page, 200)
        .result(list(&[], Some(&"x".repeat(100_000))));
    let buffered = w.connection.status().buffered;
    assert!(
        buffered > before + 200_000,
        "where it goes on, and what was asked for"
    );
    let page = w.take(LIST);
    w.answer(&page, 200).result(list(&[], None));
    let sent = w.take("tools/call");
    assert_eq!(w.connection.status().buffered, 0);
    w.answer(&sent, 200).result(json!({}));
    w.result(first);
}

#[test]
fn long_names_of_rejected_tools_are_cut_short_and_counted() {
    let mut w = World::stateless();
    w.reading = false;
    let (_, sent) = w.begin(LIST);
    let name = "\u{e9}".repeat(10_000);
    let bad = json!({ "name": name, "inputSchema": { "x-mcp-header": "a" } });
    w.answer(&sent, 200).result(list(&[bad], None));
    let reply = |event: &Event| matches!(event, Event::Reply { .. });
    assert!(w.connection.poll_event_where(reply).is_some());
    assert_eq!(w.connection.status().buffered, 1024);
    let Some(Event::ToolRejected(tool)) = w.connection.poll_event() else {
        panic!("it was rejected");
    };
    assert_eq!(tool.name, "\u{e9}".repeat(512));
}

#[test]
fn each_page_may_be_redirected_and_may_ask_for_a_credential() {
    let mut w = guarded();
    let (id, sent) = w.begin("tools/call");
    mismatch(&mut w, &sent);
    for n in 0..6 {
        let page = w.take(LIST);
        w.answer(&page, 307).header("location", "/mcp/").empty();
        let page = w.take(LIST);
        assert_eq!(page.request.uri().path(), "/mcp/");
        deny(&mut w, &page);
        assert!(!w.ended(id), "page {n}: {:?}", w.events);
        w.authorize(&format!("Bearer {n}"));
        let page = w.take(LIST);
        assert_eq!(page.request.uri().path(), "/mcp");
        w.answer(&page, 200).result(list(&[], Some(&n.to_string())));
    }
}

#[test]
fn a_list_is_not_read_on_for_nobody() {
    let mut w = World::stateless();
    let (id, sent) = w.begin("tools/call");
    mismatch(&mut w, &sent);
    let page = w.take(LIST);
    w.cancel(id);
    w.answer(&page, 200).result(list(&[], Some("2")));
    assert!(!w.has(LIST));
    // Nor is it begun.
    let mut w = guarded();
    let (id, sent) = w.begin("tools/call");
    mismatch(&mut w, &sent);
    let page = w.take(LIST);
    deny(&mut w, &page);
    w.cancel(id);
    w.authorize("Bearer new");
    assert!(!w.has(LIST));
}

#[test]
fn a_page_of_another_type_or_beyond_the_limit_lets_the_refusal_stand() {
    let other = json!({ "resultType": "task", "tools": [] });
    let many: Vec<_> = (0..40).map(|n| tool(&format!("t{n}"))).collect();
    for page in [other, list(&many, None)] {
        let mut w = World::stateless_with(|c| c.limits(limits(|limits| limits.tool_headers = 200)));
        let (id, sent) = w.begin("tools/call");
        mismatch(&mut w, &sent);
        let sent = w.take(LIST);
        w.answer(&sent, 200).result(page);
        assert_eq!(w.rpc_error(id).code, -32020);
        assert!(!w.has("tools/call"));
    }
}

#[test]
fn nothing_is_kept_of_a_list_after_close() {
    let mut w = World::stateless();
    let (call, sent) = w.begin_with(LIST, &json!({}));
    w.answer(&sent, 200)
        .result(list(&[sql("Region")], Some("page 2")));
    w.result(call);
    assert!(w.connection.status().buffered > 0);
    w.close();
    assert_eq!(w.connection.status().buffered, 0);
}
