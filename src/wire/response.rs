//! What an answer means: the rules for answers to a POST, first row that fits.

use std::time::Duration;

use http::header::{CONTENT_LENGTH, LOCATION};
use http::{HeaderMap, StatusCode, Uri};

use super::challenge::{Challenge, parse_challenges};
use super::headers::{self, MediaType, Redirect};
use super::jsonrpc::{self, Id, Message};
use crate::error::{Answer, Delivery, Error, Peer, Reason, Refused, RpcError};
use crate::event::Reply;

/// The longest time to come back after that is passed on (law 10).
const TOLD: Duration = Duration::from_secs(86_400);

/// What the head of an answer promises.
#[derive(Debug)]
pub(crate) enum Head {
    /// 2xx without a body: accepted.
    Empty,
    /// 2xx with a JSON body.
    Json,
    /// Another status: what it means depends on the body.
    Refusal,
    /// 2xx with an event stream.
    Stream,
    /// 2xx with something else; absent if no type was given.
    Typed(Option<String>),
}

/// Whether a GET for an event stream got one: it may be over before it began.
pub(crate) fn is_stream(status: StatusCode, headers: &HeaderMap) -> bool {
    let has_body = status.is_success() && status != StatusCode::NO_CONTENT;
    has_body && matches!(headers::media_type(headers), MediaType::EventStream)
}

/// Sorts an answer by its head.
pub(crate) fn head(status: StatusCode, headers: &HeaderMap) -> Head {
    if !status.is_success() {
        return Head::Refusal;
    }
    let empty = headers
        .get(CONTENT_LENGTH)
        .is_some_and(|length| length == "0");
    if empty || status == StatusCode::ACCEPTED || status == StatusCode::NO_CONTENT {
        return Head::Empty;
    }
    match headers::media_type(headers) {
        MediaType::Json => Head::Json,
        MediaType::EventStream => Head::Stream,
        MediaType::Other(name) => Head::Typed(Some(name)),
        MediaType::Absent => Head::Typed(None),
    }
}

/// Which session id a request carried.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Carried {
    /// That of the current session.
    Current,
    /// None, but it went to the current session's own address.
    CurrentAddress,
    /// None.
    Nothing,
    /// That of a session that is over.
    Older,
    /// None, but it went to the address of a session that is over, or to one that the
    /// server has replaced since.
    OlderAddress,
}

/// The head of a refusal: what is kept of it while its body comes.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) answer: Answer,
    from: Uri,
    /// What it went to may name the session in its path.
    is_secret: bool,
    status: StatusCode,
    redirect: Redirect,
}

/// What a refusal means for what was refused.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// It failed, but may be sent again later under the rules for this status.
    Again { reason: Reason, delivery: Delivery },
    /// It failed.
    Fail { reason: Reason, delivery: Delivery },
    /// It is to be sent to this address of the same origin.
    Follow(Uri),
    /// The session whose id it carried is gone.
    Lost,
    /// It carried the id of an older session, or went to an older address: it belongs
    /// into the current one.
    Older,
    /// The error is its reply. `exact`: it names the request's own id.
    Reply { error: RpcError, exact: bool },
    /// The session may be gone: a ping has to tell.
    Suspect,
}

