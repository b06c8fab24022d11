//! The ladder: how it is found out how a server is reached, newest shape of the protocol
//! first, and what an answer says about that (2026-07-28, transports/streamable-http:
//! backward compatibility; 2025-11-25, transports: backwards compatibility).

use super::negotiation::UNSUPPORTED_VERSION;
use super::tools::HEADER_MISMATCH;
use crate::error::{Clock, Error, Peer, Reason, Refused};
use crate::wire::binding::Binding;
use crate::{Contact, Revision, Search, Step};

/// `MissingRequiredClientCapabilityError` (2026-07-28, basic: error codes).
const MISSING_CAPABILITY: i64 = -32021;

/// The rungs, in their order.
const RUNGS: [Contact; 3] = [Contact::Discover, Contact::Initialize, Contact::EventStream];

/// Where the search stands, and what was found.
#[derive(Clone, Debug)]
pub(super) struct Ladder {
    /// What is asked next, or is under way.
    pub(super) contact: Contact,
    /// What was found, or remembered by the application.
    known: Option<Binding>,
    /// Whether the application remembers it, and this connection has not seen it.
    remembered: bool,
    /// Whether this connection has found it itself, and nothing has spoken against it.
    proven: bool,
    /// Whether the search has gone back to `server/discover`.
    returned: bool,
    pub(super) search: Search,
}

/// What the failure of a first contact says of the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sign {
    /// It speaks 2026-07-28 or later, for it says so.
    Modern,
    /// Somebody is there who does not speak this.
    Other,
    /// Nothing: it is no reason to speak an older revision (no false downgrade).
    Nothing,
}

impl Ladder {
    pub(super) fn new(pinned: Option<Revision>, known: Option<Binding>) -> Self {
        let mut ladder = Self {
            contact: Contact::Discover,
            known,
            remembered: known.is_some(),
            proven: false,
            returned: false,
            search: Search::default(),
        };
        ladder.begin(pinned);
        ladder
    }

    /// A handshake begins: at what is known, else at the top.
    pub(super) fn begin(&mut self, pinned: Option<Revision>) {
        self.returned = false;
        self.search = Search::default();
        let known = self.known.map(first_contact).filter(|it| fits(pinned, *it));
        let top = RUNGS.into_iter().find(|it| fits(pinned, *it));
        self.contact = known.or(top).unwrap_or(Contact::Discover);
    }

    /// It is known how the server is reached.
    pub(super) fn found(&mut self, binding: Binding) {
        self.search.push(self.contact, None);
        self.known = Some(binding);
        self.proven = true;
        self.remembered = false;
    }

    /// What is known is so no more: the next handshake finds it anew.
    pub(super) fn forget(&mut self) {
        self.known = None;
        self.remembered = false;
        self.proven = false;
    }

    /// Takes the failure down. Gives what to ask next, unless the search is over.
    pub(super) fn failed(&mut self, error: &Error, pinned: Option<Revision>) -> Option<Contact> {
        let contact = self.contact;
        self.search.push(contact, Some(error.clone()));
        let mut sign = sign(contact, error);
        if self
            .search
            .steps()
            .iter()
            .any(|step| step.failure.is_none())
        {
            // It has answered as a server of its shape does: what fails now is something else.
            sign = Sign::Nothing;
        }
        let proven = self.proven;
        self.proven &= sign == Sign::Nothing;
        let next = match sign {
            Sign::Nothing => None,
            _ if self.returned => None,
            Sign::Modern if contact == Contact::Initialize => {
                self.returned = true;
                Some(Contact::Discover)
            }
            Sign::Modern => None,
            // What was just found does not change its shape between two sessions.
            Sign::Other if proven => None,
            Sign::Other => {
                let asked = |it: &Contact| self.search.steps().iter().any(|by| by.contact == *it);
                RUNGS.into_iter().find(|it| !asked(it) && fits(pinned, *it))
            }
        };
        let next = next.filter(|it| fits(pinned, *it));
        match next {
            Some(next) => self.contact = next,
            None if self.remembered && discredits(contact, error) => self.forget(),
            None => {}
        }
        next
    }

