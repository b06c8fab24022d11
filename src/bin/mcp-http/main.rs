//! `mcp-http`, the command: calls methods of an MCP server from a terminal or a
//! script. `mcp-http call --help` is its manual.
//!
//! It knows nothing of the protocol: all of that is the library's.

mod arguments;
mod ask;
mod call;
mod credentials;
mod escape;
mod exit;
mod interrupts;
mod layout;
mod output;
mod params;
mod record;
mod secrets;
mod story;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};
use exit::Exit;

fn main() -> ExitCode {
    let done = Arguments::try_parse().and_then(|arguments| match arguments.command {
        Command::Call(arguments) => call::run(&arguments).map_err(|usage| usage.of_command("call")),
    });
    match done {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(shown) => {
            // Nobody is left to be told that nobody reads.
            let _ = shown.print();
            match shown.use_stderr() {
                true => ExitCode::from(Exit::Usage.code()),
                false => ExitCode::SUCCESS,
            }
        }
    }
}
