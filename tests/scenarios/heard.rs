//! Section 6: what comes on the listening stream. It stands still for nobody: what nobody reads
//! gives way, and a gap tells how much.

use mcp_http::{CallOptions, Event, Listening, Peer, Reason, Subject, Withdrawal};
use serde_json::json;

use crate::world::{
    World, config, initialized, limits, log, notification, request, reset, result, secs,
};

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
        Some(&Event::Gap { missed: Some(44) })
    );
    let logs = w.logs();
    assert_eq!((logs.len(), logs[0].as_str()), (256, "44"));
}

#[test]
fn data_that_is_no_json_is_reported_once_and_the_stream_goes_on() {
    for data in ["{", "<html>", "{}", "[]", "7"] {
        let (mut w, get) = World::listening();
        w.chunk(&get, format!("data: {data}\n\n"));
        let error = w.error_of(Subject::Stream(None));
        assert!(
            matches!(error.reason(), Reason::Peer(Peer::Message(_))),
            "{data}"
        );
        assert!(w.events.is_empty(), "{data}");
        w.event(&get, &log("x"));
        assert_eq!(
            (w.logs().len(), w.connection.status().listening),
            (1, Listening::Open)
        );
    }
}

#[test]
fn a_flood_of_data_that_is_no_json_gives_way_too() {
    let (mut w, get) = World::listening();
    w.reading = false;
    for _ in 0..1000 {
        w.chunk(&get, "data: nonsense\n\n");
        assert!(w.connection.wants_read(get.exchange));
    }
    w.read();
    assert_eq!(
        w.events[0],
        Event::Gap {
            missed: Some(1000 - 256)
        }
    );
    assert_eq!(w.events.len(), 1 + 256);
}

#[test]
fn the_reply_to_a_call_may_come_on_it() {
    let (mut w, get) = World::listening();
    let (plain, sent) = w.begin("tools/list");
    let (mut w, cut, primed) = w.and_primed(CallOptions::new());
    w.fail(&primed, reset());
    w.event(&get, &result(sent.rpc_id(), json!({ "of": 1 })));
    w.event(&get, &result(primed.rpc_id(), json!({ "of": 2 })));
    assert_eq!(
        (w.result(plain)["of"].clone(), w.result(cut)["of"].clone()),
        (1.into(), 2.into())
    );
    w.advance(secs(60));
    assert_eq!(w.count("GET"), 1, "nothing is left to resume");
    w.answer(&sent, 200).result(json!({ "of": 3 }));
    assert!(w.events.is_empty(), "{:?}", w.events);
}

#[test]
fn replies_on_it_never_give_way() {
    let (mut w, get) = World::listening();
    let (call, sent) = w.begin("tools/list");
    w.reading = false;
    w.event(&get, &result(sent.rpc_id(), json!({})));
    for _ in 0..1000 {
        w.event(&get, &log("noise"));
    }
    w.read();
    w.reply(call);
}

#[test]
fn progress_on_it_goes_to_its_call() {
    let (mut w, get) = World::listening();
    let call = w.call_with("tools/call", CallOptions::new().progress());
    let token = w.take("tools/call").json()["params"]["_meta"]["progressToken"].clone();
    let progress = json!({ "progressToken": token, "progress": 1 });
    w.event(&get, &notification("notifications/progress", progress));
    assert_eq!(w.messages()[0].call, Some(call));
}

#[test]
fn questions_on_it_belong_to_no_call() {
    let (mut w, get) = World::listening();
    let call = w.call("tools/call");
    w.event(&get, &request("q", "elicitation/create", json!({})));
    let ask = w.ask();
    assert_eq!(ask.call, None);
    w.reply_to(ask.ticket);
    let answer = w.take("answer");
    assert_eq!(
        (answer.json()["id"].as_str(), answer.session()),
        (Some("q"), Some("s1"))
    );
    w.answer(&answer, 202).empty();
    assert!(w.accepted(Subject::Answer(ask.ticket)));
    w.event(&get, &request("p", "ping", json!({})));
    assert_eq!(w.take("answer").json(), result("p", json!({})));
    w.event(&get, &request("t", "tasks/list", json!({})));
    assert_eq!(w.take("answer").json()["error"]["code"], -32601);
    w.advance(secs(600));
    assert!(w.ended(call), "its clock runs while that is asked");
}

#[test]
fn questions_on_it_outlive_the_break_but_not_the_session() {
    let (mut w, get) = World::listening();
    w.event_with_id(&get, "1", &request("q", "roots/list", json!({})));
    let ticket = w.ask().ticket;
    w.fail(&get, reset());
    w.reopen();
    assert!(
        !w.events
            .iter()
            .any(|event| matches!(event, Event::AskWithdrawn { .. }))
    );
    w.call("tools/call");
    w.answer_all("tools/call", 404);
    let cause = Withdrawal::SessionLost;
    assert!(w.events.contains(&Event::AskWithdrawn { ticket, cause }));
}

