//! Whatever is done with a connection, the laws hold: operations decoded from
//! bytes, looked at by a separately written model (`src/harness`). And whatever a
//! peer says is read as naive readers read it.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test"
)]

#[path = "support/everywhere.rs"]
mod everywhere;
#[path = "support/pieces.rs"]
mod pieces;
#[path = "support/reached.rs"]
mod reached;
// It takes many runs: too long for a build without optimization.
#[cfg(not(debug_assertions))]
#[path = "support/reaching.rs"]
mod reaching;
#[path = "support/record.rs"]
mod record;

use std::path::Path;

use bytes::Bytes;
use http::Request;
use mcp_http::harness::{self, Story, Violation};
use mcp_http::{Binding, Event, RawJson};
use proptest::collection::vec;
use proptest::prelude::*;

use record::{Asked, record};

/// The longest input: some hundred operations.
const LONGEST: usize = 900;

fn cases() -> ProptestConfig {
    let mut config = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 800;
    }
    config
}

fn run(input: &[u8]) -> Story {
    recorded(input).unwrap_or_else(|violation| panic!("{violation}"))
}

fn recorded(input: &[u8]) -> Result<Story, Violation> {
    let story = harness::run(input)?;
    for (request, revision) in story.sent() {
        record(request, *revision, &Asked::default());
    }
    Ok(story)
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        max_shrink_iters: 2000,
        ..cases()
    })]

    #[test]
    fn the_laws_hold(first in first(), rest in vec(any::<u8>(), 0..LONGEST)) {
        let input = [vec![first], rest].concat();
        if let Err(violation) = recorded(&input) {
            return Err(TestCaseError::fail(violation.to_string()));
        }
    }

    #[test]
    fn the_decoder_agrees_with_a_naive_one(
        head in any::<[u8; 4]>(),
        lines in vec(line(), 0..24),
    ) {
        let mut input = head.to_vec();
        input.extend(lines.concat());
        harness::decode(&input).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn the_reader_of_tools_agrees_with_a_naive_one(
        tools in vec(tool(), 0..4),
        around in vec(around(), 0..2),
        arguments in arguments(),
    ) {
        let mut members = around;
        members.push(format!(r#""tools" : [ {} ]"#, tools.join(" , ")));
        let input = format!("{{{}}}\n{arguments}", members.join(","));
        harness::tools(input.as_bytes()).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn answers_mean_what_the_table_says(input in pieces::response()) {
        harness::response(&input).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn messages_are_read_as_a_naive_reader_reads_them(input in pieces::messages()) {
        harness::message(&input).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn the_parser_of_challenges_agrees_with_a_naive_one(input in pieces::challenges()) {
        harness::challenge(&input).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn the_readers_of_headers_agree_with_naive_ones(input in pieces::headers()) {
        harness::headers(&input).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn urls_are_read_as_a_naive_reader_reads_them(input in pieces::urls()) {
        harness::url(&input).map_err(TestCaseError::fail)?;
    }
}

/// What says which server an input plays: any, unless `BINDING` names one.
fn first() -> impl Strategy<Value = u8> {
    let named = std::env::var("BINDING").ok();
    let binding = named.map(|name| Binding::from_name(&name).expect("a binding"));
    binding.map_or(0..=u8::MAX, harness::first_bytes)
}

fn one_of(texts: &[&str]) -> prop::sample::Select<String> {
    let texts: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
    prop::sample::select(texts)
}

fn around() -> impl Strategy<Value = String> {
    one_of(&[
        r#""nextCursor":"c""#,
        r#""nextCursor":null"#,
        r#""tools":null"#,
        r#""tools":[{"inputSchema":{"x-mcp-header":"A"}}]"#,
        r#""[":1.0"#,
        r#""tools ":[],"t\u006fols":[1]"#,
    ])
}

fn tool() -> impl Strategy<Value = String> {
    let name = one_of(&[r#""a""#, r#""b\u00e9""#, "1"]);
    let whole = (name, schema()).prop_map(|(name, schema)| {
        format!(r#"{{"name":{name}, "inputSchema":{{"properties":{schema}}} }}"#)
    });
    let bare = schema().prop_map(|schema| format!(r#"{{"inputSchema":{schema}}}"#));
    prop_oneof![8 => whole, 1 => bare, 1 => one_of(&["1", "[]", "{}", "null"])]
}

/// Members of an object that is a schema, or the properties of one.
fn schema() -> impl Strategy<Value = String> {
    let leaf = one_of(&[
        "true",
        "{}",
        "[]",
        r#"{"type":"string","x-mcp-header":"A"}"#,
        r#"{"type":"string","x-mcp-header":"A-1"}"#,
        r#"{"x-mcp-header":"B","type":"integer"}"#,
        r#"{"type":"boolean","\u0078-mcp-header":"C"}"#,
        r#"{"type":"string"}"#,
        r#"{"type":"number","x-mcp-header":"D"}"#,
        r#"{"type":"string","x-mcp-header":"a b"}"#,
    ]);
    let key = one_of(&[
        "properties",
        "items",
        "anyOf",
        "$defs",
        "default",
        "x-mcp-header",
        "a",
    ]);
    let name = one_of(&["a", "b", "c", r"\u0061"]);
    leaf.prop_recursive(5, 24, 4, move |inner| {
        let other = vec((key.clone(), inner.clone()), 1..4).prop_map(|members| object(&members));
        let named = vec((name.clone(), inner.clone()), 1..4)
            .prop_map(|schemas| format!(r#"{{"properties":{}}}"#, object(&schemas)));
        let elements = vec(inner, 0..3).prop_map(|elements| format!("[{}]", elements.join(",")));
        prop_oneof![4 => named, 4 => other, 1 => elements]
    })
}

fn object(members: &[(String, String)]) -> String {
    let members = members
        .iter()
        .map(|(name, value)| format!(r#""{name}":{value}"#));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

fn arguments() -> impl Strategy<Value = String> {
    let leaf = one_of(&[
        "null",
        "true",
        "42",
        "4.20e1",
        "-0.0",
        "0.5",
        "9007199254740991",
        "9007199254740992",
        r#""""#,
        r#""text""#,
        r#"" é\n""#,
        r#""=?base64?eA==?=""#,
        "[1]",
        r#""\ud800""#,
    ]);
    let name = one_of(&["a", "b", "c", r"\u0061", "properties", "x-mcp-header"]);
    let members =
        move |value| vec((name.clone(), value), 0..4).prop_map(|members| object(&members));
    let value = leaf.prop_recursive(3, 24, 4, members.clone());
    prop_oneof![8 => members(value.boxed()), 1 => one_of(&["null", "[]", "1e999"])]
}

/// A line of an event stream, or what could be taken for one.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "data",
        "data:",
        "data: x",
        "data:  y",
        "data: {\"a\":1}",
        "data: \u{e9}",
        "datax: 1",
        "event: message",
        "event: other",
        "event:",
        "event",
        "id: 7",
        "id:",
        "id: a\0b",
        "id",
        "retry: 10",
        "retry: 1x",
        "retry:",
        "retry: 99999999999999999999999",
        ": comment",
        ":",
        "",
        "",
        "",
        "\u{feff}",
        "\u{feff}data: 1",
    ]);
    let ending = prop::sample::select(vec!["\n", "\r", "\r\n", "\n\n", "\r\r", "\r\n\r\n", ""]);
    let known = (known, ending).prop_map(|(line, ending)| format!("{line}{ending}").into_bytes());
    prop_oneof![8 => known, 1 => vec(any::<u8>(), 0..40)]
}

/// Bytes from a seed, for runs that have to be the same every time.
fn bytes(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let length = usize::try_from(next() % LONGEST as u64).expect("small");
    (0..length).map(|_| next().to_be_bytes()[3]).collect()
}

/// Law 1.
#[test]
fn the_same_inputs_give_the_same_actions_everywhere() {
    everywhere::tells_the_same_everywhere(
        "the_same_inputs_give_the_same_actions_everywhere",
        || {
            let mut told = String::new();
            for (binding, _) in reached::EVERYTHING {
                let first = harness::first_bytes(*binding);
                for (seed, first) in (0..15).zip(first.cycle()) {
                    let input = [vec![first], bytes(seed)].concat();
                    let story = harness::run(&input).unwrap_or_else(|broken| panic!("{broken}"));
                    told.push_str(&story.to_string());
                    story
                        .sent()
                        .iter()
                        .for_each(|(request, _)| tell(request, &mut told));
                    story
                        .heard()
                        .iter()
                        .for_each(|event| told.push_str(&contents(event)));
                }
            }
            told
        },
    );
}

/// Every byte of a request.
fn tell(request: &Request<Bytes>, told: &mut String) {
    let (method, uri) = (request.method(), request.uri());
    let mut lines = vec![format!("{method} {uri} {:?}", request.version())];
    let headers = request.headers().iter();
    lines.extend(headers.map(|(name, value)| format!("{name}: {:?}", value.as_bytes())));
    lines.push(format!("{:?}\n", request.body()));
    told.push_str(&lines.join("\n"));
}

/// What an event has that `Debug` does not show, or else that.
fn contents(event: &Event) -> String {
    let raw = |json: &RawJson| json.as_str().to_owned();
    let shown = match event {
        Event::Reply { reply, .. } => match &reply.outcome {
            Ok(result) => raw(result),
            Err(error) => format!(
                "{} {} {:?}",
                error.code,
                error.message,
                error.data.as_ref().map(raw)
            ),
        },
        Event::Message(message) => {
            format!("{} {:?}", message.method, message.params.as_ref().map(raw))
        }
        Event::Ask(ask) => format!("{} {:?}", ask.method, ask.params.as_ref().map(raw)),
        Event::Ready(ready) => raw(&ready.result),
        Event::NotRestored { params, .. } => raw(params),
        Event::Fail { error, .. } => format!(
            "{:?} {:?}",
            error.reason(),
            error.rpc_error().map(|rpc| rpc.data.as_ref().map(raw))
        ),
        event => format!("{event:?}"),
    };
    shown + "\n"
}

#[test]
fn the_corpus_of_challenges_replays() {
    replay("challenge", |input| {
        harness::challenge(input).expect("the parsers agree")
    });
}

#[test]
fn the_corpus_of_headers_replays() {
    replay("headers", |input| {
        harness::headers(input).expect("the readers agree")
    });
}

#[test]
fn the_corpus_of_messages_replays() {
    replay("message", |input| {
        harness::message(input).expect("the readers agree")
    });
}

#[test]
fn the_corpus_of_the_machine_replays() {
    replay("machine", |input| drop(run(input)));
}

#[test]
fn the_corpus_of_the_decoder_replays() {
    replay("sse", |input| {
        harness::decode(input).expect("the decoders agree")
    });
}

#[test]
fn the_corpus_of_the_reader_of_tools_replays() {
    replay("tools", |input| {
        harness::tools(input).expect("the readers agree")
    });
}

#[test]
fn the_corpus_of_answers_replays() {
    replay("response", |input| {
        harness::response(input).expect("it means what the table says")
    });
}

#[test]
fn the_corpus_of_urls_replays() {
    replay("url", |input| {
        harness::url(input).expect("the readers agree")
    });
}

fn replay(target: &str, body: impl Fn(&[u8])) {
    // The main package, or a member of its workspace.
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let mut corpora = folders.map(|folder| folder.join("fuzz/corpus"));
    let corpus = corpora.find(|folder| folder.is_dir()).expect("a corpus");
    let files = std::fs::read_dir(corpus.join(target)).expect("a corpus");
    let mut count = 0;
    for file in files {
        let path = file.expect("an entry").path();
        println!("{}", path.display());
        body(&std::fs::read(path).expect("a file"));
        count += 1;
    }
    assert!(count > 0, "{target} has none");
}
