//! What the application does, and what it expects. It knows no adapter and no revision.

use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use example_conformance_client::{Call, Client};
use mcp_http::{Ask, CallOptions, Delivery, Event, Listening, RpcError, SubscriptionFilter};
use serde_json::{Value, json};

use crate::Error;
use crate::heard::Heard;

/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_secs(8);

/// How long something that is sent after the end has time to be seen.
const SILENCE: Duration = Duration::from_millis(300);

/// Uses the server feature by feature. Fails if there is no server to use.
pub(crate) fn run(client: &Client, tools: &Value) -> Result<(), Error> {
    let heard = Heard::default();
    let events = client.events();
    client.ready()?;
    thread::scope(|scope| {
        let application = Application {
            client,
            tools,
            heard: &heard,
        };
        scope.spawn(move || {
            for event in events {
                application.attend(event);
            }
        });
        application.play();
    });
    Ok(())
}

#[derive(Clone, Copy)]
struct Application<'a> {
    client: &'a Client,
    tools: &'a Value,
    heard: &'a Heard,
}

impl<'a> Application<'a> {
    fn play(self) {
        let status = self.client.status();
        let binding = status.binding.map(|binding| binding.to_string());
        let revision = status.revision.map(|revision| revision.to_string());
        say(&json!({ "binding": binding, "revision": revision }));
        let features: [(_, fn(Self) -> _); 9] = [
            ("call", Self::call),
            ("progress", Self::progress),
            ("tool error", Self::tool_error),
            ("JSON-RPC error", Self::rpc_error),
            ("cancel", Self::cancel),
            ("ask", Self::ask),
            ("listen", Self::listen),
            ("DELETE", Self::deleted),
            ("restart", Self::restarted),
        ];
        for (name, play) in features {
            tell(name, play(self));
        }
        // This one may hang where the others' patience ends.
        let (closed, close) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(move || {
                self.client.close();
                let _ = closed.send(());
            });
            let closed = close.recv_timeout(PATIENCE).map_err(Error::from);
            tell("close", closed.and_then(|()| self.is_closed()));
        });
    }

    fn call(self) -> Result<(), Error> {
        let text = self.text("add", json!({ "a": 2, "b": 40 }))?;
        let answer = self.tools.get("answer").and_then(Value::as_str);
        let is_right = text.contains(answer.unwrap_or("42"));
        expect(is_right, format!("2 and 40 are {text:.200}"))
    }

    /// Where the server may be about to close the connection that is used: a call that did not
    /// reach it is made again.
    fn call_anew(self) -> Result<(), Error> {
        match self.call() {
            Err(error) if did_not_leave(&error) => self.call(),
            outcome => outcome,
        }
    }

    /// Three messages, and each belongs to the call.
    fn progress(self) -> Result<(), Error> {
        let since = self.heard.so_far();
        let call = self.start("count", json!({}), CallOptions::new().progress())?;
        let id = call.id();
        call.wait()?;
        let is_step = |event: &Event| match event {
            Event::Message(message) => {
                message.method == "notifications/progress" && message.call == id
            }
            _ => false,
        };
        // They come before the result, and are read by another thread.
        thread::sleep(Duration::from_millis(100));
        let steps = self.heard.count(since, is_step);
        expect(steps == 3, format!("{steps} messages of progress, not 3"))
    }

    /// An answer that says that the tool failed, however the server says so.
    fn tool_error(self) -> Result<(), Error> {
        match self.start("fail", json!({}), CallOptions::new())?.wait() {
            Ok(result) => {
                let result: Value = result.deserialize()?;
                let failed = result.get("isError") == Some(&json!(true));
                expect(failed, format!("the tool did not fail: {result}"))
            }
            Err(error) if error.rpc_error().is_some() => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The code of JSON-RPC 2.0 for a method that does not exist. And the connection goes on.
    fn rpc_error(self) -> Result<(), Error> {
        let call = self.begin("no/such/method", &json!({}), CallOptions::new())?;
        let outcome = call.wait();
        self.call_anew()?;
        let error = match outcome {
            Ok(result) => return Err(format!("it was answered: {}", result.as_str()).into()),
            Err(error) => error,
        };
        let known = RpcError::method_not_found().code;
        match error.rpc_error() {
            Some(told) => expect(
                told.code == known,
                format!("the code is {}: {}", told.code, told.message),
            ),
            None => Err(error.into()),
        }
    }

    /// The server notices that a call was cancelled.
    fn cancel(self) -> Result<(), Error> {
        if self.tools.get("seen").is_some_and(Value::is_null) {
            return self.cancel_unseen();
        }
        let before = self.seen()?;
        let call = self.start("wait", json!({}), CallOptions::new().progress())?;
        self.until(|seen| seen.begun > before.begun, "it did not begin")?;
        drop(call);
        let noticed = |seen: Seen| seen.cancelled > before.cancelled;
        self.until(noticed, "the server did not notice")
    }

    /// The server does not say what it noticed. Whether it works on shows on the wire alone.
    fn cancel_unseen(self) -> Result<(), Error> {
        let since = self.heard.so_far();
        let call = self.start("wait", json!({}), CallOptions::new().progress())?;
        let id = call.id();
        let begun = |event: &Event| matches!(event, Event::Message(message) if message.call == id);
        expect(self.heard.wait(since, PATIENCE, begun), "it did not begin")?;
        drop(call);
        self.call()?;
        let done = ask_for("overhear")?;
        expect(done == "done", done)
    }

    /// The server gets the answer to its question.
    fn ask(self) -> Result<(), Error> {
        let since = self.heard.so_far();
        let text = self.text("ask", json!({}))?;
        let asked = self
            .heard
            .count(since, |event| matches!(event, Event::Ask(_)));
        expect(asked == 1, format!("{asked} questions came: {text}"))?;
        expect(text.contains("Ada"), format!("it understood {text}"))
    }

    /// The server tells something when no call is open.
    fn listen(self) -> Result<(), Error> {
        let changes = SubscriptionFilter::new().tools_list_changed();
        self.client.listen(changes)?;
        let start = Instant::now();
        let opening = [Listening::Opening, Listening::Off];
        while opening.contains(&self.client.status().listening) && start.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(5));
        }
        self.text("change", json!({}))?;
        let since = self.heard.so_far();
        let told = ["notifications/tools/list_changed", "notifications/message"];
        let is_told = |event: &Event| match event {
            Event::Message(message) => told.contains(&&*message.method) && message.call.is_none(),
            _ => false,
        };
        let heard = self.heard.wait(since, PATIENCE, is_told);
        let listening = self.client.status().listening;
        expect(
            heard,
            format!("nothing was heard; the stream: {listening:?}"),
        )
    }

    /// Another client ends the session: the next call begins a new one, and is answered.
    fn deleted(self) -> Result<(), Error> {
        let before = self.client.status();
        expect(before.has_session_id, "there is no session id")?;
        let done = ask_for("DELETE")?;
        expect(done == "done", format!("DELETE: {done}"))?;
        self.call()?;
        let generation = self.client.status().generation;
        expect(generation > before.generation, "the session lived on")
    }

    /// The server is another one: the next call is answered.
    fn restarted(self) -> Result<(), Error> {
        let before = self.client.status();
        let done = ask_for("restart")?;
        expect(done == "done", format!("restart: {done}"))?;
        self.call_anew()?;
        let now = self.client.status();
        let anew = now.generation > before.generation || !before.has_session_id;
        expect(anew, "the session lived on")
    }

    /// No call is taken any more, and nothing is sent any more: the wire is watched.
    fn is_closed(self) -> Result<(), Error> {
        let done = ask_for("expect silence")?;
        expect(done == "done", done)?;
        let late = self.call();
        thread::sleep(SILENCE);
        match late {
            Ok(()) => Err("a call was answered afterwards".into()),
            Err(_) => Ok(()),
        }
    }

    fn attend(self, event: Event) {
        self.heard.note(event.clone());
        if let Event::Ask(ask) = event {
            // If it cannot be answered, the tool says so.
            let _ = self.client.answer(ask.ticket, answer(&ask));
        }
    }

    fn seen(self) -> Result<Seen, Error> {
        let text = self.text("seen", json!({}))?;
        let numbers: Vec<_> = text
            .split(' ')
            .filter_map(|word| word.parse().ok())
            .collect();
        match *numbers {
            [begun, cancelled] => Ok(Seen { begun, cancelled }),
            _ => Err(format!("it has seen {text}").into()),
        }
    }

    fn until(self, is_so: impl Fn(Seen) -> bool, otherwise: &str) -> Result<(), Error> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if is_so(self.seen()?) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Err(otherwise.into())
    }

    fn text(self, tool: &str, arguments: Value) -> Result<String, Error> {
        let result = self.start(tool, arguments, CallOptions::new())?.wait()?;
        let result: Value = result.deserialize()?;
        if result.get("isError") == Some(&json!(true)) {
            return Err(format!("{tool} failed: {result}").into());
        }
        let texts = result.get("content").and_then(Value::as_array);
        let texts = texts.into_iter().flatten();
        let texts: Vec<_> = texts
            .filter_map(|content| content.get("text")?.as_str())
            .collect();
        Ok(texts.join(" "))
    }

    fn start(self, tool: &str, arguments: Value, options: CallOptions) -> Result<Call<'a>, Error> {
        let named = self.tools.get(tool).cloned();
        if named == Some(Value::Null) {
            return Err("none of its tools does that".into());
        }
        let params = named.unwrap_or_else(|| json!({ "name": tool, "arguments": arguments }));
        self.begin("tools/call", &params, options)
    }

    fn begin(self, method: &str, params: &Value, options: CallOptions) -> Result<Call<'a>, Error> {
        let options = options.time_out(PATIENCE);
        Ok(self.client.start(method, params, options)?)
    }
}

