//! Whole worlds in virtual time (`src/harness/simulator`): whatever servers, proxies and
//! networks do, the laws hold.
//!
//! `WORLDS=100000 cargo test --release -p proof --test simulation -- --nocapture`
//! runs more of them, from the seed `SEED` on. A world in which a law is broken is told:
//! its seed belongs into [`KEPT`].
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test"
)]

#[path = "support/everywhere.rs"]
mod everywhere;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use mcp_http::harness::{
    Breakage, Broken, Era, Options, Rule, Summary, Thing, simulate, simulate_told, simulate_with,
    world,
};

/// Worlds of a usual run.
const WORLDS: u64 = 2000;

/// So many broken worlds are enough for one worker to find.
const ENOUGH: usize = 10;

/// Seeds that found something once, in the machine or in its judge, and the worlds that they
/// made then.
const KEPT: &[(u64, u64)] = &[
    (238, 0xBCF1_9E56_D005_4EC0),
    (62_340, 0xA34E_BD2B_9165_E735),
    (212_623, 0xC038_43EC_CB10_5133),
    (1_009_467, 0xE33D_DDAC_9000_477D),
    (1_037_068, 0x0EA1_6267_884D_F48C),
    (3_798_768, 0x9065_009B_DCC0_00DA),
    (8_293_314, 0xD1F9_2F45_5FE4_CC05),
    (8_406_350, 0x3D34_D273_47BE_9E3C),
    (10_373_915, 0xAF3B_49FC_C5F3_E809),
    (12_159_785, 0xFB4A_42ED_F7BE_15E6),
    (20_302_330, 0x32DA_443C_DD9B_4863),
    (24_728_530, 0x5A68_64EA_2247_D345),
];

/// What does not happen in an era.
const NEVER: &[(Era, &[Thing])] = &[
    (
        Era::HttpSse,
        &[
            Thing::Degraded,
            Thing::Left,
            Thing::Listening,
            Thing::NotOffered,
            Thing::OddAnswer,
            Thing::Poll,
            Thing::Restored,
            Thing::Resumed,
        ],
    ),
    (Era::Session, &[]),
    (
        Era::Stateless,
        &[
            Thing::Astray,
            Thing::Changed,
            Thing::Deleted,
            Thing::Forgotten,
            Thing::Lost,
            Thing::Poll,
            Thing::Recovered,
            Thing::Resumed,
        ],
    ),
];

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn told(broken: &Broken) -> ! {
    let story = simulate_told(broken.seed, &Options::default());
    panic!("{story}\n{broken}")
}

#[test]
fn the_laws_hold_in_all_worlds_and_everything_happens() {
    let many = number("WORLDS").unwrap_or(WORLDS);
    let first = number("SEED").unwrap_or(0);
    let next = AtomicU64::new(first);
    let began = Instant::now();
    let work = || {
        let (mut sum, mut broken) = (Summary::default(), Vec::new());
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + many || broken.len() == ENOUGH {
                return (sum, broken);
            }
            match simulate(seed) {
                Ok(summary) => sum.add(&summary),
                Err(one) => broken.push(one),
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let found: Vec<(Summary, Vec<Broken>)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let ends = workers.into_iter().map(|it| it.join().expect("a worker"));
        ends.collect()
    });
    let mut all = Summary::default();
    let mut broken = Vec::new();
    for (sum, some) in found {
        all.add(&sum);
        broken.extend(some);
    }
    let seconds = began.elapsed().as_secs_f64();
    let pace = many as f64 / seconds;
    println!("{all}\n{many} worlds, {pace:.0} per second on {cores} cores");
    for one in &broken {
        println!("{one}");
    }
    if let Some(one) = broken.first() {
        told(one);
    }
    if many < WORLDS {
        return;
    }
    for (era, never) in NEVER {
        for thing in Thing::ALL.iter().filter(|thing| !never.contains(thing)) {
            let count = all.of(*era, *thing);
            assert!(count > 0, "{}: {} never happen", era.name(), thing.name());
        }
    }
}

#[test]
fn the_seeds_that_found_something_find_it_no_more() {
    // Whoever changes how worlds are drawn looks for others that find the same, or lets go.
    let others = KEPT.iter().filter(|(seed, kept)| world(*seed) != *kept);
    let others = others.map(|(seed, _)| format!("({seed}, {:#018x})", world(*seed)));
    let others: Vec<_> = others.collect();
    assert!(
        others.is_empty(),
        "these seeds make other worlds now: {others:?}"
    );
    for (seed, _) in KEPT {
        if let Err(broken) = simulate(*seed) {
            told(&broken);
        }
    }
}

/// Law 1: the same seed, the same world.
#[test]
fn a_seed_makes_the_same_world_everywhere() {
    everywhere::tells_the_same_everywhere("a_seed_makes_the_same_world_everywhere", || {
        let told = |seed| {
            let story = simulate_told(seed, &Options::default());
            format!("{story}{:?}\n", simulate(seed))
        };
        (0..40).map(told).collect()
    });
}

/// Whether a story is told makes no difference to what happens.
#[test]
fn a_broken_world_is_told_up_to_where_it_broke() {
    let options = Options {
        lie: Some(Rule::Doubled),
        ..Options::default()
    };
    let broken = (0..100).find_map(|seed| simulate_with(seed, &options).err());
    let Broken { seed, rule, what } = broken.expect("a lie that is seen");
    let story = simulate_told(seed, &options);
    let last = format!("LAW {}: {what}\n", rule.law());
    assert!(story.ends_with(&last), "{story}");
}

/// Each rule, for there is no other list of them: a rule that nobody holds to, or for which
/// there is no lie, is not seen to be broken.
#[test]
fn the_judge_sees_what_breaks_a_rule() {
    let seen = |rule: Rule| {
        let options = Options {
            lie: Some(rule),
            ..Options::default()
        };
        let mut broken = (0..2000).filter_map(|seed| simulate_with(seed, &options).err());
        let seen = broken.find(|one| one.rule == rule);
        match &seen {
            Some(seen) => println!("{rule:?}: {seen}"),
            None => println!("{rule:?} is not seen"),
        }
        seen.is_some()
    };
    let unseen: Vec<_> = Rule::ALL.iter().filter(|rule| !seen(**rule)).collect();
    assert!(unseen.is_empty(), "nobody sees {unseen:?} broken");
}

#[test]
fn a_broken_machine_is_found_out() {
    for how in Breakage::ALL {
        let options = Options {
            broken: Some(how),
            ..Options::default()
        };
        let broken = (0..2000).find_map(|seed| simulate_with(seed, &options).err());
        let broken = broken.unwrap_or_else(|| panic!("{how:?} is not found out"));
        assert_eq!(broken.rule.law(), how.law(), "{how:?}: {broken}");
        println!("{how:?}: {broken}");
    }
}

/// The hook by which other machines are tried in the same worlds.
#[test]
fn options_have_the_last_word_on_the_configuration() {
    let options = Options {
        configure: |config| config.header("x-tenant", "blue").expect("a header"),
        ..Options::default()
    };
    for seed in 0..20 {
        simulate_with(seed, &options).expect("a lawful world");
    }
}
