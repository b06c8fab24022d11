//! One application, which uses a server over either adapter, and says feature by feature
//! whether that went as it should.
//!
//! `test-interop asynchronous|blocking URL [--revision DATE] [--tools JSON]`; `tests/interop/run`
//! runs it against many servers. It prints a line of JSON for each feature. Where it wants
//! something to be done to the server, or to be looked at on the wire, it prints `{"do": …}`
//! and reads a line when it is done.
//!
//! The application knows the API of this crate alone. What it does and expects is the same for
//! all servers; `--tools` says what a server of somebody else calls its tools, and which of them
//! it has not.

mod application;
mod heard;

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use example_conformance_client::{Adapter, Client};
use mcp_http::{Budget, Config, Revision};
use serde_json::{Value, json};

type Error = Box<dyn std::error::Error + Send + Sync>;

#[expect(clippy::print_stderr, reason = "a program that is watched")]
fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Error> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let [adapter, url, ref options @ ..] = *arguments else {
        return Err("usage: … asynchronous|blocking URL [--revision DATE] [--tools JSON]".into());
    };
    let mut config = config(url)?;
    let mut tools = Value::Null;
    for option in options.chunks(2) {
        match *option {
            ["--revision", date] => {
                let revision = Revision::from_date(date);
                config = config.pin(revision.ok_or("no revision of this name is known")?);
            }
            ["--tools", named] => tools = serde_json::from_str(named)?,
            _ => return Err(format!("unknown: {option:?}").into()),
        }
    }
    let adapter = Adapter::from_name(adapter).ok_or("there is no such adapter")?;
    let client = Client::new(adapter, config)?;
    application::run(&client, &tools)
}

fn config(url: &str) -> Result<Config, Error> {
    // Sessions are lost on purpose, more often than an application should bear. The delay between
    // handshakes doubles with each, and would outlast the patience with one call.
    let mut budget = Budget::default();
    budget.handshakes = 20;
    budget.delay = Duration::from_millis(50);
    let capabilities = json!({ "elicitation": {}, "roots": {}, "sampling": {} });
    Ok(Config::new(url)?
        .client("interop", env!("CARGO_PKG_VERSION"))
        .capabilities(&capabilities)?
        .budget(budget))
}
