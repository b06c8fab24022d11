//! What the application is told: with a cause, once, and the truth.

use serde_json::{Value, json};

use super::answer::{Reply, reply};
use super::exchange::{Exchange, Outcome};
use super::restoring::LEVEL;
use super::{Asked, Model, Seen, must};
use crate::{Binding, Clock, Delivery, Error, Event, Lost, Reason, Refused, Subject};

impl Model {
    pub(in super::super) fn event(&mut self, event: &Event) -> Seen {
        match event {
            Event::Accepted { subject } => self.ended(*subject, None),
            Event::Ask(ask) => {
                must(ask.method == "elicitation/create", || {
                    "an ask for what is not offered".to_owned()
                })?;
                let call = ask.call.map(|call| call.number());
                call.map_or(Ok(()), |call| self.about(call))?;
                let mark = self.deliver(ask.params.as_ref())?;
                self.asked(mark, ask.ticket);
                let before = self.tickets.insert(ask.ticket, Asked::Open { call });
                must(before.is_none(), || format!("{:?} twice", ask.ticket))
            }
            Event::AskWithdrawn { ticket, cause } => {
                let asked = self.tickets.insert(*ticket, Asked::Over);
                must(matches!(asked, Some(Asked::Open { .. })), || {
                    format!("{ticket:?} is withdrawn ({cause:?}) although it is {asked:?}")
                })
            }
            Event::Authorize(_) => Err("nobody is to be asked for a credential".to_owned()),
            Event::Fail { subject, error } => self.ended(*subject, Some(error)),
            Event::Gap { .. } | Event::StreamDegraded { .. } | Event::StreamRestored => {
                self.listening_event(event)
            }
            Event::Message(message) => {
                if let Some(call) = message.call {
                    self.about(call.number())?;
                }
                let mark = self.deliver(message.params.as_ref())?;
                if let (Some(call), Some(mark)) = (message.call, mark) {
                    if message.method == "notifications/progress" {
                        let call = self.calls.get_mut(&call.number());
                        call.unwrap().progress.push(mark);
                    }
                }
                Ok(())
            }
            Event::NotRestored { method, params, .. } => self.not_restored(method, params),
            Event::Listening { .. } | Event::StreamEnded => self.subscription_event(event),
            Event::ToolRejected(_) => Err("all tools keep the rules".to_owned()),
            Event::StreamNotOffered { .. } => self.told_not_offered(),
            Event::Ready(ready) => self.told_ready(ready),
            Event::Reinitialize { generation, cause } => self.told_lost(*generation, *cause),
            Event::Reply { call, reply } => {
                let outcome = match &reply.outcome {
                    Ok(result) => Ok(result.deserialize().map_err(|error| error.to_string())?),
                    Err(error) => Err(error.code),
                };
                self.about(call.number())?;
                self.replied(call.number(), &outcome)
            }
        }
    }

    /// Nothing is said about a call after its end.
    fn about(&self, number: u64) -> Seen {
        let call = self.calls.get(&number).ok_or("a call that nobody made")?;
        must(call.ended.is_none(), || {
            format!(
                "law 2: something about call {number} after its end ({:?})",
                call.ended
            )
        })
    }

    fn deliver(&mut self, params: Option<&crate::RawJson>) -> Result<Option<u64>, String> {
        let params: Value = params
            .and_then(|it| it.deserialize().ok())
            .unwrap_or_default();
        let Some(n) = params.get("m").and_then(Value::as_u64) else {
            return Ok(None);
        };
        let said = match self.setup.honest {
            true => 1,
            false => self.said.get(&n).copied().unwrap_or(1),
        };
        let times = self.delivered.entry(n).or_default();
        *times += 1;
        must(*times <= said, || {
            format!("message {n} is given out {times} times, and was said {said} times")
        })?;
        Ok(Some(n))
    }

