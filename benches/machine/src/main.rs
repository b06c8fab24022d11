//! What the machine costs, alone: no network, no clock, no adapter.
//!
//! `cargo run --release -p bench-machine` prints the table; with `-- --check` it fails when a count
//! is more than 3 % over the committed baseline, with `UPDATE=1` it writes that anew. With
//! `-- growth` it shows what happens as a connection has more and more to look after.

mod cases;
mod growth;
mod plot;

use std::path::Path;
use std::process::ExitCode;

use bench_measure::{Baseline, Case, Cost, Row, Table, grouped, run_once, valgrind_is_there};

/// The marks: instructions and allocations.
const MARKS: &[(&str, &str, Option<f64>, Option<f64>)] = &[
    (cases::CALL, "a call", Some(12_000.0), Some(16.0)),
    (cases::CALL_ALONE, "a call", Some(12_000.0), Some(16.0)),
    (cases::NOTIFICATION, "an event", Some(5_000.0), None),
    (cases::IDENTIFIED, "an event", Some(5_000.0), None),
    (cases::PACKED, "an event", Some(5_000.0), None),
    (cases::BESIDE_10, "a call", None, None),
    (cases::BESIDE_10_000, "a call", None, None),
    (cases::AMONG_10, "a call", None, None),
    (cases::AMONG_10_000, "a call", None, None),
    (cases::ID_FIRST, "an event", None, None),
    (cases::ID_LAST, "an event", None, None),
    (cases::PASSED_BY, "an event", None, None),
];

/// The most that routing may cost, and that a call beside 10,000 may cost over one beside 10.
const ROUTING: f64 = 3_900.0;
const BESIDE: f64 = 1.2;

fn main() -> ExitCode {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut cases = cases::all();
    cases.extend(growth::cases());
    if run_once(&cases) {
        return ExitCode::SUCCESS;
    }
    let counts = valgrind_is_there();
    let good = if std::env::args().any(|argument| argument == "growth") {
        counts && growth::show(&cases, &here.join("growth.svg"))
    } else {
        table(&cases, Baseline::read(here.join("baseline.txt")))
    };
    if !counts {
        eprintln!("error: there is no valgrind, so instructions were not counted");
        return ExitCode::FAILURE;
    }
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn table(cases: &[Case], baseline: Baseline) -> bool {
    let mut table = Table::new("The machine alone", Some(baseline));
    let mut costs = Vec::new();
    for (name, unit, most_instructions, most_allocations) in MARKS.iter().copied() {
        let case = cases.iter().find(|case| case.name == name);
        let cost = case.expect("marks are those of cases").measure();
        let row = Row {
            name,
            unit,
            most_instructions,
            most_allocations,
        };
        table.row(row, cost);
        costs.push((name, cost));
    }
    let cost = |name| {
        let found = costs.iter().find(|(other, _)| *other == name);
        found.and_then(|(_, Cost { instructions, .. })| *instructions)
    };
    for (name, from) in [("id first", cases::ID_FIRST), ("id last", cases::ID_LAST)] {
        let routing = cost(from)
            .zip(cost(cases::PASSED_BY))
            .map(|(read, passed)| read - passed);
        let name = format!("routing a body of 200 B, {name}");
        let mark = format!("≤ {}", grouped(ROUTING));
        let met = routing.map(|routing| routing <= ROUTING);
        table.figure(&name, &routing.map_or("-".to_owned(), grouped), &mark, met);
    }
    for (order, many, few) in [
        ("oldest first", cases::BESIDE_10_000, cases::BESIDE_10),
        ("in any order", cases::AMONG_10_000, cases::AMONG_10),
    ] {
        let ratio = cost(many).zip(cost(few)).map(|(many, few)| many / few);
        let figure = ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2} ×"));
        table.figure(
            &format!("beside 10,000 open calls, over 10: {order}"),
            &figure,
            &format!("≤ {BESIDE} ×"),
            ratio.map(|ratio| ratio <= BESIDE),
        );
    }
    for (order, time) in cases::ORDERS.map(|(name, order)| (name, cases::time_beside(order))) {
        let figure = format!("{time:.2} ×");
        let name = format!("the same in time: {order}");
        table.figure(&name, &figure, "", None);
    }
    println!("\n{NOTE}");
    table.close()
}

const NOTE: &str = "\
A call is all of it: the command, the request that is polled and dropped, head, body and end of its
answer, the reply that is polled, and once more both outlets and the next time-out, which have
nothing. The params are a small JSON value that is serialized for each.
Routing is what an event costs whose data are a response to no open request, less what it costs if
its type has it passed by unread. So it is reading the body, and finding that nobody waits for it.";
