//! A server of 2025-11-25 forgets its sessions, and 100 calls are made: after how many round trips of
//! 20 ms the last is answered. The floor is the least that does it, over hyper's pool.
//!
//! `cargo run --release -p bench-recovery` prints the table; each row takes some seconds.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bench_clients::{Hyper, Rmcp, Server, Session, arguments, params, serve_if_asked};
use bench_measure::{Table, grouped};
use mcp_http::asynchronous::Client;
use mcp_http::{Config, Revision};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout_at};

const CALLS: usize = 100;
const ROUND_TRIP: Duration = Duration::from_millis(20);

/// So many round trips more than the floor may be taken.
const OVER: f64 = 0.3;

/// The least time from one handshake to the next is a second, with us.
const OLD: Duration = Duration::from_millis(1_200);

/// How often each scene is played, in turns.
const TIMES: usize = 9;

/// For how long what is called beside them in the old session works.
const SCENES: [(&str, Option<u64>); 3] = [
    ("100 calls", None),
    ("the same beside one call of 2 s", Some(2_000)),
    ("the same beside one call of 8 s", Some(8_000)),
];

fn main() -> ExitCode {
    if serve_if_asked() {
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut table = Table::of("A session is forgotten", "round trips");
    for (scene, neighbour) in SCENES {
        let play = |who, seen: &mut Seen| runtime.block_on(play(who, neighbour, seen));
        let [mut floor, mut ours, mut rmcp] = [(); 3].map(|()| Seen::nothing());
        for _ in 0..TIMES {
            play(Who::Floor, &mut floor);
            play(Who::Ours, &mut ours);
            play(Who::Rmcp, &mut rmcp);
        }
        for seen in [&mut floor, &mut ours, &mut rmcp] {
            runtime.block_on(seen.see_neighbours(neighbour));
        }
        for (who, seen) in [("floor", &floor), ("rmcp 3.8", &rmcp)] {
            table.figure(&format!("{scene}: {who}"), &seen.figure(), "", None);
        }
        let most = floor.usual() + OVER;
        let mark = match neighbour {
            None => format!("≤ {}", grouped(most)),
            Some(_) => format!("≤ {}, neighbour finishes", grouped(most)),
        };
        let met = ours.usual() <= most && ours.finished != Some(false) && ours.answered;
        table.figure(
            &format!("{scene}: mcp-http"),
            &ours.figure(),
            &mark,
            Some(met),
        );
    }
    println!("\n{NOTE}");
    ExitCode::SUCCESS
}

const NOTE: &str = "\
A call is refused, a session is made in two round trips, the call is made again: so there are four, and
what it takes to do that for 100. The median of nine plays, in turns, and the best of them.
`+`: the neighbour in the old session was answered; `-`: it failed, or was not done in time.";

#[derive(Clone, Copy)]
enum Who {
    Floor,
    Ours,
    Rmcp,
}

/// A client of any kind.
#[derive(Clone)]
enum Calls {
    Floor(Arc<Session<Hyper>>),
    Ours(Client),
    Rmcp(Arc<Rmcp>),
}

impl Calls {
    async fn connect(who: Who, url: &str) -> Self {
        match who {
            Who::Floor => Self::Floor(Arc::new(Session::new(url, Hyper::default()))),
            Who::Ours => {
                let config = Config::new(url).expect("an endpoint");
                Self::Ours(Client::spawn(
                    config.pin(Revision::V2025_11_25).listen(false),
                ))
            }
            Who::Rmcp => Self::Rmcp(Arc::new(Rmcp::connect(url).await)),
        }
    }

    /// Makes a call. Whether it was answered.
    fn call(&self, ms: Option<u64>) -> JoinHandle<bool> {
        let (client, arguments) = (self.clone(), arguments(ms));
        tokio::spawn(async move {
            match client {
                Self::Floor(session) => {
                    session.call(&params(&arguments)).await;
                    true
                }
                Self::Ours(client) => client.call("tools/call", params(&arguments)).await.is_ok(),
                Self::Rmcp(client) => client.call(&arguments).await,
            }
        })
    }

    /// So many calls at once, all of them answered.
    async fn many(&self) -> bool {
        let calls: Vec<_> = (0..CALLS).map(|_| self.call(None)).collect();
        let mut answered = true;
        for call in calls {
            answered &= call.await.unwrap_or(false);
        }
        answered
    }
}

/// What was seen of some plays.
struct Seen {
    /// Until the last answer, of each play.
    trips: Vec<f64>,
    /// Those that are still under way, and their servers.
    neighbours: Vec<(Server, Calls, JoinHandle<bool>)>,
    /// Whether each was answered, if there were any.
    finished: Option<bool>,
    /// Whether all calls were.
    answered: bool,
}

impl Seen {
    fn nothing() -> Self {
        Self {
            trips: Vec::new(),
            neighbours: Vec::new(),
            finished: None,
            answered: true,
        }
    }

    async fn see_neighbours(&mut self, ms: Option<u64>) {
        let enough = Duration::from_millis(ms.unwrap_or_default()) + Duration::from_secs(5);
        let enough = tokio::time::Instant::now() + enough;
        for (server, client, neighbour) in self.neighbours.drain(..) {
            let done = timeout_at(enough, neighbour).await;
            let finished = matches!(done, Ok(Ok(true)));
            self.finished = Some(self.finished.unwrap_or(true) && finished);
            drop((client, server));
        }
    }

    /// The median.
    fn usual(&self) -> f64 {
        let mut trips = self.trips.clone();
        trips.sort_by(f64::total_cmp);
        trips[trips.len() / 2]
    }

    fn best(&self) -> f64 {
        self.trips.iter().copied().fold(f64::INFINITY, f64::min)
    }

    fn figure(&self) -> String {
        let neighbour = match self.finished {
            None => "",
            Some(true) => " +",
            Some(false) => " -",
        };
        let answered = if self.answered { "" } else { ", some failed" };
        let (usual, best) = (self.usual(), self.best());
        format!(
            "{} ({}){neighbour}{answered}",
            grouped(usual),
            grouped(best)
        )
    }
}

async fn play(who: Who, neighbour: Option<u64>, seen: &mut Seen) {
    let server = Server::start(ROUND_TRIP);
    let client = Calls::connect(who, &server.url()).await;
    // The connections that 100 calls take are there.
    assert!(client.many().await, "the server is well");
    let beside = neighbour.map(|ms| client.call(Some(ms)));
    sleep(OLD).await;
    server.forget();
    let start = Instant::now();
    seen.answered &= client.many().await;
    let trips = start.elapsed().as_secs_f64() / ROUND_TRIP.as_secs_f64();
    seen.trips.push(trips);
    if let Some(beside) = beside {
        seen.neighbours.push((server, client, beside));
    }
}
