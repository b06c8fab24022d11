//! Who waits, and how they are woken.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::MutexGuard;
use std::task::{Context, Waker};

use super::State;

/// Those who may wait for one thing: a place for each, with the waker that it waits with.
#[derive(Default)]
pub(super) struct Places {
    last: u64,
    wakers: BTreeMap<u64, Option<Waker>>,
}

impl Places {
    /// A place for somebody, who waits only when he says so.
    pub(super) fn enter(&mut self) -> u64 {
        self.last = self.last.wrapping_add(1);
        self.wakers.insert(self.last, None);
        self.last
    }

    pub(super) fn leave(&mut self, place: u64) {
        self.wakers.remove(&place);
    }

    pub(super) fn wait(&mut self, place: u64, cx: &Context<'_>) {
        if let Some(waker) = self.wakers.get_mut(&place) {
            *waker = Some(cx.waker().clone());
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.wakers.is_empty()
    }

    /// Those who wait, who do so no longer.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Waker> {
        self.wakers.values_mut().filter_map(Option::take)
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.wakers.values().flatten().count()
    }
}

/// The state, locked. Who is to be woken is woken when it is unlocked again: a waker may
/// do anything, and ask the client too.
pub(crate) struct Locked<'a> {
    state: MutexGuard<'a, State>,
    /// After the state, for fields are dropped in their order.
    woken: Woken,
}

impl<'a> Locked<'a> {
    pub(super) fn new(state: MutexGuard<'a, State>) -> Self {
        let woken = Woken(Vec::new());
        Self { state, woken }
    }
}

impl Deref for Locked<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.woken.0 = std::mem::take(&mut self.state.woken);
    }
}

struct Woken(Vec<Waker>);

impl Drop for Woken {
    fn drop(&mut self) {
        // Mostly there is nobody, and a call is asked about many times.
        if self.0.is_empty() {
            return;
        }
        for waker in self.0.drain(..) {
            waker.wake();
        }
    }
}
