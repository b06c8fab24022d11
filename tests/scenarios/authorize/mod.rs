//! Section 9: what is refused for its credential waits for another one, asked for once.

mod alone;
mod kinds;
mod laws;
mod meanwhile;

use mcp_http::{CallOptions, Config, Delivery, Error, Phase, Refused, Remedy, Resend, Subject};
use serde_json::json;

use crate::world::{Sent, World, config, secs};

const OLD: &str = "Bearer old";
const NEW: &str = "Bearer new";
const CHALLENGE: &str = r#"Bearer error="invalid_token", scope="a b", Basic realm="y, z""#;
const STEP_UP: &str = r#"Bearer error="insufficient_scope", scope="files:write""#;

/// Its application answers `Authorize`, and begins with an old credential.
fn asking() -> Config {
    config().authorize(true).bearer("old").unwrap()
}

fn ready() -> World {
    ready_with(asking())
}

fn ready_with(config: Config) -> World {
    World::ready_with(|_| config)
}

impl World {
    /// Refuses a request for its credential.
    fn deny(&mut self, sent: &Sent) {
        self.answer(sent, 401)
            .header("www-authenticate", CHALLENGE)
            .body("who are you?");
    }

    /// Refuses the oldest request of this method for its credential.
    #[track_caller]
    fn deny_next(&mut self, method: &str) -> Sent {
        let sent = self.take(method);
        self.deny(&sent);
        sent
    }

    /// A call that was refused for its credential.
    #[track_caller]
    fn denied(&mut self, method: &str) -> mcp_http::CallId {
        let (call, sent) = self.begin(method);
        self.deny(&sent);
        call
    }

    /// Takes the oldest request of this method, which carries the new credential.
    #[track_caller]
    fn renewed(&mut self, method: &str) -> Sent {
        let sent = self.take(method);
        assert_eq!(sent.credential(), Some(NEW), "{method}");
        sent
    }
}

#[track_caller]
fn unauthorised(error: &Error) {
    assert_eq!(*error.reason(), Refused::Unauthorized.into(), "{error}");
    assert_eq!(error.remedy(), Remedy::Authorise);
    assert_eq!(error.challenges().len(), 2);
    assert_eq!(error.excerpt(), Some("who are you?"));
}

// Retries (field failures).

#[test]
fn five_401s_are_one_authorisation() {
    let mut w = ready();
    let calls: Vec<_> = (0..5).map(|_| w.call("tools/call")).collect();
    let first: Vec<_> = (0..5).map(|_| w.take("tools/call")).collect();
    // In any order.
    for at in [3, 0, 4, 1, 2] {
        w.deny(&first[at]);
    }
    let asked = w.authorization();
    assert_eq!((asked.status.as_u16(), asked.challenges.len()), (401, 2));
    assert_eq!(asked.challenges[0].scope(), Some("a b"));
    assert_eq!(asked.method.as_deref(), Some("tools/call"));
    assert!(w.open.is_empty() && w.connection.status().awaits_authorization);

    w.authorize(NEW);
    assert!(!w.connection.status().awaits_authorization);
    let mut numbers = Vec::new();
    for call in calls {
        let sent = w.renewed("tools/call");
        numbers.push(sent.rpc_id());
        w.answer(&sent, 200)
            .result(json!({ "number": sent.rpc_id() }));
        assert_eq!(
            w.result(call),
            json!({ "number": sent.rpc_id() }),
            "in their old order"
        );
    }
    assert!(
        numbers.is_sorted() && numbers[0] > first[4].rpc_id(),
        "ids of their own"
    );
    assert_eq!(w.count("tools/call"), 10);
    assert!(!w.asks_for_credential());
}

#[test]
fn the_renewed_token_is_what_is_sent_again() {
    let mut w = ready();
    let (call, sent) = w.begin("tools/call");
    let (other, late) = w.begin("tools/call");
    w.set_credential(Some(NEW));
    w.deny(&sent);
    let again = w.renewed("tools/call");
    assert!(!w.asks_for_credential(), "it has been replaced meanwhile");
    w.answer(&again, 200).result(json!({}));
    w.reply(call);
    w.authorize("Bearer newer");
    w.deny(&late);
    let again = w.take("tools/call");
    assert_eq!(again.credential(), Some("Bearer newer"));
    w.answer(&again, 200).result(json!({}));
    w.reply(other);
    assert!(!w.asks_for_credential());
}

