//! What is asked for in each session anew: resource subscriptions (server/resources:
//! subscriptions) and the log level (server/utilities: logging).

use std::sync::LazyLock;

use bytes::Bytes;
use http::Request;
use serde_json::json;

use super::Connection;
use super::exchange::{Exchange, Purpose};
use super::rare::Blank;
use super::resources::Resources;
use super::route::Route;
use crate::error::{Delivery, Error, Mistake, Misuse};
use crate::wire::jsonrpc::{self, Members};
use crate::{CallId, Event, RawJson, SubscriptionFilter};

pub(super) const SUBSCRIBE: &str = "resources/subscribe";
pub(super) const UNSUBSCRIBE: &str = "resources/unsubscribe";
pub(super) const SET_LEVEL: &str = "logging/setLevel";
/// So many requests that restore something are on their way at a time: a part of
/// [`Limits::control_exchanges`](crate::Limits::control_exchanges).
const AT_ONCE: usize = 16;

/// What the application asked for, once for all sessions.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Restoring {
    pub(super) resources: Resources,
    level: Option<RawJson>,
    /// The log level is to be asked for in this session, on this way.
    level_due: Option<Route>,
    /// How many requests that restore something are on their way.
    under_way: usize,
    /// Whether it is still to be told what it will hear about.
    pub(super) untold: bool,
    /// What the server agreed to on the stream that is open, where each request stands
    /// on its own.
    pub(super) acknowledged: Option<SubscriptionFilter>,
}

/// One request that restores something.
#[derive(Clone, Debug)]
pub(super) struct Restore {
    method: &'static str,
    params: RawJson,
    /// Which resource it is about, if any.
    uri: Option<String>,
    pub(super) route: Route,
}

impl Restore {
    pub(super) fn method(&self) -> &'static str {
        self.method
    }
}

impl Blank for Restoring {
    fn blank() -> &'static Self {
        static BLANK: LazyLock<Restoring> = LazyLock::new(Restoring::default);
        &BLANK
    }

    fn is_blank(&self) -> bool {
        self == Self::blank()
    }
}

impl Restoring {
    #[cfg(feature = "harness")]
    pub(super) fn weights(&self) -> super::weights::Weights {
        let Self {
            resources,
            level: _,
            level_due: _,
            under_way,
            untold: _,
            acknowledged: _,
        } = self;
        let mut weights = resources.weights();
        weights.push(("restoring.under_way", *under_way));
        weights
    }

    /// What the application wants to hear about.
    pub(super) fn filter(&self) -> &SubscriptionFilter {
        self.resources.filter()
    }

    /// The next request: the log level first.
    fn next(&mut self) -> Option<Restore> {
        if let Some((params, route)) = self.level.clone().zip(self.level_due.take()) {
            return Some(Restore {
                method: SET_LEVEL,
                params,
                uri: None,
                route,
            });
        }
        let (method, uri, route) = self.resources.next()?;
        let params = RawJson::new(&json!({ "uri": uri })).ok()?;
        Some(Restore {
            method,
            params,
            uri: Some(uri),
            route,
        })
    }

    /// Asks for this again, unless it is not wanted any more.
    pub(super) fn put_back(&mut self, restore: Restore) {
        match &restore.uri {
            Some(uri) => self.resources.put_back(restore.method, uri, restore.route),
            None if self.level.as_ref() == Some(&restore.params) => {
                self.level_due = Some(restore.route);
            }
            None => {}
        }
    }

    pub(super) fn began(&mut self, purpose: &Purpose) {
        if let Purpose::Restore(restore) = purpose {
            self.under_way = self.under_way.saturating_add(1);
            if let Some(uri) = &restore.uri {
                self.resources.left(uri.clone());
            }
        }
    }

    pub(super) fn ended(&mut self, purpose: &Purpose) {
        if let Purpose::Restore(restore) = purpose {
            self.under_way = self.under_way.saturating_sub(1);
            if let Some(uri) = &restore.uri {
                self.resources.arrived(uri);
            }
        }
    }

    /// Whether something is to be asked for.
    pub(super) fn has_more(&self) -> bool {
        self.level_due.is_some() || self.resources.is_due()
    }

    /// Whether something is to be asked for, and others are not in the way of control
    /// traffic.
    pub(super) fn is_due(&self) -> bool {
        self.has_more() && self.under_way < AT_ONCE
    }

