//! The protocol's revisions, and the one table of what differs between them.

use std::fmt;

/// One dated revision of the Model Context Protocol.
///
/// `Ord` is by date. This version of the crate speaks the revisions of the
/// session binding; 2024-11-05 too, where a server negotiates it over one
/// endpoint (treated as 2025-03-26 without batches).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Revision {
    /// 2024-11-05.
    V2024_11_05,
    /// 2025-03-26: the first with streamable HTTP and sessions.
    V2025_03_26,
    /// 2025-06-18: no batches, `MCP-Protocol-Version` on every request.
    V2025_06_18,
    /// 2025-11-25: streams primed for polling.
    V2025_11_25,
}

/// What differs between revisions, as data: one row each.
struct Row {
    revision: Revision,
    name: &'static str,
    batches: bool,
    version_header: bool,
}

const TABLE: [Row; 4] = [
    Row {
        revision: Revision::V2024_11_05,
        name: "2024-11-05",
        batches: false,
        version_header: false,
    },
    Row {
        revision: Revision::V2025_03_26,
        name: "2025-03-26",
        batches: true,
        version_header: false,
    },
    Row {
        revision: Revision::V2025_06_18,
        name: "2025-06-18",
        batches: false,
        version_header: true,
    },
    Row {
        revision: Revision::V2025_11_25,
        name: "2025-11-25",
        batches: false,
        version_header: true,
    },
];

impl Revision {
    /// The newest revision that this crate speaks.
    pub const NEWEST: Self = Self::V2025_11_25;

    fn row(self) -> &'static Row {
        match self {
            Self::V2024_11_05 => &TABLE[0],
            Self::V2025_03_26 => &TABLE[1],
            Self::V2025_06_18 => &TABLE[2],
            Self::V2025_11_25 => &TABLE[3],
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
