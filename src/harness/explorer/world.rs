//! A machine, and all that an observer knows of what it did.

use std::collections::VecDeque;
use std::iter;

use bytes::Bytes;
use serde_json::json;

use super::super::ceilings;
use super::alike;
use super::exchange::{Open, Owed};
use super::laws::{Facts, Seen};
use super::letter::{Act, Letter, Move};
use super::liar::Liar;
use super::rule::{Broken, Rule};
use super::setting::Setting;
use super::wire::Carries;
use crate::{
    Binding, CallId, CallOptions, Connection, Event, ExchangeId, Phase, Status, SubscriptionFilter,
    Ticket, Time, Transmit,
};

/// More than ever waits in an outlet.
const MOST: usize = 200;
/// Rounds after which everything has to be at rest.
const ROUNDS: usize = 120;

#[derive(Clone)]
pub(super) struct World {
    pub(super) machine: Connection,
    pub(super) now: Time,
    pub(super) facts: Facts,
    /// Under way, in the order in which they left.
    pub(super) open: Vec<Open>,
    pub(super) calls: Vec<CallId>,
    /// What the application did besides.
    pub(super) rare: Vec<Letter>,
    /// What may happen.
    pub(super) letters: &'static [&'static str],
    pub(super) asks: Vec<Ticket>,
    /// What was asked by POST and is to be answered on an HTTP+SSE server's stream.
    pub(super) owed: VecDeque<Owed>,
    /// Sessions, questions and events, so that all of them differ.
    pub(super) made: u32,
    listens: bool,
    /// Through whom the observer sees and hears everything.
    pub(super) liar: Liar,
    /// What was sent and told in the last move, where that is compared.
    pub(super) log: Option<String>,
    /// How many moves may still be made that nobody looks after.
    pub(super) unread: usize,
}

impl World {
    pub(super) fn new(setting: &Setting, unread: usize) -> Result<Self, Broken> {
        let mut world = Self {
            machine: Connection::new(setting.config()),
            now: Time::ZERO,
            facts: Facts::new(setting),
            open: Vec::new(),
            calls: Vec::new(),
            rare: Vec::new(),
            letters: setting.letters,
            asks: Vec::new(),
            owed: VecDeque::new(),
            made: 0,
            listens: setting.listens,
            liar: Liar { about: setting.lie },
            log: None,
            unread: usize::MAX,
        };
        for one in super::letter::moves(setting.before)? {
            world.make(one)?;
        }
        // What was called before, and is over, does not count.
        let kept = world.facts.forget_calls();
        world.calls.truncate(kept);
        world.unread = unread;
        Ok(world)
    }

    pub(super) fn binding(&self) -> Option<Binding> {
        self.machine.status().binding
    }

    pub(super) fn is_stateless(&self) -> bool {
        self.binding() == Some(Binding::Stateless)
    }

    /// Whether it is the one stream of an HTTP+SSE server.
    pub(super) fn is_channel(&self, open: &Open) -> bool {
        open.carries == Carries::Get && self.facts.channel == Some(open.id)
    }

