//! rmcp's subscriptions (`Peer::listen`), any number of them, over the machine's one filter.

use mcp_http::SubscriptionFilter;
use rmcp::model::{GetMeta, RequestId, ServerNotification};
use serde_json::json;

#[derive(Default)]
pub(crate) struct Subscriptions {
    open: Vec<Open>,
}

struct Open {
    /// That of rmcp's request, which names the subscription.
    id: RequestId,
    wanted: SubscriptionFilter,
    /// What the server agreed to, once it has.
    granted: Option<SubscriptionFilter>,
}

impl Subscriptions {
    pub(crate) fn add(&mut self, id: RequestId, wanted: SubscriptionFilter) {
        self.open.push(Open {
            id,
            wanted,
            granted: None,
        });
    }

    /// Whether there was one of this name.
    pub(crate) fn remove(&mut self, id: &RequestId) -> bool {
        let before = self.open.len();
        self.open.retain(|it| it.id != *id);
        self.open.len() < before
    }

    /// None is left: their names.
    pub(crate) fn end(&mut self) -> Vec<RequestId> {
        self.open.drain(..).map(|it| it.id).collect()
    }

    /// All that is wanted by any.
    pub(crate) fn wanted(&self) -> SubscriptionFilter {
        let mut all = SubscriptionFilter::new();
        for Open { wanted, .. } in &self.open {
            all.tools_list_changed |= wanted.tools_list_changed;
            all.prompts_list_changed |= wanted.prompts_list_changed;
            all.resources_list_changed |= wanted.resources_list_changed;
            let resources = wanted.resource_subscriptions.iter().cloned();
            all.resource_subscriptions.extend(resources);
        }
        all
    }

    /// The server agreed to this: what is to be said to those that waited for it.
    pub(crate) fn granted(&mut self, granted: &SubscriptionFilter) -> Vec<ServerNotification> {
        let mut said = Vec::new();
        for open in self.open.iter_mut().filter(|it| it.granted.is_none()) {
            let own = both(granted, &open.wanted);
            let acknowledged = json!({
                "method": "notifications/subscriptions/acknowledged",
                "params": { "notifications": own },
            });
            open.granted = Some(own);
            if let Ok(acknowledged) = serde_json::from_value(acknowledged) {
                said.push(of(&acknowledged, &open.id));
            }
        }
        said
    }

    /// The notification once for each subscription that is about it; none if it is for the
    /// handler of rmcp's client.
    pub(crate) fn copies(&self, notification: &ServerNotification) -> Vec<ServerNotification> {
        let about = |granted: &SubscriptionFilter| match notification {
            ServerNotification::ToolListChangedNotification(_) => granted.tools_list_changed,
            ServerNotification::PromptListChangedNotification(_) => granted.prompts_list_changed,
            ServerNotification::ResourceListChangedNotification(_) => {
                granted.resources_list_changed
            }
            ServerNotification::ResourceUpdatedNotification(it) => {
                granted.resource_subscriptions.contains(&it.params.uri)
            }
            _ => false,
        };
        let open = self.open.iter();
        let meant = open.filter(|it| it.granted.as_ref().is_some_and(about));
        meant.map(|it| of(notification, &it.id)).collect()
    }
}

fn of(notification: &ServerNotification, id: &RequestId) -> ServerNotification {
    let mut own = notification.clone();
    own.get_meta_mut().set_subscription_id(id.clone());
    own
}

/// What both hold.
fn both(granted: &SubscriptionFilter, wanted: &SubscriptionFilter) -> SubscriptionFilter {
    let mut both = granted.clone();
    both.tools_list_changed &= wanted.tools_list_changed;
    both.prompts_list_changed &= wanted.prompts_list_changed;
    both.resources_list_changed &= wanted.resources_list_changed;
    let resources = &mut both.resource_subscriptions;
    resources.retain(|uri| wanted.resource_subscriptions.contains(uri));
    both
}