#[test]
fn a_401_is_not_hidden_by_its_json_rpc_body() {
    let mut w = ready();
    let (call, sent) = w.begin("tools/call");
    w.answer(&sent, 401).error(-32001, "Unauthorized");
    assert!(
        w.authorization().challenges.is_empty(),
        "a 401 without a challenge asks too"
    );
    w.refuse_authorization();
    let error = w.error(call);
    assert_eq!(*error.reason(), Refused::Unauthorized.into());
    assert_eq!(error.rpc_error().map(|rpc| rpc.code), Some(-32001));
}

// Who is asked, and when.

#[test]
fn nobody_is_asked_unless_the_application_says_that_it_answers() {
    let mut w = World::ready();
    let call = w.denied("tools/call");
    unauthorised(&w.error(call));
    assert!(!w.asks_for_credential());
}

#[test]
fn a_403_asks_only_for_more_scope() {
    let mut w = ready();
    let (call, sent) = w.begin("tools/call");
    w.answer(&sent, 403)
        .header("www-authenticate", STEP_UP)
        .error(1, "no");
    let asked = w.authorization();
    assert_eq!(asked.status.as_u16(), 403);
    assert_eq!(asked.challenges[0].scope(), Some("files:write"));
    w.authorize(NEW);
    let sent = w.renewed("tools/call");
    w.answer(&sent, 403)
        .header("www-authenticate", STEP_UP)
        .empty();
    let error = w.error(call);
    assert_eq!(*error.reason(), Refused::Forbidden.into());
    assert_eq!(
        (error.delivery(), error.remedy()),
        (Delivery::Rejected, Remedy::Authorise)
    );
    assert_eq!(error.challenges()[0].error(), Some("insufficient_scope"));

    for challenge in [
        r#"Bearer error="invalid_token""#,
        r#"Basic error="insufficient_scope""#,
        "Bearer",
    ] {
        let (call, sent) = w.begin("tools/call");
        w.answer(&sent, 403)
            .header("www-authenticate", challenge)
            .empty();
        assert_eq!(
            *w.error(call).reason(),
            Refused::Forbidden.into(),
            "{challenge}"
        );
    }
    let (call, sent) = w.begin("tools/call");
    w.answer(&sent, 403).empty();
    w.error(call);
    assert!(!w.asks_for_credential());
}

#[test]
fn what_is_refused_again_fails_with_the_challenge_and_asks_nobody() {
    let mut w = ready();
    let call = w.denied("tools/call");
    w.authorization();
    w.authorize(NEW);
    let sent = w.renewed("tools/call");
    w.deny(&sent);
    let error = w.error(call);
    unauthorised(&error);
    assert_eq!(error.delivery(), Delivery::Rejected);
    assert_eq!(
        error.to_string(),
        "`tools/call` failed: the server asks for a valid credential (HTTP 401 Unauthorized) \
         (it says \"who are you?\"); the server did not execute it; get a valid credential and \
         call again"
    );
    assert_eq!(w.count("tools/call"), 2);
    assert!(!w.asks_for_credential());
    // Another call may ask.
    w.denied("tools/call");
    w.authorization();
}

#[test]
fn what_was_sent_once_more_joins_those_who_wait_for_yet_another_credential() {
    let mut w = ready();
    let call = w.denied("tools/call");
    w.authorization();
    w.authorize(NEW);
    let again = w.renewed("tools/call");
    let other = w.denied("tools/call");
    w.authorization();
    w.deny(&again);
    assert!(!w.ended(call));
    w.authorize("Bearer newest");
    for call in [call, other] {
        w.succeed("tools/call");
        w.reply(call);
    }
    assert_eq!(w.count("tools/call"), 5);
}

#[test]
fn without_another_credential_each_takes_its_own_refusal() {
    let mut w = ready();
    let call = w.denied("tools/call");
    let (more, sent) = w.begin("tools/call");
    w.answer(&sent, 403)
        .header("www-authenticate", STEP_UP)
        .empty();
    let note = w.notify("notifications/x");
    w.deny_next("notifications/x");
    w.authorization();
    w.refuse_authorization();
    unauthorised(&w.error(call));
    unauthorised(&w.error_of(Subject::Notification(note)));
    let error = w.error(more);
    assert_eq!(*error.reason(), Refused::Forbidden.into());
    assert_eq!(error.delivery(), Delivery::Rejected);
    assert_eq!(w.phase(), Phase::Ready, "401 costs no session");
    // The next one asks again.
    w.denied("tools/call");
    w.authorization();
}

