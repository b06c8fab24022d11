//! What the host offers, what it may call, and the memory that passes between the two.
//!
//! Text is UTF-8. What goes to the host is lent for the time of the call. What comes
//! from it was written into memory that [`allocate`] gave, and is ours again. Times are
//! milliseconds since an origin that the host chooses.

use std::time::Duration;

use mcp_http::{Failure, Time};

use crate::{APP, App, PoisonError, turn};

mod host {
    #[link(wasm_import_module = "host")]
    unsafe extern "C" {
        pub(super) safe fn abort(exchange: u64);
        pub(super) safe fn wake_at(millis: f64);
        pub(super) fn end(done: bool, text: *const u8, length: usize);
        pub(super) fn send(
            exchange: u64,
            target: *const u8,
            target_length: usize,
            body: *const u8,
            body_length: usize,
        );
        pub(super) fn tell(text: *const u8, length: usize);
    }
}

/// Ends an exchange that is under way; nothing more is reported of it.
pub(crate) fn abort(exchange: u64) {
    host::abort(exchange);
}

/// The call ended, with a result or with what went wrong.
pub(crate) fn end(outcome: Result<&str, &str>) {
    let (Ok(text) | Err(text)) = outcome;
    // SAFETY: the host reads the text and keeps nothing.
    unsafe { host::end(outcome.is_ok(), text.as_ptr(), text.len()) }
}

/// Begins an exchange. The target is JSON.
pub(crate) fn send(exchange: u64, target: &[u8], body: &[u8]) {
    // SAFETY: the host copies both and keeps nothing.
    unsafe {
        host::send(
            exchange,
            target.as_ptr(),
            target.len(),
            body.as_ptr(),
            body.len(),
        );
    }
}

/// Something that happened on the way.
pub(crate) fn tell(text: &str) {
    // SAFETY: the host reads the text and keeps nothing.
    unsafe { host::tell(text.as_ptr(), text.len()) }
}

/// When to call [`wake`], in place of what was said before.
pub(crate) fn wake_at(at: Option<Time>) {
    host::wake_at(at.map_or(f64::INFINITY, |at| at.since_origin().as_secs_f64() * 1e3));
}

fn time(millis: f64) -> Time {
    Time::new(Duration::try_from_secs_f64(millis / 1e3).unwrap_or_default())
}

/// Memory for the host to write into.
#[unsafe(no_mangle)]
extern "C" fn allocate(length: usize) -> *mut u8 {
    let memory: Box<[u8]> = vec![0; length].into();
    Box::into_raw(memory).cast()
}

/// Takes memory back.
///
/// # Safety
/// It is of [`allocate`], in its whole length, and was not given back before.
unsafe fn take(memory: *mut u8, length: usize) -> Vec<u8> {
    // SAFETY: as above.
    unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(memory, length)) }.into_vec()
}

/// Makes the call that the order names. The order is JSON.
///
/// # Safety
/// As of [`take`].
#[unsafe(no_mangle)]
unsafe extern "C" fn begin(order: *mut u8, length: usize, now: f64) {
    // SAFETY: as of this function.
    let order = unsafe { take(order, length) };
    match App::begin(&order, time(now)) {
        Ok(app) => *APP.lock().unwrap_or_else(PoisonError::into_inner) = Some(app),
        Err(error) => end(Err(&error.to_string())),
    }
    turn(time(now), |_| Ok(()));
}

/// Status and headers of an answer, as JSON.
///
/// # Safety
/// As of [`take`].
#[unsafe(no_mangle)]
unsafe extern "C" fn head(exchange: u64, head: *mut u8, length: usize, now: f64) {
    // SAFETY: as of this function.
    let head = unsafe { take(head, length) };
    turn(time(now), |app| app.head(exchange, &head, time(now)));
}

/// Some bytes of an answer's body.
///
/// # Safety
/// As of [`take`].
#[unsafe(no_mangle)]
unsafe extern "C" fn body(exchange: u64, chunk: *mut u8, length: usize, now: f64) {
    // SAFETY: as of this function.
    let chunk = unsafe { take(chunk, length) };
    turn(time(now), |app| app.body(exchange, chunk, time(now)));
}

/// The body is over.
#[unsafe(no_mangle)]
extern "C" fn end_of_body(exchange: u64, now: f64) {
    turn(time(now), |app| app.end(exchange, time(now)));
}

/// The exchange failed, certainly before anything can have reached the server or not.
///
/// # Safety
/// As of [`take`].
#[unsafe(no_mangle)]
unsafe extern "C" fn failed(exchange: u64, not_sent: bool, why: *mut u8, length: usize, now: f64) {
    // SAFETY: as of this function.
    let why = unsafe { take(why, length) };
    let why = String::from_utf8_lossy(&why);
    let failure = if not_sent {
        Failure::not_sent(why)
    } else {
        Failure::broken(why)
    };
    turn(time(now), |app| app.failed(exchange, failure, time(now)));
}

/// Whether to read on from an answer's body; if not, to be asked again after a turn.
#[unsafe(no_mangle)]
extern "C" fn wants_read(exchange: u64) -> bool {
    let app = APP.lock().unwrap_or_else(PoisonError::into_inner);
    app.as_ref().is_some_and(|app| app.wants_read(exchange))
}

/// The time has come.
#[unsafe(no_mangle)]
extern "C" fn wake(now: f64) {
    turn(time(now), |app| app.wake(time(now)));
}
