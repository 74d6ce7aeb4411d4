//! What changes, as it changes: server-sent events for the page (WHATWG HTML, section 9.2).
//!
//! `status` is a whole [`NodeStatus`], at first and whenever something besides the time has changed, at most once a second;
//! `transfers` says which have changed ([`Known`]).

use super::Shared;
use super::answer::{self, ApiError, ServerEvent};
use super::differences::Known;
use crate::daemon::report::NodeStatus;
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
    let mut transfers = Known::default();
    let mut next = Ok(first);
    while let Ok(status) = next {
        let mut events = Vec::from_iter(statuses.changed(&status));
        if let Ok(report) = shared.ask(Request::Transfers).await {
            let changes = transfers.changes(report.transfers);
            events.extend(changes.iter().map(|changes| ServerEvent::new("transfers", changes)));
        }
        for event in events {
            if tell.send(event).await.is_err() {
                return;
            }
        }
        tokio::select! {
            () = tell.closed() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        next = shared.ask(Request::Status).await;
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
