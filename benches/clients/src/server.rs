//! The server: 2025-11-25, JSON answers, one tool that takes its time, sessions that it forgets when
//! it is told to. It is a process of its own, so that what it does counts as nobody's.

use std::convert::Infallible;
use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::message::REVISION;

/// Says to this program that it is the server.
const SERVE: &str = "--serve";

/// The bytes of the answer to a call.
const SIZE: usize = 200;

/// A server that runs until this is dropped.
pub struct Server {
    process: Child,
    address: String,
}

impl Server {
    /// Starts this program as a server, each of whose answers takes so long.
    pub fn start(delay: Duration) -> Self {
        let mut process = Command::new(env::current_exe().expect("a program knows where it is"))
            .args([SERVE, &delay.as_millis().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let output = process.stdout.take().expect("it says where it is");
        let mut address = String::new();
        let read = BufReader::new(output).read_line(&mut address);
        read.expect("it says where it is");
        let address = address.trim().to_owned();
        Self { process, address }
    }

    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// The sessions that there are are forgotten; what is under way in them goes on.
    pub fn forget(&self) {
        let mut socket = TcpStream::connect(&self.address).expect("the server is there");
        let request = b"PUT / HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n";
        socket.write_all(request).expect("it can be told");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("it answers");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Whether this process was started as a server. Then it has been one, until nobody wanted it any more.
pub fn serve_if_asked() -> bool {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [mode, delay] = arguments.as_slice() else {
        return false;
    };
    if mode != SERVE {
        return false;
    }
    let delay = Duration::from_millis(delay.parse().expect("a number of milliseconds"));
    // Whoever started it holds the other end of this.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(serve(delay));
    true
}

async fn serve(delay: Duration) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("{}", listener.local_addr().expect("an address"));
    let epoch = Arc::new(AtomicU64::new(0));
    loop {
        let (socket, _) = listener.accept().await.expect("a connection");
        let _ = socket.set_nodelay(true);
        let epoch = Arc::clone(&epoch);
        tokio::spawn(async move {
            let service = service_fn(|request| answer(request, &epoch, delay));
            let served = http1::Builder::new().serve_connection(TokioIo::new(socket), service);
            let _ = served.await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    epoch: &AtomicU64,
    delay: Duration,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    if head.method == Method::PUT {
        epoch.fetch_add(1, Ordering::SeqCst);
        return Ok(empty(StatusCode::OK));
    }
    if head.method != Method::POST {
        return Ok(empty(StatusCode::METHOD_NOT_ALLOWED));
    }
    let current = format!("{:032x}", epoch.load(Ordering::SeqCst));
    let body = body.collect().await.map(|body| body.to_bytes());
    let message: Value = serde_json::from_slice(&body.unwrap_or_default()).unwrap_or_default();
    let session = head.headers.get("mcp-session-id");
    let is_known = session.is_none_or(|session| *session == current);
    let ms = message["params"]["arguments"]["ms"].as_u64();
    tokio::time::sleep(ms.map_or(delay, Duration::from_millis)).await;
    if !is_known {
        return Ok(empty(StatusCode::NOT_FOUND));
    }
    if message.get("id").is_none() {
        return Ok(empty(StatusCode::ACCEPTED));
    }
    let mut reply = json!({ "jsonrpc": "2.0", "id": message["id"] });
    let mut response = empty(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    match message["method"].as_str() {
        Some("initialize") => {
            reply["result"] = json!({
                "protocolVersion": REVISION, "capabilities": { "tools": {} },
                "serverInfo": { "name": "bench", "version": "1" },
            });
            let session = HeaderValue::from_str(&current).expect("visible text");
            headers.insert("mcp-session-id", session);
        }
        Some("tools/call") => {
            let content = |text: String| json!({ "content": [{ "type": "text", "text": text }] });
            reply["result"] = content(String::new());
            let missing = SIZE.saturating_sub(reply.to_string().len());
            reply["result"] = content("x".repeat(missing));
        }
        _ => reply["error"] = json!({ "code": -32601, "message": "there is no such method" }),
    }
    *response.body_mut() = Full::from(reply.to_string());
    Ok(response)
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
