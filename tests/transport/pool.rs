//! Which connection a request takes.

use std::net::Shutdown;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use mcp_http::FailureKind;
use mcp_http::blocking::{Abort, Http, Transport};

use crate::support::*;

#[test]
fn one_connection_for_fifty_calls() {
    let _alone = alone();
    let server = Server::start(|mut s| {
        while read_request(&mut s).is_some() {
            write(&mut s, &ok("{}"));
        }
    });
    let before = descriptors();
    let http = Http::connecting_within(Duration::MAX);
    for _ in 0..50 {
        assert_eq!(call(&http, &server.url()).unwrap(), "{}");
    }
    assert_eq!(server.count(), 1);
    drop(http);
    thread::sleep(Duration::from_millis(100));
    assert!(descriptors() <= before);
}

#[test]
fn sixty_four_at_once_find_their_connections_again() {
    let _alone = alone();
    for n in [32, 64] {
        let all = Arc::new(Barrier::new(n));
        let server = {
            let all = Arc::clone(&all);
            Server::start(move |mut s| {
                while read_request(&mut s).is_some() {
                    all.wait();
                    write(&mut s, &ok("{}"));
                }
            })
        };
        let http = Http::new();
        for _ in 0..3 {
            thread::scope(|scope| {
                for _ in 0..n {
                    scope.spawn(|| call(&http, &server.url()).unwrap());
                }
            });
            assert_eq!(server.count(), n);
        }
    }
}

#[test]
fn idle_connections_that_were_closed_are_not_used() {
    let _alone = alone();
    for how in 0..4 {
        let (tx, rx) = channel();
        let server = Server::start(move |mut s| {
            let Some(_) = read_request(&mut s) else {
                return;
            };
            write(&mut s, &ok("{}"));
            thread::sleep(Duration::from_millis(30));
            match how {
                0 => {}
                1 => {
                    s.shutdown(Shutdown::Write).unwrap();
                    thread::sleep(Duration::from_secs(1));
                }
                2 => socket2::SockRef::from(&s)
                    .set_linger(Some(Duration::ZERO))
                    .unwrap(),
                _ => {
                    write(&mut s, "HTTP/1.1 408 Request Timeout\r\n\r\n");
                    thread::sleep(Duration::from_secs(1));
                }
            }
            drop(s);
            let _ = tx.lock().unwrap().send(());
        });
        let http = Http::new();
        for n in 1..5 {
            assert_eq!(call(&http, &server.url()).unwrap(), "{}");
            assert_eq!(server.count(), n);
            if how % 2 == 0 {
                hear(&rx);
            }
            thread::sleep(Duration::from_millis(60));
        }
    }
}

/// It was open a moment ago, and is closed as the request comes: the server may have read it.
#[test]
fn a_request_on_a_connection_that_dies_is_broken_and_not_repeated() {
    let _alone = alone();
    let (tx, rx) = channel();
    let server = Server::start(move |mut s| {
        read_request(&mut s).unwrap();
        write(&mut s, &ok("{}"));
        let second = read_request(&mut s);
        say(&tx, second.is_some());
    });
    let http = Http::new();
    call(&http, &server.url()).unwrap();
    let failure = http
        .send(post(&server.url(), b"{}"), &Abort::new())
        .unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Broken);
    assert!(hear(&rx));
    assert_eq!(server.count(), 1);
}

#[test]
fn connection_close_is_obeyed() {
    let _alone = alone();
    let server = Server::start(|mut s| {
        read_request(&mut s).unwrap();
        write(
            &mut s,
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}",
        );
        gone(&s, Duration::from_secs(2));
    });
    let http = Http::new();
    for _ in 0..3 {
        call(&http, &server.url()).unwrap();
    }
    assert_eq!(server.count(), 3);
}

#[test]
fn a_dropped_body_closes_its_connection() {
    let _alone = alone();
    let (tx, rx) = channel();
    let server = Server::start(move |mut s| {
        read_request(&mut s).unwrap();
        write(&mut s, "HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{}");
        say(&tx, gone(&s, Duration::from_secs(2)));
    });
    let http = Http::new();
    drop(
        http.send(post(&server.url(), b"{}"), &Abort::new())
            .unwrap(),
    );
    assert!(hear(&rx));
}
