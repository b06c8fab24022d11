//! Streams that break at the wrong moment, and what goes on beside them.

use std::time::Duration;

use mcp_http::{CallOptions, Clocks, Event, Listening, Phase, Subject};
use serde_json::json;

use crate::world::{
    Sent, World, config, event, event_with_id, initialized, log, refused_connection, request,
    reset, result, secs,
};

fn listening() -> (World, Sent) {
    let mut w = World::ready_with(|_| config().listen(true));
    let get = w.take("GET");
    w.answer(&get, 200).stream(&[]);
    (w, get)
}

/// Lets time pass while the application looks at nothing but the ends of calls.
fn pass(w: &mut World, time: Duration) {
    let end = w.now + time;
    while let Some(due) = w.connection.poll_timeout().filter(|due| *due <= end) {
        w.now = w.now.max(due);
        w.connection.handle_timeout(w.now);
        w.drive();
        let left = |event: &Event| {
            let about = matches!(event, Event::Fail { .. } | Event::Reply { .. });
            about
                && !matches!(
                    event,
                    Event::Fail {
                        subject: Subject::Stream(_),
                        ..
                    }
                )
        };
        while let Some(event) = w.connection.poll_event_where(left) {
            w.events.push(event);
        }
    }
    w.now = end;
}

#[test]
fn polled_between_the_get_and_its_head_nothing_comes_twice() {
    let (mut w, _, sent) = primed();
    w.reading = false;
    for n in ["1", "2", "3"] {
        w.chunk(&sent, event_with_id(n, &log(n)));
    }
    w.fail(&sent, reset());
    let get = w.wait_for("GET");
    assert_eq!(get.cursor(), Some("p"));
    w.reading = true;
    w.read();
    w.answer(&get, 200).stream(&[]);
    for n in ["1", "2", "3", "4"] {
        w.chunk(&get, event_with_id(n, &log(n)));
    }
    assert_eq!(w.logs(), ["1", "2", "3", "4"]);
}

#[test]
fn polled_between_the_get_and_its_head_no_question_comes_twice() {
    let (mut w, _, sent) = primed();
    w.reading = false;
    let ask = request(77, "elicitation/create", json!({}));
    w.chunk(&sent, event_with_id("1", &ask));
    w.chunk(&sent, event_with_id("2", &log("2")));
    w.fail(&sent, reset());
    let get = w.wait_for("GET");
    w.reading = true;
    w.read();
    w.answer(&get, 200).stream(&[]);
    w.chunk(&get, event_with_id("1", &ask));
    let asks = w.events.iter().filter(|e| matches!(e, Event::Ask(_)));
    assert_eq!(asks.count(), 1, "a person is asked twice");
}

#[test]
fn a_repeated_event_does_not_take_the_cursor_back() {
    let (mut w, _, sent) = primed();
    w.reading = false;
    for n in ["1", "2", "3"] {
        w.chunk(&sent, event_with_id(n, &log(n)));
    }
    w.fail(&sent, reset());
    let get = w.wait_for("GET");
    w.answer(&get, 200).stream(&[]);
    w.chunk(&get, event_with_id("1", &log("1")));
    w.fail(&get, reset());
    w.reading = true;
    w.read();
    let get = w.wait_for("GET");
    assert_eq!(get.cursor(), Some("3"));
    w.answer(&get, 200).stream(&[]);
    w.chunk(&get, event_with_id("4", &log("4")));
    assert_eq!(w.logs(), ["1", "2", "3", "4"]);
}

