//! What few connections need: it takes room once it is needed, and not before.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// A part of a connection that reads as blank, at the price of a pointer, until something
/// is written to it.
#[derive(Clone, Default)]
pub(super) struct Rare<T>(Option<Box<T>>);

/// What can be rare.
pub(super) trait Blank: Default + 'static {
    /// The one that stands for all those that nothing was written to.
    fn blank() -> &'static Self;

    /// Whether nothing would be lost with it.
    fn is_blank(&self) -> bool;
}

impl<T: Blank> Rare<T> {
    /// Gives back its room if there is nothing in it.
    pub(super) fn shrink_to_fit(&mut self) {
        self.0.take_if(|it| it.is_blank());
    }
}

impl<T: Blank> Deref for Rare<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or_else(|| T::blank())
    }
}

impl<T: Blank> DerefMut for Rare<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }
}

/// As what is in it: whether it takes room makes no difference to anything.
impl<T: Blank + fmt::Debug> fmt::Debug for Rare<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
