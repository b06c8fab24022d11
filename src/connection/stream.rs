//! Streams: what is remembered of one over all the exchanges that it takes
//! (transports: resumability and redelivery).

use std::collections::VecDeque;
use std::time::Duration;

use super::jitter::{CEILING, Jitter};
use crate::Time;
use crate::wire::request::event_id;
use crate::wire::sse::EventId;

/// So many failures in a row end a stream.
const FAILURES: u32 = 5;
/// A stream that was open as long as this since its last failure is sound again.
const LIVED: Duration = Duration::from_secs(5);
/// After so many exchanges in a row without a message, polling slows down.
const BARREN: u32 = 3;
/// The least delay of polling that brings nothing.
const SLOW: Duration = Duration::from_secs(1);

/// One logical event stream: that of a call, or the listening stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Stream {
    /// The id of the last event that was read, with all before it.
    cursor: Option<EventId>,
    /// Events since then, oldest first: messages of theirs wait to be read.
    ahead: VecDeque<Passed>,
    /// What the server's `retry` said last.
    pub(super) told: Option<Duration>,
    failures: u32,
    /// How long it lived, all exchanges since the last failure together.
    lived: Duration,
    /// Whether the delay before the next exchange is one that nobody asked for.
    backs_off: bool,
    /// Until when the server asked to be left alone.
    pub(super) until: Option<Time>,
    barren: u32,
    /// When its exchange was answered; nothing before that.
    opened: Option<Time>,
    fruitful: bool,
    /// The ids that the server may repeat on its exchange although their messages are
    /// here: those that waited to be read when it was asked, and with some servers the
    /// cursor itself, which is the first.
    known: Vec<EventId>,
}

/// An event that came after the cursor.
#[derive(Clone, Debug)]
struct Passed {
    /// The number of the last message to be read before the cursor moves here.
    number: u64,
    id: Option<EventId>,
    has_message: bool,
}

/// How an exchange of a stream ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ending {
    Clean,
    /// Broken off, or refused for now; the server may have said for how long.
    Failed(Option<Duration>),
}

impl Stream {
    /// A new exchange of it begins.
    pub(super) fn begins(&mut self) {
        self.opened = None;
        self.until = None;
        self.fruitful = false;
        if self.resumes_from().is_none() {
            self.forget_cursor();
        }
        let ahead = self.ahead.iter().filter_map(|passed| passed.id.as_ref());
        self.known = self.cursor.iter().chain(ahead).cloned().collect();
    }

    /// Its exchange was answered with a stream. Gives the ids that may be repeated.
    pub(super) fn opens(&mut self, now: Time) -> Vec<EventId> {
        self.opened = Some(now);
        std::mem::take(&mut self.known)
    }

    /// Whether its exchange was answered with a stream.
    pub(super) fn is_open(&self) -> bool {
        self.opened.is_some()
    }

    /// A message came: no reason to slow down.
    pub(super) fn bore(&mut self) {
        self.fruitful = true;
    }

    /// An event with an id of its own went by. `newest`: the number of the stream's last
    /// message that waits to be read, if one does.
    pub(super) fn passed(&mut self, id: Option<&EventId>, newest: Option<u64>) {
        // What no header can carry is as good as none.
        let id = id.filter(|id| event_id(id).is_some()).map(EventId::detach);
        let Some(number) = newest else {
            self.ahead.clear();
            self.cursor = id;
            return;
        };
        let has_message = self.ahead.back().is_none_or(|last| last.number < number);
        match self.ahead.back_mut() {
            Some(last) if !has_message && !last.has_message => last.id = id,
            _ => self.ahead.push_back(Passed {
                number,
                id,
                has_message,
            }),
        }
    }

    /// What was read moves the cursor up to the oldest message that was not.
    pub(super) fn read_up_to(&mut self, oldest: Option<u64>) {
        let is_read = |next: &&Passed| oldest.is_none_or(|oldest| next.number < oldest);
        while let Some(passed) = self.ahead.front().filter(is_read) {
            self.cursor.clone_from(&passed.id);
            self.ahead.pop_front();
        }
    }

    /// Where it can be taken up again: at the cursor; or, before anything was read,
    /// at the first event, whose message is here.
    pub(super) fn resumes_from(&self) -> Option<&EventId> {
        let first = || {
            // Unless the server has cleared the id since.
            self.ahead.back()?.id.as_ref()?;
            self.ahead.iter().find_map(|passed| passed.id.as_ref())
        };
        self.cursor.as_ref().or_else(first)
    }

    /// Nothing can be resumed: the next exchange begins anew.
    pub(super) fn forget_cursor(&mut self) {
        self.cursor = None;
        self.ahead.clear();
    }

    /// The failures are forgiven. Says whether the delay that runs is due to them.
    pub(super) fn forgive(&mut self) -> bool {
        self.failures = 0;
        self.backs_off
    }

    /// How long to wait before the next exchange, now that one has ended; nothing
    /// if there is to be none.
    pub(super) fn next_delay(
        &mut self,
        ending: Ending,
        jitter: &mut Jitter,
        now: Time,
    ) -> Option<Duration> {
        let lived = self
            .opened
            .map_or(Duration::ZERO, |opened| now.since(opened));
        self.lived = self.lived.saturating_add(lived);
        if self.lived >= LIVED {
            self.failures = 0;
        }
        self.barren = if std::mem::take(&mut self.fruitful) {
            0
        } else {
            self.barren.saturating_add(1)
        };
        let told = match ending {
            Ending::Clean => self.told,
            Ending::Failed(after) => after.or(self.told),
        };
        let polling = ending == Ending::Clean && told.is_some();
        self.backs_off = told.is_none();
        if !polling {
            self.failures = self.failures.saturating_add(1);
            self.lived = Duration::ZERO;
        }
        let mut delay = jitter.told_or_growing(told, self.failures.saturating_sub(1));
        if polling && self.barren >= BARREN {
            delay = delay.max(SLOW);
        }
        self.until = (told.is_some() && delay <= CEILING).then(|| now + delay);
        // Polling costs no budget, not even one that is spent.
        let goes_on = (polling || self.failures < FAILURES) && delay <= CEILING;
        goes_on.then_some(delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::sse::{Decoder, Item, Limits};

    fn id(text: &str) -> EventId {
        let mut decoder = Decoder::new(Limits::default());
        decoder.feed(format!("id: {text}\n\n").into_bytes().into());
        match decoder.next() {
            Some(Ok(Item::Cursor(Some(id)))) => id,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_cursor_moves_when_the_message_is_read() {
        let mut stream = Stream::default();
        stream.passed(Some(&id("a")), None);
        assert_eq!(stream.cursor.as_ref(), Some(&id("a")));
        stream.passed(Some(&id("b")), Some(7));
        stream.passed(Some(&id("c")), Some(7));
        stream.passed(Some(&id("d")), Some(7));
        stream.passed(Some(&id("e")), Some(9));
        stream.read_up_to(Some(7));
        assert_eq!(stream.cursor.as_ref(), Some(&id("a")));
        stream.begins();
        assert_eq!(stream.opens(Time::ZERO), ["a", "b", "d", "e"].map(id));
        stream.read_up_to(Some(9));
        assert_eq!(stream.cursor.as_ref(), Some(&id("d")));
        stream.read_up_to(None);
        stream.begins();
        assert_eq!(stream.opens(Time::ZERO), ["e"].map(id));
        stream.passed(None, None);
        assert_eq!(stream.cursor.as_ref(), None, "an empty id clears it");
    }
}
