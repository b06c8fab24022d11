//! Servers without sessions (2026-07-28).

use mcp_http::{Config, Revision, RpcError, SubscriptionFilter};
use serde_json::{Value, json};

use super::options;
use crate::say::{Say, ask, note, reply};
use crate::scene::Step::{
    Authorize, Cancel, Close, End, HearAbout, Notify, Ready, RefuseAuthorization, Until,
};
use crate::scene::{Scene, call, call_with, discovered, request};

fn stateless(config: Config) -> Config {
    config.pin(Revision::V2026_07_28)
}

fn askable(config: Config) -> Config {
    let capabilities = json!({ "elicitation": {} });
    stateless(config).capabilities(&capabilities).unwrap()
}

fn asks_for_credentials(config: Config) -> Config {
    stateless(config).authorize(true).bearer("old").unwrap()
}

fn scene(name: &'static str, steps: impl Into<Vec<crate::scene::Step>>) -> Scene {
    Scene::new(name, steps).with(stateless)
}

/// An error with a status and data, as the protocol's own have them.
fn refused(status: u16, code: i64, data: &Value) -> Say {
    let error = json!({ "code": code, "message": "no", "data": data });
    Say::status(status).json(&json!({ "jsonrpc": "2.0", "id": "$ID", "error": error }))
}

fn unsupported(supported: &[&str]) -> Say {
    let data = json!({ "supported": supported, "requested": "2026-07-28" });
    refused(400, -32022, &data)
}

fn denied() -> Say {
    Say::status(401).header("www-authenticate", "Bearer scope=\"a b\"")
}

/// An answer that asks for a name, and for a place.
fn required(state: &str) -> Value {
    let question = |message| {
        let params = json!({ "message": message, "requestedSchema": {} });
        json!({ "method": "elicitation/create", "params": params })
    };
    let requests = json!({ "a name": question("Who?"), "a place": question("Where?") });
    json!({ "resultType": "input_required", "inputRequests": requests, "requestState": state })
}

/// A call whose server asks twice in one answer, and then is content.
fn asking(name: &'static str) -> Scene {
    Scene::new(name, [call("a"), End("a")]).with(askable).on(
        "a",
        1,
        Say::result(&required("caf\u{e9} \u{1f980}\n")),
    )
}

fn log(text: &str) -> Value {
    let params = json!({ "level": "info", "data": text });
    note("notifications/message", &params)
}

fn list(tools: &[Value]) -> Value {
    json!({ "resultType": "complete", "tools": tools, "ttlMs": 0, "cacheScope": "private" })
}

fn tool(name: &str, header: &str) -> Value {
    let place = json!({ "type": "string", "x-mcp-header": header });
    let schema = json!({ "type": "object", "properties": { "place": place } });
    json!({ "name": name, "inputSchema": schema })
}

fn filter() -> SubscriptionFilter {
    SubscriptionFilter::new()
        .tools_list_changed()
        .resource("file:///a")
}

/// A listening stream on which the server agrees to part of that, and tells something.
fn told() -> Say {
    let of_stream = json!({ "io.modelcontextprotocol/subscriptionId": "$ID" });
    let agreed = json!({ "notifications": { "toolsListChanged": true }, "_meta": of_stream });
    let changed = json!({ "_meta": of_stream });
    Say::stream()
        .event(&note("notifications/subscriptions/acknowledged", &agreed))
        .event(&note("notifications/tools/list_changed", &changed))
}

pub(crate) fn scenes() -> Vec<Scene> {
    let mut all = calls();
    all.extend(rounds());
    all.extend(listening());
    all.extend(credentials());
    all
}

