//! Each example as somebody runs it: a program with arguments, its output read, against the
//! official Rust SDK's server and against a scripted one.
//!
//! `cargo test --all-features` builds the examples first. To run these tests alone, do so
//! before: `cargo build --all-features --examples`.

#![cfg(test)]
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "tests: clippy.toml allows these inside test functions, helpers need them too"
)]

#[path = "../support/script.rs"]
mod script;
#[path = "../../examples/demo/server.rs"]
mod server;

mod bare;

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use script::{Act, Script, usual};
use serde_json::json;
use server::{ProtocolVersion, Server, Then};

/// Only so that an example that hangs does not hang the tests.
const PATIENCE: Duration = Duration::from_secs(60);

struct Ran {
    stdout: String,
    stderr: String,
    success: bool,
}

async fn run(example: &str, args: &[&str]) -> Ran {
    let target = std::env::current_exe().unwrap();
    let folder = target.parent().unwrap().with_file_name("examples");
    let program = folder.join(format!("{example}{}", std::env::consts::EXE_SUFFIX));
    assert!(program.exists(), "cargo build --all-features --examples");
    let mut command = Command::new(program);
    command.args(args).env("NO_PROXY", "*");
    tokio::task::spawn_blocking(move || wait_for(&mut command))
        .await
        .unwrap()
}

fn wait_for(command: &mut Command) -> Ran {
    command.stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let stdout = text(child.stdout.take().unwrap());
    let stderr = text(child.stderr.take().unwrap());
    let Ok(stdout) = stdout.recv_timeout(PATIENCE) else {
        child.kill().unwrap();
        panic!("{command:?} hangs: {}", stderr.recv().unwrap());
    };
    Ran {
        stdout,
        stderr: stderr.recv().unwrap(),
        success: child.wait().unwrap().success(),
    }
}

fn text(mut pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).unwrap();
        sender.send(text)
    });
    receiver
}

/// The examples that make one call; where a server is, as each of them wants to hear it.
const CALLERS: [&str; 3] = ["bare", "reqwest", "unix_socket"];

async fn call(example: &str, url: &str, args: &[&str]) -> Ran {
    let place = Place::of(example, url);
    run(example, &[&[place.name.as_str()], args].concat()).await
}

/// A URL, or a socket in front of the server there. It is removed when this is dropped.
struct Place {
    name: String,
}

impl Place {
    #[cfg(unix)]
    fn of(example: &str, url: &str) -> Self {
        use tokio::net::{TcpStream, UnixListener};

        if example != "unix_socket" {
            return Self { name: url.into() };
        }
        let uri: http::Uri = url.parse().unwrap();
        let address = uri.authority().unwrap().to_string();
        let name = format!("mcp-http-{}-{address}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let listener = UnixListener::bind(&path).unwrap();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let address = address.clone();
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(address).await?;
                    tokio::io::copy_bidirectional(&mut near, &mut far).await
                });
            }
        });
        let name = path.to_str().unwrap().to_owned();
        Self { name }
    }

    #[cfg(not(unix))]
    fn of(_: &str, url: &str) -> Self {
        Self { name: url.into() }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A URL names no file.
        let _ = std::fs::remove_file(&self.name);
    }
}

fn callers() -> impl Iterator<Item = &'static str> {
    CALLERS
        .into_iter()
        .filter(|example| cfg!(unix) || *example != "unix_socket")
}

fn work(key: &str, ms: u64) -> String {
    json!({ "name": "work", "arguments": { "key": key, "ms": ms, "steps": 3 } }).to_string()
}

#[tokio::test]
async fn a_call_survives_the_loss_of_its_session() {
    let server = Server::start().await;
    server.speak_up_to(ProtocolVersion::V_2025_11_25);
    for example in callers() {
        server.reset_counts();
        server.gate(1, Then::Forget);
        let ran = call(example, &server.url(), &["tools/call", &work(example, 50)]).await;
        assert!(ran.success, "{example}: {}", ran.stderr);
        let answer = format!("done {example}");
        assert!(ran.stdout.contains(&answer), "{example}: {}", ran.stdout);
        assert!(ran.stderr.contains("Reinitialize"), "{example}");
        assert_eq!(server.executions()[example], 1, "{example}");
        assert_eq!(server.count().initialize, 2, "{example}");
        assert_eq!(server.count().deletes, 1, "{example}");
        assert_eq!(server.sessions().await, 0, "{example}");
    }
}

