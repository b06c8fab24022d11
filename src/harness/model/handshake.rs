//! Handshakes: one at a time, within their budget, and what is told of them.

use std::time::Duration;

use super::exchange::Outcome;
use super::search::Next;
use super::session::Attempt;
use super::{Model, Seen, must};
use crate::event::{LossCause, Ready};
use crate::{Contact, Time};

const WINDOW: Duration = Duration::from_secs(60);

impl Model {
    /// A request of the handshake leaves: laws 3 and 4. `elsewhere`: to where a redirect
    /// leads.
    pub(super) fn handshake_sent(
        &mut self,
        number: u64,
        contact: Contact,
        elsewhere: bool,
    ) -> Seen {
        let now = self.now;
        must(self.sessions.current.is_none(), || {
            "law 3: a handshake although there is a session".to_owned()
        })?;
        must(!self.sessions.reinitialize_due, || {
            "a handshake although recovery is manual".to_owned()
        })?;
        if let Some(last) = self.sessions.attempts.last() {
            let exchange = &self.exchanges[&last.exchange];
            must(
                exchange.outcome != Outcome::Pending || exchange.over.is_some(),
                || format!("law 3: a handshake while exchange {} is one", last.exchange),
            )?;
        }
        let vague = self.search.is_vague();
        let counts = if elsewhere {
            must(self.is_redirected(contact), || {
                format!("{contact:?} goes where nothing leads")
            })?;
            false
        } else {
            let (counts, waits) = self.asks_next(contact)?;
            let counted = self.counted();
            must(!counts || counted.len() < 3, || {
                format!("law 4: a fourth handshake in 60 s, after {counted:?}")
            })?;
            if let Some(last) = counted.last().filter(|_| counts && waits) {
                let least = Duration::from_secs(counted.len() as u64);
                must(now.since(*last) >= least, || {
                    format!("law 4: a handshake too soon after {last:?}")
                })?;
            }
            counts
        };
        self.search.next = Next::Unknown;
        self.sessions.attempts.push(Attempt {
            exchange: number,
            contact,
            at: now,
            counts,
            may_count: counts || vague,
            redirected: elsewhere,
        });
        Ok(())
    }

    /// Whether a redirect of what left last is to be followed with this.
    fn is_redirected(&self, contact: Contact) -> bool {
        let row = self.redirects(contact);
        let last = self.sessions.attempts.last();
        let follows = last.is_some_and(|it| {
            it.contact == contact && self.exchanges[&it.exchange].outcome == Outcome::Redirected
        });
        follows && row < 3
    }

    /// How many redirects in a row have led to what left last.
    pub(super) fn redirects(&self, contact: Contact) -> usize {
        let attempts = self.sessions.attempts.iter().rev();
        let row = attempts.take_while(|it| it.redirected && it.contact == contact);
        row.count()
    }

    /// The times of the handshakes that count now.
    pub(super) fn counted(&self) -> Vec<Time> {
        let attempts = self.sessions.attempts.iter();
        attempts
            .filter(|it| it.counts && self.now < it.at + WINDOW)
            .filter(|it| self.exchanges[&it.exchange].outcome != Outcome::NotSent)
            .map(|it| it.at)
            .collect()
    }

    /// Whether there may be no more handshakes now.
    pub(super) fn may_be_spent(&self) -> bool {
        let attempts = self.sessions.attempts.iter();
        let counted = attempts.filter(|it| it.may_count && self.now < it.at + WINDOW);
        counted.count() >= 3
    }

    pub(super) fn attempts(&self) -> usize {
        self.sessions.attempts.len()
    }

    /// `Reinitialize`: once for each session that was lost.
    pub(super) fn told_lost(&mut self, generation: u64, cause: LossCause) -> Seen {
        let sessions = &mut self.sessions;
        let maybe = sessions.maybe_lost.contains(&generation);
        must(maybe || sessions.lost.contains(&generation), || {
            format!("law 3: session {generation} was not lost: {cause:?}")
        })?;
        must(sessions.told_lost.insert(generation), || {
            format!("law 3: session {generation} is lost twice")
        })
    }

    /// `Ready`: once for each session that was established.
    pub(super) fn told_ready(&mut self, ready: &Ready) -> Seen {
        let sessions = &mut self.sessions;
        let known = sessions.established.contains(&ready.generation);
        must(known, || {
            format!("session {} was not established", ready.generation)
        })?;
        must(sessions.told_ready.insert(ready.generation), || {
            "ready twice".to_owned()
        })
    }

    pub(super) fn sessions_settled(&self) -> Seen {
        self.search_settled()?;
        let sessions = &self.sessions;
        must(!sessions.owes_ping || self.has_control_under_way(), || {
            "a GET was answered 404, and no ping asks about the session".to_owned()
        })?;
        must(sessions.lost.is_subset(&sessions.told_lost), || {
            "law 3: a loss was not told".to_owned()
        })?;
        must(sessions.established == sessions.told_ready, || {
            "a session was not told".to_owned()
        })
    }

    pub(super) fn sessions_finished(&self) -> Seen {
        self.sessions_settled()?;
        if self.is_past_closing() {
            return Ok(());
        }
        let current = self
            .sessions
            .current
            .as_ref()
            .and_then(|current| current.id.as_ref());
        for given in &self.sessions.given {
            let done = given.dead || given.deleted || !given.owed || Some(&given.id) == current;
            must(done, || {
                format!("{} was left behind without a DELETE", given.id)
            })?;
        }
        Ok(())
    }
}
