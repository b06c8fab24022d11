//! `WWW-Authenticate`: what a server wants to see before it serves.

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// Servers offer one to three schemes; more would only cost the application time.
const MAX_CHALLENGES: usize = 16;

/// Digest, the wordiest registered scheme, has eleven.
const MAX_PARAMS: usize = 32;

/// All lines together: about what common servers and clients allow for a whole response head.
const MAX_INPUT: usize = 16 * 1024;

/// One authentication challenge of a server: an element of `WWW-Authenticate` (RFC 9110, section
/// 11.6.1).
///
/// It says which scheme the server accepts and, in its parameters, where a credential comes from
/// and what was wrong with the last one. The texts are the server's words, unescaped but otherwise
/// as received: show or follow them with the care due to any peer.
#[derive(Clone, Eq, PartialEq)]
pub struct Challenge {
    scheme: String,
    token68: Option<String>,
    params: Vec<(String, String)>,
}

/// Parameters say what is asked for; the token of `Negotiate` may be worth something (law 9).
impl std::fmt::Debug for Challenge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let token68 = self.token68.as_ref().map(|_| "..");
        f.debug_struct("Challenge")
            .field("scheme", &self.scheme)
            .field("token68", &token68)
            .field("params", &self.params)
            .finish()
    }
}

impl Challenge {
    /// The scheme as the server spelled it, for example `Bearer`. To compare it, use
    /// [`is`](Self::is): schemes have no case.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Whether this challenge is of the given scheme, whatever the case of either.
    pub fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// The single token that some schemes, such as `Negotiate`, send in the place of parameters.
    pub fn token68(&self) -> Option<&str> {
        self.token68.as_deref()
    }

    /// The parameters, name and value, in the server's order. Quoted values are unescaped. Of
    /// several parameters with one name only the first is kept.
    pub fn params(&self) -> impl Iterator<Item = (&str, &str)> {
        self.params
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of the parameter with this name, whatever the case of either.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// `realm`: the server's name for what is protected.
    pub fn realm(&self) -> Option<&str> {
        self.param("realm")
    }

    /// `scope`: the scopes that the refused request needs, separated by blanks (RFC 6750,
    /// section 3).
    pub fn scope(&self) -> Option<&str> {
        self.param("scope")
    }

    /// `error`: why the credential was refused, for example `invalid_token` or
    /// `insufficient_scope` (RFC 6750, section 3.1). Absent when none was sent.
    pub fn error(&self) -> Option<&str> {
        self.param("error")
    }

    /// `error_description`: the same for human eyes.
    pub fn error_description(&self) -> Option<&str> {
        self.param("error_description")
    }

    /// `resource_metadata`: the URL of the document that names the authorisation servers (RFC 9728,
    /// section 5.1).
    pub fn resource_metadata(&self) -> Option<&str> {
        self.param("resource_metadata")
    }

    fn new(scheme: &[u8]) -> Self {
        Self {
            scheme: text(scheme),
            token68: None,
            params: Vec::new(),
        }
    }

    fn add(&mut self, name: &[u8], value: &[u8]) {
        let name = text(name);
        if self.params.len() < MAX_PARAMS && self.param(&name).is_none() {
            self.params.push((name, text(value)));
        }
    }
}

/// Every challenge of a response, in order. What cannot be read is left out, what stands around it
/// is kept.
pub(crate) fn parse_challenges(headers: &HeaderMap) -> Vec<Challenge> {
    let mut challenges = Vec::new();
    let mut budget = MAX_INPUT;
    for line in headers.get_all(WWW_AUTHENTICATE) {
        let line = line.as_bytes();
        parse_line(within(line, budget), &mut challenges);
        budget = budget.saturating_sub(line.len());
    }
    challenges
}

/// The line, or its part that ends at the last blank or comma within the budget: nothing that was
/// cut short may pass for a whole token.
fn within(line: &[u8], budget: usize) -> &[u8] {
    if line.len() <= budget {
        return line;
    }
    let cut = line.get(..budget).unwrap_or_default();
    let end = cut.iter().rposition(|&byte| byte == b',' || is_blank(byte));
    cut.get(..end.unwrap_or(0)).unwrap_or_default()
}

/// > challenge  = auth-scheme [ 1*SP ( token68 / #auth-param ) ]
/// > auth-param = token BWS "=" BWS ( token / quoted-string )
///
/// A token followed by `=` is a parameter of the challenge before it, another token that begins a
/// list element is a scheme. Two mistakes of the field are forgiven: no comma between parameters,
/// and unquoted values with characters that no token has, such as URLs.
fn parse_line(line: &[u8], challenges: &mut Vec<Challenge>) {
    let mut rest = Scanner(line);
    let mut current: Option<Challenge> = None;
    let mut begins = true;
    loop {
        begins |= rest.separators();
        if rest.0.is_empty() {
            break;
        }
        let name = rest.token();
        let blanks = rest.blanks();
        if name.is_empty() {
            rest.skip_element();
        } else if rest.eat(b'=') {
            rest.blanks();
            if let (Some(value), Some(challenge)) = (rest.value(), &mut current) {
                challenge.add(name, &value);
            }
        } else if begins && (blanks || rest.at_end_of_element()) {
            challenges.extend(current.take());
            if challenges.len() == MAX_CHALLENGES {
                return;
            }
            let mut challenge = Challenge::new(name);
            challenge.token68 = rest.token68().map(text);
            current = Some(challenge);
        }
        begins = false;
    }
    challenges.extend(current);
}

/// What is left of a line. Each method takes what it names off the front.
struct Scanner<'a>(&'a [u8]);

