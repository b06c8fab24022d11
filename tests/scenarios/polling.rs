//! Section 6: how long a stream waits before it is taken up again, and how often it is.

use std::time::Duration;

use mcp_http::{CallId, CallOptions, Delivery, Lost, Phase, Refused};
use serde_json::json;

use crate::world::{
    Sent, World, event_with_id, log, millis, refused_connection, reset, result, rpc_error, secs,
};

/// The time from one moment to the GET that follows.
#[track_caller]
fn delay(w: &mut World) -> (Duration, Sent) {
    let ended = w.now;
    let get = w.wait_for("GET");
    (get.at.since(ended), get)
}

/// How many GETs a stream sends, of which each lives for so long, until the call fails.
fn gets_until_it_fails(w: &mut World, call: CallId, first: &Sent, lived: Duration) -> usize {
    w.advance(lived);
    w.fail(first, reset());
    while !w.ended(call) && w.count("GET") < 50 {
        let get = w.reopen();
        w.advance(lived);
        w.fail(&get, reset());
    }
    w.count("GET")
}

#[test]
fn five_failures_in_a_row_end_it() {
    let (mut w, call, sent) = World::primed();
    w.fail(&sent, reset());
    for _ in 0..4 {
        let get = w.wait_for("GET");
        w.answer(&get, 200).stream(&[]);
        w.fail(&get, reset());
    }
    let error = w.error(call);
    assert_eq!(error.delivery(), Delivery::Unknown);
    assert_eq!(w.count("GET"), 4);
    assert_eq!(w.phase(), Phase::Ready);
}

#[test]
fn polling_takes_the_told_delay_and_costs_no_budget() {
    let (mut w, call, sent) = World::primed();
    let id = sent.rpc_id();
    w.chunk(&sent, "retry: 300\n\n");
    let mut last = sent;
    for turn in 0..20 {
        let ended = w.now;
        w.end(&last);
        last = w.wait_for("GET");
        assert_eq!(last.at.since(ended), millis(300));
        w.answer(&last, 200).stream(&[]);
        w.chunk(&last, event_with_id(&turn.to_string(), &log("x")));
    }
    w.event(&last, &result(id, json!({})));
    assert_eq!(w.result(call), json!({}));
}

#[test]
fn polling_that_brings_nothing_slows_down() {
    let (mut w, _, sent) = World::primed();
    w.chunk(&sent, "retry: 0\n\n");
    let mut last = sent;
    let mut delays = Vec::new();
    for _ in 0..6 {
        let ended = w.now;
        w.end(&last);
        last = w.wait_for("GET");
        delays.push(last.at.since(ended).as_millis());
        w.answer(&last, 200).stream(&[]);
    }
    assert_eq!(delays, [100, 100, 1000, 1000, 1000, 1000]);
}

#[test]
fn whoever_lives_5_s_begins_anew() {
    for (lived, gets) in [(secs(5) - millis(1), 4), (secs(5), 50)] {
        let options = CallOptions::new().no_time_out();
        let (mut w, call, sent) = World::ready().and_primed(options);
        assert_eq!(gets_until_it_fails(&mut w, call, &sent, lived), gets);
    }
}

#[test]
fn waiting_for_the_head_is_no_life() {
    for status in [0, 503] {
        let (mut w, call, sent) = World::primed();
        w.fail(&sent, reset());
        for _ in 0..4 {
            let get = w.wait_for("GET");
            w.advance(secs(20));
            match status {
                0 => w.fail(&get, reset()),
                status => w.answer(&get, status).empty(),
            }
        }
        assert!(w.ended(call), "{status}");
    }
}

#[test]
fn a_message_refills_nothing() {
    let (mut w, call, mut last) = World::primed();
    for turn in 0..5 {
        w.event_with_id(&last, &turn.to_string(), &log("x"));
        w.fail(&last, reset());
        if turn < 4 {
            last = w.reopen();
        }
    }
    assert_eq!(w.error(call).delivery(), Delivery::Unknown);
}

#[test]
fn every_kind_of_failure_counts() {
    let (mut w, call, sent) = World::primed();
    w.end(&sent);
    let get = w.reopen();
    w.fail(&get, reset());
    let get = w.wait_for("GET");
    w.fail(&get, refused_connection());
    let get = w.wait_for("GET");
    w.answer(&get, 429).empty();
    let get = w.wait_for("GET");
    assert!(!w.ended(call));
    w.answer(&get, 500).empty();
    let error = w.error(call);
    assert_eq!(*error.reason(), Refused::Unavailable.into());
    assert_eq!(error.status().unwrap(), 500);
}

