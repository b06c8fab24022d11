//! Commands: what an application asks of a connection.

use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};
use serde::Serialize;

use super::Connection;
use super::call::{NewCall, State};
use super::notice::Notice;
use super::phase::{self, Input, Phase, Step};
use super::requests::unreadable;
use super::restoring::SUBSCRIBE;
use super::timers::Timer;
use crate::error::{Delivery, Error, LimitExceeded, LimitKind, Mistake, Reason, RpcError};
use crate::wire::headers;
use crate::wire::jsonrpc::{self, ProgressToken};
use crate::wire::meta::{self, BadMeta};
use crate::{CallId, CallOptions, NotificationId, RawJson, SubscriptionFilter, Ticket, Time};

/// # Commands
impl Connection {
    /// Begins the handshake now instead of with the first call. It ends with
    /// [`Event::Ready`](crate::Event::Ready) or an [`Event::Fail`](crate::Event::Fail) of the connection; if there is a
    /// session already, nothing happens; in [`Phase::Lost`] it waits for
    /// [`reinitialize`](Self::reinitialize).
    ///
    /// # Errors
    /// [`Mistake::Closed`].
    pub fn connect(&mut self, now: Time) -> Result<(), Error> {
        self.begin(now);
        self.require_open("connect")?;
        self.ask_for_session();
        self.end();
        Ok(())
    }

    /// Makes a call: one JSON-RPC request. It ends exactly once, with
    /// [`Event::Reply`](crate::Event::Reply) or an [`Event::Fail`](crate::Event::Fail) that names the id given back here.
    ///
    /// Params are whatever serializes to a JSON object, or to `null` (`()`) for
    /// none; [`RawJson`] goes out to the letter. `_meta` is the application's for its
    /// progress token, trace context and extensions; the members that the protocol writes
    /// there are not.
    ///
    /// Methods that the revision spoken has not end with [`Mistake::NotInRevision`]
    /// before anything is sent: in 2026-07-28 there is no `ping`, no
    /// `resources/subscribe` (see [`listen`](Self::listen)), no `tasks/list` and
    /// `tasks/result` (changelog). `logging/setLevel` is answered by the machine there
    /// and travels with each request (server/utilities/logging; deprecated in that
    /// revision).
    ///
    /// In 2026-07-28 the arguments of `tools/call` go into headers too, if the tool's
    /// schema in a `tools/list` said so (transports/streamable-http: custom headers from
    /// tool parameters). Whoever passes messages on can see them.
    ///
    /// # Errors
    /// [`Mistake::Closed`], [`Mistake::Params`], [`Mistake::OwnedMethod`] for
    /// `initialize` and `subscriptions/listen` (see [`listen`](Self::listen)),
    /// [`Mistake::OwnedMeta`], [`Mistake::ProgressToken`] if params ask progress with a token
    /// that an open call uses, and [`LimitKind::OpenCalls`].
    pub fn call<P: Serialize + ?Sized>(
        &mut self,
        method: &str,
        params: &P,
        options: CallOptions,
        now: Time,
    ) -> Result<CallId, Error> {
        self.begin(now);
        self.require_open("call")?;
        if matches!(method, "initialize" | "subscriptions/listen") {
            return Err(self.misuse("call", Mistake::OwnedMethod(method.to_owned())));
        }
        let open = self.calls.len().saturating_add(self.events.ended_calls);
        within(
            open,
            self.config.common.limits.open_calls,
            LimitKind::OpenCalls,
            method,
        )?;
        let params = self.params("call", params)?;
        let mut own_token = None;
        if let Some(params) = &params {
            own_token = meta::check(params).map_err(|bad| {
                let mistake = match bad {
                    BadMeta::NoObject => {
                        Mistake::Params("have a `_meta` that is no object".to_owned())
                    }
                    BadMeta::Unreadable => unreadable(),
                    BadMeta::Owned(name) => Mistake::OwnedMeta(name),
                };
                self.misuse("call", mistake)
            })?;
        }
        let limit = self.config.common.limits.subscriptions;
        if method == SUBSCRIBE {
            let open = self
                .restoring
                .subscriptions(None, self.subscribing(), params.as_ref());
            within(open, limit, LimitKind::Subscriptions, method)?;
        }
        let (params, token) = if options.progress {
            let token = self.free_token();
            let params = token.put_into(params.as_ref());
            let params = params.ok_or_else(|| self.misuse("call", unreadable()))?;
            (Some(params), Some(token))
        } else {
            (params, own_token)
        };
        if token
            .as_ref()
            .is_some_and(|token| self.tokens.contains_key(token))
        {
            return Err(self.misuse("call", Mistake::ProgressToken));
        }
        let id = self.open_call(NewCall {
            method: method.to_owned(),
            params,
            token,
            options,
        });
        self.end();
        Ok(id)
    }

