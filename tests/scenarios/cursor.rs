//! Section 6: where a stream is taken up again. Nothing comes twice, nothing that the server
//! replays is lost, and what nobody has read yet does not count as read.

use mcp_http::{CallId, CallOptions, Delivery, Event, Lost};
use serde_json::{Value, json};

use crate::world::{Sent, World, event, event_with_id, log, notification, request, reset, result};

/// Breaks the stream off, and gives the cursor of the GET that follows.
#[track_caller]
fn cursor_after_break(w: &mut World, sent: &Sent) -> (Sent, String) {
    w.fail(sent, reset());
    let get = w.wait_for("GET");
    let cursor = get.cursor().unwrap_or("none").to_owned();
    w.answer(&get, 200).stream(&[]);
    (get, cursor)
}

/// Breaks the stream of a call off, which cannot be resumed.
#[track_caller]
fn ends_with_break(w: &mut World, call: CallId, sent: &Sent) {
    w.fail(sent, reset());
    let error = w.error(call);
    assert_eq!(
        (error.reason(), error.delivery()),
        (&reset().into(), Delivery::Unknown)
    );
    assert_eq!(w.count("GET"), 0);
}

fn is_log(text: &str) -> impl FnMut(&Event) -> bool {
    let text = text.to_owned();
    move |event| match event {
        Event::Message(message) => message.params.as_ref().unwrap().as_str().contains(&text),
        _ => false,
    }
}

#[test]
fn it_moves_as_messages_are_read_and_not_before() {
    let (mut w, _, sent) = World::primed();
    w.reading = false;
    for id in ["1", "2", "3"] {
        w.event_with_id(&sent, id, &log(id));
    }
    let (get, cursor) = cursor_after_break(&mut w, &sent);
    assert_eq!(cursor, "p");
    w.connection.poll_event().unwrap();
    let (get, cursor) = cursor_after_break(&mut w, &get);
    assert_eq!(cursor, "1");
    w.read();
    assert_eq!(cursor_after_break(&mut w, &get).1, "3");
}

#[test]
fn an_event_without_a_message_moves_it_at_once_unless_something_waits_before() {
    for data in ["data:\n", "", "event: other\ndata: {}\n"] {
        let (mut w, _, sent) = World::primed();
        w.chunk(&sent, format!("id: 1\n{data}\n"));
        w.reading = false;
        w.event_with_id(&sent, "2", &log("unread"));
        w.chunk(&sent, format!("id: 3\n{data}\n"));
        let (get, cursor) = cursor_after_break(&mut w, &sent);
        assert_eq!(cursor, "1", "{data}");
        w.read();
        assert_eq!(cursor_after_break(&mut w, &get).1, "3", "{data}");
    }
}

#[test]
fn comments_and_events_without_an_id_keep_it() {
    let (mut w, _, sent) = World::primed();
    w.chunk(&sent, ": 9\n\nfoo: 9\n\n");
    w.event(&sent, &log("no id"));
    assert_eq!(cursor_after_break(&mut w, &sent).1, "p");
    assert_eq!(w.logs(), ["no id"]);
}

#[test]
fn without_one_the_call_fails_at_once() {
    let (mut w, call, sent) = World::streaming();
    w.event(&sent, &log("no id"));
    ends_with_break(&mut w, call, &sent);
}

#[test]
fn an_empty_id_clears_it() {
    for clear in ["id\n\n", "id:\n\n", "id: \ndata:\n\n"] {
        let (mut w, call, sent) = World::primed();
        w.event_with_id(&sent, "1", &log("one"));
        w.chunk(&sent, clear);
        ends_with_break(&mut w, call, &sent);
    }
    let (mut w, _, sent) = World::primed();
    w.chunk(&sent, "id:\n\n");
    w.event_with_id(&sent, "5", &log("x"));
    assert_eq!(cursor_after_break(&mut w, &sent).1, "5");
}

#[test]
fn an_empty_id_clears_it_before_anything_was_read() {
    let (mut w, call, sent) = World::streaming();
    w.reading = false;
    w.event_with_id(&sent, "1", &log("unread"));
    w.event_with_id(&sent, "", &log("unread"));
    w.fail(&sent, reset());
    w.read();
    assert_eq!((w.logs().len(), w.count("GET")), (2, 0));
    w.error(call);
}

