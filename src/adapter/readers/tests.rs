//! What is kept of asks that were read (law 8).

use super::*;
use crate::adapter::Shared;
use crate::event::{Ask, Withdrawal};
use crate::id::Tag;
use crate::{Config, Limits};

fn ask(number: u64) -> (Ticket, Event) {
    let ticket = Ticket::new(Tag(1), number);
    let ask = Event::Ask(Ask {
        ticket,
        method: "elicitation/create".to_owned(),
        params: None,
        call: None,
    });
    (ticket, ask)
}

#[test]
fn asks_that_the_machine_gave_up_are_forgotten_once_there_are_too_many() {
    let limits = Limits {
        open_asks: 2,
        ..Limits::default()
    };
    let config = Config::new("http://localhost/mcp").unwrap().limits(limits);
    let shared = Shared::new(config, Box::new(|| Time::ZERO));
    let mut state = shared.lock();
    let asks = [1, 2, 3].map(ask);
    for (_, event) in &asks[..2] {
        state.note_read(event);
    }
    assert!(state.asked.iter().eq(&[asks[0].0, asks[1].0]));
    let (ticket, cause) = (asks[0].0, Withdrawal::Cancelled);
    state.note_read(&Event::AskWithdrawn { ticket, cause });
    assert!(state.asked.iter().eq(&[asks[1].0]));
    for (_, event) in &asks {
        state.note_read(event);
    }
    assert!(
        state.asked.is_empty(),
        "for the machine none of them is open"
    );
}
