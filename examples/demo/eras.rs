//! The scene of the eras: one application against a server of each revision.

use std::collections::BTreeMap;

use mcp_http::{Binding, CallOptions, Error, Phase, RawJson, Revision, Status};
use serde_json::{Value, json};

use crate::caller::{Adapter, Caller, until};
use crate::server::{Counts, ProtocolVersion, Server};
use crate::{Era, Figures, http_sse, show, text};

const STEPS: u64 = 5;

/// What the application saw, and its client, which is closed.
struct Sight {
    found: Status,
    tools: RawJson,
    answer: RawJson,
    progress: Vec<Vec<u64>>,
    client: Caller,
}

/// The application: the same ten lines for every server, of which it knows the URL alone.
/// What is done `before_closing` is none of its business.
async fn application(
    adapter: Adapter,
    url: &str,
    before_closing: impl Future<Output = ()>,
) -> Result<Sight, Error> {
    let (short, long) = (work("short", 500, STEPS), work("long", 60_000, 600));
    let (plain, reporting) = (CallOptions::new(), CallOptions::new().progress());

    let client = adapter.connect(url).await?;
    let found = client.status();
    let progress = client.progress();
    let tools = client.call("tools/list", json!({}), plain).await?;
    let answer = client.call("tools/call", short, reporting.clone()).await?;
    let call = client.call("tools/call", long, reporting);
    progress.of_calls(2).await;
    drop(call);
    before_closing.await;
    client.close().await;

    Ok(Sight {
        found,
        tools,
        answer,
        progress: progress.of_each_call(),
        client,
    })
}

fn work(key: &str, ms: u64, steps: u64) -> Value {
    json!({ "name": "work", "arguments": { "key": key, "ms": ms, "steps": steps } })
}

/// The scene.
pub(crate) async fn eras(adapter: Adapter) -> Result<bool, Error> {
    eprintln!(
        "\nEras. A server of each revision, and one application for all of them: it is told a URL, \
         calls a tool, cancels a call, closes."
    );
    let mut kept = true;
    for revision in Revision::ALL {
        kept &= show(&era(adapter, revision).await?);
    }
    Ok(kept)
}

/// With the server of one revision.
async fn era(adapter: Adapter, revision: Revision) -> Result<Figures, Error> {
    let server = Peer::start(revision).await;
    let mut stopped = false;
    let stops = async { stopped = until(async || server.cancellations("long") == 1).await };
    let sight = application(adapter, &server.url(), stops).await?;
    let ended = until(async || server.sessions().await == 0).await;

    let (binding, arrives) = expected(revision);
    let (spoken, reached) = (sight.found.revision, sight.found.binding);
    let tools: Value = sight.tools.deserialize().unwrap_or_default();
    let listed = tools.pointer("/tools/0/name") == Some(&json!("work"));
    let steps = sight.progress.first().cloned().unwrap_or_default();
    let whole = steps.iter().copied().eq(1..=STEPS);
    let answer: Value = sight.answer.deserialize().unwrap_or_default();
    let answered = text(&answer) == "done short";
    let closed = sight.client.status().phase == Phase::Closed;
    let count = server.count();
    let executions = server.executions();
    let twice = executions.values().filter(|times| **times > 1).count();
    eprintln!("  {}.", sight.found.search);
    eprintln!("    The tool says: {}", text(&answer));
    let promises = [
        ("that is how it is reached", reached == Some(binding)),
        ("that is what it speaks", spoken == Some(revision)),
        ("the tool is listed", listed),
        ("each step is heard once, in order", whole),
        ("the tool answers", answered),
        ("both calls are heard of", sight.progress.len() == 2),
        ("what is cancelled stops at the server", stopped),
        ("each call runs once", executions.len() == 2 && twice == 0),
        ("the client is closed", closed),
        ("the server has no session left", ended),
        ("nothing else arrives there", count == arrives),
    ];
    let broken = promises.iter().filter(|(_, kept)| !kept);
    for (promise, _) in broken.clone() {
        eprintln!("    It is not so that {promise}.");
    }
    Ok(Figures {
        adapter,
        scene: "eras",
        answered: usize::from(answered),
        failed: usize::from(!answered),
        initialize: count.initialize,
        requests: count.posts,
        executed_twice: Some(twice),
        gets: Some(count.gets),
        authorizations: None,
        era: Some(Era {
            revision: spoken,
            binding: reached,
            steps: steps.len(),
            stopped,
        }),
        kept: broken.count() == 0,
    })
}

/// How the server of a revision is reached, and what arrives there.
fn expected(revision: Revision) -> (Binding, Counts) {
    let counts = |initialize, posts, gets, deletes| Counts {
        initialize,
        posts,
        gets,
        deletes,
    };
    match revision {
        // One `server/discover` and one `initialize` more, which it does not understand.
        Revision::V2024_11_05 => (Binding::HttpSse, counts(2, 8, 1, 0)),
        Revision::V2026_07_28 => (Binding::Stateless, counts(0, 4, 0, 0)),
        _ => (Binding::Session, counts(1, 7, 1, 1)),
    }
}

/// A server of either release of `rmcp`.
enum Peer {
    HttpSse(http_sse::Server),
    Newer(Box<Server>),
}

impl Peer {
    /// That speaks this revision, and older ones alone.
    async fn start(revision: Revision) -> Self {
        if revision == Revision::V2024_11_05 {
            return Self::HttpSse(http_sse::Server::start().await);
        }
        let server = Server::start().await;
        let mut known = ProtocolVersion::KNOWN_VERSIONS.iter();
        let newest = known.find(|version| version.as_str() == revision.as_str());
        server.speak_up_to(newest.expect("rmcp knows all revisions").clone());
        Self::Newer(Box::new(server))
    }

    fn url(&self) -> String {
        match self {
            Self::HttpSse(server) => server.url(),
            Self::Newer(server) => server.url(),
        }
    }

    fn count(&self) -> Counts {
        match self {
            Self::HttpSse(server) => server.count(),
            Self::Newer(server) => server.count(),
        }
    }

    fn executions(&self) -> BTreeMap<String, u32> {
        match self {
            Self::HttpSse(server) => server.executions(),
            Self::Newer(server) => server.executions(),
        }
    }

    /// How often the call with this key was told to stop.
    fn cancellations(&self, key: &str) -> u32 {
        let all = match self {
            Self::HttpSse(server) => server.cancellations(),
            Self::Newer(server) => server.cancellations(),
        };
        all.get(key).copied().unwrap_or_default()
    }

    async fn sessions(&self) -> usize {
        match self {
            Self::HttpSse(server) => server.sessions(),
            Self::Newer(server) => server.sessions().await,
        }
    }
}
