//! The report for programs.

use serde::Serialize;

use super::check::{Finding, Verdict};
use super::exchange::Exchange;
use super::report::{Report, milliseconds};
use super::rule::Force;

#[derive(Serialize)]
struct Document<'a> {
    url: &'a str,
    exit: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    search: Vec<Step>,
    revisions: Vec<Spoken>,
    examined: Vec<Examined<'a>>,
    broken: usize,
    notes: usize,
}

#[derive(Serialize)]
struct Step {
    asked: String,
    status: Option<u16>,
    media_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<RpcError>,
    answered: String,
    ms: u64,
}

#[derive(Serialize)]
struct RpcError {
    code: i64,
    message: String,
}

#[derive(Serialize)]
struct Spoken {
    revision: &'static str,
    binding: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why_not: Option<String>,
}

#[derive(Serialize)]
struct Examined<'a> {
    binding: String,
    revision: &'static str,
    server: &'a str,
    findings: Vec<Found<'a>>,
}

#[derive(Serialize)]
struct Found<'a> {
    name: &'static str,
    verdict: &'static str,
    text: &'a str,
    ms: Option<u64>,
    rule: Rule,
}

#[derive(Serialize)]
struct Rule {
    revision: &'static str,
    page: &'static str,
    section: &'static str,
    force: Force,
    sentence: &'static str,
}

pub(crate) fn of(report: &Report, exit: u8) -> String {
    let revisions = report.revisions.iter().map(|spoken| Spoken {
        revision: spoken.revision.as_str(),
        binding: spoken.outcome.as_ref().ok().map(ToString::to_string),
        why_not: spoken.outcome.as_ref().err().cloned(),
    });
    let examined = report.examined.iter().map(|examined| Examined {
        binding: examined.binding.to_string(),
        revision: examined.revision.as_str(),
        server: &examined.server,
        findings: examined
            .findings
            .iter()
            .map(|finding| of_finding(finding, examined.revision))
            .collect(),
    });
    let document = Document {
        url: &report.url,
        exit,
        failure: report.failure.as_ref().map(ToString::to_string),
        search: report.search.iter().map(of_exchange).collect(),
        revisions: revisions.collect(),
        examined: examined.collect(),
        broken: report.count(Verdict::Breaks),
        notes: report.count(Verdict::Note),
    };
    // Strings and numbers always serialize.
    serde_json::to_string(&document).unwrap_or_default()
}

fn of_exchange(exchange: &Exchange) -> Step {
    Step {
        asked: exchange.asked(),
        status: exchange.status(),
        media_type: exchange.media_type(),
        error: exchange
            .error()
            .map(|(code, message)| RpcError { code, message }),
        answered: exchange.answered(),
        ms: milliseconds(exchange.took),
    }
}

fn of_finding(finding: &Finding, spoken: mcp_http::Revision) -> Found<'_> {
    let rule = &finding.rule;
    Found {
        name: finding.name,
        verdict: match finding.verdict {
            Verdict::Breaks => "breaks",
            Verdict::CannotTell => "cannot-tell",
            Verdict::Keeps => "keeps",
            Verdict::NotApplicable => "not-applicable",
            Verdict::Note => "note",
        },
        text: &finding.text,
        ms: finding.took.map(milliseconds),
        rule: Rule {
            revision: rule.revision(spoken).as_str(),
            page: rule.page,
            section: rule.section,
            force: rule.force,
            sentence: rule.sentence,
        },
    }
}
