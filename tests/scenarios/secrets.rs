//! Law 9: secrets stay secret. Each is marked, and the marks are looked for.

use std::error::Error as _;

use http::StatusCode;
use mcp_http::{
    CallOptions, Config, Error, Event, Failure, RawJson, Resend, RpcError, Subject, Transmit,
};
use serde_json::json;

use crate::world::{Sent, World, config, notification, request, reset, result};

const SESSION: &str = "MARKED-session-id";
const TOKEN: &str = "MARKED-token";

#[track_caller]
fn clean(name: &str, text: &str) {
    assert!(!text.contains("MARKED"), "{name} shows a secret: {text}");
}

/// Everything of a world that can be shown.
#[track_caller]
fn all_clean(w: &World) {
    clean("Connection", &format!("{:?}", w.connection));
    clean("Status", &format!("{:?}", w.connection.status()));
    clean("the outlets", &w.visible());
    if let Some(error) = w.connection.handshake_error() {
        clean("a handshake's error", &format!("{error} {error:?}"));
    }
    for event in &w.events {
        clean("Event", &format!("{event:?}"));
        if let Event::Fail { error, .. } = event {
            clean("Error", &format!("{error} {error:?} {error:#?}"));
            clean("Reason", &format!("{0} {0:?}", error.reason()));
            clean("RpcError", &format!("{:?}", error.rpc_error()));
            clean("Search", &format!("{0} {0:?}", error.search()));
            assert!(error.source().is_none(), "{error}");
        }
    }
}

#[test]
fn a_connection_shows_its_status() {
    let w = World::ready();
    let shown = format!("{:?}", w.connection);
    assert_eq!(shown, format!("Connection({:?})", w.connection.status()));
    assert!(shown.contains("phase: Ready"), "{shown}");
}

fn marked() -> World {
    let config = config()
        .header("authorization", &format!("Bearer {TOKEN}"))
        .unwrap();
    let mut w = World::new(config);
    w.connect();
    w.establish(SESSION);
    w
}

fn marked_call(w: &mut World) -> Sent {
    let params = json!({ "name": "MARKED", "MARKED-key": "MARKED-value" });
    let options = CallOptions::new().header("x-key", "MARKED-own").unwrap();
    w.connection
        .call("tools/call", &params, options, w.now)
        .unwrap();
    w.drive();
    w.take("tools/call")
}

#[test]
fn config_and_options() {
    let config = Config::new("https://example.com/mcp?key=MARKED").unwrap();
    let config = config.header("authorization", TOKEN).unwrap();
    clean("Config", &format!("{config:?} {config:#?}"));
    let options = CallOptions::new().header("authorization", TOKEN).unwrap();
    clean("CallOptions", &format!("{options:?}"));
    clean(
        "CallOptions",
        &format!("{:?}", options.resend(Resend::Never).idempotent()),
    );
}

#[test]
fn a_bad_endpoint_is_not_repeated() {
    for url in ["https://u:MARKED@x/", "MARKED", "ftp://x/?k=MARKED"] {
        let error = Config::new(url).unwrap_err();
        clean(url, &format!("{error} {error:?}"));
    }
}

#[test]
fn bad_header_values_are_not_repeated() {
    let error = config().header("authorization", "MARKED\r\n").unwrap_err();
    clean("Header", &format!("{error} {error:?}"));
    let error = World::ready()
        .connection
        .set_header("x", Some("MARKED\0"))
        .unwrap_err();
    clean("Header", &format!("{error} {error:?}"));
    let w = &mut World::ready();
    let error = w.connection.authorize("MARKED\n", w.now).unwrap_err();
    clean("Header", &format!("{error} {error:?}"));
    let error = config()
        .header("Authorization: Bearer MARKED", "")
        .unwrap_err();
    clean("Header", &format!("{error} {error:?}"));
    assert!(error.to_string().contains("`Authorization`"), "{error}");
    let error = config().bearer("MARKED\n").unwrap_err();
    clean("Header", &format!("{error} {error:?}"));
}

