//! Streams: what is remembered of one over all the exchanges that it takes
//! (transports: resumability and redelivery).

use std::collections::VecDeque;
use std::time::Duration;

use super::jitter::Jitter;
use crate::wire::request::can_carry;
use crate::wire::sse::EventId;
use crate::{Retries, Time};

/// One logical event stream: that of a call, or the listening stream.
#[derive(Clone, Debug, Default, PartialEq)]
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
    /// Whether the delay before the next exchange is due to a failure.
    backs_off: bool,
    /// Until when the server asked to be left alone when it refused the last one.
    pub(super) until: Option<Time>,
    /// Exchanges in a row without a message.
    barren: u32,
    /// When the last of those without one ended, in a row or not.
    idle: VecDeque<Time>,
    /// When the last redirect was followed.
    redirected: Option<Time>,
    /// When its exchange was answered; nothing before that and once it has ended.
    opened: Option<Time>,
    fruitful: bool,
    /// The ids that the server may repeat on its exchange although their messages are
    /// here: those that waited to be read when it was asked, and with some servers the
    /// cursor itself, which is the first.
    known: Vec<EventId>,
}

/// An event that came after the cursor.
#[derive(Clone, Debug, PartialEq)]
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
    #[cfg(feature = "harness")]
    pub(super) fn weights(&self) -> super::weights::Weights {
        let Self {
            cursor: _,
            ahead,
            told: _,
            failures: _,
            lived: _,
            backs_off: _,
            until: _,
            barren: _,
            idle,
            redirected: _,
            opened: _,
            fruitful: _,
            known,
        } = self;
        vec![
            ("listening.ahead", ahead.len()),
            ("listening.idle", idle.len()),
            ("listening.known", known.len()),
        ]
    }

    /// A new exchange of it begins.
    pub(super) fn begins(&mut self) {
        self.opened = None;
        self.until = None;
        self.fruitful = false;
        if self.resumes_from().is_none() {
            self.forget_cursor();
        }
        self.known = self.places().cloned().collect();
    }

    /// Its exchange was answered with a stream. Gives the ids that may be repeated.
    pub(super) fn opens(&mut self, now: Time) -> Vec<EventId> {
        self.opened = Some(now);
        std::mem::take(&mut self.known)
    }

    /// The end of its exchange was reported.
    pub(super) fn closes(&mut self, now: Time) {
        if let Some(opened) = self.opened.take() {
            self.lived = self.lived.saturating_add(now.since(opened));
        }
    }

    /// A message came: no reason to slow down.
    pub(super) fn bore(&mut self) {
        self.fruitful = true;
    }

    /// An event with an id of its own went by. `newest`: the number of the stream's last
    /// message that waits to be read, if one does.
    pub(super) fn passed(&mut self, id: Option<&EventId>, newest: Option<u64>) {
        // What no header can carry is as good as none.
        let id = id.filter(|id| can_carry(id)).map(EventId::detach);
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
        let is_read = |next: &Passed| oldest.is_none_or(|oldest| next.number < oldest);
        while self.ahead.front().is_some_and(is_read) {
            self.cursor = self.ahead.pop_front().and_then(|passed| passed.id);
        }
    }

    /// Where it can be taken up again: at the cursor; or, before anything was read,
    /// at the first event, whose message is here.
    pub(super) fn resumes_from(&self) -> Option<&EventId> {
        self.places().next()
    }

    /// The cursor and the ids ahead of it, as far as they lead: where the server cleared
    /// the id they begin anew, for what came without one could not be told from what is
    /// repeated.
    fn places(&self) -> impl Iterator<Item = &EventId> {
        let cleared = self.ahead.iter().rposition(|passed| passed.id.is_none());
        let cursor = self.cursor.as_ref().filter(|_| cleared.is_none());
        let ahead = self.ahead.iter().skip(cleared.map_or(0, |at| at + 1));
        let ahead = ahead.filter_map(|passed| passed.id.as_ref());
        cursor.into_iter().chain(ahead)
    }

    /// Nothing can be resumed: the next exchange begins anew.
    pub(super) fn forget_cursor(&mut self) {
        self.cursor = None;
        self.ahead.clear();
    }

    /// The failures are forgiven. Says whether the delay that runs is due to them.
    pub(super) fn forgive(&mut self) -> bool {
        self.failures = 0;
        self.backs_off() && self.until.is_none()
    }

    /// Whether the delay that runs is due to a failure: else the server asked for it.
    pub(super) fn backs_off(&self) -> bool {
        self.backs_off
    }

    /// When its exchange goes on where a redirect leads: no server makes a storm of them.
    pub(super) fn follows(&mut self, retries: &Retries, now: Time) -> Time {
        let last = self.redirected.map(|last| last + retries.slow);
        let next = (now + retries.floor).max(last.unwrap_or(now));
        self.redirected = Some(next);
        next
    }

    /// An exchange has ended. Says whether it is one of too many that brought nothing.
    fn slows_down(&mut self, retries: &Retries, now: Time) -> bool {
        if std::mem::take(&mut self.fruitful) {
            self.barren = 0;
            return false;
        }
        self.barren = self.barren.saturating_add(1);
        self.idle.push_back(now);
        let window = retries.slow.saturating_mul(retries.barren);
        self.idle.retain(|at| now.since(*at) < window);
        self.barren
            .max(u32::try_from(self.idle.len()).unwrap_or(u32::MAX))
            >= retries.barren
    }

    /// How long to wait before the next exchange, now that one has ended; nothing
    /// if there is to be none.
    pub(super) fn next_delay(
        &mut self,
        ending: Ending,
        (jitter, retries): (&mut Jitter, &Retries),
        now: Time,
    ) -> Option<Duration> {
        self.closes(now);
        if self.lived >= retries.lived {
            self.failures = 0;
        }
        let slow = self.slows_down(retries, now);
        let told = match ending {
            Ending::Clean => self.told,
            Ending::Failed(after) => after.or(self.told),
        };
        let polling = ending == Ending::Clean && told.is_some();
        if !polling {
            self.failures = self.failures.saturating_add(1);
            self.lived = Duration::ZERO;
        }
        let mut delay = jitter.told_or_growing(told, self.failures.saturating_sub(1), retries);
        if slow {
            delay = delay.max(retries.slow);
        }
        // Polling costs no budget, not even one that is spent.
        let goes_on = (polling || self.failures < retries.failures) && delay <= retries.ceiling;
        let asked = matches!(ending, Ending::Failed(Some(_)));
        self.backs_off = !polling;
        self.until = (asked && delay <= retries.ceiling).then(|| now + delay);
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
