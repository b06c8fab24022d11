//! What leaves: every request is looked at as a whole.

use bytes::Bytes;
use http::uri::Authority;
use http::{Method, Request, Uri};
use serde_json::Value;

use super::super::peer;
use super::super::secrets::MARK;
use super::exchange::{Carries, Exchange, Outcome, Over};
use super::{Model, Seen, must};
use crate::{Binding, Contact, ExchangeId, Revision};

/// What is read in a request.
struct Read {
    carries: Carries,
    /// Nothing for a request without a body.
    message: Value,
    /// Ids of events that may be repeated.
    known: Vec<String>,
    /// What the server is to know of it.
    asked: peer::Request,
}

impl Read {
    fn token(&self) -> Option<&Value> {
        self.message.pointer("/params/_meta/progressToken")
    }
}

impl Model {
    /// A request leaves. Gives what the server is to know of it.
    pub(in super::super) fn sent(
        &mut self,
        id: ExchangeId,
        request: &Request<Bytes>,
    ) -> Result<peer::Request, String> {
        let number = id.number();
        let last = self.exchanges.last_key_value();
        must(last.is_none_or(|(last, _)| *last < number), || {
            format!("exchange {number} was there before")
        })?;
        is_for_the_server(request)?;
        let read = match *request.method() {
            Method::GET => self.read_get(number, request)?,
            Method::DELETE => self.read_delete(request)?,
            _ => self.read_post(number, request)?,
        };
        let exchange = self.begun(id, request, &read);
        let path = request.uri().path();
        if exchange.goes_to_address() {
            self.check_address(path)?;
        } else {
            must(matches!(path, "/mcp" | "/mcp2"), || {
                format!("law 6: {:?} goes to {path}", read.carries)
            })?;
        }
        self.left(&exchange, path, &read)?;
        self.exchanges.insert(number, exchange);
        Ok(read.asked)
    }

    fn read_get(&mut self, number: u64, request: &Request<Bytes>) -> Result<Read, String> {
        let carries = self.get_sent(request)?;
        self.check_protocol(&carries, &Value::Null, request)?;
        let cursor = cursor(request);
        let (known, asked) = match carries {
            Carries::Resume(call) => (
                self.resume_sent(call, cursor.as_ref())?,
                peer::Request::Resume,
            ),
            Carries::Handshake(_) => {
                must(cursor.is_none(), || "a cursor of nothing".to_owned())?;
                (Vec::new(), peer::Request::Open)
            }
            _ => (
                self.listen_sent(number, cursor.as_ref())?,
                peer::Request::Listen,
            ),
        };
        Ok(Read {
            carries,
            message: Value::Null,
            known,
            asked,
        })
    }

    fn read_delete(&mut self, request: &Request<Bytes>) -> Result<Read, String> {
        self.delete_sent(header(request, "mcp-session-id"))?;
        Ok(Read {
            carries: Carries::Delete,
            message: Value::Null,
            known: Vec::new(),
            asked: peer::Request::Control,
        })
    }

    fn read_post(&mut self, number: u64, request: &Request<Bytes>) -> Result<Read, String> {
        must(!self.is_closed(), || {
            "law 12: a request after close".to_owned()
        })?;
        must(request.method() == Method::POST, || {
            format!("a {}", request.method())
        })?;
        let content = header(request, "content-type");
        must(content == Some("application/json"), || {
            "a POST without its content type".to_owned()
        })?;
        let accept = Some("application/json, text/event-stream");
        must(header(request, "accept") == accept, || {
            "what a POST accepts".to_owned()
        })?;
        let message: Value = serde_json::from_slice(request.body()).map_err(|_| "no JSON")?;
        must(message["jsonrpc"] == "2.0", || "no JSON-RPC".to_owned())?;
        let carries = self.sort(number, &message)?;
        self.check_protocol(&carries, &message, request)?;
        let mut read = Read {
            carries,
            message,
            known: Vec::new(),
            asked: peer::Request::Control,
        };
        read.asked = match read.carries {
            Carries::Call(_) | Carries::Restored(..) => peer::Request::Call {
                token: read.token().map(Value::to_string),
            },
            Carries::Handshake(Contact::Discover) => peer::Request::Discover,
            Carries::Handshake(_) => peer::Request::Initialize,
            Carries::Ping => peer::Request::Ping,
            Carries::Refresh => peer::Request::Tools,
            Carries::Subscribe => peer::Request::Subscribe,
            _ => peer::Request::Control,
        };
        Ok(read)
    }

    fn check_protocol(&self, carries: &Carries, message: &Value, request: &Request<Bytes>) -> Seen {
        let session = header(request, "mcp-session-id");
        let revision = header(request, "mcp-protocol-version");
        self.check_headers(carries, message, session, revision)
    }

    fn begun(&self, id: ExchangeId, request: &Request<Bytes>, read: &Read) -> Exchange {
        let carries = &read.carries;
        let awaited = match carries {
            Carries::Resume(call) => self.calls[call].sendings.last().copied(),
            Carries::Call(_)
            | Carries::Handshake(Contact::Discover | Contact::Initialize)
            | Carries::Ping
            | Carries::Refresh
            | Carries::Restored(..)
            | Carries::Subscribe => Some(id.number()),
            _ => None,
        };
        let current = self.sessions.current.as_ref();
        let binding = self.binding_of(carries, request.uri().path());
        Exchange {
            request: awaited,
            cursor: cursor(request),
            known: read.known.clone(),
            session: header(request, "mcp-session-id").map(str::to_owned),
            generation: current.map_or(0, |current| current.generation),
            batches: self.revision_of(carries, &read.message).receives_batches(),
            ..Exchange::new(id, carries.clone(), binding, (self.turn, self.now))
        }
    }

