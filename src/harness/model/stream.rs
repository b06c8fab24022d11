//! Streams: what the server said on each over all its exchanges, how far the
//! application has read, and when the next exchange may leave (behaviour, section 6).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::super::sse::{Found, has_comment, naive_from};
use super::exchange::{Carries, Exchange, Outcome};
use super::{Model, Seen, must};
use crate::{Limits, sse};

/// An event of a stream, and whether what it says was read.
#[derive(Clone, Debug)]
pub(super) struct Passed {
    pub(super) id: Option<String>,
    /// Whether the id is its own.
    own: bool,
    read: Read,
}

/// An event that is new.
struct News {
    /// Its own id, if it has one.
    id: Option<Option<String>>,
    /// The data of a message.
    data: String,
    /// Whether the server has still to repeat what comes after it.
    early: bool,
}

/// Whether the messages of an event were polled.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Read {
    /// There are none that have to be.
    Nothing,
    Yes,
    Maybe,
    No,
}

impl Exchange {
    pub(super) fn found(&self, limits: &Limits) -> (Vec<Found>, Option<Duration>) {
        if !self.is_stream() {
            return (Vec::new(), None);
        }
        let limits = sse::Limits {
            line: limits.line,
            event: limits.event,
        };
        naive_from(self.cursor.clone(), self.counted(), limits)
    }

    pub(super) fn brought_a_message(&self, limits: &Limits) -> bool {
        self.news(limits).iter().any(|it| !it.data.is_empty())
    }

    /// What came on it. What a server that resumes repeats, although it is here, is not
    /// new.
    fn news(&self, limits: &Limits) -> Vec<News> {
        let mut known = self.known.clone();
        let mut repeated = false;
        let mut news = Vec::new();
        for found in self.found(limits).0 {
            let (id, data) = match found {
                Found::Event {
                    kind,
                    data,
                    id,
                    own,
                } if kind == "message" => (own.then_some(id), data),
                Found::Event { id, own, .. } => (own.then_some(id), String::new()),
                Found::Cursor(id) => (Some(id), String::new()),
                Found::TooLong { .. } => continue,
            };
            let repeats = known
                .iter()
                .position(|known| id == Some(Some(known.clone())));
            match repeats {
                Some(at) => {
                    known.drain(..=at);
                    repeated = true;
                }
                None => news.push(News {
                    id,
                    data,
                    early: known.len() > usize::from(!repeated),
                }),
            }
        }
        news
    }

    /// The ids that came on it, as often as they did; what no header carries is none.
    pub(super) fn ids(&self, limits: &Limits) -> Vec<Option<String>> {
        let own = |found| match found {
            Found::Event { id, own, .. } => own.then_some(id),
            Found::Cursor(id) => Some(id),
            Found::TooLong { .. } => None,
        };
        let ids = self.found(limits).0.into_iter().filter_map(own);
        ids.map(|id| id.filter(|id| carriable(id))).collect()
    }

    /// Whether the server has shown that it keeps the stream alive. Between calls it may
    /// have nothing to say for long: there comments alone count.
    pub(super) fn is_lively(&self, limits: &Limits) -> bool {
        let named = |found: &Found| match found {
            Found::Event { id, own, .. } => *own && id.is_some(),
            Found::Cursor(id) => id.is_some(),
            Found::TooLong { .. } => false,
        };
        let commented = self.is_stream() && has_comment(self.counted());
        let counts_ids = !matches!(self.carries, Carries::Listen | Carries::Subscribe);
        commented || counts_ids && self.found(limits).0.iter().any(named)
    }

    /// The messages that came on it, in the order in which they did, and whether
    /// they are always told.
    pub(super) fn marks(&self, limits: &Limits) -> Vec<(u64, bool)> {
        let texts = self.found(limits).0.into_iter().filter_map(|it| match it {
            Found::Event { kind, data, .. } if kind == "message" => Some(data),
            _ => None,
        });
        texts
            .flat_map(|text| elements(&text))
            .filter_map(|message| {
                let plain = message.get("method")? == "notifications/message";
                Some((message.pointer("/params/m")?.as_u64()?, plain))
            })
            .collect()
    }
}

fn elements(text: &str) -> Vec<Value> {
    match serde_json::from_str(text) {
        Ok(Value::Array(batch)) => batch,
        Ok(message) => vec![message],
        Err(_) => Vec::new(),
    }
}

/// Whether a header can carry this id.
fn carriable(id: &str) -> bool {
    let visible = id
        .bytes()
        .all(|byte| byte == b'\t' || byte >= 32 && byte != 127);
    visible && id.len() <= 4096 && id.trim_matches([' ', '\t']) == id
}

/// # What was said and read
impl Model {
    /// Whether streams may stand still for want of room, or lose messages.
    pub(super) fn is_tight(&self) -> bool {
        self.setup.limits.unread < Limits::default().unread
    }

