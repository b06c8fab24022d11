//! Scenarios: named stories against a scripted server in virtual time, over the public API.
//!
//! [`world::World`] is the story's stage: it owns a connection and a clock, does what the
//! connection wants, and holds the requests that nobody answered yet. It checks in every story
//! that each call ends once (law 2), that there is no more of anything than there may be (law 8) and
//! that no time-out stays in the past (law 10).

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: clippy.toml allows these inside test functions, helpers need them too"
)]

#[path = "../support/record.rs"]
mod record;

mod answers;
mod asks;
mod authorize;
mod between;
mod breaks;
mod cursor;
mod eras;
mod errors;
mod errors_stateless;
mod field;
mod handshake;
mod heard;
mod hostile;
mod http_sse;
mod interleavings;
mod laws;
mod limits;
mod listening;
mod misuse;
mod phases;
mod polling;
mod progress;
mod redirects;
mod restoring;
mod resume;
mod revisions;
mod rounds;
mod secrets;
mod sessions;
mod silence;
mod stateless;
mod storms;
mod streams;
mod subscriptions;
mod time;
mod tools;
mod unread;
mod work;
mod world;
