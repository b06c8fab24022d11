//! The decoders, each driven as its documentation shows it.

use std::convert::Infallible;
use std::hint::black_box;
use std::vec::IntoIter;

use bytes::Bytes;
use futures_util::{FutureExt, Stream, StreamExt, stream};
use mcp_http::sse::{self, Item};

/// Decodes chunks, and says how many events there were.
pub struct Decoder {
    pub name: &'static str,
    pub run: fn(IntoIter<Bytes>) -> usize,
}

pub const LENT: &str = "mcp-http, lent";
pub const OWNED: &str = "mcp-http, owned";
pub const TEXT: &str = "mcp-http, as a `str`";

pub const DECODERS: [Decoder; 7] = [
    Decoder {
        name: LENT,
        run: |chunks| own(chunks, |data| _ = black_box(data.as_bytes())),
    },
    Decoder {
        name: OWNED,
        run: |chunks| own(chunks, |data| _ = black_box(data.as_bytes().to_vec())),
    },
    Decoder {
        name: TEXT,
        run: |chunks| own(chunks, |data| _ = black_box(data.as_str())),
    },
    Decoder {
        name: "eventsrc 0.0.2",
        run: eventsrc,
    },
    Decoder {
        name: "sse-core 0.2.3",
        run: sse_core,
    },
    Decoder {
        name: "sse-stream 0.3.0",
        run: sse_stream,
    },
    Decoder {
        name: "sse-stream 0.2.6 (rmcp's)",
        run: sse_stream_of_rmcp,
    },
];

fn own(chunks: IntoIter<Bytes>, read: impl Fn(&sse::Data)) -> usize {
    let mut events = 0;
    let mut decoder = sse::Decoder::default();
    for chunk in chunks {
        decoder.feed(chunk);
        while let Some(item) = decoder.next() {
            if let Item::Event(event) = item.expect("it keeps to the limits") {
                read(&event.data);
                events += 1;
            }
        }
    }
    events
}

fn sse_core(chunks: IntoIter<Bytes>) -> usize {
    let mut events = 0;
    let most = std::num::NonZeroUsize::new(16 << 20).expect("more than nothing");
    let mut decoder = sse_core::SseDecoder::with_limit(most);
    for mut chunk in chunks {
        while let Some(event) = decoder.next(&mut chunk) {
            if let sse_core::SseEvent::Message(event) = event.expect("it keeps to the limit") {
                black_box(&event.data);
                events += 1;
            }
        }
    }
    events
}

fn eventsrc(chunks: IntoIter<Bytes>) -> usize {
    drain(eventsrc::EventStream::new(source(chunks)), |event| {
        black_box(event.expect("an event").data());
    })
}

fn sse_stream(chunks: IntoIter<Bytes>) -> usize {
    drain(sse_stream::SseByteStream::new(source(chunks)), |event| {
        black_box(event.expect("an event").data);
    })
}

fn sse_stream_of_rmcp(chunks: IntoIter<Bytes>) -> usize {
    let events = sse_stream_of_rmcp::SseStream::from_bytes_stream(source(chunks));
    drain(events, |event| {
        black_box(event.expect("an event").data);
    })
}

fn source(chunks: IntoIter<Bytes>) -> impl Stream<Item = Result<Bytes, Infallible>> + Unpin {
    stream::iter(chunks.map(Ok))
}

/// Takes what a stream gives that never waits.
fn drain<S: Stream>(events: S, take: impl Fn(S::Item)) -> usize {
    let mut events = std::pin::pin!(events);
    let mut count = 0;
    while let Some(event) = events.next().now_or_never().expect("it never waits") {
        take(event);
        count += 1;
    }
    count
}
