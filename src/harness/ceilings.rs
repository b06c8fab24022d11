//! Law 8: how many there may be at most of everything that can grow.

use std::collections::BTreeMap;

use crate::{Budget, Connection, Limits};

/// Exchanges of the connection itself: the listening stream, the handshake, the list of tools.
const OWN: usize = 4;
/// Cancellations that wait for a credential.
const CANCELLATIONS: usize = 64;
/// Events about the connection itself that nobody has read.
const LIFECYCLE: usize = 256;

/// What a connection has more of than it may.
pub(super) fn excess(machine: &Connection, limits: &Limits) -> Result<(), String> {
    let weights: BTreeMap<_, _> = machine.weights().into_iter().collect();
    let broken = weights.iter().find_map(|(name, weight)| {
        let most = ceiling(name, limits, |other| weights[other]);
        (*weight > most).then(|| format!("{name}: {weight}, and at most {most}"))
    });
    broken.map_or(Ok(()), Err)
}

/// `of`: how many there are of something else.
fn ceiling(name: &str, limits: &Limits, of: impl Fn(&str) -> usize) -> usize {
    let calls = limits.open_calls;
    let control = limits.control_exchanges;
    let exchanges = 2 * calls + control + OWN;
    let asks = limits.open_asks;
    match name {
        "calls" => calls - of("events.ended_calls").min(calls),
        "waiting"
        | "behind"
        | "cut"
        | "resumes"
        | "tokens"
        | "authorization.calls"
        | "authorization.paused"
        | "resources.calls"
        | "resources.behind_calls" => of("calls"),
        "asks" => asks,
        "asks_of" => of("asks"),
        "exchanges" | "aborts" | "read_on" => exchanges,
        "control_exchanges" => control,
        "stalled" => of("exchanges"),
        "lingering" => calls,
        "answers" => calls.max(asks) + control,
        "notices" => limits.open_notifications,
        "farewells" => Budget::default().handshakes,
        "held" => limits.buffers,
        "authorization.control" => CANCELLATIONS + asks + limits.open_notifications + control,
        "events.unasked" => limits.unread + asks,
        "events.yielding" => of("events.unasked"),
        "events.unasked_bytes" => limits.unread_bytes.max(limits.event).max(limits.json_body),
        "events.yielding_bytes" => of("events.unasked_bytes"),
        "events.lifecycle" => LIFECYCLE,
        "events.ended_calls" => calls,
        "events.ended_notifications" => limits.open_notifications,
        "events.queue" => {
            let ends = of("events.ended_calls") + of("events.ended_notifications");
            // Ends of answers, and that a credential is asked for.
            ends + of("events.unasked") + of("events.lifecycle") + asks + 1
        }
        "events.asks" => of("asks"),
        "events.from" | "events.about" => of("events.queue"),
        "events.bytes" => limits.buffers,
        "tools.bytes" | "tools.mirrored" => limits.tool_headers,
        "resources.filter"
        | "resources.all"
        | "resources.due"
        | "resources.asked"
        | "resources.under_way"
        | "restoring.under_way" => limits.subscriptions,
        "timers.own" => 4,
        "timers.call" | "timers.delay" => of("calls"),
        "timers.exchange" | "timers.silence" => of("exchanges"),
        "timers.queue" => 4 + 2 * (of("calls") + of("exchanges")),
        // A number, and nothing that is kept.
        "events.missed" => usize::MAX,
        "handshake.attempts" => 6,
        "handshake.asked" => 3,
        "ladder.search" => 5,
        "suspicion" | "tools.refresh" => 1,
        "authorization.alone" => 3,
        // What was read is let go with the next event; and before it there may be one.
        "listening.ahead" | "listening.known" => limits.unread + asks + LIFECYCLE + 2,
        // One a second in the time that is looked at.
        "listening.idle" => 1500,
        _ => 0,
    }
}
