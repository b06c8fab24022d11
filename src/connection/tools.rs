//! Tools: which of their arguments go into headers, learned from every `tools/list`; and a
//! list read anew when a server says that headers and body differ (2026-07-28,
//! transports/streamable-http: custom headers from tool parameters).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};
use serde_json::json;

use super::Connection;
use super::call::State;
use super::exchange::{Exchange, Purpose, answered};
use super::rare::Blank;
use super::route::Route;
use crate::error::{Delivery, Error, LimitExceeded, LimitKind, Mistake, Peer};
use crate::event::{RejectedTool, Reply};
use crate::wire::headers::MAX_EXCERPT;
use crate::wire::mirror::Mirrored;
use crate::wire::result;
use crate::wire::tools::{self, Rejected, ToolList};
use crate::wire::value;
use crate::{CallId, Event, RawJson, Resend};

pub(super) const LIST: &str = "tools/list";
/// `HeaderMismatch` (2026-07-28, basic: error codes).
pub(super) const HEADER_MISMATCH: i64 = -32020;
/// Pages of one list: a server that always has another one is not to keep calls waiting.
const PAGES: usize = 100;

/// What is known of a server's tools.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tools {
    /// Those of which some arguments go into headers.
    mirrored: BTreeMap<String, Known>,
    bytes: usize,
    /// Counts the lists: what an older one named, and the newest does not, is gone.
    lists: u64,
    /// The cursor of the page with which the newest goes on; none once all of it came.
    next: Option<String>,
    refresh: Option<Box<Refresh>>,
}

/// A tool's mirrored arguments, and the list that named it last.
#[derive(Clone, Debug, PartialEq)]
struct Known {
    mirrored: Mirrored,
    list: u64,
}

/// A list that is being read anew.
#[derive(Clone, Debug, Default, PartialEq)]
struct Refresh {
    /// The next page is to be asked for.
    due: bool,
    cursor: Option<RawJson>,
    pages: usize,
    route: Route,
}

impl Blank for Tools {
    fn blank() -> &'static Self {
        static BLANK: LazyLock<Tools> = LazyLock::new(Tools::default);
        &BLANK
    }

    fn is_blank(&self) -> bool {
        self == Self::blank()
    }
}

impl Tools {
    #[cfg(feature = "harness")]
    pub(super) fn weights(&self) -> super::weights::Weights {
        let Self {
            mirrored,
            bytes,
            lists: _,
            next: _,
            refresh,
        } = self;
        vec![
            ("tools.mirrored", mirrored.len()),
            ("tools.bytes", *bytes),
            ("tools.miscounted", self.miscounted()),
            ("tools.refresh", usize::from(refresh.is_some())),
        ]
    }

    /// How far what is known is more, or less, than was counted as it came and went.
    #[cfg(feature = "harness")]
    fn miscounted(&self) -> usize {
        let known = self.mirrored.iter();
        let sizes = known.map(|(name, known)| size(name, &known.mirrored));
        self.bytes.abs_diff(sizes.sum())
    }

    /// Whether a page is to be asked for.
    pub(super) fn is_due(&self) -> bool {
        self.refresh.as_ref().is_some_and(|refresh| refresh.due)
    }

    /// Whether the page was asked for before, with another credential.
    pub(super) fn is_refreshed_again(&self) -> bool {
        let refresh = self.refresh.as_ref();
        refresh.is_some_and(|refresh| refresh.route.is_again())
    }

    /// The page is asked for again, with another credential.
    pub(super) fn refresh_once_more(&mut self) {
        if let Some(refresh) = &mut self.refresh {
            refresh.route.again();
            refresh.due = true;
        }
    }

