//! What changes, as it changes: server-sent events for the page (WHATWG HTML, section 9.2).
//!
//! `status` is a whole [`NodeStatus`], at first and whenever something besides the time has changed, at most once a second;
//! `transfers` says which have changed ([`Known`]).

use super::Shared;
use super::answer::{self, ApiError, ServerEvent};
use super::differences::Known;
use crate::daemon::report::{NodeStatus, PageRequest};
use crate::daemon::request::Request;
use axum::extract::State;
use axum::response::Response;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::sync::mpsc::Sender;

/// How often it is looked whether something has changed.
const LOOK: Duration = Duration::from_secs(1);
/// Unchanged for so many looks, it is told all the same: the page shows how long the node runs, and that it does.
const QUIET: u32 = 10;

/// Ends with the node, or when nobody reads any more.
pub(super) async fn events(State(shared): State<Shared>) -> Result<Response, ApiError> {
    let first = shared.ask(Request::Status).await?;
    let (tell, told) = mpsc::channel(4);
    tokio::spawn(watch(shared, first, tell));
    Ok(answer::events(told))
}

async fn watch(shared: Shared, first: NodeStatus, tell: Sender<ServerEvent>) {
    let mut statuses = Statuses::default();
    let mut transfers = Transfers::default();
    let mut next = Ok(first);
    while let Ok(status) = next {
        let told = match statuses.changed(&status) {
            Some(event) => tell.send(event).await.is_ok(),
            None => true,
        };
        if !told || !transfers.tell(&shared, &tell).await {
            return;
        }
        tokio::select! {
            () = tell.closed() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        next = shared.ask(Request::Status).await;
    }
}

/// What was told of transfers.
#[derive(Default)]
struct Transfers {
    at: Option<u64>,
    known: Known,
}

impl Transfers {
    /// Tells what has changed; false once nobody reads any more.
    async fn tell(&mut self, shared: &Shared, tell: &Sender<ServerEvent>) -> bool {
        let at = self.at;
        // A node that is busy is asked again in a second.
        let Ok(changes) = shared.ask(|reply| Request::Changes(at, reply)).await else { return true };
        if changes.anew && !self.tell_all(shared, tell).await {
            return false;
        }
        self.at = Some(changes.at);
        for changes in self.known.changes(changes.transfers, changes.removed) {
            if tell.send(ServerEvent::new("transfers", &changes)).await.is_err() {
                return false;
            }
        }
        true
    }

    /// All of them, part by part; what changes meanwhile is told afterwards.
    async fn tell_all(&mut self, shared: &Shared, tell: &Sender<ServerEvent>) -> bool {
        let (mut page, mut reset) = (PageRequest::default(), true);
        loop {
            let asked = page.clone();
            let Ok(part) = shared.ask(|reply| Request::Transfers(asked, reply)).await else { return false };
            let changes = self.known.part(part.transfers, std::mem::take(&mut reset));
            if tell.send(ServerEvent::new("transfers", &changes)).await.is_err() {
                return false;
            }
            match part.next {
                Some(next) => page.after = Some(next),
                None => return true,
            }
        }
    }
}

/// What was told last.
#[derive(Default)]
struct Statuses {
    last: Vec<u8>,
    quiet: u32,
}

impl Statuses {
    fn changed(&mut self, status: &NodeStatus) -> Option<ServerEvent> {
        let timeless = NodeStatus { uptime_seconds: 0, ..status.clone() };
        let seen = serde_json::to_vec(&timeless).unwrap_or_default();
        self.quiet += 1;
        if seen == self.last && self.quiet < QUIET {
            return None;
        }
        (self.last, self.quiet) = (seen, 0);
        Some(ServerEvent::new("status", status))
    }
}
