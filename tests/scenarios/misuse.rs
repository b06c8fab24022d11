//! Every illegal command in every phase errs and changes nothing.

use http::{HeaderMap, StatusCode};
use mcp_http::{CallOptions, Error, Failure, Mistake, Phase, Reason, RpcError};
use serde_json::json;

use crate::world::{Sent, World, config, request};

/// What stays to be told apart after a command that was refused.
#[track_caller]
fn unchanged(
    name: &str,
    phase: Phase,
    w: &mut World,
    command: impl FnOnce(&mut World) -> Result<(), Error>,
) {
    let before = w.visible();
    let error = command(w).expect_err(&format!("{name} in {phase:?}"));
    assert!(
        matches!(error.reason(), Reason::Misuse(_)),
        "{name} in {phase:?}: {error}"
    );
    let Reason::Misuse(misuse) = error.reason() else {
        return;
    };
    assert_eq!(misuse.phase(), Some(phase), "{name}");
    assert_eq!(w.visible(), before, "{name} in {phase:?} changed something");
}

#[test]
fn commands_after_close() {
    type Command = fn(&mut World) -> Result<(), Error>;
    let commands: [(&str, Command); 5] = [
        ("call", |w| {
            w.connection
                .call("x", &(), CallOptions::new(), w.now)
                .map(drop)
        }),
        ("connect", |w| w.connection.connect(w.now)),
        ("notify", |w| {
            w.connection.notify("notifications/x", &(), w.now).map(drop)
        }),
        ("reinitialize", |w| w.connection.reinitialize(w.now)),
        ("resume", |w| w.connection.resume(w.now)),
    ];
    for (phase, mut w) in [
        (Phase::Closing, World::closing()),
        (Phase::Closed, World::closed()),
    ] {
        for (name, command) in commands {
            unchanged(name, phase, &mut w, command);
        }
    }
}

#[test]
fn resume_in_every_phase_but_held() {
    for (phase, mut w) in World::in_every_phase() {
        if phase != Phase::Held {
            unchanged("resume", phase, &mut w, |w| w.connection.resume(w.now));
        }
    }
}

#[test]
fn reinitialize_in_every_phase_but_lost() {
    for (phase, mut w) in World::in_every_phase() {
        if phase != Phase::Lost {
            unchanged("reinitialize", phase, &mut w, |w| {
                w.connection.reinitialize(w.now)
            });
        }
    }
}

#[test]
fn refuse_authorization_in_every_phase_although_nobody_asks() {
    for (phase, mut w) in World::in_every_phase() {
        unchanged("refuse_authorization", phase, &mut w, |w| {
            w.connection.refuse_authorization(w.now)
        });
    }
}

#[test]
fn a_credential_that_cannot_be_leaves_the_question_open() {
    let mut w = World::ready_with(|config| config.authorize(true));
    let (_, sent) = w.begin("tools/call");
    w.answer(&sent, 401).empty();
    w.authorization();
    unchanged("authorize", Phase::Ready, &mut w, |w| {
        w.connection.authorize("Bearer a\nb", w.now)
    });
    assert!(w.connection.status().awaits_authorization);
    w.refuse_authorization();
    unchanged("refuse_authorization", Phase::Ready, &mut w, |w| {
        w.connection.refuse_authorization(w.now)
    });
}

#[test]
fn bad_arguments_in_every_phase() {
    for (phase, mut w) in World::in_every_phase() {
        let options = CallOptions::new;
        unchanged("call initialize", phase, &mut w, |w| {
            w.connection
                .call("initialize", &(), options(), w.now)
                .map(drop)
        });
        unchanged("call [1]", phase, &mut w, |w| {
            w.connection
                .call("tools/call", &[1], options(), w.now)
                .map(drop)
        });
        unchanged("notify initialized", phase, &mut w, |w| {
            w.connection
                .notify("notifications/initialized", &(), w.now)
                .map(drop)
        });
        unchanged("notify 7", phase, &mut w, |w| {
            w.connection.notify("notifications/x", &7, w.now).map(drop)
        });
        unchanged("set_header host", phase, &mut w, |w| {
            w.connection.set_header("host", Some("x"))
        });
        unchanged("set_header CR LF", phase, &mut w, |w| {
            w.connection.set_header("x", Some("a\r\nb: c"))
        });
        for credential in ["Bearer a\r\nb: c", "Bearer \0", "Bearer \u{7f}"] {
            unchanged("authorize", phase, &mut w, |w| {
                w.connection.authorize(credential, w.now)
            });
        }
    }
}

/// A call, an exchange and a ticket of another connection, with low numbers.
fn foreign() -> (mcp_http::CallId, Sent, mcp_http::Ticket) {
    let mut other = World::new(config().seed(4711));
    other.connect();
    other.establish("x");
    let call = other.call("tools/call");
    let sent = other.take("tools/call");
    other
        .answer(&sent, 200)
        .stream(&[request(1, "roots/list", json!({}))]);
    let ticket = other.ask().ticket;
    (call, sent, ticket)
}

