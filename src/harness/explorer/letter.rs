//! The alphabet: all that can happen next, in so many words.

use std::fmt;
use std::str::FromStr;

/// What happens. Calls, asks and exchanges are named by where they stand: the first one is 1.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Letter {
    /// The oldest ask is answered.
    Answer,
    /// Another credential is given.
    Authorize,
    Call,
    Cancel(u8),
    Close,
    Idempotent,
    /// The application wants to hear about changes.
    Listen,
    NetworkChanged,
    Notify,
    /// There is no other credential.
    Refuse,
    Reinitialize,
    Resume,
    /// Time passes until the next time-out.
    TimeOut,
    /// Something comes on an exchange that is under way.
    Comes(u8, Act),
}

/// What comes of an exchange.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Act {
    // Its head, and mostly its end.
    Accepted,
    BadRequest,
    /// Refused for now, and for a while.
    Busy,
    /// Refused for longer than anybody waits.
    BusyForLong,
    /// A credential of wider scope is wanted.
    Forbidden,
    /// The server failed, and says for how long.
    Later,
    MethodNotAllowed,
    /// To be found elsewhere, which nobody follows.
    Moved,
    NotFound,
    /// With a JSON-RPC error.
    NotFoundError,
    /// To be asked at another path.
    Redirect,
    /// To be asked at another origin.
    RedirectAway,
    /// The good answer.
    Reply,
    /// A question instead of a reply.
    RequiresInput,
    /// The head of an event stream, and what such a stream begins with.
    Stream,
    /// The stream of an HTTP+SSE server that wants its messages sent to another origin.
    StreamAway,
    /// No revision of that kind is spoken.
    Unsupported,
    /// A credential is wanted.
    Unauthorized,
    /// The same, without a word about what kind of.
    UnauthorizedBare,
    Unavailable,
    // On an open stream.
    Ask,
    End,
    /// To be taken up again at once.
    Hurry,
    /// The last of several replies that are owed.
    LastReply,
    /// A notification.
    Message,
    Progress,
    /// To be taken up again later than anybody waits.
    Wait,
    // At any time.
    Broken,
    NotSent,
}

/// A letter, and whether both outlets are read after it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Move {
    pub letter: Letter,
    pub unread: bool,
}

const ACTS: &[(Act, &str)] = &[
    (Act::Accepted, "202"),
    (Act::BadRequest, "400"),
    (Act::Busy, "429"),
    (Act::BusyForLong, "429 for long"),
    (Act::Forbidden, "403 scope"),
    (Act::Later, "503 later"),
    (Act::MethodNotAllowed, "405"),
    (Act::Moved, "302"),
    (Act::NotFound, "404"),
    (Act::NotFoundError, "404 error"),
    (Act::Redirect, "307"),
    (Act::RedirectAway, "307 away"),
    (Act::Reply, "reply"),
    (Act::RequiresInput, "requires input"),
    (Act::Stream, "stream"),
    (Act::StreamAway, "stream away"),
    (Act::Unauthorized, "401"),
    (Act::UnauthorizedBare, "401 bare"),
    (Act::Unavailable, "503"),
    (Act::Unsupported, "400 unsupported"),
    (Act::Ask, "ask"),
    (Act::End, "end"),
    (Act::Hurry, "retry at once"),
    (Act::LastReply, "last reply"),
    (Act::Message, "message"),
    (Act::Progress, "progress"),
    (Act::Wait, "retry later"),
    (Act::Broken, "broken"),
    (Act::NotSent, "not sent"),
];

const LETTERS: &[(Letter, &str)] = &[
    (Letter::Answer, "answer"),
    (Letter::Authorize, "authorize"),
    (Letter::Call, "call"),
    (Letter::Close, "close"),
    (Letter::Idempotent, "idempotent call"),
    (Letter::Listen, "listen"),
    (Letter::NetworkChanged, "network changed"),
    (Letter::Notify, "notify"),
    (Letter::Refuse, "refuse"),
    (Letter::Reinitialize, "reinitialize"),
    (Letter::Resume, "resume"),
    (Letter::TimeOut, "time-out"),
];

