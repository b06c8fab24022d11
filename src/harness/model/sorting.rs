//! What a request is for, and whether it may leave in this session.

use bytes::Bytes;
use http::Request;
use serde_json::Value;

use super::exchange::{Carries, Exchange, Outcome};
use super::restoring::{LEVEL, SUBSCRIBE};
use super::search::Next;
use super::{Model, Seen, must};
use crate::{Binding, Contact};

impl Model {
    /// Whose stream a GET is for: the headers of its call tell.
    pub(super) fn get_sent(&self, request: &Request<Bytes>) -> Result<Carries, String> {
        let headers = request.headers();
        let accept = headers.get("accept");
        must(accept.is_some_and(|it| it == "text/event-stream"), || {
            "what a GET accepts".to_owned()
        })?;
        must(request.body().is_empty(), || "a GET with a body".to_owned())?;
        let Some(mark) = headers.get("x-call") else {
            return Ok(match self.sessions.current {
                Some(_) => Carries::Listen,
                None => Carries::Handshake(Contact::EventStream),
            });
        };
        let mark = mark.to_str().ok().and_then(|mark| mark.parse().ok());
        let call = self.calls.iter().find(|(_, call)| Some(call.mark) == mark);
        let (number, _) = call.ok_or("a GET for a call that nobody made")?;
        Ok(Carries::Resume(*number))
    }

    pub(super) fn sort(&self, number: u64, message: &Value) -> Result<Carries, String> {
        let id = message.get("id");
        let mark = message.pointer("/params/n").and_then(Value::as_u64);
        let Some(method) = message.get("method").and_then(Value::as_str) else {
            return Ok(Carries::Response(self.response_sent(message)?));
        };
        if let Some(id) = id {
            must(id.as_u64() == Some(number), || {
                format!("the id of a request is {id}")
            })?;
        }
        Ok(match (method, id, mark) {
            ("initialize", Some(_), _) => Carries::Handshake(Contact::Initialize),
            ("server/discover", Some(_), _) => Carries::Handshake(Contact::Discover),
            ("notifications/initialized", None, _) => Carries::Initialized,
            ("notifications/cancelled", None, _) => {
                Carries::Cancelled(self.cancellation_sent(message)?)
            }
            ("ping", Some(_), None) => Carries::Ping,
            ("subscriptions/listen", Some(_), _) => self.subscribe_sent(message)?,
            ("tools/list", Some(_), None) if self.stands_alone() => self.refresh_sent()?,
            (_, Some(_), Some(mark)) => {
                let call = self.calls.iter().find(|(_, call)| call.mark == mark);
                let (number, call) = call.ok_or("a call that nobody made")?;
                must(call.plan.method == method, || {
                    format!("`{method}` in another's place")
                })?;
                Carries::Call(*number)
            }
            (_, None, Some(mark)) => Carries::Notification(mark),
            (SUBSCRIBE | LEVEL, Some(_), None) => self.restored(method, message)?,
            _ => return Err(format!("nobody asked to send {message}")),
        })
    }

    /// Which session a request belongs to, and whether it says so (law 6).
    pub(super) fn check_headers(
        &self,
        carries: &Carries,
        message: &Value,
        session: Option<&str>,
        revision: Option<&str>,
    ) -> Seen {
        if let Some(id) = session {
            let given = self
                .sessions
                .given
                .iter()
                .rev()
                .find(|given| given.id == id);
            let given = given.ok_or_else(|| format!("law 6: the server never gave {id}"))?;
            must(!given.dead, || {
                format!("law 6: {id} is dead, and {carries:?} carries it")
            })?;
            must(!given.deleted, || {
                format!("law 6: {id} was ended, and {carries:?} carries it")
            })?;
        }
        let current = self.sessions.current.as_ref();
        if let Carries::Handshake(contact) = carries {
            must(session.is_none(), || format!("{contact:?} names a session"))?;
            let stands_alone = *contact == Contact::Discover;
            let expected = stands_alone.then_some("2026-07-28");
            must(revision == expected, || {
                format!("{contact:?} names the revision {revision:?}")
            })?;
            let offered = message.pointer("/params/protocolVersion");
            let right = self.revision_offered().as_str();
            // It may have been redirected too often by now.
            let vague = self.search.is_vague() || self.search.next == Next::Redirected;
            return must(vague || offered.is_none_or(|it| it == right), || {
                format!("{offered:?} is offered, not {right}")
            });
        }
        if matches!(carries, Carries::Response(_))
            && current.is_none_or(|it| it.id.as_deref() != session)
        {
            return must(self.is_provisional(message, session), || {
                format!("law 6: an answer outside of a session, with {session:?}")
            });
        }
        let current = current.ok_or_else(|| format!("{carries:?} leaves without a session"))?;
        must(current.id.as_deref() == session, || {
            format!(
                "law 6: {carries:?} carries {session:?} in the session {:?}",
                current.id
            )
        })?;
        let named = current.revision >= crate::Revision::V2025_06_18;
        let expected = named.then_some(current.revision.as_str());
        must(revision == expected, || {
            format!("the revision is {revision:?}, not {expected:?}")
        })?;
        self.check_alone(carries, message, current)?;
        match carries {
            Carries::Initialized => must(!current.established, || "`initialized` twice".to_owned()),
            Carries::Call(_) | Carries::Notification(_) | Carries::Restored(..) => {
                must(current.established, || {
                    format!("{carries:?} before the handshake is over")
                })
            }
            _ => Ok(()),
        }
    }

