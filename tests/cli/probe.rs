//! `probe`: what it says of servers that keep to the specification, and of others.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::command::{Ran, Running, SECRET, mcp_http};
use crate::real::Served;
use crate::script::{Act, Arrived, STREAM};
use crate::scripted::{Scripted, status};
use crate::usage::{exit_codes_of_help, exit_codes_of_readme};

const JSON: &str = "content-type: application/json\r\n";

/// A server with sessions that does all right, but for what `bad` does.
struct Server {
    served: Scripted,
    living: Arc<Mutex<BTreeSet<String>>>,
}

impl Server {
    fn start(bad: impl Fn(&Arrived) -> Option<Act> + Send + Sync + 'static) -> Self {
        let living = Arc::new(Mutex::new(BTreeSet::new()));
        let sessions = Arc::clone(&living);
        let served = Scripted::start(move |arrived| {
            Some(bad(arrived).unwrap_or_else(|| good(arrived, &mut sessions.lock().unwrap())))
        });
        Self { served, living }
    }

    fn good() -> Self {
        Self::start(|_| None)
    }

    fn probe(&self, more: &[&str]) -> Ran {
        probe(&self.served.script.url(), more)
    }

    /// The report, with neither the port nor the times.
    fn report(&self, ran: &Ran) -> String {
        let url = self.served.script.url();
        let report = ran.stdout.replace(&url, "http://127.0.0.1:PORT/mcp");
        let lines = report.lines().map(|line| match line.strip_suffix(" ms)") {
            Some(line) => format!(
                "{}(N ms)",
                line.trim_end_matches(char::is_numeric)
                    .trim_end_matches('(')
            ),
            None => line.to_owned(),
        });
        lines.map(|line| line + "\n").collect()
    }

    fn has_ended_all_sessions(&self) -> bool {
        self.served.script.arrived("initialize") > 0 && self.living.lock().unwrap().is_empty()
    }
}

fn probe(url: &str, more: &[&str]) -> Ran {
    let mut command = mcp_http();
    command
        .args(["probe", url])
        .args(more)
        .env("HIDDEN", SECRET);
    Running::start(command).end()
}

fn good(arrived: &Arrived, living: &mut BTreeSet<String>) -> Act {
    let header = |name: &str| {
        let mut headers = arrived.headers.iter();
        headers
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    };
    if header("origin").is_some() {
        return status("403 Forbidden", "", "");
    }
    if arrived.calls() == "initialize" {
        return initialize(arrived, living);
    }
    let session = match header("mcp-session-id") {
        None => return refusal("400 Bad Request", -32000),
        Some(id) if !living.contains(id) => return refusal("404 Not Found", -32001),
        Some(id) => id,
    };
    let versions = ["2025-06-18", "2025-11-25"];
    if header("mcp-protocol-version").is_some_and(|version| !versions.contains(&version)) {
        return refusal("400 Bad Request", -32000);
    }
    match (arrived.method.as_str(), arrived.calls()) {
        ("GET", _) if header("last-event-id").is_some() => resumed(),
        ("GET", _) => Act::Hang(STREAM.to_owned()),
        ("DELETE", _) => {
            living.remove(session);
            status("204 No Content", "", "")
        }
        (_, "ping") => Act::Close(format!("{STREAM}id: 1\ndata:\n\nid: 2\n{}", pong(arrived))),
        _ => status("202 Accepted", "", ""),
    }
}

fn initialize(arrived: &Arrived, living: &mut BTreeSet<String>) -> Act {
    let asked = arrived.message["params"]["protocolVersion"]
        .as_str()
        .unwrap();
    let known = ["2025-03-26", "2025-06-18", "2025-11-25"];
    let revision = known.into_iter().find(|known| *known == asked);
    let session = format!("{SECRET}-0000-{}", arrived.message["id"]);
    let session = format!("{session}-{}", living.len());
    living.insert(session.clone());
    let reply = json!({
        "jsonrpc": "2.0",
        "id": arrived.message["id"],
        "result": {
            "protocolVersion": revision.unwrap_or("2025-11-25"),
            "capabilities": {},
            "serverInfo": { "name": "script", "version": "1" },
        },
    });
    let headers = format!("{JSON}mcp-session-id: {session}\r\n");
    status("200 OK", &headers, &reply.to_string())
}

fn pong(arrived: &Arrived) -> String {
    let reply = json!({ "jsonrpc": "2.0", "id": arrived.message["id"], "result": {} });
    format!("data: {reply}\n\n")
}

