//! The address on the command line.

use mcp_http::{Config, Reason};

use crate::arguments::Usage;

pub(crate) fn read(url: &str) -> Result<Config, Usage> {
    if !url.contains("://") {
        let scheme = match is_local(url) {
            true => "http",
            false => "https",
        };
        return Err(Usage(format!(
            "the URL begins with http:// or https://{}",
            match format!("{scheme}://{}", shown(url)) {
                url if Config::new(&url).is_ok() => format!("; is it {url}?"),
                _ => String::new(),
            }
        )));
    }
    Config::new(url).map_err(|error| match error.reason() {
        Reason::Misuse(misuse) => Usage(misuse.mistake().to_string()),
        reason => Usage(reason.to_string()),
    })
}

fn is_local(url: &str) -> bool {
    ["localhost", "127.", "[::1]", "0.0.0.0"]
        .iter()
        .any(|host| url.starts_with(host))
}

/// What of a URL can be shown: no user, password or query, where credentials may be.
pub(crate) fn shown(url: &str) -> &str {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    match url.get(..end) {
        Some(url) if !url.contains('@') => url,
        _ => "",
    }
}

/// Scheme, host and port: what tells a person which server this is.
pub(crate) fn origin(url: &str) -> String {
    let (scheme, rest) = shown(url).split_once("://").unwrap_or_default();
    let authority = rest.split('/').next().unwrap_or_default();
    format!("{scheme}://{authority}")
}
