//! Control traffic: notifications, answers, cancellations, pings, DELETEs. It
//! never waits behind calls.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use http::{Request, Uri};

use super::Connection;
use super::exchange::Purpose;
use super::phase::Phase;
use super::route::Route;
use crate::error::{Delivery, Error, Lost, Reason, Refused, RpcError};
use crate::event::LossCause;
use crate::wire::headers::SessionId;
use crate::wire::jsonrpc;
use crate::wire::response::{Refusal, Verdict};
use crate::{ExchangeId, NotificationId, RawJson, Revision, Subject, Ticket};

/// What can leave at once, or never.
#[derive(Clone, Debug)]
pub(super) enum Prompt {
    Answer(Answering),
    Cancel(Cancelling),
}

/// The answer to a question of the server.
#[derive(Clone, Debug)]
pub(super) struct Answering {
    /// Absent for the machine's own answers.
    pub(super) ticket: Option<Ticket>,
    pub(super) id: String,
    pub(super) outcome: Result<RawJson, RpcError>,
    pub(super) origin: Origin,
    pub(super) route: Route,
}

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

/// Where a question came from, and so where its answer belongs.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// The answer to the `initialize` that is under way, with the session id that
    /// its head brought.
    Handshake(Option<SessionId>),
    /// A stream of this generation.
    Session(u64),
}

/// A notification of the application; it waits for a session.
#[derive(Clone, Debug)]
pub(super) struct Notice {
    pub(super) id: NotificationId,
    pub(super) method: String,
    pub(super) params: Option<RawJson>,
    route: Route,
    /// Whether it was refused with its session once already.
    refused: bool,
}

impl Notice {
    pub(super) fn new(id: NotificationId, method: String, params: Option<RawJson>) -> Self {
        Self {
            id,
            method,
            params,
            route: Route::default(),
            refused: false,
        }
    }
}

/// A session that is to be ended with a DELETE.
#[derive(Clone, Debug)]
pub(super) struct Farewell {
    pub(super) session: SessionId,
    pub(super) revision: Option<Revision>,
}

/// What a ping found out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Finding {
    /// The server answered; the session lives, as far as can be told.
    Alive,
    Lost,
    /// The server did not answer.
    Nothing,
}

/// What is in doubt until a ping settles it.
#[derive(Clone, Debug)]
pub(super) struct Suspicion {
    /// The codes of the errors that suspicious 400s carried.
    pub(super) codes: BTreeSet<Option<i64>>,
    /// Exchanges on which nothing came for long.
    pub(super) silent: Vec<ExchangeId>,
    pub(super) ping: Option<ExchangeId>,
    /// Where redirects of the ping lead.
    pub(super) route: Route,
    pub(super) calls: Vec<crate::CallId>,
    pub(super) control: Vec<(Purpose, Error)>,
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

    fn build_answer(&mut self, answering: Answering) -> Option<(Purpose, Request<Bytes>)> {
        let session = match &answering.origin {
            Origin::Handshake(provisional) => provisional.as_ref(),
            Origin::Session(generation) if self.is_current(*generation) => self.session.id.as_ref(),
            Origin::Session(_) => {
                let error = Error::new(Lost::Session, Delivery::NotSent);
                self.control_failed(&Purpose::Answer(answering), error);
                return None;
            }
        };
        let body = jsonrpc::response(&answering.id, &answering.outcome);
        let request = self
            .envelope(answering.route.target(), None, session)
            .post(body);
        Some((Purpose::Answer(answering), request))
    }

