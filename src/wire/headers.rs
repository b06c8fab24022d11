//! The header fields that the machine routes by, and the URLs in them.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::net::Ipv6Addr;
use std::num::NonZeroU16;
use std::time::Duration;

use crate::error::RedirectHint;
use http::header::{CONTENT_TYPE, DATE, HeaderName, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Uri};
use iri_string::format::ToDedicatedString;
use iri_string::types::{UriAbsoluteStr, UriReferenceStr, UriStr, UriString};
use memchr::{memchr, memchr2};

/// Enough to tell which proxy or framework spoke and what it said.
pub(crate) const MAX_EXCERPT: usize = 1024;

/// A UUID has 36 characters, a signed token some hundreds; more would burden every request.
const MAX_SESSION_ID: usize = 1024;

/// RFC 9110, section 4.1, asks for at least 8000. Dot segments can make resolving quadratic: at
/// this size that is some milliseconds.
const MAX_LOCATION: usize = 8 * 1024;

pub(crate) const MCP_SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");

/// What `Content-Type` says, without case and parameters.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum MediaType {
    Absent,
    EventStream,
    Json,
    /// Safe to show. Lines that contradict each other are all in it.
    Other(String),
}

pub(crate) fn media_type(headers: &HeaderMap) -> MediaType {
    let mut lines = headers.get_all(CONTENT_TYPE).iter().map(essence);
    let first = lines.next().unwrap_or_default();
    let is = |name: &[u8]| first.eq_ignore_ascii_case(name);
    if !lines.all(is) {
        return MediaType::Other(contradicting(headers));
    }
    match first {
        b"" => MediaType::Absent,
        _ if is(b"application/json") => MediaType::Json,
        _ if is(b"text/event-stream") => MediaType::EventStream,
        other => MediaType::Other(excerpt(&other.to_ascii_lowercase())),
    }
}

fn contradicting(headers: &HeaderMap) -> String {
    let lines = headers.get_all(CONTENT_TYPE).iter();
    let mut types: Vec<_> = lines
        .map(|line| essence(line).to_ascii_lowercase())
        .collect();
    // Each once, for only so much of it is shown.
    let mut seen = BTreeSet::new();
    types.retain(|name| seen.insert(name.clone()));
    excerpt(&types.join(&b", "[..]))
}

fn essence(value: &HeaderValue) -> &[u8] {
    let value = value.as_bytes();
    let end = memchr(b';', value).unwrap_or(value.len());
    value.get(..end).unwrap_or_default().trim_ascii()
}

/// How long the server asks to be left alone, unclamped: seconds, or a date less the answer's own
/// `Date`. A date that has passed is zero.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = single(headers, &RETRY_AFTER)?;
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // Digits fail to parse only when they are too many.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let until = httpdate::parse_http_date(value).ok()?;
    let now = httpdate::parse_http_date(single(headers, &DATE)?).ok()?;
    Some(until.duration_since(now).unwrap_or_default())
}

/// The value of a header that must not be repeated.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut lines = headers.get_all(name).iter();
    let value = lines.next()?.to_str().ok()?;
    lines.next().is_none().then(|| value.trim_ascii())
}

/// A server's name for a session: a secret, to be sent back and never shown (law 9).
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct SessionId(HeaderValue);

impl SessionId {
    pub(crate) fn from_header(value: &HeaderValue) -> Result<Self, BadSessionId> {
        let id = value.as_bytes().trim_ascii();
        // A copy: a slice would hold the whole response head as long as the session lives.
        match HeaderValue::from_bytes(id) {
            _ if id.is_empty() => Err(BadSessionId::Empty),
            _ if id.len() > MAX_SESSION_ID => Err(BadSessionId::TooLong),
            Ok(mut copy) if id.iter().all(u8::is_ascii_graphic) => {
                copy.set_sensitive(true);
                Ok(Self(copy))
            }
            _ => Err(BadSessionId::NotVisibleAscii),
        }
    }

