//! A second reader of `WWW-Authenticate`: naive, by the grammar of RFC 9110, over whole elements
//! of the list.

use std::fmt::Write as _;

use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderValue};

use super::law::{law, same};
use crate::Challenge;
use crate::wire::challenge::parse_challenges;

/// What is read of all lines together.
const LONGEST: usize = 16 * 1024;

#[derive(Clone, Debug, PartialEq)]
struct Plain {
    scheme: String,
    token68: Option<String>,
    params: Vec<(String, String)>,
}

/// The body of the tests of challenges: each line is one of `WWW-Authenticate`.
///
/// # Errors
/// Where a law is broken, or another challenge found than a naive reader finds.
pub fn challenge(input: &[u8]) -> Result<(), String> {
    let lines = input.split(|byte| *byte == b'\n');
    let lines: Vec<_> = lines
        .filter(|line| HeaderValue::from_bytes(line).is_ok())
        .take(8)
        .collect();
    let found = parse(&lines);
    check_limits(&found, &lines)?;
    for challenge in &found {
        check_names(challenge)?;
    }
    let found = found.iter().map(plain).collect();
    check_written(&found)?;
    if lines.iter().map(|line| line.len()).sum::<usize>() > LONGEST {
        return Ok(());
    }
    let mut expected = Vec::new();
    for line in &lines {
        expected.extend(read(&[line]));
    }
    expected.truncate(16);
    same("each line is read by itself", found, expected)?;
    for line in lines {
        let found = read(&[line]);
        law(
            found.len() <= elements(line).len(),
            "an element is one challenge at most",
        )?;
        if let Some(expected) = grammatical(line) {
            same("what the grammar allows", found.clone(), expected)?;
        }
        let elements = elements(line).into_iter();
        let readable: Vec<_> = elements
            .filter(|element| element.first().copied().is_none_or(is_token))
            .collect();
        same(
            "what begins with no token is left out",
            found,
            read(&[&readable.join(&b',')]),
        )?;
        check_cut(line)?;
    }
    Ok(())
}

fn parse(lines: &[&[u8]]) -> Vec<Challenge> {
    let mut headers = HeaderMap::new();
    for line in lines {
        let line = HeaderValue::from_bytes(line).expect("a line");
        headers.append(WWW_AUTHENTICATE, line);
    }
    parse_challenges(&headers)
}

fn read(lines: &[&[u8]]) -> Vec<Plain> {
    parse(lines).iter().map(plain).collect()
}

fn plain(challenge: &Challenge) -> Plain {
    let params = challenge.params();
    Plain {
        scheme: challenge.scheme().to_owned(),
        token68: challenge.token68().map(str::to_owned),
        params: params.map(|(n, v)| (n.to_owned(), v.to_owned())).collect(),
    }
}

fn check_limits(found: &[Challenge], lines: &[&[u8]]) -> Result<(), String> {
    law(found.len() <= 16, "there are at most 16 challenges")?;
    let mut bytes = 0;
    for challenge in found {
        let params = challenge.params().count();
        law(params <= 32, "each has at most 32 parameters")?;
        bytes += challenge.scheme().len() + challenge.token68().map_or(0, str::len);
        let lengths = challenge.params().map(|(n, v)| n.len() + v.len());
        bytes += lengths.sum::<usize>();
    }
    let sent: usize = lines.iter().map(|line| line.len()).sum();
    // A byte that is no text becomes three.
    law(bytes <= 3 * sent.min(LONGEST), "no more is kept than came")
}

fn check_names(challenge: &Challenge) -> Result<(), String> {
    let is_name = |text: &str| !text.is_empty() && text.bytes().all(is_token);
    law(is_name(challenge.scheme()), "a scheme is a token")?;
    law(
        challenge.is(&challenge.scheme().to_ascii_uppercase()),
        "schemes have no case",
    )?;
    for (name, value) in challenge.params() {
        law(is_name(name), "the name of a parameter is a token")?;
        law(
            challenge.param(&name.to_ascii_uppercase()) == Some(value),
            "each name is there once, whatever its case",
        )?;
    }
    Ok(())
}

/// However it is written, it reads the same: quoted; without commas between parameters; without
/// quotes where they can be missed. Law 9: tokens are not shown.
fn check_written(found: &Vec<Plain>) -> Result<(), String> {
    for (between, quoted) in [(", ", true), (" ", true), (" , ", false)] {
        let text = written(found, between, quoted);
        if text.len() <= LONGEST {
            same("written again", &read(&[text.as_bytes()]), found)?;
        }
    }
    let mut hidden = found.clone();
    for challenge in &mut hidden {
        challenge.token68 = challenge.token68.take().map(|_| "hidden".to_owned());
    }
    let [shown, expected] = [found, &hidden].map(|challenges| {
        let text = written(challenges, ", ", true);
        (text.len() <= LONGEST).then(|| format!("{:?}", parse(&[text.as_bytes()])))
    });
    law(
        shown.is_none() || expected.is_none() || shown == expected,
        "law 9: a token is not shown",
    )
}

