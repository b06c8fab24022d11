//! Laws: no credential goes astray, nothing is sent or kept without bound.

use mcp_http::Event;
use serde_json::{Value, json};

use super::kinds::accept;
use super::{NEW, STEP_UP, asking, ready, ready_with};
use crate::world::{Sent, World, limits, request, rpc_error, secs};

#[test]
fn no_credential_goes_to_another_origin() {
    let mut w = ready();
    let call = w.denied("tools/call");
    w.authorization();
    w.authorize(NEW);
    let again = w.renewed("tools/call");
    w.answer(&again, 307)
        .header("location", "https://evil.example/mcp")
        .empty();
    w.error(call);
    for sent in &w.sent {
        assert_eq!(sent.request.uri().host(), Some("example.com"), "law 11");
    }
}

#[test]
fn a_redirected_call_is_refused_and_sent_once_more() {
    let mut w = ready();
    let (call, sent) = w.begin("tools/call");
    w.answer(&sent, 307).header("location", "/mcp/").empty();
    w.deny_next("tools/call");
    w.authorization();
    w.authorize(NEW);
    let again = w.renewed("tools/call");
    assert_eq!(again.request.uri().path(), "/mcp");
    w.answer(&again, 307).header("location", "/mcp/").empty();
    w.succeed("tools/call");
    w.reply(call);
}

#[test]
fn other_messages_that_wait_take_no_place_of_a_cancellation() {
    let mut w = ready();
    for _ in 0..64 {
        w.notify("notifications/x");
        w.deny_next("notifications/x");
    }
    let (call, _) = w.begin("tools/call");
    w.cancel(call);
    w.deny_next("notifications/cancelled");
    w.authorize(NEW);
    w.renewed("notifications/cancelled");
}

#[test]
fn cancellations_that_wait_are_bounded() {
    let all_at_once = limits(|limits| limits.control_exchanges = 1000);
    let mut w = ready_with(asking().limits(all_at_once));
    for _ in 0..200 {
        let (call, _) = w.begin("tools/call");
        w.cancel(call);
        w.deny_next("notifications/cancelled");
        w.events
            .retain(|event| matches!(event, Event::Authorize(_)));
    }
    w.authorization();
    let before = w.sent.len();
    w.authorize(NEW);
    let told = w.sent_since(before);
    assert_eq!(told.len(), 64);
}

#[test]
fn refusals_that_wait_count_as_buffered() {
    for end in ["authorize", "refuse", "cancel", "lose", "close"] {
        let mut w = ready();
        let (call, sent) = w.begin("tools/call");
        let note = w.notify("notifications/x");
        let told = w.take("notifications/x");
        let long = "x".repeat(10_000);
        for sent in [&sent, &told] {
            w.answer(sent, 401).json(&rpc_error(Value::Null, -1, &long));
        }
        assert!(w.connection.status().buffered >= 20_000);
        match end {
            "authorize" => w.authorize(NEW),
            "refuse" => w.refuse_authorization(),
            "close" => w.close(),
            "lose" => {
                w.notify("notifications/y");
                w.answer_all("notifications/y", 404);
                w.recover("s2");
                assert!(w.connection.status().buffered >= 20_000, "they wait on");
                w.authorize(NEW);
            }
            _ => {
                w.cancel(call);
                assert!(w.connection.status().buffered < 20_000);
                w.refuse_authorization();
            }
        }
        w.events.clear();
        assert_eq!(w.connection.status().buffered, 0, "{end}, {note:?}");
    }
}

#[test]
fn answers_of_the_machine_that_wait_are_bounded() {
    let mut w = ready();
    let (_, sent) = w.begin("tools/call");
    w.answer(&sent, 200).stream(&[]);
    for number in 0..1000 {
        w.event(&sent, &request(number, "ping", json!({})));
        while w.has("answer") {
            w.deny_next("answer");
        }
    }
    assert!(
        !w.connection.wants_read(sent.exchange),
        "it is left in the socket"
    );
    assert!(w.count("answer") <= 256);
    w.authorization();
    w.authorize(NEW);
    let answers: Vec<_> = w
        .open
        .iter()
        .filter(|sent| sent.method() == "answer")
        .collect();
    let ids: Vec<_> = answers
        .iter()
        .map(|sent| sent.json()["id"].as_u64().unwrap())
        .collect();
    assert!(ids.is_sorted(), "in their old order: {ids:?}");
}

/// Every story of this length, of a server that answers the oldest call and an application
/// that gives credentials: each call ends once, and is sent once with each credential at most.
#[test]
fn in_every_story_each_call_ends_once_and_is_sent_boundedly() {
    #[derive(Clone, Copy, Debug)]
    enum Act {
        Answer(u16),
        Authorize,
        Refuse,
        Replace,
    }
    const ACTS: [Act; 7] = [
        Act::Answer(200),
        Act::Answer(401),
        Act::Answer(403),
        Act::Answer(404),
        Act::Authorize,
        Act::Refuse,
        Act::Replace,
    ];
    struct Tale {
        w: World,
        credentials: usize,
        losses: usize,
    }
    fn act(tale: &mut Tale, act: Act) -> bool {
        let w = &mut tale.w;
        let oldest = w.open.first().map(Sent::method);
        match act {
            Act::Answer(status) => {
                let Some(method) = oldest else { return false };
                let sent = w.take(&method);
                match (status, &*method) {
                    (200, "initialize") => accept(w, "initialize", &sent),
                    (200, kind) => accept(w, kind, &sent),
                    (404, "tools/call") => {
                        tale.losses += 1;
                        w.answer(&sent, 404).empty();
                    }
                    (404, _) => return false,
                    (_, _) => w
                        .answer(&sent, status)
                        .header("www-authenticate", STEP_UP)
                        .empty(),
                }
                w.advance(secs(30));
            }
            Act::Authorize | Act::Replace => {
                tale.credentials += 1;
                let credential = format!("Bearer {}", tale.credentials);
                match act {
                    Act::Authorize => w.authorize(&credential),
                    _ => w.set_credential(Some(&credential)),
                }
            }
            Act::Refuse => {
                if !w.connection.status().awaits_authorization {
                    return false;
                }
                w.refuse_authorization();
            }
        }
        true
    }
    fn tell(tale: &Tale, depth: usize, told: &mut Vec<Act>) {
        let sent = tale.w.count("tools/call");
        let most = 2 * (1 + tale.credentials + tale.losses);
        assert!(sent <= most, "{told:?}: {sent} sendings");
        if depth > 0 {
            for next in ACTS {
                let mut tale = Tale {
                    w: tale.w.clone(),
                    ..*tale
                };
                told.push(next);
                if act(&mut tale, next) {
                    tell(&tale, depth - 1, told);
                }
                told.pop();
            }
            return;
        }
        // From here on all goes well.
        let mut w = tale.w.clone();
        for _ in 0..20 {
            if w.connection.status().awaits_authorization {
                w.authorize("Bearer good");
            }
            while let Some(method) = w.open.first().map(Sent::method) {
                let sent = w.take(&method);
                accept(&mut w, &method, &sent);
            }
            w.advance(secs(30));
        }
        assert_eq!(w.connection.status().open_calls, 0, "{told:?}");
    }
    let mut w = ready();
    w.call("tools/call");
    w.call("tools/call");
    let tale = Tale {
        w,
        credentials: 0,
        losses: 0,
    };
    tell(&tale, 5, &mut Vec::new());
}
