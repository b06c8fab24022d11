//! What an observer knows, and the laws that he holds against it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::letter::Act;
use super::setting;
use super::wire::Carries;
use super::world::Open;
use crate::{
    CallId, Clock, Clocks, Delivery, Event, ExchangeId, Phase, Reason, Status, Subject, Ticket,
    Time,
};

/// Longer than all that is tried again waits: a call that is done for soon may have no more time.
const PATIENCE: Duration = Duration::from_secs(60);

/// The law that was seen broken, if one was.
pub(super) type Seen = Result<(), String>;

#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    calls: Vec<Call>,
    /// Whether how the server is reached is to be found.
    searches: bool,
    closed: bool,
    /// Sessions whose DELETE left.
    deleted: BTreeSet<String>,
    /// Whether a session, or what stands for one, is known to the application.
    ready: bool,
    /// The ids that answers to `initialize` brought, and the addresses that streams named, of
    /// sessions that are not lost.
    given: BTreeSet<String>,
    /// The ids that only the head of an answer to `initialize` brought, and whose answer that is.
    borrowed: BTreeMap<String, ExchangeId>,
    /// The session, or the address, of the last request.
    current: Option<String>,
    /// Whether the session was refused since it is ready.
    refused: bool,
    handshakes: Vec<(ExchangeId, Time)>,
    /// The event stream of an HTTP+SSE server.
    pub(super) channel: Option<ExchangeId>,
    /// Since when whatever is under way is broken off before time goes on.
    pub(super) abandoned: Option<Time>,
    /// The one thing that happened since all was read.
    cause: Cause,
}

