//! What the application wants to hear about: told to the server by `subscriptions/listen`
//! where each request stands on its own (2026-07-28, patterns: subscriptions), else by
//! `resources/subscribe`.

use bytes::Bytes;
use http::{Request, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Connection;
use super::events::Source;
use super::exchange::{Purpose, answered};
use super::stream::Ending;
use crate::error::{Delivery, Error, Lost, Peer, Refused, RpcError};
use crate::wire::jsonrpc::Members;
use crate::wire::result;
use crate::{Event, ExchangeId, Listening, RawJson, SubscriptionFilter};

/// Params of `subscriptions/listen`, and of its acknowledgement.
#[derive(serde::Serialize, Deserialize)]
struct Notifications {
    notifications: SubscriptionFilter,
}

impl Connection {
    /// The application says what it wants to hear about, in place of all before.
    pub(super) fn hear_about(&mut self, filter: SubscriptionFilter) {
        let unchanged = *self.restoring.filter() == filter;
        let nothing = filter.is_empty();
        let before = self.restoring.resources.replace(filter);
        match self.binding().stands_alone() {
            false if self.phase.is_open() => {
                self.restoring.untold = true;
                self.restoring.resources.replaced(&before);
                self.listen_to(false);
            }
            true if self.phase.is_open() && !nothing => {
                self.ask_to_hear(unchanged);
            }
            true | false => {
                if self.phase.is_open() {
                    self.listen_to(true);
                }
                if nothing {
                    // Nobody needs to be asked for that.
                    self.restoring.untold = false;
                    let granted = SubscriptionFilter::new();
                    self.events.push(Event::Listening { granted });
                }
            }
        }
        if !nothing {
            self.ask_for_session();
        }
    }

    /// Where each request stands on its own: what is known of the same filter is told at
    /// once; else the server is asked, again if it refused before.
    fn ask_to_hear(&mut self, unchanged: bool) {
        let listening = self.listening.status();
        let known = self.restoring.acknowledged.clone();
        match known.filter(|_| unchanged && listening == Listening::Open) {
            Some(granted) => self.events.push(Event::Listening { granted }),
            None => self.listen_to(!unchanged || listening == Listening::NotOffered),
        }
    }

    /// The request whose answer is the listening stream.
    pub(super) fn build_subscribe(&mut self) -> Option<(Purpose, Request<Bytes>)> {
        if let Some(stream) = self.stream_of(Source::Listening) {
            // What was said before is not said again.
            stream.forget_cursor();
            stream.begins();
        }
        self.restoring.acknowledged = None;
        let notifications = self.restoring.filter().clone();
        let params = RawJson::new(&Notifications { notifications }).ok();
        let target = self.listening.take_target();
        let request = self.stand_alone(target.as_ref(), "subscriptions/listen", params.as_ref())?;
        Some((Purpose::Subscribe, request))
    }

    pub(super) fn is_subscription(&self, id: ExchangeId) -> bool {
        let exchange = self.exchanges.get(&id);
        exchange.is_some_and(|exchange| matches!(exchange.purpose, Purpose::Subscribe))
    }

    /// The first message on the stream: what the server agreed to.
    ///
    /// # Errors
    /// If it cannot be read, or is not the first.
    pub(super) fn acknowledged(&mut self, params: Option<&str>) -> Result<(), Peer> {
        if self.restoring.acknowledged.is_some() {
            return Err(Peer::Message("it acknowledges a subscription twice"));
        }
        let read = params.and_then(|params| serde_json::from_str(params).ok());
        let Notifications { notifications } =
            read.ok_or(Peer::Message("it acknowledges nothing that can be read"))?;
        let granted = within(notifications, self.restoring.filter());
        self.restoring.acknowledged = Some(granted.clone());
        self.listening.is_acknowledged();
        self.events.push(Event::Listening { granted });
        Ok(())
    }

    /// The stream has its reply: the server ends it in good order, or refuses it.
    pub(super) fn subscription_answered(
        &mut self,
        outcome: Result<RawJson, RpcError>,
        status: StatusCode,
    ) {
        match outcome {
            Ok(result) => match result::complete(&result) {
                Ok(()) => self.listening_ended(),
                Err(peer) => {
                    let error = Error::new(peer, Delivery::Unknown).with_answer(answered(status));
                    self.listening_cut(Ending::Failed(None), error);
                }
            },
            Err(rpc) => {
                let mut answer = answered(status);
                answer.rpc = Some(rpc);
                let offered = self.listening.is_offered();
                let reason = if offered {
                    Refused::Rpc.into()
                } else {
                    crate::Reason::from(Lost::NotOffered)
                };
                let error = Error::new(reason, Delivery::Rejected).with_answer(answer);
                if offered {
                    self.listening_cut(Ending::Failed(None), error);
                } else {
                    self.not_offered(error);
                }
            }
        }
    }

    /// The server cancels a request: of this stream, if of any (2026-07-28, patterns:
    /// cancellation).
    pub(super) fn subscription_cancelled(&mut self, id: ExchangeId, params: Option<&str>) {
        let request = params.and_then(crate::wire::jsonrpc::cancelled_request);
        if request == Some(id.number().to_string().as_str()) {
            self.abort(id);
            self.listening_ended();
        }
    }

    /// At the end of each turn: once the session has answered all that was asked of it,
    /// the application is told what it will hear about.
    pub(super) fn tell_subscriptions(&mut self) {
        if self.phase.is_open() && self.restoring.take_answered() {
            let granted = self.granted();
            self.events.push(Event::Listening { granted });
        }
    }

    /// What the session lets be heard: the lists whose changes the server announced to
    /// tell, the resources that could be subscribed to.
    fn granted(&self) -> SubscriptionFilter {
        let announced = self.session.capabilities.as_ref();
        let announced = Members::of(announced.map_or("{}", RawJson::as_str));
        let changes = |capability| {
            let settings = announced.get(capability);
            let settings = Members::of(settings.map_or("{}", RawValue::get));
            let told = settings.get("listChanged");
            told.is_some_and(|told| told.get() == "true")
        };
        let offered = SubscriptionFilter {
            tools_list_changed: changes("tools"),
            prompts_list_changed: changes("prompts"),
            resources_list_changed: changes("resources"),
            resource_subscriptions: self.restoring.resources.told(),
        };
        within(offered, self.restoring.filter())
    }
}

/// What both hold.
fn within(mut granted: SubscriptionFilter, wanted: &SubscriptionFilter) -> SubscriptionFilter {
    granted.tools_list_changed &= wanted.tools_list_changed;
    granted.prompts_list_changed &= wanted.prompts_list_changed;
    granted.resources_list_changed &= wanted.resources_list_changed;
    granted
        .resource_subscriptions
        .retain(|uri| wanted.resource_subscriptions.contains(uri));
    granted
}
