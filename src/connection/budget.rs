//! What counts against the budget of handshakes.

use std::collections::VecDeque;

use super::jitter::Jitter;
use super::room::Room;
use crate::{Budget, Time};

/// The handshakes of the window that ends now, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Attempts(VecDeque<Attempt>);

/// One `initialize` that left.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    at: Time,
    established: bool,
}

impl Room for Attempts {
    fn shrink_to_fit(&mut self) {
        self.0.shrink_to_fit();
    }
}

impl Attempts {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn sent(&mut self, now: Time) {
        self.0.push_back(Attempt {
            at: now,
            established: false,
        });
    }

    /// The last one never reached the server: it does not count.
    pub(super) fn unsent(&mut self) {
        self.0.pop_back();
    }

    /// The last one brought a session.
    pub(super) fn established(&mut self) {
        if let Some(last) = self.0.back_mut() {
            last.established = true;
        }
    }

    /// Whether sessions were made and lost again within one window.
    pub(super) fn died_in_turns(&self) -> bool {
        let established = |attempt: &&Attempt| attempt.established;
        self.0.iter().filter(established).count() > 1
    }

    /// When the next handshake may leave: at once if it is the first, then with a
    /// growing distance to the one before.
    ///
    /// # Errors
    /// The end of the cool-down, if the budget is spent.
    pub(super) fn next(
        &mut self,
        budget: &Budget,
        jitter: &mut Jitter,
        now: Time,
    ) -> Result<Time, Time> {
        self.0.retain(|attempt| now < attempt.at + budget.window);
        if self.len() >= budget.handshakes {
            let oldest = self.0.front().map_or(now, |attempt| attempt.at);
            return Err(oldest + budget.window);
        }
        let Some(last) = self.0.back() else {
            return Ok(now);
        };
        let doubled = u32::try_from(self.len().saturating_sub(1)).unwrap_or(u32::MAX);
        let factor = 1_u32.checked_shl(doubled).unwrap_or(u32::MAX);
        let delay = budget.delay.saturating_mul(factor);
        Ok(last.at + jitter.between(delay, delay.saturating_add(delay / 4)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_given_back() {
        let mut attempts = Attempts::default();
        attempts.sent(Time::ZERO);
        Room::shrink_to_fit(&mut attempts);
        assert_eq!(attempts.0.capacity(), attempts.len());
    }
}
