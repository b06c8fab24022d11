//! What the server says to a request.

use serde_json::{Value, json};

use crate::board::Board;
use crate::script::{Act, Arrived};
use std::sync::Arc;

/// An answer, as data. In its bodies `$ID` stands for the id of the request and `$TOKEN`
/// for its progress token.
#[derive(Clone, Debug)]
pub(crate) struct Say {
    /// What has to be said on the board before anything else, and how often.
    after: Vec<Cue>,
    status: u16,
    headers: String,
    parts: Vec<Part>,
    end: End,
}

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Wait(Cue),
}

/// That something was said on the board so often.
type Cue = (&'static str, usize);

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// The body has a length, and the connection is kept.
    Sized,
    /// The body has a length and ends before it.
    Cut,
    /// The connection is closed, and that is the body's end.
    Close,
    /// Nothing comes any more.
    Silence,
    /// Nothing comes any more, and on the board is said `closed` when the client closes.
    Held,
    /// The connection is closed without a word.
    Broken,
}

impl Say {
    /// This status, without a body.
    pub(crate) fn status(status: u16) -> Self {
        Self {
            after: Vec::new(),
            status,
            headers: String::new(),
            parts: Vec::new(),
            end: End::Sized,
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    pub(crate) fn body(self, content_type: &str, body: &str) -> Self {
        let mut this = self.header("content-type", content_type);
        this.parts.push(Part::Text(body.to_owned()));
        this
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.body("application/json", &body.to_string())
    }

    /// 200 and the result as JSON.
    pub(crate) fn result(result: &Value) -> Self {
        Self::status(200).json(&reply(result))
    }

    /// 200 and a JSON-RPC error as JSON.
    pub(crate) fn error(code: i64, message: &str) -> Self {
        Self::status(200).json(&error(code, message))
    }

    /// 200 and an event stream, which ends with its connection.
    pub(crate) fn stream() -> Self {
        let mut this = Self::status(200).header("content-type", "text/event-stream");
        this.end = End::Close;
        this
    }

    pub(crate) fn event(mut self, message: &Value) -> Self {
        self.parts.push(Part::Text(format!("data: {message}\n\n")));
        self
    }

    /// The rest of the body waits for this.
    pub(crate) fn wait(mut self, cue: &'static str, times: usize) -> Self {
        self.parts.push(Part::Wait((cue, times)));
        self
    }

    /// All of it waits for this.
    pub(crate) fn after(mut self, cue: &'static str, times: usize) -> Self {
        self.after.push((cue, times));
        self
    }

    pub(crate) fn then_silence(mut self) -> Self {
        self.end = End::Silence;
        self
    }

    pub(crate) fn then_held(mut self) -> Self {
        self.end = End::Held;
        self
    }

    pub(crate) fn then_cut(mut self) -> Self {
        self.end = End::Cut;
        self
    }

    pub(crate) fn broken() -> Self {
        let mut this = Self::status(200);
        this.end = End::Broken;
        this
    }

    /// Nothing at all.
    pub(crate) fn silence() -> Self {
        let mut this = Self::broken();
        this.end = End::Silence;
        this
    }

    pub(crate) fn to_act(&self, to: &Arrived, board: &Arc<Board>) -> Act {
        let fill = |text: &str| {
            let token = &to.message["params"]["_meta"]["progressToken"];
            text.replace("\"$ID\"", &to.message["id"].to_string())
                .replace("\"$TOKEN\"", &token.to_string())
        };
        let length = self.parts.iter().map(|part| match part {
            Part::Text(text) => fill(text).len(),
            Part::Wait(_) => 0,
        });
        let mut head = format!("HTTP/1.1 {} Whatever\r\n{}", self.status, self.headers);
        match self.end {
            End::Sized => head.push_str(&format!("content-length: {}\r\n", length.sum::<usize>())),
            End::Cut => head.push_str("content-length: 10000\r\n"),
            End::Broken | End::Close | End::Held | End::Silence => {}
        }
        head.push_str("\r\n");
        let silent = self.end == End::Silence && self.headers.is_empty();
        if self.end == End::Broken || silent {
            head.clear();
        }

        // From the last part to the first.
        let mut act = match self.end {
            End::Sized => Act::Answer(String::new()),
            End::Broken | End::Close | End::Cut => Act::Close(String::new()),
            End::Silence => Act::Hang(String::new()),
            End::Held => {
                let board = Arc::clone(board);
                let told = move || {
                    board.say("closed");
                };
                Act::Held(String::new(), Box::new(told))
            }
        };
        for part in self.parts.iter().rev() {
            act = match part {
                Part::Text(text) => before(&fill(text), act),
                Part::Wait(cue) => wait(*cue, board, act),
            };
        }
        let act = before(&head, act);
        let after = self.after.iter();
        after.fold(act, |act, cue| wait(*cue, board, act))
    }
}

fn wait((cue, times): Cue, board: &Arc<Board>, act: Act) -> Act {
    let board = Arc::clone(board);
    let said = async move {
        board.said(cue, times).await;
    };
    Act::Wait(String::new(), Box::pin(said), Box::new(act))
}

/// This text before all else.
fn before(text: &str, act: Act) -> Act {
    let text = text.to_owned();
    match act {
        Act::Answer(rest) => Act::Answer(text + &rest),
        Act::Close(rest) => Act::Close(text + &rest),
        Act::Flood(rest, on) => Act::Flood(text + &rest, on),
        Act::Hang(rest) => Act::Hang(text + &rest),
        Act::Held(rest, told) => Act::Held(text + &rest, told),
        Act::Wait(rest, until, then) => Act::Wait(text + &rest, until, then),
    }
}

pub(crate) fn reply(result: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": "$ID", "result": result })
}

pub(crate) fn error(code: i64, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": "$ID", "error": { "code": code, "message": message } })
}

/// A request of the server.
pub(crate) fn ask(id: impl Into<Value>, method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id.into(), "method": method, "params": params })
}

pub(crate) fn note(method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "method": method, "params": params })
}
