//! What kind of result a reply carries (2026-07-28, basic: ResultType).

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::jsonrpc::Members;
use super::object;
use crate::RawJson;
use crate::error::Peer;

/// What kind of result it is.
#[derive(Debug)]
pub(crate) enum Kind<'a> {
    Complete,
    /// The server wants to know something before it goes on.
    InputRequired(InputRequired<'a>),
    /// Of a type that the core protocol does not know: shortened, fit to show.
    Other(String),
}

/// An `InputRequiredResult` (patterns: multi round-trip requests).
#[derive(Debug)]
pub(crate) struct InputRequired<'a> {
    pub(crate) requests: Vec<InputRequest<'a>>,
    /// `requestState`: a JSON string, not looked into.
    pub(crate) state: Option<&'a RawValue>,
}

#[derive(Debug)]
pub(crate) struct InputRequest<'a> {
    /// As it was written, with its quotes.
    pub(crate) key: &'a str,
    pub(crate) method: Cow<'a, str>,
    pub(crate) params: Option<&'a RawValue>,
}

/// Reads as much of a result as it takes to know its kind.
pub(crate) fn kind(result: &RawJson) -> Result<Kind<'_>, Peer> {
    // What is no object has no members.
    if !result.as_str().trim_start().starts_with('{') {
        return Ok(Kind::Complete);
    }
    let (mut types, mut asked, mut states) = (Vec::new(), Vec::new(), Vec::new());
    object::members(result.as_str(), |name, value| match &*name {
        b"resultType" => types.push(value),
        b"inputRequests" => asked.push(value),
        b"requestState" => states.push(value),
        _ => {}
    });
    if [&types, &asked, &states]
        .iter()
        .any(|found| found.len() > 1)
    {
        return Err(Peer::Message("its result names something twice"));
    }
    let Some(name) = first(&types) else {
        return Ok(Kind::Complete);
    };
    let name: Cow<'_, str> = serde_json::from_str(name.get())
        .map_err(|_| Peer::Message("its `resultType` is no string"))?;
    Ok(match &*name {
        "complete" => Kind::Complete,
        "input_required" => Kind::InputRequired(InputRequired {
            requests: requests(first(&asked))?,
            state: state(first(&states))?,
        }),
        other => Kind::Other(shown(other)),
    })
}

/// The result of a request that takes no input, and of no extension.
pub(crate) fn complete(result: &RawJson) -> Result<(), Peer> {
    match kind(result)? {
        Kind::Complete => Ok(()),
        Kind::InputRequired(_) => Err(Peer::InputRequired("the method takes none")),
        Kind::Other(name) => Err(Peer::ResultType(name)),
    }
}

/// The name of a type as those of the protocol and its extensions are. Anything else is content,
/// of which nothing is shown (law 9).
fn shown(name: &str) -> String {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/".contains(&byte);
    let is_shown = name.len() <= 64 && name.bytes().all(is_name);
    if is_shown { name } else { "..." }.to_owned()
}

/// A `null` stands for nothing.
fn first<'a>(found: &[&'a RawValue]) -> Option<&'a RawValue> {
    found.first().copied().filter(|value| value.get() != "null")
}

fn requests(requests: Option<&RawValue>) -> Result<Vec<InputRequest<'_>>, Peer> {
    #[derive(Deserialize)]
    struct Request<'a> {
        #[serde(borrow)]
        method: Cow<'a, str>,
        #[serde(borrow, default)]
        params: Option<&'a RawValue>,
    }

    let Some(requests) = requests else {
        return Ok(Vec::new());
    };
    if !requests.get().starts_with('{') {
        return Err(Peer::InputRequired("its requests are no object"));
    }
    let mut read = Vec::new();
    for (key, request) in Members::of(requests.get()).as_written() {
        let unreadable = Peer::InputRequired("one of its requests cannot be read");
        if !request.get().starts_with('{') {
            return Err(unreadable);
        }
        let Ok(Request { method, params }) = serde_json::from_str(request.get()) else {
            return Err(unreadable);
        };
        read.push(InputRequest {
            key,
            method,
            params,
        });
    }
    let (mut keys, mut twice) = (std::collections::BTreeSet::new(), false);
    object::members(requests.get(), |key, _| twice |= !keys.insert(key));
    if twice {
        return Err(Peer::InputRequired("two of its requests have one key"));
    }
    Ok(read)
}

fn state(state: Option<&RawValue>) -> Result<Option<&RawValue>, Peer> {
    match state {
        Some(state) if !state.get().starts_with('"') => {
            Err(Peer::InputRequired("its state is no string"))
        }
        state => Ok(state),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> RawJson {
        RawJson::from_text(text).unwrap()
    }

    #[test]
    fn a_result_without_a_type_is_complete() {
        for text in [
            "{}",
            r#"{"content":[]}"#,
            r#"{"resultType":"complete"}"#,
            r#"{"resultType":null}"#,
            r#"["resultType"]"#,
            "7",
        ] {
            assert!(matches!(kind(&raw(text)), Ok(Kind::Complete)), "{text}");
        }
    }

    #[test]
    fn other_types_are_named() {
        let text = raw(r#"{"resultType":"ta\u0073k"}"#);
        assert!(matches!(kind(&text), Ok(Kind::Other(name)) if name == "task"));
        for (name, said) in [
            ("x/t_a-s.k1".to_owned(), "x/t_a-s.k1".to_owned()),
            ("t".repeat(64), "t".repeat(64)),
            ("t".repeat(65), "...".to_owned()),
            ("a task".to_owned(), "...".to_owned()),
        ] {
            let text = raw(&format!(r#"{{"resultType":"{name}"}}"#));
            assert!(
                matches!(kind(&text), Ok(Kind::Other(shown)) if shown == said),
                "{name}"
            );
        }
        for text in [
            r#"{"resultType":1}"#,
            r#"{"resultType":"a","resultType":"b"}"#,
        ] {
            assert!(kind(&raw(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_required_is_read_in_order_and_to_the_byte() {
        let text = raw(
            r#"{"inputRequests":{"b":{"method":"roots/list"},"a":{"method":"x","params":{"p": 1}}},
                "requestState":"\u0041","resultType":"input_required"}"#,
        );
        let Ok(Kind::InputRequired(InputRequired { requests, state })) = kind(&text) else {
            panic!("it requires input");
        };
        let shown: Vec<_> = requests
            .iter()
            .map(|request| {
                (
                    request.key,
                    &*request.method,
                    request.params.map(RawValue::get),
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                (r#""b""#, "roots/list", None),
                (r#""a""#, "x", Some(r#"{"p": 1}"#))
            ]
        );
        assert_eq!(state.unwrap().get(), r#""\u0041""#);
    }

    #[test]
    fn what_cannot_be_read_breaks_the_protocol() {
        for rest in [
            r#""inputRequests":[]"#,
            r#""inputRequests":{"a":{}}"#,
            r#""inputRequests":{"a":["roots/list"]}"#,
            r#""inputRequests":{"a":{"method":1}}"#,
            r#""inputRequests":{"a":{"method":"x"},"\u0061":{"method":"y"}}"#,
            r#""requestState":{}"#,
        ] {
            let text = raw(&format!(r#"{{"resultType":"input_required",{rest}}}"#));
            assert!(matches!(kind(&text), Err(Peer::InputRequired(_))), "{rest}");
        }
    }
}
