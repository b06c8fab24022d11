//! What rmcp says and hears, in this crate's words and back.

use mcp_http::{Ask, Delivery, Error, Message, RawJson, Reason, Refused, RpcError};
use rmcp::model::{
    ErrorCode, ErrorData, GetExtensions, RequestId, ServerJsonRpcMessage, ServerNotification,
    ServerRequest, ServerResult,
};
use rmcp::service::InboundStreamOrigin;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Where 2026-07-28 names the subscription that a notification belongs to.
const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

/// What rmcp writes into `_meta` in 2026-07-28, and the machine too.
const STAMP: [&str; 3] = [
    "io.modelcontextprotocol/clientCapabilities",
    "io.modelcontextprotocol/clientInfo",
    "io.modelcontextprotocol/protocolVersion",
];

/// The method and the params of a request or notification of rmcp. Its progress token stays
/// in `_meta`: the machine takes the application's own.
pub(crate) fn parts(said: &impl Serialize) -> Result<(String, Value), Error> {
    let mut said = serde_json::to_value(said).map_err(|why| Error::unexpected_shape(&why))?;
    let method = said.get("method").and_then(Value::as_str);
    let method = method.unwrap_or_default().to_owned();
    let params = said.get_mut("params").map(Value::take);
    let mut params = params.unwrap_or_default();
    if let Some(meta) = meta_of(&mut params) {
        meta.retain(|name, _| !STAMP.contains(&name.as_str()));
    }
    Ok((method, params))
}

fn meta_of(params: &mut Value) -> Option<&mut Map<String, Value>> {
    params.get_mut("_meta")?.as_object_mut()
}

/// A notification of the server. None if rmcp could not read it.
pub(crate) fn notification(message: &Message) -> Option<ServerNotification> {
    let mut params = value(message.params.as_ref())?;
    if let Some(meta) = meta_of(&mut params) {
        // It names the machine's subscription, not one of rmcp's.
        meta.remove(SUBSCRIPTION);
    }
    serde_json::from_value(said(&message.method, params)).ok()
}

/// A question of the server, on behalf of this request of rmcp's. None if rmcp could not
/// read it.
pub(crate) fn question(ask: &Ask, of: Option<RequestId>) -> Option<ServerRequest> {
    let params = value(ask.params.as_ref())?;
    let mut request: ServerRequest = serde_json::from_value(said(&ask.method, params)).ok()?;
    let origin = of.map_or(
        InboundStreamOrigin::Unassociated,
        InboundStreamOrigin::OutboundRequest,
    );
    request.extensions_mut().insert(origin);
    Some(request)
}

fn said(method: &str, params: Value) -> Value {
    match params {
        Value::Null => json!({ "method": method }),
        params => json!({ "method": method, "params": params }),
    }
}

fn value(params: Option<&RawJson>) -> Option<Value> {
    params.map_or(Some(Value::Null), |params| params.deserialize().ok())
}

/// The end of a call.
pub(crate) fn end(id: RequestId, outcome: Result<RawJson, Error>) -> ServerJsonRpcMessage {
    let result = outcome.and_then(|result| {
        let read = result.deserialize::<ServerResult>();
        read.map_err(|why| Error::unexpected_shape(&why))
    });
    match result {
        Ok(result) => ServerJsonRpcMessage::response(result, id),
        Err(error) => ServerJsonRpcMessage::error(error_data(&error), Some(id)),
    }
}

/// A JSON-RPC error of the server as it came. All else that ends a call says in `message`
/// what happened, whether it was executed and what to do, and the same for programs in `data`.
pub(crate) fn error_data(error: &Error) -> ErrorData {
    match (error.reason(), error.rpc_error()) {
        (Reason::Refused(Refused::Rpc), Some(rpc)) => ErrorData::new(
            i32::try_from(rpc.code).map_or(ErrorCode::INTERNAL_ERROR, ErrorCode),
            rpc.message.clone(),
            value(rpc.data.as_ref()).filter(|data| !data.is_null()),
        ),
        _ => {
            let data = json!({
                "delivery": match error.delivery() {
                    Delivery::NotSent => "not sent",
                    Delivery::Rejected => "rejected",
                    _ => "unknown",
                },
                "remedy": error.remedy().to_string(),
                "retryAfterMs": error.retry_after().map(|after| after.as_millis()),
                "status": error.status().map(|status| status.as_u16()),
            });
            ErrorData::new(ErrorCode::INTERNAL_ERROR, error.to_string(), Some(data))
        }
    }
}

/// An error that answers a question of the server.
pub(crate) fn refusal(error: ErrorData) -> RpcError {
    let mut refusal = RpcError::new(error.code.0.into(), error.message);
    refusal.data = error.data.and_then(|data| RawJson::new(&data).ok());
    refusal
}
