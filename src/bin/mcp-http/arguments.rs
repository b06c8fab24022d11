//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};
use mcp_http::Revision;

use crate::exit::Exit;

const EXAMPLES: &str = r#"Examples:
  mcp-http call http://127.0.0.1:8000/mcp tools/list
  mcp-http call URL tools/call '{"name": "add", "arguments": {"a": 1, "b": 2}}'
  mcp-http call URL tools/call - --bearer-env TOKEN < params.json
  mcp-http call URL resources/read '{"uri": "file:///a"}' --verbose --time-out 5s
"#;

const RULES: &str = "\
The result goes to stdout as JSON: laid out on a terminal, as one line elsewhere, its
numbers and the order of its members as the server sent them. The server's messages and
progress go to stderr, and so does what went wrong: what happened, whether the server
executed the call, what to do. A tool that reports a failure of its own (`isError`) has
answered.

Secrets come from the environment or from files, without the end of line behind them.
Where the server repeats one, [secret] is printed, except in results and messages on
stdout, which are left as they are. Values of less than 6 characters are not hidden.

What the server asks for meanwhile (elicitation) is put to you if stdin and stderr are a
terminal; otherwise, and if stdin holds the params, it is declined.

Ctrl-C cancels the call and ends the session; a second one leaves at once.
";

fn json_help() -> String {
    format!(
        "\
Print a line of JSON on stdout for each thing that happens, for programs

Each is an object with a member `event`: `ready`, `reinitialize`, `message`, `gap`,
`ask`, `ask-withdrawn`, `failure`, `listening`, `not-restored`, `stream-degraded`,
`stream-ended`, `stream-not-offered`, `stream-restored`, `tool-rejected`; the last one
is `result` or `error`. An error has `exit`, `blame`, `text`, `remedy`, `delivery`
(`not-sent` and `rejected`: not executed; `unknown`), and where they exist `status`,
`retry_after` (seconds) and `rpc` (`code`, `message`, `data`). To stderr go only
questions on a terminal, mistakes of usage, and that stdout cannot be written.

`blame` is, in the order of the exit codes:
{}",
        Exit::blames()
    )
}

const PROBE_RULES: &str = "\
It says how the server is reached and how that was found out, step by step; which revisions
of the protocol it speaks; and what it does with what clients do not ask every day: sessions
that it does not know, revisions and methods that are none, an Origin that is not its own,
streams that broke off. Each finding comes with what the specification says of it, in short,
and the place where it does. What breaks a MUST is a finding; a SHOULD that is not kept, and
what is merely odd, is a note, which does not change the exit code.

It does no harm: no tool is called, nothing is read or listed, and each session that it
opens is ended. A step takes 10 s at most, a silent stream 1 s. Secrets come from the
environment or from files and are not printed, nor are session ids. Ctrl-C ends the session
and leaves; a second one leaves at once.
";

const PROBE_JSON: &str = "\
Print the report as JSON, for programs: laid out on a terminal, as one line elsewhere

An object with `url`, `exit` (the exit code), `search` (the steps by which it was found
out how the server is reached), `revisions` (each with its `binding` or `why_not`),
`examined` (for each binding its `findings`), `broken` and `notes` (how many), and, if
nothing could be spoken, `failure`. A finding has `name`, `verdict` (`keeps`, `breaks`,
`note`, `not-applicable`, `cannot-tell`), `text`, `ms`, and `rule`.
";

/// What its exit codes mean.
const PROBE_EXITS: [(u8, &str); 5] = [
    (0, "no MUST is broken"),
    (1, "a MUST is broken, or no revision could be spoken"),
    (2, "a mistake on the command line"),
    (3, "the server cannot be reached"),
    (130, "stopped with Ctrl-C"),
];

fn probe_exits() -> String {
    let rows = PROBE_EXITS.iter();
    let rows = rows.map(|(code, meaning)| format!("  {code:<5}{meaning}\n"));
    format!("Exit codes:\n{}", rows.collect::<String>())
}

/// The client side of MCP over HTTP, for terminals and scripts.
#[derive(Parser)]
#[command(
    name = "mcp-http",
    version,
    after_help = "The `--help` of each command tells its exit codes."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Call a method of a server and print its result
    #[command(
        after_help = EXAMPLES,
        after_long_help = format!("{RULES}\n{EXAMPLES}\n{}", Exit::table()),
    )]
    Call(CallArguments),
    /// Find out what a server speaks, and whether it keeps to the specification
    #[command(after_help = probe_exits(), after_long_help = format!("{PROBE_RULES}\n{}", probe_exits()))]
    Probe(ProbeArguments),
}

