//! The command as a child process, and what it says.

use std::io::{Read, Write};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Only a hang takes this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// What no run ever prints, wherever it was given.
pub(crate) const SECRET: &str = "marker-5ecret";

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// The one line on stdout.
    pub(crate) fn result(&self) -> Value {
        assert_eq!(self.code, Some(0), "{self:?}");
        assert_eq!(self.stdout.matches('\n').count(), 1, "{self:?}");
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// The lines of `--json`.
    pub(crate) fn records(&self) -> Vec<Value> {
        let lines = self.stdout.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// `mcp-http call`, with these arguments.
pub(crate) fn call(arguments: &[&str]) -> Command {
    let mut command = mcp_http();
    command.arg("call").args(arguments);
    command
}

pub(crate) fn mcp_http() -> Command {
    Command::new(env!("CARGO_BIN_EXE_mcp-http"))
}

/// Runs it to its end, with nothing on stdin.
pub(crate) fn run(arguments: &[&str]) -> Ran {
    Running::start(call(arguments)).end()
}

/// Waits until this is so.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "not so: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn spawn(mut command: Command) -> Child {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command.stderr(Stdio::piped()).spawn().unwrap()
}

/// A child whose outputs are read as they come.
pub(crate) struct Running {
    child: Child,
    output: Receiver<(Stream, Vec<u8>)>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Stream {
    Stdout,
    Stderr,
}

impl Running {
    pub(crate) fn start(command: Command) -> Self {
        Self::of(spawn(command))
    }

    /// With nobody to read stdout.
    pub(crate) fn start_with_closed_stdout(command: Command) -> Self {
        let mut child = spawn(command);
        drop(child.stdout.take());
        Self::of(child)
    }

    /// With somebody who holds stderr and does not read it.
    pub(crate) fn start_with_unread_stderr(command: Command) -> (Self, ChildStderr) {
        let mut child = spawn(command);
        let stderr = child.stderr.take().unwrap();
        (Self::of(child), stderr)
    }

    fn of(mut child: Child) -> Self {
        let (output, received) = mpsc::channel();
        let stdout = child.stdout.take();
        let stderr = child.stderr.take();
        let stdout = stdout.map(|pipe| (Stream::Stdout, Box::new(pipe) as Box<dyn Read + Send>));
        let stderr = stderr.map(|pipe| (Stream::Stderr, Box::new(pipe) as Box<dyn Read + Send>));
        for (stream, mut reader) in stdout.into_iter().chain(stderr) {
            let output = output.clone();
            thread::spawn(move || {
                let mut chunk = [0; 4096];
                while let Ok(read @ 1..) = reader.read(&mut chunk) {
                    let _ = output.send((stream, chunk[..read].to_vec()));
                }
            });
        }
        Self {
            child,
            output: received,
            stdout: Vec::new(),
            stderr: Vec::new(),
        }
    }

    /// Waits until stdout or stderr has said this.
    pub(crate) fn says(&mut self, text: &str) {
        let began = Instant::now();
        while !self.said().contains(text) {
            let left = PATIENCE.saturating_sub(began.elapsed());
            match self.output.recv_timeout(left) {
                Ok((stream, bytes)) => self.keep(stream, &bytes),
                Err(_) => panic!("it does not say {text:?}, but:\n{}", self.said()),
            }
        }
    }

    pub(crate) fn types(&mut self, text: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(text.as_bytes()).unwrap();
        stdin.flush().unwrap();
    }

    /// As Ctrl-C does.
    #[cfg(unix)]
    pub(crate) fn interrupt(&self) {
        let id = self.child.id().to_string();
        let killed = Command::new("kill").args(["-INT", &id]).status().unwrap();
        assert!(killed.success());
    }

    /// Closes stdin and waits for the end.
    pub(crate) fn end(mut self) -> Ran {
        drop(self.child.stdin.take());
        let began = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(began.elapsed());
            match self.output.recv_timeout(left) {
                Ok((stream, bytes)) => self.keep(stream, &bytes),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    let _ = self.child.kill();
                    panic!("it does not end, and said:\n{}", self.said());
                }
            }
        }
        let code = self.child.wait().unwrap().code();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let ran = Ran {
            code,
            stdout: text(&self.stdout),
            stderr: text(&self.stderr),
        };
        assert!(!ran.stdout.contains(SECRET), "{ran:?}");
        assert!(!ran.stderr.contains(SECRET), "{ran:?}");
        assert!(!ran.stderr.contains("panicked"), "{ran:?}");
        ran
    }

    fn keep(&mut self, stream: Stream, bytes: &[u8]) {
        match stream {
            Stream::Stdout => self.stdout.extend_from_slice(bytes),
            Stream::Stderr => self.stderr.extend_from_slice(bytes),
        }
    }

    fn said(&self) -> String {
        let said = [self.stdout.as_slice(), self.stderr.as_slice()].concat();
        String::from_utf8_lossy(&said).into_owned()
    }
}
