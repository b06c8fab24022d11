//! ureq 3 as a [`Transport`]: HTTP/1.1, idle connections kept, over sockets of our own
//! that another thread can shut down at any time.
//!
//! Names, sockets and TLS are made here. ureq's own ones can be interrupted all at
//! once (`Agent::shutdown`), not one by one, and not before they are connected.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "an adapter owns what the machine must not: sockets, clocks, threads"
)]

mod connect;
mod connection;
mod exchange;
mod name;
mod tls;

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use ::ureq::config::{AutoHeaderValue, Config};
use ::ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ::ureq::unversioned::transport::{ConnectionDetails, Connector, NextTimeout};
use ::ureq::{Agent, BodyReader, Error};
use bytes::Bytes;
use http::{Method, Request, Response, Uri};

use self::connect::connect;
use self::connection::{Connection, INPUT, User};
use self::exchange::{Exchange, Exchanges};
use self::name::Names;
use self::tls::{Tls, handshake};
use super::transport::{Abort, Transport};
use crate::error::Failure;

/// How long a connection may take to be made, TLS included, before the server
/// counts as not reachable.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an idle connection is kept. Servers close theirs after as little as
/// 5 s; one that is found closed is replaced.
const IDLE: Duration = Duration::from_secs(60);
/// How many idle connections are kept, so that as many calls at once find theirs again.
const IDLE_CONNECTIONS: usize = 64;

/// ureq with rustls.
///
/// Cloning is cheap; clones share their connections. Up to 64 idle ones are kept for
/// 60 s. They are looked at when a request is sent, for no thread watches them, and
/// closed with the last clone. Proxies of the environment are not looked at.
///
/// It runs on the threads of its callers and starts but one kind itself:
/// `mcp-http-resolve` looks a name up while a connection is made, one thread for each
/// name and 4 at most. The system's resolver cannot be interrupted; whoever waits for
/// it can, and then the thread lives on until the system gives up (half a minute, as a
/// rule), and its result is dropped.
///
/// At the level `trace` of the crate `log`, ureq prints what it sends and receives,
/// secrets included. Leave that level off for `ureq_proto`.
#[derive(Clone)]
pub struct Http {
    agent: Agent,
    limit: Duration,
    exchanges: Arc<Exchanges>,
}

impl Http {
    /// Connections of its own, with 10 s to make one.
    #[must_use]
    pub fn new() -> Self {
        Self::connecting_within(CONNECT)
    }

    /// Connections that have so much time to be made, from the name's resolution to
    /// the end of the TLS handshake. Beyond it the server was certainly not reached.
    #[must_use]
    pub fn connecting_within(limit: Duration) -> Self {
        let config = Config::builder()
            .accept(AutoHeaderValue::None)
            .accept_encoding(AutoHeaderValue::None)
            .user_agent(AutoHeaderValue::None)
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .max_idle_age(IDLE)
            .max_idle_connections(IDLE_CONNECTIONS)
            .max_idle_connections_per_host(IDLE_CONNECTIONS)
            // One less than there is room for, so that ureq notices.
            .max_response_header_size(INPUT - 1)
            .build();
        let exchanges = Arc::new(Exchanges::default());
        let sockets = Sockets {
            names: Arc::default(),
            exchanges: Arc::clone(&exchanges),
            tls: Tls::default(),
        };
        Self {
            agent: Agent::with_parts(config, sockets, NoNames),
            limit,
            exchanges,
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http")
    }
}

impl Transport for Http {
    type Body = Body;

    fn send(&self, request: Request<Bytes>, abort: &Abort) -> Result<Response<Body>, Failure> {
        let exchange = Arc::new(Exchange::new(abort, self.limit));
        let (head, body) = request.into_parts();
        let answered = self.exchanges.during(&exchange, || {
            exchange.goes_on()?;
            if body.is_empty() && head.method != Method::POST {
                self.agent.run(Request::from_parts(head, ()))
            } else {
                self.agent.run(Request::from_parts(head, &*body))
            }
        });
        let failed = match (exchange.goes_on(), answered) {
            (Ok(()), Ok(response)) => return Ok(with_body(response, exchange)),
            (Ok(()), Err(error)) => text(&error),
            (Err(aborted), _) => aborted.to_string(),
        };
        Err(if exchange.was_sent() {
            Failure::broken(failed)
        } else {
            Failure::not_sent(failed)
        })
    }
}

/// ureq's words, without the address, whose query may be a secret.
fn text(error: &Error) -> String {
    match error {
        Error::BadUri(_) => "the address is neither http nor https".to_owned(),
        Error::Io(error) => error.to_string(),
        Error::Other(error) => error.to_string(),
        error => error.to_string(),
    }
}

fn with_body(response: Response<::ureq::Body>, exchange: Arc<Exchange>) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    head.extensions.clear();
    let body = Body {
        exchange,
        reading: Reading::Open(Box::new(body.into_reader())),
    };
    Response::from_parts(head, body)
}

/// The body of a response. Read to its end it gives its connection back; dropped or
/// failed before that it closes it.
pub struct Body {
    exchange: Arc<Exchange>,
    reading: Reading,
}

enum Reading {
    Open(Box<BodyReader<'static>>),
    Ended,
    Failed,
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let read = match &mut self.reading {
            Reading::Open(reader) => reader.read(buffer),
            Reading::Ended => return Ok(0),
            Reading::Failed => return Err(io::Error::other("the body has failed before")),
        };
        // What an abort cuts off looks like the end of a body without a length.
        match self.exchange.goes_on().and(read) {
            Ok(0) => {
                self.reading = Reading::Ended;
                Ok(0)
            }
            Ok(read) => Ok(read),
            Err(error) => {
                self.reading = Reading::Failed;
                Err(io::Error::other(text(&Error::from(error))))
            }
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Body")
    }
}

/// ureq asks for the name with each request, [`Sockets`] with each connection.
#[derive(Debug)]
struct NoNames;

impl Resolver for NoNames {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        Ok(self.empty())
    }
}

/// Makes connections.
struct Sockets {
    names: Arc<Names>,
    exchanges: Arc<Exchanges>,
    tls: Tls,
}

impl Connector for Sockets {
    type Out = Connection;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<Connection>, Error> {
        let exchange = self.exchanges.current()?;
        self.make(details.uri, details.needs_tls(), exchange)
            .map(Some)
            .map_err(|error| Error::Other(error.into()))
    }
}

impl Sockets {
    fn make(&self, uri: &Uri, secure: bool, exchange: Arc<Exchange>) -> io::Result<Connection> {
        let host = uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let addresses = self.names.resolve(host, port, &exchange)?;
        let socket = Arc::new(connect(&addresses, &exchange)?);
        let user = User::new(&socket, Arc::clone(&exchange));
        let tls = if secure {
            Some(handshake(self.tls.config(), host, &socket, &exchange)?)
        } else {
            None
        };
        Ok(Connection::new(
            socket,
            tls,
            user,
            Arc::clone(&self.exchanges),
        ))
    }
}

impl fmt::Debug for Sockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sockets")
    }
}
