//! Calls that are sent again: those that the server certainly did not execute, and
//! idempotent ones.

use std::time::Duration;

use http::Uri;

use super::Connection;
use super::call::State;
use super::phase::Phase;
use super::timers::Timer;
use crate::breakage::Breakage;
use crate::error::{Answer, Delivery, Error, Lost, Reason};
use crate::wire::response::Refusal;
use crate::{CallId, RawJson, Recovery, Resend, Time};

impl Connection {
    /// Sends a call again that the server certainly did not execute: in its
    /// session's successor, or after its own 404 in an older one.
    pub(super) fn send_again(&mut self, id: CallId) {
        if !self.count_loss(id) || self.config.is_broken(Breakage::LostCall) {
            return;
        }
        match (self.phase, self.refusal()) {
            // A session that is long gone brings no new one (law 3).
            (Phase::Idle, Some(refusal)) => self.fail_unsent(id, &refusal.in_handshake()),
            _ => self.queue_or_hold(id),
        }
    }

    /// A call lost its session; false if that is its end.
    pub(super) fn count_loss(&mut self, id: CallId) -> bool {
        let Some(call) = self.calls.get_mut(&id) else {
            return false;
        };
        call.delivery = call.delivery.max(Delivery::Rejected);
        let lost = if call.resend == Resend::Never {
            Lost::Session
        } else if call.losses >= self.config.common.budget.resends {
            let sessions = call.losses.saturating_add(1);
            Lost::EachSession { sessions }
        } else {
            call.losses = call.losses.saturating_add(1);
            call.refused = !call.restores;
            return true;
        };
        self.fail_call(id, Error::new(lost, Delivery::Rejected));
        false
    }

    /// A call may leave again, unless it is to wait for `resume`.
    pub(super) fn queue_or_hold(&mut self, id: CallId) {
        match self.calls.get_mut(&id) {
            Some(call) if call.refused && self.phase == Phase::Held => call.state = State::Held,
            _ => self.queue(id),
        }
    }

    /// Puts a call among those that wait to be sent.
    pub(super) fn queue(&mut self, id: CallId) {
        if self.calls.contains_key(&id) {
            self.line_up(id);
            self.want_session(self.patience_ends(id).is_some());
            self.fail_if_hopeless(id);
            self.stand_still_if_waiting(id);
        }
    }

    /// Puts a call into its place: behind what a new session is asked for anew, if it was
    /// refused with the old one; behind what is asked about the same resource.
    pub(super) fn line_up(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.state = State::Waiting;
        call.account(&mut self.held);
        let restores_first = call.losses > 0 && self.restoring.has_more();
        let restoring = &mut self.restoring;
        if restores_first || !restoring.lets_pass(id, &call.method, call.params.as_ref()) {
            self.behind.insert(id);
        } else {
            self.waiting.insert(id);
        }
    }

    /// Puts a call into its place that is new, and so was not refused with any session.
    pub(super) fn line_up_new(&mut self, id: CallId, method: &str, params: Option<&RawJson>) {
        if self.restoring.lets_pass(id, method, params) {
            self.waiting.insert(id);
        } else {
            self.behind.insert(id);
        }
    }

    /// There is a new session, and it is known what it is to be asked for.
    pub(super) fn line_up_anew(&mut self) {
        for id in std::mem::take(&mut self.waiting) {
            self.line_up(id);
        }
    }

    /// At the end of each turn: all that was to be asked for may have left.
    pub(super) fn release_behind(&mut self) {
        if !self.behind.is_empty() && !self.restoring.has_more() {
            for id in std::mem::take(&mut self.behind) {
                self.line_up(id);
            }
        }
    }

    /// With `Hold`, from the loss of a session to `resume`.
    pub(super) fn is_restoring(&self) -> bool {
        let lost = self.phase == Phase::Held || self.handshake.replaces;
        self.config.recovery == Recovery::Hold && lost
    }

    /// Holds the calls that were refused with their session, until `resume`; others,
    /// which may be there to restore the application's state, pass.
    pub(super) fn hold_refused(&mut self) {
        for (id, call) in self.calls.iter_mut() {
            if call.refused && matches!(call.state, State::Waiting) {
                call.state = State::Held;
                self.waiting.remove(&id);
                self.behind.remove(&id);
            }
        }
    }

    pub(super) fn release_held(&mut self) {
        let mut held = Vec::new();
        for (id, call) in self.calls.iter_mut() {
            if matches!(call.state, State::Held) {
                held.push(id);
            }
        }
        for id in held {
            self.line_up(id);
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
        let generation = self.calls.get(&id).map(|call| call.generation);
        if !generation.is_some_and(|generation| self.is_current(generation)) {
            self.lost_with_session(id);
        }
        let allowed = self.calls.get(&id).is_some_and(|call| call.idempotent)
            || self.config.is_broken(Breakage::DoubledCall);
        self.try_later(id, error, None, allowed);
    }

    /// The state in which a call was made is gone with its session: it goes out again
    /// when that is restored.
    pub(super) fn lost_with_session(&mut self, id: CallId) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.refused = !call.restores;
        }
    }

    fn try_later(&mut self, id: CallId, error: Error, wait: Option<Duration>, allowed: bool) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let retries = &self.config.common.retries;
        let resends = call.resends;
        let delay = self.jitter.told_or_growing(wait, resends, retries);
        let fits = self
            .timers
            .due(Timer::Call(id))
            .is_none_or(|end| self.now + delay < end);
        let again = allowed
            && call.resend == Resend::Allowed
            && (resends < retries.resends || self.config.is_broken(Breakage::UnboundedRetry))
            && (delay <= retries.ceiling || self.config.is_broken(Breakage::BeyondCeiling))
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
                let delay = self
                    .jitter
                    .growing(call.unreached, &self.config.common.retries);
                call.unreached = call.unreached.saturating_add(1);
                call.state = State::Delayed;
                let last = end.max(now + self.config.common.retries.floor);
                self.timers.set(Timer::Delay(id), (now + delay).min(last));
            }
            _ => self.fail_call(id, error),
        }
    }

    /// Until when a call waits for the server; none if it does not.
    pub(super) fn patience_ends(&self, id: CallId) -> Option<Time> {
        let call = self.calls.get(&id)?;
        // People's time does not count.
        let stopped = call.clock.stopped;
        let paused = stopped.map_or(Duration::ZERO, |since| self.now.since(since));
        Some(call.patience? + paused)
    }

    /// Whether a call still waits for the server.
    pub(super) fn is_patient(&self, id: CallId) -> bool {
        self.patience_ends(id).is_some_and(|end| self.now < end)
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
            _ => self.queue_or_hold(id),
        }
    }
}
