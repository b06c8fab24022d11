//! The same answer to a call of a whole connection: however it is cut into chunks, it means one
//! and the same.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::table::Row;
use super::{OTHER, Own, REQUEST, Seen};
use crate::harness::law::{law, same};
use crate::wire::headers::{MediaType, media_type};
use crate::wire::response::Carried;
use crate::{CallId, CallOptions, Config, Connection, Delivery, Event, ExchangeId, Revision};
use crate::{Subject, Time, Transmit};

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq)]
struct Told {
    /// All events, as text.
    events: Vec<String>,
    /// How the call ended, if it did.
    ends: Vec<End>,
    /// Methods of what is sent next.
    sent: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
enum End {
    Failed(Delivery),
    /// Status, and the code of an error.
    Replied(u16, Option<i64>),
}

pub(super) fn check(seen: &Seen<'_>, step: usize) -> Result<(), String> {
    let revision = match step % 3 {
        0 => Revision::V2025_03_26,
        1 => Revision::V2025_11_25,
        _ => Revision::V2026_07_28,
    };
    let whole = play(seen, revision, seen.body.len().max(1))?;
    for step in [1, 2 + step % 30] {
        let told = play(seen, revision, step)?;
        same(&format!("in steps of {step}"), told, whole.clone())?;
    }
    law(whole.ends.len() <= 1, "law 2: a call ends once")?;
    if revision != Revision::V2026_07_28 {
        check_row(seen, revision, &whole)?;
    }
    Ok(())
}

/// What the table says of it, seen from outside.
fn check_row(seen: &Seen<'_>, revision: Revision, told: &Told) -> Result<(), String> {
    let own = Own::read(seen.body, Some(REQUEST));
    let end = told.ends.first();
    let sends = |method: &str| told.sent.iter().any(|sent| sent == method);
    let is_right = match (seen.status, &own) {
        (202 | 204, _) => end == Some(&End::Failed(Delivery::Unknown)),
        (200..=299, Ok(own)) => match media_type(seen.headers) {
            MediaType::Json if seen.headers.contains_key("content-length") => true,
            // A batch.
            MediaType::Json if revision == Revision::V2025_03_26 => true,
            MediaType::Json => match own.as_ref().filter(|own| own.exact) {
                Some(own) => end == Some(&End::Replied(seen.status, Some(own.code))),
                None if has_result(seen.body) => end == Some(&End::Replied(seen.status, None)),
                None => end == Some(&End::Failed(Delivery::Unknown)),
            },
            MediaType::EventStream => true,
            MediaType::Absent | MediaType::Other(_) => end == Some(&End::Failed(Delivery::Unknown)),
        },
        (_, Ok(own)) => match seen.row(own.as_ref(), &seen.refusal().answer) {
            Row::Again(..) => !matches!(end, Some(End::Replied(..))),
            Row::Fail(_, delivery) | Row::Redirect(delivery) => end == Some(&End::Failed(delivery)),
            Row::Follow(_) => end.is_none() && sends("tools/call"),
            Row::Lost | Row::Older => {
                let mut events = told.events.iter();
                end.is_none() && events.any(|event| event.starts_with("Reinitialize"))
            }
            Row::Odd => end == Some(&End::Failed(Delivery::Unknown)),
            Row::Reply => {
                let code = own.as_ref().map(|own| own.code);
                end == Some(&End::Replied(seen.status, code))
            }
            Row::Suspect => end.is_none() && sends("ping"),
        },
        (_, Err(())) => true,
    };
    law(
        is_right,
        &format!("{} over {revision} is {told:?}", seen.status),
    )
}

fn has_result(body: &[u8]) -> bool {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let others = [&body["method"], &body["error"]];
    let is_alone = others.iter().all(|other| other.is_null());
    body["id"].as_u64() == Some(REQUEST) && body.get("result").is_some() && is_alone
}

fn play(seen: &Seen<'_>, revision: Revision, step: usize) -> Result<Told, String> {
    let config = Config::new(&seen.from.to_string()).map_err(|error| error.to_string())?;
    let mut connection = Connection::new(config.pin(revision).listen(false).seed(7));
    let now = Time::ZERO;
    let (call, exchange) = reach(&mut connection, seen.carried)?;
    let status = StatusCode::from_u16(seen.status).expect("a status");
    let report = |result: Result<(), _>| result.map_err(|error: crate::Error| error.to_string());
    report(connection.handle_head(exchange, status, seen.headers, now))?;
    for chunk in seen.body.chunks(step) {
        report(connection.handle_body(exchange, Bytes::copy_from_slice(chunk), now))?;
    }
    report(connection.handle_end(exchange, now))?;
    Ok(told(&mut connection, call))
}

/// Up to the call whose request has the id that inputs name. Another is open then.
fn reach(connection: &mut Connection, carried: Carried) -> Result<(CallId, ExchangeId), String> {
    let now = Time::ZERO;
    let answer = |connection: &mut Connection, exchange, status: u16, body: Value| {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        if carried == Carried::Current {
            headers.insert("mcp-session-id", HeaderValue::from_static("s"));
        }
        let status = StatusCode::from_u16(status).expect("a status");
        let _ = connection.handle_head(exchange, status, &headers, now);
        let _ = connection.handle_body(exchange, Bytes::from(body.to_string()), now);
        let _ = connection.handle_end(exchange, now);
    };
    let mut found = None;
    for _ in 0..=OTHER {
        let params = json!({ "name": "t" });
        let call = connection.call("tools/call", &params, CallOptions::new(), now);
        let call = call.map_err(|error| error.to_string())?;
        while let Some(Transmit::Send { exchange, request }) = connection.poll_transmit(now) {
            let request: Value = serde_json::from_slice(request.body()).unwrap_or_default();
            let id = &request["id"];
            let reply = |result: Value| json!({ "jsonrpc": "2.0", "id": id, "result": result });
            match (request["method"].as_str(), id.as_u64()) {
                (Some("initialize" | "server/discover"), _) => {
                    let body = reply(json!({
                        "resultType": "complete",
                        "protocolVersion": request["params"]["protocolVersion"],
                        "supportedVersions": ["2026-07-28"],
                        "capabilities": { "tools": {} },
                        "serverInfo": { "name": "s", "version": "1" },
                    }));
                    answer(connection, exchange, 200, body);
                }
                (Some("tools/call"), Some(REQUEST)) => found = Some((call, exchange)),
                (Some("tools/call"), Some(OTHER)) => {
                    while connection.poll_event().is_some() {}
                    return found.ok_or("the call is not sent".to_owned());
                }
                (Some("tools/call"), _) => answer(connection, exchange, 200, reply(json!({}))),
                _ => answer(connection, exchange, 202, Value::Null),
            }
        }
    }
    Err("no other call is open".to_owned())
}

fn told(connection: &mut Connection, call: CallId) -> Told {
    let mut told = Told::default();
    while let Some(event) = connection.poll_event() {
        told.events.push(format!("{event:?}"));
        match event {
            Event::Reply {
                call: id, reply, ..
            } if id == call => {
                let code = reply.outcome.err().map(|error| error.code);
                told.ends.push(End::Replied(reply.status.as_u16(), code));
            }
            Event::Fail { subject, error } if subject == Subject::Call(call) => {
                told.ends.push(End::Failed(error.delivery()));
            }
            _ => {}
        }
    }
    while let Some(transmit) = connection.poll_transmit(Time::ZERO) {
        let Transmit::Send { request, .. } = transmit else {
            told.sent.push("abort".to_owned());
            continue;
        };
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let method = body["method"].as_str().unwrap_or(request.method().as_str());
        told.sent.push(method.to_owned());
    }
    told
}
