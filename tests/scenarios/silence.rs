//! Section 8: silence on streams, and changes of the network.

use mcp_http::{
    CallId, CallOptions, Clock, Clocks, Delivery, Error, Event, Phase, Recovery, Subject,
};
use serde_json::json;

use crate::world::{Sent, World, log, millis, refused_connection, request, reset, result, secs};

const SILENCE: u64 = 300;

/// A call on a stream, without a clock of its own.
fn endless() -> (World, CallId, Sent) {
    endless_with(CallOptions::new())
}

fn endless_with(options: CallOptions) -> (World, CallId, Sent) {
    let mut w = World::ready();
    let call = w.call_with("tools/call", options.no_time_out());
    let sent = w.take("tools/call");
    w.answer(&sent, 200).stream(&[]);
    (w, call, sent)
}

/// The same, resumable.
fn endless_primed() -> (World, CallId, Sent) {
    World::ready().and_primed(CallOptions::new().no_time_out())
}

#[track_caller]
fn is_silence(error: &Error) {
    assert_eq!(
        (error.reason(), error.delivery()),
        (&Clock::Silence(secs(SILENCE)).into(), Delivery::Unknown)
    );
}

#[test]
fn comments_that_stop_end_it() {
    let (mut w, call, sent) = endless();
    for _ in 0..5 {
        w.chunk(&sent, ": keep-alive\n\n");
        w.advance(secs(299));
    }
    w.chunk(&sent, ":\n\n");
    w.advance(secs(SILENCE) - millis(1));
    assert!(!w.ended(call) && w.aborted.is_empty());
    w.advance(millis(1));
    is_silence(&w.error(call));
    assert_eq!(
        (w.aborted.as_slice(), w.count("ping")),
        (&[sent.exchange][..], 0)
    );
}

#[test]
fn that_somebody_answers_a_ping_does_not_keep_them_alive() {
    let (mut w, call, sent) = endless();
    let other = w.call_with("tools/list", CallOptions::new().no_time_out());
    let quiet = w.take("tools/list");
    w.answer(&quiet, 200).stream(&[]);
    w.advance(secs(60));
    w.chunk(&sent, ":\n\n");
    w.advance(secs(SILENCE - 60));
    w.succeed("ping");
    w.advance(secs(60) - millis(1));
    assert!(!w.ended(call));
    w.advance(millis(1));
    is_silence(&w.error(call));
    assert!(!w.ended(other));
}

#[test]
fn ids_that_stop_make_it_be_taken_up_again() {
    let (mut w, call, sent) = endless_primed();
    w.event_with_id(&sent, "1", &log("x"));
    w.advance(secs(SILENCE));
    assert_eq!(w.aborted, [sent.exchange]);
    let get = w.reopen();
    assert_eq!((get.cursor(), w.count("ping")), (Some("1"), 0));
    w.event(&get, &result(sent.rpc_id(), json!({})));
    w.reply(call);
}

#[test]
fn a_stream_that_shows_no_life_is_settled_by_ping() {
    let (mut w, call, sent) = endless();
    w.event(&sent, &log("x"));
    for _ in 0..5 {
        w.advance(secs(SILENCE) - millis(1));
        assert!(!w.has("ping"));
        w.advance(millis(1));
        w.succeed("ping");
    }
    w.event(&sent, &result(sent.rpc_id(), json!({})));
    w.reply(call);
    w.advance(secs(SILENCE));
    assert_eq!(w.count("ping"), 5, "nobody waits any more");
}

#[test]
fn a_ping_that_is_refused_is_an_answer_too() {
    for (refused, lost) in [(400, false), (404, true), (500, false), (401, false)] {
        let (mut w, call, sent) = endless();
        w.advance(secs(SILENCE));
        w.answer_all("ping", refused);
        assert!(!w.ended(call) && w.aborted.is_empty(), "{refused}");
        assert_eq!(w.reinitialized(), usize::from(lost), "{refused}");
        w.event(&sent, &result(sent.rpc_id(), json!({})));
        w.reply(call);
    }
}

#[test]
fn a_ping_that_nobody_answers_ends_it() {
    for (failure, silence) in [(None, SILENCE + 30), (Some(reset()), SILENCE)] {
        let (mut w, call, sent) = endless();
        w.advance(secs(SILENCE));
        let ping = w.take("ping");
        match failure {
            Some(failure) => w.fail(&ping, failure),
            None => w.advance(secs(30)),
        }
        assert_eq!(
            *w.error(call).reason(),
            Clock::Silence(secs(silence)).into()
        );
        assert!(w.aborted.contains(&sent.exchange));
        assert_eq!((w.phase(), w.reinitialized()), (Phase::Ready, 0));
    }
}

