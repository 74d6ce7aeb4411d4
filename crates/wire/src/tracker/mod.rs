//! The tracker protocol: how peers of one swarm learn of each other.
//!
//! Sources: BEP 3 and 23 (HTTP announce), BEP 7 (IPv6), BEP 15 (UDP), BEP 41 (UDP options), BEP 48 (scrape), BEP 24
//! (external ip), BEP 31 (retry in). Both directions are here, because the program is client and tracker.
//! A swarm is named by 20 bytes: a v1 info-hash, or the first 20 bytes of a v2 one (BEP 52).

mod compact;
pub mod http;
pub mod udp;

pub use compact::{
    CompactV4, CompactV6, V4_LEN, V6_LEN, decode_v4, decode_v6, encode_v4, encode_v6, push_endpoint,
};

/// Why a peer announces itself (BEP 3 `event`, BEP 15 with the same numbers on the wire).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum AnnounceEvent {
    /// A regular re-announce.
    #[default]
    None = 0,
    /// The download has just become complete (never sent by a peer that began as a seed).
    Completed = 1,
    /// The first announce of a session.
    Started = 2,
    /// The peer leaves the swarm.
    Stopped = 3,
}

impl AnnounceEvent {
    /// The value of the HTTP parameter `event`; `None` for a regular announce, which sends no parameter.
    pub fn as_str(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Completed => Some("completed"),
            Self::Started => Some("started"),
            Self::Stopped => Some("stopped"),
        }
    }

    /// Reads the HTTP parameter; what we do not know (BEP 21's `paused`, an empty value) is a regular announce.
    pub fn from_query(value: &[u8]) -> Self {
        match value {
            b"completed" => Self::Completed,
            b"started" => Self::Started,
            b"stopped" => Self::Stopped,
            _ => Self::None,
        }
    }

    /// Reads the UDP number; what we do not know is a regular announce.
    pub fn from_number(number: u32) -> Self {
        match number {
            1 => Self::Completed,
            2 => Self::Started,
            3 => Self::Stopped,
            _ => Self::None,
        }
    }
}

/// What a scrape says of one swarm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScrapeEntry {
    /// Peers that have everything (`complete`).
    pub seeders: u32,
    /// How often a download was reported complete (`downloaded`).
    pub completed: u32,
    /// Peers that still need something (`incomplete`).
    pub leechers: u32,
}
