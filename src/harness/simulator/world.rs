//! A world: its clock, and what happens next.

use std::time::Duration;

use super::Options;
use super::board::Board;
use super::client::Client;
use super::dice::Dice;
use super::judge::{Breach, Judge};
use super::liar::Liar;
use super::plan::{Incident, Plan};
use super::queue::{Happening, Milestone, Queue};
use super::rule::Rule;
use super::server::{Say, Server, Turn};
use super::story::Story;
use super::summary::{Summary, Thing};
use super::wire::Wire;
use crate::Time;

/// When the clock begins: not at zero, for machines must not count on it.
const START: Time = Time::from_secs(1000);
/// More steps than any world takes.
const STEPS: u64 = 200_000;

pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) now: Time,
    pub(super) dice: Dice,
    pub(super) queue: Queue,
    pub(super) board: Board,
    pub(super) clients: Vec<Client>,
    pub(super) servers: Vec<Server>,
    pub(super) wires: Vec<Wire>,
    /// The credential that the servers want.
    pub(super) token: Option<u32>,
    pub(super) calm: bool,
    serial: u32,
    says: Vec<Say>,
}

impl World {
    pub(super) fn new(seed: u64, options: &Options, story: Story) -> Self {
        let mut dice = Dice::new(seed);
        let plan = Plan::draw(&mut dice);
        let token = plan.tokens.then_some(1);
        let mut board = Board {
            era: plan.era,
            liar: Liar::new(options.lie),
            judge: Judge::default(),
            story,
            summary: Summary::default(),
        };
        board.count(Thing::World);
        let servers = (0..plan.servers).map(|_| Server::new(plan.era, plan.habits.clone()));
        let servers = servers.collect();
        let mut clients = Vec::new();
        for setup in &plan.clients {
            board
                .judge
                .add_client(setup, plan.is_straight(setup), token);
            clients.push(Client::new(setup.clone(), token, options));
        }
        Self {
            plan,
            now: START,
            dice,
            queue: Queue::default(),
            board,
            clients,
            servers,
            wires: Vec::new(),
            token,
            calm: false,
            serial: 0,
            says: Vec::new(),
        }
    }

    /// Lets everything happen.
    pub(super) fn run(mut self) -> (Summary, Story, Option<Breach>) {
        self.begin();
        let most = match self.board.liar.says(Rule::Restive) {
            true => 1,
            false => STEPS,
        };
        let mut steps = 0;
        while self.board.judge.breach.is_none() && self.step() {
            steps += 1;
            if steps == most {
                self.board.judge.breach(Rule::Restive, || {
                    "the world does not come to rest".to_owned()
                });
            }
        }
        if self.board.judge.breach.is_none() {
            self.finish();
        }
        if let Some(Breach { rule, what }) = &self.board.judge.breach {
            let law = rule.law();
            self.board
                .story
                .tell(self.now, format_args!("LAW {law}: {what}"));
        }
        (
            self.board.summary,
            self.board.story,
            self.board.judge.breach,
        )
    }

    fn begin(&mut self) {
        if self.board.story.is_told() {
            self.introduce();
        }
        let plan = &self.plan;
        let calm = START + plan.span;
        for (at, incident) in &plan.incidents {
            self.queue.push(START + *at, Happening::Incident(*incident));
        }
        let mut at = calm;
        let mut milestone = |after: u64, what| {
            at = at + Duration::from_secs(after);
            self.queue.push(at, Happening::Milestone(what));
        };
        milestone(0, Milestone::Calm);
        milestone(400, Milestone::LastCall { counts: false });
        milestone(90, Milestone::LastCall { counts: false });
        milestone(90, Milestone::LastCall { counts: true });
        milestone(200, Milestone::Review);
        milestone(60, Milestone::Close);
        milestone(60, Milestone::End);
        for client in 0..self.clients.len() {
            self.plan_acts(client);
        }
    }