    fn replied(&mut self, number: u64, outcome: &Reply) -> Seen {
        let call = &self.calls[&number];
        let limits = self.setup.limits;
        let own = call
            .sendings
            .iter()
            .any(|sending| match &self.exchanges[sending].outcome {
                Outcome::Replied(reply) | Outcome::Maybe(reply, _) => reply == outcome,
                Outcome::Contested(reply) => reply == outcome,
                Outcome::Suspicious { own, .. } => own.as_ref() == Some(outcome),
                _ => false,
            });
        let asks = |result: &Value| result.get("resultType").is_some_and(|it| it != "complete");
        let last = call.sendings.last().map(|it| self.exchanges[it].binding);
        let alone = last == Some(Binding::Stateless);
        must(!alone || !outcome.as_ref().is_ok_and(asks), || {
            format!("call {number} gets a reply that is none: {outcome:?}")
        })?;
        // A stream may carry the replies to other requests too.
        let foreign = || {
            let messages = self
                .exchanges
                .values()
                .flat_map(|it| it.messages(&limits, true).0);
            messages.into_iter().any(|message| {
                reply(&message).is_some_and(|(id, reply)| {
                    let id = id.as_u64().unwrap_or_default();
                    call.sendings.contains(&id) && reply == *outcome
                })
            })
        };
        // A log level is only noted where it travels with each request.
        let noted = call.plan.method == LEVEL && *outcome == Ok(json!({}));
        must(
            own || foreign() || noted && self.sessions.stood_alone,
            || format!("call {number} gets a reply that nobody gave: {outcome:?}"),
        )?;
        self.all_was_read(number)?;
        if outcome.is_ok() {
            self.granted(number);
        }
        self.calls.get_mut(&number).unwrap().ended = Some("reply");
        Ok(())
    }

    /// Nothing is lost that a server replays: what came before the reply was read.
    fn all_was_read(&self, number: u64) -> Seen {
        let owed = self.calls[&number].sendings.last();
        let owed = owed.and_then(|sending| self.owed.get(sending));
        let missing = |mark: &&u64| !self.delivered.contains_key(mark);
        match owed.and_then(|owed| owed.iter().find(missing)) {
            Some(mark) => Err(format!("message {mark} of call {number} is lost")),
            None => Ok(()),
        }
    }

    fn ended(&mut self, subject: Subject, error: Option<&Error>) -> Seen {
        match subject {
            Subject::Answer(ticket) => {
                let asked = self.tickets.insert(ticket, Asked::Over);
                must(asked == Some(Asked::Answered), || {
                    format!("{ticket:?} ended, and was {asked:?}")
                })
            }
            Subject::Call(call) => {
                let error = error.ok_or("a call is accepted")?;
                self.about(call.number())?;
                self.failed(call.number(), error)?;
                self.calls.get_mut(&call.number()).unwrap().ended = Some("failure");
                Ok(())
            }
            Subject::Connection => Ok(()),
            Subject::Notification(id) => {
                let note = self
                    .notes
                    .get_mut(&id.number())
                    .ok_or("a notification of nobody")?;
                must(!note.ended, || format!("law 2: {id:?} ended twice"))?;
                note.ended = true;
                let accepted = note
                    .sendings
                    .last()
                    .is_some_and(|sending| self.exchanges[sending].outcome == Outcome::Accepted);
                must(error.is_some() || accepted, || {
                    format!("{id:?} was not accepted")
                })
            }
            Subject::Stream(call) => call.map_or(Ok(()), |call| self.about(call.number())),
        }
    }

