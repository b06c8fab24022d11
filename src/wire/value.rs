//! Values of `Mcp-Name` and `Mcp-Param-*` (2026-07-28, transports, value encoding).

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

use super::object;
use crate::RawJson;

const PREFIX: &str = "=?base64?";
const SUFFIX: &str = "?=";

/// The text as it travels. It is marked as sensitive: names, URIs and arguments are contents of
/// messages (law 9).
pub(crate) fn encode(text: &str) -> HeaderValue {
    let plain = is_plain(text).then(|| HeaderValue::from_str(text).ok());
    let mut value = plain.flatten().unwrap_or_else(|| encoded(text));
    value.set_sensitive(true);
    value
}

/// Stricter than the specification, which lets tabs pass between other characters: its proposal
/// (SEP-2243) and nearly all SDKs encode every tab, and every server decodes. The empty text is
/// encoded too. An empty header is dropped by many proxies, and the Go SDK's server takes it for
/// a missing one; all servers decode `=?base64??=`.
fn is_plain(text: &str) -> bool {
    let is_safe = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let has_outer_blanks = text.starts_with(' ') || text.ends_with(' ');
    let seems_encoded = text.starts_with(PREFIX) && text.ends_with(SUFFIX);
    is_safe && !has_outer_blanks && !seems_encoded && !text.is_empty()
}

fn encoded(text: &str) -> HeaderValue {
    let value = [PREFIX, &STANDARD.encode(text), SUFFIX].concat();
    // Base64 fits into any header.
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("=?base64??="))
}

/// The tool that the params of a call name.
pub(crate) fn tool_of(params: &RawJson) -> Option<Cow<'_, str>> {
    object::string(object::member(params.as_str(), "name")?)
}

/// What `Mcp-Name` says about a request: which of the things behind the method it is about.
/// `None` if the method has no such header, or the params no such text.
pub(crate) fn name_of(method: &str, params: Option<&RawJson>) -> Option<HeaderValue> {
    let source = match method {
        "prompts/get" | "tools/call" => "name",
        "resources/read" => "uri",
        // SEP-2663, routing headers.
        "tasks/cancel" | "tasks/get" | "tasks/update" => "taskId",
        _ => return None,
    };
    let value = object::member(params?.as_str(), source)?;
    object::string(value).map(|text| encode(&text))
}

#[cfg(test)]
mod tests;
