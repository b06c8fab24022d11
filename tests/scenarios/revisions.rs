//! Every message that the machine makes itself, in every revision: `.ci/schemas` holds what
//! leaves here against the schemas.

use mcp_http::{CallOptions, Revision, RpcError};
use serde_json::{Value, json};

use crate::world::{World, config, echo, initialized, request};

const REVISIONS: [Revision; 4] = [
    Revision::V2024_11_05,
    Revision::V2025_03_26,
    Revision::V2025_06_18,
    Revision::V2025_11_25,
];

/// Offered, negotiated, and a session begun.
fn session(w: &mut World, revision: Revision, id: &str) {
    let initialize = w.wait_for("initialize");
    w.answer(&initialize, 200)
        .header("mcp-session-id", id)
        .result(initialized(revision.as_str()));
    w.accept("notifications/initialized");
}

fn ready(revision: Revision) -> World {
    let mut w = World::new(config().pin(revision));
    w.connect();
    session(&mut w, revision, "s1");
    w
}

fn questions(revision: Revision) -> Vec<(&'static str, Value)> {
    let content = json!({ "type": "text", "text": "yes" });
    let sampled = json!({ "content": content, "model": "m", "role": "assistant" });
    let roots = json!({ "roots": [{ "uri": "file:///project", "name": "Project" }] });
    let elicited = json!({ "action": "accept", "content": { "name": "octocat" } });
    let mut questions = vec![("roots/list", roots), ("sampling/createMessage", sampled)];
    if revision >= Revision::V2025_06_18 {
        questions.push(("elicitation/create", elicited));
    }
    questions
}

#[test]
fn questions_are_answered() {
    for revision in REVISIONS {
        let mut w = ready(revision);
        let (_, stream) = w.stream("tools/call");
        for (method, answer) in questions(revision) {
            w.event(&stream, &request(method, method, json!({})));
            let ticket = w.ask().ticket;
            w.connection.answer(ticket, Ok(&answer), w.now).unwrap();
            w.drive();
            assert_eq!(
                w.take("answer").json(),
                json!({ "jsonrpc": "2.0", "id": method, "result": answer })
            );

            w.event(&stream, &request(7, method, json!({})));
            let ticket = w.ask().ticket;
            let mut no = RpcError::new(-1, "User rejected");
            no.data = Some(crate::world::raw(&json!({ "why": "too late" })));
            w.connection
                .answer(ticket, Err::<&(), _>(no), w.now)
                .unwrap();
            w.drive();
            let error =
                json!({ "code": -1, "message": "User rejected", "data": { "why": "too late" } });
            assert_eq!(
                w.take("answer").json(),
                json!({ "jsonrpc": "2.0", "id": 7, "error": error })
            );
        }
        w.event(&stream, &request("p", "ping", json!({})));
        assert_eq!(
            w.take("answer").json(),
            json!({ "jsonrpc": "2.0", "id": "p", "result": {} })
        );
        w.event(&stream, &request("x", "no/such", json!({})));
        assert_eq!(w.take("answer").json()["error"]["code"], -32601);
    }
}

#[test]
fn a_call_is_cancelled() {
    for revision in REVISIONS {
        let mut w = ready(revision);
        let call = w.call_with("tools/call", CallOptions::new().progress());
        let sent = w.take("tools/call").json();
        assert!(sent["params"]["_meta"]["progressToken"].is_number());
        w.cancel(call);
        let cancelled = w.take("notifications/cancelled").json();
        assert_eq!(cancelled["params"]["requestId"], sent["id"]);
    }
}

#[test]
fn a_session_is_doubted_lost_and_restored() {
    let (subscribed, level) = (json!({ "uri": "file:///a" }), json!({ "level": "info" }));
    for revision in REVISIONS {
        let mut w = ready(revision);
        let asked_for = [
            ("resources/subscribe", &subscribed),
            ("logging/setLevel", &level),
        ];
        for (method, params) in asked_for {
            w.connection
                .call(method, params, CallOptions::new(), w.now)
                .unwrap();
            w.drive();
            w.succeed(method);
        }
        w.connection
            .call("tools/call", &echo(), CallOptions::new(), w.now)
            .unwrap();
        w.drive();
        w.answer_all("tools/call", 400);
        let ping = w.take("ping");
        w.answer(&ping, 404).empty();
        session(&mut w, revision, "s2");
        for (method, params) in asked_for {
            assert_eq!(w.take(method).json()["params"], *params, "{revision}");
        }
    }
}

#[test]
fn all_that_stands_on_its_own() {
    let mut w = World::stateless();
    let calls = [
        ("tools/call", echo()),
        ("prompts/get", echo()),
        ("resources/read", json!({ "uri": "echo:" })),
    ];
    for (method, params) in &calls {
        let (call, sent) = w.begin_with(method, params);
        let ask = json!({ "method": "roots/list" });
        w.answer(&sent, 200).result(json!({
            "resultType": "input_required",
            "inputRequests": { "r": ask },
            "requestState": "s",
        }));
        let ticket = w.ask().ticket;
        w.connection
            .answer(ticket, Ok(&json!({ "roots": [] })), w.now)
            .unwrap();
        w.drive();
        let again = w.take(method);
        let again_params = again.json()["params"].clone();
        assert_eq!(again_params["inputResponses"]["r"], json!({ "roots": [] }));
        w.answer(&again, 200).result(json!({}));
        w.reply(call);
    }
    let level = json!({ "level": "debug" });
    let set = w
        .connection
        .call("logging/setLevel", &level, CallOptions::new(), w.now);
    w.drive();
    w.reply(set.unwrap());
    let call = w.call_with("tools/call", CallOptions::new().progress());
    let sent = w.take("tools/call");
    let mismatch = json!({ "code": -32020, "message": "headers and body differ" });
    w.answer(&sent, 400)
        .json(&json!({ "jsonrpc": "2.0", "id": sent.rpc_id(), "error": mismatch }));
    let list = w.take("tools/list");
    w.answer(&list, 200)
        .result(json!({ "resultType": "complete", "tools": [] }));
    let again = w.take("tools/call");
    w.answer(&again, 200).result(json!({}));
    w.reply(call);
    let filter = mcp_http::SubscriptionFilter::new()
        .tools_list_changed()
        .prompts_list_changed()
        .resources_list_changed()
        .resource("echo:");
    w.listen_to(filter);
    w.take("subscriptions/listen");
}
