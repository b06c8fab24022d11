//! A liar: stands between a world and its judge, and makes it look as if a rule were broken.
//! A judge who does not see that would not see a broken machine either.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{Method, Request};

use super::asked::{Asked, Kind};
use super::part::{Mark, Part};
use super::rule::Rule;
use super::wire::Wire;
use crate::{Delivery, Error, Event, Lost, RawJson, Reason, Subject, Time, Withdrawal};

#[derive(Clone, Debug)]
pub(super) struct Liar {
    lie: Option<Rule>,
    /// The first session of each client.
    first: BTreeMap<usize, u32>,
    /// The last call of each client, as it left.
    calls: BTreeMap<usize, Asked>,
}

/// What the judge is shown in place of a request.
pub(super) struct Shown<'a> {
    pub(super) asked: Cow<'a, Asked>,
    pub(super) times: usize,
    pub(super) at: Time,
}

/// What the judge is shown in place of an event, and of the call that it is about.
pub(super) struct Told<'a> {
    pub(super) key: Option<usize>,
    pub(super) event: Cow<'a, Event>,
    pub(super) times: usize,
    pub(super) at: Time,
}

impl Liar {
    pub(super) fn new(lie: Option<Rule>) -> Self {
        Self {
            lie,
            first: BTreeMap::new(),
            calls: BTreeMap::new(),
        }
    }

    pub(super) fn says(&self, lie: Rule) -> bool {
        self.lie == Some(lie)
    }

    /// How often the judge is shown what happens once.
    pub(super) fn times(&self, twice: Rule) -> usize {
        1 + usize::from(self.says(twice))
    }

    /// How often the judge is shown that a call is executed.
    pub(super) fn executions(&self) -> usize {
        match self.says(Rule::Unexecuted) {
            true => 0,
            false => self.times(Rule::Doubled),
        }
    }

    /// What the judge is shown of how a machine takes a command or a report.
    pub(super) fn takes(&self, lie: Rule, done: Result<(), Error>) -> Result<(), Error> {
        match self.says(lie) {
            true => Err(invented()),
            false => done,
        }
    }

    /// The clock that the judge is shown.
    pub(super) fn clock(&self, lie: Rule, next: Option<Time>, now: Time) -> Option<Time> {
        match self.says(lie) {
            true => Some(now),
            false => next,
        }
    }

    /// How a server reads a request.
    pub(super) fn reads(&self, request: &Request<Bytes>) -> Result<Asked, String> {
        if self.says(Rule::Unreadable) {
            let mut other = request.clone();
            *other.method_mut() = Method::PUT;
            return Asked::read(&other);
        }
        Asked::read(request)
    }

