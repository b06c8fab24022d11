//! One application against a server of each revision, through both adapters: what it sees is
//! the same. What goes over the wire differs; the table of that in the docs is made here.

#![cfg(test)]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unreachable,
    clippy::unwrap_used,
    reason = "tests: clippy.toml allows these inside test functions, helpers need them too"
)]

mod application;
mod pipe;
mod server;

use std::fmt::Write as _;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use application::{Application, Outcome, both, until};
use mcp_http::{Binding, CallOptions, Event, Listening, Message, Revision, SubscriptionFilter};
use serde_json::{Value, json};
use server::Server;

/// What one step of the application was.
#[derive(Clone, Debug, PartialEq)]
struct Step {
    does: &'static str,
    /// What it sees of it.
    sees: Vec<String>,
    /// What the server sees of it.
    asks: Vec<String>,
}

/// The application, and its server.
struct Play<'a> {
    application: &'a mut dyn Application,
    server: &'a Server,
    steps: Vec<Step>,
}

impl Play<'_> {
    /// Takes down what has happened: so many events at least.
    fn step(&mut self, does: &'static str, events: usize, mut sees: Vec<String>) -> Option<Event> {
        let mut last = None;
        let mut told = Vec::new();
        loop {
            // What comes unasked shows, too.
            let patience = if told.len() < events { 10_000 } else { 30 };
            let Some(event) = self.application.next(Duration::from_millis(patience)) else {
                break;
            };
            told.push(shown(&event));
            last = Some(event);
        }
        told.append(&mut sees);
        until("the stream", || {
            self.application.status().listening != Listening::Opening
        });
        let mut asks = self.server.asked();
        // The listening stream is in nobody's way: when it is asked for is chance.
        if self.server.revision.usual_binding() == Binding::Session {
            asks.sort_by_key(|asked| asked == "GET");
        }
        let step = Step {
            does,
            sees: told,
            asks,
        };
        self.steps.push(step);
        last
    }

    fn call(&mut self, does: &'static str, tool: &str, options: CallOptions, events: usize) {
        let (_, outcome) = self.application.begin(tool, options);
        let outcome = ended(&outcome);
        self.step(does, events, vec![outcome]);
    }

    /// What every application does.
    fn run(mut self) -> Vec<Step> {
        self.application.ready();
        self.step("connects", 1, Vec::new());
        self.call("calls", "echo", CallOptions::new(), 0);
        let options = CallOptions::new().progress();
        self.call("calls and hears of progress", "progress", options, 2);

        let (_, outcome) = self.application.begin("ask", CallOptions::new());
        let Some(Event::Ask(ask)) = self.step("is asked", 1, Vec::new()) else {
            panic!("{:?}", self.steps);
        };
        let roots = json!({ "roots": [{ "uri": "file:///a" }, { "uri": "file:///b" }] });
        self.application.answer(ask.ticket, roots);
        let outcome = ended(&outcome);
        self.step("answers", 0, vec![outcome]);

        let filter = SubscriptionFilter::new().tools_list_changed();
        self.application.listen(filter);
        self.step("listens for changes", 1, Vec::new());
        self.call("calls, and tools change", "change", CallOptions::new(), 1);

        let (call, outcome) = self.application.begin("slow", CallOptions::new());
        until("the call", || self.server.has_slow());
        self.application.cancel(call);
        let outcome = ended(&outcome);
        until("the cancellation", || self.server.cancelled() == 1);
        self.step("cancels a call", 0, vec![outcome]);
        self.or_leaves("the answer", "POST `notifications/cancelled`");

        self.server.forget();
        self.call(
            "calls, and sessions are forgotten",
            "echo",
            CallOptions::new(),
            0,
        );

        self.application.close();
        until("the end", || self.server.open() == 0);
        self.step("closes", 0, Vec::new());
        self.or_leaves("the stream", "DELETE");
        self.steps
    }

    /// Where nothing is said, the server sees that nobody reads any more.
    fn or_leaves(&mut self, what: &str, said: &str) {
        let step = self.steps.last_mut().expect("a step was taken");
        if !step.asks.iter().any(|asked| asked == said) {
            step.asks.push(format!("leaves {what}"));
        }
    }
}

