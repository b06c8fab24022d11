//! Law 9 in both adapters: what they show of an exchange has none of its secrets, which are
//! marked.

use std::fmt::Debug;

use mcp_http::tokio::{Clock, Http};
use mcp_http::{Binding, CallOptions, Config, Error, Event, RawJson, asynchronous, blocking};
use serde_json::{Value, json};
use tokio::runtime::Builder;

use crate::script::{Act, Arrived, Script};

#[track_caller]
fn clean(what: &str, shown: &impl Debug) {
    let text = format!("{shown:?} {shown:#?}");
    assert!(!text.contains("MARKED"), "{what} shows a secret: {text}");
}

#[track_caller]
fn clean_error(error: &Error) {
    clean("an error", error);
    clean(
        "an error's texts",
        &(error.to_string(), error.reason().to_string()),
    );
}

/// A secret in all that it sends; some calls it cuts.
fn act(arrived: &Arrived) -> Act {
    let id = &arrived.message["id"];
    let (kind, body) = match arrived.calls() {
        "initialize" => {
            let result = json!({
                "protocolVersion": "2025-11-25",
                "capabilities": { "tools": {}, "logging": {}, "experimental": { "MARKED": {} } },
                "serverInfo": { "name": "MARKED", "version": "1" },
                "instructions": "MARKED",
            });
            ("application/json", reply(id, &result))
        }
        "tools/call" => {
            let log = json!({ "jsonrpc": "2.0", "method": "notifications/message",
                "params": { "level": "info", "data": "MARKED" } });
            let reply = reply(
                id,
                &json!({ "content": [{ "type": "text", "text": "MARKED" }] }),
            );
            let body = format!("id: MARKED-1\ndata: {log}\n\ndata: {reply}\n\n");
            ("text/event-stream", body)
        }
        "tools/cut" => return Act::Close(String::new()),
        "tools/odd" => ("application/json", "{ \"MARKED\"".to_owned()),
        _ if id.is_null() => {
            return Act::Answer("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n".to_owned());
        }
        _ => ("application/json", reply(id, &json!({}))),
    };
    let length = body.len();
    Act::Answer(format!(
        "HTTP/1.1 200 OK\r\nmcp-session-id: MARKED-session\r\ncontent-type: {kind}\r\n\
         content-length: {length}\r\n\r\n{body}"
    ))
}

fn reply(id: &Value, result: &Value) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string()
}

fn config(script: &Script) -> Config {
    let url = format!("{}?key=MARKED", script.url());
    let config = Config::new(&url).unwrap().listen(false);
    let config = config.remember(Binding::Session);
    let config = config.bearer("MARKED-token").unwrap();
    clean("a configuration", &config);
    config
}

fn options() -> CallOptions {
    let options = CallOptions::new().header("x-key", "MARKED-own").unwrap();
    clean("options", &options);
    options
}

fn params() -> Value {
    json!({ "name": "MARKED", "arguments": { "MARKED": "MARKED" } })
}

/// What came of the calls, in the order of `CALLS`.
fn ended(outcomes: Vec<Result<RawJson, Error>>) {
    let [whole, cut, odd] = outcomes.try_into().unwrap();
    let whole = whole.unwrap();
    assert!(whole.as_str().contains("MARKED"), "the secrets did travel");
    clean("a reply", &whole);
    clean_error(&cut.unwrap_err());
    clean_error(&odd.unwrap_err());
}

const CALLS: [&str; 3] = ["tools/call", "tools/cut", "tools/odd"];

/// Two things at least are told: the session, and the notification.
fn told(events: &[Event]) {
    assert!(events.len() > 1, "{events:?}");
    clean("events", &events);
}

fn travelled(script: &Script) {
    let arrived = script.arrived.lock().unwrap();
    let call = arrived
        .iter()
        .find(|one| one.calls() == "tools/call")
        .unwrap();
    for secret in ["marked-token", "marked-session", "marked-own"] {
        assert!(call.head.contains(secret), "{secret} did not travel");
    }
}

#[test]
fn the_asynchronous_adapter_shows_none() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let script = Script::start(act).await;
        let (service, timer) = (Http::new(), Clock::new());
        clean("a service", &service);
        let (client, driver) = asynchronous::Client::new(config(&script), service, timer);
        clean("a driver", &driver);
        tokio::spawn(driver);
        let mut reader = client.events();
        let mut outcomes = Vec::new();
        for method in CALLS {
            let call = client.call_with(method, params(), options());
            clean("a call", &call);
            outcomes.push(call.await);
            clean("the client", &client);
            clean("its status", &client.status());
        }
        ended(outcomes);
        clean("a reader", &reader);
        travelled(&script);
        client.close().await;
        let mut events = Vec::new();
        while let Some(event) = reader.next().await {
            events.push(event);
        }
        told(&events);
        clean("the client, closed", &client);
        clean_error(&client.call("tools/call", params()).await.unwrap_err());
    });
}

#[test]
fn the_blocking_adapter_shows_none() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let script = runtime.block_on(Script::start(act));
    let transport = blocking::Http::new();
    clean("a transport", &transport);
    let client = blocking::Client::new(config(&script), transport);
    let reader = client.events();
    clean("a reader", &reader);
    let mut outcomes = Vec::new();
    for method in CALLS {
        let call = client.start(method, params(), options()).unwrap();
        clean("a call", &call);
        outcomes.push(call.wait());
        clean("the client", &client);
        clean("its status", &client.status());
    }
    ended(outcomes);
    travelled(&script);
    client.close();
    told(&reader.collect::<Vec<_>>());
    clean("the client, closed", &client);
    clean_error(&client.call("tools/call", params()).unwrap_err());
}
