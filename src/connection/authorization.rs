//! Authorisation: what the server refused for its credential waits for another one
//! (basic/authorization: error handling; access token usage).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use http::HeaderValue;
use http::header::AUTHORIZATION;

use super::Connection;
use super::answer::{Answering, Origin};
use super::call::State;
use super::control::Prompt;
use super::exchange::{Exchange, Purpose, Rules};
use super::rare::Blank;
use crate::error::{Delivery, Error, Mistake};
use crate::wire::response::{Carried, Refusal, Verdict};
use crate::{CallId, ExchangeId, Resend, Time};

/// The credential of a connection, and what waits for another one.
#[derive(Clone, Debug, Default)]
pub(super) struct Authorization {
    /// Counts the credentials.
    pub(super) version: u64,
    /// Whether the application is asked for one.
    pub(super) asked: bool,
    /// The credential in place of which the application gave no other.
    declined: Option<u64>,
    /// Whether `set_header` replaced it and what waited for that has not left yet.
    replaced: bool,
    pub(super) calls: BTreeMap<CallId, Parked>,
    /// Answers, cancellations, notifications and what is restored.
    pub(super) control: BTreeMap<ExchangeId, Parked>,
    /// `initialize` or `notifications/initialized`; boxed, as what follows, for it is rare and large.
    pub(super) handshake: Option<Box<Parked>>,
    pub(super) listening: Option<Box<Parked>>,
    pub(super) ping: Option<Box<Parked>>,
    /// Calls whose clocks stand still meanwhile.
    pub(super) paused: BTreeSet<CallId>,
}

impl Blank for Authorization {
    fn blank() -> &'static Self {
        static BLANK: LazyLock<Authorization> = LazyLock::new(Authorization::default);
        &BLANK
    }

    fn is_blank(&self) -> bool {
        let Self {
            version,
            asked,
            declined,
            replaced,
            calls,
            control,
            handshake,
            listening,
            ping,
            paused,
        } = self;
        let alone = [handshake, listening, ping];
        *version == 0
            && !asked
            && declined.is_none()
            && !replaced
            && calls.is_empty()
            && control.is_empty()
            && alone.into_iter().all(Option::is_none)
            && paused.is_empty()
    }
}

#[cfg(feature = "harness")]
impl Authorization {
    pub(super) fn weights(&self) -> super::weights::Weights {
        let Self {
            version: _,
            asked: _,
            declined: _,
            replaced: _,
            calls,
            control,
            handshake,
            listening,
            ping,
            paused,
        } = self;
        let alone = [handshake, listening, ping];
        vec![
            ("authorization.calls", calls.len()),
            ("authorization.control", control.len()),
            ("authorization.alone", alone.into_iter().flatten().count()),
            ("authorization.paused", paused.len()),
        ]
    }

    /// The refusals of all that waits.
    pub(super) fn refusals(&self) -> impl Iterator<Item = &Refusal> {
        let alone = [&self.handshake, &self.listening, &self.ping];
        let alone = alone.into_iter().flatten().map(|parked| &**parked);
        let all = self
            .calls
            .values()
            .chain(self.control.values())
            .chain(alone);
        all.map(|parked| &parked.refusal)
    }
}

/// How an exchange was sent that was refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sending {
    pub(super) generation: u64,
    carried: Carried,
    rules: Rules,
    credential: u64,
}

/// A message that was refused for its credential, and what becomes of it if there is no
/// other.
#[derive(Clone, Debug)]
pub(super) struct Parked {
    pub(super) purpose: Purpose,
    pub(super) sending: Sending,
    pub(super) verdict: Verdict,
    pub(super) refusal: Refusal,
}

/// What becomes of a message that was refused for its credential.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Course {
    /// It was sent with one that has been replaced since.
    Again,
    Wait,
    Fail,
}

/// # Authorisation
///
/// With [`Config::authorize`](crate::Config::authorize): what a server refuses for its
/// credential waits while the application gets another one (basic/authorization, in
/// 2025-11-25 and 2026-07-28 alike). Everything that is refused meanwhile waits too, and
/// the application is asked once, by [`Event::Authorize`](crate::Event::Authorize).
///
/// Each message is sent once more. Refused again it fails, as what was refused when
/// nobody could be asked. What was refused for a credential that has been replaced
/// by then asks nobody and is sent with the new one.
impl Connection {
    /// Gives the credential: the value of the `Authorization` header of everything that
    /// is sent from now on, for example `Bearer` and a token. What waited for it is sent
    /// once more, in its old order. If nobody was asked, it just takes the place of the
    /// one before, as by [`set_header`](Self::set_header).
    ///
    /// # Errors
    /// [`Mistake::Header`] if it cannot be a header's value.
    pub fn authorize(&mut self, credential: &str, now: Time) -> Result<(), Error> {
        self.begin(now);
        let Ok(mut value) = HeaderValue::from_str(credential) else {
            let mistake = Mistake::Header(AUTHORIZATION.to_string());
            return Err(self.misuse("authorize", mistake));
        };
        value.set_sensitive(true);
        self.config.headers.insert(AUTHORIZATION, value);
        self.credential_replaced();
        self.release();
        self.end();
        Ok(())
    }

