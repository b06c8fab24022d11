//! The bindings: how a server is reached over HTTP, and what differs between them.

use std::fmt;

/// How a server is reached: one of the shapes that the protocol has had over HTTP.
///
/// It is a fact apart from the [`Revision`](crate::Revision): how the first contact
/// succeeded, not what was negotiated then. An application need not know it. It may
/// keep it by the endpoint's URL, and give it to
/// [`Config::remember`](crate::Config::remember) the next time.
///
/// ```
/// use mcp_http::Binding;
///
/// for binding in [Binding::HttpSse, Binding::Session, Binding::Stateless] {
///     assert_eq!(Binding::from_name(binding.as_str()), Some(binding));
/// }
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Binding {
    /// An event stream on which the server says everything, and the address that it
    /// names there for what is said to it (2024-11-05, transports: HTTP with SSE). What
    /// it names must have the origin of the endpoint; if it names another one later, that
    /// one is used from then on.
    HttpSse,
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
    stands_alone: bool,
    resumes: bool,
    cancels_by_closing: bool,
    answers_on_one_stream: bool,
}

impl Binding {
    /// All bindings, oldest first.
    const ALL: [Self; 3] = [Self::HttpSse, Self::Session, Self::Stateless];

    fn row(self) -> Row {
        match self {
            Self::HttpSse => Row {
                name: "http+sse",
                stands_alone: false,
                resumes: false,
                cancels_by_closing: false,
                answers_on_one_stream: true,
            },
            Self::Session => Row {
                name: "session",
                stands_alone: false,
                resumes: true,
                cancels_by_closing: false,
                answers_on_one_stream: false,
            },
            Self::Stateless => Row {
                name: "stateless",
                stands_alone: true,
                resumes: false,
                cancels_by_closing: true,
                answers_on_one_stream: false,
            },
        }
    }

    /// Its name: `http+sse`, `session` or `stateless`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.row().name
    }

    /// The binding of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|binding| binding.as_str() == name)
    }

    /// Whether each request stands on its own: no handshake comes before it, it says all
    /// that there is to know, and the server asks nothing by requests of its own.
    pub(crate) fn stands_alone(self) -> bool {
        self.row().stands_alone
    }

    /// Whether a stream that broke off is taken up with `Last-Event-ID`.
    pub(crate) fn resumes(self) -> bool {
        self.row().resumes
    }

    /// Whether ending an exchange tells the server that its request is cancelled.
    pub(crate) fn cancels_by_closing(self) -> bool {
        self.row().cancels_by_closing
    }

    /// Whether replies come on one stream for all, and an answer to a POST says no more
    /// than that it was accepted.
    pub(crate) fn answers_on_one_stream(self) -> bool {
        self.row().answers_on_one_stream
    }
}

impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_binding_is_found_by_the_name_that_it_shows() {
        let names = Binding::ALL.map(|binding| binding.to_string());
        assert_eq!(names, ["http+sse", "session", "stateless"]);
        for binding in Binding::ALL {
            assert_eq!(Binding::from_name(binding.as_str()), Some(binding));
        }
        assert_eq!(Binding::from_name("sse"), None);
    }
}
