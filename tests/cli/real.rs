//! Against rmcp's server.

use std::process::Command;

use serde_json::json;
use tokio::runtime::{Builder, Runtime};

use crate::command::{Ran, Running, call, run};
use crate::server::{ProtocolVersion, Server, Then};

/// The server, on a runtime of its own.
pub(crate) struct Served {
    pub(crate) server: Server,
    pub(crate) runtime: Runtime,
}

impl Served {
    /// With sessions, and nothing newer.
    pub(crate) fn start() -> Self {
        let served = Self::modern();
        served.server.speak_up_to(ProtocolVersion::V_2025_11_25);
        served
    }

    /// In every revision that it knows.
    pub(crate) fn modern() -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let server = runtime.block_on(Server::start());
        Self { server, runtime }
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        run(&[&[self.url().as_str()], arguments].concat())
    }

    pub(crate) fn has_no_session(&self) -> bool {
        self.runtime.block_on(self.server.sessions()) == 0
    }
}

pub(crate) fn work(key: &str, ms: u64, steps: u64) -> String {
    json!({ "name": "work", "arguments": { "key": key, "ms": ms, "steps": steps } }).to_string()
}

#[test]
fn the_result_is_one_line_and_the_session_ends() {
    let served = Served::start();
    let ran = served.run(&["tools/list"]);
    let result = ran.result();
    assert_eq!(result["tools"].as_array().map(Vec::len), Some(2), "{ran:?}");
    assert_eq!(ran.stderr, "");
    assert_eq!(served.server.count().deletes, 1);
    assert!(served.has_no_session());
}

#[test]
fn params_come_from_the_command_line_or_from_stdin() {
    let served = Served::start();
    served.run(&["tools/call", &work("typed", 0, 0)]).result();
    let mut piped = Running::start(call(&[&served.url(), "tools/call", "-"]));
    piped.types(&work("piped", 0, 0));
    let result = piped.end().result();
    assert_eq!(result["content"][0]["text"], "done piped");
    let executed: Vec<String> = served.server.executions().into_keys().collect();
    assert_eq!(executed, ["piped", "typed"]);
}

#[test]
fn progress_is_told_on_stderr_in_its_order() {
    let served = Served::start();
    let ran = served.run(&["tools/call", &work("p", 30, 3)]);
    ran.result();
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(
        lines,
        [
            "< progress 1.0 of 3.0",
            "< progress 2.0 of 3.0",
            "< progress 3.0 of 3.0"
        ]
    );
}

#[test]
fn a_progress_token_of_the_params_is_kept() {
    let served = Served::start();
    let params = work("t", 10, 1).replacen('{', r#"{"_meta":{"progressToken":"mine"},"#, 1);
    let ran = served.run(&["tools/call", &params, "--json"]);
    let records = ran.records();
    let message = &records[records.len() - 2];
    assert_eq!(message["params"]["progressToken"], "mine", "{ran:?}");
}

#[test]
fn a_lost_session_is_told_if_wanted_and_the_call_is_answered() {
    for verbose in [true, false] {
        let served = Served::start();
        served.server.gate(1, Then::Forget);
        let params = work("kept", 0, 0);
        let mut arguments = vec!["tools/call", &params];
        arguments.extend(verbose.then_some("--verbose"));
        let ran = served.run(&arguments);
        ran.result();
        assert_eq!(served.server.executions().get("kept"), Some(&1));
        assert_eq!(served.server.count().initialize, 2);
        if verbose {
            // The GET of the session that is lost may be answered first.
            let listening = |line: &&str| line.contains("the server offers no listening stream");
            let lines = ran.stderr.lines().filter(|line| !listening(line));
            let lines: Vec<&str> = lines.collect();
            assert_eq!(lines.len(), 3, "{ran:?}");
            assert!(
                lines[0].starts_with("* session 1 with demo-server 1.0.0, revision 2025-11-25")
            );
            assert_eq!(
                lines[1],
                "* session 1 is lost: the server answered 404; asking for a new one"
            );
            assert!(
                lines[2].starts_with("* session 2 with demo-server"),
                "{ran:?}"
            );
            assert!(lines[2].ends_with("what was refused with the old one is sent again"));
        } else {
            assert_eq!(ran.stderr, "");
        }
    }
}

#[test]
fn for_programs_each_event_is_a_line_and_the_outcome_the_last() {
    let served = Served::start();
    served.server.gate(1, Then::Forget);
    let ran = served.run(&["tools/call", &work("j", 20, 1), "--json", "--verbose"]);
    let mut records = ran.records();
    // The GET of the session that is lost may be answered first.
    records.retain(|record| record["event"] != "stream-not-offered");
    let events: Vec<&str> = records
        .iter()
        .filter_map(|record| record["event"].as_str())
        .collect();
    assert_eq!(
        events,
        ["ready", "reinitialize", "ready", "message", "result"]
    );
    assert_eq!(records[0]["server"]["name"], "demo-server");
    assert_eq!(
        records[1],
        json!({ "event": "reinitialize", "generation": 1, "cause": "not-found" })
    );
    assert_eq!(records[3]["method"], "notifications/progress");
    assert_eq!(records[4]["result"]["content"][0]["text"], "done j");
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));

    let ran = served.run(&["tools/call", "{\"name\": \"none\"}", "--json"]);
    let records = ran.records();
    let error = records.last().unwrap();
    assert_eq!(error["event"], "error");
    assert_eq!(error["exit"], 3);
    assert_eq!(error["rpc"]["code"], -32602);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(3), ""));
}

