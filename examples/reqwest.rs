//! The asynchronous adapter over `reqwest`, for programs that have a `reqwest::Client`
//! already, with its TLS, its proxies and its name resolution.
//!
//! `cargo run --features asynchronous --example reqwest -- URL METHOD [PARAMS]`

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::error::Error;
use std::pin::Pin;
use std::process::ExitCode;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use mcp_http::asynchronous::{Client, Timer};
use mcp_http::{Config, Failure, Time};
use serde_json::Value;
use tokio::time::{Instant, Sleep};
use tower_service::Service;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(url), Some(method)) = (args.next(), args.next()) else {
        return Err("usage: reqwest URL METHOD [PARAMS]".into());
    };
    let params: Value = serde_json::from_str(args.next().as_deref().unwrap_or("{}"))?;

    let (client, driver) = Client::new(Config::new(&url)?, Http(http()?), Clock(Instant::now()));
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

/// The machine decides where a request goes, whether it goes again and how long it may
/// take, so redirects, retries and all time-outs but the one for connecting are off; so are
/// cookies, which would carry something from session to session unseen, and decompression,
/// for what compresses may hold events back. The last three are, unless you turn them on.
fn http() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(Duration::from_secs(10))
        .build()
}

#[derive(Clone)]
struct Http(reqwest::Client);

impl Service<http::Request<Bytes>> for Http {
    type Response = http::Response<reqwest::Body>;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Failure>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Bytes>) -> Self::Future {
        let client = self.0.clone();
        Box::pin(async move {
            let request = request.try_into().map_err(failure)?;
            let response = client.execute(request).await.map_err(failure)?;
            Ok(response.into())
        })
    }
}

/// Calls are sent again on the strength of `not_sent`: only what certainly never left.
fn failure(error: reqwest::Error) -> Failure {
    let not_sent = error.is_connect() || error.is_builder();
    // The address may hold a secret in its query.
    let text = text(&error.without_url());
    if not_sent {
        Failure::not_sent(text)
    } else {
        Failure::broken(text)
    }
}

fn text(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", text(cause)),
        None => error.to_string(),
    }
}

/// What the adapter needs of a runtime; the feature `tokio` has it ready made.
struct Clock(Instant);

impl Timer for Clock {
    type Sleep = Sleep;

    fn now(&self) -> Time {
        Time::new(self.0.elapsed())
    }

    fn sleep_until(&self, at: Time) -> Sleep {
        tokio::time::sleep(at.since(self.now()))
    }
}
