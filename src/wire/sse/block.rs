//! What an event is made of, until its blank line.

use std::{borrow::Cow, mem, time::Duration};

use bytes::Bytes;

use super::field::{Field, milliseconds, split};
use super::item::{Data, Event, EventId, EventName, EventType, Item};
use super::text::{replaced, tops_clear, utf8};

/// The event that is not complete, and what outlives it.
#[derive(Clone, Default)]
pub(super) struct Block {
    pub(super) data: Buffer,
    /// The type, if it is not `message`.
    pub(super) kind: Option<Bytes>,
    /// The value of the last valid `id` field.
    pub(super) id: Option<Bytes>,
    pub(super) last_id: Option<EventId>,
    pub(super) retry: Option<Duration>,
    /// `kind` or an id may be a slice of the current chunk.
    pub(super) lent: bool,
}

impl Block {
    /// Takes in a line, which ends at `end` in `source`.
    pub(super) fn line(&mut self, line: &[u8], source: &Bytes, end: usize) {
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
    pub(super) fn replace(&mut self) {
        if let Cow::Owned(text) = String::from_utf8_lossy(self.data.bytes()) {
            self.data = Buffer::Owned(text.into_bytes());
        }
    }

    /// The end of the block.
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
            Buffer::Lent(data) => data,
            Buffer::Owned(data) => Bytes::from(data),
        };
        Some(Item::Event(Event {
            kind: kind.map_or(EventType::Message, |kind| {
                EventType::Other(EventName(utf8(kind)))
            }),
            data: Data(data),
            id: self.last_id.clone(),
        }))
    }

    /// Copies what may be kept for long, if it is a slice of this chunk.
    pub(super) fn detach(&mut self, chunk: &Bytes) {
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
pub(super) enum Buffer {
    /// No `data` field yet.
    #[default]
    Absent,
    /// One line, as a slice of what it came in.
    Lent(Bytes),
    /// Gathered.
    Owned(Vec<u8>),
}

impl Buffer {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Absent => &[],
            Self::Lent(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }

    /// Begins a line that has to be copied.
    pub(super) fn begin(&mut self) {
        match self {
            Self::Absent => *self = Self::Owned(Vec::new()),
            Self::Lent(line) => *self = Self::Owned([line, &b"\n"[..]].concat()),
            Self::Owned(lines) => lines.push(b'\n'),
        }
    }

    /// Adds to the line that was begun.
    pub(super) fn extend(&mut self, piece: &[u8]) {
        if let Self::Owned(lines) = self {
            lines.extend_from_slice(piece);
        }
    }
}
