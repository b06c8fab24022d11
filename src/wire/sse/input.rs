//! The bytes that are not decoded.

use std::collections::VecDeque;

use bytes::Bytes;

/// Chunks in their order.
#[derive(Clone, Default)]
pub(super) struct Input {
    /// The chunk that is being decoded, up to `at` so far. Absent only if the queue is empty.
    chunk: Option<Bytes>,
    at: usize,
    queue: VecDeque<Bytes>,
    queued: usize,
}

impl Input {
    #[inline]
    pub(super) fn feed(&mut self, chunk: Bytes) {
        if self.chunk.is_none() {
            self.chunk = Some(chunk);
        } else {
            self.enqueue(chunk);
        }
    }

    #[cold]
    fn enqueue(&mut self, chunk: Bytes) {
        self.queued = self.queued.saturating_add(chunk.len());
        self.queue.push_back(chunk);
    }

    /// What is left of the chunk.
    #[inline]
    pub(super) fn rest(&self) -> &[u8] {
        let rest = self.chunk.as_ref().and_then(|chunk| chunk.get(self.at..));
        rest.unwrap_or_default()
    }

    /// Steps over bytes of the rest.
    #[inline]
    pub(super) fn pass(&mut self, count: usize) {
        self.at += count;
    }

    /// The chunk that is being decoded.
    pub(super) fn chunk(&self) -> Option<&Bytes> {
        self.chunk.as_ref()
    }

    /// A slice of the chunk: so many bytes before the place `end` in the rest.
    #[inline]
    pub(super) fn slice(&self, length: usize, end: usize) -> Bytes {
        let end = self.at + end;
        let slice = |chunk: &Bytes| chunk.slice(end.saturating_sub(length)..end);
        self.chunk.as_ref().map(slice).unwrap_or_default()
    }

    /// Lets go of the chunk and takes the next one, if there is one.
    #[inline]
    pub(super) fn next_chunk(&mut self) -> bool {
        self.at = 0;
        self.chunk = None;
        if self.queue.is_empty() {
            return false;
        }
        self.chunk = self.queue.pop_front();
        let length = self.chunk.as_ref().map_or(0, Bytes::len);
        self.queued = self.queued.saturating_sub(length);
        true
    }

    /// Lets go of the chunk, if less than half of it is left.
    pub(super) fn shrink(&mut self) {
        let half = self.chunk.as_ref().map_or(0, |chunk| chunk.len() / 2);
        if self.rest().len() < half {
            self.chunk = Some(Bytes::copy_from_slice(self.rest()));
            self.at = 0;
        }
    }

    /// How many bytes there are.
    pub(super) fn len(&self) -> usize {
        self.queued.saturating_add(self.rest().len())
    }
}