    /// An answer inside the answer to `initialize` borrows the id of its head.
    fn is_provisional(&self, message: &Value, session: Option<&str>) -> bool {
        let limits = self.setup.limits;
        self.exchanges.values().any(|exchange| {
            let given = self
                .sessions
                .given
                .iter()
                .find(|it| it.exchange == exchange.id.number());
            let asks = Carries::Handshake(Contact::Initialize);
            (exchange.carries == asks || exchange.binding == Binding::HttpSse)
                && given.map(|given| given.id.as_str()) == session
                && exchange.messages(&limits, true).0.iter().any(|asked| {
                    asked.get("method").is_some() && asked.get("id") == message.get("id")
                })
        })
    }

    /// Each question of the server is answered once at most, with the id it had.
    fn response_sent(&self, message: &Value) -> Result<String, String> {
        let id = message.get("id").ok_or("a response without an id")?;
        must(
            message.get("result").is_some() != message.get("error").is_some(),
            || format!("{message} is no response"),
        )?;
        let asked = self.times_asked(id);
        must(asked > 0, || format!("the server never asked {id}"))?;
        let carries = Carries::Response(id.to_string());
        let before = self
            .exchanges
            .values()
            .filter(|it| it.carries == carries && it.outcome != Outcome::Redirected);
        must(before.count() < asked, || {
            format!("{id} is answered more often than it was asked")
        })?;
        Ok(id.to_string())
    }

    /// How often the server asked a question with this id.
    pub(super) fn times_asked(&self, id: &Value) -> usize {
        let limits = self.setup.limits;
        let exchanges = self.exchanges.values();
        let messages = exchanges.flat_map(|it| it.messages(&limits, true).0);
        let same = |asked: &Value| asked.get("method").is_some() && asked.get("id") == Some(id);
        messages.filter(same).count()
    }

    /// Whether this was sent before, and not just redirected.
    pub(super) fn was_sent(&self, carries: &Carries) -> bool {
        let sent = |it: &Exchange| it.carries == *carries && it.outcome != Outcome::Redirected;
        self.exchanges.values().any(sent)
    }

    pub(super) fn cancellation_sent(&self, message: &Value) -> Result<u64, String> {
        let request = message.pointer("/params/requestId").and_then(Value::as_u64);
        let request = request.ok_or("a cancellation of nothing")?;
        let exchange = self
            .exchanges
            .get(&request)
            .ok_or("a cancellation of what was not sent")?;
        let Carries::Call(call) = exchange.carries else {
            return Err(format!("a cancellation of {:?}", exchange.carries));
        };
        must(self.calls[&call].may_be_over(self.timed), || {
            format!("call {call} was not given up")
        })?;
        let generation = self
            .sessions
            .current
            .as_ref()
            .map(|current| current.generation);
        must(Some(exchange.generation) == generation, || {
            format!("a cancellation of request {request}, which belongs to a dead session")
        })?;
        let again = self.was_sent(&Carries::Cancelled(request));
        must(!again, || format!("request {request} is cancelled twice"))?;
        Ok(request)
    }

    /// A DELETE: once for each session that is not needed any more, and not dead.
    pub(super) fn delete_sent(&mut self, session: Option<&str>) -> Seen {
        must(!self.is_past_closing(), || {
            "law 12: a DELETE after the time to close".to_owned()
        })?;
        let id = session.ok_or("a DELETE without a session id")?;
        let current = self
            .sessions
            .current
            .as_ref()
            .and_then(|current| current.id.as_deref());
        must(current != Some(id), || {
            format!("a DELETE of {id}, which is in use")
        })?;
        let given = self
            .sessions
            .given
            .iter_mut()
            .rev()
            .find(|given| given.id == id);
        let given = given.ok_or_else(|| format!("law 6: the server never gave {id}"))?;
        must(!given.dead, || {
            format!("law 6: a DELETE of {id}, which is dead")
        })?;
        must(!given.deleted, || {
            format!("law 12: a second DELETE of {id}")
        })?;
        given.deleted = true;
        Ok(())
    }
}
