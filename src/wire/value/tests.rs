#![allow(clippy::panic, clippy::unwrap_used)]

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn shown(text: &str) -> String {
    encode(text).to_str().unwrap().to_owned()
}

/// As a server does it.
fn decode(value: &HeaderValue) -> String {
    let value = value.to_str().unwrap();
    let inner = value
        .strip_prefix("=?base64?")
        .and_then(|rest| rest.strip_suffix("?="));
    let Some(inner) = inner else {
        return value.to_owned();
    };
    String::from_utf8(STANDARD.decode(inner).unwrap()).unwrap()
}

/// The specification's examples, then those of SEP-2243.
#[test]
fn the_examples_of_the_specification() {
    for (text, expected) in [
        ("us-west1", "us-west1"),
        ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
        (" padded ", "=?base64?IHBhZGRlZCA=?="),
        ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
        ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        ("execute_sql", "execute_sql"),
        (
            "file:///projects/myapp/config.json",
            "file:///projects/myapp/config.json",
        ),
        (" us-west1", "=?base64?IHVzLXdlc3Qx?="),
        ("us-west1 ", "=?base64?dXMtd2VzdDEg?="),
        (" us-west1 ", "=?base64?IHVzLXdlc3QxIA==?="),
        ("us west 1", "us west 1"),
        ("true", "true"),
        ("42", "42"),
        ("日本語", "=?base64?5pel5pys6Kqe?="),
        ("line1\r\nline2", "=?base64?bGluZTENCmxpbmUy?="),
        ("\tindented", "=?base64?CWluZGVudGVk?="),
        (
            "https://example.com/resource?id=123",
            "https://example.com/resource?id=123",
        ),
        (
            "file:///path/to/file%20name.txt",
            "file:///path/to/file%20name.txt",
        ),
    ] {
        assert_eq!(shown(text), expected, "{text:?}");
        assert_eq!(decode(&encode(text)), text);
    }
}

#[test]
fn visible_ascii_and_blanks_between_are_sent_as_they_are() {
    for char in (0..=0x2ff).filter_map(char::from_u32) {
        let text = format!("a{char}b");
        let is_plain = matches!(char, ' '..='~');
        assert_eq!(shown(&text) == text, is_plain, "{char:?}");
        assert_eq!(decode(&encode(&text)), text);
    }
}

#[test]
fn outer_blanks_are_encoded() {
    for text in [" ", "\t", " a", "a ", "\ta", "a\t", "\u{a0}a", "a\u{2003}"] {
        assert!(shown(text).starts_with("=?base64?"), "{text:?}");
        assert_eq!(decode(&encode(text)), text);
    }
}

#[test]
fn what_looks_encoded_is_encoded() {
    for text in [
        "=?base64??=",
        "=?base64?x?=",
        "=?base64?not base64?=",
        // Prefix and suffix share a `?`: some decoders take this for encoded.
        "=?base64?=",
    ] {
        assert_ne!(shown(text), text);
        assert_eq!(decode(&encode(text)), text);
    }
    for text in [
        "=?base64?",
        "=?base64?x",
        "?=",
        "x?=",
        "x=?base64?x?=",
        "=?base64?x?=x",
        "=?BASE64?x?=",
        "=?utf-8?x?=",
    ] {
        assert_eq!(shown(text), text);
    }
}

/// Go's server takes an empty header for a missing one.
#[test]
fn no_value_is_empty() {
    assert_eq!(shown(""), "=?base64??=");
    assert_eq!(decode(&encode("")), "");
}

#[test]
fn contents_are_not_shown() {
    for text in ["secret", "sécret", ""] {
        let value = encode(text);
        assert!(value.is_sensitive());
        assert_eq!(format!("{value:?}"), "Sensitive");
    }
}

#[test]
fn a_mebibyte_is_encoded() {
    let text = "\u{1F600}".repeat(1 << 18);
    assert_eq!(decode(&encode(&text)), text);
}

proptest! {
    #[test]
    fn every_text_comes_back(text in text()) {
        let value = encode(&text);
        prop_assert_eq!(decode(&value), &*text);
        let bytes = value.as_bytes();
        prop_assert!(!bytes.is_empty());
        prop_assert!(bytes.iter().all(|byte| (b' '..=b'~').contains(byte)));
        prop_assert_eq!(bytes.trim_ascii(), bytes);
    }
}

fn text() -> impl Strategy<Value = String> {
    let parts = select(vec![
        "=?base64?",
        "?=",
        "=",
        "?",
        " ",
        "\t",
        "a",
        "é",
        "\r\n",
        "\0",
        "🦀",
    ]);
    prop_oneof![
        vec(parts, 0..6).prop_map(|parts| parts.concat()),
        any::<String>(),
    ]
}

fn name(method: &str, params: &str) -> Option<String> {
    let params = RawJson::from_text(params).unwrap();
    name_of(method, Some(&params)).map(|value| value.to_str().unwrap().to_owned())
}

#[test]
fn names_come_from_the_params() {
    let params = r#"{"taskId":"the task","uri":"the:uri","name":"the name"}"#;
    for (method, expected) in [
        ("tools/call", Some("the name")),
        ("prompts/get", Some("the name")),
        ("resources/read", Some("the:uri")),
        ("tasks/get", Some("the task")),
        ("tasks/update", Some("the task")),
        ("tasks/cancel", Some("the task")),
        // Of other methods the header says nothing.
        ("tools/list", None),
        ("prompts/list", None),
        ("resources/list", None),
        ("resources/templates/list", None),
        ("subscriptions/listen", None),
        ("completion/complete", None),
        ("server/discover", None),
        ("tasks/list", None),
        ("TOOLS/CALL", None),
        ("", None),
    ] {
        assert_eq!(name(method, params).as_deref(), expected, "{method}");
    }
}

#[test]
fn names_are_encoded_like_any_value() {
    for (params, expected) in [
        (r#"{"name":"é"}"#, Some("=?base64?w6k=?=")),
        (r#"{"name":"\u0061\/b"}"#, Some("a/b")),
        (r#"{"n\u0061me":"a"}"#, Some("a")),
        (r#"{"name":"a\nb"}"#, Some("=?base64?YQpi?=")),
        (r#"{"name":""}"#, Some("=?base64??=")),
        // As in the body, where servers read the last.
        (r#"{"name":"a","name":"b"}"#, Some("b")),
        (r#"{"name":"a","name":1}"#, None),
        (r#"{"name":null}"#, None),
        (r#"{"name":["a"]}"#, None),
        (r#"{"Name":"a"}"#, None),
        (r#"{"arguments":{"name":"a"}}"#, None),
        (r#"{"name":"\ud800"}"#, None),
        (r#"{"\ud800":"a","name":"b"}"#, Some("b")),
        (r#"{}"#, None),
        (r#"[]"#, None),
        (r#"["name"]"#, None),
        (r#"null"#, None),
    ] {
        assert_eq!(name("tools/call", params).as_deref(), expected, "{params}");
    }
    assert_eq!(name_of("tools/call", None), None);
}

/// Nothing is read that the header does not need.
#[test]
fn the_depth_of_params_does_not_matter() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let params = format!(r#"{{"arguments":{deep},"name":"a"}}"#);
    assert_eq!(name("tools/call", &params).as_deref(), Some("a"));
}
