//! What is kept for a call, a notification or an answer is gone when nobody waits for it; and who
//! reads events lets others have their turn.

use std::future::{Pending, PollFn, Ready, pending, poll_fn, ready};
use std::iter;
use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use http::HeaderValue;
use http::header::CONTENT_TYPE;
use http_body::{Body, Frame};

use super::*;
use crate::Transmit;
use crate::adapter::tests::answer;

/// A body whose end is known once all of it was read, and is not told otherwise.
struct Measured(Bytes);

impl Body for Measured {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.is_end_stream() {
            return Poll::Pending;
        }
        Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.0)))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }
}

/// A server in this process; a tool sends more messages than anybody reads.
#[derive(Clone)]
struct Served;

impl Service<Request<Bytes>> for Served {
    type Response = Response<Measured>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let (status, mut headers, mut body) = answer(&request);
        if request
            .body()
            .windows(12)
            .any(|text| text == br#""tools/call""#)
        {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
            body = "data: {\"jsonrpc\":\"2.0\",\"method\":\"n\"}\n\n"
                .repeat(300)
                .into();
        }
        let mut response = Response::new(Measured(body));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        ready(Ok(response))
    }
}

struct Still;

impl Timer for Still {
    type Sleep = Pending<()>;

    fn now(&self) -> Time {
        Time::ZERO
    }

    fn sleep_until(&self, _: Time) -> Pending<()> {
        pending()
    }
}

/// A clock that is set by hand, and whether anybody sleeps by it.
#[derive(Clone, Default)]
struct ByHand(Arc<Mutex<(Time, bool)>>);

impl ByHand {
    fn set(&self, now: Time) {
        self.0.lock().unwrap().0 = now;
    }

    fn is_slept_by(&self) -> bool {
        self.0.lock().unwrap().1
    }
}

impl Timer for ByHand {
    type Sleep = PollFn<Box<dyn FnMut(&mut Context<'_>) -> Poll<()> + Send>>;

    fn now(&self) -> Time {
        self.0.lock().unwrap().0
    }

    fn sleep_until(&self, at: Time) -> Self::Sleep {
        let clock = self.clone();
        poll_fn(Box::new(move |_| {
            let (now, sleeps) = &mut *clock.0.lock().unwrap();
            *sleeps = *now < at;
            match *sleeps {
                true => Poll::Pending,
                false => Poll::Ready(()),
            }
        }))
    }
}

/// A server that never answers.
#[derive(Clone)]
struct Silent;

impl Service<Request<Bytes>> for Silent {
    type Response = Response<Measured>;
    type Error = Infallible;
    type Future = Pending<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Bytes>) -> Self::Future {
        pending()
    }
}

fn client() -> (Client, Driver<Served, Still, Bytes, Measured>) {
    let config = Config::new("http://localhost/mcp").unwrap().listen(false);
    Client::new(config, Served, Still)
}

/// Answers all that leaves, and hands out what comes of it.
fn serve(client: &Client) {
    let now = Time::ZERO;
    let mut state = client.handle.shared().lock();
    while let Some(transmit) = state.connection.poll_transmit(now) {
        let Transmit::Send { exchange, request } = transmit else {
            continue;
        };
        let (status, headers, body) = answer(&request);
        let connection = &mut state.connection;
        connection
            .handle_head(exchange, status, &headers, now)
            .unwrap();
        connection.handle_body(exchange, body, now).unwrap();
        connection.handle_end(exchange, now).unwrap();
    }
    state.settle(now);
}

fn waited_for(client: &Client) -> usize {
    client.handle.shared().lock().waited_for()
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn of_a_call_whose_end_was_taken() {
    let (client, _driver) = client();
    let mut call = client.call("tools/list", ());
    assert!(poll(Pin::new(&mut call)).is_pending());
    assert_eq!(waited_for(&client), 1);
    serve(&client);
    assert!(poll(Pin::new(&mut call)).is_ready());
    assert_eq!(waited_for(&client), 0);
}

#[test]
fn of_a_call_whose_answer_has_a_known_end() {
    let (client, mut driver) = client();
    let mut call = client.call("tools/list", ());
    assert!(poll(Pin::new(&mut driver)).is_pending());
    assert!(poll(Pin::new(&mut call)).is_ready());
    assert_eq!(waited_for(&client), 0);
}

#[test]
fn of_a_call_that_was_dropped_before_or_after_its_end() {
    for served in [false, true] {
        let (client, _driver) = client();
        let call = client.call("tools/list", ());
        if served {
            serve(&client);
        }
        assert_eq!(waited_for(&client), 1);
        drop(call);
        serve(&client);
        assert_eq!(waited_for(&client), 0, "served: {served}");
    }
}

#[test]
fn of_a_notification_that_was_accepted_or_dropped() {
    for served in [false, true] {
        let (client, _driver) = client();
        {
            let mut notified = pin!(client.notify("notifications/x", ()));
            assert!(poll(notified.as_mut()).is_pending());
            assert_eq!(waited_for(&client), 1);
            if served {
                serve(&client);
                assert!(poll(notified).is_ready());
            }
        }
        serve(&client);
        assert_eq!(waited_for(&client), 0, "served: {served}");
    }
}

#[test]
fn of_an_exchange_that_waits_for_readers_and_is_aborted() {
    let (client, mut driver) = client();
    let _unread = client.events();
    let call = client.call("tools/call", ());
    assert!(poll(Pin::new(&mut driver)).is_pending());
    assert_eq!(waited_for(&client), 2, "a call, and readers");
    drop(call);
    client.handle.shared().close();
    assert!(poll(Pin::new(&mut driver)).is_ready());
    assert_eq!(waited_for(&client), 0);
}

/// A timer that was meant for an earlier time ends too early, and the next one takes its place.
#[test]
fn of_a_call_that_is_over_in_time_after_another_was_dropped() {
    let config = Config::new("http://localhost/mcp").unwrap();
    let clock = ByHand::default();
    let (client, mut driver) = Client::new(config, Silent, clock.clone());
    let mut call = |seconds| {
        let options = CallOptions::new().time_out(Duration::from_secs(seconds));
        let call = client.call_with("tools/list", (), options);
        assert!(poll(Pin::new(&mut driver)).is_pending());
        call
    };
    drop(call(1));
    let mut waits = call(10);
    for (seconds, is_over) in [(1, false), (9, false), (10, true)] {
        clock.set(Time::from_secs(seconds));
        assert!(poll(Pin::new(&mut driver)).is_pending());
        assert_eq!(
            poll(Pin::new(&mut waits)).is_ready(),
            is_over,
            "{seconds} s"
        );
        assert!(is_over || clock.is_slept_by(), "{seconds} s");
    }
    assert_eq!(waited_for(&client), 0);
}

/// How often it was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn others_have_their_turn_while_there_is_more_to_read() {
    let (client, mut driver) = client();
    let mut events = client.events();
    let _call = client.call("tools/call", ());
    assert!(poll(Pin::new(&mut driver)).is_pending());
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    for turn in 0..5 {
        let next = || Pin::new(&mut events).poll_next(&mut Context::from_waker(&waker));
        let read = iter::repeat_with(next).take_while(Poll::is_ready).count();
        assert_eq!((read, woken.0.swap(0, Ordering::SeqCst)), (32, 1), "{turn}");
    }
}
