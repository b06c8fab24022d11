//! The handshake: one at a time, within a budget, shared by all who wait for it. Where
//! each request stands on its own, it is `server/discover`.

use std::collections::BTreeSet;

use http::StatusCode;

use super::Connection;
use super::budget::Attempts;
use super::negotiation::{INVALID_PARAMS, METHOD_NOT_FOUND, UNSUPPORTED_VERSION};
use super::phase::{Input, Phase, Step};
use super::route::Route;
use super::suspicion::Finding;
use super::timers::Timer;
use crate::breakage::Breakage;
use crate::error::{Delivery, Error, Reason, Refused};
use crate::wire::binding::Binding;
use crate::wire::response::{Refusal, Verdict};
use crate::{CallId, Contact, Event, Revision, Subject, Time};

/// The handshakes of a connection: the one under way and what counts against the
/// budget.
#[derive(Clone, Debug, Default)]
pub(super) struct Handshake {
    /// When the next one may leave.
    pub(super) due: Time,
    pub(super) attempts: Attempts,
    /// Why the last one failed.
    pub(super) last_cause: Option<Error>,
    /// Why there was none to be had the last time, and when that was; nothing once
    /// there is a session.
    pub(super) refusal: Option<(Error, Time)>,
    /// The server asked to come back later: what is told to calls that cannot wait for
    /// that.
    told: Option<Error>,
    /// When the server could not be reached, and why.
    pub(super) unreached: Option<(Time, Error)>,
    /// How often in a row it could not be reached.
    pub(super) failures: u32,
    /// Whether only those wait for it who are willing to.
    unhurried: bool,
    retries: u32,
    /// Whether the server named other revisions once already.
    pub(super) renegotiated: bool,
    /// The revision that `initialize` offers because the server named it.
    pub(super) offered: Option<Revision>,
    /// What it has asked so far.
    asked: BTreeSet<Contact>,
    /// Whether what left last was counted.
    last_counted: bool,
    pub(super) route: Route,
    /// Whether it was sent before, with another credential.
    resent: bool,
    /// Whether it replaces a session that was lost.
    pub(super) replaces: bool,
    /// Whether its time is still to be found.
    unscheduled: bool,
    /// Whether the application is to be told if there can be none: it asked for
    /// one, or a session was lost.
    announce: bool,
}

impl Handshake {
    /// `known`: whether the application knew the session.
    pub(super) fn session_lost(&mut self, known: bool) {
        self.begin_anew();
        self.replaces |= known;
        self.announce = true;
        self.last_cause = None;
    }

    /// The network changed: that the server could not be reached counts no more.
    pub(super) fn forgive(&mut self) {
        self.failures = 0;
        self.unreached = None;
    }

    /// Whether this request counts against the budget: the first one of a handshake does,
    /// and what is asked once more.
    fn counts(&self, contact: Contact) -> bool {
        self.asked.is_empty() || self.asked.contains(&contact)
    }

    /// As it is, but for the words of the failures.
    #[cfg(feature = "harness")]
    pub(super) fn without_reasons(&self) -> Self {
        let failed = || Error::new(Refused::NotFound, Delivery::NotSent);
        let mut known = self.clone();
        known.last_cause = known.last_cause.map(|_| failed());
        known.refusal = known.refusal.map(|(_, at)| (failed(), at));
        known.told = known.told.map(|_| failed());
        known.unreached = known.unreached.map(|(at, _)| (at, failed()));
        known
    }

    #[cfg(feature = "harness")]
    pub(super) fn weights(&self) -> super::weights::Weights {
        let Self {
            due: _,
            attempts,
            last_cause: _,
            refusal: _,
            told: _,
            unreached: _,
            failures: _,
            unhurried: _,
            retries: _,
            renegotiated: _,
            offered: _,
            asked,
            last_counted: _,
            route: _,
            resent: _,
            replaces: _,
            unscheduled: _,
            announce: _,
        } = self;
        vec![
            ("handshake.attempts", attempts.len()),
            ("handshake.asked", asked.len()),
        ]
    }

    fn begin_anew(&mut self) {
        self.retries = 0;
        self.renegotiated = false;
        self.offered = None;
        self.asked.clear();
        self.route = Route::default();
        self.resent = false;
        self.unhurried = false;
        self.unscheduled = true;
    }
}

