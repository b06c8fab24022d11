//! Requests, built for each sending.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};

use super::headers::{SessionId, excerpt};
use super::sse::EventId;
use crate::Revision;
use crate::error::Mistake;

const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// What every request of this moment carries.
#[derive(Clone, Copy)]
pub(crate) struct Envelope<'a> {
    pub(crate) target: &'a Uri,
    /// The connection's headers.
    pub(crate) headers: &'a HeaderMap,
    /// The call's, which take the place of the connection's.
    pub(crate) own_headers: Option<&'a HeaderMap>,
    pub(crate) session: Option<&'a SessionId>,
    /// The revision that was negotiated.
    pub(crate) revision: Option<Revision>,
}

pub(crate) const NAME: HeaderName = HeaderName::from_static("mcp-name");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");

/// Says in the headers what a message is about (2026-07-28, transports/streamable-http:
/// standard request headers).
///
/// # Errors
/// If no header can say it.
pub(crate) fn describe(request: &mut Request<Bytes>, method: &str) -> Result<(), Mistake> {
    let is_visible = method.bytes().all(|byte| byte.is_ascii_graphic());
    let value = HeaderValue::from_str(method).ok().filter(|_| is_visible);
    let value = value.ok_or_else(|| Mistake::Method(excerpt(method.as_bytes())))?;
    request.headers_mut().insert(METHOD, value);
    Ok(())
}

/// The longest event id that is sent: servers refuse headers of more than 8 KiB.
const EVENT_ID: usize = 4096;

/// Whether a header can carry this event id.
pub(crate) fn can_carry(id: &EventId) -> bool {
    let id = id.as_bytes();
    let is_allowed = |byte: &u8| *byte == b'\t' || !byte.is_ascii_control();
    // Outer blanks are no part of a header's value (RFC 9110, section 5.5).
    let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let is_whole = !is_blank(id.first()) && !is_blank(id.last());
    id.len() <= EVENT_ID && is_whole && id.iter().all(is_allowed)
}

/// The header for this event id, if one can carry it.
fn event_id(id: &EventId) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_bytes(id.as_bytes()).ok()?;
    value.set_sensitive(true);
    can_carry(id).then_some(value)
}

impl Envelope<'_> {
    /// A POST of one JSON-RPC message (transports: sending messages).
    pub(crate) fn post(self, body: Bytes) -> Request<Bytes> {
        let mut request = self.request(Method::POST, body);
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(
            ACCEPT,
            HeaderValue::from_static("application/json, text/event-stream"),
        );
        request
    }

    /// A GET for an event stream, from after this event on (transports: listening for
    /// messages, resumability).
    pub(crate) fn get(self, last_event_id: Option<&EventId>) -> Request<Bytes> {
        let mut request = self.request(Method::GET, Bytes::new());
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        if let Some(id) = last_event_id.and_then(event_id) {
            headers.insert(LAST_EVENT_ID, id);
        }
        request
    }

    /// The DELETE that ends a session (transports: session management).
    pub(crate) fn delete(self) -> Request<Bytes> {
        self.request(Method::DELETE, Bytes::new())
    }

    fn request(self, method: Method, body: Bytes) -> Request<Bytes> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = self.target.clone();
        let headers = request.headers_mut();
        headers.reserve(self.headers.len() + 4);
        let all = self.headers.iter();
        headers.extend(all.map(|(name, value)| (name.clone(), value.clone())));
        if let Some(own) = self.own_headers.filter(|own| !own.is_empty()) {
            for name in own.keys() {
                headers.remove(name);
            }
            headers.extend(
                own.iter()
                    .map(|(name, value)| (name.clone(), value.clone())),
            );
        }
        if let Some(session) = self.session {
            headers.insert(SESSION_ID, session.to_header());
        }
        if let Some(revision) = self
            .revision
            .filter(|revision| revision.has_version_header())
        {
            headers.insert(
                PROTOCOL_VERSION,
                HeaderValue::from_static(revision.as_str()),
            );
        }
        request
    }
}