#[test]
fn ids_of_another_connection_in_every_phase() {
    let (call, sent, ticket) = foreign();
    let id = sent.exchange;
    for (phase, mut w) in World::in_every_phase() {
        unchanged("cancel", phase, &mut w, |w| {
            w.connection.cancel(call, w.now)
        });
        unchanged("answer", phase, &mut w, |w| {
            w.connection
                .answer::<()>(ticket, Err(RpcError::new(1, "no")), w.now)
        });
        unchanged("handle_head", phase, &mut w, |w| {
            w.connection
                .handle_head(id, StatusCode::OK, &HeaderMap::new(), w.now)
        });
        unchanged("handle_body", phase, &mut w, |w| {
            w.connection.handle_body(id, "x".into(), w.now)
        });
        unchanged("handle_end", phase, &mut w, |w| {
            w.connection.handle_end(id, w.now)
        });
        unchanged("handle_failure", phase, &mut w, |w| {
            w.connection.handle_failure(id, Failure::broken("x"), w.now)
        });
    }
}

#[test]
fn an_exchange_of_another_connection_is_not_to_be_read_from() {
    let (_, other, _) = foreign();
    let mut w = World::ready();
    w.call("tools/call");
    let sent = w.take("tools/call");
    assert!(w.connection.wants_read(sent.exchange));
    assert!(
        !w.connection.wants_read(other.exchange),
        "of the same number"
    );
}

#[test]
fn ids_of_a_like_connection_that_are_not_given_yet() {
    // The same seed and endpoint, so the same tag: a number too high gives it away.
    let mut w = World::initializing();
    let mut ahead = World::ready();
    ahead.call("tools/call");
    let late = ahead.take("tools/call").exchange;
    unchanged("handle_end", Phase::Initializing, &mut w, |w| {
        w.connection.handle_end(late, w.now)
    });
}

#[test]
fn reports_out_of_order_in_every_phase_that_has_an_exchange() {
    for (phase, mut w) in World::in_every_phase() {
        let Some(sent) = w.open.first().cloned() else {
            continue;
        };
        let id = sent.exchange;
        unchanged("handle_body", phase, &mut w, |w| {
            w.connection.handle_body(id, "x".into(), w.now)
        });
        unchanged("handle_end", phase, &mut w, |w| {
            w.connection.handle_end(id, w.now)
        });
    }
}

#[test]
fn a_second_head_while_the_body_comes() {
    for content_type in ["application/json", "text/event-stream", "text/html"] {
        let mut w = World::ready();
        w.call("tools/call");
        let sent = w.take("tools/call");
        w.answer(&sent, 200)
            .header("content-type", content_type)
            .head();
        unchanged(content_type, Phase::Ready, &mut w, |w| {
            w.connection
                .handle_head(sent.exchange, StatusCode::OK, &HeaderMap::new(), w.now)
        });
    }
}

#[test]
fn reports_out_of_order_of_a_get() {
    for (mut w, get) in [World::opening(), {
        let (w, _, get) = World::resuming();
        (w, get)
    }] {
        let id = get.exchange;
        unchanged("handle_body", Phase::Ready, &mut w, |w| {
            w.connection.handle_body(id, "x".into(), w.now)
        });
        unchanged("handle_end", Phase::Ready, &mut w, |w| {
            w.connection.handle_end(id, w.now)
        });
        w.answer(&get, 200).stream(&[]);
        unchanged("handle_head", Phase::Ready, &mut w, |w| {
            w.connection
                .handle_head(id, StatusCode::OK, &HeaderMap::new(), w.now)
        });
        w.end(&get);
        let before = w.visible();
        w.answer(&get, 404).head();
        w.chunk(&get, "late");
        w.end(&get);
        w.fail(&get, Failure::broken("late"));
        assert_eq!(
            w.visible(),
            before,
            "what is reported after its end is ignored"
        );
    }
}

#[test]
fn an_answer_that_cannot_be_leaves_the_ask_open() {
    let mut w = World::ready();
    w.call("tools/call");
    let sent = w.take("tools/call");
    w.answer(&sent, 200)
        .stream(&[request(1, "roots/list", json!({}))]);
    let ticket = w.ask().ticket;
    unchanged("answer 7", Phase::Ready, &mut w, |w| {
        w.connection.answer(ticket, Ok(&7), w.now)
    });
    w.reply_to(ticket);
    unchanged("answer twice", Phase::Ready, &mut w, |w| {
        w.connection.answer(ticket, Ok(&json!({})), w.now)
    });
}

#[test]
fn what_is_reported_after_an_exchange_is_over_is_ignored() {
    let mut w = World::ready();
    let call = w.call("tools/call");
    let sent = w.take("tools/call");
    w.answer(&sent, 200).result(json!({}));
    w.reply(call);
    w.answer(&sent, 404).head();
    w.chunk(&sent, "late");
    w.end(&sent);
    w.fail(&sent, Failure::broken("late"));
    assert!(w.events.is_empty() && w.open.is_empty());
    assert!(!w.connection.wants_read(sent.exchange));
}

#[test]
fn the_mistake_names_what_was_called() {
    let mut w = World::closed();
    let error = w.connection.connect(w.now).unwrap_err();
    let Reason::Misuse(misuse) = error.reason() else {
        panic!()
    };
    assert_eq!(
        (misuse.call(), misuse.mistake()),
        ("connect", &Mistake::Closed)
    );
}
