//! Whatever the server does, the client ends by itself, and not well.

use std::io::Read;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// It takes connections, and says nothing to anybody.
#[test]
fn a_server_that_never_answers_is_given_up() {
    for adapter in ["asynchronous", "blocking"] {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/mcp", silent.local_addr().unwrap());
        let mut client = Command::new(env!("CARGO_BIN_EXE_example-conformance-client"))
            .args(["--adapter", adapter, &url])
            .env("MCP_CONFORMANCE_DEADLINE_MS", "300")
            .env("MCP_CONFORMANCE_PROTOCOL_VERSION", "2025-11-25")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();

        // Less than what the connection itself waits for a head.
        let end = Instant::now() + Duration::from_secs(20);
        while client.try_wait().unwrap().is_none() && Instant::now() < end {
            thread::sleep(Duration::from_millis(10));
        }
        let _ = client.kill();

        let mut said = String::new();
        client
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        assert_eq!(client.wait().unwrap().code(), Some(1), "{adapter}: {said}");
        assert!(said.contains("it did not end in time"), "{adapter}: {said}");
    }
}
