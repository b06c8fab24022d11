//! Text from bytes that may be none.

use bytes::Bytes;

/// The bytes themselves if they are UTF-8, else a copy with U+FFFD for what is not. A copy is never
/// shorter than the bytes.
pub(super) fn utf8(bytes: Bytes) -> Bytes {
    if std::str::from_utf8(&bytes).is_ok() {
        return bytes;
    }
    Bytes::from(String::from_utf8_lossy(&bytes).into_owned())
}
