//! Law 1: the same inputs give the same actions, byte for byte, in this process and in others.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Where a child leaves what it told.
const TOLD_TO: &str = "MCP_HTTP_TOLD_TO";

/// What is around a child, and is not to matter.
const SURROUNDINGS: &[&[(&str, &str)]] = &[
    &[],
    &[
        ("TZ", "Pacific/Kiritimati"),
        ("LC_ALL", "tr_TR.UTF-8"),
        ("HOME", "/nowhere"),
        ("RUST_BACKTRACE", "full"),
        ("https_proxy", "http://127.0.0.1:9"),
    ],
];

/// `tell` tells the same twice here, and once each in children that run this very `test` in
/// other surroundings, from another folder, at other addresses, a little later.
pub(crate) fn tells_the_same_everywhere(test: &str, tell: impl Fn() -> String) {
    let told = tell();
    if let Some(path) = env::var_os(TOLD_TO) {
        fs::write(path, told).expect("a file");
        return;
    }
    alike(&told, &tell(), "told again");
    for (number, around) in SURROUNDINGS.iter().enumerate() {
        let name = format!("mcp-http-{}-{test}-{number}", std::process::id());
        let path = env::temp_dir().join(name);
        let by_child = told_by_child(test, around, &path);
        let _ = fs::remove_file(&path);
        alike(&told, &by_child, "told by another process");
    }
}

fn told_by_child(test: &str, around: &[(&str, &str)], path: &Path) -> String {
    let this = env::current_exe().expect("a program");
    let child = Command::new(this)
        .args(["--exact", test])
        .env_clear()
        .envs(around.iter().copied())
        .env(TOLD_TO, path)
        .current_dir(env::temp_dir())
        .stdout(Stdio::null())
        .status();
    assert!(child.expect("a child").success(), "it ended badly");
    fs::read_to_string(path).expect("what a child told")
}

#[track_caller]
fn alike(one: &str, two: &str, how: &str) {
    let mut lines = one.lines().zip(two.lines()).enumerate();
    if let Some((at, (one, two))) = lines.find(|(_, (one, two))| one != two) {
        panic!("{how}, line {at} is another:\n{one}\n{two}");
    }
    assert_eq!(one.len(), two.len(), "{how}, it is longer or shorter");
}
