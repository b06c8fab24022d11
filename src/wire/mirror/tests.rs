#![allow(clippy::panic, clippy::unwrap_used)]

use std::fmt::Write as _;

use super::*;
use crate::wire::tools;

/// What a tool with these properties mirrors.
fn mirrored(properties: &str) -> Mirrored {
    let list = format!(
        r#"{{"tools":[{{"name":"t","inputSchema":{{"type":"object","properties":{properties}}}}}]}}"#
    );
    let list = RawJson::from_text(list).unwrap();
    let mut list = tools::read(&list).ok().unwrap();
    assert_eq!(list.rejected.pop().map(|tool| tool.why), None);
    list.tools.pop().unwrap().mirrored
}

/// One argument `v` in the header `V`.
fn one() -> Mirrored {
    mirrored(r#"{"v":{"type":"string","x-mcp-header":"V"}}"#)
}

fn nested() -> Mirrored {
    mirrored(
        r#"{
            "a": { "type": "string", "x-mcp-header": "A" },
            "o": { "type": "object", "properties": {
                "b": { "type": "integer", "x-mcp-header": "B" },
                "p": { "properties": { "c": { "type": "boolean", "x-mcp-header": "C" } } }
            } }
        }"#,
    )
}

fn params(arguments: &str) -> RawJson {
    RawJson::from_text(format!(r#"{{"name":"t","arguments":{arguments}}}"#)).unwrap()
}

/// `header=value`, joined by blanks.
fn shown(mirrored: &Mirrored, arguments: &str) -> Result<String, BadArgument> {
    let headers = mirrored.headers(Some(&params(arguments)))?;
    let headers = headers.iter().map(|(name, value)| {
        assert!(value.is_sensitive());
        format!("{name}={}", value.to_str().unwrap())
    });
    Ok(headers.collect::<Vec<_>>().join(" "))
}

fn why(arguments: &str) -> &'static str {
    match shown(&one(), arguments) {
        Err(BadArgument::Value {
            argument,
            header,
            why,
        }) => {
            assert_eq!((&*argument, &*header), ("v", "mcp-param-v"));
            why
        }
        other => panic!("{arguments}: {other:?}"),
    }
}

#[test]
fn the_example_of_the_specification() {
    let mirrored = mirrored(
        r#"{
            "region": { "type": "string", "description": "The region", "x-mcp-header": "Region" },
            "query": { "type": "string", "description": "The SQL query" }
        }"#,
    );
    assert_eq!(
        shown(
            &mirrored,
            r#"{"region":"us-west1","query":"SELECT * FROM users"}"#
        )
        .unwrap(),
        "mcp-param-region=us-west1"
    );
}

