//! The server's streams: what it keeps of them, and how it answers those who come
//! back for more.

use bytes::Bytes;
use serde_json::{Value, json};

use super::super::operation::Source;
use super::super::secrets::MARK;
use super::{Answer, Peer, Request, answer, error, event, json_answer, reply, stream, with_header};

/// Where a stream that is open goes on.
#[derive(Clone, Debug)]
pub(super) struct Live {
    name: String,
    next: usize,
}

/// What `retry` says: nothing that is taken at its word, and times that are.
const RETRIES: &[u64] = &[0, 0, 50, 300, 300, 2_000, 20_000, 400_000];

impl Peer {
    /// The stream of a call, whole: all that it has to say in its time, the reply last.
    pub(super) fn script(&mut self, source: &mut Source<'_>, id: u64, request: &Request) -> Answer {
        let mut events = Vec::new();
        let mut owed = Vec::new();
        if source.chance(150) {
            events.push(self.priming(source));
        }
        for _ in 0..source.below(5) {
            let n = self.said + 1;
            let (text, owes) = self.scripted(source, request);
            events.push(text);
            owed.extend(owes.then_some(n));
        }
        events.push(event(&reply(id, self.next())));
        self.owed.insert(id, owed);
        self.keep(id.to_string(), events);
        self.portion(source, id, &id.to_string(), 0)
    }

    /// An event that says something for once and all, and whether it is owed to the
    /// application.
    fn scripted(&mut self, source: &mut Source<'_>, request: &Request) -> (String, bool) {
        match source.below(8) {
            0..=2 => (event(&self.notification()), true),
            3 | 4 => (event(&self.progress(request)), request.token().is_some()),
            5 => (event(&self.question()), false),
            6 => (self.priming(source), false),
            _ => (format!(": still there\n{}", self.priming(source)), false),
        }
    }

    /// An event without a message, as servers send it to give the stream an id.
    fn priming(&mut self, source: &mut Source<'_>) -> String {
        self.next();
        if source.chance(170) {
            format!("retry: {}\ndata:\n\n", source.pick(RETRIES))
        } else {
            "data:\n\n".to_owned()
        }
    }

    pub(super) fn question(&mut self) -> Value {
        let n = self.next();
        json!({
            "jsonrpc": "2.0", "id": format!("ask-{n}"), "method": "elicitation/create",
            "params": { "m": n, "s": format!("{MARK}question") },
        })
    }

    pub(super) fn progress(&mut self, request: &Request) -> Value {
        let n = self.next();
        let token = request.token().unwrap_or("\"nobody's\"");
        let token: Value = serde_json::from_str(token).unwrap_or_default();
        json!({
            "jsonrpc": "2.0", "method": "notifications/progress",
            "params": { "progressToken": token, "progress": n, "m": n, "message": format!("{MARK}progress") },
        })
    }

    /// Keeps events for those who come back; gives them their ids.
    pub(super) fn keep(&mut self, name: String, events: Vec<String>) -> String {
        let from = self.store.entry(name.clone()).or_default().len();
        let kept: Vec<String> = events
            .into_iter()
            .zip(from..)
            .map(|(text, n)| format!("id: {MARK}id-{name}.{n}\n{text}"))
            .collect();
        let text = kept.concat();
        self.store.entry(name).or_default().extend(kept);
        text
    }

    /// Some of a stream from an event on, often all that there is.
    fn portion(
        &mut self,
        source: &mut Source<'_>,
        exchange: u64,
        name: &str,
        from: usize,
    ) -> Answer {
        let kept = self.store.get(name).map_or(&[][..], Vec::as_slice);
        let rest = kept.get(from..).unwrap_or_default();
        let count = if source.chance(140) {
            rest.len()
        } else {
            source.below(rest.len() + 1)
        };
        let text = rest.iter().take(count).cloned().collect();
        let live = Live {
            name: name.to_owned(),
            next: from + count,
        };
        self.live.insert(exchange, live);
        stream("stream with ids", text)
    }

    /// What comes later on a stream that is open: what it holds already; on the
    /// listening stream something new.
    pub(super) fn goes_on(&mut self, exchange: u64) -> Option<Bytes> {
        let mut live = self.live.get(&exchange)?.clone();
        let kept = self.store.get(&live.name).map_or(0, Vec::len);
        if live.next == kept {
            let asked = self.requests.get(&exchange)?;
            if !matches!(asked.request, Request::Listen) {
                return None;
            }
            let text = match kept % 7 {
                3 => event(&self.question()),
                6 => "retry: 300\ndata:\n\n".to_owned(),
                _ => event(&self.notification()),
            };
            self.keep(live.name.clone(), vec![text]);
        }
        let text = self.store.get(&live.name)?.get(live.next)?.clone();
        live.next += 1;
        self.live.insert(exchange, live);
        Some(Bytes::from(text))
    }

