//! Questions of the server.

use mcp_http::RpcError;
use serde_json::{Value, json};

use crate::say::{Say, ask, note, reply};
use crate::scene::Step::{Cancel, Close, End, Until};
use crate::scene::{Scene, call};

/// A call on whose behalf the server asks, and then waits for this.
fn asking(name: &'static str, cue: &'static str) -> Scene {
    let question = ask(
        "q-1",
        "elicitation/create",
        &json!({ "message": "your name?", "requestedSchema": {} }),
    );
    Scene::new(name, [call("a"), End("a")])
        .with(|config| config.capabilities(&json!({ "elicitation": {} })).unwrap())
        .on(
            "a",
            1,
            Say::stream()
                .event(&question)
                .wait(cue, 1)
                .event(&reply(&json!({ "ok": true }))),
        )
}

pub(crate) fn scenes() -> Vec<Scene> {
    let accept: Value = json!({ "action": "accept", "content": { "name": "Ada" } });
    vec![
        asking("an ask that is answered", "answered").answers(Ok(accept.clone())),
        asking("an ask that is answered with an error", "answered")
            .answers(Err(RpcError::new(-1, "nobody is in"))),
        asking("an ask answered with what is no object", "answered").answers(Ok(json!(7))),
        asking("an ask that nobody is there to read", "answer").reads_nothing(),
        asking("an ask that was not announced", "answer").with(|config| config),
        asking("an ask that outlives its call", "Ask"),
        asking("an answer that the server refuses", "answered")
            .answers(Ok(accept.clone()))
            .on("answer", 1, Say::status(500).body("text/plain", "no")),
        asking("an answer that nobody knows the session of", "answered")
            .answers(Ok(accept))
            .on("answer", 1, Say::status(404))
            .steps([call("a"), End("a"), Until("Ready", 2)]),
        Scene::new("an ask that the server takes back", [call("a"), End("a")])
            .with(|config| config.capabilities(&json!({ "roots": {} })).unwrap())
            .on(
                "a",
                1,
                Say::stream()
                    .event(&ask(7, "roots/list", &json!({})))
                    .wait("Ask", 1)
                    .event(&note("notifications/cancelled", &json!({ "requestId": 7 })))
                    .wait("AskWithdrawn", 1)
                    .event(&reply(&json!({ "ok": true }))),
            ),
        asking("an ask under a call that is cancelled", "never").steps([
            call("a"),
            Until("Ask", 1),
            Cancel("a"),
            End("a"),
            Until("notifications/cancelled", 1),
        ]),
        asking("an ask when all is closed", "never").steps([
            call("a"),
            Until("Ask", 1),
            Close,
            End("a"),
        ]),
    ]
}
