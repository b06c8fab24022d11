//! Credentials that are refused, and what the application does about it.

use mcp_http::Config;

use crate::say::Say;
use crate::scene::Step::{
    Authorize, Cancel, Close, End, Ready, RefuseAuthorization, SetHeader, Until,
};
use crate::scene::{Scene, call};

fn asks(config: Config) -> Config {
    config.authorize(true).bearer("old").unwrap()
}

fn denied() -> Say {
    Say::status(401)
        .header("www-authenticate", "Bearer scope=\"a b\"")
        .body("text/plain", "who are you?")
}

pub(crate) fn scenes() -> Vec<Scene> {
    vec![
        Scene::new(
            "a credential that is renewed",
            [
                Ready,
                call("a"),
                Until("Authorize", 1),
                Authorize("Bearer new"),
                End("a"),
            ],
        )
        .with(asks)
        .on("a", 1, denied()),
        Scene::new(
            "a handshake that waits for a credential",
            [
                call("a"),
                Until("Authorize", 1),
                Authorize("Bearer new"),
                End("a"),
            ],
        )
        .with(asks)
        .on("initialize", 1, denied()),
        Scene::new(
            "a credential that is renewed and refused too",
            [
                Ready,
                call("a"),
                Until("Authorize", 1),
                Authorize("Bearer bad"),
                End("a"),
            ],
        )
        .with(asks)
        .always("a", denied()),
        Scene::new(
            "a credential that nobody has",
            [
                Ready,
                call("a"),
                Until("Authorize", 1),
                RefuseAuthorization,
                End("a"),
                RefuseAuthorization,
            ],
        )
        .with(asks)
        .on("a", 1, denied()),
        Scene::new(
            "a credential that a header brings",
            [
                Ready,
                call("a"),
                Until("Authorize", 1),
                SetHeader("authorization", Some("Bearer new")),
                End("a"),
            ],
        )
        .with(asks)
        .on("a", 1, denied()),
        Scene::new(
            "a credential that nobody asks for",
            [Ready, call("a"), End("a")],
        )
        .with(asks)
        .reads_nothing()
        .on("a", 1, denied()),
        Scene::new(
            "a call that is cancelled while it waits for a credential",
            [
                Ready,
                call("a"),
                Until("Authorize", 1),
                Cancel("a"),
                End("a"),
                Authorize("Bearer new"),
                call("b"),
                End("b"),
            ],
        )
        .with(asks)
        .on("a", 1, denied()),
        Scene::new(
            "a connection that is closed while a call waits for a credential",
            [Ready, call("a"), Until("Authorize", 1), Close, End("a")],
        )
        .with(asks)
        .on("a", 1, denied()),
    ]
}
