//! An `inputSchema`: its `x-mcp-header` annotations.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use http::HeaderName;
use serde::de::Visitor;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess};
use serde_json::value::RawValue;

use crate::wire::headers::excerpt;
use crate::wire::mirror::{Mirrored, Properties, Property};
use crate::wire::object::{self, Name};

const ANNOTATION: &str = "x-mcp-header";
const PREFIX: &str = "mcp-param-";

/// `http::HeaderName` takes no more than 65535 characters.
const MAX_NAME: usize = 65_535 - PREFIX.len();

/// Which rule of `x-mcp-header` a schema breaks. The names in it are safe to show.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum BadSchema {
    #[error("its property `{property}` has the header `{header}`, which another property has")]
    Duplicate { header: String, property: String },
    #[error("its property `{property}` has an empty header name")]
    Empty { property: String },
    /// > reachable via a chain consisting solely of `properties` keys
    #[error("its schema has a header under `{keyword}`, where no argument can be read from")]
    Misplaced { keyword: &'static str },
    #[error("its property `{property}` has a header name that is no string")]
    NotAString { property: String },
    #[error("its property `{property}` has the header `{header}`, which is no HTTP token")]
    NotAToken { header: String, property: String },
    /// > primitive types (integer, string, boolean)
    #[error(
        "its property `{property}` has a header, and its type is not just one of string, integer and boolean"
    )]
    NotPrimitive { property: String },
    #[error("its schema has a header itself, where only properties may have one")]
    Root,
    #[error("its property `{property}` has a header name of more than {MAX_NAME} characters")]
    TooLong { property: String },
    #[error("its schema cannot be read ({why}); it may nest 128 levels deep")]
    Unreadable { why: String },
}

/// What the schema says is mirrored. Of several members with one name the last counts, as in
/// nearly every server, but what breaks a rule in the others breaks it, too.
pub(super) fn read(schema: &RawValue) -> Result<Mirrored, BadSchema> {
    let text = schema.get();
    // No rule is broken where there is no annotation, and most schemas have none. Its name can
    // also be written with escapes.
    if !text.contains(ANNOTATION) && !text.contains("\\u") {
        return Ok(Mirrored::default());
    }
    let mut walk = Walk::default();
    let whole = Part {
        has_names: false,
        place: Place::Root,
        walk: &mut walk,
    };
    match whole.deserialize(&mut serde_json::Deserializer::from_str(text)) {
        Ok(Some(Property::Parent(properties))) => Ok(Mirrored::new(properties)),
        Ok(_) => Ok(Mirrored::default()),
        Err(error) => Err(walk.broken.unwrap_or_else(|| BadSchema::Unreadable {
            why: error.to_string(),
        })),
    }
}

