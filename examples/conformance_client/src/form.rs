//! Fills in what a schema asks for, as a person in a hurry does.

use serde_json::{Map, Value, json};

/// A value that fits: the default if there is one, else the first choice, else the plainest
/// of its type. Of an object's members those that have a default or are required.
pub(crate) fn fill(schema: &Value) -> Value {
    let given = schema.get("default").or_else(|| schema.get("const"));
    let chosen = schema.get("enum").and_then(|choices| choices.get(0));
    if let Some(value) = given.or(chosen) {
        return value.clone();
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("array") => json!([]),
        Some("boolean") => json!(true),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        Some("null") => Value::Null,
        Some("object") => members(schema),
        // A reference, say: another document is never fetched for it.
        _ => json!("text"),
    }
}

fn members(schema: &Value) -> Value {
    let required = schema.get("required").and_then(Value::as_array);
    let is_required = |name: &str| required.is_some_and(|names| names.iter().any(|n| n == name));
    let members = schema.get("properties").and_then(Value::as_object);
    let wanted = members
        .into_iter()
        .flatten()
        .filter(|(name, member)| is_required(name) || member.get("default").is_some());
    let filled = wanted.map(|(name, member)| (name.clone(), fill(member)));
    Value::Object(Map::from_iter(filled))
}
