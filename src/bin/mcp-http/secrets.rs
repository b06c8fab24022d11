//! What must not be printed, found in what a server says.

use http::{HeaderName, header};

/// Shorter ones, such as `1`, are no credentials, and are in every text.
const SHORTEST: usize = 6;

/// What the library shows of a server's text at most: there a secret may be cut off.
const EXCERPT: usize = 1024;

/// JSON in JSON in JSON: each time, one backslash becomes two.
const MOST_BACKSLASHES: usize = 8;

const SHOWN: &str = "[secret]";

#[derive(Clone, Default)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    /// The value of a header, whole and in its parts: a server repeats the token without
    /// its scheme, or one cookie of several.
    pub(crate) fn add(&mut self, name: &HeaderName, value: &str) {
        self.keep(value);
        let mut value = value.trim();
        if name != header::COOKIE {
            if let Some((scheme, rest)) = value.split_once(' ') {
                // A word that stands in every refusal.
                value = if scheme.contains('=') { value } else { rest };
            }
        }
        for part in value.split([' ', '\t', ',', ';']) {
            self.keep(part);
            if let Some((_, value)) = part.split_once('=') {
                self.keep(value.trim_matches('"'));
            }
        }
    }

    /// The values of an address's query.
    pub(crate) fn add_query(&mut self, query: &str) {
        for (_, value) in query.split('&').filter_map(|part| part.split_once('=')) {
            self.keep(value);
        }
    }

    fn keep(&mut self, secret: &str) {
        if secret.len() >= SHORTEST && !self.0.iter().any(|kept| kept == secret) {
            self.0.push(secret.to_owned());
        }
    }

    /// The text without any of them.
    pub(crate) fn hidden(&self, text: String) -> String {
        if self.0.is_empty() {
            return text;
        }
        let mut shown = String::with_capacity(text.len());
        let mut rest = text.as_str();
        loop {
            let ends = self.0.iter().filter_map(|secret| {
                let (matched, behind) = begins_with(rest, secret);
                let is_cut = matched >= SHORTEST
                    && text.len() - behind.len() >= EXCERPT
                    && is_end_of_excerpt(behind);
                (matched == secret.chars().count() || is_cut).then_some(behind)
            });
            if let Some(behind) = ends.min_by_key(|behind| behind.len()) {
                shown.push_str(SHOWN);
                rest = behind;
                continue;
            }
            let mut chars = rest.chars();
            match chars.next() {
                Some(char) => shown.push(char),
                None => return shown,
            }
            rest = chars.as_str();
        }
    }

    /// The JSON without any of them in its strings and numbers. It stays JSON.
    pub(crate) fn hidden_in_json(&self, json: String) -> String {
        if self.0.is_empty() {
            return json;
        }
        let mut shown = String::with_capacity(json.len());
        let mut rest = json.as_str();
        while !rest.is_empty() {
            let (token, behind) = rest.split_at(token_length(rest));
            let text: String =
                serde_json::from_str(token).unwrap_or_else(|_| token.trim_matches('"').to_owned());
            let hidden = self.hidden(text.clone());
            match hidden == text {
                true => shown.push_str(token),
                false => shown.push_str(&serde_json::Value::from(hidden).to_string()),
            }
            rest = behind;
        }
        shown
    }
}

/// How many of the secret's characters the text begins with, escaped or not, and what is
/// behind them.
fn begins_with<'t>(text: &'t str, secret: &str) -> (usize, &'t str) {
    let mut rest = text;
    for (matched, char) in secret.chars().enumerate() {
        match after(char, rest) {
            Some(behind) => rest = behind,
            None => return (matched, rest),
        }
    }
    (secret.chars().count(), rest)
}

/// What is behind this character, which may be escaped as in JSON.
fn after(char: char, text: &str) -> Option<&str> {
    let mut bare = text;
    for _ in 0..MOST_BACKSLASHES {
        bare = bare.strip_prefix('\\').unwrap_or(bare);
    }
    let escape = Some(bare).filter(|bare| bare.len() < text.len());
    let of_code = || {
        let (code, rest) = escape?.strip_prefix('u')?.split_at_checked(4)?;
        (u32::from_str_radix(code, 16) == Ok(char.into())).then_some(rest)
    };
    let of_tab = || escape?.strip_prefix('t').filter(|_| char == '\t');
    of_code()
        .or_else(|| text.strip_prefix(char))
        .or_else(|| bare.strip_prefix(char))
        .or_else(of_tab)
}