    /// Laws 5 and 7: a call failed. For a cause of its own, and with the truth about it.
    fn failed(&self, number: u64, error: &Error) -> Seen {
        let call = &self.calls[&number];
        let told = error.delivery();
        let now = self.delivery(call, u64::MAX);
        // Where silence may have ended one, more doubt than there has to be is no lie.
        let silent = |it: &u64| {
            let exchange = &self.exchanges[it];
            exchange.goes_to_address() && exchange.silent.is_some()
        };
        let doubtful = call.sendings.iter().any(silent);
        let truth = |truth: Delivery| {
            must(told == truth || doubtful && told > truth, || {
                format!(
                    "law 5: call {number} failed as {told:?}, and the truth is {truth:?} ({error})"
                )
            })
        };
        let last = call.last_exchange().map(|last| &self.exchanges[&last]);
        match error.reason() {
            Reason::Cancelled => {
                let turn = call.cancelled.ok_or("cancelled by nobody")?;
                return truth(self.delivery(call, turn));
            }
            Reason::Closed => {
                let (turn, _) = self.closed.ok_or("closed by nobody")?;
                return truth(self.delivery(call, turn));
            }
            Reason::Timeout(Clock::Call(_)) => {
                let over = self.timed >= self.call_ends(call).0;
                must(over && call.limit.is_some(), || {
                    format!("call {number} had time left")
                })?;
                return must(told >= now, || {
                    format!("law 5: call {number} failed as {told:?}, not {now:?}")
                });
            }
            // All buffers together were full: more doubt than there has to be is no lie.
            Reason::Limit(_) if last.is_some_and(|it| it.strained) => {
                return must(told >= now, || {
                    format!("law 5: call {number} failed as {told:?}")
                });
            }
            Reason::Lost(Lost::SessionUnrecoverable { .. }) => {
                must(self.attempts() >= 3, || {
                    "the budget was not spent".to_owned()
                })?;
            }
            Reason::Lost(Lost::EachSession { .. }) => {
                let outcomes = call.sendings.iter().map(|it| &self.exchanges[it].outcome);
                let lost = outcomes
                    .filter(|it| {
                        let lost = matches!(it, Outcome::Lost | Outcome::Suspicious { .. });
                        lost || matches!(it, Outcome::Contested(_))
                    })
                    .count();
                must(lost >= 4, || {
                    format!("call {number} failed after {lost} lost sessions")
                })?;
            }
            Reason::Lost(Lost::Session) => {
                let cut = last.is_some_and(|last| {
                    let ended = last.silent.is_some() || last.outcome != Outcome::Pending;
                    ended && (last.is_get() || last.is_stream())
                });
                must(call.plan.never || cut, || {
                    format!("call {number} could have been sent again")
                })?;
                if cut {
                    return truth(Delivery::Unknown);
                }
            }
            Reason::Misuse(misuse) => {
                let method = call.plan.method;
                let lacks = self.sessions_without(method) > 0 || self.lacks_method(method);
                must(lacks, || format!("call {number} failed by {misuse}"))?;
            }
            // The handshake may have failed for want of anything on its stream.
            Reason::Timeout(Clock::Silence(_)) if self.channel_was_quiet() => {
                return truth(now);
            }
            Reason::Timeout(Clock::Silence(_)) => {
                let silence = self.setup.clocks.silence.unwrap_or_default();
                // Also where its session was lost at the same moment.
                let silent = |it: &Exchange| {
                    it.silent.or(it.hushed).is_some() || it.heard.max(it.sent) + silence <= self.now
                };
                must(last.is_some_and(silent), || {
                    format!("call {number} failed for silence that was none")
                })?;
                return truth(Delivery::Unknown);
            }
            Reason::Refused(Refused::Rpc) if call.sendings.is_empty() => {}
            _ => {}
        }
        if let Some(last) = last {
            must(last.resumes != Some(true), || {
                format!("call {number} could have gone on ({error})")
            })?;
            let fails = !matches!(last.outcome, Outcome::Pending | Outcome::Replied(_));
            must(fails || last.strained || last.silent.is_some(), || {
                format!(
                    "law 7: call {number} failed although its exchange is {:?} ({error})",
                    last.outcome
                )
            })?;
        } else {
            must(self.attempts() > 0, || {
                format!("call {number} failed without a handshake")
            })?;
        }
        truth(now)
    }
}
