//! An application, with either adapter. It does not know how its server is reached.

use std::convert::Infallible;
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use mcp_http::blocking::{Abort, Transport};
use mcp_http::tokio::Clock;
use mcp_http::{
    CallId, CallOptions, Config, Error, Event, Failure, RawJson, Status, SubscriptionFilter,
    Ticket, asynchronous, blocking,
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::pipe::Reader;
use crate::server::Server;

pub(crate) type Outcome = Result<RawJson, Error>;

pub(crate) trait Application {
    fn ready(&self);
    /// Begins a call of this tool, and gives where its outcome comes.
    fn begin(&self, tool: &str, options: CallOptions) -> (CallId, mpsc::Receiver<Outcome>);
    fn cancel(&self, call: CallId);
    fn answer(&self, ticket: Ticket, result: Value);
    fn listen(&self, filter: SubscriptionFilter);
    fn status(&self) -> Status;
    /// The next event, if one comes within this time.
    fn next(&mut self, within: Duration) -> Option<Event>;
    fn close(&self);
}

pub(crate) fn both(server: impl Fn() -> Server) -> [(Server, Box<dyn Application>); 2] {
    let [one, other] = [server(), server()];
    let asynchronous: Box<dyn Application> = Box::new(Asynchronous::new(one.clone()));
    let blocking: Box<dyn Application> = Box::new(Blocking::new(other.clone()));
    [(one, asynchronous), (other, blocking)]
}

fn config() -> Config {
    let config = Config::new("http://localhost/mcp").unwrap();
    config.capabilities(&json!({ "roots": {} })).unwrap()
}

fn params(tool: &str) -> Value {
    json!({ "name": tool, "arguments": {} })
}

struct Asynchronous {
    runtime: Runtime,
    client: asynchronous::Client,
    events: asynchronous::Events,
}

#[derive(Clone)]
struct Service(Server);

impl tower_service::Service<Request<Full<Bytes>>> for Service {
    type Response = Response<Reader>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Reader>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        use http_body_util::BodyExt;
        let (head, body) = request.into_parts();
        let mut body = Box::pin(body.collect());
        // It is there as a whole.
        let waker = std::task::Waker::noop();
        let Poll::Ready(Ok(body)) = body.as_mut().poll(&mut Context::from_waker(waker)) else {
            unreachable!()
        };
        let request = Request::from_parts(head, body.to_bytes());
        std::future::ready(Ok(self.0.answer(&request).map(Reader::new)))
    }
}

impl Asynchronous {
    fn new(server: Server) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (client, driver) = asynchronous::Client::new::<_, _, Full<Bytes>, _>(
            config(),
            Service(server),
            Clock::new(),
        );
        runtime.spawn(driver);
        let events = client.events();
        Self {
            runtime,
            client,
            events,
        }
    }
}

impl Application for Asynchronous {
    fn ready(&self) {
        self.runtime.block_on(self.client.ready()).unwrap();
    }

    fn begin(&self, tool: &str, options: CallOptions) -> (CallId, mpsc::Receiver<Outcome>) {
        let call = self.client.call_with("tools/call", params(tool), options);
        let id = call.id().unwrap();
        let (tell, told) = mpsc::channel();
        self.runtime.spawn(async move { tell.send(call.await) });
        (id, told)
    }

    fn cancel(&self, call: CallId) {
        self.client.cancel(call).unwrap();
    }

    fn answer(&self, ticket: Ticket, result: Value) {
        let answer = self.client.answer(ticket, Ok(result));
        self.runtime.block_on(answer).unwrap();
    }

    fn listen(&self, filter: SubscriptionFilter) {
        self.client.listen(filter).unwrap();
    }

    fn status(&self) -> Status {
        self.client.status()
    }

    fn next(&mut self, within: Duration) -> Option<Event> {
        let next = async { tokio::time::timeout(within, self.events.next()).await };
        self.runtime.block_on(next).ok().flatten()
    }

    fn close(&self) {
        self.runtime.block_on(self.client.close());
    }
}

struct Blocking {
    client: blocking::Client,
    events: blocking::Events,
}

impl Transport for Service {
    type Body = Reader;

    fn send(&self, request: Request<Bytes>, abort: &Abort) -> Result<Response<Reader>, Failure> {
        let response = self.0.answer(&request);
        Ok(response.map(|pipe| Reader::until(pipe, abort)))
    }
}

impl Blocking {
    fn new(server: Server) -> Self {
        let client = blocking::Client::new(config(), Service(server));
        let events = client.events();
        Self { client, events }
    }
}

impl Application for Blocking {
    fn ready(&self) {
        self.client.ready().unwrap();
    }

    fn begin(&self, tool: &str, options: CallOptions) -> (CallId, mpsc::Receiver<Outcome>) {
        let call = self
            .client
            .start("tools/call", params(tool), options)
            .unwrap();
        let id = call.id().unwrap();
        let (tell, told) = mpsc::channel();
        thread::spawn(move || tell.send(call.wait()));
        (id, told)
    }

    fn cancel(&self, call: CallId) {
        self.client.cancel(call).unwrap();
    }

    fn answer(&self, ticket: Ticket, result: Value) {
        self.client.answer(ticket, Ok(result)).unwrap();
    }

    fn listen(&self, filter: SubscriptionFilter) {
        self.client.listen(filter).unwrap();
    }

    fn status(&self) -> Status {
        self.client.status()
    }

    fn next(&mut self, within: Duration) -> Option<Event> {
        self.events.next_within(within)
    }

    fn close(&self) {
        self.client.close();
    }
}

/// What would hang fails the test instead.
pub(crate) fn until(what: &str, happened: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !happened() {
        assert!(Instant::now() < end, "{what} does not come");
        thread::sleep(Duration::from_millis(2));
    }
}
