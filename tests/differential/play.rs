//! How a scene is played, whoever plays it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use mcp_http::{CallId, Config, Error, Event, RawJson, RpcError, SubscriptionFilter, Ticket};
use serde_json::Value;
use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;
use tokio::runtime::{Handle, Runtime};

use crate::board::Board;
use crate::scene::{Calling, Scene, Step};
use crate::script::{Arrived, Script};
use crate::story::Story;

/// One who plays the application's part: the machine alone or under an adapter.
pub(crate) trait Player {
    fn ready(&mut self) -> Result<(), Error>;

    /// Begins a call and names it. One that cannot begin ends with why.
    fn call(&mut self, calling: Calling);

    fn end(&mut self, call: &str) -> Result<RawJson, Error>;

    fn drop_call(&mut self, call: &str);

    fn cancel(&mut self, call: CallId) -> Result<(), Error>;

    fn notify(&mut self, method: &str) -> Result<(), Error>;

    fn hear_about(&mut self, filter: SubscriptionFilter) -> Result<(), Error>;

    fn set_header(&mut self, name: &str, value: Option<&str>) -> Result<(), Error>;

    fn authorize(&mut self, credential: &str) -> Result<(), Error>;

    fn refuse_authorization(&mut self) -> Result<(), Error>;

    fn resume(&mut self) -> Result<(), Error>;

    fn reinitialize(&mut self) -> Result<(), Error>;

    /// The id of a call that has begun.
    fn id(&self, call: &str) -> Option<CallId>;

    fn close(&mut self);

    /// Reads the last event.
    fn leave(self: Box<Self>);
}

/// Makes a player: with a configuration, somewhere to note events, a runtime.
pub(crate) type Begin = fn(Config, Option<Arc<Log>>, &Handle) -> Box<dyn Player>;

/// What the application reads, and what it says to it.
pub(crate) struct Log {
    board: Arc<Board>,
    answer: Option<Answer>,
    pub(crate) events: Mutex<Vec<Event>>,
    pub(crate) answered: Mutex<BTreeMap<u64, Result<(), Error>>>,
}

pub(crate) type Answer = Result<Value, RpcError>;

impl Log {
    /// Notes an event. Gives what the application answers, if it is an ask.
    pub(crate) fn note(&self, event: Event) -> Option<(Ticket, Answer)> {
        let (cue, ticket) = match &event {
            Event::Ask(ask) => ("Ask", Some(ask.ticket)),
            Event::AskWithdrawn { .. } => ("AskWithdrawn", None),
            Event::Authorize(_) => ("Authorize", None),
            Event::Fail { .. } => ("Fail", None),
            Event::Gap { .. } => ("Gap", None),
            Event::Listening { .. } => ("Listening", None),
            Event::Message(_) => ("Message", None),
            Event::Ready(_) => ("Ready", None),
            Event::Reinitialize { .. } => ("Reinitialize", None),
            Event::StreamDegraded { .. } => ("StreamDegraded", None),
            Event::StreamEnded => ("StreamEnded", None),
            Event::StreamNotOffered { .. } => ("StreamNotOffered", None),
            Event::StreamRestored => ("StreamRestored", None),
            _ => ("?", None),
        };
        self.events.lock().unwrap().push(event);
        self.board.say(cue);
        ticket.zip(self.answer.clone())
    }

    pub(crate) fn answered(&self, ticket: Ticket, outcome: Result<(), Error>) {
        let mut answered = self.answered.lock().unwrap();
        answered.insert(ticket.number(), outcome);
        self.board.say("answered");
    }
}

/// Plays a scene, and tells its story.
pub(crate) fn play(scene: &Scene, runtime: &Runtime, begin: Begin) -> String {
    let board = Arc::new(Board::default());
    let log = Arc::new(Log {
        board: Arc::clone(&board),
        answer: scene.answer.clone(),
        events: Mutex::default(),
        answered: Mutex::default(),
    });
    let mut stage = Stage::new();
    if scene.listens {
        stage.listen(scene, &board, runtime);
    }
    let config = scene.config(&stage.url());
    let reads = scene.reads.then(|| Arc::clone(&log));
    let mut player = begin(config, reads, runtime.handle());
    let mut story = Story::new(stage.address, scene.at_once);
    let mut ids = BTreeMap::new();
    let mut open = BTreeSet::new();
    for step in scene.steps.iter().cloned() {
        match step {
            Step::Call(calling) => {
                let name = calling.name;
                player.call(calling);
                open.insert(name);
                if let Some(id) = player.id(name) {
                    ids.insert(name, id);
                    story.began(name, id);
                }
            }
            Step::Authorize(credential) => {
                story.did(
                    &format!("authorize {credential}"),
                    &player.authorize(credential),
                );
            }
            Step::RefuseAuthorization => {
                story.did("refuse authorization", &player.refuse_authorization());
            }
            Step::Cancel(name) => {
                story.did(&format!("cancel {name}"), &player.cancel(ids[name]));
            }
            Step::Close => player.close(),
            Step::Drop(name) => {
                open.remove(name);
                player.drop_call(name);
            }
            Step::End(name) => {
                open.remove(name);
                story.ended(name, &player.end(name));
            }
            Step::HearAbout(filter) => story.did("hear", &player.hear_about(filter)),
            Step::Listen => stage.listen(scene, &board, runtime),
            Step::Notify(method) => story.did(method, &player.notify(method)),
            Step::Ready => story.did("ready", &player.ready()),
            Step::Reinitialize => story.did("reinitialize", &player.reinitialize()),
            Step::Resume => story.did("resume", &player.resume()),
            Step::SetHeader(name, value) => {
                story.did(&format!("set {name}"), &player.set_header(name, value));
            }
            Step::Until(cue, times) => {
                let said = runtime.block_on(board.said(cue, times));
                assert!(said, "{}: never {times} times: {cue}", scene.name);
            }
        }
    }
    player.close();
    for name in open {
        story.ended(name, &player.end(name));
    }
    player.leave();
    story.read(&log);
    story.seen(&stage.arrived());
    story.to_string()
}

/// The server, and its place before it is there.
struct Stage {
    socket: Socket,
    address: SocketAddr,
    script: Option<Script>,
}

impl Stage {
    /// A socket that is bound and does not listen refuses, and nobody else gets its
    /// port meanwhile.
    fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any: SocketAddr = ([127, 0, 0, 1], 0).into();
        socket.bind(&any.into()).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        Self {
            socket,
            address,
            script: None,
        }
    }

    fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    fn listen(&mut self, scene: &Scene, board: &Arc<Board>, runtime: &Runtime) {
        let _runtime = runtime.enter();
        self.socket.listen(128).unwrap();
        self.socket.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(self.socket.try_clone().unwrap().into()).unwrap();
        self.script = Some(Script::over(listener, scene.serve(Arc::clone(board))));
    }

    fn arrived(&self) -> Vec<Arrived> {
        let arrived = self.script.as_ref().map(|script| &script.arrived);
        arrived.map_or_else(Vec::new, |arrived| arrived.lock().unwrap().clone())
    }
}
