#![allow(clippy::panic, clippy::unwrap_used)]

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::value::RawValue;

use super::*;

/// The members, as a reader that is known to be right finds them.
fn expected(text: &str) -> Option<Vec<(String, String)>> {
    use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

    struct All(Vec<(String, String)>);

    impl<'de> Deserialize<'de> for All {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Each;

            impl<'de> Visitor<'de> for Each {
                type Value = All;

                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }

                fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<All, A::Error> {
                    let mut all = Vec::new();
                    while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                        let name = name.get().trim_matches('"').to_owned();
                        all.push((name, value.get().to_owned()));
                    }
                    Ok(All(all))
                }
            }

            deserializer.deserialize_map(Each)
        }
    }

    let All(all) = serde_json::from_str(text).ok()?;
    Some(all)
}

fn found(text: &str) -> Option<Vec<(String, String)>> {
    let mut all = Vec::new();
    members(text, |name, value| {
        let name = name.written.trim_matches('"').to_owned();
        all.push((name, value.to_owned()));
    })?;
    Some(all)
}

fn compare(text: &str) {
    let value = serde_json::from_str::<&RawValue>(text).ok();
    assert_eq!(is_json(text), value.is_some(), "{text:?}");
    assert_eq!(found(text), expected(text), "{text:?}");
    let mut reader = Reader::new(text);
    let read = reader.value().filter(|_| reader.end().is_some());
    assert_eq!(read, value.map(RawValue::get), "{text:?}");
}

#[rustfmt::skip]
const TEXTS: [&str; 64] = [
    "", " ", "{", "}", "{}", " { } ", "{ }x", "{,}", r#"{"a"}"#, r#"{"a":}"#, r#"{"a":1,}"#,
    r#"{"a":1}"#, r#" { "a" : 1 , "a" : [ ] } "#, r#"{"a":1 "b":2}"#, r#"{a:1}"#, r#"{"a":1]"#,
    "[", "]", "[]", "[ ]", "[1,]", "[,1]", "[1 2]", "[1,2", "[[[]]]", "[[]", "[}", r#"[{"a":[{}]}]"#,
    r#"[{"a":1},{"b":2}]"#, r#"[{"a":1,2}]"#, "0", "-0", "01", "-", "-a", "1.", "1.5", ".5", "1e", "1e+",
    "1e5", "1E-05", "1.5e+5", "+1", "--1", "0x1", "1_0", "NaN", "true", "tru", "truex", "false", "null",
    "nul", r#""""#, r#"""#, r#""\""#, r#""\"""#, r#""\u00e9\/\b\f\n\r\t\\""#, r#""\u12g4""#, r#""\u123""#,
    r#""\x""#, "\"\u{1F}\"", "\"\u{7F}\u{80}é\"",
];

#[test]
fn it_takes_what_is_json_and_nothing_else() {
    for text in TEXTS {
        compare(text);
        compare(&format!("[{text}]"));
        compare(&format!(
            r#"{{"a":{text},"bcdefghijklmnopqrstuvwxyz":{text}}}"#
        ));
    }
}

#[test]
fn what_means_something_in_a_string_is_found_at_every_place() {
    for special in [
        "\"", "\\", "\\n", "\n", "\0", "\u{1F}", " ", "!", "#", "[", "]", "é", "\u{7F}",
    ] {
        for before in 0..20 {
            let text = format!(
                "\"{}{special}{}\"",
                "a".repeat(before),
                "b".repeat(20 - before)
            );
            compare(&text);
        }
    }
}

#[test]
fn what_means_something_deep_in_a_long_string_is_found() {
    // Past the first eight bytes whole blocks of 32 are looked at.
    for before in 0..110 {
        for byte in (0..=0x21).chain([b'\\', b'a', 0x7F]) {
            let byte = char::from(byte);
            for after in [0, 1, 31, 40] {
                let (before, after) = ("x".repeat(before), "y".repeat(after));
                compare(&format!(r#"{{"a":"{before}{byte}{after}"}}"#));
                compare(&format!(r#"{{"{before}{byte}n{after}":1}}"#));
            }
        }
    }
}

#[test]
fn depth_is_no_matter() {
    for depth in [1, 2, 63, 64, 65, 127, 128, 129, 100_000] {
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
            let mixed = |at: usize| {
                if at % 3 == 0 {
                    ("[", "]")
                } else {
                    (open, close)
                }
            };
            let opened: String = (0..depth).map(|at| mixed(at).0).collect();
            let closed: String = (0..depth).rev().map(|at| mixed(at).1).collect();
            assert!(is_json(&format!("{opened}1{closed}")), "{depth}");
            let short = closed.strip_suffix([']', '}']).unwrap();
            assert!(!is_json(&format!("{opened}1{short}")), "{depth}");
            let wrong = closed.replace(']', ")").replace('}', "]").replace(')', "}");
            assert!(!is_json(&format!("{opened}1{wrong}")), "{depth}");
        }
    }
}

#[test]
fn a_name_is_text_whatever_is_escaped_in_it() {
    let mut names = Vec::new();
    members(r#"{"a":1,"\u0061\"":2,"\ud800":3}"#, |name, _| {
        names.push(name.text().map(Cow::into_owned));
    });
    let expected = [Some("a"), Some("a\""), None].map(|name| name.map(str::to_owned));
    assert_eq!(names, expected);
}

proptest! {
    #[test]
    fn it_agrees_with_a_reader_that_is_known_to_be_right(
        parts in vec(select([
            "{", "}", "[", "]", ":", ",", "\"", "\\", "\"a\"", "\"bcdefghij\"", "\\u00", "ff", "1", "-", "0",
            ".5", "e", "E+", "true", "false", "null", " ", "\n", "\t", "é", "\u{1}", "{\"a\":", "[1,", "x",
        ].as_slice()), 0..24),
    ) {
        compare(&parts.concat());
    }

    #[test]
    fn one_byte_that_is_different_is_noticed_like_there(
        at in 0..200_usize, byte in 0..128_u8,
    ) {
        let mut text = r#"{"jsonrpc":"2.0","id":12,"result":{"content":[{"type":"text","text":"a\n\u00e9"},
            {"n":[-1.5e3,0,true,false,null,{},[]]}],"isError":false},"x":[[1,2],{"y":{}}]}"#.to_owned().into_bytes();
        let place = at % text.len();
        text[place] = byte;
        compare(std::str::from_utf8(&text).unwrap());
    }
}
