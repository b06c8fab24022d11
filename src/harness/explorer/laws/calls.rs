//! Laws 2, 4, 5, 7 and 10, as far as they are about calls.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::exchange::Open;
use super::super::letter::Act;
use super::super::rule::Rule;
use super::super::setting;
use super::super::wire::{self, Carries};
use super::{Cause, Facts, REDIRECTS, Seen};
use crate::{CallId, Clock, Delivery, Error, Lost, RawJson, Reason, Reply, Status, Time};

/// Longer than all that is tried again waits: a call that is done for soon may have no more time.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub(super) struct Call {
    id: CallId,
    idempotent: bool,
    pub(super) ended: bool,
    cancelled: bool,
    /// The application gave it up, and is to hear no more of it than that.
    hushed: bool,
    /// How often it left.
    left: usize,
    /// How often it was sent on since, and whether it is to be now.
    redirects: usize,
    redirected: bool,
    /// It was made so that the application restores its state.
    restores: bool,
    /// How often it was refused with its session.
    losses: usize,
    /// Whether that is what came of it last.
    lost: bool,
    rounds: usize,
    /// How many credentials there were when it left for the first time.
    credentials: usize,
    /// Before this it is not to leave again: the server said so.
    put_off: Option<Time>,
    /// The server asks to wait longer than anybody does.
    hopeless: Option<Rule>,
    /// Whether the server may have executed it, as it left last.
    doubtful: bool,
    /// Whether it has at all.
    begun: bool,
    /// How many exchanges of it are under way.
    under_way: usize,
    /// How many failed such that it may be sent once more.
    failures: usize,
    /// Its JSON-RPC id, as it left last.
    rpc: Value,
    /// Whether it was replied to.
    replied: bool,
    /// Whether nothing else happened when that came.
    answered: bool,
}

impl Call {
    fn new(id: CallId, idempotent: bool) -> Self {
        Self {
            id,
            idempotent,
            ended: false,
            cancelled: false,
            hushed: false,
            left: 0,
            redirects: 0,
            redirected: false,
            restores: false,
            losses: 0,
            lost: false,
            rounds: 0,
            credentials: 0,
            put_off: None,
            hopeless: None,
            doubtful: false,
            begun: false,
            under_way: 0,
            failures: 0,
            rpc: Value::Null,
            replied: false,
            answered: false,
        }
    }
}

impl Facts {
    pub(in super::super) fn has_ended(&self, call: usize) -> bool {
        self.calls
            .get(call)
            .is_none_or(|call| call.ended || call.cancelled)
    }

    /// How many calls have not ended.
    pub(in super::super) fn open_calls(&self) -> usize {
        self.calls.iter().filter(|call| !call.ended).count()
    }

    /// Whether a call that has not ended is not under way.
    pub(super) fn has_waiting_call(&self, open: &[Open]) -> bool {
        let under_way = |call: usize| open.iter().any(|open| open.carries == Carries::Call(call));
        let mut calls = self.calls.iter().enumerate();
        calls.any(|(at, call)| !call.ended && !under_way(at))
    }

    /// Forgets those that are over, but for what came before one that is not. Gives how many are
    /// left.
    pub(in super::super) fn forget_calls(&mut self) -> usize {
        let last = self.calls.iter().rposition(|call| !call.ended);
        self.calls.truncate(last.map_or(0, |last| last + 1));
        self.calls.len()
    }

    pub(in super::super) fn called(&mut self, id: CallId, idempotent: bool) {
        self.calls.push(Call {
            restores: self.sessions.restoring,
            ..Call::new(id, idempotent)
        });
        self.sessions.asked();
    }

    /// `ends`: and that is what ends it.
    pub(in super::super) fn cancelled(&mut self, call: usize, ends: bool) {
        self.calls[call].cancelled = true;
        self.calls[call].hushed |= ends;
    }

    /// By which id a call is known, as it left last.
    pub(in super::super) fn rpc(&self, call: usize) -> Value {
        let call = self.calls.get(call);
        call.map_or(Value::Null, |call| call.rpc.clone())
    }

    fn call(&mut self, carries: Carries) -> Option<&mut Call> {
        self.calls.get_mut(carries.call()?)
    }

