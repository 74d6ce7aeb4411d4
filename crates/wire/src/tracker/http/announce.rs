//! The announce request: parameters of BEP 3, 7 and 23.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::query::{Query, decode_exact, decode_value, number, percent_encode};
use super::{QueryError, TEXT_MAX};
use crate::ids::{InfoHash, PeerId};
use crate::tracker::AnnounceEvent;

/// One announce; reading allocates only for an escaped `trackerid`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnounceRequest<'a> {
    /// The swarm.
    pub info_hash: InfoHash,
    /// The peer's id of this session.
    pub peer_id: PeerId,
    /// The port the peer listens on.
    pub port: u16,
    /// Bytes sent in this session.
    pub uploaded: u64,
    /// Bytes received in this session.
    pub downloaded: u64,
    /// Bytes still missing; 0 for a seed. Absent in a request it counts as unknown, so not 0.
    pub left: u64,
    /// Why now.
    pub event: AnnounceEvent,
    /// Peers wanted; `None` leaves it to the tracker.
    pub num_want: Option<u32>,
    /// A random number that survives a change of address; unreadable ones are `None`.
    pub key: Option<u32>,
    /// Whether the compact form is asked for; ours always is.
    pub compact: bool,
    /// Whether peer ids may be left out of the dictionary form.
    pub no_peer_id: bool,
    /// What the tracker gave as `tracker id` before.
    pub tracker_id: Option<Cow<'a, [u8]>>,
    /// A claim to be reachable over IPv4 too (BEP 7); trackers do well to ignore it.
    pub ipv4: Option<Ipv4Addr>,
    /// A claim to be reachable over IPv6 too (BEP 7).
    pub ipv6: Option<Ipv6Addr>,
}

impl<'a> AnnounceRequest<'a> {
    /// A request with what every announce has; the rest at its default.
    pub fn new(info_hash: InfoHash, peer_id: PeerId, port: u16) -> Self {
        Self {
            info_hash,
            peer_id,
            port,
            uploaded: 0,
            downloaded: 0,
            left: u64::MAX,
            event: AnnounceEvent::None,
            num_want: None,
            key: None,
            compact: true,
            no_peer_id: true,
            tracker_id: None,
            ipv4: None,
            ipv6: None,
        }
    }

    /// Reads what stands behind the `?`. Unknown parameters are ignored; of doubled ones the last counts.
    pub fn parse(query: &'a [u8]) -> Result<Self, QueryError> {
        let mut request = Self::new(InfoHash([0; 20]), PeerId([0; 20]), 0);
        request.compact = false;
        request.no_peer_id = false;
        let (mut has_hash, mut has_id) = (false, false);
        for (key, value) in Query(query) {
            match key {
                b"info_hash" => {
                    let hash = decode_exact(value).ok_or(QueryError::Invalid("info_hash"))?;
                    request.info_hash = InfoHash(hash);
                    has_hash = true;
                }
                b"peer_id" => {
                    request.peer_id = PeerId(decode_exact(value).ok_or(QueryError::Invalid("peer_id"))?);
                    has_id = true;
                }
                _ => request.set(key, value)?,
            }
        }
        match (has_hash, has_id, request.port) {
            (false, ..) => Err(QueryError::Missing("info_hash")),
            (_, false, _) => Err(QueryError::Missing("peer_id")),
            (.., 0) => Err(QueryError::Missing("port")),
            _ => Ok(request),
        }
    }

    fn set(&mut self, key: &[u8], value: &'a [u8]) -> Result<(), QueryError> {
        match key {
            b"port" => {
                let port = number(value).and_then(|port| u16::try_from(port).ok());
                self.port = port.filter(|port| *port != 0).ok_or(QueryError::Invalid("port"))?;
            }
            b"uploaded" => self.uploaded = number(value).ok_or(QueryError::Invalid("uploaded"))?,
            b"downloaded" => self.downloaded = number(value).ok_or(QueryError::Invalid("downloaded"))?,
            b"left" => self.left = number(value).ok_or(QueryError::Invalid("left"))?,
            b"event" => self.event = AnnounceEvent::from_query(value),
            // A negative or unreadable wish leaves it to the tracker.
            b"numwant" => self.num_want = number(value).map(|n| u32::try_from(n).unwrap_or(u32::MAX)),
            b"key" => self.key = parse_key(value),
            b"compact" => self.compact = value == b"1",
            b"no_peer_id" => self.no_peer_id = value == b"1",
            b"trackerid" if value.len() <= 3 * TEXT_MAX => self.tracker_id = Some(decode_value(value)),
            b"ipv4" => self.ipv4 = parse_v4(value),
            b"ipv6" => self.ipv6 = parse_v6(value),
            _ => {}
        }
        Ok(())
    }

    /// Appends the query string (without `?`).
    pub fn write_query(&self, out: &mut String) {
        out.push_str("info_hash=");
        percent_encode(&self.info_hash.0, out);
        out.push_str("&peer_id=");
        percent_encode(&self.peer_id.0, out);
        // Writing to a String can't fail.
        let _ = write!(out, "&port={}&uploaded={}", self.port, self.uploaded);
        let _ = write!(out, "&downloaded={}&left={}", self.downloaded, self.left);
        let _ = write!(out, "&compact={}", u8::from(self.compact));
        let mut put = |key: &str, value: &dyn std::fmt::Display| {
            let _ = write!(out, "&{key}={value}");
        };
        if self.no_peer_id {
            put("no_peer_id", &1);
        }
        if let Some(event) = self.event.as_str() {
            put("event", &event);
        }
        if let Some(num_want) = self.num_want {
            put("numwant", &num_want);
        }
        if let Some(key) = self.key {
            put("key", &format_args!("{key:08X}"));
        }
        if let Some(ip) = self.ipv4 {
            put("ipv4", &ip);
        }
        if let Some(ip) = self.ipv6 {
            put("ipv6", &percent_encoding::percent_encode(ip.to_string().as_bytes(), super::query::ESCAPED));
        }
        if let Some(id) = &self.tracker_id {
            out.push_str("&trackerid=");
            percent_encode(id, out);
        }
    }
}

/// Clients send the key as up to 8 hexadecimal digits; others' inventions are of no use to us.
fn parse_key(value: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(value).ok().filter(|text| !text.starts_with('+'))?;
    u32::from_str_radix(text, 16).ok()
}

/// `ipv4=` holds an address, or an address and a port.
fn parse_v4(value: &[u8]) -> Option<Ipv4Addr> {
    let text = decode_text(value)?;
    let with_port = || text.parse::<SocketAddr>().ok().map(|endpoint| endpoint.ip());
    match text.parse().ok().or_else(with_port)? {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    }
}

fn parse_v6(value: &[u8]) -> Option<Ipv6Addr> {
    let text = decode_text(value)?;
    let with_port = || text.parse::<SocketAddr>().ok().map(|endpoint| endpoint.ip());
    match text.parse().ok().or_else(with_port)? {
        IpAddr::V6(ip) => Some(ip),
        IpAddr::V4(_) => None,
    }
}

fn decode_text(value: &[u8]) -> Option<String> {
    // The longest: an address in brackets with its port, every byte escaped.
    (value.len() <= 3 * 64).then(|| decode_value(value).into_owned()).and_then(|v| String::from_utf8(v).ok())
}
