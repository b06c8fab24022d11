//! All that can happen, in every order, to a depth (`src/harness/explorer`).
#![allow(clippy::panic, clippy::print_stdout, reason = "a test")]

use std::time::Instant;

use mcp_http::harness::Breakage;
use mcp_http::harness::explorer::{SETTINGS, explore, replay};

/// How deep, and how many states at most: `DEPTH=9 STATES=3000000 cargo test …`.
fn setting(name: &str) {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let depth = number("DEPTH").unwrap_or(8);
    let most = number("STATES").unwrap_or(20_000);
    let began = Instant::now();
    let setting = SETTINGS.iter().find(|setting| setting.name == name);
    let setting = setting.unwrap_or_else(|| panic!("there is no {name}"));
    match explore(setting, depth, most) {
        Ok(explored) => println!("{explored}{:>10.1?}  in all", began.elapsed()),
        Err(found) => panic!("{found}"),
    }
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
fn a_broken_machine_is_found_out() {
    for how in Breakage::ALL {
        let found = SETTINGS.iter().find_map(|setting| {
            let setting = setting.broken(how);
            explore(&setting, 9, 20_000).err()
        });
        match found {
            Some(found) => println!("{how:?}: {found}"),
            None => panic!("{how:?} is not found out"),
        }
    }
}

/// What was found once.
fn holds(setting: &str, moves: &str) {
    if let Err(what) = replay(setting, moves) {
        panic!("{what}");
    }
}

#[test]
fn show() {
    for moves in [
        "",
        "call; 1 reply",
        "call; 1 404; 1 reply; 1 202; 1 reply",
        "call; call; 1 reply; 1 reply",
    ] {
        println!(
            "{}\n",
            mcp_http::harness::explorer::state_after("sessions", moves)
        );
    }
}
