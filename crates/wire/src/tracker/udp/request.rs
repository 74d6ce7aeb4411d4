//! What a client sends: connect, announce, scrape (BEP 15).

use super::{
    ANNOUNCE, ANNOUNCE_LEN, CONNECT, CONNECT_LEN, Options, PROTOCOL_ID, Put, SCRAPE, SCRAPE_HEAD_LEN,
    SCRAPE_MAX, array, u32_at, u64_at,
};
use crate::ids::{InfoHash, PeerId};
use crate::tracker::AnnounceEvent;

/// Why a datagram is no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Shorter than its action asks for.
    #[error("tracker request is too short")]
    Short,
    /// A connect request that does not begin with the protocol's number.
    #[error("connect request without the protocol id")]
    NotProtocol,
    /// An action that is none of connect, announce and scrape.
    #[error("unknown action in tracker request")]
    UnknownAction,
    /// A scrape of no swarm, or with a cut hash.
    #[error("scrape request without whole info-hashes")]
    NoHashes,
}

/// The first 16 bytes of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The connection id; for a connect, the protocol's number.
    pub connection_id: u64,
    /// The action's number.
    pub action: u32,
    /// Chosen by the client, returned in the response.
    pub transaction_id: u32,
}

impl Header {
    /// Reads the header, so that even a malformed request can be answered once its connection id is proved.
    pub fn parse(bytes: &[u8]) -> Result<Self, RequestError> {
        let head: &[u8; CONNECT_LEN] = bytes.first_chunk().ok_or(RequestError::Short)?;
        let read = || Some((u64_at(head, 0)?, u32_at(head, 8)?, u32_at(head, 12)?));
        let (connection_id, action, transaction_id) = read().ok_or(RequestError::Short)?;
        Ok(Self { connection_id, action, transaction_id })
    }
}

/// Any request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// Asks for a connection id.
    Connect(ConnectRequest),
    /// Announces a peer and asks for others.
    Announce(AnnounceRequest<'a>),
    /// Asks for counts of swarms.
    Scrape(ScrapeRequest<'a>),
}

impl<'a> Request<'a> {
    /// Reads a datagram; bytes behind a connect are ignored, bytes behind an announce are its options.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RequestError> {
        let header = Header::parse(bytes)?;
        match header.action {
            CONNECT if header.connection_id == PROTOCOL_ID => {
                Ok(Self::Connect(ConnectRequest { transaction_id: header.transaction_id }))
            }
            CONNECT => Err(RequestError::NotProtocol),
            ANNOUNCE => AnnounceRequest::parse(header, bytes).map(Self::Announce),
            SCRAPE => ScrapeRequest::parse(header, bytes).map(Self::Scrape),
            _ => Err(RequestError::UnknownAction),
        }
    }
}

/// Asks for a connection id, which proves the sender's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectRequest {
    /// Returned in the response.
    pub transaction_id: u32,
}

impl ConnectRequest {
    /// Encodes the request.
    pub fn encode(&self) -> [u8; CONNECT_LEN] {
        head(PROTOCOL_ID, CONNECT, self.transaction_id)
    }
}

/// Announces a peer and asks for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnnounceRequest<'a> {
    /// From a connect response, at most two minutes old.
    pub connection_id: u64,
    /// Returned in the response.
    pub transaction_id: u32,
    /// The swarm.
    pub info_hash: InfoHash,
    /// The peer's id of this session.
    pub peer_id: PeerId,
    /// Bytes received in this session.
    pub downloaded: u64,
    /// Bytes still missing; 0 for a seed.
    pub left: u64,
    /// Bytes sent in this session.
    pub uploaded: u64,
    /// Why now.
    pub event: AnnounceEvent,
    /// An address claimed by the client, 0 for none; trackers do well to ignore it.
    pub ip: u32,
    /// A random number that survives a change of address.
    pub key: u32,
    /// Peers wanted; `None` (-1 on the wire) leaves it to the tracker.
    pub num_want: Option<u32>,
    /// The port the peer listens on.
    pub port: u16,
    /// Options as they came, or to append as they are (BEP 41).
    pub options: Options<'a>,
}

