//! The body that proptest, the fuzz targets and the replay of the corpus share.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use serde_json::{Value, json};

use super::ceilings;
use super::liar::Lie;
use super::model::{Model, Seen};
use super::operation::{Operation, Source, Step};
use super::peer::Peer;
use super::secrets::{self, MARK};
use super::setup::Setup;
use super::story::{Story, Violation};
use crate::breakage::Breakage;
use crate::{
    CallId, Connection, Error, LimitExceeded, LimitKind, Phase, Reason, RpcError, Status, Time,
};

/// Operations of one run: enough for several sessions, few enough to read.
const MOST: usize = 300;
/// Operations after `close`.
const AFTERMATH: usize = 15;
/// Rounds after which a run has to be at rest.
const ROUNDS: usize = 600;

pub(super) struct World {
    pub(super) machine: Connection,
    pub(super) model: Model,
    pub(super) peer: Peer,
    pub(super) story: Story,
    /// What is left of the bodies under way, and whether their end comes with that.
    pub(super) bodies: BTreeMap<u64, (VecDeque<Bytes>, bool)>,
    calls: BTreeMap<u64, CallId>,
    pub(super) polite: bool,
    marks: u64,
    /// What the model is told instead of the truth.
    pub(super) lie: Option<Lie>,
    /// What the getters said last.
    looked: Option<Status>,
    /// Another connection, for ids that belong to nobody here.
    pub(super) stranger: Connection,
}

/// Decodes the input into operations, and does them.
///
/// # Errors
/// The first law that was seen broken, with the story up to there.
pub fn run(input: &[u8]) -> Result<Story, Violation> {
    run_on(None, None, input)
}

/// The same, with a machine that is broken.
///
/// # Errors
/// Likewise.
pub fn run_broken(how: Breakage, input: &[u8]) -> Result<Story, Violation> {
    run_on(Some(how), None, input)
}

/// The same, with a model that is lied to.
///
/// # Errors
/// Likewise.
pub fn run_lied_to(lie: Lie, input: &[u8]) -> Result<Story, Violation> {
    run_on(None, Some(lie), input)
}

fn run_on(broken: Option<Breakage>, lie: Option<Lie>, input: &[u8]) -> Result<Story, Violation> {
    let mut source = Source(input);
    let mut setup = Setup::decode(&mut source);
    setup.broken = broken;
    let mut world = World::new(&setup, &mut source);
    world.lie = lie;
    let done = world
        .operate(&mut source)
        .and_then(|()| world.finish(setup.closes));
    for transition in world.machine.taken() {
        world.story.count(format!("transition {transition}"));
    }
    match done {
        Ok(()) => Ok(world.story),
        Err(what) => {
            world
                .story
                .tell(world.model.now, format_args!("VIOLATION: {what}"));
            Err(Violation {
                what,
                story: world.story,
            })
        }
    }
}

impl World {
    fn new(setup: &Setup, source: &mut Source<'_>) -> Self {
        let machine = Connection::new(setup.config());
        let revision = match setup.pinned {
            Some(revision) => revision.as_str(),
            None => source.pick(&[
                "2025-11-25",
                "2025-11-25",
                "2025-06-18",
                "2025-03-26",
                "2024-11-05",
            ]),
        };
        let offers = source.chance(190);
        let mut story = Story::default();
        story.tell(
            Time::ZERO,
            format_args!("{setup:?}, the server prefers {revision}"),
        );
        let mut stranger = setup.clone();
        stranger.seed = 8;
        Self {
            model: Model::new(setup.clone(), machine.status()),
            machine,
            peer: Peer::new(setup, revision, offers),
            story,
            bodies: BTreeMap::new(),
            calls: BTreeMap::new(),
            polite: setup.polite,
            marks: 0,
            lie: None,
            looked: None,
            stranger: Connection::new(stranger.config()),
        }
    }

    fn operate(&mut self, source: &mut Source<'_>) -> Seen {
        let mut left = MOST;
        while left > 0 && !source.is_empty() {
            left -= 1;
            let operation = Operation::decode(source, &self.model.view(), &mut self.peer);
            self.apply(operation)?;
            ceilings::excess(&self.machine)?;
            if self.model.is_closed() {
                left = left.min(AFTERMATH);
            }
        }
        Ok(())
    }

