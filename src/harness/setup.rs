//! How the connection of a run is set up, and the calls that it makes.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Value, json};

use super::operation::Source;
use super::secrets::MARK;
use crate::breakage::Breakage;
use crate::{Binding, Budget, CallOptions, Clocks, Config, Limits, Recovery, Resend, Revision};

const LEVELS: [&str; 2] = ["info", "debug"];

/// How the connection of a run is set up.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    /// How the server is reached in truth.
    pub(super) binding: Binding,
    pub(super) recovery: Recovery,
    pub(super) pinned: Option<Revision>,
    /// How the server was reached the last time.
    pub(super) remembered: Option<Binding>,
    pub(super) limits: Limits,
    pub(super) clocks: Clocks,
    pub(super) listen: bool,
    /// Whether the server gives everybody who resumes a stream what he missed.
    pub(super) honest: bool,
    /// Whether the adapter leaves in the socket what the machine does not want yet.
    pub(super) polite: bool,
    /// Whether the run ends with `close`.
    pub(super) closes: bool,
    pub(super) seed: u64,
    /// How the machine is broken on purpose.
    pub(super) broken: Option<Breakage>,
}

impl Setup {
    pub(super) fn decode(source: &mut Source<'_>) -> Self {
        let (binding, remembered) = server(source.byte());
        let recovery = *source.pick(&[
            Recovery::Automatic,
            Recovery::Automatic,
            Recovery::Hold,
            Recovery::Manual,
        ]);
        let pinned = *source.pick(match binding {
            Binding::HttpSse => &[
                None,
                None,
                None,
                Some(Revision::V2024_11_05),
                Some(Revision::V2025_11_25),
            ],
            Binding::Session => &[
                None,
                None,
                Some(Revision::V2025_03_26),
                Some(Revision::V2025_06_18),
                Some(Revision::V2025_11_25),
            ],
            Binding::Stateless => &[
                None,
                None,
                None,
                Some(Revision::V2026_07_28),
                Some(Revision::V2026_07_28),
            ],
        });
        let limits = if source.chance(96) {
            Limits {
                open_calls: 1 + source.below(4),
                open_notifications: 1 + source.below(3),
                control_exchanges: 1 + source.below(3),
                open_asks: 1 + source.below(2),
                subscriptions: 1,
                unread: 1 + source.below(3),
                unread_bytes: 60 + source.below(200),
                line: 300,
                event: 250,
                json_body: 400,
                error_body: 150,
                batch: 4 + source.below(4),
                initialize: 350,
                rounds: 2,
                tool_headers: 100,
                buffers: 400 + source.below(1500),
            }
        } else {
            Limits::default()
        };
        let mut clocks = Clocks::default();
        if source.chance(64) {
            clocks.call = None;
        }
        if source.chance(64) {
            clocks.progress = Some(Duration::from_secs(45));
        }
        clocks.silence = *source.pick(&[
            clocks.silence,
            clocks.silence,
            Some(Duration::from_secs(3)),
            Some(Duration::from_secs(20)),
            None,
        ]);
        Self {
            binding,
            recovery,
            pinned,
            remembered,
            limits,
            clocks,
            listen: source.chance(208),
            honest: source.chance(100),
            polite: source.chance(128),
            closes: source.chance(128),
            seed: 7,
            broken: None,
        }
    }

    pub(super) fn config(&self) -> Config {
        let capabilities = serde_json::json!({ "elicitation": {} });
        let config = Config::new(&format!("https://example.com/mcp?key={MARK}query"));
        let config = config.and_then(|config| config.bearer(&format!("{MARK}token")));
        let config = config.and_then(|config| config.header("x-key", &format!("{MARK}key")));
        let config = config.expect("a URL and values");
        let config = match self.remembered {
            Some(binding) => config.remember(binding),
            None => config,
        };
        let config = config.capabilities(&capabilities).expect("an object");
        let config = match self.pinned {
            Some(revision) => config.pin(revision),
            None => config,
        };
        let config = match self.broken {
            Some(how) => config.broken(how),
            None => config,
        };
        config
            .recovery(self.recovery)
            .listen(self.listen)
            .limits(self.limits)
            .clocks(self.clocks)
            .budget(Budget::default())
            .seed(self.seed)
    }
}

