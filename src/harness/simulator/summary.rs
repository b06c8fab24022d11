//! What happened in a world, in numbers.

use super::plan::Era;

macro_rules! things {
    ($($name:ident $text:literal,)*) => {
        /// A kind of thing that happens.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum Thing { $($name,)* }

        impl Thing {
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

things! {
    World "worlds",
    Request "requests",
    Wake "times that a clock ran out",
    Call "calls made",
    Idempotent "calls that are idempotent",
    Reply "calls replied to",
    ErrorReply "calls replied to with an error",
    NotSent "calls failed, not sent",
    Rejected "calls failed, rejected",
    Unknown "calls failed, unknown",
    Cancelled "calls cancelled",
    CallTimeout "calls whose time ran out",
    CallClosed "calls ended by close",
    Unrecoverable "calls failed for the budget of handshakes",
    Executed "calls executed",
    ExecutedUnheard "calls executed whose caller was not told",
    ExecutedTwice "idempotent calls executed again",
    SentAgain "calls sent again",
    Established "sessions or eras established",
    Lost "sessions lost",
    Recovered "sessions made anew",
    Changed "revisions that changed between sessions",
    HandshakeFailed "handshakes failed",
    LateAnswer "answers that came late",
    Deleted "sessions ended by the client",
    OddAnswer "answers that are none",
    ServerRefused "requests refused by the server",
    Unauthorized "credentials refused",
    Authorize "credentials asked for",
    Restart "restarts",
    Forgotten "sessions forgotten",
    EraChange "servers replaced by those of another era",
    Partition "partitions",
    Refused "connections refused",
    Reset "connections reset",
    Hole "requests that nobody answered",
    HalfOpen "connections that hung half-open",
    Cut "answers cut off half-way",
    Buffered "answers held back by a proxy",
    Gateway "answers of a proxy for the server",
    Html "pages for people",
    Busy "429 of a proxy",
    NotFound "404 of a proxy",
    Lie "answers of executed requests turned into refusals",
    Redirect "redirects",
    Away "redirects to another origin",
    Astray "requests that reached a server without their session",
    Listening "listening streams opened",
    NotOffered "listening streams not offered",
    Degraded "listening streams that failed",
    Restored "listening streams that came back",
    Message "messages of the server",
    Progress "progress",
    Poll "streams closed to be polled",
    Resumed "streams resumed",
    Ask "asks",
    Answered "asks answered",
    Withdrawn "asks withdrawn",
    Notified "notifications accepted",
    Lagged "clocks read late",
    Left "messages left in the socket",
    ClosedEarly "clients closed amid their work",
    LastCall "calls after all had healed",
}

/// How often each kind of thing happened, in each era.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Summary {
    counts: Vec<[u64; 3]>,
}

impl Default for Summary {
    fn default() -> Self {
        Self {
            counts: vec![[0; 3]; Thing::ALL.len()],
        }
    }
}

impl Summary {
    pub(super) fn count(&mut self, era: Era, thing: Thing) {
        self.counts[thing as usize][era as usize] += 1;
    }

    /// In an era.
    pub fn of(&self, era: Era, thing: Thing) -> u64 {
        self.counts[thing as usize][era as usize]
    }

    pub fn add(&mut self, other: &Self) {
        for (sum, counts) in self.counts.iter_mut().zip(&other.counts) {
            for (sum, count) in sum.iter_mut().zip(counts) {
                *sum += count;
            }
        }
    }
}

/// A line for each kind of thing, a column for each era.
impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for era in Era::ALL {
            write!(f, "{:>12}", era.name())?;
        }
        writeln!(f)?;
        for (thing, counts) in Thing::ALL.iter().zip(&self.counts) {
            for count in counts {
                write!(f, "{count:>12}")?;
            }
            writeln!(f, "  {}", thing.name())?;
        }
        Ok(())
    }
}
