//! A second reader of lists of tools and of arguments: naive, over whole trees.

use std::collections::{BTreeMap, BTreeSet};

use http::HeaderValue;

use super::json::Json;
use super::law::law;
use crate::RawJson;
use crate::wire::mirror::BadArgument;
use crate::wire::tools::{self, ToolList};
use crate::wire::value;

/// The body of the tests of lists of tools: the last line is the arguments of a call, what stands
/// before it a result of `tools/list`.
///
/// # Errors
/// Where a law is broken, or another tool taken out or another header sent than a naive reader
/// finds right.
pub fn tools(input: &[u8]) -> Result<(), String> {
    let Ok(text) = std::str::from_utf8(input) else {
        return Ok(());
    };
    let (result, arguments) = text.rsplit_once('\n').unwrap_or((text, "{}"));
    let Ok(result) = RawJson::from_text(result) else {
        return Ok(());
    };
    let params = RawJson::from_text(format!(r#"{{"arguments":{arguments}}}"#)).ok();
    // `None`: too deep, or a number or text that Rust does not have.
    let tree = serde_json::from_str::<Json>(result.as_str()).ok();
    let Ok(list) = tools::read(&result) else {
        let is_list = tree.is_some_and(|tree| matches!(tree.get("tools"), Some(Json::Array(_))));
        return law(!is_list, "a list is none");
    };
    law(
        list.rewritten.is_some() != list.rejected.is_empty(),
        "the result is rewritten just if a tool is taken out",
    )?;
    let taken = check_rewritten(&result, &list)?;
    law(
        taken == list.rejected.len(),
        "as many are taken out as rejected",
    )?;
    for tool in &list.rejected {
        let why = tool.why.to_string();
        law(!why.contains(char::is_control), "reasons are safe to show")?;
    }
    for tool in &list.tools {
        law(
            tool.mirrored.is_empty() == (tool.mirrored.bytes() == 0),
            "what mirrors nothing takes no memory",
        )?;
        let name = RawJson::new(&BTreeMap::from([("name", &tool.name)])).ok();
        let name = value::name_of("tools/call", name.as_ref());
        let name = name.as_ref().and_then(decode);
        law(name.as_deref() == Some(&tool.name), "a name comes back")?;
        // Also where no tree can be had.
        check_unique(tool, params.as_ref())?;
    }
    if let Some(tree) = tree {
        let arguments = serde_json::from_str(arguments).ok();
        check_tools(&tree, &list, params.as_ref(), arguments.as_ref())?;
    }
    Ok(())
}

/// All is as it was but for the elements of `tools`, some of which are missing. How many.
fn check_rewritten(result: &RawJson, list: &ToolList<'_>) -> Result<usize, String> {
    let after = list.rewritten.as_ref().unwrap_or(result);
    RawJson::from_text(after.as_str()).map_err(|error| error.to_string())?;
    let (before, after) = (split(result.as_str()), split(after.as_str()));
    law(before.len() == after.len(), "no member is lost")?;
    let mut missing = 0;
    for (before, after) in before.into_iter().zip(after) {
        let Some((key, elements)) = array_of_tools(before) else {
            law(before == after, "all else stays to the letter")?;
            continue;
        };
        let left = after.strip_prefix(key).map(split).unwrap_or_default();
        let mut left = left.into_iter().peekable();
        for element in elements {
            if left.next_if_eq(&element).is_none() {
                missing += 1;
            }
        }
        law(
            left.next().is_none(),
            "what stays stays in order, to the letter",
        )?;
    }
    Ok(missing)
}

/// A member whose name is `tools` and whose value an array: all before that, and its elements.
fn array_of_tools(member: &str) -> Option<(&str, Vec<&str>)> {
    let at = member.find('[')?;
    let (key, array) = member.split_at(at);
    let name: String = serde_json::from_str(key.trim_end().strip_suffix(':')?).ok()?;
    (name == "tools").then(|| (key, split(array)))
}

/// The members or elements of valid JSON, trimmed.
fn split(text: &str) -> Vec<&str> {
    let text = text.trim();
    let inner = &text[1..text.len() - 1];
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0);
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth -= 1,
            b',' if depth == 0 => {
                parts.push(inner[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    if !inner.trim().is_empty() {
        parts.push(inner[start..].trim());
    }
    parts
}

fn check_unique(tool: &tools::Tool<'_>, params: Option<&RawJson>) -> Result<(), String> {
    let Ok(headers) = tool.mirrored.headers(params) else {
        return Ok(());
    };
    let names: BTreeSet<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
    law(names.len() == headers.len(), "each header is sent once")?;
    for (name, value) in &headers {
        law(
            name.as_str().starts_with("mcp-param-"),
            "no other header is sent",
        )?;
        law(value.is_sensitive(), "contents are not shown")?;
        let bytes = value.as_bytes();
        law(
            !bytes.is_empty() && bytes == bytes.trim_ascii(),
            "nothing is left for HTTP to trim",
        )?;
        law(
            bytes.iter().all(|byte| (b' '..=b'~').contains(byte)),
            "only visible ASCII and blanks are sent",
        )?;
    }
    Ok(())
}

fn check_tools(
    tree: &Json,
    list: &ToolList<'_>,
    params: Option<&RawJson>,
    arguments: Option<&Json>,
) -> Result<(), String> {
    let cursor = tree
        .get("nextCursor")
        .filter(|cursor| **cursor != Json::Null);
    law(
        cursor.is_some() == list.next_cursor.is_some(),
        "the cursor is given",
    )?;
    let (mut tools, mut rejected) = (list.tools.iter(), list.rejected.iter());
    for tool in tree.all("tools").flat_map(Json::elements) {
        let name = match tool.get("name") {
            Some(Json::String(name)) => Some(name.as_str()),
            _ => None,
        };
        if !tool.all("inputSchema").all(keeps_the_rules) {
            let rejected = rejected.next().ok_or("a bad tool stays")?;
            law(
                rejected.name.as_deref() == name,
                "the right tool is rejected",
            )?;
        } else if name.is_some() {
            let found = tools.next().ok_or("a good tool is taken out")?;
            law(name == Some(&*found.name), "the right tool stays")?;
            let Some(arguments) = arguments else { continue };
            let mut expected = Vec::new();
            if let Some(schema) = tool.get("inputSchema") {
                collect(schema, arguments, &mut expected);
            }
            check_headers(found, params, &expected)?;
        }
    }
    law(
        tools.next().is_none() && rejected.next().is_none(),
        "no tool is invented",
    )
}

fn check_headers(
    tool: &tools::Tool<'_>,
    params: Option<&RawJson>,
    expected: &[(String, &Json)],
) -> Result<(), String> {
    let headers = match tool.mirrored.headers(params) {
        Ok(headers) => headers,
        Err(BadArgument::TooMany) => return law(expected.len() > 1024, "1024 headers fit"),
        Err(BadArgument::Value { .. }) => {
            let all_fit = expected.iter().all(|(_, value)| value.fits());
            return law(!all_fit, "what fits is mirrored");
        }
    };
    law(
        headers.len() == expected.len(),
        "all that is there is mirrored",
    )?;
    for (name, value) in &headers {
        let source = expected.iter().find(|(known, _)| known == name.as_str());
        let (_, source) = source.ok_or("another header is sent")?;
        let text = decode(value).ok_or("a header cannot be decoded")?;
        let agrees = source.fits()
            && match source {
                Json::Bool(bool) => text == bool.to_string(),
                Json::Number(number) => {
                    text.parse::<i64>().is_ok_and(|text| text as f64 == *number)
                }
                Json::String(string) => text == *string,
                Json::Array(_) | Json::Null | Json::Object(_) => false,
            };
        law(agrees, "header and body agree")?;
    }
    Ok(())
}

/// As a server does it, but for the Base64, which it has from a library.
pub(super) fn decode(value: &HeaderValue) -> Option<String> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let text = value.to_str().ok()?;
    let inner = text.strip_prefix("=?base64?");
    let Some(inner) = inner.and_then(|rest| rest.strip_suffix("?=")) else {
        return Some(text.to_owned());
    };
    let mut bytes = Vec::new();
    for four in inner.as_bytes().chunks(4) {
        let digits = four
            .strip_suffix(b"==")
            .or(four.strip_suffix(b"="))
            .unwrap_or(four);
        if four.len() != 4 {
            return None;
        }
        let mut bits = 0_u32;
        for at in 0..4 {
            let digit = match digits.get(at) {
                Some(digit) => ALPHABET.iter().position(|known| known == digit)?,
                None => 0,
            };
            bits = bits << 6 | u32::try_from(digit).ok()?;
        }
        bytes.extend(&bits.to_be_bytes()[1..digits.len()]);
    }
    String::from_utf8(bytes).ok()
}

fn keeps_the_rules(schema: &Json) -> bool {
    scan(schema, Some(0), &mut Vec::new())
}

/// `depth`: of the properties around, if nothing else is.
fn scan(schema: &Json, depth: Option<usize>, headers: &mut Vec<String>) -> bool {
    if let (Json::Array(schemas), None) = (schema, depth) {
        return schemas.iter().all(|schema| scan(schema, None, headers));
    }
    let below = schema
        .members()
        .iter()
        .all(|(keyword, value)| match keyword.as_str() {
            "properties" => {
                let below = depth.map(|depth| depth + 1);
                let mut schemas = value.members().iter();
                schemas.all(|(_, schema)| scan(schema, below, headers))
            }
            "$defs" | "definitions" | "dependencies" | "dependentSchemas" | "patternProperties" => {
                let mut schemas = value.members().iter();
                schemas.all(|(_, schema)| scan(schema, None, headers))
            }
            "additionalItems"
            | "additionalProperties"
            | "allOf"
            | "anyOf"
            | "contains"
            | "contentSchema"
            | "else"
            | "if"
            | "items"
            | "not"
            | "oneOf"
            | "prefixItems"
            | "propertyNames"
            | "then"
            | "unevaluatedItems"
            | "unevaluatedProperties" => scan(value, None, headers),
            _ => true,
        });
    let header = match schema.get("x-mcp-header") {
        None => return below,
        Some(Json::String(header)) => header.to_lowercase(),
        Some(_) => return false,
    };
    let is_token = |char: char| char.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(char);
    let is_primitive = matches!(
        schema.get("type"),
        Some(Json::String(kind)) if ["boolean", "integer", "string"].contains(&kind.as_str())
    );
    let is_new = !headers.contains(&header);
    headers.push(header.clone());
    below
        && depth.is_some_and(|depth| depth > 0)
        && is_new
        && is_primitive
        && (1..=65_525).contains(&header.len())
        && header.chars().all(is_token)
}

/// What is to be mirrored: header and value.
fn collect<'a>(schema: &Json, arguments: &'a Json, found: &mut Vec<(String, &'a Json)>) {
    let Some(properties) = schema.get("properties") else {
        return;
    };
    let names: BTreeSet<_> = properties.members().iter().map(|(name, _)| name).collect();
    for name in names {
        let (Some(schema), Some(value)) = (properties.get(name), arguments.get(name)) else {
            continue;
        };
        match schema.get("x-mcp-header") {
            None => collect(schema, value, found),
            Some(Json::String(header)) if *value != Json::Null => {
                found.push((format!("mcp-param-{}", header.to_lowercase()), value));
            }
            Some(_) => {}
        }
    }
}
