//! The table itself.

use http::Uri;
use http::header::LOCATION;

use super::{Own, Seen};
use crate::error::{Answer, Delivery, Refused};
use crate::wire::headers::{Redirect, resolve_redirect};
use crate::wire::response::Carried;

/// What the table says.
#[derive(Clone, Debug)]
pub(super) enum Row {
    Again(Refused, Delivery),
    Fail(Refused, Delivery),
    Follow(Uri),
    Lost,
    Odd,
    Older,
    Redirect(Delivery),
    Reply,
    Suspect,
}

impl Seen<'_> {
    /// On the same origin, else not.
    fn follow(&self) -> Row {
        let location = self.headers.get(LOCATION);
        match location.map(|location| resolve_redirect(self.from, location)) {
            Some(Redirect::Same(to)) => Row::Follow(to),
            _ => Row::Redirect(Delivery::Rejected),
        }
    }

    /// The first row that fits.
    pub(super) fn row(&self, own: Option<&Own>, answer: &Answer) -> Row {
        use Carried::{Current, CurrentAddress, Older, OlderAddress};
        use Delivery::{Rejected, Unknown};
        let (status, carried) = (self.status, self.carried);
        let has_challenge = !answer.challenges.is_empty();
        let has_id = matches!(carried, Current | Older);
        let is_own = own.is_some_and(|own| own.exact && !(-32019..=-32000).contains(&own.code));
        let rows = [
            (matches!(status, 301 | 302), Row::Redirect(Rejected)),
            (status == 303, Row::Redirect(Unknown)),
            // Law 6: an address that is no more leads nowhere.
            (
                matches!(status, 307 | 308) && carried == OlderAddress,
                Row::Older,
            ),
            (matches!(status, 307 | 308), self.follow()),
            (status == 401, Row::Fail(Refused::Unauthorized, Rejected)),
            (
                status == 403 && has_challenge,
                Row::Fail(Refused::Forbidden, Rejected),
            ),
            (
                matches!(status, 408 | 429),
                Row::Again(Refused::TooManyRequests, Rejected),
            ),
            // HTTP+SSE, whose address is its session.
            (status == 404 && carried == CurrentAddress, Row::Lost),
            (status == 404 && carried == OlderAddress, Row::Older),
            (!has_id && own.is_some(), Row::Reply),
            (has_id && status == 400 && is_own, Row::Reply),
            (carried == Current && status == 400, Row::Suspect),
            (carried == Older && status == 400, Row::Older),
            (carried == Current && status == 404, Row::Lost),
            (carried == Older && status == 404, Row::Older),
            (own.is_some(), Row::Reply),
            (status == 404, Row::Fail(Refused::NotFound, Rejected)),
            (status == 403, Row::Fail(Refused::Forbidden, Rejected)),
            (status / 100 == 4, Row::Fail(Refused::Status, Rejected)),
            (status / 100 == 5, Row::Again(Refused::Unavailable, Unknown)),
        ];
        let row = rows.into_iter().find(|(fits, _)| *fits);
        row.map_or(Row::Odd, |(_, row)| row)
    }
}
