//! The queue of events: ends never wait for room, what the peer sends unasked does.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::{iter, mem};

use super::room::Room;
use crate::event::Withdrawal;
use crate::{CallId, Event, Limits, Subject, Ticket};

/// Unread events about sessions; they come so slowly that more than this many
/// mean that nobody reads.
const LIFECYCLE: usize = 256;

/// How an event stands towards the limits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Class {
    /// The end of something the application began, or what it has to answer so that
    /// something can end: bounded by what it may begin.
    End,
    /// Told about the connection itself: the oldest give way.
    Lifecycle,
    /// Sent by the peer unasked: waits outside until there is room.
    Unasked,
}

/// The stream that an event came on.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Source {
    Call(CallId),
    Listening,
}

#[derive(Clone, Debug)]
struct Queued {
    event: Event,
    /// Counts all events.
    number: u64,
    source: Option<Source>,
}

impl Queued {
    /// Whether it is given up for others: of the listening stream, and nobody's answer is
    /// waited for.
    fn gives_way(&self) -> bool {
        self.source == Some(Source::Listening)
            && class(&self.event) == Class::Unasked
            && !matches!(self.event, Event::Ask(_))
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Events {
    queue: VecDeque<Queued>,
    /// The numbers of those that came on each stream.
    from: BTreeMap<Source, Numbers>,
    /// The number of each ask.
    asks: BTreeMap<Ticket, u64>,
    /// The numbers of those that say something about a call that goes on.
    about: BTreeMap<CallId, Numbers>,
    unasked: usize,
    unasked_bytes: usize,
    /// Those of them that give way to others, and their bytes.
    yielding: usize,
    yielding_bytes: usize,
    lifecycle: usize,
    missed: u64,
    /// What was missed was the last that was read. Something that was not comes next, or a flood
    /// would leave nothing else to be read.
    missed_last: bool,
    bytes: usize,
    /// How many there ever were.
    told: u64,
    pub(super) ended_calls: usize,
    pub(super) ended_notifications: usize,
}

impl Room for Events {
    fn shrink_to_fit(&mut self) {
        self.queue.shrink_to_fit();
        self.from.shrink_to_fit();
        self.asks.shrink_to_fit();
        self.about.shrink_to_fit();
    }
}

impl Events {
    #[cfg(feature = "harness")]
    pub(super) fn weights(&self) -> super::weights::Weights {
        let Self {
            queue,
            from,
            asks,
            about,
            unasked,
            unasked_bytes,
            yielding,
            yielding_bytes,
            lifecycle,
            missed,
            missed_last: _,
            bytes,
            told: _,
            ended_calls,
            ended_notifications,
        } = self;
        let missed = usize::try_from(*missed).unwrap_or(usize::MAX);
        vec![
            ("events.queue", queue.len()),
            ("events.from", from.len()),
            ("events.asks", asks.len()),
            ("events.about", about.len()),
            ("events.unasked", *unasked),
            ("events.unasked_bytes", *unasked_bytes),
            ("events.yielding", *yielding),
            ("events.yielding_bytes", *yielding_bytes),
            ("events.lifecycle", *lifecycle),
            ("events.missed", missed),
            ("events.bytes", *bytes),
            ("events.ended_calls", *ended_calls),
            ("events.ended_notifications", *ended_notifications),
            ("events.miscounted", self.miscounted()),
        ]
    }

    /// How far what is in the queue is more, or less, than was counted as it came and went.
    #[cfg(feature = "harness")]
    fn miscounted(&self) -> usize {
        let mut anew = Self::default();
        for Queued { event, .. } in &self.queue {
            anew.count(event, class(event), 1);
        }
        let yielding = self.queue.iter().filter(|queued| queued.gives_way());
        for Queued { event, .. } in yielding {
            anew.yielding += 1;
            anew.yielding_bytes += payload(event);
        }
        let counters = |it: &Self| {
            [
                it.bytes,
                it.ended_calls,
                it.ended_notifications,
                it.lifecycle,
                it.unasked,
                it.unasked_bytes,
                it.yielding,
                it.yielding_bytes,
            ]
        };
        let pairs = counters(self).into_iter().zip(counters(&anew));
        pairs.map(|(one, other)| one.abs_diff(other)).sum()
    }

    pub(super) fn push(&mut self, event: Event) {
        self.push_from(event, None);
    }

    pub(super) fn push_from(&mut self, event: Event, source: Option<Source>) {
        let class = class(&event);
        self.count(&event, class, 1);
        self.told = self.told.saturating_add(1);
        let number = self.told;
        if let Event::Ask(ask) = &event {
            self.asks.insert(ask.ticket, number);
        }
        if let Some(call) = about(&event) {
            list(&mut self.about, call, number);
        }
        self.queue.push_back(Queued {
            event,
            number,
            source: None,
        });
        if let Some(source) = source {
            self.came_on(source, number.saturating_sub(1));
        }
        if self.lifecycle > LIFECYCLE {
            // Of these there may be many at once.
            let least = |queued: &Queued| {
                matches!(
                    queued.event,
                    Event::NotRestored { .. } | Event::ToolRejected(_)
                )
            };
            if !self.drop_oldest(least) {
                self.drop_oldest(|queued| self::class(&queued.event) == Class::Lifecycle);
            }
        }
    }

    /// What was told since there were so many events came on this stream.
    pub(super) fn came_on(&mut self, source: Source, told: u64) {
        let since = self.queue.iter_mut().rev();
        for queued in since.take_while(|queued| queued.number > told) {
            if queued.source.is_none() {
                queued.source = Some(source);
                if queued.gives_way() {
                    self.yielding = self.yielding.saturating_add(1);
                    let bytes = payload(&queued.event);
                    self.yielding_bytes = self.yielding_bytes.saturating_add(bytes);
                }
                list(&mut self.from, source, queued.number);
            }
        }
    }

    /// The oldest and the newest event of this stream that nobody has read.
    pub(super) fn unread_from(&self, source: Source) -> Option<(u64, u64)> {
        let numbers = self.from.get(&source)?;
        Some((numbers.first, numbers.last()))
    }

    fn remove(&mut self, at: usize) -> Option<Queued> {
        let queued = match at {
            0 => self.queue.pop_front()?,
            _ => self.queue.remove(at)?,
        };
        self.count(&queued.event, class(&queued.event), -1);
        if queued.gives_way() {
            self.yielding = self.yielding.saturating_sub(1);
            let bytes = payload(&queued.event);
            self.yielding_bytes = self.yielding_bytes.saturating_sub(bytes);
        }
        if let Some(source) = queued.source {
            unlist(&mut self.from, source, queued.number);
        }
        if let Event::Ask(ask) = &queued.event {
            self.asks.remove(&ask.ticket);
        }
        if let Some(call) = about(&queued.event) {
            unlist(&mut self.about, call, queued.number);
        }
        Some(queued)
    }

    /// Takes out the event with this number.
    fn remove_number(&mut self, number: u64) {
        let place = self.queue.binary_search_by_key(&number, |it| it.number);
        if let Ok(at) = place {
            self.remove(at);
        }
    }

    /// Takes the first event that is wanted, out of its turn; and tells on which stream
    /// it came.
    pub(super) fn pop_where(
        &mut self,
        mut wanted: impl FnMut(&Event) -> bool,
    ) -> Option<(Event, Option<Source>)> {
        let at = self.queue.iter().position(|queued| wanted(&queued.event));
        if self.missed > 0 && !(self.missed_last && at.is_some()) {
            let gap = Event::Gap {
                missed: Some(self.missed),
            };
            if wanted(&gap) {
                self.missed = 0;
                self.missed_last = true;
                return Some((gap, None));
            }
        }
        let Queued { event, source, .. } = self.remove(at?)?;
        self.missed_last = false;
        Some((event, source))
    }

    /// Makes room for an event of this size, as far as messages of the listening
    /// stream can give way.
    pub(super) fn give_way(&mut self, bytes: usize, limits: &Limits) {
        while !self.has_room(bytes, limits) && self.drop_oldest(Queued::gives_way) {}
    }

    /// Whether there would be room, if all gave way that can.
    pub(super) fn can_have_room(&self, bytes: usize, limits: &Limits) -> bool {
        let unasked = self.unasked.saturating_sub(self.yielding);
        let held = self.unasked_bytes.saturating_sub(self.yielding_bytes);
        fits(bytes, unasked, held, limits)
    }

    /// An event was given up before it got here.
    pub(super) fn miss(&mut self) {
        self.missed = self.missed.saturating_add(1);
    }

    fn drop_oldest(&mut self, gives_way: impl Fn(&Queued) -> bool) -> bool {
        let oldest = self.queue.iter().position(gives_way);
        let dropped = oldest.and_then(|at| self.remove(at)).is_some();
        if dropped {
            self.miss();
        }
        dropped
    }

    /// Whether an event of this size may be pushed: one larger than all the room
    /// is let in alone.
    pub(super) fn has_room(&self, bytes: usize, limits: &Limits) -> bool {
        fits(bytes, self.unasked, self.unasked_bytes, limits)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.missed == 0
    }

    /// How many events there ever were, read or not.
    pub(super) fn told(&self) -> u64 {
        self.told
    }

    /// Bytes of payload that wait to be read.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Says that an ask is void; an ask that nobody has seen just disappears.
    pub(super) fn withdraw(&mut self, ticket: Ticket, cause: Withdrawal) {
        match self.asks.get(&ticket).copied() {
            Some(number) => self.remove_number(number),
            None => self.push(Event::AskWithdrawn { ticket, cause }),
        }
    }

    /// Drops an `Authorize` that nobody has seen: it needs no answer any more.
    pub(super) fn unask(&mut self) {
        drop(self.pop_where(|event| matches!(event, Event::Authorize(_))));
    }

    /// Drops what was said about a call that the application gave up.
    pub(super) fn forget(&mut self, call: CallId) {
        let Some(Numbers { first, later }) = self.about.remove(&call) else {
            return;
        };
        for number in iter::once(first).chain(later) {
            self.remove_number(number);
        }
    }

    fn count(&mut self, event: &Event, class: Class, by: isize) {
        let bytes = payload(event);
        let add = |counter: &mut usize, amount: usize| {
            *counter = if by > 0 {
                counter.saturating_add(amount)
            } else {
                counter.saturating_sub(amount)
            };
        };
        add(&mut self.bytes, bytes);
        match class {
            Class::End => match event {
                Event::Reply { .. }
                | Event::Fail {
                    subject: Subject::Call(_),
                    ..
                } => {
                    add(&mut self.ended_calls, 1);
                }
                Event::Accepted { subject } | Event::Fail { subject, .. }
                    if matches!(subject, Subject::Notification(_)) =>
                {
                    add(&mut self.ended_notifications, 1);
                }
                _ => {}
            },
            Class::Lifecycle => add(&mut self.lifecycle, 1),
            Class::Unasked => {
                add(&mut self.unasked, 1);
                add(&mut self.unasked_bytes, bytes);
            }
        }
    }
}

/// The call that the event is about, if it is not its end.
fn about(event: &Event) -> Option<CallId> {
    match event {
        Event::Message(message) => message.call,
        Event::Fail {
            subject: Subject::Stream(call),
            ..
        } => *call,
        _ => None,
    }
}

/// The numbers of some events, in order. Mostly there is but one, which takes no memory of its own.
#[derive(Clone, Debug)]
struct Numbers {
    first: u64,
    later: VecDeque<u64>,
}

impl Numbers {
    fn last(&self) -> u64 {
        self.later.back().copied().unwrap_or(self.first)
    }

    fn insert(&mut self, mut number: u64) {
        if number < self.first {
            mem::swap(&mut self.first, &mut number);
        }
        let at = self.later.partition_point(|later| *later < number);
        self.later.insert(at, number);
    }

    /// Takes one out. Whether none is left.
    fn remove(&mut self, number: u64) -> bool {
        if number == self.first {
            let Some(next) = self.later.pop_front() else {
                return true;
            };
            self.first = next;
        } else if let Ok(at) = self.later.binary_search(&number) {
            self.later.remove(at);
        }
        false
    }
}

fn list<K: Ord>(lists: &mut BTreeMap<K, Numbers>, key: K, number: u64) {
    match lists.entry(key) {
        Entry::Occupied(mut numbers) => numbers.get_mut().insert(number),
        Entry::Vacant(place) => {
            place.insert(Numbers {
                first: number,
                later: VecDeque::new(),
            });
        }
    }
}

fn unlist<K: Ord>(lists: &mut BTreeMap<K, Numbers>, key: K, number: u64) {
    if let Entry::Occupied(mut numbers) = lists.entry(key) {
        if numbers.get_mut().remove(number) {
            numbers.remove();
        }
    }
}

/// Whether one more event of this size may be queued beside so many.
fn fits(bytes: usize, unasked: usize, held: usize, limits: &Limits) -> bool {
    let beside = unasked < limits.unread && held.saturating_add(bytes) <= limits.unread_bytes;
    unasked == 0 || beside
}

fn class(event: &Event) -> Class {
    match event {
        // Of the last one there is but one at a time.
        Event::Accepted { .. } | Event::Reply { .. } | Event::Authorize(_) => Class::End,
        Event::Fail { subject, .. } => match subject {
            Subject::Answer(_) | Subject::Call(_) | Subject::Notification(_) => Class::End,
            Subject::Connection => Class::Lifecycle,
            Subject::Stream(_) => Class::Unasked,
        },
        Event::Ask(_) | Event::Message(_) => Class::Unasked,
        Event::AskWithdrawn { .. }
        | Event::Gap { .. }
        | Event::Listening { .. }
        | Event::NotRestored { .. }
        | Event::Ready(_)
        | Event::Reinitialize { .. }
        | Event::StreamDegraded { .. }
        | Event::StreamEnded
        | Event::StreamNotOffered { .. }
        | Event::StreamRestored
        | Event::ToolRejected(_) => Class::Lifecycle,
    }
}

fn payload(event: &Event) -> usize {
    let json = |json: &Option<crate::RawJson>| json.as_ref().map_or(0, crate::RawJson::len);
    match event {
        Event::Ask(ask) => json(&ask.params).saturating_add(ask.method.len()),
        Event::Message(message) => json(&message.params).saturating_add(message.method.len()),
        Event::Reply { reply, .. } => reply.bytes(),
        Event::Fail { error, .. }
        | Event::NotRestored { error, .. }
        | Event::StreamDegraded { error, .. }
        | Event::StreamNotOffered { error, .. } => {
            error.rpc_error().map_or(0, crate::RpcError::bytes)
        }
        Event::ToolRejected(tool) => tool.name.len(),
        Event::Ready(ready) => ready.result.len().saturating_add(ready.capabilities.len()),
        _ => 0,
    }
}

#[cfg(all(test, feature = "harness"))]
mod tests {
    use super::*;

    #[test]
    fn who_miscounts_is_found_out() {
        let mut events = Events::default();
        events.push(Event::StreamEnded);
        assert_eq!(events.miscounted(), 0);
        events.bytes += 2;
        events.lifecycle -= 1;
        assert_eq!(events.miscounted(), 3);
    }
}
