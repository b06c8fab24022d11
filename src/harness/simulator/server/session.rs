//! Sessions: 2025-03-26 to 2025-11-25.

use super::super::asked::{Asked, Kind};
use super::super::part::{Head, Mark, Part, Type, error, event, result, unsupported};
use super::super::plan::{Probe, Unknown};
use super::super::summary::Thing;
use super::{Server, Session, Task, Turn};

impl Server {
    pub(super) fn in_session(
        &mut self,
        wire: u32,
        client: usize,
        asked: &Asked,
        turn: &mut Turn<'_>,
    ) {
        match asked.kind {
            Kind::Discover => return self.is_probed(wire, asked, turn),
            Kind::Initialize => {
                let id = (!self.habits.nameless).then(|| turn.number());
                if let Some(id) = id {
                    self.sessions.insert(id, Session::default());
                }
                let parts = self.established(asked, id, turn);
                return self.say_in_time(wire, parts, turn);
            }
            _ => {}
        }
        let known = match asked.session {
            Some(id) => self.sessions.contains_key(&id),
            None => self.habits.nameless,
        };
        if !known {
            return self.is_unknown(wire, asked, turn);
        }
        match asked.kind {
            Kind::Call { .. } => self.begin(wire, client, asked, turn),
            Kind::Delete => {
                if let Some(id) = asked.session.filter(|_| self.habits.deletes) {
                    self.sessions.remove(&id);
                }
                turn.status(wire, if self.habits.deletes { 200 } else { 405 });
            }
            Kind::Get => self.opens(wire, asked, 0, turn),
            Kind::ResumeListening { session, after } if asked.session == Some(session) => {
                self.opens(wire, asked, after, turn);
            }
            Kind::ResumeListening { .. } => turn.status(wire, 400),
            Kind::Resume { work, after, .. } => self.resumes(wire, work, after, turn),
            Kind::Ping | Kind::Other => {
                turn.json(wire, 200, result(asked.rpc, "{}"), Some(Mark::Message));
            }
            Kind::Answer { .. }
            | Kind::Cancelled { .. }
            | Kind::Initialized
            | Kind::Notification => self.simple(Some(wire), client, asked, turn),
            Kind::Discover | Kind::Initialize => {}
            Kind::Subscribe => turn.json(wire, 200, error(asked.rpc, -32601), Some(Mark::Refused)),
        }
    }

    /// A probe for the stateless era, by one who knows no session.
    pub(super) fn is_probed(&mut self, wire: u32, asked: &Asked, turn: &mut Turn<'_>) {
        let refused = Some(Mark::Refused);
        match self.habits.probe {
            Probe::BadRequest => turn.json(wire, 400, error(asked.rpc, -32000), refused),
            Probe::MethodNotAllowed => turn.status(wire, 405),
            Probe::NotFound => turn.status(wire, 404),
            Probe::UnknownMethod => turn.json(wire, 200, error(asked.rpc, -32601), refused),
            Probe::Unsupported => {
                let text = unsupported(asked.rpc, self.habits.revision);
                turn.json(wire, 400, text, Some(Mark::Unsupported));
            }
            Probe::Silence => {}
        }
    }

    fn is_unknown(&mut self, wire: u32, asked: &Asked, turn: &mut Turn<'_>) {
        turn.count(Thing::Astray);
        if asked.session.is_none() && self.habits.probe == Probe::Unsupported {
            // It knows those who think that it is of another era.
            return self.is_probed(wire, asked, turn);
        }
        let text = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no"}}"#;
        match self.habits.unknown {
            Unknown::NotFound => turn.status(wire, 404),
            Unknown::NotFoundError => turn.json(wire, 404, text.to_owned(), Some(Mark::Refused)),
            Unknown::BadRequest => turn.json(wire, 400, text.to_owned(), Some(Mark::Refused)),
            Unknown::PlainBadRequest => turn.status(wire, 400),
            Unknown::Failure => turn.status(wire, 500),
        }
    }

    /// The listening stream, from after this event on.
    fn opens(&mut self, wire: u32, asked: &Asked, after: u32, turn: &mut Turn<'_>) {
        let session = asked
            .session
            .and_then(|id| Some((id, self.sessions.get_mut(&id)?)));
        let Some((id, session)) = session.filter(|_| self.habits.listens) else {
            let status = turn.dice.pick(&[405, 405, 404]);
            return turn.status(wire, status);
        };
        if session.stream.is_some() && turn.dice.chance(200) {
            // It still holds the one before.
            return turn.status(wire, 409);
        }
        session.stream = Some(wire);
        turn.count(Thing::Listening);
        turn.say(wire, Part::Head(Head::new(200, Type::Stream)));
        if self.habits.ids {
            for (number, message) in session.told.iter().enumerate().skip(after as usize) {
                let place = format!("l{id}.{}", number + 1);
                turn.text(wire, event(Some(&place), message), Some(Mark::Message));
            }
        }
        if !turn.calm && turn.dice.chance(300) {
            turn.text(wire, ": here\n\n".to_owned(), None);
        }
        if !turn.calm && turn.dice.chance(self.habits.chatter) {
            let (first, last) = (turn.dice.millis(10, 5000), turn.dice.millis(100, 90_000));
            turn.later(first, Task::Tell(id, 3));
            if turn.dice.chance(500) {
                turn.later(last, Task::HangUp(wire));
            }
        }
    }

    /// Says something to a session that listens.
    pub(super) fn tell(&mut self, place: u32, left: u8, turn: &mut Turn<'_>) {
        if turn.calm {
            return;
        }
        let message = match turn.dice.below(3) {
            0 => r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#,
            1 => {
                r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"r"}}"#
            }
            _ => {
                r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}"#
            }
        };
        let alone = self.subscriptions.contains_key(&place);
        let ids = self.habits.ids && self.era == super::Era::Session;
        match self.sessions.get_mut(&place) {
            Some(session) => {
                session.told.push(message.to_owned());
                let id = format!("l{place}.{}", session.told.len());
                if let Some(wire) = session.stream {
                    let text = event(ids.then_some(id.as_str()), message);
                    turn.text(wire, text, Some(Mark::Message));
                }
            }
            None if alone => turn.text(place, event(None, message), Some(Mark::Message)),
            None => return,
        }
        if left > 0 {
            let after = turn.dice.millis(1, 20_000);
            turn.later(after, Task::Tell(place, left - 1));
        }
    }

    /// Ends a listening stream, announced or not.
    pub(super) fn hang_up(&mut self, wire: u32, turn: &mut Turn<'_>) {
        if turn.dice.chance(300) {
            let retry = turn.dice.pick(&[0_u64, 50, 1000, 99_999_999_999]);
            turn.text(wire, format!("retry: {retry}\n\n"), None);
        }
        if let Some(request) = self.subscriptions.get(&wire) {
            // In good order, or not.
            if turn.dice.chance(500) {
                let text = result(*request, r#"{"resultType":"complete"}"#);
                turn.text(wire, event(None, &text), None);
            }
        }
        turn.say(wire, Part::End);
        self.gone(wire, turn);
    }
}
