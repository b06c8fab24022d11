//! Second readers of the header fields that the machine routes by: naive, from RFC 9110 and the
//! pages of the protocol.

mod date;

use std::collections::BTreeSet;
use std::time::Duration;

use http::header::{AsHeaderName, CONTENT_TYPE, DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue};

use super::law::{answer, law, same};
use super::tools::decode;
use crate::wire::headers::{self, MediaType};
use crate::wire::value;

/// The body of the tests of header fields: lines `name: value`, an empty one, then a body.
///
/// # Errors
/// Where a law is broken, or something else read than a naive reader reads.
pub fn headers(input: &[u8]) -> Result<(), String> {
    let (headers, body) = answer(input);
    check_media_type(&headers)?;
    let after = headers::retry_after(&headers);
    same("Retry-After", after, retry_after(&headers))?;
    check_session_id(&headers)?;
    // Also where it does not fit.
    let many = 1 + 1100 / body.len().max(1);
    for body in [body, &body.repeat(many)] {
        let excerpt = headers::excerpt(body);
        same("an excerpt", &excerpt, &self::excerpt(body))?;
        same(
            "what is safe stays",
            &headers::excerpt(excerpt.as_bytes()),
            &excerpt,
        )?;
    }
    check_value(&String::from_utf8_lossy(body))
}

fn lines(headers: &HeaderMap, name: impl AsHeaderName) -> Vec<&[u8]> {
    let lines = headers.get_all(name).into_iter();
    lines.map(|line| line.as_bytes().trim_ascii()).collect()
}

/// A sender may say a type only once; where it says one several times, all agree or it is none.
fn check_media_type(headers: &HeaderMap) -> Result<(), String> {
    let types = lines(headers, CONTENT_TYPE).into_iter().map(|line| {
        let line = String::from_utf8_lossy(line).to_lowercase();
        let essence = line.split(';').next().unwrap_or_default();
        essence.trim_matches([' ', '\t']).to_owned()
    });
    let types: BTreeSet<_> = types.collect();
    let types: Vec<_> = types.iter().map(String::as_str).collect();
    let found = headers::media_type(headers);
    let expected = match types.as_slice() {
        [] | [""] => MediaType::Absent,
        ["application/json"] => MediaType::Json,
        ["text/event-stream"] => MediaType::EventStream,
        several => {
            let MediaType::Other(name) = &found else {
                return Err(format!("{found:?} instead of any of {several:?}"));
            };
            law(name.len() <= 1024, "the name of a type is short")?;
            law(!name.contains(is_unsafe), "the name of a type is shown")?;
            let is_plain = several.iter().all(|name| {
                name.len() < 100
                    && name
                        .chars()
                        .all(|char| char.is_ascii_graphic() || char == ' ')
            });
            return law(
                !is_plain || several.len() > 8 || several.iter().all(|each| name.contains(each)),
                "each of the types is named",
            );
        }
    };
    same("a media type", found, expected)
}

/// > Retry-After = HTTP-date / delay-seconds
///
/// A date is told from the answer's own, and one that has passed is now.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let [after] = lines(headers, RETRY_AFTER)[..] else {
        return None;
    };
    let after = std::str::from_utf8(after).ok()?;
    if !after.is_empty() && after.chars().all(|char| char.is_ascii_digit()) {
        let seconds = after.bytes().fold(0_u64, |seconds, digit| {
            seconds
                .saturating_mul(10)
                .saturating_add(u64::from(digit - b'0'))
        });
        return Some(Duration::from_secs(seconds));
    }
    let [now] = lines(headers, DATE)[..] else {
        return None;
    };
    let (until, now) = (
        date::seconds(after)?,
        date::seconds(std::str::from_utf8(now).ok()?)?,
    );
    Some(Duration::from_secs(until.saturating_sub(now)))
}

/// All that is ever said of bad ids: nothing of what is in them.
const BAD_IDS: [&str; 4] = [
    "the answer has several different Mcp-Session-Id headers Conflicting",
    "the Mcp-Session-Id is empty Empty",
    "the Mcp-Session-Id has characters beyond visible ASCII NotVisibleAscii",
    "the Mcp-Session-Id is longer than 1024 characters TooLong",
];

/// > The session ID MUST only contain visible ASCII characters (ranging from 0x21 to 0x7E).
fn check_session_id(headers: &HeaderMap) -> Result<(), String> {
    let ids = lines(headers, "mcp-session-id");
    let is_good = |id: &&[u8]| {
        (1..=1024).contains(&id.len()) && id.iter().all(|byte| (0x21..=0x7e).contains(byte))
    };
    let all_agree = ids.iter().all(|id| Some(id) == ids.first());
    match headers::session_id(headers) {
        Ok(None) => law(ids.is_empty(), "a session id is overlooked"),
        Ok(Some(id)) => {
            law(
                all_agree && ids.iter().all(is_good),
                "a bad session id is taken",
            )?;
            let sent = id.to_header();
            same("a session id", sent.as_bytes(), ids[0])?;
            law(sent.is_sensitive(), "law 9: a session id is sensitive")?;
            let shown = format!("{id:?}");
            law(shown == "SessionId(..)", "law 9: a session id is not shown")
        }
        Err(error) => {
            law(
                !(all_agree && ids.iter().all(is_good)) || ids.is_empty(),
                "a good session id is refused",
            )?;
            let shown = format!("{error} {error:?}");
            law(
                BAD_IDS.contains(&shown.as_str()),
                "law 9: a bad id is not shown",
            )
        }
    }
}

/// As many characters as fit, each of them escaped if it is not safe to show.
pub(super) fn excerpt(body: &[u8]) -> String {
    let mut excerpt = String::new();
    for char in String::from_utf8_lossy(body).chars() {
        let shown = match char {
            '\t' => "\\t".to_owned(),
            '\n' => "\\n".to_owned(),
            '\r' => "\\r".to_owned(),
            _ if is_unsafe(char) => format!("\\u{{{:x}}}", u32::from(char)),
            _ => char.to_string(),
        };
        if excerpt.len() + shown.len() > 1024 {
            break;
        }
        excerpt += &shown;
    }
    excerpt
}

/// Controls; what Unicode calls `Bidi_Control`; separators of lines and paragraphs; what is not
/// seen, but for the joiners that scripts need.
pub(super) fn is_unsafe(char: char) -> bool {
    matches!(u32::from(char),
        0..=0x1f | 0x7f..=0x9f
        | 0x61c | 0x200e | 0x200f | 0x202a..=0x202e | 0x2066..=0x2069
        | 0x2028 | 0x2029
        | 0x200b | 0x2060..=0x2065 | 0x206a..=0x206f | 0xfeff | 0xfff9..=0xfffb
        | 0xe0000..=0xe007f)
}

/// What a name or an argument says comes through a header as it was, and unseen.
fn check_value(text: &str) -> Result<(), String> {
    let sent: HeaderValue = value::encode(text);
    let bytes = sent.as_bytes();
    law(sent.is_sensitive(), "law 9: an argument is sensitive")?;
    law(
        !bytes.is_empty() && bytes == bytes.trim_ascii(),
        "nothing is left for HTTP to trim",
    )?;
    law(
        bytes.iter().all(|byte| (b' '..=b'~').contains(byte)),
        "only visible ASCII and blanks are sent",
    )?;
    let came = decode(&sent);
    law(came.as_deref() == Some(text), "a value comes back")
}
