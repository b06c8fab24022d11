//! What is registered with an abort runs once, and never after it was taken back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use mcp_http::blocking::Abort;

use crate::support::alone;

fn counter() -> (Arc<AtomicUsize>, impl Fn() -> Box<dyn FnOnce() + Send>) {
    let count = Arc::new(AtomicUsize::new(0));
    let hook = {
        let count = Arc::clone(&count);
        move || {
            let count = Arc::clone(&count);
            Box::new(move || {
                count.fetch_add(1, Ordering::SeqCst);
            }) as Box<dyn FnOnce() + Send>
        }
    };
    (count, hook)
}

#[test]
fn once_each() {
    let _alone = alone();
    let (count, hook) = counter();
    let abort = Abort::new();
    let a = abort.on_abort(hook());
    let b = abort.clone().on_abort(hook());
    drop(abort.on_abort(hook()));
    assert!(!abort.is_aborted());
    abort.abort();
    assert!(abort.clone().is_aborted());
    assert_eq!(count.load(Ordering::SeqCst), 2);
    abort.abort();
    assert_eq!(count.load(Ordering::SeqCst), 2);
    let c = abort.on_abort(hook());
    assert_eq!(count.load(Ordering::SeqCst), 3);
    drop((a, b, c));
    assert_eq!(count.load(Ordering::SeqCst), 3);
}

#[test]
fn none_lost_none_late() {
    let _alone = alone();
    for n in 0..5_000 {
        let abort = Abort::new();
        let aborter = {
            let abort = abort.clone();
            thread::spawn(move || abort.abort())
        };
        if n % 3 == 0 {
            thread::yield_now();
        }
        let ran = Arc::new(AtomicBool::new(false));
        let gone = Arc::new(AtomicBool::new(false));
        let hook = {
            let (ran, gone) = (Arc::clone(&ran), Arc::clone(&gone));
            abort.on_abort(move || {
                assert!(!gone.load(Ordering::SeqCst));
                ran.store(true, Ordering::SeqCst);
            })
        };
        if n % 2 == 0 {
            // Taken back: from here on it does not run.
            drop(hook);
            gone.store(true, Ordering::SeqCst);
            aborter.join().unwrap();
        } else {
            aborter.join().unwrap();
            assert!(ran.load(Ordering::SeqCst));
        }
    }
}

#[test]
fn taking_back_waits_for_what_runs() {
    let _alone = alone();
    let abort = Abort::new();
    let (begun, ended) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicBool::new(false)),
    );
    let hook = {
        let (begun, ended) = (Arc::clone(&begun), Arc::clone(&ended));
        abort.on_abort(move || {
            begun.store(true, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(50));
            ended.store(true, Ordering::SeqCst);
        })
    };
    let aborter = {
        let abort = abort.clone();
        thread::spawn(move || abort.abort())
    };
    while !begun.load(Ordering::SeqCst) {
        thread::yield_now();
    }
    drop(hook);
    assert!(ended.load(Ordering::SeqCst));
    aborter.join().unwrap();
}
