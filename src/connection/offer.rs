//! What the server offers, as far as calls depend on it (lifecycle: capability negotiation).

use serde_json::value::RawValue;

use super::Connection;
use crate::wire::jsonrpc::Members;
use crate::{RawJson, Revision};

/// The extension that holds what was the capability `tasks` (2026-07-28, changelog).
const TASKS: &str = "io.modelcontextprotocol/tasks";

/// The capabilities that calls need, as the server announced them: read once, not for each call.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    completions: bool,
    logging: bool,
    prompts: bool,
    resources: bool,
    subscribe: bool,
    tasks: bool,
    /// The extension of that name.
    tasks_extension: bool,
    tools: bool,
}

impl Offer {
    pub(super) fn new(capabilities: &RawJson) -> Self {
        let announced = Members::of(capabilities.as_str());
        let has = |name| announced.get(name).is_some();
        let option = |name, option| {
            let settings = announced.get(name).map_or("{}", RawValue::get);
            Members::of(settings).get(option)
        };
        let subscribe = option("resources", "subscribe");
        Self {
            completions: has("completions"),
            logging: has("logging"),
            prompts: has("prompts"),
            resources: has("resources"),
            subscribe: subscribe.is_some_and(|granted| granted.get() == "true"),
            tasks: has("tasks"),
            tasks_extension: option("extensions", TASKS).is_some(),
            tools: has("tools"),
        }
    }
}

impl Connection {
    /// The capability that a call needs and the server did not announce.
    pub(super) fn missing_capability(&self, method: &str) -> Option<&'static str> {
        let offer = self.session.offer.as_ref()?;
        let (offered, capability) = match (method, self.binding().stands_alone()) {
            // 2024-11-05 has completions without a capability for them.
            ("completion/complete", _) if self.revision_spoken() > Revision::V2024_11_05 => {
                (offer.completions, "completions")
            }
            ("logging/setLevel", _) => (offer.logging, "logging"),
            ("prompts/get" | "prompts/list", _) => (offer.prompts, "prompts"),
            ("resources/list" | "resources/read" | "resources/templates/list", _) => {
                (offer.resources, "resources")
            }
            ("resources/subscribe" | "resources/unsubscribe", false) if offer.resources => {
                (offer.subscribe, "resources.subscribe")
            }
            ("resources/subscribe" | "resources/unsubscribe", false) => (false, "resources"),
            ("tasks/cancel" | "tasks/get" | "tasks/list" | "tasks/result", false) => {
                (offer.tasks, "tasks")
            }
            ("tasks/cancel" | "tasks/get" | "tasks/update", true) => (offer.tasks_extension, TASKS),
            ("tools/call" | "tools/list", _) => (offer.tools, "tools"),
            _ => return None,
        };
        (!offered).then_some(capability)
    }
}