#[test]
fn transmits() {
    let mut w = World::new(
        Config::new("https://example.com/mcp?key=MARKED")
            .unwrap()
            .remember(mcp_http::Binding::Session),
    );
    w.connection
        .set_header("authorization", Some(TOKEN))
        .unwrap();
    w.connection.connect(w.now).unwrap();
    clean("initialize", &w.visible());
    w.drive();
    let headers = w.open[0].request.headers();
    assert_eq!(headers["authorization"], TOKEN);
    clean("its headers", &format!("{headers:?}"));
    w.accept_initialize(SESSION);
    w.accept("notifications/initialized");
    let params = json!({ "k": "MARKED" });
    w.connection
        .call("tools/call", &params, CallOptions::new(), w.now)
        .unwrap();
    w.connection
        .notify("notifications/x", &params, w.now)
        .unwrap();
    clean("call and notification", &w.visible());
    w.connection.close(w.now);
    clean("DELETE", &w.visible());
}

#[test]
fn credentials_and_what_a_server_says_of_them() {
    let config = config().authorize(true).bearer(TOKEN).unwrap();
    clean("Config", &format!("{config:?} {config:#?}"));
    let mut w = World::new(config);
    w.connect();
    w.establish(SESSION);
    let sent = marked_call(&mut w);
    w.answer(&sent, 401)
        .header(
            "www-authenticate",
            r#"Bearer realm="MARKED", Negotiate MARKED"#,
        )
        .empty();
    all_clean(&w);
    let asked = w.authorization();
    clean("Authorize", &format!("{asked:?} {asked:#?}"));
    assert_eq!(asked.challenges[0].realm(), Some("MARKED"));
    w.connection.authorize("Bearer MARKED-2", w.now).unwrap();
    all_clean(&w);
    w.drive();
    let again = w.take("tools/call");
    assert_eq!(again.credential(), Some("Bearer MARKED-2"));
    let headers = again.request.headers();
    assert!(headers["authorization"].is_sensitive());
    clean("the request's headers", &format!("{headers:?}"));
    w.answer(&again, 401).empty();
    all_clean(&w);
}

#[test]
fn headers_are_marked_sensitive_for_the_adapter() {
    let mut w = marked();
    let sent = marked_call(&mut w);
    for name in ["authorization", "mcp-session-id", "x-key"] {
        assert!(sent.request.headers()[name].is_sensitive(), "{name}");
    }
    clean(
        "the request's headers",
        &format!("{:?}", sent.request.headers()),
    );
}

#[test]
fn replies_messages_and_asks() {
    let mut w = marked();
    let sent = marked_call(&mut w);
    let secret = json!({ "MARKED": "MARKED" });
    let messages = [
        notification("notifications/message", secret.clone()),
        request("MARKED-id", "sampling/createMessage", secret.clone()),
        result(sent.rpc_id(), secret.clone()),
    ];
    w.reading = false;
    w.answer(&sent, 200).stream(&messages);
    w.reading = true;
    all_clean(&w);
    w.drive();
    all_clean(&w);
}

#[test]
fn answers_to_asks() {
    let mut w = marked();
    let sent = marked_call(&mut w);
    w.answer(&sent, 200)
        .stream(&[request("MARKED-id", "sampling/createMessage", json!({}))]);
    let ticket = w.ask().ticket;
    let content = json!({ "type": "text", "text": "MARKED" });
    let answer = json!({ "content": content, "model": "MARKED", "role": "assistant" });
    w.connection.answer(ticket, Ok(&answer), w.now).unwrap();
    all_clean(&w);
    w.drive();
    w.answer_all("answer", 404);
    w.error_of(Subject::Answer(ticket));
    all_clean(&w);
}