    /// The events of a stream. The place of one without an id is that of the one before.
    pub(super) fn trace(&self, exchanges: &[u64], token: Option<&Value>) -> Vec<Passed> {
        let mut trace: Vec<Passed> = Vec::new();
        for number in exchanges {
            let exchange = &self.exchanges[number];
            let listens = exchange.request.is_none();
            for News { id, data, early } in exchange.news(&self.setup.limits) {
                let own = id.is_some();
                let before = || trace.last().and_then(|last| last.id.clone());
                let id = id.unwrap_or_else(before).filter(|id| carriable(id));
                let read = elements(&data)
                    .iter()
                    .map(|message| self.was_read(message, token, listens))
                    .max();
                if early && read.is_none_or(|read| read == Read::Nothing) {
                    continue;
                }
                trace.push(Passed {
                    id,
                    own,
                    read: read.unwrap_or(Read::Nothing),
                });
            }
        }
        trace
    }

    fn was_read(&self, message: &Value, token: Option<&Value>, listens: bool) -> Read {
        let Some(mark) = message.pointer("/params/m").and_then(Value::as_u64) else {
            return Read::Nothing;
        };
        let given = self.delivered.get(&mark).copied().unwrap_or_default();
        let said = match self.setup.honest {
            true => 1,
            false => self.said.get(&mark).copied().unwrap_or_default(),
        };
        if given >= said.max(1) {
            return Read::Yes;
        }
        let own = message.pointer("/params/progressToken");
        let waits = match message.get("method").and_then(Value::as_str) {
            Some("notifications/message") => true,
            Some("notifications/progress") => own.is_some() && own == token,
            _ => false,
        };
        let gives_way = listens && self.is_tight();
        if waits && given == 0 && !gives_way {
            Read::No
        } else {
            Read::Maybe
        }
    }

    /// Where a stream may be taken up: after the last event of which all was read;
    /// before any was, after the first, whose message is here.
    pub(super) fn cursors(trace: &[Passed]) -> BTreeMap<Option<String>, usize> {
        let read = trace.iter().rposition(|it| it.read == Read::Yes);
        let mut at = read.map_or(0, |read| read + 1);
        let mut all = BTreeMap::new();
        if Self::says_twice(trace) {
            // From a server that says an id twice no more can be asked for than that.
            all.extend(trace.iter().map(|it| (it.id.clone(), 0)));
            all.insert(None, 0);
        }
        loop {
            let place = |at: usize| Some((trace.get(at)?.id.clone()?, at));
            let here = at.checked_sub(1).and_then(place);
            let ahead = || {
                trace.last()?.id.as_ref()?;
                (at..trace.len()).find_map(place)
            };
            let (id, place) = here.or_else(ahead).unzip();
            all.entry(id).or_insert(place.unwrap_or(trace.len()));
            match trace.get(at) {
                Some(next) if next.read != Read::No => at += 1,
                _ => return all,
            }
        }
    }

    /// Whether one id names two places.
    fn says_twice(trace: &[Passed]) -> bool {
        let runs = trace.chunk_by(|one, next| one.id == next.id);
        let ids: Vec<_> = runs.filter_map(|run| run[0].id.as_ref()).collect();
        ids.iter().collect::<BTreeSet<_>>().len() < ids.len()
    }

    /// What a server may repeat to one who resumes there: the ids from the cursor on.
    pub(super) fn known(trace: &[Passed], from: usize) -> Vec<String> {
        // That from which it is taken up may have come with an event before.
        let first = trace.get(from).and_then(|passed| passed.id.clone());
        let ahead = trace.get(from + 1..).unwrap_or_default().iter();
        let ahead = ahead
            .filter(|passed| passed.own)
            .filter_map(|passed| passed.id.clone());
        first.into_iter().chain(ahead).collect()
    }

    /// Whether it can be taken up now, and however much of it is read.
    pub(super) fn is_resumable(trace: &[Passed]) -> (bool, bool) {
        let cursors = Self::cursors(trace);
        let last = trace.last().is_some_and(|last| last.id.is_some());
        let any = cursors.keys().any(Option::is_some);
        let own = trace
            .iter()
            .filter(|it| it.own)
            .filter_map(|it| it.id.as_ref());
        let own: Vec<_> = own.collect();
        let twice = own.iter().collect::<BTreeSet<_>>().len() < own.len();
        let sure = last && !twice && !Self::says_twice(trace);
        (any, sure && cursors.keys().all(Option::is_some))
    }

    /// Law 4: in any 3 s a stream sends a handful of GETs, and such as follow a
    /// message.
    pub(super) fn paced(&self, exchanges: &[u64]) -> Seen {
        let recent =
            |number: &&u64| self.now.since(self.exchanges[*number].sent) < Duration::from_secs(3);
        let recent: Vec<&u64> = exchanges.iter().filter(recent).collect();
        let gets = recent
            .iter()
            .filter(|number| self.exchanges[**number].is_get());
        let fruitful = exchanges
            .iter()
            .map(|number| &self.exchanges[number])
            .filter(|it| self.now.since(it.concluded.1) < Duration::from_secs(4))
            .filter(|it| it.brought_a_message(&self.setup.limits))
            .count();
        let redirects = recent
            .iter()
            .filter(|number| self.exchanges[**number].outcome == Outcome::Redirected)
            .count();
        let forgiven = self
            .network_changes
            .iter()
            .filter(|(_, at)| self.now.since(*at) < Duration::from_secs(3));
        let most = 6 + fruitful + redirects.min(4) + forgiven.count();
        let gets = gets.count();
        must(gets <= most, || {
            format!("law 4: {gets} GETs of one stream within 3 s")
        })
    }
}
