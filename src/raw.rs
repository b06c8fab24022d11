//! Payloads as raw JSON text.

use std::fmt;

use bytes::Bytes;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// A JSON value as text: checked to be JSON, not taken apart.
///
/// The machine parses only what it routes by; results, params and error data
/// come out as they came in. Cloning is cheap. `Debug` shows the size alone,
/// for the content may be confidential.
///
/// ```
/// use mcp_http::RawJson;
///
/// let raw = RawJson::new(&[1, 2, 3])?;
/// assert_eq!(raw.as_str(), "[1,2,3]");
/// assert_eq!(raw.deserialize::<Vec<u8>>()?, [1, 2, 3]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct RawJson(Bytes);

impl RawJson {
    /// Serializes a value.
    ///
    /// # Errors
    /// What the value's own `Serialize` reports, or a map key that is no string.
    pub fn new<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        Ok(Self(Bytes::from(serde_json::to_vec(value)?)))
    }

    /// Takes JSON text as it stands, after checking that it is JSON.
    ///
    /// # Errors
    /// If the text is not exactly one JSON value.
    pub fn from_text(text: impl Into<String>) -> Result<Self, serde_json::Error> {
        let raw: Box<RawValue> = serde_json::from_str(&text.into())?;
        Ok(Self(Bytes::from(String::from(Box::<str>::from(raw)))))
    }

    /// Keeps a part of `source`: a slice where that pays, a copy where a small
    /// slice would pin a large buffer.
    /// `pinned`: how many bytes a slice would keep alive.
    pub(crate) fn keep(source: &Bytes, part: &str, pinned: usize) -> Self {
        let part = part.as_bytes();
        if part.len() >= pinned / 2 {
            Self(source.slice_ref(part))
        } else {
            Self(Bytes::copy_from_slice(part))
        }
    }

    /// A part of this value, kept on its own.
    pub(crate) fn part(&self, part: &RawValue) -> Self {
        Self::keep(&self.0, part.get(), self.0.len())
    }

    /// The same, which keeps nothing else alive: for what is held on to. What came in may be a
    /// slice of a network's buffer, of which nobody knows how large it is.
    pub(crate) fn alone(&self) -> Self {
        Self(Bytes::copy_from_slice(&self.0))
    }

    /// Text that is known to be JSON.
    pub(crate) fn trusted(text: String) -> Self {
        Self(Bytes::from(text))
    }

    /// JSON text of this crate's own.
    pub(crate) const fn fixed(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }

    /// The JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only text gets in, so the empty string stands for nothing that happens.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Reads the value into a type of the caller's.
    ///
    /// # Errors
    /// If the value has another shape than the type asks for.
    pub fn deserialize<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.0)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Debug for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawJson({} bytes)", self.0.len())
    }
}

impl Serialize for RawJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_slice(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RawJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer).map_err(D::Error::custom)?;
        Ok(Self(Bytes::from(String::from(Box::<str>::from(raw)))))
    }
}
