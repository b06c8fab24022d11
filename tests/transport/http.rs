//! HTTP/1.1 as servers speak it.

#![cfg(test)]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unreachable,
    clippy::unwrap_used,
    reason = "tests: clippy.toml allows these inside test functions, helpers need them too"
)]

#[path = "support.rs"]
mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, StatusCode};
use mcp_http::FailureKind;
use mcp_http::blocking::{Abort, Http, Transport};
use support::*;

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
fn events_arrive_one_by_one() {
    let _alone = alone();
    for (head, chunked) in [
        (
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n",
            false,
        ),
    ] {
        let (tx, rx) = channel::<()>();
        let rx = Mutex::new(rx);
        let server = Server::start(move |mut s| {
            read_request(&mut s).unwrap();
            write(&mut s, head);
            for n in 0..20 {
                let event = format!("data: {n}\n\n");
                if chunked {
                    write(&mut s, &format!("{:x}\r\n{event}\r\n", event.len()));
                } else {
                    write(&mut s, &event);
                }
                // Not before the client has it.
                rx.lock().unwrap().recv().unwrap();
            }
            if chunked {
                write(&mut s, "0\r\n\r\n");
            }
        });
        let http = Http::new();
        let mut body = http
            .send(post(&server.url(), b"{}"), &Abort::new())
            .unwrap()
            .into_body();
        let mut buf = [0; 8192];
        for n in 0..20 {
            let read = body.read(&mut buf).unwrap();
            assert_eq!(&buf[..read], format!("data: {n}\n\n").as_bytes());
            say(&tx, ());
        }
        assert_eq!(body.read(&mut buf).unwrap(), 0);
        assert_eq!(body.read(&mut buf).unwrap(), 0);
    }
}

#[test]
fn half_a_chunk_is_given_at_once() {
    let _alone = alone();
    let server = Server::start(|mut s| {
        read_request(&mut s).unwrap();
        write(
            &mut s,
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n8\r\nhalf",
        );
        gone(&s, Duration::from_secs(5));
    });
    let mut body = Http::new()
        .send(post(&server.url(), b"{}"), &Abort::new())
        .unwrap()
        .into_body();
    let mut buf = [0; 64];
    assert_eq!(body.read(&mut buf).unwrap(), 4);
}

#[test]
fn every_split_of_a_response() {
    let _alone = alone();
    let text = "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\nx-a: b\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\ntrailer: x\r\n\r\n";
    let (tx, rx) = channel::<usize>();
    let rx = Mutex::new(rx);
    let server = Server::start(move |mut s| {
        while read_request(&mut s).is_some() {
            let at = rx.lock().unwrap().recv().unwrap();
            s.write_all(&text.as_bytes()[..at]).unwrap();
            thread::sleep(Duration::from_millis(2));
            s.write_all(&text.as_bytes()[at..]).unwrap();
        }
    });
    let http = Http::new();
    for at in 0..text.len() {
        say(&tx, at);
        assert_eq!(
            call(&http, &server.url()).unwrap(),
            "hello world",
            "split at {at}"
        );
    }
    assert_eq!(server.count(), 1);
}

#[test]
fn what_is_sent() {
    let _alone = alone();
    let (tx, rx) = channel();
    let server = Server::start(move |mut s| {
        while let Some(request) = read_request(&mut s) {
            say(&tx, request);
            write(&mut s, "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n");
        }
    });
    let http = Http::new();
    let send = |request: Request<Bytes>| {
        let response = http.send(request, &Abort::new()).unwrap();
        assert_eq!(response.status(), 202);
        assert!(response.extensions().is_empty());
        let mut text = String::new();
        response.into_body().read_to_string(&mut text).unwrap();
        assert_eq!(text, "");
        let (head, body) = rx.recv().unwrap();
        (head.replace(&server.addr.to_string(), "HOST"), body)
    };
    assert_eq!(send(post(&server.url(), b"{\"a\":1}")), ("POST /mcp HTTP/1.1\r\ncontent-length: 7\r\nhost: HOST\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\n\r\n".into(), b"{\"a\":1}".to_vec()));
    assert_eq!(
        send(Request::post(server.url()).body(Bytes::new()).unwrap()).0,
        "POST /mcp HTTP/1.1\r\ncontent-length: 0\r\nhost: HOST\r\n\r\n"
    );
    assert_eq!(
        send(
            Request::delete(server.url())
                .header("mcp-session-id", "s")
                .body(Bytes::new())
                .unwrap()
        )
        .0,
        "DELETE /mcp HTTP/1.1\r\nhost: HOST\r\nmcp-session-id: s\r\n\r\n"
    );
    assert_eq!(
        send(
            Request::get(server.url())
                .header("accept", "text/event-stream")
                .body(Bytes::new())
                .unwrap()
        )
        .0,
        "GET /mcp HTTP/1.1\r\nhost: HOST\r\naccept: text/event-stream\r\n\r\n"
    );
    let big = vec![b'x'; 3_000_000];
    assert!(send(post(&server.url(), &big)).1 == big);
    assert_eq!(
        send(
            Request::post(server.url())
                .header("authorization", "x".repeat(20_000))
                .body(Bytes::from_static(b"{}"))
                .unwrap()
        )
        .1,
        b"{}"
    );
    assert_eq!(server.count(), 1);
}

