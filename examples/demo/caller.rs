//! A client, through either adapter.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mcp_http::{
    Authorize, CallId, CallOptions, Config, Error, Event, RawJson, Status, asynchronous, blocking,
};
use serde_json::Value;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// Which adapter.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Adapter {
    Asynchronous,
    Blocking,
}

impl Adapter {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Asynchronous => "asynchronous",
            Self::Blocking => "blocking",
        }
    }

    /// A client of which nothing is said but where its server is.
    pub(crate) async fn connect(self, url: &str) -> Result<Caller, Error> {
        match self {
            Self::Asynchronous => {
                let client = asynchronous::Client::connect(url).await?;
                Ok(Caller::Asynchronous(client))
            }
            Self::Blocking => {
                let url = url.to_owned();
                let client = on_a_thread(move || blocking::Client::connect(&url)).await?;
                Ok(Caller::Blocking(client))
            }
        }
    }

    /// A client that sends nothing before its first call.
    pub(crate) fn client(self, config: Config) -> Caller {
        match self {
            Self::Asynchronous => Caller::Asynchronous(asynchronous::Client::spawn(config)),
            Self::Blocking => Caller::Blocking(blocking::Client::spawn(config)),
        }
    }

    /// The same, with a source of credentials, which takes this long.
    pub(crate) fn client_with_credentials(
        self,
        config: Config,
        takes: Duration,
        credentials: impl Fn(Authorize) -> Option<String> + Send + Sync + 'static,
    ) -> Caller {
        match self {
            Self::Asynchronous => {
                let credentials = move |asked: Authorize| {
                    let credential = credentials(asked);
                    async move {
                        sleep(takes).await;
                        credential
                    }
                };
                let client = asynchronous::Client::spawn_with_credentials(config, credentials);
                Caller::Asynchronous(client)
            }
            Self::Blocking => {
                let credentials = move |asked: Authorize| {
                    std::thread::sleep(takes);
                    credentials(asked)
                };
                let client = blocking::Client::spawn_with_credentials(config, credentials);
                Caller::Blocking(client)
            }
        }
    }
}

/// A handle to a connection. Calls of the blocking one have a thread each.
#[derive(Clone)]
pub(crate) enum Caller {
    Asynchronous(asynchronous::Client),
    Blocking(blocking::Client),
}

impl Caller {
    pub(crate) async fn ready(&self) -> Result<(), Error> {
        match self.clone() {
            Self::Asynchronous(client) => client.ready().await,
            Self::Blocking(client) => on_a_thread(move || client.ready()).await,
        }
    }

    pub(crate) fn status(&self) -> Status {
        match self {
            Self::Asynchronous(client) => client.status(),
            Self::Blocking(client) => client.status(),
        }
    }

    /// Begins a call at once; the future waits for its end. Dropping it cancels the call;
    /// with the blocking adapter, only as long as nobody has begun to wait.
    pub(crate) fn call(
        &self,
        method: &'static str,
        params: Value,
        options: CallOptions,
    ) -> impl Future<Output = Result<RawJson, Error>> + Send + use<> {
        let begun = match self {
            Self::Asynchronous(client) => {
                Begun::Asynchronous(client.call_with(method, params, options))
            }
            Self::Blocking(client) => Begun::Blocking(client.start(method, params, options)),
        };
        async {
            match begun {
                Begun::Asynchronous(call) => call.await,
                Begun::Blocking(call) => on_a_thread(|| call?.wait()).await,
            }
        }
    }

    /// Gathers the progress of all calls from now on.
    pub(crate) fn progress(&self) -> Progress {
        let progress = Progress::default();
        let gathered = progress.clone();
        match self {
            Self::Asynchronous(client) => {
                let mut events = client.events();
                tokio::spawn(async move {
                    while let Some(event) = events.next().await {
                        gathered.note(&event);
                    }
                });
            }
            Self::Blocking(client) => {
                let events = client.events();
                std::thread::spawn(move || events.for_each(|event| gathered.note(&event)));
            }
        }
        progress
    }

    /// Answers all questions of the server with this, from now on.
    pub(crate) fn answers(&self, with: Value) {
        match self.clone() {
            Self::Asynchronous(client) => {
                let mut events = client.events();
                tokio::spawn(async move {
                    while let Some(event) = events.next().await {
                        if let Event::Ask(ask) = event {
                            let _ = client.answer(ask.ticket, Ok(&with)).await;
                        }
                    }
                });
            }
            Self::Blocking(client) => {
                let events = client.events();
                std::thread::spawn(move || {
                    for event in events {
                        if let Event::Ask(ask) = event {
                            let _ = client.answer(ask.ticket, Ok(&with));
                        }
                    }
                });
            }
        }
    }

    pub(crate) async fn close(&self) {
        match self.clone() {
            Self::Asynchronous(client) => client.close().await,
            Self::Blocking(client) => on_a_thread(move || client.close()).await,
        }
    }
}

/// The progress that was reported for each call, in the order in which it came.
#[derive(Clone, Default)]
pub(crate) struct Progress(Arc<Mutex<BTreeMap<CallId, Vec<u64>>>>);

impl Progress {
    fn note(&self, event: &Event) {
        if let Event::Message(message) = event {
            let params = message.params.as_ref().and_then(|it| it.deserialize().ok());
            let params: Value = params.unwrap_or_default();
            let step = params.get("progress").and_then(Value::as_f64);
            if let (Some(call), Some(step)) = (message.call, step) {
                let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                all.entry(call).or_default().push(step as u64);
            }
        }
    }

    /// Waits until this many calls have reported some; gives up after a while.
    pub(crate) async fn of_calls(&self, calls: usize) {
        until(async || self.of_each_call().len() >= calls).await;
    }

    pub(crate) fn of_each_call(&self) -> Vec<Vec<u64>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.values().cloned().collect()
    }
}

enum Begun {
    Asynchronous(asynchronous::Call),
    Blocking(Result<blocking::Call, Error>),
}

/// Waits until this is so, and says whether it is; gives up after a while.
pub(crate) async fn until(mut is_so: impl AsyncFnMut() -> bool) -> bool {
    for _ in 0..1000 {
        if is_so().await {
            return true;
        }
        sleep(Duration::from_millis(10)).await;
    }
    false
}

async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    spawn_blocking(work)
        .await
        .expect("the thread does not panic")
}
