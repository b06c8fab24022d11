//! JSON-RPC messages: routed by one pass, never built into a tree.

use std::borrow::Cow;
use std::fmt;
use std::io::Write as _;

use bytes::Bytes;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::object;
use crate::RawJson;
use crate::error::RpcError;

/// The longest id of a server's request, which has to be kept until it is answered.
const ID: usize = 1 << 10;

/// A message of the server, borrowed from the bytes it came in.
#[derive(Debug)]
pub(crate) enum Message<'a> {
    Notification {
        method: Cow<'a, str>,
        params: Option<&'a str>,
    },
    Request {
        id: &'a str,
        method: Cow<'a, str>,
        params: Option<&'a str>,
    },
    Response {
        id: Id,
        outcome: Result<&'a str, RpcError>,
    },
}

/// The id of a response.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Id {
    /// Absent, or null.
    None,
    /// One that this machine can have given.
    Number(u64),
    /// Another: a string, a fraction.
    Foreign,
}

/// The members that route a message.
#[derive(Default)]
struct Envelope<'a> {
    id: Option<&'a RawValue>,
    method: Option<&'a RawValue>,
    params: Option<&'a RawValue>,
    result: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
}

impl<'a> Envelope<'a> {
    fn read(text: &'a str) -> Result<Self, &'static str> {
        let mut envelope = Self::default();
        let mut twice = false;
        let is_object = object::members(text, |name, value| {
            let member = match &*name {
                b"id" => &mut envelope.id,
                b"method" => &mut envelope.method,
                b"params" => &mut envelope.params,
                b"result" => &mut envelope.result,
                b"error" => &mut envelope.error,
                _ => return,
            };
            twice |= member.replace(value).is_some();
        });
        if is_object && !twice {
            Ok(envelope)
        } else if is_object || serde_json::from_str::<IgnoredAny>(text).is_ok() {
            Err(NO_MESSAGE)
        } else {
            Err(NO_JSON)
        }
    }
}

const NO_JSON: &str = "it is no JSON";
const NO_MESSAGE: &str = "it is no JSON-RPC message";

/// Reads one message.
pub(crate) fn parse(text: &[u8]) -> Result<Message<'_>, &'static str> {
    let text = std::str::from_utf8(text).map_err(|_| NO_JSON)?;
    let Envelope {
        id,
        method,
        params,
        result,
        error,
    } = Envelope::read(text)?;
    // A `null` is as good as nothing, but for the id and the result.
    let [method, params, error] =
        [method, params, error].map(|value| value.filter(|value| value.get() != "null"));
    let (id, params) = (id.map(RawValue::get), params.map(RawValue::get));
    match (method, result, error) {
        (None, Some(result), None) => Ok(Message::Response {
            id: response_id(id),
            outcome: Ok(result.get()),
        }),
        (None, None, Some(error)) => {
            // As above, of an error's members.
            let error = serde_json::from_str(error.get())
                .ok()
                .filter(|_| !is_array(error.get().as_bytes()))
                .ok_or("its error is no JSON-RPC error")?;
            Ok(Message::Response {
                id: response_id(id),
                outcome: Err(error),
            })
        }
        (Some(method), None, None) => {
            let method = object::string(method).ok_or(NO_MESSAGE)?;
            match id {
                None => Ok(Message::Notification { method, params }),
                Some(id) if id.len() > ID => Err("its id is longer than 1 KiB"),
                Some(id) if id.starts_with(['"', '-']) || id.starts_with(digit) => {
                    Ok(Message::Request { id, method, params })
                }
                Some(_) => Err("its id is neither a string nor a number"),
            }
        }
        _ => Err(NO_MESSAGE),
    }
}

fn digit(char: char) -> bool {
    char.is_ascii_digit()
}

fn response_id(id: Option<&str>) -> Id {
    match id {
        None | Some("null") => Id::None,
        Some(text) => text.parse().map_or(Id::Foreign, Id::Number),
    }
}

/// Whether the body is a JSON array: a batch.
pub(crate) fn is_array(body: &[u8]) -> bool {
    body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[')
}

/// Why an array is no batch.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum BadBatch {
    NoJson,
    TooLong,
}

/// The elements of a batch (2025-03-26), each as it stands, up to this many.
pub(crate) fn batch(body: &[u8], limit: usize) -> Result<Vec<&RawValue>, BadBatch> {
    struct Elements(usize);

    impl<'de> Visitor<'de> for Elements {
        type Value = Result<Vec<&'de RawValue>, BadBatch>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
            let mut elements = Vec::new();
            while let Some(element) = array.next_element()? {
                if elements.len() < self.0 {
                    elements.push(element);
                } else {
                    while array.next_element::<IgnoredAny>()?.is_some() {}
                    return Ok(Err(BadBatch::TooLong));
                }
            }
            Ok(Ok(elements))
        }
    }

    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let elements = deserializer
        .deserialize_seq(Elements(limit))
        .map_err(|_| BadBatch::NoJson)??;
    deserializer.end().map_err(|_| BadBatch::NoJson)?;
    Ok(elements)
}

