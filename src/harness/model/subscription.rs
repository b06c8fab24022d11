//! `subscriptions/listen` (behaviour, section 10): what the application wants to hear about
//! where each request stands on its own. How fast the stream is opened anew is judged by
//! the laws alone: no more than so often, and nothing is told without a cause.

use std::time::Duration;

use serde_json::Value;

use super::exchange::{Carries, Exchange, Outcome};
use super::{Model, Seen, must};
use crate::{Event, Listening, SubscriptionFilter};

const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";

#[derive(Debug, Default)]
pub(super) struct Subscription {
    filter: SubscriptionFilter,
    /// In which turns the application said so.
    said: Vec<(u64, crate::Time)>,
    /// How often the answer to that was told, the end of a stream, and a gap.
    told: usize,
    ends: usize,
    gaps: usize,
    refusals: usize,
}

impl Model {
    /// The application says what it wants to hear about.
    pub(in super::super) fn listens_to(&mut self, filter: SubscriptionFilter) {
        self.subscription.said.push((self.turn, self.now));
        if filter != self.subscription.filter {
            self.desert_subscriptions(u64::MAX);
        }
        self.subscription.filter = filter;
    }

    /// Another one may take its place.
    pub(super) fn desert_subscriptions(&mut self, newest: u64) {
        for (_, exchange) in self.exchanges.range_mut(..=newest) {
            if exchange.carries == Carries::Subscribe && exchange.over.is_none() {
                exchange.deserted = true;
            }
        }
    }

    /// Whether there is something to be heard about.
    pub(super) fn is_filtered(&self) -> bool {
        !self.subscription.filter.is_empty()
    }

    fn subscriptions(&self) -> impl DoubleEndedIterator<Item = &Exchange> {
        let all = self.exchanges.values();
        all.filter(|it| it.carries == Carries::Subscribe)
    }

    /// The request leaves: for this filter, one at a time, and not too often.
    pub(super) fn subscribe_sent(&self, message: &Value) -> Result<Carries, String> {
        must(self.is_filtered(), || "nobody listens".to_owned())?;
        let filter = serde_json::to_value(&self.subscription.filter).unwrap_or_default();
        let asked = message.pointer("/params/notifications");
        must(asked == Some(&filter), || {
            format!("{asked:?} is asked for, not {filter}")
        })?;
        if let Some(last) = self.subscriptions().next_back() {
            let over = last.over.is_some() || last.outcome != Outcome::Pending;
            let over = over || self.is_answered(last);
            let current = self.sessions.current.as_ref().map(|it| it.generation);
            let gone = last.deserted || last.silent.is_some() || last.strained;
            let gone = gone || Some(last.generation) != current;
            must(over || gone, || "two subscriptions at once".to_owned())?;
        }
        let recent = |at: &crate::Time| self.now.since(*at) < Duration::from_secs(3);
        let sent = self.subscriptions().filter(|it| recent(&it.sent)).count();
        let changes = self.network_changes.iter().map(|(_, at)| at);
        let said = self.subscription.said.iter().map(|(_, at)| at);
        let allowed = 6 + changes.chain(said).filter(|at| recent(at)).count();
        must(sent <= allowed, || {
            format!("law 4: {sent} subscriptions within 3 s")
        })?;
        Ok(Carries::Subscribe)
    }

    /// What ends it before its reply: the server cancels it.
    pub(super) fn in_subscription(&self, exchange: &Exchange, outcome: Outcome) -> Outcome {
        if exchange.carries != Carries::Subscribe || outcome != Outcome::Pending {
            return outcome;
        }
        let messages = exchange.messages(&self.setup.limits, false).0;
        let cancels = |message: &Value| {
            let of = message.pointer("/params/requestId").and_then(Value::as_u64);
            message
                .get("method")
                .is_some_and(|it| it == "notifications/cancelled")
                && of == exchange.request
        };
        match messages.iter().any(cancels) {
            true => Outcome::Accepted,
            false => outcome,
        }
    }

    /// What is told of it has a cause.
    pub(super) fn subscription_event(&mut self, event: &Event) -> Seen {
        let (limits, filter) = (self.setup.limits, &self.subscription.filter);
        let heard = |method: &str| {
            let messages = self
                .subscriptions()
                .flat_map(|it| it.messages(&limits, false).0);
            let named = |it: &Value| it.get("method").is_some_and(|it| it == method);
            messages.filter(named).count()
        };
        let opened = self
            .subscriptions()
            .filter(|it| it.opened().is_some())
            .count();
        match event {
            Event::Listening { granted } => {
                let told = self.subscription.told + 1;
                let said = self.subscription.said.len();
                let sessions = self.sessions.established.len();
                // What is known of the same filter is told once more.
                must(told <= said + heard(ACKNOWLEDGED) + sessions, || {
                    format!("{granted:?} was not granted so often")
                })?;
                let more = granted.tools_list_changed && !filter.tools_list_changed
                    || granted.prompts_list_changed && !filter.prompts_list_changed;
                // It may be the answer to another filter, which nobody had read.
                must(!more || self.subscription.said.len() > 1, || {
                    format!("{granted:?} is more than {filter:?}")
                })?;
                self.subscription.told = told;
            }
            Event::StreamEnded => {
                let over = |it: &&Exchange| {
                    let over = matches!(it.outcome, Outcome::Accepted | Outcome::Replied(Ok(_)));
                    over || self.is_answered(it)
                };
                let over = self.subscriptions().filter(over).count();
                self.subscription.ends += 1;
                must(self.subscription.ends <= over, || {
                    "a subscription has ended that has not".to_owned()
                })?;
            }
            Event::Gap { missed: None } => {
                self.subscription.gaps += 1;
                must(self.subscription.gaps < opened, || {
                    "a gap in what went on".to_owned()
                })?;
            }
            _ => {}
        }
        Ok(())
    }

    /// A stream has ended, or was refused.
    pub(super) fn subscription_over(&mut self, number: u64) {
        let offered = matches!(self.exchanges[&number].outcome, Outcome::Cut { .. });
        self.listener.may_have_failed();
        self.subscription.refusals += usize::from(!offered);
    }

    /// How often it may have been told that it is not offered.
    pub(super) fn refusals(&self) -> usize {
        self.subscription.refusals
    }

    /// At rest: it is off, unless there is something to hear about.
    pub(super) fn subscription_settled(&self) -> Seen {
        let off = self.status.listening == Listening::Off;
        must(off != self.is_filtered(), || {
            let is = self.status.listening;
            format!("it is {is:?}, and {:?} is wanted", self.subscription.filter)
        })
    }
}