#[test]
fn a_header_that_is_set_or_removed_is_another_credential() {
    for credential in [Some(NEW), None] {
        let mut w = ready();
        let call = w.denied("tools/call");
        w.authorization();
        w.connection
            .set_header("authorization", credential)
            .unwrap();
        assert!(!w.connection.status().awaits_authorization);
        w.connection.refuse_authorization(w.now).unwrap_err();
        w.drive();
        let sent = w.take("tools/call");
        assert_eq!(sent.credential(), credential);
        w.answer(&sent, 200).result(json!({}));
        w.reply(call);
    }
    // Others are not.
    let mut w = ready();
    w.denied("tools/call");
    w.authorization();
    w.connection.set_header("x-key", Some("k")).unwrap();
    w.drive();
    assert!(w.open.is_empty() && w.connection.status().awaits_authorization);
}

#[test]
fn a_credential_that_nobody_asked_for_just_takes_the_place_of_the_old_one() {
    let config = config().header("authorization", "Bearer a").unwrap();
    let mut w = ready_with(config.header("authorization", "Bearer b").unwrap());
    w.authorize(NEW);
    let (_, sent) = w.begin("tools/call");
    let lines = sent.request.headers().get_all("authorization").iter();
    assert_eq!(lines.count(), 1);
    assert_eq!(sent.credential(), Some(NEW));
}

#[test]
fn a_question_that_nobody_read_is_void_with_its_answer() {
    let mut w = ready();
    w.reading = false;
    w.denied("tools/call");
    w.authorize(NEW);
    w.reading = true;
    w.drive();
    assert!(!w.asks_for_credential());
    w.renewed("tools/call");
    // A header that is set does not know the time; but it is an answer all the same.
    let mut w = ready();
    w.reading = false;
    w.denied("tools/call");
    w.connection.set_header("authorization", Some(NEW)).unwrap();
    assert_eq!(w.connection.poll_event(), None);
    w.drive();
    w.renewed("tools/call");
}

#[test]
fn a_call_with_a_credential_of_its_own_asks_nobody() {
    let own = || {
        CallOptions::new()
            .header("authorization", "Bearer own")
            .unwrap()
    };
    let mut w = ready();
    let call = w.call_with("tools/call", own());
    let sent = w.deny_next("tools/call");
    assert_eq!(sent.credential(), Some("Bearer own"));
    unauthorised(&w.error(call));
    // Nor does it wait for the connection's, or go again when that is replaced.
    let plain = w.denied("tools/call");
    w.authorization();
    let call = w.call_with("tools/call", own());
    w.deny_next("tools/call");
    unauthorised(&w.error(call));
    let call = w.call_with("tools/call", own());
    w.authorize(NEW);
    w.deny_next("tools/call");
    unauthorised(&w.error(call));
    w.succeed("tools/call");
    w.reply(plain);
}

#[test]
fn a_call_that_must_not_be_sent_again_asks_nobody() {
    let mut w = ready();
    let call = w.call_with("tools/call", CallOptions::new().resend(Resend::Never));
    w.deny_next("tools/call");
    unauthorised(&w.error(call));
    assert!(!w.asks_for_credential());
}

#[test]
fn a_delete_asks_nobody_and_carries_the_credential_of_now() {
    let mut w = ready();
    w.authorize(NEW);
    w.close();
    let delete = w.renewed("DELETE");
    w.deny(&delete);
    assert!(w.connection.is_closed());
    assert!(!w.asks_for_credential());
}

#[test]
fn a_body_that_does_not_end_is_not_waited_for() {
    let mut w = ready();
    let (_, sent) = w.begin("tools/call");
    w.answer(&sent, 401).head();
    assert!(!w.asks_for_credential());
    w.advance(secs(30));
    w.authorization();
    assert!(w.aborted.contains(&sent.exchange));
}

#[test]
fn calls_that_another_scope_would_not_help_go_on_meanwhile() {
    let mut w = ready();
    w.denied("tools/call");
    w.authorization();
    let call = w.call("tools/list");
    w.succeed("tools/list");
    w.reply(call);
}
