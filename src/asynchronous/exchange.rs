//! One exchange, from the request to the last byte of its answer.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::ExchangeId;
use crate::adapter::Shared;
use crate::error::Failure;

/// How many steps are taken before others get their turn: a body may have bytes for
/// ever.
const STEPS: usize = 32;

pin_project! {
    /// Reports to the machine as it goes, and reads only while the machine wants to.
    pub(super) struct Exchange<S, B, F, R> {
        id: ExchangeId,
        shared: Arc<Shared>,
        service: S,
        request: Option<Request<Bytes>>,
        body: PhantomData<fn(B)>,
        #[pin]
        stage: Stage<F, R>,
    }
}

pin_project! {
    #[project = Staged]
    enum Stage<F, R> {
        Connecting,
        Waiting { #[pin] head: F },
        Reading { #[pin] body: R },
    }
}

impl<S, B, F, R> Exchange<S, B, F, R> {
    pub(super) fn new(
        id: ExchangeId,
        request: Request<Bytes>,
        service: S,
        shared: Arc<Shared>,
    ) -> Self {
        let request = Some(request);
        Self {
            id,
            shared,
            service,
            request,
            body: PhantomData,
            stage: Stage::Connecting,
        }
    }
}

impl<S, B, R> Future for Exchange<S, B, S::Future, R>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<Failure>,
    B: From<Bytes>,
    R: Body,
    R::Error: std::fmt::Display,
{
    type Output = ExchangeId;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ExchangeId> {
        let mut this = self.project();
        let id = *this.id;
        for _ in 0..STEPS {
            match this.stage.as_mut().project() {
                Staged::Connecting => {
                    if let Err(error) = ready!(this.service.poll_ready(cx)) {
                        this.shared.failed(id, error.into());
                        return Poll::Ready(id);
                    }
                    let Some(request) = this.request.take() else {
                        return Poll::Ready(id);
                    };
                    let head = this.service.call(request.map(B::from));
                    this.stage.set(Stage::Waiting { head });
                }
                Staged::Waiting { head } => match ready!(head.poll(cx)) {
                    Ok(response) => {
                        let (head, body) = response.into_parts();
                        this.shared.report(|connection, now| {
                            connection.handle_head(id, head.status, &head.headers, now)
                        });
                        this.stage.set(Stage::Reading { body });
                    }
                    Err(error) => {
                        this.shared.failed(id, error.into());
                        return Poll::Ready(id);
                    }
                },
                Staged::Reading { body } => {
                    if !this.shared.wants_read(id, cx) {
                        return Poll::Pending;
                    }
                    let next = if body.is_end_stream() {
                        None
                    } else {
                        ready!(body.poll_frame(cx))
                    };
                    match next {
                        Some(Ok(frame)) => {
                            // Trailers say nothing here.
                            if let Ok(mut data) = frame.into_data() {
                                let chunk = data.copy_to_bytes(data.remaining());
                                this.shared.report(|connection, now| {
                                    connection.handle_body(id, chunk, now)
                                });
                            }
                        }
                        Some(Err(error)) => {
                            this.shared.failed(id, Failure::broken(error.to_string()));
                            return Poll::Ready(id);
                        }
                        None => {
                            this.shared
                                .report(|connection, now| connection.handle_end(id, now));
                            return Poll::Ready(id);
                        }
                    }
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
