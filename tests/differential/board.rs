//! Where the server and the application say what they have seen, so that each can wait
//! for the other and neither has to sleep.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// Only what hangs takes so long.
const DEADLINE: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(crate) struct Board(watch::Sender<Vec<String>>);

impl Board {
    /// How often it was said now.
    pub(crate) fn say(&self, cue: &str) -> usize {
        self.0.send_modify(|said| said.push(cue.to_owned()));
        count(&self.0.borrow(), cue)
    }

    /// Waits until it was said so often. Whether it ever was.
    pub(crate) async fn said(&self, cue: &str, times: usize) -> bool {
        let mut said = self.0.subscribe();
        let enough = said.wait_for(|said| count(said, cue) >= times);
        timeout(DEADLINE, enough).await.is_ok()
    }
}

fn count(said: &[String], cue: &str) -> usize {
    said.iter().filter(|one| *one == cue).count()
}
