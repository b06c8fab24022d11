//! Streams that break off, and the one on which the server is listened to.

use mcp_http::Config;
use serde_json::json;

use super::options;
use crate::say::{Say, note};
use crate::scene::Step::{Cancel, Close, End, Ready, Until};
use crate::scene::{Scene, call, call_with, request};

const STREAM: &str = "text/event-stream";

/// The stream of a first call, primed for polling, with one message in it.
const FIRST: &str = "id: p\nretry: 100\ndata:\n\nid: 1\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":\"one\"}}\n\n";
/// Its rest: the message once more, another one, and the reply to the third request.
const REST: &str = "id: 1\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":\"one\"}}\n\nid: 2\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":\"two\"}}\n\ndata: {\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"ok\":true}}\n\n";

fn first() -> Say {
    Say::status(200).body(STREAM, FIRST)
}

fn listening(config: Config) -> Config {
    config.listen(true)
}

pub(crate) fn scenes() -> Vec<Scene> {
    let log = |text: &str| {
        let params = json!({ "level": "info", "data": text });
        note("notifications/message", &params)
    };
    vec![
        Scene::new(
            "a stream that ends early and is polled",
            [call("a"), End("a")],
        )
        .on("a", 1, first())
        .on("GET", 1, Say::status(200).body(STREAM, ""))
        .on("GET", 2, Say::status(200).body(STREAM, REST)),
        Scene::new("a stream that breaks and is resumed", [call("a"), End("a")])
            .on("a", 1, first().then_cut())
            .on("GET", 1, Say::status(200).body(STREAM, REST)),
        Scene::new(
            "a stream that is not resumed",
            [call("a"), End("a"), call("b"), End("b")],
        )
        .on("a", 1, first())
        .on("GET", 1, Say::status(405)),
        Scene::new(
            "a stream that is gone, and a session that lives",
            [call("a"), End("a"), Until("ping", 1), call("b"), End("b")],
        )
        .on("a", 1, first())
        .on("GET", 1, Say::status(404)),
        Scene::new("a stream without ids", [call("a"), End("a")]).on(
            "a",
            1,
            Say::stream().event(&log("one")).then_cut(),
        ),
        Scene::new(
            "a call that is cancelled between two exchanges",
            [
                call_with("a", options()),
                Until("Message", 1),
                Cancel("a"),
                End("a"),
                Until("notifications/cancelled", 1),
            ],
        )
        .on(
            "a",
            1,
            Say::status(200).body(STREAM, &FIRST.replace("100", "20000")),
        ),
        Scene::new(
            "no listening stream is offered",
            [
                Ready,
                Until("GET", 1),
                Until("StreamNotOffered", 1),
                call("a"),
                End("a"),
            ],
        )
        .with(listening)
        .on("GET", 1, Say::status(405)),
        Scene::new(
            "a message on the listening stream",
            [Ready, Until("Message", 1), call("a"), End("a"), Close],
        )
        .with(listening)
        .on(
            "GET",
            1,
            Say::stream().event(&log("unasked")).then_silence(),
        ),
        Scene::new(
            "a listening stream that breaks and is restored",
            [
                Ready,
                Until("StreamRestored", 1),
                Until("Message", 2),
                Close,
            ],
        )
        .with(listening)
        .on("GET", 1, first().then_cut())
        .on("GET", 2, Say::stream().event(&log("again")).then_silence()),
        Scene::new(
            "subscriptions are carried over",
            [
                request("s", "resources/subscribe", json!({ "uri": "file:///a" })),
                End("s"),
                request("l", "logging/setLevel", json!({ "level": "debug" })),
                End("l"),
                call("a"),
                End("a"),
                Until("resources/subscribe", 2),
                Until("logging/setLevel", 2),
            ],
        )
        .on("initialize", 1, server("s1"))
        .on("initialize", 2, server("s2"))
        .on("a", 1, Say::status(404))
        .at_once(),
    ]
}

/// A server with resources and a log.
fn server(session: &str) -> Say {
    let result = json!({
        "protocolVersion": "2025-11-25",
        "capabilities": { "logging": {}, "resources": { "subscribe": true }, "tools": {} },
        "serverInfo": { "name": "script", "version": "1" },
    });
    Say::result(&result).header("mcp-session-id", session)
}
