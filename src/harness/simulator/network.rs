//! The network: requests leave, parts of answers arrive, connections break.

use std::time::Duration;

use super::asked::Asked;
use super::part::Part;
use super::queue::Happening;
use super::rule::Rule;
use super::summary::Thing;
use super::wire::Wire;
use super::world::World;
use crate::{ExchangeId, Failure, FailureKind, Time};

impl World {
    fn latency(&mut self) -> Duration {
        let most = if self.calm {
            self.plan.faults.latency.min(20)
        } else {
            self.plan.faults.latency
        };
        Duration::from_micros(self.dice.between(most * 100, most * 1000))
    }

    /// A request leaves.
    pub(super) fn send(&mut self, client: usize, exchange: ExchangeId, asked: Asked) -> u32 {
        let number = self.wires.len() as u32;
        let mut wire = Wire::new(client, exchange, asked, self.now);
        let parted = self.clients[client].parted_until;
        let faults = &self.plan.faults;
        let dice = &mut self.dice;
        let latency = faults.latency.max(1);
        let fate = if self.now < parted {
            // Connections are refused, or nobody answers; those that there were hang.
            match dice.below(3) {
                0 => Some((Thing::Refused, FailureKind::NotSent, dice.millis(1, 3000))),
                1 => Some((Thing::Reset, FailureKind::Broken, dice.millis(100, 20_000))),
                _ => {
                    wire.hangs = true;
                    None
                }
            }
        } else if self.calm {
            None
        } else if dice.chance(faults.refused) {
            Some((
                Thing::Refused,
                FailureKind::NotSent,
                dice.millis(0, 2 * latency),
            ))
        } else if dice.chance(faults.reset_before) {
            Some((
                Thing::Reset,
                FailureKind::Broken,
                dice.millis(0, 2 * latency),
            ))
        } else {
            wire.hangs = dice.chance(faults.hole);
            None
        };
        let lost = wire.hangs || fate.is_some();
        wire.writable = !lost;
        if wire.hangs {
            self.board.count(Thing::Hole);
        }
        self.wires.push(wire);
        if let Some((thing, kind, after)) = fate {
            self.board.count(thing);
            let what = Happening::Deliver(number, Part::Fail(kind));
            self.queue.push(self.now + after, what);
        }
        if !lost {
            let at = self.now + self.latency();
            self.queue.push(at, Happening::Arrive(number));
        }
        number
    }

    /// A part of an answer goes on its way: never past the one before.
    pub(super) fn schedule(&mut self, number: u32, part: Part) {
        let at = self.now + self.latency();
        let (half_open, splits) = match self.calm {
            true => (0, 0),
            false => (self.plan.faults.half_open, 100),
        };
        let wire = &mut self.wires[number as usize];
        if wire.hangs || !wire.open {
            return;
        }
        if self.dice.chance(half_open) {
            self.board.count(Thing::HalfOpen);
            wire.hangs = true;
            return;
        }
        let at = at.max(wire.last);
        wire.last = at;
        match part {
            Part::Text(text, mark) if text.len() > 1 && self.dice.chance(splits) => {
                let half = self.dice.between(1, text.len() as u64 - 1) as usize;
                let first = Part::Text(text.slice(..half), None);
                let second = Part::Text(text.slice(half..), mark);
                self.queue.push(at, Happening::Deliver(number, first));
                self.queue.push(at, Happening::Deliver(number, second));
            }
            part => self.queue.push(at, Happening::Deliver(number, part)),
        }
    }

    /// The connection of an exchange breaks, or its answer ends before it should.
    pub(super) fn sever(&mut self, number: u32, clean: bool) {
        let wire = &mut self.wires[number as usize];
        if !wire.open || !wire.writable {
            return;
        }
        // What has no head yet cannot end well.
        let clean = clean && wire.begun;
        wire.held.clear();
        self.board
            .count(if wire.begun { Thing::Cut } else { Thing::Reset });
        self.schedule(
            number,
            match clean {
                true => Part::End,
                false => Part::Fail(FailureKind::Broken),
            },
        );
        self.hang_up(number);
    }

