//! A driver that is polled by hand, over a service in this process and a clock that stands
//! still.

use std::future::{Future, pending, ready};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use mcp_http::asynchronous::{Client, Driver, Timer};
use mcp_http::{Budget, Config, Failure, Time};
use serde_json::{Value, json};

/// What is answered at once; `None` is never answered.
type Act = Arc<dyn Fn(&str, &Value) -> Option<Response<Full<Bytes>>> + Send + Sync>;

pub(crate) struct Service {
    act: Act,
    gate: Arc<Gate>,
    /// Whether this clone said that it is ready.
    ready: bool,
}

/// What the service says when it is asked whether it is ready, and how many requests passed.
#[derive(Default)]
pub(crate) struct Gate {
    shut: AtomicBool,
    broken: AtomicBool,
    waiting: Mutex<Vec<Waker>>,
    passed: AtomicUsize,
}

impl Gate {
    pub(crate) fn passed(&self) -> usize {
        self.passed.load(Ordering::SeqCst)
    }

    pub(crate) fn break_down(&self) {
        self.broken.store(true, Ordering::SeqCst);
    }

    pub(crate) fn shut(&self) {
        self.shut.store(true, Ordering::SeqCst);
    }

    pub(crate) fn open(&self) {
        self.shut.store(false, Ordering::SeqCst);
        for waker in self.waiting.lock().unwrap().drain(..) {
            waker.wake();
        }
    }
}

impl Clone for Service {
    fn clone(&self) -> Self {
        Self {
            act: Arc::clone(&self.act),
            gate: Arc::clone(&self.gate),
            ready: false,
        }
    }
}

impl tower_service::Service<Request<Bytes>> for Service {
    type Response = Response<Full<Bytes>>;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Failure>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        if self.gate.broken.load(Ordering::SeqCst) {
            return Poll::Ready(Err(Failure::not_sent("the service is out of order")));
        }
        if self.gate.shut.load(Ordering::SeqCst) {
            self.gate.waiting.lock().unwrap().push(cx.waker().clone());
            return Poll::Pending;
        }
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        assert!(self.ready, "called before it was ready");
        self.gate.passed.fetch_add(1, Ordering::SeqCst);
        let message: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let method = message["method"].as_str().unwrap_or("DELETE");
        match (self.act)(method, &message) {
            Some(response) => Box::pin(ready(Ok(response))),
            None => Box::pin(pending()),
        }
    }
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

/// What every server does.
pub(crate) fn usual(method: &str, message: &Value) -> Response<Full<Bytes>> {
    let result = match method {
        "initialize" => json!({ "protocolVersion": "2025-11-25", "capabilities": { "tools": {} } }),
        _ if message.get("id").is_none() => return status(StatusCode::ACCEPTED),
        _ => json!({}),
    };
    let reply = json!({ "jsonrpc": "2.0", "id": message["id"], "result": result });
    Response::builder()
        .header("content-type", "application/json")
        .header("mcp-session-id", "s1")
        .body(Full::from(reply.to_string()))
        .unwrap()
}

/// A clock that stands still, and how many waits for it were begun.
#[derive(Default)]
pub(crate) struct Still(Arc<AtomicUsize>);

impl Timer for Still {
    type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

    fn now(&self) -> Time {
        Time::ZERO
    }

    fn sleep_until(&self, at: Time) -> Self::Sleep {
        self.0.fetch_add(1, Ordering::SeqCst);
        if at == Time::ZERO {
            Box::pin(ready(()))
        } else {
            Box::pin(pending())
        }
    }
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A task as a runtime runs it: polled only when somebody woke it.
pub(crate) struct Task<F> {
    pub(crate) future: Pin<Box<F>>,
    woken: Arc<Woken>,
}

impl<F: Future> Task<F> {
    pub(crate) fn new(future: F) -> Self {
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let future = Box::pin(future);
        Self { future, woken }
    }

    pub(crate) fn wake(&self) {
        self.woken.wake_by_ref();
    }

    /// Polls once; none if nobody woke it.
    pub(crate) fn turn(&mut self) -> Option<Poll<F::Output>> {
        let woken = self.woken.0.swap(false, Ordering::SeqCst);
        let waker = Waker::from(Arc::clone(&self.woken));
        woken.then(|| self.future.as_mut().poll(&mut Context::from_waker(&waker)))
    }

    /// Polls until nobody wakes it any more.
    pub(crate) fn run(&mut self) -> Poll<F::Output> {
        for _ in 0..10_000 {
            match self.turn() {
                Some(Poll::Pending) => {}
                Some(done) => return done,
                None => return Poll::Pending,
            }
        }
        panic!("it is busy for ever");
    }
}

pub(crate) struct World {
    pub(crate) client: Client,
    pub(crate) driver: Task<Driver<Service, Still, Bytes, Full<Bytes>>>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) sleeps: Arc<AtomicUsize>,
}

pub(crate) fn world(
    budget: Budget,
    act: impl Fn(&str, &Value) -> Option<Response<Full<Bytes>>> + Send + Sync + 'static,
) -> World {
    let gate = Arc::<Gate>::default();
    let clock = Still::default();
    let sleeps = Arc::clone(&clock.0);
    let service = Service {
        act: Arc::new(act),
        gate: Arc::clone(&gate),
        ready: false,
    };
    let config = Config::new("http://localhost/mcp").unwrap().budget(budget);
    let (client, driver) = Client::new(config, service, clock);
    let driver = Task::new(driver);
    World {
        client,
        driver,
        gate,
        sleeps,
    }
}

pub(crate) fn healthy() -> World {
    world(Budget::default(), |method, message| {
        Some(usual(method, message))
    })
}

/// A server whose sessions are lost as soon as they are made.
pub(crate) fn doomed(handshakes: usize) -> World {
    let mut budget = Budget::default();
    (budget.handshakes, budget.delay) = (handshakes, Duration::ZERO);
    world(budget, |method, message| match method {
        "notifications/initialized" => Some(status(StatusCode::NOT_FOUND)),
        _ => Some(usual(method, message)),
    })
}
