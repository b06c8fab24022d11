//! Calls: each ends exactly once, whatever it takes to get there.

use std::time::Duration;

use http::{HeaderMap, Uri};

use super::Connection;
use super::control::{Cancelling, Prompt};
use super::exchange::{Purpose, Reading};
use super::jitter::CEILING;
use super::phase::Phase;
use super::route::Route;
use super::stream::Stream;
use super::timers::Timer;
use crate::error::{Answer, Clock, Delivery, Error, Lost, Reason};
use crate::event::{Reply, Withdrawal};
use crate::wire::jsonrpc::ProgressToken;
use crate::wire::response::Refusal;
use crate::{CallId, Event, ExchangeId, RawJson, Recovery, Resend, Subject, Time};

/// How often a call is sent again after 408, 429, or, if it is idempotent, after
/// a failure of the server or the connection.
const RESENDS: u8 = 2;

/// An open call.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: String,
    pub(super) params: Option<RawJson>,
    pub(super) headers: HeaderMap,
    pub(super) state: State,
    pub(super) route: Route,
    pub(super) token: Option<ProgressToken>,
    /// The id of the JSON-RPC request that was sent last; 0 before the first.
    pub(super) request: u64,
    /// The session in which that was.
    pub(super) generation: u64,
    /// What is known of the stream that answers it.
    pub(super) stream: Stream,
    /// The worst of its sendings so far.
    pub(super) delivery: Delivery,
    idempotent: bool,
    /// Whether it was made so that the application restores its state.
    restores: bool,
    /// Whether its session was lost under it. Should another one be lost before it was
    /// sent again, it waits for that to be restored, too.
    refused: bool,
    /// How often it was sent again since its session was lost under it.
    losses: usize,
    resend: Resend,
    /// How long it waits for a server that cannot be reached.
    patience: Option<Time>,
    unreached: u32,
    resends: u8,
    clock: CallClock,
}

/// Where a call is.
#[derive(Clone, Debug)]
pub(super) enum State {
    /// To be sent as soon as there is a session.
    Waiting,
    /// To be sent again after a delay.
    Delayed,
    /// Refused with its session; waits for the application to say `resume`.
    Held,
    /// On its way, in this exchange.
    Sent(ExchangeId),
    /// Its stream broke off; to be resumed, now or after a delay.
    Cut,
    /// Refused with a suspicious 400; waits for what a ping finds out.
    Suspended(Box<Refusal>),
}

/// The clock of a whole call, which stands still while a person is asked.
#[derive(Clone, Debug)]
struct CallClock {
    limit: Option<Duration>,
    /// Progress starts it anew, up to this moment.
    longest: Option<Time>,
    asks: u32,
    /// What is left, while it stands still, and since when it does.
    left: Option<(Duration, Time)>,
}

/// A call as it is made.
pub(super) struct NewCall {
    pub(super) method: String,
    pub(super) params: Option<RawJson>,
    pub(super) token: Option<ProgressToken>,
    pub(super) options: crate::CallOptions,
}

impl Call {
    /// Whether it would leave if there were a session.
    pub(super) fn waits_for_session(&self) -> bool {
        matches!(self.state, State::Waiting | State::Held)
    }

    /// Whether a person is asked on its behalf: its clocks stand still.
    pub(super) fn is_asked(&self) -> bool {
        self.clock.asks > 0
    }

    /// Whether the server could not be reached for it, and it waits for that to end.
    pub(super) fn waits_for_server(&self) -> bool {
        self.unreached > 0
    }
}

