//! URLs by the letter of RFC 3986: taken apart by the expression of its appendix B, resolved by
//! the pseudo-code of its section 5.2.

use std::net::Ipv6Addr;

/// A URL or a reference without its fragment, encoded.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Parts {
    pub(super) scheme: Option<String>,
    pub(super) authority: Option<String>,
    pub(super) path: String,
    pub(super) query: Option<String>,
}

/// Scheme, host and port.
type Origin = (String, String, u16);

impl Parts {
    /// > ^(([^:/?#]+):)?(//([^/?#]*))?([^?#]*)(\?([^#]*))?(#(.*))?
    ///
    /// What the grammar does not allow where it stands is encoded. `None` if there is a control
    /// character, or the grammar is still broken.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let (text, _) = cut(text, b"#");
        let (text, query) = cut(text, b"?");
        let colon = text.iter().position(|byte| b":/".contains(byte));
        let (scheme, rest) = match colon {
            Some(colon) if colon > 0 && text[colon] == b':' => {
                (Some(&text[..colon]), &text[colon + 1..])
            }
            _ => (None, text),
        };
        let (authority, path) = match rest.strip_prefix(b"//") {
            Some(rest) => {
                let end = rest.iter().position(|byte| *byte == b'/');
                let (authority, path) = rest.split_at(end.unwrap_or(rest.len()));
                (Some(authority), path)
            }
            None => (None, rest),
        };
        let part = |part: Option<&[u8]>, allowed| match part {
            Some(part) => encoded(part, allowed).map(Some),
            None => Some(None),
        };
        let parts = Self {
            scheme: part(scheme, "")?,
            authority: part(authority, "[]:@")?,
            path: encoded(path, "/:@")?,
            query: part(query, "/?:@")?,
        };
        parts.is_grammatical().then_some(parts)
    }

    fn is_grammatical(&self) -> bool {
        let first_segment = self.path.split('/').next().unwrap_or_default();
        let scheme = match &self.scheme {
            Some(scheme) => {
                scheme.starts_with(|char: char| char.is_ascii_alphabetic())
                    && scheme
                        .chars()
                        .all(|char| char.is_ascii_alphanumeric() || "+-.".contains(char))
            }
            None => self.authority.is_some() || !first_segment.contains(':'),
        };
        let authority = self.authority.is_none()
            || self.host_and_port().is_some_and(|(host, port)| {
                let host = match host.strip_prefix('[') {
                    Some(ip) => ip.strip_suffix(']').is_some_and(is_ip_literal),
                    None => !host.contains([':', '[', ']', '@']),
                };
                let user = !self.user().unwrap_or_default().contains(['[', ']', '@']);
                let port = port.unwrap_or_default();
                host && user && port.bytes().all(|byte| byte.is_ascii_digit())
            });
        scheme && authority
    }

    pub(super) fn user(&self) -> Option<&str> {
        let authority = self.authority.as_deref()?;
        authority.rsplit_once('@').map(|(user, _)| user)
    }

    pub(super) fn host_and_port(&self) -> Option<(&str, Option<&str>)> {
        let authority = self.authority.as_deref()?;
        let place = authority.rsplit('@').next()?;
        let end_of_ip = place.rfind(']').unwrap_or(0);
        let colon = place[end_of_ip..].find(':').map(|at| end_of_ip + at);
        Some(match colon {
            Some(colon) => (&place[..colon], Some(&place[colon + 1..])),
            None => (place, None),
        })
    }

    /// Where a credential may go: nowhere with a user, no host, or a port that is none.
    pub(super) fn origin(&self) -> Option<Origin> {
        let scheme = self.scheme.as_deref()?.to_lowercase();
        let usual = match scheme.as_str() {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let (host, port) = self.host_and_port()?;
        let host = match host.strip_prefix('[') {
            Some(ip) => ip.strip_suffix(']')?.parse::<Ipv6Addr>().ok()?.to_string(),
            None => host.to_lowercase(),
        };
        let port = match port {
            None | Some("") => usual,
            Some(digits) => digits.parse().ok()?,
        };
        let is_one = self.user().is_none() && !host.is_empty() && port > 0;
        is_one.then_some((scheme, host, port))
    }

    /// Section 5.2.2. What refers to all but a fragment of the base is the base.
    pub(super) fn resolve(&self, base: &Self) -> Self {
        let mut target = self.clone();
        if self.scheme.is_some() {
            target.path = remove_dot_segments(&self.path);
            return target;
        }
        target.scheme.clone_from(&base.scheme);
        if self.authority.is_some() {
            target.path = remove_dot_segments(&self.path);
            return target;
        }
        target.authority.clone_from(&base.authority);
        if self.path.is_empty() {
            target.path.clone_from(&base.path);
            if self.query.is_none() {
                target.query.clone_from(&base.query);
            }
        } else if self.path.starts_with('/') {
            target.path = remove_dot_segments(&self.path);
        } else {
            // Section 5.2.3.
            let merged = if base.authority.is_some() && base.path.is_empty() {
                format!("/{}", self.path)
            } else {
                let end = base.path.rfind('/').map_or(0, |slash| slash + 1);
                format!("{}{}", &base.path[..end], self.path)
            };
            target.path = remove_dot_segments(&merged);
        }
        target
    }

    /// Section 5.3; and what would be taken for a host is kept from that as WHATWG's URL standard
    /// says.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        if let Some(scheme) = &self.scheme {
            text.extend([scheme, ":"]);
        }
        if let Some(authority) = &self.authority {
            text.extend(["//", authority]);
        }
        if self.authority.is_none() && self.path.starts_with("//") {
            text.push_str("/.");
        }
        text.push_str(&self.path);
        if let Some(query) = &self.query {
            text.extend(["?", query]);
        }
        text
    }

    /// The same for the eyes: without what may be secret.
    pub(super) fn shown(&self) -> String {
        let mut shown = self.clone();
        if let (Some(_), Some(authority)) = (self.user(), &self.authority) {
            let place = authority.rsplit('@').next().unwrap_or_default();
            shown.authority = Some(format!("...@{place}"));
        }
        shown.query = self.query.as_ref().map(|_| "...".to_owned());
        shown.text()
    }
}

