//! Calls whose stream broke off: taken up again with a GET (transports:
//! resumability and redelivery).

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};

use super::Connection;
use super::call::State;
use super::events::Source;
use super::exchange::{Exchange, Purpose};
use super::route::Route;
use super::stream::Ending;
use super::timers::Timer;
use crate::CallId;
use crate::RawJson;
use crate::error::{Delivery, Error, Lost, Reason, Refused, RpcError};
use crate::event::Reply;
use crate::wire::response::{Carried, Refusal, Verdict};

impl Connection {
    /// An exchange of a stream ended before the stream did.
    pub(super) fn stream_cut(
        &mut self,
        exchange: Box<Exchange>,
        ending: Ending,
        retry: Option<Duration>,
        error: Error,
    ) {
        match exchange.purpose {
            // It is lost, and may only be made anew (2026-07-28, changelog).
            Purpose::Call(call) if !exchange.rules.binding.resumes() => self.broken(call, error),
            Purpose::Call(call) | Purpose::Resume(call) => {
                if let (Some(call), Some(_)) = (self.calls.get_mut(&call), retry) {
                    call.stream.told = retry;
                }
                self.call_cut(call, exchange.generation, ending, error);
            }
            Purpose::Listen | Purpose::Subscribe => {
                if retry.is_some() {
                    self.listening.stream.told = retry;
                }
                self.listening_cut(ending, error);
            }
            purpose => self.exchange_failed(purpose, error),
        }
    }

    /// A call's stream is to be resumed after a delay; if that cannot be, the call
    /// fails.
    pub(super) fn call_cut(&mut self, id: CallId, generation: u64, ending: Ending, error: Error) {
        let now = self.now;
        let lives = self.is_current(generation) && self.phase.is_open();
        let resumes = self
            .stream_of(Source::Call(id))
            .is_some_and(|stream| lives && stream.resumes_from().is_some());
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let delay = resumes
            .then(|| {
                call.stream
                    .next_delay(ending, (&mut self.jitter, &self.config.common.retries), now)
            })
            .flatten();
        let end = self.timers.due(Timer::Call(id));
        match delay.filter(|delay| end.is_none_or(|end| now + *delay < end)) {
            None => self.fail_call(id, error),
            Some(delay) => {
                call.delivery = Delivery::Unknown;
                call.state = State::Cut;
                call.route = Route::default();
                self.cut.insert(call.request, id);
                self.timers.set(Timer::Delay(id), now + delay);
            }
        }
    }

    /// The GET that takes up the stream of the next call whose delay is over.
    pub(super) fn build_resume(&mut self) -> Option<(Purpose, Request<Bytes>)> {
        let id = self.resumes.pop_first()?;
        let stream = self.stream_of(Source::Call(id))?;
        if stream.resumes_from().is_none() {
            // A call never waits for what cannot leave.
            self.fail_call(id, Error::new(Lost::Stream, Delivery::Unknown));
            return None;
        }
        stream.begins();
        let call = self.calls.get_mut(&id)?;
        let target = call.route.target().cloned();
        call.route.restart();
        let headers = call.headers.clone();
        let cursor = call.stream.resumes_from().cloned();
        let envelope = self.envelope(target.as_ref(), Some(&headers), self.session.id.as_ref());
        Some((Purpose::Resume(id), envelope.get(cursor.as_ref())))
    }

    /// A GET was answered with anything but an event stream.
    pub(super) fn get_refused(
        &mut self,
        purpose: Purpose,
        generation: u64,
        carried: Carried,
        verdict: Verdict,
        refusal: Refusal,
    ) {
        let gone = refusal.answer.status == Some(StatusCode::NOT_FOUND);
        match purpose {
            Purpose::Channel => self.handshake_refused(verdict, refusal),
            Purpose::Listen => self.listening_refused(verdict, refusal, carried),
            Purpose::Resume(call) => {
                if gone && carried == Carried::Current {
                    self.doubt(&refusal);
                }
                self.resume_refused(call, generation, verdict, refusal);
            }
            _ => {}
        }
    }

    fn resume_refused(&mut self, id: CallId, generation: u64, verdict: Verdict, refusal: Refusal) {
        let answer = refusal.answer.clone();
        let failed =
            |reason: Reason| Error::new(reason, Delivery::Unknown).with_answer(answer.clone());
        match verdict {
            Verdict::Again { reason, .. } => {
                let ending = Ending::Failed(answer.retry_after);
                self.call_cut(id, generation, ending, failed(reason));
            }
            // A cursor belongs to its session (law 6).
            Verdict::Follow(_) if !self.is_current(generation) => {
                self.fail_call(id, failed(Lost::Session.into()));
            }
            Verdict::Follow(to) => {
                let Some(call) = self.calls.get_mut(&id) else {
                    return;
                };
                if call.route.follow(to) {
                    call.state = State::Cut;
                    let next = call.stream.follows(&self.config.common.retries, self.now);
                    self.timers.set(Timer::Delay(id), next);
                } else {
                    self.fail_call(id, failed(refusal.redirected().into()));
                }
            }
            Verdict::Fail {
                reason: reason @ Reason::Refused(Refused::Unauthorized | Refused::Forbidden),
                ..
            } => self.fail_call(id, failed(reason)),
            Verdict::Fail { .. }
            | Verdict::Lost
            | Verdict::Older
            | Verdict::Reply { .. }
            | Verdict::Suspect => self.fail_call(id, failed(Lost::NotResumed.into())),
        }
    }

    /// The reply to a call whose first exchange is over, on whatever stream it came.
    pub(super) fn late_reply(&mut self, id: CallId, outcome: Result<RawJson, RpcError>) {
        if let Some(State::Sent(exchange)) = self.calls.get(&id).map(|call| &call.state) {
            drop(self.finish_or_close(*exchange));
        }
        let status = StatusCode::OK;
        self.reply(id, Reply { outcome, status });
    }

    /// The session is gone, and with it what could be resumed.
    pub(super) fn fail_cut_calls(&mut self) {
        let waits = |id: &CallId| {
            let call = self.calls.get(id);
            call.is_some_and(|call| matches!(call.state, State::Cut))
        };
        let waiting: Vec<_> = self.cut.values().copied().filter(waits).collect();
        for id in waiting {
            self.fail_call(id, Error::new(Lost::Session, Delivery::Unknown));
        }
    }
}
