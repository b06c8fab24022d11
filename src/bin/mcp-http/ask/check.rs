//! What a person typed, as the JSON that the schema asks for.

use mcp_http::RawJson;

use super::form::{Choosable, Shape};

impl Shape {
    /// Reads an answer. An error says what is wrong with it.
    pub(crate) fn read(&self, typed: &str) -> Result<RawJson, String> {
        match self {
            Self::Boolean => match typed.trim().to_lowercase().as_str() {
                "y" | "yes" | "true" => Ok("true".to_owned()),
                "n" | "no" | "false" => Ok("false".to_owned()),
                _ => Err("say yes or no".to_owned()),
            },
            Self::Many {
                options,
                least,
                most,
            } => many(options, typed).and_then(|values| {
                within(values.len() as u64, *least, *most, "of them")?;
                Ok(serde_json::Value::from(values).to_string())
            }),
            Self::Number { whole, least, most } => number(typed.trim(), *whole, *least, *most),
            Self::One(options) => one(options, typed).map(|value| quoted(&value)),
            Self::Text {
                least,
                most,
                format,
                ..
            } => {
                within(typed.chars().count() as u64, *least, *most, "characters")?;
                match format.as_deref().is_none_or(|format| fits(format, typed)) {
                    true => Ok(quoted(typed)),
                    false => Err(format!("that is no {}", format.clone().unwrap_or_default())),
                }
            }
        }
        .and_then(|json| RawJson::from_text(json).map_err(|error| error.to_string()))
    }

    /// What to type, in a few words.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Boolean => "yes or no".to_owned(),
            Self::Many { least, most, .. } => {
                format!(
                    "{}numbers or values with commas between",
                    range(*least, *most)
                )
            }
            Self::Number { whole, least, most } => {
                let kind = if *whole { "a whole number" } else { "a number" };
                let least = least.map(|least| format!(", at least {least}"));
                let most = most.map(|most| format!(", at most {most}"));
                format!(
                    "{kind}{}{}",
                    least.unwrap_or_default(),
                    most.unwrap_or_default()
                )
            }
            Self::One(_) => "the number or the value".to_owned(),
            Self::Text {
                least,
                most,
                pattern,
                format,
            } => {
                let kind = format.as_deref().unwrap_or("text");
                let length = match (least, most) {
                    (0, None) => String::new(),
                    _ => format!(", {}characters", range(*least, *most)),
                };
                let pattern = pattern.as_ref().map(|pattern| format!(", like {pattern}"));
                format!("{kind}{length}{}", pattern.unwrap_or_default())
            }
        }
    }
}

fn range(least: u64, most: Option<u64>) -> String {
    match (least, most) {
        (0, None) => String::new(),
        (least, None) => format!("at least {least} "),
        (0, Some(most)) => format!("at most {most} "),
        (least, Some(most)) => format!("{least} to {most} "),
    }
}

