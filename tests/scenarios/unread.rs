//! Sections 6 and 8: streams that repeat themselves, poll with a spent budget, or fall
//! silent, whoever is to blame for that.

use mcp_http::{Clock, Clocks, Delivery, Event, Limits, Listening, Reason};
use serde_json::json;

use crate::world::{Sent, World, config, log, reset, result, secs};

/// A stream of which nobody has read the messages 1 to 3, and the GET that goes on after
/// the first of them.
fn unread() -> (World, Sent, Sent) {
    let mut w = World::ready();
    let (_, sent) = w.stream("tools/call");
    w.reading = false;
    for id in ["1", "2", "3"] {
        w.event_with_id(&sent, id, &log(id));
    }
    w.fail(&sent, reset());
    let get = w.wait_for("GET");
    assert_eq!(get.cursor(), Some("1"));
    (w, sent, get)
}

/// Room for one unread message.
fn narrow() -> World {
    let mut limits = Limits::default();
    limits.unread = 1;
    World::ready_with(|_| config().limits(limits))
}

#[test]
fn what_is_reported_of_a_stream_that_has_ended_changes_nothing() {
    let mut w = narrow();
    w.reading = false;
    let (_, sent) = w.stream("tools/call");
    for id in ["1", "2"] {
        w.event_with_id(&sent, id, &log(id));
    }
    w.end(&sent);
    let none = http::HeaderMap::new();
    let status = http::StatusCode::OK;
    let (connection, exchange, now) = (&mut w.connection, sent.exchange, w.now);
    connection
        .handle_head(exchange, status, &none, now)
        .unwrap();
    let late = format!("data: {}\n\n", log("late"));
    connection.handle_body(exchange, late.into(), now).unwrap();
    connection.handle_end(exchange, now).unwrap();
    connection.handle_failure(exchange, reset(), now).unwrap();
    w.read();
    assert_eq!(w.logs(), ["1", "2"]);
}

fn silent(w: &mut World) {
    let silence = Clocks::default().silence.unwrap();
    w.advance(silence);
}

#[test]
fn what_is_read_before_the_head_comes_is_not_given_twice() {
    let (mut w, _, get) = unread();
    w.read();
    w.answer(&get, 200).stream(&[]);
    for id in ["2", "3", "4"] {
        w.event_with_id(&get, id, &log(id));
    }
    w.read();
    assert_eq!(w.logs(), ["1", "2", "3", "4"]);
}

#[test]
fn what_is_new_moves_the_cursor_although_repeats_are_to_come() {
    let (mut w, _, get) = unread();
    w.answer(&get, 200).stream(&[]);
    w.event_with_id(&get, "9", &log("9"));
    w.read();
    w.fail(&get, reset());
    assert_eq!(w.wait_for("GET").cursor(), Some("9"));
}

#[test]
fn what_is_repeated_does_not_take_the_cursor_back() {
    let (mut w, _, get) = unread();
    w.answer(&get, 200).stream(&[]);
    w.event_with_id(&get, "2", &log("2"));
    w.fail(&get, reset());
    w.read();
    let get = w.wait_for("GET");
    assert_eq!(get.cursor(), Some("3"));
}

#[test]
fn an_id_without_a_message_that_is_repeated_does_not_take_it_back_either() {
    let mut w = World::ready();
    let (_, sent) = w.stream("tools/call");
    w.reading = false;
    w.event_with_id(&sent, "1", &log("1"));
    w.chunk(&sent, "id: 2\n\n");
    w.event_with_id(&sent, "3", &log("3"));
    w.fail(&sent, reset());
    let get = w.wait_for("GET");
    w.answer(&get, 200).stream(&[]);
    w.chunk(&get, "id: 2\n\n");
    w.fail(&get, reset());
    w.read();
    assert_eq!(w.wait_for("GET").cursor(), Some("3"));
}

/// Ids without a message that is still to be read have the place of the last of them: the others
/// are not remembered.
#[test]
fn an_id_that_is_forgotten_does_not_take_it_back_when_it_is_repeated() {
    for repeated in [&[][..], &["2b"], &["2b", "3b"]] {
        let mut w = World::ready();
        let (_, sent) = w.stream("tools/call");
        w.reading = false;
        w.event_with_id(&sent, "1", &log("1"));
        for id in ["2", "3"] {
            w.event_with_id(&sent, id, &log(id));
            w.chunk(&sent, format!("id: {id}a\n\nid: {id}b\n\n"));
        }
        w.event_with_id(&sent, "4", &log("4"));
        w.fail(&sent, reset());
        let get = w.wait_for("GET");
        w.answer(&get, 200).stream(&[]);
        for id in repeated {
            w.chunk(&get, format!("id: {id}\n\n"));
        }
        w.chunk(&get, "id: 3a\n\n");
        w.fail(&get, reset());
        w.read();
        assert_eq!(w.wait_for("GET").cursor(), Some("4"), "{repeated:?}");
    }
}

