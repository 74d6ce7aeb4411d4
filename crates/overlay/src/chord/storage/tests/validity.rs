//! What is believed (4.1).

use super::*;
use crate::chord::storage::sign::{Draft, Signer};
use crate::chord::storage::validity::{Invalid, candidate, check, check_source};
use throng_wire::chord::{Hashes, Posting, Provider, ProviderFlags, Record, Signed, Subject, Term, Terms};

fn sign(subject: Subject<'_>, value: Option<&[u8]>) -> Box<[u8]> {
    Signer::new(&[7; 32]).sign(&Draft { subject, seq: 3, ttl: 60, value }).unwrap()
}

fn posting(title: &str) -> Vec<u8> {
    let mut value = Vec::new();
    let source = ([192, 0, 2, 1], 4_000).into();
    let posting = Posting { title, tags: "", size: 1, medium: 0, hashes: Hashes::default(), source };
    posting.encode(&mut value).unwrap();
    value
}

#[test]
fn a_signature_is_over_subject_number_life_and_value() {
    let body = sign(Subject::Mutable { salt: b"salt" }, Some(b"value"));
    let Record::Signed(right) = Record::decode(&body).unwrap() else { unreachable!() };
    assert_eq!(check(&Record::Signed(right)), Ok(()));
    let other = [1; 32];
    for wrong in [
        Signed { seq: 4, ..right },
        Signed { ttl: 61, ..right },
        Signed { value: Some(b"other"), ..right },
        Signed { value: None, ..right },
        Signed { subject: Subject::Mutable { salt: b"" }, ..right },
        Signed { subject: Subject::Entry { name: b"salt" }, ..right },
        Signed { writer: &other, ..right },
    ] {
        assert_eq!(check(&Record::Signed(wrong)), Err(Invalid::Signature));
    }
}

#[test]
fn keys_of_small_order_sign_nothing() {
    // The neutral element: with it a signature of zeros would hold for any message under lax rules.
    let mut key = [0; 32];
    key[0] = 1;
    let mut signature = [0; 64];
    signature[0] = 1;
    let subject = Subject::Entry { name: b"x" };
    let forged = Signed { subject, writer: &key, seq: 1, ttl: 1, value: Some(b"any"), signature: &signature };
    assert_eq!(check(&Record::Signed(forged)), Err(Invalid::Signature));
}

#[test]
fn a_posting_lies_only_under_words_it_has() {
    let value = posting("Blue Moon");
    let term = |text| Terms::one(Term::new(text).unwrap());
    let under = |terms| Subject::Posting { terms, content: &[1; 32], shard_bits: 0 };
    let verdict = |terms| check(&Record::decode(&sign(under(terms), Some(&value))).unwrap());
    assert_eq!(verdict(term("blue")), Ok(()));
    assert_eq!(verdict(Terms::pair(Term::new("moon").unwrap(), Term::new("blue").unwrap()).unwrap()), Ok(()));
    assert_eq!(verdict(term("popular")), Err(Invalid::Terms));
}

#[test]
fn a_provider_and_a_posting_name_their_own_address_only() {
    let (home, victim) = (Endpoint::v4([192, 0, 2, 1], 4_000), Endpoint::v4([192, 0, 2, 9], 4_000));
    let mut value = Vec::new();
    let addresses = [home.socket_addr()];
    let provider =
        Provider { flags: ProviderFlags::COMPLETE, addresses: (&addresses[..]).into(), info_hash: None };
    provider.encode(&mut value).unwrap();
    let body = sign(Subject::Provider { content: &[1; 32] }, Some(&value));
    let record = Record::decode(&body).unwrap();
    assert_eq!(check_source(&record, home.with_port(9)), Ok(()));
    assert_eq!(check_source(&record, victim), Err(Invalid::Source));
    let terms = Terms::one(Term::new("moon").unwrap());
    let under = Subject::Posting { terms, content: &[1; 32], shard_bits: 0 };
    let body = sign(under, Some(&posting("Moon")));
    let record = Record::decode(&body).unwrap();
    assert_eq!(check_source(&record, home.with_port(9)), Ok(()));
    assert_eq!(check_source(&record, victim), Err(Invalid::Source));
}

#[test]
fn a_tombstone_lies_where_its_target_does_and_lives_no_longer_than_its_kind_may() {
    let name = Subject::Entry { name: b"name" };
    let (value, none) = (sign(name, Some(b"value")), sign(name, None));
    let offer = |body: &[u8]| candidate(&Record::decode(body).unwrap(), None, Network::UNKNOWN).unwrap();
    let (target, tombstone) = (offer(&value), offer(&none));
    assert_eq!(target.id, tombstone.id);
    assert!(tombstone.tombstone && !target.tombstone);
    let long = Signer::new(&[7; 32]).sign(&Draft {
        subject: Subject::Provider { content: &[1; 32] },
        seq: 1,
        ttl: 86_400 * 30,
        value: None,
    });
    assert_eq!(offer(&long.unwrap()).ttl, 4 * 3_600);
}
