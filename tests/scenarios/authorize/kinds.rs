//! Every kind of message: refused, sent once more, refused again, closed over.

use mcp_http::{CallOptions, Delivery, Event, Reason, Subject};
use serde_json::json;

use super::{NEW, OLD, asking, ready, ready_with};
use crate::world::{Sent, World, initialized, request, reset, secs};

pub(super) type Begin = fn() -> (World, Sent);

/// One world for each, in which a message of this kind is under way.
pub(super) fn every_kind() -> Vec<(&'static str, Begin)> {
    vec![
        ("tools/call", || {
            let mut w = ready();
            let (_, sent) = w.begin("tools/call");
            (w, sent)
        }),
        ("resume", || {
            let (mut w, _, sent) = ready().and_primed(CallOptions::new());
            w.fail(&sent, reset());
            let get = w.wait_for("GET");
            (w, get)
        }),
        ("listen", || {
            let mut w = ready_with(asking().listen(true));
            let get = w.take("GET");
            (w, get)
        }),
        ("initialize", || {
            let mut w = World::new(asking());
            w.connect();
            let sent = w.take("initialize");
            (w, sent)
        }),
        ("notifications/initialized", || {
            let mut w = World::new(asking());
            w.connect();
            w.accept_initialize("s1");
            let sent = w.take("notifications/initialized");
            (w, sent)
        }),
        ("ping", || {
            let mut w = ready();
            let (_, sent) = w.begin("tools/call");
            w.answer(&sent, 400).empty();
            let ping = w.take("ping");
            (w, ping)
        }),
        ("notifications/x", || {
            let mut w = ready();
            w.notify("notifications/x");
            let sent = w.take("notifications/x");
            (w, sent)
        }),
        ("answer", || {
            let mut w = ready();
            let (_, sent) = w.begin("tools/call");
            w.answer(&sent, 200)
                .stream(&[request("q", "roots/list", json!({}))]);
            let ticket = w.ask().ticket;
            w.reply_to(ticket);
            let answer = w.take("answer");
            (w, answer)
        }),
        ("notifications/cancelled", || {
            let mut w = ready();
            let (call, _) = w.begin("tools/call");
            w.cancel(call);
            w.error(call);
            let sent = w.take("notifications/cancelled");
            (w, sent)
        }),
        ("resources/subscribe", || {
            let mut w = ready();
            w.connection
                .call(
                    "resources/subscribe",
                    &json!({ "uri": "x" }),
                    CallOptions::new(),
                    w.now,
                )
                .unwrap();
            w.drive();
            w.succeed("resources/subscribe");
            let (call, sent) = w.begin("tools/call");
            w.answer(&sent, 404).empty();
            w.recover("s2");
            w.succeed("tools/call");
            w.reply(call);
            let sent = w.take("resources/subscribe");
            w.events.clear();
            (w, sent)
        }),
    ]
}

/// What a good server answers to a message of this kind.
pub(super) fn accept(w: &mut World, kind: &str, sent: &Sent) {
    match kind {
        "initialize" => {
            let answer = w.answer(sent, 200).header("mcp-session-id", "s1");
            answer.result(initialized("2025-11-25"));
        }
        "resume" | "listen" => w.answer(sent, 200).stream(&[]),
        "DELETE" => w.answer(sent, 204).empty(),
        "answer" => w.answer(sent, 202).empty(),
        kind if kind.starts_with("notifications/") => w.answer(sent, 202).empty(),
        _ => w.answer(sent, 200).result(json!({})),
    }
}

#[test]
fn every_kind_of_message_asks_once_and_is_sent_once_more() {
    for (kind, begin) in every_kind() {
        let (mut w, sent) = begin();
        let method = sent.method();
        assert_eq!(sent.credential(), Some(OLD), "{kind}");
        w.deny(&sent);
        let asked = w.authorization();
        let told = match kind {
            "resume" => Some("tools/call"),
            "listen" | "answer" => None,
            kind => Some(kind),
        };
        assert_eq!(asked.method.as_deref(), told, "{kind}");
        assert!(!w.has(&method), "{kind}");
        let before = w.count(&method);
        w.authorize(NEW);
        let again = w.renewed(&method);
        assert_eq!(w.count(&method), before + 1, "{kind}");
        assert_eq!(again.session(), sent.session(), "{kind}");
        assert_eq!(again.cursor(), sent.cursor(), "{kind}");
        assert_eq!(again.at, w.now, "{kind} leaves at once");
        accept(&mut w, kind, &again);
        let failed = w
            .events
            .iter()
            .any(|event| matches!(event, Event::Fail { .. }) && kind != "ping");
        assert!(
            !failed && !w.asks_for_credential(),
            "{kind}: {:?}",
            w.events
        );
    }
}