impl<'a> Scanner<'a> {
    /// Commas and blanks. Whether there was a comma.
    fn separators(&mut self) -> bool {
        self.take_while(|byte| byte == b',' || is_blank(byte))
            .contains(&b',')
    }

    /// Whether there were any.
    fn blanks(&mut self) -> bool {
        !self.take_while(is_blank).is_empty()
    }

    fn token(&mut self) -> &'a [u8] {
        self.take_while(is_token)
    }

    fn eat(&mut self, byte: u8) -> bool {
        let rest = self.0.strip_prefix(&[byte]);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// > token68 = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
    ///
    /// Taken only where it fills the element: `realm=x` is none.
    fn token68(&mut self) -> Option<&'a [u8]> {
        let start = self.0;
        let letters = self.take_while(is_token68).len();
        let padding = self.take_while(|byte| byte == b'=').len();
        self.blanks();
        if letters == 0 || !self.at_end_of_element() {
            self.0 = start;
            return None;
        }
        start.get(..letters + padding)
    }

    /// `None`, with the unreadable taken off, if there is no value.
    fn value(&mut self) -> Option<Vec<u8>> {
        if self.eat(b'"') {
            return self.quoted();
        }
        let value = self.take_while(|byte| byte != b',' && byte != b'"' && !is_blank(byte));
        (!value.is_empty()).then(|| value.to_vec())
    }

    /// What follows an opening quote, without its backslashes. `None`, and nothing left, if the
    /// closing one is missing.
    fn quoted(&mut self) -> Option<Vec<u8>> {
        let mut value = Vec::new();
        loop {
            value.extend_from_slice(self.take_while(|byte| byte != b'"' && byte != b'\\'));
            if self.eat(b'"') {
                return Some(value);
            }
            self.eat(b'\\');
            let (&escaped, rest) = self.0.split_first()?;
            self.0 = rest;
            value.push(escaped);
        }
    }

    /// Up to the next comma that is not quoted.
    fn skip_element(&mut self) {
        while !matches!(self.0.first(), None | Some(b',')) {
            if self.eat(b'"') {
                self.quoted();
            } else {
                self.take_while(|byte| byte != b',' && byte != b'"');
            }
        }
    }

    fn at_end_of_element(&self) -> bool {
        matches!(self.0.first(), None | Some(b','))
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.0.iter().position(|&byte| !wanted(byte));
        let (taken, rest) = self
            .0
            .split_at_checked(end.unwrap_or(self.0.len()))
            .unwrap_or((self.0, &[]));
        self.0 = rest;
        taken
    }
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_token68(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests;