    /// The headers of a call with these params.
    pub(super) fn headers(
        &self,
        params: Option<&RawJson>,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, Mistake> {
        let mirrored = params
            .and_then(value::tool_of)
            .and_then(|name| self.mirrored.get(&*name));
        let headers = mirrored.map(|known| known.mirrored.headers(params));
        headers
            .unwrap_or(Ok(Vec::new()))
            .map_err(|why| Mistake::Argument(why.to_string()))
    }

    fn forget(&mut self, name: &str) {
        if let Some(before) = self.mirrored.remove(name) {
            self.bytes = self.bytes.saturating_sub(size(name, &before.mirrored));
        }
    }

    /// Drops what the newest list does not name.
    fn forget_older(&mut self) {
        let (newest, bytes) = (self.lists, &mut self.bytes);
        self.mirrored.retain(|name, known| {
            let stays = known.list == newest;
            if !stays {
                *bytes = bytes.saturating_sub(size(name, &known.mirrored));
            }
            stays
        });
    }

    /// Bytes in buffers; what is known of tools has a limit of its own.
    pub(super) fn buffered(&self) -> usize {
        let refresh = self.refresh.as_ref();
        let cursor = refresh.and_then(|refresh| refresh.cursor.as_ref());
        let next = self.next.as_ref().map_or(0, String::len);
        next.saturating_add(cursor.map_or(0, RawJson::len))
    }

    /// Takes note of the page that was asked for with this cursor. The first begins a new
    /// list; once all of its pages came, what it did not name is gone. Pages of another
    /// list, which others read meanwhile, only add to it.
    ///
    /// # Errors
    /// If there is no room for all of it.
    fn learn(
        &mut self,
        list: &ToolList<'_>,
        cursor: Option<String>,
        value: usize,
    ) -> Result<(), LimitExceeded> {
        let is_first = cursor.is_none();
        let goes_on = is_first || cursor == self.next;
        if is_first {
            self.lists = self.lists.saturating_add(1);
        }
        if goes_on {
            self.next = list.next_cursor.map(tools::cursor);
        }
        let rejected = list.rejected.iter();
        for name in rejected.filter_map(|tool| tool.name.as_deref()) {
            self.forget(name);
        }
        for tool in &list.tools {
            self.forget(&tool.name);
            if tool.mirrored.is_empty() {
                continue;
            }
            let size = size(&tool.name, &tool.mirrored);
            if self.bytes.saturating_add(size) > value {
                self.forget_older();
            }
            if self.bytes.saturating_add(size) > value {
                let kind = LimitKind::ToolHeaders;
                return Err(LimitExceeded { kind, value });
            }
            self.bytes = self.bytes.saturating_add(size);
            let name = tool.name.clone().into_owned();
            let (mirrored, list) = (tool.mirrored.clone(), self.lists);
            self.mirrored.insert(name, Known { mirrored, list });
        }
        if goes_on && self.next.is_none() {
            self.forget_older();
        }
        Ok(())
    }
}

/// No longer than other excerpts of what a server says.
fn shortened(name: &str) -> String {
    let ends = name
        .char_indices()
        .map(|(at, char)| at.saturating_add(char.len_utf8()));
    let end = ends.take_while(|end| *end <= MAX_EXCERPT).last();
    name.get(..end.unwrap_or(0)).unwrap_or_default().to_owned()
}

fn size(name: &str, mirrored: &Mirrored) -> usize {
    name.len().saturating_add(mirrored.bytes())
}

impl Connection {
    /// A list of tools is the reply to a call: what is in it is learned, and tools whose
    /// schemas break the rules are taken out.
    pub(super) fn tools_came(&mut self, call: CallId, mut reply: Reply) {
        let Ok(result) = &reply.outcome else {
            return self.reply(call, reply);
        };
        // What is no list is for the application to judge.
        let Ok(list) = tools::read(result) else {
            return self.reply(call, reply);
        };
        let params = self.calls.get(&call).and_then(|call| call.params.as_ref());
        let cursor = params.and_then(tools::cursor_of);
        let limit = self.config.common.limits.tool_headers;
        if let Err(exceeded) = self.tools.learn(&list, cursor, limit) {
            let error = Error::new(exceeded, Delivery::Unknown);
            return self.fail_call(call, error.with_answer(answered(reply.status)));
        }
        for Rejected { name, why } in &list.rejected {
            self.events.push(Event::ToolRejected(RejectedTool {
                name: shortened(name.as_deref().unwrap_or_default()),
                why: Peer::ToolSchema(why.to_string()).into(),
            }));
        }
        if let Some(kept) = list.rewritten {
            reply.outcome = Ok(kept);
        }
        self.reply(call, reply);
    }

