//! Who wants to hear about which resource, and what the server knows of that
//! (server/resources: subscriptions). The difference is what is to be asked for, one
//! request at a time for each resource.

use std::collections::{BTreeMap, BTreeSet};

use super::restoring::{SUBSCRIBE, UNSUBSCRIBE};
use super::route::Route;
use crate::{CallId, SubscriptionFilter};

/// The resources that something is wanted or known of, by URI.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Resources {
    /// What the application wants to hear about, by [`listen`](super::Connection::listen).
    filter: SubscriptionFilter,
    all: BTreeMap<String, Resource>,
    /// What the server knows differs from what is wanted: to be asked for, and whether
    /// it is to be unsubscribed from, which comes last.
    due: BTreeSet<(bool, String)>,
    /// It differs, but a call of the application about it is on its way.
    behind_calls: BTreeSet<String>,
    /// Asked for, and not answered: on its way, in doubt, or waiting for another
    /// credential.
    asked: BTreeSet<String>,
    /// Of these, what is on its way.
    under_way: BTreeSet<String>,
    /// Calls of the application about a resource that may leave, or have left.
    calls: BTreeMap<String, BTreeSet<CallId>>,
}

/// One resource.
#[derive(Clone, Debug, Default, PartialEq)]
struct Resource {
    /// Whether a call of the application was granted it. It is in the filter besides,
    /// or not.
    by_call: bool,
    known: Known,
    /// The way of a request that is sent once more, and which it is.
    route: Option<(&'static str, Route)>,
}

/// What the server knows in this session.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Known {
    Granted,
    /// It would not be subscribed to, or unsubscribed from; it is not asked for the same
    /// again.
    Refused,
    #[default]
    Nothing,
}

/// What the server knows when this leaves.
fn before(method: &str) -> Known {
    if method == SUBSCRIBE {
        Known::Nothing
    } else {
        Known::Granted
    }
}

impl Resources {
    #[cfg(feature = "harness")]
    pub(super) fn weights(&self) -> super::weights::Weights {
        let Self {
            filter,
            all,
            due,
            behind_calls,
            asked,
            under_way,
            calls,
        } = self;
        vec![
            ("resources.filter", filter.resource_subscriptions.len()),
            ("resources.all", all.len()),
            ("resources.due", due.len()),
            ("resources.behind_calls", behind_calls.len()),
            ("resources.asked", asked.len()),
            ("resources.under_way", under_way.len()),
            ("resources.calls", calls.len()),
            (
                "resources.calls_about",
                calls.values().map(BTreeSet::len).sum(),
            ),
        ]
    }

    pub(super) fn filter(&self) -> &SubscriptionFilter {
        &self.filter
    }

    fn wants(&self, uri: &str) -> bool {
        let by_call = self.all.get(uri).is_some_and(|it| it.by_call);
        by_call || self.filter.resource_subscriptions.contains(uri)
    }

    /// All that is to be subscribed to in a session with this filter.
    pub(super) fn wanted(&self, filter: &SubscriptionFilter) -> BTreeSet<String> {
        let by_call = self.all.iter().filter(|(_, it)| it.by_call);
        let mut wanted = filter.resource_subscriptions.clone();
        wanted.extend(by_call.map(|(uri, _)| uri.clone()));
        wanted
    }

    /// Another filter takes the place of this one.
    pub(super) fn replace(&mut self, filter: SubscriptionFilter) -> SubscriptionFilter {
        std::mem::replace(&mut self.filter, filter)
    }

    /// The filter took the place of this one, in the middle of a session. What was
    /// refused is asked for anew.
    pub(super) fn replaced(&mut self, before: &SubscriptionFilter) {
        let now = self.filter.resource_subscriptions.clone();
        for uri in now.union(&before.resource_subscriptions) {
            if let Some(it) = self.all.get_mut(uri).filter(|_| now.contains(uri)) {
                if it.known == Known::Refused {
                    it.known = Known::Nothing;
                }
            }
            self.review(uri);
        }
    }

    /// A new session knows nothing.
    pub(super) fn begin(&mut self) {
        self.forget_asked();
        self.calls.clear();
        self.all.retain(|_, it| it.by_call);
        for it in self.all.values_mut() {
            it.known = Known::Nothing;
            it.route = None;
        }
        for uri in self.wanted(&self.filter) {
            self.review(&uri);
        }
    }

    /// The session that was asked is gone.
    pub(super) fn forget_asked(&mut self) {
        self.due.clear();
        self.behind_calls.clear();
        self.asked.clear();
    }

