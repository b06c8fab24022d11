//! Lines that come in pieces.

use std::mem;

use bytes::Bytes;

use super::block::Block;
use super::field::{Field, split};
use super::scan::are_easy;

/// So many bytes of a line decide which field it is and where the value of `data` begins.
const HEAD: usize = "data: ".len();

/// What is kept grows by no less; and so much of it stays allocated for the next line.
const ROOM: usize = 256;

/// A line that lies in more than one chunk.
#[derive(Clone, Default)]
pub(super) struct Line {
    /// The bytes of the line; of a `data` field the value alone, which becomes the data of the event
    /// as it stands.
    pub(super) kept: Vec<u8>,
    /// The name of the `data` field has been taken off.
    is_data: bool,
    /// The length so far. 0 if the line begins in the current chunk.
    pub(super) length: usize,
    /// So many bytes may still come. 0 as long as it is open which field this is.
    left: usize,
}

impl Line {
    /// Takes in a piece, if there is nothing else to do about it.
    #[inline]
    pub(super) fn append(&mut self, piece: &[u8]) -> bool {
        let room = self.kept.capacity() - self.kept.len();
        if piece.len() >= self.left || piece.len() > room || !are_easy(piece) {
            return false;
        }
        self.length += piece.len();
        self.left -= piece.len();
        match piece {
            [byte] => self.kept.push(*byte),
            _ => self.kept.extend_from_slice(piece),
        }
        true
    }

    /// Takes in a piece. It keeps to the limit.
    pub(super) fn extend(&mut self, piece: &[u8], limit: usize) {
        let is_open = self.length < HEAD;
        self.length = self.length.saturating_add(piece.len());
        if self.length < HEAD {
            return self.keep(piece);
        }
        if is_open {
            self.settle(piece);
        } else {
            self.keep(piece);
        }
        self.left = limit.saturating_sub(self.length);
    }

    /// Takes in the piece that shows which field it is.
    fn settle(&mut self, piece: &[u8]) {
        let missing = HEAD.saturating_sub(self.kept.len());
        let (head, tail) = piece.split_at_checked(missing).unwrap_or((piece, &[]));
        self.keep(head);
        if let Some((Field::Data, value)) = split(&self.kept) {
            let name = self.kept.len() - value.len();
            self.kept.drain(..name);
            self.is_data = true;
        }
        self.keep(tail);
    }

    fn keep(&mut self, piece: &[u8]) {
        if self.kept.capacity() - self.kept.len() < piece.len() {
            self.kept.reserve(piece.len().max(ROOM));
        }
        self.kept.extend_from_slice(piece);
    }

    /// At the end of the line: what was kept goes to the block.
    pub(super) fn finish(&mut self, block: &mut Block) {
        if self.is_data {
            block.data(mem::take(&mut self.kept));
        } else {
            block.line(&self.kept, Bytes::copy_from_slice);
            self.kept.clear();
            self.kept.shrink_to(ROOM);
        }
        self.is_data = false;
        self.length = 0;
        self.left = 0;
    }
}
