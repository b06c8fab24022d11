//! Calls and notifications: how often they were sent, on what strength, and how
//! they ended.

use std::time::Duration;

use serde_json::Value;

use super::super::setup::CallPlan;
use super::exchange::{Carries, Exchange, Outcome, Over};
use super::pace::FLOOR;
use super::{Asked, Model, Seen, must};
use crate::{Delivery, Phase, Ticket, Time};

#[derive(Clone, Debug)]
pub(in super::super) struct Call {
    /// What its params say, so that the wire shows which call it is.
    pub(super) mark: u64,
    pub(super) plan: CallPlan,
    pub(super) made: Time,
    pub(super) limit: Option<Duration>,
    pub(super) sendings: Vec<u64>,
    /// The GETs that took up the stream of the last sending.
    pub(super) gets: Vec<u64>,
    pub(super) token: Option<Value>,
    /// Progress that was read.
    pub(super) progress: Vec<u64>,
    /// Made while the application restores its state: nothing holds it.
    pub(super) restores: bool,
    /// In which turn the application gave it up.
    pub(super) cancelled: Option<u64>,
    pub(in super::super) ended: Option<&'static str>,
}

#[derive(Clone, Debug, Default)]
pub(in super::super) struct Note {
    pub(super) sendings: Vec<u64>,
    pub(in super::super) ended: bool,
}

impl Call {
    /// Whether it may have ended without an answer: cancelled, or out of time.
    pub(super) fn may_be_over(&self, timed: Option<Time>) -> bool {
        self.ended.is_some() || self.cancelled.is_some() || self.is_out_of_time(timed)
    }

    fn is_out_of_time(&self, timed: Option<Time>) -> bool {
        let end = self.limit.map(|limit| self.made + limit);
        end.is_some_and(|end| timed.is_some_and(|timed| timed >= end))
    }
}

/// # Commands
impl Model {
    pub(in super::super) fn has_room_for_call(&self) -> bool {
        let open = self
            .calls
            .values()
            .filter(|call| call.ended.is_none())
            .count();
        open < self.setup.limits.open_calls
    }

    pub(in super::super) fn has_room_for_note(&self) -> bool {
        let open = self.notes.values().filter(|note| !note.ended).count();
        open < self.setup.limits.open_notifications
    }

    pub(in super::super) fn called(&mut self, number: u64, mark: u64, plan: CallPlan) {
        let call = Call {
            mark,
            plan,
            made: self.now,
            limit: plan.time_out.unwrap_or(self.setup.clocks.call),
            sendings: Vec::new(),
            gets: Vec::new(),
            token: None,
            progress: Vec::new(),
            restores: self.has_lost_sessions() && self.status.phase != Phase::Ready,
            cancelled: None,
            ended: None,
        };
        self.calls.insert(number, call);
    }

    pub(in super::super) fn notes_made(&self) -> u64 {
        self.notes.last_key_value().map_or(0, |(last, _)| *last)
    }

    pub(in super::super) fn notified(&mut self, number: u64) {
        self.notes.insert(number, Note::default());
    }

    pub(in super::super) fn cancelled(&mut self, number: u64) {
        let turn = self.turn;
        if let Some(call) = self.calls.get_mut(&number) {
            call.cancelled.get_or_insert(turn);
        }
    }

    pub(in super::super) fn answered(&mut self, ticket: Ticket, error: bool) {
        self.question_answered(ticket, error);
        self.tickets.insert(ticket, Asked::Answered);
    }

    /// `paused` are the exchanges that the machine does not read on.
    pub(in super::super) fn network_changed(&mut self, paused: &[u64]) {
        self.network_changed_after = self.exchanges.last_key_value().map_or(0, |(last, _)| *last);
        self.network_unheeded = !self.is_closed();
        self.heed_network(paused);
    }

    /// One that follows another at once is heeded after the floor.
    pub(super) fn heed_network(&mut self, paused: &[u64]) {
        let last = self.network_changes.last().map(|(_, at)| *at);
        let early = last.is_some_and(|at| self.now < at + FLOOR);
        if !self.network_unheeded || self.is_closed() || early {
            return;
        }
        self.network_unheeded = false;
        self.network_changes.push((self.turn, self.now));
        let newest = self.network_changed_after;
        let current = self.sessions.current.as_ref().map(|it| it.generation);
        for exchange in self.exchanges.range_mut(..=newest).map(|it| it.1) {
            let listens = exchange.carries == Carries::Listen && exchange.over.is_none();
            let pending = exchange.outcome == Outcome::Pending;
            if listens && pending && Some(exchange.generation) == current {
                exchange.deserted = true;
                exchange.counts.get_or_insert(exchange.body.len());
            }
        }
        self.desert_subscriptions(newest);
        self.check_calls(paused, newest);
    }