    fn build_cancel(&mut self, cancelling: Cancelling) -> Option<(Purpose, Request<Bytes>)> {
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

    /// The handshake that asked is over: its questions are the new session's, or
    /// nobody's (law 6).
    pub(super) fn settle_provisional(&mut self, accepted: bool) {
        let generation = self.session.generation;
        self.answers.retain_mut(|prompt| match prompt {
            Prompt::Answer(Answering {
                origin: origin @ Origin::Handshake(_),
                ..
            }) => {
                *origin = Origin::Session(generation);
                accepted
            }
            Prompt::Answer(_) | Prompt::Cancel(_) => true,
        });
        // A redirect may yet send these again.
        for exchange in self.exchanges.values_mut() {
            if let Purpose::Answer(answering) = &mut exchange.purpose {
                if matches!(answering.origin, Origin::Handshake(_)) {
                    answering.origin = Origin::Session(generation);
                }
            }
        }
    }

    pub(super) fn build_notice(&mut self, notice: Notice) -> (Purpose, Request<Bytes>) {
        let body = jsonrpc::notification(&notice.method, notice.params.as_ref());
        let envelope = self.envelope(notice.route.target(), None, self.session.id.as_ref());
        let request = envelope.post(body);
        (Purpose::Notification(notice), request)
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
            | Purpose::Delete
            | Purpose::Finished
            | Purpose::Initialize(_)
            | Purpose::Listen
            | Purpose::Ping
            | Purpose::Restore(_)
            | Purpose::Resume(_) => {}
        }
    }

    fn abort_cancelled(&mut self, exchange: Option<ExchangeId>) {
        if let Some(exchange) = exchange {
            self.abort(exchange);
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
            Purpose::Restore(restore) => self.not_restored(restore, error),
            Purpose::Abandoned
            | Purpose::Call(_)
            | Purpose::Cancelled
            | Purpose::Delete
            | Purpose::Finished
            | Purpose::Initialize(_)
            | Purpose::Listen
            | Purpose::Resume(_) => {}
        }
    }

    /// What a refusal means for control traffic.
    pub(super) fn control_refused(&mut self, purpose: Purpose, verdict: Verdict, refusal: Refusal) {
        let failed = |refused: crate::error::Reason, delivery| {
            Error::new(refused, delivery).with_answer(refusal.answer.clone())
        };
        match (verdict, purpose) {
            (Verdict::Lost, purpose) => {
                self.lose_session(LossCause::NotFound);
                self.control_lost(purpose);
            }
            (Verdict::Suspect, Purpose::Initialized) => self.lose_session(LossCause::BadRequest),
            (Verdict::Older, purpose) => self.control_lost(purpose),
            (Verdict::Suspect, purpose) => {
                let error = failed(Refused::Status.into(), Delivery::Rejected);
                let suspicion = self.suspect();
                suspicion.codes.insert(refusal.code());
                suspicion.control.push((purpose, error));
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
            Purpose::Restore(restore) => self.restoring.due.push_front(*restore),
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

    /// What goes out again does so in its old order.
    fn put_back_notice(&mut self, notice: Notice) {
        let later = self.notices.iter().position(|other| other.id > notice.id);
        self.notices
            .insert(later.unwrap_or(self.notices.len()), notice);
        self.want_session(false);
    }

    /// Everything of the application that waits for a session fails.
    pub(super) fn fail_notices(&mut self, error: &Error) {
        for notice in std::mem::take(&mut self.notices) {
            let delivery = if notice.refused {
                Delivery::Rejected
            } else {
                Delivery::NotSent
            };
            let error = error.clone().with_delivery(delivery);
            self.control_failed(&Purpose::Notification(notice), error);
        }
    }

    fn failed(&mut self, subject: Subject, error: Error) {
        self.events.push(crate::Event::Fail { subject, error });
    }

    /// Notifications of the application that have not ended, or whose end was not
    /// read.
    pub(super) fn open_notifications(&self) -> usize {
        let under_way = self.exchanges.values();
        let under_way = under_way
            .filter(|x| matches!(x.purpose, Purpose::Notification(_)))
            .count();
        let in_doubt = self
            .suspicion
            .as_ref()
            .into_iter()
            .flat_map(|suspicion| &suspicion.control)
            .filter(|(purpose, _)| matches!(purpose, Purpose::Notification(_)))
            .count();
        let waiting: usize = VecDeque::len(&self.notices);
        [
            waiting,
            under_way,
            in_doubt,
            self.events.ended_notifications,
        ]
        .iter()
        .sum()
    }
}
