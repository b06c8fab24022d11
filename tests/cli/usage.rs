//! The command line, its mistakes, and what the README says of it.

use crate::command::{Ran, Running, SECRET, call, mcp_http, run};
use crate::secrets::file;

const URL: &str = "http://127.0.0.1:9/mcp";

fn usage(arguments: &[&str]) -> Ran {
    let mut command = call(arguments);
    command
        .env("HIDDEN", SECRET)
        .env("EMPTY", "")
        .env("SPACED", format!("Bearer {SECRET}"));
    let ran = Running::start(command).end();
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
    assert!(ran.stderr.starts_with("error: "), "{ran:?}");
    ran
}

#[test]
fn mistakes_are_named_with_their_cure() {
    let bearer = format!("Authorization: Bearer {SECRET}");
    let bearer_assigned = format!("--bearer={SECRET}");
    let cookie = format!("cOOkie:{SECRET}");
    let proxy = format!("proxy-authorization:{SECRET}");
    let no_colon = format!("X-Key={SECRET}");
    let no_name = format!("Bearer {SECRET}: x");
    let query = format!("localhost:8000/mcp?key={SECRET}");
    let user = format!("http://me:{SECRET}@127.0.0.1/");
    let user_only = format!("me:{SECRET}@localhost/");
    let secret_name = format!("X-Key={SECRET}");
    let large = file("large", &"x".repeat((64 << 10) + 1));
    let large = large.to_str().unwrap();
    let large_key = format!("X-Key={large}");
    for (arguments, cure) in [
        (
            &["localhost:8000/mcp", "x"][..],
            "is it http://localhost:8000/mcp?",
        ),
        (&["example.com/mcp", "x"], "is it https://example.com/mcp?"),
        (&[&query, "x"], "is it http://localhost:8000/mcp?"),
        (
            &[&user_only, "x"],
            "the URL begins with http:// or https://\n",
        ),
        (
            &["ftp://x/", "x"],
            "error: the endpoint is neither http nor https",
        ),
        (&[&user, "x"], "send credentials in a header"),
        (&[URL], "<METHOD>"),
        (
            &[URL, "x", "{\"a\": }"],
            "line 1 column 7\n  {\"a\": }\n        ^\n",
        ),
        (&[URL, "x", "[]"], "a JSON object"),
        (&[URL, "x", SECRET], "a JSON object"),
        (&[URL, "x", "{\"_meta\": 1}"], "`_meta` in the params"),
        (&["/mcp", "x"], "the URL begins with http:// or https://\n"),
        (
            &[URL, "x", "--bearer-file", large],
            "--bearer-file: that file is larger than 64 KiB",
        ),
        (
            &[URL, "x", "--header-file", &large_key],
            "that file is larger than 64 KiB",
        ),
        (&[URL, "x", "-"], "the params are no JSON: EOF"),
        (&[URL, "x", "--time-out", "soon"], "the unit is one of"),
        (
            &[URL, "x", "--revision", "2026-07-27"],
            "the revisions are 2024-11-05, 2025-03-26, 2025-06-18, 2025-11-25, 2026-07-28",
        ),
        (&[URL, "x", "--revision"], "--revision <DATE>"),
        (
            &[URL, "x", "--header", &bearer],
            "--bearer-env VAR or --bearer-file FILE",
        ),
        (&[URL, "x", "--header", &cookie], "--header-env cookie=VAR"),
        (
            &[URL, "x", "--header", &proxy],
            "--header-file proxy-authorization=FILE",
        ),
        (&[URL, "x", "--header", &no_colon], "has to be NAME:VALUE"),
        (&[URL, "x", "--header", &no_name], "has to be NAME:VALUE"),
        (
            &[URL, "x", "--header", "Mcp-Session-Id: 1"],
            "belongs to the protocol",
        ),
        (&[URL, "x", &bearer_assigned], "--bearer-env"),
        (
            &[URL, "x", "--bearer-env", SECRET],
            "that environment variable is not set",
        ),
        (
            &[URL, "x", "--bearer-env", ""],
            "that environment variable is not set",
        ),
        (&[URL, "x", "--bearer-env", "EMPTY"], "the value is empty"),
        (&[URL, "x", "--bearer-env", "SPACED"], "without `Bearer`"),
        (
            &[URL, "x", "--bearer-file", SECRET],
            "that file cannot be read",
        ),
        (
            &[URL, "x", "--header-env", &secret_name],
            "that environment variable is not set",
        ),
        (
            &[URL, "x", "--header-file", &secret_name],
            "that file cannot be read",
        ),
        (
            &[
                URL,
                "x",
                "--bearer-env",
                "HIDDEN",
                "--header-env",
                "authorization=HIDDEN",
            ],
            "two `Authorization` headers",
        ),
    ] {
        let ran = usage(arguments);
        assert!(ran.stderr.contains(cure), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn a_call_that_cannot_be_made_is_a_mistake_of_usage() {
    let ran = run(&[URL, "initialize"]);
    assert_eq!(ran.code, Some(2));
    assert_eq!(
        ran.stderr,
        "error: the method `initialize` belongs to the protocol\n  \
         nothing was sent; calling again unchanged will not help\n"
    );
}

#[test]
fn help_and_the_readme_tell_the_same_exit_codes() {
    let of_help = exit_codes_of_help("call");
    assert_eq!(of_help, exit_codes_of_readme("exit code"));
    assert_eq!(of_help.len(), 11);
    let help = help("call");
    for word in [
        "--header-env",
        "--revision <DATE>",
        "--bearer-file",
        "--time-out",
        "`not-sent`",
        "time-out, lost",
        "less than 6 characters",
        "Ctrl-C",
        "Examples:",
    ] {
        assert!(help.contains(word), "{word}");
    }
    for line in help.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
}

fn help(command_name: &str) -> String {
    let mut command = mcp_http();
    command.args([command_name, "--help"]);
    let help = Running::start(command).end();
    assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
    help.stdout
}

/// Each with its meaning.
pub(crate) fn exit_codes_of_help(command: &str) -> Vec<(String, String)> {
    let help = help(command);
    let (_, table) = help.split_once("Exit codes:\n").unwrap();
    let rows = table.lines().filter(|line| !line.is_empty());
    let rows = rows.map(|line| line.trim().split_once(' ').unwrap());
    rows.map(trimmed).collect()
}

/// Of the table with this heading.
pub(crate) fn exit_codes_of_readme(heading: &str) -> Vec<(String, String)> {
    let readme = include_str!("../../README.md");
    let heading = format!("| {heading} | |\n|---|---|\n");
    let (_, table) = readme.split_once(&heading).unwrap();
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    let rows = rows.map(|line| line.trim_matches('|').split_once('|').unwrap());
    rows.map(trimmed).collect()
}

fn trimmed((code, meaning): (&str, &str)) -> (String, String) {
    (code.trim().to_owned(), meaning.trim().to_owned())
}
