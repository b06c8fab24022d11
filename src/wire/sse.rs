//! The decoder of `text/event-stream`, the format of server-sent events.
//!
//! It follows section 9.2 of the [WHATWG HTML standard] ("Server-sent events") to the letter: one
//! leading byte order mark, lines ended by CR, LF or CRLF, a field without colon, one space after
//! the colon removed, unknown fields and comments ignored, an event that is unfinished at the end
//! of the stream dropped. It knows nothing of MCP.
//!
//! Bytes go in with [`Decoder::feed`], in pieces of any size; items come out of [`Decoder::next`],
//! which decodes no further than the item it returns. Nothing has to be called at the end of the
//! stream: what is unfinished then is dropped with the decoder.
//!
//! [WHATWG HTML standard]: https://html.spec.whatwg.org/multipage/server-sent-events.html

mod item;

use std::{borrow::Cow, collections::VecDeque, fmt, mem, time::Duration};

use bytes::Bytes;
use memchr::memchr2;

pub use self::item::{Data, Event, EventId, EventName, EventType, Item, LimitExceeded};

/// The byte order mark U+FEFF in UTF-8.
const BOM: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// So many bytes of a line decide which field it is and where the value of `data` begins.
const HEAD: usize = "data: ".len();

/// The first line of nearly every event of MCP; worth a short cut.
const USUAL: &[u8] = b"event: message";

/// How much a [`Decoder`] accepts. Exactly the limit is accepted, one byte more is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest line, whatever its field, in bytes as received and without its terminator.
    pub line: usize,
    /// The longest data of one event, in bytes of UTF-8, with the line feeds that join its `data`
    /// lines. It is checked at the end of each line, so that the answer does not depend on where
    /// the stream was split: the data may grow to `event` + `line` bytes before they are refused.
    /// The type and the ids are lines and no longer than one.
    pub event: usize,
}

