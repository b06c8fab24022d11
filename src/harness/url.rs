//! What is made of URLs and references, against naive readers (`naive`).

mod naive;

use http::Uri;

use self::naive::Parts;
use super::headers::{excerpt, is_unsafe};
use super::law::{first_line, law, same};
use crate::RedirectHint;
use crate::wire::headers::{self, EndpointError, Redirect};

/// The body of the tests of URLs: the first line is an endpoint, the rest what refers to another
/// place from there.
///
/// # Errors
/// Where a law is broken, or another URL found than a naive reader finds.
pub fn url(input: &[u8]) -> Result<(), String> {
    let (endpoint, reference) = first_line(input);
    for text in [endpoint, reference] {
        if let Ok(text) = std::str::from_utf8(text) {
            check_endpoint(text)?;
        }
    }
    let [a, b] = [endpoint, reference].map(|text| Uri::try_from(text).ok());
    if let (Some(a), Some(b)) = (a, b) {
        check_pair(&a, &b)?;
        check_shown(&a)?;
    }
    let endpoint = std::str::from_utf8(endpoint).map(headers::check_endpoint);
    match endpoint {
        Ok(Ok(endpoint)) => check_resolved(&endpoint, reference),
        _ => Ok(()),
    }
}

fn check_endpoint(text: &str) -> Result<(), String> {
    let found = headers::check_endpoint(text);
    let expected = expected_endpoint(text);
    let shown = found.as_ref().map(Uri::to_string).map_err(|error| *error);
    if let (Err(EndpointError::Malformed), Ok(expected)) = (&shown, &expected) {
        return law(!is_for_http(expected), "an endpoint is refused");
    }
    same("an endpoint", shown, expected)?;
    if let Ok(uri) = &found {
        law(headers::same_origin(uri, uri), "it has an origin")?;
        let again = headers::check_endpoint(&uri.to_string());
        same("an endpoint, checked again", &again, &found)?;
        check_shown(uri)?;
    }
    Ok(())
}

/// What is wrong with it, the first that fits.
fn expected_endpoint(text: &str) -> Result<String, EndpointError> {
    let parts = Parts::read(text.as_bytes()).filter(|_| !text.contains(char::is_whitespace));
    let parts = parts.ok_or(EndpointError::Malformed)?;
    let scheme = parts.scheme.as_deref().map(str::to_lowercase);
    let scheme = scheme.ok_or(EndpointError::NotAbsolute)?;
    let (host, _) = parts.host_and_port().unwrap_or_default();
    if !["http", "https"].contains(&scheme.as_str()) {
        Err(EndpointError::NotHttp)
    } else if host.is_empty() {
        Err(EndpointError::NoHost)
    } else if parts.user().is_some() {
        Err(EndpointError::Credentials)
    } else if host.to_lowercase().starts_with("[v") {
        Err(EndpointError::Malformed)
    } else if parts.origin().is_none() {
        Err(EndpointError::BadPort)
    } else {
        Ok(as_uri(&parts))
    }
}

/// As `http::Uri` writes it: the scheme in lower case, no path as the root.
fn as_uri(parts: &Parts) -> String {
    let mut parts = parts.clone();
    parts.scheme = parts.scheme.map(|scheme| scheme.to_lowercase());
    if parts.path.is_empty() {
        parts.path.push('/');
    }
    parts.text()
}

/// Whether `http::Uri` takes a URL: not where it is too long, or its host is encoded.
fn is_for_http(url: &str) -> bool {
    let authority = url.split('/').nth(2).unwrap_or_default();
    url.len() < 65_000 && !authority.contains('%')
}

/// Law 9: no user, no query.
fn check_shown(uri: &Uri) -> Result<(), String> {
    let shown = headers::shown(uri);
    check_safe(&shown)?;
    let expected = Parts::read(uri.to_string().as_bytes()).filter(|parts| parts.scheme.is_some());
    let expected = expected.map(|parts| excerpt(parts.shown().as_bytes()));
    same(
        "what is shown of a URL",
        shown,
        expected.unwrap_or_default(),
    )
}

