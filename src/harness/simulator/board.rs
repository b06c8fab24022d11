//! Those who look on: the judge, the one who counts and the one who tells.

use std::fmt::Arguments;

use super::judge::Judge;
use super::liar::Liar;
use super::plan::Era;
use super::story::Story;
use super::summary::{Summary, Thing};
use crate::Time;

#[derive(Debug)]
pub(super) struct Board {
    pub(super) era: Era,
    pub(super) liar: Liar,
    pub(super) judge: Judge,
    pub(super) story: Story,
    pub(super) summary: Summary,
}

impl Board {
    pub(super) fn count(&mut self, thing: Thing) {
        self.summary.count(self.era, thing);
    }

    pub(super) fn tell(&mut self, now: Time, text: Arguments<'_>) {
        self.story.tell(now, text);
    }

    /// A server has executed a call.
    pub(super) fn executed(&mut self, key: usize, now: Time) {
        self.tell(now, format_args!("   call {key} is executed"));
        let mut again = false;
        for _ in 0..self.liar.executions() {
            again = self.judge.executed(key);
        }
        self.count(if again {
            Thing::ExecutedTwice
        } else {
            Thing::Executed
        });
    }
}
