//! A server that floods, and an application that does not read: what that costs.
//!
//! `cargo run --release --all-features --example flood -- 10` has a server send 10 GB of
//! notifications to each adapter, on the stream of a call and on the listening stream,
//! and prints how much memory the client took meanwhile. Calls beside the flood have to
//! be answered. The server is a process of its own, so that its memory does not count.
//! Linux only: the figures come from `/proc/self/status`.

#![allow(clippy::expect_used, clippy::print_stderr, clippy::print_stdout)]

use std::convert::Infallible;
use std::io::BufRead as _;
use std::pin::Pin;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::client::legacy::{Client as Pool, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use mcp_http::tokio::Clock;
use mcp_http::{CallOptions, Config, Error, RawJson, asynchronous, blocking};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::sleep;

/// Calls that are made beside the flood.
const CALLS: usize = 100;
/// How much more memory a client may take than before the flood.
const GROWTH: u64 = 24 << 20;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let argument = std::env::args().nth(1).unwrap_or_else(|| "1".to_owned());
    if argument == "serve" {
        let bytes = std::env::args().nth(2).and_then(|bytes| bytes.parse().ok());
        return serve(bytes.unwrap_or_default()).await;
    }
    let Ok(gigabytes) = argument.parse() else {
        eprintln!("usage: flood [GIGABYTES]");
        return ExitCode::FAILURE;
    };
    if memory().is_none() {
        eprintln!("error: /proc/self/status does not say how much memory this takes");
        return ExitCode::FAILURE;
    }
    let mut kept = true;
    for adapter in [
        "asynchronous http=1",
        "asynchronous http=2",
        "blocking http=1",
    ] {
        for stream in ["call", "listening"] {
            let (flood, url) = start(gigabytes);
            let outcome = measure(adapter, stream, &url).await;
            drop(flood);
            match outcome {
                Ok(fine) => kept &= fine,
                Err(error) => {
                    println!("{stream} {adapter} {error}");
                    kept = false;
                }
            }
        }
    }
    if kept {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

async fn measure(adapter: &str, stream: &str, url: &str) -> Result<bool, Error> {
    let config = Config::new(url)?.listen(stream == "listening");
    let client = match adapter {
        "asynchronous http=2" => {
            let pool = Pool::builder(TokioExecutor::new())
                .http2_only(true)
                .build_http();
            let (client, driver) = asynchronous::Client::new(config, Http2(pool), Clock::new());
            tokio::spawn(driver);
            Client::Asynchronous(client)
        }
        "asynchronous http=1" => Client::Asynchronous(asynchronous::Client::spawn(config)),
        _ => Client::Blocking(blocking::Client::spawn(config)),
    };
    // Somebody who could read, and does not.
    let _events = client.events();
    let before = memory().unwrap_or_default();
    let peak = Peak::begin();
    let flood = (stream == "call").then(|| client.start("tools/call"));
    let mut answered = 0;
    let mut sent = 0;
    // Until it is all through, or nothing moves.
    let mut last = None;
    while last != Some(sent) || sent == 0 {
        last = Some(sent);
        for _ in 0..CALLS {
            let status = client.call("tools/list").await?;
            let status: Value = status.deserialize().unwrap_or_default();
            sent = status
                .get("sent")
                .and_then(Value::as_u64)
                .unwrap_or_default();
            answered += 1;
        }
        sleep(Duration::from_millis(500)).await;
    }
    let growth = peak.end().saturating_sub(before);
    println!(
        "flood={stream:<9} adapter={adapter:<19} sent_mb={:<6} answered={answered:<5} before_mb={:<3} growth_mb={:.1}",
        sent / 1_000_000,
        before >> 20,
        growth as f64 / f64::from(1 << 20),
    );
    drop(flood);
    client.close().await;
    Ok(growth <= GROWTH && sent > 0)
}

/// A client, through either adapter.
#[derive(Clone)]
enum Client {
    Asynchronous(asynchronous::Client),
    Blocking(blocking::Client),
}

/// Somebody who may read, or waits: dropping it ends that.
#[expect(dead_code, reason = "held, not used")]
enum Held {
    Call(asynchronous::Call),
    BlockingCall(Result<blocking::Call, Error>),
    Events(asynchronous::Events),
    BlockingEvents(blocking::Events),
}

impl Client {
    fn events(&self) -> Held {
        match self {
            Self::Asynchronous(client) => Held::Events(client.events()),
            Self::Blocking(client) => Held::BlockingEvents(client.events()),
        }
    }

    fn start(&self, method: &str) -> Held {
        match self {
            Self::Asynchronous(client) => Held::Call(client.call(method, json!({}))),
            Self::Blocking(client) => {
                Held::BlockingCall(client.start(method, json!({}), CallOptions::new()))
            }
        }
    }

    async fn call(&self, method: &'static str) -> Result<RawJson, Error> {
        match self.clone() {
            Self::Asynchronous(client) => client.call(method, json!({})).await,
            Self::Blocking(client) => {
                let call = move || client.call(method, json!({}));
                tokio::task::spawn_blocking(call)
                    .await
                    .expect("it does not panic")
            }
        }
    }

    async fn close(self) {
        match self {
            Self::Asynchronous(client) => client.close().await,
            Self::Blocking(client) => {
                let close = move || client.close();
                tokio::task::spawn_blocking(close)
                    .await
                    .expect("it does not panic");
            }
        }
    }
}

/// hyper-util's pool, told to speak HTTP/2 and nothing else.
#[derive(Clone)]
struct Http2(Pool<HttpConnector, Full<Bytes>>);

impl tower_service::Service<Request<Full<Bytes>>> for Http2 {
    type Response = Response<Incoming>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        let answer = self.0.request(request);
        Box::pin(async { Ok(answer.await?) })
    }
}

/// The most memory that this process took since it began.
struct Peak(Arc<AtomicBool>, std::thread::JoinHandle<u64>);

impl Peak {
    fn begin() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        let watch = std::thread::spawn(move || {
            let mut most = 0;
            while !seen.load(Ordering::SeqCst) {
                // What cannot be read any more is no little.
                most = most.max(memory().unwrap_or(u64::MAX));
                std::thread::sleep(Duration::from_millis(2));
            }
            most
        });
        Self(over, watch)
    }

    fn end(self) -> u64 {
        self.0.store(true, Ordering::SeqCst);
        self.1.join().unwrap_or(u64::MAX)
    }
}

