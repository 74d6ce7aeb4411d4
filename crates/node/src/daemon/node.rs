//! The node itself: its systems, and one loop over what it is asked and told, until it has left them all.

mod leaving;
mod requests;

use super::bittorrent;
use super::common::{Common, Happening};
use super::record;
use super::report::NodeStatus;
use super::request::{Reply, Request};
use super::resources::{Change, Resources};
use super::search::{ForTransfer, Searches};
use super::shelf::Shelf;
use super::standing::Standing;
use super::system::{News, Told};
use super::transfers::Transfers;
use super::view;
use crate::cli::ResourceArgs;
use crate::output::Output;
use crate::text;
use leaving::Leaving;
use serde_json::json;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use throng_overlay::discovery;
use throng_runtime::fetch::PlainProof;
use throng_runtime::session::{Session, TorrentHandle};
use throng_wire::metainfo::Metainfo;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Notices kept for the status; older ones were said when they came.
const MAX_NOTICES: usize = 20;

/// What a node is made of.
pub(crate) struct Parts {
    pub(crate) common: Rc<Common>,
    /// Where its API listens.
    pub(crate) api: SocketAddr,
    /// Its public key in hex.
    pub(crate) key: String,
    pub(crate) incarnation: u32,
    /// How long handing over may take.
    pub(crate) patience: Duration,
    pub(crate) output: Output,
    /// What it may use, where its downloads go, and its limits in bytes a second: sending, receiving.
    pub(crate) resources: (ResourceArgs, PathBuf, (Option<u64>, Option<u64>)),
}

/// Where requests and news come from.
pub(crate) struct Inbox {
    pub(crate) requests: mpsc::Receiver<Request>,
    pub(crate) news: mpsc::UnboundedReceiver<Told>,
    pub(crate) happenings: mpsc::UnboundedReceiver<Happening>,
}

/// How a node ended.
#[derive(Debug)]
pub(crate) struct Ending {
    /// Whether a signal ended it.
    pub(crate) interrupted: bool,
    /// Systems that had not let it go when the time was over.
    pub(crate) abandoned: Vec<String>,
}

/// How often torrents are looked at that may rest.
const REST: Duration = Duration::from_secs(1);
/// How often what is waited for is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// The running node.
pub(crate) struct Node {
    parts: Parts,
    shelf: Shelf,
    searches: Searches,
    transfers: Transfers,
    standing: Standing,
    resources: Resources,
    started: Instant,
    notices: VecDeque<String>,
    /// Those who wait for a torrent that is being opened, and until when.
    askers: Vec<Asker>,
    /// When torrents are next looked at that may rest.
    rest_at: Instant,
    leaving: Option<Leaving>,
}

type Asker = (Instant, String, Reply<(Session, TorrentHandle)>);

