//! The whole state as text, and how it came to its phase, for the harness.

use std::ops::Bound;

use super::Connection;
use super::timers::Timer;
use crate::ExchangeId;

impl Connection {
    /// All that can make a difference to what the connection does from here on, but for the
    /// contents of messages, the numbers of what comes next, and where the jitter stands: what
    /// reads alike behaves alike. `RawJson` and secrets show no more of themselves than ever.
    pub(crate) fn state(&self) -> String {
        let Self {
            config: _,
            tag,
            now,
            jitter: _,
            phase,
            handshake,
            ladder,
            channel,
            session,
            shown: _,
            initialized_due,
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
            served,
            lingering,
            room,
            aborts,
            answers,
            notices,
            farewells,
            events,
            timers,
            network,
            changed,
            woken,
            held,
            last_call: _,
            last_exchange: _,
            last_notification: _,
            last_ticket: _,
            taken: _,
        } = self;
        // A change of the network that is yet to be heeded is about those that were there by then.
        let doubted = timers.due(Timer::Network).map(|_| {
            let before = |id: &ExchangeId| (0..=*changed).contains(&id.number());
            exchanges.keys().filter(before).collect::<Vec<_>>()
        });
        // The order in which they are gone on with, and are given up.
        let later = (Bound::Excluded(*served), Bound::Unbounded);
        let stalled: Vec<_> = stalled
            .range(later)
            .chain(stalled.range(..=*served))
            .collect();
        let lingering = lingering.iter().filter(|id| exchanges.contains_key(id));
        let lingering: Vec<_> = lingering.collect();
        // A request has the number of its exchange.
        let cut = cut.iter();
        let cut: Vec<_> = cut
            .map(|(at, call)| (ExchangeId::new(*tag, *at), call))
            .collect();
        // Why it failed is for people.
        let handshake = handshake.without_reasons();
        let flags = (initialized_due, room, woken, held, control_exchanges);
        let server = (phase, &handshake, ladder, channel, session, authorization);
        let asked = (calls, waiting, behind, tokens, asks, asks_of, cut, resumes);
        let streams = (listening, stalled, read_on, restoring, tools);
        let outlets = (
            aborts, answers, notices, farewells, events, exchanges, lingering,
        );
        let times = (now, timers, network, doubted, suspicion);
        format!("{flags:?} {server:?} {asked:?} {streams:?} {outlets:?} {times:?}")
    }

    /// The transitions of the phase table that it has taken: a phase and an input.
    pub(crate) fn taken(&self) -> impl Iterator<Item = String> + '_ {
        let taken = self.taken.iter();
        taken.map(|(phase, input)| format!("{phase:?} {input:?}"))
    }
}