#[test]
fn one_ping_for_any_number_of_silent_streams() {
    let (mut w, _, _) = endless();
    for _ in 0..9 {
        let options = CallOptions::new().no_time_out();
        w.call_with("tools/list", options);
        let sent = w.take("tools/list");
        w.answer(&sent, 200).stream(&[]);
    }
    w.advance(secs(SILENCE));
    assert_eq!(w.count("ping"), 1);
    let ping = w.take("ping");
    w.fail(&ping, reset());
    let ended = w
        .events
        .iter()
        .filter(|event| matches!(event, Event::Fail { .. }));
    assert_eq!(ended.count(), 10);
}

#[test]
fn the_reply_may_come_while_the_ping_is_under_way() {
    let (mut w, call, sent) = endless();
    w.advance(secs(SILENCE));
    let ping = w.take("ping");
    w.event(&sent, &result(sent.rpc_id(), json!({})));
    w.reply(call);
    w.fail(&ping, reset());
    assert!(w.events.is_empty(), "{:?}", w.events);
}

#[test]
fn whatever_comes_is_no_silence() {
    for chunk in ["data: {\"unfinish", "event: x\ndata: y\n\n", "\n"] {
        let (mut w, call, sent) = endless();
        w.advance(secs(200));
        w.chunk(&sent, chunk);
        w.advance(secs(SILENCE) - millis(1));
        assert_eq!(w.count("ping"), 0, "{chunk}");
        w.advance(millis(1));
        assert_eq!(w.count("ping"), 1, "{chunk}");
        assert!(!w.ended(call));
    }
}

#[test]
fn switched_off_it_ends_nothing() {
    let mut clocks = Clocks::default();
    clocks.silence = None;
    let w = World::ready_with(|c| c.clocks(clocks));
    let (mut w, call, sent) = w.and_primed(CallOptions::new().no_time_out());
    w.advance(secs(100_000));
    w.connection.network_changed(w.now);
    w.drive();
    assert!(!w.ended(call) && w.open.is_empty() && w.aborted.is_empty());
    w.event(&sent, &result(sent.rpc_id(), json!({})));
    w.reply(call);
}

#[test]
fn it_does_not_watch_json_servers() {
    let mut w = World::ready();
    let call = w.call_with("tools/call", CallOptions::new().no_time_out());
    w.advance(secs(100_000));
    assert!(!w.ended(call) && w.count("ping") == 0);
}

/// A person takes an hour. The stream has the whole of its clock again when they are done.
#[test]
fn it_stands_still_while_a_person_is_asked() {
    for alive in [true, false] {
        let (mut w, call, sent) = endless();
        if alive {
            w.chunk(&sent, ":\n\n");
        }
        w.event(&sent, &request(1, "elicitation/create", json!({})));
        let ticket = w.ask().ticket;
        // Just before the clock would have run out once more.
        w.advance(secs(12 * SILENCE) - millis(1));
        w.reply_to(ticket);
        w.accept("answer");
        w.advance(secs(SILENCE) - millis(2));
        assert!(!w.ended(call) && w.count("ping") == 0, "alive: {alive}");
        w.advance(millis(2));
        assert_eq!(
            (w.ended(call), w.count("ping")),
            (alive, usize::from(!alive))
        );
    }
}

#[test]
fn a_stream_that_nobody_reads_is_not_silent() {
    for resumable in [true, false] {
        let (mut w, call, sent) = if resumable {
            endless_primed()
        } else {
            endless()
        };
        w.chunk(&sent, ":\n\n");
        w.reading = false;
        for n in 0..300 {
            w.event(&sent, &log(&n.to_string()));
        }
        w.event(&sent, &result(sent.rpc_id(), json!({})));
        assert!(!w.connection.wants_read(sent.exchange));
        w.advance(secs(3600));
        w.reading = true;
        w.drive();
        assert_eq!(w.logs().len(), 300, "resumable: {resumable}");
        w.reply(call);
        assert_eq!(w.count("GET"), 0);
    }
}

#[test]
fn a_stream_that_is_read_again_has_the_whole_clock() {
    let (mut w, call, sent) = endless();
    w.chunk(&sent, ":\n\n");
    w.reading = false;
    for _ in 0..300 {
        w.event(&sent, &log("x"));
    }
    w.advance(secs(3 * SILENCE) - millis(1));
    w.reading = true;
    w.drive();
    w.advance(secs(SILENCE) - millis(1));
    assert!(!w.ended(call));
    w.advance(millis(1));
    is_silence(&w.error(call));
}

