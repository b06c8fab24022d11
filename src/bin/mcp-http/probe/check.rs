//! The checks, as data: what is looked at, by which rule, and who judges.

use std::time::Duration;

use mcp_http::{Binding, Revision};

use super::exchange::Exchange;
use super::judge::{self, session, stateless};
use super::rule::{self, Rule};
use super::step::{Answers, Step};

/// All that is known of a server on one binding.
pub(crate) struct Seen {
    pub(crate) binding: Binding,
    pub(crate) revision: Revision,
    pub(crate) answers: Answers,
    /// Whether it is spoken to with sessions too.
    pub(crate) has_session_revisions: bool,
}

/// What came of a check.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Finding {
    pub(crate) name: &'static str,
    pub(crate) verdict: Verdict,
    pub(crate) text: String,
    /// How long the step took.
    pub(crate) took: Option<Duration>,
    pub(crate) rule: Rule,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    Breaks,
    CannotTell,
    Keeps,
    NotApplicable,
    /// A SHOULD that is not kept, or something odd that no rule forbids.
    Note,
}

pub(crate) struct Check {
    name: &'static str,
    step: Step,
    judge: fn(&Exchange, &Seen) -> Judgement,
    rule: Rule,
    /// The revisions that it is about.
    since: Revision,
    until: Revision,
    /// Why the step may not have been taken.
    absent: &'static str,
}

pub(crate) type Judgement = (Verdict, String);

pub(crate) fn findings(seen: &Seen) -> Vec<Finding> {
    let checks = match seen.binding {
        Binding::Session => SESSION,
        Binding::Stateless => STATELESS,
        _ => HTTP_SSE,
    };
    let checks = checks.iter();
    let said = checks.filter(|check| (check.since..=check.until).contains(&seen.revision));
    said.map(|check| check.finding(seen)).collect()
}

impl Check {
    fn finding(&self, seen: &Seen) -> Finding {
        let exchange = seen.answers.get(&self.step);
        let (verdict, text) = match exchange {
            Some(exchange) => (self.judge)(exchange, seen),
            None => (Verdict::NotApplicable, self.absent.to_owned()),
        };
        Finding {
            name: self.name,
            verdict,
            text,
            took: exchange.map(|exchange| exchange.took),
            rule: self.rule,
        }
    }

    const fn new(
        name: &'static str,
        step: Step,
        judge: fn(&Exchange, &Seen) -> Judgement,
        rule: Rule,
    ) -> Self {
        Self {
            name,
            step,
            judge,
            rule,
            since: Revision::V2024_11_05,
            until: Revision::NEWEST,
            absent: "the server uses no sessions",
        }
    }

    const fn since(mut self, revision: Revision) -> Self {
        self.since = revision;
        self
    }

    const fn until(mut self, revision: Revision) -> Self {
        self.until = revision;
        self
    }

    const fn absent(mut self, why: &'static str) -> Self {
        self.absent = why;
        self
    }
}

const NO_EVENT_ID: &str = "no event has an id, so that no stream can be resumed";

