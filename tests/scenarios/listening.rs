//! Section 6: the listening stream.

use mcp_http::{Event, Listening, Phase};
use serde_json::json;

use crate::world::{World, config, event_with_id, log, reset, secs};

#[test]
fn messages_come_between_calls() {
    let (mut w, get) = World::listening();
    w.event(&get, &log("one"));
    let message = w.messages().remove(0);
    assert_eq!(
        (message.method.as_str(), message.call),
        ("notifications/message", None)
    );
    assert_eq!(w.connection.status().listening, Listening::Open);
}

#[test]
fn it_is_not_offered_and_that_is_said_once() {
    for status in [400, 404, 405, 501, 204] {
        let mut w = World::ready_with(|_| config().listen(true));
        let get = w.take("GET");
        w.answer(&get, status).empty();
        let error = w.not_offered();
        assert!(error.to_string().contains("no listening stream"), "{error}");
        assert_eq!(w.connection.status().listening, Listening::NotOffered);
        if w.has("ping") {
            let ping = w.take("ping");
            w.answer(&ping, 200).result(json!({}));
        }
        w.advance(secs(3600));
        assert_eq!((w.count("GET"), w.phase()), (1, Phase::Ready), "{status}");
    }
}

#[test]
fn degraded_then_restored() {
    let (mut w, get) = World::listening();
    w.chunk(&get, event_with_id("9", &log("x")));
    w.fail(&get, reset());
    assert!(matches!(
        w.events.last(),
        Some(Event::StreamDegraded { .. })
    ));
    let get = w.wait_for("GET");
    assert_eq!(get.cursor(), Some("9"));
    w.answer(&get, 200).stream(&[]);
    assert_eq!(w.events.last(), Some(&Event::StreamRestored));
}

#[test]
fn a_budget_of_five_then_every_five_minutes() {
    let (mut w, get) = World::listening();
    w.fail(&get, reset());
    for _ in 0..4 {
        let get = w.wait_for("GET");
        w.answer(&get, 503).empty();
    }
    let degraded = w.now;
    let get = w.wait_for("GET");
    assert_eq!(get.at.since(degraded), secs(300));
    let told = w
        .events
        .iter()
        .filter(|event| matches!(event, Event::StreamDegraded { .. }));
    assert_eq!(told.count(), 1);
}

#[test]
fn a_404_on_a_living_session_costs_no_session() {
    let (mut w, get) = World::listening();
    w.fail(&get, reset());
    let get = w.wait_for("GET");
    w.answer(&get, 404).empty();
    let ping = w.take("ping");
    w.answer(&ping, 200).result(json!({}));
    assert_eq!((w.phase(), w.reinitialized()), (Phase::Ready, 0));
}

#[test]
fn nobody_reads_and_the_oldest_give_way() {
    let (mut w, get) = World::listening();
    w.reading = false;
    for n in 0..300 {
        w.event(&get, &log(&n.to_string()));
    }
    assert!(w.connection.wants_read(get.exchange));
    w.read();
    assert_eq!(
        w.events
            .iter()
            .find(|event| matches!(event, Event::Gap { .. })),
        Some(&Event::Gap { missed: 44 })
    );
    let logs = w.logs();
    assert_eq!((logs.len(), logs[0].as_str()), (256, "44"));
}

#[test]
fn a_new_session_gets_a_new_one() {
    let (mut w, get) = World::listening();
    w.chunk(&get, event_with_id("9", &log("x")));
    let _ = w.call("tools/call");
    w.answer_all("tools/call", 404);
    assert!(w.aborted.contains(&get.exchange));
    w.recover("b");
    let get = w.take("GET");
    assert_eq!((get.session(), get.cursor()), (Some("b"), None));
}
