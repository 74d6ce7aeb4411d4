//! How a torrent comes into the session: its storage is opened and checked by workers, and then the swarm is told.

use super::content::{Content, Progress, Stage};
use super::glue::Glue;
use super::open::{Opened, Plan};
use super::request::{AddRequest, Note, Source};
use super::snapshot::Snapshot;
use super::sources::Sources;
use std::ops::Range;
use std::sync::Arc;
use throng_machine::{ContentId, Endpoint};
use throng_swarm::{AddTorrent, Command, PeerSource};
use throng_wire::magnet::PeerAddress;
use throng_wire::metainfo::{Info, Metainfo};
use tokio::net::lookup_host;
use tokio::sync::{oneshot, watch};
use tokio::task::spawn_local;

impl Glue {
    pub(super) fn on_add(
        &mut self,
        request: AddRequest,
        publish: watch::Sender<Snapshot>,
        reply: oneshot::Sender<Result<ContentId, String>>,
        commands: &mut Vec<Command>,
    ) {
        let content = ContentId(self.next);
        self.next = self.next.wrapping_add(1);
        let plan = Plan::of(&request);
        let (add, peers, name) = self.describe(content, &request);
        let metainfo = add.metainfo.clone();
        let mut of = Content {
            stage: Stage::Metadata,
            plan,
            add: None,
            storage: None,
            wanted: None,
            waiting_peers: Vec::new(),
            waiting_readers: Vec::new(),
            sources: Sources::default(),
            progress: Arc::new(Progress::default()),
            trouble: None,
            stopped: request.options.paused,
            unsaved: false,
            saving: false,
            recheck: None,
            snapshot: Snapshot { name, ..Snapshot::default() },
            publish,
        };
        match metainfo {
            Some(metainfo) => {
                of.add = Some(Box::new(add));
                of.stage = Stage::Opening(Some(reply));
                self.open(content, &of, metainfo);
            }
            None => {
                commands.push(Command::Add(Box::new(add)));
                let _ = reply.send(Ok(content));
            }
        }
        self.contents.insert(content, of);
        self.add_peers(content, (PeerSource::Manual, peers), commands);
        self.news.insert(content);
    }

    /// What the swarm is to be told of a torrent, the addresses to try, and a name for it.
    fn describe(&mut self, content: ContentId, request: &AddRequest) -> (AddTorrent, Vec<Endpoint>, String) {
        let mut options = request.options.clone();
        let mut peers: Vec<Endpoint> = request.peers.iter().copied().map(Endpoint::from).collect();
        let own = request.trackers.iter().map(|url| vec![url.clone()]);
        let mut add = AddTorrent {
            content,
            info_hashes: Vec::new(),
            info_hash_v2: None,
            metainfo: None,
            have: Vec::new(),
            trackers: own.collect(),
            options: options.clone(),
        };
        let name = match &request.source {
            Source::Metainfo(metainfo) => {
                options.private |= metainfo.info.is_private();
                add.info_hashes = metainfo.info.swarms().map(|swarm| swarm.0).collect();
                add.info_hash_v2 = metainfo.info.hash_v2().map(|hash| hash.0);
                add.trackers.extend(metainfo.trackers.iter().cloned());
                add.metainfo = Some(metainfo.clone());
                String::from_utf8_lossy(metainfo.info.name()).into_owned()
            }
            Source::Magnet(magnet) => {
                add.info_hashes = magnet.swarms().map(|swarm| swarm.0).collect();
                add.info_hash_v2 = magnet.v2.map(|hash| hash.0);
                add.trackers.extend(magnet.trackers.iter().map(|url| vec![url.clone()]));
                for peer in &magnet.peers {
                    match peer {
                        PeerAddress::Socket(address) => peers.push(Endpoint::from(*address)),
                        PeerAddress::Host(host, port) => self.resolve(content, host.clone(), *port),
                    }
                }
                magnet.name.clone().unwrap_or_default()
            }
        };
        add.options = options;
        (add, peers, name)
    }

