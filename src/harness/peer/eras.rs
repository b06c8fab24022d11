//! What the server says to those who do not know yet how it is reached.

use serde_json::json;

use super::super::operation::Source;
use super::{Answer, Peer, answer, error, event, json_answer, stream, with_header, with_type};

/// Lists of revisions that it may name.
const LISTS: [&[&str]; 5] = [
    &["2025-06-18", "2025-03-26"],
    &["2024-11-05"],
    &["2025-11-25"],
    &["2099-01-01"],
    &[],
];

impl Peer {
    /// `server/discover`, as those answer it who do not speak 2026-07-28.
    pub(super) fn not_discovered(&mut self, source: &mut Source<'_>, id: u64) -> Answer {
        let unknown = error(json!(id), -32601);
        let named = source.pick(&LISTS);
        match source.below(22) {
            0..=3 => answer("not found", 404, ""),
            4..=6 => answer("method not allowed", 405, ""),
            7 | 8 => answer("bad request", 400, "no session"),
            9 => json_answer("bad request, server code", 400, &error(json!(id), -32000)),
            10..=12 => json_answer("unknown method", 200, &unknown),
            13 => stream("unknown method by stream", event(&unknown)),
            14 => json_answer(
                "discover, revisions with sessions",
                200,
                &json!({ "jsonrpc": "2.0", "id": id, "result": {
                    "resultType": "complete", "supportedVersions": named, "capabilities": {},
                }}),
            ),
            15 => self.unsupported(id, -32022, 400, named),
            16 => json_answer("header mismatch", 400, &error(json!(id), -32020)),
            17 => answer("unauthorized", 401, ""),
            18 => with_header(answer("unavailable", 503, "later"), "retry-after", "1"),
            19 => with_header(answer("too many", 429, ""), "retry-after", "2"),
            20 => with_type("another type", "text/html", "<h1>Welcome</h1>"),
            _ => answer("accepted", 202, ""),
        }
    }

    /// An `initialize` that leads elsewhere.
    pub(super) fn turned_away(&mut self, source: &mut Source<'_>, id: u64) -> Answer {
        let named = source.pick(&LISTS);
        match source.below(12) {
            0 | 1 => answer("bad request", 400, ""),
            2..=4 => answer("not found", 404, ""),
            5 | 6 => answer("method not allowed", 405, ""),
            7 => json_answer("header mismatch", 400, &error(json!(id), -32020)),
            8 => self.unsupported(id, -32022, 400, &["2026-07-28"]),
            9 => self.unsupported(id, -32021, 400, &[]),
            10 => self.unsupported(id, -32602, 400, named),
            _ => self.unsupported(id, -32602, 200, named),
        }
    }

    /// An error that names revisions.
    pub(super) fn unsupported(
        &mut self,
        id: u64,
        code: i64,
        status: u16,
        named: &[&str],
    ) -> Answer {
        let mut error = error(json!(id), code);
        error["error"]["data"] = json!({ "supported": named });
        json_answer("unsupported revision", status, &error)
    }

    /// The GET for its event stream.
    pub(super) fn opened(&mut self, source: &mut Source<'_>, _exchange: u64) -> Answer {
        match source.below(8) {
            0 => answer("method not allowed", 405, ""),
            1 => answer("not found", 404, ""),
            2 => answer("bad request", 400, ""),
            3 => stream("stream without an address", event(&self.notification())),
            4 => stream("stream of nothing", ": nothing\n\n".to_owned()),
            5 => with_header(answer("too many", 429, ""), "retry-after", "2"),
            6 => answer("unauthorized", 401, ""),
            _ => with_type("another type", "text/html", "<h1>Welcome</h1>"),
        }
    }
}