#[test]
fn an_id_with_nul_is_ignored() {
    let (mut w, _, sent) = World::primed();
    w.chunk(&sent, "id: a\0b\ndata:\n\n");
    assert_eq!(cursor_after_break(&mut w, &sent).1, "p");
}

#[test]
fn what_no_header_can_carry_is_as_good_as_none() {
    let long = "x".repeat(4097);
    for id in ["a\u{1}b", "\u{7f}", " outer", "outer ", "\tx", &long] {
        let (mut w, call, sent) = World::primed();
        w.event_with_id(&sent, id, &log("x"));
        ends_with_break(&mut w, call, &sent);
    }
}

#[test]
fn what_a_header_can_carry_goes_out_to_the_letter() {
    let longest = "x".repeat(4096);
    for id in ["caf\u{e9} \u{1f600}", "a, b; c=\"d\"", "%41", &longest] {
        let (mut w, _, sent) = World::primed();
        w.event_with_id(&sent, id, &log("x"));
        w.fail(&sent, reset());
        let get = w.wait_for("GET");
        assert_eq!(
            get.request.headers()["last-event-id"].as_bytes(),
            id.as_bytes()
        );
    }
}

#[test]
fn before_anything_was_read_it_goes_on_after_the_first_message() {
    let (mut w, call, sent) = World::streaming();
    w.reading = false;
    w.event_with_id(&sent, "1", &log("one"));
    w.event_with_id(&sent, "2", &log("two"));
    let (get, cursor) = cursor_after_break(&mut w, &sent);
    assert_eq!(cursor, "1", "its message is here");
    w.event_with_id(&get, "2", &log("two"));
    w.event_with_id(&get, "3", &log("three"));
    w.event(&get, &result(sent.rpc_id(), json!({})));
    w.read();
    assert_eq!(w.logs(), ["one", "two", "three"]);
    w.reply(call);
}

#[test]
fn a_server_that_repeats_the_last_event_too_says_nothing_twice() {
    let (mut w, _, mut last) = World::primed();
    for turn in 1..4 {
        w.event_with_id(&last, &turn.to_string(), &log(&turn.to_string()));
        let (get, cursor) = cursor_after_break(&mut w, &last);
        assert_eq!(cursor, turn.to_string());
        w.event_with_id(&get, &cursor, &log(&cursor));
        last = get;
    }
    assert_eq!(w.logs(), ["1", "2", "3"]);
}

#[test]
fn the_last_event_is_repeated_once_at_most() {
    let (mut w, _, sent) = World::primed();
    w.event_with_id(&sent, "1", &log("one"));
    let (get, _) = cursor_after_break(&mut w, &sent);
    for text in ["repeated", "new with an old id"] {
        w.event_with_id(&get, "1", &log(text));
    }
    assert_eq!(w.logs(), ["one", "new with an old id"]);
}

#[test]
fn each_stream_has_its_own() {
    let (w, _, one) = World::primed();
    let (mut w, _, two) = w.and_primed(CallOptions::new());
    w.event_with_id(&one, "of-one", &log("x"));
    w.event_with_id(&two, "of-two", &log("x"));
    assert_eq!(cursor_after_break(&mut w, &two).1, "of-two");
    assert_eq!(cursor_after_break(&mut w, &one).1, "of-one");
}

#[test]
fn read_out_of_order_it_waits_for_what_was_left_out() {
    let (mut w, _, sent) = World::primed();
    w.reading = false;
    for id in ["1", "2", "3"] {
        w.event_with_id(&sent, id, &log(id));
    }
    w.connection.poll_event_where(is_log("2")).unwrap();
    let (get, cursor) = cursor_after_break(&mut w, &sent);
    assert_eq!(cursor, "p", "1 was not read");
    for id in ["1", "2", "3", "4"] {
        w.event_with_id(&get, id, &log(id));
    }
    w.connection.poll_event_where(is_log("1")).unwrap();
    let (_, cursor) = cursor_after_break(&mut w, &get);
    assert_eq!(cursor, "2");
    w.read();
    assert_eq!(w.logs(), ["3", "4"], "what was read does not come again");
}

#[test]
fn looking_without_taking_moves_nothing() {
    let (mut w, _, sent) = World::primed();
    w.reading = false;
    w.event_with_id(&sent, "1", &log("one"));
    assert!(w.connection.poll_event_where(|_| false).is_none());
    assert_eq!(cursor_after_break(&mut w, &sent).1, "p");
}

