//! Control traffic: notifications, answers, cancellations, pings, DELETEs. It
//! never waits behind calls.

use bytes::Bytes;
use http::{Request, Uri};

use super::Connection;
use super::answer::Answering;
use super::cancel::Cancelling;
use super::exchange::Purpose;
use super::phase::Phase;
use super::suspicion::Finding;
use crate::error::{Delivery, Error, Lost, Reason, Refused};
use crate::event::LossCause;
use crate::wire::headers::SessionId;
use crate::wire::response::{Refusal, Verdict};
use crate::{Revision, Subject};

/// What can leave at once, or never.
#[derive(Clone, Debug)]
pub(super) enum Prompt {
    Answer(Answering),
    Cancel(Cancelling),
}

/// A session that is to be ended with a DELETE.
#[derive(Clone, Debug)]
pub(super) struct Farewell {
    pub(super) session: SessionId,
    pub(super) revision: Option<Revision>,
}

impl Connection {
    /// The request that carries this answer or cancellation, unless it has become
    /// pointless.
    pub(super) fn build_prompt(&mut self, prompt: Prompt) -> Option<(Purpose, Request<Bytes>)> {
        match prompt {
            Prompt::Answer(answering) => self.build_answer(answering),
            Prompt::Cancel(cancelling) => self.build_cancel(cancelling),
        }
    }

    /// A notification, an answer or the like was accepted.
    pub(super) fn control_accepted(&mut self, purpose: &Purpose) {
        match purpose {
            Purpose::Notification(notice) => self.accepted(Subject::Notification(notice.id)),
            Purpose::Answer(answering) => {
                if let Some(ticket) = answering.ticket {
                    self.accepted(Subject::Answer(ticket));
                }
            }
            Purpose::Initialized => self.confirmed(),
            Purpose::Cancel(cancelling) => self.abort_cancelled(cancelling.exchange),
            Purpose::Abandoned
            | Purpose::Call(_)
            | Purpose::Cancelled
            | Purpose::Channel
            | Purpose::Delete
            | Purpose::Discover
            | Purpose::Finished
            | Purpose::Initialize(_)
            | Purpose::Listen
            | Purpose::Ping
            | Purpose::Refresh
            | Purpose::Restore(_)
            | Purpose::Resume(_)
            | Purpose::Subscribe => {}
        }
    }

    fn accepted(&mut self, subject: Subject) {
        self.events.push(crate::Event::Accepted { subject });
    }

    /// A notification, an answer or the like failed. Nothing else is lost with it.
    pub(super) fn control_failed(&mut self, purpose: &Purpose, error: Error) {
        match purpose {
            Purpose::Notification(notice) => {
                let error = error.for_method(&notice.method);
                self.failed(Subject::Notification(notice.id), error);
            }
            Purpose::Answer(answering) => {
                if let Some(ticket) = answering.ticket {
                    self.failed(Subject::Answer(ticket), error.for_method("answer"));
                }
            }
            Purpose::Initialized => {
                self.handshake_failed(error.for_method("notifications/initialized"))
            }
            Purpose::Ping => {
                // Whatever was answered, somebody is there.
                let unanswered =
                    matches!(error.reason(), Reason::Transport(_) | Reason::Timeout(_));
                self.settle(if unanswered {
                    Finding::Nothing
                } else {
                    Finding::Alive
                });
            }
            Purpose::Cancel(cancelling) => self.abort_cancelled(cancelling.exchange),
            Purpose::Refresh => self.refresh_failed(),
            Purpose::Restore(restore) => self.not_restored(restore, error),
            Purpose::Abandoned
            | Purpose::Call(_)
            | Purpose::Cancelled
            | Purpose::Channel
            | Purpose::Delete
            | Purpose::Discover
            | Purpose::Finished
            | Purpose::Initialize(_)
            | Purpose::Listen
            | Purpose::Resume(_)
            | Purpose::Subscribe => {}
        }
    }

