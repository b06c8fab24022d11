//! What an application wants to hear about between calls.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What an application wants to hear about between calls: given to
/// [`Connection::listen`](crate::Connection::listen), and given back, as far as the
/// server agrees, by [`Event::Listening`](crate::Event::Listening).
///
/// The same in every revision: `subscriptions/listen` (2026-07-28, patterns:
/// subscriptions), or the listening stream, `resources/subscribe` and the `listChanged`
/// capabilities before that. By default it is nothing.
///
/// ```
/// use mcp_http::SubscriptionFilter;
///
/// let filter = SubscriptionFilter::new()
///     .tools_list_changed()
///     .resource("file:///project/config.json");
/// assert!(!filter.is_empty());
/// ```
#[derive(Clone, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
#[non_exhaustive]
pub struct SubscriptionFilter {
    /// `notifications/tools/list_changed`.
    #[serde(skip_serializing_if = "is_false")]
    pub tools_list_changed: bool,
    /// `notifications/prompts/list_changed`.
    #[serde(skip_serializing_if = "is_false")]
    pub prompts_list_changed: bool,
    /// `notifications/resources/list_changed`.
    #[serde(skip_serializing_if = "is_false")]
    pub resources_list_changed: bool,
    /// `notifications/resources/updated` for the resources with these URIs.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub resource_subscriptions: BTreeSet<String>,
}

fn is_false(value: &bool) -> bool {
    !*value
}

impl SubscriptionFilter {
    /// Nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// When the list of tools changes.
    #[must_use]
    pub fn tools_list_changed(mut self) -> Self {
        self.tools_list_changed = true;
        self
    }

    /// When the list of prompts changes.
    #[must_use]
    pub fn prompts_list_changed(mut self) -> Self {
        self.prompts_list_changed = true;
        self
    }

    /// When the list of resources changes.
    #[must_use]
    pub fn resources_list_changed(mut self) -> Self {
        self.resources_list_changed = true;
        self
    }

    /// When this resource changes.
    #[must_use]
    pub fn resource(mut self, uri: impl Into<String>) -> Self {
        self.resource_subscriptions.insert(uri.into());
        self
    }

    /// Whether it asks for nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Without the URIs, which may be confidential (law 9).
impl fmt::Debug for SubscriptionFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscriptionFilter")
            .field("tools_list_changed", &self.tools_list_changed)
            .field("prompts_list_changed", &self.prompts_list_changed)
            .field("resources_list_changed", &self.resources_list_changed)
            .field("resource_subscriptions", &self.resource_subscriptions.len())
            .finish()
    }
}
