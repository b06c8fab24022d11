//! Law 9: what nobody is to see has a mark wherever it enters, and whatever can be shown is
//! searched for that.

use std::cmp::Reverse;
use std::error::Error as StdError;
use std::fmt::Debug;

use super::model::Seen;
use crate::{Connection, Error, Event, Lost, Reason, Search, Transmit};

/// What each secret of a run begins with, and nothing else has in it.
pub(super) const MARK: &str = "~~";

/// The names of the secrets in what travels.
pub(super) fn names(text: &str) -> impl Iterator<Item = &str> {
    let rests = text.split(MARK).skip(1);
    rests.map(|rest| {
        rest.split(|char: char| !char.is_alphabetic())
            .next()
            .unwrap_or_default()
    })
}

/// In one form, for this is looked at after every move.
pub(super) fn connection(machine: &Connection) -> Seen {
    if let Some(why) = machine.handshake_error() {
        error(&why)?;
    }
    let text = format!("{machine:?}");
    if !text.contains(MARK) {
        return Ok(());
    }
    let said = said_in(&machine.status().search);
    clean("the connection", &without(&said, text))
}

pub(super) fn transmit(transmit: &Transmit) -> Seen {
    debug("a transmit", transmit)?;
    match transmit {
        Transmit::Send { request, .. } => debug("a request's headers", request.headers()),
        Transmit::Abort { .. } => Ok(()),
    }
}

pub(super) fn event(event: &Event) -> Seen {
    match event {
        Event::Fail { error: why, .. }
        | Event::NotRestored { error: why, .. }
        | Event::StreamDegraded { error: why }
        | Event::StreamNotOffered { error: why } => {
            let text = format!("{event:?} {event:#?}");
            clean("an event", &without(&said(why), text))?;
            error(why)
        }
        event => debug("an event", event),
    }
}

/// An error, and whatever it gives out that can be shown.
pub(super) fn error(error: &Error) -> Seen {
    let said = said(error);
    let (reason, search) = (error.reason(), error.search());
    let text = format!("{error} {error:?} {error:#?} {reason} {reason:?} {search} {search:?}");
    clean("an error", &without(&said, text))?;
    let mut source = StdError::source(error);
    while let Some(cause) = source {
        clean("what an error comes from", &format!("{cause} {cause:?}"))?;
        source = cause.source();
    }
    debug("challenges", &error.challenges())?;
    debug("a JSON-RPC error", &error.rpc_error())
}

/// What law 9 lets be shown: what the server says of its refusal, in this error and in those
/// that led to it.
fn said(error: &Error) -> Vec<String> {
    let rpc = error.rpc_error().map(ToString::to_string);
    let own = rpc.into_iter().chain(error.excerpt().map(str::to_owned));
    let mut said: Vec<_> = own.chain(said_in(error.search())).collect();
    if let Reason::Lost(Lost::SessionUnrecoverable {
        cause: Some(cause), ..
    }) = error.reason()
    {
        said.extend(self::said(cause));
    }
    said
}

fn said_in(search: &Search) -> Vec<String> {
    let failures = search
        .steps()
        .iter()
        .filter_map(|step| step.failure.as_ref());
    failures.flat_map(said).collect()
}

/// The text without what may be shown: the longest first, for one may be the beginning of another.
/// What has no mark may stay, and is perhaps one brace alone, which is everywhere.
fn without(said: &[String], text: String) -> String {
    let mut marked: Vec<_> = said.iter().filter(|said| said.contains(MARK)).collect();
    marked.sort_by_key(|said| Reverse(said.len()));
    let shown = marked.iter();
    shown.fold(text, |text, said| text.replace(said.as_str(), ""))
}

fn debug(what: &str, it: &impl Debug) -> Seen {
    clean(what, &format!("{it:?} {it:#?}"))
}

fn clean(what: &str, text: &str) -> Seen {
    match text.contains(MARK) {
        false => Ok(()),
        true => Err(format!("law 9: {what} shows a secret: {text}")),
    }
}
