//! Items as records say them, and back.

use crate::discovery::Item;
use sha2::{Digest as _, Sha256};
use throng_wire::chord::{MAX_POSTING, Posting};

/// The 32 bytes an item is known by: its root, or a hash of what else names it.
pub(crate) fn content_id(item: &Item) -> [u8; 32] {
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

/// What a posting says of an item; a title that is too long is cut at a character.
pub(crate) fn posting_value(item: &Item) -> Option<Vec<u8>> {
    let mut title = item.title.as_str();
    while title.len() > MAX_POSTING - 64 {
        let cut = title.len() - title.chars().next_back().map_or(1, char::len_utf8);
        title = &title[..cut];
    }
    let (size, info_hash, sha1) = (item.size, item.info_hash, item.sha1);
    let mut value = Vec::new();
    Posting { title, tags: "", size, medium: 0, info_hash, sha1 }.encode(&mut value).ok()?;
    Some(value)
}

/// The item a posting is about.
pub(crate) fn item_of(content: &[u8; 32], posting: &Posting<'_>) -> Item {
    let Posting { title, size, info_hash, sha1, .. } = *posting;
    let root = (rootless(title, size, info_hash, sha1) != *content).then_some(*content);
    Item { title: title.to_owned(), size, root, info_hash, sha1, ..Item::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_comes_back_as_it_was_published() {
        let with = Item { title: "Moon".into(), size: 7, root: Some([1; 32]), ..Item::default() };
        let without = Item { root: None, sha1: Some([2; 20]), ..with.clone() };
        let bare = Item { root: None, ..with.clone() };
        for item in [with, without, bare] {
            let value = posting_value(&item).unwrap();
            assert_eq!(item_of(&content_id(&item), &Posting::decode(&value).unwrap()), item);
        }
    }

    #[test]
    fn a_long_title_is_cut_at_a_character() {
        let item = Item { title: "é".repeat(500), ..Item::default() };
        let value = posting_value(&item).unwrap();
        assert!(Posting::decode(&value).unwrap().title.len() <= MAX_POSTING - 64);
    }
}
