//! A liar: stands between a world and its judge, and makes it look as if a law were broken.
//! A judge who does not see that would not see a broken machine either.

use super::asked::{Asked, Kind};
use super::part::Part;
use super::wire::Wire;

/// What it lies about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lie {
    /// A request leaves after close.
    AfterClose,
    /// What breaks a call's exchange is not seen: it seems to fail for another's.
    Collateral,
    /// A request carries a session that nobody gave.
    DeadId,
    /// A call is executed twice.
    Doubled,
    /// A request goes to another origin.
    Elsewhere,
    /// Handshakes follow each other without end.
    Handshakes,
    /// Something stays in memory.
    Leak,
    /// The end of a call is not told.
    LostEnd,
    /// A clock runs out at once, and again.
    Restless,
    /// A call ends twice.
    SecondEnd,
    /// A handshake begins while another is under way.
    SecondHandshake,
    /// A stream is taken up again too often.
    Storm,
    /// A call fails as not sent although it was executed.
    Untold,
}

impl Lie {
    pub const ALL: [Self; 13] = [
        Self::AfterClose,
        Self::Collateral,
        Self::DeadId,
        Self::Doubled,
        Self::Elsewhere,
        Self::Handshakes,
        Self::Leak,
        Self::LostEnd,
        Self::Restless,
        Self::SecondEnd,
        Self::SecondHandshake,
        Self::Storm,
        Self::Untold,
    ];

    /// The law that it seems to break.
    pub fn law(self) -> u8 {
        match self {
            Self::LostEnd | Self::SecondEnd => 2,
            Self::SecondHandshake => 3,
            Self::Handshakes | Self::Storm => 4,
            Self::Doubled | Self::Untold => 5,
            Self::DeadId => 6,
            Self::Collateral => 7,
            Self::Leak => 8,
            Self::Restless => 10,
            Self::Elsewhere => 11,
            Self::AfterClose => 12,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Liar(Option<Lie>);

impl Liar {
    pub(super) fn new(lie: Option<Lie>) -> Self {
        Self(lie)
    }

    pub(super) fn says(self, lie: Lie) -> bool {
        self.0 == Some(lie)
    }

    /// What the judge is shown of a request: the request, and how often.
    pub(super) fn sends(self, asked: &Asked) -> (Asked, usize) {
        let mut shown = asked.clone();
        let handshake = matches!(asked.kind, Kind::Discover | Kind::Initialize);
        let times = match self.0 {
            Some(Lie::SecondHandshake) if handshake => 2,
            Some(Lie::Handshakes) if handshake => 40,
            Some(Lie::Storm) if asked.kind.is_get() => 400,
            _ => 1,
        };
        match self.0 {
            Some(Lie::DeadId) if asked.session.is_some() => shown.session = Some(u32::MAX),
            Some(Lie::Elsewhere) => shown.at_home = false,
            Some(Lie::AfterClose) if asked.kind == Kind::Delete => shown.kind = Kind::Ping,
            _ => {}
        }
        (shown, times)
    }

    /// What the judge is not shown of what is heard.
    pub(super) fn hides(self, wire: &Wire, part: &Part) -> bool {
        self.says(Lie::Collateral)
            && wire.asked.kind.key().is_some()
            && matches!(part, Part::Fail(_))
    }
}
