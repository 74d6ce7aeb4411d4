//! Digests (2.10): equal if and only if the stores are.

use super::*;
use crate::chord::storage::digest::{LEAF, Summary, children, headers, summary};
use proptest::prelude::*;
use throng_wire::chord::Prefix;

fn filled(numbers: impl IntoIterator<Item = u64>) -> Records {
    let mut records = Records::default();
    for n in numbers {
        offer(&mut records, mutable(n, (n % 200) as u8, 1), 0).unwrap();
    }
    records
}

const WHOLE: (RingId, RingId) = (RingId::MIN, RingId::MIN);

fn root(records: &Records) -> Summary {
    summary(&headers(records, WHOLE, Prefix::ROOT, clock(0).now), 0)
}

/// Walks two trees as two neighbours do and returns the keys in leaves that differ, and the messages it took.
fn differences(
    stores: (&Records, &Records),
    range: (RingId, RingId),
    part: Prefix,
    asked: &mut u32,
) -> Vec<Locator> {
    let now = clock(0).now;
    let (ours, theirs) = (headers(stores.0, range, part, now), headers(stores.1, range, part, now));
    *asked += 1;
    if summary(&ours, part.level()) == summary(&theirs, part.level()) {
        return Vec::new();
    }
    if ours.len() <= LEAF && theirs.len() <= LEAF {
        let mut differ: Vec<Locator> = ours.iter().filter(|x| !theirs.contains(x)).map(|x| x.0).collect();
        differ.extend(theirs.iter().filter(|x| !ours.contains(x)).map(|x| x.0));
        return differ;
    }
    let (x, y) = (children(&ours, part.level()), children(&theirs, part.level()));
    let digits = (0..16u8).filter(|digit| x[usize::from(*digit)].hash != y[usize::from(*digit)].hash);
    digits
        .filter_map(|digit| part.child(digit))
        .flat_map(|child| differences(stores, range, child, asked))
        .collect()
}

#[test]
fn one_record_in_five_thousand_is_found_in_a_handful_of_questions() {
    let (a, b) = (filled(0..5_000), filled((0..5_000).filter(|n| *n != 777)));
    let mut asked = 0;
    let found = differences((&a, &b), WHOLE, Prefix::ROOT, &mut asked);
    assert_eq!(found, [mutable(777, 1, 1).id]);
    assert!(asked <= 4, "{asked} questions");
}

#[test]
fn nothing_is_all_zeros_whatever_the_depth() {
    assert_eq!(summary(&[], 0).hash, [0; 16]);
    assert_eq!(summary(&[], 3).count, 0);
}

#[test]
fn a_life_renewed_or_the_order_of_writing_does_not_change_a_digest() {
    let (mut a, b) = (filled(0..300), filled((0..300).rev()));
    offer(&mut a, mutable(5, 5, 1), 1_000).unwrap();
    assert_eq!(root(&a), root(&b));
    offer(&mut a, mutable(5, 5, 2), 1_000).unwrap();
    assert_ne!(root(&a), root(&b));
}

#[test]
fn many_records_at_one_key_end_in_one_leaf() {
    let mut records = Records::default();
    for who in 0..200 {
        offer(&mut records, candidate(Kind::Provider, key(1), who, EPOCH), 0).unwrap();
    }
    assert_eq!(root(&records).count, 200);
}

proptest! {
    #[test]
    fn the_walk_finds_exactly_what_differs(
        common in prop::collection::btree_set(0..10_000u64, 0..300),
        left in prop::collection::btree_set(10_000..20_000u64, 0..20),
        right in prop::collection::btree_set(20_000..30_000u64, 0..20),
        bounds in (any::<u64>(), any::<u64>()),
    ) {
        let a = filled(common.iter().chain(&left).copied());
        let b = filled(common.iter().chain(&right).copied());
        prop_assert_eq!(root(&a) == root(&b), left.is_empty() && right.is_empty());
        let (low, high) = (key(bounds.0), key(bounds.1));
        let mut found = differences((&a, &b), (low, high), Prefix::ROOT, &mut 0);
        found.sort();
        let mut expected: Vec<Locator> = left.iter().chain(&right).map(|n| mutable(*n, 1, 1).id)
            .filter(|id| throng_wire::chord::own(low, id.key, high)).collect();
        expected.sort();
        prop_assert_eq!(found, expected);
    }
}
