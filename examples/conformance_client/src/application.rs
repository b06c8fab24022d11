//! What the application does, and what it answers. It knows no adapter and no revision.

#![expect(clippy::print_stderr, reason = "a program that is watched")]

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use example_conformance_client::Client;
use mcp_http::{Ask, CallOptions, Event, Listening, Ready, RpcError, SubscriptionFilter};
use serde_json::{Value, json};

use crate::Error;
use crate::form::fill;

/// How long the server's own stream is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a person thinks about a question. Meanwhile other calls are on their way, which
/// must not carry what belongs to this one.
const THINKING: Duration = Duration::from_millis(100);

/// Uses the server as the scenario wants it, answers it meanwhile, and closes.
pub(crate) fn run(client: &Client, scenario: &str, context: &Value) -> Result<(), Error> {
    let mut events = client.events();
    client.ready()?;
    let ready = events.find_map(|event| match event {
        Event::Ready(ready) => Some(ready),
        _ => None,
    });
    let ready = ready.ok_or("it was closed before it was ready")?;
    eprintln!("{ready:?}");
    // Held while something that was asked is not answered yet.
    let answering = Mutex::new(());
    thread::scope(|scope| {
        let attending = scope.spawn(|| attend(client, events, &answering));
        let used = listen(client).and_then(|()| play(client, &ready, scenario, context));
        // The reply to a call can be here before the answer that it waited for is accepted.
        drop(answering.lock());
        client.close();
        let attended = attending.join();
        used.and(attended.unwrap_or_else(|_| Err("it panicked".into())))
    })
}

