//! What an answer means for what asked for it.

use http::StatusCode;

use super::Connection;
use super::exchange::{Purpose, answered};
use super::stream::Ending;
use super::suspicion::Finding;
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
        status: StatusCode,
    ) {
        match purpose {
            Purpose::Call(call) => self.reply(call, Reply { outcome, status }),
            Purpose::Initialize(session) => self.initialize_answered(session, outcome, status),
            Purpose::Ping => self.settle(Finding::Alive),
            Purpose::Restore(restore) => {
                if let Err(rpc) = outcome {
                    let mut answer = answered(status);
                    answer.rpc = Some(rpc);
                    let error = Error::new(Refused::Rpc, Delivery::Rejected).with_answer(answer);
                    self.not_restored(&restore, error);
                }
            }
            Purpose::Abandoned
            | Purpose::Answer(_)
            | Purpose::Cancel(_)
            | Purpose::Cancelled
            | Purpose::Delete
            | Purpose::Finished
            | Purpose::Initialized
            | Purpose::Listen
            | Purpose::Notification(_)
            | Purpose::Resume(_) => {}
        }
    }

    /// An exchange came to an end that is no answer.
    pub(super) fn exchange_failed(&mut self, purpose: Purpose, error: Error) {
        match purpose {
            Purpose::Call(call) | Purpose::Resume(call) => self.fail_call(call, error),
            Purpose::Listen => self.listening_cut(Ending::Failed(None), error),
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
        carried: Carried,
        mut refusal: Refusal,
        body: &[u8],
    ) {
        let verdict = self.verdict(id, &purpose, carried, &mut refusal, body);
        self.take_verdict(purpose, verdict, refusal);
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

    pub(super) fn take_verdict(&mut self, purpose: Purpose, verdict: Verdict, refusal: Refusal) {
        match purpose {
            Purpose::Call(call) => self.call_refused(call, verdict, refusal),
            Purpose::Initialize(_) => self.initialize_refused(verdict, refusal),
            Purpose::Ping => self.ping_refused(&verdict, &refusal),
            purpose => self.control_refused(purpose, verdict, refusal),
        }
    }

    fn call_refused(&mut self, call: CallId, verdict: Verdict, refusal: Refusal) {
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
                self.reply(
                    call,
                    Reply {
                        outcome: Err(error),
                        status,
                    },
                );
            }
            Verdict::Suspect => {
                let suspicion = self.suspect();
                suspicion.codes.insert(refusal.code());
                suspicion.calls.push(call);
                self.suspend(call, refusal);
            }
        }
    }
}
