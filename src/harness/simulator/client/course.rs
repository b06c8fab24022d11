//! The course of a world, and what holds in the end.

use super::super::asked::Kind;
use super::super::plan::{Era, Incident, Plan, Setup, Unknown};
use super::super::queue::Milestone;
use super::super::rule::Rule;
use super::super::server::Server;
use super::super::summary::Thing;
use super::super::wire::Wire;
use super::super::world::World;
use super::Act;
use crate::{Connection, Event};

/// What a machine may keep when nothing is asked of it any more, and how much of it: what it
/// remembers of handshakes, to keep to its budget and to explain itself, what the last session said
/// of itself, and what the application wants to hear about, in each session anew.
const KEPT: [(&str, usize); 6] = [
    ("handshake.attempts", 6),
    ("handshake.asked", 3),
    ("ladder.search", 5),
    ("resources.all", 1),
    ("resources.filter", 1),
    ("session.bytes", 2048),
];

/// Whatever a machine has more of than it may keep.
fn excess(machine: &Connection) -> Vec<(&'static str, usize)> {
    let mut weights = machine.weights();
    weights.retain(|(name, weight)| {
        let kept = KEPT.iter().find(|(kept, _)| kept == name);
        *weight > kept.map_or(0, |(_, most)| *most)
    });
    weights
}

impl World {
    pub(in super::super) fn milestone(&mut self, milestone: Milestone) {
        self.board.tell(self.now, format_args!("{milestone:?}"));
        let clients = 0..self.clients.len();
        match milestone {
            Milestone::Calm => {
                self.calm = true;
                for client in clients {
                    let it = &mut self.clients[client];
                    it.parted_until = self.now;
                    it.reads = true;
                    if !it.closed {
                        self.renew(client);
                        self.clients[client].machine.network_changed(self.now);
                        self.board.judge.hurried(client, self.now);
                    }
                    self.drive(client);
                }
                let now = self.now;
                for server in &mut self.servers {
                    server.down_until = server.down_until.min(now);
                }
            }
            Milestone::LastCall { counts } => {
                for client in clients {
                    if self.clients[client].closed {
                        continue;
                    }
                    if counts {
                        self.board.count(Thing::LastCall);
                    }
                    // What was stuck at first may hang half-open by now.
                    self.act(client, Act::Roam);
                    self.last_call(client);
                }
            }
            Milestone::Review => {
                for client in clients {
                    self.review(client);
                }
            }
            Milestone::Close => {
                for client in clients {
                    self.is_at_rest(client);
                    self.act(client, Act::Close);
                }
            }
            Milestone::End => {}
        }
    }

    /// The last call has to be replied to, and what may take for ever is given up.
    fn review(&mut self, client: usize) {
        let it = &self.clients[client];
        let replaced = self.plan.era == Era::HttpSse && self.plan.is_replaced();
        let failing = |server: &Server| match server.habits.unknown {
            Unknown::BadRequest | Unknown::PlainBadRequest => replaced,
            Unknown::Failure => true,
            Unknown::NotFound | Unknown::NotFoundError => false,
        };
        let knowable = !self.servers.iter().any(failing);
        let last = it
            .last_call
            .filter(|_| knowable && self.plan.heals(&it.setup));
        if let Some(key) = last.filter(|key| !self.board.judge.is_replied(*key)) {
            self.board.judge.breach(Rule::Unhealed, || {
                format!("client {client}: all has healed, but call {key} has no reply")
            });
        }
        let open: Vec<_> = self.clients[client].calls.keys().copied().collect();
        for key in open {
            // Where sessions die in turns, it may wait for the next one for ever.
            if !self.plan.scatters() {
                self.is_under_way(client, key);
            }
            self.act(client, Act::Cancel(key));
        }
    }

    /// What is still open by now waits for an answer, and for nothing else (law 2).
    fn is_under_way(&mut self, client: usize, key: usize) {
        let carries = |wire: &Wire| {
            let own = wire.asked.kind.key() == Some(key);
            let on_channel = wire.asked.kind == Kind::Get && wire.asked.session.is_none();
            wire.open && wire.client == client && (own || on_channel)
        };
        let carried = self.wires.iter().any(carries) && !self.board.liar.says(Rule::Idle);
        if !carried {
            self.board.judge.breach(Rule::Idle, || {
                format!("client {client}: call {key} waits for nothing")
            });
        }
    }