#[test]
fn statuses_and_redirects_are_no_errors() {
    let _alone = alone();
    let statuses = [
        200, 202, 204, 301, 302, 303, 304, 307, 308, 400, 401, 404, 405, 429, 500, 503,
    ];
    let server = Server::start(move |mut s| {
        while let Some((head, _)) = read_request(&mut s) {
            let status: u16 = head.split('/').nth(1).unwrap()[..3].parse().unwrap();
            let body = if matches!(status, 204 | 304) {
                ""
            } else {
                "content-length: 2\r\n\r\n{}"
            };
            write(
                &mut s,
                &format!(
                    "HTTP/1.1 {status} Whatever\r\nlocation: http://127.0.0.1:1/\r\nretry-after: 3\r\n{}",
                    if body.is_empty() { "\r\n" } else { body }
                ),
            );
        }
    });
    let http = Http::new();
    for status in statuses {
        for method in ["POST", "GET", "DELETE"] {
            let request = Request::builder()
                .method(method)
                .uri(format!("http://{}/{status}", server.addr))
                .body(Bytes::new())
                .unwrap();
            let response = http.send(request, &Abort::new()).unwrap();
            assert_eq!(response.status(), StatusCode::from_u16(status).unwrap());
            assert_eq!(response.headers()["retry-after"], "3");
            let mut text = String::new();
            response.into_body().read_to_string(&mut text).unwrap();
            assert_eq!(text.is_empty(), matches!(status, 204 | 304));
        }
    }
    assert_eq!(server.count(), 1);
}

#[test]
fn compressed_bodies_stay_compressed() {
    let _alone = alone();
    let server = Server::start(|mut s| {
        read_request(&mut s).unwrap();
        write(
            &mut s,
            "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\nset-cookie: a=b\r\ncontent-length: 3\r\n\r\nabc",
        );
    });
    let r = Http::new()
        .send(post(&server.url(), b"{}"), &Abort::new())
        .unwrap();
    assert_eq!(r.headers()["content-encoding"], "gzip");
    assert_eq!(r.headers()["content-length"], "3");
    let mut text = String::new();
    r.into_body().read_to_string(&mut text).unwrap();
    assert_eq!(text, "abc");
}

#[test]
fn bodies_that_are_cut_off_are_errors() {
    let _alone = alone();
    for (says, reset, whole) in [
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
            false,
            false,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
            true,
            false,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
            false,
            false,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
            true,
            false,
        ),
        ("HTTP/1.1 200 OK\r\n\r\nhalf", false, true),
        ("HTTP/1.1 200 OK\r\n\r\nhalf", true, false),
    ] {
        let server = Server::start(move |mut s| {
            read_request(&mut s).unwrap();
            write(&mut s, says);
            thread::sleep(Duration::from_millis(50));
            if reset {
                socket2::SockRef::from(&s)
                    .set_linger(Some(Duration::ZERO))
                    .unwrap();
            }
        });
        let mut body = Http::new()
            .send(post(&server.url(), b"{}"), &Abort::new())
            .unwrap()
            .into_body();
        let mut text = String::new();
        let end = body.read_to_string(&mut text);
        assert_eq!(end.is_ok(), whole, "{says:?} {reset} {end:?}");
        if !whole {
            println!("{}", end.unwrap_err());
            assert!(body.read(&mut [0; 8]).is_err());
        }
    }
}

