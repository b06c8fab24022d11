//! The rules by which a world is judged. For each there is a lie (`liar`) that a judge who
//! holds to it has to see: what is not seen to be broken would not be seen in a machine either.

macro_rules! rules {
    ($($law:literal: $($(#[$doc:meta])* $name:ident,)*;)*) => {
        /// What is not to happen.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum Rule { $($($(#[$doc])* $name,)*)* }

        impl Rule {
            pub const ALL: &'static [Self] = &[$($(Self::$name,)*)*];

            /// The law of the design that it is part of.
            pub fn law(self) -> u8 {
                match self { $($(Self::$name)|* => $law,)* }
            }
        }
    };
}

rules! {
    2:
        /// A call fails although its reply is in the hands of the client.
        AnsweredFails,
        /// An ask could be answered twice.
        AnswerTwice,
        /// An ask is told to be another call's.
        AskOfAnother,
        /// An ask is told twice.
        AskTwice,
        /// An ask is withdrawn although it was answered, or accepted although it was not.
        AskEndsOtherwise,
        /// An ask ends twice, or was never told.
        AskEndsTwice,
        /// An ask never ends.
        AskUnended,
        /// A call that was cancelled does not end.
        CancelledStays,
        /// A call leaves although it has ended.
        EndedLeaves,
        /// A call ends twice.
        EndsTwice,
        /// A call that is still open after all waits for nothing.
        Idle,
        /// A call ends that nobody made.
        Nobodys,
        /// A notification ends twice.
        NoteEndsTwice,
        /// A notification never ends.
        NoteUnended,
        /// Something is accepted that is neither a notification nor an answer.
        OddAccepted,
        /// A call ends long after its time.
        Overdue,
        /// The progress of a call is another's.
        ProgressOfAnother,
        /// A call never ends.
        Unended,
        /// All has healed, and a call has no reply.
        Unhealed,
        /// A request leaves that no server could read.
        Unreadable,
    ;
    3:
        /// A call leaves before there is a session.
        Early,
        /// A handshake begins although the session lives.
        Needless,
        /// A handshake begins although the session lives: for an error that was a call's own.
        NeedlessForError,
        /// A handshake begins while another is under way.
        SecondHandshake,
    ;
    4:
        /// A stream is taken up again too often for nothing.
        Barren,
        /// There are more handshakes than the budget allows.
        Handshakes,
        /// A request follows more redirects in a row than it may.
        LedOn,
        /// A call follows more redirects than it may.
        Redirects,
        /// A world does not come to rest.
        Restive,
        /// A stream is taken up again although it failed as often as it may.
        Spent,
        /// A call fails for a spent budget, and is not told when to come back.
        SpentForEver,
        /// More requests leave than calls account for.
        Storm,
        /// A call leaves more often than it may.
        TooOften,
    ;
    5:
        /// A call is executed twice.
        Doubled,
        /// A call leaves again although it was executed.
        ExecutedLeaves,
        /// A call fails as not executed, and is executed after that.
        ExecutedLater,
        /// A call fails as not executed although it was.
        ExecutedUntold,
        /// A call that was refused with its session leaves before the application has
        /// restored its state.
        HeldLeaves,
        /// A call fails as not sent although it arrived.
        NotSentArrived,
        /// A call has the reply of another.
        ReplyOfAnother,
        /// A call has a reply that did not come.
        ReplyOfNobody,
        /// A call has a result without being executed.
        Unexecuted,
    ;
    6:
        /// A request goes to another address than the one that the living stream named.
        DeadAddress,
        /// A request carries a session that was lost.
        LostId,
        /// A request carries a session that nobody gave.
        StrangeId,
        /// A request carries the session before the current one.
        SupersededId,
        /// A request carries a session without a successful result.
        UnconfirmedId,
    ;
    7:
        /// A call fails for what happened to another's exchange.
        Collateral,
        /// What the network reports is called misuse.
        Misreport,
    ;
    8:
        /// A command of the application is refused.
        CommandRefused,
        /// There are exchanges although nothing is asked for.
        ExchangesAtRest,
        /// Something stays in memory.
        Leak,
        /// There are open calls although nothing is asked for.
        OpenAtRest,
    ;
    10:
        /// A call leaves that was put off longer than anybody waits.
        BeyondCeiling,
        /// A clock is left after all was closed.
        ClockAfterAll,
        /// A clock runs out, and nothing comes of it, again and again.
        ClockForNothing,
        /// A clock that ran out has run out already for the next time.
        ClockInThePast,
        /// A stream is taken up again at once.
        Hasty,
        /// A handshake begins at once after one that reached nobody.
        HastyHandshake,
        /// A call leaves sooner than the server said.
        Sooner,
    ;
    11:
        /// A request carries another credential than the one that was given.
        Credential,
        /// A request goes to another origin.
        Elsewhere,
    ;
    12:
        /// A request that is no DELETE leaves after close.
        AfterClose,
        /// A request leaves after the end of the closing.
        AfterTheEnd,
        /// There is something to tell after all was closed.
        EventAfterAll,
        /// A closing does not end in time.
        Open,
        /// A closing has not ended after all.
        OpenAfterAll,
        /// There is something to send after all was closed.
        SendsAfterAll,
        /// A session is ended with a DELETE, and again.
        SessionEndedTwice,
        /// A session that lives is not ended with a DELETE.
        SessionLeft,
    ;
}
