//! Of servers without sessions.

use http::HeaderName;
use serde_json::Value;

use super::{breaks, keeps, refused_with, unclear};
use crate::probe::check::{Judgement, Seen, Verdict};
use crate::probe::exchange::{End, Exchange, SESSION_ID};

const HEADER_MISMATCH: i64 = -32020;
const UNSUPPORTED_VERSION: i64 = -32022;
const METHOD_NOT_FOUND: i64 = -32601;

pub(crate) fn discovery(exchange: &Exchange, _: &Seen) -> Judgement {
    let result = exchange.result().unwrap_or_default();
    let info = result.pointer("/_meta/io.modelcontextprotocol~1serverInfo/name");
    match info.is_some_and(Value::is_string) {
        true => keeps(exchange),
        false => (
            Verdict::Note,
            format!(
                "{}, and the server does not say its name",
                exchange.answered()
            ),
        ),
    }
}

pub(crate) fn unsupported(exchange: &Exchange, _: &Seen) -> Judgement {
    let judgement = refused_with(exchange, 400, UNSUPPORTED_VERSION);
    let listed = exchange.messages().into_iter().find_map(|message| {
        let supported = message.pointer("/error/data/supported")?.as_array()?.len();
        (supported > 0).then_some(())
    });
    match (judgement, listed) {
        ((Verdict::Keeps, _), None) => breaks(exchange, "without a list of those that it has"),
        (judgement, _) => judgement,
    }
}

pub(crate) fn mismatch(exchange: &Exchange, _: &Seen) -> Judgement {
    refused_with(exchange, 400, HEADER_MISMATCH)
}

pub(crate) fn unknown_method(exchange: &Exchange, _: &Seen) -> Judgement {
    refused_with(exchange, 404, METHOD_NOT_FOUND)
}

pub(crate) fn session_ignored(exchange: &Exchange, _: &Seen) -> Judgement {
    match (exchange.result(), exchange.header(&SESSION_ID)) {
        (Some(_), None) => (Verdict::Keeps, "one that is sent is ignored".to_owned()),
        (Some(_), Some(_)) => (Verdict::Note, "the answer has one".to_owned()),
        (None, _) if exchange.is_unreached() => unclear(exchange),
        (None, _) => (
            Verdict::Note,
            format!("one that is sent is refused: {}", exchange.answered()),
        ),
    }
}

pub(crate) fn subscription(exchange: &Exchange, _: &Seen) -> Judgement {
    let is_open = matches!(exchange.end, End::Left | End::Open);
    match exchange.status() {
        Some(200) if exchange.is_acknowledged() => (Verdict::Keeps, "it is offered".to_owned()),
        Some(200) if exchange.is_stream() && exchange.messages().is_empty() && is_open => {
            breaks(exchange, "and then nothing")
        }
        Some(200) if exchange.is_stream() => breaks(exchange, "that begins with something else"),
        _ if exchange
            .error()
            .is_some_and(|(code, _)| code == METHOD_NOT_FOUND) =>
        {
            (
                Verdict::NotApplicable,
                format!("it is not offered: {}", exchange.answered()),
            )
        }
        Some(_) => (
            Verdict::Note,
            format!("it is not offered: {}", exchange.answered()),
        ),
        None => unclear(exchange),
    }
}

pub(crate) fn buffering(exchange: &Exchange, _: &Seen) -> Judgement {
    if !exchange.is_stream() {
        return (Verdict::NotApplicable, "there was no stream".to_owned());
    }
    match exchange.header(&HeaderName::from_static("x-accel-buffering")) {
        Some("no") => (Verdict::Keeps, "proxies are told not to".to_owned()),
        _ => (Verdict::Note, "proxies are not told not to".to_owned()),
    }
}

pub(crate) fn older_method(exchange: &Exchange, seen: &Seen) -> Judgement {
    if seen.has_session_revisions {
        return (
            Verdict::NotApplicable,
            "`initialize` is answered here, too".to_owned(),
        );
    }
    match exchange.status() {
        Some(405) => keeps(exchange),
        Some(_) => (
            Verdict::Note,
            format!("{} instead of 405", exchange.answered()),
        ),
        None => unclear(exchange),
    }
}