    /// Sends a notification as soon as there is a session. It ends with
    /// [`Event::Accepted`](crate::Event::Accepted) or an [`Event::Fail`](crate::Event::Fail).
    ///
    /// 2026-07-28 has none of its own over HTTP; those of extensions are sent, and
    /// `notifications/roots/list_changed` is [`Mistake::NotInRevision`] (changelog;
    /// transports/streamable-http: sending messages).
    ///
    /// # Errors
    /// [`Mistake::Closed`], [`Mistake::Params`], [`Mistake::OwnedMethod`] for
    /// `notifications/initialized` and `notifications/cancelled` (see
    /// [`cancel`](Self::cancel)), and [`LimitKind::OpenNotifications`].
    pub fn notify<P: Serialize + ?Sized>(
        &mut self,
        method: &str,
        params: &P,
        now: Time,
    ) -> Result<NotificationId, Error> {
        self.begin(now);
        self.require_open("notify")?;
        if matches!(
            method,
            "notifications/initialized" | "notifications/cancelled"
        ) {
            return Err(self.misuse("notify", Mistake::OwnedMethod(method.to_owned())));
        }
        let limit = self.config.common.limits.open_notifications;
        within(
            self.open_notifications(),
            limit,
            LimitKind::OpenNotifications,
            method,
        )?;
        let params = self.params("notify", params)?;
        self.last_notification = self.last_notification.saturating_add(1);
        let id = NotificationId::new(self.tag, self.last_notification);
        self.notices
            .push_back(Notice::new(id, method.to_owned(), params));
        self.want_session(false);
        self.end();
        Ok(id)
    }

    /// Says what the application wants to hear about between calls, in place of all that
    /// it said before: once, for this session and all that follow. The server's answer
    /// comes as [`Event::Listening`](crate::Event::Listening), what it has to tell as
    /// [`Event::Message`](crate::Event::Message).
    ///
    /// In 2026-07-28 this is `subscriptions/listen` (patterns: subscriptions); before, it
    /// is the listening stream, whatever [`Config::listen`](crate::Config::listen) says,
    /// and `resources/subscribe` (server/resources: subscriptions). The empty filter
    /// ends it, but for the stream that a session has anyway, and is granted nothing. What
    /// the server refused is asked for anew, and what it agreed to already is told again.
    /// Of filters that follow each other before the server has answered, the last is
    /// answered.
    ///
    /// # Errors
    /// [`Mistake::Closed`], and [`LimitKind::Subscriptions`].
    pub fn listen(&mut self, filter: SubscriptionFilter, now: Time) -> Result<(), Error> {
        self.begin(now);
        self.require_open("listen")?;
        let restoring = &self.restoring;
        let resources = restoring.subscriptions(Some(&filter), self.subscribing(), None);
        let limit = self.config.common.limits.subscriptions;
        let over = resources.saturating_sub(1);
        within(over, limit, LimitKind::Subscriptions, "listen")?;
        self.hear_about(filter);
        self.end();
        Ok(())
    }

