//! 2026-07-28, where each request stands on its own: what it carries, what is never sent,
//! and that a call is cancelled by closing its exchange (behaviour, sections 8 and 10).

use serde_json::Value;

use super::exchange::{Carries, Exchange, Outcome};
use super::restoring::LEVEL;
use super::session::Current;
use super::{Model, Seen, must};
use crate::{Binding, Revision};

const OWN: &str = "io.modelcontextprotocol";
const METHOD_NOT_FOUND: i64 = -32601;

impl Model {
    /// The revision, if this answer to `server/discover` says that the server is reached
    /// like this.
    pub(super) fn discovered(&self, exchange: &Exchange) -> Option<Revision> {
        let mine = Revision::V2026_07_28;
        match &exchange.outcome {
            Outcome::Replied(Ok(result)) => {
                let kind = result.get("resultType").and_then(Value::as_str);
                let named = result.get("supportedVersions")?.as_array()?;
                let common = named.iter().any(|it| it == mine.as_str());
                let complete = kind.is_none_or(|kind| kind == "complete");
                let whole = complete && result.get("capabilities")?.is_object();
                (common && whole).then_some(mine)
            }
            Outcome::Replied(Err(METHOD_NOT_FOUND)) if exchange.status() == Some(404) => Some(mine),
            _ => None,
        }
    }

    pub(super) fn stands_alone(&self) -> bool {
        let current = self.sessions.current.as_ref();
        current.is_some_and(|it| it.binding == Binding::Stateless)
    }

    /// Sessions alone have pings, cancellations, answers to questions and what is asked
    /// for anew.
    pub(super) fn check_alone(
        &self,
        carries: &Carries,
        message: &Value,
        current: &Current,
    ) -> Seen {
        let meta = |name: &str| message.pointer(&format!("/params/_meta/{OWN}~1{name}"));
        let revision = meta("protocolVersion").and_then(Value::as_str);
        if current.binding != Binding::Stateless {
            return must(revision.is_none(), || {
                format!("{carries:?} stands on its own in a session")
            });
        }
        let right = matches!(
            carries,
            Carries::Call(_) | Carries::Notification(_) | Carries::Refresh | Carries::Subscribe
        );
        must(right, || {
            format!("{carries:?}, although each request stands on its own")
        })?;
        if matches!(carries, Carries::Notification(_)) {
            return Ok(());
        }
        must(revision == Some(current.revision.as_str()), || {
            format!("`_meta` names the revision {revision:?}")
        })?;
        let whole = meta("clientInfo").is_some() && meta("clientCapabilities").is_some();
        must(whole, || "`_meta` lacks something".to_owned())?;
        let Some(level) = meta("logLevel").and_then(Value::as_str) else {
            return Ok(());
        };
        let mut calls = self.calls.values();
        let any = calls
            .any(|call| call.plan.method == LEVEL && call.plan.params(call.mark)["level"] == level);
        must(any, || format!("nobody asked for the level {level}"))
    }

    /// Whether a call may have failed because there is no such method any more.
    pub(super) fn lacks_method(&self, method: &str) -> bool {
        self.sessions.stood_alone && method.starts_with("resources/")
    }

    /// At rest: the exchange of a call that was given up is closed, which tells the server.
    pub(super) fn closings_settled(&self) -> Seen {
        for (number, exchange) in &self.exchanges {
            let Carries::Call(call) = exchange.carries else {
                continue;
            };
            let open = exchange.over.is_none() && exchange.outcome == Outcome::Pending;
            // Its reply may have come on another's stream before.
            let given_up = self.calls[&call].cancelled.is_some() && !self.is_answered(exchange);
            let alone = exchange.binding == Binding::Stateless;
            must(!(alone && open && given_up), || {
                format!("call {call} was given up, and exchange {number} is not closed")
            })?;
        }
        Ok(())
    }
}
