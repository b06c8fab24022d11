//! A transport of one's own: a server that is a function of this process, and what its
//! faults are allowed to harm.

use std::io::{Cursor, Read};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use mcp_http::blocking::{Abort, Client, Transport};
use mcp_http::{CallOptions, Config, Delivery, Event, Failure, Mistake, Reason};
use serde_json::{Value, json};

pub(crate) type Body = Box<dyn Read + Send>;
pub(crate) type Act = dyn Fn(&Request<Bytes>, &Value, &Abort) -> Response<Body> + Send + Sync;

pub(crate) struct Own(pub(crate) Box<Act>);

impl Transport for Own {
    type Body = Body;

    fn send(&self, request: Request<Bytes>, abort: &Abort) -> Result<Response<Body>, Failure> {
        let message = serde_json::from_slice(request.body()).unwrap_or_default();
        Ok((self.0)(&request, &message, abort))
    }
}

fn client(
    act: impl Fn(&Request<Bytes>, &Value, &Abort) -> Response<Body> + Send + Sync + 'static,
) -> Client {
    let config = Config::new("http://localhost/mcp").unwrap();
    let config = config.capabilities(&json!({ "elicitation": {} })).unwrap();
    Client::new(config, Own(Box::new(act)))
}

/// What every server does.
pub(crate) fn usual(message: &Value) -> Response<Body> {
    let result = match message["method"].as_str() {
        Some("initialize") => {
            json!({ "protocolVersion": "2025-11-25", "capabilities": { "tools": {} } })
        }
        Some(_) if message.get("id").is_some() => json!({}),
        _ => {
            let accepted = Response::builder().status(202);
            return accepted.body(Box::new(Cursor::new("")) as Body).unwrap();
        }
    };
    self::result(message, &result)
}

/// The reply to a request.
pub(crate) fn result(message: &Value, result: &Value) -> Response<Body> {
    let reply = json!({ "jsonrpc": "2.0", "id": message["id"], "result": result });
    answer("application/json", Box::new(Cursor::new(reply.to_string())))
}

fn answer(content_type: &str, body: Body) -> Response<Body> {
    Response::builder()
        .header("content-type", content_type)
        .header("mcp-session-id", "s1")
        .body(body)
        .unwrap()
}

/// What would never end shall fail the test instead.
pub(crate) fn soon<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(run()));
    told.recv_timeout(Duration::from_secs(15))
        .expect("it comes to an end")
}

fn call_for_ever(client: &Client) -> Result<mcp_http::RawJson, mcp_http::Error> {
    let client = client.clone();
    let options = CallOptions::new().no_time_out();
    soon(move || client.call_with("tools/call", json!({}), options))
}

#[test]
fn a_transport_that_panics_ends_its_call_and_nothing_else() {
    let client = client(|_, message, _| {
        assert_ne!(message["method"], "tools/call", "a bug: MARKED");
        usual(message)
    });
    let error = call_for_ever(&client).unwrap_err();
    assert!(matches!(error.reason(), Reason::Transport(_)), "{error}");
    assert!(!error.to_string().contains("MARKED"), "{error}");
    assert_eq!(error.delivery(), Delivery::Unknown);
    client.call("tools/list", ()).unwrap();
}

#[test]
fn a_body_that_panics_ends_its_call_and_nothing_else() {
    struct Bad;
    impl Read for Bad {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            panic!("a bug: MARKED")
        }
    }
    let client = client(|_, message, _| match message["method"].as_str() {
        Some("tools/call") => answer("application/json", Box::new(Bad)),
        _ => usual(message),
    });
    let error = call_for_ever(&client).unwrap_err();
    assert!(!error.to_string().contains("MARKED"), "{error}");
    assert_eq!(error.delivery(), Delivery::Unknown);
    client.call("tools/list", ()).unwrap();
}

#[test]
fn a_transport_that_panics_at_the_farewell_keeps_nobody_from_closing() {
    let client = client(|request, message, _| {
        assert_ne!(request.method(), Method::DELETE, "a bug in a transport");
        usual(message)
    });
    client.ready().unwrap();
    soon(move || client.close());
}

/// Hooks run on the thread of whoever calls off.
#[test]
fn a_hook_that_panics_harms_nobody_but_its_own_exchange() {
    let (hang, hangs) = mpsc::channel();
    let hang = Mutex::new(hang);
    let client = client(move |_, message, abort| {
        if message["method"] == "tools/call" {
            let (wake, woken) = mpsc::channel::<()>();
            let _bad = abort.on_abort(|| panic!("a bug in a hook"));
            let _good = abort.on_abort(move || drop(wake));
            hang.lock().unwrap().send(()).unwrap();
            let _ = woken.recv();
        }
        usual(message)
    });
    let calls = [(); 2].map(|()| {
        let call = client.start("tools/call", json!({}), CallOptions::new());
        hangs.recv().unwrap();
        call.unwrap()
    });
    soon(move || client.close());
    for call in calls {
        assert_eq!(call.wait().unwrap_err().reason(), &Reason::Closed);
    }
}

#[test]
fn ids_of_another_client_are_told_apart() {
    let [one, other] = [(); 2].map(|()| client(|_, message, _| usual(message)));
    let call = one.start("tools/list", (), CallOptions::new()).unwrap();
    let error = other.cancel(call.id().unwrap()).unwrap_err();
    let Reason::Misuse(misuse) = error.reason() else {
        panic!("{error}");
    };
    assert_eq!(misuse.mistake(), &Mistake::ForeignId);
    call.wait().unwrap();
}