    /// The answer to a GET.
    pub(super) fn take_up(
        &mut self,
        source: &mut Source<'_>,
        exchange: u64,
        request: &Request,
        cursor: Option<&str>,
    ) -> Answer {
        if !self.offers && matches!(request, Request::Listen) && source.chance(230) {
            return answer("method not allowed", 405, "");
        }
        if self.honest || source.chance(150) {
            return self.replay(source, exchange, request, cursor);
        }
        let n = self.next();
        match source.below(26) {
            0 => answer("no content", 204, ""),
            1 => answer("bad request", 400, ""),
            2 | 3 => answer("not found", 404, ""),
            4 => answer("method not allowed", 405, ""),
            5 => answer("conflict", 409, ""),
            6 => super::with_type("another type", "text/html", "<h1>Welcome</h1>"),
            7 => json_answer("reply", 200, &reply(exchange, n)),
            8 => with_header(answer("too many", 429, ""), "retry-after", "2"),
            9 => with_header(answer("too many, far", 429, ""), "retry-after", "4000"),
            10 => with_header(answer("unavailable", 503, "later"), "retry-after", "1"),
            11 => json_answer("server error, own error", 500, &error(Value::Null, -32603)),
            12 => with_header(answer("redirect", 307, ""), "location", "/mcp2"),
            13 => answer("odd", 304, ""),
            14 => answer("not implemented", 501, ""),
            15 => answer("unauthorized", 401, ""),
            16 => stream("stream of nothing", String::new()),
            17 => stream("stream of nothing", ": nothing\nretry: 0\n\n".to_owned()),
            18 => stream(
                "stream with a bad id",
                format!("id: \u{1}\ndata: {}\n\n", self.notification()),
            ),
            19 => stream("stream that clears its id", "id\ndata:\n\n".to_owned()),
            20 => stream(
                "stream that clears its id",
                format!("id: {MARK}id-x{n}\n{}id:\n\n", event(&self.notification())),
            ),
            21 => stream("stream without ids", event(&self.notification())),
            22 => {
                // Of a stream that is another's, maybe.
                let names: Vec<String> = self.store.keys().cloned().collect();
                match names.len() {
                    0 => stream("stream of nothing", String::new()),
                    _ => {
                        let name = source.pick(&names).clone();
                        Answer {
                            name: "another's stream",
                            ..self.portion(source, exchange, &name, 0)
                        }
                    }
                }
            }
            // From the beginning again.
            _ => match cursor.and_then(place) {
                Some((name, _)) => Answer {
                    name: "stream from its beginning",
                    ..self.portion(source, exchange, name, 0)
                },
                None => stream("stream of nothing", String::new()),
            },
        }
    }

    /// What came after the cursor, and no more.
    fn replay(
        &mut self,
        source: &mut Source<'_>,
        exchange: u64,
        request: &Request,
        cursor: Option<&str>,
    ) -> Answer {
        let known = cursor.and_then(place);
        let known = known.filter(|(name, _)| self.store.contains_key(*name));
        if let Some((name, last)) = known {
            let name = name.to_owned();
            return self.portion(source, exchange, &name, last + 1);
        }
        if !matches!(request, Request::Listen) {
            return answer("bad request", 400, "unknown event");
        }
        let n = self.next();
        let name = format!("L{n}");
        let mut events = Vec::new();
        for _ in 0..source.below(4) {
            events.push(self.scripted(source, &Request::Listen).0);
        }
        self.keep(name.clone(), events);
        self.portion(source, exchange, &name, 0)
    }

    /// The messages that come before the reply on the stream of a call.
    pub(in super::super) fn owed(&self, exchange: u64) -> Option<&Vec<u64>> {
        self.owed.get(&exchange)
    }
}

/// The stream and the number of an event.
fn place(id: &str) -> Option<(&str, usize)> {
    let (name, number) = id
        .strip_prefix(MARK)?
        .strip_prefix("id-")?
        .rsplit_once('.')?;
    Some((name, number.parse().ok()?))
}
