//! The handshake: one at a time, within a budget, shared by all who wait for it.

use std::time::Duration;

use http::StatusCode;

use super::Connection;
use super::budget::Attempts;
use super::call::Call;
use super::exchange::answered;
use super::jitter::CEILING;
use super::phase::{Input, Phase, Step};
use super::route::Route;
use super::session::Session;
use super::suspicion::Finding;
use super::timers::Timer;
use crate::error::{Delivery, Error, LimitExceeded, LimitKind, Peer, Reason, Refused, RpcError};
use crate::event::{Changed, Ready};
use crate::wire::headers::{self, SessionId};
use crate::wire::jsonrpc::Members;
use crate::wire::response::{Refusal, Verdict};
use crate::{CallId, Event, RawJson, Recovery, Revision, Subject, Time};

/// How long after a server could not be reached nobody tries again: those who
/// call meanwhile are told at once.
const UNREACHED: Duration = Duration::from_millis(100);
/// How often `initialize` is sent again after 408 or 429.
const RETRIES: u32 = 2;

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
    refusal: Option<(Error, Time)>,
    /// The server asked to come back later: what is told to calls that cannot wait for
    /// that.
    told: Option<Error>,
    /// When the server could not be reached, and why.
    unreached: Option<(Time, Error)>,
    /// How often in a row it could not be reached.
    failures: u32,
    /// Whether only those wait for it who are willing to.
    unhurried: bool,
    retries: u32,
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

    fn begin_anew(&mut self) {
        self.retries = 0;
        self.route = Route::default();
        self.resent = false;
        self.unhurried = false;
        self.unscheduled = true;
    }
}

