//! Servers: they execute calls and remember which, keep sessions and forget them.

mod channel;
mod session;
mod stateless;
mod work;

use std::collections::BTreeMap;
use std::time::Duration;

use self::work::Work;
use super::asked::{Asked, Kind};
use super::board::Board;
use super::dice::Dice;
use super::part::{Head, Mark, Part, Type, error, result};
use super::plan::{Era, Habits};
use super::summary::Thing;
use crate::Time;

/// What a server may look at and do in its turn.
pub(super) struct Turn<'a> {
    pub(super) now: Time,
    pub(super) dice: &'a mut Dice,
    pub(super) board: &'a mut Board,
    pub(super) says: &'a mut Vec<Say>,
    /// The credential that is needed.
    pub(super) token: Option<u32>,
    /// All has healed: nothing goes wrong any more.
    pub(super) calm: bool,
    /// The last number given to a session, a work or an ask: no two servers give the same.
    pub(super) serial: &'a mut u32,
}

/// What a server does.
#[derive(Debug)]
pub(super) enum Say {
    Later(Duration, Task),
    Part(u32, Part),
}

/// What a server does later, if it has not gone down by then.
#[derive(Clone, Debug)]
pub(super) enum Task {
    /// Answers late.
    Answer(u32, Vec<Part>),
    /// Closes the stream of a work, to be polled.
    Close(u32),
    Execute(u32),
    Finish(u32),
    /// Ends a listening stream.
    HangUp(u32),
    /// An ask was not answered.
    Impatient(u32),
    Progress(u32),
    /// Says something on a listening stream or channel.
    Tell(u32, u8),
}

#[derive(Debug)]
pub(super) struct Server {
    pub(super) era: Era,
    pub(super) habits: Habits,
    /// Counts its restarts: what was planned before never happens.
    pub(super) life: u32,
    pub(super) down_until: Time,
    sessions: BTreeMap<u32, Session>,
    works: BTreeMap<u32, Work>,
    /// Listening streams of the stateless era, and the requests that opened them.
    subscriptions: BTreeMap<u32, u64>,
}

#[derive(Clone, Debug, Default)]
struct Session {
    /// The stream on which everything is said (HTTP+SSE), or the listening stream.
    stream: Option<u32>,
    /// What was said on the listening stream.
    told: Vec<String>,
}

impl Turn<'_> {
    pub(super) fn count(&mut self, thing: Thing) {
        self.board.count(thing);
    }

    fn number(&mut self) -> u32 {
        *self.serial += 1;
        *self.serial
    }

    fn say(&mut self, wire: u32, part: Part) {
        self.says.push(Say::Part(wire, part));
    }

    fn text(&mut self, wire: u32, text: String, mark: Option<Mark>) {
        self.say(wire, Part::Text(text.into(), mark));
    }

    fn later(&mut self, after: Duration, task: Task) {
        self.says.push(Say::Later(after, task));
    }

    /// A whole answer with a body.
    fn answer(&mut self, wire: u32, head: Head, text: String, mark: Option<Mark>) {
        self.say(wire, Part::Head(head));
        if !text.is_empty() {
            self.text(wire, text, mark);
        }
        self.say(wire, Part::End);
    }

    fn status(&mut self, wire: u32, status: u16) {
        let kind = if status < 300 { Type::None } else { Type::Text };
        let text = if status < 300 { "" } else { "no" };
        self.answer(wire, Head::new(status, kind), text.to_owned(), None);
    }

    fn json(&mut self, wire: u32, status: u16, text: String, mark: Option<Mark>) {
        self.answer(wire, Head::new(status, Type::Json), text, mark);
    }

    /// A notification, or an answer to an ask, is accepted.
    fn accept(&mut self, wire: u32) {
        let status = self.dice.pick(&[202, 202, 202, 200, 204]);
        self.status(wire, status);
    }
}

impl Server {
    pub(super) fn new(era: Era, habits: Habits) -> Self {
        Self {
            era,
            habits,
            life: 0,
            down_until: Time::ZERO,
            sessions: BTreeMap::new(),
            works: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
        }
    }

    /// It forgets all and is gone for a time.
    pub(super) fn go_down(&mut self, until: Time) {
        self.life += 1;
        self.down_until = self.down_until.max(until);
        self.sessions.clear();
        self.works.clear();
        self.subscriptions.clear();
    }

    /// It forgets its sessions. Gives the streams of those that break.
    pub(super) fn forget(&mut self, turn: &mut Turn<'_>, breaks: bool) -> Vec<u32> {
        let sessions = std::mem::take(&mut self.sessions);
        let mut broken: Vec<u32> = sessions.values().filter_map(|it| it.stream).collect();
        for _ in &sessions {
            turn.count(Thing::Forgotten);
        }
        if breaks {
            broken.extend(self.works.values().filter_map(|work| work.wire));
            self.works.clear();
        } else if self.era != Era::HttpSse {
            // What streams goes on, but nobody can take it up again.
            broken.clear();
        }
        broken
    }