fn cut<'a>(text: &'a [u8], at: &[u8; 1]) -> (&'a [u8], Option<&'a [u8]>) {
    match text.iter().position(|byte| *byte == at[0]) {
        Some(end) => (&text[..end], Some(&text[end + 1..])),
        None => (text, None),
    }
}

/// > unreserved = ALPHA / DIGIT / "-" / "." / "_" / "~"
/// > sub-delims = "!" / "$" / "&" / "'" / "(" / ")" / "*" / "+" / "," / ";" / "="
fn encoded(part: &[u8], allowed: &str) -> Option<String> {
    let mut text = String::new();
    for (at, &byte) in part.iter().enumerate() {
        let char = char::from(byte);
        if char.is_ascii_control() {
            return None;
        }
        let mut next = part[at + 1..].iter().take(2);
        let is_encoded =
            byte == b'%' && part.len() > at + 2 && next.all(|hex| hex.is_ascii_hexdigit());
        let fits = char.is_ascii_alphanumeric() || "-._~!$&'()*+,;=".contains(char);
        if fits || is_encoded || allowed.contains(char) {
            text.push(char);
        } else {
            text += &format!("%{byte:02X}");
        }
    }
    Some(text)
}

/// > IP-literal = "[" ( IPv6address / IPvFuture  ) "]"
/// > IPvFuture  = "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" )
fn is_ip_literal(text: &str) -> bool {
    let future = text.strip_prefix(['v', 'V']);
    match future.and_then(|rest| rest.split_once('.')) {
        Some((version, rest)) => {
            let is_hex = version.bytes().all(|byte| byte.is_ascii_hexdigit());
            !version.is_empty() && is_hex && !rest.is_empty() && !rest.contains(['%', '[', ']'])
        }
        None => text.parse::<Ipv6Addr>().is_ok(),
    }
}

/// Section 5.2.4; a dot is one also where it is encoded.
fn remove_dot_segments(path: &str) -> String {
    let segments = path.split('/').map(|segment| {
        let plain = segment.replace("%2e", ".").replace("%2E", ".");
        let is_dots = [".", ".."].contains(&plain.as_str());
        if is_dots { plain } else { segment.to_owned() }
    });
    let mut input = segments.collect::<Vec<_>>().join("/");
    let mut output = String::new();
    while !input.is_empty() {
        if input.starts_with("../") {
            input.drain(..3);
        } else if input.starts_with("./") || input.starts_with("/./") {
            input.drain(..2);
        } else if input == "/." {
            input.truncate(1);
        } else if input.starts_with("/../") || input == "/.." {
            input = format!("/{}", input.get(4..).unwrap_or_default());
            output.truncate(output.rfind('/').unwrap_or(0));
        } else if [".", ".."].contains(&input.as_str()) {
            input.clear();
        } else {
            let from = usize::from(input.starts_with('/'));
            let end = input[from..].find('/').map_or(input.len(), |at| from + at);
            output.extend(input.drain(..end));
        }
    }
    output
}
