//! That the runs of the harness reach everything.

use std::collections::{BTreeMap, BTreeSet};

use mcp_http::harness::{Breakage, Lie};
use mcp_http::{Connection, harness};

use crate::{bytes, reached, run};

#[test]
fn the_runs_reach_everything() {
    let mut transitions = BTreeSet::new();
    for (binding, all) in reached::EVERYTHING {
        let mut tally = BTreeMap::<String, u64>::new();
        let first = harness::first_bytes(*binding);
        for (seed, first) in (0..2000).zip(first.cycle()) {
            let input = [vec![first], bytes(seed)].concat();
            for (what, count) in run(&input).tally() {
                *tally.entry(what.clone()).or_default() += count;
            }
        }
        for (what, count) in &tally {
            println!("{count:>8}  {binding}: {what}");
        }
        let all = all
            .iter()
            .copied()
            .flatten()
            .flat_map(|(kind, names)| names.iter().map(move |name| format!("{kind} {name}")));
        let missing: Vec<_> = all.filter(|what| !tally.contains_key(what)).collect();
        assert!(
            missing.is_empty(),
            "never reached over {binding}: {missing:?}"
        );
        let taken = tally.into_keys();
        transitions.extend(taken.filter(|what| what.starts_with("transition ")));
    }
    let all = transitions_of(&Connection::phase_table());
    assert_eq!(transitions, all, "each transition of the table is taken");
}

/// What looks for faults has to find these, and say which law they break.
#[test]
fn a_broken_machine_is_found_out() {
    let mut unseen = Vec::new();
    for how in Breakage::ALL {
        let law = format!("law {}:", how.law());
        let found = (0..20_000).find_map(|seed| {
            let violation = harness::run_broken(how, &bytes(seed)).err()?;
            let what = Some(violation.what);
            what.filter(|what| what.starts_with(&law))
                .map(|what| (seed, what))
        });
        match found {
            Some((seed, what)) => {
                run(&bytes(seed));
                println!("{how:?}: by input {seed}, which a whole machine survives: {what}");
            }
            None => unseen.push(how),
        }
    }
    assert!(unseen.is_empty(), "not found out: {unseen:?}");
}

/// A model to whom a law seems broken says so.
#[test]
fn a_lie_is_found_out() {
    let mut unseen = Vec::new();
    for lie in Lie::ALL {
        let law = format!("law {}:", lie.law());
        let seen: Vec<_> = (0..500)
            .filter_map(|seed| harness::run_lied_to(lie, &bytes(seed)).err())
            .map(|violation| violation.what)
            .collect();
        match seen.iter().find(|what| what.starts_with(&law)) {
            Some(what) => println!("{lie:?}: {what}"),
            None => unseen.push((lie, seen)),
        }
    }
    assert!(unseen.is_empty(), "not found out: {unseen:#?}");
}

/// Those of the phase table that lead to another phase.
fn transitions_of(table: &str) -> BTreeSet<String> {
    let mut rows = table
        .lines()
        .map(|row| row.split_whitespace().collect::<Vec<_>>());
    let phases = rows.next().expect("a head");
    let cells = rows.flat_map(|row| {
        let (input, cells) = row.split_first().expect("an input");
        let moves = phases
            .iter()
            .zip(cells)
            .filter(|(_, to)| !["-", "misuse"].contains(to));
        moves
            .map(|(from, _)| format!("transition {from} {input}"))
            .collect::<Vec<_>>()
    });
    cells.collect()
}
