//! The whole state as text, and how it came to its phase, for the harness.

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
            tag: _,
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
            served: _,
            lingering: _,
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
        // Why it failed is for people.
        let handshake = handshake.without_reasons();
        let flags = (initialized_due, room, woken, held, control_exchanges);
        let server = (phase, &handshake, ladder, channel, session, authorization);
        let asked = (calls, waiting, behind, tokens, asks, asks_of, cut, resumes);
        let streams = (listening, stalled, read_on, restoring, tools);
        let outlets = (aborts, answers, notices, farewells, events, exchanges);
        let times = (now, timers, network, doubted, suspicion);
        format!("{flags:?} {server:?} {asked:?} {streams:?} {outlets:?} {times:?}")
    }

    /// The transitions of the phase table that it has taken: a phase and an input.
    pub(crate) fn taken(&self) -> impl Iterator<Item = String> + '_ {
        let taken = self.taken.iter();
        taken.map(|(phase, input)| format!("{phase:?} {input:?}"))
    }
}