    /// What a refusal means for control traffic.
    pub(super) fn control_refused(&mut self, purpose: Purpose, verdict: Verdict, refusal: Refusal) {
        let failed = |refused: Reason, delivery| {
            Error::new(refused, delivery).with_answer(refusal.answer.clone())
        };
        match (verdict, purpose) {
            (Verdict::Lost, purpose) => {
                self.lose_session(LossCause::NotFound);
                self.control_lost(purpose);
            }
            (Verdict::Suspect, Purpose::Initialized) => self.lose_session(LossCause::BadRequest),
            // Those of older sessions are dropped with them: it went to an older address.
            (Verdict::Older, Purpose::Initialized) => self.lose_session(LossCause::NotFound),
            (Verdict::Older, purpose @ Purpose::Restore(_)) => {
                self.control_failed(&purpose, failed(Refused::Status.into(), Delivery::Rejected));
            }
            (Verdict::Older, purpose) => self.control_lost(purpose),
            (Verdict::Suspect, purpose) => {
                let error = failed(Refused::Status.into(), Delivery::Rejected);
                let suspicion = self.suspect();
                suspicion.add(refusal.code());
                if matches!(purpose, Purpose::Cancel(_)) {
                    // Whatever the ping finds out is all the same to it.
                    return self.control_failed(&purpose, error);
                }
                suspicion.bytes = suspicion.bytes.saturating_add(refusal.bytes());
                suspicion.control.push((purpose, error));
            }
            (Verdict::Follow(to), Purpose::Refresh) => {
                if !self.redirect_refresh(to) {
                    self.refresh_failed();
                }
            }
            (Verdict::Follow(to), purpose) => {
                if let Some(purpose) = self.redirect_control(purpose, to) {
                    let error = failed(refusal.redirected().into(), Delivery::Rejected);
                    self.control_failed(&purpose, error);
                }
            }
            (Verdict::Reply { .. }, purpose) => {
                self.control_failed(&purpose, failed(Refused::Rpc.into(), Delivery::Unknown));
            }
            (Verdict::Again { reason, delivery } | Verdict::Fail { reason, delivery }, purpose) => {
                self.control_failed(&purpose, failed(reason, delivery));
            }
        }
    }

    /// Sends control traffic on to where a redirect leads; gives it back if there
    /// were too many.
    fn redirect_control(&mut self, mut purpose: Purpose, to: Uri) -> Option<Purpose> {
        let route = match &mut purpose {
            Purpose::Answer(answering) => &mut answering.route,
            Purpose::Cancel(cancelling) => &mut cancelling.route,
            Purpose::Notification(notice) => &mut notice.route,
            Purpose::Initialized => &mut self.handshake.route,
            Purpose::Restore(restore) => &mut restore.route,
            _ => return Some(purpose),
        };
        if !route.follow(to) {
            return Some(purpose);
        }
        match purpose {
            Purpose::Answer(answering) => self.answers.push_front(Prompt::Answer(answering)),
            Purpose::Cancel(cancelling) => self.answers.push_front(Prompt::Cancel(cancelling)),
            Purpose::Notification(notice) => self.put_back_notice(notice),
            Purpose::Initialized => self.initialized_due = true,
            Purpose::Restore(restore) => self.restoring.put_back(*restore),
            purpose => return Some(purpose),
        }
        None
    }

    /// What becomes of control traffic that went down with its session: an answer
    /// dies with it, a notification is sent again once.
    pub(super) fn control_lost(&mut self, purpose: Purpose) {
        match purpose {
            Purpose::Notification(mut notice) if !notice.refused && self.phase != Phase::Idle => {
                notice.refused = true;
                notice.route.restart();
                self.put_back_notice(notice);
            }
            // Its session is gone, and with it the handshake: a new one is on its way.
            // Its session is gone too: the new one is asked for all of it.
            Purpose::Initialized | Purpose::Restore(_) => {}
            purpose => {
                self.control_failed(&purpose, Error::new(Lost::Session, Delivery::Rejected));
            }
        }
    }

    fn failed(&mut self, subject: Subject, error: Error) {
        self.events.push(crate::Event::Fail { subject, error });
    }
}
