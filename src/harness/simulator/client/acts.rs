//! What an application does.

use std::time::Duration;

use serde_json::json;

use super::super::judge::Terms;
use super::super::queue::Happening;
use super::super::rule::Rule;
use super::super::summary::Thing;
use super::super::world::World;
use crate::{CallOptions, Error, Resend, RpcError, SubscriptionFilter, Ticket};

/// What an application does.
#[derive(Clone, Debug)]
pub(in super::super) enum Act {
    Answer(Ticket, bool),
    Authorize(bool),
    Call,
    Cancel(usize),
    Close,
    Connect,
    Listen(bool),
    Notify,
    /// Reads what it has left unread so far.
    Read(bool),
    Reinitialize,
    /// Gets the credential that the servers want by now.
    Renew,
    Resume,
    Roam,
}

impl World {
    /// What the application of a client is going to do.
    pub(in super::super) fn plan_acts(&mut self, client: usize) {
        let setup = self.clients[client].setup.clone();
        let span = self.plan.span.as_millis() as u64;
        let start = self.now;
        let plan =
            |dice: &mut super::super::dice::Dice, queue: &mut super::super::queue::Queue, act| {
                let at = start + dice.millis(0, span);
                queue.push(at, Happening::Act(client, act));
            };
        let (dice, queue) = (&mut self.dice, &mut self.queue);
        if setup.connects {
            queue.push(start, Happening::Act(client, Act::Connect));
        }
        for _ in 0..setup.calls {
            plan(dice, queue, Act::Call);
        }
        for _ in 0..setup.notes {
            plan(dice, queue, Act::Notify);
        }
        for _ in 0..setup.roams {
            plan(dice, queue, Act::Roam);
        }
        if setup.hears {
            plan(dice, queue, Act::Listen(true));
            if dice.chance(300) {
                plan(dice, queue, Act::Listen(false));
            }
        }
        if setup.closes {
            plan(dice, queue, Act::Close);
        }
        if setup.slow {
            for reads in [true, false, true, false] {
                plan(dice, queue, Act::Read(reads));
            }
        }
        if self.plan.tokens && dice.chance(300) {
            plan(dice, queue, Act::Renew);
        }
    }

    pub(in super::super) fn act(&mut self, client: usize, act: Act) {
        let now = self.now;
        if self.board.story.is_told() {
            self.board.tell(now, format_args!("{client} {act:?}"));
        }
        if self.clients[client].closed {
            return;
        }
        match act {
            Act::Answer(ticket, accepts) => self.answer(client, ticket, accepts),
            Act::Authorize(gives) => self.authorize(client, gives),
            Act::Call => self.call(client),
            Act::Cancel(key) => self.cancel(client, key),
            Act::Close => {
                let it = &mut self.clients[client];
                it.closed = true;
                it.reads = true;
                it.machine.close(now);
                self.board.judge.closes(client, now);
                if self.board.liar.says(Rule::AfterTheEnd) {
                    self.board.judge.look(client, true, now);
                }
                if !self.calm {
                    self.board.count(Thing::ClosedEarly);
                }
            }
            Act::Connect => {
                let done = self.clients[client].machine.connect(now);
                self.is_allowed(client, done);
            }
            Act::Listen(any) => {
                let filter = match any {
                    true => SubscriptionFilter::new().tools_list_changed().resource("r"),
                    false => SubscriptionFilter::new(),
                };
                self.board.judge.hurried(client, self.now);
                let done = self.clients[client].machine.listen(filter, now);
                self.is_allowed(client, done);
            }
            Act::Notify => {
                let machine = &mut self.clients[client].machine;
                match machine.notify("notifications/x", &json!({ "n": 1 }), now) {
                    Ok(note) => self.board.judge.noted(client, note),
                    Err(error) => self.is_allowed(client, Err(error)),
                }
            }
            Act::Read(reads) => self.clients[client].reads = reads || self.calm,
            // They have their time, which may be over.
            Act::Reinitialize => drop(self.clients[client].machine.reinitialize(now)),
            Act::Renew => self.renew(client),
            Act::Resume => {
                let done = self.clients[client].machine.resume(now);
                if done.is_ok() && !self.board.liar.says(Rule::HeldLeaves) {
                    self.board.judge.resumed(client);
                }
            }
            Act::Roam => {
                self.board.judge.hurried(client, self.now);
                self.clients[client].machine.network_changed(now);
            }
        }
        self.drive(client);
    }

