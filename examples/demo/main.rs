//! The main job, shown: a real MCP server forgets its sessions, goes away, refuses,
//! takes no old token, and every call gets its answer or a sentence that says why not.
//! And one application talks to a server of each revision.
//!
//! `cargo run --all-features --example demo`; with `-- serve` behind it the server
//! alone is started, and its address printed.
//!
//! The server is the official Rust SDK's, in the same process, on a free loopback
//! port. The story goes to stderr, one line of figures for each scene (for each
//! server in that of the eras) to stdout, counted on the server's side. The exit code
//! is 0 only if every scene kept its promise.

#![allow(clippy::expect_used, clippy::print_stdout, clippy::print_stderr)]

mod balancer;
mod caller;
mod cutter;
mod eras;
mod http_sse;
mod server;

use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use balancer::Balancer;
use caller::{Adapter, Caller};
use cutter::Cutter;
use eras::eras;
use mcp_http::{Authorize, Binding, CallOptions, Config, Delivery, Error, Revision};
use serde_json::{Value, json};
use server::{ProtocolVersion, Server, StreamableHttpServerConfig, Then};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// What a scene came to, as the server saw it.
struct Figures {
    adapter: Adapter,
    scene: &'static str,
    answered: usize,
    failed: usize,
    initialize: u64,
    requests: u64,
    executed_twice: Option<usize>,
    gets: Option<u64>,
    /// How often the client was asked for a credential.
    authorizations: Option<usize>,
    era: Option<Era>,
    /// Whether it is what the scene promises.
    kept: bool,
}

