//! One torrent: its pieces, its peers, and what is under way.
//!
//! Invariant: while the input of a peer is handled, that peer is out of `peers`; whatever looks at all peers then
//! sees the others.

mod announce;
mod choke;
mod connect;
mod download;
mod exchange;
mod hashes;
mod input;
mod messages;
mod metadata;
mod source_data;
mod sources;
mod sow;
mod status;
mod superseed;
mod tick;
mod upload;
mod urgent;
mod verify;

use crate::announce::Announcer;
use crate::blame::Blame;
use crate::known::KnownPeers;
use crate::partial::Partial;
use crate::peer::Peer;
use crate::pieces::PieceSet;
use crate::rate::{BLOCK, Rate};
use crate::shared::{Cx, Shared};
use crate::source::{Source, SourceId};
use crate::{AddTorrent, TorrentOptions};
use hashes::HashFetch;
use metadata::MetadataFetch;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use throng_machine::{ContentId, Endpoint, Instant, StreamId};
use throng_wire::ids::PieceIndex;
use throng_wire::metainfo::Metainfo;
use throng_wire::peer::{Block, Limits};

/// One torrent.
#[derive(Debug)]
pub(crate) struct Torrent {
    pub(crate) content: ContentId,
    pub(crate) info_hashes: Vec<[u8; 20]>,
    info_hash_v2: Option<[u8; 32]>,
    meta: Option<Arc<Metainfo>>,
    metadata: MetadataFetch,
    hashes: HashFetch,
    limits: Limits,

    have: PieceSet,
    /// `None` is all.
    wanted: Option<PieceSet>,
    /// Runs of pieces that somebody waits for, the most urgent first.
    urgent: Vec<Range<u32>>,
    /// Wanted pieces not stored.
    missing: u32,
    availability: Vec<u16>,
    /// As a seed: pieces others have or were suggested; made when first needed.
    sown: Option<PieceSet>,
    partials: BTreeMap<u32, Partial>,
    /// Bytes of `partials`.
    pub(crate) partial_bytes: u64,
    blame: Blame,
    sources: BTreeMap<SourceId, Source>,

    pub(crate) peers: BTreeMap<StreamId, Box<Peer>>,
    pub(crate) known: KnownPeers,
    pub(crate) announcer: Announcer,
    options: TorrentOptions,
    running: bool,
    storage_works: bool,
    finished_told: bool,

    down: Rate,
    up: Rate,
    wasted: u64,

    /// When the next regular work is due; `None` while stopped.
    next_tick: Option<Instant>,
    next_choke: Instant,
    next_optimistic: Instant,
    next_exchange: Instant,
    exchanged: Vec<Endpoint>,
}

impl Torrent {
    pub(crate) fn new(add: AddTorrent, now: Instant) -> Torrent {
        let AddTorrent { content, info_hashes, info_hash_v2, metainfo, have, trackers, options } = add;
        let mut torrent = Torrent {
            content,
            announcer: Announcer::new(trackers, info_hashes.clone()),
            info_hashes,
            info_hash_v2,
            meta: None,
            metadata: MetadataFetch::default(),
            hashes: HashFetch::default(),
            limits: Limits::default(),
            have: PieceSet::default(),
            wanted: None,
            urgent: Vec::new(),
            missing: 0,
            availability: Vec::new(),
            sown: None,
            partials: BTreeMap::new(),
            partial_bytes: 0,
            blame: Blame::default(),
            sources: BTreeMap::new(),
            peers: BTreeMap::new(),
            known: KnownPeers::default(),
            options,
            running: false,
            storage_works: true,
            finished_told: false,
            down: Rate::new(now),
            up: Rate::new(now),
            wasted: 0,
            next_tick: None,
            next_choke: now,
            next_optimistic: now,
            next_exchange: now,
            exchanged: Vec::new(),
        };
        if let Some(meta) = metainfo {
            torrent.adopt(meta, &have);
        }
        torrent
    }

    /// Takes the metadata and what is stored already; a bitfield that does not fit counts as empty.
    fn adopt(&mut self, meta: Arc<Metainfo>, have: &[u8]) {
        let pieces = meta.info.layout().piece_count();
        self.have = PieceSet::from_bitfield(have, pieces).unwrap_or_else(|| PieceSet::new(pieces));
        self.availability = vec![0; pieces as usize];
        self.limits = Limits { pieces: Some(pieces), ..Limits::default() };
        self.options.private |= meta.info.is_private();
        self.meta = Some(meta);
        self.count_missing();
        self.finished_told = self.is_finished();
    }