#[test]
fn failures_of_every_kind() {
    type Fail = fn(&mut World, &Sent);
    let rows: [(&str, Fail); 9] = [
        ("broken", |w, sent| w.fail(sent, reset())),
        ("404", |w, sent| w.answer(sent, 404).empty()),
        ("400", |w, sent| w.answer(sent, 400).empty()),
        ("500", |w, sent| w.answer(sent, 500).empty()),
        ("wrong id", |w, sent| {
            w.answer(sent, 200)
                .json(&result(9, json!({ "k": "MARKED" })))
        }),
        ("no JSON-RPC", |w, sent| {
            w.answer(sent, 200).json(&json!({ "k": "MARKED" }))
        }),
        ("no JSON", |w, sent| {
            w.answer(sent, 200).typed("application/json", "MARKED")
        }),
        ("no JSON in a stream", |w, sent| {
            w.answer(sent, 200).stream(&[]);
            w.chunk(sent, "data: MARKED\n\n");
        }),
        ("redirect", |w, sent| {
            w.answer(sent, 301)
                .header("location", "/x?token=MARKED")
                .empty();
        }),
    ];
    for (name, fail) in rows {
        let mut w = marked();
        let sent = marked_call(&mut w);
        fail(&mut w, &sent);
        clean(name, &w.visible());
        all_clean(&w);
        w.close();
        all_clean(&w);
    }
}

#[test]
fn initialize_results() {
    let mut w = World::initializing();
    let sent = w.take("initialize");
    let mut value = crate::world::initialized("2025-11-25");
    value["instructions"] = json!("MARKED");
    value["capabilities"]["experimental"] = json!({ "MARKED": {} });
    w.answer(&sent, 200)
        .header("mcp-session-id", SESSION)
        .result(value);
    w.accept("notifications/initialized");
    all_clean(&w);
}

#[test]
fn replies_of_another_shape() {
    let texts = [
        r#"{"code":"MARKED"}"#,
        r#"{"MARKED":1}"#,
        r#"["MARKED"]"#,
        r#""MARKED, expected x""#,
    ];
    for text in texts {
        let why = serde_json::from_str::<mcp_http::RpcError>(text).unwrap_err();
        let error = Error::unexpected_shape(&why);
        clean(text, &format!("{error} {error:?}"));
    }
}

/// What is shown of a server's words: the excerpt that law 9 names, and what says in which way
/// the server broke or refused something.
#[test]
fn the_stated_exceptions() {
    type Say = fn(&mut World, &Sent);
    let rows: [(&str, Say); 5] = [
        ("(it says \"MARKED\")", |w, sent| {
            w.answer(sent, 422).body("MARKED");
        }),
        ("the content type `text/marked`", |w, sent| {
            w.answer(sent, 200).typed("text/MARKED; x=MARKED", "");
        }),
        (
            "redirects to `https://elsewhere.com/MARKED?...`",
            |w, sent| {
                let to = "https://elsewhere.com/MARKED?MARKED";
                w.answer(sent, 307).header("location", to).empty();
            },
        ),
        ("Message(notifications/MARKED, Some(RawJson", |w, sent| {
            let message = notification("notifications/MARKED", json!({ "k": "MARKED" }));
            w.answer(sent, 200).stream(&[message]);
        }),
        ("connection broke: MARKED", |w, sent| {
            w.fail(sent, Failure::broken("MARKED"));
        }),
    ];
    for (shown, say) in rows {
        let mut w = marked();
        let sent = marked_call(&mut w);
        say(&mut w, &sent);
        let told = format!("{:?}", w.events);
        assert!(told.contains(shown), "{shown}: {told}");
        clean(shown, &told.replace(shown, ""));
    }
}

