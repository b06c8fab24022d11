//! Rounds: where each request stands on its own, a server that wants to know something
//! ends the request with its questions, and gets it again with the answers (2026-07-28,
//! patterns: multi round-trip requests).

use std::time::Duration;

use super::Connection;
use super::ask::Asker;
use super::call::State;
use super::route::Route;
use super::timers::Timer;
use super::tools::LIST;
use crate::error::{Delivery, Error, LimitExceeded, LimitKind, Peer, Reason, Refused, RpcError};
use crate::event::Reply;
use crate::wire::jsonrpc::Members;
use crate::wire::meta::Carried;
use crate::wire::result::{self, InputRequired, Kind};
use crate::{CallId, Event, RawJson, Subject, Ticket};

/// How long a server is left alone that asks nothing and wants its state back.
const PAUSE: Duration = Duration::from_millis(250);

/// The rounds of one call.
#[derive(Clone, Debug, Default)]
pub(super) struct Rounds {
    /// How many there were.
    count: usize,
    /// Asks of this round that the application has not answered.
    unanswered: usize,
    /// The answers of this round, by the server's keys as they were written.
    pub(super) responses: Vec<(String, RawJson)>,
    /// `requestState` of this round, to the byte.
    state: Option<RawJson>,
    /// How much of that is held in memory.
    bytes: usize,
}

impl Rounds {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What the next request takes along; nothing before the first round.
    pub(super) fn carried(&self) -> Option<Carried<'_>> {
        (self.count > 0).then_some(Carried {
            responses: &self.responses,
            state: self.state.as_ref(),
        })
    }
}

/// The requests in whose place a server may ask for input.
fn takes_input(method: &str) -> bool {
    matches!(method, "prompts/get" | "resources/read" | "tools/call")
}

impl Connection {
    /// A call was answered with a result, which need not be its end.
    pub(super) fn result_came(&mut self, id: CallId, reply: Reply) {
        let kind = match &reply.outcome {
            Ok(result) => result::kind(result),
            Err(_) => Ok(Kind::Complete),
        };
        let broken: Reason = match (kind, &reply.outcome) {
            (Ok(Kind::InputRequired(required)), Ok(result)) => {
                match self.input_required(id, result, &required) {
                    Ok(()) => return,
                    Err(reason) => reason,
                }
            }
            (Ok(Kind::Other(name)), _) if !self.has_extensions() => Peer::ResultType(name).into(),
            (Ok(_), _) if self.calls.get(&id).is_some_and(|call| call.method == LIST) => {
                return self.tools_came(id, reply);
            }
            (Ok(_), _) => return self.reply(id, reply),
            (Err(peer), _) => peer.into(),
        };
        let answer = super::exchange::answered(reply.status);
        self.fail_call(
            id,
            Error::new(broken, Delivery::Unknown).with_answer(answer),
        );
    }

    /// Whether results of other types may be an extension's that was announced.
    fn has_extensions(&self) -> bool {
        let announced = Members::of(self.config.common.capabilities.as_str());
        let extensions = announced.get("extensions");
        extensions.is_some_and(|extensions| Members::of(extensions.get()).iter().next().is_some())
    }

    /// A new round: the server's questions are put to the application.
    fn input_required(
        &mut self,
        id: CallId,
        result: &RawJson,
        required: &InputRequired<'_>,
    ) -> Result<(), Reason> {
        let InputRequired { requests, state } = required;
        let limits = &self.config.common.limits;
        let exceeds = |kind, value| Err(LimitExceeded { kind, value }.into());
        let Some(call) = self.calls.get(&id) else {
            return Ok(());
        };
        let peer = |why| Err(Peer::InputRequired(why).into());
        if !takes_input(&call.method) {
            return peer("the method takes none");
        }
        if requests.is_empty() && state.is_none() {
            return peer("it asks nothing and has no state");
        }
        let mut methods = requests.iter().map(|request| &*request.method);
        if !methods.all(|method| self.is_announced_for_rounds(method)) {
            return peer("it asks for what the client did not announce");
        }
        if call.rounds.count >= limits.rounds {
            return exceeds(LimitKind::Rounds, limits.rounds);
        }
        if self.asks.len().saturating_add(requests.len()) > limits.open_asks {
            return exceeds(LimitKind::OpenAsks, limits.open_asks);
        }
        let now = self.now;
        if let Some(call) = self.calls.get_mut(&id) {
            // The server has begun with it.
            call.delivery = Delivery::Unknown;
            // Each round is a request of its own: it may be redirected, refused and sent again
            // like the first. The rounds are bounded, and so is all of that.
            call.route = Route::default();
            call.renegotiated = false;
            call.repaired = false;
            call.resends = 0;
            call.unreached = 0;
            let state = state.map(|state| result.part(state));
            let keys: usize = requests.iter().map(|request| request.key.len()).sum();
            call.rounds = Rounds {
                bytes: keys.saturating_add(state.as_ref().map_or(0, RawJson::len)),
                count: call.rounds.count.saturating_add(1),
                unanswered: requests.len(),
                state,
                ..Rounds::default()
            };
            call.state = if requests.is_empty() {
                self.timers.set(Timer::Delay(id), now + PAUSE);
                State::Delayed
            } else {
                State::Asked
            };
        }
        self.account_call(id);
        for request in requests {
            let asker = Asker::Round {
                call: id,
                key: request.key.to_owned(),
            };
            let params = request.params.map(|params| result.part(params));
            self.open_ask(asker, (&request.method, params, Some(id)), None);
        }
        Ok(())
    }

    /// The application has answered a question of a round: after the last one, the call
    /// goes out again.
    pub(super) fn answer_in_round(
        &mut self,
        id: CallId,
        ticket: Ticket,
        key: String,
        outcome: Result<RawJson, RpcError>,
    ) {
        // Whoever waits for this before answering the next question must not wait for
        // ever: from now on the call's fate is the answer's.
        let subject = Subject::Answer(ticket);
        self.events.push(Event::Accepted { subject });
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let rounds = &mut call.rounds;
        match outcome {
            Ok(result) => {
                rounds.unanswered = rounds.unanswered.saturating_sub(1);
                rounds.bytes = rounds.bytes.saturating_add(result.len());
                rounds.responses.push((key, result));
                let goes_on = rounds.unanswered == 0;
                self.account_call(id);
                if goes_on {
                    self.queue(id);
                }
            }
            // What goes back with a request can only be a result.
            Err(_) => self.fail_call(id, Error::new(Refused::Unanswered, Delivery::Unknown)),
        }
    }
}
