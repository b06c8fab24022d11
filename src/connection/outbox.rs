//! What leaves next. Nothing is built before it is polled, from the state of that
//! moment.

use bytes::Bytes;
use http::{HeaderMap, Request, Uri};

use super::Connection;
use super::call::State;
use super::control::Farewell;
use super::events::Source;
use super::exchange::Purpose;
use super::phase::Phase;
use super::route::Route;
use super::stream::Stream;
use crate::wire::headers::SessionId;
use crate::wire::jsonrpc;
use crate::wire::request::Envelope;
use crate::{Contact, Transmit};

/// What wants to leave, most urgent first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Intent {
    Abort,
    Initialized,
    Handshake,
    Farewell,
    Prompt,
    Ping,
    Notice,
    Restore,
    Refresh,
    Call,
    Resume,
    Listen,
}

impl Connection {
    fn next_intent(&self) -> Option<Intent> {
        if !self.aborts.is_empty() {
            return Some(Intent::Abort);
        }
        if self.initialized_due && self.phase == Phase::Confirming {
            return Some(Intent::Initialized);
        }
        if self.phase == Phase::Due && self.handshake.due <= self.now {
            return Some(Intent::Handshake);
        }
        let open = self.phase.is_open();
        let control = self.control_exchanges < self.config.common.limits.control_exchanges;
        control
            .then(|| self.next_control(open))
            .flatten()
            .or_else(|| open.then(|| self.next_of_session()).flatten())
    }

    /// Control traffic: all but the first two only while calls go out.
    fn next_control(&self, open: bool) -> Option<Intent> {
        let ping = self.suspicion.as_ref();
        if !self.farewells.is_empty() {
            Some(Intent::Farewell)
        } else if !self.answers.is_empty() {
            Some(Intent::Prompt)
        } else if !open {
            None
        } else if ping.is_some_and(|suspicion| suspicion.ping.is_none()) {
            Some(Intent::Ping)
        } else if !self.notices.is_empty() {
            Some(Intent::Notice)
        } else if self.restoring.is_due() {
            Some(Intent::Restore)
        } else if self.tools.is_due() {
            Some(Intent::Refresh)
        } else {
            None
        }
    }

    /// What a session carries besides.
    fn next_of_session(&self) -> Option<Intent> {
        if !self.waiting.is_empty() {
            Some(Intent::Call)
        } else if !self.resumes.is_empty() {
            Some(Intent::Resume)
        } else if self.listening.is_due() {
            Some(Intent::Listen)
        } else {
            None
        }
    }

    /// Whether the next poll can give something.
    pub(super) fn wants_to_send(&self) -> bool {
        self.next_intent().is_some()
    }

    pub(super) fn next_transmit(&mut self) -> Option<Transmit> {
        loop {
            let (purpose, request) = match self.next_intent()? {
                Intent::Abort => {
                    let exchange = self.aborts.pop_front()?;
                    return Some(Transmit::Abort { exchange });
                }
                Intent::Initialized => {
                    self.initialized_due = false;
                    let body = jsonrpc::notification("notifications/initialized", None);
                    let target = self.handshake.route.target();
                    let envelope = self.envelope(target, None, self.session.id.as_ref());
                    (Purpose::Initialized, envelope.post(body))
                }
                Intent::Handshake => match self.ladder.contact {
                    Contact::EventStream => self.build_channel(),
                    Contact::Initialize => (Purpose::Initialize(None), self.build_initialize()),
                    Contact::Discover => {
                        let Some(request) = self.build_discover() else {
                            continue;
                        };
                        (Purpose::Discover, request)
                    }
                },
                Intent::Farewell => {
                    let Some(Farewell { session, revision }) = self.farewells.pop_front() else {
                        continue;
                    };
                    let endpoint = Some(&self.config.endpoint);
                    let envelope = self.envelope(endpoint, None, Some(&session));
                    (
                        Purpose::Delete,
                        Envelope {
                            revision,
                            ..envelope
                        }
                        .delete(),
                    )
                }
                Intent::Prompt => {
                    let prompt = self.answers.pop_front();
                    self.room = true;
                    let Some(built) = prompt.and_then(|prompt| self.build_prompt(prompt)) else {
                        continue;
                    };
                    built
                }
                Intent::Ping => {
                    let body = jsonrpc::request(self.next_request_id(), "ping", None);
                    let route = self.suspicion.as_ref().map(|suspicion| &suspicion.route);
                    let target = route.and_then(Route::target);
                    let envelope = self.envelope(target, None, self.session.id.as_ref());
                    (Purpose::Ping, envelope.post(body))
                }
                Intent::Notice => {
                    let Some(notice) = self.notices.pop_front() else {
                        continue;
                    };
                    let Some(built) = self.build_notice(notice) else {
                        continue;
                    };
                    built
                }
                Intent::Restore => {
                    let Some(built) = self.build_restore() else {
                        continue;
                    };
                    built
                }
                Intent::Refresh => {
                    let Some(built) = self.build_refresh() else {
                        continue;
                    };
                    built
                }
                Intent::Call => {
                    let Some(built) = self.build_call() else {
                        continue;
                    };
                    built
                }
                Intent::Resume => {
                    let Some(built) = self.build_resume() else {
                        continue;
                    };
                    built
                }
                Intent::Listen => {
                    let built = if self.binding().stands_alone() {
                        self.build_subscribe()
                    } else {
                        Some(self.build_listen())
                    };
                    let Some(built) = built else {
                        continue;
                    };
                    built
                }
            };
            return Some(self.send(purpose, request));
        }
    }

    fn send(&mut self, purpose: Purpose, request: Request<Bytes>) -> Transmit {
        let source = purpose.source();
        let first = matches!(purpose, Purpose::Call(_));
        let ping = matches!(purpose, Purpose::Ping);
        let is_channel = matches!(purpose, Purpose::Channel);
        let exchange = self.start_exchange(purpose, request.uri().clone());
        match source {
            Some(Source::Call(call)) => {
                if let Some(call) = self.calls.get_mut(&call) {
                    call.state = State::Sent(exchange);
                    if first {
                        call.route.restart();
                        call.request = exchange.number();
                        call.generation = self.session.generation;
                        call.stream = Stream::default();
                    }
                }
            }
            Some(Source::Listening) if !is_channel => self.listening.sent(exchange),
            Some(Source::Listening) | None => {}
        }
        if matches!(source, Some(Source::Call(_))) && !first {
            self.watch(exchange);
        }
        if let Some(suspicion) = self.suspicion.as_mut().filter(|_| ping) {
            suspicion.ping = Some(exchange);
        }
        Transmit::Send { exchange, request }
    }

    /// The id of the JSON-RPC request that leaves next: the number of its exchange.
    pub(super) fn next_request_id(&self) -> u64 {
        self.last_exchange.saturating_add(1)
    }

    pub(super) fn envelope<'a>(
        &'a self,
        target: Option<&'a Uri>,
        own_headers: Option<&'a HeaderMap>,
        session: Option<&'a SessionId>,
    ) -> Envelope<'a> {
        Envelope {
            target: target.unwrap_or(self.channel.address().unwrap_or(&self.config.endpoint)),
            headers: &self.config.headers,
            own_headers,
            session,
            revision: self.session.revision.filter(|_| self.phase.has_session()),
        }
    }
}
