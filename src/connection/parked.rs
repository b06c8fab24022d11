//! What waits for another credential, and what happens to it meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;

use super::Connection;
use super::answer::Origin;
use super::authorization::Parked;
use super::call::State;
use super::exchange::Purpose;
use super::suspicion::Finding;
use crate::error::{Delivery, Error};
use crate::event::Authorize;
use crate::{CallId, Event, ExchangeId};

/// So many cancellations wait at most: what is told late is worth little.
const CANCELLATIONS: usize = 64;

impl Connection {
    /// A message waits for another credential.
    pub(super) fn park(&mut self, id: ExchangeId, parked: Parked) {
        if !std::mem::replace(&mut self.authorization.asked, true) {
            self.events.push(Event::Authorize(Authorize {
                status: parked
                    .refusal
                    .answer
                    .status
                    .unwrap_or(StatusCode::UNAUTHORIZED),
                challenges: parked.refusal.answer.challenges.clone(),
                method: self.method_of(&parked.purpose),
            }));
        }
        match &parked.purpose {
            Purpose::Call(call) | Purpose::Resume(call) => {
                let call = *call;
                if let Some(open) = self.calls.get_mut(&call) {
                    open.delivery = open.delivery.max(Delivery::Rejected);
                    open.state = if parked.purpose.is_get() {
                        State::Cut
                    } else {
                        State::Refused
                    };
                    self.hold(&parked);
                    self.authorization.calls.insert(call, parked);
                    self.stand_still(call);
                }
            }
            Purpose::Channel
            | Purpose::Discover
            | Purpose::Initialize(_)
            | Purpose::Initialized => {
                self.hold(&parked);
                self.authorization.handshake = Some(Box::new(parked));
                let waiting = self.calls.iter();
                let waiting = waiting.filter(|(_, call)| call.waits_for_session());
                for id in waiting.map(|(id, _)| id).collect::<Vec<_>>() {
                    self.stand_still(id);
                }
            }
            Purpose::Ping => {
                self.hold(&parked);
                self.authorization.ping = Some(Box::new(parked));
                // That somebody is there is known.
                if let Some(suspicion) = &mut self.suspicion {
                    let silent = std::mem::take(&mut suspicion.silent);
                    for call in suspicion.calls.clone() {
                        self.stand_still(call);
                    }
                    self.settle_silence(silent, Finding::Alive);
                }
            }
            Purpose::Listen | Purpose::Subscribe => {
                self.hold(&parked);
                self.authorization.listening = Some(Box::new(parked));
                self.listening.wait_for_authorization();
            }
            Purpose::Cancel(_) if self.parked(is_cancellation) >= CANCELLATIONS => {
                self.take_refusal(parked);
            }
            Purpose::Refresh => {
                self.hold(&parked);
                self.authorization.control.insert(id, parked);
                for call in self.mismatched() {
                    self.stand_still(call);
                }
            }
            Purpose::Answer(_)
            | Purpose::Cancel(_)
            | Purpose::Notification(_)
            | Purpose::Restore(_) => {
                self.hold(&parked);
                self.authorization.control.insert(id, parked);
            }
            Purpose::Abandoned | Purpose::Cancelled | Purpose::Delete | Purpose::Finished => {}
        }
    }

    /// What the application is told was refused.
    fn method_of(&self, purpose: &Purpose) -> Option<String> {
        let method = match purpose {
            Purpose::Call(id) | Purpose::Resume(id) => &self.calls.get(id)?.method,
            Purpose::Discover => "server/discover",
            Purpose::Initialize(_) => "initialize",
            Purpose::Initialized => "notifications/initialized",
            Purpose::Ping => "ping",
            Purpose::Notification(notice) => &notice.method,
            Purpose::Cancel(_) => "notifications/cancelled",
            Purpose::Refresh => "tools/list",
            Purpose::Restore(restore) => restore.method(),
            Purpose::Subscribe => "subscriptions/listen",
            Purpose::Abandoned
            | Purpose::Answer(_)
            | Purpose::Cancelled
            | Purpose::Channel
            | Purpose::Delete
            | Purpose::Finished
            | Purpose::Listen => return None,
        };
        Some(method.to_owned())
    }

    /// How many messages of control traffic of this kind wait.
    pub(super) fn parked(&self, fits: fn(&Purpose) -> bool) -> usize {
        let waiting = self.authorization.control.values();
        waiting.filter(|parked| fits(&parked.purpose)).count()
    }

