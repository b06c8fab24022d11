//! What no lint sees: what is under the core, which room knows which, and that nothing panics.

#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A user of the core compiles so many crates besides it.
const MOST: usize = 18;

/// Each of them, with the features that are on. What is new here was read first: it calls no
/// clock, random source, thread, socket, file or environment variable, and no map of it iterates
/// in a random order. (The `HeaderMap` of `http` hashes at random once many names collide, and
/// iterates in the order of insertion all the same; the map of `serde_json` would hash so with
/// `preserve_order`.) From `proc-macro2` to `unicode-ident` they run when the core is compiled.
const UNDER_THE_CORE: &[(&str, &str)] = &[
    ("base64", "alloc"),
    ("bytes", "default,std"),
    ("http", "default,std"),
    ("httpdate", ""),
    ("iri-string", "alloc"),
    ("itoa", ""),
    ("memchr", "alloc,default,std"),
    ("proc-macro2", "default,proc-macro"),
    ("quote", "default,proc-macro"),
    ("serde", "default,derive,serde_derive,std"),
    ("serde_core", "result,std"),
    ("serde_derive", "default"),
    ("serde_json", "default,raw_value,std"),
    (
        "syn",
        "clone-impls,default,derive,parsing,printing,proc-macro",
    ),
    ("thiserror", "default,std"),
    ("thiserror-impl", ""),
    ("unicode-ident", ""),
    ("zmij", ""),
];

#[test]
fn under_the_core_are_these_crates_with_these_features() {
    let tree = "tree --locked --offline --package mcp-http --no-default-features \
                --edges normal,build --target all --prefix none --no-dedupe";
    let output = Command::new(env!("CARGO"))
        .current_dir(package())
        .args(tree.split_whitespace())
        .args(["--format", "{p}|{f}"])
        .output()
        .unwrap();
    let (said, failed) = (output.stdout, output.stderr);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&failed)
    );
    let said = String::from_utf8(said).unwrap();
    let mut found: Vec<_> = said.lines().filter_map(crate_and_features).collect();
    found.sort_unstable();
    found.dedup();
    found.retain(|(name, _)| *name != "mcp-http");
    assert_eq!(found, UNDER_THE_CORE);
    assert!(found.len() <= MOST, "{} crates", found.len());
}

/// Of `name v1.0.0 (what it is)|features`.
fn crate_and_features(line: &str) -> Option<(&str, &str)> {
    let (package, features) = line.split_once('|')?;
    Some((package.split_once(' ')?.0, features))
}

/// Rooms beside the core: adapters, what they share, the command, and test support.
const BESIDE: &[&str] = &[
    "adapter",
    "asynchronous",
    "bin",
    "blocking",
    "harness",
    "tls",
    "tokio",
];

/// The crate's root names them all.
const ROOT: &str = "lib.rs";

#[test]
fn the_core_knows_no_adapter() {
    for file in core() {
        let known = named_rooms(&code(&fs::read_to_string(&file).unwrap()));
        let adapter = known.iter().find(|room| BESIDE.contains(&room.as_str()));
        assert_eq!(adapter, None, "{}", file.display());
    }
}

/// The bans of law 1 are looked for in the core as it is without features, and nothing in it lifts
/// them. What features for users add to it is this little, and was read.
#[test]
fn no_part_of_the_core_is_out_of_sight() {
    let mut for_users = Vec::new();
    for file in core() {
        let text = fs::read_to_string(&file).unwrap();
        for lint in ["clippy::disallowed", "clippy::print", "clippy::dbg"] {
            assert!(!text.contains(lint), "{}: {lint}", file.display());
        }
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if ["asynchronous", "blocking", "cli", "tokio"]
                .iter()
                .any(|name| line.contains(&format!("feature = \"{name}\"")))
            {
                for_users.push(lines.next().unwrap_or_default().trim().to_owned());
            }
        }
    }
    for_users.sort_unstable();
    assert_eq!(
        for_users,
        [
            "#[doc = include_str!(\"moving_in.md\")]",
            "pub(crate) fn has_event(&self) -> bool {",
            "pub(crate) fn is_asked(&self, ticket: Ticket) -> bool {",
            "pub(crate) fn phase(&self) -> Phase {",
        ]
    );
}

/// The files of all rooms that are not beside it.
fn core() -> Vec<PathBuf> {
    let src = package().join("src");
    let entries = fs::read_dir(src).unwrap().map(|entry| entry.unwrap());
    let rooms = entries.filter(|entry| {
        let name = entry.file_name().into_string().unwrap();
        name != ROOT && !BESIDE.contains(&name.trim_end_matches(".rs"))
    });
    rooms.flat_map(|room| files(&room.path())).collect()
}

