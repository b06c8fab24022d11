//! What is kept for a call, a notification or an answer is gone when nobody waits for it.

use std::future::{Ready, ready};
use std::pin::pin;
use std::task::Waker;

use http_body_util::Empty;

use super::*;

/// The tests are the network themselves: nothing comes here.
#[derive(Clone)]
struct Nowhere;

impl Service<Request<Bytes>> for Nowhere {
    type Response = Response<Empty<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Bytes>) -> Self::Future {
        ready(Ok(Response::new(Empty::new())))
    }
}

struct Still;

impl Timer for Still {
    type Sleep = Ready<()>;

    fn now(&self) -> Time {
        Time::ZERO
    }

    fn sleep_until(&self, _: Time) -> Ready<()> {
        ready(())
    }
}

fn client() -> (Client, Driver<Nowhere, Still, Bytes, Empty<Bytes>>) {
    let config = Config::new("http://localhost/mcp").unwrap();
    Client::new(config, Nowhere, Still)
}

fn serve(client: &Client) {
    client.handle.shared().lock().serve();
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
