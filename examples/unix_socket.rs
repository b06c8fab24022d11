//! The asynchronous adapter over a Unix domain socket: hyper-util's pooled client with a
//! connector of its own.
//!
//! `cargo run --features tokio --example unix_socket -- SOCKET METHOD [PARAMS]`

#![allow(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(not(unix), allow(unused_imports))]

use std::error::Error;
use std::process::ExitCode;

use mcp_http::Config;
use mcp_http::asynchronous::Client;
use mcp_http::tokio::Clock;
use serde_json::Value;

/// Says the path and the `Host` header; where the server is, the socket says.
const ENDPOINT: &str = "http://localhost/mcp";

#[cfg(unix)]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(socket), Some(method)) = (args.next(), args.next()) else {
        return Err("usage: unix_socket SOCKET METHOD [PARAMS]".into());
    };
    let params: Value = serde_json::from_str(args.next().as_deref().unwrap_or("{}"))?;

    let http = http::Http::new(socket.into());
    let (client, driver) = Client::new(Config::new(ENDPOINT)?, http, Clock::new());
    tokio::spawn(driver);
    let mut events = client.events();
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            eprintln!("{event:?}");
        }
    });

    let outcome = client.call(&method, params).await;
    client.close().await;
    match outcome {
        Ok(result) => println!("{}", result.as_str()),
        Err(error) => {
            eprintln!("{error}");
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(not(unix))]
fn main() {
    eprintln!("there are no Unix domain sockets here");
}

#[cfg(unix)]
mod http {
    use std::error::Error;
    use std::io;
    use std::path::PathBuf;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Poll};

    use bytes::Bytes;
    use http::{Request, Response, Uri};
    use http_body_util::Full;
    use hyper::body::Incoming;
    use hyper_util::client::legacy::Client as Pool;
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use mcp_http::Failure;
    use tokio::net::UnixStream;
    use tower_service::Service;

    type Answer<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

    #[derive(Clone)]
    pub(crate) struct Http {
        pool: Pool<Socket, Full<Bytes>>,
    }

    impl Http {
        pub(crate) fn new(path: PathBuf) -> Self {
            let pool = Pool::builder(TokioExecutor::new()).build(Socket(path.into()));
            Self { pool }
        }
    }

    impl Service<Request<Full<Bytes>>> for Http {
        type Response = Response<Incoming>;
        type Error = Failure;
        type Future = Answer<Response<Incoming>, Failure>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
            let response = self.pool.request(request);
            Box::pin(async {
                // Calls are sent again on the strength of `not_sent`.
                response.await.map_err(|error| match error.is_connect() {
                    true => Failure::not_sent(text(&error)),
                    false => Failure::broken(text(&error)),
                })
            })
        }
    }

    fn text(error: &dyn Error) -> String {
        match error.source() {
            Some(cause) => format!("{error}: {}", text(cause)),
            None => error.to_string(),
        }
    }

    #[derive(Clone)]
    struct Socket(Arc<std::path::Path>);

    impl Service<Uri> for Socket {
        type Response = TokioIo<UnixStream>;
        type Error = io::Error;
        type Future = Answer<Self::Response, io::Error>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Uri) -> Self::Future {
            let path = Arc::clone(&self.0);
            Box::pin(async move { UnixStream::connect(&path).await.map(TokioIo::new) })
        }
    }
}
