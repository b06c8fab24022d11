//! Those who wait: what is kept for them, and what they may do when they are woken.

use std::future::{pending, ready};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use mcp_http::asynchronous::Client;
use mcp_http::{Config, Event};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::hand::{Still, World, healthy, usual};
use crate::script::{Act, STREAM, Script};
use crate::until;

struct Nothing;

impl Wake for Nothing {
    fn wake(self: Arc<Self>) {}
}

/// Polls once, with a waker of its own each time, and gives those that are kept.
fn look<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> usize {
    let tasks = [(); 10].map(|()| Arc::new(Nothing));
    for task in &tasks {
        let waker = Waker::from(Arc::clone(task));
        assert!(poll(&mut Context::from_waker(&waker)).is_pending());
    }
    let kept = tasks.iter().filter(|task| Arc::strong_count(task) > 1);
    kept.count()
}

#[test]
fn who_looks_for_events_again_and_again_waits_in_one_place() {
    let World {
        client,
        driver: _driver,
        ..
    } = healthy();
    let mut events = client.events();
    assert_eq!(look(|cx| pin!(events.next()).as_mut().poll(cx)), 1);
    let mut others = client.events();
    let task = Arc::new(Nothing);
    let waker = Waker::from(Arc::clone(&task));
    let polled = pin!(others.next()).poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    drop(waker);
    assert_eq!(Arc::strong_count(&task), 2);
    drop(others);
    assert_eq!(Arc::strong_count(&task), 1, "and who is gone, nowhere");
}

#[test]
fn who_no_longer_waits_for_the_session_or_its_end_is_forgotten() {
    let World {
        client, mut driver, ..
    } = healthy();
    assert_eq!(look(|cx| pin!(client.ready()).as_mut().poll(cx)), 0);
    // A session, so that there is something to end.
    assert!(driver.run().is_pending());
    assert_eq!(look(|cx| pin!(client.close()).as_mut().poll(cx)), 0);
}

/// Looks at the client whenever it is woken or cloned.
#[derive(Default)]
struct Curious {
    client: OnceLock<Client>,
    looks: AtomicUsize,
}

impl Curious {
    fn look(&self) {
        if let Some(client) = self.client.get() {
            let _ = client.status();
            self.looks.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Wake for Curious {
    fn wake(self: Arc<Self>) {
        self.look();
    }
}

struct Service(Arc<Curious>);

impl Clone for Service {
    fn clone(&self) -> Self {
        self.0.look();
        Self(Arc::clone(&self.0))
    }
}

impl tower_service::Service<Request<Bytes>> for Service {
    type Response = Response<Full<Bytes>>;
    type Error = std::convert::Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let message: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let method = message["method"].as_str().unwrap_or("DELETE");
        match method {
            "tools/call" => Box::pin(pending()),
            _ => Box::pin(ready(Ok(usual(method, &message)))),
        }
    }
}

/// Runs this to its end, or fails the test.
fn soon<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(run()));
    told.recv_timeout(Duration::from_secs(15))
        .expect("it comes to an end")
}

