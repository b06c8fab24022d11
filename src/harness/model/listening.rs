//! The listening stream: one at a time, its own life (behaviour, section 6).

use std::collections::BTreeSet;
use std::time::Duration;

use super::exchange::{Carries, Exchange, Outcome};
use super::pace::{CEILING, FLOOR, Pace};
use super::{Model, Seen, must};
use crate::{Binding, Event, Listening, Phase};

/// How long it is left alone once its budget is spent.
const ALONE: Duration = Duration::from_secs(300);

#[derive(Debug, Default)]
pub(super) struct Listener {
    generation: u64,
    /// Its exchanges in this generation, and from which on the cursor counts.
    exchanges: Vec<u64>,
    from: usize,
    opened: bool,
    /// The generations in which it is not offered, in how many that was told, and in
    /// how many the session ended at the same moment.
    refused: BTreeSet<u64>,
    told_refused: usize,
    overtaken: usize,
    /// Whether it is degraded: in truth, if that is known, and as it was told.
    degraded: Option<bool>,
    told_degraded: bool,
    failures: u64,
    openings: u64,
    degradings: u64,
    restorings: u64,
    /// Messages that gave way.
    missed: u64,
}

impl Listener {
    /// An exchange may have ended for the machine alone.
    pub(super) fn may_have_failed(&mut self) {
        self.failures += 1;
        self.degraded = None;
    }
}

impl Model {
    /// Whether this exchange is the listening stream, as far as the machine knows.
    fn listens(&self, exchange: &Exchange) -> bool {
        let current = self.sessions.current.as_ref().map(|it| it.generation);
        exchange.carries == Carries::Listen
            && Some(exchange.generation) == current
            && !self.is_closed()
            && !exchange.deserted
            && self.listener.exchanges.last() == Some(&exchange.id.number())
    }

    fn listening_pace(&self) -> Pace {
        let mut pace = Pace::default();
        let mut changes = self.network_changes.iter().peekable();
        for number in &self.listener.exchanges {
            let exchange = &self.exchanges[number];
            while changes
                .next_if(|(turn, _)| *turn <= exchange.concluded.0)
                .is_some()
            {
                pace.forgive();
                pace.start_over();
            }
            let ended = exchange.outcome != Outcome::Pending && !exchange.deserted;
            if ended || exchange.silent.is_some() {
                let loose = exchange.strained || self.is_tight();
                pace.ended_one(exchange, &self.setup.limits, loose);
            }
        }
        if let Some((_, at)) = changes.next() {
            pace.hurry(*at);
            pace.start_over();
        }
        pace
    }

    /// The GET of the listening stream leaves.
    pub(super) fn listen_sent(
        &mut self,
        number: u64,
        cursor: Option<&String>,
    ) -> Result<Vec<String>, String> {
        must(self.setup.listen || self.is_filtered(), || {
            "a GET, although nobody listens".to_owned()
        })?;
        let current = self
            .sessions
            .current
            .as_ref()
            .ok_or("a GET without a session")?;
        must(current.binding == Binding::Session, || {
            "a GET for a stream that there is already".to_owned()
        })?;
        must(current.established, || {
            "a GET before the handshake is over".to_owned()
        })?;
        let generation = current.generation;
        if self.listener.generation != generation {
            self.listener.generation = generation;
            self.listener.exchanges.clear();
            self.listener.from = 0;
            self.listener.opened = false;
        }
        must(!self.listener.refused.contains(&generation), || {
            "a GET for what is not offered".to_owned()
        })?;
        let exchanges = self.listener.exchanges.clone();
        let mut known = Vec::new();
        if let Some(last) = exchanges.last() {
            let last = &self.exchanges[last];
            must(
                last.over.is_some() || last.outcome != Outcome::Pending,
                || "two listening streams".to_owned(),
            )?;
            let pace = self.listening_pace();
            let earliest = match pace.gives_up().0 {
                _ if pace.follows() => pace.due().0,
                // What it said of the time may not have been read.
                _ if exchanges.iter().any(|it| self.exchanges[it].strained) => {
                    pace.due().0.min(pace.ended().0 + FLOOR)
                }
                true => pace.ended().0 + ALONE,
                false => pace.due().0,
            };
            must(last.deserted || earliest <= self.now, || {
                format!("law 10: a GET for the listening stream too soon: {pace:?}")
            })?;
            let trace = self.trace(&exchanges[self.listener.from..], None);
            let mut cursors = Self::cursors(&trace);
            let status = last.status().unwrap_or_default();
            let unknown = matches!(last.outcome, Outcome::Refused | Outcome::Later(_))
                && matches!(status, 200..=299 | 400 | 404 | 405 | 409)
                && !last.deserted;
            if unknown {
                cursors.clear();
            }
            if last.resumes == Some(false) || unknown || last.strained {
                cursors.insert(None, trace.len());
            }
            if !self.setup.honest && (self.is_tight() || self.was_told(&exchanges, cursor)) {
                // What gave way is not known, nor what was said of whose stream; and ids of
                // a server that repeats what it likes name no place for sure.
                cursors.entry(cursor.cloned()).or_insert(0);
            }
            let from = *cursors.get(&cursor.cloned()).ok_or_else(|| {
                format!("the listening stream is taken up from {cursor:?}, not {cursors:?}")
            })?;
            known = Self::known(&trace, from);
            if cursor.is_none() {
                self.listener.from = exchanges.len();
            }
        } else {
            must(cursor.is_none(), || {
                "law 6: the cursor of another session".to_owned()
            })?;
        }
        self.paced(&exchanges)?;
        self.listener.exchanges.push(number);
        Ok(known)
    }