/// 16 MiB each. One event carries one whole message, mostly on one `data` line, and messages with
/// images or files of some megabytes in base64 are common. What is larger is rather a fault than a
/// message, and many streams may be open at once.
impl Default for Limits {
    fn default() -> Self {
        Self {
            line: 16 << 20,
            event: 16 << 20,
        }
    }
}

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
    block: Block,
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

    /// A decoder at the start of a response that goes on where an earlier one broke
    /// off: events without an id of their own keep this one.
    #[must_use]
    pub fn resume(limits: Limits, last_event_id: Option<EventId>) -> Self {
        let mut decoder = Self::new(limits);
        decoder.block.last_id = last_event_id;
        decoder
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

/// A line that lies in more than one chunk. Its bytes are looked at once, and copied once if they
/// are data.
#[derive(Clone, Default)]
struct Line {
    /// The bytes of the line, unless they go to the data of the event.
    kept: Vec<u8>,
    /// It is a `data` field, and its name has been taken off.
    direct: bool,
    /// The length so far. 0 if the line begins in the current chunk.
    length: usize,
}

impl Line {
    #[inline]
    fn extend(&mut self, piece: &[u8], data: &mut Buffer) {
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

    fn finish(&mut self, block: &mut Block) {
        if !self.direct {
            let line = Bytes::from(mem::take(&mut self.kept));
            block.line(&line, &line, line.len());
        }
        self.direct = false;
        self.length = 0;
    }
}

/// The fields of the standard.
enum Field {
    Data,
    Event,
    Id,
    Retry,
}

/// The field and the value of a line; `None` for comments and unknown fields.
#[inline(always)]
fn split(line: &[u8]) -> Option<(Field, &[u8])> {
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

/// The event that is not complete, and what outlives it.
#[derive(Clone, Default)]
struct Block {
    data: Buffer,
    /// The type, if it is not `message`.
    kind: Option<Bytes>,
    /// The value of the last valid `id` field.
    id: Option<Bytes>,
    last_id: Option<EventId>,
    retry: Option<Duration>,
    /// `kind` or an id may be a slice of the current chunk.
    lent: bool,
}

impl Block {
    /// Takes in a line, which ends at `end` in `source`.
    fn line(&mut self, line: &[u8], source: &Bytes, end: usize) {
        let Some((field, value)) = split(line) else {
            return;
        };
        let lent = end.saturating_sub(value.len())..end;
        match field {
            Field::Data => match self.data {
                Buffer::Absent => self.data = Buffer::Lent(source.slice(lent)),
                _ => {
                    self.data.begin();
                    self.data.extend(value);
                }
            },
            Field::Event if matches!(value, b"" | b"message") => self.kind = None,
            Field::Event => {
                self.kind = Some(source.slice(lent));
                self.lent = true;
            }
            Field::Id => {
                // ASCII without NUL, or else a closer look.
                let plain = tops_clear(value, |byte| byte | byte.wrapping_sub(1));
                if plain {
                    self.id = Some(source.slice(lent));
                    self.lent = true;
                } else if !value.contains(&0) {
                    self.id = Some(replaced(source.slice(lent)));
                    self.lent = true;
                }
            }
            Field::Retry => self.retry = milliseconds(value).or(self.retry),
        }
    }

    /// Makes UTF-8 of the data, if they are not.
    #[cold]
    fn replace(&mut self) {
        if let Cow::Owned(text) = String::from_utf8_lossy(self.data.bytes()) {
            self.data = Buffer::Owned(text.into_bytes());
        }
    }

    /// The end of the block.
    fn dispatch(&mut self) -> Option<Item> {
        let id = self.id.take();
        let has_id = id.is_some();
        if let Some(id) = id {
            self.last_id = (!id.is_empty()).then_some(EventId(id));
        }
        let kind = self.kind.take();
        let data = match mem::take(&mut self.data) {
            Buffer::Absent if has_id => return Some(Item::Cursor(self.last_id.clone())),
            Buffer::Absent => return None,
            Buffer::Lent(data) => data,
            Buffer::Owned(data) => Bytes::from(data),
        };
        Some(Item::Event(Event {
            kind: kind.map_or(EventType::Message, |kind| {
                EventType::Other(EventName(utf8(kind)))
            }),
            data: Data(data),
            id: self.last_id.clone(),
            has_own_id: has_id,
        }))
    }

    /// Copies what may be kept for long, if it is a slice of this chunk.
    fn detach(&mut self, chunk: &Bytes) {
        self.lent = false;
        let last_id = self.last_id.as_mut().map(|id| &mut id.0);
        for text in [self.kind.as_mut(), self.id.as_mut(), last_id]
            .into_iter()
            .flatten()
        {
            if chunk.as_ptr_range().contains(&text.as_ptr()) {
                *text = Bytes::copy_from_slice(text);
            }
        }
    }
}

/// The data of the event that is not complete, without the line feed that ends them.
#[derive(Clone, Default)]
enum Buffer {
    /// No `data` field yet.
    #[default]
    Absent,
    /// One line, as a slice of what it came in.
    Lent(Bytes),
    /// Gathered.
    Owned(Vec<u8>),
}

impl Buffer {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Absent => &[],
            Self::Lent(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }

    /// Begins a line that has to be copied.
    fn begin(&mut self) {
        match self {
            Self::Absent => *self = Self::Owned(Vec::new()),
            Self::Lent(line) => *self = Self::Owned([line, &b"\n"[..]].concat()),
            Self::Owned(lines) => lines.push(b'\n'),
        }
    }

    /// Adds to the line that was begun.
    fn extend(&mut self, piece: &[u8]) {
        if let Self::Owned(lines) = self {
            lines.extend_from_slice(piece);
        }
    }
}

/// How many bytes are before the end of the line; all of them if it is not here.
fn find_end(bytes: &[u8]) -> usize {
    match bytes {
        [b'\n' | b'\r', ..] => 0,
        [_] => 1,
        _ => memchr2(b'\n', b'\r', bytes).unwrap_or(bytes.len()),
    }
}

/// The value of a `retry` field; `None` if it is invalid.
fn milliseconds(value: &[u8]) -> Option<Duration> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = value.iter().fold(0_u64, |number, digit| {
        let digit = u64::from(digit.saturating_sub(b'0'));
        number.saturating_mul(10).saturating_add(digit)
    });
    Some(Duration::from_millis(number))
}

/// Whether `of` leaves the top bit of every byte clear. Whole blocks suit the vectoriser, and short
/// texts have no slow rest since the last block may overlap the one before.
#[inline]
fn tops_clear(bytes: &[u8], of: impl Fn(u8) -> u8) -> bool {
    let any = |bytes: &[u8]| bytes.iter().fold(0, |any, byte| any | of(*byte));
    let blocks = bytes.get(..bytes.len() & !31).unwrap_or_default();
    let last = match bytes.last_chunk::<32>() {
        Some(last) => any(last),
        None => any(bytes),
    };
    (any(blocks) | last).is_ascii()
}

fn is_ascii(bytes: &[u8]) -> bool {
    tops_clear(bytes, |byte| byte)
}

/// The bytes themselves if they are UTF-8, else a copy with U+FFFD for what is not. A copy is never
/// shorter than the bytes.
#[inline]
fn utf8(bytes: Bytes) -> Bytes {
    if is_ascii(&bytes) {
        bytes
    } else {
        replaced(bytes)
    }
}

#[cold]
fn replaced(bytes: Bytes) -> Bytes {
    match String::from_utf8_lossy(&bytes) {
        Cow::Borrowed(_) => bytes,
        Cow::Owned(text) => Bytes::from(text),
    }
}

#[cfg(test)]
mod tests;