    fn introduce(&mut self) {
        let plan = &self.plan;
        let story = &mut self.board.story;
        story.tell(
            START,
            format_args!(
                "{}, {} servers, sticky: {}, credentials: {}, for {:?}",
                plan.era.name(),
                plan.servers,
                plan.sticky,
                plan.tokens,
                plan.span
            ),
        );
        story.tell(START, format_args!("{:?}", plan.habits));
        story.tell(START, format_args!("{:?}", plan.faults));
        for (client, setup) in plan.clients.iter().enumerate() {
            story.tell(START, format_args!("client {client}: {setup:?}"));
        }
    }

    /// Something happens, or a clock runs out. False if that was all.
    fn step(&mut self) -> bool {
        let wake = (0..self.clients.len())
            .filter_map(|client| Some((self.wakes_at(client)?, client)))
            .min();
        let next = self.queue.next();
        match (wake, next) {
            (Some((due, client)), next) if next.is_none_or(|next| due < next) => {
                self.now = self.now.max(due);
                self.wake(client);
                true
            }
            (_, Some(at)) => {
                self.now = self.now.max(at);
                match self.queue.pop() {
                    Some(Happening::Milestone(Milestone::End)) | None => false,
                    Some(what) => {
                        self.happen(what);
                        true
                    }
                }
            }
            (_, None) => false,
        }
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Act(client, act) => self.act(client, act),
            Happening::Arrive(wire) => self.arrive(wire),
            Happening::Deadline(wire) => self.deadline(wire),
            Happening::Deliver(wire, part) => self.deliver(wire, part),
            Happening::Flow(wire) => self.flow(wire),
            Happening::Gone(wire) => self.gone(wire),
            Happening::Incident(incident) => self.incident(incident),
            Happening::Milestone(milestone) => self.milestone(milestone),
            Happening::Sever { wire, clean } => self.sever(wire, clean),
            Happening::Task { server, life, task } => {
                if self.servers[server].life == life {
                    self.serve(server, |server, turn| server.work_on(task, turn));
                }
            }
        }
    }

    /// A server has its turn.
    pub(super) fn serve<T>(
        &mut self,
        number: usize,
        does: impl FnOnce(&mut Server, &mut Turn<'_>) -> T,
    ) -> T {
        let mut says = std::mem::take(&mut self.says);
        let server = &mut self.servers[number];
        let done = does(
            server,
            &mut Turn {
                now: self.now,
                dice: &mut self.dice,
                board: &mut self.board,
                says: &mut says,
                token: self.token,
                calm: self.calm,
                serial: &mut self.serial,
            },
        );
        let life = server.life;
        for say in says.drain(..) {
            match say {
                Say::Later(after, task) => {
                    let server = number;
                    let what = Happening::Task { server, life, task };
                    self.queue.push(self.now + after, what);
                }
                Say::Part(wire, part) => self.pass(wire, part),
            }
        }
        self.says = says;
        done
    }

    fn incident(&mut self, incident: Incident) {
        self.board.tell(self.now, format_args!("{incident:?}"));
        match incident {
            Incident::Restart { server, down } => {
                self.board.count(Thing::Restart);
                self.go_down(server, down);
            }
            Incident::Replace { server, era } => {
                self.board.count(Thing::EraChange);
                self.go_down(server, Duration::from_millis(200));
                let habits = super::plan::Habits::draw(&mut self.dice, era);
                let server = &mut self.servers[server];
                server.era = era;
                server.habits = habits;
            }
            Incident::Forget { server, breaks } => {
                let broken = self.serve(server, |server, turn| server.forget(turn, breaks));
                for wire in broken {
                    self.sever(wire, false);
                }
            }
            Incident::Part { client, long } => {
                self.board.count(Thing::Partition);
                self.part(client, self.now + long);
            }
            Incident::Revoke => {
                self.token = self.token.map(|token| token + 1);
            }
        }
    }

    fn go_down(&mut self, server: usize, down: Duration) {
        let until = self.now + down;
        self.servers[server].go_down(until);
        for wire in 0..self.wires.len() as u32 {
            let it = &self.wires[wire as usize];
            if it.server == Some(server) && it.open && it.writable {
                self.sever(wire, false);
            }
        }
    }
}
