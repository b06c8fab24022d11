//! `_meta` of requests where each stands on its own (2026-07-28, basic: `_meta`), and
//! what a request takes along from one round to the next.

use serde::Serialize;

use super::jsonrpc::{Members, Object, ProgressToken};
use super::object;
use crate::{RawJson, Revision};

/// The members that the protocol writes, or that mean something to it alone.
const OWNED: [&str; 5] = [
    "io.modelcontextprotocol/clientCapabilities",
    "io.modelcontextprotocol/clientInfo",
    "io.modelcontextprotocol/logLevel",
    "io.modelcontextprotocol/protocolVersion",
    "io.modelcontextprotocol/subscriptionId",
];

/// What is wrong with the `_meta` of an application.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum BadMeta {
    NoObject,
    Unreadable,
    Owned(&'static str),
}

/// Whether the application's own `_meta` leaves to the protocol what is the protocol's. Gives the
/// progress token in it.
pub(crate) fn check(params: &RawJson) -> Result<Option<ProgressToken>, BadMeta> {
    if !object::may_have(params.as_str(), "_meta") {
        return Ok(None);
    }
    let text = params;
    let params = Members::read(params.as_str()).ok_or(BadMeta::Unreadable)?;
    for (_, meta) in params.iter().filter(|(name, _)| *name == "_meta") {
        if !meta.get().starts_with('{') {
            return Err(BadMeta::NoObject);
        }
        let meta = Members::read(meta.get()).ok_or(BadMeta::Unreadable)?;
        let owned = |(name, _)| OWNED.into_iter().find(|owned| *owned == name);
        if let Some(name) = meta.iter().find_map(owned) {
            return Err(BadMeta::Owned(name));
        }
    }
    Ok(ProgressToken::of_params(text))
}

/// What the protocol adds to the `_meta` of every request: members, without braces.
#[derive(Clone)]
pub(crate) struct Stamp(String);

impl std::fmt::Debug for Stamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stamp(..)")
    }
}

impl Stamp {
    pub(crate) fn new(
        revision: Revision,
        client_info: &RawJson,
        capabilities: &RawJson,
        log_level: Option<&str>,
    ) -> Self {
        #[derive(Serialize)]
        struct Fields<'a> {
            #[serde(rename = "io.modelcontextprotocol/protocolVersion")]
            protocol_version: &'a str,
            #[serde(rename = "io.modelcontextprotocol/clientInfo")]
            client_info: &'a RawJson,
            #[serde(rename = "io.modelcontextprotocol/clientCapabilities")]
            client_capabilities: &'a RawJson,
            #[serde(
                rename = "io.modelcontextprotocol/logLevel",
                skip_serializing_if = "Option::is_none"
            )]
            log_level: Option<&'a str>,
        }
        let fields = serde_json::to_string(&Fields {
            protocol_version: revision.as_str(),
            client_info,
            client_capabilities: capabilities,
            log_level,
        });
        let fields = fields.unwrap_or_default();
        let inner = fields
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'));
        Self(inner.unwrap_or_default().to_owned())
    }
}

/// What a request that is made again takes along from the answer before
/// (2026-07-28, patterns: multi round-trip requests).
#[derive(Clone, Copy)]
pub(crate) struct Carried<'a> {
    /// The answers to what was asked, by the server's keys as they were written.
    pub(crate) responses: &'a [(String, RawJson)],
    /// `requestState`, to the byte.
    pub(crate) state: Option<&'a RawJson>,
}

