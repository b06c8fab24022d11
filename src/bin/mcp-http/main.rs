//! `mcp-http`, the command: calls methods of an MCP server from a terminal or a script, and
//! probes a server for the one who runs it. The `--help` of `call` and `probe` is its manual.
//!
//! It knows nothing of the protocol: all of that is the library's. Only what servers are
//! probed for is known here.

mod arguments;
mod ask;
mod call;
mod credentials;
mod endpoint;
mod escape;
mod exit;
mod interrupts;
mod layout;
mod output;
mod params;
mod probe;
mod record;
mod secrets;
mod story;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};
use exit::Exit;

fn main() -> ExitCode {
    let done = Arguments::try_parse().and_then(|arguments| match arguments.command {
        Command::Call(arguments) => call::run(&arguments)
            .map(Exit::code)
            .map_err(|usage| usage.of_command("call")),
        Command::Probe(arguments) => {
            probe::run(&arguments).map_err(|usage| usage.of_command("probe"))
        }
    });
    match done {
        Ok(code) => ExitCode::from(code),
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
