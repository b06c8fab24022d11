//! TLS, agreed on within a time.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use super::exchange::{Exchange, late};

/// What is trusted. Read when it is first needed: that takes some milliseconds.
#[derive(Default)]
pub(super) struct Tls(OnceLock<Arc<ClientConfig>>);

impl Tls {
    pub(super) fn config(&self) -> Arc<ClientConfig> {
        let config = self.0.get_or_init(|| {
            let mut config = crate::tls::config();
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            Arc::new(config)
        });
        Arc::clone(config)
    }
}

pub(super) fn handshake(
    config: Arc<ClientConfig>,
    host: &str,
    socket: &TcpStream,
    exchange: &Exchange,
) -> io::Result<ClientConnection> {
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let mut tls = ClientConnection::new(config, name).map_err(io::Error::other)?;
    tls.complete_io(&mut Limited { socket, exchange })?;
    socket.set_read_timeout(None)?;
    socket.set_write_timeout(None)?;
    Ok(tls)
}

/// A socket that blocks for the time to connect and no longer, in however many steps.
struct Limited<'a> {
    socket: &'a TcpStream,
    exchange: &'a Exchange,
}

impl Read for Limited<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(self.exchange.left()?))?;
        self.socket.read(buffer).map_err(named)
    }
}

impl Write for Limited<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(self.exchange.left()?))?;
        self.socket.write(buffer).map_err(named)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A socket's time-out has one name on Unix and another on Windows.
fn named(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => late(),
        _ => error,
    }
}
