//! A server of 2026-07-28, for which each request stands on its own.

use serde_json::{Value, json};

use super::super::operation::Source;
use super::super::secrets::MARK;
use super::{Answer, Peer, Request, answer, error, event, json_answer, reply, stream};
use crate::Binding;

impl Peer {
    pub(super) fn stands_alone(&self) -> bool {
        self.binding == Binding::Stateless
    }

    /// `server/discover`.
    pub(super) fn discovered(&mut self, source: &mut Source<'_>, id: u64) -> Answer {
        self.sessions += 1;
        let capabilities = self.capabilities();
        let result = |versions: &[&str]| {
            json!({ "jsonrpc": "2.0", "id": id, "result": {
                "resultType": "complete", "supportedVersions": versions,
                "capabilities": capabilities,
            }})
        };
        match source.below(16) {
            0..=8 => json_answer("discover", 200, &result(&["2026-07-28"])),
            9 | 10 => json_answer("discover", 200, &result(&["2025-11-25", "2026-07-28"])),
            11 => stream("discover by stream", event(&result(&["2026-07-28"]))),
            12 => self.unsupported(id, -32022, 400, &["2026-07-28", "2099-01-01"]),
            13 => self.unsupported(id, -32021, 400, &[]),
            14 => json_answer("discover, unknown", 404, &error(json!(id), -32601)),
            _ => json_answer("discover, nothing in common", 200, &result(&["2099-01-01"])),
        }
    }

    /// `initialize`, which such a server does not know.
    pub(super) fn not_initialized(&mut self, source: &mut Source<'_>, id: u64) -> Answer {
        match source.below(8) {
            0..=4 => self.unsupported(id, -32022, 400, &["2026-07-28"]),
            5 => self.unsupported(id, -32021, 400, &[]),
            6 => json_answer("unknown method", 404, &error(json!(id), -32601)),
            _ => answer("method not allowed", 405, ""),
        }
    }

    /// What it says to a call instead of a reply.
    pub(super) fn no_reply_yet(&mut self, source: &mut Source<'_>, id: u64) -> Answer {
        let n = self.next();
        let ask = |n| json!({ "method": "elicitation/create", "params": { "m": n, "s": format!("{MARK}question") } });
        let state = format!("{MARK}state {n}");
        let result = |mut result: Value| {
            result["resultType"] = json!("input_required");
            json!({ "jsonrpc": "2.0", "id": id, "result": result })
        };
        match source.below(24) {
            0..=7 => {
                let asked = json!({ "inputRequests": { "a": ask(n) }, "requestState": state });
                json_answer("input required", 200, &result(asked))
            }
            8..=10 => {
                let asked = json!({ "inputRequests": { "a": ask(n), "b": ask(self.next()) } });
                json_answer("input required, no state", 200, &result(asked))
            }
            11 | 12 => {
                let asked = result(json!({ "inputRequests": { "a": ask(n) } }));
                let text = event(&self.notification()) + &event(&asked);
                stream("input required by stream", text)
            }
            13 | 14 => {
                let asked = result(json!({ "requestState": state }));
                json_answer("input required, state alone", 200, &asked)
            }
            15 => json_answer("input required, nothing", 200, &result(json!({}))),
            16 => {
                let asked = json!({ "a": { "method": "roots/list" } });
                let asked = result(json!({ "inputRequests": asked, "requestState": state }));
                json_answer("input required, not announced", 200, &asked)
            }
            17 => {
                let mut odd = reply(id, n);
                odd["result"]["resultType"] = json!("~~odd");
                json_answer("result of another type", 200, &odd)
            }
            18..=20 => json_answer("header mismatch", 400, &error(json!(id), -32020)),
            21 => self.unsupported(id, -32022, 400, &["2026-07-28"]),
            22 => {
                self.steps_back = true;
                self.unsupported(id, -32022, 400, &["2025-11-25", "2025-06-18"])
            }
            _ => self.unsupported(id, -32022, 400, &[]),
        }
    }

    /// A page of its list of tools.
    pub(super) fn tools(&mut self, source: &mut Source<'_>, id: u64) -> Answer {
        let mut result = json!({ "resultType": "complete", "tools": [{ "name": "work" }] });
        match source.below(4) {
            0 => result["nextCursor"] = json!(format!("page {}", self.next())),
            1 => result["tools"] = json!(null),
            _ => {}
        }
        let result = json!({ "jsonrpc": "2.0", "id": id, "result": result });
        json_answer("tools", 200, &result)
    }

    /// The stream of a subscription: often acknowledged first, sometimes ended.
    pub(super) fn subscribed(&mut self, source: &mut Source<'_>, id: u64) -> Answer {
        let mut events = Vec::new();
        if source.chance(220) {
            events.push(event(&json!({
                "jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged",
                "params": { "notifications": { "toolsListChanged": true } },
            })));
        }
        for _ in 0..source.below(4) {
            events.push(self.list_changed(id));
        }
        if source.chance(30) {
            events.push(": still there\n\n".to_owned());
        }
        let end = json!({ "jsonrpc": "2.0", "id": id, "result": { "resultType": "complete" } });
        match source.below(10) {
            0 => events.push(event(&end)),
            1 => events.push(event(&json!({
                "jsonrpc": "2.0", "method": "notifications/cancelled",
                "params": { "requestId": id },
            }))),
            2 => events.push(event(&error(json!(id), -32601))),
            _ => {}
        }
        stream("subscription", events.concat())
    }

    pub(super) fn listens(&self, id: u64) -> bool {
        let asked = self.requests.get(&id);
        asked.is_some_and(|it| matches!(it.request, Request::Subscribe))
    }

    /// What comes on it: at length its end.
    pub(super) fn list_changed(&mut self, id: u64) -> String {
        let n = self.next();
        if n % 11 == 5 {
            return event(&reply(id, n));
        }
        event(&json!({
            "jsonrpc": "2.0", "method": "notifications/tools/list_changed", "params": { "m": n, "s": format!("{MARK}changed") },
        }))
    }
}
