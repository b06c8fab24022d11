//! What is explored: one binding after the other.

use std::time::Duration;

use serde_json::json;

use super::rule::Rule;
use crate::breakage::Breakage;
use crate::{Binding, Budget, Config, Limits, Recovery, Retries, Revision};

/// What happens everywhere.
const COMMON: [&str; 16] = [
    "202",
    "400",
    "404",
    "404 error",
    "503",
    "answer",
    "broken",
    "call",
    "cancel",
    "close",
    "end",
    "idempotent call",
    "not sent",
    "reply",
    "stream",
    "time-out",
];

/// Where the server asks in a result.
const STAND_ALONE: &[&str] = &with::<17>(&COMMON, &["requires input"]);
/// Where it asks in a request.
const SESSIONS: &[&str] = &with::<18>(&COMMON, &["405", "ask"]);
/// And where much is under way by itself.
const SESSIONS_TOLD: &[&str] = &with::<19>(SESSIONS, &["message"]);
const HTTP_SSE: &[&str] = &with::<19>(&COMMON, &["405", "ask", "last reply"]);
/// Where it has to be found which of them it is.
const FOUND: &[&str] = &with::<20>(
    &COMMON,
    &["400 unsupported", "405", "ask", "requires input"],
);

/// What streams tell besides replies.
const TOLD: [&str; 12] = [
    "broken",
    "call",
    "cancel",
    "close",
    "end",
    "message",
    "network changed",
    "notify",
    "progress",
    "reply",
    "stream",
    "time-out",
];
const TOLD_ALONE: &[&str] = &with::<15>(&TOLD, &["202", "404", "listen"]);
const TOLD_HTTP_SSE: &[&str] = &with::<13>(&TOLD, &["202"]);

/// What is refused for its credential.
const REFUSED: [&str; 8] = [
    "401",
    "authorize",
    "call",
    "cancel",
    "close",
    "refuse",
    "reply",
    "time-out",
];
const REFUSED_IN_SESSIONS: &[&str] =
    &with::<13>(&REFUSED, &["202", "401 bare", "403 scope", "404", "notify"]);
const REFUSED_ALONE: &[&str] =
    &with::<12>(&REFUSED, &["401 bare", "403 scope", "broken", "stream"]);
const REFUSED_HTTP_SSE: &[&str] = &with::<13>(
    &REFUSED,
    &["202", "401 bare", "403 scope", "notify", "stream"],
);

/// Where a server sends elsewhere, or says when to come back.
const PUT_OFF: [&str; 11] = [
    "307",
    "307 away",
    "429",
    "429 for long",
    "503 later",
    "call",
    "cancel",
    "close",
    "idempotent call",
    "reply",
    "time-out",
];
const PUT_OFF_IN_SESSIONS: &[&str] = &with::<19>(
    &PUT_OFF,
    &[
        "202",
        "302",
        "404",
        "broken",
        "end",
        "retry at once",
        "retry later",
        "stream",
    ],
);
const PUT_OFF_ALONE: &[&str] = &with::<17>(
    &PUT_OFF,
    &[
        "302",
        "broken",
        "end",
        "retry at once",
        "retry later",
        "stream",
    ],
);
const PUT_OFF_HTTP_SSE: &[&str] = &with::<15>(&PUT_OFF, &["202", "404", "stream", "stream away"]);

/// What makes a difference to an application that has a hand in recovery.
const RECOVERY: [&str; 11] = [
    "202",
    "400",
    "404",
    "broken",
    "call",
    "cancel",
    "close",
    "network changed",
    "notify",
    "reply",
    "time-out",
];
const HELD: &[&str] = &with::<12>(&RECOVERY, &["resume"]);
const MANUAL: &[&str] = &with::<12>(&RECOVERY, &["reinitialize"]);
const HELD_HTTP_SSE: &[&str] = &with::<13>(&RECOVERY, &["resume", "stream"]);
const MANUAL_HTTP_SSE: &[&str] = &with::<13>(&RECOVERY, &["reinitialize", "stream"]);

