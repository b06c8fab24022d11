//! What a stream carries, as the decoder gives it.

use std::fmt;

use bytes::Bytes;

/// What a [`Decoder`](super::Decoder) finds in a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Item {
    /// A block with at least one `data` field.
    Event(Event),
    /// A block without `data` field that has a valid `id` field: nothing is dispatched, but the
    /// last event id is now this one (`None`: there is none any more).
    Cursor(Option<EventId>),
}

/// An event, as the standard dispatches it.
///
/// Its data may be empty: a `data` field with an empty value dispatches an event too, as in
/// browsers. MCP servers send such events merely to give the stream an id.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// The type: the last `event` field of this event.
    pub kind: EventType,
    /// The values of the `data` fields, joined by line feeds.
    pub data: Data,
    /// The last event id of the stream as of this event; set by this event or by an earlier one.
    pub id: Option<EventId>,
    /// Whether this event itself has an `id` field.
    pub has_own_id: bool,
}

/// The type of an [`Event`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum EventType {
    /// `message`; also when the `event` field is absent or empty.
    #[default]
    Message,
    /// Any other type.
    Other(EventName),
}

impl EventType {
    /// The type as text: `message` if there was none.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Message => "message",
            Self::Other(name) => name.as_str(),
        }
    }
}

/// The name of an event type other than `message`. `Debug` shows its length only.
///
/// It may be a slice of the chunk that was fed, which then lives as long as the name does.
#[derive(Clone, PartialEq, Eq)]
pub struct EventName(pub(super) Bytes);

/// The id of an event: text that is never empty and has no CR, LF or NUL. Cheap to clone. `Debug`
/// shows its length only.
///
/// It may be a slice of the chunk that was fed, which then lives as long as the id does: see
/// [`EventId::detach`].
#[derive(Clone, PartialEq, Eq)]
pub struct EventId(pub(super) Bytes);

/// The data of an [`Event`]: text in UTF-8. Cheap to clone. `Debug` shows its length only.
///
/// Bytes that are no UTF-8 are replaced by U+FFFD, as the standard says. If an event lies in one
/// chunk whole and has one `data` line, which is UTF-8, its data are a slice of that chunk, which
/// then lives as long as the data do. So they are if the event goes on in another chunk, and the
/// data were at least half of theirs.
#[derive(Clone, PartialEq, Eq)]
pub struct Data(pub(super) Bytes);

impl EventId {
    /// Its length in bytes.
    pub(crate) fn size(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// An id from text, such as one that was stored. `None` if no stream can have set it: if it is
    /// empty or contains CR, LF or NUL.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let is_valid = !text.is_empty() && !text.contains(['\r', '\n', '\0']);
        is_valid.then(|| Self(Bytes::copy_from_slice(text.as_bytes())))
    }

    /// The same id in an allocation of its own, for an id that is kept for long: it no longer
    /// keeps alive the chunk that it came in.
    #[must_use]
    pub fn detach(&self) -> Self {
        Self(Bytes::copy_from_slice(&self.0))
    }
}

impl Data {
    /// The text as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text as bytes that can be kept, without copying.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// The length of the text in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What the three texts have in common. Their bytes are UTF-8.
macro_rules! text {
    ($($name:ident)*) => {$(
        impl $name {
            /// The text. Takes time linear in its length, since it is held as bytes.
            pub fn as_str(&self) -> &str {
                std::str::from_utf8(&self.0).unwrap_or_default()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({} bytes)"), self.0.len())
            }
        }
    )*};
}
text!(EventName EventId Data);
