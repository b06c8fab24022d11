//! Whom both adapters trust, and what they say of whom they do not.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mcp_http::{Clocks, Config, Delivery, Error, RawJson, Reason, asynchronous, blocking};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::support::*;
use crate::tls::{BOTH, Tls, server, trusted, url};

/// A call, and the end of the connection, through each adapter.
fn call_through_both(url: &str) -> [(&'static str, Result<RawJson, Error>); 2] {
    let mut clocks = Clocks::default();
    clocks.head = Some(Duration::from_secs(20));
    let config = || Config::new(url).unwrap().clocks(clocks).listen(false);

    let client = blocking::Client::spawn(config());
    let from_blocking = client.call("tools/list", ());
    client.close();

    let runtime = Runtime::new().unwrap();
    let from_asynchronous = runtime.block_on(async {
        let client = asynchronous::Client::spawn(config());
        let outcome = client.call("tools/list", ()).await;
        client.close().await;
        outcome
    });
    [
        ("blocking", from_blocking),
        ("asynchronous", from_asynchronous),
    ]
}

/// Both fail before anything was sent, and say this.
fn unsent(url: &str, words: &str) {
    for (adapter, outcome) in call_through_both(url) {
        let error = outcome.unwrap_err();
        println!("{adapter}: {error}");
        assert_eq!(error.delivery(), Delivery::NotSent, "{adapter}: {error}");
        assert!(
            matches!(error.reason(), Reason::Transport(_)),
            "{adapter}: {error}"
        );
        assert!(error.to_string().contains(words), "{adapter}: {error}");
    }
}

/// What arrived at a server: the name that TLS was asked for, and the message.
type Arrived = Arc<Mutex<Vec<(Option<String>, Value)>>>;

/// A server of MCP.
fn serve(arrived: Arrived) -> impl Fn(Tls) {
    move |mut stream| {
        while let Some((_, body)) = read_request(&mut stream) {
            let message: Value = serde_json::from_slice(&body).unwrap_or_default();
            let name = stream.conn.server_name().map(str::to_owned);
            arrived.lock().unwrap().push((name, message.clone()));
            let result = match message["method"].as_str() {
                Some("initialize") => json!({
                    "protocolVersion": "2025-11-25",
                    "capabilities": { "tools": {} },
                    "serverInfo": { "name": "secure", "version": "1" },
                }),
                _ => json!({ "tools": [] }),
            };
            let reply = json!({ "jsonrpc": "2.0", "id": message["id"], "result": result });
            let answer = match message.get("id") {
                Some(_) => ok(&reply.to_string())
                    .replace("OK\r\n", "OK\r\ncontent-type: application/json\r\n"),
                None => "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n".to_owned(),
            };
            let _ = stream.write_all(answer.as_bytes());
        }
    }
}

#[test]
fn whom_the_system_vouches_for() {
    let _alone = alone();
    if !trusted("trust::whom_the_system_vouches_for") {
        return;
    }
    for version in BOTH {
        let arrived = Arrived::default();
        let server = server("localhost", version, serve(Arc::clone(&arrived)));
        for (adapter, outcome) in call_through_both(&url(&server)) {
            assert_eq!(outcome.unwrap().as_str(), r#"{"tools":[]}"#, "{adapter}");
        }
        let arrived = arrived.lock().unwrap();
        // Each finds out how the server is reached, and makes its call.
        assert_eq!(arrived.len(), 8);
        for (name, message) in &*arrived {
            assert_eq!(name.as_deref(), Some("localhost"), "{message}");
        }
    }
}

#[test]
fn whom_nobody_vouches_for() {
    let _alone = alone();
    for version in BOTH {
        let arrived = Arrived::default();
        let server = server("localhost", version, serve(Arc::clone(&arrived)));
        unsent(&url(&server), "invalid peer certificate: UnknownIssuer");
        assert!(arrived.lock().unwrap().is_empty());
        assert!(server.count() >= 2);
    }
}

#[test]
fn one_who_has_another_name() {
    let _alone = alone();
    if !trusted("trust::one_who_has_another_name") {
        return;
    }
    for version in BOTH {
        let arrived = Arrived::default();
        let server = server("elsewhere", version, serve(Arc::clone(&arrived)));
        unsent(
            &url(&server),
            "certificate not valid for name \"localhost\"",
        );
        assert!(arrived.lock().unwrap().is_empty());
    }
}

#[test]
fn one_who_speaks_no_tls() {
    let _alone = alone();
    let server = Server::start(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        gone(&stream, Duration::from_secs(5));
    });
    unsent(&url(&server), "no connection could be made: ");
    assert!(server.count() >= 2);
}

#[test]
fn one_whose_name_nobody_knows() {
    let _alone = alone();
    unsent(
        "https://no-such-host.invalid/mcp",
        "no connection could be made: ",
    );
}

/// A handshake that hangs, given up by closing: the socket is free, long before the time
/// to connect is over.
#[test]
fn one_who_is_silent_is_let_go() {
    let _alone = alone();
    let (tx, rx) = channel();
    let server = Server::start(move |stream| say(&tx, gone(&stream, Duration::from_secs(5))));
    let config = || {
        let mut clocks = Clocks::default();
        clocks.delete = Duration::from_millis(100);
        Config::new(&url(&server))
            .unwrap()
            .clocks(clocks)
            .listen(false)
    };

    let client = blocking::Client::spawn(config());
    let call = client
        .start("tools/list", (), mcp_http::CallOptions::new())
        .unwrap();
    until(|| server.count() == 1);
    client.close();
    assert_eq!(call.wait().unwrap_err().reason(), &Reason::Closed);
    assert!(hear(&rx), "the blocking adapter still has it");

    let runtime = Runtime::new().unwrap();
    let _runtime = runtime.enter();
    let client = asynchronous::Client::spawn(config());
    let call = client.call("tools/list", ());
    until(|| server.count() == 2);
    runtime.block_on(client.close());
    let error = runtime.block_on(call).unwrap_err();
    assert_eq!(error.reason(), &Reason::Closed);
    assert!(hear(&rx), "the asynchronous adapter still has it");
}
