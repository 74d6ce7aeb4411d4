//! The machine: all torrents, the streams that belong to none yet, and one deadline.

use crate::peer::Peer;
use crate::shared::{Cx, Shared};
use crate::torrent::Torrent;
use crate::{AddTorrent, Command, Config, Event, PeerStatus, SourceId, SourceStatus, TorrentStatus};
use std::collections::{BTreeMap, BTreeSet};
use throng_machine::{
    ContentId, Context, Datagram, Endpoint, Instant, Machine, StreamId, StreamInput, TokenBucket,
};
use throng_wire::peer::Handshake;

/// The bytes of a handshake that name its torrent.
const HEAD: usize = 48;

/// An accepted connection that belongs to no torrent yet.
#[derive(Debug)]
pub(crate) struct Stranger {
    from: Endpoint,
    since: Instant,
    pub(crate) bytes: Vec<u8>,
    /// The swarm it named, which is asleep.
    pub(crate) called: Option<[u8; 20]>,
}

/// The swarm machine: every torrent of one node.
#[derive(Debug)]
pub struct Swarm {
    pub(crate) shared: Shared,
    // Boxed: a leaf of the map has room for eleven, and most nodes of a simulation have one.
    pub(crate) torrents: BTreeMap<ContentId, Box<Torrent>>,
    by_hash: BTreeMap<[u8; 20], ContentId>,
    /// Swarms that are known, but not open.
    pub(crate) asleep: BTreeSet<[u8; 20]>,
    streams: BTreeMap<StreamId, ContentId>,
    pub(crate) strangers: BTreeMap<StreamId, Stranger>,
    schedule: BTreeSet<(Instant, ContentId)>,
    scheduled: BTreeMap<ContentId, Instant>,
}

impl Swarm {
    /// A machine without torrents; `key` is random, the same for all announces of a run.
    pub fn new(config: Config, key: u32) -> Swarm {
        Swarm {
            shared: Shared::new(config, key),
            torrents: BTreeMap::new(),
            by_hash: BTreeMap::new(),
            asleep: BTreeSet::new(),
            streams: BTreeMap::new(),
            strangers: BTreeMap::new(),
            schedule: BTreeSet::new(),
            scheduled: BTreeMap::new(),
        }
    }

    /// A torrent as a person wants to see it.
    pub fn status(&self, content: ContentId, now: Instant) -> Option<TorrentStatus> {
        self.torrents.get(&content).map(|torrent| torrent.status(now))
    }

    /// The peers of a torrent.
    pub fn peers(&self, content: ContentId, now: Instant) -> Vec<PeerStatus> {
        self.torrents.get(&content).map_or_else(Vec::new, |torrent| torrent.peer_statuses(now, &self.shared))
    }

    /// The sources of a torrent outside BitTorrent.
    pub fn sources(&self, content: ContentId, now: Instant) -> Vec<SourceStatus> {
        self.torrents.get(&content).map_or_else(Vec::new, |torrent| torrent.source_statuses(now))
    }

    /// When sources may send more under the download limit; `None` is now.
    pub fn download_opens_at(&self) -> Option<Instant> {
        self.shared.download.opens_at()
    }

    /// Bytes of a source, the next of what [`Event::Fetch`] asked it for; as for a stream, positions of what is placed
    /// count from their start.
    pub fn source_data(
        &mut self,
        (content, source): (ContentId, SourceId),
        len: u32,
        cx: &mut Context<'_, Event>,
    ) {
        self.with(content, cx, |torrent, shared, cx| torrent.source_data(source, len, shared, cx));
        self.quench(cx);
        self.pump_uploads(cx);
    }

    /// Whether the application is to give block digests when this piece is found right.
    pub fn compares(&self, content: ContentId, piece: u32) -> bool {
        self.torrents.get(&content).is_some_and(|torrent| torrent.compares(piece))
    }

    /// Whether more connections may be accepted.
    pub fn accepts(&self) -> bool {
        self.shared.connections < self.shared.config.max_connections
    }

