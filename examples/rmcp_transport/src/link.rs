//! The connection, and what of rmcp's is under way on it.

use std::collections::{HashMap, VecDeque};
use std::task::{Context, Poll};

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use mcp_http::asynchronous::{Call, Client, Events};
use mcp_http::{Ask, CallId, Error, Event, Message, RawJson, RpcError, SubscriptionFilter, Ticket};
use rmcp::model::{
    CancelledNotification, CancelledNotificationParam, RequestId, ServerJsonRpcMessage,
    ServerNotification, ServerResult, SubscriptionsListenResult, SubscriptionsListenResultMeta,
};

use crate::message;
use crate::opening::Opening;
use crate::subscriptions::Subscriptions;

pub(crate) type Observer = Box<dyn FnMut(&Event) + Send>;
type Outcome = Result<RawJson, Error>;

/// How many events an end waits for. As many as can have come before it, by default
/// ([`Limits::unread`](mcp_http::Limits::unread)): a flood keeps no reply back.
const BEFORE: usize = 256;

pub(crate) struct Link {
    pub(crate) client: Client,
    pub(crate) opening: Opening,
    events: Events,
    observer: Option<Observer>,
    /// rmcp's ids, and ours. None for a call that never began.
    calls: HashMap<RequestId, Option<CallId>>,
    /// Calls under way, and questions that are refused.
    running: FuturesUnordered<BoxFuture<'static, Option<(RequestId, Outcome)>>>,
    /// Calls that ended. What was said before an end is told before it.
    ended: VecDeque<(RequestId, Outcome)>,
    /// Events that were told since.
    told: usize,
    /// Questions that rmcp was asked.
    asks: HashMap<RequestId, Ticket>,
    subscriptions: Subscriptions,
    /// What rmcp has not received yet.
    out: VecDeque<ServerJsonRpcMessage>,
}

impl Link {
    pub(crate) fn new(client: Client, observer: Option<Observer>) -> Self {
        Self {
            events: client.events(),
            client,
            observer,
            opening: Opening::default(),
            calls: HashMap::new(),
            running: FuturesUnordered::new(),
            ended: VecDeque::new(),
            told: 0,
            asks: HashMap::new(),
            subscriptions: Subscriptions::default(),
            out: VecDeque::new(),
        }
    }

    /// A call of rmcp's began.
    pub(crate) fn called(&mut self, id: RequestId, call: Call) {
        self.calls.insert(id.clone(), call.id());
        let ends = call.map(|outcome| Some((id, outcome)));
        self.running.push(ends.boxed());
    }

    /// rmcp wants no answer any more.
    pub(crate) fn cancel(&mut self, id: &RequestId) -> Result<(), Error> {
        if self.subscriptions.remove(id) {
            return self.client.listen(self.subscriptions.wanted());
        }
        match self.calls.remove(id) {
            Some(Some(call)) => self.client.cancel(call),
            // It ended meanwhile.
            Some(None) | None => Ok(()),
        }
    }

    /// The ticket of a question that rmcp answers. None if it was withdrawn meanwhile.
    pub(crate) fn answered(&mut self, id: &RequestId) -> Option<Ticket> {
        self.asks.remove(id)
    }

    /// rmcp subscribes.
    pub(crate) fn listen(&mut self, id: RequestId, wanted: SubscriptionFilter) {
        // What is granted from now on is meant for it too, what was before is not.
        while let Some(Some(event)) = self.events.next().now_or_never() {
            self.heard(event);
        }
        self.subscriptions.add(id.clone(), wanted);
        if let Err(error) = self.client.listen(self.subscriptions.wanted()) {
            self.subscriptions.remove(&id);
            self.out.push_back(message::end(id, Err(error)));
        }
    }

