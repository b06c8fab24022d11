//! Under `--revision 2026-07-28`, which has no sessions: against rmcp's server, and a
//! scripted one for what that never does.

use serde_json::{Value, json};

use crate::command::{Ran, run};
use crate::real::{Served, work};
use crate::script::{Act, Arrived, reply};
use crate::scripted::{Scripted, status, text_reply};

const REVISION: [&str; 2] = ["--revision", "2026-07-28"];

fn speak(url: &str, arguments: &[&str]) -> Ran {
    run(&[&[url], arguments, &REVISION].concat())
}

/// A server that can be discovered. What `act` leaves open gets an empty result.
fn scripted(act: impl Fn(&Arrived) -> Option<Act> + Send + Sync + 'static) -> Scripted {
    Scripted::start(move |arrived| {
        let discovered = json!({
            "resultType": "complete",
            "supportedVersions": ["2026-07-28"],
            "capabilities": { "tools": {} },
        });
        let by_itself = || match arrived.calls() {
            "server/discover" => Some(Act::Answer(reply(arrived, &discovered))),
            _ => None,
        };
        act(arrived).or_else(by_itself)
    })
}

#[test]
fn the_result_is_one_line_and_there_is_no_session() {
    let served = Served::modern();
    let ran = speak(&served.url(), &["tools/list"]);
    let result = ran.result();
    assert_eq!(result["tools"].as_array().map(Vec::len), Some(2), "{ran:?}");
    assert_eq!(ran.stderr, "");
    let counts = served.server.count();
    assert_eq!(
        (counts.posts, counts.initialize, counts.gets, counts.deletes),
        (2, 0, 0, 0)
    );
}

#[test]
fn what_is_known_of_the_server_is_told_if_wanted() {
    let served = Served::modern();
    let ran = speak(&served.url(), &["tools/list", "--verbose"]);
    ran.result();
    assert_eq!(
        ran.stderr,
        "* demo-server 1.0.0, revision 2026-07-28, no session, \
         capabilities {\"tools\":{\"listChanged\":true}}\n"
    );
    let ran = speak(&served.url(), &["tools/call", &work("j", 20, 1), "--json"]);
    let records = ran.records();
    let events = records.iter().map(|record| &record["event"]);
    let events: Vec<&Value> = events.collect();
    assert_eq!(events, ["ready", "message", "result"]);
    assert_eq!(
        records[0],
        json!({
            "event": "ready",
            "generation": 1,
            "binding": "stateless",
            "revision": "2026-07-28",
            "server": { "name": "demo-server", "version": "1.0.0" },
            "capabilities": { "tools": { "listChanged": true } },
        })
    );
    assert_eq!(records[1]["method"], "notifications/progress");
    assert_eq!(records[2]["result"]["content"][0]["text"], "done j");
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
}

#[test]
fn progress_is_told_on_stderr_in_its_order() {
    let served = Served::modern();
    let ran = speak(&served.url(), &["tools/call", &work("p", 30, 3)]);
    ran.result();
    let lines: Vec<&str> = ran.stderr.lines().collect();
    let expected = [1, 2, 3].map(|step| format!("< progress {step}.0 of 3.0"));
    assert_eq!(lines, expected);
}

#[test]
fn without_a_terminal_the_server_s_question_is_declined() {
    let served = Served::modern();
    let ran = speak(&served.url(), &["tools/call", "{\"name\": \"ask\"}"]);
    assert_eq!(ran.result()["content"][0]["text"], "declined");
    assert_eq!(
        ran.stderr,
        "* the server asked for data and was told no, for there is nobody to ask: What is your name?\n"
    );
}

#[test]
fn what_the_server_has_not_and_what_the_revision_has_not_are_told_apart() {
    let served = Served::modern();
    let ran = speak(&served.url(), &["no/such/method"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), ""));
    assert!(ran.stderr.contains("  code: -32601\n"), "{ran:?}");
    assert!(ran.stderr.contains("404"), "{ran:?}");
    let ran = speak(&served.url(), &["tools/call", "{\"name\": \"none\"}"]);
    assert_eq!(ran.code, Some(3));
    assert!(ran.stderr.contains("there is no tool none"), "{ran:?}");
    let before = served.server.count().posts;
    let ran = speak(&served.url(), &["ping"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    assert!(ran.stderr.contains("2026-07-28"), "{ran:?}");
    assert!(ran.stderr.contains("nothing was sent"), "{ran:?}");
    assert_eq!(served.server.count().posts, before + 1, "the discovery");
}

#[test]
fn a_time_out_closes_the_answer() {
    let served = Served::modern();
    let params = work("slow", 60_000, 0);
    let ran = speak(
        &served.url(),
        &["tools/call", &params, "--time-out", "1500ms"],
    );
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(7), ""));
    crate::command::eventually("cancelled", || {
        served.server.cancellations().contains_key("slow")
    });
    assert_eq!(served.server.count().posts, 2, "nothing is said besides");
}