/// A server that keeps every event of two streams and replays honestly what came after the
/// cursor (with `inclusive`: from the cursor on); breaks, reads and times in any order.
#[test]
fn everything_once_and_in_order_whatever_breaks_when() {
    for seed in 1..3_000_u64 {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut random = |n: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % n
        };
        let mut clocks = Clocks::default();
        clocks.call = None;
        let mut w = World::ready_with(|_| config().listen(true).clocks(clocks));
        w.reading = false;
        let get = w.take("GET");
        let (_, post) = w.stream("tools/call");
        w.answer(&get, 200).stream(&[]);
        // Stream 0 is the call's, stream 1 the listening one.
        let mut live = [Some(post), Some(get)];
        let inclusive = random(2) == 0;
        let mut stored = [0_usize; 2];
        let mut got: [Vec<usize>; 2] = [Vec::new(), Vec::new()];
        for (of, sent) in live.iter().flatten().enumerate() {
            let primer = format!("id: {of}:0\nretry: 500\ndata:\n\n");
            w.chunk(sent, primer);
        }
        let send = |w: &mut World, sent: &Sent, of: usize, n: usize| {
            if n == 0 {
                return w.chunk(sent, format!("id: {of}:0\ndata:\n\n"));
            }
            w.chunk(
                sent,
                event_with_id(&format!("{of}:{n}"), &log(&format!("{of}:{n}"))),
            );
        };
        let mut heads: Vec<Sent> = Vec::new();
        let mut opened: Vec<(usize, Sent, usize)> = Vec::new();
        for _ in 0..60 {
            while w.has("GET") {
                heads.push(w.take("GET"));
            }
            match random(9) {
                0 | 1 => {
                    let of = random(2) as usize;
                    stored[of] += 1;
                    let sent = live[of].clone();
                    if let Some(sent) = sent.filter(|_| !opened.iter().any(|(o, ..)| *o == of)) {
                        send(&mut w, &sent, of, stored[of]);
                    }
                }
                2 | 3 => {
                    let wanted = random(3);
                    let event = w
                        .connection
                        .poll_event_where(|event| match (event, wanted) {
                            (Event::Message(message), 0) => message.call.is_some(),
                            (Event::Message(message), 1) => message.call.is_none(),
                            _ => true,
                        });
                    if let Some(Event::Message(message)) = event {
                        let params: serde_json::Value =
                            message.params.unwrap().deserialize().unwrap();
                        let text = params["data"].as_str().unwrap();
                        let (of, n) = text.split_once(':').unwrap();
                        got[of.parse::<usize>().unwrap()].push(n.parse().unwrap());
                    }
                    w.drive();
                }
                4 => {
                    let of = random(2) as usize;
                    if let Some(sent) = live[of].take() {
                        opened.retain(|(o, ..)| *o != of);
                        if random(2) == 0 {
                            w.end(&sent)
                        } else {
                            w.fail(&sent, reset())
                        }
                    }
                }
                5 => {
                    if let Some(head) = heads.pop() {
                        let cursor = head.cursor().expect("a cursor");
                        let (of, n) = cursor.split_once(':').unwrap();
                        let (of, n): (usize, usize) = (of.parse().unwrap(), n.parse().unwrap());
                        w.answer(&head, 200).stream(&[]);
                        live[of] = Some(head.clone());
                        opened.push((of, head, if inclusive { n } else { n + 1 }));
                    }
                }
                6 | 7 => {
                    // A piece of the replay.
                    if let Some((of, head, from)) = opened.pop() {
                        if from <= stored[of] {
                            send(&mut w, &head, of, from);
                            opened.push((of, head, from + 1));
                        }
                    }
                }
                _ => pass_some(&mut w, Duration::from_millis(random(6_000))),
            }
        }
        for got in &got {
            let expected: Vec<usize> = (1..=got.len()).collect();
            assert_eq!(*got, expected, "seed {seed}");
        }
    }
}

fn pass_some(w: &mut World, time: Duration) {
    let end = w.now + time;
    while let Some(due) = w.connection.poll_timeout().filter(|due| *due <= end) {
        w.now = w.now.max(due);
        w.connection.handle_timeout(w.now);
        w.drive();
        let _ = w.connection.poll_event_where(|_| false);
    }
    w.now = end;
}

