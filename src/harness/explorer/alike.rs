//! States that differ in numbers and in the time of day alone are the same.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::Time;

/// What numbers follow on, whose order alone means something.
const NUMBERED: [&str; 13] = [
    "CallId(",
    "ExchangeId(",
    "NotificationId(",
    "Number(",
    "Ticket(",
    "ask-",
    "event: ",
    "generation: ",
    "request: ",
    "rpc: ",
    "session-",
    "session=",
    "told: ",
];

/// The text with each number replaced by the place of its first appearance among its kind,
/// and each moment by its distance from now.
pub(super) fn normalized(text: &str, now: Time) -> String {
    let mut numbers: [BTreeMap<&str, usize>; NUMBERED.len()] = Default::default();
    let mut normalized = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|char: char| char.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        let digits = from.len()
            - from
                .trim_start_matches(|char: char| char.is_ascii_digit())
                .len();
        normalized.push_str(before);
        let kind = NUMBERED.iter().position(|kind| before.ends_with(kind));
        let taken = match kind {
            Some(kind) => {
                let count = numbers[kind].len();
                let place = numbers[kind].entry(&from[..digits]).or_insert(count);
                normalized.push_str(&format!("#{place}"));
                digits
            }
            None => match moment(before, from) {
                Some((at, length)) => {
                    let (at, now) = (at.as_nanos(), now.since_origin().as_nanos());
                    let sign = if at < now { "-" } else { "+" };
                    normalized.push_str(&format!("{sign}{}", at.abs_diff(now)));
                    length
                }
                None => {
                    normalized.push_str(&from[..digits]);
                    digits
                }
            },
        };
        rest = &from[taken..];
    }
    normalized.push_str(rest);
    normalized
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

    #[test]
    fn what_differs_in_numbers_and_in_the_time_of_day_alone_is_the_same() {
        let text = |call: u32, time: u64| {
            let (at, due) = (Time::from_millis(time), Time::from_millis(time + 2500));
            normalized(
                &format!("[CallId({call}), CallId({call})] now {at:?} due {due:?} 7"),
                at,
            )
        };
        assert_eq!(
            text(3, 0),
            "[CallId(#0), CallId(#0)] now ++0 due ++2500000000 7"
        );
        assert_eq!(text(3, 0), text(41, 1_700_003));
        let other = normalized("CallId(3), CallId(4)", Time::ZERO);
        assert_ne!(other, normalized("CallId(3), CallId(3)", Time::ZERO));
    }
}
