//! One call of the API for what an application wants to hear about: `subscriptions/listen`
//! where each request stands on its own, the listening stream and `resources/subscribe`
//! where there are sessions.

use mcp_http::{
    Config, Event, LimitKind, Listening, Reason, Revision, Subject, SubscriptionFilter,
};
use serde_json::{Value, json};

use crate::stateless::error_with;
use crate::world::{
    Sent, World, config, initialized, limits, notification, reset, result, rpc_error, secs,
};

const LISTEN: &str = "subscriptions/listen";

fn filter() -> SubscriptionFilter {
    SubscriptionFilter::new()
        .tools_list_changed()
        .resource("file:///a")
        .resource("file:///b")
}

impl World {
    pub(crate) fn listen_to(&mut self, filter: SubscriptionFilter) {
        self.connection.listen(filter, self.now).unwrap();
        self.drive();
    }

    /// Takes what the application is told that it will hear about.
    #[track_caller]
    fn granted(&mut self) -> SubscriptionFilter {
        let at = self
            .events
            .iter()
            .position(|event| matches!(event, Event::Listening { .. }));
        let Some(at) = at else {
            panic!("nothing was granted, but {:?}", self.events);
        };
        match self.events.remove(at) {
            Event::Listening { granted } => granted,
            other => panic!("{other:?}"),
        }
    }

    fn has_told(&self, wanted: &Event) -> bool {
        self.events.contains(wanted)
    }
}

fn acknowledged(sent: &Sent, notifications: Value) -> Value {
    notification(
        "notifications/subscriptions/acknowledged",
        json!({
            "_meta": { "io.modelcontextprotocol/subscriptionId": sent.rpc_id() },
            "notifications": notifications,
        }),
    )
}

#[test]
fn what_is_acknowledged_on_another_stream_is_none_of_its_business() {
    let (mut w, sent) = listening();
    let (_, call) = w.begin("tools/call");
    let twice = acknowledged(&sent, json!({}));
    w.answer(&call, 200).stream(&[twice]);
    let messages = w.messages();
    assert_eq!(messages.len(), 1, "a message like any other");
}

/// A change of the list of tools.
fn change() -> Value {
    notification("notifications/tools/list_changed", json!({}))
}

/// The stream is open, and the server agreed to all.
fn listening() -> (World, Sent) {
    listening_with(|config| config)
}

fn listening_with(change: impl FnOnce(Config) -> Config) -> (World, Sent) {
    let mut w = World::stateless_with(change);
    w.listen_to(filter());
    let sent = w.take(LISTEN);
    let all = sent.json()["params"]["notifications"].clone();
    w.answer(&sent, 200).stream(&[acknowledged(&sent, all)]);
    w.granted();
    (w, sent)
}

fn uris(filter: &SubscriptionFilter) -> Vec<&str> {
    filter
        .resource_subscriptions
        .iter()
        .map(String::as_str)
        .collect()
}

// Where each request stands on its own.

#[test]
fn nothing_is_asked_for_that_nobody_wants_to_hear() {
    let mut w = World::stateless_with(|config| config.listen(true));
    w.advance(secs(600));
    assert_eq!(w.sent_since(1), [""; 0]);
    assert_eq!(w.connection.status().listening, Listening::Off);
}

#[test]
fn the_filter_goes_out_and_what_the_server_agrees_to_is_told() {
    let mut w = World::stateless();
    w.listen_to(filter());
    assert_eq!(w.connection.status().listening, Listening::Opening);
    let sent = w.take(LISTEN);
    assert_eq!(
        sent.json()["params"]["notifications"],
        json!({
            "toolsListChanged": true,
            "resourceSubscriptions": ["file:///a", "file:///b"],
        })
    );
    assert_eq!(sent.header("mcp-method"), Some(LISTEN));
    let part = json!({
        "resourceSubscriptions": ["file:///b", "file:///never"],
        "promptsListChanged": true,
        "resourcesListChanged": true,
    });
    w.answer(&sent, 200).stream(&[acknowledged(&sent, part)]);
    let granted = w.granted();
    assert_eq!(uris(&granted), ["file:///b"], "of what was asked for");
    assert!(!granted.tools_list_changed, "not agreed to");
    assert!(!granted.prompts_list_changed && !granted.resources_list_changed);
    assert_eq!(w.connection.status().listening, Listening::Open);
    w.event(&sent, &change());
    let messages = w.messages();
    assert_eq!(messages.len(), 1, "the acknowledgement is none");
    assert_eq!(messages[0].method, "notifications/tools/list_changed");
    assert_eq!(messages[0].call, None);
}

#[test]
fn it_is_said_once_and_before_anything_is_known_of_the_server() {
    let mut w = World::new(config().pin(Revision::V2026_07_28));
    w.listen_to(filter());
    w.discover();
    w.ready_event();
    assert_eq!(w.open_methods(), [LISTEN]);
}

#[test]
fn the_stream_is_in_nobodys_way() {
    let mut w = World::stateless();
    w.listen_to(filter());
    let call = w.call("tools/call");
    w.succeed("tools/call");
    w.reply(call);
    w.advance(secs(3600));
    assert!(w.has(LISTEN), "its head may take for ever");
}