/// Resident memory of this process, in bytes.
fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib << 10)
}

/// The server, in a process of its own.
struct Flood(Child);

impl Drop for Flood {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(gigabytes: f64) -> (Flood, String) {
    let this = std::env::current_exe().expect("this program has a path");
    let mut child = Command::new(this)
        .args(["serve", &format!("{:.0}", gigabytes * 1e9)])
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program can be started again");
    let mut url = String::new();
    let stdout = child.stdout.take().expect("it is piped");
    std::io::BufReader::new(stdout)
        .read_line(&mut url)
        .expect("it says where it is");
    (Flood(child), url.trim().to_owned())
}

async fn serve(bytes: u64) -> ExitCode {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    println!("http://{address}/mcp");
    let sent = Arc::new(AtomicU64::new(0));
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            continue;
        };
        let sent = Arc::clone(&sent);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, Arc::clone(&sent), bytes));
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(socket), service)
                .await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    sent: Arc<AtomicU64>,
    bytes: u64,
) -> Result<Response<BoxBody<Bytes, Infallible>>, hyper::Error> {
    let get = request.method() == Method::GET;
    let body = request.into_body().collect().await?.to_bytes();
    let message: Value = serde_json::from_slice(&body).unwrap_or_default();
    let method = message.get("method").and_then(Value::as_str);
    let (kind, body) = match method {
        _ if get => ("text/event-stream", Flow::new(sent, bytes).boxed()),
        Some("tools/call") => ("text/event-stream", Flow::new(sent, bytes).boxed()),
        Some("initialize") => (
            "application/json",
            reply(
                &message,
                &json!({
                    "protocolVersion": "2025-11-25",
                    "capabilities": { "tools": {} },
                    "serverInfo": { "name": "flood", "version": "1" },
                }),
            ),
        ),
        Some("tools/list") => {
            let sent = sent.load(Ordering::SeqCst);
            (
                "application/json",
                reply(&message, &json!({ "tools": [], "sent": sent })),
            )
        }
        _ => ("", Full::default().boxed()),
    };
    let mut response = Response::new(body);
    if kind.is_empty() {
        *response.status_mut() = StatusCode::ACCEPTED;
    }
    let headers = response.headers_mut();
    headers.insert("mcp-session-id", HeaderValue::from_static("flood"));
    headers.insert("content-type", HeaderValue::from_static(kind));
    Ok(response)
}

fn reply(request: &Value, result: &Value) -> BoxBody<Bytes, Infallible> {
    let reply = json!({ "jsonrpc": "2.0", "id": request.get("id"), "result": result });
    Full::from(reply.to_string()).boxed()
}

/// Notifications of 1 KB each, 64 at a time, as fast as they are taken.
struct Flow {
    sent: Arc<AtomicU64>,
    left: u64,
    chunk: Bytes,
}

impl Flow {
    fn new(sent: Arc<AtomicU64>, left: u64) -> Self {
        let data = "x".repeat(900);
        let message = json!({ "jsonrpc": "2.0", "method": "notifications/message",
                              "params": { "level": "info", "data": data } });
        let chunk = Bytes::from(format!("data: {message}\n\n").repeat(64));
        Self { sent, left, chunk }
    }
}

impl Body for Flow {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Pending;
        }
        let length = self.chunk.len() as u64;
        self.left = self.left.saturating_sub(length);
        self.sent.fetch_add(length, Ordering::SeqCst);
        Poll::Ready(Some(Ok(Frame::data(self.chunk.clone()))))
    }
}
