//! The judge: knows what really happened, and holds what clients do and tell against it.

mod calls;
mod handshakes;
mod pace;
mod sessions;
mod tickets;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

pub(super) use self::calls::Terms;

use self::calls::Deed;
use self::handshakes::Handshakes;
use self::pace::{Name, Pace};
use self::sessions::Given;
use self::tickets::Pauses;
use super::asked::{Asked, Kind};
use super::part::{Mark, Part};
use super::plan::Setup;
use super::rule::Rule;
use super::wire::Wire;
use crate::{Event, FailureKind, NotificationId, Recovery, Subject, Ticket, Time};

/// Redirects of one message that are followed.
const REDIRECTS: usize = 3;

/// A rule that was broken, and how.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Breach {
    pub(super) rule: Rule,
    pub(super) what: String,
}

#[derive(Debug, Default)]
pub(super) struct Judge {
    pub(super) breach: Option<Breach>,
    deeds: Vec<Deed>,
    ledgers: Vec<Ledger>,
}

/// What is known of one client.
#[derive(Debug)]
struct Ledger {
    setup: Setup,
    /// Whether handshakes can begin in one way alone.
    straight: bool,
    handshakes: Handshakes,
    sessions: BTreeMap<u32, Given>,
    paces: BTreeMap<Name, Pace>,
    recent: VecDeque<Time>,
    /// When the application gave a credential.
    credentials: Vec<Time>,
    /// Until when streams may be taken up at once.
    hurries: Time,
    /// The credential that every request has to carry.
    token: Option<u32>,
    /// The channel of HTTP+SSE, the session of the address that it named, and how often one
    /// broke off.
    channel: Option<u32>,
    address: Option<u32>,
    channels_lost: u32,
    tickets: BTreeMap<Ticket, bool>,
    notes: BTreeSet<NotificationId>,
    pauses: Pauses,
    open_calls: usize,
    /// A call that failed for what did not happen to its own exchanges, as far as is seen.
    unexplained: Option<(usize, String)>,
    /// With `Hold`, from the loss of a session until the application has restored its state.
    restoring: bool,
    /// The wire of the last request.
    last: u32,
    closed: Option<Time>,
    over: bool,
}

impl Ledger {
    fn lose_channel(&mut self) {
        (self.channel, self.address) = (None, None);
        self.channels_lost += 1;
    }
}

impl Judge {
    pub(super) fn add_client(&mut self, setup: &Setup, straight: bool, token: Option<u32>) {
        self.ledgers.push(Ledger {
            setup: setup.clone(),
            straight,
            handshakes: Handshakes::default(),
            sessions: BTreeMap::new(),
            paces: BTreeMap::new(),
            recent: VecDeque::new(),
            credentials: Vec::new(),
            hurries: Time::ZERO,
            token,
            channel: None,
            address: None,
            channels_lost: 0,
            tickets: BTreeMap::new(),
            notes: BTreeSet::new(),
            pauses: Pauses::default(),
            open_calls: 0,
            unexplained: None,
            restoring: false,
            last: 0,
            closed: None,
            over: false,
        });
    }

    /// Only the first breach counts: what follows may follow from it.
    pub(super) fn breach(&mut self, rule: Rule, what: impl FnOnce() -> String) {
        if self.breach.is_none() {
            self.breach = Some(Breach { rule, what: what() });
        }
    }

    /// A request leaves.
    pub(super) fn sent(&mut self, wire: u32, client: usize, asked: &Asked, now: Time) {
        self.ledgers[client].last = wire;
        self.stays_at_home(client, asked);
        self.is_allowed_after_close(client, asked);
        self.carries_a_living_id(client, asked);
        self.has_a_living_address(client, asked);
        self.is_not_led_on(client, asked);
        self.is_no_storm(client, asked, now);
        match asked.kind {
            Kind::Call { key } => {
                // Its stream begins anew.
                self.ledgers[client].paces.remove(&Name::Call(key));
                self.call_sent(client, key, asked, now);
            }
            Kind::Discover | Kind::Initialize => {
                // Of another session everything begins anew.
                self.ledgers[client].paces.remove(&Name::Listening);
                self.handshake_sent(wire, client, asked, now);
            }
            Kind::Get if self.ledgers[client].handshakes.opens_channel() => {
                self.handshake_sent(wire, client, asked, now);
                self.ledgers[client].channel = Some(wire);
                self.ledgers[client].address = None;
            }
            Kind::Get | Kind::ResumeListening { .. } => {
                self.stream_taken_up(client, Name::Listening, asked, now);
            }
            Kind::Resume { key, .. } => self.stream_taken_up(client, Name::Call(key), asked, now),
            Kind::Answer { .. }
            | Kind::Cancelled { .. }
            | Kind::Delete
            | Kind::Initialized
            | Kind::Notification
            | Kind::Other
            | Kind::Ping
            | Kind::Subscribe => {}
        }
    }