#[derive(Args)]
pub(crate) struct CallArguments {
    /// The server's endpoint, such as http://127.0.0.1:8000/mcp
    pub(crate) url: String,
    /// The method, such as tools/list
    pub(crate) method: String,
    /// The params, a JSON object; `-` reads them from stdin [default: none]
    #[arg(value_name = "PARAMS-JSON | -")]
    pub(crate) params: Option<String>,
    #[command(flatten)]
    pub(crate) headers: HeaderArguments,
    /// The time for the call: 500ms, 30s or 30, 2m [default: 10m]; it stops while you are asked
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) time_out: Option<Duration>,
    /// Speak this revision of the protocol and no other, such as 2026-07-28
    #[arg(long, value_name = "DATE", value_parser = revision)]
    pub(crate) revision: Option<Revision>,
    /// Executing the call twice does no harm: send it again when in doubt
    #[arg(long)]
    pub(crate) idempotent: bool,
    /// Print a line of JSON on stdout for each thing that happens, for programs
    #[arg(long, long_help = json_help())]
    pub(crate) json: bool,
    /// Say what the connection goes through: sessions made, lost, made anew
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

#[derive(Args)]
pub(crate) struct ProbeArguments {
    /// The server's endpoint, such as http://127.0.0.1:8000/mcp
    pub(crate) url: String,
    #[command(flatten)]
    pub(crate) headers: HeaderArguments,
    /// Print the report as JSON, for programs
    #[arg(long, long_help = PROBE_JSON)]
    pub(crate) json: bool,
    /// Say on stderr what is asked and answered, as it happens
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

#[derive(Args)]
pub(crate) struct HeaderArguments {
    /// Send this header with every request (no credentials: see the next)
    #[arg(long = "header", value_name = "NAME:VALUE")]
    pub(crate) plain: Vec<String>,
    /// Send this header with the value of an environment variable
    #[arg(long = "header-env", value_name = "NAME=VAR")]
    pub(crate) env: Vec<String>,
    /// Send this header with the content of a file
    #[arg(long = "header-file", value_name = "NAME=FILE")]
    pub(crate) file: Vec<String>,
    /// Send the bearer token that an environment variable holds
    #[arg(long, value_name = "VAR", conflicts_with = "bearer_file")]
    pub(crate) bearer_env: Option<String>,
    /// Send the bearer token that a file holds
    #[arg(long, value_name = "FILE")]
    pub(crate) bearer_file: Option<PathBuf>,
}

fn revision(text: &str) -> Result<Revision, String> {
    Revision::from_date(text).ok_or_else(|| {
        let known = Revision::ALL.map(Revision::as_str).join(", ");
        format!("the revisions are {known}")
    })
}

fn duration(text: &str) -> Result<Duration, String> {
    let unit = text.trim_start_matches(|char: char| char.is_ascii_digit() || char == '.');
    let number = text.strip_suffix(unit).unwrap_or_default();
    let seconds = match unit {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err("the unit is one of ms, s, m, h".to_owned()),
    };
    let number: f64 = number
        .parse()
        .map_err(|_| "it has to be a number and a unit, such as 30s".to_owned())?;
    match Duration::try_from_secs_f64(number * seconds) {
        Ok(Duration::ZERO) => Err("that leaves no time at all".to_owned()),
        Ok(time) => Ok(time),
        Err(_) => Err("that is too long".to_owned()),
    }
}

/// A mistake on the command line. The text holds no value that may be a secret.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl Usage {
    /// As clap shows the mistakes that it finds itself.
    pub(crate) fn of_command(self, name: &str) -> clap::Error {
        let mut command = Arguments::command();
        command.build();
        let kind = ErrorKind::ValueValidation;
        if let Some(command) = command.find_subcommand_mut(name) {
            return command.error(kind, self.0);
        }
        command.error(kind, self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn durations_have_units_and_bare_numbers_are_seconds() {
        for (text, ms) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("7", 7_000),
            ("1.5s", 1_500),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in [
            "",
            "s",
            "0s",
            "-1s",
            "1d",
            "1.2.3s",
            "30 s",
            "1e3s",
            "inf",
            "99999999999999999999h",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
