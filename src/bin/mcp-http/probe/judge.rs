//! The judgements: each a function of what was answered, and of nothing else.

pub(crate) mod session;
pub(crate) mod stateless;
#[cfg(test)]
mod tests;

use mcp_http::Binding;

use super::check::{Judgement, Seen, Verdict};
use super::exchange::Exchange;
use super::step::Step;

pub(crate) fn origin(exchange: &Exchange, seen: &Seen) -> Judgement {
    seen.unless_ping_fails(|| match exchange.status() {
        Some(400..=499) => keeps(exchange),
        Some(200..=299) => breaks(exchange, "as if it were the server's own"),
        _ => unclear(exchange),
    })
}

pub(crate) fn origin_403(exchange: &Exchange, seen: &Seen) -> Judgement {
    seen.unless_ping_fails(|| match exchange.status() {
        Some(200..=299) => breaks(exchange, "as if it were the server's own"),
        _ => expect(exchange, 403, ""),
    })
}

pub(crate) fn endpoint(exchange: &Exchange, _: &Seen) -> Judgement {
    let events = exchange.events();
    match events.first() {
        Some(event) if event.kind.as_str() == "endpoint" => keeps(exchange),
        _ => breaks(exchange, "that begins with something else"),
    }
}

/// A message at the address of an HTTP+SSE server, which answers on its stream.
pub(crate) fn taken(exchange: &Exchange, _: &Seen) -> Judgement {
    match exchange.status() {
        Some(200..=299) => keeps(exchange),
        Some(429 | 502..=504) | None => unclear(exchange),
        Some(_) => breaks(exchange, "to a message like any other"),
    }
}

/// A message at an address there that is nobody's.
pub(crate) fn not_taken(exchange: &Exchange, _: &Seen) -> Judgement {
    let odd = |why| {
        let answered = exchange.answered();
        (Verdict::Note, format!("{answered} instead of 404: {why}"))
    };
    match exchange.status() {
        Some(404) => keeps(exchange),
        Some(200..=299) => odd("nobody notices that the session is gone"),
        Some(401 | 403) => odd("clients ask for another credential"),
        Some(_) => odd("clients notice it by the end of the stream alone"),
        None => (Verdict::Note, exchange.answered()),
    }
}

impl Seen {
    /// A variation of `ping` says something only if `ping` itself works.
    fn unless_ping_fails(&self, judge: impl FnOnce() -> Judgement) -> Judgement {
        let ping = self.answers.get(&Step::Ping);
        let works = ping.is_some_and(|ping| ping.result().is_some());
        if self.binding == Binding::Session && !works {
            let text = "`ping` fails without that, too";
            return (Verdict::CannotTell, text.to_owned());
        }
        judge()
    }

    fn if_listening(&self, judge: impl FnOnce() -> Judgement) -> Judgement {
        let get = self.answers.get(&Step::Get);
        if !get.is_some_and(Exchange::is_stream) {
            let text = "no listening stream is offered";
            return (Verdict::NotApplicable, text.to_owned());
        }
        judge()
    }
}

fn keeps(exchange: &Exchange) -> Judgement {
    (Verdict::Keeps, exchange.answered())
}

fn breaks(exchange: &Exchange, how: &str) -> Judgement {
    if exchange.is_unreached() {
        return unclear(exchange);
    }
    (Verdict::Breaks, format!("{} {how}", exchange.answered()))
}

fn unclear(exchange: &Exchange) -> Judgement {
    (Verdict::CannotTell, exchange.answered())
}

fn expect(exchange: &Exchange, status: u16, otherwise: &str) -> Judgement {
    match exchange.status() {
        Some(found) if found == status => keeps(exchange),
        // Not now, or not for long: that says nothing of the rule.
        Some(429 | 502..=504) => unclear(exchange),
        _ => breaks(exchange, &format!("instead of {status}{otherwise}")),
    }
}

fn refused_with(exchange: &Exchange, status: u16, code: i64) -> Judgement {
    match (expect(exchange, status, ""), exchange.error()) {
        ((Verdict::Keeps, text), Some((found, _))) if found == code => (Verdict::Keeps, text),
        ((Verdict::Keeps, _), _) => breaks(exchange, &format!("instead of the error {code}")),
        (judgement, _) => judgement,
    }
}