    pub(crate) fn to_header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(..)")
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum BadSessionId {
    #[error("the answer has several different Mcp-Session-Id headers")]
    Conflicting,
    #[error("the Mcp-Session-Id is empty")]
    Empty,
    #[error("the Mcp-Session-Id has characters beyond visible ASCII")]
    NotVisibleAscii,
    #[error("the Mcp-Session-Id is longer than {MAX_SESSION_ID} characters")]
    TooLong,
}

pub(crate) fn session_id(headers: &HeaderMap) -> Result<Option<SessionId>, BadSessionId> {
    let lines = headers.get_all(MCP_SESSION_ID);
    let mut ids = lines.iter().map(SessionId::from_header);
    let id = ids.next().transpose()?;
    if ids.any(|other| other.ok() != id) {
        return Err(BadSessionId::Conflicting);
    }
    Ok(id)
}

/// The beginning of what a peer wrote, fit for one line of a log on any terminal.
pub(crate) fn excerpt(body: &[u8]) -> String {
    // No byte becomes less than a byte of text, so what is cut off here would not fit, and a
    // character cut in two here does not either.
    let start = body.get(..MAX_EXCERPT + 4).unwrap_or(body);
    let mut text = String::new();
    for char in String::from_utf8_lossy(start).chars() {
        let end = text.len();
        if is_unsafe(char) {
            text.extend(char.escape_default());
        } else {
            text.push(char);
        }
        if text.len() > MAX_EXCERPT {
            text.truncate(end);
            break;
        }
    }
    text
}

/// Characters that steer a terminal, or that reorder, break or hide the text around them.
fn is_unsafe(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// Where a `Location` leads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Redirect {
    /// To the same scheme, host and port: credentials may go there (law 11).
    Same(Uri),
    /// Anywhere else, or with credentials in the URL. `to` is safe to show: user and query left
    /// out.
    Other {
        to: String,
        hint: Option<RedirectHint>,
    },
    Unreadable,
}

pub(crate) fn resolve_redirect(from: &Uri, location: &HeaderValue) -> Redirect {
    resolve(from, location.as_bytes())
}

/// RFC 3986, section 5, for any reference that a peer sends: a `Location`, or the data of an
/// `endpoint` event.
pub(crate) fn resolve(from: &Uri, reference: &[u8]) -> Redirect {
    let Some(to) = resolved(from, reference) else {
        return Redirect::Unreadable;
    };
    match Uri::try_from(to.as_str()).ok() {
        Some(uri) if same_origin(from, &uri) => Redirect::Same(uri),
        uri => Redirect::Other {
            hint: uri.and_then(|uri| redirect_hint(from, &uri)),
            to: without_secrets(&to),
        },
    }
}

fn resolved(from: &Uri, reference: &[u8]) -> Option<UriString> {
    let reference = reference.trim_ascii();
    if reference.is_empty() || reference.len() > MAX_LOCATION {
        return None;
    }
    let base = encoded(from.to_string().as_bytes())?;
    let reference = encoded(reference)?;
    let base = UriAbsoluteStr::new(&base).ok()?;
    let reference = UriReferenceStr::new(&reference).ok()?;
    Some(reference.resolve_against(base).to_dedicated_string())
}

/// The URL without its fragment and with everything percent-encoded that RFC 3986 does not allow
/// where it stands but servers send and `http::Uri` lets pass: blanks, brackets in queries, UTF-8,
/// a lone `%`. `None` with control characters.
fn encoded(url: &[u8]) -> Option<String> {
    let url = url.split(|&byte| byte == b'#').next()?;
    let authority = ..end_of_authority(url);
    let mut text = String::with_capacity(url.len());
    for (at, &byte) in url.iter().enumerate() {
        let fits = match byte {
            _ if byte.is_ascii_control() => return None,
            b'%' => url
                .get(at + 1..at + 3)
                .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)),
            b'[' | b']' => authority.contains(&at),
            _ => byte.is_ascii_alphanumeric() || b"-._~:/?@!$&'()*+,;=".contains(&byte),
        };
        if fits {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    Some(text)
}

/// Where scheme, user, host and port of a URL or reference end; 0 if it has no host.
fn end_of_authority(url: &[u8]) -> usize {
    let slashes = memchr2(b'/', b'?', url).unwrap_or(url.len());
    let (scheme, rest) = url.split_at_checked(slashes).unwrap_or_default();
    // The first colon ends a scheme, whatever follows.
    let has_scheme = scheme.is_empty() || memchr(b':', scheme) == Some(scheme.len() - 1);
    match rest.strip_prefix(b"//") {
        Some(rest) if has_scheme => {
            url.len() - rest.len() + memchr2(b'/', b'?', rest).unwrap_or(rest.len())
        }
        _ => 0,
    }
}

/// Where a URL or reference leads, readable or not: user, path and all after it left out.
pub(crate) fn place(reference: &[u8]) -> String {
    let (place, rest) = reference.split_at(end_of_authority(reference));
    let place = place.rsplit(|byte| *byte == b'@').next();
    let place = excerpt(place.unwrap_or_default());
    if rest.is_empty() {
        place
    } else {
        place + "/..."
    }
}

/// A URL as it can be shown: user and query left out.
pub(crate) fn shown(url: &Uri) -> String {
    let text = encoded(url.to_string().as_bytes()).unwrap_or_default();
    UriStr::new(&text).map(without_secrets).unwrap_or_default()
}

fn without_secrets(url: &UriStr) -> String {
    let mut text = format!("{}:", url.scheme_str());
    if let Some(authority) = url.authority_str() {
        text.push_str("//");
        match authority.rsplit_once('@') {
            Some((_, place)) => text.extend(["...@", place]),
            None => text.push_str(authority),
        }
    }
    text.push_str(url.path_str());
    if url.query_str().is_some() {
        text.push_str("?...");
    }
    excerpt(text.as_bytes())
}

/// Also for the redirects that are not followed although they stay at home: 301 and 302.
pub(crate) fn redirect_hint(from: &Uri, to: &Uri) -> Option<RedirectHint> {
    let (a, b) = (Origin::of(from)?, Origin::of(to)?);
    let is_usual = |origin: &Origin| origin.port == origin.default_port;
    let ports_agree = a.port == b.port || is_usual(&a) && is_usual(&b);
    if a.host != b.host || !ports_agree || from.query() != to.query() {
        return None;
    }
    let path = from.path() == to.path();
    let slash = from.path().strip_suffix('/') == Some(to.path())
        || to.path().strip_suffix('/') == Some(from.path());
    match (path, slash, a.default_port == b.default_port) {
        (true, _, false) => Some(RedirectHint::OnlyTheScheme),
        (_, true, true) => Some(RedirectHint::OnlyTheSlash),
        (_, true, false) => Some(RedirectHint::SchemeAndSlash),
        _ => None,
    }
}

/// Whether both have one scheme, host and port. What [`check_endpoint`] would refuse has no origin
/// and is the same as nothing.
pub(crate) fn same_origin(a: &Uri, b: &Uri) -> bool {
    Origin::of(a).is_some_and(|origin| Origin::of(b) == Some(origin))
}

/// Why a URL cannot be an endpoint. The URL itself is left out: it may hold a password.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum EndpointError {
    #[error("the port of the endpoint is not between 1 and 65535")]
    BadPort,
    #[error("the endpoint has a user or password; send credentials in a header")]
    Credentials,
    #[error("the endpoint is not a URL (RFC 3986)")]
    Malformed,
    #[error("the endpoint has no host")]
    NoHost,
    #[error("the endpoint does not begin with http:// or https://")]
    NotAbsolute,
    #[error("the endpoint is neither http nor https")]
    NotHttp,
}

