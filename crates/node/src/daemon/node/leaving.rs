//! How the node leaves what it has joined, and ends.

use super::{Ending, Node};
use crate::daemon::notify;
use crate::daemon::report::LeaveStep;
use serde_json::json;
use std::collections::BTreeSet;
use throng_overlay::discovery;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// A node that leaves.
pub(super) struct Leaving {
    pub(super) deadline: Instant,
    pub(super) waiting: BTreeSet<&'static str>,
    pub(super) listeners: Vec<mpsc::Sender<LeaveStep>>,
    interrupted: bool,
}

impl Node {
    pub(super) fn leave(&mut self, interrupted: bool) {
        if self.leaving.is_some() {
            return;
        }
        let waiting: BTreeSet<_> = self.parts.common.systems.iter().map(|system| system.name()).collect();
        let deadline = Instant::now() + self.parts.patience;
        self.parts.output.note("leaving: handing over what is held here; Ctrl-C stops at once");
        self.parts.output.event("leaving", json!({}));
        notify::stopping();
        self.leaving = Some(Leaving { deadline, waiting, listeners: Vec::new(), interrupted });
        for system in &self.parts.common.systems {
            system.command(discovery::Command::Leave);
        }
    }

    pub(super) fn left(&mut self, name: &'static str) {
        self.parts.common.joined.borrow_mut().remove(name);
        let Some(leaving) = &mut self.leaving else { return };
        if leaving.waiting.remove(name) {
            let system = name.to_owned();
            leaving.listeners.iter().for_each(|to| tell(to, LeaveStep::Left { system: system.clone() }));
            self.parts.output.event("left", json!({ "system": name }));
        }
    }

    pub(super) async fn end(self) -> Ending {
        self.parts.common.library.close();
        for system in &self.parts.common.systems {
            system.close().await;
        }
        let leaving = self.leaving.as_ref();
        let abandoned: Vec<String> = leaving
            .map(|leaving| leaving.waiting.iter().map(|name| String::from(*name)).collect())
            .unwrap_or_default();
        for listener in leaving.iter().flat_map(|leaving| &leaving.listeners) {
            tell(listener, LeaveStep::Stopped { abandoned: abandoned.clone() });
        }
        Ending { interrupted: leaving.is_some_and(|leaving| leaving.interrupted), abandoned }
    }
}

/// Who reads too slowly for a handful of steps misses one.
pub(super) fn tell(listener: &mpsc::Sender<LeaveStep>, step: LeaveStep) {
    let _ = listener.try_send(step);
}
