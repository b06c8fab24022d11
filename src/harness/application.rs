//! The application of a run, its clock and its mistakes.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use serde_json::json;

use super::model::Seen;
use super::operation::{Blunder, Step};
use super::run::{World, outcome};
use super::secrets;
use crate::{CallOptions, Connection, Event, Time, Transmit};

/// More than ever waits in one outlet.
const DRAIN: usize = 2000;

impl World {
    /// Reads events. Whether there were any.
    pub(super) fn events(&mut self, all: bool) -> Result<bool, String> {
        let mut any = false;
        loop {
            self.model.turn();
            let Some(event) = self.machine.poll_event() else {
                break;
            };
            any = true;
            let text = match &event {
                Event::Fail { subject, error } => format!("Fail {subject:?}: {error}"),
                event => format!("{event:?}"),
            };
            self.tell(format_args!("   event {text}"));
            self.story.count(format!(
                "event {}",
                text.split(['(', ' ']).next().unwrap_or_default()
            ));
            if let Event::Fail { error, .. } = &event {
                let reason = format!("{:?}", error.reason());
                let mut words = reason.split(|char: char| !char.is_alphanumeric());
                let blame = [words.next(), words.next()].map(Option::unwrap_or_default);
                self.story
                    .count(format!("failure {}", blame.join(" ").trim_end()));
            }
            let seen = match self.lie {
                Some(lie) => lie.tells(event),
                None => vec![event],
            };
            for event in seen {
                secrets::event(&event)?;
                self.model.event(&event)?;
                self.story.heard.push(event);
            }
            self.look()?;
            if !all {
                return Ok(any);
            }
        }
        self.rest()?;
        Ok(any)
    }

    /// If both outlets are empty and nobody is asked, all that is decided was told.
    pub(super) fn rest(&mut self) -> Seen {
        let now = self.model.now;
        let mut machine = self.machine.clone();
        let idle = machine.poll_transmit(now).is_none() && machine.poll_event().is_none();
        if !idle || !self.model.open_tickets().is_empty() {
            return Ok(());
        }
        for exchange in self.model.awaited_streams() {
            if !self.machine.wants_read(self.id(exchange)) {
                return Err(format!("exchange {exchange} is never read on"));
            }
        }
        for exchange in self.model.listening_streams() {
            if !self.machine.wants_read(self.id(exchange)) {
                return Err(format!("the listening stream {exchange} stands still"));
            }
        }
        self.model.settled()
    }

    /// Law 10.
    pub(super) fn wait(&mut self, step: Step, timeout: bool) -> Seen {
        let before = self.model.now;
        let next = self.machine.poll_timeout();
        let to = match step {
            Step::Back => {
                self.wait(Step::On(Duration::ZERO), true)?;
                return self.go_back();
            }
            Step::On(time) => before + time,
            Step::ToTimeout => next.unwrap_or(before).max(before),
        };
        let idle = |machine: &Connection, now| machine.clone().poll_transmit(now).is_none();
        // What is found pointless when it is polled may fail instead of leaving.
        let empty = |machine: &Connection, now| {
            let mut machine = machine.clone();
            machine.poll_transmit(now).is_none() && machine.poll_event().is_none()
        };
        if idle(&self.machine, before)
            && next.is_none_or(|next| to < next)
            && !idle(&self.machine, to)
        {
            return Err("law 10: something wants to leave that no time-out told of".to_owned());
        }
        self.model.now = before.max(to);
        let now = self.model.now;
        if !timeout {
            return Ok(());
        }
        self.tell(if to < before {
            "time goes back"
        } else {
            "time-out"
        });
        let at_rest = empty(&self.machine, now);
        let paused = self.paused();
        self.machine.handle_timeout(to);
        self.model.timed_out(&paused);
        self.look()?;
        let empty = empty(&self.machine, now);
        match self.machine.poll_timeout() {
            Some(next) if next < now => Err("law 10: the time-out is in the past".to_owned()),
            Some(next) if next == now && empty && self.is_restless() => {
                Err("law 10: woken for nothing".to_owned())
            }
            next if next != Some(now) && at_rest && !empty => Err(format!(
                "law 10: something waits to be polled, and the time-out is {next:?}"
            )),
            _ => Ok(()),
        }
    }

