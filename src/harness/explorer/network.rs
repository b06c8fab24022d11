//! What comes of the exchanges: the server, the proxies and the network of a world.

use bytes::Bytes;
use http::HeaderValue;
use serde_json::json;

use super::exchange::{Open, Owed};
use super::laws::Seen;
use super::letter::Act;
use super::wire::{self, Carries};
use super::world::World;
use crate::{Binding, Failure};

impl World {
    pub(super) fn comes(&mut self, at: usize, act: Act) -> Seen {
        let open = self.open[at].clone();
        let before = self.facts.clone();
        let over = if open.streams {
            self.flows(&open, act)?
        } else {
            self.answered(&open, act)?
        };
        let is_refused = !matches!(act, Act::Accepted | Act::Broken | Act::End | Act::Reply);
        if over && is_refused {
            // Nothing comes of it by another way.
            self.owed.retain(|owed| owed.rpc != open.rpc);
        }
        for owed in self.owed.iter_mut().filter(|owed| owed.rpc == open.rpc) {
            owed.broken |= act == Act::Broken;
        }
        // Elsewhere no stream is taken up again.
        let resumes = self.binding() == Some(Binding::Session);
        let seen = self.liar.comes(&open, act);
        if over {
            self.open.retain(|other| other.id != open.id);
            self.unlink(&open);
        } else if let Some(open) = self.open.iter_mut().find(|other| other.id == open.id) {
            open.streams = true;
            open.replied |= act == Act::Reply;
            let act = seen.map_or(act, |(_, act)| act);
            open.waits = act == Act::Wait && resumes || open.waits && act != Act::Hurry;
        }
        if let Some((carries, act)) = seen {
            let open = Open { carries, ..open };
            for _ in 0..self.liar.comes_often(&open, act) {
                self.facts.came(&before, &open, act, over, self.now);
            }
        }
        Ok(())
    }

    /// What a stream that is over owed is owed no longer.
    pub(super) fn unlink(&mut self, open: &Open) {
        if self.facts.channel == Some(open.id) {
            self.facts.channel_ended();
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
        let ((status, mut headers), body) = match act {
            Act::Broken | Act::NotSent => return self.fails(open, act),
            Act::Reply | Act::RequiresInput => {
                let result = match act {
                    Act::Reply => wire::result(open.carries, &open.version),
                    _ => wire::required(),
                };
                let reply = json!({ "jsonrpc": "2.0", "id": open.rpc, "result": result });
                (wire::good("application/json"), reply.to_string())
            }
            Act::Stream | Act::StreamAway => {
                (wire::good("text/event-stream"), self.begins(open, act))
            }
            refused => {
                let (status, headers, body) = wire::refusal(refused, &open.rpc);
                ((status, headers), body)
            }
        };
        if let Some(session) = self.opened(open, act) {
            let session = HeaderValue::from_str(&session).expect("a header");
            headers.insert(wire::SESSION_ID, session);
        }
        let machine = &mut self.machine;
        let done = machine.handle_head(open.id, status, &headers, self.now);
        let done = done.and_then(|()| match body.is_empty() {
            true => Ok(()),
            false => machine.handle_body(open.id, Bytes::from(body), self.now),
        });
        let done = done.and_then(|()| match act {
            Act::Stream | Act::StreamAway => Ok(()),
            _ => machine.handle_end(open.id, self.now),
        });
        done.map_err(|error| error.to_string())?;
        Ok(!matches!(act, Act::Stream | Act::StreamAway))
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
    fn begins(&mut self, open: &Open, act: Act) -> String {
        if open.opens_channel() {
            self.facts.channel = Some(open.id);
            self.owed.clear();
            let address = format!("/messages?session={}", self.next());
            let origin = match act {
                Act::StreamAway => wire::AWAY,
                _ => "",
            };
            self.facts.given(&address);
            return format!("event: endpoint\ndata: {origin}{address}\n\n");
        }
        let first = match open.carries {
            Carries::Subscribe => wire::acknowledgement(&open.rpc).to_string(),
            _ => String::new(),
        };
        format!("id: {}\ndata: {first}\n\n", self.event(open))
    }

    /// The id of the next event of a stream.
    fn event(&mut self, open: &Open) -> String {
        let event = self.next();
        if let Some(open) = self.open.iter_mut().find(|other| other.id == open.id) {
            open.event = event;
        }
        wire::event_id(event, open.carries)
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
                    token: _,
                    broken,
                } = owed.ok_or("nothing is owed")?;
                if self.liar.hears() {
                    self.facts.replied(carries, !broken);
                }
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
            Act::Message => wire::told(),
            Act::Progress => {
                let channel = self.is_channel(open);
                let owed = self.owed.iter().map(|owed| &owed.token);
                let known = owed.filter(|_| channel).chain([&open.token]);
                let token = known.into_iter().find(|token| !token.is_null());
                wire::progress(token.ok_or("nobody asked for progress")?)
            }
            Act::Hurry | Act::Wait => {
                let delay = if act == Act::Hurry {
                    0
                } else {
                    1000 * wire::LONG
                };
                return self.comes_on(open, format!("retry: {delay}\n\n"));
            }
            _ => return self.fails(open, act),
        };
        let event = self.event(open);
        self.comes_on(open, format!("id: {event}\ndata: {message}\n\n"))
    }

    /// More of its body.
    fn comes_on(&mut self, open: &Open, event: String) -> Result<bool, String> {
        let done = self
            .machine
            .handle_body(open.id, Bytes::from(event), self.now);
        done.map_err(|error| error.to_string())?;
        Ok(false)
    }
}
