//! The blocking adapter against the official Rust SDK's server.

#![cfg(all(test, feature = "blocking", feature = "tokio"))]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unreachable,
    clippy::unwrap_used,
    reason = "tests: clippy.toml allows these inside test functions, helpers need them too"
)]

#[path = "../../examples/demo/server.rs"]
mod server;

mod authorize;
mod own;
mod stateless;

use std::io::Cursor;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use mcp_http::blocking::{Abort, Client, Transport};
use mcp_http::{
    Binding, Budget, CallOptions, Clock, Config, Delivery, Event, Failure, Listening, Lost, Reason,
    Revision,
};
use serde_json::{Value, json};
use server::{ProtocolVersion, Server, Then};
use tokio::runtime::{Builder, Runtime};

/// The server, on a runtime of its own.
struct Served {
    server: Server,
    runtime: Runtime,
}

impl Served {
    fn start() -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let server = runtime.block_on(Server::start());
        Self { server, runtime }
    }

    fn config(&self) -> Config {
        Config::new(&self.server.url())
            .unwrap()
            .pin(Revision::V2025_11_25)
            .listen(false)
    }
}

fn work(key: &str, ms: u64, steps: u64) -> Value {
    json!({ "name": "work", "arguments": { "key": key, "ms": ms, "steps": steps } })
}

/// Threads of this process with a name of ours.
fn threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with("mcp-http-")).count()
}

#[test]
fn a_call_is_answered_and_close_ends_the_session() {
    let served = Served::start();
    let newest = ProtocolVersion::V_2025_11_25;
    served.server.speak_up_to(newest);
    let client = Client::connect(&served.server.url()).unwrap();
    assert_eq!(client.status().binding, Some(Binding::Session));
    let tools: Value = client.call_as("tools/list", ()).unwrap();
    assert!(
        tools["tools"]
            .as_array()
            .is_some_and(|tools| tools.len() == 2),
        "{tools}"
    );
    client.close();
    assert_eq!(served.server.count().deletes, 1);
    assert!(client.call("tools/list", ()).is_err());
}

#[test]
fn many_threads_outlive_their_session_and_nothing_runs_twice() {
    let served = Served::start();
    let client = Client::spawn(served.config());
    client.ready().unwrap();
    served.server.gate(50, Then::Forget);
    let calls: Vec<_> = (0..50)
        .map(|number| {
            let client = client.clone();
            thread::spawn(move || client.call("tools/call", work(&number.to_string(), 0, 0)))
        })
        .collect();
    for call in calls {
        call.join().unwrap().unwrap();
    }
    assert_eq!(served.server.count().initialize, 2);
    assert_eq!(served.server.executions().len(), 50);
    assert!(served.server.executions().values().all(|times| *times == 1));
    client.close();
}

#[test]
fn events_are_an_iterator_and_asks_are_answered() {
    let served = Served::start();
    let config = served
        .config()
        .capabilities(&json!({ "elicitation": {} }))
        .unwrap();
    let client = Client::spawn(config);
    let mut events = client.events();
    let answerer = client.clone();
    let (asked, was_asked) = mpsc::channel();
    let reader = thread::spawn(move || {
        for event in &mut events {
            if let Event::Ask(ask) = event {
                let answer = json!({ "action": "accept", "content": { "name": "Ada" } });
                asked.send(answerer.answer(ask.ticket, Ok(answer))).unwrap();
                break;
            }
        }
    });
    let result = client
        .call("tools/call", json!({ "name": "ask", "arguments": {} }))
        .unwrap();
    assert!(result.as_str().contains("hello Ada"));
    was_asked.recv().unwrap().unwrap();
    reader.join().unwrap();
    client.close();
}

