//! The same scenes through the bare machine, the blocking and the asynchronous adapter,
//! against a scripted server on a real socket: all three tell the same story, and it is
//! the one in `stories.txt`. After a change that is meant, `UPDATE=1` writes that anew,
//! for a person to review as text.

#![cfg(test)]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "tests: clippy.toml allows these inside test functions, helpers need them too"
)]

#[path = "../support/record.rs"]
mod record;
#[path = "../support/script.rs"]
mod script;

mod asynchronous;
mod bare;
mod blocking;
mod board;
mod play;
mod say;
mod scene;
mod scenes;
mod secrets;
mod story;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use play::{Begin, play};
use scene::Scene;
use tokio::runtime::Runtime;

/// How many scenes are played at a time. They mostly wait.
const AT_A_TIME: usize = 12;

/// The story that all three tell, or in what they differ.
fn tell(scene: &Scene, runtime: &Runtime) -> Result<String, String> {
    let [bare, blocking, asynchronous] = thread::scope(|scope| {
        [bare::begin, blocking::begin, asynchronous::begin]
            .map(|begin: Begin| scope.spawn(move || play(scene, runtime, begin)))
            .map(|player| player.join().unwrap())
    });
    for (adapter, story) in [("blocking", blocking), ("asynchronous", asynchronous)] {
        if story != bare {
            let name = scene.name;
            return Err(format!(
                "{name}: of the bare machine\n{bare}of the {adapter} adapter\n{story}"
            ));
        }
    }
    Ok(bare)
}

#[test]
fn all_three_tell_the_same_story_and_it_is_the_reviewed_one() {
    let scenes = scenes::all();
    let names: BTreeSet<_> = scenes.iter().map(|scene| scene.name).collect();
    assert_eq!(
        names.len(),
        scenes.len(),
        "each scene has a name of its own"
    );

    let runtime = Runtime::new().unwrap();
    let next = AtomicUsize::new(0);
    let told = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(scene) = scenes.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let story = tell(scene, &runtime);
                    told.lock().unwrap().push((scene.name, story));
                }
            });
        }
    });
    let mut told = told.into_inner().unwrap();
    told.sort_by_key(|(name, _)| scenes.iter().position(|scene| scene.name == *name));

    let mut text = String::new();
    let mut differences = Vec::new();
    for (name, story) in told {
        match story {
            Ok(story) => text.push_str(&format!("== {name}\n{story}\n")),
            Err(difference) => differences.push(difference),
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    reviewed(&text);
}

fn reviewed(text: &str) {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/differential/stories.txt"
    );
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, text).unwrap();
    }
    let before = std::fs::read_to_string(path).unwrap();
    for (told, reviewed) in text.split("\n\n").zip(before.split("\n\n")) {
        assert!(
            told == reviewed,
            "told:\n{told}\n\nreviewed:\n{reviewed}\n\nUPDATE=1 takes what was told"
        );
    }
    assert_eq!(text.len(), before.len(), "scenes came or went: UPDATE=1");
}