#[test]
fn a_clone_has_a_cursor_of_its_own() {
    let (mut w, _, sent) = World::primed();
    w.reading = false;
    w.event_with_id(&sent, "1", &log("one"));
    let mut copy = w.clone();
    w.read();
    assert_eq!(cursor_after_break(&mut w, &sent).1, "1");
    assert_eq!(cursor_after_break(&mut copy, &sent).1, "p");
}

#[test]
fn the_reply_to_another_call_moves_it_too() {
    let (mut w, _, sent) = World::primed();
    let (other, asked) = w.begin("tools/list");
    w.event_with_id(&sent, "1", &result(asked.rpc_id(), json!({})));
    w.reply(other);
    assert_eq!(cursor_after_break(&mut w, &sent).1, "1");
}

#[test]
fn a_question_moves_it_once_it_was_read() {
    let (mut w, _, sent) = World::primed();
    w.reading = false;
    w.event_with_id(&sent, "1", &request(1, "roots/list", json!({})));
    let (get, cursor) = cursor_after_break(&mut w, &sent);
    assert_eq!(cursor, "p");
    w.event_with_id(&get, "1", &request(1, "roots/list", json!({})));
    w.read();
    let ticket = w.ask().ticket;
    assert!(w.events.is_empty(), "asked once: {:?}", w.events);
    assert_eq!(cursor_after_break(&mut w, &get).1, "1");
    w.reading = true;
    w.reply_to(ticket);
    assert!(w.has("answer"), "the question outlives the break");
}

#[test]
fn a_question_that_nobody_saw_and_that_was_withdrawn_holds_nothing_up() {
    let (mut w, _, sent) = World::primed();
    w.reading = false;
    w.event_with_id(&sent, "1", &request(7, "roots/list", json!({})));
    let cancelled = notification("notifications/cancelled", json!({ "requestId": 7 }));
    w.event_with_id(&sent, "2", &cancelled);
    assert_eq!(cursor_after_break(&mut w, &sent).1, "2");
}

#[test]
fn what_is_forgotten_with_its_call_holds_nothing_up() {
    let (mut w, get) = World::listening();
    let call = w.call_with("tools/call", CallOptions::new().progress());
    let token = w.take("tools/call").json()["params"]["_meta"]["progressToken"].clone();
    w.event_with_id(&get, "4", &log("read"));
    w.reading = false;
    let progress = json!({ "progressToken": token, "progress": 1 });
    w.event_with_id(&get, "5", &notification("notifications/progress", progress));
    w.cancel(call);
    assert_eq!(cursor_after_break(&mut w, &get).1, "5");
}

#[test]
fn what_gives_way_on_the_listening_stream_is_not_asked_for_again() {
    let (mut w, get) = World::listening();
    w.reading = false;
    for id in 0..300 {
        w.event_with_id(&get, &id.to_string(), &log("x"));
    }
    assert_eq!(cursor_after_break(&mut w, &get).1, "43");
}

fn batch_world() -> (World, CallId, Sent) {
    World::ready_at("2025-03-26").and_primed(CallOptions::new())
}

#[test]
fn batches_move_it_when_the_last_of_them_was_read() {
    let (mut w, call, sent) = batch_world();
    w.reading = false;
    w.event_with_id(&sent, "1", &json!([log("a"), log("b")]));
    w.connection.poll_event().unwrap();
    let (get, cursor) = cursor_after_break(&mut w, &sent);
    assert_eq!(cursor, "p", "b was not read");
    w.event_with_id(&get, "1", &json!([log("a"), log("b")]));
    let rest = [log("c"), result(sent.rpc_id(), json!({}))];
    w.event_with_id(&get, "2", &Value::from(rest.to_vec()));
    w.read();
    assert_eq!(w.logs(), ["b", "c"]);
    w.reply(call);
}

#[test]
fn batches_tell_what_is_said_of_a_call_before_its_reply() {
    let (mut w, call, sent) = batch_world();
    let other = w.call_with("tools/list", CallOptions::new().progress());
    let asked = w.take("tools/list");
    let token = asked.json()["params"]["_meta"]["progressToken"].clone();
    let progress = json!({ "progressToken": token, "progress": 1 });
    let all = [
        result(asked.rpc_id(), json!({})),
        result(sent.rpc_id(), json!({})),
        notification("notifications/progress", progress),
    ];
    w.event(&sent, &Value::from(all.to_vec()));
    assert_eq!(w.messages().len(), 1, "the progress");
    w.reply(other);
    w.reply(call);
}

