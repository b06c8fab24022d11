//! What the decoder of event streams costs, beside its peers, on the same bytes in the same run.
//!
//! `cargo run --release -p bench-decoder` prints the table.

mod decoders;
mod streams;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use bench_measure::{Case, Cost, Row, Table, grouped, run_once, valgrind_is_there};
use decoders::{DECODERS, Decoder, LENT, OWNED, TEXT};
use streams::{STREAMS, Stream};

/// The most instructions and allocations: of a decoder, for a stream, by its unit.
const MARKS: &[(&str, &str, f64, Option<f64>)] = &[
    ("240 B in 16 KiB", LENT, 1_000.0, Some(0.1)),
    ("240 B in 16 KiB", OWNED, 1_250.0, Some(1.1)),
    ("64 KiB in 1,460 B", LENT, 0.65, None),
    ("64 KiB in 1,460 B", OWNED, 0.75, None),
    ("64 KiB in 16 KiB", LENT, 0.55, None),
    ("64 KiB in 16 KiB", OWNED, 0.65, None),
    ("240 B in 1 B", LENT, 28_565.0, None),
    ("240 B in 7 B", LENT, 7_149.0, None),
];

/// Our throughput is to be so many times that of the best peer.
const THROUGHPUT: f64 = 2.0;

/// A byte of a very large event may cost so much more than one of a large event.
const LARGE: f64 = 1.05;

fn main() -> ExitCode {
    let cases = cases();
    if run_once(&cases) {
        return ExitCode::SUCCESS;
    }
    let mut table = Table::new("Decoders of event streams", None);
    let mut costs = Vec::new();
    for case in &cases {
        let cost = case.measure();
        row(&mut table, &case.name, cost);
        costs.push((case.name.as_str(), cost));
    }
    large(&mut table, &costs);
    throughput(&mut table);
    println!("\n{NOTE}");
    if !valgrind_is_there() {
        eprintln!("error: there is no valgrind, so instructions were not counted");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

const NOTE: &str = "\
Lent: the data are looked at where they lie. Owned: they are copied out. Both are bytes that are known
to be UTF-8. As a `str`: they are checked once more, for that they are UTF-8 is known to us and not to
the compiler, and there is no `unsafe` to tell it. Peers are used as their documentation shows it; they
give `String`s, `eventsrc` a `str`.
Allocations where nothing is owned: an event that lies in two chunks is put together, and the last
event id is kept when its chunk goes. So there are some for each chunk, and none for each event.";

fn name(stream: &Stream, decoder: &Decoder) -> String {
    format!("{}: {}", stream.name, decoder.name)
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for stream in &STREAMS {
        for decoder in &DECODERS {
            let name = name(stream, decoder);
            let case = Case::new(name, stream.times, move |plan| {
                let events = (decoder.run)(plan.take(stream.chunks(plan.room)));
                assert_eq!(events, stream.events * plan.times, "all are found");
            });
            cases.push(case.units(stream.units()));
        }
    }
    cases
}

fn row(table: &mut Table, name: &str, cost: Cost) {
    let stream = STREAMS.iter().find(|stream| name.starts_with(stream.name));
    let mark = MARKS
        .iter()
        .find(|(stream, decoder, _, _)| name == format!("{stream}: {decoder}"));
    table.row(
        Row {
            name,
            unit: stream.map_or("", |stream| stream.unit),
            most_instructions: mark.map(|(_, _, most, _)| *most),
            most_allocations: mark.and_then(|(_, _, _, most)| *most),
        },
        cost,
    );
}

/// What a byte of 8 MiB costs over one of 64 KiB.
fn large(table: &mut Table, costs: &[(&str, Cost)]) {
    for decoder in [LENT, OWNED] {
        let cost = |stream: &str| {
            let name = format!("{stream}: {decoder}");
            let found = costs.iter().find(|(other, _)| *other == name);
            found.and_then(|(_, cost)| cost.instructions)
        };
        let ratio = cost("8 MiB in 16 KiB").zip(cost("64 KiB in 16 KiB"));
        let ratio = ratio.map(|(large, small)| large / small);
        let figure = ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2} ×"));
        let name = format!("8 MiB over 64 KiB, a byte: {decoder}");
        table.figure(
            &name,
            &figure,
            &format!("≤ {LARGE} ×"),
            ratio.map(|ratio| ratio <= LARGE),
        );
    }
}

/// How long each takes for the same, in turns: the best of many, for others are at work too.
fn throughput(table: &mut Table) {
    let stream = &STREAMS[0];
    let mut best = [Duration::MAX; DECODERS.len()];
    for _ in 0..300 {
        for (decoder, best) in DECODERS.iter().zip(&mut best) {
            let chunks = stream.chunks(20).into_iter();
            let start = Instant::now();
            (decoder.run)(chunks);
            *best = start.elapsed().min(*best);
        }
    }
    let speed = |time: &Duration| (20 * stream.bytes()) as f64 / time.as_secs_f64() / 1e6;
    for (decoder, time) in DECODERS.iter().zip(&best) {
        let figure = format!("{} MB/s", grouped(speed(time)));
        table.figure(
            &format!("throughput, {}: {}", stream.name, decoder.name),
            &figure,
            "",
            None,
        );
    }
    let of = |is: fn(&Decoder) -> bool| {
        let times = DECODERS
            .iter()
            .zip(&best)
            .filter(|(decoder, _)| is(decoder));
        times.map(|(_, time)| speed(time)).fold(0.0, f64::max)
    };
    let peer = of(|decoder| !decoder.name.starts_with("mcp-http"));
    for (name, own) in [
        (LENT, of(|decoder| decoder.name == LENT)),
        (OWNED, of(|decoder| decoder.name == OWNED)),
        (TEXT, of(|decoder| decoder.name == TEXT)),
    ] {
        let ratio = own / peer;
        let is_marked = name != TEXT;
        let mark = is_marked.then(|| format!("≥ {THROUGHPUT} ×"));
        table.figure(
            &format!("throughput over the best peer: {name}"),
            &format!("{ratio:.2} ×"),
            &mark.unwrap_or_default(),
            is_marked.then_some(ratio >= THROUGHPUT),
        );
    }
}