/// Some letters, and more.
const fn with<const N: usize>(some: &[&'static str], more: &[&'static str]) -> [&'static str; N] {
    assert!(some.len() + more.len() == N, "a wrong number");
    let mut all = [""; N];
    let mut at = 0;
    while at < N {
        all[at] = if at < some.len() {
            some[at]
        } else {
            more[at - some.len()]
        };
        at += 1;
    }
    all
}

/// A server, and a client that comes to it.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub name: &'static str,
    /// The letters that are used there.
    pub letters: &'static [&'static str],
    binding: Binding,
    /// None where it has to be found.
    pub(super) pinned: Option<Revision>,
    pub(super) listens: bool,
    pub(super) recovery: Recovery,
    /// Whether the application has credentials to give.
    pub(super) authorizes: bool,
    /// What happened before.
    pub(super) before: &'static str,
    broken: Option<Breakage>,
    pub(super) lie: Option<Rule>,
    /// Whether there is little room.
    tight: bool,
}

/// One for each binding with what is common, more where a binding has more to it, and some
/// with what is rare, and little besides: each letter more makes many times the states.
pub const SETTINGS: [Setting; 22] = [
    Setting::session("sessions", SESSIONS),
    Setting::new("sessions, from the beginning", FOUND_SESSION, SESSIONS),
    Setting::new(
        "sessions, listening",
        (Binding::Session, Some(Revision::V2025_06_18)),
        SESSIONS_TOLD,
    )
    .listening()
    .after(HANDSHAKE),
    Setting::stateless("stateless", STAND_ALONE),
    Setting::new(
        "stateless, from the beginning",
        FOUND_STATELESS,
        PUT_OFF_ALONE,
    ),
    Setting::http_sse("HTTP+SSE", HTTP_SSE),
    Setting::new("found", (Binding::Session, None), FOUND),
    Setting::session("sessions, told", &TOLD)
        .listening()
        .tight(),
    Setting::stateless("stateless, told", TOLD_ALONE).tight(),
    Setting::http_sse("HTTP+SSE, told", TOLD_HTTP_SSE).tight(),
    Setting::session("sessions, refused", REFUSED_IN_SESSIONS).authorizing(),
    Setting::stateless("stateless, refused", REFUSED_ALONE)
        .authorizing()
        .tight(),
    Setting::http_sse("HTTP+SSE, refused", REFUSED_HTTP_SSE).authorizing(),
    Setting::session("sessions, put off", PUT_OFF_IN_SESSIONS),
    Setting::stateless("stateless, put off", PUT_OFF_ALONE),
    Setting::http_sse("HTTP+SSE, put off", PUT_OFF_HTTP_SSE),
    Setting::session("sessions, held", HELD)
        .recovering(Recovery::Hold)
        .tight(),
    Setting::session("sessions, by hand", MANUAL).recovering(Recovery::Manual),
    Setting::session("sessions, again", SESSIONS_TOLD)
        .after("call; call; 1 reply; 1 202; 2 404; 2 reply; 2 202; 2 reply"),
    Setting::http_sse("HTTP+SSE, again", HTTP_SSE).after(
        "call; call; 1 stream; 2 202; 1 reply; 2 202; 3 404; \
         2 stream; 3 202; 2 reply; 3 202; 3 202; 2 reply",
    ),
    Setting::http_sse("HTTP+SSE, held", HELD_HTTP_SSE)
        .after(
            "call; 1 stream; 2 202; 1 reply; 2 202; 2 404; \
             1 stream; 2 202; 1 reply",
        )
        .recovering(Recovery::Hold),
    Setting::http_sse("HTTP+SSE, by hand", MANUAL_HTTP_SSE)
        .after(
            "call; 1 stream; 2 202; 1 reply; 2 202; 2 404; \
             reinitialize; 1 stream; 2 202; 1 reply",
        )
        .recovering(Recovery::Manual)
        .tight(),
];