    /// The server learns that nobody listens.
    pub(super) fn gone(&mut self, number: u32) {
        let wire = &mut self.wires[number as usize];
        wire.writable = false;
        if let Some(server) = wire.server {
            self.serve(server, |server, turn| server.gone(number, turn));
        }
    }

    /// A client cannot reach anybody until then: what is under way breaks, hangs for ever,
    /// or goes on when all has healed.
    pub(super) fn part(&mut self, client: usize, until: Time) {
        let parted = &mut self.clients[client].parted_until;
        *parted = (*parted).max(until);
        for number in 0..self.wires.len() as u32 {
            let wire = &mut self.wires[number as usize];
            if wire.client != client || !wire.open {
                continue;
            }
            match self.dice.below(3) {
                0 => self.sever(number, false),
                1 => {
                    self.board.count(Thing::HalfOpen);
                    wire.hangs = true;
                }
                _ => wire.stalled = wire.stalled.max(Some(until)),
            }
        }
    }

    /// A part of an answer arrives.
    pub(super) fn deliver(&mut self, number: u32, part: Part) {
        let fails = matches!(part, Part::Fail(_));
        let wire = &mut self.wires[number as usize];
        if !wire.open || wire.hangs && !fails {
            return;
        }
        if let Some(until) = wire.stalled {
            if wire.stuck.is_empty() {
                self.queue.push(until, Happening::Flow(number));
            }
            return wire.stuck.push(part);
        }
        let client = wire.client;
        let waits = !wire.inbox.is_empty()
            || matches!(part, Part::Text(..))
                && !self.clients[client].machine.wants_read(wire.exchange);
        if waits {
            self.board.count(Thing::Left);
            wire.inbox.push_back(part);
            return self.clients[client].left.push(number);
        }
        self.hand_in(number, part);
        self.drive(client);
    }

    /// What was stuck flows again, if the client can be reached by now.
    pub(super) fn flow(&mut self, number: u32) {
        let wire = &mut self.wires[number as usize];
        if let Some(until) = wire.stalled.filter(|until| self.now < *until) {
            return self.queue.push(until, Happening::Flow(number));
        }
        wire.stalled = None;
        for part in std::mem::take(&mut wire.stuck) {
            self.deliver(number, part);
        }
    }

    /// The machine is given a part of an answer.
    pub(super) fn hand_in(&mut self, number: u32, part: Part) {
        let now = self.now;
        let wire = &mut self.wires[number as usize];
        let (client, exchange) = (wire.client, wire.exchange);
        let machine = &mut self.clients[client].machine;
        if self.board.story.is_told() {
            let about = format_args!("{client} <- {} {}", exchange.number(), shown(&part));
            self.board.story.tell(now, about);
        }
        if let Some(shown) = self.board.liar.hears(wire, &part) {
            self.board.judge.heard(number, wire, &shown, now);
        }
        let done = match part {
            Part::Head(head) => machine.handle_head(exchange, head.status(), &head.headers(), now),
            Part::Text(text, _) => machine.handle_body(exchange, text, now),
            Part::End => {
                wire.open = false;
                machine.handle_end(exchange, now)
            }
            Part::Fail(kind) => {
                wire.open = false;
                machine.handle_failure(exchange, failure(kind), now)
            }
        };
        if let Err(error) = self.board.liar.takes(Rule::Misreport, done) {
            self.board.judge.breach(Rule::Misreport, || {
                format!("client {client}: a report is called misuse: {error}")
            });
        }
    }
}

fn failure(kind: FailureKind) -> Failure {
    match kind {
        FailureKind::Broken => Failure::broken("connection reset by peer"),
        FailureKind::NotSent => Failure::not_sent("connection refused"),
    }
}

fn shown(part: &Part) -> String {
    match part {
        Part::Head(head) => {
            let session = head.session.map(|id| format!(", session {id}"));
            let extra = head
                .extra
                .as_ref()
                .map(|(name, value)| format!(", {name}: {value}"));
            let (session, extra) = (session.unwrap_or_default(), extra.unwrap_or_default());
            format!("{} {:?}{session}{extra}", head.status, head.kind)
        }
        Part::Text(text, _) => format!("{:?}", String::from_utf8_lossy(text)),
        Part::End => "end".to_owned(),
        Part::Fail(kind) => format!("fails: {kind:?}"),
    }
}
