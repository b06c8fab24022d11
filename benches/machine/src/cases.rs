//! What is done with the machine to see what it costs.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bench_machine::Driver;
use bench_measure::{Case, Plan};
use bytes::Bytes;
use mcp_http::Revision;

/// The bytes of an answer's body and of an event's data.
const SIZE: usize = 200;

/// The names of the cases in the table.
pub const CALL: &str = "call, JSON answer of 200 B, 2025-11-25";
pub const CALL_ALONE: &str = "call, JSON answer of 200 B, 2026-07-28";
pub const NOTIFICATION: &str = "streamed notification, a chunk each";
pub const IDENTIFIED: &str = "streamed notification with event id, a chunk each";
pub const PACKED: &str = "streamed notification with event id, 64 in a chunk";
pub const BESIDE_10: &str = "call beside 10 open ones";
pub const BESIDE_10_000: &str = "call beside 10,000 open ones";
pub const AMONG_10: &str = "call beside 10, answered in any order";
pub const AMONG_10_000: &str = "call beside 10,000, answered in any order";
pub const ID_FIRST: &str = "event with a response, id first";
pub const ID_LAST: &str = "event with a response, id last";
pub const PASSED_BY: &str = "the same event, of a type that is passed by";

pub fn all() -> Vec<Case> {
    vec![
        Case::new(ID_FIRST, 1000, |plan| {
            events(plan, "message", &response(true))
        }),
        Case::new(ID_LAST, 1000, |plan| {
            events(plan, "message", &response(false))
        }),
        Case::new(PASSED_BY, 1000, |plan| {
            events(plan, "unknown", &response(true))
        }),
        Case::new(CALL, 1000, |plan| one_by_one(Revision::V2025_11_25, plan)),
        Case::new(CALL_ALONE, 1000, |plan| {
            one_by_one(Revision::V2026_07_28, plan)
        }),
        Case::new(NOTIFICATION, 1000, |plan| {
            notifications(plan, 1, 0, |_| String::new())
        }),
        Case::new(IDENTIFIED, 1000, |plan| notifications(plan, 1, 0, id)),
        Case::new(PACKED, 100, packed).units(64),
        Case::new(BESIDE_10, 1000, |plan| {
            calls(plan, 10, Order::OldestFirst);
        }),
        Case::new(BESIDE_10_000, 1000, |plan| {
            calls(plan, 10_000, Order::OldestFirst);
        }),
        Case::new(AMONG_10, 1000, |plan| {
            calls(plan, 10, Order::Any);
        }),
        Case::new(AMONG_10_000, 1000, |plan| {
            calls(plan, 10_000, Order::Any);
        }),
    ]
}

/// Text of a size, with a place in it for as many bytes as are missing.
fn padded(size: usize, before: &str, after: &str) -> String {
    let missing = size.saturating_sub(before.len() + after.len());
    format!("{before}{}{after}", "x".repeat(missing))
}

