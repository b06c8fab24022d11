//! The steps of an examination: what the machine sends by itself, and what is asked besides.
//! Each of those is a request of the machine's with one thing changed, so that nothing but
//! that can be what the server objects to.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Uri, header};
use mcp_http::Binding;
use serde_json::{Value, json};

use super::exchange::{Exchange, SESSION_ID};

/// Nobody's: the name is reserved (RFC 2606).
const FOREIGN_ORIGIN: &str = "http://mcp-http-probe.invalid";
/// No revision, and older than all.
pub(crate) const NO_REVISION: &str = "1999-01-01";
/// No session.
const NO_SESSION: &str = "00000000-0000-4000-8000-000000000000";
/// No method, and no extension's.
const NO_METHOD: &str = "mcp-http-probe/unknown";

const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Step {
    // The machine's own.
    Delete,
    /// The GET of HTTP+SSE.
    Endpoint,
    /// `initialize` or `server/discover`.
    Handshake,
    Initialized,
    // With a session.
    DeleteAgain,
    ForeignOrigin,
    Get,
    GetUnknownSession,
    GetWithoutSession,
    OtherRevision,
    OtherVersion,
    Ping,
    PingEnded,
    PingUnknownSession,
    PingWithoutSession,
    Resume,
    ResumeUnknown,
    // Without sessions.
    MethodMismatch,
    MethodMissing,
    SessionIgnored,
    Subscribe,
    UnknownMethod,
    VersionMismatch,
}

/// What was answered so far.
pub(crate) type Answers = BTreeMap<Step, Exchange>;

/// What the machine sent, and what it was told: all else is made from it.
#[derive(Clone)]
pub(crate) struct Basis {
    pub(crate) binding: Binding,
    /// What it began with.
    pub(crate) first: Request<Bytes>,
    /// One as it sends them from then on.
    pub(crate) usual: Request<Bytes>,
    pub(crate) session: Option<HeaderValue>,
}

impl Step {
    /// What is asked while the session lives.
    pub(crate) fn of(binding: Binding) -> &'static [Self] {
        match binding {
            // One GET after the other: servers have one listening stream in a session.
            Binding::Session => &[
                Self::Ping,
                Self::PingWithoutSession,
                Self::PingUnknownSession,
                Self::ForeignOrigin,
                Self::OtherVersion,
                Self::GetWithoutSession,
                Self::GetUnknownSession,
                Self::Get,
                Self::Resume,
                Self::ResumeUnknown,
                Self::OtherRevision,
            ],
            Binding::Stateless => &[
                Self::OtherVersion,
                Self::VersionMismatch,
                Self::MethodMismatch,
                Self::MethodMissing,
                Self::UnknownMethod,
                Self::ForeignOrigin,
                Self::SessionIgnored,
                Self::Subscribe,
                Self::Get,
                Self::DeleteAgain,
            ],
            _ => &[Self::Ping, Self::PingUnknownSession, Self::ForeignOrigin],
        }
    }

    /// What is asked when the machine has ended the session.
    pub(crate) fn of_the_end(binding: Binding) -> &'static [Self] {
        match binding {
            Binding::Session => &[Self::PingEnded, Self::DeleteAgain],
            Binding::Stateless => &[],
            _ => &[Self::PingEnded],
        }
    }

    /// The request, if it can be made.
    pub(crate) fn request(self, basis: &Basis, answers: &Answers) -> Option<Request<Bytes>> {
        let mut request = basis.usual.clone();
        match self {
            Self::Delete | Self::Endpoint | Self::Handshake | Self::Initialized => return None,
            Self::Ping => return Some(basis.ping(self)),
            Self::PingEnded => {
                if basis.binding == Binding::Session {
                    basis.session.as_ref()?;
                }
                return Some(basis.ping(self));
            }
            Self::PingWithoutSession => {
                basis.session.as_ref()?;
                request = basis.ping(self);
                request.headers_mut().remove(SESSION_ID);
            }
            Self::PingUnknownSession if basis.binding == Binding::HttpSse => {
                request = basis.ping(self);
                *request.uri_mut() = unknown_address(request.uri())?;
            }
            Self::PingUnknownSession => {
                let unknown = unknown_session(basis.session.as_ref()?);
                request = basis.ping(self);
                request.headers_mut().insert(SESSION_ID, unknown);
            }
            Self::ForeignOrigin => {
                match basis.binding {
                    Binding::Session => request = basis.ping(self),
                    Binding::Stateless => {}
                    // It is the stream that tells what nobody else is to hear.
                    _ => request = basis.first.clone(),
                }
                let origin = HeaderValue::from_static(FOREIGN_ORIGIN);
                request.headers_mut().insert(header::ORIGIN, origin);
            }
            Self::OtherVersion => {
                if basis.binding == Binding::Session {
                    request = basis.ping(self);
                } else {
                    say_version(&mut request, NO_REVISION);
                }
                let version = HeaderValue::from_static(NO_REVISION);
                // Where requests have no such header, there is nothing to ask.
                request.headers_mut().insert(VERSION, version)?;
            }
            Self::Get => request = basis.get(),
            Self::GetWithoutSession => {
                basis.session.as_ref()?;
                request = basis.get();
                request.headers_mut().remove(SESSION_ID);
            }
            Self::GetUnknownSession => {
                let unknown = unknown_session(basis.session.as_ref()?);
                request = basis.get();
                request.headers_mut().insert(SESSION_ID, unknown);
            }
            Self::Resume => {
                let id = first_event_id(answers)?;
                request = basis.get();
                request.headers_mut().insert(LAST_EVENT_ID, id);
            }
            Self::ResumeUnknown => {
                first_event_id(answers)?;
                let id = HeaderValue::from_static("mcp-http-probe-unknown");
                request = basis.get();
                request.headers_mut().insert(LAST_EVENT_ID, id);
            }
            Self::OtherRevision => {
                request = basis.first.clone();
                say(
                    &mut request,
                    &["params", "protocolVersion"],
                    json!(NO_REVISION),
                );
            }
            Self::DeleteAgain => {
                if basis.binding == Binding::Session {
                    basis.session.as_ref()?;
                }
                request = basis.without_body(Method::DELETE);
            }
            Self::VersionMismatch => say_version(&mut request, NO_REVISION),
            Self::MethodMismatch => {
                let method = HeaderValue::from_static("tools/list");
                request.headers_mut().insert(METHOD, method);
            }
            Self::MethodMissing => {
                request.headers_mut().remove(METHOD);
            }
            Self::UnknownMethod => say_method(&mut request, NO_METHOD),
            Self::SessionIgnored => {
                let session = HeaderValue::from_static(NO_SESSION);
                request.headers_mut().insert(SESSION_ID, session);
            }
            Self::Subscribe => {
                say_method(&mut request, "subscriptions/listen");
                let filter = json!({ "toolsListChanged": true });
                say(&mut request, &["params", "notifications"], filter);
            }
        }
        Some(request)
    }
}

