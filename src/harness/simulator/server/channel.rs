//! HTTP+SSE: 2024-11-05. Everything is said on one stream.

use super::super::asked::{Asked, Kind};
use super::super::part::{Head, Mark, Part, Type, error, event, result};
use super::super::summary::Thing;
use super::{Server, Session, Task, Turn};

impl Server {
    pub(super) fn on_channel(
        &mut self,
        wire: u32,
        client: usize,
        asked: &Asked,
        turn: &mut Turn<'_>,
    ) {
        if asked.kind == Kind::Get {
            let id = turn.number();
            let session = Session {
                stream: Some(wire),
                told: Vec::new(),
            };
            self.sessions.insert(id, session);
            turn.say(wire, Part::Head(Head::new(200, Type::Stream)));
            let address = format!("event: endpoint\ndata: /messages?session={id}\n\n");
            turn.text(wire, address, Some(Mark::Named { session: id }));
            if turn.dice.chance(self.habits.chatter) {
                let first = turn.dice.millis(10, 5000);
                turn.later(first, Task::Tell(id, 2));
            }
            return;
        }
        if asked.kind.is_get() || asked.kind == Kind::Delete {
            return turn.status(wire, 405);
        }
        let Some(channel) = asked.channel else {
            // It has no endpoint of that kind.
            return match turn.dice.below(3) {
                0 => turn.status(wire, 404),
                1 => turn.json(wire, 400, error(asked.rpc, -32000), Some(Mark::Refused)),
                _ => turn.status(wire, 405),
            };
        };
        let Some(stream) = self.sessions.get(&channel).and_then(|it| it.stream) else {
            turn.count(Thing::Astray);
            return turn.status(wire, 404);
        };
        match asked.kind {
            Kind::Call { .. } => self.begin(wire, client, asked, turn),
            Kind::Initialize => {
                turn.status(wire, 202);
                let parts = self.established(asked, None, turn);
                for part in parts {
                    if let Part::Text(text, mark @ Some(_)) = part {
                        let text = String::from_utf8_lossy(&text);
                        let text = text.trim_start_matches("data: ").trim_end();
                        let said = Part::Text(event(None, text).into(), mark);
                        self.say_in_time(stream, vec![said], turn);
                    }
                }
            }
            Kind::Ping | Kind::Other => {
                turn.status(wire, 202);
                let text = event(None, &result(asked.rpc, "{}"));
                turn.text(stream, text, Some(Mark::Message));
            }
            Kind::Discover | Kind::Subscribe => {
                turn.status(wire, 202);
                let text = event(None, &error(asked.rpc, -32601));
                turn.text(stream, text, Some(Mark::Refused));
            }
            Kind::Answer { .. }
            | Kind::Cancelled { .. }
            | Kind::Delete
            | Kind::Get
            | Kind::Initialized
            | Kind::Notification
            | Kind::Resume { .. }
            | Kind::ResumeListening { .. } => self.simple(Some(wire), client, asked, turn),
        }
    }
}