#[test]
fn batches_move_it_when_all_that_cannot_be_read_of_them_was_told() {
    let (mut w, _, sent) = batch_world();
    w.reading = false;
    w.event_with_id(&sent, "1", &json!([7, 8]));
    w.connection.poll_event().unwrap();
    let (get, cursor) = cursor_after_break(&mut w, &sent);
    assert_eq!(cursor, "p", "the second is not told");
    w.read();
    assert_eq!(cursor_after_break(&mut w, &get).1, "1");
}

#[test]
fn batches_move_it_when_all_of_them_were_read_whatever_comes_last() {
    let (mut w, _, sent) = batch_world();
    w.reading = false;
    let batch = json!([log("a"), request(1, "ping", json!({}))]);
    w.event_with_id(&sent, "1", &batch);
    let (get, cursor) = cursor_after_break(&mut w, &sent);
    assert_eq!(cursor, "p", "a was not read");
    w.read();
    assert_eq!(cursor_after_break(&mut w, &get).1, "1");
}

#[test]
fn what_of_a_batch_waits_for_room_is_buffered() {
    let (mut w, _, sent) = batch_world();
    w.reading = false;
    let long = "x".repeat(400_000);
    let all: Vec<_> = (0..10).map(|_| log(&long)).collect();
    w.event(&sent, &Value::from(all));
    let buffered = w.connection.status().buffered;
    assert!(buffered >= 4_000_000, "{buffered}");
}

#[test]
fn batches_cut_in_two_by_a_full_queue_come_whole() {
    let (mut w, call, sent) = batch_world();
    w.reading = false;
    let all: Vec<_> = (0..300).map(|n| log(&n.to_string())).collect();
    w.event_with_id(&sent, "1", &Value::from(all));
    w.fail(&sent, reset());
    assert!(!w.has("GET"), "the rest of the batch is still to be read");
    w.reading = true;
    w.drive();
    let get = w.wait_for("GET");
    assert_eq!(get.cursor(), Some("1"));
    assert_eq!(w.logs().len(), 300);
    assert!(!w.ended(call));
}

#[test]
fn an_event_without_an_id_does_not_take_a_resumed_stream_back() {
    let (mut w, _, sent) = World::primed();
    w.reading = false;
    w.event_with_id(&sent, "1", &log("one"));
    let (get, cursor) = cursor_after_break(&mut w, &sent);
    assert_eq!(cursor, "p");
    w.chunk(&get, "event: ping\ndata: {}\n\n");
    w.event(&get, &log("no id"));
    w.read();
    assert_eq!(cursor_after_break(&mut w, &get).1, "1");
    assert_eq!(w.logs(), ["one", "no id"]);
}

/// The application stops reading, the stream is cut behind a full queue, and goes on.
#[test]
fn a_paused_stream_that_breaks_loses_nothing_and_says_nothing_twice() {
    let (mut w, call, sent) = World::primed();
    let id = sent.rpc_id();
    w.reading = false;
    for n in 0..300 {
        w.event_with_id(&sent, &n.to_string(), &log(&n.to_string()));
    }
    assert!(!w.connection.wants_read(sent.exchange), "it is paused");
    w.chunk(&sent, "id: 300\ndata: {\"unfinished");
    w.fail(&sent, reset());
    w.read();
    w.drive();
    let get = w.wait_for("GET");
    w.read();
    let cursor: usize = get.cursor().unwrap().parse().unwrap();
    w.answer(&get, 200).stream(&[]);
    for n in cursor + 1..700 {
        w.event_with_id(&get, &n.to_string(), &log(&n.to_string()));
    }
    assert!(!w.connection.wants_read(get.exchange), "paused again");
    w.chunk(&get, event_with_id("700", &result(id, json!({}))));
    w.reading = true;
    w.drive();
    let numbers: Vec<_> = (0..700).map(|n| n.to_string()).collect();
    assert_eq!(w.logs(), numbers);
    w.reply(call);
    assert_eq!(w.connection.status().buffered, 0);
}

