//! What few connections need: it takes room once it is needed, and not before.

use std::fmt;
use std::ops::{Deref, DerefMut};

use super::room::Room;

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

impl<T: Blank> Room for Rare<T> {
    fn shrink_to_fit(&mut self) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Connection};

    fn rooms(connection: &Connection) -> [bool; 4] {
        [
            connection.authorization.0.is_some(),
            connection.listening.0.is_some(),
            connection.restoring.0.is_some(),
            connection.tools.0.is_some(),
        ]
    }

    #[test]
    fn what_is_blank_again_gives_its_room_back_and_nothing_else_does() {
        let config = Config::new("http://localhost/mcp").unwrap();
        let mut connection = Connection::new(config);
        let _ = connection.authorization.deref_mut();
        let _ = connection.listening.deref_mut();
        let _ = connection.restoring.deref_mut();
        let _ = connection.tools.deref_mut();
        assert_eq!(rooms(&connection), [true; 4]);
        connection.restoring.untold = true;
        connection.shrink_to_fit();
        assert_eq!(rooms(&connection), [false, false, true, false]);
        assert!(connection.restoring.untold);
        connection.restoring.untold = false;
        connection.shrink_to_fit();
        assert_eq!(rooms(&connection), [false; 4]);
    }

    #[test]
    fn it_is_shown_as_what_is_in_it() {
        let config = Config::new("http://localhost/mcp").unwrap();
        let connection = Connection::new(config);
        assert_eq!(
            format!("{:?}", connection.listening),
            format!("{:?}", *connection.listening)
        );
    }
}
