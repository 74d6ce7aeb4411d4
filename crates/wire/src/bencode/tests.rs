use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[test]
fn a_tape_gives_back_typed_values_and_their_raw_bytes() {
    let input = b"d3:agei-42e4:infod6:lengthi7ee4:listl1:a0:i0eee";
    let document = decode(input).unwrap();
    let root = document.root();
    assert_eq!(root.get(b"age").and_then(Value::as_int), Some(-42));
    assert_eq!(root.get(b"info").unwrap().raw(), b"d6:lengthi7ee");
    let list: Vec<_> = root.get(b"list").unwrap().as_list().unwrap().map(Value::raw).collect();
    assert_eq!(list, [&b"1:a"[..], b"0:", b"i0e"]);
    assert_eq!(root.as_dict().unwrap().count(), 3);
    assert!(root.get(b"nope").is_none() && root.as_list().is_none() && root.as_int().is_none());
    assert!(document.is_canonical());
}

#[test]
fn strings_outlive_the_tape() {
    let input = b"4:spam".to_vec();
    let text = {
        let document = decode(&input).unwrap();
        document.root().as_bytes().unwrap()
    };
    assert_eq!(text, b"spam");
}

#[test]
fn malformed_input_is_named_precisely() {
    let cases: &[(&[u8], Error)] = &[
        (b"", Error::UnexpectedEnd),
        (b"e", Error::UnexpectedByte(0)),
        (b"x", Error::UnexpectedByte(0)),
        (b"i", Error::UnexpectedEnd),
        (b"i1", Error::UnexpectedEnd),
        (b"ie", Error::BadInteger(0)),
        (b"i-e", Error::BadInteger(0)),
        (b"i-0e", Error::BadInteger(0)),
        (b"i01e", Error::BadInteger(0)),
        (b"i1x", Error::BadInteger(0)),
        (b"i+1e", Error::BadInteger(0)),
        (b"i--1e", Error::BadInteger(0)),
        (b"i9223372036854775808e", Error::BadInteger(0)),
        (b"i99999999999999999999999999999999999e", Error::BadInteger(0)),
        (b"3:ab", Error::UnexpectedEnd),
        (b"3", Error::UnexpectedEnd),
        (b"03:abc", Error::BadLength(0)),
        (b"3x", Error::BadLength(0)),
        (b"9999999999:", Error::BadLength(0)),
        (b"99999999999999999999999999:", Error::BadLength(0)),
        (b"9000000:abc", Error::UnexpectedEnd),
        (b"-1:a", Error::UnexpectedByte(0)),
        (b"l", Error::UnexpectedEnd),
        (b"di1e1:ae", Error::KeyNotString(1)),
        (b"d1:ae", Error::MissingValue(4)),
        (b"d1:al", Error::UnexpectedEnd),
        (b"i1ei2e", Error::TrailingData),
    ];
    for (input, error) in cases {
        assert_eq!(decode(input).unwrap_err(), *error, "{}", String::from_utf8_lossy(input));
    }
}

#[test]
fn the_whole_range_of_i64_is_accepted() {
    for value in [i64::MIN, i64::MAX, 0, -1] {
        let text = format!("i{value}e");
        assert_eq!(decode(text.as_bytes()).unwrap().root().as_int(), Some(value));
    }
}

#[test]
fn a_hundred_thousand_nested_lists_are_an_error_and_no_stack_overflow() {
    let mut input = vec![b'l'; 100_000];
    input.resize(200_000, b'e');
    assert_eq!(decode(&input).unwrap_err(), Error::TooDeep);
    let deep = Limits { depth: usize::MAX, ..Limits::default() };
    assert_eq!(decode_with(&input, deep).unwrap().token_count(), 100_000);
}