    /// The server says that the headers of a call are not what its body says. Once, the
    /// list of tools is read anew, and the call goes out once more.
    pub(super) fn headers_mismatched(&mut self, id: CallId, reply: Reply) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let repairs = call.method == "tools/call" && call.resend == Resend::Allowed;
        if !repairs || std::mem::replace(&mut call.repaired, true) {
            return self.reply(id, reply);
        }
        call.delivery = call.delivery.max(Delivery::Rejected);
        let generation = call.generation;
        if !self.is_current(generation) {
            return self.send_again(id);
        }
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.state = State::Mismatched(Box::new(reply));
        self.tools.refresh.get_or_insert_with(|| {
            Box::new(Refresh {
                due: true,
                ..Refresh::default()
            })
        });
        self.account_call(id);
        self.stand_still_if_waiting(id);
    }

    /// The request for the next page.
    pub(super) fn build_refresh(&mut self) -> Option<(Purpose, Request<Bytes>)> {
        if self.mismatched().is_empty() {
            self.tools.refresh = None;
        }
        let refresh = self.tools.refresh.as_mut()?;
        refresh.due = false;
        let target = refresh.route.target().cloned();
        let cursor = refresh.cursor.as_ref();
        let params = cursor.and_then(|cursor| RawJson::new(&json!({ "cursor": cursor })).ok());
        match self.stand_alone(target.as_ref(), LIST, params.as_ref()) {
            Some(request) => Some((Purpose::Refresh, request)),
            None => {
                self.refresh_failed();
                None
            }
        }
    }

    /// A page came. Without a call that waits for the list, it is the last.
    pub(super) fn refreshed(&mut self, result: &RawJson) {
        let waits = !self.mismatched().is_empty();
        let limit = self.config.common.limits.tool_headers;
        let complete = result::complete(result).is_ok();
        let list = complete.then(|| tools::read(result).ok()).flatten();
        let (Some(list), Some(refresh)) = (list, self.tools.refresh.as_mut()) else {
            return self.refresh_failed();
        };
        let next = list.next_cursor.map(|cursor| result.part(cursor));
        refresh.pages = refresh.pages.saturating_add(1);
        let goes_on = waits && next.is_some() && next != refresh.cursor && refresh.pages < PAGES;
        let cursor = std::mem::replace(&mut refresh.cursor, next);
        // The next page is another request.
        refresh.route = Route::default();
        refresh.due = goes_on;
        let cursor = cursor.map(|cursor| tools::cursor_text(cursor.as_str()));
        if self.tools.learn(&list, cursor, limit).is_err() {
            return self.refresh_failed();
        }
        if !goes_on {
            self.tools.refresh = None;
            for id in self.mismatched() {
                self.queue(id);
            }
        }
    }

    /// The list cannot be had: the refusals stand.
    pub(super) fn refresh_failed(&mut self) {
        self.tools.refresh = None;
        for id in self.mismatched() {
            let call = self.calls.get_mut(&id);
            let state = call.map(|call| std::mem::replace(&mut call.state, State::Waiting));
            if let Some(State::Mismatched(reply)) = state {
                self.reply(id, *reply);
            }
        }
    }

    /// What the list was read from is gone: the calls that wait for it go out to what takes
    /// its place.
    pub(super) fn drop_refresh(&mut self) {
        self.tools.refresh = None;
        let refreshes = |exchange: &Exchange| matches!(exchange.purpose, Purpose::Refresh);
        let stale = self.exchanges.iter().find(|(_, it)| refreshes(it));
        if let Some(id) = stale.map(|(id, _)| id) {
            self.abort(id);
        }
        for id in self.mismatched() {
            self.send_again(id);
        }
    }

    /// Asks for the page where a redirect leads. Says whether it does.
    pub(super) fn redirect_refresh(&mut self, to: http::Uri) -> bool {
        let refresh = self.tools.refresh.as_mut();
        refresh.is_some_and(|refresh| {
            let follows = refresh.route.follow(to);
            refresh.due |= follows;
            follows
        })
    }

    /// The calls that wait for the list.
    pub(super) fn mismatched(&self) -> Vec<CallId> {
        let calls = self.calls.iter();
        let refused = calls.filter(|(_, call)| matches!(call.state, State::Mismatched(_)));
        refused.map(|(id, _)| id).collect()
    }
}

#[cfg(all(test, feature = "harness"))]
mod tests {
    use super::*;

    #[test]
    fn who_miscounts_is_found_out() {
        let mut tools = Tools::default();
        assert_eq!(tools.miscounted(), 0);
        tools.bytes = 1;
        assert_eq!(tools.miscounted(), 1);
    }
}
