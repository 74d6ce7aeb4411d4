//! Between the swarm and the world: its events become work for workers and trackers, what comes of that its commands.

use super::content::{Content, Stage};
use super::journal::Journal;
use super::request::Note;
use super::sources::Web;
use crate::hashing::{Assembly, Completion, Outcome};
use crate::net::{Application, Read};
use crate::storage::Storage;
use crate::trackers::Trackers;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use throng_machine::{ContentId, Endpoint, Extent};
use throng_swarm::{AnnounceRequest, BanReason, Command, Event, PeerSource, Swarm};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;
use tokio::task::spawn_local;

/// The application of the session's driver.
pub(super) struct Glue {
    pub(super) contents: BTreeMap<ContentId, Content>,
    pub(super) assembly: Assembly,
    /// Announces under way.
    pub(super) announcing: usize,
    /// Something happened to these that a person should see at once.
    pub(super) news: BTreeSet<ContentId>,
    /// Those of which something may change by itself; of all others nothing has since they were last published.
    pub(super) awake: BTreeSet<ContentId>,
    pub(super) journal: Arc<Journal>,
    trackers: Trackers,
    pub(super) web: Web,
    pub(super) notes: UnboundedSender<Note>,
    /// Told which of the swarms listened for somebody has called.
    pub(super) calls: Option<UnboundedSender<[u8; 20]>>,
    pub(super) next: u32,
}

impl Application for Glue {
    type Machine = Swarm;

    fn on_event(&mut self, event: Event, _: &mut Vec<Command>) {
        self.awake.extend(about(&event));
        match event {
            // An error means that the torrent was removed meanwhile.
            Event::PieceComplete(content, piece) => _ = self.assembly.complete(content, piece),
            Event::DropPiece(content, piece) => self.assembly.drop_piece(content, piece),
            Event::Metadata(content, info) => self.on_metadata(content, &info),
            Event::PieceLayer(content, root, layer) => self.on_piece_layer(content, root, &layer),
            Event::LeafHashesWanted(content, piece) => self.on_leaf_hashes_wanted(content, piece),
            Event::Finished(content) => _ = self.news.insert(content),
            Event::Announce(request) => self.on_announce(*request),
            Event::Fetch { content, source, offset, len } => {
                self.on_fetch(content, source, offset..offset + len)
            }
            Event::FetchLess { content, source, end } => self.on_fetch_less(content, source, end),
            Event::SourceShutOut { content, source } => self.on_source_shut_out(content, source),
            Event::PeerJoined(..) | Event::PeerLeft(..) | Event::Stopped => {}
            // If nobody can open it any more, who called is turned away in time.
            Event::Called(swarm) => _ = self.calls.as_ref().map(|calls| calls.send(swarm)),
            Event::Banned { content, peer, client, reason } => {
                self.notice(content, banned(peer, &client, reason));
            }
        }
    }

    fn place(&mut self, extent: Extent, bytes: &[u8]) {
        // An error means that the torrent was removed meanwhile.
        let _ = self.assembly.place(extent, bytes);
    }

    fn read_now(&mut self, extent: Extent, into: &mut [u8]) -> Read {
        match self.assembly.storage(extent.content) {
            Some(storage) if storage.read_cached(extent.offset, into) => Read::Done,
            Some(_) => Read::Later,
            None => Read::Failed,
        }
    }

    fn read_later(&mut self, extent: Extent) -> oneshot::Receiver<Option<Bytes>> {
        let (answer, receiver) = oneshot::channel();
        let Some(storage) = self.assembly.storage(extent.content).cloned() else { return receiver };
        let notes = self.notes.clone();
        self.assembly.workers().spawn(move || {
            let mut bytes = vec![0; extent.len as usize];
            let read = storage.read(extent.offset, &mut bytes);
            let _ = answer.send(read.is_ok().then(|| Bytes::from(bytes)));
            if let Err(error) = read {
                let _ = notes.send(Note::Unreadable(extent, error));
            }
        });
        receiver
    }
}

impl Glue {
    pub(super) fn new(
        (assembly, journal): (Assembly, Journal),
        (trackers, web): (Trackers, Web),
        notes: UnboundedSender<Note>,
    ) -> Glue {
        let (contents, journal) = (BTreeMap::new(), Arc::new(journal));
        let (news, awake) = (BTreeSet::new(), BTreeSet::new());
        let calls = None;
        Glue { contents, assembly, announcing: 0, news, awake, journal, trackers, web, notes, calls, next: 0 }
    }