#[test]
fn a_connection_that_could_not_be_made_says_nothing_of_the_call() {
    let (mut w, call, sent) = World::primed();
    w.fail(&sent, reset());
    for _ in 0..4 {
        let get = w.wait_for("GET");
        w.fail(&get, refused_connection());
    }
    assert_eq!(w.error(call).delivery(), Delivery::Unknown);
}

#[test]
fn the_delay_grows_without_retry() {
    let mut longest = [millis(0); 4];
    for seed in 0..60 {
        let (mut w, _, sent) = World::ready_with(|c| c.seed(seed)).and_primed(CallOptions::new());
        w.fail(&sent, reset());
        for (failure, longest) in longest.iter_mut().enumerate() {
            let (delay, get) = delay(&mut w);
            assert!(
                millis(100) <= delay && delay <= secs(1 << failure),
                "{delay:?}"
            );
            *longest = delay.max(*longest);
            w.answer(&get, 503).empty();
        }
    }
    for (failure, longest) in longest.into_iter().enumerate() {
        assert!(longest > secs(1 << failure) / 2, "{failure}: {longest:?}");
    }
}

#[test]
fn the_told_delay_has_a_floor_and_a_ceiling() {
    let rows = [
        ("0", Some(millis(100))),
        ("99", Some(millis(100))),
        ("101", Some(millis(101))),
        ("300000", Some(secs(300))),
        ("300001", None),
        ("99999999999", None),
        ("99999999999999999999999999", None),
    ];
    for (told, waits) in rows {
        for clean in [true, false] {
            let (mut w, call, sent) = World::primed();
            w.chunk(&sent, format!("retry: {told}\n\n"));
            if clean {
                w.end(&sent);
            } else {
                w.fail(&sent, reset());
            }
            match waits {
                Some(waits) => assert_eq!(delay(&mut w).0, waits, "{told}"),
                None => assert!(w.ended(call) && w.count("GET") == 0, "{told}"),
            }
        }
    }
}

#[test]
fn what_is_told_holds_until_something_else_is() {
    let (mut w, _, sent) = World::primed();
    w.chunk(&sent, "retry: 700\n\nretry: x\nretry: 5.5\nretry: -1\n\n");
    w.end(&sent);
    let (first, get) = delay(&mut w);
    w.answer(&get, 200).stream(&[log("x")]);
    w.end(&get);
    let (second, get) = delay(&mut w);
    w.answer(&get, 200).stream(&[]);
    w.chunk(&get, "retry: 200\n");
    w.end(&get);
    assert_eq!(
        (first, second, delay(&mut w).0),
        (millis(700), millis(700), millis(200))
    );
}

#[test]
fn what_is_told_on_one_stream_is_told_on_no_other() {
    let (w, _, one) = World::primed();
    let (mut w, _, two) = w.and_primed(CallOptions::new());
    w.chunk(&one, "retry: 60000\n\n");
    w.fail(&two, reset());
    assert!(delay(&mut w).0 <= secs(1));
}

#[test]
fn a_clean_end_without_retry_is_a_failure() {
    let (mut w, call, sent) = World::primed();
    w.end(&sent);
    for _ in 0..4 {
        let get = w.reopen();
        w.end(&get);
    }
    assert_eq!(*w.error(call).reason(), Lost::Stream.into());
    assert_eq!(w.count("GET"), 4);
}

#[test]
fn polling_goes_on_between_failures() {
    let (mut w, call, sent) = World::primed();
    w.chunk(&sent, "retry: 1000\n\n");
    let mut last = sent;
    for turn in 0..12 {
        // Four failures in all, and none of them ends it.
        if turn % 3 == 2 {
            w.fail(&last, reset());
        } else {
            w.end(&last);
        }
        last = w.reopen();
    }
    assert!(!w.ended(call));
    w.fail(&last, reset());
    assert!(w.ended(call), "polling does not refill the budget either");
}

#[test]
fn polling_that_repeats_what_is_known_slows_down() {
    let (mut w, _, sent) = World::primed();
    w.event_with_id(&sent, "1", &log("x"));
    w.chunk(&sent, "retry: 0\n\n");
    let mut last = sent;
    let mut delays = Vec::new();
    for _ in 0..5 {
        w.end(&last);
        let (delay, get) = delay(&mut w);
        delays.push(delay.as_millis());
        w.answer(&get, 200).stream(&[]);
        w.event_with_id(&get, "1", &log("x"));
        last = get;
    }
    assert_eq!(delays, [100, 100, 100, 1000, 1000]);
    assert_eq!(w.logs(), ["x"]);
}