#[test]
fn an_error_of_the_server_is_readable_and_has_its_code() {
    let served = Served::start();
    let ran = served.run(&["tools/call", "{\"name\": \"none\"}"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), ""));
    assert!(
        ran.stderr
            .contains("  code: -32602\n  message: there is no tool none\n"),
        "{ran:?}"
    );
    assert!(
        ran.stderr.contains("the server may have executed it"),
        "{ran:?}"
    );
}

#[test]
fn a_time_out_cancels_the_call_and_ends_the_session() {
    let served = Served::start();
    let params = work("slow", 30_000, 0);
    let ran = served.run(&["tools/call", &params, "--time-out", "1500ms"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(7), ""));
    assert!(ran.stderr.contains("no reply came within 1.5 s"), "{ran:?}");
    assert!(
        ran.stderr.contains("find out whether it took effect"),
        "{ran:?}"
    );
    assert_eq!(served.server.cancellations().get("slow"), Some(&1));
    assert_eq!(served.server.count().deletes, 1);
}

#[cfg(unix)]
#[test]
fn ctrl_c_cancels_the_call_and_ends_the_session() {
    let served = Served::start();
    let params = work("long", 30_000, 300);
    let mut running = Running::start(call(&[&served.url(), "tools/call", &params]));
    running.says("< progress 1.0 of 300.0");
    running.interrupt();
    let ran = running.end();
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(130), ""));
    assert!(
        ran.stderr
            .contains("* cancelling; Ctrl-C again leaves at once\n"),
        "{ran:?}"
    );
    assert!(
        ran.stderr
            .contains("error: `tools/call` failed: it was cancelled\n"),
        "{ran:?}"
    );
    assert_eq!(served.server.cancellations().get("long"), Some(&1));
    assert_eq!(served.server.count().deletes, 1);
    assert!(served.has_no_session());
}

#[test]
fn without_a_terminal_the_server_s_question_is_declined() {
    let served = Served::start();
    let ran = served.run(&["tools/call", "{\"name\": \"ask\"}"]);
    assert_eq!(ran.result()["content"][0]["text"], "declined");
    assert_eq!(
        ran.stderr,
        "* the server asked for data and was told no, for there is nobody to ask: What is your name?\n"
    );
}

#[test]
fn a_wrong_address_and_a_server_that_is_away_are_told_apart() {
    let served = Served::start();
    served.server.refuse(true);
    let ran = served.run(&["tools/list"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(ran.stderr.contains("check the endpoint's URL"), "{ran:?}");
    served.runtime.block_on(served.server.stop());
    let ran = served.run(&["tools/list"]);
    assert_eq!(ran.code, Some(6), "{ran:?}");
    assert!(
        ran.stderr.contains("no connection could be made"),
        "{ran:?}"
    );
    assert!(
        ran.stderr.contains("it did not reach the server"),
        "{ran:?}"
    );
}

#[test]
fn who_closes_stdout_has_what_was_wanted() {
    let served = Served::start();
    let ran = Running::start_with_closed_stdout(call(&[&served.url(), "tools/list"])).end();
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    assert_eq!(served.server.count().deletes, 1);
}

#[test]
fn the_readme_s_examples_run() {
    let served = Served::start();
    let readme = include_str!("../../README.md");
    let commands = readme
        .lines()
        .filter(|line| line.starts_with("mcp-http call "));
    let mut count = 0;
    for line in commands {
        let line = line.replace("http://127.0.0.1:8000/mcp", &served.url());
        let line = line.replace("mcp-http", env!("CARGO_BIN_EXE_mcp-http"));
        let mut command = shell(&line);
        command.env("TOKEN", "abc");
        let result = Running::start(command).end().result();
        assert!(result.is_object(), "{line}");
        count += 1;
    }
    assert!(count > 0, "the README shows the command");
}

fn shell(line: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", line]);
    shell
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_written_is_no_success() {
    let served = Served::start();
    let program = env!("CARGO_BIN_EXE_mcp-http");
    let line = format!("'{program}' call {} tools/list > /dev/full", served.url());
    let ran = Running::start(shell(&line)).end();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.stderr
            .starts_with("error: the result cannot be written: "),
        "{ran:?}"
    );
    assert!(served.has_no_session());
}
