//! The announce reply: peers or a failure, as bencode (BEP 3, 7, 23, 24, 31).

use std::net::{IpAddr, SocketAddr};

use super::{PEERS_MAX, ReplyError, TEXT_MAX, decode, text};
use crate::bencode::{Encoder, Value};
use crate::tracker::{CompactV4, CompactV6};

/// When a refused client may come again (BEP 31).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// After that many minutes.
    Minutes(u32),
    /// Never: this is no tracker, or not for this swarm.
    Never,
}

/// A refusal in the tracker's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// For the user; at most [`TEXT_MAX`] bytes, no control characters.
    pub reason: String,
    /// When to come again, if the tracker says so.
    pub retry: Option<Retry>,
}

/// What a tracker answers to an announce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnnounceReply {
    /// Peers.
    Peers(AnnounceResponse),
    /// A refusal.
    Failure(Failure),
}

/// Peers and advice, as a client takes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnnounceResponse {
    /// Seconds until the next announce, as the tracker says; the client bounds it.
    pub interval: Option<u32>,
    /// Seconds before which no announce is wanted.
    pub min_interval: Option<u32>,
    /// Seeds.
    pub complete: Option<u32>,
    /// Leechers.
    pub incomplete: Option<u32>,
    /// To be returned as `trackerid`.
    pub tracker_id: Option<Vec<u8>>,
    /// For the user.
    pub warning: Option<String>,
    /// Our address as the tracker sees it (BEP 24).
    pub external_ip: Option<IpAddr>,
    /// Peers of both families, at most [`PEERS_MAX`] of each, in the tracker's order; none with port 0.
    pub peers: Vec<SocketAddr>,
}

impl AnnounceReply {
    /// Reads a body.
    pub fn parse(body: &[u8]) -> Result<Self, ReplyError> {
        let document = decode(body)?;
        let root = document.root();
        if root.as_dict().is_none() {
            return Err(ReplyError::NotReply);
        }
        if let Some(failure) = Failure::of(root) {
            return Ok(Self::Failure(failure));
        }
        let mut peers = Vec::new();
        let v4 = root.get(b"peers");
        let v6 = root.get(b"peers6");
        if v4.is_none() && v6.is_none() && root.get(b"interval").is_none() {
            return Err(ReplyError::NotReply);
        }
        if let Some(value) = v4 {
            let compact = CompactV4(value.as_bytes().unwrap_or_default()).filter(|peer| peer.port() != 0);
            peers.extend(compact.take(PEERS_MAX).map(SocketAddr::from));
            peers.extend(value.as_list().into_iter().flatten().take(PEERS_MAX).filter_map(peer_of));
        }
        if let Some(value) = v6 {
            let compact = CompactV6(value.as_bytes().unwrap_or_default()).filter(|peer| peer.port() != 0);
            peers.extend(compact.take(PEERS_MAX).map(SocketAddr::from));
            peers.extend(value.as_list().into_iter().flatten().take(PEERS_MAX).filter_map(peer_of));
        }
        Ok(Self::Peers(AnnounceResponse {
            interval: seconds(root, b"interval"),
            min_interval: seconds(root, b"min interval"),
            complete: seconds(root, b"complete"),
            incomplete: seconds(root, b"incomplete"),
            tracker_id: bytes(root, b"tracker id").filter(|id| id.len() <= TEXT_MAX).map(<[u8]>::to_vec),
            warning: bytes(root, b"warning message").map(text),
            external_ip: bytes(root, b"external ip").and_then(address),
            peers,
        }))
    }
}

impl Failure {
    /// The refusal in a reply's dictionary, if there is one.
    pub(super) fn of(root: Value<'_, '_>) -> Option<Self> {
        let reason = text(bytes(root, b"failure reason")?);
        let retry = root.get(b"retry in").and_then(|value| match value.as_bytes() {
            Some(b"never") => Some(Retry::Never),
            Some(digits) => super::query::number(digits).map(minutes),
            None => value.as_u64().map(minutes),
        });
        Some(Self { reason, retry })
    }
}

fn minutes(value: u64) -> Retry {
    Retry::Minutes(u32::try_from(value).unwrap_or(u32::MAX))
}

fn seconds(root: Value<'_, '_>, key: &[u8]) -> Option<u32> {
    root.get(key)?.as_u64().map(|value| u32::try_from(value).unwrap_or(u32::MAX))
}

fn bytes<'a>(root: Value<'_, 'a>, key: &[u8]) -> Option<&'a [u8]> {
    root.get(key)?.as_bytes()
}

/// BEP 24 has 4 or 16 raw bytes; some trackers send the address as text.
fn address(value: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(value) {
        return Some(octets.into());
    }
    if let Ok(octets) = <[u8; 16]>::try_from(value) {
        return Some(IpAddr::from(octets).to_canonical());
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// A peer of the dictionary form, whose `ip` may be of either family; host names are skipped.
fn peer_of(value: Value<'_, '_>) -> Option<SocketAddr> {
    let ip: IpAddr = value.get(b"ip")?.as_str()?.parse().ok()?;
    let port = u16::try_from(value.get(b"port")?.as_u64()?).ok().filter(|port| *port != 0)?;
    Some(SocketAddr::new(ip, port))
}

/// Peers and advice, as our tracker writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnnounceBody<'a> {
    /// Seeds.
    pub complete: u32,
    /// Leechers.
    pub incomplete: u32,
    /// Seconds until the next announce.
    pub interval: u32,
    /// Seconds before which no announce is wanted.
    pub min_interval: u32,
    /// The client's address as we see it.
    pub external_ip: Option<IpAddr>,
    /// Compact IPv4 peers.
    pub peers: &'a [u8],
    /// Compact IPv6 peers; left out if empty.
    pub peers6: &'a [u8],
}

impl AnnounceBody<'_> {
    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut encoder = Encoder::with_buffer(std::mem::take(out));
        encoder.begin_dict().entry_int("complete", self.complete);
        match self.external_ip.map(|ip| ip.to_canonical()) {
            Some(IpAddr::V4(ip)) => _ = encoder.entry_bytes("external ip", ip.octets()),
            Some(IpAddr::V6(ip)) => _ = encoder.entry_bytes("external ip", ip.octets()),
            None => {}
        }
        encoder.entry_int("incomplete", self.incomplete).entry_int("interval", self.interval);
        encoder.entry_int("min interval", self.min_interval).entry_bytes("peers", self.peers);
        if !self.peers6.is_empty() {
            encoder.entry_bytes("peers6", self.peers6);
        }
        encoder.end();
        *out = encoder.finish();
    }
}

/// Appends a refusal.
pub fn push_failure(reason: &str, retry: Option<Retry>, out: &mut Vec<u8>) {
    let mut encoder = Encoder::with_buffer(std::mem::take(out));
    encoder.begin_dict().entry_bytes("failure reason", reason);
    match retry {
        Some(Retry::Minutes(minutes)) => _ = encoder.entry_int("retry in", minutes),
        Some(Retry::Never) => _ = encoder.entry_bytes("retry in", "never"),
        None => {}
    }
    encoder.end();
    *out = encoder.finish();
}