#[test]
fn the_ping_that_decides_does_not_wait_for_room() {
    let (mut w, call, sent) = World::streaming();
    w.reading = false;
    for _ in 0..256 {
        w.event(&sent, &log("noise"));
    }
    pass(&mut w, secs(300));
    let ping = w.take("ping");
    let answer = [log("pinged"), result(ping.rpc_id(), json!({}))];
    w.answer(&ping, 200).stream(&answer);
    pass(&mut w, secs(31));
    assert!(w.events.is_empty(), "{call:?}: {:?}", w.events);
}

#[test]
fn a_handshake_does_not_wait_for_room() {
    let (mut w, _, sent) = World::streaming();
    w.reading = false;
    for _ in 0..256 {
        w.event(&sent, &log("noise"));
    }
    w.call("tools/list");
    w.answer_all("tools/list", 404);
    let initialize = w.wait_for("initialize");
    let answer = [
        log("hello"),
        result(initialize.rpc_id(), initialized("2025-11-25")),
    ];
    w.answer(&initialize, 200)
        .header("mcp-session-id", "s2")
        .stream(&answer);
    assert_eq!(w.phase(), Phase::Confirming);
}

#[test]
fn after_a_persons_answer_silence_begins_anew() {
    let (mut w, call, sent) = World::streaming();
    w.chunk(&sent, ": alive\n\n");
    w.event(&sent, &request(1, "elicitation/create", json!({})));
    let ticket = w.ask().ticket;
    w.advance(secs(599));
    w.reply_to(ticket);
    w.accept("answer");
    w.advance(secs(2));
    assert!(!w.ended(call), "{:?}", w.events.last());
}

#[test]
fn an_idle_listening_stream_is_left_alone() {
    let (mut w, get) = listening();
    w.chunk(&get, event_with_id("1", &log("x")));
    w.events.clear();
    for _ in 0..120 {
        w.advance(secs(30));
        while w.has("ping") {
            w.succeed("ping");
        }
    }
    assert_eq!((w.count("GET"), w.events.len()), (1, 0), "{:?}", w.events);
}

#[test]
fn a_get_that_takes_long_to_fail_refills_nothing() {
    let (mut w, call, sent) = primed();
    w.fail(&sent, reset());
    for _ in 0..20 {
        if w.ended(call) {
            break;
        }
        let get = w.wait_for("GET");
        w.advance(secs(6));
        w.answer(&get, 503).empty();
    }
    assert!(
        w.ended(call),
        "{} GETs, none of which opened a stream",
        w.count("GET")
    );
}

#[test]
fn polling_is_no_failure_after_an_outage_either() {
    let (mut w, get) = listening();
    w.fail(&get, reset());
    for _ in 0..4 {
        let get = w.wait_for("GET");
        w.fail(&get, refused_connection());
    }
    // It is back, and announces polling as it always did.
    let mut get = w.wait_for("GET");
    w.answer(&get, 200).stream(&[]);
    w.events.clear();
    w.chunk(&get, "retry: 1000\n\n");
    for turn in 0..3 {
        w.chunk(&get, event_with_id(&format!("n{turn}"), &log("x")));
        w.advance(secs(3));
        let ended = w.now;
        w.end(&get);
        get = w.wait_for("GET");
        assert_eq!(get.at.since(ended), secs(1), "turn {turn}: {:?}", w.events);
        w.answer(&get, 200).stream(&[]);
    }
}

#[test]
fn five_failures_in_five_days_are_not_in_a_row() {
    let mut w = World::ready();
    let call = w.call_with("tools/call", CallOptions::new().no_time_out());
    let sent = w.take("tools/call");
    w.answer(&sent, 200).stream(&[]);
    w.chunk(&sent, "id: p\nretry: 60000\ndata:\n\n");
    let mut last = sent;
    for day in 0..6 {
        for turn in 0..100 {
            w.chunk(&last, event_with_id(&format!("{day}-{turn}"), &log("x")));
            w.advance(secs(3));
            w.end(&last);
            last = w.wait_for("GET");
            w.answer(&last, 200).stream(&[]);
        }
        w.fail(&last, reset());
        assert!(!w.ended(call), "day {day}");
        last = w.wait_for("GET");
        w.answer(&last, 200).stream(&[]);
    }
}