#[test]
fn every_limit_is_checked_and_just_reached_is_accepted() {
    let limits = Limits { bytes: 6, depth: 2, tokens: 3 };
    assert!(decode_with(b"ll0:ee", limits).is_ok());
    assert_eq!(decode_with(b"ll1:aee", limits).unwrap_err(), Error::TooLong);
    assert_eq!(decode_with(b"lllee", limits).unwrap_err(), Error::TooDeep);
    assert_eq!(decode_with(b"0:0:0:", limits).unwrap_err(), Error::TrailingData);
    assert_eq!(decode_with(b"llelelee", Limits { bytes: 8, ..limits }).unwrap_err(), Error::TooManyTokens);
}

#[test]
fn a_prefix_tells_how_much_it_consumed() {
    let (document, consumed) = decode_prefix(b"d5:piecei0eeRAWDATA").unwrap();
    assert_eq!((consumed, document.root().get(b"piece").unwrap().as_int()), (12, Some(0)));
}

#[test]
fn unsorted_and_duplicate_keys_are_accepted_and_reported() {
    for input in [&b"d1:bi1e1:ai2ee"[..], b"d1:ai1e1:ai2ee", b"ld1:b0:1:a0:ee"] {
        assert!(!decode(input).unwrap().is_canonical());
    }
    let document = decode(b"d1:ai1e1:ai2ee").unwrap();
    assert_eq!(document.root().get(b"a").unwrap().as_int(), Some(1));
}

#[test]
fn the_encoder_writes_what_bep_3_shows() {
    let mut encoder = Encoder::new();
    encoder.begin_dict().entry_bytes("cow", "moo").key("spam").begin_list().int(-3).bytes("eggs").end().end();
    assert_eq!(encoder.finish(), b"d3:cow3:moo4:spamli-3e4:eggsee");
}

#[derive(Debug, Clone)]
enum Tree {
    Int(i64),
    Bytes(Vec<u8>),
    List(Vec<Tree>),
    Dict(BTreeMap<Vec<u8>, Tree>),
}

fn write(tree: &Tree, encoder: &mut Encoder) {
    match tree {
        Tree::Int(value) => _ = encoder.int(*value),
        Tree::Bytes(value) => _ = encoder.bytes(value),
        Tree::List(items) => {
            encoder.begin_list();
            items.iter().for_each(|item| write(item, encoder));
            encoder.end();
        }
        Tree::Dict(entries) => {
            encoder.begin_dict();
            for (key, item) in entries {
                encoder.key(key);
                write(item, encoder);
            }
            encoder.end();
        }
    }
}

fn same(tree: &Tree, value: Value<'_, '_>) -> bool {
    match tree {
        Tree::Int(number) => value.as_int() == Some(*number),
        Tree::Bytes(bytes) => value.as_bytes() == Some(bytes),
        Tree::List(items) => value.as_list().is_some_and(|list| {
            list.clone().count() == items.len() && list.zip(items).all(|(value, item)| same(item, value))
        }),
        Tree::Dict(entries) => value.as_dict().is_some_and(|dict| {
            dict.clone().count() == entries.len()
                && dict.zip(entries).all(|((key, value), (name, item))| key == name && same(item, value))
        }),
    }
}

fn trees() -> impl Strategy<Value = Tree> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..20);
    let leaf = prop_oneof![any::<i64>().prop_map(Tree::Int), bytes().prop_map(Tree::Bytes)];
    leaf.prop_recursive(5, 64, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Tree::List),
            proptest::collection::btree_map(bytes(), inner, 0..6).prop_map(Tree::Dict),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_canonical(tree in trees()) {
        let mut encoder = Encoder::new();
        write(&tree, &mut encoder);
        let bytes = encoder.finish();
        let document = decode(&bytes).unwrap();
        prop_assert!(same(&tree, document.root()));
        prop_assert!(document.is_canonical());
        prop_assert_eq!(document.root().raw(), &bytes[..]);
    }

    #[test]
    fn arbitrary_bytes_never_panic(input in proptest::collection::vec(
        prop_oneof![Just(b'd'), Just(b'l'), Just(b'i'), Just(b'e'), Just(b':'), Just(b'-'), b'0'..=b'9', any::<u8>()], 0..80)) {
        if let Ok((document, consumed)) = decode_prefix(&input) {
            prop_assert_eq!(document.root().raw(), &input[..consumed]);
        }
    }
}
