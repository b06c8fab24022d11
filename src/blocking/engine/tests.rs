//! What is kept for an exchange, a call or a reader is gone when it is over.

mod no_threads;

use std::io::Cursor;
use std::sync::mpsc;

use http::Response;

use super::super::{Client, Handle};
use super::*;
use crate::{CallOptions, Config};

/// Answers at once; but `tools/call` hangs until it is aborted, and says so.
struct Desk(Mutex<mpsc::Sender<&'static str>>);

impl Desk {
    fn say(&self, what: &'static str) {
        // Nobody listens any more when the test is over.
        let _ = self.0.lock().unwrap().send(what);
    }
}

impl Transport for Desk {
    type Body = Cursor<Bytes>;

    fn send(
        &self,
        request: Request<Bytes>,
        abort: &Abort,
    ) -> Result<Response<Self::Body>, Failure> {
        let text = String::from_utf8_lossy(request.body());
        if text.contains(r#""tools/call""#) {
            let (aborted, was_aborted) = mpsc::channel();
            let _hook = abort.on_abort(move || aborted.send(()).unwrap());
            self.say("it hangs");
            was_aborted.recv().unwrap();
            self.say("it was aborted");
            return Err(Failure::broken("it was aborted"));
        }
        let (status, headers, body) = crate::adapter::tests::answer(&request);
        let mut response = Response::new(Cursor::new(body));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}

/// Many times, for an exchange that is aborted by one thread may just begin to wait in another.
#[test]
fn nothing_is_kept_of_what_was_answered_dropped_or_aborted() {
    for _ in 0..100 {
        come_and_go();
    }
}

fn come_and_go() {
    let (says, said) = mpsc::channel();
    let hangs = || assert!(said.iter().any(|what| what == "it hangs"));
    let config = Config::new("http://localhost/mcp").unwrap();
    let shared = Arc::new(Shared::new(config, Box::new(|| Time::ZERO)));
    let engine = Engine::new(Arc::clone(&shared), Desk(Mutex::new(says)), None);
    let client = client(&engine);
    client.call("tools/list", ()).unwrap();
    client.notify("notifications/x", ()).unwrap();
    let dropped = client.start("tools/call", (), CallOptions::new()).unwrap();
    hangs();
    drop(dropped);
    let open = client.start("tools/call", (), CallOptions::new()).unwrap();
    hangs();
    client.close();
    assert!(open.wait().is_err());
    assert_eq!(engine.threads().aborts.len(), 0);
    assert_eq!(shared.lock().waited_for(), 0);
}

fn client(engine: &Arc<Engine<Desk>>) -> Client {
    Client {
        handle: Arc::new(Handle {
            shared: Arc::clone(&engine.shared),
            engine: Arc::clone(engine) as Arc<dyn Turn>,
        }),
    }
}

/// Not even a thread that watched its clock, however long that would have run.
#[test]
fn a_call_that_was_answered_leaves_no_thread_behind() {
    let (says, _said) = mpsc::channel();
    let config = Config::new("http://localhost/mcp").unwrap();
    let shared = Arc::new(Shared::new(config, Box::new(|| Time::ZERO)));
    let engine = Engine::new(shared, Desk(Mutex::new(says)), None);
    let client = client(&engine);
    client.call("tools/list", ()).unwrap();
    let (tell, told) = mpsc::channel();
    let handles = std::mem::take(&mut engine.threads().handles);
    thread::spawn(move || {
        let joined: Vec<_> = handles.into_iter().map(JoinHandle::join).collect();
        tell.send(joined.iter().all(Result::is_ok))
    });
    assert_eq!(told.recv_timeout(Duration::from_secs(30)), Ok(true));
}

/// Each handle waits in one place, however often it looks.
#[test]
fn of_events_that_did_not_come() {
    let (says, _said) = mpsc::channel();
    let config = Config::new("http://localhost/mcp").unwrap();
    let shared = Arc::new(Shared::new(config, Box::new(|| Time::ZERO)));
    let client = client(&Engine::new(
        Arc::clone(&shared),
        Desk(Mutex::new(says)),
        None,
    ));
    let mut events = client.events();
    for _ in 0..10 {
        assert!(events.next_within(Duration::ZERO).is_none());
    }
    assert_eq!(shared.lock().waited_for(), 1);
    drop(events);
    assert_eq!(shared.lock().waited_for(), 0);
}
