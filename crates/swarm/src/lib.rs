//! Fetching: the BitTorrent swarm as a sans-IO machine (BEP 3, 6, 9, 10, 11, 16, 40, 52).
//!
//! The machine decides; the application moves, hashes and stores the bytes. File data never enters the machine:
//! it names where received bytes belong ([`throng_machine::Op::Place`]) and which stored bytes to send
//! ([`throng_machine::Op::WriteExtent`]). An extent's offset is `piece * piece_length + begin`.
//!
//! Life of a piece: blocks are placed → [`Event::PieceComplete`] → the application hashes and writes →
//! [`Command::PieceVerified`] (it is announced and shared at once) or [`Command::PieceRejected`] (the liar is
//! looked for) or [`Command::StorageFailed`] (the torrent pauses).

mod announce;
mod asleep;
mod blame;
mod command;
mod config;
mod event;
mod known;
mod partial;
mod peer;
mod picker;
mod pieces;
mod rate;
mod shared;
mod source;
mod swarm;
mod torrent;
mod violation;

pub use command::{AddTorrent, BlockDigests, Command, PeerSource, TrackerOutcome};
pub use config::{Config, TorrentOptions};
pub use event::{AnnounceEvent, AnnounceRequest, BanReason, Event, PeerStatus, TorrentStatus};
pub use source::{SourceId, SourceStatus};
pub use swarm::{PEER_BYTES, Swarm};

#[cfg(test)]
mod tests;