impl Connection {
    /// The revision that the handshake asks for.
    pub(super) fn revision_offered(&self) -> Revision {
        let newest = match self.ladder.contact {
            Contact::Discover => Revision::NEWEST,
            Contact::Initialize | Contact::EventStream => Revision::NEWEST_WITH_SESSIONS,
        };
        let named = self
            .handshake
            .offered
            .filter(|_| self.ladder.contact != Contact::Discover);
        self.config.pinned.or(named).unwrap_or(newest)
    }

    /// How the server is reached, as far as is known.
    pub(super) fn binding(&self) -> Binding {
        self.session.binding.unwrap_or_else(|| self.binding_tried())
    }

    /// How it is tried to reach the server.
    pub(super) fn binding_tried(&self) -> Binding {
        match self.ladder.contact {
            Contact::Discover => Binding::Stateless,
            Contact::EventStream => Binding::HttpSse,
            Contact::Initialize if self.channel.is_open() => Binding::HttpSse,
            Contact::Initialize => Binding::Session,
        }
    }

    /// Begins the search for how the server is reached, at what is known.
    fn begin_handshake(&mut self) {
        self.handshake.begin_anew();
        self.ladder.begin(self.config.pinned);
    }

    /// The application asks for a session.
    pub(super) fn ask_for_session(&mut self) {
        self.handshake.announce = true;
        self.want_session(false);
    }

    /// Something wants a session: begin a handshake unless one is under way.
    /// `patient`: whoever wants it is willing to wait for the server.
    pub(super) fn want_session(&mut self, patient: bool) {
        let unreached = self.handshake.unreached.clone();
        // Nobody tries again so soon: those who call meanwhile are told at once.
        let recently =
            unreached.filter(|(at, _)| self.now < *at + self.config.common.retries.floor);
        match (self.phase, recently) {
            (Phase::Idle | Phase::Due, Some((_, error))) if !patient => {
                self.tell(&error);
                self.fail_waiting(&error, |it, id| it.patience_ends(id).is_some());
            }
            (Phase::Idle, recently) => {
                self.step(Input::Want);
                self.begin_handshake();
                self.handshake.unhurried = recently.is_some();
            }
            (Phase::Due, None) if self.handshake.unhurried => self.begin_handshake(),
            // Somebody whose patience ends before the others'.
            (Phase::Due, Some(_)) if self.handshake.unhurried => {
                self.handshake.unscheduled = true;
            }
            _ => {}
        }
    }

    /// The session was lost, or the application wants a new one.
    pub(super) fn replace_session(&mut self, input: Input) {
        self.handshake.session_lost(self.shown.is_some());
        self.ladder.begin(self.config.pinned);
        self.step(input);
    }

    /// At the end of each turn: a handshake that is wanted gets its time.
    pub(super) fn schedule_if_due(&mut self) {
        if self.phase == Phase::Due && std::mem::take(&mut self.handshake.unscheduled) {
            self.schedule_handshake();
        }
    }

    /// Finds the time of the next handshake; when the budget is spent, all that
    /// waits for it fails.
    pub(super) fn schedule_handshake(&mut self) {
        let now = self.now;
        let budget = &self.config.common.budget;
        let next = self.handshake.attempts.next(budget, &mut self.jitter, now);
        let spaced = match next {
            Ok(spaced) => spaced,
            Err(_) if self.config.is_broken(Breakage::UnboundedHandshakes) => now,
            Err(until) => {
                let error = self.unrecoverable(until);
                return self.give_handshake_up(error);
            }
        };
        let patient = match &self.handshake.unreached {
            Some((at, _)) if self.handshake.unhurried => {
                let retries = &self.config.common.retries;
                let failures = self.handshake.failures.saturating_sub(1);
                let grown = now + self.jitter.growing(failures, retries);
                let calls = self.calls.iter();
                let waiting = calls.filter(|(_, call)| call.waits_for_session());
                let ends = waiting.filter_map(|(id, _)| self.patience_ends(id)).min();
                // The last chance of whoever waits no longer keeps to the floor, too.
                grown.min(ends.unwrap_or(grown)).max(*at + retries.floor)
            }
            _ => now,
        };
        self.set_handshake(spaced.max(patient));
    }

