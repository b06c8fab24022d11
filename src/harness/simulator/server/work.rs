//! Calls at work: each is executed once, and remembered.

use super::super::asked::{Asked, Kind};
use super::super::part::{Head, Mark, Part, Type, error, event, result};
use super::super::plan::Era;
use super::super::summary::Thing;
use super::{Server, Task, Turn};
use std::time::Duration;

/// How long a server waits for the answer to an ask.
const PATIENCE: Duration = Duration::from_secs(90);

/// A call at work.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub(super) wire: Option<u32>,
    client: usize,
    key: usize,
    rpc: u64,
    /// The channel on which it is replied to (HTTP+SSE).
    channel: Option<u32>,
    streams: bool,
    /// What its stream has said, for those who take it up again.
    events: Vec<(String, Option<Mark>)>,
    progress: Option<String>,
    asks: bool,
    /// It waits for an answer.
    ask: Option<u32>,
    polls: bool,
    executed: bool,
    finished: bool,
    pub(super) cancelled: bool,
}

impl Server {
    pub(super) fn begin(&mut self, wire: u32, client: usize, asked: &Asked, turn: &mut Turn<'_>) {
        let Kind::Call { key } = asked.kind else {
            return;
        };
        if self.refuses(wire, asked, turn) {
            return;
        }
        let answers = asked.text().contains("\"inputResponses\"");
        let asks = !turn.calm && !answers && turn.dice.chance(self.habits.asks);
        let elicits = asked.text().contains("\"elicitation\"");
        if asks && elicits && self.era == Era::Stateless {
            turn.count(Thing::Ask);
            return self.require(wire, key, asked, turn);
        }
        let id = turn.number();
        let streams = self.era != Era::HttpSse && turn.dice.chance(self.habits.streams);
        let polls = streams && self.habits.ids && self.era == Era::Session;
        let work = Work {
            wire: (self.era != Era::HttpSse).then_some(wire),
            client,
            key,
            rpc: asked.rpc,
            channel: asked.channel.filter(|_| self.era == Era::HttpSse),
            streams,
            events: Vec::new(),
            progress: asked.progress().map(str::to_owned),
            asks: asks && (streams || self.era == Era::HttpSse),
            ask: None,
            polls: polls && !turn.calm && turn.dice.chance(self.habits.polls),
            executed: false,
            finished: false,
            cancelled: false,
        };
        let most = if turn.calm { 1000 } else { self.habits.work };
        let until = turn.dice.millis(0, most);
        if self.era == Era::HttpSse {
            turn.status(wire, 202);
        } else if streams {
            turn.say(wire, Part::Head(Head::new(200, Type::Stream)));
            if self.habits.ids {
                turn.text(wire, format!("id: k{key}.{id}.0\ndata:\n\n"), None);
            }
            if !turn.calm && turn.dice.chance(200) {
                turn.text(wire, ": alive\n\n".to_owned(), None);
            }
        }
        if streams || self.era == Era::HttpSse {
            turn.later(until / 2, Task::Progress(id));
        }
        if work.polls {
            let soon = turn.dice.millis(0, 500);
            turn.later(soon, Task::Close(id));
        }
        self.works.insert(id, work);
        turn.later(until, Task::Execute(id));
    }

    /// Says something on the stream of a work.
    fn emit(&mut self, id: u32, message: String, mark: Option<Mark>, turn: &mut Turn<'_>) {
        let Some(work) = self.works.get_mut(&id) else {
            return;
        };
        if let Some(channel) = work.channel {
            if let Some(stream) = self.sessions.get(&channel).and_then(|it| it.stream) {
                turn.text(stream, event(None, &message), mark);
            }
            return;
        }
        let ids = self.habits.ids && self.era == Era::Session;
        work.events.push((message, mark));
        let number = work.events.len();
        if let (Some(wire), Some((message, _))) = (work.wire, work.events.last()) {
            let place = format!("k{}.{id}.{number}", work.key);
            turn.text(wire, event(ids.then_some(place.as_str()), message), mark);
        }
    }