    /// The stream of an HTTP+SSE server is open, and `initialize` is next on it.
    pub(super) fn channel_opened(&mut self) {
        self.search.push(self.contact, None);
        self.contact = Contact::Initialize;
    }

    /// The server names older revisions alone: `initialize` is next, unless it was asked.
    pub(super) fn goes_to_initialize(&mut self, error: &Error) -> bool {
        let asked = |step: &Step| step.contact == Contact::Initialize;
        if self.returned || self.search.steps().iter().any(asked) {
            return false;
        }
        self.search.push(self.contact, Some(error.clone()));
        self.proven = false;
        self.contact = Contact::Initialize;
        true
    }

    /// The failure that the search ends with: that of `initialize`, unless something says
    /// more; with all that was asked.
    pub(super) fn verdict(&self, error: Error) -> Error {
        let mut steps = self.search.steps().iter().rev();
        let initialize = steps.find(|step| step.contact == Contact::Initialize);
        let absent = self.contact == Contact::EventStream
            && sign(Contact::EventStream, &error) == Sign::Other;
        let first = initialize.filter(|_| absent);
        let error = first.and_then(|step| step.failure.clone()).unwrap_or(error);
        error.with_search(self.search.clone())
    }
}

/// How a server of this binding is asked first.
fn first_contact(binding: Binding) -> Contact {
    match binding {
        Binding::HttpSse => Contact::EventStream,
        Binding::Session => Contact::Initialize,
        Binding::Stateless => Contact::Discover,
    }
}

/// Whether the revision that is pinned can be found like this.
fn fits(pinned: Option<Revision>, contact: Contact) -> bool {
    let handshake = contact != Contact::Discover;
    pinned.is_none_or(|pinned| pinned.has_handshake() == handshake)
}

/// What a failure says of the server.
fn sign(contact: Contact, error: &Error) -> Sign {
    let code = error.rpc_error().map(|rpc| rpc.code);
    let modern = [HEADER_MISMATCH, MISSING_CAPABILITY, UNSUPPORTED_VERSION];
    if contact != Contact::EventStream && code.is_some_and(|code| modern.contains(&code)) {
        return Sign::Modern;
    }
    let status = error.status().map(|status| status.as_u16());
    match (contact, status, error.reason()) {
        (_, _, Reason::Peer(Peer::Revision { .. })) => Sign::Nothing,
        (_, Some(401 | 403 | 407 | 408 | 429), _) => Sign::Nothing,
        // A page for people, which a proxy or a login answers with.
        (Contact::Discover, Some(200..=299), Reason::Peer(Peer::ContentType(_))) => Sign::Nothing,
        (Contact::Discover, Some(200..=299 | 400..=499), _)
        | (Contact::Initialize, Some(400 | 404 | 405), _)
        | (Contact::EventStream, Some(200..=299 | 400..=499), _) => Sign::Other,
        (
            Contact::Discover,
            None,
            Reason::Lost(_) | Reason::Peer(_) | Reason::Timeout(Clock::Probe(_)),
        ) => Sign::Other,
        _ => Sign::Nothing,
    }
}

