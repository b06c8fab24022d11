//! Law 10: the peer sets no pace.

use super::super::exchange::Open;
use super::super::letter::Act;
use super::super::rule::Rule;
use super::super::setting;
use super::Seen;
use crate::Time;

/// Streams that broke off, and when: where something follows on them.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    cuts: Vec<Cut>,
    /// The network changed, or there is another credential, and nobody has looked since.
    hurries: bool,
}

#[derive(Clone, Debug)]
struct Cut {
    /// The last event, by which it is taken up again.
    event: u32,
    at: Time,
}

impl Pace {
    pub(super) fn came(&mut self, open: &Open, act: Act, now: Time) {
        let over = matches!(act, Act::Broken | Act::End);
        if over && open.streams && open.event > 0 && !self.hurries {
            let event = open.event;
            self.cuts.push(Cut { event, at: now });
        }
    }

    /// What is known of how soon something may follow counts no more.
    pub(super) fn hurried(&mut self) {
        self.cuts.clear();
        self.hurries = true;
    }

    /// A stream is taken up again, from this event on.
    pub(super) fn resumed(&self, from: Option<u32>, now: Time) -> Seen {
        let early = |cut: &Cut| Some(cut.event) == from && now < cut.at + setting::retries().floor;
        if self.cuts.iter().any(early) {
            return Err(Rule::StreamHasty.broken());
        }
        Ok(())
    }

    /// What no longer makes a difference is forgotten.
    pub(super) fn at_rest(&mut self, now: Time) {
        let floor = setting::retries().floor;
        self.hurries = false;
        self.cuts.retain(|cut| now < cut.at + floor);
    }
}
