//! What an observer knows, and the laws that he holds against it.

mod calls;
mod handshakes;
mod pace;
mod sessions;

use std::collections::BTreeSet;

use bytes::Bytes;
use http::Request;
use http::uri::Authority;

use self::calls::Call;
use self::pace::Pace;
use self::sessions::Sessions;
use super::exchange::Open;
use super::letter::Act;
use super::rule::{Broken, Rule};
use super::setting::Setting;
use super::wire::{self, Carries};
use crate::{Event, ExchangeId, NotificationId, Phase, Status, Subject, Ticket, Time};

/// The rule that was seen broken, if one was.
pub(super) type Seen = Result<(), Broken>;

/// The credential in the beginning.
pub(super) const FIRST: &str = "t0";

/// Redirects of one message that are followed.
const REDIRECTS: usize = 3;

#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    calls: Vec<Call>,
    sessions: Sessions,
    pace: Pace,
    closed: bool,
    /// More happened after that before anybody looked; or a session was given, to an exchange that
    /// may have been given up by then.
    unlooked: bool,
    /// Notifications of the application that have not ended.
    notes: BTreeSet<NotificationId>,
    /// Answers of the application that have not ended.
    answers: BTreeSet<Ticket>,
    /// Messages of the server that the application has neither read nor been told to have missed.
    unheard: u64,
    /// How many credentials were given.
    credentials: usize,
    /// Whether another one is asked for.
    asked: bool,
    /// The event stream of an HTTP+SSE server, on which all replies come.
    pub(super) channel: Option<ExchangeId>,
    /// Since when whatever is under way is broken off before time goes on.
    pub(super) abandoned: Option<Time>,
    /// The one thing that happened since all was read.
    cause: Cause,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Cause {
    #[default]
    Nothing,
    One,
    Came(Carries, Act),
    Several,
}

