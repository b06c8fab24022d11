//! What a server asks in the middle of a call beside elicitation, and what it logs: sampling,
//! roots, `set_level`. All of it is deprecated, and still there.

#![expect(deprecated, reason = "it is what is tested")]

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use mcp_http::{Config, Revision};
use rmcp::handler::server::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, ClientConfig,
    ContentBlock, CreateMessageRequest, CreateMessageRequestParams, CreateMessageResult, ErrorCode,
    Implementation, InputRequest, InputRequests, InputRequiredResult, ListRootsRequest,
    ListRootsResult, LoggingLevel, LoggingMessageNotificationParam, Root, SamplingMessage,
    ServerCapabilities, ServerConfig, ServerRequest, SetLevelRequestParams,
};
use rmcp::service::{NotificationContext, RequestContext, RunningService};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ClientHandler, ErrorData, RoleClient, RoleServer, ServiceExt};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{HttpTransport, said, soon, tool, until};

/// A server of rmcp's whose tools `sampling` and `roots` ask, and answer with what they were
/// told; `log` logs something.
#[derive(Clone, Default)]
struct Curious {
    level: Arc<Mutex<Option<LoggingLevel>>>,
}

impl ServerHandler for Curious {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools();
        ServerConfig::new(capabilities.enable_logging().build())
    }

    async fn set_level(
        &self,
        request: SetLevelRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        *self.level.lock().unwrap() = Some(request.level);
        Ok(())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let question = match &*request.name {
            "sampling" => {
                let messages = vec![SamplingMessage::user_text("What is your name?")];
                let params = CreateMessageRequestParams::new(messages, 10);
                InputRequest::CreateMessage(CreateMessageRequest::new(params))
            }
            "roots" => InputRequest::ListRoots(ListRootsRequest::default()),
            _ => return self.log(&context).await,
        };
        let version = context.protocol_version();
        if version.is_some_and(|version| version.has_initialize()) {
            let question = serde_json::from_value::<ServerRequest>(json!(question)).unwrap();
            let answer = context.peer.send_request(question).await;
            return Ok(match answer {
                Ok(answer) => told(&json!(answer)),
                Err(error) => told(&json!(error.to_string())),
            });
        }
        let answers = request.input_responses.as_ref();
        Ok(match answers.and_then(|answers| answers.get("it")) {
            Some(answer) => told(answer),
            None => {
                let asked = InputRequests::from([("it".to_owned(), question)]);
                InputRequiredResult::new(Some(asked), None).into()
            }
        })
    }
}

impl Curious {
    /// At the level that the client wants, as either revision says it; else not at all.
    async fn log(
        &self,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let level = *self.level.lock().unwrap();
        if let Some(level) = level.or(context.meta.log_level()) {
            let message = LoggingMessageNotificationParam::new(level, json!({ "tool": "log" }));
            let message = message.with_logger("curious");
            context.peer.notify_logging_message(message).await.unwrap();
        }
        Ok(told(&json!("logged")))
    }
}

fn told(what: &Value) -> CallToolResponse {
    CallToolResult::success(vec![ContentBlock::text(what.to_string())]).into()
}