/// A tool that asks, and ends as soon as it is told that nobody answers.
fn asking() -> Client {
    let (decline, declined) = mpsc::channel();
    let (decline, declined) = (Mutex::new(decline), Mutex::new(Some(declined)));
    client(move |_, message, _| {
        if message["error"]["code"] == -32601 {
            decline.lock().unwrap().send(()).unwrap();
        }
        if message["method"] != "tools/call" {
            return usual(message);
        }
        let ask = json!({ "jsonrpc": "2.0", "id": "q", "method": "elicitation/create" });
        let reply = json!({ "jsonrpc": "2.0", "id": message["id"], "result": {} });
        let declined = declined.lock().unwrap().take().unwrap();
        let stream = Cursor::new(format!("data: {ask}\n\n"))
            .chain(After(declined))
            .chain(Cursor::new(format!("data: {reply}\n\n")));
        answer("text/event-stream", Box::new(stream))
    })
}

/// A part of a body that is over when something has happened.
struct After(mpsc::Receiver<()>);

impl Read for After {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        let _ = self.0.recv();
        Ok(0)
    }
}

#[test]
fn an_ask_is_declined_when_the_last_who_read_it_is_gone() {
    let client = asking();
    let (mut events, others) = (client.events(), client.events());
    let call = client.start("tools/call", json!({}), CallOptions::new().no_time_out());
    let call = call.unwrap();
    assert!(events.any(|event| matches!(event, Event::Ask(_))));
    drop(events);
    drop(others);
    soon(move || call.wait()).unwrap();
}

/// A stream of notifications without end, until it is told to reply; and how much of it
/// was read.
struct Flood {
    read: Arc<AtomicUsize>,
    ends: Arc<AtomicBool>,
    reply: String,
    rest: Cursor<String>,
}

impl Read for Flood {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.rest.position() == self.rest.get_ref().len() as u64 {
            let log = json!({ "jsonrpc": "2.0", "method": "notifications/message" });
            let text = match self.ends.load(Ordering::Relaxed) {
                true => std::mem::take(&mut self.reply),
                false => format!("data: {log}\n\n"),
            };
            self.rest = Cursor::new(text);
        }
        let length = self.rest.read(into)?;
        self.read.fetch_add(length, Ordering::Relaxed);
        Ok(length)
    }
}

/// How much has been read when no more was for a while.
fn comes_to_rest(read: &AtomicUsize) -> usize {
    soon_enough(|| {
        let before = read.load(Ordering::Relaxed);
        thread::sleep(Duration::from_millis(300));
        let now = read.load(Ordering::Relaxed);
        (before > 0 && before == now).then_some(now)
    })
}

fn soon_enough<T>(mut found: impl FnMut() -> Option<T>) -> T {
    for _ in 0..40 {
        if let Some(found) = found() {
            return found;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("it does not come to rest");
}

#[test]
fn what_nobody_reads_is_left_in_the_socket_until_somebody_does() {
    let read = Arc::new(AtomicUsize::new(0));
    let ends = Arc::new(AtomicBool::new(false));
    let (counts, told) = (Arc::clone(&read), Arc::clone(&ends));
    let client = client(move |_, message, _| {
        if message["method"] != "tools/call" {
            return usual(message);
        }
        let reply = json!({ "jsonrpc": "2.0", "id": message["id"], "result": {} });
        let flood = Flood {
            read: Arc::clone(&counts),
            ends: Arc::clone(&told),
            reply: format!("data: {reply}\n\n"),
            rest: Cursor::default(),
        };
        answer("text/event-stream", Box::new(flood))
    });
    let mut events = client.events();
    let options = CallOptions::new().no_time_out();
    let call = client.start("tools/call", json!({}), options).unwrap();
    let first = comes_to_rest(&read);
    assert!(first < 1 << 20, "{first} bytes were read for nobody");
    for _ in 0..200 {
        assert!(events.next().is_some());
    }
    let second = comes_to_rest(&read);
    assert!(first < second && second < 1 << 20, "{first}, then {second}");
    ends.store(true, Ordering::Relaxed);
    let reader = thread::spawn(move || events.count());
    soon(move || call.wait()).unwrap();
    client.close();
    reader.join().unwrap();
}

/// In a process that can start no thread by itself: its stacks are too large for any
/// machine. The test runs its own program once more, for that.
#[test]
fn where_no_thread_can_be_started_a_call_fails() {
    const STACK: &str = "RUST_MIN_STACK";
    const LARGE: &str = "1000000000000000";
    let name = "own::where_no_thread_can_be_started_a_call_fails";
    if std::env::var(STACK).is_ok_and(|stack| stack == LARGE) {
        // With a stack of its own size, lest a call without end makes a process without end.
        let watchdog = thread::Builder::new().stack_size(1 << 20);
        let bite = || {
            thread::sleep(Duration::from_secs(15));
            std::process::exit(1)
        };
        watchdog.spawn(bite).unwrap();
        let client = client(|_, message, _| usual(message));
        let error = client.call("tools/list", ()).unwrap_err();
        assert_eq!(error.delivery(), Delivery::NotSent);
        assert!(error.to_string().contains("no thread"), "{error}");
        return client.close();
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args([name, "--exact", "--test-threads=1"]);
    let output = child.env(STACK, LARGE).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
}