fn within(count: u64, least: u64, most: Option<u64>, of_what: &str) -> Result<(), String> {
    if count < least || most.is_some_and(|most| count > most) {
        return Err(format!("it has to be {}{of_what}", range(least, most)));
    }
    Ok(())
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The digits stay as they were typed.
fn number(
    typed: &str,
    whole: bool,
    least: Option<f64>,
    most: Option<f64>,
) -> Result<String, String> {
    let value: f64 = serde_json::from_str(typed).map_err(|_| "that is no number".to_owned())?;
    if whole && typed.contains(['.', 'e', 'E']) {
        return Err("it has to be a whole number".to_owned());
    }
    if least.is_some_and(|least| value < least) || most.is_some_and(|most| value > most) {
        return Err("it is not within the bounds".to_owned());
    }
    Ok(typed.to_owned())
}

/// The value itself goes first: an enumeration may consist of numbers.
fn one(options: &[Choosable], typed: &str) -> Result<String, String> {
    let typed = typed.trim();
    let is_it = |option: &&Choosable| {
        option.value == typed || option.title.as_deref().is_some_and(|title| title == typed)
    };
    let by_number = || {
        let number: usize = typed.parse().ok()?;
        options.get(number.checked_sub(1)?)
    };
    options
        .iter()
        .find(is_it)
        .or_else(by_number)
        .map(|option| option.value.clone())
        .ok_or_else(|| format!("that is not among the {}", options.len()))
}

fn many(options: &[Choosable], typed: &str) -> Result<Vec<String>, String> {
    let parts = typed.split(',').filter(|part| !part.trim().is_empty());
    let mut values = Vec::new();
    for part in parts {
        let value = one(options, part)?;
        if !values.contains(&value) {
            values.push(value);
        }
    }
    Ok(values)
}

/// Whether the text may be of this format. The server decides; this catches slips.
fn fits(format: &str, text: &str) -> bool {
    let has_blank = text.contains(char::is_whitespace);
    match format {
        "date" => is_date(text),
        "date-time" => {
            let parts = text.split_once(['T', 't']);
            parts.is_some_and(|(date, time)| {
                let zone = time.trim_end_matches(|char: char| char.is_ascii_digit() || char == ':');
                is_date(date) && time.contains(':') && zone.ends_with(['Z', 'z', '+', '-'])
            })
        }
        "email" => {
            let parts = text.rsplit_once('@');
            !has_blank && parts.is_some_and(|(user, host)| !user.is_empty() && !host.is_empty())
        }
        "uri" => {
            let parts = text.split_once(':');
            !has_blank && parts.is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty())
        }
        _ => true,
    }
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let number = |part: &str, length: usize| {
        let digits = part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| part.parse::<u32>().ok()).flatten()
    };
    match parts.as_slice() {
        [year, month, day] => {
            number(year, 4).is_some()
                && number(month, 2).is_some_and(|month| (1..=12).contains(&month))
                && number(day, 2).is_some_and(|day| (1..=31).contains(&day))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(values: &[&str]) -> Vec<Choosable> {
        let option = |value: &&str| Choosable {
            value: (*value).to_owned(),
            title: Some(format!("the {value}")),
        };
        values.iter().map(option).collect()
    }

    fn of(shape: &Shape, typed: &str) -> Option<String> {
        let read = shape.read(typed).ok()?;
        Some(read.as_str().to_owned())
    }

    fn text(format: &str) -> Shape {
        Shape::Text {
            least: 0,
            most: Some(30),
            pattern: None,
            format: (!format.is_empty()).then(|| format.to_owned()),
        }
    }

    #[test]
    fn text_keeps_its_length_and_its_format() {
        assert_eq!(of(&text(""), " a\"b "), Some(r#"" a\"b ""#.to_owned()));
        assert_eq!(of(&text(""), &"ä".repeat(31)), None);
        assert!(of(&text(""), &"ä".repeat(30)).is_some());
        for (format, good, bad) in [
            ("email", "ada@example.com", "ada"),
            ("email", "a@b", "a b@c"),
            ("uri", "https://x", "x"),
            ("date", "2025-11-25", "2025-13-25"),
            ("date", "2025-01-31", "25.11.2025"),
            ("date-time", "2025-11-25T01:02:03Z", "2025-11-25"),
            (
                "date-time",
                "2025-11-25T01:02:03+01:00",
                "2025-11-25T01:02:03",
            ),
        ] {
            assert!(of(&text(format), good).is_some(), "{good}");
            assert_eq!(of(&text(format), bad), None, "{bad}");
        }
    }

    #[test]
    fn numbers_keep_their_digits_and_bounds() {
        let shape = |whole| Shape::Number {
            whole,
            least: Some(-1.0),
            most: Some(1e30),
        };
        for (whole, typed, read) in [
            (true, "12345678901234567890123", true),
            (true, " 7 ", true),
            (true, "1.0", false),
            (true, "-2", false),
            (false, "0.10", true),
            (false, "1e31", false),
            (false, "0x10", false),
            (false, "", false),
        ] {
            let expected = read.then(|| typed.trim().to_owned());
            assert_eq!(of(&shape(whole), typed), expected, "{typed}");
        }
    }

    #[test]
    fn one_of_several_by_value_title_or_number() {
        let shape = Shape::One(options(&["3", "red", "1"]));
        for (typed, value) in [
            ("red", Some("\"red\"")),
            ("the red", Some("\"red\"")),
            ("2", Some("\"red\"")),
            ("3", Some("\"3\"")),
            ("1", Some("\"1\"")),
            ("0", None),
            ("4", None),
            ("", None),
        ] {
            assert_eq!(of(&shape, typed).as_deref(), value, "{typed}");
        }
    }

    #[test]
    fn several_once_each_and_as_many_as_are_asked_for() {
        let shape = Shape::Many {
            options: options(&["a", "b", "c"]),
            least: 1,
            most: Some(2),
        };
        assert_eq!(of(&shape, "a, 3, a").as_deref(), Some(r#"["a","c"]"#));
        assert_eq!(of(&shape, "1,2,3"), None);
        assert_eq!(of(&shape, ""), None);
    }

    #[test]
    fn booleans() {
        assert_eq!(of(&Shape::Boolean, "Yes").as_deref(), Some("true"));
        assert_eq!(of(&Shape::Boolean, "n").as_deref(), Some("false"));
        assert_eq!(of(&Shape::Boolean, "maybe"), None);
    }
}
