//! One request and what was answered, as far as it went: what findings are made of.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, StatusCode, header};
use mcp_http::sse::{self, EventType, Item};
use mcp_http::{Failure, FailureKind};
use serde_json::Value;

pub(crate) const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");

/// The first message on a stream of `subscriptions/listen`.
const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";

#[derive(Clone)]
pub(crate) struct Exchange {
    pub(crate) request: Request<Bytes>,
    pub(crate) head: Option<(StatusCode, HeaderMap)>,
    /// Its beginning.
    pub(crate) body: Vec<u8>,
    pub(crate) end: End,
    /// Until the last that came of it; where nothing came, until it was left.
    pub(crate) took: Duration,
}

#[derive(Clone)]
pub(crate) enum End {
    Failed(Failure),
    /// Nobody waited any longer.
    Left,
    Open,
    Whole,
}

impl Exchange {
    pub(crate) fn new(request: Request<Bytes>) -> Self {
        Self {
            request,
            head: None,
            body: Vec::new(),
            end: End::Open,
            took: Duration::ZERO,
        }
    }

    pub(crate) fn status(&self) -> Option<u16> {
        self.head.as_ref().map(|(status, _)| status.as_u16())
    }

    pub(crate) fn is_success(&self) -> bool {
        matches!(self.status(), Some(200..=299))
    }

    pub(crate) fn header(&self, name: &HeaderName) -> Option<&str> {
        let (_, headers) = self.head.as_ref()?;
        headers.get(name)?.to_str().ok()
    }

    /// In lower case, without parameters.
    pub(crate) fn media_type(&self) -> Option<String> {
        let value = self.header(&header::CONTENT_TYPE)?;
        let media = value.split(';').next().unwrap_or_default();
        Some(media.trim().to_ascii_lowercase())
    }

    pub(crate) fn is_stream(&self) -> bool {
        let is_stream = |media: String| media == "text/event-stream";
        self.is_success() && self.media_type().is_some_and(is_stream)
    }

    /// Whether nothing at all is known of a server.
    pub(crate) fn is_unreached(&self) -> bool {
        self.head.is_none()
    }

    /// The JSON-RPC method of the request.
    pub(crate) fn method(&self) -> Option<String> {
        let method = self.message().get("method")?.as_str()?.to_owned();
        Some(method)
    }

    fn message(&self) -> Value {
        serde_json::from_slice(self.request.body()).unwrap_or_default()
    }

    /// The events of a stream.
    pub(crate) fn events(&self) -> Vec<sse::Event> {
        let mut decoder = sse::Decoder::new(sse::Limits::default());
        if self.is_stream() {
            decoder.feed(Bytes::copy_from_slice(&self.body));
        }
        let items = std::iter::from_fn(|| decoder.next()?.ok());
        let events = items.filter_map(|item| match item {
            Item::Event(event) => Some(event),
            _ => None,
        });
        events.collect()
    }

    /// The JSON-RPC messages of the answer.
    pub(crate) fn messages(&self) -> Vec<Value> {
        if !self.is_stream() {
            let body = serde_json::from_slice(&self.body);
            return match body.unwrap_or_default() {
                Value::Array(messages) => messages,
                message => vec![message],
            };
        }
        let events = self.events().into_iter();
        let messages = events.filter(|event| event.kind == EventType::Message);
        messages
            .filter_map(|event| serde_json::from_str(event.data.as_str()).ok())
            .collect()
    }

    /// The response to the request.
    pub(crate) fn reply(&self) -> Option<Value> {
        let id = self.message().get("id")?.clone();
        let mut messages = self.messages().into_iter();
        messages.find(|message| is_response(message) && message.get("id") == Some(&id))
    }

    pub(crate) fn result(&self) -> Option<Value> {
        self.reply()?.get("result").cloned()
    }

    /// The JSON-RPC error of the answer, whatever request it says it is for: servers refuse
    /// what they have not read.
    pub(crate) fn error(&self) -> Option<(i64, String)> {
        let messages = self.messages();
        let error = messages.iter().find_map(|message| message.get("error"))?;
        let text = error.get("message").and_then(Value::as_str);
        let code = error.get("code")?.as_i64()?;
        Some((code, text.unwrap_or_default().to_owned()))
    }

    /// Whether a stream is acknowledged as that of a subscription.
    pub(crate) fn is_acknowledged(&self) -> bool {
        let messages = self.messages();
        let first = messages.first().and_then(|first| first.get("method"));
        first.is_some_and(|method| method == ACKNOWLEDGED)
    }

    /// Whether a stream has brought what it was opened for.
    pub(crate) fn is_answered(&self) -> bool {
        self.is_stream() && (self.is_acknowledged() || self.reply().is_some())
    }

    /// What was asked, for people.
    pub(crate) fn asked(&self) -> String {
        let http = self.request.method();
        match self.method() {
            Some(method) => format!("{http} {method}"),
            None => http.to_string(),
        }
    }

    /// What was answered, for people.
    pub(crate) fn answered(&self) -> String {
        let Some(status) = self.status() else {
            return match &self.end {
                End::Failed(failure) if failure.kind() == FailureKind::NotSent => {
                    format!("no connection: {}", failure.message())
                }
                End::Failed(failure) => format!("the connection broke: {}", failure.message()),
                _ => "no answer in time".to_owned(),
            };
        };
        let mut text = match self.media_type() {
            Some(media) => format!("{status} {media}"),
            None => status.to_string(),
        };
        if let Some((code, _)) = self.error() {
            text.push_str(&format!(", error {code}"));
        }
        text
    }
}

fn is_response(message: &Value) -> bool {
    message.get("result").is_some() || message.get("error").is_some()
}