    /// Says that there is no other credential: what waits for one takes its refusal and
    /// fails, each with the challenges of its own.
    ///
    /// The next call that is refused asks again. What the machine sends of itself, the
    /// listening stream and pings, does not ask again in place of the same credential.
    ///
    /// # Errors
    /// [`Mistake::NothingHeld`] unless an [`Event::Authorize`](crate::Event::Authorize)
    /// waits for its answer.
    pub fn refuse_authorization(&mut self, now: Time) -> Result<(), Error> {
        self.begin(now);
        if !self.authorization.asked {
            return Err(self.misuse("refuse_authorization", Mistake::NothingHeld));
        }
        self.authorization.declined = Some(self.authorization.version);
        let (calls, others) = self.unpark();
        for parked in others.into_iter().chain(calls) {
            if matches!(parked.purpose, Purpose::Listen | Purpose::Subscribe) {
                self.listening.asked = true;
            }
            self.take_refusal(parked);
        }
        self.end();
        Ok(())
    }
}

impl Connection {
    /// Whether an `Authorize` waits for its answer.
    pub(crate) fn awaits_authorization(&self) -> bool {
        self.authorization.asked && !self.authorization.replaced
    }

    /// The `Authorization` header is another one from now on.
    pub(super) fn credential_replaced(&mut self) {
        let version = &mut self.authorization.version;
        *version = version.saturating_add(1);
        self.authorization.replaced = true;
        self.events.unask();
    }

    /// What waited for a credential that `set_header` gave leaves in the next turn,
    /// which knows the time.
    pub(super) fn release_if_replaced(&mut self) {
        // Asked first, for to write is to take room.
        if !self.authorization.replaced {
            return;
        }
        self.authorization.replaced = false;
        if self.authorization.asked {
            self.release();
        } else {
            self.hurry_listening();
        }
    }

    fn release(&mut self) {
        self.authorization.replaced = false;
        self.hurry_listening();
        let (calls, others) = self.unpark();
        for parked in calls {
            self.send_once_more(parked.purpose);
        }
        // The last first: each goes before what waits already.
        for parked in others.into_iter().rev() {
            self.send_once_more(parked.purpose);
        }
    }

    /// The question is answered: clocks run again, and nothing waits any more.
    pub(super) fn unpark(&mut self) -> (Vec<Parked>, Vec<Parked>) {
        self.authorization.asked = false;
        self.events.unask();
        for id in std::mem::take(&mut self.authorization.paused) {
            self.resume_clock(id);
        }
        let waiting = &mut self.authorization;
        let calls = std::mem::take(&mut waiting.calls).into_values();
        let alone = [
            waiting.handshake.take(),
            waiting.ping.take(),
            waiting.listening.take(),
        ];
        let control = std::mem::take(&mut waiting.control).into_values();
        let alone = alone.into_iter().flatten().map(|parked| *parked);
        let others: Vec<_> = alone.chain(control).collect();
        let calls: Vec<_> = calls.collect();
        for parked in calls.iter().chain(&others) {
            self.let_go(parked);
        }
        (calls, others)
    }

    /// Whether another credential may help what was refused like this.
    pub(super) fn is_for_credential(&self, refusal: &Refusal) -> bool {
        self.config.authorize && refusal.wants_credential()
    }

    /// How this exchange, which is over, was sent.
    pub(super) fn sending(&self, exchange: &Exchange) -> Sending {
        Sending {
            generation: exchange.generation,
            carried: self.carried(exchange),
            rules: exchange.rules,
            credential: exchange.credential,
        }
    }

    /// The server refused a message for its credential.
    pub(super) fn unauthorised(
        &mut self,
        id: ExchangeId,
        purpose: Purpose,
        sending: Sending,
        mut refusal: Refusal,
        body: &[u8],
    ) {
        let verdict = if purpose.is_get() {
            refusal.verdict_of_get(body)
        } else {
            self.verdict(id, &purpose, sending.carried, &mut refusal, body)
        };
        let Some(purpose) = self.still_wanted(purpose, sending.generation) else {
            return;
        };
        let course = self.course(&purpose, sending);
        let parked = Parked {
            purpose,
            sending,
            verdict,
            refusal,
        };
        match course {
            Course::Again => self.send_once_more(parked.purpose),
            Course::Wait => self.park(id, parked),
            Course::Fail => self.take_refusal(parked),
        }
    }

