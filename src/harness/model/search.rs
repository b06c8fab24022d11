//! How it is found out how the server is reached: what may be asked next in a handshake,
//! and what the answers say (behaviour, section 2).

use std::time::Duration;

use serde_json::Value;

use super::exchange::{Exchange, Outcome, Over};
use super::pace::CEILING;
use super::{Model, Seen, must};
use crate::{Binding, Contact, Revision};

/// The errors by which a server says that it speaks 2026-07-28.
const MODERN: [i64; 3] = [-32020, -32021, UNSUPPORTED];
const UNSUPPORTED: i64 = -32022;
const INVALID_PARAMS: i64 = -32602;
/// How often in a row it is asked again later.
const RESENDS: usize = 2;
/// The order in which a server is asked of which nothing is known.
const RUNGS: [Contact; 3] = [Contact::Discover, Contact::Initialize, Contact::EventStream];

/// What may be asked next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Next {
    /// The handshake is over: what leaves next begins another one.
    Anew,
    /// The same, once the server has time.
    Later,
    /// The handshake goes on with this.
    On(Contact),
    /// The same, to where it is redirected; if not too often.
    Redirected,
    /// It cannot be told from outside.
    Unknown,
}

/// What is known of the server, and what was asked in this handshake.
#[derive(Debug)]
pub(super) struct Search {
    known: Option<Binding>,
    /// Whether that is the application's memory alone, which may be given up.
    remembered: bool,
    /// Whether this connection has found it, and nothing has spoken against it.
    proven: bool,
    pub(super) next: Next,
    /// Whether something unknown may have spoken against what was found.
    doubted: bool,
    /// Whether it is not known for sure with what this handshake began.
    vague: bool,
    asked: Vec<Contact>,
    /// Whether it went back to `server/discover`.
    returned: bool,
    /// Whether something has answered already as it should.
    works: bool,
    /// How often in a row it was asked for the same again later.
    later: usize,
    /// Whether the server named a revision without sessions already.
    renegotiated: bool,
    /// The revision that the server named instead of the one that was offered.
    named: Option<Revision>,
}

/// What an answer says of the server.
enum Says {
    /// It speaks 2026-07-28, and these revisions if it names them.
    Modern(Option<Vec<Revision>>),
    /// It speaks these revisions alone.
    These(Vec<Revision>),
    /// It does not speak this.
    Other,
    /// It is no reason to ask anything else.
    Nothing,
}

impl Search {
    pub(super) fn new(known: Option<Binding>) -> Self {
        Self {
            known,
            remembered: known.is_some(),
            proven: false,
            next: Next::Anew,
            doubted: false,
            vague: false,
            asked: Vec::new(),
            returned: false,
            works: false,
            later: 0,
            renegotiated: false,
            named: None,
        }
    }

    /// A session is established.
    pub(super) fn found(&mut self, binding: Binding) {
        self.known = Some(binding);
        self.remembered = false;
        self.proven = true;
        self.next = Next::Anew;
        self.doubted = false;
        self.vague = false;
    }

    /// The handshake is over with the stream that it was made on, or may be.
    pub(super) fn is_given_up(&mut self, certain: bool) {
        self.next = if certain { Next::Anew } else { Next::Unknown };
    }

    /// What is known is so no more.
    pub(super) fn forget(&mut self) {
        self.known = None;
        self.proven = false;
    }

    /// Whether what it has asked, and what it offers, cannot be told for sure.
    pub(super) fn is_vague(&self) -> bool {
        self.next != Next::Anew && (self.vague || self.next == Next::Unknown)
    }

    /// Whether what leaves now counts: the first request of a handshake does, and what is
    /// asked once more in it.
    fn counts(&self, contact: Contact) -> bool {
        self.asked.is_empty() || self.asked.contains(&contact)
    }
}

impl Model {
    /// What a handshake begins with.
    fn first_contact(&self) -> Contact {
        let known = self.search.known.map(|binding| match binding {
            Binding::HttpSse => Contact::EventStream,
            Binding::Session => Contact::Initialize,
            Binding::Stateless => Contact::Discover,
        });
        let fits = |it: &Contact| fits(self.setup.pinned, *it);
        known.filter(fits).unwrap_or(self.top())
    }

    /// What a handshake begins with if nothing is known.
    fn top(&self) -> Contact {
        let top = RUNGS.into_iter().find(|it| fits(self.setup.pinned, *it));
        top.unwrap_or(Contact::Discover)
    }

    /// The revision that `initialize` has to offer.
    pub(super) fn revision_offered(&self) -> Revision {
        let goes_on = self.search.next != Next::Anew;
        let named = self.search.named.filter(|_| goes_on);
        let named = self.setup.pinned.or(named);
        named.unwrap_or(Revision::V2025_11_25)
    }

