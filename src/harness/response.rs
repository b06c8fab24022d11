//! What an answer means: the table of section 4 of the page on behaviour, row by row, written
//! from that page.

mod call;
mod table;

use std::time::Duration;

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode, Uri};
use serde_json::Value;
use serde_json::value::RawValue;

use self::table::Row;
use super::headers::{excerpt, is_unsafe, retry_after};
use super::json::Json;
use super::law::{answer, law, same};
use crate::error::{Delivery, Peer, Reason, Refused};
use crate::wire::headers::{MediaType, media_type};
use crate::wire::response::{self, Carried, Head, Refusal, Verdict};

/// The id of the request that is answered, if it was one and no notification.
const REQUEST: u64 = 3;
/// That of another that is open.
const OTHER: u64 = 4;

const STATUSES: [u16; 32] = [
    100, 199, 200, 201, 202, 203, 204, 205, 206, 299, 300, 301, 302, 303, 304, 307, 308, 399, 400,
    401, 403, 404, 405, 406, 408, 429, 499, 500, 502, 503, 599, 600,
];

/// The body of the tests of answers. The first four bytes say status and request, then there is
/// the answer: lines `name: value`, an empty one, the body.
///
/// # Errors
/// Where a law is broken, or the answer means something else than the table says.
pub fn response(input: &[u8]) -> Result<(), String> {
    let (first, rest) = input.split_at(input.len().min(4));
    let at = |index: usize| first.get(index).copied().unwrap_or_default();
    let status = match at(0) {
        known @ 0..32 => STATUSES[usize::from(known)],
        high => 100 + (u16::from(high) << 8 | u16::from(at(1))) % 900,
    };
    let carried = [
        Carried::Current,
        Carried::CurrentAddress,
        Carried::Nothing,
        Carried::Older,
        Carried::OlderAddress,
    ][usize::from(at(2)) % 5];
    let is_request = at(3) % 4 != 0;
    let from = ["https://h/mcp", "http://h:8080/a?b=secret"][usize::from(at(3)) / 128];
    let from = Uri::from_static(from);
    let status = StatusCode::from_u16(status).expect("a status");
    let (headers, body) = answer(rest);
    check_head(status, &headers)?;
    let seen = Seen {
        from: &from,
        status: status.as_u16(),
        headers: &headers,
        body,
        carried,
        request: is_request.then_some(REQUEST),
    };
    if !status.is_success() {
        seen.check()?;
    }
    match carried {
        // As a call of a whole connection can be answered: not by what only informs (RFC 9110,
        // section 15.2).
        Carried::Current | Carried::Nothing if !status.is_informational() => {
            call::check(&seen, usize::from(at(3)))
        }
        _ => Ok(()),
    }
}

/// A POST's answer of 2xx: the upper rows.
fn check_head(status: StatusCode, headers: &HeaderMap) -> Result<(), String> {
    let found = response::head(status, headers);
    let media_type = media_type(headers);
    let has_content = ![202, 204].contains(&status.as_u16())
        && headers
            .get(CONTENT_LENGTH)
            .is_none_or(|length| length != "0");
    let is_right = match &found {
        Head::Refusal => !status.is_success(),
        _ if !status.is_success() => false,
        Head::Empty => !has_content,
        _ if !has_content => false,
        Head::Json => media_type == MediaType::Json,
        Head::Stream => media_type == MediaType::EventStream,
        Head::Typed(None) => media_type == MediaType::Absent,
        Head::Typed(Some(name)) => media_type == MediaType::Other(name.clone()),
    };
    law(is_right, &format!("{status} is no {found:?}"))?;
    // A GET's: 204 alone has nothing.
    let has_stream = status.is_success() && status != 204 && media_type == MediaType::EventStream;
    let is_stream = response::is_stream(status, headers);
    same("an event stream to a GET", is_stream, has_stream)?;
    Ok(())
}

/// A refusal, and what was refused.
struct Seen<'a> {
    from: &'a Uri,
    status: u16,
    headers: &'a HeaderMap,
    body: &'a [u8],
    carried: Carried,
    request: Option<u64>,
}

/// "Own error".
#[derive(Clone, Debug, PartialEq)]
struct Own {
    code: i64,
    message: String,
    /// Whether it has the request's own id.
    exact: bool,
}

impl Own {
    /// `Err` if it may be read either way: two members of one name, or text that Rust does not
    /// have.
    fn read(body: &[u8], request: Option<u64>) -> Result<Option<Self>, ()> {
        std::str::from_utf8(body).map_err(drop)?;
        if serde_json::from_slice::<&RawValue>(body).is_err() {
            return Ok(None);
        }
        let tree: Json = serde_json::from_slice(body).map_err(|_| ())?;
        let body: Value = serde_json::from_slice(body).map_err(|_| ())?;
        let names = ["id", "method", "params", "result", "error"];
        let error_names = ["code", "message", "data"];
        let is_twice = |tree: &Json, name: &str| tree.all(name).count() > 1;
        let error = tree.get("error").unwrap_or(&Json::Null);
        if names.iter().any(|name| is_twice(&tree, name))
            || error_names.iter().any(|name| is_twice(error, name))
        {
            return Err(());
        }
        let is_response = body.is_object() && body["method"].is_null();
        let code = body["error"]["code"].as_i64();
        let message = match body["error"].get("message") {
            Some(message) => message.as_str(),
            None => Some(""),
        };
        let (Some(code), Some(message)) = (code, message) else {
            return Ok(None);
        };
        let id = body["id"].as_u64();
        if !is_response || body.get("result").is_some() || id == Some(OTHER) {
            return Ok(None);
        }
        Ok(Some(Self {
            code,
            message: message.to_owned(),
            exact: id.is_some() && id == request,
        }))
    }
}

