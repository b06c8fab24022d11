//! What comes of the exchanges: the server, the proxies and the network of a world.

use bytes::Bytes;
use http::StatusCode;
use serde_json::json;

use super::laws::Seen;
use super::letter::Act;
use super::wire::{self, Carries};
use super::world::{Open, Owed, World};
use crate::Failure;

impl World {
    pub(super) fn comes(&mut self, at: usize, act: Act) -> Seen {
        let open = self.open[at].clone();
        let before = self.facts.clone();
        let over = if open.streams {
            self.flows(&open, act)?
        } else {
            self.answered(&open, act)?
        };
        let is_refused = !matches!(act, Act::Accepted | Act::Broken | Act::Reply);
        if over && is_refused {
            // Nothing comes of it by another way.
            self.owed.retain(|owed| owed.rpc != open.rpc);
        }
        if over {
            self.open.retain(|other| other.id != open.id);
            self.unlink(&open);
        } else if let Some(open) = self.open.iter_mut().find(|other| other.id == open.id) {
            open.streams = true;
            open.replied |= act == Act::Reply;
        }
        self.facts.came(&before, &open, act);
        Ok(())
    }

    /// What a stream that is over owed is owed no longer.
    pub(super) fn unlink(&mut self, open: &Open) {
        if self.facts.channel == Some(open.id) {
            self.facts.channel = None;
            self.owed.clear();
        }
    }

    fn next(&mut self) -> u32 {
        self.made += 1;
        self.made
    }

    fn fails(&mut self, open: &Open, act: Act) -> Result<bool, String> {
        let failure = match act {
            Act::NotSent => Failure::not_sent("refused"),
            _ => Failure::broken("reset"),
        };
        let done = self.machine.handle_failure(open.id, failure, self.now);
        done.map_err(|error| error.to_string())?;
        Ok(true)
    }

    /// The first that comes of an exchange. Whether it is over with that.
    fn answered(&mut self, open: &Open, act: Act) -> Result<bool, String> {
        let session = self.opened(open, act);
        let (status, media, body) = match act {
            Act::Broken | Act::NotSent => return self.fails(open, act),
            Act::Reply | Act::RequiresInput => {
                let result = match act {
                    Act::Reply => wire::result(open.carries, &open.version),
                    _ => wire::required(),
                };
                let reply = json!({ "jsonrpc": "2.0", "id": open.rpc, "result": result });
                (StatusCode::OK, Some("application/json"), reply.to_string())
            }
            Act::Stream => (StatusCode::OK, Some("text/event-stream"), self.begins(open)),
            refused => wire::refusal(refused, &open.rpc),
        };
        let headers = wire::headers(media, session.as_deref());
        let machine = &mut self.machine;
        let done = machine.handle_head(open.id, status, &headers, self.now);
        let done = done.and_then(|()| match body.is_empty() {
            true => Ok(()),
            false => machine.handle_body(open.id, Bytes::from(body), self.now),
        });
        let done = done.and_then(|()| match act {
            Act::Stream => Ok(()),
            _ => machine.handle_end(open.id, self.now),
        });
        done.map_err(|error| error.to_string())?;
        Ok(act != Act::Stream)
    }

    /// The session that an answer to `initialize` opens.
    fn opened(&mut self, open: &Open, act: Act) -> Option<String> {
        let opens = open.carries == Carries::Initialize && self.facts.channel.is_none();
        let is_good = matches!(act, Act::Reply | Act::Stream);
        (opens && is_good).then(|| {
            let id = format!("session-{}", self.next());
            match act {
                Act::Reply => self.facts.given(&id),
                _ => self.facts.borrowed(&id, open.id),
            }
            id
        })
    }

    /// What an event stream begins with.
    fn begins(&mut self, open: &Open) -> String {
        if open.opens_channel() {
            self.facts.channel = Some(open.id);
            self.owed.clear();
            let address = format!("/messages?session={}", self.next());
            self.facts.given(&address);
            return format!("event: endpoint\ndata: {address}\n\n");
        }
        format!("id: {}\ndata:\n\n", self.next())
    }

    /// More of a stream. Whether it is over with that.
    fn flows(&mut self, open: &Open, act: Act) -> Result<bool, String> {
        let message = match act {
            Act::End => {
                let done = self.machine.handle_end(open.id, self.now);
                done.map_err(|error| error.to_string())?;
                return Ok(true);
            }
            Act::Ask => {
                let mut ask = wire::question();
                ask["jsonrpc"] = json!("2.0");
                ask["id"] = json!(format!("ask-{}", self.next()));
                ask
            }
            Act::Reply | Act::LastReply if self.is_channel(open) => {
                let owed = match act {
                    Act::Reply => self.owed.pop_front(),
                    _ => self.owed.pop_back(),
                };
                let Owed {
                    carries,
                    rpc,
                    version,
                } = owed.ok_or("nothing is owed")?;
                self.facts.replied(carries);
                let result = wire::result(carries, &version);
                for open in self.open.iter_mut().filter(|open| open.rpc == rpc) {
                    open.replied = true;
                }
                json!({ "jsonrpc": "2.0", "id": rpc, "result": result })
            }
            Act::Reply => {
                if open.carries == Carries::Initialize {
                    self.facts.confirmed(open.id);
                }
                let result = wire::result(open.carries, &open.version);
                json!({ "jsonrpc": "2.0", "id": open.rpc, "result": result })
            }
            _ => return self.fails(open, act),
        };
        let event = format!("id: {}\ndata: {message}\n\n", self.next());
        let done = self
            .machine
            .handle_body(open.id, Bytes::from(event), self.now);
        done.map_err(|error| error.to_string())?;
        Ok(false)
    }
}
