//! Every request stands on its own: 2026-07-28.

use super::super::asked::{Asked, Kind};
use super::super::part::{Head, Mark, Part, Type, error, event, result, unsupported};
use super::super::plan::Probe;
use super::super::summary::Thing;
use super::{Server, Task, Turn};

const DATE: &str = "2026-07-28";

impl Server {
    pub(super) fn alone(&mut self, wire: u32, client: usize, asked: &Asked, turn: &mut Turn<'_>) {
        let dated = asked
            .text()
            .contains("io.modelcontextprotocol/protocolVersion");
        if asked.kind.is_request() && asked.kind != Kind::Initialize && !dated {
            let text = unsupported(asked.rpc, DATE);
            return turn.json(wire, 400, text, Some(Mark::Unsupported));
        }
        match asked.kind {
            Kind::Call { .. } => self.begin(wire, client, asked, turn),
            Kind::Discover if self.habits.probe == Probe::NotFound => {
                turn.json(wire, 404, error(asked.rpc, -32601), Some(Mark::Discovered));
            }
            Kind::Discover => {
                let text = format!(
                    r#"{{"resultType":"complete","supportedVersions":["{DATE}"],"capabilities":{{"tools":{{"listChanged":true}},"resources":{{}}}}}}"#
                );
                let head = Part::Head(Head::new(200, Type::Json));
                let text = result(asked.rpc, &text);
                let text = Part::Text(text.into(), Some(Mark::Discovered));
                self.say_in_time(wire, vec![head, text, Part::End], turn);
            }
            Kind::Initialize => match self.habits.probe {
                Probe::BadRequest | Probe::Unsupported => {
                    let text = unsupported(asked.rpc, DATE);
                    turn.json(wire, 400, text, Some(Mark::Unsupported));
                }
                _ => turn.json(wire, 404, error(asked.rpc, -32601), Some(Mark::Refused)),
            },
            Kind::Delete | Kind::Get | Kind::Resume { .. } | Kind::ResumeListening { .. } => {
                turn.status(wire, 405);
            }
            Kind::Other => {
                let text = result(asked.rpc, r#"{"resultType":"complete","tools":[]}"#);
                turn.json(wire, 200, text, Some(Mark::Message));
            }
            Kind::Ping => turn.json(wire, 404, error(asked.rpc, -32601), Some(Mark::Refused)),
            Kind::Subscribe => self.subscribes(wire, asked, turn),
            Kind::Answer { .. } => turn.status(wire, 400),
            Kind::Cancelled { .. } | Kind::Initialized | Kind::Notification => {
                self.simple(Some(wire), client, asked, turn);
            }
        }
    }

    fn subscribes(&mut self, wire: u32, asked: &Asked, turn: &mut Turn<'_>) {
        if !self.habits.listens {
            return turn.json(wire, 404, error(asked.rpc, -32601), Some(Mark::Refused));
        }
        turn.count(Thing::Listening);
        self.subscriptions.insert(wire, asked.rpc);
        let acknowledged = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{}}},"notifications":{{"toolsListChanged":true}}}}}}"#,
            asked.rpc
        );
        turn.say(wire, Part::Head(Head::new(200, Type::Stream)));
        turn.text(wire, event(None, &acknowledged), Some(Mark::Message));
        if !turn.calm {
            let (first, last) = (turn.dice.millis(10, 5000), turn.dice.millis(100, 90_000));
            turn.later(first, Task::Tell(wire, 3));
            if turn.dice.chance(500) {
                turn.later(last, Task::HangUp(wire));
            }
        }
    }

    /// A question in place of a result; the call comes again with the answer.
    pub(super) fn require(&mut self, wire: u32, key: usize, asked: &Asked, turn: &mut Turn<'_>) {
        let state = turn.number();
        let text = format!(
            r#"{{"resultType":"input_required","inputRequests":{{"q":{{"method":"elicitation/create","params":{{"key":{key}}}}}}},"requestState":"{state}"}}"#
        );
        let text = result(asked.rpc, &text);
        turn.json(wire, 200, text, Some(Mark::Asks { key }));
    }
}
