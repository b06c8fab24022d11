//! The machine inside wasm32-unknown-unknown, its requests carried by the host.
//!
//! ```sh
//! rustup target add wasm32-unknown-unknown
//! cargo build -p example-wasm --target wasm32-unknown-unknown
//! node examples/wasm/host.mjs target/wasm32-unknown-unknown/debug/example_wasm.wasm \
//!     http://127.0.0.1:8000/mcp tools/list
//! ```
//!
//! The host says what to call, carries requests and tells the time; this side makes
//! the call, follows the machine until the end and says what happened. What passes
//! between the two stands in `shim.rs`, and the host's part in `host.mjs`.

#[expect(
    unsafe_code,
    reason = "pointers pass between the host and this side, here alone"
)]
mod shim;

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use mcp_http::{
    CallOptions, Config, Connection, Event, ExchangeId, Failure, RawJson, Subject, Time, Transmit,
};
use serde::{Deserialize, Serialize};

type Done = Result<(), Box<dyn Error>>;

static APP: Mutex<Option<App>> = Mutex::new(None);

/// One turn: the host reports something, then the machine is asked for all that it has.
fn turn(now: Time, report: impl FnOnce(&mut App) -> Done) {
    let mut app = APP.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(app) = app.as_mut() {
        if let Err(error) = report(app) {
            shim::end(Err(&error.to_string()));
            app.connection.close(now);
        }
        app.act(now);
    }
}

/// What the host wants to be done.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Order {
    url: String,
    method: String,
    params: Option<RawJson>,
    time_out: Option<u64>,
    seed: u64,
}

/// The head of an answer, as fetch shows it.
#[derive(Deserialize)]
struct Head {
    status: u16,
    headers: Vec<(String, String)>,
}

/// What fetch takes beside the body.
#[derive(Serialize)]
struct Target<'a> {
    method: &'a str,
    url: String,
    headers: Vec<(&'a str, &'a str)>,
}

struct App {
    connection: Connection,
    /// What is under way. The host knows exchanges by their numbers.
    exchanges: BTreeMap<u64, ExchangeId>,
}

/// # What the host reports
impl App {
    fn begin(order: &[u8], now: Time) -> Result<Self, Box<dyn Error>> {
        let order: Order = serde_json::from_slice(order)?;
        let mut options = CallOptions::new();
        if let Some(millis) = order.time_out {
            options = options.time_out(Duration::from_millis(millis));
        }
        let mut connection = Connection::new(Config::new(&order.url)?.seed(order.seed));
        connection.call(&order.method, &order.params, options, now)?;
        Ok(Self {
            connection,
            exchanges: BTreeMap::new(),
        })
    }

    fn head(&mut self, exchange: u64, head: &[u8], now: Time) -> Done {
        let head: Head = serde_json::from_slice(head)?;
        let Ok(status) = StatusCode::from_u16(head.status) else {
            // Browsers show a redirect that they do not follow as status 0.
            let failure = Failure::broken("the host does not show the answer");
            return self.failed(exchange, failure, now);
        };
        let headers: HeaderMap = head
            .headers
            .iter()
            .filter_map(|(name, value)| {
                let name = HeaderName::try_from(name).ok()?;
                Some((name, HeaderValue::try_from(value).ok()?))
            })
            .collect();
        if let Some(&id) = self.exchanges.get(&exchange) {
            self.connection.handle_head(id, status, &headers, now)?;
        }
        Ok(())
    }

    fn body(&mut self, exchange: u64, chunk: Vec<u8>, now: Time) -> Done {
        if let Some(&id) = self.exchanges.get(&exchange) {
            self.connection.handle_body(id, Bytes::from(chunk), now)?;
        }
        Ok(())
    }

    fn end(&mut self, exchange: u64, now: Time) -> Done {
        if let Some(id) = self.exchanges.remove(&exchange) {
            self.connection.handle_end(id, now)?;
        }
        Ok(())
    }

    fn failed(&mut self, exchange: u64, failure: Failure, now: Time) -> Done {
        if let Some(id) = self.exchanges.remove(&exchange) {
            self.connection.handle_failure(id, failure, now)?;
        }
        Ok(())
    }

    fn wake(&mut self, now: Time) -> Done {
        self.connection.handle_timeout(now);
        Ok(())
    }

    fn wants_read(&self, exchange: u64) -> bool {
        let id = self.exchanges.get(&exchange);
        id.is_some_and(|&id| self.connection.wants_read(id))
    }
}

/// # What the machine wants
impl App {
    fn act(&mut self, now: Time) {
        loop {
            if let Some(transmit) = self.connection.poll_transmit(now) {
                self.transmit(transmit);
            } else if let Some(event) = self.connection.poll_event() {
                self.hear(event, now);
            } else {
                break;
            }
        }
        shim::wake_at(self.connection.poll_timeout());
    }

    fn transmit(&mut self, transmit: Transmit) {
        match transmit {
            Transmit::Send { exchange, request } => {
                self.exchanges.insert(exchange.number(), exchange);
                send(exchange, &request);
            }
            Transmit::Abort { exchange } => {
                self.exchanges.remove(&exchange.number());
                shim::abort(exchange.number());
            }
            _ => {}
        }
    }

    fn hear(&mut self, event: Event, now: Time) {
        match event {
            Event::Ready(ready) => shim::tell(&format!("session {} is ready", ready.generation)),
            Event::Reinitialize { generation, .. } => {
                shim::tell(&format!("session {generation} is lost"));
            }
            Event::Reply { reply, .. } => {
                match reply.outcome {
                    Ok(result) => shim::end(Ok(result.as_str())),
                    Err(error) => shim::end(Err(&error.to_string())),
                }
                self.connection.close(now);
            }
            Event::Fail { subject, error } => {
                if let Subject::Call(_) = subject {
                    shim::end(Err(&error.to_string()));
                    self.connection.close(now);
                }
            }
            event => shim::tell(&format!("{event:?}")),
        }
    }
}

fn send(exchange: ExchangeId, request: &Request<Bytes>) {
    let target = Target {
        method: request.method().as_str(),
        url: request.uri().to_string(),
        // All that the machine writes is ASCII.
        headers: request
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
            .collect(),
    };
    let target = serde_json::to_vec(&target).unwrap_or_default();
    shim::send(exchange.number(), &target, request.body());
}
