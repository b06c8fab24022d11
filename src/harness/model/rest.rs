//! At rest, and at the end of a run: all that is decided was told, and nothing is left.

use super::exchange::{self, Exchange, Outcome};
use super::{Asked, Model, Seen, must};
use crate::Status;

impl Model {
    /// What is to be when both outlets are empty, and nobody asks anybody.
    pub(in super::super) fn settled(&self) -> Seen {
        for (number, call) in &self.calls {
            if call.ended.is_none() {
                self.call_settled(*number, call)?;
            }
        }
        self.sessions_settled()?;
        self.closings_settled()?;
        if self.has_control_under_way() {
            return Ok(());
        }
        self.listening_settled()?;
        self.restoring_settled()
    }

    /// The requests for a listening stream whose head may take for ever.
    pub(in super::super) fn is_unheard(&self, number: u64) -> bool {
        let exchange = &self.exchanges[&number];
        let listens = matches!(
            exchange.carries,
            exchange::Carries::Listen | exchange::Carries::Subscribe
        );
        listens && exchange.head.is_none()
    }

    /// The streams that never stand still.
    pub(in super::super) fn listening_streams(&self) -> Vec<u64> {
        let open = |exchange: &Exchange| {
            let waits = exchange.over.is_none() && exchange.outcome == Outcome::Pending;
            exchange.carries == exchange::Carries::Listen && waits && !exchange.deserted
        };
        let current = self.sessions.current.as_ref().map(|it| it.generation);
        let open = |exchange: &Exchange| open(exchange) && Some(exchange.generation) == current;
        let channel = |number: u64, exchange: &Exchange| {
            self.channel.is(number) && self.channel.is_open() && exchange.over.is_none()
        };
        self.exchanges
            .iter()
            .filter(|(number, exchange)| {
                let open = open(exchange) || channel(**number, exchange);
                open && !exchange.strained && exchange.silent.is_none()
            })
            .map(|(number, _)| *number)
            .collect()
    }

    /// A server that gives everybody what he missed says so much before the reply.
    pub(in super::super) fn owes(&mut self, exchange: u64, marks: Vec<u64>) {
        if self.setup.honest {
            self.owed.insert(exchange, marks);
        }
    }

    /// What is to be at the end of a run.
    pub(in super::super) fn finished(&self, status: &Status) -> Seen {
        for (number, call) in &self.calls {
            must(call.ended.is_some(), || {
                format!("law 2: call {number} never ended")
            })?;
        }
        for (number, note) in &self.notes {
            must(note.ended, || {
                format!("law 2: notification {number} never ended")
            })?;
        }
        for (ticket, asked) in &self.tickets {
            must(*asked == Asked::Over, || {
                format!("law 2: {ticket:?} is still {asked:?}")
            })?;
        }
        must(status.open_calls == 0, || {
            format!("law 8: {} calls are kept", status.open_calls)
        })?;
        let kept = status.exchanges.saturating_sub(self.under_way().len());
        must(kept == 0, || format!("law 8: {kept} exchanges are kept"))?;
        // With which page the list of tools goes on is remembered while there is a server.
        let pages = |it: &Exchange| it.brought_a_cursor();
        let cursor = !self.is_closed() && self.exchanges.values().any(pages);
        let least = if cursor { 40 } else { 0 };
        must(status.buffered <= least, || {
            format!("law 8: {} bytes are kept", status.buffered)
        })?;
        self.sessions_finished()
    }
}
