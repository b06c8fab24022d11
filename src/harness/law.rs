//! What the bodies of the parsers' tests share.

use std::fmt::Debug;

use http::{HeaderMap, HeaderName, HeaderValue};

/// More would only be slow, and `http::HeaderMap` panics at 2^15.
const MAX_LINES: usize = 64;

pub(super) fn law(holds: bool, what: &str) -> Result<(), String> {
    if holds {
        Ok(())
    } else {
        Err(format!("broken: {what}"))
    }
}

pub(super) fn same<T: Debug + PartialEq>(what: &str, found: T, expected: T) -> Result<(), String> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{what}: {found:?} instead of {expected:?}"))
    }
}

/// The head and the body of an answer: lines `name: value` up to an empty one, then anything.
/// What is no header is left out.
pub(super) fn answer(input: &[u8]) -> (HeaderMap, &[u8]) {
    let mut headers = HeaderMap::new();
    let mut rest = input;
    for _ in 0..MAX_LINES {
        let (line, tail) = first_line(rest);
        rest = tail;
        if line.is_empty() {
            break;
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = line.split_at(colon.unwrap_or(line.len()));
        let value = HeaderValue::from_bytes(value.strip_prefix(b":").unwrap_or_default());
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), value) {
            headers.append(name, value);
        }
    }
    (headers, rest)
}

/// What stands before the first line feed, and after it.
pub(super) fn first_line(input: &[u8]) -> (&[u8], &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n');
    let (line, rest) = input.split_at(end.unwrap_or(input.len()));
    (line, rest.strip_prefix(b"\n").unwrap_or(rest))
}
