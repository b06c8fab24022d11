//! The one look at each byte of a stream.

use memchr::memchr2;

/// What a look at the rest of a chunk finds.
pub(super) struct Scan {
    /// How many bytes are before the end of the line; all of them if it is not here.
    pub(super) end: usize,
    /// Those bytes are known to be ASCII without NUL.
    pub(super) plain: bool,
}

/// Fewer bytes are looked at one by one, and where a line ends within so many.
const FEW: usize = 16;

/// More bytes are looked at in blocks of so many, which the compiler makes vectors of.
const BLOCK: usize = 128;

/// Whether these are few bytes, plain and from within a line.
#[inline]
pub(super) fn are_easy(bytes: &[u8]) -> bool {
    bytes.len() < FEW && bytes.iter().all(is_easy)
}

/// ASCII, and above all that NUL and the ends of lines are.
fn is_easy(byte: &u8) -> bool {
    *byte as i8 > b'\r' as i8
}

fn is_end(byte: &u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// Looks for the end of the line.
#[inline]
pub(super) fn scan(bytes: &[u8]) -> Scan {
    let plain = |end| Scan { end, plain: true };
    if bytes.first().is_some_and(is_end) {
        return plain(0);
    }
    let few = bytes.first_chunk::<FEW>();
    if few.is_none_or(|few| !all(few, is_easy)) {
        let easy = bytes.iter().take_while(|byte| is_easy(byte)).count();
        if bytes.get(easy).is_none_or(is_end) {
            return plain(easy);
        }
    }
    // Long lines are mostly printable ASCII: their end is not there, nor anything else.
    let mut rest = bytes;
    while let Some((block, tail)) = rest.split_first_chunk::<BLOCK>() {
        if !is_printable(block) {
            break;
        }
        rest = tail;
    }
    let last = bytes.last_chunk();
    if rest.len() < BLOCK && last.is_some_and(is_printable) {
        return plain(bytes.len());
    }
    let end = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
    Scan {
        end: bytes.len() - rest.len() + end,
        plain: are_plain(rest.get(..end).unwrap_or_default()),
    }
}

/// Whether all bytes are ASCII and none is a control character but DEL.
#[inline]
fn is_printable(block: &[u8; BLOCK]) -> bool {
    all(block, |byte| at_least(b' ' as i8, byte))
}

/// Whether all bytes are plain. Short texts have no slow rest since the last block may overlap the
/// one before.
#[inline]
fn are_plain(bytes: &[u8]) -> bool {
    let Some(last) = bytes.last_chunk::<32>() else {
        return all(bytes, is_plain);
    };
    let mut rest = bytes;
    while let Some((block, tail)) = rest.split_first_chunk::<32>() {
        if !all(block, is_plain) {
            return false;
        }
        rest = tail;
    }
    all(last, is_plain)
}

/// ASCII but NUL.
fn is_plain(byte: &u8) -> bool {
    at_least(1, byte)
}

/// As a signed number: what is not ASCII is negative. The form is that of one vector instruction.
#[inline]
fn at_least(least: i8, byte: &u8) -> bool {
    (*byte as i8).saturating_sub(least) >= 0
}

/// Looks at every byte in any case, for a loop that stops early does not become vectors.
#[inline]
fn all(bytes: &[u8], is: impl Fn(&u8) -> bool) -> bool {
    !bytes.iter().fold(false, |any, byte| any | !is(byte))
}
