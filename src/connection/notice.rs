//! Notifications of the application: each is accepted or fails.

use std::collections::VecDeque;

use bytes::Bytes;
use http::Request;

use super::Connection;
use super::exchange::Purpose;
use super::route::Route;
use crate::error::{Delivery, Error, Misuse};
use crate::wire::jsonrpc;
use crate::wire::request;
use crate::{NotificationId, RawJson};

/// A notification of the application; it waits for a session.
#[derive(Clone, Debug)]
pub(super) struct Notice {
    pub(super) id: NotificationId,
    pub(super) method: String,
    pub(super) params: Option<RawJson>,
    pub(super) route: Route,
    /// Whether it was refused with its session once already.
    pub(super) refused: bool,
}

impl Notice {
    pub(super) fn new(id: NotificationId, method: String, params: Option<RawJson>) -> Self {
        Self {
            id,
            method,
            params,
            route: Route::default(),
            refused: false,
        }
    }
}

impl Connection {
    /// The request that carries this notification, unless there is no such thing.
    pub(super) fn build_notice(&mut self, notice: Notice) -> Option<(Purpose, Request<Bytes>)> {
        let checked = self.check_method(&notice.method);
        let body = jsonrpc::notification(&notice.method, notice.params.as_ref());
        let envelope = self.envelope(notice.route.target(), None, self.session.id.as_ref());
        let mut request = envelope.post(body);
        let described = if self.binding().stands_alone() {
            request::describe(&mut request, &notice.method)
        } else {
            Ok(())
        };
        let purpose = Purpose::Notification(notice);
        match checked.and(described) {
            Ok(()) => Some((purpose, request)),
            Err(mistake) => {
                let misuse = Misuse::new("notify", Some(self.phase), mistake);
                self.control_failed(&purpose, Error::new(misuse, Delivery::NotSent));
                None
            }
        }
    }

    /// What goes out again does so in its old order.
    pub(super) fn put_back_notice(&mut self, notice: Notice) {
        let later = self.notices.iter().position(|other| other.id > notice.id);
        self.notices
            .insert(later.unwrap_or(self.notices.len()), notice);
        self.want_session(false);
    }

    /// Everything of the application that waits for a session fails.
    pub(super) fn fail_notices(&mut self, error: &Error) {
        for notice in std::mem::take(&mut self.notices) {
            let delivery = if notice.refused || notice.route.is_again() {
                Delivery::Rejected
            } else {
                Delivery::NotSent
            };
            let error = error.clone().with_delivery(delivery);
            self.control_failed(&Purpose::Notification(notice), error);
        }
    }

    /// Notifications of the application that have not ended, or whose end was not
    /// read.
    pub(super) fn open_notifications(&self) -> usize {
        let under_way = self.exchanges.values();
        let under_way = under_way
            .filter(|x| matches!(x.purpose, Purpose::Notification(_)))
            .count();
        let in_doubt = self.in_doubt(|purpose| matches!(purpose, Purpose::Notification(_)));
        let waiting: usize = VecDeque::len(&self.notices);
        let parked = self.parked(|purpose| matches!(purpose, Purpose::Notification(_)));
        [
            waiting,
            parked,
            under_way,
            in_doubt,
            self.events.ended_notifications,
        ]
        .iter()
        .sum()
    }
}
