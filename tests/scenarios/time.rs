//! Section 8: clocks and cancelling, as far as sessions go.

use mcp_http::{
    CallId, CallOptions, Clock, Clocks, Delivery, Event, Phase, Reason, Recovery, Remedy, Revision,
    Subject, Time,
};
use serde_json::json;

use crate::world::{
    World, echo, log, millis, notification, refused_connection, request, reset, result, secs,
};

#[test]
fn head_clock_of_30_s_ends_what_else_is_sent() {
    let mut w = World::ready();
    let id = w.notify("notifications/x");
    w.advance(secs(30) - millis(1));
    assert!(w.aborted.is_empty());
    w.advance(millis(1));
    let error = w.error_of(Subject::Notification(id));
    assert_eq!(*error.reason(), Clock::Head(secs(30)).into());
    assert_eq!(
        (error.delivery(), error.remedy()),
        (Delivery::Unknown, Remedy::Verify)
    );
    assert_eq!(w.aborted.len(), 1);
}

#[test]
fn head_clock_of_an_answer() {
    let (mut w, call, sent) = World::under_way();
    let ask = request("q", "elicitation/create", json!({}));
    w.answer(&sent, 200).stream(&[ask]);
    let ticket = w.ask().ticket;
    w.reply_to(ticket);
    w.advance(secs(30));
    let error = w.error_of(Subject::Answer(ticket));
    assert_eq!(*error.reason(), Clock::Head(secs(30)).into());
    assert!(!w.ended(call));
}

#[test]
fn head_clock_of_a_discovery_that_nothing_else_could_follow() {
    let mut w = World::new(crate::world::config().pin(Revision::V2026_07_28));
    w.connect();
    w.take("server/discover");
    w.advance(secs(30) - millis(1));
    assert!(w.aborted.is_empty());
    w.advance(millis(1));
    let error = w.error_of(Subject::Connection);
    assert_eq!(*error.reason(), Clock::Head(secs(30)).into());
}

#[test]
fn head_clock_is_configurable() {
    let mut clocks = Clocks::default();
    clocks.head = Some(secs(7));
    let mut w = World::new(crate::world::config().clocks(clocks));
    w.connect();
    w.advance(secs(7));
    assert_eq!(
        *w.error_of(Subject::Connection).reason(),
        Clock::Head(secs(7)).into()
    );
}

#[test]
fn a_refusals_body_is_waited_for_30_s() {
    let (mut w, call, sent) = World::under_way();
    w.answer(&sent, 422).head();
    w.chunk(&sent, "because");
    w.advance(secs(30) - millis(1));
    assert!(!w.ended(call));
    w.advance(millis(1));
    assert_eq!(w.error(call).excerpt(), Some("because"));
    assert_eq!(w.aborted, [sent.exchange]);
}

#[test]
fn whole_call_clock_is_10_minutes() {
    let (mut w, call, _) = World::under_way();
    w.advance(secs(600) - millis(1));
    assert!(!w.ended(call));
    w.advance(millis(1));
    let error = w.error(call);
    assert_eq!(*error.reason(), Clock::Call(secs(600)).into());
    assert_eq!(error.delivery(), Delivery::Unknown);
}

#[test]
fn whole_call_clock_per_call_longer_shorter_or_none() {
    let mut w = World::ready();
    let short = w.call_with("tools/call", CallOptions::new().time_out(secs(2)));
    let long = w.call_with("tools/call", CallOptions::new().time_out(secs(900)));
    let ever = w.call_with("tools/call", CallOptions::new().no_time_out());
    w.advance(secs(2));
    assert_eq!(*w.error(short).reason(), Clock::Call(secs(2)).into());
    w.advance(secs(897));
    assert!(!w.ended(long));
    w.advance(secs(100_000));
    assert!(w.ended(long) && !w.ended(ever));
}

#[test]
fn whole_call_clock_runs_while_there_is_no_session() {
    let mut w = World::initializing();
    let call = w.call_with("tools/call", CallOptions::new().time_out(secs(3)));
    w.advance(secs(3));
    let error = w.error(call);
    assert_eq!(
        (error.delivery(), error.remedy()),
        (Delivery::NotSent, Remedy::Retry)
    );
    w.establish("s1");
    assert!(w.open.is_empty(), "what has ended is not sent");
}