    /// Something came of an exchange of it. `over`: and it is over with that. `alone`: and nothing
    /// else came since all was read.
    pub(super) fn call_came(&mut self, open: &Open, act: Act, over: bool, now: Time, alone: bool) {
        let Some(call) = self.call(open.carries).filter(|call| !call.ended) else {
            return;
        };
        // Of what nobody has looked at something else may have come before.
        call.under_way = call.under_way.saturating_sub(usize::from(over && alone));
        call.replied |= matches!(act, Act::NotFoundError | Act::Reply);
        call.answered |= act == Act::Reply && !open.apart && alone;
        let cut = matches!(act, Act::Broken | Act::End);
        // Whoever has the reply waits for nothing.
        if cut && open.waits && !open.replied && alone {
            call.hopeless = Some(Rule::StreamBeyondCeiling);
        }
        if let Carries::Resume(_) = open.carries {
            return;
        }
        call.failures += usize::from(over && act.is_failure());
        call.redirected = act == Act::Redirect;
        call.lost = act.refuses_session();
        match act {
            Act::BadRequest | Act::NotFound | Act::NotFoundError | Act::Unsupported => {
                call.losses += 1;
            }
            Act::Accepted
            | Act::Broken
            | Act::End
            | Act::LastReply
            | Act::Reply
            | Act::Stream
            | Act::Unavailable => call.doubtful = true,
            Act::Busy | Act::Later => {
                call.doubtful |= act == Act::Later;
                call.put_off = alone.then(|| now + Duration::from_secs(wire::SOON));
            }
            Act::BusyForLong if alone => call.hopeless = Some(Rule::BeyondCeiling),
            Act::RequiresInput => {
                (call.begun, call.doubtful) = (true, false);
                call.rounds += 1;
            }
            _ => {}
        }
    }

    /// `awaited`: and the machine waits for it.
    pub(in super::super) fn replied(&mut self, carries: Carries, awaited: bool) {
        // What nobody has looked at may have happened before.
        let alone = self.cause == Cause::One;
        if carries == Carries::Ping && alone {
            self.sessions.pinged(false);
        }
        if let Some(call) = self.call(carries) {
            (call.doubtful, call.replied) = (true, true);
            call.answered |= awaited && alone;
        }
    }

    pub(in super::super) fn aborted(&mut self, carries: Carries) {
        if let Some(call) = self.call(carries) {
            call.doubtful = true;
            call.under_way = call.under_way.saturating_sub(1);
            call.failures += 1;
        }
        self.sessions.aborted();
    }

    /// The stream is over on which all replies come.
    pub(in super::super) fn channel_ended(&mut self) {
        self.channel = None;
        self.sessions.channel_ended();
        for call in &mut self.calls {
            call.losses += usize::from(call.left > 0);
        }
    }

    /// Laws 2, 4, 5 and 10.
    pub(super) fn call_left(&mut self, at: usize, rpc: &Value, now: Time) -> Seen {
        let (held, credentials) = (self.sessions.held, self.credentials);
        let Some(call) = self.calls.get_mut(at) else {
            return Ok(());
        };
        let number = at + 1;
        if call.ended || call.cancelled {
            return Err(Rule::CallSentAfterEnd.broken_by(number));
        }
        if call.doubtful && !call.idempotent {
            return Err(Rule::CallRepeated.broken_by(number));
        }
        if held && call.lost && !call.restores {
            return Err(Rule::CallUnheld.broken_by(number));
        }
        if call.put_off.take().is_some_and(|until| now < until) {
            return Err(Rule::CallHasty.broken_by(number));
        }
        if call.redirected {
            call.redirects += 1;
        } else {
            call.left += 1;
            call.redirects = 0;
        }
        if call.left == 1 {
            call.credentials = credentials;
        }
        call.under_way += 1;
        call.rpc = rpc.clone();
        let resends = setting::retries().resends as usize;
        let failures = call.failures.min(resends * (1 + call.rounds));
        let losses = call.losses.min(setting::budget().resends);
        let renewed = credentials.saturating_sub(call.credentials);
        let most = 1 + call.rounds + failures + losses + renewed;
        if call.redirects > REDIRECTS {
            return Err(Rule::CallSentOnTooOften.broken_by(number));
        }
        if call.left > most {
            let times = format!("{number}, more than {most} times");
            return Err(Rule::CallTooOften.broken_by(times));
        }
        Ok(())
    }

    /// Law 2: the reply is one, and its own.
    pub(super) fn call_replied(&mut self, id: CallId, reply: &Reply) -> Seen {
        let mut calls = self.calls.iter().enumerate();
        if let Some((at, call)) = calls.find(|(_, call)| call.id == id && !call.ended) {
            if !call.replied {
                return Err(Rule::ReplyOfNobody.broken_by(at + 1));
            }
            let result = reply.outcome.as_ref().map(RawJson::as_str).unwrap_or("{}");
            let result: Value = serde_json::from_str(result).unwrap_or_default();
            let of = &result[wire::REPLIES_TO];
            if reply.outcome.is_ok() && *of != json!(at) {
                return Err(Rule::ReplyOfAnother.broken_by(format!("{}, {of}", at + 1)));
            }
        }
        self.ends(id, None)
    }

