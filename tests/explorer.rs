//! All that can happen, in every order, to a depth (`src/harness/explorer`).
//!
//! `DEPTH=9 UNREAD=1 cargo test --release -p proof --test explorer -- --nocapture`
//! goes deeper, and says how many states there were and how often each letter was used.
#![allow(clippy::panic, clippy::print_stdout, reason = "a test")]

use std::time::Instant;

use mcp_http::harness::Breakage;
use mcp_http::harness::explorer::{
    Explored, Reach, Rule, SETTINGS, Setting, alike, explore, replay,
};

/// By then every letter was used.
const DEEP: usize = 6;
/// At least so many states are in every setting, three moves deep.
const FEW: usize = 50;

fn number(name: &str) -> Option<usize> {
    std::env::var(name).ok()?.parse().ok()
}

/// As far as a build without optimization gets in some seconds, or as the environment says.
fn reach() -> Reach {
    Reach {
        depth: number("DEPTH").unwrap_or(4),
        unread: number("UNREAD").unwrap_or(0),
        states: number("STATES").unwrap_or(usize::MAX),
    }
}

/// Where each state costs much.
fn not_as_far() -> usize {
    reach().depth.saturating_sub(1).clamp(1, 3)
}

fn explored(setting: &Setting, reach: Reach) -> Explored {
    let explored = explore(setting, reach).unwrap_or_else(|found| panic!("{found}"));
    let all = reach.states == usize::MAX;
    assert!(explored.whole || !all, "something is left out: {explored}");
    explored
}

fn named(name: &str) -> &'static Setting {
    let setting = SETTINGS.iter().find(|setting| setting.name == name);
    setting.unwrap_or_else(|| panic!("there is no {name}"))
}

fn setting(name: &str) {
    let setting = named(name);
    let began = Instant::now();
    let explored = explored(setting, reach());
    println!("{explored}{:>10.1?}  in all", began.elapsed());
    assert!(
        explored.depth < 3 || explored.states >= FEW,
        "too much looks alike: {explored}"
    );
    if explored.depth < DEEP {
        return;
    }
    let letters = setting.letters.iter();
    let unused = letters.filter(|it| !explored.letters.contains_key(*it));
    let unused: Vec<_> = unused.collect();
    assert!(unused.is_empty(), "never used: {unused:?}");
}

#[test]
fn sessions() {
    setting("sessions");
}

#[test]
fn sessions_from_the_beginning() {
    setting("sessions, from the beginning");
}

#[test]
fn sessions_listening() {
    setting("sessions, listening");
}

#[test]
fn stateless() {
    setting("stateless");
    setting("stateless, from the beginning");
}

#[test]
fn http_sse() {
    setting("HTTP+SSE");
}

#[test]
fn found() {
    setting("found");
}

#[test]
fn what_streams_tell() {
    setting("sessions, told");
    setting("stateless, told");
    setting("HTTP+SSE, told");
}

#[test]
fn what_is_refused_for_its_credential() {
    setting("sessions, refused");
    setting("stateless, refused");
    setting("HTTP+SSE, refused");
}

#[test]
fn what_is_sent_elsewhere_or_put_off() {
    setting("sessions, put off");
    setting("stateless, put off");
    setting("HTTP+SSE, put off");
}

#[test]
fn an_application_has_a_hand_in_recovery() {
    setting("sessions, held");
    setting("sessions, by hand");
    setting("HTTP+SSE, held");
    setting("HTTP+SSE, by hand");
}

#[test]
fn an_older_session_has_calls_in_flight() {
    setting("sessions, again");
    setting("HTTP+SSE, again");
}

#[test]
fn no_setting_is_left_out() {
    let tests = include_str!("explorer.rs");
    let explored = |name: &str| tests.contains(&format!("    setting(\"{name}\");\n"));
    let mut names = SETTINGS.iter().map(|setting| setting.name);
    assert_eq!(names.find(|name| !explored(name)), None);
}

#[test]
fn nobody_looks_after_a_move() {
    let unread = Reach {
        depth: not_as_far(),
        unread: 2,
        states: usize::MAX,
    };
    for setting in &SETTINGS {
        explored(setting, unread);
    }
}

/// Of states that are held to be the same, one is gone on from: it stands for the others.
#[test]
fn what_looks_alike_goes_on_alike() {
    let mut unlike = Vec::new();
    let further = if reach().depth < DEEP { 1 } else { 2 };
    let deep = not_as_far();
    for setting in &SETTINGS {
        match alike(setting, deep, further) {
            Ok((pairs, compared)) => {
                println!("{}: {pairs} looked alike, {compared} bytes", setting.name);
                let enough = deep < 3 || pairs > 0 && compared > 0;
                assert!(enough, "nothing was compared");
            }
            Err(what) => unlike.push(format!("{}: {what}", setting.name)),
        }
    }
    assert!(unlike.is_empty(), "{}", unlike.join("\n\n"));
}

/// What looks for faults has to find these.
#[test]
fn a_broken_machine_is_found_out() {
    let (usual, rare): (Vec<_>, Vec<_>) = Breakage::ALL
        .into_iter()
        .partition(|how| *how != Breakage::BeyondCeiling);
    found_out("sessions", &usual);
    found_out("sessions, put off", &rare);
}