/// Serializes what has to be a JSON object; `null` is nothing.
pub(crate) fn object<T: Serialize + ?Sized>(value: &T) -> Result<Option<RawJson>, String> {
    let raw = RawJson::new(value).map_err(|error| format!("cannot be serialized: {error}"))?;
    match raw
        .as_bytes()
        .iter()
        .find(|byte| !byte.is_ascii_whitespace())
    {
        Some(b'{') => Ok(Some(raw)),
        Some(b'n') => Ok(None),
        _ => Err("must be a JSON object".to_owned()),
    }
}

/// The members of a JSON object, in order, names and values untouched. A name with a lone
/// surrogate, which is no text in Rust, is a name like any other.
pub(crate) struct Members<'a>(Vec<Member<'a>>);

struct Member<'a> {
    /// Absent if it is no text.
    name: Option<Cow<'a, str>>,
    /// With its quotes.
    written: &'a str,
    value: &'a RawValue,
}

impl<'a> Members<'a> {
    /// The members; none of what is no object.
    pub(crate) fn of(text: &'a str) -> Self {
        Self::read(text).unwrap_or(Self(Vec::new()))
    }

    /// The members, if it is an object.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }

    /// Those whose names are text.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        let members = self.0.iter();
        members.filter_map(|member| Some((member.name.as_deref()?, member.value)))
    }

    /// All of them, each with its name as it was written.
    pub(crate) fn as_written(&self) -> impl Iterator<Item = (&'a str, &'a RawValue)> {
        self.0.iter().map(|member| (member.written, member.value))
    }

    /// All but those with these names, as they were written.
    pub(crate) fn without(&self, names: &[&str]) -> impl Iterator<Item = (&'a str, &'a RawValue)> {
        let stays = |member: &&Member<'a>| {
            let name = member.name.as_deref();
            name.is_none_or(|name| !names.contains(&name))
        };
        let members = self.0.iter().filter(stays);
        members.map(|member| (member.written, member.value))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Vec<Member<'de>>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(written) = map.next_key::<&RawValue>()? {
                    members.push(Member {
                        name: object::string(written),
                        written: written.get(),
                        value: map.next_value()?,
                    });
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Collect).map(Self)
    }
}

/// The text of a JSON object that is being written.
#[derive(Default)]
pub(super) struct Object(String);

impl Object {
    /// A member; name and value are JSON.
    pub(super) fn member(&mut self, name: &str, value: &str) {
        self.members(name);
        self.0.push(':');
        self.0.push_str(value);
    }

    /// Members that are written already.
    pub(super) fn members(&mut self, text: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        self.0.push_str(text);
    }

    pub(super) fn close(mut self) -> String {
        if self.0.is_empty() {
            self.0.push('{');
        }
        self.0.push('}');
        self.0
    }
}

/// A progress token: a string or an integer, as JSON text in its one shortest form,
/// for servers may write the same string with other escapes.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct ProgressToken(String);

