//! What is going to happen, in the order of time.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::client::Act;
use super::part::Part;
use super::plan::Incident;
use super::server::Task;
use crate::Time;

#[derive(Debug)]
pub(super) enum Happening {
    Act(usize, Act),
    /// A request reaches whoever stands before the servers.
    Arrive(u32),
    /// The proxy has waited long enough for a head.
    Deadline(u32),
    /// A part of an answer reaches its client.
    Deliver(u32, Part),
    /// What was stuck on its way flows again.
    Flow(u32),
    /// The server learns that nobody listens any more.
    Gone(u32),
    Incident(Incident),
    Milestone(Milestone),
    /// The connection of an exchange breaks, or its stream is ended by a proxy.
    Sever {
        wire: u32,
        clean: bool,
    },
    /// Planned in this life of a server.
    Task {
        server: usize,
        life: u32,
        task: Task,
    },
}

/// The course of a world.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Milestone {
    /// Nothing goes wrong any more.
    Calm,
    /// Once more everybody calls: by now that must work again.
    LastCall {
        counts: bool,
    },
    /// What may take for ever is given up.
    Review,
    Close,
    End,
}

#[derive(Debug)]
struct Entry {
    at: Time,
    number: u64,
    what: Happening,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The earliest first; of those at the same time, the one that was planned first.
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Entry>,
    number: u64,
}

impl Queue {
    pub(super) fn push(&mut self, at: Time, what: Happening) {
        self.number += 1;
        let number = self.number;
        self.heap.push(Entry { at, number, what });
    }

    pub(super) fn next(&self) -> Option<Time> {
        self.heap.peek().map(|entry| entry.at)
    }

    pub(super) fn pop(&mut self) -> Option<Happening> {
        self.heap.pop().map(|entry| entry.what)
    }
}
