//! Our tag 3A: what our nodes know of a file beyond FTHash, as a magnet link (section 14 of the note).
//!
//! The link has the swarm's info-hashes, SHA-1 and tiger root where they are known, the sharer's swarm endpoint as
//! `x.pe`, and the pieces root, for which magnet links have no field, as `x.root` in hexadecimal.

use crate::discovery::Item;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use std::net::SocketAddr;
use throng_wire::ids::{InfoHash, InfoHashV1, InfoHashV2};
use throng_wire::magnet::{Magnet, PeerAddress};

/// Bytes of the tag at most.
const MAX_MAGNET: usize = 1_024;
/// What stands before the root.
const ROOT: &str = "x.root=";

/// The tag's data for an item; `None` if nothing is known that a magnet link could say.
pub(super) fn write(item: &Item, swarm: Option<SocketAddr>) -> Option<Vec<u8>> {
    let magnet = Magnet {
        v1: item.info_hash.filter(|_| item.info_hash_v2.is_none()).map(InfoHashV1::from),
        v2: item.info_hash_v2.map(InfoHashV2::from),
        sha1: item.sha1,
        tiger_tree: item.tiger,
        length: Some(item.size),
        peers: swarm.map(PeerAddress::Socket).into_iter().collect(),
        ..Magnet::default()
    };
    let knows = magnet.v1.is_some() || magnet.v2.is_some() || magnet.sha1.is_some() || item.root.is_some();
    let mut text = magnet.to_string();
    if let Some(root) = &item.root {
        let joint = if text.ends_with('?') || text.ends_with('&') { "" } else { "&" };
        text.push_str(&format!("{joint}{ROOT}{}", HEXLOWER.encode(root)));
    }
    (knows && text.len() <= MAX_MAGNET).then(|| text.into_bytes())
}

/// The pieces root that a tag's data names.
pub(super) fn root(data: &[u8]) -> Option<[u8; 32]> {
    let text = std::str::from_utf8(data).ok().filter(|text| text.len() <= MAX_MAGNET)?;
    let after = text.strip_prefix("magnet:?")?;
    let digits = after.split('&').find_map(|part| part.strip_prefix(ROOT))?;
    HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok()?.try_into().ok()
}

/// Adds to an item what a tag's data says; returns the sharer's swarm endpoint. A stranger's word, all of it.
pub(super) fn read(data: &[u8], item: &mut Item) -> Option<SocketAddr> {
    item.root = root(data);
    let text = std::str::from_utf8(data).ok().filter(|text| text.len() <= MAX_MAGNET)?;
    let magnet: Magnet = text.parse().ok()?;
    item.info_hash = magnet.swarms().next().map(|name: InfoHash| name.0);
    item.info_hash_v2 = magnet.v2.map(|hash| hash.0);
    (item.sha1, item.tiger) = (magnet.sha1, magnet.tiger_tree);
    magnet.peers.iter().find_map(|peer| match peer {
        PeerAddress::Socket(address) => Some(*address),
        PeerAddress::Host(..) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_a_file_survives_and_what_is_not_is_not_invented() {
        let full = Item {
            size: 7,
            root: Some([1; 32]),
            info_hash_v2: Some([2; 32]),
            info_hash: Some([2; 20]),
            sha1: Some([3; 20]),
            tiger: Some([4; 24]),
            ..Item::default()
        };
        let swarm = SocketAddr::from(([10, 0, 0, 1], 6_881));
        let data = write(&full, Some(swarm)).unwrap();
        assert!(data.len() < MAX_MAGNET);
        let mut read_back = Item { size: 7, ..Item::default() };
        assert_eq!(read(&data, &mut read_back), Some(swarm));
        assert_eq!(read_back, full);
        assert_eq!(root(&data), Some([1; 32]));
        let only_root = Item { root: Some([9; 32]), ..Item::default() };
        let data = write(&only_root, None).unwrap();
        assert_eq!(root(&data), Some([9; 32]));
        assert_eq!(write(&Item::default(), Some(swarm)), None);
        for bad in [&b"magnet:?x.root=00"[..], b"x.root=", b"magnet:?x.root", b"\xff"] {
            assert_eq!(root(bad), None);
        }
    }
}
