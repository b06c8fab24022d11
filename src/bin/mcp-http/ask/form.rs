//! What the server asks for (client features: elicitation).

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use http::Uri;
use mcp_http::RawJson;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

/// The fields that were filled in.
pub(crate) type Content = BTreeMap<String, RawJson>;

#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) message: String,
    pub(crate) kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    /// Form mode.
    Form(Vec<Field>),
    /// URL mode.
    Page(Page),
}

#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) url: String,
    pub(crate) host: String,
    pub(crate) is_secure: bool,
}

#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) required: bool,
    pub(crate) default: Option<RawJson>,
    pub(crate) shape: Shape,
}

/// The primitive types of a requested schema.
#[derive(Debug)]
pub(crate) enum Shape {
    Boolean,
    Many {
        options: Vec<Choosable>,
        least: u64,
        most: Option<u64>,
    },
    Number {
        whole: bool,
        least: Option<f64>,
        most: Option<f64>,
    },
    One(Vec<Choosable>),
    Text {
        least: u64,
        most: Option<u64>,
        pattern: Option<String>,
        format: Option<String>,
    },
}

/// One value of an enumeration.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Choosable {
    #[serde(rename = "const")]
    pub(crate) value: String,
    pub(crate) title: Option<String>,
}

impl Question {
    /// Reads the params of `elicitation/create`. An error says what is wrong with them.
    pub(crate) fn read(params: &str) -> Result<Self, String> {
        let params: Params = serde_json::from_str(params).map_err(|error| error.to_string())?;
        let kind = match params.mode.as_deref() {
            None | Some("form") => Kind::Form(fields(params.schema)?),
            Some("url") => Kind::Page(Page::read(params.url.unwrap_or_default())?),
            Some(_) => return Err("this mode of elicitation was not announced".to_owned()),
        };
        Ok(Self {
            message: params.message,
            kind,
        })
    }
}

impl Page {
    fn read(url: String) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|_| "`url` is no URL".to_owned())?;
        let scheme = uri.scheme_str().unwrap_or_default();
        if !matches!(scheme, "http" | "https") {
            return Err("`url` is no address of a page".to_owned());
        }
        Ok(Self {
            host: uri.host().unwrap_or_default().to_owned(),
            is_secure: scheme == "https",
            url,
        })
    }
}

fn fields(schema: Option<Schema>) -> Result<Vec<Field>, String> {
    let schema = schema.ok_or("`requestedSchema` is missing")?;
    let required = schema.required;
    let fields = schema.properties.0.into_iter().map(|(name, property)| {
        let shape = property
            .shape()
            .ok_or_else(|| format!("the property `{name}` is of no primitive type"))?;
        Ok(Field {
            required: required.contains(&name),
            name,
            title: property.title,
            description: property.description,
            default: property.default,
            shape,
        })
    });
    fields.collect()
}

#[derive(Deserialize)]
struct Params {
    mode: Option<String>,
    message: String,
    #[serde(rename = "requestedSchema")]
    schema: Option<Schema>,
    url: Option<String>,
}

#[derive(Deserialize)]
struct Schema {
    #[serde(default)]
    properties: InOrder<Property>,
    #[serde(default)]
    required: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Property {
    r#type: String,
    title: Option<String>,
    description: Option<String>,
    default: Option<RawJson>,
    min_length: Option<u64>,
    max_length: Option<u64>,
    pattern: Option<String>,
    format: Option<String>,
    minimum: Option<f64>,
    maximum: Option<f64>,
    r#enum: Option<Vec<String>>,
    /// Titles of `enum`, as revision 2025-06-18 gave them.
    #[serde(default)]
    enum_names: Vec<String>,
    one_of: Option<Vec<Choosable>>,
    items: Option<Items>,
    min_items: Option<u64>,
    max_items: Option<u64>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Items {
    r#enum: Option<Vec<String>>,
    any_of: Option<Vec<Choosable>>,
}

impl Property {
    fn shape(&self) -> Option<Shape> {
        Some(match self.r#type.as_str() {
            "array" => {
                let items = self.items.clone()?;
                Shape::Many {
                    options: options(items.r#enum, &[], items.any_of)?,
                    least: self.min_items.unwrap_or(0),
                    most: self.max_items,
                }
            }
            "boolean" => Shape::Boolean,
            kind @ ("integer" | "number") => Shape::Number {
                whole: kind == "integer",
                least: self.minimum,
                most: self.maximum,
            },
            "string" => match options(self.r#enum.clone(), &self.enum_names, self.one_of.clone()) {
                Some(options) => Shape::One(options),
                None => Shape::Text {
                    least: self.min_length.unwrap_or(0),
                    most: self.max_length,
                    pattern: self.pattern.clone(),
                    format: self.format.clone(),
                },
            },
            _ => return None,
        })
    }
}

fn options(
    values: Option<Vec<String>>,
    names: &[String],
    titled: Option<Vec<Choosable>>,
) -> Option<Vec<Choosable>> {
    let of_values = |values: Vec<String>| {
        let named = values.into_iter().enumerate();
        let options = named.map(|(index, value)| Choosable {
            value,
            title: names.get(index).cloned(),
        });
        options.collect()
    };
    values.map(of_values).or(titled)
}

/// The members of an object in the order in which they came: that of the questions.
struct InOrder<T>(Vec<(String, T)>);

impl<T> Default for InOrder<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for InOrder<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = InOrder<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<InOrder<T>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(InOrder(members))
            }
        }

        deserializer.deserialize_map(Members(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(params: &str) -> String {
        Question::read(params).unwrap_err()
    }

    #[test]
    fn what_the_specification_does_not_know_is_refused() {
        let property = |property: &str| {
            why(&format!(
                r#"{{"message": "", "requestedSchema": {{"properties": {{"a": {property}}}}}}}"#
            ))
        };
        assert!(property(r#"{"type": "object"}"#).contains("`a` is of no primitive type"));
        assert!(property(r#"{"type": "array", "items": {"type": "string"}}"#).contains("`a`"));
        assert!(why(r#"{"message": ""}"#).contains("requestedSchema"));
        assert!(why(r#"{"mode": "telepathy", "message": ""}"#).contains("not announced"));
        for url in ["", "x", "javascript:alert(1)", "file:///etc/passwd"] {
            let params = format!(r#"{{"mode": "url", "message": "", "url": "{url}"}}"#);
            assert!(why(&params).contains("`url` is no"), "{url}");
        }
    }

    #[test]
    fn titles_of_the_older_revision_are_taken() {
        let params = r#"{"message": "", "requestedSchema": {"properties": {
            "a": {"type": "string", "enum": ["x", "y"], "enumNames": ["X"]}}}}"#;
        let Kind::Form(fields) = Question::read(params).unwrap().kind else {
            panic!("it is a form");
        };
        let Shape::One(options) = &fields[0].shape else {
            panic!("it is a choice");
        };
        assert_eq!(options[0].title.as_deref(), Some("X"));
        assert_eq!(options[1].title, None);
    }
}
