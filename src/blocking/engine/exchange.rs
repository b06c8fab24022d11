//! One exchange, on a thread of its own.

use std::io::Read;
use std::task::Poll;

use bytes::Bytes;

use super::{Engine, Job, Turn};
use crate::blocking::park;
use crate::blocking::transport::Transport;
use crate::error::Failure;

/// How much is read at a time.
pub(super) const CHUNK: usize = 16 << 10;

impl<T: Transport> Engine<T> {
    /// From the request to the last byte of its answer, which is read by way of this chunk.
    pub(super) fn exchange(&self, job: Job, chunk: &mut [u8]) {
        let Job { id, request, abort } = job;
        let response = match self.transport.send(request, &abort) {
            Ok(response) => response,
            Err(failure) => {
                self.shared.failed(id, failure);
                return self.turn();
            }
        };
        let (head, mut body) = response.into_parts();
        self.shared
            .report(|connection, now| connection.handle_head(id, head.status, &head.headers, now));
        self.turn();
        let waker = park::waker();
        let _hook = abort.on_abort(move || waker.wake());
        loop {
            park::wait(self, |cx| {
                match abort.is_aborted() || self.shared.wants_read(id, cx) {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            });
            if abort.is_aborted() {
                return;
            }
            let read = body.read(chunk);
            let ended = match read {
                Ok(0) => {
                    self.shared
                        .report(|connection, now| connection.handle_end(id, now));
                    true
                }
                Ok(length) => {
                    let bytes = Bytes::copy_from_slice(chunk.get(..length).unwrap_or_default());
                    self.shared
                        .report(|connection, now| connection.handle_body(id, bytes, now));
                    false
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => false,
                Err(error) => {
                    self.shared.failed(id, Failure::broken(error.to_string()));
                    true
                }
            };
            self.turn();
            if ended {
                return;
            }
        }
    }
}
