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
mod differences;
mod events;
mod files;
mod gateway;
mod guard;
mod inspect;
mod login;
mod openapi;
mod page;
mod routes;
mod serve;
mod sites;
#[cfg(test)]
mod tests;
mod transmission;

pub(crate) use serve::Server;

use super::report::{PageRequest, TransferReport};
use super::request::{Reply, Request};
use answer::ApiError;
use auth::Keys;
use gateway::Sites;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use transmission::Remote;

/// What every handler has.
#[derive(Clone)]
pub(crate) struct Shared {
    requests: mpsc::Sender<Request>,
    keys: Arc<Keys>,
    remote: Arc<Remote>,
    sites: Arc<Sites>,
    /// Where sites of others are kept.
    home: Arc<str>,
    /// Where downloads go unless it is said.
    downloads: Arc<str>,
}

impl Shared {
    /// Answers through this queue those who know this token.
    pub(crate) fn new(requests: mpsc::Sender<Request>, token: &str) -> Shared {
        let (keys, remote) = (Arc::new(Keys::new(token)), Arc::new(Remote::new(token)));
        Shared { requests, keys, remote, sites: Arc::default(), home: "".into(), downloads: "".into() }
    }

    /// What is fetched without a folder goes into `downloads`, sites of others into `home`; both are absolute.
    pub(crate) fn with_folders(self, home: &str, downloads: &str) -> Shared {
        Shared { home: home.into(), downloads: downloads.into(), ..self }
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

    /// All transfers, the newest first; asked for part by part, so that the node does other things between.
    async fn all_transfers(&self) -> Result<Vec<TransferReport>, ApiError> {
        // Each part costs a look at all of them: as few as there may be.
        let limit = Some(usize::MAX);
        let (mut all, mut page) = (Vec::new(), PageRequest { after: None, limit });
        loop {
            let part = self.ask(|reply| Request::Transfers(page, reply)).await?;
            all.extend(part.transfers);
            match part.next {
                Some(next) => page = PageRequest { after: Some(next), limit },
                None => return Ok(all),
            }
        }
    }

    fn send(&self, request: Request) -> Result<(), ApiError> {
        self.requests.try_send(request).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => ApiError::busy(),
            mpsc::error::TrySendError::Closed(_) => ApiError::stopping(),
        })
    }
}
