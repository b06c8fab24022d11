//! Where credentials come from.

use std::future::{Future, Ready};

use crate::Authorize;

/// Where the credentials of a connection come from: asked when a server refuses the one
/// that it was given (basic/authorization), for all that was refused by then at once.
///
/// Every function that takes an [`Authorize`] and gives a future is one:
///
/// ```
/// # use mcp_http::Authorize;
/// # async fn token(_scope: Option<String>) -> Option<String> { None }
/// let credentials = |asked: Authorize| async move {
///     let bearer = asked.challenges.iter().find(|challenge| challenge.is("Bearer"));
///     let scope = bearer.and_then(|challenge| challenge.scope()).map(str::to_owned);
///     Some(format!("Bearer {}", token(scope).await?))
/// };
/// # fn is_one(_: impl mcp_http::asynchronous::Credentials) {}
/// # is_one(credentials);
/// ```
pub trait Credentials {
    /// Ends with the value of the `Authorization` header of all that is sent from then on,
    /// or with nothing: then what was refused fails. A value that no header can have
    /// counts as nothing.
    type Answer: Future<Output = Option<String>>;

    /// The server asks for another credential. The [`Driver`](super::Driver) polls the
    /// answer, and drops it if it is not waited for any more: the connection was closed,
    /// or a credential was given by
    /// [`Client::authorize`](super::Client::authorize) or
    /// [`Client::set_header`](super::Client::set_header).
    ///
    /// A panic is one of the driver.
    fn ask(&mut self, asked: Authorize) -> Self::Answer;
}

impl<F, A> Credentials for F
where
    F: FnMut(Authorize) -> A,
    A: Future<Output = Option<String>>,
{
    type Answer = A;

    fn ask(&mut self, asked: Authorize) -> A {
        self(asked)
    }
}

/// No source: of the driver of a client that was made without one.
pub type NoCredentials = fn(Authorize) -> Ready<Option<String>>;