#[test]
fn each_get_of_a_call_may_be_redirected() {
    let (mut w, call, sent) = primed();
    w.chunk(&sent, "retry: 1000\n\n");
    let mut last = sent;
    for turn in 0..6 {
        w.end(&last);
        assert!(!w.ended(call), "turn {turn}: {:?}", w.events.last());
        let get = w.wait_for("GET");
        w.answer(&get, 307).header("location", "/mcp/").empty();
        assert!(!w.ended(call), "turn {turn}: {:?}", w.events.last());
        last = w.wait_for("GET");
        w.answer(&last, 200).stream(&[]);
        w.chunk(&last, event_with_id(&turn.to_string(), &log("x")));
    }
}

/// How many GETs leave in 3 s if `answer` deals with each.
fn gets_in_3s(mut answer: impl FnMut(&mut World, &Sent, usize)) -> usize {
    let mut w = World::ready_with(|_| config().listen(true));
    let end = w.now + secs(3);
    let mut turn = 0;
    loop {
        while w.has("GET") {
            let get = w.take("GET");
            answer(&mut w, &get, turn);
            turn += 1;
        }
        match w.connection.poll_timeout() {
            Some(due) if due <= end => drop(w.wake()),
            _ => break,
        }
    }
    w.count("GET")
}

#[test]
fn what_was_here_already_is_no_message() {
    let gets = gets_in_3s(|w, get, _| {
        w.answer(get, 200).stream(&[]);
        w.chunk(get, "retry: 0\n\n");
        w.chunk(get, event_with_id("1", &log("the same again")));
        w.end(get);
    });
    assert!(gets < 10, "{gets} GETs in 3 s");
}

#[test]
fn a_400_to_the_get_of_a_dead_session_is_found_out() {
    let (mut w, get) = listening();
    w.fail(&get, reset());
    let get = w.wait_for("GET");
    w.answer(&get, 400).empty();
    let ping = w.take("ping");
    w.answer(&ping, 400).empty();
    assert_eq!((w.reinitialized(), w.phase()), (1, Phase::Due));
}

#[test]
fn a_doubt_about_a_get_does_not_hide_one_about_a_call() {
    let (mut w, get) = listening();
    w.fail(&get, reset());
    let get = w.wait_for("GET");
    w.call("tools/call");
    let sent = w.take("tools/call");
    w.answer(&get, 404).empty();
    w.answer(&sent, 400).empty();
    let ping = w.take("ping");
    w.answer(&ping, 400).empty();
    assert_eq!((w.reinitialized(), w.phase()), (1, Phase::Due));
}

#[test]
fn a_call_that_could_be_resumed_is_cancelled_at_the_server() {
    let (mut w, call, sent) = primed();
    w.reading = false;
    for _ in 0..300 {
        w.event(&sent, &log("noise"));
    }
    w.fail(&sent, reset());
    w.cancel(call);
    assert!(w.has("notifications/cancelled"), "{:?}", w.open_methods());
}

#[test]
fn a_cancellation_leaves_although_the_stream_broke_before() {
    let (mut w, call, sent) = primed();
    w.connection.cancel(call, w.now).unwrap();
    w.connection
        .handle_failure(sent.exchange, reset(), w.now)
        .unwrap();
    w.drive();
    assert!(w.has("notifications/cancelled"), "{:?}", w.open_methods());
}

#[test]
fn a_reply_on_the_listening_stream_moves_its_cursor() {
    let (mut w, get) = listening();
    for n in ["1", "2", "3"] {
        let (call, sent) = w.begin("tools/call");
        w.chunk(&get, event_with_id(n, &result(sent.rpc_id(), json!({}))));
        w.reply(call);
    }
    w.fail(&get, reset());
    assert_eq!(w.wait_for("GET").cursor(), Some("3"));
}

