//! A proxy that cuts: it passes bytes on, and tears a connection down in the middle of
//! an event stream.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// What is counted on its way.
const MARK: &[u8] = b"notifications/progress";

/// A running proxy. Dropping it ends it.
pub(crate) struct Cutter {
    address: SocketAddr,
    cuts: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Cutter {
    /// In front of this server, and cutting each connection after so many progress
    /// messages.
    pub(crate) async fn start(server: SocketAddr, messages: usize) -> Self {
        let any = (Ipv4Addr::LOCALHOST, 0);
        let listener = TcpListener::bind(any)
            .await
            .expect("a loopback port is free");
        let address = listener.local_addr().expect("it is bound");
        let cuts = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&cuts);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let counter = Arc::clone(&counter);
                connections.spawn(async move {
                    if let Ok(true) = pass(client, server, messages).await {
                        counter.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        Self {
            address,
            cuts,
            task,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// How many streams it has cut.
    pub(crate) fn cuts(&self) -> u64 {
        self.cuts.load(Ordering::SeqCst)
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Passes a connection's bytes on until it ends, or is to be cut: says which.
async fn pass(client: TcpStream, server: SocketAddr, messages: usize) -> std::io::Result<bool> {
    let server = TcpStream::connect(server).await?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let upload = tokio::spawn(async move { copy(&mut from_client, &mut to_server).await });
    let mut tail = Vec::new();
    let mut seen = 0;
    let mut buffer = [0; 4096];
    let cut = loop {
        let read = from_server.read(&mut buffer).await?;
        let Some(piece) = buffer.get(..read).filter(|piece| !piece.is_empty()) else {
            break false;
        };
        to_client.write_all(piece).await?;
        // A mark may lie across two pieces.
        tail.extend_from_slice(piece);
        while let Some(at) = tail.windows(MARK.len()).position(|window| window == MARK) {
            tail.drain(..at + MARK.len());
            seen += 1;
        }
        tail.drain(..tail.len().saturating_sub(MARK.len()));
        if seen >= messages {
            break true;
        }
    };
    upload.abort();
    Ok(cut)
}
