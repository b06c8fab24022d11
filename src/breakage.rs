//! The machine, broken on purpose: what looks for faults has to find these. Only the harness
//! can break it; elsewhere nothing of this is compiled in.

/// How a machine is broken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(
    not(feature = "harness"),
    expect(unreachable_pub, reason = "the harness shows it")
)]
pub enum Breakage {
    /// However long a server asks to be left alone, a call waits.
    BeyondCeiling,
    /// A session that is lost keeps its id.
    DeadId,
    /// A call that may have been executed is sent again.
    DoubledCall,
    /// A call that was refused with its session waits for ever.
    LostCall,
    /// What an older session refuses ends the current one.
    SecondHandshake,
    /// A reply is told twice.
    SecondReply,
    /// Handshakes have no budget.
    UnboundedHandshakes,
    /// What is refused for now is sent again for ever.
    UnboundedRetry,
}

impl Breakage {
    /// Each of them.
    #[cfg(feature = "harness")]
    pub const ALL: [Self; 8] = [
        Self::BeyondCeiling,
        Self::DeadId,
        Self::DoubledCall,
        Self::LostCall,
        Self::SecondHandshake,
        Self::SecondReply,
        Self::UnboundedHandshakes,
        Self::UnboundedRetry,
    ];

    /// The law of the design that it breaks.
    #[cfg(feature = "harness")]
    pub fn law(self) -> u8 {
        match self {
            Self::LostCall | Self::SecondReply => 2,
            Self::SecondHandshake => 3,
            Self::UnboundedHandshakes | Self::UnboundedRetry => 4,
            Self::DoubledCall => 5,
            Self::DeadId => 6,
            Self::BeyondCeiling => 10,
        }
    }
}
