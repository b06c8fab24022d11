//! A liar: stands between a machine and its observer, and makes it look as if a rule were broken.
//! An observer who does not see that would not see a broken machine either.

use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Method, Request, Uri};
use serde_json::json;

use super::exchange::Open;
use super::laws::FIRST;
use super::letter::{Act, Letter};
use super::rule::Rule;
use super::wire::{self, Carries};
use crate::{
    CallId, Clock, Delivery, Error, Event, LossCause, Phase, RawJson, Reason, Status, Subject, Time,
};

/// More than the patience of any rule, and than a machine waits.
const LONG: Duration = Duration::from_secs(100);

/// Says the truth unless it lies about some rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Liar {
    pub(super) about: Option<Rule>,
}

impl Liar {
    /// What the application is told instead of this, and when.
    pub(super) fn tells(self, event: Event, now: Time) -> (Vec<Event>, Time) {
        let Some(about) = self.about else {
            return (vec![event], now);
        };
        let ends = match &event {
            Event::Reply { call, .. } => Some(Subject::Call(*call)),
            Event::Accepted { subject } | Event::Fail { subject, .. } => Some(*subject),
            _ => None,
        };
        let closed = match &event {
            Event::Fail { error, .. } => *error.reason() == Reason::Closed,
            _ => false,
        };
        let events = match (about, event, ends) {
            (Rule::CallEarly, Event::Ready(_), _)
            | (Rule::CallsMiscounted | Rule::CallNeverEnds, _, Some(Subject::Call(_)))
            | (Rule::HandshakeNeedless, Event::Reinitialize { .. }, _)
            | (Rule::MessageLost, Event::Message(_), _)
            | (Rule::NoteNeverEnds, _, Some(Subject::Notification(_)))
            | (Rule::AnswerNeverEnds, _, Some(Subject::Answer(_))) => Vec::new(),
            (Rule::CallOpenAfterClose, _, Some(Subject::Call(_))) if closed => Vec::new(),
            (Rule::AskedAgain, event @ Event::Authorize(_), _)
            | (Rule::AnswerEndsTwice, event, Some(Subject::Answer(_)))
            | (Rule::CallEndsTwice, event, Some(Subject::Call(_)))
            | (Rule::NoteEndsTwice, event, Some(Subject::Notification(_)))
            | (Rule::SecondSession, event @ Event::Ready(_), _) => vec![event.clone(), event],
            (Rule::CallForgotten, Event::Fail { .. }, Some(subject @ Subject::Call(_))) => {
                let error = Error::new(Clock::Call(LONG), Delivery::Unknown);
                return (vec![Event::Fail { subject, error }], now + LONG);
            }
            (Rule::ReplyOfAnother, Event::Reply { call, mut reply }, _) => {
                let other = json!({ (wire::REPLIES_TO): "another" });
                reply.outcome = Ok(RawJson::new(&other).expect("JSON"));
                vec![Event::Reply { call, reply }]
            }
            (Rule::AnsweredFails, Event::Reply { .. }, Some(subject)) => {
                let error = Error::new(Reason::Cancelled, Delivery::Unknown);
                vec![Event::Fail { subject, error }]
            }
            (Rule::SpentForEver, Event::Fail { subject, error }, _) => {
                let error = Error::new(error.reason().clone(), error.delivery());
                vec![Event::Fail { subject, error }]
            }
            (Rule::SessionGivenUp, event, Some(Subject::Call(_))) => {
                let (generation, cause) = (1, LossCause::NotFound);
                vec![Event::Reinitialize { generation, cause }, event]
            }
            (Rule::AskedAfterEnd, Event::Ask(ask), _) => {
                ended(ask.call).chain([Event::Ask(ask)]).collect()
            }
            (Rule::CallToldAfterEnd, Event::Message(message), _) => {
                let ended = ended(message.call);
                ended.chain([Event::Message(message)]).collect()
            }
            (Rule::ProgressUnasked, Event::Message(mut message), _) => {
                message.call = None;
                vec![Event::Message(message)]
            }
            (_, event, _) => vec![event],
        };
        (events, now)
    }

    /// A request leaves, and looks like this.
    pub(super) fn sends(self, mut request: Request<Bytes>) -> Request<Bytes> {
        let is_delete = request.method() == Method::DELETE;
        let has_address = wire::address(&request).is_some();
        let headers = request.headers_mut();
        match self.about {
            Some(Rule::DeadId) if headers.contains_key(wire::SESSION_ID) => {
                headers.insert(wire::SESSION_ID, HeaderValue::from_static("dead"));
            }
            Some(Rule::DeadId) if has_address => {
                *request.uri_mut() = Uri::from_static("https://example.com/dead");
            }
            Some(Rule::SessionLeft) if is_delete => {
                headers.remove(wire::SESSION_ID);
            }
            Some(Rule::Elsewhere) => {
                *request.uri_mut() = Uri::from_static(wire::NEXT_DOOR);
            }
            Some(Rule::OldCredential) => {
                let first = HeaderValue::from_str(&format!("Bearer {FIRST}"));
                headers.insert(AUTHORIZATION, first.expect("a header"));
            }
            _ => {}
        }
        request
    }

    /// What it seems to carry. `ended`: the first call has.
    pub(super) fn carries(self, carries: Carries, ended: bool) -> Carries {
        match (self.about, carries) {
            (Some(Rule::CallSentAfterEnd), Carries::Call(1)) if ended => Carries::Call(0),
            _ => carries,
        }
    }