    /// Answers an [`Ask`](crate::Event::Ask), once: with a result, which is a JSON
    /// object, or with an error. It ends with [`Event::Accepted`](crate::Event::Accepted) or an
    /// [`Event::Fail`](crate::Event::Fail).
    ///
    /// In 2026-07-28 the answer is accepted at once, and goes out with its call after the
    /// last question of the round; an error cannot go out, and ends the call with
    /// [`Refused::Unanswered`](crate::Refused) (patterns: multi round-trip requests).
    ///
    /// # Errors
    /// [`Mistake::TicketNotOpen`] if it was answered or withdrawn meanwhile,
    /// [`Mistake::ForeignId`], [`Mistake::Value`], [`Mistake::Closed`].
    pub fn answer<T: Serialize + ?Sized>(
        &mut self,
        ticket: Ticket,
        outcome: Result<&T, RpcError>,
        now: Time,
    ) -> Result<(), Error> {
        self.begin(now);
        self.require_open("answer")?;
        self.answer_ask(ticket, outcome)?;
        self.end();
        Ok(())
    }

    /// Gives a call up. It ends at once, with [`Reason::Cancelled`]; the server is
    /// told if it may be at work on it (utilities: cancellation). A call that has
    /// ended already stays as it ended.
    ///
    /// # Errors
    /// [`Mistake::ForeignId`].
    pub fn cancel(&mut self, call: CallId, now: Time) -> Result<(), Error> {
        self.begin(now);
        self.own("cancel", &call)?;
        self.give_up(call, Reason::Cancelled);
        self.end();
        Ok(())
    }

    /// With [`Recovery::Hold`](crate::Recovery): sends the calls that were refused
    /// with the lost session, now that the application has restored its state.
    ///
    /// # Errors
    /// [`Mistake::NothingHeld`] unless the phase is [`Phase::Held`].
    pub fn resume(&mut self, now: Time) -> Result<(), Error> {
        self.begin(now);
        self.require("resume", Input::Resume)?;
        self.step(Input::Resume);
        self.release_held();
        self.end();
        Ok(())
    }

    /// With [`Recovery::Manual`](crate::Recovery): makes a new session in place of
    /// the lost one.
    ///
    /// # Errors
    /// [`Mistake::NothingHeld`] unless the phase is [`Phase::Lost`].
    pub fn reinitialize(&mut self, now: Time) -> Result<(), Error> {
        self.begin(now);
        self.require("reinitialize", Input::Reinitialize)?;
        self.replace_session(Input::Reinitialize);
        self.end();
        Ok(())
    }

