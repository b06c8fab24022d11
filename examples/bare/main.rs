//! The machine over `std::net::TcpStream` and nothing else: one thread, one loop, any
//! number of exchanges at once. This file is the whole contract of an embedder; `http1.rs`
//! is a small HTTP/1.1 client on sockets that do not block.
//!
//! `cargo run --example bare -- URL METHOD [PARAMS [SECONDS]]`

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod http1;

use std::collections::BTreeMap;
use std::error::Error;
use std::io::ErrorKind;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use http1::{Exchange, Piece};
use mcp_http::{CallOptions, Config, Connection, Event, ExchangeId, Failure, Time, Transmit};
use serde_json::{Value, json};

/// The standard library cannot wait for several sockets, so the loop naps; one over
/// `poll` or mio would not.
const NAP: Duration = Duration::from_millis(2);

/// Pieces of one exchange before others get their turn: a server may send for ever.
const TURN: usize = 64;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(url), Some(method)) = (args.next(), args.next()) else {
        return Err("usage: bare URL METHOD [PARAMS [SECONDS]]".into());
    };
    let params: Value = serde_json::from_str(args.next().as_deref().unwrap_or("{}"))?;
    let mut options = CallOptions::new();
    if let Some(seconds) = args.next() {
        options = options.time_out(Duration::from_secs(seconds.parse()?));
    }
    let config = Config::new(&url)?
        .capabilities(&json!({ "elicitation": {} }))?
        .seed(std::process::id().into());
    let mut connection = Connection::new(config);
    connection.call(&method, &params, options, Time::ZERO)?;
    let mut exchanges = BTreeMap::new();
    let mut code = ExitCode::FAILURE;
    let clock = Instant::now();

    // Closing takes a while too: it ends the session.
    while !connection.is_closed() {
        let now = Time::new(clock.elapsed());
        connection.handle_timeout(now);

        while let Some(transmit) = connection.poll_transmit(now) {
            match transmit {
                Transmit::Send { exchange, request } => match Exchange::open(&request) {
                    Ok(open) => drop(exchanges.insert(exchange, open)),
                    Err(error) => {
                        let failure = Failure::not_sent(error.to_string());
                        connection.handle_failure(exchange, failure, now)?;
                    }
                },
                // With its socket, which closes it.
                Transmit::Abort { exchange } => drop(exchanges.remove(&exchange)),
                _ => {}
            }
        }

        for (id, mut exchange) in std::mem::take(&mut exchanges) {
            if report(&mut connection, id, &mut exchange, now)? {
                exchanges.insert(id, exchange);
            }
        }

        while let Some(event) = connection.poll_event() {
            match event {
                Event::Reply { reply, .. } => match reply.outcome {
                    Ok(result) => {
                        println!("{}", result.as_str());
                        code = ExitCode::SUCCESS;
                    }
                    Err(error) => eprintln!("{error}"),
                },
                Event::Fail { error, .. } => eprintln!("{error}"),
                Event::Ask(ask) => {
                    // Fails only if the ask was withdrawn since: then nobody waits for it.
                    let declined = json!({ "action": "decline" });
                    let _ = connection.answer(ask.ticket, Ok(&declined), now);
                }
                event => eprintln!("{event:?}"),
            }
        }
        if connection.status().open_calls == 0 {
            connection.close(now);
        }

        let due = connection.poll_timeout().map_or(NAP, |at| at.since(now));
        std::thread::sleep(due.min(NAP));
    }
    Ok(code)
}

/// Tells the machine what has come of an exchange. Whether the exchange goes on.
fn report(
    connection: &mut Connection,
    id: ExchangeId,
    exchange: &mut Exchange,
    now: Time,
) -> Result<bool, mcp_http::Error> {
    // Whether or not its answer is to be read.
    exchange.write();
    for _ in 0..TURN {
        if !connection.wants_read(id) {
            break;
        }
        match exchange.poll() {
            Ok(Piece::Interim) => {}
            Ok(Piece::Head(status, headers)) => {
                connection.handle_head(id, status, &headers, now)?;
            }
            Ok(Piece::Body(bytes)) => connection.handle_body(id, bytes, now)?,
            Ok(Piece::End) => return connection.handle_end(id, now).map(|()| false),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => {
                let failure = Failure::broken(error.to_string());
                return connection.handle_failure(id, failure, now).map(|()| false);
            }
        }
    }
    Ok(true)
}
