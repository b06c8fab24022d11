//! The error that a JSON-RPC answer carries.

use std::fmt;

use serde::Deserialize;

use crate::RawJson;
use crate::wire::headers;

/// A JSON-RPC error object (JSON-RPC 2.0, section 5.1).
///
/// `Display` shows the code and an excerpt of the message, for it is what the server
/// says of the failure; `Debug` shows the code alone, and `data` is shown by nothing.
#[derive(Clone, Deserialize, PartialEq)]
pub struct RpcError {
    /// What kind of error: negative codes near −32000 are the protocol's.
    pub code: i64,
    /// The server's one-line description.
    #[serde(default)]
    pub message: String,
    /// Whatever the server added.
    #[serde(default)]
    pub data: Option<RawJson>,
}

impl RpcError {
    /// An error without data, for answering an ask.
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            data: None,
        }
    }

    /// `-32601`, the answer to an ask for a method that is not offered.
    #[must_use]
    pub fn method_not_found() -> Self {
        Self::new(-32601, "Method not found")
    }

    /// How much it holds in memory.
    pub(crate) fn bytes(&self) -> usize {
        let data = self.data.as_ref().map_or(0, RawJson::len);
        data.saturating_add(self.message.len())
    }
}

impl fmt::Debug for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RpcError({}, {} bytes)", self.code, self.message.len())
    }
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = headers::excerpt(self.message.as_bytes());
        write!(f, "JSON-RPC error {}: {message}", self.code)
    }
}

impl std::error::Error for RpcError {}