    fn count_missing(&mut self) {
        self.missing = match &self.wanted {
            None => self.have.len() - self.have.count(),
            Some(wanted) => wanted.iter().filter(|piece| !self.have.has(*piece)).count() as u32,
        };
    }

    /// All wanted pieces are stored.
    pub(crate) fn is_finished(&self) -> bool {
        self.meta.is_some() && self.missing == 0
    }

    /// We have all there is.
    pub(crate) fn is_seed(&self) -> bool {
        self.have.is_full()
    }

    fn wants(&self, piece: u32) -> bool {
        !self.have.has(piece) && self.wanted.as_ref().is_none_or(|wanted| wanted.has(piece))
    }

    /// Whether blocks may be asked for at all.
    fn fetches(&self) -> bool {
        let able = self.running && self.storage_works && !self.hashes.lacks_layers();
        able && !self.options.upload_only && self.missing > 0
    }

    fn piece_len(&self, piece: u32) -> u32 {
        self.meta.as_ref().map_or(0, |meta| meta.info.layout().piece_len(PieceIndex(piece)))
    }

    fn offset(&self, piece: u32, begin: u32) -> u64 {
        let length = self.meta.as_ref().map_or(0, |meta| u64::from(meta.info.layout().piece_length()));
        u64::from(piece) * length + u64::from(begin)
    }

    /// Bytes of a piece to ask for: padding is zeros anyway, the application puts it in.
    fn data_len(&self, piece: u32) -> u32 {
        self.meta.as_ref().map_or(0, |meta| meta.info.layout().data_len(PieceIndex(piece)))
    }

    /// The block of that index in a piece.
    fn block(&self, piece: u32, index: u32) -> Block {
        let begin = index * BLOCK;
        Block { piece, begin, length: BLOCK.min(self.data_len(piece).saturating_sub(begin)) }
    }

    /// Bytes still missing, as trackers want to know.
    pub(crate) fn left(&self) -> u64 {
        let Some(meta) = &self.meta else { return u64::from(BLOCK) };
        let missing = self.missing.saturating_sub(1);
        let last = self.have.len().saturating_sub(1);
        match self.missing {
            0 => 0,
            _ if self.wants(last) => {
                u64::from(missing) * u64::from(meta.info.layout().piece_length())
                    + u64::from(self.piece_len(last))
            }
            _ => u64::from(self.missing) * u64::from(meta.info.layout().piece_length()),
        }
    }

    pub(crate) fn totals(&self) -> (u64, u64) {
        (self.up.total(), self.down.total())
    }

    /// Whether this peer id is connected already.
    fn find_id(&self, id: &[u8; 20]) -> Option<&Peer> {
        self.peers.values().map(|peer| &**peer).find(|peer| peer.is_joined() && peer.id == *id)
    }

    /// Puts a peer out of the torrent after its stream ended or it was closed.
    pub(crate) fn forget(&mut self, mut peer: Box<Peer>, shared: &mut Shared, cx: &mut Cx<'_>) {
        shared.closed.push(peer.stream);
        self.release_requests(&mut peer);
        self.unsow(&peer);
        for piece in peer.pieces.iter() {
            let count = &mut self.availability[piece as usize];
            *count = count.saturating_sub(1);
        }
        self.metadata.on_peer_gone(peer.stream);
        self.hashes.on_peer_gone(peer.stream);
        self.blame.remember(&peer);
        shared.disconnected(peer.address.ip());
        match peer.phase {
            crate::peer::Phase::Connecting => shared.half_open = shared.half_open.saturating_sub(1),
            crate::peer::Phase::Handshaking => {}
            crate::peer::Phase::Joined => {
                cx.emit(crate::Event::PeerLeft(self.content, peer.stream, peer.address));
            }
        }
        if let Some(address) = peer.dialable() {
            let worked = peer.phase == crate::peer::Phase::Joined && !peer.snubbed;
            self.known.ended(address, worked, cx.now());
        }
        self.fill_all(shared, cx);
    }
}
