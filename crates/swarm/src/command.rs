//! What the application may ask of the swarm.

use crate::{SourceId, TorrentOptions};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use throng_machine::{ContentId, Endpoint};
use throng_wire::metainfo::Metainfo;

/// What the application may ask of the swarm.
#[derive(Debug)]
pub enum Command {
    /// Take part in a torrent; its id must be new.
    Add(Box<AddTorrent>),
    /// Leave a torrent: its peers are closed, its trackers told `stopped`.
    Remove(ContentId),
    /// Close a torrent without a word to anyone and await calls for it, if [`crate::Swarm::is_idle`] says that it may.
    Sleep(ContentId),
    /// Swarms that can be opened when somebody asks: of a connection that names one [`crate::Event::Called`] tells, and
    /// it is served if the torrent is added before its handshake is overdue.
    Await(Vec<[u8; 20]>),
    /// These are not to be awaited any more.
    Forget(Vec<[u8; 20]>),
    /// Stop (`false`) or continue (`true`) a torrent: no connections, no announces but `stopped`/`started`.
    Run(ContentId, bool),
    /// The whole metadata of a torrent that was added without it: what the application made of
    /// [`crate::Event::Metadata`], and which pieces are already stored (bitfield, first piece in the high bit).
    SetMetainfo(ContentId, Arc<Metainfo>, Vec<u8>),
    /// Addresses of possible peers.
    AddPeers(ContentId, PeerSource, Vec<Endpoint>),
    /// A complete piece was hashed, found right and stored; the digests are given only if it was rejected before.
    PieceVerified(ContentId, u32, Option<BlockDigests>),
    /// A complete piece was hashed and found wrong; the application keeps its bytes until told to drop them.
    PieceRejected(ContentId, u32, BlockDigests),
    /// A piece thought to be stored is missing or damaged; it is fetched again.
    PieceLost(ContentId, u32),
    /// The storage cannot take this torrent's data now (disk full, permission): connections stay, requests stop;
    /// pieces complete but not stored are dropped and fetched again.
    StorageFailed(ContentId),
    /// The storage works again.
    StorageRecovered(ContentId),
    /// What came of an [`crate::Event::Announce`]; the number is the request's.
    Announced(ContentId, u32, TrackerOutcome),
    /// Leaf hashes asked for by [`crate::Event::LeafHashesWanted`], 16 KiB blocks of one piece (BEP 52).
    LeafHashes(ContentId, u32, Vec<[u8; 32]>),
    /// New global limits in bytes a second; `None` is unlimited.
    SetLimits {
        /// Upload.
        upload: Option<u64>,
        /// Download.
        download: Option<u64>,
    },
    /// Which pieces are wanted (bitfield, first piece in the high bit); all by default.
    SetWanted(ContentId, Vec<u8>),
    /// Someone outside BitTorrent can send these pieces, whole: [`crate::Event::Fetch`] asks for them, what comes is
    /// handed to [`crate::Swarm::source_data`]. Only for a torrent whose metadata is known.
    AddSource(ContentId, SourceId, Range<u32>),
    /// A source can no longer be asked.
    RemoveSource(ContentId, SourceId),
    /// What a source was asked for has come or will not; it may be asked again.
    SourceReady(ContentId, SourceId),
    /// What a source was asked for will not come; it is not to be asked before it is ready.
    SourceFailed(ContentId, SourceId),
    /// Runs of pieces that somebody waits for, the most urgent first, in place of those before; none if empty. At most 32
    /// runs count.
    Prioritise(ContentId, Vec<Range<u32>>),
    /// Say goodbye: trackers are told `stopped`, peers closed.
    Shutdown,
}

/// A torrent to take part in.
#[derive(Debug)]
pub struct AddTorrent {
    /// The application's handle, unused so far.
    pub content: ContentId,
    /// Swarm ids to handshake with: the v1 info-hash, the truncated v2 one, or both (hybrid).
    pub info_hashes: Vec<[u8; 20]>,
    /// The full v2 info-hash where known, to check metadata fetched for a `btmh` magnet link.
    pub info_hash_v2: Option<[u8; 32]>,
    /// All that is known of it; `None` for a magnet link whose metadata is to be fetched from peers.
    pub metainfo: Option<Arc<Metainfo>>,
    /// Pieces already stored (bitfield, first piece in the high bit; may be empty for none).
    pub have: Vec<u8>,
    /// Tracker URLs in tiers (BEP 12).
    pub trackers: Vec<Vec<String>>,
    /// Choices for this torrent.
    pub options: TorrentOptions,
}

/// Where a peer's address came from; later ones weigh less when room is short.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum PeerSource {
    /// The person named it (`--peer`, `x.pe`).
    Manual,
    /// A tracker.
    Tracker,
    /// It connected to us.
    Incoming,
    /// Peer exchange (BEP 11).
    Exchange,
    /// An overlay found it.
    Overlay,
}

/// Digests of a piece's 16 KiB blocks, in order, so that the sender of a wrong one is found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BlockDigests {
    /// v1: any 64 bits of a collision-resistant hash; compared between the wrong and the right copy.
    Short(Box<[u64]>),
    /// v2: the blocks' SHA-256 leaf hashes; compared with the leaves a peer proves (BEP 52).
    Leaves(Box<[[u8; 32]]>),
}

/// What came of an announce.
#[derive(Clone, Debug)]
pub enum TrackerOutcome {
    /// The tracker answered.
    Answered {
        /// When to announce again.
        interval: Duration,
        /// Not earlier than this, where given.
        min_interval: Option<Duration>,
        /// Peers.
        peers: Vec<Endpoint>,
        /// Seeders and leechers, where given.
        counts: Option<(u32, u32)>,
    },
    /// It refused, or could not be reached; a sentence for people.
    Failed {
        /// What went wrong.
        reason: String,
        /// When the tracker said to retry, where it did (BEP 31).
        retry: Option<Duration>,
    },
}
