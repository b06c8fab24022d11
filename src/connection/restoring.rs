//! What is asked for in each session anew: resource subscriptions (server/resources:
//! subscriptions) and the log level (server/utilities: logging).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use http::Request;
use serde_json::json;

use super::Connection;
use super::exchange::{Exchange, Purpose};
use super::route::Route;
use crate::error::{Delivery, Error, Mistake, Misuse};
use crate::wire::jsonrpc::{self, Members};
use crate::{Event, RawJson, SubscriptionFilter};

pub(super) const SUBSCRIBE: &str = "resources/subscribe";
/// So many requests that restore something are on their way at a time: a part of
/// [`Limits::control_exchanges`](crate::Limits::control_exchanges).
const AT_ONCE: usize = 16;
pub(super) const SET_LEVEL: &str = "logging/setLevel";
const UNSUBSCRIBE: &str = "resources/unsubscribe";

/// What the application asked for, once for all sessions.
#[derive(Clone, Debug, Default)]
pub(super) struct Restoring {
    /// What it wants to hear about.
    pub(super) filter: SubscriptionFilter,
    /// Params of the subscriptions that calls of its own were granted, by URI.
    subscriptions: BTreeMap<String, RawJson>,
    level: Option<RawJson>,
    /// What is to be asked for in this session.
    pub(super) due: VecDeque<Restore>,
    /// How many of these are on their way.
    pub(super) under_way: usize,
    /// The resources that could not be subscribed to in this session.
    refused: BTreeSet<String>,
    /// Whether it is still to be told what it will hear about.
    untold: bool,
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
        others.extend(self.uris().cloned());
        if let Some(wanted) = &wanted {
            others.remove(wanted);
        }
        others.len()
    }

    /// All that is to be subscribed to in a new session; some twice.
    fn uris(&self) -> impl Iterator<Item = &String> {
        let filtered = &self.filter.resource_subscriptions;
        self.subscriptions.keys().chain(filtered)
    }

    /// How many resources would be subscribed to with this filter.
    pub(super) fn with(&self, filter: &SubscriptionFilter) -> usize {
        let filtered = &filter.resource_subscriptions;
        let uris: BTreeSet<_> = self.subscriptions.keys().chain(filtered).collect();
        uris.len()
    }

    /// The filter has taken the place of this one, in the middle of a session.
    pub(super) fn subscribe_instead(&mut self, before: &SubscriptionFilter) {
        self.untold = true;
        let own = &self.subscriptions;
        let (now, before) = (
            &self.filter.resource_subscriptions,
            &before.resource_subscriptions,
        );
        let refused = std::mem::take(&mut self.refused);
        let is_new = |uri: &&String| {
            refused.contains(*uri) || !before.contains(*uri) && !own.contains_key(*uri)
        };
        let mut changes: Vec<_> = now
            .iter()
            .filter(is_new)
            .map(|uri| (SUBSCRIBE, uri))
            .collect();
        let is_gone = |uri: &&String| !now.contains(*uri) && !own.contains_key(*uri);
        let gone = before.iter().filter(is_gone);
        changes.extend(
            gone.filter(|uri| !refused.contains(*uri))
                .map(|uri| (UNSUBSCRIBE, uri)),
        );
        let changes = changes.into_iter().filter_map(|(method, uri)| {
            let params = RawJson::new(&json!({ "uri": uri })).ok()?;
            Some(Restore::new(method, params))
        });
        for change in changes.collect::<Vec<_>>() {
            // What has not left need not be undone.
            let due = self.due.len();
            self.due.retain(|due| due.params != change.params);
            if self.due.len() == due || change.method == SUBSCRIBE {
                self.due.push_back(change);
            }
        }
    }

    /// Whether all that was asked for is answered, and the application does not know.
    pub(super) fn take_answered(&mut self) -> bool {
        let answered = self.untold && self.due.is_empty() && self.under_way == 0;
        self.untold &= !answered;
        answered
    }

    /// The resources of the filter that this session tells about.
    pub(super) fn granted(&self) -> BTreeSet<String> {
        let filtered = &self.filter.resource_subscriptions;
        filtered.difference(&self.refused).cloned().collect()
    }

    /// The log level that was asked for.
    pub(super) fn log_level(&self) -> Option<String> {
        level_of(self.level.as_ref())
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
            UNSUBSCRIBE => {
                let known = uri(params).and_then(|uri| self.subscriptions.remove(&uri));
                let due = self.due.len();
                self.due.retain(|due| Some(&due.params) != known.as_ref());
                if let Some(params) = known.filter(|_| !lives && self.due.len() == due) {
                    // The new session was asked for it already.
                    self.due.push_back(Restore::new(UNSUBSCRIBE, params));
                }
            }
            SET_LEVEL => {
                let level = params.and_then(|params| Members::of(params.as_str()).get("level"));
                let level = level.and_then(|level| RawJson::new(&json!({ "level": level })).ok());
                // The new session was asked for the same already.
                let known = self.level == level;
                if !lives && known {
                    return;
                }
                self.level = level;
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
        self.refused.clear();
        self.untold = !self.filter.is_empty();
        let level = self.level.iter().map(|params| (SET_LEVEL, params.clone()));
        let filtered = self.filter.resource_subscriptions.iter();
        let filtered = filtered.filter(|uri| !self.subscriptions.contains_key(*uri));
        let filtered = filtered.filter_map(|uri| RawJson::new(&json!({ "uri": uri })).ok());
        let uris = self.subscriptions.values().cloned().chain(filtered);
        let due = level.chain(uris.map(|params| (SUBSCRIBE, params)));
        self.due = due
            .map(|(method, params)| Restore::new(method, params))
            .collect();
    }
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

    /// The session in which something was to be restored is gone: what is still asked of
    /// it holds up nothing in the next one, nor says anything of it.
    pub(super) fn drop_restorations(&mut self) {
        self.restoring.due.clear();
        let restores = |exchange: &Exchange| matches!(exchange.purpose, Purpose::Restore(_));
        let all = self.exchanges.iter();
        let stale: Vec<_> = all
            .filter(|(_, exchange)| restores(exchange))
            .map(|(id, _)| *id)
            .collect();
        for id in stale {
            self.abort(id);
        }
    }

    pub(super) fn not_restored(&mut self, restore: &Restore, error: Error) {
        if restore.method == SUBSCRIBE {
            self.restoring.refused.extend(uri(Some(&restore.params)));
        }
        self.events.push(Event::NotRestored {
            method: restore.method,
            params: restore.params.clone(),
            error: error.for_method(restore.method),
        });
    }
}
