#![allow(clippy::unwrap_used)]

use std::net::TcpListener;

use super::*;
use crate::blocking::transport::Abort;

/// A listener whose queue is full: whoever connects is left waiting.
struct Full {
    listener: TcpListener,
    _queue: Vec<TcpStream>,
}

impl Full {
    fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any: SocketAddr = ([127, 0, 0, 1], 0).into();
        socket.bind(&any.into()).unwrap();
        socket.listen(1).unwrap();
        let listener = TcpListener::from(socket);
        let address = listener.local_addr().unwrap();
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok();
        let queue: Vec<_> = std::iter::from_fn(connect).take(10).collect();
        assert!(queue.len() < 10, "it never fills");
        Self {
            listener,
            _queue: queue,
        }
    }

    fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }
}

/// An address that refuses: bound, so that nobody else gets it, and not listening.
fn refusing() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    socket.bind(&any.into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

fn within(limit: Duration) -> Exchange {
    Exchange::new(&Abort::new(), limit)
}

#[test]
fn whichever_address_answers() {
    let full = Full::new();
    let (_refusing, refusing) = refusing();
    let good = TcpListener::bind("127.0.0.1:0").unwrap();
    let good = good.local_addr().unwrap();
    let full = full.address();
    for addresses in [
        vec![good],
        vec![full, good],
        vec![good, full],
        vec![refusing, full, good],
    ] {
        let socket = connect(&addresses, &within(Duration::from_secs(30))).unwrap();
        assert_eq!(socket.peer_addr().unwrap(), good, "{addresses:?}");
    }
}

#[test]
fn one_that_refuses_is_no_end_while_another_may_answer() {
    let full = Full::new();
    let (_refusing, refusing) = refusing();
    let limit = Duration::from_millis(400);
    for addresses in [[refusing, full.address()], [full.address(), refusing]] {
        let error = connect(&addresses, &within(limit)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{addresses:?}");
    }
    let error = connect(&[refusing, refusing], &within(limit)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn no_address_is_an_error() {
    let error = connect(&[], &within(Duration::from_secs(30))).unwrap_err();
    assert_eq!(error.to_string(), "the name has no address");
}
