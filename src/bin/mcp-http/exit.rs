//! What the exit code says: who is to blame.

use mcp_http::{Error, Reason, Refused};

/// How the command ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exit {
    Answered,
    Other,
    Usage,
    Rpc,
    Refused,
    Peer,
    Transport,
    Timeout,
    Lost,
    Limit,
    Cancelled,
}

impl Exit {
    const ALL: [Self; 11] = [
        Self::Answered,
        Self::Other,
        Self::Usage,
        Self::Rpc,
        Self::Refused,
        Self::Peer,
        Self::Transport,
        Self::Timeout,
        Self::Lost,
        Self::Limit,
        Self::Cancelled,
    ];

    pub(crate) fn of(outcome: Result<(), &Error>) -> Self {
        let Err(error) = outcome else {
            return Self::Answered;
        };
        match error.reason() {
            Reason::Cancelled | Reason::Closed => Self::Cancelled,
            Reason::Limit(_) => Self::Limit,
            Reason::Lost(_) => Self::Lost,
            Reason::Misuse(_) => Self::Usage,
            Reason::Peer(_) => Self::Peer,
            Reason::Refused(Refused::Rpc) => Self::Rpc,
            Reason::Refused(_) => Self::Refused,
            Reason::Timeout(_) => Self::Timeout,
            Reason::Transport(_) => Self::Transport,
            _ => Self::Other,
        }
    }

    pub(crate) fn code(self) -> u8 {
        self.row().0
    }

    /// One word for programs.
    pub(crate) fn blame(self) -> &'static str {
        self.row().1
    }

    /// The words of all that is an error, for `--help`.
    pub(crate) fn blames() -> String {
        let errors = Self::ALL.iter().filter(|exit| **exit != Self::Answered);
        let words: Vec<&str> = errors.map(|exit| exit.blame()).collect();
        words.join(", ")
    }

    fn row(self) -> (u8, &'static str, &'static str) {
        match self {
            Self::Answered => (0, "nobody", "the call was answered with a result"),
            Self::Other => (
                1,
                "other",
                "anything else, such as a result that could not be written",
            ),
            Self::Usage => (
                2,
                "usage",
                "a mistake on the command line, or a call that cannot be made",
            ),
            Self::Rpc => (3, "rpc", "the server answered with a JSON-RPC error"),
            Self::Refused => (
                4,
                "refused",
                "the server refused the request: 401, 404, 503 …",
            ),
            Self::Peer => (5, "peer", "the server broke the protocol"),
            Self::Transport => (6, "transport", "no connection could be made, or it broke"),
            Self::Timeout => (7, "time-out", "no answer came in time"),
            Self::Lost => (8, "lost", "the session or the stream was lost"),
            Self::Limit => (9, "limit", "a limit was exceeded"),
            Self::Cancelled => (130, "cancelled", "the call was cancelled with Ctrl-C"),
        }
    }

    /// The table of `--help`.
    pub(crate) fn table() -> String {
        let rows = Self::ALL.iter().map(|exit| {
            let (code, _, meaning) = exit.row();
            format!("  {code:<5}{meaning}\n")
        });
        format!("Exit codes:\n{}", rows.collect::<String>())
    }
}
