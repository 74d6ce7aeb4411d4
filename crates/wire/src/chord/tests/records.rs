//! Records: where they lie, what is signed, which version wins, their bytes and limits.

use super::material::{material, written};
use super::*;
use proptest::prelude::*;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

const CONTENT: [u8; 32] = [0xcc; 32];
const WRITER: [u8; 32] = [0xaa; 32];
const SIGNATURE: [u8; 64] = [0x55; 64];

fn term(text: &str) -> Term<'_> {
    Term::new(text).unwrap()
}

fn signed<'a>(subject: Subject<'a>, value: Option<&'a [u8]>) -> Signed<'a> {
    Signed { subject, writer: &WRITER, seq: 258, ttl: 3600, value, signature: &SIGNATURE }
}

fn entry<'a>(name: &'a [u8], value: &'a [u8]) -> Signed<'a> {
    signed(Subject::Entry { name }, Some(value))
}

fn sha1(parts: &[&[u8]]) -> RingId {
    RingId(Sha1::digest(parts.concat()).into())
}

#[test]
fn each_kind_lies_where_the_table_says() {
    let immutable = Record::Immutable(b"value");
    assert_eq!(immutable.ring_key().0, Sha256::digest(b"imvalue")[..20]);
    assert_eq!(immutable.id().0, Sha256::digest(b"imvalue")[..]);
    let key = |subject: Subject<'_>| Record::Signed(signed(subject, None)).ring_key();
    assert_eq!(key(Subject::Mutable { salt: b"salt" }), sha1(&[b"mu", &WRITER, b"salt"]));
    assert_eq!(key(Subject::Provider { content: &CONTENT }), sha1(&[b"pr", &CONTENT]));
    assert_eq!(key(Subject::Entry { name: b"name" }), sha1(&[b"kv", b"name"]));
    let shard = Sha256::digest(CONTENT)[31] % 4;
    let one = Subject::Posting { terms: Terms::one(term("word")), content: &CONTENT, shard_bits: 2 };
    assert_eq!(key(one), sha1(&[b"kw", b"word", &[0, shard]]));
    let pair = Terms::pair(term("zeta"), term("alpha")).unwrap();
    let two = Subject::Posting { terms: pair, content: &CONTENT, shard_bits: 0 };
    assert_eq!(key(two), sha1(&[b"k2", b"alpha\x1fzeta\0\0"]));
    assert_eq!(Terms::pair(term("same"), term("same")), None);
}

#[test]
fn shards_are_the_hash_modulo_their_number() {
    let last = Sha256::digest(CONTENT)[31];
    for bits in 0..=8u8 {
        assert_eq!(u16::from(shard_of(&CONTENT, bits)), u16::from(last) % (1 << bits));
    }
    assert_eq!(shard_of(&CONTENT, 200), last);
}

