//! The HTTP API: JSON over HTTP/1.1, on loopback unless told otherwise.
//!
//! Every request needs the token of `node.json` as `Authorization: Bearer …`, or the cookie that a browser was given
//! for it ([`login`]); before that is looked at, Host and Origin must be ours ([`guard`]). Only the page itself, which
//! says nothing of this node, is given to all ([`page`]). Answers are objects; an error is `{"error": "one line"}` with a
//! fitting status; what comes bit by bit is one object a line (`application/x-ndjson`) or server-sent events. Paths carry
//! the version: `/api/v1/…`; `openapi.json` describes them.

mod answer;
mod auth;
mod content;
mod events;
mod guard;
mod login;
mod openapi;
mod page;
mod routes;
mod serve;
#[cfg(test)]
mod tests;

pub(crate) use serve::Server;

use super::request::{Reply, Request};
use answer::ApiError;
use auth::Keys;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// What every handler has.
#[derive(Clone)]
pub(crate) struct Shared {
    requests: mpsc::Sender<Request>,
    keys: Arc<Keys>,
}

impl Shared {
    /// Answers through this queue those who know this token.
    pub(crate) fn new(requests: mpsc::Sender<Request>, token: &str) -> Shared {
        Shared { requests, keys: Arc::new(Keys::new(token)) }
    }

    /// Asks the node and waits for its answer.
    async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, ApiError> {
        let (reply, answer) = oneshot::channel();
        self.send(request(reply))?;
        match answer.await {
            Ok(answer) => answer.map_err(ApiError::from),
            Err(_) => Err(ApiError::stopping()),
        }
    }

    fn send(&self, request: Request) -> Result<(), ApiError> {
        self.requests.try_send(request).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => ApiError::busy(),
            mpsc::error::TrySendError::Closed(_) => ApiError::stopping(),
        })
    }
}