fn result(id: usize) -> Bytes {
    let before =
        format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[{{"type":"text","text":""#);
    let after = r#""}],"resultType":"complete","isError":false}}"#;
    padded(SIZE, &before, after).into()
}

/// A response to no request that is open.
fn response(id_first: bool) -> String {
    let (id, text) = (
        r#""id":987654321"#,
        r#""result":{"content":[{"type":"text","text":""#,
    );
    let end = r#""}],"isError":false}"#;
    if id_first {
        padded(
            SIZE,
            &format!(r#"{{"jsonrpc":"2.0",{id},{text}"#),
            &format!("{end}}}"),
        )
    } else {
        padded(
            SIZE,
            &format!(r#"{{"jsonrpc":"2.0",{text}"#),
            &format!("{end},{id}}}"),
        )
    }
}

fn notification(id: &str) -> String {
    let before =
        r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":""#;
    let data = padded(SIZE, before, r#""}}"#);
    format!("event: message\n{id}data: {data}\n\n")
}

fn id(at: usize) -> String {
    format!("id: {at:016}\n")
}

fn one_by_one(revision: Revision, plan: Plan) {
    let mut driver = Driver::ready(revision);
    let first = driver.next_number();
    let bodies = (0..plan.room).map(|at| result(first + at)).collect();
    for body in plan.take(bodies) {
        let call = driver.call();
        driver.answer(call, body);
    }
}

/// Which of those that are open is answered.
#[derive(Clone, Copy)]
pub enum Order {
    OldestFirst,
    Any,
}

pub const ORDERS: [(&str, Order); 2] = [
    ("oldest first", Order::OldestFirst),
    ("in any order", Order::Any),
];

/// How many times as long a call takes beside 10,000 as beside 10: the best of some, in turns.
pub fn time_beside(order: Order) -> f64 {
    let mut best = [(10, Duration::MAX), (10_000, Duration::MAX)];
    for _ in 0..20 {
        for (open, best) in &mut best {
            let plan = Plan {
                times: 2000,
                room: 2000,
            };
            *best = calls(plan, *open, order).min(*best);
        }
    }
    let [few, many] = best.map(|(_, time)| time.as_secs_f64());
    many / few
}

/// Calls beside so many that are open, and how long they take.
pub fn calls(plan: Plan, open: usize, order: Order) -> Duration {
    let mut driver = Driver::ready(Revision::V2025_11_25);
    let first = driver.next_number();
    let bodies: Vec<_> = (0..open + plan.room).map(|at| result(first + at)).collect();
    let mut under_way: VecDeque<_> = (0..open).map(|at| (at, driver.call())).collect();
    let mut dice = 1_u64;
    let start = Instant::now();
    for at in plan.take((open..open + plan.room).collect()) {
        under_way.push_back((at, driver.call()));
        let answered = match order {
            Order::OldestFirst => under_way.pop_front(),
            Order::Any => {
                // The high bits of such a sequence are as good as dice.
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let from = (dice >> 33) as usize % under_way.len();
                under_way.swap_remove_back(from)
            }
        };
        let (at, exchange) = answered.expect("a call is open");
        driver.answer(exchange, bodies[at].clone());
    }
    start.elapsed()
}

/// Events that say nothing to the application.
fn events(plan: Plan, kind: &str, data: &str) {
    let mut driver = Driver::ready(Revision::V2025_11_25);
    let stream = driver.call();
    driver.open_stream(stream);
    let event = format!("event: {kind}\ndata: {data}\n\n");
    let chunks = (0..plan.room).map(|_| Bytes::from(event.clone())).collect();
    for chunk in plan.take(chunks) {
        driver.chunk(stream, chunk);
        assert!(!driver.has_event());
    }
}

/// Notifications on so many streams in turn, with so many others unread before them.
pub fn notifications(plan: Plan, streams: usize, unread: usize, id: fn(usize) -> String) {
    let mut driver = Driver::ready(Revision::V2025_11_25);
    let streams: Vec<_> = (0..streams)
        .map(|_| {
            let stream = driver.call();
            driver.open_stream(stream);
            stream
        })
        .collect();
    let chunk = |at| Bytes::from(notification(&id(at)));
    let mut next = streams.iter().cycle();
    let mut stream = || *next.next().expect("there is a stream");
    for at in 0..unread {
        driver.chunk(stream(), chunk(at));
    }
    let chunks = (unread..unread + plan.room).map(chunk).collect();
    for chunk in plan.take(chunks) {
        driver.chunk(stream(), chunk);
        drop(driver.message());
        if unread == 0 {
            assert!(!driver.has_event());
        }
    }
}

fn packed(plan: Plan) {
    let mut driver = Driver::ready(Revision::V2025_11_25);
    let stream = driver.call();
    driver.open_stream(stream);
    let chunk = |at: usize| {
        (0..64)
            .map(|event| notification(&id(64 * at + event)))
            .collect::<String>()
    };
    let chunks = (0..plan.room).map(|at| Bytes::from(chunk(at))).collect();
    for chunk in plan.take(chunks) {
        driver.chunk(stream, chunk);
        for _ in 0..64 {
            drop(driver.message());
        }
        assert!(!driver.has_event());
    }
}

/// Calls beside so many that are open, whose time is up.
pub fn time_outs(plan: Plan, open: usize) {
    let mut driver = Driver::ready(Revision::V2025_11_25);
    for _ in 0..open {
        driver.call();
    }
    for _ in 0..plan.times {
        driver.call();
        driver.time_out();
    }
}
