//! The way of a message: where redirects lead it instead of to the endpoint, and whether it
//! was sent once more.

use http::Uri;

/// How many redirects of one message are followed.
const REDIRECTS: u8 = 3;

/// The way of one message: to the endpoint, until redirects lead elsewhere on its
/// origin (RFC 9110, section 15.4).
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Route {
    /// Boxed, for few messages are redirected.
    target: Option<Box<Uri>>,
    redirects: u8,
    /// Whether it was sent once more, with another credential.
    again: bool,
}

impl Route {
    /// Where a redirect leads; absent for the endpoint.
    pub(super) fn target(&self) -> Option<&Uri> {
        self.target.as_deref()
    }

    /// Follows a redirect, unless there were too many.
    pub(super) fn follow(&mut self, to: Uri) -> bool {
        let follows = self.redirects < REDIRECTS;
        if follows {
            self.redirects = self.redirects.saturating_add(1);
            self.target = Some(Box::new(to));
        }
        follows
    }

    /// The next sending begins at the endpoint again. Redirects count on.
    pub(super) fn restart(&mut self) {
        self.target = None;
    }

    /// It is sent once more, with another credential, and may be redirected as before.
    pub(super) fn again(&mut self) {
        *self = Self {
            again: true,
            ..Self::default()
        };
    }

    pub(super) fn is_again(&self) -> bool {
        self.again
    }
}