const SESSION: &[Check] = &[
    Check::new(
        "sessions",
        Step::Handshake,
        session::sessions,
        rule::SESSION,
    ),
    Check::new(
        "accepted notification",
        Step::Initialized,
        session::accepted,
        rule::ACCEPTED,
    ),
    Check::new("ping", Step::Ping, session::ping, rule::PING),
    Check::new(
        "unknown revision",
        Step::OtherRevision,
        session::other_revision,
        rule::NEGOTIATION,
    ),
    Check::new(
        "revision in the header",
        Step::OtherVersion,
        session::other_version,
        rule::VERSION,
    )
    .since(Revision::V2025_06_18),
    Check::new(
        "foreign Origin",
        Step::ForeignOrigin,
        judge::origin,
        rule::ORIGIN,
    )
    .until(Revision::V2025_06_18),
    Check::new(
        "foreign Origin",
        Step::ForeignOrigin,
        judge::origin_403,
        rule::ORIGIN_403,
    )
    .since(Revision::V2025_11_25),
    Check::new(
        "listening stream",
        Step::Get,
        session::listening,
        rule::LISTENING,
    ),
    Check::new("stream begins", Step::Ping, session::priming, rule::PRIMING)
        .since(Revision::V2025_11_25),
    Check::new("resuming", Step::Resume, session::resuming, rule::RESUMING).absent(NO_EVENT_ID),
    Check::new(
        "unknown event id",
        Step::ResumeUnknown,
        session::resuming_unknown,
        rule::RESUMING,
    )
    .absent(NO_EVENT_ID),
    Check::new(
        "no session id",
        Step::PingWithoutSession,
        session::no_session_id,
        rule::SESSION_MISSING,
    ),
    Check::new(
        "no session id, GET",
        Step::GetWithoutSession,
        session::no_session_id_get,
        rule::SESSION_MISSING,
    ),
    Check::new(
        "unknown session",
        Step::PingUnknownSession,
        session::gone,
        rule::ENDED_SESSION,
    ),
    Check::new(
        "unknown session, GET",
        Step::GetUnknownSession,
        session::gone_get,
        rule::ENDED_SESSION,
    ),
    Check::new(
        "DELETE",
        Step::Delete,
        session::delete,
        rule::SESSION_DELETE,
    ),
    Check::new(
        "ended session",
        Step::PingEnded,
        session::ended,
        rule::ENDED_SESSION,
    ),
    Check::new(
        "ended session, DELETE",
        Step::DeleteAgain,
        session::ended_delete,
        rule::ENDED_SESSION,
    ),
];

const STATELESS: &[Check] = &[
    Check::new(
        "discovery",
        Step::Handshake,
        stateless::discovery,
        rule::DISCOVER,
    ),
    Check::new(
        "unknown revision",
        Step::OtherVersion,
        stateless::unsupported,
        rule::UNSUPPORTED,
    ),
    Check::new(
        "revision that differs",
        Step::VersionMismatch,
        stateless::mismatch,
        rule::HEADERS,
    ),
    Check::new(
        "method that differs",
        Step::MethodMismatch,
        stateless::mismatch,
        rule::HEADERS,
    ),
    Check::new(
        "no method header",
        Step::MethodMissing,
        stateless::mismatch,
        rule::HEADERS_MISSING,
    ),
    Check::new(
        "unknown method",
        Step::UnknownMethod,
        stateless::unknown_method,
        rule::UNKNOWN_METHOD,
    ),
    Check::new(
        "foreign Origin",
        Step::ForeignOrigin,
        judge::origin_403,
        rule::ORIGIN_STATELESS,
    ),
    Check::new(
        "session id",
        Step::SessionIgnored,
        stateless::session_ignored,
        rule::OLDER_SESSIONS,
    ),
    Check::new(
        "listening stream",
        Step::Subscribe,
        stateless::subscription,
        rule::SUBSCRIPTIONS,
    ),
    Check::new(
        "buffering of streams",
        Step::Subscribe,
        stateless::buffering,
        rule::BUFFERING,
    ),
    Check::new(
        "GET",
        Step::Get,
        stateless::older_method,
        rule::OLDER_METHODS,
    ),
    Check::new(
        "DELETE",
        Step::DeleteAgain,
        stateless::older_method,
        rule::OLDER_METHODS,
    ),
];

const HTTP_SSE: &[Check] = &[
    Check::new("endpoint", Step::Endpoint, judge::endpoint, rule::ENDPOINT),
    Check::new("message", Step::Ping, judge::taken, rule::ADDRESS),
    Check::new(
        "unknown session",
        Step::PingUnknownSession,
        judge::not_taken,
        rule::ADDRESS,
    ),
    Check::new(
        "ended session",
        Step::PingEnded,
        judge::not_taken,
        rule::ADDRESS,
    ),
    Check::new(
        "foreign Origin",
        Step::ForeignOrigin,
        judge::origin,
        rule::ORIGIN,
    ),
];
