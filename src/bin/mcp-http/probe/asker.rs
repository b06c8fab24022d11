//! Asks what the machine does not: one request at a time, within bounds.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request};
use mcp_http::blocking::Abort;

use super::exchange::Exchange;
use super::recording::{LARGEST_BODY, Place, Recording};

/// How long one step may take at most.
pub(crate) const STEP: Duration = Duration::from_secs(10);
/// How long it is given at least.
const SHORTEST: Duration = Duration::from_secs(3);
/// How much longer than all before a step may take.
const SLOWER: u32 = 20;
/// How long a listening stream may be silent before it is left.
const SILENCE: Duration = Duration::from_secs(1);
/// How soon Ctrl-C is heeded.
const TICK: Duration = Duration::from_millis(50);
/// A server may not have noticed yet that a stream was left.
const NOTICE: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub(crate) struct Asker {
    pub(crate) recording: Recording,
    /// Ctrl-C came.
    pub(crate) stopped: Arc<AtomicBool>,
}

impl Asker {
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    pub(crate) fn ask(&self, request: &Request<Bytes>) -> Exchange {
        let first = self.ask_once(request);
        let may_hold_another = request.method() == Method::GET && first.status() == Some(409);
        if !may_hold_another || self.is_stopped() {
            return first;
        }
        thread::sleep(NOTICE);
        self.ask_once(request)
    }

    /// Not stopped by Ctrl-C: what was begun is ended.
    pub(crate) fn end(&self, request: &Request<Bytes>) {
        let steadfast = Self {
            stopped: Arc::default(),
            ..self.clone()
        };
        steadfast.ask_once(request);
    }

    fn ask_once(&self, request: &Request<Bytes>) -> Exchange {
        let recording = self.recording.on_another_connection();
        let patience = Patience::after(&recording.since(0));
        let place = recording.begin(request);
        let abort = Abort::new();
        thread::scope(|scope| {
            let (comes, came) = mpsc::channel();
            scope.spawn(|| read(&place, &abort, comes));
            let began = Instant::now();
            while !self.is_stopped() {
                match came.recv_timeout(TICK) {
                    Ok(()) if place.exchange().is_answered() => break,
                    Err(RecvTimeoutError::Disconnected) => break,
                    _ if began.elapsed() > patience.with(&place.exchange()) => break,
                    _ => {}
                }
            }
            abort.abort();
        });
        place.exchange()
    }
}

fn read(place: &Place, abort: &Abort, comes: Sender<()>) {
    let Ok(response) = place.send(abort) else {
        return;
    };
    let mut body = response.into_body();
    let mut chunk = [0; 4096];
    let mut length = 0;
    while let Ok(read @ 1..) = body.read(&mut chunk) {
        length += read;
        // Nobody listens any longer once it is answered.
        if length >= LARGEST_BODY || comes.send(()).is_err() {
            return;
        }
    }
}

/// How long an exchange is waited for.
struct Patience(Duration);

impl Patience {
    /// Whoever has answered so far in milliseconds is not waited for as long as a slow one.
    fn after(exchanges: &[Exchange]) -> Self {
        let answered = exchanges.iter().filter(|exchange| !exchange.is_unreached());
        let slowest = answered.map(|exchange| exchange.took).max();
        let long = slowest.map(|took| took.saturating_mul(SLOWER));
        Self(long.map_or(STEP, |long| long.clamp(SHORTEST, STEP)))
    }

    /// How long after its beginning the exchange is left, as it stands.
    fn with(&self, exchange: &Exchange) -> Duration {
        let is_listening = exchange.request.method() == Method::GET && exchange.is_stream();
        match is_listening {
            true => (exchange.took + SILENCE).min(self.0),
            false => self.0,
        }
    }
}

/// Runs this on a thread of its own. If it takes too long, or Ctrl-C comes, `cut` makes it end.
pub(crate) fn within<R: Send>(
    asker: &Asker,
    limit: Duration,
    run: impl FnOnce() -> R + Send,
    cut: impl FnOnce(),
) -> R {
    thread::scope(|scope| {
        let (over, is_over) = mpsc::channel();
        let running = scope.spawn(move || {
            let ran = run();
            // Whoever does not wait for it any longer joins all the same.
            let _ = over.send(());
            ran
        });
        let began = Instant::now();
        while is_over.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            if began.elapsed() > limit || asker.is_stopped() {
                cut();
                break;
            }
        }
        running
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::*;

    fn took(millis: u64, is_answered: bool) -> Exchange {
        let mut exchange = Exchange::new(Request::default());
        exchange.took = Duration::from_millis(millis);
        exchange.head = is_answered.then(|| (StatusCode::OK, HeaderMap::new()));
        exchange
    }

    #[test]
    fn who_answers_fast_is_waited_for_less_long() {
        let patience = |exchanges: &[Exchange]| Patience::after(exchanges).0;
        assert_eq!(patience(&[]), STEP);
        assert_eq!(patience(&[took(2, true)]), SHORTEST);
        // What was not answered says nothing of how fast answers come.
        assert_eq!(patience(&[took(2, true), took(9000, false)]), SHORTEST);
        let slow = Duration::from_secs(8);
        assert_eq!(patience(&[took(2, true), took(400, true)]), slow);
        assert_eq!(patience(&[took(4000, true)]), STEP);
    }
}
