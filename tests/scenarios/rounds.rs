//! Section 7 where each request stands on its own: a server that asks before it answers.

use mcp_http::{
    CallId, CallOptions, Delivery, Event, LimitKind, Mistake, Peer, Reason, Refused, Resend,
    RpcError, Subject, Ticket, Withdrawal,
};
use serde_json::{Value, json};

use crate::stateless::{DATE, error_with, unsupported};
use crate::world::{Sent, World, limits, log, millis, refused_connection, secs};

/// A result that requires input: these questions, by key, and this state.
fn required(asks: &[(&str, &str)], state: Option<&str>) -> Value {
    let mut result = json!({ "resultType": "input_required" });
    if !asks.is_empty() {
        let asks = asks.iter();
        result["inputRequests"] = asks
            .map(|(key, method)| {
                let request = json!({ "method": method, "params": { "of": key } });
                ((*key).to_owned(), request)
            })
            .collect();
    }
    if let Some(state) = state {
        result["requestState"] = json!(state);
    }
    result
}

/// A call to which the server answered with these questions, and their tickets.
fn asked(asks: &[(&str, &str)], state: Option<&str>) -> (World, CallId, Sent, Vec<Ticket>) {
    let mut w = World::stateless();
    let (call, sent) = w.begin_with(
        "tools/call",
        &json!({ "name": "n", "arguments": { "a": 1 } }),
    );
    w.answer(&sent, 200).result(required(asks, state));
    let tickets = asks.iter().map(|_| w.ask().ticket).collect();
    (w, call, sent, tickets)
}

const ELICIT: (&str, &str) = ("e", "elicitation/create");
const ROOTS: (&str, &str) = ("r", "roots/list");

/// An answer that can be told from others.
fn person(n: u64) -> Value {
    json!({ "action": "accept", "content": { "n": n } })
}

fn roots(n: u64) -> Value {
    json!({ "roots": [{ "uri": format!("file:///{n}") }] })
}

fn answer(w: &mut World, ticket: Ticket, value: &Value) {
    w.connection.answer(ticket, Ok(value), w.now).unwrap();
    w.drive();
}

fn params(sent: &Sent) -> Value {
    sent.json()["params"].clone()
}

#[test]
fn what_the_application_says_for_itself_is_sent_to_the_letter() {
    let mut w = World::stateless();
    let own = json!({ "name": "n", "requestState": "mine", "inputResponses": { "k": { "action": "decline" } } });
    let (_, sent) = w.begin_with("tools/call", &own);
    let params = &sent.json()["params"];
    assert_eq!(params["requestState"], own["requestState"]);
    assert_eq!(params["inputResponses"], own["inputResponses"]);
}

