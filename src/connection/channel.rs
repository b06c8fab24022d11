//! The channel of an HTTP+SSE server: the one event stream on which it says everything,
//! and the address that it names there for what is said to it (2024-11-05, transports:
//! HTTP with SSE). Its life is the session's.

use bytes::Bytes;
use http::{Request, Uri};

use super::Connection;
use super::exchange::{Exchange, Purpose, Reading};
use super::feed::Feed;
use super::phase::{Input, Phase};
use super::timers::Timer;
use crate::error::{Delivery, Error, Lost, Peer};
use crate::event::LossCause;
use crate::wire::headers::{self, Redirect};
use crate::{Contact, ExchangeId};

/// The event stream of an HTTP+SSE server.
#[derive(Clone, Debug, Default)]
pub(super) struct Channel {
    exchange: Option<ExchangeId>,
    /// Where messages go, once the server has named it.
    address: Option<Box<Uri>>,
}

impl Channel {
    pub(super) fn sent(&mut self, exchange: ExchangeId) {
        self.exchange = Some(exchange);
    }

    /// Whether the server has named an address for messages.
    pub(super) fn is_open(&self) -> bool {
        self.address.is_some()
    }

    pub(super) fn address(&self) -> Option<&Uri> {
        self.address.as_deref()
    }
}

impl Connection {
    pub(super) fn build_channel(&mut self) -> (Purpose, Request<Bytes>) {
        self.handshake_sent(Input::Opened);
        let envelope = self.envelope(self.handshake.route.target(), None, None);
        (Purpose::Channel, envelope.get(None))
    }

    pub(super) fn open_channel(&mut self, id: ExchangeId, status: http::StatusCode) {
        let feed = Feed::of_channel(status, &self.config.common.limits);
        self.read(id, Reading::Stream(Box::new(feed)));
    }

    /// Whether the stream has to begin with the event that names an address.
    pub(super) fn awaits_address(&self, id: ExchangeId) -> bool {
        self.channel.exchange == Some(id) && self.channel.address.is_none()
    }

    /// The server names the address for messages, a reference (RFC 3986, section 4.1) to
    /// its own origin (law 11).
    pub(super) fn address_named(&mut self, id: ExchangeId, reference: &[u8]) {
        let Some(exchange) = self.exchanges.get(&id) else {
            return;
        };
        // The path and what comes after it may be the session's.
        let shown = match headers::resolve(&exchange.target, reference) {
            Redirect::Same(address) => {
                return match self.channel.address.replace(Box::new(address)) {
                    None => self.channel_opened(id),
                    Some(former) => self.address_changed(&former),
                };
            }
            Redirect::Other { to, .. } => headers::place(to.as_bytes()),
            Redirect::Unreadable => headers::place(reference),
        };
        let why = Peer::Endpoint(shown);
        if self.awaits_address(id) {
            self.channel_refused(id, why);
        } else {
            let source = self.source(id);
            let _ = self.unreadable(source, why);
        }
    }

    /// What an address says that is named no more says nothing of the session.
    fn address_changed(&mut self, former: &Uri) {
        if self.channel.address() == Some(former) {
            return;
        }
        for exchange in self.exchanges.values_mut() {
            exchange.is_overtaken = true;
        }
        self.forget_redirects();
    }

    /// The stream begins with something else.
    pub(super) fn channel_refused(&mut self, id: ExchangeId, why: Peer) {
        let status = self.feed_of(id).map(|feed| feed.status);
        self.abort(id);
        let error = Error::new(why, Delivery::Unknown);
        let answer = super::exchange::answered(status.unwrap_or_default());
        self.handshake_failed(error.with_answer(answer));
    }

    /// What the server says comes here from now on, and `initialize` is the first thing
    /// that is said to it.
    fn channel_opened(&mut self, id: ExchangeId) {
        self.timers.clear(Timer::Exchange(id));
        self.watch(id);
        self.ladder.channel_opened();
        self.go_on();
    }

    /// The session on it is established.
    pub(super) fn join_channel(&mut self) {
        let rules = self.rules();
        let generation = self.session.generation;
        let exchange = self
            .channel
            .exchange
            .and_then(|id| self.exchanges.get_mut(&id));
        if let Some(exchange) = exchange {
            exchange.generation = generation;
            exchange.rules = rules;
        }
    }

