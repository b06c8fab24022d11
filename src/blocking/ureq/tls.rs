//! TLS, agreed on within a time.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, OnceLock};

use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::exchange::{Exchange, late};

/// What is trusted. Read when it is first needed: that takes some milliseconds.
#[derive(Default)]
pub(super) struct Tls(OnceLock<Arc<ClientConfig>>);

impl Tls {
    /// Trusts what the system trusts. Where that cannot be read nothing is trusted,
    /// and `https` fails with a sentence about the certificate, while `http` works.
    pub(super) fn config(&self) -> io::Result<Arc<ClientConfig>> {
        if let Some(config) = self.0.get() {
            return Ok(Arc::clone(config));
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(rustls::DEFAULT_VERSIONS)
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::clone(self.0.get_or_init(|| Arc::new(config))))
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
