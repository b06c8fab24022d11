//! What the answer to a request means (behaviour, sections 4 and 6).

use std::time::Duration;

use serde_json::Value;

use super::exchange::{Carries, Exchange, Outcome, Over};
use crate::{Binding, Contact, Limits};

/// A reply: its result, or the code of its error.
pub(super) type Reply = Result<Value, i64>;

impl Exchange {
    /// Section 4, "the answer to a POST": what it means by now. `issued` says which
    /// numbers were given to requests.
    pub(super) fn read(
        &self,
        limits: &Limits,
        batches: bool,
        issued: impl Fn(u64) -> bool,
    ) -> Outcome {
        let doubt = |again| Outcome::Doubt { again, after: None };
        match self.carries {
            Carries::Handshake(Contact::EventStream) => return self.read_channel(limits),
            _ if self.is_get() => return self.read_get(limits, batches),
            _ if self.goes_to_address() => return self.read_post(limits, issued),
            _ => {}
        }
        let Some(status) = self.status() else {
            return match self.over {
                None => Outcome::Pending,
                Some(Over::NotSent) if self.silent.is_none() => Outcome::NotSent,
                Some(Over::NotSent) => doubt(true),
                Some(Over::Broken) => doubt(true),
                Some(Over::Aborted) => doubt(self.silent.is_some()),
                Some(Over::Silent) => doubt(true),
                Some(Over::Ended | Over::TimedOut) => doubt(false),
            };
        };
        match status {
            200..=299 if !self.is_request() => return Outcome::Accepted,
            202 | 204 => return doubt(false),
            200..=299 => return self.read_answer(limits, batches),
            404 if self.session.is_some() => return Outcome::Lost,
            _ => {}
        }
        if self.over.is_none() && self.body.len() <= limits.error_body {
            return Outcome::Pending;
        }
        self.read_refusal(status, limits, issued)
    }

    fn read_answer(&self, limits: &Limits, batches: bool) -> Outcome {
        let doubt = |again| Outcome::Doubt { again, after: None };
        let over = self.over;
        let broken = matches!(over, Some(Over::Broken | Over::NotSent));
        let json = self.media_type() == "application/json";
        if json && self.body.len() > limits.json_body {
            return doubt(false);
        }
        if json || self.is_stream() {
            let (own, exceeded) = self.own_reply(limits, batches);
            let streams = self.is_stream() && matches!(self.carries, Carries::Call(_));
            return match own {
                Some(reply) => Outcome::Replied(reply),
                None if exceeded => doubt(false),
                None if over.is_none() => Outcome::Pending,
                None if streams => self.cut(),
                None => doubt(broken || self.silent.is_some()),
            };
        }
        let enough = over.is_some() || self.body.len() > limits.error_body;
        if enough {
            doubt(false)
        } else {
            Outcome::Pending
        }
    }

    /// The reply that it is there for, and whether it broke a limit.
    fn own_reply(&self, limits: &Limits, batches: bool) -> (Option<Reply>, bool) {
        let (messages, exceeded) = self.messages(limits, batches);
        let mut replies = messages.iter().filter_map(reply);
        let own = replies.find(|(id, _)| self.request.is_some() && id.as_u64() == self.request);
        (own.map(|(_, it)| it), exceeded)
    }

    /// Whether its body is of a type that carries messages.
    pub(super) fn is_message(&self) -> bool {
        matches!(self.media_type(), "application/json" | "text/event-stream")
    }

    /// The error that answers its request, whole.
    pub(super) fn own_error(&self, limits: &Limits) -> Option<Value> {
        let (Outcome::Replied(Err(_)) | Outcome::Maybe(Err(_), _)) = self.outcome else {
            return None;
        };
        if !self.is_stream() {
            return serde_json::from_slice(&self.body).ok();
        }
        let (messages, _) = self.messages(limits, self.batches);
        let own = |it: &&Value| reply(it).is_some_and(|(id, _)| id.as_u64() == self.request);
        messages.iter().find(own).cloned()
    }