#[test]
fn a_broken_stream_is_listened_to_again_with_a_gap() {
    for clean in [true, false] {
        let (mut w, sent) = listening();
        w.event_with_id(&sent, "7", &change());
        if clean {
            w.end(&sent);
        } else {
            w.fail(&sent, reset());
        }
        assert_eq!(w.ups_and_downs(), (1, 0));
        assert_eq!(w.connection.status().listening, Listening::Degraded);
        let again = w.wait_for(LISTEN);
        assert_ne!(again.rpc_id(), sent.rpc_id());
        assert_eq!(again.cursor(), None);
        assert_eq!(
            again.json()["params"]["notifications"],
            sent.json()["params"]["notifications"]
        );
        let gap = Event::Gap { missed: None };
        assert!(!w.has_told(&gap));
        let all = again.json()["params"]["notifications"].clone();
        w.answer(&again, 200).stream(&[acknowledged(&again, all)]);
        assert_eq!(w.ups_and_downs(), (1, 1));
        assert!(w.has_told(&gap));
        w.granted();
        w.event_with_id(&again, "7", &change());
        assert_eq!(w.messages().len(), 2, "ids mean nothing");
    }
}

#[test]
fn a_stream_that_never_lives_is_tried_within_its_budget() {
    let (mut w, sent) = listening();
    w.chunk(&sent, "retry: 0\n\n");
    w.fail(&sent, reset());
    let start = w.now;
    for _ in 0..4 {
        let again = w.wait_for(LISTEN);
        w.answer(&again, 200).stream(&[]);
        w.chunk(&again, "retry: 0\n\n");
        w.end(&again);
    }
    let fifth = w.wait_for(LISTEN);
    assert!(fifth.at.since(start) >= secs(300), "then every 5 min");
}

#[test]
fn a_stream_that_the_server_ends_in_good_order_is_over() {
    type Way = fn(&mut World, &Sent);
    let by_reply: Way = |w: &mut World, sent: &Sent| {
        w.event(
            sent,
            &result(sent.rpc_id(), json!({ "resultType": "complete" })),
        );
        w.end(sent);
    };
    let by_cancelling: Way = |w: &mut World, sent: &Sent| {
        let params = json!({ "requestId": sent.rpc_id(), "reason": "shutting down" });
        w.event(sent, &notification("notifications/cancelled", params));
        assert_eq!(w.aborted, [sent.exchange], "it may hang open for ever");
    };
    for end in [by_reply, by_cancelling] {
        let (mut w, sent) = listening();
        end(&mut w, &sent);
        assert!(w.has_told(&Event::StreamEnded));
        assert_eq!(w.connection.status().listening, Listening::Ended);
        assert_eq!(w.ups_and_downs(), (0, 0));
        w.connection.network_changed(w.now);
        w.advance(secs(3600));
        assert!(w.open.is_empty());
        w.listen_to(filter());
        w.take(LISTEN);
    }
}

#[test]
fn another_request_that_the_server_cancels_ends_nothing() {
    let (mut w, sent) = listening();
    for other in [json!(sent.rpc_id() + 1), json!("x"), json!(null)] {
        let params = json!({ "requestId": other });
        w.event(&sent, &notification("notifications/cancelled", params));
    }
    assert_eq!(w.connection.status().listening, Listening::Open);
    assert!(w.messages().is_empty());
}

#[test]
fn a_server_that_does_not_offer_it_is_asked_once() {
    let refusals: [fn(&mut World, &Sent); 4] = [
        |w, sent| w.answer(sent, 404).error(-32601, "Method not found"),
        |w, sent| w.answer(sent, 200).error(-32601, "Method not found"),
        |w, sent| w.answer(sent, 405).empty(),
        |w, sent| {
            let error = rpc_error(sent.rpc_id(), -32601, "Method not found");
            w.answer(sent, 200).stream(&[error]);
        },
    ];
    for refuse in refusals {
        let mut w = World::stateless();
        w.listen_to(filter());
        let sent = w.take(LISTEN);
        refuse(&mut w, &sent);
        w.not_offered();
        assert_eq!(w.connection.status().listening, Listening::NotOffered);
        w.advance(secs(3600));
        assert_eq!(w.count(LISTEN), 1);
        assert_eq!(w.count("ping"), 0);
        let (call, sent) = w.begin("tools/call");
        w.answer(&sent, 200).result(json!({}));
        w.reply(call);
    }
}

#[test]
fn a_failure_of_the_server_is_no_refusal() {
    let mut w = World::stateless();
    w.listen_to(filter());
    let sent = w.take(LISTEN);
    w.answer(&sent, 503).empty();
    w.degraded();
    let again = w.wait_for(LISTEN);
    w.answer(&again, 200).stream(&[]);
    assert_eq!(w.ups_and_downs(), (0, 1));
    assert!(
        !w.has_told(&Event::Gap { missed: None }),
        "nothing was there to be missed"
    );
}

#[test]
fn an_offered_stream_that_is_refused_later_is_tried_again() {
    let (mut w, sent) = listening();
    w.fail(&sent, reset());
    let again = w.wait_for(LISTEN);
    w.answer(&again, 200)
        .json(&error_with(again.rpc_id(), -32603, json!({})));
    w.wait_for(LISTEN);
}