    /// In which turn the network changed last.
    pub(super) fn last_change(&self) -> Option<u64> {
        self.network_changes.last().map(|change| change.0)
    }

    pub(in super::super) fn reinitialized(&mut self) {
        self.sessions.reinitialize_due = false;
    }
}

/// # Sendings
impl Model {
    /// Laws 4 and 5: a call leaves, perhaps again.
    pub(super) fn call_sent(&mut self, number: u64, exchange: u64, token: Option<&Value>) -> Seen {
        let call = &self.calls[&number];
        let plan = call.plan;
        must(call.ended.is_none() && call.cancelled.is_none(), || {
            format!("law 2: call {number} leaves after its end")
        })?;
        let count = |fits: fn(&Outcome) -> bool| {
            self.sendings_of_round(call)
                .iter()
                .filter(|sending| fits(&self.exchanges[sending].outcome))
                .count()
        };
        if let Some(last) = call.sendings.last() {
            let last = &self.exchanges[last];
            let after = self.now.since(last.concluded.1);
            let waited = |told: Option<Duration>| {
                let least = told.unwrap_or_default().max(Duration::from_millis(100));
                // A change of the network forgives that the server could not be reached.
                let unreached = last.outcome == Outcome::NotSent;
                let forgiven = unreached && self.last_change() >= Some(last.concluded.0);
                (after >= least || forgiven) && least <= Duration::from_secs(300)
            };
            // Nobody was at the other end: what came after that was not heard.
            let deaf = last.silent.is_some() && last.over != Some(Over::Silent);
            let (right, in_time) = match &last.outcome {
                Outcome::Pending if last.silent.is_some() => (plan.idempotent && !plan.never, true),
                _ if deaf && plan.idempotent && !plan.never => (true, true),
                Outcome::Redirected => (true, true),
                Outcome::NotSent => (plan.patience.is_some(), waited(None)),
                Outcome::Later(told) => (!plan.never, waited(*told)),
                Outcome::Doubt { again, after } => {
                    (*again && plan.idempotent && !plan.never, waited(*after))
                }
                Outcome::Contested(_) => (!plan.never, true),
                Outcome::Round(round) => self.goes_on_after(round, after),
                Outcome::Lost | Outcome::Suspicious { .. } => {
                    let held = self.status.phase == Phase::Held && !call.restores;
                    (!plan.never && !held, true)
                }
                _ => (false, true),
            };
            must(right, || {
                format!(
                    "law 5: call {number} ({plan:?}) is sent again after {:?}",
                    last.outcome
                )
            })?;
            must(in_time, || {
                format!(
                    "law 10: call {number} is sent again {after:?} after {:?}",
                    last.outcome
                )
            })?;
        }
        let redirects = count(|outcome| *outcome == Outcome::Redirected);
        must(redirects <= 3, || {
            format!("law 4: call {number} follows {redirects} redirects")
        })?;
        let again = count(|it| matches!(it, Outcome::Later(_) | Outcome::Doubt { .. }));
        must(again <= 2, || {
            format!("law 4: call {number} is sent again {again} times")
        })?;
        let contested = count(|it| matches!(it, Outcome::Contested(_)));
        // Or once more with each loss.
        must(contested <= 2 + self.sessions.lost.len().min(4), || {
            format!("law 4: call {number} is made anew {contested} times")
        })?;
        let call = self.calls.get_mut(&number).unwrap();
        call.sendings.push(exchange);
        call.gets.clear();
        call.token = token.cloned();
        Ok(())
    }

    pub(super) fn note_sent(&mut self, number: u64, exchange: u64) -> Seen {
        let note = self.notes.get(&number).ok_or("a notification of nobody")?;
        must(!note.ended, || {
            format!("notification {number} leaves after its end")
        })?;
        if let Some(last) = note.sendings.last() {
            let last = &self.exchanges[last].outcome;
            must(
                matches!(
                    last,
                    Outcome::Lost | Outcome::Suspicious { .. } | Outcome::Redirected
                ),
                || format!("notification {number} is sent again after {last:?}"),
            )?;
        }
        let refused = note
            .sendings
            .iter()
            .map(|sending| &self.exchanges[sending].outcome);
        let redirects = refused
            .clone()
            .filter(|it| **it == Outcome::Redirected)
            .count();
        must(redirects <= 3, || {
            format!("law 4: notification {number} is sent for ever")
        })?;
        must(refused.count() - redirects <= 1, || {
            format!("law 4: notification {number} is refused twice and sent again")
        })?;
        self.notes.get_mut(&number).unwrap().sendings.push(exchange);
        Ok(())
    }

