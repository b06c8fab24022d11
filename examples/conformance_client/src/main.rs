//! The client that the official conformance suite drives, over either adapter.
//!
//! `cargo run -p example-conformance-client -- --adapter blocking URL` uses all that a
//! server offers: it lists and calls, reads and gets, and answers what it is asked. The
//! suite says by `MCP_CONFORMANCE_SCENARIO` which of its servers that is, by
//! `MCP_CONFORMANCE_PROTOCOL_VERSION` which revision it speaks, and by
//! `MCP_CONFORMANCE_CONTEXT` what to call there. `.ci/conformance` runs the suite.
//!
//! The application knows the API of this crate alone. Of its scenarios none says anything
//! about the wire; most are one and the same program.
//!
//! It ends within 25 s, whatever happens, and well only if all went well. Its tests are not that
//! patient: `MCP_CONFORMANCE_DEADLINE_MS`.

#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a program that is watched"
)]

mod application;
mod form;

use std::env;
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use example_conformance_client::{Adapter, Client};
use mcp_http::{Config, Revision};
use serde_json::{Value, json};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Less than the suite's patience, which is 30 s.
const DEADLINE: Duration = Duration::from_secs(24);

fn main() -> ExitCode {
    let (ended, end) = mpsc::channel();
    thread::spawn(move || ended.send(run()));
    // What is still under way ends with the process; so does a thread that panicked.
    match end.recv_timeout(deadline()) {
        Ok(Ok(())) => {
            println!("done");
            ExitCode::SUCCESS
        }
        Ok(Err(error)) => failed(&error.to_string()),
        Err(RecvTimeoutError::Disconnected) => failed("it panicked"),
        Err(RecvTimeoutError::Timeout) => failed("it did not end in time"),
    }
}

fn deadline() -> Duration {
    let told = env::var("MCP_CONFORMANCE_DEADLINE_MS").ok();
    let told = told.and_then(|told| told.parse().ok());
    told.map_or(DEADLINE, Duration::from_millis)
}

fn failed(why: &str) -> ExitCode {
    eprintln!("{why}");
    ExitCode::FAILURE
}

fn run() -> Result<(), Error> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let usage = "usage: … --adapter asynchronous|blocking URL";
    let ["--adapter", adapter, url] = *arguments else {
        return Err(usage.into());
    };
    let adapter = Adapter::from_name(adapter).ok_or(usage)?;
    let client = Client::new(adapter, config(url)?)?;
    let scenario = env::var("MCP_CONFORMANCE_SCENARIO").unwrap_or_default();
    let context = match env::var("MCP_CONFORMANCE_CONTEXT") {
        Ok(context) => serde_json::from_str(&context)?,
        Err(_) => Value::Null,
    };
    application::run(&client, &scenario, &context)
}

fn config(url: &str) -> Result<Config, Error> {
    let config = Config::new(url)?
        .client("conformance-client", env!("CARGO_PKG_VERSION"))
        .capabilities(&json!({ "elicitation": { "form": {} }, "roots": {}, "sampling": {} }))?;
    let Ok(date) = env::var("MCP_CONFORMANCE_PROTOCOL_VERSION") else {
        return Ok(config);
    };
    let revision = Revision::from_date(&date).ok_or("no revision of this name is known")?;
    Ok(config.pin(revision))
}
