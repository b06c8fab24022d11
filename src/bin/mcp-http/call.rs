//! `mcp-http call`: one call, from the handshake to the end of the session.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use mcp_http::blocking::{Call, Client, Events};
use mcp_http::{CallId, CallOptions, Config, Delivery, Error, Event, RawJson, Reason};
use serde_json::json;

use crate::arguments::{CallArguments, Usage};
use crate::ask::{Asked, Asker};
use crate::exit::Exit;
use crate::output::Output;
use crate::story::Initialize;
use crate::{credentials, params};

/// How often it is looked whether the call is over while no event comes: the adapter
/// waits for either, not for both.
const TICK: Duration = Duration::from_millis(20);

/// How long the server has for taking notice of a cancellation: as long as the
/// machine gives it (`Clocks::linger`).
const NOTICE: Duration = Duration::from_secs(5);

pub(crate) fn run(arguments: &CallArguments) -> Result<Exit, Usage> {
    let config = endpoint(&arguments.url)?;
    let (config, secrets) = credentials::add(arguments, config)?;
    let params = params::read(arguments.params.as_deref())?;
    let config = config
        .capabilities(&json!({ "elicitation": { "form": {}, "url": {} } }))
        .map_err(|error| Usage(error.to_string()))?;

    let output = Arc::new(Output::new(arguments.json, arguments.verbose, secrets));
    let client = Client::spawn(config);
    let is_person = io::stdin().is_terminal()
        && io::stderr().is_terminal()
        && arguments.params.as_deref() != Some("-");
    let asker = Asker {
        client: client.clone(),
        output: Arc::clone(&output),
        server: origin(&arguments.url),
        is_person,
    };

    let events = client.events();
    let options = options(arguments, params.as_ref());
    let started = client.start(&arguments.method, params, options);
    let outcome = started.and_then(|call| {
        let open = Arc::new(AtomicBool::new(true));
        if let Some(id) = call.id() {
            heed_interrupts(&client, id, &open, &output);
        }
        let outcome = wait(call, events, &output, asker);
        open.store(false, Ordering::SeqCst);
        outcome
    });
    output.outcome(&arguments.method, outcome.as_ref());
    if let Err(error) = &outcome {
        await_notice(&client, error);
    }
    client.close();
    Ok(output.end(Exit::of(outcome.as_ref().map(|_| ()))))
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
fn wait(call: Call, events: Events, output: &Output, asker: Asker) -> Result<RawJson, Error> {
    let over = AtomicBool::new(false);
    let (asks, asked) = mpsc::channel();
    // Not waited for: a person may still think when nobody needs the answer any more.
    thread::spawn(move || asker.run(&asked));
    thread::scope(|scope| {
        scope.spawn(|| tell(events, output, &asks, &over));
        let outcome = call.wait();
        over.store(true, Ordering::SeqCst);
        outcome
    })
}

/// Tells all events that come before the call is over.
fn tell(mut events: Events, output: &Output, asks: &Sender<Asked>, over: &AtomicBool) {
    let mut server = Initialize::default();
    loop {
        // Looked at first: what came before the end is there to be taken.
        let is_over = over.load(Ordering::SeqCst);
        let patience = if is_over { Duration::ZERO } else { TICK };
        let Some(event) = events.next_within(patience) else {
            if is_over {
                return;
            }
            continue;
        };
        output.event(&event);
        match event {
            Event::Ready(ready) => server = Initialize::of(&ready),
            Event::Ask(ask) => {
                // It is gone only if it panicked, which is on stderr then.
                let _ = asks.send(Asked {
                    ask,
                    server: server.name(),
                });
            }
            _ => {}
        }
    }
}

/// Ctrl-C cancels the call as long as it is open, and leaves at once otherwise.
fn heed_interrupts(client: &Client, call: CallId, open: &Arc<AtomicBool>, output: &Arc<Output>) {
    let (client, open, told) = (client.clone(), Arc::clone(open), Arc::clone(output));
    let installed = ctrlc::set_handler(move || {
        if open.swap(false, Ordering::SeqCst) {
            told.say("* cancelling; Ctrl-C again leaves at once");
            // The id is this connection's own.
            let _ = client.cancel(call);
        } else {
            std::process::exit(Exit::Cancelled.code().into());
        }
    });
    if let Err(error) = installed {
        output.say(&format!("* Ctrl-C will not cancel the call: {error}"));
    }
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

fn endpoint(url: &str) -> Result<Config, Usage> {
    if !url.contains("://") {
        let scheme = match is_local(url) {
            true => "http",
            false => "https",
        };
        return Err(Usage(format!(
            "the URL begins with http:// or https://{}",
            match shown(url) {
                "" => String::new(),
                url => format!("; is it {scheme}://{url}?"),
            }
        )));
    }
    Config::new(url).map_err(|error| match error.reason() {
        Reason::Misuse(misuse) => Usage(misuse.mistake().to_string()),
        reason => Usage(reason.to_string()),
    })
}

fn is_local(url: &str) -> bool {
    ["localhost", "127.", "[::1]", "0.0.0.0"]
        .iter()
        .any(|host| url.starts_with(host))
}

/// What of a URL can be shown: no user, password or query, where credentials may be.
fn shown(url: &str) -> &str {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    match url.get(..end) {
        Some(url) if !url.contains('@') => url,
        _ => "",
    }
}

/// Scheme, host and port: what tells a person which server this is.
fn origin(url: &str) -> String {
    let (scheme, rest) = shown(url).split_once("://").unwrap_or_default();
    let authority = rest.split('/').next().unwrap_or_default();
    format!("{scheme}://{authority}")
}
