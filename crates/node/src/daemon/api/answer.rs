//! Answers: an object, a line at a time, or an error.

use crate::daemon::report::ErrorAnswer;
use crate::daemon::request::{Refused, Why};
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body::Frame;
use serde::Serialize;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc::Receiver;

/// An error as it is answered.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    reason: String,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, reason: impl Into<String>) -> ApiError {
        ApiError { status, reason: reason.into() }
    }

    /// One line for people.
    pub(super) fn reason(&self) -> &str {
        &self.reason
    }

    /// Whether it may be otherwise soon.
    pub(super) fn is_temporary(&self) -> bool {
        self.status == StatusCode::SERVICE_UNAVAILABLE
    }

    pub(super) fn busy() -> ApiError {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too many requests at once; try again")
    }

    pub(super) fn stopping() -> ApiError {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "the node is stopping")
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> ApiError {
        let status = match refused.why {
            Why::Wrong => StatusCode::BAD_REQUEST,
            Why::Absent => StatusCode::NOT_FOUND,
            Why::Conflict => StatusCode::CONFLICT,
            Why::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Why::OverQuota => StatusCode::TOO_MANY_REQUESTS,
            Why::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Why::Unanswered => StatusCode::GATEWAY_TIMEOUT,
        };
        ApiError::new(status, refused.reason)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let unauthorized = self.status == StatusCode::UNAUTHORIZED;
        let mut response = object(self.status, &ErrorAnswer { error: self.reason });
        if unauthorized {
            let scheme = header::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

/// An object.
pub(super) fn object(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => (status, [(header::CONTENT_TYPE, "application/json")], bytes).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Objects as they come, one a line, until the sender is gone. Who reads slowly slows the sender.
pub(super) fn lines<T: Serialize + Send + 'static>(objects: Receiver<T>) -> Response {
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::new(Lines(objects))).into_response()
}

/// One server-sent event, as it goes over the wire.
pub(super) struct ServerEvent(Bytes);

impl ServerEvent {
    /// With an object as its data; JSON has no line breaks of its own.
    pub(super) fn new(name: &str, data: &impl Serialize) -> ServerEvent {
        let data = serde_json::to_string(data).unwrap_or_default();
        ServerEvent(Bytes::from(format!("event: {name}\ndata: {data}\n\n")))
    }
}

/// Server-sent events as they come, until the sender is gone. Who reads slowly slows the sender.
pub(super) fn events(events: Receiver<ServerEvent>) -> Response {
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::new(Events(events))).into_response()
}

/// Bytes as they come, until the sender is gone. Who reads slowly slows the sender.
pub(super) fn bytes(parts: Receiver<Bytes>) -> Body {
    Body::new(Parts(parts))
}

struct Parts(Receiver<Bytes>);

impl HttpBody for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|part| Some(Ok(Frame::data(part?))))
    }
}

struct Events(Receiver<ServerEvent>);

impl HttpBody for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|event| Some(Ok(Frame::data(event?.0))))
    }
}

struct Lines<T>(Receiver<T>);

impl<T: Serialize> HttpBody for Lines<T> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|object| {
            let mut line = serde_json::to_vec(&object?).unwrap_or_default();
            line.push(b'\n');
            Some(Ok(Frame::data(line.into())))
        })
    }
}
