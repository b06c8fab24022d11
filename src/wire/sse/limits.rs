//! How much a decoder accepts.

/// How much a [`Decoder`](super::Decoder) accepts. Exactly the limit is accepted, one byte more is
/// refused.
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

/// The stream exceeded one of the [`Limits`]. Its [`Decoder`](super::Decoder) has given up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitExceeded {
    /// A line was longer than [`Limits::line`].
    #[error("a line of the event stream is longer than the limit of {limit} bytes")]
    Line {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The data of an event were longer than [`Limits::event`].
    #[error("the data of an event are longer than the limit of {limit} bytes")]
    Event {
        /// The limit, in bytes.
        limit: usize,
    },
}
