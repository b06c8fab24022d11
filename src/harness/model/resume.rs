//! Calls whose streams break off: whether they go on, and with which GETs
//! (behaviour, sections 6 and 8).

use std::time::Duration;

use super::call::Call;
use super::exchange::{Carries, Outcome, Over};
use super::pace::Pace;
use super::{Model, Seen, must};
use crate::{Phase, Time};

impl Call {
    /// The exchanges of the stream that answers it, oldest first.
    pub(super) fn stream(&self) -> Vec<u64> {
        let first = self.sendings.last().copied();
        first.into_iter().chain(self.gets.iter().copied()).collect()
    }

    pub(super) fn last_exchange(&self) -> Option<u64> {
        self.gets.last().or(self.sendings.last()).copied()
    }
}

impl Model {
    pub(super) fn pace_of_call(&self, call: &Call) -> Pace {
        let mut pace = Pace::default();
        let mut changes = self.network_changes.iter().peekable();
        for number in call.stream() {
            let exchange = &self.exchanges[&number];
            // What was under way then had not failed yet.
            while changes
                .next_if(|(turn, _)| *turn <= exchange.concluded.0)
                .is_some()
            {
                pace.forgive();
            }
            // A POST without a stream has none to go on with.
            if exchange.is_get() || exchange.is_stream() {
                pace.ended_one(exchange, &self.setup.limits, self.is_tight());
            }
        }
        if let Some((_, at)) = changes.next() {
            pace.hurry(*at);
        }
        pace
    }

    /// A GET takes up the stream of a call.
    pub(super) fn resume_sent(
        &mut self,
        number: u64,
        cursor: Option<&String>,
    ) -> Result<Vec<String>, String> {
        let call = &self.calls[&number];
        must(call.ended.is_none() && call.cancelled.is_none(), || {
            format!("law 2: a GET for call {number} after its end")
        })?;
        let last = call
            .last_exchange()
            .ok_or("a GET for a call that was not sent")?;
        let last = &self.exchanges[&last];
        // It may have been broken off, and what came after that was dropped.
        if last.silent.is_some() && last.over != Some(Over::Silent) {
            let trace = self.trace(&call.stream(), call.token.as_ref());
            let from = trace.iter().rposition(|it| it.id.as_ref() == cursor);
            return Ok(Self::known(&trace, from.unwrap_or(0)));
        }
        let breaks = matches!(
            last.outcome,
            Outcome::Cut { .. } | Outcome::Later(_) | Outcome::Redirected
        );
        must(breaks && (last.is_get() || last.is_stream()), || {
            format!("a GET for call {number} after {:?}", last.outcome)
        })?;
        let current = self.sessions.current.as_ref().map(|it| it.generation);
        must(Some(last.generation) == current, || {
            format!("law 6: a GET for call {number}, whose session is gone")
        })?;
        must(last.resumes != Some(false), || {
            format!("a GET for call {number}, whose stream is over")
        })?;
        let trace = self.trace(&call.stream(), call.token.as_ref());
        let mut cursors = Self::cursors(&trace);
        if !self.setup.honest && self.was_told(&call.stream(), cursor) {
            // Ids of a server that repeats what it likes name no place for sure.
            let said = trace.iter().position(|it| it.id.as_ref() == cursor);
            cursors
                .entry(cursor.cloned())
                .or_insert(said.unwrap_or_default());
        }
        let from = cursors.get(&cursor.cloned()).filter(|_| cursor.is_some());
        let from = *from
            .ok_or_else(|| format!("a GET for call {number} from {cursor:?}, not {cursors:?}"))?;
        let pace = self.pace_of_call(call);
        must(!pace.gives_up().0, || {
            format!("law 4: one more GET for call {number}: {pace:?}")
        })?;
        must(pace.due().0 <= self.now, || {
            format!("law 10: a GET for call {number} too soon: {pace:?}")
        })?;
        self.paced(&call.stream())?;
        Ok(Self::known(&trace, from))
    }

