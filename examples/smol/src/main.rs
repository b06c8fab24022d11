//! The asynchronous adapter on another runtime than tokio: smol, with hyper.
//!
//! `cargo run -p example-smol -- URL METHOD [PARAMS]` prints the result, as in
//! `cargo run -p example-smol -- http://127.0.0.1:8000/mcp tools/list`.
//!
//! The adapter asks for two things, and both stand here: a service that carries
//! requests, and a timer. This service speaks HTTP/1.1 without TLS and makes a
//! connection for each exchange; one that does more takes its place, and nothing else
//! changes.

#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "the result is what it is run for"
)]

use std::error::Error;
use std::io;
use std::process::ExitCode;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::HOST;
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use mcp_http::asynchronous::{Client, Timer};
use mcp_http::{Config, Failure, Time};
use smol::future::{Boxed, FutureExt};
use smol::net::TcpStream;
use smol_hyper::rt::FuturesIo;
use tower_service::Service;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    match smol::block_on(run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(method)) = (arguments.next(), arguments.next()) else {
        return Err("usage: example-smol URL METHOD [PARAMS]".into());
    };
    let params: serde_json::Value = match arguments.next() {
        Some(text) => serde_json::from_str(&text)?,
        None => serde_json::Value::Null,
    };
    let (client, driver) = Client::new(Config::new(&url)?, Http, Clock(Instant::now()));
    smol::spawn(driver).detach();
    let result = client.call(&method, params).await;
    client.close().await;
    println!("{}", result?.as_str());
    Ok(())
}

/// hyper over smol's sockets.
#[derive(Clone)]
struct Http;

impl Service<Request<Full<Bytes>>> for Http {
    type Response = Response<Incoming>;
    type Error = Failure;
    type Future = Boxed<Result<Self::Response, Failure>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        carry(request).boxed()
    }
}

/// An exchange is aborted by dropping this future, or the body that it gives: hyper
/// then closes the connection.
async fn carry(mut request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Failure> {
    let socket = connect(request.uri())
        .await
        .map_err(|error| Failure::not_sent(error.to_string()))?;
    address(&mut request).map_err(|error| Failure::not_sent(error.to_string()))?;
    let broken = |error: hyper::Error| Failure::broken(error.to_string());
    let (mut sender, connection) = http1::handshake(FuturesIo::new(socket))
        .await
        .map_err(broken)?;
    // The sender and the body hear of its failures.
    smol::spawn(async { drop(connection.await) }).detach();
    sender.send_request(request).await.map_err(broken)
}

async fn connect(uri: &Uri) -> io::Result<TcpStream> {
    if uri.scheme_str() != Some("http") {
        return Err(io::Error::other("this example speaks no TLS"));
    }
    let host = uri.host().unwrap_or_default();
    let port = uri.port_u16().unwrap_or(80);
    let socket = TcpStream::connect(format!("{host}:{port}"));
    let too_late = async {
        smol::Timer::after(CONNECT).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    socket.or(too_late).await
}

/// Moves the server's name from the target into `Host`: hyper's connections send both
/// as they are.
fn address(request: &mut Request<Full<Bytes>>) -> Result<(), http::Error> {
    let uri = request.uri();
    let host = HeaderValue::from_str(uri.authority().map_or("", |name| name.as_str()))?;
    let target = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    *request.uri_mut() = Uri::try_from(target)?;
    request.headers_mut().insert(HOST, host);
    Ok(())
}

/// smol's timer, and a clock whose origin is the program's start.
struct Clock(Instant);

impl Timer for Clock {
    type Sleep = Boxed<()>;

    fn now(&self) -> Time {
        Time::new(self.0.elapsed())
    }

    fn sleep_until(&self, at: Time) -> Self::Sleep {
        // What no instant can say is never.
        let timer = match self.0.checked_add(at.since_origin()) {
            Some(at) => smol::Timer::at(at),
            None => smol::Timer::never(),
        };
        async move {
            timer.await;
        }
        .boxed()
    }
}
