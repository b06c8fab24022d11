//! The transport of the blocking adapter on its own, against servers on raw sockets; and
//! the trust of both adapters.

#![cfg(test)]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::string_slice,
    clippy::unreachable,
    clippy::unwrap_used,
    reason = "tests: clippy.toml allows these inside test functions, helpers need them too"
)]

mod abort;
mod hook;
mod http;
mod nonsense;
mod pool;
mod reach;
mod support;
mod tls;
mod trust;
