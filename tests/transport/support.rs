//! Servers on loopback, and what this process holds.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use mcp_http::Failure;
use mcp_http::blocking::{Abort, Body, Http, Transport};

/// How long an abort may take on a machine that is busy with other tests. A hang is
/// what these tests look for; the worst time is printed.
pub(crate) const SOON: Duration = Duration::from_secs(3);

/// Tests that count what the process holds run one at a time.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    pub(crate) accepted: Arc<AtomicUsize>,
}

impl Server {
    /// Each connection on a thread of its own.
    pub(crate) fn start(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        let serve = Arc::new(serve);
        thread::spawn(move || {
            for stream in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
                let serve = Arc::clone(&serve);
                if let Ok(stream) = &stream {
                    stream.set_nodelay(true).unwrap();
                }
                thread::spawn(move || serve(stream.unwrap()));
            }
        });
        Self { addr, accepted }
    }
    pub(crate) fn url(&self) -> String {
        format!("http://{}/mcp", self.addr)
    }
    pub(crate) fn count(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

/// Head and body of one request; none at the end of the connection.
pub(crate) fn read_request(stream: &mut impl Read) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head
        .lines()
        .find_map(|l| {
            l.to_ascii_lowercase()
                .strip_prefix("content-length: ")
                .map(|v| v.parse().unwrap())
        })
        .unwrap_or(0usize);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((head, body))
}

pub(crate) fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Waits until the other side has gone; true if it did within the time.
pub(crate) fn gone(stream: &TcpStream, within: Duration) -> bool {
    let until = Instant::now() + within;
    let mut buf = [0; 4096];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        stream.set_read_timeout(Some(left)).unwrap();
        match (&*stream).read(&mut buf) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(e)
                if matches!(
                    e.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                ) =>
            {
                return false;
            }
            Err(_) => return true,
        }
    }
}

pub(crate) fn post(url: &str, body: &[u8]) -> Request<Bytes> {
    Request::post(url)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(Bytes::copy_from_slice(body))
        .unwrap()
}

pub(crate) fn call(http: &Http, url: &str) -> Result<String, String> {
    let response = http
        .send(post(url, b"{}"), &Abort::new())
        .map_err(|e| format!("{:?} {e}", e.kind()))?;
    let mut text = String::new();
    response
        .into_body()
        .read_to_string(&mut text)
        .map_err(|e| e.to_string())?;
    Ok(text)
}

/// What a client thread does, and how long after the abort it came back.
pub(crate) enum Outcome {
    Send(Failure),
    Read(std::io::Error),
    Done,
}

/// Sends (and reads) on a thread; aborts when `silent` says so; gives the outcome and
/// the time from the abort to the end of the thread.
pub(crate) fn aborted(
    http: &Http,
    request: Request<Bytes>,
    silent: impl FnOnce(),
) -> (Outcome, Duration) {
    let abort = Abort::new();
    let thread = {
        let (http, abort) = (http.clone(), abort.clone());
        thread::Builder::new()
            .name("client".into())
            .spawn(move || {
                let outcome = match http.send(request, &abort) {
                    Err(failure) => Outcome::Send(failure),
                    Ok(response) => {
                        let mut body: Body = response.into_body();
                        let mut buf = [0; 1024];
                        loop {
                            match body.read(&mut buf) {
                                Ok(0) => break Outcome::Done,
                                Ok(_) => {}
                                Err(e) => break Outcome::Read(e),
                            }
                        }
                    }
                };
                (outcome, Instant::now())
            })
            .unwrap()
    };
    silent();
    let begun = Instant::now();
    abort.abort();
    let (outcome, at) = thread.join().unwrap();
    (outcome, at.saturating_duration_since(begun))
}

pub(crate) fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}
pub(crate) fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}
/// Neither more than they were, within seconds: the server's threads end by themselves,
/// those of the test before too.
pub(crate) fn back_to(before: (usize, usize)) {
    let back = || descriptors() <= before.0 && threads() <= before.1;
    let until = Instant::now() + Duration::from_secs(5);
    while !back() && Instant::now() < until {
        thread::sleep(Duration::from_millis(2));
    }
    assert!(back(), "{:?} were {before:?}", (descriptors(), threads()));
}

/// Whether this process has these variables in its environment. If not, the test of
/// this name is run in one that has.
pub(crate) fn runs_with(test: &str, variables: &[(&str, &str)]) -> bool {
    const MARK: &str = "MCP_HTTP_TEST_AGAIN";
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    let run = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .envs(variables.iter().copied())
        .env(MARK, "")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout) + String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && said.contains("1 passed"), "{said}");
    false
}

/// Waits for what others do.
pub(crate) fn until(holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "it never came to that");
        thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) fn channel<T>() -> (Mutex<Sender<T>>, Receiver<T>) {
    let (tx, rx) = mpsc::channel();
    (Mutex::new(tx), rx)
}
pub(crate) fn say<T>(tx: &Mutex<Sender<T>>, what: T) {
    tx.lock().unwrap().send(what).unwrap();
}
/// What was said. Only what hangs takes so long.
pub(crate) fn hear<T>(rx: &Receiver<T>) -> T {
    rx.recv_timeout(Duration::from_secs(30)).unwrap()
}
pub(crate) fn write(stream: &mut impl Write, text: &str) {
    stream.write_all(text.as_bytes()).unwrap();
}
