//! A liar: stands between a machine and the model, and makes it look as if a law were broken. A
//! model that does not see that would not see a broken machine either.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri};
use serde_json::json;

use super::secrets::MARK;
use crate::{Delivery, Error, Event, Failure, Subject, Time};

/// What the model is shown instead of what the machine does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lie {
    /// What leaves goes to another origin.
    Abroad,
    /// Something else than a DELETE leaves after `close`.
    AfterClose,
    /// What leaves carries the id of no session.
    DeadId,
    /// All handshakes leave at one time.
    AtOnce,
    /// Another exchange is given up than the one that is.
    ForeignAbort,
    /// A GET leaves sooner than it does.
    Hasty,
    /// The loss of a session is not told.
    LossHidden,
    /// What may have been executed was not, as it is told.
    Rejected,
    /// The end of a call is not told.
    EndHidden,
    /// It is told twice.
    EndTwice,
    /// A failure shows what nobody is to see.
    Shown,
}

impl Lie {
    pub const ALL: [Self; 11] = [
        Self::Abroad,
        Self::AfterClose,
        Self::AtOnce,
        Self::DeadId,
        Self::ForeignAbort,
        Self::Hasty,
        Self::LossHidden,
        Self::Rejected,
        Self::EndHidden,
        Self::EndTwice,
        Self::Shown,
    ];

    /// The law of the design that seems broken.
    pub fn law(self) -> u8 {
        match self {
            Self::EndHidden | Self::EndTwice => 2,
            Self::LossHidden => 3,
            Self::AtOnce => 4,
            Self::Rejected => 5,
            Self::DeadId => 6,
            Self::ForeignAbort => 7,
            Self::Shown => 9,
            Self::Hasty => 10,
            Self::Abroad => 11,
            Self::AfterClose => 12,
        }
    }

    /// How a request seems to leave.
    pub(super) fn sends(self, mut request: Request<Bytes>) -> Request<Bytes> {
        match self {
            Self::Abroad => {
                let path = request.uri().path_and_query().map_or("", |it| it.as_str());
                let uri = format!("https://elsewhere.example{path}");
                *request.uri_mut() = Uri::try_from(uri).expect("a URI");
            }
            Self::AfterClose if request.method() == Method::DELETE => {
                *request.method_mut() = Method::POST;
                let ping = json!({ "jsonrpc": "2.0", "id": 9999, "method": "ping" });
                *request.body_mut() = Bytes::from(ping.to_string());
            }
            Self::DeadId => {
                if let Some(id) = request.headers_mut().get_mut("mcp-session-id") {
                    *id = HeaderValue::from_static("dead");
                }
            }
            _ => {}
        }
        request
    }

    /// When it seems to leave.
    pub(super) fn leaves(self, request: &Request<Bytes>, now: Time) -> Time {
        let has = |method: &[u8]| memchr::memmem::find(request.body(), method).is_some();
        match self {
            Self::AtOnce if has(b"\"initialize\"") || has(b"\"server/discover\"") => Time::ZERO,
            Self::Hasty if request.method() == Method::GET => {
                Time::ZERO + now.since_origin().saturating_sub(Duration::from_secs(2))
            }
            _ => now,
        }
    }

    /// Which exchange seems to be given up, of those that are under way.
    pub(super) fn aborts(self, number: u64, under_way: &[u64]) -> u64 {
        let other = under_way.iter().find(|other| **other != number);
        match self {
            Self::ForeignAbort => *other.unwrap_or(&number),
            _ => number,
        }
    }

    /// What seems to be told.
    pub(super) fn tells(self, event: Event) -> Vec<Event> {
        let ends = match &event {
            Event::Reply { .. } => true,
            Event::Fail { subject, .. } => matches!(subject, Subject::Call(_)),
            _ => false,
        };
        match (self, event) {
            (Self::EndHidden, _) if ends => Vec::new(),
            (Self::EndTwice, event) if ends => vec![event.clone(), event],
            (Self::LossHidden, Event::Reinitialize { .. }) => Vec::new(),
            (Self::Shown, Event::Fail { subject, error }) => {
                let failure = Failure::broken(format!("reset by {MARK}peer"));
                let error = Error::new(failure, error.delivery());
                vec![Event::Fail { subject, error }]
            }
            (Self::Rejected, Event::Fail { subject, error }) if ends => {
                let error = match error.delivery() {
                    Delivery::Unknown => Error::new(error.reason().clone(), Delivery::Rejected),
                    _ => error,
                };
                vec![Event::Fail { subject, error }]
            }
            (_, event) => vec![event],
        }
    }
}
