//! What happened, for a person to read.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use http::Request;

use super::secrets;
use crate::{Event, Revision, Time};

/// What happened in one run, line by line, how often each kind of thing did, and what was
/// sent and heard.
#[derive(Clone, Debug, Default)]
pub struct Story {
    lines: Vec<String>,
    pub(super) sent: Vec<(Request<Bytes>, Option<Revision>)>,
    pub(super) heard: Vec<Event>,
    tally: BTreeMap<String, u64>,
}

impl Story {
    pub(super) fn tell(&mut self, now: Time, text: impl fmt::Display) {
        let seconds = now.since_origin().as_secs_f64();
        self.lines.push(format!("{seconds:>9.3}  {text}"));
    }

    pub(super) fn count(&mut self, what: impl Into<String>) {
        *self.tally.entry(what.into()).or_default() += 1;
    }

    /// Counts the secrets in what travels.
    pub(super) fn count_secrets(&mut self, text: &str) {
        for name in secrets::names(text) {
            self.count(format!("secret {name}"));
        }
    }

    /// How often each phase, kind of event, answer and operation was seen.
    pub fn tally(&self) -> &BTreeMap<String, u64> {
        &self.tally
    }

    /// Every request, with the revision of the session that there was.
    pub fn sent(&self) -> &[(Request<Bytes>, Option<Revision>)] {
        &self.sent
    }

    /// Every event.
    pub fn heard(&self) -> &[Event] {
        &self.heard
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// A law was broken: which, how, and the story up to there.
#[derive(Clone, Debug)]
pub struct Violation {
    pub what: String,
    pub story: Story,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.what, self.story)
    }
}

impl std::error::Error for Violation {}
