//! Where each request stands on its own.

use mcp_http::{CallOptions, Config, Event, Phase, Refused, Revision, SubscriptionFilter};
use serde_json::json;

use crate::stateless::discovered;
use crate::world::{Sent, World, config, secs};

fn asking(config: Config) -> Config {
    config.authorize(true).bearer("old").unwrap()
}

fn refuse(w: &mut World, sent: &Sent) {
    w.answer(sent, 401)
        .header("www-authenticate", r#"Bearer error="invalid_token""#)
        .empty();
}

fn asked(w: &World) -> usize {
    let asks = w.events.iter();
    asks.filter(|event| matches!(event, Event::Authorize(_)))
        .count()
}

fn renew(w: &mut World) {
    w.connection.authorize("Bearer new", w.now).unwrap();
    w.drive();
}

fn is_new(sent: &Sent) {
    assert_eq!(sent.header("authorization"), Some("Bearer new"));
}

#[test]
fn discovery_waits_for_a_credential_and_so_do_the_clocks_of_those_behind_it() {
    let mut w = World::new(asking(config().pin(Revision::V2026_07_28)));
    let call = w.call("tools/call");
    let sent = w.take("server/discover");
    refuse(&mut w, &sent);
    assert_eq!((asked(&w), w.phase()), (1, Phase::Discovering));
    w.advance(secs(3600));
    assert!(!w.ended(call));
    renew(&mut w);
    let again = w.take("server/discover");
    is_new(&again);
    w.answer(&again, 200).result(discovered(&["2026-07-28"]));
    let sent = w.take("tools/call");
    is_new(&sent);
    w.answer(&sent, 200).result(json!({}));
    w.reply(call);
}

#[test]
fn refused_again_discovery_fails() {
    let mut w = World::new(asking(config().pin(Revision::V2026_07_28)));
    let call = w.call("tools/call");
    let sent = w.take("server/discover");
    refuse(&mut w, &sent);
    renew(&mut w);
    let again = w.take("server/discover");
    refuse(&mut w, &again);
    assert_eq!(*w.error(call).reason(), Refused::Unauthorized.into());
    assert_eq!((asked(&w), w.phase()), (1, Phase::Idle));
}

#[test]
fn a_round_that_is_refused_goes_out_again_with_its_answers() {
    let mut w = World::stateless_with(asking);
    let (call, sent) = w.begin("tools/call");
    w.answer(&sent, 200).result(json!({
        "resultType": "input_required",
        "inputRequests": { "r": { "method": "roots/list" } },
        "requestState": "s",
    }));
    let ticket = w.ask().ticket;
    w.connection
        .answer(ticket, Ok(&json!({ "roots": [] })), w.now)
        .unwrap();
    w.drive();
    let second = w.take("tools/call");
    refuse(&mut w, &second);
    renew(&mut w);
    let again = w.take("tools/call");
    is_new(&again);
    let params = &again.json()["params"];
    assert_eq!(params["inputResponses"], json!({ "r": { "roots": [] } }));
    assert_eq!(params["requestState"], "s");
    w.answer(&again, 200).result(json!({}));
    w.reply(call);
}

#[test]
fn what_the_application_listens_to_waits_too() {
    let mut w = World::stateless_with(asking);
    let filter = SubscriptionFilter::new().tools_list_changed();
    w.connection.listen(filter, w.now).unwrap();
    w.drive();
    let sent = w.take("subscriptions/listen");
    refuse(&mut w, &sent);
    w.advance(secs(600));
    assert!(w.open.is_empty());
    renew(&mut w);
    let again = w.take("subscriptions/listen");
    is_new(&again);
    refuse(&mut w, &again);
    assert_eq!(asked(&w), 1, "once, until it was open");
    let error = w.degraded();
    assert_eq!(*error.reason(), Refused::Unauthorized.into());
}

/// The server says that headers and body differ, which the list of tools may repair.
fn mismatch(w: &mut World, sent: &Sent) {
    let mismatch = crate::stateless::error_with(sent.rpc_id(), -32020, json!(null));
    w.answer(sent, 400).json(&mismatch);
}

#[test]
fn a_list_that_repairs_headers_waits_and_so_does_its_call() {
    let mut w = World::stateless_with(asking);
    let (call, sent) = w.begin("tools/call");
    mismatch(&mut w, &sent);
    let list = w.take("tools/list");
    refuse(&mut w, &list);
    assert_eq!(asked(&w), 1);
    w.advance(secs(3600));
    assert!(!w.ended(call));
    renew(&mut w);
    let list = w.take("tools/list");
    is_new(&list);
    w.answer(&list, 200).result(json!({ "tools": [] }));
    let again = w.take("tools/call");
    is_new(&again);
    // Refused again, the page asks nobody, and the refusal of the headers stands.
    let mut w = World::stateless_with(asking);
    let (call, sent) = w.begin("tools/call");
    mismatch(&mut w, &sent);
    let list = w.take("tools/list");
    refuse(&mut w, &list);
    renew(&mut w);
    let list = w.take("tools/list");
    refuse(&mut w, &list);
    assert_eq!(asked(&w), 1);
    assert_eq!(w.rpc_error(call).code, -32020);
    // Declined, the refusal of the headers stands.
    let mut w = World::stateless_with(asking);
    let (call, sent) = w.begin("tools/call");
    mismatch(&mut w, &sent);
    let list = w.take("tools/list");
    refuse(&mut w, &list);
    w.connection.refuse_authorization(w.now).unwrap();
    w.drive();
    assert_eq!(w.rpc_error(call).code, -32020);
}

#[test]
fn a_call_that_waits_for_a_list_that_nobody_refused_has_its_clock() {
    let mut w = World::stateless_with(asking);
    let limited = CallOptions::new().time_out(secs(10));
    let call = w.call_with("tools/call", limited);
    let sent = w.take("tools/call");
    mismatch(&mut w, &sent);
    w.take("tools/list");
    w.advance(secs(10));
    w.error(call);
}

#[test]
fn a_call_that_waits_for_no_list_has_its_clock() {
    let mut w = World::stateless_with(asking);
    let (_, sent) = w.begin("tools/call");
    mismatch(&mut w, &sent);
    let list = w.take("tools/list");
    refuse(&mut w, &list);
    let other = w.call_with("prompts/get", CallOptions::new().time_out(secs(10)));
    w.take("prompts/get");
    w.advance(secs(10));
    w.error(other);
}

#[test]
fn a_refusal_is_not_hidden_by_the_error_that_it_carries() {
    let mut w = World::stateless_with(|config| config);
    let (call, sent) = w.begin("tools/call");
    w.answer(&sent, 401)
        .header("www-authenticate", "Bearer")
        .error(-32022, "of another kind");
    let error = w.error(call);
    assert_eq!(*error.reason(), Refused::Unauthorized.into());
    assert_eq!(error.challenges().len(), 1);
}

#[test]
fn a_credential_that_comes_later_opens_the_stream_soon() {
    for by_header in [false, true] {
        let mut w = World::stateless_with(asking);
        let filter = SubscriptionFilter::new().tools_list_changed();
        w.connection.listen(filter, w.now).unwrap();
        w.drive();
        let sent = w.take("subscriptions/listen");
        refuse(&mut w, &sent);
        w.connection.refuse_authorization(w.now).unwrap();
        w.drive();
        for _ in 0..4 {
            let again = w.wait_for("subscriptions/listen");
            refuse(&mut w, &again);
        }
        w.advance(secs(10));
        assert!(w.open.is_empty(), "it is left alone for 5 min");
        if by_header {
            let new = Some("Bearer new");
            w.connection.set_header("authorization", new).unwrap();
            w.drive();
        } else {
            w.connection.authorize("Bearer new", w.now).unwrap();
        }
        w.advance(secs(1));
        is_new(&w.take("subscriptions/listen"));
    }
}