    /// Whether a call goes on after this exchange, if that can be said.
    pub(super) fn resumes(&self, number: u64) -> Option<bool> {
        let exchange = &self.exchanges[&number];
        let (Carries::Call(call) | Carries::Resume(call)) = exchange.carries else {
            return None;
        };
        let call = &self.calls[&call];
        if call.last_exchange() != Some(number) || call.ended.is_some() {
            return None;
        }
        match exchange.outcome {
            Outcome::Cut { .. } | Outcome::Later(_)
                if exchange.is_get() || exchange.is_stream() => {}
            Outcome::Refused if exchange.is_get() => return Some(false),
            _ => return None,
        }
        if exchange.over != Some(Over::Silent) && exchange.silent.is_some() {
            return None;
        }
        let current = self.sessions.current.as_ref();
        let lives =
            current.is_some_and(|it| it.established && it.generation == exchange.generation);
        if !lives {
            return Some(false);
        }
        let trace = self.trace(&call.stream(), call.token.as_ref());
        let (resumable, for_sure) = Self::is_resumable(&trace);
        if !resumable {
            return Some(false);
        }
        let pace = self.pace_of_call(call);
        let (least, most) = pace.delay();
        let (earliest, latest) = self.call_ends(call);
        let fits =
            |delay: Duration, end: Option<Time>| end.is_none_or(|end| self.now + delay < end);
        if pace.gives_up().0 || !fits(least, latest) && !self.asks(call) {
            return Some(false);
        }
        let certain = for_sure
            && !pace.gives_up().1
            && fits(most, earliest)
            && !exchange.strained
            && !self.is_tight()
            && !self.may_be_over(call);
        certain.then_some(true)
    }

    pub(super) fn may_be_over(&self, call: &Call) -> bool {
        call.may_be_over(self.timed) || self.is_closed()
    }

    /// When the time of a call is over, at the earliest and at the latest: progress
    /// that was read has extended it, and what was not read may have.
    pub(super) fn call_ends(&self, call: &Call) -> (Option<Time>, Option<Time>) {
        let Some(limit) = call.limit else {
            return (None, None);
        };
        let end = call.made + limit;
        if self.asks(call) {
            // Its clock may have stood still for as long as it likes.
            return (Some(end), None);
        }
        let Some(longest) = call.plan.longest.or(self.setup.clocks.progress) else {
            return (Some(end), Some(end));
        };
        let longest = call.made + longest;
        let mut earliest = end;
        for mark in &call.progress {
            let at = self.came[mark].at;
            if at < earliest {
                earliest = earliest.max((at + limit).min(longest));
            }
        }
        let latest = match call.plan.progress || call.plan.longest.is_some() {
            true => end.max(longest),
            false => end,
        };
        (Some(earliest), Some(latest))
    }

    /// At rest: a call whose stream has ended goes on in time, or has ended.
    pub(super) fn cut_settled(&self, number: u64, call: &Call) -> Seen {
        let Some(last) = call.last_exchange().map(|it| &self.exchanges[&it]) else {
            return Ok(());
        };
        let is_cut = matches!(last.outcome, Outcome::Cut { .. })
            || last.is_get() && !matches!(last.outcome, Outcome::Pending);
        // What came after it may have been taken for dead may have been dropped.
        let deaf = last.silent.is_some() && last.over != Some(Over::Silent);
        if !is_cut || deaf || self.is_tight() {
            return Ok(());
        }
        let current = self.sessions.current.as_ref().map(|it| it.generation);
        let replied = matches!(last.outcome, Outcome::Replied(_));
        let over = last.resumes == Some(false) || Some(last.generation) != current || replied;
        must(!over, || {
            format!("law 2: call {number} should have ended: its stream is over")
        })?;
        let pace = self.pace_of_call(call);
        let overdue = self.timed.is_some_and(|timed| pace.due().1 < timed);
        let open = matches!(self.status.phase, Phase::Ready | Phase::Held);
        must(!overdue || !open, || {
            format!("the GET for call {number} is overdue: {pace:?}")
        })
    }
}
