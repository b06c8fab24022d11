//! Calls: each ends exactly once, whatever it takes to get there.

use http::HeaderMap;

use super::Connection;
use super::clock::CallClock;
use super::rounds::Rounds;
use super::route::Route;
use super::stream::Stream;
use super::timers::Timer;
use crate::breakage::Breakage;
use crate::error::{Delivery, Error};
use crate::event::Reply;
use crate::wire::jsonrpc::ProgressToken;
use crate::wire::response::Refusal;
use crate::{CallId, Event, ExchangeId, RawJson, Resend, Subject, Time};

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
    /// What the server asked before it answers.
    pub(super) rounds: Rounds,
    /// Whether the server named other revisions once already.
    pub(super) renegotiated: bool,
    /// Whether its headers were made anew once already.
    pub(super) repaired: bool,
    /// The worst of its sendings so far.
    pub(super) delivery: Delivery,
    pub(super) idempotent: bool,
    /// Whether it was made so that the application restores its state.
    pub(super) restores: bool,
    /// Whether its session was lost under it. Should another one be lost before it was
    /// sent again, it waits for that to be restored, too.
    pub(super) refused: bool,
    /// How often it was sent again since its session was lost under it.
    pub(super) losses: usize,
    pub(super) resend: Resend,
    /// How long it waits for a server that cannot be reached.
    pub(super) patience: Option<Time>,
    pub(super) unreached: u32,
    pub(super) resends: u32,
    pub(super) clock: CallClock,
    /// Bytes of the server's and of answers to it that it holds.
    pub(super) held: usize,
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
    /// Refused for its credential; waits for another one.
    Refused,
    /// On its way, in this exchange.
    Sent(ExchangeId),
    /// The server asks something before it goes on; waits for the answers.
    Asked,
    /// Its stream broke off; to be resumed, now or after a delay.
    Cut,
    /// Refused because headers and body differ; waits for the list of tools.
    Mismatched(Box<Reply>),
    /// Refused with a suspicious 400; waits for what a ping finds out.
    Suspended(Box<Refusal>),
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

    /// Bytes that it holds.
    pub(super) fn holds(&self) -> usize {
        let refusal = match &self.state {
            State::Mismatched(reply) => reply.bytes(),
            State::Suspended(refusal) => refusal.bytes(),
            _ => 0,
        };
        self.rounds.bytes().saturating_add(refusal)
    }

    /// Brings the sum of all buffers up to date with what it holds.
    pub(super) fn account(&mut self, all: &mut usize) {
        let held = self.holds();
        let before = std::mem::replace(&mut self.held, held);
        *all = all.saturating_sub(before).saturating_add(held);
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
        let limit = options.time_out.unwrap_or(self.config.common.clocks.call);
        self.timers.set_within(Timer::Call(id), self.now, limit);
        if let Some(token) = &token {
            self.tokens.insert(token.clone(), id);
        }
        let longest = options.longest.or(self.config.common.clocks.progress);
        let patience = options.patience.map(|patience| self.now + patience);
        let call = Call {
            method,
            params,
            headers: options.headers,
            state: State::Waiting,
            route: Route::default(),
            token,
            request: 0,
            generation: 0,
            stream: Stream::default(),
            rounds: Rounds::default(),
            renegotiated: false,
            repaired: false,
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
                stopped: None,
            },
            held: 0,
        };
        self.line_up_new(id, &call.method, call.params.as_ref());
        self.calls.insert(id, call);
        self.want_session(patience.is_some());
        self.fail_if_hopeless(id);
        self.stand_still_if_waiting(id);
        id
    }

    /// Brings the sum of all buffers up to date with what the call holds.
    pub(super) fn account_call(&mut self, id: CallId) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.account(&mut self.held);
        }
    }

    /// The call's end, with a reply.
    pub(super) fn reply(&mut self, call: CallId, reply: Reply) {
        if let Some(ended) = self.close_call(call) {
            if reply.outcome.is_ok() {
                let lives = self.is_current(ended.generation);
                self.restoring
                    .remember(&ended.method, ended.params.as_ref(), lives);
            }
            if self.config.is_broken(Breakage::SecondReply) {
                let reply = reply.clone();
                self.events.push(Event::Reply { call, reply });
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

    fn close_call(&mut self, id: CallId) -> Option<Box<Call>> {
        let call = self.calls.remove(&id)?;
        self.waiting.remove(&id);
        self.behind.remove(&id);
        self.restoring
            .call_ended(id, &call.method, call.params.as_ref());
        self.cut.remove(&call.request);
        self.resumes.remove(&id);
        if let Some(suspicion) = &mut self.suspicion {
            suspicion.calls.remove(&id);
        }
        self.unpark_call(id);
        self.timers.clear(Timer::Call(id));
        self.timers.clear(Timer::Delay(id));
        if let Some(token) = &call.token {
            self.tokens.remove(token);
        }
        self.withdraw_asks_of(id);
        self.held = self.held.saturating_sub(call.held);
        Some(call)
    }
}
