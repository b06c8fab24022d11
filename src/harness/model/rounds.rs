//! What a server of 2026-07-28 says instead of a reply: that it wants to know something
//! first (behaviour, section 7), that a revision or headers do not suit it (section 10).

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::run::answer_to;
use super::exchange::{Carries, Exchange, Outcome};
use super::{Call, Model, Seen, must};
use crate::{Binding, Phase, Ticket};

/// How long a server is left alone that asks nothing.
const PAUSE: Duration = Duration::from_millis(250);
const HEADER_MISMATCH: i64 = -32020;
const UNSUPPORTED: i64 = -32022;

/// What is asked in one round, by key, with the mark of each question; and the state that
/// is to come back.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Round {
    asks: BTreeMap<String, u64>,
    state: Option<Value>,
}

/// A question that was seen: its ticket, and whether it was answered with an error.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    ticket: Ticket,
    answered: Option<bool>,
}

impl Model {
    /// What an answer means for a call where each request stands on its own.
    pub(super) fn in_rounds(&self, exchange: &Exchange, outcome: Outcome) -> Outcome {
        let (Carries::Call(call), Binding::Stateless) = (&exchange.carries, exchange.binding)
        else {
            return outcome;
        };
        let method = self.calls[call].plan.method;
        let peer = Outcome::Doubt {
            again: false,
            after: None,
        };
        let kind = |result: &Value| result.get("resultType")?.as_str().map(str::to_owned);
        match outcome {
            Outcome::Replied(Err(UNSUPPORTED)) => Outcome::Contested(Err(UNSUPPORTED)),
            Outcome::Replied(Err(HEADER_MISMATCH)) if method == "tools/call" => {
                Outcome::Contested(Err(HEADER_MISMATCH))
            }
            Outcome::Replied(Ok(result)) => match kind(&result).as_deref() {
                None | Some("complete") => Outcome::Replied(Ok(result)),
                Some("input_required") => {
                    let takes_any = matches!(method, "prompts/get" | "tools/call");
                    let round = round(&result).filter(|_| takes_any);
                    round.map_or(peer, Outcome::Round)
                }
                Some(_) => peer,
            },
            outcome => outcome,
        }
    }

    /// The sendings of a call since the last round began.
    pub(super) fn sendings_of_round<'a>(&self, call: &'a Call) -> &'a [u64] {
        let ends = |it: &u64| matches!(self.exchanges[it].outcome, Outcome::Round(_));
        let from = call.sendings.iter().rposition(ends);
        &call.sendings[from.map_or(0, |at| at + 1)..]
    }

    pub(super) fn has_rounds(&self, call: &Call) -> bool {
        self.sendings_of_round(call).len() < call.sendings.len()
    }

    /// A question of the server was given out.
    pub(super) fn asked(&mut self, mark: Option<u64>, ticket: Ticket) {
        let answered = None;
        if let Some(mark) = mark {
            self.questions.insert(mark, Question { ticket, answered });
        }
    }

    pub(super) fn question_answered(&mut self, ticket: Ticket, error: bool) {
        for question in self.questions.values_mut() {
            if question.ticket == ticket {
                question.answered = Some(error);
            }
        }
    }

    /// Whether a call may go on after this round now: it was answered, and how late.
    pub(super) fn goes_on_after(&self, round: &Round, after: Duration) -> (bool, bool) {
        let answered = |mark: &u64| {
            let question = self.questions.get(mark);
            question.is_some_and(|it| it.answered == Some(false))
        };
        let right = round.asks.values().all(answered);
        (right, !round.asks.is_empty() || after >= PAUSE)
    }

    /// A call carries the answers of the last round, and no others, and its state.
    pub(super) fn check_carried(&self, number: u64, message: &Value) -> Seen {
        let call = &self.calls[&number];
        let outcomes = call.sendings.iter().map(|it| &self.exchanges[it].outcome);
        let rounds = outcomes.filter_map(|outcome| match outcome {
            Outcome::Round(round) => Some(round),
            _ => None,
        });
        let count = rounds.clone().count();
        must(count <= self.setup.limits.rounds, || {
            format!("law 4: call {number} goes on after {count} rounds")
        })?;
        // A server that has sessions by now is asked from the beginning.
        let last = { rounds }.next_back().filter(|_| self.stands_alone());
        let params = &message["params"];
        let state = last.and_then(|round| round.state.as_ref());
        must(params.get("requestState") == state, || {
            format!("call {number} carries another state than {state:?}")
        })?;
        let answer = |mark: &u64| {
            let ticket = self.questions.get(mark).map(|it| it.ticket.number());
            ticket.map(answer_to)
        };
        let answers = last.map(|round| round.asks.iter()).into_iter().flatten();
        let answers: BTreeMap<_, _> = answers.map(|(key, mark)| (key, answer(mark))).collect();
        let expected = (!answers.is_empty()).then(|| json!(answers));
        must(params.get("inputResponses") == expected.as_ref(), || {
            format!("call {number} carries other answers than {expected:?}")
        })
    }

    /// The list of tools is read anew: because a call says that headers and body differ.
    pub(super) fn refresh_sent(&self) -> Result<Carries, String> {
        let contested = |call: &Call| {
            let last = call.sendings.last().map(|it| &self.exchanges[it].outcome);
            call.ended.is_none() && last == Some(&Outcome::Contested(Err(HEADER_MISMATCH)))
        };
        must(self.calls.values().any(contested), || {
            "a list of tools that nobody wants".to_owned()
        })?;
        let open = |it: &Exchange| {
            let pending = it.over.is_none() && it.outcome == Outcome::Pending;
            it.carries == Carries::Refresh && pending && !self.is_answered(it)
        };
        must(!self.exchanges.values().any(open), || {
            "two lists of tools at once".to_owned()
        })?;
        Ok(Carries::Refresh)
    }

    /// At rest: a call whose questions are answered went on, or has ended.
    pub(super) fn round_settled(&self, number: u64, call: &Call) -> Seen {
        let last = call.sendings.last().map(|it| &self.exchanges[it].outcome);
        let waits = match last {
            Some(Outcome::Round(round)) => !round.asks.is_empty(),
            Some(Outcome::Contested(_)) => !self.has_control_under_way(),
            _ => false,
        };
        must(!waits || self.status.phase != Phase::Ready, || {
            format!("law 2: call {number} should have gone on: {last:?}")
        })
    }
}

impl Exchange {
    /// Whether it is a page of a list that has more.
    pub(super) fn brought_a_cursor(&self) -> bool {
        let result = match &self.outcome {
            Outcome::Replied(Ok(result)) => result,
            _ => return false,
        };
        result.get("nextCursor").is_some()
    }
}

fn round(result: &Value) -> Option<Round> {
    let nothing = json!({});
    let requests = result.get("inputRequests").unwrap_or(&nothing);
    let mut asks = BTreeMap::new();
    for (key, request) in requests.as_object()? {
        let announced = request.get("method")? == "elicitation/create";
        let mark = request.pointer("/params/m").and_then(Value::as_u64);
        asks.insert(key.clone(), mark.filter(|_| announced)?);
    }
    let state = result.get("requestState").cloned();
    let whole = !asks.is_empty() || state.is_some();
    whole.then_some(Round { asks, state })
}