    /// Lets `act` work on a torrent, then brings the books up to date.
    fn with(
        &mut self,
        content: ContentId,
        cx: &mut Cx<'_>,
        act: impl FnOnce(&mut Torrent, &mut Shared, &mut Cx<'_>),
    ) {
        if let Some(torrent) = self.torrents.get_mut(&content) {
            act(torrent, &mut self.shared, cx);
            for stream in self.shared.closed.drain(..) {
                self.streams.remove(&stream);
            }
            self.settle(content);
        }
    }

    /// Notes the torrent's new streams and its deadline.
    fn settle(&mut self, content: ContentId) {
        let Some(torrent) = self.torrents.get(&content) else { return };
        // New streams have the highest ids: those dialled since the last call.
        for stream in torrent.peers.keys().rev() {
            if self.streams.insert(*stream, content).is_some() {
                break;
            }
        }
        let deadline = torrent.deadline();
        if self.scheduled.get(&content).copied() == deadline {
            return;
        }
        if let Some(old) = self.scheduled.remove(&content) {
            self.schedule.remove(&(old, content));
        }
        if let Some(at) = deadline {
            self.schedule.insert((at, content));
            self.scheduled.insert(content, at);
        }
    }

    fn add(&mut self, add: AddTorrent, cx: &mut Cx<'_>) {
        let (content, paused) = (add.content, add.options.paused);
        if self.torrents.contains_key(&content) {
            return;
        }
        let callers = self.awaken(&add.info_hashes);
        for hash in &add.info_hashes {
            self.by_hash.insert(*hash, content);
        }
        self.torrents.insert(content, Box::new(Torrent::new(add, cx.now())));
        if !paused {
            self.with(content, cx, |torrent, shared, cx| torrent.run(true, shared, cx));
        }
        for (stream, stranger, hash) in callers {
            self.hand_over(stream, stranger, hash, &[], cx);
        }
    }

    fn remove(&mut self, content: ContentId, cx: &mut Cx<'_>) {
        self.with(content, cx, |torrent, shared, cx| torrent.run(false, shared, cx));
        self.drop_torrent(content);
    }

    pub(crate) fn drop_torrent(&mut self, content: ContentId) {
        if let Some(at) = self.scheduled.remove(&content) {
            self.schedule.remove(&(at, content));
        }
        if let Some(torrent) = self.torrents.remove(&content) {
            self.shared.partial_bytes = self.shared.partial_bytes.saturating_sub(torrent.partial_bytes);
            for hash in &torrent.info_hashes {
                // Another torrent may have taken it over.
                if self.by_hash.get(hash) == Some(&content) {
                    self.by_hash.remove(hash);
                }
            }
            self.streams.retain(|_, of| *of != content);
        }
    }

    fn set_limits(&mut self, upload: Option<u64>, download: Option<u64>, now: Instant) {
        (self.shared.config.upload_limit, self.shared.config.download_limit) = (upload, download);
        self.shared.upload = TokenBucket::new(upload, now);
        self.shared.download = TokenBucket::new(download, now);
    }

    fn shutdown(&mut self, cx: &mut Cx<'_>) {
        let all: Vec<ContentId> = self.torrents.keys().copied().collect();
        for content in all {
            self.with(content, cx, |torrent, shared, cx| torrent.run(false, shared, cx));
        }
        for (stream, stranger) in std::mem::take(&mut self.strangers) {
            self.turn_away(stream, &stranger, cx);
        }
        cx.emit(Event::Stopped);
    }

    fn on_accepted(&mut self, stream: StreamId, from: Endpoint, cx: &mut Cx<'_>) {
        if !self.shared.has_room_for(from.ip()) {
            cx.close(stream);
            return;
        }
        self.shared.connected(from.ip());
        self.strangers.insert(stream, Stranger { from, since: cx.now(), bytes: Vec::new(), called: None });
    }

    /// Bytes of a connection that has not named its torrent: collect a handshake's head, then hand over.
    fn on_stranger(&mut self, stream: StreamId, input: StreamInput<'_>, cx: &mut Cx<'_>) {
        let Some(mut stranger) = self.strangers.remove(&stream) else { return };
        let bytes = match input {
            StreamInput::Bytes(bytes) => bytes,
            StreamInput::Closed(_) => return self.shared.disconnected(stranger.from.ip()),
            _ => {
                self.strangers.insert(stream, stranger);
                return;
            }
        };
        if stranger.called.is_some() {
            return self.keep_waiting(stream, stranger, bytes, cx);
        }
        stranger.bytes.extend_from_slice(&bytes[..bytes.len().min(HEAD)]);
        match Handshake::decode_head(&stranger.bytes) {
            // Bytes kept from earlier inputs are fewer than a head, so this input holds all of the rest.
            Ok(Some(head)) => {
                let kept = stranger.bytes.len() - bytes.len().min(HEAD);
                stranger.bytes.truncate(kept);
                self.hand_over(stream, stranger, head.info_hash.0, bytes, cx);
            }
            Ok(None) => {
                self.strangers.insert(stream, stranger);
            }
            Err(_) => self.turn_away(stream, &stranger, cx),
        }
    }

    pub(crate) fn hand_over(
        &mut self,
        stream: StreamId,
        stranger: Stranger,
        hash: [u8; 20],
        bytes: &[u8],
        cx: &mut Cx<'_>,
    ) {
        let content = self.by_hash.get(&hash).copied();
        let torrent = content.and_then(|content| self.torrents.get_mut(&content));
        let Some((content, torrent)) = content.zip(torrent) else {
            return self.on_unknown(stream, stranger, hash, bytes, cx);
        };
        if !torrent.admit(stream, stranger.from, &self.shared, cx) {
            return self.turn_away(stream, &stranger, cx);
        }
        self.streams.insert(stream, content);
        self.with(content, cx, |torrent, shared, cx| {
            // The kept bytes hold no file data, so positions within them are never placed.
            torrent.handle_stream(stream, StreamInput::Bytes(&stranger.bytes), shared, cx);
            torrent.handle_stream(stream, StreamInput::Bytes(bytes), shared, cx);
            torrent.wake(cx.now());
        });
    }

    pub(crate) fn turn_away(&mut self, stream: StreamId, stranger: &Stranger, cx: &mut Cx<'_>) {
        self.shared.disconnected(stranger.from.ip());
        cx.close(stream);
    }

    fn expire_strangers(&mut self, cx: &mut Cx<'_>) {
        let patience = self.shared.config.handshake_timeout;
        let late = |stranger: &Stranger| stranger.since + patience <= cx.now();
        let streams: Vec<StreamId> =
            self.strangers.iter().filter(|(_, stranger)| late(stranger)).map(|(stream, _)| *stream).collect();
        for stream in streams {
            if let Some(stranger) = self.strangers.remove(&stream) {
                self.turn_away(stream, &stranger, cx);
            }
        }
    }

    /// Serves peers in turn while the upload limit allows.
    fn pump_uploads(&mut self, cx: &mut Cx<'_>) {
        while !self.shared.ring.is_empty()
            && self.shared.upload.is_open(cx.now())
            && let Some((content, stream)) = self.shared.ring.pop_front()
        {
            if let Some(torrent) = self.torrents.get_mut(&content) {
                torrent.serve_turn(stream, &mut self.shared, cx);
            }
        }
    }

    /// Lets torrents ask again that waited for the download limit.
    /// After every call: the deadline of a bucket that some call found open again is gone.
    fn quench(&mut self, cx: &mut Cx<'_>) {
        if self.shared.thirsty.is_empty() || !self.shared.download.is_open(cx.now()) {
            return;
        }
        for content in std::mem::take(&mut self.shared.thirsty) {
            self.with(content, cx, |torrent, shared, cx| torrent.fill_all(shared, cx));
        }
    }
}

impl Machine for Swarm {
    type Command = Command;
    type Event = Event;

