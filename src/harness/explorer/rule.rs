//! The rules of the laws that an observer holds a machine to, one by one. Each of them has a lie
//! (`liar.rs`) that makes it look broken, so that it is seen whether somebody watches for it.

use std::fmt;

macro_rules! rules {
    ($($name:ident $law:literal $text:literal $letters:literal,)*) => {
        /// What can be seen broken.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum Rule { $(#[doc = $text] $name,)* }

        impl Rule {
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The law of the design that it is a part of.
            pub fn law(self) -> u8 {
                match self { $(Self::$name => $law,)* }
            }

            fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Where a lie about it is told: in the setting of each binding that is called so.
            pub fn letters(self) -> &'static str {
                match self { $(Self::$name => $letters,)* }
            }
        }
    };
}

rules! {
    AnswerEndsTwice 2 "an answer ends twice, or nobody gave it" "",
    AnswerNeverEnds 2 "an answer never ends" "",
    AnsweredFails 2 "a call fails although its reply came" "",
    AskedAfterEnd 2 "a call is asked about after its end" "",
    CallEndsTwice 2 "a call ends twice" "",
    CallForgotten 2 "a call that nothing is done about waits for its clock" "",
    CallNeverEnds 2 "a call never ends" "",
    CallSentAfterEnd 2 "a call is sent although it is over" "",
    CallToldAfterEnd 2 "a call is told of after its end" "told",
    CallsMiscounted 2 "not the calls that have not ended are open" "",
    NoteEndsTwice 2 "a notification ends twice" "told",
    NoteNeverEnds 2 "a notification never ends" "told",
    ProgressUnasked 2 "nobody asked for that progress, or no more" "told",
    ReplyOfAnother 2 "a call is replied to with the result of another" "",
    ReplyOfNobody 2 "a call is replied to and nobody did" "",
    CallEarly 3 "a call leaves although there is no session yet" "",
    HandshakeBeside 3 "a handshake beside another" "",
    HandshakeForDead 3 "a handshake that nothing is there for" "put off",
    HandshakeNeedless 3 "a handshake although a session lives" "",
    HandshakeUnasked 3 "a handshake that the application has not asked for" "by hand",
    SecondSession 3 "a session is ready although another one lives" "",
    SessionGivenUp 3 "a session is given up that nobody has refused" "",
    AskedAgain 4 "a credential is asked for again before there is an answer" "refused",
    CallTooOften 4 "a call left more often than it may" "",
    CallSentOnTooOften 4 "a call is sent on more often than it may" "put off",
    HandshakeSentOnTooOften 4 "a handshake is sent on more often than it may" "put off",
    HandshakeTooOften 4 "more handshakes than the budget has" "put off",
    NeverAtRest 4 "it does not come to rest" "",
    SpentForEver 4 "a call fails for a spent budget, and is not told when to come back" "",
    StreamTooOften 4 "a stream is asked for again although it failed as often as it may" "told",
    CallRepeated 5 "a call may be executed twice" "",
    CallUnheld 5 "a call leaves before all is restored" "held",
    ToldTooLittle 5 "a call may have been executed, which the application is not told" "put off",
    ToldTooMuch 5 "a call was certainly not executed, which the application is not told" "",
    DeadId 6 "what leaves carries the id of no session that lives" "",
    Collateral 7 "what came of one call ends another" "",
    ListeningEndsCall 7 "what came of a listening stream ends a call" "",
    BytesKept 8 "bytes are kept although all is over" "",
    Excess 8 "there is more of something than there may be" "",
    ExchangeKept 8 "an exchange is kept that is over" "",
    MessageLost 8 "messages are neither told nor said to be missed" "told",
    BeyondCeiling 10 "a call waits beyond the ceiling" "put off",
    CallHasty 10 "a call leaves sooner than it may" "put off",
    HandshakeBeyondCeiling 10 "a handshake waits beyond the ceiling" "put off",
    HandshakeHasty 10 "a handshake leaves sooner than it may" "put off",
    OutletEndless 10 "an outlet is never empty" "",
    StreamBeyondCeiling 10 "a call waits beyond the ceiling for its stream" "put off",
    StreamHasty 10 "a stream is taken up again sooner than the floor" "told",
    TimeOutPast 10 "the time-out is in the past" "",
    WokenForNothing 10 "woken for nothing" "",
    Elsewhere 11 "what leaves goes to another origin" "",
    OldCredential 11 "what leaves carries another credential" "refused",
    CallOpenAfterClose 12 "a call is open after `close`" "",
    LeavesAfterClose 12 "something leaves although all is over" "",
    NeverClosed 12 "it is closed, and does not come to its end" "",
    SecondDelete 12 "a session is ended again" "",
    SessionLeft 12 "a session is not ended" "",
}

impl Rule {
    pub(super) fn broken(self) -> Broken {
        self.broken_by("")
    }

    pub(super) fn broken_by(self, what: impl fmt::Display) -> Broken {
        Broken {
            rule: Some(self),
            what: what.to_string(),
        }
    }
}

/// A rule that was seen broken, and by what.
#[derive(Clone, Debug)]
pub struct Broken {
    /// None where the machine refuses what it has to take.
    pub rule: Option<Rule>,
    what: String,
}

impl From<String> for Broken {
    fn from(what: String) -> Self {
        Self { rule: None, what }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(rule) = self.rule {
            write!(f, "law {}: {}", rule.law(), rule.text())?;
            f.write_str(if self.what.is_empty() { "" } else { ": " })?;
        }
        f.write_str(&self.what)
    }
}
