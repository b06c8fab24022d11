//! What stands between the network and the servers: balancers and proxies.

use super::asked::{Kind, MOVED};
use super::part::{Head, Part, Type};
use super::queue::Happening;
use super::summary::Thing;
use super::wire::Passing;
use super::world::World;
use std::time::Duration;

impl World {
    /// A request is there: it is answered here, or passed on to a server.
    pub(super) fn arrive(&mut self, number: u32) {
        let wire = &self.wires[number as usize];
        let (client, kind, moved) = (wire.client, wire.asked.kind, wire.asked.moved);
        if !wire.writable {
            return;
        }
        if let Kind::Call { key } = kind {
            self.board.judge.arrived(key);
        }
        if self.is_answered_here(number, moved) {
            return;
        }
        let server = self.balance(client);
        if self.now < self.servers[server].down_until {
            return self.is_down(number);
        }
        self.choose_passing(number, kind);
        self.wires[number as usize].server = Some(server);
        let asked = self.wires[number as usize].asked.clone();
        self.serve(server, |server, turn| {
            server.arrive(number, client, &asked, turn);
        });
    }

    fn balance(&mut self, client: usize) -> usize {
        if self.plan.sticky {
            return client % self.servers.len();
        }
        self.dice.below(self.servers.len() as u64) as usize
    }

    /// The server behind the proxy is down: the proxy says so, or lets the connection die.
    fn is_down(&mut self, number: u32) {
        let status = self.dice.pick(&[502, 503, 503, 0]);
        match status {
            0 => self.sever(number, false),
            status => {
                self.say_for_the_server(number, Head::new(status, Type::Html), Thing::Gateway)
            }
        }
    }

    /// Whether a proxy answers in place of the server, which never hears of it.
    fn is_answered_here(&mut self, number: u32, moved: usize) -> bool {
        if self.calm {
            return false;
        }
        let faults = &self.plan.faults;
        let dice = &mut self.dice;
        let path = &self.wires[number as usize].asked.path;
        let (head, thing) = if dice.chance(faults.gateway) {
            let head = Head::new(dice.pick(&[502, 503, 504]), Type::Html);
            let head = match dice.below(3) {
                0 => head.retry_after(dice.pick(&[0, 1, 30])),
                _ => head,
            };
            (head, Thing::Gateway)
        } else if dice.chance(faults.html) {
            (Head::new(200, Type::Html), Thing::Html)
        } else if dice.chance(faults.busy) {
            let head = Head::new(dice.pick(&[429, 429, 408]), Type::Text);
            let head = match dice.below(3) {
                0 => head,
                _ => head.retry_after(dice.pick(&[0, 1, 3, 20, 400])),
            };
            (head, Thing::Busy)
        } else if dice.chance(faults.not_found) {
            (Head::new(404, Type::Html), Thing::NotFound)
        } else if dice.chance(if moved > 0 {
            4 * faults.redirect
        } else {
            faults.redirect
        }) {
            let (base, query) = path.split_once('?').map_or((path.as_str(), ""), |it| it);
            let mark = if query.is_empty() { "" } else { "?" };
            let to = format!("{base}{MOVED}{mark}{query}");
            let status = dice.pick(&[307, 307, 308, 308, 302, 303]);
            (Head::location(status, to), Thing::Redirect)
        } else if dice.chance(faults.away) {
            let to = dice.pick(&[
                "http://elsewhere.example/mcp",
                "https://mcp.example/mcp",
                "http://mcp.example:8080/mcp",
                "//elsewhere.example/mcp",
            ]);
            let status = dice.pick(&[307, 308]);
            (Head::location(status, to.to_owned()), Thing::Away)
        } else {
            return false;
        };
        self.say_for_the_server(number, head, thing);
        true
    }

    /// The proxy answers; the server can say nothing more on this exchange.
    fn say_for_the_server(&mut self, number: u32, head: Head, thing: Thing) {
        self.board.count(thing);
        let has_body = head.kind != Type::None;
        self.schedule(number, Part::Head(head));
        if has_body {
            let text = "<html><h1>Welcome</h1></html>".into();
            self.schedule(number, Part::Text(text, None));
        }
        self.schedule(number, Part::End);
        self.hang_up(number);
    }