    fn handle_command(&mut self, command: Command, cx: &mut Context<'_, Event>) {
        match command {
            Command::Add(add) => self.add(*add, cx),
            Command::Remove(content) => self.remove(content, cx),
            Command::Sleep(content) => self.sleep(content),
            Command::Await(hashes) => self.asleep.extend(hashes),
            Command::Forget(hashes) => self.forget(&hashes),
            Command::Run(content, on) => self.with(content, cx, |t, shared, cx| t.run(on, shared, cx)),
            Command::SetMetainfo(content, meta, have) => {
                self.with(content, cx, |t, shared, cx| t.set_metainfo(meta, &have, shared, cx));
            }
            Command::AddPeers(content, source, peers) => self.with(content, cx, |t, shared, cx| {
                t.add_peers(source, &peers, shared, cx);
                t.wake(cx.now());
            }),
            Command::PieceVerified(content, piece, digests) => {
                self.with(content, cx, |t, shared, cx| t.piece_verified(piece, digests, shared, cx));
            }
            Command::PieceRejected(content, piece, digests) => {
                self.with(content, cx, |t, shared, cx| t.piece_rejected(piece, digests, shared, cx));
            }
            Command::PieceLost(content, piece) => {
                self.with(content, cx, |t, shared, cx| {
                    t.piece_lost(piece, shared, cx);
                    t.wake(cx.now());
                });
            }
            Command::StorageFailed(content) => {
                self.with(content, cx, |t, shared, cx| t.storage_failed(shared, cx));
            }
            Command::StorageRecovered(content) => {
                self.with(content, cx, |t, shared, cx| t.storage_recovered(shared, cx));
            }
            Command::Announced(content, request, outcome) => {
                self.with(content, cx, |t, shared, cx| t.announced(request, outcome, shared, cx));
            }
            Command::LeafHashes(content, piece, leaves) => {
                self.with(content, cx, |t, _, cx| t.leaf_hashes(piece, &leaves, cx));
            }
            Command::SetLimits { upload, download } => self.set_limits(upload, download, cx.now()),
            Command::SetWanted(content, bits) => {
                self.with(content, cx, |t, shared, cx| t.set_wanted(&bits, shared, cx));
            }
            Command::Prioritise(content, runs) => {
                self.with(content, cx, |t, shared, cx| t.prioritise(runs, shared, cx));
            }
            Command::AddSource(content, source, pieces) => {
                self.with(content, cx, |t, shared, cx| t.add_source(source, pieces, shared, cx));
            }
            Command::RemoveSource(content, source) => {
                self.with(content, cx, |t, shared, cx| t.remove_source(source, shared, cx));
            }
            Command::SourceReady(content, source) => {
                self.with(content, cx, |t, shared, cx| t.source_ended(source, true, shared, cx));
            }
            Command::SourceFailed(content, source) => {
                self.with(content, cx, |t, shared, cx| t.source_ended(source, false, shared, cx));
            }
            Command::Shutdown => self.shutdown(cx),
        }
        self.quench(cx);
        self.pump_uploads(cx);
    }