    /// The exchanges that the machine does not read on.
    pub(super) fn paused(&self) -> Vec<u64> {
        let under_way = self.model.under_way();
        let paused = |number: &u64| !self.machine.wants_read(self.id(*number));
        under_way.into_iter().filter(paused).collect()
    }

    /// Whether it wants to be woken at once although everything was polled.
    fn is_restless(&self) -> bool {
        let (mut machine, now) = (self.machine.clone(), self.model.now);
        for _ in 0..DRAIN {
            if machine.poll_transmit(now).is_none() && machine.poll_event().is_none() {
                break;
            }
        }
        machine.poll_timeout() == Some(now)
    }

    /// Time that goes back stands still.
    fn go_back(&mut self) -> Seen {
        self.tell("time goes back");
        let before = self.machine.clone();
        let now = self.model.now.since_origin();
        self.machine
            .handle_timeout(Time::new(now.saturating_sub(Duration::from_secs(2))));
        self.unchanged(before)
    }

    pub(super) fn blunder(&mut self, blunder: Blunder) -> Seen {
        let now = self.model.now;
        let before = self.machine.clone();
        let machine = &mut self.machine;
        let nothing = json!({});
        let done = match blunder {
            Blunder::AnswerForeign | Blunder::CancelForeign => {
                let foreign = self.stranger.call("x", &(), CallOptions::new(), Time::ZERO);
                match foreign {
                    Ok(id) => machine.cancel(id, now),
                    Err(error) => Err(error),
                }
            }
            Blunder::AnswerVoid(ticket) => machine.answer(ticket, Ok(&nothing), now),
            Blunder::BadHeader => machine.set_header("mcp-session-id", Some("~~mine")),
            Blunder::BadParams => machine
                .call("tools/call", &["~~params"], CallOptions::new(), now)
                .map(drop),
            Blunder::BodyBeforeHead(id) if self.model.is_cared_for(id.number()) => {
                machine.handle_body(id, Bytes::from_static(b"x"), now)
            }
            Blunder::EndBeforeHead(id) if self.model.is_cared_for(id.number()) => {
                machine.handle_end(id, now)
            }
            Blunder::BodyBeforeHead(_) | Blunder::EndBeforeHead(_) => return Ok(()),
            Blunder::ForeignExchange => {
                let _ = self.stranger.connect(Time::ZERO);
                match self.stranger.poll_transmit(Time::ZERO) {
                    Some(Transmit::Send { exchange, .. }) => {
                        machine.handle_head(exchange, http::StatusCode::OK, &HeaderMap::new(), now)
                    }
                    _ => return Ok(()),
                }
            }
            Blunder::OwnedMethod => machine
                .call("initialize", &(), CallOptions::new(), now)
                .map(drop),
            Blunder::Reinitialize => machine.reinitialize(now),
            Blunder::Resume => machine.resume(now),
        };
        self.tell(format_args!("{blunder:?}: {}", outcome(&done)));
        let Err(error) = done else {
            return Err(format!("{blunder:?} is not misuse"));
        };
        secrets::error(&error)?;
        self.unchanged(before)
    }

    /// Whether the machine says and wants the same as a copy from before.
    pub(super) fn unchanged(&self, mut before: Connection) -> Seen {
        let now = self.model.now;
        let mut after = self.machine.clone();
        let all = |machine: &mut Connection| {
            // A time-out that has passed is one that is due now.
            let next = |machine: &Connection| machine.poll_timeout().map(|next| next.max(now));
            let mut seen = vec![format!("{:?} {:?}", machine.status(), next(machine))];
            let transmits = std::iter::from_fn(|| machine.poll_transmit(now)).take(DRAIN);
            seen.extend(transmits.map(|it| format!("{it:?}")));
            let events = std::iter::from_fn(|| machine.poll_event()).take(DRAIN);
            seen.extend(events.map(|it| format!("{it:?}")));
            seen.push(format!("{:?} {:?}", machine.status(), next(machine)));
            seen
        };
        let (before, after) = (all(&mut before), all(&mut after));
        if before == after {
            Ok(())
        } else {
            Err(format!("a mistake changed it: {before:?}, {after:?}"))
        }
    }
}
