//! From chunks to items.

use std::{fmt, mem, time::Duration};

use bytes::Bytes;

use super::block::Block;
use super::input::Input;
use super::item::{EventId, Item};
use super::limits::{LimitExceeded, Limits};
use super::line::Line;
use super::scan::{Scan, scan};

/// The byte order mark U+FEFF in UTF-8.
const BOM: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// The first line of nearly every event of MCP; worth a short cut.
const USUAL: &[u8] = b"event: message";

/// The decoder of one event stream (one HTTP response body).
///
/// What an event is made of is held until its blank line; so is the chunk that its data are a slice
/// of, unless they are the lesser part of it. After an error the decoder is finished: its buffers are freed, what is fed to it is dropped,
/// and [`next`](Self::next) returns `None`. Its `Debug` shows sizes, never contents.
#[derive(Clone)]
pub struct Decoder {
    limits: Limits,
    input: Input,
    edge: Edge,
    pub(super) line: Line,
    block: Block,
    failed: bool,
}

impl Decoder {
    /// A decoder at the start of a stream that goes on from no other.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            input: Input::default(),
            edge: Edge::Start(0),
            line: Line::default(),
            block: Block::default(),
            failed: false,
        }
    }

    /// A decoder at the start of a stream that goes on where another one ended: its last event id
    /// is `cursor` until an event says otherwise.
    ///
    /// Browsers do so. The letter of the standard has each stream begin without one, so that the
    /// first event without `id` field would undo the cursor.
    #[must_use]
    pub fn resume(limits: Limits, cursor: Option<&EventId>) -> Self {
        let mut decoder = Self::new(limits);
        decoder.block.last_id = cursor.map(EventId::detach);
        decoder
    }

    /// Queues the next bytes of the stream, without looking at them.
    ///
    /// The limits do not bound what is queued; that is up to the caller, who sees it in
    /// [`buffered`](Self::buffered).
    #[inline]
    pub fn feed(&mut self, chunk: Bytes) {
        if !self.failed && !chunk.is_empty() {
            self.input.feed(chunk);
        }
    }

    /// Decodes up to the end of the next item and leaves the bytes after it undecoded. `None` if
    /// what was fed holds no further item: all of it is decoded then, and more may be fed.
    ///
    /// # Errors
    /// If the stream exceeds a limit: once, and then `None` for ever.
    #[allow(
        clippy::should_implement_trait,
        reason = "an iterator that has said `None` is taken to be at its end; here more may follow"
    )]
    #[inline]
    pub fn next(&mut self) -> Option<Result<Item, LimitExceeded>> {
        if self.gather() { None } else { self.decode() }
    }

    /// Whether all there was is one small piece from within a line, which is taken in then. Where a
    /// stream comes in bytes or words, nearly every chunk is.
    #[inline]
    fn gather(&mut self) -> bool {
        // Nothing of a chunk with such a piece alone is lent.
        self.line.append(self.input.rest()) && !self.input.next_chunk()
    }

    /// Apart, so that the short cut needs no room on the stack.
    #[inline(never)]
    fn decode(&mut self) -> Option<Result<Item, LimitExceeded>> {
        loop {
            let rest = self.input.rest();
            let Some(&first) = rest.first() else {
                if self.next_chunk() {
                    continue;
                }
                return None;
            };
            if self.edge != Edge::None {
                self.step_over_edge(first);
                continue;
            }
            let is_fresh = self.line.length == 0;
            if is_fresh && first == b'e' && self.limits.line >= USUAL.len() {
                let ending = match rest.strip_prefix(USUAL) {
                    Some([b'\n', ..]) => 1,
                    Some([b'\r', b'\n', ..]) => 2,
                    _ => 0,
                };
                if ending > 0 {
                    self.block.kind = None;
                    self.input.pass(USUAL.len() + ending);
                    continue;
                }
            }
            let Scan { end, plain } = scan(rest);
            let length = self.line.length.saturating_add(end);
            if length > self.limits.line {
                let limit = self.limits.line;
                return self.fail(LimitExceeded::Line { limit });
            }
            self.block.plain &= plain;
            let Some(terminator) = rest.get(end) else {
                self.line.extend(rest, self.limits.line);
                if self.next_chunk() {
                    continue;
                }
                return None;
            };
            let piece = rest.get(..end).unwrap_or_default();
            let mut passed = end + 1;
            if *terminator == b'\r' {
                match rest.get(passed) {
                    None => self.edge = Edge::AfterCr,
                    Some(b'\n') => passed += 1,
                    Some(_) => {}
                }
            }
            if length == 0 {
                self.block.finish();
            } else if is_fresh {
                let slice = |value: &[u8]| self.input.slice(value.len(), end);
                self.block.line(piece, slice);
            } else {
                self.line.extend(piece, self.limits.line);
                self.line.finish(&mut self.block);
            }
            self.input.pass(passed);
            if self.block.data.bytes().len() > self.limits.event {
                let limit = self.limits.event;
                return self.fail(LimitExceeded::Event { limit });
            }
            if length == 0 {
                if let Some(item) = self.block.dispatch() {
                    return Some(Ok(item));
                }
            }
        }
    }

    /// The last event id: that of the last block that is complete and has a valid `id` field, if
    /// it was not empty. Before there is one it is that which the decoder was resumed with.
    pub fn last_event_id(&self) -> Option<&EventId> {
        self.block.last_id.as_ref()
    }

    /// The reconnection time that the server asked for: the last `retry` field that is all ASCII
    /// digits. It takes effect as soon as its line is complete, and saturates.
    pub fn retry(&self) -> Option<Duration> {
        self.block.retry
    }

    /// Whether there was a comment: a line that begins with a colon. Servers send them to keep a
    /// stream alive (9.2.7).
    pub fn has_commented(&self) -> bool {
        self.block.commented
    }

    /// All bytes held: those not decoded, the line and the event that are not complete. The last
    /// event id is not counted.
    pub fn buffered(&self) -> usize {
        let Block { data, kind, id, .. } = &self.block;
        let [kind, id] = [kind, id].map(|text| text.as_ref().map_or(0, Bytes::len));
        [self.line.kept.len(), data.bytes().len(), kind, id]
            .into_iter()
            .fold(self.input.len(), usize::saturating_add)
    }

    /// Whether there are bytes that [`next`](Self::next) has not decoded yet. They need not make
    /// an item.
    pub fn has_input(&self) -> bool {
        self.input.len() > 0
    }

    /// For a pause: what is held keeps no chunk alive that is much larger.
    pub(crate) fn shrink(&mut self) {
        if self.block.lent {
            self.detach();
        }
        self.input.shrink();
    }

    /// Goes on to the next chunk, if there is one.
    #[inline]
    fn next_chunk(&mut self) -> bool {
        if self.block.lent {
            self.detach();
        }
        self.input.next_chunk()
    }

    /// Copies what may be kept for longer than the chunk.
    fn detach(&mut self) {
        if let Some(chunk) = self.input.chunk() {
            self.block.detach(chunk);
        }
    }

    /// Looks at one byte at the start of the stream or after a CR, where it may mean nothing.
    fn step_over_edge(&mut self, first: u8) {
        let edge = mem::replace(&mut self.edge, Edge::None);
        match edge {
            Edge::AfterCr if first == b'\n' => self.input.pass(1),
            Edge::Start(seen) if BOM.get(seen) == Some(&first) => {
                self.input.pass(1);
                let seen = seen + 1;
                if seen < BOM.len() {
                    self.edge = Edge::Start(seen);
                }
            }
            Edge::Start(seen) => {
                // No byte order mark: what was seen of one begins the first line.
                self.line
                    .extend(BOM.get(..seen).unwrap_or_default(), self.limits.line);
            }
            Edge::AfterCr | Edge::None => {}
        }
    }

    #[cold]
    fn fail(&mut self, error: LimitExceeded) -> Option<Result<Item, LimitExceeded>> {
        self.detach();
        let Block { last_id, retry, .. } = mem::take(&mut self.block);
        *self = Self::new(self.limits);
        self.failed = true;
        self.block.last_id = last_id;
        self.block.retry = retry;
        Some(Err(error))
    }
}

/// With the default limits.
impl Default for Decoder {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("limits", &self.limits)
            .field("undecoded", &self.input.len())
            .field("buffered", &self.buffered())
            .field("last_event_id", &self.block.last_id)
            .field("retry", &self.block.retry)
            .field("failed", &self.failed)
            .finish()
    }
}

/// What the next byte may be besides content.
#[derive(Clone, PartialEq, Eq)]
enum Edge {
    None,
    /// The next byte of a byte order mark, of which so many were seen, and nothing else.
    Start(usize),
    /// The LF of a CRLF.
    AfterCr,
}
