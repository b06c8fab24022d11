//! Clients: an application and its machine.

mod acts;
mod course;
mod outlets;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

pub(super) use self::acts::Act;

use super::Options;
use super::asked::HOST;
use super::plan::Setup;
use super::rule::Rule;
use super::summary::Thing;
use super::world::World;
use crate::{CallId, Config, Connection, Event, Limits, Time};

pub(super) struct Client {
    pub(super) machine: Connection,
    pub(super) setup: Setup,
    /// The exchanges that it knows, and their wires.
    wires: BTreeMap<u64, u32>,
    /// Its calls, by what they are called in this world.
    keys: BTreeMap<CallId, usize>,
    calls: BTreeMap<usize, CallId>,
    /// Exchanges of which something waits in the socket.
    pub(super) left: Vec<u32>,
    /// Nothing reaches it before that.
    pub(super) parted_until: Time,
    /// Whether notifications and asks are read.
    reads: bool,
    /// The clock that it waits for, and when it will look at it.
    alarm: Option<(Time, Time)>,
    token: Option<u32>,
    closed: bool,
    /// When clocks ran out for nothing, in the last second.
    idle: Vec<Time>,
    last_call: Option<usize>,
}

/// So often a clock may run out for nothing in a second before that is no accident.
const IDLE: usize = 20;

impl Client {
    pub(super) fn new(setup: Setup, token: Option<u32>, options: &Options) -> Self {
        let capabilities = match setup.elicits {
            true => json!({ "elicitation": {} }),
            false => json!({}),
        };
        let mut config = Config::new(&format!("http://{HOST}/mcp"))
            .and_then(|config| config.capabilities(&capabilities))
            .expect("a configuration")
            .recovery(setup.recovery)
            .listen(setup.listen)
            .authorize(setup.authorize)
            .clocks(setup.clocks)
            .budget(setup.budget)
            .retries(setup.retries)
            .seed(setup.seed);
        if setup.slow {
            let unread = 3;
            config = config.limits(Limits {
                unread,
                ..Limits::default()
            });
        }
        if let Some(revision) = setup.pinned {
            config = config.pin(revision);
        }
        if let Some(binding) = setup.remembered {
            config = config.remember(binding);
        }
        if let Some(token) = token {
            config = config.bearer(&format!("t{token}")).expect("a credential");
        }
        Self {
            machine: Connection::new(options.config(config)),
            reads: !setup.slow,
            setup,
            wires: BTreeMap::new(),
            keys: BTreeMap::new(),
            calls: BTreeMap::new(),
            left: Vec::new(),
            parted_until: Time::ZERO,
            alarm: None,
            token,
            closed: false,
            idle: Vec::new(),
            last_call: None,
        }
    }
}

/// # Time
impl World {
    /// When a client looks at its clock next.
    pub(super) fn wakes_at(&mut self, client: usize) -> Option<Time> {
        let it = &mut self.clients[client];
        let next = it.machine.poll_timeout();
        if it.alarm.map(|(next, _)| next) != next {
            let lag = match it.setup.lag {
                0 => Duration::ZERO,
                lag => self.dice.millis(0, lag),
            };
            it.alarm = next.map(|next| (next, next + lag));
        }
        it.alarm.map(|(_, due)| due)
    }

    /// A clock has run out (law 10).
    pub(super) fn wake(&mut self, client: usize) {
        let now = self.now;
        let it = &mut self.clients[client];
        let late = it.alarm.take().is_some_and(|(next, _)| next < now);
        self.board.count(Thing::Wake);
        if late {
            self.board.count(Thing::Lagged);
        }
        self.board.tell(now, format_args!("{client} clock"));
        it.machine.handle_timeout(now);
        let before = (self.wires.len(), it.wires.len());
        let any = self.drive(client);
        let it = &mut self.clients[client];
        let useless = !any && before == (self.wires.len(), it.wires.len());
        it.idle.retain(|at| now < *at + Duration::from_secs(1));
        if useless {
            let often = self.board.liar.says(Rule::ClockForNothing);
            let times = if often { 2 * IDLE } else { 1 };
            it.idle.extend(std::iter::repeat_n(now, times));
        }
        let (idle, next) = (it.idle.len(), it.machine.poll_timeout());
        let next = self.board.liar.clock(Rule::ClockInThePast, next, now);
        if next.is_some_and(|next| next <= now) {
            self.board.judge.breach(Rule::ClockInThePast, || {
                format!("client {client}: the clock {next:?} has run out already")
            });
        }
        if idle > IDLE {
            self.board.judge.breach(Rule::ClockForNothing, || {
                format!("client {client}: {idle} clocks ran out for nothing")
            });
        }
    }
}

/// The call that an event is about.
fn call_of(event: &Event) -> Option<CallId> {
    match event {
        Event::Reply { call, .. } => Some(*call),
        Event::Fail {
            subject: crate::Subject::Call(call),
            ..
        } => Some(*call),
        Event::Message(message) => message.call,
        Event::Ask(ask) => ask.call,
        _ => None,
    }
}