#[derive(Clone, Debug)]
struct Call {
    id: CallId,
    idempotent: bool,
    ended: bool,
    cancelled: bool,
    /// How often it left.
    left: usize,
    /// How often it was refused with its session.
    losses: usize,
    rounds: usize,
    /// Whether the server may have executed it, as it left last.
    doubtful: bool,
    /// Whether it has at all.
    begun: bool,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Cause {
    #[default]
    Nothing,
    One,
    Came(Carries, Act),
    Several,
}

impl Call {
    fn new(id: CallId, idempotent: bool) -> Self {
        Self {
            id,
            idempotent,
            ended: false,
            cancelled: false,
            left: 0,
            losses: 0,
            rounds: 0,
            doubtful: false,
            begun: false,
        }
    }
}

impl Facts {
    pub(super) fn new(searches: bool) -> Self {
        Self {
            searches,
            ..Self::default()
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn has_ended(&self, call: usize) -> bool {
        self.calls
            .get(call)
            .is_none_or(|call| call.ended || call.cancelled)
    }

    pub(super) fn all_ended(&self) -> bool {
        self.calls.iter().all(|call| call.ended)
    }

    pub(super) fn forget_calls(&mut self) {
        self.calls.clear();
    }

    pub(super) fn called(&mut self, id: CallId, idempotent: bool) {
        self.calls.push(Call::new(id, idempotent));
    }

    pub(super) fn cancelled(&mut self, call: usize) {
        self.calls[call].cancelled = true;
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    pub(super) fn given(&mut self, session: &str) {
        self.given.insert(session.to_owned());
    }

    /// The head of an answer to `initialize` brought an id.
    pub(super) fn borrowed(&mut self, session: &str, from: ExchangeId) {
        self.borrowed.insert(session.to_owned(), from);
    }

    /// The result of `initialize` came: the id that was borrowed counts.
    pub(super) fn confirmed(&mut self, from: ExchangeId) {
        let mut borrowed = self.borrowed.iter();
        let found = borrowed.find(|(_, other)| **other == from);
        if let Some(id) = found.map(|(id, _)| id.clone()) {
            self.borrowed.remove(&id);
            self.given.insert(id);
        }
    }

    /// Something happens.
    pub(super) fn turn(&mut self) {
        self.cause = match self.cause {
            Cause::Nothing => Cause::One,
            _ => Cause::Several,
        };
    }

    /// Something came of an exchange.
    pub(super) fn came(&mut self, before: &Self, open: &Open, act: Act) {
        self.cause = match before.cause {
            Cause::One if before.channel.is_none() && !open.opens_channel() => {
                Cause::Came(open.carries, act)
            }
            _ => Cause::Several,
        };
        if open.carries.is_handshake() && act == Act::NotSent {
            self.handshakes.retain(|(id, _)| *id != open.id);
        }
        let refuses = matches!(act, Act::BadRequest | Act::NotFound | Act::NotFoundError);
        self.refused |= refuses && open.session.is_some() && open.session == self.current;
        let Carries::Call(call) = open.carries else {
            return;
        };
        match act {
            Act::BadRequest | Act::NotFound | Act::NotFoundError => {
                if let Some(call) = self.calls.get_mut(call) {
                    call.losses += 1;
                }
            }
            Act::Accepted | Act::Broken | Act::Stream | Act::Unavailable => self.doubt(call),
            Act::RequiresInput => {
                if let Some(call) = self.calls.get_mut(call) {
                    (call.begun, call.doubtful) = (true, false);
                    call.rounds += 1;
                }
            }
            Act::Reply | Act::LastReply => self.replied(open.carries),
            _ => {}
        }
    }

    fn doubt(&mut self, call: usize) {
        if let Some(call) = self.calls.get_mut(call) {
            call.doubtful = true;
        }
    }

    pub(super) fn replied(&mut self, carries: Carries) {
        if let Carries::Call(call) = carries {
            self.doubt(call);
        }
    }

    pub(super) fn aborted(&mut self, carries: Carries) {
        self.replied(carries);
    }

    /// A request leaves.
    pub(super) fn sent(&mut self, open: &Open, to: String, now: Time, others: &[Open]) -> Seen {
        let is_delete = open.carries == Carries::Delete;
        let again = is_delete
            && !self
                .deleted
                .insert(open.session.clone().unwrap_or_default());
        if again || self.closed && !is_delete {
            return Err(format!(
                "law 12: {:?} leaves although all is over",
                open.carries
            ));
        }
        let name = open.session.clone().or((to != "/mcp").then_some(to));
        if name
            .as_ref()
            .is_some_and(|name| !self.may_carry(name, open, others))
        {
            return Err(format!(
                "law 6: {:?} carries the id of no session that lives",
                open.carries
            ));
        }
        if open.carries.is_handshake() {
            self.handshake(open.id, now, others)?;
        } else if !is_delete && name.is_some() {
            self.current = name;
        }
        match open.carries {
            Carries::Call(number) => self.call_left(number),
            _ => Ok(()),
        }
    }

    /// Law 6: an id that is only borrowed is for the answers to what is asked meanwhile, and
    /// for the end of a session that came to nothing.
    fn may_carry(&self, name: &str, open: &Open, others: &[Open]) -> bool {
        let borrowed = self.borrowed.get(name);
        let is_asked = |from| others.iter().any(|other| other.id == from);
        match open.carries {
            Carries::Delete if borrowed.is_some() => true,
            Carries::Answer if borrowed.is_some_and(|from| is_asked(*from)) => true,
            _ => self.given.contains(name),
        }
    }

    /// Laws 3 and 4.
    fn handshake(&mut self, id: ExchangeId, now: Time, others: &[Open]) -> Seen {
        // One that has had its time is given up.
        let clocks = Clocks::default();
        let patience = |other: &Open| match other.carries {
            Carries::Discover => clocks.probe,
            _ => clocks.head,
        };
        let waits = |other: &Open| !other.replied && Some(now.since(other.at)) < patience(other);
        if others
            .iter()
            .any(|other| other.carries.is_handshake() && waits(other))
        {
            return Err("law 3: a handshake beside another".to_owned());
        }
        if self.ready {
            return Err("law 3: a handshake although a session lives".to_owned());
        }
        let budget = setting::budget();
        self.handshakes
            .retain(|(_, at)| now.since(*at) < budget.window);
        self.handshakes.push((id, now));
        // A search asks by `server/discover` first, by `initialize`, and by that again.
        let most = budget.handshakes * if self.searches { 3 } else { 1 };
        if self.handshakes.len() > most {
            return Err(format!(
                "law 4: more than {most} handshakes in {:?}",
                budget.window
            ));
        }
        Ok(())
    }

    /// Laws 4 and 5.
    fn call_left(&mut self, number: usize) -> Seen {
        let Some(call) = self.calls.get_mut(number) else {
            return Ok(());
        };
        if call.ended || call.cancelled {
            return Err(format!(
                "law 2: call {} is sent although it is over",
                number + 1
            ));
        }
        if call.doubtful && !call.idempotent {
            return Err(format!("law 5: call {} may be executed twice", number + 1));
        }
        call.left += 1;
        let resends = setting::retries().resends as usize;
        let losses = call.losses.min(setting::budget().resends);
        let most = (1 + resends) * (1 + call.rounds) + losses;
        if call.left > most {
            return Err(format!(
                "law 4: call {} left more than {most} times",
                number + 1
            ));
        }
        Ok(())
    }

    /// The application is told something.
    pub(super) fn event(&mut self, event: &Event, now: Time, asks: &mut Vec<Ticket>) -> Seen {
        match event {
            Event::Reply { call, .. } => self.ends(*call, None),
            Event::Fail {
                subject: Subject::Call(call),
                error,
            } => {
                self.blamed(*call)?;
                let waited = self.abandoned.map(|since| now.since(since));
                let by_clock = matches!(error.reason(), Reason::Timeout(Clock::Call(_)));
                if by_clock && waited > Some(PATIENCE) {
                    return Err(
                        "law 2: a call that nothing is done about waits for its clock".to_owned(),
                    );
                }
                self.ends(*call, Some(error.delivery()))
            }
            Event::Message(message) => message.call.map_or(Ok(()), |call| self.is_open(call)),
            Event::Ask(ask) => {
                asks.push(ask.ticket);
                ask.call.map_or(Ok(()), |call| self.is_open(call))
            }
            Event::AskWithdrawn { ticket, .. } => {
                asks.retain(|open| open != ticket);
                Ok(())
            }
            Event::Reinitialize { .. } if self.has_session() && !self.refused => {
                Err("law 3: a session is given up that nobody has refused".to_owned())
            }
            Event::Reinitialize { .. } => {
                (self.ready, self.refused) = (false, false);
                if let Some(lost) = self.current.take() {
                    self.given.remove(&lost);
                }
                Ok(())
            }
            Event::Ready(_) if self.ready => {
                Err("law 3: a session is ready although another one lives".to_owned())
            }
            Event::Ready(_) => {
                self.ready = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Whether the id is a session's, not an address.
    fn has_session(&self) -> bool {
        self.current.as_ref().is_some_and(|id| !id.starts_with('/'))
    }

    fn is_open(&self, id: CallId) -> Seen {
        let mut calls = self.calls.iter();
        match calls.position(|call| call.id == id && call.ended) {
            Some(at) => Err(format!("law 2: call {} is told of after its end", at + 1)),
            None => Ok(()),
        }
    }

    /// Laws 2 and 5.
    fn ends(&mut self, id: CallId, delivery: Option<Delivery>) -> Seen {
        let Some(at) = self.calls.iter().position(|call| call.id == id) else {
            return Ok(());
        };
        let call = &mut self.calls[at];
        let number = at + 1;
        if call.ended {
            return Err(format!("law 2: call {number} ends twice"));
        }
        let (touched, left) = (call.doubtful || call.begun, call.left);
        // How it came to that makes no difference any more.
        *call = Call {
            ended: true,
            ..Call::new(id, false)
        };
        match delivery {
            Some(Delivery::NotSent | Delivery::Rejected) if touched => Err(format!(
                "law 5: call {number} may have been executed, and the application is told {delivery:?}"
            )),
            Some(Delivery::Rejected | Delivery::Unknown) if left == 0 => Err(format!(
                "law 5: call {number} never left, and the application is told {delivery:?}"
            )),
            _ => Ok(()),
        }
    }

    /// Law 7: what befell one exchange ends no other call.
    fn blamed(&self, id: CallId) -> Seen {
        let Cause::Came(carries, act) = self.cause else {
            return Ok(());
        };
        let own = match carries {
            Carries::Call(own) => self.calls.get(own).map(|call| call.id),
            Carries::Get => None,
            _ => return Ok(()),
        };
        let alone = matches!(
            act,
            Act::Broken | Act::End | Act::NotSent | Act::Unavailable
        );
        if alone && own != Some(id) {
            return Err(format!("law 7: {act:?} on {carries:?} ends another call"));
        }
        Ok(())
    }

    /// Everything was read.
    pub(super) fn at_rest(&mut self, status: &Status) -> Seen {
        self.cause = Cause::Nothing;
        let open = self.calls.iter().filter(|call| !call.ended).count();
        if status.open_calls != open {
            let counted = status.open_calls;
            return Err(format!(
                "law 2: {open} calls have not ended, {counted} are open"
            ));
        }
        if self.closed && open > 0 {
            return Err("law 12: a call is open after `close`".to_owned());
        }
        Ok(())
    }

    /// Nothing is under way any more.
    pub(super) fn finished(&self, status: &Status) -> Seen {
        if let Some(at) = self.calls.iter().position(|call| !call.ended) {
            return Err(format!("law 2: call {} never ends", at + 1));
        }
        if status.exchanges > 0 || status.buffered > 0 {
            let (exchanges, bytes) = (status.exchanges, status.buffered);
            return Err(format!(
                "law 8: {exchanges} exchanges and {bytes} bytes are kept"
            ));
        }
        if self.closed && status.phase != Phase::Closed {
            return Err(format!("law 12: it stays {:?}", status.phase));
        }
        Ok(())
    }
}