#[test]
fn time_out_tells_the_server_and_lets_go() {
    let (mut w, call, sent) = World::under_way();
    w.advance(secs(600));
    let cancelled = w.take("notifications/cancelled");
    assert_eq!(cancelled.json()["params"]["requestId"], sent.rpc_id());
    w.answer(&cancelled, 202).empty();
    assert!(w.ended(call));
    assert_eq!(w.aborted, [sent.exchange]);
}

/// One open call in each state that a call can be in.
fn every_call_state() -> Vec<(&'static str, World, CallId, Delivery)> {
    let patient = CallOptions::new().wait_for_server(secs(60));
    let mut rows = Vec::new();
    let mut row = |name, delivery, build: &dyn Fn() -> (World, CallId)| {
        let (w, call) = build();
        rows.push((name, w, call, delivery));
    };
    row("waits for the first session", Delivery::NotSent, &|| {
        let mut w = World::initializing();
        let call = w.call("tools/call");
        (w, call)
    });
    row("waits for the next session", Delivery::Rejected, &|| {
        let mut w = World::ready();
        let call = w.call("tools/call");
        w.answer_all("tools/call", 404);
        (w, call)
    });
    row("held", Delivery::Rejected, &|| {
        let mut w = World::ready_with(|c| c.recovery(Recovery::Hold));
        let call = w.call("tools/call");
        w.answer_all("tools/call", 404);
        w.recover("s2");
        (w, call)
    });
    row("waits for the application", Delivery::Rejected, &|| {
        let mut w = World::ready_with(|c| c.recovery(Recovery::Manual));
        let call = w.call("tools/call");
        w.answer_all("tools/call", 404);
        (w, call)
    });
    row("delayed by 429", Delivery::Rejected, &|| {
        let mut w = World::ready();
        let call = w.call("tools/call");
        w.answer_all("tools/call", 429);
        (w, call)
    });
    row("delayed, the server is away", Delivery::NotSent, &|| {
        let mut w = World::ready();
        let call = w.call_with("tools/call", patient.clone());
        let sent = w.take("tools/call");
        w.fail(&sent, refused_connection());
        (w, call)
    });
    row("delayed, idempotent and broken", Delivery::Unknown, &|| {
        let mut w = World::ready();
        let call = w.call_with("tools/call", CallOptions::new().idempotent());
        let sent = w.take("tools/call");
        w.fail(&sent, reset());
        (w, call)
    });
    row("suspended", Delivery::Rejected, &|| {
        let mut w = World::ready();
        let call = w.call("tools/call");
        w.answer_all("tools/call", 400);
        (w, call)
    });
    row("sent", Delivery::Unknown, &|| {
        let (w, call, _) = World::under_way();
        (w, call)
    });
    row("its JSON is coming", Delivery::Unknown, &|| {
        let (mut w, call, sent) = World::under_way();
        w.answer(&sent, 200)
            .header("content-type", "application/json")
            .head();
        w.chunk(&sent, "{\"jsonrpc\":");
        (w, call)
    });
    row("its refusal is coming", Delivery::Unknown, &|| {
        let (mut w, call, sent) = World::under_way();
        w.answer(&sent, 503).head();
        (w, call)
    });
    row("streaming", Delivery::Unknown, &|| {
        let (mut w, call, sent) = World::under_way();
        w.answer(&sent, 200).stream(&[log("working")]);
        (w, call)
    });
    row("its stream is stalled", Delivery::Unknown, &|| {
        let (mut w, call, sent) = World::under_way();
        w.reading = false;
        w.answer(&sent, 200).stream(&vec![log("noise"); 300]);
        w.reading = true;
        (w, call)
    });
    row("its stream broke off", Delivery::Unknown, &|| {
        let (mut w, call, sent) = World::primed();
        w.fail(&sent, reset());
        (w, call)
    });
    row("its GET is under way", Delivery::Unknown, &|| {
        let (w, call, _) = World::resuming();
        (w, call)
    });
    row("its stream was taken up", Delivery::Unknown, &|| {
        let (mut w, call, get) = World::resuming();
        w.answer(&get, 200).stream(&[log("working")]);
        (w, call)
    });
    row("an ask waits", Delivery::Unknown, &|| {
        let (mut w, call, sent) = World::under_way();
        w.answer(&sent, 200)
            .stream(&[request(1, "sampling/createMessage", json!({}))]);
        (w, call)
    });
    rows
}

