//! What `--json` prints.

use mcp_http::{
    Challenge, Delivery, Error, Event, LossCause, RawJson, Revision, RpcError, Subject,
    SubscriptionFilter,
};
use serde::{Serialize, Serializer};

use crate::exit::Exit;

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(crate) enum Record<'a> {
    Ask {
        method: &'a str,
        params: Option<&'a RawJson>,
    },
    AskWithdrawn,
    Authorize {
        status: u16,
        method: Option<&'a str>,
        schemes: Vec<&'a str>,
    },
    Error {
        exit: u8,
        blame: &'static str,
        text: String,
        delivery: &'static str,
        remedy: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after: Option<f64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        rpc: Option<Rpc<'a>>,
    },
    Failure {
        text: String,
    },
    Gap {
        missed: Option<u64>,
    },
    Listening {
        granted: &'a SubscriptionFilter,
    },
    Message {
        method: &'a str,
        params: Option<&'a RawJson>,
    },
    NotRestored {
        method: &'a str,
        params: &'a RawJson,
        text: String,
    },
    Ready {
        generation: u64,
        binding: &'static str,
        #[serde(serialize_with = "date")]
        revision: Revision,
        server: Option<RawJson>,
        capabilities: &'a RawJson,
    },
    Reinitialize {
        generation: u64,
        cause: &'static str,
    },
    Result {
        result: &'a RawJson,
    },
    StreamDegraded {
        text: String,
    },
    StreamEnded,
    StreamNotOffered,
    StreamRestored,
    ToolRejected {
        name: &'a str,
        text: String,
    },
}

#[derive(Serialize)]
pub(crate) struct Rpc<'a> {
    code: i64,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawJson>,
}

impl<'a> Record<'a> {
    pub(crate) fn of_event(event: &'a Event) -> Option<Self> {
        Some(match event {
            Event::Ask(ask) => Self::Ask {
                method: &ask.method,
                params: ask.params.as_ref(),
            },
            Event::AskWithdrawn { .. } => Self::AskWithdrawn,
            Event::Authorize(asked) => Self::Authorize {
                status: asked.status.as_u16(),
                method: asked.method.as_deref(),
                schemes: asked.challenges.iter().map(Challenge::scheme).collect(),
            },
            Event::Fail {
                subject: Subject::Connection | Subject::Stream(_),
                error,
            } => Self::Failure {
                text: error.to_string(),
            },
            Event::Gap { missed } => Self::Gap { missed: *missed },
            Event::Listening { granted } => Self::Listening { granted },
            Event::Message(message) => Self::Message {
                method: &message.method,
                params: message.params.as_ref(),
            },
            Event::Ready(ready) => Self::Ready {
                generation: ready.generation,
                binding: ready.binding.as_str(),
                revision: ready.revision,
                server: ready.server_info(),
                capabilities: &ready.capabilities,
            },
            Event::Reinitialize { generation, cause } => Self::Reinitialize {
                generation: *generation,
                cause: match cause {
                    LossCause::BadRequest => "bad-request",
                    LossCause::NotFound => "not-found",
                    LossCause::StreamEnded => "stream-ended",
                    LossCause::Unsupported => "unsupported",
                    _ => "other",
                },
            },
            Event::NotRestored {
                method,
                params,
                error,
            } => Self::NotRestored {
                method,
                params,
                text: error.to_string(),
            },
            Event::StreamDegraded { error } => Self::StreamDegraded {
                text: error.to_string(),
            },
            Event::StreamEnded => Self::StreamEnded,
            Event::StreamNotOffered { .. } => Self::StreamNotOffered,
            Event::StreamRestored => Self::StreamRestored,
            Event::ToolRejected(tool) => Self::ToolRejected {
                name: &tool.name,
                text: tool.why.to_string(),
            },
            _ => return None,
        })
    }

    pub(crate) fn of_error(error: &'a Error) -> Self {
        let exit = Exit::of(Err(error));
        Self::Error {
            exit: exit.code(),
            blame: exit.blame(),
            text: error.to_string(),
            delivery: match error.delivery() {
                Delivery::NotSent => "not-sent",
                Delivery::Rejected => "rejected",
                _ => "unknown",
            },
            remedy: error.remedy().to_string(),
            status: error.status().map(|status| status.as_u16()),
            retry_after: error.retry_after().map(|after| after.as_secs_f64()),
            rpc: error.rpc_error().map(Rpc::of),
        }
    }
}

impl<'a> Rpc<'a> {
    fn of(rpc: &'a RpcError) -> Self {
        Self {
            code: rpc.code,
            message: &rpc.message,
            data: rpc.data.as_ref(),
        }
    }
}

fn date<S: Serializer>(revision: &Revision, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(revision.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_becomes_of_listening_is_a_line_of_its_own() {
        let granted = SubscriptionFilter::new().tools_list_changed();
        let granted = granted.resource("file:///a");
        for (event, record) in [
            (
                Event::Listening { granted },
                json!({
                    "event": "listening",
                    "granted": { "toolsListChanged": true, "resourceSubscriptions": ["file:///a"] },
                }),
            ),
            (Event::StreamEnded, json!({ "event": "stream-ended" })),
            (
                Event::Gap { missed: None },
                json!({ "event": "gap", "missed": null }),
            ),
        ] {
            assert_eq!(json!(Record::of_event(&event)), record);
        }
    }
}
