//! The extension handshake (BEP 10): which extensions the sender knows, by which numbers, and facts about itself.
//!
//! Reading is tolerant: a field of the wrong type or out of its range counts as absent, unknown fields are skipped,
//! only something that is no dictionary at all is refused. A later handshake adds to the numbers of an earlier one
//! ([`ExtensionIds::update`]) and the number 0 switches an extension off.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{MAX_METADATA, PeerWireError};
use crate::bencode::{Document, Encoder, Limits, Value, decode_prefix_with};

/// The extended id of the extension handshake itself.
pub const HANDSHAKE_ID: u8 = 0;
/// The bytes of a client's name that are kept; longer ones exist only to annoy.
const MAX_CLIENT: usize = 128;
/// A handshake has a dozen fields and a dozen extensions; clients that list more are read up to these.
const DICTIONARY: Limits = Limits { bytes: 1024 * 1024, depth: 10, tokens: 2048 };

/// The extensions we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extension {
    /// `lt_donthave` (BEP 54).
    DontHave = 0,
    /// `ut_holepunch` (BEP 55).
    Holepunch = 1,
    /// `ut_metadata` (BEP 9).
    Metadata = 2,
    /// `ut_pex` (BEP 11).
    Pex = 3,
}

impl Extension {
    /// All of them, in the order of their names.
    pub const ALL: [Extension; 4] =
        [Extension::DontHave, Extension::Holepunch, Extension::Metadata, Extension::Pex];

    /// The key in the `m` dictionary.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Extension::DontHave => "lt_donthave",
            Extension::Holepunch => "ut_holepunch",
            Extension::Metadata => "ut_metadata",
            Extension::Pex => "ut_pex",
        }
    }
}

/// The numbers a peer gave the extensions: `None` not mentioned, 0 switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExtensionIds([Option<u8>; Extension::ALL.len()]);

impl ExtensionIds {
    /// The same numbers with one more.
    #[must_use]
    pub fn with(mut self, extension: Extension, id: u8) -> Self {
        self.0[extension as usize] = Some(id);
        self
    }

    /// The number to send `extension` by, or `None` if it was never offered or is switched off.
    #[must_use]
    pub fn id(&self, extension: Extension) -> Option<u8> {
        self.0[extension as usize].filter(|&id| id != 0)
    }

    /// The extension that goes by `id`.
    #[must_use]
    pub fn extension(&self, id: u8) -> Option<Extension> {
        Extension::ALL.into_iter().find(|&extension| self.id(extension) == Some(id))
    }

    /// Takes over what a later handshake mentions.
    pub fn update(&mut self, later: &ExtensionIds) {
        for (mine, theirs) in self.0.iter_mut().zip(later.0) {
            *mine = theirs.or(*mine);
        }
    }

    fn decode(m: Value<'_, '_>) -> ExtensionIds {
        let mut ids = ExtensionIds::default();
        for extension in Extension::ALL {
            let id = m.get(extension.name().as_bytes()).and_then(Value::as_u64);
            ids.0[extension as usize] = id.and_then(|id| u8::try_from(id).ok());
        }
        ids
    }

    fn encode(&self, encoder: &mut Encoder) {
        encoder.key("m").begin_dict();
        for extension in Extension::ALL {
            if let Some(id) = self.0[extension as usize] {
                encoder.entry_int(extension.name(), id);
            }
        }
        encoder.end();
    }
}

/// The content of an extension handshake; every field may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExtendedHandshake<'a> {
    /// `m`: the extensions the sender takes, by its own numbers.
    pub ids: ExtensionIds,
    /// `v`: the client's name, supposedly UTF-8, cut to 128 bytes; see [`super::client::printable`].
    pub client: Option<&'a [u8]>,
    /// `reqq`: the outstanding requests the sender keeps before it drops any.
    pub request_queue: Option<u32>,
    /// `p`: the TCP port the sender listens on.
    pub port: Option<u16>,
    /// `yourip`: the receiver's address as the sender sees it; a claim.
    pub your_ip: Option<IpAddr>,
    /// `ipv4`: the sender's IPv4 address; a claim.
    pub ipv4: Option<Ipv4Addr>,
    /// `ipv6`: the sender's IPv6 address; a claim.
    pub ipv6: Option<Ipv6Addr>,
    /// `metadata_size`: the bytes of the info dictionary (BEP 9), between 1 and [`MAX_METADATA`].
    pub metadata_size: Option<u32>,
    /// `upload_only`: the sender wants nothing (BEP 21).
    pub upload_only: Option<bool>,
    /// `complete_ago`: the seconds since the sender completed the torrent (libtorrent).
    pub complete_ago: Option<u32>,
}