#[test]
fn cancel_in_every_state_ends_the_call_at_once() {
    for (name, mut w, call, delivery) in every_call_state() {
        w.cancel(call);
        let error = w.error(call);
        assert_eq!(error.reason(), &Reason::Cancelled, "{name}");
        assert_eq!(error.delivery(), delivery, "{name}");
        let remedy = match delivery {
            Delivery::Unknown => Remedy::Verify,
            _ => Remedy::Retry,
        };
        assert_eq!(
            (error.method(), error.remedy()),
            (Some("tools/call"), remedy),
            "{name}"
        );
        assert_eq!(w.connection.status().open_calls, 0, "{name}");
    }
}

#[test]
fn time_out_in_every_state_ends_the_call_at_once() {
    for (name, mut w, call, _) in every_call_state() {
        if name == "an ask waits" {
            continue; // Its clock stands still: see `asks`.
        }
        let before = w.now;
        while !w.ended(call) {
            w.wake();
        }
        assert!(w.now.since(before) <= secs(600), "{name}");
    }
}

#[test]
fn close_in_every_state_ends_the_call_at_once() {
    for (name, mut w, call, delivery) in every_call_state() {
        w.close();
        let error = w.error(call);
        assert_eq!(
            (error.reason(), error.delivery()),
            (&Reason::Closed, delivery),
            "{name}"
        );
    }
}

#[test]
fn cancelled_in_any_state_a_call_is_not_sent_any_more() {
    for (name, mut w, call, _) in every_call_state() {
        w.cancel(call);
        let before = w.count("tools/call");
        if w.phase() == Phase::Lost {
            w.connection.reinitialize(w.now).unwrap();
            w.drive();
        }
        w.answer_all("ping", 200);
        if w.phase() != Phase::Ready && w.phase() != Phase::Held {
            w.recover("s2");
        }
        if w.phase() == Phase::Held {
            w.connection.resume(w.now).unwrap();
        }
        w.advance(secs(100));
        assert_eq!(w.count("tools/call"), before, "{name}");
    }
}

#[test]
fn cancel_tells_the_server_what_it_may_be_at_work_on() {
    let told = [
        "sent",
        "its JSON is coming",
        "its refusal is coming",
        "streaming",
        "its stream is stalled",
        "its stream broke off",
        "its GET is under way",
        "its stream was taken up",
        "an ask waits",
    ];
    for (name, mut w, call, _) in every_call_state() {
        w.cancel(call);
        assert_eq!(
            w.has("notifications/cancelled"),
            told.contains(&name),
            "{name}"
        );
    }
}

#[test]
fn cancel_names_the_request_of_the_last_sending() {
    let mut w = World::ready();
    let call = w.call("tools/call");
    let first = w.take("tools/call");
    w.answer(&first, 429).header("retry-after", "1").empty();
    let second = w.wait_for("tools/call");
    w.cancel(call);
    let cancelled = w.take("notifications/cancelled");
    assert_eq!(cancelled.json()["params"]["requestId"], second.rpc_id());
    assert_eq!(cancelled.session(), Some("s1"));
}

#[test]
fn cancel_tells_a_server_without_sessions_too() {
    let mut w = World::ready_without_id();
    let call = w.call("tools/call");
    let sent = w.take("tools/call");
    w.cancel(call);
    let cancelled = w.take("notifications/cancelled");
    assert_eq!(cancelled.json()["params"]["requestId"], sent.rpc_id());
    assert!(w.aborted.is_empty(), "it lingers");
}

#[test]
fn cancel_in_a_dead_generation_just_aborts() {
    let mut w = World::ready();
    let streaming = w.call("tools/list");
    let stream = w.take("tools/list");
    w.answer(&stream, 200).stream(&[log("one")]);
    w.call("tools/call");
    w.answer_all("tools/call", 404);
    w.recover("s2");
    w.cancel(streaming);
    assert_eq!(w.count("notifications/cancelled"), 0);
    assert_eq!(w.aborted, [stream.exchange]);
}

#[test]
fn cancel_does_not_chase_a_session_that_died_before_it_left() {
    let mut w = World::ready();
    let (call, other) = (w.call("tools/list"), w.call("tools/call"));
    let sent = w.take("tools/list");
    w.connection.cancel(call, w.now).unwrap();
    let lost = w.take("tools/call");
    w.connection
        .handle_head(
            lost.exchange,
            http::StatusCode::NOT_FOUND,
            &http::HeaderMap::new(),
            w.now,
        )
        .unwrap();
    w.drive();
    assert_eq!(w.count("notifications/cancelled"), 0);
    assert!(w.aborted.contains(&sent.exchange) && !w.ended(other));
}