impl Basis {
    /// Ids of its own: the machine's are numbers.
    fn ping(&self, step: Step) -> Request<Bytes> {
        let mut request = self.usual.clone();
        let id = format!("probe-{}", step as u8);
        let ping = json!({ "jsonrpc": "2.0", "id": id, "method": "ping" });
        *request.body_mut() = Bytes::from(ping.to_string());
        request
    }

    fn get(&self) -> Request<Bytes> {
        let mut request = self.without_body(Method::GET);
        let accept = HeaderValue::from_static("text/event-stream");
        request.headers_mut().insert(header::ACCEPT, accept);
        request
    }

    /// The request that ends a session which an answer opened.
    pub(crate) fn delete(&self, session: &HeaderValue) -> Request<Bytes> {
        let mut request = self.without_body(Method::DELETE);
        request.headers_mut().insert(SESSION_ID, session.clone());
        request
    }

    fn without_body(&self, method: Method) -> Request<Bytes> {
        let mut request = self.usual.clone();
        *request.method_mut() = method;
        *request.body_mut() = Bytes::new();
        for name in [header::ACCEPT, header::CONTENT_TYPE, METHOD] {
            request.headers_mut().remove(name);
        }
        request
    }
}

fn message(request: &Request<Bytes>) -> Value {
    serde_json::from_slice(request.body()).unwrap_or_default()
}

/// Changes one member of the message.
fn say(request: &mut Request<Bytes>, path: &[&str], said: Value) {
    let mut message = message(request);
    let mut place = &mut message;
    for name in path {
        let Value::Object(members) = place else {
            return;
        };
        place = members.entry(*name).or_insert_with(|| json!({}));
    }
    *place = said;
    *request.body_mut() = Bytes::from(message.to_string());
}

/// In the message alone; the header stays as it is.
fn say_version(request: &mut Request<Bytes>, version: &str) {
    say(request, &["params", "_meta", VERSION_KEY], json!(version));
}

/// In the message and in the header.
fn say_method(request: &mut Request<Bytes>, method: &'static str) {
    say(request, &["method"], json!(method));
    let method = HeaderValue::from_static(method);
    request.headers_mut().insert(METHOD, method);
}