#[test]
fn who_is_woken_may_ask_the_client() {
    let looks = soon(|| {
        let server = Arc::<Curious>::default();
        let config = Config::new("http://localhost/mcp").unwrap();
        let (client, driver) = Client::new(config, Service(server), Still::default());
        let mut driver: Pin<Box<mcp_http::asynchronous::Driver<_, _, Bytes, _>>> = Box::pin(driver);
        // Each waits for something else.
        let curious: [Arc<Curious>; 5] = Default::default();
        let [drives, calls, watches, reads, closes] = curious.each_ref().map(|one| {
            assert!(one.client.set(client.clone()).is_ok());
            Waker::from(Arc::clone(one))
        });
        let mut driven = || driver.as_mut().poll(&mut Context::from_waker(&drives));
        assert!(driven().is_pending());
        let mut events = client.events();
        let mut call = Box::pin(client.call("tools/list", ()));
        let mut ready = Box::pin(client.ready());
        let mut event = Box::pin(events.next());
        assert!(
            call.as_mut()
                .poll(&mut Context::from_waker(&calls))
                .is_pending()
        );
        assert!(
            ready
                .as_mut()
                .poll(&mut Context::from_waker(&watches))
                .is_pending()
        );
        assert!(
            event
                .as_mut()
                .poll(&mut Context::from_waker(&reads))
                .is_pending()
        );
        let _aborted = client.call("tools/call", ());
        assert!(driven().is_pending());
        let mut close = Box::pin(client.close());
        assert!(
            close
                .as_mut()
                .poll(&mut Context::from_waker(&closes))
                .is_pending()
        );
        assert!(driven().is_ready());
        curious.map(|one| one.looks.load(Ordering::SeqCst))
    });
    assert!(looks.iter().all(|looks| *looks > 0), "{looks:?}");
}

#[test]
fn a_service_that_is_cloned_may_ask_the_client() {
    let looks = soon(|| {
        let server = Arc::<Curious>::default();
        let config = Config::new("http://localhost/mcp").unwrap();
        let service = Service(Arc::clone(&server));
        let (client, driver) = Client::new(config, service, Still::default());
        assert!(server.client.set(client.clone()).is_ok());
        let mut driver: Pin<Box<mcp_http::asynchronous::Driver<_, _, Bytes, _>>> = Box::pin(driver);
        let _call = client.call("tools/list", ());
        let _ = driver
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        server.looks.load(Ordering::SeqCst)
    });
    assert!(looks > 0);
}

/// A server whose tool asks, and then waits.
async fn asking() -> (Script, Client) {
    let script = Script::start(|arrived| match arrived.calls() {
        "tools/call" => {
            let ask = json!({ "jsonrpc": "2.0", "id": "q", "method": "elicitation/create" });
            Act::Hang(format!("{STREAM}data: {ask}\n\n"))
        }
        _ => crate::script::usual(arrived),
    })
    .await;
    let config = Config::new(&script.url()).unwrap();
    let config = config.capabilities(&json!({ "elicitation": {} })).unwrap();
    (script, Client::spawn(config))
}

fn answers(script: &Script, outcome: &str) -> usize {
    let arrived = script.arrived.lock().unwrap();
    let answers = arrived.iter().filter(|one| one.message["id"] == "q");
    answers
        .filter(|one| one.message.get(outcome).is_some())
        .count()
}

async fn asked(events: &mut mcp_http::asynchronous::Events) -> mcp_http::Ticket {
    loop {
        let event = timeout(Duration::from_secs(15), events.next()).await;
        if let Event::Ask(ask) = event.unwrap().unwrap() {
            return ask.ticket;
        }
    }
}

#[tokio::test]
async fn an_ask_that_was_read_is_declined_when_the_last_reader_is_gone() {
    let (script, client) = asking().await;
    let mut events = client.events();
    let _call = client.call("tools/call", json!({ "name": "x" }));
    let ticket = asked(&mut events).await;
    drop(events);
    let answer = client
        .answer(ticket, Ok(json!({ "action": "cancel" })))
        .await;
    answer.unwrap_err();
    until("it is declined", || answers(&script, "error") == 1).await;
}

#[tokio::test]
async fn an_ask_that_was_read_may_be_answered_while_somebody_reads() {
    let (script, client) = asking().await;
    let (mut events, _others) = (client.events(), client.events());
    let _call = client.call("tools/call", json!({ "name": "x" }));
    let ticket = asked(&mut events).await;
    drop(events);
    let answer = client
        .answer(ticket, Ok(json!({ "action": "cancel" })))
        .await;
    answer.unwrap();
    assert_eq!(
        (answers(&script, "result"), answers(&script, "error")),
        (1, 0)
    );
}
