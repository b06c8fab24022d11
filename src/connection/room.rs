//! Room that work took, given back once it is over.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Connection;

/// What holds room for what is not in it any more.
pub(super) trait Room {
    /// Gives it back.
    fn shrink_to_fit(&mut self);
}

/// An empty tree keeps a node.
impl<K, V> Room for BTreeMap<K, V> {
    fn shrink_to_fit(&mut self) {
        if self.is_empty() {
            *self = Self::new();
        }
    }
}

impl<T> Room for BTreeSet<T> {
    fn shrink_to_fit(&mut self) {
        if self.is_empty() {
            *self = Self::new();
        }
    }
}

impl<T> Room for VecDeque<T> {
    fn shrink_to_fit(&mut self) {
        Self::shrink_to_fit(self);
    }
}

/// # Room
impl Connection {
    /// Gives back the room that work took which is over, for those who keep many connections
    /// that are idle; there is nothing else to it. What comes next takes room anew, so it is
    /// not worth its while between one call and the next.
    pub fn shrink_to_fit(&mut self) {
        // Each field is named, so that a new one is not overlooked.
        let Self {
            config: _,
            tag: _,
            now: _,
            jitter: _,
            phase: _,
            handshake,
            ladder: _,
            channel: _,
            session: _,
            shown: _,
            initialized_due: _,
            authorization,
            suspicion: _,
            calls,
            waiting,
            behind,
            tokens,
            asks,
            asks_of,
            exchanges,
            cut,
            resumes,
            listening,
            restoring,
            tools,
            control_exchanges: _,
            stalled,
            read_on,
            served: _,
            lingering,
            room: _,
            aborts,
            answers,
            notices,
            farewells,
            events,
            timers,
            network: _,
            changed: _,
            woken: _,
            held: _,
            last_call: _,
            last_exchange: _,
            last_notification: _,
            last_ticket: _,
            #[cfg(feature = "harness")]
                taken: _,
        } = self;
        let rooms: [&mut dyn Room; 23] = [
            &mut handshake.attempts,
            authorization,
            calls,
            waiting,
            behind,
            tokens,
            asks,
            asks_of,
            exchanges,
            cut,
            resumes,
            listening,
            restoring,
            tools,
            stalled,
            read_on,
            lingering,
            aborts,
            answers,
            notices,
            farewells,
            events,
            timers,
        ];
        for room in rooms {
            room.shrink_to_fit();
        }
    }
}