    /// Handles what was said to the thread, except what needs the machine.
    pub(super) fn on_note(&mut self, note: Note, commands: &mut Vec<Command>) {
        self.awake.extend(note.content());
        match note {
            Note::Add(request, publish, reply) => self.on_add(*request, publish, reply, commands),
            Note::Remove(content) => {
                self.close(content);
                commands.push(Command::Remove(content));
            }
            Note::Await(swarms) => commands.push(Command::Await(swarms)),
            Note::Forget(swarms) => commands.push(Command::Forget(swarms)),
            Note::Run(content, run) => {
                if let Some(of) = self.contents.get_mut(&content) {
                    of.stopped = !run;
                    commands.push(Command::Run(content, run));
                }
            }
            Note::AddPeers(content, peers) => {
                let peers = peers.into_iter().map(Endpoint::from).collect();
                self.add_peers(content, (PeerSource::Manual, peers), commands);
            }
            Note::AddFoundPeers(content, peers) => {
                let peers = peers.into_iter().map(Endpoint::from).collect();
                self.add_peers(content, (PeerSource::Overlay, peers), commands);
            }
            Note::Metainfo(content, reply) => {
                let of = self.contents.get(&content);
                let metainfo = of.and_then(|of| of.storage.as_ref()).map(|storage| storage.whole_metainfo());
                let _ = reply.send(metainfo);
            }
            Note::Resolved(content, peers) => {
                self.add_peers(content, (PeerSource::Manual, peers), commands);
            }
            Note::SetLimits { upload, download } => commands.push(Command::SetLimits { upload, download }),
            Note::Opened(content, opened) => self.on_opened(content, opened),
            Note::Checked(content) => self.on_checked(content, commands),
            Note::Trouble(content, text) => self.notice_once(content, text),
            Note::Saved(content, saved) => {
                if let Some(of) = self.contents.get_mut(&content) {
                    of.saving = false;
                    of.unsaved |= !saved;
                }
            }
            Note::Verify(content) => self.on_verify(content),
            Note::Reverified(content, lost) => self.on_reverified(content, &lost, commands),
            Note::Prioritise(content, runs) => self.prioritise(content, runs, commands),
            // Who asked may have gone.
            Note::Storage(content, reply) => {
                _ = reply.send(self.contents.get(&content).and_then(|of| of.storage.clone()));
            }
            Note::Hashed => self.on_hashed(commands),
            Note::Unreadable(extent, error) => self.on_unreadable(extent, &error, commands),
            Note::Probed(content, result) => self.on_probed(content, result, commands),
            Note::Leaves(content, piece, leaves) => {
                commands.push(Command::LeafHashes(content, piece, leaves))
            }
            Note::Announced(content, request, outcome) => {
                self.announcing = self.announcing.saturating_sub(1);
                commands.push(Command::Announced(content, request, outcome));
            }
            Note::AddSource(content, file, source) => self.on_add_source(content, (file, source), commands),
            Note::SourceEnded(content, source, ended) => {
                self.on_source_ended((content, source), ended, commands);
            }
            Note::SourceReady(content, source) => commands.push(Command::SourceReady(content, source)),
            Note::Connection(..)
            | Note::Peers(..)
            | Note::Sleep(..)
            | Note::SourceData(..)
            | Note::Shutdown(_)
            | Note::Tick => {}
        }
    }

    /// Whether a torrent is complete, and nothing is under way here.
    pub(super) fn may_sleep(&self, content: ContentId) -> bool {
        let rests = |of: &Content| {
            matches!(of.stage, Stage::Running) && of.recheck.is_none() && !of.saving && of.trouble.is_none()
        };
        self.contents.get(&content).is_some_and(rests)
    }

    pub(super) fn sleep(&mut self, content: ContentId, commands: &mut Vec<Command>) {
        self.close(content);
        commands.push(Command::Sleep(content));
    }

    /// Lets a torrent go, and saves how far it is.
    fn close(&mut self, content: ContentId) {
        let Some(of) = self.contents.remove(&content) else { return };
        of.cancel();
        self.awake.remove(&content);
        if let Some(storage) = self.assembly.remove(content) {
            self.save(content, storage, true);
        }
    }

    fn on_piece_layer(&mut self, content: ContentId, root: [u8; 32], layer: &[[u8; 32]]) {
        if let Some(storage) = self.assembly.storage(content)
            && let Err(error) = storage.insert_layer(root, layer)
        {
            tracing::warn!(%error, "a proved piece layer was refused");
        }
    }

