//! `mcp-http probe`: what the operator of a server wants to know of it.
//!
//! How the server is reached is found out by the machine itself, over a transport that keeps
//! what travels (`recording`). What the machine never asks is asked besides (`step`, `asker`),
//! and what was answered is judged at the end (`check`, `judge`, `rule`).

mod asker;
mod check;
mod document;
mod exchange;
mod judge;
mod recording;
mod report;
mod rule;
mod step;
mod text;
mod visit;

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mcp_http::{Config, Error, FailureKind, Peer, Reason, Refused, Revision};

use self::asker::Asker;
use self::exchange::{Exchange, SESSION_ID};
use self::recording::{Recording, Teller};
use self::report::{Outcome, Report};
use self::visit::{Visit, visit};
use crate::arguments::{ProbeArguments, Usage};
use crate::layout::Layout;
use crate::secrets::Secrets;
use crate::{credentials, endpoint};

/// As a shell says it of what Ctrl-C ended.
const STOPPED: u8 = 130;

pub(crate) fn run(arguments: &ProbeArguments) -> Result<u8, Usage> {
    let config = endpoint::read(&arguments.url)?;
    let (config, secrets) = credentials::add(&arguments.headers, config)?;
    let asker = Asker {
        recording: Recording::new(teller(arguments.verbose, &secrets)),
        stopped: stopped_by_ctrl_c(),
    };
    let visits = visits(&asker, &config);
    if asker.is_stopped() {
        return Ok(STOPPED);
    }
    let report = Report::new(endpoint::shown(&arguments.url), visits);
    let exit = code(report.outcome());
    let exchanges = asker.recording.since(0);
    let secrets = exchanges.iter().fold(secrets, with_sessions_of);
    let told = match arguments.json {
        true => layout().of(&secrets.hidden_in_json(document::of(&report, exit))),
        false => secrets.hidden(text::of(&report)),
    };
    Ok(match print(&told) {
        Ok(()) => exit,
        Err(_) => code(Outcome::Findings),
    })
}

/// First without a word about revisions, as clients come; then each that is left by its name.
fn visits(asker: &Asker, config: &Config) -> Vec<(Option<Revision>, Visit)> {
    let mut visits = Vec::new();
    let mut revisions = Vec::new();
    let mut bindings = Vec::new();
    let named = Revision::ALL.into_iter().rev().map(Some);
    for asked in std::iter::once(None).chain(named) {
        if asker.is_stopped() || asked.is_some_and(|asked| revisions.contains(&asked)) {
            continue;
        }
        let config = config.clone();
        let config = match asked {
            Some(revision) => config.pin(revision),
            None => config,
        };
        let visit = visit(asker, config, |found| !bindings.contains(&found.binding));
        let is_pointless = visit.found.as_ref().is_err_and(is_of_every_revision);
        if let Ok(found) = &visit.found {
            revisions.push(found.revision);
            bindings.push(found.binding);
        }
        visits.push((asked, visit));
        if is_pointless {
            break;
        }
    }
    visits
}

/// Whether to name a revision would not help.
fn is_of_every_revision(error: &Error) -> bool {
    match error.reason() {
        Reason::Peer(Peer::Revision { .. }) => false,
        Reason::Refused(refused) => {
            !matches!(refused, Refused::NotFound | Refused::Rpc | Refused::Status)
        }
        // With one it reads another request.
        Reason::Transport(failure) => failure.kind() == FailureKind::NotSent,
        _ => true,
    }
}

fn code(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Clean => 0,
        Outcome::Findings => 1,
        Outcome::Unreachable => 3,
    }
}

fn teller(verbose: bool, secrets: &Secrets) -> Option<Teller> {
    let secrets = secrets.clone();
    let tell = move |exchange: &Exchange| {
        let line = format!("* {}\n", text::of_exchange(exchange));
        let secrets = with_sessions_of(secrets.clone(), exchange);
        // Nobody is left to be told that nobody reads.
        let _ = io::stderr()
            .lock()
            .write_all(secrets.hidden(line).as_bytes());
    };
    verbose.then(|| Arc::new(tell) as Teller)
}

fn with_sessions_of(mut secrets: Secrets, exchange: &Exchange) -> Secrets {
    let answered = exchange.head.as_ref().map(|(_, headers)| headers);
    for headers in answered.into_iter().chain([exchange.request.headers()]) {
        let id = headers.get(SESSION_ID).and_then(|id| id.to_str().ok());
        if let Some(id) = id {
            secrets.add(&SESSION_ID, id);
        }
    }
    // An HTTP+SSE server's session is in its address.
    if let Some(query) = exchange.request.uri().query() {
        secrets.add_query(query);
    }
    secrets
}

/// The first one ends the sessions; a further one leaves at once.
fn stopped_by_ctrl_c() -> Arc<AtomicBool> {
    let stopped = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stopped);
    let stop = move || {
        if told.swap(true, Ordering::SeqCst) {
            std::process::exit(STOPPED.into());
        }
    };
    // Without it Ctrl-C leaves at once, which it says of itself.
    let _ = ctrlc::set_handler(stop);
    stopped
}

/// JSON is laid out for those who read it.
fn layout() -> Layout {
    let is_read = io::stdout().is_terminal();
    Layout {
        pretty: is_read,
        escaped: is_read,
    }
}

/// Whoever closes a pipe has what was wanted.
fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    let written = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
    let failure = written
        .err()
        .filter(|error| error.kind() != ErrorKind::BrokenPipe);
    let Some(error) = failure else {
        return Ok(());
    };
    let line = format!("error: the report cannot be written: {error}\n");
    let _ = io::stderr().lock().write_all(line.as_bytes());
    Err(error)
}
