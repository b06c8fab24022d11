//! HTTP+SSE (2024-11-05): the one stream on which the server says everything, and the
//! address for what is said to it. Its life is the session's.

use http::Uri;

use super::super::sse::Found;
use super::answer::{Reply, reply};
use super::exchange::{Carries, Exchange, Outcome, Over};
use super::session::Excuse;
use super::wire::is_at_home;
use super::{Model, Seen, must};
use crate::{Binding, Contact, Limits};

/// The stream of an HTTP+SSE server.
#[derive(Debug, Default)]
pub(super) struct Channel {
    exchange: Option<u64>,
    /// Where messages go, once the server has named it.
    address: Option<String>,
    /// How many of its events were looked at.
    seen: usize,
    /// Whether nothing came on one for long.
    pub(super) was_quiet: bool,
    /// In which turn it may have ended last.
    doubted: u64,
}

impl Channel {
    pub(super) fn is_open(&self) -> bool {
        self.address.is_some()
    }

    /// Whether a request there goes to its address, or to where a redirect leads from it.
    pub(super) fn leads_to(&self, path: &str) -> bool {
        self.address
            .as_deref()
            .is_some_and(|it| it == path || path == "/mcp2")
    }

    pub(super) fn is(&self, number: u64) -> bool {
        self.exchange == Some(number)
    }
}

impl Exchange {
    /// Whether its answer comes on the channel, if it was taken.
    pub(super) fn goes_to_address(&self) -> bool {
        self.binding == Binding::HttpSse && !self.is_get()
    }

    pub(super) fn is_accepted(&self) -> bool {
        self.goes_to_address() && self.status().is_some_and(|it| (200..=299).contains(&it))
    }

    /// The answer to a POST to the address: any success says no more than that it came.
    pub(super) fn read_post(&self, limits: &Limits, issued: impl Fn(u64) -> bool) -> Outcome {
        let doubt = |again| Outcome::Doubt { again, after: None };
        if let Some(reply) = &self.heard_reply {
            return Outcome::Replied(reply.clone());
        }
        if self.unheard {
            return doubt(true);
        }
        let Some(status) = self.status() else {
            return match self.over {
                None => Outcome::Pending,
                Some(Over::NotSent) => Outcome::NotSent,
                Some(Over::Broken | Over::Silent | Over::TimedOut) => doubt(true),
                Some(Over::Aborted | Over::Ended) => doubt(false),
            };
        };
        let in_session = !matches!(self.carries, Carries::Handshake(_)) && self.generation > 0;
        match status {
            200..=299 if !self.is_request() => Outcome::Accepted,
            200..=299 if self.over == Some(Over::TimedOut) => doubt(false),
            200..=299 => Outcome::Pending,
            404 if in_session => Outcome::Lost,
            _ if self.over.is_none() && self.body.len() <= limits.error_body => Outcome::Pending,
            // Where an address leads that is no more is as dead as that.
            307 | 308 if in_session && (self.overtaken || self.lost_at.is_some()) => Outcome::Lost,
            _ => self.read_refusal(status, limits, issued),
        }
    }

    /// The GET: what it means until the address is known.
    pub(super) fn read_channel(&self, limits: &Limits) -> Outcome {
        let doubt = Outcome::Doubt {
            again: false,
            after: None,
        };
        match (self.status(), self.over) {
            (None, None) => Outcome::Pending,
            (None, Some(Over::NotSent)) => Outcome::NotSent,
            (None, Some(_)) => doubt,
            (Some(200..=299), over) if self.is_stream() => match self.first_said(limits) {
                Some(Said::Address(Some(_))) => Outcome::Accepted,
                Some(Said::Address(None) | Said::Message | Said::Reply(..)) => Outcome::Refused,
                Some(Said::TooMuch) => doubt,
                None if over.is_none() => Outcome::Pending,
                None => doubt,
            },
            (Some(200..=299), _) => Outcome::Refused,
            (Some(_), None) if self.body.len() <= limits.error_body => Outcome::Pending,
            (Some(status), _) => self.read_refusal(status, limits, |_| false),
        }
    }

