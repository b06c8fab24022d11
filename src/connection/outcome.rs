//! What an answer means for what asked for it.

use http::StatusCode;

use super::Connection;
use super::exchange::{Purpose, Rules, answered};
use super::negotiation::UNSUPPORTED_VERSION;
use super::stream::Ending;
use super::suspicion::Finding;
use super::tools::HEADER_MISMATCH;
use crate::error::{Delivery, Error, Refused, RpcError};
use crate::event::{LossCause, Reply};
use crate::wire::response::{Carried, Refusal, Verdict};
use crate::{CallId, ExchangeId, RawJson};

impl Connection {
    /// A request got its reply.
    pub(super) fn completed(
        &mut self,
        purpose: Purpose,
        outcome: Result<RawJson, RpcError>,
        (status, rules): (StatusCode, Rules),
    ) {
        match purpose {
            Purpose::Call(call) => self.replied(call, Reply { outcome, status }, rules),
            Purpose::Discover => self.discover_answered(outcome, status),
            Purpose::Initialize(session) => self.initialize_answered(session, outcome, status),
            Purpose::Ping => self.settle(Finding::Alive),
            Purpose::Restore(restore) => match outcome {
                Ok(_) => self.restored(&restore),
                Err(rpc) => {
                    let mut answer = answered(status);
                    answer.rpc = Some(rpc);
                    let error = Error::new(Refused::Rpc, Delivery::Rejected).with_answer(answer);
                    self.not_restored(&restore, error);
                }
            },
            Purpose::Refresh => match outcome {
                Ok(result) => self.refreshed(&result),
                Err(_) => self.refresh_failed(),
            },
            Purpose::Subscribe => self.subscription_answered(outcome, status),
            Purpose::Abandoned
            | Purpose::Answer(_)
            | Purpose::Cancel(_)
            | Purpose::Cancelled
            | Purpose::Channel
            | Purpose::Delete
            | Purpose::Finished
            | Purpose::Initialized
            | Purpose::Listen
            | Purpose::Notification(_)
            | Purpose::Resume(_) => {}
        }
    }

    /// A call got a reply; where each request stands on its own, that may not be all.
    fn replied(&mut self, call: CallId, reply: Reply, rules: Rules) {
        match (rules.binding.stands_alone(), &reply.outcome) {
            (true, Ok(_)) => self.result_came(call, reply),
            (true, Err(rpc)) if rpc.code == UNSUPPORTED_VERSION => {
                self.renegotiate_call(call, reply);
            }
            (true, Err(rpc)) if rpc.code == HEADER_MISMATCH => {
                self.headers_mismatched(call, reply);
            }
            (true | false, _) => self.reply(call, reply),
        }
    }

    /// An exchange came to an end that is no answer.
    pub(super) fn exchange_failed(&mut self, purpose: Purpose, error: Error) {
        match purpose {
            Purpose::Call(call) | Purpose::Resume(call) => self.fail_call(call, error),
            Purpose::Listen | Purpose::Subscribe => {
                self.listening_cut(Ending::Failed(None), error);
            }
            Purpose::Channel => self.channel_ended(error),
            Purpose::Discover => self.handshake_failed(error),
            Purpose::Initialize(session) => {
                if let Some(session) = session {
                    self.say_farewell(session, None);
                }
                self.handshake_failed(error);
            }
            purpose => self.control_failed(&purpose, error),
        }
    }

    pub(super) fn refused(
        &mut self,
        id: ExchangeId,
        purpose: Purpose,
        sent: (Carried, Rules),
        mut refusal: Refusal,
        body: &[u8],
    ) {
        let verdict = self.verdict(id, &purpose, sent.0, &mut refusal, body);
        self.take_verdict(purpose, sent, verdict, refusal);
    }

    pub(super) fn verdict(
        &self,
        id: ExchangeId,
        purpose: &Purpose,
        carried: Carried,
        refusal: &mut Refusal,
        body: &[u8],
    ) -> Verdict {
        let request = purpose.is_request().then(|| id.number());
        let is_open = |number| {
            let other = self.exchanges.get(&ExchangeId::new(self.tag, number));
            other.is_some_and(|other| other.purpose.is_request()) || self.cut.contains_key(&number)
        };
        refusal.verdict(body, carried, request, is_open)
    }

    pub(super) fn take_verdict(
        &mut self,
        purpose: Purpose,
        (carried, rules): (Carried, Rules),
        verdict: Verdict,
        refusal: Refusal,
    ) {
        match purpose {
            Purpose::Call(call) => self.call_refused(call, verdict, refusal, rules),
            Purpose::Channel | Purpose::Discover | Purpose::Initialize(_) => {
                self.handshake_refused(verdict, refusal)
            }
            Purpose::Subscribe => self.listening_refused(verdict, refusal, carried),
            Purpose::Ping => self.ping_refused(&verdict, &refusal),
            purpose => self.control_refused(purpose, verdict, refusal),
        }
    }

    fn call_refused(&mut self, call: CallId, verdict: Verdict, refusal: Refusal, rules: Rules) {
        match verdict {
            Verdict::Again { reason, delivery } => {
                self.refuse_for_now(call, reason, delivery, refusal.answer);
            }
            Verdict::Fail { reason, delivery } => {
                self.fail_call(
                    call,
                    Error::new(reason, delivery).with_answer(refusal.answer),
                );
            }
            Verdict::Follow(to) => self.follow(call, to, &refusal),
            Verdict::Lost => {
                self.lose_session(LossCause::NotFound);
                self.send_again(call);
            }
            Verdict::Older => self.send_again(call),
            Verdict::Reply { error, .. } => {
                let status = refusal.answer.status.unwrap_or_default();
                let outcome = Err(error);
                self.replied(call, Reply { outcome, status }, rules);
            }
            Verdict::Suspect => {
                let suspicion = self.suspect();
                suspicion.add(refusal.code());
                suspicion.calls.insert(call);
                self.suspend(call, refusal);
            }
        }
    }
}
