//! A server of 2026-07-28, for which each request stands on its own.

use serde_json::json;

use super::super::operation::Source;
use super::{Answer, Peer, answer, error, event, json_answer, stream};
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
}
