//! Against a scripted server, for what rmcp's never does.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

use crate::command::{Ran, Running, SECRET, call, eventually, run};
use crate::script::{Act, Arrived, STREAM, Script, reply, usual};

/// The server, on a runtime of its own.
struct Scripted {
    script: Script,
    _runtime: Runtime,
}

impl Scripted {
    /// What `act` leaves open is as usual.
    fn start(act: impl Fn(&Arrived) -> Option<Act> + Send + Sync + 'static) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let script = Script::start(move |arrived| act(arrived).unwrap_or_else(|| usual(arrived)));
        let script = runtime.block_on(script);
        Self {
            script,
            _runtime: runtime,
        }
    }

    /// `answer` is what `tools/call` gets.
    fn answering(answer: impl Fn(&Arrived) -> Act + Send + Sync + 'static) -> Self {
        Self::start(move |arrived| (arrived.calls() == "tools/call").then(|| answer(arrived)))
    }

    fn run(&self, more: &[&str]) -> Ran {
        run(&[&[self.script.url().as_str(), "tools/call"], more].concat())
    }

    fn heads(&self) -> Vec<String> {
        let arrived = self.script.arrived.lock().unwrap();
        arrived.iter().map(|one| one.head.clone()).collect()
    }
}

/// The reply to a request, its result as this text.
fn text_reply(to: &Arrived, member: &str) -> Act {
    let body = format!(
        "{{\"jsonrpc\": \"2.0\", \"id\": {}, {member}}}",
        to.message["id"]
    );
    Act::Answer(format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ))
}