#[test]
fn another_filter_takes_the_place_of_the_first() {
    let (mut w, sent) = listening();
    w.listen_to(SubscriptionFilter::new().prompts_list_changed());
    assert_eq!(w.aborted, [sent.exchange]);
    let again = w.take(LISTEN);
    assert_eq!(
        again.json()["params"]["notifications"],
        json!({ "promptsListChanged": true })
    );
    w.answer(&again, 200)
        .stream(&[acknowledged(&again, json!({ "promptsListChanged": true }))]);
    assert!(w.granted().prompts_list_changed);
    assert!(w.has_told(&Event::Gap { missed: None }));
    // The same once more changes nothing.
    let sent = w.sent.len();
    w.listen_to(SubscriptionFilter::new().prompts_list_changed());
    assert_eq!(w.sent_since(sent), [""; 0]);
    // And nothing at all ends it.
    w.listen_to(SubscriptionFilter::new());
    assert!(w.aborted.contains(&again.exchange));
    assert_eq!(w.connection.status().listening, Listening::Off);
    w.advance(secs(3600));
    assert_eq!(w.sent_since(sent), [""; 0]);
}

/// The stream that gave way lived no longer while its successor was waited for.
#[test]
fn another_filter_refills_no_budget() {
    let (mut w, sent) = listening();
    w.fail(&sent, reset());
    for _ in 0..3 {
        let again = w.wait_for(LISTEN);
        w.answer(&again, 503).empty();
    }
    let again = w.wait_for(LISTEN);
    w.answer(&again, 200).stream(&[]);
    w.listen_to(SubscriptionFilter::new().prompts_list_changed());
    let sent = w.take(LISTEN);
    w.advance(secs(10));
    w.answer(&sent, 503).empty();
    let start = w.now;
    let next = w.wait_for(LISTEN);
    assert!(next.at.since(start) >= secs(300), "that was the fifth");
}

#[test]
fn a_changed_network_opens_it_anew() {
    let (mut w, sent) = listening();
    w.connection.network_changed(w.now);
    w.drive();
    assert!(w.aborted.contains(&sent.exchange));
    let again = w.wait_for(LISTEN);
    w.answer(&again, 200).stream(&[]);
    assert!(w.has_told(&Event::Gap { missed: None }));
}

#[test]
fn an_acknowledgement_that_cannot_be_read_is_reported_and_the_stream_goes_on() {
    let mut w = World::stateless();
    w.listen_to(filter());
    let sent = w.take(LISTEN);
    w.answer(&sent, 200)
        .stream(&[acknowledged(&sent, json!(7))]);
    w.error_of(Subject::Stream(None));
    w.event(&sent, &change());
    assert_eq!(w.messages().len(), 1);
}

/// Said once for each filter and stream: a server that repeats it drives out nothing that the
/// application has not read.
#[test]
fn an_acknowledgement_counts_once_for_each_stream() {
    let mut w = World::new(config().pin(Revision::V2026_07_28));
    w.listen_to(filter());
    w.reading = false;
    w.discover();
    let sent = w.take(LISTEN);
    w.answer(&sent, 200).stream(&[]);
    w.event(
        &sent,
        &acknowledged(&sent, json!({ "toolsListChanged": true })),
    );
    for _ in 0..1000 {
        w.event(&sent, &acknowledged(&sent, json!({})));
    }
    w.read();
    w.ready_event();
    assert!(w.granted().tools_list_changed);
    assert_eq!(told(&mut w), 0);
    w.error_of(Subject::Stream(None));
    assert_eq!(w.connection.status().listening, Listening::Open);
}

/// Section 7: `input_required` elsewhere than on calls that take input, and a result of an
/// unknown type, break the protocol. They end nothing in good order.
#[test]
fn a_result_that_is_not_complete_is_no_good_end() {
    for kind in ["input_required", "odd"] {
        let (mut w, sent) = listening();
        let odd = json!({ "resultType": kind, "requestState": "s" });
        w.event(&sent, &result(sent.rpc_id(), odd));
        assert!(!w.has_told(&Event::StreamEnded), "{kind}");
        let error = w.degraded();
        assert!(matches!(error.reason(), Reason::Peer(_)), "{error}");
        w.wait_for(LISTEN);
    }
}

#[test]
fn silence_breaks_a_stream_that_was_kept_alive() {
    let (mut w, sent) = listening();
    w.advance(secs(900));
    assert!(w.aborted.is_empty(), "it may have nothing to say");
    w.chunk(&sent, ": keep-alive\n\n");
    w.advance(secs(301));
    assert_eq!(w.aborted, [sent.exchange]);
    w.wait_for(LISTEN);
}

#[test]
fn closing_ends_it() {
    let (mut w, sent) = listening();
    w.close();
    assert_eq!(w.aborted, [sent.exchange]);
    assert!(w.connection.is_closed());
    assert!(w.connection.listen(filter(), w.now).is_err());
}

