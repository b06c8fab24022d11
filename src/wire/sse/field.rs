//! The fields of a line.

use std::time::Duration;

/// The fields of the standard.
pub(super) enum Field {
    Data,
    Event,
    Id,
    Retry,
}

/// The field and the value of a line; `None` for comments and unknown fields.
#[inline(always)]
pub(super) fn split(line: &[u8]) -> Option<(Field, &[u8])> {
    let (field, rest) = match line {
        [b'd', b'a', b't', b'a', rest @ ..] => (Field::Data, rest),
        [b'i', b'd', rest @ ..] => (Field::Id, rest),
        [b'e', b'v', b'e', b'n', b't', rest @ ..] => (Field::Event, rest),
        [b'r', b'e', b't', b'r', b'y', rest @ ..] => (Field::Retry, rest),
        _ => return None,
    };
    match rest {
        [b':', b' ', value @ ..] | [b':', value @ ..] | value @ [] => Some((field, value)),
        _ => None,
    }
}

/// The value of a `retry` field; `None` if it is invalid.
pub(super) fn milliseconds(value: &[u8]) -> Option<Duration> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = value.iter().fold(0_u64, |number, digit| {
        let digit = u64::from(digit.saturating_sub(b'0'));
        number.saturating_mul(10).saturating_add(digit)
    });
    Some(Duration::from_millis(number))
}
