//! The driver by itself: how it waits, wakes, goes on and forgets.

use std::sync::atomic::Ordering;
use std::task::Poll;

use mcp_http::{Budget, Delivery, Lost, Reason};
use serde_json::json;

use crate::hand::{Task, World, doomed, healthy, usual, world};

#[track_caller]
fn unrecoverable(polled: Option<Poll<Result<(), mcp_http::Error>>>) -> usize {
    let Some(Poll::Ready(Err(error))) = polled else {
        panic!("{polled:?}");
    };
    match error.reason() {
        Reason::Lost(Lost::SessionUnrecoverable { attempts, .. }) => *attempts,
        reason => panic!("{reason:?}"),
    }
}

#[test]
fn ready_ends_when_the_budget_of_handshakes_is_spent() {
    let World {
        client,
        mut driver,
        gate,
        ..
    } = doomed(3);
    let mut waits = Task::new(client.ready());
    assert!(matches!(waits.turn(), Some(Poll::Pending)));
    assert!(driver.run().is_pending());
    assert_eq!(unrecoverable(waits.turn()), 3);
    let passed = gate.passed();
    let mut later = Task::new(client.ready());
    assert_eq!(
        unrecoverable(later.turn()),
        3,
        "and who comes later is told at once"
    );
    assert!(driver.run().is_pending());
    assert_eq!(gate.passed(), passed, "in silence");
}

/// Each handshake takes the driver rounds of its own, and nothing but itself wakes it.
#[test]
fn work_for_more_than_one_poll_is_gone_on_with() {
    let World {
        client, mut driver, ..
    } = doomed(100);
    let mut waits = Task::new(client.ready());
    assert!(matches!(waits.turn(), Some(Poll::Pending)));
    assert!(matches!(driver.turn(), Some(Poll::Pending)));
    let others = waits.turn();
    assert!(
        matches!(others, Some(Poll::Pending)),
        "their turn: {others:?}"
    );
    assert!(driver.run().is_pending());
    assert_eq!(unrecoverable(waits.turn()), 100);
}

#[test]
fn one_time_is_waited_for_once() {
    let World {
        client,
        mut driver,
        sleeps,
        ..
    } = world(Budget::default(), |_, _| None);
    let mut waits = Task::new(client.ready());
    assert!(matches!(waits.turn(), Some(Poll::Pending)));
    for _ in 0..10 {
        driver.wake();
        assert!(driver.run().is_pending());
    }
    assert_eq!(sleeps.load(Ordering::SeqCst), 1, "the head clock");
}

#[test]
fn a_service_that_is_not_ready_is_waited_for() {
    let World {
        client,
        mut driver,
        gate,
        ..
    } = healthy();
    gate.shut();
    let mut call = Task::new(client.call("tools/list", ()));
    assert!(matches!(call.turn(), Some(Poll::Pending)));
    assert!(driver.run().is_pending());
    assert_eq!(gate.passed(), 0);
    gate.open();
    assert!(driver.run().is_pending());
    assert!(matches!(call.turn(), Some(Poll::Ready(Ok(_)))));
}

#[test]
fn what_is_aborted_before_the_service_is_ready_never_leaves() {
    let World {
        client,
        mut driver,
        gate,
        ..
    } = healthy();
    let mut session = Task::new(client.ready());
    assert!(matches!(session.turn(), Some(Poll::Pending)));
    assert!(driver.run().is_pending());
    let passed = gate.passed();
    gate.shut();
    let mut call = Task::new(client.call("tools/list", ()));
    assert!(driver.run().is_pending());
    let mut close = Task::new(client.close());
    assert!(matches!(close.turn(), Some(Poll::Pending)));
    assert!(driver.run().is_pending());
    let ended = call.turn();
    assert!(matches!(ended, Some(Poll::Ready(Err(error))) if *error.reason() == Reason::Closed));
    gate.open();
    assert!(driver.run().is_ready());
    assert!(matches!(close.turn(), Some(Poll::Ready(()))));
    assert_eq!(gate.passed(), passed + 1, "the DELETE");
}

#[test]
fn a_service_that_is_out_of_order_sent_nothing() {
    let World {
        client,
        mut driver,
        gate,
        ..
    } = healthy();
    gate.break_down();
    let mut call = Task::new(client.call("tools/list", ()));
    assert!(matches!(call.turn(), Some(Poll::Pending)));
    assert!(driver.run().is_pending());
    let Some(Poll::Ready(Err(error))) = call.turn() else {
        panic!("it has not failed");
    };
    assert_eq!(error.delivery(), Delivery::NotSent);
    assert!(error.to_string().contains("out of order"), "{error}");
}

/// The driver says how many exchanges it keeps.
#[test]
fn an_exchange_that_is_over_is_forgotten() {
    let World {
        client, mut driver, ..
    } = world(Budget::default(), |method, message| {
        (method != "tools/call").then(|| usual(method, message))
    });
    let mut answered = Task::new(client.call("tools/list", ()));
    assert!(driver.run().is_pending());
    assert!(matches!(answered.turn(), Some(Poll::Ready(Ok(_)))));
    assert_eq!(format!("{:?}", driver.future), "Driver(0 exchanges)");
    let cancelled = client.call("tools/call", json!({ "name": "x" }));
    assert!(driver.run().is_pending());
    assert_eq!(format!("{:?}", driver.future), "Driver(1 exchanges)");
    drop(cancelled);
    assert!(driver.run().is_pending());
    assert_eq!(format!("{:?}", driver.future), "Driver(0 exchanges)");
}