/// Whether a failure may come of a memory that is wrong, although it says nothing of the server:
/// from the top of the ladder it is found out. What ails servers, and asks for a credential, is
/// no such failure.
fn discredits(contact: Contact, error: &Error) -> bool {
    match error.reason() {
        Reason::Refused(Refused::NotFound | Refused::Rpc | Refused::Status) => true,
        Reason::Peer(Peer::Revision { .. }) => false,
        Reason::Peer(_) => true,
        // There is no stream, or nobody who says so.
        Reason::Timeout(_) => contact == Contact::EventStream,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::RpcError;
    use crate::error::{Answer, Delivery, Failure, Lost};

    fn refused(status: u16, code: Option<i64>) -> Error {
        let answer = Answer {
            status: StatusCode::from_u16(status).ok(),
            rpc: code.map(|code| RpcError::new(code, "")),
            ..Answer::default()
        };
        Error::new(Refused::Status, Delivery::Rejected).with_answer(answer)
    }

    /// The whole table: a letter for each status, with and without a code.
    #[test]
    fn what_a_failure_says_is_a_table() {
        let letter = |contact, error: &Error| match sign(contact, error) {
            Sign::Modern => 'm',
            Sign::Other => 'o',
            Sign::Nothing => '-',
        };
        let statuses = [
            200, 202, 302, 400, 401, 403, 404, 405, 406, 407, 408, 410, 422, 429, 500, 501, 503,
        ];
        let row = |contact, code| -> String {
            let errors = statuses.map(|status| refused(status, code));
            errors.iter().map(|error| letter(contact, error)).collect()
        };
        use Contact::{Discover, EventStream, Initialize};
        assert_eq!(row(Discover, None), "oo-o--ooo--oo----");
        assert_eq!(row(Discover, Some(-32601)), "oo-o--ooo--oo----");
        assert_eq!(row(Initialize, None), "---o--oo---------");
        assert_eq!(row(EventStream, None), "oo-o--ooo--oo----");
        for code in [-32020, -32021, -32022] {
            assert_eq!(row(Discover, Some(code)), "m".repeat(statuses.len()));
            assert_eq!(row(Initialize, Some(code)), "m".repeat(statuses.len()));
            assert_eq!(row(EventStream, Some(code)), row(EventStream, None));
        }
    }

    #[test]
    fn what_may_come_of_a_wrong_memory_is_a_table() {
        let offered = Revision::V2025_11_25;
        let server = "2030-01-01".to_owned();
        let of =
            |contact, reason: Reason| discredits(contact, &Error::new(reason, Delivery::Unknown));
        use Contact::{EventStream, Initialize};
        assert!(of(Initialize, Refused::NotFound.into()));
        assert!(of(Initialize, Refused::Rpc.into()));
        assert!(of(Initialize, Refused::Status.into()));
        assert!(of(Initialize, Peer::Message("no").into()));
        assert!(of(EventStream, Clock::Head(Default::default()).into()));
        assert!(!of(Initialize, Clock::Head(Default::default()).into()));
        assert!(!of(Initialize, Peer::Revision { server, offered }.into()));
        assert!(!of(Initialize, Refused::Unavailable.into()));
        assert!(!of(Initialize, Failure::not_sent("refused").into()));
    }

    #[test]
    fn what_was_found_is_doubted_once_it_failed_as_another_would() {
        let mut ladder = Ladder::new(None, None);
        ladder.contact = Contact::Initialize;
        ladder.found(Binding::Session);
        let mut fails = |status| {
            ladder.begin(None);
            ladder.failed(&refused(status, None), None)
        };
        assert_eq!(fails(503), None);
        assert_eq!(fails(404), None, "one that was down is the same");
        assert_eq!(fails(404), Some(Contact::Discover));
    }

    #[test]
    fn initialize_is_gone_to_unless_it_was_asked() {
        let mut ladder = Ladder::new(None, None);
        let older = refused(400, Some(-32022));
        for _ in 0..2 {
            assert!(ladder.goes_to_initialize(&older));
            assert_eq!(ladder.contact, Contact::Initialize);
        }
        ladder.failed(&refused(503, None), None);
        assert!(!ladder.goes_to_initialize(&older));
    }

    #[test]
    fn what_is_no_answer_says_nothing_but_for_the_probe() {
        let failures = [
            Error::new(Failure::broken("reset"), Delivery::Unknown),
            Error::new(Failure::not_sent("refused"), Delivery::NotSent),
            Error::new(Clock::Head(Default::default()), Delivery::Unknown),
        ];
        for error in &failures {
            for contact in RUNGS {
                assert_eq!(sign(contact, error), Sign::Nothing, "{contact:?} {error}");
            }
        }
        let late = Error::new(Clock::Probe(Default::default()), Delivery::Unknown);
        assert_eq!(sign(Contact::Discover, &late), Sign::Other);
        let ended = Error::new(Lost::Stream, Delivery::Unknown);
        assert_eq!(sign(Contact::Discover, &ended), Sign::Other);
    }
}
