//! States that differ in numbers, in the time of day and in how many bytes were let go by alone
//! are the same.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use serde_json::Value;

use crate::{Event, ExchangeId, Time};

/// What numbers follow on, whose order alone means something; by what they count. A request has the
/// number of its exchange. The first that fits counts.
const NUMBERED: [&[&str]; 10] = [
    &["ProgressToken(\"", "token: Number("],
    &["ExchangeId(", "Number(", "request: ", "rpc: "],
    &["CallId("],
    &["NotificationId("],
    &["Ticket("],
    &["ask-"],
    &["event: "],
    &["generation: "],
    &["session-", "session="],
    &["number: ", "told: "],
];

/// What counts bytes that are let go by, of which there may be very many more; and how many came at
/// once, which decides no more than whether what waits is copied.
const LET_GO: [&str; 3] = ["dropped: ", "Ignored(", "largest: "];

/// A part of the text of a state.
enum Part<'a> {
    Text(&'a str),
    /// One of a kind.
    Number(usize, u64),
    Moment(Duration),
}

/// A request, as text.
pub(super) fn sent(id: ExchangeId, request: &Request<Bytes>) -> String {
    let (method, to) = (request.method(), request.uri());
    let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
    let rpc = body["id"].as_u64().map(|id| format!("request: {id}"));
    let method_of = &body["method"];
    let headers = request.headers();
    format!("{id:?} {method} {to} {method_of} {rpc:?} {headers:?}\n")
}

/// What the application is told, as text; of an error all but the story that it tells.
pub(super) fn told(event: &Event) -> String {
    match event {
        Event::Fail { subject, error } => {
            let (delivery, after) = (error.delivery(), error.retry_after());
            let reason = std::mem::discriminant(error.reason());
            format!("{subject:?} fails: {reason:?} {delivery:?} {after:?}\n")
        }
        Event::StreamDegraded { .. } | Event::StreamNotOffered { .. } => String::new(),
        event => format!("{event:?}\n"),
    }
}

/// Where two texts differ, if they do.
pub(super) fn unlike(texts: &[String; 2]) -> Option<String> {
    let [one, other] = texts;
    let same = one.chars().zip(other.chars()).take_while(|(a, b)| a == b);
    let from = same.count().saturating_sub(100);
    let part = |text: &String| text.chars().skip(from).take(200).collect::<String>();
    (one != other).then(|| format!("{}\n{}", part(one), part(other)))
}

/// The text with each number replaced by its place among those of its kind, and each moment by its
/// distance from now. 0 stands for none.
pub(super) fn normalized(text: &str, now: Time) -> String {
    let parts = parts(text);
    let mut numbers: [Vec<u64>; NUMBERED.len()] = Default::default();
    for part in &parts {
        if let Part::Number(kind, number) = part {
            numbers[*kind].push(*number);
        }
    }
    for numbers in &mut numbers {
        numbers.sort_unstable();
        numbers.dedup();
    }
    let now = now.since_origin();
    let mut normalized = String::with_capacity(text.len());
    for part in parts {
        let written = match part {
            Part::Text(text) => normalized.write_str(text),
            Part::Number(kind, number) => {
                let place = numbers[kind].partition_point(|other| *other < number);
                write!(normalized, "#{place}")
            }
            Part::Moment(at) => {
                let sign = if at < now { "-" } else { "+" };
                let distance = at.as_nanos().abs_diff(now.as_nanos());
                write!(normalized, "{sign}{distance}")
            }
        };
        written.expect("text takes it");
    }
    normalized
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| byte.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        let end = from.bytes().position(|byte| !byte.is_ascii_digit());
        let (digits, after) = from.split_at(end.unwrap_or(from.len()));
        parts.push(Part::Text(before));
        // Most are settled by the last byte.
        let last = before.as_bytes().last();
        let ends = |name: &&str| name.as_bytes().last() == last && before.ends_with(name);
        let kind = NUMBERED.iter().position(|kind| kind.iter().any(&ends));
        let number = digits.parse().ok().filter(|number| *number > 0);
        rest = after;
        match (kind.zip(number), moment(before, from)) {
            (Some((kind, number)), _) => parts.push(Part::Number(kind, number)),
            (None, Some((at, length))) => {
                parts.push(Part::Moment(at));
                rest = &from[length..];
            }
            (None, None) if number.is_some() && LET_GO.iter().any(ends) => {
                parts.push(Part::Text("some"));
            }
            (None, None) => parts.push(Part::Text(digits)),
        }
    }
    parts.push(Part::Text(rest));
    parts
}

/// A moment as `Debug` shows it, and how long that is.
fn moment(before: &str, from: &str) -> Option<(Duration, usize)> {
    if !before.ends_with('+') {
        return None;
    }
    let number = from.find(|char: char| !char.is_ascii_digit() && char != '.')?;
    let (count, rest) = from.split_at(number);
    let units = [("ns", 1e-9), ("\u{b5}s", 1e-6), ("ms", 1e-3), ("s", 1.0)];
    let (unit, size) = units.iter().find(|(unit, _)| rest.starts_with(unit))?;
    let seconds: f64 = count.parse().ok()?;
    Some((
        Duration::try_from_secs_f64(seconds * size).ok()?,
        number + unit.len(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn text(calls: [u32; 2], time: u64) -> String {
        let [one, other] = calls;
        let (at, due) = (Time::from_millis(time), Time::from_millis(time + 2500));
        normalized(
            &format!("[CallId({one}), CallId({other})] now {at:?} due {due:?} 7"),
            at,
        )
    }

    #[test]
    fn what_differs_in_numbers_and_in_the_time_of_day_alone_is_the_same() {
        assert_eq!(
            text([3, 3], 0),
            "[CallId(#0), CallId(#0)] now ++0 due ++2500000000 7"
        );
        assert_eq!(text([3, 3], 0), text([41, 41], 1_700_003));
        assert_eq!(text([3, 4], 0), text([9, 41], 0));
    }

    #[test]
    fn the_order_of_numbers_makes_a_difference_and_so_does_none() {
        let all = [[3, 3], [3, 4], [4, 3], [0, 3], [3, 0], [0, 0]].map(|calls| text(calls, 0));
        let different: BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len(), "{all:?}");
    }

    #[test]
    fn how_many_bytes_are_let_go_makes_no_difference() {
        let text = |count| {
            let text = format!("Ignored({count}), dropped: {count}, largest: {count}");
            normalized(&text, Time::ZERO)
        };
        assert_eq!(text(157), text(158));
        assert_ne!(text(157), text(0));
    }

    #[test]
    fn a_request_has_the_number_of_its_exchange() {
        let text = |request| normalized(&format!("ExchangeId(5) request: {request}"), Time::ZERO);
        assert_ne!(text(5), text(6));
        assert_eq!(text(5), "ExchangeId(#0) request: #0");
    }
}