    /// What the judge is shown of a request: the request, how often, and when.
    pub(super) fn sends<'a>(&mut self, client: usize, asked: &'a Asked, now: Time) -> Shown<'a> {
        let mut shown = Shown {
            asked: Cow::Borrowed(asked),
            times: 1,
            at: now,
        };
        let Some(lie) = self.lie else { return shown };
        let asked = shown.asked.to_mut();
        let handshake = matches!(asked.kind, Kind::Discover | Kind::Initialize);
        let call = matches!(asked.kind, Kind::Call { .. });
        match (lie, asked.kind) {
            (Rule::AfterClose, Kind::Delete) => asked.kind = Kind::Ping,
            (Rule::Barren, kind) if kind.is_get() => shown.times = 17,
            (Rule::Credential, _) => asked.token = Some(u32::MAX),
            (Rule::DeadAddress, _) if asked.channel.is_some() => asked.channel = Some(u32::MAX),
            (Rule::LedOn, _) if asked.moved > 0 => asked.moved = 4,
            (Rule::Elsewhere, _) => asked.at_home = false,
            (Rule::EndedLeaves, Kind::Call { .. }) => {
                self.calls.insert(client, asked.clone());
            }
            (Rule::EndedLeaves, Kind::Cancelled { .. }) => {
                if let Some(call) = self.calls.get(&client) {
                    *asked = call.clone();
                }
            }
            (Rule::ExecutedLeaves, Kind::Resume { key, .. }) => asked.kind = Kind::Call { key },
            (Rule::Handshakes, _) if handshake => shown.times = 5,
            (Rule::Hasty, kind) if kind.is_get() => shown.at = earlier(now),
            (Rule::HastyHandshake, _) if handshake => shown.at = earlier(now),
            (Rule::Needless | Rule::NeedlessForError, Kind::Notification) => {
                asked.kind = Kind::Initialize;
            }
            (Rule::Redirects, _) if call => (asked.moved, shown.times) = (1, 8),
            (Rule::SecondHandshake, _) if handshake => shown.times = 2,
            (Rule::SessionEndedTwice, Kind::Delete) => shown.times = 2,
            (Rule::SessionLeft, Kind::Delete) => asked.session = None,
            (Rule::Storm, Kind::Notification) => shown.times = 135,
            (Rule::StrangeId, _) if asked.session.is_some() => asked.session = Some(u32::MAX),
            (Rule::SupersededId, _) => {
                if let Some(id) = asked.session {
                    asked.session = Some(*self.first.entry(client).or_insert(id));
                }
            }
            (Rule::TooOften, _) if call => shown.times = 8,
            _ => {}
        }
        shown
    }

    /// What the judge is shown of what is heard: nothing, it, or something else.
    pub(super) fn hears<'a>(&self, wire: &Wire, part: &'a Part) -> Option<Cow<'a, Part>> {
        let Some(lie) = self.lie else {
            return Some(Cow::Borrowed(part));
        };
        let told_to_wait = |seconds: u64| match part {
            Part::Head(head) if head.status == 429 => {
                let mut head = head.clone();
                head.extra = Some((RETRY_AFTER, seconds.to_string()));
                Part::Head(head)
            }
            part => part.clone(),
        };
        let kind = wire.asked.kind;
        let other = match (lie, part) {
            (Rule::BeyondCeiling, Part::Head(_)) => told_to_wait(700),
            (Rule::Collateral, Part::Fail(_)) if kind.key().is_some() => return None,
            (Rule::Early, Part::Head(_)) if kind == Kind::Initialized => return None,
            (Rule::LostId, Part::Head(head)) if kind == Kind::Notification => {
                let mut head = head.clone();
                head.status = 404;
                Part::Head(head)
            }
            (Rule::ReplyOfNobody, Part::Text(text, Some(Mark::Reply { .. })))
            | (Rule::UnconfirmedId, Part::Text(text, Some(Mark::Established { .. }))) => {
                Part::Text(text.clone(), None)
            }
            (Rule::Sooner, Part::Head(_)) => told_to_wait(250),
            (Rule::Spent, Part::Head(head)) if kind.is_get() => {
                let mut head = head.clone();
                head.status = 503;
                Part::Head(head)
            }
            _ => return Some(Cow::Borrowed(part)),
        };
        Some(Cow::Owned(other))
    }

    /// What the judge is shown of what the application is told.
    pub(super) fn tells<'a>(&self, key: Option<usize>, event: &'a Event, now: Time) -> Told<'a> {
        let mut told = Told {
            key,
            event: Cow::Borrowed(event),
            times: 1,
            at: now,
        };
        let Some(lie) = self.lie else { return told };
        let other = |event: Event| Cow::Owned(event);
        match (lie, event) {
            (Rule::AnsweredFails, Event::Reply { call, .. }) => {
                told.event = other(Event::Fail {
                    subject: Subject::Call(*call),
                    error: invented(),
                });
            }
            (Rule::AskEndsOtherwise, Event::Accepted { subject }) => {
                if let Subject::Answer(ticket) = *subject {
                    let cause = Withdrawal::SessionLost;
                    told.event = other(Event::AskWithdrawn { ticket, cause });
                }
            }
            (Rule::AskOfAnother, Event::Ask(_)) | (Rule::ProgressOfAnother, Event::Message(_)) => {
                told.key = key.map(|key| key + 1);
            }
            (Rule::AskTwice, Event::Ask(_)) => told.times = 2,
            (Rule::CancelledStays, Event::Fail { error, .. })
                if *error.reason() == Reason::Cancelled =>
            {
                told.times = 0;
            }
            (Rule::ExecutedLater | Rule::ExecutedUntold, Event::Fail { .. }) => {
                told.event = other(with_delivery(event, Delivery::Rejected));
            }
            (Rule::NotSentArrived, Event::Fail { .. }) => {
                told.event = other(with_delivery(event, Delivery::NotSent));
            }
            (Rule::OddAccepted, Event::Accepted { .. }) => {
                let subject = Subject::Connection;
                told.event = other(Event::Accepted { subject });
            }
            (Rule::ReplyOfAnother, Event::Reply { call, reply }) if reply.outcome.is_ok() => {
                let mut reply = reply.clone();
                reply.outcome = Ok(RawJson::trusted(r#"{"echo":4294967295}"#.to_owned()));
                told.event = other(Event::Reply { call: *call, reply });
            }
            (Rule::SpentForEver, Event::Fail { subject, error }) => {
                let error = Error::new(error.reason().clone(), error.delivery());
                let subject = *subject;
                told.event = other(Event::Fail { subject, error });
            }
            (Rule::Unhealed, Event::Reply { .. }) => told.times = 0,
            (lie, event) => self.tells_of_ends(lie, event, &mut told),
        }
        told
    }

    /// What the judge is shown of the ends of calls, of notifications and of answers.
    fn tells_of_ends(&self, lie: Rule, event: &Event, told: &mut Told<'_>) {
        let subject = match event {
            Event::Accepted { subject } | Event::Fail { subject, .. } => *subject,
            Event::Reply { call, .. } => Subject::Call(*call),
            _ => return,
        };
        match (lie, subject) {
            (Rule::AskEndsTwice, Subject::Answer(_))
            | (Rule::EndsTwice, Subject::Call(_))
            | (Rule::NoteEndsTwice, Subject::Notification(_)) => told.times = 2,
            (Rule::AskUnended, Subject::Answer(_))
            | (Rule::NoteUnended, Subject::Notification(_))
            | (Rule::Unended, Subject::Call(_)) => told.times = 0,
            (Rule::Nobodys, Subject::Call(_)) => told.key = None,
            (Rule::Overdue, Subject::Call(_)) => told.at = told.at + DAY,
            _ => {}
        }
    }
}

/// Longer than any call takes.
const DAY: Duration = Duration::from_secs(86_400);

/// A second before.
fn earlier(now: Time) -> Time {
    let since = now.since_origin();
    Time::ZERO + since.saturating_sub(Duration::from_secs(1))
}

/// A failure that never was.
fn invented() -> Error {
    Error::new(Lost::Stream, Delivery::Unknown)
}

/// The same failure, with another delivery.
fn with_delivery(event: &Event, delivery: Delivery) -> Event {
    match event.clone() {
        Event::Fail { subject, error } => Event::Fail {
            subject,
            error: error.with_delivery(delivery),
        },
        event => event,
    }
}
