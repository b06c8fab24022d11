//! A visit: the machine makes a connection and ends it. What it sends is the pattern of what
//! is asked besides.

use std::time::Duration;

use http::Method;
use mcp_http::blocking::{Client, Events};
use mcp_http::{Binding, Clocks, Config, Error, Event, Recovery, Revision};

use super::asker::{Asker, STEP, within};
use super::exchange::{Exchange, SESSION_ID};
use super::step::{Answers, Basis, Step};
use crate::story::{NAMELESS, name_of};

/// Of several steps, where it has to be found out how the server is reached.
const HANDSHAKE: Duration = Duration::from_secs(40);

/// What came of a handshake.
pub(crate) struct Visit {
    pub(crate) found: Result<Found, Error>,
    pub(crate) handshake: Vec<Exchange>,
    /// What was answered then, if more was asked.
    pub(crate) answers: Option<Answers>,
}

pub(crate) struct Found {
    pub(crate) binding: Binding,
    pub(crate) revision: Revision,
    pub(crate) server: String,
}

/// `wants` says whether to ask more of what was found.
pub(crate) fn visit(asker: &Asker, config: Config, wants: impl FnOnce(&Found) -> bool) -> Visit {
    let began = asker.recording.len();
    let client = Client::new(bounded(config), asker.recording.on_another_connection());
    let events = client.events();
    let made = within(asker, HANDSHAKE, || client.ready(), || client.close());
    let handshake = asker.recording.since(began);
    let found = made.map(|()| found(&client, events));
    let wanted = found.as_ref().ok().filter(|found| wants(found));
    let wanted = wanted.map(|found| found.binding);
    let answers = match wanted.and_then(|binding| Some((binding, pattern(binding, &handshake)?))) {
        Some((binding, (basis, known))) => Some(examine(asker, &client, binding, &basis, known)),
        None => {
            client.close();
            None
        }
    };
    Visit {
        found,
        handshake,
        answers,
    }
}

/// Asks all there is to ask. The session is ended by the machine meanwhile.
fn examine(
    asker: &Asker,
    client: &Client,
    binding: Binding,
    basis: &Basis,
    mut answers: Answers,
) -> Answers {
    ask(asker, Step::of(binding), basis, &mut answers);
    let living = asker.recording.len();
    client.close();
    let mut farewell = asker.recording.since(living).into_iter();
    let delete = farewell.find(|exchange| exchange.request.method() == Method::DELETE);
    answers.extend(delete.map(|delete| (Step::Delete, delete)));
    ask(asker, Step::of_the_end(binding), basis, &mut answers);
    answers
}

fn bounded(config: Config) -> Config {
    let mut clocks = Clocks::default();
    clocks.head = Some(STEP);
    clocks.delete = STEP;
    // A session that is lost meanwhile is a finding, not something to mend.
    let config = config.recovery(Recovery::Manual);
    config.clocks(clocks).listen(false)
}

fn found(client: &Client, mut events: Events) -> Found {
    let status = client.status();
    let told = std::iter::from_fn(|| events.next_within(Duration::ZERO));
    let server = told.into_iter().find_map(|event| match event {
        Event::Ready(ready) => Some(name_of(&ready)),
        _ => None,
    });
    Found {
        // Both are there once it is ready.
        binding: status.binding.unwrap_or(Binding::Session),
        revision: status.revision.unwrap_or(Revision::NEWEST),
        server: server.unwrap_or_else(|| NAMELESS.to_owned()),
    }
}

/// What the machine's own exchanges show.
fn pattern(binding: Binding, handshake: &[Exchange]) -> Option<(Basis, Answers)> {
    let last = |method: &str| {
        let mut exchanges = handshake.iter().rev();
        exchanges.find(|exchange| exchange.method().is_some_and(|found| found == method))
    };
    let (step, first, usual) = match binding {
        Binding::Session => {
            let first = last("initialize")?;
            (Step::Handshake, first, last("notifications/initialized")?)
        }
        Binding::Stateless => {
            let first = last("server/discover")?;
            (Step::Handshake, first, first)
        }
        _ => {
            let mut exchanges = handshake.iter().rev();
            let first = exchanges.find(|exchange| exchange.request.method() == Method::GET)?;
            (Step::Endpoint, first, last("notifications/initialized")?)
        }
    };
    let session = first
        .head
        .as_ref()
        .and_then(|(_, headers)| headers.get(SESSION_ID));
    let basis = Basis {
        binding,
        first: first.request.clone(),
        usual: usual.request.clone(),
        session: session.filter(|_| binding == Binding::Session).cloned(),
    };
    let answers = [(step, first.clone()), (Step::Initialized, usual.clone())];
    Some((basis, Answers::from(answers)))
}

fn ask(asker: &Asker, steps: &[Step], basis: &Basis, answers: &mut Answers) {
    for step in steps {
        let Some(request) = step.request(basis, answers) else {
            continue;
        };
        if asker.is_stopped() {
            return;
        }
        let exchange = asker.ask(&request);
        let opened = exchange
            .head
            .as_ref()
            .and_then(|(_, headers)| headers.get(SESSION_ID));
        if let (Step::OtherRevision, Some(session)) = (step, opened) {
            asker.end(&basis.delete(session));
        }
        answers.insert(*step, exchange);
    }
}
