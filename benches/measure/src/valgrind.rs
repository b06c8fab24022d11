//! Instructions, counted by callgrind.

use std::env;
use std::process::{Command, Stdio};

/// Says to this program that it is the one to be measured.
pub(crate) const ONCE: &str = "--once";

/// With this, copies are loops, whose instructions are counted; else they may be one `rep movsb`.
const TUNABLES: &str = "glibc.cpu.x86_rep_movsb_threshold=1073741824";

/// Whether there is a valgrind.
pub fn is_there() -> bool {
    let version = Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    version.is_ok_and(|status| status.success())
}

/// How many instructions a process takes that does a case so often; nothing without valgrind.
pub(crate) fn instructions(case: &str, times: usize) -> Option<u64> {
    if !is_there() {
        return None;
    }
    let program = env::current_exe().expect("a program knows where it is");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([ONCE, case, &times.to_string()])
        .env("GLIBC_TUNABLES", TUNABLES)
        .output()
        .expect("valgrind starts");
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{case}, measured: {report}");
    let line = report
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    let (_, count) = line.expect("callgrind says what it collected");
    Some(count.trim().parse().expect("a number of instructions"))
}
