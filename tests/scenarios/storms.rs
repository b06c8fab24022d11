//! Laws 4 and 10 for streams: whatever a server answers to GETs, they stay few, and a
//! server that closes for days costs nothing but them.

use std::time::Duration;

use mcp_http::{CallOptions, Event, Listening, Phase, Time};
use proptest::prelude::*;

use crate::world::{Sent, World, event_with_id, log, millis, refused_connection, reset, secs};

const DAY: u64 = 86_400;
/// The first one, two that bring nothing at the floor, then once a second.
const FEW: usize = 1 + 2 + 3;
/// Redirects are a second apart.
const HOPS: usize = 3;

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

/// What it does one after the other: mostly the same few for a while.
fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let habit = (prop::collection::vec(turn(), 1..5), 1_usize..30);
    prop::collection::vec(habit, 1..4).prop_map(|habits| {
        let habits = habits.into_iter();
        let turns = habits.flat_map(|(turns, times)| {
            let times = times.div_ceil(turns.len());
            std::iter::repeat_n(turns, times).flatten()
        });
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
    said: u32,
}

impl Server {
    fn answers(&mut self, w: &mut World, get: &Sent, turn: &Turn) {
        self.gets.push(get.at);
        if get.request.uri().path() == "/mcp/" {
            self.hops.push(get.at);
        }
        match turn {
            Turn::Breaks => w.fail(get, reset()),
            Turn::Redirects => {
                w.answer(get, 307).header("location", "/mcp/").empty();
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

    /// In any 3 s a handful, and one for each told delay that brought a message, and few
    /// redirects; none sooner than the floor after another.
    fn is_calm(&self) {
        for (at, last) in self.gets.iter().enumerate() {
            let before = at.checked_sub(1).map(|before| self.gets[before]);
            let apart = before.map(|before| last.since(before));
            assert!(apart.is_none_or(|apart| apart >= millis(100)), "{apart:?}");
            let since = |time: &&Time| last.since(**time) < secs(3) && *time <= last;
            let gets = self.gets[..=at].iter().filter(since).count();
            let messages = self.messages.iter().filter(since).count();
            let hops = self.hops.iter().filter(since).count();
            assert!(hops <= HOPS, "{hops} redirects in 3 s");
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

/// How many GETs leave in the first 3 s, of a server that answers each as this does.
fn in_3_s(answers: impl Fn(&mut World, &Sent, usize)) -> usize {
    let (mut w, get) = World::listening();
    w.chunk(&get, "retry: 0\n\n");
    w.fail(&get, reset());
    let from = w.now;
    let mut count = 0;
    loop {
        let get = w.wait_for("GET");
        if get.at.since(from) >= secs(3) {
            return count;
        }
        answers(&mut w, &get, count);
        count += 1;
    }
}

#[test]
fn no_server_makes_a_storm_however_it_is_mixed() {
    let redirects = |w: &mut World, get: &Sent| {
        w.answer(get, 307).header("location", "/mcp/").empty();
    };
    let ends = |w: &mut World, get: &Sent| {
        w.answer(get, 200).stream(&[]);
        w.end(get);
    };
    let after_redirects = |w: &mut World, get: &Sent, count: usize| match count % 4 {
        3 => w.answer(get, 503).empty(),
        _ => redirects(w, get),
    };
    let refuses = |w: &mut World, get: &Sent, _| w.answer(get, 503).empty();
    let redirected_ends = |w: &mut World, get: &Sent, count: usize| match count % 2 {
        0 => redirects(w, get),
        _ => ends(w, get),
    };
    for (gets, most) in [
        (in_3_s(after_redirects), 6),
        (in_3_s(refuses), 5),
        (in_3_s(redirected_ends), 8),
    ] {
        assert!(gets <= most, "{gets} GETs in 3 s, and no more than {most}");
    }
}

/// One message for every three GETs is not one for each.
#[test]
fn messages_now_and_then_are_no_reason_to_hurry() {
    let gets = in_3_s(|w, get, count| {
        w.answer(get, 200).stream(&[]);
        if count % 3 == 0 {
            w.event_with_id(get, &count.to_string(), &log("x"));
        }
        w.end(get);
    });
    assert!(gets <= FEW + 3, "{gets}");
}

/// Whoever tells of changes without end has requests at the floor, and no more.
#[test]
fn the_network_changes_a_hundred_times_a_second() {
    let (mut w, _) = World::listening();
    let (call, _) = w.begin("tools/call");
    let from = (w.now, w.sent.len());
    while w.now.since(from.0) < secs(1) {
        w.connection.network_changed(w.now);
        w.drive();
        w.advance(millis(10));
    }
    let since = w.sent_since(from.1);
    for method in ["GET", "ping"] {
        let count = since.iter().filter(|sent| *sent == method).count();
        assert_eq!(count, 11, "{method}, both ends counted: {since:?}");
    }
    // The last one is heeded, too.
    w.connection.network_changed(w.now);
    assert_eq!(w.wake(), millis(100));
    assert!(w.has("GET") && w.has("ping") && !w.ended(call));
}

#[test]
fn the_network_changes_while_closing() {
    let mut w = World::ready();
    w.connection.network_changed(w.now);
    w.connection.network_changed(w.now);
    w.close();
    w.connection.network_changed(w.now);
    w.answer_all("DELETE", 200);
    w.connection.network_changed(w.now);
    assert_eq!(w.connection.poll_timeout(), None);
}

/// What left after the last change is not made anew because of it, although that is
/// heeded later.
#[test]
fn the_network_changes_before_something_leaves() {
    let (mut w, _) = World::listening();
    w.connection.network_changed(w.now);
    w.connection.network_changed(w.now);
    w.drive();
    w.reopen();
    w.begin("tools/call");
    let from = w.sent.len();
    w.advance(secs(1));
    assert_eq!(w.sent_since(from), [""; 0], "all left after it");
}
