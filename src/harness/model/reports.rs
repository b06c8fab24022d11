//! What is reported of an exchange, and what it means by then.

use http::{HeaderMap, StatusCode};

use super::exchange::{Carries, Exchange, Outcome, Over};
use super::{Came, Model, Seen};

impl Model {
    pub(in super::super) fn head(&mut self, number: u64, status: StatusCode, headers: &HeaderMap) {
        let now = self.now;
        let Some(exchange) = self.exchanges.get_mut(&number).filter(|it| !it.is_over()) else {
            return;
        };
        exchange.head = Some((status, headers.clone(), now));
        exchange.hears(now);
        // A stream that opens has a clock of its own.
        exchange.unwatched &= !exchange.is_stream();
        let exchange = &self.exchanges[&number];
        let waits = exchange.is_accepted() && exchange.is_request();
        if waits && exchange.lost_at.is_some() {
            self.exchanges.get_mut(&number).unwrap().unheard = true;
        }
        self.session_given(number);
        self.listening_opened(number);
        self.conclude(number, None);
    }

    pub(in super::super) fn body(&mut self, number: u64, chunk: &[u8]) {
        let buffered = self
            .status
            .buffered
            .saturating_add(chunk.len().saturating_mul(3));
        let Some(exchange) = self.exchanges.get_mut(&number).filter(|it| !it.is_over()) else {
            return;
        };
        let strains = buffered > self.setup.limits.buffers && !exchange.strained;
        exchange.strained |= strains;
        if strains {
            exchange.silent.get_or_insert(self.now);
        }
        if strains && matches!(exchange.carries, Carries::Listen | Carries::Subscribe) {
            self.listener.may_have_failed();
        }
        exchange.hears(self.now);
        let limits = self.setup.limits;
        let before = exchange.marks(&limits).len();
        exchange.body.extend_from_slice(chunk);
        for (mark, plain) in exchange.marks(&limits).split_off(before) {
            let came = Came {
                at: self.now,
                exchange: number,
                plain,
            };
            *self.said.entry(mark).or_default() += 1;
            self.came.entry(mark).or_insert(came);
        }
        self.conclude(number, None);
    }

    pub(in super::super) fn over(&mut self, number: u64, over: Over) -> Seen {
        self.conclude(number, Some(over));
        Ok(())
    }

    /// Reads an exchange anew.
    pub(super) fn conclude(&mut self, number: u64, over: Option<Over>) {
        let batches = self.exchanges[&number].batches;
        let (turn, now) = (self.turn, self.now);
        let limits = self.setup.limits;
        let before = self.exchanges[&number].clone();
        let mut exchange = before;
        if !exchange.is_over() {
            exchange.over = over.or(exchange.over);
        }
        if over == Some(Over::Silent) {
            exchange.silent = Some(now);
            exchange.counts = Some(exchange.body.len());
        }
        let pending = exchange.outcome == Outcome::Pending;
        if pending {
            exchange.outcome = exchange.read(&limits, batches, |number| {
                self.exchanges
                    .get(&number)
                    .is_some_and(Exchange::is_request)
            });
            exchange.outcome = self.in_rounds(&exchange, exchange.outcome.clone());
            exchange.outcome = self.in_subscription(&exchange, exchange.outcome.clone());
            exchange.concluded = (turn, now);
        }
        let concluded = pending && exchange.outcome != Outcome::Pending;
        self.exchanges.insert(number, exchange);
        if concluded {
            self.session_effects(number);
            self.stream_effects(number);
        }
        self.channel_moved(number);
    }
}
