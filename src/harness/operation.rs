//! Bytes become operations: every input is a valid one, and what cannot be done
//! at a moment is not offered then.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::peer::{Answer, Peer};
use super::setup::CallPlan;
use crate::{ExchangeId, Phase, SubscriptionFilter, Ticket};

/// The bytes of an input, one by one; zeroes once they are used up.
pub(super) struct Source<'a>(pub(super) &'a [u8]);

impl Source<'_> {
    pub(super) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) * end / 256
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let at = self.below(from.len());
        &from[at]
    }

    /// True so many times out of 256.
    pub(super) fn chance(&mut self, of_256: u8) -> bool {
        self.byte() < of_256
    }

    fn weighted<T: Copy>(&mut self, from: &[(u32, T)]) -> T {
        let total: u32 = from.iter().map(|(weight, _)| weight).sum();
        let mut at = (u32::from(self.byte()) << 8 | u32::from(self.byte())) * total / 65536;
        for (weight, item) in from {
            if at < *weight {
                return *item;
            }
            at -= weight;
        }
        from[0].1
    }
}

/// How the clock moves.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Back,
    On(Duration),
    ToTimeout,
}

/// How a body comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    /// The size of its pieces; 0 for one event of a stream each.
    pub(super) size: usize,
    /// How many of them come now.
    pub(super) pieces: usize,
    /// Whether its end comes with the last piece.
    pub(super) ends: bool,
}

impl Cut {
    pub(super) const WHOLE: Self = Self {
        size: usize::MAX,
        pieces: usize::MAX,
        ends: true,
    };

    pub(super) fn apart(self, body: Bytes) -> VecDeque<Bytes> {
        let mut rest = body;
        let mut pieces = VecDeque::new();
        while !rest.is_empty() {
            let event = || {
                rest.windows(2)
                    .position(|pair| pair == b"\n\n")
                    .map(|at| at + 2)
            };
            let size = if self.size == 0 {
                event().unwrap_or(rest.len())
            } else {
                self.size
            };
            pieces.push_back(rest.split_to(size.min(rest.len())));
        }
        pieces
    }

    fn decode(source: &mut Source<'_>) -> Self {
        let byte = source.byte();
        if byte < 110 {
            return Self::WHOLE;
        }
        Self {
            size: *source.pick(&[0, 0, 0, 0, 1, 7, 40, 100, 1000]),
            pieces: *source.pick(&[0, 1, 2, 3, 20, usize::MAX]),
            ends: byte & 1 == 0,
        }
    }
}

/// A mistake of the caller.
#[derive(Clone, Copy, Debug)]
pub(super) enum Blunder {
    AnswerForeign,
    AnswerVoid(Ticket),
    BadHeader,
    BadParams,
    BodyBeforeHead(ExchangeId),
    CancelForeign,
    EndBeforeHead(ExchangeId),
    ForeignExchange,
    OwnedMethod,
    Reinitialize,
    Resume,
}

/// One step of a run.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    AnswerAsk {
        ticket: Ticket,
        error: bool,
    },
    Blunder(Blunder),
    Call(CallPlan),
    Cancel(u64),
    Close,
    Connect,
    End(u64),
    /// All that there are, or one.
    Events(bool),
    Fail {
        exchange: u64,
        sent: bool,
    },
    More {
        exchange: u64,
        cut: Cut,
    },
    /// The application wants to hear about this.
    Listen(SubscriptionFilter),
    NetworkChanged,
    Notify,
    Reinitialize,
    Respond {
        exchange: u64,
        answer: Answer,
        cut: Cut,
    },
    Resume,
    /// A report about an exchange that is over, or a second head.
    Stray {
        exchange: u64,
        answer: Answer,
    },
    Transmits(bool),
    Wait {
        step: Step,
        timeout: bool,
    },
}

/// What can be done at a moment.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) phase: Option<Phase>,
    pub(super) closed: bool,
    pub(super) stands_alone: bool,
    pub(super) calls: Vec<u64>,
    pub(super) open_tickets: Vec<Ticket>,
    pub(super) void_tickets: Vec<Ticket>,
    /// Exchanges without a head, with one, and those that are over.
    pub(super) fresh: Vec<(u64, ExchangeId)>,
    pub(super) begun: Vec<u64>,
    pub(super) over: Vec<u64>,
}

#[derive(Clone, Copy)]
enum Kind {
    AnswerAsk,
    Blunder,
    Call,
    Cancel,
    Channel,
    Close,
    Connect,
    End,
    Event,
    Events,
    Fail,
    Listen,
    More,
    NetworkChanged,
    Notify,
    Reinitialize,
    Respond,
    Resume,
    Stray,
    Transmit,
    Transmits,
    Wait,
}

