//! The bindings: how a server is reached over HTTP, and what differs between them.

use std::fmt;

/// How a server is reached: one of the shapes that the protocol has had over HTTP.
///
/// It is a fact apart from the [`Revision`](crate::Revision): how the first contact
/// succeeded, not what was negotiated then. An application need not know it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Binding {
    /// One endpoint, `initialize`, and a session that the server may end
    /// (2025-03-26 to 2025-11-25, transports: streamable HTTP).
    Session,
    /// One endpoint, and every request stands on its own (2026-07-28,
    /// transports/streamable-http).
    Stateless,
}

/// What differs between bindings, as data: one row each.
struct Row {
    name: &'static str,
    resumes: bool,
    cancels_by_closing: bool,
    takes_responses: bool,
}

impl Binding {
    fn row(self) -> Row {
        match self {
            Self::Session => Row {
                name: "session",
                resumes: true,
                cancels_by_closing: false,
                takes_responses: true,
            },
            Self::Stateless => Row {
                name: "stateless",
                resumes: false,
                cancels_by_closing: true,
                takes_responses: false,
            },
        }
    }

    /// Whether a stream that broke off is taken up with `Last-Event-ID`.
    pub(crate) fn resumes(self) -> bool {
        self.row().resumes
    }

    /// Whether ending an exchange tells the server that its request is cancelled.
    pub(crate) fn cancels_by_closing(self) -> bool {
        self.row().cancels_by_closing
    }

    /// Whether servers send requests, which are answered with responses.
    pub(crate) fn takes_responses(self) -> bool {
        self.row().takes_responses
    }
}

impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().name)
    }
}