    /// A request of the handshake leaves, and no redirect leads it: it has to be the
    /// right one. Whether it counts, and whether its time is told by the budget.
    pub(super) fn asks_next(&mut self, contact: Contact) -> Result<(bool, bool), String> {
        let next = self.search.next;
        // What is remembered may have been given up.
        let top = self.search.remembered.then(|| self.top());
        let is_first = contact == self.first_contact() || Some(contact) == top;
        let last = self.sessions.attempts.last().map(|it| it.contact);
        let expected = match next {
            Next::Anew => is_first,
            Next::On(next) => contact == next,
            Next::Later | Next::Redirected => Some(contact) == last || is_first,
            Next::Unknown => true,
        };
        must(expected, || {
            let known = self.search.known;
            format!("the handshake asks {contact:?}, and next is {next:?} (known: {known:?})")
        })?;
        let search = &mut self.search;
        search.vague = search.is_vague();
        let begins = match next {
            Next::Anew => true,
            Next::On(_) | Next::Later => false,
            Next::Redirected | Next::Unknown => is_first,
        };
        if begins {
            search.asked.clear();
            search.named = None;
            search.returned = false;
            search.works = false;
            search.renegotiated = false;
        }
        search.later = match next {
            Next::Later => search.later + 1,
            _ => 0,
        };
        let counts = search.counts(contact) && next != Next::Unknown;
        search.asked.push(contact);
        Ok((counts, !matches!(next, Next::On(_))))
    }

    /// Whether no more handshakes may leave now.
    fn is_budget_spent(&self) -> bool {
        self.counted().len() >= 3
    }

    /// A request of the handshake has got its answer, or none.
    pub(super) fn handshake_ended(&mut self, number: u64, contact: Contact) {
        if self.sessions.attempts.last().map(|it| it.exchange) != Some(number) {
            return;
        }
        let exchange = &self.exchanges[&number];
        let unclear = exchange.strained;
        self.search.doubted |= unclear;
        let (spent, may_be_spent) = (self.is_budget_spent(), self.may_be_spent());
        self.search.next = match exchange.outcome.clone() {
            _ if unclear => Next::Unknown,
            Outcome::Redirected if self.redirects(contact) >= 3 => Next::Anew,
            Outcome::Redirected => Next::Redirected,
            Outcome::Accepted => {
                self.search.works = true;
                let next = Contact::Initialize;
                match self.search.counts(next) {
                    _ if self.search.vague => Next::Unknown,
                    true if spent => Next::Anew,
                    true if may_be_spent => Next::Unknown,
                    _ => Next::On(next),
                }
            }
            Outcome::Later(told) => {
                let far = told.is_some_and(|told: Duration| told > CEILING);
                match far || self.search.later >= RESENDS || spent {
                    true => Next::Anew,
                    false if self.search.vague || may_be_spent => Next::Unknown,
                    false => Next::Later,
                }
            }
            _ => {
                let says = self.says(contact, exchange);
                let (pinned, vague) = (self.setup.pinned, self.search.vague);
                let doubted = self.search.doubted && matches!(says, Says::Other);
                let vague = vague && !matches!(says, Says::Nothing) || doubted;
                let next = self.goes_on(contact, says).filter(|it| fits(pinned, *it));
                match next.map(|next| (next, self.search.counts(next))) {
                    _ if vague => Next::Unknown,
                    None => Next::Anew,
                    Some((_, true)) if spent => Next::Anew,
                    Some((_, true)) if may_be_spent => Next::Unknown,
                    Some((next, _)) => Next::On(next),
                }
            }
        };
    }

    /// What is asked after this.
    fn goes_on(&mut self, contact: Contact, says: Says) -> Option<Contact> {
        let pinned = self.setup.pinned;
        let search = &mut self.search;
        if search.works && !matches!(says, Says::These(_)) {
            return None;
        }
        let proven = search.proven;
        search.proven &= !matches!(says, Says::Modern(_) | Says::Other);
        let speaks = |revision: &Revision| pinned.is_none_or(|pinned| pinned == *revision);
        let newest = |of: &[Revision], handshake: bool| {
            let mine = of.iter().filter(|it| speaks(it)).copied();
            mine.filter(|it| it.has_handshake() == handshake).max()
        };
        match says {
            Says::These(named) if contact == Contact::Initialize => {
                search.named = newest(&named, true);
                Some(contact)
            }
            Says::Nothing => None,
            _ if search.works => None,
            Says::Modern(Some(named)) | Says::These(named)
                if contact == Contact::Discover && newest(&named, false).is_none() =>
            {
                newest(&named, true)?;
                let asked = search.returned || search.asked.contains(&Contact::Initialize);
                search.proven &= asked;
                (!asked).then_some(Contact::Initialize)
            }
            Says::Modern(Some(_)) if contact == Contact::Discover => {
                let again = std::mem::replace(&mut search.renegotiated, true);
                (!again).then_some(contact)
            }
            Says::Modern(_) | Says::These(_) => {
                let back = contact == Contact::Initialize && !search.returned;
                search.returned |= back;
                back.then_some(Contact::Discover)
            }
            Says::Other => {
                let asked = |it: &Contact| search.asked.contains(it);
                let mut rest = RUNGS.into_iter().filter(|it| !asked(it));
                let search = proven || search.returned;
                rest.find(|it| !search && fits(pinned, *it))
            }
        }
    }

