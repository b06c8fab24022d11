//! What comes in on one exchange of a stream: its messages, one by one.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;

use crate::error::Error;
use crate::wire::jsonrpc::{self, BadBatch, Id, Message};
use crate::wire::sse::{Decoder, EventId, EventType, Item, LimitExceeded, Limits};

/// The messages of one answer, in the order in which they came.
#[derive(Clone, Debug)]
pub(super) struct Feed {
    pub(super) status: StatusCode,
    /// Messages that are apart already: the elements of a batch, or one that
    /// found no room.
    pub(super) apart: VecDeque<Bytes>,
    apart_bytes: usize,
    /// Whether these are slices of what came, which they keep alive.
    lent: bool,
    /// What the first of them waits for.
    pub(super) need: Need,
    /// The id of the event in which they came, if it has one of its own.
    id: Option<Option<EventId>>,
    /// Ids of events that may be repeated, for their messages are here already: that
    /// from which it was resumed, and those after it.
    pub(super) known: VecDeque<EventId>,
    /// Whether one of them was.
    has_repeated: bool,
    /// Whether the last event was one of these.
    pub(super) repeated: bool,
    /// The largest chunk that came: as much as a slice may keep alive.
    largest: usize,
    /// Whether an id showed that it can be taken up again.
    identified: bool,
    /// Whether it is the one stream of an HTTP+SSE server.
    is_channel: bool,
    /// Absent for a batch in a JSON body.
    decoder: Option<Decoder>,
    end: Option<End>,
}

/// How it ended.
#[derive(Clone, Debug)]
pub(super) enum End {
    Broken(Error),
    Clean,
}

/// The room that a message takes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Need {
    pub(super) bytes: Option<usize>,
    pub(super) ask: bool,
}

/// What comes next.
pub(super) enum Next {
    /// A message that stood apart: it is no batch again, for those do not nest.
    Apart(Bytes),
    /// The address for messages that an HTTP+SSE server names.
    Address(Bytes),
    /// The stream has come to this id, without a message.
    Cursor(Option<EventId>),
    /// What one event carries.
    Data(Bytes),
    Exceeded(LimitExceeded),
}

impl Feed {
    /// The body of an event stream. `known`: the ids that a resumed one may begin
    /// with again, its cursor first.
    pub(super) fn new(status: StatusCode, limits: &crate::Limits, known: Vec<EventId>) -> Self {
        let limits = Limits {
            line: limits.line,
            event: limits.event,
        };
        Self {
            status,
            apart: VecDeque::new(),
            apart_bytes: 0,
            lent: false,
            need: Need::default(),
            id: None,
            largest: 0,
            identified: false,
            is_channel: false,
            decoder: Some(Decoder::resume(limits, known.first())),
            known: known.into(),
            has_repeated: false,
            repeated: false,
            end: None,
        }
    }

    /// The one stream of an HTTP+SSE server, which is never resumed.
    pub(super) fn of_channel(status: StatusCode, limits: &crate::Limits) -> Self {
        Self {
            is_channel: true,
            ..Self::new(status, limits, Vec::new())
        }
    }

    /// A batch that came as a JSON body (2025-03-26, transports: sending messages).
    pub(super) fn of_batch(status: StatusCode, body: &Bytes, batch: VecDeque<Bytes>) -> Self {
        Self {
            status,
            apart_bytes: batch.iter().map(Bytes::len).sum(),
            apart: batch,
            lent: true,
            need: Need::default(),
            id: None,
            known: VecDeque::new(),
            has_repeated: false,
            repeated: false,
            largest: body.len(),
            identified: false,
            is_channel: false,
            decoder: None,
            end: Some(End::Clean),
        }
    }

    /// Whether silence on it means that nobody is there.
    pub(super) fn is_lively(&self) -> bool {
        self.has_commented() || self.identified
    }

    /// Whether a comment showed that the server keeps the stream alive.
    pub(super) fn has_commented(&self) -> bool {
        self.decoder.as_ref().is_some_and(Decoder::has_commented)
    }

    pub(super) fn is_batch(&self) -> bool {
        self.decoder.is_none()
    }

    pub(super) fn feed(&mut self, chunk: Bytes) {
        self.largest = self.largest.max(chunk.len());
        if let Some(decoder) = &mut self.decoder {
            decoder.feed(chunk);
        }
    }

    /// What the server's `retry` said on this exchange.
    pub(super) fn retry(&self) -> Option<Duration> {
        self.decoder.as_ref().and_then(Decoder::retry)
    }

    /// As much as a slice of this message may keep alive.
    pub(super) fn pinned(&self, text: &Bytes) -> usize {
        self.largest.max(text.len())
    }

    /// Whether its end was reported: what is reported after that means nothing.
    pub(super) fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    pub(super) fn end(&mut self, end: End) {
        self.end.get_or_insert(end);
    }

    pub(super) fn take_end(&mut self) -> Option<End> {
        self.end.take()
    }

    pub(super) fn buffered(&self) -> usize {
        let decoder = self.decoder.as_ref();
        let decoding = decoder.map_or(0, Decoder::buffered);
        let id = decoder.and_then(Decoder::last_event_id);
        decoding
            .saturating_add(id.map_or(0, EventId::size))
            .saturating_add(self.apart_bytes)
    }

    /// How far what stands apart is more, or less, than was counted.
    #[cfg(feature = "harness")]
    pub(super) fn miscounted(&self) -> usize {
        let apart: usize = self.apart.iter().map(Bytes::len).sum();
        self.apart_bytes.abs_diff(apart)
    }