#[test]
fn an_ask_looks_the_same_as_in_a_session() {
    let mut w = World::stateless();
    let (call, sent) = w.begin("tools/call");
    w.answer(&sent, 200).result(required(&[ELICIT], Some("s")));
    let ask = w.ask();
    assert_eq!(ask.method, "elicitation/create");
    assert_eq!(ask.params.unwrap().as_str(), r#"{"of":"e"}"#);
    assert_eq!(ask.call, Some(call));
    assert!(w.open.is_empty() && !w.ended(call));
    assert_eq!(w.connection.status().open_calls, 1);
}

#[test]
fn after_the_last_answer_the_request_goes_out_again_with_all_of_them_and_the_state() {
    let (mut w, call, first, tickets) = asked(&[ELICIT, ROOTS], Some("st\u{e4}te\n"));
    answer(&mut w, tickets[1], &json!({ "roots": [] }));
    assert!(w.open.is_empty(), "one answer is missing");
    answer(&mut w, tickets[0], &person(7));
    let again = w.take("tools/call");
    assert_ne!(again.rpc_id(), first.rpc_id());
    let sent = params(&again);
    assert_eq!(sent["name"], "n");
    assert_eq!(sent["arguments"], json!({ "a": 1 }));
    assert_eq!(sent["requestState"], "st\u{e4}te\n");
    assert_eq!(
        sent["inputResponses"],
        json!({
            "e": person(7),
            "r": { "roots": [] },
        })
    );
    assert_eq!(
        sent["_meta"]["io.modelcontextprotocol/protocolVersion"],
        "2026-07-28"
    );
    w.answer(&again, 200)
        .result(json!({ "resultType": "complete", "ok": true }));
    assert_eq!(w.result(call)["ok"], true);
    for ticket in tickets {
        assert!(w.accepted(Subject::Answer(ticket)));
    }
}

#[test]
fn questions_and_the_final_result_may_come_on_streams() {
    let mut w = World::stateless();
    let (call, sent) = w.begin("tools/call");
    let asks = crate::world::result(sent.rpc_id(), required(&[ELICIT], None));
    w.answer(&sent, 200).stream(&[log("before"), asks]);
    assert_eq!(w.logs(), ["before"]);
    let ticket = w.ask().ticket;
    answer(&mut w, ticket, &json!({ "action": "decline" }));
    let again = w.take("tools/call");
    assert_eq!(params(&again).get("requestState"), None, "none came");
    let end = crate::world::result(again.rpc_id(), json!({}));
    w.answer(&again, 200).stream(&[log("after"), end]);
    assert_eq!(w.logs(), ["after"]);
    w.reply(call);
}

#[test]
fn the_state_goes_back_to_the_byte() {
    let mut w = World::stateless();
    let (_, sent) = w.begin("tools/call");
    let state = r#""\u00e9\/ \ud83d\ude00""#;
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":{},"result":{{"resultType":"input_required","requestState":{state}}}}}"#,
        sent.rpc_id()
    );
    w.answer(&sent, 200).typed("application/json", body);
    let again = w.wait_for("tools/call");
    let body = std::str::from_utf8(again.request.body()).unwrap();
    assert!(
        body.contains(&format!(r#""requestState":{state}"#)),
        "{body}"
    );
}

#[test]
fn state_alone_goes_back_after_a_pause() {
    let (mut w, call, first, _) = asked(&[], Some("s"));
    assert!(w.open.is_empty());
    let again = w.wait_for("tools/call");
    assert_eq!(again.at.since(first.at), millis(250));
    assert_eq!(params(&again)["requestState"], "s");
    assert_eq!(params(&again).get("inputResponses"), None);
    w.answer(&again, 200).result(json!({}));
    w.reply(call);
}

#[test]
fn only_the_answers_of_the_last_round_go_along() {
    let (mut w, call, _, tickets) = asked(&[ELICIT], Some("1"));
    answer(&mut w, tickets[0], &person(1));
    let second = w.take("tools/call");
    w.answer(&second, 200)
        .result(required(&[("f", "roots/list")], None));
    let ask = w.ask();
    answer(&mut w, ask.ticket, &roots(2));
    let third = w.take("tools/call");
    assert_eq!(params(&third)["inputResponses"], json!({ "f": roots(2) }));
    assert_eq!(params(&third).get("requestState"), None);
    w.answer(&third, 200).result(required(&[], Some("3")));
    let fourth = w.wait_for("tools/call");
    assert_eq!(params(&fourth).get("inputResponses"), None);
    assert_eq!(params(&fourth)["requestState"], "3");
    w.answer(&fourth, 200).result(json!({}));
    w.reply(call);
}

#[test]
fn rounds_are_bounded() {
    let (mut w, call, _, _) = asked(&[], Some("0"));
    for round in 1..10 {
        let sent = w.wait_for("tools/call");
        w.answer(&sent, 200)
            .result(required(&[], Some(&round.to_string())));
    }
    let sent = w.wait_for("tools/call");
    w.answer(&sent, 200).result(required(&[], Some("11")));
    let error = w.error(call);
    let Reason::Limit(exceeded) = error.reason() else {
        panic!("{error}");
    };
    assert_eq!((exceeded.kind, exceeded.value), (LimitKind::Rounds, 10));
    assert_eq!(error.delivery(), Delivery::Unknown);
    w.advance(secs(100));
    assert!(w.open.is_empty());
}

#[test]
fn questions_are_bounded_in_one_answer_and_over_all_calls() {
    let mut w =
        World::stateless_with(|config| config.limits(limits(|limits| limits.open_asks = 2)));
    let (call, sent) = w.begin("tools/call");
    w.answer(&sent, 200)
        .result(required(&[ELICIT, ROOTS], None));
    let (_, _) = (w.ask(), w.ask());
    let (other, sent) = w.begin("tools/call");
    w.answer(&sent, 200).result(required(&[ROOTS], None));
    let error = w.error(other);
    assert!(
        matches!(error.reason(), Reason::Limit(exceeded) if exceeded.kind == LimitKind::OpenAsks),
        "the questions of all calls count: {error}"
    );
    assert_eq!(error.delivery(), Delivery::Unknown);
    w.cancel(call);
    let (call, sent) = w.begin("tools/call");
    let three = [ELICIT, ROOTS, ("x", "roots/list")];
    w.answer(&sent, 200).result(required(&three, None));
    let error = w.error(call);
    assert!(
        matches!(error.reason(), Reason::Limit(exceeded) if exceeded.kind == LimitKind::OpenAsks),
        "{error}"
    );
}

#[test]
fn an_error_for_an_answer_ends_the_call_for_no_answer_can_carry_it() {
    let (mut w, call, _, tickets) = asked(&[ELICIT, ROOTS], Some("s"));
    answer(&mut w, tickets[1], &json!({ "roots": [] }));
    let refused = Err::<&Value, _>(RpcError::new(-1, "no"));
    w.connection.answer(tickets[0], refused, w.now).unwrap();
    w.drive();
    let error = w.error(call);
    assert_eq!(*error.reason(), Refused::Unanswered.into());
    assert_eq!(error.delivery(), Delivery::Unknown);
    assert!(w.open.is_empty(), "nothing is sent");
    for ticket in tickets {
        assert!(w.accepted(Subject::Answer(ticket)), "nobody waits for ever");
    }
}

#[test]
fn a_question_that_was_not_announced_ends_the_call() {
    let mut w =
        World::stateless_with(|config| config.capabilities(&json!({ "roots": {} })).unwrap());
    let (call, sent) = w.begin("tools/call");
    w.answer(&sent, 200)
        .result(required(&[ROOTS, ELICIT], None));
    let error = w.error(call);
    assert!(
        matches!(error.reason(), Reason::Peer(Peer::InputRequired(_))),
        "{error}"
    );
    assert!(w.open.is_empty());
    assert!(!w.events.iter().any(|event| matches!(event, Event::Ask(_))));
}

#[test]
fn input_where_none_can_be_required_breaks_the_protocol() {
    for method in ["tools/list", "prompts/list", "completion/complete", "x"] {
        let mut w = World::stateless();
        let (call, sent) = w.begin(method);
        w.answer(&sent, 200).result(required(&[ELICIT], Some("s")));
        let error = w.error(call);
        assert!(
            matches!(error.reason(), Reason::Peer(Peer::InputRequired(_))),
            "{method}: {error}"
        );
    }
    for method in ["tools/call", "prompts/get", "resources/read"] {
        let mut w = World::stateless();
        let (call, sent) = w.begin(method);
        w.answer(&sent, 200).result(required(&[ELICIT], Some("s")));
        assert!(!w.ended(call), "{method}");
    }
    for empty in [
        json!({ "resultType": "input_required" }),
        json!({ "resultType": "input_required", "inputRequests": {} }),
        json!({ "resultType": "input_required", "inputRequests": null, "requestState": null }),
    ] {
        let mut w = World::stateless();
        let (call, sent) = w.begin("tools/call");
        w.answer(&sent, 200).result(empty);
        assert!(matches!(w.error(call).reason(), Reason::Peer(_)));
    }
}

#[test]
fn the_time_in_which_a_person_is_asked_does_not_count() {
    let mut w = World::stateless();
    let call = w.call_with("tools/call", CallOptions::new().time_out(secs(10)));
    let sent = w.take("tools/call");
    w.advance(secs(6));
    w.answer(&sent, 200)
        .result(required(&[ELICIT, ROOTS], None));
    let (first, second) = (w.ask().ticket, w.ask().ticket);
    w.advance(secs(3600));
    answer(&mut w, first, &person(1));
    w.advance(secs(3600));
    answer(&mut w, second, &roots(1));
    let again = w.take("tools/call");
    w.advance(secs(3));
    assert!(!w.ended(call));
    w.advance(secs(1));
    assert!(matches!(w.error(call).reason(), Reason::Timeout(_)));
    assert!(w.aborted.contains(&again.exchange));
}

#[test]
fn a_call_that_ends_takes_its_questions_along() {
    let (mut w, call, _, tickets) = asked(&[ELICIT, ROOTS], None);
    answer(&mut w, tickets[0], &person(1));
    w.cancel(call);
    let error = w.error(call);
    assert_eq!(
        error.delivery(),
        Delivery::Unknown,
        "the server has begun with it"
    );
    let withdrawn = w.events.iter().any(|event| {
        matches!(event, Event::AskWithdrawn { ticket, cause: Withdrawal::CallEnded } if *ticket == tickets[1])
    });
    assert!(withdrawn);
    let late = w
        .connection
        .answer(tickets[1], Ok(&json!({})), w.now)
        .unwrap_err();
    let Reason::Misuse(misuse) = late.reason() else {
        panic!("{late}");
    };
    assert_eq!(*misuse.mistake(), Mistake::TicketNotOpen);
    w.advance(secs(100));
    assert!(w.open.is_empty());
}

#[test]
fn closing_ends_a_call_that_waits_for_answers() {
    let (mut w, call, _, tickets) = asked(&[ELICIT], None);
    w.close();
    assert_eq!(*w.error(call).reason(), Reason::Closed);
    assert!(w.connection.is_closed());
    assert!(
        w.connection
            .answer(tickets[0], Ok(&json!({})), w.now)
            .is_err()
    );
}

#[test]
fn a_round_that_cannot_be_sent_fails_the_call_as_begun() {
    let (mut w, call, _, tickets) = asked(&[ELICIT], None);
    answer(&mut w, tickets[0], &person(1));
    let sent = w.take("tools/call");
    w.fail(&sent, refused_connection());
    let error = w.error(call);
    assert_eq!(
        error.delivery(),
        Delivery::Unknown,
        "the first round was not"
    );
    assert!(matches!(error.reason(), Reason::Transport(_)));
}

#[test]
fn an_answer_is_accepted_at_once_so_that_nobody_waits_for_it_before_the_next() {
    let (mut w, _, _, tickets) = asked(&[ELICIT, ROOTS], None);
    answer(&mut w, tickets[0], &person(1));
    assert!(w.accepted(Subject::Answer(tickets[0])));
    assert!(w.open.is_empty());
}

#[test]
fn a_refused_round_goes_out_again_with_the_same_answers() {
    let (mut w, call, _, tickets) = asked(&[ELICIT], Some("s"));
    answer(&mut w, tickets[0], &person(1));
    let sent = w.take("tools/call");
    w.answer(&sent, 429).header("retry-after", "1").empty();
    let again = w.wait_for("tools/call");
    assert_eq!(params(&again)["inputResponses"], json!({ "e": person(1) }));
    assert_eq!(params(&again)["requestState"], "s");
    w.answer(&again, 200).result(json!({}));
    w.reply(call);
    assert!(w.accepted(Subject::Answer(tickets[0])));
}

/// A round is no call that is sent again: the server has asked for it.
#[test]
fn a_call_that_must_not_be_sent_again_has_its_rounds() {
    let mut w = World::stateless();
    let call = w.call_with("tools/call", CallOptions::new().resend(Resend::Never));
    let sent = w.take("tools/call");
    w.answer(&sent, 200).result(required(&[ROOTS], None));
    let ticket = w.ask().ticket;
    answer(&mut w, ticket, &roots(1));
    let sent = w.take("tools/call");
    w.answer(&sent, 429).empty();
    assert_eq!(w.error(call).delivery(), Delivery::Unknown);
    w.advance(secs(60));
    assert_eq!(w.count("tools/call"), 2);
}

#[test]
fn rounds_of_calls_beside_each_other_do_not_mix() {
    let mut w = World::stateless();
    let mut calls = Vec::new();
    for n in 0..3 {
        let (call, sent) = w.begin_with("tools/call", &json!({ "name": n.to_string() }));
        let state = format!("state {n}");
        w.answer(&sent, 200)
            .result(required(&[("k", "roots/list")], Some(&state)));
        calls.push((n, call, w.ask().ticket));
    }
    for (n, call, ticket) in calls.into_iter().rev() {
        answer(&mut w, ticket, &roots(n));
        let sent = w.take("tools/call");
        assert_eq!(params(&sent)["name"], n.to_string());
        assert_eq!(params(&sent)["requestState"], format!("state {n}"));
        assert_eq!(params(&sent)["inputResponses"], json!({ "k": roots(n) }));
        w.answer(&sent, 200).result(json!({ "n": n }));
        assert_eq!(w.result(call)["n"], n);
    }
}

#[test]
fn what_was_asked_is_no_room_for_others_and_never_waits_for_room() {
    let mut w = World::stateless_with(|config| config.limits(limits(|limits| limits.unread = 1)));
    w.reading = false;
    let (call, sent) = w.begin("tools/call");
    w.answer(&sent, 200)
        .result(required(&[ELICIT, ROOTS], None));
    w.reading = true;
    w.drive();
    let (first, second) = (w.ask(), w.ask());
    assert_eq!((first.call, second.call), (Some(call), Some(call)));
}

#[test]
fn each_round_may_ask_for_a_credential() {
    let mut w = World::stateless_with(|config| config.authorize(true).bearer("old").unwrap());
    let (call, sent) = w.begin("tools/call");
    deny(&mut w, &sent);
    w.authorize("Bearer new");
    let sent = w.take("tools/call");
    w.answer(&sent, 200).result(required(&[ROOTS], Some("s")));
    let ask = w.ask();
    w.advance(secs(7200));
    answer(&mut w, ask.ticket, &roots(1));
    let sent = w.take("tools/call");
    deny(&mut w, &sent);
    assert!(!w.ended(call), "{:?}", w.events);
    w.authorize("Bearer newer");
    let sent = w.take("tools/call");
    assert!(params(&sent)["inputResponses"]["r"].is_object());
}

fn deny(w: &mut World, sent: &Sent) {
    w.answer(sent, 401)
        .header("www-authenticate", "Bearer")
        .empty();
}

#[test]
fn redirects_and_resends_count_within_each_round() {
    let mut w = World::stateless();
    let (call, mut sent) = w.begin("tools/call");
    for round in 0..5 {
        for _ in 0..2 {
            w.answer(&sent, 307).header("location", "/mcp/").empty();
            sent = w.take("tools/call");
            w.answer(&sent, 429).header("retry-after", "1").empty();
            assert!(!w.ended(call), "round {round}: {:?}", w.events);
            sent = w.wait_for("tools/call");
        }
        w.answer(&sent, 200).result(required(&[ROOTS], None));
        let ask = w.ask();
        answer(&mut w, ask.ticket, &roots(round));
        sent = w.take("tools/call");
    }
}

#[test]
fn each_round_may_be_renegotiated_and_repaired() {
    let mut w = World::stateless();
    let call = w.call("tools/call");
    for round in 0..2 {
        let sent = w.take("tools/call");
        let other = unsupported(sent.rpc_id(), &[DATE]);
        w.answer(&sent, 400).json(&other);
        let sent = w.take("tools/call");
        let mismatch = error_with(sent.rpc_id(), -32020, json!(null));
        w.answer(&sent, 400).json(&mismatch);
        let page = w.take("tools/list");
        w.answer(&page, 200).result(json!({ "tools": [] }));
        if round == 0 {
            let sent = w.take("tools/call");
            w.answer(&sent, 200).result(required(&[ROOTS], None));
            let ticket = w.ask().ticket;
            answer(&mut w, ticket, &roots(1));
        }
    }
    w.succeed("tools/call");
    w.reply(call);
}

#[test]
fn waiting_for_a_server_does_not_count_people() {
    for options in [CallOptions::new(), CallOptions::new().no_time_out()] {
        let mut w = World::stateless();
        let call = w.call_with("tools/call", options.wait_for_server(secs(60)));
        let sent = w.take("tools/call");
        w.answer(&sent, 200).result(required(&[ROOTS], None));
        let ask = w.ask();
        w.advance(secs(120));
        answer(&mut w, ask.ticket, &roots(1));
        let sent = w.take("tools/call");
        w.fail(&sent, refused_connection());
        assert!(!w.ended(call), "{:?}", w.events);
        w.wait_for("tools/call");
    }
}

#[test]
fn what_rounds_hold_counts_with_all_buffers() {
    let mut w = World::stateless_with(|c| c.limits(limits(|limits| limits.buffers = 1 << 20)));
    let (first, sent) = w.begin("tools/call");
    let state = "x".repeat(900_000);
    w.answer(&sent, 200)
        .result(required(&[ROOTS], Some(&state)));
    let ask = w.ask();
    let held = w.connection.status().buffered;
    assert!(held > 900_000, "{held}");
    let (second, sent) = w.begin("tools/call");
    w.answer(&sent, 200)
        .result(required(&[ROOTS], Some(&state)));
    let error = w.error(second);
    assert!(
        matches!(error.reason(), Reason::Limit(exceeded) if exceeded.kind == LimitKind::Buffers),
        "{error}"
    );
    assert_eq!(w.connection.status().buffered, held);
    answer(
        &mut w,
        ask.ticket,
        &json!({ "roots": [], "x": "y".repeat(1000) }),
    );
    let sent = w.take("tools/call");
    assert!(w.connection.status().buffered > held + 1000);
    w.answer(&sent, 200).result(json!({}));
    w.result(first);
    assert_eq!(w.connection.status().buffered, 0);
}

#[test]
fn the_keys_of_questions_count_with_all_buffers() {
    let mut w = World::stateless();
    let (call, sent) = w.begin("tools/call");
    let keys = ["a".repeat(100_000), "b".repeat(100_000)];
    let asks = [(&*keys[0], "roots/list"), (&*keys[1], "roots/list")];
    w.answer(&sent, 200).result(required(&asks, None));
    let held = w.connection.status().buffered;
    assert!(held > 200_000, "{held}");
    for _ in 0..2 {
        let ticket = w.ask().ticket;
        answer(&mut w, ticket, &roots(1));
    }
    let sent = w.take("tools/call");
    assert!(w.connection.status().buffered < held + 1000, "counted once");
    w.answer(&sent, 200).result(json!({}));
    w.result(call);
    assert_eq!(w.connection.status().buffered, 0);
}

#[test]
fn a_key_that_is_no_text_goes_back_as_it_came() {
    let mut w = World::stateless();
    let (_, sent) = w.begin("tools/call");
    let result =
        r#"{"resultType":"input_required","inputRequests":{"\ud800":{"method":"roots/list"}}}"#;
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#,
        sent.rpc_id()
    );
    w.answer(&sent, 200).typed("application/json", body);
    let ask = w.ask();
    w.advance(secs(1));
    assert!(!w.has("tools/call"), "sent again without the answers");
    answer(&mut w, ask.ticket, &roots(1));
    // The scripted server cannot read such a request, and so does not know its method.
    let sent = w.take("answer");
    let body = std::str::from_utf8(sent.request.body()).unwrap();
    assert!(body.contains(r#""inputResponses":{"\ud800":{"#), "{body}");
}

#[test]
fn rounds_ask_nothing_but_what_their_revision_has() {
    let tasks = json!({ "tasks": {}, "roots": {} });
    for method in ["tasks/get", "tasks/list", "ping"] {
        let mut w = World::stateless_with(|config| config.capabilities(&tasks).unwrap());
        let (call, sent) = w.begin("tools/call");
        w.answer(&sent, 200)
            .result(required(&[("t", method)], None));
        let reason = w.error(call).reason().clone();
        assert!(
            matches!(reason, Reason::Peer(Peer::InputRequired(_))),
            "{method}: {reason}"
        );
    }
}

#[test]
fn an_empty_list_of_extensions_announces_none() {
    let empty = json!({ "extensions": {} });
    let mut w = World::stateless_with(|config| config.capabilities(&empty).unwrap());
    let (call, sent) = w.begin("tools/call");
    w.answer(&sent, 200).result(json!({ "resultType": "task" }));
    let reason = w.error(call).reason().clone();
    assert!(
        matches!(reason, Reason::Peer(Peer::ResultType(_))),
        "{reason}"
    );
}
