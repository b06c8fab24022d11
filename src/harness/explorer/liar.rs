//! A liar: stands between a machine and its observer, and makes it look as if a law were broken.
//! An observer who does not see that would not see a broken machine either.

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Uri};

use super::laws::FIRST;
use super::letter::{Act, Letter};
use super::wire::Carries;
use crate::{Event, Phase, Status, Subject, Time};

macro_rules! lies {
    ($($(#[$doc:meta])* $name:ident $setting:literal $seen:literal,)*) => {
        /// What it lies about.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum Lie { $($(#[$doc])* $name,)* }

        impl Lie {
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Where that can happen.
            pub fn setting(self) -> &'static str {
                match self { $(Self::$name => $setting,)* }
            }

            /// What an observer says who sees it.
            pub fn seen(self) -> &'static str {
                match self { $(Self::$name => $seen,)* }
            }
        }
    };
}

lies! {
    /// A credential is asked for again before there is an answer.
    AskedAgain "sessions, refused" "law 4: a credential is asked for again",
    /// A handshake begins beside another one.
    Beside "sessions, from the beginning" "law 3: a handshake beside another",
    /// What breaks the exchange of one call seems to have come of another's.
    Collateral "sessions" "law 7: Broken on Call",
    /// A request goes to another origin.
    Elsewhere "sessions" "goes to another origin",
    /// A refusal is not seen, and the session is given up all the same.
    GivenUp "sessions" "law 3: a session is given up that nobody has refused",
    /// A stream is taken up again at once.
    Hasty "sessions, put off" "law 10: a stream is taken up again sooner than the floor",
    /// Something stays when all is over.
    Kept "stateless" "law 8: 1 exchanges",
    /// The end of a call is not told.
    LostEnd "HTTP+SSE" "law 2: 1 calls have not ended, 0 are open",
    /// The end of a notification is not told.
    LostNote "sessions, told" "law 2: a notification never ends",
    /// A message is neither told nor said to be missed.
    LostMessage "sessions, told" "law 8: 1 messages are neither told",
    /// A request carries the credential of before.
    OldCredential "sessions, refused" "carries another credential",
    /// What is closed never ends that.
    Open "sessions" "law 12: it stays Closing",
    /// The end of a notification is told twice.
    SecondNote "sessions, told" "law 2: a notification ends twice",
    /// A call leaves sooner than the server asked for.
    Soon "stateless, put off" "law 10: call 1 leaves sooner than it may",
    /// A handshake begins that the application has not asked for.
    Unasked "sessions, by hand" "law 3: a handshake that the application has not asked for",
    /// Calls leave before the application says so.
    Unheld "sessions, held" "leaves before all is restored",
}

impl Lie {
    /// How often an event is told.
    pub(super) fn times(self, event: &Event) -> usize {
        let ends = match event {
            Event::Reply { call, .. } => Some(Subject::Call(*call)),
            Event::Accepted { subject } | Event::Fail { subject, .. } => Some(*subject),
            _ => None,
        };
        match (self, event, ends) {
            (Self::LostEnd, _, Some(Subject::Call(_)))
            | (Self::LostNote, _, Some(Subject::Notification(_)))
            | (Self::LostMessage, Event::Message(_), _) => 0,
            (Self::SecondNote, _, Some(Subject::Notification(_)))
            | (Self::AskedAgain, Event::Authorize(_), _) => 2,
            _ => 1,
        }
    }

    /// How often a request is seen to leave.
    pub(super) fn leaves(self, carries: Carries) -> usize {
        match self {
            Self::Beside if carries.is_handshake() => 2,
            _ => 1,
        }
    }

    /// What is seen of it, and when.
    pub(super) fn request(self, request: &mut Request<Bytes>, now: Time) -> Time {
        match self {
            Self::Elsewhere => *request.uri_mut() = Uri::from_static("https://example.org/mcp"),
            Self::OldCredential => {
                let first = HeaderValue::from_str(&format!("Bearer {FIRST}"));
                let first = first.expect("a header");
                request.headers_mut().insert(AUTHORIZATION, first);
            }
            Self::Hasty if request.headers().contains_key("last-event-id") => return Time::ZERO,
            Self::Soon => return Time::ZERO,
            _ => {}
        }
        now
    }

    /// What something seems to have come of, if it is seen.
    pub(super) fn comes(self, carries: Carries, act: Act) -> Option<Carries> {
        match (self, carries) {
            (Self::Collateral, Carries::Call(call)) => Some(Carries::Call(1 - call.min(1))),
            (Self::GivenUp, _) if act.refuses_session() => None,
            _ => Some(carries),
        }
    }

    /// Whether it is seen that the application says this.
    pub(super) fn hears(self, letter: Letter) -> bool {
        !matches!(
            (self, letter),
            (Self::Unasked, Letter::Reinitialize) | (Self::Unheld, Letter::Resume)
        )
    }

    /// What is seen when all is over.
    pub(super) fn rest(self, status: &mut Status) {
        match self {
            Self::Kept => status.exchanges += 1,
            Self::Open if status.phase == Phase::Closed => status.phase = Phase::Closing,
            _ => {}
        }
    }
}