    pub(super) fn make(&mut self, one: Move) -> Seen {
        self.facts.turn();
        if let Some(log) = &mut self.log {
            log.clear();
        }
        match one.letter {
            Letter::Answer => {
                let ticket = self.asks.remove(0);
                // It may have been withdrawn, which nobody has read yet.
                let answer = json!({ "action": "decline" });
                if self.machine.answer(ticket, Ok(&answer), self.now).is_ok() {
                    self.facts.answered(ticket);
                }
            }
            Letter::Authorize => {
                self.rare.push(one.letter);
                let credential = self.facts.authorized(self.now);
                let done = self.machine.authorize(&credential, self.now);
                done.map_err(|error| error.to_string())?;
            }
            Letter::Call | Letter::Idempotent => self.call(one.letter)?,
            Letter::Cancel(call) => {
                let (at, before) = (usize::from(call) - 1, self.machine.status().open_calls);
                let done = self.machine.cancel(self.calls[at], self.now);
                done.map_err(|error| error.to_string())?;
                // It may have ended already, which nobody has read yet.
                let ends = self.machine.status().open_calls < before;
                self.facts.cancelled(at, ends);
            }
            Letter::Close => {
                self.machine.close(self.now);
                self.facts.close();
            }
            Letter::Comes(at, act) => self.comes(usize::from(at) - 1, act)?,
            Letter::Listen => {
                self.rare.push(one.letter);
                self.listens = true;
                let changes = SubscriptionFilter::new().prompts_list_changed();
                let done = self.machine.listen(changes, self.now);
                done.map_err(|error| error.to_string())?;
                self.facts.listened();
            }
            Letter::NetworkChanged => {
                self.rare.push(one.letter);
                self.machine.network_changed(self.now);
                self.facts.hurried(self.now);
            }
            Letter::Notify => {
                self.rare.push(one.letter);
                let made = self.machine.notify("notifications/x", &(), self.now);
                let note = made.map_err(|error| error.to_string())?;
                self.facts.noted(note);
            }
            Letter::Refuse => {
                let done = self.machine.refuse_authorization(self.now);
                done.map_err(|error| error.to_string())?;
                self.facts.refused();
            }
            Letter::Reinitialize => {
                let done = self.machine.reinitialize(self.now);
                done.map_err(|error| error.to_string())?;
                if self.liar.says(one.letter).is_some() {
                    self.facts.reinitialized();
                }
            }
            Letter::Resume => {
                let done = self.machine.resume(self.now);
                done.map_err(|error| error.to_string())?;
                if self.liar.says(one.letter).is_some() {
                    self.facts.resumed();
                }
            }
            Letter::TimeOut => {
                self.now = self.due(false).map_or(self.now, |next| next.max(self.now));
                self.machine.handle_timeout(self.now);
                if self.due(true).is_some_and(|next| next < self.now) {
                    return Err(Rule::TimeOutPast.broken());
                }
            }
        }
        if self.liar.closes(one.letter) {
            self.facts.close();
        }
        if one.unread {
            self.unread -= 1;
            return Ok(());
        }
        self.read()
    }

    fn call(&mut self, letter: Letter) -> Seen {
        let number = self.calls.len();
        let params = json!({ "name": "p", "arguments": { "n": number.to_string() } });
        let mut options = CallOptions::new();
        if letter == Letter::Idempotent {
            options = options.idempotent();
        }
        if self.letters.contains(&Act::Progress.name()) {
            options = options.progress();
        }
        let made = self.machine.call("prompts/get", &params, options, self.now);
        let id = made.map_err(|error| format!("the call is refused: {error}"))?;
        self.calls.push(id);
        let said = self.liar.says(letter);
        self.facts.called(id, said == Some(Letter::Idempotent));
        Ok(())
    }

    /// Reads both outlets until they are empty: events first, so that it is known what the
    /// application was told when something leaves.
    fn read(&mut self) -> Seen {
        for _ in 0..MOST {
            if let Some(event) = self.machine.poll_event() {
                self.told(event)?;
                continue;
            }
            match self.machine.poll_transmit(self.now) {
                Some(Transmit::Send { exchange, request }) => self.sent(exchange, request)?,
                Some(Transmit::Abort { exchange }) => self.aborted(exchange),
                // What is found to be pointless may fail instead of leaving.
                None => match self.machine.poll_event() {
                    Some(event) => self.told(event)?,
                    None if self.liar.goes_on() => {}
                    None => return self.at_rest(),
                },
            }
        }
        Err(Rule::OutletEndless.broken())
    }

    fn told(&mut self, event: Event) -> Seen {
        if let Some(log) = &mut self.log {
            log.push_str(&alike::told(&event));
        }
        let (events, at) = self.liar.tells(event, self.now);
        for event in &events {
            self.facts.event(event, at, &mut self.asks)?;
        }
        Ok(())
    }

    fn status(&self) -> Status {
        let open = self.facts.open_calls();
        self.liar.status(self.machine.status(), open)
    }

    fn due(&self, handled: bool) -> Option<Time> {
        let next = self.machine.poll_timeout();
        self.liar.due(next, self.now, handled)
    }

    /// It may be over already: nobody has read that it was to be aborted.
    fn aborted(&mut self, exchange: ExchangeId) {
        if let Some(log) = &mut self.log {
            log.push_str(&format!("abort {exchange:?}\n"));
        }
        if let Some(at) = self.open.iter().position(|open| open.id == exchange) {
            let open = self.open.remove(at);
            self.facts.aborted(open.carries);
            self.unlink(&open);
        }
    }

