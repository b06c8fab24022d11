//! The network of a run: answers come, and requests leave.

use bytes::Bytes;

use super::model::{Over, Seen};
use super::operation::Cut;
use super::peer::Answer;
use super::run::World;
use super::secrets;
use crate::{ExchangeId, Failure, Transmit};

impl World {
    pub(super) fn id(&self, exchange: u64) -> ExchangeId {
        self.model.exchange(exchange).id
    }

    pub(super) fn respond(&mut self, exchange: u64, answer: &Answer, cut: Cut) -> Seen {
        self.story.count(format!("answer {}", answer.name));
        if let Some(owed) = self.peer.owed(exchange) {
            self.model.owes(exchange, owed.clone());
        }
        let text = format!("{answer:?}");
        self.story.count_secrets(&text);
        self.tell(format_args!("<- {exchange} {text}"));
        let (id, now) = (self.id(exchange), self.model.now);
        self.machine
            .handle_head(id, answer.status, &answer.headers, now)
            .map_err(|error| error.to_string())?;
        self.model.head(exchange, answer.status, &answer.headers);
        self.look()?;
        let body = Bytes::from(answer.body.clone());
        let asks = matches!(answer.name, "stream that asks" | "channel");
        self.bodies
            .insert(exchange, (cut.apart(body), cut.ends && !asks));
        self.feed(exchange, cut.pieces)
    }

    /// Some more pieces of a body.
    pub(super) fn more(&mut self, exchange: u64, pieces: usize) -> Seen {
        let (rest, _) = self.bodies.entry(exchange).or_default();
        if rest.is_empty() {
            let later = self.peer.later(exchange);
            let text = later.as_deref().map(String::from_utf8_lossy);
            self.story.count_secrets(&text.unwrap_or_default());
            rest.extend(later);
        }
        self.feed(exchange, pieces)
    }

    fn feed(&mut self, exchange: u64, pieces: usize) -> Seen {
        let (id, now) = (self.id(exchange), self.model.now);
        for _ in 0..pieces {
            if self.polite && !self.machine.wants_read(id) {
                return Ok(());
            }
            let (rest, _) = self.bodies.entry(exchange).or_default();
            let Some(piece) = rest.pop_front() else { break };
            self.tell(format_args!("<- {exchange} {} bytes", piece.len()));
            self.model.turn();
            self.machine
                .handle_body(id, piece.clone(), now)
                .map_err(|error| error.to_string())?;
            self.model.body(exchange, &piece);
            self.look()?;
        }
        match self.bodies.get(&exchange) {
            Some((rest, true)) if rest.is_empty() && pieces > 0 => self.end(exchange),
            _ => Ok(()),
        }
    }

    pub(super) fn end(&mut self, exchange: u64) -> Seen {
        self.tell(format_args!("<- {exchange} end"));
        self.model.turn();
        let (id, now) = (self.id(exchange), self.model.now);
        self.machine
            .handle_end(id, now)
            .map_err(|error| error.to_string())?;
        self.model.over(exchange, Over::Ended)?;
        self.look()
    }

    pub(super) fn fail(&mut self, exchange: u64, sent: bool) -> Seen {
        self.tell(format_args!(
            "<- {exchange} fails, {}",
            if sent { "broken" } else { "not sent" }
        ));
        self.model.turn();
        let failure = if sent {
            Failure::broken("reset")
        } else {
            Failure::not_sent("refused")
        };
        let (id, now) = (self.id(exchange), self.model.now);
        self.machine
            .handle_failure(id, failure, now)
            .map_err(|error| error.to_string())?;
        self.model
            .over(exchange, if sent { Over::Broken } else { Over::NotSent })?;
        self.look()
    }

    /// Reports about what is over are ignored, a second head is a mistake at most.
    pub(super) fn stray(&mut self, exchange: u64, answer: &Answer) -> Seen {
        self.tell(format_args!("<- {exchange} stray {answer:?}"));
        let over = self.model.exchange(exchange).is_over();
        let (id, now) = (self.id(exchange), self.model.now);
        let before = self.machine.clone();
        let head = self
            .machine
            .handle_head(id, answer.status, &answer.headers, now);
        if over {
            let body = self
                .machine
                .handle_body(id, Bytes::from(answer.body.clone()), now);
            let end = self.machine.handle_end(id, now);
            let failure = self
                .machine
                .handle_failure(id, Failure::broken("late"), now);
            if let Err(error) = head.and(body).and(end).and(failure) {
                return Err(format!("a late report is no mistake: {error}"));
            }
        }
        self.unchanged(before)?;
        self.look()
    }

    /// Takes what is to be sent. Whether there was anything.
    pub(super) fn transmits(&mut self, all: bool) -> Result<bool, String> {
        let mut any = false;
        loop {
            self.model.turn();
            let transmit = self.machine.poll_transmit(self.model.now);
            if let Some(transmit) = &transmit {
                secrets::transmit(transmit)?;
            }
            match transmit {
                None => {
                    if self.machine.poll_transmit(self.model.now).is_some() {
                        return Err("law 10: something more leaves after nothing did".to_owned());
                    }
                    self.look()?;
                    return Ok(any);
                }
                Some(Transmit::Abort { exchange }) => {
                    self.tell(format_args!("-> {} abort", exchange.number()));
                    self.story.count("transmit Abort");
                    let number = exchange.number();
                    let under_way = self.model.under_way();
                    let seen = self.lie.map(|lie| lie.aborts(number, &under_way));
                    self.model.aborted(seen.unwrap_or(number))?;
                }
                Some(Transmit::Send { exchange, request }) => {
                    let number = exchange.number();
                    let body = String::from_utf8_lossy(request.body()).into_owned();
                    let target = request.uri().path().to_owned();
                    self.tell(format_args!(
                        "-> {number} {} {target} {body}",
                        request.method()
                    ));
                    self.story.count("transmit Send");
                    self.story
                        .count_secrets(&format!("{} {body}", request.uri()));
                    for value in request.headers().values() {
                        self.story.count_secrets(value.to_str().unwrap_or_default());
                    }
                    if self.machine.is_closed() {
                        return Err("law 12: something is sent although all is closed".to_owned());
                    }
                    self.look()?;
                    let now = self.model.now;
                    let (request, at) = match self.lie {
                        Some(lie) => (lie.sends(request.clone()), lie.leaves(&request, now)),
                        None => (request, now),
                    };
                    self.model.now = at;
                    let asked = self.model.sent(exchange, &request);
                    self.model.now = now;
                    let asked = asked?;
                    self.peer.asked(number, asked, &request);
                    let revision = self.machine.status().revision;
                    self.story.sent.push((request, revision));
                    let kind = self.model.kind_of(number);
                    self.story.count(format!("sends {kind}"));
                    let about = self.model.describe(number);
                    self.tell(format_args!("   ({about})"));
                }
            }
            self.look()?;
            any = true;
            if !all {
                return Ok(any);
            }
        }
    }
}
