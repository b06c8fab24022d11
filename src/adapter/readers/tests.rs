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
fn as_many_asks_as_can_be_open_and_none_that_was_withdrawn() {
    let limits = Limits {
        open_asks: 2,
        ..Limits::default()
    };
    let config = Config::new("http://localhost/mcp").unwrap().limits(limits);
    let shared = Shared::new(config, Box::new(|| Time::ZERO));
    let mut state = shared.lock();
    let asks = [1, 2, 3].map(ask);
    for (_, event) in &asks {
        state.note_read(event);
    }
    let newest = [asks[1].0, asks[2].0];
    assert!(state.asked.iter().eq(&newest));
    for ticket in newest {
        let cause = Withdrawal::Cancelled;
        state.note_read(&Event::AskWithdrawn { ticket, cause });
    }
    assert!(state.asked.is_empty());
}
