//! What leaves: every request is looked at as a whole.

use bytes::Bytes;
use http::uri::Authority;
use http::{Method, Request, Uri};
use serde_json::Value;

use super::super::peer;
use super::super::secrets::MARK;
use super::exchange::{Carries, Exchange, Outcome, Over, Quiet};
use super::{Model, Seen, must};
use crate::{Binding, Contact, ExchangeId, Revision, Time};

impl Model {
    /// A request leaves. Gives what the server is to know of it.
    pub(in super::super) fn sent(
        &mut self,
        id: ExchangeId,
        request: &Request<Bytes>,
    ) -> Result<peer::Request, String> {
        let number = id.number();
        let fresh = self
            .exchanges
            .last_key_value()
            .is_none_or(|(last, _)| *last < number);
        must(fresh, || format!("exchange {number} was there before"))?;
        let header = |name| {
            request
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap_or_default().to_owned())
        };
        let session = header("mcp-session-id");
        let revision = header("mcp-protocol-version");
        let uri = request.uri();
        must(is_at_home(uri), || format!("law 11: a request to {uri}"))?;
        let credential = format!("Bearer {MARK}token");
        must(header("authorization") == Some(credential), || {
            "law 11: a request without the credential".to_owned()
        })?;
        let mut asked = peer::Request::Control;
        let cursor = request.headers().get("last-event-id");
        let cursor = cursor.map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
        let mut known = Vec::new();
        let mut token = None;
        let mut message = Value::Null;
        let carries = if request.method() == Method::GET {
            let carries = self.get_sent(request)?;
            self.check_headers(
                &carries,
                &Value::Null,
                session.as_deref(),
                revision.as_deref(),
            )?;
            (known, asked) = match carries {
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
            carries
        } else if request.method() == Method::DELETE {
            self.delete_sent(session.as_deref())?;
            Carries::Delete
        } else {
            must(!self.is_closed(), || {
                "law 12: a request after close".to_owned()
            })?;
            must(request.method() == Method::POST, || {
                format!("a {}", request.method())
            })?;
            must(
                header("content-type").as_deref() == Some("application/json"),
                || "a POST without its content type".to_owned(),
            )?;
            let accept = Some("application/json, text/event-stream");
            must(header("accept").as_deref() == accept, || {
                "what a POST accepts".to_owned()
            })?;
            message = serde_json::from_slice(request.body()).map_err(|_| "no JSON")?;
            must(message["jsonrpc"] == "2.0", || "no JSON-RPC".to_owned())?;
            let carries = self.sort(number, &message)?;
            match carries {
                Carries::Call(_) | Carries::Restored(..) => {
                    token = message.pointer("/params/_meta/progressToken").cloned();
                    asked = peer::Request::Call {
                        token: token.as_ref().map(Value::to_string),
                    };
                }
                Carries::Handshake(Contact::Discover) => asked = peer::Request::Discover,
                Carries::Handshake(_) => asked = peer::Request::Initialize,
                Carries::Ping => asked = peer::Request::Ping,
                Carries::Refresh => asked = peer::Request::Tools,
                Carries::Subscribe => asked = peer::Request::Subscribe,
                _ => {}
            }
            self.check_headers(&carries, &message, session.as_deref(), revision.as_deref())?;
            carries
        };
        let awaited = match carries {
            Carries::Resume(call) => self.calls[&call].sendings.last().copied(),
            Carries::Call(_)
            | Carries::Ping
            | Carries::Refresh
            | Carries::Restored(..)
            | Carries::Subscribe => Some(number),
            Carries::Handshake(Contact::Discover | Contact::Initialize) => Some(number),
            _ => None,
        };
        let exchange = Exchange {
            id,
            carries: carries.clone(),
            request: awaited,
            cursor,
            known,
            session,
            generation: self
                .sessions
                .current
                .as_ref()
                .map_or(0, |current| current.generation),
            binding: self.binding_of(&carries, uri.path()),
            batches: self.revision_of(&carries, &message).receives_batches(),
            sent: self.now,
            head: None,
            body: Vec::new(),
            over: None,
            outcome: Outcome::Pending,
            concluded: (self.turn, self.now),
            strained: false,
            heard: self.now,
            watched: Time::ZERO,
            heard_since: false,
            unwatched: false,
            hushed: None,
            vague: false,
            quiet: Quiet::No,
            deserted: false,
            counts: None,
            silent: None,
            heard_reply: None,
            unheard: false,
            lost_at: None,
            overtaken: false,
            resumes: None,
        };
        if exchange.goes_to_address() {
            self.check_address(uri.path())?;
        } else {
            let own = matches!(uri.path(), "/mcp" | "/mcp2");
            must(own, || format!("law 6: {carries:?} goes to {}", uri.path()))?;
        }
        match carries {
            Carries::Handshake(contact) => {
                self.handshake_sent(number, contact, uri.path() == "/mcp2")?;
                if contact == Contact::EventStream {
                    self.channel_sent(number);
                }
            }
            Carries::Call(call) => {
                self.check_carried(call, &message)?;
                self.call_sent(call, number, token.as_ref())?;
            }
            Carries::Resume(call) => {
                let call = self.calls.get_mut(&call);
                call.ok_or("a GET for nobody")?.gets.push(number);
            }
            Carries::Ping => self.ping_sent()?,
            Carries::Notification(note) => self.note_sent(note, number)?,
            Carries::Cancelled(_) | Carries::Initialized | Carries::Response(_) => {
                let handshakes = self.exchanges.values();
                let handshakes =
                    handshakes.filter(|it| matches!(it.carries, Carries::Handshake(_)));
                let handshake = handshakes.map(|it| it.id.number()).max();
                let redirected = |it: &&Exchange| {
                    let same = it.carries == exchange.carries
                        && it.session == exchange.session
                        && (carries != Carries::Initialized || Some(it.id.number()) > handshake);
                    same && it.outcome == Outcome::Redirected
                };
                let redirects = self.exchanges.values().filter(redirected).count();
                // A question may come twice, and then it is answered twice.
                let times = match carries {
                    Carries::Response(ref id) => {
                        serde_json::from_str(id).map_or(1, |id| self.times_asked(&id))
                    }
                    _ => 1,
                };
                must(redirects <= 3 * times, || {
                    format!("law 4: {carries:?} follows {redirects} redirects")
                })?;
            }
            _ => {}
        }
        self.exchanges.insert(number, exchange);
        Ok(asked)
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

/// Law 11: credentials belong to the endpoint's scheme, host and port.
pub(super) fn is_at_home(uri: &Uri) -> bool {
    let authority = uri.authority().map(Authority::as_str);
    uri.scheme_str() == Some("https") && authority == Some("example.com")
}
