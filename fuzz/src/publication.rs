//! Signed publications, as anybody may put them into a ring under any name.

use crate::input::Input;
use ed25519_dalek::SigningKey;
use throng_overlay::discovery::Item;
use throng_overlay::publication::{MAX, Publication};

/// Reads the input as a record, which holds only if its bytes were signed; then makes a publication of it, which comes back as
/// it was signed, and not once a bit of it is another.
pub fn publication(data: &[u8]) {
    if let Some(verified) = Publication::verify(data) {
        assert!(data.len() <= MAX);
        assert_eq!(Publication::verify(data), Some(verified));
    }
    let mut input = Input(data);
    let signed = make(&mut input);
    let key = SigningKey::from_bytes(&[7; 32]);
    let mut bytes = signed.sign(&key);
    assert!(bytes.len() <= MAX, "whatever is published fits a record");
    let verified = Publication::verify(&bytes).expect("what we sign holds");
    assert_eq!(verified.publisher, key.verifying_key().to_bytes());
    assert!(signed.item.title.starts_with(&verified.publication.item.title), "a long title is cut");
    let Item { title, .. } = verified.publication.item.clone();
    assert_eq!(verified.publication.item, Item { title, ..signed.item });
    let (at, bit) = (usize::from(input.u16()) % bytes.len(), 1 << input.below(8));
    bytes[at] ^= bit;
    assert_eq!(Publication::verify(&bytes), None);
}

fn make(input: &mut Input<'_>) -> Publication {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let flags = input.byte();
    let mut hash = |bit: u8| (flags & bit != 0).then(|| input.byte());
    let [root, info_hash, info_hash_v2, sha1, tiger, ft_hash] = [1, 2, 4, 8, 16, 32].map(&mut hash);
    let item = Item {
        root: root.map(|byte| [byte; 32]),
        info_hash: info_hash.map(|byte| [byte; 20]),
        info_hash_v2: info_hash_v2.map(|byte| [byte; 32]),
        sha1: sha1.map(|byte| [byte; 20]),
        tiger: tiger.map(|byte| [byte; 24]),
        ft_hash: ft_hash.map(|byte| [byte; 20]),
        size: u64::from(input.u32()) << 8,
        title: text(input.run()),
    };
    let tags = (0..input.below(20)).map(|_| text(input.run())).collect();
    let (files, sequence, time) = (input.u32(), u64::from(input.u32()), u64::from(input.u32()));
    Publication { item, tags, files, sequence, time }
}