/// What the client found out about a server, and heard from it.
struct Era {
    revision: Option<Revision>,
    binding: Option<Binding>,
    steps: usize,
    /// Whether what was cancelled stopped there.
    stopped: bool,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "scene={:<9} adapter={:<12} answered={:<3} failed={} initialize={} requests={}",
            self.scene,
            self.adapter.name(),
            self.answered,
            self.failed,
            self.initialize,
            self.requests
        )?;
        if let Some(twice) = self.executed_twice {
            write!(f, " executed_twice={twice}")?;
        }
        if let Some(gets) = self.gets {
            write!(f, " gets={gets}")?;
        }
        if let Some(times) = self.authorizations {
            write!(f, " authorizations={times}")?;
        }
        if let Some(era) = &self.era {
            let cancelled = u8::from(era.stopped);
            write!(f, " steps={} cancelled={cancelled}", era.steps)?;
            if let (Some(revision), Some(binding)) = (era.revision, era.binding) {
                write!(f, " revision={revision} binding={binding}")?;
            }
        }
        Ok(())
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|word| word == "serve") {
        return serve().await;
    }
    match run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("\nA scene broke its promise.");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("\nThe demo could not go on: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Only the server, for programs that want one to talk to.
/// `serve`, and perhaps the newest revision that the server is to speak.
async fn serve() -> ExitCode {
    let server = Server::start().await;
    let newest = std::env::args().nth(2).unwrap_or_default();
    let mut known = ProtocolVersion::KNOWN_VERSIONS.iter();
    if let Some(newest) = known.find(|version| version.as_str() == newest) {
        server.speak_up_to(newest.clone());
    }
    println!("{}", server.url());
    std::future::pending().await
}

async fn run() -> Result<bool, Error> {
    let mut kept = true;
    for adapter in [Adapter::Asynchronous, Adapter::Blocking] {
        kept &= show(&hello(adapter).await?);
        kept &= show(&forget(adapter).await?);
        kept &= show(&refuse(adapter).await?);
        kept &= show(&come_back(adapter).await?);
        kept &= show(&cut(adapter).await?);
        kept &= show(&stateless(adapter).await?);
        kept &= show(&authorize(adapter).await?);
        kept &= eras(adapter).await?;
    }
    Ok(kept)
}

fn show(figures: &Figures) -> bool {
    println!("{figures}");
    figures.kept
}

/// The scenes are about sessions; the server speaks newer revisions as well.
fn config(server: &Server) -> Result<Config, Error> {
    Ok(Config::new(&server.url())?.pin(Revision::V2025_11_25))
}

async fn connect(adapter: Adapter, server: &Server) -> Result<Caller, Error> {
    let client = adapter.client(config(server)?);
    client.ready().await?;
    Ok(client)
}

fn work(key: &str) -> Value {
    json!({ "name": "work", "arguments": { "key": key } })
}

async fn hello(adapter: Adapter) -> Result<Figures, Error> {
    eprintln!("\nHello. A client connects to a server and calls a tool.");
    let server = Server::start().await;
    let client = connect(adapter, &server).await?;
    let result = client
        .call("tools/call", work("hello"), CallOptions::new())
        .await?;
    eprintln!(
        "  The tool says: {}",
        text(&result.deserialize().unwrap_or_default())
    );
    let count = server.count();
    client.close().await;
    Ok(Figures {
        adapter,
        scene: "hello",
        answered: 1,
        failed: 0,
        initialize: count.initialize,
        requests: count.posts,
        executed_twice: None,
        gets: None,
        authorizations: None,
        era: None,
        kept: count.initialize == 1 && count.posts == 3,
    })
}

async fn forget(adapter: Adapter) -> Result<Figures, Error> {
    const CALLS: usize = 100;
    eprintln!("\nForget. {CALLS} calls are on their way when the server forgets all its sessions.");
    let server = Server::start().await;
    let client = connect(adapter, &server).await?;
    server.reset_counts();
    server.gate(CALLS, Then::Forget);
    let outcomes = all(&client, CALLS, "forget", &CallOptions::new()).await;
    let count = server.count();
    let executions = server.executions();
    let twice = executions.values().filter(|times| **times > 1).count();
    let answered = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    eprintln!("  Each of them was answered 404, one new session was made, each was sent again.");
    client.close().await;
    Ok(Figures {
        adapter,
        scene: "forget",
        answered,
        failed: outcomes.len().saturating_sub(answered),
        initialize: count.initialize,
        requests: count.posts,
        executed_twice: Some(twice),
        gets: None,
        authorizations: None,
        era: None,
        kept: answered == CALLS
            && executions.len() == CALLS
            && twice == 0
            && count.initialize == 1
            && count.posts == 202,
    })
}

async fn refuse(adapter: Adapter) -> Result<Figures, Error> {
    eprintln!("\nRefuse. The address is not that of an MCP server: it answers 404 to everything.");
    let server = Server::start().await;
    server.refuse(true);
    let client = adapter.client(config(&server)?);
    let outcomes = all(&client, 3, "refuse", &CallOptions::new()).await;
    // If anything were to be tried again, it would be now.
    sleep(Duration::from_millis(2500)).await;
    let count = server.count();
    let errors: Vec<&Error> = outcomes
        .iter()
        .filter_map(|outcome| outcome.as_ref().err())
        .collect();
    if let Some(error) = errors.first() {
        eprintln!("  Three calls share one failed handshake, and each hears:\n  {error}");
    }
    client.close().await;
    Ok(Figures {
        adapter,
        scene: "refuse",
        answered: outcomes.len().saturating_sub(errors.len()),
        failed: errors.len(),
        initialize: count.initialize,
        requests: count.posts,
        executed_twice: None,
        gets: None,
        authorizations: None,
        era: None,
        kept: errors.len() == 3
            && errors
                .iter()
                .all(|error| error.delivery() == Delivery::NotSent)
            && count.initialize == 1
            && count.posts == 1,
    })
}

async fn come_back(adapter: Adapter) -> Result<Figures, Error> {
    const CALLS: usize = 5;
    eprintln!(
        "\nReturn. The server goes away for three seconds and comes back without its sessions."
    );
    let server = Server::start().await;
    let client = connect(adapter, &server).await?;
    client
        .call("tools/call", work("before"), CallOptions::new())
        .await?;
    server.stop().await;
    server.reset_counts();

    let began = Instant::now();
    let impatient = all(&client, CALLS, "impatient", &CallOptions::new()).await;
    let told = began.elapsed();
    let patience = CallOptions::new().wait_for_server(Duration::from_secs(30));
    let patient = {
        let client = client.clone();
        tokio::spawn(async move { all(&client, CALLS, "patient", &patience).await })
    };
    sleep(Duration::from_secs(3)).await;
    server.start_again_on_same_port().await;
    let patient = patient.await.unwrap_or_default();
    eprintln!(
        "  Calls that cannot wait were told so within {told:.0?}; those that can were answered."
    );
    let after = all(&client, CALLS, "after", &CallOptions::new()).await;
    eprintln!("  Afterwards all is as before, and nobody restarted anything.");

    let count = server.count();
    let executions = server.executions();
    let twice = executions.values().filter(|times| **times > 1).count();
    let unsent = |outcome: &Result<Value, Error>| matches!(outcome, Err(error) if error.delivery() == Delivery::NotSent);
    let outcomes = [&impatient, &patient, &after];
    let answered = outcomes
        .iter()
        .flat_map(|some| some.iter())
        .filter(|one| one.is_ok())
        .count();
    client.close().await;
    Ok(Figures {
        adapter,
        scene: "return",
        answered,
        failed: (3 * CALLS).saturating_sub(answered),
        initialize: count.initialize,
        requests: count.posts,
        executed_twice: Some(twice),
        gets: None,
        authorizations: None,
        era: None,
        kept: impatient.iter().all(unsent)
            && impatient.len() == CALLS
            && answered == 2 * CALLS
            && twice == 0
            && executions.len() == 2 * CALLS + 1
            && count.initialize == 1,
    })
}

async fn cut(adapter: Adapter) -> Result<Figures, Error> {
    const CALLS: usize = 20;
    const STEPS: u64 = 12;
    eprintln!(
        "\nCut. {CALLS} calls stream their progress through a proxy that cuts each stream three times."
    );
    let primed =
        StreamableHttpServerConfig::default().with_sse_retry(Some(Duration::from_millis(100)));
    let server = Server::start_with(primed).await;
    // What is cut is sent again from the last event on, which this server repeats: four
    // messages, of which the first one is an old one in all streams but the first.
    let cutter = Cutter::start(server.address(), 4).await;
    let config = Config::new(&cutter.url())?
        .pin(Revision::V2025_11_25)
        .listen(false);
    let client = adapter.client(config);
    client.ready().await?;
    server.reset_counts();
    let progress = client.progress();
    let options = CallOptions::new()
        .progress()
        .time_out(Duration::from_secs(60));
    let mut set = JoinSet::new();
    for number in 0..CALLS {
        let params = json!({ "name": "work", "arguments": {
            "key": format!("cut-{number}"), "ms": 1200, "steps": STEPS, "rest": 2000,
        } });
        set.spawn(client.call("tools/call", params, options.clone()));
    }
    let outcomes = set.join_all().await;
    let answered = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let count = server.count();
    let executions = server.executions();
    let twice = executions.values().filter(|times| **times > 1).count();
    let steps: Vec<u64> = (1..=STEPS).collect();
    let heard = progress.of_each_call();
    let whole = heard.iter().filter(|heard| **heard == steps).count();
    eprintln!(
        "  {} streams were cut; of {whole} calls each of the {STEPS} steps was heard once, in order.",
        cutter.cuts()
    );
    client.close().await;
    Ok(Figures {
        adapter,
        scene: "cut",
        answered,
        failed: CALLS.saturating_sub(answered),
        initialize: count.initialize,
        requests: count.posts,
        executed_twice: Some(twice),
        gets: Some(count.gets),
        authorizations: None,
        era: None,
        kept: answered == CALLS
            && whole == CALLS
            && twice == 0
            && executions.len() == CALLS
            && count.initialize == 0
            && count.posts == 20
            && count.gets == cutter.cuts()
            && cutter.cuts() >= 60,
    })
}

async fn stateless(adapter: Adapter) -> Result<Figures, Error> {
    const CALLS: usize = 20;
    eprintln!(
        "\nStateless. Two servers behind a balancer that sends each request to the other one; \
         {CALLS} calls at once, then one that asks a question."
    );
    let servers = [Server::start().await, Server::start().await];
    let balancer = Balancer::start(&servers.each_ref().map(Server::address)).await;
    let config = Config::new(&balancer.url())?
        .pin(Revision::V2026_07_28)
        .capabilities(&json!({ "elicitation": {} }))?;
    let client = adapter.client(config);
    client.ready().await?;
    client.answers(json!({ "action": "accept", "content": { "name": "Ada" } }));
    let outcomes = all(&client, CALLS, "stateless", &CallOptions::new()).await;
    let asked = client
        .call("tools/call", json!({ "name": "ask" }), CallOptions::new())
        .await?;
    let asked: Value = asked.deserialize().unwrap_or_default();
    eprintln!("  The tool says: {}", text(&asked));
    client.close().await;
    let answered = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let counts = servers.each_ref().map(Server::count);
    let executions = servers.each_ref().map(Server::executions);
    let all: Vec<u32> = executions
        .iter()
        .flat_map(|executions| executions.values().copied())
        .collect();
    let sessions = servers[0].sessions().await + servers[1].sessions().await;
    let [first, second] = servers
        .each_ref()
        .map(|server| server.address().to_string());
    let crossed = [(&first, &second), (&second, &first)]
        .iter()
        .any(|(a, b)| text(&asked) == format!("hello Ada, asked by {a}, answered by {b}"));
    Ok(Figures {
        adapter,
        scene: "stateless",
        answered: answered + usize::from(crossed),
        failed: CALLS.saturating_sub(answered),
        initialize: counts[0].initialize + counts[1].initialize,
        requests: counts[0].posts + counts[1].posts,
        executed_twice: Some(all.iter().filter(|times| **times > 1).count()),
        gets: Some(counts[0].gets + counts[1].gets),
        authorizations: None,
        era: None,
        // One discovery, the calls, and two requests for the one that asks.
        kept: answered == CALLS
            && crossed
            && all == [1; CALLS]
            && executions
                .iter()
                .all(|executions| executions.len() >= CALLS / 3)
            && counts
                .iter()
                .all(|count| count.initialize + count.gets + count.deletes == 0)
            && counts[0].posts + counts[1].posts == 3 + CALLS as u64
            && sessions == 0,
    })
}

async fn authorize(adapter: Adapter) -> Result<Figures, Error> {
    const CALLS: usize = 50;
    eprintln!("\nAuthorize. {CALLS} calls are on their way when their token expires.");
    let server = Server::start().await;
    server.require("morning");
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let log_in = move |question: Authorize| {
        count.fetch_add(1, Ordering::SeqCst);
        let challenge = question.challenges.first()?;
        eprintln!(
            "  The server says {} and asks for the scope `{}`: a person logs in.",
            challenge.error()?,
            challenge.scope()?
        );
        Some("Bearer evening".to_owned())
    };
    let config = config(&server)?.bearer("morning")?;
    let takes = Duration::from_millis(500);
    let client = adapter.client_with_credentials(config, takes, log_in);
    client.ready().await?;
    server.reset_counts();
    server.gate(CALLS, Then::Require("evening"));
    let outcomes = all(&client, CALLS, "authorize", &CallOptions::new()).await;
    let count = server.count();
    let executions = server.executions();
    let twice = executions.values().filter(|times| **times > 1).count();
    let answered = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let asked = asked.load(Ordering::SeqCst);
    eprintln!("  Each of them was answered 401, one was asked, each was sent once more.");
    client.close().await;
    Ok(Figures {
        adapter,
        scene: "authorize",
        answered,
        failed: outcomes.len().saturating_sub(answered),
        initialize: count.initialize,
        requests: count.posts,
        executed_twice: Some(twice),
        gets: None,
        authorizations: Some(asked),
        era: None,
        kept: answered == CALLS
            && executions.len() == CALLS
            && twice == 0
            && asked == 1
            && count.initialize == 0
            && count.posts == 100
            && server.sessions().await == 0,
    })
}

/// Makes this many calls at once, each with a key of its own.
async fn all(
    client: &Caller,
    calls: usize,
    name: &str,
    options: &CallOptions,
) -> Vec<Result<Value, Error>> {
    let mut set = JoinSet::new();
    for number in 0..calls {
        let params = work(&format!("{name}-{number}"));
        let call = client.call("tools/call", params, options.clone());
        set.spawn(async { Ok(call.await?.deserialize().unwrap_or_default()) });
    }
    set.join_all().await
}

/// The text of a tool's result.
fn text(result: &Value) -> &str {
    result
        .pointer("/content/0/text")
        .and_then(Value::as_str)
        .unwrap_or_default()
}
