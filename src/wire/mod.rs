//! What travels: nothing here remembers anything between messages.

pub(crate) mod challenge;
pub(crate) mod headers;
pub(crate) mod jsonrpc;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod revision;
pub mod sse;
