//! What the machine wants from the network.

use std::fmt;

use bytes::Bytes;
use http::Request;

use crate::ExchangeId;

/// What the machine wants from the network: taken from
/// [`Connection::poll_transmit`](crate::Connection::poll_transmit).
///
/// `Debug` shows the method and the host of a request and the size of its body, never a
/// header, content, or a path or query: an HTTP+SSE server names its sessions there.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are sends, and a box would cost each of them an allocation"
)]
#[non_exhaustive]
pub enum Transmit {
    /// Send this request now, and report its answer under this id.
    Send {
        /// Names the exchange in every later report.
        exchange: ExchangeId,
        /// The whole request. `Content-Length` and `Host` are the adapter's to add.
        request: Request<Bytes>,
    },
    /// End this exchange: close its connection or reset its HTTP/2 stream. It
    /// needs no further report; one that is made nevertheless is ignored.
    Abort {
        /// The exchange that is over.
        exchange: ExchangeId,
    },
}

impl fmt::Debug for Transmit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send { exchange, request } => write!(
                f,
                "Send({exchange:?}, {} {}, {} bytes)",
                request.method(),
                request.uri().host().unwrap_or_default(),
                request.body().len()
            ),
            Self::Abort { exchange } => write!(f, "Abort({exchange:?})"),
        }
    }
}
