//! The params of a call: from the command line or from stdin.

use std::io::Read;

use mcp_http::RawJson;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::arguments::Usage;

/// How much of a line is shown on each side of a mistake.
const SHOWN: usize = 30;

pub(crate) fn read(argument: Option<&str>) -> Result<Option<RawJson>, Usage> {
    match argument {
        None => Ok(None),
        Some("-") => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|error| Usage(format!("the params cannot be read from stdin: {error}")))?;
            // What comes from elsewhere may be confidential: its mistakes are named, not shown.
            object(&text)
                .map(Some)
                .map_err(|mistake| Usage(mistake.what))
        }
        Some(text) => object(text).map(Some).map_err(|mistake| {
            let place = mistake.place.map(|place| pointed_at(text, place));
            Usage(format!("{}{}", mistake.what, place.unwrap_or_default()))
        }),
    }
}

/// Whether the params ask for progress with a token of their own.
pub(crate) fn has_progress_token(params: &RawJson) -> bool {
    #[derive(Deserialize)]
    struct Params {
        #[serde(rename = "_meta")]
        meta: Meta,
    }
    #[derive(Deserialize)]
    struct Meta {
        #[serde(rename = "progressToken")]
        token: Option<IgnoredAny>,
    }
    let params = params.deserialize::<Params>();
    params.is_ok_and(|params| params.meta.token.is_some())
}

struct Mistake {
    what: String,
    /// Line and column, from 1.
    place: Option<(usize, usize)>,
}

fn object(text: &str) -> Result<RawJson, Mistake> {
    let raw = RawJson::from_text(text).map_err(|error| Mistake {
        what: format!("the params are no JSON: {error}"),
        place: Some((error.line(), error.column())),
    })?;
    if raw.as_str().starts_with('{') {
        return Ok(raw);
    }
    Err(Mistake {
        what: "the params have to be a JSON object: {…}".to_owned(),
        place: None,
    })
}

/// The line with the mistake, and a mark below it.
fn pointed_at(text: &str, (line, column): (usize, usize)) -> String {
    let line = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    // Columns count bytes.
    let before = line.get(..column.saturating_sub(1)).unwrap_or(line);
    let before_length = before.chars().count();
    let skipped = before_length.saturating_sub(SHOWN);
    let shown: String = line.chars().skip(skipped).take(2 * SHOWN).collect();
    let blanks = " ".repeat(before_length - skipped);
    format!("\n  {}\n  {blanks}^", shown.replace(char::is_control, " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(text: &str) -> String {
        read(Some(text)).unwrap_err().0
    }

    #[test]
    fn params_stay_as_they_are() {
        let text = r#"{"b": 1.10, "a": 12345678901234567890123}"#;
        let params = read(Some(text)).unwrap().unwrap();
        assert_eq!(params.as_str(), text);
        assert!(read(None).unwrap().is_none());
    }

    #[test]
    fn a_mistake_is_pointed_at() {
        assert_eq!(
            mistake(r#"{"a": 1, b: 2}"#),
            "the params are no JSON: key must be a string at line 1 column 10\n  \
             {\"a\": 1, b: 2}\n           ^"
        );
        let long = format!("{{\"ä\": \"{}\", }}", "x".repeat(100));
        let shown = mistake(&long);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[1].chars().nth(lines[2].find('^').unwrap()), Some('}'));
        assert!(lines[1].len() < 70, "{shown}");
        assert!(mistake("").contains("EOF"));
        assert!(mistake("{").ends_with('^'));
    }

    #[test]
    fn only_an_object_will_do() {
        for text in ["[]", "1", "null", "\"{}\""] {
            assert!(mistake(text).contains("JSON object"), "{text}");
        }
    }
}
