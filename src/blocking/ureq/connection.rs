//! A connection, as ureq wants it: in use by one exchange or idle.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use ::ureq::Error;
use ::ureq::unversioned::transport::{Buffers, LazyBuffers, NextTimeout, Transport};
use rustls::{ClientConnection, Stream};

use super::exchange::{Exchange, Exchanges};
use crate::blocking::transport::Hook;

/// Room for the head of a response.
pub(super) const INPUT: usize = 64 * 1024;
/// Room for the longest header of a request: tokens of 16 KiB are seen in the wild.
const OUTPUT: usize = 32 * 1024;

pub(super) struct Connection {
    /// Shared with the hook of its user alone.
    socket: Arc<TcpStream>,
    tls: Option<Box<ClientConnection>>,
    buffers: LazyBuffers,
    /// None while it is idle.
    user: Option<User>,
    exchanges: Arc<Exchanges>,
}

/// The exchange that uses a connection: its abort shuts the socket down.
pub(super) struct User {
    exchange: Arc<Exchange>,
    _hook: Hook,
}

impl User {
    pub(super) fn new(socket: &Arc<TcpStream>, exchange: Arc<Exchange>) -> Self {
        let socket = Arc::clone(socket);
        let hook = exchange.abort.on_abort(move || {
            // It fails if the connection has ended by itself.
            let _ = socket.shutdown(Shutdown::Both);
        });
        Self {
            exchange,
            _hook: hook,
        }
    }
}

impl Connection {
    pub(super) fn new(
        socket: Arc<TcpStream>,
        tls: Option<ClientConnection>,
        user: User,
        exchanges: Arc<Exchanges>,
    ) -> Self {
        Self {
            socket,
            tls: tls.map(Box::new),
            buffers: LazyBuffers::new(INPUT, OUTPUT),
            user: Some(user),
            exchanges,
        }
    }
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
        let user = match &mut self.user {
            Some(user) => user,
            idle => idle.insert(User::new(&self.socket, self.exchanges.current()?)),
        };
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        let mut socket = Used(&self.socket, &user.exchange);
        match &mut self.tls {
            Some(tls) => Stream::new(&mut **tls, &mut socket).write_all(output),
            None => socket.write_all(output),
        }
        .map_err(broken)
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
        let Some(user) = &self.user else {
            return Ok(false);
        };
        let input = self.buffers.input_append_buf();
        let mut socket = Used(&self.socket, &user.exchange);
        let read = match &mut self.tls {
            Some(tls) => Stream::new(&mut **tls, &mut socket).read(input),
            None => socket.read(input),
        }
        .map_err(broken)?;
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    /// Only the pool asks: before an exchange and after it.
    fn is_open(&mut self) -> bool {
        self.user = None;
        let silent = match &mut self.tls {
            Some(tls) => tls
                .process_new_packets()
                .is_ok_and(|tls| tls.plaintext_bytes_to_read() == 0 && !tls.peer_has_closed()),
            None => true,
        };
        silent && is_silent(&self.socket)
    }

    fn is_tls(&self) -> bool {
        self.tls.is_some()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}

/// Whether nothing has come, neither bytes nor an end.
fn is_silent(socket: &TcpStream) -> bool {
    if socket.set_nonblocking(true).is_err() {
        return false;
    }
    let peeked = socket.peek(&mut [0]);
    socket.set_nonblocking(false).is_ok()
        && peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

/// Not `Error::Io`: there ureq takes a reset for the end of a body without a length.
fn broken(error: io::Error) -> Error {
    Error::Other(error.into())
}

/// A socket in use: notes when something of a request has left.
struct Used<'a>(&'a TcpStream, &'a Exchange);

impl Read for Used<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }
}

impl Write for Used<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.0.write(buffer)?;
        self.1.note_sent();
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
