//! The loop that every embedder has: what is to be sent is sent, what is to be known is read.

use super::super::queue::Happening;
use super::super::rule::Rule;
use super::super::summary::Thing;
use super::super::world::World;
use super::{Act, call_of};
use crate::{Delivery, Event, Lost, Reason, Recovery, Subject, Transmit};

impl World {
    /// Does all that the machine of a client wants by now. Whether there was anything.
    pub(in super::super) fn drive(&mut self, client: usize) -> bool {
        let mut any = false;
        loop {
            let first = self.clients[client].setup.events_first && self.events(client);
            let some = self.transmits(client);
            let some = self.events(client) || some || first;
            if !some && !self.read_on(client) {
                break;
            }
            any = true;
            if self.board.judge.breach.is_some() {
                break;
            }
        }
        let over = self.clients[client].machine.is_closed();
        let over = over && !self.board.liar.says(Rule::Open);
        self.board.judge.look(client, over, self.now);
        any
    }

    fn transmits(&mut self, client: usize) -> bool {
        let mut any = false;
        while let Some(transmit) = self.clients[client].machine.poll_transmit(self.now) {
            any = true;
            match transmit {
                Transmit::Abort { exchange } => self.abort(client, exchange.number()),
                Transmit::Send { exchange, request } => {
                    self.board.count(Thing::Request);
                    if request.method() == http::Method::DELETE {
                        self.board.count(Thing::Deleted);
                    }
                    let asked = match self.board.liar.reads(&request) {
                        Ok(asked) => asked,
                        Err(why) => {
                            self.board.judge.breach(Rule::Unreadable, || {
                                format!("client {client} sends {why}: {request:?}")
                            });
                            return true;
                        }
                    };
                    if self.board.story.is_told() {
                        let session = asked.session.map(|id| format!(" in session {id}"));
                        self.board.tell(
                            self.now,
                            format_args!(
                                "{client} -> {} {:?} {}{}",
                                exchange.number(),
                                asked.kind,
                                asked.path,
                                session.unwrap_or_default()
                            ),
                        );
                    }
                    if let Some(key) = asked.kind.key() {
                        let again = !asked.kind.is_get() && self.board.judge.is_sent(key);
                        if again {
                            self.board.count(Thing::SentAgain);
                        }
                    }
                    let number = self.wires.len() as u32;
                    let shown = self.board.liar.sends(client, &asked, self.now);
                    for _ in 0..shown.times {
                        let judge = &mut self.board.judge;
                        judge.sent(number, client, &shown.asked, shown.at);
                        if self.board.liar.says(Rule::Handshakes) {
                            self.board.judge.concludes(client, number);
                        }
                    }
                    self.send(client, exchange, asked);
                    self.clients[client].wires.insert(exchange.number(), number);
                }
            }
        }
        any
    }

    fn abort(&mut self, client: usize, exchange: u64) {
        self.board
            .tell(self.now, format_args!("{client} -> {exchange} abort"));
        let Some(number) = self.clients[client].wires.remove(&exchange) else {
            return;
        };
        let wire = &mut self.wires[number as usize];
        wire.open = false;
        wire.inbox.clear();
        self.board.judge.aborted(number, wire);
        if wire.writable {
            self.queue.push(self.now, Happening::Gone(number));
        }
    }

    /// What was left in the socket, if it is wanted by now.
    fn read_on(&mut self, client: usize) -> bool {
        let it = &mut self.clients[client];
        let wires = &self.wires;
        it.left
            .retain(|number| !wires[*number as usize].inbox.is_empty());
        let machine = &it.machine;
        let wanted = it
            .left
            .iter()
            .find(|number| machine.wants_read(wires[**number as usize].exchange));
        let Some(number) = wanted.copied() else {
            return false;
        };
        let Some(part) = self.wires[number as usize].inbox.pop_front() else {
            return false;
        };
        self.hand_in(number, part);
        true
    }

