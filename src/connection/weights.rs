//! How much there is of everything that can grow, for the harness.

use super::Connection;

/// The length of each collection, by what it holds.
pub(crate) type Weights = Vec<(&'static str, usize)>;

impl Connection {
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
            session: _,
            shown: _,
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
