//! One exchange on its way: what the client, the network and the server know of it.

use std::collections::VecDeque;

use super::asked::Asked;
use super::part::{Mark, Part};
use crate::{ExchangeId, Time};

#[derive(Debug)]
pub(super) struct Wire {
    pub(super) client: usize,
    pub(super) exchange: ExchangeId,
    pub(super) asked: Asked,
    /// Whether the client still listens.
    pub(super) open: bool,
    /// Whether the server can still say something.
    pub(super) writable: bool,
    /// The server that it reached.
    pub(super) server: Option<usize>,
    /// When the last part arrives that is on its way.
    pub(super) last: Time,
    /// Nothing comes through before that.
    pub(super) stalled: Option<Time>,
    /// What has come so far meanwhile.
    pub(super) stuck: Vec<Part>,
    /// Nothing ever comes through, and nobody says so.
    pub(super) hangs: bool,
    /// What has arrived and waits for the client to read on.
    pub(super) inbox: VecDeque<Part>,
    /// Whether a head has passed the proxy.
    pub(super) begun: bool,
    pub(super) passing: Passing,
    /// What a proxy holds back.
    pub(super) held: Vec<Part>,
    /// Whether its answer is JSON, and its status.
    pub(super) json: bool,
    pub(super) status: u16,
    /// What the JSON body that has come so far says, once it is whole.
    pub(super) mark: Option<Mark>,
}

/// What a proxy does with an answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Passing {
    /// Holds it back until it is whole.
    Buffers,
    /// Cuts it off after so many bytes, as if it were over or not.
    Cuts {
        left: usize,
        clean: bool,
    },
    /// Says this instead.
    Lies {
        status: u16,
    },
    Plain,
}

impl Wire {
    pub(super) fn new(client: usize, exchange: ExchangeId, asked: Asked, now: Time) -> Self {
        Self {
            client,
            exchange,
            asked,
            open: true,
            writable: true,
            server: None,
            last: now,
            stalled: None,
            stuck: Vec::new(),
            hangs: false,
            inbox: VecDeque::new(),
            begun: false,
            passing: Passing::Plain,
            held: Vec::new(),
            json: false,
            status: 0,
            mark: None,
        }
    }
}
