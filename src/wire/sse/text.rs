//! Text from bytes that may be none.

use std::borrow::Cow;

use bytes::Bytes;

/// Whether `of` leaves the top bit of every byte clear. Whole blocks suit the vectoriser, and short
/// texts have no slow rest since the last block may overlap the one before.
#[inline]
pub(super) fn tops_clear(bytes: &[u8], of: impl Fn(u8) -> u8) -> bool {
    let any = |bytes: &[u8]| bytes.iter().fold(0, |any, byte| any | of(*byte));
    let blocks = bytes.get(..bytes.len() & !31).unwrap_or_default();
    let last = match bytes.last_chunk::<32>() {
        Some(last) => any(last),
        None => any(bytes),
    };
    (any(blocks) | last).is_ascii()
}

pub(super) fn is_ascii(bytes: &[u8]) -> bool {
    tops_clear(bytes, |byte| byte)
}

/// The bytes themselves if they are UTF-8, else a copy with U+FFFD for what is not. A copy is never
/// shorter than the bytes.
#[inline]
pub(super) fn utf8(bytes: Bytes) -> Bytes {
    if is_ascii(&bytes) {
        bytes
    } else {
        replaced(bytes)
    }
}

#[cold]
pub(super) fn replaced(bytes: Bytes) -> Bytes {
    match String::from_utf8_lossy(&bytes) {
        Cow::Borrowed(_) => bytes,
        Cow::Owned(text) => Bytes::from(text),
    }
}
