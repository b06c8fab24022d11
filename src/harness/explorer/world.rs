//! A machine, and all that an observer knows of what it did.

use std::collections::VecDeque;

use bytes::Bytes;
use serde_json::{Value, json};

use super::laws::{Facts, Seen};
use super::letter::{Act, Letter, Move};
use super::setting::Setting;
use super::wire::{self, Carries};
use crate::{
    Binding, CallId, CallOptions, Connection, ExchangeId, Failure, Ticket, Time, Transmit,
};

/// Calls of one path.
const CALLS: usize = 2;
/// More than ever waits in an outlet.
const MOST: usize = 200;
/// Rounds after which everything has to be at rest.
const ROUNDS: usize = 120;

#[derive(Clone)]
pub(super) struct World {
    pub(super) machine: Connection,
    pub(super) now: Time,
    pub(super) facts: Facts,
    /// Under way, in the order in which they left.
    pub(super) open: Vec<Open>,
    calls: Vec<CallId>,
    notified: bool,
    pub(super) asks: Vec<Ticket>,
    /// What was asked by POST and is to be answered on an HTTP+SSE server's stream.
    owed: VecDeque<Owed>,
    /// Sessions, questions and events, so that all of them differ.
    made: u32,
    listens: bool,
    /// How many moves may still be made that nobody looks after.
    unread: usize,
}

/// A reply that is to come on an HTTP+SSE server's stream.
#[derive(Clone, Debug)]
struct Owed {
    carries: Carries,
    rpc: Value,
    version: String,
}

/// An exchange that is under way.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) id: ExchangeId,
    pub(super) carries: Carries,
    pub(super) at: Time,
    /// The JSON-RPC id of a request.
    rpc: Value,
    /// Of the request, as it says.
    version: String,
    pub(super) session: Option<String>,
    /// Whether it is an event stream whose head came.
    streams: bool,
    /// Whether a reply came on it.
    pub(super) replied: bool,
}

impl Open {
    /// A listening stream has a session here.
    pub(super) fn opens_channel(&self) -> bool {
        self.carries == Carries::Get && self.session.is_none()
    }
}

impl World {
    pub(super) fn new(setting: &Setting, unread: usize) -> Result<Self, String> {
        let mut world = Self {
            machine: Connection::new(setting.config()),
            now: Time::ZERO,
            facts: Facts::new(setting.pinned.is_none()),
            open: Vec::new(),
            calls: Vec::new(),
            notified: false,
            asks: Vec::new(),
            owed: VecDeque::new(),
            made: 0,
            listens: setting.listens,
            unread: usize::MAX,
        };
        for one in super::letter::moves(setting.before)? {
            world.make(one)?;
        }
        // What was called before is over, and does not count.
        world.calls.clear();
        world.facts.forget_calls();
        world.unread = unread;
        Ok(world)
    }

    /// What can happen next.
    pub(super) fn moves(&self) -> Vec<Move> {
        let mut letters = Vec::new();
        if !self.facts.is_closed() {
            if self.calls.len() < CALLS {
                letters.extend([Letter::Call, Letter::Idempotent]);
            }
            let open = |call: &usize| !self.facts.has_ended(*call);
            let numbers = (0..self.calls.len()).filter(open);
            letters.extend(numbers.map(|call| Letter::Cancel(number(call))));
            letters.push(Letter::Close);
            letters.extend(self.asks.first().map(|_| Letter::Answer));
        }
        letters.extend(self.machine.poll_timeout().map(|_| Letter::TimeOut));
        for (at, open) in self.open.iter().enumerate() {
            let acts = self.acts(open);
            letters.extend(acts.into_iter().map(|act| Letter::Comes(number(at), act)));
        }
        let unread = letters.clone().into_iter().filter(|_| self.unread > 0);
        let unread: Vec<_> = unread.map(Letter::unread).collect();
        letters
            .into_iter()
            .map(Letter::read)
            .chain(unread)
            .collect()
    }