#[test]
fn a_server_that_ends_it_at_once_again_and_again_sets_no_pace() {
    let mut w = World::stateless();
    let start = w.now;
    for _ in 0..6 {
        w.listen_to(filter());
        let sent = w.wait_for(LISTEN);
        let end = result(sent.rpc_id(), json!({ "resultType": "complete" }));
        w.answer(&sent, 200).stream(&[end]);
        assert_eq!(w.connection.status().listening, Listening::Ended);
    }
    assert!(w.now.since(start) >= secs(300), "{:?}", w.now.since(start));
}

/// The stream failed as often as it may.
fn left_alone() -> World {
    let (mut w, sent) = listening();
    w.fail(&sent, reset());
    for _ in 0..4 {
        let again = w.wait_for(LISTEN);
        w.fail(&again, reset());
    }
    w
}

#[test]
fn another_filter_does_not_wait_for_the_delay_of_the_one_before() {
    let mut w = left_alone();
    w.advance(secs(30));
    assert!(!w.has(LISTEN), "it is left alone for 5 min");
    w.listen_to(SubscriptionFilter::new().prompts_list_changed());
    w.advance(secs(1));
    w.take(LISTEN);
}

#[test]
fn the_same_filter_once_more_hurries_nothing() {
    let mut w = left_alone();
    let failed = w.now;
    w.listen_to(filter());
    let again = w.wait_for(LISTEN);
    assert_eq!(again.at.since(failed), secs(300));
}

#[test]
fn a_json_answer_that_never_ends_is_no_stream() {
    let mut w = World::stateless();
    w.listen_to(filter());
    let sent = w.take(LISTEN);
    w.answer(&sent, 200)
        .header("content-type", "application/json")
        .head();
    w.advance(secs(30));
    assert!(w.aborted.contains(&sent.exchange));
    assert_eq!(w.connection.status().listening, Listening::Degraded);
    w.wait_for(LISTEN);
}

#[test]
fn redirects_of_one_filter_are_not_those_of_the_next() {
    let mut w = World::stateless();
    for n in 0..6 {
        let uri = format!("file:///{n}");
        w.listen_to(SubscriptionFilter::new().resource(uri));
        let sent = w.wait_for(LISTEN);
        w.answer(&sent, 307).header("location", "/mcp/").empty();
        let there = w.wait_for(LISTEN);
        assert_eq!(there.request.uri().path(), "/mcp/");
        w.answer(&there, 200).stream(&[]);
        assert_eq!(w.connection.status().listening, Listening::Open, "{n}");
    }
}

#[test]
fn each_filter_begins_at_the_endpoint_and_may_be_redirected() {
    let mut w = World::stateless();
    for n in 0..6 {
        let uri = format!("file:///{n}");
        w.listen_to(SubscriptionFilter::new().resource(uri));
        let sent = w.wait_for(LISTEN);
        assert_eq!(sent.request.uri().path(), "/mcp");
        w.answer(&sent, 307).header("location", "/mcp/").empty();
        assert_eq!(w.ups_and_downs(), (0, 0), "{n}: {:?}", w.events);
        let there = w.wait_for(LISTEN);
        assert_eq!(there.request.uri().path(), "/mcp/");
    }
}

/// What nobody wants to hear about any more is not asked for with the next credential, nor
/// after a delay.
#[test]
fn what_waits_is_not_asked_for_once_nothing_is_wanted() {
    let mut w = World::stateless_with(|config| config.authorize(true).bearer("old").unwrap());
    w.listen_to(filter());
    let sent = w.take(LISTEN);
    deny(&mut w, &sent);
    w.listen_to(SubscriptionFilter::new());
    w.authorize("Bearer new");
    w.advance(secs(600));
    assert_eq!(w.count(LISTEN), 1);
    let (mut w, sent) = listening();
    w.fail(&sent, reset());
    assert!(w.connection.poll_timeout().is_some());
    w.listen_to(SubscriptionFilter::new());
    assert_eq!(w.connection.poll_timeout(), None, "there is no reason");
}

#[test]
fn a_server_that_asked_to_be_left_alone_is_not_hurried_by_another_filter() {
    let mut w = World::stateless();
    w.listen_to(filter());
    let sent = w.take(LISTEN);
    w.answer(&sent, 503).header("retry-after", "60").empty();
    w.listen_to(SubscriptionFilter::new().prompts_list_changed());
    let again = w.wait_for(LISTEN);
    assert_eq!(again.at.since(sent.at), secs(60));
}

#[test]
fn a_server_that_did_not_offer_it_may_offer_other_things() {
    let mut w = World::stateless();
    w.listen_to(filter());
    let sent = w.take(LISTEN);
    w.answer(&sent, 404).error(-32601, "Method not found");
    w.listen_to(SubscriptionFilter::new().prompts_list_changed());
    w.take(LISTEN);
}

// Where there are sessions.

/// A session at a server that announces to tell about changes of its tools alone.
fn session(change: impl FnOnce(Config) -> Config) -> World {
    let mut w = World::new(change(config()));
    w.connect();
    let sent = w.take("initialize");
    let mut answer = initialized("2025-11-25");
    answer["capabilities"]["tools"] = json!({ "listChanged": true });
    w.answer(&sent, 200)
        .header("mcp-session-id", "s1")
        .result(answer);
    w.accept("notifications/initialized");
    w.events.clear();
    w
}