#[test]
fn before_the_head_the_connection_breaks() {
    let _alone = alone();
    for (says, reset) in [
        ("", false),
        ("", true),
        ("HTTP/1.1 200", false),
        ("no http\r\n\r\n", false),
        ("HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n", false),
    ] {
        let server = Server::start(move |mut s| {
            read_request(&mut s).unwrap();
            write(&mut s, says);
            if reset {
                socket2::SockRef::from(&s)
                    .set_linger(Some(Duration::ZERO))
                    .unwrap();
            }
        });
        let failure = Http::new()
            .send(post(&server.url(), b"{}"), &Abort::new())
            .unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Broken);
        println!("{failure}");
        // Nothing is sent a second time.
        assert_eq!(server.count(), 1);
    }
}

#[test]
fn endless_heads_end() {
    let _alone = alone();
    let server = Server::start(|mut s| {
        read_request(&mut s).unwrap();
        write(&mut s, "HTTP/1.1 200 OK\r\n");
        while s
            .write_all(b"x-more: and more, and more, and more\r\n")
            .is_ok()
        {}
    });
    let failure = Http::new()
        .send(post(&server.url(), b"{}"), &Abort::new())
        .unwrap_err();
    println!("{failure}");
    assert_eq!(failure.kind(), FailureKind::Broken);
    let server = Server::start(|mut s| {
        read_request(&mut s).unwrap();
        let head = format!("HTTP/1.1 200 OK\r\nx-long: {}", "y".repeat(70_000));
        let _ = s.write_all(head.as_bytes());
        gone(&s, Duration::from_secs(2));
    });
    let failure = Http::new()
        .send(post(&server.url(), b"{}"), &Abort::new())
        .unwrap_err();
    assert!(failure.message().contains("too big"), "{failure}");
    let server = Server::start(|mut s| {
        read_request(&mut s).unwrap();
        write(
            &mut s,
            &format!(
                "HTTP/1.1 200 OK\r\nx-long: {}\r\ncontent-length: 0\r\n\r\n",
                "y".repeat(60_000)
            ),
        );
    });
    let r = Http::new()
        .send(post(&server.url(), b"{}"), &Abort::new())
        .unwrap();
    assert_eq!(r.headers()["x-long"].len(), 60_000);
    let server = Server::start(|mut s| {
        read_request(&mut s).unwrap();
        write(
            &mut s,
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n",
        );
        while s
            .write_all(b"x-more: and more, and more, and more\r\n")
            .is_ok()
        {}
    });
    // Trailers without end are read and dropped, until somebody has had enough.
    let (outcome, took) = aborted(&Http::new(), post(&server.url(), b"{}"), || {
        thread::sleep(Duration::from_millis(300))
    });
    assert!(matches!(outcome, Outcome::Read(_)));
    assert!(took < Duration::from_millis(100), "{took:?}");
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
                rx.recv().unwrap();
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
    assert!(rx.recv().unwrap());
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
    assert!(rx.recv().unwrap());
}

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
        assert!(begun.elapsed() < Duration::from_millis(200));
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
    if std::env::var("HTTP_PROXY").is_err() {
        let me = std::env::current_exe().unwrap();
        let status = std::process::Command::new(me)
            .args(["--exact", "proxies_of_the_environment_are_not_looked_at"])
            .env("HTTP_PROXY", "http://127.0.0.1:1")
            .env("http_proxy", "http://127.0.0.1:1")
            .env("ALL_PROXY", "http://127.0.0.1:1")
            .env_remove("NO_PROXY")
            .status()
            .unwrap();
        assert!(status.success());
        return;
    }
    let server = Server::start(|mut s| {
        while read_request(&mut s).is_some() {
            write(&mut s, &ok("{}"));
        }
    });
    call(&Http::new(), &server.url()).unwrap();
}

#[test]
fn nothing_but_names() {
    let _alone = alone();
    for text in [format!("{:?}", Http::new()), format!("{:?}", Abort::new())] {
        println!("{text}");
    }
    let server = Server::start(|mut s| {
        read_request(&mut s).unwrap();
        write(
            &mut s,
            "HTTP/1.1 200 OK\r\nmcp-session-id: secret\r\n\r\nsecret",
        );
    });
    let r = Http::new()
        .send(post(&server.url(), b"{}"), &Abort::new())
        .unwrap();
    assert_eq!(format!("{:?}", r.body()), "Body");
}
