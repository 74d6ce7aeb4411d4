//! Magnet links: `magnet:?xt=urn:btih:…&dn=…&tr=…` (BEP 9, BEP 53, v2 hashes as in BEP 52).
//!
//! The link is the handle of a file in every system: besides the info-hashes it keeps `urn:sha1`, `urn:tree:tiger` and
//! the two together as `urn:bitprint`. Unknown keys and hashes are ignored, counts and lengths are bounded, and what
//! is written is read back the same.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::str::FromStr;

use data_encoding::{BASE32, BASE32_NOPAD, HEXLOWER_PERMISSIVE};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::ids::{InfoHash, InfoHashV1, InfoHashV2};

/// Longest link, in bytes.
pub const MAX_LEN: usize = 64 * 1024;
/// Most trackers, web seeds, peers and ranges, each; more are ignored.
pub const MAX_ITEMS: usize = 256;
/// Longest decoded value kept, in bytes; longer ones are ignored.
pub const MAX_VALUE_LEN: usize = 2_048;

/// Characters written as `%XX`: all but those RFC 3986 calls unreserved.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Why a text is no usable magnet link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MagnetError {
    /// It does not begin with `magnet:?`.
    #[error("not a magnet link")]
    NotMagnet,
    /// Longer than [`MAX_LEN`].
    #[error("magnet link: too long")]
    TooLong,
    /// A hash of a known kind with wrong length or digits, or two of one kind that differ.
    #[error("magnet link: malformed or contradictory hash")]
    Hash,
    /// No hash of a known kind.
    #[error("magnet link: no known hash")]
    NoHash,
}

/// Where a peer can be reached (`x.pe`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PeerAddress {
    /// An IP address and port.
    Socket(SocketAddr),
    /// A host name, to be looked up, and port.
    Host(String, u16),
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(address) => address.fmt(f),
            Self::Host(host, port) => write!(f, "{host}:{port}"),
        }
    }
}

impl FromStr for PeerAddress {
    type Err = MagnetError;

    /// Reads `1.2.3.4:5`, `[2001:db8::1]:5` or `host:5`; port 0 is refused.
    fn from_str(text: &str) -> Result<Self, MagnetError> {
        let (host, port) = text.rsplit_once(':').ok_or(MagnetError::NotMagnet)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or(MagnetError::NotMagnet)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if let Ok(ip) = bare.parse::<IpAddr>() {
            return Ok(Self::Socket(SocketAddr::new(ip, port)));
        }
        let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        let valid = !host.is_empty() && host.len() <= 253 && host.chars().all(letter);
        if valid { Ok(Self::Host(host.to_owned(), port)) } else { Err(MagnetError::NotMagnet) }
    }
}

/// A parsed link.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Magnet {
    /// `urn:btih`: v1 info-hash.
    pub v1: Option<InfoHashV1>,
    /// `urn:btmh`: v2 info-hash, a SHA-256 multihash.
    pub v2: Option<InfoHashV2>,
    /// `urn:sha1`: SHA-1 of the file itself.
    pub sha1: Option<[u8; 20]>,
    /// `urn:tree:tiger`: root of the file's tiger tree.
    pub tiger_tree: Option<[u8; 24]>,
    /// `dn`: suggested name, a stranger's word.
    pub name: Option<String>,
    /// `xl`: length in bytes.
    pub length: Option<u64>,
    /// `tr`: tracker URLs.
    pub trackers: Vec<String>,
    /// `ws`: web seed URLs.
    pub web_seeds: Vec<String>,
    /// `x.pe`: peers.
    pub peers: Vec<PeerAddress>,
    /// `so`: indices of the wanted files (BEP 53); empty means all.
    pub select_only: Vec<RangeInclusive<u32>>,
}

impl Magnet {
    /// The names of its swarms: v1 first, then v2 truncated.
    pub fn swarms(&self) -> impl Iterator<Item = InfoHash> {
        self.v1.map(InfoHash::from).into_iter().chain(self.v2.map(InfoHash::from))
    }

    /// Whether the file with this index is wanted.
    pub fn selects(&self, file: u32) -> bool {
        self.select_only.is_empty() || self.select_only.iter().any(|range| range.contains(&file))
    }