impl Seen<'_> {
    fn check(&self) -> Result<(), String> {
        let head = self.refusal();
        let is_open = |id| id == OTHER || Some(id) == self.request;
        let verdict = |body| {
            let mut refusal = head.clone();
            let verdict = refusal.verdict(body, self.carried, self.request, is_open);
            (refusal, verdict)
        };
        let (refusal, found) = verdict(self.body);
        let own = Own::read(self.body, self.request);
        if let Ok(own) = &own {
            self.check_row(own.as_ref(), &head, &found)?;
        }
        self.check_answer(refusal, own.ok())?;
        let decided = self.status == 404 && self.carried != Carried::Nothing;
        same(
            "a loss shows in the head",
            head.is_loss(self.carried),
            decided,
        )?;
        let challenges = &head.answer.challenges;
        let scope = challenges.iter().any(|challenge| {
            challenge.is("bearer") && challenge.error() == Some("insufficient_scope")
        });
        let wanted = self.status == 401 || self.status == 403 && scope;
        same("a credential is wanted", head.wants_credential(), wanted)?;
        law(
            !(decided || wanted) || verdict(b"").1 == found,
            "what the head decides, the body does not change",
        )?;
        let mut of_get = head.clone();
        let found = of_get.verdict_of_get(self.body);
        let nothing = Seen {
            carried: Carried::Nothing,
            ..*self
        };
        nothing.check_row(None, &head, &found)
    }

    /// Whether the address may name the session.
    fn is_secret(&self) -> bool {
        matches!(
            self.carried,
            Carried::CurrentAddress | Carried::OlderAddress
        )
    }

    fn refusal(&self) -> Refusal {
        let status = StatusCode::from_u16(self.status).expect("a status");
        Refusal::new((self.from, self.is_secret()), status, self.headers)
    }

    fn check_row(&self, own: Option<&Own>, head: &Refusal, found: &Verdict) -> Result<(), String> {
        let fail = |reason: Reason, delivery| Verdict::Fail { reason, delivery };
        let redirected = head.redirected();
        let row = self.row(own, &head.answer);
        let expected = match (row.clone(), own) {
            (Row::Again(refused, delivery), _) => Verdict::Again {
                reason: refused.into(),
                delivery,
            },
            (Row::Fail(refused, delivery), _) => fail(refused.into(), delivery),
            (Row::Follow(to), _) => Verdict::Follow(to),
            (Row::Redirect(delivery), _) => fail(redirected.into(), delivery),
            (Row::Lost, _) => Verdict::Lost,
            (Row::Older, _) => Verdict::Older,
            (Row::Suspect, _) => Verdict::Suspect,
            (Row::Reply, Some(own)) => {
                let is_reply = matches!(found, Verdict::Reply { error, exact }
                    if Own { code: error.code, message: error.message.clone(), exact: *exact } == *own);
                return law(is_reply, &format!("{found:?} is not the reply {own:?}"));
            }
            (Row::Odd | Row::Reply, _) => fail(Peer::Odd.into(), Delivery::Unknown),
        };
        same(&format!("{} ({row:?})", self.status), found, &expected)
    }

    /// What is kept of it for those who want to know.
    fn check_answer(&self, refusal: Refusal, own: Option<Option<Own>>) -> Result<(), String> {
        let kept = &refusal.answer;
        same(
            "the excerpt",
            kept.excerpt.clone(),
            Some(excerpt(self.body)),
        )?;
        // Law 10.
        let day = Duration::from_secs(86_400);
        let after = retry_after(self.headers).map(|after| after.min(day));
        same("when to come back", kept.retry_after, after)?;
        let code = kept.rpc.as_ref().map(|error| error.code);
        same("the error's code", refusal.code(), code)?;
        if let Some(own) = own {
            same("the own error", code, own.map(|own| own.code))?;
        }
        // Law 8.
        law(
            refusal.bytes() <= self.body.len() + 1024,
            "no more is kept than came",
        )?;
        let Refused::Redirected { to, .. } = refusal.redirected() else {
            return Err("where it leads is not told".to_owned());
        };
        law(
            to.len() <= 1024 + "/...".len() && !to.contains(is_unsafe),
            "it can be shown",
        )?;
        law(
            to.find('?').is_none_or(|query| match &to[query..] {
                "?..." => true,
                // What is shown ends before the mark does.
                start => to.len() > 1020 && "?...".starts_with(start),
            }),
            "law 9: no query is shown",
        )?;
        let place = to.split_once("://").map_or(&*to, |(_, place)| place);
        law(
            !self.is_secret() || place.split_once('/').is_none_or(|(_, path)| path == "..."),
            "law 9: no path is shown where it may name the session",
        )?;
        match refusal.into_outcome() {
            Ok(reply) => law(
                reply.outcome.is_err_and(|error| Some(error.code) == code),
                "the own error is the reply",
            ),
            Err(error) => {
                law(code.is_none(), "the own error is the reply")?;
                same("what was refused", error.delivery(), Delivery::Rejected)?;
                let shown = format!("{error} {error:?}");
                law(!shown.contains(is_unsafe), "errors are safe to show")
            }
        }
    }
}