    /// How often it seems to leave.
    pub(super) fn times(self, request: &Request<Bytes>, carries: Carries) -> usize {
        match (self.about, carries) {
            (Some(Rule::CallSentOnTooOften), _) if request.uri().path() == wire::MOVED => 4,
            (Some(Rule::CallTooOften), Carries::Call(_)) => 3,
            (Some(Rule::HandshakeBeside), carries) if carries.is_handshake() => 2,
            (Some(Rule::SecondDelete), Carries::Delete) => 2,
            _ => 1,
        }
    }

    /// When it seems to leave.
    pub(super) fn leaves(self, request: &Request<Bytes>, open: &Open, now: Time) -> Time {
        let carries = open.carries;
        match self.about {
            Some(Rule::CallHasty) if carries.call().is_some() => Time::ZERO,
            Some(Rule::HandshakeHasty) if open.is_handshake() => a_little_before(now),
            Some(Rule::StreamHasty) if wire::last_event(request).is_some() => Time::ZERO,
            Some(Rule::StreamHasty) if carries == Carries::Subscribe => a_little_before(now),
            _ => now,
        }
    }

    /// What seems to come of which exchange, if that is seen.
    pub(super) fn comes(self, open: &Open, act: Act) -> Option<(Carries, Act)> {
        let carries = open.carries;
        match (self.about, carries, act) {
            (Some(Rule::BeyondCeiling), _, Act::Busy) => Some((carries, Act::BusyForLong)),
            (Some(Rule::HandshakeBeyondCeiling), _, Act::Busy) if open.is_handshake() => {
                Some((carries, Act::BusyForLong))
            }
            (Some(Rule::ReplyOfNobody), _, Act::Reply) => None,
            (_, _, Act::Reply) => Some((carries, act)),
            (Some(Rule::Collateral), Carries::Call(call), _) => {
                Some((Carries::Call(1 - call.min(1)), act))
            }
            (Some(Rule::ListeningEndsCall), Carries::Call(_), Act::Broken) => {
                let listens = match open.session {
                    Some(_) => Carries::Get,
                    None => Carries::Subscribe,
                };
                Some((listens, act))
            }
            (Some(Rule::HandshakeTooOften), _, _) if open.is_handshake() => None,
            (Some(Rule::StreamBeyondCeiling), _, Act::Hurry) => Some((carries, Act::Wait)),
            (Some(Rule::ToldTooMuch), _, Act::Broken) => Some((carries, Act::NotSent)),
            (Some(Rule::ToldTooLittle), _, Act::BusyForLong) => Some((carries, Act::Unavailable)),
            _ => Some((carries, act)),
        }
    }

    /// How often it seems to come.
    pub(super) fn comes_often(self, open: &Open, act: Act) -> usize {
        match (self.about, act) {
            (Some(Rule::HandshakeSentOnTooOften), Act::Redirect) if open.is_handshake() => 4,
            (Some(Rule::StreamTooOften), Act::Broken)
                if matches!(open.carries, Carries::Get | Carries::Subscribe) =>
            {
                2
            }
            _ => 1,
        }
    }

    /// Whether a reply to this is heard of that came on an HTTP+SSE server's stream.
    pub(super) fn hears(self) -> bool {
        self.about != Some(Rule::ReplyOfNobody)
    }

    /// Whether it seems to close with that.
    pub(super) fn closes(self, letter: Letter) -> bool {
        self.about == Some(Rule::LeavesAfterClose) && letter == Letter::Call
    }

    /// What the application seems to say, if that is heard.
    pub(super) fn says(self, letter: Letter) -> Option<Letter> {
        match (self.about, letter) {
            (Some(Rule::CallRepeated), Letter::Idempotent) => Some(Letter::Call),
            (Some(Rule::CallUnheld), Letter::Resume)
            | (Some(Rule::HandshakeUnasked), Letter::Reinitialize) => None,
            _ => Some(letter),
        }
    }

    /// When the next time-out seems to be. `handled`: one was, and nobody has looked since.
    pub(super) fn due(self, next: Option<Time>, now: Time, handled: bool) -> Option<Time> {
        match self.about {
            Some(Rule::NeverAtRest) => next.or(Some(now + LONG)),
            Some(Rule::TimeOutPast) if handled => Some(Time::ZERO),
            Some(Rule::WokenForNothing) => Some(now),
            _ => next,
        }
    }

    /// How the machine seems to do. `open`: so many calls seem not to have ended.
    pub(super) fn status(self, mut status: Status, open: usize) -> Status {
        match self.about {
            Some(Rule::CallNeverEnds | Rule::CallOpenAfterClose) => status.open_calls = open,
            Some(Rule::BytesKept) => status.buffered += 1,
            Some(Rule::ExchangeKept) => status.exchanges += 1,
            Some(Rule::HandshakeForDead) if status.phase == Phase::Due => {
                status.phase = Phase::Idle;
            }
            Some(Rule::NeverClosed) if status.phase == Phase::Closed => {
                status.phase = Phase::Closing;
            }
            _ => {}
        }
        status
    }

    /// Whether there seems to be more of something than there may be.
    pub(super) fn counts(self, excess: Result<(), String>) -> Result<(), String> {
        match self.about {
            Some(Rule::Excess) => Err("lies: 1, and at most 0".to_owned()),
            _ => excess,
        }
    }

    /// Whether there seems to be more in an outlet that is empty.
    pub(super) fn goes_on(self) -> bool {
        self.about == Some(Rule::OutletEndless)
    }
}

fn a_little_before(now: Time) -> Time {
    let since = now.since_origin();
    Time::ZERO + since.saturating_sub(Duration::from_secs(1))
}

/// The end of a call.
fn ended(call: Option<CallId>) -> impl Iterator<Item = Event> {
    let ended = call.map(|call| Event::Fail {
        subject: Subject::Call(call),
        error: Error::new(Reason::Cancelled, Delivery::Unknown),
    });
    ended.into_iter()
}
