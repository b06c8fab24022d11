//! Closing: every call ends, everything under way is dropped, the session is ended.

use super::Connection;
use super::call::State;
use super::control::Prompt;
use super::exchange::Purpose;
use super::phase::{Input, Phase};
use super::rare::Rare;
use super::timers::Timer;
use crate::error::{Delivery, Error, Reason};
use crate::event::Withdrawal;
use crate::{CallId, ExchangeId};

impl Connection {
    /// The application closes.
    pub(super) fn shut(&mut self) {
        let unsent = Error::new(Reason::Closed, Delivery::NotSent);
        self.timers.clear(Timer::Handshake);
        self.timers.clear(Timer::Network);
        self.timers
            .set(Timer::Closing, self.now + self.config.common.clocks.delete);
        for id in self.calls.keys().collect::<Vec<_>>() {
            self.shut_call(id);
        }
        self.shut_authorization(&unsent);
        self.stop_listening();
        self.fail_notices(&unsent);
        self.withdraw_asks(Withdrawal::Closed, |_| true);
        let doubt = self.suspicion.take();
        for (purpose, _) in doubt.map(|doubt| doubt.control).unwrap_or_default() {
            self.control_failed(&purpose, unsent.clone().with_delivery(Delivery::Rejected));
        }
        for prompt in std::mem::take(&mut self.answers) {
            if let Prompt::Answer(answering) = prompt {
                self.control_failed(&Purpose::Answer(answering), unsent.clone());
            }
        }
        self.drop_restorations();
        for id in self.all_exchanges() {
            self.shut_exchange(id);
        }
        // Nobody calls a tool any more.
        self.tools = Rare::default();
        if let Some(session) = self.session.id.take() {
            self.say_farewell(session, self.session.revision);
        }
    }

    fn shut_call(&mut self, id: CallId) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        let delivery = match call.state {
            State::Asked | State::Sent(_) | State::Cut => Delivery::Unknown,
            State::Mismatched(_) | State::Refused | State::Suspended(_) => Delivery::Rejected,
            State::Waiting | State::Delayed | State::Held => Delivery::NotSent,
        };
        self.events.forget(id);
        self.fail_call(id, Error::new(Reason::Closed, delivery));
    }

    /// Drops an exchange, unless it ends a session or may yet bring one to be ended.
    fn shut_exchange(&mut self, id: ExchangeId) {
        let Some(exchange) = self.exchanges.get_mut(&id) else {
            return;
        };
        match &exchange.purpose {
            Purpose::Abandoned | Purpose::Delete => {}
            Purpose::Initialize(None) if exchange.may_bring_id() => {
                exchange.purpose = Purpose::Abandoned;
            }
            Purpose::Initialize(Some(session)) => {
                let session = session.clone();
                self.say_farewell(session, None);
                self.abort(id);
            }
            Purpose::Answer(_) | Purpose::Notification(_) => {
                let purpose = exchange.purpose.clone();
                self.abort(id);
                self.control_failed(&purpose, Error::new(Reason::Closed, Delivery::Unknown));
            }
            Purpose::Call(_)
            | Purpose::Cancel(_)
            | Purpose::Cancelled
            | Purpose::Channel
            | Purpose::Discover
            | Purpose::Finished
            | Purpose::Initialize(None)
            | Purpose::Initialized
            | Purpose::Listen
            | Purpose::Ping
            | Purpose::Refresh
            | Purpose::Restore(_)
            | Purpose::Resume(_)
            | Purpose::Subscribe => self.abort(id),
        }
    }

    /// Closing is over when no session is left to end.
    pub(super) fn check_closed(&mut self) {
        let ending = |purpose: &Purpose| matches!(purpose, Purpose::Delete | Purpose::Abandoned);
        let over = self.phase == Phase::Closing
            && self.farewells.is_empty()
            && !self
                .exchanges
                .values()
                .any(|exchange| ending(&exchange.purpose));
        if over {
            self.drop_exchanges();
            self.timers.clear(Timer::Closing);
            self.step(Input::Ended);
        }
    }

    /// Closing has taken all its time: what is under way is not waited for.
    pub(super) fn drop_exchanges(&mut self) {
        for id in self.all_exchanges() {
            self.abort(id);
        }
    }

    fn all_exchanges(&self) -> Vec<ExchangeId> {
        self.exchanges.keys().collect()
    }
}