#[tokio::test]
async fn what_cannot_be_reached_was_not_sent() {
    // Bound, so that nobody else answers there, and not listening.
    let server = Server::start().await;
    server.stop().await;
    let url = format!("{}?key=hidden", server.url());
    for example in ["bare", "reqwest"] {
        let ran = run(example, &[&url, "tools/list"]).await;
        assert!(!ran.success && ran.stdout.is_empty(), "{example}");
        let why = "no connection could be made";
        assert!(ran.stderr.contains(why), "{example}: {}", ran.stderr);
        assert!(!ran.stderr.contains("hidden"), "{example}: {}", ran.stderr);
    }
    if cfg!(unix) {
        let ran = run("unix_socket", &["/there/is/none", "tools/list"]).await;
        assert!(!ran.success && ran.stdout.is_empty());
        let why = "no connection could be made";
        assert!(ran.stderr.contains(why), "{}", ran.stderr);
        assert!(ran.stderr.contains("No such file"), "{}", ran.stderr);
    }
}

#[tokio::test]
async fn what_broke_may_have_been_executed() {
    let script = Script::start(|arrived| match arrived.calls() {
        "tools/call" => Act::Close(String::new()),
        _ => usual(arrived),
    })
    .await;
    for example in callers() {
        let ran = call(example, &script.url(), &["tools/call"]).await;
        assert!(!ran.success && ran.stdout.is_empty(), "{example}");
        let why = "the server may have executed it";
        assert!(ran.stderr.contains(why), "{example}: {}", ran.stderr);
    }
    let calls = script.arrived("tools/call");
    assert_eq!(calls, callers().count(), "nobody sends it again");
}

#[tokio::test]
async fn redirects_are_left_to_the_machine() {
    let elsewhere = Script::start(usual).await;
    let place = elsewhere.url();
    let script = Script::start(move |_| {
        Act::Answer(format!(
            "HTTP/1.1 307 Temporary Redirect\r\nlocation: {place}\r\ncontent-length: 0\r\n\r\n"
        ))
    })
    .await;
    for example in callers() {
        let ran = call(example, &script.url(), &["tools/list"]).await;
        assert!(!ran.success, "{example}");
        assert!(ran.stderr.contains("307"), "{example}: {}", ran.stderr);
    }
    assert_eq!(elsewhere.arrived("initialize"), 0);
}

#[tokio::test]
async fn a_server_in_process_loses_sessions_and_time() {
    let ran = run("in_process", &[]).await;
    assert!(ran.success, "{}", ran.stderr);
    // As it happened.
    let mut rest = ran.stdout.as_str();
    for expected in [
        "hello Ada",
        "Reinitialize { generation: 1, cause: NotFound }",
        "hello Grace",
        "Reinitialize { generation: 2, cause: NotFound }",
        "hello Edith",
        "no reply came within 60.0 s",
        "sessions left: 0",
    ] {
        let Some((_, after)) = rest.split_once(expected) else {
            panic!("{expected}: {}", ran.stdout);
        };
        rest = after;
    }
    assert_eq!(ran.stdout.matches("Reinitialize").count(), 2);
}

#[test]
fn the_readme_says_how_to_run_each() {
    let readme = include_str!("../../README.md");
    for example in CALLERS.into_iter().chain(["in_process"]) {
        let file = match example {
            "bare" => include_str!("../../examples/bare/main.rs"),
            "in_process" => include_str!("../../examples/in_process.rs"),
            "reqwest" => include_str!("../../examples/reqwest.rs"),
            _ => include_str!("../../examples/unix_socket.rs"),
        };
        let command = file
            .lines()
            .find_map(|line| line.strip_prefix("//! `cargo run ")?.strip_suffix('`'))
            .unwrap();
        let command = command.split(" METHOD").next().unwrap();
        let shown = readme.contains(&format!("`cargo run {command}"));
        assert!(shown, "README.md does not show: cargo run {command}");
    }
}