    /// Whether something is to be asked for.
    pub(super) fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// Whether the server has answered all that there was to ask.
    pub(super) fn are_answered(&self) -> bool {
        self.due.is_empty() && self.behind_calls.is_empty() && self.asked.is_empty()
    }

    /// What the server is to be asked next: the method, of which resource, and where.
    pub(super) fn next(&mut self) -> Option<(&'static str, String, Route)> {
        let (is_over, uri) = self.due.pop_first()?;
        let method = if is_over { UNSUBSCRIBE } else { SUBSCRIBE };
        let route = self.all.get_mut(&uri).and_then(|it| it.route.take());
        let route = route.filter(|(before, _)| *before == method);
        self.asked.insert(uri.clone());
        Some((
            method,
            uri,
            route.map(|(_, route)| route).unwrap_or_default(),
        ))
    }

    /// A request about this resource has left.
    pub(super) fn left(&mut self, uri: String) {
        self.under_way.insert(uri);
    }

    /// It is on its way no longer, whatever became of it.
    pub(super) fn arrived(&mut self, uri: &str) {
        self.under_way.remove(uri);
    }

    /// The server granted what it was asked for.
    pub(super) fn granted(&mut self, method: &str, uri: &str) {
        self.answered(uri, |it| {
            it.known = if method == SUBSCRIBE {
                Known::Granted
            } else {
                Known::Nothing
            };
        });
    }

    /// It could not be had: whether that says something. Meanwhile a call may have had it.
    pub(super) fn refused(&mut self, method: &str, uri: &str) -> bool {
        let mut says = false;
        self.answered(uri, |it| {
            says = it.known == before(method);
            if says {
                it.known = Known::Refused;
            }
        });
        says
    }

    /// It is to be asked for again, this way, if it is still wanted.
    pub(super) fn put_back(&mut self, method: &'static str, uri: &str, route: Route) {
        self.answered(uri, |it| it.route = Some((method, route)));
    }

    fn answered(&mut self, uri: &str, change: impl FnOnce(&mut Resource)) {
        self.asked.remove(uri);
        change(self.all.entry(uri.to_owned()).or_default());
        self.review(uri);
    }

    /// A call of the application was granted: in this session, if it `lives`.
    pub(super) fn call_granted(&mut self, method: &str, uri: &str, lives: bool) {
        let subscribes = method == SUBSCRIBE;
        let it = self.all.entry(uri.to_owned()).or_default();
        it.by_call = subscribes;
        if lives {
            it.known = if subscribes {
                Known::Granted
            } else {
                Known::Nothing
            };
        }
        self.review(uri);
    }

    /// Whether a call about it may leave: no request of ours is on its way. That one
    /// waits for the call then.
    pub(super) fn lets_pass(&mut self, call: CallId, uri: &str) -> bool {
        let passes = !self.under_way.contains(uri);
        if passes {
            self.calls.entry(uri.to_owned()).or_default().insert(call);
            self.review(uri);
        }
        passes
    }

    /// A call about it has ended.
    pub(super) fn call_ended(&mut self, call: CallId, uri: &str) {
        if let Some(calls) = self.calls.get_mut(uri) {
            calls.remove(&call);
            if calls.is_empty() {
                self.calls.remove(uri);
                self.review(uri);
            }
        }
    }

    /// Something about this resource has changed: is it to be asked for now?
    fn review(&mut self, uri: &str) {
        for is_over in [false, true] {
            self.due.remove(&(is_over, uri.to_owned()));
        }
        self.behind_calls.remove(uri);
        if self.asked.contains(uri) {
            return;
        }
        let wants = self.wants(uri);
        let known = self.all.get(uri).map_or(Known::Nothing, |it| it.known);
        let differs = match known {
            Known::Granted => !wants,
            Known::Nothing => wants,
            Known::Refused => false,
        };
        if differs {
            self.all.entry(uri.to_owned()).or_default();
            if self.calls.contains_key(uri) {
                self.behind_calls.insert(uri.to_owned());
            } else {
                self.due.insert((!wants, uri.to_owned()));
            }
        } else if let Some(it) = self.all.get_mut(uri) {
            it.route = None;
            if !wants {
                self.all.remove(uri);
            }
        }
    }

    /// The resources of the filter that this session tells about.
    pub(super) fn told(&self) -> BTreeSet<String> {
        let granted = |uri: &&String| {
            let it = self.all.get(*uri);
            it.is_some_and(|it| it.known == Known::Granted)
        };
        let filtered = self.filter.resource_subscriptions.iter();
        filtered.filter(granted).cloned().collect()
    }
}