#[test]
fn initialize_is_never_cancelled() {
    let mut w = World::initializing();
    let call = w.call("tools/call");
    w.cancel(call);
    w.advance(secs(100));
    assert_eq!(w.count("notifications/cancelled"), 0);
}

#[test]
fn the_exchange_is_aborted_when_the_cancellation_is_answered() {
    for status in [202, 500] {
        let (mut w, call, sent) = World::under_way();
        w.cancel(call);
        assert!(w.aborted.is_empty());
        w.answer_all("notifications/cancelled", status);
        assert_eq!(w.aborted, [sent.exchange], "{status}");
    }
}

#[test]
fn the_exchange_is_aborted_after_5_s_at_the_latest() {
    let (mut w, call, sent) = World::under_way();
    w.cancel(call);
    w.advance(secs(5) - millis(1));
    assert!(w.aborted.is_empty());
    w.advance(millis(1));
    assert_eq!(w.aborted, [sent.exchange]);
}

#[test]
fn what_arrives_late_is_dropped() {
    let (mut w, call, sent) = World::under_way();
    w.answer(&sent, 200).stream(&[]);
    w.cancel(call);
    w.events.clear();
    w.event(&sent, &log("late"));
    w.event(&sent, &request(1, "ping", json!({})));
    w.event(&sent, &result(sent.rpc_id(), json!({})));
    w.end(&sent);
    assert!(w.events.is_empty() && !w.has("answer"), "{:?}", w.events);
    w.advance(secs(60));
    assert!(!w.aborted.contains(&sent.exchange), "it ended by itself");
}

#[test]
fn late_progress_is_dropped() {
    let mut w = World::ready();
    let call = w.call_with("tools/call", CallOptions::new().progress());
    let sent = w.take("tools/call");
    let token = sent.json()["params"]["_meta"]["progressToken"].clone();
    w.cancel(call);
    let other = w.call("tools/list");
    let stream = w.take("tools/list");
    let progress = notification("notifications/progress", json!({ "progressToken": token }));
    w.answer(&stream, 200).stream(&[progress]);
    assert!(w.messages().is_empty() && !w.ended(other));
}

#[test]
fn unread_messages_of_a_cancelled_call_are_not_delivered() {
    let (mut w, call, sent) = World::under_way();
    w.reading = false;
    w.answer(&sent, 200)
        .stream(&[log("one"), request(1, "roots/list", json!({}))]);
    w.cancel(call);
    w.reading = true;
    w.drive();
    assert!(
        matches!(w.events.as_slice(), [Event::Fail { .. }]),
        "{:?}",
        w.events
    );
}

#[test]
fn what_a_cancelled_call_held_in_buffers_is_free_at_once() {
    let (mut w, call, sent) = World::under_way();
    w.answer(&sent, 200)
        .header("content-type", "application/json")
        .head();
    w.chunk(&sent, vec![b' '; 5000]);
    assert_eq!(w.connection.status().buffered, 5000);
    w.cancel(call);
    assert_eq!(w.connection.status().buffered, 0);
}

#[test]
fn cancelling_twice_or_after_the_end_does_nothing() {
    let (mut w, call, sent) = World::under_way();
    w.answer(&sent, 200).result(json!({}));
    w.cancel(call);
    w.cancel(call);
    w.reply(call);
    assert!(!w.has("notifications/cancelled"));
}

#[test]
fn a_finished_stream_has_5_s_to_end_by_itself() {
    let (mut w, _, sent) = World::under_way();
    let reply = result(sent.rpc_id(), json!({}));
    w.answer(&sent, 200).stream(&[reply]);
    w.advance(secs(5) - millis(1));
    assert!(w.aborted.is_empty());
    w.advance(millis(1));
    assert_eq!(w.aborted, [sent.exchange]);
}

#[test]
fn control_traffic_never_waits_behind_calls() {
    let mut w = World::ready();
    let first = w.call("tools/list");
    w.reading = false;
    for _ in 0..50 {
        let nothing = CallOptions::new();
        w.connection
            .call("tools/call", &echo(), nothing, w.now)
            .unwrap();
    }
    w.connection.cancel(first, w.now).unwrap();
    let before = w.sent.len();
    w.drive();
    assert_eq!(w.sent_since(before)[0], "notifications/cancelled");
}