/// Where it is served.
async fn start(curious: Curious) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let service = StreamableHttpService::new(
        move || Ok(curious.clone()),
        Arc::<LocalSessionManager>::default(),
        StreamableHttpServerConfig::default(),
    );
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service.clone();
            let service = service_fn(move |request: http::Request<Incoming>| {
                let service = service.clone();
                async move { Ok::<_, Infallible>(service.handle(request).await.map(BodyExt::boxed)) }
            });
            tokio::spawn(async move {
                let connection = auto::Builder::new(TokioExecutor::new());
                let _ = connection
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    url
}

/// An application of rmcp's that answers those questions, and keeps what it is told.
#[derive(Clone, Default)]
struct Open {
    questions: Arc<Mutex<Vec<Value>>>,
    logged: Arc<Mutex<Vec<Value>>>,
    /// Gives no model to anybody.
    refuses: bool,
}

impl ClientHandler for Open {
    fn get_info(&self) -> ClientConfig {
        let capabilities = ClientCapabilities::builder().enable_sampling();
        let capabilities = capabilities.enable_roots().build();
        ClientConfig::new(capabilities, Implementation::new("open", "1"))
    }

    async fn create_message(
        &self,
        question: CreateMessageRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        let mut questions = self.questions.lock().unwrap();
        questions.push(json!(question.messages));
        if self.refuses {
            return Err(ErrorData::new(ErrorCode(-1), "the user said no", None));
        }
        let message = SamplingMessage::assistant_text("Ada");
        Ok(CreateMessageResult::new(message, "none".to_owned()))
    }

    async fn list_roots(
        &self,
        _: RequestContext<RoleClient>,
    ) -> Result<ListRootsResult, ErrorData> {
        self.questions.lock().unwrap().push(json!("roots"));
        let root = Root::new("file:///ada").with_name("Ada");
        Ok(ListRootsResult::new(vec![root]))
    }

    async fn on_logging_message(
        &self,
        message: LoggingMessageNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.logged.lock().unwrap().push(json!(message));
    }
}

type Running = RunningService<RoleClient, Open>;

const REVISIONS: [Revision; 2] = [Revision::V2025_11_25, Revision::V2026_07_28];

async fn serve(url: &str, revision: Revision, application: Open) -> Running {
    let transport = HttpTransport::new(Config::new(url).unwrap().pin(revision));
    soon(application.serve(transport)).await.unwrap()
}

/// What the tool was told that asked.
async fn answer(client: &Running, asks: &str) -> Value {
    let result = soon(client.call_tool(tool(asks, &json!({})))).await;
    serde_json::from_str(&said(&result.unwrap())).unwrap()
}

#[tokio::test]
async fn sampling_is_answered_by_the_handler() {
    for revision in REVISIONS {
        let (url, application) = (start(Curious::default()).await, Open::default());
        let client = serve(&url, revision, application.clone()).await;
        let answer = answer(&client, "sampling").await;
        assert_eq!(
            answer,
            json!({
                "role": "assistant",
                "content": { "type": "text", "text": "Ada" },
                "model": "none",
            })
        );
        let asked = json!([{
            "role": "user",
            "content": { "type": "text", "text": "What is your name?" },
        }]);
        assert_eq!(*application.questions.lock().unwrap(), [asked]);
    }
}

#[tokio::test]
async fn roots_are_listed_by_the_handler() {
    for revision in REVISIONS {
        let (url, application) = (start(Curious::default()).await, Open::default());
        let client = serve(&url, revision, application.clone()).await;
        let answer = answer(&client, "roots").await;
        let root = json!({ "uri": "file:///ada", "name": "Ada" });
        assert_eq!(answer, json!({ "roots": [root] }));
        assert_eq!(*application.questions.lock().unwrap(), [json!("roots")]);
    }
}

#[tokio::test]
async fn what_the_handler_refuses_to_answer_is_an_error_to_the_server() {
    let url = start(Curious::default()).await;
    let application = Open {
        refuses: true,
        ..Open::default()
    };
    let client = serve(&url, Revision::V2025_11_25, application).await;
    let answer = answer(&client, "sampling").await;
    assert_eq!(answer, "Mcp error: -1: the user said no");
}

#[tokio::test]
async fn a_level_is_set_and_what_is_logged_reaches_the_handler() {
    for revision in REVISIONS {
        let (curious, application) = (Curious::default(), Open::default());
        let url = start(curious.clone()).await;
        let client = serve(&url, revision, application.clone()).await;
        assert_eq!(answer(&client, "log").await, json!("logged"));
        let wanted = SetLevelRequestParams::new(LoggingLevel::Warning);
        soon(client.set_level(wanted)).await.unwrap();
        let session = revision == Revision::V2025_11_25;
        let level = session.then_some(LoggingLevel::Warning);
        assert_eq!(*curious.level.lock().unwrap(), level, "sent, or remembered");
        assert_eq!(answer(&client, "log").await, json!("logged"));
        let logged = || application.logged.lock().unwrap().clone();
        until("logged", || !logged().is_empty()).await;
        let data = json!({ "tool": "log" });
        let message = json!({ "level": "warning", "logger": "curious", "data": data });
        assert_eq!(logged(), [message], "once, for nobody wanted the first");
    }
}