#[test]
fn an_end_behind_a_full_queue_is_not_silent_either() {
    let (mut w, call, sent) = endless();
    w.chunk(&sent, ":\n\n");
    w.reading = false;
    for _ in 0..300 {
        w.event(&sent, &log("x"));
    }
    w.event(&sent, &result(sent.rpc_id(), json!({})));
    w.end(&sent);
    assert_eq!(w.connection.poll_timeout(), None, "nothing is waited for");
    w.advance(secs(3600));
    w.connection.network_changed(w.now);
    w.drive();
    w.advance(secs(60));
    w.reading = true;
    w.drive();
    assert_eq!(w.logs().len(), 300);
    w.reply(call);
    assert_eq!(w.count("ping"), 0, "nobody needs to be there any more");
}

#[test]
fn what_is_here_is_not_lost_when_nobody_is_there() {
    let (mut w, call, sent) = endless();
    w.reading = false;
    for _ in 0..300 {
        w.event(&sent, &log("x"));
    }
    w.event(&sent, &result(sent.rpc_id(), json!({})));
    w.connection.network_changed(w.now);
    w.drive();
    let ping = w.take("ping");
    w.fail(&ping, reset());
    assert!(w.aborted.contains(&sent.exchange));
    w.reading = true;
    w.drive();
    assert_eq!(w.logs().len(), 300);
    w.reply(call);
}

#[test]
fn what_ends_while_the_ping_is_under_way_is_not_broken_off() {
    let (mut w, call, sent) = endless();
    w.reading = false;
    for _ in 0..300 {
        w.event(&sent, &log("x"));
    }
    w.event(&sent, &result(sent.rpc_id(), json!({})));
    w.connection.network_changed(w.now);
    w.drive();
    let ping = w.take("ping");
    w.end(&sent);
    w.fail(&ping, reset());
    assert!(w.aborted.is_empty());
    w.reading = true;
    w.drive();
    assert_eq!(w.logs().len(), 300);
    w.reply(call);
}

#[test]
fn idempotent_or_not_a_silent_stream_is_not_called_again() {
    let (mut w, call, sent) = endless_with(CallOptions::new().idempotent());
    w.chunk(&sent, ":\n\n");
    w.advance(secs(SILENCE));
    is_silence(&w.error(call));
    assert_eq!(w.count("tools/call"), 1);
}

#[test]
fn the_get_of_a_resumed_stream_is_watched_too() {
    let (mut w, call, sent) = endless_primed();
    w.fail(&sent, reset());
    let get = w.wait_for("GET");
    // Its head never comes.
    w.advance(secs(SILENCE));
    let ping = w.take("ping");
    w.answer(&ping, 200).result(json!({}));
    w.advance(secs(SILENCE));
    let ping = w.take("ping");
    w.fail(&ping, reset());
    assert_eq!(w.aborted.last(), Some(&get.exchange));
    let get = w.reopen();
    w.event(&get, &result(sent.rpc_id(), json!({})));
    w.reply(call);
}

#[test]
fn five_silences_in_a_row_are_no_failures_in_a_row() {
    // Each lived for five minutes.
    let (mut w, call, _) = endless_primed();
    for _ in 0..8 {
        w.advance(secs(SILENCE));
        let get = w.reopen();
        w.event_with_id(&get, "x", &log("x"));
    }
    assert!(!w.ended(call));
}

#[test]
fn a_stream_of_a_lost_session_is_broken_off_without_a_ping() {
    let (mut w, call, _) = endless();
    w.call("tools/list");
    w.answer_all("tools/list", 404);
    w.recover("s2");
    w.advance(secs(SILENCE));
    is_silence(&w.error(call));
    assert_eq!(w.count("ping"), 0, "no ping reaches that session");
}

#[test]
fn the_listening_stream_is_given_up_if_its_comments_stop() {
    let (mut w, get) = World::listening();
    w.chunk(&get, ": keep-alive\n\n");
    w.advance(secs(SILENCE) - millis(1));
    assert!(w.aborted.is_empty());
    w.advance(millis(1));
    assert_eq!(*w.degraded().reason(), Clock::Silence(secs(SILENCE)).into());
    assert_eq!(w.aborted, [get.exchange]);
    w.reopen();
}