impl<'a> ExtendedHandshake<'a> {
    /// Reads the payload of an extended message with [`HANDSHAKE_ID`]; `BadDictionary` if it is none.
    pub fn decode(payload: &'a [u8]) -> Result<Self, PeerWireError> {
        let (document, _) = decode_dictionary(payload, DICTIONARY)?;
        let root = document.root();
        let bytes = |key: &[u8]| root.get(key).and_then(Value::as_bytes);
        let number = |key: &[u8]| root.get(key).and_then(Value::as_u64);
        let saturated = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        Ok(ExtendedHandshake {
            ids: root.get(b"m").map(ExtensionIds::decode).unwrap_or_default(),
            client: bytes(b"v").map(|name| &name[..name.len().min(MAX_CLIENT)]),
            request_queue: number(b"reqq").filter(|&n| n != 0).map(saturated),
            port: number(b"p").and_then(|n| u16::try_from(n).ok()).filter(|&port| port != 0),
            your_ip: bytes(b"yourip").and_then(decode_ip),
            ipv4: bytes(b"ipv4").and_then(|ip| <[u8; 4]>::try_from(ip).ok()).map(Ipv4Addr::from),
            ipv6: bytes(b"ipv6").and_then(|ip| <[u8; 16]>::try_from(ip).ok()).map(Ipv6Addr::from),
            metadata_size: number(b"metadata_size")
                .and_then(|n| u32::try_from(n).ok())
                .filter(|size| (1..=MAX_METADATA).contains(size)),
            upload_only: root.get(b"upload_only").and_then(Value::as_int).map(|n| n != 0),
            complete_ago: number(b"complete_ago").map(saturated),
        })
    }

    /// Appends the payload (without length, message id and extended id); fields that are `None` are left out.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut encoder = Encoder::with_buffer(std::mem::take(out));
        encoder.begin_dict();
        entry_int(&mut encoder, "complete_ago", self.complete_ago);
        if let Some(ip) = self.ipv4 {
            encoder.entry_bytes("ipv4", ip.octets());
        }
        if let Some(ip) = self.ipv6 {
            encoder.entry_bytes("ipv6", ip.octets());
        }
        self.ids.encode(&mut encoder);
        entry_int(&mut encoder, "metadata_size", self.metadata_size);
        entry_int(&mut encoder, "p", self.port);
        entry_int(&mut encoder, "reqq", self.request_queue);
        entry_int(&mut encoder, "upload_only", self.upload_only.map(u8::from));
        if let Some(client) = self.client {
            encoder.entry_bytes("v", client);
        }
        match self.your_ip {
            Some(IpAddr::V4(ip)) => _ = encoder.entry_bytes("yourip", ip.octets()),
            Some(IpAddr::V6(ip)) => _ = encoder.entry_bytes("yourip", ip.octets()),
            None => {}
        }
        encoder.end();
        *out = encoder.finish();
    }
}

/// Decodes the dictionary at the front of `payload` and says how many bytes it took; `BadDictionary` where there is
/// none within the limits.
pub(super) fn decode_dictionary(
    payload: &[u8],
    limits: Limits,
) -> Result<(Document<'_>, usize), PeerWireError> {
    if payload.first() != Some(&b'd') {
        return Err(PeerWireError::BadDictionary);
    }
    decode_prefix_with(payload, limits).map_err(|_| PeerWireError::BadDictionary)
}

fn entry_int(encoder: &mut Encoder, key: &str, value: Option<impl Into<i128>>) {
    if let Some(value) = value {
        encoder.entry_int(key, value);
    }
}

fn decode_ip(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        _ => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
    }
}

#[cfg(test)]
#[path = "extended_tests.rs"]
mod tests;