/// But for what is about the ids of sessions.
#[test]
fn a_broken_machine_is_found_out_over_http_sse() {
    let broken = [
        Breakage::DoubledCall,
        Breakage::LostCall,
        Breakage::SecondReply,
        Breakage::UnboundedHandshakes,
        Breakage::UnboundedRetry,
    ];
    found_out("HTTP+SSE", &broken);
    found_out("HTTP+SSE, again", &[Breakage::SecondHandshake]);
    found_out("HTTP+SSE, put off", &[Breakage::BeyondCeiling]);
}

/// But for what is about sessions, and about the handshakes that follow on their loss.
#[test]
fn a_broken_machine_is_found_out_where_requests_stand_alone() {
    let broken = [
        Breakage::DoubledCall,
        Breakage::SecondReply,
        Breakage::UnboundedRetry,
    ];
    found_out("stateless", &broken);
    found_out("stateless, put off", &[Breakage::BeyondCeiling]);
}

fn found_out(setting: &str, broken: &[Breakage]) {
    let reach = Reach {
        depth: 6,
        unread: 0,
        states: usize::MAX,
    };
    for how in broken {
        let setting = named(setting).broken(*how);
        match explore(&setting, reach) {
            Err(found) => {
                let law = found.what.rule.map(Rule::law);
                assert_eq!(law, Some(how.law()), "{how:?}: {found}");
                println!("{how:?}: {found}");
            }
            Ok(explored) => panic!("{how:?} is not found out: {explored}"),
        }
    }
}

/// Of what a binding has nothing.
const WITHOUT: [(&str, &[Rule]); 5] = [
    // Its asks belong to no call.
    ("HTTP+SSE", &[Rule::AskedAfterEnd]),
    // Its stream makes a session: it counts among handshakes, and is not taken up again.
    (
        "HTTP+SSE",
        &[
            Rule::StreamBeyondCeiling,
            Rule::StreamHasty,
            Rule::StreamTooOften,
        ],
    ),
    // Its sessions have no ids.
    ("HTTP+SSE", &[Rule::SecondDelete, Rule::SessionLeft]),
    // It takes up no stream again.
    ("stateless", &[Rule::StreamBeyondCeiling]),
    // It has no sessions.
    (
        "stateless",
        &[
            Rule::CallUnheld,
            Rule::DeadId,
            Rule::HandshakeNeedless,
            Rule::HandshakeUnasked,
            Rule::SecondDelete,
            Rule::SessionLeft,
        ],
    ),
];

/// Whether an observer sees a lie about a rule, where it is told or from the beginning on.
fn is_seen(binding: &str, rule: Rule, depth: usize) -> bool {
    let reach = Reach {
        depth,
        unread: 0,
        states: usize::MAX,
    };
    let usual = match rule.letters() {
        "" => binding.to_owned(),
        letters => format!("{binding}, {letters}"),
    };
    let names = [usual, format!("{binding}, from the beginning")];
    let named = |name: &String| SETTINGS.iter().find(|it| it.name == *name);
    names.iter().filter_map(named).any(|setting| {
        let found = explore(&setting.lied_to(rule), reach);
        found.err().and_then(|found| found.what.rule) == Some(rule)
    })
}

/// Each rule is watched for, in each binding: an observer to whom it seems broken says so.
#[test]
fn a_lie_is_found_out() {
    let mut odd = Vec::new();
    for binding in ["sessions", "HTTP+SSE", "stateless"] {
        for rule in Rule::ALL {
            let mut without = WITHOUT.iter().filter(|(other, _)| *other == binding);
            let is_without = without.any(|(_, rules)| rules.contains(rule));
            let depth = if is_without { 3 } else { 5 };
            if is_seen(binding, *rule, depth) == is_without {
                odd.push((binding, rule));
            }
        }
    }
    assert!(odd.is_empty(), "not seen, or seen after all: {odd:#?}");
}

/// Where a listening stream is asked for again for ever, all else has to end.
#[test]
fn what_does_not_end_is_seen_where_nobody_closes() {
    let setting = named("sessions, told").lied_to(Rule::NoteNeverEnds);
    let reach = Reach {
        depth: 2,
        unread: 0,
        states: usize::MAX,
    };
    let found = explore(&setting, reach).expect_err("a lie that is seen");
    let moves: Vec<_> = found.moves.iter().map(ToString::to_string).collect();
    assert_eq!(moves, ["notify"], "{found}");
}

#[test]
fn a_counterexample_is_a_test_to_be_pasted() {
    let setting = SETTINGS[0].broken(Breakage::DoubledCall);
    let reach = Reach {
        depth: 3,
        unread: 0,
        states: usize::MAX,
    };
    let found = explore(&setting, reach).expect_err("it is broken");
    assert_eq!(
        found.to_string(),
        "law 5: a call may be executed twice: 1\n\n#[test]\nfn the_explorer_found_this() {\n    \
         holds(\"sessions\", \"call\");\n}\n"
    );
    // Whose machine is whole does not do it.
    holds("sessions", "call");
    assert!(replay("sessions", "2 reply").is_err());
}

/// What it found in itself, and not in the machine.
#[test]
fn a_call_whose_time_is_up_is_not_forgotten() {
    holds(
        "sessions",
        "idempotent call; 1 broken; time-out; call; time-out; 2 stream; 2 ask; 2 broken",
    );
}

fn holds(setting: &str, moves: &str) {
    if let Err(what) = replay(setting, moves) {
        panic!("{what}");
    }
}
