//! What is told at the end.

use std::time::Duration;

use mcp_http::{Binding, Error, Peer, Reason, Revision};

use super::check::{Finding, Seen, Verdict, findings};
use super::exchange::Exchange;
use super::visit::{Found, Visit};

pub(crate) struct Report {
    /// Without its query.
    pub(crate) url: String,
    /// The machine's steps when nothing was known of the server.
    pub(crate) search: Vec<Exchange>,
    pub(crate) revisions: Vec<Spoken>,
    pub(crate) examined: Vec<Examined>,
    /// Why nothing could be spoken.
    pub(crate) failure: Option<Error>,
}

/// What came of one revision.
pub(crate) struct Spoken {
    pub(crate) revision: Revision,
    pub(crate) outcome: Result<Binding, String>,
}

/// What was found on one binding.
pub(crate) struct Examined {
    pub(crate) binding: Binding,
    pub(crate) revision: Revision,
    pub(crate) server: String,
    pub(crate) findings: Vec<Finding>,
}

/// How the command ends, if it was not stopped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    Clean,
    Findings,
    Unreachable,
}

impl Report {
    pub(crate) fn new(url: &str, visits: Vec<(Option<Revision>, Visit)>) -> Self {
        let spoken = visits
            .iter()
            .filter_map(|(asked, visit)| spoken(*asked, visit));
        let mut revisions: Vec<Spoken> = spoken.collect();
        revisions.sort_by_key(|spoken| std::cmp::Reverse(spoken.revision));
        let has_session_revisions = revisions.iter().any(|spoken| {
            spoken
                .outcome
                .as_ref()
                .is_ok_and(|binding| *binding != Binding::Stateless)
        });
        let mut report = Self {
            url: url.to_owned(),
            search: Vec::new(),
            revisions,
            examined: Vec::new(),
            failure: None,
        };
        for (asked, visit) in visits {
            match (asked, visit.found) {
                (_, Ok(found)) => {
                    let answers = visit.answers.into_iter();
                    report.examined.extend(answers.map(|answers| {
                        let Found {
                            binding,
                            revision,
                            server,
                        } = &found;
                        let seen = Seen {
                            binding: *binding,
                            revision: *revision,
                            answers,
                            has_session_revisions,
                        };
                        Examined {
                            binding: *binding,
                            revision: *revision,
                            server: server.clone(),
                            findings: findings(&seen),
                        }
                    }));
                }
                (None, Err(error)) => report.failure = Some(error),
                (Some(_), Err(_)) => {}
            }
            if asked.is_none() {
                report.search = visit.handshake;
            }
        }
        if !report.examined.is_empty() {
            report.failure = None;
        }
        report
    }

    pub(crate) fn outcome(&self) -> Outcome {
        let is_unreached = self.search.iter().all(Exchange::is_unreached);
        if is_unreached && self.examined.is_empty() {
            Outcome::Unreachable
        } else if self.failure.is_some() || self.count(Verdict::Breaks) > 0 {
            Outcome::Findings
        } else {
            Outcome::Clean
        }
    }

    pub(crate) fn count(&self, verdict: Verdict) -> usize {
        let findings = self.examined.iter().flat_map(|examined| &examined.findings);
        findings
            .filter(|finding| finding.verdict == verdict)
            .count()
    }
}

fn spoken(asked: Option<Revision>, visit: &Visit) -> Option<Spoken> {
    let outcome = match &visit.found {
        Ok(found) => Ok(found.binding),
        Err(error) => Err(refusal(error)),
    };
    // What nobody asked for by name is what was found.
    let revision = asked.or(visit.found.as_ref().ok().map(|found| found.revision))?;
    Some(Spoken { revision, outcome })
}

/// Why a revision is not spoken.
fn refusal(error: &Error) -> String {
    if let Reason::Peer(Peer::Revision { server, .. }) = error.reason() {
        return format!("it is answered with {server}");
    }
    match (error.status(), error.rpc_error()) {
        (Some(status), Some(rpc)) => format!("{}, error {}", status.as_u16(), rpc.code),
        (Some(status), None) => format!("{}: {}", status.as_u16(), error.reason()),
        (None, _) => error.reason().to_string(),
    }
}

/// For people, in milliseconds: it is the network's time that counts.
pub(crate) fn milliseconds(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}
