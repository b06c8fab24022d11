//! What travels: nothing here remembers anything between messages.

pub(crate) mod challenge;
pub(crate) mod headers;
pub(crate) mod jsonrpc;
#[cfg_attr(
    not(any(test, feature = "harness")),
    expect(dead_code, reason = "the connection does not use it yet")
)]
pub(crate) mod mirror;
mod object;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod revision;
pub mod sse;
#[cfg_attr(
    not(any(test, feature = "harness")),
    expect(dead_code, reason = "the connection does not use it yet")
)]
pub(crate) mod tools;
#[cfg_attr(
    not(any(test, feature = "harness")),
    expect(dead_code, reason = "the connection does not use it yet")
)]
pub(crate) mod value;
