//! The protocol's revisions, and the one table of what differs between them.

use std::fmt;

use super::binding::Binding;

/// One dated revision of the Model Context Protocol.
///
/// `Ord` is by date. Each has its usual [`Binding`], but the two are facts of their own:
/// servers negotiate 2024-11-05 over one endpoint (treated as 2025-03-26 without
/// batches), and later revisions over HTTP+SSE.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Revision {
    /// 2024-11-05.
    V2024_11_05,
    /// 2025-03-26: the first with streamable HTTP and sessions.
    V2025_03_26,
    /// 2025-06-18: no batches, `MCP-Protocol-Version` on every request.
    V2025_06_18,
    /// 2025-11-25: streams primed for polling. The newest one with sessions.
    V2025_11_25,
    /// 2026-07-28: no sessions, every request stands on its own.
    V2026_07_28,
}

/// What differs between revisions, as data: one row each.
struct Row {
    revision: Revision,
    name: &'static str,
    binding: Binding,
    batches: bool,
    version_header: bool,
}

const TABLE: [Row; 5] = [
    Row {
        revision: Revision::V2024_11_05,
        name: "2024-11-05",
        binding: Binding::HttpSse,
        batches: false,
        version_header: false,
    },
    Row {
        revision: Revision::V2025_03_26,
        name: "2025-03-26",
        binding: Binding::Session,
        batches: true,
        version_header: false,
    },
    Row {
        revision: Revision::V2025_06_18,
        name: "2025-06-18",
        binding: Binding::Session,
        batches: false,
        version_header: true,
    },
    Row {
        revision: Revision::V2025_11_25,
        name: "2025-11-25",
        binding: Binding::Session,
        batches: false,
        version_header: true,
    },
    Row {
        revision: Revision::V2026_07_28,
        name: "2026-07-28",
        binding: Binding::Stateless,
        batches: false,
        version_header: true,
    },
];

/// Methods that not every revision has: since when, and until when.
const COMING_AND_GOING: [(&str, Revision, Revision); 9] = {
    use Revision::{V2024_11_05, V2025_11_25, V2026_07_28};
    [
        ("logging/setLevel", V2024_11_05, V2025_11_25),
        ("notifications/roots/list_changed", V2024_11_05, V2025_11_25),
        ("ping", V2024_11_05, V2025_11_25),
        ("resources/subscribe", V2024_11_05, V2025_11_25),
        ("resources/unsubscribe", V2024_11_05, V2025_11_25),
        ("server/discover", V2026_07_28, V2026_07_28),
        ("tasks/list", V2025_11_25, V2025_11_25),
        ("tasks/result", V2025_11_25, V2025_11_25),
        ("tasks/update", V2026_07_28, V2026_07_28),
    ]
};

impl Revision {
    /// All revisions that this crate speaks, oldest first.
    pub const ALL: [Self; 5] = [
        Self::V2024_11_05,
        Self::V2025_03_26,
        Self::V2025_06_18,
        Self::V2025_11_25,
        Self::V2026_07_28,
    ];

    /// The newest revision that this crate speaks.
    pub const NEWEST: Self = Self::V2026_07_28;

    /// The newest one that is spoken with `initialize`.
    pub(crate) const NEWEST_WITH_SESSIONS: Self = Self::V2025_11_25;

    fn row(self) -> &'static Row {
        match self {
            Self::V2024_11_05 => &TABLE[0],
            Self::V2025_03_26 => &TABLE[1],
            Self::V2025_06_18 => &TABLE[2],
            Self::V2025_11_25 => &TABLE[3],
            Self::V2026_07_28 => &TABLE[4],
        }
    }

    /// The revision's date, as it goes over the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.row().name
    }

    /// The revision of this date, if this crate speaks it.
    #[must_use]
    pub fn from_date(date: &str) -> Option<Self> {
        TABLE
            .iter()
            .find(|row| row.name == date)
            .map(|row| row.revision)
    }

    /// How servers of this revision are usually reached.
    #[must_use]
    pub fn usual_binding(self) -> Binding {
        self.row().binding
    }

    /// Whether it is agreed on with `initialize`.
    pub(crate) fn has_handshake(self) -> bool {
        !self.usual_binding().stands_alone()
    }

    /// Whether the protocol has this method in this revision, or in none: what it does
    /// not know may be an extension's.
    pub(crate) fn has_method(self, method: &str) -> bool {
        let mut known = COMING_AND_GOING.iter();
        known
            .find(|(name, _, _)| *name == method)
            .is_none_or(|(_, since, until)| (*since..=*until).contains(&self))
    }

    /// Whether a server may put several messages into one JSON array
    /// (2025-03-26, basic: batching).
    pub(crate) fn receives_batches(self) -> bool {
        self.row().batches
    }

    /// Whether requests name the negotiated revision in `MCP-Protocol-Version`
    /// (since 2025-06-18, transports: protocol version header).
    pub(crate) fn has_version_header(self) -> bool {
        self.row().version_header
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
