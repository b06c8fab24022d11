//! A second reader of JSON-RPC messages, and of what the first results of a server say: naive,
//! over whole trees.

use serde_json::Value;
use serde_json::value::RawValue;

use super::json::Json;
use super::law::{law, same};
use crate::RawJson;
use crate::error::RpcError;
use crate::wire::handshake;
use crate::wire::jsonrpc::{self, BadBatch, Id, Message, ProgressToken};
use crate::wire::result::{self, InputRequired, Kind};

/// The longest id that is read.
const ID: usize = 1024;
/// Messages that a batch may have here.
const BATCH: usize = 3;
/// Revisions of a list that are looked at.
const REVISIONS: usize = 100;

/// What a message says.
#[derive(Debug, PartialEq)]
enum Plain {
    Notification(String, Option<Value>),
    Request(Value, String, Option<Value>),
    Response(Number, Result<Value, (i64, String, Option<Value>)>),
}

/// The id of a response: none, or one that is not ours, or a number.
#[derive(Debug, PartialEq)]
enum Number {
    None,
    Foreign,
    Of(u64),
}

/// The body of the tests of messages: the input is one, or a batch.
///
/// # Errors
/// Where another message is found than a naive reader finds.
pub fn message(input: &[u8]) -> Result<(), String> {
    let found = jsonrpc::parse(input);
    let batch = jsonrpc::batch(input, BATCH);
    let Ok(raw) = serde_json::from_slice::<&RawValue>(input) else {
        law(found.is_err(), "what is no JSON is no message")?;
        return law(batch.is_err(), "what is no JSON is no batch");
    };
    // None of it: it is too deep, or has a number or a text that Rust does not have.
    let tree = serde_json::from_str::<Json>(raw.get()).ok();
    let value = serde_json::from_str::<Value>(raw.get()).ok();
    if let Some((tree, value)) = tree.as_ref().zip(value.as_ref()) {
        check_batch(&batch, value)?;
        same("an array", jsonrpc::is_array(input), value.is_array())?;
        let expected = read(tree, value);
        let long = matches!(expected, Some(Plain::Request(..))) && input.len() > ID;
        if !(long && found.is_err()) {
            let found = found.as_ref().ok().map(plain).transpose()?;
            same("the message", found, expected)?;
        }
    }
    match found {
        Ok(Message::Request { id, params, .. }) => {
            law(id.len() <= ID, "the id is not too long")?;
            params.map_or(Ok(()), check_params)
        }
        Ok(Message::Notification { params, .. }) => params.map_or(Ok(()), check_params),
        Ok(Message::Response { outcome, .. }) => match outcome {
            Ok(result) => check_result(result),
            Err(error) => check_error(error.data.as_ref()),
        },
        Err(_) => Ok(()),
    }
}

fn parsed(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("a part is no JSON: {error}"))
}

fn trees(text: &str) -> Option<(Json, Value)> {
    Some((
        serde_json::from_str(text).ok()?,
        serde_json::from_str(text).ok()?,
    ))
}

fn plain(message: &Message<'_>) -> Result<Plain, String> {
    Ok(match message {
        Message::Notification { method, params } => {
            Plain::Notification(method.to_string(), params.map(parsed).transpose()?)
        }
        Message::Request { id, method, params } => Plain::Request(
            parsed(id)?,
            method.to_string(),
            params.map(parsed).transpose()?,
        ),
        Message::Response { id, outcome } => {
            let id = match id {
                Id::None => Number::None,
                Id::Foreign => Number::Foreign,
                Id::Number(number) => Number::Of(*number),
            };
            let outcome = match outcome {
                Ok(result) => Ok(parsed(result)?),
                Err(RpcError {
                    code,
                    message,
                    data,
                }) => {
                    let data = data.as_ref().map(|data| parsed(data.as_str()));
                    Err((*code, message.clone(), data.transpose()?))
                }
            };
            Plain::Response(id, outcome)
        }
    })
}

fn once(tree: &Json, names: &[&str]) -> bool {
    names.iter().all(|name| tree.all(name).count() <= 1)
}

fn given<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.get(name).filter(|value| !value.is_null())
}