/// The params of a request: the application's, to the letter, with what the protocol
/// adds. Nothing if they are no object.
pub(crate) fn params(
    given: Option<&RawJson>,
    stamp: &Stamp,
    carried: Option<Carried<'_>>,
) -> Option<RawJson> {
    let given = Members::read(given.map_or("{}", RawJson::as_str))?;
    let mut params = Object::default();
    let replaced: &[&str] = match carried {
        Some(_) => &["_meta", "inputResponses", "requestState"],
        None => &["_meta"],
    };
    for (name, value) in given.without(replaced) {
        params.member(name, value.get());
    }
    if let Some(Carried { responses, state }) = carried {
        if !responses.is_empty() {
            let mut answers = Object::default();
            for (key, answer) in responses {
                answers.member(key, answer.as_str());
            }
            params.member(r#""inputResponses""#, &answers.close());
        }
        if let Some(state) = state {
            params.member(r#""requestState""#, state.as_str());
        }
    }
    let mut meta = Object::default();
    for (_, own) in given.iter().filter(|(name, _)| *name == "_meta") {
        for (name, value) in Members::read(own.get())?.as_written() {
            meta.member(name, value.get());
        }
    }
    meta.members(&stamp.0);
    params.member(r#""_meta""#, &meta.close());
    Some(RawJson::trusted(params.close()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn raw(text: &str) -> RawJson {
        RawJson::from_text(text).unwrap()
    }

    fn stamp() -> Stamp {
        let info = raw(r#"{"name":"}{","version":"1"}"#);
        Stamp::new(
            Revision::V2026_07_28,
            &info,
            &raw(r#"{"roots":{}}"#),
            Some("info"),
        )
    }

    fn written(given: Option<&str>, carried: Option<Carried<'_>>) -> String {
        let given = given.map(raw);
        params(given.as_ref(), &stamp(), carried)
            .unwrap()
            .as_str()
            .to_owned()
    }

    const FIELDS: &str = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"}{","version":"1"},"io.modelcontextprotocol/clientCapabilities":{"roots":{}},"io.modelcontextprotocol/logLevel":"info""#;

    #[test]
    fn a_request_without_params_gets_the_protocols_fields() {
        for given in [None, Some("{}"), Some(" { } ")] {
            assert_eq!(written(given, None), format!(r#"{{"_meta":{{{FIELDS}}}}}"#));
        }
    }

    #[test]
    fn what_the_application_gave_stays_to_the_letter() {
        let given = r#"{"a\u0062":1.50,"_meta":{"progressToken":7,"traceparent":"00-x"},"x":[ 1]}"#;
        let meta = format!(r#""_meta":{{"progressToken":7,"traceparent":"00-x",{FIELDS}}}"#);
        assert_eq!(
            written(Some(given), None),
            format!(r#"{{"a\u0062":1.50,"x":[ 1],{meta}}}"#)
        );
    }

    #[test]
    fn a_round_replaces_what_it_carries() {
        let given = r#"{"name":"n","inputResponses":{"old":1},"requestState":"old"}"#;
        let responses = [(r#""k\"""#.to_owned(), raw(r#"{"action":"accept"}"#))];
        let state = raw(r#""\u0041 b""#);
        let carried = Carried {
            responses: &responses,
            state: Some(&state),
        };
        let text = written(Some(given), Some(carried));
        assert!(text.contains(r#""requestState":"\u0041 b""#), "{text}");
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            value["inputResponses"],
            json!({ "k\"": { "action": "accept" } })
        );
        let none = Carried {
            responses: &[],
            state: None,
        };
        let value: Value = serde_json::from_str(&written(Some(given), Some(none))).unwrap();
        assert_eq!(value.get("requestState"), None);
        assert_eq!(value.get("inputResponses"), None);
    }

    #[test]
    fn the_protocols_own_keys_are_not_for_applications() {
        assert_eq!(check(&raw(r#"{"a":1}"#)), Ok(None));
        let token = Some(ProgressToken::new("1"));
        assert_eq!(check(&raw(r#"{"_meta":{"progressToken":1}}"#)), Ok(token));
        assert_eq!(check(&raw(r#"{"_meta":[]}"#)), Err(BadMeta::NoObject));
        for owned in OWNED {
            let params = format!(r#"{{"_meta":{{}},"_meta":{{"a":1,"{owned}":"x"}}}}"#);
            assert_eq!(check(&raw(&params)), Err(BadMeta::Owned(owned)));
        }
    }
}
