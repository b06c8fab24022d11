//! Against a scripted server, for what rmcp's never does.

use serde_json::json;
use tokio::runtime::{Builder, Runtime};

use crate::command::{Ran, run};
use crate::script::{Act, Arrived, STREAM, Script, reply, usual};

/// The server, on a runtime of its own.
pub(crate) struct Scripted {
    pub(crate) script: Script,
    _runtime: Runtime,
}

impl Scripted {
    /// What `act` leaves open is as usual.
    pub(crate) fn start(act: impl Fn(&Arrived) -> Option<Act> + Send + Sync + 'static) -> Self {
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
    pub(crate) fn answering(answer: impl Fn(&Arrived) -> Act + Send + Sync + 'static) -> Self {
        Self::start(move |arrived| (arrived.calls() == "tools/call").then(|| answer(arrived)))
    }

    pub(crate) fn run(&self, more: &[&str]) -> Ran {
        run(&[&[self.script.url().as_str(), "tools/call"], more].concat())
    }

    pub(crate) fn heads(&self) -> Vec<String> {
        let arrived = self.script.arrived.lock().unwrap();
        arrived.iter().map(|one| one.head.clone()).collect()
    }
}

/// The reply to a request, its result as this text.
pub(crate) fn text_reply(to: &Arrived, member: &str) -> Act {
    let body = format!(
        "{{\"jsonrpc\": \"2.0\", \"id\": {}, {member}}}",
        to.message["id"]
    );
    Act::Answer(format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ))
}

pub(crate) fn status(line: &str, headers: &str, body: &str) -> Act {
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

#[test]
fn plain_headers_are_sent_too() {
    let served = Scripted::start(|_| None);
    served.run(&["--header", "X-Tenant: blue"]).result();
    for head in served.heads() {
        assert!(head.lines().any(|line| line == "x-tenant: blue"), "{head}");
    }
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

#[test]
fn a_failed_handshake_is_said_once() {
    let served = Scripted::start(|arrived| {
        (arrived.calls() == "initialize").then(|| status("403 Forbidden", "", "no entry"))
    });
    let ran = served.run(&["--verbose"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert_eq!(ran.stderr.matches("no entry").count(), 1, "{ran:?}");
}

#[test]
fn a_message_that_cannot_be_read_is_said_once() {
    let served = Scripted::answering(|arrived| {
        let reply = json!({ "jsonrpc": "2.0", "id": arrived.message["id"], "result": {} });
        Act::Close(format!("{STREAM}data: {{\n\ndata: {reply}\n\n"))
    });
    let ran = served.run(&[]);
    ran.result();
    assert_eq!(ran.stderr.matches("cannot be read").count(), 1, "{ran:?}");
    assert!(
        ran.stderr.starts_with("* the server sent a message"),
        "{ran:?}"
    );
}