    fn resolve(&self, content: ContentId, host: String, port: u16) {
        let notes = self.notes.clone();
        spawn_local(async move {
            if let Ok(found) = lookup_host((host.as_str(), port)).await {
                let _ = notes.send(Note::Resolved(content, found.map(Endpoint::from).collect()));
            }
        });
    }

    pub(super) fn add_peers(
        &mut self,
        content: ContentId,
        (source, peers): (PeerSource, Vec<Endpoint>),
        commands: &mut Vec<Command>,
    ) {
        let Some(of) = self.contents.get_mut(&content) else { return };
        if peers.is_empty() {
            return;
        }
        if of.add.is_some() {
            of.waiting_peers.extend(peers.into_iter().map(|peer| (source, peer)));
        } else {
            commands.push(Command::AddPeers(content, source, peers));
        }
    }

    /// What readers wait for is fetched first, now or as soon as the swarm knows the torrent.
    pub(super) fn prioritise(
        &mut self,
        content: ContentId,
        runs: Vec<Range<u32>>,
        commands: &mut Vec<Command>,
    ) {
        match self.contents.get_mut(&content) {
            Some(of) if of.add.is_some() => of.waiting_readers = runs,
            _ => commands.push(Command::Prioritise(content, runs)),
        }
    }

    fn open(&self, content: ContentId, of: &Content, metainfo: Arc<Metainfo>) {
        let (plan, progress) = (of.plan.clone(), of.progress.clone());
        let (journal, notes) = (self.journal.clone(), self.notes.clone());
        self.assembly
            .workers()
            .spawn(move || plan.carry_out(content, metainfo, (&progress, &journal), &notes));
    }

    pub(super) fn on_opened(&mut self, content: ContentId, opened: Result<Opened, String>) {
        let Some(of) = self.contents.get_mut(&content) else { return };
        self.news.insert(content);
        match opened {
            Ok(opened) => {
                of.storage = Some(opened.storage);
                of.wanted = opened.wanted;
                opened.notices.into_iter().for_each(|text| of.snapshot.notice(text));
                if let Stage::Opening(Some(reply)) = std::mem::replace(&mut of.stage, Stage::Checking) {
                    let _ = reply.send(Ok(content));
                }
            }
            Err(reason) => of.fail(reason),
        }
    }

    /// What is stored is known: the swarm may begin, or go on if it had only the metadata to fetch.
    pub(super) fn on_checked(&mut self, content: ContentId, commands: &mut Vec<Command>) {
        let Some(of) = self.contents.get_mut(&content) else { return };
        let Some(storage) = &of.storage else { return };
        let have = storage.stored().to_bytes();
        self.assembly.add(content, storage.clone());
        match of.add.take() {
            Some(mut add) => {
                add.have = have;
                add.options.paused = of.stopped;
                commands.push(Command::Add(add));
            }
            None => commands.push(Command::SetMetainfo(content, storage.metainfo().clone(), have)),
        }
        if let Some(wanted) = of.wanted.clone() {
            commands.push(Command::SetWanted(content, wanted));
        }
        of.stage = Stage::Running;
        self.news.insert(content);
        let runs = std::mem::take(&mut of.waiting_readers);
        if !runs.is_empty() {
            commands.push(Command::Prioritise(content, runs));
        }
        let waiting = std::mem::take(&mut of.waiting_peers);
        for (source, peer) in waiting {
            self.add_peers(content, (source, vec![peer]), commands);
        }
        self.begin_sources(content, commands);
    }

    pub(super) fn on_metadata(&mut self, content: ContentId, info: &[u8]) {
        let Some(of) = self.contents.get_mut(&content) else { return };
        self.news.insert(content);
        match Info::parse(info) {
            Ok(info) => {
                of.snapshot.name = String::from_utf8_lossy(info.name()).into_owned();
                of.stage = Stage::Opening(None);
                let of = &self.contents[&content];
                self.open(content, of, Arc::new(Metainfo::new(info)));
            }
            Err(error) => of.fail(format!("the torrent that peers sent is not usable: {error}")),
        }
    }
}