#[test]
fn values_by_their_type() {
    for (value, expected) in [
        (r#""us-west1""#, "us-west1"),
        (r#""Hello, 世界""#, "=?base64?SGVsbG8sIOS4lueVjA==?="),
        (r#"" padded ""#, "=?base64?IHBhZGRlZCA=?="),
        (r#""line1\nline2""#, "=?base64?bGluZTEKbGluZTI=?="),
        (r#""""#, "=?base64??="),
        (r#""\u0061\/\"""#, "a/\""),
        (r#""\ud83e\udd80""#, "=?base64?8J+mgA==?="),
        (r#""42""#, "42"),
        (r#""null""#, "null"),
        ("true", "true"),
        ("false", "false"),
        ("42", "42"),
        ("-7", "-7"),
        ("0", "0"),
    ] {
        let headers = shown(&one(), &format!(r#"{{"v":{value}}}"#)).unwrap();
        assert_eq!(headers, format!("mcp-param-v={expected}"));
    }
}

#[test]
fn integers_have_one_form() {
    for (value, expected) in [
        ("42.0", "42"),
        ("42.000", "42"),
        ("4.2e1", "42"),
        ("4.2E+1", "42"),
        ("420e-1", "42"),
        ("-0", "0"),
        ("-0.0", "0"),
        ("0e99999999999", "0"),
        ("1e15", "1000000000000000"),
        ("9007199254740991", "9007199254740991"),
        ("-9007199254740991", "-9007199254740991"),
        ("9007199254740991.0", "9007199254740991"),
        ("9.007199254740991e15", "9007199254740991"),
        ("90071992547409910e-1", "9007199254740991"),
    ] {
        let headers = shown(&one(), &format!(r#"{{"v":{value}}}"#)).unwrap();
        assert_eq!(headers, format!("mcp-param-v={expected}"), "{value}");
    }
}

#[test]
fn integers_beyond_the_range_are_refused() {
    for value in [
        "9007199254740992",
        "-9007199254740992",
        "9007199254740993",
        "18446744073709551615",
        "18446744073709551616",
        "1e16",
        "1e400",
        "-1e400",
        "1e99999999999",
    ] {
        let why = why(&format!(r#"{{"v":{value}}}"#));
        assert!(why.contains("beyond ±(2^53 − 1)"), "{value}: {why}");
    }
    let digits = "9".repeat(1 << 20);
    assert!(why(&format!(r#"{{"v":{digits}}}"#)).contains("beyond"));
}

#[test]
fn fractions_are_refused() {
    for value in ["42.5", "-0.1", "1e-1", "3.14159", "4503599627370495.5"] {
        let why = why(&format!(r#"{{"v":{value}}}"#));
        assert!(why.contains("fraction"), "{value}: {why}");
    }
}

#[test]
fn objects_and_arrays_are_refused() {
    for value in ["{}", "[]", r#"{"v":"a"}"#, r#"["a"]"#, "[[[]]]"] {
        let why = why(&format!(r#"{{"v":{value}}}"#));
        assert!(why.contains("object or an array"), "{value}: {why}");
    }
}

#[test]
fn what_is_no_unicode_is_refused() {
    for value in [r#""\ud800""#, r#""\udc00\ud800""#, r#""a\ud83e""#] {
        assert!(why(&format!(r#"{{"v":{value}}}"#)).contains("Unicode"));
    }
}

#[test]
fn errors_show_no_values() {
    for value in ["123456.75", "12345678901234567890", r#"["secret"]"#] {
        let error = shown(&one(), &format!(r#"{{"v":{value}}}"#)).unwrap_err();
        for shown in [error.to_string(), format!("{error:?}")] {
            assert!(
                !shown.contains("12345") && !shown.contains("secret"),
                "{shown}"
            );
            assert!(
                shown.contains('v') && shown.contains("mcp-param-v"),
                "{shown}"
            );
        }
    }
}

#[test]
fn what_is_absent_or_null_has_no_header() {
    for arguments in [
        "{}",
        r#"{"v":null}"#,
        r#"{"V":"a"}"#,
        r#"{"w":"a"}"#,
        r#"{"o":{"v":"a"}}"#,
        r#"{"v ":"a"}"#,
        "null",
        "[]",
        r#"["v"]"#,
        r#""v""#,
        "1e999",
    ] {
        assert_eq!(shown(&one(), arguments).unwrap(), "", "{arguments}");
    }
    for params in [
        "{}",
        "[]",
        "null",
        r#"{"v":"a"}"#,
        r#"{"Arguments":{"v":"a"}}"#,
    ] {
        let params = RawJson::from_text(params).unwrap();
        assert_eq!(one().headers(Some(&params)), Ok(Vec::new()));
    }
    assert_eq!(one().headers(None), Ok(Vec::new()));
}

#[test]
fn values_are_read_at_their_exact_path() {
    for (arguments, expected) in [
        (
            r#"{"a":"1","o":{"b":2,"p":{"c":true}}}"#,
            "mcp-param-a=1 mcp-param-b=2 mcp-param-c=true",
        ),
        (r#"{"o":{"p":{"c":false}}}"#, "mcp-param-c=false"),
        (r#"{"o":{"b":1,"p":null}}"#, "mcp-param-b=1"),
        // What is not there has no value, whatever stands in its place.
        (r#"{"o":null}"#, ""),
        (r#"{"o":"text"}"#, ""),
        (r#"{"o":1e999}"#, ""),
        (r#"{"o":[{"b":1}]}"#, ""),
        (r#"{"o":{"p":["c"]}}"#, ""),
        (r#"{"b":1,"c":true,"p":{"c":true}}"#, ""),
        (r#"{"o":{"a":"x","o":{"b":1},"c":true}}"#, ""),
        (r#"{"o.b":1}"#, ""),
    ] {
        assert_eq!(
            shown(&nested(), arguments).unwrap(),
            expected,
            "{arguments}"
        );
    }
}

#[test]
fn names_are_compared_without_their_escapes() {
    assert_eq!(shown(&one(), r#"{"\u0076":"a"}"#).unwrap(), "mcp-param-v=a");
    let escaped = mirrored(r#"{"\u0076\u00e9":{"type":"string","x-mcp-header":"V"}}"#);
    assert_eq!(shown(&escaped, r#"{"vé":"a"}"#).unwrap(), "mcp-param-v=a");
    let empty = mirrored(r#"{"":{"type":"string","x-mcp-header":"V"}}"#);
    assert_eq!(shown(&empty, r#"{"":"a"}"#).unwrap(), "mcp-param-v=a");
    let lone = mirrored(r#"{"\ud800":{"type":"string","x-mcp-header":"V"}}"#);
    assert_eq!(
        shown(&lone, r#"{"\uD800":"a","\ud801":"b"}"#).unwrap(),
        "mcp-param-v=a"
    );
    // Not even in arguments that nobody mirrors.
    assert_eq!(
        shown(&one(), r#"{"\ud800":"\ud800","v":"a"}"#).unwrap(),
        "mcp-param-v=a"
    );
}

#[test]
fn of_arguments_with_one_name_the_last_counts() {
    for (arguments, expected) in [
        (r#"{"a":"1","a":"2"}"#, "mcp-param-a=2"),
        (r#"{"a":[],"a":"2"}"#, "mcp-param-a=2"),
        (r#"{"a":"1","a":null}"#, ""),
        (r#"{"a":"1","\u0061":"2"}"#, "mcp-param-a=2"),
        (
            r#"{"o":{"b":1,"p":{"c":true}},"o":{"b":2}}"#,
            "mcp-param-b=2",
        ),
        (r#"{"o":{"b":1},"o":null}"#, ""),
        (r#"{"a":"1"},"arguments":{"a":"2"}"#, "mcp-param-a=2"),
        (r#"{"a":"1"},"arguments":null"#, ""),
    ] {
        assert_eq!(
            shown(&nested(), arguments).unwrap(),
            expected,
            "{arguments}"
        );
        // Servers agree.
        let params = params(arguments);
        let params: serde_json::Value = params.deserialize().unwrap();
        let a = params.pointer("/arguments/a").and_then(|a| a.as_str());
        assert_eq!(expected.strip_prefix("mcp-param-a="), a);
    }
}

#[test]
fn more_than_1024_headers_are_refused() {
    let (mut properties, mut arguments) = (String::new(), String::new());
    for n in 0..1025 {
        let comma = if n == 0 { "" } else { "," };
        let _ = write!(
            properties,
            r#"{comma}"p{n}":{{"type":"integer","x-mcp-header":"H{n}"}}"#
        );
        let _ = write!(arguments, r#"{comma}"p{n}":{n}"#);
    }
    let mirrored = mirrored(&format!("{{{properties}}}"));
    let all = params(&format!("{{{arguments}}}"));
    assert_eq!(mirrored.headers(Some(&all)), Err(BadArgument::TooMany));
    assert!(BadArgument::TooMany.to_string().contains("1024"));
    // One less fits.
    let fewer = params(&format!(r#"{{{arguments},"p0":null}}"#));
    let headers = mirrored.headers(Some(&fewer)).unwrap();
    assert_eq!(headers.len(), 1024);
}

#[test]
fn a_tool_that_mirrors_nothing_costs_nothing() {
    let nothing = mirrored(r#"{"v":{"type":"string"},"o":{"properties":{"p":{}}}}"#);
    assert!(nothing.is_empty());
    assert_eq!(nothing, Mirrored::default());
    assert_eq!(nothing.bytes(), 0);
    assert_eq!(shown(&nothing, r#"{"v":"a"}"#).unwrap(), "");
    assert!(!one().is_empty());
}

#[test]
fn its_size_counts_every_name_once() {
    let name = "n".repeat(10_000);
    let children = (0..100).map(|n| format!(r#""{n}":{{"type":"string","x-mcp-header":"h{n}"}}"#));
    let children = children.collect::<Vec<_>>().join(",");
    let mirrored = mirrored(&format!(r#"{{"{name}":{{"properties":{{{children}}}}}}}"#));
    let bytes = mirrored.bytes();
    assert!((10_000..30_000).contains(&bytes), "{bytes}");
    assert!(one().bytes() < 200);
}

#[test]
fn it_shows_no_names() {
    assert_eq!(format!("{:?}", nested()), "Mirrored(3)");
    assert_eq!(format!("{:?}", Mirrored::default()), "Mirrored(0)");
}

/// Arguments are as deep as the application likes.
#[test]
fn the_depth_of_arguments_does_not_matter() {
    let deep = r#"{"o":"#.repeat(50_000) + "0" + &"}".repeat(50_000);
    let arguments = format!(r#"{{"a":"1","z":{deep},"o":{{"z":{deep},"b":1}}}}"#);
    assert_eq!(
        shown(&nested(), &arguments).unwrap(),
        "mcp-param-a=1 mcp-param-b=1"
    );
}

#[test]
fn a_hundred_thousand_arguments_are_read() {
    let other = (0..100_000).map(|n| format!(r#""{n}":{n},"v":{n}"#));
    let arguments = format!("{{{}}}", other.collect::<Vec<_>>().join(","));
    assert_eq!(shown(&one(), &arguments).unwrap(), "mcp-param-v=99999");
}
