//! The machine alone: one thread has it, and each exchange a socket and a thread that
//! reads it. No code of an adapter is in here.

mod http1;

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use mcp_http::{
    CallId, Config, Connection, Error, Event, ExchangeId, Failure, Phase, RawJson, RpcError,
    Subject, SubscriptionFilter, Time, Transmit,
};
use tokio::runtime::Handle;

use crate::play::{Log, Player};
use crate::record::{Asked, record};
use crate::scene::Calling;

type Outcome = Result<RawJson, Error>;
type Condition = Box<dyn Fn(&Connection) -> bool + Send>;

struct Bare {
    inputs: Sender<Input>,
    calls: BTreeMap<&'static str, Result<(CallId, Receiver<Outcome>), Error>>,
    thread: JoinHandle<()>,
}

enum Input {
    Command(Box<dyn FnOnce(&mut Loop) + Send>),
    Report(Report),
    Leave,
}

/// What came of an exchange.
type Report = Box<dyn FnOnce(&mut Connection, Time) -> Result<(), Error> + Send>;

pub(crate) fn begin(config: Config, log: Option<Arc<Log>>, _: &Handle) -> Box<dyn Player> {
    let (inputs, received) = mpsc::channel();
    let mut machine = Loop {
        connection: Connection::new(config),
        began: Instant::now(),
        inputs: inputs.clone(),
        sockets: BTreeMap::new(),
        waiting: BTreeMap::new(),
        until: Vec::new(),
        log,
    };
    Box::new(Bare {
        inputs,
        calls: BTreeMap::new(),
        thread: thread::spawn(move || machine.run(&received)),
    })
}

impl Bare {
    /// Has the loop do something, and waits for what it gives.
    fn command<T: Send + 'static>(
        &self,
        command: impl FnOnce(&mut Loop) -> T + Send + 'static,
    ) -> T {
        let (tell, told) = mpsc::channel();
        let command = Box::new(move |machine: &mut Loop| {
            let _ = tell.send(command(machine));
        });
        let _ = self.inputs.send(Input::Command(command));
        told.recv().unwrap()
    }

    fn until(&self, holds: impl Fn(&Connection) -> bool + Send + 'static) {
        let reached = self.command(|machine| {
            let (tell, told) = mpsc::channel();
            machine.until.push((Box::new(holds), tell));
            told
        });
        reached.recv().unwrap();
    }
}

impl Player for Bare {
    fn ready(&mut self) -> Result<(), Error> {
        self.command(|machine| machine.connection.connect(machine.now()))?;
        self.until(|connection| {
            let wanted = [
                Phase::Due,
                Phase::Discovering,
                Phase::Initializing,
                Phase::Confirming,
            ];
            !wanted.contains(&connection.status().phase)
        });
        self.command(|machine| match machine.connection.handshake_error() {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        })
    }

    fn call(&mut self, calling: Calling) {
        let begun = self.command(move |machine| {
            let now = machine.now();
            let Calling {
                method,
                params,
                options,
                ..
            } = calling;
            let id = machine.connection.call(method, &params, options, now)?;
            Ok((id, machine.expect(Subject::Call(id))))
        });
        self.calls.insert(calling.name, begun);
    }

    fn end(&mut self, call: &str) -> Outcome {
        let (_, told) = self.calls.remove(call).unwrap()?;
        told.recv().unwrap()
    }

    fn drop_call(&mut self, call: &str) {
        let (id, _) = self.calls.remove(call).unwrap().unwrap();
        self.cancel(id).unwrap();
    }

    fn cancel(&mut self, call: CallId) -> Result<(), Error> {
        self.command(move |machine| machine.connection.cancel(call, machine.now()))
    }

    fn notify(&mut self, method: &str) -> Result<(), Error> {
        let method = method.to_owned();
        let end = self.command(move |machine| {
            let now = machine.now();
            let id = machine.connection.notify(&method, &(), now)?;
            Ok(machine.expect(Subject::Notification(id)))
        })?;
        end.recv().unwrap().map(drop)
    }

    fn hear_about(&mut self, filter: SubscriptionFilter) -> Result<(), Error> {
        self.command(move |machine| machine.connection.listen(filter, machine.now()))
    }

    fn set_header(&mut self, name: &str, value: Option<&str>) -> Result<(), Error> {
        let (name, value) = (name.to_owned(), value.map(str::to_owned));
        self.command(move |machine| machine.connection.set_header(&name, value.as_deref()))
    }

    fn authorize(&mut self, credential: &str) -> Result<(), Error> {
        let credential = credential.to_owned();
        self.command(move |machine| machine.connection.authorize(&credential, machine.now()))
    }

    fn refuse_authorization(&mut self) -> Result<(), Error> {
        self.command(|machine| machine.connection.refuse_authorization(machine.now()))
    }

    fn resume(&mut self) -> Result<(), Error> {
        self.command(|machine| machine.connection.resume(machine.now()))
    }

    fn reinitialize(&mut self) -> Result<(), Error> {
        self.command(|machine| machine.connection.reinitialize(machine.now()))
    }

    fn id(&self, call: &str) -> Option<CallId> {
        self.calls[call].as_ref().ok().map(|(id, _)| *id)
    }

