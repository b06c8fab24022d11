//! rmcp's handshake, answered from ours.

use mcp_http::{Binding, Config, Error, Ready};
use rmcp::model::{
    DiscoverResult, ErrorCode, ErrorData, InitializeResult, ProtocolVersion, RequestId,
    ServerJsonRpcMessage, ServerResult,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::message;

/// How rmcp begins: its `ClientLifecycleMode`, as far as it can be seen from here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Lifecycle {
    Discover,
    Initialize,
}

impl Lifecycle {
    /// What rmcp says of itself. A server that has both is found as rmcp would find it.
    pub(crate) fn configure(
        self,
        config: Config,
        info: Option<&impl Serialize>,
        capabilities: Option<&impl Serialize>,
    ) -> Result<Config, Error> {
        let config = match self {
            Self::Discover => config,
            Self::Initialize => config.remember(Binding::Session),
        };
        let config = match info {
            Some(info) => config.client_info(info)?,
            None => config,
        };
        match capabilities {
            Some(capabilities) => config.capabilities(capabilities),
            None => Ok(config),
        }
    }
}

/// Who waits for the connection to be established.
#[derive(Default)]
pub(crate) struct Opening {
    asked: Option<(RequestId, Lifecycle)>,
    ready: Option<Ready>,
}

impl Opening {
    /// rmcp asks. If it does so twice it no longer waits for the first answer: its probe
    /// took too long, or was answered with an error.
    pub(crate) fn ask(&mut self, id: RequestId, lifecycle: Lifecycle) {
        self.asked = Some((id, lifecycle));
    }

    /// The connection is established, for the first time or once more.
    pub(crate) fn established(&mut self, ready: Ready) {
        self.ready = Some(ready);
    }

    /// Whether all that rmcp asked was answered.
    pub(crate) fn is_over(&self) -> bool {
        self.asked.is_none() && self.ready.is_some()
    }

    pub(crate) fn is_stateless(&self) -> bool {
        self.ready.as_ref().is_some_and(stateless)
    }

    /// The answer, once there is one.
    pub(crate) fn answer(&mut self) -> Option<ServerJsonRpcMessage> {
        let ready = self.ready.as_ref()?;
        let (id, lifecycle) = self.asked.take()?;
        let answer = match lifecycle {
            Lifecycle::Initialize => initialized(ready).map(ServerResult::InitializeResult),
            Lifecycle::Discover => discovered(ready).map(ServerResult::DiscoverResult),
        };
        Some(match answer {
            Ok(result) => ServerJsonRpcMessage::response(result, id),
            Err(error) => ServerJsonRpcMessage::error(error, Some(id)),
        })
    }
}

fn stateless(ready: &Ready) -> bool {
    ready.binding == Binding::Stateless
}

/// The result of `initialize` as it came, or what a server without sessions says of itself
/// in the words of that result: rmcp knows that it may be given 2026-07-28 here.
fn initialized(ready: &Ready) -> Result<InitializeResult, ErrorData> {
    if !stateless(ready) {
        return ready.result.deserialize().map_err(|why| unreadable(&why));
    }
    let unnamed = json!({ "name": "", "version": "" });
    let info = ready.server_info();
    let info = info.and_then(|info| info.deserialize::<Value>().ok());
    let result = json!({
        "protocolVersion": ready.revision.as_str(),
        "capabilities": ready.capabilities,
        "serverInfo": info.unwrap_or(unnamed),
        "instructions": ready.instructions(),
    });
    serde_json::from_value(result).map_err(|why| unreadable(&why))
}

/// The result of `server/discover`, with the revision that is spoken as the only one: rmcp
/// would choose among them. Servers with sessions have no such method, and to those rmcp
/// goes on with `initialize`, if it is allowed to.
fn discovered(ready: &Ready) -> Result<DiscoverResult, ErrorData> {
    if !stateless(ready) {
        let why = format!(
            "the server speaks {}, which begins with `initialize`",
            ready.revision
        );
        return Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, why, None));
    }
    let spoken = vec![ProtocolVersion::V_2026_07_28];
    match ready.result.deserialize::<DiscoverResult>() {
        Ok(mut result) => {
            result.supported_versions = spoken;
            Ok(result)
        }
        // Pinned, a server need not have told anything.
        Err(_) => {
            let capabilities = ready.capabilities.deserialize();
            let capabilities = capabilities.map_err(|why| unreadable(&why))?;
            Ok(DiscoverResult::new(spoken, capabilities))
        }
    }
}

fn unreadable(why: &serde_json::Error) -> ErrorData {
    message::error_data(&Error::unexpected_shape(why))
}