#[test]
fn growing_delays_are_drawn_between_the_floor_and_a_growing_ceiling() {
    let mut longest = [millis(0); 7];
    for seed in 0..60 {
        let mut w = World::ready_with(|c| c.seed(seed));
        w.call_with("tools/call", CallOptions::new().wait_for_server(secs(500)));
        for (failure, longest) in longest.iter_mut().enumerate() {
            let sent = w.take("tools/call");
            w.fail(&sent, refused_connection());
            let delay = w.wake();
            let most = secs(1 << failure).min(secs(30));
            assert!(
                millis(100) <= delay && delay <= most,
                "seed {seed}: {delay:?}"
            );
            *longest = delay.max(*longest);
        }
    }
    for (failure, longest) in longest.into_iter().enumerate() {
        assert!(
            longest > secs(1 << failure).min(secs(30)) / 2,
            "{failure}: {longest:?}"
        );
    }
}

#[test]
fn retry_after_zero_is_clamped_to_the_floor() {
    let (mut w, _, sent) = World::under_way();
    w.answer(&sent, 429).header("retry-after", "0").empty();
    assert_eq!(w.wake(), millis(100));
    let mut w = World::initializing();
    w.advance(secs(2));
    let sent = w.take("initialize");
    w.answer(&sent, 429).header("retry-after", "0").empty();
    assert_eq!(w.wake(), millis(100));
    assert!(w.has("initialize"));
}

#[test]
fn time_that_goes_back_stands_still() {
    let (mut w, call, _) = World::under_way();
    w.advance(secs(500));
    let now = std::mem::replace(&mut w.now, Time::ZERO);
    w.connection.handle_timeout(Time::ZERO);
    w.connection.handle_timeout(Time::from_secs(1));
    assert!(w.connection.poll_timeout().unwrap() > now);
    let other = w
        .connection
        .call("tools/list", &(), CallOptions::new(), Time::ZERO)
        .unwrap();
    w.now = now;
    w.drive();
    w.advance(secs(100));
    assert!(
        w.ended(call) && !w.ended(other),
        "its 600 s count from the latest time known"
    );
}

#[test]
fn time_can_jump_far_ahead() {
    let (mut w, call, _) = World::under_way();
    w.now = Time::new(std::time::Duration::MAX);
    w.connection.handle_timeout(w.now);
    w.drive();
    assert!(w.ended(call));
    let next = w.call("tools/list");
    w.succeed("tools/list");
    w.reply(next);
}

#[test]
fn needless_timeouts_do_no_harm() {
    for (phase, mut w) in World::in_every_phase() {
        w.events.clear();
        let before = w.visible();
        w.connection.handle_timeout(w.now);
        w.connection.handle_timeout(w.now);
        assert_eq!(w.visible(), before, "{phase:?}");
    }
}

#[test]
fn poll_timeout_is_now_while_something_it_brought_about_waits() {
    let (mut w, _, _) = World::under_way();
    let due = w.connection.poll_timeout().unwrap();
    w.now = due;
    w.connection.handle_timeout(due);
    assert_eq!(w.connection.poll_timeout(), Some(due));
    w.drive();
    assert!(w.connection.poll_timeout().unwrap() > due);
}

#[test]
fn nothing_waits_without_a_reason() {
    let mut w = World::ready();
    assert_eq!(w.connection.poll_timeout(), None);
    let call = w.call_with("tools/call", CallOptions::new().no_time_out());
    assert_eq!(w.connection.poll_timeout(), None);
    w.succeed("tools/call");
    w.reply(call);
    w.advance(secs(5));
    assert_eq!(w.connection.poll_timeout(), None);
}

#[test]
fn delete_has_a_deadline() {
    let mut w = World::closing();
    w.advance(secs(30) - millis(1));
    assert_eq!(w.phase(), Phase::Closing);
    w.advance(millis(1));
    assert!(w.connection.is_closed());
    assert_eq!(w.aborted.len(), 1);
}

#[test]
fn a_cancelled_call_leaves_no_delay_behind() {
    let (mut w, call, sent) = World::under_way();
    w.answer(&sent, 429).header("retry-after", "100").empty();
    w.cancel(call);
    assert_eq!(
        w.connection.poll_timeout(),
        None,
        "nothing is left to wait for"
    );
}
