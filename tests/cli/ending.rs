//! Ways in which a call ends before its time, and a session after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::command::{Running, call, eventually};
use crate::script::{Act, STREAM};
use crate::scripted::Scripted;

#[cfg(unix)]
#[test]
fn a_second_ctrl_c_leaves_at_once() {
    // The call hangs, and so does everything by which it could end in order.
    let served = Scripted::start(|arrived| {
        let hangs = arrived.method == "DELETE"
            || matches!(arrived.calls(), "tools/call" | "notifications/cancelled");
        let started = r#"{"jsonrpc":"2.0","method":"notifications/x"}"#;
        hangs.then(|| Act::Hang(format!("{STREAM}data: {started}\n\n")))
    });
    let mut running = Running::start(call(&[&served.script.url(), "tools/call"]));
    running.says("< notifications/x");
    running.interrupt();
    running.says("it was cancelled\n");
    running.interrupt();
    assert_eq!(running.end().code, Some(130));
    assert_eq!(served.script.arrived("notifications/cancelled"), 1);
}

#[cfg(unix)]
#[test]
fn ctrl_c_works_while_stderr_takes_nothing() {
    let served = Scripted::answering(|_| {
        let log = json!({ "jsonrpc": "2.0", "method": "notifications/x", "params": { "a": "x".repeat(1000) } });
        Act::Flood(STREAM.to_owned(), format!("data: {log}\n\n").repeat(64))
    });
    let (running, _stderr) =
        Running::start_with_unread_stderr(call(&[&served.script.url(), "tools/call"]));
    // Until nothing is read any more: stderr, all queues and the socket are full.
    let mut before = 0;
    eventually("it blocks", || {
        thread::sleep(Duration::from_millis(200));
        let now = served.script.written.load(Ordering::SeqCst);
        let is_full = now > 0 && now == before;
        before = now;
        is_full
    });
    running.interrupt();
    eventually("it is cancelled", || {
        served.script.arrived("notifications/cancelled") == 1
    });
    running.interrupt();
    assert_eq!(running.end().code, Some(130));
}

#[test]
fn a_server_that_hangs_holds_nobody_up() {
    let served = Scripted::start(|arrived| {
        (arrived.calls() == "initialize").then(|| Act::Hang(String::new()))
    });
    let ran = served.run(&["--time-out", "100ms"]);
    assert_eq!(ran.code, Some(7), "{ran:?}");
    let served =
        Scripted::start(|arrived| (arrived.method == "DELETE").then(|| Act::Hang(String::new())));
    let ran = served.run(&[]);
    assert_eq!(ran.result()["method"], "tools/call");
    assert_eq!(ran.stderr, "* ending the session; Ctrl-C leaves at once\n");
}

#[cfg(unix)]
#[test]
fn ctrl_c_after_the_result_takes_nothing_from_it() {
    let served =
        Scripted::start(|arrived| (arrived.method == "DELETE").then(|| Act::Hang(String::new())));
    let mut running = Running::start(call(&[&served.script.url(), "tools/call"]));
    running.says("* ending the session");
    running.interrupt();
    running.end().result();
}

#[test]
fn a_call_whose_result_nobody_reads_is_cancelled() {
    let log = r#"{"jsonrpc":"2.0","method":"notifications/x"}"#;
    let served = Scripted::answering(move |_| Act::Hang(format!("{STREAM}data: {log}\n\n")));
    let url = served.script.url();
    let ran = Running::start_with_closed_stdout(call(&[&url, "tools/call", "--json"])).end();
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), ""));
}

#[cfg(unix)]
#[test]
fn the_session_ends_only_when_the_server_has_taken_notice_of_a_cancellation() {
    let ended = Arc::new(AtomicBool::new(false));
    let noticed = Arc::new(AtomicBool::new(false));
    let (ended_here, noticed_here) = (Arc::clone(&ended), Arc::clone(&noticed));
    let served = Scripted::start(move |arrived| match arrived.calls() {
        "tools/call" => {
            let started = r#"{"jsonrpc":"2.0","method":"notifications/x"}"#;
            Some(Act::Hang(format!("{STREAM}data: {started}\n\n")))
        }
        "notifications/cancelled" => {
            // Time for a DELETE that does not wait.
            tokio::task::block_in_place(|| thread::sleep(Duration::from_millis(300)));
            noticed_here.store(!ended_here.load(Ordering::SeqCst), Ordering::SeqCst);
            None
        }
        _ => {
            ended_here.fetch_or(arrived.method == "DELETE", Ordering::SeqCst);
            None
        }
    });
    let mut running = Running::start(call(&[&served.script.url(), "tools/call"]));
    running.says("< notifications/x");
    running.interrupt();
    assert_eq!(running.end().code, Some(130));
    assert!(noticed.load(Ordering::SeqCst));
    assert!(ended.load(Ordering::SeqCst));
}
