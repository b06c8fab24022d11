//! `mcp-http call`: one call, from the handshake to the end of the session.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use mcp_http::blocking::{Call, Client, Events};
use mcp_http::{CallId, CallOptions, Clocks, Delivery, Error, Event, RawJson, Reason, Subject};
use serde_json::json;

use crate::arguments::{CallArguments, Usage};
use crate::ask::{Asked, Asker};
use crate::exit::Exit;
use crate::interrupts::Interrupts;
use crate::output::Output;
use crate::story::{NAMELESS, name_of};
use crate::{credentials, endpoint, params};

/// How often it is looked whether the call is over while no event comes: the adapter
/// waits for either, not for both.
const TICK: Duration = Duration::from_millis(20);

/// How long the server has for taking notice of a cancellation, and then for the end of
/// the session: people wait meanwhile. The machine gives it no less (`Clocks::linger`).
const NOTICE: Duration = Duration::from_secs(2);
const DELETE: Duration = Duration::from_secs(3);

/// After this a person wonders what the command still does.
const WONDER: Duration = Duration::from_secs(1);

pub(crate) fn run(arguments: &CallArguments) -> Result<Exit, Usage> {
    let config = endpoint::read(&arguments.url)?;
    let (config, mut secrets) = credentials::add(&arguments.headers, config)?;
    if let Some((_, query)) = arguments.url.split_once('?') {
        secrets.add_query(query);
    }
    let params = params::read(arguments.params.as_deref())?;
    let config = config
        .capabilities(&json!({ "elicitation": { "form": {}, "url": {} } }))
        .map_err(|error| Usage(error.to_string()))?
        .clocks(clocks());
    let config = match arguments.revision {
        Some(revision) => config.pin(revision),
        None => config,
    };

    let output = Arc::new(Output::new(arguments.json, arguments.verbose, secrets));
    let client = Client::spawn(config);
    let is_person = io::stdin().is_terminal()
        && io::stderr().is_terminal()
        && arguments.params.as_deref() != Some("-");
    let asker = Asker {
        client: client.clone(),
        output: Arc::clone(&output),
        server: endpoint::origin(&arguments.url),
        is_person,
    };

    let events = client.events();
    let options = options(arguments, params.as_ref());
    let started = client.start(&arguments.method, params, options);
    let interrupts = Arc::new(Interrupts::default());
    let outcome = started.and_then(|call| {
        if let Some(id) = call.id() {
            interrupts.heed(&client, id, &output);
        }
        wait(call, events, &output, asker, &interrupts)
    });
    output.outcome(&arguments.method, outcome.as_ref());
    let exit = output.end(Exit::of(outcome.as_ref().map(|_| ())));
    interrupts.leave_with(exit);
    end(&client, outcome.as_ref().err(), &output);
    Ok(exit)
}

fn clocks() -> Clocks {
    let mut clocks = Clocks::default();
    clocks.linger = NOTICE;
    clocks.delete = DELETE;
    clocks
}

fn options(arguments: &CallArguments, params: Option<&RawJson>) -> CallOptions {
    let mut options = CallOptions::new();
    // Whoever debugs a server with a token wants to see it sent.
    if !params.is_some_and(params::has_progress_token) {
        options = options.progress();
    }
    if let Some(time) = arguments.time_out {
        options = options.time_out(time);
    }
    if arguments.idempotent {
        options = options.idempotent();
    }
    options
}

/// Waits for the end of the call, and tells meanwhile what happens.
fn wait(
    call: Call,
    events: Events,
    output: &Output,
    asker: Asker,
    interrupts: &Interrupts,
) -> Result<RawJson, Error> {
    let over = AtomicBool::new(false);
    let (asks, asked) = mpsc::channel();
    let teller = Teller {
        client: asker.client.clone(),
        call: call.id(),
        output,
        asks,
        over: &over,
        interrupts,
    };
    // Not waited for: a person may still think when nobody needs the answer any more.
    thread::spawn(move || asker.run(&asked));
    thread::scope(|scope| {
        scope.spawn(|| teller.run(events));
        let outcome = call.wait();
        over.store(true, Ordering::SeqCst);
        outcome
    })
}

/// Tells all events that come before the call is over.
struct Teller<'a> {
    client: Client,
    call: Option<CallId>,
    output: &'a Output,
    asks: Sender<Asked>,
    over: &'a AtomicBool,
    interrupts: &'a Interrupts,
}

impl Teller<'_> {
    fn run(self, mut events: Events) {
        let mut server = NAMELESS.to_owned();
        let mut is_cancelling = false;
        loop {
            // Looked at first: what came before the end is there to be taken.
            let is_over = self.over.load(Ordering::SeqCst);
            let patience = if is_over { Duration::ZERO } else { TICK };
            let event = events.next_within(patience);
            if !is_cancelling && self.interrupts.has_come() {
                is_cancelling = true;
                self.output.say("* cancelling; Ctrl-C again leaves at once");
            }
            let Some(event) = event else {
                if is_over {
                    return;
                }
                continue;
            };
            if !self.is_of_outcome(&event) {
                self.output.event(&event);
            }
            self.cancel_if_unread();
            match event {
                Event::Ready(ready) => server = name_of(&ready),
                Event::Ask(ask) => {
                    // It is gone only if it panicked, which is on stderr then.
                    let _ = self.asks.send(Asked {
                        ask,
                        server: server.clone(),
                    });
                }
                _ => {}
            }
        }
    }

    /// Whether the call's own error says the same.
    fn is_of_outcome(&self, event: &Event) -> bool {
        let of_connection = matches!(
            event,
            Event::Fail {
                subject: Subject::Connection,
                ..
            }
        );
        of_connection && self.client.status().open_calls == 0
    }

    /// Where stdout takes no more, nobody gets the result.
    fn cancel_if_unread(&self) {
        if let Some(call) = self.call.filter(|_| self.output.has_failed()) {
            // The id is this connection's own.
            let _ = self.client.cancel(call);
        }
    }
}

/// Ends the session in order.
fn end(client: &Client, error: Option<&Error>, output: &Arc<Output>) {
    let (ended, waits) = mpsc::channel::<()>();
    let told = Arc::clone(output);
    // Not waited for: stderr may take nothing.
    thread::spawn(move || {
        if waits.recv_timeout(WONDER) == Err(RecvTimeoutError::Timeout) {
            told.say("* ending the session; Ctrl-C leaves at once");
        }
    });
    if let Some(error) = error {
        await_notice(client, error);
    }
    client.close();
    drop(ended);
}

/// Waits until the server has taken notice that a call is not waited for any more:
/// closing the connection would overtake the notification.
fn await_notice(client: &Client, error: &Error) {
    let is_given_up = matches!(error.reason(), Reason::Cancelled | Reason::Timeout(_));
    if !is_given_up || error.delivery() != Delivery::Unknown {
        return;
    }
    let began = Instant::now();
    // The call's exchange ends with that of the notification. One may stay: a stream on
    // which the server is listened to.
    while client.status().exchanges > 1 && began.elapsed() < NOTICE {
        thread::sleep(TICK);
    }
}
