//! Test support, shared by proptest, the fuzz targets and the replay of the
//! committed corpus. No part of the API: it may change with any version.
//!
//! [`run`](run()) decodes bytes into operations, lets them loose on a
//! [`Connection`](crate::Connection) through its public API alone, and has a
//! separately written model look at everything that an observer can see. The
//! model knows the rules of what may be seen, and nothing of how the machine
//! keeps them. [`decode`] does the same for the decoder of event streams,
//! [`tools`](tools()) for the reader of lists of tools and of arguments.
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
pub mod explorer;
mod model;
mod network;
mod operation;
mod peer;
mod run;
mod secrets;
mod setup;
mod simulator;
mod sse;
mod story;
mod tools;

pub use crate::breakage::Breakage;
pub use run::run;
pub use setup::first_bytes;
pub use simulator::{
    Broken, Era, Lie, Options, Summary, Thing, simulate, simulate_told, simulate_with,
};
pub use sse::decode;
pub use story::{Story, Violation};
pub use tools::tools;
