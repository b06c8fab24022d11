//! What an exchange says, read anew from all of its bytes after every report.

use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::super::sse::{Found, naive};
use super::{Came, Model, Seen};
use crate::{Clocks, Delivery, ExchangeId, Limits, Time, sse};
use std::time::Duration;

/// What a request carries.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum Carries {
    Call(u64),
    Cancelled(u64),
    Delete,
    Initialize,
    Initialized,
    /// The GET of the listening stream.
    Listen,
    Notification(u64),
    Ping,
    /// What a session that was lost had is asked for anew: method, and what for.
    Restored(String, String),
    /// The GET that takes up a call's stream.
    Resume(u64),
    /// The answer to the question with this id.
    Response(String),
}

/// Whether an exchange is among those about which a ping asks.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Quiet {
    No,
    Maybe,
    Yes,
}

/// How an exchange came to its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in super::super) enum Over {
    Aborted,
    Broken,
    Ended,
    NotSent,
    /// The machine took it for dead.
    Silent,
    TimedOut,
}

/// A reply: its result, or the code of its error.
pub(super) type Reply = Result<Value, i64>;

/// What an exchange means for what it carries.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    Accepted,
    /// A stream that ended before what it was there for.
    Cut {
        clean: bool,
    },
    /// It may have been executed; idempotent calls may be sent again.
    Doubt {
        again: bool,
        after: Option<Duration>,
    },
    /// Come back later.
    Later(Option<Duration>),
    /// The session whose id it carried is unknown.
    Lost,
    /// Either a reply or a failure: it cannot be known from outside which.
    Maybe(Reply, Delivery),
    NotSent,
    Pending,
    /// To be followed.
    Redirected,
    /// Certainly not executed.
    Refused,
    Replied(Reply),
    /// A 400 that may mean that the session is lost.
    Suspicious {
        code: Option<i64>,
        own: Option<Reply>,
    },
}

impl Outcome {
    pub(super) fn delivery(&self) -> Delivery {
        match self {
            Self::NotSent => Delivery::NotSent,
            Self::Later(_)
            | Self::Lost
            | Self::Redirected
            | Self::Refused
            | Self::Suspicious { .. } => Delivery::Rejected,
            Self::Maybe(_, delivery) => *delivery,
            Self::Accepted
            | Self::Cut { .. }
            | Self::Doubt { .. }
            | Self::Pending
            | Self::Replied(_) => Delivery::Unknown,
        }
    }
}

#[derive(Clone, Debug)]
pub(in super::super) struct Exchange {
    pub(in super::super) id: ExchangeId,
    pub(super) carries: Carries,
    /// The JSON-RPC request whose reply it is to bring.
    pub(super) request: Option<u64>,
    /// Its `Last-Event-ID`, and the ids that a server may repeat after it.
    pub(super) cursor: Option<String>,
    pub(super) known: Vec<String>,
    pub(super) session: Option<String>,
    pub(super) generation: u64,
    pub(super) sent: Time,
    pub(in super::super) head: Option<(StatusCode, HeaderMap, Time)>,
    pub(super) body: Vec<u8>,
    pub(super) over: Option<Over>,
    pub(super) outcome: Outcome,
    /// In which turn and when that was clear.
    pub(super) concluded: (u64, Time),
    /// Whether a chunk of it may have filled all buffers.
    pub(super) strained: bool,
    /// When something came last.
    pub(super) heard: Time,
    /// When its clock of silence was started anew although nothing came.
    pub(super) watched: Time,
    /// Whether something came while a ping was to find out about it.
    pub(super) heard_since: bool,
    /// When it was last found that nothing had come for long.
    pub(super) hushed: Option<Time>,
    /// Whether it is unknown since when nothing comes.
    pub(super) vague: bool,
    /// Whether a ping is to find out if anybody is still there.
    pub(super) quiet: Quiet,
    /// Whether the network changed under it, and another one takes its place: of the
    /// listening stream, or of a ping.
    pub(super) deserted: bool,
    /// How much of its body counts: what comes later is dropped.
    pub(super) counts: Option<usize>,
    /// When the machine may have taken it for dead.
    pub(super) silent: Option<Time>,
    /// Whether the call goes on after it: known once it has ended.
    pub(super) resumes: Option<bool>,
}

