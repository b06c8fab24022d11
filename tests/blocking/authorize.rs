//! Credentials: a source is asked, or those who read events, or nobody.

use std::io::Cursor;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use bytes::Bytes;
use http::{Request, Response};
use mcp_http::blocking::Client;
use mcp_http::{Authorize, Config, Delivery, Event, Refused, Remedy};
use serde_json::Value;

use crate::own::{Body, Own, soon, usual};

/// A server that knows one token, and counts what it executes.
fn guarded(executed: &Arc<AtomicUsize>) -> Own {
    let executed = Arc::clone(executed);
    Own(Box::new(
        move |request: &Request<Bytes>, message: &Value, _| {
            let credential = request.headers().get("authorization");
            if credential.is_some_and(|value| value == "Bearer good") {
                executed.fetch_add(
                    usize::from(message["method"] == "tools/list"),
                    Ordering::SeqCst,
                );
                return usual(message);
            }
            let challenge = Response::builder()
                .status(401)
                .header("www-authenticate", "Bearer scope=\"a b\"");
            challenge.body(Box::new(Cursor::new("")) as Body).unwrap()
        },
    ))
}

fn config() -> Config {
    Config::new("http://localhost/mcp").unwrap().listen(false)
}

fn with(source: impl Fn(Authorize) -> Option<String> + Send + Sync + 'static) -> Client {
    Client::with_credentials(config(), guarded(&Arc::default()), source)
}

fn good() -> Option<String> {
    Some("Bearer good".to_owned())
}

/// A call that is waited for elsewhere, so that one that never ends fails the test.
fn call(client: &Client) -> mpsc::Receiver<Result<(), mcp_http::Error>> {
    let client = client.clone();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(client.call("tools/list", ()).map(drop)));
    told
}

#[test]
fn a_source_is_asked_once_and_all_calls_are_answered() {
    let executed = Arc::default();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let source = move |asked: Authorize| {
        assert_eq!(asked.challenges[0].scope(), Some("a b"));
        count.fetch_add(1, Ordering::SeqCst);
        good()
    };
    let config = config().bearer("old").unwrap();
    let client = Client::with_credentials(config, guarded(&executed), source);
    let mut events = client.events();
    let calls: Vec<_> = (0..20).map(|_| call(&client)).collect();
    for told in calls {
        soon(move || told.recv().unwrap()).unwrap();
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!(executed.load(Ordering::SeqCst), 20);
    assert!(matches!(events.next(), Some(Event::Ready(_))));
    client.close();
    assert!(events.next().is_none(), "readers see no question");
}

#[test]
fn without_an_answer_or_with_a_panic_the_refusal_is_the_calls() {
    type Source = fn(Authorize) -> Option<String>;
    let sources: [Source; 4] = [
        |_| None,
        |_| Some("Bearer go\r\nod".to_owned()),
        |_| Some("Bearer bad".to_owned()),
        |_| panic!("a bug in a source"),
    ];
    for source in sources {
        let client = with(source);
        for _ in 0..2 {
            let told = call(&client);
            let error = soon(move || told.recv().unwrap()).unwrap_err();
            assert_eq!(*error.reason(), Refused::Unauthorized.into());
            assert_eq!(error.remedy(), Remedy::Authorise);
        }
        soon(move || client.close());
    }
}

#[test]
fn a_source_that_takes_its_time_keeps_nobody_and_its_late_answer_counts_no_more() {
    let (tell, told) = mpsc::channel();
    let (go, gone) = mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let client = with(move |_| {
        tell.send(()).unwrap();
        let _ = gone.lock().unwrap().recv();
        Some("Bearer late".to_owned())
    });
    let first = call(&client);
    told.recv().unwrap();
    client
        .set_header("authorization", Some("Bearer good"))
        .unwrap();
    soon(move || first.recv().unwrap()).unwrap();
    go.send(()).unwrap();
    // Time for it to do harm.
    thread::sleep(std::time::Duration::from_millis(100));
    let second = call(&client);
    soon(move || second.recv().unwrap()).unwrap();

    client.authorize("Bearer bad").unwrap();
    let third = call(&client);
    told.recv().unwrap();
    let closing = client.clone();
    soon(move || closing.close());
    soon(move || third.recv().unwrap()).unwrap_err();
    drop(go);
}

#[test]
fn a_source_may_use_the_client() {
    let slot = Arc::new(std::sync::OnceLock::<Client>::new());
    let inside = Arc::clone(&slot);
    let client = with(move |_| {
        let client = inside.get().unwrap();
        assert!(client.status().awaits_authorization);
        client.authorize("Bearer good").unwrap();
        client.call("tools/list", ()).unwrap();
        None
    });
    slot.set(client.clone()).unwrap();
    let told = call(&client);
    soon(move || told.recv().unwrap()).unwrap();
}

#[test]
fn without_a_source_those_who_read_events_answer() {
    let client = Client::new(config().authorize(true), guarded(&Arc::default()));
    let mut events = client.events();
    let told = call(&client);
    assert!(matches!(events.next(), Some(Event::Authorize(_))));
    client.authorize("Bearer good").unwrap();
    soon(move || told.recv().unwrap()).unwrap();
    client.authorize("Bearer bad").unwrap();
    let told = call(&client);
    while !matches!(events.next(), Some(Event::Authorize(_))) {}
    client.refuse_authorization().unwrap();
    let error = soon(move || told.recv().unwrap()).unwrap_err();
    assert_eq!(error.delivery(), Delivery::Rejected);
    client.refuse_authorization().unwrap_err();
}

#[test]
fn where_nobody_reads_it_is_refused_and_so_when_the_last_reader_goes() {
    let client = Client::new(config().authorize(true), guarded(&Arc::default()));
    let told = call(&client);
    soon(move || told.recv().unwrap()).unwrap_err();
    for read in [false, true] {
        let mut events = client.events();
        let told = call(&client);
        if read {
            while !matches!(events.next(), Some(Event::Authorize(_))) {}
        }
        drop(events);
        let error = soon(move || told.recv().unwrap()).unwrap_err();
        assert_eq!(*error.reason(), Refused::Unauthorized.into(), "{read}");
    }
}