    fn acts(&self, open: &Open) -> Vec<Act> {
        if open.streams {
            let owed = match self.is_channel(open) {
                true => self.owed.len(),
                false => usize::from(open.carries.has_reply() && !open.replied),
            };
            let mut acts = vec![Act::Broken, Act::End];
            acts.extend((owed > 0).then_some(Act::Reply));
            acts.extend((owed > 1).then_some(Act::LastReply));
            let asks = self.asks.is_empty() && !self.is_stateless();
            acts.extend(asks.then_some(Act::Ask));
            return acts;
        }
        if open.replied {
            return vec![Act::Accepted, Act::Broken];
        }
        let mut acts = vec![Act::Broken, Act::NotSent, Act::NotFound, Act::Unavailable];
        match open.carries {
            Carries::Get | Carries::Resume => acts.extend([Act::Stream, Act::MethodNotAllowed]),
            Carries::Delete => acts.push(Act::Accepted),
            carries if carries.has_reply() => {
                acts.extend([Act::Reply, Act::Stream, Act::BadRequest, Act::NotFoundError]);
                acts.push(Act::Accepted);
                let asks = self.is_stateless() && matches!(carries, Carries::Call(_));
                acts.extend(asks.then_some(Act::RequiresInput));
            }
            _ => acts.extend([Act::Accepted, Act::BadRequest]),
        }
        acts
    }

    fn binding(&self) -> Option<Binding> {
        self.machine.status().binding
    }

    fn is_stateless(&self) -> bool {
        self.binding() == Some(Binding::Stateless)
    }

    /// Whether it is the one stream of an HTTP+SSE server.
    fn is_channel(&self, open: &Open) -> bool {
        open.carries == Carries::Get && self.facts.channel == Some(open.id)
    }

    pub(super) fn make(&mut self, one: Move) -> Seen {
        self.facts.turn();
        match one.letter {
            Letter::Answer => {
                let ticket = self.asks.remove(0);
                // It may have been withdrawn, which nobody has read yet.
                let answer = json!({ "action": "decline" });
                let _ = self.machine.answer(ticket, Ok(&answer), self.now);
            }
            Letter::Call => self.call(false)?,
            Letter::Cancel(call) => {
                let id = self.calls[usize::from(call) - 1];
                let done = self.machine.cancel(id, self.now);
                done.map_err(|error| error.to_string())?;
                self.facts.cancelled(usize::from(call) - 1);
            }
            Letter::Close => {
                self.machine.close(self.now);
                self.facts.close();
            }
            Letter::Comes(at, act) => self.comes(usize::from(at) - 1, act)?,
            Letter::Idempotent => self.call(true)?,
            Letter::NetworkChanged => self.machine.network_changed(self.now),
            Letter::Notify => {
                self.notified = true;
                let made = self
                    .machine
                    .notify("notifications/mine", &json!({}), self.now);
                made.map_err(|error| error.to_string())?;
            }
            Letter::TimeOut => {
                let next = self.machine.poll_timeout();
                self.now = next.map_or(self.now, |next| next.max(self.now));
                self.machine.handle_timeout(self.now);
                let next = self.machine.poll_timeout();
                if next.is_some_and(|next| next < self.now) {
                    return Err("law 10: the time-out is in the past".to_owned());
                }
            }
        }
        if one.unread {
            self.unread -= 1;
            return Ok(());
        }
        self.read()
    }

    fn call(&mut self, idempotent: bool) -> Seen {
        let number = self.calls.len();
        let params = json!({ "name": "p", "arguments": { "n": number.to_string() } });
        let options = CallOptions::new();
        let options = if idempotent {
            options.idempotent()
        } else {
            options
        };
        match self.machine.call("prompts/get", &params, options, self.now) {
            Ok(_) if self.facts.is_closed() => Err("law 12: a call after `close`".to_owned()),
            Ok(id) => {
                self.calls.push(id);
                self.facts.called(id, idempotent);
                Ok(())
            }
            Err(_) if self.facts.is_closed() => Ok(()),
            Err(error) => Err(format!("the call is refused: {error}")),
        }
    }

    /// Reads both outlets until they are empty: events first, so that it is known what the
    /// application was told when something leaves.
    fn read(&mut self) -> Seen {
        for _ in 0..MOST {
            if let Some(event) = self.machine.poll_event() {
                self.facts.event(&event, &mut self.asks)?;
                continue;
            }
            match self.machine.poll_transmit(self.now) {
                Some(Transmit::Send { exchange, request }) => self.sent(exchange, &request)?,
                Some(Transmit::Abort { exchange }) => self.aborted(exchange),
                // What is found to be pointless may fail instead of leaving.
                None => match self.machine.poll_event() {
                    Some(event) => self.facts.event(&event, &mut self.asks)?,
                    None => return self.at_rest(),
                },
            }
        }
        Err("law 10: an outlet is never empty".to_owned())
    }

