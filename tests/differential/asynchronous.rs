//! The asynchronous adapter, made ready for tokio.

use std::collections::BTreeMap;
use std::sync::Arc;

use mcp_http::asynchronous::{Call, Client};
use mcp_http::{CallId, Config, Error, RawJson, SubscriptionFilter};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::play::{Log, Player};
use crate::scene::Calling;

struct Asynchronous {
    client: Client,
    calls: BTreeMap<&'static str, Call>,
    reader: Option<JoinHandle<()>>,
    runtime: Handle,
}

pub(crate) fn begin(config: Config, log: Option<Arc<Log>>, runtime: &Handle) -> Box<dyn Player> {
    let _runtime = runtime.enter();
    let client = Client::spawn(config);
    let reader = log.map(|log| {
        let (mut events, client) = (client.events(), client.clone());
        runtime.spawn(async move {
            while let Some(event) = events.next().await {
                if let Some((ticket, answer)) = log.note(event) {
                    log.answered(ticket, client.answer(ticket, answer).await);
                }
            }
        })
    });
    Box::new(Asynchronous {
        client,
        calls: BTreeMap::new(),
        reader,
        runtime: runtime.clone(),
    })
}

impl Player for Asynchronous {
    fn ready(&mut self) -> Result<(), Error> {
        self.runtime.block_on(self.client.ready())
    }

    fn call(&mut self, calling: Calling) {
        let begun = self
            .client
            .call_with(calling.method, calling.params, calling.options);
        self.calls.insert(calling.name, begun);
    }

    fn end(&mut self, call: &str) -> Result<RawJson, Error> {
        self.runtime.block_on(self.calls.remove(call).unwrap())
    }

    fn drop_call(&mut self, call: &str) {
        drop(self.calls.remove(call).unwrap());
    }

    fn cancel(&mut self, call: CallId) -> Result<(), Error> {
        self.client.cancel(call)
    }

    fn notify(&mut self, method: &str) -> Result<(), Error> {
        self.runtime.block_on(self.client.notify(method, ()))
    }

    fn hear_about(&mut self, filter: SubscriptionFilter) -> Result<(), Error> {
        self.client.listen(filter)
    }

    fn set_header(&mut self, name: &str, value: Option<&str>) -> Result<(), Error> {
        self.client.set_header(name, value)
    }

    fn authorize(&mut self, credential: &str) -> Result<(), Error> {
        self.client.authorize(credential)
    }

    fn refuse_authorization(&mut self) -> Result<(), Error> {
        self.client.refuse_authorization()
    }

    fn resume(&mut self) -> Result<(), Error> {
        self.client.resume()
    }

    fn reinitialize(&mut self) -> Result<(), Error> {
        self.client.reinitialize()
    }

    fn id(&self, call: &str) -> Option<CallId> {
        self.calls[call].id()
    }

    fn close(&mut self) {
        self.runtime.block_on(self.client.close());
    }

    fn leave(self: Box<Self>) {
        if let Some(reader) = self.reader {
            self.runtime.block_on(reader).unwrap();
        }
    }
}