#[cfg(unix)]
#[test]
fn ctrl_c_closes_the_answer() {
    use crate::command::{Running, call, eventually};
    let served = Served::modern();
    let params = work("long", 60_000, 600);
    let url = served.url();
    let arguments = [&[url.as_str(), "tools/call", &params], &REVISION[..]].concat();
    let mut running = Running::start(call(&arguments));
    running.says("< progress 1.0 of 600.0");
    running.interrupt();
    let ran = running.end();
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(130), ""));
    eventually("cancelled", || {
        served.server.cancellations().contains_key("long")
    });
    assert_eq!(served.server.count().posts, 2, "nothing is said besides");
}

#[test]
fn a_tool_that_breaks_the_rules_is_left_out_and_named() {
    let served = scripted(|arrived| {
        let place = json!({ "type": "string", "x-mcp-header": "not a name" });
        let schema = json!({ "type": "object", "properties": { "place": place } });
        let bad = json!({ "name": "b\u{1b}d", "inputSchema": schema });
        let good = json!({ "name": "good", "inputSchema": { "type": "object" } });
        let list = json!({ "resultType": "complete", "tools": [bad, good] });
        (arrived.calls() == "tools/list").then(|| Act::Answer(reply(arrived, &list)))
    });
    let url = served.script.url();
    let ran = speak(&url, &["tools/list"]);
    let tools = &ran.result()["tools"];
    assert_eq!(tools.as_array().map(Vec::len), Some(1), "{ran:?}");
    assert_eq!(tools[0]["name"], "good");
    let line = "* the tool `b\\u{1b}d` is left out of the list: ";
    assert!(ran.stderr.starts_with(line), "{ran:?}");
    assert!(ran.stderr.contains("not a name"), "{ran:?}");

    let ran = speak(&url, &["tools/list", "--json"]);
    let records = ran.records();
    let rejected = &records[1];
    assert_eq!(rejected["event"], "tool-rejected");
    assert_eq!(rejected["name"], "b\u{1b}d");
    let text = rejected["text"].as_str().unwrap();
    assert!(text.contains("not a name"), "{ran:?}");
    assert_eq!(records[2]["event"], "result");
}

#[test]
fn headers_that_the_server_wants_are_learned_and_the_call_is_answered() {
    let served = scripted(|arrived| match arrived.calls() {
        "tools/list" => {
            let place = json!({ "type": "string", "x-mcp-header": "Place" });
            let schema = json!({ "type": "object", "properties": { "place": place } });
            let tools = json!([{ "name": "t", "inputSchema": schema }]);
            let list = json!({ "resultType": "complete", "tools": tools });
            Some(Act::Answer(reply(arrived, &list)))
        }
        "tools/call" if !arrived.head.contains("mcp-param-place: here") => {
            let error = r#"{"code": -32020, "message": "where?"}"#;
            let id = &arrived.message["id"];
            let body = format!(r#"{{"jsonrpc": "2.0", "id": {id}, "error": {error}}}"#);
            let json = "content-type: application/json\r\n";
            Some(status("400 Bad Request", json, &body))
        }
        "tools/call" => Some(text_reply(arrived, r#""result": {"place": "known"}"#)),
        _ => None,
    });
    let params = r#"{"name": "t", "arguments": {"place": "here"}}"#;
    let ran = speak(&served.script.url(), &["tools/call", params]);
    assert_eq!(ran.result()["place"], "known");
    assert_eq!(served.script.arrived("tools/call"), 2);
}

#[test]
fn a_server_of_other_times_is_told_from_one_that_is_broken() {
    let served = scripted(|arrived| {
        let other = json!({ "supportedVersions": ["2099-01-01"], "capabilities": {} });
        (arrived.calls() == "server/discover").then(|| Act::Answer(reply(arrived, &other)))
    });
    let ran = speak(&served.script.url(), &["tools/list", "--verbose"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(5), ""));
    assert!(ran.stderr.contains("2099-01-01"), "{ran:?}");
    assert!(ran.stderr.contains("2026-07-28"), "{ran:?}");
    assert_eq!(served.script.arrived("tools/list"), 0);
}

#[test]
fn a_revision_with_sessions_can_be_named_too() {
    let served = Served::modern();
    let arguments = ["tools/list", "--revision", "2025-03-26", "--verbose"];
    let ran = run(&[&[served.url().as_str()], &arguments[..]].concat());
    ran.result();
    let line = "* session 1 with demo-server 1.0.0, revision 2025-03-26, ";
    assert!(ran.stderr.starts_with(line), "{ran:?}");
    assert!(served.has_no_session());
}