fn status(line: &str, headers: &str, body: &str) -> Act {
    Act::Answer(format!(
        "HTTP/1.1 {line}\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    ))
}

#[test]
fn the_result_keeps_its_digits_and_its_order_on_one_line() {
    let served = Scripted::answering(|arrived| {
        let result = "{\n  \"z\": 12345678901234567890.123456789,\r\n  \"a\": [1E400, 1.0, -0],\n  \
                      \"\\u00e9\": \"é\" }";
        text_reply(arrived, &format!("\"result\": {result}"))
    });
    let expected =
        r#"{"z":12345678901234567890.123456789,"a":[1E400,1.0,-0],"\u00e9":"é"}"#.to_owned();
    let ran = served.run(&[]);
    assert_eq!(ran.stdout, format!("{expected}\n"), "{ran:?}");
    let ran = served.run(&["--json"]);
    let last = ran.stdout.lines().last().unwrap();
    assert_eq!(last, format!(r#"{{"event":"result","result":{expected}}}"#));
}

#[test]
fn every_blame_has_its_exit_code_and_says_what_to_do() {
    type Answer = fn(&Arrived) -> Act;
    let answers: [(i32, &str, Answer); 6] = [
        (3, "code: -32000\n  message: no", |arrived| {
            text_reply(
                arrived,
                r#""error": {"code": -32000, "message": "no", "data": {"n": 1.0}}"#,
            )
        }),
        (
            4,
            "the server failed (HTTP 503 Service Unavailable)",
            |_| status("503 Service Unavailable", "", ""),
        ),
        (5, "the content type `text/html`", |_| {
            status("200 OK", "content-type: text/html\r\n", "<p>")
        }),
        (6, "the connection broke", |_| {
            Act::Close("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n".to_owned())
        }),
        (8, "the server ended the stream before its reply", |_| {
            Act::Close(STREAM.to_owned())
        }),
        (9, "the limit of 16777216 bytes in one line", |_| {
            Act::Flood(
                STREAM.to_owned(),
                "data: ".to_owned() + &"x".repeat(1 << 20),
            )
        }),
    ];
    for (code, text, answer) in answers {
        let served = Scripted::answering(answer);
        let ran = served.run(&[]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(code), ""), "{ran:?}");
        assert!(
            ran.stderr.starts_with("error: `tools/call` failed: "),
            "{ran:?}"
        );
        assert!(ran.stderr.contains(text), "{ran:?}");
        let advice = ran.stderr.lines().last().unwrap();
        assert!(advice.starts_with("  the server "), "{ran:?}");
        assert!(advice.contains("; "), "{ran:?}");
    }
}

#[test]
fn a_tool_that_fails_has_answered_and_says_so() {
    let served = Scripted::answering(|arrived| {
        let result = json!({ "content": [], "isError": true });
        Act::Answer(reply(arrived, &result))
    });
    let ran = served.run(&[]);
    assert_eq!(ran.result()["isError"], true);
    assert_eq!(
        ran.stderr,
        "* the tool reports a failure of its own (`isError`)\n"
    );
}

#[test]
fn the_server_s_words_steer_no_terminal() {
    let served = Scripted::answering(|arrived| {
        let id = &arrived.message["id"];
        let log = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","logger":"db","data":"\u001b[31mred\nerror: faked"}}"#;
        let odd = r#"{"jsonrpc":"2.0","method":"notifications/x\u009b","params":{"a":"\u202e"}}"#;
        let error = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":1,"message":"\u001b]0;title\u0007","data":"\u001b"}}}}"#
        );
        Act::Close(format!(
            "{STREAM}data: {log}\n\ndata: {odd}\n\ndata: {error}\n\n"
        ))
    });
    let ran = served.run(&[]);
    assert_eq!(ran.code, Some(3));
    let controls = |char: char| char.is_control() && char != '\n';
    assert!(!ran.stderr.contains(controls), "{ran:?}");
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(lines[0], "< info (db): \\u{1b}[31mred");
    assert_eq!(lines[1], "    error: faked");
    assert!(lines[2].starts_with("< notifications/x\\u{9b} "), "{ran:?}");
    assert!(
        ran.stderr.contains("  message: \\u{1b}]0;title\\u{7}\n"),
        "{ran:?}"
    );
}

/// A file of this content.
fn file(name: &str, content: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, content).unwrap();
    path
}

#[test]
fn secrets_are_sent_and_never_printed() {
    let served = Scripted::start(|arrived| {
        (arrived.calls() == "tools/call").then(|| {
            let headers = format!(
                "www-authenticate: Bearer realm=\"{SECRET}\", scope=\"x\"\r\n\
                 content-type: text/plain\r\n"
            );
            status("401 Unauthorized", &headers, &format!("not {SECRET}"))
        })
    });
    let with_end = file("with-end", &format!("{SECRET}\r\n"));
    let with_end = with_end.to_str().unwrap();
    let key = format!("x-key={with_end}");
    let bearer = format!("authorization: bearer {SECRET}");
    let cases: [(&[&str], &str); 4] = [
        (&["--bearer-env", "HIDDEN"], &bearer),
        (&["--bearer-file", with_end], &bearer),
        (&["--header-env", "Cookie=HIDDEN"], "cookie: marker-5ecret"),
        (&["--header-file", &key], "x-key: marker-5ecret"),
    ];
    for (arguments, header) in cases {
        served.script.arrived.lock().unwrap().clear();
        for more in [&["--verbose"][..], &["--json"]] {
            let url = served.script.url();
            let arguments = [&[url.as_str(), "tools/call"], arguments, more].concat();
            let mut command = call(&arguments);
            command.env("HIDDEN", SECRET);
            let ran = Running::start(command).end();
            assert_eq!(ran.code, Some(4), "{ran:?}");
            let said = format!("{}{}", ran.stdout, ran.stderr);
            assert!(said.contains("not [secret]"), "{ran:?}");
            if more == ["--verbose"] {
                assert!(
                    said.contains("it asks for: Bearer realm=[secret], scope=x\n"),
                    "{ran:?}"
                );
                assert!(said.contains("--bearer-env VAR"), "{ran:?}");
            }
        }
        let heads = served.heads();
        assert!(heads.len() >= 6, "{heads:?}");
        for head in heads {
            assert!(head.lines().any(|line| line == header), "{header}: {head}");
        }
    }
}

/// Repeats the header's value in all that it says.
fn parrot(header: &'static str, text: impl Fn(&str) -> String + Send + Sync + 'static) -> Scripted {
    let answered = Arc::new(Notify::new());
    Scripted::start(move |arrived| {
        if arrived.message.get("result").is_some() {
            answered.notify_one();
        }
        let value = arrived.headers.iter().find(|(name, _)| name == header)?;
        let said = text(&value.1);
        match arrived.calls() {
            "initialize" => Some(Act::Answer(reply(
                arrived,
                &json!({
                    "protocolVersion": "2025-11-25",
                    "capabilities": { "tools": {}, "experimental": { "x": { said.as_str(): 1 } } },
                    "serverInfo": { "name": said, "version": "1" },
                }),
            ))),
            "tools/call" => {
                let ask = json!({
                    "jsonrpc": "2.0", "id": "e", "method": "elicitation/create",
                    "params": { "message": said, "requestedSchema": { "properties": {} } },
                });
                let error = json!({
                    "jsonrpc": "2.0", "id": arrived.message["id"],
                    "error": { "code": 1, "message": said, "data": { "k": said, "j": json!(said).to_string() } },
                });
                let is_answered = Arc::clone(&answered).notified_owned();
                Some(Act::Wait(
                    format!("{STREAM}data: {ask}\n\n"),
                    Box::pin(is_answered),
                    Box::new(Act::Close(format!("data: {error}\n\n"))),
                ))
            }
            _ => None,
        }
    })
}

#[test]
fn a_secret_is_hidden_in_whatever_shape_it_comes_back() {
    let whole = |value: &str| value.to_owned();
    let quoted = format!("a\"b\\{SECRET}");
    for (header, value, text) in [
        (
            "authorization",
            format!("Bearer {SECRET}"),
            (|value: &str| value.split(' ').next_back().unwrap().to_owned()) as fn(&str) -> String,
        ),
        ("cookie", format!("a=1; sid={SECRET}; b=2"), |value| {
            value.split(['=', ';']).nth(3).unwrap().to_owned()
        }),
        ("x-key", quoted, whole),
    ] {
        let served = parrot(header, text);
        let argument = format!("{header}=HIDDEN");
        for more in ["--verbose", "--json"] {
            let url = served.script.url();
            let mut command = call(&[&url, "tools/call", "--header-env", &argument, more]);
            command.env("HIDDEN", &value);
            let ran = Running::start(command).end();
            assert_eq!(ran.code, Some(3), "{ran:?}");
            let said = format!("{}{}", ran.stdout, ran.stderr);
            assert!(!said.contains("a\\\"b"), "{ran:?}");
            // The handshake's name and capabilities, the question, message and data twice.
            assert!(said.matches("[secret]").count() >= 6, "{ran:?}");
            if more == "--json" {
                let records = ran.records();
                let record = |event| records.iter().find(|one| one["event"] == event).unwrap();
                assert_eq!(record("ready")["server"]["name"], "[secret]");
                assert_eq!(record("ask")["params"]["message"], "[secret]");
                assert_eq!(record("error")["rpc"]["data"]["k"], "[secret]");
            }
        }
    }
}

#[test]
fn a_secret_is_hidden_where_an_excerpt_cuts_it() {
    let served = Scripted::answering(|arrived| {
        let key = arrived.headers.iter().find(|(name, _)| name == "x-key");
        let body = "x".repeat(1015) + &key.unwrap().1;
        status("403 Forbidden", "content-type: text/plain\r\n", &body)
    });
    for more in ["--verbose", "--json"] {
        let url = served.script.url();
        let mut command = call(&[&url, "tools/call", "--header-env", "x-key=HIDDEN", more]);
        command.env("HIDDEN", SECRET);
        let ran = Running::start(command).end();
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(said.contains("xx[secret]"), "{ran:?}");
        assert!(!said.contains("marker"), "{ran:?}");
    }
}

#[test]
fn plain_headers_are_sent_too() {
    let served = Scripted::start(|_| None);
    served.run(&["--header", "X-Tenant: blue"]).result();
    for head in served.heads() {
        assert!(head.lines().any(|line| line == "x-tenant: blue"), "{head}");
    }
}

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

#[test]
fn only_an_idempotent_call_is_sent_again_when_in_doubt() {
    for (more, sent) in [(&[][..], 1), (&["--idempotent"], 3)] {
        let served = Scripted::answering(|_| Act::Close(String::new()));
        let ran = served.run(more);
        assert_eq!(ran.code, Some(6), "{ran:?}");
        assert_eq!(served.script.arrived("tools/call"), sent, "{ran:?}");
    }
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
