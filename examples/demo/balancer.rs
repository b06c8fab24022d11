//! A naive load balancer: each request goes to the next server in turn, whoever sent it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Uri;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

/// A running balancer. Dropping it ends it.
pub(crate) struct Balancer {
    address: SocketAddr,
    task: JoinHandle<()>,
}

#[derive(Clone)]
struct Turns {
    servers: Arc<[SocketAddr]>,
    next: Arc<AtomicUsize>,
    client: Client<HttpConnector, Incoming>,
}

impl Balancer {
    /// In front of these servers.
    pub(crate) async fn start(servers: &[SocketAddr]) -> Self {
        let any = (Ipv4Addr::LOCALHOST, 0);
        let listener = TcpListener::bind(any)
            .await
            .expect("a loopback port is free");
        let address = listener.local_addr().expect("it is bound");
        let turns = Turns {
            servers: servers.into(),
            next: Arc::default(),
            client: Client::builder(TokioExecutor::new()).build_http(),
        };
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let turns = turns.clone();
                connections.spawn(async move {
                    let service = service_fn(move |request| turns.clone().pass_on(request));
                    let _ = auto::Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self { address, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }
}

impl Turns {
    async fn pass_on(
        self,
        mut request: Request<Incoming>,
    ) -> Result<Response<Incoming>, hyper_util::client::legacy::Error> {
        let turn = self.next.fetch_add(1, Ordering::SeqCst) % self.servers.len();
        let server = self.servers.get(turn).expect("a turn is a server's");
        let place = format!("http://{server}{}", request.uri().path());
        *request.uri_mut() = place.parse::<Uri>().expect("an address makes a URL");
        request.headers_mut().remove(http::header::HOST);
        self.client.request(request).await
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