/// The inputs that begin with these bytes play a server that is reached like this.
pub fn first_bytes(binding: Binding) -> RangeInclusive<u8> {
    match binding {
        Binding::Session => 0..=95,
        Binding::Stateless => 96..=175,
        Binding::HttpSse => 176..=255,
    }
}

/// The server of a run, and how it is said to have been reached before.
fn server(byte: u8) -> (Binding, Option<Binding>) {
    let remembered = |own| match byte % 4 {
        0 => Some(Binding::Session),
        1 | 2 => Some(own),
        _ => None,
    };
    match byte {
        0..=63 => (Binding::Session, Some(Binding::Session)),
        64..=95 => (Binding::Session, None),
        96..=175 => (Binding::Stateless, remembered(Binding::Stateless)),
        176..=255 => (Binding::HttpSse, remembered(Binding::HttpSse)),
    }
}

/// A call to be made.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallPlan {
    pub(super) method: &'static str,
    pub(super) idempotent: bool,
    pub(super) never: bool,
    pub(super) patience: Option<Duration>,
    pub(super) time_out: Option<Option<Duration>>,
    pub(super) progress: bool,
    pub(super) longest: Option<Duration>,
    /// Which resource or log level a call is about that has one.
    pub(super) topic: u8,
}

impl CallPlan {
    pub(super) fn decode(source: &mut Source<'_>) -> Self {
        let bits = source.byte();
        let more = source.byte();
        Self {
            // The servers of these runs offer tools, no prompts, and of resources
            // subscriptions at most.
            method: match more % 16 {
                0 => "prompts/get",
                1..=3 => "tools/list",
                4 => "resources/subscribe",
                5 => match more >> 4 {
                    0..=5 => "resources/unsubscribe",
                    _ => "logging/setLevel",
                },
                _ => "tools/call",
            },
            idempotent: bits & 3 == 0,
            never: bits & 28 == 4,
            patience: (bits & 96 == 32).then(|| Duration::from_secs(5)),
            time_out: match more >> 5 {
                0 => Some(Some(Duration::from_millis(300))),
                1 => Some(Some(Duration::from_secs(20))),
                2 => Some(None),
                _ => None,
            },
            progress: bits & 128 != 0,
            longest: (more >> 4 == 9).then(|| Duration::from_secs(60)),
            topic: bits & 1,
        }
    }

    pub(super) fn params(&self, mark: u64) -> Value {
        match self.method {
            "resources/subscribe" | "resources/unsubscribe" => {
                json!({ "n": mark, "uri": format!("res://{MARK}uri{}", self.topic) })
            }
            "logging/setLevel" => json!({ "n": mark, "level": LEVELS[usize::from(self.topic)] }),
            _ => json!({ "n": mark, "name": format!("{MARK}name") }),
        }
    }

    pub(super) fn options(&self, mark: u64) -> CallOptions {
        // So that a GET shows whose stream it takes up.
        let mut options = CallOptions::new()
            .header("x-call", &mark.to_string())
            .and_then(|options| options.header("x-own", &format!("{MARK}own")))
            .expect("a header");
        if self.idempotent {
            options = options.idempotent();
        }
        if self.never {
            options = options.resend(Resend::Never);
        }
        if let Some(patience) = self.patience {
            options = options.wait_for_server(patience);
        }
        match self.time_out {
            Some(Some(time)) => options = options.time_out(time),
            Some(None) => options = options.no_time_out(),
            None => {}
        }
        if self.progress {
            options = options.progress();
        }
        if let Some(longest) = self.longest {
            options = options.extended_by_progress(longest);
        }
        options
    }
}
