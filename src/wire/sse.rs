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

mod block;
mod decoder;
mod field;
mod item;
mod limits;
mod line;
mod text;

pub use self::decoder::Decoder;
pub use self::item::{Data, Event, EventId, EventName, EventType, Item};
pub use self::limits::{LimitExceeded, Limits};

#[cfg(test)]
mod tests;