    fn on_leaf_hashes_wanted(&mut self, content: ContentId, piece: u32) {
        let Some(storage) = self.assembly.storage(content).cloned() else { return };
        let notes = self.notes.clone();
        self.assembly.workers().spawn(move || {
            let offset = storage.files().map().piece_range(piece).start;
            let first = Extent { content, offset, len: 1 };
            let _ = notes.send(match storage.leaf_hashes(piece) {
                Ok(leaves) => Note::Leaves(content, piece, leaves),
                Err(error) => Note::Unreadable(first, error),
            });
        });
    }

    fn on_announce(&mut self, request: AnnounceRequest) {
        self.announcing += 1;
        let (trackers, notes) = (self.trackers.clone(), self.notes.clone());
        spawn_local(async move {
            let outcome = trackers.announce(&request).await;
            let _ = notes.send(Note::Announced(request.content, request.request, outcome));
        });
    }

    fn on_hashed(&mut self, commands: &mut Vec<Command>) {
        while let Some(Completion { content, piece, outcome }) = self.assembly.poll() {
            match outcome {
                Outcome::Verified(digests) => {
                    if let Some(of) = self.contents.get_mut(&content) {
                        of.unsaved = true;
                    }
                    commands.push(Command::PieceVerified(content, piece, digests));
                }
                Outcome::Rejected(digests) => commands.push(Command::PieceRejected(content, piece, digests)),
                Outcome::Failed(error) => self.on_trouble(content, &error, commands),
            }
        }
    }

    /// Saves the resume state of the torrents that changed; `last` of all, since nothing is written afterwards.
    pub(super) fn checkpoint(&mut self, last: bool) {
        let mut due = Vec::new();
        for (content, of) in &mut self.contents {
            if (last || of.unsaved && !of.saving)
                && let Some(storage) = self.assembly.storage(*content)
            {
                (of.unsaved, of.saving) = (false, true);
                due.push((*content, storage.clone()));
            }
        }
        due.into_iter().for_each(|(content, storage)| self.save(content, storage, last));
    }

    fn save(&self, content: ContentId, storage: Arc<Storage>, last: bool) {
        let (journal, notes) = (self.journal.clone(), self.notes.clone());
        self.assembly.workers().spawn(move || {
            let saved = journal.save(&storage, last);
            let ok = saved.is_ok();
            if let Err(error) = saved {
                let _ = notes.send(Note::Trouble(content, error.to_string()));
            }
            let _ = notes.send(Note::Saved(content, ok));
        });
    }

    /// For what may fail again every few seconds.
    pub(super) fn notice_once(&mut self, content: ContentId, text: String) {
        let told = |of: &Content| of.snapshot.notices.iter().any(|notice| notice.text == text);
        if !self.contents.get(&content).is_some_and(told) {
            self.notice(content, text);
        }
    }

    pub(super) fn notice(&mut self, content: ContentId, text: String) {
        if let Some(of) = self.contents.get_mut(&content) {
            tracing::info!(text, "notice");
            of.snapshot.notice(text);
            self.news.insert(content);
        }
    }
}

/// The torrent that an event is about.
fn about(event: &Event) -> Option<ContentId> {
    match event {
        Event::PieceComplete(content, _)
        | Event::DropPiece(content, _)
        | Event::Metadata(content, _)
        | Event::PieceLayer(content, ..)
        | Event::LeafHashesWanted(content, _)
        | Event::Finished(content)
        | Event::Fetch { content, .. }
        | Event::FetchLess { content, .. }
        | Event::SourceShutOut { content, .. }
        | Event::PeerJoined(content, ..)
        | Event::PeerLeft(content, ..)
        | Event::Banned { content, .. } => Some(*content),
        Event::Announce(request) => Some(request.content),
        Event::Called(_) | Event::Stopped => None,
    }
}

fn banned(peer: Endpoint, client: &str, reason: BanReason) -> String {
    let did = match reason {
        BanReason::WrongData => "sent wrong data",
        BanReason::Protocol => "broke the protocol",
        BanReason::Flood => "sent more than it was asked for",
    };
    // A stranger's word: nothing that moves the cursor, nothing long.
    let client: String = client.chars().filter(|c| !c.is_control()).take(40).collect();
    let called = if client.is_empty() { String::new() } else { format!(" ({client})") };
    format!("peer {peer}{called} {did} and was shut out")
}