    pub(super) fn arrive(&mut self, wire: u32, client: usize, asked: &Asked, turn: &mut Turn<'_>) {
        if turn.token.is_some() && asked.token != turn.token {
            turn.count(Thing::Unauthorized);
            let challenge = turn.dice.pick(&[
                "Bearer",
                "Bearer resource_metadata=\"http://mcp.example/m\", error=\"invalid_token\"",
            ]);
            return turn.answer(wire, Head::challenge(401, challenge), String::new(), None);
        }
        match self.era {
            Era::HttpSse => self.on_channel(wire, client, asked, turn),
            Era::Session => self.in_session(wire, client, asked, turn),
            Era::Stateless => self.alone(wire, client, asked, turn),
        }
    }

    /// What needs no session, or has one: the same in the eras that have them.
    fn simple(&mut self, wire: Option<u32>, client: usize, asked: &Asked, turn: &mut Turn<'_>) {
        match asked.kind {
            Kind::Answer { ask } => self.answered(ask, turn),
            Kind::Cancelled { request } => self.cancelled(client, request, turn),
            _ => {}
        }
        if let Some(wire) = wire {
            turn.accept(wire);
        }
    }

    /// The other end of an exchange is gone.
    pub(super) fn gone(&mut self, wire: u32, turn: &mut Turn<'_>) {
        self.subscriptions.remove(&wire);
        let hung_up = |session: &Session| session.stream == Some(wire);
        let session = self.sessions.iter().find(|(_, it)| hung_up(it));
        if let Some(id) = session.map(|(id, _)| *id) {
            match self.era {
                Era::HttpSse => drop(self.sessions.remove(&id)),
                _ => self.sessions.entry(id).or_default().stream = None,
            }
        }
        let work = self.works.iter_mut().find(|(_, it)| it.wire == Some(wire));
        if let Some((_, work)) = work {
            work.wire = None;
            // In the stateless era that is how a call is cancelled.
            work.cancelled |= self.era == Era::Stateless && turn.dice.chance(700);
        }
    }

    pub(super) fn work_on(&mut self, task: Task, turn: &mut Turn<'_>) {
        match task {
            Task::Answer(wire, parts) => {
                for part in parts {
                    turn.say(wire, part);
                }
            }
            Task::Close(work) => self.close_to_be_polled(work, turn),
            Task::Execute(work) => self.execute(work, turn),
            Task::Finish(work) => self.finish(work, turn),
            Task::HangUp(wire) => self.hang_up(wire, turn),
            Task::Impatient(work) => self.impatient(work, turn),
            Task::Progress(work) => self.progress(work, turn),
            Task::Tell(place, left) => self.tell(place, left, turn),
        }
    }

    /// The result of `initialize`, as JSON or on a stream, perhaps late.
    fn established(
        &mut self,
        asked: &Asked,
        session: Option<u32>,
        turn: &mut Turn<'_>,
    ) -> Vec<Part> {
        let capabilities =
            r#"{"tools":{"listChanged":true},"resources":{"subscribe":true},"logging":{}}"#;
        let text = format!(
            r#"{{"protocolVersion":"{}","capabilities":{capabilities},"serverInfo":{{"name":"s","version":"1"}}}}"#,
            self.habits.revision
        );
        let text = result(asked.rpc, &text);
        let mark = Some(Mark::Established { session });
        if turn.dice.chance(self.habits.streams / 2) {
            let mut head = Head::new(200, Type::Stream);
            head.session = session;
            let ping = turn.dice.chance(200).then(|| {
                let id = turn.number();
                let text =
                    format!("data: {{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"ping\"}}\n\n");
                Part::Text(text.into(), None)
            });
            let mut parts = vec![Part::Head(head)];
            parts.extend(ping);
            parts.push(Part::Text(format!("data: {text}\n\n").into(), mark));
            parts.push(Part::End);
            return parts;
        }
        let mut head = Head::new(200, Type::Json);
        head.session = session;
        vec![Part::Head(head), Part::Text(text.into(), mark), Part::End]
    }

    /// Says it now, or much later.
    fn say_in_time(&mut self, wire: u32, parts: Vec<Part>, turn: &mut Turn<'_>) {
        if !turn.calm && turn.dice.chance(self.habits.late) {
            turn.count(Thing::LateAnswer);
            let after = turn.dice.millis(3000, 45_000);
            return turn.later(after, Task::Answer(wire, parts));
        }
        for part in parts {
            turn.say(wire, part);
        }
    }

    /// A call is refused before it is looked at. Whether it was.
    fn refuses(&mut self, wire: u32, asked: &Asked, turn: &mut Turn<'_>) -> bool {
        if turn.calm || !turn.dice.chance(self.habits.refuses) {
            return false;
        }
        turn.count(Thing::ServerRefused);
        let Kind::Call { key } = asked.kind else {
            return false;
        };
        let reply = Some(Mark::Reply {
            key,
            rpc: asked.rpc,
        });
        match turn.dice.below(8) {
            0 if self.era != Era::HttpSse => turn.json(wire, 200, error(asked.rpc, -32602), reply),
            0..=2 => turn.json(wire, 400, error(asked.rpc, -32602), reply),
            3 => {
                let seconds = turn.dice.pick(&[0, 1, 5, 700]);
                let head = Head::new(429, Type::None).retry_after(seconds);
                turn.answer(wire, head, String::new(), None);
            }
            4 => {
                let head = Head::new(503, Type::None).retry_after(1);
                turn.answer(wire, head, String::new(), None);
            }
            5 => turn.status(wire, 403),
            6 => turn.status(wire, 500),
            _ => turn.status(wire, 413),
        }
        true
    }
}
