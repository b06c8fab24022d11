//! Servers on loopback, and what this process holds.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses its own part"
)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use mcp_http::Failure;
use mcp_http::blocking::{Abort, Body, Http, Transport};

/// Tests that count what the process holds run one at a time.
pub fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

pub struct Server {
    pub addr: SocketAddr,
    pub accepted: Arc<AtomicUsize>,
}

impl Server {
    /// Each connection on a thread of its own.
    pub fn start(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
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
    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.addr)
    }
    pub fn count(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

/// Head and body of one request; none at the end of the connection.
pub fn read_request(stream: &mut impl Read) -> Option<(String, Vec<u8>)> {
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

pub fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Waits until the other side has gone; true if it did within the time.
pub fn gone(stream: &TcpStream, within: Duration) -> bool {
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

pub fn post(url: &str, body: &[u8]) -> Request<Bytes> {
    Request::post(url)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(Bytes::copy_from_slice(body))
        .unwrap()
}

pub fn call(http: &Http, url: &str) -> Result<String, String> {
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
pub enum Outcome {
    Send(Failure),
    Read(std::io::Error),
    Done,
}

/// Sends (and reads) on a thread; aborts when `silent` says so; gives the outcome and
/// the time from the abort to the end of the thread.
pub fn aborted(http: &Http, request: Request<Bytes>, silent: impl FnOnce()) -> (Outcome, Duration) {
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

pub fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}
pub fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}
pub fn resolvers() -> usize {
    std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter(|t| {
            let p = t.as_ref().unwrap().path().join("comm");
            std::fs::read_to_string(p).is_ok_and(|c| c.starts_with("mcp-http-resolv"))
        })
        .count()
}

/// Neither more than they were, within seconds: the server's threads end by themselves,
/// those of the test before too.
pub fn back_to(before: (usize, usize)) {
    let back = || descriptors() <= before.0 && threads() <= before.1;
    let until = Instant::now() + Duration::from_secs(5);
    while !back() && Instant::now() < until {
        thread::sleep(Duration::from_millis(2));
    }
    assert!(back(), "{:?} were {before:?}", (descriptors(), threads()));
}

pub fn channel<T>() -> (Mutex<Sender<T>>, Receiver<T>) {
    let (tx, rx) = mpsc::channel();
    (Mutex::new(tx), rx)
}
pub fn say<T>(tx: &Mutex<Sender<T>>, what: T) {
    tx.lock().unwrap().send(what).unwrap();
}
pub fn write(stream: &mut impl Write, text: &str) {
    stream.write_all(text.as_bytes()).unwrap();
}
