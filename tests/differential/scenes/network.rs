//! Networks that fail.

use std::time::Duration;

use mcp_http::{Config, Retries};
use serde_json::json;

use super::options;
use crate::say::{Say, note};
use crate::scene::Step::{End, Listen, Notify, Ready, Until};
use crate::scene::{Scene, call, call_with};

/// Who comes soon after a failure fails likewise, and here that is soon however slow the
/// machine is.
fn one_try_for_all(config: Config) -> Config {
    let mut retries = Retries::default();
    retries.floor = Duration::from_secs(60);
    config.retries(retries)
}

pub(crate) fn scenes() -> Vec<Scene> {
    let patient = |millis| options().wait_for_server(Duration::from_millis(millis));
    vec![
        Scene::new(
            "nobody listens",
            [Ready, call("a"), End("a"), Notify("notifications/x")],
        )
        .with(one_try_for_all)
        .away(),
        Scene::new(
            "somebody listens later, for whom one waits",
            [
                call("a"),
                End("a"),
                Listen,
                call_with("b", patient(20_000)),
                End("b"),
            ],
        )
        .away(),
        Scene::new(
            "somebody is waited for in vain",
            [call_with("a", patient(300)), End("a")],
        )
        .away(),
        Scene::new(
            "a connection that breaks before the head",
            [call("a"), End("a"), call("b"), End("b")],
        )
        .on("a", 1, Say::broken()),
        Scene::new("a connection that breaks in a body", [call("a"), End("a")]).on(
            "a",
            1,
            Say::status(200)
                .body("application/json", "{\"jsonrpc\"")
                .then_cut(),
        ),
        Scene::new(
            "a connection that breaks in a refusal",
            [call("a"), End("a")],
        )
        .on(
            "a",
            1,
            Say::status(403).body("text/plain", "because").then_cut(),
        ),
        Scene::new(
            "a connection that breaks in a stream",
            [call("a"), End("a")],
        )
        .on(
            "a",
            1,
            Say::stream()
                .event(&note("notifications/message", &json!({})))
                .wait("Message", 1)
                .then_cut(),
        ),
        Scene::new(
            "a connection that breaks under what may be sent again",
            [call_with("a", options().idempotent()), End("a")],
        )
        .on("a", 1, Say::broken()),
        Scene::new(
            "connections that all break",
            [call_with("a", options().idempotent()), End("a")],
        )
        .always("a", Say::broken()),
        Scene::new(
            "a connection that breaks under hello",
            [call("a"), End("a"), call("b"), End("b")],
        )
        .on("initialize", 1, Say::broken()),
        Scene::new(
            "a connection that breaks under a notification",
            [Ready, Notify("notifications/x")],
        )
        .on("notifications/x", 1, Say::broken()),
        Scene::new("a connection that breaks under a farewell", [Ready]).on(
            "DELETE",
            1,
            Say::broken(),
        ),
        Scene::new(
            "many calls at once",
            [
                Ready,
                call("a"),
                call("b"),
                call("c"),
                Until("c", 1),
                End("c"),
                End("b"),
                End("a"),
            ],
        )
        .at_once()
        .on(
            "a",
            1,
            Say::result(&json!({ "is": "a" }))
                .after("b", 1)
                .after("c", 1),
        )
        .on("b", 1, Say::broken().after("c", 1)),
    ]
}
