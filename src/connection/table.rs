//! What has an id of this connection: found by its number, for the tag is the same in all.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use super::room::Room;
use crate::id::{Tag, Tagged};

/// Things by id, in the order of their numbers. An id of another connection names none.
#[derive(Clone)]
pub(super) struct Table<I, T> {
    tag: Tag,
    /// Boxed: a tree moves its entries about.
    all: BTreeMap<u64, Box<T>>,
    ids: PhantomData<I>,
}

impl<I, T> Room for Table<I, T> {
    fn shrink_to_fit(&mut self) {
        Room::shrink_to_fit(&mut self.all);
    }
}

impl<I: Tagged, T> Table<I, T> {
    pub(super) fn new(tag: Tag) -> Self {
        Self {
            tag,
            all: BTreeMap::new(),
            ids: PhantomData,
        }
    }

    pub(super) fn insert(&mut self, id: I, it: T) {
        self.all.insert(id.number(), Box::new(it));
    }

    pub(super) fn remove(&mut self, id: &I) -> Option<Box<T>> {
        self.own(id)?;
        self.all.remove(&id.number())
    }

    pub(super) fn get(&self, id: &I) -> Option<&T> {
        self.own(id)?;
        self.all.get(&id.number()).map(Box::as_ref)
    }

    pub(super) fn get_mut(&mut self, id: &I) -> Option<&mut T> {
        self.own(id)?;
        self.all.get_mut(&id.number()).map(Box::as_mut)
    }

    pub(super) fn contains_key(&self, id: &I) -> bool {
        self.get(id).is_some()
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (I, &T)> {
        let all = self.all.iter();
        all.map(|(number, it)| (I::named(self.tag, *number), &**it))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (I, &mut T)> {
        let tag = self.tag;
        let all = self.all.iter_mut();
        all.map(move |(number, it)| (I::named(tag, *number), &mut **it))
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = I> {
        self.iter().map(|(id, _)| id)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.all.values().map(Box::as_ref)
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.all.values_mut().map(Box::as_mut)
    }

    fn own(&self, id: &I) -> Option<()> {
        (id.tag() == self.tag).then_some(())
    }
}

impl<I: Tagged + fmt::Debug, T: fmt::Debug> fmt::Debug for Table<I, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
