//! Pages for those who have something to decide. There is no API in here.

/// Whether to trust this crate.
///
#[doc = include_str!("trust.md")]
/// # The last runs
///
#[doc = include_str!("last_runs.md")]
pub mod trust {}
