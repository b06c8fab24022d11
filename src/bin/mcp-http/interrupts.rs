//! What Ctrl-C does: the first cancels the call, a further one leaves at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use mcp_http::CallId;
use mcp_http::blocking::Client;

use crate::exit::Exit;
use crate::output::Output;

pub(crate) struct Interrupts {
    /// Whether the first has come, which cancels the call.
    first: AtomicBool,
    /// What a further one leaves with.
    code: AtomicU8,
}

impl Default for Interrupts {
    fn default() -> Self {
        Self {
            first: AtomicBool::new(false),
            code: AtomicU8::new(Exit::Cancelled.code()),
        }
    }
}

impl Interrupts {
    pub(crate) fn heed(self: &Arc<Self>, client: &Client, call: CallId, output: &Output) {
        let (interrupts, client) = (Arc::clone(self), client.clone());
        // It prints nothing: it would wait for a stderr that takes nothing.
        let installed = ctrlc::set_handler(move || {
            if interrupts.first.swap(true, Ordering::SeqCst) {
                std::process::exit(interrupts.code.load(Ordering::SeqCst).into());
            }
            // The id is this connection's own.
            let _ = client.cancel(call);
        });
        if let Err(error) = installed {
            output.say(&format!("* Ctrl-C will not cancel the call: {error}"));
        }
    }

    /// Whether one has come while the call was open, or the call is over.
    pub(crate) fn has_come(&self) -> bool {
        self.first.load(Ordering::SeqCst)
    }

    /// From now on each leaves at once: there is nothing left to cancel.
    pub(crate) fn leave_with(&self, exit: Exit) {
        self.code.store(exit.code(), Ordering::SeqCst);
        self.first.store(true, Ordering::SeqCst);
    }
}
