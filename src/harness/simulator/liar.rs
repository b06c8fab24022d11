//! A liar: stands between a world and its judge, and makes it look as if a law were broken.
//! A judge who does not see that would not see a broken machine either.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use http::header::RETRY_AFTER;

use super::asked::{Asked, Kind};
use super::part::Part;
use super::wire::Wire;
use crate::{Delivery, Event, Subject, Time};

macro_rules! lies {
    ($($(#[$doc:meta])* $name:ident $law:literal $seen:literal,)*) => {
        /// What it lies about.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum Lie { $($(#[$doc])* $name,)* }

        impl Lie {
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The law that it seems to break.
            pub fn law(self) -> u8 {
                match self { $(Self::$name => $law,)* }
            }

            /// What a judge says who sees that, among other things.
            pub fn seen(self) -> &'static str {
                match self { $(Self::$name => $seen,)* }
            }
        }
    };
}

lies! {
    /// A request leaves after close.
    AfterClose 12 "leaves after close",
    /// The server wants to be left alone longer than anybody waits.
    BeyondCeiling 10 "beyond the ceiling",
    /// What breaks a call's exchange is not seen: it seems to fail for another's.
    Collateral 7 "for what was not its own",
    /// A request carries a session that nobody gave.
    DeadId 6 "which nobody gave",
    /// A call is executed twice.
    Doubled 5 "is executed 2 times",
    /// A request goes to another origin.
    Elsewhere 11 "goes to another origin",
    /// A session is ended with a DELETE, and again.
    EndedTwice 12 "is ended twice",
    /// Handshakes follow each other without end.
    Handshakes 4 "th time within",
    /// A stream is taken up again at once.
    Hasty 10 "sooner than the floor allows",
    /// What carries a call is not seen.
    Idle 2 "waits for nothing",
    /// Something stays in memory.
    Leak 8 "are left",
    /// The end of a call is not told.
    LostEnd 2 "never ends",
    /// The end of a notification is not told.
    LostNote 2 "NotificationId",
    /// A reply is not told.
    LostReply 2 "has no reply",
    /// The end of an answer is not told.
    LostTicket 2 "Ticket",
    /// A handshake begins although there is a session.
    Needless 3 "although its session lives",
    /// A closing that ends is not seen to end.
    Open 12 "does not end its closing",
    /// A call ends long after its time.
    Overdue 2 "ends after",
    /// A call fails as rejected although it was executed.
    Refused 5 "but is told Rejected",
    /// A clock runs out at once, and again.
    Restless 10 "has run out already",
    /// An answer is accepted twice.
    SecondAnswer 2 "ends twice, or unasked",
    /// A question is asked twice.
    SecondAsk 2 "or asked twice",
    /// A call ends twice.
    SecondEnd 2 "ends twice: ",
    /// A handshake begins while another is under way.
    SecondHandshake 3 "is under way",
    /// A notification is accepted twice.
    SecondNote 2 ") ends twice",
    /// The server wants to be left alone for longer than it is.
    Sooner 10 "sooner than it was told",
    /// A stream is taken up again too often.
    Storm 4 "time for nothing",
    /// A request carries the session before the current one.
    Superseded 6 "the superseded session",
    /// A call fails as not sent although it arrived.
    Untold 5 "was told NotSent, and arrived",
}

#[derive(Clone, Debug)]
pub(super) struct Liar {
    lie: Option<Lie>,
    /// The first session of each client.
    first: BTreeMap<usize, u32>,
}

/// What the judge is shown in place of a request.
pub(super) struct Shown {
    pub(super) asked: Asked,
    pub(super) times: usize,
    pub(super) at: Time,
}

impl Liar {
    pub(super) fn new(lie: Option<Lie>) -> Self {
        Self {
            lie,
            first: BTreeMap::new(),
        }
    }

    pub(super) fn says(&self, lie: Lie) -> bool {
        self.lie == Some(lie)
    }

    /// What the judge is shown of a request: the request, how often, and when.
    pub(super) fn sends(&mut self, client: usize, asked: &Asked, now: Time) -> Shown {
        let mut shown = Shown {
            asked: asked.clone(),
            times: 1,
            at: now,
        };
        let handshake = matches!(asked.kind, Kind::Discover | Kind::Initialize);
        match self.lie {
            Some(Lie::AfterClose) if asked.kind == Kind::Delete => shown.asked.kind = Kind::Ping,
            Some(Lie::DeadId) if asked.session.is_some() => shown.asked.session = Some(u32::MAX),
            Some(Lie::Elsewhere) => shown.asked.at_home = false,
            Some(Lie::EndedTwice) if asked.kind == Kind::Delete => shown.times = 2,
            Some(Lie::Handshakes) if handshake => shown.times = 40,
            Some(Lie::Hasty) if asked.kind.is_get() => shown.at = earlier(now),
            Some(Lie::Needless) if asked.kind == Kind::Notification => {
                shown.asked.kind = Kind::Initialize;
            }
            Some(Lie::SecondHandshake) if handshake => shown.times = 2,
            Some(Lie::Storm) if asked.kind.is_get() => shown.times = 400,
            Some(Lie::Superseded) => {
                if let Some(id) = asked.session {
                    shown.asked.session = Some(*self.first.entry(client).or_insert(id));
                }
            }
            _ => {}
        }
        shown
    }

    /// What the judge is shown of what is heard: nothing, it, or something else.
    pub(super) fn hears<'a>(&self, wire: &Wire, part: &'a Part) -> Option<Cow<'a, Part>> {
        let seconds = match self.lie {
            Some(Lie::BeyondCeiling) => 700,
            Some(Lie::Sooner) => 250,
            Some(Lie::Collateral) => {
                let hidden = wire.asked.kind.key().is_some() && matches!(part, Part::Fail(_));
                return (!hidden).then_some(Cow::Borrowed(part));
            }
            _ => return Some(Cow::Borrowed(part)),
        };
        Some(match part {
            Part::Head(head) if head.status == 429 => {
                let mut head = head.clone();
                head.extra = Some((RETRY_AFTER, seconds.to_string()));
                Cow::Owned(Part::Head(head))
            }
            part => Cow::Borrowed(part),
        })
    }

    /// What the judge is shown of what the application is told: this, how often, and when.
    pub(super) fn tells<'a>(&self, event: &'a Event, now: Time) -> (Cow<'a, Event>, usize, Time) {
        let is_reply = matches!(event, Event::Reply { .. });
        let (subject, accepted) = match event {
            Event::Accepted { subject } => (Some(*subject), true),
            Event::Fail { subject, .. } => (Some(*subject), false),
            _ => (None, false),
        };
        let ends = is_reply || matches!(subject, Some(Subject::Call(_)));
        let of_note = matches!(subject, Some(Subject::Notification(_)));
        let of_answer = matches!(subject, Some(Subject::Answer(_)));
        let delivered = |delivery: Delivery| match event {
            Event::Fail { subject, error } => Cow::Owned(Event::Fail {
                subject: *subject,
                error: error.clone().with_delivery(delivery),
            }),
            event => Cow::Borrowed(event),
        };
        let times = match self.lie {
            Some(Lie::LostEnd) if ends => 0,
            Some(Lie::LostNote) if of_note => 0,
            Some(Lie::LostReply) if is_reply => 0,
            Some(Lie::LostTicket) if of_answer => 0,
            Some(Lie::SecondAnswer) if of_answer && accepted => 2,
            Some(Lie::SecondAsk) if matches!(event, Event::Ask(_)) => 2,
            Some(Lie::SecondEnd) if ends => 2,
            Some(Lie::SecondNote) if of_note && accepted => 2,
            _ => 1,
        };
        match self.lie {
            Some(Lie::Overdue) if ends => (Cow::Borrowed(event), times, now + DAY),
            Some(Lie::Refused) => (delivered(Delivery::Rejected), times, now),
            Some(Lie::Untold) => (delivered(Delivery::NotSent), times, now),
            _ => (Cow::Borrowed(event), times, now),
        }
    }
}

/// Longer than any call takes.
const DAY: Duration = Duration::from_secs(86_400);

/// A second before.
fn earlier(now: Time) -> Time {
    let since = now.since_origin();
    Time::ZERO + since.saturating_sub(Duration::from_secs(1))
}
