//! JSON taken apart without being built: each byte is looked at once, whatever is not JSON is
//! found, and values stay the text that they are. Nothing nests: depth costs a bit a level.

use std::borrow::Cow;

/// The name of a member, as it was written, without its quotes.
#[derive(Clone, Copy)]
pub(crate) struct Name<'a> {
    written: &'a str,
    is_escaped: bool,
}

impl<'a> Name<'a> {
    /// The name as text; none if it has a lone surrogate, which is no text in Rust.
    pub(crate) fn text(self) -> Option<Cow<'a, str>> {
        if !self.is_escaped {
            return Some(Cow::Borrowed(self.written));
        }
        string(&format!("\"{}\"", self.written)).map(|text| Cow::Owned(text.into_owned()))
    }
}

/// The text of a string. `None` of anything else, and of one with a lone surrogate.
pub(crate) fn string(value: &str) -> Option<Cow<'_, str>> {
    let inner = value.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str(value).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

/// Whether the text is one JSON value.
pub(crate) fn is_json(text: &str) -> bool {
    let mut reader = Reader::new(text);
    reader.value().and_then(|_| reader.end()).is_some()
}

/// Hands out the members of an object in order. Nothing if the text is none; then some may have
/// been handed out.
pub(crate) fn members<'a>(text: &'a str, mut take: impl FnMut(Name<'a>, &'a str)) -> Option<()> {
    let mut reader = Reader::new(text);
    reader.blank();
    reader.expect(b'{')?;
    reader.blank();
    if reader.expect(b'}').is_some() {
        return reader.end();
    }
    loop {
        let name = reader.name()?;
        take(name, reader.value()?);
        reader.blank();
        match reader.next()? {
            b',' => reader.blank(),
            b'}' => return reader.end(),
            _ => return None,
        }
    }
}

