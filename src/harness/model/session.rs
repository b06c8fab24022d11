//! Sessions and handshakes. That one began or ended is witnessed by the getters;
//! whether it may have is decided here.

use std::collections::BTreeSet;

use serde_json::Value;

use super::answer::reply;
use super::exchange::{Carries, Exchange, Outcome, Quiet};
use super::{Model, Seen, must};
use crate::{Binding, Contact, Phase, Recovery, Revision, Status, Time};

#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// The ids that came with answers to `initialize`.
    pub(super) given: Vec<Given>,
    pub(super) current: Option<Current>,
    pub(super) attempts: Vec<Attempt>,
    /// Why the session may end in this turn, and whether the server has forgotten it.
    pub(super) excuse: Option<Excuse>,
    /// Recovery is manual, and the application has not spoken.
    pub(super) reinitialize_due: bool,
    pub(super) lost: BTreeSet<u64>,
    /// Those of which it is not known whether they were lost or given up.
    pub(super) maybe_lost: BTreeSet<u64>,
    pub(super) told_lost: BTreeSet<u64>,
    pub(super) established: BTreeSet<u64>,
    pub(super) told_ready: BTreeSet<u64>,
    /// The kinds of 400 that made a session doubtful.
    suspicions: BTreeSet<(u64, Option<i64>)>,
    /// In which turn something made a ping necessary last, and one left last; and
    /// whether one has to.
    pub(super) doubted: Option<u64>,
    pinged: Option<u64>,
    pub(super) owes_ping: bool,
    pub(super) failed_handshakes: u64,
    /// Whether a server was reached for which each request stands on its own.
    pub(super) stood_alone: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) id: String,
    pub(super) exchange: u64,
    /// The server has said that it does not know it.
    pub(super) dead: bool,
    pub(super) deleted: bool,
    /// Whether a DELETE is owed once nobody needs it.
    pub(super) owed: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Current {
    pub(super) binding: Binding,
    pub(super) id: Option<String>,
    pub(super) revision: Revision,
    pub(super) generation: u64,
    pub(super) established: bool,
    /// In which turn it was established.
    pub(super) since: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub(super) exchange: u64,
    pub(super) contact: Contact,
    pub(super) at: Time,
    /// Whether it counts against the budget.
    pub(super) counts: bool,
    /// Whether it may count, as far as can be told.
    pub(super) may_count: bool,
    pub(super) redirected: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Excuse {
    /// The server has forgotten the session; else it was given up.
    pub(super) forgotten: bool,
    /// It has to end, or else it only may.
    pub(super) certain: bool,
}

impl Sessions {
    /// Sessions of which nobody has read.
    pub(super) fn unread(&self) -> usize {
        self.established.len().saturating_sub(self.told_ready.len()) + 1
    }
}

fn has_session(phase: Phase) -> bool {
    matches!(phase, Phase::Confirming | Phase::Ready | Phase::Held)
}

impl Model {
    /// A head may bring a session id.
    pub(super) fn session_given(&mut self, number: u64) {
        let exchange = &self.exchanges[&number];
        let success = exchange
            .head
            .as_ref()
            .is_some_and(|(status, ..)| status.is_success());
        let of_channel = exchange.binding == Binding::HttpSse;
        if exchange.carries != Carries::Handshake(Contact::Initialize) || !success || of_channel {
            return;
        }
        if let Some(id) = exchange.header("mcp-session-id") {
            let visible = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_graphic());
            let owed = visible && exchange.over.is_none() && self.status.phase != Phase::Closed;
            let id = id.to_owned();
            self.sessions.given.push(Given {
                id,
                exchange: number,
                dead: false,
                deleted: false,
                owed,
            });
        }
    }

    /// What the end of an exchange means for the session.
    pub(super) fn session_effects(&mut self, number: u64) {
        let exchange = &self.exchanges[&number];
        let Some(current) = self.sessions.current.clone() else {
            return;
        };
        let carries = exchange.session.is_some() && exchange.session == current.id
            || exchange.goes_to_address();
        let carries_current =
            carries && exchange.generation == current.generation && !exchange.overtaken;
        if exchange.deserted {
            return;
        }
        // What comes after it may have been taken for dead may have been dropped.
        let live = !self.is_given_up(exchange) && !self.is_closed() && exchange.silent.is_none();
        let excuse = |forgotten, certain| Some(Excuse { forgotten, certain });
        let sessions = &mut self.sessions;
        match (&exchange.carries, &exchange.outcome) {
            // Answers to the `initialized` of a session that is gone mean nothing.
            (Carries::Initialized, _) if exchange.generation != current.generation => {}
            (Carries::Initialized, Outcome::Accepted | Outcome::Pending) => {}
            (Carries::Initialized, Outcome::Redirected) => sessions.excuse = excuse(false, false),
            (Carries::Initialized, Outcome::Lost | Outcome::Suspicious { .. }) => {
                sessions.excuse = excuse(true, live);
            }
            (Carries::Initialized, _) => {
                sessions.failed_handshakes += 1;
                sessions.excuse = excuse(false, live);
            }
            // It may speak sessions alone by now.
            (Carries::Call(_), Outcome::Contested(_))
                if exchange.generation == current.generation =>
            {
                sessions.excuse = excuse(true, false);
            }
            (_, Outcome::Lost) if carries_current => sessions.excuse = excuse(true, live),
            (Carries::Ping, Outcome::Suspicious { code, .. }) if carries_current => {
                let same = (current.generation, *code);
                let same = sessions.suspicions.contains(&same);
                sessions.excuse = same.then_some(Excuse {
                    forgotten: true,
                    certain: false,
                });
            }
            (_, Outcome::Suspicious { code, .. }) if carries_current => {
                sessions.suspicions.insert((current.generation, *code));
                sessions.doubted = Some(self.turn);
            }
            (Carries::Listen | Carries::Resume(_), Outcome::Refused)
                if carries_current && !exchange.deserted =>
            {
                let open = matches!(self.status.phase, Phase::Ready | Phase::Held);
                let status = exchange.status();
                if matches!(status, Some(400 | 404)) {
                    sessions.doubted = Some(self.turn);
                }
                if status == Some(400) {
                    let error = serde_json::from_slice(&exchange.body).ok();
                    let code = error
                        .as_ref()
                        .and_then(|it: &Value| it.pointer("/error/code"));
                    let code = code.and_then(Value::as_i64);
                    sessions.suspicions.insert((current.generation, code));
                }
                let asks =
                    |it: &Exchange| it.carries == Carries::Ping && it.outcome == Outcome::Pending;
                let asked = self.exchanges.values().any(asks);
                let heard = exchange.silent.is_none();
                sessions.owes_ping |= live && open && !asked && heard && status == Some(404);
            }
            _ => {}
        }
    }

    /// Something makes a ping necessary.
    pub(super) fn doubt(&mut self) {
        self.sessions.doubted = Some(self.turn);
    }

    /// A ping leaves: one for each doubt at most.
    pub(super) fn ping_sent(&mut self) -> Seen {
        let mut pings = self
            .exchanges
            .values()
            .filter(|it| it.carries == Carries::Ping);
        let redirected = pings
            .next_back()
            .is_some_and(|it| it.outcome == Outcome::Redirected);
        let sessions = &mut self.sessions;
        let doubted = sessions.doubted > sessions.pinged;
        must(doubted || redirected, || {
            "a ping without a suspicion".to_owned()
        })?;
        sessions.pinged = Some(self.turn);
        sessions.owes_ping = false;
        Ok(())
    }

    /// How many sessions do not offer what this method needs.
    pub(super) fn sessions_without(&self, method: &str) -> usize {
        let capability = match method {
            "prompts/get" => "prompts",
            "logging/setLevel" => "logging",
            "resources/subscribe" | "resources/unsubscribe" => "resources",
            _ => "tools",
        };
        let lacks = |exchange: &&Exchange| match &exchange.outcome {
            Outcome::Replied(Ok(result)) => result["capabilities"].get(capability).is_none(),
            _ => false,
        };
        self.exchanges
            .values()
            .filter(|it| matches!(it.carries, Carries::Handshake(_)))
            .filter(lacks)
            .count()
    }

    pub(super) fn has_lost_sessions(&self) -> bool {
        !self.sessions.lost.is_empty() || !self.sessions.maybe_lost.is_empty()
    }

    /// Whether there is a reply to the request of this exchange, on whatever stream.
    pub(super) fn is_answered(&self, exchange: &Exchange) -> bool {
        let number = exchange.request.map(Value::from).unwrap_or_default();
        self.exchanges.values().any(|other| {
            let messages = other.messages(&self.setup.limits, true).0;
            let mut replies = messages.iter().filter_map(reply);
            replies.any(|(id, _)| *id == number)
        })
    }

    /// Whether the machine has let go of the exchange: its call ended, perhaps by a
    /// reply on another stream.
    pub(super) fn is_given_up(&self, exchange: &Exchange) -> bool {
        let answered = || self.is_answered(exchange);
        match exchange.carries {
            Carries::Call(call) | Carries::Resume(call) => {
                self.calls[&call].may_be_over(self.timed) || answered()
            }
            Carries::Ping | Carries::Refresh | Carries::Restored(..) | Carries::Subscribe => {
                exchange.over.is_some() || answered()
            }
            _ => exchange.over.is_some(),
        }
    }

    /// The getters tell of a change.
    pub(super) fn witness(&mut self, status: &Status) -> Seen {
        let before = self.status.clone();
        if status.generation != before.generation {
            must(status.generation == before.generation + 1, || {
                "a generation is left out".to_owned()
            })?;
            self.begins(status)?;
        }
        if let Some(current) = self.sessions.current.clone() {
            if has_session(status.phase) {
                self.lives(&current, status)?;
            } else {
                self.ends(&current, status.phase)?;
            }
        } else {
            must(!has_session(status.phase), || {
                "a session that is over is back".to_owned()
            })?;
        }
        must(
            status.phase != Phase::Held || self.setup.recovery == Recovery::Hold,
            || "held".to_owned(),
        )
    }

    fn lives(&mut self, current: &Current, status: &Status) -> Seen {
        must(
            !self.sessions.excuse.is_some_and(|excuse| excuse.certain),
            || "law 6: the server has forgotten the session, and it goes on".to_owned(),
        )?;
        must(status.has_session_id == current.id.is_some(), || {
            "has_session_id".to_owned()
        })?;
        must(status.revision == Some(current.revision), || {
            format!("{:?}", status.revision)
        })?;
        if matches!(status.phase, Phase::Ready | Phase::Held) && !current.established {
            let confirmed = self.exchanges.values().any(|exchange| {
                exchange.carries == Carries::Initialized
                    && exchange.generation == current.generation
                    && exchange.outcome == Outcome::Accepted
            });
            must(confirmed, || "`initialized` was not accepted".to_owned())?;
            self.sessions.established.insert(current.generation);
            if let Some(current) = &mut self.sessions.current {
                current.established = true;
                current.since = self.turn;
            }
        }
        Ok(())
    }

    fn ends(&mut self, current: &Current, phase: Phase) -> Seen {
        let closed = self.is_closed();
        let on_channel = current.binding == Binding::HttpSse;
        let unclear = self.is_channel_doubted();
        let sessions = &mut self.sessions;
        sessions.current = None;
        sessions.owes_ping = false;
        // With the session the doubt is over.
        for exchange in self.exchanges.values_mut() {
            let heard_since = std::mem::take(&mut exchange.heard_since);
            exchange.unwatched = false;
            let quiet = std::mem::replace(&mut exchange.quiet, Quiet::No);
            exchange.vague |= quiet == Quiet::Maybe;
            if quiet > Quiet::No || heard_since {
                exchange.watched = self.now;
            }
        }
        match sessions.excuse {
            _ if unclear => {
                sessions.maybe_lost.insert(current.generation);
                sessions.reinitialize_due = phase == Phase::Lost;
            }
            Some(Excuse {
                forgotten: true, ..
            }) => {
                sessions.lost.insert(current.generation);
                if current.binding == Binding::Stateless {
                    self.search.forget();
                }
                sessions.reinitialize_due = self.setup.recovery == Recovery::Manual;
                for given in &mut sessions.given {
                    given.dead |= Some(&given.id) == current.id.as_ref();
                }
            }
            Some(_) => {}
            None => must(closed, || {
                "law 3: the session ended without a cause".to_owned()
            })?,
        }
        if on_channel {
            self.channel_lost(current.generation);
        }
        Ok(())
    }
}
