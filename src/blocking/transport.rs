//! What the blocking adapter asks of an HTTP stack, and how it calls it off.

use std::fmt;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{Request, Response};

use crate::error::Failure;

/// An HTTP stack on blocking sockets: sends a request, gives the head of the
/// response and a reader of its body.
///
/// It decides nothing. It follows no redirect, sends no request a second time, takes
/// no status for a failure, decodes no body, keeps no cookies and limits no
/// concurrency: all of that is the machine's to decide. It sends the headers that it
/// is given and those that HTTP itself asks for (`host`, `content-length`). It waits
/// for a response as long as it takes: time-outs are the machine's too, and come as
/// an [`Abort`]. Only the making of a connection has a time of its own.
///
/// A panic in it is reported as any other, by the panic hook; it ends its exchange as a
/// connection that [broke](Failure::broken), and nothing else.
///
/// ```
/// use std::io::{Cursor, Read};
///
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use mcp_http::Failure;
/// use mcp_http::blocking::{Abort, Transport};
///
/// /// A server that is a function of this program.
/// struct InProcess(fn(Request<Bytes>) -> Response<Bytes>);
///
/// impl Transport for InProcess {
///     type Body = Cursor<Bytes>;
///
///     fn send(&self, request: Request<Bytes>, abort: &Abort) -> Result<Response<Self::Body>, Failure> {
///         if abort.is_aborted() {
///             return Err(Failure::not_sent("it was aborted"));
///         }
///         Ok(self.0(request).map(Cursor::new))
///     }
/// }
///
/// let server = InProcess(|request| Response::new(request.into_body()));
/// let response = server.send(Request::new(Bytes::from("echo")), &Abort::new())?;
/// let mut body = String::new();
/// response.into_body().read_to_string(&mut body).expect("it is text");
/// assert_eq!(body, "echo");
/// # Ok::<(), Failure>(())
/// ```
pub trait Transport: Send + Sync + 'static {
    /// Reads the body of a response. A read gives what has come as soon as anything
    /// has, for the body may be an event stream; `Ok(0)` is the body's proper end, a
    /// body that was cut off ends with an error. To drop it before its end is to give
    /// up its connection.
    type Body: Read + Send + 'static;

    /// Sends a request and returns when the head of the final response is there
    /// (those with a status of 1xx are skipped, except for 101).
    ///
    /// Within 100 ms of [`abort`](Abort::abort), called from whatever thread at
    /// whatever time, this or a [`read`](Read::read) of the body that is under way
    /// returns an error, and the socket is shut down, even if nobody reads. Once the
    /// body has ended the exchange is over, and an abort touches nothing that another
    /// one may be using by then.
    ///
    /// # Errors
    /// Those of the network, and whether anything of the request can have left: see
    /// [`Failure`]. If in doubt something has.
    fn send(&self, request: Request<Bytes>, abort: &Abort)
    -> Result<Response<Self::Body>, Failure>;
}

/// Calls off an exchange, from any thread, once and for all. Clones are the same
/// abort.
#[derive(Clone, Default)]
pub struct Abort {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    aborted: AtomicBool,
    hooks: Mutex<Hooks>,
}

#[derive(Default)]
struct Hooks {
    last: u64,
    waiting: Vec<(u64, Box<dyn FnOnce() + Send>)>,
}

impl Abort {
    /// Of an exchange that goes on.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Calls the exchange off. Runs what waits for that, and does not block for
    /// longer than that takes.
    pub fn abort(&self) {
        // Before the hooks: who registers one after they ran finds this set.
        if self.shared.aborted.swap(true, Ordering::SeqCst) {
            return;
        }
        let mut hooks = self.shared.hooks();
        for (_, hook) in std::mem::take(&mut hooks.waiting) {
            // Whoever calls off has no part in a panic of the transport's.
            let _ = catch_unwind(AssertUnwindSafe(hook));
        }
    }

    /// Whether the exchange was called off.
    #[must_use]
    pub fn is_aborted(&self) -> bool {
        self.shared.aborted.load(Ordering::SeqCst)
    }

    /// Runs this when the exchange is called off; at once if it was already. It runs
    /// on the thread that aborts, so it should wake or shut something down and do no
    /// more; it may ask [`is_aborted`](Self::is_aborted), but not register or drop
    /// hooks of the same abort.
    ///
    /// Dropping the [`Hook`] takes it back: from then on it is certainly neither
    /// running nor will it run. What it would shut down can then be somebody else's.
    pub fn on_abort(&self, run: impl FnOnce() + Send + 'static) -> Hook {
        let mut hooks = self.shared.hooks();
        hooks.last += 1;
        let hook = Hook {
            shared: Arc::clone(&self.shared),
            number: hooks.last,
        };
        if self.is_aborted() {
            drop(hooks);
            run();
        } else {
            hooks.waiting.push((hook.number, Box::new(run)));
        }
        hook
    }
}

impl fmt::Debug for Abort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Abort").field(&self.is_aborted()).finish()
    }
}

impl Shared {
    /// Held while hooks run: that is what makes taking one back certain.
    fn hooks(&self) -> MutexGuard<'_, Hooks> {
        self.hooks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What [`Abort::on_abort`] registered, until this is dropped.
#[must_use = "dropping it takes back what it registered"]
pub struct Hook {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for Hook {
    fn drop(&mut self) {
        let mut hooks = self.shared.hooks();
        hooks.waiting.retain(|(number, _)| *number != self.number);
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}