    /// The stream has ended: the session is gone with it, or the handshake.
    pub(super) fn channel_ended(&mut self, error: Error) {
        self.channel = Channel::default();
        match self.phase {
            Phase::Due | Phase::Opening | Phase::Initializing
                if self.ladder.contact != Contact::Discover =>
            {
                self.unpark_handshake();
                self.handshake_failed(error);
            }
            Phase::Confirming | Phase::Ready | Phase::Held => {
                self.lose_session(LossCause::StreamEnded);
            }
            Phase::Idle
            | Phase::Due
            | Phase::Discovering
            | Phase::Opening
            | Phase::Initializing
            | Phase::Lost
            | Phase::Closing
            | Phase::Closed => {}
        }
    }

    /// Nothing more is heard on it, an answer to `initialize` least of all.
    pub(super) fn close_channel(&mut self) {
        let channel = std::mem::take(&mut self.channel);
        let initialize = self.exchanges.iter().find(|(_, exchange)| {
            exchange.rules.binding.answers_on_one_stream()
                && matches!(exchange.purpose, Purpose::Initialize(_))
        });
        let initialize = initialize.map(|(id, _)| id);
        for id in channel.exchange.into_iter().chain(initialize) {
            self.abort(id);
        }
    }

    /// A session is gone whose answers come on one stream: what waits for one there waits
    /// in vain. What has not been taken yet may still be refused, but not for long.
    pub(super) fn lose_channel(&mut self, generation: u64) {
        self.close_channel();
        if self.binding().answers_on_one_stream() {
            self.forget_redirects();
        }
        let on_it = |exchange: &Exchange| {
            exchange.generation == generation && exchange.rules.binding.answers_on_one_stream()
        };
        let ids = self
            .exchanges
            .iter()
            .filter(|(_, exchange)| on_it(exchange));
        for id in ids.map(|(id, _)| id).collect::<Vec<_>>() {
            match self.exchanges.get(&id).map(|exchange| &exchange.reading) {
                Some(Reading::Accepted { .. }) => {
                    if let Some(exchange) = self.drop_exchange(id) {
                        self.unheard(exchange);
                    }
                }
                Some(Reading::Head) if self.timers.due(Timer::Exchange(id)).is_none() => {
                    let clock = self.config.common.clocks.head;
                    self.timers.set_within(Timer::Exchange(id), self.now, clock);
                }
                _ => {}
            }
        }
    }

    /// Where an address led that is no more is as dead as that (law 6).
    fn forget_redirects(&mut self) {
        let calls = self.calls.values_mut().map(|call| &mut call.route);
        let notices = self.notices.iter_mut().map(|notice| &mut notice.route);
        for route in calls.chain(notices) {
            route.restart();
        }
    }

    /// A request was accepted, and its answer can come no more.
    pub(super) fn unheard(&mut self, exchange: Box<Exchange>) {
        let error = Error::new(Lost::Stream, Delivery::Unknown);
        match exchange.purpose {
            Purpose::Call(call) => {
                self.lost_with_session(call);
                self.broken(call, error);
            }
            // The doubt is settled, or the new session is asked anew.
            Purpose::Ping | Purpose::Restore(_) | Purpose::Cancelled => {}
            purpose => self.exchange_failed(purpose, error),
        }
    }

    /// A POST that carries a request was accepted: the answer comes on the channel.
    pub(super) fn request_accepted(&mut self, id: ExchangeId) {
        let Some(exchange) = self.exchanges.get(&id) else {
            return;
        };
        let handshake = matches!(exchange.purpose, Purpose::Initialize(_));
        if handshake || self.is_current(exchange.generation) {
            let (over, dropped) = (false, 0);
            self.read(id, Reading::Accepted { over, dropped });
        } else if let Some(exchange) = self.drop_exchange(id) {
            self.unheard(exchange);
        }
    }

    /// Whether anything waits for an answer on it.
    pub(super) fn awaits_replies(&self) -> bool {
        let mut exchanges = self.exchanges.values();
        exchanges.any(|exchange| matches!(exchange.reading, Reading::Accepted { .. }))
    }
}
