//! The asynchronous adapter against real servers: the official Rust SDK's, and a
//! scripted one on a real socket for what that one never does.

#![cfg(all(test, feature = "tokio"))]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unreachable,
    clippy::unwrap_used,
    reason = "tests: clippy.toml allows these inside test functions, helpers need them too"
)]

#[path = "../support/script.rs"]
mod script;
#[path = "../../examples/demo/server.rs"]
mod server;

mod authorize;
mod driver;
mod hand;
mod real;
mod scripted;
mod stateless;
mod waiting;

/// Waits for what happens elsewhere.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}
