//! Clients without a protocol: they build the request of a call and parse its reply, over the
//! HTTP stacks as they are.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::Mutex;

use crate::message::{self, REVISION};

const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// As long as ours keep an idle connection.
const IDLE: Duration = Duration::from_secs(60);

fn post(to: &Uri, session: Option<&HeaderValue>, body: Vec<u8>) -> Request<Bytes> {
    let mut request = Request::new(Bytes::from(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = to.clone();
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let accept = HeaderValue::from_static("application/json, text/event-stream");
    headers.insert(ACCEPT, accept);
    if let Some(session) = session {
        headers.insert(SESSION_ID, session.clone());
        headers.insert(PROTOCOL_VERSION, HeaderValue::from_static(REVISION));
    }
    request
}

type Answer = http::Response<Bytes>;

/// An HTTP stack as it is.
pub trait Http {
    fn send(&self, request: Request<Bytes>) -> impl Future<Output = Answer> + Send;
}

/// A session, over whatever sends a request; when the server has forgotten it, there is one new
/// session for all who wait.
pub struct Session<H> {
    http: H,
    endpoint: Uri,
    last: AtomicU64,
    /// Counted; absent before the first.
    id: Mutex<(u64, Option<HeaderValue>)>,
}

impl<H: Http> Session<H> {
    pub fn new(url: &str, http: H) -> Self {
        Self {
            http,
            endpoint: url.parse().expect("a URL"),
            last: AtomicU64::new(0),
            id: Mutex::new((0, None)),
        }
    }

    pub async fn call(&self, params: &Value) -> Box<RawValue> {
        loop {
            let (generation, session) = self.later_than(0).await;
            let id = self.last.fetch_add(1, Ordering::Relaxed);
            let body = message::request(id, "tools/call", params);
            let request = post(&self.endpoint, session.as_ref(), body);
            let answer = self.http.send(request).await;
            if answer.status() != StatusCode::NOT_FOUND {
                return message::result(id, answer.body());
            }
            self.later_than(generation).await;
        }
    }

    /// The session, a new one if it is no later than this.
    async fn later_than(&self, lost: u64) -> (u64, Option<HeaderValue>) {
        let mut current = self.id.lock().await;
        if current.0 == lost {
            let body = message::request(0, "initialize", &message::initialize());
            let answer = self.http.send(post(&self.endpoint, None, body)).await;
            let session = answer.headers().get(SESSION_ID).cloned();
            let told = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.to_vec();
            let told = post(&self.endpoint, session.as_ref(), told);
            self.http.send(told).await;
            *current = (lost + 1, session);
        }
        current.clone()
    }
}

/// hyper's pool.
pub struct Hyper(Pool<HttpConnector, Full<Bytes>>);

impl Default for Hyper {
    fn default() -> Self {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(tcp);
        Self(pool)
    }
}

impl Http for Hyper {
    async fn send(&self, request: Request<Bytes>) -> Answer {
        let answer = self.0.request(request.map(Full::new)).await;
        let (head, body) = answer.expect("an answer").into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        Answer::from_parts(head, body)
    }
}

#[derive(Default)]
pub struct Reqwest(reqwest::Client);

impl Http for Reqwest {
    async fn send(&self, request: Request<Bytes>) -> Answer {
        let request = reqwest::Request::try_from(request).expect("a request");
        let answer = self.0.execute(request).await.expect("an answer");
        let mut whole = Answer::new(Bytes::new());
        *whole.status_mut() = answer.status();
        *whole.headers_mut() = answer.headers().clone();
        *whole.body_mut() = answer.bytes().await.expect("a body");
        whole
    }
}

/// ureq, which has the answer before anybody waits for it.
pub struct Ureq(ureq::Agent);

impl Default for Ureq {
    fn default() -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .max_idle_age(IDLE)
            .build();
        Self(ureq::Agent::new_with_config(config))
    }
}

impl Http for Ureq {
    async fn send(&self, request: Request<Bytes>) -> Answer {
        let (head, body) = request.into_parts();
        let answer = self.0.run(Request::from_parts(head, &*body));
        let (head, mut body) = answer.expect("an answer").into_parts();
        let body = body.read_to_vec().expect("a body");
        Answer::from_parts(head, body.into())
    }
}