/// Hears what the server has to say of its own accord. Some servers ask there, and what they
/// ask before it is open is lost.
fn listen(client: &Client) -> Result<(), Error> {
    let changes = SubscriptionFilter::new()
        .prompts_list_changed()
        .resources_list_changed()
        .tools_list_changed();
    client.listen(changes)?;
    let start = Instant::now();
    while client.status().listening == Listening::Opening && start.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn play(client: &Client, ready: &Ready, scenario: &str, context: &Value) -> Result<(), Error> {
    match scenario {
        "http-custom-headers" => call_as_told(client, context),
        "json-schema-2020-12-preservation" => send_schema_back(client),
        "json-schema-ref-no-deref" => call_in_vain(client),
        _ => use_all(client, &ready.capabilities.deserialize()?),
    }
}

/// Lists all that the server says it has, and uses each of it, all at the same time.
fn use_all(client: &Client, offered: &Value) -> Result<(), Error> {
    let mut uses = Vec::new();
    if offered.get("tools").is_some() {
        let tools = list(client, "tools/list", "tools")?;
        uses.extend(tools.iter().map(|tool| ("tools/call", call_of(tool))));
    }
    if offered.get("resources").is_some() {
        list(client, "resources/templates/list", "resourceTemplates")?;
        let resources = list(client, "resources/list", "resources")?;
        let read = |resource: &Value| ("resources/read", json!({ "uri": resource.get("uri") }));
        uses.extend(resources.iter().map(read));
    }
    if offered.get("prompts").is_some() {
        let prompts = list(client, "prompts/list", "prompts")?;
        let get = |prompt: &Value| ("prompts/get", json!({ "name": prompt.get("name") }));
        uses.extend(prompts.iter().map(get));
    }
    thread::scope(|scope| {
        let begin = |(method, params)| scope.spawn(move || call(client, method, &params));
        let calls: Vec<_> = uses.into_iter().map(begin).collect();
        for call in calls {
            call.join()
                .unwrap_or_else(|_| Err("a call panicked".into()))?;
        }
        Ok(())
    })
}

/// Makes the calls that the suite names.
fn call_as_told(client: &Client, context: &Value) -> Result<(), Error> {
    list(client, "tools/list", "tools")?;
    let calls = context.get("toolCalls").and_then(Value::as_array);
    for params in calls.ok_or("the context names no calls")? {
        call(client, "tools/call", params)?;
    }
    Ok(())
}

/// Gives one tool's schema, as it came, to another tool that takes one.
fn send_schema_back(client: &Client) -> Result<(), Error> {
    let tools = list(client, "tools/list", "tools")?;
    let is_focal = |tool: &&Value| tool.get("name") == Some(&json!("json_schema_2020_12_tool"));
    let focal = tools
        .iter()
        .find(is_focal)
        .ok_or("the tool with the schema is missing")?;
    let arguments = json!({ "schema": focal.get("inputSchema") });
    let params = json!({ "name": "json_schema_echo", "arguments": arguments });
    call(client, "tools/call", &params).map(drop)
}

/// Calls tools of a server that lists them and has no `tools/call`.
fn call_in_vain(client: &Client) -> Result<(), Error> {
    for tool in list(client, "tools/list", "tools")? {
        let call = client.start("tools/call", &call_of(&tool), CallOptions::new())?;
        match call.wait() {
            Err(error) if error.rpc_error().is_some() => eprintln!("as expected: {error}"),
            Err(error) => return Err(error.into()),
            Ok(_) => return Err("the tool was called".into()),
        }
    }
    Ok(())
}

/// All pages of a list.
fn list(client: &Client, method: &str, member: &str) -> Result<Vec<Value>, Error> {
    let mut all = Vec::new();
    let mut params = json!({});
    loop {
        let mut page = call(client, method, &params)?;
        match page.get_mut(member).map(Value::take) {
            Some(Value::Array(some)) => all.extend(some),
            _ => return Err(format!("the result of {method} has no {member}").into()),
        }
        match page.get("nextCursor") {
            Some(cursor) => params = json!({ "cursor": cursor }),
            None => return Ok(all),
        }
    }
}

fn call_of(tool: &Value) -> Value {
    let arguments = tool.get("inputSchema").map(fill);
    json!({ "name": tool.get("name"), "arguments": arguments })
}

fn call(client: &Client, method: &str, params: &Value) -> Result<Value, Error> {
    let call = client.start(method, params, CallOptions::new())?;
    let result: Value = call.wait()?.deserialize()?;
    eprintln!("{method} {params} -> {result}");
    if result.get("isError") == Some(&json!(true)) {
        return Err(format!("{method} {params}: the tool failed").into());
    }
    Ok(result)
}

/// Answers what is asked, and fails if something was lost. Ends when the connection is closed.
fn attend(
    client: &Client,
    events: impl Iterator<Item = Event>,
    answering: &Mutex<()>,
) -> Result<(), Error> {
    let mut outcome = Ok(());
    for event in events {
        eprintln!("{event:?}");
        let ended = match event {
            Event::Ask(ask) => {
                let guard = answering.lock().unwrap_or_else(PoisonError::into_inner);
                thread::sleep(THINKING);
                let accepted = client.answer(ask.ticket, answer(&ask));
                drop(guard);
                accepted
            }
            Event::Fail { error, .. } => Err(error),
            _ => Ok(()),
        };
        outcome = outcome.and(ended);
    }
    Ok(outcome?)
}

/// What a person would say who takes every form as it is, has opened no folder, and lets no
/// server use the model.
fn answer(ask: &Ask) -> Result<Value, RpcError> {
    match &*ask.method {
        "elicitation/create" => {
            let params = ask.params.as_ref();
            let params: Option<Value> = params.and_then(|params| params.deserialize().ok());
            let form = params
                .as_ref()
                .and_then(|params| params.get("requestedSchema"));
            let form = form.ok_or_else(|| RpcError::new(-32602, "there is no form"))?;
            Ok(json!({ "action": "accept", "content": fill(form) }))
        }
        "roots/list" => Ok(json!({ "roots": [] })),
        "sampling/createMessage" => Err(RpcError::new(-1, "User rejected sampling request")),
        _ => Err(RpcError::method_not_found()),
    }
}
