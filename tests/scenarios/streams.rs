//! Section 6, as far as it is about the streams of calls, up to their end.

use mcp_http::{
    CallId, CallOptions, Delivery, Event, LimitExceeded, LimitKind, Limits, Lost, Message, Mistake,
    Peer, Reason, Revision, Subject,
};
use serde_json::{Value, json};

use crate::world::{
    Sent, World, event, log, notification, request, reset, result, rpc_error, secs,
};

/// A call whose answer is a stream with nothing in it yet, within these limits.
fn limited(change: impl FnOnce(&mut Limits)) -> (World, CallId, Sent) {
    let mut w = World::limited(change);
    let (call, sent) = w.stream("tools/call");
    (w, call, sent)
}

fn progress(token: &Value, at: u64) -> Value {
    notification(
        "notifications/progress",
        json!({ "progressToken": token, "progress": at }),
    )
}

#[test]
fn messages_come_in_order_and_with_their_call() {
    let (mut w, call, sent) = World::streaming();
    for text in ["one", "two", "three"] {
        w.event(&sent, &log(text));
    }
    let messages = w.messages();
    assert!(messages.iter().all(|message| message.call == Some(call)));
    assert_eq!(messages[0].method, "notifications/message");
    let data = |message: &Message| message.params.clone().unwrap().as_str().to_owned();
    assert_eq!(data(&messages[2]), r#"{"data":"three","level":"info"}"#);
}

#[test]
fn progress_is_routed_to_the_call_with_its_token() {
    let mut w = World::ready();
    let first = w.call_with("tools/call", CallOptions::new().progress());
    let second = w.call_with("tools/call", CallOptions::new().progress());
    let (one, two) = (w.take("tools/call"), w.take("tools/call"));
    let token = |sent: &Sent| sent.json()["params"]["_meta"]["progressToken"].clone();
    assert_ne!(token(&one), token(&two));
    // Both on the stream of the first.
    w.answer(&one, 200)
        .stream(&[progress(&token(&two), 1), progress(&token(&one), 2)]);
    let calls: Vec<_> = w.messages().iter().map(|message| message.call).collect();
    assert_eq!(calls, [Some(second), Some(first)]);
}

#[test]
fn progress_with_a_token_of_the_application() {
    let mut w = World::ready();
    let params = json!({ "name": "x", "_meta": { "progressToken": "mine", "k": 1 } });
    let call = w
        .connection
        .call("tools/call", &params, CallOptions::new(), w.now)
        .unwrap();
    w.drive();
    let sent = w.take("tools/call");
    assert_eq!(sent.json()["params"], params);
    w.answer(&sent, 200)
        .stream(&[progress(&json!("mine"), 1), progress(&json!("other"), 1)]);
    let messages = w.messages();
    assert_eq!((messages.len(), messages[0].call), (1, Some(call)));
}

#[test]
fn progress_tokens_are_unique_among_open_calls() {
    let mut w = World::ready();
    let params = json!({ "name": "x", "_meta": { "progressToken": "t" } });
    let call = |w: &mut World| {
        w.connection
            .call("tools/call", &params, CallOptions::new(), w.now)
    };
    call(&mut w).unwrap();
    w.drive();
    let error = call(&mut w).unwrap_err();
    assert!(matches!(error.reason(), Reason::Misuse(m) if *m.mistake() == Mistake::ProgressToken));
    w.succeed("tools/call");
    call(&mut w).unwrap();
}

#[test]
fn progress_keeps_the_rest_of_the_params() {
    let mut w = World::ready();
    let params = json!({ "name": "x", "_meta": { "k": 1 }, "z": [1, 2] });
    let options = CallOptions::new().progress();
    w.connection
        .call("tools/call", &params, options, w.now)
        .unwrap();
    w.drive();
    let mut sent = w.take("tools/call").json()["params"].clone();
    let token = sent["_meta"]
        .as_object_mut()
        .unwrap()
        .remove("progressToken");
    assert!(token.is_some());
    assert_eq!(sent, params);
}

#[test]
fn the_reply_may_come_on_another_calls_stream() {
    let mut w = World::ready();
    let (first, second) = (w.call("tools/call"), w.call("tools/list"));
    let (one, two) = (w.take("tools/call"), w.take("tools/list"));
    w.answer(&one, 200)
        .stream(&[result(two.rpc_id(), json!({ "of": 2 }))]);
    assert_eq!(w.result(second)["of"], 2);
    assert!(!w.ended(first));
    w.answer(&two, 200).result(json!({ "of": "again" }));
    w.event(&one, &result(one.rpc_id(), json!({ "of": 1 })));
    assert_eq!(w.result(first)["of"], 1);
}

#[test]
fn a_stream_that_has_its_reply_is_finished() {
    let (mut w, call, sent) = World::streaming();
    w.event(&sent, &result(sent.rpc_id(), json!({})));
    w.event(&sent, &log("after"));
    w.event(&sent, &rpc_error(sent.rpc_id(), -1, "second"));
    w.reply(call);
    assert!(w.events.is_empty());
    w.fail(&sent, reset());
    assert!(w.events.is_empty());
}

#[test]
fn an_end_before_the_reply_fails_the_call_and_nothing_else() {
    let rows = [("clean", None), ("broken", Some(reset()))];
    for (name, failure) in rows {
        let (mut w, call, sent) = World::streaming();
        let other = w.call("tools/list");
        match failure.clone() {
            None => w.end(&sent),
            Some(failure) => w.fail(&sent, failure),
        }
        let error = w.error(call);
        let reason = failure.map_or(Reason::Lost(Lost::Stream), Reason::Transport);
        assert_eq!(
            (error.reason(), error.delivery()),
            (&reason, Delivery::Unknown),
            "{name}"
        );
        w.succeed("tools/list");
        w.reply(other);
        assert_eq!(
            (w.count("initialize"), w.count("tools/call")),
            (1, 1),
            "{name}"
        );
    }
}

#[test]
fn an_unfinished_event_at_the_end_is_dropped() {
    let (mut w, call, sent) = World::streaming();
    let unfinished = format!("data: {}", result(sent.rpc_id(), json!({})));
    w.chunk(&sent, unfinished);
    w.end(&sent);
    assert_eq!(*w.error(call).reason(), Lost::Stream.into());
}

#[test]
fn chunks_may_be_split_anywhere() {
    let mut whole = String::from("\u{feff}: hello\r\nid: 7\r\n");
    whole += &event(&log("caf\u{e9} \u{1f600}")).replace('\n', "\r\n");
    whole += "event: message\nretry: 5\ndata: {\"jsonrpc\":\"2.0\",\ndata: \"id\":ID,\"result\":{\"ok\":1}}\n\n";
    for size in [1, 2, 3, 5, 7, 11, 64, 10_000] {
        let (mut w, call, sent) = World::streaming();
        let text = whole.replace("ID", &sent.rpc_id().to_string());
        for chunk in text.as_bytes().chunks(size) {
            w.chunk(&sent, chunk.to_vec());
        }
        assert_eq!(w.logs(), ["caf\u{e9} \u{1f600}"], "{size}");
        assert_eq!(w.result(call)["ok"], 1, "{size}");
    }
}

#[test]
fn a_json_body_may_be_split_anywhere() {
    for size in [1, 7, 1000] {
        let (mut w, call, sent) = World::under_way();
        w.answer(&sent, 200)
            .header("content-type", "application/json")
            .head();
        for chunk in result(sent.rpc_id(), json!({ "ok": "yes" }))
            .to_string()
            .as_bytes()
            .chunks(size)
        {
            w.chunk(&sent, chunk.to_vec());
        }
        assert!(!w.ended(call));
        w.end(&sent);
        assert_eq!(w.result(call)["ok"], "yes", "{size}");
    }
}

#[test]
fn only_events_of_type_message_or_none_carry_messages() {
    let (mut w, call, sent) = World::streaming();
    w.chunk(&sent, format!("event: ping\n{}", event(&log("not this"))));
    w.chunk(
        &sent,
        format!("event: endpoint\n{}", event(&log("nor this"))),
    );
    w.chunk(&sent, format!("event: message\n{}", event(&log("this"))));
    w.chunk(&sent, format!("event:\n{}", event(&log("and this"))));
    w.chunk(&sent, "data:\n\n: keep-alive\n\nid: 5\n\n");
    assert_eq!(w.logs(), ["this", "and this"]);
    assert!(w.events.is_empty() && !w.ended(call));
}

#[test]
fn a_positional_array_is_no_reply() {
    for revision in ["2025-03-26", "2025-11-25"] {
        let mut w = World::ready_at(revision);
        let call = w.call("tools/call");
        let sent = w.take("tools/call");
        let fake = json!([sent.rpc_id(), null, null, { "ok": true }, null]);
        w.answer(&sent, 200).stream(&[fake]);
        assert!(!w.ended(call), "{revision}");
    }
}

#[test]
fn backpressure_a_full_queue_pauses_the_stream() {
    let (mut w, call, sent) = World::streaming();
    w.reading = false;
    for number in 0..256 {
        w.event(&sent, &log(&number.to_string()));
    }
    assert!(w.connection.wants_read(sent.exchange), "256 fit");
    w.event(&sent, &log("256"));
    assert!(!w.connection.wants_read(sent.exchange));
    assert!(matches!(w.connection.poll_event(), Some(Event::Message(_))));
    assert!(w.connection.wants_read(sent.exchange), "one was read");
    w.reading = true;
    w.drive();
    assert_eq!(w.logs().len(), 256);
    assert!(!w.ended(call));
}

#[test]
fn backpressure_loses_nothing_that_is_reported_nevertheless() {
    let (mut w, call, sent) = World::streaming();
    w.reading = false;
    for number in 0..1000 {
        w.event(&sent, &log(&number.to_string()));
    }
    w.event(&sent, &result(sent.rpc_id(), json!({ "ok": true })));
    w.end(&sent);
    w.reading = true;
    w.drive();
    let numbers: Vec<_> = (0..1000).map(|number| number.to_string()).collect();
    assert_eq!(w.logs(), numbers);
    assert_eq!(
        w.result(call)["ok"],
        true,
        "a reply behind a full queue is delivered"
    );
    assert_eq!(w.connection.status().buffered, 0);
}

#[test]
fn backpressure_of_one_stream_is_no_other_calls_concern() {
    let (mut w, _, sent) = World::streaming();
    w.call("tools/list");
    w.call("prompts/list");
    w.reading = false;
    for _ in 0..300 {
        w.event(&sent, &log("noise"));
    }
    w.succeed("tools/list");
    let other = w.take("prompts/list");
    let reply = result(other.rpc_id(), json!({}));
    w.answer(&other, 200).stream(&[reply]);
    let replies = std::iter::from_fn(|| {
        w.connection
            .poll_event_where(|event| matches!(event, Event::Reply { .. }))
    });
    assert_eq!(
        replies.count(),
        2,
        "both are there before the noise is read"
    );
}

#[test]
fn backpressure_ends_when_the_call_that_filled_the_queue_is_cancelled() {
    let (mut w, noisy, sent) = World::streaming();
    let quiet = w.call("tools/list");
    let other = w.take("tools/list");
    w.answer(&other, 200).stream(&[]);
    w.reading = false;
    for _ in 0..256 {
        w.event(&sent, &log("noise"));
    }
    w.event(&other, &log("waits"));
    w.event(&other, &result(other.rpc_id(), json!({})));
    assert!(!w.connection.wants_read(other.exchange));
    w.cancel(noisy);
    w.reading = true;
    w.drive();
    w.reply(quiet);
}

#[test]
fn backpressure_of_asks_ends_when_they_are_answered() {
    let (mut w, call, sent) = limited(|limits| limits.open_asks = 1);
    let ask = |id: u64| request(id, "roots/list", json!({}));
    w.event(&sent, &ask(1));
    w.event(&sent, &ask(2));
    assert!(!w.connection.wants_read(sent.exchange));
    for _ in 0..2 {
        let ticket = w.ask().ticket;
        w.reply_to(ticket);
        w.accept("answer");
    }
    w.event(&sent, &result(sent.rpc_id(), json!({})));
    w.reply(call);
}

#[test]
fn backpressure_by_bytes_lets_one_larger_in_alone() {
    let (mut w, _, sent) = limited(|limits| limits.unread_bytes = 100);
    w.reading = false;
    w.event(&sent, &log(&"x".repeat(500)));
    assert!(w.connection.wants_read(sent.exchange));
    w.event(&sent, &log("small"));
    assert!(!w.connection.wants_read(sent.exchange));
    w.reading = true;
    w.drive();
    assert_eq!(w.logs().len(), 2);
}

#[test]
fn a_break_behind_a_full_queue_still_ends_the_call() {
    let (mut w, call, sent) = World::streaming();
    w.reading = false;
    for _ in 0..300 {
        w.event(&sent, &log("noise"));
    }
    w.fail(&sent, reset());
    w.reading = true;
    w.drive();
    assert_eq!(w.logs().len(), 300);
    assert_eq!(*w.error(call).reason(), reset().into());
}

#[test]
fn batches_in_an_event_of_2025_03_26() {
    let mut w = World::ready_at("2025-03-26");
    let call = w.call("tools/call");
    let sent = w.take("tools/call");
    let reply = result(sent.rpc_id(), json!({ "ok": true }));
    w.answer(&sent, 200)
        .stream(&[json!([log("a"), 7, log("b")]), json!([reply, log("c")])]);
    assert_eq!(w.logs(), ["a", "b", "c"]);
    w.error_of(Subject::Stream(Some(call)));
    assert_eq!(w.result(call)["ok"], true);
}

#[test]
fn batches_are_refused_in_other_revisions() {
    for revision in ["2024-11-05", "2025-06-18", "2025-11-25"] {
        let mut w = World::ready_at(revision);
        let call = w.call("tools/call");
        let sent = w.take("tools/call");
        let reply = result(sent.rpc_id(), json!({}));
        w.answer(&sent, 200).json(&json!([reply]));
        let expected = Peer::Batch(Revision::from_date(revision).unwrap());
        assert_eq!(*w.error(call).reason(), expected.into(), "{revision}");
        let call = w.call("tools/call");
        let sent = w.take("tools/call");
        let reply = result(sent.rpc_id(), json!({}));
        w.answer(&sent, 200).stream(&[json!([reply])]);
        w.error_of(Subject::Stream(Some(call)));
        assert!(!w.ended(call), "{revision}");
    }
}

#[test]
fn batches_larger_than_the_queue_come_whole() {
    let mut w = World::ready_at("2025-03-26");
    let call = w.call("tools/call");
    let sent = w.take("tools/call");
    let mut batch: Vec<_> = (0..600).map(|number| log(&number.to_string())).collect();
    batch.push(result(sent.rpc_id(), json!({})));
    w.reading = false;
    w.answer(&sent, 200).json(&Value::Array(batch));
    assert!(!w.ended(call));
    w.reading = true;
    w.drive();
    assert_eq!(w.logs().len(), 600);
    w.reply(call);
}

#[test]
fn a_stream_too_large_fails_its_call_and_says_which_limit() {
    let rows = [
        (LimitKind::Line, limited(|limits| limits.line = 50), 50),
        (LimitKind::Event, limited(|limits| limits.event = 50), 50),
    ];
    for (kind, (mut w, call, sent), value) in rows {
        w.event(&sent, &log(&"x".repeat(100)));
        let error = w.error(call);
        assert_eq!(*error.reason(), LimitExceeded { kind, value }.into());
        assert_eq!(error.delivery(), Delivery::Unknown);
        assert_eq!(w.aborted, [sent.exchange]);
    }
}

#[test]
fn unread_notifications_never_keep_failures_of_others_back() {
    let (mut w, _, sent) = World::streaming();
    let other = w.call("tools/list");
    w.reading = false;
    for _ in 0..300 {
        w.event(&sent, &log("noise"));
    }
    w.answer_all("tools/list", 500);
    let is_end = |event: &Event| {
        matches!(
            event,
            Event::Fail {
                subject: Subject::Call(_),
                ..
            }
        )
    };
    let event = w.connection.poll_event_where(is_end).unwrap();
    assert!(matches!(event, Event::Fail { subject: Subject::Call(call), .. } if call == other));
    w.advance(secs(1));
}

#[test]
fn backpressure_of_asks_ends_when_one_is_withdrawn_unseen() {
    let (mut w, _, one) = limited(|limits| limits.open_asks = 1);
    w.call("tools/list");
    let two = w.take("tools/list");
    w.answer(&two, 200).stream(&[]);
    w.reading = false;
    w.event(&one, &request(1, "roots/list", json!({})));
    w.event(&two, &request(2, "roots/list", json!({})));
    assert!(!w.connection.wants_read(two.exchange));
    let cancelled = notification("notifications/cancelled", json!({ "requestId": 1 }));
    w.event(&one, &cancelled);
    assert!(w.connection.wants_read(two.exchange));
}

/// The listening stream fills the queue, and the calls beside it go on.
#[test]
fn backpressure_of_the_listening_stream_is_no_calls_concern() {
    let (mut w, get) = World::listening();
    w.reading = false;
    let flood = |w: &mut World| {
        for _ in 0..300 {
            w.event(&get, &log("flood"));
        }
    };
    flood(&mut w);
    let (call, sent) = w.stream("tools/call");
    w.event(&sent, &log("mine"));
    flood(&mut w);
    w.event(&sent, &request("q", "roots/list", json!({})));
    flood(&mut w);
    for exchange in [get.exchange, sent.exchange] {
        assert!(w.connection.wants_read(exchange));
    }
    w.event(&sent, &result(sent.rpc_id(), json!({})));
    w.read();
    w.reply(call);
    let logs = w.logs();
    assert_eq!(logs.iter().filter(|text| *text == "mine").count(), 1);
    let missed = w.events.iter().find_map(|event| match event {
        Event::Gap { missed } => *missed,
        _ => None,
    });
    assert_eq!(missed.unwrap() + logs.len() as u64, 901);
}

/// A call that waits for room finds it although the listening stream has taken it since.
#[test]
fn backpressure_ends_although_the_listening_stream_is_faster() {
    let (mut w, get) = World::listening();
    let (call, sent) = w.stream("tools/call");
    w.reading = false;
    w.event(&sent, &log(&"x".repeat(200 << 10)));
    w.event(&sent, &log(&"y".repeat(900 << 10)));
    assert!(!w.connection.wants_read(sent.exchange));
    for _ in 0..8 {
        w.event(&get, &log(&"flood".repeat(20 << 10)));
    }
    let of_call =
        |event: &Event| matches!(event, Event::Message(message) if message.call == Some(call));
    w.connection.poll_event_where(of_call).unwrap();
    assert!(w.connection.wants_read(sent.exchange));
    assert!(w.connection.poll_event_where(of_call).is_some());
}