fn resumed() -> Act {
    Act::Close(format!(
        "{STREAM}id: 2\ndata: {{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":{{}}}}\n\n"
    ))
}

fn refusal(line: &str, code: i64) -> Act {
    let error = json!({ "code": code, "message": "no" });
    let body = json!({ "jsonrpc": "2.0", "id": null, "error": error });
    status(line, JSON, &body.to_string())
}

/// Whether this is a `ping` with a session id that nobody has.
fn is_of_unknown_session(arrived: &Arrived) -> bool {
    let id = arrived
        .headers
        .iter()
        .find(|(name, _)| name == "mcp-session-id");
    arrived.calls() == "ping"
        && id.is_some_and(|(_, id)| !id.starts_with(&format!("{SECRET}-0000-")))
}

#[test]
fn a_good_server_is_told_as_people_read_it() {
    let server = Server::good();
    let ran = server.probe(&[]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    let expected = include_str!("probe.txt");
    let report = server.report(&ran);
    assert!(report == expected, "the report is now:\n{report}");
    for line in report.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    assert!(server.has_ended_all_sessions());
    for calls in ["tools/call", "tools/list"] {
        assert_eq!(server.served.script.arrived(calls), 0);
    }
}

#[test]
fn for_programs_it_is_one_object() {
    let server = Server::start(|arrived| {
        is_of_unknown_session(arrived).then(|| refusal("400 Bad Request", -32000))
    });
    let ran = server.probe(&["--json"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&report["exit"], &report["broken"]), (&json!(1), &json!(1)));
    assert_eq!(report["url"], server.served.script.url());
    let search = &report["search"];
    assert_eq!(search[0]["asked"], "POST server/discover");
    assert_eq!(search[1]["asked"], "POST initialize");
    assert_eq!(
        (&search[1]["status"], &search[1]["media_type"]),
        (&json!(200), &json!("application/json"))
    );
    let revisions = report["revisions"].as_array().unwrap();
    let spoken = revisions
        .iter()
        .filter(|revision| revision["binding"] == "session");
    assert_eq!(spoken.count(), 3);
    assert_eq!(revisions[0]["why_not"], "400, error -32000");
    let findings = report["examined"][0]["findings"].as_array().unwrap();
    let broken = findings
        .iter()
        .find(|finding| finding["verdict"] == "breaks")
        .unwrap();
    assert_eq!(broken["name"], "unknown session");
    assert!(broken["ms"].is_u64(), "{broken}");
    let rule = &broken["rule"];
    assert_eq!(
        (&rule["force"], &rule["section"]),
        (&json!("MUST"), &json!("Session Management"))
    );
    assert_eq!(
        (&rule["revision"], &rule["page"]),
        (&json!("2025-11-25"), &json!("basic/transports"))
    );
}

#[test]
fn an_unknown_session_that_is_not_404_is_a_finding_with_its_consequence() {
    type Answer = fn(&Arrived) -> Act;
    let answers: [(Answer, &str); 3] = [
        (
            |_| status("400 Bad Request", "", ""),
            "400 instead of 404: clients keep the dead session",
        ),
        (
            |_| status("500 Internal Server Error", "", ""),
            "500 instead of 404: clients keep the dead session",
        ),
        (
            |arrived| Act::Close(format!("{STREAM}{}", pong(arrived))),
            "200 text/event-stream instead of 404: nobody notices that it is gone",
        ),
    ];
    for (answer, said) in answers {
        let server =
            Server::start(move |arrived| is_of_unknown_session(arrived).then(|| answer(arrived)));
        let ran = server.probe(&[]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let finding = format!(
            "  BREAKS  unknown session: {said} (N ms)\n          \
             MUST: once a session has ended, every request with its id is answered with 404\n          \
             (2025-11-25, basic/transports, Session Management)\n"
        );
        let report = server.report(&ran);
        assert!(report.contains(&finding), "{report}");
        assert!(report.ends_with("\n1 MUST is broken.\n"), "{report}");
        assert!(server.has_ended_all_sessions());
        if said.starts_with("400") {
            let readme = include_str!("../../README.md");
            assert!(readme.contains(&finding.replace("(N ms)", "(2 ms)")));
        }
    }
}

#[test]
fn what_is_merely_odd_is_a_note() {
    let server = Server::start(|arrived| {
        (arrived.method == "DELETE").then(|| status("404 Not Found", "", ""))
    });
    let ran = server.probe(&[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let note = "  note    DELETE: 404, as if the session were unknown (";
    assert!(ran.stdout.contains(note), "{ran:?}");
    assert!(ran.stdout.contains("  -       ended session: "), "{ran:?}");
    assert!(
        ran.stdout.ends_with("\nNo MUST is broken, 1 note.\n"),
        "{ran:?}"
    );
}

#[test]
fn a_server_of_something_else_is_not_one_that_cannot_be_reached() {
    let server =
        Server::start(|_| Some(status("200 OK", "content-type: text/html\r\n", "<p>Hello")));
    let ran = server.probe(&[]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), ""), "{ran:?}");
    assert!(ran.stdout.contains("200 text/html ("), "{ran:?}");
    assert!(
        ran.stdout.contains("the content type `text/html`"),
        "{ran:?}"
    );
    assert!(
        ran.stdout.ends_with("\nNo revision could be spoken.\n"),
        "{ran:?}"
    );
    assert_eq!(server.served.script.arrived.lock().unwrap().len(), 1);

    let mute = Server::start(|_| Some(Act::Close(String::new())));
    let ran = mute.probe(&[]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.stdout.contains("the connection broke"), "{ran:?}");

    let nobody = "http://127.0.0.1:9/mcp";
    let ran = probe(nobody, &[]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.stdout.contains("no connection: "), "{ran:?}");
    assert!(
        ran.stdout.ends_with("\nThe server cannot be reached.\n"),
        "{ran:?}"
    );
    let ran = probe(nobody, &["--json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.code, &report["exit"]), (Some(3), &json!(3)));
    assert!(report["failure"].is_string(), "{report}");
}

#[test]
fn a_connection_that_a_refusal_has_spoiled_spoils_no_other_step() {
    let refused = "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n";
    let server = Server::start(move |arrived| {
        // Whatever else comes on this connection is not answered.
        let is_foreign = arrived.headers.iter().any(|(name, _)| name == "origin");
        is_foreign.then(|| Act::Hang(refused.to_owned()))
    });
    let ran = server.probe(&[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let good = Server::good();
    assert_eq!(server.report(&ran), good.report(&good.probe(&[])));
}

#[test]
fn a_connection_that_breaks_over_one_revision_says_nothing_of_another() {
    let server = Server::start(|arrived| {
        let version = &arrived.message["params"]["protocolVersion"];
        let is_read = arrived.calls() != "initialize" || version == "2025-03-26";
        let is_read = is_read && arrived.calls() != "server/discover";
        (!is_read).then(|| Act::Close(String::new()))
    });
    let ran = server.probe(&["--json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let revisions = report["revisions"].as_array().unwrap().iter();
    let spoken = revisions.filter(|revision| !revision["binding"].is_null());
    let spoken: Vec<_> = spoken.map(|revision| &revision["revision"]).collect();
    assert_eq!(spoken, ["2025-03-26"], "{report}");
}

#[test]
fn mistakes_on_the_command_line_are_usage() {
    for (arguments, cure) in [
        (
            &["localhost:8000/mcp"][..],
            "is it http://localhost:8000/mcp?",
        ),
        (&[], "<URL>"),
        (
            &["http://127.0.0.1:9/mcp", "tools/list"],
            "unexpected argument",
        ),
        (
            &["http://127.0.0.1:9/mcp", "--header", "Cookie: x"],
            "--header-env cookie=VAR",
        ),
    ] {
        let mut command = mcp_http();
        command.arg("probe").args(arguments);
        let ran = Running::start(command).end();
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
        assert!(ran.stderr.contains(cure), "{ran:?}");
    }
}

#[test]
fn neither_credentials_nor_session_ids_are_printed() {
    // `Running` looks for the secret, which is in the session ids, too.
    let server = Server::start(|arrived| {
        let said = arrived.headers.iter().map(|(_, value)| value.as_str());
        let said: String = said.collect::<Vec<_>>().join(" ");
        let error = json!({ "error": { "code": 1, "message": said } });
        (arrived.calls() == "ping").then(|| status("400 Bad Request", JSON, &error.to_string()))
    });
    for more in ["--verbose", "--json"] {
        let ran = server.probe(&["--bearer-env", "HIDDEN", more]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert_eq!(
            ran.stderr.contains("[secret]"),
            more == "--verbose",
            "{ran:?}"
        );
    }
    let heads = server.served.heads();
    let bearer = format!("authorization: bearer {SECRET}");
    assert!(heads.iter().all(|head| head.contains(&bearer)), "{heads:?}");
}

#[test]
fn the_session_in_an_address_is_not_printed() {
    let server = Server::start(|arrived| {
        let address = format!("/messages?session={SECRET}");
        let stream = format!("{STREAM}event: endpoint\ndata: {address}\n\n");
        let error = json!({ "error": { "code": 1, "message": arrived.target } });
        Some(match arrived.method.as_str() {
            "GET" => Act::Hang(stream),
            _ if arrived.target == address => status("403 Forbidden", JSON, &error.to_string()),
            _ => status("405 Method Not Allowed", "", ""),
        })
    });
    for more in ["--verbose", "--json"] {
        let ran = server.probe(&[more]);
        assert!(ran.stdout.contains("/messages?session=[secret]"), "{ran:?}");
    }
}

#[test]
fn ctrl_c_leaves_no_session_that_a_step_has_opened() {
    let opened = "HTTP/1.1 200 OK\r\nmcp-session-id: other-0001\r\ncontent-length: 9\r\n\r\n";
    let server = Server::start(move |arrived| {
        let version = &arrived.message["params"]["protocolVersion"];
        (version == "1999-01-01").then(|| Act::Hang(opened.to_owned()))
    });
    let arrived = || server.served.script.arrived.lock().unwrap().clone();
    let mut command = mcp_http();
    command.args(["probe", &server.served.script.url()]);
    let running = Running::start(command);
    crate::command::eventually("asked", || {
        let mut arrived = arrived().into_iter();
        arrived.any(|it| it.message["params"]["protocolVersion"] == "1999-01-01")
    });
    // The head has to come back.
    std::thread::sleep(std::time::Duration::from_secs(1));
    running.interrupt();
    let ran = running.end();
    assert_eq!(ran.code, Some(130), "{ran:?}");
    let is_ended = |it: &Arrived| it.method == "DELETE" && it.head.contains("other-0001");
    assert!(arrived().iter().any(is_ended));
}

#[test]
fn a_credential_that_is_missing_is_asked_for() {
    let challenge = "www-authenticate: Bearer realm=\"x\"\r\n";
    let server = Server::start(move |_| Some(status("401 Unauthorized", challenge, "")));
    let ran = server.probe(&[]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.stdout.contains("it asks for: Bearer realm=x\n"),
        "{ran:?}"
    );
    assert!(ran.stdout.contains("--bearer-env VAR"), "{ran:?}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_the_session() {
    let server =
        Server::start(|arrived| (arrived.calls() == "ping").then(|| Act::Hang(String::new())));
    let mut command = mcp_http();
    command.args(["probe", &server.served.script.url(), "--verbose"]);
    let running = Running::start(command);
    crate::command::eventually("asked", || server.served.script.arrived("ping") == 1);
    running.interrupt();
    let ran = running.end();
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(130), ""), "{ran:?}");
    assert!(server.has_ended_all_sessions());
}

#[test]
fn the_official_server_is_found_with_sessions_and_without() {
    let served = Served::modern();
    let ran = probe(&served.url(), &["--json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let revisions = report["revisions"].as_array().unwrap();
    assert!(
        revisions
            .iter()
            .all(|revision| revision["binding"].is_string()),
        "{report}"
    );
    assert_eq!(revisions.len(), 5);
    let examined = report["examined"].as_array().unwrap();
    let mut broken = Vec::new();
    for examined in examined {
        assert_eq!(examined["server"], "demo-server 1.0.0");
        let findings = examined["findings"].as_array().unwrap();
        let breaks = findings
            .iter()
            .filter(|finding| finding["verdict"] == "breaks");
        broken
            .extend(breaks.map(|finding| (examined["binding"].as_str(), finding["name"].as_str())));
        assert!(
            findings
                .iter()
                .all(|finding| finding["verdict"] != "cannot-tell"),
            "{report}"
        );
    }
    broken.sort_unstable();
    // It looks at Origins only where it is told which are its own, and takes every DELETE.
    assert_eq!(
        broken,
        [
            (Some("session"), Some("ended session, DELETE")),
            (Some("session"), Some("foreign Origin")),
            (Some("stateless"), Some("foreign Origin")),
        ]
    );
    assert!(served.has_no_session());
    assert!(served.server.executions().is_empty());
}

#[test]
fn help_and_the_readme_tell_the_same_exit_codes() {
    let of_help = exit_codes_of_help("probe");
    assert_eq!(of_help, exit_codes_of_readme("exit code of `probe`"));
    assert_eq!(of_help.len(), 5);
}
