//! `X-KazaaTag` and `X-Thex-URI` (section 8 of FastTrack's note, 11.5 of Gnutella's).

use crate::gnutella::{Urn, from_base32};
use data_encoding::BASE64;

/// The number of the tag that is the FTHash.
const FT_HASH: u8 = 3;

/// Reads `NUMBER=VALUE`.
pub fn parse_tag(value: &str) -> Option<(u8, &str)> {
    let (number, value) = value.split_once('=')?;
    Some((number.trim().parse().ok()?, value))
}

/// The value of `X-KazaaTag` for a file's FTHash: hashes have one more `=` before them.
pub fn ft_hash_tag(hash: &[u8; 20]) -> String {
    format!("{FT_HASH}=={}", BASE64.encode(hash))
}

/// The value of `X-Thex-URI`: where the tree is, and its root.
pub fn thex_uri(sha1: &[u8; 20], root: &[u8; 24]) -> String {
    format!("/uri-res/N2X?{};{}", Urn::Sha1(*sha1), crate::gnutella::base32(root))
}

/// Reads the path and the root of `X-Thex-URI`.
pub fn parse_thex_uri(value: &str) -> Option<(&str, [u8; 24])> {
    let (path, root) = value.trim().rsplit_once(';')?;
    Some((path, from_base32(root.as_bytes())?))
}