#[test]
fn an_id_without_a_message_counts_where_nothing_is_repeated() {
    let (mut w, _, sent) = World::primed();
    w.event_with_id(&sent, "1", &log("1"));
    w.fail(&sent, reset());
    let get = w.wait_for("GET");
    w.answer(&get, 200).stream(&[]);
    w.chunk(&get, "id: 2\n\n");
    w.fail(&get, reset());
    assert_eq!(w.wait_for("GET").cursor(), Some("2"));
}

#[test]
fn of_a_call_whose_stream_is_over_the_server_is_told_nothing() {
    let mut w = narrow();
    let (call, sent) = w.stream("tools/call");
    w.reading = false;
    for text in ["1", "2", "3"] {
        w.event(&sent, &log(text));
    }
    w.end(&sent);
    w.cancel(call);
    assert!(w.open_methods().is_empty(), "{:?}", w.open_methods());
    assert!(w.aborted.is_empty());
    w.reading = true;
    w.read();
    assert_eq!(*w.error(call).reason(), Reason::Cancelled);
}

#[test]
fn without_a_cursor_any_more_no_get_leaves() {
    let (mut w, call, sent) = World::primed();
    w.reading = false;
    w.event(&sent, &log("1"));
    w.chunk(&sent, "id:\n\n");
    w.fail(&sent, reset());
    w.read();
    w.advance(secs(5));
    w.read();
    let error = w.error(call);
    assert_eq!(
        (error.reason(), error.delivery()),
        (&reset().into(), Delivery::Unknown)
    );
    assert_eq!(w.count("GET"), 0);
}

#[test]
fn a_spent_budget_ends_no_polling() {
    let mut w = World::ready_with(|_| config().listen(true));
    let mut get = w.take("GET");
    for _ in 0..5 {
        w.fail(&get, reset());
        get = w.wait_for("GET");
    }
    for _ in 0..10 {
        w.answer(&get, 200).stream(&[]);
        w.chunk(&get, "retry: 2000\n\n");
        let ended = w.now;
        w.end(&get);
        get = w.wait_for("GET");
        assert_eq!(get.at.since(ended), secs(2));
    }
    assert_eq!(w.connection.status().listening, Listening::Opening);
}

#[test]
fn silence_begins_anew_where_a_stream_is_read_on() {
    let mut w = narrow();
    let (call, sent) = w.stream("tools/call");
    w.reading = false;
    for n in ["1", "2"] {
        w.event_with_id(&sent, n, &log(n));
    }
    w.advance(secs(299));
    w.reading = true;
    w.drive();
    w.advance(secs(299));
    let id = sent.rpc_id();
    w.event(&sent, &result(id, json!({})));
    assert_eq!(w.result(call), json!({}));
}

#[test]
fn an_id_is_a_sign_of_life() {
    let (mut w, _, sent) = World::primed();
    silent(&mut w);
    assert!(w.aborted.contains(&sent.exchange));
    assert_eq!(w.count("ping"), 0);
    assert_eq!(w.wait_for("GET").cursor(), Some("p"));
}

#[test]
fn whoever_answers_a_ping_is_there_whatever_he_says() {
    for answer in ["202", "rubbish", "a stream that stands still"] {
        let mut w = World::ready();
        let (call, sent) = w.begin("tools/call");
        w.connection.network_changed(w.now);
        w.drive();
        let ping = w.take("ping");
        match answer {
            "202" => w.answer(&ping, 202).empty(),
            "rubbish" => w.answer(&ping, 200).json(&json!([1])),
            _ => {
                w.answer(&ping, 200).stream(&[]);
                w.advance(secs(31));
            }
        }
        w.answer(&sent, 200).result(json!({}));
        assert_eq!(w.result(call), json!({}), "{answer}");
    }
}

#[test]
fn nobody_answers_a_ping_and_the_calls_end() {
    let mut w = World::ready();
    let (call, _) = w.begin("tools/call");
    w.connection.network_changed(w.now);
    w.drive();
    let ping = w.take("ping");
    w.fail(&ping, reset());
    let error = w.error(call);
    assert!(matches!(error.reason(), Reason::Timeout(Clock::Silence(_))));
    assert_eq!(error.delivery(), Delivery::Unknown);
}

#[test]
fn a_refusal_that_was_begun_is_one_although_the_server_has_gone() {
    let mut w = World::ready();
    let (call, sent) = w.begin("tools/call");
    w.answer(&sent, 405).head();
    w.connection.network_changed(w.now);
    w.drive();
    let ping = w.take("ping");
    w.fail(&ping, reset());
    let error = w.error(call);
    assert_eq!(error.delivery(), Delivery::Rejected);
    assert_eq!(error.status().unwrap(), 405);
}

#[test]
fn nothing_is_degraded_by_a_stream_without_signs_of_life() {
    let mut w = World::ready_with(|_| config().listen(true));
    let get = w.take("GET");
    w.answer(&get, 200).stream(&[]);
    w.event(&get, &log("1"));
    silent(&mut w);
    w.advance(secs(3600));
    assert_eq!(w.connection.status().listening, Listening::Open);
    assert!(
        !w.events
            .iter()
            .any(|event| matches!(event, Event::StreamDegraded { .. }))
    );
}
