//! The transport: what rmcp says.

use std::future::{pending, poll_fn, ready};

use futures_util::future::{BoxFuture, FutureExt};
use mcp_http::asynchronous::Client;
use mcp_http::{CallOptions, Config, Error, Event, SubscriptionFilter};
use rmcp::RoleClient;
use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, ClientRequest, RequestId, RequestMetaObject,
    ServerJsonRpcMessage,
};
use rmcp::transport::Transport;
use serde::Serialize;
use serde_json::Value;

use crate::link::{Link, Observer};
use crate::message;
use crate::opening::Lifecycle;

type Connect = Box<dyn Fn(Config) -> Client + Send>;
type Options = Box<dyn Fn(&str, &Value) -> CallOptions + Send>;
/// Ends when the message is said.
type Saying = BoxFuture<'static, Result<(), Error>>;

/// An MCP server over HTTP, as rmcp's client reaches it.
///
/// ```no_run
/// use example_rmcp_transport::HttpTransport;
/// use mcp_http::Config;
/// use rmcp::ServiceExt;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// // let transport = StreamableHttpClientTransport::from_uri(URL);
/// let transport = HttpTransport::new(Config::new("https://example.com/mcp")?);
/// let client = ().serve(transport).await?;
/// # Ok(())
/// # }
/// ```
pub struct HttpTransport {
    config: Config,
    connect: Connect,
    options: Options,
    observer: Option<Observer>,
    /// From the first message on.
    link: Option<Link>,
}

impl HttpTransport {
    /// A transport with this configuration. What rmcp says of the client and its
    /// capabilities takes the place of what the configuration says of them.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self::over(config, Client::spawn)
    }

    /// The same, connected in a way of the caller's: with a source of credentials, or over
    /// another HTTP stack or runtime. It is called once, and has to see to it that the
    /// driver is polled.
    #[must_use]
    pub fn over(config: Config, connect: impl Fn(Config) -> Client + Send + 'static) -> Self {
        Self {
            config,
            connect: Box::new(connect),
            options: Box::new(|_, _| CallOptions::new()),
            observer: None,
            link: None,
        }
    }

    /// What a call of this method with these params asks for beyond them, such as to be
    /// made again when it was lost ([`CallOptions::idempotent`]).
    #[must_use]
    pub fn options(
        mut self,
        options: impl Fn(&str, &Value) -> CallOptions + Send + 'static,
    ) -> Self {
        self.options = Box::new(options);
        self
    }

    /// Looks at what happens to the connection: lost and new sessions, streams, gaps. rmcp
    /// has no words for those.
    #[must_use]
    pub fn observe(mut self, observer: impl FnMut(&Event) + Send + 'static) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// The connection, which is set up when rmcp says the first thing.
    fn link(
        &mut self,
        set_up: impl FnOnce(Config) -> Result<Config, Error>,
    ) -> Result<&mut Link, Error> {
        let link = match self.link.take() {
            Some(link) => link,
            None => {
                let config = set_up(self.config.clone())?;
                Link::new((self.connect)(config), self.observer.take())
            }
        };
        Ok(self.link.insert(link))
    }

    fn open(
        &mut self,
        id: RequestId,
        lifecycle: Lifecycle,
        info: Option<&impl Serialize>,
        capabilities: Option<&impl Serialize>,
    ) -> Result<Saying, Error> {
        let link = self.link(|config| lifecycle.configure(config, info, capabilities))?;
        link.opening.ask(id, lifecycle);
        let client = link.client.clone();
        Ok(async move { client.ready().await }.boxed())
    }

    fn request(&mut self, id: RequestId, request: &ClientRequest) -> Result<Saying, Error> {
        let begun = self
            .link
            .as_ref()
            .is_some_and(|link| link.opening.is_over());
        match request {
            ClientRequest::InitializeRequest(request) => {
                let params = &request.params;
                let (info, capabilities) = (&params.client_info, &params.capabilities);
                return self.open(id, Lifecycle::Initialize, Some(info), Some(capabilities));
            }
            ClientRequest::DiscoverRequest(request) if !begun => {
                let meta = request.extensions.get::<RequestMetaObject>();
                let info = meta.and_then(RequestMetaObject::client_info);
                let capabilities = meta.and_then(RequestMetaObject::client_capabilities);
                let (info, capabilities) = (info.as_ref(), capabilities.as_ref());
                return self.open(id, Lifecycle::Discover, info, capabilities);
            }
            ClientRequest::SubscriptionsListenRequest(request) => {
                let wanted = serde_json::to_value(&request.params.notifications);
                let wanted = wanted.and_then(serde_json::from_value::<SubscriptionFilter>);
                let wanted = wanted.map_err(|why| Error::unexpected_shape(&why))?;
                self.link(Ok)?.listen(id, wanted);
            }
            request => {
                let (method, params) = message::parts(request)?;
                let options = (self.options)(&method, &params);
                let link = self.link(Ok)?;
                let call = link.client.call_with(&method, params, options);
                link.called(id, call);
            }
        }
        Ok(ready(Ok(())).boxed())
    }

    fn notification(&mut self, notification: &ClientNotification) -> Result<Saying, Error> {
        match notification {
            // The machine has said so itself.
            ClientNotification::InitializedNotification(_) => {}
            ClientNotification::CancelledNotification(notification) => {
                if let Some(id) = &notification.params.request_id {
                    self.link(Ok)?.cancel(id)?;
                }
            }
            notification => {
                let (method, params) = message::parts(notification)?;
                let client = self.link(Ok)?.client.clone();
                return Ok(async move { client.notify(&method, params).await }.boxed());
            }
        }
        Ok(ready(Ok(())).boxed())
    }

    fn answer<T: Serialize + Send + 'static>(
        &mut self,
        id: &RequestId,
        outcome: Result<T, rmcp::ErrorData>,
    ) -> Result<Saying, Error> {
        let link = self.link(Ok)?;
        let Some(ticket) = link.answered(id) else {
            return Ok(ready(Ok(())).boxed());
        };
        let client = link.client.clone();
        let outcome = outcome.map_err(message::refusal);
        Ok(async move { client.answer(ticket, outcome).await }.boxed())
    }
}

impl Transport<RoleClient> for HttpTransport {
    type Error = Error;

    fn send(
        &mut self,
        message: ClientJsonRpcMessage,
    ) -> impl Future<Output = Result<(), Error>> + Send + 'static {
        let begun = match message {
            ClientJsonRpcMessage::Request(it) => self.request(it.id, &it.request),
            ClientJsonRpcMessage::Notification(it) => self.notification(&it.notification),
            ClientJsonRpcMessage::Response(it) => self.answer(&it.id, Ok(it.result)),
            ClientJsonRpcMessage::Error(it) => match it.id {
                Some(id) => self.answer::<()>(&id, Err(it.error)),
                None => Ok(ready(Ok(())).boxed()),
            },
        };
        begun.unwrap_or_else(|error| ready(Err(error)).boxed())
    }

    async fn receive(&mut self) -> Option<ServerJsonRpcMessage> {
        match &mut self.link {
            Some(link) => poll_fn(|cx| link.poll_told(cx)).await,
            // rmcp says something first.
            None => pending().await,
        }
    }

    async fn close(&mut self) -> Result<(), Error> {
        if let Some(link) = &self.link {
            link.client.close().await;
        }
        Ok(())
    }
}