#[test]
fn the_network_changed_and_one_ping_looks_after_all_calls() {
    let (w, _, stream) = World::primed();
    let (mut w, cut, get) = {
        let (mut w, call, sent) = w.and_primed(CallOptions::new());
        w.fail(&sent, reset());
        let get = w.wait_for("GET");
        (w, call, get)
    };
    let (plain, sent) = w.begin("tools/list");
    w.connection.network_changed(w.now);
    w.connection.network_changed(w.now);
    w.drive();
    assert_eq!(
        (w.open_methods(), w.aborted.len()),
        (vec!["ping".to_owned()], 0)
    );
    let ping = w.take("ping");
    w.fail(&ping, reset());
    assert_eq!(w.aborted, [stream.exchange, get.exchange, sent.exchange]);
    assert_eq!(w.error(plain).delivery(), Delivery::Unknown);
    assert!(!w.ended(cut), "it can be resumed");
    w.reopen();
    w.reopen();
}

#[test]
fn the_network_changed_and_the_server_is_still_there() {
    let (mut w, call, sent) = World::primed();
    w.connection.network_changed(w.now);
    w.drive();
    w.succeed("ping");
    assert!(w.aborted.is_empty());
    w.event(&sent, &result(sent.rpc_id(), json!({})));
    w.reply(call);
}

#[test]
fn the_network_changed_and_an_idempotent_call_is_sent_again() {
    let mut w = World::ready();
    let call = w.call_with("tools/call", CallOptions::new().idempotent());
    w.take("tools/call");
    w.connection.network_changed(w.now);
    w.drive();
    let ping = w.take("ping");
    w.fail(&ping, reset());
    assert!(!w.ended(call));
    w.wait_for("tools/call");
}

#[test]
fn the_network_changed_and_nobody_is_waiting() {
    for (phase, mut w) in World::in_every_phase() {
        let before = w.sent.len();
        w.connection.network_changed(w.now);
        w.drive();
        let sent = w.sent_since(before);
        assert!(!sent.contains(&"ping".to_owned()), "{phase:?}: {sent:?}");
    }
}

#[test]
fn the_network_changed_and_a_cut_call_waits_no_longer() {
    let (mut w, call, sent) = World::primed();
    w.fail(&sent, reset());
    for _ in 0..3 {
        let get = w.wait_for("GET");
        w.fail(&get, reset());
    }
    w.connection.network_changed(w.now);
    w.drive();
    assert!(w.has("GET"), "backoff forgiven");
    for _ in 0..4 {
        let get = w.wait_for("GET");
        w.fail(&get, reset());
        assert!(!w.ended(call), "so are the failures");
    }
    w.connection.network_changed(w.now);
    w.drive();
    let get = w.wait_for("GET");
    w.connection.network_changed(w.now);
    w.advance(secs(1));
    assert_eq!(w.count("tools/call"), 1);
    w.answer(&get, 200).stream(&[]);
}

#[test]
fn the_network_changed_while_a_get_waits_to_be_polled() {
    let (mut w, _, sent) = World::primed();
    w.fail(&sent, reset());
    w.now = w.connection.poll_timeout().unwrap();
    w.connection.handle_timeout(w.now);
    w.connection.network_changed(w.now);
    w.drive();
    w.advance(secs(1));
    assert_eq!((w.count("GET"), w.count("tools/call")), (1, 1));
}

#[test]
fn the_network_changed_and_what_the_server_asked_for_still_holds() {
    let (mut w, _, sent) = World::primed();
    w.chunk(&sent, "retry: 60000\n\n");
    w.end(&sent);
    w.connection.network_changed(w.now);
    assert_eq!(w.wake(), secs(60));
    assert!(w.has("GET"));
}

#[test]
fn with_manual_recovery_silence_goes_on_counting() {
    let w = World::ready_with(|c| c.recovery(Recovery::Manual));
    let (mut w, call, _) = w.and_primed(CallOptions::new().no_time_out());
    w.call("tools/list");
    w.answer_all("tools/list", 404);
    assert_eq!(w.phase(), Phase::Lost);
    w.advance(secs(SILENCE));
    is_silence(&w.error_of(Subject::Call(call)));
}

#[test]
fn what_spoke_while_the_ping_was_under_way_is_not_broken_off() {
    let (mut w, call, sent) = endless();
    w.advance(secs(SILENCE));
    let ping = w.take("ping");
    w.event(&sent, &log("here"));
    w.fail(&ping, reset());
    assert!(!w.ended(call) && w.aborted.is_empty(), "{:?}", w.events);
    // It is watched as before.
    w.advance(secs(SILENCE));
    let ping = w.take("ping");
    w.fail(&ping, reset());
    is_silence(&w.error(call));
}

