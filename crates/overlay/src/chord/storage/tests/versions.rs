//! Order, conflict, time (4.2).

use super::*;
use proptest::prelude::*;

#[test]
fn the_larger_number_wins_and_the_smaller_is_told_which() {
    let mut records = Records::default();
    assert_eq!(offer(&mut records, mutable(1, 1, 5), 0), Ok(Kept::Written));
    assert_eq!(offer(&mut records, mutable(1, 1, 4), 0), Err(Refused::Older { seq: 5 }));
    assert_eq!(offer(&mut records, mutable(1, 1, 6), 0), Ok(Kept::Written));
    assert_eq!(records.find(&mutable(1, 1, 0).id, clock(0).now).unwrap().version.seq, 6);
    assert_eq!(records.counters.outdated, 1);
}

#[test]
fn the_same_version_again_begins_its_life_anew() {
    let mut records = Records::default();
    let id = mutable(1, 1, 5).id;
    offer(&mut records, mutable(1, 1, 5), 0).unwrap();
    assert_eq!(offer(&mut records, mutable(1, 1, 5), 80_000), Ok(Kept::Refreshed));
    assert!(records.find(&id, clock(166_399).now).is_some());
    assert!(records.find(&id, clock(166_400).now).is_none());
}

#[test]
fn two_values_under_one_number_are_counted_and_the_larger_hash_stays() {
    let (mut a, mut b) = (mutable(1, 1, 5), mutable(1, 1, 5));
    a.version.hash = [1; 16];
    b.version.hash = [2; 16];
    for order in [[a.clone(), b.clone()], [b, a]] {
        let mut records = Records::default();
        let id = order[0].id;
        for candidate in order {
            let _ = offer(&mut records, candidate, 0);
        }
        assert_eq!(records.find(&id, clock(0).now).unwrap().version.hash, [2; 16]);
        assert_eq!(records.counters.equivocations, 1);
    }
}

#[test]
fn a_writer_may_ask_to_replace_only_what_he_has_read() {
    let mut records = Records::default();
    let quotas = Quotas::default();
    let mut put = |seq, cas| records.offer(mutable(1, 1, seq), cas, clock(0), &quotas);
    assert_eq!(put(5, Some(4)), Err(Refused::Cas { seq: 0 }));
    assert_eq!(put(5, Some(0)), Ok(Kept::Written));
    assert_eq!(put(7, Some(4)), Err(Refused::Cas { seq: 5 }));
    assert_eq!(put(7, Some(5)), Ok(Kept::Written));
    // His answer was lost and he asks again.
    assert_eq!(put(7, Some(5)), Ok(Kept::Refreshed));
}

#[test]
fn a_copy_lives_no_longer_than_what_it_was_copied_from_nor_than_signed() {
    let mut records = Records::default();
    offer(&mut records, Candidate { remaining: 100, ..mutable(1, 1, 1) }, 0).unwrap();
    assert!(records.find(&mutable(1, 1, 1).id, clock(99).now).is_some());
    assert!(records.find(&mutable(1, 1, 1).id, clock(100).now).is_none());
    offer(&mut records, Candidate { remaining: u32::MAX, ..mutable(2, 1, 1) }, 0).unwrap();
    assert!(records.find(&mutable(2, 1, 1).id, clock(86_400).now).is_none());
    assert_eq!(offer(&mut records, Candidate { remaining: 0, ..mutable(3, 1, 1) }, 0), Err(Refused::Expired));
}

#[test]
fn a_dated_record_cannot_be_kept_alive_past_its_date_by_passing_it_round() {
    let mut records = Records::default();
    let provider = |at| Candidate { remaining: 86_400, ..candidate(Kind::Provider, key(1), 1, EPOCH + at) };
    offer(&mut records, provider(0), 80_000).unwrap();
    let id = provider(0).id;
    assert!(records.find(&id, clock(87_299).now).is_some());
    assert!(records.find(&id, clock(87_300).now).is_none(), "a day and a quarter of an hour after its date");
    assert_eq!(offer(&mut records, provider(0), 87_300), Err(Refused::Expired));
}

#[test]
fn a_date_more_than_a_quarter_of_an_hour_ahead_is_refused() {
    let mut records = Records::default();
    assert_eq!(
        offer(&mut records, candidate(Kind::Provider, key(1), 1, EPOCH + 901), 0),
        Err(Refused::Future)
    );
    assert_eq!(offer(&mut records, candidate(Kind::Provider, key(1), 1, EPOCH + 900), 0), Ok(Kept::Written));
    let entry = |seconds: u64| candidate(Kind::Entry, key(2), 1, (EPOCH + seconds) * 1_000);
    assert_eq!(offer(&mut records, entry(901), 0), Err(Refused::Future));
    assert_eq!(offer(&mut records, entry(900), 0), Ok(Kept::Written));
    // A counter is no date.
    assert_eq!(offer(&mut records, mutable(1, 1, u64::MAX), 0), Ok(Kept::Written));
}