    fn at_rest(&mut self) -> Seen {
        let next = self.due(false);
        if next.is_some_and(|next| next <= self.now) && !self.is_overdue() {
            return Err(Rule::WokenForNothing.broken());
        }
        let status = self.status();
        if status.exchanges > self.under_way() {
            return Err(Rule::ExchangeKept.broken_by(status.exchanges));
        }
        self.facts.at_rest(&status, &self.open, self.now)
    }

    /// Whether there is no more of anything than there may be.
    fn is_within_limits(&self) -> Seen {
        let excess = ceilings::excess(&self.machine);
        let excess = self.liar.counts(excess);
        excess.map_err(|what| Rule::Excess.broken_by(what))
    }

    /// How many exchanges are, and how many more whose replies are to come on another's stream.
    fn under_way(&self) -> usize {
        let is_over = |owed: &&Owed| self.open.iter().all(|open| open.rpc != owed.rpc);
        self.open.len() + self.owed.iter().filter(is_over).count()
    }

    /// Whether a time-out has come that nobody has handled yet.
    fn is_overdue(&self) -> bool {
        let mut machine = self.machine.clone();
        machine.handle_timeout(self.now);
        machine.poll_timeout() != self.machine.poll_timeout()
    }

    fn sent(&mut self, id: ExchangeId, request: http::Request<Bytes>) -> Seen {
        if let Some(log) = &mut self.log {
            log.push_str(&alike::sent(id, &request));
        }
        let request = self.liar.sends(request);
        let mut open = Open::new(id, &request, self.now);
        open.carries = self.liar.carries(open.carries, self.facts.has_ended(0));
        if let Carries::Resume(call) = open.carries {
            open.rpc = self.facts.rpc(call);
        }
        open.apart = self.facts.channel.is_some();
        if open.apart && open.carries.has_reply() {
            self.owed.push_back(Owed::by(&open));
        }
        let at = self.liar.leaves(&request, &open, self.now);
        let times = self.liar.times(&request, open.carries);
        for open in iter::repeat_n(open, times) {
            self.facts.sent(&open, &request, at, &self.open)?;
            self.open.push(open);
        }
        Ok(())
    }

    /// However it goes on, it ends.
    pub(super) fn finish(mut self) -> Seen {
        self.is_within_limits()?;
        self.read()?;
        self.clone().breaks()?;
        self.falls_silent()
    }

    /// Everything fails, and time goes on: then nothing may be left.
    fn breaks(mut self) -> Seen {
        self.facts.abandoned = Some(self.now);
        for _ in 0..ROUNDS {
            self.read()?;
            let next = match self.open.first() {
                Some(_) if self.asks.is_empty() => Some(Letter::Comes(1, Act::Broken)),
                _ => self.next_of_its_own(),
            };
            let Some(next) = next else {
                self.is_within_limits()?;
                return self.facts.finished(&self.status());
            };
            self.make(next.read())?;
            if self.listens && self.facts.is_idle() && !self.facts.is_closed() {
                // A listening stream is asked for again for ever.
                self.make(Letter::Close.read())?;
            }
        }
        self.facts.finished(&self.status())?;
        Err(Rule::NeverAtRest.broken())
    }

    /// Nothing comes any more: whatever the application asked for has its time.
    fn falls_silent(mut self) -> Seen {
        for _ in 0..ROUNDS {
            let next = self.next_of_its_own();
            let Some(next) = next.filter(|_| !self.facts.is_idle()) else {
                break;
            };
            self.make(next.read())?;
        }
        self.facts.all_ended()
    }

    /// What happens next if nothing comes: the application does what it has to, and time goes on.
    fn next_of_its_own(&self) -> Option<Letter> {
        let status = self.status();
        match status.phase {
            _ if !self.asks.is_empty() => Some(Letter::Answer),
            _ if status.awaits_authorization => Some(Letter::Refuse),
            Phase::Held => Some(Letter::Resume),
            Phase::Lost => Some(Letter::Reinitialize),
            _ => self.due(false).map(|_| Letter::TimeOut),
        }
    }

    /// All that makes a difference from here on, as text.
    pub(super) fn state(&self) -> String {
        let Self {
            machine,
            now: _,
            facts,
            open,
            calls,
            rare,
            letters: _,
            asks,
            owed,
            made: _,
            listens: _,
            liar: _,
            log: _,
            unread,
        } = self;
        let rest = (facts, open, calls, rare, asks, owed, unread);
        format!("{} {rest:?}", machine.state())
    }
}