/// Of a challenge the parameters are shown besides: they say what is asked for.
#[test]
fn what_types_show_that_an_application_has_in_hand() {
    let rpc = RpcError::new(1, "MARKED");
    clean("RpcError", &format!("{rpc:?} {rpc:#?}"));
    let error = Error::from_rpc(rpc, StatusCode::OK);
    clean("its Reason", &format!("{:?}", error.reason()));
    let json = RawJson::from_text(r#""MARKED""#).unwrap();
    clean("RawJson", &format!("{json:?} {json:#?}"));
    let mut w = World::new(config().authorize(true));
    w.connect();
    w.establish(SESSION);
    let sent = marked_call(&mut w);
    w.answer(&sent, 401)
        .header("www-authenticate", r#"Negotiate MARKED, Bearer scope="x""#)
        .empty();
    let asked = format!("{0:?} {0:#?}", w.authorization().challenges);
    assert!(asked.contains("scope"), "{asked}");
    clean("Challenge", &asked);
}

#[test]
fn event_ids() {
    const ID: &str = "MARKED-event-id";
    let mut w = marked();
    let call = marked_call(&mut w);
    w.answer(&call, 200).stream(&[]);
    w.chunk(&call, format!("id: {ID}\ndata:\n\n"));
    w.reading = false;
    w.event_with_id(
        &call,
        ID,
        &notification("notifications/message", json!({ "k": "MARKED" })),
    );
    all_clean(&w);
    w.fail(&call, reset());
    all_clean(&w);
    let get = w.wait_for("GET");
    assert_eq!(get.cursor(), Some(ID));
    clean("its headers", &format!("{:?}", get.request.headers()));
    w.answer(&get, 404).empty();
    all_clean(&w);
    w.connection.network_changed(w.now);
    all_clean(&w);
}

#[test]
fn events_of_the_listening_stream() {
    let mut w = World::new(config().listen(true));
    w.connect();
    w.establish(SESSION);
    let get = w.take("GET");
    clean("its headers", &format!("{:?}", get.request.headers()));
    w.answer(&get, 200).stream(&[]);
    w.event_with_id(
        &get,
        "MARKED",
        &request("MARKED", "roots/list", json!({ "k": "MARKED" })),
    );
    w.chunk(&get, "data: MARKED\n\n");
    all_clean(&w);
    w.fail(&get, reset());
    all_clean(&w);
    let get = w.wait_for("GET");
    assert_eq!(get.cursor(), Some("MARKED"));
    w.answer(&get, 307)
        .header("location", "https://evil.com/?key=MARKED")
        .empty();
    all_clean(&w);
}

#[test]
fn what_is_restored_or_is_not() {
    let mut w = marked();
    let params = json!({ "uri": "secret:MARKED" });
    let options = CallOptions::new();
    w.connection
        .call("resources/subscribe", &params, options, w.now)
        .unwrap();
    w.drive();
    w.succeed("resources/subscribe");
    w.call("tools/call");
    w.answer_all("tools/call", 404);
    all_clean(&w);
    let init = w.wait_for("initialize");
    w.open.push(init);
    w.accept_initialize(SESSION);
    w.accept("notifications/initialized");
    all_clean(&w);
    w.answer_all("resources/subscribe", 500);
    assert!(
        w.events
            .iter()
            .any(|event| matches!(event, Event::NotRestored { .. }))
    );
    all_clean(&w);
}

#[test]
fn rounds_subscriptions_and_tools_without_sessions() {
    let mut w = World::stateless_with(|config| config.bearer(TOKEN).unwrap());
    let params = json!({ "name": "MARKED", "arguments": { "a": "MARKED-argument" } });
    let (call, sent) = w.begin_with("tools/call", &params);
    w.answer(&sent, 200).result(json!({
        "resultType": "input_required",
        "inputRequests": { "MARKED-key": {
            "method": "elicitation/create", "params": { "message": "MARKED-question" },
        } },
        "requestState": "MARKED-state",
    }));
    all_clean(&w);
    let ticket = w.ask().ticket;
    let answer = json!({ "action": "accept", "content": { "name": "MARKED-answer" } });
    w.connection.answer(ticket, Ok(&answer), w.now).unwrap();
    all_clean(&w);
    w.drive();
    let again = w.take("tools/call");
    assert!(again.json().to_string().contains("MARKED-answer"));
    clean("headers", &format!("{:?}", again.request.headers()));
    w.fail(&again, reset());
    let error = w.error(call);
    clean("Error", &format!("{error} {error:?}"));

    let filter = mcp_http::SubscriptionFilter::new().resource("file:///MARKED");
    clean("SubscriptionFilter", &format!("{filter:?} {filter:#?}"));
    w.listen_to(filter);
    let listen = w.take("subscriptions/listen");
    w.answer(&listen, 200).stream(&[notification(
        "notifications/subscriptions/acknowledged",
        json!({ "notifications": { "resourceSubscriptions": ["file:///MARKED"] } }),
    )]);
    all_clean(&w);

    let (_, list) = w.begin_with("tools/list", &json!({}));
    let schema = json!({ "type": "object", "properties": {
        "a": { "type": "string", "x-mcp-header": "" } } });
    let tools = json!([{ "name": "MARKED-tool", "inputSchema": schema }]);
    w.answer(&list, 200).result(json!({ "tools": tools }));
    all_clean(&w);
    assert!(
        w.events
            .iter()
            .any(|event| matches!(event, Event::ToolRejected(_)))
    );
}

#[test]
fn the_address_of_a_session() {
    let mut w = World::new(config().remember(mcp_http::Binding::HttpSse));
    w.connect();
    let stream = w.take("GET");
    w.answer(&stream, 200).stream(&[]);
    w.chunk(&stream, "event: endpoint\ndata: /MARKED?MARKED\n\n");
    let Sent {
        exchange, request, ..
    } = w.take("initialize");
    assert!(request.uri().path().ends_with("MARKED"));
    let transmit = Transmit::Send { exchange, request };
    clean("Transmit", &format!("{transmit:?} {transmit:#?}"));
    all_clean(&w);
}

#[test]
fn the_address_of_a_session_that_has_moved() {
    let rows = [
        (301, "/MARKED/", "`https://example.com/...`"),
        (
            303,
            "https://example.com/MARKED?MARKED",
            "`https://example.com/...`",
        ),
        (307, "http://example.com/MARKED", "`http://example.com/...`"),
        (
            308,
            "https://MARKED@elsewhere.com/MARKED",
            "`elsewhere.com/...`",
        ),
    ];
    for (status, to, shown) in rows {
        let mut w = World::new(config().remember(mcp_http::Binding::HttpSse));
        w.connect();
        let stream = w.take("GET");
        w.answer(&stream, 200).stream(&[]);
        w.chunk(&stream, "event: endpoint\ndata: /MARKED\n\n");
        let sent = w.take("initialize");
        w.answer(&sent, status).header("location", to).empty();
        let told = format!("{:?}", w.events);
        assert!(told.contains(shown), "{to}: {told}");
        all_clean(&w);
    }
}

#[test]
fn an_address_of_a_session_that_moves_too_often() {
    let mut w = World::new(config().remember(mcp_http::Binding::HttpSse));
    w.connect();
    let stream = w.take("GET");
    w.answer(&stream, 200).stream(&[]);
    w.chunk(&stream, "event: endpoint\ndata: /MARKED\n\n");
    while w.events.is_empty() {
        let sent = w.take("initialize");
        w.answer(&sent, 307).header("location", "/MARKED").empty();
    }
    all_clean(&w);
}

#[test]
fn the_type_of_a_result() {
    for (kind, shown) in [
        (json!("a MARKED task"), "type `...`"),
        (json!({ "MARKED": "MARKED" }), "`resultType` is no string"),
    ] {
        let mut w = World::stateless();
        let (call, sent) = w.begin("tools/call");
        w.answer(&sent, 200).result(json!({ "resultType": kind }));
        all_clean(&w);
        let error = w.error(call);
        let told = format!("{error} {error:?}");
        assert!(told.contains(shown), "{told}");
        clean("Error", &told);
    }
}

#[test]
fn the_address_of_a_session_that_is_refused() {
    for (address, shown) in [
        (
            "https://elsewhere.com/MARKED?MARKED",
            "`https://elsewhere.com/...`",
        ),
        ("https://MARKED@example.com/MARKED", "`example.com/...`"),
        ("https://MARKED@[x/MARKED", "`[x/...`"),
        ("\u{1}MARKED", "`/...`"),
    ] {
        let mut w = World::new(config().remember(mcp_http::Binding::HttpSse));
        w.connect();
        let stream = w.take("GET");
        w.answer(&stream, 200).stream(&[]);
        w.chunk(&stream, format!("event: endpoint\ndata: {address}\n\n"));
        all_clean(&w);
        let told = format!("{:?}", w.connection.status());
        assert!(told.contains(shown), "{address}: {told}");
    }
}
