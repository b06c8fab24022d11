//! The report for people.

use mcp_http::{Binding, Revision};

use super::check::{Finding, Verdict};
use super::exchange::Exchange;
use super::report::{Examined, Outcome, Report, milliseconds};
use crate::escape::plain;
use crate::story;

pub(crate) fn of(report: &Report) -> String {
    let mut lines = vec![report.url.clone()];
    heading(&mut lines, "How it was found out");
    lines.extend(
        report
            .search
            .iter()
            .map(|exchange| format!("  {}", of_exchange(exchange))),
    );
    if let Some(error) = &report.failure {
        lines.push(String::new());
        lines.push(story::of_error(error));
    }
    if !report.revisions.is_empty() {
        heading(&mut lines, "Revisions");
    }
    for spoken in &report.revisions {
        let outcome = match &spoken.outcome {
            Ok(binding) => format!("yes, {}", of_binding(*binding)),
            Err(why) => format!("no: {}", plain(why)),
        };
        lines.push(format!("  {}  {outcome}", spoken.revision));
    }
    for examined in &report.examined {
        of_examined(&mut lines, examined);
    }
    lines.push(String::new());
    lines.push(summary(report));
    lines.join("\n")
}

fn heading(lines: &mut Vec<String>, text: &str) {
    lines.push(String::new());
    lines.push(text.to_owned());
}

/// One step: what was asked, what was answered, how long it took.
pub(crate) fn of_exchange(exchange: &Exchange) -> String {
    let ms = milliseconds(exchange.took);
    let answered = plain(&exchange.answered());
    let mut line = format!("{:<32} {answered} ({ms} ms)", exchange.asked());
    if let Some((_, message)) = exchange.error().filter(|(_, message)| !message.is_empty()) {
        let shown: String = message.chars().take(200).collect();
        line.push_str(&format!("\n      \"{}\"", plain(&shown)));
    }
    line
}

fn of_examined(lines: &mut Vec<String>, examined: &Examined) {
    let Examined {
        binding,
        revision,
        server,
        findings,
    } = examined;
    let binding = of_binding(*binding);
    heading(lines, &format!("{server}, revision {revision}, {binding}"));
    lines.extend(
        findings
            .iter()
            .map(|finding| of_finding(finding, *revision)),
    );
}

fn of_finding(finding: &Finding, revision: Revision) -> String {
    let Finding {
        name,
        verdict,
        text,
        took,
        rule,
    } = finding;
    let took = took.map(|took| format!(" ({} ms)", milliseconds(took)));
    let line = format!(
        "  {:<7} {name}: {}{}",
        of_verdict(*verdict),
        plain(text),
        took.unwrap_or_default()
    );
    if *verdict == Verdict::NotApplicable {
        return line;
    }
    format!(
        "{line}\n          {}: {}\n          ({}, {}, {})",
        rule.force.as_str(),
        rule.sentence,
        rule.revision(revision),
        rule.page,
        rule.section
    )
}

fn of_verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Breaks => "BREAKS",
        Verdict::CannotTell => "?",
        Verdict::Keeps => "keeps",
        Verdict::NotApplicable => "-",
        Verdict::Note => "note",
    }
}

fn of_binding(binding: Binding) -> String {
    match binding {
        Binding::Session => "streamable HTTP with `initialize`".to_owned(),
        Binding::Stateless => "streamable HTTP, stateless".to_owned(),
        other => other.to_string(),
    }
}

fn summary(report: &Report) -> String {
    match report.outcome() {
        Outcome::Unreachable => return "The server cannot be reached.".to_owned(),
        _ if report.failure.is_some() => return "No revision could be spoken.".to_owned(),
        _ => {}
    }
    let counted = |verdict, one: &str, many: &str| match report.count(verdict) {
        0 => None,
        1 => Some(format!("1 {one}")),
        count => Some(format!("{count} {many}")),
    };
    let broken = counted(Verdict::Breaks, "MUST is broken", "MUSTs are broken");
    let mut parts = vec![broken.unwrap_or_else(|| "No MUST is broken".to_owned())];
    parts.extend(counted(Verdict::Note, "note", "notes"));
    parts.extend(counted(
        Verdict::CannotTell,
        "cannot be told",
        "cannot be told",
    ));
    format!("{}.", parts.join(", "))
}