/// How a server is reached, and the revision that it speaks.
type Reached = (Binding, Option<Revision>);

const FOUND_SESSION: Reached = (Binding::Session, Some(Revision::V2025_11_25));
const FOUND_STATELESS: Reached = (Binding::Stateless, Some(Revision::V2026_07_28));
const FOUND_HTTP_SSE: Reached = (Binding::HttpSse, Some(Revision::V2024_11_05));

/// What makes a session.
const HANDSHAKE: &str = "call; 1 reply; 1 202; 1 reply";

impl Setting {
    const fn new(name: &'static str, reached: Reached, letters: &'static [&'static str]) -> Self {
        let (binding, pinned) = reached;
        Self {
            name,
            letters,
            binding,
            pinned,
            listens: false,
            recovery: Recovery::Automatic,
            authorizes: false,
            before: "",
            broken: None,
            lie: None,
            tight: false,
        }
    }

    const fn session(name: &'static str, letters: &'static [&'static str]) -> Self {
        Self::new(name, FOUND_SESSION, letters).after(HANDSHAKE)
    }

    const fn stateless(name: &'static str, letters: &'static [&'static str]) -> Self {
        Self::new(name, FOUND_STATELESS, letters).after("call; 1 reply; 1 reply")
    }

    const fn http_sse(name: &'static str, letters: &'static [&'static str]) -> Self {
        Self::new(name, FOUND_HTTP_SSE, letters)
            .after("call; 1 stream; 2 202; 1 reply; 2 202; 2 202; 1 reply")
    }

    const fn listening(mut self) -> Self {
        self.listens = true;
        self
    }

    const fn tight(mut self) -> Self {
        self.tight = true;
        self
    }

    const fn recovering(mut self, recovery: Recovery) -> Self {
        self.recovery = recovery;
        self
    }

    const fn authorizing(mut self) -> Self {
        self.authorizes = true;
        self
    }

    const fn after(mut self, moves: &'static str) -> Self {
        self.before = moves;
        self
    }

    /// The same, with a machine that is broken.
    #[must_use]
    pub const fn broken(mut self, how: Breakage) -> Self {
        self.broken = Some(how);
        self
    }

    /// The same, with an observer to whom this seems broken.
    #[must_use]
    pub const fn lied_to(mut self, about: Rule) -> Self {
        self.lie = Some(about);
        self
    }

    /// As much room as two calls need, and one of all else.
    pub(super) fn limits(&self) -> Limits {
        match self.tight {
            true => Limits {
                open_calls: 2,
                open_notifications: 1,
                control_exchanges: 1,
                open_asks: 1,
                unread: 1,
                ..Limits::default()
            },
            false => Limits::default(),
        }
    }

    pub(super) fn config(&self) -> Config {
        let config = Config::new("https://example.com/mcp").expect("a URL");
        let config = config
            .capabilities(&json!({ "elicitation": {} }))
            .expect("an object")
            .bearer(super::laws::FIRST)
            .expect("a credential")
            .listen(self.listens)
            .recovery(self.recovery)
            .authorize(self.authorizes)
            .limits(self.limits())
            .budget(budget())
            .retries(retries());
        let config = match self.pinned {
            Some(revision) => config.pin(revision).remember(self.binding),
            None => config,
        };
        match self.broken {
            Some(how) => config.broken(how),
            None => config,
        }
    }
}

/// Small, so that it is soon spent, and without jitter: what differs in that alone is the same.
pub(super) fn budget() -> Budget {
    Budget {
        handshakes: 2,
        delay: Duration::ZERO,
        resends: 1,
        ..Budget::default()
    }
}

/// Likewise.
pub(super) fn retries() -> Retries {
    let second = Duration::from_secs(1);
    Retries {
        floor: second,
        first: second,
        longest: second,
        resends: 1,
        failures: 2,
        ..Retries::default()
    }
}
