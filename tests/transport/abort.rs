//! Real abort: at every point at which a server can fall silent, 200 times.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use http::Request;
use mcp_http::FailureKind;
use mcp_http::blocking::{Abort, Http, Transport};

use crate::support::*;

const TIMES: usize = 200;

/// A server that says something, then nothing, at 200 connections one after another.
fn silent_server(
    name: &str,
    says: &'static str,
    reads: bool,
    kind: Option<FailureKind>,
    secure: bool,
    body: Vec<u8>,
) {
    let _alone = alone();
    let (tx, rx) = channel();
    let (tx2, gone_rx) = channel();
    let server = Server::start(move |mut stream| {
        if reads {
            read_request(&mut stream).unwrap();
        }
        write(&mut stream, says);
        say(&tx, ());
        say(&tx2, {
            if !reads && !secure {
                thread::sleep(Duration::from_millis(40));
            }
            gone(&stream, Duration::from_secs(3))
        });
    });
    let http = Http::new();
    let url = if secure {
        server.url().replace("http:", "https:")
    } else {
        server.url()
    };
    // Once, so that what is made once is made.
    let mut before = (0, 0);
    let mut worst = Duration::ZERO;
    for time in 0..=TIMES {
        let (outcome, took) = aborted(&http, post(&url, &body), || {
            hear(&rx);
            // Sometimes at once, sometimes when the client is deep in its read.
            if body.len() > 1000 {
                thread::sleep(Duration::from_millis(30));
            } else if time % 2 == 0 {
                thread::sleep(Duration::from_millis(2));
            }
        });
        match (&outcome, kind) {
            (Outcome::Send(f), Some(kind)) => {
                assert_eq!(f.kind(), kind, "{f}");
                assert_eq!(f.message(), "it was aborted")
            }
            (Outcome::Read(e), None) => assert_eq!(e.to_string(), "it was aborted"),
            // The abort may come before the head was taken.
            (Outcome::Send(f), None) => {
                assert_eq!(f.kind(), FailureKind::Broken);
                assert_eq!(f.message(), "it was aborted")
            }
            _ => panic!("{name}: it came to an end"),
        }
        assert!(took < SOON, "{name}: {took:?}");
        worst = worst.max(took);
        assert!(hear(&gone_rx), "{name}: the socket is still open");
        if time == 0 {
            thread::sleep(Duration::from_millis(300));
            before = (descriptors(), threads());
        }
    }
    back_to(before);
    println!("{name}: worst {worst:?}");
}

#[test]
fn before_the_head() {
    silent_server(
        "before the head",
        "",
        true,
        Some(FailureKind::Broken),
        false,
        b"{}".into(),
    );
}
#[test]
fn in_the_head() {
    silent_server(
        "in the head",
        "HTTP/1.1 200 OK\r\ncontent-le",
        true,
        Some(FailureKind::Broken),
        false,
        b"{}".into(),
    );
}
#[test]
fn after_an_early_hint() {
    silent_server(
        "after 103",
        "HTTP/1.1 103 Early Hints\r\n\r\n",
        true,
        Some(FailureKind::Broken),
        false,
        b"{}".into(),
    );
}
#[test]
fn in_a_sized_body() {
    silent_server(
        "in a sized body",
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf",
        true,
        None,
        false,
        b"{}".into(),
    );
}
#[test]
fn in_a_chunked_body() {
    silent_server(
        "in a chunked body",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        true,
        None,
        false,
        b"{}".into(),
    );
}
#[test]
fn in_a_body_until_close() {
    silent_server(
        "in a body until close",
        "HTTP/1.1 200 OK\r\n\r\nhalf",
        true,
        None,
        false,
        b"{}".into(),
    );
}
#[test]
fn in_tls() {
    silent_server(
        "in TLS",
        "",
        false,
        Some(FailureKind::NotSent),
        true,
        b"{}".into(),
    );
}
#[test]
fn while_writing() {
    silent_server(
        "while writing",
        "",
        false,
        Some(FailureKind::Broken),
        false,
        vec![b'x'; 32 << 20],
    );
}