    fn first_said(&self, limits: &Limits) -> Option<Said> {
        self.said(limits).into_iter().flatten().next()
    }

    /// What it says, event by event: some say nothing.
    fn said(&self, limits: &Limits) -> Vec<Option<Said>> {
        let found = self.found(limits).0.into_iter();
        let said = found.map(|found| match found {
            Found::Event { kind, data, .. } if kind == "endpoint" => {
                Some(Said::Address(address(&data)))
            }
            Found::Event { kind, data, .. } if kind == "message" && !data.is_empty() => {
                let message = serde_json::from_str(&data).ok();
                let read = message.as_ref().and_then(reply);
                let read = read.and_then(|(id, it)| Some((id.as_u64()?, it)));
                Some(read.map_or(Said::Message, |(id, it)| Said::Reply(id, it)))
            }
            Found::Event { .. } | Found::Cursor(_) => None,
            Found::TooLong { .. } => Some(Said::TooMuch),
        });
        said.collect()
    }
}

/// What one event says.
enum Said {
    /// Where messages go, if that is on the endpoint's own origin.
    Address(Option<String>),
    Message,
    Reply(u64, Reply),
    TooMuch,
}

/// The path that is named.
fn address(reference: &str) -> Option<String> {
    let uri: Uri = reference.parse().ok()?;
    let own = uri.authority().is_none() || is_at_home(&uri);
    Some(uri.path().to_owned()).filter(|_| own)
}

impl Model {
    pub(super) fn on_channel(&self) -> bool {
        let current = self.sessions.current.as_ref();
        current.is_some_and(|it| it.binding == Binding::HttpSse)
    }

    pub(super) fn channel_sent(&mut self, number: u64) {
        self.channel = Channel {
            exchange: Some(number),
            ..self.closed_channel()
        };
    }

    /// Law 6: what is said to it goes to its own address, or where a redirect leads.
    pub(super) fn check_address(&self, path: &str) -> Seen {
        let expected = self.channel.address.as_deref().unwrap_or("/mcp");
        must(path == expected || path == "/mcp2", || {
            format!("law 6: a message goes to {path}, not to {expected}")
        })
    }

    /// More has come on the stream, or it is over.
    pub(super) fn channel_moved(&mut self, number: u64) {
        if !self.channel.is(number) || self.exchanges[&number].outcome != Outcome::Accepted {
            return;
        }
        let exchange = &self.exchanges[&number];
        let (over, strained) = (exchange.over.is_some(), exchange.strained);
        let mut ends = over;
        let said = exchange.said(&self.setup.limits);
        let seen = std::mem::replace(&mut self.channel.seen, said.len());
        for said in said.into_iter().skip(seen).flatten() {
            match said {
                Said::Address(Some(address)) => self.addressed(address),
                Said::Address(None) | Said::Message => {}
                Said::Reply(id, reply) => self.hear(id, &reply, strained),
                Said::TooMuch => ends = true,
            }
        }
        if ends || strained {
            self.channel_over(ends && !strained);
        }
    }

    /// What goes to a former address says nothing of the session any more.
    fn addressed(&mut self, address: String) {
        let changes = self
            .channel
            .address
            .as_ref()
            .is_some_and(|it| *it != address);
        self.channel.address = Some(address);
        for exchange in self.exchanges.values_mut() {
            exchange.overtaken |= changes && exchange.outcome == Outcome::Pending;
        }
    }

    /// What may have been dropped with all that filled the buffers may also have been heard.
    fn hear(&mut self, id: u64, reply: &Reply, strained: bool) {
        let Some(exchange) = self.exchanges.get_mut(&id) else {
            return;
        };
        if exchange.goes_to_address() && exchange.is_request() {
            if strained {
                exchange.strained = true;
                exchange.silent.get_or_insert(self.now);
            }
            exchange.heard_reply.get_or_insert_with(|| reply.clone());
            self.conclude(id, None);
        }
    }