#[test]
fn a_version_that_has_ended_is_not_rolled_back_for_a_day() {
    let mut records = Records::default();
    offer(&mut records, Candidate { ttl: 60, ..mutable(1, 1, 9) }, 0).unwrap();
    records.sweep(clock(60).now);
    assert_eq!(records.len(), 0);
    assert_eq!(records.counters.expired, 1);
    assert_eq!(offer(&mut records, mutable(1, 1, 8), 61), Err(Refused::Older { seq: 9 }));
    records.sweep(clock(61 + 86_400).now);
    assert_eq!(offer(&mut records, mutable(1, 1, 8), 61 + 86_400), Ok(Kept::Written));
}

#[test]
fn a_sweep_is_due_at_the_first_end_and_changes_reach_the_disk_once() {
    let mut records = Records::default();
    assert_eq!(records.next_end(), None);
    offer(&mut records, mutable(1, 1, 1), 0).unwrap();
    offer(&mut records, Candidate { ttl: 60, ..mutable(2, 1, 9) }, 0).unwrap();
    offer(&mut records, mutable(1, 1, 2), 0).unwrap();
    assert_eq!(records.next_end(), Some(clock(60).now));
    assert_eq!(records.take_changed().len(), 2);
    records.sweep(clock(60).now);
    assert_eq!(records.take_changed(), [mutable(2, 1, 9).id]);
    assert_eq!(records.take_changed(), []);
}

#[test]
fn a_range_is_what_lies_after_low_up_to_high_past_the_top_too() {
    let at = |byte: u8| RingId([byte; 20]);
    let mut records = Records::default();
    for byte in [0, 10, 20, 30, 255] {
        offer(&mut records, candidate(Kind::Mutable, at(byte), byte, 1), 0).unwrap();
    }
    let range = |low, high| -> Vec<u8> {
        records.range(at(low), at(high), clock(0).now).map(|(id, _)| id.key.0[0]).collect()
    };
    assert_eq!(range(10, 30), [20, 30]);
    assert_eq!(range(25, 10), [30, 255, 0, 10]);
    assert_eq!(range(30, 30), [255, 0, 10, 20, 30]);
    assert_eq!(range(255, 9), [0]);
}

/// Versions of a few records by a few publishers.
fn versions() -> impl Strategy<Value = Vec<(u64, u8, u64, u8)>> {
    prop::collection::vec((0..4u64, 0..3u8, 0..5u64, 0..3u8), 1..40)
}

fn apply(records: &mut Records, (n, who, seq, value): (u64, u8, u64, u8)) {
    let mut candidate = candidate(Kind::Entry, key(n), who, EPOCH * 1_000 + seq);
    candidate.body = vec![value; 8].into();
    candidate.version = Version::of(EPOCH * 1_000 + seq, &candidate.body);
    let _ = offer(records, candidate, 0);
}

fn contents(records: &Records) -> Vec<(Locator, Version, Vec<u8>)> {
    let all = records.range(RingId::MIN, RingId::MIN, clock(0).now);
    all.map(|(id, stored)| (*id, stored.version, stored.body.to_vec())).collect()
}

proptest! {
    #[test]
    fn whatever_the_order_of_delivery_the_stores_are_equal(
        versions in versions(), order in prop::collection::vec(any::<prop::sample::Index>(), 0..80)
    ) {
        let (mut straight, mut mixed) = (Records::default(), Records::default());
        versions.iter().for_each(|version| apply(&mut straight, *version));
        // Any order, with repetitions, then the rest.
        order.iter().for_each(|index| apply(&mut mixed, *index.get(&versions)));
        versions.iter().rev().for_each(|version| apply(&mut mixed, *version));
        prop_assert_eq!(contents(&straight), contents(&mixed));
    }

    #[test]
    fn a_version_once_held_is_never_followed_by_a_smaller_one(versions in versions()) {
        let mut records = Records::default();
        let mut largest = std::collections::BTreeMap::new();
        for version in versions {
            apply(&mut records, version);
            for (id, held, _) in contents(&records) {
                let before = largest.insert(id, held);
                prop_assert!(before.is_none_or(|before| before <= held));
            }
        }
    }
}
