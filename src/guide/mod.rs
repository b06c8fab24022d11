//! Pages for those who have something to decide. There is no API in here.

#[doc = include_str!("trust.md")]
pub mod trust {}