impl<'a> AnnounceRequest<'a> {
    fn parse(header: Header, bytes: &'a [u8]) -> Result<Self, RequestError> {
        let (fixed, options) = bytes.split_first_chunk::<ANNOUNCE_LEN>().ok_or(RequestError::Short)?;
        let read = || {
            Some(Self {
                connection_id: header.connection_id,
                transaction_id: header.transaction_id,
                info_hash: InfoHash(array(fixed, 16)?),
                peer_id: PeerId(array(fixed, 36)?),
                downloaded: u64_at(fixed, 56)?,
                left: u64_at(fixed, 64)?,
                uploaded: u64_at(fixed, 72)?,
                event: AnnounceEvent::from_number(u32_at(fixed, 80)?),
                ip: u32_at(fixed, 84)?,
                key: u32_at(fixed, 88)?,
                num_want: u32_at(fixed, 92).filter(|n| i32::try_from(*n).is_ok()),
                port: u16::from_be_bytes(array(fixed, 96)?),
                options: Options(options),
            })
        };
        read().ok_or(RequestError::Short)
    }

    /// Appends the request and its options.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut fixed = [0; ANNOUNCE_LEN];
        let mut put = Put(&mut fixed, 0);
        put.bytes(&head(self.connection_id, ANNOUNCE, self.transaction_id));
        put.bytes(&self.info_hash.0);
        put.bytes(&self.peer_id.0);
        put.bytes(&self.downloaded.to_be_bytes());
        put.bytes(&self.left.to_be_bytes());
        put.bytes(&self.uploaded.to_be_bytes());
        put.bytes(&(self.event as u32).to_be_bytes());
        put.bytes(&self.ip.to_be_bytes());
        put.bytes(&self.key.to_be_bytes());
        let num_want = self.num_want.and_then(|n| i32::try_from(n).ok()).unwrap_or(-1);
        put.bytes(&num_want.to_be_bytes());
        put.bytes(&self.port.to_be_bytes());
        out.extend_from_slice(&fixed);
        out.extend_from_slice(self.options.0);
    }
}

/// Asks for the counts of 1 to [`SCRAPE_MAX`] swarms; hashes behind the last that is allowed are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScrapeRequest<'a> {
    /// From a connect response, at most two minutes old.
    pub connection_id: u64,
    /// Returned in the response.
    pub transaction_id: u32,
    /// The swarms, in the order of the answer.
    pub info_hashes: &'a [[u8; 20]],
}

impl<'a> ScrapeRequest<'a> {
    fn parse(header: Header, bytes: &'a [u8]) -> Result<Self, RequestError> {
        let rest = bytes.get(SCRAPE_HEAD_LEN..).ok_or(RequestError::Short)?;
        let (hashes, cut) = rest.as_chunks::<20>();
        if hashes.is_empty() || !cut.is_empty() {
            return Err(RequestError::NoHashes);
        }
        Ok(Self {
            connection_id: header.connection_id,
            transaction_id: header.transaction_id,
            info_hashes: &hashes[..hashes.len().min(SCRAPE_MAX)],
        })
    }

    /// Appends the request.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&head(self.connection_id, SCRAPE, self.transaction_id));
        out.extend_from_slice(self.info_hashes[..self.info_hashes.len().min(SCRAPE_MAX)].as_flattened());
    }
}

fn head(connection_id: u64, action: u32, transaction_id: u32) -> [u8; CONNECT_LEN] {
    let mut bytes = [0; CONNECT_LEN];
    let mut put = Put(&mut bytes, 0);
    put.bytes(&connection_id.to_be_bytes());
    put.bytes(&action.to_be_bytes());
    put.bytes(&transaction_id.to_be_bytes());
    bytes
}
