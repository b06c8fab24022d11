//! The machine's notion of time.

use std::fmt;
use std::ops::Add;
use std::time::Duration;

/// A moment: the time that has passed since an origin that the embedder chooses.
///
/// The machine knows no clock. Whoever drives it reads one of their own (a
/// monotonic one: `Instant::elapsed`, `performance.now()`, a simulator's
/// counter) and passes what it shows. All arithmetic saturates; time that goes
/// backwards is treated as standing still.
///
/// ```
/// use mcp_http::Time;
/// use std::time::Duration;
///
/// let start = Time::from_millis(250);
/// assert_eq!(start + Duration::from_secs(1), Time::from_millis(1250));
/// assert_eq!(Time::ZERO.since(start), Duration::ZERO);
/// ```
#[derive(Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Time(Duration);

impl Time {
    /// The origin itself.
    pub const ZERO: Self = Self(Duration::ZERO);

    /// The moment that is `since_origin` after the origin.
    #[must_use]
    pub const fn new(since_origin: Duration) -> Self {
        Self(since_origin)
    }

    /// The moment `millis` milliseconds after the origin.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// The moment `secs` seconds after the origin.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }

    /// How far the origin lies back.
    #[must_use]
    pub const fn since_origin(self) -> Duration {
        self.0
    }

    /// How far `earlier` lies back; zero if it lies ahead.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later))
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{:?}", self.0)
    }
}