impl Node {
    pub(crate) fn new(parts: Parts) -> Node {
        let common = &parts.common;
        let (shelf, searches) = (Shelf::new(Rc::clone(common)), Searches::new(Rc::clone(common)));
        let mut transfers = Transfers::new(Rc::clone(common));
        transfers.restore();
        common.library.begin();
        let standing = Standing::new(Rc::clone(common));
        let (args, folder, rates) = parts.resources.clone();
        let resources = Resources::new(args, folder, rates);
        let (started, notices) = (Instant::now(), VecDeque::new());
        let (askers, rest_at, leaving) = (Vec::new(), started, None);
        Node {
            parts,
            shelf,
            searches,
            transfers,
            standing,
            resources,
            started,
            notices,
            askers,
            rest_at,
            leaving,
        }
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
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let deadline = match &self.leaving {
                Some(leaving) if leaving.waiting.is_empty() => break,
                leaving => leaving.as_ref().map(|leaving| leaving.deadline),
            };
            tokio::select! {
                biased;
                () = &mut interrupted, if deadline.is_none() => self.leave(true),
                Some((name, news)) = inbox.news.recv() => {
                    self.on_news(name, news);
                    self.end_searches();
                }
                Some(request) = inbox.requests.recv() => self.on_request(request),
                Some(happening) = inbox.happenings.recv() => {
                    self.on_happening(happening);
                    self.end_searches();
                }
                () = sleep_until(deadline) => break,
                _ = looks.tick() => self.look(),
            }
        }
        self.end().await
    }

    fn on_happening(&mut self, happening: Happening) {
        let shelf = &self.shelf;
        match happening {
            Happening::Library(told) => {
                let transfers = &self.transfers;
                let lines = self.shelf.on_told(told, |publication| transfers.torrent_of(publication));
                lines.into_iter().for_each(|line| self.notice(line));
            }
            Happening::Seeded { id, result } => {
                let line = self.shelf.on_seeded(id, result);
                line.into_iter().for_each(|line| self.notice(line));
                self.answer_askers();
            }
            Happening::Signed { hit, records } => {
                self.searches.on_signed(&hit, &records, |item| shelf.has(item));
            }
            Happening::Probed { hit, source, live } => {
                self.searches.on_probed(&hit, (source, live), |item| shelf.has(item));
            }
            Happening::Linked { hit, source, live, link } => {
                self.searches.on_linked(&hit, (source, live, link.as_deref()), |item| shelf.has(item));
            }
            Happening::Holders { transfer, item, sources } => {
                for source in sources {
                    self.transfers.on_found(&transfer, &item, source);
                }
            }
            Happening::Resolved { transfer, link } => self.transfers.on_resolved(&transfer, link),
            Happening::Tree { transfer, level } => self.transfers.on_tree(&transfer, level),
            Happening::Parts { transfer, parts, path, others } => {
                self.transfers.on_parts(&transfer, parts, (path, others));
            }
            Happening::Whole { transfer, proof, path } => self.on_whole(&transfer, proof, path),
            Happening::Opened { transfer, result } => {
                if let Some((item, torrent)) = self.transfers.item(&transfer).zip(result.as_ref().ok()) {
                    self.shelf.lend(item, Some(torrent));
                }
                let line = self.transfers.on_opened(&transfer, result);
                line.into_iter().for_each(|line| self.notice(line));
                self.answer_askers();
            }
            Happening::Shelved { id, item, torrent, rests } => {
                self.shelf.on_rested(id, &item, (&torrent, rests));
            }
            Happening::Rested { transfer, item, torrent, rests } => {
                if self.transfers.on_rested(&transfer, &item, (&torrent, rests)) {
                    self.shelf.lend(&item, None);
                }
            }
            Happening::Finished { transfer, metainfo } => self.on_fetched(&transfer, metainfo),
        }
    }

    /// What was fetched is shared onward.
    fn on_fetched(&mut self, transfer: &str, metainfo: Option<Arc<Metainfo>>) {
        let Some((new, name, folder)) = self.transfers.on_finished(transfer, metainfo.as_deref()) else {
            return;
        };
        if new {
            let (name, folder) = (text::line(&name), text::path(&folder));
            self.parts.output.print(format_args!("fetched {name} into {folder}"));
            self.parts.output.event("fetched", json!({ "id": transfer, "name": name, "folder": folder }));
            if let Some(metainfo) = metainfo {
                self.shelf.adopt(metainfo, Path::new(&folder));
            }
        }
    }

    /// A file without a torrent was fetched: shared onward if it is known to be right.
    fn on_whole(&mut self, transfer: &str, proof: PlainProof, path: PathBuf) {
        let Some(name) = self.transfers.on_whole(transfer, proof, &path) else { return };
        let (name, shown) = (text::line(&name), text::path(&path));
        self.parts.output.print(format_args!("fetched {name}: {shown}"));
        self.parts.output.event("fetched", json!({ "id": transfer, "name": name, "path": shown }));
        if matches!(proof, PlainProof::TigerTree | PlainProof::Sha1) {
            self.shelf.share(path);
        }
    }

    /// Ends what waited long enough, and tells those who wait what is new.
    fn look(&mut self) {
        if self.shelf.is_waited_for() {
            self.shelf.tell();
        }
        self.end_searches();
        self.look_at_resources();
        if !self.parts.common.joined.borrow().is_empty()
            && let Some((id, words, systems)) = self.standing.due()
        {
            self.searches.begin_standing(id, words, systems);
        }
        self.answer_askers();
        let now = Instant::now();
        if now >= self.rest_at {
            self.rest_at = now + REST;
            self.shelf.rest();
            self.transfers.rest();
        }
        self.transfers.give_up_torrents();
        for (transfer, title, item) in self.transfers.want_sources() {
            record::who_has(&self.parts.common, &transfer, item);
            self.searches.begin_for(&transfer, &title);
        }
    }

    fn end_searches(&mut self) {
        if self.searches.is_waited_for() {
            self.searches.sweep();
        }
        for (search, hit) in self.searches.take_standing() {
            let line = self.standing.on_hit(&search, hit);
            line.into_iter().for_each(|line| self.notice(line));
        }
    }

    fn look_at_resources(&mut self) {
        let Change { rates, held } = self.resources.look();
        if let Some((upload, download)) = rates {
            self.parts.common.bittorrent.session().set_limits(upload, download);
        }
        if let Some(held) = held {
            self.transfers.hold(held.is_some());
            self.notice(
                held.map_or("downloads go on".into(), |reason| format!("downloads are held: {reason}")),
            );
        }
    }

    fn on_news(&mut self, name: &'static str, news: News) {
        match news {
            News::Discovery(discovery::Event::Joined) => {
                let joined = self.parts.common.systems.iter().find(|system| system.name() == name);
                // BitTorrent is ready from the start: that is no news.
                let joined = joined.filter(|_| name != bittorrent::NAME);
                if let Some(status) = joined.map(|system| system.status()) {
                    let (line, fields) = view::joined(&status);
                    self.parts.output.print(line);
                    self.parts.output.event("joined", fields);
                }
                if self.parts.common.joined.borrow_mut().insert(name) {
                    self.shelf.on_joined(name);
                    self.transfers.use_waiting(name);
                }
            }
            News::Discovery(discovery::Event::Left) => self.left(name),
            News::Discovery(discovery::Event::Published { ticket, at, of }) => {
                self.shelf.on_published(name, ticket, at, of);
            }
            News::Discovery(discovery::Event::Found { ticket, item, source }) => {
                let shelf = &self.shelf;
                let found = self.searches.on_found(name, (ticket, item, source), |item| shelf.has(item));
                if let Some(ForTransfer { transfer, item, source }) = found {
                    self.transfers.on_found(&transfer, &item, source);
                }
            }
            News::Discovery(discovery::Event::Finished(ticket)) => {
                self.searches.on_finished(name, ticket, None);
            }
            News::Discovery(discovery::Event::Refused(ticket, refusal)) => {
                self.searches.on_finished(name, ticket, Some(refusal));
            }
            News::Isolated => {
                self.notice(format!("{name}: nobody answers any more; looking for the others again"));
            }
            News::Notice(line) => self.notice(format!("{name}: {line}")),
            News::Called(swarm) => {
                if !self.transfers.on_called(&swarm) {
                    self.shelf.on_called(&swarm);
                }
            }
        }
    }

    fn status(&self) -> NodeStatus {
        let Parts { common, api, key, incarnation, .. } = &self.parts;
        NodeStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            api: *api,
            key: key.clone(),
            incarnation: *incarnation,
            uptime_seconds: self.started.elapsed().as_secs(),
            leaving: self.leaving.is_some(),
            notices: self.notices.iter().cloned().collect(),
            systems: common.systems.iter().map(|system| system.status()).collect(),
        }
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
