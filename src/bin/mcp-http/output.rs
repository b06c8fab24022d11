//! Where things are printed: the outcome to stdout, the rest to stderr.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use mcp_http::{Error, Event, RawJson};

use crate::exit::Exit;
use crate::layout::Layout;
use crate::record::Record;
use crate::secrets::Secrets;
use crate::story::{self, Told};

pub(crate) struct Output {
    json: bool,
    verbose: bool,
    /// Whether stdout is a terminal.
    terminal: bool,
    secrets: Secrets,
    /// Why stdout takes no more.
    failure: Mutex<Option<io::Error>>,
}

impl Output {
    pub(crate) fn new(json: bool, verbose: bool, secrets: Secrets) -> Self {
        Self {
            json,
            verbose,
            terminal: io::stdout().is_terminal(),
            secrets,
            failure: Mutex::new(None),
        }
    }

    pub(crate) fn event(&self, event: &Event) {
        if self.json {
            if let Some(record) = Record::of_event(event) {
                self.record(&record);
            }
            return;
        }
        match story::of_event(event) {
            Some(Told::Always(line)) => self.say(&line),
            Some(Told::Verbose(line)) => self.note(&line),
            None => {}
        }
    }

    /// The end of the call.
    pub(crate) fn outcome(&self, method: &str, outcome: Result<&RawJson, &Error>) {
        match outcome {
            Ok(result) if self.json => self.record(&Record::Result { result }),
            Ok(result) => {
                let layout = Layout {
                    pretty: self.terminal,
                    escaped: self.terminal,
                };
                self.print(layout.of(result.as_str()));
                if story::is_failed_tool(method, result) {
                    self.say("* the tool reports a failure of its own (`isError`)");
                }
            }
            Err(error) if self.json => self.record(&Record::of_error(error)),
            Err(error) => self.say(&story::of_error(error)),
        }
    }

    /// A line for people, on stderr; none with `--json`.
    pub(crate) fn say(&self, line: &str) {
        if !self.json {
            let line = self.secrets.hidden(format!("{line}\n"));
            // Nobody is left to be told that nobody reads.
            let _ = io::stderr().lock().write_all(line.as_bytes());
        }
    }

    /// What only `--verbose` shows.
    pub(crate) fn note(&self, line: &str) {
        if self.verbose {
            self.say(line);
        }
    }

    /// Where questions are printed, with `--json` too.
    pub(crate) fn questions(&self) -> Questions<'_> {
        Questions {
            secrets: &self.secrets,
            text: Vec::new(),
        }
    }

    fn record(&self, record: &Record<'_>) {
        let Ok(text) = serde_json::to_string(record) else {
            return;
        };
        let text = match record {
            // The server's data is what was asked for; all else is what this command says.
            Record::Message { .. } | Record::Result { .. } => text,
            _ => self.secrets.hidden_in_json(text),
        };
        let layout = Layout {
            pretty: false,
            escaped: self.terminal,
        };
        self.print(layout.of(&text));
    }

    fn print(&self, mut line: String) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        if failure.is_none() {
            line.push('\n');
            let mut stdout = io::stdout().lock();
            let written = stdout.write_all(line.as_bytes());
            *failure = written.and_then(|()| stdout.flush()).err();
        }
    }

    /// Whether stdout takes no more.
    pub(crate) fn has_failed(&self) -> bool {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.is_some()
    }

    /// The exit code, and a last word if stdout failed. Whoever closes a pipe has what
    /// was wanted.
    pub(crate) fn end(&self, exit: Exit) -> Exit {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        match &*failure {
            Some(error) if error.kind() != ErrorKind::BrokenPipe => {
                let line = format!("error: the result cannot be written: {error}\n");
                let _ = io::stderr().lock().write_all(line.as_bytes());
                Exit::Other
            }
            // Not with Ctrl-C.
            Some(_) if exit == Exit::Cancelled => Exit::Other,
            _ => exit,
        }
    }
}

/// Stderr without secrets; a flush prints what was written.
pub(crate) struct Questions<'a> {
    secrets: &'a Secrets,
    text: Vec<u8>,
}

impl Write for Questions<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let text = String::from_utf8_lossy(&std::mem::take(&mut self.text)).into_owned();
        io::stderr()
            .lock()
            .write_all(self.secrets.hidden(text).as_bytes())
    }
}
