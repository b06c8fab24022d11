//! The counts that were committed: what is more than that by more than noise is to be noticed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::Cost;

/// A count may be over its baseline by so much.
const TOLERANCE: f64 = 1.03;

/// The counts of a file, and those of this run.
pub struct Baseline {
    path: PathBuf,
    committed: BTreeMap<String, (f64, f64)>,
    now: Vec<(String, Cost)>,
    over: Vec<String>,
}

impl Baseline {
    /// Reads a file; one that is not there holds nothing.
    pub fn read(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_owned();
        let text = fs::read_to_string(&path).unwrap_or_default();
        let mut committed = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let mut columns = line.split('\t');
            let name = columns.next().unwrap_or_default().to_owned();
            let mut number = || columns.next()?.parse().ok();
            if let (Some(instructions), Some(allocations)) = (number(), number()) {
                committed.insert(name, (instructions, allocations));
            }
        }
        Self {
            path,
            committed,
            now: Vec::new(),
            over: Vec::new(),
        }
    }

    /// Takes in a count of this run, and gives what it is over the committed one, in per cent.
    pub fn compare(&mut self, name: &str, cost: Cost) -> Option<f64> {
        self.now.push((name.to_owned(), cost));
        let Some((instructions, allocations)) = self.committed.get(name).copied() else {
            self.over.push(format!("{name}: it has no baseline"));
            return None;
        };
        let now = cost.instructions?;
        if now > instructions * TOLERANCE {
            self.over.push(format!(
                "{name}: {now:.2} instructions, {instructions:.2} in the baseline"
            ));
        }
        let now_allocated = cost.allocations;
        if now_allocated > allocations * TOLERANCE + 0.01 {
            let text =
                format!("{name}: {now_allocated:.2} allocations, {allocations:.2} in the baseline");
            self.over.push(text);
        }
        Some((now / instructions - 1.0) * 100.0)
    }

    /// With `--check` says whether none is over, and each is still measured; else `UPDATE=1` writes
    /// the counts of this run.
    pub fn close(mut self) -> bool {
        let checks = env::args().any(|argument| argument == "--check");
        let counted = self.now.iter().all(|(_, cost)| cost.instructions.is_some());
        let updates = env::var_os("UPDATE").is_some_and(|update| update == "1");
        if counted && updates && !checks {
            let mut text = format!(
                "# {}; instructions and allocations. UPDATE=1 without --check writes this file.\n",
                compiler()
            );
            for (
                name,
                Cost {
                    instructions,
                    allocations,
                },
            ) in &self.now
            {
                let instructions = instructions.unwrap_or_default();
                let _ = writeln!(text, "{name}\t{instructions:.2}\t{allocations:.2}");
            }
            fs::write(&self.path, text).expect("the baseline can be written");
            println!("\nwritten: {}", self.path.display());
            return true;
        }
        if !checks {
            return true;
        }
        let measured = |name: &String| self.now.iter().any(|(other, _)| other == name);
        let stale = self.committed.keys().filter(|name| !measured(name));
        let stale = stale.map(|name| format!("{name}: it is not measured any more"));
        self.over.extend(stale.collect::<Vec<_>>());
        for over in &self.over {
            println!("over the baseline: {over}");
        }
        self.over.is_empty()
    }
}

/// Counts are those of one compiler.
fn compiler() -> String {
    let version = std::process::Command::new("rustc")
        .arg("--version")
        .output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    version.unwrap_or_else(|_| "an unknown compiler".to_owned())
}