#[test]
fn in_a_session_it_is_the_listening_stream_and_subscriptions() {
    let mut w = session(|config| config);
    assert!(!w.has("GET"), "configured off");
    w.listen_to(filter().prompts_list_changed());
    assert_eq!(
        w.open_methods(),
        ["resources/subscribe", "resources/subscribe", "GET"]
    );
    let first = w.take("resources/subscribe");
    assert_eq!(first.json()["params"], json!({ "uri": "file:///a" }));
    w.answer(&first, 200).result(json!({}));
    let second = w.take("resources/subscribe");
    w.answer(&second, 200).error(-32002, "no such resource");
    let granted = w.granted();
    assert_eq!(uris(&granted), ["file:///a"]);
    assert!(granted.tools_list_changed, "announced");
    assert!(!granted.prompts_list_changed, "not announced");
}

/// Section 6: not offered in this generation, said once.
#[test]
fn a_session_that_offers_no_stream_is_not_asked_for_it_with_each_filter() {
    let mut w = session(|config| config);
    w.listen_to(SubscriptionFilter::new().tools_list_changed());
    let get = w.take("GET");
    w.answer(&get, 405).empty();
    w.not_offered();
    w.listen_to(SubscriptionFilter::new().resource("file:///a"));
    w.succeed("resources/subscribe");
    w.advance(secs(600));
    assert_eq!(w.count("GET"), 1);
    assert_eq!(w.connection.status().listening, Listening::NotOffered);
}

#[test]
fn it_is_carried_over_into_a_new_session() {
    let mut w = session(|config| config);
    w.listen_to(filter());
    for _ in 0..2 {
        w.succeed("resources/subscribe");
    }
    w.granted();
    let call = w.call("tools/call");
    w.answer_all("tools/call", 404);
    w.recover("s2");
    assert_eq!(w.count("resources/subscribe"), 4);
    for _ in 0..2 {
        w.succeed("resources/subscribe");
    }
    assert_eq!(uris(&w.granted()), ["file:///a", "file:///b"]);
    assert!(w.has("GET"));
    w.succeed("tools/call");
    w.reply(call);
}

#[test]
fn another_filter_subscribes_and_unsubscribes_what_differs() {
    let mut w = session(|config| config);
    w.listen_to(filter());
    for _ in 0..2 {
        w.succeed("resources/subscribe");
    }
    w.granted();
    let sent = w.sent.len();
    w.listen_to(
        SubscriptionFilter::new()
            .resource("file:///b")
            .resource("file:///c"),
    );
    assert_eq!(
        w.sent_since(sent),
        ["resources/subscribe", "resources/unsubscribe"]
    );
    let subscribe = w.take("resources/subscribe");
    assert_eq!(subscribe.json()["params"], json!({ "uri": "file:///c" }));
    w.answer(&subscribe, 200).result(json!({}));
    let unsubscribe = w.take("resources/unsubscribe");
    assert_eq!(unsubscribe.json()["params"], json!({ "uri": "file:///a" }));
    w.answer(&unsubscribe, 200).result(json!({}));
    assert_eq!(uris(&w.granted()), ["file:///b", "file:///c"]);
    // Nothing at all ends it, and the stream that was opened for it.
    let get = w.take("GET");
    w.answer(&get, 200).stream(&[]);
    w.listen_to(SubscriptionFilter::new());
    assert!(w.aborted.contains(&get.exchange));
    assert_eq!(w.count("resources/unsubscribe"), 3);
    assert_eq!(w.connection.status().listening, Listening::Off);
}

#[test]
fn what_has_not_left_need_not_be_undone() {
    let mut w =
        World::ready_with(|config| config.limits(limits(|limits| limits.control_exchanges = 1)));
    let sent = w.sent.len();
    w.connection.listen(filter(), w.now).unwrap();
    let only_b = SubscriptionFilter::new().resource("file:///b");
    w.connection.listen(only_b, w.now).unwrap();
    w.drive();
    w.succeed("resources/subscribe");
    assert_eq!(uris(&w.granted()), ["file:///b"]);
    assert_eq!(w.sent_since(sent), ["resources/subscribe", "GET"]);
}

#[test]
fn a_subscription_of_a_call_of_its_own_outlives_the_filter() {
    let mut w = session(|config| config);
    let uri = json!({ "uri": "file:///a" });
    let (call, sent) = w.begin_with("resources/subscribe", &uri);
    w.answer(&sent, 200).result(json!({}));
    w.reply(call);
    let sent = w.sent.len();
    w.listen_to(SubscriptionFilter::new().resource("file:///a"));
    w.granted();
    w.listen_to(SubscriptionFilter::new());
    assert_eq!(w.sent_since(sent), ["GET"], "it is subscribed to already");
}

#[test]
fn a_server_without_subscriptions_grants_none() {
    let mut w = World::new(config());
    w.connect();
    let sent = w.take("initialize");
    let mut answer = initialized("2025-11-25");
    answer["capabilities"] = json!({ "tools": {} });
    w.answer(&sent, 200).result(answer);
    w.accept("notifications/initialized");
    w.listen_to(filter());
    assert!(w.granted().is_empty());
    assert_eq!(w.count("resources/subscribe"), 0);
    let failed = w
        .events
        .iter()
        .filter(|event| matches!(event, Event::NotRestored { .. }));
    assert_eq!(failed.count(), 2);
}

