//! Streams on which nothing comes, and what pings find out about them (behaviour,
//! section 8).

use super::Model;
use super::exchange::{Carries, Exchange, Outcome, Over, Quiet};
use crate::Phase;

impl Model {
    /// What the clock of silence finds at a time-out. `paused` are the exchanges that
    /// the machine itself does not read on.
    pub(super) fn silence(&mut self, paused: &[u64]) {
        let Some(silence) = self.setup.clocks.silence else {
            return;
        };
        let (limits, clocks) = (self.setup.limits, self.setup.clocks);
        let now = self.now;
        if self.channel_is_quiet(silence) {
            self.doubt();
            self.channel_may_be_over();
            self.channel.was_quiet = true;
        }
        let current = self.sessions.current.as_ref().map(|it| it.generation);
        let (open, pings) = (self.is_open(), !self.stands_alone());
        let searches = self.searches();
        let ends = |it: &Exchange| {
            it.clock_ends(&clocks, searches)
                .is_some_and(|end| end <= now)
        };
        let leaps = self.exchanges.values().any(ends);
        for number in self.exchanges.keys().copied().collect::<Vec<_>>() {
            let exchange = &self.exchanges[&number];
            let waits = exchange.over.is_none() && exchange.outcome == Outcome::Pending;
            let call = match exchange.carries {
                Carries::Call(call) | Carries::Resume(call) => Some(call),
                Carries::Listen | Carries::Subscribe => None,
                _ => continue,
            };
            let resumes = matches!(exchange.carries, Carries::Resume(_));
            let heard = exchange.heard.max(exchange.sent).max(exchange.watched);
            let long = exchange.vague || heard + silence <= now;
            let quiet = (exchange.opened().is_some() || resumes) && long;
            // A ping is to find out about it.
            let asked_about = exchange.unwatched && !exchange.vague;
            if !waits || !quiet || asked_about || paused.contains(&number) {
                continue;
            }
            let asks = call.is_some_and(|call| self.asks(&self.calls[&call]));
            let lively = exchange.is_lively(&limits);
            let lives = Some(exchange.generation) == current;
            let listens = call.is_none();
            let given_up = self.is_given_up(exchange) || exchange.deserted || self.is_closed();
            // What else ends in the same leap of the clock may come first: pings, the session.
            let sure = !leaps && !asks && !given_up && !exchange.strained && !exchange.vague;
            let asked = exchange.quiet > Quiet::No;
            // One that stood still for a while is silent from later on.
            let stands = self.is_tight() && !listens;
            if lively && lives && sure && !asked && !stands {
                self.conclude(number, Some(Over::Silent));
                continue;
            }
            let exchange = self.exchanges.get_mut(&number).unwrap();
            exchange.hushed = Some(now);
            if lively || !lives || leaps {
                exchange.silent.get_or_insert(now);
                if listens {
                    self.listener.may_have_failed();
                }
            }
            if !listens && lives && pings {
                let quiet = if sure && !lively && open {
                    Quiet::Yes
                } else {
                    Quiet::Maybe
                };
                exchange.quiet = exchange.quiet.max(quiet);
                exchange.unwatched = quiet == Quiet::Yes;
                self.doubt();
            }
        }
    }

