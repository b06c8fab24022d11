//! The reference model: what an observer may see of a connection, written from the
//! laws and the rules of behaviour. It predicts little and allows only what is
//! right: everything seen has to have a cause that it knows.

mod answer;
mod beginning;
mod call;
mod channel;
mod exchange;
mod handshake;
mod listening;
mod pace;
mod reports;
mod rest;
mod restoring;
mod resume;
mod rounds;
mod search;
mod session;
mod silence;
mod sorting;
mod stateless;
mod stream;
mod subscription;
mod told;
mod wire;

use std::collections::BTreeMap;

pub(super) use call::{Call, Note};
pub(super) use exchange::{Exchange, Over};

use channel::Channel;
use exchange::Outcome;
use listening::Listener;
use restoring::Granted;
use rounds::Question;
use search::Search;
use session::Sessions;
use subscription::Subscription;

use super::operation::View;
use super::setup::Setup;
use crate::{Phase, Status, Ticket, Time};

/// What is wrong.
pub(super) type Seen = Result<(), String>;

pub(super) struct Model {
    setup: Setup,
    pub(super) now: Time,
    /// Counts what was done with the machine.
    turn: u64,
    /// When `handle_timeout` was called last.
    timed: Option<Time>,
    /// In which turn the application closed.
    closed: Option<(u64, Time)>,
    /// In which turns changes of the network were heeded; whether one is still to be, and
    /// after which exchange it came.
    network_changes: Vec<(u64, Time)>,
    network_unheeded: bool,
    network_changed_after: u64,
    calls: BTreeMap<u64, Call>,
    notes: BTreeMap<u64, Note>,
    /// The asks that were seen, and what became of them.
    tickets: BTreeMap<Ticket, Asked>,
    /// The same by their marks.
    questions: BTreeMap<u64, Question>,
    exchanges: BTreeMap<u64, Exchange>,
    sessions: Sessions,
    search: Search,
    channel: Channel,
    listener: Listener,
    subscription: Subscription,
    granted: Granted,
    /// Messages of the server that were given out, how often each.
    delivered: BTreeMap<u64, u32>,
    /// How often the server said each, and when first.
    said: BTreeMap<u64, u32>,
    came: BTreeMap<u64, Came>,
    /// What is to be read of a call's stream before its reply, by its exchange.
    owed: BTreeMap<u64, Vec<u64>>,
    status: Status,
}

/// A message of the server, as it came first.
#[derive(Clone, Copy, Debug)]
struct Came {
    at: Time,
    exchange: u64,
    /// Whether it is one that is always told.
    plain: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Asked {
    Open {
        call: Option<u64>,
    },
    /// Answered by the application; its end is still to come.
    Answered,
    Over,
}

/// Says what is wrong, unless this holds.
fn must(holds: bool, or: impl FnOnce() -> String) -> Seen {
    if holds { Ok(()) } else { Err(or()) }
}

impl Model {
    pub(super) fn new(setup: Setup, status: Status) -> Self {
        let search = Search::new(setup.remembered);
        Self {
            setup,
            now: Time::ZERO,
            turn: 0,
            timed: None,
            closed: None,
            network_changes: Vec::new(),
            network_unheeded: false,
            network_changed_after: 0,
            calls: BTreeMap::new(),
            notes: BTreeMap::new(),
            tickets: BTreeMap::new(),
            questions: BTreeMap::new(),
            exchanges: BTreeMap::new(),
            sessions: Sessions::default(),
            search,
            channel: Channel::default(),
            listener: Listener::default(),
            subscription: Subscription::default(),
            granted: Granted::default(),
            delivered: BTreeMap::new(),
            said: BTreeMap::new(),
            came: BTreeMap::new(),
            owed: BTreeMap::new(),
            status,
        }
    }

    /// Something is about to be done with the machine.
    pub(super) fn turn(&mut self) {
        self.turn += 1;
        self.sessions.excuse = None;
    }

    /// Whether closing has taken all its time.
    fn is_past_closing(&self) -> bool {
        let end = self.closed.map(|(_, at)| at + self.setup.clocks.delete);
        end.is_some_and(|end| self.timed.is_some_and(|timed| timed >= end))
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.is_some()
    }

    pub(super) fn phase(&self) -> Phase {
        self.status.phase
    }

    pub(super) fn exchange(&self, number: u64) -> &Exchange {
        &self.exchanges[&number]
    }

    /// Exchanges that have not ended for the adapter.
    pub(super) fn under_way(&self) -> Vec<u64> {
        let open = self
            .exchanges
            .iter()
            .filter(|(_, exchange)| !exchange.is_over());
        open.map(|(number, _)| *number).collect()
    }

    /// Streams of which more has to come before their requests have ended.
    pub(super) fn awaited_streams(&self) -> Vec<u64> {
        let awaited = |exchange: &Exchange| {
            exchange.is_stream() && exchange.over.is_none() && exchange.outcome == Outcome::Pending
        };
        if self.is_closed() || self.has_control_under_way() {
            return Vec::new();
        }
        let awaited = self
            .exchanges
            .iter()
            .filter(|(_, exchange)| awaited(exchange));
        let awaited = awaited.filter(|(_, exchange)| !self.is_given_up(exchange));
        awaited.map(|(number, _)| *number).collect()
    }

