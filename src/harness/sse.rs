//! A second decoder of event streams: naive, from the WHATWG rules, over the
//! whole text at once.

use std::time::Duration;

use bytes::Bytes;

use crate::sse::{Decoder, Item, LimitExceeded, Limits};

/// What a stream holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Found {
    Event {
        kind: String,
        data: String,
        id: Option<String>,
        /// Whether the id is in the event itself.
        own: bool,
    },
    Cursor(Option<String>),
    TooLong {
        line: bool,
    },
}

/// Everything in the stream, and the last `retry`.
pub(super) fn naive(stream: &[u8], limits: Limits) -> (Vec<Found>, Option<Duration>) {
    naive_from(None, stream, limits)
}

/// The same of a stream that is resumed after the event with this id.
pub(super) fn naive_from(
    mut last: Option<String>,
    stream: &[u8],
    limits: Limits,
) -> (Vec<Found>, Option<Duration>) {
    let (mut found, mut retry) = (Vec::new(), None);
    let (mut data, mut kind, mut id) = (None::<Vec<u8>>, Vec::new(), None::<String>);
    let mut rest = stream.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(stream);
    // Of what may become a byte order mark nothing is known yet.
    if stream.len() < 3 && b"\xEF\xBB\xBF".starts_with(stream) {
        rest = b"";
    }
    while !rest.is_empty() {
        let length = rest
            .iter()
            .position(|byte| b"\r\n".contains(byte))
            .unwrap_or(rest.len());
        let (line, tail) = rest.split_at(length);
        if line.len() > limits.line {
            found.push(Found::TooLong { line: true });
            break;
        }
        if tail.is_empty() {
            break;
        }
        rest = tail.strip_prefix(b"\r\n").unwrap_or(&tail[1..]);
        if line.is_empty() {
            let text = data.take().map(|data| text(&data));
            if text.as_ref().is_some_and(|text| text.len() > limits.event) {
                found.push(Found::TooLong { line: false });
                break;
            }
            let named = id.is_some();
            if let Some(id) = id.take() {
                last = Some(id).filter(|id: &String| !id.is_empty());
            }
            let name = std::mem::take(&mut kind);
            match text {
                Some(data) => {
                    let kind = if name.is_empty() {
                        "message".to_owned()
                    } else {
                        self::text(&name)
                    };
                    found.push(Found::Event {
                        kind,
                        data,
                        id: last.clone(),
                        own: named,
                    });
                }
                None if named => found.push(Found::Cursor(last.clone())),
                None => {}
            }
            continue;
        }
        let colon = line
            .iter()
            .position(|byte| *byte == b':')
            .unwrap_or(line.len());
        let (field, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => match &mut data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                None => data = Some(value.to_vec()),
            },
            b"event" => kind = value.to_vec(),
            b"id" if !value.contains(&0) => id = Some(text(value)),
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                let millis = text(value).parse().unwrap_or(u64::MAX);
                retry = Some(Duration::from_millis(millis));
            }
            _ => {}
        }
        if data.as_ref().is_some_and(|data| data.len() > limits.event) {
            found.push(Found::TooLong { line: false });
            break;
        }
    }
    (found, retry)
}

/// Whether one of the lines that have ended is a comment.
pub(super) fn has_comment(stream: &[u8]) -> bool {
    let rest = stream.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(stream);
    let mut lines: Vec<_> = rest.split(|byte| b"\r\n".contains(byte)).collect();
    lines.pop();
    lines.iter().any(|line| line.first() == Some(&b':'))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The body of the decoder's tests: the first bytes say how small the limits are
/// and where the stream is cut, the others are the stream.
///
/// # Errors
/// Where the decoder finds something else than the naive one, or holds too much.
pub fn decode(input: &[u8]) -> Result<(), String> {
    let (head, stream) = input.split_at(input.len().min(4));
    let at = |index: usize| head.get(index).copied().unwrap_or_default();
    let limits = match at(0) % 4 {
        0 => Limits {
            line: 1 + usize::from(at(1)) / 4,
            event: usize::from(at(2)) / 4,
        },
        _ => Limits::default(),
    };
    let (expected, retry) = naive(stream, limits);
    for step in [stream.len().max(1), 1, 1 + usize::from(at(3)) % 16] {
        let mut decoder = Decoder::new(limits);
        let mut found = Vec::new();
        for chunk in stream.chunks(step) {
            decoder.feed(Bytes::copy_from_slice(chunk));
            while let Some(item) = decoder.next() {
                found.push(plain(item)?);
            }
            let most = limits.line.saturating_add(limits.event).saturating_add(64);
            // A type and an id are held besides the line and the data.
            if decoder.buffered() > most.saturating_add(limits.line.saturating_mul(6)) {
                return Err(format!("{} bytes are held", decoder.buffered()));
            }
        }
        if found != expected {
            return Err(format!(
                "in steps of {step}: {found:?} instead of {expected:?}"
            ));
        }
        if decoder.retry() != retry {
            return Err(format!(
                "retry is {:?} instead of {retry:?}",
                decoder.retry()
            ));
        }
    }
    Ok(())
}

fn plain(item: Result<Item, LimitExceeded>) -> Result<Found, String> {
    let own = |id: Option<crate::sse::EventId>| id.map(|id| id.as_str().to_owned());
    Ok(match item {
        Ok(Item::Event(event)) => Found::Event {
            kind: event.kind.as_str().to_owned(),
            data: event.data.as_str().to_owned(),
            id: own(event.id),
            own: event.has_own_id,
        },
        Ok(Item::Cursor(id)) => Found::Cursor(own(id)),
        Err(LimitExceeded::Line { .. }) => Found::TooLong { line: true },
        Err(LimitExceeded::Event { .. }) => Found::TooLong { line: false },
    })
}