    pub(super) fn call_fails(&mut self, id: CallId, error: &Error, now: Time) -> Seen {
        self.blamed(id, error)?;
        let waited = self.abandoned.map(|since| now.since(since));
        let by_clock = matches!(error.reason(), Reason::Timeout(Clock::Call(_)));
        if by_clock && waited > Some(PATIENCE) {
            return Err(Rule::CallForgotten.broken());
        }
        let spent = matches!(
            error.reason(),
            Reason::Lost(Lost::SessionUnrecoverable { .. })
        );
        if spent && error.retry_after().is_none() && self.sessions.is_spent(now) {
            return Err(Rule::SpentForEver.broken());
        }
        let mut calls = self.calls.iter();
        let answered = calls.position(|call| call.id == id && call.answered && !call.cancelled);
        if let Some(at) = answered.filter(|_| !self.closed) {
            return Err(Rule::AnsweredFails.broken_by(at + 1));
        }
        self.ends(id, Some(error.delivery()))
    }

    /// What is told of a call breaks this rule if it has ended, or the application gave it up.
    pub(super) fn is_open(&self, id: Option<CallId>, rule: Rule) -> Seen {
        let mut calls = self.calls.iter();
        match calls.position(|call| Some(call.id) == id && (call.ended || call.hushed)) {
            Some(at) => Err(rule.broken_by(at + 1)),
            None => Ok(()),
        }
    }

    /// Laws 2 and 5.
    pub(super) fn ends(&mut self, id: CallId, delivery: Option<Delivery>) -> Seen {
        let Some(at) = self.calls.iter().position(|call| call.id == id) else {
            return Ok(());
        };
        let call = &mut self.calls[at];
        let number = at + 1;
        if call.ended {
            return Err(Rule::CallEndsTwice.broken_by(number));
        }
        let touched = call.doubtful || call.begun;
        let (left, spared) = (call.left, !touched && call.under_way == 0);
        // How it came to that makes no difference any more.
        *call = Call {
            ended: true,
            ..Call::new(id, false)
        };
        self.pace.call_ended(at);
        let rule = match delivery {
            Some(Delivery::NotSent | Delivery::Rejected) if touched => Rule::ToldTooLittle,
            Some(Delivery::Rejected) if left == 0 => Rule::ToldTooMuch,
            Some(Delivery::Unknown) if spared => Rule::ToldTooMuch,
            _ => return Ok(()),
        };
        Err(rule.broken_by(format!("{number}, {delivery:?}")))
    }

    /// Law 7: what befell one exchange ends no other call, but for the loss of their session.
    fn blamed(&self, id: CallId, error: &Error) -> Seen {
        let Cause::Came(carries, act) = self.cause else {
            return Ok(());
        };
        let rule = match carries {
            Carries::Get | Carries::Subscribe => Rule::ListeningEndsCall,
            Carries::Answer
            | Carries::Call(_)
            | Carries::Cancelled
            | Carries::Delete
            | Carries::Note
            | Carries::Resume(_) => Rule::Collateral,
            // Calls depend on these.
            Carries::Discover
            | Carries::Initialize
            | Carries::Initialized
            | Carries::Other
            | Carries::Ping => return Ok(()),
        };
        let own = carries.call().and_then(|own| self.calls.get(own));
        let lost = act.refuses_session() && matches!(error.reason(), Reason::Lost(_));
        if !lost && own.is_none_or(|own| own.id != id) {
            let came = format!("{act:?} of {carries:?}");
            return Err(rule.broken_by(came));
        }
        Ok(())
    }

    pub(super) fn calls_at_rest(&self, status: &Status) -> Seen {
        let open = self.open_calls();
        if status.open_calls != open {
            let counts = format!("{open}, and {}", status.open_calls);
            return Err(Rule::CallsMiscounted.broken_by(counts));
        }
        if self.closed && open > 0 {
            return Err(Rule::CallOpenAfterClose.broken());
        }
        let mut calls = self.calls.iter().enumerate();
        match calls.find_map(|(at, call)| Some((at, call.hopeless?))) {
            Some((at, rule)) => Err(rule.broken_by(at + 1)),
            None => Ok(()),
        }
    }
}
