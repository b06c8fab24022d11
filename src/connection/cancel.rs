//! Cancelling: a call ends for the application at once, and the server is told
//! (utilities: cancellation).

use bytes::Bytes;
use http::Request;

use super::Connection;
use super::call::State;
use super::control::Prompt;
use super::exchange::{Purpose, Reading};
use super::route::Route;
use super::timers::Timer;
use crate::error::{Delivery, Error, Reason};
use crate::wire::jsonrpc;
use crate::{CallId, ExchangeId, RawJson};

/// `notifications/cancelled` for the request of an exchange.
#[derive(Clone, Debug)]
pub(super) struct Cancelling {
    pub(super) request: u64,
    /// What is still under way of it.
    pub(super) exchange: Option<ExchangeId>,
    /// Whether the server may be at work on it even after that.
    pub(super) resumable: bool,
    pub(super) generation: u64,
    pub(super) reason: &'static str,
    pub(super) route: Route,
}

impl Connection {
    /// Gives a call up, and tells the server so if it may be at work on it.
    pub(super) fn give_up(&mut self, id: CallId, reason: Reason) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        let sent = match call.state {
            State::Sent(exchange) => Some(Some(exchange)),
            State::Cut => Some(None),
            State::Asked
            | State::Waiting
            | State::Delayed
            | State::Held
            | State::Mismatched(_)
            | State::Refused
            | State::Suspended(_) => None,
        };
        let (request, generation) = (call.request, call.generation);
        let resumes = self.binding().resumes() && call.stream.resumes_from().is_some();
        let exchange = sent.flatten().and_then(|id| self.exchanges.get(&id));
        let accepted = exchange.is_some_and(|it| matches!(it.reading, Reading::Accepted { .. }));
        let resumes = resumes || accepted;
        let delivery = if sent.is_some() {
            Delivery::Unknown
        } else {
            Delivery::NotSent
        };
        let told = matches!(reason, Reason::Cancelled).then_some("cancelled by the application");
        self.events.forget(id);
        self.room = true;
        self.fail_call(id, Error::new(reason, delivery));
        let reason = told.unwrap_or("timed out");
        let lingers = sent.flatten().filter(|exchange| self.abandon(*exchange));
        let tell = match sent {
            None => false,
            Some(None) => true,
            Some(Some(_)) => lingers.is_some() || resumes,
        };
        let limit = self.config.common.limits.open_calls;
        if tell && self.answers.len() >= limit {
            self.drop_pointless_prompts();
        }
        if tell && self.answers.len() < limit {
            let route = Route::default();
            self.answers.push_back(Prompt::Cancel(Cancelling {
                request,
                exchange: lingers,
                resumable: resumes,
                generation,
                reason,
                route,
            }));
        }
    }

    /// Lets go of the exchange of a call that has ended for the application: the
    /// server is told (utilities: cancellation), and the exchange ends soon after; or
    /// at once, where that is how the server is told. Says whether it goes on.
    fn abandon(&mut self, id: ExchangeId) -> bool {
        let Some(exchange) = self.exchanges.get_mut(&id) else {
            return false;
        };
        let over = match &exchange.reading {
            Reading::Stream(feed) => feed.has_ended(),
            Reading::Accepted { over, .. } => *over,
            _ => false,
        };
        if over {
            drop(self.end_exchange(id));
            return false;
        }
        if exchange.rules.binding.cancels_by_closing() {
            self.abort(id);
            return false;
        }
        exchange.purpose = Purpose::Cancelled;
        exchange.reading = Reading::Ignored(0);
        self.timers.clear(Timer::Silence(id));
        self.account(id);
        self.linger(id);
        self.stalled.remove(&id);
        true
    }

    pub(super) fn build_cancel(
        &mut self,
        cancelling: Cancelling,
    ) -> Option<(Purpose, Request<Bytes>)> {
        let Cancelling {
            request,
            exchange,
            resumable,
            generation,
            reason,
            ref route,
        } = cancelling;
        if !self.is_current(generation) {
            self.abort_cancelled(exchange);
            return None;
        }
        let over = exchange.is_some_and(|exchange| !self.exchanges.contains_key(&exchange));
        if over && !resumable {
            return None;
        }
        let params = RawJson::new(&serde_json::json!({
            "requestId": request,
            "reason": reason,
        }));
        let body = jsonrpc::notification("notifications/cancelled", params.ok().as_ref());
        let envelope = self.envelope(route.target(), None, self.session.id.as_ref());
        let request = envelope.post(body);
        Some((Purpose::Cancel(cancelling), request))
    }

    /// Drops cancellations of what is over meanwhile.
    pub(super) fn drop_pointless_prompts(&mut self) {
        self.answers.retain(|prompt| match prompt {
            Prompt::Cancel(Cancelling {
                exchange: Some(exchange),
                resumable: false,
                ..
            }) => self.exchanges.contains_key(exchange),
            Prompt::Answer(_) | Prompt::Cancel(_) => true,
        });
    }

    pub(super) fn abort_cancelled(&mut self, exchange: Option<ExchangeId>) {
        if let Some(exchange) = exchange {
            self.abort(exchange);
        }
    }
}