    fn parameter(&mut self, key: &str, raw: &str) -> Result<(), MagnetError> {
        // `tr.1`, `xt.2`: numbered where a writer cannot repeat a key. `x.pe` is a name of its own.
        let base = match key.split_once('.') {
            Some((base, number)) if !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit()) => base,
            _ => key,
        };
        // Form encoding writes a space as plus; only in names is that meant and no plus.
        let raw = if base == "dn" { raw.replace('+', " ") } else { raw.to_owned() };
        let value = percent_decode_str(&raw).decode_utf8_lossy().into_owned();
        if value.is_empty() || value.len() > MAX_VALUE_LEN {
            return Ok(());
        }
        match base {
            "xt" => return self.topic(&value),
            "dn" if self.name.is_none() => self.name = Some(value),
            "xl" => self.length = value.parse().ok().or(self.length),
            "tr" => push(&mut self.trackers, value),
            "ws" => push(&mut self.web_seeds, value),
            "x.pe" => _ = value.parse().map(|peer| push(&mut self.peers, peer)),
            "so" => self.select(&value),
            _ => {}
        }
        Ok(())
    }

    fn topic(&mut self, urn: &str) -> Result<(), MagnetError> {
        let lower = urn.to_ascii_lowercase();
        let hash = |prefix: &str| lower.strip_prefix(prefix);
        if let Some(text) = hash("urn:btih:") {
            let hash = hex_array(text).or_else(|| base32_array(text)).ok_or(MagnetError::Hash)?;
            return set(&mut self.v1, InfoHashV1(hash));
        }
        if let Some(text) = hash("urn:btmh:") {
            // 0x12: SHA-256, 0x20: 32 bytes.
            let hash = text.strip_prefix("1220").and_then(hex_array).ok_or(MagnetError::Hash)?;
            return set(&mut self.v2, InfoHashV2(hash));
        }
        if let Some(text) = hash("urn:sha1:") {
            return set(&mut self.sha1, base32_array(text).ok_or(MagnetError::Hash)?);
        }
        if let Some(text) = hash("urn:tree:tiger:") {
            return set(&mut self.tiger_tree, base32_array(text).ok_or(MagnetError::Hash)?);
        }
        if let Some(text) = hash("urn:bitprint:") {
            let (sha1, tiger) = text.split_once('.').ok_or(MagnetError::Hash)?;
            set(&mut self.sha1, base32_array(sha1).ok_or(MagnetError::Hash)?)?;
            return set(&mut self.tiger_tree, base32_array(tiger).ok_or(MagnetError::Hash)?);
        }
        Ok(())
    }

    /// Comma-separated indices and ranges; malformed ones are ignored.
    fn select(&mut self, list: &str) {
        for item in list.split(',') {
            let (first, last) = item.split_once('-').unwrap_or((item, item));
            let (Ok(first), Ok(last)) = (first.trim().parse::<u32>(), last.trim().parse::<u32>()) else {
                continue;
            };
            if first <= last {
                push(&mut self.select_only, first..=last);
            }
        }
    }
}

fn push<T: PartialEq>(items: &mut Vec<T>, item: T) {
    if items.len() < MAX_ITEMS && !items.contains(&item) {
        items.push(item);
    }
}

fn set<T: PartialEq>(slot: &mut Option<T>, hash: T) -> Result<(), MagnetError> {
    match slot {
        Some(known) if *known != hash => Err(MagnetError::Hash),
        _ => {
            *slot = Some(hash);
            Ok(())
        }
    }
}

fn hex_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N {
        return None;
    }
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?.try_into().ok()
}

/// Base 32 with or without its padding.
fn base32_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    let text = text.trim_end_matches('=').to_ascii_uppercase();
    if text.len() != (N * 8).div_ceil(5) {
        return None;
    }
    BASE32_NOPAD.decode(text.as_bytes()).ok()?.try_into().ok()
}

impl FromStr for Magnet {
    type Err = MagnetError;

    fn from_str(link: &str) -> Result<Self, MagnetError> {
        let link = link.trim();
        if link.len() > MAX_LEN {
            return Err(MagnetError::TooLong);
        }
        let (scheme, query) = link.split_once('?').ok_or(MagnetError::NotMagnet)?;
        if !scheme.eq_ignore_ascii_case("magnet:") {
            return Err(MagnetError::NotMagnet);
        }
        let mut magnet = Self::default();
        let query = query.split('#').next().unwrap_or_default();
        for pair in query.split('&') {
            // Links copied out of the source of a page have `&amp;` between their parts.
            let pair = pair.strip_prefix("amp;").unwrap_or(pair);
            if let Some((key, value)) = pair.split_once('=') {
                magnet.parameter(&key.to_ascii_lowercase(), value)?;
            }
        }
        let any = magnet.v1.is_some()
            || magnet.v2.is_some()
            || magnet.sha1.is_some()
            || magnet.tiger_tree.is_some();
        if any { Ok(magnet) } else { Err(MagnetError::NoHash) }
    }
}

impl fmt::Display for Magnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut mark = "magnet:?";
        let mut pair = |key: &str, value: &dyn fmt::Display| {
            write!(f, "{mark}{key}={value}")?;
            mark = "&";
            Ok(())
        };
        let escape = |text: &str| utf8_percent_encode(text, ESCAPED).to_string();
        self.v1.iter().try_for_each(|hash| pair("xt", &format_args!("urn:btih:{hash}")))?;
        self.v2.iter().try_for_each(|hash| pair("xt", &format_args!("urn:btmh:1220{hash}")))?;
        let base32 = |hash: &[u8]| BASE32.encode(hash).trim_end_matches('=').to_owned();
        self.sha1.iter().try_for_each(|hash| pair("xt", &format_args!("urn:sha1:{}", base32(hash))))?;
        self.tiger_tree
            .iter()
            .try_for_each(|hash| pair("xt", &format_args!("urn:tree:tiger:{}", base32(hash))))?;
        self.name.iter().try_for_each(|name| pair("dn", &escape(name)))?;
        self.length.iter().try_for_each(|length| pair("xl", length))?;
        self.trackers.iter().try_for_each(|url| pair("tr", &escape(url)))?;
        self.web_seeds.iter().try_for_each(|url| pair("ws", &escape(url)))?;
        self.peers.iter().try_for_each(|peer| pair("x.pe", peer))?;
        let ranges = self.select_only.iter().map(|range| match (range.start(), range.end()) {
            (first, last) if first == last => first.to_string(),
            (first, last) => format!("{first}-{last}"),
        });
        let ranges = ranges.collect::<Vec<_>>().join(",");
        if ranges.is_empty() { Ok(()) } else { pair("so", &ranges) }
    }
}

#[cfg(test)]
mod tests;
