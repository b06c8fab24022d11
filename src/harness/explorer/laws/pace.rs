//! Laws 4 and 10: no storm of streams, and no pace that the peer sets.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::exchange::Open;
use super::super::letter::Act;
use super::super::rule::Rule;
use super::super::setting;
use super::super::wire::Carries;
use super::Seen;
use crate::Time;

#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    /// Streams that broke off, and when: where something follows on them.
    cuts: Vec<Cut>,
    /// How it goes with the stream of a call, or with the listening stream.
    courses: BTreeMap<Option<usize>, Course>,
    /// The network changed, or there is another credential, and nobody has looked since.
    hurries: bool,
    /// When that was. It may take a little while until it is heeded.
    hurried: Option<Time>,
}

#[derive(Clone, Debug)]
struct Cut {
    /// The last event, by which it is taken up again.
    event: u32,
    at: Time,
}

/// A stream over all the exchanges that it takes.
#[derive(Clone, Debug, Default)]
struct Course {
    /// How many of them failed in a row, and when the last did.
    failures: u32,
    last: Time,
    /// How long it lived since then.
    lived: Duration,
    /// Whether the server ever said when it is to be taken up again.
    polls: bool,
}

impl Pace {
    /// The server may say when a stream is to be taken up again.
    pub(super) fn hints(&mut self, open: &Open, act: Act) {
        if let (Some(name), Act::Hurry | Act::Wait) = (course(open), act) {
            self.courses.entry(name).or_default().polls = true;
        }
    }

    /// Something came of an exchange. `over`: and it is over with that.
    pub(super) fn came(&mut self, open: &Open, act: Act, over: bool, now: Time) {
        let cut = over && open.streams;
        if cut && open.event > 0 && !self.hurries {
            let event = open.event;
            self.cuts.push(Cut { event, at: now });
        }
        let Some(name) = course(open) else {
            return;
        };
        let course = self.courses.entry(name).or_default();
        if cut {
            course.lived += now.since(open.at);
        }
        if course.lived >= setting::retries().lived {
            course.failures = 0;
        }
        let polls = course.polls && act == Act::End;
        if self.hurried.is_some() {
            course.failures = 0;
        } else if over && !polls && !act.sends_on() {
            course.failures += 1;
            (course.last, course.lived) = (now, Duration::ZERO);
        }
    }

    /// What is known of how soon something may follow counts no more.
    pub(super) fn hurried(&mut self, now: Time) {
        self.hurried = Some(now);
        self.cuts.clear();
        for course in self.courses.values_mut() {
            course.failures = 0;
        }
        self.hurries = true;
    }

    /// The listening stream begins anew.
    pub(super) fn listens_anew(&mut self) {
        self.courses.remove(&None);
    }

    pub(super) fn call_ended(&mut self, call: usize) {
        self.courses.remove(&Some(call));
    }

    /// A stream is asked for. `from`: it is taken up again, from this event on.
    pub(super) fn left(&self, open: &Open, from: Option<u32>, now: Time) -> Seen {
        let retries = setting::retries();
        let early = |cut: &Cut| Some(cut.event) == from && now < cut.at + retries.floor;
        if self.cuts.iter().any(early) {
            return Err(Rule::StreamHasty.broken());
        }
        let name = match open.carries {
            Carries::Resume(call) => Some(call),
            Carries::Get | Carries::Subscribe if !open.opens_channel() => None,
            _ => return Ok(()),
        };
        let Some(course) = self.courses.get(&name) else {
            return Ok(());
        };
        let failed_just_now = course.failures > 0 && now < course.last + retries.floor;
        if name.is_none() && failed_just_now {
            return Err(Rule::StreamHasty.broken());
        }
        let rests = name.is_some() || now < course.last + retries.pause;
        if course.failures >= retries.failures && rests {
            return Err(Rule::StreamTooOften.broken_by(course.failures));
        }
        Ok(())
    }

    /// What no longer makes a difference is forgotten.
    pub(super) fn at_rest(&mut self, now: Time) {
        let floor = setting::retries().floor;
        self.hurries = false;
        self.hurried = self.hurried.filter(|at| now <= *at + floor);
        self.cuts.retain(|cut| now < cut.at + floor);
    }
}

/// The stream that an exchange is a part of: that of this call, or the listening stream.
fn course(open: &Open) -> Option<Option<usize>> {
    match open.carries {
        Carries::Call(call) if open.streams => Some(Some(call)),
        Carries::Resume(call) => Some(Some(call)),
        Carries::Get | Carries::Subscribe if !open.opens_channel() => Some(None),
        _ => None,
    }
}
