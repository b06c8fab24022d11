//! One client, over either adapter: the same words, awaited or not.

use std::iter;

use mcp_http::{
    CallId, CallOptions, Config, Error, Event, RawJson, RpcError, Status, SubscriptionFilter,
    Ticket, asynchronous, blocking,
};
use serde_json::Value;
use tokio::runtime::Runtime;

/// What moves the bytes.
#[derive(Clone, Copy)]
pub enum Adapter {
    Asynchronous,
    Blocking,
}

impl Adapter {
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "asynchronous" => Some(Self::Asynchronous),
            "blocking" => Some(Self::Blocking),
            _ => None,
        }
    }
}

pub enum Client {
    /// Its calls are awaited on whatever thread makes them; the runtime's own thread
    /// drives them all.
    Asynchronous(asynchronous::Client, Runtime),
    Blocking(blocking::Client),
}

/// A call under way. Dropping it cancels it.
pub enum Call<'a> {
    Asynchronous(asynchronous::Call, &'a Runtime),
    Blocking(blocking::Call),
}

impl Client {
    pub fn new(adapter: Adapter, config: Config) -> std::io::Result<Self> {
        Ok(match adapter {
            Adapter::Asynchronous => {
                let runtime = tokio::runtime::Builder::new_multi_thread()
                    .worker_threads(1)
                    .enable_all()
                    .build()?;
                let entered = runtime.enter();
                let client = asynchronous::Client::spawn(config);
                drop(entered);
                Self::Asynchronous(client, runtime)
            }
            Adapter::Blocking => Self::Blocking(blocking::Client::spawn(config)),
        })
    }

    pub fn ready(&self) -> Result<(), Error> {
        match self {
            Self::Asynchronous(client, runtime) => runtime.block_on(client.ready()),
            Self::Blocking(client) => client.ready(),
        }
    }

    pub fn start(
        &self,
        method: &str,
        params: &Value,
        options: CallOptions,
    ) -> Result<Call<'_>, Error> {
        Ok(match self {
            Self::Asynchronous(client, runtime) => {
                Call::Asynchronous(client.call_with(method, params, options), runtime)
            }
            Self::Blocking(client) => Call::Blocking(client.start(method, params, options)?),
        })
    }

    pub fn answer(&self, ticket: Ticket, outcome: Result<Value, RpcError>) -> Result<(), Error> {
        match self {
            Self::Asynchronous(client, runtime) => runtime.block_on(client.answer(ticket, outcome)),
            Self::Blocking(client) => client.answer(ticket, outcome),
        }
    }

    pub fn listen(&self, filter: SubscriptionFilter) -> Result<(), Error> {
        match self {
            Self::Asynchronous(client, _) => client.listen(filter),
            Self::Blocking(client) => client.listen(filter),
        }
    }

    pub fn status(&self) -> Status {
        match self {
            Self::Asynchronous(client, _) => client.status(),
            Self::Blocking(client) => client.status(),
        }
    }

    /// Blocks for the next one, and ends when the connection is closed.
    pub fn events(&self) -> Box<dyn Iterator<Item = Event> + Send> {
        match self {
            Self::Asynchronous(client, runtime) => {
                let runtime = runtime.handle().clone();
                let mut events = client.events();
                Box::new(iter::from_fn(move || runtime.block_on(events.next())))
            }
            Self::Blocking(client) => Box::new(client.events()),
        }
    }

    pub fn close(&self) {
        match self {
            Self::Asynchronous(client, runtime) => runtime.block_on(client.close()),
            Self::Blocking(client) => client.close(),
        }
    }
}

impl Call<'_> {
    pub fn id(&self) -> Option<CallId> {
        match self {
            Self::Asynchronous(call, _) => call.id(),
            Self::Blocking(call) => call.id(),
        }
    }

    pub fn wait(self) -> Result<RawJson, Error> {
        match self {
            Self::Asynchronous(call, runtime) => runtime.block_on(call),
            Self::Blocking(call) => call.wait(),
        }
    }
}