#[test]
fn the_stream_of_a_session_stays_when_nothing_more_is_wanted_unless_configured_off() {
    let (mut w, get) = World::listening();
    w.listen_to(filter());
    w.listen_to(SubscriptionFilter::new());
    assert!(!w.aborted.contains(&get.exchange));
    assert_eq!(w.connection.status().listening, Listening::Open);
}

#[test]
fn resources_are_bounded_together_with_those_subscribed_to_by_calls() {
    let mut w = World::limited(|limits| limits.subscriptions = 2);
    let uri = json!({ "uri": "file:///own" });
    let (call, sent) = w.begin_with("resources/subscribe", &uri);
    w.answer(&sent, 200).result(json!({}));
    w.reply(call);
    let before = w.visible();
    let error = w.connection.listen(filter(), w.now).unwrap_err();
    let Reason::Limit(exceeded) = error.reason() else {
        panic!("{error}");
    };
    assert_eq!(
        (exceeded.kind, exceeded.value),
        (LimitKind::Subscriptions, 2)
    );
    assert_eq!(w.visible(), before);
    w.listen_to(SubscriptionFilter::new().resource("file:///a"));
    let uri = json!({ "uri": "file:///more" });
    let options = mcp_http::CallOptions::new();
    let call = w
        .connection
        .call("resources/subscribe", &uri, options, w.now);
    assert!(call.is_err());
}

#[test]
fn resources_are_bounded_together_with_those_that_calls_ask_for() {
    let mut w = World::limited(|limits| limits.subscriptions = 2);
    for uri in ["file:///1", "file:///2"] {
        w.begin_with("resources/subscribe", &json!({ "uri": uri }));
    }
    let before = w.visible();
    assert!(w.connection.listen(of(&["file:///3"]), w.now).is_err());
    assert_eq!(w.visible(), before);
    w.listen_to(of(&["file:///1", "file:///2"]));
}

// One request at a time for each resource: the difference of what is wanted and known.

fn of(uris: &[&str]) -> SubscriptionFilter {
    let none = SubscriptionFilter::new();
    uris.iter().fold(none, |filter, uri| filter.resource(*uri))
}

/// The URIs that requests of this method are on their way with.
fn open_uris(w: &World, method: &str) -> Vec<String> {
    let open = w.open.iter().filter(|sent| sent.method() == method);
    let uri = |sent: &Sent| sent.json()["params"]["uri"].as_str().unwrap().to_owned();
    open.map(uri).collect()
}

/// How often it was told what will be heard.
fn told(w: &mut World) -> usize {
    let before = w.events.len();
    let tells = |event: &Event| matches!(event, Event::Listening { .. });
    w.events.retain(|event| !tells(event));
    before - w.events.len()
}

/// This resource is subscribed to, by the filter.
fn subscribed() -> World {
    let mut w = World::ready();
    w.listen_to(of(&["file:///a"]));
    w.succeed("resources/subscribe");
    assert_eq!(uris(&w.granted()), ["file:///a"]);
    w
}

fn deny(w: &mut World, sent: &Sent) {
    w.answer(sent, 401)
        .header("www-authenticate", "Bearer")
        .empty();
}

#[test]
fn what_is_refused_for_its_credential_is_asked_for_with_another_and_told_then() {
    let bearer = |config: Config| config.authorize(true).bearer("old").unwrap();
    let mut w = World::ready_with(bearer);
    for (uris, method) in [
        (&["file:///a"][..], "resources/subscribe"),
        (&[], "resources/unsubscribe"),
    ] {
        w.listen_to(of(uris));
        let sent = w.take(method);
        deny(&mut w, &sent);
        assert_eq!(told(&mut w), 0, "{method}: not answered");
        w.authorize("Bearer new");
        let sent = w.take(method);
        assert_eq!(told(&mut w), 0, "{method}: not answered");
        w.answer(&sent, 200).result(json!({}));
        assert_eq!(w.granted(), of(uris), "{method}");
    }
}

#[test]
fn what_waits_for_a_credential_and_is_not_wanted_any_more_is_not_asked_for() {
    let mut w = World::ready_with(|config| config.authorize(true).bearer("old").unwrap());
    w.listen_to(of(&["file:///a"]));
    let sent = w.take("resources/subscribe");
    deny(&mut w, &sent);
    w.listen_to(of(&[]));
    w.authorize("Bearer new");
    assert_eq!(w.open_methods(), [""; 0]);
    assert!(w.granted().is_empty());
}

#[test]
fn what_is_in_doubt_is_not_told() {
    let mut w = World::ready();
    w.listen_to(of(&["file:///a"]));
    let sent = w.take("resources/subscribe");
    w.answer(&sent, 400).empty();
    assert_eq!(told(&mut w), 0);
    w.succeed("ping");
    assert!(w.granted().is_empty());
}

