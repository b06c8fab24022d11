//! JSON taken apart one level at a time: nothing is built, nothing nests, and of any valid text
//! nothing is refused.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A member's name as bytes: a lone surrogate, which is no text in Rust, is a name like any other.
pub(super) struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, [u8]>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, [u8]>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_bytes<E: Error>(self, name: &'de [u8]) -> Result<Self::Value, E> {
        // The reader lets them pass in what is asked for as bytes.
        if name.iter().any(|byte| *byte < b' ') {
            return Err(E::custom("a control character"));
        }
        Ok(Cow::Borrowed(name))
    }

    fn visit_bytes<E>(self, name: &[u8]) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

/// Hands out the members of an object in order. Whether the text is an object.
pub(super) fn members<'a>(
    text: &'a str,
    mut take: impl FnMut(Cow<'a, [u8]>, &'a RawValue),
) -> bool {
    struct Each<F>(F);

    impl<'de, F: FnMut(Cow<'de, [u8]>, &'de RawValue)> Visitor<'de> for Each<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
            while let Some(name) = map.next_key_seed(Name)? {
                (self.0)(name, map.next_value()?);
            }
            Ok(())
        }
    }

    let mut is_escaped = false;
    let each = Each(|name: Cow<'a, [u8]>, value| {
        is_escaped |= matches!(name, Cow::Owned(_));
        take(name, value);
    });
    let mut reader = serde_json::Deserializer::from_str(text);
    let is_object = reader.deserialize_map(each).is_ok() && reader.end().is_ok();
    // What a name was before it was unescaped is gone, so it is read once more as a whole.
    is_object && (!is_escaped || serde_json::from_str::<IgnoredAny>(text).is_ok())
}

/// Hands out the elements of an array in order. Whether the text is an array.
pub(super) fn elements<'a>(text: &'a str, take: impl FnMut(&'a RawValue)) -> bool {
    struct Each<F>(F);

    impl<'de, F: FnMut(&'de RawValue)> Visitor<'de> for Each<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'de>>(mut self, mut array: A) -> Result<(), A::Error> {
            while let Some(element) = array.next_element()? {
                (self.0)(element);
            }
            Ok(())
        }
    }

    serde_json::Deserializer::from_str(text)
        .deserialize_seq(Each(take))
        .is_ok()
}

/// Whether JSON text may have a member of this name, at any depth. If not, there is no need to take
/// it apart: a name stands in the text as it is, unless something in the text is escaped.
pub(super) fn may_have(text: &str, name: &str) -> bool {
    text.contains(name) || text.contains('\\')
}

/// The value of a member. Of several with one name it is the last, as in nearly every server.
pub(super) fn member<'a>(text: &'a str, name: &str) -> Option<&'a RawValue> {
    let mut found = None;
    members(text, |key, value| {
        if *key == *name.as_bytes() {
            found = Some(value);
        }
    });
    found
}

/// The text of a string. `None` of anything else, and of one with a lone surrogate.
pub(super) fn string(value: &RawValue) -> Option<Cow<'_, str>> {
    let inner = value.get().strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str(value.get()).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_character_in_a_name_is_no_json() {
        let is_object = |text| members(text, |_, _| {});
        assert!(is_object(r#"{"a":1,"\u0001\ud800":2}"#));
        assert!(!is_object("{\"a\":1,\"b\u{1}\":2}"));
        assert!(!is_object("{\"a\":1,\"b\u{1}\\n\":2}"));
        assert!(!is_object("{\"\\u0061\":1,\"b\n\":2}"));
    }
}
