//! The machine: one client talking to one MCP endpoint.

mod again;
mod answer;
mod ask;
mod authorization;
mod budget;
mod call;
mod cancel;
mod channel;
mod clock;
mod close;
mod commands;
mod control;
mod dispatch;
mod events;
mod exchange;
mod feed;
mod handshake;
mod jitter;
mod ladder;
mod listening;
mod negotiation;
mod notice;
mod offer;
mod outbox;
mod outcome;
mod parked;
mod phase;
mod pump;
mod rare;
mod reading;
mod reports;
mod requests;
mod resources;
mod restoring;
mod resume;
mod room;
mod rounds;
mod route;
mod session;
mod silence;
#[cfg(feature = "harness")]
mod state;
mod stream;
mod subscription;
mod suspicion;
mod table;
mod timers;
mod tools;
#[cfg(feature = "harness")]
mod weights;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub use self::listening::Listening;
pub use self::phase::Phase;

use self::ask::Ask;
use self::authorization::Authorization;
use self::call::Call;
use self::channel::Channel;
use self::control::{Farewell, Prompt};
use self::events::Events;
use self::exchange::Exchange;
use self::handshake::Handshake;
use self::jitter::Jitter;
use self::ladder::Ladder;
use self::listening::Listener;
use self::notice::Notice;
use self::rare::Rare;
use self::restoring::Restoring;
use self::session::Session;
use self::suspicion::Suspicion;
use self::table::Table;
use self::timers::Timers;
use self::tools::Tools;
use crate::error::{Error, Mistake, Misuse};
use crate::id::{Tag, Tagged};
use crate::wire::jsonrpc::ProgressToken;
use crate::{
    Binding, CallId, Config, Event, ExchangeId, RawJson, Revision, Search, Ticket, Time, Transmit,
};

/// One client talking to one MCP endpoint: a pure state machine.
///
/// It owns no socket, clock, thread or random source. Whoever drives it
///
/// 1. gives it **commands** ([`call`](Self::call), [`cancel`](Self::cancel) …),
/// 2. does what [`poll_transmit`](Self::poll_transmit) says and reports what comes
///    of it to the **`handle_*`** methods,
/// 3. calls [`handle_timeout`](Self::handle_timeout) when the time that
///    [`poll_timeout`](Self::poll_timeout) names has come,
/// 4. reads [`poll_event`](Self::poll_event).
///
/// After any of these the two outlets may have something new; they can be read in
/// any order, at any time, or left alone. A command is never illegal because
/// something waits. Commands and `handle_*` err only for a mistake of the caller
/// (or a full [limit](crate::Limits)) and change nothing then; whatever the peer
/// does wrong becomes an [`Event::Fail`].
///
/// Cloning gives a second machine in the same state, with the same ids: for model
/// checking and tests. Only one of the two may talk to the network.
#[derive(Clone)]
pub struct Connection {
    config: Config,
    tag: Tag,
    now: Time,
    jitter: Jitter,
    phase: Phase,
    handshake: Handshake,
    ladder: Ladder,
    channel: Channel,
    session: Session,
    /// Revision and capabilities of the session that the application saw last.
    shown: Option<(Revision, RawJson)>,
    /// `notifications/initialized` is still to leave.
    initialized_due: bool,
    authorization: Rare<Authorization>,
    suspicion: Option<Box<Suspicion>>,
    calls: Table<CallId, Call>,
    /// Calls that leave as soon as there is a session, in their order.
    waiting: BTreeSet<CallId>,
    /// Calls that leave then too, but behind what the session is asked for anew.
    behind: BTreeSet<CallId>,
    tokens: BTreeMap<ProgressToken, CallId>,
    asks: BTreeMap<Ticket, Ask>,
    /// Those of them that are asked on behalf of a call.
    asks_of: BTreeMap<CallId, BTreeSet<Ticket>>,
    exchanges: Table<ExchangeId, Exchange>,
    /// Calls whose stream broke off, by the id of their JSON-RPC request.
    cut: BTreeMap<u64, CallId>,
    /// Those of them that are to be resumed now.
    resumes: BTreeSet<CallId>,
    listening: Rare<Listener>,
    restoring: Rare<Restoring>,
    tools: Rare<Tools>,
    /// How many of them are control traffic.
    control_exchanges: usize,
    /// Streams that wait for room.
    stalled: BTreeSet<ExchangeId>,
    /// Those that are read on since the time was told last.
    read_on: BTreeSet<ExchangeId>,
    /// The last of them that found some.
    served: ExchangeId,
    /// Exchanges that have a little time left, oldest first.
    lingering: VecDeque<ExchangeId>,
    /// Whether something made room since the stalled streams were last looked at.
    room: bool,
    aborts: VecDeque<ExchangeId>,
    answers: VecDeque<Prompt>,
    notices: VecDeque<Notice>,
    farewells: VecDeque<Farewell>,
    events: Events,
    timers: Timers,
    /// When a change of the network was heeded last.
    network: Option<Time>,
    /// The last exchange that left before the last change.
    changed: u64,
    woken: Woken,
    /// Bytes that exchanges hold in buffers, refusals that wait for a credential or a ping, and
    /// what calls take along from one round to the next.
    held: usize,
    last_call: u64,
    last_exchange: u64,
    last_notification: u64,
    last_ticket: u64,
    /// The transitions of the phase table that were taken.
    #[cfg(feature = "harness")]
    taken: BTreeSet<(Phase, phase::Input)>,
}

