//! The asynchronous adapter against real servers: the official Rust SDK's, and a
//! scripted one on a real socket for what that one never does.

#![cfg(all(test, feature = "tokio"))]

#[path = "../../examples/demo/server.rs"]
mod server;

mod real;
mod script;
mod scripted;