/// The endpoint, without its fragment and with everything encoded that needs to be.
pub(crate) fn check_endpoint(url: &str) -> Result<Uri, EndpointError> {
    // Encoded, a blank would pass. Here it is a slip of the configuration.
    if url.contains(char::is_whitespace) {
        return Err(EndpointError::Malformed);
    }
    let text = encoded(url.as_bytes()).ok_or(EndpointError::Malformed)?;
    Origin::read(&text)?;
    Uri::try_from(text).map_err(|_| EndpointError::Malformed)
}

#[derive(Eq, PartialEq)]
struct Origin {
    /// 80 or 443: stands for the scheme.
    default_port: u16,
    /// In lower case, or an IPv6 address in its one canonical form.
    host: String,
    port: u16,
}

impl Origin {
    fn of(uri: &Uri) -> Option<Self> {
        let text = encoded(uri.to_string().as_bytes())?;
        Self::read(&text).ok()
    }

    // Not by `Uri::port_u16`: to it `:99999` is no port and `:+80` is 80.
    fn read(url: &str) -> Result<Self, EndpointError> {
        let url = UriReferenceStr::new(url).map_err(|_| EndpointError::Malformed)?;
        let scheme = url.scheme_str().ok_or(EndpointError::NotAbsolute)?;
        let default_port = match scheme.to_ascii_lowercase().as_str() {
            "http" => 80,
            "https" => 443,
            _ => return Err(EndpointError::NotHttp),
        };
        let authority = url
            .authority_components()
            .filter(|authority| !authority.host().is_empty())
            .ok_or(EndpointError::NoHost)?;
        if authority.userinfo().is_some() {
            return Err(EndpointError::Credentials);
        }
        let ip = authority.host().strip_prefix('[');
        let host = match ip.map(|ip| ip.trim_end_matches(']').parse::<Ipv6Addr>()) {
            Some(Ok(ip)) => ip.to_string(),
            Some(Err(_)) => return Err(EndpointError::Malformed),
            None => authority.host().to_ascii_lowercase(),
        };
        let port = match authority.port().unwrap_or_default() {
            // After the colon there may be nothing (RFC 3986, section 3.2.3).
            "" => Ok(default_port),
            digits => digits.parse().map(NonZeroU16::get),
        };
        let port = port.map_err(|_| EndpointError::BadPort)?;
        Ok(Self {
            default_port,
            host,
            port,
        })
    }
}

/// Of what is no header name the part before that shows: what follows may be a value, as in
/// `Authorization: Bearer ..`.
pub(crate) fn good_part(name: &str) -> String {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let good = name.bytes().take_while(is_token).take(MAX_EXCERPT);
    good.map(char::from).collect()
}

/// Whether a header belongs to HTTP or to the protocol, so that an application may not set it.
/// Codings too: adapters decode none.
pub(crate) fn owned(name: &HeaderName) -> bool {
    #[rustfmt::skip]
    const OWNED: [&str; 19] = [
        "accept", "accept-encoding", "connection", "content-encoding", "content-length",
        "content-type", "expect", "host", "keep-alive", "last-event-id", "mcp-method", "mcp-name",
        "mcp-protocol-version", "mcp-session-id", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade",
    ];
    OWNED.contains(&name.as_str()) || name.as_str().starts_with("mcp-param-")
}

#[cfg(test)]
mod tests;
