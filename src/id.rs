//! The names of things that have a life, each tagged with the connection that gave it.

use std::fmt;

/// What comes back from the outside and may be another connection's.
pub(crate) trait Tagged {
    fn named(tag: Tag, number: u64) -> Self;
    fn tag(&self) -> Tag;
    fn number(&self) -> u64;
}

/// Tells the ids of one connection from those of another. Made of the seed and
/// the endpoint in the configuration, so that the same inputs give the same ids.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Tag(pub(crate) u32);

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name {
            number: u64,
            tag: Tag,
        }

        impl $name {
            pub(crate) const fn new(tag: Tag, number: u64) -> Self {
                Self { number, tag }
            }

            /// The running number: the connection's first one is 1.
            #[must_use]
            pub const fn number(self) -> u64 {
                self.number
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.number)
            }
        }
    };
}

id! {
    /// Names a call: one JSON-RPC request of the application. It stays the same
    /// when the call is sent again (each sending has a JSON-RPC id of its own).
    CallId
}
id! {
    /// Names an exchange: one HTTP request and its response.
    ExchangeId
}
id! {
    /// Names a notification of the application until it was accepted or failed.
    NotificationId
}
id! {
    /// Names an ask, a question of the server, until it is answered or withdrawn.
    Ticket
}

macro_rules! tagged {
    ($($name:ident)*) => {
        $(impl Tagged for $name {
            fn named(tag: Tag, number: u64) -> Self {
                Self::new(tag, number)
            }

            fn tag(&self) -> Tag {
                self.tag
            }

            fn number(&self) -> u64 {
                self.number
            }
        })*
    };
}

tagged!(CallId ExchangeId Ticket);