    /// Laws 2 and 8, before all is closed.
    fn is_at_rest(&mut self, client: usize) {
        let mut status = self.clients[client].machine.status();
        status.open_calls += usize::from(self.board.liar.says(Rule::OpenAtRest));
        status.exchanges += 2 * usize::from(self.board.liar.says(Rule::ExchangesAtRest));
        let but = || format!("client {client}: nothing is asked for, but {status:?}");
        if status.open_calls > 0 {
            self.board.judge.breach(Rule::OpenAtRest, but);
        }
        // The listening stream may go on.
        if status.exchanges > 1 {
            self.board.judge.breach(Rule::ExchangesAtRest, but);
        }
    }

    /// Laws 2, 8 and 12, after all was closed.
    pub(in super::super) fn finish(&mut self) {
        for (number, client) in self.clients.iter_mut().enumerate() {
            let liar = &self.board.liar;
            let machine = &mut client.machine;
            let status = machine.status();
            let closed = machine.is_closed() && !liar.says(Rule::OpenAfterAll);
            let next = liar.clock(Rule::ClockAfterAll, machine.poll_timeout(), self.now);
            let lie = liar.says(Rule::EventAfterAll);
            let event = machine.poll_event().or(lie.then_some(Event::StreamEnded));
            let sends = machine.poll_transmit(self.now).is_some();
            let sends = sends || liar.says(Rule::SendsAfterAll);
            let leaks = liar.says(Rule::Leak);
            let mut rest = excess(machine);
            rest.extend(leaks.then_some(("lies", 1)));
            if !rest.is_empty() {
                self.board.judge.breach(Rule::Leak, || {
                    format!("client {number} is closed, but {rest:?} are left")
                });
            }
            if !closed {
                self.board.judge.breach(Rule::OpenAfterAll, || {
                    format!("client {number} is not closed: {status:?}")
                });
            }
            if sends {
                self.board.judge.breach(Rule::SendsAfterAll, || {
                    format!("client {number} is closed, but sends something")
                });
            }
            if let Some(next) = next {
                self.board.judge.breach(Rule::ClockAfterAll, || {
                    format!("client {number} is closed, but waits until {next:?}")
                });
            }
            if let Some(event) = event {
                self.board.judge.breach(Rule::EventAfterAll, || {
                    format!("client {number} is closed, but tells {event:?}")
                });
            }
        }
        self.board.judge.finish();
        for key in 0..self.board.judge.calls() {
            if self.board.judge.is_unheard(key) {
                self.board.count(Thing::ExecutedUnheard);
            }
        }
    }
}

impl Plan {
    fn is_replaced_by(&self, new: Era) -> bool {
        let by =
            |incident: &Incident| matches!(incident, Incident::Replace { era, .. } if *era == new);
        self.incidents.iter().any(|(_, it)| by(it))
    }

    fn replacements(&self) -> usize {
        let replaces = |incident: &Incident| matches!(incident, Incident::Replace { .. });
        self.incidents.iter().filter(|(_, it)| replaces(it)).count()
    }

    fn is_replaced(&self) -> bool {
        self.replacements() > 0
    }

    /// Whether all handshakes of such a client begin in the same way.
    pub(in super::super) fn is_straight(&self, setup: &Setup) -> bool {
        setup.pinned.is_some() && self.era != Era::HttpSse && !self.is_replaced()
    }

    /// Whether no session is known to all who may be asked in it.
    fn scatters(&self) -> bool {
        !self.sticky && self.servers > 1 && self.era != Era::Stateless
    }

    /// Whether such a client can call again when nothing goes wrong any more.
    fn heals(&self, setup: &Setup) -> bool {
        // Nobody could know that the session is gone, or that nobody is there.
        let unknowable = setup.clocks.silence.is_none();
        let pinned = self.is_replaced() && setup.pinned.is_some();
        // That the era is another one has to be said in a way that can be understood.
        let mute =
            self.era == Era::Stateless || self.habits.nameless || self.is_replaced_by(Era::HttpSse);
        let broken = self.replacements() > usize::from(self.servers == 1 && !mute);
        // To find an HTTP+SSE server takes two.
        let poor = setup.budget.handshakes < 2;
        !(self.scatters() || unknowable || pinned || broken || poor)
    }
}