    /// Sets a header that every request carries from now on, those that are sent
    /// again too; `None` removes it. For credentials that are renewed: that the
    /// `Authorization` header was set or removed counts as [`authorize`](Self::authorize),
    /// and what waits for another credential is sent once more.
    ///
    /// # Errors
    /// [`Mistake::Header`], [`Mistake::OwnedHeader`].
    pub fn set_header(&mut self, name: &str, value: Option<&str>) -> Result<(), Error> {
        let bad = || Mistake::Header(headers::good_part(name));
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| self.misuse("set_header", bad()))?;
        if headers::owned(&name) {
            return Err(self.misuse("set_header", Mistake::OwnedHeader(name.to_string())));
        }
        let is_credential = name == AUTHORIZATION;
        match value {
            None => drop(self.config.headers.remove(name)),
            Some(value) => {
                let mut value =
                    HeaderValue::from_str(value).map_err(|_| self.misuse("set_header", bad()))?;
                value.set_sensitive(true);
                self.config.headers.insert(name, value);
            }
        }
        if is_credential {
            self.credential_replaced();
        }
        Ok(())
    }

    /// The network changed (the machine woke up, roamed): what waits for a server
    /// that could not be reached tries again now, streams that broke off are taken up
    /// again, the listening stream is opened anew, and a ping finds out whether the
    /// server of open calls is still there, unless [`Clocks::silence`](crate::Clocks::silence)
    /// is switched off. What a server asked for, by `Retry-After` or by `retry` before it
    /// closed a stream, is still waited for.
    ///
    /// A change that follows another within [`Retries::floor`](crate::Retries::floor) is
    /// heeded when that is over.
    pub fn network_changed(&mut self, now: Time) {
        self.begin(now);
        self.changed = self.last_exchange;
        let heeded = self
            .network
            .map(|last| last + self.config.common.retries.floor);
        match heeded.filter(|heeded| self.now < *heeded) {
            _ if matches!(self.phase, Phase::Closing | Phase::Closed) => {}
            Some(heeded) => self.timers.set(Timer::Network, heeded),
            None => self.forgive(),
        }
        self.end();
    }

    /// Closes the connection: each open call ends once, with [`Reason::Closed`], and
    /// the session is ended with a DELETE (transports: session management), within
    /// [`Clocks::delete`](crate::Clocks::delete). Drive the machine until
    /// [`is_closed`](Self::is_closed); closing twice does nothing.
    pub fn close(&mut self, now: Time) {
        self.begin(now);
        if !matches!(self.phase, Phase::Closing | Phase::Closed) {
            self.step(Input::Close);
            self.shut();
        }
        self.end();
    }
}

impl Connection {
    /// The params of open calls that subscribe to something.
    fn subscribing(&self) -> impl Iterator<Item = Option<&RawJson>> {
        let asked = self.calls.values().filter(|call| call.method == SUBSCRIBE);
        asked.map(|call| call.params.as_ref())
    }

    fn require_open(&self, call: &'static str) -> Result<(), Error> {
        match phase::step(self.phase, Input::Want) {
            Step::Misuse => Err(self.misuse(call, Mistake::Closed)),
            Step::Stay | Step::To(_) => Ok(()),
        }
    }

    fn require(&self, call: &'static str, input: Input) -> Result<(), Error> {
        match phase::step(self.phase, input) {
            Step::Misuse => Err(self.misuse(call, Mistake::NothingHeld)),
            Step::Stay | Step::To(_) => Ok(()),
        }
    }

    fn params<P: Serialize + ?Sized>(
        &self,
        call: &'static str,
        params: &P,
    ) -> Result<Option<RawJson>, Error> {
        jsonrpc::object(params).map_err(|why| self.misuse(call, Mistake::Params(why)))
    }

    /// A progress token that no open call uses: the number of the call to come, unless
    /// the application gave it to one of its own.
    fn free_token(&self) -> ProgressToken {
        let mut number = self.last_call.saturating_add(1);
        loop {
            let token = ProgressToken::new(number.to_string());
            if !self.tokens.contains_key(&token) {
                return token;
            }
            number = number.wrapping_add(1);
        }
    }

    /// Forgets the delays of what waits for a server that could not be reached.
    pub(super) fn forgive(&mut self) {
        self.network = Some(self.now);
        self.timers.clear(Timer::Network);
        self.handshake.forgive();
        self.listen_anew();
        self.check_streams();
        let mut hurried = Vec::new();
        for (id, call) in self.calls.iter_mut() {
            let forgiven = call.stream.forgive();
            let hurries = match call.state {
                State::Cut => forgiven,
                State::Delayed => call.waits_for_server(),
                _ => false,
            };
            if hurries && self.timers.clear(Timer::Delay(id)).is_some() {
                hurried.push(id);
            }
        }
        for id in hurried {
            self.delay_over(id);
        }
        if self.phase == Phase::Due {
            self.want_session(false);
        }
    }
}

fn within(open: usize, value: usize, kind: LimitKind, method: &str) -> Result<(), Error> {
    if open < value {
        return Ok(());
    }
    Err(Error::new(LimitExceeded { kind, value }, Delivery::NotSent).for_method(method))
}