impl Exchange {
    /// Whether nothing more comes of it, and nothing is waited for.
    pub(in super::super) fn is_over(&self) -> bool {
        !matches!(self.over, None | Some(Over::Silent | Over::TimedOut))
    }

    /// Something has come: more than a ping that fails can say.
    fn hears(&mut self, now: Time) {
        self.heard = now;
        self.heard_since |= std::mem::replace(&mut self.quiet, Quiet::No) > Quiet::No;
    }

    pub(super) fn is_request(&self) -> bool {
        matches!(
            self.carries,
            Carries::Call(_) | Carries::Initialize | Carries::Ping | Carries::Restored(..)
        )
    }

    pub(super) fn is_get(&self) -> bool {
        matches!(self.carries, Carries::Listen | Carries::Resume(_))
    }

    /// When its stream began.
    pub(super) fn opened(&self) -> Option<Time> {
        self.head
            .as_ref()
            .filter(|_| self.is_stream())
            .map(|it| it.2)
    }

    /// When it ended, at the earliest and at the latest.
    pub(super) fn ended(&self) -> (Time, Time) {
        let latest = self.concluded.1;
        (
            self.silent.map_or(latest, |silent| silent.min(latest)),
            latest,
        )
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.as_ref()?.1.get(name)?.to_str().ok()
    }

    pub(super) fn status(&self) -> Option<u16> {
        self.head.as_ref().map(|(status, ..)| status.as_u16())
    }

    pub(super) fn media_type(&self) -> &str {
        self.header("content-type")
            .and_then(|kind| kind.split(';').next())
            .unwrap_or_default()
    }

    pub(super) fn is_stream(&self) -> bool {
        let for_messages = self.is_request() || self.is_get();
        self.status() == Some(200) && for_messages && self.media_type() == "text/event-stream"
    }

    /// When its clock runs out (section 8, head; and the bodies of refusals).
    pub(super) fn clock_ends(&self, clocks: &Clocks) -> Option<Time> {
        if self.over.is_some() || self.outcome != Outcome::Pending || self.deserted {
            return None;
        }
        let head = clocks.head.unwrap_or(Duration::MAX);
        match (&self.head, &self.carries) {
            (Some((status, _, at)), _) if !status.is_success() => Some(*at + head),
            (Some((.., at)), _)
                if !matches!(self.media_type(), "application/json" | "text/event-stream") =>
            {
                Some(*at + head)
            }
            (_, Carries::Call(_) | Carries::Listen | Carries::Resume(_)) => None,
            (_, Carries::Delete) => Some(self.sent + clocks.delete),
            _ => Some(self.sent + head),
        }
    }

    /// What has come of the body, as far as it counts.
    pub(super) fn counted(&self) -> &[u8] {
        &self.body[..self.counts.unwrap_or(self.body.len())]
    }

    /// The messages of a stream or a batch so far, and whether it broke a limit then.
    pub(super) fn messages(&self, limits: &Limits, batches: bool) -> (Vec<Value>, bool) {
        let mut texts = Vec::new();
        let mut exceeded = false;
        if self.is_stream() {
            let limits = sse::Limits {
                line: limits.line,
                event: limits.event,
            };
            for found in naive(self.counted(), limits).0 {
                match found {
                    Found::Event { kind, data, .. } if kind == "message" => texts.push(data),
                    Found::TooLong { .. } => exceeded = true,
                    _ => {}
                }
            }
        } else if self.over == Some(Over::Ended) {
            texts.push(String::from_utf8_lossy(&self.body).into_owned());
        }
        let mut messages = Vec::new();
        for text in texts {
            match serde_json::from_str(&text) {
                Ok(Value::Array(batch)) if batches => messages.extend(batch),
                Ok(message) => messages.push(message),
                Err(_) => {}
            }
        }
        (messages, exceeded)
    }