    fn handle_datagram(&mut self, _datagram: Datagram<'_>, _cx: &mut Context<'_, Event>) {}

    fn handle_stream(&mut self, stream: StreamId, input: StreamInput<'_>, cx: &mut Context<'_, Event>) {
        if let StreamInput::Accepted { from, .. } = input {
            self.on_accepted(stream, from, cx);
        } else if let Some(content) = self.streams.get(&stream).copied() {
            self.with(content, cx, |torrent, shared, cx| torrent.handle_stream(stream, input, shared, cx));
        } else {
            self.on_stranger(stream, input, cx);
        }
        self.quench(cx);
        self.pump_uploads(cx);
    }

    fn handle_timeout(&mut self, cx: &mut Context<'_, Event>) {
        self.expire_strangers(cx);
        while let Some((_, content)) = self.schedule.first().copied().filter(|(at, _)| *at <= cx.now()) {
            self.with(content, cx, |torrent, shared, cx| torrent.handle_timeout(shared, cx));
        }
        self.quench(cx);
        self.pump_uploads(cx);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let mut deadline = throng_machine::Deadline::none();
        deadline.at(self.schedule.first().map(|(at, _)| *at));
        if let Some(oldest) = self.strangers.values().next() {
            deadline.at(oldest.since + self.shared.config.handshake_timeout);
        }
        if !self.shared.ring.is_empty() {
            deadline.at(self.shared.upload.opens_at());
        }
        if !self.shared.thirsty.is_empty() {
            deadline.at(self.shared.download.opens_at());
        }
        deadline.earliest()
    }
}

/// Size of a peer's own state, for the accounts of bytes a node.
pub const PEER_BYTES: usize = size_of::<Peer>();