/// JSON-RPC 2.0, sections 4 and 5.
fn read(tree: &Json, value: &Value) -> Option<Plain> {
    if !value.is_object() || !once(tree, &["id", "method", "params", "result", "error"]) {
        return None;
    }
    let (method, error) = (given(value, "method"), given(value, "error"));
    let (id, result) = (value.get("id"), value.get("result"));
    let params = given(value, "params").cloned();
    let number = match id {
        None | Some(Value::Null) => Number::None,
        Some(id) => id.as_u64().map_or(Number::Foreign, Number::Of),
    };
    match (method, result, error) {
        (Some(method), None, None) => {
            let method = method.as_str()?.to_owned();
            match id {
                None => Some(Plain::Notification(method, params)),
                Some(id @ (Value::String(_) | Value::Number(_))) => {
                    Some(Plain::Request(id.clone(), method, params))
                }
                Some(_) => None,
            }
        }
        (None, Some(result), None) => Some(Plain::Response(number, Ok(result.clone()))),
        (None, None, Some(error)) => {
            let tree = tree.get("error")?;
            if !error.is_object() || !once(tree, &["code", "message", "data"]) {
                return None;
            }
            let message = match error.get("message") {
                None => "",
                Some(message) => message.as_str()?,
            };
            let data = given(error, "data").cloned();
            let error = (error.get("code")?.as_i64()?, message.to_owned(), data);
            Some(Plain::Response(number, Err(error)))
        }
        _ => None,
    }
}

fn check_batch(found: &Result<Vec<&RawValue>, BadBatch>, value: &Value) -> Result<(), String> {
    let Some(elements) = value.as_array() else {
        return law(found.is_err(), "a batch is an array");
    };
    if elements.len() > BATCH {
        return law(
            matches!(found, Err(BadBatch::TooLong)),
            "a batch is too long",
        );
    }
    let found = found.as_ref().map_err(|why| format!("{why:?}"))?;
    let found: Result<Vec<_>, _> = found.iter().map(|one| parsed(one.get())).collect();
    same("a batch", found?.as_slice(), elements.as_slice())
}

/// What notifications name, and the progress that calls ask for.
fn check_params(params: &str) -> Result<(), String> {
    let (token, request) = (
        ProgressToken::of_notification(params),
        jsonrpc::cancelled_request(params),
    );
    let Some((tree, value)) = trees(params) else {
        return Ok(());
    };
    let named = |name: &str| {
        let once = tree.all(name).count() == 1;
        value.get(name).filter(|_| once).cloned()
    };
    let request = request.map(parsed).transpose()?;
    same("the request", request, named("requestId"))?;
    let named = named("progressToken");
    // Of anything else there is more than one way to write it.
    let is_token = |named: &Value| named.is_string() || named.is_i64() || named.is_u64();
    if named.as_ref().is_none_or(is_token) {
        let written = token.as_ref().and_then(|token| token.put_into(None));
        let written = written.map(|params| parsed(params.as_str())).transpose()?;
        let written = written.map(|params| params["_meta"]["progressToken"].clone());
        same("the progress as it is written", written, named.clone())?;
        let named = named.map(|token| ProgressToken::new(token.to_string()));
        same("the progress", token, named)?;
    } else {
        law(token.is_some(), "any value is somebody's progress")?;
    }
    let raw = RawJson::from_text(params).map_err(|error| error.to_string())?;
    let asks = ProgressToken::new("7").put_into(Some(&raw));
    let asks = asks.map(|params| parsed(params.as_str())).transpose()?;
    let mut expected = value.is_object().then(|| value.clone());
    if let Some(expected) = &mut expected {
        if expected.get("_meta").is_none() {
            expected["_meta"] = Value::Object(serde_json::Map::new());
        }
    }
    let mut expected = expected.filter(|params| params["_meta"].is_object());
    if let Some(expected) = &mut expected {
        expected["_meta"]["progressToken"] = Value::from(7);
    }
    if once(&tree, &["_meta"]) {
        same("params that ask for progress", asks, expected)?;
    }
    Ok(())
}

