//! A scene: what the application does and what the server says, as data.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mcp_http::{Budget, CallOptions, Clocks, Config, RpcError, SubscriptionFilter};
use serde_json::{Value, json};

use crate::board::Board;
use crate::say::Say;
use crate::script::{Act, Arrived};

pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) steps: Vec<Step>,
    /// What the application says to an ask; if nothing, it leaves it open.
    pub(crate) answer: Option<Result<Value, RpcError>>,
    /// Whether the application reads events.
    pub(crate) reads: bool,
    /// Whether the server listens from the beginning.
    pub(crate) listens: bool,
    /// Whether calls run at the same time. Which answer comes first is then anybody's
    /// guess, and with it the order of requests and the JSON-RPC ids of what is sent
    /// again.
    pub(crate) at_once: bool,
    configure: fn(Config) -> Config,
    rules: Vec<Rule>,
}

/// What the application does.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Begins a call of this name.
    Call(Calling),
    Authorize(&'static str),
    RefuseAuthorization,
    Cancel(&'static str),
    Close,
    /// Drops what waits for this call.
    Drop(&'static str),
    /// Waits for the end of this call.
    End(&'static str),
    /// Says what it wants to hear about between calls.
    HearAbout(SubscriptionFilter),
    /// The server listens from now on.
    Listen,
    /// Sends a notification and waits for its end.
    Notify(&'static str),
    Ready,
    Reinitialize,
    Resume,
    SetHeader(&'static str, Option<&'static str>),
    /// Waits until this was said so often on the board: by the server that a request of
    /// this kind came, by the application that it read an event of this kind.
    Until(&'static str, usize),
}

#[derive(Clone, Debug)]
pub(crate) struct Calling {
    pub(crate) name: &'static str,
    pub(crate) method: &'static str,
    pub(crate) params: Value,
    pub(crate) options: CallOptions,
}

/// What the server says to the request of this kind that comes as this one in turn.
struct Rule {
    kind: &'static str,
    /// Any, if none.
    turn: Option<usize>,
    say: Say,
}

/// Begins a call of the tool of this name.
pub(crate) fn call(name: &'static str) -> Step {
    call_with(name, CallOptions::new())
}

pub(crate) fn call_with(name: &'static str, options: CallOptions) -> Step {
    Step::Call(Calling {
        name,
        method: "tools/call",
        params: json!({ "name": name }),
        options,
    })
}

/// A call of a method of its own.
pub(crate) fn request(name: &'static str, method: &'static str, params: Value) -> Step {
    let options = CallOptions::new();
    Step::Call(Calling {
        name,
        method,
        params,
        options,
    })
}

impl Scene {
    pub(crate) fn new(name: &'static str, steps: impl Into<Vec<Step>>) -> Self {
        Self {
            name,
            steps: steps.into(),
            answer: None,
            reads: true,
            listens: true,
            at_once: false,
            configure: |config| config,
            rules: Vec::new(),
        }
    }

    /// Other steps.
    pub(crate) fn steps(mut self, steps: impl Into<Vec<Step>>) -> Self {
        self.steps = steps.into();
        self
    }

    pub(crate) fn with(mut self, configure: fn(Config) -> Config) -> Self {
        self.configure = configure;
        self
    }

    /// The server says this to the first, second … request of this kind.
    pub(crate) fn on(mut self, kind: &'static str, turn: usize, say: Say) -> Self {
        let turn = Some(turn);
        self.rules.push(Rule { kind, turn, say });
        self
    }

    /// The server says this to every request of this kind.
    pub(crate) fn always(mut self, kind: &'static str, say: Say) -> Self {
        let turn = None;
        self.rules.push(Rule { kind, turn, say });
        self
    }

    pub(crate) fn answers(mut self, answer: Result<Value, RpcError>) -> Self {
        self.answer = Some(answer);
        self
    }

    pub(crate) fn reads_nothing(mut self) -> Self {
        self.reads = false;
        self
    }

    pub(crate) fn away(mut self) -> Self {
        self.listens = false;
        self
    }

    pub(crate) fn at_once(mut self) -> Self {
        self.at_once = true;
        self
    }

    /// Short clocks, so that all scenes together are quick; those that only a hang
    /// meets are long.
    pub(crate) fn config(&self, url: &str) -> Config {
        let mut clocks = Clocks::default();
        clocks.call = Some(Duration::from_secs(30));
        clocks.linger = Duration::from_millis(200);
        let mut budget = Budget::default();
        budget.delay = Duration::from_millis(10);
        budget.window = Duration::from_secs(1000);
        let config = Config::new(url)
            .unwrap()
            .client("differential", "1")
            .remember(mcp_http::Binding::Session)
            .clocks(clocks)
            .budget(budget)
            .listen(false)
            .seed(7);
        (self.configure)(config)
    }

    pub(crate) fn serve(&self, board: Arc<Board>) -> impl Fn(&Arrived) -> Act + use<> {
        let rules: Vec<_> = self.rules.iter().map(Rule::parts).collect();
        move |arrived| {
            let kind = kind(arrived);
            let turn = board.say(kind);
            let rule = rules.iter().find(|(rules_kind, rules_turn, _)| {
                *rules_kind == kind && rules_turn.is_none_or(|it| it == turn)
            });
            match rule {
                Some((_, _, say)) => say.to_act(arrived, &board),
                None => usual(kind, turn).to_act(arrived, &board),
            }
        }
    }
}

impl Rule {
    fn parts(&self) -> (&'static str, Option<usize>, Say) {
        (self.kind, self.turn, self.say.clone())
    }
}

/// What a request is called on the board: a call of a tool by the tool's name.
fn kind(arrived: &Arrived) -> &str {
    match (arrived.method.as_str(), arrived.calls()) {
        ("POST", "tools/call") => arrived.message["params"]["name"].as_str().unwrap_or("?"),
        ("POST", "") => "answer",
        ("POST", calls) => calls,
        (method, _) => method,
    }
}

/// What a good server says.
fn usual(kind: &str, turn: usize) -> Say {
    match kind {
        "initialize" => initialized(&format!("s{turn}")),
        "answer" => Say::status(202),
        "DELETE" => Say::status(204),
        "server/discover" => Say::result(&discovered(&["2026-07-28"])),
        kind if kind.starts_with("notifications/") => Say::status(202),
        _ => Say::result(&json!({ "ok": true })),
    }
}

/// The answer to `initialize` that begins this session.
pub(crate) fn initialized(session: &str) -> Say {
    Say::result(&initialize_result("2025-11-25")).header("mcp-session-id", session)
}

pub(crate) fn initialize_result(revision: &str) -> Value {
    json!({
        "protocolVersion": revision,
        "capabilities": { "tools": {} },
        "serverInfo": { "name": "script", "version": "1" },
    })
}

/// The result of `server/discover`.
pub(crate) fn discovered(revisions: &[&str]) -> Value {
    json!({
        "resultType": "complete",
        "supportedVersions": revisions,
        "capabilities": { "logging": {}, "tools": { "listChanged": true } },
        "ttlMs": 0,
        "cacheScope": "private",
    })
}

impl fmt::Debug for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
