//! Of servers with sessions.

use serde_json::Value;

use super::{breaks, expect, keeps, unclear};
use crate::probe::check::{Judgement, Seen, Verdict};
use crate::probe::exchange::{Exchange, SESSION_ID};
use crate::probe::step::{NO_REVISION, Step, first_event_id};

pub(crate) fn sessions(exchange: &Exchange, _: &Seen) -> Judgement {
    let text = match exchange.header(&SESSION_ID) {
        Some(_) => "sessions are used",
        None => "no sessions are used",
    };
    (Verdict::Keeps, text.to_owned())
}

pub(crate) fn accepted(exchange: &Exchange, _: &Seen) -> Judgement {
    match exchange.status() {
        Some(202) if exchange.body.is_empty() => keeps(exchange),
        Some(202) => breaks(exchange, "with a body"),
        _ => breaks(exchange, "instead of 202"),
    }
}

pub(crate) fn ping(exchange: &Exchange, _: &Seen) -> Judgement {
    match exchange.result() {
        Some(Value::Object(result)) if result.is_empty() => keeps(exchange),
        // Some add `_meta`, as every result may have it.
        Some(_) => (
            Verdict::Note,
            format!("{}, and the result is not empty", exchange.answered()),
        ),
        None => breaks(exchange, "instead of a result"),
    }
}

pub(crate) fn other_revision(exchange: &Exchange, _: &Seen) -> Judgement {
    let result = exchange.result();
    let named = result
        .as_ref()
        .and_then(|result| result.get("protocolVersion"));
    match (named.and_then(Value::as_str), exchange.error()) {
        (Some(NO_REVISION), _) => (
            Verdict::Breaks,
            format!("it agrees to {NO_REVISION}, which is none"),
        ),
        (Some(revision), _) => (
            Verdict::Keeps,
            format!("{NO_REVISION} is answered with {revision}"),
        ),
        // The page has an example of such an error, too.
        (None, Some((code, _))) => (
            Verdict::Note,
            format!("{NO_REVISION} is answered with the error {code}, which names no other to try"),
        ),
        (None, None) => breaks(exchange, "instead of another revision"),
    }
}

pub(crate) fn other_version(exchange: &Exchange, seen: &Seen) -> Judgement {
    seen.unless_ping_fails(|| expect(exchange, 400, ""))
}

pub(crate) fn listening(exchange: &Exchange, _: &Seen) -> Judgement {
    match exchange.status() {
        Some(200) if exchange.is_stream() => (Verdict::Keeps, "it is offered".to_owned()),
        Some(405) => (Verdict::Keeps, "it is not offered: 405".to_owned()),
        Some(404) => breaks(
            exchange,
            "which says that the session is gone, while it lives",
        ),
        // Not now, or not for long: that says nothing of the rule.
        Some(429 | 502..=504) | None => unclear(exchange),
        Some(_) => breaks(exchange, "instead of a stream or 405"),
    }
}

pub(crate) fn priming(exchange: &Exchange, _: &Seen) -> Judgement {
    if !exchange.is_stream() {
        return (
            Verdict::NotApplicable,
            "`ping` is answered without a stream".to_owned(),
        );
    }
    let events = exchange.events();
    let first = events.first();
    let text = match first {
        Some(event) if event.has_own_id && event.data.is_empty() => {
            return (Verdict::Keeps, "with an id and no data".to_owned());
        }
        Some(event) if event.has_own_id => "with an id, but with data too",
        _ => "without an id to resume from",
    };
    (Verdict::Note, text.to_owned())
}

pub(crate) fn resuming(exchange: &Exchange, seen: &Seen) -> Judgement {
    if !exchange.is_stream() {
        let text = format!("{}, although its events have ids", exchange.answered());
        return (Verdict::Note, text);
    }
    let ping = seen.answers.get(&Step::Ping);
    let replies = |exchange: &Exchange| {
        let messages = exchange.messages().into_iter();
        messages
            .filter(|message| message.get("result").is_some())
            .count()
    };
    let is_of_ping = ping.is_some_and(|ping| {
        let id = first_event_id(&seen.answers);
        let events = ping.events();
        let first = events.first().and_then(|event| event.id.as_ref());
        // The event of the reply itself is followed by nothing.
        events.len() > 1
            && first.map(|first| first.as_str().as_bytes()) == id.as_ref().map(|id| id.as_bytes())
    });
    match is_of_ping {
        true if replies(exchange) > 0 => (
            Verdict::Keeps,
            "the reply to `ping` is sent again".to_owned(),
        ),
        true => (
            Verdict::Note,
            "a stream opens, but the reply to `ping` is not sent again".to_owned(),
        ),
        false => (
            Verdict::Keeps,
            "a stream opens; nothing was to be sent again".to_owned(),
        ),
    }
}

