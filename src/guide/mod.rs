//! Pages for those who have something to decide. There is no API in here.

/// Whether to trust this crate.
///
#[doc = include_str!("trust.md")]
/// # The last runs
///
#[doc = include_str!("last_runs.md")]
pub mod trust {}

/// For those who come from another client, or wrote their own: their words, ours, and the ten
/// lines before and after.
///
#[cfg(all(feature = "blocking", feature = "tokio"))]
#[doc = include_str!("moving_in.md")]
pub mod moving_in {}
