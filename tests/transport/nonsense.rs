//! Servers that talk nonsense.

use std::io::{Read, Write};
use std::sync::Mutex;

use mcp_http::blocking::{Abort, Http, Transport};

use crate::support::*;

/// Whatever a server says: an end, no panic, and no secret in what is said of it (law 9).
#[test]
fn nonsense() {
    let _alone = alone();
    let parts = [
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 101 Switching\r\n",
        "HTTP/1.0 200 OK\r\n",
        "HTTP/1.1 204 No\r\n",
        "HTTP/1.1 304 No\r\n",
        "HTTP/1.1 302 F\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 103 Hint\r\n\r\n",
        "HTTP/1.1 100 Continue\r\nx: y\r\n\r\n",
        "content-length: 4\r\n",
        "content-length: 0\r\n",
        "content-length: 99999999999999999999\r\n",
        "content-length: -1\r\n",
        "transfer-encoding: chunked\r\n",
        "transfer-encoding: gzip\r\n",
        "connection: close\r\n",
        "connection: keep-alive\r\n",
        "location: /x\r\n",
        "location: \u{ff}\r\n",
        "content-encoding: br\r\n",
        "content-type: text/html; charset=latin1\r\n",
        "\r\n",
        "\r\n",
        "\r\n",
        "4\r\nhalf\r\n",
        "0\r\n\r\n",
        "0\r\n",
        "ffffffffffffffff\r\n",
        "+4\r\nhalf\r\n",
        "-1\r\n",
        "fffffffffffffffffff\r\n",
        "half",
        "\r",
        "\n",
        "\0",
        "x: y\r\n",
        "set-cookie: MARKED\r\n",
        "MARKED\r\n",
    ];
    let (tx, rx) = channel::<(Vec<u8>, usize)>();
    let rx = Mutex::new(rx);
    let server = Server::start(move |mut s| {
        if read_request(&mut s).is_none() {
            return;
        }
        let (says, at) = rx.lock().unwrap().recv().unwrap();
        let _ = s.write_all(&says[..at]);
        if at < says.len() {
            std::thread::sleep(std::time::Duration::from_micros(200));
            let _ = s.write_all(&says[at..]);
        }
    });
    let mut random = 12345u64;
    let mut next = move |n: usize| {
        random = random
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (random >> 33) as usize % n
    };
    let (mut heads, mut bodies) = (0, 0);
    for _ in 0..3_000 {
        let mut says = Vec::new();
        if next(4) > 0 {
            says.extend_from_slice(parts[next(6)].as_bytes());
        }
        for _ in 0..next(8) {
            says.extend_from_slice(parts[next(parts.len())].as_bytes());
        }
        let at = next(says.len() + 1);
        say(&tx, (says, at));
        let method = ["POST", "GET", "DELETE"][next(3)];
        let r = http::Request::builder()
            .method(method)
            .uri(server.url() + "?key=MARKED")
            .header("authorization", "Bearer MARKED")
            .body(bytes::Bytes::from("MARKED"))
            .unwrap();
        // A pool of its own, so that the connection is not used again.
        let shown = match Http::new().send(r, &Abort::new()) {
            Ok(r) => {
                heads += 1;
                let mut body = r.into_body();
                match body.read_to_end(&mut Vec::new()) {
                    Ok(_) => {
                        bodies += 1;
                        format!("{body:?}")
                    }
                    Err(error) => format!("{body:?} {error} {error:?}"),
                }
            }
            Err(failure) => format!("{failure} {failure:?}"),
        };
        assert!(!shown.contains("MARKED"), "{shown}");
    }
    println!("{heads} heads, {bodies} bodies");
    assert!(bodies > 0 && heads > bodies);
}
