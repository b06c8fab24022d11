//! The server's questions: put to the person at the terminal, or declined.

mod check;
mod dialog;
mod form;

use std::io;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use mcp_http::blocking::Client;
use mcp_http::{Ask, Mistake, RawJson, Reason, RpcError};
use serde::Serialize;

use crate::escape::plain;
use crate::output::Output;
use dialog::{Choice, Dialog};
use form::{Kind, Question};

/// A question, and what the server that has it calls itself.
pub(crate) struct Asked {
    pub(crate) ask: Ask,
    pub(crate) server: String,
}

/// Who answers.
pub(crate) struct Asker {
    pub(crate) client: Client,
    pub(crate) output: Arc<Output>,
    /// Where the server is.
    pub(crate) server: String,
    /// Whether there is a person to ask.
    pub(crate) is_person: bool,
}

/// The answer to an elicitation (client features: elicitation, response actions).
#[derive(Debug, Serialize)]
pub(crate) struct Elicited {
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<form::Content>,
}

impl From<Choice> for Elicited {
    fn from(choice: Choice) -> Self {
        let (action, content) = match choice {
            Choice::Accept(content) => ("accept", content),
            Choice::Cancel => ("cancel", None),
            Choice::Decline => ("decline", None),
        };
        Self { action, content }
    }
}

impl Asker {
    /// One question after the other, as long as there may be more.
    pub(crate) fn run(&self, questions: &Receiver<Asked>) {
        for asked in questions {
            let answer = self.answer(&asked);
            let taken = self.client.answer(asked.ask.ticket, answer);
            match taken.as_ref().map_err(|error| error.reason()) {
                Ok(()) | Err(Reason::Closed) => {}
                Err(Reason::Misuse(misuse)) if misuse.mistake() == &Mistake::TicketNotOpen => {
                    if self.is_person {
                        self.output
                            .say("* too late: the server needs no answer any more");
                    }
                }
                Err(reason) => {
                    let reason = plain(&reason.to_string());
                    self.output
                        .say(&format!("* the server did not take the answer: {reason}"));
                }
            }
        }
    }

    fn answer(&self, asked: &Asked) -> Result<Elicited, RpcError> {
        // Nothing else was announced, so nothing else gets here.
        if asked.ask.method != "elicitation/create" {
            return Err(RpcError::method_not_found());
        }
        let question = Question::read(asked.ask.params.as_ref().map_or("{}", RawJson::as_str))
            .map_err(|why| {
                let line = format!(
                    "* the server's question cannot be put to anybody: {}",
                    plain(&why)
                );
                self.output.say(&line);
                // Elicitation, error handling.
                RpcError::new(-32602, why)
            })?;
        if !self.is_person {
            let what = match question.kind {
                Kind::Form(_) => "for data",
                Kind::Page(_) => "to have a page opened",
            };
            self.output.say(&format!(
                "* the server asked {what} and was told no, for there is nobody to ask: {}",
                plain(&question.message)
            ));
            return Ok(Choice::Decline.into());
        }
        let server = format!("{} (it calls itself {})", self.server, asked.server);
        let mut dialog = Dialog::new(io::stdin().lock(), self.output.questions());
        // The terminal is gone, or said Ctrl-D.
        let choice = dialog.put(&server, &question).unwrap_or(Choice::Cancel);
        Ok(choice.into())
    }
}