/// Where a stream begins: from there on it can be asked for again.
pub(crate) fn first_event_id(answers: &Answers) -> Option<HeaderValue> {
    let streams = [Step::Ping, Step::Get].map(|step| answers.get(&step));
    let mut events = streams.into_iter().flatten().flat_map(Exchange::events);
    let id = events.find_map(|event| event.id)?;
    HeaderValue::from_str(id.as_str()).ok()
}

/// So short an id may count sessions: its neighbour can be somebody's.
const GUESSABLE: usize = 16;

/// An id that is nobody's. It has the shape of a real one, for servers that look at that
/// first.
pub(crate) fn unknown_session(real: &HeaderValue) -> HeaderValue {
    let mut id = real.as_bytes().to_vec();
    if id.len() < GUESSABLE {
        return HeaderValue::from_static(NO_SESSION);
    }
    // The last third: what is before may say of which kind it is.
    let changed = id.len() / 3;
    for byte in id.iter_mut().rev().take(changed) {
        *byte = match *byte {
            b'0'..=b'8' | b'a'..=b'e' | b'A'..=b'E' | b'g'..=b'y' | b'G'..=b'Y' => *byte + 1,
            b'9' => b'0',
            b'f' => b'a',
            b'F' => b'A',
            b'z' => b'g',
            b'Z' => b'G',
            other => other,
        };
    }
    HeaderValue::from_bytes(&id).unwrap_or_else(|_| HeaderValue::from_static(NO_SESSION))
}

/// An address that is nobody's: the session is in its query, or else ends its path.
pub(crate) fn unknown_address(real: &Uri) -> Option<Uri> {
    let text = real.to_string();
    let (before, session) = text.rsplit_once(['=', '/'])?;
    let mark = text.get(before.len()..=before.len())?;
    let unknown = unknown_session(&HeaderValue::from_str(session).ok()?);
    format!("{before}{mark}{}", unknown.to_str().ok()?)
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_session_has_the_shape_of_a_real_one() {
        let unknown = |id| unknown_session(&HeaderValue::from_static(id));
        assert_eq!(
            unknown("1868a90c-7d5e-4f0b-9c3d-0f9e8d7cafb2"),
            "1868a90c-7d5e-4f0b-9c3d-1a0f9e8dbac3"
        );
        // Not the next one.
        for id in ["7", "session-7"] {
            assert_eq!(unknown(id), "00000000-0000-4000-8000-000000000000");
        }
    }

    #[test]
    fn an_unknown_address_differs_in_its_session_alone() {
        let unknown = |address: &'static str| {
            let unknown = unknown_address(&Uri::from_static(address)).unwrap();
            unknown.to_string()
        };
        assert_eq!(
            unknown("http://a/messages?session_id=1868a90c7d5e4f0b9c3d0f9e8d7cafb2"),
            "http://a/messages?session_id=1868a90c7d5e4f0b9c3d0f0f9e8dbac3"
        );
        assert_eq!(
            unknown("http://a/messages/7"),
            "http://a/messages/00000000-0000-4000-8000-000000000000"
        );
    }

    #[test]
    fn each_request_differs_in_one_thing_and_none_calls_a_tool() {
        let mut first = Request::post("http://127.0.0.1/mcp")
            .body(Bytes::new())
            .unwrap();
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {
            "_meta": { VERSION_KEY: "2026-07-28" } } });
        *first.body_mut() = Bytes::from(message.to_string());
        let headers = first.headers_mut();
        headers.insert(VERSION, HeaderValue::from_static("2026-07-28"));
        headers.insert(METHOD, HeaderValue::from_static("server/discover"));
        let basis = Basis {
            binding: Binding::Stateless,
            usual: first.clone(),
            session: None,
            first,
        };
        for step in Step::of(Binding::Stateless) {
            let asked = step.request(&basis, &Answers::new()).unwrap();
            let method = super::message(&asked)["method"].clone();
            assert_ne!(method, "tools/call", "{step:?}");
            let is_same = asked.body() == basis.first.body()
                && asked.headers() == basis.first.headers()
                && asked.method() == basis.first.method();
            assert!(!is_same, "{step:?}");
        }
        let request = |step: Step| step.request(&basis, &Answers::new()).unwrap();
        let mismatch = request(Step::VersionMismatch);
        assert_eq!(mismatch.headers(), basis.first.headers());
        let other = request(Step::OtherVersion);
        assert_eq!(mismatch.body(), other.body());
        assert_eq!(other.headers()[VERSION], NO_REVISION);
        let get = request(Step::Get);
        assert_eq!((get.method().as_str(), get.body().len()), ("GET", 0));
    }
}
