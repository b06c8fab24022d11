//! How much there is of everything that can grow, for the harness.

use std::collections::BTreeSet;

use super::Connection;
use super::call::Call;
use super::exchange::Reading;
use crate::wire::response::Refusal;
use crate::{Budget, Limits, RawJson};

/// The length of each collection, by what it holds; of those that there are many of, the longest.
pub(crate) type Weights = Vec<(&'static str, usize)>;

impl Connection {
    /// How many there may be.
    pub(crate) fn bounds(&self) -> (&Limits, &Budget) {
        (&self.config.common.limits, &self.config.common.budget)
    }

    /// The length of every collection of the connection. Nothing can be left out: what is new
    /// does not compile here before it is named.
    pub(crate) fn weights(&self) -> Weights {
        let Self {
            config: _,
            tag: _,
            now: _,
            jitter: _,
            phase: _,
            handshake,
            ladder,
            channel: _,
            session,
            shown,
            initialized_due: _,
            authorization,
            suspicion,
            calls,
            waiting,
            behind,
            tokens,
            asks,
            asks_of,
            exchanges,
            cut,
            resumes,
            listening,
            restoring,
            tools,
            control_exchanges,
            stalled,
            read_on,
            served: _,
            lingering,
            room: _,
            aborts,
            answers,
            notices,
            farewells,
            events,
            timers,
            network: _,
            changed: _,
            woken: _,
            held,
            last_call: _,
            last_exchange: _,
            last_notification: _,
            last_ticket: _,
            taken: _,
        } = self;
        let mut weights = vec![
            ("calls", calls.len()),
            ("waiting", waiting.len()),
            ("behind", behind.len()),
            ("tokens", tokens.len()),
            ("asks", asks.len()),
            ("asks_of", asks_of.len()),
            ("exchanges", exchanges.len()),
            ("cut", cut.len()),
            ("resumes", resumes.len()),
            ("control_exchanges", *control_exchanges),
            ("stalled", stalled.len()),
            ("read_on", read_on.len()),
            ("lingering", lingering.len()),
            ("aborts", aborts.len()),
            ("answers", answers.len()),
            ("notices", notices.len()),
            ("farewells", farewells.len()),
            ("held", *held),
            ("ladder.search", ladder.search.steps().len()),
            ("suspicion", usize::from(suspicion.is_some())),
        ];
        let known = [&session.capabilities, &session.result]
            .into_iter()
            .flatten();
        let known = known.chain(shown.iter().map(|(_, capabilities)| capabilities));
        weights.push(("session.bytes", known.map(RawJson::len).sum()));
        weights.push(("asks_of.asks", asks_of.values().map(BTreeSet::len).sum()));

        let streams = || calls.values().map(|call| call.stream.weights());
        for (at, name) in ["calls.ahead", "calls.idle", "calls.known"]
            .into_iter()
            .enumerate()
        {
            let lengths = streams().filter_map(|weights| Some(weights.get(at)?.1));
            weights.push((name, lengths.max().unwrap_or(0)));
        }
        let answers = calls.values().map(|call| call.rounds.responses.len());
        weights.push(("calls.responses", answers.max().unwrap_or(0)));
        let feeds = || {
            exchanges
                .values()
                .filter_map(|exchange| match &exchange.reading {
                    Reading::Stream(feed) => Some(feed),
                    _ => None,
                })
        };
        let apart = feeds().map(|feed| feed.apart.len());
        weights.push(("exchanges.apart", apart.max().unwrap_or(0)));
        let known = feeds().map(|feed| feed.known.len());
        weights.push(("exchanges.known", known.max().unwrap_or(0)));
        let doubt = suspicion.as_deref().map(|doubt| {
            let (codes, silent) = (doubt.codes.len(), doubt.silent.len());
            [codes, silent, doubt.calls.len(), doubt.control.len()]
        });
        let [codes, silent, doubted, control] = doubt.unwrap_or_default();
        weights.extend([
            ("suspicion.codes", codes),
            ("suspicion.silent", silent),
            ("suspicion.calls", doubted),
            ("suspicion.control", control),
        ]);
        // What was counted as it came and went, summed up anew.
        let held = calls.values().map(Call::holds);
        let held = held.chain(exchanges.values().map(|exchange| exchange.holds()));
        let held = held.chain(authorization.refusals().map(Refusal::bytes));
        weights.push(("held.summed", held.sum()));
        let doubt = suspicion.as_deref().map_or(0, |doubt| doubt.bytes);
        weights.push(("suspicion.bytes", doubt));
        let miscounted = feeds().map(|feed| feed.miscounted());
        weights.push(("exchanges.miscounted", miscounted.sum()));
        weights.extend(handshake.weights());
        weights.extend(authorization.weights());
        weights.extend(listening.weights());
        weights.extend(restoring.weights());
        weights.extend(tools.weights());
        weights.extend(events.weights());
        weights.extend(timers.weights());
        weights
    }
}