    /// It may be over already: nobody has read that it was to be aborted.
    fn aborted(&mut self, exchange: ExchangeId) {
        if let Some(at) = self.open.iter().position(|open| open.id == exchange) {
            let open = self.open.remove(at);
            self.facts.aborted(open.carries);
            self.unlink(&open);
        }
    }

    fn at_rest(&mut self) -> Seen {
        let status = self.machine.status();
        let next = self.machine.poll_timeout();
        if next.is_some_and(|next| next <= self.now) && !self.is_overdue() {
            return Err("law 10: woken for nothing".to_owned());
        }
        self.facts.at_rest(&status)
    }

    /// Whether a time-out has come that nobody has handled yet.
    fn is_overdue(&self) -> bool {
        let mut machine = self.machine.clone();
        machine.handle_timeout(self.now);
        machine.poll_timeout() != self.machine.poll_timeout()
    }

    fn sent(&mut self, id: ExchangeId, request: &http::Request<Bytes>) -> Seen {
        let message: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let carries = Carries::of(request, &message);
        let session = request.headers().get(wire::SESSION_ID);
        let session = session.map(|id| id.to_str().unwrap_or_default().to_owned());
        let open = Open {
            id,
            carries,
            at: self.now,
            rpc: message["id"].clone(),
            version: message["params"]["protocolVersion"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            session,
            streams: false,
            replied: false,
        };
        let address = request
            .uri()
            .path_and_query()
            .map(|it| it.as_str().to_owned());
        self.facts
            .sent(&open, address.unwrap_or_default(), self.now, &self.open)?;
        if self.facts.channel.is_some() && carries.has_reply() {
            self.owed.push_back(Owed {
                carries,
                rpc: open.rpc.clone(),
                version: open.version.clone(),
            });
        }
        self.open.push(open);
        Ok(())
    }

    fn comes(&mut self, at: usize, act: Act) -> Seen {
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
    fn unlink(&mut self, open: &Open) {
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
        let mut session = None;
        let (status, media, body) = match act {
            Act::Broken | Act::NotSent => return self.fails(open, act),
            Act::Reply | Act::RequiresInput => {
                let result = match act {
                    Act::Reply => wire::result(open.carries, &open.version),
                    _ => wire::required(),
                };
                if open.carries == Carries::Initialize && self.facts.channel.is_none() {
                    let id = format!("session-{}", self.next());
                    self.facts.given(&id);
                    session = Some(id);
                }
                let reply = json!({ "jsonrpc": "2.0", "id": open.rpc, "result": result });
                (
                    http::StatusCode::OK,
                    Some("application/json"),
                    reply.to_string(),
                )
            }
            Act::Stream => (
                http::StatusCode::OK,
                Some("text/event-stream"),
                self.begins(open),
            ),
            refused => wire::refusal(refused, &open.rpc),
        };
        if act == Act::Stream && open.carries == Carries::Initialize && self.facts.channel.is_none()
        {
            let id = format!("session-{}", self.next());
            self.facts.given(&id);
            session = Some(id);
        }
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
            Act::Note => json!({ "jsonrpc": "2.0", "method": "notifications/x" }),
            Act::Ask => {
                let mut ask = wire::question()["request"].clone();
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

    /// Everything fails, and time goes on: then nothing may be left.
    pub(super) fn finish(mut self) -> Seen {
        self.read()?;
        self.facts.abandoned = true;
        for _ in 0..ROUNDS {
            self.read()?;
            while !self.asks.is_empty() {
                self.make(Letter::Answer.read())?;
            }
            match self.open.first() {
                Some(_) => self.make(Letter::Comes(1, Act::Broken).read())?,
                None if self.machine.poll_timeout().is_some() => {
                    self.make(Letter::TimeOut.read())?;
                }
                None => return self.facts.finished(&self.machine.status()),
            }
            if self.facts.all_ended() && self.listens {
                // A listening stream is asked for again for ever.
                return Ok(());
            }
        }
        Err("law 4: it does not come to rest".to_owned())
    }

    /// All that makes a difference from here on, as text.
    pub(super) fn state(&self) -> String {
        let Self {
            machine,
            now: _,
            facts,
            open,
            calls,
            notified,
            asks,
            owed,
            made: _,
            listens: _,
            unread,
        } = self;
        let rest = (facts, open, calls, notified, asks, owed, unread);
        format!("{} {rest:?}", machine.state())
    }
}

fn number(at: usize) -> u8 {
    u8::try_from(at + 1).unwrap_or(u8::MAX)
}
