//! Silence: connections that hang half-open are found out, by the clock where the
//! server keeps a stream alive, else by a ping.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Connection;
use super::exchange::{Purpose, Reading, Whole};
use super::feed::End;
use super::route::Route;
use super::stream::Ending;
use super::suspicion::Finding;
use super::timers::Timer;
use crate::ExchangeId;
use crate::error::{Clock, Delivery, Error};

/// Nothing shorter is silence: a clock of no time would wake for ever.
const LEAST: Duration = Duration::from_secs(1);

impl Connection {
    /// The clock of this exchange starts anew.
    pub(super) fn hear(&mut self, id: ExchangeId) {
        if let Some(exchange) = self.exchanges.get_mut(&id) {
            exchange.heard = self.now;
        }
    }

    /// Watches over the silence of an exchange, for so long from now on.
    pub(super) fn watch(&mut self, id: ExchangeId) {
        let due = self
            .config
            .common
            .clocks
            .silence
            .map(|silence| self.now + silence.max(LEAST));
        match due.filter(|due| *due > self.now) {
            Some(due) => self.timers.set(Timer::Silence(id), due),
            None => drop(self.timers.clear(Timer::Silence(id))),
        }
    }

    /// Nothing may have come on this exchange for too long.
    pub(super) fn silent(&mut self, id: ExchangeId) {
        let (Some(silence), Some(exchange)) =
            (self.config.common.clocks.silence, self.exchanges.get(&id))
        else {
            return;
        };
        // A session is not given up for a comment that did not come.
        let kept_alive = !matches!(exchange.purpose, Purpose::Channel)
            && matches!(&exchange.reading, Reading::Stream(feed) if feed.is_lively());
        let paused = match exchange.purpose {
            // Nothing can come while the application leaves it in the socket.
            _ if self.stalled.contains(&id) => true,
            Purpose::Call(call) | Purpose::Resume(call) => {
                self.calls.get(&call).is_some_and(|call| call.is_asked())
            }
            // Between calls a server may have nothing to say for long.
            Purpose::Channel | Purpose::Listen | Purpose::Subscribe => {
                let comments =
                    matches!(&exchange.reading, Reading::Stream(feed) if feed.has_commented());
                !comments && !self.awaits_replies()
            }
            _ => return,
        };
        let due = exchange.heard + silence.max(LEAST);
        if self.now < due {
            self.timers.set(Timer::Silence(id), due);
        } else if paused {
            self.watch(id);
        } else if kept_alive || !self.is_current(exchange.generation) || !self.phase.is_open() {
            self.break_off(id);
        } else if self.has_ping() {
            self.doubt_exchange(id);
        } else {
            self.watch(id);
        }
    }

    /// Whether a ping can tell that somebody is there.
    fn has_ping(&self) -> bool {
        self.revision_spoken().has_method("ping")
    }

    /// Whether anybody is at its other end is for a ping to find out.
    fn doubt_exchange(&mut self, id: ExchangeId) {
        if let Some(exchange) = self.exchanges.get_mut(&id) {
            exchange.doubted = true;
            self.suspect().silent.insert(id);
        }
    }

    /// What the ping found out about silent exchanges.
    pub(super) fn settle_silence(&mut self, silent: BTreeSet<ExchangeId>, finding: Finding) {
        if finding == Finding::Alive {
            self.hear_from_server();
        }
        for id in silent {
            match self.exchanges.get_mut(&id) {
                // What came meanwhile says more than a ping that failed.
                Some(exchange) if exchange.doubted && finding == Finding::Nothing => {
                    self.break_off(id);
                }
                Some(exchange) => {
                    exchange.doubted = false;
                    if matches!(exchange.reading, Reading::Stream(_))
                        || matches!(exchange.purpose, Purpose::Resume(_))
                    {
                        self.watch(id);
                    }
                }
                None => {}
            }
        }
    }

    /// The server is there: of all streams whose silence says nothing else, lest each
    /// of them asks for itself.
    fn hear_from_server(&mut self) {
        let generation = self.session.generation;
        for exchange in self.exchanges.values_mut() {
            let lively = matches!(&exchange.reading, Reading::Stream(feed) if feed.is_lively());
            if exchange.generation == generation && (exchange.doubted || !lively) {
                exchange.heard = self.now;
            }
        }
    }

    /// Nobody is at the other end of this exchange.
    fn break_off(&mut self, id: ExchangeId) {
        let heard = self.exchanges.get(&id).map(|exchange| exchange.heard);
        let silence = self.now.since(heard.unwrap_or(self.now));
        let error = Error::new(Clock::Silence(silence), Delivery::Unknown);
        if let Some(feed) = self.feed_of(id) {
            if !feed.has_ended() {
                // What has come is still to be given out.
                feed.end(End::Broken(error));
                self.aborts.push_back(id);
                self.feed_ends(id);
            }
            return;
        }
        let reading = self.exchanges.get(&id).map(|exchange| &exchange.reading);
        if let Some(Reading::Whole(Whole::Refusal(_) | Whole::Typed(..), _)) = reading {
            self.conclude(id);
            self.aborts.push_back(id);
            return;
        }
        let Some(exchange) = self.drop_exchange(id) else {
            return;
        };
        match (&exchange.reading, &exchange.purpose) {
            (Reading::Head | Reading::Whole(Whole::Json(_), _), Purpose::Call(call)) => {
                self.broken(*call, error);
            }
            _ => self.stream_cut(exchange, Ending::Failed(None), None, error),
        }
    }

    /// The network changed: whether the server is still there is found out at once.
    pub(super) fn check_streams(&mut self) {
        if !self.phase.is_open() || !self.has_ping() {
            return;
        }
        let generation = self.session.generation;
        let doubtful = self.exchanges.iter().filter(|(id, exchange)| {
            let over = matches!(&exchange.reading, Reading::Stream(feed) if feed.has_ended());
            exchange.generation == generation
                && id.number() <= self.changed
                && !over
                && match exchange.purpose {
                    // The channel stands for those that were accepted.
                    Purpose::Call(_) => !matches!(exchange.reading, Reading::Accepted { .. }),
                    Purpose::Channel | Purpose::Resume(_) => true,
                    _ => false,
                }
        });
        let doubtful: Vec<_> = doubtful.map(|(id, _)| id).collect();
        if self.config.common.clocks.silence.is_some() {
            for id in doubtful {
                self.doubt_exchange(id);
            }
        }
        self.ping_anew();
    }

    /// What a ping finds out that left before is not what is asked now.
    fn ping_anew(&mut self) {
        let changed = self.changed;
        let Some(suspicion) = &mut self.suspicion else {
            return;
        };
        if let Some(ping) = suspicion.ping.take_if(|ping| ping.number() <= changed) {
            suspicion.route = Route::default();
            self.abort(ping);
        }
    }
}
