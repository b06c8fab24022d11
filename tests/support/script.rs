//! A scripted server on a real socket: HTTP/1.1, one function decides every answer.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What arrived.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) method: String,
    pub(crate) target: String,
    /// The whole head in lower case.
    pub(crate) head: String,
    /// Its fields, values as they came.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) message: Value,
}

impl Arrived {
    /// The JSON-RPC method.
    pub(crate) fn calls(&self) -> &str {
        self.message["method"].as_str().unwrap_or_default()
    }
}

/// What the server does.
pub(crate) enum Act {
    /// These bytes, then the next request of the connection.
    Answer(String),
    /// These bytes, then nothing for ever.
    Hang(String),
    /// The same, and the peer's closing is told.
    Held(String, Told),
    /// These bytes over and over, until the peer is gone.
    Flood(String, String),
    /// These bytes, then the connection is closed.
    Close(String),
    /// These bytes, and the rest when that has happened.
    Wait(String, Happened, Box<Act>),
}

pub(crate) type Told = Box<dyn FnOnce() + Send>;
pub(crate) type Happened = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(crate) struct Script {
    address: SocketAddr,
    pub(crate) arrived: Arc<Mutex<Vec<Arrived>>>,
    /// Connections made in all, and those that are open.
    pub(crate) connections: Arc<AtomicUsize>,
    pub(crate) open: Arc<AtomicUsize>,
    /// Bytes that the server could write.
    pub(crate) written: Arc<AtomicUsize>,
}

impl Script {
    pub(crate) async fn start(act: impl Fn(&Arrived) -> Act + Send + Sync + 'static) -> Self {
        Self::over(TcpListener::bind("127.0.0.1:0").await.unwrap(), act)
    }

    /// On a listener that exists.
    pub(crate) fn over(
        listener: TcpListener,
        act: impl Fn(&Arrived) -> Act + Send + Sync + 'static,
    ) -> Self {
        let script = Self {
            address: listener.local_addr().unwrap(),
            arrived: Arc::default(),
            connections: Arc::default(),
            open: Arc::default(),
            written: Arc::default(),
        };
        let act = Arc::new(act);
        let (arrived, connections) = (script.arrived.clone(), script.connections.clone());
        let (open, written) = (script.open.clone(), script.written.clone());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                open.fetch_add(1, Ordering::SeqCst);
                let (act, arrived) = (act.clone(), arrived.clone());
                let (open, written) = (open.clone(), written.clone());
                tokio::spawn(async move {
                    serve(socket, &*act, &arrived, &written).await;
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        script
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    pub(crate) fn arrived(&self, calls: &str) -> usize {
        let arrived = self.arrived.lock().unwrap();
        arrived.iter().filter(|one| one.calls() == calls).count()
    }
}

async fn serve(
    mut socket: TcpStream,
    act: &(impl Fn(&Arrived) -> Act + Sync),
    arrived: &Mutex<Vec<Arrived>>,
    written: &AtomicUsize,
) {
    let mut input = Vec::new();
    while let Some(request) = read(&mut socket, &mut input).await {
        arrived.lock().unwrap().push(request.clone());
        let mut next = act(&request);
        loop {
            next = match next {
                Act::Wait(text, happened, rest) => {
                    if socket.write_all(text.as_bytes()).await.is_err() {
                        return;
                    }
                    happened.await;
                    *rest
                }
                Act::Answer(text) => {
                    if socket.write_all(text.as_bytes()).await.is_err() {
                        return;
                    }
                    break;
                }
                Act::Close(text) => {
                    let _ = socket.write_all(text.as_bytes()).await;
                    let _ = socket.shutdown().await;
                    return;
                }
                Act::Hang(text) => {
                    let _ = socket.write_all(text.as_bytes()).await;
                    // Until the peer closes.
                    let _ = socket.read_to_end(&mut Vec::new()).await;
                    return;
                }
                Act::Held(text, told) => {
                    let _ = socket.write_all(text.as_bytes()).await;
                    let _ = socket.read_to_end(&mut Vec::new()).await;
                    told();
                    return;
                }
                Act::Flood(head, text) => {
                    let _ = socket.write_all(head.as_bytes()).await;
                    let (mut from, mut to) = socket.split();
                    let mut sink = Vec::new();
                    tokio::select! {
                        _ = from.read_to_end(&mut sink) => {}
                        () = async {
                            while let Ok(bytes) = to.write(text.as_bytes()).await {
                                written.fetch_add(bytes, Ordering::SeqCst);
                            }
                        } => {}
                    }
                    return;
                }
            };
        }
    }
}

async fn read(socket: &mut TcpStream, input: &mut Vec<u8>) -> Option<Arrived> {
    loop {
        let text = String::from_utf8_lossy(input).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase()
                        .strip_prefix("content-length:")?
                        .trim()
                        .parse()
                        .ok()
                })
                .unwrap_or(0);
            if body.len() >= length {
                let message = serde_json::from_str(&body[..length]).unwrap_or_default();
                let mut words = head.split(' ').map(str::to_owned);
                let (method, target) = (words.next()?, words.next()?);
                let fields = head
                    .lines()
                    .skip(1)
                    .filter_map(|line| line.split_once(": "));
                let headers = fields
                    .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                    .collect();
                let head = head.to_ascii_lowercase();
                input.drain(..text.len() - body.len() + length);
                return Some(Arrived {
                    method,
                    target,
                    head,
                    headers,
                    message,
                });
            }
        }
        if input.first().is_some_and(|byte| !byte.is_ascii_uppercase()) {
            // This is no HTTP: whoever speaks TLS is told by the end of the connection.
            return None;
        }
        let mut chunk = [0; 4096];
        match socket.read(&mut chunk).await {
            Ok(bytes) if bytes > 0 => input.extend_from_slice(&chunk[..bytes]),
            _ => return None,
        }
    }
}

/// A whole answer with a JSON body.
pub(crate) fn json(body: &Value) -> String {
    let body = body.to_string();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nmcp-session-id: s1\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The reply to a request.
pub(crate) fn reply(to: &Arrived, result: &Value) -> String {
    json(&json!({ "jsonrpc": "2.0", "id": to.message["id"], "result": result }))
}

pub(crate) fn accepted() -> String {
    "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n".to_owned()
}

pub(crate) const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";

/// What every server does: the handshake, and accepting.
pub(crate) fn usual(arrived: &Arrived) -> Act {
    Act::Answer(match arrived.calls() {
        "initialize" => reply(
            arrived,
            &json!({
                "protocolVersion": "2025-11-25",
                "capabilities": { "tools": {} },
                "serverInfo": { "name": "script", "version": "1" },
            }),
        ),
        _ if arrived.message.get("id").is_some() && !arrived.calls().is_empty() => {
            reply(arrived, &json!({ "method": arrived.calls() }))
        }
        _ => accepted(),
    })
}
