//! Where no thread can be started, nobody waits for ever.

use std::time::Instant;

use super::*;
use crate::{Clocks, Delivery, Reason};

/// An engine that can start no thread, for it cannot give itself to one; the test lends
/// it those that it may have.
fn threadless() -> (Arc<Engine<Desk>>, Client, mpsc::Receiver<&'static str>) {
    let (says, said) = mpsc::channel();
    let clocks = Clocks {
        linger: Duration::from_millis(50),
        ..Clocks::default()
    };
    let config = Config::new("http://localhost/mcp")
        .unwrap()
        .listen(false)
        .clocks(clocks);
    let began = Instant::now();
    let clock = Box::new(move || Time::new(began.elapsed()));
    let engine = Arc::new(Engine {
        shared: Arc::new(Shared::new(config, clock)),
        transport: Desk(Mutex::new(says)),
        source: None,
        threads: Mutex::default(),
        work: Condvar::new(),
        clock: Condvar::new(),
        this: Weak::new(),
    });
    let client = client(&engine);
    (engine, client, said)
}

/// Whoever would wait for ever shall fail the test instead.
fn soon<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(run()));
    told.recv_timeout(Duration::from_secs(30))
        .expect("it comes to an end")
}

/// A thread for exchanges, which is never without one to wait for.
fn lend_one(engine: &Arc<Engine<Desk>>) {
    let worker = Arc::clone(engine);
    thread::spawn(move || {
        loop {
            worker.threads().workers += 1;
            worker.work();
        }
    });
    while engine.threads().idle == 0 {
        thread::yield_now();
    }
}

/// A thread that watches the clock.
fn lend_timer(engine: &Arc<Engine<Desk>>) {
    let timer = Arc::clone(engine);
    let mut threads = engine.threads();
    threads.has_timer = true;
    threads.handles.push(thread::spawn(move || timer.watch()));
}

#[test]
fn a_call_fails_and_was_not_sent() {
    for has_timer in [false, true] {
        let (engine, client, _said) = threadless();
        if has_timer {
            lend_timer(&engine);
        }
        let forever = CallOptions::new().no_time_out();
        let caller = client.clone();
        let error = soon(move || caller.call_with("tools/list", (), forever)).unwrap_err();
        assert_eq!(error.delivery(), Delivery::NotSent);
        assert!(error.to_string().contains("no thread"), "{error}");
        soon(move || client.close());
    }
}

#[test]
fn a_call_that_waits_for_the_server_ends_when_its_time_is_over() {
    let (_, client, _said) = threadless();
    let patience = CallOptions::new()
        .wait_for_server(Duration::from_secs(3600))
        .time_out(Duration::from_millis(100));
    let error = soon(move || client.call_with("tools/list", (), patience)).unwrap_err();
    assert!(matches!(error.reason(), Reason::Timeout(_)), "{error}");
}

#[test]
fn a_call_that_has_the_only_thread_ends_when_its_time_is_over() {
    let (engine, client, _said) = threadless();
    lend_one(&engine);
    client.ready().unwrap();
    let brief = CallOptions::new().time_out(Duration::from_millis(100));
    let error = soon(move || client.call_with("tools/call", (), brief)).unwrap_err();
    assert!(matches!(error.reason(), Reason::Timeout(_)), "{error}");
}

/// Also when he began to wait before there was anything to watch for.
#[test]
fn who_waits_watches_the_clock_for_those_who_do_not() {
    let (engine, client, said) = threadless();
    lend_one(&engine);
    client.ready().unwrap();
    let mut events = client.events();
    while let Some(due) = engine.unwatched() {
        events.next_within(due);
    }
    assert!(events.next_within(Duration::ZERO).is_none());
    drop(events);
    let mut events = client.events();
    thread::spawn(move || events.next());
    while engine.shared.lock().waited_for() == 0 {
        thread::yield_now();
    }
    let brief = CallOptions::new().time_out(Duration::from_millis(100));
    let _unwatched = client.start("tools/call", (), brief).unwrap();
    assert_eq!(said.recv().unwrap(), "it hangs");
    let ended = said.recv_timeout(Duration::from_secs(30));
    assert_eq!(ended, Ok("it was aborted"));
}