#[test]
fn the_network_changed_and_what_came_since_is_not_broken_off() {
    // The head, and a message.
    for streams in [false, true] {
        let mut w = World::ready();
        let (call, sent) = w.begin("tools/call");
        let (silent, _) = w.begin("tools/list");
        if streams {
            w.answer(&sent, 200).stream(&[]);
        }
        w.connection.network_changed(w.now);
        w.drive();
        let ping = w.take("ping");
        match streams {
            true => w.event(&sent, &log("here")),
            false => w.answer(&sent, 200).stream(&[]),
        }
        w.fail(&ping, refused_connection());
        assert!(!w.ended(call), "{streams}: {:?}", w.events);
        w.error(silent);
    }
}

/// A stream that nobody reads on cannot show that the server is there.
#[test]
fn the_network_changed_and_reading_on_says_nothing_of_the_server() {
    let (mut w, call, sent) = endless();
    w.reading = false;
    for _ in 0..300 {
        w.event(&sent, &log("x"));
    }
    w.connection.network_changed(w.now);
    w.drive();
    w.reading = true;
    w.drive();
    let ping = w.take("ping");
    w.fail(&ping, reset());
    w.error(call);
}

#[test]
fn the_network_changed_and_a_ping_from_before_decides_nothing() {
    let (mut w, call, _) = World::streaming();
    w.connection.network_changed(w.now);
    w.drive();
    let before = w.take("ping");
    w.advance(secs(20));
    w.cancel(call);
    let (new, sent) = w.begin("tools/list");
    w.connection.network_changed(w.now);
    w.drive();
    assert!(w.aborted.contains(&before.exchange));
    let ping = w.take("ping");
    w.advance(secs(10));
    assert!(!w.ended(new), "its ping has 30 s of its own");
    w.answer(&ping, 200).result(json!({}));
    w.answer(&sent, 200).result(json!({}));
    w.reply(new);
}

#[test]
fn one_ping_in_each_silence_looks_after_all_streams() {
    let mut w = World::ready();
    for _ in 0..100 {
        w.call_with("tools/call", CallOptions::new().no_time_out());
        let sent = w.take("tools/call");
        w.answer(&sent, 200).stream(&[]);
        w.advance(secs(2));
    }
    for _ in 0..10 * SILENCE {
        w.advance(secs(1));
        while w.has("ping") {
            w.succeed("ping");
        }
    }
    assert_eq!((w.count("ping"), w.aborted.len()), (10, 0));
}

#[test]
fn comments_mean_the_same_wherever_they_are_split() {
    let comments = format!("{}: keep-alive\n\n", crate::world::event(&log("x")));
    for (text, are) in [
        (comments.as_str(), true),
        (":\n", true),
        ("data: :x\n\n", false),
        ("event: :\n: \u{FEFF}", false),
        ("x: y\n\n", false),
    ] {
        for size in [1, 2, 7, 10_000] {
            let (mut w, get) = World::listening();
            for chunk in text.as_bytes().chunks(size) {
                w.chunk(&get, chunk.to_vec());
            }
            w.advance(secs(SILENCE));
            assert_eq!(w.aborted.len(), usize::from(are), "{text:?}, {size}");
        }
    }
}

#[test]
fn a_stream_that_is_read_again_has_the_whole_clock_although_nothing_else_happened() {
    let (mut w, call, sent) = endless();
    w.chunk(&sent, ":\n\n");
    w.reading = false;
    for _ in 0..300 {
        w.event(&sent, &log("x"));
    }
    // Nothing wakes the connection before somebody reads.
    w.now = w.now + (secs(SILENCE) - millis(1));
    w.read();
    w.reading = true;
    w.drive();
    w.advance(secs(SILENCE) - millis(1));
    assert!(!w.ended(call));
    w.advance(millis(1));
    is_silence(&w.error(call));
}

#[test]
fn the_network_changed_and_the_error_says_how_long_nothing_came() {
    let (mut w, call, sent) = World::streaming();
    w.advance(secs(7));
    w.event(&sent, &log("x"));
    w.advance(secs(2));
    w.connection.network_changed(w.now);
    w.drive();
    w.advance(secs(1));
    let ping = w.take("ping");
    w.fail(&ping, reset());
    assert_eq!(*w.error(call).reason(), Clock::Silence(secs(3)).into());
}
