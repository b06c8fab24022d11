//! What a handshake agrees on: revision and capabilities.

use http::StatusCode;

use super::Connection;
use super::exchange::answered;
use super::offer::Offer;
use super::phase::Input;
use super::route::Route;
use super::session::Session;
use crate::error::{Answer, Delivery, Error, LimitExceeded, LimitKind, Peer, Refused, RpcError};
use crate::event::{Changed, LossCause, Ready, Reply};
use crate::wire::binding::Binding;
use crate::wire::handshake;
use crate::wire::headers::{self, SessionId};
use crate::wire::meta::Stamp;
use crate::wire::result::{self, Kind};
use crate::{CallId, Event, RawJson, Recovery, Resend, Revision};

/// `UnsupportedProtocolVersionError` (2026-07-28, basic: error codes).
pub(super) const UNSUPPORTED_VERSION: i64 = -32022;
/// How servers refuse `initialize` for its revision (lifecycle: error handling).
pub(super) const INVALID_PARAMS: i64 = -32602;
/// No such method (JSON-RPC 2.0, section 5.1).
pub(super) const METHOD_NOT_FOUND: i64 = -32601;

impl Connection {
    /// A reply to `initialize` (lifecycle: initialization).
    pub(super) fn initialize_answered(
        &mut self,
        session: Option<SessionId>,
        outcome: Result<RawJson, RpcError>,
        status: StatusCode,
    ) {
        let read = match outcome {
            Ok(result) => self
                .read_initialize(&result)
                .map(|(revision, caps)| (result, revision, caps)),
            Err(rpc) if rpc.code == INVALID_PARAMS => {
                if let Some(session) = session {
                    self.say_farewell(session, None);
                }
                return self.offer_another(rpc, answered(status));
            }
            Err(rpc) => Err(refused_by(rpc, status)),
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

    /// A reply to `server/discover` (2026-07-28, server/discover).
    pub(super) fn discover_answered(
        &mut self,
        outcome: Result<RawJson, RpcError>,
        status: StatusCode,
    ) {
        let read = match outcome {
            Ok(result) => self
                .read_discovery(&result)
                .map(|(versions, caps)| (result, versions, caps)),
            Err(rpc) if rpc.code == UNSUPPORTED_VERSION => {
                return self.renegotiate(&rpc, answered(status));
            }
            Err(rpc) => Err(refused_by(rpc, status)),
        };
        match read {
            Ok((result, versions, capabilities)) => match self.common(&versions) {
                Some(revision) => self.discovered(revision, Some((result, capabilities))),
                None => self.not_in_common(&versions, self.nothing_in_common(&versions)),
            },
            Err(error) => self.handshake_failed(error),
        }
    }

    /// A server of 2026-07-28 that does not know `server/discover` tells nothing of
    /// itself, and answers for all else.
    pub(super) fn not_discovered(&mut self) {
        self.discovered(self.revision_offered(), None);
    }

    fn discovered(&mut self, revision: Revision, told: Option<(RawJson, RawJson)>) {
        self.established(Binding::Stateless, None, revision, told);
        self.step(Input::Discovered);
        self.is_ready();
    }

    /// The server does not take the revision that `initialize` offered: once more with
    /// one that it names (2025-11-25, lifecycle: version negotiation; error handling).
    pub(super) fn offer_another(&mut self, rpc: RpcError, mut answer: Answer) {
        let versions = handshake::supported(rpc.data.as_ref());
        let offered = self.revision_offered();
        let other = self.common_with_handshake(&versions);
        answer.rpc = Some(rpc);
        let error = Error::new(Refused::Rpc, Delivery::Rejected).with_answer(answer);
        if let (Some(other), None) = (other.filter(|it| *it != offered), self.handshake.offered) {
            self.handshake.offered = Some(other);
            // Why there may be no more of them, should the budget be spent by this.
            self.handshake.last_cause = Some(error.for_many(self.config.common.limits.error_body));
            return self.go_on();
        }
        self.handshake_failed(error);
    }

    /// The server named the revisions that it speaks: once more with one in common
    /// (2026-07-28, versioning: protocol version negotiation).
    pub(super) fn renegotiate(&mut self, rpc: &RpcError, mut answer: Answer) {
        let versions = handshake::supported(rpc.data.as_ref());
        answer.rpc = Some(rpc.clone());
        let error = self.nothing_in_common(&versions).with_answer(answer);
        let error = error.with_delivery(Delivery::Rejected);
        if self.common(&versions).is_none() {
            return self.not_in_common(&versions, error);
        }
        if self.handshake.renegotiated {
            return self.handshake_failed(error);
        }
        self.handshake.renegotiated = true;
        self.go_on();
    }

    /// The server speaks no revision in which each request stands on its own, but perhaps
    /// one that is agreed on with `initialize`.
    fn not_in_common(&mut self, versions: &[String], error: Error) {
        let next = self.common_with_handshake(versions);
        let error = error.for_method(self.ladder.contact.method());
        if next.is_some() && self.ladder.goes_to_initialize(&error) {
            self.go_on();
        } else {
            self.handshake_failed(error);
        }
    }

    /// The server does not speak the revision in which a call was made: once more with
    /// one in common.
    pub(super) fn renegotiate_call(&mut self, id: CallId, reply: Reply) {
        let Err(rpc) = &reply.outcome else {
            return self.reply(id, reply);
        };
        let versions = handshake::supported(rpc.data.as_ref());
        let common = self.common(&versions);
        let nothing = self.nothing_in_common(&versions);
        let older = self.common_with_handshake(&versions).is_some();
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let (current, resend) = (call.generation == self.session.generation, call.resend);
        match common {
            None if older && resend == Resend::Allowed => {
                if current && self.phase.is_open() {
                    self.ladder.forget();
                    self.lose_session(LossCause::Unsupported);
                }
                self.send_again(id);
            }
            None => {
                let mut answer = answered(reply.status);
                answer.rpc = Some(rpc.clone());
                let error = nothing.with_answer(answer);
                self.fail_call(id, error.with_delivery(Delivery::Rejected));
            }
            Some(revision) if !call.renegotiated && call.resend == Resend::Allowed => {
                call.renegotiated = true;
                call.delivery = call.delivery.max(Delivery::Rejected);
                self.session.revision = Some(revision);
                self.stamp();
                self.queue(id);
            }
            Some(_) => self.reply(id, reply),
        }
    }

    /// Writes anew what every request carries where each stands on its own.
    pub(super) fn stamp(&mut self) {
        let revision = self.revision_spoken();
        let stamp = self.binding().stands_alone().then(|| {
            let config = &self.config;
            let level = self.restoring.log_level();
            Stamp::new(
                revision,
                &config.common.client_info,
                &config.common.capabilities,
                level.as_deref(),
            )
        });
        self.session.stamp = stamp;
    }

    /// The newest stateless revision that the server lists and this connection may speak.
    pub(super) fn common(&self, versions: &[String]) -> Option<Revision> {
        let known = versions
            .iter()
            .filter_map(|version| Revision::from_date(version));
        known
            .filter(|revision| !revision.has_handshake())
            .filter(|revision| self.may_speak(*revision))
            .max()
    }

    /// The newest one that the server lists and that is agreed on with `initialize`.
    fn common_with_handshake(&self, versions: &[String]) -> Option<Revision> {
        let known = versions
            .iter()
            .filter_map(|version| Revision::from_date(version));
        known
            .filter(|revision| revision.has_handshake())
            .filter(|revision| self.may_speak(*revision))
            .max()
    }

    fn may_speak(&self, revision: Revision) -> bool {
        self.config.pinned.is_none_or(|pinned| pinned == revision)
    }

    /// The error that lists both sides.
    pub(super) fn nothing_in_common(&self, versions: &[String]) -> Error {
        let server = match versions {
            [] => "none that it names".to_owned(),
            versions => headers::excerpt(versions.join(", ").as_bytes()),
        };
        let offered = self.revision_offered();
        Error::new(Peer::Revision { server, offered }, Delivery::Unknown)
    }

    fn check_size(&self, result: &RawJson) -> Result<(), Error> {
        let value = self.config.common.limits.initialize;
        if result.len() > value {
            let kind = LimitKind::Initialize;
            return Err(Error::new(LimitExceeded { kind, value }, Delivery::Unknown));
        }
        Ok(())
    }

    fn read_initialize(&self, result: &RawJson) -> Result<(Revision, RawJson), Error> {
        self.check_size(result)?;
        let (version, capabilities) = handshake::initialized(result)
            .map_err(|why| Error::new(Peer::Initialize(why.to_owned()), Delivery::Unknown))?;
        let revision = Revision::from_date(&version)
            .filter(|revision| revision.has_handshake() && self.may_speak(*revision))
            .ok_or_else(|| self.nothing_in_common(&[version]))?;
        Ok((revision, capabilities))
    }

    fn read_discovery(&self, result: &RawJson) -> Result<(Vec<String>, RawJson), Error> {
        self.check_size(result)?;
        let invalid = |why: &str| Error::new(Peer::Discover(why.to_owned()), Delivery::Unknown);
        match result::kind(result) {
            Ok(Kind::Complete) => {}
            Ok(Kind::InputRequired(_)) => return Err(invalid("it asks for input")),
            Ok(Kind::Other(name)) => {
                return Err(Error::new(Peer::ResultType(name), Delivery::Unknown));
            }
            Err(why) => return Err(Error::new(why, Delivery::Unknown)),
        }
        handshake::discovered(result).map_err(invalid)
    }

    fn accepted_session(
        &mut self,
        id: Option<SessionId>,
        initialize: RawJson,
        revision: Revision,
        capabilities: RawJson,
    ) {
        let binding = self.binding_tried();
        self.established(binding, id, revision, Some((initialize, capabilities)));
        self.initialized_due = true;
        self.settle_provisional(true);
        self.step(Input::Accepted);
        self.join_channel();
    }

    /// What is known of the server from now on.
    fn established(
        &mut self,
        binding: Binding,
        id: Option<SessionId>,
        revision: Revision,
        told: Option<(RawJson, RawJson)>,
    ) {
        // They are kept as long as the session.
        let told = told.map(|(result, capabilities)| (result.alone(), capabilities.alone()));
        let (result, capabilities) = told.unzip();
        self.session = Session {
            generation: self.session.generation.saturating_add(1),
            binding: Some(binding),
            id,
            revision: Some(revision),
            offer: capabilities.as_ref().map(Offer::new),
            capabilities,
            result,
            stamp: None,
        };
        self.ladder.found(binding);
        self.stamp();
        self.handshake.attempts.established();
        self.handshake.route = Route::default();
    }

    /// `notifications/initialized` was accepted: calls may leave.
    pub(super) fn confirmed(&mut self) {
        let hold = self.handshake.replaces && self.config.recovery == Recovery::Hold;
        self.step(if hold {
            Input::ConfirmedHeld
        } else {
            Input::Confirmed
        });
        if hold {
            self.hold_refused();
        }
        self.is_ready();
        self.restoring.begin();
        self.line_up_anew();
    }

    /// The handshake is over: calls may leave.
    fn is_ready(&mut self) {
        self.handshake.replaces = false;
        self.handshake.failures = 0;
        self.handshake.unreached = None;
        self.handshake.last_cause = None;
        self.handshake.refusal = None;
        let Session {
            generation,
            binding,
            revision,
            capabilities,
            result,
            ..
        } = self.session.clone();
        if let (Some(binding), Some(revision)) = (binding, revision) {
            let nothing = || RawJson::trusted("{}".to_owned());
            let capabilities = capabilities.unwrap_or_else(nothing);
            let result = result.unwrap_or_else(nothing);
            let before = self.shown.replace((revision, capabilities.clone()));
            let changed = before.map(|(before, had)| Changed {
                revision: before != revision,
                capabilities: had != capabilities,
            });
            let changed = changed.unwrap_or_default();
            self.events.push(Event::Ready(Ready {
                generation,
                binding,
                revision,
                capabilities,
                result,
                changed,
            }));
        }
        self.begin_listening();
    }
}

fn refused_by(rpc: RpcError, status: StatusCode) -> Error {
    let mut answer = answered(status);
    answer.rpc = Some(rpc);
    Error::new(Refused::Rpc, Delivery::Rejected).with_answer(answer)
}
