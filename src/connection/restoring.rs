//! What is asked for anew in a session that takes the place of a lost one: resource
//! subscriptions (server/resources: subscriptions) and the log level
//! (server/utilities: logging).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use http::Request;
use serde_json::json;

use super::Connection;
use super::exchange::Purpose;
use super::route::Route;
use crate::error::{Delivery, Error, Mistake, Misuse};
use crate::wire::jsonrpc::{self, Members};
use crate::{Event, RawJson};

pub(super) const SUBSCRIBE: &str = "resources/subscribe";
/// So many requests that restore something are on their way at a time: a part of
/// [`Limits::control_exchanges`](crate::Limits::control_exchanges).
const AT_ONCE: usize = 16;
const SET_LEVEL: &str = "logging/setLevel";

/// What the application asked for and the server granted.
#[derive(Clone, Debug, Default)]
pub(super) struct Restoring {
    /// Params by URI.
    subscriptions: BTreeMap<String, RawJson>,
    level: Option<RawJson>,
    /// What is to be asked for in this session.
    pub(super) due: VecDeque<Restore>,
    /// How many of these are on their way.
    pub(super) under_way: usize,
}

/// One request that restores something.
#[derive(Clone, Debug)]
pub(super) struct Restore {
    method: &'static str,
    params: RawJson,
    pub(super) route: Route,
}

impl Restore {
    fn new(method: &'static str, params: RawJson) -> Self {
        let route = Route::default();
        Self {
            method,
            params,
            route,
        }
    }

    pub(super) fn method(&self) -> &'static str {
        self.method
    }
}

impl Restoring {
    /// Asks for this again, before all else, unless it is not wanted any more.
    pub(super) fn put_back(&mut self, restore: Restore) {
        let wanted = match restore.method {
            SUBSCRIBE => {
                uri(Some(&restore.params)).is_some_and(|uri| self.subscriptions.contains_key(&uri))
            }
            _ => self.level.as_ref() == Some(&restore.params),
        };
        if wanted {
            self.due.push_front(restore);
        }
    }

    pub(super) fn began(&mut self, purpose: &Purpose) {
        if matches!(purpose, Purpose::Restore(_)) {
            self.under_way = self.under_way.saturating_add(1);
        }
    }

    pub(super) fn ended(&mut self, purpose: &Purpose) {
        if matches!(purpose, Purpose::Restore(_)) {
            self.under_way = self.under_way.saturating_sub(1);
        }
    }

    /// Whether something is to be asked for, and others are not in the way of control
    /// traffic.
    pub(super) fn is_due(&self) -> bool {
        !self.due.is_empty() && self.under_way < AT_ONCE
    }

    /// How many subscriptions there are to other resources, with those that are
    /// `asked` for.
    pub(super) fn others<'a>(
        &self,
        params: Option<&RawJson>,
        asked: impl Iterator<Item = Option<&'a RawJson>>,
    ) -> usize {
        let wanted = uri(params);
        let mut others: BTreeSet<String> = asked.filter_map(uri).collect();
        others.retain(|uri| !self.subscriptions.contains_key(uri) && Some(uri) != wanted.as_ref());
        let known = wanted.is_some_and(|uri| self.subscriptions.contains_key(&uri));
        let granted = self.subscriptions.len().saturating_sub(usize::from(known));
        granted.saturating_add(others.len())
    }

    /// A call succeeded: is it something to be restored? At once, if its session is
    /// gone by now.
    pub(super) fn remember(&mut self, method: &str, params: Option<&RawJson>, lives: bool) {
        match method {
            SUBSCRIBE => {
                if let Some(uri) = uri(params) {
                    if let Ok(params) = RawJson::new(&json!({ "uri": uri })) {
                        let known = self.subscriptions.insert(uri, params.clone());
                        if !lives && known.is_none() {
                            self.due.push_back(Restore::new(SUBSCRIBE, params));
                        }
                    }
                }
            }
            "resources/unsubscribe" => {
                let known = uri(params).and_then(|uri| self.subscriptions.remove(&uri));
                self.due.retain(|due| Some(&due.params) != known.as_ref());
            }
            SET_LEVEL => {
                let level = params.and_then(|params| Members::of(params.as_str()).get("level"));
                self.level = level.and_then(|level| RawJson::new(&json!({ "level": level })).ok());
                self.due.retain(|due| due.method != SET_LEVEL);
                if !lives {
                    let due = self.level.iter().cloned();
                    self.due
                        .extend(due.map(|params| Restore::new(SET_LEVEL, params)));
                }
            }
            _ => {}
        }
    }

    /// A new session knows nothing of all that.
    pub(super) fn begin(&mut self) {
        let level = self.level.iter().map(|params| (SET_LEVEL, params));
        let uris = self
            .subscriptions
            .values()
            .map(|params| (SUBSCRIBE, params));
        let due = level.chain(uris);
        self.due = due
            .map(|(method, params)| Restore::new(method, params.clone()))
            .collect();
    }
}

fn uri(params: Option<&RawJson>) -> Option<String> {
    let members = Members::of(params?.as_str());
    serde_json::from_str(members.get("uri")?.get()).ok()
}

impl Connection {
    /// The next request that restores something, unless the new session does not
    /// offer it.
    pub(super) fn build_restore(&mut self) -> Option<(Purpose, Request<Bytes>)> {
        let restore = self.restoring.due.pop_front()?;
        if let Some(capability) = self.missing_capability(restore.method) {
            let mistake = Mistake::CapabilityMissing(capability);
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

    pub(super) fn not_restored(&mut self, restore: &Restore, error: Error) {
        self.events.push(Event::NotRestored {
            method: restore.method,
            params: restore.params.clone(),
            error: error.for_method(restore.method),
        });
    }
}