    /// The origins of answers that wait.
    pub(super) fn parked_origins(&mut self) -> impl Iterator<Item = &mut Origin> {
        let waiting = self.authorization.control.values_mut();
        waiting.filter_map(|parked| match &mut parked.purpose {
            Purpose::Answer(answering) => Some(&mut answering.origin),
            _ => None,
        })
    }
}

/// # What happens meanwhile
impl Connection {
    /// The clock of a call stands still if it waits for what waits for authorisation.
    pub(super) fn stand_still_if_waiting(&mut self, id: CallId) {
        let handshake = self.authorization.handshake.is_some();
        let doubt = self.authorization.ping.is_some();
        let list = self.parked(|purpose| matches!(purpose, Purpose::Refresh)) > 0;
        if !handshake && !doubt && !list {
            return;
        }
        let stands = self.calls.get(&id).is_some_and(|call| {
            handshake && call.waits_for_session()
                || doubt && matches!(call.state, State::Suspended(_))
                || list && matches!(call.state, State::Mismatched(_))
        });
        if stands {
            self.stand_still(id);
        }
    }

    fn stand_still(&mut self, id: CallId) {
        if self.authorization.paused.insert(id) {
            self.pause_clock(id);
        }
    }

    /// What the call waited for waits for nobody any more.
    fn run_on(&mut self, id: CallId) {
        if self.authorization.paused.remove(&id) {
            self.resume_clock(id);
        }
    }

    /// What waits is held in memory.
    fn hold(&mut self, parked: &Parked) {
        self.held = self.held.saturating_add(parked.refusal.bytes());
    }

    pub(super) fn let_go(&mut self, parked: &Parked) {
        self.held = self.held.saturating_sub(parked.refusal.bytes());
    }

    fn drop_parked(&mut self, parked: Option<&Parked>) {
        if let Some(parked) = parked {
            self.let_go(parked);
        }
    }

    /// The call has ended.
    pub(super) fn unpark_call(&mut self, id: CallId) {
        let parked = self.authorization.calls.remove(&id);
        self.drop_parked(parked.as_ref());
        self.authorization.paused.remove(&id);
    }

    /// A doubt is settled without the ping that waits.
    pub(super) fn unpark_ping(&mut self, doubtful: &BTreeSet<CallId>) {
        let parked = self.authorization.ping.take();
        self.drop_parked(parked.as_deref());
        for id in doubtful {
            self.run_on(*id);
        }
    }

    pub(super) fn unpark_listening(&mut self) {
        let parked = self.authorization.listening.take();
        self.drop_parked(parked.as_deref());
    }

    /// The `notifications/initialized` that waits is that of a session that is gone.
    pub(super) fn unpark_handshake(&mut self) {
        let parked = self.authorization.handshake.take();
        self.drop_parked(parked.as_deref());
        let paused = self.authorization.paused.iter().copied();
        let refused = &self.authorization.calls;
        let others: Vec<_> = paused.filter(|id| !refused.contains_key(id)).collect();
        for id in others {
            self.run_on(id);
        }
    }

    /// A session is gone: calls and notifications wait on, for the next one; the rest
    /// dies with it.
    pub(super) fn parked_lost_session(&mut self, generation: u64) {
        let of_it = |parked: &Parked| parked.sending.generation == generation;
        let calls = self.authorization.calls.iter();
        let calls = calls.filter(|(_, parked)| of_it(parked));
        for id in calls.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.count_loss(id);
        }
        let control = std::mem::take(&mut self.authorization.control).into_iter();
        let (lost, others): (Vec<_>, _) = control.partition(|(_, parked)| of_it(parked));
        self.authorization.control = BTreeMap::from_iter::<Vec<_>>(others);
        for (id, parked) in lost {
            self.let_go(&parked);
            if let Some(purpose) = self.still_wanted(parked.purpose, generation) {
                let parked = Parked { purpose, ..parked };
                self.hold(&parked);
                self.authorization.control.insert(id, parked);
            }
        }
    }

    /// The application closes: nothing is asked any more.
    pub(super) fn shut_authorization(&mut self, closed: &Error) {
        let (_, others) = self.unpark();
        for Parked { purpose, .. } in others {
            if matches!(purpose, Purpose::Answer(_) | Purpose::Notification(_)) {
                self.control_failed(&purpose, closed.clone().with_delivery(Delivery::Rejected));
            }
        }
    }
}

fn is_cancellation(purpose: &Purpose) -> bool {
    matches!(purpose, Purpose::Cancel(_))
}