    /// What the answer says of the server: no more than is written.
    fn says(&self, contact: Contact, exchange: &Exchange) -> Says {
        let status = exchange.status().unwrap_or_default();
        if matches!(status, 401 | 403 | 407 | 408 | 429 | 500..=599) {
            return Says::Nothing;
        }
        let error = exchange.own_error(&self.setup.limits);
        let code = error.as_ref().and_then(|it| it.pointer("/error/code"));
        let code = code.and_then(Value::as_i64);
        let named = error
            .as_ref()
            .and_then(|it| revisions(it, "/error/data/supported"));
        match (contact, code) {
            (Contact::Discover | Contact::Initialize, Some(code)) if MODERN.contains(&code) => {
                let named = (code == UNSUPPORTED).then(|| named.unwrap_or_default());
                return Says::Modern(named);
            }
            (Contact::Initialize, Some(INVALID_PARAMS)) if self.is_another(named.as_ref()) => {
                return Says::These(named.unwrap_or_default());
            }
            _ => {}
        }
        match contact {
            // This is how it is reached, although it tells nothing of itself.
            Contact::Discover if self.discovered(exchange).is_some() => Says::Nothing,
            Contact::Discover => self.says_to_discover(exchange, status),
            Contact::Initialize if matches!(status, 400 | 404 | 405) => Says::Other,
            Contact::EventStream if matches!(status, 400..=499) => Says::Other,
            Contact::EventStream if status / 100 == 2 && exchange.outcome == Outcome::Refused => {
                Says::Other
            }
            Contact::Initialize | Contact::EventStream => Says::Nothing,
        }
    }

    /// Whether a revision is named that could be offered instead, for the first time.
    fn is_another(&self, named: Option<&Vec<Revision>>) -> bool {
        let mine = |it: &&Revision| it.has_handshake() && self.setup.pinned.is_none();
        let newest = named.and_then(|named| named.iter().filter(mine).max());
        newest.is_some_and(|it| *it != self.revision_offered()) && self.search.named.is_none()
    }

    fn says_to_discover(&self, exchange: &Exchange, status: u16) -> Says {
        if let Outcome::Replied(Ok(result)) = &exchange.outcome {
            let capable = result.get("capabilities").is_some_and(Value::is_object);
            let named = revisions(result, "/supportedVersions").filter(|_| capable);
            return named.map_or(Says::Other, Says::These);
        }
        let whole = exchange.over == Some(Over::Ended);
        let kind = exchange.header("content-type");
        match status {
            // A page for people that does not come to its end.
            _ if exchange.over == Some(Over::TimedOut) && status < 300 => {
                let page = kind.is_some() || !exchange.body.is_empty();
                match page && !exchange.is_message() {
                    true => Says::Nothing,
                    false => Says::Other,
                }
            }
            202 | 204 | 400..=499 => Says::Other,
            200..=299 if exchange.is_message() => match &exchange.outcome {
                Outcome::Replied(_) => Says::Other,
                _ if whole => Says::Other,
                _ => Says::Nothing,
            },
            200..=299 if kind.is_none() && whole && exchange.body.is_empty() => Says::Other,
            _ => Says::Nothing,
        }
    }

    /// At rest: the search went on as far as there is reason to, and the budget lets it.
    pub(super) fn search_settled(&self) -> Seen {
        let next = self.search.next;
        let goes_on = match next {
            Next::On(contact) => !self.search.counts(contact) || !self.may_be_spent(),
            _ => false,
        };
        must(!goes_on || self.is_closed(), || {
            format!("the search goes no further, and next is {next:?}")
        })
    }
}

/// Whether the revision that is pinned can be found like this.
fn fits(pinned: Option<Revision>, contact: Contact) -> bool {
    pinned.is_none_or(|it| it.has_handshake() == (contact != Contact::Discover))
}

/// The revisions that are listed there, as far as they are known.
fn revisions(message: &Value, at: &str) -> Option<Vec<Revision>> {
    let listed = message.pointer(at)?.as_array()?;
    let named = listed.iter().filter_map(Value::as_str);
    Some(named.filter_map(Revision::from_date).collect())
}