/// Where a schema stands.
#[derive(Clone, Copy)]
enum Place<'p> {
    /// Under a keyword that no argument can be found through.
    Hidden(&'static str),
    /// Reachable through properties alone: the last one's name.
    Property(&'p [u8]),
    Root,
}

/// What the value of a keyword is (JSON Schema 2020-12; the last three are of older drafts).
enum Keyword {
    Annotation,
    /// Data, or a keyword that nobody knows: what is in it means nothing.
    Data,
    /// Schemas by name.
    Named(&'static str),
    Properties,
    /// A schema or an array of schemas.
    Schema(&'static str),
    Type,
}

impl Keyword {
    fn of(name: &[u8]) -> Self {
        const NAMED: [&str; 5] = [
            "$defs",
            "dependentSchemas",
            "patternProperties",
            "definitions",
            "dependencies",
        ];
        #[rustfmt::skip]
        const SCHEMAS: [&str; 16] = [
            "additionalProperties", "allOf", "anyOf", "contains", "contentSchema", "else", "if",
            "items", "not", "oneOf", "prefixItems", "propertyNames", "then", "unevaluatedItems",
            "unevaluatedProperties", "additionalItems",
        ];
        let among = |names: &[&'static str]| {
            let same = |known: &&&str| known.as_bytes() == name;
            names.iter().find(same).copied()
        };
        match name {
            b"properties" => Self::Properties,
            b"type" => Self::Type,
            _ if name == ANNOTATION.as_bytes() => Self::Annotation,
            _ => among(&NAMED)
                .map(Self::Named)
                .or_else(|| among(&SCHEMAS).map(Self::Schema))
                .unwrap_or(Self::Data),
        }
    }
}

/// A part of a schema.
struct Part<'w> {
    /// Of an object: whether its members are schemas by name, or keywords.
    has_names: bool,
    place: Place<'w>,
    walk: &'w mut Walk,
}

impl<'de> DeserializeSeed<'de> for Part<'_> {
    type Value = Option<Property>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Takes anything: what is no schema has no annotation.
impl<'de> Visitor<'de> for Part<'_> {
    type Value = Option<Property>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a schema")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        if self.has_names {
            self.walk.names(self.place, map)
        } else {
            self.walk.keywords(self.place, map)
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
        match self.place {
            Place::Hidden(keyword) if !self.has_names => {
                let walk = self.walk;
                while array.next_element_seed(walk.hidden(keyword))?.is_some() {}
            }
            _ => while array.next_element::<IgnoredAny>()?.is_some() {},
        }
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

#[derive(Default)]
struct Walk {
    broken: Option<BadSchema>,
    /// In lower case: `HeaderName` has no order.
    headers: BTreeSet<Box<str>>,
}

impl Walk {
    fn hidden(&mut self, keyword: &'static str) -> Part<'_> {
        Part {
            has_names: false,
            place: Place::Hidden(keyword),
            walk: self,
        }
    }

    fn names<'de, A: MapAccess<'de>>(
        &mut self,
        place: Place<'_>,
        mut map: A,
    ) -> Result<Option<Property>, A::Error> {
        let mut properties = BTreeMap::new();
        while let Some(name) = map.next_key_seed(Name)? {
            let part = Part {
                has_names: false,
                place: match place {
                    Place::Hidden(_) => place,
                    Place::Property(_) | Place::Root => Place::Property(&name),
                },
                walk: self,
            };
            match map.next_value_seed(part)? {
                Some(property) => drop(properties.insert(name.into(), property)),
                None => drop(properties.remove(&*name)),
            }
        }
        let some = !properties.is_empty();
        Ok(some.then(|| Property::Parent(Properties::new(properties))))
    }

    fn keywords<'de, A: MapAccess<'de>>(
        &mut self,
        place: Place<'_>,
        mut map: A,
    ) -> Result<Option<Property>, A::Error> {
        let (mut annotation, mut kind) = (None::<&RawValue>, None::<&RawValue>);
        let mut properties = None;
        while let Some(name) = map.next_key_seed(Name)? {
            match Keyword::of(&name) {
                Keyword::Annotation => annotation = Some(map.next_value()?),
                Keyword::Data => drop(map.next_value::<IgnoredAny>()?),
                Keyword::Named(keyword) => {
                    let mut part = self.hidden(keyword);
                    part.has_names = true;
                    map.next_value_seed(part)?;
                }
                Keyword::Properties => {
                    properties = map.next_value_seed(Part {
                        has_names: true,
                        place,
                        walk: self,
                    })?;
                }
                Keyword::Schema(keyword) => drop(map.next_value_seed(self.hidden(keyword))?),
                Keyword::Type => kind = Some(map.next_value()?),
            }
        }
        let Some(annotation) = annotation else {
            return Ok(properties);
        };
        // Properties of what is a string, an integer or a boolean are never there.
        match self.header(annotation, kind, place) {
            Ok(header) => Ok(Some(Property::Mirrored(header))),
            Err(broken) => {
                self.broken = Some(broken);
                Err(A::Error::custom("a rule is broken"))
            }
        }
    }

    fn header(
        &mut self,
        annotation: &RawValue,
        kind: Option<&RawValue>,
        place: Place<'_>,
    ) -> Result<HeaderName, BadSchema> {
        let property = match place {
            Place::Hidden(keyword) => return Err(BadSchema::Misplaced { keyword }),
            Place::Property(name) => || excerpt(name),
            Place::Root => return Err(BadSchema::Root),
        };
        let Some(name) = object::string(annotation) else {
            let property = property();
            return Err(BadSchema::NotAString { property });
        };
        if name.is_empty() {
            let property = property();
            return Err(BadSchema::Empty { property });
        }
        if name.len() > MAX_NAME {
            let property = property();
            return Err(BadSchema::TooLong { property });
        }
        let Ok(full) = HeaderName::try_from([PREFIX, &name].concat()) else {
            let (header, property) = (excerpt(name.as_bytes()), property());
            return Err(BadSchema::NotAToken { header, property });
        };
        // A type beside null is refused by the SDKs for Python, Rust and TypeScript: they would
        // neither call such a tool nor expect its header.
        let kind = kind.and_then(object::string);
        if !matches!(kind.as_deref(), Some("boolean" | "integer" | "string")) {
            let property = property();
            return Err(BadSchema::NotPrimitive { property });
        }
        if !self.headers.insert(full.as_str().into()) {
            let (header, property) = (excerpt(name.as_bytes()), property());
            return Err(BadSchema::Duplicate { header, property });
        }
        Ok(full)
    }
}