#[test]
fn every_kind_of_message_that_is_refused_again_asks_nobody() {
    for (kind, begin) in every_kind() {
        let (mut w, sent) = begin();
        w.deny(&sent);
        w.authorization();
        w.authorize(NEW);
        let again = w.renewed(&sent.method());
        w.deny(&again);
        assert!(!w.asks_for_credential(), "{kind}");
        assert!(!w.connection.status().awaits_authorization, "{kind}");
    }
}

#[test]
fn every_kind_of_message_takes_its_refusal_if_there_is_no_other_credential() {
    for (kind, begin) in every_kind() {
        let (mut w, sent) = begin();
        let mut plain = w.clone();
        w.deny(&sent);
        w.authorization();
        let before = w.sent.len();
        w.refuse_authorization();
        assert!(!w.sent_since(before).contains(&sent.method()), "{kind}");
        // As the second refusal does.
        plain.deny(&sent);
        plain.authorization();
        plain.authorize(NEW);
        let again = plain.renewed(&sent.method());
        plain.deny(&again);
        assert_eq!(
            format!("{:?}", w.events),
            format!("{:?}", plain.events),
            "{kind}"
        );
        assert_eq!(w.phase(), plain.phase(), "{kind}");
    }
}

#[test]
fn every_kind_of_message_goes_at_once_if_its_credential_has_been_replaced() {
    for (kind, begin) in every_kind() {
        let (mut w, sent) = begin();
        w.set_credential(Some(NEW));
        w.deny(&sent);
        assert!(!w.asks_for_credential(), "{kind}");
        let again = w.renewed(&sent.method());
        accept(&mut w, kind, &again);
        let failed = w
            .events
            .iter()
            .any(|event| matches!(event, Event::Fail { .. }) && kind != "ping");
        assert!(!failed, "{kind}: {:?}", w.events);
    }
}

#[test]
fn every_kind_of_message_can_be_closed_over() {
    for (kind, begin) in every_kind() {
        for read in [true, false] {
            let (mut w, sent) = begin();
            w.reading = read;
            w.deny(&sent);
            w.close();
            w.reading = true;
            w.drive();
            assert_eq!(
                w.asks_for_credential(),
                read,
                "{kind}: an unread question is void"
            );
            assert!(!w.connection.status().awaits_authorization, "{kind}");
            w.answer_all("DELETE", 200);
            assert!(w.connection.is_closed(), "{kind}");
            let before = w.sent.len();
            w.authorize(NEW);
            w.advance(secs(4000));
            assert_eq!(w.sent.len(), before, "law 12, {kind}");
            assert_eq!(w.connection.status().open_calls, 0, "{kind}");
        }
    }
}

#[test]
fn what_waits_ends_when_the_connection_is_closed() {
    let mut w = ready();
    let call = w.denied("tools/call");
    let note = w.notify("notifications/x");
    w.deny_next("notifications/x");
    w.close();
    for subject in [Subject::Call(call), Subject::Notification(note)] {
        let error = w.error_of(subject);
        assert_eq!(*error.reason(), Reason::Closed);
        assert_eq!(error.delivery(), Delivery::Rejected, "it was refused");
    }
}

#[test]
fn notifications_go_again_in_their_old_order() {
    let mut w = ready();
    let methods: Vec<_> = (0..4).map(|at| format!("notifications/{at}")).collect();
    for method in &methods {
        w.notify(method);
    }
    for method in ["notifications/2", "notifications/0", "notifications/1"] {
        w.deny_next(method);
    }
    w.authorization();
    let before = w.sent.len();
    w.authorize(NEW);
    assert_eq!(w.sent_since(before), methods[..3]);
}

#[test]
fn notifications_that_wait_count_against_their_limit() {
    let mut w = ready_with(asking().limits(crate::world::limits(|it| it.open_notifications = 1)));
    w.notify("notifications/x");
    w.deny_next("notifications/x");
    assert!(w.connection.notify("notifications/y", &(), w.now).is_err());
    w.authorize(NEW);
    w.accept("notifications/x");
    w.notify("notifications/y");
}