impl Connection {
    pub(super) fn open_call(&mut self, new: NewCall) -> CallId {
        let NewCall {
            method,
            params,
            token,
            options,
        } = new;
        self.last_call = self.last_call.saturating_add(1);
        let id = CallId::new(self.tag, self.last_call);
        let limit = options.time_out.unwrap_or(self.config.clocks.call);
        self.timers.set_within(Timer::Call(id), self.now, limit);
        if let Some(token) = &token {
            self.tokens.insert(token.clone(), id);
        }
        let longest = options.longest.or(self.config.clocks.progress);
        let patience = options.patience.map(|patience| self.now + patience);
        self.calls.insert(
            id,
            Call {
                method,
                params,
                headers: options.headers,
                state: State::Waiting,
                route: Route::default(),
                token,
                request: 0,
                generation: 0,
                stream: Stream::default(),
                delivery: Delivery::NotSent,
                idempotent: options.idempotent,
                restores: self.is_restoring(),
                refused: false,
                losses: 0,
                resend: options.resend,
                patience,
                unreached: 0,
                resends: 0,
                clock: CallClock {
                    limit,
                    longest: longest.map(|longest| self.now + longest),
                    asks: 0,
                    left: None,
                },
            },
        );
        self.waiting.insert(id);
        self.want_session(patience.is_some());
        self.fail_if_hopeless(id);
        id
    }

    /// The call's end, with a reply.
    pub(super) fn reply(&mut self, call: CallId, reply: Reply) {
        if let Some(ended) = self.close_call(call) {
            if reply.outcome.is_ok() {
                let lives = self.is_current(ended.generation);
                self.restoring
                    .remember(&ended.method, ended.params.as_ref(), lives);
            }
            self.events.push(Event::Reply { call, reply });
        }
    }

    /// The call's end, without one. The delivery said is the worst of all its sendings.
    pub(super) fn fail_call(&mut self, id: CallId, error: Error) {
        if let Some(call) = self.close_call(id) {
            let error = error.at_least(call.delivery).for_method(&call.method);
            self.events.push(Event::Fail {
                subject: Subject::Call(id),
                error,
            });
        }
    }

    /// The end of a call that something else kept from being sent (again): only
    /// its own sendings count for the delivery.
    pub(super) fn fail_unsent(&mut self, id: CallId, error: &Error) {
        if let Some(call) = self.calls.get(&id) {
            let error = error.clone().with_delivery(call.delivery);
            self.fail_call(id, error);
        }
    }

    fn close_call(&mut self, id: CallId) -> Option<Call> {
        let call = self.calls.remove(&id)?;
        self.waiting.remove(&id);
        self.cut.remove(&call.request);
        self.resumes.remove(&id);
        self.timers.clear(Timer::Call(id));
        self.timers.clear(Timer::Delay(id));
        if let Some(token) = &call.token {
            self.tokens.remove(token);
        }
        self.withdraw_asks(Withdrawal::CallEnded, |ask| ask.call == Some(id));
        Some(call)
    }