    /// Whether the server told this id, or cleared it, on one of these exchanges.
    pub(super) fn was_told(&self, exchanges: &[u64], cursor: Option<&String>) -> bool {
        let mut ids = exchanges
            .iter()
            .flat_map(|it| self.exchanges[it].ids(&self.setup.limits));
        ids.any(|id| id.as_ref() == cursor)
    }

    /// A head has come.
    pub(super) fn listening_opened(&mut self, number: u64) {
        let exchange = &self.exchanges[&number];
        if exchange.carries == Carries::Subscribe {
            self.listener.openings += 1;
            self.listener.degraded = None;
        }
        let exchange = &self.exchanges[&number];
        if exchange.is_stream() && self.listens(exchange) {
            self.listener.opened = true;
            self.listener.openings += 1;
            self.listener.degraded = Some(false);
        }
    }

    /// An exchange of the listening stream has ended.
    pub(super) fn listening_ended(&mut self, number: u64) {
        let exchange = &self.exchanges[&number];
        if !self.listens(exchange) {
            return;
        }
        let status = exchange.status().unwrap_or_default();
        let absent = match exchange.outcome {
            Outcome::Refused | Outcome::Later(_) => {
                matches!(status, 200..=299 | 400 | 404 | 405 | 501)
            }
            _ => false,
        };
        let pace = self.listening_pace();
        let generation = exchange.generation;
        // With its budget its cursor may be gone.
        let resumes = Some(!pace.gives_up().1 || exchange.opened().is_none());
        self.exchanges.get_mut(&number).unwrap().resumes = resumes;
        if absent && !self.listener.opened {
            self.listener.refused.insert(generation);
            self.listener.degraded = Some(false);
            self.listener.overtaken += usize::from(self.sessions.excuse.is_some());
        } else if self.sessions.excuse.is_some()
            || pace.is_loose()
            || self
                .listener
                .exchanges
                .iter()
                .any(|it| self.exchanges[it].strained)
        {
            // What it said of the time may not have been read.
            self.listener.may_have_failed();
        } else if pace.follows() || pace.is_polling() && pace.delay().0 <= CEILING {
        } else {
            self.listener.failures += 1;
            self.listener.degraded = Some(true);
        }
    }

    /// What is told of the stream as a whole.
    pub(super) fn listening_event(&mut self, event: &Event) -> Seen {
        let listener = &mut self.listener;
        match event {
            Event::Gap { missed: None } => self.subscription_event(event),
            Event::Gap {
                missed: Some(missed),
            } => {
                listener.missed += missed;
                must(self.is_tight(), || {
                    format!("law 8: {missed} events are lost")
                })?;
                self.missed()
            }
            Event::StreamDegraded { .. } => {
                must(!listener.told_degraded, || "degraded twice".to_owned())?;
                listener.told_degraded = true;
                listener.degradings += 1;
                must(listener.degradings <= listener.failures, || {
                    "degraded without a failure".to_owned()
                })
            }
            Event::StreamRestored => {
                must(listener.told_degraded, || {
                    "restored, and was not degraded".to_owned()
                })?;
                listener.told_degraded = false;
                listener.restorings += 1;
                must(listener.restorings <= listener.openings, || {
                    "restored, and never opened".to_owned()
                })
            }
            _ => Ok(()),
        }
    }