    /// How many resources would be subscribed to with this filter, or with the one that
    /// there is, with what calls ask for: how many others than this, if one is named.
    pub(super) fn subscriptions<'a>(
        &self,
        filter: Option<&SubscriptionFilter>,
        asked: impl Iterator<Item = Option<&'a RawJson>>,
        but: Option<&RawJson>,
    ) -> usize {
        let mut wanted = self.resources.wanted(filter.unwrap_or(self.filter()));
        wanted.extend(asked.filter_map(uri));
        if let Some(but) = uri(but) {
            wanted.remove(&but);
        }
        wanted.len()
    }

    /// Whether all that was asked for is answered, and the application does not know.
    pub(super) fn take_answered(&mut self) -> bool {
        let answered = self.untold && self.resources.are_answered();
        self.untold &= !answered;
        answered
    }

    /// The log level that was asked for.
    pub(super) fn log_level(&self) -> Option<String> {
        level_of(self.level.as_ref())
    }

    /// A call succeeded: is it something to be restored? At once, if its session is
    /// gone by now.
    pub(super) fn remember(&mut self, method: &str, params: Option<&RawJson>, lives: bool) {
        if let Some(uri) = about(method, params) {
            self.resources.call_granted(method, &uri, lives);
        } else if method == SET_LEVEL {
            let level = params.and_then(|params| Members::of(params.as_str()).get("level"));
            let level = level.and_then(|level| RawJson::new(&json!({ "level": level })).ok());
            // The new session was asked for the same already.
            if lives || self.level != level {
                self.level_due = (!lives && level.is_some()).then(Route::default);
                self.level = level;
            }
        }
    }

    /// Whether a call may leave: nothing is asked about the same resource. Asked by the
    /// machine it waits for the call, from now on.
    pub(super) fn lets_pass(&mut self, id: CallId, method: &str, params: Option<&RawJson>) -> bool {
        about(method, params).is_none_or(|uri| self.resources.lets_pass(id, &uri))
    }

    pub(super) fn call_ended(&mut self, id: CallId, method: &str, params: Option<&RawJson>) {
        if let Some(uri) = about(method, params) {
            self.resources.call_ended(id, &uri);
        }
    }

    /// A new session knows nothing of all that.
    pub(super) fn begin(&mut self) {
        self.untold = !self.filter().is_empty();
        self.level_due = self.level.is_some().then(Route::default);
        self.resources.begin();
    }
}

/// The resource that a call subscribes to, or unsubscribes from.
fn about(method: &str, params: Option<&RawJson>) -> Option<String> {
    matches!(method, SUBSCRIBE | UNSUBSCRIBE)
        .then(|| uri(params))
        .flatten()
}

/// The log level that params ask for.
pub(super) fn level_of(params: Option<&RawJson>) -> Option<String> {
    let members = Members::of(params?.as_str());
    serde_json::from_str(members.get("level")?.get()).ok()
}

fn uri(params: Option<&RawJson>) -> Option<String> {
    let members = Members::of(params?.as_str());
    serde_json::from_str(members.get("uri")?.get()).ok()
}

impl Connection {
    /// The next request that restores something, unless the new session does not
    /// offer it, or the revision spoken now has no such request.
    pub(super) fn build_restore(&mut self) -> Option<(Purpose, Request<Bytes>)> {
        let restore = self.restoring.next()?;
        if restore.method == SET_LEVEL && self.binding().stands_alone() {
            // There it travels with each request.
            self.stamp();
            return None;
        }
        let missing = self.missing_capability(restore.method);
        let mistake = match missing.map(Mistake::CapabilityMissing) {
            Some(mistake) => Some(mistake),
            None => self.check_method(restore.method).err(),
        };
        if let Some(mistake) = mistake {
            let misuse = Misuse::new(restore.method, Some(self.phase), mistake);
            self.not_restored(&restore, Error::new(misuse, Delivery::NotSent));
            return None;
        }
        let body = jsonrpc::request(
            self.next_request_id(),
            restore.method,
            Some(&restore.params),
        );
        let envelope = self.envelope(restore.route.target(), None, self.session.id.as_ref());
        let request = envelope.post(body);
        Some((Purpose::Restore(Box::new(restore)), request))
    }

    /// The session in which something was to be restored is gone: what is still asked of
    /// it holds up nothing in the next one, nor says anything of it.
    pub(super) fn drop_restorations(&mut self) {
        self.restoring.level_due = None;
        self.restoring.resources.forget_asked();
        let restores = |exchange: &Exchange| matches!(exchange.purpose, Purpose::Restore(_));
        let all = self.exchanges.iter();
        let stale: Vec<_> = all
            .filter(|(_, exchange)| restores(exchange))
            .map(|(id, _)| id)
            .collect();
        for id in stale {
            self.abort(id);
        }
    }

    /// The server granted it.
    pub(super) fn restored(&mut self, restore: &Restore) {
        if let Some(uri) = &restore.uri {
            self.restoring.resources.granted(restore.method, uri);
        }
    }

    pub(super) fn not_restored(&mut self, restore: &Restore, error: Error) {
        if let Some(uri) = &restore.uri {
            if !self.restoring.resources.refused(restore.method, uri) {
                return;
            }
        }
        self.events.push(Event::NotRestored {
            method: restore.method,
            params: restore.params.clone(),
            error: error.for_method(restore.method),
        });
    }
}
