//! What comes of a call.

use serde_json::json;

use super::options;
use crate::say::{Say, ask, error, note, reply};
use crate::scene::Step::{Cancel, Drop, End, Notify, Ready, Until};
use crate::scene::{Scene, call, call_with, initialize_result};
use mcp_http::Resend;
use std::time::Duration;

pub(crate) fn scenes() -> Vec<Scene> {
    let progress = |done: u64| {
        let params = json!({ "progressToken": "$TOKEN", "progress": done });
        note("notifications/progress", &params)
    };
    let ok = json!({ "ok": true });
    vec![
        Scene::new(
            "a reply as JSON",
            [Ready, call("a"), End("a"), call("b"), End("b")],
        ),
        Scene::new(
            "a reply in a stream, after progress and a message",
            [call_with("a", options().progress()), End("a")],
        )
        .on(
            "a",
            1,
            Say::stream()
                .event(&progress(1))
                .event(&note(
                    "notifications/message",
                    &json!({ "level": "info", "data": "…" }),
                ))
                .event(&progress(2))
                .wait("Message", 3)
                .event(&reply(&ok)),
        ),
        Scene::new("an error as the reply", [call("a"), End("a")]).on(
            "a",
            1,
            Say::error(-32602, "bad params"),
        ),
        Scene::new("an error in a stream", [call("a"), End("a")]).on(
            "a",
            1,
            Say::stream().event(&error(-32000, "it broke")),
        ),
        Scene::new("an error with 403", [call("a"), End("a")]).on(
            "a",
            1,
            Say::status(403).json(&error(-32000, "not here")),
        ),
        Scene::new("403 without a reason", [call("a"), End("a")]).on("a", 1, Say::status(403)),
        Scene::new("401 with challenges", [call("a"), End("a")]).on(
            "a",
            1,
            Say::status(401)
                .header(
                    "www-authenticate",
                    "Bearer realm=\"a, b\", scope=\"x y\", Basic realm=c",
                )
                .body("text/plain", "who are you?"),
        ),
        Scene::new("accepted, and no reply", [call("a"), End("a")]).on("a", 1, Say::status(202)),
        Scene::new("no content", [call("a"), End("a")]).on("a", 1, Say::status(204)),
        Scene::new("a page where a reply was due", [call("a"), End("a")]).on(
            "a",
            1,
            Say::status(200).body("text/html; charset=utf-8", "<h1>\u{1b}hello</h1>"),
        ),
        Scene::new("JSON that is none", [call("a"), End("a")]).on(
            "a",
            1,
            Say::status(200).body("application/json", "{\"jsonrpc\":"),
        ),
        Scene::new("the reply to another request", [call("a"), End("a")]).on(
            "a",
            1,
            Say::status(200).json(&json!({ "jsonrpc": "2.0", "id": 99, "result": {} })),
        ),
        Scene::new("an array", [call("a"), End("a")]).on(
            "a",
            1,
            Say::status(200).json(&json!([reply(&ok)])),
        ),
        Scene::new(
            "an array, where the revision has them",
            [call_with("a", options().progress()), End("a")],
        )
        .on(
            "initialize",
            1,
            Say::result(&initialize_result("2025-03-26")),
        )
        .on(
            "a",
            1,
            Say::status(200).json(&json!([progress(1), reply(&ok)])),
        ),
        Scene::new(
            "a stream that ends without the reply",
            [call("a"), End("a")],
        )
        .on(
            "a",
            1,
            Say::stream()
                .event(&note("notifications/message", &json!({})))
                .wait("Message", 1),
        ),
        Scene::new("a stream with what nobody can read", [call("a"), End("a")]).on(
            "a",
            1,
            Say::stream()
                .event(&json!("nonsense"))
                .wait("Fail", 1)
                .event(&reply(&ok)),
        ),
        Scene::new("a ping inside of a stream", [call("a"), End("a")]).on(
            "a",
            1,
            Say::stream()
                .event(&ask("are you there", "ping", &json!({})))
                .wait("answer", 1)
                .event(&reply(&ok)),
        ),
        Scene::new("429, and then it goes", [call("a"), End("a")]).on(
            "a",
            1,
            Say::status(429).header("retry-after", "0"),
        ),
        Scene::new("429 for longer than anybody waits", [call("a"), End("a")]).on(
            "a",
            1,
            Say::status(429)
                .header("retry-after", "600")
                .body("text/plain", "slow down"),
        ),
        Scene::new("429 again and again", [call("a"), End("a")])
            .always("a", Say::status(429).header("retry-after", "0")),
        Scene::new(
            "503 to what may be sent again",
            [call_with("a", options().idempotent()), End("a")],
        )
        .on("a", 1, Say::status(503).header("retry-after", "0")),
        Scene::new("503 to what may not", [call("a"), End("a")]).on(
            "a",
            1,
            Say::status(503)
                .header("retry-after", "0")
                .body("text/plain", "down"),
        ),
        Scene::new(
            "503 to what may not although it could",
            [
                call_with("a", options().idempotent().resend(Resend::Never)),
                End("a"),
            ],
        )
        .on("a", 1, Say::status(503)),
        Scene::new("303", [call("a"), End("a")]).on(
            "a",
            1,
            Say::status(303).header("location", "/elsewhere"),
        ),
        Scene::new("302 to the slash", [call("a"), End("a")]).on(
            "a",
            1,
            Say::status(302).header("location", "/mcp/"),
        ),
        Scene::new(
            "307 on the same origin",
            [call("a"), End("a"), call("b"), End("b")],
        )
        .on(
            "a",
            1,
            Say::status(307).header("location", "/elsewhere?x=1"),
        ),
        Scene::new("308 to another origin", [call("a"), End("a")]).on(
            "a",
            1,
            Say::status(308).header("location", "http://127.0.0.1:1/mcp"),
        ),
        Scene::new("307 in a circle", [call("a"), End("a")])
            .always("a", Say::status(307).header("location", "/mcp")),
        Scene::new("a status that answers nothing", [call("a"), End("a")]).on(
            "a",
            1,
            Say::status(304),
        ),
        Scene::new(
            "a notification",
            [Notify("notifications/roots/list_changed")],
        ),
        Scene::new(
            "a notification that is refused",
            [
                Notify("notifications/roots/list_changed"),
                call("a"),
                End("a"),
            ],
        )
        .on(
            "notifications/roots/list_changed",
            1,
            Say::status(500).body("text/plain", "no"),
        ),
        Scene::new(
            "a call that is cancelled",
            [
                call("a"),
                Until("a", 1),
                Cancel("a"),
                End("a"),
                Cancel("a"),
                Until("notifications/cancelled", 1),
                call("b"),
                End("b"),
            ],
        )
        .on("a", 1, Say::silence()),
        Scene::new(
            "a call that is dropped",
            [
                call("a"),
                Until("a", 1),
                Drop("a"),
                Until("notifications/cancelled", 1),
                call("b"),
                End("b"),
            ],
        )
        .on("a", 1, Say::stream().then_silence()),
        Scene::new(
            "a call whose time is over",
            [
                Ready,
                call_with("a", options().time_out(Duration::from_secs(1))),
                End("a"),
                Until("notifications/cancelled", 1),
            ],
        )
        .on("a", 1, Say::stream().then_silence()),
    ]
}
