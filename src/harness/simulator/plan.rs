//! What a world is like: drawn once from its seed, before anything happens.

mod draw;

use std::time::Duration;

use crate::{Binding, Budget, Clocks, Recovery, Retries, Revision};

/// The three shapes of the binding.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Era {
    HttpSse,
    Session,
    Stateless,
}

impl Era {
    pub const ALL: [Self; 3] = [Self::HttpSse, Self::Session, Self::Stateless];

    pub fn name(self) -> &'static str {
        match self {
            Self::HttpSse => "HTTP+SSE",
            Self::Session => "sessions",
            Self::Stateless => "stateless",
        }
    }

    fn binding(self) -> Binding {
        match self {
            Self::HttpSse => Binding::HttpSse,
            Self::Session => Binding::Session,
            Self::Stateless => Binding::Stateless,
        }
    }
}

#[derive(Debug)]
pub(super) struct Plan {
    pub(super) era: Era,
    pub(super) servers: usize,
    /// Whether the balancer sends each client to one server.
    pub(super) sticky: bool,
    /// How long things happen.
    pub(super) span: Duration,
    pub(super) habits: Habits,
    pub(super) faults: Faults,
    pub(super) incidents: Vec<(Duration, Incident)>,
    pub(super) clients: Vec<Setup>,
    /// Whether a credential is needed.
    pub(super) tokens: bool,
}

/// What a server answers to those whose session it does not know.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unknown {
    NotFound,
    /// 400 with a JSON-RPC error of the server's own codes.
    BadRequest,
    /// 400 in plain words.
    PlainBadRequest,
    /// 404 with a JSON-RPC error.
    NotFoundError,
    /// 500, which nobody can take for what it is.
    Failure,
}

/// How servers answer a probe for another era.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Probe {
    BadRequest,
    MethodNotAllowed,
    NotFound,
    /// 200 with `-32601`.
    UnknownMethod,
    /// Names the revisions that it speaks.
    Unsupported,
    /// Not at all.
    Silence,
}

/// How the servers of a world behave when nothing goes wrong.
#[derive(Clone, Debug)]
pub(super) struct Habits {
    pub(super) revision: &'static str,
    pub(super) unknown: Unknown,
    pub(super) probe: Probe,
    /// Answers that are event streams, in a thousand; of the rest, JSON.
    pub(super) streams: u64,
    /// Whether events have ids, and streams can be resumed.
    pub(super) ids: bool,
    /// Streams that are closed before they have their reply, to be polled.
    pub(super) polls: u64,
    pub(super) asks: u64,
    pub(super) refuses: u64,
    /// Answers that are none.
    pub(super) odd: u64,
    pub(super) late: u64,
    pub(super) listens: bool,
    /// Whether sessions have no id.
    pub(super) nameless: bool,
    /// The longest that a call takes, in milliseconds.
    pub(super) work: u64,
    pub(super) chatter: u64,
    pub(super) deletes: bool,
}

/// What goes wrong between client and server: so often in a thousand exchanges.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    pub(super) refused: u64,
    pub(super) reset_before: u64,
    pub(super) reset_after: u64,
    pub(super) hole: u64,
    pub(super) half_open: u64,
    pub(super) gateway: u64,
    pub(super) gateway_after: u64,
    pub(super) html: u64,
    pub(super) busy: u64,
    pub(super) not_found: u64,
    pub(super) lie: u64,
    pub(super) cut: u64,
    pub(super) buffer: u64,
    pub(super) redirect: u64,
    pub(super) away: u64,
    /// After so many milliseconds without a head the proxy answers for the server.
    pub(super) deadline: Option<u64>,
    /// After so many milliseconds the proxy ends any stream.
    pub(super) longest: Option<u64>,
    /// Up to so many milliseconds each way.
    pub(super) latency: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Incident {
    /// A server goes down, forgets all, and comes back.
    Restart { server: usize, down: Duration },
    /// The same, and it is of another era.
    Replace { server: usize, era: Era },
    /// A server forgets its sessions; what streams goes on, or breaks.
    Forget { server: usize, breaks: bool },
    /// A client cannot reach anybody.
    Part { client: usize, long: Duration },
    /// The credential is replaced by another.
    Revoke,
}

/// How a client is set up, and what its application does.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) pinned: Option<Revision>,
    pub(super) remembered: Option<Binding>,
    pub(super) recovery: Recovery,
    pub(super) listen: bool,
    pub(super) authorize: bool,
    /// Whether it can be asked.
    pub(super) elicits: bool,
    pub(super) clocks: Clocks,
    pub(super) budget: Budget,
    pub(super) retries: Retries,
    /// How late it may read its clock, in milliseconds.
    pub(super) lag: u64,
    /// Whether it leaves notifications and asks unread for a time.
    pub(super) slow: bool,
    pub(super) events_first: bool,
    pub(super) calls: u64,
    pub(super) notes: u64,
    pub(super) hears: bool,
    pub(super) roams: u64,
    /// Whether it closes before all is done.
    pub(super) closes: bool,
    pub(super) connects: bool,
    pub(super) seed: u64,
}
