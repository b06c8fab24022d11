//! All scenes.

mod answers;
mod asks;
mod credentials;
mod handshake;
mod network;
mod sessions;
mod stateless;
mod streams;

use std::time::Duration;

use mcp_http::{CallOptions, Config};

use crate::scene::Scene;

pub(crate) fn all() -> Vec<Scene> {
    let mut all = handshake::scenes();
    all.extend(answers::scenes());
    all.extend(sessions::scenes());
    all.extend(asks::scenes());
    all.extend(credentials::scenes());
    all.extend(network::scenes());
    all.extend(streams::scenes());
    all.extend(stateless::scenes());
    all
}

fn options() -> CallOptions {
    CallOptions::new()
}

/// A configuration with short clocks, for servers that are silent.
fn brisk(config: Config) -> Config {
    let mut clocks = mcp_http::Clocks::default();
    clocks.head = Some(Duration::from_secs(1));
    clocks.delete = Duration::from_secs(1);
    config.clocks(clocks)
}
