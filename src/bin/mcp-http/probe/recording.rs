//! What travels is kept: a transport around another one, which it leaves as it is.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use http::{Request, Response};
use mcp_http::Failure;
use mcp_http::blocking::{Abort, Http, Transport};

use super::exchange::{End, Exchange};

/// Of a body that much is kept.
pub(crate) const LARGEST_BODY: usize = 64 << 10;

/// Hears of each exchange when it is over.
pub(crate) type Teller = Arc<dyn Fn(&Exchange) + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Recording {
    http: Http,
    entries: Arc<Mutex<Vec<Entry>>>,
    teller: Option<Teller>,
}

struct Entry {
    exchange: Exchange,
    began: Instant,
}

/// One exchange in the recording.
#[derive(Clone)]
pub(crate) struct Place {
    recording: Recording,
    index: usize,
}

impl Recording {
    pub(crate) fn new(teller: Option<Teller>) -> Self {
        Self {
            http: Http::new(),
            entries: Arc::default(),
            teller,
        }
    }

    /// The same recording over a connection of its own: one that a server is about to give up, as
    /// some do when they have refused a request, is nothing to learn from.
    pub(crate) fn on_another_connection(&self) -> Self {
        Self {
            http: Http::new(),
            ..self.clone()
        }
    }

    /// The exchanges from this one on, in the order in which they began.
    pub(crate) fn since(&self, index: usize) -> Vec<Exchange> {
        let entries = lock(&self.entries);
        entries.iter().skip(index).map(Entry::by_now).collect()
    }

    /// How many have begun.
    pub(crate) fn len(&self) -> usize {
        lock(&self.entries).len()
    }

    pub(crate) fn begin(&self, request: &Request<Bytes>) -> Place {
        let mut entries = lock(&self.entries);
        entries.push(Entry {
            exchange: Exchange::new(request.clone()),
            began: Instant::now(),
        });
        Place {
            recording: self.clone(),
            index: entries.len() - 1,
        }
    }
}

impl Transport for Recording {
    type Body = Recorded;

    fn send(&self, request: Request<Bytes>, abort: &Abort) -> Result<Response<Recorded>, Failure> {
        self.begin(&request).send(abort)
    }
}

impl Entry {
    fn by_now(&self) -> Exchange {
        let mut exchange = self.exchange.clone();
        if matches!(exchange.end, End::Open) && exchange.head.is_none() {
            exchange.took = self.began.elapsed();
        }
        exchange
    }
}

impl Place {
    pub(crate) fn send(&self, abort: &Abort) -> Result<Response<Recorded>, Failure> {
        let sent = self.recording.http.send(self.exchange().request, abort);
        self.keep(|exchange| match &sent {
            Ok(response) => {
                exchange.head = Some((response.status(), response.headers().clone()));
            }
            Err(_) if abort.is_aborted() => exchange.end = End::Left,
            Err(failure) => exchange.end = End::Failed(failure.clone()),
        });
        let response = sent?;
        Ok(response.map(|body| Recorded {
            body,
            place: self.clone(),
            abort: abort.clone(),
        }))
    }

    pub(crate) fn exchange(&self) -> Exchange {
        let entries = lock(&self.recording.entries);
        let entry = entries.get(self.index).map(Entry::by_now);
        // It is never taken out.
        entry.unwrap_or_else(|| Exchange::new(Request::default()))
    }

    fn keep(&self, change: impl FnOnce(&mut Exchange)) {
        let mut entries = lock(&self.recording.entries);
        let Some(Entry { exchange, began }) = entries.get_mut(self.index) else {
            return;
        };
        let was_open = matches!(exchange.end, End::Open);
        change(exchange);
        let is_open = matches!(exchange.end, End::Open);
        if exchange.head.is_none() || !matches!(exchange.end, End::Left) {
            exchange.took = began.elapsed();
        }
        let over = (was_open && !is_open).then(|| exchange.clone());
        drop(entries);
        if let (Some(over), Some(teller)) = (over, &self.recording.teller) {
            teller(&over);
        }
    }
}

/// A body that is kept as it is read.
pub(crate) struct Recorded {
    body: <Http as Transport>::Body,
    place: Place,
    abort: Abort,
}

impl Read for Recorded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.body.read(buffer);
        self.place.keep(|exchange| match &read {
            Ok(0) => exchange.end = End::Whole,
            Ok(length) => {
                let room = LARGEST_BODY.saturating_sub(exchange.body.len());
                let came = buffer.get(..(*length).min(room)).unwrap_or_default();
                exchange.body.extend_from_slice(came);
            }
            Err(_) if self.abort.is_aborted() => exchange.end = End::Left,
            Err(error) => exchange.end = End::Failed(Failure::broken(error.to_string())),
        });
        read
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        self.place.keep(|exchange| {
            if matches!(exchange.end, End::Open) {
                exchange.end = End::Left;
            }
        });
    }
}

fn lock(entries: &Mutex<Vec<Entry>>) -> MutexGuard<'_, Vec<Entry>> {
    entries.lock().unwrap_or_else(PoisonError::into_inner)
}