#[test]
fn a_resumed_stream_may_be_split_anywhere() {
    let whole = event_with_id("2", &log("two")) + &event(&log("three"));
    for size in [1, 2, 3, 7] {
        let (mut w, _, sent) = World::primed();
        w.event_with_id(&sent, "1", &log("one"));
        let (get, _) = cursor_after_break(&mut w, &sent);
        for chunk in whole.as_bytes().chunks(size) {
            w.chunk(&get, chunk.to_vec());
        }
        assert_eq!(w.logs(), ["one", "two", "three"], "{size}");
        assert_eq!(cursor_after_break(&mut w, &get).1, "2", "{size}");
    }
}

#[test]
fn an_event_that_the_break_cut_off_comes_once() {
    let (mut w, _, sent) = World::primed();
    let two = event_with_id("2", &log("two"));
    w.event_with_id(&sent, "1", &log("one"));
    w.chunk(&sent, two.trim_end().to_owned() + "\n");
    let (get, cursor) = cursor_after_break(&mut w, &sent);
    assert_eq!(cursor, "1");
    w.chunk(&get, two);
    assert_eq!(w.logs(), ["one", "two"]);
}

#[test]
fn a_lost_stream_says_why_it_ended() {
    let (mut w, call, sent) = World::streaming();
    w.end(&sent);
    assert_eq!(*w.error(call).reason(), Lost::Stream.into());
}

#[test]
fn an_empty_id_that_waits_to_be_read_clears_it_too() {
    for message in [true, false] {
        let (mut w, call, sent) = World::primed();
        w.reading = false;
        w.event_with_id(&sent, "1", &log("one"));
        match message {
            true => w.event_with_id(&sent, "", &log("two")),
            false => w.chunk(&sent, "id\n\n"),
        }
        w.event(&sent, &log("three"));
        w.fail(&sent, reset());
        w.read();
        w.drive();
        let expected: &[&str] = match message {
            true => &["one", "two", "three"],
            false => &["one", "three"],
        };
        assert_eq!(
            (w.logs().as_slice(), w.count("GET")),
            (
                &expected
                    .iter()
                    .map(|text| (*text).to_owned())
                    .collect::<Vec<_>>()[..],
                0
            )
        );
        w.error(call);
    }
}

#[test]
fn behind_an_empty_id_that_waits_to_be_read_it_begins_anew() {
    let (mut w, _, sent) = World::primed();
    w.reading = false;
    for id in ["1", "", "3", "4"] {
        w.event_with_id(&sent, id, &log(id));
    }
    let (get, cursor) = cursor_after_break(&mut w, &sent);
    assert_eq!(cursor, "3", "all before it is here");
    for id in ["4", "5"] {
        w.event_with_id(&get, id, &log(id));
    }
    w.read();
    assert_eq!(w.logs(), ["1", "", "3", "4", "5"]);
    assert_eq!(cursor_after_break(&mut w, &get).1, "5");
}

#[test]
fn batches_on_a_resumed_stream_lose_nothing_behind_the_reply() {
    for resumed in [false, true] {
        let (mut w, call, sent) = batch_world();
        let (other, asked) = w.begin("tools/list");
        let on = match resumed {
            true => cursor_after_break(&mut w, &sent).0,
            false => sent.clone(),
        };
        let replies = [sent.rpc_id(), asked.rpc_id()].map(|id| result(id, json!({})));
        w.event(&on, &Value::from(replies.to_vec()));
        w.reply(call);
        w.reply(other);
    }
}

/// What cannot be read is not read again either. But a reply is one, whatever was before.
#[test]
fn what_is_repeated_and_cannot_be_read_is_reported_once() {
    for rubbish in ["junk", "{}", r#"{"jsonrpc":"2.0","id":"x","result":{}}"#] {
        let (mut w, call, sent) = World::primed();
        let rubbish = format!("id: 1\ndata: {rubbish}\n\n");
        w.chunk(&sent, rubbish.clone());
        let (get, _) = cursor_after_break(&mut w, &sent);
        w.chunk(&get, rubbish);
        let told = w.events.iter();
        let told = told.filter(|event| matches!(event, Event::Fail { .. }));
        assert_eq!(told.count(), 1, "{:?}", w.events);
        let (get, _) = cursor_after_break(&mut w, &get);
        w.event_with_id(&get, "1", &result(sent.rpc_id(), json!({})));
        w.reply(call);
    }
}