impl Operation {
    pub(super) fn decode(source: &mut Source<'_>, view: &View, peer: &mut Peer) -> Self {
        let when = |condition: bool, weight: u32| if condition { weight } else { 0 };
        // What an HTTP+SSE server says comes on one exchange of them all.
        let channel = peer.open_channel().filter(|it| view.begun.contains(it));
        let under_way = !view.fresh.is_empty() || !view.begun.is_empty();
        let kind = source.weighted(&[
            (24, Kind::Transmits),
            (when(!view.open_tickets.is_empty(), 12), Kind::AnswerAsk),
            (3, Kind::Blunder),
            (if view.closed { 1 } else { 13 }, Kind::Call),
            (when(!view.calls.is_empty(), 4), Kind::Cancel),
            (1, Kind::Close),
            (2, Kind::Connect),
            (when(!view.begun.is_empty(), 4), Kind::End),
            (3, Kind::Event),
            (12, Kind::Events),
            (when(under_way, 3), Kind::Fail),
            (when(view.stands_alone, 5), Kind::Listen),
            (when(!view.begun.is_empty(), 16), Kind::More),
            (when(channel.is_some(), 30), Kind::Channel),
            (1, Kind::NetworkChanged),
            (4, Kind::Notify),
            (
                when(view.phase == Some(Phase::Lost), 16),
                Kind::Reinitialize,
            ),
            (when(!view.fresh.is_empty(), 44), Kind::Respond),
            (when(view.phase == Some(Phase::Held), 10), Kind::Resume),
            (
                when(!view.over.is_empty() || !view.begun.is_empty(), 3),
                Kind::Stray,
            ),
            (4, Kind::Transmit),
            (if view.fresh.is_empty() { 14 } else { 5 }, Kind::Wait),
        ]);
        match kind {
            Kind::AnswerAsk => Self::AnswerAsk {
                ticket: *source.pick(&view.open_tickets),
                error: source.chance(64),
            },
            Kind::Blunder => Self::Blunder(Blunder::decode(source, view)),
            Kind::Call => Self::Call(CallPlan::decode(source)),
            Kind::Cancel => Self::Cancel(*source.pick(&view.calls)),
            Kind::Channel => Self::More {
                exchange: channel.unwrap_or_default(),
                cut: Cut {
                    pieces: 1 + source.below(4),
                    ..Cut::WHOLE
                },
            },
            Kind::Close => Self::Close,
            Kind::Connect => Self::Connect,
            Kind::End => Self::End(*source.pick(&view.begun)),
            Kind::Event => Self::Events(false),
            Kind::Events => Self::Events(true),
            Kind::Fail => {
                let fresh = view.fresh.iter().map(|(number, _)| *number);
                let all: Vec<u64> = fresh.chain(view.begun.iter().copied()).collect();
                Self::Fail {
                    exchange: *source.pick(&all),
                    sent: source.chance(128),
                }
            }
            Kind::Listen => {
                let filter = SubscriptionFilter::new();
                Self::Listen(match source.below(6) {
                    0 | 1 => filter,
                    2 => filter.tools_list_changed().prompts_list_changed(),
                    _ => filter.tools_list_changed(),
                })
            }
            Kind::More => Self::More {
                exchange: *source.pick(&view.begun),
                cut: Cut::decode(source),
            },
            Kind::NetworkChanged => Self::NetworkChanged,
            Kind::Notify => Self::Notify,
            Kind::Reinitialize => Self::Reinitialize,
            Kind::Respond => {
                let (exchange, _) = *source.pick(&view.fresh);
                let answer = peer.answer(source, exchange);
                Self::Respond {
                    exchange,
                    answer,
                    cut: Cut::decode(source),
                }
            }
            Kind::Resume => Self::Resume,
            Kind::Stray => {
                let all: Vec<u64> = view.over.iter().chain(&view.begun).copied().collect();
                let exchange = *source.pick(&all);
                // It is not to be remembered.
                let answer = peer.clone().answer(source, exchange);
                Self::Stray { exchange, answer }
            }
            Kind::Transmit => Self::Transmits(false),
            Kind::Transmits => Self::Transmits(true),
            Kind::Wait => {
                let millis = |millis| Step::On(Duration::from_millis(millis));
                let step = match source.byte() {
                    0..=127 => Step::ToTimeout,
                    128..=139 => Step::Back,
                    140..=169 => millis(10),
                    170..=199 => millis(1_100),
                    200..=219 => millis(7_000),
                    220..=239 => millis(31_000),
                    240..=251 => millis(61_000),
                    252.. => millis(660_000),
                };
                Self::Wait {
                    step,
                    timeout: source.chance(230),
                }
            }
        }
    }
}

impl Blunder {
    fn decode(source: &mut Source<'_>, view: &View) -> Self {
        let mut all = vec![
            Self::AnswerForeign,
            Self::BadHeader,
            Self::BadParams,
            Self::CancelForeign,
            Self::ForeignExchange,
            Self::OwnedMethod,
        ];
        if view.phase != Some(Phase::Held) {
            all.push(Self::Resume);
        }
        if view.phase != Some(Phase::Lost) {
            all.push(Self::Reinitialize);
        }
        all.extend(
            view.void_tickets
                .last()
                .map(|ticket| Self::AnswerVoid(*ticket)),
        );
        for (_, exchange) in &view.fresh {
            all.push(Self::BodyBeforeHead(*exchange));
            all.push(Self::EndBeforeHead(*exchange));
        }
        *source.pick(&all)
    }
}
