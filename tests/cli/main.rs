//! The command `mcp-http` as people and scripts meet it: run as a child, against the
//! official Rust SDK's server and a scripted one.

#![cfg(all(test, feature = "cli"))]
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

mod command;
mod ending;
mod probe;
mod real;
mod scripted;
mod secrets;
mod stateless;
#[cfg(target_os = "linux")]
mod terminal;
mod usage;