    fn events(&mut self, client: usize) -> bool {
        let mut any = false;
        loop {
            let it = &mut self.clients[client];
            let event = match it.reads {
                true => it.machine.poll_event(),
                false => it
                    .machine
                    .poll_event_where(|event| !matches!(event, Event::Message(_) | Event::Ask(_))),
            };
            let Some(event) = event else { return any };
            any = true;
            self.read(client, &event);
        }
    }

    fn read(&mut self, client: usize, event: &Event) {
        if self.board.story.is_told() {
            match event {
                Event::Fail { subject, error } => {
                    self.board.tell(
                        self.now,
                        format_args!("{client}    Fail {subject:?}: {error}"),
                    );
                }
                event => self
                    .board
                    .tell(self.now, format_args!("{client}    {event:?}")),
            }
        }
        let key = call_of(event).and_then(|call| self.clients[client].keys.get(&call).copied());
        self.show(client, key, event);
        self.count_event(event);
        self.react(client, event);
        if matches!(event, Event::Reply { .. } | Event::Fail { .. }) {
            if let Some(key) = key {
                self.clients[client].calls.remove(&key);
            }
        }
    }

    /// What the judge is shown of an event.
    fn show(&mut self, client: usize, key: Option<usize>, event: &Event) {
        let told = self.board.liar.tells(key, event, self.now);
        for _ in 0..told.times {
            self.board
                .judge
                .told(client, told.key, &told.event, told.at);
        }
    }

    fn count_event(&mut self, event: &Event) {
        let thing = match event {
            Event::Accepted {
                subject: Subject::Notification(_),
            } => Thing::Notified,
            Event::AskWithdrawn { .. } => Thing::Withdrawn,
            Event::Authorize(_) => Thing::Authorize,
            Event::Fail { subject, error } => match subject {
                Subject::Call(_) => {
                    match error.reason() {
                        Reason::Timeout(_) => self.board.count(Thing::CallTimeout),
                        Reason::Closed => self.board.count(Thing::CallClosed),
                        Reason::Lost(Lost::SessionUnrecoverable { .. }) => {
                            self.board.count(Thing::Unrecoverable);
                        }
                        _ => {}
                    }
                    match error.delivery() {
                        Delivery::NotSent => Thing::NotSent,
                        Delivery::Rejected => Thing::Rejected,
                        Delivery::Unknown => Thing::Unknown,
                    }
                }
                Subject::Connection => Thing::HandshakeFailed,
                _ => return,
            },
            Event::Message(message) if message.method == "notifications/progress" => {
                Thing::Progress
            }
            Event::Message(_) => Thing::Message,
            Event::Ready(ready) => {
                if ready.generation > 1 {
                    self.board.count(Thing::Recovered);
                }
                if ready.changed.revision {
                    self.board.count(Thing::Changed);
                }
                Thing::Established
            }
            Event::Reinitialize { .. } => Thing::Lost,
            Event::Reply { reply, .. } => match reply.outcome {
                Ok(_) => Thing::Reply,
                Err(_) => Thing::ErrorReply,
            },
            Event::StreamDegraded { .. } => Thing::Degraded,
            Event::StreamNotOffered { .. } => Thing::NotOffered,
            Event::StreamRestored => Thing::Restored,
            _ => return,
        };
        self.board.count(thing);
    }

    /// What the application does about an event.
    fn react(&mut self, client: usize, event: &Event) {
        let dice = &mut self.dice;
        let recovery = self.clients[client].setup.recovery;
        let (act, most) = match event {
            Event::Ask(ask) => {
                let accepts = dice.chance(850);
                (
                    Act::Answer(ask.ticket, accepts),
                    dice.pick(&[10, 2000, 30_000, 200_000]),
                )
            }
            Event::Authorize(_) => {
                self.board.judge.authorizes(client, true, self.now);
                (Act::Authorize(dice.chance(900)), 8000)
            }
            Event::Ready(_) if recovery == Recovery::Hold => (Act::Resume, 3000),
            Event::Reinitialize { .. } if recovery == Recovery::Manual => (Act::Reinitialize, 3000),
            _ => return,
        };
        let at = self.now + self.dice.millis(0, most);
        self.queue.push(at, Happening::Act(client, act));
    }
}