fn calls() -> Vec<Scene> {
    let say_ok = || reply(&json!({ "resultType": "complete", "ok": true }));
    let progress = json!({ "progressToken": "$TOKEN", "progress": 1 });
    vec![
        scene("without sessions", [Ready, call("a"), End("a"), Close]),
        scene(
            "without sessions, a server that gives session ids",
            [call("a"), End("a"), call("b"), End("b")],
        )
        .on(
            "server/discover",
            1,
            Say::result(&discovered(&["2026-07-28"])).header("mcp-session-id", "s1"),
        )
        .on(
            "a",
            1,
            Say::result(&json!({})).header("mcp-session-id", "s1"),
        ),
        scene(
            "without sessions, a server of another time",
            [Ready, call("a"), End("a")],
        )
        .always("server/discover", Say::result(&discovered(&["2025-11-25"]))),
        scene(
            "without sessions, no such method",
            [request("a", "no/such/method", json!({})), End("a")],
        )
        .on("no/such/method", 1, refused(404, -32601, &json!(null))),
        scene(
            "without sessions, nothing of MCP",
            [Ready, call("a"), End("a"), call("b"), End("b")],
        )
        .always("a", Say::status(404).body("text/plain", "what?")),
        scene(
            "without sessions, a result on a stream",
            [call_with("a", options().progress()), End("a")],
        )
        .on(
            "a",
            1,
            Say::stream()
                .event(&note("notifications/progress", &progress))
                .event(&log("half"))
                .event(&say_ok()),
        ),
        scene(
            "without sessions, a stream that breaks",
            [call("a"), End("a"), call("b"), End("b")],
        )
        .on("a", 1, Say::stream().event(&log("half")).then_cut()),
        scene(
            "without sessions, a stream that ends early although it has ids",
            [call("a"), End("a")],
        )
        .on(
            "a",
            1,
            Say::status(200).body("text/event-stream", "id: 1\nretry: 100\ndata:\n\n"),
        ),
        scene(
            "without sessions, a stream that breaks under what may be sent again",
            [call_with("a", options().idempotent()), End("a")],
        )
        .on("a", 1, Say::stream().event(&log("half")).then_cut())
        .on("a", 2, Say::stream().event(&say_ok())),
        scene(
            "without sessions, a call that is cancelled",
            [
                call("a"),
                Until("Message", 1),
                Cancel("a"),
                End("a"),
                Until("closed", 1),
                call("b"),
                End("b"),
            ],
        )
        .on("a", 1, Say::stream().event(&log("half")).then_held()),
        scene(
            "without sessions, a request of the server",
            [call("a"), End("a")],
        )
        .with(askable)
        .on(
            "a",
            1,
            Say::stream()
                .event(&ask(1, "elicitation/create", &json!({ "message": "?" })))
                .event(&say_ok()),
        ),
        scene(
            "a revision that is refused, and is spoken all the same",
            [call("a"), End("a")],
        )
        .on("server/discover", 1, unsupported(&["2026-07-28"]))
        .on("a", 1, unsupported(&["2026-07-28"])),
        scene("a revision that is refused twice", [call("a"), End("a")])
            .always("a", unsupported(&["2026-07-28"])),
        scene(
            "a revision that is refused, and no other in common",
            [call("a"), End("a"), call("b"), End("b")],
        )
        .always("a", unsupported(&["2099-01-01"])),
        scene(
            "headers that the server wants and the client does not know of",
            [
                request(
                    "a",
                    "tools/call",
                    json!({ "name": "a", "arguments": { "place": "K\u{f6}ln" } }),
                ),
                End("a"),
            ],
        )
        .on("a", 1, refused(400, -32020, &json!(null)))
        .on(
            "tools/list",
            1,
            Say::result(&list(&[tool("a", "Place"), tool("b", "Place")])),
        ),
        scene("headers that the server never likes", [call("a"), End("a")])
            .always("a", refused(400, -32020, &json!(null)))
            .on("tools/list", 1, Say::result(&list(&[tool("a", "Place")]))),
        scene(
            "a tool that is taken out of the list",
            [request("l", "tools/list", json!({})), End("l")],
        )
        .on(
            "tools/list",
            1,
            Say::result(&list(&[tool("bad", "a b"), tool("good", "Place")])),
        ),
        scene(
            "what belongs to other times",
            [
                Ready,
                request("ping", "ping", json!({})),
                End("ping"),
                request("s", "resources/subscribe", json!({ "uri": "file:///a" })),
                End("s"),
                request("none", "logging/setLevel", json!({ "level": "loud" })),
                End("none"),
                Notify("notifications/roots/list_changed"),
            ],
        ),
        scene(
            "a log level that travels with each request",
            [
                request("l", "logging/setLevel", json!({ "level": "debug" })),
                End("l"),
                call("a"),
                End("a"),
            ],
        ),
    ]
}

