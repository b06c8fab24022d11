//! A client, through either adapter.

use mcp_http::{CallOptions, Config, Error, RawJson, asynchronous, blocking};
use serde_json::Value;
use tokio::task::spawn_blocking;

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

    /// A client that sends nothing before its first call.
    pub(crate) fn client(self, config: Config) -> Caller {
        match self {
            Self::Asynchronous => Caller::Asynchronous(asynchronous::Client::spawn(config)),
            Self::Blocking => Caller::Blocking(blocking::Client::spawn(config)),
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

    /// Begins a call at once; the future waits for its end.
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

    pub(crate) async fn close(&self) {
        match self.clone() {
            Self::Asynchronous(client) => client.close().await,
            Self::Blocking(client) => on_a_thread(move || client.close()).await,
        }
    }
}

enum Begun {
    Asynchronous(asynchronous::Call),
    Blocking(Result<blocking::Call, Error>),
}

async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    spawn_blocking(work)
        .await
        .expect("the thread does not panic")
}