    /// Section 4, "the answer to a POST": what it means by now. `issued` says which
    /// numbers were given to requests.
    fn read(&self, limits: &Limits, batches: bool, issued: impl Fn(u64) -> bool) -> Outcome {
        let doubt = |again| Outcome::Doubt { again, after: None };
        if self.is_get() {
            return self.read_get(limits, batches);
        }
        let Some(status) = self.status() else {
            return match self.over {
                None => Outcome::Pending,
                Some(Over::NotSent) if self.silent.is_none() => Outcome::NotSent,
                Some(Over::NotSent) => doubt(true),
                Some(Over::Broken) => doubt(true),
                Some(Over::Aborted) => doubt(self.silent.is_some()),
                Some(Over::Silent) => doubt(true),
                Some(Over::Ended | Over::TimedOut) => doubt(false),
            };
        };
        match status {
            200..=299 if !self.is_request() => return Outcome::Accepted,
            202 | 204 => return doubt(false),
            200..=299 => return self.read_answer(limits, batches),
            404 if self.session.is_some() => return Outcome::Lost,
            _ => {}
        }
        if self.over.is_none() && self.body.len() <= limits.error_body {
            return Outcome::Pending;
        }
        self.read_refusal(status, limits, issued)
    }

    fn read_answer(&self, limits: &Limits, batches: bool) -> Outcome {
        let doubt = |again| Outcome::Doubt { again, after: None };
        let over = self.over;
        let broken = matches!(over, Some(Over::Broken | Over::NotSent));
        let json = self.media_type() == "application/json";
        if json && self.body.len() > limits.json_body {
            return doubt(false);
        }
        if json || self.is_stream() {
            let (own, exceeded) = self.own_reply(limits, batches);
            let streams = self.is_stream() && matches!(self.carries, Carries::Call(_));
            return match own {
                Some(reply) => Outcome::Replied(reply),
                None if exceeded => doubt(false),
                None if over.is_none() => Outcome::Pending,
                None if streams => self.cut(),
                None => doubt(broken || self.silent.is_some()),
            };
        }
        let enough = over.is_some() || self.body.len() > limits.error_body;
        if enough {
            doubt(false)
        } else {
            Outcome::Pending
        }
    }

    /// The reply that it is there for, and whether it broke a limit.
    fn own_reply(&self, limits: &Limits, batches: bool) -> (Option<Reply>, bool) {
        let (messages, exceeded) = self.messages(limits, batches);
        let mut replies = messages.iter().filter_map(reply);
        let own = replies.find(|(id, _)| self.request.is_some() && id.as_u64() == self.request);
        (own.map(|(_, it)| it), exceeded)
    }

    fn cut(&self) -> Outcome {
        Outcome::Cut {
            clean: self.over == Some(Over::Ended),
        }
    }

    /// Section 6: what the answer to a GET means.
    fn read_get(&self, limits: &Limits, batches: bool) -> Outcome {
        let Some(status) = self.status() else {
            return match self.over {
                None => Outcome::Pending,
                Some(_) => Outcome::Cut { clean: false },
            };
        };
        if self.is_stream() {
            return match self.own_reply(limits, batches) {
                (Some(reply), _) => Outcome::Replied(reply),
                (None, true) => Outcome::Doubt {
                    again: false,
                    after: None,
                },
                (None, false) if self.over.is_none() => Outcome::Pending,
                (None, false) => self.cut(),
            };
        }
        let whole = self.over.is_some() || self.body.len() > limits.error_body;
        match status {
            200..=299 => Outcome::Refused,
            _ if !whole => Outcome::Pending,
            307 | 308 if self.redirects_here() => Outcome::Redirected,
            408 | 429 | 500..=599 => Outcome::Later(self.retry_after()),
            _ => Outcome::Refused,
        }
    }

    fn redirects_here(&self) -> bool {
        let to = self.header("location").unwrap_or_default();
        to.starts_with('/') || to.starts_with("https://example.com/")
    }

    fn retry_after(&self) -> Option<Duration> {
        let after = self.header("retry-after")?.parse().ok()?;
        Some(Duration::from_secs(after))
    }