#[test]
fn filters_that_change_before_they_leave_come_to_the_last() {
    let mut w = subscribed();
    for uris in [&[][..], &["file:///a"], &[]] {
        w.connection.listen(of(uris), w.now).unwrap();
    }
    w.drive();
    assert_eq!(open_uris(&w, "resources/unsubscribe"), ["file:///a"]);
    assert!(!w.has("resources/subscribe"));
}

#[test]
fn what_is_on_its_way_is_not_asked_for_twice() {
    let mut w = session(|config| config);
    w.listen_to(of(&["file:///a"]));
    w.listen_to(of(&["file:///a", "file:///b"]));
    assert_eq!(
        open_uris(&w, "resources/subscribe"),
        ["file:///a", "file:///b"]
    );
}

#[test]
fn what_waits_for_a_call_about_the_same_resource_is_told_after_it() {
    let mut w = session(|config| config);
    let (call, sent) = w.begin_with("resources/subscribe", &json!({ "uri": "file:///a" }));
    w.listen_to(of(&["file:///a"]));
    assert_eq!(told(&mut w), 0);
    w.answer(&sent, 200).result(json!({}));
    w.result(call);
    assert_eq!(uris(&w.granted()), ["file:///a"]);
    assert_eq!(w.count("resources/subscribe"), 1);
}

/// What found no room to leave yet gives way to a call of the application.
#[test]
fn what_has_not_left_waits_for_a_call_about_the_same_resource() {
    let mut w = World::limited(|limits| limits.control_exchanges = 1);
    w.notify("notifications/x");
    w.listen_to(of(&["file:///a"]));
    let uri = json!({ "uri": "file:///a" });
    let (call, sent) = w.begin_with("resources/unsubscribe", &uri);
    w.accept("notifications/x");
    assert!(!w.has("resources/subscribe"));
    w.answer(&sent, 200).result(json!({}));
    w.result(call);
    w.succeed("resources/subscribe");
    assert_eq!(uris(&w.granted()), ["file:///a"]);
}

#[test]
fn what_a_lost_session_was_to_be_asked_is_not_asked_of_the_next() {
    let mut w = World::limited(|limits| limits.control_exchanges = 1);
    w.listen_to(of(&["file:///a"]));
    w.succeed("resources/subscribe");
    w.granted();
    w.notify("notifications/x");
    w.listen_to(SubscriptionFilter::new());
    w.answer_all("notifications/x", 404);
    w.recover("s2");
    w.accept("notifications/x");
    assert_eq!(w.count("resources/unsubscribe"), 0);
    assert_eq!(w.count("resources/subscribe"), 1);
}

#[test]
fn what_waited_for_a_call_of_a_lost_session_holds_up_nothing_in_the_next() {
    let mut w = subscribed();
    let uri = json!({ "uri": "file:///a" });
    w.begin_with("resources/unsubscribe", &uri);
    w.listen_to(of(&["file:///b"]));
    w.succeed("resources/subscribe");
    assert_eq!(
        told(&mut w),
        0,
        "what is to become of the first is not known"
    );
    w.call("tools/call");
    w.answer_all("tools/call", 404);
    w.recover("s2");
    w.succeed("resources/subscribe");
    assert_eq!(uris(&w.granted()), ["file:///b"]);
}

#[test]
fn what_undoes_the_other_waits_for_it() {
    let mut w = subscribed();
    w.listen_to(of(&[]));
    w.listen_to(of(&["file:///a"]));
    assert!(!w.has("resources/subscribe"));
    w.succeed("resources/unsubscribe");
    assert_eq!(told(&mut w), 0, "that was not all");
    w.succeed("resources/subscribe");
    assert_eq!(uris(&w.granted()), ["file:///a"]);
}

#[test]
fn what_a_call_asks_for_is_not_undone_behind_its_back() {
    let uri = json!({ "uri": "file:///a" });
    for granted in [true, false] {
        let mut w = subscribed();
        let (_, sent) = w.begin_with("resources/subscribe", &uri);
        w.listen_to(of(&[]));
        assert!(!w.has("resources/unsubscribe"));
        if granted {
            w.answer(&sent, 200).result(json!({}));
        } else {
            w.answer(&sent, 200).error(-32603, "no");
        }
        assert_eq!(w.has("resources/unsubscribe"), !granted);
    }
}

#[test]
fn a_call_waits_for_what_is_asked_about_the_same_resource() {
    let mut w = subscribed();
    w.listen_to(of(&[]));
    let options = mcp_http::CallOptions::new();
    let uri = json!({ "uri": "file:///a" });
    let call = w
        .connection
        .call("resources/subscribe", &uri, options, w.now)
        .unwrap();
    w.drive();
    assert_eq!(open_uris(&w, "resources/subscribe"), [""; 0]);
    // Others do not.
    w.begin("tools/call");
    w.succeed("resources/unsubscribe");
    w.succeed("resources/subscribe");
    w.reply(call);
    assert!(!w.has("resources/unsubscribe"));
}

#[test]
fn what_a_call_gives_up_and_the_filter_wants_is_subscribed_to_again() {
    let mut w = subscribed();
    let uri = json!({ "uri": "file:///a" });
    let (call, sent) = w.begin_with("resources/unsubscribe", &uri);
    w.answer(&sent, 200).result(json!({}));
    w.reply(call);
    w.succeed("resources/subscribe");
}