/// How many calls of `wait` the server has begun, and how many of them it saw cancelled.
#[derive(Clone, Copy)]
struct Seen {
    begun: u64,
    cancelled: u64,
}

/// What a person says who is called Ada.
fn answer(ask: &Ask) -> Result<Value, RpcError> {
    match &*ask.method {
        "elicitation/create" => Ok(json!({ "action": "accept", "content": { "name": "Ada" } })),
        "roots/list" => Ok(json!({ "roots": [{ "uri": "file:///ada", "name": "Ada" }] })),
        "sampling/createMessage" => Ok(json!({
            "role": "assistant",
            "content": { "type": "text", "text": "Ada" },
            "model": "none",
        })),
        _ => Err(RpcError::method_not_found()),
    }
}

fn did_not_leave(error: &Error) -> bool {
    let error = error.downcast_ref::<mcp_http::Error>();
    error.is_some_and(|error| error.delivery() == Delivery::NotSent)
}

fn expect(is_so: bool, otherwise: impl Into<Error>) -> Result<(), Error> {
    if is_so { Ok(()) } else { Err(otherwise.into()) }
}

/// Has something done to the server, and says what came of it.
fn ask_for(deed: &str) -> Result<String, Error> {
    say(&json!({ "do": deed }));
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

fn tell(feature: &str, outcome: Result<(), Error>) {
    let why = outcome.err().map(|error| error.to_string());
    say(&json!({ "feature": feature, "why": why }));
}

#[expect(clippy::print_stdout, reason = "that is what it is for")]
fn say(line: &Value) {
    println!("{line}");
}
