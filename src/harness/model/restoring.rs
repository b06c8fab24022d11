//! What a new session is asked for because the lost one had it: resource
//! subscriptions and the log level (behaviour, section 5).

use std::collections::BTreeMap;

use serde_json::Value;

use super::exchange::{Carries, Exchange, Outcome};
use super::{Model, Seen, must};
use crate::{Phase, RawJson};

pub(super) const SUBSCRIBE: &str = "resources/subscribe";
const UNSUBSCRIBE: &str = "resources/unsubscribe";
pub(super) const LEVEL: &str = "logging/setLevel";

/// What was granted, and in which turn that was read; what could not be had again,
/// and when that was told last.
#[derive(Debug, Default)]
pub(super) struct Granted {
    since: BTreeMap<(String, String), u64>,
    refused: BTreeMap<(String, String), (u64, u64)>,
}

/// What a request for something that can be restored is about.
fn topic(params: Option<&Value>) -> Option<String> {
    let params = params?;
    let topic = params.get("uri").or_else(|| params.get("level"))?;
    topic.as_str().map(str::to_owned)
}

impl Model {
    /// A call was answered with a result.
    pub(super) fn granted(&mut self, number: u64) {
        let call = &self.calls[&number];
        let params = call.plan.params(call.mark);
        let Some(topic) = topic(Some(&params)) else {
            return;
        };
        let since = &mut self.granted.since;
        match call.plan.method {
            SUBSCRIBE => drop(since.insert((SUBSCRIBE.to_owned(), topic), self.turn)),
            LEVEL => {
                since.retain(|(method, _), _| method != LEVEL);
                since.insert((LEVEL.to_owned(), topic), self.turn);
            }
            _ => drop(since.remove(&(SUBSCRIBE.to_owned(), topic))),
        }
    }

    /// How many other resources are subscribed to for certain.
    pub(in super::super) fn is_subscribed(&self) -> bool {
        self.granted
            .since
            .keys()
            .any(|(method, _)| method == SUBSCRIBE)
            || self
                .calls
                .values()
                .any(|call| call.plan.method == SUBSCRIBE)
    }

    /// A request that restores something leaves.
    pub(super) fn restored(&self, method: &str, message: &Value) -> Result<Carries, String> {
        let topic = topic(message.get("params")).ok_or("a restoration of nothing")?;
        let asked = self.calls.values().any(|call| {
            let params = call.plan.params(call.mark);
            call.plan.method == method
                && self::topic(Some(&params)) == Some(topic.clone())
                && (!call.sendings.is_empty() || call.ended == Some("reply"))
        });
        must(asked, || format!("nobody asked for {method} {topic}"))?;
        let carries = Carries::Restored(method.to_owned(), topic);
        let current = self.sessions.current.as_ref().map(|it| it.generation);
        must(current > Some(1), || {
            format!("{carries:?} in the first session")
        })?;
        let again = |it: &Exchange| {
            it.carries == carries
                && Some(it.generation) == current
                && it.outcome != Outcome::Redirected
        };
        must(!self.exchanges.values().any(again), || {
            format!("{carries:?} twice in one session")
        })?;
        Ok(carries)
    }

    /// What could not be had again.
    pub(super) fn not_restored(&mut self, method: &str, params: &RawJson) -> Seen {
        let params: Value = params.deserialize().map_err(|error| error.to_string())?;
        let key = (method.to_owned(), topic(Some(&params)).unwrap_or_default());
        let carries = Carries::Restored(key.0.clone(), key.1.clone());
        let failed = |it: &&Exchange| {
            let granted = matches!(it.outcome, Outcome::Pending | Outcome::Replied(Ok(_)));
            it.carries == carries && (!granted || it.strained)
        };
        let failed = self.exchanges.values().filter(failed).count() + self.sessions_without(method);
        let failed = failed + usize::from(self.sessions.stood_alone) * 2;
        let (times, turn) = self.granted.refused.entry(key).or_default();
        *times += 1;
        *turn = self.turn;
        must(*times <= failed as u64, || {
            format!("{carries:?} was not refused so often")
        })
    }

    /// At rest: a new session was asked for all that its predecessor had.
    pub(super) fn restoring_settled(&self) -> Seen {
        let open = matches!(self.status.phase, Phase::Ready | Phase::Held);
        let open = open && !self.stands_alone();
        let Some(current) = self.sessions.current.as_ref().filter(|_| open) else {
            return Ok(());
        };
        for (key, since) in &self.granted.since {
            let carries = Carries::Restored(key.0.clone(), key.1.clone());
            let asked = self
                .exchanges
                .values()
                .any(|it| it.carries == carries && it.generation == current.generation);
            let refused = self.granted.refused.get(key);
            let told = refused.is_some_and(|(_, turn)| *turn >= current.since);
            // What is restored waits for a call about the same.
            let waits = self.calls.values().any(|call| {
                let params = call.plan.params(call.mark);
                let about = call.plan.method == SUBSCRIBE || call.plan.method == UNSUBSCRIBE;
                about && call.ended.is_none() && topic(Some(&params)).as_ref() == Some(&key.1)
            });
            must(*since >= current.since || asked || told || waits, || {
                format!("{carries:?} is not in session {}", current.generation)
            })?;
        }
        Ok(())
    }
}
