//! The blocking adapter, over ureq.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use mcp_http::blocking::{Call, Client};
use mcp_http::{CallId, Config, Error, RawJson, SubscriptionFilter};
use tokio::runtime::Handle;

use crate::play::{Log, Player};
use crate::scene::Calling;

struct Blocking {
    client: Client,
    calls: BTreeMap<&'static str, Result<Call, Error>>,
    reader: Option<JoinHandle<()>>,
}

pub(crate) fn begin(config: Config, log: Option<Arc<Log>>, _: &Handle) -> Box<dyn Player> {
    let client = Client::spawn(config);
    let reader = log.map(|log| {
        let (events, client) = (client.events(), client.clone());
        thread::spawn(move || {
            for event in events {
                if let Some((ticket, answer)) = log.note(event) {
                    log.answered(ticket, client.answer(ticket, answer));
                }
            }
        })
    });
    Box::new(Blocking {
        client,
        calls: BTreeMap::new(),
        reader,
    })
}

impl Player for Blocking {
    fn ready(&mut self) -> Result<(), Error> {
        self.client.ready()
    }

    fn call(&mut self, calling: Calling) {
        let begun = self
            .client
            .start(calling.method, calling.params, calling.options);
        self.calls.insert(calling.name, begun);
    }

    fn end(&mut self, call: &str) -> Result<RawJson, Error> {
        self.calls.remove(call).unwrap()?.wait()
    }

    fn drop_call(&mut self, call: &str) {
        drop(self.calls.remove(call).unwrap());
    }

    fn cancel(&mut self, call: CallId) -> Result<(), Error> {
        self.client.cancel(call)
    }

    fn notify(&mut self, method: &str) -> Result<(), Error> {
        self.client.notify(method, ())
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
        self.calls[call].as_ref().ok()?.id()
    }

    fn close(&mut self) {
        self.client.close();
    }

    fn leave(self: Box<Self>) {
        if let Some(reader) = self.reader {
            reader.join().unwrap();
        }
    }
}
