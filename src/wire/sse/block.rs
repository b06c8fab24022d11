//! What an event is made of, until its blank line.

use std::{mem, time::Duration};

use bytes::Bytes;

use super::field::{Field, milliseconds, split};
use super::item::{Data, Event, EventId, EventName, EventType, Item};
use super::text::utf8;

/// The event that is not complete, and what outlives it.
#[derive(Clone)]
pub(super) struct Block {
    pub(super) data: Buffer,
    /// All lines so far are ASCII without NUL: none of their text needs a closer look.
    pub(super) plain: bool,
    /// The type, if it is not `message`.
    pub(super) kind: Option<Bytes>,
    /// The value of the last valid `id` field.
    pub(super) id: Option<Bytes>,
    pub(super) last_id: Option<EventId>,
    pub(super) retry: Option<Duration>,
    /// The data, `kind` or an id may be a slice of the current chunk.
    pub(super) lent: bool,
    pub(super) commented: bool,
}

impl Default for Block {
    fn default() -> Self {
        Self {
            data: Buffer::Absent,
            plain: true,
            kind: None,
            id: None,
            last_id: None,
            retry: None,
            lent: false,
            commented: false,
        }
    }
}

impl Block {
    /// Takes in a line. `text` makes text that can be kept of its value.
    #[inline(always)]
    pub(super) fn line(&mut self, line: &[u8], text: impl FnOnce(&[u8]) -> Bytes) {
        let Some((field, value)) = split(line) else {
            self.commented |= line.first() == Some(&b':');
            return;
        };
        match field {
            Field::Data => match self.data {
                Buffer::Absent => {
                    self.data = Buffer::Whole(text(value));
                    self.lent = true;
                }
                _ => self.data.add(value),
            },
            Field::Event if matches!(value, b"" | b"message") => self.kind = None,
            Field::Event => {
                self.kind = Some(text(value));
                self.lent = true;
            }
            Field::Id if self.plain => {
                self.id = Some(text(value));
                self.lent = true;
            }
            Field::Id if value.contains(&0) => {}
            Field::Id => {
                self.id = Some(utf8(text(value)));
                self.lent = true;
            }
            Field::Retry => self.retry = milliseconds(value).or(self.retry),
        }
    }

    /// Takes in the value of a `data` field that was gathered.
    pub(super) fn data(&mut self, value: Vec<u8>) {
        match self.data {
            Buffer::Absent => self.data = Buffer::Gathered(value),
            _ => self.data.add(&value),
        }
    }

    /// At the blank line: makes UTF-8 of data and type, if they are not.
    #[inline]
    pub(super) fn finish(&mut self) {
        if !self.plain {
            self.replace();
        }
    }

    #[cold]
    fn replace(&mut self) {
        self.plain = true;
        if std::str::from_utf8(self.data.bytes()).is_err() {
            let text = String::from_utf8_lossy(self.data.bytes()).into_owned();
            self.data = Buffer::Gathered(text.into_bytes());
        }
        self.kind = self.kind.take().map(utf8);
    }

    /// Makes an item of the block and begins the next one.
    #[inline]
    pub(super) fn dispatch(&mut self) -> Option<Item> {
        let id = self.id.take();
        let has_id = id.is_some();
        if let Some(id) = id {
            self.last_id = (!id.is_empty()).then_some(EventId(id));
        }
        let kind = self.kind.take();
        let data = match mem::take(&mut self.data) {
            Buffer::Absent if has_id => return Some(Item::Cursor(self.last_id.clone())),
            Buffer::Absent => return None,
            Buffer::Whole(data) => data,
            Buffer::Gathered(data) => Bytes::from(data),
        };
        Some(Item::Event(Event {
            kind: kind.map_or(EventType::Message, |kind| EventType::Other(EventName(kind))),
            data: Data(data),
            id: self.last_id.clone(),
            has_own_id: has_id,
        }))
    }

    /// Copies what may be kept for long, if it is a slice of this chunk.
    pub(super) fn detach(&mut self, chunk: &Bytes) {
        self.lent = false;
        if let Buffer::Whole(data) = &mut self.data {
            // Data that are most of the chunk are no reason to copy them.
            if data.len() < chunk.len() / 2 && chunk.as_ptr_range().contains(&data.as_ptr()) {
                *data = Bytes::copy_from_slice(data);
            }
        }
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
pub(super) enum Buffer {
    /// No `data` field yet.
    #[default]
    Absent,
    /// One line, as a slice of what it came in.
    Whole(Bytes),
    /// Put together from pieces or lines.
    Gathered(Vec<u8>),
}

impl Buffer {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Absent => &[],
            Self::Whole(bytes) => bytes,
            Self::Gathered(bytes) => bytes,
        }
    }

    /// Adds a further line.
    fn add(&mut self, line: &[u8]) {
        match self {
            Self::Absent => *self = Self::Gathered(line.to_vec()),
            Self::Whole(first) => *self = Self::Gathered([first, &b"\n"[..], line].concat()),
            Self::Gathered(lines) => {
                lines.push(b'\n');
                lines.extend_from_slice(line);
            }
        }
    }
}