    /// What has died with its session takes its end; a call and a notification go on in
    /// the one that comes after.
    pub(super) fn still_wanted(&mut self, purpose: Purpose, generation: u64) -> Option<Purpose> {
        let lost = match &purpose {
            Purpose::Channel | Purpose::Discover | Purpose::Initialize(_) => false,
            Purpose::Answer(Answering { origin, .. }) => match origin {
                Origin::Handshake(_) => false,
                Origin::Session(generation) => !self.is_current(*generation),
            },
            _ => !self.is_current(generation),
        };
        match purpose {
            Purpose::Call(id) if lost => self.count_loss(id).then_some(purpose),
            Purpose::Notification(mut notice) if lost && !notice.refused => {
                notice.refused = true;
                Some(Purpose::Notification(notice))
            }
            Purpose::Answer(_)
            | Purpose::Cancel(_)
            | Purpose::Initialized
            | Purpose::Notification(_)
            | Purpose::Restore(_)
                if lost =>
            {
                self.control_lost(purpose);
                None
            }
            purpose => Some(purpose),
        }
    }

    fn course(&self, purpose: &Purpose, sending: Sending) -> Course {
        let Authorization {
            version,
            asked,
            declined,
            ..
        } = *self.authorization;
        let (again, asks) = match purpose {
            Purpose::Call(id) | Purpose::Resume(id) => {
                let Some(call) = self.calls.get(id) else {
                    return Course::Fail;
                };
                let gone = purpose.is_get() && !self.is_current(sending.generation);
                let never = !purpose.is_get() && call.resend == Resend::Never;
                // A credential of its own is not for the connection to replace.
                if gone || never || call.headers.contains_key(AUTHORIZATION) {
                    return Course::Fail;
                }
                (call.route.is_again(), true)
            }
            Purpose::Channel
            | Purpose::Discover
            | Purpose::Initialize(_)
            | Purpose::Initialized => (self.handshake.route.is_again(), true),
            Purpose::Notification(notice) => (notice.route.is_again(), true),
            Purpose::Answer(answering) => (answering.route.is_again(), true),
            Purpose::Cancel(cancelling) => (cancelling.route.is_again(), true),
            Purpose::Restore(restore) => (restore.route.is_again(), true),
            Purpose::Listen | Purpose::Subscribe => {
                (self.listening.asked, declined != Some(version))
            }
            Purpose::Refresh => (self.tools.is_refreshed_again(), true),
            Purpose::Ping => {
                let again = self
                    .suspicion
                    .as_ref()
                    .is_some_and(|it| it.route.is_again());
                (again, declined != Some(version))
            }
            Purpose::Abandoned | Purpose::Cancelled | Purpose::Delete | Purpose::Finished => {
                return Course::Fail;
            }
        };
        if sending.credential < version {
            Course::Again
        } else if asked || !again && asks {
            Course::Wait
        } else {
            Course::Fail
        }
    }

    /// Sends a message again, as it is, with the credential of now. It begins at the
    /// endpoint again.
    fn send_once_more(&mut self, purpose: Purpose) {
        match purpose {
            Purpose::Call(id) => {
                if let Some(call) = self.calls.get_mut(&id) {
                    call.delivery = call.delivery.max(Delivery::Rejected);
                    call.route.again();
                    self.queue_or_hold(id);
                }
            }
            Purpose::Resume(id) => {
                if let Some(call) = self.calls.get_mut(&id) {
                    call.state = State::Cut;
                    call.route.again();
                    self.resumes.insert(id);
                }
            }
            Purpose::Listen | Purpose::Subscribe => self.listen_once_more(),
            Purpose::Channel | Purpose::Discover | Purpose::Initialize(_) => {
                self.handshake_once_more();
            }
            Purpose::Refresh => self.tools.refresh_once_more(),
            Purpose::Initialized => {
                self.handshake.route.again();
                self.initialized_due = true;
            }
            Purpose::Ping => {
                if let Some(suspicion) = &mut self.suspicion {
                    suspicion.route.again();
                    suspicion.ping = None;
                }
            }
            Purpose::Notification(mut notice) => {
                notice.route.again();
                self.put_back_notice(notice);
            }
            Purpose::Answer(mut answering) => {
                answering.route.again();
                self.answers.push_front(Prompt::Answer(answering));
            }
            Purpose::Cancel(mut cancelling) => {
                cancelling.route.again();
                self.answers.push_front(Prompt::Cancel(cancelling));
            }
            Purpose::Restore(mut restore) => {
                restore.route.again();
                self.restoring.put_back(*restore);
            }
            Purpose::Abandoned | Purpose::Cancelled | Purpose::Delete | Purpose::Finished => {}
        }
    }

    /// The refusal is the message's end, or what else it would be if nobody could be
    /// asked.
    pub(super) fn take_refusal(&mut self, parked: Parked) {
        let Parked {
            purpose,
            sending,
            verdict,
            refusal,
        } = parked;
        let Sending {
            generation,
            carried,
            rules,
            ..
        } = sending;
        if purpose.is_get() {
            self.get_refused(purpose, generation, carried, verdict, refusal);
        } else {
            self.take_verdict(purpose, (carried, rules), verdict, refusal);
        }
    }
}
