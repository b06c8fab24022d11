//! The decoder of `text/event-stream`, the format of server-sent events.
//!
//! It stands on its own: it does no I/O and knows nothing of MCP. It follows sections 9.2.5 and
//! 9.2.6 of the [WHATWG HTML standard] ("Parsing an event stream", "Interpreting an event stream")
//! to the letter: one leading byte order mark, lines ended by CR, LF or CRLF, a field without
//! colon, one space after the colon removed, unknown fields and comments ignored, `id` with NUL
//! ignored, `retry` of digits only, U+FFFD for what is no UTF-8, an event that is unfinished at the
//! end of the stream dropped.
//!
//! # How to drive it
//!
//! Bytes go in with [`Decoder::feed`], in pieces of any size, cut anywhere. Items come out of
//! [`Decoder::next`], which decodes no further than the item it returns; `None` means that it wants
//! more bytes. An [`Item`] is an [`Event`], or a move of the cursor without one. Nothing has to be
//! called at the end of the stream: what is unfinished then goes with the decoder.
//!
//! An event that lies in one chunk, and whose data are one line, is a slice of that chunk; nothing
//! is copied. So
//! feed what the network gave, and keep for long only what is [detached](EventId::detach) or
//! copied.
//!
//! # How to resume
//!
//! The cursor of a stream is its last event id, [`Decoder::last_event_id`]. When the stream has
//! ended, wait for [`Decoder::retry`] (within bounds of your own: it is whatever the server says),
//! send the request again with the cursor in the header `Last-Event-ID` (9.2.4; none if there is no
//! cursor), and decode the answer with [`Decoder::resume`]. To go on after a restart store the
//! cursor as text and make it anew by [`EventId::new`]. Each event says in [`Event::id`] where the
//! cursor is after it, so that it can be moved when the event is dealt with, not before.
//!
//! ```
//! use std::io::{self, Read};
//! use std::time::Duration;
//!
//! use bytes::Bytes;
//! use mcp_http::sse::{Decoder, EventId, Item, Limits};
//!
//! /// What outlives a response.
//! struct Place {
//!     cursor: Option<EventId>,
//!     retry: Duration,
//! }
//!
//! /// Reads the body of a response to its end.
//! fn read(mut body: impl Read, place: &mut Place, mut take: impl FnMut(&str)) -> io::Result<()> {
//!     let mut decoder = Decoder::resume(Limits::default(), place.cursor.as_ref());
//!     let mut buffer = vec![0; 16 << 10];
//!     loop {
//!         let length = body.read(&mut buffer)?;
//!         if length == 0 {
//!             return Ok(());
//!         }
//!         decoder.feed(Bytes::copy_from_slice(&buffer[..length]));
//!         while let Some(item) = decoder.next() {
//!             if let Item::Event(event) = item.map_err(io::Error::other)? {
//!                 take(event.data.as_str());
//!             }
//!             place.cursor = decoder.last_event_id().map(EventId::detach);
//!         }
//!         place.retry = decoder.retry().unwrap_or(place.retry);
//!     }
//! }
//!
//! let mut place = Place { cursor: None, retry: Duration::from_secs(3) };
//! let mut seen = Vec::new();
//!
//! // The connection breaks in the middle of the second event.
//! let first: &[u8] = b"retry: 500\n\nid: 1\ndata: one\n\nid: 2\ndata: tw";
//! read(first, &mut place, |text| seen.push(text.to_owned()))?;
//! assert_eq!(place.cursor.as_ref().map(EventId::as_str), Some("1"));
//! assert_eq!(place.retry, Duration::from_millis(500));
//!
//! // The next request says `Last-Event-ID: 1`; the server goes on after that event.
//! let second: &[u8] = b"data: hello again\n\nid: 2\ndata: two\n\n";
//! read(second, &mut place, |text| seen.push(text.to_owned()))?;
//! assert_eq!(place.cursor.as_ref().map(EventId::as_str), Some("2"));
//! assert_eq!(seen, ["one", "hello again", "two"]);
//! # Ok::<(), io::Error>(())
//! ```
//!
//! # Limits
//!
//! [`Limits`] bound a line and the data of an event, 16 MiB each unless told otherwise. What
//! exceeds one is an error that names it, and the end of that decoder. The decoder works in time
//! linear in what it is fed. Besides what is queued it holds the data of an event and four lines at
//! most: one that has not ended, the type, the id, and the last id. [`Decoder::buffered`] says how
//! much that is, but for the last id; the memory behind it may be twice as much, for data may be a
//! slice of a chunk, and buffers grow by doubling. No `Debug` shows contents.
//!
//! # What it does not do
//!
//! No HTTP (that the answer is 200 with the right media type is for you to check), no waiting, no
//! reconnecting: section 9.2.3 of the standard ("Processing model") is yours. So is what the data
//! mean. For MCP all of that is done by [`Connection`](crate::Connection).
//!
//! [WHATWG HTML standard]: https://html.spec.whatwg.org/multipage/server-sent-events.html

mod block;
mod decoder;
mod field;
mod input;
mod item;
mod limits;
mod line;
mod scan;
mod text;

pub use self::decoder::Decoder;
pub use self::item::{Data, Event, EventId, EventName, EventType, Item};
pub use self::limits::{LimitExceeded, Limits};

#[cfg(test)]
mod tests;
