//! HTTP/1.1 as servers speak it.

use std::io::{Read, Write};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use mcp_http::FailureKind;
use mcp_http::blocking::{Abort, Http, Transport};

use crate::support::*;

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
        let (head, body) = hear(&rx);
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
    assert!(took < SOON, "{took:?}");
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