const CANCEL: &str = "cancel ";
const UNREAD: &str = "unread ";

impl Act {
    /// Whether it says that the session is gone, or may be.
    pub(super) fn refuses_session(self) -> bool {
        matches!(
            self,
            Self::BadRequest | Self::NotFound | Self::NotFoundError
        )
    }

    /// Whether what it came of may be sent once more for that.
    pub(super) fn is_failure(self) -> bool {
        matches!(
            self,
            Self::Accepted
                | Self::Broken
                | Self::Busy
                | Self::End
                | Self::Later
                | Self::NotSent
                | Self::Unavailable
        )
    }

    /// Whether the same is to be asked again, with another credential or elsewhere.
    pub(super) fn sends_on(self) -> bool {
        self.wants_credential() || self == Self::Redirect
    }

    pub(super) fn wants_credential(self) -> bool {
        matches!(
            self,
            Self::Forbidden | Self::Unauthorized | Self::UnauthorizedBare
        )
    }

    pub(super) fn name(self) -> &'static str {
        name_of(ACTS, self)
    }
}

impl Letter {
    /// And both outlets are read after it.
    pub(super) const fn read(self) -> Move {
        Move {
            letter: self,
            unread: false,
        }
    }

    /// And nobody looks.
    pub(super) const fn unread(self) -> Move {
        Move {
            letter: self,
            unread: true,
        }
    }

    /// Without numbers.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Cancel(_) => CANCEL.trim_end(),
            Self::Comes(_, act) => act.name(),
            other => name_of(LETTERS, other),
        }
    }
}

fn name_of<T: Copy + PartialEq>(names: &'static [(T, &'static str)], of: T) -> &'static str {
    let found = names.iter().find(|(item, _)| *item == of);
    found.map_or("", |(_, name)| name)
}

fn named<T: Copy>(names: &[(T, &str)], name: &str) -> Option<T> {
    let found = names.iter().find(|(_, text)| *text == name);
    found.map(|(item, _)| *item)
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.unread { UNREAD } else { "" })?;
        match self.letter {
            Letter::Cancel(call) => write!(f, "{CANCEL}{call}"),
            Letter::Comes(exchange, act) => write!(f, "{exchange} {}", act.name()),
            other => f.write_str(other.name()),
        }
    }
}

impl FromStr for Move {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (unread, rest) = match text.trim().strip_prefix(UNREAD) {
            Some(rest) => (true, rest),
            None => (false, text.trim()),
        };
        let number = |text: &str| text.parse().ok();
        let comes = || {
            let (exchange, act) = rest.split_once(' ')?;
            Some(Letter::Comes(number(exchange)?, named(ACTS, act)?))
        };
        let cancel = || Some(Letter::Cancel(number(rest.strip_prefix(CANCEL)?)?));
        let letter = named(LETTERS, rest).or_else(comes).or_else(cancel);
        let letter = letter.ok_or_else(|| format!("`{text}` is no move"))?;
        Ok(Self { letter, unread })
    }
}

/// Moves, one after the other, as they are written down.
pub(super) fn moves(text: &str) -> Result<Vec<Move>, String> {
    let texts = text.split(';').map(str::trim);
    let texts = texts.filter(|text| !text.is_empty());
    texts.map(str::parse).collect()
}

pub(super) fn written(moves: &[Move]) -> String {
    let moves: Vec<_> = moves.iter().map(Move::to_string).collect();
    moves.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let text = "call; unread idempotent call; unread 1 404 error; cancel 2; 12 stream; \
                    time-out; answer; close; 1 not sent";
        let read = moves(text).unwrap();
        assert_eq!(read.len(), 9);
        assert_eq!(written(&read), text.replace("                    ", ""));
        assert!(moves("1 dance").is_err());
    }
}
