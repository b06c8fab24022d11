//! TLS under the blocking adapter's transport.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use mcp_http::FailureKind;
use mcp_http::blocking::{Abort, Http, Transport};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion, version};

use crate::support::*;

/// Made by the program `make` beside them.
const CERTIFICATES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transport/certs");

pub(crate) const BOTH: [&SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];

pub(crate) type Tls = StreamOwned<ServerConnection, TcpStream>;

/// A server with this certificate.
pub(crate) fn server(
    certificate: &str,
    version: &'static SupportedProtocolVersion,
    serve: impl Fn(Tls) + Send + Sync + 'static,
) -> Server {
    let certificate = format!("{CERTIFICATES}/{certificate}.pem");
    let certificate = CertificateDer::from_pem_file(certificate).unwrap();
    let key = PrivateKeyDer::from_pem_file(format!("{CERTIFICATES}/server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    Server::start(move |stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        serve(StreamOwned::new(connection, stream));
    })
}

/// Whether this process trusts the test's authority. If not, the test of this name is
/// run in one that does.
pub(crate) fn trusted(test: &str) -> bool {
    let authority = format!("{CERTIFICATES}/authority.pem");
    runs_with(test, &[("SSL_CERT_FILE", &authority)])
}

pub(crate) fn url(server: &Server) -> String {
    format!("https://localhost:{}/mcp", server.addr.port())
}

#[test]
fn calls_reuse_their_connection() {
    let _alone = alone();
    if !trusted("tls::calls_reuse_their_connection") {
        return;
    }
    for version in BOTH {
        let server = server("localhost", version, |mut s| {
            while read_request(&mut s).is_some() {
                s.write_all(ok("{}").as_bytes()).unwrap();
            }
        });
        let http = Http::new();
        for _ in 0..50 {
            assert_eq!(call(&http, &url(&server)).unwrap(), "{}");
        }
        assert_eq!(server.count(), 1);
        for _ in 0..50 {
            assert_eq!(
                call(&http, &server.url().replace("http:", "https:")).unwrap(),
                "{}"
            );
        }
        assert_eq!(server.count(), 2);
        let big = vec![b'x'; 1_000_000];
        http.send(
            post(&server.url().replace("http:", "https:"), &big),
            &Abort::new(),
        )
        .unwrap();
    }
}

#[test]
fn events_arrive_one_by_one() {
    let _alone = alone();
    if !trusted("tls::events_arrive_one_by_one") {
        return;
    }
    for version in BOTH {
        let (tx, rx) = channel::<()>();
        let rx = std::sync::Mutex::new(rx);
        let server = server("localhost", version, move |mut s| {
            read_request(&mut s).unwrap();
            s.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                .unwrap();
            for n in 0..10 {
                s.write_all(format!("9\r\ndata: {n}\n\n\r\n").as_bytes())
                    .unwrap();
                rx.lock().unwrap().recv().unwrap();
            }
            s.write_all(b"0\r\n\r\n").unwrap();
        });
        let mut body = Http::new()
            .send(post(&url(&server), b"{}"), &Abort::new())
            .unwrap()
            .into_body();
        let mut buf = [0; 4096];
        for n in 0..10 {
            let read = body.read(&mut buf).unwrap();
            assert_eq!(&buf[..read], format!("data: {n}\n\n").as_bytes());
            say(&tx, ());
        }
        assert_eq!(body.read(&mut buf).unwrap(), 0);
    }
}

#[test]
fn aborts() {
    let _alone = alone();
    if !trusted("tls::aborts") {
        return;
    }
    for version in BOTH {
        for says in ["", "HTTP/1.1 200 OK\r\n\r\nhalf"] {
            let (tx, rx) = channel();
            let server = server("localhost", version, move |mut s| {
                read_request(&mut s).unwrap();
                s.write_all(says.as_bytes()).unwrap();
                s.flush().unwrap();
                say(&tx, ());
                gone(&s.sock, Duration::from_secs(3));
            });
            let http = Http::new();
            let mut before = (0, 0);
            let mut worst = Duration::ZERO;
            for n in 0..50 {
                let (outcome, took) = aborted(&http, post(&url(&server), b"{}"), || {
                    hear(&rx);
                    if n % 2 == 0 {
                        thread::sleep(Duration::from_millis(2))
                    }
                });
                match outcome {
                    Outcome::Send(f) => {
                        assert_eq!(f.kind(), FailureKind::Broken);
                        assert_eq!(f.message(), "it was aborted")
                    }
                    Outcome::Read(e) => assert_eq!(e.to_string(), "it was aborted"),
                    Outcome::Done => panic!(),
                }
                assert!(took < SOON, "{took:?}");
                worst = worst.max(took);
                if n == 0 {
                    thread::sleep(Duration::from_millis(200));
                    before = (descriptors(), threads());
                }
            }
            back_to(before);
            println!("worst {worst:?}");
        }
    }
}

#[test]
fn an_end_without_close_notify_is_no_end() {
    let _alone = alone();
    if !trusted("tls::an_end_without_close_notify_is_no_end") {
        return;
    }
    for (polite, version) in [
        (true, BOTH[0]),
        (true, BOTH[1]),
        (false, BOTH[0]),
        (false, BOTH[1]),
    ] {
        let server = server("localhost", version, move |mut s| {
            read_request(&mut s).unwrap();
            s.write_all(b"HTTP/1.1 200 OK\r\n\r\nhalf").unwrap();
            if polite {
                s.conn.send_close_notify();
                s.flush().unwrap();
            }
        });
        let mut text = String::new();
        let end = Http::new()
            .send(post(&url(&server), b"{}"), &Abort::new())
            .unwrap()
            .into_body()
            .read_to_string(&mut text);
        assert_eq!(end.is_ok(), polite);
        assert_eq!(text, "half");
        if let Err(e) = end {
            println!("{e}");
        }
    }
}

#[test]
fn idle_ones_that_were_closed_are_not_used() {
    let _alone = alone();
    if !trusted("tls::idle_ones_that_were_closed_are_not_used") {
        return;
    }
    for version in BOTH {
        for together in [true, false] {
            let server = server("localhost", version, move |mut s| {
                if read_request(&mut s).is_none() {
                    return;
                };
                if together {
                    // One write: the client reads the end of the connection with the response.
                    s.conn.writer().write_all(ok("{}").as_bytes()).unwrap();
                    s.conn.send_close_notify();
                    s.flush().unwrap();
                } else {
                    s.write_all(ok("{}").as_bytes()).unwrap();
                    thread::sleep(Duration::from_millis(20));
                    s.conn.send_close_notify();
                    s.flush().unwrap();
                }
                thread::sleep(Duration::from_millis(500));
            });
            let http = Http::new();
            for n in 1..4 {
                assert_eq!(call(&http, &url(&server)).unwrap(), "{}");
                assert_eq!(server.count(), n);
                thread::sleep(Duration::from_millis(60));
            }
        }
    }
}