fn check_safe(shown: &str) -> Result<(), String> {
    law(shown.len() <= 1024, "what is shown is short")?;
    law(!shown.contains(is_unsafe), "what is shown is safe")
}

fn check_pair(a: &Uri, b: &Uri) -> Result<(), String> {
    let [parts_a, parts_b] = [a, b].map(|uri| Parts::read(uri.to_string().as_bytes()));
    let origin = |parts: &Option<Parts>| parts.as_ref().and_then(Parts::origin);
    let (origin_a, origin_b) = (origin(&parts_a), origin(&parts_b));
    let is_same = origin_a.is_some() && origin_a == origin_b;
    same("law 11: one origin", headers::same_origin(a, b), is_same)?;
    same("law 11: one origin", headers::same_origin(b, a), is_same)?;
    let expected = match (&parts_a, &parts_b) {
        (Some(a), Some(b)) => hint(a, b),
        _ => None,
    };
    same("a hint", headers::redirect_hint(a, b), expected)?;
    same("a hint back", headers::redirect_hint(b, a), expected)
}

/// What alone differs.
fn hint(a: &Parts, b: &Parts) -> Option<RedirectHint> {
    let ((scheme_a, host_a, port_a), (scheme_b, host_b, port_b)) = (a.origin()?, b.origin()?);
    let is_usual = [(&scheme_a, port_a), (&scheme_b, port_b)].map(|(scheme, port)| {
        let usual = if scheme == "http" { 80 } else { 443 };
        port == usual
    });
    let ports_agree = port_a == port_b || is_usual == [true, true];
    let path = |parts: &Parts| match parts.path.as_str() {
        "" => "/".to_owned(),
        path => path.to_owned(),
    };
    let (path_a, path_b) = (path(a), path(b));
    let slash = path_a.clone() + "/" == path_b || path_b.clone() + "/" == path_a;
    let all_else = host_a == host_b && ports_agree && a.query == b.query;
    match (all_else, scheme_a == scheme_b, path_a == path_b, slash) {
        (true, false, true, _) => Some(RedirectHint::OnlyTheScheme),
        (true, true, _, true) => Some(RedirectHint::OnlyTheSlash),
        (true, false, _, true) => Some(RedirectHint::SchemeAndSlash),
        _ => None,
    }
}

fn check_resolved(from: &Uri, reference: &[u8]) -> Result<(), String> {
    let found = headers::resolve(from, reference);
    let base = Parts::read(from.to_string().as_bytes()).ok_or("the base is no URL")?;
    let reference = reference.trim_ascii();
    let parts = Parts::read(reference).filter(|_| (1..=8192).contains(&reference.len()));
    let Some(parts) = parts else {
        return same("what cannot be read", found, Redirect::Unreadable);
    };
    let target = parts.resolve(&base);
    let is_home = target.origin().is_some() && target.origin() == base.origin();
    match found {
        Redirect::Same(to) => {
            law(is_home, "law 11: it stays at home")?;
            same("where it leads", to.to_string(), as_uri(&target))?;
            law(headers::same_origin(from, &to), "law 11: it stays at home")?;
            // As whoever opens the connection reads it.
            let port = |uri: &Uri| uri.port_u16().or(target.origin().map(|origin| origin.2));
            law(from.scheme() == to.scheme(), "law 11: one scheme")?;
            law(port(from) == port(&to), "law 11: one port")?;
            // What refers to the base itself keeps its dots.
            let again = headers::resolve(&to, to.to_string().as_bytes());
            law(
                again == Redirect::Same(to) || parts.path.is_empty() || reference.len() > 4096,
                "it leads to itself",
            )
        }
        Redirect::Other { to, hint } => {
            law(!is_home || !is_for_http(&target.text()), "it leads home")?;
            check_safe(&to)?;
            same("where it leads", to, excerpt(target.shown().as_bytes()))?;
            same("what differs", hint, self::hint(&base, &target))
        }
        Redirect::Unreadable => Err("it can be read".to_owned()),
    }
}
