//! What is under way, as an observer knows it.

use bytes::Bytes;
use http::Request;
use serde_json::Value;

use super::wire::{self, Carries};
use crate::{ExchangeId, Time};

/// An exchange that is under way.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) id: ExchangeId,
    pub(super) carries: Carries,
    pub(super) at: Time,
    /// The JSON-RPC id of a request.
    pub(super) rpc: Value,
    /// Of the request, as it says.
    pub(super) version: String,
    /// By which it asks for progress.
    pub(super) token: Value,
    /// The session that it belongs to, by its id or its address.
    pub(super) session: Option<String>,
    /// Whether what it is answered comes on an HTTP+SSE server's stream.
    pub(super) apart: bool,
    /// Whether it is an event stream whose head came.
    pub(super) streams: bool,
    /// Whether a reply came on it.
    pub(super) replied: bool,
    /// The id of its last event.
    pub(super) event: u32,
    /// Whether it is to be taken up again later than anybody waits.
    pub(super) waits: bool,
}

impl Open {
    pub(super) fn new(id: ExchangeId, request: &Request<Bytes>, at: Time) -> Self {
        let message: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let session = request.headers().get(wire::SESSION_ID);
        let session = session.map(|id| id.to_str().unwrap_or_default());
        let version = message["params"]["protocolVersion"].as_str();
        Self {
            id,
            carries: Carries::of(request, &message),
            at,
            rpc: message["id"].clone(),
            version: version.unwrap_or_default().to_owned(),
            token: message["params"]["_meta"]["progressToken"].clone(),
            session: session.or(wire::address(request)).map(str::to_owned),
            apart: false,
            streams: false,
            replied: false,
            event: 0,
            waits: false,
        }
    }

    /// Whether it is one of those that make the connection ready to be used.
    pub(super) fn is_handshake(&self) -> bool {
        self.carries.is_handshake() || self.opens_channel()
    }

    /// A listening stream has a session here.
    pub(super) fn opens_channel(&self) -> bool {
        self.carries == Carries::Get && self.session.is_none()
    }
}

/// A reply that is to come on an HTTP+SSE server's stream.
#[derive(Clone, Debug)]
pub(super) struct Owed {
    pub(super) carries: Carries,
    pub(super) rpc: Value,
    pub(super) version: String,
    pub(super) token: Value,
    /// Whether its POST broke off, so that nobody waits for it any more.
    pub(super) broken: bool,
}

impl Owed {
    pub(super) fn by(open: &Open) -> Self {
        Self {
            carries: open.carries,
            rpc: open.rpc.clone(),
            version: open.version.clone(),
            token: open.token.clone(),
            broken: false,
        }
    }
}
