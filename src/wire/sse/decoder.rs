//! From chunks to items.

use std::{collections::VecDeque, fmt, mem, time::Duration};

use bytes::Bytes;

use super::block::Block;
use super::item::{EventId, Item};
use super::limits::{LimitExceeded, Limits};
use super::line::{Line, find_end};
use super::text::is_ascii;

/// The byte order mark U+FEFF in UTF-8.
const BOM: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// The first line of nearly every event of MCP; worth a short cut.
const USUAL: &[u8] = b"event: message";

/// The decoder of one event stream (one HTTP response body).
///
/// What an event is made of is held until its blank line; so is the chunk that its data are a slice
/// of. After an error the decoder is finished: its buffers are freed, what is fed to it is dropped,
/// and [`next`](Self::next) returns `None`. Its `Debug` shows sizes, never contents.
#[derive(Clone)]
pub struct Decoder {
    limits: Limits,
    /// The chunk that is being decoded, up to `at` so far. Empty only if the queue is.
    chunk: Bytes,
    at: usize,
    queue: VecDeque<Bytes>,
    queued: usize,
    edge: Edge,
    line: Line,
    pub(super) block: Block,
    failed: bool,
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            chunk: Bytes::new(),
            at: 0,
            queue: VecDeque::new(),
            queued: 0,
            edge: Edge::Start(0),
            line: Line::default(),
            block: Block::default(),
            failed: false,
        }
    }

    /// Queues the next bytes of the stream, without looking at them.
    ///
    /// The limits do not bound what is queued; that is up to the caller, who sees it in
    /// [`buffered`](Self::buffered).
    pub fn feed(&mut self, chunk: Bytes) {
        if self.failed || chunk.is_empty() {
            return;
        }
        if self.chunk.is_empty() {
            self.chunk = chunk;
        } else {
            self.queued = self.queued.saturating_add(chunk.len());
            self.queue.push_back(chunk);
        }
    }

    /// Decodes up to the end of the next item and leaves the bytes after it undecoded. `None` if
    /// what was fed holds no further item: all of it is decoded then, and more may be fed.
    #[allow(
        clippy::should_implement_trait,
        reason = "an iterator that has said `None` is taken to be at its end; here more may follow"
    )]
    pub fn next(&mut self) -> Option<Result<Item, LimitExceeded>> {
        loop {
            let rest = self.chunk.get(self.at..).unwrap_or_default();
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
                    self.at += USUAL.len() + ending;
                    continue;
                }
            }
            let end = find_end(rest);
            let length = self.line.length.saturating_add(end);
            if length > self.limits.line {
                let limit = self.limits.line;
                return self.fail(LimitExceeded::Line { limit });
            }
            let (piece, tail) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            let to = self.at + end;
            let Some((terminator, after)) = tail.split_first() else {
                self.at = to;
                self.line.extend(piece, &mut self.block.data);
                self.line.length = length;
                continue;
            };
            self.at = to + 1;
            if *terminator == b'\r' {
                match after.first() {
                    None => self.edge = Edge::AfterCr,
                    Some(b'\n') => self.at += 1,
                    Some(_) => {}
                }
            }
            if length == 0 && !is_ascii(self.block.data.bytes()) {
                self.block.replace();
            } else if !is_fresh {
                self.line.extend(piece, &mut self.block.data);
                self.line.finish(&mut self.block);
            } else if length > 0 {
                self.block.line(piece, &self.chunk, to);
            }
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
    /// it was not empty.
    pub fn last_event_id(&self) -> Option<&EventId> {
        self.block.last_id.as_ref()
    }

    /// The reconnection time that the server asked for: the last `retry` field that is all ASCII
    /// digits. It takes effect as soon as its line is complete, and saturates.
    pub fn retry(&self) -> Option<Duration> {
        self.block.retry
    }

    /// All bytes held: those not decoded, the line and the event that are not complete. The last
    /// event id is not counted.
    pub fn buffered(&self) -> usize {
        let Block { data, kind, id, .. } = &self.block;
        let [kind, id] = [kind, id].map(|text| text.as_ref().map_or(0, Bytes::len));
        [self.line.kept.len(), data.bytes().len(), kind, id]
            .into_iter()
            .fold(self.undecoded(), usize::saturating_add)
    }

    /// Whether there are bytes that [`next`](Self::next) has not decoded yet. They need not make
    /// an item.
    pub fn has_input(&self) -> bool {
        self.undecoded() > 0
    }

    fn undecoded(&self) -> usize {
        self.queued.saturating_add(self.chunk.len() - self.at)
    }

    /// Lets go of the chunk, which is decoded, and takes the next one if there is one.
    fn next_chunk(&mut self) -> bool {
        if self.block.lent {
            self.block.detach(&self.chunk);
        }
        self.at = 0;
        self.chunk = self.queue.pop_front().unwrap_or_default();
        self.queued = self.queued.saturating_sub(self.chunk.len());
        !self.chunk.is_empty()
    }

    /// Looks at one byte at the start of the stream or after a CR, where it may mean nothing.
    fn step_over_edge(&mut self, first: u8) {
        let edge = mem::replace(&mut self.edge, Edge::None);
        match edge {
            Edge::AfterCr if first == b'\n' => self.at += 1,
            Edge::Start(seen) if BOM.get(seen) == Some(&first) => {
                self.at += 1;
                let seen = seen + 1;
                if seen < BOM.len() {
                    self.edge = Edge::Start(seen);
                }
            }
            Edge::Start(seen) => {
                // No byte order mark: what was seen of one begins the first line.
                self.line
                    .extend(BOM.get(..seen).unwrap_or_default(), &mut self.block.data);
                self.line.length = seen;
            }
            Edge::AfterCr | Edge::None => {}
        }
    }

    #[cold]
    fn fail(&mut self, error: LimitExceeded) -> Option<Result<Item, LimitExceeded>> {
        self.block.detach(&self.chunk);
        let Block { last_id, retry, .. } = mem::take(&mut self.block);
        *self = Self::new(self.limits);
        self.failed = true;
        self.block.last_id = last_id;
        self.block.retry = retry;
        Some(Err(error))
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("limits", &self.limits)
            .field("undecoded", &self.undecoded())
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
