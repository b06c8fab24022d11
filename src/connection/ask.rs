//! Asks: questions of the server, answered with a ticket.

use super::Connection;
use super::events::Source;
use super::exchange::Purpose;
use crate::event::{Ask as AskEvent, Withdrawal};
use crate::wire::jsonrpc::Members;
use crate::{CallId, Event, RawJson, Ticket};

/// A question that was not answered yet.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) asker: Asker,
    pub(super) call: Option<CallId>,
}

/// What asks, and so how it is answered.
#[derive(Clone, Debug)]
pub(super) enum Asker {
    /// A request of the server, in this session, with its id to the letter.
    Request { id: String, generation: u64 },
    /// An answer to this call that requires input, under this key.
    Round { call: CallId, key: String },
}

impl Ask {
    /// Whether a request of this session asks.
    pub(super) fn is_of(&self, session: u64) -> bool {
        matches!(self.asker, Asker::Request { generation, .. } if generation == session)
    }

    /// Whether the request with this id asks.
    pub(super) fn has_id(&self, request: &str) -> bool {
        matches!(&self.asker, Asker::Request { id, .. } if id == request)
    }
}

/// The client capability under which a method is announced (lifecycle: capability
/// negotiation).
fn capability_of(method: &str) -> Option<&'static str> {
    match method {
        "elicitation/create" => Some("elicitation"),
        "roots/list" => Some("roots"),
        "sampling/createMessage" => Some("sampling"),
        "tasks/cancel" | "tasks/get" | "tasks/list" | "tasks/result" => Some("tasks"),
        _ => None,
    }
}

impl Connection {
    pub(super) fn is_announced(&self, method: &str) -> bool {
        let announced = Members::of(self.config.common.capabilities.as_str());
        capability_of(method).is_some_and(|capability| announced.get(capability).is_some())
    }

    /// Whether an answer that requires input may ask this (2026-07-28, patterns: multi
    /// round-trip requests).
    pub(super) fn is_announced_for_rounds(&self, method: &str) -> bool {
        let is_of_rounds = matches!(
            method,
            "elicitation/create" | "roots/list" | "sampling/createMessage"
        );
        is_of_rounds && self.is_announced(method)
    }

    /// Whether this question waits for its answer.
    #[cfg(any(feature = "asynchronous", feature = "blocking"))]
    pub(crate) fn is_asked(&self, ticket: Ticket) -> bool {
        self.asks.contains_key(&ticket)
    }

    /// Whether one more question fits: those not answered and the answers that
    /// wait to leave, or to be told what their refusal means, share one limit.
    pub(super) fn has_room_for_ask(&self) -> bool {
        let is_answer = |purpose: &Purpose| matches!(purpose, Purpose::Answer(_));
        let refused = self
            .parked(is_answer)
            .saturating_add(self.in_doubt(is_answer));
        let leaving = self.answers.len().saturating_add(refused);
        self.asks.len().saturating_add(leaving) < self.config.common.limits.open_asks
    }

    pub(super) fn open_ask(
        &mut self,
        asker: Asker,
        (method, params, call): (&str, Option<RawJson>, Option<CallId>),
        source: Option<Source>,
    ) {
        self.last_ticket = self.last_ticket.saturating_add(1);
        let ticket = Ticket::new(self.tag, self.last_ticket);
        self.asks.insert(ticket, Ask { asker, call });
        if let Some(call) = call {
            self.asks_of.entry(call).or_default().insert(ticket);
            self.pause_clock(call);
        }
        let method = method.to_owned();
        let ask = Event::Ask(AskEvent {
            ticket,
            method,
            params,
            call,
        });
        self.events.push_from(ask, source);
    }

    /// Withdraws the asks that fit.
    pub(super) fn withdraw_asks(&mut self, cause: Withdrawal, fits: impl Fn(&Ask) -> bool) {
        let void: Vec<Ticket> = self
            .asks
            .iter()
            .filter(|(_, ask)| fits(ask))
            .map(|(ticket, _)| *ticket)
            .collect();
        for ticket in void {
            self.withdraw_ask(ticket, cause);
        }
    }

    /// Withdraws the asks of a call that has ended.
    pub(super) fn withdraw_asks_of(&mut self, call: CallId) {
        for ticket in self.asks_of.remove(&call).unwrap_or_default() {
            self.withdraw_ask(ticket, Withdrawal::CallEnded);
        }
    }

    fn withdraw_ask(&mut self, ticket: Ticket, cause: Withdrawal) {
        self.close_ask(ticket);
        self.events.withdraw(ticket, cause);
    }

    /// An ask is open no more: the clock of its call goes on.
    pub(super) fn close_ask(&mut self, ticket: Ticket) -> Option<Ask> {
        let ask = self.asks.remove(&ticket)?;
        self.room = true;
        if let Some(call) = ask.call {
            if let Some(asks) = self.asks_of.get_mut(&call) {
                asks.remove(&ticket);
                if asks.is_empty() {
                    self.asks_of.remove(&call);
                }
            }
            self.resume_clock(call);
        }
        Some(ask)
    }
}