impl Connection {
    pub(super) fn revision_offered(&self) -> Revision {
        self.config.pinned.unwrap_or(Revision::NEWEST)
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
        let recently = unreached.filter(|(at, _)| self.now < *at + UNREACHED);
        match (self.phase, recently) {
            (Phase::Idle | Phase::Due, Some((_, error))) if !patient => {
                self.tell(&error);
                self.fail_waiting(&error);
            }
            (Phase::Idle, recently) => {
                self.step(Input::Want);
                self.handshake.begin_anew();
                self.handshake.unhurried = recently.is_some();
            }
            (Phase::Due, None) if self.handshake.unhurried => self.handshake.begin_anew(),
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
    fn schedule_handshake(&mut self) {
        let now = self.now;
        let budget = &self.config.budget;
        let next = self.handshake.attempts.next(budget, &mut self.jitter, now);
        let spaced = match next {
            Ok(spaced) => spaced,
            Err(until) => {
                let error = self.unrecoverable(until);
                return self.give_handshake_up(error);
            }
        };
        let patient = if self.handshake.unhurried {
            let delay = self
                .jitter
                .growing(self.handshake.failures.saturating_sub(1));
            let patience = self
                .waiting
                .iter()
                .filter_map(|id| self.patience(*id))
                .min();
            (now + delay).min(patience.unwrap_or(now + delay))
        } else {
            now
        };
        self.set_handshake(spaced.max(patient));
    }

    fn set_handshake(&mut self, due: Time) {
        self.handshake.due = due.max(self.now);
        self.timers.set(Timer::Handshake, self.handshake.due);
    }

    /// It is sent again with another credential, and is still the same handshake.
    pub(super) fn initialize_once_more(&mut self) {
        self.handshake.route.again();
        self.handshake.resent = true;
        self.step(Input::Again);
        self.set_handshake(self.now);
    }

    /// `initialize` is about to leave. A redirected one is still the same handshake.
    pub(super) fn initialize_sent(&mut self) {
        self.timers.clear(Timer::Handshake);
        self.handshake.told = None;
        if self.handshake.route.target().is_none() && !self.handshake.resent {
            self.handshake.attempts.sent(self.now);
        }
        self.step(Input::Sent);
    }

    /// A reply to `initialize` (lifecycle: initialization).
    pub(super) fn initialize_answered(
        &mut self,
        session: Option<SessionId>,
        outcome: Result<RawJson, RpcError>,
        status: StatusCode,
    ) {
        let read = match outcome {
            Ok(result) => self
                .read_result(&result)
                .map(|(revision, caps)| (result, revision, caps)),
            Err(rpc) => {
                let mut answer = answered(status);
                answer.rpc = Some(rpc);
                Err(Error::new(Refused::Rpc, Delivery::Rejected).with_answer(answer))
            }
        };
        match read {
            Ok((result, revision, capabilities)) => {
                self.accepted_session(session, result, revision, capabilities);
            }
            Err(error) => {
                if let Some(session) = session {
                    self.say_farewell(session, None);
                }
                self.handshake_failed(error);
            }
        }
    }

    fn read_result(&self, result: &RawJson) -> Result<(Revision, RawJson), Error> {
        let value = self.config.limits.initialize;
        if result.len() > value {
            let kind = LimitKind::Initialize;
            return Err(Error::new(LimitExceeded { kind, value }, Delivery::Unknown));
        }
        let invalid = |why: &str| Error::new(Peer::Initialize(why.to_owned()), Delivery::Unknown);
        let members = Members::of(result.as_str());
        let version: String = members
            .get("protocolVersion")
            .and_then(|version| serde_json::from_str(version.get()).ok())
            .ok_or_else(|| invalid("it names no protocol version"))?;
        let offered = self.revision_offered();
        let revision = Revision::from_date(&version)
            .filter(|revision| self.config.pinned.is_none_or(|pinned| pinned == *revision))
            .ok_or_else(|| {
                let server = headers::excerpt(version.as_bytes());
                Error::new(Peer::Revision { server, offered }, Delivery::Unknown)
            })?;
        let capabilities = members
            .get("capabilities")
            .filter(|value| value.get().starts_with('{'))
            .ok_or_else(|| invalid("it names no capabilities"))?;
        let capabilities = RawJson::new(capabilities).map_err(|_| invalid("its capabilities"))?;
        Ok((revision, capabilities))
    }

    fn accepted_session(
        &mut self,
        id: Option<SessionId>,
        initialize: RawJson,
        revision: Revision,
        capabilities: RawJson,
    ) {
        self.session.generation = self.session.generation.saturating_add(1);
        self.session.id = id;
        self.session.revision = Some(revision);
        self.session.capabilities = Some(capabilities);
        self.session.initialize = Some(initialize);
        self.handshake.attempts.established();
        self.handshake.route = Route::default();
        self.initialized_due = true;
        self.settle_provisional(true);
        self.step(Input::Accepted);
    }

    /// `notifications/initialized` was accepted: calls may leave.
    pub(super) fn confirmed(&mut self) {
        let hold = self.handshake.replaces && self.config.recovery == Recovery::Hold;
        self.step(if hold {
            Input::ConfirmedHeld
        } else {
            Input::Confirmed
        });
        self.handshake.replaces = false;
        self.handshake.failures = 0;
        self.handshake.unreached = None;
        self.handshake.last_cause = None;
        self.handshake.refusal = None;
        if hold {
            self.hold_refused();
        }
        let Session {
            generation,
            revision,
            capabilities,
            initialize,
            ..
        } = self.session.clone();
        if let (Some(revision), Some(capabilities), Some(initialize)) =
            (revision, capabilities, initialize)
        {
            let before = self.shown.replace((revision, capabilities.clone()));
            let changed = before.map(|(before, had)| Changed {
                revision: before != revision,
                capabilities: had != capabilities,
            });
            let changed = changed.unwrap_or_default();
            self.events.push(Event::Ready(Ready {
                generation,
                revision,
                capabilities,
                initialize,
                changed,
            }));
        }
        self.listen();
        self.restoring.begin();
    }

    /// `initialize` was refused.
    pub(super) fn initialize_refused(&mut self, verdict: Verdict, refusal: Refusal) {
        let error = |reason: Reason, delivery| {
            Error::new(reason, delivery).with_answer(refusal.answer.clone())
        };
        match verdict {
            Verdict::Again {
                reason,
                delivery: Delivery::Rejected,
            } => {
                let retries = self.handshake.retries;
                let delay = self
                    .jitter
                    .told_or_growing(refusal.answer.retry_after, retries);
                if retries >= RETRIES || delay > CEILING {
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

    /// The handshake failed: so does all that waits for it. It leaves nothing behind.
    pub(super) fn handshake_failed(&mut self, error: Error) {
        let error = error.for_method("initialize");
        if let Some(session) = self.session.id.take() {
            self.say_farewell(session, self.session.revision);
        }
        self.settle(Finding::Lost);
        let unreached = error.delivery() == Delivery::NotSent
            && self.phase == Phase::Initializing
            && self.handshake.route.target().is_none()
            && !self.handshake.resent;
        if unreached {
            self.handshake.attempts.unsent();
            self.handshake.failures = self.handshake.failures.saturating_add(1);
            self.handshake.unreached = Some((self.now, error.clone()));
        }
        self.handshake.last_cause = Some(error.clone());
        self.handshake.announce = true;
        self.give_handshake_up(error);
    }

    fn give_handshake_up(&mut self, error: Error) {
        self.settle_provisional(false);
        self.timers.clear(Timer::Handshake);
        self.initialized_due = false;
        self.step(Input::Failed);
        self.handshake.refusal = Some((error.clone(), self.now));
        self.tell(&error);
        self.fail_waiting(&error);
    }

    /// A call whose time ends before the handshake that the server put off.
    pub(super) fn fail_if_hopeless(&mut self, id: CallId) {
        let due = self.handshake.due;
        let ends = self.timers.due(Timer::Call(id));
        if let (Phase::Due, Some(told)) = (self.phase, &self.handshake.told) {
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

    /// All that waits for a session fails, but for calls that wait for the server
    /// and may yet live to see it.
    fn fail_waiting(&mut self, error: &Error) {
        let unreached =
            matches!(error.reason(), Reason::Transport(_)) && error.delivery() == Delivery::NotSent;
        let error = error.clone().in_handshake();
        let waiting: Vec<_> = self
            .calls
            .iter()
            .filter(|(_, call)| call.waits_for_session())
            .map(|(id, _)| *id)
            .collect();
        for id in waiting {
            if !(unreached && self.patience(id).is_some()) {
                self.fail_unsent(id, &error);
            }
        }
        self.fail_notices(&error);
        if self.calls.values().any(Call::waits_for_session) {
            self.want_session(true);
        }
    }

    /// Takes a step of the phase table.
    pub(super) fn step(&mut self, input: Input) {
        if let Step::To(phase) = super::phase::step(self.phase, input) {
            self.phase = phase;
        }
    }
}
