//! Answers of any kind, fit or unfit for what was asked.

use serde_json::{Value, json};

use super::super::operation::Source;
use super::super::secrets::MARK;
use super::{
    Answer, Peer, Request, answer, elsewhere, error, event, json_answer, reply, stream,
    with_header, with_type,
};

impl Peer {
    /// An answer of any kind.
    pub(super) fn any(
        &mut self,
        source: &mut Source<'_>,
        id: u64,
        request: &Request,
        mood: Option<usize>,
    ) -> Answer {
        let n = self.next();
        let choice = mood.unwrap_or_else(|| source.below(60));
        self.mood = Some(choice);
        match choice {
            0 => json_answer("error reply", 200, &error(json!(id), -32602)),
            1 => json_answer("wrong id", 200, &reply(id + 1000, n)),
            2 => with_type("no JSON", "application/json", "<~~html>"),
            3 => json_answer("array", 200, &json!([self.notification(), reply(id, n)])),
            4 => with_type("nothing", "application/json", ""),
            5 => json_answer("a notification", 200, &self.notification()),
            40..=45 => self.asking(id),
            6..=11 | 46..=55 => self.stream(source, id, request),
            56.. => self.script(source, id, request),
            12 => answer("accepted", 202, ""),
            13 => answer("no content", 204, ""),
            14 => with_type(
                "another type",
                "text/html; charset=utf-8",
                "<h1>~~Welcome</h1>",
            ),
            15 => with_header(
                answer("moved", 301, ""),
                "location",
                "https://example.com/mcp/",
            ),
            16 => with_header(answer("see other", 303, ""), "location", "/other?key=~~to"),
            17 | 18 => with_header(
                answer("redirect", *source.pick(&[307, 308]), ""),
                "location",
                "/mcp2",
            ),
            19 => with_header(
                answer("redirect away", 307, ""),
                "location",
                &format!("https://{MARK}user@{}/mcp?key={MARK}to", elsewhere(n)),
            ),
            20 => answer("bad request", 400, "~~Bad Request"),
            21 => json_answer(
                "bad request, server code",
                400,
                &error(json!("server-error"), -32000),
            ),
            22 => json_answer("bad request, own error", 400, &error(json!(id), -32602)),
            23 => with_header(
                answer("unauthorized", 401, ""),
                "www-authenticate",
                "Bearer realm=\"a, b\", scope=\"x\", Negotiate ~~challenge",
            ),
            24 => with_header(
                answer("insufficient scope", 403, ""),
                "www-authenticate",
                "Bearer error=\"insufficient_scope\"",
            ),
            25 => json_answer("forbidden", 403, &error(Value::Null, -32003)),
            26..=29 => answer("not found", 404, ""),
            30 => json_answer("not found, own error", 404, &error(Value::Null, -32001)),
            31 => answer("method not allowed", 405, ""),
            32 => with_header(
                answer("too many", *source.pick(&[408, 429]), ""),
                "retry-after",
                "2",
            ),
            33 => match source.byte() {
                0..=84 => with_header(answer("too many, far", 429, ""), "retry-after", "400"),
                85..=169 => with_header(answer("too many, zero", 429, ""), "retry-after", "0"),
                _ => answer("too many, no time", 429, "~~slow down"),
            },
            34 => with_header(answer("unavailable", 503, "~~later"), "retry-after", "1"),
            35 => answer("server error", 500, "~~oops"),
            36 => json_answer("server error, own error", 500, &error(json!(id), -32603)),
            37 => answer("odd", 304, ""),
            38 => answer("long refusal", 422, &"x".repeat(300)),
            39 => json_answer(
                "long reply",
                200,
                &json!({
                    "jsonrpc": "2.0", "id": id, "result": { "r": n, "long": "y".repeat(400) },
                }),
            ),
        }
    }

    pub(super) fn stream(&mut self, source: &mut Source<'_>, id: u64, request: &Request) -> Answer {
        let mut events = Vec::new();
        for _ in 0..source.below(5) {
            let n = self.next();
            match source.below(12) {
                0 | 1 => events.push(event(&self.notification())),
                2 | 3 => events.push(event(&self.progress(request))),
                4..=6 => {
                    let id = if n % 2 == 0 {
                        json!(n)
                    } else {
                        json!(format!("ask-{n}"))
                    };
                    events.push(event(&json!({
                        "jsonrpc": "2.0", "id": id, "method": "elicitation/create", "params": { "m": n, "s": format!("{MARK}question") },
                    })));
                    if source.chance(48) {
                        events.push(event(&json!({
                            "jsonrpc": "2.0", "method": "notifications/cancelled",
                            "params": { "requestId": id },
                        })));
                    }
                }
                7 => events.push(event(&json!({"jsonrpc": "2.0", "id": n, "method": "ping"}))),
                8 => events.push(event(&json!({
                    "jsonrpc": "2.0", "id": n, "method": "roots/list", "params": {},
                }))),
                9 => events.push("data: ~~not json\n\n".to_owned()),
                10 => events.push(
                    ": comment\nid: 7\nretry: 50\ndata:\n\nevent: other\ndata: {}\n\n".to_owned(),
                ),
                _ if self.honest => events.push(event(&self.notification())),
                _ => events.push(event(&reply(id + 1, n))),
            }
        }
        let tail = if source.chance(8) {
            format!("data: {}", "z".repeat(400))
        } else {
            String::new()
        };
        let n = self.next();
        let mut name = "stream with a reply";
        match source.byte() {
            0..=149 => events.push(event(&reply(id, n))),
            150..=169 => events.push(event(&error(json!(id), -32602))),
            170..=189 => events.extend([
                event(&reply(id, n)),
                event(&reply(id, n + 10_000)),
                event(&self.notification()),
            ]),
            _ => name = "stream without a reply",
        }
        let text = if source.chance(100) {
            self.keep(id.to_string(), events)
        } else {
            events.concat()
        };
        stream(name, text + &tail)
    }
}
