//! Secrets: sent, and not printed in whatever shape the server repeats them.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;
use tokio::sync::Notify;

use crate::command::{Running, SECRET, call};
use crate::script::{Act, STREAM, reply};
use crate::scripted::{Scripted, status};

/// A file of this content.
pub(crate) fn file(name: &str, content: &str) -> PathBuf {
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
fn the_session_the_cursor_and_the_query_are_never_printed() {
    let away = format!("location: https://user:{SECRET}@elsewhere.example/x?key={SECRET}\r\n");
    let primed = format!("{STREAM}retry: 100\nid: {SECRET}-event\ndata:\n\n");
    let echo = format!("nobody has the key {SECRET}");
    let endings: [Arc<dyn Fn() -> Act + Send + Sync>; 4] = [
        Arc::new(move || Act::Close(primed.clone())),
        Arc::new(move || status("307 Temporary Redirect", &away, "")),
        Arc::new(|| status("404 Not Found", "", "")),
        Arc::new(move || status("403 Forbidden", "content-type: text/plain\r\n", &echo)),
    ];
    let mut sent = String::new();
    for ending in endings {
        let served = Scripted::start(move |arrived| match arrived.calls() {
            "initialize" => {
                let result =
                    json!({ "protocolVersion": "2025-11-25", "capabilities": { "tools": {} } });
                let answer = reply(arrived, &result);
                let session = format!("mcp-session-id: {SECRET}-session");
                Some(Act::Answer(answer.replace("mcp-session-id: s1", &session)))
            }
            "tools/call" => Some(ending()),
            _ => None,
        });
        for more in ["--verbose", "--json"] {
            let url = format!("{}?key={SECRET}", served.script.url());
            let ran = Running::start(call(&[&url, "tools/call", more])).end();
            assert!(matches!(ran.code, Some(4 | 8)), "{ran:?}");
        }
        sent += &served.heads().concat();
    }
    for secret in ["/mcp?key=", "mcp-session-id: ", "last-event-id: "] {
        let secret = format!("{secret}{SECRET}");
        assert!(sent.contains(&secret), "{secret}: {sent}");
    }
}