    /// What rmcp is told next; none when the connection is closed.
    pub(crate) fn poll_told(&mut self, cx: &mut Context<'_>) -> Poll<Option<ServerJsonRpcMessage>> {
        loop {
            // Before all that comes after `Ready`: until its handshake is over, rmcp drops
            // questions.
            if let Some(answer) = self.opening.answer() {
                return Poll::Ready(Some(answer));
            }
            if let Some(message) = self.out.pop_front() {
                return Poll::Ready(Some(message));
            }
            while let Poll::Ready(Some(end)) = self.running.poll_next_unpin(cx) {
                self.ended.extend(end);
            }
            if self.ended.is_empty() {
                self.told = 0;
            }
            let event = if self.told < BEFORE {
                self.events.poll_next_unpin(cx)
            } else {
                Poll::Pending
            };
            if let Poll::Ready(Some(event)) = event {
                self.told += 1;
                self.heard(event);
                continue;
            }
            match self.ended.pop_front() {
                // Of a cancelled one rmcp does not want to hear.
                Some((id, outcome)) if self.calls.remove(&id).is_some() => {
                    self.out.push_back(message::end(id, outcome));
                }
                Some(_) => {}
                None if event.is_ready() && self.running.is_empty() => return Poll::Ready(None),
                None => return Poll::Pending,
            }
        }
    }

    fn heard(&mut self, event: Event) {
        if let Some(observe) = &mut self.observer {
            observe(&event);
        }
        match event {
            Event::Ready(ready) => self.opening.established(ready),
            Event::Ask(ask) => self.asked(&ask),
            Event::AskWithdrawn { ticket, .. } => self.withdrawn(ticket),
            Event::Message(message) => self.notified(&message),
            Event::Listening { granted } => {
                for acknowledged in self.subscriptions.granted(&granted) {
                    self.notify(acknowledged);
                }
            }
            Event::StreamEnded => {
                for id in self.subscriptions.end() {
                    let meta = SubscriptionsListenResultMeta::new(id.clone());
                    let end = SubscriptionsListenResult::new(meta);
                    let end = ServerResult::SubscriptionsListenResult(end);
                    self.out.push_back(ServerJsonRpcMessage::response(end, id));
                }
            }
            // In a session what there is to hear may come with the answers to calls.
            Event::StreamNotOffered { error } if self.opening.is_stateless() => {
                for id in self.subscriptions.end() {
                    self.out.push_back(message::end(id, Err(error.clone())));
                }
            }
            // Where credentials come from, the one who connects knows; else nobody.
            Event::Authorize(_) => {
                let _ = self.client.refuse_authorization();
            }
            // rmcp has no word for the rest.
            _ => {}
        }
    }

    fn asked(&mut self, ask: &Ask) {
        let of = self.calls.iter().find(|(_, call)| **call == ask.call);
        let of = ask.call.and(of).map(|(id, _)| id.clone());
        if let Some(question) = message::question(ask, of) {
            let id = name(ask.ticket);
            self.asks.insert(id.clone(), ask.ticket);
            let question = ServerJsonRpcMessage::request(question, id);
            self.out.push_back(question);
            return;
        }
        let (client, ticket) = (self.client.clone(), ask.ticket);
        let unreadable = RpcError::new(-32602, "Invalid params");
        self.running.push(Box::pin(async move {
            // If it is withdrawn meanwhile, nobody waits for it.
            let _ = client.answer::<()>(ticket, Err(unreadable)).await;
            None
        }));
    }

    fn withdrawn(&mut self, ticket: Ticket) {
        let id = name(ticket);
        if self.asks.remove(&id).is_some() {
            let params = CancelledNotificationParam::new(Some(id), None);
            let cancelled = CancelledNotification::new(params);
            self.notify(ServerNotification::CancelledNotification(cancelled));
        }
    }

    fn notified(&mut self, message: &Message) {
        let Some(notification) = message::notification(message) else {
            return;
        };
        let copies = self.subscriptions.copies(&notification);
        if copies.is_empty() {
            self.notify(notification);
        }
        for copy in copies {
            self.notify(copy);
        }
    }

    fn notify(&mut self, notification: ServerNotification) {
        let notification = ServerJsonRpcMessage::notification(notification);
        self.out.push_back(notification);
    }
}

/// A question's id in rmcp. A text, for rmcp compares numbers with those of its own requests.
fn name(ticket: Ticket) -> RequestId {
    RequestId::String(format!("ask-{}", ticket.number()).into())
}
