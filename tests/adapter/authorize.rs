//! Credentials: a source is asked, or those who read events, or nobody.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use mcp_http::asynchronous::Client;
use mcp_http::{Authorize, Binding, Config, Delivery, Event, Refused, Remedy};
use tokio::time::timeout;

use crate::script::{Act, Arrived, Script, usual};
use crate::until;

const CHALLENGE: &str = "HTTP/1.1 401 Unauthorized\r\n\
    www-authenticate: Bearer scope=\"a b\"\r\ncontent-length: 0\r\n\r\n";

/// A server that knows one token.
async fn guarded() -> Script {
    Script::start(|arrived| match credential(arrived) {
        Some("Bearer good") => usual(arrived),
        _ => Act::Answer(CHALLENGE.to_owned()),
    })
    .await
}

fn credential(arrived: &Arrived) -> Option<&str> {
    let mut headers = arrived.headers.iter();
    let found = headers.find(|(name, _)| name == "authorization");
    found.map(|(_, value)| value.as_str())
}

fn config(script: &Script) -> Config {
    let config = Config::new(&script.url()).unwrap().listen(false);
    config.remember(Binding::Session)
}

/// Counts how often it is asked.
fn counted(answer: Option<&'static str>) -> (Arc<AtomicUsize>, impl FnMut(Authorize) -> Answer) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let source = move |asked: Authorize| {
        assert_eq!(asked.challenges[0].scope(), Some("a b"));
        count.fetch_add(1, Ordering::SeqCst);
        std::future::ready(answer.map(str::to_owned))
    };
    (asked, source)
}

type Answer = std::future::Ready<Option<String>>;

async fn soon<T>(future: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(15);
    timeout(limit, future).await.expect("it comes to an end")
}

#[tokio::test]
async fn a_source_is_asked_once_for_the_handshake_and_all_calls_that_wait_for_it() {
    let script = guarded().await;
    let (asked, source) = counted(Some("Bearer good"));
    let client = Client::spawn_with_credentials(config(&script).bearer("old").unwrap(), source);
    let mut events = client.events();
    let calls = (0..20).map(|_| client.call("tools/list", ()));
    for outcome in soon(join_all(calls)).await {
        outcome.unwrap();
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!(script.arrived("initialize"), 2);
    assert_eq!(script.arrived("tools/list"), 20);
    let event = soon(events.next()).await;
    assert!(matches!(event, Some(Event::Ready(_))), "{event:?}");
    client.close().await;
    assert!(events.next().await.is_none(), "readers see no question");
}

#[tokio::test]
async fn without_an_answer_the_refusal_is_the_calls() {
    // The second is no value that a header can have.
    for answer in [None, Some("Bearer go\r\nod"), Some("Bearer bad")] {
        let script = guarded().await;
        let (asked, source) = counted(answer);
        let client = Client::spawn_with_credentials(config(&script), source);
        let error = soon(client.call("tools/list", ())).await.unwrap_err();
        assert_eq!(*error.reason(), Refused::Unauthorized.into());
        assert_eq!(error.remedy(), Remedy::Authorise);
        assert_eq!(error.challenges()[0].scope(), Some("a b"));
        assert_eq!(asked.load(Ordering::SeqCst), 1, "{answer:?}");
    }
}

#[tokio::test]
async fn a_source_that_takes_its_time_is_dropped_when_somebody_else_gives_a_credential() {
    struct Gone(Arc<AtomicUsize>);
    impl Drop for Gone {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let script = guarded().await;
    let (asked, gone) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count, going) = (Arc::clone(&asked), Arc::clone(&gone));
    let client = Client::spawn_with_credentials(config(&script), move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        let gone = Gone(Arc::clone(&going));
        async move {
            let _gone = gone;
            pending().await
        }
    });
    let call = client.call("tools/list", ());
    until("it is asked", || asked.load(Ordering::SeqCst) == 1).await;
    assert!(client.status().awaits_authorization);
    client
        .set_header("authorization", Some("Bearer good"))
        .unwrap();
    soon(call).await.unwrap();
    until("it is dropped", || gone.load(Ordering::SeqCst) == 1).await;

    client.set_header("authorization", None).unwrap();
    let call = client.call("tools/list", ());
    until("it is asked again", || asked.load(Ordering::SeqCst) == 2).await;
    client.authorize("Bearer good").unwrap();
    soon(call).await.unwrap();

    client.authorize("Bearer bad").unwrap();
    let call = client.call("tools/list", ());
    until("it is asked again", || asked.load(Ordering::SeqCst) == 3).await;
    soon(client.close()).await;
    assert!(soon(call).await.is_err());
    until("it is dropped", || gone.load(Ordering::SeqCst) == 3).await;
}

#[tokio::test]
async fn a_source_may_use_the_client() {
    let script = guarded().await;
    let slot = Arc::new(std::sync::OnceLock::<Client>::new());
    let inside = Arc::clone(&slot);
    let client = Client::spawn_with_credentials(config(&script), move |_| {
        let client = inside.get().unwrap();
        assert!(client.status().awaits_authorization);
        client.set_header("x-key", Some("k")).unwrap();
        std::future::ready(Some("Bearer good".to_owned()))
    });
    slot.set(client.clone()).unwrap();
    soon(client.call("tools/list", ())).await.unwrap();
}

#[tokio::test]
async fn without_a_source_those_who_read_events_answer() {
    let script = guarded().await;
    let client = Client::spawn(config(&script).authorize(true));
    let mut events = client.events();
    let call = client.call("tools/list", ());
    let event = soon(events.next()).await;
    let Some(Event::Authorize(asked)) = event else {
        panic!("{event:?}")
    };
    assert_eq!(asked.status.as_u16(), 401);
    client.authorize("Bearer good").unwrap();
    soon(call).await.unwrap();

    client.authorize("Bearer bad").unwrap();
    let call = client.call("tools/list", ());
    while !matches!(soon(events.next()).await, Some(Event::Authorize(_))) {}
    client.refuse_authorization().unwrap();
    assert_eq!(soon(call).await.unwrap_err().delivery(), Delivery::Rejected);
    client.refuse_authorization().unwrap_err();
}

#[tokio::test]
async fn where_nobody_reads_it_is_refused_and_so_when_the_last_reader_goes() {
    let script = guarded().await;
    let client = Client::spawn(config(&script).authorize(true));
    let error = soon(client.call("tools/list", ())).await.unwrap_err();
    assert_eq!(*error.reason(), Refused::Unauthorized.into());
    for read in [false, true] {
        let mut events = client.events();
        let call = client.call("tools/list", ());
        if read {
            while !matches!(soon(events.next()).await, Some(Event::Authorize(_))) {}
        }
        drop(events);
        let error = soon(call).await.unwrap_err();
        assert_eq!(*error.reason(), Refused::Unauthorized.into(), "{read}");
    }
}
