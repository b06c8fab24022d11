//! A body that a server writes by and by, read by either adapter.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::{self, Read};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use hyper::body::{Body, Frame};
use mcp_http::blocking::{Abort, Hook};

/// The server's end.
#[derive(Clone, Default)]
pub(crate) struct Pipe(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    chunks: VecDeque<Bytes>,
    ended: bool,
    left: bool,
    waker: Option<Waker>,
}

impl Pipe {
    pub(crate) fn write(&self, text: impl Into<Bytes>) {
        self.change(|state| state.chunks.push_back(text.into()));
    }

    pub(crate) fn end(&self) {
        self.change(|state| state.ended = true);
    }

    /// Whether nobody reads any more.
    pub(crate) fn is_left(&self) -> bool {
        self.0.state.lock().unwrap().left
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.0.state.lock().unwrap();
        change(&mut state);
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
        self.0.changed.notify_all();
    }
}

/// The client's end. To drop it is to leave.
pub(crate) struct Reader {
    pipe: Pipe,
    _hook: Option<Hook>,
}

impl Reader {
    pub(crate) fn new(pipe: Pipe) -> Self {
        Self { pipe, _hook: None }
    }

    /// Ends when the exchange is called off.
    pub(crate) fn until(pipe: Pipe, abort: &Abort) -> Self {
        let other = pipe.clone();
        let hook = abort.on_abort(move || other.change(|state| state.left = true));
        Self {
            pipe,
            _hook: Some(hook),
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.pipe.change(|state| state.left = !state.ended);
    }
}

impl Body for Reader {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut state = self.pipe.0.state.lock().unwrap();
        match state.chunks.pop_front() {
            Some(chunk) => Poll::Ready(Some(Ok(Frame::data(chunk)))),
            None if state.ended => Poll::Ready(None),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Read for Reader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut state = self.pipe.0.state.lock().unwrap();
        loop {
            if state.left {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            if let Some(chunk) = state.chunks.front_mut() {
                let length = chunk.len().min(into.len());
                chunk.copy_to_slice(&mut into[..length]);
                if chunk.is_empty() {
                    state.chunks.pop_front();
                }
                return Ok(length);
            }
            if state.ended {
                return Ok(0);
            }
            state = self.pipe.0.changed.wait(state).unwrap();
        }
    }
}
