//! Credentials: who is asked for one, and whose answer still counts.

use super::State;
use crate::event::Authorize;
use crate::{Event, Time};

/// What a source of credentials is asked, if there is one.
#[derive(Default)]
pub(super) struct Asking {
    /// Whether a source is asked instead of those who read events.
    has_source: bool,
    /// The question that is still to be put to it.
    due: Option<Authorize>,
    /// Counts the questions.
    number: u64,
}

impl Asking {
    /// Whether this event is the source's to see, and nobody else's.
    pub(super) fn takes(&self, event: &Event) -> bool {
        self.has_source && matches!(event, Event::Authorize(_))
    }
}

impl State {
    /// A source answers every question for a credential from now on.
    pub(crate) fn has_source(&mut self) {
        self.asking.has_source = true;
    }

    /// What the source is to be asked now, and the number of that question.
    pub(crate) fn question(&mut self) -> Option<(u64, Authorize)> {
        let due = self.asking.due.take()?;
        Some((self.asking.number, due))
    }

    /// Whether the answer to this question is still waited for. Somebody else may have
    /// given a credential meanwhile.
    pub(crate) fn still_asks(&self, number: u64) -> bool {
        number == self.asking.number && self.connection.awaits_authorization()
    }

    /// The source's answer. One that cannot be a header's value is none.
    pub(crate) fn answer_question(&mut self, number: u64, credential: Option<&str>, now: Time) {
        if self.still_asks(number) {
            let given = credential.map(|credential| self.connection.authorize(credential, now));
            if !matches!(given, Some(Ok(()))) {
                self.refuse_authorization(now);
            }
        }
        self.wake_driver();
    }

    /// The machine asks for a credential: the source if there is one, else nobody reads
    /// it.
    pub(super) fn asked(&mut self, question: &Authorize, now: Time) {
        if self.asking.has_source {
            self.asking.number = self.asking.number.wrapping_add(1);
            self.asking.due = Some(question.clone());
        } else {
            self.refuse_authorization(now);
        }
    }

    /// With the last reader goes whoever could give a credential.
    pub(super) fn unread_authorization(&mut self, now: Time) {
        if !self.asking.has_source {
            self.refuse_authorization(now);
        }
    }

    fn refuse_authorization(&mut self, now: Time) {
        // It fails only if nothing is asked any more.
        let _ = self.connection.refuse_authorization(now);
        self.dirty = true;
    }
}
