#![allow(clippy::panic, clippy::unwrap_used)]

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn raw(text: &str) -> RawJson {
    RawJson::from_text(text).unwrap()
}

/// A page of tools named `t0`, `t1` … with these schemas.
fn page(schemas: &[&str]) -> RawJson {
    let tools = schemas
        .iter()
        .enumerate()
        .map(|(n, schema)| format!(r#"{{"name":"t{n}","inputSchema":{schema}}}"#));
    raw(&format!(
        r#"{{"tools":[{}]}}"#,
        tools.collect::<Vec<_>>().join(",")
    ))
}

/// What is wrong with a schema.
fn judge(schema: &str) -> Result<Mirrored, BadSchema> {
    let page = page(&[schema]);
    let mut list = read(&page).unwrap_or_else(|_| panic!("no list"));
    match (list.tools.pop(), list.rejected.pop()) {
        (Some(tool), None) => Ok(tool.mirrored),
        (None, Some(tool)) => Err(tool.why),
        _ => panic!("neither stays nor goes"),
    }
}

/// What is wrong with a schema that has this one property `p`.
fn property(schema: &str) -> Result<Mirrored, BadSchema> {
    judge(&format!(
        r#"{{"type":"object","properties":{{"p":{schema}}}}}"#
    ))
}

fn p() -> String {
    "p".to_owned()
}

#[test]
fn a_header_is_a_token() {
    for byte in 0..=127_u8 {
        let char = char::from(byte);
        let name = serde_json::to_string(&format!("a{char}b")).unwrap();
        let is_token = char.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(char);
        let result = property(&format!(r#"{{"type":"string","x-mcp-header":{name}}}"#));
        assert_eq!(result.is_ok(), is_token, "{char:?}");
    }
    for name in [
        "Region",
        "a",
        "0",
        "Method",
        "X-Y",
        "mcp-param-a",
        "Mcp-Name",
    ] {
        let result = property(&format!(r#"{{"type":"string","x-mcp-header":"{name}"}}"#));
        assert!(!result.unwrap().is_empty(), "{name}");
    }
    for (name, shown) in [
        ("My Region", "My Region"),
        ("Region:Primary", "Region:Primary"),
        ("Région", "Région"),
        (r"Region\t1", r"Region\t1"),
        (r"a\r\nSet-Cookie: b", r"a\r\nSet-Cookie: b"),
        (r"a\u0000", r"a\u{0}"),
        (r"\u202e", r"\u{202e}"),
        (" ", " "),
    ] {
        let result = property(&format!(r#"{{"type":"string","x-mcp-header":"{name}"}}"#));
        let header = shown.to_owned();
        assert_eq!(
            result,
            Err(BadSchema::NotAToken {
                header,
                property: p()
            })
        );
    }
    let empty = property(r#"{"type":"string","x-mcp-header":""}"#);
    assert_eq!(empty, Err(BadSchema::Empty { property: p() }));
}

#[test]
fn a_header_is_a_string() {
    for name in [
        "null",
        "1",
        "1e999",
        "true",
        "{}",
        r#"["A"]"#,
        r#"{"a":"A"}"#,
        r#""\ud800""#,
    ] {
        let result = property(&format!(r#"{{"type":"string","x-mcp-header":{name}}}"#));
        assert_eq!(
            result,
            Err(BadSchema::NotAString { property: p() }),
            "{name}"
        );
    }
}

#[test]
fn a_header_fits_into_http() {
    let of_length = |length| {
        let name = "a".repeat(length);
        property(&format!(r#"{{"type":"string","x-mcp-header":"{name}"}}"#))
    };
    assert!(of_length(65_525).is_ok());
    assert_eq!(of_length(65_526), Err(BadSchema::TooLong { property: p() }));
    assert_eq!(
        of_length(1 << 20),
        Err(BadSchema::TooLong { property: p() })
    );
}

#[test]
fn a_header_is_on_a_primitive_type() {
    for kind in ["string", "integer", "boolean"] {
        assert!(property(&format!(r#"{{"type":"{kind}","x-mcp-header":"A"}}"#)).is_ok());
        // In any order, and the last counts.
        let result = property(&format!(
            r#"{{"x-mcp-header":"A","type":[],"type":"{kind}"}}"#
        ));
        assert!(result.is_ok());
    }
    for kind in [
        r#""type":"number","#,
        r#""type":"object","#,
        r#""type":"array","#,
        r#""type":"null","#,
        r#""type":"String","#,
        r#""type":"","#,
        r#""type":["string"],"#,
        r#""type":["string","null"],"#,
        r#""type":null,"#,
        r#""type":1e999,"#,
        r#""type":"string","type":"number","#,
        r#""anyOf":[{"type":"string"},{"type":"null"}],"#,
        r##""$ref":"#/$defs/a","##,
        r#""enum":["a"],"#,
        "",
    ] {
        let result = property(&format!(r#"{{{kind}"x-mcp-header":"A"}}"#));
        assert_eq!(
            result,
            Err(BadSchema::NotPrimitive { property: p() }),
            "{kind}"
        );
    }
}

#[test]
fn a_header_is_unique_whatever_its_case() {
    let two = |a: &str, b: &str| {
        judge(&format!(
            r#"{{"properties":{{"o":{{"properties":{{"a":{{"type":"string","x-mcp-header":"{a}"}}}}}},
                "b":{{"type":"integer","x-mcp-header":"{b}"}}}}}}"#
        ))
    };
    for (a, b) in [("Region", "Region"), ("MyField", "myfield"), ("a", "A")] {
        let (header, property) = (b.to_owned(), "b".to_owned());
        assert_eq!(two(a, b), Err(BadSchema::Duplicate { header, property }));
    }
    for (a, b) in [("Region", "Regions"), ("a", "b"), ("a-b", "a_b")] {
        assert!(two(a, b).is_ok());
    }
    // In another tool it is another's.
    let schema = r#"{"properties":{"p":{"type":"string","x-mcp-header":"A"}}}"#;
    let page = page(&[schema, schema]);
    assert_eq!(read(&page).ok().unwrap().tools.len(), 2);
}

#[test]
fn a_header_is_reached_through_properties_alone() {
    let annotated = r#"{"type":"string","x-mcp-header":"A"}"#;
    for keyword in [
        "additionalItems",
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    ] {
        let misplaced = Err(BadSchema::Misplaced { keyword });
        for schema in [
            format!(r#"{{"{keyword}":{annotated}}}"#),
            format!(r#"{{"{keyword}":{{"properties":{{"a":{annotated}}}}}}}"#),
            format!(r#"{{"properties":{{"a":{{"{keyword}":{annotated}}}}}}}"#),
            format!(r#"{{"type":"object","{keyword}":{{"{keyword}":{annotated}}}}}"#),
        ] {
            assert_eq!(judge(&schema), misplaced, "{schema}");
        }
        assert!(judge(&format!(r#"{{"{keyword}":{{"type":"string"}}}}"#)).is_ok());
        assert!(judge(&format!(r#"{{"{keyword}":true,"a":{annotated}}}"#)).is_ok());
    }
    for keyword in ["allOf", "anyOf", "items", "oneOf", "prefixItems"] {
        let misplaced = Err(BadSchema::Misplaced { keyword });
        for schema in [
            format!(r#"{{"{keyword}":[{{}},true,{annotated}]}}"#),
            format!(r#"{{"{keyword}":[{{"properties":{{"a":{annotated}}}}}]}}"#),
            format!(r#"{{"properties":{{"a":{{"{keyword}":[{annotated}]}}}}}}"#),
        ] {
            assert_eq!(judge(&schema), misplaced, "{schema}");
        }
    }
    for keyword in [
        "$defs",
        "definitions",
        "dependencies",
        "dependentSchemas",
        "patternProperties",
    ] {
        let misplaced = Err(BadSchema::Misplaced { keyword });
        for schema in [
            format!(r#"{{"{keyword}":{{"a":{annotated}}}}}"#),
            // Names, though they are keywords elsewhere.
            format!(r#"{{"{keyword}":{{"default":{annotated}}}}}"#),
            format!(r#"{{"{keyword}":{{"x-mcp-header":{annotated}}}}}"#),
            format!(r#"{{"{keyword}":{{"b":["c"],"a":{{"properties":{{"a":{annotated}}}}}}}}}"#),
            format!(r#"{{"properties":{{"a":{{"{keyword}":{{"a":{annotated}}}}}}}}}"#),
        ] {
            assert_eq!(judge(&schema), misplaced, "{schema}");
        }
        assert!(judge(&format!(r#"{{"{keyword}":{{"x-mcp-header":{{}}}}}}"#)).is_ok());
    }
    assert_eq!(judge(annotated), Err(BadSchema::Root));
    assert_eq!(judge(r#"{"x-mcp-header":null}"#), Err(BadSchema::Root));
}

/// > Nested object properties are permitted as long as every step in the chain is a `properties`
/// > key.
#[test]
fn a_header_may_be_nested() {
    let schema = r#"{"properties":{"o":{"type":"object","properties":{"p":{"properties":{
        "q":{"type":"boolean","x-mcp-header":"A"}}}}}}}"#;
    assert_eq!(format!("{:?}", judge(schema)), "Ok(Mirrored(1))");
}

#[test]
fn names_and_data_are_no_annotations() {
    let annotated = r#"{"type":"number","x-mcp-header":""}"#;
    for keyword in [
        "const", "default", "enum", "examples", "x-other", "title", "required", "Items",
    ] {
        for value in [
            annotated.to_owned(),
            format!("[{annotated}]"),
            format!(r#"{{"properties":{{"a":{annotated}}}}}"#),
        ] {
            for schema in [
                format!(r#"{{"{keyword}":{value}}}"#),
                format!(r#"{{"properties":{{"a":{{"{keyword}":{value}}}}}}}"#),
                format!(r#"{{"items":{{"{keyword}":{value}}}}}"#),
            ] {
                assert!(judge(&schema).unwrap().is_empty(), "{schema}");
            }
        }
    }
    // A property with that name.
    let schema = r#"{"properties":{"x-mcp-header":{"type":"string"}}}"#;
    assert!(judge(schema).unwrap().is_empty());
    let schema = r#"{"properties":{"x-mcp-header":{"type":"string","x-mcp-header":"A"}}}"#;
    assert!(!judge(schema).unwrap().is_empty());
    let schema = r#"{"properties":{"properties":{"type":"string","x-mcp-header":"A"}}}"#;
    assert!(!judge(schema).unwrap().is_empty());
    let schema = r#"{"properties":{"default":{"type":"string","x-mcp-header":"A"}}}"#;
    assert!(!judge(schema).unwrap().is_empty());
    // Another name.
    for name in [
        "X-MCP-Header",
        "x-mcp-headers",
        "x-mcp-header ",
        "mcp-header",
    ] {
        assert!(property(&format!(r#"{{"{name}":""}}"#)).unwrap().is_empty());
    }
}

#[test]
fn escapes_hide_no_annotation() {
    let bad = r#"{"\u0078\u002dmcp-header":"A"}"#;
    assert_eq!(
        property(bad),
        Err(BadSchema::NotPrimitive { property: p() })
    );
    let good = r#"{"x\u002dmcp-header":"\u0041","t\u0079pe":"str\u0069ng"}"#;
    assert!(!property(good).unwrap().is_empty());
    let nested = r#"{"p\u0072operties":{"a":{"type":"string","x-mcp-header":"A"}}}"#;
    assert!(!judge(nested).unwrap().is_empty());
    let misplaced = r#"{"ite\u006ds":{"x-mcp-header":"A"}}"#;
    assert_eq!(
        judge(misplaced),
        Err(BadSchema::Misplaced { keyword: "items" })
    );
}

#[test]
fn what_is_no_schema_has_no_annotation() {
    let annotated = r#"{"type":"string","x-mcp-header":"A"}"#;
    for schema in [
        "null",
        "true",
        r#""x-mcp-header""#,
        r#"["x-mcp-header"]"#,
        "{}",
        r#"{"properties":[{"x-mcp-header":"A"}]}"#,
        r#"{"properties":["x-mcp-header"]}"#,
        r#"{"properties":{"x-mcp-header":"A"}}"#,
        r#"{"properties":{"x-mcp-header":1}}"#,
        r#"{"properties":{"a":[{"x-mcp-header":"A"}]}}"#,
        r#"{"properties":{"a":-1,"b":1.5,"c":null,"x-mcp-header":"A"}}"#,
        r#"{"$defs":[],"items":"x-mcp-header"}"#,
        r#"{"$defs":[{"x-mcp-header":"A"}]}"#,
        r#"{"items":{"properties":[{"x-mcp-header":"A"}]}}"#,
    ] {
        assert!(judge(schema).unwrap().is_empty(), "{schema}");
    }
    assert!(judge(&format!("[{annotated}]")).unwrap().is_empty());
    // Some languages write an empty object like this.
    let schema =
        format!(r#"{{"$defs":[],"properties":{{"a":{{"properties":[]}},"b":{annotated}}}}}"#);
    assert!(!judge(&schema).unwrap().is_empty());
}

#[test]
fn of_members_with_one_name_the_last_counts_and_all_keep_the_rules() {
    let count = |schema: &str| format!("{:?}", judge(schema).ok());
    let (a, b) = (
        r#"{"type":"string","x-mcp-header":"A"}"#,
        r#"{"type":"string","x-mcp-header":"B"}"#,
    );
    for (schema, expected) in [
        (
            format!(r#"{{"properties":{{"p":{a},"p":{b}}}}}"#),
            "Some(Mirrored(1))",
        ),
        (
            format!(r#"{{"properties":{{"p":{a},"p":{{}}}}}}"#),
            "Some(Mirrored(0))",
        ),
        (
            format!(r#"{{"properties":{{"p":{a}}},"properties":{{}}}}"#),
            "Some(Mirrored(0))",
        ),
        (
            format!(r#"{{"properties":{{}},"properties":{{"p":{a}}}}}"#),
            "Some(Mirrored(1))",
        ),
        (format!(r#"{{"properties":{{"p":{a},"p":{a}}}}}"#), "None"),
        (format!(r#"{{"items":{a},"items":true}}"#), "None"),
        (
            r#"{"properties":{"p":{"type":"string","x-mcp-header":1,"x-mcp-header":"A"}}}"#.into(),
            "Some(Mirrored(1))",
        ),
    ] {
        assert_eq!(count(&schema), expected, "{schema}");
    }
    let tool = format!(
        r#"{{"tools":[{{"name":"a","name":"b","inputSchema":{{}},"inputSchema":{{"properties":{{"p":{a}}}}}}}]}}"#
    );
    let tool = raw(&tool);
    let list = read(&tool).ok().unwrap();
    assert_eq!(list.tools[0].name, "b");
    assert!(!list.tools[0].mirrored.is_empty());
}

#[test]
fn a_schema_is_read_128_levels_deep() {
    let nested = |levels: usize| {
        let schema = r#"{"items":"#.repeat(levels) + r#"{"x-mcp-header":"A"}"#;
        judge(&(schema + &"}".repeat(levels)))
    };
    assert_eq!(nested(126), Err(BadSchema::Misplaced { keyword: "items" }));
    for levels in [127, 100_000] {
        match nested(levels) {
            Err(BadSchema::Unreadable { why }) => assert!(why.starts_with("recursion"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
    let properties = |levels: usize| {
        let schema = r#"{"properties":{"a":"#.repeat(levels);
        judge(&(schema + r#"{"type":"string","x-mcp-header":"A"}"# + &"}}".repeat(levels)))
    };
    assert!(!properties(63).unwrap().is_empty());
    assert!(matches!(properties(64), Err(BadSchema::Unreadable { .. })));
    // Where nothing is annotated, and in what is no schema, it does not matter.
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    assert!(judge(&format!(r#"{{"items":{deep}}}"#)).is_ok());
    let annotated = r#""properties":{"a":{"type":"string","x-mcp-header":"A"}}"#;
    assert!(judge(&format!(r#"{{"default":{deep},{annotated}}}"#)).is_ok());
    assert!(matches!(
        judge(&format!(r#"{{"items":{deep},{annotated}}}"#)),
        Err(BadSchema::Unreadable { .. })
    ));
    // Nor outside of schemas.
    let list = raw(&format!(
        r#"{{"_meta":{deep},"tools":[{{"name":"a","outputSchema":{deep}}},{deep}]}}"#
    ));
    assert_eq!(read(&list).ok().unwrap().tools.len(), 1);
}

#[test]
fn reasons_are_one_sentence_and_safe_to_show() {
    let schema =
        r#"{"properties":{"a\u001b[31m\u202e":{"type":"string","x-mcp-header":"\u001b[0m"}}}"#;
    let error = judge(schema).unwrap_err().to_string();
    assert_eq!(
        error,
        r"its property `a\u{1b}[31m\u{202e}` has the header `\u{1b}[0m`, which is no HTTP token"
    );
    let long = "a".repeat(1 << 20);
    let error = judge(&format!(
        r#"{{"properties":{{"{long}":{{"x-mcp-header":"{long} "}}}}}}"#
    ));
    assert!(error.unwrap_err().to_string().len() < 3000);
    for (schema, expected) in [
        (
            r#"{"x-mcp-header":"A"}"#,
            "its schema has a header itself, where only properties may have one",
        ),
        (
            r#"{"oneOf":[{"x-mcp-header":"A"}]}"#,
            "its schema has a header under `oneOf`, where no argument can be read from",
        ),
        (
            r#"{"properties":{"p":{"type":"number","x-mcp-header":"A"}}}"#,
            "its property `p` has a header, and its type is not just one of string, integer and boolean",
        ),
        (
            r#"{"items":1e999,"properties":{"p":{"type":"string","x-mcp-header":"A"}}}"#,
            "its schema cannot be read (number out of range at line 1 column 14); it may nest 128 levels deep",
        ),
    ] {
        assert_eq!(judge(schema).unwrap_err().to_string(), expected);
    }
}

const GOOD: &str = r#"{ "name" : "good", "n": 1.50e+01,"inputSchema":{"properties":{"a":{"type":"string","x-mcp-header":"A"}}} }"#;
const BAD: &str =
    r#"{"inputSchema":{"properties":{"a":{"type":"number","x-mcp-header":"A"}}},"name":"bad"}"#;

/// Field: the conformance suite's `http-invalid-tool-headers`.
#[test]
fn one_bad_tool_takes_no_other_with_it() {
    let page = raw(&format!(r#"{{"tools":[{GOOD},{BAD}],"nextCursor":"c"}}"#));
    let list = read(&page).ok().unwrap();
    assert_eq!(list.tools.len(), 1);
    assert_eq!(list.tools[0].name, "good");
    assert_eq!(list.rejected.len(), 1);
    assert_eq!(list.rejected[0].name.as_deref(), Some("bad"));
    assert_eq!(
        list.rejected[0].why,
        BadSchema::NotPrimitive {
            property: "a".to_owned()
        }
    );
    assert_eq!(list.next_cursor.unwrap().get(), r#""c""#);
    let expected = format!(r#"{{"tools":[{GOOD}],"nextCursor":"c"}}"#);
    assert_eq!(list.rewritten.unwrap().as_str(), expected);
}

#[test]
fn all_else_stays_to_the_letter() {
    for (tools, expected) in [
        ("[B]", "[]"),
        ("[ B ]", "[  ]"),
        ("[B,B]", "[]"),
        ("[ B , B , B ]", "[  ]"),
        ("[B,G]", "[G]"),
        ("[ B , G ]", "[ G ]"),
        ("[ B ,  B,G ]", "[ G ]"),
        ("[G,B]", "[G]"),
        ("[ G , B ]", "[ G ]"),
        ("[ G , B ,  B\t]", "[ G\t]"),
        ("[ G , B ,  G ]", "[ G ,  G ]"),
        ("[G,B,G,B,B,G,B]", "[G,G,G]"),
        ("[B,G,B,G]", "[G,G]"),
        ("[\n  B,\n  G,\n  1,\n  B\n]", "[\n  G,\n  1\n]"),
        ("[1,null,B,[B]]", "[1,null,[B]]"),
        // Read by nobody, but there.
        ("[B],\"tools\":[G,B]", "[],\"tools\":[G]"),
        (
            "[G,B],\"x\":[B],\"tools\":[B,1]",
            "[G],\"x\":[B],\"tools\":[1]",
        ),
    ] {
        let around = |tools: &str| {
            let tools = tools.replace('B', BAD).replace('G', GOOD);
            format!(r#"{{ "z":1.0,"a" :[ 1e2 ], "tools":{tools} ,"\u0061":-0, "é":"\u00e9" }}"#)
        };
        let page = raw(&around(tools));
        let list = read(&page).ok().unwrap();
        assert_eq!(
            list.rewritten.unwrap().as_str(),
            around(expected),
            "{tools}"
        );
    }
}

#[test]
fn what_is_in_order_is_not_copied() {
    for tools in [
        "[]",
        "[ ]",
        "[1,2]",
        r#"[{"name":"a"}]"#,
        r#"[{}],"tools":[]"#,
    ] {
        let page = raw(&format!(r#"{{"tools":{tools}}}"#));
        let list = read(&page).ok().unwrap();
        assert!(list.rewritten.is_none() && list.rejected.is_empty());
    }
}

#[test]
fn what_is_no_tool_is_left() {
    let page = raw(&format!(
        r#"{{"tools":[null,1e999,"\ud800",[],{{}},{{"name":1}},{{"name":"\ud800"}},{{"name":"a"}},
            {{"name":"b","inputSchema":null}},{{"name":1,"inputSchema":{{"x-mcp-header":"A"}}}},{BAD}]}}"#
    ));
    let list = read(&page).ok().unwrap();
    let names: Vec<_> = list.tools.iter().map(|tool| &*tool.name).collect();
    assert_eq!(names, ["a", "b"]);
    // A bad schema is one, whosoever it is.
    let names: Vec<_> = list
        .rejected
        .iter()
        .map(|tool| tool.name.as_deref())
        .collect();
    assert_eq!(names, [None, Some("bad")]);
    let rewritten = list.rewritten.unwrap();
    let rewritten: Vec<Box<RawValue>> = {
        let tools = object::member(rewritten.as_str(), "tools").unwrap();
        serde_json::from_str(tools.get()).unwrap()
    };
    assert_eq!(rewritten.len(), 9);
}

#[test]
fn what_is_no_list_is_refused() {
    for result in [
        "null",
        "[]",
        "{}",
        r#"{"tools":null}"#,
        r#"{"tools":{}}"#,
        r#"{"Tools":[]}"#,
        r#"{"result":{"tools":[]}}"#,
        r#"{"tools":[],"tools":null}"#,
    ] {
        assert_eq!(read(&raw(result)).err(), Some(NoTools), "{result}");
    }
    assert!(read(&raw(r#"{"tools":null,"t\u006fols":[]}"#)).is_ok());
}

#[test]
fn a_cursor_is_given_as_it_came() {
    for (cursor, expected) in [
        (
            r#""nextCursor":"eyJwYWdlIjogM30=","#,
            Some(r#""eyJwYWdlIjogM30=""#),
        ),
        (r#""nextCursor":"\u0061","#, Some(r#""\u0061""#)),
        (r#""nextCursor":"","#, Some(r#""""#)),
        (r#""nextCursor":1.0,"#, Some("1.0")),
        (r#""nextCursor":"a","nextCursor":"b","#, Some(r#""b""#)),
        (r#""nextCursor":null,"#, None),
        (r#""cursor":"a","#, None),
    ] {
        let page = raw(&format!(r#"{{{cursor}"tools":[]}}"#));
        let found = read(&page).ok().unwrap().next_cursor;
        assert_eq!(found.map(RawValue::get), expected);
    }
}

#[test]
fn of_two_schemas_of_one_tool_both_keep_the_rules() {
    let good = r#"{"properties":{"p":{"type":"string","x-mcp-header":"A"}}}"#;
    let bad = r#"{"properties":{"p":{"type":"number","x-mcp-header":"A"}}}"#;
    for (first, second, stays) in [(good, good, true), (good, bad, false), (bad, good, false)] {
        let page = raw(&format!(
            r#"{{"tools":[{{"name":"a","inputSchema":{first},"inputSchema":{second}}}]}}"#
        ));
        let list = read(&page).ok().unwrap();
        assert_eq!(list.tools.len() == 1, stays, "{first} {second}");
        assert_eq!(list.rejected.is_empty(), stays, "{first} {second}");
    }
}

#[test]
fn tools_with_one_name_are_told_apart_by_their_order() {
    let page = raw(&format!(
        r#"{{"tools":[{{"name":"good"}},{},{GOOD}]}}"#,
        BAD.replace("bad", "good")
    ));
    let list = read(&page).ok().unwrap();
    assert_eq!(list.rejected[0].name.as_deref(), Some("good"));
    let mirrored: Vec<_> = list
        .tools
        .iter()
        .map(|tool| tool.mirrored.is_empty())
        .collect();
    assert_eq!(mirrored, [true, false]);
}

/// Were one of them read in quadratic time, this would take minutes.
#[test]
fn hostile_pages_are_read_in_linear_time() {
    const MANY: usize = 25_000;
    let list = |part: &dyn Fn(usize) -> String| (0..MANY).map(part).collect::<Vec<_>>().join(",");
    let mirrored = |schema: &str| format!("{:?}", judge(schema));

    let plain = list(&|n| format!(r#""p{n}":{{"type":"string"}}"#));
    let one = r#""p":{"type":"string","x-mcp-header":"A"}"#;
    assert_eq!(
        mirrored(&format!(r#"{{"properties":{{{plain},{one}}}}}"#)),
        "Ok(Mirrored(1))"
    );

    let headers = list(&|n| format!(r#""p{n}":{{"type":"string","x-mcp-header":"h{n}"}}"#));
    assert_eq!(
        mirrored(&format!(r#"{{"properties":{{{headers}}}}}"#)),
        "Ok(Mirrored(25000))"
    );

    // Paths, written out, would take 25 gigabytes.
    let name = "n".repeat(1 << 20);
    let parent = format!(r#"{{"properties":{{"{name}":{{"properties":{{{headers}}}}}}}}}"#);
    assert_eq!(mirrored(&parent), "Ok(Mirrored(25000))");

    let same = list(&|n| format!(r#""p":{{"type":"string","x-mcp-header":"h{n}"}}"#));
    assert_eq!(
        mirrored(&format!(r#"{{"properties":{{{same}}}}}"#)),
        "Ok(Mirrored(1))"
    );

    let keywords = list(&|n| format!(r#""x-mcp-header":"h{n}","type":"string""#));
    assert_eq!(
        mirrored(&format!(r#"{{"properties":{{"p":{{{keywords}}}}}}}"#)),
        "Ok(Mirrored(1))"
    );

    let bad = raw(&format!(r#"{{"tools":[{}]}}"#, list(&|_| BAD.to_owned())));
    let bad = read(&bad).ok().unwrap();
    assert_eq!(bad.rejected.len(), MANY);
    assert_eq!(bad.rewritten.unwrap().as_str(), r#"{"tools":[]}"#);

    let turns = list(&|n| {
        if n % 2 == 0 {
            BAD.to_owned()
        } else {
            "1".to_owned()
        }
    });
    let turns = raw(&format!(r#"{{"tools":[{turns}]}}"#));
    let turns = read(&turns).ok().unwrap();
    assert_eq!(
        turns.rewritten.unwrap().len(),
        r#"{"tools":[]}"#.len() + MANY - 1
    );

    let arrays = raw(&format!("{{{}}}", list(&|_| format!(r#""tools":[{BAD}]"#))));
    assert_eq!(read(&arrays).ok().unwrap().rejected.len(), MANY);
}

proptest! {
    /// Of the tools those that are not rejected stay, in order and to the letter.
    #[test]
    fn what_stays_stays(
        tools in vec(select(vec![GOOD, BAD, "1", "{}", "[]"]), 0..8),
        blanks in vec(select(vec!["", " ", "\n\t"]), 20),
    ) {
        let mut blanks = blanks.into_iter().cycle();
        let mut blank = || blanks.next().unwrap_or_default();
        let spaced: Vec<_> = tools.iter().map(|tool| format!("{}{tool}{}", blank(), blank())).collect();
        let page = raw(&format!(r#"{{"tools":[{}{}]}}"#, spaced.join(","), blank()));
        let list = read(&page).ok().unwrap();
        let result = list.rewritten.as_ref().unwrap_or(&page);
        let left = object::member(result.as_str(), "tools").unwrap();
        let left: Vec<&RawValue> = serde_json::from_str(left.get()).unwrap();
        let left: Vec<_> = left.into_iter().map(RawValue::get).collect();
        let expected: Vec<_> = tools.iter().copied().filter(|tool| *tool != BAD).collect();
        prop_assert_eq!(left, expected);
        prop_assert_eq!(list.rewritten.is_some(), tools.contains(&BAD));
        prop_assert_eq!(list.rejected.len() + list.tools.len(), tools.iter().filter(|tool| **tool == BAD || **tool == GOOD).count());
    }
}
