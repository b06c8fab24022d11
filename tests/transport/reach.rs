//! How a server is found, and when it is not.

use std::net::TcpListener;
use std::time::Instant;

use mcp_http::FailureKind;
use mcp_http::blocking::{Abort, Http, Transport};

use crate::support::*;

#[test]
fn refused_is_not_sent() {
    let _alone = alone();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let before = (descriptors(), threads());
    for host in ["127.0.0.1", "[::1]", "localhost"] {
        let begun = Instant::now();
        let failure = Http::new()
            .send(
                post(&format!("http://{host}:{port}/"), b"{}"),
                &Abort::new(),
            )
            .unwrap_err();
        println!("{failure} {:?}", begun.elapsed());
        assert_eq!(failure.kind(), FailureKind::NotSent);
        assert!(begun.elapsed() < SOON);
    }
    back_to(before);
}

#[test]
fn unknown_names_are_not_sent() {
    let _alone = alone();
    for url in [
        "http://no-such-name.invalid/",
        "http://no-such-name.invalid:81/?secret",
        "ftp://127.0.0.1/?secret",
    ] {
        let failure = Http::new()
            .send(post(url, b"{}"), &Abort::new())
            .unwrap_err();
        println!("{failure}");
        assert_eq!(failure.kind(), FailureKind::NotSent);
        assert!(!failure.to_string().contains("secret"));
    }
    let http = Http::new();
    for n in 0..10 {
        let failure = http
            .send(
                post(&format!("http://no{n}.invalid/"), b"{}"),
                &Abort::new(),
            )
            .unwrap_err();
        assert!(failure.message().contains("was not found: "), "{failure}");
    }
}

#[test]
fn localhost_is_resolved_once_per_connection() {
    let _alone = alone();
    let server = Server::start(|mut s| {
        while read_request(&mut s).is_some() {
            write(&mut s, &ok("{}"));
        }
    });
    let before = threads();
    let http = Http::new();
    for _ in 0..10 {
        call(
            &http,
            &format!("http://localhost:{}/mcp", server.addr.port()),
        )
        .unwrap();
    }
    assert_eq!(server.count(), 1);
    assert!(threads() <= before + 1);
}

#[test]
fn proxies_of_the_environment_are_not_looked_at() {
    let _alone = alone();
    let nobody = "http://127.0.0.1:1";
    let variables = [
        ("ALL_PROXY", nobody),
        ("HTTP_PROXY", nobody),
        ("NO_PROXY", ""),
        ("http_proxy", nobody),
        ("no_proxy", ""),
    ];
    let test = "reach::proxies_of_the_environment_are_not_looked_at";
    if !runs_with(test, &variables) {
        return;
    }
    let server = Server::start(|mut s| {
        while read_request(&mut s).is_some() {
            write(&mut s, &ok("{}"));
        }
    });
    call(&Http::new(), &server.url()).unwrap();
}