#[test]
fn questions_withdrawn_unseen_are_behind_the_cursor() {
    let (mut w, get) = listening();
    for n in 0..50 {
        let ask = event_with_id(&format!("a{n}"), &request(n, "roots/list", json!({})));
        let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": n } });
        let cancel = event_with_id(&format!("c{n}"), &cancel);
        w.chunk(&get, ask + &cancel);
    }
    assert!(w.events.iter().all(|e| !matches!(e, Event::Ask(_))));
    w.fail(&get, reset());
    assert_eq!(w.wait_for("GET").cursor(), Some("c49"));
}

#[test]
fn a_refused_credential_says_nothing_about_the_cursor() {
    let (mut w, get) = listening();
    w.chunk(&get, event_with_id("9", &log("x")));
    w.fail(&get, reset());
    let get = w.wait_for("GET");
    assert_eq!(get.cursor(), Some("9"));
    w.answer(&get, 401).empty();
    assert_eq!(w.wait_for("GET").cursor(), Some("9"));
}

#[test]
fn an_outage_says_nothing_about_the_cursor() {
    let (mut w, get) = listening();
    w.chunk(&get, event_with_id("9", &log("x")));
    w.fail(&get, reset());
    for _ in 0..4 {
        let get = w.wait_for("GET");
        assert_eq!(get.cursor(), Some("9"));
        w.fail(&get, refused_connection());
    }
    assert_eq!(w.wait_for("GET").cursor(), Some("9"));
}

#[test]
fn an_event_id_counts_as_held() {
    let (mut w, _, sent) = World::streaming();
    let id = format!("id: {}\n\n", "x".repeat(15 << 20));
    w.chunk(&sent, id);
    let buffered = w.connection.status().buffered;
    // It is in use: what is held either counts or is let go.
    assert!(buffered >= 15 << 20, "{buffered} bytes");
}

#[test]
fn questions_on_the_listening_stream_keep_to_the_room_for_unread() {
    let (mut w, get) = listening();
    w.reading = false;
    for n in 0..100 {
        let ask = request(n, "roots/list", json!({ "pad": "x".repeat(100_000) }));
        w.event(&get, &ask);
    }
    let buffered = w.connection.status().buffered;
    assert!(buffered < 2 << 20, "{buffered} bytes unread");
    let told = w.take("answer").json();
    assert_eq!(told["error"]["code"], -32603, "{told}");
}

fn subscribed(w: &mut World, number: usize) {
    for n in 0..number {
        let params = json!({ "uri": format!("r{n}") });
        w.connection
            .call("resources/subscribe", &params, CallOptions::new(), w.now)
            .unwrap();
        w.drive();
        w.succeed("resources/subscribe");
    }
    w.events.clear();
}

#[test]
fn what_cannot_be_restored_does_not_hide_ready() {
    let mut w = World::ready();
    subscribed(&mut w, 300);
    w.call("tools/call");
    w.answer_all("tools/call", 404);
    let sent = w.wait_for("initialize");
    let mut poor = initialized("2025-11-25");
    poor["capabilities"] = json!({ "tools": {} });
    w.answer(&sent, 200)
        .header("mcp-session-id", "s2")
        .result(poor);
    w.accept("notifications/initialized");
    assert!(
        w.events.iter().any(|e| matches!(e, Event::Ready(_))),
        "{:?}",
        w.events.first()
    );
}

#[test]
fn restoring_does_not_hold_up_control_traffic() {
    let mut w = World::ready_with(|_| config().listen(true));
    subscribed(&mut w, 70);
    w.call("tools/call");
    w.answer_all("tools/call", 404);
    w.recover("s2");
    let get = w.take("GET");
    // The server wants to know the roots before it grants a subscription, say.
    w.answer(&get, 200).stream(&[request(5, "ping", json!({}))]);
    assert!(
        w.has("answer"),
        "{} subscriptions are under way",
        w.open_methods().len()
    );
}