fn ended(outcome: &Receiver<Outcome>) -> String {
    let outcome = outcome
        .recv_timeout(Duration::from_secs(10))
        .expect("every call ends");
    match outcome {
        Ok(result) => {
            let result: Value = result.deserialize().unwrap();
            format!(
                "the reply: {}",
                result["content"][0]["text"].as_str().unwrap()
            )
        }
        Err(error) => format!("`{:?}`, {:?}", error.reason(), error.delivery()),
    }
}

fn shown(event: &Event) -> String {
    match event {
        Event::Ask(ask) => format!("`Ask` `{}`", ask.method),
        Event::Message(Message {
            method,
            params,
            call,
            ..
        }) => {
            let params: Value = params
                .as_ref()
                .map_or(json!({}), |it| it.deserialize().unwrap());
            let progress = params
                .get("progress")
                .map(|progress| format!(" {progress}"));
            let of = if call.is_some() { " of the call" } else { "" };
            format!("`Message` `{method}`{}{of}", progress.unwrap_or_default())
        }
        Event::Reinitialize { .. } => "`Reinitialize`".to_owned(),
        Event::Ready(_) => "`Ready`".to_owned(),
        Event::Listening { .. } => "`Listening`".to_owned(),
        other => format!("{other:?}"),
    }
}

/// The table as it stands in the docs: a column for revisions that are asked alike.
fn table(plays: &[(Revision, Vec<Step>)]) -> String {
    let alike = |(_, one): &(_, Vec<Step>), (_, other): &(_, Vec<Step>)| {
        one.iter().zip(other).all(|(one, other)| one == other)
    };
    let groups: Vec<_> = plays.chunk_by(alike).collect();
    let mut text = String::from("| the application | sees |");
    for group in &groups {
        let revisions: Vec<_> = group
            .iter()
            .map(|(revision, _)| revision.as_str())
            .collect();
        let _ = write!(text, " {} |", revisions.join(", "));
    }
    text.push_str("\n|---|---|");
    text.push_str(&"---|".repeat(groups.len()));
    for (at, step) in plays[0].1.iter().enumerate() {
        let mut sees = step.sees.join(", ");
        for (revision, steps) in plays {
            if steps[at].sees != step.sees {
                let _ = write!(sees, "; {revision}: {}", steps[at].sees.join(", "));
            }
        }
        let _ = write!(text, "\n| {} | {} |", step.does, or_dash(sees));
        for group in &groups {
            let asks = group[0].1[at].asks.join(", ");
            let _ = write!(text, " {} |", or_dash(asks));
        }
    }
    text.push('\n');
    text
}

fn or_dash(cell: String) -> String {
    if cell.is_empty() {
        "–".to_owned()
    } else {
        cell
    }
}

/// What is in the docs is this table: `UPDATE=1 cargo test --all-features --test bindings`
/// writes it.
#[test]
fn an_application_cannot_tell_which_revision_it_speaks() {
    let plays = Revision::ALL.map(|revision| {
        let [asynchronous, blocking] = both(|| Server::new(revision)).map(|(server, mut it)| {
            let play = Play {
                application: &mut *it,
                server: &server,
                steps: Vec::new(),
            };
            play.run()
        });
        assert_eq!(asynchronous, blocking, "{revision}: the adapters differ");
        (revision, blocking)
    });
    for (revision, steps) in &plays {
        for (step, first) in steps.iter().zip(&plays[0].1) {
            let differs = step.sees != first.sees;
            let may = step.does == "calls, and sessions are forgotten";
            assert!(!differs || may, "{revision}: {step:?} is not {first:?}");
        }
    }
    let table = table(&plays);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/revisions.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &table).expect("the table can be written");
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(table == committed, "the table is now:\n{table}");
}
