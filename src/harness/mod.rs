//! Test support, shared by proptest, the fuzz targets and the replay of the
//! committed corpus. No part of the API: it may change with any version.
//!
//! [`run`](run()) decodes bytes into operations, lets them loose on a
//! [`Connection`](crate::Connection) through its public API alone, and has a
//! separately written model look at everything that an observer can see. The
//! model knows the rules of what may be seen, and nothing of how the machine
//! keeps them. What reads the words of a peer has bodies of its own, each with naive
//! readers beside it: [`decode`] for event streams, [`message`](message()) for JSON-RPC messages, [`tools`](tools())
//! for lists of tools and arguments, [`response`](response()) for what an answer means,
//! [`challenge`](challenge()) for `WWW-Authenticate`, [`headers`](headers()) for the other
//! header fields, [`url`](url()) for endpoints and redirects.
#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test: what goes wrong here is to be seen at once"
)]

mod application;
mod ceilings;
mod challenge;
pub mod explorer;
mod headers;
mod json;
mod law;
mod liar;
mod message;
mod model;
mod network;
mod operation;
mod peer;
mod response;
mod run;
mod secrets;
mod setup;
mod simulator;
mod sse;
mod story;
mod tools;
mod url;

pub use crate::breakage::Breakage;
pub use ceilings::excess;
pub use challenge::challenge;
pub use headers::headers;
pub use liar::Lie;
pub use message::message;
pub use response::response;
pub use run::{run, run_broken, run_lied_to};
pub use setup::first_bytes;
pub use simulator::{
    Broken, Era, Options, Rule, Summary, Thing, simulate, simulate_told, simulate_with, world,
};
pub use sse::decode;
pub use story::{Story, Violation};
pub use tools::tools;
pub use url::url;