    pub(super) fn progress(&mut self, id: u32, turn: &mut Turn<'_>) {
        let Some(work) = self.works.get(&id).filter(|work| !work.finished) else {
            return;
        };
        let Some(token) = &work.progress else {
            return self.chat(id, turn);
        };
        let message = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":1,"key":{}}}}}"#,
            work.key
        );
        self.emit(id, message, Some(Mark::Message), turn);
    }

    /// More than some read in time.
    fn chat(&mut self, id: u32, turn: &mut Turn<'_>) {
        if turn.calm || !turn.dice.chance(self.habits.chatter) {
            return;
        }
        for _ in 0..turn.dice.between(1, 6) {
            let message = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":2}}"#;
            self.emit(id, message.to_owned(), Some(Mark::Message), turn);
        }
    }

    pub(super) fn execute(&mut self, id: u32, turn: &mut Turn<'_>) {
        let Some(work) = self.works.get_mut(&id) else {
            return;
        };
        if work.cancelled {
            self.works.remove(&id);
            return;
        }
        if std::mem::take(&mut work.asks) {
            let ask = turn.number();
            work.ask = Some(ask);
            turn.count(Thing::Ask);
            let message = format!(
                r#"{{"jsonrpc":"2.0","id":{ask},"method":"elicitation/create","params":{{"key":{}}}}}"#,
                work.key
            );
            self.emit(id, message, Some(Mark::Message), turn);
            return turn.later(PATIENCE, Task::Impatient(id));
        }
        work.executed = true;
        let (now, key) = (turn.now, work.key);
        turn.board.executed(key, now);
        // Nothing, a moment, or longer than proxies wait.
        let after = match turn.dice.below(4) {
            0 if !turn.calm => turn.dice.millis(0, self.habits.work),
            1 => turn.dice.millis(0, 20),
            _ => Duration::ZERO,
        };
        turn.later(after, Task::Finish(id));
    }

    pub(super) fn finish(&mut self, id: u32, turn: &mut Turn<'_>) {
        let Some(work) = self.works.get_mut(&id) else {
            return;
        };
        let (key, rpc) = (work.key, work.rpc);
        work.finished = true;
        let text = match self.era {
            Era::Stateless => format!(r#"{{"resultType":"complete","echo":{key}}}"#),
            _ => format!(r#"{{"content":[],"echo":{key}}}"#),
        };
        let text = result(rpc, &text);
        let mark = Some(Mark::Reply { key, rpc });
        let odd = !turn.calm && turn.dice.chance(self.habits.odd);
        let (wire, streams) = (work.wire, work.streams);
        if odd && work.channel.is_none() {
            return self.answer_oddly(id, rpc, turn);
        }
        if streams || work.channel.is_some() {
            self.emit(id, text, mark, turn);
            if let Some(wire) = wire {
                turn.say(wire, Part::End);
            }
        } else if let Some(wire) = wire {
            turn.json(wire, 200, text, mark);
        }
        self.let_go(id);
    }

    /// It was executed, but what the client is told is no reply to it.
    fn answer_oddly(&mut self, id: u32, rpc: u64, turn: &mut Turn<'_>) {
        turn.count(Thing::OddAnswer);
        let Some(work) = self.works.remove(&id) else {
            return;
        };
        let Some(wire) = work.wire else { return };
        if work.streams {
            if turn.dice.chance(500) {
                turn.text(wire, "data: {no json\n\n".to_owned(), None);
            }
            return turn.say(wire, Part::End);
        }
        match turn.dice.below(6) {
            0 => turn.status(wire, 202),
            1 => turn.status(wire, 204),
            2 => turn.json(wire, 200, result(rpc + 1_000_000, "{}"), None),
            3 => turn.json(wire, 200, "[1]".to_owned(), None),
            4 => {
                let head = Head::new(200, Type::Text);
                turn.answer(wire, head, "done".to_owned(), None);
            }
            _ => turn.json(wire, 200, "{\"jsonrpc\":".to_owned(), None),
        }
    }

    /// What may be asked for again is kept.
    fn let_go(&mut self, id: u32) {
        match self.works.get_mut(&id) {
            Some(work) if work.streams && self.habits.ids => work.wire = None,
            _ => drop(self.works.remove(&id)),
        }
    }

    pub(super) fn close_to_be_polled(&mut self, id: u32, turn: &mut Turn<'_>) {
        let Some(work) = self.works.get_mut(&id) else {
            return;
        };
        if let Some(wire) = work.wire.take() {
            turn.count(Thing::Poll);
            let retry = turn.dice.pick(&[0, 1, 100, 1000, 3000]);
            turn.text(wire, format!("retry: {retry}\n\n"), None);
            turn.say(wire, Part::End);
        }
    }

    /// A GET that goes on with the stream of a work.
    pub(super) fn resumes(&mut self, wire: u32, id: u32, after: u32, turn: &mut Turn<'_>) {
        let Some(work) = self.works.get_mut(&id).filter(|work| work.streams) else {
            let status = turn.dice.pick(&[404, 400]);
            return turn.status(wire, status);
        };
        turn.count(Thing::Resumed);
        turn.say(wire, Part::Head(Head::new(200, Type::Stream)));
        for (number, (message, mark)) in work.events.iter().enumerate().skip(after as usize) {
            let place = format!("k{}.{id}.{}", work.key, number + 1);
            turn.text(wire, event(Some(&place), message), *mark);
        }
        if work.finished {
            return turn.say(wire, Part::End);
        }
        work.wire = Some(wire);
        if work.polls && !turn.calm {
            let soon = turn.dice.millis(0, 3000);
            turn.later(soon, Task::Close(id));
        }
    }

    pub(super) fn answered(&mut self, ask: u32, turn: &mut Turn<'_>) {
        let work = self.works.iter_mut().find(|(_, it)| it.ask == Some(ask));
        if let Some((id, work)) = work {
            work.ask = None;
            turn.later(Duration::ZERO, Task::Execute(*id));
        }
    }

    pub(super) fn impatient(&mut self, id: u32, turn: &mut Turn<'_>) {
        let Some(work) = self.works.get_mut(&id).filter(|work| work.ask.is_some()) else {
            return;
        };
        work.finished = true;
        let (key, rpc, wire) = (work.key, work.rpc, work.wire);
        self.emit(id, error(rpc, -32603), Some(Mark::Reply { key, rpc }), turn);
        if let Some(wire) = wire {
            turn.say(wire, Part::End);
        }
        self.let_go(id);
    }

    pub(super) fn cancelled(&mut self, client: usize, request: u64, turn: &mut Turn<'_>) {
        let fits = |work: &&mut Work| work.client == client && work.rpc == request;
        let work = self.works.values_mut().find(fits);
        if let Some(work) = work.filter(|work| !work.executed) {
            work.cancelled = turn.dice.chance(800);
        }
    }
}
