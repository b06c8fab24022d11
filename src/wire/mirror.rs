//! Arguments mirrored into `Mcp-Param-*` headers (2026-07-28, transports, custom headers from
//! tool parameters).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::mem::size_of;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use serde_json::value::RawValue;

use super::headers::excerpt;
use super::{object, value};
use crate::RawJson;

/// Servers take fewer in one request (hyper 100, Node 2000), and
/// `http::HeaderMap` panics at 2^15.
const MAX_HEADERS: usize = 1024;

/// The integers that every JSON reader keeps exact: ±(2^53 − 1).
const MAX_INTEGER: f64 = 9_007_199_254_740_991.0;

/// Which arguments of one tool are mirrored, and into which headers.
///
/// A tree, not a list of paths: a long name with many properties under it is kept once, and all
/// are found in one reading of the arguments.
#[derive(Clone, Default, Eq, PartialEq)]
pub(crate) struct Mirrored(Option<Arc<Properties>>);

/// Sorted by name. Slices, for a `BTreeMap` of one takes as much memory as one of eleven.
#[derive(Eq, PartialEq)]
pub(super) struct Properties(Box<[(Name, Property)]>);

/// As bytes: see [`object::Name`].
pub(super) type Name = Box<[u8]>;

#[derive(Eq, PartialEq)]
pub(super) enum Property {
    Mirrored(HeaderName),
    /// Not itself, but some under it.
    Parent(Properties),
}

impl Mirrored {
    pub(super) fn new(properties: Properties) -> Self {
        Self((!properties.0.is_empty()).then(|| Arc::new(properties)))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// About how much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.0.as_deref().map_or(0, Properties::bytes)
    }

    /// The headers of a call with these params, each once.
    pub(crate) fn headers(
        &self,
        params: Option<&RawJson>,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, BadArgument> {
        let mut headers = Vec::new();
        if let (Some(properties), Some(params)) = (&self.0, params) {
            if let Some(arguments) = object::member(params.as_str(), "arguments") {
                collect(properties, arguments, &mut headers)?;
            }
        }
        Ok(headers)
    }
}

/// The count alone: names of arguments are contents of messages (law 9).
impl fmt::Debug for Mirrored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Mirrored({})",
            self.0.as_deref().map_or(0, Properties::count)
        )
    }
}

impl Properties {
    pub(super) fn new(properties: BTreeMap<Name, Property>) -> Self {
        Self(properties.into_iter().collect())
    }

    fn get(&self, name: &[u8]) -> Option<&(Name, Property)> {
        let at = self.0.binary_search_by(|(known, _)| (**known).cmp(name));
        self.0.get(at.ok()?)
    }

    fn count(&self) -> usize {
        let counts = self.0.iter().map(|(_, property)| match property {
            Property::Mirrored(_) => 1,
            Property::Parent(properties) => properties.count(),
        });
        counts.sum()
    }

    fn bytes(&self) -> usize {
        let sizes = self.0.iter().map(|(name, property)| {
            let more = match property {
                Property::Mirrored(header) => header.as_str().len(),
                Property::Parent(properties) => properties.bytes(),
            };
            size_of::<(Name, Property)>() + name.len() + more
        });
        sizes.sum()
    }
}

/// An object within another is read once for each level; there are at most 64, for a schema may
/// nest no deeper.
fn collect(
    properties: &Properties,
    object: &RawValue,
    headers: &mut Vec<(HeaderName, HeaderValue)>,
) -> Result<(), BadArgument> {
    // Of several arguments with one name it is the last, as in nearly every server: header and
    // body have to agree.
    let mut values = BTreeMap::new();
    object::members(object.get(), |name, value| {
        if let Some((name, property)) = properties.get(&name) {
            values.insert(name, (property, value));
        }
    });
    for (name, (property, value)) in values {
        match property {
            Property::Mirrored(header) => {
                let text = text(value).map_err(|why| BadArgument::Value {
                    argument: excerpt(name),
                    header: excerpt(header.as_str().as_bytes()),
                    why,
                })?;
                headers.extend(text.map(|text| (header.clone(), value::encode(&text))));
            }
            Property::Parent(properties) => collect(properties, value, headers)?,
        }
        if headers.len() > MAX_HEADERS {
            return Err(BadArgument::TooMany);
        }
    }
    Ok(())
}

/// The value as a header says it. `None` for null, which has no header.
fn text(value: &RawValue) -> Result<Option<Cow<'_, str>>, &'static str> {
    let text = value.get();
    match text.as_bytes().first() {
        Some(b'n') => Ok(None),
        Some(b't' | b'f') => Ok(Some(Cow::Borrowed(text))),
        Some(b'"') => object::string(value).map(Some).ok_or("it is no Unicode"),
        Some(b'-' | b'0'..=b'9') => integer(text).map(|text| Some(Cow::Owned(text))),
        _ => Err("it is an object or an array, which no header can hold"),
    }
}

/// In its one decimal form, whether it is written as `42`, `42.0` or `4.2e1`: the specification
/// has servers compare numbers, and intermediaries see only this.
fn integer(text: &str) -> Result<String, &'static str> {
    // Integers within the range are exact as a float, and the range is that of floats.
    match text.parse::<f64>() {
        Ok(number) if number.abs() > MAX_INTEGER => {
            Err("it is beyond ±(2^53 − 1), where servers read different integers")
        }
        Ok(number) if number.fract() == 0.0 => Ok(format!("{}", number + 0.0)),
        _ => Err("it is a fraction, and only integers can be mirrored"),
    }
}

/// Why a call cannot be sent. Whatever the tool's schema allows can be mirrored: the server would
/// have to refuse this one, for its arguments or for the missing header.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum BadArgument {
    #[error("more than {MAX_HEADERS} arguments would have to be mirrored into headers")]
    TooMany,
    /// Both names are the server's and safe to show. The value is left out (law 9).
    #[error("the argument `{argument}` cannot be mirrored into the header `{header}`: {why}")]
    Value {
        argument: String,
        header: String,
        why: &'static str,
    },
}

#[cfg(test)]
mod tests;
