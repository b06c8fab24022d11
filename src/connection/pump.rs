//! Streams: their messages are given out as long as there is room for them.

use std::ops::Bound;

use super::Connection;
use super::dispatch::Dispatched;
use super::events::Source;
use super::exchange::{Purpose, Reading};
use super::feed::{End, Feed, Need, Next, elements};
use super::stream::{Ending, Stream};
use super::timers::Timer;
use crate::error::{Delivery, Error, LimitKind, Lost, Peer};
use crate::wire::jsonrpc::{self, BadBatch};
use crate::wire::sse::{EventId, LimitExceeded};
use crate::{ExchangeId, Revision};

impl Connection {
    /// Gives out the messages of a stream for as long as there is room.
    pub(super) fn pump(&mut self, id: ExchangeId) {
        let own = self.request_on(id);
        let limit = self.config.common.limits.batch;
        if self.stalled.remove(&id) {
            // Whoever makes room by polling an event does not say what time it is.
            self.read_on.insert(id);
        }
        loop {
            // What came just now may have agreed on it.
            let batches = self.receives_batches(id);
            let Some(feed) = self.feed_of(id) else {
                break;
            };
            let text = match feed.next() {
                Some(Next::Data(text)) if batches && jsonrpc::is_array(&text) => {
                    match elements(&text, own, limit) {
                        Ok(batch) => {
                            feed.put_apart(batch);
                            continue;
                        }
                        Err(BadBatch::NoJson) => text,
                        Err(BadBatch::TooLong) => return self.exceed(id, LimitKind::Batch, limit),
                    }
                }
                Some(Next::Apart(text) | Next::Data(text)) => text,
                Some(Next::Address(reference)) => {
                    self.address_named(id, &reference);
                    continue;
                }
                Some(Next::Cursor(event)) => {
                    if let Some(source) = self.source(id) {
                        self.moved(source, event.as_ref());
                    }
                    continue;
                }
                Some(Next::Exceeded(exceeded)) => {
                    let (kind, value) = match exceeded {
                        LimitExceeded::Event { limit } => (LimitKind::Event, limit),
                        LimitExceeded::Line { limit } => (LimitKind::Line, limit),
                    };
                    return self.exceed(id, kind, value);
                }
                None => {
                    if let Some(end) = feed.take_end() {
                        self.stream_ended(id, end);
                    }
                    break;
                }
            };
            let (pinned, repeated) = (feed.pinned(&text), feed.repeated);
            if self.awaits_address(id) {
                return self.channel_refused(id, Peer::NoEndpoint);
            }
            let told = self.events.told();
            if let Dispatched::NoRoom(need) = self.dispatch(id, &text, pinned, repeated) {
                if let Some(feed) = self.feed_of(id) {
                    feed.put_back(text, need);
                    self.stalled.insert(id);
                }
                break;
            }
            self.passed(id, told, repeated);
        }
        self.account(id);
    }

    fn receives_batches(&self, id: ExchangeId) -> bool {
        let exchange = self.exchanges.get(&id);
        let revision = exchange.map(|exchange| exchange.rules.revision);
        revision.is_some_and(Revision::receives_batches)
    }

    pub(super) fn feed_of(&mut self, id: ExchangeId) -> Option<&mut Feed> {
        match &mut self.exchanges.get_mut(&id)?.reading {
            Reading::Stream(feed) => Some(feed),
            Reading::Head | Reading::Accepted { .. } | Reading::Ignored(_) | Reading::Whole(..) => {
                None
            }
        }
    }

    /// A logical stream, whose cursor is where what was read has brought it.
    pub(super) fn stream_of(&mut self, source: Source) -> Option<&mut Stream> {
        let unread = self.events.unread_from(source);
        let stream = match source {
            Source::Call(call) => &mut self.calls.get_mut(&call)?.stream,
            Source::Listening => &mut self.listening.stream,
        };
        stream.read_up_to(unread.map(|(oldest, _)| oldest));
        Some(stream)
    }

    pub(super) fn source(&self, id: ExchangeId) -> Option<Source> {
        self.exchanges.get(&id)?.purpose.source()
    }

    /// A message is through: the cursor follows, now or when it is read.
    fn passed(&mut self, id: ExchangeId, told: u64, repeated: bool) {
        let Some(source) = self.source(id) else {
            return;
        };
        self.events.came_on(source, told);
        if let Some(stream) = self.stream_of(source).filter(|_| !repeated) {
            stream.bore();
        }
        let told_nothing = self.events.told() == told;
        let feed = self.feed_of(id);
        let feed = feed.filter(|feed| !(told_nothing && feed.catches_up()));
        if let Some(event) = feed.and_then(Feed::passed) {
            self.moved(source, event.as_ref());
        }
    }

    /// An event with an id of its own is through.
    fn moved(&mut self, source: Source, event: Option<&EventId>) {
        let unread = self.events.unread_from(source);
        if let Some(stream) = self.stream_of(source) {
            stream.passed(event, unread.map(|(_, newest)| newest));
        }
    }

    /// Whether what a stream waits for is there.
    fn has_room_for(&self, id: ExchangeId) -> bool {
        let reading = self.exchanges.get(&id).map(|exchange| &exchange.reading);
        let Some(Reading::Stream(feed)) = reading else {
            return true;
        };
        let Need { bytes, ask } = feed.need;
        let limits = &self.config.common.limits;
        bytes.is_none_or(|bytes| self.events.can_have_room(bytes, limits))
            && (!ask || self.has_room_for_ask())
    }

    /// Goes on with the streams that found no room.
    pub(super) fn pump_stalled(&mut self) {
        // Each in its turn: what is polled from one stream makes room for the next.
        let mut at = self.served;
        for _ in 0..self.stalled.len() {
            let later = (Bound::Excluded(at), Bound::Unbounded);
            let next = self.stalled.range(later).next();
            let Some(id) = next.or_else(|| self.stalled.first()).copied() else {
                break;
            };
            at = id;
            if self.has_room_for(id) {
                self.served = id;
                self.pump(id);
            }
        }
    }

    /// The stream ended without the reply that it was there for.
    fn stream_ended(&mut self, id: ExchangeId, end: End) {
        let Some(exchange) = self.end_exchange(id) else {
            return;
        };
        let Reading::Stream(feed) = &exchange.reading else {
            return;
        };
        let (ending, error) = match end {
            End::Broken(error) => (Ending::Failed(None), error),
            End::Clean if feed.is_batch() => {
                let error = Error::new(Peer::WrongReply, Delivery::Unknown);
                return self.exchange_failed(exchange.purpose, error);
            }
            End::Clean => (Ending::Clean, Error::new(Lost::Stream, Delivery::Unknown)),
        };
        let retry = feed.retry();
        self.stream_cut(exchange, ending, retry, error);
    }

    /// The id of the request whose reply ends this exchange.
    fn request_on(&self, id: ExchangeId) -> u64 {
        match self.exchanges.get(&id).map(|exchange| &exchange.purpose) {
            Some(Purpose::Resume(call)) => self.calls.get(call).map_or(0, |call| call.request),
            _ => id.number(),
        }
    }

    /// The end of a stream was reported, although what came before may still wait.
    pub(super) fn feed_ends(&mut self, id: ExchangeId) {
        let now = self.now;
        self.timers.clear(Timer::Silence(id));
        let source = self.source(id);
        if let Some(stream) = source.and_then(|source| self.stream_of(source)) {
            stream.closes(now);
        }
        self.pump(id);
    }
}