    pub(super) fn set_handshake(&mut self, due: Time) {
        self.handshake.due = due.max(self.now);
        self.timers.set(Timer::Handshake, self.handshake.due);
    }

    /// It is sent again with another credential, and is still the same handshake.
    pub(super) fn handshake_once_more(&mut self) {
        self.handshake.route.again();
        self.handshake.resent = true;
        self.step(Input::Again);
        self.set_handshake(self.now);
    }

    /// A handshake is about to leave. A redirected one is still the same.
    pub(super) fn handshake_sent(&mut self, input: Input) {
        self.timers.clear(Timer::Handshake);
        self.handshake.told = None;
        let handshake = &mut self.handshake;
        // It goes on from here, whoever wants it next.
        handshake.unhurried = false;
        if handshake.route.target().is_none() && !handshake.resent {
            handshake.last_counted = handshake.counts(self.ladder.contact);
            if handshake.last_counted {
                handshake.attempts.sent(self.now);
            }
            handshake.asked.insert(self.ladder.contact);
        }
        self.step(input);
    }

    /// The handshake goes on at once: with another request, or with the same one for
    /// another revision.
    pub(super) fn go_on(&mut self) {
        self.handshake.route = Route::default();
        self.handshake.resent = false;
        self.handshake.retries = 0;
        self.step(Input::Again);
        if self.handshake.counts(self.ladder.contact) {
            // It has not to wait, but it counts.
            self.schedule_handshake();
        }
        if self.phase == Phase::Due {
            self.set_handshake(self.now);
        }
    }

    /// A request of the handshake was refused.
    pub(super) fn handshake_refused(&mut self, verdict: Verdict, refusal: Refusal) {
        let error = |reason: Reason, delivery| {
            Error::new(reason, delivery).with_answer(refusal.answer.clone())
        };
        match verdict {
            Verdict::Again {
                reason,
                delivery: Delivery::Rejected,
            } => {
                let retries = self.handshake.retries;
                let delay = self.jitter.told_or_growing(
                    refusal.answer.retry_after,
                    retries,
                    &self.config.common.retries,
                );
                if retries >= self.config.common.retries.resends
                    || delay > self.config.common.retries.ceiling
                {
                    return self.handshake_failed(error(reason, Delivery::Rejected));
                }
                self.handshake.retries = retries.saturating_add(1);
                // What leaves next is a handshake of its own, from the endpoint on.
                self.handshake.route.restart();
                self.handshake.resent = false;
                self.handshake.last_cause = Some(error(reason, Delivery::Rejected));
                self.step(Input::Again);
                self.schedule_handshake();
                if self.phase == Phase::Due {
                    let due = self.handshake.due.max(self.now + delay);
                    self.set_handshake(due);
                    let told = error(Refused::TooManyRequests.into(), Delivery::Rejected);
                    self.handshake.told = Some(told.in_handshake());
                    for id in self.waiting.iter().copied().collect::<Vec<_>>() {
                        self.fail_if_hopeless(id);
                    }
                }
            }
            Verdict::Follow(to) if self.handshake.route.follow(to.clone()) => {
                self.step(Input::Again);
                self.set_handshake(self.now);
            }
            Verdict::Follow(_) => {
                self.handshake_failed(error(refusal.redirected().into(), Delivery::Rejected));
            }
            Verdict::Reply { error: rpc, .. }
                if self.phase == Phase::Discovering && rpc.code == UNSUPPORTED_VERSION =>
            {
                self.renegotiate(&rpc, refusal.answer);
            }
            Verdict::Reply { error: rpc, .. }
                if self.phase == Phase::Discovering
                    && rpc.code == METHOD_NOT_FOUND
                    && refusal.answer.status == Some(StatusCode::NOT_FOUND) =>
            {
                self.not_discovered();
            }
            Verdict::Reply { error: rpc, .. }
                if self.phase == Phase::Initializing && rpc.code == INVALID_PARAMS =>
            {
                self.offer_another(rpc, refusal.answer);
            }
            Verdict::Reply { .. } => {
                self.handshake_failed(error(Refused::Rpc.into(), Delivery::Rejected));
            }
            Verdict::Again { reason, delivery } | Verdict::Fail { reason, delivery } => {
                self.handshake_failed(error(reason, delivery));
            }
            // `initialize` carries no session id: these verdicts need one.
            Verdict::Lost | Verdict::Older | Verdict::Suspect => {
                self.handshake_failed(error(Refused::Status.into(), Delivery::Rejected));
            }
        }
    }