#[test]
fn what_was_refused_is_asked_for_anew_by_the_next_filter_and_session_and_never_undone() {
    let refuse = |w: &mut World| {
        let sent = w.take("resources/subscribe");
        w.answer(&sent, 200).error(-32002, "no such resource");
        assert!(w.granted().is_empty());
    };
    let mut w = World::ready();
    w.listen_to(of(&["file:///a"]));
    refuse(&mut w);
    w.listen_to(of(&["file:///a"]));
    refuse(&mut w);
    w.call("tools/call");
    w.answer_all("tools/call", 404);
    w.recover("s2");
    refuse(&mut w);
    w.listen_to(of(&[]));
    assert!(w.granted().is_empty());
    assert_eq!(w.count("resources/unsubscribe"), 0);
    w.listen_to(of(&["file:///a"]));
    w.succeed("resources/subscribe");
    assert_eq!(uris(&w.granted()), ["file:///a"]);
}

#[test]
fn what_the_last_session_refused_the_next_may_grant() {
    let mut w = World::ready();
    w.listen_to(of(&["file:///a"]));
    let sent = w.take("resources/subscribe");
    w.answer(&sent, 200).error(-32002, "no such resource");
    told(&mut w);
    w.call("tools/call");
    w.answer_all("tools/call", 404);
    w.recover("s2");
    w.succeed("resources/subscribe");
    assert_eq!(uris(&w.granted()), ["file:///a"]);
}

#[test]
fn what_would_not_be_given_up_can_be_subscribed_to_again() {
    let mut w = subscribed();
    w.listen_to(of(&[]));
    let sent = w.take("resources/unsubscribe");
    w.answer(&sent, 200).error(-32603, "no");
    assert!(w.granted().is_empty());
    w.advance(secs(600));
    assert_eq!(w.count("resources/unsubscribe"), 1, "it is not repeated");
    w.listen_to(of(&["file:///a"]));
    w.succeed("resources/subscribe");
    assert_eq!(uris(&w.granted()), ["file:///a"]);
}

#[test]
fn what_call_and_filter_share_is_asked_for_once_in_a_new_session() {
    let mut w = subscribed();
    let uri = json!({ "uri": "file:///a" });
    let (call, sent) = w.begin_with("resources/subscribe", &uri);
    w.answer(&sent, 200).result(json!({}));
    w.reply(call);
    w.call("tools/call");
    w.answer_all("tools/call", 404);
    w.recover("s2");
    assert_eq!(open_uris(&w, "resources/subscribe"), ["file:///a"]);
}

#[test]
fn lost_in_the_middle_nothing_is_told_before_the_next_session_has_answered() {
    let mut w = World::ready();
    w.listen_to(of(&["file:///a"]));
    w.answer_all("resources/subscribe", 404);
    assert_eq!(told(&mut w), 0);
    w.recover("s2");
    assert_eq!(told(&mut w), 0);
    w.succeed("resources/subscribe");
    assert_eq!(uris(&w.granted()), ["file:///a"]);
}

#[test]
fn a_list_whose_changes_are_announced_not_to_be_told_is_not_granted() {
    let mut w = World::new(config());
    w.connect();
    let sent = w.take("initialize");
    let mut answer = initialized("2025-11-25");
    answer["capabilities"]["tools"] = json!({ "listChanged": false });
    w.answer(&sent, 200).result(answer);
    w.accept("notifications/initialized");
    w.listen_to(SubscriptionFilter::new().tools_list_changed());
    assert!(w.granted().is_empty());
}

// In both.

#[test]
fn every_filter_is_answered_once_in_each_era() {
    for mut w in [World::ready(), World::stateless()] {
        for uris in [&["file:///a"][..], &["file:///a"], &[], &[]] {
            w.listen_to(of(uris));
            while w.has("resources/subscribe") {
                w.succeed("resources/subscribe");
            }
            while w.has("resources/unsubscribe") {
                w.succeed("resources/unsubscribe");
            }
            if w.has(LISTEN) {
                let sent = w.take(LISTEN);
                let all = sent.json()["params"]["notifications"].clone();
                w.answer(&sent, 200).stream(&[acknowledged(&sent, all)]);
            }
            assert_eq!(w.granted(), of(uris));
            assert_eq!(told(&mut w), 0);
        }
    }
}

#[test]
fn nothing_is_granted_at_once_before_there_is_a_session() {
    let mut w = World::new(config());
    w.listen_to(SubscriptionFilter::new());
    assert!(w.granted().is_empty());
    assert!(w.open.is_empty());
}

#[test]
fn a_server_that_does_not_offer_it_is_asked_again_when_the_application_does() {
    let mut w = World::stateless();
    for _ in 0..2 {
        w.listen_to(filter());
        let sent = w.take(LISTEN);
        w.answer(&sent, 404).error(-32601, "Method not found");
        w.not_offered();
        w.events.clear();
    }
}

#[test]
fn uris_are_shown_by_no_debug() {
    let text = format!("{:?}", SubscriptionFilter::new().resource("file:///secret"));
    assert!(!text.contains("secret"), "{text}");
}