/// The accept queue is full: SYNs are dropped.
fn full() -> (TcpListener, Vec<TcpStream>) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket
        .bind(
            &"127.0.0.1:0"
                .parse::<std::net::SocketAddr>()
                .unwrap()
                .into(),
        )
        .unwrap();
    socket.listen(1).unwrap();
    let listener: TcpListener = socket.into();
    let addr = listener.local_addr().unwrap();
    let mut held = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&addr, Duration::from_millis(200)) {
        held.push(stream);
        assert!(held.len() < 10, "it never fills");
    }
    (listener, held)
}

#[test]
fn while_connecting() {
    let _alone = alone();
    let (listener, _held) = full();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let http = Http::new();
    let before = (descriptors(), threads());
    let mut worst = Duration::ZERO;
    for time in 0..TIMES {
        let (outcome, took) = aborted(&http, post(&url, b"{}"), || {
            thread::sleep(Duration::from_millis(time as u64 % 40))
        });
        let Outcome::Send(failure) = outcome else {
            panic!("it connected")
        };
        assert_eq!(failure.kind(), FailureKind::NotSent);
        assert_eq!(failure.message(), "it was aborted");
        assert!(took < SOON, "{took:?}");
        worst = worst.max(took);
    }
    back_to(before);
    println!("while connecting: worst {worst:?}");
}

#[test]
fn connecting_takes_its_time_and_no_more() {
    let _alone = alone();
    let (listener, _held) = full();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let begun = Instant::now();
    let cpu = cpu();
    let failure = Http::connecting_within(Duration::from_millis(700))
        .send(post(&url, b"{}"), &Abort::new())
        .unwrap_err();
    assert_eq!(failure.kind(), FailureKind::NotSent);
    assert_eq!(failure.message(), "the time to connect is over");
    let took = begun.elapsed();
    assert!(took > Duration::from_millis(690) && took < SOON, "{took:?}");
    let used = self::cpu() - cpu;
    println!("ticks of 10 ms used while connecting for 700 ms: {used}");
    assert!(used <= 3);
}

fn cpu() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let f: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    f[11].parse::<u64>().unwrap() + f[12].parse::<u64>().unwrap()
}

