//! What is explored: one binding after the other.

use std::time::Duration;

use serde_json::json;

use crate::breakage::Breakage;
use crate::{Binding, Budget, Config, Retries, Revision};

/// A server, and a client that comes to it.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub name: &'static str,
    binding: Binding,
    /// None where it has to be found.
    pub(super) pinned: Option<Revision>,
    pub(super) listens: bool,
    /// What happened before.
    pub(super) before: &'static str,
    broken: Option<Breakage>,
}

/// One for each binding, and more where a binding has more to it.
pub const SETTINGS: [Setting; 6] = [
    Setting::new("sessions", Binding::Session, Some(Revision::V2025_11_25))
        .after("call; 1 reply; 1 202; 1 reply"),
    Setting::new(
        "sessions, from the beginning",
        Binding::Session,
        Some(Revision::V2025_11_25),
    ),
    Setting::new(
        "sessions, listening",
        Binding::Session,
        Some(Revision::V2025_06_18),
    )
    .listening()
    .after("call; 1 reply; 1 202; 1 reply"),
    Setting::new("stateless", Binding::Stateless, Some(Revision::V2026_07_28))
        .after("call; 1 reply; 1 reply"),
    Setting::new("HTTP+SSE", Binding::HttpSse, Some(Revision::V2024_11_05))
        .after("call; 1 stream; 2 202; 1 reply; 2 202; 2 202; 1 reply"),
    Setting::new("found", Binding::Session, None),
];

impl Setting {
    const fn new(name: &'static str, binding: Binding, pinned: Option<Revision>) -> Self {
        Self {
            name,
            binding,
            pinned,
            listens: false,
            before: "",
            broken: None,
        }
    }

    const fn listening(mut self) -> Self {
        self.listens = true;
        self
    }

    const fn after(mut self, moves: &'static str) -> Self {
        self.before = moves;
        self
    }

    /// The letters that are to be used there.
    pub fn letters(&self) -> Vec<&'static str> {
        let letters = [
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
        let asks = match self.binding {
            Binding::Stateless => "requires input",
            _ => "ask",
        };
        let more = (self.binding == Binding::HttpSse).then_some("last reply");
        letters.into_iter().chain([asks]).chain(more).collect()
    }

    /// The same, with a machine that is broken.
    #[must_use]
    pub const fn broken(mut self, how: Breakage) -> Self {
        self.broken = Some(how);
        self
    }

    pub(super) fn config(&self) -> Config {
        let config = Config::new("https://example.com/mcp").expect("a URL");
        let config = config
            .capabilities(&json!({ "elicitation": {} }))
            .expect("an object")
            .listen(self.listens)
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
