//! How it was found out how a server is reached.

use std::fmt;
use std::sync::Arc;

use crate::Error;

/// What a server is asked first, to find out how it is reached.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Contact {
    /// `server/discover`, which stands on its own (2026-07-28, server/discover).
    Discover,
    /// `initialize`, which begins a session (2025-11-25, lifecycle: initialization).
    Initialize,
    /// A GET for the event stream of an HTTP+SSE server, whose first event is `endpoint`
    /// (2025-11-25, transports: backwards compatibility).
    EventStream,
}

impl Contact {
    /// The JSON-RPC method, or else the HTTP method.
    #[must_use]
    pub fn method(self) -> &'static str {
        match self {
            Self::Discover => "server/discover",
            Self::Initialize => "initialize",
            Self::EventStream => "GET",
        }
    }
}

/// One step of the search: what was asked, and how it was answered.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Step {
    /// What was asked.
    pub contact: Contact,
    /// Why that led no further; absent if it was answered as it should be.
    pub failure: Option<Error>,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: ", self.contact.method())?;
        match &self.failure {
            None => f.write_str("as it should be"),
            Some(error) => f.write_str(&error.brief()),
        }
    }
}

/// The evidence by which it was found how a server is reached, newest shape of the
/// protocol first (2026-07-28, transports/streamable-http: backward compatibility;
/// 2025-11-25, transports: backwards compatibility): see
/// [`Status::search`](crate::Status) and [`Error::search`].
///
/// Cloning is cheap. `Display` gives its steps in one line.
#[derive(Clone, Default, PartialEq)]
pub struct Search(Arc<Vec<Step>>);

impl Search {
    /// Its steps, in their order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    pub(crate) fn push(&mut self, contact: Contact, failure: Option<Error>) {
        Arc::make_mut(&mut self.0).push(Step { contact, failure });
    }
}

impl fmt::Debug for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.steps()).finish()
    }
}

impl fmt::Display for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.steps().iter().enumerate() {
            let before = if at == 0 { "" } else { ", " };
            write!(f, "{before}{step}")?;
        }
        Ok(())
    }
}
