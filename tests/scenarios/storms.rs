//! Laws 4 and 10 for streams: whatever a server answers to GETs, they stay few, and a
//! server that closes for days costs nothing but them.

use std::time::Duration;

use mcp_http::{CallOptions, Event, Listening, Phase, Time};
use proptest::prelude::*;

use crate::world::{Sent, World, event_with_id, log, millis, refused_connection, reset, secs};

const DAY: u64 = 86_400;
/// The first one, five failures, and polling that brings nothing: three times at the
/// floor, then once a second.
const FEW: usize = 1 + 5 + 3 + 3;

/// What a server does with a GET.
#[derive(Clone, Debug)]
enum Turn {
    Breaks,
    Redirects,
    Refuses {
        status: u16,
        after: Option<u64>,
    },
    Streams {
        retry: Option<u64>,
        comments: bool,
        messages: u8,
        lives: u64,
        clean: bool,
    },
    Unreachable,
}

fn turn() -> impl Strategy<Value = Turn> {
    let retry = prop_oneof![
        Just(None),
        Just(Some(0)),
        Just(Some(100)),
        (0_u64..5_000).prop_map(Some),
        Just(Some(99_999_999_999)),
    ];
    let lives = prop_oneof![Just(0_u64), 0_u64..200, 0_u64..8_000];
    let streams = (retry, any::<bool>(), 0_u8..3, lives, any::<bool>()).prop_map(
        |(retry, comments, messages, lives, clean)| Turn::Streams {
            retry,
            comments,
            messages,
            lives,
            clean,
        },
    );
    let status = prop::sample::select(vec![202, 302, 400, 401, 403, 404, 405, 409, 429, 500, 503]);
    let after = prop_oneof![Just(None), (0_u64..4).prop_map(Some)];
    prop_oneof![
        6 => streams,
        2 => (status, after).prop_map(|(status, after)| Turn::Refuses { status, after }),
        1 => Just(Turn::Redirects),
        1 => Just(Turn::Breaks),
        1 => Just(Turn::Unreachable),
    ]
}

/// What it does one after the other: mostly the same for a while.
fn turns() -> impl Strategy<Value = Vec<Turn>> {
    prop::collection::vec((turn(), 1_usize..30), 1..6).prop_map(|habits| {
        let habits = habits.into_iter();
        let turns = habits.flat_map(|(turn, times)| std::iter::repeat_n(turn, times));
        turns.collect()
    })
}

/// The server's side of a stream, and when what happened on it.
#[derive(Default)]
struct Server {
    gets: Vec<Time>,
    /// Those of them that go where a redirect led.
    hops: Vec<Time>,
    messages: Vec<Time>,
    redirected: bool,
    said: u32,
}

impl Server {
    fn answers(&mut self, w: &mut World, get: &Sent, turn: &Turn) {
        self.gets.push(get.at);
        if std::mem::take(&mut self.redirected) {
            self.hops.push(get.at);
        }
        match turn {
            Turn::Breaks => w.fail(get, reset()),
            Turn::Redirects => {
                w.answer(get, 307).header("location", "/mcp/").empty();
                self.redirected = true;
            }
            Turn::Refuses { status, after } => {
                let answer = w.answer(get, *status);
                match after {
                    Some(after) => answer.header("retry-after", &after.to_string()).empty(),
                    None => answer.empty(),
                }
            }
            Turn::Streams { .. } => {
                w.answer(get, 200).stream(&[]);
                self.streams(w, get, turn);
            }
            Turn::Unreachable => w.fail(get, refused_connection()),
        }
        if w.has("ping") {
            w.answer_all("ping", 202);
        }
    }

    fn streams(&mut self, w: &mut World, on: &Sent, turn: &Turn) {
        let Turn::Streams {
            retry,
            comments,
            messages,
            lives,
            clean,
        } = turn
        else {
            return w.fail(on, reset());
        };
        if let Some(retry) = retry {
            w.chunk(on, format!("retry: {retry}\n\n"));
        }
        if *comments {
            w.chunk(on, ": here\n\n");
        }
        for _ in 0..*messages {
            self.said += 1;
            w.chunk(on, event_with_id(&self.said.to_string(), &log("x")));
            self.messages.push(w.now);
        }
        w.advance(millis(*lives));
        if *clean {
            w.end(on);
        } else {
            w.fail(on, reset());
        }
    }