/// What a time-out brought about and nobody has polled yet.
#[derive(Clone, Copy, Debug, Default)]
struct Woken {
    to_send: bool,
    to_tell: bool,
}

/// What a connection is doing, as of what was polled last.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Status {
    /// Where it is in its life.
    pub phase: Phase,
    /// Counts the sessions; 0 before the first.
    pub generation: u64,
    /// How the server is reached; absent while that is not known. Give it to
    /// [`Config::remember`](crate::Config::remember) the next time.
    pub binding: Option<Binding>,
    /// What the server was asked to find that out in the last handshake, or in the one
    /// that is under way, and how it answered.
    pub search: Search,
    /// The revision that is spoken.
    pub revision: Option<Revision>,
    /// Whether the current session has an id, so that it can be lost.
    pub has_session_id: bool,
    /// Whether an [`Event::Authorize`] waits for its answer.
    pub awaits_authorization: bool,
    /// How the listening stream is doing.
    pub listening: Listening,
    /// Calls that have not ended.
    pub open_calls: usize,
    /// Exchanges that are under way.
    pub exchanges: usize,
    /// Bytes in all buffers together.
    pub buffered: usize,
}

/// # Getters
impl Connection {
    /// A connection that does nothing until it is asked to.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let mut jitter = Jitter::new(config.seed);
        let place = config.endpoint.to_string();
        let tag = place.bytes().fold(jitter.next(), |hash, byte| {
            // FNV-1a's step; any mixing of seed and endpoint would do.
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        });
        let tag = Tag(u32::try_from(tag >> 32).unwrap_or_default());
        let ladder = Ladder::new(config.pinned, config.remembered);
        Self {
            config,
            tag,
            now: Time::ZERO,
            jitter,
            phase: Phase::Idle,
            handshake: Handshake::default(),
            ladder,
            channel: Channel::default(),
            session: Session::default(),
            shown: None,
            initialized_due: false,
            authorization: Rare::default(),
            suspicion: None,
            calls: Table::new(tag),
            waiting: BTreeSet::new(),
            behind: BTreeSet::new(),
            tokens: BTreeMap::new(),
            asks: BTreeMap::new(),
            asks_of: BTreeMap::new(),
            exchanges: Table::new(tag),
            cut: BTreeMap::new(),
            resumes: BTreeSet::new(),
            listening: Rare::default(),
            restoring: Rare::default(),
            tools: Rare::default(),
            control_exchanges: 0,
            stalled: BTreeSet::new(),
            read_on: BTreeSet::new(),
            served: ExchangeId::new(Tag(0), 0),
            lingering: VecDeque::new(),
            room: false,
            aborts: VecDeque::new(),
            answers: VecDeque::new(),
            notices: VecDeque::new(),
            farewells: VecDeque::new(),
            events: Events::default(),
            timers: Timers::default(),
            network: None,
            changed: 0,
            woken: Woken::default(),
            held: 0,
            last_call: 0,
            last_exchange: 0,
            last_notification: 0,
            last_ticket: 0,
            #[cfg(feature = "harness")]
            taken: BTreeSet::new(),
        }
    }

    /// What the connection is doing.
    #[must_use]
    pub fn status(&self) -> Status {
        let revision = self.session.revision.filter(|_| self.phase.has_session());
        Status {
            phase: self.phase,
            generation: self.session.generation,
            binding: self.session.binding.filter(|_| self.phase.has_session()),
            search: self.ladder.search.clone(),
            revision,
            has_session_id: self.session.id.is_some(),
            awaits_authorization: self.awaits_authorization(),
            listening: self.listening_status(),
            open_calls: self.calls.len(),
            exchanges: self.exchanges.len(),
            buffered: self.buffered(),
        }
    }

    /// Where it is in its life: a part of its [`Status`] that adapters ask for often.
    #[cfg(any(feature = "asynchronous", feature = "blocking"))]
    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether the application is to know anything, now.
    #[cfg(feature = "asynchronous")]
    pub(crate) fn has_event(&self) -> bool {
        !self.events.is_empty()
    }

    /// Whether nothing is ever sent again, and nothing more needs to be handled.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// Whether to read on from this exchange's body. If not, leave its bytes in the
    /// socket until something was polled from [`poll_event`](Self::poll_event), and
    /// ask again. Bytes that are reported nevertheless are kept.
    #[must_use]
    pub fn wants_read(&self, exchange: ExchangeId) -> bool {
        self.exchanges.contains_key(&exchange) && !self.stalled.contains(&exchange)
    }

    /// Why no session could be made the last time that one was wanted: a handshake
    /// failed, or their budget is spent. Nothing once there is one again.
    #[must_use]
    pub fn handshake_error(&self) -> Option<Error> {
        self.refusal()
    }

    /// The table by which connections change their phase, as text: a row for each
    /// input, a column for each [`Phase`]; `-` where nothing changes.
    #[must_use]
    pub fn phase_table() -> String {
        phase::table()
    }
}