    /// Nobody listens to the server any more.
    pub(super) fn hang_up(&mut self, number: u32) {
        let wire = &mut self.wires[number as usize];
        wire.writable = false;
        if wire.server.is_some() {
            self.queue.push(self.now, Happening::Gone(number));
        }
    }

    /// What becomes of the answer on its way.
    fn choose_passing(&mut self, number: u32, kind: Kind) {
        if self.calm {
            return;
        }
        let faults = &self.plan.faults;
        let dice = &mut self.dice;
        let mut passing = Passing::Plain;
        if dice.chance(faults.lie) {
            let status = dice.pick(&[404, 404, 429, 502]);
            passing = Passing::Lies { status };
        } else if dice.chance(faults.gateway_after) {
            let status = dice.pick(&[500, 502, 504]);
            passing = Passing::Lies { status };
        } else if dice.chance(faults.cut) {
            let left = dice.below(300) as usize;
            let clean = dice.chance(400);
            passing = Passing::Cuts { left, clean };
        } else if dice.chance(faults.buffer) {
            passing = Passing::Buffers;
            self.board.count(Thing::Buffered);
        }
        if dice.chance(faults.reset_after) {
            let after = dice.millis(0, 3000);
            let what = Happening::Sever {
                wire: number,
                clean: false,
            };
            self.queue.push(self.now + after, what);
        }
        if let Some(deadline) = faults.deadline.filter(|_| !kind.is_get()) {
            let at = self.now + Duration::from_millis(deadline);
            self.queue.push(at, Happening::Deadline(number));
        }
        if let Some(longest) = faults.longest {
            let at = self.now + Duration::from_millis(longest);
            let clean = dice.chance(500);
            let wire = number;
            self.queue.push(at, Happening::Sever { wire, clean });
        }
        self.wires[number as usize].passing = passing;
    }

    /// The proxy has waited long enough.
    pub(super) fn deadline(&mut self, number: u32) {
        let wire = &self.wires[number as usize];
        if wire.open && wire.writable && !wire.begun && !self.calm {
            self.say_for_the_server(number, Head::new(504, Type::Html), Thing::Gateway);
        }
    }

    /// A server says something on an exchange: what gets through goes on its way.
    pub(super) fn pass(&mut self, number: u32, part: Part) {
        let wire = &mut self.wires[number as usize];
        if !wire.writable {
            return;
        }
        wire.begun |= matches!(part, Part::Head(_)) && wire.passing != Passing::Buffers;
        let ends = matches!(part, Part::End | Part::Fail(_));
        match wire.passing {
            Passing::Plain => {
                self.schedule(number, part);
                if ends {
                    self.wires[number as usize].writable = false;
                }
            }
            Passing::Buffers => {
                wire.held.push(part);
                if ends {
                    wire.writable = false;
                    for part in std::mem::take(&mut wire.held) {
                        self.schedule(number, part);
                    }
                }
            }
            Passing::Cuts { left, clean } => match part {
                Part::Text(text, mark) if text.len() <= left => {
                    let left = left - text.len();
                    wire.passing = Passing::Cuts { left, clean };
                    self.schedule(number, Part::Text(text, mark));
                }
                Part::Text(text, _) => {
                    self.schedule(number, Part::Text(text.slice(..left), None));
                    self.sever(number, clean);
                }
                part => {
                    self.schedule(number, part);
                    if ends {
                        self.wires[number as usize].writable = false;
                    }
                }
            },
            Passing::Lies { status } => {
                let key = wire.asked.kind.key();
                let denies = !matches!(status, 500 | 502 | 504);
                if let (Some(key), true) = (key, denies) {
                    self.board.judge.lied(key);
                    self.board.count(Thing::Lie);
                }
                self.say_for_the_server(number, Head::new(status, Type::Html), Thing::Gateway);
            }
        }
    }
}
