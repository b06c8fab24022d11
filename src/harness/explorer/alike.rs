//! States that differ in numbers, in the time of day and in how many bytes were let go by alone
//! are the same.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::Request;

use crate::{Error, Event, ExchangeId, Time};

/// What numbers follow on, whose order alone means something; by what they count. A request has the
/// number of its exchange. The first that fits counts.
const NUMBERED: [&[&str]; 10] = [
    &["ProgressToken(\"", "token: Number(", "\"progressToken\":"],
    &[
        "ExchangeId(",
        "Number(",
        "request: ",
        "rpc: ",
        "\"id\":",
        "\"requestId\":",
    ],
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
    let (method, to, headers) = (request.method(), request.uri(), request.headers());
    let body = String::from_utf8_lossy(request.body());
    format!("{id:?} {method} {to} {headers:?} {body}\n")
}

/// What the application is told, as text; of an error its kind, and what it says of the call.
pub(super) fn told(event: &Event) -> String {
    let kind = |error: &Error| {
        let reason = std::mem::discriminant(error.reason());
        format!(
            "{reason:?} {:?} {:?}",
            error.delivery(),
            error.retry_after()
        )
    };
    match event {
        Event::Fail { subject, error } => format!("{subject:?} fails: {}\n", kind(error)),
        Event::NotRestored { error, .. } => format!("not restored: {}\n", kind(error)),
        Event::StreamDegraded { error, .. } => format!("degraded: {}\n", kind(error)),
        Event::StreamNotOffered { error, .. } => format!("not offered: {}\n", kind(error)),
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
    use crate::id::Tag;
    use crate::{Delivery, Reason, Subject};
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
    fn what_is_sent_and_told_makes_a_difference() {
        let sent = |to: &str, body: &'static str| {
            let request = Request::post(to).body(Bytes::from_static(body.as_bytes()));
            super::sent(ExchangeId::new(Tag(0), 3), &request.unwrap())
        };
        let told = |delivery| {
            let subject = Subject::Connection;
            let error = Error::new(Reason::Closed, delivery);
            super::told(&Event::Fail { subject, error })
        };
        let all = [
            sent("/a", "{}"),
            sent("/b", "{}"),
            sent("/a", "[]"),
            told(Delivery::NotSent),
            told(Delivery::Unknown),
        ];
        for (at, one) in all.iter().enumerate() {
            for (other_at, other) in all.iter().enumerate() {
                let unlike = unlike(&[one.clone(), other.clone()]);
                assert_eq!(unlike.is_some(), at != other_at, "{one}{other}");
            }
        }
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
