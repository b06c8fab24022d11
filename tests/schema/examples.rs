//! The official example messages of 2026-07-28, read and built. `MCP_HTTP_SCHEMA` names the
//! folder that has them in `examples-2026-07-28/<definition>/`; without it this fails.
//!
//! What both eras have passes through a session and through a server without.

#![cfg(test)]

#[path = "../support/record.rs"]
mod record;
mod stateless;
#[path = "../scenarios/world.rs"]
#[allow(dead_code, reason = "made for all scenarios")]
mod world;

use std::collections::BTreeSet;
use std::path::PathBuf;

use mcp_http::{CallOptions, Config, Event, Revision};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use world::{ENDPOINT, World, initialized, notification, request};

/// What is done with the examples of a definition.
#[derive(Clone, Copy, Debug)]
enum Role {
    /// Says what the server will tell.
    Acknowledged,
    /// Params of a call.
    Call(&'static str),
    /// A whole call.
    CallMessage,
    /// What a client says that it can.
    ClientCapabilities,
    /// What a server says that it can.
    ServerCapabilities,
    /// Asks what the server can.
    Discover,
    /// Says what the server can.
    Discovered,
    /// A question's answer.
    Answer(&'static str),
    /// A question's params.
    Ask(&'static str),
    /// A whole question.
    AskMessage,
    /// An error, or the response that carries one.
    Error,
    /// The questions of a round.
    InputRequests,
    InputRequired,
    /// The answers of a round.
    InputResponses,
    /// Says what the client wants to hear about.
    Listen,
    /// Ends that in good order.
    ListenEnded,
    /// A notification's params.
    Notification(&'static str),
    NotificationMessage,
    /// What the machine hands on without a look inside.
    Part,
    /// A call's result, or the response that carries one.
    Result(&'static str),
    /// Takes a question back.
    Withdrawal,
}

const ELICIT: &str = "elicitation/create";
const SAMPLE: &str = "sampling/createMessage";

const ROLES: &[(&str, Role)] = &[
    ("AudioContent", Role::Part),
    ("BlobResourceContents", Role::Part),
    ("BooleanSchema", Role::Part),
    ("CallToolRequest", Role::CallMessage),
    ("CallToolRequestParams", Role::Call("tools/call")),
    ("CallToolResult", Role::Result("tools/call")),
    ("CallToolResultResponse", Role::Result("tools/call")),
    ("CancelledNotification", Role::Withdrawal),
    ("CancelledNotificationParams", Role::Withdrawal),
    ("ClientCapabilities", Role::ClientCapabilities),
    ("CompleteRequest", Role::CallMessage),
    ("CompleteRequestParams", Role::Call("completion/complete")),
    ("CompleteResult", Role::Result("completion/complete")),
    (
        "CompleteResultResponse",
        Role::Result("completion/complete"),
    ),
    ("CreateMessageRequest", Role::AskMessage),
    ("CreateMessageRequestParams", Role::Ask(SAMPLE)),
    ("CreateMessageResult", Role::Answer(SAMPLE)),
    ("DiscoverRequest", Role::Discover),
    ("DiscoverResult", Role::Discovered),
    ("DiscoverResultResponse", Role::Discovered),
    ("ElicitRequest", Role::AskMessage),
    ("ElicitRequestFormParams", Role::Ask(ELICIT)),
    ("ElicitRequestURLParams", Role::Ask(ELICIT)),
    ("ElicitResult", Role::Answer(ELICIT)),
    ("EmbeddedResource", Role::Part),
    ("GetPromptRequest", Role::CallMessage),
    ("GetPromptRequestParams", Role::Call("prompts/get")),
    ("GetPromptResult", Role::Result("prompts/get")),
    ("GetPromptResultResponse", Role::Result("prompts/get")),
    // Repaired, or typed, by the stateless binding.
    ("HeaderMismatchError", Role::Error),
    ("ImageContent", Role::Part),
    ("InputRequests", Role::InputRequests),
    ("InputRequiredResult", Role::InputRequired),
    ("InputResponses", Role::InputResponses),
    ("InternalError", Role::Error),
    ("InvalidParamsError", Role::Error),
    ("ListPromptsRequest", Role::CallMessage),
    ("ListPromptsResult", Role::Result("prompts/list")),
    ("ListPromptsResultResponse", Role::Result("prompts/list")),
    ("ListResourceTemplatesRequest", Role::CallMessage),
    (
        "ListResourceTemplatesResult",
        Role::Result("resources/templates/list"),
    ),
    (
        "ListResourceTemplatesResultResponse",
        Role::Result("resources/templates/list"),
    ),
    ("ListResourcesRequest", Role::CallMessage),
    ("ListResourcesResult", Role::Result("resources/list")),
    (
        "ListResourcesResultResponse",
        Role::Result("resources/list"),
    ),
    ("ListRootsRequest", Role::AskMessage),
    ("ListRootsResult", Role::Answer("roots/list")),
    ("ListToolsRequest", Role::CallMessage),
    ("ListToolsResult", Role::Result("tools/list")),
    ("ListToolsResultResponse", Role::Result("tools/list")),
    ("LoggingMessageNotification", Role::NotificationMessage),
    (
        "LoggingMessageNotificationParams",
        Role::Notification("notifications/message"),
    ),
    ("MethodNotFoundError", Role::Error),
    // Typed by the stateless binding.
    ("MissingRequiredClientCapabilityError", Role::Error),
    ("ModelPreferences", Role::Part),
    ("NumberSchema", Role::Part),
    ("PaginatedRequestParams", Role::Call("tools/list")),
    ("ParseError", Role::Error),
    ("ProgressNotification", Role::NotificationMessage),
    (
        "ProgressNotificationParams",
        Role::Notification("notifications/progress"),
    ),
    ("PromptListChangedNotification", Role::NotificationMessage),
    ("ReadResourceRequest", Role::CallMessage),
    ("ReadResourceResult", Role::Result("resources/read")),
    ("ReadResourceResultResponse", Role::Result("resources/read")),
    ("Resource", Role::Part),
    ("ResourceLink", Role::Part),
    ("ResourceListChangedNotification", Role::NotificationMessage),
    ("ResourceUpdatedNotification", Role::NotificationMessage),
    (
        "ResourceUpdatedNotificationParams",
        Role::Notification("notifications/resources/updated"),
    ),
    ("Root", Role::Part),
    ("SamplingMessage", Role::Part),
    ("ServerCapabilities", Role::ServerCapabilities),
    ("StringSchema", Role::Part),
    ("SubscriptionsAcknowledgedNotification", Role::Acknowledged),
    ("SubscriptionsListenRequest", Role::Listen),
    ("SubscriptionsListenResult", Role::ListenEnded),
    ("SubscriptionsListenResultResponse", Role::ListenEnded),
    ("TextContent", Role::Part),
    ("TextResourceContents", Role::Part),
    ("TitledMultiSelectEnumSchema", Role::Part),
    ("TitledSingleSelectEnumSchema", Role::Part),
    ("Tool", Role::Part),
    ("ToolListChangedNotification", Role::NotificationMessage),
    ("ToolResultContent", Role::Part),
    ("ToolUseContent", Role::Part),
    // Renegotiated once by the stateless binding.
    ("UnsupportedProtocolVersionError", Role::Error),
    ("UntitledMultiSelectEnumSchema", Role::Part),
    ("UntitledSingleSelectEnumSchema", Role::Part),
];

/// What a client of 2026-07-28 puts into `_meta` itself.
const OWN_META: [&str; 3] = [
    "io.modelcontextprotocol/clientCapabilities",
    "io.modelcontextprotocol/clientInfo",
    "io.modelcontextprotocol/protocolVersion",
];

fn folder() -> PathBuf {
    let schemas = std::env::var_os("MCP_HTTP_SCHEMA").expect("MCP_HTTP_SCHEMA names a folder");
    PathBuf::from(schemas).join("examples-2026-07-28")
}

/// The examples of a definition, with their names, as they stand.
fn examples(definition: &str) -> Vec<(String, String)> {
    let files = std::fs::read_dir(folder().join(definition)).unwrap();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        (path.display().to_string(), text.trim().to_owned())
    };
    files.map(|file| read(file.unwrap().path())).collect()
}

#[test]
fn every_definition_has_a_role() {
    let folders = std::fs::read_dir(folder()).unwrap();
    let name = |folder: std::fs::DirEntry| folder.file_name().into_string().unwrap();
    let found: BTreeSet<String> = folders.map(|folder| name(folder.unwrap())).collect();
    let roles = ROLES.iter().map(|(definition, _)| *definition);
    let known: Vec<&str> = roles.collect();
    let once: BTreeSet<String> = known.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(found, once);
    assert_eq!(once.len(), known.len(), "a definition twice");
}

#[test]
fn every_example_is_read_or_built() {
    for (definition, role) in ROLES {
        for (name, text) in examples(definition) {
            println!("{name}: {role:?}");
            play(*role, &text);
        }
    }
}

fn play(role: Role, text: &str) {
    let example: Value = serde_json::from_str(text).unwrap();
    let method = || example["method"].as_str().unwrap();
    match role {
        Role::Acknowledged => stateless::acknowledged(&example),
        Role::Answer(method) => {
            answered(method, &example);
            let asked = round(&[("q", json!({ "method": method }))]);
            stateless::input_required(&asked, &json!({ "q": example }));
        }
        Role::Ask(method) => asked(method, &example),
        Role::AskMessage => asked(method(), &example["params"]),
        Role::Call(method) => called(method, &example),
        Role::CallMessage => called(method(), &example["params"]),
        Role::ClientCapabilities => client_capabilities(&example),
        Role::Discover => stateless::discover(&example),
        Role::Discovered => stateless::discovered(example.get("result").unwrap_or(&example)),
        Role::Error => {
            let example = example.get("error").unwrap_or(&example);
            error(example);
            stateless::error(example);
        }
        Role::InputRequests => {
            let asked = json!({ "resultType": "input_required", "inputRequests": example });
            stateless::input_required(&asked, &empty_answers(&example));
        }
        Role::InputRequired => {
            stateless::input_required(&example, &empty_answers(&example["inputRequests"]));
        }
        Role::InputResponses => {
            let methods = [("github_login", ELICIT), ("capital_of_france", SAMPLE)];
            let asked = round(&methods.map(|(key, method)| (key, json!({ "method": method }))));
            stateless::input_required(&asked, &example);
        }
        Role::Listen => stateless::listen(&example),
        Role::ListenEnded => stateless::listen_ended(example.get("result").unwrap_or(&example)),
        Role::Notification(method) => notified(&notification(method, example)),
        Role::NotificationMessage => notified(&example),
        Role::Part => read("tools/call", &format!("{{\"part\":{text}}}")),
        Role::Result(method) => {
            let members: Map<String, Value> = serde_json::from_str(text).unwrap();
            if members.contains_key("jsonrpc") {
                let response: std::collections::BTreeMap<String, Box<RawValue>> =
                    serde_json::from_str(text).unwrap();
                read(method, response["result"].get());
            } else {
                read(method, text);
            }
        }
        Role::ServerCapabilities => server_capabilities(&example),
        Role::Withdrawal => {
            let params = example.get("params").unwrap_or(&example);
            withdrawn(params);
            stateless::withdrawn(params);
        }
    }
}

/// A result that requires this input.
fn round(requests: &[(&str, Value)]) -> Value {
    let requests = requests.iter().cloned();
    let requests: Map<String, Value> = requests
        .map(|(key, request)| (key.to_owned(), request))
        .collect();
    json!({ "resultType": "input_required", "inputRequests": requests })
}

fn empty_answers(requests: &Value) -> Value {
    let keys = requests.as_object().into_iter().flat_map(Map::keys);
    keys.map(|key| (key.clone(), json!({}))).collect()
}

/// # Read
/// A result ends its call, and comes to the letter.
fn read(method: &str, result: &str) {
    let body = |id| format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{result}}}");
    let (mut w, (call, sent)) = begun(method);
    w.answer(&sent, 200)
        .typed("application/json", body(sent.rpc_id()));
    assert_eq!(w.reply(call).outcome.unwrap().as_str(), result);

    // As one event, for which it has to be one line.
    let line: Value = serde_json::from_str(result).unwrap();
    let (mut w, (call, sent)) = begun(method);
    w.answer(&sent, 200)
        .stream(&[world::result(sent.rpc_id(), line.clone())]);
    assert_eq!(w.result(call), line);
    stateless::read(method, result);
}

fn begun(method: &str) -> (World, (mcp_http::CallId, world::Sent)) {
    let mut w = World::ready();
    let begun = w.begin(method);
    (w, begun)
}

fn error(example: &Value) {
    for status in [200, 400, 404] {
        // Without an id, which 400 and 404 could have made doubtful.
        let mut w = World::ready_without_id();
        let (call, sent) = w.begin("tools/call");
        let id = sent.rpc_id();
        w.answer(&sent, status)
            .json(&json!({ "jsonrpc": "2.0", "id": id, "error": example }));
        let error = w.rpc_error(call);
        assert_eq!(json!(error.code), example["code"]);
        assert_eq!(json!(error.message), example["message"]);
        let data = error.data.map(|data| data.deserialize::<Value>().unwrap());
        assert_eq!(data.as_ref(), example.get("data"));
    }
}

fn notified(example: &Value) {
    let mut w = World::ready();
    let params = json!({ "name": "x", "_meta": { "progressToken": "oivaizmir" } });
    let call = w
        .connection
        .call("tools/call", &params, CallOptions::new(), w.now)
        .unwrap();
    w.drive();
    let sent = w.take("tools/call");
    w.answer(&sent, 200).stream(std::slice::from_ref(example));
    let [message] = w.messages().try_into().expect("one message");
    assert_eq!(message.method, example["method"].as_str().unwrap());
    assert_eq!(
        message.params.unwrap().deserialize::<Value>().unwrap(),
        example["params"]
    );
    assert_eq!(message.call, Some(call));
    stateless::notified(example);
}

/// In a session a question is a request.
fn asked(method: &str, params: &Value) {
    let (mut w, _, sent) = World::streaming();
    w.event(&sent, &request("q", method, params.clone()));
    let ask = w.ask();
    assert_eq!(ask.method, method);
    let told = ask.params.map(|params| params.deserialize().unwrap());
    assert_eq!(told.unwrap_or(Value::Null), *params);
    let asked = round(&[("q", json!({ "method": method, "params": params }))]);
    stateless::input_required(&asked, &json!({ "q": {} }));
}

fn withdrawn(params: &Value) {
    let (mut w, _, sent) = World::streaming();
    w.event(
        &sent,
        &request(params["requestId"].clone(), ELICIT, json!({})),
    );
    let ticket = w.ask().ticket;
    w.event(
        &sent,
        &notification("notifications/cancelled", params.clone()),
    );
    let taken_back =
        |event: &Event| matches!(event, Event::AskWithdrawn { ticket: of, .. } if *of == ticket);
    assert!(w.events.iter().any(taken_back));
}

fn server_capabilities(example: &Value) {
    let mut w = World::initializing();
    let mut result = initialized("2025-11-25");
    result["capabilities"] = example.clone();
    let sent = w.take("initialize");
    w.answer(&sent, 200).result(result);
    w.accept("notifications/initialized");
    let told = w.ready_event().capabilities;
    assert_eq!(told.deserialize::<Value>().unwrap(), *example);
}

/// # Built
fn client_capabilities(example: &Value) {
    let config = Config::new(ENDPOINT).unwrap().pin(Revision::V2025_11_25);
    let mut w = World::new(config.capabilities(example).unwrap());
    w.connect();
    let params = &w.take("initialize").json()["params"];
    assert_eq!(params["capabilities"], *example);
}

fn answered(method: &str, result: &Value) {
    let (mut w, _, sent) = World::streaming();
    w.event(&sent, &request("q", method, json!({})));
    let ticket = w.ask().ticket;
    w.connection.answer(ticket, Ok(result), w.now).unwrap();
    w.drive();
    let expected = json!({ "jsonrpc": "2.0", "id": "q", "result": result });
    assert_eq!(w.take("answer").json(), expected);
}

/// The application gives the params but for what the client adds itself, which in a session is
/// nothing. Without sessions the body is the whole example.
fn called(method: &str, example: &Value) {
    let mut params = example.clone();
    if let Some(meta) = params.get_mut("_meta").and_then(Value::as_object_mut) {
        meta.retain(|name, _| !OWN_META.contains(&name.as_str()));
        if meta.is_empty() {
            params.as_object_mut().unwrap().remove("_meta");
        }
    }
    let mut w = World::ready();
    w.connection
        .call(method, &params, CallOptions::new(), w.now)
        .unwrap();
    w.drive();
    let sent = w.take(method);
    let expected = request(sent.rpc_id(), method, params.clone());
    assert_eq!(sent.json(), expected);
    stateless::called(method, &request(1, method, example.clone()), &params);
}