fn check_result(text: &str) -> Result<(), String> {
    let result = RawJson::from_text(text).map_err(|error| error.to_string())?;
    let (kind, initialized) = (result::kind(&result), handshake::initialized(&result));
    let (discovered, complete) = (handshake::discovered(&result), result::complete(&result));
    law(
        complete.is_ok() == matches!(kind, Ok(Kind::Complete)),
        "what is complete is complete",
    )?;
    let Some((tree, value)) = trees(text) else {
        return Ok(());
    };
    // Of several of one name the first counts.
    let first = |name: &str| tree.all(name).next();
    let text_of = |json: &Json| match json {
        Json::String(text) => Some(text.clone()),
        _ => None,
    };
    let capable = matches!(first("capabilities"), Some(Json::Object(_)));
    let version = first("protocolVersion").and_then(text_of);
    let found = initialized.ok().map(|(version, _)| version);
    same("the revision", found, version.filter(|_| capable))?;
    let versions = match first("supportedVersions") {
        Some(Json::Array(versions)) => versions.iter().map(text_of).collect::<Option<Vec<_>>>(),
        _ => None,
    };
    let mut versions = versions.filter(|_| capable);
    if let Some(versions) = &mut versions {
        versions.truncate(REVISIONS);
    }
    let found = discovered.ok().map(|(versions, _)| versions);
    same("the revisions", found, versions)?;
    check_kind(kind.ok(), &tree, &value)
}

/// 2026-07-28, basic: ResultType, and patterns: multi round-trip requests.
fn check_kind(found: Option<Kind<'_>>, tree: &Json, value: &Value) -> Result<(), String> {
    let unique = once(tree, &["resultType", "inputRequests", "requestState"]);
    let named = match given(value, "resultType") {
        _ if !unique => None,
        None => Some("complete"),
        Some(name) => name.as_str(),
    };
    match (found, named) {
        (None, None) | (Some(Kind::Complete), Some("complete")) => Ok(()),
        (found, Some("input_required")) => {
            let found = found.map(|kind| match kind {
                Kind::InputRequired(input) => asked(&input),
                kind => Err(format!("{kind:?}")),
            });
            same("what is asked", found.transpose()?, asks(tree, value))
        }
        (Some(Kind::Other(shown)), Some(name)) => {
            law(name != "complete", "another type is not complete")?;
            let is_name = !name.contains(|char: char| {
                !matches!(char, '0'..='9' | 'A'..='Z' | 'a'..='z' | '-' | '.' | '_' | '/')
            });
            let is_shown = is_name && name.chars().count() <= 64;
            same("the type", &*shown, if is_shown { name } else { "..." })
        }
        (found, named) => Err(format!("{found:?} instead of {named:?}")),
    }
}

/// Key, method and params of each request, and the state.
type Asked = (Vec<(String, String, Option<Value>)>, Option<Value>);

fn asked(input: &InputRequired<'_>) -> Result<Asked, String> {
    let InputRequired { requests, state } = input;
    let requests = requests.iter().map(|request| {
        let key = serde_json::from_str(request.key).map_err(|error| error.to_string())?;
        let params = request.params.map(|params| parsed(params.get()));
        Ok((key, request.method.to_string(), params.transpose()?))
    });
    let state = state.map(|state| parsed(state.get())).transpose()?;
    Ok((requests.collect::<Result<_, String>>()?, state))
}

fn asks(tree: &Json, value: &Value) -> Option<Asked> {
    let state = given(value, "requestState").cloned();
    if !state.as_ref().is_none_or(Value::is_string) {
        return None;
    }
    let Some(requests) = given(value, "inputRequests") else {
        return Some((Vec::new(), state));
    };
    let (requests, tree) = (requests.as_object()?, tree.get("inputRequests")?);
    let mut asks = Vec::new();
    for (key, request) in tree.members() {
        if tree.all(key).count() > 1 || !once(request, &["method", "params"]) {
            return None;
        }
        let request = requests.get(key)?;
        let method = request.get("method")?.as_str()?.to_owned();
        asks.push((key.clone(), method, given(request, "params").cloned()));
    }
    Some((asks, state))
}

/// 2026-07-28, versioning: protocol version negotiation.
fn check_error(data: Option<&RawJson>) -> Result<(), String> {
    let found = handshake::supported(data);
    let Some((tree, value)) = data.and_then(|data| trees(data.as_str())) else {
        return Ok(());
    };
    let listed = value
        .get("supported")
        .filter(|_| once(&tree, &["supported"]));
    let listed =
        listed.and_then(|listed| serde_json::from_value::<Vec<String>>(listed.clone()).ok());
    let mut expected = listed.unwrap_or_default();
    expected.truncate(REVISIONS);
    same("the revisions of an error", found, expected)
}