    /// What follows from it for what it carries.
    fn left(&mut self, exchange: &Exchange, path: &str, read: &Read) -> Seen {
        let number = exchange.id.number();
        match read.carries {
            Carries::Handshake(contact) => {
                self.handshake_sent(number, contact, path == "/mcp2")?;
                if contact == Contact::EventStream {
                    self.channel_sent(number);
                }
                Ok(())
            }
            Carries::Call(call) => {
                self.check_carried(call, &read.message)?;
                self.call_sent(call, number, read.token())
            }
            Carries::Resume(call) => {
                let call = self.calls.get_mut(&call);
                call.ok_or("a GET for nobody")?.gets.push(number);
                Ok(())
            }
            Carries::Ping => self.ping_sent(),
            Carries::Notification(note) => self.note_sent(note, number),
            Carries::Cancelled(_) | Carries::Initialized | Carries::Response(_) => {
                self.check_redirects(exchange)
            }
            Carries::Delete
            | Carries::Listen
            | Carries::Refresh
            | Carries::Restored(..)
            | Carries::Subscribe => Ok(()),
        }
    }

    /// Law 4: so many redirects are followed, and no more.
    fn check_redirects(&self, exchange: &Exchange) -> Seen {
        let carries = &exchange.carries;
        let handshakes = self.exchanges.values();
        let handshakes = handshakes.filter(|it| matches!(it.carries, Carries::Handshake(_)));
        let handshake = handshakes.map(|it| it.id.number()).max();
        let redirected = |it: &&Exchange| {
            let same = it.carries == *carries
                && it.session == exchange.session
                && (*carries != Carries::Initialized || Some(it.id.number()) > handshake);
            same && it.outcome == Outcome::Redirected
        };
        let redirects = self.exchanges.values().filter(redirected).count();
        // A question may come twice, and then it is answered twice.
        let times = match carries {
            Carries::Response(id) => serde_json::from_str(id).map_or(1, |id| self.times_asked(&id)),
            _ => 1,
        };
        must(redirects <= 3 * times, || {
            format!("law 4: {carries:?} follows {redirects} redirects")
        })
    }

    /// The revision by whose rules the answer is read.
    fn revision_of(&self, carries: &Carries, message: &Value) -> Revision {
        let offered = message.pointer("/params/protocolVersion");
        let offered = offered.and_then(Value::as_str);
        let offered = offered.and_then(Revision::from_date);
        match (carries, &self.sessions.current) {
            (Carries::Handshake(_), _) => offered.unwrap_or(Revision::V2026_07_28),
            (_, Some(current)) => current.revision,
            (_, None) => self.revision_offered(),
        }
    }

    /// The adapter is to end an exchange.
    pub(in super::super) fn aborted(&mut self, number: u64) -> Seen {
        let exchange = self.exchanges.get(&number);
        let exchange = exchange.ok_or_else(|| format!("exchange {number} was never sent"))?;
        // Law 7: nobody ends a stream that others wait for.
        let current = self.sessions.current.as_ref().map(|it| it.generation);
        let lives = !self.is_closed()
            && exchange.outcome == Outcome::Pending
            && exchange.over.is_none()
            && !exchange.strained;
        let due = match exchange.carries {
            Carries::Call(_) | Carries::Resume(_) => {
                let endless =
                    exchange.is_accepted() && exchange.body.len() > self.setup.limits.error_body;
                self.is_given_up(exchange) || exchange.silent.is_some() || endless
            }
            Carries::Listen | Carries::Subscribe => {
                let lost = Some(exchange.generation) != current;
                lost || exchange.deserted || exchange.silent.is_some() || self.is_answered(exchange)
            }
            Carries::Handshake(Contact::EventStream) => {
                !(self.on_channel() && self.channel.is(number))
            }
            _ => true,
        };
        let channel = exchange.binding == Binding::HttpSse && exchange.is_get();
        let open = channel && exchange.outcome == Outcome::Accepted && exchange.over.is_none();
        let lives = lives || open && !exchange.strained && !self.is_closed();
        must(!lives || due, || {
            format!("law 7: exchange {number} is aborted for nothing")
        })?;
        self.over(number, Over::Aborted)
    }
}

fn header<'a>(request: &'a Request<Bytes>, name: &str) -> Option<&'a str> {
    let value = request.headers().get(name)?;
    Some(value.to_str().unwrap_or_default())
}

fn cursor(request: &Request<Bytes>) -> Option<String> {
    let id = request.headers().get("last-event-id")?;
    Some(String::from_utf8_lossy(id.as_bytes()).into_owned())
}

/// Law 11.
fn is_for_the_server(request: &Request<Bytes>) -> Seen {
    let uri = request.uri();
    must(is_at_home(uri), || format!("law 11: a request to {uri}"))?;
    let credential = format!("Bearer {MARK}token");
    must(
        header(request, "authorization") == Some(&credential),
        || "law 11: a request without the credential".to_owned(),
    )
}

/// Law 11: credentials belong to the endpoint's scheme, host and port.
pub(super) fn is_at_home(uri: &Uri) -> bool {
    let authority = uri.authority().map(Authority::as_str);
    uri.scheme_str() == Some("https") && authority == Some("example.com")
}