    /// The stream is over, or may be: with it the session is, or the handshake.
    pub(super) fn channel_over(&mut self, certain: bool) {
        if self.sessions.current.is_some() {
            let certain = certain && !self.is_closed();
            self.sessions.excuse = Some(Excuse {
                forgotten: true,
                certain,
            });
        } else {
            self.handshake_lost(certain);
        }
    }

    /// What waited for an answer on the stream waits in vain; what was not taken yet may
    /// still be refused, but not for long.
    pub(super) fn channel_lost(&mut self, generation: u64) {
        self.channel = self.closed_channel();
        let on_it: Vec<u64> = self
            .exchanges
            .iter()
            .filter(|(_, it)| {
                it.goes_to_address()
                    && it.generation == generation
                    && it.outcome == Outcome::Pending
            })
            .map(|(number, _)| *number)
            .collect();
        for number in on_it {
            let exchange = self.exchanges.get_mut(&number).unwrap();
            exchange.lost_at = Some(self.now);
            exchange.unheard = exchange.is_accepted();
            self.conclude(number, None);
        }
    }

    /// The handshake is over with its stream, or may be.
    fn handshake_lost(&mut self, certain: bool) {
        let last = self.sessions.attempts.last();
        let last = last.map(|it| (it.exchange, it.contact));
        match last {
            Some((number, Contact::Initialize)) if self.exchanges[&number].goes_to_address() => {
                let exchange = self.exchanges.get_mut(&number).unwrap();
                exchange.unheard |= certain;
                exchange.strained |= !certain;
                if exchange.outcome == Outcome::Pending {
                    self.conclude(number, None);
                    if certain {
                        self.channel = self.closed_channel();
                    }
                    return;
                }
            }
            _ => {}
        }
        self.search.is_given_up(certain);
        if certain {
            self.channel = self.closed_channel();
        }
    }

    /// Whether the session may be lost, or given up in the same leap of the clock.
    pub(super) fn is_channel_doubted(&self) -> bool {
        self.channel.doubted == self.turn
    }

    /// Silence on it, or a ping that nobody answered, may be its end.
    pub(super) fn channel_may_be_over(&mut self) {
        if self.channel.is_open() {
            self.channel.doubted = self.turn;
        }
        if self.channel.is_open() && self.sessions.excuse.is_none() {
            self.channel_over(false);
        }
    }

    /// Where the channel may have ended in the same leap of the clock as the body of a
    /// redirect, it is not known which came first, and so not whether the address that
    /// redirects was the session's still. The model is loose here: either will do.
    pub(super) fn blur_redirects(&mut self) {
        if !self.is_channel_doubted() {
            return;
        }
        let turn = self.turn;
        for exchange in self.exchanges.values_mut() {
            let waits = matches!(
                exchange.carries,
                Carries::Call(_) | Carries::Notification(_)
            );
            let redirects = matches!(exchange.status(), Some(307 | 308));
            let now = exchange.concluded.0 == turn && exchange.over == Some(Over::TimedOut);
            let refused = exchange.outcome == Outcome::Refused && exchange.goes_to_address();
            if waits && redirects && now && refused {
                let (code, own) = (None, None);
                exchange.outcome = Outcome::Suspicious { code, own };
            }
        }
    }

    /// Whether nothing came on it for so long.
    pub(super) fn channel_is_quiet(&self, silence: std::time::Duration) -> bool {
        let open = |it: &&Exchange| self.channel.is(it.id.number()) && it.over.is_none();
        let channel = self.exchanges.values().find(open);
        channel.is_some_and(|it| it.heard.max(it.watched) + silence <= self.now)
    }

    pub(super) fn channel_was_quiet(&self) -> bool {
        self.channel.was_quiet
    }

    fn closed_channel(&self) -> Channel {
        Channel {
            was_quiet: self.channel.was_quiet,
            ..Channel::default()
        }
    }
}