    fn is_allowed(&mut self, client: usize, done: Result<(), Error>) {
        if let Err(error) = self.board.liar.takes(Rule::CommandRefused, done) {
            self.board.judge.breach(Rule::CommandRefused, || {
                format!("client {client}: a command is refused: {error}")
            });
        }
    }

    fn call(&mut self, client: usize) {
        let dice = &mut self.dice;
        let clocks = self.clients[client].setup.clocks;
        let mut options = CallOptions::new();
        let mut terms = Terms {
            idempotent: dice.chance(300),
            never: dice.chance(100),
            whole: clocks.call,
            longest: clocks.progress,
        };
        if terms.idempotent {
            options = options.idempotent();
            self.board.count(Thing::Idempotent);
        }
        if terms.never {
            options = options.resend(Resend::Never);
        }
        match self.dice.below(6) {
            0 => {
                terms.whole = Some(self.dice.millis(100, 20_000));
                options = options.time_out(terms.whole.unwrap_or_default());
            }
            1 => {
                terms.whole = None;
                options = options.no_time_out();
            }
            2 => options = options.wait_for_server(self.dice.millis(1000, 60_000)),
            3 => options = options.progress(),
            _ => {}
        }
        let key = self.make_call(client, options, terms);
        if let Some(key) = key.filter(|_| self.dice.chance(150)) {
            let at = self.now + self.dice.millis(0, 10_000);
            self.queue
                .push(at, Happening::Act(client, Act::Cancel(key)));
        }
    }

    fn make_call(&mut self, client: usize, options: CallOptions, terms: Terms) -> Option<usize> {
        let key = self.board.judge.calls();
        let params = json!({ "name": "work", "arguments": { "key": key } });
        let it = &mut self.clients[client];
        match it.machine.call("tools/call", &params, options, self.now) {
            Ok(id) => {
                it.keys.insert(id, key);
                it.calls.insert(key, id);
                self.board.count(Thing::Call);
                self.board
                    .tell(self.now, format_args!("   call {key}: {terms:?}"));
                self.board.judge.called(client, terms, self.now);
                Some(key)
            }
            Err(error) => {
                self.is_allowed(client, Err(error));
                None
            }
        }
    }

    /// When all has healed.
    pub(super) fn last_call(&mut self, client: usize) {
        let terms = Terms {
            idempotent: false,
            never: false,
            whole: Some(Duration::from_secs(150)),
            longest: None,
        };
        let options = CallOptions::new().time_out(Duration::from_secs(150));
        self.clients[client].last_call = self.make_call(client, options, terms);
        self.drive(client);
    }

    fn cancel(&mut self, client: usize, key: usize) {
        let it = &mut self.clients[client];
        let Some(id) = it.calls.get(&key).copied() else {
            return;
        };
        let done = it.machine.cancel(id, self.now);
        self.is_allowed(client, done);
        self.board.count(Thing::Cancelled);
        self.drive(client);
        if !self.board.judge.has_ended(key) {
            self.board.judge.breach(Rule::CancelledStays, || {
                format!("call {key} was cancelled, and does not end")
            });
        }
    }

    fn answer(&mut self, client: usize, ticket: Ticket, accepts: bool) {
        let result = json!({ "action": "accept" });
        let outcome = match accepts {
            true => Ok(&result),
            false => Err(RpcError::new(-32000, "no")),
        };
        // It may have been withdrawn, which is told by an event that was read.
        if self.clients[client]
            .machine
            .answer(ticket, outcome, self.now)
            .is_ok()
        {
            self.board.count(Thing::Answered);
            for _ in 0..self.board.liar.times(Rule::AnswerTwice) {
                self.board.judge.answers(client, ticket);
            }
        }
    }

    fn authorize(&mut self, client: usize, gives: bool) {
        if !self.clients[client].machine.status().awaits_authorization {
            return;
        }
        if gives {
            return self.renew(client);
        }
        let done = self.clients[client].machine.refuse_authorization(self.now);
        self.is_allowed(client, done);
    }

    pub(super) fn renew(&mut self, client: usize) {
        let Some(token) = self.token else { return };
        let it = &mut self.clients[client];
        it.token = Some(token);
        let value = format!("Bearer t{token}");
        self.board.judge.credential(client, token, self.now);
        let done = it.machine.set_header("authorization", Some(&value));
        self.is_allowed(client, done);
    }
}