    pub(super) fn tell(&mut self, text: impl std::fmt::Display) {
        self.story.tell(self.model.now, text);
    }

    /// Looks at the getters after something was done.
    pub(super) fn look(&mut self) -> Seen {
        let status = self.machine.status();
        if self.looked.as_ref() != Some(&status) {
            secrets::connection(&self.machine)?;
            ceilings::excess(&self.machine)?;
            self.looked = Some(status.clone());
        }
        self.story.count(format!("phase {:?}", status.phase));
        self.model.look(&status, self.machine.is_closed())
    }

    fn apply(&mut self, operation: Operation) -> Seen {
        let name = format!("{operation:?}");
        let name = name
            .split(|char: char| !char.is_alphanumeric())
            .next()
            .unwrap_or_default();
        self.story.count(format!("operation {name}"));
        let now = self.model.now;
        self.model.turn();
        match operation {
            Operation::AnswerAsk { ticket, error } => self.answer_ask(ticket, error)?,
            Operation::Blunder(blunder) => return self.blunder(blunder),
            Operation::Call(plan) => {
                self.marks += 1;
                let mark = self.marks;
                let room = self.model.has_room_for_call();
                let made =
                    self.machine
                        .call(plan.method, &plan.params(mark), plan.options(mark), now);
                self.tell(format_args!("call {mark}: {plan:?}: {}", outcome(&made)));
                match made {
                    Ok(id) => {
                        if !room {
                            return Err("law 8: a call above the limit".to_owned());
                        }
                        self.model.called(id.number(), mark, plan);
                        self.calls.insert(id.number(), id);
                    }
                    Err(error) if self.is_for_subscriptions(&error) => {}
                    Err(error) => self.refused(&error, LimitKind::OpenCalls, room)?,
                }
            }
            Operation::Cancel(call) => {
                self.tell(format_args!("cancel call {call}"));
                let id = self.calls[&call];
                self.machine
                    .cancel(id, now)
                    .map_err(|error| error.to_string())?;
                self.model.cancelled(call);
            }
            Operation::Close => {
                self.tell("close");
                self.machine.close(now);
                self.model.closed();
            }
            Operation::Connect => {
                let done = self.machine.connect(now);
                self.tell(format_args!("connect: {}", outcome(&done)));
                if done.is_err() != self.model.is_closed() {
                    return Err("`connect` errs, or does not".to_owned());
                }
            }
            Operation::End(exchange) => self.end(exchange)?,
            Operation::Events(all) => return self.events(all).map(drop),
            Operation::Fail { exchange, sent } => self.fail(exchange, sent)?,
            Operation::More { exchange, cut } => self.more(exchange, cut.pieces)?,
            Operation::Listen(filter) => {
                self.tell(format_args!("listen to {filter:?}"));
                self.machine
                    .listen(filter.clone(), now)
                    .map_err(|error| error.to_string())?;
                self.model.listens_to(filter);
            }
            Operation::NetworkChanged => {
                self.tell("the network changed");
                let paused = self.paused();
                self.machine.network_changed(now);
                self.model.network_changed(&paused);
            }
            Operation::Notify => {
                let room = self.model.has_room_for_note();
                // The number that the id will have, should there be one.
                let mark = self.model.notes_made() + 1;
                let made = self.machine.notify(
                    "notifications/mine",
                    &json!({ "n": mark, "s": format!("{MARK}note") }),
                    now,
                );
                self.tell(format_args!("notify {mark}: {}", outcome(&made)));
                match made {
                    Ok(id) if room => self.model.notified(id.number()),
                    Ok(_) => return Err("law 8: a notification above the limit".to_owned()),
                    Err(error) => self.refused(&error, LimitKind::OpenNotifications, room)?,
                }
            }
            Operation::Reinitialize => {
                self.tell("reinitialize");
                self.machine
                    .reinitialize(now)
                    .map_err(|error| error.to_string())?;
                self.model.reinitialized();
            }
            Operation::Respond {
                exchange,
                answer,
                cut,
            } => self.respond(exchange, &answer, cut)?,
            Operation::Resume => {
                self.tell("resume");
                self.machine
                    .resume(now)
                    .map_err(|error| error.to_string())?;
            }
            Operation::Stray { exchange, answer } => return self.stray(exchange, &answer),
            Operation::Transmits(all) => return self.transmits(all).map(drop),
            Operation::Wait { step, timeout } => return self.wait(step, timeout),
        }
        self.look()
    }