#[test]
fn what_brought_nothing_counts_for_3_s_whatever_came_between() {
    for (apart, waits) in [(secs(3) - millis(1), secs(1)), (secs(3), millis(100))] {
        let (mut w, _, sent) = World::primed();
        w.chunk(&sent, "retry: 0\n\n");
        let first = w.now;
        w.end(&sent);
        for (turn, brings) in [(1, true), (2, false), (3, true)] {
            let get = w.reopen();
            if brings {
                w.event_with_id(&get, &turn.to_string(), &log("x"));
            }
            w.end(&get);
        }
        let third = w.reopen();
        w.advance(apart.saturating_sub(w.now.since(first)));
        w.end(&third);
        assert_eq!(delay(&mut w).0, waits, "{apart:?}");
    }
}

#[test]
fn polling_is_quick_again_after_a_message() {
    let (mut w, _, sent) = World::primed();
    w.chunk(&sent, "retry: 0\n\n");
    let mut last = sent;
    for _ in 0..5 {
        w.end(&last);
        last = w.reopen();
    }
    w.event_with_id(&last, "1", &log("x"));
    w.end(&last);
    assert_eq!(delay(&mut w).0, millis(100));
}

#[test]
fn polling_more_slowly_than_that_stays_as_told() {
    let (mut w, _, sent) = World::primed();
    w.chunk(&sent, "retry: 2500\n\n");
    let mut last = sent;
    for _ in 0..6 {
        w.end(&last);
        let (delay, get) = delay(&mut w);
        assert_eq!(delay, millis(2500));
        w.answer(&get, 200).stream(&[]);
        last = get;
    }
}

#[test]
fn polling_beyond_the_calls_own_time_is_not_begun() {
    for (told, waits) in [("9999", true), ("10000", false)] {
        let options = CallOptions::new().time_out(secs(10));
        let (mut w, call, sent) = World::ready().and_primed(options);
        w.chunk(&sent, format!("retry: {told}\n\n"));
        w.end(&sent);
        assert_eq!(w.ended(call), !waits, "{told}");
        if !waits {
            assert_eq!(w.error(call).delivery(), Delivery::Unknown);
        }
    }
}

#[test]
fn retry_after_of_a_get_is_obeyed_within_its_bounds() {
    let rows = [
        ("0", Some(millis(100))),
        ("7", Some(secs(7))),
        ("301", None),
    ];
    for status in [408, 429, 500, 503] {
        for (after, waits) in rows {
            let (mut w, call, get) = World::resuming();
            w.answer(&get, status).header("retry-after", after).empty();
            match waits {
                Some(waits) => assert_eq!(delay(&mut w).0, waits, "{status} {after}"),
                None => {
                    let error = w.error(call);
                    assert_eq!(error.retry_after(), Some(secs(301)), "{status}");
                    assert_eq!(error.delivery(), Delivery::Unknown, "{status}");
                }
            }
        }
    }
}

#[test]
fn a_refusal_for_now_is_one_whatever_its_body_says() {
    for status in [429, 500, 503] {
        let (mut w, call, get) = World::resuming();
        let body = rpc_error(json!(null), -32000, "not now");
        w.answer(&get, status).json(&body);
        assert!(!w.ended(call), "{status}: {:?}", w.events);
        assert_eq!(w.reopen().cursor(), Some("p"), "{status}");
    }
}

#[test]
fn redirects_do_not_use_polling_up() {
    let (mut w, call, sent) = World::primed();
    w.chunk(&sent, "retry: 1000\n\n");
    let mut last = sent;
    for _ in 0..10 {
        w.end(&last);
        let get = w.wait_for("GET");
        assert_eq!(get.request.uri().path(), "/mcp");
        w.answer(&get, 307).header("location", "/mcp/").empty();
        last = w.reopen();
    }
    assert!(!w.ended(call), "{:?}", w.events);
}

/// What waits to be read behind a full queue does not make a stream live longer.
#[test]
fn waiting_to_be_read_is_no_life() {
    let mut w = World::limited(|limits| limits.unread = 1);
    let call = w.call_with("tools/call", CallOptions::new().no_time_out());
    let mut on = w.take("tools/call");
    w.answer(&on, 200).stream(&[]);
    for turn in 0..5 {
        assert!(!w.ended(call), "{turn}");
        w.reading = false;
        for half in ["a", "b"] {
            w.event_with_id(&on, &format!("{turn}{half}"), &log("x"));
        }
        w.fail(&on, reset());
        w.now = w.now + secs(6);
        w.connection.handle_timeout(w.now);
        w.reading = true;
        w.drive();
        if turn < 4 {
            on = w.reopen();
        }
    }
    assert_eq!(w.error(call).delivery(), Delivery::Unknown);
}