#[test]
fn an_entrys_signature_is_over_name_version_life_and_value() {
    let expected = hex("7468726f6e672063686f72642031 domain: throng chord 1
6b76 tag: kv
00000004 bytes of the name
6e616d65 name
0000000000000102 seq
00000e10 ttl
01 a value
00000005 bytes of the value
76616c7565 value");
    assert_eq!(entry(b"name", b"value").signed_bytes(), expected);
}

#[test]
fn a_postings_signature_is_over_both_words_and_the_item_but_not_the_shard() {
    let terms = Terms::pair(term("zeta"), term("alpha")).unwrap();
    let posting =
        |shard_bits| signed(Subject::Posting { terms, content: &CONTENT, shard_bits }, None).signed_bytes();
    let expected = hex(&format!(
        "7468726f6e672063686f72642031 domain
6b77 tag: kw
00000005 bytes of the first word
616c706861 first word
00000004 bytes of the second, 0 for none
7a657461 second word
00000020 bytes of the item
{} item
0000000000000102 seq
00000e10 ttl
00 a tombstone",
        "cc".repeat(32)
    ));
    assert_eq!((posting(0), posting(3)), (expected.clone(), expected));
}

#[test]
fn one_signature_holds_for_all_words_of_an_item_but_not_for_taking_it_from_another_word() {
    let under = |word, value| {
        let terms = Terms::one(term(word));
        signed(Subject::Posting { terms, content: &CONTENT, shard_bits: 0 }, value).signed_bytes()
    };
    let expected = hex(&format!(
        "7468726f6e672063686f72642031 domain
6b77 tag: kw
00000000 no first word
00000000 no second word
00000020 bytes of the item
{} item
0000000000000102 seq
00000e10 ttl
01 a value
00000005 bytes of the value
76616c7565 value",
        "cc".repeat(32)
    ));
    assert_eq!(under("blue", Some(b"value")), expected);
    assert_eq!(under("moon", Some(b"value")), expected);
    assert_ne!(under("blue", None), under("moon", None));
}

#[test]
fn signatures_of_the_other_kinds_begin_with_their_tags() {
    let bytes = |subject| signed(subject, None).signed_bytes();
    let rest = "0000000000000102 seq\n00000e10 ttl\n00 a tombstone";
    let mutable =
        format!("7468726f6e672063686f72642031 domain\n6d75 tag: mu\n00000001 bytes\n78 salt\n{rest}");
    assert_eq!(bytes(Subject::Mutable { salt: b"x" }), hex(&mutable));
    let provider = format!(
        "7468726f6e672063686f72642031 domain\n7072 tag: pr\n00000020 bytes\n{} item\n{rest}",
        "cc".repeat(32)
    );
    assert_eq!(bytes(Subject::Provider { content: &CONTENT }), hex(&provider));
}

#[test]
fn a_tombstone_has_the_id_and_key_of_what_it_removes_but_not_its_signature() {
    let live = entry(b"name", b"");
    let (old, gone) = (Record::Signed(live), Record::Signed(Signed { value: None, ..live }));
    assert_eq!((old.id(), old.ring_key()), (gone.id(), gone.ring_key()));
    assert_ne!(live.signed_bytes(), Signed { value: None, ..live }.signed_bytes());
    assert!(gone.is_tombstone() && !old.is_tombstone());
}

#[test]
fn ids_differ_by_kind_subject_and_writer_but_not_by_version_or_shard() {
    let id = |signed: Signed<'_>| Record::Signed(signed).id();
    let name = entry(b"name", b"1");
    assert_eq!(id(name), id(Signed { seq: 9, value: Some(b"2"), ..name }));
    assert_ne!(id(name), id(Signed { writer: &[1; 32], ..name }));
    assert_ne!(id(name), id(entry(b"other", b"1")));
    assert_ne!(id(name), id(signed(Subject::Mutable { salt: b"name" }, Some(b"1"))));
    let posting = |shard_bits, word| {
        id(signed(Subject::Posting { terms: Terms::one(term(word)), content: &CONTENT, shard_bits }, None))
    };
    assert_eq!(posting(0, "word"), posting(8, "word"));
    assert_ne!(posting(0, "word"), posting(0, "ward"));
}

#[test]
fn the_higher_seq_wins_and_of_equal_ones_the_higher_hash() {
    let order = |seq, value| Record::Signed(Signed { seq, ..entry(b"name", value) }).order();
    assert!(order(2, b"a") > order(1, b"b"));
    assert_eq!(order(1, b"a"), order(1, b"a"));
    let higher = Sha256::digest(b"a") > Sha256::digest(b"b");
    assert_eq!(order(1, b"a") > order(1, b"b"), higher);
}

#[test]
fn an_entry_is_laid_out_as_documented() {
    let expected = hex(&format!(
        "04 kind: entry
04 bytes of the name
6e616d65 name
{} writer
0000000000000102 seq
00000e10 ttl
0005 bytes of the value
76616c7565 value
{} signature",
        "aa".repeat(32),
        "55".repeat(64)
    ));
    assert_eq!(written(&Record::Signed(entry(b"name", b"value"))), expected);
}

#[test]
fn an_immutable_and_a_tombstone_are_laid_out_as_documented() {
    assert_eq!(written(&Record::Immutable(b"abc")), hex("00 kind\n00000003 bytes\n616263 value"));
    let expected = hex(&format!(
        "81 kind: mutable, tombstone\n00 bytes of the salt\n{} writer\n0000000000000102 seq\n00000e10 ttl\n{} signature",
        "aa".repeat(32),
        "55".repeat(64)
    ));
    assert_eq!(written(&Record::Signed(signed(Subject::Mutable { salt: b"" }, None))), expected);
}

#[test]
fn a_posting_and_a_provider_are_laid_out_as_documented() {
    let mut value = Vec::new();
    let hashes = Hashes { info_hash_v2: Some([6; 32]), sha1: Some([7; 20]), ..Hashes::default() };
    let source = v4(1).address;
    let posting = Posting { title: "A b", tags: "x\ny", size: 5, medium: 2, hashes, source };
    posting.encode(&mut value).unwrap();
    let expected = format!(
        "0003 bytes of the title\n412062 title\n03 bytes of the tags\n780a79 tags\n0000000000000005 size
02 medium\n06 a v2 info-hash and a SHA-1\n{} the one\n{} the other
04 family of its publisher\nc0000201 ip\n1ae1 port",
        "06".repeat(32),
        "07".repeat(20)
    );
    assert_eq!(value, hex(&expected));
    assert_eq!(Posting::decode(&value), Ok(posting));
    let bits = value.len() - 60;
    assert_eq!(value[bits], 6);
    value[bits] = 0x26;
    assert_eq!(Posting::decode(&value), Err(Error::Value), "a hash that does not exist");
    value[bits] = 6;
    assert_eq!(posting.tags().collect::<Vec<_>>(), ["x", "y"]);
    let record = written(&Record::Signed(signed(
        Subject::Posting { terms: Terms::one(term("ab")), content: &CONTENT, shard_bits: 3 },
        Some(&value),
    )));
    assert!(
        record.starts_with(&hex("03 kind\n02 bytes of the first word\n6162 it\n00 no second\ncccc item"))
    );
    let mut value = Vec::new();
    Provider { flags: ProviderFlags::COMPLETE, addresses: (&[v4(1).address]).into(), info_hash: None }
        .encode(&mut value)
        .unwrap();
    assert_eq!(value, hex("01 flags\n01 addresses\n04 family\nc0000201 ip\n1ae1 port\n00 no info-hash"));
}

#[test]
fn every_size_is_limited_when_written_and_when_read() {
    let (name, salt, value) = ([1; 256], [1; 65], [1; 1001]);
    let fails = |record: Record<'_>| record.encode(&mut Vec::new()).unwrap_err();
    assert_eq!(fails(Record::Signed(entry(&name, b""))), Error::Name);
    assert_eq!(fails(Record::Signed(entry(b"", b""))), Error::Name);
    assert_eq!(fails(Record::Signed(entry(b"name", &value))), Error::TooLarge);
    assert_eq!(fails(Record::Signed(signed(Subject::Mutable { salt: &salt }, None))), Error::TooLarge);
    assert_eq!(fails(Record::Immutable(&vec![0; MAX_IMMUTABLE + 1])), Error::TooLarge);
    for ttl in [0, MAX_TTL + 1] {
        assert_eq!(fails(Record::Signed(Signed { ttl, ..entry(b"name", b"") })), Error::Value);
    }
    // Lengths of what is read are looked at before their bytes.
    assert_eq!(Record::decode(&hex("00 kind\n00010001 bytes")), Err(Error::TooLarge));
    let mut long = written(&Record::Signed(entry(b"name", &value[..1000])));
    let at = 1 + 5 + 32 + 12;
    assert_eq!(long[at..at + 2], [3, 0xe8]);
    long[at + 1] += 1;
    long.insert(at + 2, 0);
    assert_eq!(Record::decode(&long), Err(Error::TooLarge));
    // At the limit all is well.
    assert!(Record::Signed(entry(&name[1..], &value[1..])).encode(&mut Vec::new()).is_ok());
    assert!(Record::Immutable(&vec![0; MAX_IMMUTABLE]).encode(&mut Vec::new()).is_ok());
}

#[test]
fn unknown_kinds_are_refused() {
    for code in [5, 0x7f, 0x80, 0x85, 0xff] {
        assert!(matches!(Record::decode(&[code; 200]), Err(Error::Kind(_))), "{code:02x}");
    }
}

#[test]
fn terms_are_words_of_two_to_forty_characters() {
    let long = "ö".repeat(41);
    for (text, good) in [("a", false), ("ab", true), ("ö", false), ("a\0b", false), ("a\u{1f}b", false)] {
        assert_eq!(Term::new(text).is_some(), good, "{text:?}");
    }
    assert!(Term::new(&long).is_none() && Term::new(&long[2..]).is_some());
}

#[test]
fn values_of_providers_and_postings_must_be_whole_and_in_form() {
    let provider = |value| Record::Signed(signed(Subject::Provider { content: &CONTENT }, Some(value)));
    let fails = |record: Record<'_>| record.encode(&mut Vec::new()).unwrap_err();
    assert_eq!(fails(provider(b"")), Error::Truncated);
    assert_eq!(fails(provider(&[0, 0, 0, 9])), Error::Trailing);
    assert_eq!(fails(provider(&[0, 9])), Error::TooMany);
    assert_eq!(fails(provider(&[0; 201])), Error::TooLarge);
    let title = "t".repeat(440);
    let (hashes, source) = (Hashes::default(), v4(1).address);
    let posting = Posting { title: &title, tags: "", size: 0, medium: 0, hashes, source };
    let mut out = vec![9];
    assert_eq!(posting.encode(&mut out), Err(Error::TooLarge));
    let many = ["t"; 13].join("\n");
    for (title, tags) in [("", "x"), ("t", "x\n\ny"), ("t", "\n"), ("t", &many)] {
        assert_eq!(
            Posting { title, tags, ..posting }.encode(&mut out),
            Err(Error::Name),
            "{title:?} {tags:?}"
        );
    }
    assert_eq!(out, [9], "what fails leaves nothing behind");
    assert_eq!(
        Posting::decode(&hex(
            "0001 bytes\nff no text\n00 tags\n0000000000000000 size\n0000 medium, no hashes\n04c00002011ae1 publisher"
        )),
        Err(Error::Name)
    );
}

#[test]
fn a_record_of_the_inline_size_fits_every_message_that_carries_one() {
    let value = [2; MAX_VALUE];
    let salt = [1; 28];
    let record = Record::Signed(signed(Subject::Mutable { salt: &salt }, Some(&value)));
    assert_eq!(written(&record).len(), MAX_INLINE_RECORD);
    let held = [Held { remaining: 1, record }];
    let (records, large) = ((&held).into(), List::default());
    let put = PutFlags::DURABLE;
    let cursor = Some(Cursor { key: filled(1), id: RecordId([1; 32]) });
    let result = [PutResult { outcome: Outcome::Conflict { seq: 1 }, count: 1, shard_bits: 0 }];
    for message in [
        Message::from(Put { flags: put, cas: Some(1), records }),
        Replicate { claim: ACTIVE, flags: put, records }.into(),
        Got { claim: ACTIVE, count: 1, load: 0, shard_bits: 0, cache: 0, next: Some(1), records, large }
            .into(),
        PullAck { records, large, next: cursor }.into(),
        PutAck { load: 0, clock: 0, offset: 0, results: (&result).into(), stored: Some(held[0]) }.into(),
    ] {
        assert!(encoded(message).len() <= MAX_DATAGRAM, "{}", message.name());
    }
}

#[test]
fn whatever_is_small_by_kind_is_inline() {
    let terms = ["a".repeat(40), "b".repeat(40)];
    let pair = Terms::pair(term(&terms[0]), term(&terms[1])).unwrap();
    let mut posting = Vec::new();
    let title = "t".repeat(MAX_POSTING - 21);
    let (hashes, source) = (Hashes::default(), v4(1).address);
    Posting { title: &title, tags: "", size: 0, medium: 0, hashes, source }.encode(&mut posting).unwrap();
    assert_eq!(posting.len(), MAX_POSTING - 1);
    let posting = signed(Subject::Posting { terms: pair, content: &CONTENT, shard_bits: 8 }, Some(&posting));
    let named = entry(&[1; 28], &[2; MAX_VALUE]);
    for record in [Record::Signed(posting), Record::Signed(named), Record::Immutable(&[3; MAX_INLINE])] {
        assert!(written(&record).len() <= MAX_INLINE_RECORD);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn records_are_themselves_again_and_nothing_when_cut(m in material()) {
        for (bytes, id) in m.records(&m.provider(), &m.posting()) {
            let record = Record::decode(&bytes).unwrap();
            prop_assert_eq!(written(&record), &bytes[..]);
            prop_assert_eq!(record.id(), id);
            for len in 0..bytes.len() {
                prop_assert!(Record::decode(&bytes[..len]).is_err());
            }
            let long = [&bytes[..], &[0]].concat();
            prop_assert_eq!(Record::decode(&long), Err(Error::Trailing));
        }
    }

    #[test]
    fn provider_and_posting_values_are_themselves_again(m in material()) {
        let (provider, posting) = (m.provider(), m.posting());
        let mut again = Vec::new();
        Provider::decode(&provider).unwrap().encode(&mut again).unwrap();
        prop_assert_eq!(&again, &provider);
        again.clear();
        Posting::decode(&posting).unwrap().encode(&mut again).unwrap();
        prop_assert_eq!(&again, &posting);
    }

    #[test]
    fn a_byte_moved_from_value_to_name_changes_what_is_signed(m in material()) {
        let (name, value) = m.text.split_at(m.text.len() / 2);
        let (longer, shorter) = m.text.split_at(m.text.len() / 2 + 1);
        prop_assert_ne!(entry(name, value).signed_bytes(), entry(longer, shorter).signed_bytes());
    }
}