    /// A command was refused: for its limit and when it is full, or after close.
    fn refused(&self, error: &Error, kind: LimitKind, room: bool) -> Seen {
        secrets::error(error)?;
        match error.reason() {
            Reason::Limit(limit) if limit.kind == kind && !room => Ok(()),
            Reason::Misuse(_) if self.model.is_closed() => Ok(()),
            _ => Err(format!("refused: {error}")),
        }
    }

    fn is_for_subscriptions(&self, error: &Error) -> bool {
        let of_kind = |limit: &LimitExceeded| limit.kind == LimitKind::Subscriptions;
        let full = matches!(error.reason(), Reason::Limit(limit) if of_kind(limit));
        full && self.model.is_subscribed()
    }

    fn answer_ask(&mut self, ticket: crate::Ticket, error: bool) -> Seen {
        let result = answer_to(ticket.number());
        let outcome = if error {
            Err(RpcError::new(-32000, format!("{MARK}refusal")))
        } else {
            Ok(&result)
        };
        let before = self.machine.clone();
        let done = self.machine.answer(ticket, outcome, self.model.now);
        self.tell(format_args!("answer {ticket:?}: {}", self::outcome(&done)));
        match done {
            Ok(()) => self.model.answered(ticket, error),
            // It was withdrawn, which nobody has read yet.
            Err(_) => self.unchanged(before)?,
        }
        Ok(())
    }
}

/// # The end
impl World {
    /// Everything fails or ends, time goes far: then nothing may be left.
    fn finish(&mut self, closes: bool) -> Seen {
        self.tell("the end begins");
        if closes && !self.model.is_closed() {
            self.apply(Operation::Close)?;
        }
        for round in 0..ROUNDS {
            self.transmits(true)?;
            self.events(true)?;
            match self.model.phase() {
                Phase::Held => self.apply(Operation::Resume)?,
                Phase::Lost => self.apply(Operation::Reinitialize)?,
                _ => {}
            }
            for ticket in self.model.open_tickets() {
                self.apply(Operation::AnswerAsk {
                    ticket,
                    error: false,
                })?;
            }
            for exchange in self.model.under_way() {
                if round > 8 && self.model.is_unheard(exchange) {
                    continue;
                }
                // Some end as they should, for the sake of what comes after the end.
                let began = self.model.exchange(exchange).head.is_some();
                if began && round % 2 == 0 {
                    self.end(exchange)?
                } else {
                    self.fail(exchange, round > 4)?
                }
            }
            self.transmits(true)?;
            self.events(true)?;
            let waits = matches!(self.model.phase(), Phase::Held | Phase::Lost);
            let waits = waits || !self.model.open_tickets().is_empty();
            let idle = self.machine.poll_timeout().is_none() && !waits;
            let under_way = self.model.under_way();
            if idle && under_way.iter().all(|it| self.model.is_unheard(*it)) {
                let status: Status = self.machine.status();
                if self.model.is_closed() && status.phase != Phase::Closed {
                    return Err(format!("law 12: it stays {:?}", status.phase));
                }
                return self.model.finished(&status);
            }
            self.model.turn();
            self.wait(Step::ToTimeout, true)?;
        }
        Err("law 4: it does not come to rest".to_owned())
    }
}

/// What the application says to a question.
pub(super) fn answer_to(ticket: u64) -> Value {
    json!({ "action": "accept", "t": ticket, "s": format!("{MARK}answer") })
}

pub(super) fn outcome<T>(done: &Result<T, Error>) -> String {
    match done {
        Ok(_) => "done".to_owned(),
        Err(error) => error.to_string(),
    }
}
