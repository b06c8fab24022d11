//! What people are told, on stderr: `<` before the server's words, `*` before ours.

use mcp_http::{
    Binding, Error, Event, LossCause, Message, RawJson, Ready, Reason, RejectedTool, Remedy,
    Subject,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::escape::plain;
use crate::layout::Layout;

/// A line, and when to show it.
#[derive(Debug)]
pub(crate) enum Told {
    Always(String),
    Verbose(String),
}

pub(crate) fn of_event(event: &Event) -> Option<Told> {
    Some(match event {
        Event::AskWithdrawn { .. } => {
            Told::Always("* the server needs no answer to its question any more".to_owned())
        }
        Event::Authorize(asked) => Told::Always(format!(
            "* the server asks for another credential (HTTP {})",
            asked.status
        )),
        Event::Fail {
            subject: Subject::Connection,
            error,
        } => Told::Verbose(format!("* {}", plain(&error.to_string()))),
        Event::Fail {
            subject: Subject::Stream(_),
            error,
        } => Told::Always(format!(
            "* {}; the call goes on",
            plain(&error.reason().to_string())
        )),
        Event::Gap {
            missed: Some(missed),
        } => Told::Always(format!("* {missed} messages were lost unread")),
        Event::Gap { missed: None } => Told::Always(
            "* what the server said while the listening stream was broken off is lost".to_owned(),
        ),
        Event::Message(message) => Told::Always(format!("< {}", of_message(message))),
        Event::NotRestored { error, .. } => Told::Always(format!(
            "* it could not be asked for anew: {}",
            plain(&error.to_string())
        )),
        Event::Ready(ready) => Told::Verbose(of_ready(ready)),
        Event::Reinitialize { generation, cause } => {
            let how = match cause {
                LossCause::BadRequest => ": the server answered 400",
                LossCause::NotFound => ": the server answered 404",
                LossCause::StreamEnded => ": its event stream ended",
                LossCause::Unsupported => ": the server speaks older revisions now",
                _ => "",
            };
            Told::Verbose(format!(
                "* session {generation} is lost{how}; asking for a new one"
            ))
        }
        Event::StreamDegraded { error } => Told::Verbose(format!(
            "* the listening stream failed and is tried again: {}",
            plain(&error.reason().to_string())
        )),
        Event::Listening { .. } => Told::Verbose("* the server tells about changes".to_owned()),
        Event::StreamEnded => Told::Verbose("* the server ended the listening stream".to_owned()),
        Event::StreamNotOffered { .. } => {
            Told::Verbose("* the server offers no listening stream".to_owned())
        }
        Event::ToolRejected(RejectedTool { name, why, .. }) => Told::Always(plain(&format!(
            "* the tool `{name}` is left out of the list: {why}"
        ))),
        Event::StreamRestored => Told::Verbose("* the listening stream is open again".to_owned()),
        _ => return None,
    })
}

fn of_ready(ready: &Ready) -> String {
    let Ready {
        generation,
        binding,
        revision,
        ..
    } = ready;
    let server = name_of(ready);
    let revision = match binding {
        Binding::HttpSse => format!("{revision} over HTTP+SSE"),
        _ => revision.to_string(),
    };
    if *binding == Binding::Stateless {
        let capabilities = Layout::LINE.of(ready.capabilities.as_str());
        let capabilities = plain(&capabilities);
        return format!("* {server}, revision {revision}, no session, capabilities {capabilities}");
    }
    if *generation == 1 {
        let capabilities = Layout::LINE.of(ready.capabilities.as_str());
        let capabilities = plain(&capabilities);
        return format!(
            "* session 1 with {server}, revision {revision}, capabilities {capabilities}"
        );
    }
    let changed = match (ready.changed.revision, ready.changed.capabilities) {
        (false, false) => "",
        (true, false) => ", another revision than before",
        (false, true) => ", other capabilities than before",
        (true, true) => ", another revision and other capabilities than before",
    };
    format!(
        "* session {generation} with {server}, revision {revision}{changed}; \
         what was refused with the old one is sent again"
    )
}

fn of_message(message: &Message) -> String {
    #[derive(Deserialize)]
    struct Progress {
        progress: Box<RawValue>,
        total: Option<Box<RawValue>>,
        message: Option<String>,
    }
    #[derive(Deserialize)]
    struct Log {
        level: String,
        logger: Option<String>,
        data: RawJson,
    }
    let line = match message.method.as_str() {
        "notifications/progress" => read::<Progress>(message).map(|progress| {
            let total = progress.total.map(|total| format!(" of {total}"));
            let text = progress.message.map(|text| format!(": {text}"));
            format!(
                "progress {}{}{}",
                progress.progress,
                total.unwrap_or_default(),
                text.unwrap_or_default()
            )
        }),
        "notifications/message" => read::<Log>(message).map(|log| {
            let logger = log.logger.map(|logger| format!(" ({logger})"));
            let text = log
                .data
                .deserialize::<String>()
                .unwrap_or_else(|_| Layout::LINE.of(log.data.as_str()));
            format!("{}{}: {text}", log.level, logger.unwrap_or_default())
        }),
        _ => None,
    };
    let line = line.unwrap_or_else(|| {
        let params = message.params.as_ref();
        let params = params.map(|params| format!(" {}", Layout::LINE.of(params.as_str())));
        format!("{}{}", message.method, params.unwrap_or_default())
    });
    plain(&line)
}

fn read<T: DeserializeOwned>(message: &Message) -> Option<T> {
    message.params.as_ref()?.deserialize().ok()
}

/// What happened; then whether the server executed the call and what to do.
pub(crate) fn of_error(error: &Error) -> String {
    if let Reason::Misuse(misuse) = error.reason() {
        let mistake = plain(&misuse.mistake().to_string());
        return format!("error: {mistake}\n  nothing was sent; {}", error.remedy());
    }
    let sentence = error.to_string();
    let advice = format!("{}; {}", error.delivery(), error.remedy());
    let Some(what) = sentence.strip_suffix(&format!("; {advice}")) else {
        return format!("error: {}", plain(&sentence));
    };
    let mut text = match error.rpc_error() {
        Some(rpc) => {
            let what = what.strip_suffix(&format!(" ({rpc})")).unwrap_or(what);
            let mut text = format!(
                "error: {}\n  code: {}\n  message: {}",
                plain(what),
                rpc.code,
                plain(&rpc.message)
            );
            if let Some(data) = &rpc.data {
                text.push_str("\n  data: ");
                text.push_str(&Layout::TERMINAL.of(data.as_str()).replace('\n', "\n  "));
            }
            text
        }
        None => format!("error: {}", plain(what)),
    };
    for challenge in error.challenges() {
        let params = challenge.params();
        let params: Vec<String> = params
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let challenge = format!("{} {}", challenge.scheme(), params.join(", "));
        text.push_str(&format!("\n  it asks for: {}", plain(&challenge)));
    }
    text.push_str(&format!("\n  {advice}"));
    if error.remedy() == Remedy::Authorise {
        text.push_str("\n  (a bearer token goes with --bearer-env VAR or --bearer-file FILE)");
    }
    text
}

/// Whether a tool says that it failed, in a result.
pub(crate) fn is_failed_tool(method: &str, result: &RawJson) -> bool {
    #[derive(Default, Deserialize)]
    struct ToolResult {
        #[serde(rename = "isError", default)]
        is_error: bool,
    }
    let result = || result.deserialize::<ToolResult>().unwrap_or_default();
    method == "tools/call" && result().is_error
}

pub(crate) const NAMELESS: &str = "a server without a name";

/// What the server calls itself, safe to show.
pub(crate) fn name_of(ready: &Ready) -> String {
    #[derive(Deserialize)]
    struct Info {
        name: String,
        version: Option<String>,
    }
    match ready.server_info().and_then(|info| info.deserialize().ok()) {
        Some(Info { name, version }) => plain(&format!("{name} {}", version.unwrap_or_default())),
        None => NAMELESS.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mcp_http::{RpcError, SubscriptionFilter};

    #[test]
    fn what_becomes_of_listening_is_told_if_wanted_and_what_was_missed_always() {
        let granted = SubscriptionFilter::new().tools_list_changed();
        for event in [Event::Listening { granted }, Event::StreamEnded] {
            let told = of_event(&event);
            assert!(matches!(told, Some(Told::Verbose(_))), "{told:?}");
        }
        for missed in [None, Some(7)] {
            let told = of_event(&Event::Gap { missed });
            let Some(Told::Always(line)) = told else {
                panic!("{told:?}");
            };
            assert_eq!(line.contains('7'), missed.is_some(), "{line}");
        }
    }

    #[test]
    fn an_error_of_the_server_has_code_message_and_data() {
        let rpc: RpcError = serde_json::from_str(
            r#"{"code": -32001, "message": "no\u001b[1m", "data": {"n": 1e400}}"#,
        )
        .unwrap();
        let error = Error::from_rpc(rpc, http::StatusCode::OK);
        let text = of_error(&error);
        assert!(
            text.ends_with(
                "(HTTP 200 OK)\n  code: -32001\n  message: no\\u{1b}[1m\n  data: {\n    \"n\": 1e400\n  }\n  \
                 the server may have executed it; calling again unchanged will not help"
            ),
            "{text}"
        );
    }
}