#[test]
fn questions_never_give_way() {
    let (mut w, get) = World::listening();
    w.reading = false;
    w.event(&get, &request("q", "roots/list", json!({})));
    for _ in 0..1000 {
        w.event(&get, &log("noise"));
    }
    w.read();
    let ticket = w.ask().ticket;
    w.reading = true;
    w.reply_to(ticket);
    assert!(w.has("answer"));
}

#[test]
fn more_questions_than_there_is_room_for_are_missed_and_told_as_a_gap() {
    let mut w = World::ready_with(|c| c.listen(true).limits(limits(|limits| limits.open_asks = 2)));
    let get = w.reopen();
    for id in 0..5 {
        w.event(&get, &request(id, "roots/list", json!({})));
    }
    assert!(
        w.connection.wants_read(get.exchange),
        "it stands still for nobody"
    );
    assert_eq!(
        w.events
            .iter()
            .filter(|event| matches!(event, Event::Ask(_)))
            .count(),
        2
    );
    let gap = w.events.iter().filter_map(|event| match event {
        Event::Gap { missed } => *missed,
        _ => None,
    });
    assert_eq!(gap.sum::<u64>(), 3);
}

#[test]
fn messages_of_calls_do_not_give_way_to_it() {
    let (mut w, get) = World::listening();
    let (_, sent) = w.stream("tools/call");
    w.reading = false;
    for n in 0..256 {
        w.event(&sent, &log(&n.to_string()));
    }
    for _ in 0..10 {
        w.event(&get, &log("noise"));
    }
    w.read();
    assert_eq!(w.events[0], Event::Gap { missed: Some(10) });
    let expected: Vec<_> = (0..256).map(|n| n.to_string()).collect();
    assert_eq!(w.logs(), expected);
}

#[test]
fn gaps_count_what_was_missed_since_the_last() {
    let (mut w, get) = World::listening();
    for more in [1, 17] {
        w.reading = false;
        for _ in 0..256 + more {
            w.event(&get, &log("x"));
        }
        w.read();
        assert_eq!(w.events[0], Event::Gap { missed: Some(more) });
        assert_eq!(w.events.len(), 257);
        w.events.clear();
    }
}

/// Who reads one event for each of many that come hears not gap after gap alone.
#[test]
fn a_flood_leaves_something_to_be_heard_and_keeps_no_reply_back() {
    let (mut w, get) = World::listening();
    let call = w.call("tools/call");
    let sent = w.take("tools/call");
    w.reading = false;
    let flood = |w: &mut World| {
        for _ in 0..300 {
            w.event(&get, &log("x"));
        }
        w.connection.poll_event().unwrap()
    };
    let is_gap = |event: &Event| matches!(event, Event::Gap { .. });
    for _ in 0..10 {
        assert!(is_gap(&flood(&mut w)));
        assert!(matches!(flood(&mut w), Event::Message(_)));
    }
    w.answer(&sent, 200).result(json!({}));
    assert!(is_gap(&flood(&mut w)));
    // All that came before it has given way.
    let reply = flood(&mut w);
    assert!(
        matches!(reply, Event::Reply { call: ended, .. } if ended == call),
        "{reply:?}"
    );
}

#[test]
fn a_message_larger_than_all_the_room_is_let_in_alone() {
    let mut w = World::ready_with(|c| {
        c.listen(true)
            .limits(limits(|limits| limits.unread_bytes = 100))
    });
    let get = w.reopen();
    w.reading = false;
    w.event(&get, &log("small"));
    w.event(&get, &log(&"x".repeat(500)));
    w.event(&get, &log("last"));
    w.read();
    assert_eq!(w.events[0], Event::Gap { missed: Some(2) });
    assert_eq!(w.logs(), ["last"]);
}

#[test]
fn nobody_waits_for_room_because_of_it() {
    let (mut w, get) = World::listening();
    let (call, sent) = w.stream("tools/call");
    w.reading = false;
    for _ in 0..500 {
        w.event(&get, &log("noise"));
    }
    w.event(&sent, &result(sent.rpc_id(), json!({})));
    let reply = w
        .connection
        .poll_event_where(|event| matches!(event, Event::Reply { .. }));
    assert!(matches!(reply, Some(Event::Reply { call: of, .. }) if of == call));
}

#[test]
fn batches_come_on_it_in_2025_03_26() {
    let mut w = World::new(config().listen(true));
    w.connect();
    let sent = w.take("initialize");
    w.answer(&sent, 200).result(initialized("2025-03-26"));
    w.accept("notifications/initialized");
    let get = w.reopen();
    w.event(&get, &json!([log("a"), log("b")]));
    assert_eq!(w.logs(), ["a", "b"]);
}
