//! Lines that come in pieces.

use std::mem;

use bytes::Bytes;
use memchr::memchr2;

use super::block::{Block, Buffer};
use super::field::{Field, split};

/// So many bytes of a line decide which field it is and where the value of `data` begins.
const HEAD: usize = "data: ".len();

/// A line that lies in more than one chunk. Its bytes are looked at once, and copied once if they
/// are data.
#[derive(Clone, Default)]
pub(super) struct Line {
    /// The bytes of the line, unless they go to the data of the event.
    pub(super) kept: Vec<u8>,
    /// It is a `data` field, and its name has been taken off.
    direct: bool,
    /// The length so far. 0 if the line begins in the current chunk.
    pub(super) length: usize,
}

impl Line {
    #[inline]
    pub(super) fn extend(&mut self, piece: &[u8], data: &mut Buffer) {
        if self.direct {
            data.extend(piece);
        } else {
            self.keep(piece, data);
        }
    }

    fn keep(&mut self, piece: &[u8], data: &mut Buffer) {
        let missing = HEAD.saturating_sub(self.kept.len());
        let (head, tail) = piece.split_at_checked(missing).unwrap_or((piece, &[]));
        self.kept.extend_from_slice(head);
        if self.kept.len() == HEAD {
            if let Some((Field::Data, value)) = split(&self.kept) {
                data.begin();
                data.extend(value);
                self.kept.clear();
                self.direct = true;
                return data.extend(tail);
            }
        }
        self.kept.extend_from_slice(tail);
    }

    pub(super) fn finish(&mut self, block: &mut Block) {
        if !self.direct {
            let line = Bytes::from(mem::take(&mut self.kept));
            block.line(&line, &line, line.len());
        }
        self.direct = false;
        self.length = 0;
    }
}

/// How many bytes are before the end of the line; all of them if it is not here.
pub(super) fn find_end(bytes: &[u8]) -> usize {
    match bytes {
        [b'\n' | b'\r', ..] => 0,
        [_] => 1,
        _ => memchr2(b'\n', b'\r', bytes).unwrap_or(bytes.len()),
    }
}
