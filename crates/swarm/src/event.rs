//! What the swarm tells the application.

use crate::SourceId;
use bytes::Bytes;
use std::time::Duration;
use throng_machine::{ContentId, Endpoint, StreamId};

/// What the swarm tells the application.
#[derive(Debug)]
pub enum Event {
    /// Every block of a piece has been placed, but for padding, which is zeros (BEP 47): hash it, store it, answer
    /// with `PieceVerified` or `PieceRejected`.
    PieceComplete(ContentId, u32),
    /// The bytes placed so far for this piece are of no more use.
    DropPiece(ContentId, u32),
    /// The info dictionary was fetched and its hash is right: open the storage, answer with `SetMetainfo`.
    Metadata(ContentId, Bytes),
    /// The piece layer of the file with that root was fetched and proved (BEP 52): use it to verify pieces.
    PieceLayer(ContentId, [u8; 32], Vec<[u8; 32]>),
    /// A peer asks for the leaf hashes of a piece we have (BEP 52): answer with `LeafHashes`.
    LeafHashesWanted(ContentId, u32),
    /// All wanted pieces are stored.
    Finished(ContentId),
    /// Ask a tracker; answer with `Announced`.
    Announce(Box<AnnounceRequest>),
    /// A peer's handshake is done.
    PeerJoined(ContentId, StreamId, Endpoint),
    /// A peer is gone.
    PeerLeft(ContentId, StreamId, Endpoint),
    /// A peer did what the protocol forbids, or lied; its address is shut out.
    Banned {
        /// The torrent.
        content: ContentId,
        /// The address.
        peer: Endpoint,
        /// What it called itself.
        client: String,
        /// What it did.
        reason: BanReason,
    },
    /// Ask a source for bytes of the piece space, padding (BEP 47) included; answer with [`crate::Swarm::source_data`]
    /// and, when they are here or will not come, `SourceReady` or `SourceFailed`.
    Fetch {
        /// The torrent.
        content: ContentId,
        /// Whom to ask.
        source: SourceId,
        /// The first byte.
        offset: u64,
        /// How many.
        len: u64,
    },
    /// Of what a source was asked for, nothing from `end` on is wanted any more.
    FetchLess {
        /// The torrent.
        content: ContentId,
        /// Who was asked.
        source: SourceId,
        /// The first byte not wanted.
        end: u64,
    },
    /// A source sent wrong data; it is not asked again.
    SourceShutOut {
        /// The torrent.
        content: ContentId,
        /// Which.
        source: SourceId,
    },
    /// Somebody connected for a swarm that is awaited ([`crate::Command::Await`]): add its torrent.
    Called([u8; 20]),
    /// After [`crate::Command::Shutdown`]: nothing more is to be done but the last announces.
    Stopped,
}

/// Why a peer was shut out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BanReason {
    /// It sent wrong data for a block.
    WrongData,
    /// It broke the wire protocol.
    Protocol,
    /// It sent more than it was asked for, for longer than an accident takes.
    Flood,
}

/// When in a torrent's life an announce happens (BEP 3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AnnounceEvent {
    /// At a regular interval.
    None,
    /// The first.
    Started,
    /// The last.
    Stopped,
    /// The download became complete.
    Completed,
}

/// One announce the application is to make, over HTTP or UDP as the URL says.
#[derive(Clone, Debug)]
pub struct AnnounceRequest {
    /// The torrent.
    pub content: ContentId,
    /// Names this request in `Command::Announced`.
    pub request: u32,
    /// The tracker's URL as in the torrent.
    pub url: String,
    /// The swarm: a torrent with two info-hashes announces each.
    pub info_hash: [u8; 20],
    /// Ours.
    pub peer_id: [u8; 20],
    /// Ours; 0 if we don't listen.
    pub port: u16,
    /// Payload bytes so far.
    pub uploaded: u64,
    /// Payload bytes so far.
    pub downloaded: u64,
    /// Bytes still missing.
    pub left: u64,
    /// The occasion.
    pub event: AnnounceEvent,
    /// How many peers we would like.
    pub numwant: u32,
    /// Random, the same for all announces of a run, so that trackers know us after our address changed.
    pub key: u32,
}

/// A torrent as a person wants to see it.
#[derive(Clone, Debug)]
pub struct TorrentStatus {
    /// Bytes of verified wanted pieces.
    pub verified: u64,
    /// Bytes of wanted pieces in all; zero until the metadata is known.
    pub wanted: u64,
    /// Pieces stored and in all.
    pub pieces: (u32, u32),
    /// Payload received so far, wasted bytes included.
    pub downloaded: u64,
    /// Payload sent so far.
    pub uploaded: u64,
    /// Bytes received that were not needed or wrong.
    pub wasted: u64,
    /// Payload a second received, over the last seconds.
    pub download_rate: u64,
    /// Payload a second sent, over the last seconds.
    pub upload_rate: u64,
    /// Peers connected, and how many of them are seeds.
    pub peers: (usize, usize),
    /// Addresses known.
    pub known_peers: usize,
    /// Copies of the rarest piece among connected peers.
    pub availability: u32,
    /// Tiers of trackers that know of us, and all.
    pub announced: (usize, usize),
    /// Until a tracker is to be asked next; `None` without trackers.
    pub announces_in: Option<Duration>,
    /// The last thing each tracker said went wrong.
    pub tracker_errors: Vec<(String, String)>,
}

/// A peer as a person wants to see it.
#[derive(Clone, Debug)]
pub struct PeerStatus {
    /// Its address.
    pub address: Endpoint,
    /// What it calls itself.
    pub client: String,
    /// Pieces it has.
    pub pieces: u32,
    /// Payload from it so far.
    pub downloaded: u64,
    /// Payload to it so far.
    pub uploaded: u64,
    /// Payload a second from it.
    pub download_rate: u64,
    /// Payload a second to it.
    pub upload_rate: u64,
    /// Smallest time from request to block.
    pub rtt: Option<Duration>,
    /// Requests under way.
    pub window: (u32, u32),
    /// We choke it, it chokes us.
    pub choking: (bool, bool),
    /// We want something of it, it wants something of us.
    pub interested: (bool, bool),
}