    /// A part of an answer is handed to the client.
    pub(super) fn heard(&mut self, number: u32, wire: &mut Wire, part: &Part, now: Time) {
        let mark = match part {
            // JSON says nothing before it is whole; a refusal is not waited for at any price.
            Part::Text(_, mark) if wire.json && wire.status < 300 => {
                wire.mark = *mark;
                None
            }
            Part::Text(_, mark) => *mark,
            Part::End => wire.mark.take(),
            Part::Head(_) | Part::Fail(_) => None,
        };
        self.session_heard(number, wire, part, mark);
        self.handshake_heard(number, wire, part, mark, now);
        self.call_heard(wire, part, mark, now);
        self.pace_heard(wire, part, mark, now);
        let ledger = &mut self.ledgers[wire.client];
        if ledger.channel == Some(number) {
            if let Some(Mark::Named { session }) = mark {
                ledger.address = Some(session);
            }
            if ends(part) {
                ledger.lose_channel();
            }
        }
    }

    /// The client gives an exchange up.
    pub(super) fn aborted(&mut self, number: u32, wire: &Wire) {
        let ledger = &mut self.ledgers[wire.client];
        ledger.handshakes.aborted(number);
        if ledger.channel == Some(number) {
            ledger.lose_channel();
            ledger.handshakes.doubts.insert(number);
        }
        if let Some(key) = wire.asked.kind.key() {
            self.deeds[key].disturbed();
        }
        let ledger = &mut self.ledgers[wire.client];
        if let Some(name) = Name::of(wire.asked.kind) {
            // When it gave it up inside is not to be seen.
            ledger.paces.remove(&name);
        }
    }

    /// What the application did that lets its client hurry, at once or a little later.
    pub(super) fn hurried(&mut self, client: usize, now: Time) {
        let ledger = &mut self.ledgers[client];
        ledger.hurries = now + ledger.setup.retries.floor;
        for pace in ledger.paces.values_mut() {
            pace.hurried();
        }
    }

    pub(super) fn credential(&mut self, client: usize, token: u32, now: Time) {
        let ledger = &mut self.ledgers[client];
        ledger.credentials.push(now);
        ledger.token = Some(token);
        self.hurried(client, now);
    }

    /// The application has restored its state.
    pub(super) fn resumed(&mut self, client: usize) {
        self.ledgers[client].restoring = false;
    }

    pub(super) fn noted(&mut self, client: usize, note: NotificationId) {
        self.ledgers[client].notes.insert(note);
    }

    /// An event that the application reads, and the call that it is about.
    pub(super) fn told(&mut self, client: usize, key: Option<usize>, event: &Event, now: Time) {
        match event {
            Event::Reply { reply, .. } => self.replied(client, key, reply, now),
            Event::Fail { subject, error } => match subject {
                Subject::Call(_) => self.failed(client, key, error, now),
                Subject::Notification(note) => self.note_ended(client, *note),
                Subject::Answer(ticket) => self.ticket_ended(client, *ticket, true, now),
                _ => {}
            },
            Event::Accepted { subject } => match subject {
                Subject::Notification(note) => self.note_ended(client, *note),
                Subject::Answer(ticket) => self.ticket_ended(client, *ticket, true, now),
                _ => self.breach(Rule::OddAccepted, || {
                    format!("client {client}: {subject:?} is accepted")
                }),
            },
            Event::Ask(ask) => self.asked(client, ask, key, now),
            Event::Reinitialize { .. } => {
                let ledger = &mut self.ledgers[client];
                ledger.restoring = ledger.setup.recovery == Recovery::Hold;
            }
            Event::AskWithdrawn { ticket, .. } => self.ticket_ended(client, *ticket, false, now),
            Event::Message(message) if message.method == "notifications/progress" => {
                let params = message.params.as_ref().map_or("", |it| it.as_str());
                let own = key.is_some_and(|key| params.contains(&format!("\"key\":{key}}}")));
                if !own {
                    self.breach(Rule::ProgressOfAnother, || {
                        format!("client {client}: progress of call {key:?} is another's: {params}")
                    });
                }
            }
            _ => {}
        }
    }

