//! Requests: what each needs before it can leave, and what it carries.

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, Uri};
use serde_json::json;

use super::Connection;
use super::exchange::Purpose;
use super::phase::Input;
use super::restoring::{SET_LEVEL, level_of};
use crate::error::{Delivery, Error, Mistake, Misuse};
use crate::event::Reply;
use crate::wire::jsonrpc;
use crate::wire::meta::{self, Carried, Stamp};
use crate::wire::{request, value};
use crate::{CallId, RawJson, Revision};

/// The levels of log messages (server/utilities/logging).
const LEVELS: [&str; 8] = [
    "alert",
    "critical",
    "debug",
    "emergency",
    "error",
    "info",
    "notice",
    "warning",
];

/// Params are written only from what could be read.
pub(super) fn unreadable() -> Mistake {
    Mistake::Params("cannot be read as an object".to_owned())
}

impl Connection {
    pub(super) fn build_initialize(&mut self) -> Request<Bytes> {
        let params = RawJson::new(&json!({
            "protocolVersion": self.revision_offered().as_str(),
            "capabilities": self.config.common.capabilities,
            "clientInfo": self.config.common.client_info,
        }));
        let body = jsonrpc::request(self.next_request_id(), "initialize", params.ok().as_ref());
        self.handshake_sent(Input::Sent);
        self.envelope(self.handshake.route.target(), None, None)
            .post(body)
    }

    pub(super) fn build_discover(&mut self) -> Option<Request<Bytes>> {
        let revision = self.revision_offered();
        let config = &self.config;
        let stamp = Stamp::new(
            revision,
            &config.common.client_info,
            &config.common.capabilities,
            None,
        );
        self.handshake_sent(Input::Probed);
        let way = (self.handshake.route.target(), None);
        let request = self.alone(way, ("server/discover", None), None, (revision, &stamp));
        request.ok()
    }

    /// A request of the machine's own where each stands on its own.
    pub(super) fn stand_alone(
        &self,
        target: Option<&Uri>,
        method: &str,
        params: Option<&RawJson>,
    ) -> Option<Request<Bytes>> {
        let stamp = self.session.stamp.as_ref()?;
        let stamp = (self.revision_spoken(), stamp);
        self.alone((target, None), (method, params), None, stamp)
            .ok()
    }

    /// A request that stands on its own: it carries all that there is to know, and its
    /// headers say what is in it (2026-07-28, transports/streamable-http: request
    /// metadata).
    fn alone(
        &self,
        (target, own_headers): (Option<&Uri>, Option<&HeaderMap>),
        (method, given): (&str, Option<&RawJson>),
        carried: Option<Carried<'_>>,
        (revision, stamp): (Revision, &Stamp),
    ) -> Result<Request<Bytes>, Mistake> {
        let params = meta::params(given, stamp, carried).ok_or_else(unreadable)?;
        let body = jsonrpc::request(self.next_request_id(), method, Some(&params));
        let mut envelope = self.envelope(target, own_headers, None);
        envelope.revision = Some(revision);
        let mut request = envelope.post(body);
        request::describe(&mut request, method)?;
        if let Some(name) = value::name_of(method, given) {
            request.headers_mut().insert(request::NAME, name);
        }
        if method == "tools/call" {
            request.headers_mut().extend(self.tools.headers(given)?);
        }
        Ok(request)
    }

    /// The next call that waits, unless it asks for what the server does not offer.
    pub(super) fn build_call(&mut self) -> Option<(Purpose, Request<Bytes>)> {
        let id = self.waiting.pop_first()?;
        match self.call_request(id) {
            Ok(request) => Some((Purpose::Call(id), request?)),
            Err(mistake) => {
                let misuse = Misuse::new("call", Some(self.phase), mistake);
                self.fail_call(id, Error::new(misuse, Delivery::NotSent));
                None
            }
        }
    }

    /// The request of a call; nothing if the call has ended without one.
    fn call_request(&mut self, id: CallId) -> Result<Option<Request<Bytes>>, Mistake> {
        let number = self.next_request_id();
        let revision = self.revision_spoken();
        let Some(call) = self.calls.get(&id) else {
            return Ok(None);
        };
        if let Some(capability) = self.missing_capability(&call.method) {
            return Err(Mistake::CapabilityMissing(capability));
        }
        if call.method == SET_LEVEL && !revision.has_method(SET_LEVEL) {
            self.set_level(id)?;
            return Ok(None);
        }
        self.check_method(&call.method)?;
        let target = call.route.target();
        let request = match &self.session.stamp {
            Some(stamp) => self.alone(
                (target, Some(&call.headers)),
                (&call.method, call.params.as_ref()),
                call.rounds.carried(),
                (revision, stamp),
            )?,
            None => {
                let body = jsonrpc::request(number, &call.method, call.params.as_ref());
                let session = self.session.id.as_ref();
                self.envelope(target, Some(&call.headers), session)
                    .post(body)
            }
        };
        Ok(Some(request))
    }

    /// Whether the revision that is spoken has this method.
    pub(super) fn check_method(&self, method: &str) -> Result<(), Mistake> {
        let revision = self.revision_spoken();
        if revision.has_method(method) {
            return Ok(());
        }
        let method = method.to_owned();
        Err(Mistake::NotInRevision { method, revision })
    }

    /// Where no request sets the log level, it travels with each (2026-07-28,
    /// server/utilities/logging).
    fn set_level(&mut self, id: CallId) -> Result<(), Mistake> {
        let params = self.calls.get(&id).and_then(|call| call.params.as_ref());
        if !level_of(params).is_some_and(|level| LEVELS.contains(&&*level)) {
            return Err(Mistake::Params("name no log level".to_owned()));
        }
        if let Some(call) = self.calls.get_mut(&id) {
            call.generation = self.session.generation;
        }
        let outcome = Ok(RawJson::trusted("{}".to_owned()));
        let status = StatusCode::OK;
        self.reply(id, Reply { outcome, status });
        self.stamp();
        Ok(())
    }
}
