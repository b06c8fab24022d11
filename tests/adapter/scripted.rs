//! What rmcp's server never does: hanging, flooding, cutting.

use std::future::Future;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mcp_http::asynchronous::{Client, Driver, Timer};
use mcp_http::tokio::{Clock, Http};
use mcp_http::{
    Binding, CallOptions, Clock as Ran, Clocks, Config, Delivery, Event, Limits, Reason, Time,
};
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::script::{Act, STREAM, Script, reply, usual};
use crate::until;

fn config(script: &Script) -> Config {
    // Connections are counted here.
    let config = Config::new(&script.url()).unwrap().listen(false);
    config.remember(Binding::Session)
}

/// A server whose tools never answer.
async fn hanging_tools() -> Script {
    Script::start(|arrived| match arrived.calls() {
        "tools/call" => Act::Hang(String::new()),
        _ => usual(arrived),
    })
    .await
}

/// A configuration whose closing is quick, for servers that hang.
fn brisk(script: &Script) -> Config {
    let mut clocks = Clocks::default();
    clocks.linger = Duration::from_millis(200);
    clocks.delete = Duration::from_millis(300);
    config(script).clocks(clocks)
}

#[tokio::test]
async fn fifty_calls_in_turn_take_one_connection() {
    let script = Script::start(usual).await;
    let client = Client::spawn(config(&script));
    for _ in 0..50 {
        client.call("tools/list", ()).await.unwrap();
    }
    assert_eq!(script.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_body_of_a_404_is_read_so_that_its_connection_is_used_again() {
    let script = Script::start(|arrived| match arrived.calls() {
        "tools/list" if arrived.head.contains("mcp-session-id: s1") => {
            Act::Answer("HTTP/1.1 404 Not Found\r\ncontent-length: 9\r\n\r\nnot found".to_owned())
        }
        "initialize" if arrived.message["id"] != 1 => {
            let Act::Answer(text) = usual(arrived) else {
                unreachable!()
            };
            Act::Answer(text.replace("mcp-session-id: s1", "mcp-session-id: s2"))
        }
        _ => usual(arrived),
    })
    .await;
    let client = Client::spawn(config(&script));
    client.call("tools/list", ()).await.unwrap();
    assert_eq!(script.arrived("initialize"), 2);
    assert_eq!(script.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_cancelled_call_frees_its_socket_although_the_server_hangs() {
    let script = hanging_tools().await;
    let client = Client::spawn(brisk(&script));
    client.ready().await.unwrap();
    let call = client.call("tools/call", json!({ "name": "x" }));
    until("the call arrives", || script.arrived("tools/call") == 1).await;
    drop(call);
    until("cancelled", || {
        script.arrived("notifications/cancelled") == 1
    })
    .await;
    // The call's own connection is gone, that of the notification is left.
    until("freed", || script.open.load(Ordering::SeqCst) == 1).await;
    assert_eq!(script.connections.load(Ordering::SeqCst), 2);
    client.call("tools/list", ()).await.unwrap();
}

#[tokio::test]
async fn close_returns_within_the_deadline_of_its_delete() {
    let script = Script::start(|arrived| match arrived.method.as_str() {
        "DELETE" => Act::Hang(String::new()),
        _ => usual(arrived),
    })
    .await;
    let client = Client::spawn(brisk(&script));
    client.ready().await.unwrap();
    let began = Instant::now();
    client.close().await;
    assert!(began.elapsed() < Duration::from_secs(5));
    until("no socket is left", || {
        script.open.load(Ordering::SeqCst) == 0
    })
    .await;
}

#[tokio::test]
async fn a_call_times_out_and_its_neighbour_is_answered() {
    let script = Script::start(|arrived| match arrived.calls() {
        "tools/call" => Act::Hang(STREAM.to_owned()),
        _ => usual(arrived),
    })
    .await;
    let client = Client::spawn(brisk(&script));
    client.ready().await.unwrap();
    let limit = Duration::from_millis(500);
    let slow = CallOptions::new().time_out(limit);
    let slow = client.call_with("tools/call", json!({ "name": "x" }), slow);
    let quick = client.call("tools/list", ());
    let (slow, quick) = futures_util::future::join(slow, quick).await;
    let error = slow.unwrap_err();
    assert_eq!(error.reason(), &Reason::Timeout(Ran::Call(limit)));
    assert_eq!(error.delivery(), Delivery::Unknown);
    quick.unwrap();
}

#[tokio::test]
async fn control_traffic_passes_two_hundred_hanging_calls() {
    let script = hanging_tools().await;
    let client = Client::spawn(brisk(&script));
    client.ready().await.unwrap();
    let calls: Vec<_> = (0..200)
        .map(|_| client.call("tools/call", json!({ "name": "x" })))
        .collect();
    until("all are on their way", || {
        script.arrived("tools/call") == 200
    })
    .await;
    timeout(Duration::from_secs(5), client.notify("notifications/x", ()))
        .await
        .unwrap()
        .unwrap();
    timeout(Duration::from_secs(5), client.call("tools/list", ()))
        .await
        .unwrap()
        .unwrap();
    drop(calls);
}

/// A server that floods an application which does not read stops at the socket, and
/// the calls beside it are answered.
#[tokio::test]
async fn a_flood_of_notifications_is_left_in_the_socket() {
    let note = format!(
        "data: {}\n\n",
        json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": { "data": "x".repeat(1000) } })
    );
    let script = Script::start(move |arrived| match arrived.calls() {
        "tools/call" => Act::Flood(STREAM.to_owned(), note.repeat(50)),
        _ => usual(arrived),
    })
    .await;
    let mut limits = Limits::default();
    limits.unread = 16;
    let client = Client::spawn(brisk(&script).limits(limits));
    let mut events = client.events();
    client.ready().await.unwrap();
    let flooded = client.call("tools/call", json!({ "name": "x" }));
    let written = || script.written.load(Ordering::SeqCst);
    let mut stood = 0;
    for _ in 0..20 {
        stood = written();
        sleep(Duration::from_millis(500)).await;
        if stood > 0 && written() == stood {
            break;
        }
    }
    assert!(stood > 0 && written() == stood, "the server could write on");
    assert!(client.status().buffered < 4 << 20, "{:?}", client.status());
    client.call("tools/list", ()).await.unwrap();

    // Whoever reads, reads on.
    for _ in 0..20_000 {
        events.next().await.unwrap();
    }
    assert!(script.written.load(Ordering::SeqCst) > stood);
    drop(flooded);
}

#[tokio::test]
async fn a_connection_that_breaks_under_a_call_is_no_certainty() {
    let script = Script::start(|arrived| match arrived.calls() {
        "tools/call" => Act::Close(String::new()),
        _ => usual(arrived),
    })
    .await;
    let client = Client::spawn(config(&script));
    let error = client
        .call("tools/call", json!({ "name": "x" }))
        .await
        .unwrap_err();
    assert_eq!(error.delivery(), Delivery::Unknown);
    assert_eq!(script.arrived("tools/call"), 1);
    client.call("tools/list", ()).await.unwrap();
}

#[tokio::test]
async fn nothing_is_spawned_whoever_polls_the_driver_drives() {
    let script = Script::start(usual).await;
    let (client, driver): (Client, Driver<Http, Clock, _, _>) = Client::over_hyper(config(&script));
    let mut call = Box::pin(client.call("tools/list", ()));
    assert!(
        timeout(Duration::from_millis(200), &mut call)
            .await
            .is_err()
    );
    assert_eq!(script.connections.load(Ordering::SeqCst), 0);
    tokio::select! {
        outcome = call => drop(outcome.unwrap()),
        () = driver => panic!("the driver ended first"),
    }
}

#[tokio::test]
async fn calls_end_when_the_driver_is_dropped() {
    let script = hanging_tools().await;
    let (client, driver) = Client::over_hyper(config(&script));
    let mut events = client.events();
    let driver = tokio::spawn(driver);
    let call = tokio::spawn(client.call("tools/call", json!({ "name": "x" })));
    until("the call arrives", || script.arrived("tools/call") == 1).await;
    driver.abort();
    let error = call.await.unwrap().unwrap_err();
    assert_eq!(error.reason(), &Reason::Closed);
    while events.next().await.is_some() {}
    assert!(client.ready().await.is_err());
    client.close().await;
}

#[tokio::test]
async fn headers_are_those_of_this_moment() {
    let script = Script::start(usual).await;
    let client = Client::spawn(
        config(&script)
            .header("authorization", "Bearer old")
            .unwrap(),
    );
    client.call("tools/list", ()).await.unwrap();
    client
        .set_header("authorization", Some("Bearer new"))
        .unwrap();
    let own = CallOptions::new().header("x-own", "1").unwrap();
    client.call_with("tools/list", (), own).await.unwrap();
    let arrived = script.arrived.lock().unwrap();
    assert!(
        arrived
            .first()
            .unwrap()
            .head
            .contains("authorization: bearer old")
    );
    let last = arrived.last().unwrap();
    assert!(last.head.contains("authorization: bearer new") && last.head.contains("x-own: 1"));
    assert!(!last.head.contains("bearer old"));
    assert!(last.head.contains("mcp-protocol-version: 2025-11-25"));
}

/// The reply overtakes messages that nobody reads.
#[tokio::test]
async fn unread_messages_keep_no_reply_back() {
    let script = Script::start(|arrived| match arrived.calls() {
        "tools/call" => {
            let note = json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": {} });
            let reply = json!({ "jsonrpc": "2.0", "id": arrived.message["id"], "result": {} });
            let notes = format!("data: {note}\n\n").repeat(10);
            Act::Close(format!("{STREAM}{notes}data: {reply}\n\n"))
        }
        _ => usual(arrived),
    })
    .await;
    let client = Client::spawn(config(&script));
    let mut events = client.events();
    let call = client.call("tools/call", json!({ "name": "x" }));
    timeout(Duration::from_secs(5), call)
        .await
        .expect("it is answered")
        .unwrap();
    let mut messages = 0;
    while let Ok(Some(event)) = timeout(Duration::from_millis(200), events.next()).await {
        messages += usize::from(matches!(event, Event::Message(_)));
    }
    assert_eq!(messages, 10);
}

#[tokio::test]
async fn a_name_that_does_not_resolve_was_never_sent() {
    let error = Client::connect("http://no-such-host.invalid/mcp")
        .await
        .unwrap_err();
    assert_eq!(error.delivery(), Delivery::NotSent);
    assert!(matches!(error.reason(), Reason::Transport(_)), "{error}");
}

#[tokio::test]
async fn tls_that_is_not_spoken_was_never_sent() {
    let script = Script::start(|arrived| Act::Answer(reply(arrived, &json!({})))).await;
    let url = script.url().replace("http://", "https://");
    let error = Client::connect(&url).await.unwrap_err();
    assert_eq!(error.delivery(), Delivery::NotSent, "{error}");
}

#[tokio::test]
async fn tls_that_hangs_was_never_sent() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/mcp", listener.local_addr().unwrap());
    let http = Http::connecting_within(Duration::from_millis(300));
    let (client, driver) = Client::new(Config::new(&url).unwrap(), http, Clock::new());
    tokio::spawn(driver);
    let error = timeout(Duration::from_secs(5), client.ready())
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(error.delivery(), Delivery::NotSent, "{error}");
}

/// tokio's clock, and how often somebody wanted to be woken by it.
struct Counted(Clock, std::sync::Arc<std::sync::atomic::AtomicUsize>);

impl Timer for Counted {
    type Sleep = tokio::time::Sleep;

    fn now(&self) -> Time {
        self.0.now()
    }

    fn sleep_until(&self, at: Time) -> Self::Sleep {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.sleep_until(at)
    }
}

#[tokio::test]
async fn a_time_out_that_nobody_reads_of_keeps_nobody_busy() {
    let script = Script::start(|_| Act::Hang(String::new())).await;
    let mut clocks = Clocks::default();
    clocks.head = Some(Duration::from_millis(50));
    let slept = std::sync::Arc::default();
    let clock = Counted(Clock::new(), std::sync::Arc::clone(&slept));
    let (client, driver) = Client::new(config(&script).clocks(clocks), Http::new(), clock);
    tokio::spawn(driver);
    let _unread = client.events();
    client.ready().await.unwrap_err();
    sleep(Duration::from_millis(300)).await;
    assert!(slept.load(Ordering::SeqCst) < 20, "{slept:?}");
}

/// A stream that waits for room of the answers to its pings goes on when they left.
#[tokio::test]
async fn a_stream_held_back_by_its_own_pings_goes_on() {
    let script = Script::start(|arrived| match arrived.calls() {
        "tools/call" => {
            let ping = |id| json!({ "jsonrpc": "2.0", "id": id, "method": "ping" });
            let pings: String = (0..400)
                .map(|id| format!("data: {}\n\n", ping(id)))
                .collect();
            let comments = ": nothing\n".repeat(100_000);
            let reply = json!({ "jsonrpc": "2.0", "id": arrived.message["id"], "result": {} });
            Act::Close(format!("{STREAM}{pings}{comments}data: {reply}\n\n"))
        }
        _ => usual(arrived),
    })
    .await;
    let client = Client::spawn(config(&script));
    let call = client.call("tools/call", json!({ "name": "x" }));
    timeout(Duration::from_secs(20), call)
        .await
        .expect("it is answered")
        .unwrap();
}

/// Polled beside others in one task, the driver is no busier than it has to be.
#[tokio::test]
async fn beside_others_in_one_task_the_driver_is_not_busy() {
    let script = Script::start(|_| Act::Hang(String::new())).await;
    let (client, driver) = Client::over_hyper(brisk(&script));
    let mut polls = 0;
    let mut driver = Box::pin(driver);
    let counted = std::future::poll_fn(|cx| {
        polls += 1;
        driver.as_mut().poll(cx)
    });
    let both = futures_util::future::join(client.ready(), counted);
    assert!(timeout(Duration::from_millis(300), both).await.is_err());
    assert!(polls < 50, "{polls}");
}

#[tokio::test]
async fn a_call_may_take_for_ever() {
    let script = Script::start(usual).await;
    let client = Client::spawn(config(&script));
    let options = CallOptions::new()
        .time_out(Duration::MAX)
        .wait_for_server(Duration::MAX);
    client.call_with("tools/list", (), options).await.unwrap();
    client.call("tools/list", ()).await.unwrap();
}

/// A service whose answers never end and are always ready.
#[derive(Clone)]
struct Endless;

struct Comments;

impl http_body::Body for Comments {
    type Data = bytes::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, Self::Error>>> {
        let comment = bytes::Bytes::from_static(b": on and on\n");
        std::task::Poll::Ready(Some(Ok(http_body::Frame::data(comment))))
    }
}

impl tower_service::Service<http::Request<bytes::Bytes>> for Endless {
    type Response = http::Response<Comments>;
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<bytes::Bytes>) -> Self::Future {
        let mut response = http::Response::new(Comments);
        let stream = http::HeaderValue::from_static("text/event-stream");
        response.headers_mut().insert("content-type", stream);
        std::future::ready(Ok(response))
    }
}

#[tokio::test]
async fn a_body_without_end_starves_nobody() {
    let config = Config::new("http://localhost/mcp").unwrap();
    let (client, driver) = Client::new(config, Endless, Clock::new());
    tokio::spawn(driver);
    let options = CallOptions::new().time_out(Duration::from_millis(100));
    let call = client.call_with("tools/list", (), options);
    let error = timeout(Duration::from_secs(10), call)
        .await
        .expect("its time is over")
        .unwrap_err();
    assert!(matches!(error.reason(), Reason::Timeout(_)), "{error}");
}

/// HTTP/2, over a service of one's own: hyper-util's pool, told to speak nothing else.
#[derive(Clone)]
struct Http2(
    hyper_util::client::legacy::Client<
        hyper_util::client::legacy::connect::HttpConnector,
        http_body_util::Full<bytes::Bytes>,
    >,
);

impl tower_service::Service<http::Request<http_body_util::Full<bytes::Bytes>>> for Http2 {
    type Response = http::Response<hyper::body::Incoming>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = std::pin::Pin<
        Box<dyn std::future::Future<Output = Result<Self::Response, Self::Error>> + Send>,
    >;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<http_body_util::Full<bytes::Bytes>>) -> Self::Future {
        let answer = self.0.request(request);
        Box::pin(async { Ok(answer.await?) })
    }
}

#[tokio::test]
async fn everything_goes_over_one_connection_of_http_2() {
    let server = crate::server::Server::start().await;
    let executor = hyper_util::rt::TokioExecutor::new();
    let pool = hyper_util::client::legacy::Client::builder(executor)
        .http2_only(true)
        .build_http();
    let config = Config::new(&server.url())
        .unwrap()
        .pin(mcp_http::Revision::V2025_11_25);
    let (client, driver) = Client::new(config, Http2(pool), Clock::new());
    tokio::spawn(driver);
    client.ready().await.unwrap();
    server.gate(20, crate::server::Then::Forget);
    let work = |key| json!({ "name": "work", "arguments": { "key": key } });
    let calls = (0..20).map(|key| client.call("tools/call", work(key.to_string())));
    for outcome in futures_util::future::join_all(calls).await {
        outcome.unwrap();
    }
    assert_eq!(server.count().initialize, 2);
    assert!(server.executions().values().all(|times| *times == 1));
    client.close().await;
    assert_eq!(server.count().deletes, 1);
}

#[tokio::test(start_paused = true)]
async fn the_clock_of_tokio_is_the_machines() {
    let clock = Clock::new();
    assert_eq!(clock.now(), Time::ZERO);
    clock.sleep_until(Time::from_secs(3)).await;
    assert!(clock.now() >= Time::from_secs(3));
}