    /// A stream ended before the reply. Where it cannot be taken up again, the call may
    /// be made anew at most.
    fn cut(&self) -> Outcome {
        if self.binding != Binding::Session {
            return Outcome::Doubt {
                again: true,
                after: None,
            };
        }
        Outcome::Cut {
            clean: self.over == Some(Over::Ended),
        }
    }

    /// Section 6: what the answer to a GET means.
    fn read_get(&self, limits: &Limits, batches: bool) -> Outcome {
        let Some(status) = self.status() else {
            return match self.over {
                None => Outcome::Pending,
                Some(_) => Outcome::Cut { clean: false },
            };
        };
        if self.is_stream() {
            return match self.own_reply(limits, batches) {
                (Some(reply), _) => Outcome::Replied(reply),
                (None, true) => Outcome::Doubt {
                    again: false,
                    after: None,
                },
                (None, false) if self.over.is_none() => Outcome::Pending,
                (None, false) => self.cut(),
            };
        }
        let whole = self.over.is_some() || self.body.len() > limits.error_body;
        match status {
            200..=299 => Outcome::Refused,
            _ if !whole => Outcome::Pending,
            307 | 308 if self.redirects_here() => Outcome::Redirected,
            408 | 429 | 500..=599 => Outcome::Later(self.retry_after()),
            _ => Outcome::Refused,
        }
    }

    fn redirects_here(&self) -> bool {
        let to = self.header("location").unwrap_or_default();
        to.starts_with('/') || to.starts_with("https://example.com/")
    }

    fn retry_after(&self) -> Option<Duration> {
        let after = self.header("retry-after")?.parse().ok()?;
        Some(Duration::from_secs(after))
    }

    pub(super) fn read_refusal(
        &self,
        status: u16,
        limits: &Limits,
        issued: impl Fn(u64) -> bool,
    ) -> Outcome {
        let body = &self.body[..self.body.len().min(limits.error_body)];
        let body: Option<Value> = serde_json::from_slice(body).ok();
        let error = body
            .as_ref()
            .and_then(|body| reply(body).filter(|(_, it)| it.is_err()));
        let number = self.id.number();
        let is_own = self.is_request();
        let exact = is_own
            && error
                .as_ref()
                .is_some_and(|(id, _)| id.as_u64() == Some(number));
        let another = error
            .as_ref()
            .and_then(|(id, _)| id.as_u64())
            .is_some_and(issued)
            && !exact;
        let own = error.map(|(_, error)| error);
        let code = own.as_ref().and_then(|error| error.as_ref().err().copied());
        let after = self.retry_after();
        let failed = match status {
            301 | 302 | 401 => return Outcome::Refused,
            303 => {
                return Outcome::Doubt {
                    again: false,
                    after: None,
                };
            }
            307 | 308 => {
                return if self.redirects_here() {
                    Outcome::Redirected
                } else {
                    Outcome::Refused
                };
            }
            403 if self.header("www-authenticate").is_some() => return Outcome::Refused,
            408 | 429 => return Outcome::Later(after),
            400 if self.session.is_some() => {
                let server = code.is_some_and(|code| (-32019..=-32000).contains(&code));
                return match own {
                    Some(error) if exact && !server => Outcome::Replied(error),
                    own => Outcome::Suspicious { code, own },
                };
            }
            400..=499 => Outcome::Refused,
            500..=599 => Outcome::Doubt { again: true, after },
            _ => Outcome::Doubt {
                again: false,
                after: None,
            },
        };
        match own {
            Some(error) if another => Outcome::Maybe(error, failed.delivery()),
            Some(error) => Outcome::Replied(error),
            None => failed,
        }
    }
}

/// The id and the content of a message that is a response.
pub(super) fn reply(message: &Value) -> Option<(&Value, Reply)> {
    let id = message.get("id").unwrap_or(&Value::Null);
    if message.get("method").is_some() {
        return None;
    }
    match (message.get("result"), message.get("error")) {
        (Some(result), None) => Some((id, Ok(result.clone()))),
        (None, Some(error)) => Some((id, Err(error.get("code")?.as_i64()?))),
        _ => None,
    }
}