    /// The network changed: whether the server of open calls is there is asked, anew if
    /// it was asked before.
    pub(super) fn check_calls(&mut self, paused: &[u64], newest: u64) {
        if self.stands_alone() {
            // There are no pings.
            return;
        }
        let current = self.sessions.current.as_ref().map(|it| it.generation);
        let open = self.is_open();
        let asks = |it: &Exchange| {
            let waits = it.over.is_none() && it.outcome == Outcome::Pending;
            it.carries == Carries::Ping && waits
        };
        let pings = self.exchanges.range(..=newest);
        let pings: Vec<u64> = pings
            .filter(|it| open && asks(it.1))
            .map(|it| *it.0)
            .collect();
        let mut any = !pings.is_empty();
        for ping in pings {
            self.sessions.owes_ping |= !self.is_answered(&self.exchanges[&ping]);
            self.exchanges.get_mut(&ping).unwrap().deserted = true;
        }
        if self.setup.clocks.silence.is_none() {
            if any {
                self.doubt();
            }
            return;
        }
        let quiet = if self.is_open() {
            Quiet::Yes
        } else {
            Quiet::Maybe
        };
        for (number, exchange) in self.exchanges.range_mut(..=newest) {
            let of_call = matches!(exchange.carries, Carries::Call(_) | Carries::Resume(_));
            let under_way = exchange.over.is_none() && !exchange.is_accepted();
            if of_call && Some(exchange.generation) == current && under_way {
                let unclear = exchange.strained || exchange.goes_to_address();
                let quiet = if unclear || paused.contains(number) {
                    Quiet::Maybe
                } else {
                    quiet
                };
                exchange.quiet = exchange.quiet.max(quiet);
                any = true;
            }
        }
        if any || self.channel.is_open() {
            self.doubt();
        }
    }

    /// A ping was answered, or was not.
    pub(super) fn pinged(&mut self, number: u64) {
        let ping = &self.exchanges[&number];
        let settled = |other: &Exchange| other.carries == Carries::Ping;
        if self.exchanges.range(number + 1..).any(|it| settled(it.1)) {
            // Something else has settled it: there is one at a time.
            return;
        }
        let broken = matches!(ping.over, Some(Over::Broken | Over::NotSent));
        // Or something else has settled it.
        let refused = ping.status().is_some_and(|status| status >= 300);
        // What is no answer at all is one of somebody, as soon as its type is known.
        let kind = ping.media_type();
        let odd = !matches!(kind, "" | "application/json" | "text/event-stream");
        let answered =
            ping.head.is_some() && !broken || refused || odd || ping.over == Some(Over::Aborted);
        // That it was accepted is no answer yet.
        let answered = answered && !ping.is_accepted();
        let reached = answered || matches!(ping.outcome, Outcome::Replied(_));
        // By a reply on another stream it is, unless that came before it was asked.
        let unclear = !reached && self.is_answered(ping);
        // One from before a change of the network decides nothing.
        if ping.outcome == Outcome::Redirected || ping.deserted {
            return;
        }
        let generation = ping.generation;
        // Who forgets the session is there too, but that ends it.
        let lives = self.sessions.current.as_ref().map(|it| it.generation) == Some(generation);
        let unsure =
            matches!(ping.outcome, Outcome::Suspicious { .. }) || ping.over == Some(Over::Aborted);
        if !reached && ping.goes_to_address() {
            self.channel_may_be_over();
        }
        let ping = &self.exchanges[&number];
        let alive = reached && lives && ping.outcome != Outcome::Lost;
        let (now, closed, tight) = (self.now, self.is_closed(), self.is_tight());
        let limits = self.setup.limits;
        let mut gone = Vec::new();
        for (number, exchange) in &mut self.exchanges {
            let quiet = std::mem::replace(&mut exchange.quiet, Quiet::No);
            let heard_since = std::mem::take(&mut exchange.heard_since);
            if std::mem::take(&mut exchange.unwatched) || heard_since || quiet > Quiet::No {
                exchange.watched = now;
            }
            // That the server is there is known of all whose silence says nothing else.
            let same = exchange.generation == generation && exchange.over.is_none();
            if alive && same && !exchange.is_lively(&limits) {
                exchange.vague |= unsure;
                if !unsure {
                    exchange.heard = now;
                }
            }
            if quiet == Quiet::No {
                continue;
            }
            exchange.vague |= unclear || quiet == Quiet::Maybe;
            if !reached {
                exchange.silent.get_or_insert(now);
            }
            // A stream that stands still now is spared.
            let spared = closed || unclear || tight && exchange.is_stream();
            let waits = exchange.over.is_none() && exchange.outcome == Outcome::Pending;
            if !reached && quiet == Quiet::Yes && waits && !spared {
                gone.push(*number);
            }
        }
        for number in gone {
            if !self.is_given_up(&self.exchanges[&number]) {
                self.conclude(number, Some(Over::Silent));
            }
        }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.status.phase, Phase::Ready | Phase::Held)
    }
}
