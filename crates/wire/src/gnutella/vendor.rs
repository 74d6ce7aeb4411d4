//! Vendor messages (section 4.9): between the two ends of a link, some by UDP.

use super::Error;
use super::number::{array, take, u16};
use std::collections::BTreeSet;

/// Kinds a list of supported ones may name.
const MOST_SUPPORTED: u16 = 512;

/// Which vendor message: four letters, selector, version.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VendorKind {
    /// Four letters; zeros for those all agreed on.
    pub vendor: [u8; 4],
    /// Which of the vendor's.
    pub selector: u16,
    /// Its version.
    pub version: u16,
}

impl VendorKind {
    /// A kind.
    pub const fn new(vendor: &[u8; 4], selector: u16, version: u16) -> VendorKind {
        VendorKind { vendor: *vendor, selector, version }
    }

    /// What the sender understands: the first message each way.
    pub const MESSAGES_SUPPORTED: VendorKind = VendorKind::new(b"\0\0\0\0", 0, 0);
    /// What else it can do.
    pub const FEATURES_SUPPORTED: VendorKind = VendorKind::new(b"\0\0\0\0", 10, 0);
    /// From a leaf: no queries that have gone that far.
    pub const HOPS_FLOW: VendorKind = VendorKind::new(b"BEAR", 4, 1);
    /// Connect to my port and send two line feeds.
    pub const CONNECT_BACK: VendorKind = VendorKind::new(b"BEAR", 7, 1);
    /// Send a ping to my UDP port.
    pub const UDP_CONNECT_BACK: VendorKind = VendorKind::new(b"GTKG", 7, 1);
    /// Be my push proxy.
    pub const PUSH_PROXY: VendorKind = VendorKind::new(b"LIME", 21, 1);
    /// I am.
    pub const PUSH_PROXY_ACK: VendorKind = VendorKind::new(b"LIME", 22, 2);
    /// You need not be any more.
    pub const PUSH_PROXY_CANCEL: VendorKind = VendorKind::new(b"GTKG", 21, 1);
    /// How many hits did you keep?
    pub const QUERY_STATUS_REQUEST: VendorKind = VendorKind::new(b"BEAR", 11, 1);
    /// So many; ffff: stop.
    pub const QUERY_STATUS: VendorKind = VendorKind::new(b"BEAR", 12, 1);
    /// Ours, from an ultrapeer to the leaf it searches for: all were asked that are going to be; so many results (u16)
    /// were counted.
    pub const QUERY_OVER: VendorKind = VendorKind::new(b"THRG", 1, 1);
    /// Ours, between ultrapeers: whom the sender is linked with, seven bytes each: address, port, links it aims for.
    pub const NEIGHBOURS: VendorKind = VendorKind::new(b"THRG", 2, 1);
    /// By UDP: so many hits wait here.
    pub const OUT_OF_BAND_REPLY: VendorKind = VendorKind::new(b"LIME", 12, 2);
    /// The same, with a token.
    pub const OUT_OF_BAND_REPLY_SECURE: VendorKind = VendorKind::new(b"LIME", 12, 3);
    /// By UDP: send so many.
    pub const OUT_OF_BAND_ACK: VendorKind = VendorKind::new(b"LIME", 11, 2);
    /// The same, with a token.
    pub const OUT_OF_BAND_ACK_SECURE: VendorKind = VendorKind::new(b"LIME", 11, 3);
    /// Do not turn my queries into out-of-band ones.
    pub const NO_PROXY: VendorKind = VendorKind::new(b"LIME", 13, 1);
}

impl std::fmt::Debug for VendorKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}v{}", self.vendor.escape_ascii(), self.selector, self.version)
    }
}

/// A vendor message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VendorMessage<'a> {
    /// Which.
    pub kind: VendorKind,
    /// Its data.
    pub data: &'a [u8],
}

impl<'a> VendorMessage<'a> {
    /// Reads a payload.
    pub fn parse(mut payload: &'a [u8]) -> Result<VendorMessage<'a>, Error> {
        let bytes = &mut payload;
        let kind = VendorKind { vendor: array(bytes)?, selector: u16(bytes)?, version: u16(bytes)? };
        Ok(VendorMessage { kind, data: bytes })
    }

    /// Appends the payload.
    pub fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.kind.vendor);
        out.extend_from_slice(&self.kind.selector.to_le_bytes());
        out.extend_from_slice(&self.kind.version.to_le_bytes());
        out.extend_from_slice(self.data);
    }

    /// The kinds of a list of supported messages; one that says more than it holds gives what it holds.
    pub fn supported(mut data: &[u8]) -> BTreeSet<VendorKind> {
        let bytes = &mut data;
        let count = u16(bytes).unwrap_or(0).min(MOST_SUPPORTED);
        let kinds = (0..count).map_while(|_| {
            let mut item = take(bytes, 8).ok()?;
            let item = &mut item;
            Some(VendorKind {
                vendor: array(item).ok()?,
                selector: u16(item).ok()?,
                version: u16(item).ok()?,
            })
        });
        kinds.collect()
    }

    /// The data of a list of supported messages.
    pub fn support(kinds: &[VendorKind]) -> Vec<u8> {
        let mut out = (kinds.len() as u16).to_le_bytes().to_vec();
        for kind in kinds {
            VendorMessage { kind: *kind, data: &[] }.put(&mut out);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_supported_messages_are_read_as_far_as_they_go() {
        let kinds = [VendorKind::HOPS_FLOW, VendorKind::PUSH_PROXY, VendorKind::CONNECT_BACK];
        let data = VendorMessage::support(&kinds);
        assert_eq!(VendorMessage::supported(&data), kinds.into());
        assert_eq!(VendorMessage::supported(&data[..20]).len(), 2);
        assert_eq!(VendorMessage::supported(&[0xff, 0xff]).len(), 0);
        assert_eq!(format!("{:?}", VendorKind::HOPS_FLOW), "BEAR/4v1");
    }

    #[test]
    fn a_vendor_message_survives() {
        let message = VendorMessage { kind: VendorKind::QUERY_STATUS, data: &[0xff, 0xff] };
        let mut out = Vec::new();
        message.put(&mut out);
        assert_eq!(out, b"BEAR\x0c\0\x01\0\xff\xff");
        assert_eq!(VendorMessage::parse(&out), Ok(message));
        assert_eq!(VendorMessage::parse(&out[..7]), Err(Error::Truncated));
    }
}
