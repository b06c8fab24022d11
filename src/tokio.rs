//! The asynchronous adapter made ready for tokio: hyper-util's pooled client over
//! HTTP/1 and HTTP/2, rustls, tokio's timer.
//!
//! TLS is rustls, and trusts what the system trusts. The proxy variables of the
//! environment are not looked at.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ::tokio::time::{Instant, Sleep, timeout};
use bytes::Bytes;
use futures_util::future::{MapErr, TryFutureExt};
use http::{Request, Uri};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client as Pool, Error as PoolError, ResponseFuture};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower_service::Service;

use crate::asynchronous::{Client, Credentials, Driver, Timer};
use crate::error::{Error, Failure};
use crate::{Config, Time};

/// How long a connection may take to be made, TLS included, before the server
/// counts as not reachable.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an idle connection is kept. Servers close theirs after as little as
/// 5 s; one that is found closed is replaced.
const IDLE: Duration = Duration::from_secs(60);

impl Client {
    /// Connects to the MCP endpoint at this URL and waits until a session is
    /// established. Spawns the driver onto the current tokio runtime.
    ///
    /// ```no_run
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), mcp_http::Error> {
    /// let client = mcp_http::asynchronous::Client::connect("http://127.0.0.1:8000/mcp").await?;
    /// println!("{}", client.call("tools/list", ()).await?.as_str());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the URL cannot be an endpoint, and why the handshake failed.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O and time.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        let client = Self::spawn(Config::new(url)?);
        client.ready().await?;
        Ok(client)
    }

    /// A client with this configuration. Spawns the driver onto the current tokio
    /// runtime; nothing is sent before the first call or [`ready`](Self::ready).
    /// A seed that was left at 0 is replaced by a random one.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O and time.
    #[must_use]
    pub fn spawn(config: Config) -> Self {
        let (client, driver) = Self::over_hyper(config);
        ::tokio::spawn(driver);
        client
    }

    /// As [`spawn`](Self::spawn), with a source of credentials: see
    /// [`with_credentials`](Self::with_credentials).
    ///
    /// ```no_run
    /// use mcp_http::asynchronous::Client;
    /// use mcp_http::{Authorize, Config};
    ///
    /// # async fn log_in(_: Authorize) -> Option<String> { None }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), mcp_http::Error> {
    /// let config = Config::new("https://example.com/mcp")?.bearer("the token of yesterday")?;
    /// let client = Client::spawn_with_credentials(config, |asked: Authorize| async {
    ///     Some(format!("Bearer {}", log_in(asked).await?))
    /// });
    /// println!("{}", client.call("tools/list", ()).await?.as_str());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O and time.
    #[must_use]
    pub fn spawn_with_credentials<C>(config: Config, credentials: C) -> Self
    where
        C: Credentials + Send + 'static,
        C::Answer: Send + 'static,
    {
        let (client, driver) =
            Self::with_credentials(config, Http::new(), Clock::new(), credentials);
        ::tokio::spawn(driver);
        client
    }

    /// As [`spawn`](Self::spawn), but gives the driver to the caller.
    pub fn over_hyper(
        config: Config,
    ) -> (
        Self,
        Driver<Http, Clock, Full<Bytes>, hyper::body::Incoming>,
    ) {
        Self::new(config, Http::new(), Clock::new())
    }
}

/// hyper-util's pooled client with rustls, as a service.
#[derive(Clone)]
pub struct Http {
    pool: Pool<Connector, Full<Bytes>>,
}

impl Http {
    /// A pool of its own, with 10 s to make a connection. HTTP/2 is spoken where TLS
    /// agrees on it.
    #[must_use]
    pub fn new() -> Self {
        Self::connecting_within(CONNECT)
    }

    /// A pool whose connections have so much time to be made, from the name's
    /// resolution to the end of the TLS handshake. Beyond it the server was certainly
    /// not reached.
    #[must_use]
    pub fn connecting_within(limit: Duration) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(crate::tls::config())
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(tcp);
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(Connector { https, limit });
        Self { pool }
    }
}

/// Makes connections, within a time.
#[derive(Clone)]
struct Connector {
    https: HttpsConnector<HttpConnector>,
    limit: Duration,
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl Service<Uri> for Connector {
    type Response = <HttpsConnector<HttpConnector> as Service<Uri>>::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.https.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connection = timeout(self.limit, self.https.call(uri));
        Box::pin(async { connection.await? })
    }
}

impl Default for Http {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http")
    }
}

impl Service<Request<Full<Bytes>>> for Http {
    type Response = http::Response<hyper::body::Incoming>;
    type Error = Failure;
    type Future = MapErr<ResponseFuture, fn(PoolError) -> Failure>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        self.pool.request(request).map_err(failure)
    }
}

fn failure(error: PoolError) -> Failure {
    let mut causes = Vec::new();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    // The pool's own words say only which of its steps it was.
    let text = if causes.is_empty() {
        error.to_string()
    } else {
        causes.join(": ")
    };
    if error.is_connect() {
        Failure::not_sent(text)
    } else {
        Failure::broken(text)
    }
}

/// tokio's clock and timer.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock whose origin is now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            origin: Instant::now(),
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Timer for Clock {
    type Sleep = Sleep;

    fn now(&self) -> Time {
        Time::new(self.origin.elapsed())
    }

    fn sleep_until(&self, at: Time) -> Sleep {
        // Beyond what an instant can say, some decades are as good.
        let far = || Instant::now() + Duration::from_secs(86_400 * 365 * 30);
        let at = self
            .origin
            .checked_add(at.since_origin())
            .unwrap_or_else(far);
        ::tokio::time::sleep_until(at)
    }
}
