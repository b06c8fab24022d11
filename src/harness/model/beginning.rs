//! Sessions begin, or what stands in their place where each request stands on its own:
//! with which answers they may.

use serde_json::Value;

use super::exchange::{Carries, Exchange, Outcome, Over};
use super::session::Current;
use super::{Model, Seen, must};
use crate::{Binding, Contact, Phase, Revision, Status};

impl Model {
    /// The getters tell of a new generation.
    pub(super) fn begins(&mut self, status: &Status) -> Seen {
        let attempt = self.sessions.attempts.last();
        let attempt = *attempt.ok_or("a session out of nothing")?;
        let exchange = &self.exchanges[&attempt.exchange];
        let stands_alone = attempt.contact == Contact::Discover;
        let revision = match stands_alone {
            true => self.discovered(exchange),
            false => self.initialize_result(exchange),
        };
        let revision = revision.ok_or_else(|| {
            let outcome = &exchange.outcome;
            format!("law 6: a session without a successful result ({outcome:?})")
        })?;
        let phase = match stands_alone {
            true => Phase::Ready,
            false => Phase::Confirming,
        };
        must(status.phase == phase, || {
            format!("a session in {:?}", status.phase)
        })?;
        // What has come of a refusal counts, even if its end does not come.
        let refused = exchange.status() >= Some(300);
        must(exchange.over != Some(Over::TimedOut) || refused, || {
            "a handshake given up".to_owned()
        })?;
        let binding = exchange.binding;
        must(status.binding == Some(binding), || {
            format!("{:?} is spoken, not {binding}", status.binding)
        })?;
        let given = self.sessions.given.iter();
        let given = given
            .filter(|_| binding == Binding::Session)
            .find(|given| given.exchange == attempt.exchange);
        self.sessions.current = Some(Current {
            binding,
            id: given.map(|given| given.id.clone()),
            revision,
            generation: status.generation,
            established: stands_alone,
            since: self.turn,
        });
        if stands_alone {
            self.sessions.stood_alone = true;
            self.sessions.established.insert(status.generation);
        }
        self.search.found(binding);
        self.sessions.doubted = None;
        self.sessions.owes_ping = false;
        Ok(())
    }

    /// How the server is reached with this request.
    pub(super) fn binding_of(&self, carries: &Carries, path: &str) -> Binding {
        let on_channel = self.channel.leads_to(path);
        match (carries, &self.sessions.current) {
            (Carries::Handshake(Contact::Discover), _) => Binding::Stateless,
            (Carries::Handshake(Contact::EventStream), _) => Binding::HttpSse,
            // Nowhere else is a session ended.
            (Carries::Delete, _) => Binding::Session,
            (Carries::Handshake(Contact::Initialize), _) | (_, None) if on_channel => {
                Binding::HttpSse
            }
            (Carries::Handshake(Contact::Initialize), _) | (_, None) => Binding::Session,
            (_, Some(current)) => current.binding,
        }
    }

    /// Whether it has still to be found out how the server is reached.
    pub(super) fn searches(&self) -> bool {
        self.setup.pinned.is_none()
    }

    fn speaks(&self, revision: Revision) -> bool {
        self.setup.pinned.is_none_or(|pinned| pinned == revision)
    }

    /// The revision, if this is a successful answer to `initialize`.
    fn initialize_result(&self, exchange: &Exchange) -> Option<Revision> {
        let Outcome::Replied(Ok(result)) = &exchange.outcome else {
            return None;
        };
        let version = result.get("protocolVersion").and_then(Value::as_str)?;
        let revision = Revision::from_date(version)?;
        let wanted = revision.has_handshake() && self.speaks(revision);
        let head = exchange
            .head
            .as_ref()
            .filter(|_| exchange.binding == Binding::Session);
        let visible = match head.and_then(|it| it.1.get("mcp-session-id")) {
            Some(id) => !id.is_empty() && id.as_bytes().iter().all(u8::is_ascii_graphic),
            None => true,
        };
        (wanted && visible && result.get("capabilities")?.is_object()).then_some(revision)
    }
}
