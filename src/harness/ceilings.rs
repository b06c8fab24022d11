//! Law 8: how many there may be at most of everything that can grow.

use std::collections::BTreeMap;

use crate::{Budget, Connection, Limits};

/// Exchanges of the connection itself: the listening stream, the handshake, the list of tools.
const OWN: usize = 4;
/// Cancellations that wait for a credential.
const CANCELLATIONS: usize = 64;
/// Events about the connection itself that nobody has read.
const LIFECYCLE: usize = 256;

/// Codes of refusals that put a session in doubt.
const CODES: usize = 64;
/// Exchanges that ended: one a second in the time that is looked at.
const IDLE: usize = 1500;

/// How many there are, by what they are.
type Weights = BTreeMap<&'static str, usize>;

/// Whether there is no more of anything than there may be.
///
/// # Errors
/// What there is more of, and how many.
pub fn excess(machine: &Connection) -> Result<(), String> {
    let (limits, budget) = machine.bounds();
    judge(&machine.weights().into_iter().collect(), limits, budget)
}

/// Each weight has a ceiling, and each ceiling a weight.
fn judge(weights: &Weights, limits: &Limits, budget: &Budget) -> Result<(), String> {
    let ceilings = ceilings(limits, budget, |name| {
        weights.get(name).copied().unwrap_or(0)
    });
    for (name, most) in &ceilings {
        match weights.get(name) {
            None => return Err(format!("{name}: nobody says how many")),
            Some(weight) if weight > most => {
                return Err(format!("{name}: {weight}, and at most {most}"));
            }
            Some(_) => {}
        }
    }
    if weights.len() > ceilings.len() {
        let known = |name: &str| ceilings.iter().any(|(other, _)| *other == name);
        let unknown = weights.keys().find(|name| !known(name));
        return Err(format!("{unknown:?}: no ceiling"));
    }
    Ok(())
}

/// `of`: how many there are of something else.
fn ceilings(
    limits: &Limits,
    budget: &Budget,
    of: impl Fn(&str) -> usize,
) -> Vec<(&'static str, usize)> {
    let calls = limits.open_calls;
    let control = limits.control_exchanges;
    let exchanges = 2 * calls + control + OWN;
    let asks = limits.open_asks;
    let ends = of("events.ended_calls") + of("events.ended_notifications");
    // What was read is let go with the next event; and before it there may be one.
    let heard = limits.unread + asks + LIFECYCLE + 2;
    vec![
        ("calls", calls - of("events.ended_calls").min(calls)),
        ("calls.ahead", heard),
        ("calls.known", heard),
        ("calls.idle", IDLE),
        ("calls.responses", asks),
        ("waiting", of("calls")),
        ("behind", of("calls")),
        ("cut", of("calls")),
        ("resumes", of("calls")),
        ("tokens", of("calls")),
        ("asks", asks),
        ("asks_of", of("asks")),
        ("asks_of.asks", of("asks")),
        ("exchanges", exchanges),
        ("exchanges.apart", limits.batch),
        ("exchanges.known", heard),
        ("aborts", exchanges),
        ("read_on", exchanges),
        ("control_exchanges", control),
        ("stalled", of("exchanges")),
        ("lingering", calls),
        ("answers", calls.max(asks) + control),
        ("notices", limits.open_notifications),
        ("farewells", budget.handshakes),
        ("held", limits.buffers.min(of("held.summed"))),
        ("held.summed", of("held")),
        ("exchanges.miscounted", 0),
        ("ladder.search", 5),
        ("suspicion", 1),
        ("suspicion.codes", CODES),
        ("suspicion.bytes", limits.buffers),
        ("suspicion.silent", exchanges),
        ("suspicion.calls", of("calls")),
        ("suspicion.control", asks + limits.open_notifications),
        // The result, what it says of capabilities, and the same as it was last told.
        ("session.bytes", 3 * limits.initialize),
        ("handshake.attempts", 2 * budget.handshakes),
        ("handshake.asked", 3),
        ("authorization.alone", 3),
        ("authorization.calls", of("calls")),
        ("authorization.paused", of("calls")),
        (
            "authorization.control",
            CANCELLATIONS + asks + limits.open_notifications + control,
        ),
        ("events.unasked", limits.unread + asks),
        ("events.yielding", of("events.unasked")),
        (
            "events.unasked_bytes",
            limits.unread_bytes.max(limits.event).max(limits.json_body),
        ),
        ("events.yielding_bytes", of("events.unasked_bytes")),
        ("events.lifecycle", LIFECYCLE),
        ("events.ended_calls", calls),
        ("events.ended_notifications", limits.open_notifications),
        // Ends of answers too, and that a credential is asked for.
        (
            "events.queue",
            ends + of("events.unasked") + of("events.lifecycle") + asks + 1,
        ),
        ("events.asks", of("asks")),
        ("events.from", of("events.queue")),
        ("events.about", of("events.queue")),
        // The last session may be told of when there is just room for its result.
        ("events.bytes", limits.buffers + 2 * limits.initialize),
        ("events.miscounted", 0),
        // A number, and nothing that is kept.
        ("events.missed", usize::MAX),
        ("tools.bytes", limits.tool_headers),
        ("tools.miscounted", 0),
        ("tools.mirrored", limits.tool_headers),
        ("tools.refresh", 1),
        ("resources.filter", limits.subscriptions),
        ("resources.all", limits.subscriptions),
        ("resources.due", limits.subscriptions),
        ("resources.asked", limits.subscriptions),
        ("resources.under_way", limits.subscriptions),
        ("resources.behind_calls", of("calls")),
        ("resources.calls", of("calls")),
        ("resources.calls_about", of("calls")),
        // And the log level.
        ("restoring.under_way", limits.subscriptions + 1),
        ("listening.ahead", heard),
        ("listening.known", heard),
        ("listening.idle", IDLE),
        ("timers.own", 4),
        ("timers.call", of("calls")),
        ("timers.delay", of("calls")),
        ("timers.exchange", of("exchanges")),
        ("timers.silence", of("exchanges")),
        ("timers.queue", 4 + 2 * (of("calls") + of("exchanges"))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ceiling_is_looked_at() {
        let (limits, budget) = (Limits::default(), Budget::default());
        let ceilings = ceilings(&limits, &budget, |_| 0);
        let none: Weights = ceilings.iter().map(|(name, _)| (*name, 0)).collect();
        assert_eq!(none.len(), ceilings.len(), "a name stands there twice");
        assert_eq!(judge(&none, &limits, &budget), Ok(()));
        for (name, most) in ceilings {
            let mut weights = none.clone();
            weights.remove(name);
            let said = judge(&weights, &limits, &budget).unwrap_err();
            assert!(said.starts_with(&format!("{name}: ")), "{said}");

            let Some(more) = most.checked_add(1) else {
                continue;
            };
            weights.insert(name, more);
            let said = judge(&weights, &limits, &budget).unwrap_err();
            assert!(said.starts_with(&format!("{name}: {more}, ")), "{said}");
        }
    }

    #[test]
    fn what_has_no_ceiling_is_seen() {
        let (limits, budget) = (Limits::default(), Budget::default());
        let names = ceilings(&limits, &budget, |_| 0).into_iter();
        let mut weights: Weights = names.map(|(name, _)| (name, 0)).collect();
        weights.insert("new", 0);
        assert!(
            judge(&weights, &limits, &budget)
                .unwrap_err()
                .contains("new")
        );
    }
}