    /// That it is not offered.
    pub(super) fn told_not_offered(&mut self) -> Seen {
        let refusals = self.refusals();
        let listener = &mut self.listener;
        listener.told_refused += 1;
        listener.told_degraded = false;
        must(
            listener.told_refused <= listener.refused.len() + refusals,
            || "the listening stream is offered, or that it is not was told".to_owned(),
        )
    }

    /// No more is said to be lost than there was.
    fn missed(&self) -> Seen {
        // What the machine itself asked for waits for nobody either.
        let gives_way = |exchange: &Exchange| {
            !matches!(exchange.carries, Carries::Call(_) | Carries::Resume(_))
        };
        let of_listening = |number: &u64| gives_way(&self.exchanges[number]);
        let (mut came, mut given) = (0, 0);
        for exchange in self.exchanges.values().filter(|it| gives_way(it)) {
            came += exchange.messages(&self.setup.limits, false).0.len();
            came += String::from_utf8_lossy(&exchange.body)
                .matches("not json")
                .count();
        }
        for (mark, came) in &self.came {
            given += usize::from(of_listening(&came.exchange) && self.delivered.contains_key(mark));
        }
        let missed = usize::try_from(self.listener.missed).unwrap_or(usize::MAX);
        must(missed + given <= came, || {
            format!("{missed} messages are said to be lost, {given} were read, of {came}")
        })
    }

    pub(super) fn listening_settled(&self) -> Seen {
        let listener = &self.listener;
        let strained = listener
            .exchanges
            .iter()
            .any(|it| self.exchanges[it].strained);
        if strained || self.is_closed() {
            return Ok(());
        }
        let current = self.sessions.current.as_ref();
        let generation = current.map_or(0, |it| it.generation);
        let owed = listener.refused.len() - listener.overtaken;
        must(listener.told_refused >= owed, || {
            "that the listening stream is not offered was not told".to_owned()
        })?;
        must(
            listener
                .degraded
                .is_none_or(|it| it == listener.told_degraded),
            || format!("degraded is told as {}, wrongly", listener.told_degraded),
        )?;
        self.all_was_told()?;
        let open = matches!(self.status.phase, Phase::Ready | Phase::Held);
        let is = self.status.listening;
        if open && self.on_channel() {
            return must(is == Listening::Open, || format!("it is {is:?}"));
        }
        if open && self.stands_alone() {
            return self.subscription_settled();
        }
        if !open || !self.setup.listen && !self.is_filtered() {
            return must(is == Listening::Off, || format!("it is {is:?}"));
        }
        if listener.refused.contains(&generation) {
            return must(is == Listening::NotOffered, || format!("it is {is:?}"));
        }
        let last = listener
            .exchanges
            .last()
            .filter(|_| listener.generation == generation);
        let last = last.map(|number| &self.exchanges[number]);
        let last = last.ok_or("nobody listens in the new session")?;
        if last.outcome == Outcome::Pending && last.over.is_none() {
            let expected = match (last.opened(), listener.told_degraded) {
                (Some(_), _) => Listening::Open,
                (None, true) => Listening::Degraded,
                (None, false) => Listening::Opening,
            };
            return must(is == expected, || format!("it is {is:?}, not {expected:?}"));
        }
        let pace = self.listening_pace();
        let latest = match pace.gives_up().1 {
            true => pace.ended().1 + ALONE,
            false => pace.due().1,
        };
        let overdue = self.timed.is_some_and(|timed| latest < timed);
        must(!overdue || self.is_tight(), || {
            format!("the GET for the listening stream is overdue: {pace:?}")
        })
    }

    /// With a server that says everything once: what came was read, or is missed.
    fn all_was_told(&self) -> Seen {
        if !self.setup.honest || self.has_lost_sessions() {
            return Ok(());
        }
        let (mut came, mut given) = (0, 0);
        for (mark, it) in &self.came {
            let exchange = &self.exchanges[&it.exchange];
            // What came after it may have been taken for dead may have been dropped.
            let counts = exchange.silent.is_none_or(|silent| it.at < silent) && !exchange.deserted;
            if exchange.carries == Carries::Listen && it.plain && counts {
                came += 1;
                given += u64::from(self.delivered.contains_key(mark));
            }
        }
        let missed = self.listener.missed;
        must(came <= given + missed, || {
            format!("of {came} messages {given} were read, and {missed} are missed")
        })
    }
}
