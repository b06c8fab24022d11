//! What an idle connection takes up: after its handshake and one reply, with a session id of 32 bytes
//! and no listening stream.
//!
//! `cargo run --release -p bench-memory` makes a million of them, or `-- 1000`, and prints what each
//! takes; it fails if that is too much.

use std::mem::size_of;
use std::process::ExitCode;
use std::{env, fs};

use bench_machine::Driver;
use bench_measure::{Table, grouped, in_use};
use mcp_http::{Connection, Revision};

/// So many at once, if nobody says otherwise.
const CONNECTIONS: usize = 1_000_000;

/// The most bytes that one may take, the connection itself included.
const MOST: f64 = 2_048.0;

fn main() -> ExitCode {
    let connections = match env::args().nth(1).map(|number| number.parse()) {
        None => CONNECTIONS,
        Some(Ok(number)) => number,
        Some(Err(error)) => {
            eprintln!("error: how many connections? {error}");
            return ExitCode::FAILURE;
        }
    };
    let before = (in_use(), resident());
    let mut all = Vec::with_capacity(connections);
    let kept = {
        let before = in_use();
        let kept = idle();
        // What one has beside it if nobody says that it may let go.
        let heap = in_use() - before;
        all.push(kept);
        heap
    };
    all.extend((1..connections).map(|_| {
        let mut connection = idle();
        connection.shrink_to_fit();
        connection
    }));
    let each = |bytes: usize| bytes as f64 / connections as f64;
    let asked = each(in_use() - before.0);
    let mut table = Table::of(
        &format!("{} idle connections", grouped(connections as f64)),
        "bytes each",
    );
    let connection = size_of::<Connection>();
    table.figure(
        "the connection itself",
        &grouped(connection as f64),
        "",
        None,
    );
    table.figure(
        "all in all, asked of the allocator",
        &grouped(asked),
        &format!("≤ {}", grouped(MOST)),
        Some(asked <= MOST),
    );
    let seen = before
        .1
        .zip(resident())
        .map(|(before, now)| each(now - before));
    table.figure(
        "all in all, in the memory of the process",
        &seen.map_or("-".to_owned(), grouped),
        "",
        None,
    );
    let busy = {
        let before = in_use();
        let mut busy = busy();
        busy.shrink_to_fit();
        (busy, in_use() - before)
    };
    let after_work = (connection + busy.1) as f64;
    table.figure(
        "one that had all kinds of work, and has none now",
        &grouped(after_work),
        &format!("≤ {}", grouped(MOST)),
        Some(after_work <= MOST),
    );
    table.figure(
        "one that has not been told to let go, all in all",
        &grouped((connection + kept) as f64),
        "",
        None,
    );
    assert!(
        all.iter()
            .all(|connection| connection.status().generation == 1)
    );
    if asked.max(after_work) > MOST {
        eprintln!("error: an idle connection takes too much room");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn idle() -> Connection {
    let mut driver = Driver::usual(Revision::V2025_11_25);
    let number = driver.next_number();
    let call = driver.call();
    let reply = format!(r#"{{"jsonrpc":"2.0","id":{number},"result":{{"content":[]}}}}"#);
    driver.answer(call, reply.into());
    driver.into_connection()
}

/// One that had many calls and streams at once, some of which ran out of time.
fn busy() -> Connection {
    let mut driver = Driver::usual(Revision::V2025_11_25);
    let open: Vec<_> = (0..60)
        .map(|_| (driver.next_number(), driver.call()))
        .collect();
    for (number, call) in open {
        let reply = format!(r#"{{"jsonrpc":"2.0","id":{number},"result":{{"content":[]}}}}"#);
        if number % 3 == 0 {
            driver.open_stream(call);
            let log = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{}}"#;
            driver.chunk(
                call,
                format!("id: {number}\ndata: {log}\n\n").repeat(9).into(),
            );
            for _ in 0..9 {
                drop(driver.message());
            }
            driver.chunk(call, format!("data: {reply}\n\n").into());
            assert!(driver.has_event(), "the reply is there");
        } else if number % 3 == 1 {
            driver.answer(call, reply.into());
        }
    }
    while driver.connection().status().open_calls > 0 {
        driver.wait();
    }
    driver.into_connection()
}

/// The memory that this process has, where the system says it.
fn resident() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: usize = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib << 10)
}