    fn close(&mut self) {
        self.command(|machine| machine.connection.close(machine.now()));
        self.until(Connection::is_closed);
    }

    fn leave(self: Box<Self>) {
        let _ = self.inputs.send(Input::Leave);
        self.thread.join().unwrap();
    }
}

/// What drives the machine.
struct Loop {
    connection: Connection,
    began: Instant,
    inputs: Sender<Input>,
    sockets: BTreeMap<ExchangeId, TcpStream>,
    waiting: BTreeMap<Subject, Sender<Outcome>>,
    until: Vec<(Condition, Sender<()>)>,
    log: Option<Arc<Log>>,
}

impl Loop {
    fn now(&self) -> Time {
        Time::new(self.began.elapsed())
    }

    fn expect(&mut self, subject: Subject) -> Receiver<Outcome> {
        let (tell, told) = mpsc::channel();
        self.waiting.insert(subject, tell);
        told
    }

    fn run(&mut self, received: &Receiver<Input>) {
        loop {
            self.settle();
            let at = self.connection.poll_timeout();
            let left = at.map_or(Duration::from_secs(60), |at| at.since(self.now()));
            match received.recv_timeout(left) {
                Ok(Input::Command(command)) => command(self),
                Ok(Input::Report(report)) => {
                    let now = self.now();
                    report(&mut self.connection, now).unwrap();
                }
                Ok(Input::Leave) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => self.connection.handle_timeout(self.now()),
            }
        }
    }

    /// Empties both outlets: what comes out of one may put something into the other.
    fn settle(&mut self) {
        loop {
            if let Some(transmit) = self.connection.poll_transmit(self.now()) {
                self.transmit(transmit);
            } else if let Some(event) = self.connection.poll_event() {
                self.tell(event);
            } else {
                break;
            }
        }
        let connection = &self.connection;
        self.until.retain(|(holds, tell)| {
            let reached = holds(connection);
            if reached {
                let _ = tell.send(());
            }
            !reached
        });
    }

    fn transmit(&mut self, transmit: Transmit) {
        match transmit {
            Transmit::Send { exchange, request } => {
                record(
                    &request,
                    self.connection.status().revision,
                    &Asked::default(),
                );
                self.send(exchange, &request);
            }
            Transmit::Abort { exchange } => {
                if let Some(socket) = self.sockets.remove(&exchange) {
                    let _ = socket.shutdown(Shutdown::Both);
                }
            }
            _ => panic!("there is nothing else"),
        }
    }

    fn send(&mut self, id: ExchangeId, request: &Request<Bytes>) {
        let inputs = self.inputs.clone();
        let report = move |report: Report| {
            let _ = inputs.send(Input::Report(report));
        };
        let failed = move |failure| -> Report {
            Box::new(move |machine, now| machine.handle_failure(id, failure, now))
        };
        let authority = request.uri().authority().unwrap().as_str();
        match TcpStream::connect(authority) {
            Err(error) => report(failed(Failure::not_sent(error.to_string()))),
            Ok(mut socket) => {
                self.sockets.insert(id, socket.try_clone().unwrap());
                let text = http1::written(request);
                thread::spawn(move || {
                    let done = socket
                        .write_all(&text)
                        .and_then(|()| http1::read(id, socket, &report));
                    if let Err(error) = done {
                        report(failed(Failure::broken(error.to_string())));
                    }
                });
            }
        }
    }

    /// What an adapter does with an event: the ends go to those who wait for them, and
    /// everything else to the application, or an ask is declined if there is none.
    fn tell(&mut self, event: Event) {
        let (subject, outcome) = match event {
            Event::Reply { call, reply } => {
                let status = reply.status;
                let outcome = reply.outcome.map_err(|rpc| Error::from_rpc(rpc, status));
                (Subject::Call(call), outcome)
            }
            Event::Accepted { subject } => (subject, Ok(RawJson::from_text("null").unwrap())),
            Event::Fail {
                subject:
                    subject @ (Subject::Answer(_) | Subject::Call(_) | Subject::Notification(_)),
                error,
            } => (subject, Err(error)),
            event => return self.show(event),
        };
        match (subject, &self.log) {
            (Subject::Answer(ticket), Some(log)) => log.answered(ticket, outcome.map(drop)),
            (subject, _) => {
                if let Some(waiting) = self.waiting.remove(&subject) {
                    let _ = waiting.send(outcome);
                }
            }
        }
    }

    fn show(&mut self, event: Event) {
        let now = self.now();
        let answer = match (&self.log, event) {
            (Some(log), event) => log.note(event),
            (None, Event::Ask(ask)) => Some((ask.ticket, Err(RpcError::method_not_found()))),
            (None, Event::Authorize(_)) => {
                let _ = self.connection.refuse_authorization(now);
                None
            }
            (None, _) => None,
        };
        if let Some((ticket, answer)) = answer {
            let answer = answer.as_ref().map_err(Clone::clone);
            let answered = self.connection.answer(ticket, answer, now);
            if let (Err(error), Some(log)) = (answered, &self.log) {
                log.answered(ticket, Err(error));
            }
        }
    }
}
