//! An HTTP+SSE server (2024-11-05): it says everything on one stream, and names the address
//! for what is said to it there.

use bytes::Bytes;
use serde_json::json;

use super::super::operation::Source;
use super::super::secrets::MARK;
use super::{Answer, Peer, Request, answer, elsewhere, error, event, json_answer, reply, stream};
use crate::Binding;

impl Peer {
    pub(super) fn has_channel(&self) -> bool {
        self.binding == Binding::HttpSse
    }

    /// The exchange on which it says everything.
    pub(in super::super) fn open_channel(&self) -> Option<u64> {
        self.channel
    }

    /// The GET for its event stream, mostly as it should be.
    pub(super) fn channel(&mut self, source: &mut Source<'_>, exchange: u64) -> Answer {
        self.channel = Some(exchange);
        self.to_say.clear();
        let n = self.next();
        let mut text = match source.below(24) {
            0 => named(&format!("https://{}/{MARK}address", elsewhere(n))),
            1 => event(&self.notification()),
            2 => String::new(),
            3 => {
                "event: other\ndata: {}\n\n: comment\n\n".to_owned()
                    + &named("/messages?key=~~address")
            }
            4..=7 => named(&format!("https://example.com/messages/{MARK}address/{n}")),
            _ => named(&format!("/messages/{MARK}address/{n}")),
        };
        if source.chance(24) {
            text.push_str(&event(
                &json!({"jsonrpc": "2.0", "id": n, "method": "ping"}),
            ));
        }
        stream("channel", text)
    }

    /// A message to the address: the answer comes on the stream, if it does.
    pub(super) fn posted(
        &mut self,
        source: &mut Source<'_>,
        exchange: u64,
        request: &Request,
    ) -> Answer {
        let n = self.next();
        if !matches!(request, Request::Control) && source.chance(235) {
            let said = match request {
                Request::Initialize if source.chance(236) => {
                    self.sessions += 1;
                    json!({ "jsonrpc": "2.0", "id": exchange, "result": {
                        "protocolVersion": self.revision, "capabilities": self.capabilities(),
                        "serverInfo": { "name": format!("{MARK}server"), "version": "1" },
                    }})
                }
                _ if source.chance(24) => error(json!(exchange), -32602),
                _ => reply(exchange, n),
            };
            self.to_say.push_back(event(&said));
        }
        match source.below(8) {
            0 => json_answer("reply", 200, &reply(exchange, n + 1)),
            1 => stream("stream with a reply", event(&reply(exchange, n + 1))),
            2 => answer("no content", 204, ""),
            _ => answer("accepted", 202, "Accepted"),
        }
    }

    /// What comes next on its stream: what it owes, else something new.
    pub(super) fn says(&mut self, exchange: u64) -> Option<Bytes> {
        if self.channel != Some(exchange) {
            return None;
        }
        let n = self.next();
        let said = match n % 12 {
            _ if n % 3 > 0 && !self.to_say.is_empty() => self.to_say.pop_front()?,
            0 => event(&self.question()),
            1 => event(&json!({"jsonrpc": "2.0", "id": n, "method": "ping"})),
            2 => ": still there\n\n".to_owned(),
            3 if n % 5 == 0 => named(&format!("/messages/{MARK}address/{n}")),
            3 if n % 5 == 1 => named(&format!("https://{}/{MARK}address", elsewhere(n))),
            4 => "data: ~~not json\n\n".to_owned(),
            5 | 6 => event(&self.notification()),
            7 => event(&self.progress_of_last()),
            _ => self
                .to_say
                .pop_front()
                .unwrap_or_else(|| event(&self.notification())),
        };
        Some(Bytes::from(said))
    }

    /// Progress of the call that came last.
    fn progress_of_last(&mut self) -> serde_json::Value {
        let calls = self.requests.values().rev();
        let last = calls.map(|it| &it.request).find(|it| it.token().is_some());
        let last = last.cloned().unwrap_or_default();
        self.progress(&last)
    }
}

fn named(address: &str) -> String {
    format!("event: endpoint\ndata: {address}\n\n")
}
