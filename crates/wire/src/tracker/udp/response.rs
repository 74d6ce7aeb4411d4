//! What a tracker answers: connection id, peers, counts, an error (BEP 15).

use super::{
    ANNOUNCE, ANNOUNCE_HEAD_LEN, CONNECT, CONNECT_LEN, ERROR, Put, SCRAPE, SCRAPE_ENTRY_LEN, u32_at, u64_at,
};
use crate::tracker::{CompactV4, CompactV6, ScrapeEntry};

/// Why a datagram is no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// Shorter than its action asks for.
    #[error("tracker response is too short")]
    Short,
    /// An action that is none of connect, announce, scrape and error.
    #[error("unknown action in tracker response")]
    UnknownAction,
}

/// Any response. The transaction id tells which request it answers; a client drops others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Response<'a> {
    /// A connection id.
    Connect(ConnectResponse),
    /// Peers.
    Announce(AnnounceResponse<'a>),
    /// Counts.
    Scrape(ScrapeResponse<'a>),
    /// A refusal, with the tracker's words (not always UTF-8).
    Error {
        /// Of the request.
        transaction_id: u32,
        /// What the tracker says.
        message: &'a [u8],
    },
}

impl<'a> Response<'a> {
    /// Reads a datagram.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ResponseError> {
        let short = ResponseError::Short;
        let action = u32_at(bytes, 0).ok_or(short)?;
        let transaction_id = u32_at(bytes, 4).ok_or(short)?;
        match action {
            CONNECT => {
                let connection_id = u64_at(bytes, 8).ok_or(short)?;
                Ok(Self::Connect(ConnectResponse { transaction_id, connection_id }))
            }
            ANNOUNCE => AnnounceResponse::parse(bytes).ok_or(short).map(Self::Announce),
            SCRAPE => Ok(Self::Scrape(ScrapeResponse { transaction_id, entries: &bytes[8..] })),
            ERROR => Ok(Self::Error { transaction_id, message: &bytes[8..] }),
            _ => Err(ResponseError::UnknownAction),
        }
    }

    /// The id of the request this answers.
    pub fn transaction_id(&self) -> u32 {
        match self {
            Self::Connect(response) => response.transaction_id,
            Self::Announce(response) => response.header.transaction_id,
            Self::Scrape(response) => response.transaction_id,
            Self::Error { transaction_id, .. } => *transaction_id,
        }
    }
}

/// Grants a connection id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectResponse {
    /// Of the request.
    pub transaction_id: u32,
    /// To be used by the client for one minute, accepted by the tracker for two.
    pub connection_id: u64,
}

impl ConnectResponse {
    /// Encodes the response.
    pub fn encode(&self) -> [u8; CONNECT_LEN] {
        let mut bytes = [0; CONNECT_LEN];
        let mut put = Put(&mut bytes, 0);
        put.bytes(&CONNECT.to_be_bytes());
        put.bytes(&self.transaction_id.to_be_bytes());
        put.bytes(&self.connection_id.to_be_bytes());
        bytes
    }
}

/// The part of an announce response before its peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnnounceHeader {
    /// Of the request.
    pub transaction_id: u32,
    /// Seconds until the next announce.
    pub interval: u32,
    /// Peers that still need something.
    pub leechers: u32,
    /// Peers that have everything.
    pub seeders: u32,
}

impl AnnounceHeader {
    /// Encodes what precedes the compact peers.
    pub fn encode(&self) -> [u8; ANNOUNCE_HEAD_LEN] {
        let mut bytes = [0; ANNOUNCE_HEAD_LEN];
        let mut put = Put(&mut bytes, 0);
        for number in [ANNOUNCE, self.transaction_id, self.interval, self.leechers, self.seeders] {
            put.bytes(&number.to_be_bytes());
        }
        bytes
    }
}

/// Peers of a swarm; which family they are of, the socket tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnnounceResponse<'a> {
    /// Counts and interval.
    pub header: AnnounceHeader,
    /// Compact endpoints.
    pub peers: &'a [u8],
}

impl<'a> AnnounceResponse<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (fixed, peers) = bytes.split_first_chunk::<ANNOUNCE_HEAD_LEN>()?;
        let header = AnnounceHeader {
            transaction_id: u32_at(fixed, 4)?,
            interval: u32_at(fixed, 8)?,
            leechers: u32_at(fixed, 12)?,
            seeders: u32_at(fixed, 16)?,
        };
        Some(Self { header, peers })
    }

    /// The peers, if the request went over IPv4.
    pub fn peers_v4(&self) -> CompactV4<'a> {
        CompactV4(self.peers)
    }

    /// The peers, if the request went over IPv6.
    pub fn peers_v6(&self) -> CompactV6<'a> {
        CompactV6(self.peers)
    }
}

/// Counts of swarms, in the order they were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScrapeResponse<'a> {
    /// Of the request.
    pub transaction_id: u32,
    /// 12 bytes a swarm.
    pub entries: &'a [u8],
}

impl<'a> ScrapeResponse<'a> {
    /// The counts; a cut last entry is not seen.
    pub fn iter(&self) -> impl Iterator<Item = ScrapeEntry> + use<'a> {
        self.entries.as_chunks::<SCRAPE_ENTRY_LEN>().0.iter().map(|entry| {
            let number = |at| u32_at(entry, at).unwrap_or_default();
            ScrapeEntry { seeders: number(0), completed: number(4), leechers: number(8) }
        })
    }
}

/// Appends the beginning of a scrape response.
pub fn push_scrape_header(transaction_id: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&SCRAPE.to_be_bytes());
    out.extend_from_slice(&transaction_id.to_be_bytes());
}

/// Appends the counts of one swarm.
pub fn push_scrape_entry(entry: ScrapeEntry, out: &mut Vec<u8>) {
    for number in [entry.seeders, entry.completed, entry.leechers] {
        out.extend_from_slice(&number.to_be_bytes());
    }
}

/// Appends an error response; `message` is for the client's user.
pub fn push_error(transaction_id: u32, message: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&ERROR.to_be_bytes());
    out.extend_from_slice(&transaction_id.to_be_bytes());
    out.extend_from_slice(message.as_bytes());
}