    /// A request of the handshake failed. Unless something else is to be asked, the
    /// handshake has failed, and so does all that waits for it. It leaves nothing behind.
    pub(super) fn handshake_failed(&mut self, error: Error) {
        let error = error.for_method(self.ladder.contact.method());
        let error = error.for_many(self.config.common.limits.error_body);
        // What is due is the next step of a search: it can no longer be taken.
        let searches = matches!(
            self.phase,
            Phase::Due | Phase::Discovering | Phase::Opening | Phase::Initializing
        );
        if searches && self.ladder.failed(&error, self.config.pinned).is_some() {
            return self.go_on();
        }
        let error = self.ladder.verdict(error);
        if let Some(session) = self.session.id.take() {
            self.say_farewell(session, self.session.revision);
        }
        self.settle(Finding::Lost);
        if error.delivery() == Delivery::NotSent && searches {
            // What was sent on did reach the server before.
            let sent_on = self.handshake.route.target().is_some() || self.handshake.resent;
            if !sent_on && std::mem::take(&mut self.handshake.last_counted) {
                self.handshake.attempts.unsent();
            }
            self.handshake.failures = self.handshake.failures.saturating_add(1);
            self.handshake.unreached = Some((self.now, error.clone()));
        }
        self.handshake.last_cause = Some(error.clone());
        self.handshake.announce = true;
        self.give_handshake_up(error);
    }

    fn give_handshake_up(&mut self, error: Error) {
        self.close_channel();
        self.settle_provisional(false);
        self.timers.clear(Timer::Handshake);
        self.initialized_due = false;
        self.step(Input::Failed);
        self.handshake.refusal = Some((error.clone(), self.now));
        self.tell(&error);
        let unreached =
            matches!(error.reason(), Reason::Transport(_)) && error.delivery() == Delivery::NotSent;
        self.fail_waiting(&error, |it, id| unreached && it.is_patient(id));
    }

    /// A call whose time ends before the handshake that the server put off.
    pub(super) fn fail_if_hopeless(&mut self, id: CallId) {
        let due = self.handshake.due;
        if let (Phase::Due, Some(told)) = (self.phase, &self.handshake.told) {
            let ends = self.timers.due(Timer::Call(id));
            if ends.is_some_and(|end| end <= due) {
                let after = Some(due.since(self.now));
                let told = told.clone().with_retry_after(after);
                self.fail_unsent(id, &told);
            }
        }
    }

    /// Why there was no session to be had the last time, as of now.
    pub(super) fn refusal(&self) -> Option<Error> {
        let (error, at) = self.handshake.refusal.as_ref()?;
        let passed = self.now.since(*at);
        let left = error
            .retry_after()
            .map(|after| after.saturating_sub(passed))
            .filter(|left| !left.is_zero());
        Some(error.clone().with_retry_after(left))
    }

    fn tell(&mut self, error: &Error) {
        if std::mem::take(&mut self.handshake.announce) {
            let error = error.clone();
            self.events.push(Event::Fail {
                subject: Subject::Connection,
                error,
            });
        }
    }

    /// All that waits for a session fails, but for what `waits_on`.
    fn fail_waiting(&mut self, error: &Error, waits_on: impl Fn(&Self, CallId) -> bool) {
        let error = error.clone().in_handshake();
        let waiting: Vec<_> = self
            .calls
            .iter()
            .filter(|(_, call)| call.waits_for_session())
            .map(|(id, _)| id)
            .collect();
        for id in waiting {
            if !waits_on(self, id) {
                self.fail_unsent(id, &error);
            }
        }
        self.fail_notices(&error);
        if self.calls.values().any(|call| call.waits_for_session()) {
            self.want_session(true);
        }
    }

    /// Takes a step of the phase table.
    pub(super) fn step(&mut self, input: Input) {
        if let Step::To(phase) = super::phase::step(self.phase, input) {
            #[cfg(feature = "harness")]
            self.taken.insert((self.phase, input));
            self.phase = phase;
        }
    }
}