    fn note_ended(&mut self, client: usize, note: NotificationId) {
        if !self.ledgers[client].notes.remove(&note) {
            self.breach(Rule::NoteEndsTwice, || {
                format!("client {client}: {note:?} ends twice")
            });
        }
    }

    /// Law 11.
    fn stays_at_home(&mut self, client: usize, asked: &Asked) {
        if !asked.at_home {
            self.breach(Rule::Elsewhere, || {
                format!("client {client}: {:?} goes to another origin", asked.kind)
            });
        }
        let token = self.ledgers[client].token;
        if asked.token != token {
            self.breach(Rule::Credential, || {
                format!(
                    "client {client}: {:?} carries credential {:?}, not {token:?}",
                    asked.kind, asked.token
                )
            });
        }
    }

    /// Law 4.
    fn is_not_led_on(&mut self, client: usize, asked: &Asked) {
        let (kind, moved) = (asked.kind, asked.moved);
        if moved > REDIRECTS {
            self.breach(Rule::LedOn, || {
                format!("client {client}: {kind:?} follows {moved} redirects in a row")
            });
        }
    }

    /// Law 12.
    fn is_allowed_after_close(&mut self, client: usize, asked: &Asked) {
        let ledger = &self.ledgers[client];
        let (closed, over) = (ledger.closed.is_some(), ledger.over);
        if over {
            self.breach(Rule::AfterTheEnd, || {
                format!("client {client}: {:?} leaves after the end", asked.kind)
            });
        }
        if closed && asked.kind != Kind::Delete {
            self.breach(Rule::AfterClose, || {
                format!("client {client}: {:?} leaves after close", asked.kind)
            });
        }
    }

    pub(super) fn closes(&mut self, client: usize, now: Time) {
        self.ledgers[client].closed.get_or_insert(now);
    }

    /// Whether the client says that it is closed, and whether that is in time (law 12).
    pub(super) fn look(&mut self, client: usize, over: bool, now: Time) {
        self.is_explained(client);
        let ledger = &mut self.ledgers[client];
        ledger.over |= over;
        let lag = Duration::from_millis(ledger.setup.lag);
        let due = ledger
            .closed
            .map(|at| at + ledger.setup.clocks.delete + lag);
        if !ledger.over && due.is_some_and(|due| now > due) {
            self.breach(Rule::Open, || {
                format!("client {client} does not end its closing")
            });
        }
    }

    /// After all: what holds in the end.
    pub(super) fn finish(&mut self) {
        self.calls_are_over();
        self.sessions_are_over();
        for client in 0..self.ledgers.len() {
            let ledger = &self.ledgers[client];
            if let Some(note) = ledger.notes.first() {
                let note = *note;
                self.breach(Rule::NoteUnended, || {
                    format!("client {client}: {note:?} never ends")
                });
            }
            let ledger = &self.ledgers[client];
            if let Some(ticket) = ledger.tickets.keys().next() {
                let ticket = *ticket;
                self.breach(Rule::AskUnended, || {
                    format!("client {client}: {ticket:?} never ends")
                });
            }
        }
    }
}

/// Whether a part says that nothing more comes.
fn ends(part: &Part) -> bool {
    matches!(part, Part::End | Part::Fail(_))
}

/// Whether it is the end of an exchange that never reached anybody.
fn never_sent(part: &Part) -> bool {
    matches!(part, Part::Fail(FailureKind::NotSent))
}

/// Whether a mark is the given one.
fn is(mark: Option<Mark>, fits: impl Fn(Mark) -> bool) -> bool {
    mark.is_some_and(fits)
}