    fn read_refusal(&self, status: u16, limits: &Limits, issued: impl Fn(u64) -> bool) -> Outcome {
        let body = &self.body[..self.body.len().min(limits.error_body)];
        let body: Option<Value> = serde_json::from_slice(body).ok();
        let error = body
            .as_ref()
            .and_then(|body| reply(body).filter(|(_, it)| it.is_err()));
        let number = self.id.number();
        let is_own = self.is_request();
        let exact = is_own
            && error
                .as_ref()
                .is_some_and(|(id, _)| id.as_u64() == Some(number));
        let another = error
            .as_ref()
            .and_then(|(id, _)| id.as_u64())
            .is_some_and(issued)
            && !exact;
        let own = error.map(|(_, error)| error);
        let code = own.as_ref().and_then(|error| error.as_ref().err().copied());
        let after = self.retry_after();
        let failed = match status {
            301 | 302 | 401 => return Outcome::Refused,
            303 => {
                return Outcome::Doubt {
                    again: false,
                    after: None,
                };
            }
            307 | 308 => {
                return if self.redirects_here() {
                    Outcome::Redirected
                } else {
                    Outcome::Refused
                };
            }
            403 if self.header("www-authenticate").is_some() => return Outcome::Refused,
            408 | 429 => return Outcome::Later(after),
            400 if self.session.is_some() => {
                let server = code.is_some_and(|code| (-32019..=-32000).contains(&code));
                return match own {
                    Some(error) if exact && !server => Outcome::Replied(error),
                    own => Outcome::Suspicious { code, own },
                };
            }
            400..=499 => Outcome::Refused,
            500..=599 => Outcome::Doubt { again: true, after },
            _ => Outcome::Doubt {
                again: false,
                after: None,
            },
        };
        match own {
            Some(error) if another => Outcome::Maybe(error, failed.delivery()),
            Some(error) => Outcome::Replied(error),
            None => failed,
        }
    }
}

/// The id and the content of a message that is a response.
pub(super) fn reply(message: &Value) -> Option<(&Value, Reply)> {
    let id = message.get("id").unwrap_or(&Value::Null);
    if message.get("method").is_some() {
        return None;
    }
    match (message.get("result"), message.get("error")) {
        (Some(result), None) => Some((id, Ok(result.clone()))),
        (None, Some(error)) => Some((id, Err(error.get("code")?.as_i64()?))),
        _ => None,
    }
}

/// # Reports
impl Model {
    pub(in super::super) fn head(&mut self, number: u64, status: StatusCode, headers: &HeaderMap) {
        let now = self.now;
        let Some(exchange) = self.exchanges.get_mut(&number).filter(|it| !it.is_over()) else {
            return;
        };
        exchange.head = Some((status, headers.clone(), now));
        exchange.hears(now);
        self.session_given(number);
        self.listening_opened(number);
        self.conclude(number, None);
    }

    pub(in super::super) fn body(&mut self, number: u64, chunk: &[u8]) {
        let buffered = self
            .status
            .buffered
            .saturating_add(chunk.len().saturating_mul(3));
        let Some(exchange) = self.exchanges.get_mut(&number).filter(|it| !it.is_over()) else {
            return;
        };
        let strains = buffered > self.setup.limits.buffers && !exchange.strained;
        exchange.strained |= strains;
        if strains {
            exchange.silent.get_or_insert(self.now);
        }
        if strains && exchange.carries == Carries::Listen {
            self.listener.may_have_failed();
        }
        exchange.hears(self.now);
        let limits = self.setup.limits;
        let before = exchange.marks(&limits).len();
        exchange.body.extend_from_slice(chunk);
        for (mark, plain) in exchange.marks(&limits).split_off(before) {
            let came = Came {
                at: self.now,
                exchange: number,
                plain,
            };
            *self.said.entry(mark).or_default() += 1;
            self.came.entry(mark).or_insert(came);
        }
        self.conclude(number, None);
    }

    pub(in super::super) fn over(&mut self, number: u64, over: Over) -> Seen {
        self.conclude(number, Some(over));
        Ok(())
    }

    /// Reads an exchange anew.
    pub(super) fn conclude(&mut self, number: u64, over: Option<Over>) {
        let batches = self.revision_spoken().receives_batches();
        let (turn, now) = (self.turn, self.now);
        let limits = self.setup.limits;
        let before = self.exchanges[&number].clone();
        let mut exchange = before;
        if !exchange.is_over() {
            exchange.over = over.or(exchange.over);
        }
        if over == Some(Over::Silent) {
            exchange.silent = Some(now);
            exchange.counts = Some(exchange.body.len());
        }
        let pending = exchange.outcome == Outcome::Pending;
        if pending {
            exchange.outcome = exchange.read(&limits, batches, |number| {
                self.exchanges
                    .get(&number)
                    .is_some_and(Exchange::is_request)
            });
            exchange.concluded = (turn, now);
        }
        let concluded = pending && exchange.outcome != Outcome::Pending;
        self.exchanges.insert(number, exchange);
        if concluded {
            self.session_effects(number);
            self.stream_effects(number);
        }
    }
}
