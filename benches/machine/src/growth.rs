//! How costs grow with what a connection has to look after.

use std::path::Path;

use bench_measure::{Case, grouped};

use crate::cases::{Order, calls, notifications, time_outs};
use crate::plot::{Series, plot};

const POWERS: [usize; 6] = [1, 10, 100, 1_000, 10_000, 100_000];

/// So often each is done.
const TIMES: usize = 200;

/// What grows, and what is looked at meanwhile.
const SERIES: [&str; 4] = [
    "a call, beside open calls",
    "an event, beside open streams",
    "an event, behind stored events",
    "a time-out, beside running timers",
];

fn name(series: &str, power: usize) -> String {
    format!("{series}: {power}")
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for power in POWERS {
        let [call, stream, stored, timer] = SERIES.map(|series| name(series, power));
        let id = |at| format!("id: {at:016}\n");
        cases.push(Case::new(call, TIMES, move |plan| {
            calls(plan, power, Order::OldestFirst);
        }));
        cases.push(Case::new(stream, TIMES, move |plan| {
            notifications(plan, power, 0, id)
        }));
        cases.push(Case::new(stored, TIMES, move |plan| {
            notifications(plan, 1, power, id)
        }));
        cases.push(Case::new(timer, TIMES, move |plan| time_outs(plan, power)));
    }
    cases
}

/// Prints the figures and writes the plot.
pub fn show(cases: &[Case], path: &Path) -> bool {
    println!("Instructions, as what a connection looks after grows\n");
    print!("{:<36}", "");
    for power in POWERS {
        print!(" {:>9}", whole(power));
    }
    println!();
    let mut all = Vec::new();
    for series in SERIES {
        print!("{series:<36}");
        let mut points = Vec::new();
        for power in POWERS {
            let name = name(series, power);
            let case = cases.iter().find(|case| case.name == name);
            let cost = case.expect("each point is a case").measure();
            let instructions = cost.instructions.unwrap_or_default();
            print!(" {:>9}", grouped(instructions));
            points.push((power as f64, instructions));
        }
        println!();
        all.push(Series {
            name: series,
            points,
        });
    }
    let sentence = sentence(&all);
    println!("\n{sentence}");
    let written = std::fs::write(path, plot(&all, &sentence));
    println!("written: {}", path.display());
    written.is_ok()
}

fn whole(number: usize) -> String {
    let text = grouped(number as f64);
    text.trim_end_matches(".00").to_owned()
}

fn sentence(all: &[Series]) -> String {
    let growth = |series: &Series| {
        let costs = series.points.iter().map(|(_, cost)| *cost);
        let least = costs.clone().fold(f64::INFINITY, f64::min);
        costs.fold(0.0, f64::max) / least
    };
    let most = all.iter().map(growth).fold(0.0, f64::max);
    format!(
        "From 1 to 100,000 of each, none costs more than {most:.2} times the instructions that it costs at best."
    )
}
