//! Vectors of the note, hostile patches, any tables to any others.

use super::table::deflate;
use super::*;
use data_encoding::HEXLOWER;
use proptest::prelude::*;

#[test]
fn words_hash_as_in_the_note() {
    let known = [
        ("a", 0xf982_8f5c, [7, 998, 7984, 15968, 63874, 127_749, 1_021_992, 2_043_985]),
        ("test", 0x50e8_5fb0, [2, 323, 2589, 5178, 20712, 41424, 331_397, 662_795]),
        ("mp3", 0x7143_a9ac, [3, 453, 3624, 7248, 28995, 57991, 463_930, 927_861]),
        ("brontosaurus", 0xa4d9_6d14, [5, 659, 5275, 10550, 42201, 84402, 675_222, 1_350_445]),
        ("ebcklmenq", 0x6e39_6b20, [3, 440, 3527, 7054, 28217, 56434, 451_478, 902_957]),
        ("アニメ", 0x0bab_f738, [0, 46, 373, 746, 2987, 5975, 47807, 95614]),
        (
            "urn:sha1:hukjnk3cjk5koaencwvamlohxydv2ama",
            0x5337_db88,
            [2, 332, 2662, 5325, 21303, 42607, 340_861, 681_723],
        ),
    ];
    for (word, product, entries) in known {
        assert_eq!(hash_of(word), WordHash(product), "{word}");
        let bits = [3, 10, 13, 14, 16, 17, 20, 21];
        assert_eq!(bits.map(|bits| hash_of(word).entry(bits)), entries, "{word}");
    }
    assert_eq!(hash_of("3NJA9").entry(10), 581);
}

#[test]
fn the_three_codings_of_the_note_make_the_same_table() {
    let reset = HEXLOWER.decode(b"000800000007").unwrap();
    let patches = ["01010100080000fa0000000000", "010101000400a00000", "0101010104789c6358c0c0000001e400a1"];
    for patch in patches {
        let patch = HEXLOWER.decode(patch.as_bytes()).unwrap();
        let mut reassembly = Reassembly::default();
        assert_eq!(reassembly.take(QrpMessage::parse(&reset).unwrap()), Ok(true));
        assert_eq!(reassembly.take(QrpMessage::parse(&patch).unwrap()), Ok(true));
        let table = reassembly.table().unwrap();
        assert_eq!(table.present().collect::<Vec<_>>(), [2]);
        assert!(table.contains(hash_of("test")) && !table.contains(hash_of("song")));
    }
}

#[test]
fn tables_that_overflow_and_sequences_that_lie_are_refused() {
    let mut reassembly = Reassembly::default();
    let patch = |number, of, data| QrpMessage::Patch(Patch { number, of, compressor: 0, bits: 8, data });
    assert_eq!(reassembly.take(patch(1, 1, &[0; 8])), Err(QrpError::NoReset));
    let reset = |entries, infinity| QrpMessage::Reset { entries, infinity };
    assert_eq!(reassembly.take(reset(7, 7)), Err(QrpError::Length));
    assert_eq!(reassembly.take(reset(1 << 22, 7)), Err(QrpError::Length));
    assert_eq!(reassembly.take(reset(8, 0)), Err(QrpError::Infinity));
    assert_eq!(reassembly.take(reset(8, 7)), Ok(true));
    assert_eq!(reassembly.take(patch(2, 2, &[0; 4])), Err(QrpError::Sequence));
    assert_eq!(reassembly.take(patch(1, 2, &[0; 4])), Ok(false));
    assert_eq!(reassembly.take(patch(3, 2, &[0; 4])), Err(QrpError::Sequence));
    assert_eq!(reassembly.take(patch(2, 2, &[0; 5])), Err(QrpError::Size));
    assert_eq!(reassembly.take(reset(8, 7)), Ok(true));
    assert_eq!(reassembly.take(patch(1, 1, &[0; 100])), Err(QrpError::Size));
    let odd = QrpMessage::Patch(Patch { number: 1, of: 1, compressor: 0, bits: 3, data: &[] });
    assert_eq!(reassembly.take(odd), Err(QrpError::Coding));
    let bomb = deflate(&vec![0; 10 << 20]);
    let bomb = QrpMessage::Patch(Patch { number: 1, of: 1, compressor: 1, bits: 8, data: &bomb[..60] });
    assert_eq!(reassembly.take(bomb), Err(QrpError::Size));
}

#[test]
fn a_query_of_several_words_needs_two_thirds_of_them() {
    let mut table = QrpTable::new(16);
    ["zebra", "song", "remix"].iter().for_each(|word| table.insert(hash_of(word)));
    assert!(table.may_match(["zebra", "song"], &[]) && !table.may_match(["zebra", "okapi"], &[]));
    assert!(table.may_match(["zebra", "song", "okapi"], &[]));
    assert!(!table.may_match(["zebra", "quagga", "okapi"], &[]));
    assert!(table.may_match(["of", "a"], &[]), "short words are not tested");
    let urn = hash_of("urn:sha1:x");
    assert!(!table.may_match(["of"], &[urn]));
    table.insert(urn);
    assert!(table.may_match(["okapi"], &[urn]));
}

proptest! {
    #[test]
    fn patches_lead_from_any_table_to_any_other(
        bits in 3u32..18,
        from in prop::collection::vec(any::<u32>(), 0..500),
        to in prop::collection::vec(any::<u32>(), 0..500),
    ) {
        let table = |hashes: &[u32]| {
            let mut table = QrpTable::new(bits);
            hashes.iter().for_each(|hash| table.insert(WordHash(*hash)));
            table
        };
        let (from, to) = (table(&from), table(&to));
        let mut reassembly = Reassembly::default();
        reassembly.take(reset(&from)).unwrap();
        for (before, after) in [(None, &from), (Some(&from), &to)] {
            for payload in table_patches(before, after) {
                reassembly.take(QrpMessage::parse(&payload).unwrap()).unwrap();
            }
            prop_assert_eq!(reassembly.table(), Some(after));
        }
    }

    #[test]
    fn merging_loses_no_word(a in 3u32..14, b in 3u32..14, words in prop::collection::vec(any::<u32>(), 1..100)) {
        let (mut into, mut from) = (QrpTable::new(a), QrpTable::new(b));
        words.iter().for_each(|word| from.insert(WordHash(*word)));
        into.merge(&from);
        prop_assert!(words.iter().all(|word| into.contains(WordHash(*word))));
    }

    #[test]
    fn any_bytes_are_taken_or_refused(payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..10)) {
        let mut reassembly = Reassembly::default();
        let _ = reassembly.take(QrpMessage::Reset { entries: 64, infinity: 2 });
        for payload in &payloads {
            if let Ok(message) = QrpMessage::parse(payload) {
                let _ = reassembly.take(message);
            }
        }
    }
}
