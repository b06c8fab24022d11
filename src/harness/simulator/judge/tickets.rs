//! Asks: each is answered or withdrawn, once; and the time during which people are asked.

use std::time::Duration;

use super::super::rule::Rule;
use super::Judge;
use crate::{Ask, Ticket, Time};

/// For how long somebody was asked, all in all.
#[derive(Clone, Debug, Default)]
pub(super) struct Pauses {
    open: usize,
    since: Time,
    total: Duration,
}

impl Pauses {
    pub(super) fn so_far(&self, now: Time) -> Duration {
        match self.open {
            0 => self.total,
            _ => self.total + now.since(self.since),
        }
    }

    fn begin(&mut self, now: Time) {
        self.total = self.so_far(now);
        self.since = now;
        self.open += 1;
    }

    fn end(&mut self, now: Time) {
        self.total = self.so_far(now);
        self.since = now;
        self.open = self.open.saturating_sub(1);
    }
}

impl Judge {
    pub(super) fn asked(&mut self, client: usize, ask: &Ask, key: Option<usize>, now: Time) {
        let ledger = &mut self.ledgers[client];
        ledger.pauses.begin(now);
        let known = ledger.tickets.insert(ask.ticket, false).is_some();
        let params = ask.params.as_ref().map_or("", |it| it.as_str());
        let others = key.is_some_and(|key| params != format!("{{\"key\":{key}}}"));
        if known {
            self.breach(Rule::AskTwice, || {
                format!("client {client}: {:?} is asked twice", ask.ticket)
            });
        }
        if others {
            self.breach(Rule::AskOfAnother, || {
                format!("client {client}: {:?} is another's: {params}", ask.ticket)
            });
        }
    }

    /// The application has answered it, and was not refused.
    pub(in super::super) fn answers(&mut self, client: usize, ticket: Ticket) {
        if self.ledgers[client].tickets.insert(ticket, true) != Some(false) {
            self.breach(Rule::AnswerTwice, || {
                format!("client {client}: {ticket:?} could be answered twice")
            });
        }
    }

    pub(super) fn ticket_ended(
        &mut self,
        client: usize,
        ticket: Ticket,
        answered: bool,
        now: Time,
    ) {
        let ledger = &mut self.ledgers[client];
        ledger.pauses.end(now);
        match ledger.tickets.remove(&ticket) {
            None => self.breach(Rule::AskEndsTwice, || {
                format!("client {client}: {ticket:?} ends twice, or unasked")
            }),
            Some(really) if really != answered => self.breach(Rule::AskEndsOtherwise, || {
                format!("client {client}: {ticket:?} ends as if answered: {answered}")
            }),
            Some(_) => {}
        }
    }

    /// A credential is asked for, or was given or refused.
    pub(in super::super) fn authorizes(&mut self, client: usize, asks: bool, now: Time) {
        let pauses = &mut self.ledgers[client].pauses;
        if asks {
            pauses.begin(now);
        } else {
            pauses.end(now);
        }
    }
}
