//! A `tools/list` result: what each tool mirrors, and the tools whose schemas break the rules
//! (2026-07-28, tools, x-mcp-header).

use std::borrow::Cow;
use std::ops::Range;

use serde_json::value::RawValue;

use super::mirror::Mirrored;
use super::object;
use crate::RawJson;

mod schema;

pub(crate) use schema::BadSchema;

/// What one page of the list says.
pub(crate) struct ToolList<'a> {
    /// Those that stay and have a name, in order; also those that mirror nothing. Of several with
    /// one name the last counts.
    pub(crate) tools: Vec<Tool<'a>>,
    /// Those that had to be taken out, in order. One that shares its name with one that stays
    /// takes nothing from that.
    pub(crate) rejected: Vec<Rejected<'a>>,
    pub(crate) next_cursor: Option<&'a RawValue>,
    /// The result without the rejected tools, all else to the letter; `None` if there are none.
    pub(crate) rewritten: Option<RawJson>,
}

pub(crate) struct Tool<'a> {
    pub(crate) name: Cow<'a, str>,
    pub(crate) mirrored: Mirrored,
}

pub(crate) struct Rejected<'a> {
    /// As the server wrote it: not safe to show.
    pub(crate) name: Option<Cow<'a, str>>,
    pub(crate) why: BadSchema,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the result has no array of tools")]
pub(crate) struct NoTools;

/// Reads a page. Its size is the only limit: what is kept takes some times as much at most, and the
/// work is a few passes over it.
pub(crate) fn read(result: &RawJson) -> Result<ToolList<'_>, NoTools> {
    let mut list = ToolList {
        tools: Vec::new(),
        rejected: Vec::new(),
        next_cursor: None,
        rewritten: None,
    };
    let text = result.as_str();
    let (mut cuts, mut is_list) = (Vec::new(), false);
    object::members(text, |name, value| match &*name {
        b"nextCursor" => list.next_cursor = Some(value).filter(|cursor| cursor.get() != "null"),
        b"tools" => {
            let mut array = Array::default();
            is_list = object::elements(value.get(), |tool| {
                let stays = list.add(tool);
                array.element(place(tool, text), stays, &mut cuts);
            });
            array.end(&mut cuts);
        }
        _ => {}
    });
    if !is_list {
        return Err(NoTools);
    }
    if !list.rejected.is_empty() {
        let rewritten = RawJson::from_text(without(text, &cuts));
        list.rewritten = Some(rewritten.map_err(|_| NoTools)?);
    }
    Ok(list)
}

impl<'a> ToolList<'a> {
    /// Whether the tool stays. What is no tool at all does: that is for the application to judge.
    fn add(&mut self, tool: &'a RawValue) -> bool {
        let (mut name, mut mirrored) = (None, Ok(Mirrored::default()));
        object::members(tool.get(), |key, value| match &*key {
            b"name" => name = object::string(value),
            // Of several the last counts, but all have to keep the rules.
            b"inputSchema" if mirrored.is_ok() => mirrored = schema::read(value),
            _ => {}
        });
        match mirrored {
            Ok(mirrored) => {
                self.tools.extend(name.map(|name| Tool { name, mirrored }));
                true
            }
            Err(why) => {
                self.rejected.push(Rejected { name, why });
                false
            }
        }
    }
}

/// A cursor as text that can be compared: servers and applications may write it with different
/// escapes.
pub(crate) fn cursor(value: &RawValue) -> String {
    object::string(value).map_or_else(|| value.get().to_owned(), Cow::into_owned)
}

/// The same of a cursor that was kept as JSON.
pub(crate) fn cursor_text(json: &str) -> String {
    serde_json::from_str(json).map_or_else(|_| json.to_owned(), cursor)
}

/// The cursor that the params of a request name: none asks for the first page.
pub(crate) fn cursor_of(params: &RawJson) -> Option<String> {
    let value = object::member(params.as_str(), "cursor")?;
    (value.get() != "null").then(|| cursor(value))
}

/// Where a part stands in the whole.
fn place(part: &RawValue, whole: &str) -> Range<usize> {
    let start = part.get().as_ptr().addr() - whole.as_ptr().addr();
    start..start + part.get().len()
}

/// The elements of an array seen so far: what to cut, so that neither a comma nor a blank is
/// touched between two that stay.
#[derive(Default)]
struct Array {
    some_stay: bool,
    /// Where the elements begin, if none stays so far.
    gone_since: Option<usize>,
    /// Where the last one ends.
    end: usize,
}

impl Array {
    fn element(&mut self, place: Range<usize>, stays: bool, cuts: &mut Vec<Range<usize>>) {
        if stays {
            // With the comma that follows.
            cuts.extend(self.gone_since.take().map(|start| start..place.start));
            self.some_stay = true;
        } else if self.some_stay {
            // With the comma before.
            cuts.push(self.end..place.end);
        } else {
            self.gone_since.get_or_insert(place.start);
        }
        self.end = place.end;
    }

    fn end(self, cuts: &mut Vec<Range<usize>>) {
        cuts.extend(self.gone_since.map(|start| start..self.end));
    }
}

fn without(text: &str, cuts: &[Range<usize>]) -> String {
    let mut rest = String::with_capacity(text.len());
    let mut start = 0;
    for cut in cuts {
        rest.push_str(text.get(start..cut.start).unwrap_or_default());
        start = cut.end;
    }
    rest.push_str(text.get(start..).unwrap_or_default());
    rest
}

#[cfg(test)]
mod tests;