/// What is left of a text.
struct Reader<'a> {
    text: &'a str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        let rest = text.as_bytes();
        Self { text, rest }
    }

    #[inline(always)]
    fn next(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    #[inline(always)]
    fn expect(&mut self, wanted: u8) -> Option<()> {
        let (byte, rest) = self.rest.split_first()?;
        (*byte == wanted).then(|| self.rest = rest)
    }

    #[inline(always)]
    fn blank(&mut self) {
        if self.rest.first().is_some_and(|byte| *byte <= b' ') {
            self.step_over_blanks();
        }
    }

    #[cold]
    fn step_over_blanks(&mut self) {
        while let [b' ' | b'\n' | b'\r' | b'\t', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    /// Where it is in the text.
    #[inline(always)]
    fn at(&self) -> usize {
        self.text.len() - self.rest.len()
    }

    /// There is nothing more.
    fn end(&mut self) -> Option<()> {
        self.blank();
        self.rest.is_empty().then_some(())
    }

    /// The value that comes next, without blanks around it.
    fn value(&mut self) -> Option<&'a str> {
        self.blank();
        let start = self.at();
        self.skip()?;
        self.text.get(start..self.at())
    }

    fn skip(&mut self) -> Option<()> {
        let mut nest = Nest::default();
        loop {
            match self.next()? {
                b'"' => drop(self.string()?),
                opening @ (b'{' | b'[') => {
                    let is_object = opening == b'{';
                    self.blank();
                    if self.expect(if is_object { b'}' } else { b']' }).is_none() {
                        nest.open(is_object);
                        if is_object {
                            self.name()?;
                        }
                        continue;
                    }
                }
                b'-' => {
                    let first = self.next()?;
                    self.number(first)?;
                }
                digit @ b'0'..=b'9' => self.number(digit)?,
                b't' => self.word(b"rue")?,
                b'f' => self.word(b"alse")?,
                b'n' => self.word(b"ull")?,
                _ => return None,
            }
            // A value has ended: so may those around it.
            loop {
                let Some(is_object) = nest.is_in_object() else {
                    return Some(());
                };
                self.blank();
                match self.next()? {
                    b',' => {
                        self.blank();
                        if is_object {
                            self.name()?;
                        }
                        break;
                    }
                    b'}' if is_object => nest.close(),
                    b']' if !is_object => nest.close(),
                    _ => return None,
                }
            }
        }
    }

    /// A member's name, its colon, and the blanks after that.
    #[inline(always)]
    fn name(&mut self) -> Option<Name<'a>> {
        self.expect(b'"')?;
        let start = self.at();
        let is_escaped = self.string()?;
        let end = self.at() - 1;
        self.blank();
        self.expect(b':')?;
        self.blank();
        Some(Name {
            written: self.text.get(start..end)?,
            is_escaped,
        })
    }

    /// A string, whose opening quote was read. Whether something in it is escaped.
    #[inline(always)]
    fn string(&mut self) -> Option<bool> {
        // Most names are short.
        if let Some((eight, _)) = self.rest.split_first_chunk() {
            let special = special(u64::from_le_bytes(*eight));
            let end = special.trailing_zeros() as usize / 8;
            if eight.get(end) == Some(&b'"') {
                self.rest = self.rest.get(end + 1..)?;
                return Some(false);
            }
        }
        self.long_string()
    }

    #[inline(never)]
    fn long_string(&mut self) -> Option<bool> {
        let mut is_escaped = false;
        loop {
            self.rest = after_plain(self.rest);
            match self.next()? {
                b'"' => return Some(is_escaped),
                b'\\' => is_escaped = true,
                _ => return None,
            }
            match self.next()? {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                b'u' => {
                    let (digits, rest) = self.rest.split_first_chunk::<4>()?;
                    digits.iter().all(u8::is_ascii_hexdigit).then_some(())?;
                    self.rest = rest;
                }
                _ => return None,
            }
        }
    }

    /// A number, whose first digit was read (RFC 8259, section 6).
    fn number(&mut self, first: u8) -> Option<()> {
        match first {
            b'0' => {}
            b'1'..=b'9' => self.digits(),
            _ => return None,
        }
        if self.expect(b'.').is_some() {
            self.next().filter(u8::is_ascii_digit)?;
            self.digits();
        }
        if let [b'e' | b'E', rest @ ..] = self.rest {
            self.rest = match rest {
                [b'+' | b'-', rest @ ..] => rest,
                _ => rest,
            };
            self.next().filter(u8::is_ascii_digit)?;
            self.digits();
        }
        Some(())
    }

    fn digits(&mut self) {
        while let [b'0'..=b'9', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(word)?;
        Some(())
    }
}

/// What a value lies in, from the outermost in: a bit each, set for an object.
#[derive(Default)]
struct Nest {
    /// The innermost 64 at most.
    near: u64,
    depth: usize,
    /// Those around, by 64.
    far: Vec<u64>,
}

impl Nest {
    fn open(&mut self, is_object: bool) {
        if self.depth > 0 && self.depth % 64 == 0 {
            self.far.push(self.near);
        }
        self.near = (self.near << 1) | u64::from(is_object);
        self.depth += 1;
    }

    fn close(&mut self) {
        self.depth -= 1;
        self.near >>= 1;
        if self.depth % 64 == 0 {
            self.near = self.far.pop().unwrap_or_default();
        }
    }

    fn is_in_object(&self) -> Option<bool> {
        (self.depth > 0).then_some(self.near & 1 == 1)
    }
}

/// What comes from the first byte on that means something in a string, or may not be there: quote,
/// backslash, control character.
#[inline]
fn after_plain(mut rest: &[u8]) -> &[u8] {
    while let Some((eight, after)) = rest.split_first_chunk() {
        let special = special(u64::from_le_bytes(*eight));
        if special != 0 {
            return rest
                .get(special.trailing_zeros() as usize / 8..)
                .unwrap_or_default();
        }
        rest = after;
        // What is this long goes on for a while.
        while let Some((block, after)) = rest.split_first_chunk() {
            if !are_plain(block) {
                break;
            }
            rest = after;
        }
    }
    while let [byte, after @ ..] = rest {
        if matches!(byte, b'"' | b'\\' | ..b' ') {
            break;
        }
        rest = after;
    }
    rest
}

/// Looks at every byte in any case: so the compiler makes vectors of them.
#[inline(always)]
fn are_plain(block: &[u8; 32]) -> bool {
    let is_special = |byte: u8| (byte < b' ') | (byte == b'"') | (byte == b'\\');
    !block
        .iter()
        .fold(false, |any, byte| any | is_special(*byte))
}

/// The highest bit of each byte that is special. The lowest of them is certain; above it, there may
/// be some by a borrow.
#[inline(always)]
fn special(eight: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xFF;
    let below = |bytes: u64, least: u8| bytes.wrapping_sub(ONES * u64::from(least)) & !bytes;
    // This swaps the quote with the blank and leaves control characters what they are.
    let quote_or_control = below(eight ^ (ONES * 2), b'!');
    let backslash = below(eight ^ (ONES * u64::from(b'\\')), 1);
    (quote_or_control | backslash) & (ONES << 7)
}

#[cfg(test)]
mod tests;