/// # What is done
impl Facts {
    pub(super) fn new(setting: &Setting) -> Self {
        Self {
            sessions: Sessions::new(setting),
            ..Self::default()
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// The application wants to hear about something else.
    pub(super) fn listened(&mut self) {
        self.pace.listens_anew();
    }

    pub(super) fn noted(&mut self, note: NotificationId) {
        self.notes.insert(note);
        self.sessions.asked();
    }

    pub(super) fn answered(&mut self, ticket: Ticket) {
        self.answers.insert(ticket);
    }

    /// Another credential is given: this one.
    pub(super) fn authorized(&mut self, now: Time) -> String {
        self.credentials += 1;
        self.asked = false;
        self.hurried(now);
        self.credential()
    }

    pub(super) fn refused(&mut self) {
        self.asked = false;
    }

    /// The network changed.
    pub(super) fn hurried(&mut self, now: Time) {
        self.pace.hurried(now);
        self.sessions.hurried();
    }

    /// Whether the application knows that calls wait for it.
    pub(super) fn is_held(&self) -> bool {
        self.sessions.held
    }

    /// Whether the application knows that it has to ask for a session.
    pub(super) fn is_lost(&self) -> bool {
        self.sessions.untold
    }

    pub(super) fn resumed(&mut self) {
        self.sessions.resumed();
    }

    pub(super) fn reinitialized(&mut self) {
        self.sessions.reinitialized();
    }

    fn credential(&self) -> String {
        match self.credentials {
            0 => format!("Bearer {FIRST}"),
            number => format!("Bearer t{number}"),
        }
    }

    /// Something happens.
    pub(super) fn turn(&mut self) {
        self.cause = match self.cause {
            Cause::Nothing => Cause::One,
            _ => Cause::Several,
        };
        self.unlooked |= self.closed && self.cause == Cause::Several;
    }
}

/// # What comes
impl Facts {
    pub(super) fn given(&mut self, session: &str) {
        self.unlooked |= self.cause == Cause::Several;
        self.sessions.given(session);
    }

    pub(super) fn borrowed(&mut self, session: &str, from: ExchangeId) {
        self.sessions.borrowed(session, from);
    }

    pub(super) fn confirmed(&mut self, from: ExchangeId) {
        self.unlooked |= self.cause == Cause::Several;
        self.sessions.confirmed(from);
    }

    /// Something came of an exchange.
    pub(super) fn came(&mut self, before: &Self, open: &Open, act: Act, over: bool, now: Time) {
        // What nobody has looked at may be a reason for something else.
        let alone = before.cause == Cause::One;
        // All depends on that one.
        let is_channel = open.opens_channel() || before.channel == Some(open.id);
        self.cause = match alone && !is_channel {
            true => Cause::Came(open.carries, act),
            false => Cause::Several,
        };
        self.sessions.came(open, act, now, alone);
        self.pace.hints(open, act);
        if alone {
            self.pace.came(open, act, over, now);
        }
        let listens = matches!(open.carries, Carries::Get | Carries::Subscribe);
        // What nobody has looked at may have ended the stream.
        let heard = listens && !open.replied && !self.closed && alone;
        self.unheard += u64::from(act == Act::Message && heard);
        self.call_came(open, act, over, now, alone);
    }
}

/// # What is seen
impl Facts {
    /// A request leaves.
    pub(super) fn sent(
        &mut self,
        open: &Open,
        request: &Request<Bytes>,
        now: Time,
        others: &[Open],
    ) -> Seen {
        self.is_for_the_server(open, request)?;
        let is_delete = open.carries == Carries::Delete;
        if self.closed && !is_delete {
            let carries = format!("{:?}", open.carries);
            return Err(Rule::LeavesAfterClose.broken_by(carries));
        }
        self.sessions.sent(open, now, others)?;
        let from = wire::last_event(request).map(|(event, _)| event);
        self.pace.left(open, from, now)?;
        match open.carries {
            Carries::Ping if self.channel.is_some() => {
                self.sessions.pinged(true);
                Ok(())
            }
            Carries::Call(number) => self.call_left(number, &open.rpc, now),
            _ => Ok(()),
        }
    }

    /// Law 11.
    fn is_for_the_server(&self, open: &Open, request: &Request<Bytes>) -> Seen {
        let (carries, to) = (format!("{:?}", open.carries), request.uri());
        let authority = to.authority().map(Authority::as_str);
        let at_home = to.scheme_str() == Some("https") && authority == Some("example.com");
        if !at_home {
            return Err(Rule::Elsewhere.broken_by(carries));
        }
        let credential = request.headers().get(http::header::AUTHORIZATION);
        if credential.is_none_or(|it| it.as_bytes() != self.credential().as_bytes()) {
            return Err(Rule::OldCredential.broken_by(carries));
        }
        Ok(())
    }

    /// The application is told something.
    pub(super) fn event(&mut self, event: &Event, now: Time, asks: &mut Vec<Ticket>) -> Seen {
        match event {
            Event::Reply { call, reply } => self.call_replied(*call, reply),
            Event::Fail { subject, error } => match subject {
                Subject::Call(call) => self.call_fails(*call, error, now),
                Subject::Notification(note) => self.note_ends(*note),
                Subject::Answer(ticket) => self.answer_ends(*ticket),
                _ => Ok(()),
            },
            Event::Accepted {
                subject: Subject::Answer(ticket),
            } => self.answer_ends(*ticket),
            Event::Accepted {
                subject: Subject::Notification(note),
            } => self.note_ends(*note),
            Event::Message(message) => {
                let progress = message.method == "notifications/progress";
                if progress && message.call.is_none() {
                    return Err(Rule::ProgressUnasked.broken());
                }
                let listened = u64::from(!progress && message.call.is_none());
                self.unheard = self.unheard.saturating_sub(listened);
                self.is_open(message.call, Rule::CallToldAfterEnd)
            }
            Event::Gap { missed } => {
                self.unheard = self.unheard.saturating_sub(missed.unwrap_or(0));
                Ok(())
            }
            Event::Ask(ask) => {
                asks.push(ask.ticket);
                self.is_open(ask.call, Rule::AskedAfterEnd)
            }
            Event::AskWithdrawn { ticket, .. } => {
                asks.retain(|open| open != ticket);
                Ok(())
            }
            Event::Authorize(_) if self.asked => Err(Rule::AskedAgain.broken()),
            Event::Authorize(_) => {
                self.asked = true;
                Ok(())
            }
            Event::Reinitialize { cause, .. } => self.sessions.lost(*cause),
            Event::Ready(ready) => {
                self.pace.listens_anew();
                self.sessions.made(ready.generation)
            }
            _ => Ok(()),
        }
    }

    /// Whether the application waits for nothing.
    pub(super) fn is_idle(&self) -> bool {
        self.open_calls() == 0 && self.notes.is_empty() && self.answers.is_empty()
    }

    fn note_ends(&mut self, note: NotificationId) -> Seen {
        if self.notes.remove(&note) {
            return Ok(());
        }
        Err(Rule::NoteEndsTwice.broken())
    }

    fn answer_ends(&mut self, ticket: Ticket) -> Seen {
        if self.answers.remove(&ticket) {
            return Ok(());
        }
        Err(Rule::AnswerEndsTwice.broken())
    }

    /// Everything was read.
    pub(super) fn at_rest(&mut self, status: &Status, open: &[Open], now: Time) -> Seen {
        self.cause = Cause::Nothing;
        self.pace.at_rest(now);
        self.calls_at_rest(status)?;
        let waits = self.has_waiting_call(open);
        self.sessions.at_rest(status.phase, waits, now)?;
        let unheard = std::mem::take(&mut self.unheard);
        if unheard > 0 && !self.closed {
            return Err(Rule::MessageLost.broken_by(unheard));
        }
        // There is nothing to be asked for any more.
        self.asked &= status.awaits_authorization;
        Ok(())
    }

    /// Whatever the application asked for has ended.
    pub(super) fn all_ended(&self) -> Seen {
        if let Some(at) = self.calls.iter().position(|call| !call.ended) {
            return Err(Rule::CallNeverEnds.broken_by(at + 1));
        }
        if !self.notes.is_empty() {
            return Err(Rule::NoteNeverEnds.broken());
        }
        if !self.answers.is_empty() {
            return Err(Rule::AnswerNeverEnds.broken());
        }
        Ok(())
    }

    /// Nothing is under way any more.
    pub(super) fn finished(&self, status: &Status) -> Seen {
        self.all_ended()?;
        if status.buffered > 0 {
            return Err(Rule::BytesKept.broken_by(status.buffered));
        }
        if !self.closed {
            return Ok(());
        }
        if status.phase != Phase::Closed {
            return Err(Rule::NeverClosed.broken_by(format!("{:?}", status.phase)));
        }
        if self.unlooked {
            return Ok(());
        }
        self.sessions.closed()
    }
}
