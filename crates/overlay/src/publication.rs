//! A publication as its publisher signs it: what is published, by whom, in which version. It tells hits from spam in
//! any overlay that can carry or point to it.
//!
//! A bencoded dictionary of at most [`MAX`] bytes with sorted one-letter keys; `z` is the ed25519 signature over
//! `DOMAIN` and the dictionary without it. Unknown keys are signed like others and ignored.

use crate::discovery::Item;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use throng_wire::bencode::{Encoder, Limits, Value, decode_with};

/// The longest record, in bytes: a value of the ring.
pub const MAX: usize = 1_000;
/// The longest title kept, in bytes.
const MAX_TITLE: usize = 240;
/// Tags kept, and the longest, in bytes.
const MAX_TAGS: usize = 12;
const MAX_TAG: usize = 20;
/// What the signature begins with, so that it can be taken for nothing else.
const DOMAIN: &[u8] = b"throng publication 1\0";

/// One version of a publication.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Publication {
    /// What it is found by, its size, and all hashes.
    pub item: Item,
    /// More words.
    pub tags: Vec<String>,
    /// Files in it.
    pub files: u32,
    /// Grows with each version.
    pub sequence: u64,
    /// Seconds since 1970, by the publisher's clock.
    pub time: u64,
}

/// A publication whose signature was right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verified {
    /// What it says.
    pub publication: Publication,
    /// The ed25519 key that signed it.
    pub publisher: [u8; 32],
}

impl Publication {
    /// Signs it; a title or tag that is too long is cut.
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        let publisher = key.verifying_key().to_bytes();
        let signature = key.sign(&[DOMAIN, &self.encode(&publisher, None)].concat());
        self.encode(&publisher, Some(&signature.to_bytes()))
    }

    /// Keys are written in the order of their bytes; the signature's is the last.
    fn encode(&self, publisher: &[u8; 32], signature: Option<&[u8; 64]>) -> Vec<u8> {
        let Item { title, size, root, info_hash, info_hash_v2, sha1, tiger, ft_hash } = &self.item;
        let mut out = Encoder::new();
        out.begin_dict();
        out.entry_int("c", self.files);
        ft_hash.iter().for_each(|hash| _ = out.entry_bytes("f", hash));
        if !self.tags.is_empty() {
            out.key("g").begin_list();
            self.tags.iter().take(MAX_TAGS).for_each(|tag| _ = out.bytes(cut(tag, MAX_TAG)));
            out.end();
        }
        info_hash.iter().for_each(|hash| _ = out.entry_bytes("h", hash));
        out.entry_bytes("k", publisher).entry_int("n", *size).entry_int("q", self.sequence);
        root.iter().for_each(|hash| _ = out.entry_bytes("r", hash));
        sha1.iter().for_each(|hash| _ = out.entry_bytes("s", hash));
        out.entry_int("t", self.time).entry_bytes("u", cut(title, MAX_TITLE));
        info_hash_v2.iter().for_each(|hash| _ = out.entry_bytes("v", hash));
        tiger.iter().for_each(|hash| _ = out.entry_bytes("x", hash));
        signature.iter().for_each(|signature| _ = out.entry_bytes("z", signature));
        out.end();
        out.finish()
    }

    /// Reads a signed record; `None` if it is none, or its signature is wrong.
    pub fn verify(bytes: &[u8]) -> Option<Verified> {
        let limits = Limits { bytes: MAX, depth: 4, tokens: 128 };
        let document = decode_with(bytes, limits).ok()?;
        let root = document.root();
        let publisher: [u8; 32] = hash(root, b"k")?;
        let signature: [u8; 64] = hash(root, b"z")?;
        let unsigned = without_signature(bytes, &signature)?;
        let key = VerifyingKey::from_bytes(&publisher).ok()?;
        let message = [DOMAIN, &unsigned].concat();
        key.verify_strict(&message, &Signature::from_bytes(&signature)).ok()?;
        let int = |key: &[u8]| root.get(key).and_then(Value::as_u64);
        let tags = root.get(b"g").and_then(Value::as_list).into_iter().flatten();
        let item = Item {
            title: root.get(b"u")?.as_str()?.to_owned(),
            size: int(b"n")?,
            root: hash(root, b"r"),
            info_hash: hash(root, b"h"),
            info_hash_v2: hash(root, b"v"),
            sha1: hash(root, b"s"),
            tiger: hash(root, b"x"),
            ft_hash: hash(root, b"f"),
        };
        let publication = Publication {
            item,
            tags: tags.filter_map(|tag| tag.as_str().map(str::to_owned)).take(MAX_TAGS).collect(),
            files: int(b"c")?.try_into().ok()?,
            sequence: int(b"q")?,
            time: int(b"t")?,
        };
        Some(Verified { publication, publisher })
    }
}

fn hash<const N: usize>(root: Value<'_, '_>, key: &[u8]) -> Option<[u8; N]> {
    root.get(key)?.as_bytes()?.try_into().ok()
}

/// The dictionary as it was signed: `z` is the last key.
fn without_signature(bytes: &[u8], signature: &[u8; 64]) -> Option<Vec<u8>> {
    let tail = [b"1:z64:".as_slice(), signature, b"e"].concat();
    let mut unsigned = bytes.strip_suffix(tail.as_slice())?.to_vec();
    unsigned.push(b'e');
    Some(unsigned)
}

/// At most `most` bytes, ending with a whole character.
fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn publication() -> Publication {
        let item = Item {
            title: "Moon".into(),
            size: 7,
            root: Some([1; 32]),
            info_hash: Some([2; 20]),
            info_hash_v2: Some([3; 32]),
            sha1: Some([4; 20]),
            tiger: Some([5; 24]),
            ft_hash: Some([6; 20]),
        };
        Publication { item, tags: vec!["film".into(), "1902".into()], files: 1, sequence: 9, time: 10 }
    }

    #[test]
    fn a_publication_comes_back_with_the_key_that_signed_it() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let verified = Publication::verify(&publication().sign(&key)).unwrap();
        assert_eq!(verified.publication, publication());
        assert_eq!(verified.publisher, key.verifying_key().to_bytes());
    }

    #[test]
    fn the_largest_publication_fits_a_record() {
        let mut large = publication();
        large.item.title = "é".repeat(1_000);
        large.tags = vec!["x".repeat(100); 100];
        let bytes = large.sign(&SigningKey::from_bytes(&[7; 32]));
        assert!(bytes.len() <= MAX, "{}", bytes.len());
        assert!(Publication::verify(&bytes).is_some());
    }

    proptest! {
        #[test]
        fn a_changed_byte_is_noticed(at in 0usize..10_000, change in 1u8..) {
            let mut bytes = publication().sign(&SigningKey::from_bytes(&[7; 32]));
            let at = at % bytes.len();
            bytes[at] ^= change;
            prop_assert_eq!(Publication::verify(&bytes), None);
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..1_200)) {
            prop_assert_eq!(Publication::verify(&bytes), None);
        }
    }
}
