//! What can happen next.

use super::exchange::Open;
use super::letter::{Act, Letter, Move};
use super::wire::Carries;
use super::world::World;
use crate::Phase;

/// Calls of one path.
const CALLS: usize = 2;
/// Notifications of one path.
const NOTES: usize = 1;
/// Credentials, changes of the network and of what is listened to, of each.
const RARE: usize = 2;

impl World {
    /// All of it, as far as the setting goes.
    pub(super) fn moves(&self) -> Vec<Move> {
        let mut letters = Vec::new();
        if !self.facts.is_closed() {
            if self.calls.len() < CALLS {
                letters.extend([Letter::Call, Letter::Idempotent]);
            }
            let open = |call: &usize| !self.facts.has_ended(*call);
            let numbers = (0..self.calls.len()).filter(open);
            letters.extend(numbers.map(|call| Letter::Cancel(number(call))));
            letters.push(Letter::Close);
            letters.extend(self.asks.first().map(|_| Letter::Answer));
            letters.extend(self.rare());
        }
        letters.extend(self.machine.poll_timeout().map(|_| Letter::TimeOut));
        for (at, open) in self.open.iter().enumerate() {
            let acts = self.acts(open);
            letters.extend(acts.into_iter().map(|act| Letter::Comes(number(at), act)));
        }
        letters.retain(|letter| self.letters.contains(&letter.name()));
        let unread = letters.clone().into_iter().filter(|_| self.unread > 0);
        let unread: Vec<_> = unread.map(Letter::unread).collect();
        letters
            .into_iter()
            .map(Letter::read)
            .chain(unread)
            .collect()
    }

    /// What the application may do besides calls.
    fn rare(&self) -> Vec<Letter> {
        let status = self.machine.status();
        let mut letters = vec![Letter::Authorize, Letter::NetworkChanged, Letter::Notify];
        letters.extend(self.is_stateless().then_some(Letter::Listen));
        letters.retain(|letter| {
            let times = self.rare.iter().filter(|other| *other == letter).count();
            times
                < if *letter == Letter::Notify {
                    NOTES
                } else {
                    RARE
                }
        });
        letters.extend(status.awaits_authorization.then_some(Letter::Refuse));
        letters.extend(match status.phase {
            Phase::Held if self.facts.is_held() => Some(Letter::Resume),
            Phase::Lost if self.facts.is_lost() => Some(Letter::Reinitialize),
            _ => None,
        });
        letters
    }

    fn acts(&self, open: &Open) -> Vec<Act> {
        if open.streams {
            let owed = match self.is_channel(open) {
                true => self.owed.len(),
                false => usize::from(open.carries.has_reply() && !open.replied),
            };
            let mut acts = vec![Act::Broken, Act::End];
            acts.extend((owed > 0).then_some(Act::Reply));
            acts.extend((owed > 1).then_some(Act::LastReply));
            let asks = self.asks.is_empty() && !self.is_stateless();
            acts.extend(asks.then_some(Act::Ask));
            acts.extend([Act::Hurry, Act::Message, Act::Wait]);
            let owed = self.owed.iter().filter(|_| self.is_channel(open));
            let mut tokens = owed.map(|owed| &owed.token).chain([&open.token]);
            acts.extend(tokens.any(|it| !it.is_null()).then_some(Act::Progress));
            return acts;
        }
        if open.replied {
            return vec![Act::Accepted, Act::Broken];
        }
        let mut acts = vec![
            Act::Broken,
            Act::Busy,
            Act::BusyForLong,
            Act::Forbidden,
            Act::Later,
            Act::Moved,
            Act::NotFound,
            Act::NotSent,
            Act::Redirect,
            Act::RedirectAway,
            Act::Unauthorized,
            Act::UnauthorizedBare,
            Act::Unavailable,
        ];
        match open.carries {
            Carries::Get if open.opens_channel() => {
                acts.extend([Act::Stream, Act::StreamAway]);
                acts.extend([Act::BadRequest, Act::MethodNotAllowed]);
            }
            Carries::Get | Carries::Resume(_) => {
                acts.extend([Act::Stream, Act::BadRequest, Act::MethodNotAllowed]);
            }
            Carries::Delete => acts.push(Act::Accepted),
            carries if carries.has_reply() => {
                acts.extend([Act::Reply, Act::Stream, Act::BadRequest, Act::NotFoundError]);
                acts.push(Act::Accepted);
                let stands_alone = self.is_stateless() || carries == Carries::Discover;
                acts.extend(stands_alone.then_some(Act::Unsupported));
                let asks = self.is_stateless() && matches!(carries, Carries::Call(_));
                acts.extend(asks.then_some(Act::RequiresInput));
            }
            _ => acts.extend([Act::Accepted, Act::BadRequest]),
        }
        acts
    }
}

fn number(at: usize) -> u8 {
    u8::try_from(at + 1).unwrap_or(u8::MAX)
}
