//! How often and how soon something is tried again.

use std::time::Duration;

/// How often and how soon streams that broke off, and messages that were refused for now,
/// are tried again, so that no server makes them storm.
///
/// The defaults keep the GETs of a stream at a handful in any 3 s, or one for each told
/// delay as long as each brings a message. Of redirects at most three are followed for one
/// message; that is fixed, for no server needs more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Retries {
    /// The least delay before anything is tried again, whatever the server asks for. Also
    /// for how long no handshake follows one that could not reach the server, unless
    /// [the network changes](crate::Connection::network_changed), and the least time
    /// between two changes of the network that are heeded. Default: 100 ms, which no
    /// person notices and no server suffers from. At least 1 ms.
    pub floor: Duration,
    /// The longest time that a server may ask to wait. What is beyond it is not waited for:
    /// a call fails, the listening stream is degraded. Default: 5 min, half of what a
    /// [call](crate::Clocks::call) may take. At least the floor.
    pub ceiling: Duration,
    /// Where the server asks for nothing, the delay is drawn evenly from the floor to this,
    /// twice this after the second failure in a row, and so on. Default: 1 s. At least the
    /// floor.
    pub first: Duration,
    /// So far that grows. Default: 30 s, so that a server that comes back is found soon.
    /// At least `first`.
    pub longest: Duration,
    /// How often a message is sent again after 408 or 429 (calls, handshakes), or if it is
    /// idempotent, after a failure of the server or the connection. Default: 2.
    pub resends: u32,
    /// So many failures in a row end the stream of a call; the listening stream is left
    /// alone for a `pause`. Default: 5, enough for a server that restarts. At least 1.
    pub failures: u32,
    /// A stream that was open as long as this since its last failure has none behind it.
    /// Default: 5 s, longer than a server that fails at once lives. At least the floor.
    pub lived: Duration,
    /// After so many exchanges in a row without a message, or in the time of so many `slow`
    /// delays, a stream slows down. Default: 3. At least 1.
    pub barren: u32,
    /// The least delay then, and the least time from one redirect that a stream follows to
    /// the next. Default: 1 s. At least the floor.
    pub slow: Duration,
    /// How long the listening stream is left alone once its failures are spent. Default:
    /// 5 min. At least `slow`.
    pub pause: Duration,
}

impl Retries {
    pub(crate) const DEFAULT: Self = Self {
        floor: Duration::from_millis(100),
        ceiling: Duration::from_secs(300),
        first: Duration::from_secs(1),
        longest: Duration::from_secs(30),
        resends: 2,
        failures: 5,
        lived: Duration::from_secs(5),
        barren: 3,
        slow: Duration::from_secs(1),
        pause: Duration::from_secs(300),
    };
}

impl Default for Retries {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Retries {
    /// Such that no server sets the pace (law 10).
    pub(crate) fn bounded(self) -> Self {
        let floor = self.floor.max(Duration::from_millis(1));
        let first = self.first.max(floor);
        let slow = self.slow.max(floor);
        Self {
            floor,
            ceiling: self.ceiling.max(floor),
            first,
            longest: self.longest.max(first),
            resends: self.resends,
            failures: self.failures.max(1),
            lived: self.lived.max(floor),
            barren: self.barren.max(1),
            slow,
            pause: self.pause.max(slow),
        }
    }
}