/// Whether an excerpt can end here, in a sentence of the library's.
fn is_end_of_excerpt(behind: &str) -> bool {
    let behind = behind.trim_start_matches('\\');
    behind.is_empty() || behind.starts_with(['"', ')', ';', '\n']) || behind.starts_with(" (")
}

/// The length of the string, number, word or sign that JSON begins with.
fn token_length(json: &str) -> usize {
    let is_sign = |char: char| !(char.is_ascii_alphanumeric() || matches!(char, '+' | '-' | '.'));
    let mut after_backslash = false;
    match json.chars().next() {
        Some('"') => {
            let is_end = |char: char| {
                let ends = char == '"' && !after_backslash;
                after_backslash = char == '\\' && !after_backslash;
                ends
            };
            let inside = json.get(1..).unwrap_or_default();
            inside.find(is_end).map_or(json.len(), |end| end + 2)
        }
        Some(sign) if is_sign(sign) => sign.len_utf8(),
        _ => json.find(is_sign).unwrap_or(json.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(name: HeaderName, value: &str) -> Secrets {
        let mut secrets = Secrets::default();
        secrets.add(&name, value);
        secrets
    }

    fn hidden(value: &str, said: &str) -> String {
        secrets(header::FROM, value).hidden(said.to_owned())
    }

    #[test]
    fn what_a_server_repeats_is_hidden() {
        let said = "no s3cr3t, s3cr3t 1!";
        assert_eq!(hidden("s3cr3t", said), "no [secret], [secret] 1!");
        assert_eq!(hidden("1", said), said);
    }

    #[test]
    fn so_is_a_part_of_it_but_not_the_scheme() {
        let bearer = secrets(header::AUTHORIZATION, "Bearer s3cr3t");
        let said = "Bearer: no s3cr3t".to_owned();
        assert_eq!(bearer.hidden(said), "Bearer: no [secret]");
        let cookie = secrets(header::COOKIE, "id=s3cr3t; last=\"t0p-5ecret\"");
        let said = "s3cr3t or t0p-5ecret".to_owned();
        assert_eq!(cookie.hidden(said), "[secret] or [secret]");
    }

    #[test]
    fn escapes_do_not_show_it() {
        let secret = "a\"b\\c/d<e";
        for said in [
            secret,
            r#"a\"b\\c\/d\u003ce"#,
            r#"a\\\"b\\\\c/d\\u003Ce"#,
            r#"\u0061\u0022b\u005cc/d<e"#,
        ] {
            assert_eq!(hidden(secret, &format!("no {said}.")), "no [secret].");
        }
        assert_eq!(hidden(secret, r#"a\"b\\d"#), r#"a\"b\\d"#);
    }

    #[test]
    fn what_an_excerpt_cut_off_is_hidden_and_nothing_else_that_begins_like_it() {
        let said = |end: &str| format!("{}{end}\") x", "x".repeat(EXCERPT - end.len()));
        let hidden_end = |end: &str| hidden("session-1", &said(end));
        assert!(hidden_end("session").ends_with("x[secret]\") x"));
        assert_eq!(hidden_end("sessi"), said("sessi"));
        assert_eq!(hidden("session-1", "the session"), "the session");
    }

    #[test]
    fn json_stays_json() {
        let json = r#"{"123456":[123456,-1.0e5,true],"a\"":"x\"\\123456","b":"\ud800 123456\""}"#;
        assert_eq!(
            secrets(header::FROM, "123456").hidden_in_json(json.to_owned()),
            r#"{"[secret]":["[secret]",-1.0e5,true],"a\"":"x\"[secret]","b":"\\ud800 [secret]\\"}"#
        );
        let quoted = secrets(header::FROM, "12345\"");
        let json = r#"{"a":"12345","b":"12345\""}"#.to_owned();
        assert_eq!(
            quoted.hidden_in_json(json),
            r#"{"a":"12345","b":"[secret]"}"#
        );
    }
}