    pub(super) fn open_tickets(&self) -> Vec<Ticket> {
        let open = |asked: &Asked| matches!(asked, Asked::Open { .. });
        self.tickets
            .iter()
            .filter(|(_, asked)| open(asked))
            .map(|(ticket, _)| *ticket)
            .collect()
    }

    pub(super) fn view(&self) -> View {
        let mut view = View {
            phase: Some(self.status.phase),
            closed: self.is_closed(),
            stands_alone: self.stands_alone(),
            calls: self.calls.keys().copied().collect(),
            open_tickets: self.open_tickets(),
            ..View::default()
        };
        for (ticket, asked) in &self.tickets {
            if *asked == Asked::Over {
                view.void_tickets.push(*ticket);
            }
        }
        for (number, exchange) in &self.exchanges {
            if exchange.is_over() {
                view.over.push(*number);
            } else if exchange.head.is_some() {
                view.begun.push(*number);
            } else {
                view.fresh.push((*number, exchange.id));
            }
        }
        view
    }

    /// Whether an end of this exchange before its head would be no mistake: the
    /// machine may have let go of it already.
    pub(super) fn is_cared_for(&self, number: u64) -> bool {
        let exchange = &self.exchanges[&number];
        let over = self.is_closed() || exchange.is_over() || self.is_given_up(exchange);
        let current = self.sessions.current.as_ref();
        let stale = exchange.generation != current.map_or(0, |current| current.generation);
        let doubtful = exchange.strained
            || exchange.deserted
            || exchange.silent.is_some()
            || exchange.quiet > exchange::Quiet::No;
        !over && !stale && !doubtful && exchange.outcome == Outcome::Pending
    }

    pub(super) fn closed(&mut self) {
        if self.closed.is_none() {
            self.closed = Some((self.turn, self.now));
            // Nothing is owed any more but the ends.
            self.sessions.reinitialize_due = false;
        }
    }

    /// What the end of an exchange means for the stream that it is a part of.
    fn stream_effects(&mut self, number: u64) {
        let exchange = &self.exchanges[&number];
        match exchange.carries {
            exchange::Carries::Listen => self.listening_ended(number),
            exchange::Carries::Subscribe => self.subscription_over(number),
            exchange::Carries::Ping => self.pinged(number),
            exchange::Carries::Handshake(contact) => self.handshake_ended(number, contact),
            _ => {
                let resumes = self.resumes(number);
                self.exchanges.get_mut(&number).unwrap().resumes = resumes;
            }
        }
    }

    /// What can be seen after every turn: the getters.
    pub(super) fn look(&mut self, status: &Status, closed: bool) -> Seen {
        let limits = self.setup.limits;
        // What is said of a new session finds room always.
        let allowed = limits.buffers + self.sessions.unread() * 2 * limits.initialize.min(400);
        must(status.buffered <= allowed, || {
            format!(
                "law 8: {} bytes are buffered, {allowed} allowed",
                status.buffered
            )
        })?;
        let open = self
            .calls
            .values()
            .filter(|call| call.ended.is_none())
            .count();
        must(status.open_calls <= open, || {
            format!(
                "law 2: {} calls are open, {open} were made and have not ended",
                status.open_calls
            )
        })?;
        must(open <= limits.open_calls, || {
            format!("law 8: {open} open calls")
        })?;
        let asks = self.open_tickets().len();
        must(asks <= limits.open_asks, || {
            format!("law 8: {asks} open asks")
        })?;
        must(closed == (status.phase == Phase::Closed), || {
            "is_closed is not the phase".to_owned()
        })?;
        must(
            self.is_closed() == matches!(status.phase, Phase::Closing | Phase::Closed),
            || format!("law 12: it is {:?}", status.phase),
        )?;
        must(self.status.phase != Phase::Closed || closed, || {
            "law 12: closed no more".to_owned()
        })?;
        self.witness(status)?;
        self.status = status.clone();
        Ok(())
    }

    /// What is to be after `handle_timeout`.
    /// `paused` are the exchanges that the machine does not read on.
    pub(super) fn timed_out(&mut self, paused: &[u64]) {
        self.timed = Some(self.now);
        self.heed_network(paused);
        self.silence(paused);
        let (clocks, searches) = (self.setup.clocks, self.searches());
        for number in self.exchanges.keys().copied().collect::<Vec<_>>() {
            let exchange = &self.exchanges[&number];
            if exchange
                .clock_ends(&clocks, searches)
                .is_some_and(|end| end <= self.now)
            {
                let exchange = self.exchanges.get_mut(&number).unwrap();
                exchange.unheard |= exchange.is_accepted();
                self.conclude(number, Some(Over::TimedOut));
            }
        }
        self.blur_redirects();
    }
}
