//! Sessions that are lost, and what becomes of the calls.

use mcp_http::{Recovery, Resend};
use serde_json::json;

use super::options;
use crate::say::{Say, error, reply};
use crate::scene::Step::{End, Notify, Ready, Reinitialize, Resume, Until};
use crate::scene::{Scene, call, call_with, initialize_result};

pub(crate) fn scenes() -> Vec<Scene> {
    let gone = || Say::status(404).body("text/plain", "no such session");
    let bad = || Say::status(400).json(&error(-32000, "no valid session"));
    vec![
        Scene::new(
            "a lost session",
            [Ready, call("a"), End("a"), call("b"), End("b")],
        )
        .on("a", 1, gone()),
        Scene::new(
            "a lost session under several calls",
            [
                Ready,
                call("a"),
                call("b"),
                call("c"),
                call("d"),
                End("a"),
                End("b"),
                End("c"),
                End("d"),
            ],
        )
        .at_once()
        .on("a", 1, gone_when_all_are_there())
        .on("b", 1, gone_when_all_are_there())
        .on("c", 1, gone_when_all_are_there())
        .on("d", 1, gone_when_all_are_there()),
        Scene::new(
            "a call that streams on in a session that is lost",
            [
                Ready,
                call("a"),
                Until("a", 1),
                call("b"),
                End("b"),
                End("a"),
            ],
        )
        .on(
            "a",
            1,
            Say::stream()
                .wait("b", 2)
                .event(&reply(&json!({ "old": true }))),
        )
        .on("b", 1, gone()),
        Scene::new("404 where there is no session", [call("a"), End("a")])
            .on(
                "initialize",
                1,
                Say::result(&initialize_result("2025-11-25")),
            )
            .on("a", 1, gone()),
        Scene::new("404 to a notification", [Ready, Notify("notifications/x")]).on(
            "notifications/x",
            1,
            gone(),
        ),
        Scene::new(
            "another server after the loss",
            [Ready, call("a"), End("a")],
        )
        .on("a", 1, gone())
        .on(
            "initialize",
            2,
            Say::result(&json!({
                "protocolVersion": "2025-06-18",
                "capabilities": { "tools": {}, "logging": {} },
                "serverInfo": { "name": "script", "version": "2" },
            }))
            .header("mcp-session-id", "other"),
        ),
        Scene::new(
            "a suspicious 400 to a session that lives",
            [Ready, call("a"), End("a")],
        )
        .on("a", 1, bad()),
        Scene::new(
            "a suspicious 400 without a word",
            [Ready, call("a"), End("a")],
        )
        .on("a", 1, Say::status(400)),
        Scene::new(
            "a suspicious 400 to a session that is gone",
            [Ready, call("a"), End("a")],
        )
        .on("a", 1, bad())
        .on("ping", 1, bad()),
        Scene::new(
            "a call that must not be sent again",
            [
                Ready,
                call_with("a", options().resend(Resend::Never)),
                End("a"),
                call("b"),
                End("b"),
            ],
        )
        .on("a", 1, gone()),
        Scene::new(
            "held until the application has restored its own state",
            [
                Ready,
                Resume,
                call("a"),
                Until("Ready", 2),
                call("restore"),
                End("restore"),
                Resume,
                End("a"),
            ],
        )
        .with(|config| config.recovery(Recovery::Hold))
        .on("a", 1, gone()),
        Scene::new(
            "nothing until the application says so",
            [
                Ready,
                Reinitialize,
                call("a"),
                Until("Reinitialize", 1),
                Reinitialize,
                End("a"),
            ],
        )
        .with(|config| config.recovery(Recovery::Manual))
        .on("a", 1, gone()),
        Scene::new(
            "sessions that all die at once",
            [Ready, call("a"), End("a"), call("b"), End("b")],
        )
        .always("a", gone()),
        Scene::new(
            "a loss, and nobody who makes a new one",
            [Ready, call("a"), End("a"), call("b"), End("b")],
        )
        .on("a", 1, gone())
        .on(
            "initialize",
            2,
            Say::status(500).body("text/plain", "out of memory"),
        ),
    ]
}

fn gone_when_all_are_there() -> Say {
    Say::status(404)
        .after("a", 1)
        .after("b", 1)
        .after("c", 1)
        .after("d", 1)
}
