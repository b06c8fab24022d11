//! How a session begins and ends.

use mcp_http::Revision;
use serde_json::json;

use super::brisk;
use crate::say::{Say, ask, note, reply};
use crate::scene::Step::{Close, End, Ready, SetHeader, Until};
use crate::scene::{Scene, call, call_with, initialize_result, initialized, request};

pub(crate) fn scenes() -> Vec<Scene> {
    vec![
        Scene::new("hello and farewell", [Ready]),
        Scene::new("the first call begins the session", [call("a"), End("a")]),
        Scene::new("a session without an id", [call("a"), End("a")]).on(
            "initialize",
            1,
            Say::result(&initialize_result("2025-11-25")),
        ),
        Scene::new("an older revision has no header", [call("a"), End("a")]).on(
            "initialize",
            1,
            Say::result(&initialize_result("2025-03-26")).header("mcp-session-id", "old"),
        ),
        Scene::new("a revision that nobody offered", [Ready]).on(
            "initialize",
            1,
            Say::result(&initialize_result("1999-12-31")).header("mcp-session-id", "odd"),
        ),
        Scene::new("a pinned revision", [Ready])
            .with(|config| config.pin(Revision::V2025_06_18))
            .on(
                "initialize",
                1,
                Say::result(&initialize_result("2025-06-18")).header("mcp-session-id", "pinned"),
            ),
        Scene::new(
            "hello in a stream, with a message and a ping",
            [Ready, call("a"), End("a")],
        )
        .on(
            "initialize",
            1,
            Say::stream()
                .header("mcp-session-id", "streamed")
                .event(&note(
                    "notifications/message",
                    &json!({ "data": "welcome" }),
                ))
                .event(&ask("p", "ping", &json!({})))
                .wait("answer", 1)
                .event(&reply(&initialize_result("2025-11-25"))),
        ),
        Scene::new("hello refused with an error", [Ready, call("a"), End("a")])
            .always("initialize", Say::error(-32602, "no")),
        Scene::new("hello at the wrong address", [call("a"), End("a")])
            .with(|config| config.pin(Revision::V2025_11_25))
            .on(
                "initialize",
                1,
                Say::status(404).body("text/html", "<h1>no such page</h1>"),
            ),
        Scene::new("hello to one that is silent", [Ready])
            .with(brisk)
            .on("initialize", 1, Say::silence()),
        Scene::new("hello that has to wait", [call("a"), End("a")]).on(
            "initialize",
            1,
            Say::status(429).header("retry-after", "0"),
        ),
        Scene::new(
            "a session that is lost before it is ready",
            [call("a"), End("a")],
        )
        .on("notifications/initialized", 1, Say::status(404)),
        Scene::new(
            "headers of the connection and of a call",
            [
                call("a"),
                End("a"),
                SetHeader("authorization", Some("Bearer new")),
                SetHeader("x-tenant", None),
                SetHeader("mcp-session-id", Some("mine")),
                SetHeader("x-split", Some("a\r\nb: c")),
                call_with("b", super::options().header("x-own", "Once").unwrap()),
                End("b"),
                call("c"),
                End("c"),
            ],
        )
        .with(|config| {
            let config = config.header("authorization", "Bearer old").unwrap();
            config.header("x-tenant", "Blue").unwrap()
        }),
        Scene::new(
            "closing with a call under way",
            [call("a"), Until("a", 1), Close, End("a")],
        )
        .on("a", 1, Say::silence()),
        Scene::new("closing before anything", [Close]),
        Scene::new(
            "after closing",
            [call("a"), End("a"), Close, call("b"), End("b"), Ready],
        ),
        Scene::new("a farewell that nobody answers", [Ready])
            .with(brisk)
            .on("DELETE", 1, Say::silence()),
        Scene::new("a farewell that is refused", [Ready]).on("DELETE", 1, Say::status(405)),
        Scene::new(
            "what belongs to the protocol",
            [
                request("initialize", "initialize", json!({})),
                End("initialize"),
                request("array", "tools/list", json!([1])),
                End("array"),
            ],
        ),
        Scene::new(
            "a server that gives every answer a session id of its own",
            [call("a"), End("a"), call("b"), End("b")],
        )
        .on("initialize", 1, initialized("first"))
        .on(
            "a",
            1,
            Say::result(&json!({})).header("mcp-session-id", "second"),
        ),
    ]
}