    /// In any 3 s a handful, and one for each told delay that brought a message, and at
    /// most three redirects of each; none sooner than the floor after another.
    fn is_calm(&self) {
        for (at, last) in self.gets.iter().enumerate() {
            let before = at.checked_sub(1).map(|before| self.gets[before]);
            let apart = before.map(|before| last.since(before));
            assert!(apart.is_none_or(|apart| apart >= millis(100)), "{apart:?}");
            let since = |time: &&Time| last.since(**time) < secs(3) && *time <= last;
            let gets = self.gets[..=at].iter().filter(since).count();
            let messages = self.messages.iter().filter(since).count();
            let hops = self.hops.iter().filter(since).count();
            assert!(
                gets - hops <= FEW + messages,
                "{gets} GETs in 3 s, {hops} after redirects, and {messages} messages"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_gets_of_a_call_are_few_whatever_is_answered(turns in turns()) {
        let mut w = World::ready();
        let call = w.call_with("tools/call", CallOptions::new().no_time_out());
        let sent = w.take("tools/call");
        w.answer(&sent, 200).stream(&[]);
        w.chunk(&sent, "id: p\ndata:\n\n");
        let mut server = Server::default();
        for (at, turn) in turns.iter().enumerate() {
            if w.ended(call) {
                break;
            }
            if at == 0 {
                server.streams(&mut w, &sent, turn);
                continue;
            }
            let get = w.wait_for("GET");
            server.answers(&mut w, &get, turn);
        }
        server.is_calm();
        prop_assert_eq!(w.count("tools/call"), 1);
        prop_assert_eq!((w.count("initialize"), w.phase()), (1, Phase::Ready));
    }

    #[test]
    fn the_gets_of_the_listening_stream_are_few_whatever_is_answered(turns in turns()) {
        let (mut w, first) = World::opening();
        let mut server = Server::default();
        server.answers(&mut w, &first, &turns[0]);
        for turn in &turns[1..] {
            if w.connection.status().listening == Listening::NotOffered {
                break;
            }
            let get = w.wait_for("GET");
            server.answers(&mut w, &get, turn);
        }
        server.is_calm();
        prop_assert_eq!((w.count("initialize"), w.phase()), (1, Phase::Ready));
    }
}

/// Ten days of a server that closes the listening stream after so long. Gives the GETs,
/// and how often it was degraded.
fn ten_days(retry: Option<u64>, says: bool, lives: Duration) -> (u64, usize) {
    let (mut w, mut get) = World::opening();
    let floor = w.connection.status().buffered;
    let (mut gets, mut degraded) = (1, 0);
    let end = w.now + secs(10 * DAY);
    while w.now < end {
        w.answer(&get, 200).stream(&[]);
        if let Some(retry) = retry {
            w.chunk(&get, format!("retry: {retry}\n\n"));
        }
        if says {
            w.chunk(&get, event_with_id(&gets.to_string(), &log("x")));
            assert_eq!(w.logs().len(), 1);
        }
        w.advance(lives);
        w.end(&get);
        let told = |event: &Event| matches!(event, Event::StreamDegraded { .. });
        degraded += w.events.iter().filter(|event| told(event)).count();
        w.events.clear();
        w.sent.clear();
        get = w.wait_for("GET");
        gets += 1;
    }
    assert_eq!(w.phase(), Phase::Ready);
    assert_eq!(
        w.connection.status().generation,
        1,
        "the session is the first"
    );
    assert_eq!(w.connection.status().buffered, floor);
    (gets, degraded)
}

#[test]
fn ten_days_of_polling_are_no_failure() {
    for says in [true, false] {
        let (gets, degraded) = ten_days(Some(2_000), says, secs(4));
        assert_eq!(degraded, 0);
        let expected = 10 * DAY / 6;
        assert!((expected - 1..=expected + 1).contains(&gets), "{gets}");
    }
}

#[test]
fn ten_days_of_closing_without_a_word_are_bounded() {
    // Too short a life for the budget: it comes back every five minutes.
    let (gets, degraded) = ten_days(None, false, secs(4));
    assert!(gets <= 10 * DAY / 200, "{gets}");
    assert!(degraded > 0);
    // Long enough: once for each.
    let (gets, _) = ten_days(None, true, secs(60));
    assert!(gets <= 10 * DAY / 60, "{gets}");
}
