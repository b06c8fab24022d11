//! What a server says of itself before the first call: the results of `initialize`
//! (2025-11-25, lifecycle: initialization) and of `server/discover` (2026-07-28).

use serde::Deserialize;

use super::jsonrpc::Members;
use crate::RawJson;

/// How many revisions of a server's list are looked at: there will be a few dozen in a
/// century.
const REVISIONS: usize = 100;

/// The revision that `initialize` was answered with, as the server wrote it, and the
/// server's capabilities.
pub(crate) fn initialized(result: &RawJson) -> Result<(String, RawJson), &'static str> {
    let members = Members::of(result.as_str());
    let version = members
        .get("protocolVersion")
        .and_then(|version| serde_json::from_str(version.get()).ok())
        .ok_or("it names no protocol version")?;
    Ok((version, capabilities(result, &members)?))
}

/// The revisions that `server/discover` was answered with, and the capabilities.
pub(crate) fn discovered(result: &RawJson) -> Result<(Vec<String>, RawJson), &'static str> {
    let members = Members::of(result.as_str());
    let versions = members
        .get("supportedVersions")
        .and_then(|versions| serde_json::from_str(versions.get()).ok())
        .map(shortened)
        .ok_or("it names no supported versions")?;
    Ok((versions, capabilities(result, &members)?))
}

/// The revisions that the data of an `UnsupportedProtocolVersionError` lists
/// (2026-07-28, versioning: protocol version negotiation).
pub(crate) fn supported(data: Option<&RawJson>) -> Vec<String> {
    #[derive(Deserialize)]
    struct Data {
        supported: Vec<String>,
    }
    let data = data.filter(|data| data.as_str().trim_start().starts_with('{'));
    let read = data.and_then(|data| data.deserialize::<Data>().ok());
    read.map(|data| shortened(data.supported))
        .unwrap_or_default()
}

fn shortened(mut versions: Vec<String>) -> Vec<String> {
    versions.truncate(REVISIONS);
    versions
}

fn capabilities(result: &RawJson, members: &Members<'_>) -> Result<RawJson, &'static str> {
    members
        .get("capabilities")
        .filter(|value| value.get().starts_with('{'))
        .map(|value| result.part(value))
        .ok_or("it names no capabilities")
}
