//! Those who read events, and the asks that they read.

use std::task::{Context, Poll};

use serde::Serialize;

use super::{State, end_of};
use crate::error::{Error, RpcError};
use crate::{Event, Subject, Ticket, Time};

impl State {
    /// A place for somebody who reads events, until it is given up by
    /// [`leave_reader`](Self::leave_reader).
    pub(crate) fn enter_reader(&mut self) -> u64 {
        self.readers.enter()
    }

    /// With the last reader goes whoever could answer what was read.
    pub(crate) fn leave_reader(&mut self, place: u64, now: Time) {
        self.readers.leave(place);
        if self.readers.is_empty() {
            for ticket in std::mem::take(&mut self.asked) {
                self.decline(ticket, now);
            }
            self.unread_authorization(now);
        }
        self.wake_driver();
    }

    /// The next event that is nobody's end.
    pub(crate) fn poll_unread(&mut self, place: u64, cx: &Context<'_>) -> Poll<Option<Event>> {
        let asking = &self.asking;
        if let Some(event) = self
            .connection
            .poll_event_where(|event| end_of(event).is_none() && !asking.takes(event))
        {
            self.note_read(&event);
            self.wake_driver();
            return Poll::Ready(Some(event));
        }
        if self.gone || self.connection.is_closed() {
            return Poll::Ready(None);
        }
        self.readers.wait(place, cx);
        Poll::Pending
    }

    fn note_read(&mut self, event: &Event) {
        match event {
            Event::Ask(ask) => {
                self.asked.insert(ask.ticket);
            }
            Event::AskWithdrawn { ticket, .. } => {
                self.asked.remove(ticket);
            }
            _ => {}
        }
        // Withdrawals that gave way to later events are never read (law 8). What is open for
        // the machine is never forgotten: nobody else could end it.
        if self.asked.len() > self.most_asked {
            let connection = &self.connection;
            self.asked.retain(|ticket| connection.is_asked(*ticket));
        }
    }

    /// Answers an ask. Somebody will wait for the end of that.
    pub(crate) fn answer<R: Serialize>(
        &mut self,
        ticket: Ticket,
        outcome: &Result<R, RpcError>,
        now: Time,
    ) -> Result<(), Error> {
        let outcome = outcome.as_ref().map_err(Clone::clone);
        self.connection.answer(ticket, outcome, now)?;
        self.asked.remove(&ticket);
        self.expect(Subject::Answer(ticket), None);
        Ok(())
    }

    /// Nobody is there to be asked.
    pub(super) fn decline(&mut self, ticket: Ticket, now: Time) {
        let outcome = Err::<&(), _>(RpcError::method_not_found());
        // It fails only if the ask was withdrawn, and needs no answer any more.
        let _ = self.connection.answer(ticket, outcome, now);
        self.dirty = true;
    }
}

#[cfg(test)]
mod tests;