    /// Gives a call up, and tells the server so if it may be at work on it.
    pub(super) fn give_up(&mut self, id: CallId, reason: Reason) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        let sent = match call.state {
            State::Sent(exchange) => Some(Some(exchange)),
            State::Cut => Some(None),
            State::Waiting | State::Delayed | State::Held | State::Suspended(_) => None,
        };
        let (request, generation) = (call.request, call.generation);
        let resumes = call.stream.resumes_from().is_some();
        let delivery = if sent.is_some() {
            Delivery::Unknown
        } else {
            Delivery::NotSent
        };
        let told = matches!(reason, Reason::Cancelled).then_some("cancelled by the application");
        self.events.forget(id);
        self.room = true;
        self.fail_call(id, Error::new(reason, delivery));
        let reason = told.unwrap_or("timed out");
        let lingers = sent.flatten().filter(|exchange| self.abandon(*exchange));
        let tell = match sent {
            None => false,
            Some(None) => true,
            Some(Some(_)) => lingers.is_some() || resumes,
        };
        let limit = self.config.limits.open_calls;
        if tell && self.answers.len() >= limit {
            self.drop_pointless_prompts();
        }
        if tell && self.answers.len() < limit {
            let route = Route::default();
            self.answers.push_back(Prompt::Cancel(Cancelling {
                request,
                exchange: lingers,
                resumable: resumes,
                generation,
                reason,
                route,
            }));
        }
    }

    /// Lets go of the exchange of a call that has ended for the application: the
    /// server is told (utilities: cancellation), and the exchange ends soon after.
    /// Says whether it was still under way.
    fn abandon(&mut self, id: ExchangeId) -> bool {
        let Some(exchange) = self.exchanges.get_mut(&id) else {
            return false;
        };
        if matches!(&exchange.reading, Reading::Stream(feed) if feed.has_ended()) {
            drop(self.end_exchange(id));
            return false;
        }
        exchange.purpose = Purpose::Cancelled;
        exchange.reading = Reading::Ignored(0);
        self.timers.clear(Timer::Silence(id));
        self.account(id);
        self.linger(id);
        self.stalled.remove(&id);
        true
    }

    /// Sends a call again that the server certainly did not execute: in its
    /// session's successor, or after its own 404 in an older one.
    pub(super) fn send_again(&mut self, id: CallId) {
        let phase = self.phase;
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.delivery = call.delivery.max(Delivery::Rejected);
        if call.resend == Resend::Never {
            return self.fail_call(id, Error::new(Lost::Session, Delivery::Rejected));
        }
        if call.losses >= self.config.budget.resends {
            let sessions = call.losses.saturating_add(1);
            let lost = Lost::EachSession { sessions };
            return self.fail_call(id, Error::new(lost, Delivery::Rejected));
        }
        call.losses = call.losses.saturating_add(1);
        call.refused = !call.restores;
        match phase {
            Phase::Held if call.refused => call.state = State::Held,
            // A session that is long gone brings no new one (law 3).
            Phase::Idle => match self.refusal() {
                Some(refusal) => self.fail_unsent(id, &refusal.in_handshake()),
                None => self.queue(id),
            },
            _ => self.queue(id),
        }
    }

    /// Puts a call among those that wait to be sent.
    fn queue(&mut self, id: CallId) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.state = State::Waiting;
            self.waiting.insert(id);
            let patient = self.patience(id).is_some();
            self.want_session(patient);
            self.fail_if_hopeless(id);
        }
    }

    /// With `Hold`, from the loss of a session to `resume`.
    fn is_restoring(&self) -> bool {
        let lost = self.phase == Phase::Held || self.handshake.replaces;
        self.config.recovery == Recovery::Hold && lost
    }

    /// Holds the calls that were refused with their session, until `resume`; others,
    /// which may be there to restore the application's state, pass.
    pub(super) fn hold_refused(&mut self) {
        for (id, call) in &mut self.calls {
            if call.refused && matches!(call.state, State::Waiting) {
                call.state = State::Held;
                self.waiting.remove(id);
            }
        }
    }

    pub(super) fn release_held(&mut self) {
        for (id, call) in &mut self.calls {
            if matches!(call.state, State::Held) {
                call.state = State::Waiting;
                self.waiting.insert(*id);
            }
        }
    }

    /// A redirect to an address of the same origin.
    pub(super) fn follow(&mut self, id: CallId, to: Uri, refusal: &Refusal) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.delivery = call.delivery.max(Delivery::Rejected);
        if !call.route.follow(to) {
            let error = Error::new(refusal.redirected(), Delivery::Rejected);
            return self.fail_call(id, error.with_answer(refusal.answer.clone()));
        }
        self.queue(id);
    }

    /// 408, 429 and 5xx: sent again later if the rules allow it.
    pub(super) fn refuse_for_now(
        &mut self,
        id: CallId,
        reason: Reason,
        delivery: Delivery,
        answer: Answer,
    ) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        let allowed = delivery != Delivery::Unknown || call.idempotent;
        let wait = answer.retry_after;
        let error = Error::new(reason, delivery).with_answer(answer);
        self.try_later(id, error, wait, allowed);
    }

    /// A connection that broke while the server may have been at work.
    pub(super) fn broken(&mut self, id: CallId, error: Error) {
        let allowed = self.calls.get(&id).is_some_and(|call| call.idempotent);
        self.try_later(id, error, None, allowed);
    }

    fn try_later(&mut self, id: CallId, error: Error, wait: Option<Duration>, allowed: bool) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let resends = call.resends;
        let delay = self.jitter.told_or_growing(wait, u32::from(resends));
        let fits = self
            .timers
            .due(Timer::Call(id))
            .is_none_or(|end| self.now + delay < end);
        let again = allowed
            && call.resend == Resend::Allowed
            && resends < RESENDS
            && delay <= CEILING
            && fits;
        if !again {
            return self.fail_call(id, error);
        }
        call.delivery = call.delivery.max(error.delivery());
        call.resends = resends.saturating_add(1);
        // It was reached: this delay is not one that a change of the network forgives.
        call.unreached = 0;
        call.state = State::Delayed;
        self.timers.set(Timer::Delay(id), self.now + delay);
    }

    /// The server could not be reached for this call.
    pub(super) fn unreached(&mut self, id: CallId, error: Error) {
        let now = self.now;
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        match call.patience {
            Some(end) if now < end => {
                let delay = self.jitter.growing(call.unreached);
                call.unreached = call.unreached.saturating_add(1);
                call.state = State::Delayed;
                self.timers.set(Timer::Delay(id), (now + delay).min(end));
            }
            _ => self.fail_call(id, error),
        }
    }

    /// Until when a call waits for the server; none if it does not, or no longer.
    pub(super) fn patience(&self, id: CallId) -> Option<Time> {
        self.calls.get(&id)?.patience.filter(|end| self.now < *end)
    }

    /// What a ping found out about the session of a suspended call.
    pub(super) fn settle_call(&mut self, id: CallId, lost: bool) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let State::Suspended(refusal) = std::mem::replace(&mut call.state, State::Waiting) else {
            return;
        };
        if lost {
            self.send_again(id);
        } else {
            self.refused_for_good(id, *refusal);
        }
    }

    /// A 400 of a living session: the error is the call's own, without one it fails.
    fn refused_for_good(&mut self, id: CallId, refusal: Refusal) {
        match refusal.into_outcome() {
            Ok(reply) => self.reply(id, reply),
            Err(error) => self.fail_call(id, error),
        }
    }

    pub(super) fn delay_over(&mut self, id: CallId) {
        match self.calls.get(&id).map(|call| &call.state) {
            Some(State::Cut) => drop(self.resumes.insert(id)),
            _ => self.queue(id),
        }
    }

    pub(super) fn call_timed_out(&mut self, id: CallId) {
        if let Some(limit) = self.calls.get(&id).and_then(|call| call.clock.limit) {
            self.give_up(id, Clock::Call(limit).into());
        }
    }

    /// An ask opened on behalf of the call.
    pub(super) fn pause_clock(&mut self, id: CallId) {
        let now = self.now;
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.clock.asks = call.clock.asks.saturating_add(1);
        if let Some(end) = self.timers.clear(Timer::Call(id)) {
            call.clock.left = Some((end.since(now), now));
        }
    }

    /// An ask on behalf of the call was answered or withdrawn.
    pub(super) fn resume_clock(&mut self, id: CallId) {
        let now = self.now;
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.clock.asks = call.clock.asks.saturating_sub(1);
        if call.clock.asks > 0 {
            return;
        }
        if let Some((left, since)) = call.clock.left.take() {
            let paused = now.since(since);
            call.clock.longest = call.clock.longest.map(|longest| longest + paused);
            self.timers.set(Timer::Call(id), now + left);
        }
        if let State::Sent(exchange) = call.state {
            self.hear(exchange);
        }
    }

    /// Progress was made: where that counts, the clock starts anew (lifecycle:
    /// timeouts).
    pub(super) fn extend_clock(&mut self, id: CallId) {
        let now = self.now;
        let Some(clock) = self.calls.get_mut(&id).map(|call| &mut call.clock) else {
            return;
        };
        let (Some(limit), Some(longest)) = (clock.limit, clock.longest) else {
            return;
        };
        if let Some((left, since)) = &mut clock.left {
            *left = limit.min(longest.since(*since)).max(*left);
        } else if let Some(due) = self.timers.due(Timer::Call(id)) {
            let anew = (now + limit).min(longest).max(due);
            self.timers.set(Timer::Call(id), anew);
        }
    }
}
