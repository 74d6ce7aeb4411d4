//! The node itself: its systems, and one loop over what it is asked and told, until it has left them all.

use super::database;
use super::report::{LeaveStep, NodeStatus};
use super::request::Request;
use super::system::{News, System, Told};
use super::view;
use crate::output::Output;
use serde_json::json;
use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use throng_overlay::discovery;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Notices kept for the status; older ones were said when they came.
const MAX_NOTICES: usize = 20;

/// What a node is made of.
pub(crate) struct Parts {
    pub(crate) systems: Vec<Rc<dyn System>>,
    /// Where its API listens.
    pub(crate) api: SocketAddr,
    /// Its public key in hex.
    pub(crate) key: String,
    pub(crate) incarnation: u32,
    /// How long handing over may take.
    pub(crate) patience: Duration,
    pub(crate) output: Output,
}

/// Where requests and news come from.
pub(crate) struct Inbox {
    pub(crate) requests: mpsc::Receiver<Request>,
    pub(crate) news: mpsc::UnboundedReceiver<Told>,
}

/// How a node ended.
#[derive(Debug)]
pub(crate) struct Ending {
    /// Whether a signal ended it.
    pub(crate) interrupted: bool,
    /// Systems that had not let it go when the time was over.
    pub(crate) abandoned: Vec<String>,
}

/// The running node.
pub(crate) struct Node {
    parts: Parts,
    started: Instant,
    notices: VecDeque<String>,
    leaving: Option<Leaving>,
}

struct Leaving {
    deadline: Instant,
    waiting: BTreeSet<&'static str>,
    listeners: Vec<mpsc::Sender<LeaveStep>>,
    interrupted: bool,
}

impl Node {
    pub(crate) fn new(parts: Parts) -> Node {
        Node { parts, started: Instant::now(), notices: VecDeque::new(), leaving: None }
    }

    /// A line that a person may want to act on, now and in the status.
    pub(crate) fn notice(&mut self, line: String) {
        self.parts.output.note(&line);
        self.parts.output.event("notice", json!({ "notice": line }));
        if self.notices.len() == MAX_NOTICES {
            self.notices.pop_front();
        }
        self.notices.push_back(line);
    }

    /// Serves until it was asked to leave, or `interrupted`, and has left.
    pub(crate) async fn run(mut self, mut inbox: Inbox, interrupted: impl Future<Output = ()>) -> Ending {
        tokio::pin!(interrupted);
        loop {
            let deadline = match &self.leaving {
                Some(leaving) if leaving.waiting.is_empty() => break,
                leaving => leaving.as_ref().map(|leaving| leaving.deadline),
            };
            tokio::select! {
                biased;
                () = &mut interrupted, if deadline.is_none() => self.leave(true),
                Some((name, news)) = inbox.news.recv() => self.on_news(name, news),
                Some(request) = inbox.requests.recv() => self.on_request(request),
                () = sleep_until(deadline) => break,
            }
        }
        self.end().await
    }

    fn on_request(&mut self, request: Request) {
        // Those who asked may have gone.
        match request {
            Request::Status(reply) => _ = reply.send(Ok(self.status())),
            Request::Put(put, reply) => database::put(self.store(), put, reply),
            Request::Get(get, reply) => database::get(self.store(), get, reply),
            Request::Leave(listener) => {
                self.leave(false);
                if let Some(leaving) = &mut self.leaving {
                    let systems = leaving.waiting.iter().map(|name| String::from(*name)).collect();
                    tell(&listener, LeaveStep::Leaving { systems });
                    leaving.listeners.push(listener);
                }
            }
        }
    }

    fn store(&self) -> Result<Rc<dyn System>, &'static str> {
        if self.leaving.is_some() {
            return Err("the node is leaving");
        }
        let store = self.parts.systems.iter().find(|system| system.database().is_some());
        store.cloned().ok_or("this node is in no ring; start it with: throng join --chord")
    }

    fn on_news(&mut self, name: &'static str, news: News) {
        match news {
            News::Discovery(discovery::Event::Joined) => {
                let joined = self.parts.systems.iter().find(|system| system.name() == name);
                if let Some(status) = joined.map(|system| system.status()) {
                    let (line, fields) = view::joined(&status);
                    self.parts.output.print(line);
                    self.parts.output.event("joined", fields);
                }
            }
            News::Discovery(discovery::Event::Left) => self.left(name),
            // Nobody asks for publications and searches yet.
            News::Discovery(_) => {}
            News::Isolated => {
                self.notice(format!("{name}: nobody answers any more; looking for the others again"));
            }
            News::Notice(line) => self.notice(format!("{name}: {line}")),
        }
    }

    fn leave(&mut self, interrupted: bool) {
        if self.leaving.is_some() {
            return;
        }
        let waiting: BTreeSet<_> = self.parts.systems.iter().map(|system| system.name()).collect();
        let deadline = Instant::now() + self.parts.patience;
        self.parts.output.note("leaving: handing over what is held here; Ctrl-C stops at once");
        self.parts.output.event("leaving", json!({}));
        self.leaving = Some(Leaving { deadline, waiting, listeners: Vec::new(), interrupted });
        for system in &self.parts.systems {
            system.command(discovery::Command::Leave);
        }
    }

    fn left(&mut self, name: &'static str) {
        let Some(leaving) = &mut self.leaving else { return };
        if leaving.waiting.remove(name) {
            let system = name.to_owned();
            leaving.listeners.iter().for_each(|to| tell(to, LeaveStep::Left { system: system.clone() }));
            self.parts.output.event("left", json!({ "system": name }));
        }
    }

    async fn end(self) -> Ending {
        for system in &self.parts.systems {
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

    fn status(&self) -> NodeStatus {
        let Parts { systems, api, key, incarnation, .. } = &self.parts;
        NodeStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            api: *api,
            key: key.clone(),
            incarnation: *incarnation,
            uptime_seconds: self.started.elapsed().as_secs(),
            leaving: self.leaving.is_some(),
            notices: self.notices.iter().cloned().collect(),
            systems: systems.iter().map(|system| system.status()).collect(),
        }
    }
}

/// Who reads too slowly for a handful of steps misses one.
fn tell(listener: &mpsc::Sender<LeaveStep>, step: LeaveStep) {
    let _ = listener.try_send(step);
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