fn rounds() -> Vec<Scene> {
    let accept = json!({ "action": "accept", "content": { "name": "Ada" } });
    let state = json!({ "resultType": "input_required", "requestState": "later" });
    vec![
        asking("questions in an answer").answers(Ok(accept.clone())),
        asking("questions in an answer, and others in the next")
            .answers(Ok(accept.clone()))
            .on("a", 2, Say::stream().event(&reply(&required("second")))),
        asking("questions in an answer that get an error")
            .answers(Err(RpcError::new(-1, "nobody is in"))),
        asking("questions in an answer that nobody reads").reads_nothing(),
        asking("questions in an answer that were not announced").with(stateless),
        asking("questions in an answer to a call that is cancelled").steps([
            call("a"),
            Until("Ask", 2),
            Cancel("a"),
            End("a"),
        ]),
        asking("questions in an answer when all is closed").steps([
            call("a"),
            Until("Ask", 2),
            Close,
            End("a"),
        ]),
        asking("an answered question, and a server that breaks")
            .answers(Ok(accept))
            .on("a", 2, Say::broken()),
        scene("a state that comes back later", [call("a"), End("a")]).on(
            "a",
            1,
            Say::result(&state),
        ),
        scene(
            "a question in place of a list",
            [request("l", "tools/list", json!({})), End("l")],
        )
        .with(askable)
        .on("tools/list", 1, Say::result(&required("x"))),
    ]
}

fn listening() -> Vec<Scene> {
    vec![
        scene(
            "changes that the server tells",
            [
                HearAbout(filter()),
                Until("Message", 1),
                call("a"),
                End("a"),
                Close,
                Until("closed", 1),
            ],
        )
        .on("subscriptions/listen", 1, told().then_held()),
        scene(
            "changes that the server tells no more",
            [
                HearAbout(filter()),
                Until("StreamEnded", 1),
                HearAbout(filter()),
                Until("Message", 2),
                HearAbout(SubscriptionFilter::new()),
                Until("closed", 1),
            ],
        )
        .on(
            "subscriptions/listen",
            1,
            told().event(&reply(&json!({ "resultType": "complete" }))),
        )
        .on("subscriptions/listen", 2, told().then_held()),
        scene(
            "changes, and a stream that breaks",
            [HearAbout(filter()), Until("Message", 2), Close],
        )
        .on("subscriptions/listen", 1, told().then_cut())
        .on("subscriptions/listen", 2, told().then_held()),
        scene(
            "changes that the server does not tell",
            [
                HearAbout(filter()),
                Until("StreamNotOffered", 1),
                call("a"),
                End("a"),
            ],
        )
        .on(
            "subscriptions/listen",
            1,
            refused(404, -32601, &json!(null)),
        ),
    ]
}

fn credentials() -> Vec<Scene> {
    vec![
        scene(
            "without sessions, a credential that is renewed twice",
            [
                call("a"),
                Until("Authorize", 1),
                Authorize("Bearer new"),
                Until("Authorize", 2),
                Authorize("Bearer newer"),
                End("a"),
            ],
        )
        .with(asks_for_credentials)
        .on("server/discover", 1, denied())
        .on("a", 1, denied()),
        scene(
            "without sessions, a credential that nobody has",
            [
                Ready,
                call("a"),
                Until("Authorize", 1),
                RefuseAuthorization,
                End("a"),
            ],
        )
        .with(asks_for_credentials)
        .on("a", 1, denied()),
    ]
}
