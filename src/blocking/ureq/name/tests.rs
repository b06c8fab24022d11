#![allow(clippy::panic, clippy::unwrap_used)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::blocking::transport::Abort;

/// Only what hangs takes so long.
const NEVER: Duration = Duration::from_secs(30);

/// A resolver that is silent until this is said, and how often it was asked.
#[derive(Default)]
struct Silent {
    over: Mutex<bool>,
    changed: Condvar,
    asked: AtomicUsize,
}

impl Silent {
    fn names(self: &Arc<Self>) -> Arc<Names> {
        let silent = Arc::clone(self);
        Arc::new(Names::new(move |_, port| {
            silent.asked.fetch_add(1, Ordering::SeqCst);
            let over = silent
                .changed
                .wait_while(lock(&silent.over), |over| !*over)
                .unwrap();
            drop(over);
            Ok(vec![([127, 0, 0, 1], port).into(); 100])
        }))
    }

    fn end(&self) {
        *lock(&self.over) = true;
        self.changed.notify_all();
    }

    fn asked(&self, times: usize) {
        while self.asked.load(Ordering::SeqCst) < times {
            thread::yield_now();
        }
    }
}

type Resolved = io::Result<Vec<SocketAddr>>;

/// Begins to wait for a name. Gives what aborts that, and what tells its end.
fn begin(names: &Arc<Names>, host: &'static str) -> (Abort, mpsc::Receiver<Resolved>) {
    let (tell, told) = mpsc::channel();
    let (names, abort) = (Arc::clone(names), Abort::new());
    let exchange = Exchange::new(&abort, NEVER);
    thread::spawn(move || tell.send(names.resolve(host, 80, &exchange)));
    (abort, told)
}

#[test]
fn an_abort_ends_the_wait_and_not_the_lookup() {
    let silent = Arc::new(Silent::default());
    let names = silent.names();
    let (abort, aborted) = begin(&names, "silent");
    let (_abort, patient) = begin(&names, "silent");
    silent.asked(1);
    abort.abort();
    aborted.recv_timeout(NEVER).unwrap().unwrap_err();
    silent.end();
    let found = patient.recv_timeout(NEVER).unwrap().unwrap();
    assert_eq!(found, [SocketAddr::from(([127, 0, 0, 1], 80)); ADDRESSES]);
}

#[test]
fn who_asks_for_the_same_name_waits_for_the_same_thread() {
    let silent = Arc::new(Silent::default());
    let names = silent.names();
    let waiting: Vec<_> = (0..20).map(|_| begin(&names, "silent")).collect();
    silent.asked(1);
    for (abort, end) in &waiting {
        abort.abort();
        end.recv_timeout(NEVER).unwrap().unwrap_err();
    }
    assert_eq!(silent.asked.load(Ordering::SeqCst), 1);
    silent.end();
}

#[test]
fn so_many_names_and_no_more() {
    let silent = Arc::new(Silent::default());
    let names = silent.names();
    let waiting: Vec<_> = ["a", "b", "c", "d"]
        .into_iter()
        .map(|host| begin(&names, host))
        .collect();
    silent.asked(LOOKUPS);
    let (_abort, refused) = begin(&names, "e");
    let error = refused.recv_timeout(NEVER).unwrap().unwrap_err();
    assert_eq!(error.to_string(), "too many names are being looked up");
    silent.end();
    for (_abort, end) in waiting {
        end.recv_timeout(NEVER).unwrap().unwrap();
    }
    let (_abort, found) = begin(&names, "e");
    found.recv_timeout(NEVER).unwrap().unwrap();
}

#[test]
fn it_takes_its_time_and_no_more() {
    let silent = Arc::new(Silent::default());
    let exchange = Exchange::new(&Abort::new(), Duration::from_millis(50));
    let late = silent.names().resolve("silent", 80, &exchange).unwrap_err();
    assert_eq!(late.to_string(), "`silent` was not found in time");
    silent.end();
}

#[test]
fn an_address_is_not_looked_up() {
    let names = Arc::new(Names::new(|host, _| panic!("{host} is an address")));
    let exchange = Exchange::new(&Abort::new(), NEVER);
    for host in ["127.0.0.1", "::1"] {
        let found = names.resolve(host, 80, &exchange).unwrap();
        assert_eq!(found, [SocketAddr::new(host.parse().unwrap(), 80)]);
    }
}
