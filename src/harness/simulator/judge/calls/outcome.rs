//! Laws 2, 5 and 7: each call ends once, the truth is told of it, and only what happened
//! to itself ends it.

use std::time::Duration;

use super::super::super::rule::Rule;
use super::super::Judge;
use super::End;
use crate::{Delivery, Error, Lost, Reason, Refused, Reply, Time};

impl Judge {
    fn end(&mut self, client: usize, key: Option<usize>, end: End, now: Time) -> Option<usize> {
        let Some(key) = key else {
            self.breach(Rule::Nobodys, || {
                format!("client {client}: a call that nobody made ends")
            });
            return None;
        };
        let ledger = &mut self.ledgers[client];
        ledger.open_calls = ledger.open_calls.saturating_sub(1);
        let (lag, slow) = (ledger.setup.lag, ledger.setup.slow);
        let paused = ledger.pauses.so_far(now);
        let deed = &mut self.deeds[key];
        let before = deed.end.replace(end);
        if let Some(before) = before {
            self.breach(Rule::EndsTwice, || {
                format!("call {key} ends twice: {before:?}, {end:?}")
            });
        } else if let Some(whole) = deed.terms.whole {
            let longest = deed.terms.longest.unwrap_or(whole).max(whole);
            let slack = Duration::from_millis(2 * lag + if slow { 300_000 } else { 1 });
            let due = deed.made + longest + (paused - deed.paused) + slack;
            if now > due {
                self.breach(Rule::Overdue, || {
                    format!("call {key} ends after {longest:?}, at {now:?}")
                });
            }
        }
        Some(key)
    }

    pub(in super::super) fn replied(
        &mut self,
        client: usize,
        key: Option<usize>,
        reply: &Reply,
        now: Time,
    ) {
        let Some(key) = self.end(client, key, End::Replied, now) else {
            return;
        };
        let deed = &self.deeds[key];
        let (executed, answered) = (deed.executed, deed.answered || deed.refused);
        if !answered {
            self.breach(Rule::ReplyOfNobody, || {
                format!("call {key} has a reply that did not come")
            });
        }
        if let Ok(result) = &reply.outcome {
            let echo = format!("\"echo\":{key}}}");
            if !result.as_str().contains(&echo) {
                self.breach(Rule::ReplyOfAnother, || {
                    format!("call {key} has the reply of another")
                });
            }
            if executed == 0 {
                self.breach(Rule::Unexecuted, || {
                    format!("call {key} has a result without being executed")
                });
            }
        }
    }

    pub(in super::super) fn failed(
        &mut self,
        client: usize,
        key: Option<usize>,
        error: &Error,
        now: Time,
    ) {
        let delivery = error.delivery();
        let Some(key) = self.end(client, key, End::Failed(delivery), now) else {
            return;
        };
        let ledger = &self.ledgers[client];
        let lost = ledger.channels_lost + u32::from(ledger.handshakes.has_lost_channel());
        let deed = &self.deeds[key];
        let untold = deed.executed > 0 && !deed.lied && delivery != Delivery::Unknown;
        let given_up = matches!(
            error.reason(),
            Reason::Cancelled | Reason::Closed | Reason::Timeout(_)
        );
        let spent = matches!(
            error.reason(),
            Reason::Lost(Lost::SessionUnrecoverable { .. })
        );
        // What waits for a handshake shares its fate, between two rounds as well.
        let of_handshake = spent || !error.search().steps().is_empty();
        let declined = *error.reason() == Reason::Refused(Refused::Unanswered);
        let own = delivery != Delivery::NotSent && !given_up && !declined && !of_handshake;
        let unharmed = deed.troubles == 0 && lost == deed.channels_lost;
        let answered = deed.answered && !given_up;
        if spent && error.retry_after().is_none() && ledger.is_spent(now) {
            self.breach(Rule::SpentForEver, || {
                format!("call {key} is not told when to come back: {error}")
            });
        }
        if untold {
            self.breach(Rule::ExecutedUntold, || {
                format!("call {key} was executed, but is told {delivery:?}: {error}")
            });
        }
        if answered {
            self.breach(Rule::AnsweredFails, || {
                format!("call {key} was answered, but fails: {error}")
            });
        }
        if own && unharmed {
            // That its exchange is given up is seen at the end of this turn.
            self.ledgers[client].unexplained = Some((key, error.to_string()));
        }
    }

    /// At the end of a turn (law 7).
    pub(in super::super) fn is_explained(&mut self, client: usize) {
        let ledger = &mut self.ledgers[client];
        let Some((key, error)) = ledger.unexplained.take() else {
            return;
        };
        let deed = &self.deeds[key];
        if deed.troubles == 0 && ledger.channels_lost == deed.channels_lost {
            self.breach(Rule::Collateral, || {
                format!("call {key} fails for what was not its own: {error}")
            });
        }
    }

    /// After all was delivered.
    pub(in super::super) fn calls_are_over(&mut self) {
        for key in 0..self.deeds.len() {
            let deed = &self.deeds[key];
            let (client, executed) = (deed.client, deed.executed);
            match deed.end {
                None => self.breach(Rule::Unended, || {
                    format!("client {client}: call {key} never ends")
                }),
                Some(End::Failed(Delivery::NotSent)) if deed.arrived => {
                    self.breach(Rule::NotSentArrived, || {
                        format!("call {key} was told NotSent, and arrived")
                    });
                }
                Some(End::Failed(delivery)) if delivery != Delivery::Unknown => {
                    if executed > 0 && !deed.lied {
                        self.breach(Rule::ExecutedLater, || {
                            format!("call {key} was told {delivery:?}, and was executed after that")
                        });
                    }
                }
                Some(End::Failed(_) | End::Replied) => {}
            }
        }
    }
}
