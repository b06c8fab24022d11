//! Reports: what came of an exchange, and of time.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::Connection;
use super::timers::Timer;
use crate::error::{Error, Failure};
use crate::{ExchangeId, Time};

/// # Reports of the adapter
///
/// Every exchange that was sent is ended by one of [`handle_end`](Self::handle_end),
/// [`handle_failure`](Self::handle_failure) or [`Transmit::Abort`](crate::Transmit). What is reported
/// of an exchange after that is ignored, for it may have been on its way.
impl Connection {
    /// The head of an answer: status and headers. Interim answers (1xx) are the
    /// adapter's to skip, redirects are not its to follow.
    ///
    /// # Errors
    /// [`Mistake::ForeignId`](crate::Mistake), [`Mistake::HeadTwice`](crate::Mistake).
    pub fn handle_head(
        &mut self,
        exchange: ExchangeId,
        status: StatusCode,
        headers: &HeaderMap,
        now: Time,
    ) -> Result<(), Error> {
        self.begin(now);
        self.own_exchange("handle_head", exchange)?;
        self.on_head(exchange, status, headers)
            .map_err(|mistake| self.misuse("handle_head", mistake))?;
        self.end();
        Ok(())
    }

    /// Some bytes of an answer's body, as they come.
    ///
    /// # Errors
    /// [`Mistake::ForeignId`](crate::Mistake), [`Mistake::BodyBeforeHead`](crate::Mistake).
    pub fn handle_body(
        &mut self,
        exchange: ExchangeId,
        chunk: Bytes,
        now: Time,
    ) -> Result<(), Error> {
        self.begin(now);
        self.own_exchange("handle_body", exchange)?;
        self.on_body(exchange, chunk)
            .map_err(|mistake| self.misuse("handle_body", mistake))?;
        self.end();
        Ok(())
    }

    /// The body is over, as HTTP says it should be.
    ///
    /// # Errors
    /// [`Mistake::ForeignId`](crate::Mistake), [`Mistake::BodyBeforeHead`](crate::Mistake).
    pub fn handle_end(&mut self, exchange: ExchangeId, now: Time) -> Result<(), Error> {
        self.begin(now);
        self.own_exchange("handle_end", exchange)?;
        self.on_end(exchange)
            .map_err(|mistake| self.misuse("handle_end", mistake))?;
        self.end();
        Ok(())
    }

    /// The exchange failed, before its head or after.
    ///
    /// # Errors
    /// [`Mistake::ForeignId`](crate::Mistake).
    pub fn handle_failure(
        &mut self,
        exchange: ExchangeId,
        failure: Failure,
        now: Time,
    ) -> Result<(), Error> {
        self.begin(now);
        self.own_exchange("handle_failure", exchange)?;
        self.on_failure(exchange, failure);
        self.end();
        Ok(())
    }

    /// Does what is due by now. Early and needless calls do no harm.
    pub fn handle_timeout(&mut self, now: Time) {
        self.begin(now);
        let told = self.events.told();
        let mut any = false;
        while let Some(timer) = self.timers.pop_due(self.now) {
            any = true;
            match timer {
                Timer::Closing => {
                    self.farewells.clear();
                    self.drop_exchanges();
                }
                Timer::Handshake => {}
                Timer::Call(call) => self.call_timed_out(call),
                Timer::Delay(call) => self.delay_over(call),
                Timer::Exchange(exchange) => self.exchange_timed_out(exchange),
                Timer::Network => self.forgive(),
                Timer::Listen => self.listening_due(),
                Timer::Silence(exchange) => self.silent(exchange),
            }
        }
        self.end();
        self.woken.to_send |= any && self.wants_to_send();
        self.woken.to_tell |= self.events.told() != told;
    }
}