pub(crate) fn resuming_unknown(exchange: &Exchange, seen: &Seen) -> Judgement {
    let get = seen.answers.get(&Step::Get);
    match exchange.status() {
        Some(405) | Some(200) if exchange.status() == get.and_then(Exchange::status) => {
            keeps(exchange)
        }
        Some(404) => (
            Verdict::Note,
            format!(
                "{}: clients take it that the session is gone",
                exchange.answered()
            ),
        ),
        Some(400..=499) => (
            Verdict::Keeps,
            format!("it is refused: {}", exchange.answered()),
        ),
        Some(_) => (Verdict::Note, exchange.answered()),
        None => unclear(exchange),
    }
}

pub(crate) fn no_session_id(exchange: &Exchange, seen: &Seen) -> Judgement {
    seen.unless_ping_fails(|| match exchange.status() {
        Some(400) => keeps(exchange),
        Some(200..=299) => (Verdict::Keeps, "the server does not require one".to_owned()),
        Some(_) => (
            Verdict::Note,
            format!("{} instead of 400", exchange.answered()),
        ),
        None => unclear(exchange),
    })
}

pub(crate) fn no_session_id_get(exchange: &Exchange, seen: &Seen) -> Judgement {
    let begins = exchange.events();
    if begins
        .first()
        .is_some_and(|first| first.kind.as_str() == "endpoint")
    {
        return (
            Verdict::Keeps,
            "HTTP+SSE (2024-11-05) is spoken here, too".to_owned(),
        );
    }
    seen.if_listening(|| no_session_id(exchange, seen))
}

/// What a client is told of a session that the server does not know.
pub(crate) fn gone(exchange: &Exchange, seen: &Seen) -> Judgement {
    seen.unless_ping_fails(|| expect(exchange, 404, of_a_lost_session(exchange)))
}

pub(crate) fn gone_get(exchange: &Exchange, seen: &Seen) -> Judgement {
    seen.if_listening(|| gone(exchange, seen))
}

pub(crate) fn delete(exchange: &Exchange, _: &Seen) -> Judgement {
    match exchange.status() {
        Some(200..=299) => keeps(exchange),
        Some(405) => (
            Verdict::Keeps,
            "clients cannot end sessions: 405".to_owned(),
        ),
        Some(404) => (
            Verdict::Note,
            format!("{}, as if the session were unknown", exchange.answered()),
        ),
        Some(_) => (
            Verdict::Note,
            format!("{} instead of 405", exchange.answered()),
        ),
        None => unclear(exchange),
    }
}

pub(crate) fn ended(exchange: &Exchange, seen: &Seen) -> Judgement {
    if_ended(seen, || gone(exchange, seen))
}

/// Nobody relies on the answer to this.
pub(crate) fn ended_delete(exchange: &Exchange, seen: &Seen) -> Judgement {
    if_ended(seen, || expect(exchange, 404, ""))
}

fn if_ended(seen: &Seen, judge: impl FnOnce() -> Judgement) -> Judgement {
    let delete = seen.answers.get(&Step::Delete);
    if !delete.is_some_and(Exchange::is_success) {
        let text = "the session was not ended by DELETE";
        return (Verdict::NotApplicable, text.to_owned());
    }
    judge()
}

/// What comes of the wrong answer to a session that is gone.
fn of_a_lost_session(exchange: &Exchange) -> &'static str {
    match exchange.status() {
        Some(200..=299) => ": nobody notices that it is gone",
        Some(401 | 403) => ": clients ask for another credential",
        _ => ": clients keep the dead session",
    }
}