impl ProgressToken {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let shortest =
            serde_json::from_str::<String>(&text).and_then(|string| serde_json::to_string(&string));
        Self(shortest.unwrap_or(text))
    }

    /// The token that params ask progress with: `_meta.progressToken`.
    pub(super) fn of_params(params: &RawJson) -> Option<Self> {
        let meta = Members::of(params.as_str()).get("_meta")?;
        Members::of(meta.get())
            .get("progressToken")
            .filter(|token| token.get() != "null")
            .map(|token| Self::new(token.get()))
    }

    /// The token that a progress notification names: `params.progressToken`.
    pub(crate) fn of_notification(params: &str) -> Option<Self> {
        only(params, "progressToken").map(Self::new)
    }

    /// Params that ask for progress with this token, all else as it was. Nothing if they
    /// cannot be read.
    pub(crate) fn put_into(&self, params: Option<&RawJson>) -> Option<RawJson> {
        let params = Members::read(params.map_or("{}", RawJson::as_str))?;
        let mut meta = Object::default();
        let own = params.get("_meta").map_or("{}", RawValue::get);
        for (name, value) in Members::read(own)?.without(&["progressToken"]) {
            meta.member(name, value.get());
        }
        meta.member(r#""progressToken""#, &self.0);
        let mut written = Object::default();
        for (name, value) in params.without(&["_meta"]) {
            written.member(name, value.get());
        }
        written.member(r#""_meta""#, &meta.close());
        Some(RawJson::trusted(written.close()))
    }
}

/// The id that `notifications/cancelled` names, as JSON text.
pub(crate) fn cancelled_request(params: &str) -> Option<&str> {
    only(params, "requestId")
}

/// The value of a member that is there once.
fn only<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (mut found, mut twice) = (None, false);
    object::members(text, |key, value| {
        if *key == *name.as_bytes() {
            twice |= found.replace(value.get()).is_some();
        }
    });
    found.filter(|_| !twice)
}

/// The body of a request.
pub(crate) fn request(id: u64, method: &str, params: Option<&RawJson>) -> Bytes {
    body(Some(id), method, params)
}

/// The body of a notification.
pub(crate) fn notification(method: &str, params: Option<&RawJson>) -> Bytes {
    body(None, method, params)
}

/// The body of a response; the id goes back to the letter.
pub(crate) fn response(id: &str, outcome: &Result<RawJson, RpcError>) -> Bytes {
    let mut body = Vec::with_capacity(64 + id.len());
    body.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    body.extend_from_slice(id.as_bytes());
    match outcome {
        Ok(result) => {
            body.extend_from_slice(b",\"result\":");
            body.extend_from_slice(result.as_bytes());
        }
        Err(error) => {
            body.extend_from_slice(b",\"error\":{\"code\":");
            body.extend_from_slice(error.code.to_string().as_bytes());
            body.extend_from_slice(b",\"message\":");
            push_string(&mut body, &error.message);
            if let Some(data) = &error.data {
                body.extend_from_slice(b",\"data\":");
                body.extend_from_slice(data.as_bytes());
            }
            body.push(b'}');
        }
    }
    body.push(b'}');
    body.into()
}

fn body(id: Option<u64>, method: &str, params: Option<&RawJson>) -> Bytes {
    // The fixed text around method, params and id takes 60 bytes at most.
    let room = 72 + method.len() + params.map_or(0, RawJson::len);
    let mut body = Vec::with_capacity(room);
    body.extend_from_slice(b"{\"jsonrpc\":\"2.0\",");
    if let Some(id) = id {
        body.extend_from_slice(b"\"id\":");
        // Writing text to memory cannot fail.
        let _ = write!(body, "{id},");
    }
    body.extend_from_slice(b"\"method\":");
    push_string(&mut body, method);
    if let Some(params) = params {
        body.extend_from_slice(b",\"params\":");
        body.extend_from_slice(params.as_bytes());
    }
    body.push(b'}');
    body.into()
}

/// Adds a string, which mostly needs no escapes.
fn push_string(body: &mut Vec<u8>, text: &str) {
    if text
        .bytes()
        .all(|byte| matches!(byte, b'a'..=b'z' | b'/' | b'_' | b'A'..=b'Z'))
    {
        body.push(b'"');
        body.extend_from_slice(text.as_bytes());
        body.push(b'"');
    } else {
        // Writing text to memory cannot fail.
        let _ = serde_json::to_writer(body, text);
    }
}
