//! `bare`: what an embedder has to do, and its HTTP/1.1 against servers of every kind.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::script::{Act, Arrived, STREAM, Script, usual};
use crate::server::Server;
use crate::{Ran, run, work};

#[tokio::test]
async fn an_ask_is_answered_while_its_stream_is_open() {
    let server = Server::start().await;
    let ask = r#"{ "name": "ask" }"#;
    let ran = run("bare", &[&server.url(), "tools/call", ask]).await;
    assert!(ran.success, "{}", ran.stderr);
    assert!(ran.stdout.contains("declined"), "{}", ran.stdout);
}

#[tokio::test]
async fn a_call_times_out_and_its_session_ends() {
    let server = Server::start().await;
    let work = work("slow", 600_000);
    let ran = run("bare", &[&server.url(), "tools/call", &work, "1"]).await;
    assert!(!ran.success);
    assert!(ran.stderr.contains("no reply came"), "{}", ran.stderr);
    assert_eq!(server.executions()["slow"], 1);
    assert_eq!(server.sessions().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_socket_of_a_call_that_timed_out_is_closed() {
    let open = Arc::new(OnceLock::<Arc<AtomicUsize>>::new());
    let (sockets, alone) = (Arc::clone(&open), Arc::new(AtomicBool::new(false)));
    let only = Arc::clone(&alone);
    let script = Script::start(move |arrived| {
        if arrived.calls() == "tools/call" {
            return Act::Hang(STREAM.to_owned());
        }
        if arrived.method == "DELETE" {
            // The answer waits until this is the only socket left.
            let until = Instant::now() + Duration::from_secs(20);
            while Instant::now() < until && !only.load(Ordering::SeqCst) {
                let count = sockets.get().unwrap().load(Ordering::SeqCst);
                only.store(count == 1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        usual(arrived)
    })
    .await;
    open.set(Arc::clone(&script.open)).unwrap();
    let ran = run("bare", &[&script.url(), "tools/call", "{}", "1"]).await;
    assert!(ran.stderr.contains("no reply came"), "{}", ran.stderr);
    assert!(alone.load(Ordering::SeqCst), "it stayed open");
}

/// Runs `bare` against a server that answers its call so, to the letter.
async fn bare(answer: impl Fn(&Arrived) -> Act + Send + Sync + 'static) -> Ran {
    let script = Script::start(move |arrived| match arrived.calls() {
        "tools/call" => answer(arrived),
        _ => usual(arrived),
    })
    .await;
    run("bare", &[&script.url(), "tools/call", "{}", "2"]).await
}

#[tokio::test]
async fn every_way_to_end_a_body_is_understood() {
    type Way = fn(&str) -> String;
    let ways: [(&str, Way); 5] = [
        ("sized", |body| {
            let size = body.len();
            format!("content-length: {size}\r\n\r\n{body}and more")
        }),
        ("to close", |body| format!("\r\n{body}")),
        ("one chunk", |body| {
            let size = body.len();
            format!("Transfer-Encoding: Chunked\r\n\r\n{size:X}; a=b\r\n{body}\r\n0\r\n\r\n")
        }),
        ("chunks of a byte", |body| {
            let chunk = |byte| format!("1\r\n{byte}\r\n");
            let chunks: String = body.chars().map(chunk).collect();
            format!("transfer-encoding: chunked\r\n\r\n{chunks}0\r\nx-trailer: t\r\n\r\n")
        }),
        ("chunked, with a length too", |body| {
            let (first, last) = body.split_at(1);
            let size = last.len();
            let head = "content-length: 3\r\ntransfer-encoding: chunked";
            format!("{head}\r\n\r\n1\r\n{first}\r\n{size:x}\r\n{last}\r\n00\r\n\r\n")
        }),
    ];
    for (name, way) in ways {
        let ran = bare(move |arrived| {
            let body = json!({ "jsonrpc": "2.0", "id": arrived.message["id"], "result": {} });
            let body = way(&body.to_string());
            let interim = "HTTP/1.1 103 Early Hints\r\nlink: </>\r\n\r\n";
            let head = "HTTP/1.1 200\r\nContent-Type:application/json \r\n";
            Act::Close(format!("{interim}{head}{body}"))
        })
        .await;
        assert!(ran.success, "{name}: {}", ran.stderr);
        assert_eq!(ran.stdout.trim(), "{}", "{name}");
    }
}

#[tokio::test]
async fn what_is_no_http_is_refused() {
    const JSON: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    let cases = [
        ("", "too early"),
        ("HTTP/1.1 200 OK\r\ncontent-le", "too early"),
        ("SSH-2.0-OpenSSH_9.6\r\n\r\n", "no HTTP/1.1"),
        ("HTTP/2 200\r\n\r\n", "no HTTP/1.1"),
        ("HTTP/1.1 2000 OK\r\n\r\n", "no HTTP/1.1"),
        ("HTTP/1.1\r\n\r\n", "no HTTP/1.1"),
        ("\r\n\r\n", "no HTTP/1.1"),
        ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "no HTTP/1.1"),
        (
            "HTTP/1.1 200 OK\r\na: b\r\n folded: c\r\n\r\n",
            "no HTTP/1.1",
        ),
        ("{JSON}content-length: 5\r\n\r\n{}", "too early"),
        ("{JSON}content-length: -5\r\n\r\n", "no HTTP/1.1"),
        (
            "{JSON}content-length: 99999999999999999999\r\n\r\n",
            "no HTTP/1.1",
        ),
        (
            "{JSON}content-length: 2\r\ncontent-length: 3\r\n\r\n{}",
            "no HTTP/1.1",
        ),
        ("{JSON}transfer-encoding: gzip\r\n\r\n", "no HTTP/1.1"),
        ("{CHUNKED}5\r\n{}", "too early"),
        ("{CHUNKED}2\r\n{}\r\n", "too early"),
        ("{CHUNKED}2\r\n{}and more\r\n", "no HTTP/1.1"),
        ("{CHUNKED}-2\r\n{}\r\n", "no HTTP/1.1"),
        ("{CHUNKED}\r\n", "no HTTP/1.1"),
        ("{CHUNKED}fffffffffffffffff\r\n", "no HTTP/1.1"),
        ("{CHUNKED}ffffffffffffffff\r\n{}", "too early"),
    ];
    for (answer, why) in cases {
        let chunked = format!("{JSON}transfer-encoding: chunked\r\n\r\n");
        let text = answer.replace("{JSON}", JSON);
        let text = text.replace("{CHUNKED}", &chunked);
        let ran = bare(move |_| Act::Close(text.clone())).await;
        assert!(!ran.success && ran.stdout.is_empty(), "{answer:?}");
        assert!(ran.stderr.contains(why), "{answer:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    }
}

#[tokio::test]
async fn an_answer_without_end_holds_nothing_up() {
    let chunked = STREAM.replace("\r\n\r\n", "\r\ntransfer-encoding: chunked\r\n\r\n");
    let cases = [
        ("HTTP/1.1 200 OK\r\n", "a: b\r\n", "too long"),
        (&*chunked, "0", "too long"),
        ("", "HTTP/1.1 100 Continue\r\n\r\n", "no reply came"),
        (STREAM, ": alive\n\n", "no reply came"),
    ];
    for (head, again, why) in cases {
        let head = head.to_owned();
        let ran = bare(move |_| Act::Flood(head.clone(), again.repeat(100))).await;
        assert!(!ran.success, "{again:?}");
        assert!(ran.stderr.contains(why), "{again:?}: {}", ran.stderr);
    }
}