    /// What can be known of the delivery, as of a turn: the worst of all sendings.
    pub(super) fn delivery(&self, call: &Call, turn: u64) -> Delivery {
        let sendings = call.sendings.iter().map(|sending| &self.exchanges[sending]);
        let each = sendings.map(|it| {
            if it.concluded.0 < turn {
                it.outcome.delivery()
            } else {
                Delivery::Unknown
            }
        });
        each.max().unwrap_or(Delivery::NotSent)
    }
}

/// # At rest
impl Model {
    /// A call that is open although nothing is left to be polled.
    pub(super) fn call_settled(&self, number: u64, call: &Call) -> Seen {
        let plan = call.plan;
        let last = call.sendings.last().map(|sending| &self.exchanges[sending]);
        // A stream may wait for answers that wait for control traffic.
        if last.is_some_and(Exchange::is_stream) && self.has_control_under_way() {
            return Ok(());
        }
        let over = match call
            .sendings
            .last()
            .map(|sending| &self.exchanges[sending].outcome)
        {
            Some(Outcome::Replied(_) | Outcome::Refused | Outcome::Maybe(..)) => true,
            Some(Outcome::Doubt { again, .. }) => !again || !plan.idempotent || plan.never,
            Some(Outcome::NotSent) => plan.patience.is_none(),
            Some(Outcome::Lost | Outcome::Later(_)) => plan.never,
            _ => false,
        };
        self.cut_settled(number, call)?;
        self.round_settled(number, call)?;
        // What came after it was taken for dead was dropped.
        let deaf = last.is_some_and(|last| last.silent.is_some());
        must(!over || deaf, || {
            let last = call
                .sendings
                .last()
                .map(|sending| &self.exchanges[sending].outcome);
            format!("law 2: call {number} should have ended: {last:?}")
        })?;
        must(call.cancelled.is_none() && self.closed.is_none(), || {
            format!("law 2: call {number} should have ended: it was given up")
        })?;
        let latest = self.call_ends(call).1;
        must(
            latest.is_none_or(|latest| self.timed < Some(latest)),
            || format!("law 2: call {number} should have ended: it is out of time"),
        )
    }

    /// Whether the server asked in its place, so that its clock may have stood still.
    pub(super) fn asks(&self, call: &Call) -> bool {
        if self.has_rounds(call) {
            return true;
        }
        let limits = self.setup.limits;
        let exchanges = call.sendings.iter().chain(&call.gets);
        let exchanges = exchanges.map(|number| &self.exchanges[number]);
        let mut messages = exchanges.flat_map(|exchange| exchange.messages(&limits, true).0);
        messages.any(|message| {
            message
                .get("method")
                .is_some_and(|it| it == "elicitation/create")
        })
    }

    pub(super) fn has_control_under_way(&self) -> bool {
        self.exchanges.values().any(|it| {
            let ping = matches!(
                it.carries,
                Carries::Ping | Carries::Refresh | Carries::Restored(..)
            );
            let head = self.setup.clocks.head.unwrap_or(Duration::MAX);
            // One whose answer asks may wait for room itself, until its time is over.
            let stalls = ping && it.is_stream() && self.now < it.sent + head;
            (ping || !it.is_request() && !it.is_get()) && it.outcome == Outcome::Pending || stalls
        })
    }

    /// What kind of request it carries: a word, and which contact it makes.
    pub(in super::super) fn kind_of(&self, number: u64) -> String {
        match &self.exchanges[&number].carries {
            Carries::Handshake(contact) => format!("{contact:?}"),
            carries => {
                let name = format!("{carries:?}");
                name.split('(').next().unwrap_or_default().to_owned()
            }
        }
    }

    /// What the model knows of an exchange, for the story.
    pub(in super::super) fn describe(&self, number: u64) -> String {
        let exchange = &self.exchanges[&number];
        let about = match &exchange.carries {
            Carries::Call(call) => format!("call {call} `{}`", self.calls[call].plan.method),
            other => format!("{other:?}"),
        };
        let session = exchange.session.as_deref().unwrap_or("no session");
        format!("exchange {number}: {about}, {session}")
    }
}
