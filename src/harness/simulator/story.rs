//! What happened in a world, for a person to read: told only when asked for.

use std::fmt::{Arguments, Write};

use crate::Time;

#[derive(Debug, Default)]
pub(super) struct Story(Option<String>);

impl Story {
    pub(super) fn told() -> Self {
        Self(Some(String::new()))
    }

    /// Costs nothing when nobody listens.
    pub(super) fn tell(&mut self, now: Time, text: Arguments<'_>) {
        if let Some(story) = &mut self.0 {
            let seconds = now.since_origin().as_secs_f64();
            // Writing to a `String` cannot fail.
            let _ = writeln!(story, "{seconds:>11.4}  {text}");
        }
    }

    pub(super) fn is_told(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn text(self) -> String {
        self.0.unwrap_or_default()
    }
}
