//! What a call costs through the adapters, over clients that build the same request and parse the
//! same reply over the same HTTP stack. Real sockets; the server is a process of its own.
//!
//! `cargo run --release -p bench-clients` prints the table.

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bench_clients::{
    Hyper, Reqwest, Rmcp, Server, Session, Ureq, arguments, params, serve_if_asked,
};
use bench_measure::{Case, Cost, Plan, Row, Table, grouped, run_once, valgrind_is_there};
use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use mcp_http::{Config, Revision, asynchronous, blocking};

const HYPER: &str = "hyper's pool";
const ASYNCHRONOUS: &str = "mcp-http, asynchronous";
const UREQ: &str = "ureq";
const BLOCKING: &str = "mcp-http, blocking";

/// The most instructions and allocations that an adapter may cost over the stack below it.
const OVER: [(&str, &str, f64, Option<f64>); 2] = [
    (ASYNCHRONOUS, HYPER, 18_000.0, Some(16.0)),
    (BLOCKING, UREQ, 18_000.0, None),
];

/// Calls that are measured.
const TIMES: usize = 300;

/// So many calls are in flight where the throughput is measured, and so much of that of hyper's pool
/// is to be reached.
const IN_FLIGHT: usize = 64;
const THROUGHPUT: f64 = 0.97;
const CALLS: usize = IN_FLIGHT * 50;
const ROUNDS: usize = 7;
const DELAY: Duration = Duration::from_millis(20);

fn main() -> ExitCode {
    if serve_if_asked() {
        return ExitCode::SUCCESS;
    }
    let cases = cases();
    if run_once(&cases) {
        return ExitCode::SUCCESS;
    }
    let mut table = Table::new("A call, the client's side of it", None);
    let mut costs = Vec::new();
    for case in &cases {
        let cost = case.measure();
        let row = Row {
            name: &case.name,
            unit: "a call",
            ..Row::default()
        };
        table.row(row, cost);
        costs.push((case.name.as_str(), cost));
    }
    let cost = |name| costs.iter().find(|(other, _)| *other == name);
    for (over, under, instructions, allocations) in OVER {
        let (Some((_, over_cost)), Some((_, under_cost))) = (cost(over), cost(under)) else {
            continue;
        };
        let counts = over_cost.instructions.zip(under_cost.instructions);
        let more = Cost {
            instructions: counts.map(|(over, under)| over - under),
            allocations: over_cost.allocations - under_cost.allocations,
        };
        let row = Row {
            name: &format!("{over}, over {under}"),
            unit: "a call",
            most_instructions: Some(instructions),
            most_allocations: allocations,
        };
        table.row(row, more);
    }
    throughput(&mut table);
    if !valgrind_is_there() {
        eprintln!("error: there is no valgrind, so instructions were not counted");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn config(server: &Server) -> Config {
    let config = Config::new(&server.url()).expect("an endpoint");
    config.pin(Revision::V2025_11_25).listen(false)
}

fn cases() -> Vec<Case> {
    let case = |name: &str, run: fn(Plan, Server)| {
        Case::new(name, TIMES, move |plan| {
            run(plan, Server::start(Duration::ZERO))
        })
    };
    vec![
        case(HYPER, |plan, server| {
            one_by_one(plan, async || {
                let session = Session::new(&server.url(), Hyper::default());
                let params = params(&arguments(None));
                async move || drop(session.call(&params).await)
            })
        }),
        case(ASYNCHRONOUS, |plan, server| {
            one_by_one(plan, async || {
                let client = asynchronous::Client::spawn(config(&server));
                let params = params(&arguments(None));
                async move || drop(client.call("tools/call", &params).await.expect("a reply"))
            })
        }),
        case("reqwest", |plan, server| {
            one_by_one(plan, async || {
                let session = Session::new(&server.url(), Reqwest::default());
                let params = params(&arguments(None));
                async move || drop(session.call(&params).await)
            })
        }),
        case("rmcp 3.8 over reqwest", |plan, server| {
            one_by_one(plan, async || {
                let client = Rmcp::connect(&server.url()).await;
                let arguments = arguments(None);
                async move || assert!(client.call(&arguments).await)
            })
        }),
        case(UREQ, |plan, server| {
            let session = Session::new(&server.url(), Ureq::default());
            let params = params(&arguments(None));
            for _ in 0..plan.times {
                let call = session.call(&params).now_or_never();
                drop(call.expect("it is over when it is made"));
            }
        }),
        case(BLOCKING, |plan, server| {
            let client = blocking::Client::spawn(config(&server));
            let params = params(&arguments(None));
            for _ in 0..plan.times {
                drop(client.call("tools/call", &params).expect("a reply"));
            }
        }),
    ]
}

/// Calls one after the other, on one thread.
fn one_by_one<C: AsyncFnMut()>(plan: Plan, begin: impl AsyncFnOnce() -> C) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let mut call = begin().await;
        for _ in 0..plan.times {
            call().await;
        }
    });
}

/// Calls in a second where many are in flight, in turns, the median of some rounds: for others are at
/// work too.
fn throughput(table: &mut Table) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let server = Server::start(DELAY);
    let params = Arc::new(params(&arguments(None)));
    let [hyper, ours, rmcp] = runtime.block_on(async {
        let session = Arc::new(Session::new(&server.url(), Hyper::default()));
        let client = asynchronous::Client::spawn(config(&server));
        let rmcp = Arc::new(Rmcp::connect(&server.url()).await);
        let mut speeds: [Vec<f64>; 3] = Default::default();
        // The first round makes the connections.
        for round in 0..=ROUNDS {
            let of_hyper = in_flight(|| {
                let (session, params) = (Arc::clone(&session), Arc::clone(&params));
                async move { drop(session.call(&params).await) }
            });
            let of_hyper = of_hyper.await;
            let of_ours = in_flight(|| {
                let call = client.call("tools/call", &*params);
                async move { drop(call.await.expect("a reply")) }
            });
            let of_ours = of_ours.await;
            let of_rmcp = in_flight(|| {
                let rmcp = Arc::clone(&rmcp);
                async move { assert!(rmcp.call(&arguments(None)).await) }
            });
            let measured = [of_hyper, of_ours, of_rmcp.await];
            if round > 0 {
                for (speeds, speed) in speeds.iter_mut().zip(measured) {
                    speeds.push(speed);
                }
            }
        }
        speeds.map(|mut speeds| {
            speeds.sort_by(f64::total_cmp);
            speeds[speeds.len() / 2]
        })
    });
    let name = |of| format!("{IN_FLIGHT} in flight, a server of 20 ms: {of}");
    for (of, speed) in [(HYPER, hyper), (ASYNCHRONOUS, ours), ("rmcp 3.8", rmcp)] {
        table.figure(&name(of), &format!("{} /s", grouped(speed)), "", None);
    }
    let ratio = ours / hyper;
    table.figure(
        &format!("the same, {ASYNCHRONOUS} over {HYPER}"),
        &format!("{:.1} %", ratio * 100.0),
        &format!("≥ {:.0} %", THROUGHPUT * 100.0),
        Some(ratio >= THROUGHPUT),
    );
}

async fn in_flight<F>(mut call: impl FnMut() -> F) -> f64
where
    F: Future<Output = ()> + Send + 'static,
{
    let start = Instant::now();
    let mut under_way = FuturesUnordered::new();
    for _ in 0..CALLS {
        if under_way.len() == IN_FLIGHT {
            under_way.next().await;
        }
        under_way.push(tokio::spawn(call()));
    }
    while under_way.next().await.is_some() {}
    CALLS as f64 / start.elapsed().as_secs_f64()
}
