//! What travels: nothing here remembers anything between messages.

pub(crate) mod binding;
pub(crate) mod challenge;
pub(crate) mod handshake;
pub(crate) mod headers;
pub(crate) mod jsonrpc;
pub(crate) mod meta;
pub(crate) mod mirror;
mod object;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod result;
pub(crate) mod revision;
pub mod sse;
pub(crate) mod tools;
pub(crate) mod value;
