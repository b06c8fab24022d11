//! TCP connections whose making can be interrupted.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use super::exchange::Exchange;

/// "Connection Attempt Delay: recommended 250 milliseconds" (RFC 8305, section 5).
const NEXT_ADDRESS: Duration = Duration::from_millis(250);
/// How often a socket that is connecting is looked at: no call that every system has
/// waits for a socket and for another thread.
const LOOK: Duration = Duration::from_millis(10);

/// Connects to whichever address answers first. A further one is tried when those
/// before it have failed or keep one waiting.
pub(super) fn connect(addresses: &[SocketAddr], exchange: &Exchange) -> io::Result<TcpStream> {
    let waiting = thread::current();
    let _hook = exchange.abort.on_abort(move || waiting.unpark());
    let mut untried = addresses.iter();
    let mut next = Instant::now();
    let mut trying: Vec<Socket> = Vec::new();
    let mut failed = io::Error::other("the name has no address");
    loop {
        exchange.goes_on()?;
        let look = LOOK.min(exchange.left()?);
        let due = trying.is_empty() || next <= Instant::now();
        match if due { untried.next() } else { None } {
            Some(address) => {
                next = Instant::now() + NEXT_ADDRESS;
                match begin(address, look) {
                    Ok(socket) => trying.push(socket),
                    Err(error) => failed = error,
                }
            }
            None if trying.is_empty() => return Err(failed),
            None => thread::park_timeout(look),
        }
        trying.retain(|socket| match socket.take_error() {
            Ok(None) => true,
            Ok(Some(error)) | Err(error) => {
                failed = error;
                false
            }
        });
        // A socket has a peer once it is connected, not before.
        if let Some(first) = trying.iter().position(|it| it.peer_addr().is_ok()) {
            let socket = trying.swap_remove(first);
            socket.set_nonblocking(false)?;
            socket.set_tcp_nodelay(true)?;
            return Ok(socket.into());
        }
    }
}

/// A socket that is connected or still connecting after a short time.
fn begin(address: &SocketAddr, look: Duration) -> io::Result<Socket> {
    let domain = Domain::for_address(*address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    match socket.connect_timeout(&(*address).into(), look) {
        Err(error) if error.kind() != ErrorKind::TimedOut => Err(error),
        _ => Ok(socket),
    }
}

#[cfg(test)]
mod tests;
