//! What an exchange says, read anew from all of its bytes after every report.

use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::super::sse::{Found, naive};
use super::answer::Reply;
use super::rounds::Round;

use crate::{Binding, Clocks, Contact, Delivery, ExchangeId, Limits, Time, sse};
use std::time::Duration;

/// What a request carries.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum Carries {
    Call(u64),
    Cancelled(u64),
    Delete,
    /// What finds out how the server is reached, and begins a session.
    Handshake(Contact),
    Initialized,
    /// The GET of the listening stream.
    Listen,
    Notification(u64),
    Ping,
    /// `tools/list`, because a server said that headers and body differ.
    Refresh,
    /// What a session that was lost had is asked for anew: method, and what for.
    Restored(String, String),
    /// The GET that takes up a call's stream.
    Resume(u64),
    /// The answer to the question with this id.
    Response(String),
    /// `subscriptions/listen`.
    Subscribe,
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

/// What an exchange means for what it carries.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    Accepted,
    /// A reply, unless the call goes out once more.
    Contested(Reply),
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
    /// The server asks something before it goes on.
    Round(Round),
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
            Self::Contested(_)
            | Self::Later(_)
            | Self::Lost
            | Self::Redirected
            | Self::Refused
            | Self::Suspicious { .. } => Delivery::Rejected,
            Self::Maybe(_, delivery) => *delivery,
            Self::Accepted
            | Self::Cut { .. }
            | Self::Doubt { .. }
            | Self::Pending
            | Self::Replied(_)
            | Self::Round(_) => Delivery::Unknown,
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
    /// By whose rules the answer is read.
    pub(super) binding: Binding,
    /// Whether the revision by which it is read has batches.
    pub(super) batches: bool,
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
    /// Whether something came while a ping was to find out about it, and whether its
    /// clock stands still meanwhile.
    pub(super) heard_since: bool,
    pub(super) unwatched: bool,
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
    /// The reply that came on the channel; whether none can come there any more, and since
    /// when its session is lost.
    pub(super) heard_reply: Option<Reply>,
    pub(super) unheard: bool,
    pub(super) lost_at: Option<Time>,
    /// Whether the server has named another address since.
    pub(super) overtaken: bool,
    /// Whether the call goes on after it: known once it has ended.
    pub(super) resumes: Option<bool>,
}

impl Exchange {
    /// `at`: in which turn it leaves, and when.
    pub(super) fn new(id: ExchangeId, carries: Carries, binding: Binding, at: (u64, Time)) -> Self {
        let (_, now) = at;
        Self {
            id,
            carries,
            request: None,
            cursor: None,
            known: Vec::new(),
            session: None,
            generation: 0,
            binding,
            batches: false,
            sent: now,
            head: None,
            body: Vec::new(),
            over: None,
            outcome: Outcome::Pending,
            concluded: at,
            strained: false,
            heard: now,
            watched: Time::ZERO,
            heard_since: false,
            unwatched: false,
            hushed: None,
            vague: false,
            quiet: Quiet::No,
            deserted: false,
            counts: None,
            silent: None,
            heard_reply: None,
            unheard: false,
            lost_at: None,
            overtaken: false,
            resumes: None,
        }
    }

    /// Whether nothing more comes of it, and nothing is waited for.
    pub(in super::super) fn is_over(&self) -> bool {
        !matches!(self.over, None | Some(Over::Silent | Over::TimedOut))
    }

    /// Something has come: more than a ping that fails can say.
    pub(super) fn hears(&mut self, now: Time) {
        self.heard = now;
        let quiet = std::mem::replace(&mut self.quiet, Quiet::No);
        self.heard_since |= quiet > Quiet::No;
        self.vague |= quiet == Quiet::Maybe;
    }

    pub(super) fn is_request(&self) -> bool {
        matches!(
            self.carries,
            Carries::Call(_)
                | Carries::Handshake(Contact::Discover | Contact::Initialize)
                | Carries::Ping
                | Carries::Refresh
                | Carries::Restored(..)
                | Carries::Subscribe
        )
    }

    pub(super) fn is_get(&self) -> bool {
        matches!(
            self.carries,
            Carries::Handshake(Contact::EventStream) | Carries::Listen | Carries::Resume(_)
        )
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
        let for_messages = for_messages && !self.goes_to_address();
        self.status() == Some(200) && for_messages && self.media_type() == "text/event-stream"
    }

    /// When its clock runs out (section 8, head; and the bodies of refusals).
    pub(super) fn clock_ends(&self, clocks: &Clocks, searches: bool) -> Option<Time> {
        let over = self.over.is_some() && !self.is_accepted();
        if over || self.outcome != Outcome::Pending || self.deserted {
            return None;
        }
        let head = clocks.head.unwrap_or(Duration::MAX);
        match &self.carries {
            Carries::Call(_) if self.is_accepted() => return None,
            Carries::Call(_) if self.goes_to_address() && self.head.is_none() => {
                return self.lost_at.map(|lost| lost + head);
            }
            _ if self.is_accepted() => return Some(self.sent + head),
            _ => {}
        }
        match (&self.head, &self.carries) {
            (Some((status, _, at)), _) if !status.is_success() => Some(*at + head),
            (Some((.., at)), _)
                if !matches!(self.media_type(), "application/json" | "text/event-stream") =>
            {
                Some(*at + head)
            }
            (Some((.., at)), Carries::Subscribe) if !self.is_stream() => Some(*at + head),
            (_, Carries::Call(_) | Carries::Listen | Carries::Resume(_) | Carries::Subscribe) => {
                None
            }
            (_, Carries::Delete) => Some(self.sent + clocks.delete),
            (_, Carries::Handshake(Contact::Discover)) if searches => {
                Some(self.sent + clocks.probe.unwrap_or(Duration::MAX))
            }
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
        if self.goes_to_address() {
            // What it says is said elsewhere.
        } else if self.is_stream() {
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
}