impl Refusal {
    /// `is_secret`: the path of `from` may name the session, and so that of a redirect (law 9).
    pub(crate) fn new(
        (from, is_secret): (&Uri, bool),
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Self {
        let redirect = headers
            .get(LOCATION)
            .map_or(Redirect::Unreadable, |location| {
                headers::resolve_redirect(from, location)
            });
        let answer = Answer {
            status: Some(status),
            rpc: None,
            retry_after: headers::retry_after(headers).map(|after| after.min(TOLD)),
            excerpt: None,
            challenges: parse_challenges(headers),
        };
        Self {
            answer,
            from: from.clone(),
            is_secret,
            status,
            redirect,
        }
    }

    /// Whether the session is lost, whatever the body says (transports: session
    /// management, 404).
    pub(crate) fn is_loss(&self, carried: Carried) -> bool {
        self.status == StatusCode::NOT_FOUND && carried != Carried::Nothing
    }

    /// Whether another credential may help, whatever the body says (basic/authorization:
    /// error handling; scope challenge handling; RFC 6750, section 3.1).
    pub(crate) fn wants_credential(&self) -> bool {
        let insufficient = |challenge: &Challenge| {
            challenge.is("Bearer") && challenge.error() == Some("insufficient_scope")
        };
        match self.status.as_u16() {
            401 => true,
            403 => self.answer.challenges.iter().any(insufficient),
            _ => false,
        }
    }

    /// What the refusal means, once its body is there. `is_open` tells whether a
    /// JSON-RPC id is that of another open request.
    pub(crate) fn verdict(
        &mut self,
        body: &[u8],
        carried: Carried,
        request: Option<u64>,
        is_open: impl Fn(u64) -> bool,
    ) -> Verdict {
        let own = self.keep(body, request, is_open);
        self.judge(own, carried)
    }

    /// The same for a GET, which carries no request that an error in the body could
    /// answer.
    pub(crate) fn verdict_of_get(&mut self, body: &[u8]) -> Verdict {
        self.keep(body, None, |_| false);
        self.judge(None, Carried::Nothing)
    }

    /// Keeps what there is to say of the body, and gives the request's own error.
    fn keep(
        &mut self,
        body: &[u8],
        request: Option<u64>,
        is_open: impl Fn(u64) -> bool,
    ) -> Option<(RpcError, bool)> {
        let own = own_error(body, request, is_open);
        self.answer.excerpt = Some(headers::excerpt(body));
        self.answer.rpc = own.as_ref().map(|(error, _)| error.clone());
        own
    }

    fn judge(&self, own: Option<(RpcError, bool)>, carried: Carried) -> Verdict {
        let fail = |refused: Refused, delivery| Verdict::Fail {
            reason: refused.into(),
            delivery,
        };
        match (self.status.as_u16(), carried) {
            // Where an address leads that is no more is as dead as that (law 6).
            (307 | 308, Carried::OlderAddress) => Verdict::Older,
            (301 | 302, _) => fail(self.redirected(), Delivery::Rejected),
            (303, _) => fail(self.redirected(), Delivery::Unknown),
            (307 | 308, _) => match &self.redirect {
                Redirect::Same(to) => Verdict::Follow(to.clone()),
                Redirect::Other { .. } | Redirect::Unreadable => {
                    fail(self.redirected(), Delivery::Rejected)
                }
            },
            (401, _) => fail(Refused::Unauthorized, Delivery::Rejected),
            (403, _) if !self.answer.challenges.is_empty() => {
                fail(Refused::Forbidden, Delivery::Rejected)
            }
            (408 | 429, _) => Verdict::Again {
                reason: Refused::TooManyRequests.into(),
                delivery: Delivery::Rejected,
            },
            (404, Carried::Current | Carried::CurrentAddress) => Verdict::Lost,
            (404, Carried::Older | Carried::OlderAddress) => Verdict::Older,
            (400, Carried::Current | Carried::Older) => match own {
                Some((error, exact)) if exact && !is_server_error(error.code) => {
                    Verdict::Reply { error, exact }
                }
                _ if carried == Carried::Older => Verdict::Older,
                _ => Verdict::Suspect,
            },
            (status, _) => match (own, status) {
                (Some((error, exact)), _) => Verdict::Reply { error, exact },
                (None, 404) => fail(Refused::NotFound, Delivery::Rejected),
                (None, 403) => fail(Refused::Forbidden, Delivery::Rejected),
                (None, 400..=499) => fail(Refused::Status, Delivery::Rejected),
                (None, 500..=599) => Verdict::Again {
                    reason: Refused::Unavailable.into(),
                    delivery: Delivery::Unknown,
                },
                (None, _) => Verdict::Fail {
                    reason: Peer::Odd.into(),
                    delivery: Delivery::Unknown,
                },
            },
        }
    }

    /// Bytes of its body that are kept.
    pub(crate) fn bytes(&self) -> usize {
        let rpc = self.answer.rpc.as_ref().map_or(0, RpcError::bytes);
        let excerpt = self.answer.excerpt.as_ref().map_or(0, String::len);
        rpc.saturating_add(excerpt)
    }

    /// The refusal as the outcome of a call whose session lives: the error that it
    /// carries is the reply, without one the call fails.
    pub(crate) fn into_outcome(self) -> Result<Reply, Error> {
        match self.answer.rpc {
            Some(error) => Ok(Reply {
                outcome: Err(error),
                status: self.status,
            }),
            None => Err(Error::new(Refused::Status, Delivery::Rejected).with_answer(self.answer)),
        }
    }

    /// The code of the error that a suspicious 400 carried: a ping refused with
    /// the same one was refused for the same reason.
    pub(crate) fn code(&self) -> Option<i64> {
        self.answer.rpc.as_ref().map(|error| error.code)
    }

    pub(crate) fn redirected(&self) -> Refused {
        let (to, hint) = match &self.redirect {
            Redirect::Same(to) => (headers::shown(to), headers::redirect_hint(&self.from, to)),
            Redirect::Other { to, hint } => (to.clone(), *hint),
            Redirect::Unreadable => (String::new(), None),
        };
        let to = if self.is_secret {
            headers::place(to.as_bytes())
        } else {
            to
        };
        Refused::Redirected { to, hint }
    }
}

/// Codes that servers give to errors of their own transport, "session not found"
/// among them.
fn is_server_error(code: i64) -> bool {
    (-32019..=-32000).contains(&code)
}

/// The JSON-RPC error that answers this request: its id is the request's, null,
/// absent, or none that is open (Python servers send `"server-error"`).
fn own_error(
    body: &[u8],
    request: Option<u64>,
    is_open: impl Fn(u64) -> bool,
) -> Option<(RpcError, bool)> {
    let Ok(Message::Response {
        id,
        outcome: Err(error),
    }) = jsonrpc::parse(body)
    else {
        return None;
    };
    match id {
        Id::Number(id) if Some(id) == request => Some((error, true)),
        Id::Number(id) if is_open(id) => None,
        Id::Number(_) | Id::None | Id::Foreign => Some((error, false)),
    }
}