#[test]
fn tls_takes_its_time_and_no_more() {
    let _alone = alone();
    // A byte of a record's head at a time: each of them in time, all of them never.
    let server = Server::start(|mut stream| {
        for byte in [22u8, 3, 3, 0, 200].iter().cycle() {
            if stream.write_all(&[*byte]).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
    });
    let begun = Instant::now();
    let failure = Http::connecting_within(Duration::from_millis(500))
        .send(
            post(&server.url().replace("http:", "https:"), b"{}"),
            &Abort::new(),
        )
        .unwrap_err();
    assert_eq!(failure.kind(), FailureKind::NotSent);
    println!("{failure}");
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    let silent = Server::start(|stream| {
        gone(&stream, Duration::from_secs(5));
    });
    let begun = Instant::now();
    let failure = Http::connecting_within(Duration::from_millis(300))
        .send(
            post(&silent.url().replace("http:", "https:"), b"{}"),
            &Abort::new(),
        )
        .unwrap_err();
    assert_eq!(failure.kind(), FailureKind::NotSent);
    assert_eq!(failure.message(), "the time to connect is over");
    assert!(
        begun.elapsed() > Duration::from_millis(290) && begun.elapsed() < SOON,
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn before_anything() {
    let _alone = alone();
    let server = Server::start(|_| {});
    let abort = Abort::new();
    abort.abort();
    let failure = Http::new()
        .send(post(&server.url(), b"{}"), &abort)
        .unwrap_err();
    assert_eq!(failure.kind(), FailureKind::NotSent);
    assert_eq!(server.count(), 0);
}

#[test]
fn on_a_reused_connection_and_not_on_the_next_ones() {
    let _alone = alone();
    let (tx, rx) = channel();
    let server = Server::start(move |mut stream| {
        while let Some((head, _)) = read_request(&mut stream) {
            if head.starts_with("GET") {
                say(&tx, ());
                gone(&stream, Duration::from_secs(3));
                return;
            }
            write(&mut stream, &ok("{}"));
        }
    });
    let http = Http::new();
    let mut connections = 0;
    for _ in 0..50 {
        // An abort after the end touches nothing.
        let abort = Abort::new();
        let mut text = String::new();
        http.send(post(&server.url(), b"{}"), &abort)
            .unwrap()
            .into_body()
            .read_to_string(&mut text)
            .unwrap();
        abort.abort();
        call(&http, &server.url()).unwrap();
        connections += 1;
        assert_eq!(server.count(), connections);
        // The abort of the exchange that has it now does.
        let get = Request::get(server.url()).body(Default::default()).unwrap();
        let (outcome, took) = aborted(&http, get, || {
            hear(&rx);
        });
        assert!(matches!(&outcome, Outcome::Send(f) if f.kind() == FailureKind::Broken));
        assert!(took < SOON);
        assert_eq!(server.count(), connections);
    }
}

#[test]
fn an_unread_body_frees_its_socket() {
    let _alone = alone();
    let (tx, rx) = channel();
    let server = Server::start(move |mut stream| {
        read_request(&mut stream).unwrap();
        write(
            &mut stream,
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        );
        let begun = Instant::now();
        assert!(gone(&stream, Duration::from_secs(3)));
        say(&tx, begun.elapsed());
    });
    let http = Http::new();
    let abort = Abort::new();
    let response = http.send(post(&server.url(), b"{}"), &abort).unwrap();
    thread::sleep(Duration::from_millis(200));
    abort.abort();
    let took = hear(&rx);
    assert!(took < SOON, "{took:?}");
    let mut body = response.into_body();
    assert_eq!(
        body.read(&mut [0; 8]).unwrap_err().to_string(),
        "it was aborted"
    );
    assert!(body.read(&mut [0; 8]).is_err());
}

/// Many at once, each aborted at a random moment between its beginning and its end.
#[test]
fn at_any_moment() {
    let _alone = alone();
    let server = Server::start(|mut stream| {
        while read_request(&mut stream).is_some() {
            if stream
                .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n")
                .is_err()
            {
                return;
            }
            if stream.write_all(b"4\r\nhalf\r\n0\r\n\r\n").is_err() {
                return;
            }
        }
    });
    let http = Http::new();
    let url = server.url();
    thread::scope(|scope| {
        for worker in 0..8u64 {
            let (http, url) = (&http, &url);
            scope.spawn(move || {
                let mut random = worker + 1;
                let mut cut = 0;
                for _ in 0..400 {
                    random = random
                        .wrapping_mul(6364136223846793005)
                        .wrapping_add(1442695040888963407);
                    let abort = Abort::new();
                    let aborter = {
                        let abort = abort.clone();
                        let wait = Duration::from_micros((random >> 33) % 900);
                        thread::spawn(move || {
                            thread::sleep(wait);
                            abort.abort()
                        })
                    };
                    let mut text = String::new();
                    let done = http
                        .send(post(url, b"{}"), &abort)
                        .map_err(|f| f.to_string())
                        .and_then(|r| {
                            r.into_body()
                                .read_to_string(&mut text)
                                .map_err(|e| e.to_string())
                        });
                    match done {
                        Ok(_) => assert_eq!(text, "halfhalf"),
                        Err(e) => {
                            assert!(e.contains("it was aborted"), "{e}");
                            cut += 1
                        }
                    }
                    aborter.join().unwrap();
                    // One that nobody aborts is never hurt by the others.
                    assert_eq!(call(http, url).unwrap(), "halfhalf");
                }
                println!("{cut} of 400 cut");
            });
        }
    });
}
