//! Items as records say them, and back.

use crate::discovery::Item;
use sha2::{Digest as _, Sha256};
use std::net::SocketAddr;
use throng_wire::chord::{Hashes, MAX_POSTING, Posting};

/// Bytes of a posting that are neither title nor hashes: lengths of title and tags, size, medium.
const FIXED: usize = 2 + 1 + 8 + 1;
/// Bytes of an IPv4 address and of an IPv6 address, with family and port.
const ADDRESSES: (usize, usize) = (7, 19);

/// The 32 bytes an item is known by: its root, or a hash of what else names it.
pub fn content_id(item: &Item) -> [u8; 32] {
    item.root.unwrap_or_else(|| rootless(&item.title, item.size, item.info_hash, item.sha1))
}

fn rootless(title: &str, size: u64, info_hash: Option<[u8; 20]>, sha1: Option<[u8; 20]>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(b"throng item without root");
    match info_hash.or(sha1) {
        Some(hash) => hasher.update(hash),
        None => hasher.update(title.as_bytes()),
    }
    hasher.update(size.to_be_bytes());
    hasher.finalize().into()
}

/// What a posting says of an item: all it can be fetched by, and from where; of a title that is too long what fits, cut at
/// a character.
pub(crate) fn posting_value(item: &Item, source: SocketAddr) -> Option<Vec<u8>> {
    let Item { info_hash, info_hash_v2, sha1, tiger, ft_hash, size, .. } = *item;
    let hashes = Hashes { info_hash, info_hash_v2, sha1, tiger, ft_hash };
    let address = if source.is_ipv4() { ADDRESSES.0 } else { ADDRESSES.1 };
    let room = MAX_POSTING - FIXED - hashes.encoded_len() - address;
    let title = &item.title[..item.title.floor_char_boundary(room)];
    let mut value = Vec::new();
    Posting { title, tags: "", size, medium: 0, hashes, source }.encode(&mut value).ok()?;
    Some(value)
}

/// The item a posting is about.
pub(crate) fn item_of(content: &[u8; 32], posting: &Posting<'_>) -> Item {
    let Posting { title, size, hashes, .. } = *posting;
    let Hashes { info_hash, info_hash_v2, sha1, tiger, ft_hash } = hashes;
    let root = (rootless(title, size, info_hash, sha1) != *content).then_some(*content);
    Item { title: title.to_owned(), size, root, info_hash, info_hash_v2, sha1, tiger, ft_hash }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_comes_back_as_it_was_published() {
        let with = Item { title: "Moon".into(), size: 7, root: Some([1; 32]), ..Item::default() };
        let without = Item { root: None, sha1: Some([2; 20]), ..with.clone() };
        let bare = Item { root: None, ..with.clone() };
        let full = Item {
            info_hash: Some([3; 20]),
            info_hash_v2: Some([4; 32]),
            sha1: Some([5; 20]),
            tiger: Some([6; 24]),
            ft_hash: Some([7; 20]),
            ..with.clone()
        };
        for item in [with, without, bare, full] {
            let value = posting_value(&item, ([192, 0, 2, 1], 7).into()).unwrap();
            assert_eq!(item_of(&content_id(&item), &Posting::decode(&value).unwrap()), item);
        }
    }

    #[test]
    fn a_long_title_is_cut_at_a_character() {
        let (v4, v6) = (([192, 0, 2, 1], 7).into(), ([9u16; 8], 7).into());
        for (info_hash_v2, source) in [(None, v4), (Some([4; 32]), v4), (None, v6)] {
            let item = Item { title: "é".repeat(500), info_hash_v2, ..Item::default() };
            let value = posting_value(&item, source).unwrap();
            let posting = Posting::decode(&value).unwrap();
            assert!(value.len() <= MAX_POSTING && value.len() > MAX_POSTING - 2);
            assert_eq!(posting.source, source);
            assert!(item.title.starts_with(posting.title) && posting.hashes.info_hash_v2 == info_hash_v2);
        }
    }
}