#[test]
fn a_subscription_granted_late_by_the_old_session_is_asked_for_anew() {
    let mut w = World::ready();
    let params = json!({ "uri": "late" });
    w.connection
        .call("resources/subscribe", &params, CallOptions::new(), w.now)
        .unwrap();
    w.drive();
    let late = w.take("resources/subscribe");
    w.answer(&late, 200).stream(&[]);
    w.call("tools/call");
    w.answer_all("tools/call", 404);
    w.recover("s2");
    w.event(&late, &result(late.rpc_id(), json!({})));
    w.drive();
    assert_eq!(
        w.count("resources/subscribe"),
        2,
        "the session that lives knows nothing of it"
    );
}

#[test]
fn network_changed_takes_up_broken_streams_now() {
    let (mut w, _, sent) = primed();
    w.fail(&sent, reset());
    for _ in 0..3 {
        let get = w.wait_for("GET");
        w.fail(&get, refused_connection());
    }
    w.connection.network_changed(w.now);
    w.drive();
    assert!(w.has("GET"), "backoff is forgiven");
}

#[test]
fn network_changed_hurries_a_handshake_with_a_server_that_could_not_be_reached() {
    let mut w = World::idle();
    let patient = CallOptions::new().wait_for_server(secs(60));
    let call = w.call_with("tools/call", patient);
    for _ in 0..3 {
        let sent = w.wait_for("initialize");
        w.fail(&sent, refused_connection());
    }
    assert!(!w.has("initialize"), "it backs off");
    w.connection.network_changed(w.now);
    w.drive();
    w.establish("s1");
    w.succeed("tools/call");
    w.reply(call);
}

#[test]
fn a_handshake_that_broke_off_is_not_one_that_could_not_reach_the_server() {
    let mut w = World::idle();
    let patient = CallOptions::new().wait_for_server(secs(60));
    let call = w.call_with("tools/call", patient);
    let sent = w.take("initialize");
    w.fail(&sent, reset());
    assert_eq!(w.error(call).reason(), &reset().into());
    w.advance(secs(60));
    assert_eq!(w.count("initialize"), 1);
}

#[test]
fn network_changed_respects_what_the_server_told() {
    let (mut w, get) = listening();
    w.chunk(&get, "retry: 60000\n\n");
    w.end(&get);
    w.connection.network_changed(w.now);
    w.drive();
    assert!(!w.has("GET"), "the client MUST respect the retry field");
}

#[test]
fn a_flood_on_one_stream_starves_no_other() {
    let (mut w, _, flood) = World::streaming();
    let (call, quiet) = w.stream("tools/list");
    w.reading = false;
    for _ in 0..257 {
        w.event(&flood, &log("noise"));
    }
    w.event(&quiet, &log("one"));
    w.event(&quiet, &result(quiet.rpc_id(), json!({})));
    let mut replied = false;
    for _ in 0..5_000 {
        let event = w.connection.poll_event().unwrap();
        replied |= matches!(&event, Event::Reply { call: of, .. } if *of == call);
        if w.connection.wants_read(flood.exchange) {
            w.event(&flood, &log("noise"));
        }
    }
    assert!(replied, "the application read 5000 events");
}

#[test]
fn degraded_is_said_in_a_session_after_one_without_it() {
    let (mut w, get) = listening();
    w.fail(&get, reset());
    for session in ["s2", "s3"] {
        w.call("tools/call");
        w.answer_all("tools/call", 404);
        w.open.retain(|s| s.method() != "GET");
        w.recover(session);
        w.succeed("tools/call");
        let get = w.take("GET");
        w.events.clear();
        if session == "s2" {
            w.answer(&get, 405).empty();
            assert_eq!(w.connection.status().listening, Listening::NotOffered);
        } else {
            w.answer(&get, 503).empty();
        }
    }
    assert!(
        w.events
            .iter()
            .any(|e| matches!(e, Event::StreamDegraded { .. })),
        "{:?}",
        w.events
    );
}

