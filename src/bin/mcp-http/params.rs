//! The params of a call: from the command line or from stdin.

use std::io::Read;

use mcp_http::RawJson;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::arguments::Usage;

/// Far more than servers take.
const LARGEST_MIB: u64 = 64;

/// How much of a line is shown on each side of a mistake.
const SHOWN: usize = 30;

pub(crate) fn read(argument: Option<&str>) -> Result<Option<RawJson>, Usage> {
    match argument {
        None => Ok(None),
        Some("-") => {
            let text = from(std::io::stdin().lock())?;
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

fn from(stdin: impl Read) -> Result<String, Usage> {
    let largest = LARGEST_MIB << 20;
    let mut text = String::new();
    let read = stdin
        .take(largest + 1)
        .read_to_string(&mut text)
        .map_err(|error| Usage(format!("the params cannot be read from stdin: {error}")))?;
    match read as u64 > largest {
        true => Err(Usage(format!(
            "the params are larger than {LARGEST_MIB} MiB"
        ))),
        false => Ok(text),
    }
}

/// Whether the params ask for progress with a token of their own.
pub(crate) fn has_progress_token(params: &RawJson) -> bool {
    #[derive(Deserialize)]
    struct Meta {
        #[serde(rename = "progressToken")]
        token: Option<IgnoredAny>,
    }
    let meta = meta(params).and_then(|meta| meta.deserialize::<Meta>().ok());
    meta.is_some_and(|meta| meta.token.is_some())
}

fn meta(params: &RawJson) -> Option<RawJson> {
    #[derive(Deserialize)]
    struct Params {
        // `null` is there, too, as an `Option` would not say.
        #[serde(rename = "_meta")]
        meta: RawJson,
    }
    let params = params.deserialize::<Params>();
    params.ok().map(|params| params.meta)
}

struct Mistake {
    what: String,
    /// Line and column, from 1.
    place: Option<(usize, usize)>,
}

fn object(text: &str) -> Result<RawJson, Mistake> {
    let mistake = |what: &str| Mistake {
        what: what.to_owned(),
        place: None,
    };
    // Whatever else stands here, a secret in the wrong place perhaps, is not shown.
    if !matches!(text.trim_start().chars().next(), Some('{') | None) {
        return Err(mistake("the params have to be a JSON object: {…}"));
    }
    let raw = RawJson::from_text(text).map_err(|error| Mistake {
        what: format!("the params are no JSON: {error}"),
        place: Some((error.line(), error.column())),
    })?;
    // The protocol puts its own members there.
    if meta(&raw).is_some_and(|meta| !meta.as_str().starts_with('{')) {
        return Err(mistake(
            "`_meta` in the params has to be a JSON object: {…}",
        ));
    }
    Ok(raw)
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
    fn only_an_object_will_do_and_nothing_else_is_shown() {
        for text in ["[]", "12345", "null", "\"{}\"", " tok3n", "tok3n\": {"] {
            assert_eq!(mistake(text), "the params have to be a JSON object: {…}");
        }
        for meta in ["1", "[]", "null", "\"\""] {
            let mistake = mistake(&format!("{{\"_meta\": {meta}}}"));
            assert_eq!(
                mistake,
                "`_meta` in the params has to be a JSON object: {…}"
            );
        }
    }

    #[test]
    fn an_endless_stdin_is_left_in_time() {
        assert_eq!(
            from(std::io::repeat(b' ')).unwrap_err().0,
            "the params are larger than 64 MiB"
        );
        assert_eq!(from(&b"{}"[..]).unwrap(), "{}");
    }
}
