//! The examples as they pass where each request stands on its own.

use mcp_http::{CallOptions, Config, Event, Revision, SubscriptionFilter};
use serde_json::{Value, json};

use crate::world::{self, ENDPOINT, Sent, World, notification, server_capabilities};

/// The client of the examples, and what it says that it can.
fn config(capabilities: &Value) -> Config {
    let config = Config::new(ENDPOINT).unwrap();
    config
        .client("ExampleClient", "1.0.0")
        .capabilities(capabilities)
        .unwrap()
        .pin(Revision::V2026_07_28)
}

fn ready(capabilities: &Value) -> World {
    let mut w = World::new(config(capabilities));
    w.connect();
    let sent = w.take("server/discover");
    w.answer(&sent, 200).result(json!({
        "resultType": "complete",
        "supportedVersions": ["2026-07-28"],
        "capabilities": server_capabilities(),
    }));
    w.events.clear();
    w
}

fn all() -> Value {
    json!({ "elicitation": { "form": {}, "url": {} }, "roots": {}, "sampling": {} })
}

fn begun(method: &str) -> (World, mcp_http::CallId, Sent) {
    let mut w = ready(&all());
    let (call, sent) = w.begin(method);
    (w, call, sent)
}

/// # Read
pub(crate) fn read(method: &str, result: &str) {
    let (mut w, call, sent) = begun(method);
    let id = sent.rpc_id();
    let body = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{result}}}");
    w.answer(&sent, 200).typed("application/json", body);
    assert_eq!(w.reply(call).outcome.unwrap().as_str(), result);
}

pub(crate) fn notified(example: &Value) {
    let mut w = ready(&all());
    let params = json!({ "name": "x", "_meta": { "progressToken": "oivaizmir" } });
    let call = w
        .connection
        .call("tools/call", &params, CallOptions::new(), w.now);
    w.drive();
    let sent = w.take("tools/call");
    w.answer(&sent, 200).stream(std::slice::from_ref(example));
    let [message] = w.messages().try_into().expect("one message");
    assert_eq!(message.method, example["method"].as_str().unwrap());
    assert_eq!(message.call, Some(call.unwrap()));
}

pub(crate) fn discovered(result: &Value) {
    let mut w = World::new(config(&all()));
    w.connect();
    let sent = w.take("server/discover");
    w.answer(&sent, 200).result(result.clone());
    let ready = w.ready_event();
    let told = |raw: &mcp_http::RawJson| raw.deserialize::<Value>().unwrap();
    assert_eq!(told(&ready.capabilities), result["capabilities"]);
    assert_eq!(told(&ready.result), *result);
    let server = &result["_meta"]["io.modelcontextprotocol/serverInfo"];
    assert_eq!(told(&ready.server_info().unwrap()), *server);
    assert_eq!(
        ready.instructions().as_deref(),
        result["instructions"].as_str()
    );
}

/// Every question is put, and with the answers the call goes out again.
pub(crate) fn input_required(result: &Value, answers: &Value) {
    let (mut w, call, sent) = begun("tools/call");
    w.answer(&sent, 200).result(result.clone());
    let empty = serde_json::Map::new();
    let requests = result["inputRequests"].as_object().unwrap_or(&empty);
    for (key, request) in requests {
        let asked = |event: &Event| match event {
            Event::Ask(ask) if ask.method == request["method"] => Some(ask.clone()),
            _ => None,
        };
        let ask = w.events.iter().find_map(asked).expect("it is asked");
        let params = ask.params.map(|params| params.deserialize().unwrap());
        assert_eq!(params.unwrap_or(Value::Null), request["params"]);
        assert_eq!(ask.call, Some(call));
        let answer = &answers[key];
        w.connection.answer(ask.ticket, Ok(answer), w.now).unwrap();
        w.drive();
    }
    let again = w.wait_for("tools/call").json();
    assert_eq!(
        again["params"].get("requestState"),
        result.get("requestState")
    );
    let asked = !requests.is_empty();
    assert_eq!(
        again["params"].get("inputResponses"),
        asked.then_some(answers)
    );
}

pub(crate) fn error(example: &Value) {
    let (mut w, call, sent) = begun("tools/call");
    w.answer(&sent, 400)
        .json(&json!({ "jsonrpc": "2.0", "id": sent.rpc_id(), "error": example }));
    match example["code"].as_i64() {
        // The list of tools is read anew.
        Some(-32020) => drop(w.take("tools/list")),
        // It goes out once more, in a revision in common.
        Some(-32022) => assert_eq!(
            w.take("tools/call").header("mcp-protocol-version"),
            Some("2026-07-28")
        ),
        _ => assert_eq!(json!(w.rpc_error(call).code), example["code"]),
    }
}

/// # Built
/// The body is the whole example, up to its id.
fn is_built(sent: &Sent, example: &Value) {
    let mut body = sent.json();
    body["id"] = example["id"].clone();
    assert_eq!(body, *example);
}

/// The application gives what is left without the client's own.
pub(crate) fn called(method: &str, whole: &Value, given: &Value) {
    let mut w = ready(&json!({}));
    w.connection
        .call(method, given, CallOptions::new(), w.now)
        .unwrap();
    w.drive();
    is_built(&w.take(method), whole);
}

pub(crate) fn discover(example: &Value) {
    let mut w = World::new(config(&json!({})));
    w.connect();
    is_built(&w.take("server/discover"), example);
}

fn listening(filter: &Value) -> (World, Sent) {
    let mut w = ready(&json!({}));
    let filter: SubscriptionFilter = serde_json::from_value(filter.clone()).unwrap();
    w.connection.listen(filter, w.now).unwrap();
    w.drive();
    let sent = w.take("subscriptions/listen");
    (w, sent)
}

pub(crate) fn listen(example: &Value) {
    let (_, sent) = listening(&example["params"]["notifications"]);
    is_built(&sent, example);
}

pub(crate) fn acknowledged(example: &Value) {
    let asked = &example["params"]["notifications"];
    let (mut w, sent) = listening(asked);
    w.answer(&sent, 200).stream(std::slice::from_ref(example));
    let granted = w.events.iter().find_map(|event| match event {
        Event::Listening { granted } => Some(serde_json::to_value(granted).unwrap()),
        _ => None,
    });
    assert_eq!(granted.as_ref(), Some(asked));
}

pub(crate) fn listen_ended(result: &Value) {
    let (mut w, sent) = listening(&json!({ "toolsListChanged": true }));
    let end = world::result(sent.rpc_id(), result.clone());
    w.answer(&sent, 200).stream(&[end]);
    assert!(w.events.contains(&Event::StreamEnded));
}

/// The server takes its stream back, by the request's own id.
pub(crate) fn withdrawn(params: &Value) {
    let (mut w, sent) = listening(&json!({ "toolsListChanged": true }));
    let mut params = params.clone();
    params["requestId"] = json!(sent.rpc_id());
    w.answer(&sent, 200)
        .stream(&[notification("notifications/cancelled", params)]);
    assert!(w.events.contains(&Event::StreamEnded));
}