#[test]
fn a_cleared_id_is_not_taken_up_again() {
    let (mut w, get) = listening();
    w.reading = false;
    w.chunk(&get, event_with_id("a", &log("1")));
    w.chunk(&get, format!("id:\n{}", event(&log("2"))));
    w.fail(&get, reset());
    let get = w.wait_for("GET");
    assert_eq!(get.cursor(), None);
    w.answer(&get, 200).stream(&[]);
    w.event(&get, &log("3"));
    w.reading = true;
    w.read();
    w.fail(&get, reset());
    assert_eq!(
        w.wait_for("GET").cursor(),
        None,
        "the server has cleared it"
    );
}

#[test]
fn an_empty_event_stream_is_an_event_stream() {
    let mut w = World::ready_with(|_| config().listen(true));
    let get = w.take("GET");
    let head = w
        .answer(&get, 200)
        .header("content-type", "text/event-stream");
    head.header("content-length", "0").empty();
    assert_ne!(w.connection.status().listening, Listening::NotOffered);
}

#[test]
fn what_is_said_of_the_listening_stream_is_so() {
    let mut said = Vec::new();
    let (mut w, get) = listening();
    w.end(&get);
    said.push(w.events.pop());
    let (mut w, get) = listening();
    w.chunk(&get, "retry: 1000\n\n");
    w.end(&get);
    let get = w.wait_for("GET");
    w.answer(&get, 404).empty();
    said.push(w.events.pop());
    let (mut w, get) = listening();
    w.chunk(&get, "retry: 1000\n\n");
    w.end(&get);
    let get = w.wait_for("GET");
    w.answer(&get, 503).empty();
    said.push(w.events.pop());
    let texts: Vec<_> = said
        .iter()
        .flatten()
        .map(|event| match event {
            Event::StreamDegraded { error } => format!("{error} [{:?}]", error.remedy()),
            other => format!("{other:?}"),
        })
        .collect();
    assert!(
        texts.iter().all(|text| !text.contains("reply")),
        "{texts:#?}"
    );
}

#[test]
fn a_break_with_the_session_gone_ends_the_call_at_once() {
    // Loss while a resume waits, is under way, is paused.
    for what in 0..3 {
        let (mut w, call, sent) = primed();
        w.fail(&sent, reset());
        let mut get = None;
        if what > 0 {
            get = Some(w.wait_for("GET"));
        }
        if what > 1 {
            w.answer(get.as_ref().unwrap(), 200).stream(&[]);
        }
        w.call("tools/list");
        w.answer_all("tools/list", 404);
        assert_eq!(w.ended(call), what == 0);
        w.recover("s2");
        let before = w.sent.len();
        if let Some(get) = get {
            if what == 1 {
                w.answer(&get, 404).empty();
            } else {
                w.fail(&get, reset());
            }
        }
        assert!(w.ended(call), "{what}");
        w.advance(secs(100));
        assert!(!w.sent_since(before).contains(&"GET".to_owned()), "{what}");
        assert_eq!((w.reinitialized(), w.count("ping")), (1, 0), "{what}");
    }
}

fn primed() -> (World, mcp_http::CallId, Sent) {
    let mut w = World::ready_with(|_| config());
    let call = w.call("tools/call");
    let sent = w.take("tools/call");
    w.answer(&sent, 200).stream(&[]);
    w.chunk(&sent, "id: p\ndata:\n\n");
    (w, call, sent)
}

#[test]
fn redirects_do_not_multiply_the_gets() {
    let gets = gets_in_3s(|w, get, turn| {
        if turn % 4 != 3 {
            w.answer(get, 307).header("location", "/mcp/").empty();
            return;
        }
        w.answer(get, 200).stream(&[]);
        w.chunk(get, "retry: 0\n\n");
        w.chunk(get, event_with_id(&turn.to_string(), &log("x")));
        w.end(get);
    });
    assert!(gets < 40, "{gets} GETs in 3 s");
}