#[test]
fn a_room_is_found_however_it_is_named() {
    for naming in [
        "use crate::adapter;",
        "use crate::adapter as other;",
        "use crate::{adapter, Time};",
        "use crate::{\n    Time,\n    error::{Error, Lost}, adapter::{self},\n};",
        "use super::super::{wire, adapter};",
        "use super::{\n    adapter,\n};",
        "fn lock(shared: &crate::adapter::Shared) {}",
        "adapter::lock();",
        "use { crate::adapter };",
        "use crate::*; use adapter::Shared;",
    ] {
        let found = named_rooms(naming);
        assert!(found.contains("adapter"), "{naming}: {found:?}");
    }
    for other in [
        "let adapter = 1;",
        "use crate::{adapters, Time}; f(adapter);",
        "struct Adapter { adapter: u8 }",
    ] {
        let found = named_rooms(other);
        assert!(!found.contains("adapter"), "{other}: {found:?}");
    }
}

/// The words of paths: each that stands beside `::`, and each in an import.
fn named_rooms(code: &str) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    let mut importing = false;
    let mut before = "";
    let tokens = tokens(code);
    for (at, token) in tokens.iter().enumerate() {
        match *token {
            "use" => importing = true,
            ";" => importing = false,
            _ => {}
        }
        let in_path = before == "::" || tokens.get(at + 1) == Some(&"::");
        if importing || in_path {
            named.insert((*token).to_owned());
        }
        before = token;
    }
    named
}

/// Words, `::`, and each other sign alone.
fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match rest {
            _ if rest.starts_with("::") => 2,
            _ if is_part(first) => rest.find(|char| !is_part(char)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (token, behind) = rest.split_at(length);
        tokens.push(token);
        rest = behind.trim_start();
    }
    tokens
}

/// Without the comments.
fn code(text: &str) -> String {
    let lines = text.lines();
    let code = lines.map(|line| line.split("//").next().unwrap_or_default());
    code.collect::<Vec<_>>().join("\n")
}

fn is_part(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

#[test]
fn the_wire_knows_no_connection() {
    let wire = package().join("src/wire");
    for file in files(&wire) {
        let known = named_rooms(&code(&fs::read_to_string(&file).unwrap()));
        assert!(!known.contains("connection"), "{}", file.display());
    }
    knows_none_of(&wire, &["Connection", "Listening", "Phase"]);
}

/// No panic shows anything (law 9): the lints allow none, and no file of the library lifts them
/// but where the TLS provider is put together.
#[test]
fn the_library_has_no_panics_of_its_own() {
    let lints = [
        "panic",
        "unwrap_used",
        "expect_used",
        "indexing_slicing",
        "string_slice",
        "todo",
        "unimplemented",
        "unreachable",
    ];
    let manifest = fs::read_to_string(package().join("Cargo.toml")).unwrap();
    for lint in lints {
        assert!(
            manifest.contains(&format!("\n{lint} = \"warn\"\n")),
            "{lint}"
        );
    }
    // One by one, or all at once.
    let mut lifted = vec!["clippy::restriction".to_owned(), "(warnings".to_owned()];
    lifted.extend(lints.map(|lint| format!("clippy::{lint}")));
    let lifting: Vec<_> = files(&package().join("src"))
        .into_iter()
        .filter(|file| {
            let text = fs::read_to_string(file).unwrap();
            lifted.iter().any(|lint| text.contains(lint))
        })
        .map(|file| file.strip_prefix(package().join("src")).unwrap().to_owned())
        .filter(|file| !file.starts_with("bin") && !file.starts_with("harness"))
        .collect();
    assert_eq!(lifting, [Path::new("tls.rs")]);
    // No lint looks at what assertions say.
    let asserts = |line: &str| {
        let names = ["assert", "debug_assert"];
        let mut tokens = tokens(line).into_iter();
        tokens.any(|token| names.iter().any(|name| token.starts_with(name)))
    };
    let mut said = Vec::new();
    for file in files(&package().join("src")) {
        let place = file.strip_prefix(package().join("src")).unwrap();
        let mut rooms = place.components().map(|part| part.as_os_str());
        if rooms.any(|room| room == "bin" || room == "harness" || room == "tests") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let library = text.split("\nmod tests {").next().unwrap();
        let lines = code(library);
        said.extend(
            lines
                .lines()
                .filter(|line| asserts(line))
                .map(|line| line.trim().to_owned()),
        );
    }
    assert_eq!(
        said,
        [r#"debug_assert!(reported.is_ok(), "reports are made in order");"#]
    );
}

#[track_caller]
fn knows_none_of(room: &Path, strangers: &[&str]) {
    for file in files(room) {
        let text = fs::read_to_string(&file).unwrap();
        for (at, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let known = strangers.iter().find(|name| has_word(code, name));
            let place = format!("{}:{}", file.display(), at + 1);
            assert_eq!(known, None, "{place}: {line}");
        }
    }
}

/// The room's sources, but for their tests.
fn files(room: &Path) -> Vec<PathBuf> {
    if !room.is_dir() {
        let is_source = room.extension().is_some_and(|end| end == "rs");
        let is_tests = room.ends_with("tests.rs");
        return Vec::from_iter((is_source && !is_tests).then(|| room.to_owned()));
    }
    let entries = fs::read_dir(room)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries.flat_map(|path| files(&path)).collect()
}

fn has_word(code: &str, word: &str) -> bool {
    tokens(code).contains(&word)
}

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
