//! Answers to questions of the server: the application's and the machine's own.

use bytes::Bytes;
use http::Request;
use serde::Serialize;

use super::Connection;
use super::ask::{Ask, Asker};
use super::control::Prompt;
use super::exchange::Purpose;
use super::route::Route;
use crate::error::{Delivery, Error, Lost, Mistake, RpcError};
use crate::wire::headers::SessionId;
use crate::wire::jsonrpc;
use crate::{RawJson, Ticket};

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

/// Where a question came from, and so where its answer belongs.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// The answer to the `initialize` that is under way, with the session id that
    /// its head brought.
    Handshake(Option<SessionId>),
    /// A stream of this generation.
    Session(u64),
}

impl Connection {
    /// Answers a ping, or a question that is not for the application.
    pub(super) fn answer_itself(
        &mut self,
        id: &str,
        outcome: Result<RawJson, RpcError>,
        origin: Origin,
    ) {
        let id = id.to_owned();
        let route = Route::default();
        self.answers.push_back(Prompt::Answer(Answering {
            ticket: None,
            id,
            outcome,
            origin,
            route,
        }));
    }

    pub(super) fn answer_ask<T: Serialize + ?Sized>(
        &mut self,
        ticket: Ticket,
        outcome: Result<&T, RpcError>,
    ) -> Result<(), Error> {
        let call = "answer";
        self.own(call, &ticket)?;
        if !self.asks.contains_key(&ticket) {
            return Err(self.misuse(call, Mistake::TicketNotOpen));
        }
        let outcome = match outcome {
            Ok(result) => Ok(jsonrpc::object(result)
                .and_then(|result| result.ok_or_else(|| "must be a JSON object".to_owned()))
                .map_err(|why| self.misuse(call, Mistake::Value(why)))?),
            Err(error) => Err(error),
        };
        let Some(Ask { asker, .. }) = self.close_ask(ticket) else {
            return Ok(());
        };
        match asker {
            Asker::Request { id, generation } => {
                self.answers.push_back(Prompt::Answer(Answering {
                    ticket: Some(ticket),
                    id,
                    outcome,
                    origin: Origin::Session(generation),
                    route: Route::default(),
                }));
            }
            Asker::Round { call, key } => self.answer_in_round(call, ticket, key, outcome),
        }
        Ok(())
    }

    pub(super) fn build_answer(
        &mut self,
        answering: Answering,
    ) -> Option<(Purpose, Request<Bytes>)> {
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
        // Another credential may yet send these again, and so may a redirect those below.
        for origin in self.parked_origins() {
            if matches!(origin, Origin::Handshake(_)) {
                *origin = Origin::Session(generation);
            }
        }
        for exchange in self.exchanges.values_mut() {
            if let Purpose::Answer(answering) = &mut exchange.purpose {
                if matches!(answering.origin, Origin::Handshake(_)) {
                    answering.origin = Origin::Session(generation);
                }
            }
        }
    }
}
