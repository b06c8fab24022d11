//! On a terminal, which `script` makes.

use std::process::Command;

use crate::command::{Running, mcp_http};
use crate::real::{Served, work};

fn on_a_terminal(served: &Served, arguments: &[&str]) -> Running {
    Running::start(on_a_terminal_command(served, arguments))
}

/// The command on a terminal of its own. Its stdout and stderr both come as stdout.
fn on_a_terminal_command(served: &Served, arguments: &[&str]) -> Command {
    let program = mcp_http().get_program().to_str().unwrap().to_owned();
    let url = served.url();
    let words = [&[program.as_str(), "call", &url], arguments].concat();
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let mut script = Command::new("script");
    script.args([
        "--quiet",
        "--return",
        "--command",
        &quoted.join(" "),
        "/dev/null",
    ]);
    script
}

const ASK: &str = r#"{"name": "ask"}"#;

#[test]
fn the_result_is_laid_out() {
    let served = Served::start();
    let ran = on_a_terminal(&served, &["tools/call", &work("t", 0, 0)]).end();
    let stdout = ran.stdout.replace('\r', "");
    assert!(
        stdout.ends_with(
            "{\n  \"content\": [\n    {\n      \"type\": \"text\",\n      \"text\": \"done t\"\n    }\n  \
             ],\n  \"isError\": false\n}\n"
        ),
        "{ran:?}"
    );
    assert_eq!(ran.code, Some(0));
}

#[test]
fn the_person_answers_the_server_s_question() {
    let served = Served::start();
    let mut running = on_a_terminal(&served, &["tools/call", ASK]);
    running.says("(it calls itself demo-server 1.0.0) asks:");
    running.says("What is your name?");
    running.says("[a]nswer, [d]ecline, [c]ancel: ");
    running.types("a\n");
    running.says("  name: ");
    running.types("Ada\n");
    running.says("[s]end, [e]dit");
    running.types("s\n");
    running.says("hello Ada");
    assert_eq!(running.end().code, Some(0));
}

#[test]
fn without_a_session_the_person_answers_it_too() {
    let served = Served::modern();
    let mut running = on_a_terminal(&served, &["tools/call", ASK, "--revision", "2026-07-28"]);
    running.says("(it calls itself demo-server 1.0.0) asks:");
    running.says("[a]nswer, [d]ecline, [c]ancel: ");
    running.types("a\n");
    running.says("  name: ");
    running.types("Ada\n");
    running.says("[s]end, [e]dit");
    running.types("s\n");
    running.says("hello Ada, asked by ");
    assert_eq!(running.end().code, Some(0));
}

#[test]
fn a_question_that_repeats_a_secret_does_not_show_it() {
    let served = Served::start();
    let mut command = on_a_terminal_command(&served, &["tools/call", ASK, "--header-env", "x-a=A"]);
    command.env("A", "What is your name?");
    let mut running = Running::start(command);
    running.says("asks:\r\n    [secret]\r\n");
    running.says("[a]nswer, [d]ecline, [c]ancel: ");
    running.types("c\n");
    assert_eq!(running.end().code, Some(0));
}

#[test]
fn the_person_declines_it() {
    let served = Served::start();
    let mut running = on_a_terminal(&served, &["tools/call", ASK]);
    running.says("[a]nswer, [d]ecline, [c]ancel: ");
    running.types("d\n");
    running.says("\"declined\"");
    assert_eq!(running.end().code, Some(0));
}

#[test]
fn ctrl_c_at_a_question_cancels_the_call() {
    let served = Served::start();
    let mut running = on_a_terminal(&served, &["tools/call", ASK]);
    running.says("[a]nswer, [d]ecline, [c]ancel: ");
    running.types("\u{3}");
    running.says("* cancelling");
    running.says("it was cancelled");
    assert_eq!(running.end().code, Some(130));
    assert_eq!(served.server.count().deletes, 1);
}

#[test]
fn nobody_is_asked_where_stdin_holds_the_params() {
    let served = Served::start();
    let mut running = on_a_terminal(&served, &["tools/call", "-"]);
    running.types(&format!("{ASK}\n\u{4}"));
    running.says("there is nobody to ask: What is your name?");
    running.says("\"declined\"");
    assert_eq!(running.end().code, Some(0));
}