    pub(super) fn next(&mut self) -> Option<Next> {
        self.need = Need::default();
        if let Some(text) = self.apart.pop_front() {
            self.apart_bytes = self.apart_bytes.saturating_sub(text.len());
            return Some(Next::Apart(text));
        }
        loop {
            let item = match self.decoder.as_mut()?.next()? {
                Ok(item) => item,
                Err(exceeded) => return Some(Next::Exceeded(exceeded)),
            };
            let (own, data) = match item {
                Item::Event(event) if self.is_channel && event.kind.as_str() == "endpoint" => {
                    return Some(Next::Address(event.data.into_bytes()));
                }
                Item::Event(event) => {
                    let is_message = matches!(event.kind, EventType::Message);
                    let data = event.data.into_bytes();
                    let data = Some(data).filter(|data| is_message && !data.is_empty());
                    (event.has_own_id.then_some(event.id), data)
                }
                Item::Cursor(id) => (Some(id), None),
            };
            self.identified |= matches!(own, Some(Some(_)));
            // The place of what is repeated is known already.
            let repeated = own.as_ref().is_some_and(|id| self.is_known(id.as_ref()));
            let own = own.filter(|_| !repeated && !self.is_channel);
            match (data, own) {
                (Some(data), own) => {
                    self.repeated = repeated;
                    self.id = own;
                    self.lent = true;
                    return Some(Next::Data(data));
                }
                (None, Some(id)) if !self.catches_up() => return Some(Next::Cursor(id)),
                (None, _) => {}
            }
        }
    }

    /// Whether an event was here before the stream was resumed. Each is repeated
    /// once at most, in their order.
    fn is_known(&mut self, id: Option<&EventId>) -> bool {
        let known = self.known.iter().position(|known| Some(known) == id);
        let known = known.map(|at| self.known.drain(..=at).count());
        self.has_repeated |= known.is_some();
        known.is_some()
    }

    /// Whether the server has still to come to where the stream was before: what it
    /// says until then without a message has its place before that.
    pub(super) fn catches_up(&self) -> bool {
        self.known.len() > usize::from(!self.has_repeated)
    }

    /// The event's own id, once all of its messages are through.
    pub(super) fn passed(&mut self) -> Option<Option<EventId>> {
        self.id.take_if(|_| self.apart.is_empty())
    }

    pub(super) fn put_apart(&mut self, batch: VecDeque<Bytes>) {
        let bytes: usize = batch.iter().map(Bytes::len).sum();
        self.lent = true;
        self.apart_bytes = self.apart_bytes.saturating_add(bytes);
        self.apart.extend(batch);
    }

    pub(super) fn put_back(&mut self, text: Bytes, need: Need) {
        self.apart_bytes = self.apart_bytes.saturating_add(text.len());
        self.apart.push_front(text);
        self.need = need;
        self.shrink();
    }

    /// Nothing is kept alive by what waits but itself, or not much more: else the limit of
    /// all buffers would not hold.
    fn shrink(&mut self) {
        if self.lent && self.apart_bytes < self.largest / 2 {
            self.lent = false;
            for text in &mut self.apart {
                *text = Bytes::copy_from_slice(text);
            }
        }
        if let Some(Some(id)) = &mut self.id {
            *id = id.detach();
        }
        if let Some(decoder) = &mut self.decoder {
            decoder.shrink();
        }
    }
}

/// The elements of a batch. Replies come last, and that to `own` after all others:
/// with its reply an exchange is over, and the rest is not to go down with it.
pub(super) fn elements(body: &Bytes, own: u64, limit: usize) -> Result<VecDeque<Bytes>, BadBatch> {
    let batch = jsonrpc::batch(body, limit)?.into_iter();
    let rank = |text: &Bytes| match jsonrpc::parse(text) {
        Ok(Message::Response { id, .. }) if id == Id::Number(own) => 2,
        Ok(Message::Response { .. }) => 1,
        _ => 0,
    };
    let elements = batch.map(|element| body.slice_ref(element.get().as_bytes()));
    let mut ranked: Vec<(u8, Bytes)> = elements.map(|text| (rank(&text), text)).collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    Ok(ranked.into_iter().map(|(_, text)| text).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(feed: &mut Feed) -> Bytes {
        match feed.next() {
            Some(Next::Apart(text)) => text,
            _ => panic!("nothing stands apart"),
        }
    }

    #[cfg(feature = "harness")]
    #[test]
    fn who_miscounts_is_found_out() {
        let body = Bytes::from_static(b"0123456789");
        let mut feed = Feed::of_batch(StatusCode::OK, &body, [body.clone()].into());
        assert_eq!(feed.miscounted(), 0);
        feed.apart_bytes -= 1;
        assert_eq!(feed.miscounted(), 1);
    }

    #[test]
    fn what_waits_is_copied_once_when_little_of_it_is_left() {
        let body = Bytes::from(vec![b'x'; 100]);
        let batch = (0..10).map(|at| body.slice(at * 10..(at + 1) * 10));
        let mut feed = Feed::of_batch(StatusCode::OK, &body, batch.collect());
        let mut copied = Vec::new();
        for left in (2..=10).rev() {
            let before = feed.apart.back().map(|last| last.as_ptr());
            let text = take(&mut feed);
            feed.put_back(text, Need::default());
            if feed.apart.back().map(|last| last.as_ptr()) != before {
                copied.push(left);
            }
            take(&mut feed);
        }
        assert_eq!(copied, [4]);
    }
}