#[test]
fn a_time_out_and_a_cancellation_give_control_back_at_once() {
    let served = Served::start();
    let client = Client::spawn(served.config());
    client.ready().unwrap();
    let limit = Duration::from_millis(200);
    let began = Instant::now();
    let slow = CallOptions::new().time_out(limit);
    let error = client
        .call_with("tools/call", work("slow", 20_000, 0), slow)
        .unwrap_err();
    assert_eq!(error.reason(), &Reason::Timeout(Clock::Call(limit)));
    let call = client
        .start("tools/call", work("long", 20_000, 0), CallOptions::new())
        .unwrap();
    let id = call.id().unwrap();
    let canceller = client.clone();
    let cancel = thread::spawn(move || {
        thread::sleep(Duration::from_millis(100));
        canceller.cancel(id).unwrap();
    });
    assert_eq!(call.wait().unwrap_err().reason(), &Reason::Cancelled);
    cancel.join().unwrap();
    assert!(began.elapsed() < Duration::from_secs(3));
    client.close();
}

#[test]
fn a_server_that_is_away_is_waited_for_by_those_who_want_to() {
    let served = Served::start();
    let client = Client::spawn(served.config());
    client.ready().unwrap();
    served.runtime.block_on(served.server.stop());
    let error = client.call("tools/call", work("no", 0, 0)).unwrap_err();
    assert_eq!(error.delivery(), Delivery::NotSent);
    let patience = CallOptions::new().wait_for_server(Duration::from_secs(20));
    let patient = client.clone();
    let patient =
        thread::spawn(move || patient.call_with("tools/call", work("yes", 0, 0), patience));
    thread::sleep(Duration::from_millis(700));
    served
        .runtime
        .block_on(served.server.start_again_on_same_port());
    patient.join().unwrap().unwrap();
    assert_eq!(served.server.executions().get("yes"), Some(&1));
    client.close();
}

/// A server whose sessions are lost as soon as they are made.
struct Doomed;

impl Transport for Doomed {
    type Body = Cursor<String>;

    fn send(&self, request: Request<Bytes>, _: &Abort) -> Result<Response<Self::Body>, Failure> {
        let message: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        if message["method"] != "initialize" {
            let gone = Response::builder().status(404);
            return Ok(gone.body(Cursor::default()).unwrap());
        }
        let result = json!({ "protocolVersion": "2025-11-25", "capabilities": {} });
        let reply = json!({ "jsonrpc": "2.0", "id": message["id"], "result": result });
        let response = Response::builder()
            .header("content-type", "application/json")
            .header("mcp-session-id", "s1");
        Ok(response.body(Cursor::new(reply.to_string())).unwrap())
    }
}

#[test]
fn ready_ends_when_the_budget_of_handshakes_is_spent() {
    let mut budget = Budget::default();
    budget.delay = Duration::from_millis(1);
    let config = Config::new("http://localhost/mcp").unwrap().budget(budget);
    let client = Client::new(config, Doomed);
    let (told, ends) = mpsc::channel();
    let waiting = client.clone();
    thread::spawn(move || {
        for _ in 0..2 {
            told.send(waiting.ready()).unwrap();
        }
    });
    for who in ["who waited", "who comes later"] {
        let ended = ends.recv_timeout(Duration::from_secs(30));
        let error = ended.expect(who).unwrap_err();
        let unrecoverable = matches!(
            error.reason(),
            Reason::Lost(Lost::SessionUnrecoverable { attempts: 3, .. })
        );
        assert!(unrecoverable, "{who}: {error}");
    }
    client.close();
}

#[test]
fn an_idle_connection_has_no_thread_and_a_dropped_one_says_farewell() {
    let served = Served::start();
    let client = Client::spawn(served.config());
    client.call("tools/call", work("x", 0, 0)).unwrap();
    let began = Instant::now();
    settle(0);
    let listener = Client::spawn(served.config().listen(true));
    listener.call("tools/call", work("y", 0, 0)).unwrap();
    settle(2);
    assert_eq!(listener.status().listening, Listening::Open);
    listener.close();
    settle(0);
    drop(client);
    while served.server.count().deletes < 2 && began.elapsed() < Duration::from_secs(40) {
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(served.server.count().deletes, 2);
}

/// Waits until so many threads are left for good. Others of this binary have some too,
/// but not for long.
fn settle(expected: usize) {
    let began = Instant::now();
    let mut since = Instant::now();
    while since.elapsed() < Duration::from_millis(1500) && began.elapsed() < Duration::from_secs(40)
    {
        thread::sleep(Duration::from_millis(50));
        if threads() != expected {
            since = Instant::now();
        }
    }
    assert_eq!(threads(), expected);
}