fn written(challenges: &[Plain], between: &str, quoted: bool) -> String {
    let mut text = String::new();
    for challenge in challenges {
        let _ = write!(text, ", {} ", challenge.scheme);
        text.extend(challenge.token68.as_deref());
        for (at, (name, value)) in challenge.params.iter().enumerate() {
            // After a token a comma has to tell that it was one.
            let begins = at == 0 && challenge.token68.is_none();
            text += match (begins, at) {
                (true, _) => "",
                (false, 0) => ",",
                (false, _) => between,
            };
            // `Scheme name=` would be a token.
            let needs_none = !value.contains(['"', ',', ' ', '\t']) && value.contains(|c| c != '=');
            if quoted || !needs_none {
                let value = value.replace('\\', "\\\\").replace('"', "\\\"");
                let _ = write!(text, "{name}=\"{value}\"");
            } else {
                let _ = write!(text, "{name}={value}");
            }
        }
    }
    text
}

/// Law 8: of what is too long the beginning is read, up to the last blank or comma in it.
fn check_cut(line: &[u8]) -> Result<(), String> {
    let start = &line[..line.len() / 2];
    let last = start.iter().rposition(|byte| b" \t,".contains(byte));
    let expected = read(&[&start[..last.unwrap_or(0)]]);
    let filler = vec![b'@'; LONGEST - start.len().min(LONGEST)];
    let found = read(&[&filler, line]);
    law(
        line.len() < 2 || found == expected,
        "nothing that was cut short passes for whole",
    )
}

/// > WWW-Authenticate = #challenge
/// > challenge  = auth-scheme [ 1*SP ( token68 / #auth-param ) ]
/// > auth-param = token BWS "=" BWS ( token / quoted-string )
///
/// `None` if the line breaks this, but for what every server of the field may count on: after a
/// scheme without anything, a comma may stand before its parameters.
fn grammatical(line: &[u8]) -> Option<Vec<Plain>> {
    let mut challenges = Vec::<Plain>::new();
    for element in elements(line) {
        if element.is_empty() {
            continue;
        }
        let mut param = auth_param(element);
        if param.is_none() {
            let end = element.iter().position(|byte| *byte == b' ');
            let (scheme, rest) = element.split_at(end.unwrap_or(element.len()));
            if !scheme.iter().copied().all(is_token) {
                return None;
            }
            let rest = trim(rest, b" ");
            param = auth_param(rest);
            let is_token = param.is_none() && !rest.is_empty();
            if is_token && !is_token68(rest) {
                return None;
            }
            challenges.push(Plain {
                scheme: text(scheme),
                token68: is_token.then(|| text(rest)),
                params: Vec::new(),
            });
        }
        if let Some((name, value)) = param {
            let challenge = challenges.last_mut()?;
            if challenge.token68.is_some() {
                return None;
            }
            let mut params = challenge.params.iter();
            let is_new = params.all(|(known, _)| !known.eq_ignore_ascii_case(&name));
            if is_new && challenge.params.len() < 32 {
                challenge.params.push((name, value));
            }
        }
    }
    challenges.truncate(16);
    Some(challenges)
}

/// What commas outside quotes part, without the blanks around it.
fn elements(line: &[u8]) -> Vec<&[u8]> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let elements = line.split(|byte| {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = is_quoted,
            b'"' => is_quoted = !is_quoted,
            _ => {}
        }
        *byte == b',' && !is_quoted
    });
    elements.map(|element| trim(element, b" \t")).collect()
}

fn auth_param(element: &[u8]) -> Option<(String, String)> {
    let equals = element.iter().position(|byte| *byte == b'=')?;
    let name = trim(&element[..equals], b" \t");
    let value = trim(&element[equals + 1..], b" \t");
    if name.is_empty() || !name.iter().copied().all(is_token) {
        return None;
    }
    if !value.is_empty() && value.iter().copied().all(is_token) {
        return Some((text(name), text(value)));
    }
    let mut inner = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?.iter();
    let mut unescaped = Vec::new();
    while let Some(byte) = inner.next() {
        match byte {
            b'"' => return None,
            b'\\' => unescaped.push(*inner.next()?),
            _ => unescaped.push(*byte),
        }
    }
    Some((text(name), text(&unescaped)))
}

/// > token68 = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
fn is_token68(bytes: &[u8]) -> bool {
    let text = text(bytes);
    let letters = text.trim_end_matches('=');
    let is_letter = |char: char| char.is_ascii_alphanumeric() || "-._~+/".contains(char);
    !letters.is_empty() && letters.chars().all(is_letter)
}

/// > tchar = "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "." / "^" / "_" / "`" / "|" /
/// > "~" / DIGIT / ALPHA
fn is_token(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&byte)
}

fn trim<'a>(mut bytes: &'a [u8], blanks: &[u8]) -> &'a [u8] {
    while let [first, rest @ ..] = bytes {
        if !blanks.contains(first) {
            break;
        }
        bytes = rest;
    }
    while let [rest @ .., last] = bytes {
        if !blanks.contains(last) {
            break;
        }
        bytes = rest;
    }
    bytes
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