/// # Outlets
impl Connection {
    /// What to do on the network next, if anything. A request is built here, from
    /// the state of this moment; once taken it counts as sent.
    pub fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        self.begin(now);
        loop {
            let transmit = self.next_transmit();
            self.end();
            // What was pointless, and is gone, may have made room for more.
            if transmit.is_some() || !self.wants_to_send() {
                return transmit;
            }
        }
    }

    /// What the application should know next, if anything.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.poll_event_where(|_| true)
    }

    /// The first event that is wanted; the others keep their places. For adapters
    /// that hand out replies although nobody reads the notifications before them.
    pub fn poll_event_where(&mut self, wanted: impl FnMut(&Event) -> bool) -> Option<Event> {
        let Some((event, from)) = self.events.pop_where(wanted) else {
            // Whoever asks has seen that something waits, and leaves it for later.
            self.woken.to_tell = false;
            return None;
        };
        if let Some(source) = from {
            self.stream_of(source);
        }
        self.room = true;
        self.end();
        Some(event)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if nothing else
    /// happens before. It is now while something that a time-out brought about
    /// waits to be polled, until somebody asked for it.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        let Woken { to_send, to_tell } = self.woken;
        if to_send && self.wants_to_send() || to_tell && !self.events.is_empty() {
            return Some(self.now);
        }
        self.timers.next()
    }
}

impl Connection {
    /// Bytes in all buffers together.
    fn buffered(&self) -> usize {
        let unread = self.events.bytes();
        let lists = self.tools.buffered();
        let doubts = self.suspicion.as_ref().map_or(0, |it| it.bytes);
        [unread, lists, doubts]
            .iter()
            .fold(self.held, |sum, bytes| sum.saturating_add(*bytes))
    }

    /// A turn begins: time never goes back.
    fn begin(&mut self, now: Time) {
        self.now = self.now.max(now);
        while let Some(id) = self.read_on.pop_first() {
            self.hear(id);
        }
        self.woken.to_send = self.woken.to_send && self.wants_to_send();
        self.woken.to_tell = self.woken.to_tell && !self.events.is_empty();
        self.release_if_replaced();
    }

    /// A turn ends: what it made possible happens.
    fn end(&mut self) {
        while std::mem::take(&mut self.room) && !self.stalled.is_empty() {
            self.pump_stalled();
        }
        self.release_behind();
        self.tell_subscriptions();
        self.schedule_if_due();
        self.check_closed();
    }

    fn misuse(&self, call: &'static str, mistake: Mistake) -> Error {
        Error::misuse(Misuse::new(call, Some(self.phase), mistake))
    }

    pub(super) fn own(&self, call: &'static str, id: &impl Tagged) -> Result<(), Error> {
        if id.tag() == self.tag {
            Ok(())
        } else {
            Err(self.misuse(call, Mistake::ForeignId))
        }
    }

    fn own_exchange(&self, call: &'static str, exchange: ExchangeId) -> Result<(), Error> {
        self.own(call, &exchange)?;
        if exchange.number() > self.last_exchange {
            return Err(self.misuse(call, Mistake::ForeignId));
        }
        Ok(())
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Connection").field(&self.status()).finish()
    }
}
